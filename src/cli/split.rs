//! `genelift split`: a store → stores for training and testing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::print;
use crate::error::{Error, Result};
use crate::prepare::split::{Draw, files, split};
use crate::store::Store;
use crate::store::atomic::{self, Output};

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
    /// A sample column; samples of each value are spread over the parts by their shares
    #[arg(long, value_name = "COLUMN", conflicts_with = "group_by")]
    pub stratify: Option<String>,
}

impl Options {
    /// What binds the draw.
    ///
    /// # Errors
    /// [`Error::Usage`] where samples are to be both kept together and spread.
    pub fn draw(&self) -> Result<Draw<'_>> {
        match (&self.group_by, &self.stratify) {
            (None, None) => Ok(Draw::Samples),
            (Some(column), None) => Ok(Draw::Groups(column)),
            (None, Some(column)) => Ok(Draw::Strata(column)),
            (Some(_), Some(_)) => Err(Error::Usage(
                "group-by keeps samples together and stratify spreads them; give one of the two".into(),
            )),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options { fractions: vec![0.9, 0.1], group_by: None, stratify: None }
    }
}

/// Runs the command.
///
/// # Errors
/// Those of [`split`].
pub fn run(args: &Args) -> Result<()> {
    let output = Output::parts(&args.output, &files(args.options.fractions.len()), args.force);
    let _ours = atomic::claim(&[output], &[&args.store])?;
    let store = Store::open(&args.store)?;
    let (fractions, draw) = (&args.options.fractions, args.options.draw()?);
    let parts = split(&store, &args.output, fractions, draw, args.seed, args.force)?;
    let lines = parts.iter().map(|part| format!("{}\t{}\n", part.path().display(), part.n_samples()));
    print(&format!("store\tsamples\n{}", lines.collect::<String>()))
}
