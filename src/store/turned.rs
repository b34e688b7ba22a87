//! Values that come sample by sample and are read gene by gene: many rows at a time are turned before they go to disk, so that some columns of them
//! are one piece of the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use super::spool::turn_piece;
use crate::error::{Error, Result};

/// Values that are turned at a time (16 MiB).
const CHUNK: usize = 4 << 20;

/// Rows of f32 to be read by column; beyond a chunk in a file without a name in the system's temporary directory, which is gone with the process,
/// whatever ends it.
pub(crate) struct Turned {
    columns: usize,
    rows: usize,
    /// Rows of a chunk.
    height: usize,
    /// Rows that fill no chunk yet.
    rest: Vec<f32>,
    file: Option<File>,
    /// A chunk's columns.
    room: Vec<f32>,
}

impl Turned {
    /// None yet, of so many columns.
    pub fn new(columns: usize) -> Turned {
        Turned::in_chunks(columns, CHUNK)
    }

    fn in_chunks(columns: usize, values: usize) -> Turned {
        let height = (values / columns.max(1)).max(1);
        Turned { columns, rows: 0, height, rest: Vec::new(), file: None, room: Vec::new() }
    }

    /// Bytes on disk when there are so many rows.
    pub fn bytes_on_disk(&self, rows: usize) -> u64 {
        let whole = (rows / self.height * self.height) as u64;
        whole.saturating_mul(4 * self.columns as u64)
    }

    /// Appends a row.
    ///
    /// # Errors
    /// [`Error::Io`] naming the directory.
    pub fn push(&mut self, row: &[f32]) -> Result<()> {
        self.rest.extend_from_slice(row);
        self.rows += 1;
        if self.rows.is_multiple_of(self.height) && self.columns > 0 { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let folder = std::env::temp_dir();
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = tempfile::tempfile_in(&folder);
                none.insert(file.map_err(Error::io(&folder, "creating a temporary file there"))?)
            }
        };
        self.room.resize(self.rest.len(), 0.0);
        turn_piece(&self.rest, self.columns, 0, (&mut self.room, 0, self.height));
        self.rest.clear();
        file.write_all(bytemuck::cast_slice(&self.room))
            .map_err(Error::io(&folder, "writing a temporary file there"))
    }

    /// Columns `first..last`, one after another: `out[(c − first)·rows + r]`.
    ///
    /// # Errors
    /// [`Error::Io`] naming the directory.
    pub fn columns(&mut self, first: usize, last: usize, out: &mut Vec<f32>) -> Result<()> {
        let (rows, height, width) = (self.rows, self.height, last - first);
        out.resize(width * rows, 0.0);
        let before = rows - self.rest.len() / self.columns.max(1);
        self.room.resize(width * height, 0.0);
        for start in (0..before).step_by(height) {
            let at = SeekFrom::Start(4 * (start * self.columns + first * height) as u64);
            let room = bytemuck::cast_slice_mut(&mut self.room[..width * height]);
            let file = self.file.as_mut().expect("whole chunks are on disk");
            let read = file.seek(at).and_then(|_| file.read_exact(room));
            read.map_err(Error::io(std::env::temp_dir(), "reading a temporary file there"))?;
            for (column, values) in out.chunks_exact_mut(rows).zip(self.room.chunks_exact(height)) {
                column[start..start + height].copy_from_slice(values);
            }
        }
        if !out.is_empty() {
            turn_piece(&self.rest, self.columns, first, (out, before, rows));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_back_from_any_chunks() {
        for (rows, columns, chunk) in
            [(1, 1, 8), (65, 31, 310), (65, 31, 7), (64, 33, 16 * 33), (40, 5, 1 << 20), (0, 3, 9)]
        {
            let mut turned = Turned::in_chunks(columns, chunk);
            let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            values.chunks_exact(columns).for_each(|row| turned.push(row).unwrap());
            let on_disk = turned.file.as_ref().map_or(0, |file| file.metadata().unwrap().len());
            assert_eq!(on_disk, turned.bytes_on_disk(rows));
            let mut out = Vec::new();
            for first in [0, columns / 3, columns - 1] {
                turned.columns(first, columns, &mut out).unwrap();
                assert_eq!(out.len(), rows * (columns - first));
                assert!((0..out.len()).all(|i| out[i] == values[i % rows * columns + first + i / rows]));
            }
        }
    }
}
