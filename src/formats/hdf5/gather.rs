//! Some lines of a dataset, and of them some places: only the chunks that hold them are read and unpacked, and of a dataset
//! in one run of bytes only the bytes that are asked for, so a slice costs what it holds.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use hdf5_pure::Layout;
use rayon::prelude::*;

use super::array::{Chunks, Stream};
use crate::error::{Error, Result};

/// Bytes between two places that are read along rather than sought over.
const GAP: u64 = 4096;

/// Most bytes that are unpacked at a time, beside what is handed on.
const UNPACKED: u64 = 32 << 20;

impl Stream {
    /// Appends the bytes of the lines in `ranges`, which ascend: of every line those at `places`, which ascend.
    ///
    /// # Errors
    /// As [`Stream::take`].
    pub fn gather(&self, ranges: &[Range<u64>], places: &[u64], out: &mut Vec<u8>) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        match (&self.chunks, self.address()) {
            (Some(chunks), _) => self.gather_chunks(chunks, ranges, places, out),
            (None, Some(address)) => self.gather_run(address, ranges, places, out),
            (None, None) => self.gather_rows(ranges, places, out),
        }
    }

    /// Where the values begin, where they lie in one run of bytes.
    fn address(&self) -> Option<u64> {
        let Ok(Layout::Contiguous { address: Some(address), size }) = self.dataset.layout() else {
            return None;
        };
        let due = self.shape[0] * self.shape[1] * self.number.size as u64;
        let end = self.path.metadata().ok()?.len();
        (size == due && address.checked_add(size)? <= end).then_some(address)
    }

    fn gather_chunks(
        &self,
        chunks: &Chunks,
        ranges: &[Range<u64>],
        places: &[u64],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let [along, across] = [self.piece[self.axis], self.piece[1 - self.axis]];
        let width = self.shape[1].div_ceil(self.piece[1]);
        let columns = numbers(places.iter().map(|place| place / across));
        let rows = numbers(ranges.iter().flat_map(|range| range.start / along..=(range.end - 1) / along));
        let most = (UNPACKED / (self.chunk.max(1) * columns.len() as u64)).max(1) as usize;
        let mut lines = ranges.iter().cloned().flatten().peekable();
        for rows in rows.chunks(most) {
            let number = |line: u64, place: u64| match self.axis {
                0 => (line * width + place) as usize,
                _ => (place * width + line) as usize,
            };
            let wanted: Vec<usize> =
                rows.iter().flat_map(|row| columns.iter().map(|column| number(*row, *column))).collect();
            let unpack = |place: &usize| self.unpack(chunks, chunks.places[*place]);
            let held: Vec<Vec<u8>> = wanted.par_iter().map(unpack).collect::<Result<_>>()?;
            let last = rows[rows.len() - 1];
            let mut now = Vec::new();
            while let Some(line) = lines.next_if(|line| line / along <= last) {
                now.push(line);
            }
            let start = out.len();
            let size = self.number.size;
            out.resize(start + now.len() * places.len() * size, 0);
            out[start..].par_chunks_mut(places.len() * size).zip(&now).for_each(|(to, line)| {
                let row = rows.binary_search(&(line / along)).expect("the row of chunks that holds the line");
                let held = &held[row * columns.len()..][..columns.len()];
                self.copy(held, line % along, places, to);
            });
        }
        Ok(())
    }

    /// Copies the places of a line, which is the given one of its row of chunks.
    fn copy(&self, held: &[Vec<u8>], inside: u64, places: &[u64], to: &mut [u8]) {
        let (size, across) = (self.number.size, self.piece[1 - self.axis]);
        let (mut chunk, mut of) = (0, places[0] / across);
        for (to, place) in to.chunks_exact_mut(size).zip(places) {
            if place / across != of {
                (chunk, of) = (chunk + 1, place / across);
            }
            let offset = place % across;
            let at = match self.axis {
                0 => inside * self.piece[1] + offset,
                _ => offset * self.piece[1] + inside,
            };
            to.copy_from_slice(&held[chunk][at as usize * size..][..size]);
        }
    }

    /// Values in one run of bytes: neighbouring places are read together.
    fn gather_run(
        &self,
        address: u64,
        ranges: &[Range<u64>],
        places: &[u64],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let (size, width) = (self.number.size as u64, self.shape[1]);
        let mut file = File::open(&self.path).map_err(Error::io(&self.path, "opening"))?;
        let runs: Vec<&[u64]> = places.chunk_by(|a, b| (b - a) * size <= GAP).collect();
        let mut bytes = Vec::new();
        for line in ranges.iter().cloned().flatten() {
            for run in &runs {
                let (first, last) = (run[0], run[run.len() - 1]);
                bytes.resize(((last - first + 1) * size) as usize, 0);
                let at = SeekFrom::Start(address + (line * width + first) * size);
                let read = file.seek(at).and_then(|_| file.read_exact(&mut bytes));
                read.map_err(Error::io(&self.path, "reading"))?;
                pick(&bytes, first, run, size as usize, out);
            }
        }
        Ok(())
    }

    /// What only the library can read: whole rows.
    fn gather_rows(&self, ranges: &[Range<u64>], places: &[u64], out: &mut Vec<u8>) -> Result<()> {
        let (size, width) = (self.number.size, self.shape[1] as usize);
        for range in ranges {
            for first in range.clone().step_by(self.step.max(1) as usize) {
                let n = self.step.min(range.end - first);
                let rows = self.dataset.read_raw_rows(first, n).map_err(|e| self.failed(&e))?;
                if rows.len() as u64 != n * (width * size) as u64 {
                    return Err(self.failed(&format!("{} bytes for {n} rows", rows.len())));
                }
                rows.chunks_exact((width * size).max(1)).for_each(|row| pick(row, 0, places, size, out));
            }
        }
        Ok(())
    }
}

/// Ascending numbers, each once.
fn numbers(ascending: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = ascending.collect();
    numbers.dedup();
    numbers
}

/// Appends the elements at `places` of bytes that begin at place `first`.
fn pick(bytes: &[u8], first: u64, places: &[u64], size: usize, out: &mut Vec<u8>) {
    for place in places {
        out.extend_from_slice(&bytes[(place - first) as usize * size..][..size]);
    }
}
