//! Parquet: one row a sample. Values lie by column, so they are read (as `columns.rs` says) and written gene by gene.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnDescPtr, Type};

use super::columns::{self, Columnar, Kind};
use super::{MatrixFile, ReadSettings, compressed, index};
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter, advance};
use crate::store::{Store, atomic};

type Outcome<T> = parquet::errors::Result<T>;

/// Values taken from a column at a time.
const BATCH: usize = 1 << 16;

pub(super) fn magic(start: &[u8]) -> bool {
    start.starts_with(b"PAR1")
}

fn kind(column: &ColumnDescPtr) -> Kind {
    if column.max_rep_level() > 0 || column.max_def_level() > 1 {
        return Kind::Other;
    }
    match (column.physical_type(), column.logical_type_ref()) {
        (Physical::BYTE_ARRAY, None | Some(LogicalType::String | LogicalType::Enum)) => Kind::Text,
        (Physical::INT32 | Physical::INT64, None | Some(LogicalType::Integer(_)))
        | (Physical::BOOLEAN | Physical::FLOAT | Physical::DOUBLE, None)
        | (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16)) => Kind::Number,
        _ => Kind::Other,
    }
}

/// Whether a column holds whole numbers without a sign, which Parquet stores in a signed type.
fn unsigned(column: &ColumnDescPtr) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::Integer(integer)) if !integer.is_signed)
}

/// Refuses what the pages may be packed with and is not read.
fn known_packings(path: &Path, groups: &[RowGroupMetaData]) -> Result<()> {
    let packing = |column: &ColumnChunkMetaData| match column.compression() {
        Compression::BROTLI(_) => Some("brotli"),
        Compression::LZO => Some("LZO"),
        _ => None,
    };
    let Some(name) = groups.iter().flat_map(|group| group.columns()).find_map(packing) else { return Ok(()) };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    Err(Error::input(
        path,
        format!(
            "is packed with {name}; plain, snappy, gzip, zstd and lz4 are read: in Python \
             pandas.read_parquet(\"{file}\").to_parquet(\"matrix.parquet\") writes snappy"
        ),
    ))
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::input(path, format!("the Parquet file cannot be read ({error}); it may be truncated or damaged"))
}

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let file = File::open(path).map_err(Error::io(path, "opening"))?;
    let length = file.metadata().map_err(Error::io(path, "reading"))?.len();
    let reader = guarded(path, || SerializedFileReader::new(file))?;
    let mut source = Source { path: path.to_path_buf(), reader, n: 0 };
    let columns = source.reader.metadata().file_metadata().schema_descr().columns().to_vec();
    let groups = source.reader.metadata().row_groups();
    let rows =
        groups.iter().try_fold(0usize, |n, group| n.checked_add(usize::try_from(group.num_rows()).ok()?));
    // The best that run lengths and deflate can do is far below this.
    let most = usize::try_from(length).unwrap_or(usize::MAX).saturating_mul(1 << 16);
    source.n = rows.filter(|n| *n <= most).ok_or_else(|| damaged(path, &"it claims too many rows"))?;

    known_packings(path, groups)?;
    let columns: Vec<_> = columns.iter().map(|c| (c.name().to_string(), kind(c))).collect();
    let n = source.n;
    let notes = source.reader.metadata().file_metadata().key_value_metadata();
    let note =
        notes.into_iter().flatten().find(|note| note.key == "pandas").and_then(|note| note.value.clone());
    let pandas = note.map_or(Vec::new(), |note| index::of_pandas(&note));
    columns::file("parquet", path, &columns, &pandas, n, source, settings)
}

/// Runs a call into the library, which may panic on a damaged file.
fn guarded<T>(path: &Path, call: impl FnOnce() -> Outcome<T>) -> Result<T> {
    match super::guarded::guarded(call) {
        Some(outcome) => outcome.map_err(|e| damaged(path, &e)),
        None => Err(damaged(path, &"the reader gave up")),
    }
}

struct Source {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    /// Rows in all.
    n: usize,
}

impl Source {
    /// Hands the values of a column to `each` in batches: the values that are there, and for each row whether one is.
    fn column(&self, column: usize, mut each: impl FnMut(Values, &[i16]) -> Outcome<()>) -> Result<()> {
        let metadata = self.reader.metadata();
        let read = || -> Outcome<usize> {
            let mut seen = 0;
            for group in 0..metadata.num_row_groups() {
                let group = self.reader.get_row_group(group)?;
                let (rows, start) = (group.metadata().num_rows() as usize, seen);
                let metadata = group.metadata().column(column);
                let mut reader = match metadata.compression() {
                    Compression::ZSTD(_) => self.unpacked(group.metadata(), column)?,
                    _ => group.get_column_reader(column)?,
                };
                loop {
                    let n = BATCH.min((rows + start).saturating_sub(seen));
                    let records = if n > 0 { batch(&mut reader, n, &mut each)? } else { 0 };
                    seen += records;
                    if records == 0 {
                        break;
                    }
                }
            }
            Ok(seen)
        };
        guarded(&self.path, read).map(|_| ())
    }
}

impl Source {
    /// The values of a column packed with Zstandard. The library's own reading of it needs C; told that the pages are not
    /// packed, it hands them out as they lie.
    fn unpacked(&self, group: &RowGroupMetaData, column: usize) -> Outcome<ColumnReader> {
        let metadata = group.column(column);
        let plain = metadata.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let file = Arc::new(File::open(&self.path)?);
        let pages = SerializedPageReader::new(file, &plain, group.num_rows() as usize, None)?;
        Ok(get_column_reader(metadata.column_descr_ptr(), Box::new(Unpacked(pages))))
    }
}

/// Pages unpacked one by one.
struct Unpacked(SerializedPageReader<File>);

impl Unpacked {
    fn page(page: Page) -> Outcome<Page> {
        Ok(match page {
            Page::DictionaryPage { buf, num_values, encoding, is_sorted } => {
                Page::DictionaryPage { buf: unzstd(&buf, 0)?.into(), num_values, encoding, is_sorted }
            }
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                rep_level_encoding,
                statistics,
            } => {
                let buf = unzstd(&buf, 0)?.into();
                Page::DataPage {
                    buf,
                    num_values,
                    encoding,
                    def_level_encoding,
                    rep_level_encoding,
                    statistics,
                }
            }
            // The levels at the start of such a page are never packed.
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                num_nulls,
                num_rows,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed: true,
                statistics,
            } => Page::DataPageV2 {
                buf: unzstd(&buf, def_levels_byte_len as usize + rep_levels_byte_len as usize)?.into(),
                num_values,
                encoding,
                num_nulls,
                num_rows,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed: false,
                statistics,
            },
            plain => plain,
        })
    }
}

impl Iterator for Unpacked {
    type Item = Outcome<Page>;

    fn next(&mut self) -> Option<Outcome<Page>> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Unpacked {
    fn get_next_page(&mut self) -> Outcome<Option<Page>> {
        self.0.get_next_page()?.map(Unpacked::page).transpose()
    }

    fn peek_next_page(&mut self) -> Outcome<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Outcome<()> {
        self.0.skip_next_page()
    }
}

/// A page of which all but the first `plain` bytes is packed.
fn unzstd(page: &[u8], plain: usize) -> Outcome<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| ParquetError::General(format!("a page does not unpack: {e}"));
    let (levels, packed) = page.split_at_checked(plain).ok_or_else(|| failed(&"it is too short"))?;
    let mut out = levels.to_vec();
    let most = (LARGEST_PAGE - plain.min(LARGEST_PAGE)) as u64;
    compressed::zstd(packed).take(most).read_to_end(&mut out).map_err(|e| failed(&e))?;
    if out.len() >= LARGEST_PAGE {
        return Err(failed(&"it is larger than 1 GiB"));
    }
    Ok(out)
}

/// A page that unpacks to more is damaged.
const LARGEST_PAGE: usize = 1 << 30;

impl Columnar for Source {
    fn whole(&mut self, column: usize) -> Result<Option<Vec<i64>>> {
        let unsigned = unsigned(&self.reader.metadata().file_metadata().schema_descr().column(column));
        let (mut out, mut all) = (Vec::new(), true);
        self.column(column, |values, there| {
            all &= there.iter().all(|there| *there > 0);
            match values {
                Values::I32(v) if unsigned => out.extend(v.iter().map(|x| i64::from(*x as u32))),
                Values::I32(v) => out.extend(v.iter().map(|x| i64::from(*x))),
                Values::I64(v) => out.extend_from_slice(v),
                _ => all = false,
            }
            Ok(())
        })?;
        Ok(Some(out).filter(|_| all))
    }

    fn texts(&mut self, column: usize) -> Result<Vec<String>> {
        let mut out = Vec::new();
        self.column(column, |values, there| {
            let Values::Bytes(bytes) = values else { return Ok(()) };
            let mut bytes = bytes.iter();
            let mut text =
                || bytes.next().map_or(String::new(), |b| String::from_utf8_lossy(b.data()).into_owned());
            out.extend(there.iter().map(|there| if *there > 0 { text() } else { String::new() }));
            Ok(())
        })?;
        Ok(out)
    }

    fn numbers(&mut self, column: usize, out: &mut Vec<f32>) -> Result<()> {
        let unsigned = unsigned(&self.reader.metadata().file_metadata().schema_descr().column(column));
        self.column(column, |values, there| {
            let mut spread = |values: &mut dyn Iterator<Item = f32>| {
                let value =
                    |there: &i16| if *there > 0 { values.next().unwrap_or(f32::NAN) } else { f32::NAN };
                out.extend(there.iter().map(value));
            };
            match values {
                Values::Bool(v) => spread(&mut v.iter().map(|x| f32::from(*x))),
                Values::I32(v) if unsigned => spread(&mut v.iter().map(|x| *x as u32 as f32)),
                Values::I32(v) => spread(&mut v.iter().map(|x| *x as f32)),
                Values::I64(v) if unsigned => spread(&mut v.iter().map(|x| *x as u64 as f32)),
                Values::I64(v) => spread(&mut v.iter().map(|x| *x as f32)),
                Values::F32(v) => spread(&mut v.iter().copied()),
                Values::F64(v) => spread(&mut v.iter().map(|x| *x as f32)),
                Values::Bytes(_) => spread(&mut std::iter::empty()),
            }
            Ok(())
        })
    }
}

fn half(bytes: &[u8]) -> f32 {
    <[u8; 2]>::try_from(bytes).map_or(f32::NAN, |bytes| half::f16::from_le_bytes(bytes).to_f32())
}

/// The values of a batch, without the missing ones.
enum Values<'a> {
    Bool(&'a [bool]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Bytes(&'a [ByteArray]),
}

/// Reads up to `n` rows; how many there were.
fn batch(
    reader: &mut ColumnReader,
    n: usize,
    each: &mut impl FnMut(Values, &[i16]) -> Outcome<()>,
) -> Outcome<usize> {
    let (mut levels, mut halves) = (Vec::new(), Vec::new());
    macro_rules! read {
        ($reader:expr, $values:ident, $wrap:expr) => {{
            let mut $values = Vec::new();
            let (records, read, _) = $reader.read_records(n, Some(&mut levels), None, &mut $values)?;
            // A column that must have values has no levels.
            if levels.len() < records {
                levels = vec![i16::from(read == records); records];
            }
            each($wrap, &levels[..records])?;
            Ok(records)
        }};
    }
    match reader {
        ColumnReader::BoolColumnReader(reader) => read!(reader, values, Values::Bool(&values)),
        ColumnReader::Int32ColumnReader(reader) => read!(reader, values, Values::I32(&values)),
        ColumnReader::Int64ColumnReader(reader) => read!(reader, values, Values::I64(&values)),
        ColumnReader::FloatColumnReader(reader) => read!(reader, values, Values::F32(&values)),
        ColumnReader::DoubleColumnReader(reader) => read!(reader, values, Values::F64(&values)),
        ColumnReader::ByteArrayColumnReader(reader) => read!(reader, values, Values::Bytes(&values)),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => read!(reader, values, {
            halves.extend(values.drain(..).map(|bytes| half(bytes.data())));
            Values::F32(&halves)
        }),
        ColumnReader::Int96ColumnReader(_) => Ok(0),
    }
}

/// Writes a store as Parquet: the sample ids, what describes the samples, then a column of f32 for every gene, in one row
/// group.
///
/// # Errors
/// Two columns of one name; what the system refuses.
pub(super) fn write(store: &Store, path: &Path, force: bool, report: Reporter) -> Result<()> {
    let (samples, genes) = (store.samples(), store.genes());
    let names = || {
        std::iter::once(samples.key.as_str())
            .chain(samples.column_names())
            .chain(genes.ids.iter().map(String::as_str))
    };
    let mut seen = std::collections::HashSet::new();
    if let Some(name) = names().find(|name| !seen.insert(*name)) {
        let message =
            format!("{name:?} is a gene and a column of the samples; a Parquet file needs different names");
        return Err(Error::Data(message));
    }
    let failed = |e: ParquetError| Error::Io {
        path: path.to_path_buf(),
        action: "writing",
        source: std::io::Error::other(e),
    };
    let described = 1 + samples.columns.len();
    let field = |(at, name): (usize, &str)| {
        let text = at < described;
        let physical = if text { Physical::BYTE_ARRAY } else { Physical::FLOAT };
        let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        field.with_logical_type(text.then_some(LogicalType::String)).build().map(Arc::new)
    };
    let fields = names().enumerate().map(field).collect::<Outcome<_>>().map_err(failed)?;
    let schema = Type::group_type_builder("schema").with_fields(fields).build().map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .build();
    let (n, n_genes) = (store.n_samples(), store.n_genes());
    report(Event::Started {
        task: format!("writing {}", path.display()),
        total: Some(n_genes as u64),
        unit: "genes",
    });
    atomic::write_path(path, force, |temporary| {
        let file = File::create(temporary).map_err(Error::io(path, "creating"))?;
        let mut writer =
            SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        let mut group = writer.next_row_group().map_err(failed)?;
        for fields in std::iter::once(&samples.ids).chain(samples.columns.iter().map(|(_, fields)| fields)) {
            let texts: Vec<ByteArray> = fields.iter().map(|field| field.as_str().into()).collect();
            put::<ByteArrayType>(&mut group, &texts).map_err(failed)?;
        }
        let (mut values, step) = (Vec::new(), (WRITTEN / n).max(1));
        for first in (0..n_genes).step_by(step) {
            let last = (first + step).min(n_genes);
            store.read_columns(first, last, &mut values);
            for gene in values.chunks_exact(n) {
                put::<FloatType>(&mut group, gene).map_err(failed)?;
            }
            advance(report, last as u64, "")?;
        }
        group.close().map_err(failed)?;
        writer.close().map_err(failed)?;
        Ok(())
    })?;
    report(Event::Finished);
    Ok(())
}

/// Values that are turned at a time when a store is written (64 MiB).
const WRITTEN: usize = 16 << 20;

/// Writes the next column of a row group.
fn put<T: DataType>(group: &mut SerializedRowGroupWriter<File>, values: &[T::T]) -> Outcome<()> {
    let missing = || ParquetError::General("there are more columns than the schema has".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}
