//! What changes from step to step and from epoch to epoch, and what must not.

use super::*;
use crate::progress::silent;
use crate::testing::{Listener, Spy, assert_orders_differ, random_store};

/// So small a rate that no weight changes.
const STILL: f64 = 1e-30;

fn settings() -> TrainSettings {
    TrainSettings { hidden: vec![4, 3], batch: 5, epochs: 4, seed: 11, ..TrainSettings::standard() }
}

fn run(samples: usize, settings: TrainSettings, validate: bool) -> (Spy, Vec<Epoch>) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = random_store(&dir.path().join("x.gex"), samples, 6);
    let validation = validate.then(|| (&store, (0..samples).collect()));
    let mut spy = Spy::new();
    let training = Training { validation, ..Training::of(&store, settings) };
    let trained = train(&mut spy, &training, &silent).expect("trained");
    (spy, trained.history)
}

#[test]
fn every_epoch_has_an_order_of_its_own_and_every_step_a_number_of_its_own() {
    let (spy, _) = run(12, settings(), false);
    let (steps, orders) = spy.learnt(12);
    assert_eq!(orders.len(), 4);
    assert_orders_differ(&orders, 12);
    assert_eq!(steps.iter().map(|s| s.step).collect::<Vec<_>>(), (1..=12).collect::<Vec<u64>>());
    assert!(steps.iter().all(|s| s.seed == 11));
    let rows: Vec<usize> = steps[..3].iter().map(|s| s.rows).collect();
    assert_eq!(rows, [5, 5, 2]);
    assert!(steps.iter().all(|s| (s.gradient_scale - 1.0 / (6 * s.rows) as f32).abs() < 1e-9));
    let (spy, _) = run(12, TrainSettings { shuffle: false, ..settings() }, false);
    assert!(spy.learnt(12).1.iter().all(|order| order.is_sorted()));
    let (spy, _) = run(12, TrainSettings { seed: 12, ..settings() }, false);
    assert!(orders.iter().all(|order| !spy.learnt(12).1.contains(order)), "the order hangs on the seed");
}

#[test]
fn every_step_has_a_mask_of_its_own() {
    let still = TrainSettings { learning_rate: STILL, shuffle: false, batch: 8, l2: 0.0, ..settings() };
    let losses = |dropout| {
        let (_, history) = run(8, TrainSettings { dropout, ..still.clone() }, false);
        history.iter().map(|row| row.train_loss).collect::<Vec<_>>()
    };
    let whole = losses(0.0);
    assert!(whole.iter().all(|loss| *loss == whole[0]), "nothing is learnt: {whole:?}");
    let masked = losses(0.5);
    for i in 0..masked.len() {
        assert!(masked[i] != whole[0] && !masked[..i].contains(&masked[i]), "{masked:?}");
    }
}

#[test]
fn validation_sees_the_whole_network() {
    let still = TrainSettings { learning_rate: STILL, l2: 0.0, epochs: 2, batch: 12, ..settings() };
    let history = |dropout| run(12, TrainSettings { dropout, ..still.clone() }, true).1;
    let (whole, masked) = (history(0.0), history(0.5));
    for (whole, masked) in whole.iter().zip(&masked) {
        assert!(masked.train_loss != whole.train_loss, "dropout has an effect in training");
        assert!(whole.validation_loss.is_some());
        assert_eq!(masked.validation_loss, whole.validation_loss, "and none in validation");
        assert_eq!(masked.validation_mae, whole.validation_mae);
        let close = |a: f64, b: Option<f64>| b.is_some_and(|b| (a - b).abs() < 1e-6);
        assert!(close(whole.train_loss, whole.validation_loss), "the same samples: {whole:?}");
        assert!(close(whole.train_mae, whole.validation_mae), "{whole:?}");
    }
}

#[test]
fn held_out_samples_are_drawn_and_each_is_on_one_side() {
    let (training, held) = hold_out(50, 0.2, 3).expect("two sides");
    assert_eq!((training.len(), held.len()), (40, 10));
    assert!(training.is_sorted() && held.is_sorted() && held.iter().all(|s| !training.contains(s)));
    assert!(held[0] < 40 && held != hold_out(50, 0.2, 4).expect("two sides").1);
    assert!(hold_out(50, 0.0, 3).expect("none held out").1.is_empty());
    for fraction in [0.001, 0.999, 1.0, -0.1, f64::NAN] {
        assert!(hold_out(50, fraction, 3).is_err(), "{fraction}");
    }
}

#[test]
fn tasks_begin_advance_and_end() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = random_store(&dir.path().join("x.gex"), 12, 6);
    for batch in [1, 5, 12] {
        let told = |resident| {
            let listener = Listener::default();
            let settings = TrainSettings { batch, ..settings() };
            let training = Training { resident, ..Training::of(&store, settings) };
            let trained = train(&mut Spy::new(), &training, &|event| listener.hear(event)).expect("trained");
            assert_eq!(trained.resident, resident == Resident::Always);
            (listener.tasks(), trained.model)
        };
        let (resident, streamed) = (told(Resident::Always), told(Resident::Never));
        assert_eq!(resident.0, ["uploading", "training"]);
        assert_eq!(streamed.0, ["training"]);
        assert!(resident.1.layers == streamed.1.layers, "samples that are streamed give another model");
    }
}

#[test]
fn what_is_told_in_training_and_in_use() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = random_store(&dir.path().join("x.gex"), 12, 6);
    let listener = Listener::default();
    let training = Training { resident: Resident::Never, ..Training::of(&store, settings()) };
    let trained = train(&mut Spy::new(), &training, &|event| listener.hear(event)).expect("trained");
    let notes = listener.notes();
    assert!(
        notes.last().is_some_and(|note| note.contains("epoch 4/4") && note.contains("loss")),
        "{notes:?}"
    );
    let of_epoch = listener.beside("training");
    assert!(!of_epoch[0].contains("loss"), "there is none before the first epoch: {of_epoch:?}");
    assert!(of_epoch.last().is_some_and(|note| note.contains("loss 0.")), "{of_epoch:?}");
    let listener = Listener::default();
    let report = |event| listener.hear(event);
    let visit = |_: usize, _: &[f32]| Ok(());
    crate::nn::apply::forward(&mut Spy::new(), &trained.model, &store, 1, &report, visit).expect("applied");
    assert_eq!(listener.tasks().len(), 1);
}

#[test]
fn who_is_asked_to_end_loses_no_epoch() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = random_store(&dir.path().join("x.gex"), 12, 6);
    let path = dir.path().join("m.checkpoint");
    let every = std::time::Duration::from_secs(3600);
    let plan = CheckpointPlan { path: path.clone(), every, found: Found::GoOn };
    let training = Training { checkpoint: Some(plan), ..Training::of(&store, settings()) };
    let whole = train(&mut Spy::new(), &training, &silent).expect("trained").model;
    std::fs::remove_file(&path).ok();
    let mut asked = Spy::new();
    // an epoch is three steps and the sum of squared weights
    asked.asked_after = 3 * 4 + 1;
    let message = train(&mut asked, &training, &silent).expect_err("asked to end").to_string();
    assert!(message.contains("after 3 of 4 epochs; the same command goes on from"), "{message}");
    let mut again = Spy::new();
    let model = train(&mut again, &training, &silent).expect("trained").model;
    assert!(again.runs.len() <= 4, "{} runs were done again", again.runs.len());
    assert!(model.layers == whole.layers);
}

/// What is only looked at is taken by the network too: beyond 65,504 its loss would be infinite.
#[test]
fn validation_that_half_precision_does_not_hold_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = random_store(&dir.path().join("x.gex"), 12, 6);
    let mut values = vec![0.5; 18];
    values[0] = 0.25;
    values[9] = 1e6; // the second sample's fourth gene, where others are from 0 to 1
    let far = crate::testing::store(&dir.path().join("far.gex"), 6, &values);
    let half = TrainSettings { precision: Precision::F16, epochs: 1, ..settings() };
    let with = |settings: &TrainSettings, samples: &[usize]| {
        let validation = Some((&far, samples.to_vec()));
        train(&mut Spy::new(), &Training { validation, ..Training::of(&store, settings.clone()) }, &silent)
    };
    with(&half, &[0, 2]).expect("the others fit");
    let message = with(&half, &[0, 1]).expect_err("one does not").to_string();
    let told = ["far.gex: gene \"g_4\" reaches", "--precision f32", "like those trained on"];
    assert!(told.iter().all(|part| message.contains(part)), "{message}");
    with(&settings(), &[0, 1]).expect("single precision holds it");
    // held out of the same store
    let unscaled = TrainSettings { scale: Scale::None, ..half };
    let validation = Some((&far, vec![1]));
    let training = Training { samples: vec![0, 2], validation, ..Training::of(&far, unscaled) };
    let message = train(&mut Spy::new(), &training, &silent).expect_err("too far").to_string();
    assert!(message.contains("\"g_4\" reaches 1000000"), "{message}");
}
