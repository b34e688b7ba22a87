//! Blocks of a dense matrix.

use std::ops::Range;
use std::path::Path;

use hdf5_pure::Dataset;

use super::array::Stream;
use super::block;
use crate::error::{Error, Result};
use crate::formats::{Blocks, Picking};

/// A two-dimensional dataset, a block of its rows or of its columns at a time: whichever way no chunk is unpacked twice.
pub(crate) struct Dense {
    stream: Stream,
    bytes: Vec<u8>,
    /// Bytes of a block.
    block: u64,
    /// Lines and places in them that are wanted, where not all are, and the next of the lines.
    picked: Option<(Vec<u64>, Vec<u64>)>,
    next: usize,
}

impl Dense {
    /// Opens the dataset; no value is read.
    ///
    /// # Errors
    /// [`Error::Input`] for anything but numbers in two dimensions, and for a damaged file.
    pub fn open(path: &Path, dataset: Dataset, name: &str, memory: usize) -> Result<Dense> {
        let dimensions = dataset.shape().map_err(|e| super::damaged(path, &e))?.len();
        if dimensions != 2 {
            let message = format!("dataset {name}: has {dimensions} dimensions; a matrix has two");
            return Err(Error::input(path, message));
        }
        let stream = Stream::open(path, dataset, name, memory)?;
        Ok(Dense { stream, bytes: Vec::new(), block: block(memory), picked: None, next: 0 })
    }

    /// Whether blocks hold columns of the file in place of rows.
    pub fn turned(&self) -> bool {
        self.stream.axis == 1
    }

    /// Rows and columns in the file.
    pub fn shape(&self) -> [usize; 2] {
        let [lines, width] = self.stream.lines();
        if self.turned() { [width, lines] } else { [lines, width] }
    }
}

impl Dense {
    /// The next of the lines that are wanted.
    fn next_picked(&mut self, values: &mut Vec<f32>) -> Result<bool> {
        let Some((lines, places)) = &self.picked else { return Ok(false) };
        let line = places.len() * self.stream.number.size;
        let last = (self.next + (self.block as usize / line.max(1)).max(1)).min(lines.len());
        self.bytes.clear();
        self.stream.gather(&runs(&lines[self.next..last]), places, &mut self.bytes)?;
        self.stream.number.floats(&self.bytes, values);
        let more = last > self.next;
        self.next = last;
        Ok(more)
    }
}

impl Blocks for Dense {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        if self.picked.is_some() {
            return self.next_picked(values);
        }
        let line = self.stream.lines()[1] * self.stream.number.size;
        self.bytes.clear();
        self.stream.take((self.block as usize / line.max(1)).max(1), &mut self.bytes)?;
        self.stream.number.floats(&self.bytes, values);
        Ok(!self.bytes.is_empty())
    }

    fn done(&self) -> f64 {
        match &self.picked {
            Some((lines, _)) => self.next as f64 / lines.len().max(1) as f64,
            None => self.stream.done(),
        }
    }

    fn pick(&mut self, rows: Option<&[usize]>, columns: Option<&[usize]>) -> Result<Picking> {
        let [lines, width] = self.stream.lines();
        self.picked = Some((wanted(rows, lines), wanted(columns, width)));
        Ok(Picking::Seeking)
    }
}

/// The places asked for; all where none are named.
pub(super) fn wanted(some: Option<&[usize]>, all: usize) -> Vec<u64> {
    some.map_or_else(|| (0..all as u64).collect(), |some| some.iter().map(|place| *place as u64).collect())
}

/// Runs of neighbours.
pub(super) fn runs(lines: &[u64]) -> Vec<Range<u64>> {
    lines.chunk_by(|a, b| a + 1 == *b).map(|run| run[0]..run[run.len() - 1] + 1).collect()
}
