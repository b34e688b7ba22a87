//! Blosc 1 (<https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>): a chunk in blocks, each shuffled and packed by
//! one of several codecs.

use super::filters::{all, inflate, lz4, unshuffle};
use crate::formats::compressed;

/// Flags of the header: shuffled by bytes, stored, shuffled by bits, blocks not split; the codec in the upper three bits.
const SHUFFLED: u8 = 1;
const STORED: u8 = 2;
const BITS: u8 = 4;
const WHOLE: u8 = 16;

/// The codecs, by number.
const CODECS: [&str; 5] = ["blosclz", "lz4", "snappy", "zlib", "zstd"];

/// The `length` bytes of a chunk.
///
/// # Errors
/// What is broken, or what is not undone here.
pub(super) fn unpack(stored: &[u8], length: usize) -> Result<Vec<u8>, String> {
    let wrong = || "a chunk does not unpack: broken Blosc".to_string();
    let word = |at: usize| {
        let bytes = stored.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let (&flags, &size) = stored.get(2).zip(stored.get(3)).ok_or_else(wrong)?;
    let (total, block) = word(4).zip(word(8)).ok_or_else(wrong)?;
    if total != length {
        return Err(wrong());
    }
    if flags & STORED != 0 {
        return stored.get(16..16 + length).map(<[u8]>::to_vec).ok_or_else(wrong);
    }
    if block == 0 || size == 0 {
        return Err(wrong());
    }
    if flags & BITS != 0 {
        return Err("is packed by Blosc with its bits shuffled; write it with byte shuffle or gzip".into());
    }
    let codec = CODECS.get(usize::from(flags >> 5)).copied().unwrap_or("another codec");
    let size = usize::from(size);
    let mut out = Vec::new();
    for (number, first) in (0..total).step_by(block).enumerate() {
        let due = block.min(total - first);
        // Blosc splits a block into the bytes of its elements, where it is whole and not too small.
        let parts =
            if flags & WHOLE == 0 && due == block && size <= 16 && block / size >= 128 { size } else { 1 };
        let mut at = word(16 + 4 * number).ok_or_else(wrong)?;
        let mut bytes = Vec::new();
        for _ in 0..parts {
            let packed = word(at).ok_or_else(wrong)?;
            let part = stored.get(at + 4..(at + 4).saturating_add(packed)).ok_or_else(wrong)?;
            bytes.extend(if packed == due / parts {
                part.to_vec()
            } else {
                codec_of(codec, part, due / parts)?
            });
            at += 4 + packed;
        }
        out.extend(if flags & SHUFFLED != 0 && size > 1 { unshuffle(&bytes, size) } else { bytes });
    }
    if out.len() == length { Ok(out) } else { Err(wrong()) }
}

/// One part, unpacked.
fn codec_of(codec: &str, part: &[u8], length: usize) -> Result<Vec<u8>, String> {
    match codec {
        "blosclz" => unblosclz(part, length).ok_or_else(|| "a chunk does not unpack: broken BloscLZ".into()),
        "lz4" => lz4(part, length),
        "zlib" => inflate(part, length),
        "zstd" => all(compressed::zstd(part), length),
        _ => Err(format!(
            "is packed by Blosc with {codec}; blosclz, lz4, zlib and zstd are read in it; write it with one of these or gzip"
        )),
    }
}

/// The farthest that a copy of BloscLZ reaches back in its short form.
const NEAR: usize = 8191;

/// BloscLZ, a kin of FastLZ: runs of literals, and copies of what came before.
fn unblosclz(part: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut bytes = part.iter().map(|b| usize::from(*b));
    let mut out = Vec::new();
    let mut control = bytes.next()? & 31;
    loop {
        if control >= 32 {
            let (mut n, high) = ((control >> 5) - 1, (control & 31) << 8);
            if n == 6 {
                loop {
                    let more = bytes.next()?;
                    n += more;
                    if more != 255 {
                        break;
                    }
                }
            }
            let low = bytes.next()?;
            let mut back = high + low;
            if low == 255 && high == 31 << 8 {
                back = (bytes.next()? << 8) + bytes.next()? + NEAR;
            }
            let from = out.len().checked_sub(back + 1)?;
            if out.len() + n + 3 > length {
                return None;
            }
            (from..from + n + 3).for_each(|at| out.push(out[at]));
        } else {
            for _ in 0..=control {
                out.push(bytes.next()? as u8);
            }
        }
        match bytes.next() {
            Some(next) => control = next,
            None => return Some(out).filter(|out| out.len() == length),
        }
    }
}
