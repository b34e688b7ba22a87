//! Opening a matrix file: what it is packed in, which format it is of, and what it may be told.

use std::io::Read;
use std::path::Path;

use super::{
    FORMATS, Format, MatrixFile, PACKED, ReadSettings, archive, compressed, encoding, hdf5, spooled, text,
    triples, unread, zip,
};
use crate::error::{Error, Result};
use crate::genes::Table;

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
        let mut input = compressed::open(path)?.0;
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
