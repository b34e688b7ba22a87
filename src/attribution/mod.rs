//! DeepLIFT: how much every input gene moves every bottleneck neuron (Shrikumar, Greenside & Kundaje 2017,
//! Rescale rule).
//!
//! For two encoder layers the contribution of gene i to neuron k in sample s is
//! C\[s,i,k\] = (x − x₀)\[s,i\] · Σⱼ W1\[j,i\]·m1\[s,j\]·W2\[k,j\]·m2\[s,k\], and so on for deeper encoders. All neurons of a
//! batch of samples go through the network together, as rows (k, s) of one matrix; the last product's epilogue
//! folds its tile over samples, so nothing of size samples × genes × neurons is ever stored.

mod reference;
mod scores;

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::device::Executor;
use crate::device::random::Stream;
use crate::device::recording::{Activation, Call, Element, Epilogue, Fold, Layout, Matrix, Recording, Step};
use crate::error::{Error, Result};
use crate::memory::Need;
use crate::nn::feed::{Feed, Resident, match_genes};
use crate::nn::model::Model;
use crate::nn::network::{InputBuffers, Network, vector};
use crate::nn::ranked;
use crate::nn::settings::Precision;
use crate::progress::{Event, Reporter, advance};
use crate::ranks::Ranks;
use crate::store::Store;

pub use reference::Reference;
pub use scores::ScoreTable;

/// Where attribution ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The bottleneck's input, before its nonlinearity
    Pre,
    /// The bottleneck's activation
    Post,
}

/// How contributions become one score a gene; s runs over samples, k over neurons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// Mean over s, k of |C|
    MeanAbs,
    /// Mean over k of |mean over s of C|
    AbsMean,
    /// Mean over s, k of C, with its sign
    Mean,
    /// Root of the mean over s, k of C²
    Rms,
}

impl Aggregate {
    fn fold(self) -> Fold {
        match self {
            Aggregate::MeanAbs => Fold::Abs,
            Aggregate::AbsMean | Aggregate::Mean => Fold::Signed,
            Aggregate::Rms => Fold::Square,
        }
    }
}

/// What defines an attribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AttributeSettings {
    /// What every sample is compared with.
    pub reference: Reference,
    /// Where it ends.
    pub target: Target,
    /// How one score a gene is made.
    pub aggregate: Aggregate,
    /// How many samples, drawn by `seed`; all without a number.
    pub samples: Option<usize>,
    /// Of that draw.
    pub seed: u64,
    /// Of the multipliers' way from the neurons back to the genes; samples go forward in single precision.
    #[serde(default)]
    pub precision: Precision,
}

impl AttributeSettings {
    /// The default; `docs/presets.md` has the measurements behind it.
    pub fn standard() -> Self {
        AttributeSettings {
            reference: Reference::Mean,
            target: Target::Post,
            aggregate: Aggregate::MeanAbs,
            samples: None,
            seed: 0,
            precision: Precision::F32,
        }
    }

    /// The paper's reading: zeros as reference, mean of absolute contributions.
    pub fn paper() -> Self {
        AttributeSettings { reference: Reference::Zeros, ..AttributeSettings::standard() }
    }
}

/// How exactly the contributions add up: Σᵢ C\[s,i,k\] against y_k(x) − y_k(x₀), over all samples and neurons.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Completeness {
    /// The largest |Σᵢ C − Δy|.
    pub worst_error: f64,
    /// The largest |Δy|.
    pub scale: f64,
}

impl Completeness {
    /// The worst error as a share of the largest output difference.
    pub fn relative(&self) -> f64 {
        if self.scale > 0.0 { self.worst_error / self.scale } else { self.worst_error }
    }

    fn add(&mut self, sum: f32, difference: f64) {
        let error = (f64::from(sum) - difference).abs();
        // A NaN must not hide.
        if error.is_nan() || error > self.worst_error {
            self.worst_error = error;
        }
        self.scale = self.scale.max(difference.abs());
    }

    /// Of all ranks' samples.
    fn among(self, ranks: &Ranks) -> Result<Completeness> {
        let all = ranks.gather_values(&[self.worst_error, self.scale])?;
        Ok(all.chunks_exact(2).fold(Completeness::default(), |most, pair| Completeness {
            worst_error: if pair[0].is_nan() || pair[0] > most.worst_error {
                pair[0]
            } else {
                most.worst_error
            },
            scale: most.scale.max(pair[1]),
        }))
    }
}

/// The result of [`attribute`].
#[derive(Debug, Clone)]
pub struct Attribution {
    /// One score a gene of the model, in the model's order.
    pub scores: Vec<f64>,
    /// K × G: the aggregate's mean over samples (its root for rms) for each neuron, where asked for.
    pub per_node: Option<Vec<f32>>,
    /// Number of bottleneck neurons, K.
    pub neurons: usize,
    /// Samples that went in.
    pub samples: usize,
    /// How exactly contributions add up.
    pub completeness: Completeness,
    /// Of the passes over the samples; what is set up before them is not in it.
    pub seconds: f64,
}

/// A batch's chain of multipliers takes at most this much device memory.
const CHAIN_BYTES: usize = 128 << 20;
/// With one row a sample, at most this many rows; with one a neuron, as many samples as the executor is best at.
const BATCH_ROWS: usize = 512;

/// Scores every gene. With `per_node`, the scores of each neuron are kept too.
///
/// # Errors
/// [`Error::Input`] where the store lacks genes of the model; [`Error::Usage`] for a sample count of 0;
/// [`Error::Device`].
pub fn attribute(
    executor: &mut dyn Executor,
    model: &Model,
    store: &Store,
    settings: &AttributeSettings,
    per_node: bool,
    report: Reporter,
) -> Result<Attribution> {
    attribute_among(&Ranks::alone(), executor, model, store, settings, per_node, report)
}

/// The same by several ranks, of which each goes through a part of the samples; all get the result. Contributions are added up in f32 by
/// each rank, as on one, and then in f64 in the order of the ranks.
///
/// # Errors
/// As [`attribute`]; [`Error::Ranks`].
pub fn attribute_among(
    ranks: &Ranks,
    executor: &mut dyn Executor,
    model: &Model,
    store: &Store,
    settings: &AttributeSettings,
    per_node: bool,
    report: Reporter,
) -> Result<Attribution> {
    ranked::same_work(ranks, model, store)?;
    let samples = chosen_samples(store, settings)?;
    let columns = match_genes(store, &model.genes)?;
    let reference = settings.reference.values(model, store, &samples, columns.as_deref())?;

    let genes = model.genes.len();
    let encoder = &model.layers[..model.encoder_layers()];
    let neurons = encoder[encoder.len() - 1].outputs;
    // The signed mean over neurons is linear, so one row a sample carries it.
    let average = settings.aggregate == Aggregate::Mean && !per_node;
    let seeds = if average { 1 } else { neurons };
    let widest = encoder.iter().map(|layer| layer.outputs).max().unwrap_or(1);
    let most = if average { BATCH_ROWS } else { executor.samples_at_once() };
    let (n, samples) = (samples.len(), samples[ranks.share(samples.len())].to_vec());
    let batch = (CHAIN_BYTES / (4 * seeds * widest)).clamp(1, most).min(samples.len().max(1));

    let kept = usize::from(per_node);
    Need::new()
        .with(format!("scores of {seeds} neurons by {genes} genes"), &[seeds, genes, 4, 4 + 2 * kept])
        .check("the attribution", "take a model with a narrower bottleneck, or allow more (--memory)")?;
    let network = Network::new(executor, encoder, settings.precision.element())?;
    let input = InputBuffers::new(executor, model)?;
    let reference = vector(executor, "reference", genes, &reference)?;
    let matrix =
        |executor: &mut dyn Executor, name: &str, rows, cols| executor.matrix(name, rows, cols, Element::F32);
    let x = matrix(executor, "input batch", batch, genes)?;
    let difference = matrix(executor, "input − reference", batch, genes)?;
    let scores = matrix(executor, "scores", seeds, genes)?;
    let sums = matrix(executor, "sums of contributions", seeds, batch)?;
    let part = samples.len();
    let feed = Feed::new(executor, store, samples, &model.genes, batch, Resident::Never, report)?;

    let mut recording = Recording::new();
    let at_reference = activations(executor, &mut recording, &network, reference, 1)?;
    let program = executor.compile(&recording)?;
    executor.run(program, &Step { rows: 1, ..Step::default() })?;
    let target = |layer: &Activations| match settings.target {
        Target::Pre => layer.pre,
        Target::Post => layer.post,
    };
    let at_end = target(&at_reference[encoder.len() - 1]);
    let reference_output = executor.read(at_end, 0, 1)?;

    let mut recording = Recording::new();
    recording.push(feed.gather(&input, x));
    recording.push(Call::Difference { input: x, reference, out: difference });
    let at_sample = activations(executor, &mut recording, &network, x, batch)?;
    let output = target(&at_sample[encoder.len() - 1]);
    let mut multipliers = Vec::new();
    for (layer, (sample, reference)) in network.layers.iter().zip(at_sample.iter().zip(&at_reference)) {
        let out = matrix(executor, "multipliers", batch, layer.weight.rows)?;
        let (input, reference) = (sample.pre, reference.pre);
        recording.push(Call::Multipliers { input, reference, activation: layer.activation, out });
        multipliers.push(out);
    }
    chain(
        executor,
        &mut recording,
        &network,
        &multipliers,
        settings.target,
        average,
        Epilogue::DeepLift { difference, fold: settings.aggregate.fold(), scores, sums },
    )?;
    let program = executor.compile(&recording)?;

    let mut completeness = Completeness::default();
    let order: Vec<u32> = (0..part as u32).collect();
    let started = Instant::now();
    report(Event::Started { task: "attributing".into(), total: Some(part as u64), unit: "samples" });
    feed.pass(executor, &order, |executor, part| {
        executor.run(program, &Step { rows: part.rows, first: part.first, ..Step::default() })?;
        let sums = executor.read(sums, 0, seeds)?;
        let outputs = executor.read(output, 0, part.rows)?;
        for (s, row) in outputs.chunks_exact(neurons).enumerate() {
            let difference = |k: usize| f64::from(row[k]) - f64::from(reference_output[k]);
            if average {
                let mean = (0..neurons).map(difference).sum::<f64>() / neurons as f64;
                completeness.add(sums[s], mean);
            } else {
                (0..neurons).for_each(|k| completeness.add(sums[k * batch + s], difference(k)));
            }
        }
        advance(report, (part.start + part.rows) as u64, "")?;
        Ok(())
    })?;
    report(Event::Finished);

    let folded = executor.read(scores, 0, seeds)?.into_iter().map(f64::from).collect();
    let folded = ranks.sum_f64(folded)?;
    let completeness = completeness.among(ranks)?;
    let seconds = started.elapsed().as_secs_f64();
    if let Some(gene) = folded.iter().position(|v| !v.is_finite()).map(|i| i % genes) {
        let half = match settings.precision {
            Precision::F16 => " of f16, which ends at 65,504; take --precision f32",
            Precision::F32 | Precision::Bf16 => "",
        };
        let message = format!(
            "the score of gene {} is not finite; the model's weights or the data are out of range{half}",
            model.genes[gene]
        );
        return Err(Error::Data(message));
    }
    let (scores, nodes) = aggregate(&folded, genes, n, settings.aggregate);
    if scores.iter().all(|score| *score == 0.0) {
        return Err(Error::Data(format!(
            "{}: every score is 0, so there is no ranking: the {n} samples are like the reference, or the model passes nothing on; give \
             another --reference, more samples, or a model that was trained",
            store.path().display()
        )));
    }
    Ok(Attribution {
        scores,
        per_node: per_node.then_some(nodes),
        neurons,
        samples: n,
        completeness,
        seconds,
    })
}

/// Pre- and post-activation of one layer, samples × width.
struct Activations {
    pre: Matrix,
    post: Matrix,
}

/// Records the encoder's forward pass, keeping pre-activations.
fn activations(
    executor: &mut dyn Executor,
    recording: &mut Recording,
    network: &Network,
    x: Matrix,
    rows: usize,
) -> Result<Vec<Activations>> {
    let mut below = x;
    let mut out = Vec::new();
    for layer in &network.layers {
        let width = layer.weight.rows;
        let pre = executor.matrix("pre-activations", rows, width, Element::F32)?;
        let post = executor.matrix("activations", rows, width, Element::F32)?;
        let epilogue = Epilogue::Layer {
            bias: layer.bias,
            activation: Activation::Linear,
            dropout: None,
            kept: None,
            out: pre,
        };
        recording.product("pre-activations", Layout::Nt, below, layer.weight, Element::F32, epilogue);
        recording.push(Call::Activate { input: pre, activation: layer.activation, out: post });
        out.push(Activations { pre, post });
        below = post;
    }
    Ok(out)
}

/// Records the multipliers' way from the bottleneck back to the genes; `last` consumes the last product.
fn chain(
    executor: &mut dyn Executor,
    recording: &mut Recording,
    network: &Network,
    multipliers: &[Matrix],
    target: Target,
    average: bool,
    last: Epilogue,
) -> Result<()> {
    let (layers, element) = (&network.layers, network.element);
    let deepest = layers.len() - 1;
    let samples = multipliers[deepest].rows;
    let neurons = layers[deepest].weight.rows;
    let rows = if average { samples } else { samples * neurons };
    let mut above = executor.matrix("seeds", rows, neurons, element)?;
    let seed = (target == Target::Post).then_some(multipliers[deepest]);
    recording.push(Call::Seeds { multipliers: seed, average, out: above, samples });
    for l in (1..layers.len()).rev() {
        let weight = layers[l].operand;
        let out = executor.matrix("chained multipliers", rows, weight.cols, element)?;
        let epilogue = Epilogue::Multiply { by: multipliers[l - 1], out };
        recording.product("chain", Layout::Nn, above, weight, element, epilogue);
        above = out;
    }
    recording.product("contributions", Layout::Nn, above, layers[0].operand, element, last);
    Ok(())
}

/// (one score a gene, mean over samples by neuron and gene) from sums over samples.
fn aggregate(folded: &[f64], genes: usize, samples: usize, aggregate: Aggregate) -> (Vec<f64>, Vec<f32>) {
    let seeds = folded.len() / genes;
    let mut scores = vec![0.0f64; genes];
    for row in folded.chunks_exact(genes) {
        for (score, value) in scores.iter_mut().zip(row) {
            let mean = *value / samples as f64;
            *score += if aggregate == Aggregate::AbsMean { mean.abs() } else { mean };
        }
    }
    let root = |x: f64| if aggregate == Aggregate::Rms { x.sqrt() } else { x };
    scores.iter_mut().for_each(|score| *score = root(*score / seeds as f64));
    let nodes = folded.iter().map(|value| root(*value / samples as f64) as f32).collect();
    (scores, nodes)
}

fn chosen_samples(store: &Store, settings: &AttributeSettings) -> Result<Vec<usize>> {
    let mut samples: Vec<usize> = (0..store.n_samples()).collect();
    match settings.samples {
        Some(0) => return Err(Error::Usage("--samples must be at least 1".into())),
        Some(n) if n < samples.len() => {
            Stream::new(settings.seed, "attributed samples", 0).shuffle(&mut samples);
            samples.truncate(n);
            samples.sort_unstable();
        }
        _ => {}
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::nn::model::{Input, Layer};
    use crate::testing::{Listener, random_store};

    fn settings(samples: usize, seed: u64) -> AttributeSettings {
        AttributeSettings { samples: Some(samples), seed, ..AttributeSettings::standard() }
    }

    #[test]
    fn samples_are_drawn_from_all() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 20, 2);
        let mut times = [0; 20];
        for seed in 0..60 {
            let drawn = chosen_samples(&store, &settings(5, seed)).unwrap();
            assert!(drawn.len() == 5 && drawn.is_sorted_by(|a, b| a < b), "{drawn:?}");
            drawn.iter().for_each(|sample| times[*sample] += 1);
        }
        // 15 times each, give or take 3.4
        assert!(times.iter().all(|times| (4..=28).contains(times)), "{times:?}");
        for all in [20, 21] {
            assert_eq!(chosen_samples(&store, &settings(all, 1)).unwrap(), (0..20).collect::<Vec<_>>());
        }
        assert!(chosen_samples(&store, &settings(0, 1)).is_err());
    }

    /// A linear encoder's contributions are (x − x₀)·w, with x₀ of the samples that are attributed.
    #[test]
    fn the_reference_is_of_the_attributed_samples() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 9, 3);
        let (weight, scales) = ([0.5f32, -1.0, 2.0, 1.5, 0.25, -0.75], [2.0f32, 1.0, 0.5]);
        let layer = |inputs, outputs, weight: Vec<f32>| Layer {
            inputs,
            outputs,
            weight,
            bias: vec![0.1; outputs],
            activation: Activation::Linear,
        };
        let layers = vec![layer(3, 2, weight.to_vec()), layer(2, 3, vec![1.0; 6])];
        let input = Input { offset: vec![0.5; 3], scale: scales.to_vec(), median: vec![0.0; 3] };
        let genes = store.genes().ids.clone();
        let model = Model { layers, input, genes, config: serde_json::Value::Null };
        let value = |sample: usize, gene: usize| {
            let mut row = [0.0; 3];
            store.read_row(sample, &mut row);
            row[gene]
        };
        for (reference, samples) in [(Reference::Mean, 4), (Reference::Median, 3), (Reference::Mean, 9)] {
            let settings = AttributeSettings { reference: reference.clone(), ..settings(samples, 2) };
            let chosen = chosen_samples(&store, &settings).unwrap();
            let mut executor = CpuExecutor::open(Some(1)).unwrap();
            let listener = Listener::default();
            let report = |event| listener.hear(event);
            let found = attribute(&mut executor, &model, &store, &settings, false, &report).unwrap();
            assert_eq!((found.samples, found.neurons), (samples, 2));
            assert_eq!(listener.tasks(), ["attributing"]);
            let Completeness { worst_error, scale } = found.completeness;
            assert!(worst_error < 1e-5 && scale > 0.1, "{worst_error} of {scale}");
            for gene in 0..3 {
                let mut values: Vec<f32> = chosen.iter().map(|s| value(*s, gene)).collect();
                values.sort_by(f32::total_cmp);
                let n = values.len() as f32;
                let zero =
                    if reference == Reference::Mean { values.iter().sum::<f32>() / n } else { values[1] };
                let spread = values.iter().map(|x| (x - zero).abs()).sum::<f32>() / n * scales[gene];
                let want = spread * (weight[gene].abs() + weight[3 + gene].abs()) / 2.0;
                let score = found.scores[gene] as f32;
                assert!((score - want).abs() < 1e-5, "{reference:?} of {samples}: {score}, not {want}");
            }
        }
    }

    #[test]
    fn several_ranks_attribute_what_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 11, 5);
        let shape = crate::nn::model::Shape {
            genes: 5,
            hidden: vec![4, 2, 4],
            activation: Activation::Sigmoid,
            output_activation: Activation::Linear,
        };
        let input = Input { offset: vec![0.5; 5], scale: vec![2.0; 5], median: vec![0.0; 5] };
        let model = Model::initial(&shape, store.genes().ids.clone(), input, 7, serde_json::Value::Null);
        for aggregate in [Aggregate::MeanAbs, Aggregate::AbsMean, Aggregate::Mean, Aggregate::Rms] {
            let settings = AttributeSettings { aggregate, ..AttributeSettings::standard() };
            let run = |ranks: Ranks| {
                let mut executor = CpuExecutor::open(Some(1)).unwrap();
                let report = &crate::progress::silent;
                attribute_among(&ranks, &mut executor, &model, &store, &settings, true, report).unwrap()
            };
            let alone = run(Ranks::alone());
            // of 12 ranks one has no sample
            for size in [2, 3, 12] {
                for found in Ranks::of_threads(size, run) {
                    assert_eq!((found.samples, found.neurons), (11, 2));
                    assert!(found.completeness.worst_error < 1e-5, "{:?}", found.completeness);
                    assert_eq!(found.completeness.scale, alone.completeness.scale);
                    let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * b.abs().max(0.1);
                    let nodes = found.per_node.as_ref().unwrap().iter().zip(alone.per_node.as_ref().unwrap());
                    assert!(nodes.clone().all(|(a, b)| near(f64::from(*a), f64::from(*b))));
                    let scores = found.scores.iter().zip(&alone.scores);
                    scores.for_each(|(a, b)| {
                        assert!(near(*a, *b), "{aggregate:?}, {size} ranks: {a}, not {b}")
                    });
                }
            }
        }
        let other = random_store(&dir.path().join("y.gex"), 12, 5);
        let refused = Ranks::of_threads(2, |ranks| {
            let mut executor = CpuExecutor::open(Some(1)).unwrap();
            let (settings, report) = (AttributeSettings::standard(), &crate::progress::silent);
            let store = if ranks.is_first() { &store } else { &other };
            attribute_among(&ranks, &mut executor, &model, store, &settings, false, report)
                .unwrap_err()
                .to_string()
        });
        assert_eq!(refused[0], refused[1]);
        assert!(
            refused[0].contains("rank 1") && refused[0].contains("the checksum of the data"),
            "{}",
            refused[0]
        );
    }
}
