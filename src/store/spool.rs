//! Values set aside on disk in the order in which they come, to be read by row or by column afterwards: for a file
//! of genes by samples, where missing values wait for a gene's mean, and for inferred values beside measured ones.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
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
        /// Rows gathered before they are scattered, so that whole cache lines are written.
        const BAND: usize = 32;
        let (rows, width) = (self.rows, last - first);
        out.clear();
        out.resize(width * rows, 0.0);
        let mut band = vec![0.0; width * BAND];
        for start in (0..rows).step_by(BAND) {
            let height = BAND.min(rows - start);
            for r in 0..height {
                self.read((start + r) * self.columns + first, &mut band[r * width..][..width])?;
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
        }
        assert_eq!(dir.path().read_dir().expect("readable").count(), 0);
    }
}
