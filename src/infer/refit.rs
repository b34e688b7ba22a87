//! A predictor refitted on fewer landmarks than it was fitted with, exactly, from what it keeps.
//!
//! `linear`: with G = XᵀX kept and W the coefficients, (G + αI)W = XᵀY gives back the products with the targets. For the
//! landmarks K that are left and S that are lost, W' = W_K + (G_KK + αI)⁻¹·G_KS·W_S.
//! `kernel`: the centres are the training samples, so K and (K + λI)C = Y (V for I with offsets) give back the targets; K' is that of the landmarks
//! that are left, γ in units of their median distance.
//!
//! What a loss costs is the rise of J = min ‖Y − f(X)‖² + penalty by sample and target, targets z-scored: for `linear`
//! Σ W_S·([(G + αI)⁻¹]_SS)⁻¹·W_Sᵀ, for `kernel` of J = λ·tr(YᵀC).

use super::dense::{Dense, product};
use super::kernel::{Kernels, Shape};
use super::offsets::{GROUPS, Offsets, RATIO};
use super::{Method, Predictor};
use crate::error::{Error, Result};
use crate::genes::shown;
use crate::nn::model::Layer;
use crate::progress::Reporter;

mod kernel;
mod served;

pub use served::Served;

/// What it costs that landmarks are missing, as the rise of the penalised squared error by sample and target, in units of a
/// target's variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Losses {
    /// Each lost landmark by name, and what it costs to lose it alone.
    pub alone: Vec<(String, f64)>,
    /// What it costs to lose all of them.
    pub together: f64,
}

/// What `linear` keeps to be refitted by: the Gram matrix of z-scored landmarks.
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    /// Landmarks × landmarks.
    values: Vec<f64>,
}

impl Gram {
    pub(super) fn new(gram: Dense) -> Gram {
        // as it will be read back
        Gram { values: gram.values.iter().map(|x| joined(parts(*x))).collect() }
    }

    /// Two f32 matrices that add up to it: f32 alone has 7 digits, which a small penalty would magnify.
    pub(super) fn to_parts(&self) -> [Vec<f32>; 2] {
        self.values.iter().map(|x| parts(*x)).map(|[a, b]| (a, b)).unzip::<_, _, Vec<_>, Vec<_>>().into()
    }

    pub(super) fn from_parts([high, low]: [Vec<f32>; 2]) -> Gram {
        Gram { values: high.into_iter().zip(low).map(|(a, b)| joined([a, b])).collect() }
    }
}

fn parts(x: f64) -> [f32; 2] {
    let high = x as f32;
    [high, (x - f64::from(high)) as f32]
}

fn joined([high, low]: [f32; 2]) -> f64 {
    f64::from(high) + f64::from(low)
}

impl Predictor {
    /// The predictor refitted without the landmarks at these positions, and what each costs.
    ///
    /// # Errors
    /// [`Error::Usage`] for a method that keeps not what that needs; [`Error::Data`] where nothing is left.
    ///
    /// # Panics
    /// If there is no such landmark.
    pub fn without(&self, lost: &[usize], report: Reporter) -> Result<(Predictor, Losses)> {
        let n = self.landmarks().len();
        let kept: Vec<usize> = (0..n).filter(|i| !lost.contains(i)).collect();
        if kept.is_empty() {
            return Err(Error::Data(format!("none of the predictor's {n} landmarks is there")));
        }
        let (kernels, networks, alone, together) = match (self.method, &self.gram, &self.kernels) {
            (Method::Linear, Some(gram), _) => {
                let (layer, alone, together) = self.linear_without(gram, &kept, lost)?;
                (None, vec![vec![layer]], alone, together)
            }
            (Method::Kernel, _, Some(kernels)) => {
                let (fewer, layer, alone, together) = self.kernel_without(kernels, &kept, lost, report)?;
                (Some(fewer), vec![vec![layer]], alone, together)
            }
            _ => return Err(self.cannot_refit()),
        };
        let name = |i: &usize| shown(&self.landmarks.genes, *i);
        let losses = Losses { alone: lost.iter().map(name).zip(alone).collect(), together };
        let mut config = self.config.clone();
        config["without"] = serde_json::json!(lost.iter().map(name).collect::<Vec<_>>());
        let landmarks = self.landmarks.select(&kept);
        let targets = self.targets.clone();
        let method = self.method;
        // what was held out of the fit with all landmarks says nothing of this one
        let (gram, held_out) = (None, None);
        Ok((Predictor { landmarks, targets, networks, kernels, gram, held_out, method, config }, losses))
    }

    /// Whether it keeps what [`Predictor::without`] needs.
    pub fn can_refit(&self) -> bool {
        match (self.method, &self.gram, &self.kernels) {
            (Method::Linear, gram, _) => gram.is_some(),
            (Method::Kernel, _, Some(kernels)) => kernels.len() as f64 == self.samples(),
            _ => false,
        }
    }

    fn cannot_refit(&self) -> Error {
        let why = match self.method {
            Method::Linear => "was fitted by a version that kept nothing to refit by; fit it anew",
            Method::Kernel => {
                "keeps drawn centres only, not the samples; fit it anew without these landmarks"
            }
            _ => {
                "is of a method that is trained, not solved; fit it anew without these landmarks, or take --missing mean"
            }
        };
        Error::Usage(format!("--missing refit: the predictor {why}"))
    }

    fn chosen_number(&self, key: &str) -> Result<f64> {
        self.chosen()[key]
            .as_f64()
            .ok_or_else(|| Error::Data(format!("the predictor does not say its {key}; fit it anew")))
    }

    /// What the samples of a group share, as it was fitted by.
    fn offsets(&self) -> Option<Offsets> {
        let ratio = self.chosen()[RATIO].as_f64()?;
        Offsets::of(serde_json::from_value(self.config[GROUPS].clone()).ok()?, ratio)
    }

    fn samples(&self) -> f64 {
        self.config["training-samples"].as_f64().unwrap_or(1.0).max(1.0)
    }

    fn linear_without(&self, gram: &Gram, kept: &[usize], lost: &[usize]) -> Result<(Layer, Vec<f64>, f64)> {
        let (p, layer) = (self.landmarks().len(), &self.networks[0][0]);
        let mut g = Dense { rows: p, cols: p, values: gram.values.clone() };
        let penalty = self.chosen_number("penalty")?;
        (0..p).for_each(|i| g.values[i * p + i] += penalty);
        let block = |rows: &[usize], cols: &[usize]| g.select_rows(rows).select_cols(cols);
        let w = Dense {
            rows: layer.outputs,
            cols: p,
            values: layer.weight.iter().map(|w| f64::from(*w)).collect(),
        };
        let (mut left, gone) = (w.select_cols(kept), w.select_cols(lost));
        // (G_KK + αI)⁻¹G_KS, and the Schur complement ([(G + αI)⁻¹]_SS)⁻¹
        let by = solver(block(kept, kept))?.solve(&block(kept, lost));
        left.add_product(gone.view(), by.t());
        let mut schur = block(lost, lost);
        schur.subtract_product(block(lost, kept).view(), by.view());
        let unit = self.samples() * layer.outputs as f64;
        let cost = product(gone.view(), schur.view());
        let together = cost.values.iter().zip(&gone.values).map(|(a, b)| a * b).sum::<f64>() / unit;
        let weight = left.values.iter().map(|w| *w as f32).collect();
        let (inputs, outputs) = (kept.len(), layer.outputs);
        let layer = Layer { inputs, outputs, weight, bias: layer.bias.clone(), activation: layer.activation };
        Ok((layer, alone(g, &gone, lost, unit)?, together))
    }
}

/// What each lost one costs alone, all others being there: Σ w²/[(G + αI)⁻¹]_jj.
fn alone(g: Dense, gone: &Dense, lost: &[usize], unit: f64) -> Result<Vec<f64>> {
    let p = g.rows;
    let mut ones = Dense::zeros(p, lost.len());
    lost.iter().enumerate().for_each(|(c, j)| ones.values[j * lost.len() + c] = 1.0);
    let columns = solver(g)?.solve(&ones);
    let cost = |(c, j): (usize, &usize)| {
        let squares: f64 = (0..gone.rows).map(|t| gone.row(t)[c].powi(2)).sum();
        squares / columns.row(*j)[c] / unit
    };
    Ok(lost.iter().enumerate().map(cost).collect())
}

fn solver(a: Dense) -> Result<super::cholesky::Cholesky> {
    let singular = || Error::Data("the landmarks that are left cannot be solved for; fit anew".into());
    super::cholesky::Cholesky::of(a).ok_or_else(singular)
}
