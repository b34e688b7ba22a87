//! What a predictor is used for: the targets of a store's samples, and whole profiles.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Predictor;
use crate::device::Executor;
use crate::device::recording::{Element, Recording, Step};
use crate::error::{Error, Result};
use crate::genes::{Finder, Side, shorten, shown};
use crate::nn::feed::{Feed, Resident};
use crate::nn::network::{InputBuffers, Network};
use crate::progress::{Event, Reporter};
use crate::store::{Origin, Store, StoreWriter};

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
            let remedy = "give data with these genes under the same names, --match-on KIND where they have others, or --missing mean \
                          where few are missing";
            return Err(Error::input(store.path(), format!("{message}; {remedy}")));
        }
        report(Event::Warning(format!("{message}; their training mean takes their place")));
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
        let samples = (0..store.n_samples()).collect();
        self.predict_some(executor, (store, samples), places, report, visit)
    }

    /// As [`Predictor::predict`], of some of the store's samples, in their order; `visit` is told the place among them.
    ///
    /// # Errors
    /// As [`Predictor::predict`].
    ///
    /// # Panics
    /// As [`Predictor::predict`], and for no samples.
    pub fn predict_some(
        &self,
        executor: &mut dyn Executor,
        (store, samples): (&Store, Vec<usize>),
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

        let batch = BATCH.min(samples.len());
        let x = executor.matrix("landmarks", batch, columns.len(), Element::F32)?;
        let panels = vec![Some(columns)];
        let feed = Feed::of_panels(executor, store, samples, panels, batch, Resident::Never, report)?;
        let mut recording = Recording::new();
        recording.push(feed.gather(&input, x));
        let mut outputs = Vec::with_capacity(self.networks.len());
        for layers in &self.networks {
            let network = Network::new(executor, layers, false)?;
            let made = network.batch_matrices(executor, "activations", batch, layers.len())?;
            network.forward(&mut recording, x, &made, None);
            outputs.extend(made.last().copied());
        }
        let program = executor.compile(&recording)?;
        let width = self.targets().len();
        let mut rows = vec![0.0; batch * width];
        let order: Vec<u32> = (0..feed.len() as u32).collect();
        let total = Some(feed.len() as u64);
        report(Event::Started { task: "inferring".into(), total, unit: "samples" });
        feed.pass(executor, &order, |executor, batch| {
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
            rows.chunks_exact_mut(width).for_each(|row| self.unscale(row));
            report(Event::Advanced { done: (batch.start + batch.rows) as u64, note: String::new() });
            visit(batch.start, rows)
        })?;
        report(Event::Finished);
        Ok(())
    }

    /// From z-scores to the store's units; a gene of one value in training is that value.
    fn unscale(&self, row: &mut [f32]) {
        for ((value, offset), scale) in row.iter_mut().zip(&self.targets.offset).zip(&self.targets.scale) {
            *value = if *scale == 0.0 { *offset } else { *offset + *value / *scale };
        }
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

/// What [`complete`] made.
#[derive(Debug)]
pub struct Completed {
    /// The completed profiles.
    pub store: Store,
    /// Genes as they were given.
    pub measured: usize,
    /// Targets that were inferred.
    pub inferred: usize,
}

/// Completes profiles: writes a store of the given genes as they are, and of the targets, inferred. The gene column
/// `origin` says which is which, `measured` or `inferred`. A target that is measured too is left as measured, unless
/// `replace`, which infers it nevertheless (to compare with the truth).
///
/// # Errors
/// As [`Predictor::places`] and [`Predictor::predict`]; [`Error::Exists`] without `force`; [`Error::Io`].
#[allow(clippy::too_many_arguments)] // one call of the command line; each is a thing of its own
pub fn complete(
    executor: &mut dyn Executor,
    predictor: &Predictor,
    store: &Store,
    out: &Path,
    missing: MissingLandmarks,
    replace: bool,
    force: bool,
    finder: &Finder,
    report: Reporter,
) -> Result<Completed> {
    let width = predictor.targets().len();
    let Places { landmarks, targets: there } = predictor.places(store, missing, finder, report)?;
    predictor.warn_of_samples(store, &landmarks, report);
    predictor.warn_of_range(store, &landmarks, report);
    let mut genes = store.genes().clone();
    let mut origin = vec!["measured".to_string(); genes.len()];
    // (target, column of the output)
    let mut put = Vec::new();
    let mut new = Vec::new();
    for (target, place) in there.iter().enumerate() {
        match place {
            Some(column) if replace => {
                origin[*column] = "inferred".into();
                put.push((target, *column));
            }
            Some(_) => {}
            None => {
                put.push((target, genes.len() + new.len()));
                new.push(target);
            }
        }
    }
    if put.is_empty() {
        let message =
            format!("all {width} targets are measured here; pass --replace to infer them nevertheless");
        return Err(Error::input(store.path(), message));
    }
    genes.append(predictor.targets.genes.select(&new));
    origin.resize(genes.len(), "inferred".into());
    let inferred = put.len();
    genes.set_column("origin", origin);

    let mut writer = StoreWriter::create(out, genes.len(), store.element(), force)?;
    writer.expect(store.n_samples())?;
    let mut row = vec![0.0; genes.len()];
    predictor.predict(executor, store, &landmarks, report, &mut |first, rows| {
        for (i, targets) in rows.chunks_exact(width).enumerate() {
            store.read_row(first + i, &mut row[..store.n_genes()]);
            put.iter().for_each(|(target, column)| row[*column] = targets[*target]);
            writer.push_rows(&row)?;
        }
        Ok(())
    })?;
    let measured = genes.len() - inferred;
    let origin = Origin::derived(store, serde_json::json!({"predict": {"predictor": predictor.told()}}));
    let store = writer.finish(genes, store.samples().clone(), origin)?;
    Ok(Completed { store, measured, inferred })
}
