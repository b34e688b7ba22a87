//! NumPy's `.npy`: samples × genes, without names. A Fortran-order file is read gene by gene, as it lies.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::{Blocks, MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::store::{Table, npy};

/// Bytes read at a time.
const BLOCK: usize = 16 << 20;

pub(super) fn open(path: &Path, _settings: &ReadSettings) -> Result<MatrixFile> {
    let file = File::open(path).map_err(Error::io(path, "opening"))?;
    let bytes = file.metadata().map_err(Error::io(path, "reading"))?.len();
    let mut input = BufReader::with_capacity(1 << 20, file);
    let header = npy::parse(&mut input).map_err(|e| Error::input(path, e))?;
    let (size, decode) = decoder(&header.descr).ok_or_else(|| {
        let known = "f2, f4, f8 and integers, little- or big-endian";
        Error::input(
            path,
            format!("holds type {:?}; {known} are read (in Python: x.astype('f4'))", header.descr),
        )
    })?;
    let &[samples, genes] = header.shape.as_slice() else {
        let shape = &header.shape;
        return Err(Error::input(
            path,
            format!("has shape {shape:?}; a matrix of samples × genes is needed"),
        ));
    };
    let expected = samples.checked_mul(genes).and_then(|n| n.checked_mul(size));
    let expected = expected.and_then(|n| n.checked_add(header.offset)).map(|n| n as u64);
    if expected != Some(bytes) {
        let expected = expected.map_or("more than any file holds".into(), |n| format!("{n} bytes"));
        let message = format!(
            "shape {samples} × {genes} of {:?} calls for {expected}, the file has {bytes}; truncated?",
            header.descr
        );
        return Err(Error::input(path, message));
    }
    let tables = (Table::numbered("sample_id", "sample", samples), Table::numbered("gene_id", "gene", genes));
    let (rows, columns) = if header.fortran { (tables.1, tables.0) } else { tables };
    let blocks = NpyBlocks {
        path: path.to_path_buf(),
        input,
        decode,
        size,
        columns: columns.len(),
        rows: rows.len(),
        next: 0,
    };
    Ok(MatrixFile {
        format: "npy".into(),
        columns,
        rows: Some(rows),
        corner: String::new(),
        natural: Some(Orientation::SamplesByGenes),
        transposed: header.fortran,
        unnamed: true,
        sentinel: None,
        warnings: Vec::new(),
        blocks: Box::new(blocks),
    })
}

/// Appends the elements in the bytes as f32.
pub(super) type Decode = fn(&[u8], &mut Vec<f32>);

/// Bytes of an element of NumPy's type `descr` and how to turn such bytes into f32.
pub(super) fn decoder(descr: &str) -> Option<(usize, Decode)> {
    macro_rules! decoders {
        ($($code:literal $type:ty, $to:expr;)*) => {
            Some(match descr {
                $(concat!("<", $code) | concat!("|", $code) | concat!("=", $code) => {
                    (size_of::<$type>(), |bytes, out| {
                        let whole = bytes.chunks_exact(size_of::<$type>());
                        out.extend(whole.map(|b| $to(<$type>::from_le_bytes(b.try_into().expect("its size")))));
                    })
                })*
                $(concat!(">", $code) => {
                    (size_of::<$type>(), |bytes, out| {
                        let whole = bytes.chunks_exact(size_of::<$type>());
                        out.extend(whole.map(|b| $to(<$type>::from_be_bytes(b.try_into().expect("its size")))));
                    })
                })*
                _ => return None,
            })
        };
    }
    decoders! {
        "f2" half::f16, half::f16::to_f32;
        "f4" f32, |x| x;
        "f8" f64, |x| x as f32;
        "i1" i8, f32::from;
        "i2" i16, f32::from;
        "i4" i32, |x| x as f32;
        "i8" i64, |x| x as f32;
        "u1" u8, f32::from;
        "u2" u16, f32::from;
        "u4" u32, |x| x as f32;
        "u8" u64, |x| x as f32;
    }
}

struct NpyBlocks {
    path: PathBuf,
    input: BufReader<File>,
    decode: Decode,
    size: usize,
    columns: usize,
    rows: usize,
    next: usize,
}

impl Blocks for NpyBlocks {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        if self.next == self.rows {
            return Ok(false);
        }
        let row = self.columns * self.size;
        let n = (BLOCK / row.max(1)).clamp(1, self.rows - self.next);
        let mut bytes = vec![0; n * row];
        self.input.read_exact(&mut bytes).map_err(Error::io(&self.path, "reading"))?;
        (self.decode)(&bytes, values);
        self.next += n;
        Ok(true)
    }

    fn done(&self) -> f64 {
        self.next as f64 / self.rows.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_either_byte_order_decode() {
        let decode = |descr: &str, bytes: &[u8]| {
            let mut out = Vec::new();
            decoder(descr).expect(descr).1(bytes, &mut out);
            out
        };
        assert_eq!(decode("<f8", &[1.5f64.to_le_bytes(), (-2.0f64).to_le_bytes()].concat()), [1.5, -2.0]);
        assert_eq!(decode(">f8", &1.5f64.to_be_bytes()), [1.5]);
        assert_eq!(decode("<f2", &half::f16::from_f32(0.25).to_le_bytes()), [0.25]);
        assert_eq!(decode("|i1", &[0xff, 3]), [-1.0, 3.0]);
        assert_eq!(decode(">i4", &[0, 0, 1, 0]), [256.0]);
        assert_eq!(decode("<u8", &7u64.to_le_bytes()), [7.0]);
        assert!(decoder("<c8").is_none() && decoder("|O").is_none() && decoder("<U4").is_none());
    }
}
