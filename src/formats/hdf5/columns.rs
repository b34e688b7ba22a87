//! Columns of names and labels as text: strings as they are, numbers in their shortest form, NaN empty.

use std::path::Path;

use hdf5_pure::{Dataset, Datatype, DatatypeByteOrder, Group, VlenStringReadOptions};

use super::heap::Heaps;
use super::{MOST_COMPRESSION, damaged, unpacked};
use crate::error::{Error, Result};

/// The fields of a column; `None` where its type has no plain text form or its length is another one.
pub(crate) type Column = Option<Vec<String>>;

/// A one-dimensional dataset as text; `None` where it has another length than `n` or a type that has no such form. With no
/// `n` any length is taken.
///
/// # Errors
/// [`Error::Input`] for a damaged file.
pub(crate) fn column(path: &Path, dataset: &Dataset, n: Option<usize>) -> Result<Column> {
    let failed = |e: hdf5_pure::Error| damaged(path, &e);
    let (datatype, Some(n)) = (dataset.datatype().map_err(failed)?, length(path, dataset, n)?) else {
        return Ok(None);
    };
    let unpacked = unpacked::bytes(path, dataset, n)?;
    if let Datatype::VariableLength { is_string: true, .. } = datatype {
        if let Some(references) = unpacked {
            return unpacked::strings(path, &references);
        }
        // Every string is written once: together they are no longer than the file.
        let file = path.metadata().map_err(Error::io(path, "reading"))?.len();
        let limits = VlenStringReadOptions::new().with_max_payload_bytes(file as usize);
        let fields = dataset.read_vlen_strings(limits).map_err(failed)?;
        return Ok(Some(fields).filter(|f| f.len() == n).map(|f| f.iter().map(|s| tidy(s)).collect()));
    }
    if matches!(datatype, Datatype::Compound { .. } | Datatype::Array { .. } | Datatype::Reference { .. }) {
        return Ok(None);
    }
    let bytes = unpacked.map_or_else(|| dataset.read_raw().map_err(failed), Ok)?;
    let fields = bytes.chunks_exact(datatype.type_size() as usize);
    Ok(fields.map(|bytes| field(&datatype, bytes)).collect::<Column>().filter(|f| f.len() == n))
}

/// A short dataset of integers, such as a shape.
///
/// # Errors
/// [`Error::Input`] where it is missing or holds anything else.
pub(crate) fn numbers(path: &Path, group: &Group, name: &str) -> Result<Vec<i64>> {
    let dataset = group.dataset(name).map_err(|e| damaged(path, &format!("{name}: {e}")))?;
    let fields = column(path, &dataset, None)?.unwrap_or_default();
    let numbers: Option<Vec<i64>> = fields.iter().map(|field| field.parse().ok()).collect();
    numbers.ok_or_else(|| damaged(path, &format!("{name} does not hold integers")))
}

/// The columns of a table of records (a compound type), in their order.
///
/// # Errors
/// [`Error::Input`] for a dataset that is no such table, has another number of records than `n`, or is damaged.
pub(crate) fn records(path: &Path, dataset: &Dataset, name: &str, n: usize) -> Result<Vec<(String, Column)>> {
    let failed = |e: hdf5_pure::Error| damaged(path, &e);
    let Datatype::Compound { size, members } = dataset.datatype().map_err(failed)? else {
        return Err(Error::input(path, format!("{name} is neither a group nor a table of records")));
    };
    if length(path, dataset, Some(n))?.is_none() {
        let shape = dataset.shape().map_err(failed)?;
        return Err(Error::input(path, format!("{name} has a shape of {shape:?}; {n} records are due")));
    }
    let bytes = dataset.read_raw().map_err(failed)?;
    let mut heaps = Heaps::open(path)?;
    let mut columns = Vec::new();
    for member in members {
        let range =
            member.byte_offset as usize..member.byte_offset as usize + member.datatype.type_size() as usize;
        let records =
            bytes.chunks_exact(size as usize).map(|record| record.get(range.clone()).unwrap_or(&[]));
        let fields = match member.datatype {
            // AnnData 0.6 with h5py's strings, and whatever h5py made of objects.
            Datatype::VariableLength { is_string: true, .. } => {
                records.map(|reference| heaps.text(reference)).collect::<Result<Column>>()?
            }
            datatype => records.map(|bytes| field(&datatype, bytes)).collect(),
        };
        columns.push((member.name, fields.filter(|f| f.len() == n)));
    }
    Ok(columns)
}

/// The length of a one-dimensional dataset, if it is `n` and no more than the file can hold.
fn length(path: &Path, dataset: &Dataset, n: Option<usize>) -> Result<Option<usize>> {
    let failed = |e: hdf5_pure::Error| damaged(path, &e);
    let &[found] = dataset.shape().map_err(failed)?.as_slice() else { return Ok(None) };
    let file = path.metadata().map_err(Error::io(path, "reading"))?.len();
    let bytes = found.checked_mul(dataset.element_size().map_err(failed)?.max(1));
    if bytes.is_none_or(|bytes| bytes > file.saturating_mul(MOST_COMPRESSION)) {
        return Err(damaged(path, &format!("a column claims {found} fields")));
    }
    Ok(Some(found as usize).filter(|found| n.is_none_or(|n| n == *found)))
}

/// One element as text, `None` for types without a plain form.
fn field(datatype: &Datatype, bytes: &[u8]) -> Option<String> {
    match datatype {
        Datatype::String { .. } => Some(text(bytes)),
        Datatype::FixedPoint { size, byte_order, layout } => {
            let (word, size) = (word(bytes, *byte_order)?, *size);
            let shift = 64u32.checked_sub(8 * size)?;
            Some(if layout.signed { ((word << shift) as i64 >> shift).to_string() } else { word.to_string() })
        }
        Datatype::FloatingPoint { size, byte_order, .. } => {
            let word = word(bytes, *byte_order)?;
            let shown = |x: f64, text: String| if x.is_nan() { String::new() } else { text };
            match size {
                2 => Some(half::f16::from_bits(word as u16)).map(|x| shown(x.into(), x.to_string())),
                4 => Some(f32::from_bits(word as u32)).map(|x| shown(x.into(), x.to_string())),
                8 => Some(f64::from_bits(word)).map(|x| shown(x, x.to_string())),
                _ => None,
            }
        }
        // h5py's bool is the enumeration FALSE = 0, TRUE = 1.
        Datatype::Enumeration { base_type, members, .. } => {
            let value = field(base_type, bytes)?;
            let named = |m: &&hdf5_pure::EnumMember| field(base_type, &m.value).as_deref() == Some(&value);
            Some(members.iter().find(named).map_or(value, |m| match m.name.as_str() {
                "TRUE" | "FALSE" => m.name.to_lowercase(),
                _ => m.name.clone(),
            }))
        }
        _ => None,
    }
}

/// The text of a string's bytes.
pub(super) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => tidy(text),
        // What is not UTF-8 was written as Latin-1, whose codes are Unicode's.
        Err(_) => tidy(&bytes.iter().map(|b| char::from(*b)).collect::<String>()),
    }
}

/// Up to 8 bytes as a number.
fn word(bytes: &[u8], order: DatatypeByteOrder) -> Option<u64> {
    let mut word = [0; 8];
    let word_bytes = word.get_mut(..bytes.len())?;
    word_bytes.copy_from_slice(bytes);
    match order {
        DatatypeByteOrder::LittleEndian => {}
        DatatypeByteOrder::BigEndian => word_bytes.reverse(),
        DatatypeByteOrder::Vax => return None,
    }
    Some(u64::from_le_bytes(word))
}

/// Without the padding of fixed-length strings.
fn tidy(text: &str) -> String {
    text.split('\0').next().unwrap_or_default().trim().to_string()
}

/// A string attribute, of whichever string type.
pub(crate) fn text_attribute(group: &Group, name: &str) -> Option<String> {
    group.attrs().ok()?.remove(name)?.as_str().map(str::to_string)
}

/// A list of strings, of whichever string type.
pub(crate) fn list_attribute(group: &Group, name: &str) -> Option<Vec<String>> {
    group.attrs().ok()?.remove(name)?.as_strings().map(<[String]>::to_vec)
}

/// A list of counts, of whichever integer type.
pub(crate) fn attribute_numbers(group: &Group, name: &str) -> Option<Vec<u64>> {
    let value = group.attrs().ok()?.remove(name)?;
    value.to_u64s().or_else(|| value.to_i64s()?.into_iter().map(|n| u64::try_from(n).ok()).collect())
}
