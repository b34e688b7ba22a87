//! How much of targets a predictor explains in given samples, and what of it is lost with a landmark.

use super::held_out::Sums;
use super::{Places, Predictor};
use crate::device::Executor;
use crate::error::Result;
use crate::progress::silent;
use crate::store::Store;

/// What becomes of targets without a landmark.
#[derive(Debug, Clone, PartialEq)]
pub struct Without {
    /// Of each target, with all landmarks, as [`Predictor::r2`].
    pub all: Vec<f32>,
    /// The same without the landmark.
    pub without: Vec<f32>,
    /// Whether the predictor was refitted on the others; else the landmark's training mean took its place.
    pub refitted: bool,
}

impl Predictor {
    /// A predictor of some of the targets, ascending positions among [`Predictor::targets`].
    ///
    /// # Panics
    /// If there is no such target.
    pub fn of_targets(&self, targets: &[usize]) -> Predictor {
        let mut first = 0;
        let mut networks = Vec::new();
        for layers in &self.networks {
            let Some((last, below)) = layers.split_last() else { continue };
            let own: Vec<usize> = targets
                .iter()
                .filter(|t| (first..first + last.outputs).contains(t))
                .map(|t| t - first)
                .collect();
            first += last.outputs;
            if !own.is_empty() {
                networks.push(below.iter().cloned().chain([last.select(&own)]).collect());
            }
        }
        let held_out = self.held_out.as_ref().map(|held_out| held_out.select(targets));
        let targets = self.targets.select(targets);
        Predictor { targets, networks, held_out, ..self.clone() }
    }

    /// R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)² of each target over samples of a store that measured all of them, 0 where they are constant.
    /// A landmark without a place counts as its training mean. Frees what was on the device before.
    ///
    /// # Errors
    /// As [`Predictor::predict_samples`].
    ///
    /// # Panics
    /// If a target has no place.
    pub fn r2(
        &self,
        executor: &mut dyn Executor,
        (store, samples): (&Store, &[usize]),
        places: &Places,
    ) -> Result<Vec<f32>> {
        let targets: Vec<usize> =
            places.targets.iter().map(|place| place.expect("every target is measured")).collect();
        let (mut sums, mut truth) = (Sums::new(targets.len()), vec![0.0; targets.len()]);
        let visit = &mut |first: usize, rows: &[f32]| {
            for (i, row) in rows.chunks_exact(targets.len()).enumerate() {
                store.read_genes(samples[first + i], &targets, &mut truth);
                sums.add(&truth, row);
            }
            Ok(())
        };
        self.predict_samples(executor, store, samples, &places.landmarks, &silent, visit)?;
        Ok(sums.r2())
    }

    /// R² of each target with all landmarks and without one of them: refitted where the predictor can be, else with the
    /// landmark at its training mean.
    ///
    /// # Errors
    /// As [`Predictor::r2`] and [`Predictor::without`].
    ///
    /// # Panics
    /// As [`Predictor::r2`], and if there is no such landmark.
    pub fn without_one(
        &self,
        executor: &mut dyn Executor,
        samples: (&Store, &[usize]),
        places: &Places,
        landmark: usize,
    ) -> Result<Without> {
        let all = self.r2(executor, samples, places)?;
        let mut fewer = places.clone();
        if self.can_refit() && self.landmarks().len() > 1 {
            fewer.landmarks.remove(landmark);
            let without = self.without(&[landmark], &silent)?.0.r2(executor, samples, &fewer)?;
            return Ok(Without { all, without, refitted: true });
        }
        fewer.landmarks[landmark] = None;
        Ok(Without { all, without: self.r2(executor, samples, &fewer)?, refitted: false })
    }

    /// Of each landmark what one target's R² loses where the landmark is at its training mean and the others stay; `target` is a position
    /// among [`Predictor::targets`].
    ///
    /// # Errors
    /// As [`Predictor::r2`].
    ///
    /// # Panics
    /// As [`Predictor::r2`], and if there is no such target.
    pub fn carriers(
        &self,
        executor: &mut dyn Executor,
        samples: (&Store, &[usize]),
        places: &Places,
        target: usize,
    ) -> Result<Vec<f32>> {
        let alone = self.of_targets(&[target]);
        let places = Places { landmarks: places.landmarks.clone(), targets: vec![places.targets[target]] };
        let all = alone.r2(executor, samples, &places)?[0];
        (0..self.landmarks().len())
            .map(|landmark| {
                crate::interrupt::check()?;
                let mut fewer = places.clone();
                fewer.landmarks[landmark] = None;
                Ok(all - alone.r2(executor, samples, &fewer)?[0])
            })
            .collect()
    }
}
