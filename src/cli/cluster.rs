//! `genelift cluster`: whether samples that belong together lie together.

use std::path::PathBuf;

use super::{Common, print};
use crate::error::Result;
use crate::nouns::counted;
use crate::pipeline::perform;
use crate::pipeline::stages::cluster::{Cluster, Facts, Options};
use crate::progress::Reporter;

/// Arguments of `cluster`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The samples, which the network was best not trained on
    store: PathBuf,
    /// A model: its bottleneck is held beside as many principal components, and all genes
    #[arg(long)]
    model: Option<PathBuf>,
    /// Landmarks, which are held beside them too
    #[arg(long, value_name = "TSV")]
    landmarks: Option<PathBuf>,
    /// The folder to write: figures, each sample's clusters, maps of the first two axes, trees
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
    let stage = Cluster {
        store: args.store.clone(),
        model: args.model.clone(),
        landmarks: args.landmarks.clone(),
        dir: args.output.clone(),
        options: args.options.clone(),
        seed: args.common.seed,
    };
    let facts: Facts = perform(&stage, &mut args.common.workbench(report)?)?;
    print(&format!("{}\n{}", counted(facts.samples, "sample"), facts.said()))
}
