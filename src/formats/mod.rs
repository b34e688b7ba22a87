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
mod encoding;
mod evidence;
mod export;
mod fields;
mod flat;
mod gct;
mod gctx;
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
mod orientation;
#[cfg(feature = "parquet")]
mod parquet;
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
mod tenx;
mod text;
mod triples;
mod unread;
mod zip;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::store::Table;
pub use annotations::Told;
pub use export::export;
pub use import::{ImportSettings, import};
pub use missing::Missing;
pub use orientation::Orientation;
pub use picking::Picking;
pub use slice::Slice;

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

/// Recognises the format of `path`, by content first, then by the ending, and opens it.
///
/// # Errors
/// [`Error::Input`] for a file of no known format or of another one than its ending or `--format` says;
/// [`Error::Usage`] for a format that does not exist.
pub fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    if path.is_dir() {
        return triples::open_directory(path, settings);
    }
    let (start, compression) = compressed::start(path)?;
    let start = encoding::start(start);
    if start.is_empty() {
        return Err(Error::input(path, "the file is empty"));
    }
    if let Some(message) = unread::look(path, &start, settings.format.is_some()) {
        return Err(Error::input(path, message));
    }
    let mut file = if !compression.is_empty() && !(text::magic)(&start) {
        let mut input = compressed::open(path, Default::default())?.0;
        unpacked(path, &mut input, settings)?
    } else if start.starts_with(zip::MAGIC) {
        open_archive(path, &start, settings)?
    } else {
        open_as(path, &start, settings)?
    };
    file.format.push_str(compression);
    if file.columns.is_empty() || file.rows.as_ref().is_some_and(Table::is_empty) {
        return Err(Error::input(path, "the matrix is empty: it has no rows or no columns"));
    }
    Ok(file)
}

/// Opens what `input` unpacks to: formats that are not read from end to end need a copy that can be.
fn unpacked(path: &Path, input: &mut dyn Read, settings: &ReadSettings) -> Result<MatrixFile> {
    let copy = spooled::Spooled::copy(path, input)?;
    let (mib, dir) = (copy.bytes.div_ceil(1 << 20), std::env::temp_dir());
    let note = format!("{}: unpacked into {} ({mib} MiB) while it is read", path.display(), dir.display());
    let mut file = copy.open(|inner| {
        let start = compressed::start(inner)?.0;
        match start.starts_with(zip::MAGIC) {
            true => open_archive(inner, &start, settings),
            false => open_as(inner, &start, settings),
        }
    })?;
    file.notes.push(note);
    Ok(file)
}

/// Opens a zip archive by what it holds.
fn open_archive(path: &Path, start: &[u8], settings: &ReadSettings) -> Result<MatrixFile> {
    let zip = zip::Zip::open(path)?;
    let name = match archive::content(path, &zip)? {
        archive::Content::Format(name) => name,
        archive::Content::One(member) => {
            let mut input = zip.read(&member)?;
            let copy = spooled::Spooled::copy(path, &mut input)?;
            let mut file = copy.open(|inner| open(inner, settings))?;
            file.notes.push(format!(
                "{}: a zip archive; its one file {} is read",
                path.display(),
                member.name
            ));
            file.format.push_str(".zip");
            return Ok(file);
        }
    };
    let told = settings.format.clone().unwrap_or(name.to_string());
    open_as(path, start, &ReadSettings { format: Some(told), ..settings.clone() })
}

/// Opens a file that is not packed and begins with `start`.
fn open_as(path: &Path, start: &[u8], settings: &ReadSettings) -> Result<MatrixFile> {
    let format = match settings.format.as_deref() {
        Some(name) => FORMATS.iter().find(|f| f.name == name).ok_or_else(|| {
            let names = FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
            Error::Usage(format!("--format {name}: the formats are auto, {names}"))
        })?,
        None => recognise(path, start)?,
    };
    if !(format.magic)(start) {
        let (name, begins) = (format.name, format.begins);
        let remedy = match text::magic(start) && std::str::from_utf8(&start[..start.len().min(64)]).is_ok() {
            true => "it looks like text: if it is the table, pass --format tsv or csv",
            false => "is it damaged or misnamed?",
        };
        return Err(Error::input(
            path,
            format!("is not a {name} file: it does not begin with {begins}; {remedy}"),
        ));
    }
    let for_others = [
        ("--layer", settings.layer.is_some(), &["h5ad", "h5mu", "loom", "10x"][..]),
        ("--sheet", settings.sheet.is_some(), &["xlsx"]),
        ("--modality", settings.modality.is_some(), &["h5mu"]),
    ];
    if let Some((option, _, formats)) =
        for_others.iter().find(|(_, told, formats)| *told && !formats.contains(&format.name))
    {
        let (formats, path) = (formats.join(", "), path.display());
        let message = format!("{option} is for {formats}; {path} is {}", format.name);
        return Err(Error::Usage(message));
    }
    if let Some((option, formats)) = settings.told.unfit(format.name) {
        let (formats, path) = (formats.join(", "), path.display());
        let message = format!(
            "{option} is for {formats}; {path} is {}; --only-samples, --only-genes and --where choose in every format",
            format.name
        );
        return Err(Error::Usage(message));
    }
    (format.open)(path, settings)
}

/// Whether `path` is a directory that holds a matrix file in parts, as 10x Genomics writes it.
pub fn is_directory(path: &Path) -> bool {
    path.is_dir() && triples::is_directory(path)
}

/// The format by content where that is telling, else by the file's ending.
fn recognise(path: &Path, start: &[u8]) -> Result<&'static Format> {
    let by_name = |name: &str| FORMATS.iter().find(|f| f.name == name).expect("a row of the table");
    if hdf5::magic(start) {
        return Ok(by_name(hdf5::kind(path)?));
    }
    let ending = ending(path);
    let by_ending = FORMATS.iter().find(|f| f.extensions.contains(&ending.as_str()));
    let telling = FORMATS.iter().find(|f| f.begins != "text" && (f.magic)(start));
    match telling.or(by_ending) {
        Some(format) => Ok(format),
        None if text::magic(start) => Ok(by_name("tsv")),
        None => {
            let endings: Vec<_> =
                FORMATS.iter().flat_map(|f| f.extensions).map(|e| format!(".{e}")).collect();
            Err(Error::input(
                path,
                format!(
                    "is of no known format; {} are read, text also as {}",
                    endings.join(", "),
                    PACKED.join(", ")
                ),
            ))
        }
    }
}

/// The last ending in lower case, looking behind [`PACKED`].
fn ending(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = PACKED.iter().find_map(|e| name.strip_suffix(e)).unwrap_or(&name);
    name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_string())
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
    let mut held = pipe::Held::default();
    let copy = held.path(path, &std::env::temp_dir().join("genelift"))?;
    let info = describe_file(&copy, settings).map_err(|error| held.error(error))?;
    Ok(FileInfo { path: held.text(&info.path), ..info })
}

/// [`describe`] of a file that can be read more than once.
fn describe_file(path: &Path, settings: &ReadSettings) -> Result<FileInfo> {
    let mut file = open(path, settings)?;
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    let (mut decision, mut over) = (None, false);
    while decision.is_none() && !over {
        values.clear();
        over = !file.blocks.next(&mut ids, &mut values)?;
        let rows = file.rows.as_ref().map_or(ids.as_slice(), |table| &table.ids);
        decision = orientation::decide(&file, rows, Orientation::Auto);
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
