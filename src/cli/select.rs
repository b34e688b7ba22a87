//! `genelift select`: scores, a store or a model → landmarks.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Common, limit_threads, print};
use crate::attribution::ScoreTable;
use crate::device::{self, Executor};
use crate::error::{Error, Result};
use crate::genes::shown;
use crate::genes::sidecar::{self, Input, Made};
use crate::genes::{Ambiguous, Finder, Matching, Side};
use crate::nn::model::Model;
use crate::progress::{Event, Reporter};
use crate::select::diverse::{Aim, Weights};
use crate::select::{
    ConcreteSettings, Constraints, DiverseSettings, Inputs, Needs, PeelOffSettings, Strategy, from_store, top,
};
use crate::store::{Store, atomic};

/// How many of the landmarks the result names.
const SHOWN: usize = 10;

/// Arguments of `select`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A table written by `genelift attribute`; for the strategy top, which it means where no strategy is named
    scores: Option<PathBuf>,
    /// The landmarks to write (.tsv); their checksum and what they were made from go beside them (LANDMARKS.json)
    #[arg(short, value_name = "LANDMARKS")]
    output: PathBuf,
    /// How many landmarks
    #[arg(short, value_name = "N")]
    n: usize,
    /// The training samples; for every strategy but top
    #[arg(long, value_name = "STORE")]
    store: Option<PathBuf>,
    /// The model trained on them; for the strategy diverse, where its target has a share of the reconstruction
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    common: Common,
}

/// What can be said about a selection, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// How the landmarks are chosen [diverse; of scores alone: top]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Genes that must be landmarks: a file of names (ids, Entrez ids, symbols, probes), or l1000, the bundled panel. They come first, and count as explained in strategies that look at what is explained
    #[arg(long, value_name = "LIST")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Genes that must not be landmarks; as --include, but a name that is several genes excludes all of them
    #[arg(long, value_name = "LIST")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    #[command(flatten)]
    #[serde(flatten)]
    pub matching: Matching,
    /// Use at most this many samples, drawn by the seed [4000; 1000 where the strategy needs principal components]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// diverse: what is to be explained: the data, the autoencoder's reconstruction of it, SHARE of that and the rest of the
    /// data, or the data's first K principal components [data]
    #[arg(long, value_name = "data|reconstruction|blend:SHARE|pca:K")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Aim>,
    /// diverse: how much each gene of the target counts [variance]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// diverse: the ridge penalty for each gene chosen; 0 is least squares, which restarts when samples are exhausted [5]
    #[arg(long, value_name = "PENALTY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ridge: Option<f64>,
    /// concrete: passes over the samples [300]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// concrete: step size [0.01]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// concrete: samples in a batch [32]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// concrete: how soft the selectors are at the beginning [10]
    #[arg(long, value_name = "T")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_temperature: Option<f64>,
    /// concrete: and at the end [0.01]
    #[arg(long, value_name = "T")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_temperature: Option<f64>,
    /// concrete: widths of the decoder's hidden layers [none: a linear decoder]
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<Vec<usize>>,
    /// peel-off: runs of k-means a round, 1 to 255 [32; Subramanian et al. 2017: 100]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trials: Option<usize>,
}

impl Options {
    /// The settings of `concrete`: its defaults, with what was said put in.
    pub fn concrete(&self, seed: u64) -> ConcreteSettings {
        let default = ConcreteSettings::default();
        ConcreteSettings {
            hidden: self.decoder.clone().unwrap_or(default.hidden),
            epochs: self.epochs.unwrap_or(default.epochs),
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            start_temperature: self.start_temperature.unwrap_or(default.start_temperature),
            end_temperature: self.end_temperature.unwrap_or(default.end_temperature),
            batch: self.batch.unwrap_or(default.batch),
            seed,
        }
    }

    /// The settings of `diverse`: its defaults, with what was said put in.
    pub fn diverse(&self) -> DiverseSettings {
        let default = DiverseSettings::default();
        DiverseSettings {
            target: self.target.unwrap_or(default.target),
            weights: self.weights.unwrap_or(default.weights),
            ridge: self.ridge.unwrap_or(default.ridge),
        }
    }

    /// The strategy said, or the default.
    pub fn strategy(&self) -> Strategy {
        self.strategy.unwrap_or_default()
    }

    /// What the strategy takes.
    pub fn needs(&self) -> Needs {
        self.strategy().needs(&self.diverse())
    }

    /// Refuses options that the strategy would not look at.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option.
    pub fn validate(&self) -> Result<()> {
        let strategy = self.strategy();
        let not_diverse = strategy != Strategy::Diverse;
        let not_concrete = strategy != Strategy::Concrete;
        let unsampled = self.needs().samples == usize::MAX;
        let idle = [
            ("--target", self.target.is_some() && not_diverse),
            ("--weights", self.weights.is_some() && not_diverse),
            ("--ridge", self.ridge.is_some() && not_diverse),
            ("--trials", self.trials.is_some() && strategy != Strategy::PeelOff),
            ("--samples", self.samples.is_some() && unsampled),
            ("--epochs", self.epochs.is_some() && not_concrete),
            ("--learning-rate", self.learning_rate.is_some() && not_concrete),
            ("--batch", self.batch.is_some() && not_concrete),
            ("--start-temperature", self.start_temperature.is_some() && not_concrete),
            ("--end-temperature", self.end_temperature.is_some() && not_concrete),
            ("--decoder", self.decoder.is_some() && not_concrete),
        ];
        match idle.iter().find(|(_, idle)| *idle) {
            Some((option, _)) => Err(unused(strategy, option)),
            None => self.concrete(0).validate(),
        }
    }
}

/// Where a selection's files are; those that the strategy takes, and no others.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// A table of scores.
    pub scores: Option<&'a Path>,
    /// Training samples.
    pub store: Option<&'a Path>,
    /// A network.
    pub model: Option<&'a Path>,
    /// The landmarks to write.
    pub landmarks: &'a Path,
}

fn name(strategy: Strategy) -> String {
    clap::ValueEnum::to_possible_value(&strategy).map_or_else(String::new, |v| v.get_name().to_string())
}

fn unused(strategy: Strategy, what: &str) -> Error {
    Error::Usage(format!("--strategy {} does not use {what}; leave it out", name(strategy)))
}

/// Selects and writes the landmarks. `executor` opens the device, where a network has to run.
///
/// # Errors
/// [`Error::Usage`] for a file that the strategy lacks or has no use for; those of the strategy, of the lists and of
/// the files.
pub fn select_files<'e>(
    files: &Files,
    n: usize,
    options: &Options,
    seed: u64,
    force: bool,
    executor: impl FnOnce() -> Result<&'e mut dyn Executor>,
    report: Reporter,
) -> Result<ScoreTable> {
    options.validate()?;
    let (strategy, settings, needs) = (options.strategy(), options.diverse(), options.needs());
    let file = |path: Option<&'_ Path>, needed: bool, what: &str| match (path, needed) {
        (None, true) => Err(Error::Usage(format!("--strategy {} needs {what}", name(strategy)))),
        (Some(_), false) => Err(unused(strategy, what)),
        (path, _) => Ok(path.map(Path::to_path_buf)),
    };
    let scores = file(files.scores, needs.scores, "SCORES, a table written by `genelift attribute`")?;
    let store = file(files.store, needs.store, "--store, the training samples")?;
    let model = file(files.model, needs.model, "--model, the model trained on them")?;
    let mut outputs = sidecar::outputs(files.landmarks, force).to_vec();
    outputs.extend(options.matching.output(force));
    let read = [&scores, &store, &model].into_iter().flatten().map(PathBuf::as_path);
    let read: Vec<&Path> =
        read.chain(options.include.iter().chain(&options.exclude).map(Path::new)).collect();
    let _ours = atomic::claim(&outputs, &read)?;

    let mut made_from = Vec::new();
    let landmarks = if let Some(scores) = scores {
        made_from.extend(Input::regular(&scores, "scores")?);
        let (name, scores) = (scores.display().to_string(), ScoreTable::read(&scores, report)?);
        let (include, exclude) = lists(options, &Side::of(&name, &scores.genes), force, report)?;
        top(&scores, n, &include, &exclude)?
    } else {
        let store = Store::open(&store.expect("a strategy takes scores or a store"))?;
        made_from.push(Input::store(&store));
        if let Some(path) = &model {
            made_from.extend(Input::regular(path, "model")?);
        }
        let name = store.path().display().to_string();
        let model = model.map(|path| Model::open(&path, report)).transpose()?;
        let (include, exclude) = lists(options, &Side::of_store(&name, &store), force, report)?;
        let constraints = Constraints::new(store.genes(), n, &include, &exclude)?;
        let samples = options.samples.unwrap_or(needs.samples);
        let concrete = options.concrete(seed);
        let trials = options.trials.unwrap_or(PeelOffSettings::default().trials);
        let model = model.as_ref();
        let inputs =
            Inputs { store: &store, model, samples, seed, diverse: &settings, concrete: &concrete, trials };
        from_store(strategy, &inputs, &constraints, executor, report)?.table(store.genes())
    };
    for list in options.include.iter().chain(&options.exclude) {
        made_from.extend(Input::regular(Path::new(list), "list")?);
    }
    let about = json!({"strategy": name(strategy), "n": n, "seed": seed, "options": options});
    landmarks.write(files.landmarks, force, Made { made_from, about })?;
    Ok(landmarks)
}

/// The genes to include and to exclude, as rows of the genes.
fn lists(options: &Options, side: &Side, force: bool, report: Reporter) -> Result<(Vec<usize>, Vec<usize>)> {
    let finder = Finder::new(&options.matching, force, report)?;
    let rows = |lists: &[String], rule: Option<Ambiguous>| -> Result<Vec<usize>> {
        let found = lists.iter().map(|list| Ok(finder.list(list, side, rule)?.rows()));
        found.collect::<Result<Vec<_>>>().map(|rows| rows.concat())
    };
    // What must not be chosen must not be by any of its probes.
    Ok((rows(&options.include, None)?, rows(&options.exclude, Some(Ambiguous::All))?))
}

/// Runs the command.
///
/// # Errors
/// Those of [`select_files`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let Common { device, seed, threads, force, .. } = &args.common;
    limit_threads(*threads)?;
    let mut opened = None;
    let files = Files {
        scores: args.scores.as_deref(),
        store: args.store.as_deref(),
        model: args.model.as_deref(),
        landmarks: &args.output,
    };
    let mut options = args.options.clone();
    if options.strategy.is_none() && files.scores.is_some() && files.store.is_none() && files.model.is_none()
    {
        options.strategy = Some(Strategy::Top);
        report(Event::Note(
            "the highest scores (--strategy top); a panel that predicts the other genes better is chosen from --store \
             (diverse, the default)"
                .into(),
        ));
    }
    let landmarks = select_files(
        &files,
        args.n,
        &options,
        *seed,
        *force,
        || Ok(&mut **opened.insert(device::open(device, *threads, report)?)),
        report,
    )?;
    let n = landmarks.genes.len();
    let first: Vec<String> = (0..n.min(SHOWN)).map(|gene| shown(&landmarks.genes, gene)).collect();
    let more = if n > SHOWN { ", …" } else { "" };
    print(&format!("landmarks\t{}\ngenes\t{n}\nfirst\t{}{more}\n", args.output.display(), first.join(", ")))
}
