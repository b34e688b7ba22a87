//! The concrete autoencoder (Balın, Abid & Zou, "Concrete Autoencoders: Differentiable Feature Selection and
//! Reconstruction", ICML 2019): N selectors, each a distribution over the genes that narrows while a decoder
//! learns to reconstruct all genes from what they select.
//!
//! ```text
//! m = softmax((logits + Gumbel noise)/T)  [N×G],  z = x·mᵀ  [B×N],  x̂ = decoder(z)  [B×G],  loss (x̂ − x)²
//! ```
//!
//! T falls exponentially from step to step. The genes are z-scored. As in the authors' implementation the logits
//! start small (Glorot), Adam has Keras' constants and a selector's gene is the one of its largest logit; theirs
//! returns fewer genes where two selectors agree, here the less certain one takes its next best.
//! A step size of 0.01 lets them settle within 300 epochs of 600 samples, where 0.001 (theirs, doubling the epochs
//! until it settles) leaves them undecided.
//! The cost of a step is that of five products of B × N × G and of N × G random numbers; memory is 5·N·G floats.

use serde::{Deserialize, Serialize};

use crate::device::Executor;
use crate::device::random::Stream;
use crate::device::recording::{
    Activation, Call, Element, Epilogue, Layout, Loss, Matrix, Recording, Step, Update,
};
use crate::error::{Error, Result};
use crate::nn::feed::{Feed, Resident, stepping_down};
use crate::nn::model::{Layer, Model};
use crate::nn::needs;
use crate::nn::network::{InputBuffers, LossBuffers, Network};
use crate::nn::scaling::{self, Scale};
use crate::nn::settings::{BETAS, corrections};
use crate::nn::train::sums;
use crate::progress::{Event, Reporter, advance};
use crate::store::Store;

use super::{Constraints, Picks};

/// How a concrete autoencoder is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ConcreteSettings {
    /// Widths of the decoder's hidden layers (ReLU); none for a linear decoder.
    pub hidden: Vec<usize>,
    /// Passes over the samples.
    pub epochs: usize,
    /// Adam's step size.
    pub learning_rate: f64,
    /// T of the first step.
    pub start_temperature: f64,
    /// T of the last step.
    pub end_temperature: f64,
    /// Samples in a batch.
    pub batch: usize,
    /// Of the initial values, the order of the samples and the noise.
    pub seed: u64,
}

impl Default for ConcreteSettings {
    fn default() -> Self {
        ConcreteSettings {
            hidden: Vec::new(),
            epochs: 300,
            learning_rate: 1e-2,
            start_temperature: 10.0,
            end_temperature: 0.01,
            batch: 32,
            seed: 0,
        }
    }
}

impl ConcreteSettings {
    /// Checks every value.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option, its value and the range.
    pub fn validate(&self) -> Result<()> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        for (option, value) in [
            ("learning-rate", self.learning_rate),
            ("start-temperature", self.start_temperature),
            ("end-temperature", self.end_temperature),
        ] {
            if !positive(value) {
                return Err(Error::Usage(format!("--{option} {value} must be a positive number")));
            }
        }
        if self.end_temperature > self.start_temperature {
            return Err(Error::Usage(format!(
                "--end-temperature {} must not exceed --start-temperature {}",
                self.end_temperature, self.start_temperature
            )));
        }
        if self.epochs == 0 || self.batch == 0 || self.hidden.contains(&0) {
            return Err(Error::Usage("--epochs, --batch and --decoder widths must be at least 1".into()));
        }
        Ok(())
    }

    /// T of step `step` (from 1) of `steps`.
    fn temperature(&self, step: u64, steps: u64) -> f64 {
        let done = (step - 1) as f64 / (steps - 1).max(1) as f64;
        self.start_temperature * (self.end_temperature / self.start_temperature).powf(done)
    }
}

/// A logit that never wins: its probability is 0 in f32 at every temperature, and so is its gradient.
const MASKED: f32 = -1e30;

/// Selectors that end less certain than this, on average, were not trained long enough.
const CERTAIN: f64 = 0.5;

/// Trains on the given samples; picks the selectors' genes, most certain first, scored by the probability that
/// its selector gives to each. Included genes get selectors of their own, which give nothing else; excluded ones
/// are hidden from all selectors.
///
/// # Errors
/// [`Error::Usage`] for settings; [`Error::Diverged`]; [`Error::Device`].
pub fn concrete(
    executor: &mut dyn Executor,
    store: &Store,
    samples: &[usize],
    constraints: &Constraints,
    settings: &ConcreteSettings,
    report: Reporter,
) -> Result<Picks> {
    settings.validate()?;
    let (genes, n) = (store.n_genes(), constraints.n());
    let widths = [&[genes, n], &settings.hidden[..], &[genes]].concat();
    let instead = "choose fewer genes (-n), narrow the --decoder, or allow more (--memory)";
    needs::check(executor, &widths, (20, settings.batch.min(samples.len())), instead)?;
    let initial = initial_logits(genes, constraints, settings.seed);
    let mut run = stepping_down(executor, Resident::Auto, report, |executor, resident| {
        Run::new(executor, store, samples, &initial, settings, resident, report)
    })?;
    drop(initial);
    let loss = run.train(executor, report)?;
    let picks = distinct(&executor.read(run.logits, 0, n)?, genes, constraints.includes());
    let certainty = picks.scores.iter().sum::<f64>() / n as f64;
    report(Event::Note(format!(
        "concrete autoencoder: mean squared error {loss:.4} (z-scores), mean certainty of the selectors {certainty:.3}"
    )));
    if certainty < CERTAIN {
        let message =
            "the selectors did not settle on their genes; train longer or faster (--epochs, --learning-rate)";
        report(Event::Warning(message.into()));
    }
    Ok(picks)
}

/// N × G: small random values; [`MASKED`] where a selector may not look. The first rows belong to the included
/// genes.
fn initial_logits(genes: usize, constraints: &Constraints, seed: u64) -> Vec<f32> {
    let includes = constraints.includes();
    let mut included = (0..genes).filter(|gene| includes > 0 && constraints.allows(*gene, 0));
    let mut stream = Stream::new(seed, "concrete logits", 0);
    let mut logits = Layer::initial(genes, constraints.n(), Activation::Linear, &mut stream).weight;
    for row in logits.chunks_exact_mut(genes) {
        match included.next() {
            Some(gene) => {
                row.fill(MASKED);
                row[gene] = 0.0;
            }
            None => {
                (0..genes).filter(|gene| !constraints.allows(*gene, includes)).for_each(|g| row[g] = MASKED)
            }
        }
    }
    logits
}

/// The gene of each selector (row of `logits`) with its probability: those of the first `includes` rows, then most
/// certain first. Of selectors that agree the most certain one has its way, the others take their next best.
fn distinct(logits: &[f32], genes: usize, includes: usize) -> Picks {
    let rows: Vec<&[f32]> = logits.chunks_exact(genes).collect();
    let largest = |row: &[f32]| f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    // Σ exp(logit − largest): the inverse of the largest probability
    let spreads: Vec<f64> = rows
        .iter()
        .map(|row| {
            let most = largest(row);
            row.iter().map(|x| (f64::from(*x) - most).exp()).sum()
        })
        .collect();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| (*a >= includes).cmp(&(*b >= includes)).then(spreads[*a].total_cmp(&spreads[*b])));
    let mut taken = vec![false; genes];
    let mut chosen = Vec::with_capacity(rows.len());
    for selector in order {
        let row = rows[selector];
        let free = (0..genes).filter(|gene| !taken[*gene]);
        // the first of equals
        let Some(gene) = free.reduce(|best, gene| if row[gene] > row[best] { gene } else { best }) else {
            break;
        };
        taken[gene] = true;
        let probability = (f64::from(row[gene]) - largest(row)).exp() / spreads[selector];
        chosen.push((selector < includes, gene, probability));
    }
    chosen.sort_by(|a, b| b.0.cmp(&a.0).then(b.2.total_cmp(&a.2)));
    let mut picks = Picks::default();
    chosen.into_iter().for_each(|(_, gene, probability)| picks.push(gene, probability));
    picks
}

/// Everything on the device.
struct Run<'a> {
    settings: &'a ConcreteSettings,
    feed: Feed<'a>,
    program: crate::device::Program,
    logits: Matrix,
    table: Matrix,
    genes: usize,
}

impl<'a> Run<'a> {
    fn new(
        executor: &mut dyn Executor,
        store: &'a Store,
        samples: &[usize],
        initial: &[f32],
        settings: &'a ConcreteSettings,
        resident: Resident,
        report: Reporter,
    ) -> Result<Self> {
        let genes = store.n_genes();
        let n = initial.len() / genes;
        let batch = settings.batch.min(samples.len());
        let widths: Vec<usize> = [&[n], &settings.hidden[..], &[genes]].concat();
        let mut stream = Stream::new(settings.seed, "concrete decoder", 0);
        let mut layers = Vec::new();
        for (i, pair) in widths.windows(2).enumerate() {
            let last = i == settings.hidden.len();
            let activation = if last { Activation::Linear } else { Activation::Relu };
            layers.push(Layer::initial(pair[0], pair[1], activation, &mut stream));
        }
        let input = scaling::fit(store, samples, Scale::Zscore);
        scaling::check(store, samples, &input)?;
        let ids = store.genes().ids.clone();
        let model = Model { layers, input, genes: ids, config: serde_json::Value::Null };
        let decoder = Network::new(executor, &model.layers, Element::F32)?;
        let input = InputBuffers::new(executor, &model)?;

        let mut matrix = |name: &str, rows, cols| executor.matrix(name, rows, cols, Element::F32);
        let [logits, selection, gradient] =
            ["selector logits", "selection", "gradient of the selection"].map(|name| matrix(name, n, genes));
        let (logits, selection, gradient) = (logits?, selection?, gradient?);
        let x = matrix("input batch", batch, genes)?;
        let [z, below] =
            ["selected genes", "gradient of the selected genes"].map(|name| matrix(name, batch, n));
        let (z, below) = (z?, below?);
        executor.write(logits, 0, initial)?;
        let passes = decoder.passes(executor, "decoder", z)?;
        let mut updates = Vec::new();
        for layer in &decoder.layers {
            updates.push((adam(executor, layer.weight)?, adam(executor, layer.bias)?));
        }
        let update = adam(executor, logits)?;
        let feed = Feed::new(executor, store, samples.to_vec(), &model.genes, batch, resident, report)?;
        let table = executor.matrix("losses", feed.batches(), 2, Element::F32)?;

        let mut recording = Recording::new();
        recording.push(feed.gather(&input, x));
        recording.push(Call::Concrete { logits, out: selection });
        recording.product("selection", Layout::Nt, x, selection, Element::F32, Epilogue::Store { out: z });
        decoder.forward_kept(&mut recording, &passes, None);
        let loss = LossBuffers {
            target: x,
            loss: Loss::Mse,
            gradient: Some(passes.last_gradient()),
            unit: input.unit,
            table,
        };
        decoder.loss(&mut recording, passes.below_last(), loss);
        decoder.backward_to(&mut recording, &passes, &updates, None, Some(below));
        let out = Epilogue::Store { out: gradient };
        recording.product("selection gradient", Layout::Tn, below, x, Element::F32, out);
        recording.push(Call::ConcreteGradient { selection, gradient, update });
        let program = executor.compile(&recording)?;
        Ok(Run { settings, feed, program, logits, table, genes })
    }

    /// Trains; the last epoch's mean loss.
    fn train(&mut self, executor: &mut dyn Executor, report: Reporter) -> Result<f64> {
        let settings = self.settings;
        let steps = (settings.epochs * self.feed.batches()) as u64;
        report(Event::Started {
            task: "concrete autoencoder".into(),
            total: Some(settings.epochs as u64),
            unit: "epochs",
        });
        let (mut step, mut loss) = (0, f64::NAN);
        for epoch in 1..=settings.epochs as u64 {
            let mut order: Vec<u32> = (0..self.feed.len() as u32).collect();
            Stream::new(settings.seed, "concrete order", epoch).shuffle(&mut order);
            self.feed.pass(executor, &order, |executor, batch| {
                step += 1;
                let (correction1, correction2) = corrections(step);
                let arguments = Step {
                    rows: batch.rows,
                    offset: 0,
                    first: batch.first,
                    slot: batch.number,
                    step,
                    seed: settings.seed,
                    learning_rate: settings.learning_rate as f32,
                    gradient_scale: (1.0 / (batch.rows * self.genes) as f64) as f32,
                    correction1,
                    correction2,
                    temperature: settings.temperature(step, steps) as f32,
                };
                executor.run(self.program, &arguments)
            })?;
            let (total, _) = sums(&executor.read(self.table, 0, self.feed.batches())?);
            loss = total / (self.feed.len() * self.genes) as f64;
            if !loss.is_finite() {
                return Err(Error::Diverged {
                    step,
                    epoch,
                    tensor: "the concrete autoencoder's loss".into(),
                });
            }
            let note = format!("loss {loss:.4}, temperature {:.3}", settings.temperature(step, steps));
            advance(report, epoch, note)?;
        }
        report(Event::Finished);
        Ok(loss)
    }
}

/// Adam's update of a parameter with moments of its own, at Keras' constants.
fn adam(executor: &mut dyn Executor, value: Matrix) -> Result<Update> {
    let mut moment = |name| executor.matrix(name, value.rows, value.cols, Element::F32);
    let (first, second) = (moment("first moment")?, moment("second moment")?);
    Ok(Update::Adam {
        value,
        first,
        second,
        rounded: None,
        l2: 0.0,
        beta1: BETAS.0,
        beta2: BETAS.1,
        epsilon: 1e-7,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genes::Table;

    #[test]
    fn selectors_that_agree_give_different_genes() {
        let logits = [
            [0.0, 3.0, 2.0, 0.0], // agrees with the next, less certain
            [0.0, 9.0, 1.0, 0.0],
            [0.0, 0.0, 0.5, 0.0], // wants the gene that the first one moves to
            [MASKED, MASKED, MASKED, 0.0],
        ];
        let picks = distinct(logits.as_flattened(), 4, 0);
        assert_eq!(picks.genes, [3, 1, 2, 0]);
        let e = f64::exp;
        for (got, want) in picks.scores.iter().zip([
            1.0,
            e(9.0) / (e(9.0) + e(1.0) + 2.0),
            e(2.0) / (e(3.0) + e(2.0) + 2.0),
            1.0 / (e(0.5) + 3.0),
        ]) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }

    #[test]
    fn every_epoch_has_an_order_of_its_own_and_every_step_a_number_of_its_own() {
        use crate::testing::{Spy, assert_orders_differ, random_store};
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 12, 6);
        let samples: Vec<usize> = (0..12).collect();
        let constraints = Constraints::new(store.genes(), 2, &[], &[]).unwrap();
        let settings = ConcreteSettings { epochs: 4, batch: 5, seed: 3, ..ConcreteSettings::default() };
        let mut spy = Spy::new();
        concrete(&mut spy, &store, &samples, &constraints, &settings, &crate::progress::silent).unwrap();
        let (steps, orders) = spy.learnt(12);
        assert_eq!(orders.len(), 4);
        assert_orders_differ(&orders, 12);
        assert_eq!(steps.iter().map(|s| s.step).collect::<Vec<_>>(), (1..=12).collect::<Vec<u64>>());
        assert!(
            steps.iter().all(|s| s.seed == 3) && steps.is_sorted_by(|a, b| a.temperature > b.temperature)
        );
    }

    #[test]
    fn included_genes_have_selectors_and_excluded_ones_none() {
        let genes = Table::new("gene_id", (0..7).map(|i| i.to_string()).collect());
        let constraints = Constraints::new(&genes, 3, &[4], &[0, 6]).unwrap();
        let mut logits = initial_logits(7, &constraints, 1);
        let open: Vec<Vec<usize>> =
            logits.chunks_exact(7).map(|row| (0..7).filter(|gene| row[*gene] > MASKED).collect()).collect();
        assert_eq!(open, [vec![4], vec![1, 2, 3, 5], vec![1, 2, 3, 5]]);
        logits[7 + 3] = 60.0; // as certain as the included gene, which stays the first
        assert_eq!(distinct(&logits, 7, 1).genes[..2], [4, 3]);
    }

    #[test]
    fn the_temperature_falls_exponentially_to_its_end() {
        let settings = ConcreteSettings::default();
        let at = |step| settings.temperature(step, 101);
        for (step, want) in [(1, 10.0), (51, 0.1f64.sqrt()), (101, 0.01)] {
            assert!((at(step) - want).abs() < 1e-9, "{step}: {}", at(step));
        }
        assert_eq!(settings.temperature(1, 1), 10.0);
        let refused = |change: fn(&mut ConcreteSettings)| {
            let mut settings = ConcreteSettings::default();
            change(&mut settings);
            settings.validate().unwrap_err().to_string()
        };
        assert!(refused(|s| s.end_temperature = 20.0).contains("--end-temperature 20"));
        assert!(refused(|s| s.learning_rate = f64::NAN).contains("--learning-rate NaN"));
        assert!(refused(|s| s.epochs = 0).contains("--epochs"));
    }

    #[test]
    fn settings_out_of_range_are_refused_by_name() {
        type Change = fn(&mut ConcreteSettings);
        let refused: [(&str, Change); 9] = [
            ("--learning-rate", |s| s.learning_rate = 0.0),
            ("--learning-rate", |s| s.learning_rate = f64::NAN),
            ("--start-temperature", |s| s.start_temperature = f64::INFINITY),
            ("--end-temperature", |s| s.end_temperature = 0.0),
            ("must not exceed", |s| s.end_temperature = 10.01),
            ("at least 1", |s| s.epochs = 0),
            ("at least 1", |s| s.batch = 0),
            ("at least 1", |s| s.hidden = vec![0]),
            ("at least 1", |s| s.hidden = vec![7, 0]),
        ];
        for (word, change) in refused {
            let mut settings = ConcreteSettings::default();
            change(&mut settings);
            let message = settings.validate().expect_err(word).to_string();
            assert!(message.contains(word), "{message}");
        }
        let least = ConcreteSettings {
            hidden: vec![1],
            epochs: 1,
            learning_rate: 1e-300,
            start_temperature: 0.01,
            batch: 1,
            ..ConcreteSettings::default()
        };
        least.validate().expect("the least of everything, and temperatures that are equal");
    }
}
