//! The refit of a kernel ridge regression.

use super::super::kernel::{SAMPLES, draw, median_distance};
use super::super::offsets::Offsets;
use super::*;
use crate::memory::Need;
use crate::progress::{Event, advance, silent};

/// The cost of a loss is taken over at most so many targets: each lost landmark is an n × n decomposition of its own.
const TARGETS: usize = 256;

impl Predictor {
    /// What it was fitted by, where the centres are the training samples.
    pub(super) fn fit_by(&self, kernels: &Kernels) -> Result<Fit> {
        Ok(Fit {
            x: Dense {
                rows: kernels.len(),
                cols: kernels.inputs,
                values: kernels.centres.iter().map(|v| f64::from(*v)).collect(),
            },
            // as the fit measured distances: among samples drawn by its seed
            some: draw(kernels.len(), SAMPLES, self.config["settings"]["seed"].as_u64().unwrap_or(0)),
            gamma: self.chosen_number("gamma")?,
            mixture: kernels.mixture,
            penalty: self.chosen_number("penalty")?,
            offsets: self.offsets(),
        })
    }

    /// Kernels and layer on the landmarks `kept`; what each of `lost` costs alone, and together.
    pub(super) fn kernel_without(
        &self,
        kernels: &Kernels,
        kept: &[usize],
        lost: &[usize],
        report: Reporter,
    ) -> Result<(Kernels, Layer, Vec<f64>, f64)> {
        if !self.can_refit() {
            return Err(self.cannot_refit());
        }
        let (n, t) = (kernels.len(), self.networks[0][0].outputs);
        Need::new()
            .with(format!("three matrices of {n} × {n}"), &[24, n, n])
            .with(format!("weights of {n} kernels for {t} targets"), &[8, n, t])
            .with("blocks of targets", &[3, super::super::BLOCK_VALUES, 8])
            .check("the refit", "take --missing mean, or allow more (--memory)")?;
        let fit = self.fit_by(kernels)?;
        let layer = &self.networks[0][0];
        let some: Vec<usize> = (0..layer.outputs).step_by(layer.outputs.div_ceil(TARGETS)).collect();
        let all: Vec<usize> = (0..kernels.inputs).collect();
        let whole = fit.shape(&all);
        let matrix = whole.matrix(&fit.x, fit.offsets.as_ref());
        let some_of = coefficients(layer, &some);
        let y = product(matrix.view(), some_of.view());
        let unit = fit.penalty / (y.values.len() as f64);
        let before = inner(&y, &some_of);
        let cost = |kept: &[usize]| -> Result<f64> {
            let c = fit.solver(kept)?.solve(&y);
            Ok((inner(&y, &c) - before) * unit)
        };
        let total = Some(lost.len() as u64);
        report(Event::Started { task: "what each lost landmark costs".into(), total, unit: "genes" });
        let mut alone = Vec::with_capacity(lost.len());
        for gene in lost {
            alone.push(cost(&all.iter().copied().filter(|i| i != gene).collect::<Vec<_>>())?);
            advance(report, alone.len() as u64, "")?;
        }
        report(Event::Finished);
        let together = cost(kept)?;
        let (solver, n) = (fit.solver(kept)?, kernels.len());
        let mut weight = Vec::with_capacity(n * layer.outputs);
        let targets: Vec<usize> = (0..layer.outputs).collect();
        for part in targets.chunks((super::super::BLOCK_VALUES / n).max(1)) {
            let y = product(matrix.view(), coefficients(layer, part).view());
            let c = solver.solve(&y);
            weight.extend(
                (0..c.cols).flat_map(|j| (0..n).map(move |i| (i, j))).map(|(i, j)| c.row(i)[j] as f32),
            );
        }
        let shape = fit.shape(kept);
        let centres = fit.x.select_cols(kept).values.iter().map(|v| *v as f32).collect();
        let fewer = Kernels { inputs: kept.len(), centres, gamma: shape.gamma, mixture: kernels.mixture };
        Ok((fewer, Layer { weight, ..layer.clone() }, alone, together))
    }
}

/// What the predictor was fitted by.
pub(super) struct Fit {
    /// Samples × landmarks, z-scored.
    pub(super) x: Dense,
    /// Samples that the median distance is of.
    some: Vec<usize>,
    /// In units of 1/median.
    gamma: f64,
    mixture: f64,
    penalty: f64,
    pub(super) offsets: Option<Offsets>,
}

impl Fit {
    /// That of some landmarks.
    pub(super) fn shape(&self, kept: &[usize]) -> Shape {
        let distance = median_distance(&self.x.select_rows(&self.some).select_cols(kept));
        let Fit { gamma, mixture, penalty, .. } = *self;
        Shape { gamma: gamma / distance, mixture, penalty, landmarks: kept.len() }
    }

    pub(super) fn solver(&self, kept: &[usize]) -> Result<super::super::cholesky::Cholesky> {
        self.shape(kept).solver(&self.x.select_cols(kept), self.offsets.as_ref(), &silent)
    }
}

/// C of some targets, samples × targets.
pub(super) fn coefficients(layer: &Layer, targets: &[usize]) -> Dense {
    let (n, t) = (layer.inputs, targets.len());
    let at = |i: usize| targets.iter().map(move |j| f64::from(layer.weight[j * n + i]));
    Dense { rows: n, cols: t, values: (0..n).flat_map(at).collect() }
}

fn inner(a: &Dense, b: &Dense) -> f64 {
    a.values.iter().zip(&b.values).map(|(a, b)| a * b).sum()
}
