//! What changes from step to step and from epoch to epoch, and what must not.

use super::*;
use crate::nn::settings::Precision;
use crate::testing::{Spy, assert_orders_differ, random_store, store};

/// Samples of [`fit_small`], of which the last 6 are held out.
const SAMPLES: usize = 18;

fn fit_small(settings: &MlpSettings) -> (Spy, Fitted) {
    try_fit_small(settings).unwrap()
}

fn try_fit_small(settings: &MlpSettings) -> Result<(Spy, Fitted)> {
    let dir = tempfile::tempdir().unwrap();
    let store = random_store(&dir.path().join("x.gex"), SAMPLES, 5);
    let samples: Vec<usize> = (0..SAMPLES).collect();
    let (training, validation) = samples.split_at(SAMPLES - 6);
    let (landmarks, targets) = ([0, 1, 2], [3, 4]);
    let (input, output) =
        (panel(&store, training, &landmarks).unwrap(), panel(&store, training, &targets).unwrap());
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
    let fitted = train(&mut spy, &slice, settings, initial(3, &settings.hidden, 2, 5), &silent)?;
    Ok((spy, fitted))
}

fn small() -> MlpSettings {
    MlpSettings { hidden: vec![4], batch: 5, epochs: 4, ..MlpSettings::default() }
}

/// bf16 is another precision than f32, and not much another.
#[test]
fn half_precision_follows_single_precision() {
    let fit = |precision| fit_small(&MlpSettings { precision, epochs: 12, ..small() }).1.history;
    let single = fit(Precision::F32);
    for precision in [Precision::Bf16, Precision::F16] {
        let half = fit(precision);
        assert_eq!(half.len(), single.len());
        for (a, b) in single.iter().zip(&half) {
            assert!((a.training_mae - b.training_mae).abs() < 0.01 * a.training_mae, "{a:?} {b:?}");
        }
        assert_ne!(single[11].training_mae, half[11].training_mae, "{precision:?} must not be f32");
    }
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
fn a_network_that_diverged_is_refused_also_where_its_numbers_are_finite() {
    for (rate, epochs) in [(10.0, 1), (1e3, 1), (10.0, 40)] {
        let settings = MlpSettings { learning_rate: Some(rate), epochs, ..small() };
        let error = try_fit_small(&settings).err().expect("refused");
        assert!(matches!(error, Error::Diverged { .. } | Error::Data(_)), "{error}");
    }
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
    let panel = panel(&store, &[0, 1, 2], &[0, 1]).unwrap();
    assert_eq!(panel.scale[0], 0.0);
    let sd = (8.0f64 / 3.0).sqrt();
    assert!((f64::from(panel.scale[1]) - 1.0 / (sd + SD_FLOOR)).abs() < 1e-6);
}

/// 12 samples in batches of 5 are 3 steps an epoch, counted from 1.
#[test]
fn the_step_that_diverged_is_told() {
    for rate in [1e3, 1e10, 1e30] {
        let settings = MlpSettings { learning_rate: Some(rate), epochs: 1, ..small() };
        if let Err(Error::Diverged { step, epoch, .. }) = try_fit_small(&settings) {
            assert!((1..=3).contains(&step) && epoch == 1, "rate {rate}: step {step} of epoch {epoch}");
        }
    }
}
