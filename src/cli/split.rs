//! `genelift split`: a store → stores for training and testing.

use std::path::PathBuf;

use super::print;
use crate::error::Result;
use crate::pipeline::stages::split::{Facts, Options, Split};
use crate::pipeline::{Workbench, perform};
use crate::progress::Reporter;

/// Arguments of `split`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store to split
    store: PathBuf,
    /// The directory for the parts; made if it is not there
    #[arg(short, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Seed of the draw
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Replace parts that exist
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of the stage.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let (store, dir) = (args.store.clone(), args.output.clone());
    let stage = Split { store, dir, options: args.options.clone(), seed: args.seed };
    let Facts { samples } = perform(&stage, &mut Workbench::new("cpu", None, args.force, report)?)?;
    let lines = stage.parts().into_iter().zip(samples);
    let lines = lines.map(|(part, samples)| format!("{}\t{samples}\n", part.display()));
    print(&format!("store\tsamples\n{}", lines.collect::<String>()))
}
