//! A store → a model: what is held out, where checkpoints go, how an interrupted run goes on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bench::work;
use crate::device::recording::{Activation, Loss};
use crate::error::{Error, Result};
use crate::nn::checkpoint;
use crate::nn::feed::Resident;
use crate::nn::history::Epoch;
use crate::nn::model::Model;
use crate::nn::scaling::Scale;
use crate::nn::settings::{Optimizer, Precision, TrainSettings};
use crate::nn::train::{CheckpointPlan, Found, Training, hold_out, train};
use crate::pipeline::choice::choice;
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::split;
use crate::progress::Event;
use crate::store::atomic::Kind;
use crate::store::remembered::{Remembered, warn_of_preparation};
use crate::store::{Store, atomic};

/// Where settings that are not given come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Chosen by measurement
    #[default]
    Default,
    /// Kong et al. 2021, with the plainest reading where the paper is silent
    Paper,
}

/// What can be said about training, on the command line or in a configuration file; what is not said is the
/// preset's.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Where the settings that are not given come from: default (z-scored genes, linear output) or paper
    /// (minmax, sigmoid throughout)
    #[arg(long, value_parser = choice::<Preset>())]
    pub preset: Option<Preset>,
    /// Widths of the hidden layers; the narrowest is the bottleneck [500,100,500]
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS")]
    pub hidden: Option<Vec<usize>>,
    /// Of the hidden layers [sigmoid]
    #[arg(long, value_parser = choice::<Activation>())]
    pub activation: Option<Activation>,
    /// Of the last layer [linear; paper: sigmoid]
    #[arg(long, value_parser = choice::<Activation>())]
    pub output_activation: Option<Activation>,
    /// The data term [mae]
    #[arg(long, value_parser = choice::<Loss>())]
    pub loss: Option<Loss>,
    /// Of every gene, fitted on the training samples [zscore; paper: minmax]
    #[arg(long, value_parser = choice::<Scale>())]
    pub scale: Option<Scale>,
    /// The update rule [adam]
    #[arg(long, value_parser = choice::<Optimizer>())]
    pub optimizer: Option<Optimizer>,
    /// Of sgd [0.9]
    #[arg(long)]
    pub momentum: Option<f64>,
    /// Step size [0.001]
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Adam's ε; with the small gradients of a wide output it decides how training goes [1e-7]
    #[arg(long)]
    pub epsilon: Option<f64>,
    /// Samples in a batch; the last, smaller one of an epoch is used too [32]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// Passes over the samples; 0 writes the initial model [100]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Share of hidden activations set to zero in training [0.1]
    #[arg(long)]
    pub dropout: Option<f64>,
    /// Weight of the sum of squared weights in the loss [1e-6]
    #[arg(long)]
    pub l2: Option<f64>,
    /// Keep the samples' order in every epoch
    #[arg(long)]
    pub no_shuffle: bool,
    /// Of activations and operands [f32]
    #[arg(long, value_parser = choice::<Precision>())]
    pub precision: Option<Precision>,
    /// A store, or the fraction of the samples to hold out, to measure the loss on after each epoch [0: none]
    #[arg(long, value_name = "STORE|FRACTION")]
    #[serde(deserialize_with = "settings::text_or_number")]
    pub validation: Option<String>,
    /// A sample column, such as the study: a fraction that is held out is of whole groups
    #[arg(long, value_name = "COLUMN")]
    pub group_by: Option<String>,
    /// Whether the samples stay in device memory, dense, or are streamed; the model is the same [auto: a dense store stays where it
    /// fits, a sparse one is streamed]
    #[arg(long, value_parser = choice::<Resident>())]
    pub resident: Option<Resident>,
    /// Seconds between checkpoints, from which the same command goes on; one more is written where training is interrupted
    /// and after the first epoch [60]
    #[arg(long, value_name = "SECONDS")]
    pub checkpoint_every: Option<u64>,
}

impl Options {
    /// The settings: the preset's, with what was said put in.
    pub fn settings(&self, seed: u64) -> TrainSettings {
        let preset = match self.preset.unwrap_or_default() {
            Preset::Default => TrainSettings::standard(),
            Preset::Paper => TrainSettings::paper(),
        };
        TrainSettings {
            hidden: self.hidden.clone().unwrap_or(preset.hidden),
            activation: self.activation.unwrap_or(preset.activation),
            output_activation: self.output_activation.unwrap_or(preset.output_activation),
            loss: self.loss.unwrap_or(preset.loss),
            scale: self.scale.unwrap_or(preset.scale),
            optimizer: self.optimizer.unwrap_or(preset.optimizer),
            momentum: self.momentum.unwrap_or(preset.momentum),
            learning_rate: self.learning_rate.unwrap_or(preset.learning_rate),
            epsilon: self.epsilon.unwrap_or(preset.epsilon),
            batch: self.batch.unwrap_or(preset.batch),
            epochs: self.epochs.unwrap_or(preset.epochs),
            dropout: self.dropout.unwrap_or(preset.dropout),
            l2: self.l2.unwrap_or(preset.l2),
            shuffle: preset.shuffle && !self.no_shuffle,
            precision: self.precision.unwrap_or(preset.precision),
            seed,
        }
    }
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &["validation"];
}

/// Trains an autoencoder.
pub struct Train {
    /// The store to train on.
    pub store: PathBuf,
    /// The model to write.
    pub model: PathBuf,
    /// The history to write, epoch by epoch.
    pub history: Option<PathBuf>,
    /// The model to start from.
    pub init: Option<PathBuf>,
    /// How.
    pub options: Options,
    /// Of every random choice.
    pub seed: u64,
}

/// What there is to tell of a training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Passes over the samples.
    pub epochs: usize,
    /// The last one's figures.
    pub last: Option<Epoch>,
    /// Samples that were trained on.
    pub samples: usize,
    /// Whether they were kept on the device.
    pub resident: bool,
}

/// Samples that are trained on, and those that are only looked at.
struct Parts {
    samples: Vec<usize>,
    held: Vec<usize>,
    /// Where the latter are, if not in the same store.
    other: Option<Store>,
}

impl Train {
    /// The options' settings, with what a model to start from decides.
    fn resolved(&self, init: Option<&Model>) -> Result<TrainSettings> {
        let mut settings = self.options.settings(self.seed);
        if let Some(model) = init {
            adopt(&mut settings, model, &self.options)?;
        }
        settings.validate()?;
        Ok(settings)
    }

    /// Who is held out.
    fn parts(&self, store: &Store) -> Result<Parts> {
        let all: Vec<usize> = (0..store.n_samples()).collect();
        let validation = self.options.validation.as_deref().unwrap_or("0");
        let (samples, held, other) = match (validation.parse::<f64>(), &self.options.group_by) {
            (Ok(0.0), _) => (all, Vec::new(), None),
            (Ok(fraction), None) => {
                let (samples, held) = hold_out(store.n_samples(), fraction, self.seed)?;
                (samples, held, None)
            }
            (Ok(fraction), Some(column)) => {
                let (samples, held) = hold_out_groups(store, fraction, column, self.seed)?;
                (samples, held, None)
            }
            (Err(_), _) => {
                let other = Store::open(Path::new(validation))?;
                (all, (0..other.n_samples()).collect(), Some(other))
            }
        };
        Ok(Parts { samples, held, other })
    }

    fn checkpoint(&self, found: Found) -> CheckpointPlan {
        let every = self.options.checkpoint_every.map_or(CheckpointPlan::EVERY, Duration::from_secs);
        CheckpointPlan::beside(&self.model, every, found)
    }
}

impl Stage for Train {
    fn name(&self) -> String {
        "train".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let mut inputs = vec![Input::new("store", &self.store)];
        inputs.extend(self.init.iter().map(|path| Input::new("init", path)));
        inputs.extend(settings::inputs(&self.options).0);
        inputs
    }

    fn settings(&self) -> Value {
        let said = settings::inputs(&self.options).1;
        json!({
            "train": self.options.settings(self.seed),
            "validation": said.get("validation"), "group-by": self.options.group_by,
        })
    }

    fn outputs(&self) -> Vec<Output> {
        [Some(&self.model), self.history.as_ref()].into_iter().flatten().cloned().map(Output::File).collect()
    }

    fn computes(&self) -> bool {
        true
    }

    fn precisions(&self) -> Vec<Precision> {
        vec![self.options.settings(self.seed).precision]
    }

    fn check(&self) -> Result<()> {
        let fraction =
            self.options.validation.as_deref().is_some_and(|v| v.parse() != Ok(0.0) && !settings::is_file(v));
        if self.options.group_by.is_some() && !fraction {
            return Err(Error::Usage(
                "--group-by says how a fraction is held out; give --validation one, such as 0.1".into(),
            ));
        }
        match self.init {
            Some(_) => Ok(()), // the model decides
            None => self.options.settings(self.seed).validate(),
        }
    }

    fn check_counts(&self, size: &Size) -> Result<()> {
        match (self.options.validation.as_deref().map(str::parse::<f64>), &self.options.group_by) {
            (Some(Ok(fraction)), None) => hold_out(size.train, fraction, self.seed).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn check_data(&self, store: &Store) -> Result<()> {
        match self.options.validation.as_deref().and_then(|v| v.parse::<f64>().ok()) {
            Some(_) => self.parts(store).map(|_| ()),
            None => Ok(()),
        }
    }

    fn claims(&self, force: bool) -> Result<Vec<atomic::Output<'static>>> {
        let file = |path: &Path, force| atomic::Output::new(path, Kind::File, force);
        let checkpoint = checkpoint::path_for(&self.model);
        // A history that an interrupted run left is this run's; training refuses a checkpoint of another.
        let history = self.history.as_deref().map(|path| file(path, force || checkpoint.exists()));
        Ok([file(&self.model, force), file(&checkpoint, true)].into_iter().chain(history).collect())
    }

    fn cost(&self, size: &Size) -> Cost {
        let settings = self.options.settings(self.seed);
        let widths: Vec<usize> =
            [size.genes].into_iter().chain(settings.hidden.clone()).chain([size.genes]).collect();
        let weights: f64 = widths.windows(2).map(|w| w[0] as f64 * w[1] as f64).sum();
        let epoch = work::training(&widths, size.train, settings.batch, 3.0);
        Cost {
            work: vec![epoch.times(settings.epochs as f64)],
            // weights and moments on the device and, for a checkpoint, on the host; the samples stay where they fit
            memory: 4.0 * weights * 7.0 + size.matrix(size.train),
            disk: 4.0 * weights * 4.0,
            ..Cost::default()
        }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let init = self.init.as_deref().map(|path| Model::open(path, bench.report)).transpose()?;
        let settings = self.resolved(init.as_ref())?;
        let store = Store::open(&self.store)?;
        if let (Some(model), Some(path)) = (&init, &self.init) {
            same_genes(model, path, &store)?;
        }
        let Parts { samples, held, other } = self.parts(&store)?;
        if let Some(column) = &self.options.group_by {
            split::warn_of_unlabelled(&store, column, bench.report);
        }
        if let Some(other) = &other {
            Remembered::of(&store, &samples).warn("the training", other, &held, bench.report);
            warn_of_preparation(other, bench.report);
        }
        let (n, epochs) = (samples.len(), settings.epochs);
        let validation = (!held.is_empty()).then(|| (other.as_ref().unwrap_or(&store), held));
        let training = Training {
            store: &store,
            samples,
            validation,
            settings,
            resident: self.options.resident.unwrap_or_default(),
            init,
            checkpoint: Some(self.checkpoint(bench.found)),
            history: self.history.clone(),
            ranks: bench.ranks.clone(),
        };
        let report = bench.report;
        let trained = train(bench.executor()?, &training, report)?;
        trained.doubt.into_iter().for_each(|text| report(Event::Warning(text)));
        if bench.ranks.is_first() {
            trained.model.save(&self.model, bench.force)?;
            remove(&checkpoint::path_for(&self.model), "removing the checkpoint of the finished run")?;
        }
        let last = trained.history.last().cloned();
        Ok(facts(Facts { epochs, last, samples: n, resident: trained.resident }))
    }
}

/// Removes a file or a folder, if it is there.
pub(super) fn remove(path: &Path, why: &'static str) -> Result<()> {
    let result = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, why)(error)),
        _ => Ok(()),
    }
}

/// Whole groups, about a fraction of the samples: (training, validation), both ascending.
fn hold_out_groups(
    store: &Store,
    fraction: f64,
    column: &str,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let fractions = [1.0 - fraction, fraction];
    split::check(store, &fractions, split::Draw::Groups(column))?;
    let part_of = split::assign(&split::groups(store, Some(column))?, &fractions, seed);
    Ok((0..store.n_samples()).partition(|sample| part_of[*sample] == 0))
}

fn same_genes(model: &Model, path: &Path, store: &Store) -> Result<()> {
    if model.genes == store.genes().ids {
        return Ok(());
    }
    let message = format!(
        "its {} genes are not those of {} in the same order; a model can go on only with the genes it has",
        model.genes.len(),
        store.path().display()
    );
    Err(Error::input(path, message))
}

/// Takes over what a model to start from decides; what was said otherwise is refused.
fn adopt(settings: &mut TrainSettings, model: &Model, options: &Options) -> Result<()> {
    let clash = |flag: &str| {
        Err(Error::Usage(format!("--{flag} cannot differ from the model given with --init; leave it out")))
    };
    let (first, last) = (model.layers[0].activation, model.layers[model.layers.len() - 1].activation);
    if options.hidden.as_ref().is_some_and(|hidden| *hidden != model.hidden()) {
        return clash("hidden");
    }
    if options.activation.is_some_and(|a| a != first) {
        return clash("activation");
    }
    if options.output_activation.is_some_and(|a| a != last) {
        return clash("output-activation");
    }
    settings.hidden = model.hidden();
    settings.activation = first;
    settings.output_activation = last;
    if let Ok(scale) = serde_json::from_value::<Scale>(model.config["scale"].clone()) {
        if options.scale.is_some_and(|s| s != scale) {
            return clash("scale");
        }
        settings.scale = scale;
    }
    Ok(())
}
