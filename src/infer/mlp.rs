//! D-GEX (Chen et al. 2016) on the project's own kernels: tanh layers from landmarks to targets.
//!
//! As in its published code: squared error summed over targets, mean over the batch; SGD with momentum, in which steps
//! taken before the rate falls go on at the old one; three times the rate for the weights (not the biases) of every
//! layer but the first; the rate × 0.9 whenever the MAE of up to 5,000 training samples rises; the epoch with the best
//! MAE of the held-out samples is kept. MAE is of z-scores.

mod kept;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::parting::Parting;
use super::ranked::bound;
use super::{MlpSettings, Panel, Problem, Trained};
use crate::device;
use crate::device::random::Stream;
use crate::device::recording::{Activation, Element, Loss, Matrix, Recording, Step, Update};
use crate::device::{Executor, Program};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::nn::checkpoint::{Body, CheckpointPlan, Moments};
use crate::nn::feed::{Feed, Resident, stepping_down};
use crate::nn::keeper::{Running, State};
use crate::nn::model::Layer;
use crate::nn::needs;
use crate::nn::network::{InputBuffers, LayerBuffers, LossBuffers, Network};
use crate::nn::train::non_finite;
use crate::nouns::counted;
use crate::progress::{Event, Reporter, advance, silent};
use crate::store::Store;
use crate::store::strips::Spread;
use kept::{Fitting, Kept, Progress};

/// Added to the standard deviation that a gene is divided by.
pub const SD_FLOOR: f64 = 1e-3;
/// Samples whose MAE steers the learning rate.
const MONITORED: usize = 5000;
/// What the learning rate is multiplied by when that MAE rises, and where it ends.
const DECAY: (f64, f64) = (0.9, 1e-5);
/// The rate of the weights of every layer but the first, in units of the learning rate.
const UPPER_RATE: f32 = 3.0;
/// A mean error above this share of what each gene's mean gives is hardly better.
const HARDLY: f64 = 0.99;
/// A mean error above so many times what each gene's mean gives is that of a network which diverged.
const DIVERGED: f64 = 2.0;
/// The output layer's initial weights are uniform within ± this.
const OUTPUT_LIMIT: f64 = 1e-4;

/// One network to train: landmarks to a part of the targets.
pub struct Slice<'a> {
    /// Holds the samples.
    pub store: &'a Store,
    /// Samples trained on.
    pub training: &'a [usize],
    /// Samples that only choose the epoch.
    pub validation: &'a [usize],
    /// Positions in the store, and their scaling.
    pub landmarks: (&'a [usize], &'a Panel),
    /// Positions in the store, and their scaling.
    pub targets: (&'a [usize], &'a Panel),
    /// Of the order of the samples and of dropout.
    pub seed: u64,
    /// Whether the samples are kept on the device; the network is the same.
    pub resident: Resident,
}

/// One epoch of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Epoch {
    /// Squared error summed over targets, mean over samples as they were seen.
    pub loss: f64,
    /// Of the steps of this epoch.
    pub learning_rate: f64,
    /// Mean |ŷ − y| over the monitored training samples, at the end of the epoch.
    pub training_mae: f64,
    /// The same over the validation samples.
    pub validation_mae: Option<f64>,
}

/// A trained network.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Of the best epoch by validation, or else of the last.
    pub layers: Vec<Layer>,
    /// Which that is, from 1.
    pub epoch: usize,
    /// One entry an epoch.
    pub history: Vec<Epoch>,
}

/// Fits one network a slice of the targets; goes on from a checkpoint of the same `config`, where there is a plan of one.
pub(super) fn fit(
    executor: &mut dyn Executor,
    problem: &Problem,
    settings: &MlpSettings,
    (seed, parting): (u64, &Parting),
    (plan, config): (Option<&CheckpointPlan>, Value),
    report: Reporter,
) -> Result<Trained> {
    let Problem { store, samples, landmarks, targets, ranks, .. } = *problem;
    let slices = settings.target_slices;
    if slices > targets.len() {
        return Err(Error::Data(format!(
            "--target-slices {slices}: there are only {}",
            counted(targets.len(), "target")
        )));
    }
    let (training, validation) = parting.hold_out(settings.validation)?;
    let of = |positions: Vec<usize>| -> Vec<usize> { positions.into_iter().map(|i| samples[i]).collect() };
    let (training, validation) = (of(training), of(validation));

    let widths = [&[landmarks.len()], &settings.hidden[..], &[targets.len().div_ceil(slices)]].concat();
    let instead = "lower the widths (--hidden) or --batch, raise --target-slices, or allow more (--memory)";
    needs::check(executor, &widths, (12, settings.batch.min(training.len())), instead)?;
    // of several ranks, those of this one
    let (own, bound) = (ranks.share(slices), |network| bound(targets.len(), network, slices));
    let (first, targets) = (bound(own.start), &targets[bound(own.start)..bound(own.end)]);
    let (input, output) = (panel(store, samples, landmarks)?, panel(store, samples, targets)?);
    let (mut keeper, mut moments) = kept::open(plan, config, &input, settings.epochs, report)?;
    for (i, s) in own.enumerate().skip(keeper.state.history.finished.len()) {
        let part = bound(s) - first..bound(s + 1) - first;
        let seed = if slices == 1 { seed } else { Stream::new(seed, "target slice", s as u64).next_u64() };
        if !keeper.model.has_begun(i) {
            let initial = initial(landmarks.len(), &settings.hidden, part.len(), seed);
            kept::begin(&mut keeper, initial, cut(&output, 0..part.end), rate(settings));
            moments.clear();
        }
        let slice = Slice {
            store,
            training: &training,
            validation: &validation,
            landmarks: (landmarks, &input),
            targets: (&targets[part.clone()], &cut(&output, part)),
            seed,
            resident: Resident::Auto,
        };
        if slices > 1 {
            report(Event::Note(format!("targets {} of {slices}", s + 1)));
        }
        executor.reset();
        let fitted = train_on(executor, &slice, settings, &moments, &mut keeper, report)?;
        kept::finish(&mut keeper, fitted);
    }
    let finished = keeper.state.history.finished;
    let errors: Vec<Option<f64>> = finished.iter().map(|f| f.history[f.epoch - 1].validation_mae).collect();
    let epochs: Vec<usize> = finished.iter().map(|f| f.epoch).collect();
    let histories: Vec<&[Epoch]> = finished.iter().map(|f| &f.history[..]).collect();
    let chosen = serde_json::json!({ "epoch": epochs, "validation-mae": errors, "history": histories });
    let networks = keeper.model.predictor.networks;
    Ok(Trained { landmarks: input, targets: output, networks, kernels: None, gram: None, chosen })
}

/// Some of a panel's genes.
fn cut(panel: &Panel, part: Range<usize>) -> Panel {
    Panel {
        genes: panel.genes.select(&part.clone().collect::<Vec<_>>()),
        offset: panel.offset[part.clone()].to_vec(),
        scale: panel.scale[part].to_vec(),
    }
}

/// The rate of the first epoch.
fn rate(settings: &MlpSettings) -> f64 {
    let usual = if settings.hidden.len() == 1 { 5e-4 } else { 3e-4 };
    settings.learning_rate.unwrap_or(usual)
}

/// The scaling of genes by samples of a store: (x − mean)/(sd + [`SD_FLOOR`]); a gene of one value scales to 0.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted).
pub fn panel(store: &Store, samples: &[usize], genes: &[usize]) -> Result<Panel> {
    let Spread { mean, sd } = Spread::of(store, samples, genes, &silent)?;
    let sd: Vec<f64> = sd.iter().map(|sd| if *sd > 0.0 { sd + SD_FLOOR } else { 0.0 }).collect();
    Ok(Panel::new(store, genes, &mean, &sd))
}

/// The rate after one at which the MAE rose: never below the end of the decay, unless it began there.
fn lowered(rate: f64) -> f64 {
    (rate * DECAY.0).max(DECAY.1.min(rate))
}

/// Glorot-uniform hidden weights, output weights within ±[`OUTPUT_LIMIT`], zero biases.
fn initial(inputs: usize, hidden: &[usize], outputs: usize, seed: u64) -> Vec<Layer> {
    let widths = [&[inputs], hidden, &[outputs]].concat();
    let layer = |(i, w): (usize, &[usize])| {
        let last = i == hidden.len();
        let limit = if last { OUTPUT_LIMIT } else { (6.0 / (w[0] + w[1]) as f64).sqrt() };
        let mut stream = Stream::new(seed, "initial weights", i as u64);
        let weight = (0..w[0] * w[1]).map(|_| ((2.0 * stream.uniform() - 1.0) * limit) as f32).collect();
        let activation = if last { Activation::Linear } else { Activation::Tanh };
        Layer { inputs: w[0], outputs: w[1], weight, bias: vec![0.0; w[1]], activation }
    };
    widths.windows(2).enumerate().map(layer).collect()
}

/// Trains from the given layers, tanh but for the last.
///
/// # Errors
/// [`Error::Diverged`] when the loss leaves the finite numbers; [`Error::Device`].
pub fn train(
    executor: &mut dyn Executor,
    slice: &Slice,
    settings: &MlpSettings,
    initial: Vec<Layer>,
    report: Reporter,
) -> Result<Fitted> {
    let (mut keeper, moments) = kept::open(None, Value::Null, slice.landmarks.1, settings.epochs, report)?;
    kept::begin(&mut keeper, initial, slice.targets.1.clone(), rate(settings));
    train_on(executor, slice, settings, &moments, &mut keeper, report)
}

/// Trains from where the keeper's state is.
fn train_on(
    executor: &mut dyn Executor,
    slice: &Slice,
    settings: &MlpSettings,
    moments: &[(Moments, Moments)],
    keeper: &mut Kept,
    report: Reporter,
) -> Result<Fitted> {
    let layers = keeper.model.layers();
    let run = stepping_down(executor, slice.resident, report, |executor, resident| {
        Run::new(executor, (slice, settings), (layers, moments), resident, report)
    })?;
    let wish = interrupt::heeded();
    let trained = device::within(executor, |executor| {
        wish.heed();
        run.epochs(executor, keeper, report)
    });
    match trained {
        Ok(()) => run.fitted(executor, keeper, report),
        Err(error) => {
            let done = (keeper.state.history.epochs.len(), settings.epochs);
            Err(keeper.ended(error, executor, &run, done))
        }
    }
}

/// Everything on the device. Training samples come first in the feed, then validation samples.
struct Run<'a> {
    slice: &'a Slice<'a>,
    settings: &'a MlpSettings,
    network: Network,
    /// Velocities of the weight and the bias, by layer.
    moments: Vec<(Matrix, Matrix)>,
    feed: Feed<'a>,
    step: Program,
    look: Program,
    /// batches × (Σ squared error, Σ |error|)
    table: Matrix,
}

impl<'a> Run<'a> {
    fn new(
        executor: &mut dyn Executor,
        (slice, settings): (&'a Slice, &'a MlpSettings),
        (layers, moments): (&[Layer], &[(Moments, Moments)]),
        resident: Resident,
        report: Reporter,
    ) -> Result<Self> {
        let (landmarks, targets) = (slice.landmarks, slice.targets);
        let batch = settings.batch.min(slice.training.len());
        let network = Network::new(executor, layers, settings.precision.element())?;
        let depth = layers.len();
        let mut scaling = |panel: &Panel| {
            // The MAE is of z-scores: a scaled unit counts as one.
            InputBuffers::of(executor, &panel.offset, &panel.scale, &vec![1.0; panel.scale.len()])
        };
        let (input, output) = (scaling(landmarks.1)?, scaling(targets.1)?);
        let x = executor.matrix("landmarks", batch, landmarks.0.len(), network.element)?;
        let passes = network.passes(executor, "activations", x)?;
        let y = executor.matrix("targets", batch, targets.0.len(), Element::F32)?;
        let (mut velocities, mut updates) = (Vec::with_capacity(depth), Vec::with_capacity(depth));
        for (i, layer) in network.layers.iter().enumerate() {
            let mut sgd = |name: &str,
                           value: Matrix,
                           rounded,
                           rate,
                           saved: Option<&Moments>|
             -> Result<(Matrix, Update)> {
                let name = format!("velocity.{i}.{name}");
                let velocity = executor.matrix(&name, value.rows, value.cols, Element::F32)?;
                if let Some(saved) = saved.filter(|saved| !saved.first.is_empty()) {
                    layer.write(executor, velocity, &saved.first)?;
                }
                let momentum = settings.momentum as f32;
                Ok((velocity, Update::Sgd { value, velocity, rounded, l2: 0.0, momentum, rate }))
            };
            let (rate, saved) = (if i == 0 { 1.0 } else { UPPER_RATE }, moments.get(i));
            let weight = sgd("weight", layer.weight, layer.rounded(), rate, saved.map(|saved| &saved.0))?;
            let bias = sgd("bias", layer.bias, None, 1.0, saved.map(|saved| &saved.1))?;
            velocities.push((weight.0, bias.0));
            updates.push((weight.1, bias.1));
        }
        let samples = [slice.training, slice.validation].concat();
        let panels = vec![Some(landmarks.0.to_vec()), Some(targets.0.to_vec())];
        let feed = Feed::of_panels(executor, slice.store, samples, panels, batch, resident, report)?;
        let table = executor.matrix("losses", feed.batches(), 2, Element::F32)?;

        let mut compile = |gradient: Option<Matrix>, dropout: Option<f32>| -> Result<Program> {
            let mut recording = Recording::new();
            recording.push(feed.gather_panel(0, &input, x));
            recording.push(feed.gather_panel(1, &output, y));
            network.forward_kept(&mut recording, &passes, dropout);
            let loss = LossBuffers { target: y, loss: Loss::Mse, gradient, unit: output.unit, table };
            network.loss(&mut recording, passes.below_last(), loss);
            if gradient.is_some() {
                network.backward(&mut recording, &passes, &updates, dropout);
            }
            executor.compile(&recording)
        };
        let step = compile(Some(passes.last_gradient()), Some((1.0 - settings.include_rate) as f32))?;
        let look = compile(None, None)?;
        Ok(Run { slice, settings, network, moments: velocities, feed, step, look, table })
    }

    /// All epochs that are left.
    fn epochs(&self, executor: &mut dyn Executor, keeper: &mut Kept, report: Reporter) -> Result<()> {
        let n = self.slice.training.len();
        let mut monitored: Vec<u32> = (0..n as u32).collect();
        Stream::new(self.slice.seed, "monitored", 0).shuffle(&mut monitored);
        monitored.truncate(MONITORED);
        let held: Vec<u32> = (n..n + self.slice.validation.len()).map(|i| i as u32).collect();

        // the output begins at nearly 0, the mean of every gene
        if keeper.state.history.untrained.is_none() {
            let watched = if held.is_empty() { &monitored } else { &held };
            keeper.state.history.untrained = Some(self.mae(executor, watched)?);
        }
        let total = Some(self.settings.epochs as u64);
        report(Event::Started { task: "training".into(), total, unit: "epochs" });
        while !keeper.state.history.is_over(self.settings) {
            let note = self.epoch(executor, keeper, (&monitored, &held))?;
            advance(report, keeper.state.history.epochs.len() as u64, note)?;
        }
        report(Event::Finished);
        Ok(())
    }

    /// One epoch from where the state is in it, and its errors, in words too.
    fn epoch(
        &self,
        executor: &mut dyn Executor,
        keeper: &mut Kept,
        (monitored, held): (&[u32], &[u32]),
    ) -> Result<String> {
        let (number, learning_rate) = (keeper.state.history.epochs.len() + 1, keeper.state.history.rate);
        let loss = self.pass(executor, keeper)?;
        let training_mae = self.mae(executor, monitored)?;
        let validation_mae = if held.is_empty() { None } else { Some(self.mae(executor, held)?) };
        if keeper.state.history.is_better(validation_mae) {
            keeper.model.best = Some(self.network.download(executor)?);
        }
        keeper.state.history.end(Epoch { loss, learning_rate, training_mae, validation_mae });
        self.keep_momentum(executor, learning_rate / keeper.state.history.rate)?;
        keeper.state.losses.clear();
        if !keeper.state.history.is_over(self.settings) && (number == 1 || keeper.is_due()) {
            keeper.save(executor, self)?;
        }
        Ok(match validation_mae {
            Some(mae) => format!("MAE {training_mae:.4}, validation {mae:.4}"),
            None => format!("MAE {training_mae:.4}"),
        })
    }

    /// Where the rate fell to 1/`factor` of itself. D-GEX's code (pylearn2's `Momentum`) keeps v ← μv − rate·gradient, so that what was
    /// gathered goes on at the rate at which it was; the kernel keeps u ← μu + gradient and multiplies all of it by the rate.
    fn keep_momentum(&self, executor: &mut dyn Executor, factor: f64) -> Result<()> {
        let velocities = self.moments.iter().flat_map(|(weight, bias)| [*weight, *bias]);
        for velocity in velocities.filter(|_| factor != 1.0) {
            let mut values = executor.read(velocity, 0, velocity.rows)?;
            values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
            executor.write(velocity, 0, &values)?;
        }
        Ok(())
    }

    /// Steps of an epoch.
    fn batches(&self) -> usize {
        let n = self.slice.training.len();
        n.div_ceil(self.settings.batch.min(n))
    }

    /// What is left of a pass over the training samples; its loss.
    fn pass(&self, executor: &mut dyn Executor, keeper: &mut Kept) -> Result<f64> {
        let (n, epoch) = (self.slice.training.len(), keeper.state.history.epochs.len() as u64 + 1);
        let mut order: Vec<u32> = (0..n as u32).collect();
        if self.settings.shuffle {
            Stream::new(self.slice.seed, "shuffle", epoch).shuffle(&mut order);
        }
        let before = (epoch - 1) * self.batches() as u64;
        let (rate, from) = (keeper.state.history.rate, keeper.state.losses.len() / 2);
        self.feed.pass_from(executor, &order, from, |executor, batch| {
            let step = Step {
                rows: batch.rows,
                first: batch.first,
                slot: batch.number,
                step: before + batch.number as u64 + 1,
                seed: self.slice.seed,
                learning_rate: rate as f32,
                gradient_scale: 1.0 / batch.rows as f32,
                ..Step::default()
            };
            executor.run(self.step, &step)?;
            keeper.stepped(executor, self, step.step)
        })?;
        // kept: the table is used again, to measure errors
        keeper.state.losses = Running::losses(self, executor, &keeper.state)?;
        let losses = &keeper.state.losses;
        if let Some(slot) = losses.chunks_exact(2).position(|pair| !pair[0].is_finite()) {
            let tensor = non_finite(&self.network.download(executor)?).unwrap_or_else(|| "the loss".into());
            return Err(Error::Diverged { step: before + slot as u64 + 1, epoch, tensor });
        }
        Ok(losses.iter().step_by(2).map(|x| f64::from(*x)).sum::<f64>() / n as f64)
    }

    /// The network of the best epoch, or else of the last.
    fn fitted(&self, executor: &mut dyn Executor, keeper: &mut Kept, report: Reporter) -> Result<Fitted> {
        let Progress { best, epochs: history, untrained, .. } = keeper.state.history.clone();
        let by_validation = best.is_some();
        let (epoch, layers) = match (best, keeper.model.best.take()) {
            (Some((_, epoch)), Some(layers)) => (epoch, layers),
            _ => (history.len(), self.network.download(executor)?),
        };
        let (end, untrained) = (&history[epoch - 1], untrained.unwrap_or(f64::INFINITY));
        let reached = end.validation_mae.unwrap_or(end.training_mae);
        if reached > DIVERGED * untrained {
            return Err(Error::Data(format!(
                "the network diverged: its mean error is {reached:.4} standard deviations, that of each gene's mean {untrained:.4}; lower \
                 --learning-rate (it began at {})",
                history[0].learning_rate
            )));
        }
        if by_validation && epoch == self.settings.epochs && epoch > 1 {
            report(Event::Note(format!(
                "the best epoch is the last of {epoch}: more --epochs may do better"
            )));
        }
        if reached > HARDLY * untrained {
            report(Event::Warning(format!(
                "the network infers hardly better than each gene's mean (mean error {reached:.4} against {untrained:.4}, in standard \
                 deviations): its --learning-rate may be too high or too low, or the landmarks say nothing of these targets; compare \
                 with --method linear"
            )));
        }
        Ok(Fitted { layers, epoch, history })
    }

    /// Mean |ŷ − y| in z-scores, over the samples at these positions of the feed.
    fn mae(&self, executor: &mut dyn Executor, positions: &[u32]) -> Result<f64> {
        self.feed.pass(executor, positions, |executor, batch| {
            let step = Step { rows: batch.rows, first: batch.first, slot: batch.number, ..Step::default() };
            executor.run(self.look, &step)
        })?;
        let batches = positions.len().div_ceil(self.settings.batch.min(self.slice.training.len()));
        let table = executor.read(self.table, 0, batches)?;
        let sum: f64 = table.iter().skip(1).step_by(2).map(|x| f64::from(*x)).sum();
        Ok(sum / (positions.len() * self.slice.targets.0.len()) as f64)
    }
}

impl Running<Fitting, Progress> for Run<'_> {
    fn body(&self, executor: &mut dyn Executor, before: &Fitting) -> Result<Fitting> {
        Ok(before.with(self.network.download(executor)?))
    }

    fn moments(&self, executor: &mut dyn Executor) -> Result<Vec<(Moments, Moments)>> {
        let layers = self.network.layers.iter().zip(&self.moments);
        let mut read = |layer: &LayerBuffers, velocity: Matrix| -> Result<Moments> {
            Ok(Moments { first: layer.read(executor, velocity)?, second: Vec::new() })
        };
        layers.map(|(layer, (weight, bias))| Ok((read(layer, *weight)?, read(layer, *bias)?))).collect()
    }

    fn losses(&self, executor: &mut dyn Executor, state: &State<Progress>) -> Result<Vec<f32>> {
        let done = state.step as usize - state.history.epochs.len() * self.batches();
        state.losses(executor, self.table, done)
    }
}

#[cfg(test)]
mod tests;
