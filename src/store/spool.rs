//! Values set aside in the order in which they come, to be read by row or by column afterwards: for a file
//! of genes by samples, where missing values wait for a gene's mean, and for inferred values beside measured ones.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::{Error, Result};

/// Bytes of rows that come together, mostly: kept between two writes to the file.
const BUFFER: usize = 32 << 20;

/// Rows of f32: in memory up to a limit, beyond it in a file without a name, which is gone with the process, whatever ends it.
pub(crate) struct Spool {
    /// Where the file is.
    folder: PathBuf,
    values: Vec<f32>,
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
        Spool { folder: folder.to_path_buf(), values: Vec::new(), limit, file: None, columns, rows: 0 }
    }

    /// A spool in the system's temporary directory.
    pub fn temporary(columns: usize) -> Spool {
        Spool { folder: std::env::temp_dir(), values: Vec::new(), limit: 0, file: None, columns, rows: 0 }
    }

    /// Bytes that it holds in memory.
    pub fn held(&self) -> usize {
        size_of_val(self.values.as_slice())
    }

    /// Appends whole rows.
    pub fn push(&mut self, values: &[f32]) -> Result<()> {
        self.tail().extend_from_slice(values);
        self.keep()
    }

    /// Where whole rows can be appended without another copy, for [`Spool::keep`] to take.
    pub fn tail(&mut self) -> &mut Vec<f32> {
        &mut self.values
    }

    /// The rows of [`Spool::tail`] that have not been taken.
    pub fn fresh(&mut self) -> &mut [f32] {
        let kept = if self.file.is_some() { 0 } else { self.rows * self.columns };
        &mut self.values[kept..]
    }

    /// Takes what was appended to [`Spool::tail`].
    pub fn keep(&mut self) -> Result<()> {
        self.rows += self.fresh().len() / self.columns;
        if self.file.is_none() && self.values.len() <= self.limit {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = tempfile::tempfile_in(&self.folder);
                let file = file.map_err(Error::io(&self.folder, "creating a temporary file there"))?;
                none.insert(BufWriter::with_capacity(1 << 20, file))
            }
        };
        file.write_all(bytemuck::cast_slice(&self.values))
            .map_err(Error::io(&self.folder, "writing a temporary file there"))?;
        self.values.clear();
        self.values.shrink_to(BUFFER / size_of::<f32>());
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
        if rows == 0 || self.file.is_some() {
            return self.turned(std::slice::from_ref(&(first..last)), out);
        }
        out.resize((last - first) * rows, 0.0);
        let share = (last - first).div_ceil(rayon::current_num_threads()).max(1);
        out.par_chunks_mut(share * rows).enumerate().try_for_each(|(i, out)| {
            let start = first + i * share;
            let range = start..start + out.len() / rows;
            turn(rows, &[range], out, |row, first, out| {
                let at = row * stride + first;
                out.copy_from_slice(&self.values[at..at + out.len()]);
                Ok(())
            })
        })
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
            out.copy_from_slice(&self.values[at..at + out.len()]);
            return Ok(());
        };
        let at = SeekFrom::Start((at * size_of::<f32>()) as u64);
        file.seek(at) // seeking flushes what is still buffered
            .and_then(|_| file.get_mut().read_exact(bytemuck::cast_slice_mut(out)))
            .map_err(Error::io(&self.folder, "reading a temporary file there"))
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
        for (rows, columns, memory) in [(1, 1, 0), (65, 31, 0), (33, 257, 1 << 20), (33, 257, 20_000)] {
            let mut spool = Spool::create(&dir.path().join("x.gex"), columns, memory);
            let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let (a, b) = values.split_at(rows / 2 * columns);
            spool.push(a).expect("pushed");
            spool.tail().extend_from_slice(b);
            assert_eq!(spool.fresh(), b);
            spool.keep().expect("kept");
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
