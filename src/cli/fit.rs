//! `genelift fit`: a store and landmarks → a predictor.

use std::path::PathBuf;

use super::{Common, print};
use crate::error::Result;
use crate::infer::Method;
use crate::pipeline::perform;
use crate::pipeline::settings::Match;
use crate::pipeline::stages::fit::{Facts, Fit, Options};
use crate::progress::Reporter;

/// Arguments of `fit`.
#[derive(clap::Args, Debug, Clone)]
pub struct Args {
    /// The store to fit on: training samples alone
    store: PathBuf,
    /// The genes that will be measured: a table of landmarks or a list of names (ids, Entrez ids, symbols, probes), or l1000
    #[arg(long, value_name = "TSV")]
    landmarks: String,
    /// The genes to infer; all the others if not given
    #[arg(long, value_name = "TSV")]
    targets: Option<String>,
    /// The predictor to write (.safetensors)
    #[arg(short, value_name = "PREDICTOR")]
    output: PathBuf,
    #[command(flatten)]
    matching: Match,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
///
/// # Errors
/// Those of the stage.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let Args { store, landmarks, targets, output: predictor, matching, options, common } = args.clone();
    let (method, seed) = (Method::default(), common.seed);
    let stage = Fit { store, landmarks, targets, predictor, matching, options, method, seed };
    let facts: Facts = perform(&stage, &mut common.workbench(report)?)?;
    let mut text = format!(
        "predictor\t{}\nsamples\t{}\nlandmarks\t{}\ntargets\t{}\n",
        stage.predictor.display(),
        facts.samples,
        facts.landmarks,
        facts.targets
    );
    for (name, value) in facts.chosen.as_object().into_iter().flatten() {
        text += &format!("{name}\t{value}\n");
    }
    print(&text)
}
