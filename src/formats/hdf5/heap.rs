//! Strings of variable length inside records: each record holds their length and where they lie in a global heap (HDF5 File
//! Format Specification 3.0, III.E). The library reads such strings only where they are a dataset of their own.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::damaged;
use crate::error::{Error, Result};

/// What a record holds of a string: its length, the heap's address, its number there.
pub(super) const REFERENCE: usize = 16;

/// The heaps of a file, each read once.
pub(super) struct Heaps {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Addresses count from here.
    base: u64,
    read: HashMap<u64, Objects>,
}

/// The objects of one heap by their numbers.
type Objects = HashMap<u16, Vec<u8>>;

/// The little-endian number of `N` bytes at `at`.
fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let mut word = [0; 8];
    word[..N].copy_from_slice(bytes.get(at..at.checked_add(N)?)?);
    Some(u64::from_le_bytes(word))
}

impl Heaps {
    pub fn open(path: &Path) -> Result<Heaps> {
        let mut file = File::open(path).map_err(Error::io(path, "opening"))?;
        let bytes = file.metadata().map_err(Error::io(path, "reading"))?.len();
        let mut start = Vec::new();
        (&mut file).take(4096).read_to_end(&mut start).map_err(Error::io(path, "reading"))?;
        let base = super::base_address(&start).unwrap_or(0);
        Ok(Heaps { path: path.to_path_buf(), file, bytes, base, read: HashMap::new() })
    }

    /// The string that a record refers to; `None` for a reference that cannot be one.
    ///
    /// # Errors
    /// [`Error::Input`] for a heap that is not where it should be.
    pub fn text(&mut self, reference: &[u8]) -> Result<Option<String>> {
        let parts = word::<4>(reference, 0).zip(word::<8>(reference, 4)).zip(word::<4>(reference, 12));
        let Some(((length, address), number)) = parts.filter(|_| reference.len() == REFERENCE) else {
            return Ok(None);
        };
        if length == 0 || address == 0 || address == u64::MAX {
            return Ok(Some(String::new()));
        }
        if !self.read.contains_key(&address) {
            let objects = self.objects(address)?;
            self.read.insert(address, objects);
        }
        let object = u16::try_from(number).ok().and_then(|number| self.read[&address].get(&number));
        let text = object.and_then(|object| object.get(..length as usize));
        let Some(text) = text else {
            let message =
                format!("a record refers to string {number} of the heap at {address}, which is not there");
            return Err(damaged(&self.path, &message));
        };
        Ok(Some(super::columns::text(text)))
    }

    /// The objects of the heap at `address`.
    fn objects(&mut self, address: u64) -> Result<Objects> {
        let heap = self.heap(address)?;
        let mut objects = Objects::new();
        let (mut at, header) = (16, 16);
        while let Some((number, size)) = word::<2>(&heap, at).zip(word::<8>(&heap, at + 8)) {
            // Number 0 is the free space at the end.
            let Some(object) =
                heap.get(at + header..).and_then(|rest| rest.get(..usize::try_from(size).ok()?))
            else {
                break;
            };
            if number == 0 {
                break;
            }
            objects.insert(number as u16, object.to_vec());
            at += header + object.len().next_multiple_of(8);
        }
        Ok(objects)
    }

    /// The bytes of the heap at `address`: the signature, a version, its size, objects.
    fn heap(&mut self, address: u64) -> Result<Vec<u8>> {
        let there = self.base.checked_add(address).filter(|at| *at < self.bytes);
        let no_heap = || damaged(&self.path, &format!("there is no heap of strings at {address}"));
        let at = there.ok_or_else(no_heap)?;
        let mut start = [0; 16];
        let mut read = |bytes: &mut [u8]| {
            self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(bytes)).is_ok()
        };
        let told = (read(&mut start) && start.starts_with(b"GCOL")).then(|| word::<8>(&start, 8)).flatten();
        let size = told.filter(|size| *size >= 16 && *size <= self.bytes - at).ok_or_else(no_heap)?;
        let mut heap = vec![0; size as usize];
        if read(&mut heap) { Ok(heap) } else { Err(no_heap()) }
    }
}
