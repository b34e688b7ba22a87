//! The samples that a penalty is adapted to.

use crate::error::{Error, Result};
use crate::genes::{Finder, Side, shorten, shown};
use crate::infer::{FitSettings, Method, Toward};
use crate::pipeline::choice::word;
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// Refuses to adapt what has no penalty, or one that was given.
///
/// # Errors
/// [`Error::Usage`].
pub(in crate::pipeline::stages) fn check_adapts(settings: &FitSettings, option: &str) -> Result<()> {
    let given = match settings.method {
        Method::Linear => settings.linear.penalty,
        Method::Kernel => settings.kernel.penalty,
        Method::Best => settings.linear.penalty.or(settings.kernel.penalty),
        other => {
            let method = word(other);
            return Err(Error::Usage(format!(
                "{option} is not an option of --method {method}; leave it out"
            )));
        }
    };
    match given {
        Some(_) => {
            Err(Error::Usage(format!("{option} enlarges the penalty that folds choose; leave out --penalty")))
        }
        None => Ok(()),
    }
}

/// The samples to be inferred that a penalty is adapted to.
pub(super) struct Seen<'a> {
    store: &'a Store,
    samples: Vec<usize>,
    /// Of each landmark.
    places: Vec<Option<usize>>,
}

impl<'a> Seen<'a> {
    /// Finds the landmarks of the training store among the genes of the new one.
    pub(super) fn of(
        new: &'a Store,
        (name, store): (&str, &Store),
        landmarks: &[usize],
        finder: &Finder,
        report: Reporter,
    ) -> Result<Seen<'a>> {
        let genes = store.genes().select(landmarks);
        let path = new.path().display().to_string();
        let places =
            finder.stores_beside_lists(&Side::of(name, &genes), &Side::of_store(&path, new))?.places();
        let missing: Vec<String> =
            (0..places.len()).filter(|i| places[*i].is_none()).map(|i| shown(&genes, i)).collect();
        if !missing.is_empty() {
            report(Event::Warning(format!(
                "{path}: {} of {} landmarks are not among its genes and say nothing of the penalty: {}",
                missing.len(),
                places.len(),
                shorten(missing.into_iter())
            )));
        }
        Ok(Seen { store: new, samples: (0..new.n_samples()).collect(), places })
    }

    pub(super) fn toward(&self) -> Toward<'_> {
        Toward { store: self.store, samples: &self.samples, places: &self.places }
    }
}
