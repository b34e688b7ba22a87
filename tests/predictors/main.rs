//! Predictors against scikit-learn (ridge, nearest landmarks) and PyTorch (D-GEX), by
//! `scripts/reference_predictors.py`; their files; completed profiles.

mod adapt;
#[path = "../common/mod.rs"]
mod common;
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

/// Another store of these genes (positions in `store`) under other ids, with an `entrez` column where asked.
fn rewrite(store: &Store, genes: &[usize], path: &Path, rename: bool) -> Store {
    let mut table = store.genes().select(genes);
    if rename {
        let entrez = table.ids.iter().map(|id| id.rsplit('_').next().unwrap().to_string()).collect();
        table = Table::numbered("gene_id", "row", genes.len());
        table.set_column("entrez", entrez);
    }
    let mut writer = StoreWriter::create(path, genes.len(), Element::F32, false).unwrap();
    let mut row = vec![0.0; genes.len()];
    for sample in 0..store.n_samples() {
        store.read_genes(sample, genes, &mut row);
        writer.push_rows(&row).unwrap();
    }
    writer.finish(table, store.samples().clone(), Origin::default()).unwrap()
}

/// Mean absolute error over `genes` of all samples.
fn mae(truth: &Store, genes: &[usize], mut inferred: impl FnMut(usize, &mut [f32])) -> f64 {
    let median = vec![0.0; genes.len()];
    let known = Baseline::of_medians(&median);
    let mut agreement = Agreement::new(genes.len());
    let (mut x, mut y) = (median.clone(), median.clone());
    for sample in 0..truth.n_samples() {
        truth.read_genes(sample, genes, &mut x);
        inferred(sample, &mut y);
        agreement.add(&known, &x, &y);
    }
    let (by_gene, _) = agreement.finish();
    by_gene.iter().map(|figures| figures.mae).sum::<f64>() / genes.len() as f64
}

#[test]
fn completed_profiles_agree_with_the_truth_as_predictions_do() {
    let mut data = Data::new(75, 47, 3);
    data.samples.truncate(60);
    let (dir, truth) = (data.dir.path().to_path_buf(), &data.store);
    let shuffled: Vec<usize> = data.landmarks.iter().rev().copied().collect();
    let measured = rewrite(truth, &shuffled, &dir.join("measured.gex"), false);
    for settings in [small_mlp(), linear(None), kernel_of(), knn(Some(3))] {
        let predictor = data.fit(&settings);
        let mut predicted = Vec::new();
        let visit: &mut dyn FnMut(usize, &[f32]) -> genelift::Result<()> = &mut |first, rows| {
            assert_eq!(first * data.targets.len(), predicted.len());
            predicted.extend_from_slice(rows);
            Ok(())
        };
        let at = places(&predictor, truth, MissingLandmarks::Refuse).unwrap();
        predictor.predict(&mut cpu(), truth, &at, &silent, visit).unwrap();
        let width = data.targets.len();
        let direct =
            mae(truth, &data.targets, |s, y| y.copy_from_slice(&predicted[s * width..(s + 1) * width]));

        let out = dir.join("completed.gex");
        let how = Completing { force: true, ..Completing::default() };
        let done = complete(&mut cpu(), &predictor, &measured, &out, &how, &finder(), &silent).unwrap();
        assert_eq!((done.measured, done.inferred), (data.landmarks.len(), width));
        let position = done.store.genes().positions();
        let at: Vec<usize> = predictor.targets().iter().map(|id| position[id.as_str()]).collect();
        let origin = done.store.genes().column("origin").unwrap();
        assert!(at.iter().all(|g| origin[*g] == "inferred"));
        assert_eq!(origin.iter().filter(|o| *o == "measured").count(), data.landmarks.len());
        assert_eq!(mae(truth, &data.targets, |s, y| done.store.read_genes(s, &at, y)), direct);
        let (mut a, mut b) = (vec![0.0; shuffled.len()], vec![0.0; shuffled.len()]);
        measured.read_row(74, &mut a);
        done.store.read_genes(74, &(0..shuffled.len()).collect::<Vec<_>>(), &mut b);
        assert_eq!(a, b, "measured genes are as given");
        // better than each gene's mean, or the test says nothing
        let offset = mae(truth, &data.targets, |_, y| y.copy_from_slice(&mean(truth, &data.targets)));
        assert!(direct < offset, "{:?}: {direct} for {offset}", settings.method);
    }
}

fn mean(store: &Store, genes: &[usize]) -> Vec<f32> {
    let all: Vec<usize> = (0..store.n_samples()).collect();
    let means = genelift::nn::scaling::means(store, &all);
    genes.iter().map(|g| means[*g]).collect()
}

#[test]
fn targets_that_are_measured_stay_unless_replaced() {
    let data = Data::new(40, 23, 2);
    let predictor = data.fit(&linear(Some(10.0)));
    let out = data.dir.path().join("out.gex");
    let run = |replace| {
        let how = Completing { replace, force: true, ..Completing::default() };
        complete(&mut cpu(), &predictor, &data.store, &out, &how, &finder(), &silent)
    };
    let message = run(false).unwrap_err().to_string();
    assert!(message.contains("--replace"), "{message}");
    let done = run(true).unwrap();
    assert_eq!((done.measured, done.inferred), (data.landmarks.len(), data.targets.len()));
    assert_eq!(done.store.genes().ids, data.store.genes().ids);
}

#[test]
fn missing_landmarks_are_named_and_refused_or_take_their_mean() {
    let data = Data::new(50, 41, 4);
    let predictor = data.fit(&linear(Some(10.0)));
    let run = |store: &Store, missing| {
        let mut rows = Vec::new();
        let visit: &mut dyn FnMut(usize, &[f32]) -> genelift::Result<()> = &mut |_, batch| {
            rows.extend_from_slice(batch);
            Ok(())
        };
        let at = places(&predictor, store, missing)?;
        predictor.predict(&mut cpu(), store, &at, &silent, visit).map(|()| rows)
    };
    let [kept, dropped] = [&data.landmarks[2..], &data.landmarks[..2]];
    let fewer = rewrite(&data.store, kept, &data.dir.path().join("fewer.gex"), false);
    let message = run(&fewer, MissingLandmarks::Refuse).unwrap_err().to_string();
    let names: Vec<&str> = dropped.iter().map(|g| data.store.genes().ids[*g].as_str()).collect();
    assert!(message.contains("2 of the predictor's 11 landmarks"), "{message}");
    assert!(message.contains(&names.join(", ")) && message.contains("--missing mean"), "{message}");
    let imputed = run(&fewer, MissingLandmarks::Mean).unwrap();

    let how = Completing { missing: MissingLandmarks::Refit, ..Completing::default() };
    let out = data.dir.path().join("refitted.gex");
    let done = complete(&mut cpu(), &predictor, &fewer, &out, &how, &finder(), &silent).unwrap();
    let losses = done.losses.unwrap();
    assert_eq!(losses.alone.iter().map(|loss| loss.0.as_str()).collect::<Vec<_>>(), names);

    // what is known of errors is of all landmarks
    let mut whole = predictor.clone();
    whole.hold_out(&mut cpu(), &data.problem(), (&linear(Some(10.0)), 5), &silent).unwrap();
    for (store, missing, known) in [
        (&fewer, MissingLandmarks::Mean, false),
        (&fewer, MissingLandmarks::Refit, false),
        (&data.store, MissingLandmarks::Refuse, true),
    ] {
        let how = Completing { missing, replace: true, force: true, ..Completing::default() };
        let done = complete(&mut cpu(), &whole, store, &out, &how, &finder(), &silent).unwrap();
        assert_eq!(!done.trust.is_empty(), known, "{missing:?}");
        assert_eq!(done.store.genes().column("reliable").is_some(), known, "{missing:?}");
    }
    // nor is a level taken that there are no intervals of
    for (predictor, level, taken) in [(&predictor, 0.9, false), (&whole, 0.7, false), (&whole, 0.8, true)] {
        let missing = MissingLandmarks::Mean;
        let how = Completing { missing, level: Some(level), force: true, ..Completing::default() };
        match complete(&mut cpu(), predictor, &fewer, &out, &how, &finder(), &silent) {
            Ok(done) => assert!(taken && done.trust.is_empty(), "{level}"),
            Err(Error::Usage(message)) => {
                assert!(
                    !taken && message.contains(&format!("--level {level}: the predictor has")),
                    "{message}"
                );
            }
            Err(error) => panic!("{level}: {error}"),
        }
    }

    // The same by hand: the training mean in the place of the missing genes.
    let path = data.dir.path().join("mean.gex");
    let n = data.landmarks.len();
    let mut writer = StoreWriter::create(&path, n, Element::F32, false).unwrap();
    let means = mean(&data.store, &data.landmarks);
    let mut row = vec![0.0; n];
    for sample in 0..50 {
        data.store.read_genes(sample, &data.landmarks, &mut row);
        row[..2].copy_from_slice(&means[..2]);
        writer.push_rows(&row).unwrap();
    }
    let genes = data.store.genes().select(&data.landmarks);
    let filled = writer.finish(genes, data.store.samples().clone(), Origin::default()).unwrap();
    let by_hand = run(&filled, MissingLandmarks::Refuse).unwrap();
    assert!(relative_error(&imputed, &by_hand) <= 1e-6);

    let none = rewrite(&data.store, &data.targets, &data.dir.path().join("none.gex"), false);
    for missing in [MissingLandmarks::Refuse, MissingLandmarks::Mean] {
        assert!(matches!(run(&none, missing), Err(Error::Input { .. })));
    }
}

#[test]
fn landmarks_are_found_by_other_names() {
    let data = Data::new(50, 41, 4);
    let all: Vec<usize> = (0..41).collect();
    let named = rewrite(&data.store, &all, &data.dir.path().join("named.gex"), true);
    let Problem { samples, landmarks, targets, .. } = data.problem();
    let predictor =
        Predictor::fit(&mut cpu(), &named, samples, landmarks, targets, &linear(Some(10.0)), &silent)
            .unwrap();
    // a store whose ids are the Entrez ids of the training store's column
    let other = data.dir.path().join("other.gex");
    let mut writer = StoreWriter::create(&other, 41, Element::F32, false).unwrap();
    let mut row = vec![0.0; 41];
    for sample in 0..50 {
        named.read_row(sample, &mut row);
        writer.push_rows(&row).unwrap();
    }
    let ids = named.genes().column("entrez").unwrap().to_vec();
    let other =
        writer.finish(Table::new("gene_id", ids), named.samples().clone(), Origin::default()).unwrap();
    let places = places(&predictor, &other, MissingLandmarks::Refuse).unwrap();
    assert_eq!(places, data.landmarks.iter().map(|g| Some(*g)).collect::<Vec<_>>());
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

#[test]
fn the_command_completes_a_file_of_landmarks() {
    let data = Data::new(60, 47, 3);
    let dir = data.dir.path();
    let genelift = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_genelift");
        let output = std::process::Command::new(program).current_dir(dir).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let store = data.store.path().to_str().unwrap();
    let ids: Vec<&str> = data.landmarks.iter().map(|g| data.store.genes().ids[*g].as_str()).collect();
    std::fs::write(dir.join("landmarks.tsv"), format!("gene_id\n{}\n", ids.join("\n"))).unwrap();
    // the landmarks alone, as a file
    let mut csv = format!("sample_id,{}\n", ids.join(","));
    let mut row = vec![0.0; ids.len()];
    for sample in 0..60 {
        data.store.read_genes(sample, &data.landmarks, &mut row);
        let values: Vec<String> = row.iter().map(f32::to_string).collect();
        csv += &format!("{},{}\n", data.store.samples().ids[sample], values.join(","));
    }
    std::fs::write(dir.join("profiles.csv"), &csv).unwrap();

    let fit =
        ["fit", store, "--landmarks", "landmarks.tsv", "-o", "p.safetensors", "--device", "cpu", "--method"];
    let (code, _, error) = genelift(&[&fit[..], &["linear", "--hidden", "5"]].concat());
    assert!(code == Some(2) && error.contains("--hidden is not an option of --method linear"), "{error}");
    let (code, out, error) = genelift(&[&fit[..], &["linear"]].concat());
    assert!(code == Some(0) && out.contains("targets\t31\npenalty\t"), "{out}{error}");
    let predict = ["predict", "p.safetensors", "profiles.csv", "-o", "whole.gex", "--device", "cpu"];
    let (code, out, error) = genelift(&predict);
    assert!(code == Some(0) && out.contains("measured\t16\ninferred\t31\n"), "{out}{error}");
    // the samples are those of the fit, which the predictor remembers, under any name
    let known = "60 of 60 samples of profiles.csv are among those that the predictor comes from, by id";
    assert!(error.contains(known), "{error}");
    let text = std::fs::read_to_string(dir.join("whole.gex/store.json")).unwrap();
    assert!(text.contains("\"predict\"") && !text.contains("remembered"), "{text:.2000}");
    let renamed = csv.lines().enumerate().map(|(i, line)| match i {
        0 => format!("{line}\n"),
        _ => format!("other{i},{}\n", line.split_once(',').unwrap().1),
    });
    std::fs::write(dir.join("renamed.csv"), renamed.collect::<String>()).unwrap();
    let (code, _, error) = genelift(&["predict", "p.safetensors", "renamed.csv", "-o", "renamed.gex"]);
    assert!(code == Some(0) && error.contains("with the same values under other names"), "{error}");
    let whole = Store::open(&dir.join("whole.gex")).unwrap();
    assert_eq!((whole.n_samples(), whole.n_genes()), (60, 47));
    let (code, _, error) = genelift(&predict);
    assert!(code == Some(1) && error.contains("already exists"), "{error}");
    let left = dir
        .read_dir()
        .unwrap()
        .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().contains("import-"));
    assert_eq!(left.count(), 0, "the imported store is removed");
}
