//! The fields of one line of delimited text: names, then numbers read where they stand. Only a line with quotes
//! beyond its first field goes through the CSV parser.

use super::fours;
use super::lines::memchr;
use super::numbers::{number, with_commas};
use super::quoting::{Misfit, Order, ranges, unquote};

/// How the lines of a table of numbers are made.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Between the fields; a space stands for any run of spaces and tabs.
    pub delimiter: u8,
    /// Fields between the row's name and its numbers.
    pub skip: usize,
    /// Names of the columns of numbers.
    pub columns: Vec<String>,
    /// Whether lines may end with delimiters that no column belongs to.
    pub trailing: bool,
    /// How lines are put in the order of name, words, numbers, where they are not.
    pub order: Option<Order>,
}

/// The words of one row: its name, then the fields that are no numbers.
pub(super) type Words = Vec<String>;

/// What is wrong with a row.
#[derive(Debug, PartialEq)]
pub(super) enum RowError {
    /// The number of fields found, the row's name among them.
    Ragged(usize),
    /// Column (from 0) and text of a field that is no number.
    Word(usize, String),
    /// A broken quotation or encoding.
    Broken(String),
}

/// The fields of one line, unquoted.
pub(super) fn split(line: &[u8], delimiter: u8) -> Result<Words, String> {
    let text = std::str::from_utf8(line).map_err(|_| NOT_UTF8.to_string())?;
    Ok(ranges(line, delimiter)?.into_iter().map(|field| unquote(&text[field])).collect())
}

const NOT_UTF8: &str = "the line is not UTF-8 text; save the file as UTF-8";

impl Layout {
    /// Parses the numbers of a line into `out`, as long as there are columns, and returns its words.
    pub fn parse(&self, line: &[u8], out: &mut [f32]) -> Result<Words, RowError> {
        let Some(order) = &self.order else { return self.parse_ordered(line, out) };
        let line = order.arrange(line, self.delimiter, self.trailing)?;
        self.parse_ordered(&line, out)
    }

    /// The name of a line's row.
    pub fn name(&self, line: &[u8]) -> Option<String> {
        let at = self.order.as_ref().map_or(0, |order| order.picked[0]);
        if at == 0
            && let Some((name, _)) = quoted_name(line, self.delimiter)
        {
            return Some(name.trim().to_string());
        }
        let field = match at == 0 && self.delimiter != b' ' && !line.starts_with(b"\"") {
            true => 0..memchr(self.delimiter, line).unwrap_or(line.len()),
            false => ranges(line, self.delimiter).ok()?.get(at)?.clone(),
        };
        std::str::from_utf8(&line[field]).ok().map(unquote)
    }

    fn parse_ordered(&self, line: &[u8], out: &mut [f32]) -> Result<Words, RowError> {
        if self.delimiter == b' ' {
            if memchr(b'"', line).is_some() {
                return self.parse_quoted(line, out);
            }
            let fields: Vec<_> =
                line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()).collect();
            return self.parse_plain(&fields.join(&b' '), None, out);
        }
        // R quotes every name; such a name at the start is cut off here.
        if let Some((name, rest)) = quoted_name(line, self.delimiter) {
            return self.parse_plain(rest, Some(name), out);
        }
        // Nothing with a quote in it is a number, so lines are not searched for quotes before they are read.
        match self.parse_plain(line, None, out) {
            Ok(words) if !words.iter().any(|word| word.contains('"')) => Ok(words),
            _ if memchr(b'"', line).is_some() => self.parse_quoted(line, out),
            other => other,
        }
    }

    /// As [`Layout::parse`], of the columns `wanted` alone (ascending): the fields of the others are passed over unread.
    pub fn parse_some(&self, line: &[u8], wanted: &[usize], out: &mut [f32]) -> Result<Words, RowError> {
        let delimiter = self.delimiter;
        let arranged;
        let line = match &self.order {
            None => line,
            Some(order) => {
                arranged = order.arrange(line, delimiter, self.trailing)?;
                &arranged
            }
        };
        let unquoted = match quoted_name(line, delimiter) {
            _ if delimiter == b' ' => None,
            Some((name, rest)) => Some((Some(name), rest)),
            None if memchr(b'"', line).is_none() => Some((None, line)),
            None => None,
        };
        let Some((name, rest)) = unquoted else {
            let fields = split(line, delimiter).map_err(RowError::Broken)?;
            return self.pick(fields.iter().map(String::as_bytes), None, wanted, out);
        };
        let ends = memchr::memchr_iter(delimiter, rest).chain([rest.len()]);
        let mut start = 0;
        let fields = ends.map(|end| {
            let field = &rest[start..end];
            start = end + 1;
            field
        });
        self.pick(fields, name, wanted, out)
    }

    /// The words and the wanted numbers among the fields of a row, whose name may have been cut off.
    fn pick<'a>(
        &self,
        mut fields: impl Iterator<Item = &'a [u8]>,
        name: Option<&str>,
        wanted: &[usize],
        out: &mut [f32],
    ) -> Result<Words, RowError> {
        let mut words: Words = name.map(|name| name.trim().to_string()).into_iter().collect();
        for field in fields.by_ref().take(1 + self.skip - words.len()) {
            let word = std::str::from_utf8(field).map_err(|_| RowError::Broken(NOT_UTF8.into()))?;
            words.push(word.trim().to_string());
        }
        let mut wanted = wanted.iter().zip(out).peekable();
        let (mut found, mut word) = (0, None);
        for (column, field) in fields.enumerate() {
            if column >= self.columns.len() && self.trailing && field.trim_ascii().is_empty() {
                continue;
            }
            found += 1;
            let Some((_, value)) = wanted.next_if(|(wanted, _)| **wanted == column) else { continue };
            match number(field) {
                Some(x) => *value = x,
                None => word = word.or(Some((column, String::from_utf8_lossy(field).into_owned()))),
            }
        }
        match word {
            // A row of the wrong length is the better message.
            _ if found != self.columns.len() => Err(RowError::Ragged(words.len() + found)),
            Some((column, word)) => Err(RowError::Word(column, word)),
            None => Ok(words),
        }
    }

    fn parse_quoted(&self, line: &[u8], out: &mut [f32]) -> Result<Words, RowError> {
        let mut fields = split(line, self.delimiter).map_err(RowError::Broken)?;
        let expected = 1 + self.skip + out.len();
        if self.trailing && fields.len() > expected && fields[expected..].iter().all(String::is_empty) {
            fields.truncate(expected);
        }
        if fields.len() != expected {
            return Err(RowError::Ragged(fields.len()));
        }
        for (column, (value, field)) in out.iter_mut().zip(&fields[1 + self.skip..]).enumerate() {
            *value = number(field.as_bytes()).ok_or_else(|| RowError::Word(column, field.clone()))?;
        }
        fields.truncate(1 + self.skip);
        Ok(fields)
    }

    /// A line without quotes; `name` is the row's where it was quoted, and `line` is what follows it.
    fn parse_plain(&self, line: &[u8], name: Option<&str>, out: &mut [f32]) -> Result<Words, RowError> {
        let delimiter = self.delimiter;
        let ragged = || {
            let before = usize::from(name.is_some());
            RowError::Ragged(line.iter().filter(|b| **b == delimiter).count() + 1 + before)
        };
        let mut words = Vec::with_capacity(1 + self.skip);
        words.extend(name.map(|name| name.trim().to_string()));
        let mut at = 0;
        while words.len() < 1 + self.skip {
            let rest = line.get(at..).ok_or_else(ragged)?;
            let end = memchr(delimiter, rest).ok_or_else(ragged)?;
            let word = std::str::from_utf8(&rest[..end]).map_err(|_| RowError::Broken(NOT_UTF8.into()))?;
            words.push(word.trim().to_string());
            at += end + 1;
        }
        at = fours::read(line, delimiter, at, out).map_err(|(column, field)| {
            // A row of the wrong length is the better message.
            let fields = ragged();
            let fit = fields == RowError::Ragged(words.len() + self.columns.len());
            match field.filter(|_| fit) {
                Some(field) => RowError::Word(column, String::from_utf8_lossy(&line[field]).into_owned()),
                None => fields,
            }
        })?;
        let rest = &line[at - 1..];
        match rest.is_empty() || self.trailing && rest.iter().all(|b| *b == delimiter || *b == b' ') {
            true => Ok(words),
            false => Err(ragged()),
        }
    }
}

impl From<Misfit> for RowError {
    fn from(misfit: Misfit) -> RowError {
        match misfit {
            Misfit::Ragged(found) => RowError::Ragged(found),
            Misfit::Broken(message) => RowError::Broken(message),
        }
    }
}

impl RowError {
    /// The message for row `row` (from 1) of the name `id`.
    pub fn message(self, row: usize, id: &str, layout: &Layout) -> String {
        let (columns, words) = (&layout.columns, 1 + layout.skip);
        match self {
            RowError::Ragged(found) => {
                let name = match layout.skip {
                    0 => "the row's name".to_string(),
                    n => format!("the row's name, {n} descriptions"),
                };
                let fields = layout.order.as_ref().map_or(columns.len() + words, |order| order.fields);
                let left = match fields - columns.len() - words {
                    0 => String::new(),
                    n => format!(" (and {n} that are left out)"),
                };
                format!(
                    "row {row} ({id:?}) has {found} fields where the header calls for {fields}: {name} and {} numbers{left}; the \
                     file may be truncated or a field may be missing",
                    columns.len()
                )
            }
            RowError::Word(column, word) => {
                let remedy = remedy(&word);
                let word: String = word.chars().take(40).collect();
                let name = &columns[column];
                let place =
                    layout.order.as_ref().map_or(column + words, |order| order.picked[column + words]) + 1;
                format!("row {row} ({id:?}), column {place} ({name:?}): {word:?} is not a number; {remedy}")
            }
            RowError::Broken(message) => format!("row {row}: {message}"),
        }
    }
}

/// What to do about a field that is no number.
fn remedy(word: &str) -> &'static str {
    if !with_commas(word) {
        return "only the first line and the first column may hold words, and columns of them (--annotation-columns, \
                --drop-columns); --drop-rows leaves out a row; missing values are NA, NaN, null or empty";
    }
    let digits = word.trim().trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut groups = whole.split(',');
    let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()));
    let thousands = first && groups.all(|group| group.len() == 3) && !fraction.contains(',');
    match thousands {
        true if whole.matches(',').count() > 1 || digits.contains('.') => {
            "write numbers without commas between the thousands"
        }
        true if !whole.starts_with('0') => {
            "write numbers without commas between the thousands; if the comma stands for a decimal point, with a point"
        }
        _ => "write numbers with a decimal point instead of a comma",
    }
}

/// A quoted first field without quotes inside it, on a line without further quotes; and what follows.
fn quoted_name(line: &[u8], delimiter: u8) -> Option<(&str, &[u8])> {
    let inner = line.strip_prefix(b"\"")?;
    let end = memchr(b'"', inner)?;
    let rest = inner[end + 1..].strip_prefix(&[delimiter])?;
    let name = std::str::from_utf8(&inner[..end]).ok()?;
    memchr(b'"', rest).is_none().then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(delimiter: u8, columns: usize) -> Layout {
        let columns = (0..columns).map(|i| format!("c{i}")).collect();
        Layout { delimiter, skip: 0, columns, trailing: false, order: None }
    }

    #[test]
    fn rows_parse() {
        let mut out = [0.0; 4];
        let mut parse = |delimiter, line: &str| {
            let words = layout(delimiter, 4)
                .parse(line.as_bytes(), &mut out)
                .unwrap_or_else(|e| panic!("{line}: {e:?}"));
            (words.join("/"), out)
        };
        assert_eq!(parse(b'\t', "a b\t1\t-2.5e3\t+7\t 0.1 "), ("a b".into(), [1.0, -2500.0, 7.0, 0.1]));
        let plain = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(parse(b',', "\"x,y\",1,\"2\",3,4"), ("x,y".into(), plain));
        assert_eq!(parse(b',', "\"x\"\"y\",1,2,3,4"), ("x\"y".into(), plain));
        assert_eq!(parse(b',', "\"x,y\",1,2,3,4"), ("x,y".into(), plain));
        assert_eq!(parse(b' ', "  x  1 2\t3   4 "), ("x".into(), plain));
        for line in ["s,NA,N/A,null,", "s,nan,NaN,None,NULL", "s,,,,", "s,-nan,#N/A,<NA>,-1.#IND"] {
            assert!(parse(b',', line).1.iter().all(|x| x.is_nan()), "{line}");
        }
        let infinite = parse(b',', "s,1e39,-inf,1,2").1; // counted as missing by the import
        assert_eq!(infinite[..2], [f32::INFINITY, f32::NEG_INFINITY]);
    }

    #[test]
    fn words_before_the_numbers_and_delimiters_after_them() {
        let mut out = [0.0; 2];
        let mut layout = Layout { skip: 2, trailing: true, ..layout(b'\t', 2) };
        for line in ["g\td\te\t1\t2", "g\td\te\t1\t2\t\t", "\"g\"\td\te\t1\t2\t", "g\t\"d\"\te\t1\t2\t"] {
            assert_eq!(
                layout.parse(line.as_bytes(), &mut out),
                Ok(vec!["g".into(), "d".into(), "e".into()]),
                "{line}"
            );
            assert_eq!(out, [1.0, 2.0]);
        }
        assert_eq!(layout.parse(b"g\td\te\t1\t2\t3", &mut out), Err(RowError::Ragged(6)));
        assert_eq!(layout.parse(b"g\td", &mut out), Err(RowError::Ragged(2)));
        assert_eq!(layout.parse(b"\"g\"\td", &mut out), Err(RowError::Ragged(2)));
        layout.trailing = false;
        assert_eq!(layout.parse(b"g\td\te\t1\t2\t", &mut out), Err(RowError::Ragged(6)));
    }

    #[test]
    fn bad_rows_are_told_apart() {
        let mut out = [0.0; 3];
        let mut parse = |line: &str| layout(b',', 3).parse(line.as_bytes(), &mut out).expect_err(line);
        assert_eq!(parse("s,1,2"), RowError::Ragged(3));
        assert_eq!(parse("s,1,2,3,4"), RowError::Ragged(5));
        assert_eq!(parse("s,1,2,3,"), RowError::Ragged(5));
        assert_eq!(parse("s"), RowError::Ragged(1));
        assert_eq!(parse("\"s\",1,2"), RowError::Ragged(3));
        assert_eq!(parse("s,1,x,3"), RowError::Word(1, "x".into()));
        assert_eq!(parse("s,1,2,3x"), RowError::Word(2, "3x".into()));
        assert_eq!(parse("s,1,0x10,3"), RowError::Word(1, "0x10".into()));
        assert_eq!(parse("s,1,\"a\",3"), RowError::Word(1, "a".into()));
        for word in ["-", ".", "+-1", "--1", "1.2.3", "e5", "-."] {
            assert_eq!(parse(&format!("s,1,{word},3")), RowError::Word(1, word.into()));
        }
        assert!(matches!(parse("s,1,\"2,3"), RowError::Broken(_)));
        let message = RowError::Word(0, "-1,5".into()).message(1, "s", &layout(b',', 1));
        assert!(message.contains("row 1 (\"s\"), column 2 (\"c0\")") && message.contains("decimal point"));
    }
}
