//! k-means of samples by mini-batches, and the products that its distances and those of duplicates come from.

use rayon::prelude::*;

use super::rows::Rows;
use crate::device::cpu::{total, vectorized};
use crate::device::random::Stream;
use crate::device::recording::{Activation, Call, Element, Epilogue, Layout, Matrix, Recording, Step};
use crate::device::{Executor, Program};
use crate::error::Result;
use crate::progress::{Event, Reporter, advance};
use crate::store::Store;

/// Rows of a batch, and the values that it holds at most (48 MiB).
const BATCH: usize = 512;
const BATCH_VALUES: usize = 12 << 20;

/// Batches that centres learn from, at most, and passes over few samples.
const BATCHES: usize = 128;
const PASSES: usize = 10;

/// Rows of a batch of `width` values.
pub(super) fn batch_rows(width: usize) -> usize {
    (BATCH_VALUES / width).clamp(1, BATCH)
}

/// x·y − ‖y‖²/2 of rows x against rows y, on the device: the larger, the nearer, for ‖x − y‖² = ‖x‖² − 2(x·y − ‖y‖²/2).
/// Rows far from zero are moved by one `shift` first, which changes no distance and keeps f32 from losing it in long vectors.
pub(super) struct Nearness<'a> {
    executor: &'a mut dyn Executor,
    x: Matrix,
    y: Matrix,
    bias: Matrix,
    out: Matrix,
    program: Program,
    nearest: Matrix,
    search: Program,
}

impl<'a> Nearness<'a> {
    /// Of at most `rows` x and `others` y of `width` values. Frees what was on the device before.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn new(
        executor: &'a mut dyn Executor,
        rows: usize,
        others: usize,
        width: usize,
    ) -> Result<Nearness<'a>> {
        executor.reset();
        let mut matrix = |name, rows, cols| executor.matrix(name, rows, cols, Element::F32);
        let (x, y) = (matrix("samples", rows, width)?, matrix("samples to compare with", others, width)?);
        let (bias, out) = (matrix("lengths", 1, others)?, matrix("nearness", rows, others)?);
        let mut recording = Recording::new();
        let epilogue =
            Epilogue::Layer { bias, activation: Activation::Linear, dropout: None, kept: None, out };
        recording.product("nearness", Layout::Nt, x, y, Element::F32, epilogue);
        let program = executor.compile(&recording)?;
        let nearest = executor.matrix("nearest", rows, 1, Element::F32)?;
        recording.push(Call::Largest { input: out, out: nearest });
        let search = executor.compile(&recording)?;
        Ok(Nearness { executor, x, y, bias, out, program, nearest, search })
    }

    /// Sets the rows y.
    pub fn against(&mut self, y: &[f32], shift: Option<&[f32]>) -> Result<()> {
        let squares = self.write(self.y, y, shift)?;
        let mut bias: Vec<f32> = squares.iter().map(|squares| (-squares / 2.0) as f32).collect();
        bias.resize(self.y.rows, 0.0);
        self.executor.write(self.bias, 0, &bias)
    }

    /// Of every x its squared length and, a row an x, its nearness to every y that there is room for.
    pub fn of(&mut self, x: &[f32], shift: Option<&[f32]>) -> Result<(Vec<f64>, Vec<f32>)> {
        let squares = self.write(self.x, x, shift)?;
        let rows = squares.len();
        self.executor.run(self.program, &Step { rows, ..Step::default() })?;
        Ok((squares, self.executor.read(self.out, 0, rows)?))
    }

    /// Of every x the nearest y, the first of equals. There must be as many y as there is room for.
    pub fn nearest(&mut self, x: &[f32]) -> Result<Vec<usize>> {
        let rows = x.len() / self.x.cols;
        self.executor.write(self.x, 0, x)?;
        self.executor.run(self.search, &Step { rows, ..Step::default() })?;
        Ok(self.executor.read(self.nearest, 0, rows)?.into_iter().map(|y| y as usize).collect())
    }

    /// Writes rows less `shift`; returns their squared lengths.
    fn write(&mut self, matrix: Matrix, values: &[f32], shift: Option<&[f32]>) -> Result<Vec<f64>> {
        /// Rows that are moved at a time.
        const ROWS: usize = 64;
        let width = matrix.cols;
        let lengths =
            |values: &[f32]| -> Vec<f64> { values.par_chunks_exact(width).map(squared_length).collect() };
        let Some(shift) = shift else {
            self.executor.write(matrix, 0, values)?;
            return Ok(lengths(values));
        };
        let mut squares = Vec::new();
        for (part, values) in values.chunks(ROWS * width).enumerate() {
            let mut moved = values.to_vec();
            moved.par_chunks_exact_mut(width).for_each(|row| subtract(row, shift));
            squares.extend(lengths(&moved));
            self.executor.write(matrix, part * ROWS, &moved)?;
        }
        Ok(squares)
    }
}

/// [`kmeans`] of a store's samples.
///
/// # Errors
/// As there.
pub(crate) fn cluster(
    store: &Store,
    executor: &mut dyn Executor,
    clusters: usize,
    seed: u64,
    report: Reporter,
) -> Result<Vec<usize>> {
    kmeans(&Rows::of(&[store], report)?, executor, clusters, seed, report)
}

/// Rows of a batch of k-means, and how many batches the centres learn from.
pub(crate) fn batches(n: usize, width: usize, clusters: usize) -> (usize, usize) {
    let batch = batch_rows(width).max(clusters).min(n);
    (batch, BATCHES.min(PASSES * n.div_ceil(batch)))
}

/// The cluster of every row: k-means by mini-batches (Sculley 2010) from a k-means++ start (Arthur & Vassilvitskii
/// 2007), as D-GEX's MiniBatchKMeans. Memory is that of three batches and the centres.
///
/// # Errors
/// Those of reading rows; [`crate::Error::Device`].
pub(super) fn kmeans(
    rows: &Rows,
    executor: &mut dyn Executor,
    clusters: usize,
    seed: u64,
    report: Reporter,
) -> Result<Vec<usize>> {
    let (n, width) = (rows.len(), rows.genes().len());
    let (batch, batches) = batches(n, width, clusters);
    let mut order: Vec<usize> = (0..n).collect();
    Stream::new(seed, "k-means batches", 0).shuffle(&mut order);

    let mut values = Vec::new();
    rows.read_all(|i| order[i], batch, &mut values)?;
    // near zero f32 keeps distances in long vectors
    let shift = mean(&values, width);
    let read = |place: &(dyn Fn(usize) -> usize + Sync), n: usize, values: &mut Vec<f32>| -> Result<()> {
        rows.read_each(place, n, values, |row| subtract(row, &shift))
    };
    values.par_chunks_exact_mut(width).for_each(|row| subtract(row, &shift));
    let mut centres = spread(&values, width, clusters.min(batch), seed, executor)?;
    let k = centres.len() / width;
    let mut counts = vec![0u64; k];
    let mut nearness = Nearness::new(executor, batch, k, width)?;
    report(Event::Started { task: "k-means".into(), total: Some(batches as u64), unit: "batches" });
    for done in 0..batches {
        let place = |i: usize| order[(done * batch + i) % n];
        read(&place, batch, &mut values)?;
        nearness.against(&centres, None)?;
        let labels = nearness.nearest(&values)?;
        let moves = centres.par_chunks_exact_mut(width).zip(&mut counts).enumerate();
        moves.for_each(|(cluster, (centre, count))| {
            for (_, row) in labels.iter().zip(values.chunks_exact(width)).filter(|(l, _)| **l == cluster) {
                *count += 1;
                approach(centre, row, 1.0 / *count as f32);
            }
        });
        advance(report, done as u64 + 1, "")?;
    }
    report(Event::Finished);

    nearness.against(&centres, None)?;
    let mut labels = Vec::with_capacity(n);
    report(Event::Started { task: "clusters".into(), total: Some(n as u64), unit: "samples" });
    for first in (0..n).step_by(batch) {
        read(&|i| first + i, batch.min(n - first), &mut values)?;
        labels.extend(nearness.nearest(&values)?);
        advance(report, labels.len() as u64, "")?;
    }
    report(Event::Finished);
    Ok(labels)
}

/// Two rows as far apart as this share of their squared lengths count as copies: f32 sums do not tell them apart.
const COPIES: f64 = 1e-6;

/// k rows, each drawn with a chance that grows with its squared distance from those before it (k-means++); fewer
/// where all others are copies of them. Distances of all pairs are one product.
fn spread(
    values: &[f32],
    width: usize,
    k: usize,
    seed: u64,
    executor: &mut dyn Executor,
) -> Result<Vec<f32>> {
    let rows: Vec<&[f32]> = values.chunks_exact(width).collect();
    let n = rows.len();
    let mut pairs = Nearness::new(executor, n, n, width)?;
    pairs.against(values, None)?;
    let (squares, near) = pairs.of(values, None)?;
    let mut stream = Stream::new(seed, "k-means start", 0);
    let mut last = stream.below(n as u64) as usize;
    let mut chosen = rows[last].to_vec();
    let mut nearest = vec![f64::INFINITY; n];
    while chosen.len() < k * width {
        for (row, nearest) in nearest.iter_mut().enumerate() {
            let squared = squares[row] - 2.0 * f64::from(near[row * n + last]);
            let apart = row != last && squared > COPIES * (squares[row] + squares[last]);
            *nearest = nearest.min(if apart { squared } else { 0.0 });
        }
        let mut rest = stream.uniform() * nearest.iter().sum::<f64>();
        let far = (0..n).filter(|row| nearest[*row] > 0.0);
        let next = far.reduce(|row, next| {
            rest -= nearest[row];
            if rest < 0.0 { row } else { next }
        });
        let Some(next) = next else { break };
        chosen.extend_from_slice(rows[next]);
        last = next;
    }
    Ok(chosen)
}

/// x ← x − y
fn subtract(x: &mut [f32], y: &[f32]) {
    vectorized(
        #[inline(always)]
        || x.iter_mut().zip(y).for_each(|(x, y)| *x -= y),
    );
}

/// x ← x + (y − x)·rate
fn approach(x: &mut [f32], y: &[f32], rate: f32) {
    vectorized(
        #[inline(always)]
        || x.iter_mut().zip(y).for_each(|(x, y)| *x += (y - *x) * rate),
    );
}

/// ‖x‖², in f64.
fn squared_length(x: &[f32]) -> f64 {
    sum_over(x, x, |x, _| x * x)
}

/// ‖x − y‖², in f64.
pub(super) fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
    sum_over(x, y, |x, y| (x - y) * (x - y))
}

/// Σ term(x, y), in f64: sixteen sums, which the compiler keeps in vectors.
#[inline(always)]
fn sum_over(x: &[f32], y: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [0.0f64; 16];
            let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<16>(), y.as_chunks::<16>());
            for (x, y) in x.iter().zip(y) {
                for lane in 0..16 {
                    sums[lane] += term(f64::from(x[lane]), f64::from(y[lane]));
                }
            }
            for ((x, y), sum) in x_rest.iter().zip(y_rest).zip(&mut sums) {
                *sum += term(f64::from(*x), f64::from(*y));
            }
            total(sums)
        },
    )
}

/// The mean of rows.
pub(super) fn mean(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; width];
    for row in rows.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    let n = (rows.len() / width) as f64;
    sums.into_iter().map(|sum| (sum / n) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;

    /// k-means++ draws by squared distance: after 0, of 1 and 3, the latter 9 times in 10. A draw by distance would take it 3
    /// times in 4, a uniform one every other time, and one for the farthest always.
    #[test]
    fn centres_are_drawn_by_squared_distance() {
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let (mut begun, mut far) = ([0; 3], 0);
        for seed in 0..900 {
            let centres = spread(&[0.0, 1.0, 3.0], 1, 2, seed, &mut executor).unwrap();
            let first = [0.0, 1.0, 3.0].iter().position(|x| *x == centres[0]).unwrap();
            begun[first] += 1;
            assert!(centres.len() == 2 && centres[0] != centres[1]);
            far += usize::from(first == 0 && centres[1] == 3.0);
        }
        assert!(begun.iter().all(|times| (240..360).contains(times)), "the first is any: {begun:?}");
        let share = far as f64 / f64::from(begun[0]);
        assert!((0.84..0.95).contains(&share), "{share}");
        // copies are no centres
        assert_eq!(spread(&[2.0, 2.0, 2.0], 1, 2, 1, &mut executor).unwrap(), [2.0]);
    }
}
