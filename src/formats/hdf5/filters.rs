//! Undoing the filters of a chunk, so that many chunks can be unpacked at once.

use flate2::{Decompress, FlushDecompress, Status};
use hdf5_pure::Dataset;

const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const FLETCHER32: u16 = 3;

/// The filters of a dataset, in the order in which they were applied.
pub(super) struct Pipeline {
    filters: Vec<u16>,
    element: usize,
}

impl Pipeline {
    /// `None` where a filter is not known here (the library knows more of them).
    pub fn of(dataset: &Dataset, element: usize) -> Option<Pipeline> {
        let filters = dataset.filters();
        let known = filters.iter().all(|f| [DEFLATE, SHUFFLE, FLETCHER32].contains(f));
        known.then_some(Pipeline { filters, element })
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
                _ => check_fletcher32(stored)?,
            };
        }
        if stored.len() != length {
            return Err(format!("a chunk of {} bytes where {length} are due", stored.len()));
        }
        Ok(stored)
    }
}

fn inflate(stored: &[u8], length: usize) -> Result<Vec<u8>, String> {
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
fn unshuffle(bytes: &[u8], element: usize) -> Vec<u8> {
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
