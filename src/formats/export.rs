//! A store → a matrix file, samples × genes, a block of rows at a time.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};
use crate::store::{Store, atomic, npy};

/// Values that a block of rows holds; as text some 10 bytes each.
const BLOCK: usize = 2 << 20;

/// Writes the store's matrix to `path`: `.tsv` and `.csv` with a header of gene ids and the sample id before each row, every
/// value in the fewest digits that give it back; `.npy` as the values lie in the store; `.parquet`
/// with a column for every gene.
///
/// # Errors
/// [`Error::Usage`] for another ending; a file that exists, without `force`; what the system refuses.
pub fn export(store: &Store, path: &Path, force: bool, report: Reporter) -> Result<()> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let delimiter = match ending.as_str() {
        "tsv" => Some(b'\t'),
        "csv" => Some(b','),
        "npy" => None,
        #[cfg(feature = "parquet")]
        "parquet" => None,
        _ => {
            let message = format!(
                "{}: a store is exported as .tsv, .csv, .npy or .parquet; give such a name",
                path.display()
            );
            return Err(Error::Usage(message));
        }
    };
    #[cfg(feature = "parquet")]
    if ending == "parquet" {
        return super::parquet::write(store, path, force, report);
    }
    let n = store.n_samples();
    report(Event::Started {
        task: format!("writing {}", path.display()),
        total: Some(n as u64),
        unit: "samples",
    });
    let done = |samples: usize| report(Event::Advanced { done: samples as u64, note: String::new() });
    atomic::write_file(path, force, |out| {
        match delimiter {
            Some(delimiter) => write_text(store, delimiter, out, done),
            None => write_npy(store, out, done),
        }
        .map_err(Error::io(path, "writing"))
    })?;
    report(Event::Finished);
    if delimiter.is_none() {
        let names = store.path().display();
        report(Event::Note(format!(
            "the names are in {names}/samples.tsv (rows) and {names}/genes.tsv (columns)"
        )));
    }
    Ok(())
}

fn write_npy(store: &Store, out: &mut dyn Write, done: impl Fn(usize)) -> std::io::Result<()> {
    out.write_all(&npy::header(&store.info().dtype, store.n_samples(), store.n_genes()))?;
    for sample in 0..store.n_samples() {
        out.write_all(store.row_bytes(sample))?;
        done(sample + 1);
    }
    Ok(())
}

fn write_text(
    store: &Store,
    delimiter: u8,
    out: &mut dyn Write,
    done: impl Fn(usize),
) -> std::io::Result<()> {
    let (n, ids) = (store.n_samples(), &store.samples().ids);
    let header = std::iter::once(&store.samples().key).chain(&store.genes().ids);
    csv::WriterBuilder::new().delimiter(delimiter).from_writer(&mut *out).write_record(header)?;
    let step = (BLOCK / store.n_genes()).clamp(1, n);
    for first in (0..n).step_by(step) {
        let last = (first + step).min(n);
        let lines = (first..last).into_par_iter().map_init(
            || vec![0.0; store.n_genes()],
            |row, sample| {
                store.read_row(sample, row);
                line(&ids[sample], row, delimiter)
            },
        );
        for line in lines.collect::<Vec<_>>() {
            out.write_all(line.as_bytes())?;
        }
        done(last);
    }
    Ok(())
}

/// A row: the id, quoted where it must be, and the values.
fn line(id: &str, row: &[f32], delimiter: u8) -> String {
    let special = [delimiter as char, '"', '\n', '\r'];
    let mut text = String::with_capacity(row.len() * 10);
    match id.contains(special) {
        true => text.extend(["\"", &id.replace('"', "\"\""), "\""]),
        false => text.push_str(id),
    }
    for x in row {
        text.push(delimiter as char);
        let _ = write!(text, "{x}");
    }
    text.push('\n');
    text
}
