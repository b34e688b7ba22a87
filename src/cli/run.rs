//! `genelift run`: the whole flow from a configuration file, in one folder.

use std::path::PathBuf;

use super::print;
use crate::error::{Error, Result};
use crate::pipeline::config::Config;
use crate::pipeline::runner::{Again, Run};
use crate::pipeline::summary::summary;
use crate::progress::Reporter;

/// Arguments of `run`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The configuration (TOML); paths in it are relative to its directory
    config: PathBuf,
    /// Change a setting of the configuration, e.g. train.epochs=20
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Do this stage and the later ones again: import, prepare, split, learn, test, train, evaluate, attribute, select, fit,
    /// compare or repeat
    #[arg(long, value_name = "STAGE")]
    from: Option<String>,
    /// Select N times more, with other seeds or on bootstrap samples (stability.over in the configuration), and report
    /// how much the lists agree
    #[arg(long, value_name = "N")]
    repeats: Option<usize>,
    /// As `device` in the configuration
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// As `seed` in the configuration
    #[arg(long)]
    seed: Option<u64>,
    /// As `threads` in the configuration
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Start anew, whatever is in the folder
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of the configuration and of the stages.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let mut config = Config::read(&args.config, &args.set)?;
    config.seed = args.seed.unwrap_or(config.seed);
    config.threads = args.threads.or(config.threads);
    config.device = args.device.clone().unwrap_or(config.device);
    config.stability.repeats = args.repeats.or(config.stability.repeats);
    if config.threads == Some(0) {
        return Err(Error::Usage("--threads 0: at least one thread is needed".into()));
    }
    let again = Again { from: args.from.clone(), all: args.force };
    let done = Run::open(&config, again, report)?.go()?;
    print(&summary(&config, &done)?)
}
