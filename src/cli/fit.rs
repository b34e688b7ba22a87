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
    if let Some(held_out) = &facts.held_out {
        let (how, [mean, median]) = (&held_out.how, held_out.r2);
        text += &format!("held-out R²\tmean {mean:.4}, median {median:.4}, by {} folds\n", how.folds);
        text += &format!("genes of R² ≥ 0.5\t{}\n", held_out.reliable);
        for (level, [mean, low, high]) in how.levels.iter().zip(&held_out.coverage) {
            text += &format!("intervals of {level}\tcover {mean:.3} (90 % of genes {low:.3} to {high:.3})\n");
        }
    }
    print(&text)
}
