//! What is summed over samples: some samples are read at a time, their genes in strips that threads share, so that memory grows with
//! neither and a store is read in its own order.

use std::ops::Range;

use rayon::prelude::*;

use super::{Layout, Store};
use crate::error::Result;
use crate::progress::{Event, Reporter, advance};

/// Samples at a time.
pub const SAMPLES: usize = 1_024;
/// Genes of a strip, at most.
pub const GENES: usize = 256;

/// Values of a strip's genes in some samples.
pub enum Values {
    /// Samples × genes.
    All(Vec<f32>),
    /// Of each gene what is not zero, by place among the samples, ascending.
    Held(Vec<Vec<(u32, f32)>>),
}

impl Values {
    /// As the store holds them.
    pub fn read(store: &Store, samples: &[usize], genes: &[usize]) -> Values {
        if store.layout() == Layout::Sparse {
            return Values::Held(store.held_by_gene(samples, genes));
        }
        let mut all = vec![0.0; samples.len() * genes.len()];
        let rows = all.chunks_exact_mut(genes.len().max(1));
        samples.iter().zip(rows).for_each(|(sample, row)| store.read_genes(*sample, genes, row));
        Values::All(all)
    }
}

/// Where so many genes are cut; follows from their number alone.
pub fn cut(genes: usize) -> impl Iterator<Item = Range<usize>> {
    // small lists are for several threads too
    let step = genes.div_ceil(64).clamp(16, GENES);
    (0..genes).step_by(step).map(move |first| first..genes.min(first + step))
}

/// Mean and standard deviation by gene over some samples of a store, in its units.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Σx/n
    pub mean: Vec<f64>,
    /// With n in the denominator; 0 for a gene of one value.
    pub sd: Vec<f64>,
}

/// Sums of a gene's deviations from its value in the first sample, which lose no digits.
#[derive(Clone)]
struct Sums {
    first: f64,
    deviations: f64,
    squares: f64,
    varies: bool,
}

impl Sums {
    fn add(&mut self, value: f64, times: f64) {
        let d = value - self.first;
        self.deviations += times * d;
        self.squares += times * d * d;
        self.varies |= times > 0.0 && d != 0.0;
    }

    fn spread(&self, n: f64) -> (f64, f64) {
        let mean = self.deviations / n;
        let variance = (self.squares / n - mean * mean).max(0.0);
        (self.first + mean, if self.varies { variance.sqrt() } else { 0.0 })
    }
}

impl Spread {
    /// Of `genes`, positions in the store, over `samples`, of which there is at least one.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn of(store: &Store, samples: &[usize], genes: &[usize], report: Reporter) -> Result<Spread> {
        report(Event::Started { task: "scaling".into(), total: Some(samples.len() as u64), unit: "samples" });
        let mut first = vec![0.0; genes.len()];
        store.read_genes(samples[0], genes, &mut first);
        let new =
            |first: &f32| Sums { first: f64::from(*first), deviations: 0.0, squares: 0.0, varies: false };
        let sums = |strip: Range<usize>| (strip.clone(), first[strip].iter().map(new).collect());
        let mut strips: Vec<(Range<usize>, Vec<Sums>)> = cut(genes.len()).map(sums).collect();
        let mut done = 0;
        for samples in samples.chunks(SAMPLES) {
            strips.par_iter_mut().for_each(|(strip, sums)| {
                add(sums, &Values::read(store, samples, &genes[strip.clone()]), samples.len());
            });
            done += samples.len();
            advance(report, done as u64, "")?;
        }
        report(Event::Finished);
        let n = samples.len() as f64;
        let (mean, sd) = strips.iter().flat_map(|(_, sums)| sums).map(|sums| sums.spread(n)).unzip();
        Ok(Spread { mean, sd })
    }

    /// Of some of the genes.
    pub fn part(&self, genes: Range<usize>) -> Spread {
        Spread { mean: self.mean[genes.clone()].to_vec(), sd: self.sd[genes].to_vec() }
    }

    /// A gene's z-score; 0 for a gene of one value.
    pub fn z(&self, gene: usize, value: f64) -> f64 {
        if self.sd[gene] > 0.0 { (value - self.mean[gene]) / self.sd[gene] } else { 0.0 }
    }
}

fn add(sums: &mut [Sums], values: &Values, samples: usize) {
    match values {
        Values::All(all) => {
            for row in all.chunks_exact(sums.len().max(1)) {
                sums.iter_mut().zip(row).for_each(|(sums, value)| sums.add(f64::from(*value), 1.0));
            }
        }
        Values::Held(held) => {
            for (sums, held) in sums.iter_mut().zip(held) {
                held.iter().for_each(|(_, value)| sums.add(f64::from(*value), 1.0));
                sums.add(0.0, (samples - held.len()) as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;
    use crate::testing::{sparse_store, store};

    /// Genes of counts, of one value (0 or another), of a value far from 0, and one whose first value is far from all others; more samples than are
    /// read at a time.
    #[test]
    fn mean_and_sd_are_those_of_whole_columns_in_either_layout() {
        let dir = tempfile::tempdir().unwrap();
        let mut stream = crate::device::random::Stream::new(3, "values of a test", 0);
        let n = SAMPLES + 77;
        let mut values = Vec::new();
        for sample in 0..n {
            let counts: Vec<f32> =
                (0..30).map(|_| (stream.uniform() * 12.0 - 10.0).max(0.0) as f32).collect();
            values.extend(counts);
            values.extend([0.0, 0.1, 4000.0 + stream.uniform() as f32, if sample == 9 { 1e4 } else { 0.3 }]);
        }
        let samples: Vec<usize> = (0..n).rev().filter(|sample| sample % 5 != 1).collect();
        let genes: Vec<usize> = (0..34).map(|i| i * 3 % 34).collect();
        for store in [
            store(&dir.path().join("d.gex"), 34, &values),
            sparse_store(&dir.path().join("s.gex"), 34, &values),
        ] {
            let found = Spread::of(&store, &samples, &genes, &silent).unwrap();
            for (place, gene) in genes.iter().enumerate() {
                let column = samples.iter().map(|sample| f64::from(values[sample * 34 + gene]));
                let mean = column.clone().sum::<f64>() / samples.len() as f64;
                let variance = column.clone().map(|x| (x - mean).powi(2)).sum::<f64>() / samples.len() as f64;
                let constant = column.clone().all(|x| x == f64::from(values[samples[0] * 34 + gene]));
                let sd = if constant { 0.0 } else { variance.sqrt() };
                assert!((found.mean[place] - mean).abs() <= 1e-12 * mean.abs(), "mean of {gene}");
                assert!(
                    (found.sd[place] - sd).abs() <= 1e-9 * sd,
                    "sd of {gene}: {} for {sd}",
                    found.sd[place]
                );
            }
            assert_eq!(found.sd.iter().filter(|sd| **sd == 0.0).count(), 2);
        }
    }

    #[test]
    fn strips_are_all_genes_once() {
        for genes in [0, 1, 15, 16, 17, 1_024, 1_025, 20_000] {
            let strips: Vec<Range<usize>> = cut(genes).collect();
            let all: Vec<usize> = strips.iter().cloned().flatten().collect();
            assert_eq!(all, (0..genes).collect::<Vec<_>>());
            assert!(strips.iter().all(|strip| strip.len() <= GENES));
        }
    }
}
