//! A model and a store → a score for every gene.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::train::Preset;
use crate::attribution::{
    Aggregate, AttributeSettings, Attribution, Completeness, Reference, ScoreTable, Target, attribute_among,
};
use crate::bench::work;
use crate::error::{Error, Result};
use crate::genes::sidecar::{Input as Source, Made};
use crate::nn::apply::model_genes;
use crate::nn::known::{Expect, remembered, warn_of_other_data};
use crate::nn::model::Model;
use crate::nn::settings::Precision;
use crate::pipeline::choice::{choice, word};
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::progress::{Event, Reporter};
use crate::store::remembered::Remembered;
use crate::store::{Store, atomic, npy};

/// What can be said about attribution, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Where the settings that are not given come from: default (mean as reference) or paper (zeros)
    #[arg(long, value_parser = choice::<Preset>())]
    pub preset: Option<Preset>,
    /// What samples are compared with, at the scaled input: zeros, mean, median (over the attributed samples), or
    /// a store, of which the mean is taken [default: mean; paper: zeros]
    #[arg(long, value_name = "zeros|mean|median|STORE")]
    pub reference: Option<Reference>,
    /// The bottleneck's activation, or its input [post]
    #[arg(long, value_parser = choice::<Target>())]
    pub target: Option<Target>,
    /// How contributions become one score a gene [mean-abs]
    #[arg(long, value_parser = choice::<Aggregate>())]
    pub aggregate: Option<Aggregate>,
    /// How many samples, drawn by the seed [all]
    #[arg(long, value_name = "N")]
    pub samples: Option<usize>,
    /// Of the multipliers' way from the neurons back to the genes: f32; bf16 (on CPUs) or f16 with f32 accumulation,
    /// good to about 2 and 3 digits [f32]
    #[arg(long, value_parser = choice::<Precision>())]
    pub precision: Option<Precision>,
}

impl Options {
    /// The settings: the preset's, with what was said put in.
    pub fn settings(&self, seed: u64) -> AttributeSettings {
        let preset = match self.preset.unwrap_or_default() {
            Preset::Default => AttributeSettings::standard(),
            Preset::Paper => AttributeSettings::paper(),
        };
        AttributeSettings {
            reference: self.reference.clone().unwrap_or(preset.reference),
            target: self.target.unwrap_or(preset.target),
            aggregate: self.aggregate.unwrap_or(preset.aggregate),
            samples: self.samples.or(preset.samples),
            seed,
            precision: self.precision.unwrap_or(preset.precision),
        }
    }
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &["reference"];
}

/// Scores every gene by DeepLIFT.
pub struct Attribute {
    /// The model.
    pub model: PathBuf,
    /// The store whose samples are attributed.
    pub store: PathBuf,
    /// The scores to write.
    pub scores: PathBuf,
    /// The scores of each neuron, where wanted.
    pub per_node: Option<PathBuf>,
    /// How.
    pub options: Options,
    /// Of a draw of samples.
    pub seed: u64,
}

/// What there is to tell of an attribution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Genes that were scored.
    pub genes: usize,
    /// Samples that went in.
    pub samples: usize,
    /// Neurons of the bottleneck.
    pub neurons: usize,
    /// How exactly contributions add up.
    pub completeness: Completeness,
}

impl Stage for Attribute {
    fn name(&self) -> String {
        "attribute".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let own = [Input::new("model", &self.model), Input::new("store", &self.store)];
        own.into_iter().chain(settings::inputs(&self.options).0).collect()
    }

    fn settings(&self) -> Value {
        let mut settings = json!(self.options.settings(self.seed));
        if let Some(Reference::Store(_)) = self.options.reference {
            settings["reference"] = "store".into();
        }
        settings
    }

    fn outputs(&self) -> Vec<Output> {
        let scores = Output::Table(self.scores.clone());
        [scores].into_iter().chain(self.per_node.clone().map(Output::File)).collect()
    }

    fn computes(&self) -> bool {
        true
    }

    fn precisions(&self) -> Vec<Precision> {
        vec![self.options.settings(self.seed).precision]
    }

    fn check(&self) -> Result<()> {
        if self.scores.extension().is_some_and(|ending| ending == "json") {
            let name = self.scores.display();
            return Err(Error::Usage(format!(
                "{name}: scores are a table; give it a name that ends in .tsv"
            )));
        }
        match self.options.samples {
            Some(0) => Err(Error::Usage("--samples 0: at least one sample is needed".into())),
            _ => Ok(()),
        }
    }

    fn cost(&self, size: &Size) -> Cost {
        let hidden = &size.hidden;
        let narrowest = hidden.iter().min().copied().unwrap_or(1);
        let depth = 1 + hidden.iter().position(|width| *width == narrowest).unwrap_or(0);
        let encoder: Vec<usize> =
            [size.genes].into_iter().chain(hidden.iter().take(depth).copied()).collect();
        let samples = self.options.samples.unwrap_or(size.train).min(size.train);
        Cost {
            work: vec![work::deeplift(&encoder, samples.max(1), 64)],
            memory: 4.0 * (size.genes * narrowest) as f64 * 2.0,
            disk: 60.0 * size.genes as f64,
            ..Cost::default()
        }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let (model, store) = (Model::open(&self.model, bench.report)?, Store::open(&self.store)?);
        let settings = self.options.settings(self.seed);
        let (per_node, report) = (self.per_node.is_some(), bench.report);
        warn_of_other_data((&model, &self.model), &store, Expect::Training, report)?;
        let ranks = bench.ranks.clone();
        let result = attribute_among(&ranks, bench.executor()?, &model, &store, &settings, per_node, report)?;
        warn_of_rounding(&result, settings.precision, report);
        if ranks.is_first() {
            if let (Some(path), Some(values)) = (&self.per_node, &result.per_node) {
                write_nodes(path, values, (result.neurons, model.genes.len()), bench.force)?;
            }
            let made = self.made((&model, &store), &settings, &result)?;
            table(&model, &store, &result)?.write(&self.scores, bench.force, made)?;
        }
        let Attribution { scores, samples, neurons, completeness, .. } = result;
        Ok(facts(Facts { genes: scores.len(), samples, neurons, completeness }))
    }
}

impl Attribute {
    fn made(
        &self,
        (model, store): (&Model, &Store),
        settings: &AttributeSettings,
        result: &Attribution,
    ) -> Result<Made> {
        let about = json!({
            "settings": settings, "samples": result.samples, "neurons": result.neurons,
            "completeness": {
                "worst-error": result.completeness.worst_error,
                "largest-output-difference": result.completeness.scale,
                "relative": result.completeness.relative(),
            },
        });
        let samples = remembered(model).and(&Remembered::all(store));
        let model = Source::regular(&self.model, "model")?;
        let mut made_from: Vec<Source> = model.into_iter().chain([Source::store(store)]).collect();
        if let Reference::Store(path) = &settings.reference {
            made_from.push(Source::store(&Store::open_unchecked(path)?));
        }
        Ok(Made { made_from, about, samples })
    }
}

/// Contributions that add up no better than to this share of the largest output difference are rounding.
const ROUNDING: f64 = 0.01;

/// Warns of scores no larger than the error of the precision that they were computed in; where all are 0 the attribution is refused. Of half
/// precision nothing is known of the model's part in it.
fn warn_of_rounding(result: &Attribution, precision: Precision, report: Reporter) {
    let Completeness { worst_error, scale } = result.completeness;
    if worst_error <= ROUNDING * scale {
        return;
    }
    let (limit, remedy) = match precision {
        Precision::F32 => (
            "the scores are at the limit of single precision".to_string(),
            "train longer, with another --learning-rate or --scale, or attribute --target pre, where saturated neurons still differ",
        ),
        half => (format!("the scores are at the limit of {}", word(half)), "attribute with --precision f32"),
    };
    report(Event::Warning(format!(
        "{limit}: the largest difference of a neuron from the reference is {scale:.1e}, and contributions add up to it within \
         {worst_error:.1e} only; {remedy}"
    )));
}

/// The model's genes by score, with what the store knows of them.
fn table(model: &Model, store: &Store, result: &Attribution) -> Result<ScoreTable> {
    Ok(ScoreTable::rank(&model_genes(model, store)?, &result.scores))
}

/// Writes neurons × genes.
fn write_nodes(path: &Path, values: &[f32], (neurons, genes): (usize, usize), force: bool) -> Result<()> {
    atomic::write_file(path, force, |file| {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let header = npy::header("<f4", neurons, genes);
        file.write_all(&header).and_then(|()| file.write_all(&bytes)).map_err(Error::io(path, "writing"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn scores_at_rounding_are_noticed() {
        let said = |worst_error, scale, precision| {
            let said = Mutex::new(Vec::new());
            let result = Attribution {
                scores: vec![1e-9],
                per_node: None,
                neurons: 1,
                samples: 1,
                completeness: Completeness { worst_error, scale },
                seconds: 0.0,
            };
            warn_of_rounding(&result, precision, &|event| {
                if let Event::Warning(text) = event {
                    said.lock().unwrap().push(text);
                }
            });
            said.into_inner().unwrap()
        };
        for (worst_error, scale) in [(1e-7, 0.5), (0.0, 1e-3)] {
            assert!(said(worst_error, scale, Precision::F32).is_empty());
        }
        let single = said(1e-8, 1e-7, Precision::F32);
        assert!(single.len() == 1 && single[0].contains("limit of single precision"), "{single:?}");
        // the same model may be right to seven digits in single precision
        for (half, name) in [(Precision::Bf16, "bf16"), (Precision::F16, "f16")] {
            let said = said(0.02, 1.0, half);
            assert!(said.len() == 1 && said[0].contains(&format!("limit of {name}")), "{said:?}");
            assert!(said[0].contains("--precision f32") && !said[0].contains("train"), "{said:?}");
        }
    }
}
