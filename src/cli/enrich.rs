//! `genelift enrich`: which gene sets a panel has more or fewer genes of than chance gives.

use std::path::PathBuf;

use super::{Common, print};
use crate::error::Result;
use crate::pipeline::perform;
use crate::pipeline::stages::enrich::{Enrich, Facts, Options};
use crate::progress::Reporter;

/// Arguments of `enrich`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The landmarks, or a list of genes
    landmarks: PathBuf,
    /// The store that they were chosen from
    #[arg(long, value_name = "STORE")]
    store: PathBuf,
    /// The table to write (.tsv): a row for each set that was tested, in clusterProfiler's columns, the lower tail and random panels beside them
    #[arg(short, value_name = "TSV")]
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
    let stage = Enrich {
        landmarks: args.landmarks.clone(),
        store: args.store.clone(),
        table: args.output.clone(),
        options: args.options.clone(),
        seed: args.common.seed,
    };
    let facts: Facts = perform(&stage, &mut args.common.workbench(report)?)?;
    print(&facts.said())
}
