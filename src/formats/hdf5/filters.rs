//! Undoing the filters of a chunk, so that many chunks can be unpacked at once.

use std::io::Read;

use flate2::{Decompress, FlushDecompress, Status};
use hdf5_pure::Dataset;

use super::blosc;
use crate::formats::compressed;

// Numbers of the HDF5 format and of the registry of filters (<https://github.com/HDFGroup/hdf5_plugins>).
const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const FLETCHER32: u16 = 3;
const BZIP2: u16 = 307;
const LZF: u16 = 32000;
const BLOSC: u16 = 32001;
const LZ4: u16 = 32004;
const ZSTD: u16 = 32015;

/// Filters that are undone here.
const KNOWN: [u16; 8] = [DEFLATE, SHUFFLE, FLETCHER32, BZIP2, LZF, BLOSC, LZ4, ZSTD];

/// Filters that the library undoes: beside three of the above and LZF, scale-offset.
const LIBRARY: [u16; 5] = [DEFLATE, SHUFFLE, FLETCHER32, 6, LZF];

/// Names of the others that are met.
const NAMES: [(u16, &str); 7] = [
    (4, "szip"),
    (5, "n-bit"),
    (32008, "bitshuffle"),
    (32013, "ZFP"),
    (32017, "SZ"),
    (32023, "Granular BitRound"),
    (32026, "Blosc 2"),
];

/// Whether the library undoes a filter by itself.
pub(super) fn of_library(filter: u16) -> bool {
    LIBRARY.contains(&filter)
}

/// The filters of a dataset, in the order in which they were applied.
pub(super) struct Pipeline {
    filters: Vec<u16>,
    element: usize,
}

impl Pipeline {
    /// `None` where the library has to undo a filter.
    ///
    /// # Errors
    /// Filters that nobody here undoes, and what to do.
    pub fn of(dataset: &Dataset, element: usize) -> Result<Option<Pipeline>, String> {
        let filters = dataset.filters();
        if filters.iter().all(|f| KNOWN.contains(f)) {
            return Ok(Some(Pipeline { filters, element }));
        }
        let Some(unknown) = filters.iter().find(|f| !KNOWN.contains(f) && !of_library(**f)) else {
            return match filters.iter().all(|f| of_library(*f)) {
                true => Ok(None),
                false => Err(format!("filters {filters:?} are not undone together; {REPACK}")),
            };
        };
        let name = NAMES.iter().find(|(number, _)| number == unknown);
        let name =
            name.map_or(format!("filter {unknown}"), |(number, name)| format!("{name} (filter {number})"));
        Err(format!("is packed by {name}; gzip, lzf, zstd, lz4, bzip2 and Blosc are read; {REPACK}"))
    }

    /// The bytes of a chunk of `length` bytes from the `stored` ones; bit i of `mask` says that filter i was left out.
    ///
    /// # Errors
    /// What is wrong with the bytes. Nothing larger than `length` is allocated.
    pub fn undo(&self, mut stored: Vec<u8>, mask: u32, length: usize) -> Result<Vec<u8>, String> {
        let applied = |i: &usize| *i >= 32 || mask >> i & 1 == 0;
        let places: Vec<usize> = (0..self.filters.len()).filter(applied).collect();
        for (at, &place) in places.iter().enumerate().rev() {
            // What this filter was given: the chunk, and 4 bytes for every checksum put behind it before.
            let sums = places[..at].iter().filter(|&&p| self.filters[p] == FLETCHER32).count();
            stored = match self.filters[place] {
                DEFLATE => inflate(&stored, length + 4 * sums)?,
                SHUFFLE => unshuffle(&stored, self.element),
                BZIP2 => all(bzip2::bufread::MultiBzDecoder::new(&stored[..]), length + 4 * sums)?,
                ZSTD => all(compressed::zstd(&stored[..]), length + 4 * sums)?,
                LZF => unlzf(&stored, length + 4 * sums)?,
                LZ4 => unlz4(&stored, length + 4 * sums)?,
                BLOSC => blosc::unpack(&stored, length + 4 * sums)?,
                _ => check_fletcher32(stored)?,
            };
        }
        if stored.len() != length {
            return Err(format!("a chunk of {} bytes where {length} are due", stored.len()));
        }
        Ok(stored)
    }
}

/// What to do about a filter that is not undone.
const REPACK: &str = "write the file with gzip, or repack it: h5repack -f GZIP=4 FILE matrix.h5";

/// `length` bytes out of a stream that must end there.
pub(super) fn all(input: impl Read, length: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let read = input.take(length as u64 + 1).read_to_end(&mut out);
    read.map_err(|e| format!("a chunk does not unpack: {e}"))?;
    if out.len() != length {
        return Err(format!("a chunk unpacks to {} bytes where {length} are due", out.len()));
    }
    Ok(out)
}

/// LZF (<http://oldhome.schmorp.de/marc/liblzf.html>): runs of literals, and copies of what came before.
fn unlzf(mut stored: &[u8], length: usize) -> Result<Vec<u8>, String> {
    let wrong = || "a chunk does not unpack: broken LZF".to_string();
    let mut next = |n: usize| {
        let (now, rest) = stored.split_at_checked(n)?;
        stored = rest;
        Some(now)
    };
    let mut out = Vec::new();
    while let Some(control) = next(1).map(|b| usize::from(b[0])) {
        if control < 32 {
            out.extend_from_slice(next(control + 1).ok_or_else(wrong)?);
        } else {
            let mut n = control >> 5;
            if n == 7 {
                n += usize::from(next(1).ok_or_else(wrong)?[0]);
            }
            let back = (control & 31) << 8 | usize::from(next(1).ok_or_else(wrong)?[0]);
            let from = out.len().checked_sub(back + 1).ok_or_else(wrong)?;
            // Copies may overlap what they write.
            (from..from + n + 2).for_each(|at| out.push(out[at]));
        }
        if out.len() > length {
            return Err(wrong());
        }
    }
    if out.len() == length { Ok(out) } else { Err(wrong()) }
}

/// Blocks of LZ4 behind the length of all and of a block, big-endian; a block as long as it unpacks to is stored.
fn unlz4(stored: &[u8], length: usize) -> Result<Vec<u8>, String> {
    let wrong = || "a chunk does not unpack: broken LZ4".to_string();
    let word = |at: usize, n: usize| {
        let bytes = stored.get(at..at.checked_add(n)?)?;
        Some(bytes.iter().fold(0usize, |word, b| word << 8 | usize::from(*b)))
    };
    let (total, block) = word(0, 8).zip(word(8, 4)).filter(|w| w.0 == length && w.1 > 0).ok_or_else(wrong)?;
    let (mut out, mut at) = (Vec::new(), 12);
    while out.len() < total {
        let due = block.min(total - out.len());
        let packed = word(at, 4).ok_or_else(wrong)?;
        let bytes = stored.get(at + 4..(at + 4).saturating_add(packed)).ok_or_else(wrong)?;
        match packed == due {
            true => out.extend_from_slice(bytes),
            false => out.extend(lz4(bytes, due)?),
        }
        at += 4 + packed;
    }
    Ok(out)
}

/// A block of LZ4 of `length` bytes.
pub(super) fn lz4(bytes: &[u8], length: usize) -> Result<Vec<u8>, String> {
    if length / 256 > bytes.len() {
        return Err(format!("{} bytes cannot unpack to {length}", bytes.len()));
    }
    let out =
        lz4_flex::block::decompress(bytes, length).map_err(|e| format!("a chunk does not unpack: {e}"))?;
    if out.len() == length {
        Ok(out)
    } else {
        Err(format!("{} bytes of LZ4 where {length} are due", out.len()))
    }
}

pub(super) fn inflate(stored: &[u8], length: usize) -> Result<Vec<u8>, String> {
    if length / super::MOST_COMPRESSION as usize > stored.len() {
        return Err(format!("{} bytes cannot unpack to {length}", stored.len()));
    }
    let mut out = Vec::with_capacity(length);
    let mut state = Decompress::new(true);
    match state.decompress_vec(stored, &mut out, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) if out.len() == length => Ok(out),
        Ok(_) => Err(format!("a deflated chunk of {} bytes where {length} are due", state.total_out())),
        Err(e) => Err(format!("a chunk does not unpack: {e}")),
    }
}

/// Byte i of every element lies together; a rest that is no whole element stays where it is.
pub(super) fn unshuffle(bytes: &[u8], element: usize) -> Vec<u8> {
    let n = bytes.len() / element;
    let mut out = bytes.to_vec();
    match element {
        4 => {
            let (a, rest) = bytes.split_at(n);
            let (b, rest) = rest.split_at(n);
            let (c, d) = rest.split_at(n);
            for (i, word) in out.chunks_exact_mut(4).enumerate() {
                word.copy_from_slice(&[a[i], b[i], c[i], d[i]]);
            }
        }
        _ => {
            for (i, word) in out.chunks_exact_mut(element).enumerate() {
                for (k, byte) in word.iter_mut().enumerate() {
                    *byte = bytes[k * n + i];
                }
            }
        }
    }
    out
}

/// Fletcher's sums over 16-bit big-endian words (`H5_checksum_fletcher32`), stored behind the bytes.
fn check_fletcher32(mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let Some(at) = bytes.len().checked_sub(4) else {
        return Err("a chunk is shorter than its checksum".into());
    };
    let (mut low, mut high) = (0u32, 0u32);
    let words = bytes[..at].chunks(2).map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |b| u32::from(*b)));
    for word in words {
        low = (low + word) % 65535;
        high = (high + low) % 65535;
    }
    // The library folds its sums, which may leave 65535 where the remainder is 0.
    let stored = u32::from_le_bytes(bytes[at..].try_into().expect("4 bytes"));
    if (stored & 0xffff) % 65535 != low || (stored >> 16) % 65535 != high {
        return Err("the checksum of a chunk is wrong".into());
    }
    bytes.truncate(at);
    Ok(bytes)
}
