//! What genelift wrote: recognised, checked as it is read, and described.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::record::{NAME, Record};
use crate::error::{Error, Result};
use crate::formats::is_directory;
use crate::genes::{Checked, Sheet, Table, Untold, shown, sidecar};
use crate::infer::{Method, Predictor};
use crate::nn::checkpoint::Checkpoint;
use crate::nn::model::Model;
use crate::nn::tensors::TensorFile;
use crate::nouns::counted;
use crate::pipeline::choice::word;
use crate::pipeline::stages::fit::Trusted;
use crate::store::{Store, Summary, is_store, sealed, summary};

/// How many genes are told by name.
const SHOWN: usize = 3;

/// What something is.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// In a few words, such as `predictor, 200 landmarks, 1800 targets`.
    pub short: String,
    /// What there is to tell, by what.
    pub facts: Vec<(&'static str, String)>,
    /// The same for a program.
    pub value: Value,
}

/// What genelift writes and reads again: enough to tell whether it stands where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A store.
    Store,
    /// A trained network, or a checkpoint of one.
    Model,
    /// A predictor, or a checkpoint of one.
    Predictor,
    /// All genes with their scores.
    Scores,
    /// The genes that were chosen.
    Landmarks,
    /// The folder of a run.
    Run,
    /// What `run` reads.
    Configuration,
    /// What [`what`] never says: for places that take all of these.
    Anything,
}

impl What {
    /// With its article, and which command makes it.
    pub fn described(self) -> &'static str {
        match self {
            What::Store => "a store (a folder that `genelift import` makes)",
            What::Model => "a model (as `genelift train` makes it)",
            What::Predictor => "a predictor (as `genelift fit` makes it)",
            What::Scores => "a table of scores (as `genelift attribute` makes it)",
            What::Landmarks => "a list or table of genes (such as `genelift select` makes)",
            What::Run => "the folder of a run",
            What::Configuration => "a configuration (TOML, as `genelift init` makes it)",
            What::Anything => "anything",
        }
    }

    /// Whether it is a table of genes in the order of their scores.
    pub fn is_ranking(self) -> bool {
        matches!(self, What::Scores | What::Landmarks)
    }
}

/// What a path is, from its beginning alone: nothing is checked. `None` for what genelift did not write, and for other results.
pub fn what(path: &Path) -> Option<What> {
    if path.is_dir() {
        let run = || path.join(NAME).is_file().then_some(What::Run);
        return if is_store(path) { Some(What::Store) } else { run() };
    }
    if holds_tensors(path) {
        return match TensorFile::told(path, "format")?.as_str() {
            "genelift.autoencoder" => Some(What::Model),
            "genelift.predictor" => Some(What::Predictor),
            _ => None,
        };
    }
    // Only what genelift described is surely a result of its, not a list of somebody's.
    let text = std::fs::read_to_string(sidecar::name(path)).ok().filter(|_| path.is_file())?;
    let description: Value = serde_json::from_str(&text).ok()?;
    let about = &description["about"];
    match (about["completeness"].is_null(), about["strategy"].is_null()) {
        (false, _) => Some(What::Scores),
        (true, false) => Some(What::Landmarks),
        (true, true) => None,
    }
}

/// Looks at a path; `None` for what genelift did not write, or cannot tell from what others write. Whatever has checksums is compared with
/// them; of a run only its record is read.
///
/// # Errors
/// What is damaged, or not what its checksum says.
pub fn about(path: &Path) -> Result<Option<About>> {
    if path.is_dir() {
        return of_folder(path);
    }
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => match table_of(path) {
            Some(table) if table.is_file() => of_table(&table),
            _ => Ok(None),
        },
        Some("tsv") => of_table(path),
        Some("safetensors" | "checkpoint") => of_tensors(path),
        _ if holds_tensors(path) => of_tensors(path),
        _ => Ok(None),
    }
}

/// Whether a file of any name begins as safetensors do: the header's length, and the header.
fn holds_tensors(path: &Path) -> bool {
    if !path.is_file() {
        return false; // a pipe can be read once only
    }
    let mut start = [0; 9];
    let read =
        std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start));
    read.is_ok() && start[4..8] == [0; 4] && start[8] == b'{'
}

fn of_folder(path: &Path) -> Result<Option<About>> {
    if is_store(path) {
        return Ok(Some(of_store(&Store::open(path)?)));
    }
    if path.join(NAME).is_file() {
        return Ok(Record::read(path)?.map(|record| of_run(path, &record)));
    }
    if is_directory(path) || !has_description(path)? {
        return Ok(None);
    }
    of_tables(path, &sealed::described(path)?).map(Some)
}

/// Whether one of the folder's files, or of those in its folders, is or was a description of tables.
fn has_description(path: &Path) -> Result<bool> {
    let entries = |path: &Path| -> Result<Vec<PathBuf>> {
        let read = path.read_dir().map_err(Error::io(path, "reading"))?;
        Ok(read.filter_map(|entry| Some(entry.ok()?.path())).collect())
    };
    let ours = |file: &PathBuf| {
        let json = file.extension().is_some_and(|ending| ending == "json") && file.is_file();
        json && std::fs::read_to_string(file).is_ok_and(|text| text.contains("\"genelift\""))
    };
    let own = entries(path)?;
    let below = own.iter().filter(|entry| entry.is_dir()).filter_map(|folder| entries(folder).ok());
    Ok(own.iter().any(ours) || below.flatten().any(|file| ours(&file)))
}

/// The table that a description belongs to.
fn table_of(path: &Path) -> Option<PathBuf> {
    path.to_str()?.strip_suffix(".json").map(PathBuf::from)
}

fn of_store(store: &Store) -> About {
    let s = summary(store);
    let short = format!("store, {} × {}", counted(s.samples, "sample"), counted(s.genes, "gene"));
    About { short, facts: store_facts(&s), value: json!(s) }
}

fn store_facts(s: &Summary) -> Vec<(&'static str, String)> {
    let share = |pairs: usize| 100.0 * pairs as f64 / (s.samples * s.genes) as f64;
    let pairs =
        s.pairs.map_or(String::new(), |pairs| format!(", sparse: {:.1} % are not zero", share(pairs)));
    let listed = |names: &[String]| if names.is_empty() { "none".into() } else { names.join(", ") };
    let mut facts = vec![
        ("store", s.path.clone()),
        ("samples", s.samples.to_string()),
        ("genes", s.genes.to_string()),
        ("type", format!("{}, {:.1} MB", s.dtype, s.bytes as f64 / 1e6) + &pairs),
        ("values", format!("{} to {}, mean {:.4}", s.min, s.max, s.mean)),
        ("missing", s.missing.to_string()),
        ("constant genes", s.zero_variance_genes.to_string()),
        ("sample columns", listed(&s.sample_columns)),
        ("gene columns", listed(&s.gene_columns)),
    ];
    facts.extend(s.origin.inputs.iter().map(|input| {
        let sum = match input.sha256.as_str() {
            "" => "a part of it was read".to_string(),
            sum => format!("SHA-256 {sum:.12}…"),
        };
        ("from", format!("{} ({}, {} bytes, {sum})", input.path, input.format, input.bytes))
    }));
    facts.extend(s.origin.transforms.iter().map(|transform| ("transform", readable(transform))));
    facts.push(("fingerprint", s.fingerprint.clone()));
    facts
}

fn of_run(path: &Path, record: &Record) -> About {
    let of = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let done = record.stages.iter().filter(|stage| stage.finished).count();
    let short = format!("run, {} done", counted(done, "stage"));
    let mut facts = vec![
        ("run", path.display().to_string()),
        ("genelift", of(&record.versions["genelift"])),
        ("device", of(&record.device["name"])),
    ];
    facts.extend(record.stages.iter().map(|stage| {
        let state = match stage.finished {
            true => format!("{:.1} s", stage.seconds),
            false => "did not come to its end; the same run goes on with it".into(),
        };
        ("stage", format!("{}: {state}", stage.name))
    }));
    let outputs = record.stages.iter().filter(|stage| stage.finished).flat_map(|stage| &stage.outputs);
    let outputs: Vec<String> = outputs.map(|output| output.path.display().to_string()).collect();
    facts.push(("files", outputs.join(", ")));
    About { short, facts, value: json!(record) }
}

/// A folder of tables with their checksums, and of the folders in it.
fn of_tables(path: &Path, described: &[(PathBuf, Value)]) -> Result<About> {
    let tables = sealed::check(path)?;
    let short = format!("folder of {}", counted(tables, "table"));
    let mut facts = vec![("folder", path.display().to_string())];
    for (file, value) in described {
        let own = file.strip_prefix(path).unwrap_or(file).with_extension("");
        facts.push(("description", own.display().to_string()));
        let names = value["files"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        facts.push(("tables", names.collect::<Vec<_>>().join(", ")));
        facts.extend(described_facts(value));
    }
    let of = |(file, value): &(PathBuf, Value)| {
        let file = file.strip_prefix(path).unwrap_or(file).display().to_string();
        (file, without_hashes(value))
    };
    let value = Value::Object(described.iter().map(of).collect::<Map<_, _>>());
    Ok(About { short, facts, value })
}

/// A table with a description beside it.
fn of_table(path: &Path) -> Result<Option<About>> {
    let sheet = Sheet::read(path, Untold::Header)?;
    let Checked::Whole(sidecar) = &sheet.checked else { return Ok(None) };
    let rows = sheet.lines.len();
    let columns: Vec<&str> = sheet.columns.iter().map(|column| column.name.as_str()).collect();
    let value = without_hashes(&json!(sidecar));
    let mut facts = vec![
        ("table", path.display().to_string()),
        ("rows", rows.to_string()),
        ("columns", columns.join(", ")),
        ("genelift", sidecar.genelift.clone()),
    ];
    facts.extend(described_facts(&value));
    let value =
        json!({"path": path.display().to_string(), "rows": rows, "columns": columns, "description": value});
    Ok(Some(About { short: format!("table, {}", counted(rows, "row")), facts, value }))
}

/// Keys of a description that are about its file, or told by themselves.
const OF_THE_FILE: [&str; 10] =
    ["files", "genelift", "own-xxh3", "made-from", "about", "format", "rows", "bytes", "xxh3", "samples"];

/// What a description says: what the table was made from, and what is told of it.
fn described_facts(value: &Value) -> Vec<(&'static str, String)> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_string();
    let made = value["made-from"].as_array().into_iter().flatten();
    let mut facts: Vec<_> = made
        .map(|from| {
            let (name, kind, sum) = (text(from, "name"), text(from, "kind"), text(from, "sha256"));
            ("made from", format!("{name} ({kind}, SHA-256 {sum:.12}…)"))
        })
        .collect();
    let more =
        value.as_object().into_iter().flatten().filter(|(key, _)| !OF_THE_FILE.contains(&key.as_str()));
    let told = value["about"].as_object().into_iter().flatten().chain(more);
    facts.extend(told.map(|(key, value)| ("about", format!("{key}: {}", plain(value)))));
    facts
}

/// A model, a checkpoint or a predictor.
fn of_tensors(path: &Path) -> Result<Option<About>> {
    let metadata = TensorFile::load(path)?.metadata;
    let unfinished = metadata.contains_key("step");
    match metadata.get("format").map(String::as_str) {
        Some("genelift.autoencoder") if unfinished => of_checkpoint(path).map(Some),
        Some("genelift.autoencoder") => Ok(Some(of_model(path, Model::load(path)?))),
        Some("genelift.predictor") => {
            let predictor = Predictor::load(path)?;
            Ok(Some(of_predictor(path, &predictor, unfinished)))
        }
        _ => Ok(None),
    }
}

fn of_checkpoint(path: &Path) -> Result<About> {
    let checkpoint = Checkpoint::load(path)?;
    let done = counted(checkpoint.history.len(), "epoch");
    let mut about = of_model(path, checkpoint.model);
    about.short = format!("checkpoint, {done} done");
    about.facts[0].0 = "checkpoint";
    about.facts.push(("epochs done", checkpoint.history.len().to_string()));
    about.facts.push(("steps done", checkpoint.step.to_string()));
    if let Some(last) = checkpoint.history.last() {
        about.facts.push(("last training loss", format!("{:.5}", last.train_loss)));
    }
    about.value["step"] = checkpoint.step.into();
    about.value["history"] = json!(checkpoint.history);
    Ok(about)
}

fn of_model(path: &Path, model: Model) -> About {
    let config = without_hashes(&model.config);
    let widths: Vec<usize> =
        std::iter::once(model.genes.len()).chain(model.layers.iter().map(|l| l.outputs)).collect();
    let activations: Vec<Value> = model.layers.iter().map(|l| json!(l.activation)).collect();
    let parameters: usize = model.layers.iter().map(|l| l.weight.len() + l.bias.len()).sum();
    let joined = |parts: Vec<String>, by: &str| parts.join(by);
    let facts = vec![
        ("model", path.display().to_string()),
        ("layers", joined(widths.iter().map(usize::to_string).collect(), "-")),
        (
            "activations",
            joined(activations.iter().filter_map(Value::as_str).map(str::to_string).collect(), ", "),
        ),
        ("parameters", parameters.to_string()),
        ("genes", some(model.genes.iter().cloned())),
        ("config", config.to_string()),
    ];
    let value = json!({
        "path": path.display().to_string(), "widths": widths, "activations": activations,
        "parameters": parameters, "genes": model.genes, "config": config,
    });
    About { short: format!("model, {}", counted(model.genes.len(), "gene")), facts, value }
}

fn of_predictor(path: &Path, predictor: &Predictor, unfinished: bool) -> About {
    let (landmarks, targets) = (predictor.landmark_genes(), predictor.target_genes());
    let first = |genes: &Table| some((0..genes.len()).map(|i| shown(genes, i)));
    let mut short =
        format!("predictor, {}, {}", counted(landmarks.len(), "landmark"), counted(targets.len(), "target"));
    let mut facts = vec![
        ("predictor", path.display().to_string()),
        ("method", word(predictor.method())),
        ("landmarks", format!("{}: {}", landmarks.len(), first(landmarks))),
        ("targets", format!("{}: {}", targets.len(), first(targets))),
        ("training samples", predictor.told()["training-samples"].to_string()),
        ("chosen", plain(predictor.chosen())),
    ];
    if unfinished {
        short = "checkpoint of a fit".into();
        facts[0].0 = "checkpoint of";
    }
    facts.extend(predictor.held_out().map(|held| {
        let Trusted { how, r2: [_, median], reliable, .. } = Trusted::of(held);
        let told = format!(
            "in {} folds of {} groups or samples: median R² {median:.3}, {reliable} of {} targets reach 0.5",
            how.folds,
            how.groups,
            held.r2.len()
        );
        ("held out", told)
    }));
    let refits = if predictor.can_refit() { "yes" } else { "no" };
    if matches!(predictor.method(), Method::Linear | Method::Kernel) {
        facts.push(("can be refitted", refits.into()));
    }
    facts.push(("config", predictor.told().to_string()));
    let value = json!({
        "path": path.display().to_string(), "method": predictor.method(), "landmarks": landmarks.ids,
        "targets": targets.ids, "config": predictor.told(),
        "held-out-r2": predictor.held_out().map(|held| held.r2.clone()),
    });
    About { short, facts, value }
}

/// The first names, and whether there are more.
fn some(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", names.take(SHOWN).collect::<Vec<_>>().join(", "))
}

/// Without hashes of samples, which tell a reader nothing.
fn without_hashes(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(object) = value.as_object_mut() {
        ["remembered", "samples", "own-xxh3"].into_iter().for_each(|key| drop(object.remove(key)));
    }
    value
}

/// A value on a line: `key value, key value` of an object.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(object) => {
            let entry = |(key, value): (&String, &Value)| format!("{key} {}", plain(value));
            object.iter().map(entry).collect::<Vec<_>>().join(", ")
        }
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A transform, an object of one key, as `name: key value, key value`.
fn readable(transform: &Value) -> String {
    let named = |(name, parameters): (&String, &Value)| match parameters.as_object() {
        Some(parameters) if parameters.is_empty() => name.clone(),
        _ => format!("{name}: {}", plain(parameters)),
    };
    transform
        .as_object()
        .map_or_else(|| transform.to_string(), |t| t.iter().map(named).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_there_are_more_names_is_said_where_there_are() {
        let told = |n: usize| some((0..n).map(|i| format!("g{i}")));
        assert_eq!([told(2), told(3), told(4)], ["g0, g1", "g0, g1, g2", "g0, g1, g2, …"]);
    }
}
