//! The fields of one line of delimited text: names, then numbers read where they stand. Only a line with quotes
//! beyond its first field goes through the CSV parser.

use super::lines::memchr;
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
        if memchr(b'"', line).is_some() {
            self.parse_quoted(line, out)
        } else {
            self.parse_plain(line, None, out)
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
        let last = out.len() - 1;
        for (column, value) in out.iter_mut().enumerate() {
            let rest = line.get(at..).ok_or_else(ragged)?;
            let length = match decimal(rest) {
                // The common case: a number that ends at the delimiter.
                Some((x, n)) if rest.get(n).is_none_or(|b| *b == delimiter) => {
                    *value = x;
                    n
                }
                _ => {
                    let n = memchr(delimiter, rest).unwrap_or(rest.len());
                    *value = number(&rest[..n]).ok_or_else(|| {
                        // A row of the wrong length is the better message.
                        let fields = ragged();
                        match fields == RowError::Ragged(1 + self.skip + last + 1) {
                            true => RowError::Word(column, String::from_utf8_lossy(&rest[..n]).into_owned()),
                            false => fields,
                        }
                    })?;
                    n
                }
            };
            at += length + 1;
            // One field too few, or one too many.
            if at > line.len() && column != last {
                return Err(ragged());
            }
        }
        let rest = line.get(at - 1..).unwrap_or_default();
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

/// A number with commas in it, as thousands or decimals.
pub(super) fn with_commas(field: &str) -> bool {
    let field = field.trim().trim_start_matches(['-', '+']);
    let plain = field.bytes().all(|b| b.is_ascii_digit() || b == b',' || b == b'.');
    plain && field.contains(',') && field.bytes().any(|b| b.is_ascii_digit())
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

/// The spellings of a missing value that `pandas.read_csv` knows, in any case, beside the empty field.
/// What spreadsheets write for an error is a missing value too.
const MISSING: [&str; 21] = [
    "na", "nan", "n/a", "#n/a", "null", "none", "<na>", "-nan", "#na", "#n/a n/a", "1.#ind", "1.#qnan",
    "-1.#ind", "-1.#qnan", "+nan", "#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!",
];

/// Whether a field is empty or one of the spellings of a missing value.
pub(super) fn missing(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    field.is_empty() || MISSING.iter().any(|m| field.eq_ignore_ascii_case(m.as_bytes()))
}

/// A number, with spaces around it, a leading plus, or one of the spellings of a missing value (NaN).
pub(super) fn number(field: &[u8]) -> Option<f32> {
    let field = field.trim_ascii();
    if field.is_empty() || MISSING.iter().any(|m| field.eq_ignore_ascii_case(m.as_bytes())) {
        return Some(f32::NAN);
    }
    let unsigned = field.strip_prefix(b"+").unwrap_or(field);
    fast_float2::parse(unsigned).ok().filter(|_| unsigned.len() == field.len() || !unsigned.starts_with(b"-"))
}

/// A number of at most seven characters without sign and exponent, such as `12.3456`, and its length: eight bytes are
/// looked at together, without a branch for each (<https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/>).
fn short(text: &[u8]) -> Option<(f32, usize)> {
    const POWERS: [f32; 7] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Digits become 0 to 9; the top bit of every other byte is set in `others`.
    let bytes = u64::from_le_bytes(*text.first_chunk()?) ^ (EACH * u64::from(b'0'));
    let others = (((bytes & (EACH * 0x7f)) + EACH * (0x80 - 10)) | bytes) & (EACH * 0x80);
    let at = |others: u64| others.trailing_zeros() & !7; // in bits; 64 where there is none
    let byte = |bits: u32| (bytes >> bits) as u8 ^ b'0';
    let point = at(others);
    let fraction = point < 64 && byte(point) == b'.';
    let end = if fraction { at(others & (others - 1)) } else { point };
    if end == 64 || matches!(byte(end), b'e' | b'E') {
        return None;
    }
    let before = bytes & ((1 << point) - 1);
    let (digits, after) = if fraction { (end - 8, (bytes >> 8) >> point << point) } else { (end, 0) };
    if digits == 0 {
        return None;
    }
    // The last digit goes to the top byte, zeros before the first; then neighbours are joined: 8 digits, 4 pairs, one number.
    let digits_of = (before | after) << (64 - digits);
    let pairs = digits_of.wrapping_mul(10).wrapping_add(digits_of >> 8);
    let upper = (pairs & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let lower = ((pairs >> 16) & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    let number = (upper.wrapping_add(lower) >> 32) as u32;
    // Both are exact in f32, so the quotient is the f32 nearest to the number.
    let places = if fraction { (digits - point) / 8 } else { 0 };
    Some((number as f32 / POWERS[places as usize], (end / 8) as usize))
}

/// A number such as `-12.345` or `1e-5` at the start of `text`, correctly rounded, and its length.
pub(super) fn decimal(text: &[u8]) -> Option<(f32, usize)> {
    /// 10^0 to 10^19, all but the last exact in f64.
    const POWERS: [f64; 20] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19,
    ];
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    if let Some((x, length)) = short(&text[start..]) {
        return Some((if negative { -x } else { x }, start + length));
    }
    let (mut at, mut digits) = (start, 0u64);
    while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    let (mut length, mut places) = (at - start, 0);
    if text.get(at) == Some(&b'.') {
        let point = at;
        at += 1;
        while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        places = at - point - 1;
        length += places;
    }
    // Up to 15 digits are exact in f64, as are the powers, so the quotient is the f64 nearest to the number. Rounded again
    // to f32 it is right unless it lies just between two of them.
    if length > 0 && length <= 15 && !matches!(text.get(at), Some(b'e' | b'E')) {
        let x = digits as f64 / POWERS[places];
        if x.to_bits() & 0x1fff_ffff != 0x1000_0000 {
            return Some((if negative { -x as f32 } else { x as f32 }, at));
        }
    }
    fast_float2::parse_partial(text).ok()
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

    /// Every number as the standard library reads it, to the bit.
    #[test]
    fn numbers_are_correctly_rounded() {
        let check = |text: &str| {
            let expected: f32 = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            // At the end of a line, and with more of it behind.
            for behind in ["", "\t", ",-12345678", " 1e5 1e5 1e5", ".5", "é1234567"] {
                if behind.starts_with('.') && !text.contains(['.', 'e', 'E']) {
                    continue; // it would belong to the number
                }
                let line = format!("{text}{behind}");
                let (found, length) = decimal(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
                assert_eq!((found.to_bits(), length), (expected.to_bits(), text.len()), "{line}: {found}");
            }
        };
        for text in [
            "0",
            "-0",
            "-0.0",
            "7",
            "1.",
            ".5",
            "-.25",
            "16777217",
            "16777219",
            "9007199254740993",
            "1e-45",
            "3.4028236e38",
            "1.1754943508222875e-38",
            "0.000000000000000000001",
            "123456789012345",
            "1234567890123456789012",
            "1.5e3",
            "2E-2",
            "8.589973e9",
            "0.1",
            "5404319552844595.5",
            "1.00000005960464477",
            "1.000000059604645",
        ] {
            check(text);
        }
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (digits, point) = (state >> 20, (state >> 8) % 16);
            let mut text = (digits % 10u64.pow((state % 16) as u32 + 1)).to_string();
            if text.len() as u64 > point {
                text.insert(point as usize, '.');
            }
            check(&text);
        }
        for (text, expected) in [("12.5e1\t7.25\t", 125.0), ("3E2,1.5,2.5", 300.0), ("-7e0 123456", -7.0)] {
            assert_eq!(decimal(text.as_bytes()).map(|(x, _)| x), Some(expected), "{text}");
        }
        for text in [".\t1234567", "-.,1234567", "\t12345678", "-\t1234567", "x1234567"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text:?}");
        }
        // Halfway between two f32, to the last bit of f64.
        for i in 0..1000u32 {
            let x = f32::from_bits(0x3f80_0000 + i * 7919);
            let middle = (f64::from(x) + f64::from(f32::from_bits(x.to_bits() + 1))) / 2.0;
            check(&format!("{middle:.15}")[..16]);
            check(&format!("{middle:.24}"));
        }
    }
}
