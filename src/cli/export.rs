//! `genelift export`: a store → a matrix file.

use std::path::PathBuf;

use super::print;
use crate::error::Result;
use crate::formats::export;
use crate::progress::Reporter;
use crate::store::Store;
use crate::store::atomic::{self, Kind, Output};

/// Arguments of `export`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store
    store: PathBuf,
    /// The file to write: .tsv, .csv, .parquet, .h5ad, .gctx, or .npy (values alone)
    #[arg(short, value_name = "FILE")]
    output: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of [`export()`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let _ours = atomic::claim(&[Output::new(&args.output, Kind::File, args.force)], &[&args.store])?;
    let store = Store::open(&args.store)?;
    export(&store, &args.output, args.force, report)?;
    let (samples, genes) = (store.n_samples(), store.n_genes());
    print(&format!("file\t{}\nsamples\t{samples}\ngenes\t{genes}\n", args.output.display()))
}
