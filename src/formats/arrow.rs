//! Arrow's IPC file, which Feather 2 is: one row a sample, read as `columns.rs` says. The layout is Arrow's
//! [columnar format](https://arrow.apache.org/docs/format/Columnar.html): metadata in flatbuffers, and for each column of a
//! record batch a few buffers, plain or packed with LZ4 or Zstandard. Only the buffers of one column are held at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::columns::{self, Columnar, Kind};
use super::flat::Flat;
use super::{MatrixFile, ReadSettings, compressed, index};
use crate::error::{Error, Result};

const MAGIC: &[u8] = b"ARROW1";

pub(super) fn magic(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// How the values of a column lie in its buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Int {
        bytes: usize,
        signed: bool,
    },
    Float {
        bytes: usize,
    },
    Bool,
    /// The width of an offset.
    Text {
        bytes: usize,
    },
    /// Numbers of labels in a dictionary, whose own offsets have `text` bytes.
    Labels {
        bytes: usize,
        signed: bool,
        text: usize,
        dictionary: i64,
    },
    /// Anything else, of so many buffers.
    Other {
        buffers: usize,
    },
}

impl Layout {
    fn of(field: &Flat) -> Option<Layout> {
        let int = |kind: &Flat| {
            let bytes = usize::try_from(kind.i32(0)).ok()? / 8;
            [1, 2, 4, 8].contains(&bytes).then(|| (bytes, kind.byte(1) != 0))
        };
        // The numbers are those of the union Type in Schema.fbs.
        let kind = field.byte(2);
        if let Some(encoding) = field.table(4) {
            let (bytes, signed) = encoding.table(1).map_or(Some((4, true)), |index| int(&index))?;
            let labels = |text| Layout::Labels { bytes, signed, text, dictionary: encoding.i64(0) };
            return Some(match kind {
                5 => labels(4),
                20 => labels(8),
                _ => Layout::Other { buffers: 2 },
            });
        }
        Some(match kind {
            1 => Layout::Other { buffers: 0 },
            2 => int(&field.table(3)?).map(|(bytes, signed)| Layout::Int { bytes, signed })?,
            3 => Layout::Float { bytes: 2 << field.table(3)?.i16(0).clamp(0, 2) },
            5 => Layout::Text { bytes: 4 },
            20 => Layout::Text { bytes: 8 },
            6 => Layout::Bool,
            4 | 19 => Layout::Other { buffers: 3 },
            7..=11 | 15 | 18 => Layout::Other { buffers: 2 },
            _ => return None,
        })
    }

    fn kind(self) -> Kind {
        match self {
            Layout::Int { .. } | Layout::Float { .. } | Layout::Bool => Kind::Number,
            Layout::Text { .. } | Layout::Labels { .. } => Kind::Text,
            Layout::Other { .. } => Kind::Other,
        }
    }

    fn buffers(self) -> usize {
        match self {
            Layout::Text { .. } => 3,
            Layout::Other { buffers } => buffers,
            _ => 2,
        }
    }
}

/// Where the values of a record batch lie.
struct Batch {
    rows: usize,
    /// How many values each column lacks.
    missing: Vec<i64>,
    /// Places in the file: start and length.
    buffers: Vec<(u64, u64)>,
    /// Arrow's number of the compression.
    codec: Option<u8>,
}

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let file = File::open(path).map_err(Error::io(path, "opening"))?;
    let length = file.metadata().map_err(Error::io(path, "reading"))?.len();
    let mut source = Source {
        path: path.to_path_buf(),
        file,
        length,
        layouts: Vec::new(),
        batches: Vec::new(),
        dictionaries: Vec::new(),
    };

    let (end, n) = (length.saturating_sub(10), MAGIC.len());
    let tail = source.bytes(end, 10)?;
    let size = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    if !tail.ends_with(MAGIC) || size > end || length < 2 * n as u64 + 10 {
        return Err(source.damaged("its end is missing"));
    }
    let footer = source.bytes(end - size, size)?;
    let Some((footer, schema)) = Flat::root(&footer).and_then(|root| Some((root, root.table(1)?))) else {
        return Err(source.damaged("its footer tells no columns"));
    };
    if schema.i16(0) != 0 {
        return Err(Error::input(path, "was written on a big-endian machine; write it again on another"));
    }
    let mut columns = Vec::new();
    for field in schema.tables(1) {
        let Some(layout) = Layout::of(&field) else {
            return Err(Error::input(
                path,
                format!(
                    "column {:?} holds lists, records or string views, which are not read; leave it out or write it as plain \
                     text or numbers (polars: write_parquet, or write_ipc with compat_level=polars.CompatLevel.oldest())",
                    field.text(0)
                ),
            ));
        };
        columns.push((field.text(0), layout.kind()));
        source.layouts.push(layout);
    }
    let layouts = source.layouts.clone();
    for block in footer.structs(2, 24) {
        source.dictionary(block)?;
    }
    let mut rows = 0usize;
    for block in footer.structs(3, 24) {
        let metadata = source.message(block)?;
        let batch = source.batch(&metadata, block, 3, &layouts)?;
        rows = rows.saturating_add(batch.rows);
        source.batches.push(batch);
    }
    let notes = schema.tables(2);
    let note = notes.iter().find(|note| note.text(0) == "pandas").map(|note| note.text(1));
    let pandas = note.map_or(Vec::new(), |note| index::of_pandas(&note));
    columns::file("arrow", path, &columns, &pandas, rows, source, settings)
}

struct Source {
    path: PathBuf,
    file: File,
    length: u64,
    layouts: Vec<Layout>,
    batches: Vec<Batch>,
    /// Labels by their dictionary's id.
    dictionaries: Vec<(i64, Vec<String>)>,
}

impl Source {
    fn damaged(&self, why: &str) -> Error {
        Error::input(
            &self.path,
            format!("the Arrow file cannot be read ({why}); it may be truncated or damaged"),
        )
    }

    /// A piece of the file.
    fn bytes(&mut self, at: u64, n: u64) -> Result<Vec<u8>> {
        if at.checked_add(n).is_none_or(|end| end > self.length) {
            return Err(self.damaged("it points outside itself"));
        }
        let mut bytes = vec![0; n as usize];
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(Error::io(&self.path, "reading"))?;
        Ok(bytes)
    }

    /// The metadata of a block of the file: a message, behind its length.
    fn message(&mut self, block: &[u8]) -> Result<Vec<u8>> {
        let [at, size, _] = places(block);
        let mut message = self.bytes(at, size & 0xffff_ffff)?;
        // Versions before 0.15 have no marker before the length.
        let skip = if message.starts_with(&[0xff; 4]) { 8 } else { 4 };
        message.drain(..skip.min(message.len()));
        Ok(message)
    }

    /// The record batch in a message of kind `header` (2: a dictionary's).
    fn batch(&self, message: &[u8], block: &[u8], header: u8, layouts: &[Layout]) -> Result<Batch> {
        let [at, size, body] = places(block);
        let start = at.saturating_add(size & 0xffff_ffff);
        let root = Flat::root(message).filter(|root| root.byte(1) == header).and_then(|root| root.table(2));
        let table = if header == 2 { root.and_then(|dictionary| dictionary.table(1)) } else { root };
        let table = table.ok_or_else(|| self.damaged("a record batch is missing"))?;
        let pair = |item: &[u8]| {
            let (a, b) = item.split_at(8);
            [a, b].map(|half| i64::from_le_bytes(half.try_into().unwrap_or_default()))
        };
        let rows = usize::try_from(table.i64(0)).map_err(|_| self.damaged("it claims too many rows"))?;
        let (mut missing, mut buffers) = (Vec::new(), Vec::new());
        for [n, none] in table.structs(1, 16).map(pair) {
            if n != rows as i64 {
                return Err(self.damaged("its columns differ in length"));
            }
            missing.push(none);
        }
        for [offset, n] in table.structs(2, 16).map(pair) {
            let (offset, n) = (offset as u64, n as u64);
            if offset.checked_add(n).is_none_or(|end| end > body) {
                return Err(self.damaged("it points outside itself"));
            }
            buffers.push((start.saturating_add(offset), n));
        }
        if missing.len() != layouts.len()
            || buffers.len() != layouts.iter().map(|l| l.buffers()).sum::<usize>()
        {
            return Err(self.damaged("a record batch lacks columns"));
        }
        Ok(Batch { rows, missing, buffers, codec: table.table(3).map(|compression| compression.byte(0)) })
    }

    /// Reads the labels of a dictionary, which may come in several messages.
    fn dictionary(&mut self, block: &[u8]) -> Result<()> {
        let message = self.message(block)?;
        let Some(header) = Flat::root(&message).and_then(|root| root.table(2)) else {
            return Err(self.damaged("a dictionary is missing"));
        };
        let (id, adds) = (header.i64(0), header.byte(2) != 0);
        let width = self.layouts.iter().find_map(|layout| match layout {
            Layout::Labels { text, dictionary, .. } if *dictionary == id => Some(*text),
            _ => None,
        });
        let Some(bytes) = width else { return Ok(()) };
        let batch = self.batch(&message, block, 2, &[Layout::Text { bytes }])?;
        let labels = self.plain_texts(&batch, 0, 0, bytes)?;
        match self.dictionaries.iter_mut().find(|(other, _)| *other == id) {
            Some((_, known)) if adds => known.extend(labels),
            Some((_, known)) => *known = labels,
            None => self.dictionaries.push((id, labels)),
        }
        Ok(())
    }

    /// At least `n` bytes of a buffer, unpacked.
    fn buffer(&mut self, batch: &Batch, buffer: usize, n: usize) -> Result<Vec<u8>> {
        let (at, length) = batch.buffers[buffer];
        let mut packed = self.bytes(at, length)?;
        if let (Some(codec), false) = (batch.codec, packed.is_empty()) {
            let size = packed.first_chunk().map_or(0, |size| i64::from_le_bytes(*size));
            packed.drain(..8.min(packed.len()));
            if size >= 0 {
                let mut out = Vec::new();
                let input: Box<dyn Read> = match codec {
                    0 => Box::new(lz4_flex::frame::FrameDecoder::new(packed.as_slice())),
                    1 => Box::new(compressed::zstd(packed.as_slice())),
                    _ => return Err(self.damaged("it is packed in an unknown way")),
                };
                input.take(n as u64).read_to_end(&mut out).map_err(|e| self.damaged(&e.to_string()))?;
                packed = out;
            }
        }
        if packed.len() < n {
            return Err(self.damaged("a column is shorter than its rows"));
        }
        Ok(packed)
    }

    /// For each row whether its value is there; empty where all are.
    fn there(&mut self, batch: &Batch, column: usize, first: usize) -> Result<Vec<u8>> {
        match batch.missing[column] {
            0 => Ok(Vec::new()),
            _ if batch.buffers[first].1 == 0 => Ok(Vec::new()),
            _ => self.buffer(batch, first, batch.rows.div_ceil(8)),
        }
    }

    fn plain_texts(
        &mut self,
        batch: &Batch,
        column: usize,
        first: usize,
        bytes: usize,
    ) -> Result<Vec<String>> {
        if batch.rows == 0 {
            return Ok(Vec::new());
        }
        let there = self.there(batch, column, first)?;
        let size = batch.rows.checked_add(1).and_then(|n| n.checked_mul(bytes));
        let ends =
            self.buffer(batch, first + 1, size.ok_or_else(|| self.damaged("it claims too many rows"))?)?;
        let ends: Vec<usize> =
            ends.chunks_exact(bytes).take(batch.rows + 1).map(|end| whole(end, false) as usize).collect();
        let text = self.buffer(batch, first + 2, ends[batch.rows])?;
        let mut texts = Vec::with_capacity(batch.rows);
        for (row, pair) in ends.windows(2).enumerate() {
            let bytes =
                text.get(pair[0]..pair[1]).ok_or_else(|| self.damaged("a text lies outside its column"))?;
            texts.push(if is_there(&there, row) {
                String::from_utf8_lossy(bytes).into_owned()
            } else {
                String::new()
            });
        }
        Ok(texts)
    }

    /// Visits the batches with the number of a column's first buffer.
    fn each(
        &mut self,
        column: usize,
        mut visit: impl FnMut(&mut Source, &Batch, usize) -> Result<()>,
    ) -> Result<()> {
        let first = self.layouts[..column].iter().map(|layout| layout.buffers()).sum();
        let batches = std::mem::take(&mut self.batches);
        let outcome = batches.iter().try_for_each(|batch| visit(self, batch, first));
        self.batches = batches;
        outcome
    }
}

impl Columnar for Source {
    fn whole(&mut self, column: usize) -> Result<Option<Vec<i64>>> {
        let Layout::Int { bytes, signed } = self.layouts[column] else { return Ok(None) };
        let (mut out, mut all) = (Vec::new(), true);
        self.each(column, |source, batch, first| {
            let size =
                batch.rows.checked_mul(bytes).ok_or_else(|| source.damaged("it claims too many rows"))?;
            let values = source.buffer(batch, first + 1, size)?;
            out.extend(values.chunks_exact(bytes).take(batch.rows).map(|item| whole(item, signed)));
            all &= batch.missing[column] == 0;
            Ok(())
        })?;
        Ok(Some(out).filter(|_| all))
    }

    fn numbers(&mut self, column: usize, out: &mut Vec<f32>) -> Result<()> {
        let layout = self.layouts[column];
        self.each(column, |source, batch, first| {
            let start = out.len();
            let (rows, bytes) = match layout {
                Layout::Int { bytes, .. } | Layout::Float { bytes } => (batch.rows, bytes),
                _ => (batch.rows.div_ceil(8), 1),
            };
            let size = rows.checked_mul(bytes).ok_or_else(|| source.damaged("it claims too many rows"))?;
            let values = source.buffer(batch, first + 1, size)?;
            let items = values.chunks_exact(bytes).take(rows);
            match layout {
                Layout::Int { signed: true, .. } => out.extend(items.map(|item| whole(item, true) as f32)),
                Layout::Int { .. } => out.extend(items.map(|item| whole(item, false) as u64 as f32)),
                Layout::Float { .. } => out.extend(items.map(float)),
                _ => out.extend((0..batch.rows).map(|row| f32::from(is_there(&values, row)))),
            }
            let there = source.there(batch, column, first)?;
            if !there.is_empty() {
                let values = out[start..].iter_mut().enumerate();
                values.filter(|(row, _)| !is_there(&there, *row)).for_each(|(_, value)| *value = f32::NAN);
            }
            Ok(())
        })
    }

    fn texts(&mut self, column: usize) -> Result<Vec<String>> {
        let (layout, mut out) = (self.layouts[column], Vec::new());
        self.each(column, |source, batch, first| {
            let (bytes, signed, dictionary) = match layout {
                Layout::Labels { bytes, signed, dictionary, .. } => (bytes, signed, dictionary),
                Layout::Text { bytes } => {
                    out.extend(source.plain_texts(batch, column, first, bytes)?);
                    return Ok(());
                }
                _ => return Ok(()),
            };
            let there = source.there(batch, column, first)?;
            let size =
                batch.rows.checked_mul(bytes).ok_or_else(|| source.damaged("it claims too many rows"))?;
            let numbers = source.buffer(batch, first + 1, size)?;
            let labels = source
                .dictionaries
                .iter()
                .find(|(id, _)| *id == dictionary)
                .map_or(&[][..], |(_, labels)| labels);
            for (row, number) in numbers.chunks_exact(bytes).take(batch.rows).enumerate() {
                let label = usize::try_from(whole(number, signed)).ok().and_then(|n| labels.get(n));
                match (is_there(&there, row), label) {
                    (false, _) => out.push(String::new()),
                    (true, Some(label)) => out.push(label.clone()),
                    (true, None) => return Err(source.damaged("a label is not in its dictionary")),
                }
            }
            Ok(())
        })?;
        Ok(out)
    }
}

/// Offset, length of the metadata and length of the body in a block of the footer.
fn places(block: &[u8]) -> [u64; 3] {
    [0, 8, 16].map(|at| u64::from_le_bytes(block[at..at + 8].try_into().unwrap_or_default()))
}

/// Whether the bit of a row is set; no bits stand for all.
fn is_there(bits: &[u8], row: usize) -> bool {
    bits.is_empty() || bits[row / 8] >> (row % 8) & 1 == 1
}

/// A whole number of 1 to 8 bytes.
fn whole(bytes: &[u8], signed: bool) -> i64 {
    let mut wide = [if signed && bytes[bytes.len() - 1] & 0x80 != 0 { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(wide)
}

/// A float of 2, 4 or 8 bytes.
fn float(bytes: &[u8]) -> f32 {
    match *bytes {
        [a, b] => half::f16::from_le_bytes([a, b]).to_f32(),
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
        _ => f64::from_le_bytes(bytes.try_into().unwrap_or([0xff; 8])) as f32,
    }
}
