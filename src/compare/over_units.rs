//! Every named set against every other and against the draws of its size, over samples or groups of samples; and its rank among the
//! draws.

use rayon::prelude::*;

use super::{Measure, Outcome, Plan, Tested};
use crate::evaluate::UnitFigures;
use crate::evaluate::differences::{Basis, Difference, difference};
use crate::evaluate::statistics::mean;

/// One side against another; differences are a − b, one a unit.
#[derive(Debug, Clone)]
pub struct PairDifference {
    /// Which test.
    pub test: usize,
    /// What is compared.
    pub measure: Measure,
    /// A named set.
    pub a: String,
    /// Another, or what draws are draws of, such as `random-N`: their mean.
    pub b: String,
    /// What varies.
    pub basis: Basis,
    /// Mean over units of each side.
    pub means: Option<(f64, f64)>,
    /// Their difference; `None` without a unit that has both.
    pub difference: Option<Difference>,
    /// Share of units in which a is better.
    pub won: Option<f64>,
}

/// A set's place among the random draws of its size.
#[derive(Debug, Clone)]
pub struct Rank {
    /// Which test.
    pub test: usize,
    /// What is ranked by: the mean over units.
    pub measure: Measure,
    /// The set, or one subset of a list.
    pub set: String,
    /// How many draws there are.
    pub draws: usize,
    /// 1 where no draw is better.
    pub rank: usize,
    /// (1 + draws that are as good)/(1 + draws): how often a random draw would rank so high.
    pub p: f64,
}

/// A pair's sides: a set, and the name and members of the other.
pub(super) type Sides = (usize, String, Vec<usize>);

/// Every named set beside each later one, then beside the draws of its size.
pub(super) fn sides(plan: &Plan) -> Vec<Sides> {
    let named: Vec<usize> = (0..plan.sets.len()).filter(|s| plan.sets[*s].draw_of.is_none()).collect();
    let mut sides: Vec<Sides> = Vec::new();
    for (i, a) in named.iter().enumerate() {
        sides.extend(named[i + 1..].iter().map(|b| (*a, plan.sets[*b].name.clone(), vec![*b])));
    }
    for a in &named {
        let size = |set: usize| plan.sets[set].genes.len();
        let same = plan.draws().into_iter().filter(|(_, draws)| size(draws[0]) == size(*a));
        sides.extend(same.map(|(name, draws)| (*a, name.to_string(), draws)));
    }
    sides
}

/// The units of an outcome: groups where there are, else samples.
pub(super) fn units(outcome: &Outcome, basis: Basis) -> &[UnitFigures] {
    match basis {
        Basis::Samples => &outcome.by_unit.samples,
        Basis::Groups | Basis::HeldOutGroups | Basis::Splits { .. } => &outcome.by_unit.groups,
    }
}

/// The mean over sets of each unit's figure; `None` where one has none.
pub(super) fn values(tested: &Tested, measure: Measure, sets: &[usize]) -> Vec<Option<f64>> {
    let of = |set: &usize| units(&tested.outcomes[*set], tested.test.basis);
    let value = |unit: usize| {
        let values: Option<Vec<f64>> = sets.iter().map(|set| measure.of_unit(&of(set)[unit])).collect();
        mean(values?)
    };
    (0..sets.first().map_or(0, |set| of(set).len())).map(value).collect()
}

/// All differences: by test, by measure, pair by pair.
pub fn pair_differences(plan: &Plan, tested: &[Tested], resamples: usize, seed: u64) -> Vec<PairDifference> {
    let sides = sides(plan);
    let mut all = Vec::new();
    for (test, tested) in tested.iter().enumerate() {
        for measure in Measure::ALL {
            let pair = |(a, name, b): &Sides| {
                let (of_a, of_b) = (values(tested, measure, &[*a]), values(tested, measure, b));
                let both: Vec<(f64, f64)> =
                    of_a.into_iter().zip(of_b).filter_map(|(a, b)| a.zip(b)).collect();
                let differences: Vec<f64> = both.iter().map(|(a, b)| a - b).collect();
                let basis = tested.test.basis;
                PairDifference {
                    test,
                    measure,
                    a: plan.sets[*a].name.clone(),
                    b: name.clone(),
                    basis,
                    means: mean(both.iter().map(|p| p.0)).zip(mean(both.iter().map(|p| p.1))),
                    difference: difference(&differences, basis, resamples, seed),
                    won: mean(differences.iter().map(|d| f64::from(u8::from(measure.won(*d))))),
                }
            };
            all.extend(sides.par_iter().map(pair).collect::<Vec<_>>());
        }
    }
    all
}

/// The place of every set that is no random draw among the random draws of its size, by each measure.
pub fn ranks(plan: &Plan, tested: &[Tested]) -> Vec<Rank> {
    let draws = plan.draws();
    let random = |set: usize| {
        let n = plan.sets[set].genes.len();
        draws.iter().find(|(name, _)| *name == format!("random-{n}")).map(|(_, draws)| draws)
    };
    let mut all = Vec::new();
    for (test, tested) in tested.iter().enumerate() {
        for measure in Measure::ALL {
            let figure = |set: usize| mean(values(tested, measure, &[set]).into_iter().flatten());
            for (i, set) in plan.sets.iter().enumerate().filter(|(_, set)| set.source != "random") {
                let (Some(draws), Some(own)) = (random(i), figure(i)) else { continue };
                let others: Vec<f64> = draws.iter().filter_map(|draw| figure(*draw)).collect();
                let better = others.iter().filter(|other| measure.won(*other - own)).count();
                let as_good = others.iter().filter(|other| !measure.won(own - *other)).count();
                let (set, draws) = (set.name.clone(), others.len());
                let p = (1 + as_good) as f64 / (1 + draws) as f64;
                all.push(Rank { test, measure, set, draws, rank: better + 1, p });
            }
        }
    }
    all
}
