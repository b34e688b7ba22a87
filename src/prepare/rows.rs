//! The samples of a store seen through the steps taken so far.
//!
//! Every step is a map from a row to a row, fitted where it must be by one more pass over the store. Nothing is set
//! aside: memory is one block of rows, whatever the store's size. Between steps values are f32, as a store
//! holds them, so several steps at once give the bytes of the same steps one by one.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};
use crate::store::{Store, Table};

/// Values that a block of rows holds (32 MiB).
const BLOCK: usize = 8 << 20;

/// Nothing, or what is wrong with a sample's values.
pub(super) type Mapped = std::result::Result<(), String>;

/// Changes one sample's values.
type Map<'a> = Box<dyn Fn(&mut Vec<f32>) -> Mapped + Send + Sync + 'a>;

/// Samples of a store behind a chain of maps.
pub(super) struct Rows<'a> {
    store: &'a Store,
    genes: Table,
    maps: Vec<Map<'a>>,
    /// Values of a block.
    block: usize,
}

impl<'a> Rows<'a> {
    /// The store as it is.
    pub fn of(store: &'a Store) -> Rows<'a> {
        Rows { store, genes: store.genes().clone(), maps: Vec::new(), block: BLOCK }
    }

    /// The store behind.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The genes after all maps.
    pub fn genes(&self) -> &Table {
        &self.genes
    }

    /// Adds a map that keeps the genes.
    pub fn then(&mut self, map: impl Fn(&mut Vec<f32>) -> Mapped + Send + Sync + 'a) {
        self.maps.push(Box::new(map));
    }

    /// Takes the last map away, which kept the genes.
    pub fn undo(&mut self) {
        self.maps.pop();
    }

    /// Adds a map that never fails and makes these genes of the present ones.
    pub fn regroup(&mut self, genes: Table, map: impl Fn(&[f32]) -> Vec<f32> + Send + Sync + 'a) {
        self.genes = genes;
        self.then(move |row| {
            *row = map(row);
            Ok(())
        });
    }

    /// Keeps the given genes, in the given order.
    pub fn pick(&mut self, genes: Table, places: Vec<usize>) {
        self.regroup(genes, move |row| places.iter().map(|place| row[*place]).collect());
    }

    /// Calls `visit` with blocks of whole rows, in the order of the samples.
    ///
    /// # Errors
    /// [`Error::Data`] naming the first sample that a map refuses; those of `visit`.
    pub fn blocks(
        &self,
        task: &str,
        report: Reporter,
        mut visit: impl FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        let (n, width) = (self.store.n_samples(), self.genes.len());
        let step = (self.block / width).clamp(1, n);
        let mut block = Vec::new();
        report(Event::Started { task: task.into(), total: Some(n as u64), unit: "samples" });
        for first in (0..n).step_by(step) {
            block.resize(step.min(n - first) * width, 0.0);
            let refused = block
                .par_chunks_mut(width)
                .enumerate()
                .map_init(Vec::new, |row, (i, out)| {
                    row.resize(self.store.n_genes(), 0.0);
                    self.store.read_row(first + i, row);
                    let mapped = self.maps.iter().try_for_each(|map| map(row));
                    mapped.map(|()| out.copy_from_slice(row)).err().map(|message| (first + i, message))
                })
                .flatten()
                .min_by_key(|(sample, _)| *sample);
            if let Some((sample, message)) = refused {
                let sample = &self.store.samples().ids[sample];
                let path = self.store.path().display();
                return Err(Error::Data(format!("{path}: sample {sample:?}: {message}")));
            }
            visit(&block)?;
            let done = (first + block.len() / width) as u64;
            report(Event::Advanced { done, note: String::new() });
        }
        report(Event::Finished);
        Ok(())
    }

    /// Mean and standard deviation of every gene, in one pass (Welford's recurrence, in f64).
    ///
    /// # Errors
    /// Those of [`Rows::blocks`].
    pub fn moments(&self, task: &str, report: Reporter) -> Result<Moments> {
        /// Genes a task.
        const GENES: usize = 256;
        let width = self.genes.len();
        let (mut mean, mut squares, mut n) = (vec![0.0f64; width], vec![0.0f64; width], 0usize);
        self.blocks(task, report, |block| {
            let parts = mean.par_chunks_mut(GENES).zip(squares.par_chunks_mut(GENES)).enumerate();
            parts.for_each(|(part, (mean, squares))| {
                for (i, row) in block.chunks_exact(width).enumerate() {
                    let (count, row) = ((n + i + 1) as f64, &row[part * GENES..]);
                    for ((mean, squares), x) in mean.iter_mut().zip(&mut *squares).zip(row) {
                        let delta = f64::from(*x) - *mean;
                        *mean += delta / count;
                        *squares += delta * (f64::from(*x) - *mean);
                    }
                }
            });
            n += block.len() / width;
            Ok(())
        })?;
        let sd = squares.into_iter().map(|s| (s / n as f64).sqrt()).collect();
        Ok(Moments { mean, sd })
    }
}

/// By gene.
pub(super) struct Moments {
    /// Mean over samples.
    pub mean: Vec<f64>,
    /// Standard deviation with n in the denominator; exactly 0 for a constant gene.
    pub sd: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::Element;
    use crate::progress::silent;
    use crate::store::{Origin, StoreWriter};

    #[test]
    fn nothing_depends_on_the_size_of_a_block() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (n, genes) = (37, 259);
        let value = |s: usize, g: usize| ((s * 31 + g * 7) % 101) as f32 / 3.0;
        let mut writer =
            StoreWriter::create(&dir.path().join("a.gex"), genes, Element::F32, false).expect("created");
        for s in 0..n {
            writer.push_rows(&(0..genes).map(|g| value(s, g)).collect::<Vec<_>>()).expect("pushed");
        }
        let tables = (Table::numbered("gene_id", "g", genes), Table::numbered("sample_id", "s", n));
        let store = writer.finish(tables.0, tables.1, Origin::default()).expect("finished");
        let mut results = Vec::new();
        for block in [1, 257, 3 * 258, BLOCK] {
            let mut rows = Rows { block, ..Rows::of(&store) };
            rows.pick(store.genes().select(&(1..genes).collect::<Vec<_>>()), (1..genes).collect());
            rows.then(|row| match row[0] {
                x if x > 1e9 => Err("too large".into()),
                _ => Ok(()),
            });
            let mut all = Vec::new();
            rows.blocks("reading", &silent, |block| {
                all.extend_from_slice(block);
                Ok(())
            })
            .expect("read");
            assert!((0..all.len()).all(|i| all[i] == value(i / (genes - 1), i % (genes - 1) + 1)));
            let moments = rows.moments("moments", &silent).expect("read");
            results.push((moments.mean, moments.sd));
        }
        assert!(results.iter().all(|result| *result == results[0]));
    }

    #[test]
    fn the_first_refused_sample_is_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut writer =
            StoreWriter::create(&dir.path().join("a.gex"), 1, Element::F32, false).expect("created");
        writer.push_rows(&(0..1000).map(|s| s as f32).collect::<Vec<_>>()).expect("pushed");
        let tables = (Table::numbered("gene_id", "g", 1), Table::numbered("sample_id", "s", 1000));
        let store = writer.finish(tables.0, tables.1, Origin::default()).expect("finished");
        let mut rows = Rows::of(&store);
        rows.then(|row| if row[0] >= 6.0 { Err(format!("{} is too much", row[0])) } else { Ok(()) });
        let message = rows.blocks("reading", &silent, |_| Ok(())).expect_err("refused").to_string();
        assert!(message.contains("sample \"s_7\": 6 is too much"), "{message}");
    }
}
