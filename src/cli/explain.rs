//! `genelift explain`: what a gene, a landmark or a neuron does.

use std::path::PathBuf;

use super::{Common, print};
use crate::error::Result;
use crate::pipeline::perform;
use crate::pipeline::stages::explain::{Explain, Facts, Known, Options};
use crate::progress::Reporter;
use crate::visible;

/// Arguments of `explain`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Genes by any of their names, neuron:K, or a list of landmarks
    #[arg(required = true, value_name = "GENE|neuron:K|LANDMARKS")]
    what: Vec<String>,
    /// The folder of a run, which has all of the following; what is given beside it goes before
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// The training samples
    #[arg(long)]
    store: Option<PathBuf>,
    /// Samples that were held out, on which R² is taken [the training samples, where R² is too high]
    #[arg(long, value_name = "STORE")]
    test: Option<PathBuf>,
    /// The landmarks
    #[arg(long, value_name = "TSV")]
    landmarks: Option<PathBuf>,
    /// The predictor
    #[arg(long)]
    predictor: Option<PathBuf>,
    /// The network
    #[arg(long)]
    model: Option<PathBuf>,
    /// A folder to write the whole tables to
    #[arg(short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    common: Common,
}

impl Args {
    fn known(&self) -> Result<Known> {
        let of_run = self.run.as_deref().map(Known::of_run).transpose()?.unwrap_or_default();
        let or = |own: &Option<PathBuf>, other: Option<PathBuf>| own.clone().or(other);
        Ok(Known {
            store: or(&self.store, of_run.store),
            test: or(&self.test, of_run.test),
            landmarks: or(&self.landmarks, of_run.landmarks),
            predictor: or(&self.predictor, of_run.predictor),
            model: or(&self.model, of_run.model),
        })
    }
}

/// Runs the command.
///
/// # Errors
/// Those of the stage.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let stage = Explain {
        what: args.what.clone(),
        known: args.known()?,
        dir: args.output.clone(),
        options: args.options.clone(),
        seed: args.common.seed,
    };
    let facts: Facts = perform(&stage, &mut args.common.workbench(report)?)?;
    if args.json {
        return print(&format!("{:#}\n", serde_json::json!(facts)));
    }
    let texts: Vec<String> = facts.told.iter().map(text).collect();
    print(&texts.join("\n"))
}

/// The name, and a line each.
fn text(told: &crate::pipeline::stages::explain::Told) -> String {
    let width = told.lines.iter().map(|(by, _)| by.chars().count()).max().unwrap_or(0);
    let lines = told.lines.iter().map(|(by, text)| format!("  {by:width$}  {}\n", visible::line(text)));
    format!("{}\n{}", visible::line(&told.name), lines.collect::<String>())
}
