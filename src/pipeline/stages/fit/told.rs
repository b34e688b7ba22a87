//! What there is to tell of a fit.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::evaluate::statistics::{mean, quantile, sorted};
use crate::infer::{HeldOut, How, Method};

/// What there is to tell of a predictor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Samples that it was fitted on.
    pub samples: usize,
    /// Genes that are measured.
    pub landmarks: usize,
    /// Genes that are inferred.
    pub targets: usize,
    /// How.
    pub method: Method,
    /// What the data decided.
    pub chosen: Value,
    /// How well targets are inferred in samples that were held out.
    #[serde(default)]
    pub held_out: Option<Trusted>,
}

/// What held-out samples say, over targets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trusted {
    /// Folds, and groups or samples.
    pub how: How,
    /// Mean and median R².
    pub r2: [f64; 2],
    /// Targets of an R² of 0.5 and more.
    pub reliable: usize,
    /// Of each level the mean coverage, and the coverages of the targets at 5 % and 95 % of them; none where folds have too few groups to tell.
    pub coverage: Vec<Option<[f64; 3]>>,
}

impl Trusted {
    /// Of what was found out of every target.
    pub(in crate::pipeline) fn of(held_out: &HeldOut) -> Trusted {
        let ascending = |values: &[f32]| sorted(values.iter().map(|x| f64::from(*x)));
        let mean = |values: &[f64]| mean(values.iter().copied());
        let r2 = ascending(&held_out.r2);
        let covered = |shares: &[f32]| {
            let shares = ascending(shares);
            let known = shares.iter().all(|share| share.is_finite());
            known.then_some([mean(&shares)?, quantile(&shares, 0.05)?, quantile(&shares, 0.95)?])
        };
        Trusted {
            how: held_out.how.clone(),
            reliable: r2.iter().filter(|r2| **r2 >= 0.5).count(),
            coverage: held_out.coverage.chunks_exact(r2.len()).map(covered).collect(),
            r2: [mean(&r2), quantile(&r2, 0.5)].map(|x| x.expect("a predictor has targets")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: between two middle values lies their mean.
    #[test]
    fn figures_are_those_of_all_targets() {
        let held_out = HeldOut {
            how: How { folds: 2, groups: 9, levels: vec![0.5, 0.8] },
            r2: vec![1.0, 0.25, 0.5, 0.75],
            half_width: vec![1.0; 8],
            coverage: [[1.0, 0.0, 0.5, 0.25], [f32::NAN; 4]].concat(),
        };
        let told = Trusted::of(&held_out);
        assert_eq!((told.r2, told.reliable), ([0.625, 0.625], 3));
        let [mean, low, high] = told.coverage[0].expect("all are known");
        assert_eq!(mean, 0.4375);
        assert!((low - 0.0375).abs() < 1e-12 && (high - 0.925).abs() < 1e-12, "{low} {high}");
        assert_eq!(told.coverage[1], None);
    }
}
