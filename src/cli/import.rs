//! `genelift import`: matrix files → a store.

use std::path::PathBuf;

use super::print;
use crate::error::Result;
use crate::pipeline::stages::import::{Facts, Import, Options};
use crate::pipeline::{Workbench, perform};
use crate::progress::Reporter;

/// Arguments of `import`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Matrix files or 10x directories; several are joined by samples, with the genes that all of them have
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The store to write (.gex)
    #[arg(short, value_name = "STORE")]
    output: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Replace the store if it exists
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of the stage.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let (name, files, store) = ("import".into(), args.files.clone(), args.output.clone());
    let stage = Import { name, files, store, options: args.options.clone() };
    let Facts { samples, genes } = perform(&stage, &mut Workbench::new("cpu", None, args.force, report)?)?;
    print(&format!("store\t{}\nsamples\t{samples}\ngenes\t{genes}\n", args.output.display()))
}
