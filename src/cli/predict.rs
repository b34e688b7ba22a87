//! `genelift predict`: a predictor and measured landmarks → whole profiles.

use std::path::PathBuf;

use super::help::OUTPUTS;
use super::{Common, print, raw};
use crate::device;
use crate::error::{Error, Result};
use crate::formats::Orientation;
use crate::genes::Finder;
use crate::genes::writer::write_rows;
use crate::infer::{Completed, Completing, MissingLandmarks, Predictor, Trust, complete};
use crate::pipeline::choice::choice;
use crate::pipeline::settings::Match;
use crate::progress::{Event, Reporter};
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
    /// A table to write: of each inferred gene its R² in training samples that were held out, its interval (the inferred value ± half_width,
    /// in the data's units), how many such samples it covers, whether it is reliable, and, where it is measured here too, how many samples lie within
    #[arg(long, value_name = "TSV", help_heading = OUTPUTS)]
    intervals: Option<PathBuf>,
    /// Share of samples that an interval is to cover: 0.5, 0.8, 0.9 or 0.95 [0.9]
    #[arg(long, value_name = "SHARE")]
    level: Option<f64>,
    /// Held-out R² from which on an inferred gene counts as reliable
    #[arg(long, value_name = "R2", default_value = "0.5")]
    reliable: f64,
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
    outputs.extend(args.intervals.as_deref().map(|path| Output::new(path, Kind::File, force)));
    outputs.extend(args.matching.matching().output(force));
    let _ours = atomic::claim(&outputs, &[&args.predictor, &args.profiles])?;
    let predictor = Predictor::open(&args.predictor, report)?;
    let mut executor = device::open(&args.common.device, args.common.threads, report)?;
    let profiles = raw::open(&args.profiles, &args.output, args.orientation, report)?;
    let store = &profiles.store;
    let matching = args.matching.matching();
    let finder = Finder::new(&matching, force, report)?;
    if args.intervals.is_some() && predictor.held_out().is_none() {
        return Err(Error::input(
            &args.predictor,
            "--intervals: no samples were held out when it was fitted; fit it anew with --held-out 5",
        ));
    }
    let Args { missing, replace, level, reliable, .. } = *args;
    let how = Completing { missing, replace, force, level, reliable };
    let done = complete(&mut *executor, &predictor, store, &args.output, &how, &finder, report)?;
    let none = "the intervals are those of all landmarks, some of which are missing";
    match &args.intervals {
        Some(path) if done.trust.is_empty() => report(Event::Warning(format!(
            "{} is not written: {none}{}",
            path.display(),
            if path.exists() { "; what is there is of an earlier command" } else { "" }
        ))),
        Some(path) => write_rows(path, force, Trust::HEADER, done.trust.iter().map(Trust::fields))?,
        None if args.level.is_some() && done.trust.is_empty() => {
            report(Event::Warning(format!("--level says nothing here: {none}")));
        }
        None => {}
    }
    print(&told(args, &done))
}

fn told(args: &Args, done: &Completed) -> String {
    let mut text = format!(
        "store\t{}\nsamples\t{}\nmeasured\t{}\ninferred\t{}\n",
        args.output.display(),
        done.store.n_samples(),
        done.measured,
        done.inferred
    );
    if !done.trust.is_empty() {
        let reliable = done.trust.iter().filter(|trust| trust.reliable).count();
        text += &format!("reliable (held-out R² ≥ {})\t{reliable}\n", args.reliable);
        let within = done.trust.iter().filter_map(|trust| trust.within);
        let (samples, inside) = within.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if samples > 0 {
            let share = inside as f64 / samples as f64;
            let level = args.level.unwrap_or(Completing::LEVEL);
            text += &format!("measured values within intervals of {level}\t{share:.4}\n");
        }
    }
    if let Some(losses) = &done.losses {
        text += "\nlost landmark\terror it adds alone (of a gene's variance)\n";
        losses.alone.iter().for_each(|(gene, cost)| text += &format!("{gene}\t{cost:.6}\n"));
        text += &format!("all {}\t{:.6}\n", losses.alone.len(), losses.together);
    }
    text
}
