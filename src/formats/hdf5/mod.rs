//! What the formats inside HDF5 share: the file through `hdf5-pure`, opened for streaming, arrays of numbers a
//! block at a time, and columns of names.

mod array;
mod blosc;
mod columns;
mod dense;
mod filters;
mod gather;
mod heap;
mod kind;
mod source;
mod sparse;
mod tables;
mod unpacked;

use std::path::Path;

use hdf5_pure::File;

pub(super) use columns::{
    Column, attribute_numbers, column, list_attribute, numbers, records, text_attribute,
};
pub(super) use dense::Dense;
pub(super) use kind::kind;
pub(super) use sparse::Sparse;
pub(super) use tables::{Named, attributes, group, left_out};

use crate::error::{Error, Result};

/// The best that deflate can do: 1 byte for 1032. What a file claims to hold beyond that is damage.
const MOST_COMPRESSION: u64 = 1032;

/// Values of a block, in bytes of the file's type. More of them cost page faults: 32 MiB took a fifth longer.
const BLOCK: u64 = 8 << 20;

/// Bytes of a block where an import may hold `memory` bytes.
fn block(memory: usize) -> u64 {
    BLOCK.min(memory as u64 / 64)
}

/// The signature stands at 0, or after a user block of 512, 1024 or 2048 bytes (mudata and MATLAB write one of 512).
pub(super) fn magic(start: &[u8]) -> bool {
    signature(start).is_some()
}

/// Where the signature stands in the first 4 KiB.
fn signature(start: &[u8]) -> Option<usize> {
    let stands = |at: &usize| start.get(*at..).is_some_and(|rest| rest.starts_with(b"\x89HDF\r\n\x1a\n"));
    [0, 512, 1024, 2048].into_iter().find(stands)
}

/// Opens a file whose length is at least what its header tells.
///
/// # Errors
/// [`Error::Input`] for a file that is cut short or whose header cannot be read.
pub(super) fn open(path: &Path) -> Result<File> {
    let file = std::fs::File::open(path).map_err(Error::io(path, "opening"))?;
    let start = super::read_start(&mut &file, 4096).map_err(Error::io(path, "reading"))?;
    let length = file.metadata().map_err(Error::io(path, "reading"))?.len();
    if let Some(whole) = told_length(&start).filter(|&whole| whole > length) {
        return Err(Error::input(
            path,
            format!(
                "the HDF5 file is cut short: its header tells of {whole} bytes, {length} are there; copy or download it \
                 again"
            ),
        ));
    }
    File::from_source(source::Cached::new(file, length)).map_err(|e| damaged(path, &e))
}

/// Where the superblock (HDF5 File Format Specification 3.0, II.A) tells the base address and the end of the file; `None`
/// where its addresses are no words of 8 bytes.
fn superblock(start: &[u8]) -> Option<(u64, u64)> {
    let start = &start[signature(start)?..];
    let (offset_size, base, end) = match *start.get(8)? {
        0 => (*start.get(13)?, 24, 40),
        1 => (*start.get(13)?, 28, 44),
        2 | 3 => (*start.get(9)?, 12, 28),
        _ => return None,
    };
    let word = |at: usize| Some(u64::from_le_bytes(start.get(at..at + 8)?.try_into().ok()?));
    if offset_size == 8 { word(base).zip(word(end)) } else { None }
}

/// From where the file's addresses count.
fn base_address(start: &[u8]) -> Option<u64> {
    superblock(start).map(|(base, _)| base)
}

/// The end of the file by its superblock, which the library writes as it counts from the file's start.
fn told_length(start: &[u8]) -> Option<u64> {
    superblock(start).map(|(_, end)| end)
}

/// What an error of the library means to the user.
pub(super) fn damaged(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::input(
        path,
        format!(
            "the HDF5 file cannot be read ({error}); it may be cut short, damaged, or of a newer \
         HDF5 than is read here"
        ),
    )
}
