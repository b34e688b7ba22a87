//! The command line: one file a subcommand, each arguments → settings → one library call → printed result.
//!
//! Results go to standard output and nothing else does; progress, notes and errors go to standard error.

mod among_ranks;
mod apply;
mod attribute;
mod bench;
mod cluster;
mod compare;
mod devices;
mod enrich;
mod examples;
mod explain;
mod export;
#[cfg(feature = "figures")]
mod figures;
mod fit;
mod help;
mod import;
mod info;
mod init;
mod log;
mod look;
mod man;
mod meant;
mod number;
mod predict;
mod prepare;
mod progress;
mod raw;
mod report;
mod run;
mod select;
mod simulate;
mod split;
mod train;
mod verify;
mod version;

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, FromArgMatches, Parser, Subcommand};

use crate::device::{Executor, profile};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::memory;
use crate::pipeline::Workbench;
pub use crate::pipeline::limit_threads;
use crate::progress::Reporter;
use crate::ranks;
use crate::store::atomic::{Kind, Output};
use crate::store::watch;
use crate::visible;
pub use help::command;

/// Finds landmark genes: trains a sigmoid autoencoder on an expression matrix, scores every gene by DeepLIFT,
/// and picks the genes that say most about all the others.
#[derive(Parser)]
#[command(name = "genelift", version, max_term_width = 110, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print no progress and no notes; warnings and errors are still shown
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Add what happens to this file as lines of JSON, for a program that follows a long command
    #[arg(long, global = true, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Turn matrix files (text, GCT, GCTX, h5ad, 10x, Loom, Parquet, …) into a store
    Import(import::Args),
    /// Describe a store, a model or a matrix file
    Info(info::Args),
    /// Write a store's matrix as TSV, CSV, npy, h5ad, GCTX or Parquet
    Export(export::Args),
    /// Normalise, filter, drop duplicates, collapse probes, match genes, scale: a store into a new store
    Prepare(prepare::Args),
    /// Make up a matrix of any size: hidden factors, study effects, near copies, missing values
    Simulate(simulate::Args),
    /// Split a store's samples into train.gex and test.gex (and validation.gex)
    Split(split::Args),
    /// Train an autoencoder on a store
    Train(train::Args),
    /// Write the bottleneck's activations of every sample as a table
    Embed(apply::EmbedArgs),
    /// Write the autoencoder's output as a store
    Reconstruct(apply::Args),
    /// Measure the autoencoder on a store: errors and correlations by gene and by sample, beside the training median's, and
    /// whether outputs pass the permutation test
    Evaluate(apply::Args),
    /// Score every gene by DeepLIFT
    Attribute(attribute::Args),
    /// Pick landmarks from scores, from training samples, or by what the model knows
    Select(select::Args),
    /// Fit a predictor that infers all other genes from landmarks
    Fit(fit::Args),
    /// Complete profiles: infer the targets from measured landmarks
    Predict(predict::Args),
    /// Compare sets of landmarks, and random ones, by what they predict on held-out samples
    Compare(compare::Args),
    /// Cluster samples by the bottleneck, components, landmarks and genes, and hold the clusters against labels and studies
    Cluster(cluster::Args),
    /// Look up which gene sets landmarks are in, more or fewer than chance gives
    Enrich(enrich::Args),
    /// Explain genes, landmarks or neurons: what moves what, what serves what, what could stand in
    Explain(explain::Args),
    /// Draw what other commands leave: learning curves, densities, comparisons by gene, maps, trees, overlaps, as SVG and PNG
    #[cfg(feature = "figures")]
    Figures(figures::Args),
    /// Look at files and write a commented configuration that runs
    Init(init::Args),
    /// Do all of it, from matrix files to a verdict, as a configuration file says; the same command again goes on
    Run(run::Args),
    /// Write the page of a run, finished or not: verdict, tables, figures, and what it takes to do it again
    Report(report::Args),
    /// Check that files and folders are what genelift wrote
    Verify(verify::Args),
    /// Measure what this machine can do, and how close each stage comes to it
    Bench(bench::Args),
    /// List the adapters that can compute, and which one `--device auto` takes
    Devices(devices::Args),
    /// Write a shell completion script to standard output
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one a command, or all of help as one page
    Man(man::Args),
}

/// The arguments of every computing command.
#[derive(clap::Args, Debug, Clone)]
pub struct Common {
    /// auto, cpu, gpu, gpu:INDEX or gpu:NAME (a part of an adapter's name; see `genelift devices`)
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: String,
    /// Seed of every random choice
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// CPU threads; all of them if not given. Results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Replace outputs that exist
    #[arg(long)]
    pub force: bool,
    /// Memory to keep to, such as 8G or 512 (MiB): what does not fit is streamed, or refused before it begins [all there is]
    #[arg(long, value_name = "SIZE", value_parser = allowed_memory)]
    pub memory: Option<Bytes>,
    /// The same of a GPU's memory [as much as it gives]
    #[arg(long, value_name = "SIZE", value_parser = allowed_on_device)]
    pub device_memory: Option<Bytes>,
}

/// A size such as 8G: a type of its own, because its reader is not that of counts ([`number`]).
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub u64);

/// Reads `--memory`, which binds the whole process from then on.
fn allowed_memory(text: &str) -> std::result::Result<Bytes, String> {
    memory::parse(text).inspect(|bytes| memory::allow(*bytes)).map(Bytes)
}

/// Reads `--device-memory`, in the same way.
fn allowed_on_device(text: &str) -> std::result::Result<Bytes, String> {
    memory::parse(text).inspect(|bytes| memory::allow_on_device(*bytes)).map(Bytes)
}

impl Common {
    /// Where the command's stages work.
    ///
    /// # Errors
    /// Those of [`Workbench::new`].
    pub fn workbench<'a>(&self, report: Reporter<'a>) -> Result<Workbench<'a>> {
        Workbench::among(ranks::of_process(), &self.device, self.threads, self.force, report)
    }
}

/// The argument of commands whose kernels can be timed.
#[derive(clap::Args, Debug)]
pub struct Profile {
    /// Time every kernel call and write a trace that chrome://tracing and ui.perfetto.dev open; a GPU is slower meanwhile
    #[arg(long = "profile", value_name = "JSON", help_heading = help::OUTPUTS)]
    path: Option<PathBuf>,
}

impl Profile {
    /// The trace as an output, if one is asked for.
    pub fn output(&self, force: bool) -> Option<Output<'static>> {
        self.path.as_deref().map(|path| Output::new(path, Kind::File, force))
    }

    /// Starts timing, if asked to.
    ///
    /// # Errors
    /// [`Error::Device`] where the device cannot.
    pub fn start(&self, executor: &mut dyn Executor) -> Result<()> {
        if self.path.is_some() { executor.profile() } else { Ok(()) }
    }

    /// Writes what was timed.
    ///
    /// # Errors
    /// As [`profile::write`].
    pub fn finish(&self, executor: &dyn Executor, force: bool) -> Result<()> {
        let path = self.path.as_deref();
        path.map_or(Ok(()), |path| profile::write(path, executor.name(), executor.spans(), force))
    }

    /// Times the kernels of some work, if asked to. The trace is one of the outputs that the work claims ([`Workbench::beside`]).
    ///
    /// # Errors
    /// Those of the work, of [`Profile::start`] and of [`Profile::finish`].
    pub fn around<T>(
        &self,
        bench: &mut Workbench,
        work: impl FnOnce(&mut Workbench) -> Result<T>,
    ) -> Result<T> {
        let force = bench.force;
        let Some(trace) = self.output(force) else { return work(bench) };
        bench.beside.push(trace);
        self.start(bench.executor()?)?;
        let done = work(bench)?;
        bench.opened().map_or(Ok(()), |executor| self.finish(executor, force))?;
        Ok(done)
    }
}

/// Parses the arguments, the program's name first, runs the command, prints an error once; returns the exit code.
pub fn main(arguments: &[OsString]) -> u8 {
    let say = |message: &str| progress::say(look::ERROR, "error: ", message);
    let ranks = match ranks::join(say) {
        Ok(ranks) => ranks,
        Err(error) => {
            say(&error.to_string());
            return error.exit_code();
        }
    };
    if let Err(error) = among_ranks::agree(&ranks, arguments) {
        ranks.fail(&error);
    }
    let (cli, matches) = parsed(arguments).unwrap_or_else(|error| among_ranks::exit(&ranks, &error));
    let screen = progress::Screen::new(cli.quiet);
    watch::start();
    let work = |report: Reporter| {
        among_ranks::check(&ranks, &cli.command)
            .and_then(|()| meant::check(&matches, arguments))
            .and_then(|()| interrupt::listen())
            .and_then(|()| dispatch(&cli.command, report))
            .and_then(|()| watch::check())
    };
    let first = ranks.is_first();
    let show = |event| {
        if first {
            screen.show(event)
        }
    };
    let log = cli.log.as_deref().filter(|_| first);
    let result = log::check(log, &matches).and_then(|()| logged(log, arguments, &show, work));
    screen.clear();
    match result {
        Ok(()) => {
            ranks.leave();
            0
        }
        Err(error) => {
            ranks.fail(&error);
            say(&error.to_string());
            error.exit_code()
        }
    }
}

/// What the arguments say, the program's name first.
fn parsed(arguments: &[OsString]) -> std::result::Result<(Cli, ArgMatches), clap::Error> {
    let matches = help::command().try_get_matches_from(arguments).map_err(without_odd_tip)?;
    Ok((Cli::from_arg_matches(&matches)?, matches))
}

/// What the parser refuses, without its tip that an option that is not there could be passed as a value, which is never meant.
fn without_odd_tip(mut error: clap::Error) -> clap::Error {
    let odd = |tips: &ContextValue| matches!(tips, ContextValue::StyledStrs(tips) if tips.iter().all(|tip| tip.to_string().contains("as a value")));
    if error.get(ContextKind::Suggested).is_some_and(odd) {
        error.remove(ContextKind::Suggested);
    }
    error
}

/// Does the work, and logs what happens where the arguments ask for it.
fn logged(
    path: Option<&Path>,
    arguments: &[OsString],
    show: Reporter,
    work: impl FnOnce(Reporter) -> Result<()>,
) -> Result<()> {
    let log = path.map(|path| log::Log::open(path, arguments)).transpose()?;
    let result = work(&|event| {
        if let Some(log) = &log {
            log.tell(&event);
        }
        show(event);
    });
    if let Some(log) = &log {
        log.end(&result);
    }
    result
}

/// Why a [`call`] came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The command has no such option.
    #[error("{0}")]
    Unknown(String),
    /// Whatever else.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Runs a command inside another program, and returns what it would have printed. Unlike [`main`] it listens to no signals (a
/// [`Wish`](interrupt::Wish) ends it) and writes nothing to standard error: `report` is told.
///
/// # Errors
/// [`Refused::Unknown`] for an option that the command does not have; [`Error::Usage`] for other arguments that it does not
/// take; those of the command.
pub fn call(arguments: &[OsString], report: Reporter) -> std::result::Result<String, Refused> {
    let (cli, matches) = match parsed(arguments) {
        Ok(parsed) => parsed,
        Err(error) if !error.use_stderr() => return Ok(error.render().to_string()), // help or the version
        Err(error) => return Err(refused(&error)),
    };
    PRINTED.set(Some(String::new()));
    let work =
        |report: Reporter| meant::check(&matches, arguments).and_then(|()| dispatch(&cli.command, report));
    let log = cli.log.as_deref();
    let result = log::check(log, &matches).and_then(|()| logged(log, arguments, report, work));
    let printed = PRINTED.take().unwrap_or_default();
    result.map(|()| printed).map_err(Refused::from)
}

/// What the parser refuses, in its words, without the usage that it shows below them.
fn refused(error: &clap::Error) -> Refused {
    let text = error.render().to_string();
    let text =
        text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more").next()).unwrap_or(&text);
    let lines = text.trim_start_matches("error: ").lines().map(str::trim).filter(|line| !line.is_empty());
    let text = lines.fold(String::new(), |text, line| match text.chars().last() {
        None => line.to_string(),
        Some(':') => text + " " + line,
        Some(_) => text + "; " + line,
    });
    match error.kind() {
        clap::error::ErrorKind::UnknownArgument => Refused::Unknown(text),
        _ => Error::Usage(text).into(),
    }
}

thread_local! {
    /// What a [`call`] on this thread printed; nothing where standard output is printed to.
    static PRINTED: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn dispatch(command: &Command, report: Reporter) -> Result<()> {
    match command {
        Command::Import(args) => import::run(args, report),
        Command::Info(args) => info::run(args),
        Command::Export(args) => export::run(args, report),
        Command::Prepare(args) => prepare::run(args, report),
        Command::Simulate(args) => simulate::run(args, report),
        Command::Split(args) => split::run(args, report),
        Command::Train(args) => train::run(args, report),
        Command::Embed(args) => apply::embed(args, report),
        Command::Reconstruct(args) => apply::reconstruct(args, report),
        Command::Evaluate(args) => apply::evaluate(args, report),
        Command::Attribute(args) => attribute::run(args, report),
        Command::Select(args) => select::run(args, report),
        Command::Fit(args) => fit::run(args, report),
        Command::Predict(args) => predict::run(args, report),
        Command::Compare(args) => compare::run(args, report),
        Command::Cluster(args) => cluster::run(args, report),
        Command::Enrich(args) => enrich::run(args, report),
        Command::Explain(args) => explain::run(args, report),
        #[cfg(feature = "figures")]
        Command::Figures(args) => figures::run(args),
        Command::Init(args) => init::run(args, report),
        Command::Run(args) => run::run(args, report),
        Command::Report(args) => report::run(args, report),
        Command::Verify(args) => verify::run(args),
        Command::Bench(args) => bench::run(args, report),
        Command::Devices(args) => devices::run(args),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut help::command(), "genelift", &mut text);
            print(&String::from_utf8_lossy(&text))
        }
        Command::Man(args) => man::run(args),
    }
}

/// Writes a result to standard output, or where a [`call`] keeps it; of several ranks the first does. A reader that has gone away (`| head`) is not an error.
///
/// # Errors
/// Whatever else keeps standard output from being written.
pub fn print(text: &str) -> Result<()> {
    let kept = PRINTED.with_borrow_mut(|printed| printed.as_mut().map(|all| all.push_str(text)));
    if kept.is_some() || !ranks::of_process().is_first() {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(visible::text(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", "writing")(error))
        }
        _ => Ok(()),
    }
}
