//! `genelift prepare`: a store → a store made ready for training or comparison.

use std::path::PathBuf;

use super::{Common, print};
use crate::error::Result;
use crate::pipeline::perform;
use crate::pipeline::stages::prepare::{Facts, Options, Prepare, Taken, Work};
use crate::progress::Reporter;

/// The order of the steps, for `--help`.
const ORDER: &str = "\
Steps are taken in this order, whatever the order of the options: gene-labels, exclude, min-detected, library-size, log1p or log2p1, \
quantile-normalize, range, dedup, collapse-probes, match-genes, map-quantiles-to, min-sd, min-max or zscore. Another order is \
had by several calls. Each step is recorded in the store (see `genelift info`), and what it learned (profiles, means, \
kept genes) is kept there for --like. A step that looks at all samples reads the store once more; memory does not \
grow with it.

  genelift prepare train.gex -o ready.gex --quantile-normalize --zscore
  genelift prepare new.gex -o new-ready.gex --like ready.gex      the same, with what was learned from train.gex
  genelift prepare a.gex b.gex -o DIR --quantile-normalize        fitted to both: DIR/a.gex, DIR/b.gex";

/// Arguments of `prepare`.
#[derive(clap::Args, Debug, Clone)]
#[command(after_help = ORDER)]
pub struct Args {
    /// The store to prepare; several are prepared together, every step fitted to the samples of all
    #[arg(required = true, value_name = "STORE")]
    stores: Vec<PathBuf>,
    /// The store to write (.gex); for several stores the directory to write them to, under their names
    #[arg(short, value_name = "STORE|DIR")]
    output: PathBuf,
    /// Take the steps that made this store, with what they learned then; genes are matched by id
    #[arg(long, value_name = "STORE")]
    like: Option<PathBuf>,
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
    let Args { stores, output: out, like, options, common } = args.clone();
    let mut bench = common.workbench(report)?;
    let work = Work { seed: common.seed, device: common.device, threads: common.threads };
    let stage = Prepare { name: "prepare".into(), stores, out, like, options, taken: Taken::All, work };
    let facts: Facts = perform(&stage, &mut bench)?;
    let lines = facts.stores.into_iter().map(|(path, size)| {
        format!("store\t{}\nsamples\t{}\ngenes\t{}\n", path.display(), size.samples, size.genes)
    });
    print(&lines.collect::<String>())
}
