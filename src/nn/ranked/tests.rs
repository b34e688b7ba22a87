//! Ranks that are threads, held against one rank: same samples, same batches, same masks, so the same losses but for rounding.

use std::time::Duration;

use super::*;
use crate::device::cpu::CpuExecutor;
use crate::device::gpu::{Choice, GpuExecutor, Options};
use crate::nn::feed::Resident;
use crate::nn::settings::{Optimizer, Precision, TrainSettings};
use crate::nn::train::{CheckpointPlan, Found, Trained, Training, train};
use crate::progress::silent;
use crate::testing::random_store;

/// Of 29 samples, four batches of 7 and one of a single sample, of which most ranks have none.
const SAMPLES: usize = 29;

fn settings() -> TrainSettings {
    TrainSettings {
        hidden: vec![6, 3, 6],
        batch: 7,
        epochs: 3,
        dropout: 0.3,
        l2: 1e-3,
        learning_rate: 1e-2,
        ..TrainSettings::standard()
    }
}

fn cpu() -> Box<dyn Executor> {
    Box::new(CpuExecutor::open(Some(1)).expect("a thread"))
}

/// The adapter that tests use, as in `tests/kernels/main.rs`.
fn gpu() -> Option<Box<dyn Executor>> {
    let name = std::env::var("GENELIFT_TEST_ADAPTER").unwrap_or_else(|_| "llvmpipe".to_owned());
    let opened = GpuExecutor::open(&Choice::Name(name), Options::default());
    let required = std::env::var("GENELIFT_REQUIRE_GPU").is_ok_and(|v| v == "1");
    assert!(opened.is_ok() || !required, "GENELIFT_REQUIRE_GPU=1, but {:?}", opened.err());
    opened
        .inspect_err(|e| eprintln!("SKIPPED on the GPU: {e}"))
        .ok()
        .map(|gpu| Box::new(gpu) as Box<dyn Executor>)
}

/// The same model on every rank, which is handed back.
fn one_of(all: Vec<Trained>, what: &str) -> Trained {
    let mut all = all.into_iter();
    let first = all.next().expect("a rank");
    for other in all {
        assert_eq!(first.model, other.model, "{what}: ranks end with one model");
    }
    first
}

/// Weights and losses are those of one rank but for the order of sums.
fn close(several: &Trained, alone: &Trained, tolerance: f64, what: &str) {
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance * (1.0 + b.abs());
    assert_eq!(several.history.len(), alone.history.len());
    for (a, b) in several.history.iter().zip(&alone.history) {
        assert!(
            near(a.train_loss, b.train_loss) && near(a.train_mae, b.train_mae) && near(a.penalty, b.penalty),
            "{what}: {a:?}, not {b:?}"
        );
        assert!(near(a.validation_loss.unwrap(), b.validation_loss.unwrap()), "{what}: {a:?}, not {b:?}");
    }
    for (a, b) in several.model.layers.iter().zip(&alone.model.layers) {
        let pairs = a.weight.iter().chain(&a.bias).zip(b.weight.iter().chain(&b.bias));
        pairs.for_each(|(a, b)| assert!(near(f64::from(*a), f64::from(*b)), "{what}: {a}, not {b}"));
    }
}

#[test]
fn several_ranks_train_what_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let store = random_store(&dir.path().join("x.gex"), SAMPLES + 4, 11);
    let adam = settings();
    let sgd = TrainSettings { optimizer: Optimizer::Sgd, ..settings() };
    let half = TrainSettings { precision: Precision::F16, ..settings() };
    for (what, settings, resident, tolerance) in [
        ("Adam", adam.clone(), Resident::Auto, 2e-4),
        ("Adam, resident", adam, Resident::Always, 2e-4),
        ("SGD", sgd, Resident::Auto, 1e-5),
        // what is rounded to half precision may fall on the other side
        ("half precision", half, Resident::Auto, 2e-2),
    ] {
        for open in [|| Some(cpu()), gpu] {
            let run = |ranks: Ranks| {
                let training = Training {
                    samples: (0..SAMPLES).collect(),
                    validation: Some((&store, (SAMPLES..SAMPLES + 4).collect())),
                    resident,
                    ranks,
                    ..Training::of(&store, settings.clone())
                };
                train(&mut *open()?, &training, &silent).map(Some).expect("trained")
            };
            let Some(alone) = run(Ranks::alone()) else { continue };
            for size in [2, 3] {
                let what = format!("{what}, {size} ranks, {}", open().expect("opened before").name());
                let several =
                    |()| -> Vec<Trained> { Ranks::of_threads(size, run).into_iter().flatten().collect() };
                let (first, again) = (one_of(several(()), &what), one_of(several(()), &what));
                assert_eq!(first.model, again.model, "{what}: the same bytes again");
                close(&first, &alone, tolerance, &what);
                assert_eq!(
                    first.resident,
                    resident == Resident::Always || open().is_some_and(|e| !e.is_on_host())
                );
            }
        }
    }
}

#[test]
fn a_wish_to_one_rank_ends_all_after_the_same_step_and_another_number_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = random_store(&dir.path().join("x.gex"), SAMPLES, 11);
    let path = dir.path().join("m.checkpoint");
    let training = |ranks: Ranks, checkpoint: bool| {
        let plan =
            CheckpointPlan { path: path.clone(), every: Duration::from_secs(3600), found: Found::GoOn };
        Training {
            ranks,
            checkpoint: checkpoint.then_some(plan),
            validation: Some((&store, vec![0, 1, 2])),
            ..Training::of(&store, settings())
        }
    };
    let ended = Ranks::of_threads(3, |ranks| {
        let wish = interrupt::Wish::default();
        wish.heed();
        if ranks.place().rank == 2 {
            wish.ask(15);
        }
        train(&mut *cpu(), &training(ranks, true), &silent).unwrap_err()
    });
    for (rank, error) in ended.iter().enumerate() {
        assert!(matches!(error, Error::Interrupted { signal: 15, .. }), "rank {rank}: {error}");
    }
    assert!(ended[0].to_string().contains("to another rank"), "{}", ended[0]);
    assert!(ended[0].to_string().contains("goes on from"), "{}", ended[0]);
    let kept = crate::nn::checkpoint::Checkpoint::load(&path).expect("left by the first rank");
    assert_eq!((kept.step, kept.losses.len(), kept.history.len()), (1, 2, 0));
    let went_on = Ranks::of_threads(2, |ranks| train(&mut *cpu(), &training(ranks, true), &silent).unwrap());
    let alone = train(&mut *cpu(), &training(Ranks::alone(), false), &silent).unwrap();
    close(&one_of(went_on, "gone on"), &alone, 2e-4, "three ranks, then two");
}

/// The message with which two ranks refuse trainings; the second is told that it is.
fn refused<'a>(training: &(dyn Fn(Ranks, bool) -> Training<'a> + Sync)) -> String {
    let all = Ranks::of_threads(2, |ranks| {
        let second = !ranks.is_first();
        train(&mut *cpu(), &training(ranks, second), &silent).unwrap_err().to_string()
    });
    assert_eq!(all[0], all[1], "one message");
    all[0].clone()
}

#[test]
fn ranks_that_would_not_train_the_same_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = random_store(&dir.path().join("x.gex"), SAMPLES, 11);
    let other = random_store(&dir.path().join("y.gex"), SAMPLES + 1, 11);
    let message = refused(&|ranks, second| {
        let learning_rate = if second { 0.5 } else { 0.25 };
        Training { ranks, ..Training::of(&store, TrainSettings { learning_rate, ..settings() }) }
    });
    assert_eq!(
        message,
        format!(
            "rank 1 does not do what rank 0 does: the setting learning-rate is 0.5 there and 0.25 on rank 0; {SAME_FILES}"
        )
    );
    let message = refused(&|ranks, second| Training {
        samples: (0..SAMPLES).collect(),
        ranks,
        ..Training::of(if second { &other } else { &store }, settings())
    });
    assert!(message.contains("the checksum of the training data is"), "{message}");
    let few = TrainSettings { batch: 1, ..settings() };
    let message = refused(&|ranks, _| Training { ranks, ..Training::of(&store, few.clone()) });
    assert!(message.contains("batches of 1 samples among 2 ranks"), "{message}");
}
