//! Delimited text: a header line of column names, then one line a row, its name first. Lines are parsed in
//! parallel, block by block.

use std::path::Path;

use rayon::prelude::*;

use super::fields::{Layout, RowError, Words, split};
use super::lines::{Lines, filled};
use super::{Blocks, MatrixFile, ReadSettings};
use crate::error::{Error, Result};
use crate::store::Table;

/// Text has no NUL byte; UTF-16, which has, is told apart for the message.
pub(super) fn magic(start: &[u8]) -> bool {
    !start.contains(&0) && !start.starts_with(crate::store::npy::MAGIC)
}

pub(super) fn open_csv(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    open(path, settings, settings.format.as_ref().map(|_| b','))
}

pub(super) fn open_tsv(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    open(path, settings, settings.format.as_ref().map(|_| b'\t'))
}

fn open(path: &Path, settings: &ReadSettings, told: Option<u8>) -> Result<MatrixFile> {
    let mut lines = Lines::open(path, settings)?;
    let mut comment = None;
    while lines.peek_filled()?.is_some_and(|line| line.starts_with(b"#")) {
        comment = lines.line()?;
    }
    // The last comment is the header where the numbers begin right below it.
    let header = match (comment, lines.peek()?) {
        (Some(comment), Some(first)) if heads(&comment, first) => comment[1..].to_vec(),
        _ => lines.line()?.unwrap_or_default(),
    };
    let delimiter = told.unwrap_or_else(|| sniff(&header));
    let mut header = split(&header, delimiter).map_err(|e| Error::input(path, format!("line 1: {e}")))?;
    let trailing = trim_empty(&mut header);
    if header.len() < 2 {
        return Err(Error::input(
            path,
            "the header line has no tab, comma, semicolon or space: a matrix needs row names and at least one column",
        ));
    }

    // R leaves out the header of the row names, so the first row decides what the header's first field is.
    let Some(first) = lines.peek_filled()? else {
        return Err(Error::input(path, "the matrix is empty: there is no row below the header"));
    };
    let mut first = split(first, delimiter).map_err(|e| Error::input(path, format!("row 1: {e}")))?;
    let padded = trim_empty(&mut first);
    let trailing = trailing || padded && first.len() == header.len();
    let (corner, columns) = if first.len() == header.len() + 1 {
        (String::new(), header)
    } else {
        let mut header = header.into_iter();
        (header.next().unwrap_or_default(), header.collect())
    };
    let layout = Layout { delimiter, skip: 0, columns, trailing };
    let format = if delimiter == b'\t' || delimiter == b' ' { "tsv" } else { "csv" };
    Ok(TextBlocks::new(lines, layout, Ending::File).into_file(format, corner))
}

/// Whether a comment names the columns of the numbers in `first`: as many fields, and only numbers below.
fn heads(comment: &[u8], first: &[u8]) -> bool {
    let delimiter = sniff(&comment[1..]);
    let Some((names, fields)) = split(&comment[1..], delimiter).ok().zip(split(first, delimiter).ok()) else {
        return false;
    };
    names.len() == fields.len() && fields[1..].iter().all(|f| super::fields::number(f.as_bytes()).is_some())
}

/// Removes empty fields from the end; whether there were any.
fn trim_empty(fields: &mut Words) -> bool {
    let n = fields.iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1);
    let any = n < fields.len();
    fields.truncate(n);
    any
}

/// The delimiter that occurs most often in the header; runs of spaces where there is none.
fn sniff(header: &[u8]) -> u8 {
    let count = |d: u8| header.iter().filter(|b| **b == d).count();
    let best = *b",;\t".iter().max_by_key(|d| count(**d)).expect("three candidates");
    if count(best) == 0 && count(b' ') > 0 { b' ' } else { best }
}

/// What ends the rows of a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// The end of the file.
    File,
    /// The end of the file, after this many rows.
    Rows(usize),
    /// A line that begins so.
    Marker(&'static str),
}

/// Rows of numbers below a header, whatever the header was.
pub(super) struct TextBlocks {
    lines: Lines,
    layout: Layout,
    ending: Ending,
    /// Rows read so far.
    row: usize,
    /// Of every row the words between its name and its numbers.
    words: Vec<Vec<String>>,
    /// Headers of these words.
    headers: Vec<String>,
    over: bool,
}

impl TextBlocks {
    pub fn new(lines: Lines, layout: Layout, ending: Ending) -> TextBlocks {
        let words = vec![Vec::new(); layout.skip];
        TextBlocks { lines, layout, ending, row: 0, words, headers: Vec::new(), over: false }
    }

    /// Names for the words between a row's name and its numbers.
    pub fn with_headers(self, headers: Vec<String>) -> TextBlocks {
        TextBlocks { headers, ..self }
    }

    /// The file, its columns named by the layout.
    pub fn into_file(self, format: &str, corner: String) -> MatrixFile {
        let columns = Table::new("", self.layout.columns.clone());
        MatrixFile { corner, ..MatrixFile::new(format, columns, None, Box::new(self)) }
    }

    fn end(&mut self) -> Result<bool> {
        self.over = true;
        let message = match self.ending {
            Ending::Rows(n) if n != self.row => format!("has {} rows where its header says {n}", self.row),
            Ending::Marker(marker) => format!("ends before the line {marker}"),
            _ => return Ok(false),
        };
        Err(Error::input(self.lines.path(), format!("{message}; is it truncated?")))
    }
}

impl Blocks for TextBlocks {
    fn next(&mut self, ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        if self.over {
            return Ok(false);
        }
        let Some(text) = self.lines.block()? else { return self.end() };
        let (n, start) = (self.layout.columns.len(), values.len());
        let mut lines = filled(&text);
        if let Ending::Marker(marker) = self.ending
            && let Some(at) = lines.iter().position(|line| line.starts_with(marker.as_bytes()))
        {
            lines.truncate(at);
            self.over = true;
        }
        values.resize(start + lines.len() * n, 0.0);
        let layout = &self.layout;
        let parsed: Vec<std::result::Result<Words, RowError>> = values[start..]
            .par_chunks_mut(n)
            .zip(&lines)
            .map(|(out, line)| layout.parse(line, out))
            .collect();
        for (i, (row, line)) in parsed.into_iter().zip(&lines).enumerate() {
            let mut words = row
                .map_err(|error| {
                    let words = split(line, layout.delimiter).unwrap_or_default();
                    let id = words.first().map_or("", String::as_str);
                    Error::input(self.lines.path(), error.message(self.row + i + 1, id, layout))
                })?
                .into_iter();
            ids.extend(words.next());
            self.words.iter_mut().zip(words).for_each(|(column, word)| column.push(word));
        }
        self.row += lines.len();
        self.lines.take_back(text);
        Ok(true)
    }

    fn done(&self) -> f64 {
        self.lines.done()
    }

    fn row_columns(&mut self) -> Vec<(String, Vec<String>)> {
        // Words before the numbers are GCT's, which writes −666 for what is not known.
        let known = |word: String| if word == "-666" { String::new() } else { word };
        let words = self.words.drain(..).map(|words| words.into_iter().map(known).collect());
        self.headers.drain(..).zip(words).collect()
    }
}
