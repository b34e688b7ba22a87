//! Kernel ridge regression against scikit-learn (`scripts/reference_kernel.py`), and on fewer centres than samples.

use crate::common::{example_store, package, subset};
use crate::executors::executors;
use genelift::device::cpu::CpuExecutor;
use genelift::infer::kernel::{Shape, held_out_errors};
use genelift::infer::{FitSettings, KernelSettings, Method, Predictor, Problem};
use genelift::nn::tensors::TensorFile;
use genelift::progress::silent;
use genelift::store::Store;
use nalgebra::DMatrix;
use serde_json::Value;

fn reference() -> Value {
    let text = std::fs::read_to_string(package("tests/data/predictors/kernel.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// The example's first samples, of which the first are fitted on, and genes.
struct Data {
    store: Store,
    fitted: Vec<usize>,
    landmarks: Vec<usize>,
    targets: Vec<usize>,
    dir: tempfile::TempDir,
}

impl Data {
    fn new(samples: usize, fitted: usize, genes: usize, every: usize) -> Data {
        let dir = tempfile::tempdir().unwrap();
        let store = example_store(dir.path(), samples, genes);
        let (landmarks, targets) = (0..genes).partition(|gene| gene % every == 0);
        Data { store, fitted: (0..fitted).collect(), landmarks, targets, dir }
    }

    fn of(case: &Value) -> Data {
        Data::new(size(&case["samples"]), size(&case["fitted"]), size(&case["genes"]), size(&case["every"]))
    }

    fn fit(&self, kernel: KernelSettings) -> Predictor {
        self.fit_on(&mut CpuExecutor::open(Some(2)).unwrap(), kernel)
    }

    fn fit_on(&self, executor: &mut dyn genelift::device::Executor, kernel: KernelSettings) -> Predictor {
        let settings = FitSettings { method: Method::Kernel, seed: 3, kernel, ..FitSettings::default() };
        let Data { store, fitted, landmarks, targets, .. } = self;
        Predictor::fit(executor, store, fitted, landmarks, targets, &settings, &silent).unwrap()
    }

    fn file(&self, predictor: &Predictor) -> TensorFile {
        let path = self.dir.path().join("kernel.safetensors");
        predictor.save(&path, true).unwrap();
        assert_eq!(&Predictor::load(&path).unwrap(), predictor);
        TensorFile::load(&path).unwrap()
    }

    /// In the store's units, samples × targets, all samples.
    fn predict(&self, predictor: &Predictor, executor: &mut dyn genelift::device::Executor) -> Vec<f32> {
        let places: Vec<Option<usize>> = self.landmarks.iter().map(|gene| Some(*gene)).collect();
        let mut out = Vec::new();
        let visit: &mut dyn FnMut(usize, &[f32]) -> genelift::Result<()> = &mut |_, rows| {
            out.extend_from_slice(rows);
            Ok(())
        };
        predictor.predict(executor, &self.store, &places, &silent, visit).unwrap();
        out
    }

    /// In units of the training standard deviation.
    fn z_scores(&self, predictor: &Predictor, executor: &mut dyn genelift::device::Executor) -> Vec<f64> {
        let file = self.file(predictor);
        let [offset, scale] = ["offset", "scale"].map(|key| &file.tensors[&format!("targets.{key}")].values);
        let rows = self.predict(predictor, executor);
        let z = |(i, x): (usize, &f32)| {
            let j = i % self.targets.len();
            (f64::from(*x) - f64::from(offset[j])) * f64::from(scale[j])
        };
        rows.iter().enumerate().map(z).collect()
    }
}

fn settings(shape: &Value) -> KernelSettings {
    KernelSettings {
        gamma: Some(number(&shape["gamma"])),
        mixture: Some(number(&shape["mixture"])),
        penalty: Some(number(&shape["penalty"])),
        ..KernelSettings::default()
    }
}

#[test]
fn held_out_errors_weights_and_predictions_equal_scikit_learn() {
    let case = reference();
    let data = Data::of(&case);
    let (median, stride) = (number(&case["median"]), size(&case["stride"]));
    let fold: Vec<usize> = data.fitted.iter().map(|i| i % size(&case["folds"])).collect();
    let problem = Problem::new(&data.store, &data.fitted, &data.landmarks, &data.targets);
    for wanted in case["shapes"].as_array().unwrap() {
        let shape = Shape {
            gamma: number(&wanted["gamma"]) / median,
            mixture: number(&wanted["mixture"]),
            penalty: number(&wanted["penalty"]),
            landmarks: data.landmarks.len(),
        };
        let (found, want) =
            (held_out_errors(&problem, &fold, &[shape], &silent).unwrap()[0], number(&wanted["cv_error"]));
        assert!((found - want).abs() <= 1e-6 * want, "{shape:?}: error {found} for {want}");

        let predictor = data.fit(settings(wanted));
        assert!((number(&predictor.chosen()["median-distance"]) - median).abs() < 1e-6 * median);
        let file = data.file(&predictor);
        let found = subset(&file.tensors["networks.0.layers.0.weight"].values, stride);
        let want = numbers(&wanted["dual"]);
        // stored in f32: 1e-6 of the largest is beyond that rounding
        let largest = want.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        assert_eq!(found.len(), want.len());
        for (found, want) in found.iter().zip(&want) {
            assert!((f64::from(*found) - want).abs() <= 1e-6 * largest, "{shape:?}: {found} for {want}");
        }
        for mut executor in executors() {
            let all = data.z_scores(&predictor, &mut *executor);
            let new = &all[data.fitted.len() * data.targets.len()..];
            let want = numbers(&wanted["predicted"]);
            assert_eq!(new.len().div_ceil(stride), want.len());
            for (found, want) in new.iter().step_by(stride).zip(want) {
                let who = executor.name();
                assert!((found - want).abs() <= 1e-4, "{shape:?} on {who}: {found} for {want}");
            }
        }
    }
}

/// (K_nmᵀK_nm + λK_mm)β = K_nmᵀY in f64, on the centres that were drawn, by the eigenvectors of K_mm: nothing of what the program does but the formula.
/// Sums of kernels themselves in f32 were up to 0.2 standard deviations off here.
#[test]
fn drawn_centres_give_what_the_formula_gives_in_double_precision() {
    let data = Data::new(300, 240, 60, 4);
    for (centres, mixture, penalty) in [
        (20, 0.8, 0.03),
        (40, 0.8, 1.0),
        (150, 0.8, 0.3),
        (239, 0.8, 0.3),
        (239, 0.0, 0.001),
        (100, 1.0, 0.1),
    ] {
        for mut executor in executors() {
            let shape = KernelSettings {
                gamma: Some(1.0),
                mixture: Some(mixture),
                penalty: Some(penalty),
                centres: Some(centres),
                ..KernelSettings::default()
            };
            let predictor = data.fit_on(&mut *executor, shape);
            let found = data.z_scores(&predictor, &mut *executor);
            let want = in_double_precision(&data, &predictor, mixture, penalty);
            let worst = found.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 2e-4, "{centres} centres, {mixture}, {penalty}, {}: {worst:e}", executor.name());
        }
    }
}

/// What the formula infers of all samples, samples × targets in standard deviations, one after the other.
fn in_double_precision(data: &Data, predictor: &Predictor, mixture: f64, penalty: f64) -> Vec<f64> {
    let file = data.file(predictor);
    let scaled = |genes: &[usize], panel: &str| {
        let [offset, scale] = ["offset", "scale"].map(|key| &file.tensors[&format!("{panel}.{key}")].values);
        DMatrix::from_fn(data.store.n_samples(), genes.len(), |i, j| {
            let mut row = vec![0.0];
            data.store.read_genes(i, &genes[j..=j], &mut row);
            (f64::from(row[0]) - f64::from(offset[j])) * f64::from(scale[j])
        })
    };
    let (x, y) = (scaled(&data.landmarks, "landmarks"), scaled(&data.targets, "targets"));
    let c = &file.tensors["kernels.centres"].values;
    let centres = c.len() / x.ncols();
    assert_eq!(size(&predictor.chosen()["centres"]), centres);
    let c = DMatrix::from_fn(centres, x.ncols(), |i, j| f64::from(c[i * x.ncols() + j]));
    let gamma = 1.0 / number(&predictor.chosen()["median-distance"]);
    let kernels = |a: &DMatrix<f64>| {
        DMatrix::from_fn(a.nrows(), centres, |i, j| {
            let (product, apart) = (a.row(i).dot(&c.row(j)), (a.row(i) - c.row(j)).norm_squared());
            (1.0 - mixture) * product / x.ncols() as f64 + mixture * (-gamma * apart).exp()
        })
    };
    let eigen = kernels(&c).symmetric_eigen();
    let largest = eigen.eigenvalues.max();
    let known: Vec<usize> = (0..centres).filter(|i| eigen.eigenvalues[*i] > 1e-13 * largest).collect();
    let whitened = DMatrix::from_fn(centres, known.len(), |i, j| {
        eigen.eigenvectors[(i, known[j])] / eigen.eigenvalues[known[j]].sqrt()
    });
    let phi = kernels(&x) * whitened;
    let (fitted, of_fitted) = (phi.rows(0, data.fitted.len()), y.rows(0, data.fitted.len()));
    let normal = fitted.tr_mul(&fitted) + DMatrix::identity(known.len(), known.len()) * penalty;
    let inferred = &phi * normal.cholesky().unwrap().solve(&fitted.tr_mul(&of_fitted));
    inferred.transpose().as_slice().to_vec()
}

/// All samples but one as centres are nearly kernel ridge regression itself: (KK + λK)⁻¹K = (K + λI)⁻¹.
#[test]
fn all_centres_but_one_are_nearly_the_exact_fit() {
    let data = Data::new(300, 240, 60, 4);
    let of = |centres| {
        let shape = KernelSettings {
            gamma: Some(1.0),
            mixture: Some(0.8),
            penalty: Some(0.3),
            ..KernelSettings::default()
        };
        data.fit(KernelSettings { centres, ..shape })
    };
    let (exact, most, few) = (of(None), of(Some(239)), of(Some(40)));
    assert_eq!(data.file(&few).tensors["kernels.centres"].shape, [40, 15]);
    let mut cpu = CpuExecutor::open(Some(2)).unwrap();
    let mut z = |predictor| data.z_scores(predictor, &mut cpu);
    let (exact, most, few) = (z(&exact), z(&most), z(&few));
    let apart = |other: &[f64]| {
        let sum: f64 = exact.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum();
        (sum / exact.len() as f64).sqrt()
    };
    assert!(apart(&most) < 0.01, "{}", apart(&most));
    assert!((0.02..0.3).contains(&apart(&few)), "{}", apart(&few));
}

/// The linear kernel of 15 landmarks has rank 15: so many of 200 centres are enough, and give ridge regression.
#[test]
fn centres_that_depend_on_each_other_are_left_out() {
    let data = Data::new(300, 240, 60, 4);
    let of = |centres| {
        let settings = KernelSettings { centres, ..KernelSettings::default() };
        data.fit(KernelSettings { gamma: Some(1.0), mixture: Some(0.0), penalty: Some(0.3), ..settings })
    };
    let (exact, some) = (of(None), of(Some(200)));
    assert_eq!(data.file(&some).tensors["kernels.centres"].shape, [15, 15]);
    let mut cpu = CpuExecutor::open(Some(2)).unwrap();
    let [exact, some] = [exact, some].map(|predictor| data.z_scores(&predictor, &mut cpu));
    let worst = exact.iter().zip(&some).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 3e-4, "{worst}");
}

#[test]
fn what_is_chosen_is_a_least_error_among_its_neighbours() {
    let data = Data::new(90, 90, 80, 4);
    let chosen = data.fit(KernelSettings::default()).chosen().clone();
    let problem = Problem::new(&data.store, &data.fitted, &data.landmarks, &data.targets);
    let parting = |i: usize| i % 5;
    let fold: Vec<usize> = data.fitted.iter().map(|i| parting(*i)).collect();
    let [gamma, mixture, penalty, distance] =
        ["gamma", "mixture", "penalty", "median-distance"].map(|key| number(&chosen[key]));
    let shape = |factor: f64, penalty| Shape {
        gamma: gamma * factor / distance,
        mixture,
        penalty,
        landmarks: data.landmarks.len(),
    };
    // far away in either direction is worse, by other folds than it was chosen by
    let shapes = [
        shape(1.0, penalty),
        shape(16.0, penalty),
        shape(1.0, penalty * 100.0),
        shape(1.0, penalty / 1000.0),
    ];
    let errors = held_out_errors(&problem, &fold, &shapes, &silent).unwrap();
    assert!(errors[1..].iter().all(|error| *error > errors[0]), "{chosen}: {errors:?}");
}
