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
use crate::progress::{Event, Reporter};
use crate::store::{Store, atomic, npy};

/// Writes a store; the last argument is told how many samples are written.
type Writer = fn(&Store, &mut dyn Write, &dyn Fn(usize)) -> std::io::Result<()>;

/// Endings of file names and what writes such a file.
const WRITERS: &[(&str, Writer)] = &[
    ("tsv", |store, out, done| text::write(store, b'\t', out, done)),
    ("csv", |store, out, done| text::write(store, b',', out, done)),
    ("npy", write_npy),
    ("h5ad", h5ad::write),
    ("gctx", gctx::write),
];

/// Writes the store to `path`: `.tsv` and `.csv` with a header of gene ids and the sample id before each row, every value
/// in the fewest digits that give it back; `.npy` the matrix alone, as it lies in the store; `.h5ad` and `.gctx` in f32 with
/// the columns of genes and samples; `.parquet` with a column for every gene.
///
/// # Errors
/// [`Error::Usage`] for another ending; a file that exists, without `force`; what the system refuses.
pub fn export(store: &Store, path: &Path, force: bool, report: Reporter) -> Result<()> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
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
    let done = |samples: usize| report(Event::Advanced { done: samples as u64, note: String::new() });
    atomic::write_file(path, force, |out| write(store, out, &done).map_err(Error::io(path, "writing")))?;
    report(Event::Finished);
    if ending == "npy" {
        let names = store.path().display();
        report(Event::Note(format!(
            "the names are in {names}/samples.tsv (rows) and {names}/genes.tsv (columns)"
        )));
    }
    Ok(())
}

fn write_npy(store: &Store, out: &mut dyn Write, done: &dyn Fn(usize)) -> std::io::Result<()> {
    out.write_all(&npy::header(&store.info().dtype, store.n_samples(), store.n_genes()))?;
    for sample in 0..store.n_samples() {
        out.write_all(store.row_bytes(sample))?;
        done(sample + 1);
    }
    Ok(())
}
