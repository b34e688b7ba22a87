//! `genelift attribute`: a model and a store → a score for every gene.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Common, Preset, print};
use crate::attribution::{
    Aggregate, AttributeSettings, Attribution, Reference, ScoreTable, Target, attribute,
};
use crate::device::{self, Executor};
use crate::error::{Error, Result};
use crate::genes::sidecar::{self, Input, Made};
use crate::nn::model::Model;
use crate::nn::settings::Precision;
use crate::progress::Reporter;
use crate::store::atomic::{self, Kind, Output};
use crate::store::{Store, npy};

/// Arguments of `attribute`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The model
    model: PathBuf,
    /// The store whose samples are attributed
    store: PathBuf,
    /// The scores to write (.tsv); their checksum, settings and completeness go beside them (SCORES.json)
    #[arg(short, value_name = "SCORES")]
    output: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Also write the scores of each bottleneck neuron: a neurons × genes array
    #[arg(long, value_name = "NPY")]
    per_node: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// What can be said about attribution, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Where the settings that are not given come from: default (mean as reference) or paper (zeros)
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// What samples are compared with, at the scaled input: zeros, mean, median (over the attributed samples), or
    /// a store, of which the mean is taken [default: mean; paper: zeros]
    #[arg(long, value_name = "zeros|mean|median|STORE")]
    pub reference: Option<Reference>,
    /// The bottleneck's activation, or its input [post]
    #[arg(long, value_enum)]
    pub target: Option<Target>,
    /// How contributions become one score a gene [mean-abs]
    #[arg(long, value_enum)]
    pub aggregate: Option<Aggregate>,
    /// How many samples, drawn by the seed [all]
    #[arg(long, value_name = "N")]
    pub samples: Option<usize>,
    /// Of the multipliers' way from the neurons back to the genes: f32, or f16 with f32 accumulation, good to about 3
    /// digits [f32]
    #[arg(long, value_enum)]
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

/// Where an attribution's files are.
pub struct Files<'a> {
    /// The model.
    pub model: &'a Path,
    /// The store whose samples are attributed.
    pub store: &'a Path,
    /// The scores to write.
    pub scores: &'a Path,
    /// The scores of each neuron, where wanted.
    pub per_node: Option<&'a Path>,
}

/// Attributes and writes the scores, and beside them (`.tsv.json`) the settings and the completeness.
///
/// # Errors
/// Those of [`attribute`] and of the files.
pub fn attribute_files(
    executor: &mut dyn Executor,
    files: &Files,
    settings: &AttributeSettings,
    force: bool,
    report: Reporter,
) -> Result<Attribution> {
    let Files { model, store, scores: out, per_node } = *files;
    if out.extension().is_some_and(|ending| ending == "json") {
        return Err(Error::Usage(format!(
            "{}: scores are a table; give it a name that ends in .tsv",
            out.display()
        )));
    }
    let mut outputs = sidecar::outputs(out, force).to_vec();
    outputs.extend(per_node.map(|path| Output::new(path, Kind::File, force)));
    let mut read = vec![model, store];
    if let Reference::Store(path) = &settings.reference {
        read.push(path);
    }
    let _ours = atomic::claim(&outputs, &read)?;
    let (file, model, store) = (model, Model::open(model, report)?, Store::open(store)?);
    let result = attribute(executor, &model, &store, settings, per_node.is_some(), report)?;
    let known = store.genes();
    let position: std::collections::HashMap<&str, usize> =
        known.ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
    let rows: Vec<usize> = model.genes.iter().filter_map(|g| position.get(g.as_str()).copied()).collect();
    if let (Some(path), Some(values)) = (per_node, &result.per_node) {
        let header = npy::header("<f4", result.neurons, model.genes.len());
        atomic::write_file(path, force, |file| {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            file.write_all(&header).and_then(|()| file.write_all(&bytes)).map_err(Error::io(path, "writing"))
        })?;
    }
    let about = serde_json::json!({
        "settings": settings, "samples": result.samples, "neurons": result.neurons,
        "completeness": {
            "worst-error": result.completeness.worst_error,
            "largest-output-difference": result.completeness.scale,
            "relative": result.completeness.relative(),
        },
    });
    let made_from = Input::regular(file, "model")?.into_iter().chain([Input::store(&store)]).collect();
    let made = Made { made_from, about };
    ScoreTable::rank(&known.select(&rows), &result.scores).write(out, force, made)?;
    Ok(result)
}

/// Runs the command.
///
/// # Errors
/// Those of [`attribute_files`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let mut executor = device::open(&args.common.device, args.common.threads, report)?;
    let files = Files {
        model: &args.model,
        store: &args.store,
        scores: &args.output,
        per_node: args.per_node.as_deref(),
    };
    let result = attribute_files(
        &mut *executor,
        &files,
        &args.options.settings(args.common.seed),
        args.common.force,
        report,
    )?;
    let completeness = result.completeness;
    print(&format!(
        "scores\t{}\ngenes\t{}\nsamples\t{}\nneurons\t{}\ncompleteness_worst_error\t{:e}\ncompleteness_relative\t{:e}\n",
        args.output.display(),
        result.scores.len(),
        result.samples,
        result.neurons,
        completeness.worst_error,
        completeness.relative()
    ))
}
