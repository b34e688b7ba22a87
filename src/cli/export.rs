//! `genelift export`: a store → a matrix file, a table of results → Parquet.

use std::path::{Path, PathBuf};

use super::{Common, print};
use crate::error::Result;
use crate::formats::{export_table, export_with};
use crate::pipeline::beside::beside;
use crate::progress::Reporter;
use crate::store::Store;
use crate::store::atomic::{self, Kind, Output};

/// Arguments of `export`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store; or a table of results (.tsv), which becomes .parquet
    #[arg(value_name = "STORE|TSV")]
    store: PathBuf,
    /// The file to write: .tsv, .csv, .parquet, .h5ad, .gctx, or .npy (values alone)
    #[arg(short, value_name = "FILE")]
    output: PathBuf,
    /// h5ad: put beside the matrix what else is known: a model (its bottleneck goes to obsm), a predictor (landmarks and held-out R² to var),
    /// tables by gene such as scores and landmarks (var), tables by sample (obs; embeddings to obsm), a folder of `genelift cluster`
    #[arg(long, value_name = "FILES", value_delimiter = ',')]
    with: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
///
/// # Errors
/// Those of [`export_with`] and of reading what goes beside.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let force = args.common.force;
    let read: Vec<&Path> = args.with.iter().chain([&args.store]).map(PathBuf::as_path).collect();
    let _ours = atomic::claim(&[Output::new(&args.output, Kind::File, force)], &read)?;
    if args.store.is_file() && args.with.is_empty() {
        let rows = export_table(&args.store, &args.output, force)?;
        return print(&format!("file\t{}\nrows\t{rows}\n", args.output.display()));
    }
    let store = Store::open(&args.store)?;
    let beside = beside(&store, &args.with, &mut args.common.workbench(report)?)?;
    export_with(&store, &beside, &args.output, force, report)?;
    let (samples, genes) = (store.n_samples(), store.n_genes());
    print(&format!("file\t{}\nsamples\t{samples}\ngenes\t{genes}\n", args.output.display()))
}
