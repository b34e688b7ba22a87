//! `genelift simulate`: a made-up matrix of any size.

use std::path::PathBuf;

use super::{limit_threads, print};
use crate::device::recording::Element;
use crate::error::Result;
use crate::pipeline::choice::choice;
use crate::pipeline::stages::import::Dtype;
use crate::progress::Reporter;
use crate::simulate::{SimulateSettings, simulate};

/// Arguments of `simulate`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store (.gex) or table (.tsv) to write; a table has its sample columns beside it, in NAME.samples.tsv
    #[arg(short, value_name = "STORE|TSV")]
    output: PathBuf,
    /// Samples
    #[arg(long, value_name = "N")]
    samples: usize,
    /// Genes
    #[arg(long, value_name = "G")]
    genes: usize,
    /// Hidden factors behind all genes
    #[arg(long, value_name = "R", default_value_t = 50)]
    rank: usize,
    /// Studies, of uneven size, that shift genes (sample column study)
    #[arg(long, value_name = "S", default_value_t = 20)]
    studies: usize,
    /// Standard deviation of the noise; genes' own are 0.3 to 1.5
    #[arg(long, value_name = "X", default_value_t = 0.3)]
    noise: f64,
    /// Share of samples that are near copies of an earlier one (sample column copy_of)
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicates: f64,
    /// Share of values that are missing (NA); in a table only, since a store holds none
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    missing: f64,
    /// Type of a store's values
    #[arg(long, value_parser = choice::<Dtype>(), default_value = "f32")]
    dtype: Dtype,
    /// Seed of everything
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// CPU threads; all of them if not given. Results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Replace outputs that exist
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of [`simulate()`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    limit_threads(args.threads)?;
    let settings = SimulateSettings {
        samples: args.samples,
        genes: args.genes,
        rank: args.rank,
        studies: args.studies,
        noise: args.noise,
        duplicates: args.duplicates,
        missing: args.missing,
        element: match args.dtype {
            Dtype::F32 => Element::F32,
            Dtype::F16 => Element::F16,
        },
        seed: args.seed,
    };
    let written = simulate(&args.output, &settings, args.force, report)?;
    print(&written.iter().map(|path| format!("written\t{}\n", path.display())).collect::<String>())
}
