//! Columns of names behind filters that the library does not know.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use hdf5_pure::Dataset;

use super::damaged;
use super::filters::{self, Pipeline};
use super::heap::{Heaps, REFERENCE};
use crate::error::{Error, Result};

/// The bytes of a one-dimensional dataset whose filters are undone here; `None` where the library can read it itself.
pub(super) fn bytes(path: &Path, dataset: &Dataset, n: usize) -> Result<Option<Vec<u8>>> {
    let filters = dataset.filters();
    if filters.iter().all(|filter| filters::of_library(*filter)) {
        return Ok(None);
    }
    let failed = |e: &dyn std::fmt::Display| damaged(path, e);
    let size = dataset.element_size().map_err(|e| failed(&e))? as usize;
    let pipeline = Pipeline::of(dataset, size).map_err(|e| Error::input(path, e))?;
    let chunk = dataset.chunk_shape().map_err(|e| failed(&e))?.unwrap_or_default();
    let (Some(pipeline), &[chunk]) = (pipeline, chunk.as_slice()) else { return Ok(None) };
    let length =
        usize::try_from(chunk).ok().and_then(|n| n.checked_mul(size)).filter(|n| *n <= u32::MAX as usize);
    let length = length.ok_or_else(|| failed(&format!("chunks of {chunk} names")))?;
    let mut file = File::open(path).map_err(Error::io(path, "opening"))?;
    let mut out = vec![0; n * size];
    for place in dataset.chunks().map_err(|e| failed(&e))? {
        let stored = take(&mut file, place.address, place.storage_size)
            .ok_or_else(|| failed(&"a chunk is cut short"))?;
        let chunk = pipeline.undo(stored, place.filter_mask, length).map_err(|e| failed(&e))?;
        let start = place.offset.first().map_or(0, |at| *at as usize).saturating_mul(size);
        let part = out.get_mut(start..).ok_or_else(|| failed(&"a chunk behind the last name"))?;
        let fits = part.len().min(chunk.len());
        part[..fits].copy_from_slice(&chunk[..fits]);
    }
    Ok(Some(out))
}

/// The strings that such bytes refer to; `None` where they refer to none.
pub(super) fn strings(path: &Path, references: &[u8]) -> Result<Option<Vec<String>>> {
    let mut heaps = Heaps::open(path)?;
    references.chunks_exact(REFERENCE).map(|reference| heaps.text(reference)).collect()
}

/// `n` bytes at `at`; nothing is allocated for what is not there.
fn take(file: &mut File, at: u64, n: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at)).ok()?;
    file.take(n).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == n).then_some(bytes)
}
