//! `genelift predict`: a predictor and measured landmarks → whole profiles.

use std::path::PathBuf;

use super::{Common, print, raw};
use crate::device;
use crate::error::Result;
use crate::formats::Orientation;
use crate::genes::Finder;
use crate::infer::{MissingLandmarks, Predictor, complete};
use crate::pipeline::choice::choice;
use crate::pipeline::settings::Match;
use crate::progress::Reporter;
use crate::store::atomic::{self, Kind, Output};

/// Arguments of `predict`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The predictor
    predictor: PathBuf,
    /// A store or a matrix file with the landmarks, in any order, among any other genes
    #[arg(value_name = "STORE|FILE")]
    profiles: PathBuf,
    /// The store to write: the genes as given, and the inferred ones; the gene column `origin` tells them apart
    #[arg(short, value_name = "STORE")]
    output: PathBuf,
    /// What becomes of landmarks that are not there
    #[arg(long, value_parser = choice::<MissingLandmarks>(), default_value = "refuse")]
    missing: MissingLandmarks,
    /// Infer targets that are measured too, in place of what was measured
    #[arg(long)]
    replace: bool,
    /// Of a matrix file: which side holds the genes
    #[arg(long, value_parser = choice::<Orientation>(), default_value = "auto")]
    orientation: Orientation,
    #[command(flatten)]
    matching: Match,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
///
/// # Errors
/// Those of the files, the device and [`complete`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let force = args.common.force;
    let mut outputs = vec![Output::new(&args.output, Kind::Store, force)];
    outputs.extend(args.matching.matching().output(force));
    let _ours = atomic::claim(&outputs, &[&args.predictor, &args.profiles])?;
    let predictor = Predictor::open(&args.predictor, report)?;
    let mut executor = device::open(&args.common.device, args.common.threads, report)?;
    let profiles = raw::open(&args.profiles, &args.output, args.orientation, report)?;
    let store = &profiles.store;
    let matching = args.matching.matching();
    let finder = Finder::new(&matching, force, report)?;
    let (missing, replace) = (args.missing, args.replace);
    let done =
        complete(&mut *executor, &predictor, store, &args.output, missing, replace, force, &finder, report)?;
    print(&format!(
        "store\t{}\nsamples\t{}\nmeasured\t{}\ninferred\t{}\n",
        args.output.display(),
        done.store.n_samples(),
        done.measured,
        done.inferred
    ))
}
