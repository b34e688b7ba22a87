//! Values set aside on disk in the order in which they come, to be read by row or by column afterwards: for a file
//! of genes by samples, where missing values wait for a gene's mean, and for inferred values beside measured ones.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// A temporary file of f32 rows; removed when dropped.
pub(crate) struct Spool {
    path: PathBuf,
    file: BufWriter<File>,
    columns: usize,
    rows: usize,
}

impl Spool {
    /// A spool beside the store `out` that is to be made.
    pub fn create(out: &Path, number: usize, columns: usize) -> Result<Spool> {
        let mut name = out.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".tmp-{}-{number}", std::process::id()));
        let path = out.with_file_name(name);
        super::atomic::sweep(out, "tmp");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.map_err(Error::io(&path, "creating"))?;
        Ok(Spool { path, file: BufWriter::with_capacity(1 << 20, file), columns, rows: 0 })
    }

    /// A spool in the system's temporary directory.
    pub fn temporary(columns: usize) -> Result<Spool> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Spool::create(&std::env::temp_dir().join("genelift"), number, columns)
    }

    /// Appends whole rows.
    pub fn push(&mut self, values: &[f32]) -> Result<()> {
        self.rows += values.len() / self.columns;
        self.file.write_all(bytemuck::cast_slice(values)).map_err(Error::io(&self.path, "writing"))
    }

    /// Rows `first..last`.
    pub fn rows(&mut self, first: usize, last: usize, out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        out.resize((last - first) * self.columns, 0.0);
        self.read(first * self.columns, out)
    }

    /// Columns `first..last`, one after another: `out[(c − first)·rows + r]`.
    pub fn columns(&mut self, first: usize, last: usize, out: &mut Vec<f32>) -> Result<()> {
        self.turned(std::slice::from_ref(&(first..last)), out)
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
        /// Rows gathered before they are scattered, so that whole cache lines are written.
        const BAND: usize = 32;
        let (rows, width) = (self.rows, ranges.iter().map(Range::len).sum::<usize>());
        out.clear();
        out.resize(width * rows, 0.0);
        let mut band = vec![0.0; width * BAND];
        for start in (0..rows).step_by(BAND) {
            let height = BAND.min(rows - start);
            for r in 0..height {
                let mut at = r * width;
                for range in ranges {
                    self.read((start + r) * self.columns + range.start, &mut band[at..at + range.len()])?;
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

    fn read(&mut self, at: usize, out: &mut [f32]) -> Result<()> {
        let at = SeekFrom::Start((at * size_of::<f32>()) as u64);
        self.file // seeking flushes what is still buffered
            .seek(at)
            .and_then(|_| self.file.get_mut().read_exact(bytemuck::cast_slice_mut(out)))
            .map_err(Error::io(&self.path, "reading"))
    }
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

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_come_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (rows, columns) in [(1, 1), (65, 31), (33, 257)] {
            let mut spool = Spool::create(&dir.path().join("x.gex"), 0, columns).expect("created");
            let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let (a, b) = values.split_at(rows / 2 * columns);
            spool.push(a).and_then(|()| spool.push(b)).expect("pushed");
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
