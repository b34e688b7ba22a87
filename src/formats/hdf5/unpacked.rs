//! Columns of names behind filters that the library does not know: their bytes, and strings of variable length, which lie in
//! heaps (HDF5 File Format Specification 3.0, III.E).

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use hdf5_pure::Dataset;

use super::filters::{self, Pipeline};
use super::{base, damaged};
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
    let length = usize::try_from(chunk).ok().and_then(|n| n.checked_mul(size)).filter(|n| *n <= u32::MAX as usize);
    let length = length.ok_or_else(|| failed(&format!("chunks of {chunk} names")))?;
    let mut file = File::open(path).map_err(Error::io(path, "opening"))?;
    let mut out = vec![0; n * size];
    for place in dataset.chunks().map_err(|e| failed(&e))? {
        let stored = take(&mut file, place.address, place.storage_size).ok_or_else(|| failed(&"a chunk is cut short"))?;
        let chunk = pipeline.undo(stored, place.filter_mask, length).map_err(|e| failed(&e))?;
        let start = place.offset.first().map_or(0, |at| *at as usize).saturating_mul(size);
        let part = out.get_mut(start..).ok_or_else(|| failed(&"a chunk behind the last name"))?;
        let fits = part.len().min(chunk.len());
        part[..fits].copy_from_slice(&chunk[..fits]);
    }
    Ok(Some(out))
}

/// The strings that references of 16 bytes (length, heap's address, number in it) stand for.
pub(super) fn strings(path: &Path, references: &[u8]) -> Result<Vec<String>> {
    let failed = |e: &dyn std::fmt::Display| damaged(path, e);
    let mut file = File::open(path).map_err(Error::io(path, "opening"))?;
    let base = base(path)?;
    let mut heaps: HashMap<u64, HashMap<u16, Vec<u8>>> = HashMap::new();
    let string = |reference: &[u8]| {
        let word = |at: usize, n: usize| reference[at..at + n].iter().rev().fold(0u64, |w, b| w << 8 | u64::from(*b));
        let (length, address, number) = (word(0, 4), word(4, 8), word(12, 4));
        if length == 0 {
            return Ok(String::new());
        }
        let heap = match heaps.entry(address) {
            std::collections::hash_map::Entry::Occupied(heap) => heap.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let at = base.checked_add(address);
                let heap = at.and_then(|at| heap(&mut file, at));
                place.insert(heap.ok_or_else(|| failed(&format!("no heap of names at {address}")))?)
            }
        };
        let bytes = u16::try_from(number).ok().and_then(|number| heap.get(&number)?.get(..length as usize));
        let bytes = bytes.ok_or_else(|| failed(&format!("no name {number} in the heap at {address}")))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    };
    references.chunks_exact(16).map(string).collect()
}

/// The objects of the heap at `at`, by their numbers.
fn heap(file: &mut File, at: u64) -> Option<HashMap<u16, Vec<u8>>> {
    let head = take(file, at, 16)?;
    let size = u64::from_le_bytes(head[8..16].try_into().ok()?);
    if !head.starts_with(b"GCOL") {
        return None;
    }
    let bytes = take(file, at.checked_add(16)?, size.checked_sub(16)?)?;
    let (mut objects, mut at) = (HashMap::new(), 0usize);
    while let Some(head) = bytes.get(at..at.checked_add(16)?) {
        let number = u16::from_le_bytes([head[0], head[1]]);
        let length = usize::try_from(u64::from_le_bytes(head[8..16].try_into().ok()?)).ok()?;
        if number == 0 {
            break; // what is free
        }
        objects.insert(number, bytes.get(at + 16..(at + 16).checked_add(length)?)?.to_vec());
        at = (at + 16).checked_add(length.checked_next_multiple_of(8)?)?;
    }
    Some(objects)
}

/// `n` bytes at `at`; nothing is allocated for what is not there.
fn take(file: &mut File, at: u64, n: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at)).ok()?;
    file.take(n).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == n).then_some(bytes)
}
