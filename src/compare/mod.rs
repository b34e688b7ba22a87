//! Landmark sets side by side on held-out samples: each set's predictor is fitted on the training samples, infers the
//! same targets in every test store, and is measured; sets are compared in pairs, over samples or groups of samples, and with random
//! draws of their size.

mod ceiling;
mod curve;
mod describe;
mod enough;
mod goal;
mod leaks;
mod measure;
mod over_units;
mod paired;
mod plan;
mod rounds;
mod sets;
mod tables;

pub use ceiling::{Ceiling, ceiling};
pub use curve::{Curve, curve};
pub use describe::{describe, describe_curves, over};
pub use enough::{Enough, Search, Tried, can_search};
pub use goal::{Figure, Goal};
pub use leaks::{Identity, Leaks};
pub use measure::Measure;
pub use over_units::{PairDifference, Rank, pair_differences, ranks};
pub use paired::{PairTest, pair_tests};
pub use plan::{Plan, PlanSettings};
pub use rounds::{Design, Held, Round, Test, grouping};
pub(crate) use sets::is_draw_of;
pub use sets::{LandmarkSet, Named, ROUND, check_names, places};
pub use tables::{FILES, SetFigures, Tests, Told, curve_lines, equal_lines, set_figures, write, write_into};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::device::Executor;
use crate::error::{Error, Result};
use crate::evaluate::{Agreement, Baseline, ByUnit, Figures, Pairs, Permutation, Rows, by_unit, permutation};
use crate::genes::shorten;
use crate::infer::{FitSettings, Predictor, Problem, Toward};
use crate::nouns::counted;
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// How one set did on one test.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Of each common target, over samples.
    pub by_gene: Vec<Figures>,
    /// Of each sample, over common targets.
    pub by_sample: Vec<Figures>,
    /// What samples and groups add to the figures.
    pub by_unit: ByUnit,
    /// Of each common target.
    pub permutation: Permutation,
    /// Of each target of this size, common or not, over samples.
    pub of_size: Vec<Figures>,
}

/// How all sets did on one test.
#[derive(Debug, Clone)]
pub struct Tested {
    /// What was tested; the store's path where it is one.
    pub store: String,
    /// Positions among the training store's genes: the plan's common targets that are measured here.
    pub targets: Vec<usize>,
    /// Its samples and groups.
    pub test: Test,
    /// Of each set of the plan.
    pub outcomes: Vec<Outcome>,
}

/// Fits every set of the plan on all samples of `train` and measures it on every test store; samples are grouped by
/// `settings.group_by`.
///
/// # Errors
/// Those of [`Predictor::fit`] and [`Predictor::predict`]; [`Error::Data`] where a test measures none of the common targets;
/// [`Error::Io`] where the temporary directory is full.
pub fn compare(
    executor: &mut dyn Executor,
    train: &Store,
    tests: &[Store],
    plan: &Plan,
    settings: &FitSettings,
    report: Reporter,
) -> Result<Vec<Tested>> {
    let design = Design::split(train, tests, plan, settings.group_by.as_deref());
    compare_by(executor, &design, plan, settings, report)
}

/// Fits every set of the plan in every round of the design, and measures it on what that holds out.
///
/// # Errors
/// As [`compare`].
pub fn compare_by(
    executor: &mut dyn Executor,
    design: &Design,
    plan: &Plan,
    settings: &FitSettings,
    report: Reporter,
) -> Result<Vec<Tested>> {
    let baselines: Vec<Baseline> = design.rounds.iter().map(Round::baseline).collect();
    let known = Known::of(design, plan, &baselines)?;
    let tested = |(test, known): (&Test, &Known)| Tested {
        store: test.name.clone(),
        targets: known.common.iter().map(|target| plan.targets[*target]).collect(),
        test: test.clone(),
        outcomes: Vec::new(),
    };
    let mut tested: Vec<Tested> = design.tests.iter().zip(&known).map(tested).collect();
    let warned = Mutex::new(BTreeMap::<String, Warned>::new());
    for (i, set) in plan.sets.iter().enumerate() {
        report(Event::Note(format!("set {} of {}: {}", i + 1, plan.sets.len(), set.name)));
        // a test is finished as soon as all of it was seen: of many stores one at a time is under way
        let mut under_way: Vec<Option<UnderWay>> = known.iter().map(|_| None).collect();
        for (number, round) in design.rounds.iter().enumerate() {
            // what is said of many sets or in many rounds is said once
            let heard = |event: Event| match event {
                Event::Warning(text) => {
                    let mut warned = warned.lock().unwrap_or_else(PoisonError::into_inner);
                    warned.entry(text).or_default().add(&set.name, number);
                }
                other => report(other),
            };
            // in one order, so that equal sets have equal figures
            let mut landmarks = set.of_round(number).to_vec();
            landmarks.sort_unstable();
            let mut of_all = None;
            for held in &round.held {
                let places: Vec<Option<usize>> = landmarks.iter().map(|gene| held.places[*gene]).collect();
                let predictor = match of_all.take() {
                    Some(predictor) => predictor,
                    None => {
                        let test = Toward { store: held.store, samples: &held.samples, places: &places };
                        let toward = design.adapts.then_some(test);
                        let all = Problem::new(round.train, &round.samples, &landmarks, &plan.targets);
                        let problem = Problem { toward, ..all };
                        Predictor::fit_passing(executor, &problem, settings, None, &heard)?
                    }
                };
                let (known, tested) = (&known[held.test], &mut tested[held.test]);
                let mut all = match under_way[held.test].take() {
                    Some(begun) => begun,
                    None => UnderWay::new(known)?,
                };
                all.take(executor, &predictor, (plan, &places, held), (number, known), &heard)?;
                of_all = (!design.adapts).then_some(predictor);
                if design.ends(held.test, number) {
                    tested.outcomes.push(all.finish(executor, known, &tested.test, report)?);
                } else {
                    under_way[held.test] = Some(all);
                }
            }
        }
    }
    for (text, of) in warned.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let (sets, names) = (counted(of.sets.len(), "set"), of.names(design));
        report(Event::Warning(format!("{sets}: {text} ({names})")));
    }
    Ok(tested)
}

/// The sets and rounds of which one thing was said.
#[derive(Default)]
struct Warned<'a> {
    sets: Vec<&'a str>,
    rounds: BTreeSet<usize>,
}

impl<'a> Warned<'a> {
    fn add(&mut self, set: &'a str, round: usize) {
        if self.sets.last() != Some(&set) {
            self.sets.push(set);
        }
        self.rounds.insert(round);
    }

    /// The sets, and what is held out in these rounds where it was not said in all.
    fn names(&self, design: &Design) -> String {
        let sets = shorten(self.sets.iter().map(ToString::to_string));
        if self.rounds.len() == design.rounds.len() {
            return sets;
        }
        let rounds: Vec<String> = self.rounds.iter().filter_map(|round| design.held_out(*round)).collect();
        format!("{sets}; {} held out", shorten(rounds.into_iter()))
    }
}

/// What is known of a test before any set is fitted.
struct Known {
    /// Places among the plan's targets of those that are measured in every store of the test.
    of_size: Vec<usize>,
    /// Of these, the common ones.
    common: Vec<usize>,
    /// Places of the common ones among those of the size.
    places: Vec<usize>,
    /// Of each round, of the targets of the size.
    baselines: Vec<Baseline>,
    /// The variances of the common ones alone.
    per_variance: Vec<Vec<f64>>,
    samples: usize,
}

impl Known {
    /// # Errors
    /// [`Error::Data`] where a test measures none of the common targets.
    fn of(design: &Design, plan: &Plan, baselines: &[Baseline]) -> Result<Vec<Known>> {
        let known = |(number, test): (usize, &Test)| {
            let held =
                || design.rounds.iter().flat_map(|round| &round.held).filter(|held| held.test == number);
            let there = |gene: usize| held().all(|held| held.places[gene].is_some());
            let of_size: Vec<usize> = (0..plan.targets.len()).filter(|i| there(plan.targets[*i])).collect();
            let places: Vec<usize> = (0..of_size.len()).filter(|i| plan.common[of_size[*i]]).collect();
            if places.is_empty() {
                let common = plan.common.iter().filter(|common| **common).count();
                return Err(Error::Data(format!(
                    "{}: of the genes that are inferred at every size ({common}) none is measured there; leave it out, or compare fewer or \
                     smaller sizes",
                    test.name
                )));
            }
            let genes = of_size.iter().map(|i| plan.targets[*i]);
            let baselines: Vec<Baseline> = baselines.iter().map(|all| all.select(genes.clone())).collect();
            let of_common = |all: &Baseline| places.iter().map(|place| all.per_variance[*place]).collect();
            Ok(Known {
                common: places.iter().map(|place| of_size[*place]).collect(),
                per_variance: baselines.iter().map(of_common).collect(),
                of_size,
                places,
                baselines,
                samples: test.samples.len(),
            })
        };
        design.tests.iter().enumerate().map(known).collect()
    }
}

/// One set's measured and inferred values of one test, as they come.
struct UnderWay {
    of_size: Agreement,
    /// By sample, over the common targets.
    common: Agreement,
    pairs: Pairs,
}

impl UnderWay {
    fn new(known: &Known) -> Result<UnderWay> {
        let pairs = Pairs::new(known.common.len());
        pairs.expect(known.samples)?;
        let [of_size, common] = [&known.of_size, &known.common].map(|targets| Agreement::new(targets.len()));
        Ok(UnderWay { of_size, common, pairs })
    }

    /// Infers what a round holds out.
    fn take(
        &mut self,
        executor: &mut dyn Executor,
        predictor: &Predictor,
        (plan, at, held): (&Plan, &[Option<usize>], &Held),
        (round, known): (usize, &Known),
        report: Reporter,
    ) -> Result<()> {
        // Landmarks and truth are read from the same places: those of one join of the stores.
        let width = predictor.targets().len();
        let place = |target: &usize| held.places[plan.targets[*target]];
        let genes: Vec<usize> = known.of_size.iter().filter_map(place).collect();
        let baseline = &known.baselines[round];
        let common = baseline.select(known.places.iter().copied());
        let mut stored = vec![0.0; held.store.n_genes()];
        let (mut x, mut y) = (vec![0.0; genes.len()], vec![0.0; genes.len()]);
        let (mut common_x, mut common_y) = (Vec::new(), Vec::new());
        predictor.predict_samples(executor, held.store, &held.samples, at, report, &mut |first, rows| {
            for (sample, row) in (first..).zip(rows.chunks_exact(width)) {
                held.store.read_row(held.samples[sample], &mut stored);
                for ((x, y), (target, column)) in
                    x.iter_mut().zip(&mut y).zip(known.of_size.iter().zip(&genes))
                {
                    (*x, *y) = (stored[*column], row[*target]);
                }
                self.of_size.add(baseline, &x, &y);
                for (all, some) in [(&x, &mut common_x), (&y, &mut common_y)] {
                    some.clear();
                    some.extend(known.places.iter().map(|place| all[*place]));
                }
                self.common.add(&common, &common_x, &common_y);
                self.pairs.add(&common_x, &common_y)?;
            }
            Ok(())
        })
    }

    fn finish(
        mut self,
        executor: &mut dyn Executor,
        known: &Known,
        test: &Test,
        report: Reporter,
    ) -> Result<Outcome> {
        let (by_gene, by_sample) = self.common.finish();
        let (of_size, _) = self.of_size.finish();
        let rows = Rows {
            fit: &test.round,
            per_variance: &known.per_variance,
            group: &test.group,
            groups: test.groups.len(),
        };
        let by_unit = by_unit(&mut self.pairs, rows)?;
        let permutation = permutation(executor, &mut self.pairs, report)?;
        Ok(Outcome { by_gene, by_sample, by_unit, permutation, of_size })
    }
}
