//! `genelift run`: a configuration file → import → split → train → evaluate → attribute → select, in one
//! directory.

mod config;
mod record;
mod repeats;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{attribute, limit_threads, print, select, train};
use crate::attribution::ScoreTable;
use crate::device::{self, Executor};
use crate::error::Result;
use crate::formats::import;
use crate::genes::shown;
use crate::nn::apply::evaluate;
use crate::nn::model::Model;
use crate::nn::train::Found;
use crate::prepare::split::split;
use crate::progress::Reporter;
use crate::store::{InputFile, Store};
use crate::visible;
use config::Config;
use record::Directory;

/// Arguments of `run`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The configuration (TOML); paths in it are relative to its directory
    config: PathBuf,
    /// Change a setting of the configuration, e.g. train.epochs=20
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Do this stage and the later ones again: import, split, train, evaluate, attribute, select or
    /// repeats
    #[arg(long, value_name = "STAGE")]
    from: Option<String>,
    /// Select N times more, with other seeds or on bootstrap samples (stability.over in the configuration), and report
    /// how much the lists agree
    #[arg(long, value_name = "N")]
    repeats: Option<usize>,
    /// As `device` in the configuration
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// As `seed` in the configuration
    #[arg(long)]
    seed: Option<u64>,
    /// As `threads` in the configuration
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Replace a run with other settings
    #[arg(long)]
    force: bool,
}

/// Genes that the summary shows.
const SHOWN: usize = 10;

/// Runs the command.
///
/// # Errors
/// Those of the stages.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let mut config = Config::read(&args.config, &args.set)?;
    config.seed = args.seed.unwrap_or(config.seed);
    config.threads = args.threads.or(config.threads);
    if let Some(device) = &args.device {
        config.device.clone_from(device);
    }
    // Before anything is computed: settings that cannot work.
    config.train.settings(config.seed).validate()?;
    config.select.validate()?;
    config.stability.repeats = args.repeats.unwrap_or(config.stability.repeats);
    config.stability.validate()?;
    limit_threads(config.threads)?;
    let mut directory = Directory::open(&config.output, args.from.as_deref(), args.force, report)?;
    directory.record.versions = json!({
        "genelift": env!("CARGO_PKG_VERSION"),
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
    });
    let seed = config.seed;
    let train_settings = config.train.settings(seed);
    let attribute_settings = config.attribute.settings(seed);
    directory.record.config = json!({
        "output": config.output, "seed": seed, "device": config.device, "threads": config.threads,
        "import": {"files": config.files, "options": config.import},
        "split": config.split,
        "train": {"settings": train_settings, "validation": config.train.validation},
        "attribute": attribute_settings,
        "select": {"n": config.landmarks, "options": config.select},
        "stability": config.stability,
    });
    let mut executor = Device { config: &config, report, open: None };

    let mut inputs = Vec::new();
    for file in &config.files {
        inputs.push(InputFile::of(file, "matrix")?);
    }
    let labels = config.import.labels.as_deref().map(|path| InputFile::of(path, "labels")).transpose()?;
    let mut settings = json!({"files": inputs, "labels": labels, "options": config.import});
    let lists = config.import.lists()?;
    if !lists.is_empty() {
        settings["lists"] = json!(lists);
    }
    let imported = directory.stage(settings, &["data.gex"], |run| {
        let store = import(&config.files, &run.file("data.gex"), &config.import.settings(true), report)?;
        Ok(json!({"inputs": inputs, "labels": labels, "samples": store.n_samples(), "genes": store.n_genes()}))
    })?;

    let parts: &[&str] = match config.split.fractions.len() {
        3 => &["split/train.gex", "split/validation.gex", "split/test.gex"],
        _ => &["split/train.gex", "split/test.gex"],
    };
    let settings = json!({"split": config.split, "seed": seed});
    let sizes = directory.stage(settings, parts, |run| {
        let store = Store::open(&run.file("data.gex"))?;
        let draw = config.split.draw()?;
        let parts = split(&store, &run.file("split"), &config.split.fractions, draw, seed, true)?;
        let sizes: Vec<usize> = parts.iter().map(Store::n_samples).collect();
        Ok(json!({"samples": sizes}))
    })?;

    // A validation part that the split made is used where no other is named.
    let mut options = config.train.clone();
    if parts.len() == 3 && options.validation.is_none() {
        options.validation = Some(directory.file(parts[1]).display().to_string());
    }
    let settings =
        json!({"train": train_settings, "validation": config.train.validation, "device": config.device});
    let trained = directory.stage(settings, &["model.safetensors", "history.tsv"], |run| {
        let (store, model) = (run.file(parts[0]), run.file("model.safetensors"));
        let history = run.file("history.tsv");
        let files = train::Files { store: &store, model: &model, history: Some(&history), init: None };
        let device = executor.get(run)?;
        let trained = train::train_files(device, &files, &options, seed, Found::GoOnOrReplace, true, report)?;
        Ok(json!({"last_epoch": trained.history.last(), "resident": trained.resident}))
    })?;

    let evaluated = directory.stage(json!({"device": config.device}), &["evaluation"], |run| {
        let model = Model::load(&run.file("model.safetensors"))?;
        let store = Store::open(&run.file(parts[parts.len() - 1]))?;
        let evaluation = evaluate(executor.get(run)?, &model, &store, report)?;
        evaluation.write(&run.file("evaluation"), true)?;
        Ok(json!(evaluation.summary()))
    })?;

    let settings = json!({"attribute": attribute_settings, "device": config.device});
    let attributed = directory.stage(settings, &["scores.tsv", "scores.tsv.json"], |run| {
        let (model, store, out) = (run.file("model.safetensors"), run.file(parts[0]), run.file("scores.tsv"));
        let device = executor.get(run)?;
        let files = attribute::Files { model: &model, store: &store, scores: &out, per_node: None };
        let result = attribute::attribute_files(device, &files, &attribute_settings, true, report)?;
        Ok(json!({
            "samples": result.samples, "neurons": result.neurons, "completeness": result.completeness,
            "completeness_relative": result.completeness.relative(),
        }))
    })?;

    let settings = json!({
        "n": config.landmarks, "select": config.select, "seed": seed, "device": config.device,
    });
    let selected = directory.stage(settings, &["landmarks.tsv", "landmarks.tsv.json"], |run| {
        let [scores, store, model, out] =
            ["scores.tsv", parts[0], "model.safetensors", "landmarks.tsv"].map(|name| run.file(name));
        let landmarks = choose(&config, &mut executor, run, seed, [&scores, &store, &model, &out], report)?;
        let n = landmarks.genes.len().min(SHOWN);
        let first: Vec<String> = (0..n).map(|gene| shown(&landmarks.genes, gene)).collect();
        Ok(json!({"landmarks": landmarks.genes.len(), "first": first}))
    })?;
    repeats::run(&config, &mut directory, &mut executor, parts[0], report)?;
    let device = directory.record.device["name"].as_str().unwrap_or("cpu").to_string();
    let stability = directory.record.stability.clone();
    let facts = Facts { imported, sizes, trained, evaluated, attributed, selected, stability, device };
    print(&facts.summary(&config, train_settings.epochs))
}

/// Selects the landmarks, from whichever of these files the strategy takes: scores, training samples, model; the
/// last path is written.
fn choose(
    config: &Config,
    executor: &mut Device,
    run: &mut Directory,
    seed: u64,
    [scores, store, model, landmarks]: [&Path; 4],
    report: Reporter,
) -> Result<ScoreTable> {
    let needs = config.select.needs();
    let files = select::Files {
        scores: needs.scores.then_some(scores),
        store: needs.store.then_some(store),
        model: needs.model.then_some(model),
        landmarks,
    };
    let (n, options) = (config.landmarks, &config.select);
    select::select_files(&files, n, options, seed, true, || executor.get(run), report)
}

/// Opens the device when the first stage needs it; every stage finds it empty.
struct Device<'a> {
    config: &'a Config,
    report: Reporter<'a>,
    open: Option<Box<dyn Executor>>,
}

impl Device<'_> {
    fn get(&mut self, run: &mut Directory) -> Result<&mut dyn Executor> {
        let mut executor = match self.open.take() {
            Some(executor) => executor,
            None => device::open(&self.config.device, self.config.threads, self.report)?,
        };
        executor.reset();
        run.record.device = json!({"asked": self.config.device, "name": executor.name()});
        Ok(&mut **self.open.insert(executor))
    }
}

/// The stages' figures.
struct Facts {
    imported: Value,
    sizes: Value,
    trained: Value,
    evaluated: Value,
    attributed: Value,
    selected: Value,
    stability: Value,
    device: String,
}

impl Facts {
    /// What a biologist wants to know, in plain words.
    fn summary(&self, config: &Config, epochs: usize) -> String {
        let sizes: Vec<u64> =
            self.sizes["samples"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        let (train, test) = (sizes.first().unwrap_or(&0), sizes.last().unwrap_or(&0));
        let names = self.selected["first"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names: Vec<_> = names.map(visible::line).collect();
        let number = |value: &Value| value.as_f64().map_or("undefined".into(), |x| format!("{x:.3}"));
        let out = config.output.display();
        let stability = match self.stability["repeats"].as_u64() {
            None => String::new(),
            Some(repeats) => format!(
                "Stability   {repeats} repeats over {}: Kuncheva's index {} on average, {} at least (1: equal lists, 0: chance)\n\
                 \x20           {} genes always chosen, {} ever; see {out}/stability.tsv\n",
                self.stability["over"].as_str().unwrap_or_default(),
                number(&self.stability["kuncheva"]["mean"]),
                number(&self.stability["kuncheva"]["min"]),
                self.stability["always_chosen"],
                self.stability["ever_chosen"],
            ),
        };
        format!(
            "\nData        {} samples × {} genes; {train} to learn from, {test} held out\n\
             Model       autoencoder, {epochs} epochs, last training loss {} ({})\n\
             Held out    mean error {} against {} for predicting each gene's median: ratio {}\n\
             \x20           correlation with the measured values, by gene: mean {}\n\
             Scores      DeepLIFT of {} neurons over {} samples; contributions add up within {:.1e}\n\
             Landmarks   {} genes, best first: {}{}\n\
             {stability}\n\
             {out}/landmarks.tsv    the list\n\
             {out}/scores.tsv       every gene's score\n\
             {out}/evaluation/      errors and correlations of held-out samples, by gene and by sample\n\
             {out}/run.json         settings, checksums, device, timings\n",
            self.imported["samples"],
            self.imported["genes"],
            number(&self.trained["last_epoch"]["train_loss"]),
            self.device,
            number(&self.evaluated["mae"]),
            number(&self.evaluated["baseline_mae"]),
            number(&self.evaluated["mae_ratio"]),
            number(&self.evaluated["pcc_gene_mean"]),
            self.attributed["neurons"],
            self.attributed["samples"],
            self.attributed["completeness_relative"].as_f64().unwrap_or(f64::NAN),
            self.selected["landmarks"],
            names.join(", "),
            if self.selected["landmarks"].as_u64() > Some(names.len() as u64) { ", …" } else { "" },
        )
    }
}
