//! Genes of many samples a block at a time, z-scored, so that memory does not grow with the number of genes.

use super::dense::{Dense, Standardised};
use crate::error::Result;
use crate::progress::{Event, Reporter, advance};
use crate::store::{Layout, Store};

/// Values of a block of targets (64 MiB), so that memory does not grow with their number.
pub const BLOCK_VALUES: usize = 8 << 20;

/// Genes' samples and values as columns.
fn dense(genes: &[Vec<(u32, f32)>], samples: usize) -> Dense {
    let mut values = Dense::zeros(samples, genes.len());
    for (column, held) in genes.iter().enumerate() {
        for (row, value) in held {
            values.values[*row as usize * genes.len() + column] = f64::from(*value);
        }
    }
    values
}

/// Reads genes in blocks, z-scored by the given samples.
pub fn blocks(
    store: &Store,
    samples: &[usize],
    genes: &[usize],
    task: &str,
    report: Reporter,
    visit: impl FnMut(Standardised),
) -> Result<()> {
    in_blocks(BLOCK_VALUES, (store, samples, genes), task, report, visit)
}

fn in_blocks(
    values: usize,
    (store, samples, genes): (&Store, &[usize], &[usize]),
    task: &str,
    report: Reporter,
    mut visit: impl FnMut(Standardised),
) -> Result<()> {
    report(Event::Started { task: task.into(), total: Some(genes.len() as u64), unit: "genes" });
    let mut done = 0;
    let block = (values / samples.len()).max(1);
    let at_once = match store.layout() {
        Layout::Dense => genes.len().max(1),
        Layout::Sparse => (store.genes_at_once(samples, values) / block).max(1) * block,
    };
    for genes in genes.chunks(at_once) {
        let held = (store.layout() == Layout::Sparse).then(|| store.held_by_gene(samples, genes));
        for (i, genes) in genes.chunks(block).enumerate() {
            visit(match &held {
                None => Standardised::read(store, samples, genes),
                Some(held) => Standardised::of(dense(&held[i * block..][..genes.len()], samples.len())),
            });
            done += genes.len() as u64;
            advance(report, done, "")?;
        }
    }
    report(Event::Finished);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;
    use crate::testing::{sparse_store, store};

    /// Blocks of three genes, eight or so of which a sparse store looks for at once.
    #[test]
    fn blocks_of_a_sparse_store_are_those_of_a_dense_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut stream = crate::device::random::Stream::new(2, "counts of a test", 0);
        let value = |u: f64| if u < 0.1 { (u * 50.0).ceil() as f32 } else { 0.0 };
        let values: Vec<f32> = (0..60 * 50).map(|_| value(stream.uniform())).collect();
        let dense = store(&dir.path().join("d.gex"), 50, &values);
        let sparse = sparse_store(&dir.path().join("s.gex"), 50, &values);
        let samples: Vec<usize> = (0..60).filter(|sample| sample % 9 != 4).rev().collect();
        // not in the store's order, and not all
        let genes: Vec<usize> = (0..47).map(|i| i * 7 % 50).collect();
        let read = |store: &Store| {
            let mut all = Vec::new();
            let visit = |block: Standardised| all.push((block.values.values, block.mean, block.sd));
            in_blocks(200, (store, &samples, &genes), "reading", &silent, visit).unwrap();
            all
        };
        assert!((2..16).contains(&(sparse.genes_at_once(&samples, 200) / 3)), "several at once, not all");
        assert_eq!(read(&sparse), read(&dense));
        assert_eq!(read(&dense).len(), 16);
    }
}
