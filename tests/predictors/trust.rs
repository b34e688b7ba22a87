//! Predictors refitted on fewer landmarks, and what they say of their own errors.

use genelift::infer::{BestSettings, Completing, FitSettings, Method, MissingLandmarks, Predictor, Problem};
use genelift::progress::silent;

use crate::common::relative_error;
use crate::{Data, cpu, kernel_of, knn, linear, places, small_mlp};

/// A refit without some landmarks is the fit that never had them, but for the rounding of stored weights.
#[test]
fn a_refit_without_landmarks_is_a_fit_without_them() {
    for (samples, every) in [(70, 4), (41, 2)] {
        let mut data = Data::new(samples, 83, every);
        for settings in [linear(Some(3.0)), kernel_of()] {
            let whole = data.fit(&settings);
            for lost in [vec![0], vec![1, 4, 5]] {
                let path = data.dir.path().join("refitted.safetensors");
                let (refitted, losses) = whole.without(&lost, &silent).unwrap();
                refitted.save(&path, true).unwrap();
                assert_eq!(Predictor::load(&path).unwrap(), refitted);
                let all = data.landmarks.clone();
                let kept = |(i, gene): (usize, &usize)| (!lost.contains(&i)).then_some(*gene);
                data.landmarks = all.iter().enumerate().filter_map(kept).collect();
                let fitted = data.fit(&settings);
                let (found, want) = (data.weights(&refitted), data.weights(&fitted));
                data.landmarks = all;
                let error = relative_error(&found, &want);
                assert!(error < 2e-5, "{:?} without {lost:?}: {error:e}", settings.method);
                assert_eq!(refitted.landmarks(), fitted.landmarks());

                let costs: Vec<f64> = losses.alone.iter().map(|loss| loss.1).collect();
                assert!(costs.iter().all(|cost| *cost > 0.0 && *cost < 1.0), "{losses:?}");
                // one alone is all there is; several cost no less together than the worst of them alone
                let most = costs.iter().copied().fold(0.0, f64::max);
                assert!(losses.together >= most * 0.999, "{losses:?}");
                assert!(lost.len() > 1 || (losses.together / most - 1.0).abs() < 1e-3, "{losses:?}");
            }
        }
    }
    let data = Data::new(40, 41, 4);
    for settings in [knn(Some(3)), small_mlp()] {
        let message = data.fit(&settings).without(&[0], &silent).unwrap_err().to_string();
        assert!(message.contains("--missing mean"), "{message}");
    }
    let all: Vec<usize> = (0..data.landmarks.len()).collect();
    assert!(data.fit(&linear(Some(3.0))).without(&all, &silent).is_err());
}

/// R² by plain loops over fits of the same folds; intervals cover what was not fitted on.
#[test]
fn held_out_figures_are_those_of_fits_without_the_samples() {
    let mut data = Data::new(190, 47, 3);
    let all = data.samples.clone();
    data.samples.truncate(120);
    let settings = FitSettings { seed: 5, ..linear(Some(20.0)) };
    let mut predictor = data.fit(&settings);
    let problem = data.problem();
    let Problem { store, targets, .. } = problem;
    predictor.hold_out(&mut cpu(), &problem, (&settings, 4), &silent).unwrap();
    let held_out = predictor.held_out().unwrap().clone();
    assert_eq!((held_out.how.folds, held_out.how.groups, held_out.how.levels.len()), (4, 120, 4));
    let path = data.dir.path().join("held_out.safetensors");
    predictor.save(&path, true).unwrap();
    assert_eq!(Predictor::load(&path).unwrap(), predictor);

    // samples that had no part: the figures say what becomes of them
    let fresh = &all[120..];
    let widths = held_out.half_widths(0.9).unwrap();
    let (mut inside, mut errors, mut r2) = (0, vec![0.0; targets.len()], 0.0);
    let mut truth = vec![0.0; targets.len()];
    let visit: &mut dyn FnMut(usize, &[f32]) -> genelift::Result<()> = &mut |first, rows| {
        for (i, row) in rows.chunks_exact(targets.len()).enumerate() {
            store.read_genes(fresh[first + i], targets, &mut truth);
            for (((y, p), w), error) in truth.iter().zip(row).zip(widths).zip(&mut errors) {
                inside += usize::from((y - p).abs() <= *w);
                *error += f64::from(y - p).powi(2);
            }
        }
        Ok(())
    };
    let at = places(&predictor, store, MissingLandmarks::Refuse).unwrap();
    predictor.predict_samples(&mut cpu(), store, fresh, &at, &silent, visit).unwrap();
    let covered = f64::from(inside as u32) / (fresh.len() * targets.len()) as f64;
    assert!((0.86..0.94).contains(&covered), "{covered}");
    for (target, error) in targets.iter().zip(&errors) {
        let mut row = [0.0];
        let mut value = |s: &usize| {
            store.read_genes(*s, &[*target], &mut row);
            f64::from(row[0])
        };
        let y: Vec<f64> = fresh.iter().map(&mut value).collect();
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        r2 += 1.0 - error / y.iter().map(|y| (y - mean).powi(2)).sum::<f64>();
    }
    let said = held_out.r2.iter().map(|r2| f64::from(*r2)).sum::<f64>() / targets.len() as f64;
    assert!((said - r2 / targets.len() as f64).abs() < 0.05, "{said} for {r2}");
}

#[test]
fn profiles_are_completed_carefully_where_nothing_is_said() {
    let Completing { missing, replace, force, level, reliable } = Completing::default();
    assert_eq!((missing, replace, force), (MissingLandmarks::Refuse, false, false));
    assert_eq!((level, Completing::LEVEL, reliable), (None, 0.9, 0.5));
}

/// Every fold, and every fold within, asks once, for its training samples alone; what it is told is what it fits with.
#[test]
fn best_chooses_with_landmarks_of_each_fold() {
    let data = Data::new(60, 23, 3);
    let Problem { samples, landmarks, targets, .. } = data.problem();
    let best = BestSettings { candidates: vec![Method::Linear], folds: 3 };
    let settings = FitSettings { best, ..linear(Some(1e-6)) };
    let mut asked: Vec<Vec<usize>> = Vec::new();
    let mut anew = |_: &mut dyn genelift::device::Executor, some: &[usize]| {
        asked.push(some.to_vec());
        Ok((vec![landmarks[0]], vec![landmarks[1], targets[0]]))
    };
    let mut cpu = cpu();
    let fitted = Predictor::fit_best(&mut cpu, &data.problem(), &settings, Some(&mut anew), &silent).unwrap();
    assert_eq!((fitted.landmarks().len(), fitted.targets().len()), (landmarks.len(), targets.len()));
    assert_eq!(asked.len(), 3 * 4);
    let sizes: Vec<usize> = asked.iter().map(Vec::len).collect();
    let n = samples.len();
    let (mut outer, mut inner) = (0, 0);
    for (some, size) in asked.iter().zip(&sizes) {
        assert!(some.iter().all(|sample| samples.contains(sample)) && *size < n);
        *if *size > n / 2 { &mut outer } else { &mut inner } += 1;
    }
    assert_eq!((outer, inner), (3, 9), "{sizes:?}");
    // one landmark cannot do what all of them do
    let given = Predictor::fit_best(&mut cpu, &data.problem(), &settings, None, &silent).unwrap();
    let error = |fitted: &Predictor| fitted.chosen()["best"]["error-outside"].as_f64().unwrap();
    assert!(error(&fitted) != error(&given));
    assert_eq!(given.chosen()["best"]["landmarks"], "as given");
}
