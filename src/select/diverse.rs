//! `diverse`: the gene that says most about all the others, given the genes already chosen.
//!
//! A greedy of ridge regressions ([`ridge_greedy`](super::ridge_greedy)) on the measured genes, aimed at a target: the data, or
//! what the autoencoder makes of it, which is the data without what it takes for noise, or a blend of both. Which target
//! and which ridge predict best is measured in `docs/landmarks.md`. Without a ridge it is the least-squares greedy of
//! `css`, aimed at that target.
//!
//! Options: [`DiverseSettings`]. Cost: that of the greedy, n²·G for T·Tᵀ, and one forward pass of the network where the
//! target has a share of its output. Score: the
//! share of the target's variance that the gene adds.

use std::fmt;
use std::str::FromStr;

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::constraints::{Constraints, Picks};
use super::eigen::Components;
use super::greedy::{Target, greedy};
use super::ridge_greedy::ridge_greedy;
use crate::device::Executor;
use crate::error::{Error, Result};
use crate::nn::apply;
use crate::nn::model::Model;
use crate::progress::Reporter;
use crate::store::Store;

/// What the chosen genes are to explain.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Aim {
    /// The data and the autoencoder's output for it, side by side: this share of the output's squares, from 0 to 1, and
    /// the rest of the data's.
    Blend(f64),
    /// The autoencoder's output for the training samples.
    Reconstruction,
    /// The data itself.
    Data,
    /// The data's projection on its first principal components, this many.
    Pca(usize),
}

impl FromStr for Aim {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "reconstruction" => Ok(Aim::Reconstruction),
            "data" => Ok(Aim::Data),
            _ => {
                let components = text.strip_prefix("pca:").and_then(|k| k.parse().ok()).filter(|k| *k > 0);
                let share = text.strip_prefix("blend:").and_then(|share| share.parse().ok());
                let share = share.filter(|share| (0.0..=1.0).contains(share));
                components.map(Aim::Pca).or(share.map(Aim::Blend)).ok_or_else(|| {
                    format!(
                        "expected data, reconstruction, blend:SHARE (0 to 1) or pca:COMPONENTS, found {text}"
                    )
                })
            }
        }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Aim::Blend(share) => write!(f, "blend:{share}"),
            Aim::Reconstruction => f.write_str("reconstruction"),
            Aim::Data => f.write_str("data"),
            Aim::Pca(k) => write!(f, "pca:{k}"),
        }
    }
}

impl From<Aim> for String {
    fn from(aim: Aim) -> String {
        aim.to_string()
    }
}

impl Aim {
    /// The share of the autoencoder's output in the target.
    pub fn share(self) -> f64 {
        match self {
            Aim::Blend(share) => share,
            Aim::Reconstruction => 1.0,
            Aim::Data | Aim::Pca(_) => 0.0,
        }
    }
}

impl TryFrom<String> for Aim {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

/// How much each gene of the target counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weights {
    /// By the variance that the target has of the gene's, so that genes which it hardly describes count little.
    #[default]
    Variance,
    /// All the same: the target is z-scored by gene.
    Equal,
}

/// How `diverse` works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiverseSettings {
    /// What is to be explained.
    pub target: Aim,
    /// How much each gene of it counts.
    pub weights: Weights,
    /// λ for each gene chosen, on z-scored genes; 0 is least squares. A gene's own sum of squares is the number of
    /// samples, so on a large compendium it matters little.
    pub ridge: f64,
}

impl Default for DiverseSettings {
    fn default() -> Self {
        DiverseSettings { target: Aim::Data, weights: Weights::Variance, ridge: 5.0 }
    }
}

/// The autoencoder's output for the given samples of a store, z-scored by gene or in shares of the genes' standard
/// deviations (`weights`): the target that [`Aim::Reconstruction`] means.
///
/// `deviations` are those of the store's genes over the samples; a gene that does not vary there has weight 0.
///
/// # Errors
/// Those of [`apply::forward`]: genes of the model that the store lacks, the device's.
pub fn reconstruction(
    executor: &mut dyn Executor,
    model: &Model,
    store: &Store,
    samples: &[usize],
    deviations: &[f64],
    weights: Weights,
    report: Reporter,
) -> Result<Columns> {
    let (n, genes) = (samples.len(), model.genes.len());
    let mut row_of = vec![None; store.n_samples()];
    samples.iter().enumerate().for_each(|(row, sample)| row_of[*sample] = Some(row));
    let mut target = Columns::new(n, vec![0.0; n * genes]);
    apply::forward(executor, model, store, model.layers.len(), report, |first, rows| {
        let wanted: Vec<(usize, usize)> =
            (0..rows.len() / genes).filter_map(|i| Some((i, row_of[first + i]?))).collect();
        target.columns_mut().enumerate().for_each(|(gene, column)| {
            wanted.iter().for_each(|(i, row)| column[*row] = rows[i * genes + gene]);
        });
        Ok(())
    })?;
    let own = target.standardize();
    let unit = model.input.unit();
    let positions = store.genes().positions();
    let deviation = |gene: &String| positions.get(gene.as_str()).map_or(0.0, |g| deviations[*g]);
    let factors: Vec<f32> = (model.genes.iter().zip(own).zip(unit))
        .map(|((gene, own), unit)| match (deviation(gene), weights) {
            (0.0, _) => 0.0,
            _ if unit == 0.0 => 0.0,
            (_, Weights::Equal) => 1.0,
            (deviation, Weights::Variance) => (own * f64::from(unit) / deviation) as f32,
        })
        .collect();
    let scale = |(column, factor): (&mut [f32], f32)| column.iter_mut().for_each(|x| *x *= factor);
    target.columns_mut().zip(factors).for_each(scale);
    Ok(target)
}

/// T·Tᵀ of the target's part that follows from the z-scored data alone; `None` for [`Aim::Reconstruction`], which has
/// none.
pub fn from_data(aim: Aim, weights: Weights, x: &Columns) -> Option<DMatrix<f64>> {
    match aim {
        Aim::Reconstruction => None,
        Aim::Blend(share) => Some(x.gram() * (1.0 - share)),
        Aim::Data => Some(x.gram()),
        Aim::Pca(k) => {
            let components = Components::of(&x.gram(), k);
            let mut scores = x.project(&components.vectors);
            if weights == Weights::Equal {
                scores.columns_mut().for_each(|column| {
                    let norm = column.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                    let scale = if norm > 0.0 { (x.rows() as f64).sqrt() / norm } else { 0.0 };
                    column.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
                });
            }
            Some(&components.vectors * scores.gram() * components.vectors.transpose())
        }
    }
}

/// Chooses from z-scored `x` to explain the target whose T·Tᵀ is `gram`.
///
/// # Errors
/// [`Error::Usage`] for a ridge that is neither 0 nor between 1e-6 and 1e12.
pub fn diverse(
    x: &Columns,
    gram: DMatrix<f64>,
    ridge: f64,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    // A smaller penalty than that is lost in the rounding of the samples' sums.
    if ridge != 0.0 && !(1e-6..=1e12).contains(&ridge) {
        return Err(Error::Usage(format!("--ridge {ridge}: expected 0, or a number from 1e-6 to 1e12")));
    }
    Ok(match ridge {
        0.0 => greedy(x, Some(&Target { gram }), ids, constraints, report),
        _ => ridge_greedy(x, &gram, ridge, ids, constraints, report),
    })
}
