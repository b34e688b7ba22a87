//! The top of delimited text: what stands above the header, the header, or that there is none.

use super::fields::{Words, split};
use super::lines::Lines;
use super::numbers::number;
use crate::error::{Error, Result};

/// Rows that are looked at before any is read; fewer where they are long.
const PROBE: usize = 200;

/// Fields that are looked at.
const PROBE_FIELDS: usize = 25_000;

/// What the top of a file tells.
pub(super) struct Head {
    pub delimiter: u8,
    /// The header above the row names; empty where there is none.
    pub corner: String,
    /// Names of the other columns.
    pub columns: Vec<String>,
    /// Whether they were made up because there is no header.
    pub made_up: bool,
    /// Whether lines may end with delimiters that no column belongs to.
    pub trailing: bool,
    /// The first rows.
    pub rows: Vec<Words>,
    /// What was passed over.
    pub notes: Vec<String>,
}

/// Whether a line names the columns.
#[derive(Debug, PartialEq)]
enum Verdict {
    Header,
    Row,
    Unsure,
}

impl Head {
    /// Reads the top. `told` is the delimiter, `header` whether there is a header, where the user says so.
    ///
    /// # Errors
    /// [`Error::Input`] for a file without rows or columns, and for one whose first line may be either.
    pub fn read(lines: &mut Lines, told: Option<u8>, header: Option<bool>) -> Result<Head> {
        let mut notes = Vec::new();
        let (told, comment) = pass(lines, told, &mut notes)?;
        let path = lines.path().to_path_buf();
        let number = lines.number() + 1;
        let ahead = lines.ahead(3)?;
        let mut next = ahead.iter();
        // The last comment is the header where the numbers begin right below it.
        let may_head = |comment: &Vec<u8>| ahead.first().is_some_and(|row| heads(comment, row));
        let commented = comment.filter(may_head).filter(|_| header != Some(false));
        if commented.is_some() {
            notes.push(format!(
                "line {}, a comment, is taken for the header; --no-header takes it for none",
                number - 1
            ));
        }
        let first = match &commented {
            Some(comment) => comment[1..].to_vec(),
            None => next.next().map_or(Vec::new(), |line| line.to_vec()),
        };
        let delimiter = told.unwrap_or_else(|| match sniff(&first) {
            Some(delimiter) => delimiter,
            None => next.as_slice().first().and_then(|row| sniff(row)).unwrap_or(b'\t'), // R's, of one column
        });
        let refuse = |message: String| Err(Error::input(&path, message));
        let mut names = match split(&first, delimiter) {
            Ok(names) => names,
            Err(e) => return refuse(format!("line {number}: {e}")),
        };
        let trailing = trim_empty(&mut names);
        let wanted = (PROBE_FIELDS / names.len().max(1)).clamp(3, PROBE);
        let mut rows: Vec<Words> = Vec::new();
        for (i, line) in next.filter(|line| !is_blank(line)).take(wanted).enumerate() {
            match split(line, delimiter) {
                Ok(row) => rows.push(row),
                Err(e) if i == 0 => return refuse(format!("row 1: {e}")),
                Err(_) => break, // told by its place when it is read
            }
        }
        let padded = rows.first_mut().is_some_and(trim_empty);
        let width = rows.first().map_or(0, Vec::len);
        let cornerless = width == names.len() + 1;
        if names.len() < 2 && !(cornerless && width == 2) {
            return refuse(
                "the header line has no tab, comma, semicolon or space: a matrix needs row names and at least one \
                 column"
                    .into(),
            );
        }
        let verdict = match header {
            Some(true) => Verdict::Header,
            Some(false) => Verdict::Row,
            None if commented.is_some() || cornerless => Verdict::Header,
            None => verdict(&names, &rows),
        };
        if verdict == Verdict::Unsure {
            let fields = names[..names.len().min(4)].join(", ");
            return refuse(format!(
                "line {number} ({fields}, …) may be a header of numbers or the first row of a file without one; pass \
                 --header or --no-header"
            ));
        }
        let trailing = trailing || padded && width == names.len();
        let mut head = Head {
            delimiter,
            corner: String::new(),
            columns: Vec::new(),
            made_up: false,
            trailing,
            rows,
            notes,
        };
        if verdict == Verdict::Row {
            head.make_up(names, number, header.is_none());
            return Ok(head);
        }
        if head.rows.is_empty() {
            return refuse(
                "the matrix is empty: there is no row below the header; --no-header reads that line as a row"
                    .into(),
            );
        }
        if commented.is_none() {
            lines.peek_filled()?;
            lines.line()?;
        }
        // R leaves out the header of the row names, so the first row decides what the header's first field is.
        if !cornerless {
            head.corner = names.remove(0);
        }
        head.columns = names;
        head.unfit(&path, number, width)?;
        Ok(head)
    }

    /// Names for the columns of a file whose first line is a row.
    fn make_up(&mut self, first: Words, number: usize, seen: bool) {
        let n = first.len() - 1;
        let star = n == 3 && first[0].starts_with("N_") && super::known::is_counter(&first[0]);
        self.made_up = !star;
        self.columns = match star {
            true => ["unstranded", "stranded_first", "stranded_second"].map(String::from).to_vec(),
            false => (1..=n).map(|i| format!("column_{i}")).collect(),
        };
        self.rows.insert(0, first);
        if star {
            self.notes
                .push("has no header; it is taken for STAR's ReadsPerGene, whose columns are known".into());
        } else if seen {
            self.notes.push(format!(
                "line {number} holds numbers as the rows below it do, so there is no header and the columns' names are made up; \
                 --header takes it for one"
            ));
        } else {
            self.notes.push("without a header the columns' names are made up".into());
        }
    }

    /// Refuses a header that is shorter than the rows by more than a corner.
    fn unfit(&self, path: &std::path::Path, number: usize, width: usize) -> Result<()> {
        let n = self.columns.len() + usize::from(!self.corner.is_empty());
        let same = self.rows.len() > 1 && self.rows.iter().all(|row| row.len() >= width);
        if n + 1 >= width || !same {
            return Ok(());
        }
        Err(Error::input(
            path,
            format!(
                "line {number}, taken for the header, has {n} fields and the rows below it {width}; if it is a title, take it \
                 out, so that the line of column names comes first"
            ),
        ))
    }
}

/// Passes over comments, `sep=;`, blank lines and titles. The delimiter told, and the last comment if nothing follows it.
fn pass(
    lines: &mut Lines,
    mut told: Option<u8>,
    notes: &mut Vec<String>,
) -> Result<(Option<u8>, Option<Vec<u8>>)> {
    let mut comment = None;
    loop {
        let number = lines.number() + 1;
        let ahead = lines.ahead(12)?;
        let Some(first) = ahead.first() else { return Ok((told, comment)) };
        let commented = first.starts_with(b"#");
        if let Some(delimiter) = separator(first) {
            told = Some(delimiter);
            notes.push(format!("line {number} says that fields are parted by {:?}", char::from(delimiter)));
        } else if is_title(&ahead, told) {
            let words = String::from_utf8_lossy(first).trim_matches([',', ';', '\t', ' ', '"']).to_string();
            notes.push(format!("line {number} is taken for a title and left out: {words:?}"));
        } else if !commented && !is_blank(first) {
            return Ok((told, comment));
        }
        lines.peek_filled()?;
        let line = lines.line()?;
        comment = if commented { line } else { None };
    }
}

/// What a line `sep=;` says, which spreadsheets write and read.
fn separator(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [s, e, p, b'=', delimiter @ (b',' | b';' | b'\t' | b' ')]
            if [s, e, p].map(u8::to_ascii_lowercase) == *b"sep" =>
        {
            Some(*delimiter)
        }
        _ => None,
    }
}

/// Whether a line holds nothing but delimiters.
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|b| matches!(b, b',' | b';' | b'\t' | b' ' | b'"'))
}

/// Whether the first of these lines has one field where a header and rows of more follow, perhaps below other such lines.
fn is_title(ahead: &[&[u8]], told: Option<u8>) -> bool {
    let lines: Vec<&[u8]> =
        ahead.iter().take(12).copied().filter(|line| !is_blank(line) && !line.starts_with(b"#")).collect();
    let filled = |line: &[u8], delimiter: u8| -> Words {
        let fields = split(line, delimiter).unwrap_or_default();
        fields.into_iter().filter(|field| !field.is_empty()).collect()
    };
    let header = lines.iter().enumerate().skip(1).find_map(|(i, line)| {
        let delimiter = told.or_else(|| sniff(line)).filter(|d| *d != b' ')?;
        let fields = filled(line, delimiter);
        (fields.len() > 1).then_some((i, delimiter, fields))
    });
    let Some((at, delimiter, header)) = header else { return false };
    // R's header of a single column has one field too, and a row of numbers below it.
    let single = at == 1 && header.len() == 2 && number(header[1].as_bytes()).is_some();
    let rows = lines.get(at + 1).is_some_and(|row| filled(row, delimiter).len() > 1);
    // Commas in the numbers of the rows may outnumber what parts the fields: `TP53 1,234,567` with tabs.
    if told.is_none() && is_parted_alike(lines[0], lines[1]) {
        return false;
    }
    !is_blank(ahead[0]) && filled(lines[0], delimiter).len() == 1 && rows && !single
}

/// Whether the delimiter of one line parts the next one into as many fields, or one more.
fn is_parted_alike(first: &[u8], second: &[u8]) -> bool {
    let Some(delimiter) = sniff(first).filter(|d| *d != b' ') else { return false };
    let fields = |line: &[u8]| {
        split(line, delimiter).map_or(0, |fields| fields.iter().filter(|field| !field.is_empty()).count())
    };
    let (n, next) = (fields(first), fields(second));
    n > 1 && (next == n || next == n + 1)
}

/// Whether a comment names the columns of the numbers in `first`: as many fields, and only numbers below.
fn heads(comment: &[u8], first: &[u8]) -> bool {
    let delimiter = sniff(&comment[1..]).unwrap_or(b'\t');
    let Some((names, fields)) = split(&comment[1..], delimiter).ok().zip(split(first, delimiter).ok()) else {
        return false;
    };
    let numbers = |fields: &[String]| fields[1..].iter().all(|f| number(f.as_bytes()).is_some());
    names.len() > 1 && names.len() == fields.len() && numbers(&fields) && !numbers(&names)
}

/// Removes empty fields from the end; whether there were any.
fn trim_empty(fields: &mut Words) -> bool {
    let n = fields.iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1);
    let any = n < fields.len();
    fields.truncate(n);
    any
}

/// The delimiter that occurs most often in a line, outside its quotes; runs of spaces where there is none.
fn sniff(line: &[u8]) -> Option<u8> {
    let bare = outside_quotes(line);
    let count = |d: u8| bare.iter().filter(|b| **b == d).count();
    let best = *b",;\t".iter().max_by_key(|d| count(**d)).expect("three candidates");
    match count(best) {
        0 => line.contains(&b' ').then_some(b' '),
        _ => Some(best),
    }
}

/// A line without its quoted fields; the whole line where a quote stays open.
fn outside_quotes(line: &[u8]) -> Vec<u8> {
    let parts = |b: Option<&u8>| b.is_none_or(|b| b",;\t ".contains(b));
    let (mut inside, mut bare) = (false, Vec::with_capacity(line.len()));
    for (at, byte) in line.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &line[before]);
        let edge = if inside { line.get(at + 1) } else { before };
        if *byte == b'"' && parts(edge) {
            inside = !inside;
        } else if !inside {
            bare.push(*byte);
        }
    }
    if inside { line.to_vec() } else { bare }
}

/// Words that stand above row names.
const CORNERS: [&str; 38] = [
    "gene",
    "genes",
    "geneid",
    "id",
    "ids",
    "probe",
    "probeid",
    "symbol",
    "name",
    "names",
    "sample",
    "samples",
    "sampleid",
    "patient",
    "case",
    "barcode",
    "cell",
    "cells",
    "subject",
    "donor",
    "individual",
    "feature",
    "index",
    "row",
    "rowname",
    "rownames",
    "key",
    "target",
    "accession",
    "time",
    "hour",
    "hours",
    "day",
    "dose",
    "unnamed",
    "transcript",
    "x",
    "variable",
];

/// Whether the first line names the columns, by the columns that hold numbers in the rows below it: a header whose fields
/// there are numbers too is one (time points, Entrez ids) where its corner is no name of a row.
fn verdict(names: &Words, rows: &[Words]) -> Verdict {
    let rows: Vec<&Words> = rows.iter().filter(|row| row.len() == names.len()).collect();
    let is_number = |field: &String| number(field.as_bytes()).is_some();
    if !names.iter().skip(1).any(is_number) {
        return Verdict::Header;
    }
    let numeric = |c: &usize| rows.iter().filter(|row| is_number(&row[*c])).count() * 2 > rows.len();
    let columns: Vec<usize> = (1..names.len()).filter(numeric).collect();
    let above: Vec<f32> = columns.iter().filter_map(|c| number(names[*c].as_bytes())).collect();
    if above.len() < columns.len() || above.iter().all(|x| x.is_nan()) || names[0].is_empty() {
        return Verdict::Header;
    }
    let distinct = above.iter().enumerate().all(|(i, x)| !above[..i.min(64)].contains(x));
    let whole = distinct && above.iter().all(|x| x.fract() == 0.0);
    let corner = form(&names[0]);
    let alike = rows.iter().any(|row| form(&row[0]) == corner);
    let lower = names[0].to_lowercase();
    let known = lower.split(|c: char| !c.is_alphanumeric()).any(|word| CORNERS.contains(&word));
    match alike {
        true if corner == "9" && whole => Verdict::Unsure,
        true if corner.contains('9') => Verdict::Row,
        _ if known => Verdict::Header,
        true if whole => Verdict::Unsure,
        true => Verdict::Row,
        false if CORNERS.iter().any(|word| word.len() > 3 && lower.contains(word)) => Verdict::Header,
        false => Verdict::Unsure,
    }
}

/// A name's form: runs of capitals, small letters and digits each become one letter.
fn form(name: &str) -> String {
    let mut form: Vec<char> = name
        .chars()
        .map(|c| match c {
            '0'..='9' => '9',
            c if c.is_uppercase() => 'A',
            c if c.is_lowercase() => 'a',
            c => c,
        })
        .collect();
    form.dedup();
    form.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_told_from_a_row() {
        let fields = |line: &str| -> Words { line.split(' ').map(str::to_string).collect() };
        for (first, second, expected) in [
            ("TP53 8.6 9.6", "BRCA1 9.2 8.8", Verdict::Row),
            ("EGFR 8.6 9.6 NA", "MYC 9.2 8.8 1", Verdict::Row),
            ("ENSG00000000003 723 486", "ENSG00000000005 0 0", Verdict::Row),
            ("gene_1 4 5", "gene_2 6 7", Verdict::Row),
            ("1007_s_at 4.1 5.1", "1053_at 6 7", Verdict::Unsure),
            ("7157 0 0 3", "1956 2 3 4", Verdict::Row),
            ("7157 1 2 3", "1956 2 3 4", Verdict::Unsure),
            ("EGFR 8 6 9", "MYC 4 5 6", Verdict::Unsure),
            ("EGFR 8 8 9", "MYC 4 5 6", Verdict::Row),
            ("gene 0 1 2 4 8", "TP53 1 2 3 4 5", Verdict::Header),
            ("time 0 0.5 2", "TP53 1 2 3", Verdict::Header),
            ("Patient_ID 7157 1956 4609", "P1 1 2 3", Verdict::Header),
            ("patient 7157 1956 4609", "abc 1 2 3", Verdict::Header),
            ("gene S1 S2", "TP53 1 2", Verdict::Header),
            ("TP53 S1 S2", "BRCA1 1 2", Verdict::Header),
            ("Kontrolle 8.61 7.2 8.61", "TP53 1 2 3", Verdict::Unsure),
            ("Linie 1 2 3", "TP53 1 2 3", Verdict::Unsure),
            ("GeneName 1 2 3", "TP53 1 2 3", Verdict::Header),
        ] {
            assert_eq!(verdict(&fields(first), &[fields(second)]), expected, "{first}");
        }
        assert_eq!(verdict(&fields(" 0 1 2"), &[fields("TP53 1 2 3")]), Verdict::Header);
    }

    #[test]
    fn what_is_quoted_parts_nothing() {
        for (line, delimiter) in [
            ("TP53\t\"1,000,345\"\t\"2,000\"", b'\t'),
            ("\"a;b;c\",1", b','),
            ("MYC 3\" end\t1,5", b'\t'),
            ("\"open,1,2", b','),
            ("\"S 1\" \"S,2\"", b' '),
        ] {
            assert_eq!(sniff(line.as_bytes()), Some(delimiter), "{line}");
        }
    }

    #[test]
    fn separators_are_told() {
        for (line, delimiter) in [("sep=;", b';'), ("\"sep=,\"", b','), ("SEP=\t", b'\t')] {
            assert_eq!(separator(line.as_bytes()), Some(delimiter), "{line}");
        }
        assert!(
            ["sep", "sep=", "sep=a", "gene;S1", "sep=;;"]
                .iter()
                .all(|line| separator(line.as_bytes()).is_none())
        );
    }
}
