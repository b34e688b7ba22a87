//! What GCTX and h5ad share: HDF5 through `hdf5-pure`, opened for streaming, so that memory is that of a block.

use std::path::{Path, PathBuf};

use hdf5_pure::{AttrValue, DType, Dataset, File, Group};

use super::Blocks;
use crate::error::{Error, Result};

/// Values read at a time, in bytes of the file's type.
const BLOCK: u64 = 32 << 20;

/// The best that deflate can do: 1 byte for 1032.
const MOST_COMPRESSION: u64 = 1032;

/// The signature stands at 0, or after a user block of 512 bytes or more (which nobody writes here).
pub(super) fn magic(start: &[u8]) -> bool {
    start.starts_with(b"\x89HDF\r\n\x1a\n")
}

pub(super) fn open(path: &Path) -> Result<File> {
    File::open_streaming(path).map_err(|e| damaged(path, &e))
}

/// What an error of the library means to the user.
pub(super) fn damaged(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::input(path, format!("the HDF5 file cannot be read ({error}); it may be truncated or damaged"))
}

/// Which of the formats an HDF5 file is.
pub(super) fn kind(path: &Path) -> Result<&'static str> {
    let root = open(path)?.root();
    if root.group("0/DATA/0").is_ok() || root.group("0/META").is_ok() {
        return Ok("gctx");
    }
    let groups = root.groups().map_err(|e| damaged(path, &e))?;
    let datasets = root.datasets().map_err(|e| damaged(path, &e))?;
    let has = |name: &str| groups.iter().chain(&datasets).any(|n| n == name);
    if has("obs") && has("var") {
        return Ok("h5ad");
    }
    let found = if root.dataset("matrix/barcodes").is_ok() || groups.iter().any(|g| g.starts_with("GRCh")) {
        "looks like a 10x Genomics count matrix, which is sparse; save it as a dense h5ad".to_string()
    } else {
        let names: Vec<_> = groups.into_iter().chain(datasets).take(8).collect();
        format!("is HDF5, but neither GCTX (0/DATA/0/matrix) nor h5ad (X, obs, var); it holds {names:?}")
    };
    Err(Error::input(path, found))
}

/// Blocks of rows of a two-dimensional dataset.
pub(super) struct Rows {
    path: PathBuf,
    dataset: Dataset,
    name: String,
    shape: [u64; 2],
    step: u64,
    next: u64,
}

impl Rows {
    /// Checks shape and type; nothing is allocated by what a header claims.
    pub fn new(path: &Path, dataset: Dataset, name: &str) -> Result<Rows> {
        let refuse = |message: String| Err(Error::input(path, format!("dataset {name}: {message}")));
        let shape = dataset.shape().map_err(|e| damaged(path, &e))?;
        let Ok(shape) = <[u64; 2]>::try_from(shape.as_slice()) else {
            return refuse(format!("has {} dimensions; a matrix has two", shape.len()));
        };
        let dtype = dataset.dtype().map_err(|e| damaged(path, &e))?;
        if !is_number(&dtype) {
            return refuse(format!("holds {dtype}; numbers are needed"));
        }
        let size = dataset.element_size().map_err(|e| damaged(path, &e))?.max(1);
        let file = path.metadata().map_err(Error::io(path, "reading"))?.len();
        let bytes = shape[0].checked_mul(shape[1]).and_then(|n| n.checked_mul(size));
        if bytes.is_none_or(|bytes| bytes > file.saturating_mul(MOST_COMPRESSION)) {
            let claim = format!("{} × {}", shape[0], shape[1]);
            return refuse(format!(
                "claims {claim} values, more than a file of {file} bytes can hold; damaged?"
            ));
        }
        // Whole chunks where they fit the block, so that none is unpacked twice.
        let row = (shape[1] * size).max(1);
        let chunk = dataset.chunk_shape().map_err(|e| damaged(path, &e))?.map_or(1, |c| c[0].max(1));
        let rows = (BLOCK / row).max(1);
        let step = if chunk * row <= 4 * BLOCK { rows.div_ceil(chunk) * chunk } else { rows };
        Ok(Rows { path: path.to_path_buf(), dataset, name: name.to_string(), shape, step, next: 0 })
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        self.shape.map(|n| n as usize)
    }
}

impl Blocks for Rows {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        if self.next == self.shape[0] {
            return Ok(false);
        }
        let n = self.step.min(self.shape[0] - self.next);
        let block = self.dataset.read_f32_rows(self.next, n);
        let block = block.map_err(|e| damaged(&self.path, &format!("dataset {}: {e}", self.name)))?;
        if block.len() as u64 != n * self.shape[1] {
            let found = format!("dataset {}: {} of {} values", self.name, block.len(), n * self.shape[1]);
            return Err(damaged(&self.path, &found));
        }
        values.extend_from_slice(&block);
        self.next += n;
        Ok(true)
    }

    fn done(&self) -> f64 {
        self.next as f64 / self.shape[0].max(1) as f64
    }
}

fn is_number(dtype: &DType) -> bool {
    use DType::{F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    matches!(dtype, F32 | F64 | I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64)
}

/// A one-dimensional dataset as text: strings as they are, numbers in their shortest form, NaN empty.
/// `None` where it has another length or a type that has no such form.
pub(super) fn column(path: &Path, dataset: &Dataset, n: usize) -> Result<Option<Vec<String>>> {
    let failed = |e: hdf5_pure::Error| damaged(path, &e);
    let shape = dataset.shape().map_err(failed)?;
    if shape.iter().product::<u64>() != n as u64 {
        return Ok(None);
    }
    use DType::{Enum, F32, F64, I8, I16, I32, I64, String, U8, U16, U32, U64, VariableLengthString};
    let fields: Vec<_> = match dataset.dtype().map_err(failed)? {
        String | VariableLengthString => {
            let text = dataset.read_string().map_err(failed)?;
            text.iter().map(|s| s.trim_end_matches('\0').trim().to_string()).collect()
        }
        I8 | I16 | I32 | I64 => dataset.read_i64().map_err(failed)?.iter().map(i64::to_string).collect(),
        U8 | U16 | U32 | U64 => dataset.read_u64().map_err(failed)?.iter().map(u64::to_string).collect(),
        F32 => dataset.read_f32().map_err(failed)?.iter().map(|x| shortest(*x, x.is_nan())).collect(),
        F64 => dataset.read_f64().map_err(failed)?.iter().map(|x| shortest(*x, x.is_nan())).collect(),
        // h5py's bool is the enumeration FALSE = 0, TRUE = 1.
        Enum(names) if names == ["FALSE", "TRUE"] => {
            let values = dataset.read_i64().map_err(failed)?;
            values.iter().map(|v| names[usize::from(*v != 0)].to_lowercase()).collect()
        }
        _ => return Ok(None),
    };
    Ok(Some(fields).filter(|fields| fields.len() == n))
}

fn shortest(x: impl std::fmt::Display, nan: bool) -> String {
    if nan { String::new() } else { x.to_string() }
}

/// A string attribute, of whichever string type.
pub(super) fn text_attribute(group: &Group, name: &str) -> Option<String> {
    texts(group.attrs().ok()?.remove(name)?)?.into_iter().next()
}

/// A list of strings, of whichever string type.
pub(super) fn list_attribute(group: &Group, name: &str) -> Option<Vec<String>> {
    texts(group.attrs().ok()?.remove(name)?)
}

fn texts(value: AttrValue) -> Option<Vec<String>> {
    use AttrValue as A;
    Some(match value {
        A::String(s) | A::AsciiString(s) | A::VarLenString(s) | A::VarLenAsciiString(s) => vec![s],
        A::StringSized { value, .. } | A::AsciiStringSized { value, .. } => vec![value],
        A::StringArray(v) | A::AsciiStringArray(v) | A::VarLenStringArray(v) => v,
        A::VarLenAsciiStringArray(v) | A::VarLenAsciiCharArray(v) => v,
        A::StringArraySized { values, .. } | A::AsciiStringArraySized { values, .. } => values,
        _ => return None,
    })
}
