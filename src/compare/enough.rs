//! How many landmarks are enough: the fewest by which held-out samples are inferred as well as is asked.
//!
//! Samples, or whole groups of them, are held out in folds. In each fold the landmarks are chosen anew and a predictor is fitted, by the samples outside
//! it alone, so every sample is inferred once by what never saw it. The figure is that of all of them together, as a comparison has
//! it over rounds. Its standard error is the jackknife's over the K folds, √((K − 1)/K·Σ(θ₋ₖ − θ̄)²) with θ₋ₖ the figure
//! without fold k (Efron & Stein, Annals of Statistics 9, 1981).
//!
//! The targets are the same for every size and fold: a fifth of the genes, drawn by the seed, that no list in a fold may choose.
//! Genes that lists leave over would be others at every size, and at large ones those that are inferred best.
//!
//! N doubles until the figure is reached; then the gap is halved, on the logarithm, until it is within a twentieth of N, for
//! a standard error hides finer differences. Where a strategy's lists go on from one another, one list is cut.

use serde::{Deserialize, Serialize};

use super::{Goal, Round};
use crate::device::Executor;
use crate::device::random::Stream;
use crate::error::{Error, Result};
use crate::evaluate::statistics::mean;
use crate::evaluate::{Agreement, Baseline, Figures};
use crate::infer::{FitSettings, Method, Parting, Predictor, Problem};
use crate::interrupt;
use crate::nouns::counted;
use crate::progress::{Event, Reporter, advance, silent};
use crate::select::{Constraints, Inputs, Strategy, from_store};
use crate::store::Store;

/// Of how many genes one is a target.
const SHARE: usize = 5;
/// Targets at most.
const TARGETS: usize = 2_000;
/// The shortest list of those that go on.
const LIST: usize = 100;
/// Groups without which nothing is left to choose a penalty by once one is held out.
const GROUPS: usize = 3;
/// Samples that a penalty can be chosen by, in two folds of two.
const TO_LEARN: usize = 4;

/// What is tried.
pub struct Search<'a> {
    /// How landmarks are chosen, from data alone.
    pub strategy: Strategy,
    /// The store and the strategy's settings.
    pub inputs: Inputs<'a>,
    /// Genes that must be landmarks.
    pub include: &'a [usize],
    /// Genes that must not be.
    pub exclude: &'a [usize],
    /// Landmarks at most; half of the genes unless told otherwise.
    pub most: Option<usize>,
    /// Folds, fewer where there are fewer groups.
    pub folds: usize,
    /// How targets are inferred, and what column the groups are of.
    pub fit: &'a FitSettings,
}

/// A size that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tried {
    /// Landmarks.
    pub landmarks: usize,
    /// The figure.
    pub value: f64,
    /// By fold.
    pub standard_error: f64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Enough {
    /// What was asked.
    pub goal: Goal,
    /// The fewest landmarks that reach it; `None` where the most that were tried do not.
    pub landmarks: Option<usize>,
    /// What was tried, by size.
    pub curve: Vec<Tried>,
    /// Folds.
    pub folds: usize,
    /// Groups of samples that stayed together, or samples.
    pub groups: usize,
    /// The sample column whose groups they are.
    pub group_by: Option<String>,
    /// Genes that were inferred.
    pub targets: usize,
    /// How.
    pub method: Method,
}

impl Enough {
    /// The size that was tried of so many landmarks.
    pub fn at(&self, landmarks: usize) -> Option<&Tried> {
        self.curve.iter().find(|tried| tried.landmarks == landmarks)
    }

    /// What was held out, such as "5 folds of 16 groups".
    pub fn over(&self) -> String {
        let what = if self.group_by.is_some() { "group" } else { "sample" };
        format!("{} folds of {}", self.folds, counted(self.groups, what))
    }

    /// The size that did best.
    pub fn best(&self) -> Option<&Tried> {
        self.curve.iter().reduce(|a, b| if self.goal.is_better(b.value, a.value) { b } else { a })
    }
}

impl std::fmt::Display for Tried {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:.4} ± {:.4}", self.value, self.standard_error)
    }
}

/// Samples held out, and what is known without them.
struct Fold {
    train: Vec<usize>,
    test: Vec<usize>,
    /// Of the targets.
    baseline: Baseline,
    fit: FitSettings,
    /// The longest list that was chosen.
    list: Vec<usize>,
}

/// A search under way.
struct Trial<'a> {
    search: &'a Search<'a>,
    folds: Vec<Fold>,
    targets: Vec<usize>,
    /// Genes that no list may choose.
    never: Vec<usize>,
    most: usize,
}

impl Search<'_> {
    /// Finds the fewest landmarks that reach a goal.
    ///
    /// # Errors
    /// [`Error::Data`] for too few samples, groups or genes, and where no target varies; those of the selection and of
    /// [`Predictor::fit`]; [`Error::Interrupted`].
    pub fn until(&self, executor: &mut dyn Executor, goal: Goal, report: Reporter) -> Result<Enough> {
        let (parts, groups) = parts(self.inputs.store, self.fit, self.folds)?;
        let mut trial = self.trial(parts)?;
        let least = self.include.len().max(1);
        report(Event::Started { task: "choosing how many".into(), total: None, unit: "sizes" });
        let (landmarks, curve) = trial.search(executor, goal, least, report)?;
        report(Event::Finished);
        let (folds, targets) = (trial.folds.len(), trial.targets.len());
        let (group_by, method) = (self.fit.group_by.clone(), self.fit.method);
        Ok(Enough { goal, landmarks, curve, folds, groups, group_by, targets, method })
    }

    fn trial(&self, parts: Parts) -> Result<Trial<'_>> {
        let store = self.inputs.store;
        let genes = store.n_genes();
        let targets = targets(store, self.include, self.inputs.seed);
        let mut never = [self.exclude, &targets].concat();
        never.sort_unstable();
        never.dedup();
        let most = self.most.unwrap_or(genes / 2).min(genes - never.len()).max(1);
        Constraints::new(store.genes(), most, self.include, &never)?;
        let fold = |(train, test): (Vec<usize>, Vec<usize>)| {
            let own = Parting::new(store, &train, self.fit.group_by.as_deref(), self.fit.seed)?;
            let round = Round { train: store, samples: train, held: Vec::new() };
            let baseline = round.baseline().select(targets.iter().copied());
            let fit = self.fit.within(&own);
            Ok(Fold { train: round.samples, test, baseline, fit, list: Vec::new() })
        };
        let folds = parts.into_iter().map(fold).collect::<Result<_>>()?;
        Ok(Trial { search: self, folds, targets, never, most })
    }
}

/// Training and test samples of each fold.
type Parts = Vec<(Vec<usize>, Vec<usize>)>;

/// The folds, and how many groups or samples they are of.
fn parts(store: &Store, fit: &FitSettings, folds: usize) -> Result<(Parts, usize)> {
    let all: Vec<usize> = (0..store.n_samples()).collect();
    let parting = Parting::new(store, &all, fit.group_by.as_deref(), fit.seed)?;
    let groups = parting.group_of().into_iter().max().map_or(0, |last| last + 1);
    let refuse = |why: String| {
        Err(Error::Data(format!(
            "{}: --until holds samples out in folds, {why}; say how many landmarks (-n) alone",
            store.path().display()
        )))
    };
    if groups < GROUPS || all.len() < 2 * TO_LEARN - 2 {
        let n = all.len();
        return refuse(format!(
            "which takes at least {GROUPS} groups and {} samples, found {groups} and {n}",
            2 * TO_LEARN - 2
        ));
    }
    let parts = parting.parts(parting.most(folds))?;
    match parts.iter().map(|(train, _)| train.len()).min() {
        Some(few) if few < TO_LEARN => refuse(format!("one of which leaves {few} samples to learn from")),
        _ => Ok((parts, groups)),
    }
}

/// Refuses a store of too few groups or samples for a search, before any work.
///
/// # Errors
/// [`Error::Data`] with their number; [`Error::Usage`] for a column that the store lacks.
pub fn can_search(store: &Store, fit: &FitSettings, folds: usize) -> Result<()> {
    parts(store, fit, folds).map(|_| ())
}

/// Genes that are inferred, ascending: some of those that are not landmarks already.
fn targets(store: &Store, include: &[usize], seed: u64) -> Vec<usize> {
    let mut free: Vec<usize> = (0..store.n_genes()).filter(|gene| !include.contains(gene)).collect();
    Stream::new(seed, "targets that lists may not choose", 0).shuffle(&mut free);
    free.truncate((store.n_genes() / SHARE).clamp(1, TARGETS));
    free.sort_unstable();
    free
}

/// A size between two, in the middle of their logarithms, where they are far enough apart.
fn between(below: usize, enough: usize) -> Option<usize> {
    let apart = enough - below > (enough / 20).max(1);
    let middle = (below as f64 * enough as f64).sqrt().round() as usize;
    apart.then(|| middle.clamp(below + 1, enough - 1))
}

impl Trial<'_> {
    fn search(
        &mut self,
        executor: &mut dyn Executor,
        goal: Goal,
        least: usize,
        report: Reporter,
    ) -> Result<(Option<usize>, Vec<Tried>)> {
        let mut curve: Vec<Tried> = Vec::new();
        let mut reaches = |trial: &mut Self, n: usize| {
            let tried = trial.at(executor, n, goal)?;
            curve.push(tried);
            let note = format!("{} {tried} at {n}", goal.figure.name());
            advance(report, curve.len() as u64, note)?;
            Ok::<_, Error>(goal.is_reached(tried.value))
        };
        let (mut below, mut n) = (least - 1, least);
        let mut found = reaches(self, n)?;
        while !found && n < self.most {
            (below, n) = (n, (2 * n).min(self.most));
            found = reaches(self, n)?;
        }
        while let Some(middle) = between(below, n).filter(|_| found) {
            match reaches(self, middle)? {
                true => n = middle,
                false => below = middle,
            }
        }
        curve.sort_by_key(|tried| tried.landmarks);
        Ok((found.then_some(n), curve))
    }

    /// The figure of so many landmarks in each fold.
    fn at(&mut self, executor: &mut dyn Executor, n: usize, goal: Goal) -> Result<Tried> {
        // all samples, then those without each fold
        let genes = self.targets.len();
        let mut sums: Vec<Agreement> = (0..=self.folds.len()).map(|_| Agreement::new(genes)).collect();
        for held in 0..self.folds.len() {
            interrupt::check()?;
            self.infer(executor, (held, n), &mut sums)?;
        }
        let value = |sums: Agreement| self.figure(goal, &sums.finish().0);
        let values = sums.into_iter().map(value).collect::<Result<Vec<f64>>>()?;
        Ok(Tried { landmarks: n, value: values[0], standard_error: jackknife(&values[1..]) })
    }

    fn figure(&self, goal: Goal, targets: &[Figures]) -> Result<f64> {
        goal.figure.of(targets).ok_or_else(|| {
            Error::Data(format!(
                "{}: --until: no gene that is to be inferred varies, so there is no {}",
                self.search.inputs.store.path().display(),
                goal.figure.name()
            ))
        })
    }

    /// Adds a fold's samples, inferred from so many landmarks, to all sums but those without the fold.
    fn infer(
        &mut self,
        executor: &mut dyn Executor,
        (held, n): (usize, usize),
        sums: &mut [Agreement],
    ) -> Result<()> {
        let mut landmarks = self.list(executor, held, n)?;
        // in one order, so that equal sets have equal figures
        landmarks.sort_unstable();
        let (store, targets, fold) = (self.search.inputs.store, &self.targets, &self.folds[held]);
        let (train, fit) = (&fold.train, &fold.fit);
        let problem = Problem::new(store, train, &landmarks, targets);
        let predictor = Predictor::fit_passing(executor, &problem, fit, None, &silent)?;
        let places: Vec<Option<usize>> = landmarks.into_iter().map(Some).collect();
        let mut truth = vec![0.0; targets.len()];
        predictor.predict_samples(executor, store, &fold.test, &places, &silent, &mut |first, rows| {
            for (sample, row) in fold.test[first..].iter().zip(rows.chunks_exact(targets.len())) {
                store.read_genes(*sample, targets, &mut truth);
                let others = sums.iter_mut().enumerate().filter(|(without, _)| *without != held + 1);
                others.for_each(|(_, sums)| sums.add(&fold.baseline, &truth, row));
            }
            Ok(())
        })
    }

    /// A fold's landmarks.
    fn list(&mut self, executor: &mut dyn Executor, held: usize, n: usize) -> Result<Vec<usize>> {
        let (search, fold) = (self.search, &mut self.folds[held]);
        let goes_on = search.strategy.goes_on(search.inputs.diverse);
        if !goes_on || fold.list.len() < n {
            let length = if goes_on { (2 * n).max(LIST).min(self.most) } else { n };
            let genes = search.inputs.store.genes();
            let constraints = Constraints::new(genes, length, search.include, &self.never)?;
            let inputs = Inputs { among: Some(&fold.train), ..search.inputs };
            executor.reset();
            let chosen = from_store(search.strategy, &inputs, &constraints, || Ok(executor), &silent)?;
            fold.list = chosen.genes;
        }
        Ok(fold.list[..n].to_vec())
    }
}

/// The standard error of a figure, of its values without each of K folds.
fn jackknife(without: &[f64]) -> f64 {
    let k = without.len() as f64;
    let middle = mean(without.iter().copied()).unwrap_or(f64::NAN);
    let squares = without.iter().map(|value| (value - middle).powi(2)).sum::<f64>();
    ((k - 1.0) / k * squares).sqrt()
}

#[cfg(test)]
#[path = "enough_tests.rs"]
mod tests;
