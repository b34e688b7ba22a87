//! How the text of a small table is cut: what is above it, its delimiter, its rows.

use std::borrow::Cow;
use std::path::Path;

use super::escapes::doubled;
use crate::error::{Error, Result};

/// What stands between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// A byte.
    Byte(u8),
    /// One or more blanks or tabs.
    Blanks,
    /// Nothing: a line is a field.
    None,
}

/// A row and the line that it begins on, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) fields: Vec<String>,
}

/// The rows, the last comment line above them, cut as they are, and how many comments stand among them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) comment: Option<Vec<String>>,
    pub(super) skipped: usize,
}

/// How many lines end in `text`: at LF, CRLF or CR.
pub(super) fn line_ends(text: &[u8]) -> u64 {
    let ends = text.iter().enumerate().filter(|(i, b)| match b {
        b'\n' => true,
        b'\r' => text.get(i + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64
}

/// Text whose lines, or comments, end in CR alone, with LF instead: the parser ends a comment there only.
pub(super) fn line_feeds(text: Cow<str>) -> Cow<str> {
    let (bytes, mut comment, mut alone) = (text.as_bytes(), false, false);
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' if comment && bytes.get(i + 1) != Some(&b'\n') => alone = true,
            b'\r' | b'\n' => comment = false,
            b'#' if i == 0 || matches!(bytes[i - 1], b'\r' | b'\n') => comment = true,
            _ => {}
        }
    }
    match alone || text.contains('\r') && !text.contains('\n') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => text,
    }
}

/// The text of the table itself, of a GEO platform what is between its marks; and how many lines are above it.
pub(super) fn body(text: &str) -> (&str, u64) {
    let Some(begin) = text.find("!platform_table_begin") else { return (text, 0) };
    let from = text[begin..].find('\n').map_or(text.len(), |end| begin + end + 1);
    let to = text[from..].find("!platform_table_end").map_or(text.len(), |end| from + end);
    (&text[from..to], line_ends(&text.as_bytes()[..from]))
}

/// Spreadsheets' line `sep=;`, which says the delimiter; the line is blanked out of the text that is handed back.
pub(super) fn said_delimiter(text: &str) -> (&str, Option<Delimiter>) {
    let line = text.split(['\r', '\n']).next().unwrap_or_default();
    let said = line.trim_matches('"').strip_prefix("sep=").map(str::as_bytes);
    match said {
        // the line end stays, so that lines keep their numbers
        Some([byte]) if byte.is_ascii() => (&text[line.len()..], Some(Delimiter::Byte(*byte))),
        _ => (text, None),
    }
}

/// How many lines are looked at to tell the delimiter.
const LOOKED_AT: usize = 200;

/// The lines that tell the delimiter, without comments and blank ones.
fn sample(text: &str) -> Vec<&str> {
    let lines = text.split(['\r', '\n']).filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.take(LOOKED_AT).collect()
}

/// The delimiter by content: a tab where there is one outside of quotes; of semicolon and comma the one that cuts most
/// lines into the same number of fields; blanks where they are surely no part of names.
pub(super) fn delimiter(text: &str) -> Delimiter {
    let lines = sample(text);
    if lines.iter().any(|line| cut(line, b'\t').len() > 1) {
        return Delimiter::Byte(b'\t');
    }
    let share = |byte: u8| {
        let counts: Vec<usize> = lines.iter().map(|line| cut(line, byte).len()).collect();
        let same = |n: usize| counts.iter().filter(|count| **count == n).count();
        let most = counts.iter().filter(|n| **n > 1).map(|n| same(*n)).max().unwrap_or(0);
        most as f64 / lines.len().max(1) as f64
    };
    let (semicolon, comma) = (share(b';'), share(b','));
    if semicolon.max(comma) > 0.5 {
        return Delimiter::Byte(if semicolon >= comma { b';' } else { b',' });
    }
    if blanks_cut(&lines) { Delimiter::Blanks } else { Delimiter::None }
}

/// Whether blanks stand between fields rather than in them: all lines have as many, and either there are quotes, a known
/// header, wider gaps, or a column of numbers beside names that differ.
fn blanks_cut(lines: &[&str]) -> bool {
    let cuts: Vec<Vec<String>> = lines.iter().map(|line| cut_blanks(line)).collect();
    let width = cuts.last().map_or(0, Vec::len);
    let even = cuts.iter().skip(1).all(|fields| fields.len() == width);
    let short = cuts.first().is_some_and(|first| first.len() + 1 == width);
    if width < 2 || !even || !(short || cuts[0].len() == width) {
        return false;
    }
    let once = |c: usize| cuts[1..].iter().all(|row| row.get(c) != cuts[0].get(c));
    let known =
        (0..cuts[0].len()).any(|c| super::headers::is_known(&cuts[0][c]) && once(c)) && cuts.len() > 1;
    let wide = lines.iter().any(|line| line.trim().contains("  "));
    let quoted = lines.iter().all(|line| line.contains('"'));
    known || wide || quoted || short || numbers_beside_names(&cuts)
}

/// Whether some column is of numbers and another of text that differs from row to row, as in `1 TP53`, not as in `gene 1`.
fn numbers_beside_names(cuts: &[Vec<String>]) -> bool {
    let column = |c: usize| cuts[1.min(cuts.len() - 1)..].iter().map(move |row| row[c].as_str());
    let numbers = |c: &usize| super::headers::all_numbers(column(*c));
    let differ = |c: &usize| {
        let mut seen = std::collections::HashSet::new();
        column(*c).all(|field| seen.insert(field)) && cuts.len() > 2
    };
    let places = || 0..cuts[0].len();
    places().any(|c| numbers(&c)) && places().any(|c| !numbers(&c) && differ(&c))
}

/// A line cut at a delimiter outside of quotes.
pub(super) fn cut(line: &str, delimiter: u8) -> Vec<String> {
    let line = doubled(line, Delimiter::Byte(delimiter));
    let mut reader = builder(delimiter).from_reader(line.as_bytes());
    let record = reader.records().next().and_then(std::result::Result::ok).unwrap_or_default();
    record.iter().map(|field| field.trim().to_string()).collect()
}

/// A line cut at runs of blanks outside of quotes.
fn cut_blanks(line: &str) -> Vec<String> {
    cut(&single_blanks(&doubled(line, Delimiter::Blanks)), b' ')
}

/// The text with each run of blanks and tabs outside of quotes as one blank, and none at the ends of lines.
fn single_blanks(text: &str) -> String {
    let (mut out, mut quoted, mut gap, mut start) = (String::with_capacity(text.len()), false, false, true);
    for c in text.chars() {
        match c {
            ' ' | '\t' if !quoted => gap = true,
            '\n' | '\r' if !quoted => {
                out.push(c);
                (gap, start) = (false, true);
            }
            _ => {
                if gap && !start {
                    out.push(' ');
                }
                // a quote opens a field only where one begins
                if c == '"' && (quoted || start || gap) {
                    quoted = !quoted;
                }
                out.push(c);
                (gap, start) = (false, false);
            }
        }
    }
    out
}

fn builder(delimiter: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter).flexible(true).has_headers(false);
    builder
}

/// The rows of a table that somebody keeps: without comments, blank rows and blanks around fields that are not quoted.
pub(super) fn rows(path: &Path, text: &str, delimiter: Delimiter) -> Result<Rows> {
    let text = &*doubled(text, delimiter);
    let single;
    let (text, byte) = match delimiter {
        Delimiter::Byte(byte) => (text, byte),
        Delimiter::Blanks => {
            single = single_blanks(text);
            (single.as_str(), b' ')
        }
        // a byte that no UTF-8 text holds
        Delimiter::None => (text, 0xFF),
    };
    let (mut rows, skipped) = read(path, text, byte, true)?;
    for (row, raw) in &mut rows {
        row.fields.iter_mut().for_each(|field| trim(field, raw));
    }
    let first = rows.first().map_or(text.len(), |(row, _)| line_start(text, row.line));
    let comment = text[..first].lines().rfind(|line| line.starts_with('#'));
    let comment = comment.map(|line| cut(line.trim_start_matches('#'), byte));
    let rows = rows.into_iter().map(|(row, _)| row);
    Ok(Rows { skipped, rows: rows.filter(|row| row.fields.iter().any(|f| !f.is_empty())).collect(), comment })
}

/// Where line `line` begins.
fn line_start(text: &str, line: u64) -> usize {
    let mut left = line.saturating_sub(1);
    let bytes = text.as_bytes();
    let mut at = 0;
    while left > 0 && at < bytes.len() {
        let end = bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
        left -= u64::from(end);
        at += 1;
    }
    at
}

/// The rows of a table in genelift's own form.
pub(super) fn exact_rows(path: &Path, text: &str) -> Result<Vec<Row>> {
    Ok(read(path, text, b'\t', false)?.0.into_iter().map(|(row, _)| row).collect())
}

/// Takes blanks off a field, unless it stands in quotes in its raw line; and quotes that blanks kept from being seen.
fn trim(field: &mut String, raw: &str) {
    let trimmed = field.trim();
    if trimmed.len() == field.len() || raw.contains(&format!("\"{}\"", field.replace('"', "\"\""))) {
        return;
    }
    let inner = trimmed.strip_prefix('"').and_then(|f| f.strip_suffix('"')).filter(|f| !f.contains('"'));
    *field = inner.unwrap_or(trimmed).to_string();
}

/// What follows the text for the parser: if it is not the last record, a quote was left open.
const END: &[u8] = b"\n\x01\n";

/// A record and its raw text.
type Raw<'a> = (Row, &'a str);

/// All records; lines that begin with # are left out where there are `comments`, and those between records counted.
fn read<'a>(path: &Path, text: &'a str, delimiter: u8, comments: bool) -> Result<(Vec<Raw<'a>>, usize)> {
    let input = std::io::Read::chain(text.as_bytes(), END);
    let mut reader = builder(delimiter).comment(comments.then_some(b'#')).from_reader(input);
    let mut rows: Vec<(Row, &str)> = Vec::new();
    let (mut line, mut at, mut skipped) = (1, 0, 0);
    let mut record = csv::StringRecord::new();
    loop {
        let end = (reader.position().byte() as usize).min(text.len());
        let from = start(text, end, comments);
        let between = text.get(end..from).filter(|_| comments && !rows.is_empty()).unwrap_or_default();
        line += line_ends(&text.as_bytes()[at..from]);
        at = from;
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => {
                let line = rows.last().map_or(1, |(row, _)| row.line);
                return Err(Error::input(
                    path,
                    format!("a quote (\") that opens in line {line} is never closed; close it, or double it"),
                ));
            }
            Err(error) => return Err(Error::input(path, error.to_string())),
        }
        if from >= text.len() && record.len() == 1 && &record[0] == "\u{1}" {
            return Ok((rows, skipped));
        }
        skipped += between.lines().filter(|line| line.starts_with('#')).count();
        let to = (reader.position().byte() as usize).min(text.len());
        let fields = record.iter().map(str::to_string).collect();
        rows.push((Row { line, fields }, text.get(from..to).unwrap_or_default()));
    }
}

/// Where the next record begins at or after `at`: past line ends, and comments where they are skipped.
fn start(text: &str, at: usize, comments: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = at.min(bytes.len());
    loop {
        while at < bytes.len() && matches!(bytes[at], b'\r' | b'\n') {
            at += 1;
        }
        if !(comments && bytes.get(at) == Some(&b'#')) {
            return at;
        }
        while at < bytes.len() && !matches!(bytes[at], b'\r' | b'\n') {
            at += 1;
        }
    }
}

/// A list on one line, `TP53, MYC, ESR1`, as a column. Returns whether it was one.
pub(super) fn turn_line(rows: &mut Vec<Row>) -> bool {
    let [row] = rows.as_slice() else { return false };
    let names = row.fields.len() > 1 && !row.fields.iter().any(|field| super::headers::is_number(field));
    if names && !row.fields.iter().any(|field| super::headers::is_known(field)) {
        *rows = row.fields.iter().map(|field| Row { line: row.line, fields: vec![field.clone()] }).collect();
        rows.retain(|row| !row.fields[0].is_empty());
        return true;
    }
    false
}

/// Drops last columns that are blank in every row: lines that end in a delimiter.
pub(super) fn drop_trailing(rows: &mut [Row]) {
    let width = rows.iter().map(|row| row.fields.len()).max().unwrap_or(0);
    let blank = |row: &Row| row.fields.len() < width || row.fields.last().is_some_and(String::is_empty);
    if width > 1 && rows.len() > 1 && rows.iter().all(blank) {
        rows.iter_mut()
            .filter(|row| row.fields.len() == width)
            .for_each(|row| row.fields.truncate(width - 1));
        drop_trailing(rows);
    }
}
