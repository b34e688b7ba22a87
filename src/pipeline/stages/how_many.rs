//! How many landmarks a list has: as was said, as many as another list, or the fewest that reach a figure in held-out samples.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::fit;
use super::select::Options;
use crate::attribution::ScoreTable;
use crate::compare::{Enough, Goal, Search};
use crate::device::Executor;
use crate::error::{Error, Result};
use crate::infer::{FitSettings, Method};
use crate::pipeline::Input;
use crate::pipeline::choice::word;
use crate::progress::Reporter;
use crate::store::Store;

/// Folds that samples are held out in where nothing else is asked.
pub(super) const FOLDS: usize = 5;

/// A number of landmarks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// So many; beside `until` the most, or none.
    Said(Option<usize>),
    /// As many as the list in this file.
    Like(PathBuf),
}

impl Count {
    /// The number where it is known before any work.
    pub fn said(&self) -> Option<usize> {
        match self {
            Count::Said(n) => *n,
            Count::Like(_) => None,
        }
    }

    /// The number, or the most; the list must be there.
    ///
    /// # Errors
    /// Those of [`ScoreTable::read`].
    pub fn now(&self, report: Reporter) -> Result<Option<usize>> {
        match self {
            Count::Said(n) => Ok(*n),
            Count::Like(list) => Ok(Some(ScoreTable::read(list, report)?.genes.len())),
        }
    }

    /// The list that it is read from.
    pub fn input(&self) -> Option<Input> {
        match self {
            Count::Said(_) => None,
            Count::Like(list) => Some(Input::new("list of as many genes", list)),
        }
    }

    /// As settings have it: what a list holds counts by its content.
    pub fn setting(&self) -> Value {
        match self {
            Count::Said(n) => json!(n),
            Count::Like(_) => json!("as another list"),
        }
    }
}

impl Options {
    /// How targets are inferred in the samples that `until` holds out.
    ///
    /// # Errors
    /// As [`fit::Options::settings`].
    pub(super) fn fitting(&self, seed: u64) -> Result<FitSettings> {
        self.fit().settings(Method::default(), seed)
    }

    /// The same as options of `fit`.
    pub(super) fn fit(&self) -> fit::Options {
        fit::Options { method: self.method, group_by: self.group_by.clone(), ..fit::Options::default() }
    }

    /// Folds that samples are held out in.
    pub(super) fn folds(&self) -> usize {
        self.folds.unwrap_or(FOLDS)
    }

    /// The same selection of a number of landmarks that is known.
    pub fn of_known_size(self) -> Options {
        Options { until: None, group_by: None, method: None, folds: None, ..self }
    }

    /// Refuses what only says something beside `until`, and `until` where no selection can be made anew.
    pub(super) fn validate_until(&self) -> Result<()> {
        let Some(goal) = self.until else {
            let idle = [
                ("--group-by", self.group_by.is_some()),
                ("--folds", self.folds.is_some()),
                ("--method", self.method.is_some()),
            ];
            return match idle.iter().find(|(_, said)| *said) {
                Some((option, _)) => Err(Error::Usage(format!(
                    "{option} says how --until holds samples out; give --until, or leave it out"
                ))),
                None => Ok(()),
            };
        };
        let needs = self.needs();
        if needs.scores || needs.model {
            return Err(Error::Usage(format!(
                "--until \"{goal}\" chooses anew without the samples that it holds out, but the network that {} takes knows all of \
                 them; take a strategy that chooses from the data alone, such as diverse, or say how many (-n)",
                word(self.strategy())
            )));
        }
        match self.folds() {
            0 | 1 => Err(Error::Usage("--folds must be at least 2".into())),
            _ => self.fitting(0).map(|_| ()),
        }
    }
}

/// Refuses a store without a gene to choose and another to infer, before any work.
///
/// # Errors
/// [`Error::Data`] with their number.
pub(super) fn can_keep_apart(store: &Store) -> Result<()> {
    match store.n_genes() {
        genes @ (0 | 1) => Err(Error::Data(format!(
            "{}: --until keeps a part of the genes apart to be inferred from the landmarks, which takes at least 2 genes, found {genes}",
            store.path().display()
        ))),
        _ => Ok(()),
    }
}

/// The fewest landmarks that reach what is asked.
///
/// # Errors
/// Those of [`can_keep_apart`] and [`Search::until`]; [`Error::Data`] where no number reaches it.
pub(super) fn until(
    search: &Search,
    goal: Goal,
    executor: &mut dyn Executor,
    report: Reporter,
) -> Result<Enough> {
    can_keep_apart(search.inputs.store)?;
    let found = search.until(executor, goal, report)?;
    match found.landmarks {
        Some(_) => Ok(found),
        None => Err(Error::Data(not_reached(&found, search))),
    }
}

fn not_reached(found: &Enough, search: &Search) -> String {
    let most = found.curve.last().map_or(0, |tried| tried.landmarks);
    let figure = found.goal.figure.name();
    let tried: Vec<String> =
        found.curve.iter().map(|tried| format!("{tried} at {}", tried.landmarks)).collect();
    let best = found
        .best()
        .map_or(String::new(), |best| format!("; the best is {:.4} at {}", best.value, best.landmarks));
    let wider = match search.most {
        Some(asked) if asked <= most => "allow more (-n), ",
        Some(_) => "no more can be tried, for a part of the genes is kept apart to be inferred; ",
        None => "allow more than half of the genes (-n), ",
    };
    format!(
        "no number of landmarks up to {most} reaches {} in samples held out{best}. {wider}ask for less, or take another --strategy or \
         --method. {figure} ± standard error by fold: {}",
        found.goal,
        tried.join(", ")
    )
}
