//! Training against PyTorch: losses, weights and gradients of `scripts/reference_training.py`, on every executor.

mod common;
#[path = "common/executors.rs"]
mod executors;

use common::{example_store, layer, model, package, relative_error, subset};
use executors::executors;
use genelift::device::Executor;
use genelift::device::recording::{Activation, Element, Loss, Recording, Step, Update};
use genelift::nn::feed::{Feed, Resident};
use genelift::nn::model::{Layer, Model};
use genelift::nn::network::{InputBuffers, LossBuffers, Network};
use genelift::nn::scaling::{self, Scale};
use genelift::nn::settings::{Optimizer, TrainSettings};
use genelift::nn::tensors::TensorFile;
use genelift::nn::train::{Trained, Training, train};
use genelift::progress::silent;
use genelift::ranks::Ranks;
use genelift::store::Store;
use serde_json::Value;

fn manifest() -> Value {
    let text = std::fs::read_to_string(package("tests/data/training/manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn of<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// One case of the manifest, ready to run.
struct Case {
    store: Store,
    settings: TrainSettings,
    initial: Model,
    expected: TensorFile,
    manifest: Value,
    _dir: tempfile::TempDir,
}

impl Case {
    fn open(name: &str) -> Case {
        let manifest = manifest()["cases"][name].clone();
        let dir = tempfile::tempdir().unwrap();
        let number = |key: &str| of::<usize>(&manifest[key]);
        let store = example_store(dir.path(), number("samples"), number("genes"));
        let settings = TrainSettings {
            hidden: of(&manifest["hidden"]),
            activation: of(&manifest["activation"]),
            output_activation: of(&manifest["output"]),
            loss: of::<Loss>(&manifest["loss"]),
            scale: of::<Scale>(&manifest["scale"]),
            optimizer: of::<Optimizer>(&manifest["optimizer"]),
            momentum: 0.5,
            learning_rate: of(&manifest["learning_rate"]),
            epsilon: 1e-7,
            batch: number("batch"),
            epochs: number("epochs"),
            dropout: 0.0,
            l2: of(&manifest["l2"]),
            shuffle: false,
            ..TrainSettings::paper()
        };
        let mut widths = vec![store.n_genes()];
        widths.extend(&settings.hidden);
        widths.push(store.n_genes());
        let activation =
            |l| if l + 2 == widths.len() { settings.output_activation } else { settings.activation };
        let layers: Vec<Layer> = (0..widths.len() - 1)
            .map(|l| layer(widths[l], widths[l + 1], activation(l), (l as u32, 0), 1.0, 0.0))
            .collect();
        for (l, layer) in layers.iter().enumerate() {
            let first: Vec<f32> = of(&manifest["initial"][format!("layers.{l}.weight")]);
            assert_eq!(layer.weight[..4], first[..], "the formula of the initial weights");
        }
        let all: Vec<usize> = (0..store.n_samples()).collect();
        let initial = model(&store, layers, scaling::fit(&store, &all, settings.scale));
        let file = package("tests/data/training").join(of::<String>(&manifest["file"]));
        let expected = TensorFile::load(&file).unwrap();
        Case { store, settings, initial, expected, manifest, _dir: dir }
    }

    fn train(&self, executor: &mut dyn Executor, resident: Resident) -> Trained {
        let training = Training {
            store: &self.store,
            samples: (0..self.store.n_samples()).collect(),
            validation: None,
            settings: self.settings.clone(),
            resident,
            init: Some(self.initial.clone()),
            checkpoint: None,
            history: None,
            ranks: Ranks::alone(),
        };
        train(executor, &training, &silent).unwrap()
    }

    /// Losses within 1e-4 relative of PyTorch's float64 run, final parameters within 1e-3 relative
    /// (‖w − w*‖/‖w*‖) of its float32 run, and weights of the float64 run too. (PyTorch's own float32 biases
    /// are 1.9e-3 away from its float64 ones in the paper's case: signs of tiny errors differ.)
    fn check(&self, who: &str, trained: &Trained) {
        let losses: Vec<f64> = of(&self.manifest["losses"]);
        let penalties: Vec<f64> = of(&self.manifest["penalties"]);
        assert_eq!(trained.history.len(), losses.len());
        for (row, (loss, penalty)) in trained.history.iter().zip(losses.iter().zip(&penalties[1..])) {
            let error = (row.train_loss - loss).abs() / loss;
            assert!(error <= 1e-4, "{who}: epoch {}: loss {} for {loss}", row.epoch, row.train_loss);
            let error = (row.penalty - penalty).abs() / penalty;
            assert!(error <= 1e-3, "{who}: epoch {}: penalty {} for {penalty}", row.epoch, row.penalty);
        }
        let stride = of(&self.manifest["stride"]);
        for (l, layer) in trained.model.layers.iter().enumerate() {
            let weight = subset(&layer.weight, stride);
            for (run, name, values) in [
                ("final", "weight", &weight),
                ("final32", "weight", &weight),
                ("final32", "bias", &layer.bias),
            ] {
                let error = relative_error(
                    values,
                    &self.expected.tensors[&format!("{run}.layers.{l}.{name}")].values,
                );
                assert!(error <= 1e-3, "{who}: layers.{l}.{name} is off {run} by {error:e}");
            }
        }
    }

    /// Gradients of the first batch at the initial weights, the penalty's included.
    fn gradients(&self, executor: &mut dyn Executor) -> Vec<(Vec<f32>, Vec<f32>)> {
        let batch = self.settings.batch;
        let network = Network::new(executor, &self.initial.layers, Element::F32).unwrap();
        let input = InputBuffers::new(executor, &self.initial).unwrap();
        let x = executor.matrix("x", batch, self.store.n_genes(), Element::F32).unwrap();
        let passes = network.passes(executor, "outputs", x).unwrap();
        let table = executor.matrix("table", 1, 2, Element::F32).unwrap();
        let samples: Vec<usize> = (0..batch).collect();
        let genes = &self.initial.genes;
        let feed =
            Feed::new(executor, &self.store, samples, genes, batch, Resident::Always, &silent).unwrap();
        let mut updates = Vec::new();
        for layer in &network.layers {
            let mut store = |value: genelift::device::recording::Matrix, l2| {
                let out = executor.matrix("gradient", value.rows, value.cols, Element::F32).unwrap();
                (out, Update::Store { value, out, l2 })
            };
            updates.push((store(layer.weight, self.settings.l2 as f32), store(layer.bias, 0.0)));
        }
        let mut recording = Recording::new();
        recording.push(feed.gather(&input, x));
        network.forward_kept(&mut recording, &passes, None);
        let loss = LossBuffers {
            target: x,
            loss: self.settings.loss,
            gradient: Some(passes.last_gradient()),
            unit: input.unit,
            table,
        };
        network.loss(&mut recording, passes.below_last(), loss);
        let calls: Vec<_> = updates.iter().map(|((_, w), (_, b))| (*w, *b)).collect();
        network.backward(&mut recording, &passes, &calls, None);
        let program = executor.compile(&recording).unwrap();
        let order: Vec<u32> = (0..batch as u32).collect();
        feed.pass(executor, &order, |executor, part| {
            let gradient_scale = (1.0 / (part.rows * genes.len()) as f64) as f32;
            executor.run(program, &Step { rows: part.rows, gradient_scale, ..Step::default() })
        })
        .unwrap();
        let mut read =
            |matrix: genelift::device::recording::Matrix| executor.read(matrix, 0, matrix.rows).unwrap();
        updates.iter().map(|((w, _), (b, _))| (read(*w), read(*b))).collect()
    }
}

#[test]
fn three_epochs_of_the_papers_network_equal_pytorch() {
    let case = Case::open("paper");
    for mut executor in executors() {
        let who = executor.name().to_string();
        case.check(&who, &case.train(&mut *executor, Resident::Always));
    }
}

#[test]
fn other_losses_activations_and_optimizers_equal_pytorch() {
    for name in ["adam-relu", "adam-tanh", "sgd-relu", "sgd-tanh"] {
        let case = Case::open(name);
        assert_ne!(case.settings.activation, Activation::Sigmoid);
        for mut executor in executors() {
            let who = format!("{name} on {}", executor.name());
            case.check(&who, &case.train(&mut *executor, Resident::Never));
            executor.reset();
            for (l, (weight, bias)) in case.gradients(&mut *executor).iter().enumerate() {
                let stride = of(&case.manifest["stride"]);
                let want = |name: &str| &case.expected.tensors[&format!("gradient.layers.{l}.{name}")].values;
                let error = relative_error(&subset(weight, stride), want("weight"));
                assert!(error <= 1e-4, "{who}: gradient of layers.{l}.weight is off by {error:e}");
                let error = relative_error(bias, want("bias"));
                assert!(error <= 1e-4, "{who}: gradient of layers.{l}.bias is off by {error:e}");
            }
        }
    }
}
