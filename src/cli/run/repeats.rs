//! The selection again and again, with other seeds or on bootstrap samples: would the list come out once more?

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::config::Config;
use super::record::Directory;
use super::{Device, choose};
use crate::attribution::ScoreTable;
use crate::cli::{attribute, train};
use crate::error::{Error, Result};
use crate::genes::writer::write_rows;
use crate::genes::{Names, Table};
use crate::nn::train::Found;
use crate::prepare::bootstrap::bootstrap;
use crate::progress::Reporter;
use crate::select::stability::{Frequency, frequencies, overlap};
use crate::store::Store;

/// What a repeat changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// The seed: repeat r takes the run's plus r.
    #[default]
    Seeds,
    /// The training samples: as many, drawn with replacement.
    Bootstrap,
}

/// The table `[stability]` of the configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// How many times; 0 for not at all.
    pub repeats: usize,
    /// What each changes.
    pub over: Over,
}

impl Options {
    /// Refuses a single repeat.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn validate(&self) -> Result<()> {
        match self.repeats {
            1 => Err(Error::Usage("--repeats 1: lists are compared in pairs; give at least 2, or 0".into())),
            _ => Ok(()),
        }
    }
}

/// Trains, attributes and selects anew, each repeat a stage of its own, as far as the strategy needs a network;
/// writes `stability.tsv` and the record's `stability`. `train` is the training store's name in the run.
///
/// # Errors
/// Those of the stages.
pub fn run(
    config: &Config,
    directory: &mut Directory,
    executor: &mut Device,
    train: &str,
    report: Reporter,
) -> Result<()> {
    let Options { repeats, over } = config.stability;
    let mut lists = Vec::new();
    for repeat in 1..=repeats {
        let name = |file: &str| format!("repeats/{repeat}/{file}");
        let seed = match over {
            Over::Seeds => config.seed.wrapping_add(repeat as u64),
            Over::Bootstrap => config.seed,
        };
        let settings = json!({"repeat": repeat, "over": over, "seed": seed, "device": config.device});
        let landmarks = name("landmarks.tsv");
        let description = format!("{landmarks}.json");
        directory.stage(settings, &[&landmarks, &description], |run| {
            let dir = run.file(&name(""));
            std::fs::create_dir_all(&dir).map_err(Error::io(&dir, "creating"))?;
            let drawn = run.file(&name("train.gex"));
            let store = match over {
                Over::Seeds => run.file(train),
                Over::Bootstrap => {
                    bootstrap(&Store::open(&run.file(train))?, &drawn, seed, repeat as u64, true)?;
                    drawn.clone()
                }
            };
            let [model, scores, out] =
                ["model.safetensors", "scores.tsv", "landmarks.tsv"].map(|file| run.file(&name(file)));
            let needs = config.select.needs();
            if needs.scores || needs.model {
                let files = train::Files { store: &store, model: &model, history: None, init: None };
                // a fraction that is held out is held out here too; a store would only be looked at
                let mut options = config.train.clone();
                options.validation = options.validation.filter(|v| v.parse::<f64>().is_ok());
                train::train_files(
                    executor.get(run)?,
                    &files,
                    &options,
                    seed,
                    Found::GoOnOrReplace,
                    true,
                    report,
                )?;
            }
            if needs.scores {
                let files =
                    attribute::Files { model: &model, store: &store, scores: &scores, per_node: None };
                let settings = config.attribute.settings(seed);
                attribute::attribute_files(executor.get(run)?, &files, &settings, true, report)?;
            }
            let chosen = choose(config, executor, run, seed, [&scores, &store, &model, &out], report)?;
            // what can be made again is not kept
            for large in [&drawn, &model] {
                remove(large)?;
            }
            Ok(json!({"landmarks": chosen.genes.len()}))
        })?;
        let path = directory.file(&landmarks);
        lists.push(ScoreTable::read(&path, report)?.genes.ids);
    }
    directory.record.stability = serde_json::Value::Null;
    if repeats > 0 {
        let store = Store::open(&directory.file(train))?;
        let overlap = overlap(&lists, store.n_genes())?;
        let found = frequencies(&lists);
        let always = found.iter().filter(|f| f.chosen == repeats).count();
        write_table(&directory.file("stability.tsv"), store.genes(), &found, repeats)?;
        directory.record.stability = json!({
            "repeats": repeats, "over": over, "kuncheva": {"mean": overlap.mean, "min": overlap.min},
            "always_chosen": always, "ever_chosen": found.len(),
        });
    }
    directory.save()
}

/// Writes how often each gene was chosen, most often first.
fn write_table(path: &Path, genes: &Table, found: &[Frequency], repeats: usize) -> Result<()> {
    let names = Names::of(genes);
    let places: HashMap<&str, usize> = genes.ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
    // lists are chosen from the store's genes
    let rows = found.iter().filter_map(|f| {
        let share = f.chosen as f64 / repeats as f64;
        let own = [f.chosen.to_string(), share.to_string(), f.mean_rank.to_string()];
        Some(names.fields(*places.get(f.gene.as_str())?).chain(own))
    });
    let header = names.header().chain(["chosen", "share", "mean_rank"].map(String::from));
    write_rows(path, true, header, rows)
}

/// Removes a file or a store, if it is there.
fn remove(path: &Path) -> Result<()> {
    let result = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, "removing")(error)),
        _ => Ok(()),
    }
}
