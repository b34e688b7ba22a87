//! The concrete autoencoder's recorded gradient against finite differences, and what it selects.

mod common;
#[path = "common/executors.rs"]
mod executors;

use common::example_store;
use executors::executors;
use genelift::device::Executor;
use genelift::device::random::{Stream, gumbel_words};
use genelift::device::recording::{
    Activation, Call, Element, Epilogue, Layout, Loss, Matrix, Recording, Step, Update,
};
use genelift::progress::silent;
use genelift::select::{ConcreteSettings, Constraints, concrete};

const TEMPERATURE: f32 = 0.8;
const SEED: u64 = 0x1234_5678_9ABC;

/// Mean squared error of a linear decoder behind selectors with the noise of step 1, all in f64.
fn objective(logits: &[f64], weight: &[f64], batch: &[f64], genes: usize) -> f64 {
    let n = logits.len() / genes;
    let mut selection = Vec::new();
    for (r, row) in logits.chunks_exact(genes).enumerate() {
        let noisy = |c: usize| {
            let word = gumbel_words(SEED, 1, r as u32, (c / 4) as u32)[c % 4];
            let u = (f64::from(word >> 9) + 0.5) / 8_388_608.0;
            ((row[c] - (-u.ln()).ln()) / f64::from(TEMPERATURE)).exp()
        };
        let powers: Vec<f64> = (0..genes).map(noisy).collect();
        let sum: f64 = powers.iter().sum();
        selection.extend(powers.iter().map(|p| p / sum));
    }
    let mut total = 0.0;
    for x in batch.chunks_exact(genes) {
        let z: Vec<f64> =
            selection.chunks_exact(genes).map(|m| m.iter().zip(x).map(|(m, x)| m * x).sum()).collect();
        for (w, x) in weight.chunks_exact(n).zip(x) {
            total += (w.iter().zip(&z).map(|(w, z)| w * z).sum::<f64>() - x).powi(2);
        }
    }
    total / batch.len() as f64
}

#[test]
fn the_gradient_of_the_logits_matches_finite_differences() {
    let (genes, n, samples) = (23, 5, 9);
    let mut stream = Stream::new(3, "concrete test", 0);
    let mut draw = |count: usize, size: f64| -> Vec<f64> {
        (0..count).map(|_| f64::from((size * (2.0 * stream.uniform() - 1.0)) as f32)).collect()
    };
    let (mut logits, weight, batch) =
        (draw(n * genes, 2.0), draw(genes * n, 1.0), draw(samples * genes, 1.5));
    for mut device in executors() {
        let got = recorded(&mut *device, [&logits, &weight, &batch], genes, samples);
        let largest = got.iter().fold(0.0f64, |most, g| most.max(f64::from(g.abs())));
        assert!(largest.is_finite() && largest > 1e-3, "{largest}");
        let h = 1e-5;
        for i in 0..logits.len() {
            let old = logits[i];
            let mut at = |change: f64| {
                logits[i] = old + change;
                objective(&logits, &weight, &batch, genes)
            };
            let want = (at(h) - at(-h)) / (2.0 * h);
            logits[i] = old;
            let error = (f64::from(got[i]) - want).abs();
            assert!(error <= 1e-4 * largest, "{}: logit {i}: {}, expected {want}", device.name(), got[i]);
        }
    }
}

/// The logits' gradient as an executor computes it.
fn recorded(device: &mut dyn Executor, values: [&[f64]; 3], genes: usize, samples: usize) -> Vec<f32> {
    let [logits, weight, batch] = values;
    let n = logits.len() / genes;
    // two rows more than the batch has samples: they must not count
    let rows = samples + 2;
    let mut filled = |rows: usize, cols: usize, values: &[f64]| -> Matrix {
        let matrix = device.matrix("test", rows, cols, Element::F32).expect("room");
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        device.write(matrix, 0, &values).expect("written");
        matrix
    };
    let (source, weight, logits) =
        (filled(samples, genes, batch), filled(genes, n, weight), filled(n, genes, logits));
    let [zero, one] = [0.0, 1.0].map(|value| filled(1, genes, &vec![value; genes]));
    let [x, gradient] = [0, 1].map(|_| filled(rows, genes, &[]));
    let [z, below] = [0, 1].map(|_| filled(rows, n, &[]));
    let [selection, back, out] = [0, 1, 2].map(|_| filled(n, genes, &[]));
    let table = filled(1, 2, &[]);
    let mut recording = Recording::new();
    recording.push(Call::Gather { source, index: None, offset: zero, scale: one, out: x });
    recording.push(Call::Concrete { logits, out: selection });
    recording.product("selection", Layout::Nt, x, selection, Element::F32, Epilogue::Store { out: z });
    let loss = Epilogue::Loss {
        bias: zero,
        activation: Activation::Linear,
        target: x,
        loss: Loss::Mse,
        gradient: Some(gradient),
        unit: one,
        table,
    };
    recording.product("loss", Layout::Nt, z, weight, Element::F32, loss);
    recording.product("backward", Layout::Nn, gradient, weight, Element::F32, Epilogue::Store { out: below });
    recording.product(
        "selection gradient",
        Layout::Tn,
        below,
        x,
        Element::F32,
        Epilogue::Store { out: back },
    );
    let update = Update::Store { value: logits, out, l2: 0.0 };
    recording.push(Call::ConcreteGradient { selection, gradient: back, update });
    let program = device.compile(&recording).expect("compiled");
    let step = Step {
        rows: samples,
        seed: SEED,
        gradient_scale: 1.0 / (samples * genes) as f32,
        temperature: TEMPERATURE,
        ..Step::default()
    };
    device.run(program, &step).expect("run");
    device.read(out, 0, n).expect("read")
}

#[test]
fn it_settles_on_distinct_genes_keeps_to_the_lists_and_repeats_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), 120, 90);
    let samples: Vec<usize> = (0..120).collect();
    let settings = ConcreteSettings { epochs: 60, learning_rate: 0.05, ..ConcreteSettings::default() };
    let constraints = Constraints::new(store.genes(), 8, &[70, 11], &[0, 1, 2, 3]).unwrap();
    for mut device in executors() {
        let mut select = |settings: &ConcreteSettings| {
            device.reset();
            concrete(&mut *device, &store, &samples, &constraints, settings, &silent).unwrap()
        };
        let picks = select(&settings);
        assert_eq!(picks.genes[..2], [11, 70]);
        let mut genes = picks.genes.clone();
        genes.sort_unstable();
        genes.dedup();
        assert!(genes.len() == 8 && genes[0] > 3, "{genes:?}");
        let scores = &picks.scores;
        assert!(scores[2..].is_sorted_by(|a, b| a >= b) && scores[4] > 0.5, "{scores:?}");
        assert_eq!(select(&settings), picks, "the same seed gives the same genes");
        assert_ne!(select(&ConcreteSettings { seed: 1, ..settings.clone() }), picks);
        let deep = ConcreteSettings { hidden: vec![20], epochs: 3, ..settings.clone() };
        assert_eq!(select(&deep).genes.len(), 8);
    }
}
