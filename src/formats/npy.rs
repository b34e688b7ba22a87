//! NumPy's `.npy`: samples × genes, without names. A Fortran-order file is read gene by gene, as it lies. The arrays of
//! a `.npz` are of the same kind.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::{Blocks, MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::store::npy;

/// Bytes read at a time.
const BLOCK: usize = 16 << 20;

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let file = File::open(path).map_err(Error::io(path, "opening"))?;
    let bytes = file.metadata().map_err(Error::io(path, "reading"))?.len();
    file_of("npy", Array::open(path, Box::new(BufReader::with_capacity(1 << 20, file)), bytes)?, settings)
}

/// A matrix file of one array.
pub(super) fn file_of(format: &str, array: Array, settings: &ReadSettings) -> Result<MatrixFile> {
    let &[samples, genes] = array.header.shape.as_slice() else {
        let shape = &array.header.shape;
        return Err(Error::input(
            &array.path,
            format!("has shape {shape:?}; a matrix of samples × genes is needed"),
        ));
    };
    if samples == 0 || genes == 0 {
        return Err(Error::input(&array.path, format!("the matrix is empty: {samples} × {genes}")));
    }
    super::room_for_names(&array.path, samples, genes)?;
    let tables = (Table::numbered("sample_id", "sample", samples), Table::numbered("gene_id", "gene", genes));
    let transposed = array.header.fortran;
    let (rows, columns) = if transposed { (tables.1, tables.0) } else { tables };
    let step = (BLOCK.min(settings.memory / 16) / array.size / columns.len()).max(1);
    let blocks = NpyBlocks { array, columns: columns.len(), rows: rows.len(), step, next: 0 };
    Ok(MatrixFile {
        natural: Some(Orientation::SamplesByGenes),
        habit: true,
        transposed,
        unnamed: true,
        ..MatrixFile::new(format, columns, Some(rows), Box::new(blocks))
    })
}

/// The elements of one array, in the order in which they lie.
pub(super) struct Array {
    path: PathBuf,
    input: Box<dyn Read + Send>,
    header: npy::Header,
    decode: Decode,
    size: usize,
}

impl Array {
    /// Reads the header; `bytes` is the length of the whole, which it must fit.
    pub fn open(path: &Path, mut input: Box<dyn Read + Send>, bytes: u64) -> Result<Array> {
        let header = npy::parse(&mut input).map_err(|e| Error::input(path, e))?;
        let (size, decode) = decoder(&header.descr).ok_or_else(|| {
            let known = "f2, f4, f8 and integers, little- or big-endian";
            Error::input(
                path,
                format!("holds type {:?}; {known} are read (in Python: x.astype('f4'))", header.descr),
            )
        })?;
        let expected = header.shape.iter().try_fold(size, |n, length| n.checked_mul(*length));
        let expected = expected.and_then(|n| n.checked_add(header.offset)).map(|n| n as u64);
        if expected != Some(bytes) {
            let expected = expected.map_or("more than any file holds".into(), |n| format!("{n} bytes"));
            let shape = header.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
            let message = format!(
                "shape {shape} of {:?} calls for {expected}, the file has {bytes}; truncated?",
                header.descr
            );
            return Err(Error::input(path, message));
        }
        Ok(Array { path: path.to_path_buf(), input, header, decode, size })
    }

    /// Elements in all.
    pub fn len(&self) -> usize {
        self.header.shape.iter().product()
    }

    fn bytes(&mut self, n: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; n * self.size];
        self.input.read_exact(&mut bytes).map_err(|e| super::compressed::failed(&self.path, &e))?;
        Ok(bytes)
    }

    /// Appends the next `n` elements.
    pub fn floats(&mut self, n: usize, out: &mut Vec<f32>) -> Result<()> {
        let bytes = self.bytes(n)?;
        (self.decode)(&bytes, out);
        Ok(())
    }

    /// Appends the next `n` elements of an array of whole numbers.
    pub fn integers(&mut self, n: usize, out: &mut Vec<i64>) -> Result<()> {
        let (order, kind) = self.header.descr.split_at(1);
        if !kind.starts_with(['i', 'u']) {
            let message = format!("holds type {:?}; whole numbers are needed", self.header.descr);
            return Err(Error::input(&self.path, message));
        }
        let (big, signed) = (order == ">", kind.starts_with('i'));
        let mut bytes = self.bytes(n)?;
        for element in bytes.chunks_exact_mut(self.size) {
            if big {
                element.reverse();
            }
            let negative = signed && element.last().is_some_and(|b| *b >= 0x80);
            let mut wide = [if negative { 0xff } else { 0 }; 8];
            wide[..element.len()].copy_from_slice(element);
            out.push(i64::from_le_bytes(wide));
        }
        Ok(())
    }

    /// All of an array of `n` whole numbers.
    pub fn whole(mut self, n: usize) -> Result<Vec<i64>> {
        if self.len() != n {
            return Err(Error::input(&self.path, format!("has {} numbers; {n} are needed", self.len())));
        }
        let mut out = Vec::new();
        while out.len() < n {
            self.integers((n - out.len()).min(1 << 16), &mut out)?;
        }
        Ok(out)
    }
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
    array: Array,
    columns: usize,
    rows: usize,
    step: usize,
    next: usize,
}

impl Blocks for NpyBlocks {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        if self.next == self.rows {
            return Ok(false);
        }
        let n = self.step.min(self.rows - self.next);
        self.array.floats(n * self.columns, values)?;
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
