//! What a predictor is fitted for: samples of a store, landmarks, targets; and what is asked of them before.

use super::adapt::{Adapted, Toward};
use super::blocks::blocks;
use super::dense::Standardised;
use super::offsets::{GROUPS, Offsets, RATIO};
use super::{FitSettings, Method};
use crate::error::{Error, Result};
use crate::genes::shown;
use crate::nouns::counted;
use crate::progress::Reporter;
use crate::ranks::Ranks;
use crate::store::Store;

/// What is inferred from what.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    /// Holds the samples.
    pub store: &'a Store,
    /// Those that are fitted on.
    pub samples: &'a [usize],
    /// Positions among the store's genes.
    pub landmarks: &'a [usize],
    /// Positions among the store's genes.
    pub targets: &'a [usize],
    /// Who shares the targets; all have the whole problem.
    pub ranks: &'a Ranks,
    /// Whose landmarks tell how much larger a penalty should be than folds choose it.
    pub toward: Option<Toward<'a>>,
}

impl<'a> Problem<'a> {
    /// Of one rank.
    pub fn new(
        store: &'a Store,
        samples: &'a [usize],
        landmarks: &'a [usize],
        targets: &'a [usize],
    ) -> Problem<'a> {
        static ALONE: Ranks = Ranks::alone();
        Problem { store, samples, landmarks, targets, ranks: &ALONE, toward: None }
    }
}

impl Problem<'_> {
    /// Refuses lists that make no sense.
    ///
    /// # Errors
    /// [`Error::Data`] naming what is empty, is not there, or is on both sides.
    pub(super) fn check(&self) -> Result<()> {
        let Problem { store, samples, landmarks, targets, .. } = *self;
        let refuse = |message: String| Err(Error::Data(message));
        for (what, list) in [("samples to fit on", samples), ("landmarks", landmarks), ("targets", targets)] {
            if list.is_empty() {
                return refuse(format!("{}: there are no {what}", store.path().display()));
            }
        }
        if let Some(sample) = samples.iter().find(|s| **s >= store.n_samples()) {
            return refuse(format!("sample {sample} of {} does not exist", store.n_samples()));
        }
        let mut side = vec![""; store.n_genes()];
        for (name, genes) in [("landmarks", landmarks), ("targets", targets)] {
            for gene in genes {
                match side.get_mut(*gene) {
                    None => return refuse(format!("gene {gene} of {} does not exist", store.n_genes())),
                    Some(taken) if !taken.is_empty() => {
                        let id = shown(store.genes(), *gene);
                        return refuse(format!(
                            "gene {id} is among the {name} and already among the {taken}"
                        ));
                    }
                    Some(taken) => *taken = name,
                }
            }
        }
        Ok(())
    }

    /// Refuses samples that are all alike: there is nothing to infer one gene from another by.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub(super) fn varies(&self) -> Result<()> {
        if !self.store.are_alike(self.samples) {
            return Ok(());
        }
        Err(Error::Data(format!(
            "{}: nothing varies over the {} to fit on; give it more and different samples",
            self.store.path().display(),
            counted(self.samples.len(), "sample")
        )))
    }

    /// What defines the numbers of a fit: the settings, the data's checksum, and which samples and genes.
    pub(super) fn config(&self, settings: &FitSettings) -> serde_json::Value {
        let digest = |places: &[usize]| {
            let bytes: Vec<u8> = places.iter().flat_map(|place| (*place as u64).to_le_bytes()).collect();
            format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes))
        };
        serde_json::json!({
            "settings": settings,
            "training-data": self.store.info().fingerprint(),
            "samples-digest": digest(self.samples),
            "landmarks-digest": digest(self.landmarks),
            "targets-digest": digest(self.targets),
        })
    }

    /// What a predictor's configuration says of its fit: the settings, the data, what they decided, and what that was decided by.
    pub(super) fn told(
        &self,
        settings: &FitSettings,
        mut chosen: serde_json::Value,
        (adapted, offsets): (Option<&Adapted>, Option<&Offsets>),
    ) -> serde_json::Value {
        if let Some(adapted) = adapted {
            chosen["adapted-factor"] = serde_json::json!(adapted.factor);
        }
        if let Some(offsets) = offsets {
            chosen[RATIO] = serde_json::json!(offsets.ratio());
        }
        let mut config = serde_json::json!({
            "settings": settings,
            "chosen": chosen,
            "training-data": self.store.info().fingerprint(),
            "training-samples": self.samples.len(),
        });
        if let Some(adapted) = adapted {
            config["adapted"] = serde_json::json!(adapted);
        }
        if let (Some(offsets), Method::Kernel) = (offsets, settings.method) {
            config[GROUPS] = serde_json::json!(offsets.groups());
        }
        config
    }

    /// Reads the targets in blocks.
    pub(super) fn blocks(&self, task: &str, report: Reporter, visit: impl FnMut(Standardised)) -> Result<()> {
        blocks(self.store, self.samples, self.targets, task, report, visit)
    }
}
