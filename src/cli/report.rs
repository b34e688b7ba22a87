//! `genelift report`: a run's folder as a page for a browser.

use std::path::PathBuf;

use serde_json::Value;

use super::print;
use crate::error::Result;
use crate::pipeline::record::{NAME, Record};
use crate::pipeline::stages::report::{Facts, Report};
use crate::pipeline::{Workbench, perform};
use crate::progress::Reporter;

/// Arguments of `report`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The folder of a run: one that is finished, under way or interrupted
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The page to write (.html): one file that loads nothing
    #[arg(short, value_name = "HTML")]
    output: PathBuf,
    /// Replace an output that exists
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of the stage.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let (folder, page) = (args.folder.clone(), args.output.clone());
    // not to be written over; a record that cannot be read is told of by the stage
    let record = Record::read(&folder).ok().flatten().unwrap_or_default();
    let stages = record.stages.iter().filter(|stage| stage.name != "report");
    let made = stages.flat_map(|stage| &stage.outputs).map(|made| folder.join(&made.path));
    let made = made.chain([folder.join(NAME)]).filter(|path| path.exists()).collect();
    let stage = Report { folder, page, made, told: Value::Null };
    let facts: Facts = perform(&stage, &mut Workbench::new("cpu", None, args.force, report)?)?;
    print(&format!("{}: {}\n", args.output.display(), facts.said()))
}
