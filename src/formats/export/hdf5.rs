//! HDF5 with a matrix of any size: `hdf5-pure` makes the file with a matrix of one value, and that dataset is then told its
//! true shape and place, behind all else, where the rows are written as they come. So memory is that of the names.

use std::io::{Error, Result, Write};

use hdf5_pure::{AttrValue, DatasetBuilder, File, FileBuilder, Layout};

use super::Done;
use crate::formats::names::settle_columns;
use crate::genes::Table;
use crate::store::Store;

/// Where the values begin: a multiple of this.
const ALIGN: usize = 4096;

/// Makes a dataset the matrix of f32 whose values [`write`] puts behind all else.
pub(super) fn placeholder(dataset: &mut DatasetBuilder) -> &mut DatasetBuilder {
    dataset.with_f32_data(&[0.0]).with_shape(&[1, 1])
}

/// Writes `file`, whose dataset `matrix` is a [`placeholder`], with the store's values, samples × genes.
///
/// # Errors
/// What `out` refuses, and names that HDF5 cannot hold.
pub(super) fn write(
    file: FileBuilder,
    matrix: &str,
    store: &Store,
    out: &mut dyn Write,
    done: &Done,
) -> Result<()> {
    let mut head = file.finish().map_err(Error::other)?;
    let opened = File::from_bytes(head.clone()).map_err(Error::other)?;
    let layout = opened.dataset(matrix).and_then(|dataset| dataset.layout()).map_err(Error::other)?;
    let Layout::Contiguous { address: Some(address), size } = layout else {
        return Err(Error::other(format!("{matrix} lies as {layout:?}, not in one piece")));
    };
    let shape = [store.n_samples() as u64, store.n_genes() as u64];
    let start = head.len().next_multiple_of(ALIGN);
    relocate(&mut head, [address, size], start as u64, shape)
        .ok_or_else(|| Error::other(format!("the header of {matrix} is not as expected")))?;
    head.resize(start, 0);
    out.write_all(&head)?;
    let mut row = vec![0.0f32; store.n_genes()];
    for sample in 0..store.n_samples() {
        store.read_row(sample, &mut row);
        row.iter_mut().for_each(|x| *x = f32::from_bits(x.to_bits().to_le()));
        out.write_all(bytemuck::cast_slice(&row))?;
        done(sample + 1)?;
    }
    Ok(())
}

/// Moves the f32 dataset of one value at `old` (address, size) to `start`, with `shape`, and the end of the file behind it.
/// Layouts by the HDF5 File Format Specification 3.0: superblock II.A, object header IV.A.1.b, dataspace IV.A.2.b, layout
/// IV.A.2.i. `None` where the bytes are others than expected.
fn relocate(file: &mut [u8], old: [u64; 2], start: u64, shape: [u64; 2]) -> Option<()> {
    let size = shape[0].checked_mul(shape[1])?.checked_mul(4)?;
    let bytes = |words: [u64; 2]| words.map(u64::to_le_bytes).concat();
    let place = find(file, &bytes(old))?;
    let header = file[..place].windows(4).rposition(|w| w == b"OHDR")?;
    let flags = *file.get(header + 5)?;
    let mut at = header + 6 + if flags & 0x20 != 0 { 16 } else { 0 } + if flags & 0x10 != 0 { 4 } else { 0 };
    let width = 1 << (flags & 3);
    let mut length = [0; 8];
    length[..width].copy_from_slice(file.get(at..at + width)?);
    at += width;
    let end = at + u64::from_le_bytes(length) as usize;
    let (mut shaped, mut placed) = (false, false);
    while at + 4 <= end {
        let (kind, length) = (file[at], usize::from(u16::from_le_bytes([file[at + 1], file[at + 2]])));
        at += if flags & 4 != 0 { 6 } else { 4 };
        let body = file.get_mut(at..at + length)?;
        match (kind, &*body) {
            // Version, rank, whether the largest extents follow.
            (0x01, [2, 2, limits, ..]) => {
                let copies = if limits & 1 == 1 { 2 } else { 1 };
                body.get_mut(4..4 + 16 * copies)?.copy_from_slice(&bytes(shape).repeat(copies));
                shaped = true;
            }
            (0x08, [3 | 4, 1, rest @ ..]) if rest.starts_with(&bytes(old)) => {
                body[2..18].copy_from_slice(&bytes([start, size]));
                placed = true;
            }
            _ => {}
        }
        at += length;
    }
    let sum = lookup3(file.get(header..end)?);
    file.get_mut(end..end + 4)?.copy_from_slice(&sum.to_le_bytes());

    let superblock = file.get_mut(..48)?;
    let known = superblock[8] == 2 || superblock[8] == 3;
    superblock[28..36].copy_from_slice(&(start + size).to_le_bytes());
    let sum = lookup3(&superblock[..44]);
    superblock[44..48].copy_from_slice(&sum.to_le_bytes());
    (shaped && placed && known).then_some(())
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|w| w == pattern)
}

/// Bob Jenkins's lookup3 (`hashlittle`, 2006, public domain), the checksum of HDF5's metadata.
fn lookup3(bytes: &[u8]) -> u32 {
    let [mut a, mut b, mut c] = [0xdead_beefu32.wrapping_add(bytes.len() as u32); 3];
    let mut rest = bytes;
    while !rest.is_empty() {
        let (block, after) = rest.split_at(rest.len().min(12));
        let mut padded = [0; 12];
        padded[..block.len()].copy_from_slice(block);
        let word = |i: usize| u32::from_le_bytes(padded[4 * i..4 * i + 4].try_into().expect("4 bytes"));
        a = a.wrapping_add(word(0));
        b = b.wrapping_add(word(1));
        c = c.wrapping_add(word(2));
        rest = after;
        if rest.is_empty() {
            for (x, y, turn) in
                [(2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)]
            {
                let mut words = [a, b, c];
                words[x] = (words[x] ^ words[y]).wrapping_sub(words[y].rotate_left(turn));
                [a, b, c] = words;
            }
            break;
        }
        for (x, y, z, turn) in
            [(0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4)]
        {
            let mut words = [a, b, c];
            words[x] = words[x].wrapping_sub(words[y]) ^ words[y].rotate_left(turn);
            words[y] = words[y].wrapping_add(words[z]);
            [a, b, c] = words;
        }
    }
    c
}

/// The columns of a table under names that a link can have: no `/`, not empty, all different from each other and the ids'.
pub(super) fn linkable(table: &Table, key: &str) -> Table {
    let mut table = table.clone();
    for (name, _) in &mut table.columns {
        *name = name.replace('/', "_");
        if name.is_empty() || name == "." {
            *name = "column".into();
        }
    }
    settle_columns(&mut table, key);
    table
}

/// A column with the type that gives its text back.
pub(super) enum Typed {
    Integers(Vec<i64>),
    /// Empty fields are NaN.
    Floats(Vec<f64>),
    Text,
}

/// The narrowest type that gives every field of a column back as it is written.
pub(super) fn typed(fields: &[String]) -> Typed {
    let integers: Option<_> =
        fields.iter().map(|f| f.parse::<i64>().ok().filter(|x| x.to_string() == *f)).collect();
    if let Some(integers) = integers {
        return Typed::Integers(integers);
    }
    let number = |field: &String| match field.as_str() {
        "" => Some(f64::NAN),
        _ => field.parse::<f64>().ok().filter(|x| x.is_finite() && x.to_string() == *field),
    };
    match fields.iter().map(number).collect::<Option<Vec<f64>>>() {
        Some(floats) if !floats.iter().all(|x| x.is_nan()) => Typed::Floats(floats),
        _ => Typed::Text,
    }
}

/// A string attribute as h5py writes it.
pub(super) fn text(value: &str) -> AttrValue {
    AttrValue::VarLenString(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup3_is_that_of_its_author() {
        // The examples in Jenkins's lookup3.c, driver5.
        assert_eq!(lookup3(b""), 0xdead_beef);
        assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
    }

    #[test]
    fn columns_get_the_type_that_gives_them_back() {
        let fields = |texts: &[&str]| texts.iter().map(|t| t.to_string()).collect::<Vec<_>>();
        assert!(matches!(typed(&fields(&["1", "-2"])), Typed::Integers(v) if v == [1, -2]));
        assert!(
            matches!(typed(&fields(&["1", "", "2.5"])), Typed::Floats(v) if v[2] == 2.5 && v[1].is_nan())
        );
        for kept in [&["007", "1"][..], &["1e5", "2"], &["+1"], &["a", ""], &["", ""], &["NaN", "1"]] {
            assert!(matches!(typed(&fields(kept)), Typed::Text), "{kept:?}");
        }
    }
}
