//! The paper's tests: every named set against every other, and against the mean of the random draws and subsets of its size, **over
//! genes**. They take genes as independent of one another and the samples as all that there are. Genes are not independent: of pairs
//! of random sets more than half come out "p < 0.05". What holds on other samples is in `over_units.rs`.

use rayon::prelude::*;

use super::over_units::{Sides, sides};
use super::{Measure, Outcome, Plan, Tested};
use crate::evaluate::statistics::{SignedRank, TTest, bootstrap_mean, mean, paired_t, wilcoxon};

/// Level of the bootstrap's intervals.
const LEVEL: f64 = 0.95;

/// One side against another over the genes for which both have the measure; differences are a − b.
#[derive(Debug, Clone)]
pub struct PairTest {
    /// Which test store.
    pub test: usize,
    /// What is compared.
    pub measure: Measure,
    /// A named set.
    pub a: String,
    /// Another, or what draws are draws of, such as `random-N`.
    pub b: String,
    /// Number of genes.
    pub genes: usize,
    /// Mean of each side.
    pub means: Option<(f64, f64)>,
    /// A bootstrap percentile interval of 95 % of the mean difference, over resampled genes.
    pub interval: Option<(f64, f64)>,
    /// `None` where nothing differs.
    pub t: Option<TTest>,
    /// `None` where nothing differs.
    pub wilcoxon: Option<SignedRank>,
    /// Share of genes for which a is better.
    pub won: Option<f64>,
    /// Share of genes for which b is better; the rest are equal.
    pub lost: Option<f64>,
}

/// The mean by gene over outcomes; `None` where one of them has none.
fn mean_by_gene(measure: Measure, outcomes: &[&Outcome], gene: usize) -> Option<f64> {
    let values: Option<Vec<f64>> = outcomes.iter().map(|o| measure.of(&o.by_gene[gene])).collect();
    mean(values?)
}

/// All tests: by test store, by measure, each named set against each later one, then against the draws of its
/// size.
pub fn pair_tests(plan: &Plan, tested: &[Tested], resamples: usize, seed: u64) -> Vec<PairTest> {
    let sides = sides(plan);
    let mut all = Vec::new();
    for (test, tested) in tested.iter().enumerate() {
        for measure in Measure::ALL {
            let run = |(a, name, b): &Sides| {
                let b: Vec<&Outcome> = b.iter().map(|b| &tested.outcomes[*b]).collect();
                let pairs: Vec<(f64, f64)> = (0..tested.targets.len())
                    .filter_map(|gene| {
                        let a = measure.of(&tested.outcomes[*a].by_gene[gene])?;
                        Some((a, mean_by_gene(measure, &b, gene)?))
                    })
                    .collect();
                let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
                let share = |won: &dyn Fn(f64) -> bool| {
                    mean(differences.iter().map(|d| f64::from(u8::from(won(*d)))))
                };
                PairTest {
                    test,
                    measure,
                    a: plan.sets[*a].name.clone(),
                    b: name.clone(),
                    genes: pairs.len(),
                    means: mean(pairs.iter().map(|p| p.0)).zip(mean(pairs.iter().map(|p| p.1))),
                    interval: bootstrap_mean(&differences, resamples, LEVEL, seed),
                    t: paired_t(&differences),
                    wilcoxon: wilcoxon(&differences),
                    won: share(&|d| measure.won(d)),
                    lost: share(&|d| measure.won(-d)),
                }
            };
            all.extend(sides.par_iter().map(run).collect::<Vec<_>>());
        }
    }
    all
}
