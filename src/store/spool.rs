//! Values set aside in the order in which they come, to be read by row or by column afterwards: for a file
//! of genes by samples, where missing values wait for a gene's mean.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Values of one piece at the least; smaller ones are put together.
const PIECE: usize = 1 << 16;

/// Rows of f32: in memory up to a limit, beyond it in a file without a name, which is gone with the process, whatever ends it.
pub(crate) struct Spool {
    /// Where the file is.
    folder: PathBuf,
    /// What is in memory: whole rows, and how many values are before them.
    pieces: Vec<(usize, Vec<f32>)>,
    /// Values that are kept in memory.
    limit: usize,
    file: Option<BufWriter<File>>,
    columns: usize,
    rows: usize,
}

impl Spool {
    /// A spool of which `memory` bytes stay in memory; the rest is in the folder of the output `out` that is to be made.
    pub fn create(out: &Path, columns: usize, memory: usize) -> Spool {
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let limit = memory / size_of::<f32>();
        Spool { folder: folder.to_path_buf(), pieces: Vec::new(), limit, file: None, columns, rows: 0 }
    }

    /// Bytes that it holds in memory.
    pub fn held(&self) -> usize {
        self.pieces.iter().map(|(_, values)| size_of_val(values.as_slice())).sum()
    }

    /// Appends whole rows; many are taken as they are, and nothing is left of them.
    pub fn take(&mut self, values: &mut Vec<f32>) -> Result<()> {
        let before = self.rows * self.columns;
        self.rows += values.len() / self.columns;
        if self.file.is_some() || self.held() / size_of::<f32>() + values.len() > self.limit {
            return self.write(values);
        }
        let room = |piece: &&mut (usize, Vec<f32>)| piece.1.capacity() - piece.1.len() >= values.len();
        if values.len() >= PIECE && values.capacity() - values.len() <= values.len() / 8 {
            self.pieces.push((before, std::mem::take(values)));
        } else if let Some((_, piece)) = self.pieces.last_mut().filter(room) {
            piece.extend_from_slice(values);
        } else {
            let mut piece = Vec::with_capacity(values.len().max(PIECE));
            piece.extend_from_slice(values);
            self.pieces.push((before, piece));
        }
        values.clear();
        Ok(())
    }

    /// Appends values to the file, below what was in memory.
    fn write(&mut self, values: &mut Vec<f32>) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = tempfile::tempfile_in(&self.folder);
                let file = file.map_err(Error::io(&self.folder, "creating a temporary file there"))?;
                none.insert(BufWriter::with_capacity(1 << 20, file))
            }
        };
        let failed = || Error::io(&self.folder, "writing a temporary file there");
        let before = std::mem::take(&mut self.pieces);
        for values in before.iter().map(|(_, values)| values).chain([&*values]) {
            file.write_all(bytemuck::cast_slice(values)).map_err(failed())?;
        }
        values.clear();
        Ok(())
    }

    /// Whether all values are in memory.
    pub fn in_memory(&self) -> bool {
        self.file.is_none()
    }

    /// Rows `first..last`.
    pub fn rows(&mut self, first: usize, last: usize, out: &mut Vec<f32>) -> Result<()> {
        out.resize((last - first) * self.columns, 0.0);
        self.read(first * self.columns, out)
    }

    /// Columns `first..last`, one after another: `out[(c − first)·rows + r]`.
    pub fn columns(&mut self, first: usize, last: usize, out: &mut Vec<f32>) -> Result<()> {
        let (rows, stride) = (self.rows, self.columns);
        let range = first..last;
        if self.file.is_some() {
            return self.turned(std::slice::from_ref(&range), out);
        }
        out.resize(range.len() * rows, 0.0);
        for (before, values) in &self.pieces {
            turn_piece(values, stride, first, (out, before / stride, rows));
        }
        Ok(())
    }

    /// The given columns, one after another.
    pub fn pick_columns(&mut self, columns: &[usize], out: &mut Vec<f32>) -> Result<()> {
        self.turned(&runs(columns), out)
    }

    /// The given rows, one after another.
    pub fn pick_rows(&mut self, rows: &[usize], out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        out.resize(rows.len() * self.columns, 0.0);
        let mut at = 0;
        for run in runs(rows) {
            let n = run.len() * self.columns;
            self.read(run.start * self.columns, &mut out[at..at + n])?;
            at += n;
        }
        Ok(())
    }

    /// Ranges of columns, turned.
    fn turned(&mut self, ranges: &[Range<usize>], out: &mut Vec<f32>) -> Result<()> {
        let (rows, columns) = (self.rows, self.columns);
        out.resize(rows * ranges.iter().map(Range::len).sum::<usize>(), 0.0);
        turn(rows, ranges, out, |row, first, out| self.read(row * columns + first, out))
    }

    fn read(&mut self, at: usize, out: &mut [f32]) -> Result<()> {
        let Some(file) = &mut self.file else {
            copy(&self.pieces, at, out);
            return Ok(());
        };
        let at = SeekFrom::Start((at * size_of::<f32>()) as u64);
        file.seek(at) // seeking flushes what is still buffered
            .and_then(|_| file.get_mut().read_exact(bytemuck::cast_slice_mut(out)))
            .map_err(Error::io(&self.folder, "reading a temporary file there"))
    }
}

/// Copies what lies at `at` of pieces that follow one another.
fn copy(pieces: &[(usize, Vec<f32>)], mut at: usize, mut out: &mut [f32]) {
    let first = pieces.partition_point(|(before, _)| *before <= at).saturating_sub(1);
    for (before, values) in &pieces[first..] {
        let values = &values[at - before..];
        let (now, later) = out.split_at_mut(out.len().min(values.len()));
        now.copy_from_slice(&values[..now.len()]);
        at += now.len();
        out = later;
        if out.is_empty() {
            break;
        }
    }
}

/// Turns columns of a piece from `first` on into those of `out`, of `rows` rows each, from row `start` on.
pub(super) fn turn_piece(
    piece: &[f32],
    stride: usize,
    first: usize,
    (out, start, rows): (&mut [f32], usize, usize),
) {
    /// Values of a cache line: so many rows and columns are turned together.
    const LINE: usize = 16;
    for (b, band) in piece.chunks(LINE * stride).enumerate() {
        for (s, strip) in out.chunks_mut(LINE * rows).enumerate() {
            let (column, row) = (first + s * LINE, start + b * LINE);
            let (height, width) = (band.len() / stride, strip.len() / rows);
            let mut lines = [[0.0; LINE]; LINE];
            for (line, values) in lines.iter_mut().zip(band.chunks_exact(stride)) {
                match values[column..].first_chunk() {
                    Some(whole) if width == LINE => *line = *whole,
                    _ => line[..width].copy_from_slice(&values[column..column + width]),
                }
            }
            for (c, column) in strip.chunks_exact_mut(rows).enumerate() {
                let turned: [f32; LINE] = std::array::from_fn(|r| lines[r][c]);
                match column[row..].first_chunk_mut() {
                    Some(whole) if height == LINE => *whole = turned,
                    _ => column[row..row + height].copy_from_slice(&turned[..height]),
                }
            }
        }
    }
}

/// Turns ranges of columns of a matrix of `rows` rows, which `read` yields from a row and its first column.
fn turn(
    rows: usize,
    ranges: &[Range<usize>],
    out: &mut [f32],
    mut read: impl FnMut(usize, usize, &mut [f32]) -> Result<()>,
) -> Result<()> {
    /// Rows gathered before they are scattered, so that whole cache lines are written.
    const BAND: usize = 32;
    let width = ranges.iter().map(Range::len).sum::<usize>();
    let mut band = vec![0.0; width * BAND];
    for start in (0..rows).step_by(BAND) {
        let height = BAND.min(rows - start);
        for r in 0..height {
            let mut at = r * width;
            for range in ranges {
                read(start + r, range.start, &mut band[at..at + range.len()])?;
                at += range.len();
            }
        }
        for (c, column) in out.chunks_exact_mut(rows).enumerate() {
            for (r, value) in column[start..start + height].iter_mut().enumerate() {
                *value = band[r * width + c];
            }
        }
    }
    Ok(())
}

/// The same indices as ranges, as long as they follow one another.
fn runs(indices: &[usize]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for &index in indices {
        match runs.last_mut().filter(|run| run.end == index) {
            Some(run) => run.end += 1,
            None => runs.push(index..index + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_come_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let many = 4 * PIECE / 257;
        for (rows, columns, memory) in [
            (1, 1, 0),
            (65, 31, 0),
            (33, 257, 1 << 20),
            (33, 257, 20_000),
            (many, 257, 1 << 21),
            (many, 257, 0),
        ] {
            let mut spool = Spool::create(&dir.path().join("x.gex"), columns, memory);
            let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let (a, b) = values.split_at(rows / 2 * columns);
            spool.take(&mut a.to_vec()).expect("pushed");
            let mut b = b.to_vec();
            spool.take(&mut b).expect("taken");
            assert!(b.is_empty());
            assert_eq!(spool.in_memory(), memory >= values.len() * 4);
            let mut out = Vec::new();
            spool.rows(rows - 1, rows, &mut out).expect("read");
            assert_eq!(out, values[(rows - 1) * columns..]);
            let first = columns / 3;
            spool.columns(first, columns, &mut out).expect("read");
            assert!((0..out.len()).all(|i| out[i] == values[i % rows * columns + first + i / rows]));
            assert_eq!(out.len(), rows * (columns - first));
            let some: Vec<usize> = (0..columns).filter(|c| c % 5 != 1).rev().collect();
            spool.pick_columns(&some, &mut out).expect("read");
            assert!((0..out.len()).all(|i| out[i] == values[i % rows * columns + some[i / rows]]));
            let some: Vec<usize> = (0..rows).filter(|r| r % 5 != 1).collect();
            spool.pick_rows(&some, &mut out).expect("read");
            assert!((0..out.len()).all(|i| out[i] == values[some[i / columns] * columns + i % columns]));
            assert_eq!(out.len(), some.len() * columns);
        }
        assert_eq!(dir.path().read_dir().expect("readable").count(), 0);
    }
}
