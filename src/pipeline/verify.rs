//! Whether something that genelift wrote is what it wrote: stores, models, checkpoints, predictors, tables, folders of
//! results, runs.

use std::path::{Path, PathBuf};

use super::about::about;
use super::content::Contents;
use super::record::{NAME, Record};
use crate::error::{Error, Result};
use crate::store::{Store, is_store};

/// What was found of one path.
#[derive(Debug)]
pub struct Finding {
    /// The path.
    pub path: PathBuf,
    /// What it is, and that it is whole; or what is wrong.
    pub result: Result<String>,
}

/// Checks a path; of a run all that it recorded.
pub fn verify(path: &Path) -> Vec<Finding> {
    let result = match path.is_dir() && path.join(NAME).is_file() {
        true => return run(path).unwrap_or_else(|error| vec![finding(path, Err(error))]),
        false => one(path),
    };
    vec![finding(path, result)]
}

fn finding(path: &Path, result: Result<String>) -> Finding {
    Finding { path: path.to_path_buf(), result }
}

/// A store, a folder of results, or a file.
fn one(path: &Path) -> Result<String> {
    if !path.exists() {
        return Err(Error::input(path, "does not exist"));
    }
    if is_store(path) {
        Store::open(path)?.parameters()?;
    }
    match about(path)? {
        Some(about) => Ok(about.short),
        None if path.extension().is_some_and(|ending| ending == "tsv") => Err(Error::input(
            path,
            "cannot be checked: there is no description beside it that genelift wrote",
        )),
        None if path.is_dir() => Err(Error::input(path, "holds nothing that genelift wrote and can check")),
        None => Err(Error::input(path, "is nothing that genelift writes and can check")),
    }
}

/// Every output that a run recorded, and the run itself.
fn run(folder: &Path) -> Result<Vec<Finding>> {
    let record = Record::read(folder)?.ok_or_else(|| Error::input(folder, "has no record of a run"))?;
    let mut contents = Contents::default();
    let mut found = Vec::new();
    for entry in &record.stages {
        if !entry.finished {
            let message =
                format!("the stage {} did not come to its end; the same run goes on with it", entry.name);
            found.push(finding(folder, Err(Error::input(folder.join(NAME), message))));
        }
        for known in &entry.outputs {
            let path = folder.join(&known.path);
            let result = match contents.of(&path) {
                Some(sum) if sum == known.sha256 => Ok(format!("as the stage {} wrote it", entry.name)),
                Some(_) => {
                    Err(Error::input(&path, format!("has other bytes than the stage {} wrote", entry.name)))
                }
                None if path.exists() => Err(Error::input(&path, "is damaged")),
                None => Err(Error::input(&path, "is missing")),
            };
            found.push(Finding { path, result });
        }
    }
    Ok(found)
}
