//! `genelift verify`: whether files are what genelift wrote.

use std::path::PathBuf;

use super::look;
use super::print;
use super::progress::say;
use crate::error::{Error, Result};
use crate::pipeline::verify::{Finding, verify};

/// Arguments of `verify`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Stores, models, checkpoints, predictors, scores, landmarks, folders of results, runs
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Runs the command: a line for what is whole, an error for what is not.
///
/// # Errors
/// [`Error::Data`] where something is not whole.
pub fn run(args: &Args) -> Result<()> {
    let found: Vec<Finding> = args.paths.iter().flat_map(|path| verify(path)).collect();
    let mut wrong = 0;
    for Finding { path, result } in &found {
        match result {
            Ok(what) => print(&format!("ok\t{}\t{what}\n", path.display()))?,
            Err(error) => {
                wrong += 1;
                say(look::ERROR, "error: ", &error.to_string());
            }
        }
    }
    match wrong {
        0 => Ok(()),
        n => Err(Error::Data(format!("{n} of {} are not what genelift wrote", found.len()))),
    }
}
