//! Checksums of changed files made right again, so that changes get past them: members of zip archives, the top and the
//! objects of HDF5 files, tables with a description beside them, `prepare.json`. Models and descriptions are fed without
//! their own checksum, which readers accept.

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// The bytes with the checksums that their format has; what is none of these formats stays.
pub fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"PK\x03\x04") {
        zip(&mut bytes);
    } else if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        hdf5(&mut bytes);
    }
    bytes
}

/// As descriptions have it.
pub fn xxh3(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

/// The description of a table of these bytes.
pub fn description(table: &[u8]) -> String {
    let rows = table.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1);
    serde_json::json!({
        "format": "genelift table", "genelift": "0", "rows": rows, "bytes": table.len(), "xxh3": xxh3(table),
        "made-from": [], "about": {},
    })
    .to_string()
}

/// A store's description that says that its `prepare.json` has these bytes.
pub fn of_parameters(description: &[u8], parameters: &[u8]) -> String {
    let mut value: Value = serde_json::from_slice(description).expect("a store's description");
    value["checksums"]["parameters"] = xxh3(parameters).into();
    value.as_object_mut().expect("an object").remove("own-xxh3");
    value.to_string()
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let digits = bytes.get(at..at + length)?.iter().rev();
    Some(digits.fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

fn set(bytes: &mut [u8], at: usize, sum: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

/// CRC-32 of every member that the directory at the end names.
fn zip(bytes: &mut [u8]) {
    let Some(end) = bytes.windows(4).rposition(|word| word == b"PK\x05\x06") else { return };
    let mut at = number(bytes, end + 16, 4).unwrap_or(end);
    while bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02")) {
        let Some(crc) = member(bytes, at) else { return };
        set(bytes, at + 16, crc);
        let lengths = [28, 30, 32].map(|place| number(bytes, at + place, 2).unwrap_or(0));
        at += 46 + lengths.iter().sum::<usize>();
    }
}

/// Of what is unpacked of a member, at most 16 MiB.
fn member(bytes: &[u8], at: usize) -> Option<u32> {
    let (method, packed, header) =
        (number(bytes, at + 10, 2)?, number(bytes, at + 20, 4)?, number(bytes, at + 42, 4)?);
    let start = header + 30 + number(bytes, header + 26, 2)? + number(bytes, header + 28, 2)?;
    let inside = bytes.get(start..start.checked_add(packed)?)?;
    let mut out = flate2::CrcWriter::new(std::io::sink());
    let mut input: Box<dyn std::io::Read> = match method {
        8 => Box::new(flate2::read::DeflateDecoder::new(inside)),
        _ => Box::new(inside),
    };
    let _ = std::io::copy(&mut std::io::Read::take(&mut input, 16 << 20), &mut out);
    Some(out.crc().sum())
}

/// The superblock of version 2 and 3 and object headers of version 2
/// (HDF5 File Format Specification Version 3.0, II.A and IV.A.1.b).
fn hdf5(bytes: &mut [u8]) {
    if matches!(bytes.get(8), Some(2 | 3)) && bytes.len() > 48 {
        let sum = lookup3(&bytes[..44]);
        set(bytes, 44, sum);
    }
    let objects: Vec<usize> =
        bytes.windows(5).enumerate().filter(|(_, word)| *word == b"OHDR\x02").map(|(at, _)| at).collect();
    for at in objects {
        let Some(end) = object_end(bytes, at).filter(|end| *end <= bytes.len()) else { continue };
        let sum = lookup3(&bytes[at..end]);
        set(bytes, end, sum);
    }
}

fn object_end(bytes: &[u8], at: usize) -> Option<usize> {
    let flags = *bytes.get(at + 5)?;
    let times = if flags & 0x20 != 0 { 16 } else { 0 };
    let phases = if flags & 0x10 != 0 { 4 } else { 0 };
    let width = 1 << (flags & 3);
    let sizes = at + 6 + times + phases;
    (sizes + width).checked_add(number(bytes, sizes, width)?)
}

/// Bob Jenkins' `hashlittle` with the seed 0 (<http://burtleburtle.net/bob/c/lookup3.c>).
pub fn lookup3(bytes: &[u8]) -> u32 {
    let mut state = [0xdead_beef_u32.wrapping_add(bytes.len() as u32); 3];
    let pieces: Vec<&[u8]> = bytes.chunks(12).collect();
    for (i, piece) in pieces.iter().enumerate() {
        for (word, four) in state.iter_mut().zip(piece.chunks(4)) {
            *word = word.wrapping_add(number(four, 0, four.len()).unwrap_or(0) as u32);
        }
        if i + 1 < pieces.len() { mix(&mut state) } else { last(&mut state) }
    }
    state[2]
}

fn mix([a, b, c]: &mut [u32; 3]) {
    let step = |x: &mut u32, y: &mut u32, z: u32, by: u32| {
        *x = x.wrapping_sub(*y) ^ y.rotate_left(by);
        *y = y.wrapping_add(z);
    };
    step(a, c, *b, 4);
    step(b, a, *c, 6);
    step(c, b, *a, 8);
    step(a, c, *b, 16);
    step(b, a, *c, 19);
    step(c, b, *a, 4);
}

fn last([a, b, c]: &mut [u32; 3]) {
    let step = |x: &mut u32, y: u32, by: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(by));
    step(c, *b, 14);
    step(a, *c, 11);
    step(b, *a, 25);
    step(c, *b, 16);
    step(a, *c, 4);
    step(b, *a, 14);
    step(c, *b, 24);
}
