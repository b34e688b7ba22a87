//! `genelift train`: a store → a model.

use std::path::PathBuf;

use super::help::OUTPUTS;
use super::{Common, Profile, print};
use crate::error::Result;
use crate::pipeline::perform;
use crate::pipeline::stages::train::{Facts, Options, Train};
use crate::progress::Reporter;

/// Arguments of `train`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store to train on
    store: PathBuf,
    /// The model to write (.safetensors)
    #[arg(short, value_name = "MODEL")]
    output: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Start from this model's parameters and scaling; the optimizer's moments start at zero
    #[arg(long, value_name = "MODEL")]
    init: Option<PathBuf>,
    /// Write one row an epoch, as soon as it is over: losses, MAE, seconds
    #[arg(long, value_name = "TSV", help_heading = OUTPUTS)]
    history: Option<PathBuf>,
    #[command(flatten)]
    profile: Profile,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
///
/// # Errors
/// Those of the stage.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let stage = Train {
        store: args.store.clone(),
        model: args.output.clone(),
        history: args.history.clone(),
        init: args.init.clone(),
        options: args.options.clone(),
        seed: args.common.seed,
    };
    let mut bench = args.common.workbench(report)?;
    let facts: Facts = args.profile.around(&mut bench, |bench| perform(&stage, bench))?;
    let mut text = format!("model\t{}\n", args.output.display());
    if let Some(last) = facts.last {
        text += &format!(
            "epochs\t{}\ntrain_loss\t{}\ntrain_mae\t{}\n",
            last.epoch, last.train_loss, last.train_mae
        );
        if let (Some(loss), Some(mae)) = (last.validation_loss, last.validation_mae) {
            text += &format!("validation_loss\t{loss}\nvalidation_mae\t{mae}\n");
        }
    }
    print(&text)
}
