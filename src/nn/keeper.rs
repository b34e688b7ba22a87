//! What has to outlive the process while a network is trained: checkpoints, and the history epoch by epoch.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checkpoint::{Body, CheckpointPlan, Moments, Saved};
use super::history::{self, Epoch};
use super::model::Model;
use crate::device::Executor;
use crate::device::recording::Matrix;
use crate::error::{Error, Result};
use crate::interrupt;

/// How far a run has come.
pub(crate) struct State<H> {
    pub history: H,
    pub step: u64,
    /// Of the steps of this epoch that are done.
    pub losses: Vec<f32>,
}

impl<H> State<H> {
    /// (Σ loss, Σ |e|) of this epoch's first `done` steps: those of an earlier process, then the device's, in `table`.
    pub fn losses(&self, executor: &mut dyn Executor, table: Matrix, done: usize) -> Result<Vec<f32>> {
        let mut losses = self.losses.clone();
        let known = losses.len() / 2;
        if done > known {
            losses.extend(executor.read(table, known, done - known)?);
        }
        Ok(losses)
    }
}

/// A training under way, of which a checkpoint can be made between two steps.
pub(crate) trait Running<B, H> {
    /// What is being made, with the parameters as they are.
    fn body(&self, executor: &mut dyn Executor, before: &B) -> Result<B>;

    /// The optimizer's.
    fn moments(&self, executor: &mut dyn Executor) -> Result<Vec<(Moments, Moments)>>;

    /// Of this epoch's steps so far.
    fn losses(&self, executor: &mut dyn Executor, state: &State<H>) -> Result<Vec<f32>>;
}

/// Keeps a run's state, and writes what has to outlive the process.
pub(crate) struct Keeper<'b, B, H> {
    pub plan: Option<&'b CheckpointPlan>,
    pub model: B,
    pub state: State<H>,
    saved: Instant,
}

impl<'b, B: Body, H: Clone + Serialize + DeserializeOwned> Keeper<'b, B, H> {
    pub fn new(plan: Option<&'b CheckpointPlan>, model: B, state: State<H>) -> Self {
        Keeper { plan, model, state, saved: Instant::now() }
    }

    /// Whether the checkpoint is so old that another is due.
    pub fn is_due(&self) -> bool {
        self.plan.is_some_and(|plan| self.saved.elapsed() >= plan.every)
    }

    /// Counts a step; writes a checkpoint where one is due or the process is asked to end.
    pub fn stepped(
        &mut self,
        executor: &mut dyn Executor,
        run: &impl Running<B, H>,
        step: u64,
    ) -> Result<()> {
        self.state.step = step;
        if interrupt::asked() || self.is_due() {
            self.save(executor, run)?;
        }
        Ok(())
    }

    /// Writes a checkpoint, if there is to be one.
    pub fn save(&mut self, executor: &mut dyn Executor, run: &impl Running<B, H>) -> Result<()> {
        let Some(plan) = self.plan else { return Ok(()) };
        self.state.losses = run.losses(executor, &self.state)?;
        let State { history, step, losses } = &self.state;
        let checkpoint = Saved {
            model: run.body(executor, &self.model)?,
            moments: run.moments(executor)?,
            step: *step,
            history: history.clone(),
            losses: losses.clone(),
        };
        checkpoint.save(&plan.path)?;
        self.saved = Instant::now();
        Ok(())
    }

    /// An error that ended the run after some of its epochs, with what is kept: leaves a checkpoint where it was asked to end, says
    /// how to go on.
    pub fn ended(
        &mut self,
        error: Error,
        executor: &mut dyn Executor,
        run: &impl Running<B, H>,
        (done, of): (usize, usize),
    ) -> Error {
        match error {
            Error::Interrupted { signal, message } => match self.go_on(executor, run, (done, of)) {
                Ok(how) => Error::Interrupted { signal, message: format!("{message} {how}") },
                Err(error) => error,
            },
            Error::Device { device, message } => Error::Device { device, message: self.lost(&message) },
            other => other,
        }
    }

    /// What to do after a device failed: what it held is lost, what was written is not.
    fn lost(&self, message: &str) -> String {
        match self.plan.map(|plan| &plan.path).filter(|path| path.exists()) {
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
    fn go_on(
        &mut self,
        executor: &mut dyn Executor,
        run: &impl Running<B, H>,
        (done, of): (usize, usize),
    ) -> Result<String> {
        let Some(plan) = self.plan else {
            return Ok(format!("after {done} of {of} epochs; nothing is kept of them"));
        };
        let path = plan.path.display().to_string();
        self.save(executor, run)?;
        Ok(format!("after {done} of {of} epochs; the same command goes on from {path}"))
    }
}

impl Keeper<'_, Model, Vec<Epoch>> {
    /// Takes the row of an epoch. The history is told after the checkpoint that it belongs to, so that whoever finds a
    /// history without a model finds the checkpoint too.
    pub fn end_epoch(
        &mut self,
        executor: &mut dyn Executor,
        run: &impl Running<Model, Vec<Epoch>>,
        row: Epoch,
        (epochs, history): (usize, Option<&Path>),
    ) -> Result<()> {
        self.state.history.push(row);
        self.state.losses.clear();
        let first = self.state.history.len() == 1;
        if self.state.history.len() < epochs && (first || self.is_due()) {
            self.save(executor, run)?;
        }
        match history {
            Some(path) => history::write(path, &self.state.history, true),
            None => Ok(()),
        }
    }
}
