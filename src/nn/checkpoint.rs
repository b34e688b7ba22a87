//! A training run that can be taken up again: the file of what is being made, plus the optimizer's moments, the history, and how
//! far the epoch under way has come. Random streams are keyed by (seed, step), so the step is all their state.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::history::Epoch;
use super::model::{Layer, Model};
use super::tensors::TensorFile;
use crate::error::{Error, Result};

/// The tensor of [`Saved::losses`].
const LOSSES: &str = "epoch.losses";

/// Checkpoints of a run.
#[derive(Debug, Clone)]
pub struct CheckpointPlan {
    /// The file, replaced each time.
    pub path: PathBuf,
    /// Written after a step when this time has passed since the last one.
    pub every: Duration,
    /// What becomes of a file that is there.
    pub found: Found,
}

/// What becomes of a checkpoint that an earlier run left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The run goes on from it; one of other settings or data is refused.
    GoOn,
    /// It is replaced.
    Replace,
}

impl CheckpointPlan {
    /// Time between two checkpoints where nothing else is said.
    pub const EVERY: Duration = Duration::from_secs(60);

    /// Beside the file that is made.
    pub fn beside(made: &Path, every: Duration, found: Found) -> CheckpointPlan {
        CheckpointPlan { path: path_for(made), every, found }
    }

    /// The checkpoint that a run of this configuration goes on from.
    ///
    /// # Errors
    /// Those of [`Saved::load`]; [`Error::Input`] for one of another configuration.
    pub fn find<B: Body, H: Serialize + DeserializeOwned>(
        &self,
        config: &serde_json::Value,
    ) -> Result<Option<Saved<B, H>>> {
        if self.found == Found::Replace || !self.path.exists() {
            return Ok(None);
        }
        let checkpoint = Saved::<B, H>::load(&self.path)?;
        match checkpoint.model.config() == config {
            true => Ok(Some(checkpoint)),
            false => Err(Error::input(
                &self.path,
                "is the checkpoint of a run with other settings or data that did not finish; repeat that command to go on with it, \
                 or pass --force (in a run: --from STAGE) to lose it and start anew",
            )),
        }
    }
}

/// What a training makes, whose file a checkpoint is with more in it.
pub trait Body: Sized {
    /// What goes into the file.
    fn to_tensors(&self) -> TensorFile;

    /// What is in a file; tensors of other names are left alone.
    ///
    /// # Errors
    /// [`Error::Input`] where something is missing or misshapen.
    fn from_tensors(file: TensorFile, path: &Path) -> Result<Self>;

    /// What defines its numbers.
    fn config(&self) -> &serde_json::Value;

    /// The layers that are being trained.
    fn layers(&self) -> &[Layer];
}

impl Body for Model {
    fn to_tensors(&self) -> TensorFile {
        Model::to_tensors(self)
    }

    fn from_tensors(file: TensorFile, path: &Path) -> Result<Model> {
        Model::from_tensors(file, path)
    }

    fn config(&self) -> &serde_json::Value {
        &self.config
    }

    fn layers(&self) -> &[Layer] {
        &self.layers
    }
}

/// Moments of one parameter: Adam's first and second, or the velocity and nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moments {
    /// m or u, as long as the parameter.
    pub first: Vec<f32>,
    /// v, or empty.
    pub second: Vec<f32>,
}

/// The state of an autoencoder's training between two steps.
pub type Checkpoint = Saved<Model, Vec<Epoch>>;

/// The state of a training between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved<B, H> {
    /// Parameters, scaling and config.
    pub model: B,
    /// (weight, bias) by layer.
    pub moments: Vec<(Moments, Moments)>,
    /// Optimizer steps taken.
    pub step: u64,
    /// What there is to tell of the epochs that were finished.
    pub history: H,
    /// (Σ loss, Σ |e|) of each step of the epoch under way; empty between two epochs.
    pub losses: Vec<f32>,
}

/// The checkpoint's place beside the model: its whole name with an ending more, so that `lr0.1` and `lr0.2` have one each.
pub fn path_for(model: &Path) -> PathBuf {
    let mut name = model.as_os_str().to_os_string();
    name.push(".checkpoint");
    name.into()
}

impl<B: Body, H: Serialize + DeserializeOwned> Saved<B, H> {
    /// Replaces the checkpoint at `path`, atomically: the last one stays until the new one is whole.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut file = self.model.to_tensors();
        for (i, (weight, bias)) in self.moments.iter().enumerate() {
            for (name, moments) in [("weight", weight), ("bias", bias)] {
                for (which, values) in [("first", &moments.first), ("second", &moments.second)] {
                    if !values.is_empty() {
                        let key = format!("optimizer.{i}.{name}.{which}");
                        file.insert(key, &[values.len()], values.clone());
                    }
                }
            }
        }
        if !self.losses.is_empty() {
            file.insert(LOSSES, &[self.losses.len() / 2, 2], self.losses.clone());
        }
        file.metadata.insert("step".into(), self.step.to_string());
        file.metadata.insert("history".into(), serde_json::json!(self.history).to_string());
        file.save(path, true)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] where something is missing or misshapen.
    pub fn load(path: &Path) -> Result<Self> {
        let mut file = TensorFile::load(path)?;
        let text = |key: &str| {
            file.metadata.get(key).cloned().ok_or_else(|| {
                Error::input(
                    path,
                    format!("no \"{key}\" in the metadata: not a checkpoint; remove it to start anew"),
                )
            })
        };
        let damaged = |key: &str| {
            Error::input(path, format!("metadata \"{key}\" is damaged; remove the file to start anew"))
        };
        let step = text("step")?.parse().map_err(|_| damaged("step"))?;
        let history = serde_json::from_str(&text("history")?).map_err(|_| damaged("history"))?;
        let mut optimizer: Vec<(String, Vec<f32>)> = Vec::new();
        let keys: Vec<String> =
            file.tensors.keys().filter(|k| k.starts_with("optimizer.")).cloned().collect();
        for key in keys {
            if let Some(tensor) = file.tensors.remove(&key) {
                optimizer.push((key, tensor.values));
            }
        }
        let losses = file.tensors.remove(LOSSES).map_or_else(Vec::new, |tensor| tensor.values);
        let mut take = |key: String, length: usize| -> Result<Vec<f32>> {
            let Some(i) = optimizer.iter().position(|(k, _)| *k == key) else { return Ok(Vec::new()) };
            let values = optimizer.swap_remove(i).1;
            if values.len() != length {
                let message = format!("tensor {key}: expected {length} values, found {}", values.len());
                return Err(Error::input(path, message));
            }
            Ok(values)
        };
        let model = B::from_tensors(file, path)?;
        let mut moments = Vec::new();
        for (i, layer) in model.layers().iter().enumerate() {
            let mut of = |name: &str, length: usize| -> Result<Moments> {
                Ok(Moments {
                    first: take(format!("optimizer.{i}.{name}.first"), length)?,
                    second: take(format!("optimizer.{i}.{name}.second"), length)?,
                })
            };
            moments.push((of("weight", layer.weight.len())?, of("bias", layer.bias.len())?));
        }
        Ok(Saved { model, moments, step, history, losses })
    }
}
