//! The same of a sparse store, from what is not zero: Σx·y over the samples that have both, in f64, and from it C = (Σx·y − n·μ·ν)/(σ·τ).
//! Cost: half the square of a sample's values, sample by sample, scattered; where few values are not zero that is far less than the n·G²
//! operations of products of dense blocks. Sums go by ascending samples, whoever computes them. A mean of many deviations, m, costs digits: of n
//! about m²·2⁻⁵³.

use std::ops::Range;

use rayon::prelude::*;

use super::Block;
use crate::device::Executor;
use crate::error::Result;
use crate::interrupt;
use crate::progress::{Event, Reporter, advance};
use crate::select::moments::Moments;
use crate::store::{Layout, Store};

/// The share of values that are not zero up to which this is faster than products of dense blocks on a CPU.
const MOST: f64 = 0.1;
/// Values of a batch of samples. The more, the more often a row of sums is met while it lies in the cache.
const BATCH: usize = 1 << 22;

/// Whether it is the faster way.
pub fn pays(executor: &dyn Executor, store: &Store, samples: &[usize]) -> bool {
    let held = || samples.iter().map(|sample| store.n_held(*sample)).sum::<usize>() as f64;
    let all = (samples.len() * store.n_genes()) as f64;
    executor.is_on_host() && store.layout() == Layout::Sparse && held() <= MOST * all
}

/// Some samples' values, one sample after the other.
#[derive(Default)]
struct Batch {
    genes: Vec<u32>,
    values: Vec<f32>,
    /// By gene, from `first` on: where its values are, and where those of the same sample end.
    places: Vec<Vec<Range<usize>>>,
}

impl Batch {
    /// As many of `samples` as fit; returns how many. Genes before `rows` are left out, those behind have no rows.
    fn fill(&mut self, store: &Store, samples: &[usize], rows: &Range<usize>) -> usize {
        self.genes.clear();
        self.values.clear();
        self.places.resize(rows.len(), Vec::new());
        self.places.iter_mut().for_each(Vec::clear);
        let mut taken = 0;
        for sample in samples {
            if taken > 0 && self.genes.len() + store.n_held(*sample) > BATCH {
                break;
            }
            let first = self.genes.len();
            store.each_held(*sample, |gene, value| {
                if gene >= rows.start {
                    self.genes.push(gene as u32);
                    self.values.push(value);
                }
            });
            let end = self.genes.len();
            for (at, gene) in (first..end).zip(&self.genes[first..]) {
                match self.places.get_mut(*gene as usize - rows.start) {
                    Some(places) => places.push(at..end),
                    None => break,
                }
            }
            taken += 1;
        }
        taken
    }

    /// Adds Σx·y of every gene with a row and those from it on; a row of `sums` has the genes from the first row on.
    fn add(&self, sums: &mut [f64], first: usize, width: usize) {
        let rows = sums.par_chunks_exact_mut(width).zip(&self.places).with_max_len(8);
        rows.for_each(|(row, places)| {
            for place in places {
                let x = f64::from(self.values[place.start]);
                let others = self.genes[place.clone()].iter().zip(&self.values[place.clone()]);
                others.for_each(|(gene, y)| row[*gene as usize - first] += x * f64::from(*y));
            }
        });
    }
}

/// The blocks of C, `width` genes wide, in as many passes over the samples as sums of `part` bytes ask for.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted).
pub fn blocks(
    store: &Store,
    samples: &[usize],
    moments: &Moments,
    [width, part]: [usize; 2],
    report: Reporter,
) -> Result<Vec<Block>> {
    let genes = store.n_genes();
    let n = genes.div_ceil(width);
    let mut passes: Vec<Range<usize>> = Vec::new();
    for row in 0..n {
        match passes.last_mut() {
            Some(pass) if (row + 1 - pass.start) * width * (genes - pass.start * width) * 8 <= part => {
                pass.end = row + 1;
            }
            _ => passes.push(row..row + 1),
        }
    }
    let total = Some((samples.len() * passes.len()) as u64);
    report(Event::Started { task: "products of genes".into(), total, unit: "samples" });
    let (mut blocks, mut batch, mut done) = (Vec::with_capacity(n * (n + 1) / 2), Batch::default(), 0);
    for pass in passes {
        let rows = pass.start * width..genes.min(pass.end * width);
        let wide = genes - rows.start;
        let mut sums = vec![0.0f64; rows.len() * wide];
        let mut rest = samples;
        while !rest.is_empty() {
            interrupt::check()?;
            let taken = batch.fill(store, rest, &rows);
            batch.add(&mut sums, rows.start, wide);
            rest = &rest[taken..];
            done += taken;
            advance(report, done as u64, "")?;
        }
        let scaled = |i: usize, j: usize| {
            let (i, j) = (i.min(j), i.max(j));
            let deviations = moments.deviations[i] * moments.deviations[j];
            let sum = sums[(i - rows.start) * wide + j - rows.start];
            let covariance = sum - samples.len() as f64 * moments.means[i] * moments.means[j];
            if deviations > 0.0 { (covariance / deviations) as f32 } else { 0.0 }
        };
        for row in pass {
            for col in row..n {
                let [down, across] = [row, col].map(|at| at * width..genes.min((at + 1) * width));
                let mut values = vec![0.0; down.len() * across.len()];
                let lines = values.par_chunks_exact_mut(across.len()).zip(down);
                lines.for_each(|(line, i)| {
                    line.iter_mut().zip(across.clone()).for_each(|(c, j)| *c = scaled(i, j))
                });
                blocks.push(Block { row, col, values });
            }
        }
    }
    report(Event::Finished);
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::super::Covariance;
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::device::random::Stream;
    use crate::progress::silent;

    #[test]
    fn what_is_not_zero_gives_the_products_of_all() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut executor = CpuExecutor::open(Some(2)).expect("threads");
        for (n, genes, width, part) in
            [(2, 1, 16, 1), (33, 17, 16, 1), (97, 131, 48, 48 * 131 * 8 * 2), (60, 257, 4096, 1)]
        {
            let mut stream = Stream::new(3, "counts of a test", 0);
            // one gene in each sample, one in none, others in one of twelve; one of large values
            let mut value = |i: usize| match (i % genes, stream.uniform()) {
                (0, u) => 1.0 + u as f32,
                (1, _) => 0.0,
                (2, u) => 1e3 + u as f32,
                (_, u) if u < 0.08 => (u * 100.0).ceil() as f32,
                _ => 0.0,
            };
            let values: Vec<f32> = (0..n * genes).map(&mut value).collect();
            let store = crate::testing::sparse_store(&dir.path().join("x.gex"), genes, &values);
            let samples: Vec<usize> = (0..n).filter(|sample| n < 10 || sample % 7 != 5).collect();
            let moments = Moments::of(&store, &samples).unwrap();
            let width = super::super::even(genes, width);
            let blocks = blocks(&store, &samples, &moments, [width, part], &silent).expect("computed");
            let found = Covariance::of_blocks(genes, width, blocks);
            let sizes = [width, 32, 3 * width * width * 4];
            let dense = Covariance::of_samples(&mut executor, &store, &samples, &moments, sizes, &silent);
            let dense = dense.expect("computed");
            let z = |gene: usize| -> Vec<f64> {
                let (mean, sd) = (moments.means[gene], moments.deviations[gene]);
                let scaled = |sample: &usize| (f64::from(values[sample * genes + gene]) - mean) / sd;
                samples.iter().map(|sample| if sd > 0.0 { scaled(sample) } else { 0.0 }).collect()
            };
            let z: Vec<Vec<f64>> = (0..genes).map(z).collect();
            for i in 0..genes {
                for j in 0..genes {
                    let plain: f64 = z[i].iter().zip(&z[j]).map(|(a, b)| a * b).sum();
                    let close = |c: f32| (f64::from(c) - plain).abs() <= 3e-7 * n as f64;
                    assert!(
                        close(found.value(i, j)),
                        "{n} × {genes}, ({i}, {j}): {}, {plain}",
                        found.value(i, j)
                    );
                }
                // sums over whole blocks see both halves of one on the diagonal
                assert!((found.squares()[i] - dense.squares()[i]).abs() <= 1e-5 * (n * n * genes) as f64);
            }
        }
    }
}
