//! `diverse`: the gene that says most about all the others, given the genes already chosen.
//!
//! A greedy of ridge regressions ([`ridge_greedy`]) on the measured genes, aimed at a target: the data, or
//! what the autoencoder makes of it, which is the data without what it takes for noise, or a blend of both; then [`exchange`]s, where they are asked for. Which target
//! and which ridge predict best is measured in `docs/landmarks.md`. Without a ridge it is the least-squares greedy of
//! `css`, aimed at that target.
//!
//! Options: [`DiverseSettings`]. Cost: that of the greedy, in the space of the samples or, for the data as target, in the space of
//! the genes, whichever is less ([`DiverseSettings::goes_by_genes`]); n²·G for T·Tᵀ or n·G² for XᵀX, 30 products with a factor analysis's
//! loadings where penalties go by uniqueness, and one forward pass of the network where the target has a share of its
//! output. Score: the share of the target's variance that the gene adds.

use std::fmt;
use std::str::FromStr;

use nalgebra::DMatrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::by_genes::ByGenes;
use super::by_samples::BySamples;
use super::columns::Columns;
use super::constraints::{Constraints, Picks};
use super::covariance::Covariance;
use super::eigen::Components;
use super::exchange::exchange;
use super::greedy::{Target, greedy};
use super::moments::Moments;
use super::penalties::Penalties;
use super::ridge_greedy::{Revise, ridge_greedy};
use super::stand_ins::{StandIn, stand_ins};
use super::target::TargetProducts;
use super::uniqueness::{Products, uniqueness};
use super::{Inputs, columns};
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

/// How the ridge penalty is shared out among the genes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Penalty {
    /// In proportion to its uniqueness: the share of its variance that factors common to all genes do not explain.
    #[default]
    Uniqueness,
    /// The same for every gene.
    Equal,
}

impl Penalty {
    /// The ridge that goes with it (`docs/landmarks.md`).
    pub fn ridge(self) -> f64 {
        match self {
            Penalty::Uniqueness => 2.5,
            Penalty::Equal => 5.0,
        }
    }
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
    /// Whose ridge is larger.
    pub penalty: Penalty,
    /// Sweeps over the list, at most, in which genes give way to better ones.
    pub exchange: usize,
}

impl Default for DiverseSettings {
    fn default() -> Self {
        let penalty = Penalty::default();
        let (target, weights) = (Aim::Data, Weights::Variance);
        DiverseSettings { target, weights, ridge: penalty.ridge(), penalty, exchange: 0 }
    }
}

/// The most genes whose products with each other are kept: 3.2 GB.
const MOST_GENES: usize = 40_000;
/// Below this many operations the exact form of the samples takes a second or two.
const SMALL: f64 = 1e11;

impl DiverseSettings {
    /// Whether every sample can be looked at, however many there are: where the selection can go by genes.
    pub fn takes_all(&self, genes: usize) -> bool {
        !matches!(self.target, Aim::Pca(_)) && self.ridge != 0.0 && genes <= MOST_GENES
    }

    /// Whether the selection of `landmarks` goes by genes rather than by samples: where that is less work, an f32
    /// operation counted as a third of one in f64.
    pub fn goes_by_genes(&self, samples: usize, genes: usize, landmarks: usize) -> bool {
        let [n, g, k] = [samples, genes, landmarks].map(|count| count as f64);
        let stretches = Penalties::stretches(landmarks) as f64;
        // setting penalties decomposes, inverts and multiplies matrices of samples
        let by_samples = (2.0 * stretches + 1.0) * n * n * g + stretches * 6.0 * n.powi(3) + k * 12.0 * n * g;
        // the data's products, the network's output against the data, and the images of both
        let share = self.target.share();
        let targets = [share > 0.0, share > 0.0 && share < 1.0].map(|is| f64::from(u8::from(is)));
        let products = n * g * g * (1.0 + 2.0 * targets[0]) + g * g * g * (targets[0] + targets[1]);
        let by_genes = products / 3.0 + k * 2.0 * g * g;
        self.takes_all(genes) && by_samples > SMALL && by_genes < by_samples
    }

    /// The greedy's genes, after exchanges.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; [`lost_in_rounding`](super::ridge_greedy::lost_in_rounding).
    pub(super) fn choose(
        &self,
        left: &mut dyn Revise,
        penalties: &Penalties,
        ids: &[String],
        constraints: &Constraints,
        report: Reporter,
    ) -> Result<Picks> {
        let picks = ridge_greedy(left, penalties, ids, constraints, report)?;
        exchange(left, picks, self.exchange, penalties, ids, constraints, report)
    }

    /// The penalties for the genes of z-scored data over `n` samples.
    fn penalties(&self, x: &impl Products, n: usize, genes: usize) -> Result<Penalties> {
        match self.penalty {
            Penalty::Equal => Penalties::equal(self.ridge, genes),
            Penalty::Uniqueness => {
                Penalties::equal(self.ridge, 0)?;
                Penalties::by_uniqueness(self.ridge, &uniqueness(x, n))
            }
        }
    }
}

/// The autoencoder's output for the given samples of a store, z-scored by gene or in shares of the genes' standard
/// deviations (`weights`): the target that [`Aim::Reconstruction`] means.
///
/// `deviations` are those of the store's genes over the samples; a gene that does not vary there has weight 0.
///
/// # Errors
/// Those of [`apply::forward_of`]: genes of the model that the store lacks, the device's.
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
    let mut target = Columns::new(n, vec![0.0; n * genes]);
    let those = (store, samples.to_vec());
    apply::forward_of(executor, model, those, model.layers.len(), report, |first, rows| {
        target.place(first, rows);
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

/// Chooses from z-scored `x` to explain the target whose T·Tᵀ is `gram`, with the ridge of `settings`.
///
/// # Errors
/// [`Error::Usage`] for a ridge that is neither 0 nor between 1e-6 and 1e12; [`Error::Interrupted`].
pub fn diverse(
    x: &Columns,
    gram: DMatrix<f64>,
    settings: &DiverseSettings,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    if settings.ridge == 0.0 {
        return greedy(x, Some(&Target { gram }), ids, constraints, report);
    }
    let penalties = settings.penalties(x, x.rows(), x.len())?;
    settings.choose(&mut BySamples::new(x, &gram), &penalties, ids, constraints, report)
}

/// The same for the data as its own target by the products of genes with each other over `n` samples; the ridge is not 0.
///
/// # Errors
/// As [`diverse`].
pub fn by_genes(
    c: &Covariance,
    n: usize,
    settings: &DiverseSettings,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    let penalties = settings.penalties(c, n, c.genes())?;
    settings.choose(&mut ByGenes::new(c, None, constraints.n()), &penalties, ids, constraints, report)
}

/// Chooses among a store's genes.
///
/// # Errors
/// Those of the device; [`Error::Usage`] where the model is missing; as [`diverse`].
pub(super) fn from_store<'e>(
    inputs: &Inputs,
    samples: &[usize],
    constraints: &Constraints,
    executor: impl FnOnce() -> Result<&'e mut dyn Executor>,
    report: Reporter,
) -> Result<Picks> {
    let ids = &inputs.store.genes().ids;
    if inputs.diverse.ridge == 0.0 {
        let (x, gram) = data(inputs, samples, executor, report)?;
        return greedy(&x, Some(&Target { gram }), ids, constraints, report);
    }
    let choose = |left: &mut dyn Revise, penalties: &Penalties| {
        inputs.diverse.choose(left, penalties, ids, constraints, report)
    };
    with_left(inputs, samples, constraints.n(), executor, report, choose)
}

/// The genes that would replace each of a store's `landmarks` at least loss by the criterion of `diverse`, `most` of each, among those that
/// `constraints` allow.
///
/// # Errors
/// [`Error::Usage`] for a ridge of 0; as [`from_store`](super::from_store).
pub fn replacements<'e>(
    inputs: &Inputs,
    (landmarks, constraints): (&[usize], &Constraints),
    most: usize,
    executor: impl FnOnce() -> Result<&'e mut dyn Executor>,
    report: Reporter,
) -> Result<Vec<Vec<StandIn>>> {
    if inputs.diverse.ridge == 0.0 {
        return Err(Error::Usage(
            "stand-ins are weighed by a ridge; give --ridge another value than 0".into(),
        ));
    }
    let samples = inputs.drawn(report);
    let ids = &inputs.store.genes().ids;
    let weigh = |left: &mut dyn Revise, penalties: &Penalties| {
        stand_ins(left, penalties, (landmarks, constraints), ids, most)
    };
    with_left(inputs, &samples, landmarks.len(), executor, report, weigh)
}

/// Does `work` with what is left of the target, kept among the genes or the samples as their numbers have it.
fn with_left<'e, R>(
    inputs: &Inputs,
    samples: &[usize],
    landmarks: usize,
    executor: impl FnOnce() -> Result<&'e mut dyn Executor>,
    report: Reporter,
    work: impl FnOnce(&mut dyn Revise, &Penalties) -> Result<R>,
) -> Result<R> {
    let Inputs { store, diverse: settings, .. } = *inputs;
    let (n, genes) = (samples.len(), store.n_genes());
    if settings.goes_by_genes(n, genes, landmarks) {
        let model = match settings.target.share() {
            0.0 => None,
            _ => Some(inputs.model.ok_or_else(without_model)?),
        };
        let executor = executor()?;
        let factors = ("factors of as many columns as landmarks", [3, 8, genes, ByGenes::columns(landmarks)]);
        let of_target = if model.is_some() { TargetProducts::bytes(genes) } else { 0 };
        let target = ("the target's products", [1, of_target, 1, 1]);
        let moments = Moments::of(store, samples)?;
        let c = super::products(store, samples, &moments, &[factors, target], executor, report)?;
        let of =
            |model| TargetProducts::of(executor, (model, settings), (store, samples), (&moments, &c), report);
        let target = model.map(of).transpose()?;
        let penalties = settings.penalties(&c, n, genes)?;
        return work(&mut ByGenes::new(&c, target.as_ref(), landmarks), &penalties);
    }
    let (x, gram) = data(inputs, samples, executor, report)?;
    let penalties = settings.penalties(&x, n, genes)?;
    work(&mut BySamples::new(&x, &gram), &penalties)
}

fn without_model() -> Error {
    Error::Usage("diverse needs --model".into())
}

/// The z-scored samples, and T·Tᵀ of the target.
fn data<'e>(
    inputs: &Inputs,
    samples: &[usize],
    executor: impl FnOnce() -> Result<&'e mut dyn Executor>,
    report: Reporter,
) -> Result<(Columns, DMatrix<f64>)> {
    let Inputs { store, diverse: settings, .. } = *inputs;
    let n = samples.len();
    let (x, deviations) = columns(store, samples)?;
    let mut gram = from_data(settings.target, settings.weights, &x).unwrap_or_else(|| DMatrix::zeros(n, n));
    let share = settings.target.share();
    if share > 0.0 {
        let model = inputs.model.ok_or_else(without_model)?;
        let weights = settings.weights;
        let output = reconstruction(executor()?, model, store, samples, &deviations, weights, report)?;
        gram += output.gram() * share;
    }
    Ok((x, gram))
}
