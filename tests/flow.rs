//! The promises about training and what follows it: same bytes, resumption, divergence, precision, use of a
//! trained model. On every executor.

mod common;
#[path = "common/executors.rs"]
mod executors;
#[path = "common/failing.rs"]
mod failing;
#[path = "../examples/library.rs"]
mod library;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::example_store;
use executors::{executors, in_half};
use failing::Failing;
use genelift::attribution::{AttributeSettings, Reference, ScoreTable, attribute};
use genelift::device::Executor;
use genelift::device::recording::{Activation, Element, Loss};
use genelift::genes::sidecar::Made;
use genelift::nn::apply;
use genelift::nn::checkpoint::Checkpoint;
use genelift::nn::feed::Resident;
use genelift::nn::model::Model;
use genelift::nn::scaling::{self, Scale};
use genelift::nn::settings::{Precision, TrainSettings};
use genelift::nn::train::{CheckpointPlan, Found, Trained, Training, hold_out, train};
use genelift::progress::{Event, silent};
use genelift::ranks::Ranks;
use genelift::store::{Origin, Store, StoreWriter};
use genelift::{Error, select};

const GENES: usize = 203;
const SAMPLES: usize = 107;

fn small() -> TrainSettings {
    TrainSettings { hidden: vec![37, 9, 37], batch: 16, epochs: 4, seed: 5, ..TrainSettings::standard() }
}

fn training<'a>(store: &'a Store, settings: TrainSettings, resident: Resident) -> Training<'a> {
    let samples = (0..store.n_samples()).collect();
    Training {
        store,
        samples,
        validation: None,
        settings,
        resident,
        init: None,
        checkpoint: None,
        history: None,
        ranks: Ranks::alone(),
    }
}

fn trained(executor: &mut dyn Executor, training: &Training) -> Trained {
    executor.reset();
    train(executor, training, &silent).unwrap()
}

fn bytes(model: &Model, dir: &Path) -> Vec<u8> {
    let path = dir.join("bytes.safetensors");
    model.save(&path, true).unwrap();
    std::fs::read(&path).unwrap()
}

#[test]
fn one_seed_gives_one_model_scores_and_landmarks_resident_or_streamed() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    for mut executor in executors() {
        let mut outcomes = Vec::new();
        for resident in [Resident::Always, Resident::Never, Resident::Always] {
            let run = trained(&mut *executor, &training(&store, small(), resident));
            assert_eq!(run.resident, resident == Resident::Always);
            executor.reset();
            let settings = AttributeSettings::standard();
            let result = attribute(&mut *executor, &run.model, &store, &settings, false, &silent).unwrap();
            let scores = ScoreTable::rank(store.genes(), &result.scores);
            let (a, b) = (dir.path().join("scores.tsv"), dir.path().join("landmarks.tsv"));
            scores.write(&a, true, Made::default()).unwrap();
            select::top(&scores, 50, &[], &[]).unwrap().write(&b, true, Made::default()).unwrap();
            let files = [std::fs::read(a).unwrap(), std::fs::read(b).unwrap()];
            outcomes.push((bytes(&run.model, dir.path()), files));
        }
        assert!(outcomes.iter().all(|o| *o == outcomes[0]), "{}", executor.name());
        let other = TrainSettings { seed: 6, ..small() };
        let other = trained(&mut *executor, &training(&store, other, Resident::Always));
        assert_ne!(bytes(&other.model, dir.path()), outcomes[0].0, "the seed must matter");
    }
}

/// What an epoch's row tells of the numbers, without the times.
fn figures(run: &Trained) -> Vec<(u64, f64, f64, f64)> {
    run.history.iter().map(|e| (e.epoch, e.train_loss, e.penalty, e.train_mae)).collect()
}

#[test]
fn a_run_that_lost_its_device_resumes_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let path = dir.path().join("model.checkpoint.safetensors");
    for mut executor in executors() {
        let whole = trained(&mut *executor, &training(&store, small(), Resident::Auto));
        let plan = |found| CheckpointPlan { path: path.clone(), every: Duration::ZERO, found };
        executor.reset();
        // 7 steps and 1 run of the norms an epoch: the third epoch breaks off in its middle.
        let mut failing = Failing::lost_after(2 * 8 + 3, &mut *executor);
        let broken =
            Training { checkpoint: Some(plan(Found::Replace)), ..training(&store, small(), Resident::Never) };
        assert!(matches!(train(&mut failing, &broken, &silent), Err(Error::Device { .. })));
        let left = Checkpoint::load(&path).unwrap();
        assert_eq!(
            (left.history.len(), left.losses.len() / 2),
            (2, 3),
            "it goes on in the middle of the epoch"
        );

        let other = TrainSettings { l2: 0.0, ..small() };
        let other =
            Training { checkpoint: Some(plan(Found::GoOn)), ..training(&store, other, Resident::Auto) };
        executor.reset();
        let refused = train(&mut *executor, &other, &silent).unwrap_err().to_string();
        assert!(refused.contains("other settings or data"), "{refused}");

        let again =
            Training { checkpoint: Some(plan(Found::GoOn)), ..training(&store, small(), Resident::Auto) };
        let resumed = trained(&mut *executor, &again);
        assert_eq!(figures(&resumed), figures(&whole), "{}", executor.name());
        assert_eq!(bytes(&resumed.model, dir.path()), bytes(&whole.model, dir.path()), "{}", executor.name());
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_loss_that_leaves_the_numbers_stops_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let settings =
        TrainSettings { learning_rate: 1e20, activation: Activation::Relu, loss: Loss::Mse, ..small() };
    for mut executor in executors() {
        executor.reset();
        let result = train(&mut *executor, &training(&store, settings.clone(), Resident::Auto), &silent);
        match result.unwrap_err() {
            Error::Diverged { step, epoch, tensor } => {
                assert!((1..=7).contains(&step) && epoch == 1, "step {step}, epoch {epoch}");
                assert!(tensor.starts_with("layers.") || tensor == "the loss", "{tensor}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn half_precision_follows_single_precision() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    for (mut executor, half) in in_half() {
        let mut run = |precision| {
            let settings = TrainSettings { precision, epochs: 8, ..small() };
            let training = Training {
                validation: Some((&store, (0..40).collect())),
                ..training(&store, settings, Resident::Auto)
            };
            trained(&mut *executor, &training).history
        };
        let (single, half) = (run(Precision::F32), run(half));
        for (a, b) in single.iter().zip(&half) {
            assert!((a.train_loss - b.train_loss).abs() < 0.01 * a.train_loss, "{a:?} {b:?}");
        }
        let (a, b) = (single[7].validation_mae.unwrap(), half[7].validation_mae.unwrap());
        assert!((a - b).abs() < 0.01 * a, "validation MAE {a} in f32, {b} in half precision");
        assert_ne!(single[7].train_loss, half[7].train_loss, "half precision must not be f32");
    }
}

#[test]
fn a_gpu_refuses_bf16_and_says_what_to_take() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let settings = TrainSettings { precision: Precision::Bf16, ..small() };
    for mut executor in executors().into_iter().filter(|executor| !executor.is_on_host()) {
        let training = training(&store, settings.clone(), Resident::Auto);
        // at once: with less on the device it would be refused too
        let warned = AtomicBool::new(false);
        let report = |event| _ = warned.fetch_or(matches!(event, Event::Warning(_)), Ordering::Relaxed);
        match train(&mut *executor, &training, &report) {
            Err(Error::Usage(message)) => {
                assert!(message.contains("--precision f16 or --device cpu"), "{message}");
            }
            other => panic!("{:?}", other.map(|_| ())),
        }
        assert!(!warned.into_inner());
    }
}

#[test]
fn scaling_sees_training_samples_only_and_every_kind_of_it_trains() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let (samples, held) = hold_out(store.n_samples(), 0.25, 3).unwrap();
    assert_eq!((samples.len(), held.len()), (80, 27));
    let mut all = [samples.clone(), held.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..SAMPLES).collect::<Vec<_>>());
    for mut executor in executors() {
        for scale in [Scale::Minmax, Scale::Zscore, Scale::None] {
            let settings = TrainSettings { scale, ..small() };
            let run = Training {
                samples: samples.clone(),
                validation: Some((&store, held.clone())),
                ..training(&store, settings, Resident::Auto)
            };
            let run = trained(&mut *executor, &run);
            assert_eq!(run.model.input, scaling::fit(&store, &samples, scale));
            let (first, last) = (&run.history[0], &run.history[3]);
            assert!(last.train_loss < first.train_loss && last.validation_loss < first.validation_loss);
            // In the store's units: the data term of `none` is that MAE itself.
            if scale == Scale::None {
                assert!((last.train_mae - last.train_loss).abs() < 1e-5 * last.train_loss);
            }
        }
    }
}

#[test]
fn zero_epochs_write_the_initial_model_and_init_goes_on_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    for mut executor in executors() {
        let nothing = TrainSettings { epochs: 0, ..small() };
        let initial = trained(&mut *executor, &training(&store, nothing, Resident::Auto)).model;
        let direct = trained(&mut *executor, &training(&store, small(), Resident::Auto)).model;
        let init = Training { init: Some(initial.clone()), ..training(&store, small(), Resident::Auto) };
        let onward = trained(&mut *executor, &init).model;
        assert_ne!(initial.layers, direct.layers);
        assert_eq!(onward.layers, direct.layers);
    }
}

#[test]
fn a_model_is_applied_by_gene_id_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    // The same samples with the genes reversed and one gene more.
    let order: Vec<usize> = (0..GENES).rev().collect();
    let path = dir.path().join("reversed.gex");
    let mut writer = StoreWriter::create(&path, GENES + 1, Element::F32, false).unwrap();
    let mut row = vec![0.0; GENES];
    for sample in 0..SAMPLES {
        store.read_row(sample, &mut row);
        let mut reversed: Vec<f32> = order.iter().map(|g| row[*g]).collect();
        reversed.push(-1.0);
        writer.push_rows(&reversed).unwrap();
    }
    let mut genes = store.genes().select(&order);
    genes.ids.push("another".into());
    genes.columns.iter_mut().for_each(|(_, values)| values.push(String::new()));
    let reversed = writer.finish(genes, store.samples().clone(), Origin::default()).unwrap();

    for mut executor in executors() {
        let model = trained(&mut *executor, &training(&store, small(), Resident::Auto)).model;
        let settings = AttributeSettings { reference: Reference::Median, ..AttributeSettings::paper() };
        let mut scores = |store: &Store| {
            executor.reset();
            attribute(&mut *executor, &model, store, &settings, false, &silent).unwrap().scores
        };
        assert_eq!(scores(&store), scores(&reversed));

        executor.reset();
        let evaluation = apply::evaluate(&mut *executor, &model, &reversed, &silent).unwrap();
        executor.reset();
        let out = dir.path().join("reconstruction.gex");
        let reconstruction =
            apply::reconstruct(&mut *executor, &model, &reversed, &out, true, &silent).unwrap();
        assert_eq!(reconstruction.genes().ids, store.genes().ids);
        let (mut x, mut y, mut error, mut baseline) = (vec![0.0; GENES], vec![0.0; GENES], 0.0, 0.0);
        for sample in 0..SAMPLES {
            store.read_row(sample, &mut x);
            reconstruction.read_row(sample, &mut y);
            for g in 0..GENES {
                error += f64::from((x[g] - y[g]).abs());
                baseline += f64::from((x[g] - model.input.median[g]).abs());
            }
        }
        let summary = evaluation.summary();
        let values = (SAMPLES * GENES) as f64;
        assert!((summary.mae - error / values).abs() < 1e-6, "{summary:?}");
        assert!((summary.baseline_mae - baseline / values).abs() < 1e-6, "{summary:?}");

        executor.reset();
        let table = dir.path().join("embedding.tsv");
        apply::embed(&mut *executor, &model, (&reversed, &[]), &table, true, &silent).unwrap();
        let text = std::fs::read_to_string(&table).unwrap();
        assert_eq!(text.lines().count(), SAMPLES + 1);
        assert!(text.lines().all(|line| line.split('\t').count() == 10));
        assert!(text.starts_with("sample_id\tneuron_1\t"));

        let mut lacking = model.clone();
        lacking.genes[7] = "ABSENT".into();
        executor.reset();
        let message = apply::evaluate(&mut *executor, &lacking, &store, &silent).unwrap_err().to_string();
        assert!(message.contains("1 of the model's 203 genes") && message.contains("ABSENT"), "{message}");
    }
}

/// The example for programs that have their matrix in memory does what it says.
#[test]
fn a_program_goes_from_its_own_matrix_to_a_comparison() {
    let text = library::flow().unwrap();
    assert!(text.starts_with("test: 36 samples, "), "{text}");
    for set in ["diverse", "top", "random-8"] {
        assert!(text.lines().any(|line| line.starts_with(set)), "{text}");
    }
    let body = include_str!("../examples/library.rs").split("pub fn flow").nth(1).unwrap();
    assert!(body.lines().take_while(|line| *line != "}").count() < 30);
}
