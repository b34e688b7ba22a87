//! Predictors against scikit-learn (ridge, nearest landmarks) and PyTorch (D-GEX), by
//! `scripts/reference_predictors.py`; their files; completed profiles.

mod adapt;
#[path = "../common/mod.rs"]
mod common;
mod completed;
#[path = "../common/executors.rs"]
mod executors;
#[path = "../common/failing.rs"]
mod failing;
mod kernel;
mod trust;

use common::{example_store, layer, package, relative_error, subset};
use executors::executors;
use failing::Failing;
use genelift::Error;
use genelift::device::cpu::CpuExecutor;
use genelift::device::recording::{Activation, Element};
use genelift::evaluate::{Agreement, Baseline};
use genelift::genes::{Finder, Matching, Table};
use genelift::infer::linear::{cross_validate, penalties};
use genelift::infer::mlp::{self, Slice};
use genelift::infer::{
    Completing, FitSettings, KernelSettings, KnnSettings, LinearSettings, Method, MissingLandmarks,
    MlpSettings, Predictor, Problem, complete,
};
use genelift::nn::checkpoint::{CheckpointPlan, Found};
use genelift::nn::feed::Resident;
use genelift::nn::tensors::TensorFile;
use genelift::nn::train::hold_out;
use genelift::progress::silent;
use genelift::store::{Origin, Store, StoreWriter};
use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;

fn manifest() -> Value {
    let text = std::fs::read_to_string(package("tests/data/predictors/manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn of<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// By ids, refusing what is several genes.
fn matching() -> &'static Matching {
    static MATCHING: OnceLock<Matching> = OnceLock::new();
    MATCHING.get_or_init(Matching::default)
}

fn finder() -> Finder<'static> {
    Finder::new(matching(), false, &silent).unwrap()
}

/// Where the landmarks stand.
fn places(
    predictor: &Predictor,
    store: &Store,
    missing: MissingLandmarks,
) -> genelift::Result<Vec<Option<usize>>> {
    Ok(predictor.places(store, missing, &finder(), &silent)?.landmarks)
}

fn cpu() -> CpuExecutor {
    CpuExecutor::open(Some(2)).unwrap()
}

/// The example's first samples and genes; every `every`-th gene is a landmark.
struct Data {
    store: Store,
    samples: Vec<usize>,
    landmarks: Vec<usize>,
    targets: Vec<usize>,
    dir: tempfile::TempDir,
}

impl Data {
    fn new(samples: usize, genes: usize, every: usize) -> Data {
        let dir = tempfile::tempdir().unwrap();
        let store = example_store(dir.path(), samples, genes);
        let (landmarks, targets) = (0..genes).partition(|gene| gene % every == 0);
        Data { store, samples: (0..samples).collect(), landmarks, targets, dir }
    }

    fn of(case: &Value) -> Data {
        Data::new(of(&case["samples"]), of(&case["genes"]), of(&case["every"]))
    }

    fn problem(&self) -> Problem<'_> {
        let (samples, landmarks, targets) = (&self.samples[..], &self.landmarks[..], &self.targets[..]);
        Problem::new(&self.store, samples, landmarks, targets)
    }

    fn fit(&self, settings: &FitSettings) -> Predictor {
        self.try_fit(settings).unwrap()
    }

    fn try_fit(&self, settings: &FitSettings) -> genelift::Result<Predictor> {
        let Problem { store, samples, landmarks, targets, .. } = self.problem();
        Predictor::fit(&mut cpu(), store, samples, landmarks, targets, settings, &silent)
    }

    /// The weights of a predictor of one layer, as they are in its file.
    fn weights(&self, predictor: &Predictor) -> Vec<f32> {
        let path = self.dir.path().join("weights.safetensors");
        predictor.save(&path, true).unwrap();
        TensorFile::load(&path).unwrap().tensors.remove("networks.0.layers.0.weight").unwrap().values
    }
}

fn linear(penalty: Option<f64>) -> FitSettings {
    let linear = LinearSettings { penalty, ..LinearSettings::default() };
    FitSettings { method: Method::Linear, linear, ..FitSettings::default() }
}

fn kernel_of() -> FitSettings {
    let kernel = KernelSettings {
        gamma: Some(0.7),
        mixture: Some(0.6),
        penalty: Some(0.3),
        ..KernelSettings::default()
    };
    FitSettings { method: Method::Kernel, kernel, ..FitSettings::default() }
}

fn small_mlp() -> FitSettings {
    let mlp =
        MlpSettings { hidden: vec![11, 7], epochs: 5, batch: 16, target_slices: 3, ..MlpSettings::default() };
    FitSettings { method: Method::Mlp, seed: 9, mlp, ..FitSettings::default() }
}

fn knn(neighbors: Option<usize>) -> FitSettings {
    let knn = KnnSettings { neighbors, validation: 0.2 };
    FitSettings { method: Method::Knn, seed: 4, knn, ..FitSettings::default() }
}

#[test]
fn a_fit_that_lost_its_device_goes_on_to_the_same_bytes() {
    let data = Data::new(60, 31, 3);
    let settings = small_mlp();
    let path = data.dir.path().join("p.checkpoint");
    let plan = |found| CheckpointPlan { path: path.clone(), every: std::time::Duration::ZERO, found };
    let fit = |executor: &mut dyn genelift::device::Executor, settings: &FitSettings, found| {
        Predictor::fit_kept(executor, &data.problem(), settings, Some(&plan(found)), &silent)
    };
    for mut executor in executors() {
        let Problem { store, samples, landmarks, targets, .. } = data.problem();
        let whole =
            Predictor::fit(&mut *executor, store, samples, landmarks, targets, &settings, &silent).unwrap();
        // 54 samples are trained on: 4 steps an epoch, 4 runs for their error and 1 for that of the others
        for runs in [3, 5, 7, 30, 48, 70, 120] {
            let mut failing = Failing::lost_after(runs, &mut *executor);
            let lost = fit(&mut failing, &settings, Found::Replace).unwrap_err();
            assert!(
                matches!(&lost, Error::Device { message, .. } if message.contains("goes on from")),
                "{lost}"
            );
            let left = std::fs::read(&path).unwrap();
            let mut other = settings.clone();
            other.mlp.momentum = 0.4;
            let refused = fit(&mut *executor, &other, Found::GoOn).unwrap_err().to_string();
            assert!(refused.contains("is the checkpoint of a run with other settings"), "{refused}");
            assert!(std::fs::read(&path).unwrap() == left, "other settings leave it as it is");
            // at most the step under way and the measuring of an epoch's errors are done again
            let mut rest = Failing::lost_after(3 * 46 - runs + 6, &mut *executor);
            let found = fit(&mut rest, &settings, Found::GoOn).unwrap();
            assert!(found == whole, "{} after {runs} runs", executor.name());
        }
    }
}

#[test]
fn ridge_and_its_cross_validation_equal_scikit_learn() {
    for name in ["primal", "dual"] {
        let case = &manifest()["linear"][name];
        let data = Data::of(case);
        assert_eq!(data.samples.len() < data.landmarks.len(), name == "dual");
        let fold: Vec<usize> = data.samples.iter().map(|i| i % of::<usize>(&case["folds"])).collect();
        let errors = cross_validate(&data.problem(), &fold, &penalties(), &silent).unwrap();
        for (error, want) in errors.iter().zip(of::<Vec<f64>>(&case["cv_errors"])) {
            assert!((error - want).abs() <= 1e-6 * want, "{name}: {error} for {want}");
        }
        let predictor = data.fit(&linear(Some(of(&case["penalty"]))));
        let found = subset(&data.weights(&predictor), of(&case["stride"]));
        let want: Vec<f64> = of(&case["coefficients"]);
        assert_eq!(found.len(), want.len());
        for (found, want) in found.iter().zip(want) {
            assert!((f64::from(*found) - want).abs() <= 1e-6, "{name}: {found} for {want}");
        }
    }
}

#[test]
fn the_nearest_landmarks_equal_scikit_learn() {
    let case = &manifest()["knn"];
    let data = Data::of(case);
    let k: usize = of(&case["neighbors"]);
    let weights = data.weights(&data.fit(&knn(Some(k))));
    for (row, want) in weights.chunks(data.landmarks.len()).zip(of::<Vec<Vec<usize>>>(&case["near"])) {
        let found: Vec<usize> = (0..row.len()).filter(|j| row[*j] != 0.0).collect();
        assert_eq!(found, want);
        assert!(found.iter().all(|j| row[*j] == 1.0 / k as f32));
    }
}

/// Plain loops over z-scores of all samples; neighbors by the samples not held out.
#[test]
fn the_number_of_neighbors_is_the_best_on_held_out_samples() {
    let data = Data::new(53, 61, 3);
    let (train, held) = hold_out(53, 0.2, 4).unwrap();
    let z = |gene: usize| -> Vec<f64> {
        let mut row = vec![0.0; 61];
        let mut read = |s| {
            data.store.read_row(s, &mut row);
            f64::from(row[gene])
        };
        let x: Vec<f64> = (0..53).map(&mut read).collect();
        let mean = x.iter().sum::<f64>() / 53.0;
        let sd = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 53.0).sqrt();
        x.iter().map(|x| if sd > 0.0 { (x - mean) / sd } else { 0.0 }).collect()
    };
    let x: Vec<Vec<f64>> = data.landmarks.iter().map(|g| z(*g)).collect();
    let mut errors = vec![0.0; x.len()];
    for target in data.targets.iter().map(|g| z(*g)) {
        let distance = |x: &[f64]| train.iter().map(|s| (x[*s] - target[*s]).powi(2)).sum::<f64>();
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|a, b| distance(&x[*a]).total_cmp(&distance(&x[*b])));
        for (k, error) in errors.iter_mut().enumerate() {
            let mean = |s: usize| order[..=k].iter().map(|j| x[*j][s]).sum::<f64>() / (k + 1) as f64;
            *error += held.iter().map(|s| (mean(*s) - target[*s]).powi(2)).sum::<f64>();
        }
    }
    let best = (0..errors.len()).min_by(|a, b| errors[*a].total_cmp(&errors[*b])).unwrap() + 1;
    assert!((2..errors.len()).contains(&best), "a case that decides nothing: {best}");
    assert_eq!(data.fit(&knn(None)).chosen()["neighbors"], best);
}

/// Every figure of every epoch and the best epoch's parameters within 1e-4 of PyTorch's float64 run.
#[test]
fn dgex_equals_pytorch() {
    let cases = manifest()["mlp"].clone();
    for (name, case) in cases.as_object().unwrap() {
        let data = Data::of(case);
        let (training, validation) =
            data.samples.split_at(data.samples.len() - of::<usize>(&case["validation"]));
        let hidden: Vec<usize> = of(&case["hidden"]);
        let settings = MlpSettings {
            hidden: hidden.clone(),
            include_rate: 1.0,
            batch: of(&case["batch"]),
            epochs: of(&case["epochs"]),
            shuffle: false,
            learning_rate: (name == "rises").then(|| of(&case["learning_rate"])), // the others have D-GEX's own
            ..MlpSettings::default()
        };
        let widths = [&[data.landmarks.len()], &hidden[..], &[data.targets.len()]].concat();
        let initial = |l: usize| {
            let last = l == hidden.len();
            let activation = if last { Activation::Linear } else { Activation::Tanh };
            let gain = if last { of(&case["gain"]) } else { 1.0 };
            layer(widths[l], widths[l + 1], activation, (l as u32, 0), gain, 0.0)
        };
        let panel = |genes| mlp::panel(&data.store, &data.samples, genes).unwrap();
        let (input, output) = (panel(&data.landmarks), panel(&data.targets));
        let slice = |resident| Slice {
            resident,
            store: &data.store,
            training,
            validation,
            landmarks: (&data.landmarks, &input),
            targets: (&data.targets, &output),
            seed: 0,
        };
        let file = package("tests/data/predictors").join(of::<String>(&case["file"]));
        let expected = TensorFile::load(&file).unwrap();
        for mut executor in executors() {
            let who = format!("{name} on {}", executor.name());
            let mut train = |resident| {
                let layers = (0..=hidden.len()).map(initial).collect();
                mlp::train(&mut *executor, &slice(resident), &settings, layers, &silent).unwrap()
            };
            let fitted = train(Resident::Always);
            assert!(train(Resident::Never) == fitted, "{who}: streamed");
            assert_eq!(fitted.epoch, of::<usize>(&case["best_epoch"]), "{who}");
            let history = of::<Vec<Value>>(&case["history"]);
            assert_eq!(fitted.history.len(), history.len());
            for (row, want) in fitted.history.iter().zip(history) {
                for (key, found) in [
                    ("loss", row.loss),
                    ("learning_rate", row.learning_rate),
                    ("training_mae", row.training_mae),
                    ("validation_mae", row.validation_mae.unwrap()),
                ] {
                    let want: f64 = of(&want[key]);
                    assert!((found - want).abs() <= 1e-4 * want, "{who}: {key} {found} for {want}");
                }
            }
            for (l, layer) in fitted.layers.iter().enumerate() {
                for (part, values) in [("weight", &layer.weight), ("bias", &layer.bias)] {
                    let want = &expected.tensors[&format!("layers.{l}.{part}")].values;
                    let error = relative_error(values, want);
                    assert!(error <= 1e-4, "{who}: layers.{l}.{part} is off by {error:e}");
                }
            }
        }
    }
}

#[test]
fn one_seed_gives_one_file_and_a_file_gives_the_predictor_back() {
    let data = Data::new(60, 47, 3);
    for settings in [small_mlp(), linear(None), kernel_of(), knn(None)] {
        let path = |n: usize| data.dir.path().join(format!("{n}.safetensors"));
        let predictor = data.fit(&settings);
        predictor.save(&path(1), true).unwrap();
        data.fit(&settings).save(&path(2), true).unwrap();
        assert!(std::fs::read(path(1)).unwrap() == std::fs::read(path(2)).unwrap(), "{settings:?}");
        assert_eq!(Predictor::load(&path(1)).unwrap(), predictor);
    }
    let mut file = TensorFile::load(&data.dir.path().join("1.safetensors")).unwrap();
    file.tensors.remove("targets.scale");
    let path = data.dir.path().join("damaged.safetensors");
    file.save(&path, false).unwrap();
    let message = Predictor::load(&path).unwrap_err().to_string();
    assert!(message.contains("targets.scale is missing"), "{message}");
    file.metadata.insert("format".into(), "genelift.autoencoder".into());
    file.save(&path, true).unwrap();
    let message = Predictor::load(&path).unwrap_err().to_string();
    assert!(message.contains("genelift.predictor") && message.contains("genelift.autoencoder"), "{message}");
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let data = Data::new(12, 20, 3);
    let message = |settings: &FitSettings| data.try_fit(settings).unwrap_err().to_string();
    assert!(message(&knn(Some(8))).contains("only 7 landmarks"));
    assert!(message(&linear(Some(-1.0))).contains("--penalty -1"));
    let mlp = MlpSettings { target_slices: 14, ..small_mlp().mlp };
    assert!(message(&FitSettings { mlp, ..small_mlp() }).contains("only 13 targets"));
    let mlp = MlpSettings { learning_rate: Some(1e30), ..small_mlp().mlp };
    let diverged = data.try_fit(&FitSettings { mlp, ..small_mlp() }).unwrap_err();
    assert!(matches!(diverged, Error::Diverged { .. }), "{diverged}");

    let fit = |samples: &[usize], landmarks: &[usize], targets: &[usize], settings: &FitSettings| {
        Predictor::fit(&mut cpu(), &data.store, samples, landmarks, targets, settings, &silent)
    };
    let refused = |samples: &[usize], landmarks: &[usize], targets: &[usize]| {
        fit(samples, landmarks, targets, &linear(None)).unwrap_err().to_string()
    };
    let id = &data.store.genes().ids[1];
    assert!(refused(&data.samples, &[0, 1], &[2, 1]).contains(&format!("gene {id} is among the targets")));
    assert!(refused(&data.samples, &[0, 99], &[2]).contains("gene 99 of 20"));
    assert!(refused(&data.samples, &[0], &[]).contains("no targets"));
    let text = refused(&data.samples[..1], &[0, 1], &[2]);
    assert!(text.contains("nothing varies over the 1 sample "), "{text}");
}
