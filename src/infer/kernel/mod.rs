//! Kernel ridge regression of all targets on the landmarks, of a linear and a Gaussian kernel together.
//!
//! With landmarks z-scored, L of them, and m the mixture, k(x, x') = (1 − m)·x·x'/L + m·exp(−γ‖x − x'‖²); targets are z-scored,
//! so centred. C = (K + λI)⁻¹Y in f64 (Saunders, Gammerman & Vovk 1998), ŷ(x) = Σᵢ k(x, xᵢ)·Cᵢ. m = 0 is ridge
//! regression. γ is told in units of 1/median ‖x − x'‖² of the samples, since distances differ from data to data.
//!
//! Up to [`EXACT`] samples all are centres of kernels. Beyond, some are drawn ([`streamed`]). What the data decide
//! is chosen by folds ([`choose`]). A fitted one is a layer of kernels ([`Kernels`]) below a linear layer.

mod choose;
mod layer;
mod streamed;

use rayon::prelude::*;

use super::adapt::enlarged;
use super::cholesky::{Cholesky, part};
use super::dense::{Dense, Standardised, accumulate, product};
use super::offsets::Offsets;
use super::parting::Parting;
use super::{KernelSettings, Panel, Problem, Trained};
use crate::device::Executor;
use crate::device::random::Stream;
use crate::device::recording::Activation;
use crate::error::{Error, Result};
use crate::memory::Need;
use crate::nn::model::Layer;
use crate::progress::{Event, Reporter};
pub(super) use choose::SAMPLES;
pub use choose::{Shape, held_out_errors, median_distance};
pub use layer::Kernels;
pub(super) use layer::{Form, Landmarks, OnDevice};
pub(crate) use streamed::{FACTOR, SUMS};

/// Samples up to which all are centres where nothing else is asked.
pub const EXACT: usize = 10_000;
/// Centres beyond.
pub const CENTRES: usize = 2_000;

/// Fits; the result is a layer of kernels and a linear layer. The penalty that folds choose, without offsets, is multiplied by `factor`. Drawn centres
/// have no offsets.
pub(super) fn fit(
    executor: &mut dyn Executor,
    problem: &Problem,
    settings: &KernelSettings,
    (seed, parting, factor, offsets): (u64, &Parting, f64, Option<&Offsets>),
    report: Reporter,
) -> Result<Trained> {
    let n = problem.samples.len();
    let centres = settings.centres.unwrap_or(if n <= EXACT { n } else { CENTRES }).min(n);
    fits_in_memory(problem, centres)?;
    let (mut shape, [gamma, distance]) = choose::shape(problem, settings, (seed, parting), report)?;
    if settings.penalty.is_none() {
        shape.penalty = enlarged(shape.penalty, factor, report);
    }
    let chosen = serde_json::json!({
        "gamma": gamma, "mixture": shape.mixture, "penalty": shape.penalty,
        "median-distance": distance, "centres": centres,
    });
    match centres < n {
        true => streamed::fit(executor, problem, (shape, chosen), draw(n, centres, seed), report),
        false => exact(problem, (shape, chosen), offsets, report),
    }
}

/// `n` positions of `of`, ascending.
pub(super) fn draw(of: usize, n: usize, seed: u64) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..of).collect();
    if n < of {
        Stream::new(seed, "kernel centres", 0).shuffle(&mut positions);
        positions.truncate(n);
        positions.sort_unstable();
    }
    positions
}

/// What is told while the kernel matrix is made, decomposed, and targets are solved for.
pub(crate) const MATRIX: &str = "kernels between samples";
pub(crate) const DECOMPOSITION: &str = "decomposing";
pub(crate) const SOLUTION: &str = "fitting";

/// Work that cannot tell how far it is.
fn task<T>(name: &str, report: Reporter, work: impl FnOnce() -> T) -> T {
    report(Event::Started { task: name.into(), total: None, unit: "samples" });
    let done = work();
    report(Event::Finished);
    done
}

/// All samples are centres.
fn exact(
    problem: &Problem,
    (shape, chosen): (Shape, serde_json::Value),
    offsets: Option<&Offsets>,
    report: Reporter,
) -> Result<Trained> {
    let x = Standardised::read(problem.store, problem.samples, problem.landmarks);
    let solver = shape.solver(&x.values, offsets, report)?;
    let (n, t) = (problem.samples.len(), problem.targets.len());
    let mut weight = Vec::with_capacity(n * t);
    let (mut mean, mut sd) = (Vec::new(), Vec::new());
    problem.blocks(SOLUTION, report, |y| {
        weight.extend(turned(&solver.solve(&y.values)));
        mean.extend(y.mean);
        sd.extend(y.sd);
    })?;
    let centres = x.values.values.iter().map(|v| *v as f32).collect();
    Ok(Trained {
        landmarks: Panel::new(problem.store, problem.landmarks, &x.mean, &x.sd),
        targets: Panel::new(problem.store, problem.targets, &mean, &sd),
        networks: vec![vec![linear_layer(n, t, weight)]],
        kernels: Some(Kernels {
            inputs: problem.landmarks.len(),
            centres,
            gamma: shape.gamma,
            mixture: shape.mixture,
        }),
        gram: None,
        chosen,
    })
}

fn linear_layer(inputs: usize, outputs: usize, weight: Vec<f32>) -> Layer {
    Layer { inputs, outputs, weight, bias: vec![0.0; outputs], activation: Activation::Linear }
}

/// Samples × targets → targets × samples.
fn turned(c: &Dense) -> Vec<f32> {
    let mut out = vec![0.0; c.values.len()];
    out.par_chunks_exact_mut(c.rows.max(1)).enumerate().for_each(|(j, row)| {
        row.iter_mut().enumerate().for_each(|(i, value)| *value = c.values[i * c.cols + j] as f32);
    });
    out
}

/// The centres, their weights, the matrix of the kernels and what choosing takes.
fn fits_in_memory(problem: &Problem, centres: usize) -> Result<()> {
    let (n, p, t) = (problem.samples.len(), problem.landmarks.len(), problem.targets.len());
    let (tried, streams) = (n.min(SAMPLES), centres < n);
    let read = if streams { tried } else { n };
    Need::new()
        .with(format!("weights of {centres} kernels for {t} targets"), &[centres, t, 4])
        .with(
            format!("sums of {centres} kernels by {t} targets"),
            &[if streams { 16 } else { 0 }, centres, t],
        )
        .with(
            format!("a matrix of {centres} × {centres}"),
            &[if streams { 32 } else { 16 }, centres, centres],
        )
        .with(format!("values of {p} landmarks in {read} samples"), &[2, read, p, 8])
        .with(format!("matrices of {tried} × {tried} to choose by"), &[6, tried, tried, 8])
        .with("blocks of targets", &[3, super::BLOCK_VALUES, 8])
        .check("the fit", "lower --centres, name fewer --landmarks or --targets, or allow more (--memory)")
}

impl Shape {
    /// What solves (K + λV)C = Y for samples × landmarks, z-scored.
    pub(super) fn solver(&self, x: &Dense, offsets: Option<&Offsets>, report: Reporter) -> Result<Cholesky> {
        let mut k = task(MATRIX, report, || self.lower(x));
        if let Some(offsets) = offsets {
            offsets.add_to(&mut k, self.penalty);
        }
        self.decomposed(k, report)
    }

    /// The Cholesky decomposition of `k`, which this shape made.
    fn decomposed(&self, k: Dense, report: Reporter) -> Result<Cholesky> {
        task(DECOMPOSITION, report, || Cholesky::of(k)).ok_or_else(|| self.singular())
    }

    /// K + λI, of which the upper part is not made.
    fn lower(&self, x: &Dense) -> Dense {
        let (n, squares) = (x.rows, squares(x));
        let (mut k, height) = (Dense::zeros(n, n), part(n));
        k.values.par_chunks_mut(height * n.max(1)).enumerate().for_each(|(strip, rows)| {
            let first = strip * height;
            let last = n.min(first + height);
            let mut products = Dense::zeros(last - first, last);
            let (left, right) = (x.block(first..last, 0..x.cols), x.block(0..last, 0..x.cols));
            accumulate(&mut products.values, last, 1.0, left, right.turned());
            let part = self.between(products, &squares[first..last], &squares[..last]);
            for (i, row) in rows.chunks_exact_mut(n).enumerate() {
                row[..last].copy_from_slice(part.row(i));
                row[first + i] += self.penalty;
            }
        });
        k
    }

    /// K + λV
    pub(super) fn matrix(&self, x: &Dense, offsets: Option<&Offsets>) -> Dense {
        let mut k = self.cross(x, x);
        (0..k.rows).for_each(|i| k.values[i * k.cols + i] += self.penalty);
        if let Some(offsets) = offsets {
            offsets.add_to(&mut k, self.penalty);
        }
        k
    }

    /// Kernels between rows of two matrices: rows of `x` × rows of `other`.
    pub(super) fn cross(&self, x: &Dense, other: &Dense) -> Dense {
        self.between(product(x.view(), other.t()), &squares(x), &squares(other))
    }

    fn singular(&self) -> Error {
        Error::Data(format!(
            "the kernel matrix cannot be solved with a penalty of {}; give a larger --penalty",
            self.penalty
        ))
    }

    /// From products of samples and squared lengths to kernels: `landmarks` of them make a product.
    fn between(&self, mut products: Dense, rows: &[f64], cols: &[f64]) -> Dense {
        let (m, landmarks) = (self.mixture, self.landmarks as f64);
        products.values.par_chunks_exact_mut(cols.len().max(1)).zip(rows).for_each(|(row, a)| {
            for (value, b) in row.iter_mut().zip(cols) {
                let distance = (a + b - 2.0 * *value).max(0.0);
                *value = (1.0 - m) * *value / landmarks + m * (-self.gamma * distance).exp();
            }
        });
        products
    }
}

/// Squared lengths of rows.
fn squares(x: &Dense) -> Vec<f64> {
    (0..x.rows).map(|i| x.row(i).iter().map(|v| v * v).sum()).collect()
}
