//! A store → a matrix file, a block of rows at a time, one file a format.
//!
//! A new format is a file with `write`, and a row in [`WRITERS`].

mod gctx;
mod h5ad;
mod hdf5;
mod text;

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::genes::{Sheet, Untold};
use crate::progress::{Event, Reporter, advance};
use crate::store::{Store, atomic, npy};

/// What is written beside a store's matrix and its own columns, where a format has a place for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Beside {
    /// Further columns of samples: name and one field a sample.
    pub obs: Vec<(String, Vec<String>)>,
    /// Further columns of genes: name and one field a gene.
    pub var: Vec<(String, Vec<String>)>,
    /// Samples × width, row by row, such as an embedding.
    pub obsm: Vec<Embedded>,
}

/// Coordinates of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// Such as `X_bottleneck`.
    pub name: String,
    /// Coordinates a sample.
    pub width: usize,
    /// Samples × width.
    pub values: Vec<f32>,
}

/// Writes a store; the last argument is told how many samples are written.
type Writer = fn(&Store, &Beside, &mut dyn Write, &Done) -> std::io::Result<()>;

/// Is told how many samples are written, and may end the writing.
type Done<'a> = dyn Fn(usize) -> std::io::Result<()> + 'a;

/// Endings of file names and what writes such a file.
const WRITERS: &[(&str, Writer)] = &[
    ("tsv", |store, _, out, done| text::write(store, b'\t', out, done)),
    ("csv", |store, _, out, done| text::write(store, b',', out, done)),
    ("npy", |store, _, out, done| write_npy(store, out, done)),
    ("h5ad", h5ad::write),
    ("gctx", |store, _, out, done| gctx::write(store, out, done)),
];

/// Writes the store to `path`: `.tsv` and `.csv` with a header of gene ids and the sample id before each row, every value
/// in the fewest digits that give it back; `.npy` the matrix alone, as it lies in the store; `.h5ad` and `.gctx` in f32 with
/// the columns of genes and samples; `.parquet` with a column for every gene.
///
/// # Errors
/// [`Error::Usage`] for another ending; a file that exists, without `force`; what the system refuses.
pub fn export(store: &Store, path: &Path, force: bool, report: Reporter) -> Result<()> {
    export_with(store, &Beside::default(), path, force, report)
}

/// As [`export`], with what goes beside; of an `.h5ad` alone.
///
/// # Errors
/// As [`export`]; [`Error::Usage`] for another ending where there is something to go beside.
pub fn export_with(store: &Store, beside: &Beside, path: &Path, force: bool, report: Reporter) -> Result<()> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if *beside != Beside::default() && ending != "h5ad" {
        let message = format!("{}: only an .h5ad has a place for --with; give such a name", path.display());
        return Err(Error::Usage(message));
    }
    #[cfg(feature = "parquet")]
    if ending == "parquet" {
        return super::parquet::write(store, path, force, report);
    }
    let Some((_, write)) = WRITERS.iter().find(|(name, _)| *name == ending) else {
        let parquet = cfg!(feature = "parquet").then_some("parquet");
        let endings: Vec<_> =
            WRITERS.iter().map(|(name, _)| *name).chain(parquet).map(|name| format!(".{name}")).collect();
        let message =
            format!("{}: a store is exported as {}; give such a name", path.display(), endings.join(", "));
        return Err(Error::Usage(message));
    };
    // a value takes its own bytes, or a digit and a delimiter at least
    let least = if matches!(&*ending, "tsv" | "csv") { 2 } else { store.element().bytes() };
    atomic::check_space(path, (store.n_samples() * store.n_genes() * least) as u64)?;
    report(Event::Started {
        task: format!("writing {}", path.display()),
        total: Some(store.n_samples() as u64),
        unit: "samples",
    });
    let done = |samples: usize| advance(report, samples as u64, "").map_err(std::io::Error::other);
    atomic::write_file(path, force, |out| {
        // an interruption is handed through as it is
        let own =
            |error: std::io::Error| error.downcast::<Error>().unwrap_or_else(Error::io(path, "writing"));
        write(store, beside, out, &done).map_err(own)
    })?;
    report(Event::Finished);
    if ending == "npy" {
        let names = store.path().display();
        report(Event::Note(format!(
            "the names are in {names}/samples.tsv (rows) and {names}/genes.tsv (columns)"
        )));
    }
    Ok(())
}

/// Writes a table of results as `.parquet`, numbers as numbers.
///
/// # Errors
/// [`Error::Usage`] for another ending; those of reading the table; a file that exists, without `force`; what the system refuses.
pub fn export_table(table: &Path, path: &Path, force: bool) -> Result<usize> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let sheet = Sheet::read(table, Untold::Header)?;
    #[cfg(feature = "parquet")]
    if ending == "parquet" {
        super::parquet_table::write(&sheet, path, force)?;
        return Ok(sheet.lines.len());
    }
    #[cfg(not(feature = "parquet"))]
    let _ = force; // nothing is written
    let (from, to) = (table.display(), path.display());
    Err(Error::Usage(format!(
        "{to}: the table {from} is exported as .parquet, not as .{ending}; give such a name"
    )))
}

fn write_npy(store: &Store, out: &mut dyn Write, done: &Done) -> std::io::Result<()> {
    out.write_all(&npy::header(&store.info().dtype, store.n_samples(), store.n_genes()))?;
    let mut room = Vec::new();
    for sample in 0..store.n_samples() {
        out.write_all(store.row_bytes(sample, &mut room))?;
        done(sample + 1)?;
    }
    Ok(())
}
