//! What a run's page tells, gathered from its folder: of a run that is finished, under way or interrupted.
//!
//! How the page looks is [`crate::report`]'s. Paths are told as they are seen from the run's folder, and nothing depends on
//! the clock, so the same folder gives the same page.

mod comparison;
mod data;
mod genes;
mod groups;
mod landmarks;
mod methods;
mod pictures;
mod quality;
mod repeat;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::config::Config;
use super::flow::{self, Layout};
use super::plan;
use super::record::{NAME, Record, version};
use super::runner::Done;
use super::stages;
use super::summary::Summary;
use crate::error::{Error, Result};
use crate::genes::{Sheet, Table};
use crate::infer::{Predictor, Served};
use crate::nouns::counted;
use crate::progress::Reporter;
use crate::report::{Fact, Page};
use crate::store::{Store, is_store};
use pictures::Pictures;

/// The page of a run's folder.
///
/// # Errors
/// [`Error::Input`] for a folder that is no run's, and for files of it that are damaged; those of reading.
pub fn page(folder: &Path, report: Reporter) -> Result<Page> {
    let record = record(folder)?;
    let config = Config::of_record(folder, &record.config)?;
    let (all, current) = stages_of(&config, &record);
    let done = Done { record, stages: current };
    let summary = Summary::of(&config, &done)?;
    let run = Run::of(folder, (&config, &all), &done, &summary, report)?;
    run.page(report)
}

fn record(folder: &Path) -> Result<Record> {
    let none = |what: &str| {
        let remedy = "give the folder that `genelift run` writes, the output of its configuration";
        Error::input(folder, format!("{what}; {remedy}"))
    };
    if !folder.is_dir() {
        return Err(none(if folder.exists() { "is no folder" } else { "does not exist" }));
    }
    match Record::read(folder) {
        Ok(Some(record)) => Ok(record),
        Ok(None) => Err(none(&format!("is no folder of a run: there is no {NAME} in it"))),
        Err(Error::Input { .. }) => Err(none(&format!("its {NAME} is no record of a run, or is damaged"))),
        Err(error) => Err(error),
    }
}

/// The stages that a run has, and those of them that came to their end from what is there now: while a run goes on, later
/// stages may still be recorded as they were made from what is not there any more.
fn stages_of(config: &Config, record: &Record) -> (Vec<String>, Vec<String>) {
    let Ok(stages) = flow::flow(config) else {
        // Where options do not fit each other any more what was begun is all that is known.
        let begun = record.stages.iter();
        let finished = begun.clone().filter(|entry| entry.finished).map(|entry| entry.name.clone());
        return (begun.map(|entry| entry.name.clone()).collect(), finished.collect());
    };
    let own: HashSet<PathBuf> =
        made_from(&stages).iter().map(|path| plan::within(path, &config.output)).collect();
    let (mut current, mut made) = (Vec::new(), HashMap::new());
    for stage in &stages {
        let Some(entry) = record.stage(&stage.name()).filter(|entry| entry.finished) else { continue };
        let mut inputs = entry.inputs.iter().filter(|known| own.contains(&known.path));
        if inputs.all(|known| made.get(&known.path) == Some(&&known.sha256)) {
            made.extend(entry.outputs.iter().map(|known| (known.path.clone(), &known.sha256)));
            current.push(entry.name.clone());
        }
    }
    (stages.iter().map(|stage| stage.name()).collect(), current)
}

/// A run's folder, as far as there is something in it.
struct Run<'a> {
    folder: &'a Path,
    config: &'a Config,
    /// All stages that it has.
    all: &'a [String],
    /// What is finished.
    done: &'a Done,
    summary: &'a Summary<'a>,
    /// All samples, as they were imported.
    data: Option<Store>,
    train: Option<Store>,
    test: Option<Store>,
    /// The list that the run is about.
    landmarks: Option<Sheet>,
    predictor: Option<Predictor>,
    served: Option<Served>,
}

impl<'a> Run<'a> {
    fn of(
        folder: &'a Path,
        (config, all): (&'a Config, &'a [String]),
        done: &'a Done,
        summary: &'a Summary<'a>,
        report: Reporter,
    ) -> Result<Run<'a>> {
        let layout = Layout { config };
        let (data, train, test, landmarks, predictor, served) = (None, None, None, None, None, None);
        let mut run =
            Run { folder, config, all, done, summary, data, train, test, landmarks, predictor, served };
        run.data = run.store("import", &folder.join("data.gex"))?;
        // steps that are fitted to training samples make the parts anew
        let made = if all.iter().any(|name| name == "learn") { "learn" } else { "split" };
        (run.train, run.test) = (run.store(made, &layout.train())?, run.store(made, &layout.test())?);
        run.landmarks = run.sheet("select", "landmarks.tsv")?;
        if run.has("fit") {
            run.predictor = Some(Predictor::open(&folder.join("predictor.safetensors"), report)?);
        }
        if let (Some(predictor), Some(test)) = (&run.predictor, &run.test) {
            run.served = predictor.served(test, landmarks::MOST)?;
        }
        Ok(run)
    }

    /// Whether the run has a stage of that name and it came to its end.
    fn has(&self, stage: &str) -> bool {
        self.done.stages.iter().any(|name| name == stage)
    }

    /// A store that a finished stage made.
    fn store(&self, stage: &str, path: &Path) -> Result<Option<Store>> {
        let there = self.has(stage) && is_store(path);
        there.then(|| Store::open_unchecked(path)).transpose()
    }

    /// A table that a finished stage wrote.
    fn sheet(&self, stage: &str, name: &str) -> Result<Option<Sheet>> {
        let path = self.folder.join(name);
        if !self.has(stage) {
            return Ok(None);
        }
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "reading"))?;
        Sheet::exact(&path, &bytes).map(Some)
    }

    /// What the settings of a stage say under a key.
    fn setting(&self, stage: &str, key: &str) -> &serde_json::Value {
        let entry = self.done.record.stage(stage);
        entry.map_or(&serde_json::Value::Null, |entry| &entry.settings[key])
    }

    fn page(&self, report: Reporter) -> Result<Page> {
        let mut pictures = Pictures::of(self, report)?;
        let sections = vec![
            data::section(self),
            quality::section(self, &mut pictures),
            comparison::section(self, &mut pictures),
            landmarks::section(self, &mut pictures, report)?,
            genes::section(self)?,
            groups::samples(self, &mut pictures)?,
            groups::sets(self, &mut pictures)?,
            pictures.rest(),
            repeat::section(self),
            methods::section(self),
        ];
        let name = self
            .config
            .output
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let title =
            if name.is_empty() { "Landmark genes".into() } else { format!("Landmark genes · {name}") };
        Ok(Page {
            title,
            subtitle: format!("A run of genelift {}", told_version(&self.done.record)),
            unfinished: self.unfinished(),
            verdict: self.verdict(),
            warnings: self.summary.weak(),
            sections: sections.into_iter().flatten().collect(),
            footer: format!(
                "Made by genelift {} from {NAME} and the tables beside it. This page loads nothing from anywhere.",
                version()
            ),
        })
    }

    fn verdict(&self) -> Vec<Fact> {
        let lines = self.summary.in_short();
        match lines.is_empty() {
            true => vec![Fact::new("Data", "nothing is finished yet")],
            false => {
                // a number and its % stay together
                lines.into_iter().map(|(word, text)| Fact::new(word, text.replace(" %", "\u{a0}%"))).collect()
            }
        }
    }

    /// The stages that a run has, but for the one that writes the page.
    fn stages(&self) -> Vec<&str> {
        self.all.iter().map(String::as_str).filter(|name| *name != stages::report::NAME).collect()
    }

    /// How far a run came that is not finished.
    fn unfinished(&self) -> Option<String> {
        let left: Vec<&str> = self.stages().into_iter().filter(|name| !self.has(name)).collect();
        let (first, of) = (left.first()?, self.stages().len());
        let begun = self.done.record.stage(first).is_some_and(|entry| !entry.finished);
        let epochs = (*first == "train").then(|| epochs(self.folder)).flatten();
        let epochs = epochs.map_or_else(String::new, |n| format!(", {} so far", counted(n, "epoch")));
        let now = if begun { format!("{first} has begun{epochs}") } else { format!("next is {first}") };
        let then = if left.len() > 1 { format!("; then {}", left[1..].join(", ")) } else { String::new() };
        Some(format!(
            "{} of {of} stages are done; {now}{then}. This page shows what there is so far, of a run that goes on or was \
             interrupted; the same command goes on with it.",
            of - left.len()
        ))
    }
}

/// Epochs that a training under way has told of.
fn epochs(folder: &Path) -> Option<usize> {
    let path = folder.join("history.tsv");
    let bytes = std::fs::read(&path).ok()?;
    Some(Sheet::exact(&path, &bytes).ok()?.len())
}

fn told_version(record: &Record) -> &str {
    record.versions["genelift"].as_str().unwrap_or_default()
}

/// The short name of a gene: its symbol, else its id.
fn short(genes: &Table, gene: usize) -> &str {
    let symbol = genes.column("symbol").map(|symbols| symbols[gene].as_str());
    symbol.filter(|symbol| !matches!(*symbol, "" | "NA")).unwrap_or(&genes.ids[gene])
}

/// The last part of a path.
fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The files and stores that a run's page is made from: what its stages wrote.
pub fn made_from(stages: &[Box<dyn super::Stage>]) -> Vec<PathBuf> {
    stages.iter().flat_map(|stage| stage.outputs()).flat_map(|output| output.paths()).collect()
}
