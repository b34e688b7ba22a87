//! k-means of samples by mini-batches, and the products that its distances and those of duplicates come from.

use rayon::prelude::*;

use super::rows::Rows;
use crate::device::random::Stream;
use crate::device::recording::{Activation, Call, Element, Epilogue, Layout, Matrix, Recording, Step};
use crate::device::{Executor, Program};
use crate::error::Result;
use crate::progress::{Event, Reporter};
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
/// Both are moved by one `shift` first, which changes no distance and keeps f32 from losing it in long vectors.
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
        let epilogue = Epilogue::Layer { bias, activation: Activation::Linear, dropout: None, out };
        recording.product("nearness", Layout::Nt, x, y, false, epilogue);
        let program = executor.compile(&recording)?;
        let nearest = executor.matrix("nearest", rows, 1, Element::F32)?;
        recording.push(Call::Largest { input: out, out: nearest });
        let search = executor.compile(&recording)?;
        Ok(Nearness { executor, x, y, bias, out, program, nearest, search })
    }

    /// Sets the rows y.
    pub fn against(&mut self, y: &[f32], shift: &[f32]) -> Result<()> {
        let moved = self.write(self.y, y, shift)?;
        let mut bias: Vec<f32> = moved.iter().map(|squares| (-squares / 2.0) as f32).collect();
        bias.resize(self.y.rows, 0.0);
        self.executor.write(self.bias, 0, &bias)
    }

    /// Of every x its squared length and, a row an x, its nearness to every y that there is room for.
    pub fn of(&mut self, x: &[f32], shift: &[f32]) -> Result<(Vec<f64>, Vec<f32>)> {
        let squares = self.write(self.x, x, shift)?;
        let rows = squares.len();
        self.executor.run(self.program, &Step { rows, ..Step::default() })?;
        Ok((squares, self.executor.read(self.out, 0, rows)?))
    }

    /// Of every x the nearest y, the first of equals. There must be as many y as there is room for.
    pub fn nearest(&mut self, x: &[f32], shift: &[f32]) -> Result<Vec<usize>> {
        let rows = self.write(self.x, x, shift)?.len();
        self.executor.run(self.search, &Step { rows, ..Step::default() })?;
        Ok(self.executor.read(self.nearest, 0, rows)?.into_iter().map(|y| y as usize).collect())
    }

    /// Writes rows less `shift`; returns their squared lengths.
    fn write(&mut self, matrix: Matrix, values: &[f32], shift: &[f32]) -> Result<Vec<f64>> {
        /// Rows that are moved at a time.
        const ROWS: usize = 64;
        let (width, mut squares) = (matrix.cols, Vec::new());
        for (part, values) in values.chunks(ROWS * width).enumerate() {
            let mut moved = values.to_vec();
            let lengths = moved.par_chunks_exact_mut(width).map(|row| {
                row.iter_mut().zip(shift).for_each(|(x, shift)| *x -= shift);
                row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>()
            });
            squares.extend(lengths.collect::<Vec<_>>());
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
/// 2007), as D-GEX's MiniBatchKMeans. Memory is that of two batches and the centres.
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
    let mut centres = spread(&values, width, clusters.min(batch), seed);
    let k = centres.len() / width;
    let shift: Vec<f32> = mean(&centres, width);
    let mut counts = vec![0u64; k];
    let mut nearness = Nearness::new(executor, batch, k, width)?;
    report(Event::Started { task: "k-means".into(), total: Some(batches as u64), unit: "batches" });
    for done in 0..batches {
        let place = |i: usize| order[(done * batch + i) % n];
        rows.read_all(place, batch, &mut values)?;
        nearness.against(&centres, &shift)?;
        let labels = nearness.nearest(&values, &shift)?;
        let moves = centres.par_chunks_exact_mut(width).zip(&mut counts).enumerate();
        moves.for_each(|(cluster, (centre, count))| {
            for (_, row) in labels.iter().zip(values.chunks_exact(width)).filter(|(l, _)| **l == cluster) {
                *count += 1;
                let rate = 1.0 / *count as f32;
                centre.iter_mut().zip(row).for_each(|(centre, x)| *centre += (x - *centre) * rate);
            }
        });
        report(Event::Advanced { done: done as u64 + 1, note: String::new() });
    }
    report(Event::Finished);

    nearness.against(&centres, &shift)?;
    let mut labels = Vec::with_capacity(n);
    report(Event::Started { task: "clusters".into(), total: Some(n as u64), unit: "samples" });
    for first in (0..n).step_by(batch) {
        rows.read_all(|i| first + i, batch.min(n - first), &mut values)?;
        labels.extend(nearness.nearest(&values, &shift)?);
        report(Event::Advanced { done: labels.len() as u64, note: String::new() });
    }
    report(Event::Finished);
    Ok(labels)
}

/// k rows, each drawn with a chance that grows with its squared distance from those before it (k-means++); fewer
/// where all others are copies of them.
fn spread(values: &[f32], width: usize, k: usize, seed: u64) -> Vec<f32> {
    let rows: Vec<&[f32]> = values.chunks_exact(width).collect();
    let mut stream = Stream::new(seed, "k-means start", 0);
    let mut chosen = rows[stream.below(rows.len() as u64) as usize].to_vec();
    let mut nearest = vec![f64::INFINITY; rows.len()];
    while chosen.len() < k * width {
        let last = &chosen[chosen.len() - width..];
        let closer = nearest.par_iter_mut().zip(&rows);
        closer.for_each(|(nearest, row)| *nearest = nearest.min(squared_distance(row, last)));
        let mut rest = stream.uniform() * nearest.iter().sum::<f64>();
        let far = (0..rows.len()).filter(|row| nearest[*row] > 0.0);
        let next = far.reduce(|row, next| {
            rest -= nearest[row];
            if rest < 0.0 { row } else { next }
        });
        let Some(next) = next else { break };
        chosen.extend_from_slice(rows[next]);
    }
    chosen
}

/// ‖x − y‖², in f64.
pub(super) fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
    // eight sums, which the compiler keeps in vectors
    let (mut sums, mut rest) = ([0.0f64; 8], 0.0);
    let (x8, y8) = (x.chunks_exact(8), y.chunks_exact(8));
    for (x, y) in x8.remainder().iter().zip(y8.remainder()) {
        rest += (f64::from(*x) - f64::from(*y)).powi(2);
    }
    for (x, y) in x8.zip(y8) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += (f64::from(*x) - f64::from(*y)).powi(2);
        }
    }
    sums.iter().sum::<f64>() + rest
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
