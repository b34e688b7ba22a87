//! `genelift attribute`: a model and a store → a score for every gene.

use std::path::PathBuf;

use super::help::OUTPUTS;
use super::{Common, print};
use crate::error::Result;
use crate::pipeline::perform;
use crate::pipeline::stages::attribute::{Attribute, Facts, Options};
use crate::progress::Reporter;

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
    #[arg(long, value_name = "NPY", help_heading = OUTPUTS)]
    per_node: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
///
/// # Errors
/// Those of the stage.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let stage = Attribute {
        model: args.model.clone(),
        store: args.store.clone(),
        scores: args.output.clone(),
        per_node: args.per_node.clone(),
        options: args.options.clone(),
        seed: args.common.seed,
    };
    let Facts { genes, samples, neurons, completeness } =
        perform(&stage, &mut args.common.workbench(report)?)?;
    print(&format!(
        "scores\t{}\ngenes\t{genes}\nsamples\t{samples}\nneurons\t{neurons}\ncompleteness_worst_error\t{:e}\ncompleteness_relative\t{:e}\n",
        args.output.display(),
        completeness.worst_error,
        completeness.relative()
    ))
}
