//! `genelift train`: a store → a model.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{Common, Preset, Profile, print};
use crate::device::recording::{Activation, Loss};
use crate::device::{self, Executor};
use crate::error::{Error, Result};
use crate::nn::checkpoint;
use crate::nn::feed::Resident;
use crate::nn::model::Model;
use crate::nn::scaling::Scale;
use crate::nn::settings::{Optimizer, Precision, TrainSettings};
use crate::nn::train::{CheckpointPlan, Found, Trained, Training, hold_out, train};
use crate::progress::Reporter;
use crate::store::Store;
use crate::store::atomic::{self, Kind, Output};

/// Arguments of `train`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store to train on
    store: PathBuf,
    /// The model to write (.safetensors)
    #[arg(short, value_name = "MODEL")]
    output: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Start from this model's parameters and scaling; the optimizer's moments start at zero
    #[arg(long, value_name = "MODEL")]
    init: Option<PathBuf>,
    /// Write one row an epoch, as soon as it is over: losses, MAE, seconds
    #[arg(long, value_name = "TSV")]
    history: Option<PathBuf>,
    #[command(flatten)]
    profile: Profile,
    #[command(flatten)]
    common: Common,
}

/// What can be said about training, on the command line or in a configuration file; what is not said is the
/// preset's.
#[derive(clap::Args, Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Where the settings that are not given come from: default (z-scored genes, linear output) or paper
    /// (minmax, sigmoid throughout)
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// Widths of the hidden layers; the narrowest is the bottleneck [500,100,500]
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS")]
    pub hidden: Option<Vec<usize>>,
    /// Of the hidden layers [sigmoid]
    #[arg(long, value_enum)]
    pub activation: Option<Activation>,
    /// Of the last layer [linear; paper: sigmoid]
    #[arg(long, value_enum)]
    pub output_activation: Option<Activation>,
    /// The data term [mae]
    #[arg(long, value_enum)]
    pub loss: Option<Loss>,
    /// Of every gene, fitted on the training samples [zscore; paper: minmax]
    #[arg(long, value_enum)]
    pub scale: Option<Scale>,
    /// The update rule [adam]
    #[arg(long, value_enum)]
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
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,
    /// A store, or the fraction of the samples to hold out, to measure the loss on after each epoch [0: none]
    #[arg(long, value_name = "STORE|FRACTION")]
    #[serde(deserialize_with = "text_or_number")]
    pub validation: Option<String>,
    /// Whether the samples stay in device memory or are streamed; the model is the same [auto]
    #[arg(long, value_enum)]
    pub resident: Option<Resident>,
    /// Seconds between checkpoints, from which the same command goes on; one more is written where training is interrupted
    /// and after the first epoch [60]
    #[arg(long, value_name = "SECONDS")]
    pub checkpoint_every: Option<u64>,
}

fn text_or_number<'de, D: Deserializer<'de>>(
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

/// Where a run's files are.
pub struct Files<'a> {
    /// The store to train on.
    pub store: &'a Path,
    /// The model to write.
    pub model: &'a Path,
    /// The history to write, epoch by epoch.
    pub history: Option<&'a Path>,
    /// The model to start from.
    pub init: Option<&'a Path>,
}

/// Trains on one store and writes model and history; goes on from a checkpoint that an interrupted run left.
///
/// # Errors
/// Those of the settings, the files and the device.
pub fn train_files(
    executor: &mut dyn Executor,
    files: &Files,
    options: &Options,
    seed: u64,
    found: Found,
    force: bool,
    report: Reporter,
) -> Result<Trained> {
    let mut settings = options.settings(seed);
    let checkpoint = checkpoint::path_for(files.model);
    // A history that an interrupted run left is this run's; training refuses a checkpoint of another.
    let again = force || found != Found::Replace && checkpoint.exists();
    let mut outputs =
        vec![Output::new(files.model, Kind::File, force), Output::new(&checkpoint, Kind::File, true)];
    outputs.extend(files.history.map(|path| Output::new(path, Kind::File, again)));
    let validation = options.validation.as_deref().map(Path::new);
    let read: Vec<&Path> = [Some(files.store), files.init, validation].into_iter().flatten().collect();
    let _ours = atomic::claim(&outputs, &read)?;
    let init = files.init.map(|path| Model::open(path, report)).transpose()?;
    if let Some(model) = &init {
        adopt(&mut settings, model, options)?;
    }
    settings.validate()?;
    let store = Store::open(files.store)?;
    if let (Some(model), Some(path)) = (&init, files.init)
        && model.genes != store.genes().ids
    {
        let message = format!(
            "its {} genes are not those of {} in the same order; a model can go on only with the genes it has",
            model.genes.len(),
            files.store.display()
        );
        return Err(Error::input(path, message));
    }
    let all: Vec<usize> = (0..store.n_samples()).collect();
    let validation = options.validation.as_deref().unwrap_or("0");
    let other: Store;
    let (samples, validation) = match validation.parse::<f64>() {
        Ok(0.0) => (all, None),
        Ok(fraction) => {
            let (samples, held) = hold_out(store.n_samples(), fraction, seed)?;
            (samples, Some((&store, held)))
        }
        Err(_) => {
            other = Store::open(Path::new(validation))?;
            let held = (0..other.n_samples()).collect();
            (all, Some((&other, held)))
        }
    };
    let training = Training {
        store: &store,
        samples,
        validation,
        settings,
        resident: options.resident.unwrap_or_default(),
        init,
        checkpoint: Some(CheckpointPlan {
            path: checkpoint.clone(),
            every: Duration::from_secs(options.checkpoint_every.unwrap_or(60)),
            found,
        }),
        history: files.history.map(Path::to_path_buf),
    };
    let trained = train(executor, &training, report)?;
    trained.model.save(files.model, force)?;
    match std::fs::remove_file(&checkpoint) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(&checkpoint, "removing the checkpoint of the finished run")(error))
        }
        _ => Ok(trained),
    }
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

/// Runs the command.
///
/// # Errors
/// Those of [`train_files`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let mut executor = device::open(&args.common.device, args.common.threads, report)?;
    let files = Files {
        store: &args.store,
        model: &args.output,
        history: args.history.as_deref(),
        init: args.init.as_deref(),
    };
    let common = &args.common;
    args.profile.start(&mut *executor, common.force)?;
    let found = if common.force { Found::Replace } else { Found::GoOn };
    let trained =
        train_files(&mut *executor, &files, &args.options, common.seed, found, common.force, report)?;
    args.profile.finish(&*executor, common.force)?;
    let mut text = format!("model\t{}\n", args.output.display());
    if let Some(last) = trained.history.last() {
        text += &format!(
            "epochs\t{}\ntrain_loss\t{}\ntrain_mae\t{}\n",
            last.epoch, last.train_loss, last.train_mae
        );
        if let (Some(loss), Some(mae)) = (last.validation_loss, last.validation_mae) {
            text += &format!("validation_loss\t{loss}\nvalidation_mae\t{mae}\n");
        }
    }
    print(&text)
}
