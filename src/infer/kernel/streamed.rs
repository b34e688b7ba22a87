//! Kernel ridge regression on fewer centres than samples (Nyström; Williams & Seeger 2001): β of
//! (K_nmᵀK_nm + λK_mm)β = K_nmᵀY, ŷ(x) = Σ_c k(x, c)·β_c. Both sums go over samples, which stream through the device once;
//! memory is that of centres × (centres + targets). The device adds up in f32 over [`FLUSH`] samples, the host in f64 over all.
//!
//! Kernels of the centres nearly depend on each other, and sums of them in f32 would leave of the small directions nothing but rounding: on smooth
//! data half as much error again. So with K_mm = LLᵀ the sums are of Φ = K_nm·L⁻ᵀ, whose columns are of one size: (ΦᵀΦ + λI)γ = ΦᵀY, β = L⁻ᵀγ.
//! Centres that are combinations of others but for what f32 does not tell are left out first, or their columns would be rounding.

use rayon::prelude::*;

use super::super::dense::Dense;
use super::super::kernel::layer::Landmarks;
use super::super::{Panel, Problem, Trained};
use super::{
    Cholesky, DECOMPOSITION, Kernels, MATRIX, OnDevice, SOLUTION, Shape, linear_layer, task, turned,
};
use crate::device::cpu::{dot, vectorized};
use crate::device::recording::{Element, Epilogue, Layout, Matrix, Recording, Step, Update};
use crate::device::{Executor, Program};
use crate::error::Result;
use crate::nn::feed::{Feed, Resident};
use crate::nn::network::InputBuffers;
use crate::progress::{Event, Reporter, advance};
use crate::store::strips::Spread;

/// What is told while the kernels of the centres are decomposed, and while samples stream by.
pub(crate) const FACTOR: &str = "decomposing kernels of the centres";
pub(crate) const SUMS: &str = "adding up kernels";
/// Rows that a thread takes at least.
const ROWS: usize = 64;
/// Samples in a batch.
const BATCH: usize = 512;
/// Samples after which sums leave the device.
const FLUSH: usize = 8 * BATCH;
/// A centre of which the others leave no more than this unexplained, in units of the mean of K_mm's diagonal, is left out.
const UNEXPLAINED: f64 = 1e-6;
/// Added to K_mm's diagonal in the same units: far below what any penalty counts for.
const RIDGE: f64 = 1e-7;
/// By how much the diagonal of ΦᵀΦ + λI is enlarged, the least by which it is positive definite: nothing, but for penalties below what f32 tells.
const ENLARGED: [f64; 4] = [0.0, 1e-7, 1e-6, 1e-5];

/// Fits on the samples at the positions `centres`.
pub(super) fn fit(
    executor: &mut dyn Executor,
    problem: &Problem,
    (shape, mut chosen): (Shape, serde_json::Value),
    centres: Vec<usize>,
    report: Reporter,
) -> Result<Trained> {
    let (landmarks, targets) =
        (panel(problem, problem.landmarks, report)?, panel(problem, problem.targets, report)?);
    let at = Landmarks {
        store: problem.store,
        columns: problem.landmarks,
        offset: &landmarks.offset,
        scale: &landmarks.scale,
    };
    let rows = at.read(centres.iter().map(|i| problem.samples[*i]));
    let inputs = problem.landmarks.len();
    let mut kernels = Kernels { inputs, centres: rows, gamma: shape.gamma, mixture: shape.mixture };
    let (factor, inverse) = decomposed_centres(&mut kernels, &shape, report)?;
    chosen["centres"] = kernels.len().into();
    let (normal, right) = sums(executor, problem, (&kernels, inverse), &at, &targets, report)?;
    let solver = decomposed(normal, &shape, report)?;
    let weight = task(SOLUTION, report, || turned(&factor.solve_turned(&solver.solve(&right))));
    let networks = vec![vec![linear_layer(kernels.len(), problem.targets.len(), weight)]];
    Ok(Trained { landmarks, targets, networks, kernels: Some(kernels), gram: None, chosen })
}

/// L of K_mm = LLᵀ, and L⁻¹ as the device takes it, of the centres that depend on no others; only these stay.
fn decomposed_centres(
    kernels: &mut Kernels,
    shape: &Shape,
    report: Reporter,
) -> Result<(Cholesky, Vec<f32>)> {
    let (drawn, inputs) = (kernels.len(), kernels.inputs);
    let values = kernels.centres.iter().map(|v| f64::from(*v)).collect();
    let x = Dense { rows: drawn, cols: inputs, values };
    let mut k = task(MATRIX, report, || shape.cross(&x, &x));
    let mean = (0..drawn).map(|i| k.values[i * drawn + i]).sum::<f64>() / drawn as f64;
    let found = task(FACTOR, report, || {
        let kept = independent(&k, UNEXPLAINED * mean);
        if kept.len() < drawn {
            kernels.centres =
                kept.iter().flat_map(|i| &kernels.centres[i * inputs..][..inputs]).copied().collect();
            k = k.select_rows(&kept).select_cols(&kept);
        }
        let m = k.rows;
        (0..m).for_each(|i| k.values[i * m + i] += RIDGE * mean);
        let factor = Cholesky::of(std::mem::replace(&mut k, Dense::zeros(0, 0)))?;
        let inverse = factor.inverse().values.iter().map(|v| *v as f32).collect();
        Some((factor, inverse))
    });
    if kernels.len() < drawn {
        report(Event::Note(format!(
            "{} of {drawn} centres are all but combinations of the others and left out",
            drawn - kernels.len()
        )));
    }
    found.filter(|_| !kernels.is_empty()).ok_or_else(|| shape.singular())
}

/// Rows of a positive semidefinite matrix, ascending, that leave no more than so much of any other unexplained: by the Cholesky decomposition that
/// takes the largest that is left first.
fn independent(k: &Dense, unexplained: f64) -> Vec<usize> {
    let n = k.rows;
    let mut left: Vec<f64> = (0..n).map(|i| k.values[i * n + i]).collect();
    let mut l = Dense::zeros(n, n);
    let mut kept = Vec::new();
    while kept.len() < n {
        let largest = left.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)));
        let Some((pivot, _)) = largest.filter(|(_, left)| **left > unexplained) else { break };
        let (step, root, row) = (kept.len(), left[pivot].sqrt(), l.row(pivot)[..kept.len()].to_vec());
        let each = l.values.par_chunks_exact_mut(n).zip(&mut left).zip(k.row(pivot));
        each.with_min_len(ROWS).for_each(|((l, left), k)| {
            let explained: f64 = vectorized(
                #[inline(always)]
                || dot(&l[..step], &row),
            );
            l[step] = (k - explained) / root;
            *left -= l[step] * l[step];
        });
        left[pivot] = f64::NEG_INFINITY;
        kept.push(pivot);
    }
    kept.sort_unstable();
    kept
}

/// The Cholesky decomposition of ΦᵀΦ + λI.
fn decomposed(mut normal: Dense, shape: &Shape, report: Reporter) -> Result<Cholesky> {
    let m = normal.rows;
    (0..m).for_each(|i| normal.values[i * m + i] += shape.penalty);
    let mut factor = 1.0;
    for enlarged in ENLARGED {
        (0..m).for_each(|i| normal.values[i * m + i] *= (1.0 + enlarged) / factor);
        factor = 1.0 + enlarged;
        let solver = task(DECOMPOSITION, report, || Cholesky::of(normal.clone()));
        if let Some(solver) = solver {
            if enlarged > 0.0 {
                report(Event::Note(format!(
                    "a penalty of {} is below what sums over samples tell: their diagonal is enlarged by {enlarged:e}",
                    shape.penalty
                )));
            }
            return Ok(solver);
        }
    }
    Err(shape.singular())
}

fn panel(problem: &Problem, genes: &[usize], report: Reporter) -> Result<Panel> {
    let Spread { mean, sd } = Spread::of(problem.store, problem.samples, genes, report)?;
    Ok(Panel::new(problem.store, genes, &mean, &sd))
}

/// What is added up on the device.
struct Sums {
    /// ΦᵀΦ and ΦᵀY, and what is added to them so far.
    parts: [(Matrix, Dense); 2],
}

impl Sums {
    fn new(executor: &mut dyn Executor, centres: usize, targets: usize) -> Result<Sums> {
        let mut of = |cols| -> Result<_> {
            let matrix = executor.matrix("sums over samples", centres, cols, Element::F32)?;
            Ok((matrix, Dense::zeros(centres, cols)))
        };
        Ok(Sums { parts: [of(centres)?, of(targets)?] })
    }

    /// sum ← sum + ΦᵀB for both B
    fn record(&self, recording: &mut Recording, phi: Matrix, y: Matrix) {
        for (b, (sum, _)) in [phi, y].into_iter().zip(&self.parts) {
            // the gradient's rule with 2·l2 = 1: out = d + value
            let update = Update::Store { value: *sum, out: *sum, l2: 0.5 };
            recording.product("sum over samples", Layout::Tn, phi, b, Element::F32, Epilogue::Update(update));
        }
    }

    /// Takes the sums from the device, which begins anew.
    fn flush(&mut self, executor: &mut dyn Executor) -> Result<()> {
        for (matrix, total) in &mut self.parts {
            // some rows at a time: no second copy of it all
            let rows = (super::super::BLOCK_VALUES / matrix.cols).clamp(1, matrix.rows);
            for first in (0..matrix.rows).step_by(rows) {
                let n = rows.min(matrix.rows - first);
                let part = executor.read(*matrix, first, n)?;
                let totals = &mut total.values[first * matrix.cols..][..part.len()];
                totals.iter_mut().zip(&part).for_each(|(total, part)| *total += f64::from(*part));
                executor.write(*matrix, first, &vec![0.0; part.len()])?;
            }
        }
        Ok(())
    }
}

/// ΦᵀΦ and ΦᵀY
fn sums(
    executor: &mut dyn Executor,
    problem: &Problem,
    (kernels, factor): (&Kernels, Vec<f32>),
    landmarks: &Landmarks,
    targets: &Panel,
    report: Reporter,
) -> Result<(Dense, Dense)> {
    let samples = problem.samples.to_vec();
    let batch = BATCH.min(samples.len());
    let input = InputBuffers::of(executor, landmarks.offset, landmarks.scale, landmarks.scale)?;
    let output = InputBuffers::of(executor, &targets.offset, &targets.scale, &targets.scale)?;
    let x = executor.matrix("landmarks", batch, problem.landmarks.len(), Element::F32)?;
    let y = executor.matrix("targets", batch, problem.targets.len(), Element::F32)?;
    let layer = OnDevice::new(executor, kernels, batch)?;
    let m = kernels.len();
    let inverse = executor.matrix("inverse of the centres' factor", m, m, Element::F32)?;
    executor.write(inverse, 0, &factor)?;
    drop(factor);
    let phi = executor.matrix("kernels, turned", batch, m, Element::F32)?;
    let mut sums = Sums::new(executor, m, problem.targets.len())?;
    let panels = vec![Some(problem.landmarks.to_vec()), Some(problem.targets.to_vec())];
    let feed = Feed::of_panels(executor, problem.store, samples, panels, batch, Resident::Never, report)?;
    let mut recording = Recording::new();
    recording.push(feed.gather_panel(0, &input, x));
    recording.push(feed.gather_panel(1, &output, y));
    layer.record(&mut recording, x);
    recording.product("turning", Layout::Nt, layer.out, inverse, Element::F32, Epilogue::Store { out: phi });
    sums.record(&mut recording, phi, y);
    let program: Program = executor.compile(&recording)?;
    let order: Vec<u32> = (0..feed.len() as u32).collect();
    let total = Some(feed.len() as u64);
    report(Event::Started { task: SUMS.into(), total, unit: "samples" });
    feed.pass(executor, &order, |executor, batch| {
        let end = batch.start + batch.rows;
        layer.prepare(executor, landmarks, problem.samples[batch.start..end].iter().copied())?;
        let step = Step { rows: batch.rows, first: batch.first, gradient_scale: 1.0, ..Step::default() };
        executor.run(program, &step)?;
        advance(report, end as u64, "")?;
        if end.is_multiple_of(FLUSH) || end == order.len() { sums.flush(executor) } else { Ok(()) }
    })?;
    report(Event::Finished);
    let [(_, normal), (_, right)] = sums.parts;
    Ok((normal, right))
}
