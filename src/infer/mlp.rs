//! D-GEX (Chen et al. 2016) on the project's own kernels: tanh layers from landmarks to targets.
//!
//! As in its published code: squared error summed over targets, mean over the batch; SGD with momentum, in which steps
//! taken before the rate falls go on at the old one; three times the rate for the weights (not the biases) of every
//! layer but the first; the rate × 0.9 whenever the MAE of up to 5,000 training samples rises; the epoch with the best
//! MAE of the held-out samples is kept. MAE is of z-scores.

use super::parting::Parting;
use super::{MlpSettings, Panel, Problem, Trained, blocks};
use crate::device::random::Stream;
use crate::device::recording::{Activation, Element, Loss, Matrix, Recording, Step, Update};
use crate::device::{Executor, Program};
use crate::error::{Error, Result};
use crate::nn::feed::{Feed, Resident, stepping_down};
use crate::nn::model::Layer;
use crate::nn::needs;
use crate::nn::network::{InputBuffers, LossBuffers, Network};
use crate::nn::train::non_finite;
use crate::progress::{Event, Reporter, silent};
use crate::store::Store;

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
#[derive(Debug, Clone, PartialEq)]
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

/// Fits one network a slice of the targets.
pub(super) fn fit(
    executor: &mut dyn Executor,
    problem: &Problem,
    settings: &MlpSettings,
    (seed, parting): (u64, &Parting),
    report: Reporter,
) -> Result<Trained> {
    let Problem { store, samples, landmarks, targets } = *problem;
    let slices = settings.target_slices;
    if slices > targets.len() {
        return Err(Error::Data(format!(
            "--target-slices {slices}: there are only {} targets",
            targets.len()
        )));
    }
    let (training, validation) = parting.hold_out(settings.validation)?;
    let of = |positions: Vec<usize>| -> Vec<usize> { positions.into_iter().map(|i| samples[i]).collect() };
    let (training, validation) = (of(training), of(validation));

    let (input, output) = (panel(store, samples, landmarks), panel(store, samples, targets));
    let (mut networks, mut epochs, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let widths = [&[landmarks.len()], &settings.hidden[..], &[targets.len().div_ceil(slices)]].concat();
    let instead = "lower the widths (--hidden) or --batch, raise --target-slices, or allow more (--memory)";
    needs::check(executor, &widths, (2, settings.batch.min(training.len())), instead)?;
    for s in 0..slices {
        let part = targets.len() * s / slices..targets.len() * (s + 1) / slices;
        let seed = if slices == 1 { seed } else { Stream::new(seed, "target slice", s as u64).next_u64() };
        let output = Panel {
            genes: output.genes.select(&part.clone().collect::<Vec<_>>()),
            offset: output.offset[part.clone()].to_vec(),
            scale: output.scale[part.clone()].to_vec(),
        };
        let initial = initial(landmarks.len(), &settings.hidden, part.len(), seed);
        let slice = Slice {
            store,
            training: &training,
            validation: &validation,
            landmarks: (landmarks, &input),
            targets: (&targets[part], &output),
            seed,
            resident: Resident::Auto,
        };
        if slices > 1 {
            report(Event::Note(format!("targets {} of {slices}", s + 1)));
        }
        executor.reset();
        let fitted = train(executor, &slice, settings, initial, report)?;
        epochs.push(fitted.epoch);
        errors.push(fitted.history[fitted.epoch - 1].validation_mae);
        networks.push(fitted.layers);
    }
    let chosen = serde_json::json!({ "epoch": epochs, "validation-mae": errors });
    Ok(Trained { landmarks: input, targets: output, networks, chosen })
}

/// The scaling of genes by samples of a store: (x − mean)/(sd + [`SD_FLOOR`]); a gene of one value scales to 0.
pub fn panel(store: &Store, samples: &[usize], genes: &[usize]) -> Panel {
    let (mut mean, mut sd) = (Vec::new(), Vec::new());
    blocks(store, samples, genes, "scaling", &silent, |y| {
        mean.extend(y.mean);
        sd.extend(y.sd);
    });
    let sd: Vec<f64> = sd.iter().map(|sd| if *sd > 0.0 { sd + SD_FLOOR } else { 0.0 }).collect();
    Panel::new(store, genes, &mean, &sd)
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
    let run = stepping_down(executor, slice.resident, report, |executor, resident| {
        Run::new(executor, slice, settings, &initial, resident, report)
    })?;
    let n = slice.training.len();
    let first_rate = if settings.hidden.len() == 1 { 5e-4 } else { 3e-4 };
    let mut rate = settings.learning_rate.unwrap_or(first_rate);
    let mut monitored: Vec<u32> = (0..n as u32).collect();
    Stream::new(slice.seed, "monitored", 0).shuffle(&mut monitored);
    monitored.truncate(MONITORED);
    let held: Vec<u32> = (n..n + slice.validation.len()).map(|i| i as u32).collect();

    // the output begins at nearly 0, the mean of every gene
    let watched = if held.is_empty() { &monitored } else { &held };
    let untrained = run.mae(executor, watched)?;
    let mut history: Vec<Epoch> = Vec::new();
    // validation MAE, epoch, parameters
    let mut best: Option<(f64, usize, Vec<Layer>)> = None;
    let total = Some(settings.epochs as u64);
    report(Event::Started { task: "training".into(), total, unit: "epochs" });
    for epoch in 1..=settings.epochs {
        let loss = run.epoch(executor, epoch, rate)?;
        let training_mae = run.mae(executor, &monitored)?;
        let validation_mae = if held.is_empty() { None } else { Some(run.mae(executor, &held)?) };
        let rises = history.last().is_some_and(|last| training_mae > last.training_mae);
        history.push(Epoch { loss, learning_rate: rate, training_mae, validation_mae });
        if rises {
            let lower = lowered(rate);
            run.keep_momentum(executor, rate / lower)?;
            rate = lower;
        }
        if let Some(mae) = validation_mae
            && best.as_ref().is_none_or(|(least, ..)| mae < *least)
        {
            best = Some((mae, epoch, run.network.download(executor)?));
        }
        let note = match validation_mae {
            Some(mae) => format!("MAE {training_mae:.4}, validation {mae:.4}"),
            None => format!("MAE {training_mae:.4}"),
        };
        report(Event::Advanced { done: epoch as u64, note });
        let since = best.as_ref().map(|(_, at, _)| epoch - at);
        if since.zip(settings.early_stop).is_some_and(|(since, patience)| since >= patience) {
            break;
        }
    }
    report(Event::Finished);
    let (epoch, layers) = match best {
        Some((_, epoch, layers)) => (epoch, layers),
        None => (history.len(), run.network.download(executor)?),
    };
    let end = &history[epoch - 1];
    let reached = end.validation_mae.unwrap_or(end.training_mae);
    if reached > HARDLY * untrained {
        report(Event::Warning(format!(
            "the network infers hardly better than each gene's mean (mean error {reached:.4} against {untrained:.4}, in standard \
             deviations): its --learning-rate may be too high or too low, or the landmarks say nothing of these targets; compare \
             with --method linear"
        )));
    }
    Ok(Fitted { layers, epoch, history })
}

/// Everything on the device. Training samples come first in the feed, then validation samples.
struct Run<'a> {
    slice: &'a Slice<'a>,
    settings: &'a MlpSettings,
    network: Network,
    feed: Feed<'a>,
    /// Of every weight and bias.
    velocities: Vec<Matrix>,
    step: Program,
    look: Program,
    /// batches × (Σ squared error, Σ |error|)
    table: Matrix,
}

impl<'a> Run<'a> {
    fn new(
        executor: &mut dyn Executor,
        slice: &'a Slice,
        settings: &'a MlpSettings,
        layers: &[Layer],
        resident: Resident,
        report: Reporter,
    ) -> Result<Self> {
        let (landmarks, targets) = (slice.landmarks, slice.targets);
        let batch = settings.batch.min(slice.training.len());
        let network = Network::new(executor, layers, false)?;
        let depth = layers.len();
        let mut scaling = |panel: &Panel| {
            // The MAE is of z-scores: a scaled unit counts as one.
            InputBuffers::of(executor, &panel.offset, &panel.scale, &vec![1.0; panel.scale.len()])
        };
        let (input, output) = (scaling(landmarks.1)?, scaling(targets.1)?);
        let outputs = network.batch_matrices(executor, "activations", batch, depth - 1)?;
        let gradients = network.batch_matrices(executor, "gradients", batch, depth)?;
        let x = executor.matrix("landmarks", batch, landmarks.0.len(), Element::F32)?;
        let y = executor.matrix("targets", batch, targets.0.len(), Element::F32)?;
        let mut updates = Vec::with_capacity(depth);
        let mut velocities = Vec::with_capacity(2 * depth);
        for (i, layer) in network.layers.iter().enumerate() {
            let mut sgd = |name: &str, value: Matrix, rate| -> Result<Update> {
                let name = format!("velocity.{i}.{name}");
                let velocity = executor.matrix(&name, value.rows, value.cols, Element::F32)?;
                velocities.push(velocity);
                Ok(Update::Sgd { value, velocity, l2: 0.0, momentum: settings.momentum as f32, rate })
            };
            let rate = if i == 0 { 1.0 } else { UPPER_RATE };
            updates.push((sgd("weight", layer.weight, rate)?, sgd("bias", layer.bias, 1.0)?));
        }
        let samples = [slice.training, slice.validation].concat();
        let panels = vec![Some(landmarks.0.to_vec()), Some(targets.0.to_vec())];
        let feed = Feed::of_panels(executor, slice.store, samples, panels, batch, resident, report)?;
        let table = executor.matrix("losses", feed.batches(), 2, Element::F32)?;

        let mut compile = |gradient: Option<Matrix>, dropout: Option<f32>| -> Result<Program> {
            let mut recording = Recording::new();
            recording.push(feed.gather_panel(0, &input, x));
            recording.push(feed.gather_panel(1, &output, y));
            network.forward(&mut recording, x, &outputs, dropout);
            let loss = LossBuffers { target: y, loss: Loss::Mse, gradient, unit: output.unit, table };
            network.loss(&mut recording, outputs[depth - 2], loss);
            if gradient.is_some() {
                let inputs = [&[x], &outputs[..]].concat();
                network.backward(&mut recording, &inputs, &gradients, &updates, dropout);
            }
            executor.compile(&recording)
        };
        let step = compile(Some(gradients[depth - 1]), Some((1.0 - settings.include_rate) as f32))?;
        let look = compile(None, None)?;
        Ok(Run { slice, settings, network, feed, velocities, step, look, table })
    }

    /// Before the rate falls to 1/`factor` of itself. D-GEX's code (pylearn2's `Momentum`) keeps v ← μv − rate·gradient, so that what was
    /// gathered goes on at the rate at which it was; the kernel keeps u ← μu + gradient and multiplies all of it by the rate.
    fn keep_momentum(&self, executor: &mut dyn Executor, factor: f64) -> Result<()> {
        for velocity in self.velocities.iter().filter(|_| factor != 1.0) {
            let mut values = executor.read(*velocity, 0, velocity.rows)?;
            values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
            executor.write(*velocity, 0, &values)?;
        }
        Ok(())
    }

    /// One pass over the training samples; its loss.
    fn epoch(&self, executor: &mut dyn Executor, epoch: usize, rate: f64) -> Result<f64> {
        let n = self.slice.training.len();
        let mut order: Vec<u32> = (0..n as u32).collect();
        if self.settings.shuffle {
            Stream::new(self.slice.seed, "shuffle", epoch as u64).shuffle(&mut order);
        }
        let batches = n.div_ceil(self.settings.batch.min(n));
        let before = (epoch as u64 - 1) * batches as u64;
        self.feed.pass(executor, &order, |executor, batch| {
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
            executor.run(self.step, &step)
        })?;
        let table = executor.read(self.table, 0, batches)?;
        if let Some(slot) = table.chunks_exact(2).position(|pair| !pair[0].is_finite()) {
            let tensor = non_finite(&self.network.download(executor)?).unwrap_or_else(|| "the loss".into());
            return Err(Error::Diverged { step: before + slot as u64 + 1, epoch: epoch as u64, tensor });
        }
        Ok(table.iter().step_by(2).map(|x| f64::from(*x)).sum::<f64>() / n as f64)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Spy, assert_orders_differ, random_store, store};

    /// Samples of [`fit_small`], of which the last 6 are held out.
    const SAMPLES: usize = 18;

    fn fit_small(settings: &MlpSettings) -> (Spy, Fitted) {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), SAMPLES, 5);
        let samples: Vec<usize> = (0..SAMPLES).collect();
        let (training, validation) = samples.split_at(SAMPLES - 6);
        let (landmarks, targets) = ([0, 1, 2], [3, 4]);
        let (input, output) = (panel(&store, training, &landmarks), panel(&store, training, &targets));
        let slice = Slice {
            store: &store,
            training,
            validation,
            landmarks: (&landmarks, &input),
            targets: (&targets, &output),
            seed: 5,
            resident: Resident::Auto,
        };
        let mut spy = Spy::new();
        let fitted = train(&mut spy, &slice, settings, initial(3, &settings.hidden, 2, 5), &silent).unwrap();
        (spy, fitted)
    }

    fn small() -> MlpSettings {
        MlpSettings { hidden: vec![4], batch: 5, epochs: 4, ..MlpSettings::default() }
    }

    #[test]
    fn the_rate_falls_to_its_floor_and_no_further() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
        assert!(close(lowered(1e-3), 9e-4) && close(lowered(1.2e-5), 1.08e-5));
        assert_eq!((lowered(1.05e-5), lowered(1e-5), lowered(3e-6)), (1e-5, 1e-5, 3e-6));
    }

    #[test]
    fn the_rate_falls_after_an_epoch_in_which_the_error_rose() {
        let wild = MlpSettings { learning_rate: Some(0.3), epochs: 30, momentum: 0.0, ..small() };
        let history = fit_small(&wild).1.history;
        let mut rises = 0;
        assert_eq!(history[1].learning_rate, 0.3);
        for three in history.windows(3) {
            let rose = three[1].training_mae > three[0].training_mae;
            rises += usize::from(rose);
            let rate = three[1].learning_rate;
            assert_eq!(three[2].learning_rate, if rose { lowered(rate) } else { rate });
        }
        assert!(rises > 2 && rises < 26, "{rises}");
    }

    #[test]
    fn every_epoch_has_an_order_of_its_own_and_every_step_a_number_of_its_own() {
        let (spy, _) = fit_small(&small());
        let (steps, orders) = spy.learnt(12);
        assert_eq!(orders.len(), 4);
        assert_orders_differ(&orders, 12);
        assert_eq!(steps.iter().map(|s| s.step).collect::<Vec<_>>(), (1..=12).collect::<Vec<u64>>());
        assert!(steps.iter().all(|s| s.seed == 5));
    }

    #[test]
    fn errors_are_measured_with_the_whole_network() {
        let still = MlpSettings { learning_rate: Some(1e-30), epochs: 1, ..small() };
        let at = |include_rate| fit_small(&MlpSettings { include_rate, ..still.clone() }).1.history.remove(0);
        let (whole, masked) = (at(1.0), at(0.5));
        assert!(masked.loss != whole.loss, "dropout has an effect in training");
        assert_eq!(masked.validation_mae, whole.validation_mae);
        assert_eq!(masked.training_mae, whole.training_mae);
    }

    #[test]
    fn layers_of_one_shape_begin_differently() {
        let layers = initial(4, &[4, 4], 4, 1);
        assert_eq!(layers[0].weight.len(), layers[1].weight.len());
        assert_ne!(layers[0].weight, layers[1].weight);
        assert_ne!(layers, initial(4, &[4, 4], 4, 2));
        let largest = layers[2].weight.iter().fold(0.0f32, |most, w| most.max(w.abs()));
        assert!(largest > 5e-5 && largest <= 1e-4, "{largest}");
    }

    #[test]
    fn a_gene_of_one_value_scales_to_0() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir.path().join("x.gex"), 2, &[0.1, 1.0, 0.1, 3.0, 0.1, 5.0]);
        let panel = panel(&store, &[0, 1, 2], &[0, 1]);
        assert_eq!(panel.scale[0], 0.0);
        let sd = (8.0f64 / 3.0).sqrt();
        assert!((f64::from(panel.scale[1]) - 1.0 / (sd + SD_FLOOR)).abs() < 1e-6);
    }
}
