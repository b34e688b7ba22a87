//! A store as text: a header of gene ids, the sample id before each row.

use std::fmt::Write as _;
use std::io::Write;

use rayon::prelude::*;

use crate::store::Store;

/// Values that a block of rows holds; as text some 10 bytes each.
const BLOCK: usize = 2 << 20;

/// Writes every value in the fewest digits that give it back; `done` is told how many samples are written.
pub(super) fn write(
    store: &Store,
    delimiter: u8,
    out: &mut dyn Write,
    done: &dyn Fn(usize),
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
