//! What is fitted on and what is tested then: one split, several, or every group of samples held out once.

use std::collections::HashMap;

use super::Plan;
use crate::error::{Error, Result};
use crate::evaluate::Baseline;
use crate::evaluate::differences::Basis;
use crate::nn::scaling::{self, Scale};
use crate::prepare::split::{groups, is_unlabelled};
use crate::store::Store;

/// Samples that are inferred after a fit.
#[derive(Debug, Clone)]
pub struct Held<'a> {
    /// Which of the [`Design`]'s tests they belong to.
    pub test: usize,
    /// Where they are.
    pub store: &'a Store,
    /// Places in that store.
    pub samples: Vec<usize>,
    /// Where each of the training store's genes stands there.
    pub places: &'a [Option<usize>],
}

/// One fit of every set.
#[derive(Debug, Clone)]
pub struct Round<'a> {
    /// Holds the samples to fit on.
    pub train: &'a Store,
    /// Their places in it.
    pub samples: Vec<usize>,
    /// What is inferred then.
    pub held: Vec<Held<'a>>,
}

impl Round<'_> {
    /// What the samples that are fitted on tell of every gene.
    pub fn baseline(&self) -> Baseline {
        let known = scaling::fit(self.train, &self.samples, Scale::Zscore);
        let square = |scale: &f32| f64::from(*scale).powi(2);
        Baseline { per_variance: known.scale.iter().map(square).collect(), median: known.median }
    }
}

/// What is tested: a store, or what all rounds hold out.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// As tables call it.
    pub name: String,
    /// The samples in the order in which they are tested; a sample that several splits hold out is there several times.
    pub samples: Vec<String>,
    /// The round of each.
    pub round: Vec<usize>,
    /// Names of the groups, none where each sample is by itself, and each sample's.
    pub groups: Vec<String>,
    /// Of each sample.
    pub group: Vec<usize>,
    /// What its samples vary by.
    pub basis: Basis,
}

/// All rounds of a comparison, and what they test.
#[derive(Debug, Clone)]
pub struct Design<'a> {
    /// Of each a fit of every set.
    pub rounds: Vec<Round<'a>>,
    /// What they test.
    pub tests: Vec<Test>,
    /// Whether penalties are adapted to the landmarks of what is tested.
    pub adapts: bool,
}

/// Each sample's group by a sample column, and the groups' names, in order of first appearance. A sample without a label is a group
/// by itself. No groups where the store has no such column.
pub fn grouping(store: &Store, column: Option<&str>) -> Option<(Vec<String>, Vec<usize>)> {
    let column = column.filter(|column| store.samples().column(column).is_some())?;
    let groups = groups(store, Some(column)).ok()?;
    let fields = store.samples().column(column)?;
    let mut group = vec![0; store.n_samples()];
    let mut names = Vec::new();
    for (i, members) in groups.iter().enumerate() {
        members.iter().for_each(|sample| group[*sample] = i);
        let label = fields[members[0]].trim();
        let name = if is_unlabelled(label) { &store.samples().ids[members[0]] } else { label };
        names.push(name.to_string());
    }
    Some((names, group))
}

fn ids(store: &Store, samples: &[usize]) -> Vec<String> {
    samples.iter().map(|sample| store.samples().ids[*sample].clone()).collect()
}

impl<'a> Design<'a> {
    /// Whether no round after this one holds out samples of a test.
    pub(super) fn ends(&self, test: usize, round: usize) -> bool {
        !self.rounds[round + 1..].iter().flat_map(|round| &round.held).any(|held| held.test == test)
    }

    /// What a round holds out, as a message calls it: the group or the split, else the store.
    pub(super) fn held_out(&self, round: usize) -> Option<String> {
        let held = self.rounds[round].held.first()?;
        let test = &self.tests[held.test];
        let of_round = test.round.iter().zip(&test.group).filter(|(of, _)| **of == round);
        let mut groups = of_round.map(|(_, group)| *group);
        let first = groups.next()?;
        match groups.all(|group| group == first) {
            true => test.groups.get(first).cloned(),
            false => Some(held.store.path().display().to_string()),
        }
    }

    /// Fits on all of `train` once and tests on every store.
    pub fn split(train: &'a Store, tests: &'a [Store], plan: &'a Plan, group_by: Option<&str>) -> Design<'a> {
        let all = |store: &Store| (0..store.n_samples()).collect::<Vec<_>>();
        let held = tests.iter().zip(&plan.places).enumerate();
        let held =
            held.map(|(test, (store, places))| Held { test, store, samples: all(store), places }).collect();
        let test = |store: &Store| {
            let n = store.n_samples();
            let basis = |grouped| if grouped { Basis::Groups } else { Basis::Samples };
            let found = grouping(store, group_by);
            let basis = basis(found.is_some());
            let (groups, group) = found.unwrap_or((Vec::new(), vec![0; n]));
            Test {
                name: store.path().display().to_string(),
                samples: store.samples().ids.clone(),
                round: vec![0; n],
                groups,
                group,
                basis,
            }
        };
        Design {
            rounds: vec![Round { train, samples: all(train), held }],
            tests: tests.iter().map(test).collect(),
            adapts: false,
        }
    }

    /// Holds out every group of `store` once and fits on all others.
    ///
    /// # Errors
    /// [`Error::Usage`] without such a column; [`Error::Data`] for fewer than three groups.
    pub fn every_group(store: &'a Store, plan: &'a Plan, group_by: &str) -> Result<Design<'a>> {
        groups(store, Some(group_by))?;
        let (names, group) = grouping(store, Some(group_by)).expect("the column is there");
        if names.len() < 3 {
            return Err(Error::Data(format!(
                "the samples have {} groups by {group_by:?}; to hold each out once at least three are needed",
                names.len()
            )));
        }
        let round = |held: usize| {
            let (out, samples) = (0..store.n_samples()).partition(|sample| group[*sample] == held);
            let held = vec![Held { test: 0, store, samples: out, places: &plan.places[0] }];
            Round { train: store, samples, held }
        };
        let rounds: Vec<Round> = (0..names.len()).map(round).collect();
        let order: Vec<usize> = rounds.iter().flat_map(|round| round.held[0].samples.clone()).collect();
        let group: Vec<usize> = order.iter().map(|sample| group[*sample]).collect();
        let test = Test {
            name: format!("each of {} groups by {group_by} held out", names.len()),
            samples: ids(store, &order),
            round: group.clone(),
            groups: names,
            group,
            basis: Basis::HeldOutGroups,
        };
        Ok(Design { rounds, tests: vec![test], adapts: false })
    }

    /// Fits on each of `trains` and tests on the store beside it. Where the test parts share no sample and `group_by` is there, they are
    /// folds and differences are taken by group; otherwise by split.
    pub fn splits(
        trains: &'a [Store],
        tests: &'a [Store],
        plan: &'a Plan,
        group_by: Option<&str>,
    ) -> Design<'a> {
        let all = |store: &Store| (0..store.n_samples()).collect::<Vec<_>>();
        let stores = trains.iter().zip(tests).zip(&plan.places);
        let rounds: Vec<Round> = stores
            .map(|((train, store), places)| {
                let held = vec![Held { test: 0, store, samples: all(store), places }];
                Round { train, samples: all(train), held }
            })
            .collect();
        let samples: Vec<String> = tests.iter().flat_map(|test| test.samples().ids.clone()).collect();
        let round: Vec<usize> =
            (tests.iter().enumerate()).flat_map(|(i, test)| vec![i; test.n_samples()]).collect();
        let name = format!("{} splits", tests.len());
        let test = match by_group(tests, group_by).filter(|_| distinct(&samples)) {
            Some((groups, group)) => {
                Test { name, samples, round, groups, group, basis: Basis::HeldOutGroups }
            }
            None => {
                let sizes = |stores: &[Store]| stores.iter().map(Store::n_samples).sum::<usize>() as f64;
                let basis = Basis::Splits { ratio: sizes(tests) / sizes(trains) };
                let groups = (1..=tests.len()).map(|i| format!("split {i}")).collect();
                Test { name, samples, group: round.clone(), round, groups, basis }
            }
        };
        Design { rounds, tests: vec![test], adapts: false }
    }
}

fn distinct(samples: &[String]) -> bool {
    let mut seen = std::collections::HashSet::new();
    samples.iter().all(|sample| seen.insert(sample))
}

/// The groups of several stores' samples together.
fn by_group(tests: &[Store], group_by: Option<&str>) -> Option<(Vec<String>, Vec<usize>)> {
    let (mut names, mut places, mut group) = (Vec::new(), HashMap::new(), Vec::new());
    for test in tests {
        let (own, of) = grouping(test, group_by)?;
        group.extend(of.iter().map(|g| {
            *places.entry(own[*g].clone()).or_insert_with(|| {
                names.push(own[*g].clone());
                names.len() - 1
            })
        }));
    }
    Some((names, group))
}
