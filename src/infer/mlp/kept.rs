//! What a checkpoint of D-GEX's networks holds: a predictor under way, and how far it has come.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Epoch, Fitted, lowered};
use crate::error::Result;
use crate::infer::{Method, MlpSettings, Panel, Predictor};
use crate::nn::checkpoint::{Body, CheckpointPlan, Moments};
use crate::nn::keeper::{Keeper, State};
use crate::nn::model::Layer;
use crate::nn::tensors::TensorFile;
use crate::progress::{Event, Reporter};

/// Keeps the state of a fit.
pub(super) type Kept<'b> = Keeper<'b, Fitting, Progress>;

/// The networks of the slices of the targets that are done, and after them the one that is being trained.
#[derive(Debug, Clone)]
pub(super) struct Fitting {
    pub predictor: Predictor,
    /// The layers of the best epoch so far.
    pub best: Option<Vec<Layer>>,
}

/// How far a fit has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Of each slice that is done: the epoch that was kept, and its error by validation.
    pub finished: Vec<(usize, Option<f64>)>,
    /// The watched error before the first step.
    pub untrained: Option<f64>,
    /// Of the next epoch.
    pub rate: f64,
    /// The least error by validation, and its epoch, from 1.
    pub best: Option<(f64, usize)>,
    /// Of this slice.
    pub epochs: Vec<Epoch>,
}

impl Progress {
    /// Whether no epoch is left.
    pub fn is_over(&self, settings: &MlpSettings) -> bool {
        let since = self.best.map(|(_, at)| self.epochs.len() - at);
        let stops = since.zip(settings.early_stop).is_some_and(|(since, patience)| since >= patience);
        stops || self.epochs.len() >= settings.epochs
    }

    /// Whether an epoch's error by validation is the least so far.
    pub fn is_better(&self, error: Option<f64>) -> bool {
        error.is_some_and(|error| self.best.is_none_or(|(least, _)| error < least))
    }

    /// Takes an epoch.
    pub fn end(&mut self, epoch: Epoch) {
        if self.epochs.last().is_some_and(|last| epoch.training_mae > last.training_mae) {
            self.rate = lowered(self.rate);
        }
        if let Some(error) = epoch.validation_mae.filter(|error| self.is_better(Some(*error))) {
            self.best = Some((error, self.epochs.len() + 1));
        }
        self.epochs.push(epoch);
    }
}

/// A fit at its beginning, or as a checkpoint of the same configuration left it, with the velocities.
///
/// # Errors
/// Those of [`CheckpointPlan::find`].
pub(super) fn open<'b>(
    plan: Option<&'b CheckpointPlan>,
    config: Value,
    landmarks: &Panel,
    of: usize,
    report: Reporter,
) -> Result<(Kept<'b>, Vec<(Moments, Moments)>)> {
    if let Some(plan) = plan
        && let Some(saved) = plan.find::<Fitting, Progress>(&config)?
    {
        let (done, path) = (saved.history.epochs.len(), plan.path.display());
        report(Event::Note(format!("going on after {done} of {of} epochs, from {path}")));
        let state = State { history: saved.history, step: saved.step, losses: saved.losses };
        return Ok((Keeper::new(Some(plan), saved.model, state), saved.moments));
    }
    let targets = Panel { genes: landmarks.genes.select(&[]), offset: Vec::new(), scale: Vec::new() };
    let (landmarks, networks, method) = (landmarks.clone(), Vec::new(), Method::Mlp);
    let predictor = Predictor { landmarks, targets, networks, method, config };
    let state = State { history: Progress::default(), step: 0, losses: Vec::new() };
    Ok((Keeper::new(plan, Fitting { predictor, best: None }, state), Vec::new()))
}

/// Begins with another network; `targets` are those of all networks so far and of this one.
pub(super) fn begin(keeper: &mut Kept, initial: Vec<Layer>, targets: Panel, rate: f64) {
    keeper.model.predictor.networks.push(initial);
    keeper.model.predictor.targets = targets;
    let finished = std::mem::take(&mut keeper.state.history.finished);
    let history = Progress { finished, rate, ..Progress::default() };
    keeper.state = State { history, step: 0, losses: Vec::new() };
}

/// Takes the network that was trained.
pub(super) fn finish(keeper: &mut Kept, fitted: Fitted) {
    let error = fitted.history[fitted.epoch - 1].validation_mae;
    keeper.state.history.finished.push((fitted.epoch, error));
    keeper.model = Fitting { best: None, ..keeper.model.with(fitted.layers) };
}

impl Fitting {
    /// Whether the network of a slice is there, trained or not.
    pub fn has_begun(&self, slice: usize) -> bool {
        self.predictor.networks.len() > slice
    }

    /// With other parameters of the network that is being trained.
    pub fn with(&self, layers: Vec<Layer>) -> Fitting {
        let mut fitting = self.clone();
        fitting.predictor.networks.pop();
        fitting.predictor.networks.push(layers);
        fitting
    }
}

/// The tensors of [`Fitting::best`].
const BEST: &str = "best.layers.";

impl Body for Fitting {
    fn to_tensors(&self) -> TensorFile {
        let mut file = self.predictor.to_tensors();
        for (i, layer) in self.best.iter().flatten().enumerate() {
            let shape = [layer.outputs, layer.inputs];
            file.insert(format!("{BEST}{i}.weight"), &shape, layer.weight.clone());
            file.insert(format!("{BEST}{i}.bias"), &[layer.outputs], layer.bias.clone());
        }
        file
    }

    fn from_tensors(mut file: TensorFile, path: &Path) -> Result<Fitting> {
        let mut kept = TensorFile::default();
        let names: Vec<String> = file.tensors.keys().filter(|name| name.starts_with(BEST)).cloned().collect();
        kept.tensors.extend(names.into_iter().filter_map(|name| file.tensors.remove_entry(&name)));
        let predictor = Predictor::from_tensors(file, path)?;
        if kept.tensors.is_empty() {
            return Ok(Fitting { predictor, best: None });
        }
        let take = |(i, like): (usize, &Layer)| {
            let name = format!("{BEST}{i}");
            Layer::take(&mut kept, path, &name, Some(like.outputs), like.inputs, like.activation)
        };
        let layers = predictor.networks.last().into_iter().flatten();
        let best = Some(layers.enumerate().map(take).collect::<Result<_>>()?);
        Ok(Fitting { predictor, best })
    }

    fn config(&self) -> &Value {
        &self.predictor.config
    }

    fn layers(&self) -> &[Layer] {
        self.predictor.networks.last().map_or(&[], Vec::as_slice)
    }
}
