//! A store as text: a header of gene ids, the sample id before each row.

use super::Done;
use std::io::Write;

use rayon::prelude::*;

use crate::genes::writer::Line;
use crate::store::Store;

/// Values that a block of rows holds; as text some 10 bytes each.
const BLOCK: usize = 2 << 20;

/// Writes every value in the fewest digits that give it back; `done` is told how many samples are written.
pub(super) fn write(store: &Store, delimiter: u8, out: &mut dyn Write, done: &Done) -> std::io::Result<()> {
    let (n, ids) = (store.n_samples(), &store.samples().ids);
    let header = std::iter::once(&store.samples().key).chain(&store.genes().ids);
    let mut names = Line::new(delimiter);
    header.for_each(|name| names.field(name));
    out.write_all(&names.end())?;
    let step = (BLOCK / store.n_genes()).clamp(1, n);
    for first in (0..n).step_by(step) {
        let last = (first + step).min(n);
        let lines = (first..last).into_par_iter().map_init(
            || (vec![0.0; store.n_genes()], Line::new(delimiter)),
            |(row, line), sample| {
                store.read_row(sample, row);
                line.field(&ids[sample]);
                row.iter().for_each(|value| line.number(value));
                line.end()
            },
        );
        for line in lines.collect::<Vec<_>>() {
            out.write_all(&line)?;
        }
        done(last)?;
    }
    Ok(())
}
