//! `genelift run`: the whole flow from a configuration file, in one folder.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::print;
use crate::error::{Error, Result};
use crate::memory;
use crate::pipeline::config::Config;
use crate::pipeline::keys::page;
use crate::pipeline::runner::{Again, Run};
use crate::pipeline::summary::summary;
use crate::progress::Reporter;

/// Arguments of `run`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The configuration (TOML); paths in it are relative to its directory
    #[arg(required_unless_present = "keys")]
    config: Option<PathBuf>,
    /// Change a setting of the configuration, e.g. train.epochs=20
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Do this stage and the later ones again: import, prepare, split, learn, test, train, evaluate, attribute, select, fit,
    /// repeat, compare, cluster, enrich or report
    #[arg(long, value_name = "STAGE")]
    from: Option<String>,
    /// Select N times more, with other seeds or on bootstrap samples (stability.over in the configuration), and report
    /// how much the lists agree
    #[arg(long, value_name = "N")]
    repeats: Option<usize>,
    /// Start anew, whatever is in the folder
    #[arg(long)]
    force: bool,
    /// As `device` in the configuration
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// As `seed` in the configuration
    #[arg(long)]
    seed: Option<u64>,
    /// As `threads` in the configuration
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// As `memory` in the configuration
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// As `device-memory` in the configuration
    #[arg(long, value_name = "SIZE")]
    device_memory: Option<String>,
    /// Print the page of all keys that a configuration can have
    #[arg(long, exclusive = true)]
    keys: bool,
    /// Say what will be done, what is kept and why, with estimates of time, memory and disk; do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of the configuration and of the stages.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let Some(path) = args.config.as_ref().filter(|_| !args.keys) else { return print(&page()) };
    let mut config = Config::read(path, &args.set)?;
    overrule(args, path, &mut config);
    if config.threads == Some(0) {
        return Err(Error::Usage("--threads 0: at least one thread is needed".into()));
    }
    let size = |option: &str, text: &str| {
        memory::parse(text).map_err(|what| Error::Usage(format!("--{option}: {what}")))
    };
    if let Some(text) = args.memory.as_ref().or(config.memory.as_ref()) {
        memory::allow(size("memory", text)?);
    }
    if let Some(text) = args.device_memory.as_ref().or(config.device_memory.as_ref()) {
        memory::allow_on_device(size("device-memory", text)?);
    }
    let again = Again { from: args.from.clone(), all: args.force };
    let mut run = Run::open(&config, again, report)?;
    if args.dry_run {
        return print(&run.forecast()?);
    }
    let done = run.go()?;
    print(&summary(&config, &done)?)
}

/// Takes what the command line says beside the file, and keeps it for the record.
fn overrule(args: &Args, path: &Path, config: &mut Config) {
    config.seed = args.seed.unwrap_or(config.seed);
    config.threads = args.threads.or(config.threads);
    config.device = args.device.clone().unwrap_or(config.device.clone());
    config.stability.repeats = args.repeats.or(config.stability.repeats);
    let mut command: Vec<String> = vec!["genelift".into(), "run".into(), path.display().to_string()];
    command.extend(args.set.iter().flat_map(|change| ["--set".to_string(), change.clone()]));
    let said = [
        ("seed", "seed", args.seed.map(Value::from)),
        ("threads", "threads", args.threads.map(Value::from)),
        ("device", "device", args.device.clone().map(Value::from)),
        ("memory", "memory", args.memory.clone().map(Value::from)),
        ("device-memory", "device-memory", args.device_memory.clone().map(Value::from)),
        ("repeats", "stability.repeats", args.repeats.map(Value::from)),
    ];
    for (option, key, value) in said {
        let Some(value) = value else { continue };
        let word = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        command.extend([format!("--{option}"), word]);
        config.overrule(key, value);
    }
    config.command = command;
}
