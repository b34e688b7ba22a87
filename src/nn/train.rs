//! The training loop: epochs of recorded steps over a [`Feed`].

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::checkpoint::{Checkpoint, Moments};
pub use super::checkpoint::{CheckpointPlan, Found};
use super::course::Course;
use super::feed::{Feed, Resident, match_genes, stepping_down};
use super::history::Epoch;
use super::keeper::{Keeper, Running, State};
use super::known::REMEMBERED;
use super::model::{Layer, Model, Shape};
use super::needs;
use super::network::{InputBuffers, LayerBuffers, LossBuffers, Network};
use super::optimizer::optimizer;
use super::ranked::{self, RankedStep};
use super::scaling::{self, Scale};
use super::settings::{Precision, TrainSettings, corrections};
use crate::device;
use crate::device::random::Stream;
use crate::device::recording::{Call, Element, Matrix, Recording, Step};
use crate::device::{Executor, Program};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::{Event, Reporter, advance};
use crate::ranks::Ranks;
use crate::store::Store;
use crate::store::remembered::Remembered;

/// Epochs that end sooner than this after the last one told are not told; the history has them all.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// What to train on, and how.
pub struct Training<'a> {
    /// Holds the training samples.
    pub store: &'a Store,
    /// Which of its samples are trained on.
    pub samples: Vec<usize>,
    /// Samples that are only looked at, once an epoch; from the same store or another.
    pub validation: Option<(&'a Store, Vec<usize>)>,
    /// What defines the numbers.
    pub settings: TrainSettings,
    /// Whether the samples are kept on the device.
    pub resident: Resident,
    /// Parameters and scaling to start from; its widths and activations must be the settings'.
    pub init: Option<Model>,
    /// Where and how often to leave a checkpoint.
    pub checkpoint: Option<CheckpointPlan>,
    /// A table that gets a row an epoch, as soon as it is over; replaced where it exists.
    pub history: Option<PathBuf>,
    /// Who trains: every rank is given the same, has some rows of every batch, and ends with the same model.
    pub ranks: Ranks,
}

impl<'a> Training<'a> {
    /// Of all samples of a store, with none held out and nothing written.
    pub fn of(store: &'a Store, settings: TrainSettings) -> Training<'a> {
        Training {
            store,
            samples: (0..store.n_samples()).collect(),
            validation: None,
            settings,
            resident: Resident::Auto,
            init: None,
            checkpoint: None,
            history: None,
            ranks: Ranks::alone(),
        }
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Trained {
    /// The model after the last epoch.
    pub model: Model,
    /// One row an epoch.
    pub history: Vec<Epoch>,
    /// Whether the training samples were kept on the device.
    pub resident: bool,
    /// What to tell whoever wants the model, where its loss ended no lower than it began.
    pub doubt: Option<String>,
}

/// Splits `n` samples into (training, validation) by a draw keyed by `seed`; both in ascending order.
///
/// # Errors
/// [`Error::Usage`] where the fraction leaves either side empty.
pub fn hold_out(n: usize, fraction: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    let held = (n as f64 * fraction).round() as usize;
    if !(0.0..1.0).contains(&fraction) || (fraction > 0.0 && (held == 0 || held == n)) {
        let message = format!(
            "--validation {fraction} of {n} samples leaves nothing on one side; give a fraction such as 0.1, or a store"
        );
        return Err(Error::Usage(message));
    }
    let mut order: Vec<usize> = (0..n).collect();
    Stream::new(seed, "validation", 0).shuffle(&mut order);
    let mut validation = order.split_off(n - held);
    order.sort_unstable();
    validation.sort_unstable();
    Ok((order, validation))
}

/// Trains.
///
/// # Errors
/// [`Error::Usage`] for settings out of range, [`Error::Diverged`] when the loss leaves the finite numbers,
/// [`Error::Device`], [`Error::Ranks`], and those of the checkpoint's file.
pub fn train(executor: &mut dyn Executor, training: &Training, report: Reporter) -> Result<Trained> {
    let settings = &training.settings;
    settings.validate()?;
    if training.samples.is_empty() {
        return Err(Error::input(training.store.path(), "no samples to train on"));
    }
    let shape = (training.store.n_genes(), training.samples.len());
    let ranks = &training.ranks;
    if settings.batch.min(shape.1) < ranks.size() && settings.epochs > 0 {
        return Err(Error::Usage(format!(
            "batches of {} samples among {} ranks leave some without; take a larger --batch, or fewer ranks",
            settings.batch.min(shape.1),
            ranks.size()
        )));
    }
    let path = training.checkpoint.as_ref().map(|plan| plan.path.as_path()).filter(|_| ranks.is_first());
    needs::training(executor, settings, shape, path, ranks.are_several())?;
    let start = start(training, report)?;
    check_validation(training, &start.model)?;
    agree(ranks, &start)?;
    // Every rank needs any of the samples: on the host all map the same file, and a copy of it each would be for nothing.
    let resident = match training.resident {
        Resident::Auto if ranks.are_several() && executor.is_on_host() => Resident::Never,
        other => other,
    };
    let mut run = stepping_down(executor, resident, report, |executor, resident| {
        Run::new(executor, training, &start, resident, report)
    })?;
    let state = State { history: start.history, step: start.step, losses: start.losses };
    let plan = training.checkpoint.as_ref().filter(|_| ranks.is_first());
    let mut keeper = Keeper::new(plan, start.model, state);
    let total = Some((settings.epochs * run.feed.len()) as u64);
    report(Event::Started { task: "training".into(), total, unit: "samples" });
    let wish = interrupt::heeded();
    let trained = device::within(executor, |executor| {
        wish.heed();
        run.epochs(executor, &mut keeper, report)
    });
    let layers = match trained {
        Ok(layers) => layers,
        Err(error) => {
            let done = (keeper.state.history.len(), settings.epochs);
            return Err(keeper.ended(error, executor, &run, done));
        }
    };
    report(Event::Finished);
    let Keeper { model, state: State { history, step, .. }, .. } = keeper;
    if let Some(tensor) = non_finite(&layers) {
        return Err(Error::Diverged { step, epoch: history.len() as u64, tensor });
    }
    let doubt = history.last().and_then(|last| run.course.end(last.train_loss));
    Ok(Trained { model: Model { layers, ..model }, history, resident: run.feed.is_resident(), doubt })
}

/// The state before the first epoch: initial, given, or from a checkpoint.
fn start(training: &Training, report: Reporter) -> Result<Checkpoint> {
    let settings = &training.settings;
    let config = config(training);
    if let Some(plan) = &training.checkpoint
        && let Some(checkpoint) = plan.find::<Model, Vec<Epoch>>(&config)?
    {
        let (done, of, path) = (checkpoint.history.len(), settings.epochs, plan.path.display());
        report(Event::Note(format!("going on after {done} of {of} epochs, from {path}")));
        return Ok(checkpoint);
    }
    let model = match &training.init {
        Some(init) => Model { config, ..init.clone() },
        None => {
            let shape = Shape {
                genes: training.store.n_genes(),
                hidden: settings.hidden.clone(),
                activation: settings.activation,
                output_activation: settings.output_activation,
            };
            let input = scaling::fit(training.store, &training.samples, settings.scale);
            if settings.epochs > 0 {
                scaling::check(training.store, &training.samples, &input)?;
            }
            Model::initial(&shape, training.store.genes().ids.clone(), input, settings.seed, config)
        }
    };
    // What is scaled by these very samples is small.
    let scaled_here = training.init.is_none() && settings.scale != Scale::None;
    if settings.precision == Precision::F16
        && settings.epochs > 0
        && !scaled_here
        && model.genes == training.store.genes().ids
    {
        let remedy = "a --scale that makes values small (zscore, minmax)";
        scaling::check_half((training.store, &training.samples), None, &model.input, remedy)?;
    }
    Ok(Checkpoint { model, moments: Vec::new(), step: 0, history: Vec::new(), losses: Vec::new() })
}

/// Refuses samples to validate on that half precision does not hold as the model scales them, by whatever it was fitted on.
fn check_validation(training: &Training, model: &Model) -> Result<()> {
    let Some((store, samples)) = &training.validation else { return Ok(()) };
    if training.settings.precision != Precision::F16 || training.settings.epochs == 0 {
        return Ok(());
    }
    let places = match_genes(store, &model.genes)?;
    let remedy = "validate on samples whose values are like those trained on";
    scaling::check_half((store, samples), places.as_deref(), &model.input, remedy)
}

/// Refuses ranks that would not train the same: other settings, data or samples, or another state to go on from.
fn agree(ranks: &Ranks, start: &Checkpoint) -> Result<()> {
    if !ranks.are_several() {
        return Ok(());
    }
    let name = |key: &str| match key {
        "training-data" => "the checksum of the training data".to_string(),
        other => format!("the setting {other}"),
    };
    let config = start.model.config.as_object().into_iter().flatten();
    let config = config.filter(|(key, _)| *key != REMEMBERED);
    let mut facts: Vec<(String, String)> =
        config.map(|(key, value)| (name(key), value.to_string())).collect();
    facts.push(("the number of steps done".into(), start.step.to_string()));
    facts.push(("the checksum of scaling and weights at the start".into(), ranked::digest(&start.model)));
    ranks.agree(&facts, ranked::SAME_FILES)
}

/// What defines the model's numbers: the settings, the data's checksum, the samples and the model started from.
fn config(training: &Training) -> serde_json::Value {
    let digest = |values: &[u64]| {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes))
    };
    let samples: Vec<u64> = training.samples.iter().map(|s| *s as u64).collect();
    let mut config = serde_json::json!(training.settings);
    config["training-data"] = training.store.info().fingerprint().into();
    config["training-samples"] = samples.len().into();
    config["training-samples-digest"] = digest(&samples).into();
    config[REMEMBERED] = serde_json::json!(Remembered::of(training.store, &training.samples));
    if let Some(init) = &training.init {
        let bits = |values: &Vec<f32>| values.iter().map(|v| u64::from(v.to_bits())).collect::<Vec<_>>();
        let all: Vec<u64> =
            init.layers.iter().flat_map(|l| [bits(&l.weight), bits(&l.bias)].concat()).collect();
        config["init-digest"] = digest(&all).into();
    }
    config
}

/// What an autoencoder's training keeps.
type Kept<'b> = Keeper<'b, Model, Vec<Epoch>>;

/// Everything on the device.
struct Run<'a> {
    settings: &'a TrainSettings,
    /// The table that gets a row an epoch.
    history: Option<&'a Path>,
    network: Network,
    moments: Vec<(Vec<Matrix>, Vec<Matrix>)>,
    feed: Feed<'a>,
    ranks: Ranks,
    step: Program,
    /// Instead of `step`, where there are several ranks.
    ranked: Option<RankedStep>,
    /// steps of an epoch × (Σ loss, Σ |e| in the store's units)
    table: Matrix,
    norms: Matrix,
    norm: Program,
    validation: Option<Validation<'a>>,
    /// Of the epoch before, for the progress note.
    loss: Option<f64>,
    course: Course,
}

struct Validation<'a> {
    ranks: Ranks,
    feed: Feed<'a>,
    program: Program,
    table: Matrix,
}

impl<'a> Run<'a> {
    fn new(
        executor: &mut dyn Executor,
        training: &'a Training,
        start: &Checkpoint,
        resident: Resident,
        report: Reporter,
    ) -> Result<Self> {
        let settings = &training.settings;
        let model = &start.model;
        let genes = model.genes.len();
        let (ranks, whole) = (&training.ranks, settings.batch.min(training.samples.len()));
        let batch = ranks.largest_share(whole);
        let network = Network::trainable(executor, &model.layers, settings.precision.element())?;
        let input = InputBuffers::new(executor, model)?;
        let depth = network.layers.len();
        let x = executor.matrix("input batch", batch, genes, network.element)?;
        let passes = network.passes(executor, "activations", x)?;
        let (moments, updates) = optimizer(executor, settings, &network, &start.moments)?;
        let norms = executor.matrix("weight norms", 1, depth, Element::F32)?;

        // Last, so that what is free for the samples is known.
        let validation = match &training.validation {
            Some((store, samples)) if !samples.is_empty() => {
                let feed =
                    Feed::new(executor, store, samples.clone(), &model.genes, batch, resident, report)?
                        .among(ranks, whole);
                let table = executor.matrix("validation losses", feed.batches(), 2, Element::F32)?;
                Some((feed, table))
            }
            _ => None,
        };
        let samples = training.samples.clone();
        let feed = Feed::new(executor, training.store, samples, &model.genes, batch, resident, report)?
            .among(ranks, whole);
        let table = executor.matrix("losses", feed.batches(), 2, Element::F32)?;

        let loss = LossBuffers {
            target: x,
            loss: settings.loss,
            gradient: Some(passes.last_gradient()),
            unit: input.unit,
            table,
        };
        let mut recording = Recording::new();
        recording.push(feed.gather(&input, x));
        let (below, dropout) = (passes.below_last(), Some(settings.dropout as f32));
        network.forward_kept(&mut recording, &passes, dropout);
        network.loss(&mut recording, below, loss);
        let ranked = match ranks.are_several() {
            true => {
                let back = (&passes, &updates[..], dropout);
                Some(RankedStep::new(executor, &network, recording.clone(), back, table)?)
            }
            false => None,
        };
        network.backward(&mut recording, &passes, &updates, dropout);
        let step = executor.compile(&recording)?;

        let mut recording = Recording::new();
        for (column, layer) in network.layers.iter().enumerate() {
            recording.push(Call::SumSquares { input: layer.weight, table: norms, column });
        }
        let norm = executor.compile(&recording)?;

        let validation = match validation {
            Some((feed, table)) => {
                let mut recording = Recording::new();
                recording.push(feed.gather(&input, x));
                network.forward(&mut recording, x, passes.outputs());
                network.loss(&mut recording, below, LossBuffers { gradient: None, table, ..loss });
                let program = executor.compile(&recording)?;
                Some(Validation { ranks: ranks.clone(), feed, program, table })
            }
            None => None,
        };
        Ok(Run {
            settings,
            history: training.history.as_deref().filter(|_| ranks.is_first()),
            network,
            moments,
            feed,
            ranks: ranks.clone(),
            step,
            ranked,
            table,
            norms,
            norm,
            validation,
            loss: None,
            course: Course::default(),
        })
    }

    /// All epochs that are left; the parameters after them.
    fn epochs(
        &mut self,
        executor: &mut dyn Executor,
        keeper: &mut Kept,
        report: Reporter,
    ) -> Result<Vec<Layer>> {
        let (of, mut last_line) = (self.settings.epochs, None::<Instant>);
        while keeper.state.history.len() < of {
            let row = self.epoch(executor, keeper, report)?;
            self.course.epoch(row.epoch, row.train_loss, report);
            let is_due = row.epoch == of as u64 || last_line.is_none_or(|at| at.elapsed() >= LINE_EVERY);
            if is_due {
                last_line = Some(Instant::now());
            }
            let (text, figures) = (is_due.then(|| row.line(of)), row.figures(of));
            report(Event::Figures { of: "epoch", text, figures });
            keeper.end_epoch(executor, self, row, (of, self.history))?;
        }
        self.network.download(executor)
    }

    /// One epoch, from where the state is in it, and its validation.
    fn epoch(&mut self, executor: &mut dyn Executor, keeper: &mut Kept, report: Reporter) -> Result<Epoch> {
        let settings = self.settings;
        let epoch = keeper.state.history.len() as u64 + 1;
        let started = Instant::now();
        let n = self.feed.len();
        let mut order: Vec<u32> = (0..n as u32).collect();
        if settings.shuffle {
            Stream::new(settings.seed, "shuffle", epoch).shuffle(&mut order);
        }
        let genes = self.network.layers[self.network.layers.len() - 1].outputs() as f64;
        let first_step = (epoch - 1) * self.feed.batches() as u64;
        let before = (epoch - 1) * n as u64;
        let note = format!("epoch {epoch}/{}{}", settings.epochs, self.last_loss());
        let program = self.step;
        let this = &*self;
        let from = keeper.state.losses.len() / 2;
        this.feed.pass_from(executor, &order, from, |executor, batch| {
            let step = keeper.state.step + 1;
            let (correction1, correction2) = corrections(step);
            let arguments = Step {
                rows: batch.rows,
                offset: batch.offset,
                first: batch.first,
                slot: batch.number,
                step,
                seed: settings.seed,
                learning_rate: settings.learning_rate as f32,
                gradient_scale: (1.0 / (batch.of as f64 * genes)) as f32,
                correction1,
                correction2,
                ..Step::default()
            };
            let done = before + (batch.start + batch.of) as u64;
            match &this.ranked {
                None => {
                    executor.run(program, &arguments)?;
                    keeper.stepped(executor, this, step)?;
                    advance(report, done, note.clone())
                }
                Some(ranked) => {
                    let asked = ranked.run(executor, &this.ranks, &arguments)?;
                    keeper.stepped(executor, this, step)?;
                    report(Event::Advanced { done, note: note.clone() });
                    if asked { Err(ranked::interrupted()) } else { Ok(()) }
                }
            }
        })?;
        let losses = Running::losses(self, executor, &keeper.state)?;
        executor.run(self.norm, &Step::default())?;
        if let Some(slot) = losses.chunks_exact(2).position(|pair| !pair[0].is_finite()) {
            let layers = self.network.download(executor)?;
            let tensor = non_finite(&layers).unwrap_or_else(|| "the loss".into());
            return Err(Error::Diverged { step: first_step + slot as u64 + 1, epoch, tensor });
        }
        let norms = executor.read(self.norms, 0, 1)?;
        ranked::same_weights(&self.ranks, &norms, epoch)?;
        let train_seconds = started.elapsed().as_secs_f64();
        let total = n as f64 * genes;
        let (loss, mae) = sums(&losses);
        if epoch == 1 {
            let rows = self.settings.batch.min(n) as f64;
            self.course.begin(f64::from(losses[0]) / (rows * genes));
        }
        self.loss = Some(loss / total);
        let validation = match &self.validation {
            Some(validation) => Some(validation.measure(executor, genes)?),
            None => None,
        };
        Ok(Epoch {
            epoch,
            train_loss: loss / total,
            penalty: settings.l2 * norms.iter().map(|x| f64::from(*x)).sum::<f64>(),
            validation_loss: validation.map(|v| v.0),
            train_mae: mae / total,
            validation_mae: validation.map(|v| v.1),
            seconds: started.elapsed().as_secs_f64(),
            samples_per_second: n as f64 / train_seconds,
        })
    }

    fn last_loss(&self) -> String {
        self.loss.map_or(String::new(), |loss| format!(", loss {loss:.4}"))
    }
}

impl Running<Model, Vec<Epoch>> for Run<'_> {
    fn body(&self, executor: &mut dyn Executor, before: &Model) -> Result<Model> {
        Ok(Model { layers: self.network.download(executor)?, ..before.clone() })
    }

    fn moments(&self, executor: &mut dyn Executor) -> Result<Vec<(Moments, Moments)>> {
        let mut read = |layer: &LayerBuffers, matrices: &[Matrix]| -> Result<Moments> {
            let mut get = |i: usize| match matrices.get(i) {
                Some(matrix) => layer.read(executor, *matrix),
                None => Ok(Vec::new()),
            };
            Ok(Moments { first: get(0)?, second: get(1)? })
        };
        let layers = self.network.layers.iter().zip(&self.moments);
        layers.map(|(layer, (weight, bias))| Ok((read(layer, weight)?, read(layer, bias)?))).collect()
    }

    fn losses(&self, executor: &mut dyn Executor, state: &State<Vec<Epoch>>) -> Result<Vec<f32>> {
        let done = state.step as usize - state.history.len() * self.feed.batches();
        state.losses(executor, self.table, done)
    }
}

impl Validation<'_> {
    /// (loss, MAE) by value.
    fn measure(&self, executor: &mut dyn Executor, genes: f64) -> Result<(f64, f64)> {
        let order: Vec<u32> = (0..self.feed.len() as u32).collect();
        self.feed.pass(executor, &order, |executor, batch| {
            let step = Step { rows: batch.rows, first: batch.first, slot: batch.number, ..Step::default() };
            executor.run(self.program, &step)
        })?;
        let (loss, mae) = sums(&executor.read(self.table, 0, self.feed.batches())?);
        let sums = self.ranks.sum_f64(vec![loss, mae])?;
        let total = self.feed.len() as f64 * genes;
        Ok((sums[0] / total, sums[1] / total))
    }
}

/// Column sums of a loss table.
pub(crate) fn sums(table: &[f32]) -> (f64, f64) {
    table.chunks_exact(2).fold((0.0, 0.0), |(a, b), pair| (a + f64::from(pair[0]), b + f64::from(pair[1])))
}

/// The first parameter that is not finite, by its name in the model's file.
pub(crate) fn non_finite(layers: &[Layer]) -> Option<String> {
    let bad = |values: &[f32]| values.iter().any(|v| !v.is_finite());
    layers.iter().enumerate().find_map(|(i, layer)| {
        if bad(&layer.weight) {
            Some(format!("layers.{i}.weight"))
        } else if bad(&layer.bias) {
            Some(format!("layers.{i}.bias"))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests;
