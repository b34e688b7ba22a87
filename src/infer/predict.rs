//! What a predictor is used for: the targets of a store's samples, and whole profiles.

use serde::{Deserialize, Serialize};

use super::kernel::{Landmarks, OnDevice};
use super::{Panel, Predictor};
use crate::device::Executor;
use crate::device::recording::{Element, Recording, Step};
use crate::error::{Error, Result};
use crate::genes::{Finder, Side, shorten, shown};
use crate::nn::feed::{Feed, Resident};
use crate::nn::network::{InputBuffers, Network};
use crate::nn::scaling::unscale;
use crate::progress::{Event, Reporter, advance};
use crate::store::Store;

/// What is told while samples go through a predictor.
pub(crate) const INFERENCE: &str = "inferring";
/// Samples that go through a predictor at a time.
const BATCH: usize = 256;

/// What becomes of landmarks that a store lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingLandmarks {
    /// An error that names them
    #[default]
    Refuse,
    /// The training mean takes their place
    Mean,
    /// The predictor is refitted on those that are there (linear, and kernel up to 10,000 samples)
    Refit,
}

impl Predictor {
    /// Where each landmark and each target stands in the store: by id, or all of them by another kind of name where the
    /// ids are of another kind.
    ///
    /// # Errors
    /// [`Error::Input`] with the number and the first of the landmarks that are missing, under
    /// [`MissingLandmarks::Refuse`], and always where none is there; those of [`Finder::stores`].
    pub fn places(
        &self,
        store: &Store,
        missing: MissingLandmarks,
        finder: &Finder,
        report: Reporter,
    ) -> Result<Places> {
        let mut genes = self.landmarks.genes.clone();
        genes.append(self.targets.genes.clone());
        let name = store.path().display().to_string();
        let left = Side::of("the predictor", &genes);
        let mut landmarks =
            finder.stores(&left, &Side::of_store(&name, store), self.landmarks().len())?.places();
        let targets = landmarks.split_off(self.landmarks().len());
        let absent = landmarks.iter().enumerate().filter(|(_, row)| row.is_none());
        let absent: Vec<String> = absent.map(|(gene, _)| shown(&self.landmarks.genes, gene)).collect();
        if !absent.is_empty() {
            self.settle_absent(&absent, store, missing, report)?;
        }
        Ok(Places { landmarks, targets })
    }

    fn settle_absent(
        &self,
        absent: &[String],
        store: &Store,
        missing: MissingLandmarks,
        report: Reporter,
    ) -> Result<()> {
        let n = self.landmarks().len();
        let message = format!(
            "{} of the predictor's {n} landmarks are not among its {} genes: {}",
            absent.len(),
            store.n_genes(),
            shorten(absent.iter().cloned())
        );
        if absent.len() == n || missing == MissingLandmarks::Refuse {
            let remedy = if absent.len() == n {
                "give data with these genes under the same names, or --match-on KIND where they have others"
            } else {
                "give data with these genes under the same names, --match-on KIND where they have others, or --missing refit, or \
                 --missing mean where few are missing"
            };
            return Err(Error::input(store.path(), format!("{message}; {remedy}")));
        }
        let instead = match missing {
            MissingLandmarks::Refit => "the predictor is refitted without them",
            _ => "their training mean takes their place",
        };
        report(Event::Warning(format!("{message}; {instead}")));
        Ok(())
    }

    /// Infers the targets of all of a store's samples, which may have the landmarks in any order among any other
    /// genes, at `places`; a landmark without a place counts as its training mean. Hands each batch to `visit` as (first sample,
    /// dense rows × targets in the units of the training store). Frees what was on the device before.
    ///
    /// # Errors
    /// [`Error::Device`]; those of `visit`.
    ///
    /// # Panics
    /// Unless there are as many places as landmarks.
    pub fn predict(
        &self,
        executor: &mut dyn Executor,
        store: &Store,
        places: &[Option<usize>],
        report: Reporter,
        visit: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let samples: Vec<usize> = (0..store.n_samples()).collect();
        self.predict_samples(executor, store, &samples, places, report, visit)
    }

    /// As [`Predictor::predict`], of some samples: `visit` is handed the place of the first of a batch among them.
    ///
    /// # Errors
    /// As [`Predictor::predict`].
    ///
    /// # Panics
    /// As [`Predictor::predict`].
    pub fn predict_samples(
        &self,
        executor: &mut dyn Executor,
        store: &Store,
        samples: &[usize],
        places: &[Option<usize>],
        report: Reporter,
        visit: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        assert_eq!(places.len(), self.landmarks().len(), "a place for every landmark");
        executor.reset();
        // A missing landmark reads some other gene and scales it to 0, which is the training mean.
        let columns: Vec<usize> = places.iter().map(|place| place.unwrap_or(0)).collect();
        let there = places.iter().map(|place| f32::from(u8::from(place.is_some())));
        let scale: Vec<f32> = self.landmarks.scale.iter().zip(there).map(|(s, there)| s * there).collect();
        let input = InputBuffers::of(executor, &self.landmarks.offset, &scale, &scale)?;
        let offset = &self.landmarks.offset;
        let landmarks = Landmarks { store, columns: &columns, offset, scale: &scale };

        let batch = BATCH.min(samples.len());
        let x = executor.matrix("landmarks", batch, columns.len(), Element::F32)?;
        let panels = vec![Some(columns.clone())];
        let feed =
            Feed::of_panels(executor, store, samples.to_vec(), panels, batch, Resident::Never, report)?;
        let mut recording = Recording::new();
        recording.push(feed.gather(&input, x));
        let kernels = self.kernels.as_ref().map(|k| OnDevice::new(executor, k, batch)).transpose()?;
        if let Some(kernels) = &kernels {
            kernels.record(&mut recording, x);
        }
        let below = kernels.as_ref().map_or(x, |kernels| kernels.out);
        let mut outputs = Vec::with_capacity(self.networks.len());
        for layers in &self.networks {
            let network = Network::new(executor, layers, Element::F32)?;
            let made = network.batch_matrices(executor, "activations", batch, layers.len())?;
            network.forward(&mut recording, below, &made);
            outputs.extend(made.last().copied());
        }
        let program = executor.compile(&recording)?;
        let width = self.targets().len();
        let mut rows = vec![0.0; batch * width];
        let order: Vec<u32> = (0..feed.len() as u32).collect();
        let total = Some(feed.len() as u64);
        report(Event::Started { task: INFERENCE.into(), total, unit: "samples" });
        feed.pass(executor, &order, |executor, batch| {
            if let Some(kernels) = &kernels {
                let these = &samples[batch.start..batch.start + batch.rows];
                kernels.prepare(executor, &landmarks, these.iter().copied())?;
            }
            executor.run(program, &Step { rows: batch.rows, first: batch.first, ..Step::default() })?;
            let mut first = 0;
            for output in &outputs {
                let part = executor.read(*output, 0, batch.rows)?;
                for (row, part) in rows.chunks_exact_mut(width).zip(part.chunks_exact(output.cols)) {
                    row[first..first + output.cols].copy_from_slice(part);
                }
                first += output.cols;
            }
            let rows = &mut rows[..batch.rows * width];
            let Panel { offset, scale, .. } = &self.targets;
            rows.chunks_exact_mut(width).for_each(|row| unscale(row, offset, scale));
            advance(report, (batch.start + batch.rows) as u64, "")?;
            visit(batch.start, rows)
        })?;
        report(Event::Finished);
        Ok(())
    }
}

/// Where a predictor's genes stand in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Of each landmark; `None` where it is missing.
    pub landmarks: Vec<Option<usize>>,
    /// Of each target; `None` where it is to be inferred.
    pub targets: Vec<Option<usize>>,
}
