//! A model and held-out samples → how well the network reproduces them.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::bench::work;
use crate::error::Result;
use crate::evaluate::FILES;
use crate::genes::sidecar::{Input as Source, Made};
use crate::nn::apply;
use crate::nn::known::{Expect, remembered, warn_of_other_data};
use crate::nn::model::Model;
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::progress::Event;
use crate::store::Store;
use crate::store::remembered::warn_of_preparation;

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
        vec![Output::Folder(self.dir.clone(), &FILES)]
    }

    fn computes(&self) -> bool {
        true
    }

    fn cost(&self, size: &Size) -> Cost {
        Cost {
            work: vec![work::permutation(size.genes, size.held_out)],
            memory: size.matrix(size.held_out),
            disk: 120.0 * size.genes as f64,
            ..Cost::default()
        }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let (model, store) = (Model::open(&self.model, bench.report)?, Store::open(&self.store)?);
        if store.n_samples() == 1 {
            let message = "one sample has no correlations by gene and no permutation test; give it more";
            (bench.report)(Event::Warning(message.into()));
        }
        let (report, all) = (bench.report, (0..store.n_samples()).collect::<Vec<_>>());
        let samples = remembered(&model);
        samples.warn("the model", &store, &all, report);
        warn_of_preparation(&store, report);
        warn_of_other_data((&model, &self.model), &store, Expect::Any, report)?;
        let ranks = bench.ranks.clone();
        let evaluation = apply::evaluate_among(&ranks, bench.executor()?, &model, &store, report)?;
        let sources = Source::regular(&self.model, "model")?.into_iter().chain([Source::store(&store)]);
        let made = Made { made_from: sources.collect(), about: json!(evaluation.summary()), samples };
        if ranks.is_first() {
            evaluation.write(&self.dir, &made, bench.force)?;
        }
        Ok(facts(evaluation.summary()))
    }
}
