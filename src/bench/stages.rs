//! The stages, each through the call that its command makes.

use std::time::Instant;

use super::work::{self, Work};
use super::{BenchSettings, Measured};
use crate::attribution::{AttributeSettings, attribute};
use crate::device::Executor;
use crate::error::Result;
use crate::evaluate::{Pairs, permutation as permutation_test};
use crate::infer::{FitSettings, Method, MlpSettings, Predictor};
use crate::nn::feed::Resident;
use crate::nn::model::{Model, Shape};
use crate::nn::scaling;
use crate::nn::settings::{Precision, TrainSettings};
use crate::nn::train::{Training, train as train_network};
use crate::prepare::{DedupSettings, kmeans};
use crate::progress::Reporter;
use crate::ranks::Ranks;
use crate::select::columns::Columns;
use crate::select::diverse::Penalty;
use crate::select::{Constraints, DiverseSettings, diverse};
use crate::store::Store;

/// Seconds that are not counted at first: an idle GPU runs at a fifth of its clock, and takes some hundred milliseconds of work to come to rest.
const WARM: f64 = 1.0;

/// Times `rounds` calls of `run`.
fn timed(rounds: usize, mut run: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    (0..rounds)
        .map(|_| {
            let start = Instant::now();
            run()?;
            Ok(start.elapsed().as_secs_f64())
        })
        .collect()
}

/// What the names of stages in half precision end with.
fn half(settings: &BenchSettings) -> &'static str {
    match settings.precision {
        Precision::F32 => "",
        Precision::Bf16 => ", bf16",
        Precision::F16 => ", f16",
    }
}

fn widths(store: &Store, settings: &BenchSettings) -> Vec<usize> {
    [&[store.n_genes()], &settings.hidden[..], &[store.n_genes()]].concat()
}

/// Epochs over all samples, resident where they fit.
pub fn train(
    executor: &mut dyn Executor,
    store: &Store,
    settings: &BenchSettings,
    report: Reporter,
) -> Result<Vec<Measured>> {
    let n = store.n_samples();
    let epochs = |executor: &mut dyn Executor, batch: usize, epochs: usize| {
        executor.reset();
        let training = Training {
            store,
            samples: (0..n).collect(),
            validation: None,
            settings: TrainSettings {
                hidden: settings.hidden.clone(),
                batch,
                epochs,
                precision: settings.precision,
                ..TrainSettings::standard()
            },
            resident: Resident::Auto,
            init: None,
            checkpoint: None,
            history: None,
            ranks: Ranks::alone(),
        };
        Ok(train_network(executor, &training, report)?.history)
    };
    let mut all = Vec::new();
    for batch in &settings.batches {
        let warm = match executor.is_on_host() {
            true => 1,
            false => {
                let history = epochs(executor, *batch, 3)?;
                ((WARM / history[2].seconds).ceil() as usize).clamp(3, 1000)
            }
        };
        let history = epochs(executor, *batch, settings.rounds + warm)?;
        all.push(Measured {
            name: format!("training, batch {batch}{}", half(settings)),
            unit: "samples",
            items: n,
            work: vec![work::training(&widths(store, settings), n, *batch, 3.0)],
            device_memory: executor.allocated(),
            seconds: history[warm..].iter().map(|epoch| epoch.seconds).collect(),
        });
    }
    Ok(all)
}

/// Mean-abs scores of all bottleneck neurons, an untrained network's: the work is the same.
pub fn deeplift(
    executor: &mut dyn Executor,
    store: &Store,
    settings: &BenchSettings,
    report: Reporter,
) -> Result<Vec<Measured>> {
    let samples: Vec<usize> = (0..store.n_samples()).collect();
    let standard = TrainSettings::standard();
    let shape = Shape {
        genes: store.n_genes(),
        hidden: settings.hidden.clone(),
        activation: standard.activation,
        output_activation: standard.output_activation,
    };
    let input = scaling::fit(store, &samples, standard.scale);
    let config = serde_json::Value::Null;
    let model = Model::initial(&shape, store.genes().ids.clone(), input, 0, config);
    let attribution = AttributeSettings {
        samples: Some(settings.attributed),
        precision: settings.precision,
        ..AttributeSettings::standard()
    };
    let mut seconds = Vec::new();
    let (begin, warm) = (Instant::now(), if executor.is_on_host() { 0.0 } else { WARM });
    let mut rested = false;
    while seconds.len() < settings.rounds {
        executor.reset();
        let made = attribute(executor, &model, store, &attribution, false, report)?;
        // the first is never counted
        if rested {
            seconds.push(made.seconds);
        }
        rested = begin.elapsed().as_secs_f64() >= warm;
    }
    let encoder = [&[store.n_genes()], &settings.hidden[..model.encoder_layers()]].concat();
    Ok(vec![Measured {
        name: format!("DeepLIFT, all {} neurons{}", encoder[encoder.len() - 1], half(settings)),
        unit: "samples",
        items: settings.attributed,
        work: vec![work::deeplift(&encoder, settings.attributed, settings.attributed)],
        device_memory: executor.allocated(),
        seconds,
    }])
}

/// Epochs of a D-GEX network of one hidden layer of 1,000; from the store to the fitted predictor.
pub fn predictor(
    executor: &mut dyn Executor,
    store: &Store,
    settings: &BenchSettings,
    report: Reporter,
) -> Result<Vec<Measured>> {
    const EPOCHS: usize = 5;
    let (genes, landmarks) = (store.n_genes(), settings.landmarks);
    let (measured, inferred): (Vec<usize>, Vec<usize>) = (0..genes).partition(|gene| *gene < landmarks);
    let mlp = MlpSettings { epochs: EPOCHS, validation: 0.0, ..MlpSettings::default() };
    // whole batches where there is one: a small one more moves all weights for a few samples, which of many batches nobody notices
    let n = match store.n_samples() {
        all if all < mlp.batch => all,
        all => all / mlp.batch * mlp.batch,
    };
    let samples: Vec<usize> = (0..n).collect();
    let fit = FitSettings { method: Method::Mlp, mlp: mlp.clone(), ..FitSettings::default() };
    let seconds = timed(settings.rounds, || {
        Predictor::fit(executor, store, &samples, &measured, &inferred, &fit, report).map(drop)
    })?;
    let widths = [&[landmarks], &mlp.hidden[..], &[genes - landmarks]].concat();
    let training = work::training(&widths, n, mlp.batch, 2.0);
    // before training and after each epoch the training samples are looked at once more
    let look: f64 = widths.windows(2).map(|w| 2.0 * w[0] as f64 * w[1] as f64).sum::<f64>() * n as f64;
    Ok(vec![Measured {
        name: format!("D-GEX, {landmarks} landmarks, 1000 units"),
        unit: "samples",
        items: EPOCHS * n,
        work: vec![
            Work { flop: training.flop + look, ..training }.times(EPOCHS as f64),
            Work { flop: look, bytes: 0.0, double: false },
        ],
        device_memory: executor.allocated(),
        seconds,
    }])
}

/// The greedy of `diverse` at equal penalties, on the CPU whatever the device: the factor analysis comes on top.
pub fn select(store: &Store, settings: &BenchSettings, report: Reporter) -> Result<Vec<Measured>> {
    let samples: Vec<usize> = (0..settings.selected_from).collect();
    let (x, _) = Columns::standardized(store, &samples);
    let constraints = Constraints::new(store.genes(), settings.landmarks, &[], &[])?;
    let penalty = Penalty::Equal;
    let chosen = DiverseSettings { penalty, ridge: penalty.ridge(), ..DiverseSettings::default() };
    let seconds = timed(settings.rounds, || {
        diverse(&x, x.gram(), &chosen, &store.genes().ids, &constraints, report).map(drop)
    })?;
    Ok(vec![Measured {
        name: format!("diverse, {} samples", samples.len()),
        unit: "landmarks",
        items: settings.landmarks,
        work: work::greedy(samples.len(), store.n_genes(), settings.landmarks).to_vec(),
        device_memory: 0,
        seconds,
    }])
}

/// The test of all genes against themselves shifted by one sample.
pub fn permutation(
    executor: &mut dyn Executor,
    store: &Store,
    settings: &BenchSettings,
    report: Reporter,
) -> Result<Vec<Measured>> {
    let (n, genes) = (settings.selected_from, store.n_genes());
    let mut pairs = Pairs::new(genes);
    let (mut row, mut next) = (vec![0.0; genes], vec![0.0; genes]);
    for sample in 0..n {
        store.read_row(sample, &mut row);
        store.read_row((sample + 1) % n, &mut next);
        pairs.add(&row, &next)?;
    }
    let seconds = timed(settings.rounds, || permutation_test(executor, &mut pairs, report).map(drop))?;
    Ok(vec![Measured {
        name: format!("permutation test, {n} samples"),
        unit: "genes",
        items: genes,
        work: vec![work::permutation(genes, n)],
        device_memory: executor.allocated(),
        seconds,
    }])
}

/// Clusters of all samples, as many as `prepare --dedup` makes.
pub fn kmeans(
    executor: &mut dyn Executor,
    store: &Store,
    settings: &BenchSettings,
    report: Reporter,
) -> Result<Vec<Measured>> {
    let (n, genes, clusters) = (store.n_samples(), store.n_genes(), DedupSettings::default().clusters);
    let (batch, batches) = kmeans::batches(n, genes, clusters);
    let seconds = timed(settings.rounds, || kmeans::cluster(store, executor, clusters, 0, report).map(drop))?;
    Ok(vec![Measured {
        name: format!("k-means, {clusters} centres"),
        unit: "samples",
        items: batches * batch + n,
        work: work::kmeans(batches * batch, n, batch, genes, clusters).to_vec(),
        device_memory: executor.allocated(),
        seconds,
    }])
}
