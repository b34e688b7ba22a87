//! `genelift compare`: landmark sets side by side on held-out samples.

use std::path::PathBuf;

use super::{Common, print};
use crate::error::Result;
use crate::pipeline::perform;
use crate::pipeline::stages::compare::{Compare, Facts, Options};
use crate::progress::Reporter;

/// Arguments of `compare`.
#[derive(clap::Args, Debug, Clone)]
pub struct Args {
    /// The store to fit on; several are as many splits or folds, each tested on the --test store at its place
    #[arg(long = "train", value_delimiter = ',', required = true, value_name = "STORE")]
    trains: Vec<PathBuf>,
    /// The stores to test on, of other samples; their genes are matched by id, or all by another kind of name where the
    /// ids are of another kind
    #[arg(long = "test", value_delimiter = ',', required = true, value_name = "STORE")]
    tests: Vec<PathBuf>,
    /// Sets of landmarks: a name and a ranked table or list of genes, or a name and l1000. {size} in a file's name
    /// stands for each --size, where every size has a file of its own, {round} for each group or split that is held out
    #[arg(long, num_args = 1.., required_unless_present = "subsets", value_name = "NAME=TSV")]
    landmarks: Vec<String>,
    /// Lists whose order is no rank, such as l1000: of each, --random-draws random subsets of --size, averaged as the
    /// random draws are
    #[arg(long, num_args = 1.., value_name = "NAME=LIST")]
    subsets: Vec<String>,
    /// The directory for the tables
    #[arg(short, value_name = "DIR")]
    output: PathBuf,
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
    let Args { trains, tests, landmarks, subsets, output: dir, options, common } = args.clone();
    let seed = common.seed;
    let (l1000, groups, like) = (false, None, None);
    let stage = Compare { trains, tests, landmarks, subsets, l1000, groups, like, dir, options, seed };
    let facts: Facts = perform(&stage, &mut common.workbench(report)?)?;
    let sizes = facts.sizes.into_iter().map(|size| size.text).collect::<String>();
    print(&(sizes + &facts.curves_text))
}
