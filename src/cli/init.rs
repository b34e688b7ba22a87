//! `genelift init`: files → a commented configuration that runs.

use std::path::{Path, PathBuf};

use super::print;
use crate::error::Result;
use crate::pipeline::init;
use crate::progress::{Event, Reporter};
use crate::store::atomic::{self, Kind, Output};

/// Arguments of `init`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Matrix files, and tables about their samples and genes
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The configuration to write
    #[arg(short, value_name = "TOML", default_value = "genelift.toml")]
    output: PathBuf,
    /// Replace it if it exists
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of [`init::start`] and of writing.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let read: Vec<&Path> = args.files.iter().map(PathBuf::as_path).collect();
    let _ours = atomic::claim(&[Output::new(&args.output, Kind::File, args.force)], &read)?;
    let start = init::start(&args.files, args.output.parent().unwrap_or(Path::new("")))?;
    start.notes.into_iter().for_each(|note| report(Event::Note(note)));
    atomic::write_text(&args.output, &start.text)?;
    let path = args.output.display();
    print(&format!("configuration\t{path}\nnext\tgenelift run {path} --dry-run\n"))
}
