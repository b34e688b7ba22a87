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
}

impl<'a> Rows<'a> {
    /// The store as it is.
    pub fn of(store: &'a Store) -> Rows<'a> {
        Rows { store, genes: store.genes().clone(), maps: Vec::new() }
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
        let step = (BLOCK / width).clamp(1, n);
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
