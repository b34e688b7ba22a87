//! Blocks of a dense matrix.

use std::path::Path;

use hdf5_pure::Dataset;

use super::array::Stream;
use super::block;
use crate::error::{Error, Result};
use crate::formats::Blocks;

/// A two-dimensional dataset, a block of its rows or of its columns at a time: whichever way no chunk is unpacked twice.
pub(crate) struct Dense {
    stream: Stream,
    bytes: Vec<u8>,
    /// Bytes of a block.
    block: u64,
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
        Ok(Dense { stream, bytes: Vec::new(), block: block(memory) })
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

impl Blocks for Dense {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        let line = self.stream.lines()[1] * self.stream.number.size;
        self.bytes.clear();
        self.stream.take((self.block as usize / line.max(1)).max(1), &mut self.bytes)?;
        self.stream.number.floats(&self.bytes, values);
        Ok(!self.bytes.is_empty())
    }

    fn done(&self) -> f64 {
        self.stream.done()
    }
}
