//! Where the fields of a line are, and what they say without their quotes. A quotation mark counts at the beginning of a
//! field only, as in RFC 4180 and pandas: `MYC 3" end` is a name.

use std::ops::Range;

use super::lines::memchr;

/// The places of the fields in `line`, quotes included; a space as delimiter stands for any run of spaces and tabs.
///
/// # Errors
/// A quoted field that does not end on the line.
pub(super) fn ranges(line: &[u8], delimiter: u8) -> Result<Vec<Range<usize>>, String> {
    let (blank, mut at, mut fields) = (delimiter == b' ', 0, Vec::new());
    let parts = |b: &u8| if blank { b.is_ascii_whitespace() } else { *b == delimiter };
    loop {
        if blank {
            at += line[at..].iter().take_while(|b| parts(b)).count();
            if at == line.len() {
                return Ok(fields);
            }
        }
        let closed = if line.get(at) == Some(&b'"') { closing(line, at, parts)? } else { at };
        let end = line[closed..].iter().position(parts).map_or(line.len(), |n| closed + n);
        fields.push(at..end);
        if end == line.len() {
            return Ok(fields);
        }
        at = end + 1;
    }
}

/// Behind the quote that closes the one at `start`. Inside, quotes are doubled, or escaped as R's `write.table` does.
fn closing(line: &[u8], start: usize, parts: impl Fn(&u8) -> bool) -> Result<usize, String> {
    let mut at = start + 1;
    while let Some(n) = memchr(b'"', &line[at..]) {
        let quote = at + n;
        let next = line.get(quote + 1);
        let escaped = line[quote - 1] == b'\\'
            && quote > start + 1
            && match next {
                Some(b'"') => line.get(quote + 2).is_none_or(&parts),
                Some(b' ') if parts(&b' ') => memchr(b'"', &line[quote + 1..]).is_some(),
                next => !next.is_none_or(&parts),
            };
        at = match next {
            _ if escaped => quote + 1,
            Some(b'"') => quote + 2,
            _ => return Ok(quote + 1),
        };
    }
    Err("a quoted field does not end on its line; if the quotation mark is part of a name, take it out"
        .into())
}

/// A field without the quotes around it.
pub(super) fn unquote(field: &str) -> String {
    let quoted = field.strip_prefix('"').and_then(|rest| rest.rsplit_once('"'));
    match quoted {
        Some((inner, rest)) => (unescape(inner) + rest).trim().to_string(),
        None => field.trim().to_string(),
    }
}

/// Quotes inside a quoted field stand for one each: doubled, or behind R's backslash.
fn unescape(inner: &str) -> String {
    let (mut out, mut rest) = (String::new(), inner);
    while let Some(at) = rest.find('"') {
        let (before, behind) = (&rest[..at], &rest[at + 1..]);
        let doubled = behind.strip_prefix('"');
        out += if doubled.is_some() { before } else { before.strip_suffix('\\').unwrap_or(before) };
        out.push('"');
        rest = doubled.unwrap_or(behind);
    }
    out + rest
}

/// The fields of a row in another order: its name, what describes it, its numbers. The rest is left out.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// How many fields a line has.
    pub fields: usize,
    /// Which of them follow each other.
    pub picked: Vec<usize>,
}

/// A line with another number of fields than the header calls for.
pub(super) enum Misfit {
    Ragged(usize),
    Broken(String),
}

impl Order {
    /// The line so ordered. Lines that end with delimiters of no column are cut where `trailing`.
    pub fn arrange(&self, line: &[u8], delimiter: u8, trailing: bool) -> Result<Vec<u8>, Misfit> {
        let fields = ranges(line, delimiter).map_err(Misfit::Broken)?;
        let spare = fields.iter().skip(self.fields).all(|field| line[field.clone()].trim_ascii().is_empty());
        if fields.len() != self.fields && !(trailing && spare && fields.len() > self.fields) {
            return Err(Misfit::Ragged(fields.len()));
        }
        let picked: Vec<&[u8]> = self.picked.iter().map(|field| &line[fields[*field].clone()]).collect();
        Ok(picked.join(&delimiter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_and_unquoted() {
        let split = |line: &str, delimiter: u8| -> Vec<String> {
            let fields = ranges(line.as_bytes(), delimiter).unwrap_or_else(|e| panic!("{line}: {e}"));
            fields.into_iter().map(|field| unquote(&line[field])).collect()
        };
        for (line, delimiter, fields) in [
            ("a,b,,", b',', vec!["a", "b", "", ""]),
            ("\"a,b\",\"\",\"c\"\"d\"", b',', vec!["a,b", "", "c\"d"]),
            ("MYC 3\" end\t1\t5\" to 3\"", b'\t', vec!["MYC 3\" end", "1", "5\" to 3\""]),
            ("\"a b\" 1  \"c\"\t2 ", b' ', vec!["a b", "1", "c", "2"]),
            ("\"3\\\" end\" 1", b' ', vec!["3\" end", "1"]),
            ("\"g0\\\"\".\"\t1", b'\t', vec!["g0\\\".", "1"]), // a backslash before a doubled quote is one
            ("\"a\\\" 1", b' ', vec!["a\\", "1"]),
            ("\"a \\\"b\\\"\" 1", b' ', vec!["a \"b\"", "1"]),
            ("\"a\\\",\"b\"", b',', vec!["a\\", "b"]),
            ("\"\"\"\"", b',', vec!["\""]),
            ("", b',', vec![""]),
            ("  ", b' ', vec![]),
        ] {
            assert_eq!(split(line, delimiter), fields, "{line}");
        }
        for line in ["\"a,b", "a,\"", "\"\"\"", "\"a\\\"b"] {
            assert!(ranges(line.as_bytes(), b',').is_err(), "{line}");
        }
    }

    #[test]
    fn fields_are_put_in_order() {
        let order = Order { fields: 4, picked: vec![2, 0, 3] };
        let arrange = |line: &str, trailing| order.arrange(line.as_bytes(), b',', trailing).ok();
        assert_eq!(arrange("1,x,\"a,b\",4", false).unwrap(), b"\"a,b\",1,4");
        assert_eq!(arrange("1,x,a,4,,", true).unwrap(), b"a,1,4");
        for (line, trailing) in
            [("1,x,a,4,,", false), ("1,x,a", true), ("1,x,a,4,5", true), ("1,\"x,a,4", true)]
        {
            assert!(arrange(line, trailing).is_none(), "{line}");
        }
    }
}
