//! What is common to all options: they are one struct for the command line and the configuration, and the files that they
//! name count by their content, not by their name.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::Input;
use super::choice::choice;
use super::stages::train::Preset;
use crate::genes::{Ambiguous, Matching};

/// Options of a stage: what can be said, on the command line or in a table of the configuration.
pub trait Options: clap::Args + Serialize + serde::de::DeserializeOwned + Default {
    /// Those that name a file, a store or a list.
    const FILES: &'static [&'static str];
}

/// What options of the kind `LIST|WORD` take that is no file, where there is no file of that name.
const WORDS: [&str; 10] =
    ["l1000", "zeros", "mean", "median", "common", "train", "auto", "go-mf", "all", "annotated"];

/// Whether what an option says is the name of a file: no number, and no word that it knows.
pub fn is_file(text: &str) -> bool {
    text.parse::<f64>().is_err() && (!WORDS.contains(&text) || Path::new(text).exists())
}

/// The files that options name, and the rest of what was said: a name is no setting, the content of the file is.
pub fn inputs<O: Options>(options: &O) -> (Vec<Input>, Value) {
    let mut said = said(options);
    let mut inputs = Vec::new();
    for key in O::FILES {
        let texts = match said.get(*key) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(texts)) => {
                texts.iter().filter_map(|t| t.as_str().map(str::to_string)).collect()
            }
            _ => continue,
        };
        let (files, words): (Vec<String>, Vec<String>) = texts.into_iter().partition(|text| is_file(text));
        inputs.extend(files.iter().map(|file| Input { role: (*key).into(), path: PathBuf::from(file) }));
        said.remove(*key);
        if !words.is_empty() {
            said.insert((*key).into(), words.into());
        }
    }
    (inputs, Value::Object(said))
}

/// What was said: options that were not are left out, so that a new one changes no record.
fn said(options: &impl Serialize) -> Map<String, Value> {
    let silent = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        _ => false,
    };
    match serde_json::to_value(options) {
        Ok(Value::Object(said)) => said.into_iter().filter(|(_, value)| !silent(value)).collect(),
        _ => Map::new(),
    }
}

/// Text, or a number as text: `validation = 0.1`, `validation = "held.gex"`.
pub fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(f64),
    }
    Ok(Some(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    }))
}

/// How names of genes are matched: [`Matching`], as options say it.
#[derive(clap::Args, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Match {
    /// Match names of genes as this kind alone: id, ensembl, entrez, symbol, probe, refseq, hgnc, or a column of the
    /// genes [each name by its exact id, else as what it looks like]
    #[arg(long, value_name = "KIND")]
    pub match_on: Option<String>,
    /// What becomes of a name that is several genes [refuse]
    #[arg(long, value_parser = choice::<Ambiguous>())]
    pub ambiguous: Option<Ambiguous>,
    /// Write the names that were not found to this table, with the reason where it is plain
    #[arg(long, value_name = "TSV", help_heading = "Outputs")]
    pub unmatched: Option<PathBuf>,
}

impl Match {
    /// As the library takes it.
    pub fn matching(&self) -> Matching {
        let Match { match_on, ambiguous, unmatched } = self.clone();
        Matching { match_on, ambiguous, unmatched }
    }

    /// The same without the table: for work that matches the names once more, and for settings, which no place of an output belongs to.
    pub fn again(&self) -> Match {
        Match { unmatched: None, ..self.clone() }
    }
}

/// What every run has: where, from which seed, on what.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct General {
    /// The folder that everything is written to
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Seed of every random choice [0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// auto, cpu, gpu, gpu:INDEX or gpu:NAME [auto]
    #[arg(long)]
    pub device: Option<String>,
    /// CPU threads; results do not depend on it [all]
    #[arg(long)]
    pub threads: Option<usize>,
    /// Memory to keep to, such as "8G" or 512 (MiB): what does not fit is streamed, or refused before it begins [all there is]
    #[arg(long, value_name = "SIZE")]
    #[serde(deserialize_with = "text_or_number")]
    pub memory: Option<String>,
    /// The same of a GPU's memory [as much as it gives]
    #[arg(long, value_name = "SIZE")]
    #[serde(deserialize_with = "text_or_number")]
    pub device_memory: Option<String>,
    /// Where settings of training, attribution and selection that are not given come from [default]
    #[arg(long, value_parser = choice::<Preset>())]
    pub preset: Option<Preset>,
    /// Whether all of it becomes a page for a browser, report.html in the folder [true]
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub report: Option<bool>,
}

impl Options for General {
    const FILES: &'static [&'static str] = &["output"];
}
