//! Delimited text: a header line of column names, then one line a row, its name first. Lines are parsed in
//! parallel, block by block.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::annotations::{Roles, listed};
use super::crew::{Block, Crew};
use super::fields::{Layout, RowError};
use super::header::{Head, is_blank};
use super::known::{is_counter, sample_name};
use super::lines::{Lines, filled_of_all, number_of, place_in};
use super::quoting::Order;
use super::{Blocks, MatrixFile, Picking, ReadSettings};
use crate::error::{Error, Result};
use crate::genes::Table;

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

fn open(path: &Path, settings: &ReadSettings, delimiter: Option<u8>) -> Result<MatrixFile> {
    let mut lines = Lines::open(path, settings)?;
    let head = Head::read(&mut lines, delimiter, settings.told.header)?;
    let roles = Roles::decide(path, &head, &settings.told)?;
    let fields: Vec<&String> = std::iter::once(&head.corner).chain(&head.columns).collect();
    let named = |columns: &[usize]| columns.iter().map(|c| fields[*c].clone()).collect::<Vec<_>>();
    let (mut columns, headers, corner) =
        (named(&roles.numbers), named(&roles.words), fields[roles.id].clone());
    let mut made_up = head.made_up;
    if let Some(sample) = roles.sample {
        columns = vec![sample];
    } else if made_up && columns.len() == 1 {
        (columns, made_up) = (vec![sample_name(path)], false); // so that several such files can be joined
    }
    let picked: Vec<usize> = [roles.id].iter().chain(&roles.words).chain(&roles.numbers).copied().collect();
    let total = fields.len();
    let order = (!picked.iter().copied().eq(0..total)).then_some(Order { fields: total, picked });
    let layout =
        Layout { delimiter: head.delimiter, skip: headers.len(), columns, trailing: head.trailing, order };
    let format = if head.delimiter == b'\t' || head.delimiter == b' ' { "tsv" } else { "csv" };
    let blocks = TextBlocks::new(lines, layout, Ending::File)
        .with_headers(headers)
        .leaving_out(&settings.told.drop_rows);
    let mut file = blocks.into_file(format, corner);
    if made_up {
        file.columns.key = super::MADE_UP.into();
    }
    let said = |note| format!("{}: {note}", path.display());
    file.warnings = head.notes.into_iter().chain(roles.notes).map(said).collect();
    Ok(file)
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
    layout: Arc<Layout>,
    ending: Ending,
    /// Rows sent to be read so far.
    row: usize,
    /// Lines of the file before the next block.
    line: usize,
    /// Of every row the words between its name and its numbers.
    words: Vec<Vec<String>>,
    /// Headers of these words.
    headers: Vec<String>,
    /// Rows to leave out, and whether each was there.
    unwanted: HashMap<String, bool>,
    /// How many rows were left out because they are unwanted.
    dropped: usize,
    /// Names of counters that were left out.
    counters: Vec<String>,
    /// Rows (of those that are handed out) that are wanted, ascending, where not all are.
    some_rows: Option<Vec<usize>>,
    /// Whether no further block follows.
    over: bool,
    crew: Crew,
    /// Whether all numbers of the last block are finite.
    finite: bool,
}

impl TextBlocks {
    pub fn new(lines: Lines, layout: Layout, ending: Ending) -> TextBlocks {
        let words = vec![Vec::new(); layout.skip];
        let (headers, unwanted, counters) = (Vec::new(), HashMap::new(), Vec::new());
        let line = lines.number();
        let layout = Arc::new(layout);
        let crew = Crew::new(layout.clone(), lines.at_once());
        TextBlocks {
            lines,
            layout,
            ending,
            row: 0,
            line,
            words,
            headers,
            unwanted,
            dropped: 0,
            counters,
            some_rows: None,
            over: false,
            crew,
            finite: false,
        }
    }

    /// Names for the words between a row's name and its numbers.
    pub fn with_headers(self, headers: Vec<String>) -> TextBlocks {
        TextBlocks { headers, ..self }
    }

    /// The same without the rows of these names.
    pub fn leaving_out(self, names: &[String]) -> TextBlocks {
        TextBlocks { unwanted: names.iter().map(|name| (name.clone(), false)).collect(), ..self }
    }

    /// Whether a line's row is left out.
    fn leaves_out(&mut self, line: &[u8]) -> bool {
        let free = matches!(self.ending, Ending::File);
        // Names of counters begin so; nothing else has to be looked at.
        let may = matches!(line.first(), Some(b'_' | b'"' | b'N' | b'n' | b'a' | b't' | b' '));
        if self.unwanted.is_empty() && !(free && (self.layout.order.is_some() || may)) {
            return false;
        }
        let Some(id) = self.layout.name(line) else { return false };
        if let Some(there) = self.unwanted.get_mut(&id) {
            *there = true;
            self.dropped += 1;
            return true;
        }
        let counter = free && is_counter(&id);
        self.counters.extend(counter.then_some(id));
        counter
    }

    /// Which of the next `n` rows are wanted, from 0, where not all are.
    fn wanted(&self, n: usize) -> Option<Vec<usize>> {
        let rows = self.some_rows.as_ref()?;
        let first = rows.partition_point(|row| *row < self.row);
        let here = rows[first..].iter().take_while(|row| **row < self.row + n);
        Some(here.map(|row| row - self.row).collect())
    }

    /// The file, its columns named by the layout.
    pub fn into_file(mut self, format: &str, corner: String) -> MatrixFile {
        let columns = Table::new("", self.layout.columns.clone());
        let digest = self.lines.digest();
        MatrixFile { corner, digest, ..MatrixFile::new(format, columns, None, Box::new(self)) }
    }

    /// The next lines of the file with what is to be read of them; `None` at its end.
    fn block(&mut self) -> Result<Option<Block>> {
        let Some(text) = self.lines.block()? else { return Ok(None) };
        let (mut lines, breaks) = filled_of_all(&text);
        if let Ending::Marker(marker) = self.ending
            && let Some(at) = lines.iter().position(|line| line.starts_with(marker.as_bytes()))
        {
            lines.truncate(at);
            self.over = true;
        }
        lines.retain(|line| !is_blank(line) && !self.leaves_out(line));
        let (all, before) = (lines.len(), (self.row, self.line));
        let places = self.wanted(all);
        if let Some(places) = &places {
            lines = places.iter().map(|place| lines[*place]).collect();
        }
        self.row += all;
        self.line += breaks;
        let lines = lines.iter().map(|line| place_in(&text, line)).collect();
        Ok(Some(Block { text, lines, places, before, values: Vec::new(), words: Vec::new(), finite: false }))
    }

    /// Sends as many blocks to be read as may wait.
    fn send(&mut self) {
        while !self.over && self.crew.is_free() {
            match self.block() {
                Ok(Some(block)) => self.crew.send(Ok(block)),
                Ok(None) => match self.end() {
                    Ok(()) => {}
                    Err(error) => self.crew.send(Err(error)),
                },
                Err(error) => self.crew.send(Err(error)),
            }
        }
    }

    /// The message about the row `i` of a block.
    fn refused(&self, error: RowError, i: usize, block: &Block) -> Error {
        let line = block.lines[i].clone();
        let id = self.layout.name(&block.text[line.clone()]).unwrap_or_default();
        let (rows, lines) = block.before;
        let row = rows + block.places.as_ref().map_or(i, |places| places[i]) + 1;
        let message = error.message(row, &id, &self.layout);
        let line = lines + number_of(&block.text, line.start);
        Error::input(self.lines.path(), format!("line {line}, {message}"))
    }

    /// The end of the file.
    fn end(&mut self) -> Result<()> {
        self.over = true;
        let message = match self.ending {
            Ending::Rows(n) if n != self.row + self.dropped => {
                format!("has {} rows where its header says {n}", self.row + self.dropped)
            }
            Ending::Marker(marker) => format!("ends before the line {marker}"),
            _ => return Ok(()),
        };
        Err(Error::input(self.lines.path(), format!("{message}; is it truncated?")))
    }
}

impl Blocks for TextBlocks {
    fn next(&mut self, ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        self.send();
        let Some(block) = self.crew.receive() else { return Ok(false) };
        let mut block = block?;
        for (i, words) in std::mem::take(&mut block.words).into_iter().enumerate() {
            let mut words = words.map_err(|error| self.refused(error, i, &block))?.into_iter();
            ids.extend(words.next());
            self.words.iter_mut().zip(words).for_each(|(column, word)| column.push(word));
        }
        match values.is_empty() {
            true => std::mem::swap(values, &mut block.values), // without a copy
            false => values.extend_from_slice(&block.values),
        }
        self.finite = block.finite;
        self.crew.take_back(block.values);
        self.lines.take_back(block.text);
        Ok(true)
    }

    fn all_finite(&self) -> bool {
        self.finite
    }

    fn pick(&mut self, rows: Option<&[usize]>, columns: Option<&[usize]>) -> Result<Picking> {
        self.some_rows = rows.map(<[usize]>::to_vec);
        self.crew.pick(columns);
        Ok(Picking::Passing)
    }

    fn done(&self) -> f64 {
        self.lines.done()
    }

    fn row_columns(&mut self) -> Vec<(String, Vec<String>)> {
        // GCT writes −666 for what is not known.
        let gct = matches!(self.ending, Ending::Rows(_));
        let known = |word: String| if gct && word == "-666" { String::new() } else { word };
        let words = self.words.drain(..).map(|words| words.into_iter().map(known).collect());
        self.headers.drain(..).zip(words).collect()
    }

    fn notes(&mut self) -> Result<Vec<String>> {
        if let Some((name, _)) = self.unwanted.iter().filter(|(_, there)| !**there).min() {
            return Err(Error::input(self.lines.path(), format!("--drop-rows: it has no row {name:?}")));
        }
        let names: Vec<&str> = self.counters.iter().map(String::as_str).collect();
        let note = || format!("rows left out because they count reads of no gene: {}", listed(&names));
        Ok(if names.is_empty() { Vec::new() } else { vec![note()] })
    }
}
