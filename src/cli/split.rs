//! `genelift split`: a store → stores for training and testing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::print;
use crate::error::Result;
use crate::prepare::split::split;
use crate::store::Store;

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

/// What can be said about a split, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Shares of train and test, or of train, validation and test
    #[arg(long, value_delimiter = ',', default_value = "0.9,0.1", value_name = "SHARES")]
    pub fractions: Vec<f64>,
    /// A sample column; samples of one value stay together
    #[arg(long, value_name = "COLUMN")]
    pub group_by: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options { fractions: vec![0.9, 0.1], group_by: None }
    }
}

/// Runs the command.
///
/// # Errors
/// Those of [`split`].
pub fn run(args: &Args) -> Result<()> {
    let store = Store::open(&args.store)?;
    let Options { fractions, group_by } = &args.options;
    let parts = split(&store, &args.output, fractions, group_by.as_deref(), args.seed, args.force)?;
    let lines = parts.iter().map(|part| format!("{}\t{}\n", part.path().display(), part.n_samples()));
    print(&format!("store\tsamples\n{}", lines.collect::<String>()))
}
