//! A model and held-out samples → how well the network reproduces them.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::error::Result;
use crate::nn::apply;
use crate::nn::model::Model;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::store::Store;

/// What there is to tell of an evaluation.
pub use crate::evaluate::Summary as Facts;

/// Measures an autoencoder.
pub struct Evaluate {
    /// The model.
    pub model: PathBuf,
    /// The samples.
    pub store: PathBuf,
    /// The folder to write.
    pub dir: PathBuf,
}

impl Stage for Evaluate {
    fn name(&self) -> String {
        "evaluate".into()
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::new("model", &self.model), Input::new("store", &self.store)]
    }

    fn settings(&self) -> Value {
        json!({})
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Path(self.dir.clone())]
    }

    fn computes(&self) -> bool {
        true
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let (model, store) = (Model::load(&self.model)?, Store::open(&self.store)?);
        let report = bench.report;
        let evaluation = apply::evaluate(bench.executor()?, &model, &store, report)?;
        evaluation.write(&self.dir, bench.force)?;
        Ok(facts(evaluation.summary()))
    }
}
