//! From scores, data or a network to a ranked list of landmarks: one file a strategy, one [`Strategy`] table.

mod by_genes;
mod by_samples;
pub mod columns;
mod concrete;
pub mod consensus;
mod constraints;
pub mod copies;
pub mod covariance;
mod css;
pub mod diverse;
pub mod eigen;
mod exchange;
mod facility_location;
mod greedy;
mod k_medoids;
pub mod moments;
mod pca;
mod peel_off;
pub mod penalties;
mod random;
mod ridge_greedy;
pub mod stability;
mod stand_ins;
pub mod target;
pub mod uniqueness;
mod variance;
mod within;

use serde::{Deserialize, Serialize};

use crate::attribution::ScoreTable;
use crate::device::Executor;
use crate::device::random::Stream;
use crate::error::{Error, Result};
use crate::memory::Need;
use crate::nn::model::Model;
use crate::progress::{Event, Reporter};
use crate::store::Store;
use columns::Columns;
pub use concrete::{ConcreteSettings, concrete};
pub use constraints::{Constraints, Picks};
use covariance::Covariance;
pub use css::css;
pub use diverse::{DiverseSettings, diverse, replacements};
pub use facility_location::facility_location;
pub use greedy::{Target, greedy};
pub use k_medoids::k_medoids;
use moments::Moments;
pub use pca::{pca, right_vectors};
pub use peel_off::{PeelOffSettings, peel_off};
pub use random::random;
pub use stand_ins::StandIn;
pub use variance::variance;

/// How landmarks are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Greedy against what is already explained, aimed at the data or at the autoencoder's reconstruction of it
    #[default]
    Diverse,
    /// The highest scores (Kong et al. 2021)
    Top,
    /// A random draw
    Random,
    /// The highest variance
    Variance,
    /// QR with column pivoting on the principal components (Q-DEIM)
    Pca,
    /// Greedy column subset selection on the data (Farahat et al. 2011)
    Css,
    /// Concrete autoencoder (Balın et al. 2019)
    Concrete,
    /// Centroids of tight clusters, taken out round by round (how the L1000 landmarks were found)
    PeelOff,
    /// Genes such that every gene correlates with one of them, by r²
    FacilityLocation,
    /// The middles of clusters, at a distance of 1 − |r|
    KMedoids,
}

/// What a strategy chooses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// A table of scores.
    pub scores: bool,
    /// A store of training samples; without it the genes are those of the scores.
    pub store: bool,
    /// A network.
    pub model: bool,
}

/// Samples that a strategy uses which factorises an n × n matrix.
const FACTORISED: usize = 1_000;
/// Samples that a strategy uses which multiplies by one.
const MULTIPLIED: usize = 4_000;

impl Strategy {
    /// What the strategy takes; `settings` decide for `diverse`.
    pub fn needs(self, settings: &DiverseSettings) -> Needs {
        let scores = self == Strategy::Top;
        let model = self == Strategy::Diverse && settings.target.share() > 0.0;
        Needs { scores, store: !scores, model }
    }

    /// Whether it may work on the device (`diverse` only where it goes by genes, which its data decide).
    pub fn may_compute(self) -> bool {
        use Strategy::{Concrete, Diverse, FacilityLocation, KMedoids};
        matches!(self, Concrete | Diverse | FacilityLocation | KMedoids)
    }

    /// Whether it may look at a part of the samples, drawn by the seed.
    pub fn draws_samples(self) -> bool {
        match self {
            Strategy::Diverse | Strategy::Css | Strategy::Pca | Strategy::PeelOff => true,
            Strategy::FacilityLocation | Strategy::KMedoids => true,
            Strategy::Top | Strategy::Random | Strategy::Variance | Strategy::Concrete => false,
        }
    }

    /// Whether a list is the beginning of every longer one from the same samples, but for ties within rounding.
    pub fn goes_on(self, settings: &DiverseSettings) -> bool {
        match self {
            Strategy::Diverse => settings.ridge == 0.0 || settings.exchange == 0,
            Strategy::Top | Strategy::Random | Strategy::Variance => true,
            Strategy::Css | Strategy::PeelOff | Strategy::FacilityLocation => true,
            // as many components, clusters or selectors as genes
            Strategy::Pca | Strategy::KMedoids | Strategy::Concrete => false,
        }
    }

    /// How many samples it looks at unless told otherwise, of a store of so many genes.
    pub fn most_samples(self, settings: &DiverseSettings, genes: usize) -> usize {
        match self {
            Strategy::Top | Strategy::Random | Strategy::Variance | Strategy::Concrete => usize::MAX,
            Strategy::FacilityLocation | Strategy::KMedoids => usize::MAX,
            Strategy::Css => MULTIPLIED,
            Strategy::Pca | Strategy::PeelOff => FACTORISED,
            Strategy::Diverse if settings.takes_all(genes) => usize::MAX,
            Strategy::Diverse if matches!(settings.target, diverse::Aim::Pca(_)) => FACTORISED,
            Strategy::Diverse => MULTIPLIED,
        }
    }
}

/// The samples of a store that a strategy uses, ascending: all, or `most` drawn by the seed.
pub fn draw_samples(store: &Store, most: usize, seed: u64, report: Reporter) -> Vec<usize> {
    draw_among((0..store.n_samples()).collect(), most, seed, report)
}

/// As [`draw_samples`], of some of a store's samples.
fn draw_among(mut samples: Vec<usize>, most: usize, seed: u64, report: Reporter) -> Vec<usize> {
    if samples.len() > most {
        report(Event::Note(format!("selecting on {most} of {} samples, drawn by the seed", samples.len())));
        Stream::new(seed, "selection samples", 0).shuffle(&mut samples);
        samples.truncate(most);
        samples.sort_unstable();
    }
    samples
}

/// Picks the `n` best genes: the included ones first, then by rank. The result is ranked in that order.
///
/// `include` and `exclude` are positions in `scores`.
///
/// # Errors
/// Those of [`Constraints::new`].
pub fn top(scores: &ScoreTable, n: usize, include: &[usize], exclude: &[usize]) -> Result<ScoreTable> {
    let constraints = Constraints::new(&scores.genes, n, include, exclude)?;
    let sizes: Vec<f64> = scores.scores.iter().map(|score| score.abs()).collect();
    let picks = constraints.best(&scores.genes.ids, &sizes);
    let signed = picks.genes.iter().map(|gene| scores.scores[*gene]).collect();
    Ok(Picks { scores: signed, ..picks }.table(&scores.genes))
}

/// What a strategy that looks at a store gets.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Training samples only.
    pub store: &'a Store,
    /// Those of its samples that are looked at and no others, ascending; `None` for all.
    pub among: Option<&'a [usize]>,
    /// For strategies that need it.
    pub model: Option<&'a Model>,
    /// At most this many samples.
    pub samples: usize,
    /// Of draws.
    pub seed: u64,
    /// For `diverse`.
    pub diverse: &'a DiverseSettings,
    /// For `concrete`.
    pub concrete: &'a ConcreteSettings,
    /// For `peel-off`: k-means runs a round.
    pub trials: usize,
}

impl Inputs<'_> {
    /// The samples that are looked at, ascending.
    fn drawn(&self, report: Reporter) -> Vec<usize> {
        let all = || (0..self.store.n_samples()).collect();
        let mut samples = self.among.map_or_else(all, <[usize]>::to_vec);
        samples.sort_unstable();
        draw_among(samples, self.samples, self.seed, report)
    }
}

/// Runs a strategy that chooses among a store's genes.
///
/// # Errors
/// [`Error::Usage`] for `top`, which takes scores ([`top`]), and where the model is missing; [`Error::Data`] for a
/// single sample; those of the strategy. `executor` opens the device that a network runs on.
pub fn from_store<'e>(
    strategy: Strategy,
    inputs: &Inputs,
    constraints: &Constraints,
    executor: impl FnOnce() -> Result<&'e mut dyn Executor>,
    report: Reporter,
) -> Result<Picks> {
    let Inputs { store, seed, concrete: autoencoder, trials, .. } = *inputs;
    let ids = &store.genes().ids;
    if strategy == Strategy::Random {
        return Ok(random(ids, constraints, seed));
    }
    let samples = inputs.drawn(report);
    if samples.len() < 2 {
        let message = format!(
            "{}: a selection that looks at the data needs at least 2 samples, found {}",
            store.path().display(),
            samples.len()
        );
        return Err(Error::Data(message));
    }
    match strategy {
        Strategy::Diverse => diverse::from_store(inputs, &samples, constraints, executor, report),
        Strategy::Concrete => concrete(executor()?, store, &samples, constraints, autoencoder, report),
        Strategy::Variance => {
            let deviations = Moments::of(store, &samples)?.deviations;
            varies(&deviations, store, samples.len())?;
            Ok(variance(&deviations, ids, constraints))
        }
        Strategy::Pca => pca(&columns(store, &samples)?.0, ids, constraints, report),
        Strategy::Css => css(&columns(store, &samples)?.0, ids, constraints, report),
        Strategy::PeelOff => {
            let settings = PeelOffSettings { trials, seed, ..PeelOffSettings::default() };
            peel_off(&columns(store, &samples)?.0, &settings, ids, constraints, report)
        }
        Strategy::FacilityLocation | Strategy::KMedoids => {
            let columns = ("columns of correlations", [8, 8, store.n_genes(), 1]);
            let moments = Moments::of(store, &samples)?;
            let c = products(store, &samples, &moments, &[columns], executor()?, report)?;
            match strategy {
                Strategy::KMedoids => k_medoids(&c, ids, constraints, report),
                _ => facility_location(&c, ids, constraints, report),
            }
        }
        Strategy::Top | Strategy::Random => {
            Err(Error::Usage("top chooses by scores, not from a store".into()))
        }
    }
}

/// The z-scored samples by gene, and the genes' deviations, for a selection that makes matrices of n × n.
fn columns(store: &Store, samples: &[usize]) -> Result<(Columns, Vec<f64>)> {
    let (n, genes) = (samples.len(), store.n_genes());
    Need::new()
        .with(format!("values of {n} samples by {genes} genes"), &[n, genes, 4])
        .with(format!("matrices of {n} × {n} samples"), &[3, n, n, 8])
        .check("the selection", "take fewer samples (--samples), or allow more (--memory)")?;
    let (x, deviations) = Columns::standardized(store, samples);
    varies(&deviations, store, n)?;
    Ok((x, deviations))
}

/// The products of genes with each other over the samples, for a selection that also takes `more` memory.
fn products(
    store: &Store,
    samples: &[usize],
    moments: &Moments,
    more: &[(&str, [usize; 4])],
    executor: &mut dyn Executor,
    report: Reporter,
) -> Result<Covariance> {
    let genes = store.n_genes();
    let need = Need::new();
    let need =
        need.with(format!("products of {genes} genes with each other"), &[2, Covariance::bytes(genes)]);
    more.iter()
        .fold(need, |need, (what, more)| need.with(*what, more))
        .check("the selection", "take fewer genes (`prepare` has filters), or allow more (--memory)")?;
    varies(&moments.deviations, store, samples.len())?;
    Covariance::of(executor, store, samples, moments, report)
}

/// Refuses genes of which none varies.
fn varies(deviations: &[f64], store: &Store, n: usize) -> Result<()> {
    if deviations.iter().any(|sd| *sd > 0.0) {
        return Ok(());
    }
    Err(Error::Data(format!(
        "{}: no gene varies over the {n} samples that are looked at, so there is nothing to choose by; give it others",
        store.path().display()
    )))
}

/// The `n` best genes of a store by a strategy with its own settings, bound by nothing: for all but `top`, which takes scores, and
/// targets that need a network.
///
/// # Errors
/// Those of [`from_store`].
pub fn choose(
    strategy: Strategy,
    store: &Store,
    n: usize,
    executor: &mut dyn Executor,
    report: Reporter,
) -> Result<ScoreTable> {
    let diverse = DiverseSettings::default();
    let inputs = Inputs {
        store,
        among: None,
        model: None,
        samples: strategy.most_samples(&diverse, store.n_genes()),
        seed: 0,
        diverse: &diverse,
        concrete: &ConcreteSettings::default(),
        trials: PeelOffSettings::default().trials,
    };
    let constraints = Constraints::new(store.genes(), n, &[], &[])?;
    executor.reset();
    Ok(from_store(strategy, &inputs, &constraints, || Ok(executor), report)?.table(store.genes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genes::Table;
    use crate::select::diverse::{Aim, Penalty, Weights};

    #[test]
    fn defaults_are_the_documented_ones() {
        let concrete = ConcreteSettings {
            hidden: vec![],
            epochs: 300,
            learning_rate: 0.01,
            start_temperature: 10.0,
            end_temperature: 0.01,
            batch: 32,
            seed: 0,
        };
        assert_eq!(ConcreteSettings::default(), concrete);
        let peel_off = PeelOffSettings {
            variance: 0.9,
            clusters: (20, 100),
            trials: 32,
            subsample: 0.75,
            agreement: 0.8,
            smallest: 5,
            iterations: 20,
            seed: 0,
        };
        assert_eq!(PeelOffSettings::default(), peel_off);
        let (target, penalty) = (Aim::Data, Penalty::Uniqueness);
        let diverse =
            DiverseSettings { target, weights: Weights::Variance, ridge: 2.5, penalty, exchange: 0 };
        assert_eq!(DiverseSettings::default(), diverse);
        let shares =
            ["data", "reconstruction", "pca:3", "blend:0.25"].map(|aim| aim.parse::<Aim>().unwrap().share());
        assert_eq!(shares, [0.0, 1.0, 0.0, 0.25]);
    }

    #[test]
    fn samples_are_drawn_from_all() {
        let draw = |most, seed| draw_among((0..20).collect(), most, seed, &crate::progress::silent);
        let mut times = [0; 20];
        for drawn in (0..60).map(|seed| draw(5, seed)) {
            assert!(drawn.len() == 5 && drawn.is_sorted_by(|a, b| a < b), "{drawn:?}");
            drawn.iter().for_each(|sample| times[*sample] += 1);
        }
        // 15 times each, give or take 3.4
        assert!(times.iter().all(|times| (4..=28).contains(times)), "{times:?}");
        assert_eq!(draw(20, 1), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn top_takes_the_best_whatever_their_sign_and_the_included_first() {
        let genes = Table::new("gene_id", ["a", "b", "c", "d", "e"].map(String::from).to_vec());
        // ranked: b c d a e
        let scores = ScoreTable::rank(&genes, &[1.0, 5.0, -3.0, 3.0, 0.0]);
        assert_eq!(top(&scores, 3, &[], &[]).unwrap().genes.ids, ["b", "c", "d"]);
        assert_eq!(top(&scores, 5, &[], &[]).unwrap().genes.ids, ["b", "c", "d", "a", "e"]);
        let chosen = top(&scores, 3, &[4], &[0]).unwrap();
        assert_eq!(chosen.genes.ids, ["e", "c", "d"]);
        assert_eq!(chosen.scores, [0.0, -3.0, 3.0]);
    }
}
