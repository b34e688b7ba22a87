//! Whether something that genelift wrote is what it wrote: stores, models, checkpoints, predictors, tables, folders of
//! results, runs.

use std::path::{Path, PathBuf};

use super::content::Contents;
use super::record::{NAME, Record};
use crate::error::{Error, Result};
use crate::genes::{Checked, Sheet, Untold};
use crate::infer::Predictor;
use crate::nn::checkpoint::Checkpoint;
use crate::nn::model::Model;
use crate::nn::tensors::TensorFile;
use crate::nouns::counted;
use crate::store::{Store, is_store, sealed};

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
        let store = Store::open(path)?;
        store.parameters()?;
        return Ok(format!(
            "store, {} × {}",
            counted(store.n_samples(), "sample"),
            counted(store.n_genes(), "gene")
        ));
    }
    if path.is_dir() {
        let files = sealed::check(path)?;
        return Ok(format!("folder of {}", counted(files, "table")));
    }
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") if table_of(path).is_some_and(|table| table.is_file()) => {
            table(&table_of(path).unwrap_or_default())
        }
        Some("tsv") => table(path),
        _ => tensors(path),
    }
}

/// The table that a description belongs to.
fn table_of(path: &Path) -> Option<PathBuf> {
    path.to_str()?.strip_suffix(".json").map(PathBuf::from)
}

fn table(path: &Path) -> Result<String> {
    let sheet = Sheet::read(path, Untold::Header)?;
    match sheet.checked {
        Checked::Whole(_) => Ok(format!("table, {}", counted(sheet.lines.len(), "row"))),
        _ => Err(Error::input(
            path,
            "cannot be checked: there is no description beside it that genelift wrote",
        )),
    }
}

/// A model, a checkpoint or a predictor.
fn tensors(path: &Path) -> Result<String> {
    let file = TensorFile::load(path)?;
    let format = file.metadata.get("format").cloned().unwrap_or_default();
    match format.as_str() {
        "genelift.autoencoder" if file.metadata.contains_key("step") => {
            let checkpoint = Checkpoint::load(path)?;
            Ok(format!("checkpoint, {} done", counted(checkpoint.history.len(), "epoch")))
        }
        "genelift.autoencoder" => {
            let model = Model::load(path)?;
            Ok(format!("model, {}", counted(model.genes.len(), "gene")))
        }
        "genelift.predictor" if file.metadata.contains_key("step") => {
            Predictor::load(path)?;
            Ok("checkpoint of a fit".into())
        }
        "genelift.predictor" => {
            let predictor = Predictor::load(path)?;
            Ok(format!(
                "predictor, {}, {}",
                counted(predictor.landmarks().len(), "landmark"),
                counted(predictor.targets().len(), "target")
            ))
        }
        _ => Err(Error::input(path, "is nothing that genelift writes and can check")),
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
