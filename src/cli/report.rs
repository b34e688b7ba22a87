//! `genelift report`: a run's folder as a page for a browser.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::print;
use crate::error::{Error, Result};
use crate::pipeline::record::{NAME, Record};
use crate::pipeline::stages::report::{self, Facts, Report};
use crate::pipeline::{Workbench, perform};
use crate::progress::Reporter;
use crate::store::atomic::resolve;

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
    let made = kept(&folder);
    // the page of a run whose record cannot be read is refused by the stage
    let place = resolve(&page)?;
    let holds =
        |made: &&PathBuf| made.is_dir() && made.canonicalize().is_ok_and(|made| place.starts_with(made));
    if let Some(made) = made.iter().find(holds) {
        let (page, made) = (page.display(), made.display());
        return Err(Error::Usage(format!(
            "{page} lies in {made}, which belongs to the run; give the page another name"
        )));
    }
    let stage = Report { folder, page, made, told: Value::Null };
    let facts: Facts = perform(&stage, &mut Workbench::new("cpu", None, args.force, report)?)?;
    print(&format!("{}: {}\n", args.output.display(), facts.said()))
}

/// What a page must not take the place of: what the run was made from, and what it made but for its page.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let record = Record::read(folder).ok().flatten().unwrap_or_default();
    let made =
        record.stages.iter().filter(|stage| stage.name != report::NAME).flat_map(|stage| &stage.outputs);
    let tables = record.stages.iter().filter_map(|stage| stage.unmatched.as_ref());
    let own =
        made.map(|made| &made.path).chain(tables).map(|path| folder.join(path)).chain([folder.join(NAME)]);
    // sources are known as the command named them, or by the run's folder
    let read = record.stages.iter().flat_map(|stage| &stage.inputs).map(|read| &read.path);
    let read = read.flat_map(|path| [path.clone(), folder.join(path)]);
    // the configuration is the command's third word
    let told = record.command.get(2).map(PathBuf::from);
    own.chain(read).chain(told).filter(|path| path.exists()).collect()
}
