//! Quotes in quoted fields as R's `write.table` escapes them, behind a backslash: made double, as everybody else writes them.

use std::borrow::Cow;

use super::layout::Delimiter;

/// The text with escaped quotes doubled; nothing moves, for a quote takes the backslash's place.
pub(super) fn doubled(text: &str, delimiter: Delimiter) -> Cow<'_, str> {
    if !text.contains("\\\"") {
        return Cow::Borrowed(text);
    }
    let parts = |byte: u8| match delimiter {
        _ if matches!(byte, b'\n' | b'\r') => true,
        Delimiter::Byte(delimiter) => byte == delimiter,
        Delimiter::Blanks => matches!(byte, b' ' | b'\t'),
        Delimiter::None => false,
    };
    let (mut bytes, mut at) = (text.as_bytes().to_vec(), 0);
    while at < bytes.len() {
        if bytes[at] == b'"' {
            at = close(&mut bytes, at, parts);
        }
        at = bytes[at..].iter().position(|byte| parts(*byte)).map_or(bytes.len(), |n| at + n + 1);
    }
    Cow::Owned(String::from_utf8(bytes).expect("one ASCII byte was put in another's place"))
}

/// Doubles the escaped quotes of the field that opens at `start`; behind the quote that closes it. A backslash before that one
/// is the name's own, for R leaves backslashes as they are.
fn close(bytes: &mut [u8], start: usize, parts: impl Fn(u8) -> bool) -> usize {
    let mut at = start + 1;
    while let Some(n) = memchr::memchr(b'"', &bytes[at..]) {
        let quote = at + n;
        let ends = |at: usize| bytes.get(at).is_none_or(|byte| parts(*byte));
        let escaped = quote > start + 1
            && bytes[quote - 1] == b'\\'
            && match bytes.get(quote + 1) {
                Some(b'"') => ends(quote + 2),
                Some(b' ') if parts(b' ') => another(&bytes[quote + 1..]),
                _ => !ends(quote + 1),
            };
        at = match bytes.get(quote + 1) {
            _ if escaped => {
                bytes[quote - 1] = b'"';
                quote + 1
            }
            Some(b'"') => quote + 2,
            _ => return quote + 1,
        };
    }
    bytes.len()
}

/// Whether another quote stands on the line.
fn another(rest: &[u8]) -> bool {
    memchr::memchr3(b'"', b'\n', b'\r', rest).is_some_and(|at| rest[at] == b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_quotes_are_doubled_and_nothing_else() {
        for (delimiter, text, expected) in [
            (Delimiter::Byte(b'\t'), r#""3\""	"x""#, r#""3"""	"x""#),
            (Delimiter::Byte(b'\t'), "\"a\\\"\"\n\"b\"", "\"a\"\"\"\n\"b\""),
            (Delimiter::Byte(b','), r#""a \"b\"","c""#, r#""a ""b""","c""#),
            (Delimiter::Byte(b','), r#""\"","c\\""#, r#""""","c\\""#),
            (Delimiter::Byte(b','), r#""a\","b""#, r#""a\","b""#),
            (Delimiter::Byte(b','), r#""a\"".",1"#, r#""a\"".",1"#),
            (Delimiter::Byte(b','), r#"a\"b,"c"#, r#"a\"b,"c"#),
            (Delimiter::Blanks, r#""5 \" x" "3\"" 1"#, r#""5 "" x" "3""" 1"#),
            (Delimiter::None, r#""3\"""#, r#""3""""#),
        ] {
            assert_eq!(doubled(text, delimiter), expected, "{text}");
        }
    }
}
