//! MatrixMarket (<https://math.nist.gov/MatrixMarket/formats.html>); `triples.rs` finds the names of its sides.
//!
//! A first pass checks every entry and finds their order. Entries sorted by column or by row are then read as they lie, a
//! block of columns or rows dense at a time; for any other order each block is a pass of its own.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::lines::{Lines, filled};
use super::numbers::number;
use super::{Blocks, MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::genes::Table;

pub(super) fn magic(start: &[u8]) -> bool {
    start.len() >= 14 && start[..14].eq_ignore_ascii_case(b"%%MatrixMarket")
}

/// Text that one task parses.
const TASK: usize = 1 << 16;

/// The matrix, checked and surveyed.
pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<Matrix> {
    let (matrix, entries) = survey(path, settings)?;
    // Nothing is allocated by what a header claims.
    if matrix.rows.max(matrix.columns) > super::FREE_NAMES.saturating_add(entries.saturating_mul(64)) {
        let claim = format!("{} × {}", matrix.rows, matrix.columns);
        return Err(Error::input(
            path,
            format!("claims {claim} for {entries} entries; is the size line damaged?"),
        ));
    }
    Ok(matrix)
}

/// How the values lie in the file.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// `row column value`
    Coordinate,
    /// `row column`
    Pattern,
    /// `value`, column by column.
    Array,
}

/// What a file says of itself, and the order of its entries.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    path: PathBuf,
    kind: Kind,
    /// The factor of the mirrored entries, where only one triangle is stored.
    mirror: Option<f32>,
    pub rows: usize,
    pub columns: usize,
    entries: usize,
    order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    Columns,
    Rows,
    None,
}

/// Row and column, from 0, and the value.
type Entry = (u32, u32, f32);

/// Reads the header, then all entries once: their number, their places, their order.
fn survey(path: &Path, settings: &ReadSettings) -> Result<(Matrix, usize)> {
    let (mut matrix, _) = header(path, settings)?;
    let mut reader = Entries::open(&matrix, settings)?;
    let (mut by_column, mut by_row, mut last) = (true, true, (0, 0));
    let mut block = Vec::new();
    while reader.next(&mut block)? {
        for (i, j, _) in &block {
            by_column &= *j >= last.1;
            by_row &= *i >= last.0;
            last = (*i, *j);
        }
    }
    matrix.order = match (by_column && matrix.mirror.is_none(), by_row && matrix.mirror.is_none()) {
        (true, _) => Order::Columns,
        (_, true) => Order::Rows,
        _ => Order::None,
    };
    Ok((matrix, reader.read))
}

/// What the header says, and the lines below it.
fn header(path: &Path, settings: &ReadSettings) -> Result<(Matrix, Lines)> {
    let mut lines = Lines::open(path, settings)?;
    drop(lines.digest()); // it is read several times, mostly
    let refuse = |message: String| Err(Error::input(path, message));
    let banner = lines.expect("its first line")?.to_lowercase();
    let words: Vec<&str> = banner.split_whitespace().collect();
    let [_, "matrix", layout, field, symmetry] = words.as_slice() else {
        return refuse(format!(
            "begins with {banner:?}; `%%MatrixMarket matrix LAYOUT FIELD SYMMETRY` is needed"
        ));
    };
    let kind = match (*layout, *field) {
        ("coordinate", "real" | "integer" | "double") => Kind::Coordinate,
        ("coordinate", "pattern") => Kind::Pattern,
        ("array", "real" | "integer" | "double") => Kind::Array,
        _ => {
            return refuse(format!(
                "is of {layout} {field}; coordinate or array of real, integer or pattern is read"
            ));
        }
    };
    let mirror = match *symmetry {
        "general" => None,
        "symmetric" => Some(1.0),
        "skew-symmetric" => Some(-1.0),
        other => return refuse(format!("is {other}; general, symmetric and skew-symmetric are read")),
    };
    let size = loop {
        let line = lines.expect("its size line")?;
        if !line.starts_with('%') && !line.trim().is_empty() {
            break line;
        }
    };
    let numbers: Option<Vec<usize>> = size.split_whitespace().map(|n| n.parse().ok()).collect();
    let (rows, columns, entries) = match (numbers.as_deref(), kind) {
        (Some(&[rows, columns]), Kind::Array) => {
            let all = rows.checked_mul(columns);
            let all = if mirror.is_some() { all.and_then(|n| triangle(n, rows, mirror)) } else { all };
            (rows, columns, all)
        }
        (Some(&[rows, columns, entries]), Kind::Coordinate | Kind::Pattern) => (rows, columns, Some(entries)),
        _ => {
            return refuse(format!(
                "its size line is {size:?}; rows, columns and (of coordinates) entries are needed"
            ));
        }
    };
    let small = rows.max(columns) < u32::MAX as usize;
    let Some(entries) = entries.filter(|_| small && rows.checked_mul(columns).is_some()) else {
        return refuse(format!("claims {rows} × {columns} values, more than any file holds"));
    };
    if mirror.is_some() && rows != columns {
        return refuse(format!("is {symmetry}, but {rows} × {columns}"));
    }
    let path = path.to_path_buf();
    Ok((Matrix { path, kind, mirror, rows, columns, entries, order: Order::None }, lines))
}

/// Values stored of a square of `n` values: the lower triangle, without the diagonal where it is skew.
fn triangle(n: usize, rows: usize, mirror: Option<f32>) -> Option<usize> {
    let below = (n - rows.min(n)) / 2;
    if mirror == Some(-1.0) { Some(below) } else { below.checked_add(rows) }
}

impl Matrix {
    /// The file whose rows and columns have these names.
    pub fn into_file(
        self,
        format: &str,
        rows: Table,
        columns: Table,
        natural: Orientation,
        settings: &ReadSettings,
    ) -> MatrixFile {
        let by_rows = self.order == Order::Rows;
        let (columns, rows) = if by_rows { (columns, rows) } else { (rows, columns) };
        // The dense block is the largest piece of memory; without an order, each costs a pass.
        let share = if self.order == Order::None { 4 } else { 16 };
        let step =
            (settings.memory / share / size_of::<f32>() / columns.len().max(1)).clamp(1, rows.len().max(1));
        let blocks = MtxBlocks {
            settings: settings.clone(),
            n: rows.len(),
            width: columns.len(),
            step,
            next: 0,
            waiting: Vec::new(),
            reader: None,
            matrix: self,
        };
        MatrixFile {
            natural: Some(natural),
            transposed: !by_rows,
            ..MatrixFile::new(format, columns, Some(rows), Box::new(blocks))
        }
    }
}

/// The entries in the order of the file, mirrored ones after their originals.
struct Entries {
    matrix: Matrix,
    lines: Lines,
    read: usize,
    /// Where the next value of an array belongs.
    cursor: (u32, u32),
}

impl Entries {
    fn open(matrix: &Matrix, settings: &ReadSettings) -> Result<Entries> {
        let (matrix, lines) = (matrix.clone(), header(&matrix.path, settings)?.1);
        let skew = u32::from(matrix.mirror == Some(-1.0));
        Ok(Entries { matrix, lines, read: 0, cursor: (skew, 0) })
    }

    /// Fills `block` with the next entries; false at the end of the file.
    fn next(&mut self, block: &mut Vec<Entry>) -> Result<bool> {
        block.clear();
        let Some(text) = self.lines.block()? else {
            let (found, wanted) = (self.read, self.matrix.entries);
            if found < wanted {
                let message =
                    format!("has {found} entries where its size line calls for {wanted}; truncated?");
                return Err(Error::input(&self.matrix.path, message));
            }
            return Ok(false);
        };
        let matrix = &self.matrix;
        let parts: Vec<std::result::Result<Vec<Entry>, String>> =
            pieces(&text).into_par_iter().map(|piece| parse(piece, matrix)).collect();
        for part in parts {
            block.extend(part.map_err(|message| Error::input(&matrix.path, message))?);
        }
        self.read += block.len();
        if self.read > matrix.entries {
            let message = format!("has more entries than the {} of its size line", matrix.entries);
            return Err(Error::input(&matrix.path, message));
        }
        if matrix.kind == Kind::Array {
            for entry in block.iter_mut() {
                let (i, j) = self.cursor;
                (entry.0, entry.1) = (i, j);
                self.cursor = if ((i + 1) as usize) < matrix.rows {
                    (i + 1, j)
                } else {
                    let first = if matrix.mirror.is_some() { j + 1 } else { 0 };
                    (first + u32::from(matrix.mirror == Some(-1.0)), j + 1)
                };
            }
        }
        if let Some(factor) = matrix.mirror {
            let mirrored: Vec<_> =
                block.iter().filter(|(i, j, _)| i != j).map(|(i, j, x)| (*j, *i, factor * x)).collect();
            block.extend(mirrored);
        }
        Ok(true)
    }
}

/// Cuts text at line ends into pieces of about [`TASK`] bytes.
fn pieces(mut text: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::with_capacity(text.len() / TASK + 1);
    while !text.is_empty() {
        let end = text
            .get(TASK..)
            .and_then(|rest| memchr::memchr(b'\n', rest))
            .map_or(text.len(), |at| TASK + at + 1);
        let (piece, rest) = text.split_at(end);
        pieces.push(piece);
        text = rest;
    }
    pieces
}

/// The entries of some lines; those of an array have no place yet.
fn parse(text: &[u8], matrix: &Matrix) -> std::result::Result<Vec<Entry>, String> {
    let mut entries = Vec::with_capacity(text.len() / 8);
    for line in filled(text) {
        if line.starts_with(b"%") || line.trim_ascii().is_empty() {
            continue;
        }
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let mut place = |limit: usize| words.next().and_then(index).filter(|i| (*i as usize) < limit);
        let at = match matrix.kind {
            Kind::Array => Some((0, 0)),
            _ => place(matrix.rows).zip(place(matrix.columns)),
        };
        let value = if matrix.kind == Kind::Pattern { Some(1.0) } else { words.next().and_then(number) };
        match (at, value, words.next()) {
            (Some((i, j)), Some(x), None) => entries.push((i, j, x)),
            _ => {
                let line: String = String::from_utf8_lossy(line).chars().take(60).collect();
                let (rows, columns) = (matrix.rows, matrix.columns);
                let wanted = match matrix.kind {
                    Kind::Array => "one number".to_string(),
                    Kind::Pattern => format!("a row of 1 to {rows} and a column of 1 to {columns}"),
                    Kind::Coordinate => format!("a row of 1 to {rows}, a column of 1 to {columns}, a number"),
                };
                return Err(format!(
                    "entry {line:?} cannot be read: {wanted} expected; is the file damaged?"
                ));
            }
        }
    }
    Ok(entries)
}

/// An index of the file, from 1, as one from 0.
fn index(word: &[u8]) -> Option<u32> {
    let digit = |n: u32, b: &u8| {
        let digit = b.is_ascii_digit().then(|| u32::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    };
    word.iter().try_fold(0, digit)?.checked_sub(1)
}

/// Columns (or rows, where the file is sorted by them) of the matrix, a dense block at a time.
struct MtxBlocks {
    settings: ReadSettings,
    matrix: Matrix,
    /// How many columns (rows) there are, and how long each is.
    n: usize,
    width: usize,
    step: usize,
    next: usize,
    reader: Option<Entries>,
    /// Entries that have been read and belong to later blocks.
    waiting: Vec<Entry>,
}

impl Blocks for MtxBlocks {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        if self.next == self.n {
            return Ok(false);
        }
        let (first, last) = (self.next, (self.next + self.step).min(self.n));
        let (order, width) = (self.matrix.order, self.width);
        let place = |(i, j, _): &Entry| {
            let (major, minor) = if order == Order::Rows { (*i, *j) } else { (*j, *i) };
            (major as usize, minor as usize)
        };
        let start = values.len();
        values.resize(start + (last - first) * width, 0.0);
        let out = &mut values[start..];
        let mut add = |entry: &Entry| {
            let (major, minor) = place(entry);
            // An entry that occurs twice adds up, as in SciPy. None is out of place unless the file changes meanwhile.
            let at = major.checked_sub(first).map(|row| row * width + minor);
            if let Some(value) = at.and_then(|at| out.get_mut(at)) {
                *value += entry.2;
            }
        };
        if order == Order::None || self.reader.is_none() {
            self.reader = Some(Entries::open(&self.matrix, &self.settings)?);
        }
        let reader = self.reader.as_mut().expect("just opened");
        let mut block = std::mem::take(&mut self.waiting);
        loop {
            if order == Order::None {
                block.iter().filter(|entry| (first..last).contains(&place(entry).0)).for_each(&mut add);
            } else {
                let here = block.partition_point(|entry| place(entry).0 < last);
                block[..here].iter().for_each(&mut add);
                if here < block.len() {
                    block.drain(..here);
                    self.waiting = block;
                    break;
                }
            }
            if !reader.next(&mut block)? {
                break;
            }
        }
        self.next = last;
        Ok(true)
    }

    fn done(&self) -> f64 {
        self.next as f64 / self.n.max(1) as f64
    }
}
