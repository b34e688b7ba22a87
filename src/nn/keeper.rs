//! What has to outlive the process while a network is trained: checkpoints, and the history epoch by epoch.

use std::time::Instant;

use super::checkpoint::Checkpoint;
use super::history::{self, Epoch};
use super::model::Model;
use super::train::{Run, Training};
use crate::device::Executor;
use crate::error::Result;

/// How far a run has come.
pub(super) struct State {
    pub history: Vec<Epoch>,
    pub step: u64,
    /// Of the steps of this epoch that are done.
    pub losses: Vec<f32>,
}

/// Keeps a run's state, and writes what has to outlive the process.
pub(super) struct Keeper<'a, 'b> {
    pub training: &'b Training<'a>,
    pub model: Model,
    pub state: State,
    pub saved: Instant,
}

impl Keeper<'_, '_> {
    /// Whether the checkpoint is so old that another is due.
    pub fn is_due(&self) -> bool {
        self.training.checkpoint.as_ref().is_some_and(|plan| self.saved.elapsed() >= plan.every)
    }

    /// Writes a checkpoint, if there is to be one.
    pub fn save(&mut self, executor: &mut dyn Executor, run: &Run) -> Result<()> {
        let Some(plan) = &self.training.checkpoint else { return Ok(()) };
        self.state.losses = run.losses(executor, &self.state)?;
        let State { history, step, losses } = &self.state;
        let checkpoint = Checkpoint {
            model: Model { layers: run.network.download(executor)?, ..self.model.clone() },
            moments: run.download_moments(executor)?,
            step: *step,
            history: history.clone(),
            losses: losses.clone(),
        };
        checkpoint.save(&plan.path)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Takes the row of an epoch. The history is told after the checkpoint that it belongs to, so that whoever finds a
    /// history without a model finds the checkpoint too.
    pub fn end_epoch(&mut self, executor: &mut dyn Executor, run: &Run, row: Epoch) -> Result<()> {
        self.state.history.push(row);
        self.state.losses.clear();
        let first = self.state.history.len() == 1;
        if self.state.history.len() < self.training.settings.epochs && (first || self.is_due()) {
            self.save(executor, run)?;
        }
        match &self.training.history {
            Some(path) => history::write(path, &self.state.history, true),
            None => Ok(()),
        }
    }

    /// What to do after a device failed: what it held is lost, what was written is not.
    pub fn lost(&self, message: &str) -> String {
        match self.training.checkpoint.as_ref().map(|plan| &plan.path).filter(|path| path.exists()) {
            Some(path) => format!(
                "{message}. What it held is lost; the same command, here or with another --device, goes on from {}",
                path.display()
            ),
            None => {
                format!("{message}. Nothing is kept of this run; do it again, here or with another --device")
            }
        }
    }

    /// Leaves a checkpoint where the run stopped; says how to go on.
    pub fn go_on(&mut self, executor: &mut dyn Executor, run: &Run) -> Result<String> {
        let (done, of) = (self.state.history.len(), self.training.settings.epochs);
        let Some(plan) = &self.training.checkpoint else {
            return Ok(format!("after {done} of {of} epochs; nothing is kept of them"));
        };
        let path = plan.path.display().to_string();
        self.save(executor, run)?;
        Ok(format!("after {done} of {of} epochs; the same command goes on from {path}"))
    }
}
