//! `genelift fit`: a store and landmarks → a predictor.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::help::OUTPUTS;
use super::{Common, print};
use crate::error::{Error, Result};
use crate::genes::writer::write_rows;
use crate::infer::Method;
use crate::infer::mlp::Epoch;
use crate::pipeline::perform;
use crate::pipeline::settings::Match;
use crate::pipeline::stages::fit::{Facts, Fit, Options};
use crate::progress::Reporter;
use crate::store::atomic::{Kind, Output};

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
    /// mlp: also write a table of every epoch: loss, learning rate, mean errors
    #[arg(long, value_name = "TSV", help_heading = OUTPUTS)]
    history: Option<PathBuf>,
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
    let Args { store, landmarks, targets, output: predictor, matching, options, common, .. } = args.clone();
    let (method, seed) = (Method::default(), common.seed);
    if args.history.is_some() && options.method.unwrap_or(method) != Method::Mlp {
        return Err(Error::Usage("--history: only --method mlp is trained in epochs; leave it out".into()));
    }
    let mut bench = common.workbench(report)?;
    // of several ranks the first writes
    let history = args.history.as_deref().filter(|_| bench.ranks.is_first());
    bench.beside.extend(history.map(|path| Output::new(path, Kind::File, common.force)));
    let (groups, selection) = (None, None);
    let stage =
        Fit { store, landmarks, targets, predictor, matching, options, groups, method, selection, seed };
    let facts: Facts = perform(&stage, &mut bench)?;
    let mut text = format!(
        "predictor\t{}\nsamples\t{}\nlandmarks\t{}\ntargets\t{}\n",
        stage.predictor.display(),
        facts.samples,
        facts.landmarks,
        facts.targets
    );
    if let Some(path) = history {
        write_history(path, common.force, &facts.chosen["history"])?;
    }
    for (name, value) in facts.chosen.as_object().into_iter().flatten().filter(|(name, _)| *name != "history")
    {
        text += &format!("{name}\t{value}\n");
    }
    if let Some(held_out) = &facts.held_out {
        let (how, [mean, median]) = (&held_out.how, held_out.r2);
        text += &format!("held-out R²\tmean {mean:.4}, median {median:.4}, by {} folds\n", how.folds);
        text += &format!("genes of R² ≥ 0.5\t{}\n", held_out.reliable);
        for (level, coverage) in how.levels.iter().zip(&held_out.coverage) {
            text += &match coverage {
                Some([mean, low, high]) => {
                    format!("intervals of {level}\tcover {mean:.3} (90 % of genes {low:.3} to {high:.3})\n")
                }
                None => format!(
                    "intervals of {level}\tcoverage unknown: {} groups are too few to measure it\n",
                    how.groups
                ),
            };
        }
    }
    print(&text)
}

/// A row an epoch of each network.
fn write_history(path: &Path, force: bool, history: &Value) -> Result<()> {
    let told = |error| Error::Data(format!("the history of the training cannot be read: {error}"));
    let histories: Vec<Vec<Epoch>> = serde_json::from_value(history.clone()).map_err(told)?;
    let header = ["network", "epoch", "loss", "learning_rate", "training_mae", "validation_mae"];
    let row = |network: usize, epoch: usize, row: &Epoch| {
        let validation = row.validation_mae.map_or(String::new(), |mae| mae.to_string());
        let figures = [row.loss, row.learning_rate, row.training_mae].map(|x| x.to_string());
        let numbers = [network + 1, epoch + 1].map(|n| n.to_string());
        numbers.into_iter().chain(figures).chain([validation]).collect::<Vec<_>>()
    };
    let of = |(network, epochs): (usize, &Vec<Epoch>)| {
        epochs.iter().enumerate().map(|(epoch, one)| row(network, epoch, one)).collect::<Vec<_>>()
    };
    write_rows(path, force, header, histories.iter().enumerate().flat_map(of))
}
