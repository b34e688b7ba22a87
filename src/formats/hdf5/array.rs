//! A dataset of numbers of one or two dimensions, read in stripes: whole chunks across the array, each unpacked once and
//! several at a time.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hdf5_pure::{Dataset, Datatype, DatatypeByteOrder};
use rayon::prelude::*;

use super::filters::Pipeline;
use super::{MOST_COMPRESSION, block, damaged};
use crate::error::{Error, Result};
use crate::formats::npy;

/// The most that a stripe may take unpacked, of the memory in all: a chunk has a second copy while it is unpacked, and there is
/// the block that is handed on.
fn stripe(memory: usize) -> u64 {
    memory as u64 / 8 * 3
}

/// How the elements of a dataset are stored.
#[derive(Debug, Clone)]
pub(super) struct Number {
    /// NumPy's code, `"<f4"`.
    code: String,
    /// Bytes an element.
    pub size: usize,
    to_f32: npy::Decode,
}

impl Number {
    /// `None` for anything but plain integers and floats of 1 to 8 bytes. h5py's bool counts as an integer.
    pub fn of(datatype: &Datatype) -> Option<Number> {
        let (kind, size, order) = match datatype {
            Datatype::FixedPoint { size, byte_order, layout } => {
                let bits = size.checked_mul(8);
                let plain = layout.bit_offset == 0 && Some(u32::from(layout.bit_precision)) == bits;
                plain.then_some((if layout.signed { 'i' } else { 'u' }, *size, byte_order))?
            }
            Datatype::FloatingPoint { size, byte_order, .. } => ('f', *size, byte_order),
            Datatype::Enumeration { base_type, .. } => return Number::of(base_type),
            _ => return None,
        };
        let order = match order {
            DatatypeByteOrder::LittleEndian => '<',
            DatatypeByteOrder::BigEndian => '>',
            DatatypeByteOrder::Vax => return None,
        };
        let code = format!("{order}{kind}{size}");
        let (size, to_f32) = npy::decoder(&code)?;
        Some(Number { code, size, to_f32 })
    }

    /// Appends the elements in `bytes` as f32.
    pub fn floats(&self, bytes: &[u8], out: &mut Vec<f32>) {
        (self.to_f32)(bytes, out);
    }

    /// Appends the elements in `bytes`; `None` for floats.
    pub fn integers(&self, bytes: &[u8], out: &mut Vec<i64>) -> Option<()> {
        let signed = match self.code.as_bytes()[1] {
            b'i' => true,
            b'u' => false,
            _ => return None,
        };
        let (little, shift) = (self.code.starts_with('<'), 64 - 8 * self.size as u32);
        out.extend(bytes.chunks_exact(self.size).map(|element| {
            let mut word = [0; 8];
            word[..self.size].copy_from_slice(element);
            if !little {
                word[..self.size].reverse();
            }
            let word = u64::from_le_bytes(word);
            // Beyond i64 is no index or length of anything: it turns negative, which callers refuse.
            if signed { (word << shift) as i64 >> shift } else { word as i64 }
        }));
        Some(())
    }
}

/// The chunks of a dataset, all there, in the order of their places.
pub(super) struct Chunks {
    file: Mutex<std::fs::File>,
    pipeline: Pipeline,
    /// Place in the file, stored bytes, filter mask.
    pub places: Vec<(u64, u64, u32)>,
}

/// Reads a two-dimensional dataset along one of its axes; a one-dimensional one counts as a single column.
pub(super) struct Stream {
    pub path: PathBuf,
    name: String,
    pub dataset: Dataset,
    pub number: Number,
    /// Rows and columns in the file.
    pub shape: [u64; 2],
    /// What is one piece in memory: a chunk, or the rows that the library reads at a time.
    pub piece: [u64; 2],
    pub chunks: Option<Chunks>,
    /// Bytes of one chunk, unpacked; 0 where there are none.
    pub chunk: u64,
    /// The axis along which it is read: 0 yields rows of the file, 1 columns.
    pub axis: usize,
    /// Lines along the axis that are unpacked at a time, a multiple of the piece.
    pub step: u64,
    /// The first of the unpacked lines, and the pieces that hold them, piece by piece along the axis.
    first: u64,
    held: Vec<Vec<u8>>,
    /// The next line to take.
    next: u64,
}

impl Stream {
    /// Checks shape and type and looks at the index of the chunks; no value is read and nothing is allocated by what a
    /// header claims.
    ///
    /// # Errors
    /// [`Error::Input`] for anything but numbers in one or two dimensions, for chunks that the memory cannot hold, and for a
    /// damaged file.
    pub fn open(path: &Path, dataset: Dataset, name: &str, memory: usize) -> Result<Stream> {
        let stream = Stream::bounded(path, dataset, name, stripe(memory), block(memory))?;
        if stream.chunk > stripe(memory) {
            // `stripe` the other way round, in whole MiB
            let needed = (stream.chunk.div_ceil(3) * 8 + 8).div_ceil(1 << 20);
            let message = format!(
                "a chunk of dataset {name} unpacks to {:.1} MiB, more than --memory leaves room for; give --memory {needed}, or \
                 rewrite the file in smaller chunks with h5repack",
                stream.chunk as f64 / f64::from(1 << 20)
            );
            return Err(Error::input(path, message));
        }
        Ok(stream)
    }

    /// [`Stream::open`] with at most `stripe` bytes unpacked at a time, and `block` where chunks do not ask for more.
    fn bounded(path: &Path, dataset: Dataset, name: &str, stripe: u64, block: u64) -> Result<Stream> {
        let refuse = |message: String| Err(Error::input(path, format!("dataset {name}: {message}")));
        let failed = |e: hdf5_pure::Error| damaged(path, &format!("dataset {name}: {e}"));
        let shape = match dataset.shape().map_err(failed)?.as_slice() {
            &[n] => [n, 1],
            &[rows, columns] => [rows, columns],
            other => return refuse(format!("has {} dimensions; a matrix has two", other.len())),
        };
        let Some(number) = Number::of(&dataset.datatype().map_err(failed)?) else {
            return refuse(format!("holds {}; numbers are needed", dataset.dtype().map_err(failed)?));
        };
        let size = number.size as u64;
        let file = path.metadata().map_err(Error::io(path, "reading"))?.len();
        let bytes = shape[0].checked_mul(shape[1]).and_then(|n| n.checked_mul(size));
        if bytes.is_none_or(|bytes| bytes > file.saturating_mul(MOST_COMPRESSION)) {
            let claim = format!("{} × {}", shape[0], shape[1]);
            return refuse(format!(
                "claims {claim} values, more than a file of {file} bytes can hold; damaged?"
            ));
        }
        let mut stream = Stream {
            path: path.to_path_buf(),
            name: name.to_string(),
            dataset,
            number,
            shape,
            piece: shape,
            chunks: None,
            chunk: 0,
            axis: 0,
            step: 1,
            first: 0,
            held: Vec::new(),
            next: 0,
        };
        stream.plan(stripe, block)?;
        Ok(stream)
    }

    /// Lines along the axis, and values of a line.
    pub fn lines(&self) -> [usize; 2] {
        [self.shape[self.axis] as usize, self.shape[1 - self.axis] as usize]
    }

    /// Decides what is unpacked at a time, and along which axis: rows where a row of chunks fits the memory, else columns.
    fn plan(&mut self, most: u64, block: u64) -> Result<()> {
        let size = self.number.size as u64;
        let line = |axis: usize| (self.shape[1 - axis] * size).max(1);
        self.step = (block / line(0)).max(1);
        if self.dataset.is_chunked() {
            let chunk = self.dataset.chunk_shape().map_err(|e| self.failed(&e))?.unwrap_or_default();
            let chunk = match *chunk.as_slice() {
                [n] => [n, 1],
                [rows, columns] => [rows, columns],
                _ => return Err(self.failed(&"the chunks have other dimensions than the dataset")),
            };
            let bytes = chunk[0].checked_mul(chunk[1]).and_then(|n| n.checked_mul(size));
            if chunk.contains(&0) || bytes.is_none_or(|bytes| bytes > u64::from(u32::MAX)) {
                return Err(self.failed(&format!("chunks of {} × {} values", chunk[0], chunk[1])));
            }
            self.chunk = chunk[0] * chunk[1] * size;
            // Checked above: a chunk is below 4 GiB, so only many of them could overflow.
            let across = |axis: usize| self.shape[1 - axis].div_ceil(chunk[1 - axis]);
            let stripe = |axis: usize| (chunk[0] * chunk[1] * size).saturating_mul(across(axis));
            let axis = (0..2).find(|&axis| stripe(axis) <= most);
            if let (Some(axis), Some(chunks)) = (axis, self.chunks(chunk)?) {
                self.chunks = Some(chunks);
                self.piece = chunk;
                self.axis = axis;
                self.step = (block / line(axis) / chunk[axis]).max(1) * chunk[axis];
                return Ok(());
            }
            if stripe(0) <= most {
                self.step = self.step.div_ceil(chunk[0]) * chunk[0];
            } else {
                self.step = (most / line(0)).max(1);
            }
        }
        self.piece = [self.step, self.shape[1]];
        Ok(())
    }

    /// The index of the chunks; `None` where the library has to read them: a filter that is not known here, or chunks that
    /// were never written.
    fn chunks(&self, chunk: [u64; 2]) -> Result<Option<Chunks>> {
        let pipeline = Pipeline::of(&self.dataset, self.number.size);
        let pipeline =
            pipeline.map_err(|e| Error::input(&self.path, format!("dataset {}: {e}", self.name)))?;
        let Some(pipeline) = pipeline else { return Ok(None) };
        let Ok(found) = self.dataset.chunks() else { return Ok(None) };
        let across = self.shape[1].div_ceil(chunk[1]);
        if found.len() as u64 != self.shape[0].div_ceil(chunk[0]) * across {
            return Ok(None);
        }
        let end = self.path.metadata().map_err(Error::io(&self.path, "reading"))?.len();
        let mut places = vec![None; found.len()];
        for c in found {
            let (row, column) = (c.offset[0], c.offset.get(1).copied().unwrap_or(0));
            let inside = row < self.shape[0] && column < self.shape[1];
            if !inside || row % chunk[0] != 0 || column % chunk[1] != 0 {
                return Err(self.failed(&format!("a chunk at {row}, {column}")));
            }
            if c.address.checked_add(c.storage_size).is_none_or(|last| last > end) {
                return Err(
                    self.failed(&format!("the chunk at {row}, {column} lies behind the end of the file"))
                );
            }
            let place = &mut places[(row / chunk[0] * across + column / chunk[1]) as usize];
            if place.replace((c.address, c.storage_size, c.filter_mask)).is_some() {
                return Err(self.failed(&format!("two chunks at {row}, {column}")));
            }
        }
        let file = std::fs::File::open(&self.path).map_err(Error::io(&self.path, "opening"))?;
        // As many as places, all different: none is left empty.
        let places = places.into_iter().flatten().collect();
        Ok(Some(Chunks { file: Mutex::new(file), pipeline, places }))
    }

    /// A chunk that does not unpack, or that nobody here unpacks, which is no damage.
    fn packed(&self, error: &str) -> Error {
        match error.starts_with("is packed") {
            true => Error::input(&self.path, format!("dataset {}: {error}", self.name)),
            false => self.failed(&error),
        }
    }

    /// What an error of this dataset means to the user.
    pub fn failed(&self, error: &dyn std::fmt::Display) -> Error {
        damaged(&self.path, &format!("dataset {}: {error}", self.name))
    }

    /// Appends the bytes of the next `n` lines, or of those that are left.
    ///
    /// # Errors
    /// [`Error::Input`] naming the dataset where it is damaged.
    pub fn take(&mut self, n: usize, out: &mut Vec<u8>) -> Result<()> {
        let size = self.number.size;
        let [lines, width] = self.lines();
        let end = (self.next + n as u64).min(lines as u64);
        while self.next < end {
            if self.held.is_empty() || self.next >= self.first + self.step {
                self.load()?;
            }
            let last = end.min(self.first + self.step);
            let start = out.len();
            out.resize(start + (last - self.next) as usize * width * size, 0);
            let first = self.next;
            let lines = out[start..].par_chunks_mut((width * size).max(1)).enumerate();
            lines.for_each(|(i, line)| self.line(first + i as u64, line));
            self.next = last;
        }
        Ok(())
    }

    /// Copies a line out of the pieces that hold it.
    fn line(&self, at: u64, line: &mut [u8]) {
        let size = self.number.size;
        let [along, across] = [self.piece[self.axis], self.piece[1 - self.axis]].map(|n| n as usize);
        let pieces = (self.shape[1 - self.axis] as usize).div_ceil(across);
        let inside = (at - self.first) as usize;
        let held = &self.held[inside / along * pieces..][..pieces];
        let inside = inside % along;
        for (piece, part) in held.iter().zip(line.chunks_mut(across * size)) {
            if self.axis == 0 {
                part.copy_from_slice(&piece[inside * across * size..][..part.len()]);
            } else {
                let places = piece[inside * size..].chunks(along * size);
                for (to, from) in part.chunks_exact_mut(size).zip(places) {
                    to.copy_from_slice(&from[..size]);
                }
            }
        }
    }

    /// Unpacks the pieces of the lines from `next` on.
    fn load(&mut self) -> Result<()> {
        self.held = Vec::new();
        self.first = self.next / self.step * self.step;
        let last = (self.first + self.step).min(self.shape[self.axis]);
        let Some(chunks) = &self.chunks else {
            let n = last - self.first;
            let bytes = self.dataset.read_raw_rows(self.first, n).map_err(|e| self.failed(&e))?;
            let due = n * self.shape[1] * self.number.size as u64;
            if bytes.len() as u64 != due {
                return Err(self.failed(&format!("{} of {due} bytes", bytes.len())));
            }
            self.held = vec![bytes];
            return Ok(());
        };
        let across = self.shape[1].div_ceil(self.piece[1]);
        let (first, last) = (self.first / self.piece[self.axis], last.div_ceil(self.piece[self.axis]));
        let picked: Vec<_> = match self.axis {
            0 => chunks.places[(first * across) as usize..(last * across) as usize].to_vec(),
            _ => {
                let rows = chunks.places.chunks_exact(across as usize);
                let column = |c: u64| rows.clone().map(move |row| row[c as usize]);
                (first..last).flat_map(column).collect()
            }
        };
        self.held = picked.par_iter().map(|place| self.unpack(chunks, *place)).collect::<Result<_>>()?;
        Ok(())
    }

    /// Reads and unpacks one chunk.
    pub fn unpack(&self, chunks: &Chunks, (address, stored, mask): (u64, u64, u32)) -> Result<Vec<u8>> {
        let length = (self.piece[0] * self.piece[1]) as usize * self.number.size;
        let mut bytes = vec![0; stored as usize];
        {
            let mut file = chunks.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let read = file.seek(SeekFrom::Start(address)).and_then(|_| file.read_exact(&mut bytes));
            read.map_err(Error::io(&self.path, "reading"))?;
        }
        chunks.pipeline.undo(bytes, mask, length).map_err(|e| self.packed(&e))
    }

    /// Share of the lines that are taken.
    pub fn done(&self) -> f64 {
        self.next as f64 / self.shape[self.axis].max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values, row by row, however little memory there is and however many lines are taken at a time.
    fn read(name: &str, stripe: u64, block: u64, lines: usize) -> (usize, Vec<f32>) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hdf5/chunks.h5ad");
        let dataset = super::super::open(&path).expect("opens").dataset(name).expect("is there");
        let mut stream = Stream::bounded(&path, dataset, name, stripe, block).expect(name);
        let (mut bytes, mut values) = (Vec::new(), Vec::new());
        while stream.done() < 1.0 {
            stream.take(lines, &mut bytes).expect(name);
        }
        stream.number.floats(&bytes, &mut values);
        let [n, width] = stream.lines();
        if stream.axis == 1 {
            values = (0..width).flat_map(|r| (0..n).map(move |c| c * width + r)).map(|i| values[i]).collect();
        }
        (stream.axis, values)
    }

    #[test]
    fn a_chunk_beyond_the_memory_is_refused_with_what_it_needs() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hdf5/chunks.h5ad");
        let open = |memory| {
            let dataset =
                super::super::open(&path).expect("opens").dataset("layers/tiles").expect("is there");
            Stream::open(&path, dataset, "layers/tiles", memory).map(|stream| stream.chunk)
        };
        let chunk = open(1 << 20).expect("fits");
        let enough = chunk.div_ceil(3) * 8;
        let message = open(enough as usize - 8).expect_err("does not fit").to_string();
        assert!(
            message.contains("chunk of dataset layers/tiles") && message.contains("--memory 1,"),
            "{message}"
        );
        assert_eq!(open(enough as usize).expect("fits just"), chunk);
    }

    #[test]
    fn little_memory_changes_the_way_but_not_the_values() {
        for name in ["X", "layers/tiles", "layers/checked", "layers/contiguous", "layers/partly"] {
            let (axis, all) = read(name, stripe(512 << 20), 1 << 23, 1000);
            assert_eq!((axis, all.len()), (0, 23 * 17), "{name}");
            // A stripe of columns of X is 23 × 3 f64, one of tiles 25 × 4 f32, one of its rows 5 × 20.
            for stripe in [1, 399, 400, 552, 600, 5000] {
                for (block, lines) in [(1, 1), (300, 4), (700, 7), (1 << 23, 23)] {
                    let (axis, found) = read(name, stripe, block, lines);
                    assert_eq!(found, all, "{name} {stripe} {block} {lines}");
                    assert_eq!(axis == 1, name == "X" && (552..5000).contains(&stripe), "{name} {stripe}");
                }
            }
        }
    }
}
