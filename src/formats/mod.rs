//! Matrix files, one file a format. Each reader yields blocks of rows of the file; [`import()`] turns them into
//! a store, whichever way round the file lies.
//!
//! A new format is a file with `open`, and a row in [`FORMATS`].

mod annotations;
mod archive;
mod archs4;
mod arrow;
mod columns;
pub(crate) mod compressed;
mod crew;
mod digest;
mod encoding;
mod evidence;
mod export;
mod fields;
mod flat;
mod fours;
mod gct;
mod gctx;
mod guarded;
mod h5ad;
mod hdf5;
mod header;
mod import;
mod index;
mod known;
mod lines;
mod loom;
mod missing;
mod mtx;
mod names;
mod npy;
mod npz;
mod npz_names;
mod numbers;
#[cfg(feature = "excel")]
mod ods;
#[cfg(feature = "excel")]
mod ole;
mod opening;
mod orientation;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet_table;
mod parts;
mod picking;
mod pickle;
mod pipe;
mod quoting;
mod series_matrix;
#[cfg(feature = "excel")]
mod sheet;
#[cfg(feature = "excel")]
mod sheet_rows;
mod sides;
mod slice;
mod spooled;
mod spread;
mod tenx;
mod text;
mod triples;
mod unread;
mod zip;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::genes::Table;
use crate::memory::Need;
use crate::visible;
pub use annotations::Told;
pub use export::{Beside, Embedded, export, export_table, export_with};
pub use import::{ImportSettings, import};
pub use missing::Missing;
pub use opening::{is_directory, open};
pub use orientation::Orientation;
pub use picking::Picking;
pub use slice::Slice;

/// Names the columns of a matrix that comes with names from a program as an import does those of a file: the ids' headers are a
/// store's, and `symbol`, `entrez` and `ensembl` are filled where other columns or the ids tell them.
pub fn settle_names(samples: &mut Table, genes: &mut Table) {
    names::settle_columns(samples, "sample_id");
    names::settle_columns(genes, "gene_id");
    names::add_symbols(genes);
}

/// One format that can be read.
pub struct Format {
    /// As `--format` takes it.
    pub name: &'static str,
    /// Endings of file names, without the dot and without those of [`PACKED`].
    pub extensions: &'static [&'static str],
    /// Whether a file that begins so may be of this format.
    magic: fn(&[u8]) -> bool,
    /// What the beginning should look like, for messages.
    begins: &'static str,
    open: fn(&Path, &ReadSettings) -> Result<MatrixFile>,
}

/// Every format, in the order in which they are tried.
pub const FORMATS: &[Format] = &[
    Format {
        name: "gctx",
        extensions: &["gctx"],
        magic: hdf5::magic,
        begins: "the HDF5 signature",
        open: gctx::open,
    },
    Format {
        name: "h5ad",
        extensions: &["h5ad"],
        magic: hdf5::magic,
        begins: "the HDF5 signature",
        open: h5ad::open,
    },
    Format {
        name: "h5mu",
        extensions: &["h5mu"],
        magic: hdf5::magic,
        begins: "the HDF5 signature",
        open: h5ad::open_h5mu,
    },
    Format {
        name: "archs4",
        extensions: &[],
        magic: hdf5::magic,
        begins: "the HDF5 signature",
        open: archs4::open,
    },
    Format {
        name: "10x",
        extensions: &["h5"],
        magic: hdf5::magic,
        begins: "the HDF5 signature",
        open: tenx::open,
    },
    Format {
        name: "loom",
        extensions: &["loom"],
        magic: hdf5::magic,
        begins: "the HDF5 signature",
        open: loom::open,
    },
    Format {
        name: "npy",
        extensions: &["npy"],
        magic: |start| start.starts_with(crate::store::npy::MAGIC),
        begins: "\\x93NUMPY",
        open: npy::open,
    },
    Format {
        name: "npz",
        extensions: &["npz"],
        magic: npz::magic,
        begins: "PK, as a zip archive",
        open: npz::open,
    },
    #[cfg(feature = "excel")]
    Format {
        name: "xlsx",
        extensions: &["xlsx", "xlsm", "xlsb", "xls", "ods"],
        magic: sheet::magic,
        begins: "PK or D0 CF 11 E0, as a workbook",
        open: sheet::open,
    },
    #[cfg(feature = "parquet")]
    Format {
        name: "parquet",
        extensions: &["parquet", "pq"],
        magic: parquet::magic,
        begins: "PAR1",
        open: parquet::open,
    },
    Format {
        name: "arrow",
        extensions: &["arrow", "feather", "ipc"],
        magic: arrow::magic,
        begins: "ARROW1 (Feather 1 and Arrow streams are not read)",
        open: arrow::open,
    },
    Format { name: "gct", extensions: &["gct"], magic: gct::magic, begins: "#1.2 or #1.3", open: gct::open },
    Format {
        name: "series-matrix",
        extensions: &[],
        magic: series_matrix::magic,
        begins: "!Series_ or !Sample_",
        open: series_matrix::open,
    },
    Format {
        name: "mtx",
        extensions: &["mtx"],
        magic: mtx::magic,
        begins: "%%MatrixMarket",
        open: triples::open,
    },
    Format { name: "csv", extensions: &["csv"], magic: text::magic, begins: "text", open: text::open_csv },
    Format {
        name: "tsv",
        extensions: &["tsv", "txt", "tab"],
        magic: text::magic,
        begins: "text",
        open: text::open_tsv,
    },
];

/// Endings of packed files.
const PACKED: [&str; 3] = [".gz", ".bz2", ".zst"];

/// A matrix that comes without names may have so many empty columns; more of them need values to be believed.
const FREE_NAMES: usize = 1 << 16;

/// What a name takes: the text, twice while files are joined, and its place in indices.
const NAME: usize = 320;

/// Refuses a matrix so large that names for its rows and columns would not fit in memory, whatever it was packed to.
fn room_for_names(path: &Path, rows: usize, columns: usize) -> Result<()> {
    let work = format!("{}: a matrix of {rows} × {columns}", visible::line(&path.display().to_string()));
    let need = Need::new().with("names of its rows and columns", &[rows.saturating_add(columns), NAME]);
    need.check(&work, "check the file; if it is what you want, this machine is too small for it")
}

/// Header of names that a reader made up for one side of a file that has none there.
const MADE_UP: &str = "made up";

/// What a reader may be told.
#[derive(Debug, Clone)]
pub struct ReadSettings {
    /// A name from [`FORMATS`]; the content and then the ending decide where it is `None`.
    pub format: Option<String>,
    /// The layer of an h5ad (`raw` too) or Loom file to read in place of its main matrix; the genome of a 10x file.
    pub layer: Option<String>,
    /// The sheet of a workbook to read, by name or by number from 1; the first unless told.
    pub sheet: Option<String>,
    /// The modality of an h5mu file to read.
    pub modality: Option<String>,
    /// Bytes that an import may hold at a time, roughly, beside names; 512 MiB unless told.
    pub memory: usize,
    /// What the columns and rows of a text file are.
    pub told: Told,
}

impl Default for ReadSettings {
    fn default() -> Self {
        let (format, layer, sheet, modality) = (None, None, None, None);
        ReadSettings { format, layer, sheet, modality, memory: 512 << 20, told: Told::default() }
    }
}

/// A matrix file, opened: what is known before its values are read.
pub struct MatrixFile {
    /// The format's name, with `.gz` or `.zst` where compressed.
    pub format: String,
    /// Names of the file's columns, the axis that runs fastest.
    pub columns: Table,
    /// Names of the rows where the file holds them apart from the values; text tells them row by row.
    pub rows: Option<Table>,
    /// The header above the row names, where there is one.
    pub corner: String,
    /// The orientation that the format defines for its matrix.
    pub natural: Option<Orientation>,
    /// Whether that is no definition but what files of the format mostly do; then the names go before it.
    pub habit: bool,
    /// Whether the matrix lies transposed in the file: blocks are then rows of its transpose, and
    /// [`MatrixFile::columns`] and [`MatrixFile::rows`] are named as they lie.
    pub transposed: bool,
    /// Whether the names are made up ("gene_1").
    pub unnamed: bool,
    /// Whether other names may be given although some are known, from files beside the matrix.
    pub nameable: bool,
    /// Whether the file's own axes have names for the columns alone, and those of the rows are made up.
    pub unnamed_rows: bool,
    /// A number that stands for a missing value.
    pub sentinel: Option<f32>,
    /// Why it lies as [`MatrixFile::natural`] says, where it is not the format that tells.
    pub reason: Option<&'static str>,
    /// Further files that were read: their path and what they are.
    pub beside: Vec<(PathBuf, &'static str)>,
    /// Things worth a word.
    pub notes: Vec<String>,
    /// Things worth a warning.
    pub warnings: Vec<String>,
    /// The checksum of the file, where it is taken while the values are read; when they are dropped it is there.
    digest: Option<digest::Digest>,
    /// The values.
    pub blocks: Box<dyn Blocks>,
}

impl MatrixFile {
    /// A file of which only this is known.
    fn new(format: &str, columns: Table, rows: Option<Table>, blocks: Box<dyn Blocks>) -> MatrixFile {
        MatrixFile {
            format: format.into(),
            columns,
            rows,
            corner: String::new(),
            natural: None,
            habit: false,
            transposed: false,
            unnamed: false,
            nameable: false,
            unnamed_rows: false,
            sentinel: None,
            reason: None,
            beside: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            digest: None,
            blocks,
        }
    }
}

impl MatrixFile {
    /// Whether names may be given for what it holds.
    fn may_be_named(&self) -> bool {
        self.unnamed || self.nameable
    }
}

/// Stands where the blocks of a file were taken out.
struct Nothing;

impl Blocks for Nothing {
    fn next(&mut self, _ids: &mut Vec<String>, _values: &mut Vec<f32>) -> Result<bool> {
        Ok(false)
    }

    fn done(&self) -> f64 {
        1.0
    }
}

/// Yields a matrix a block of rows at a time.
pub trait Blocks {
    /// Appends the next rows to `values` and, where [`MatrixFile::rows`] is `None`, their names to `ids`. False
    /// when there are no more. Missing values are NaN; infinite ones are passed on.
    ///
    /// # Errors
    /// [`Error::Input`] naming the place in the file.
    fn next(&mut self, ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool>;

    /// Share of the file that is read, 0 to 1.
    fn done(&self) -> f64;

    /// Whether all values of the last block are known to be finite, so that nobody has to look for missing ones.
    fn all_finite(&self) -> bool {
        false
    }

    /// Before the first block: hands out only these rows and columns from now on (ascending places; all where `None`), if
    /// the reader can do so at less cost than by reading everything.
    ///
    /// # Errors
    /// As [`Blocks::next`].
    fn pick(&mut self, rows: Option<&[usize]>, columns: Option<&[usize]>) -> Result<Picking> {
        let _ = (rows, columns);
        Ok(Picking::Not)
    }

    /// After the last block, further columns about the rows, where text tells them row by row.
    fn row_columns(&mut self) -> Vec<(String, Vec<String>)> {
        Vec::new()
    }

    /// After the last block, what of the rows should be said.
    ///
    /// # Errors
    /// [`Error::Input`] for a row that was to be left out and was not there.
    fn notes(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// What [`describe`] finds without reading the values.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FileInfo {
    /// The file.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// As in [`MatrixFile::format`].
    pub format: String,
    /// Rows where the format tells without reading all.
    pub rows: Option<usize>,
    /// Columns of values.
    pub columns: usize,
    /// `"samples"` or `"genes"`, as an import would take the rows; with the reason.
    pub rows_are: &'static str,
    /// Why.
    pub reason: String,
    /// The first row names.
    pub first_rows: Vec<String>,
    /// The first column names.
    pub first_columns: Vec<String>,
    /// What an import would warn of.
    pub warnings: Vec<String>,
}

/// Describes a matrix file from its header and its first block; of a text whose names do not tell which side holds the genes
/// the rows are counted.
///
/// # Errors
/// As [`open`], and a block that cannot be read.
pub fn describe(path: &Path, settings: &ReadSettings) -> Result<FileInfo> {
    describe_rows(path, settings, Orientation::Auto, 0)
}

/// As [`describe`], with the orientation that was asked for; rows that the format does not tell are counted as long as there are not so `many`, so that a file of fewer is
/// known by [`FileInfo::rows`] and a longer one is not read to its end.
///
/// # Errors
/// As [`describe`].
pub fn describe_rows(
    path: &Path,
    settings: &ReadSettings,
    told: Orientation,
    many: usize,
) -> Result<FileInfo> {
    let mut held = pipe::Held::default();
    let copy = held.path(path, &std::env::temp_dir().join("genelift"))?;
    let info = describe_file(&copy, settings, told, many).map_err(|error| held.error(error))?;
    Ok(FileInfo { path: held.text(&info.path), ..info })
}

/// [`describe`] of a file that can be read more than once.
fn describe_file(path: &Path, settings: &ReadSettings, told: Orientation, many: usize) -> Result<FileInfo> {
    let mut file = open(path, settings)?;
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    let (mut decision, mut over) = (None, false);
    while (decision.is_none() || ids.len() < many) && !over {
        values.clear();
        over = !file.blocks.next(&mut ids, &mut values)?;
        let rows = file.rows.as_ref().map_or(ids.as_slice(), |table| &table.ids);
        decision = decision.or_else(|| orientation::decide(&file, rows, told));
        over |= file.rows.is_some();
    }
    let counted = file.rows.as_ref().map(Table::len).or(over.then_some(ids.len()));
    let verdict = decision.unwrap_or_else(|| orientation::fallback(&file, counted.unwrap_or(0)));
    let rows = file.rows.as_ref().map_or(ids.as_slice(), |table| &table.ids);
    let sides = [(counted, rows), (Some(file.columns.len()), file.columns.ids.as_slice())];
    let [(rows, row_names), (columns, column_names)] =
        if file.transposed { [sides[1], sides[0]] } else { sides };
    let first = |ids: &[String]| ids.iter().take(3).cloned().collect();
    let doubt = verdict.doubt.iter().map(|doubt| format!("{}: {doubt}", path.display()));
    Ok(FileInfo {
        path: path.display().to_string(),
        bytes: bytes_of(path)?,
        rows,
        columns: columns.unwrap_or(0),
        rows_are: verdict.rows_of_file().word(),
        first_rows: first(row_names),
        first_columns: first(column_names),
        warnings: file.warnings.iter().cloned().chain(doubt).collect(),
        reason: verdict.reason,
        format: file.format,
    })
}

/// Length of a file, or of all files in a directory.
fn bytes_of(path: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in crate::store::files_of(path)? {
        bytes += file.metadata().map_err(Error::io(&file, "reading"))?.len();
    }
    Ok(bytes)
}

/// Reads up to `n` bytes.
fn read_start(input: &mut dyn Read, n: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(n);
    input.take(n as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
