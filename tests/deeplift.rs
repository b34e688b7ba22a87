//! DeepLIFT against captum in float64 (`scripts/reference_deeplift.py`), on every executor.

mod common;
#[path = "common/executors.rs"]
mod executors;

use common::{example_store, layer, model, package};
use executors::{executors, in_half};
use genelift::attribution::{Aggregate, AttributeSettings, Reference, Target, attribute};
use genelift::device::recording::Activation;
use genelift::nn::model::{Layer, Model};
use genelift::nn::scaling::{self, Scale};
use genelift::nn::settings::Precision;
use genelift::nn::tensors::TensorFile;
use genelift::progress::silent;
use genelift::store::Store;
use serde_json::Value;

const SAMPLES: usize = 48;

fn of<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn manifest() -> Value {
    let text = std::fs::read_to_string(package("tests/data/deeplift/manifest.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The case's encoder with a decoder behind it, which attribution must not touch.
fn case_model(store: &Store, case: &Value) -> Model {
    let activation: Activation = of(&case["activation"]);
    let mut widths = vec![store.n_genes()];
    widths.extend(of::<Vec<usize>>(&case["widths"]));
    let mut layers: Vec<Layer> = (0..widths.len() - 1)
        .map(|l| layer(widths[l], widths[l + 1], activation, (10 + l as u32, 20 + l as u32), 6.0, 0.5))
        .collect();
    for (l, layer) in layers.iter().enumerate() {
        let first: Vec<f32> = of(&case["weights"][format!("layers.{l}.weight")]);
        assert_eq!(layer.weight[..4], first[..], "the formula of the weights");
        let first: Vec<f32> = of(&case["biases"][format!("layers.{l}.bias")]);
        assert_eq!(layer.bias[..4], first[..], "the formula of the biases");
    }
    let bottleneck = widths[widths.len() - 1];
    layers.push(layer(bottleneck, store.n_genes(), Activation::Sigmoid, (30, 40), 1.0, 0.5));
    let all: Vec<usize> = (0..store.n_samples()).collect();
    model(store, layers, scaling::fit(store, &all, Scale::Minmax))
}

#[test]
fn scores_equal_captums() {
    let manifest = manifest();
    let aggregates = [
        ("mean-abs", Aggregate::MeanAbs),
        ("abs-mean", Aggregate::AbsMean),
        ("mean", Aggregate::Mean),
        ("rms", Aggregate::Rms),
    ];
    for name in ["sigmoid", "tanh", "relu"] {
        let case = &manifest["cases"][name];
        let dir = tempfile::tempdir().unwrap();
        let store = example_store(dir.path(), SAMPLES, of(&case["genes"]));
        let model = case_model(&store, case);
        let expected =
            TensorFile::load(&package("tests/data/deeplift").join(of::<String>(&case["file"]))).unwrap();
        let stride: usize = of(&case["neuron_stride"]);
        for (position, mut executor) in executors().into_iter().enumerate() {
            for reference in ["zeros", "mean", "median"] {
                for (end, target) in [("post", Target::Post), ("pre", Target::Pre)] {
                    for (aggregate_name, aggregate) in aggregates {
                        // A software rasterizer takes seconds for one large attribution.
                        let brief = position > 0 && name == "sigmoid" && aggregate != Aggregate::MeanAbs;
                        if brief && (reference, end) != ("mean", "post") {
                            continue;
                        }
                        let settings = AttributeSettings {
                            reference: Reference::from(reference.to_string()),
                            target,
                            aggregate,
                            ..AttributeSettings::standard()
                        };
                        let per_node = aggregate == Aggregate::AbsMean;
                        executor.reset();
                        let result =
                            attribute(&mut *executor, &model, &store, &settings, per_node, &silent).unwrap();
                        let which = format!("{reference}.{end}.{aggregate_name}");
                        let who = format!("{name} {which} on {}", executor.name());
                        let want = &expected.tensors[&which].values;
                        compare(&who, result.scores.iter().map(|s| *s as f32), want);
                        if per_node && which.starts_with("mean.post") {
                            let genes = store.n_genes();
                            let nodes = result.per_node.as_ref().unwrap().chunks_exact(genes);
                            let chosen: Vec<f32> = nodes.step_by(stride).flatten().copied().collect();
                            compare(&who, chosen.into_iter(), &expected.tensors["mean.post.neurons"].values);
                        }
                        let largest: f64 = of(&case["completeness"][format!("{reference}.{end}")]["largest"]);
                        let completeness = result.completeness;
                        if aggregate != Aggregate::Mean {
                            assert!(
                                (completeness.scale - largest).abs() < 1e-4 * largest,
                                "{who}: {completeness:?}"
                            );
                        }
                        assert!(completeness.relative() <= 1e-4, "{who}: {completeness:?}");
                    }
                }
            }
        }
    }
}

/// Half precision beside single: three digits of the largest score, and contributions add up as far.
#[test]
fn half_precision_gives_the_same_scores() {
    let manifest = manifest();
    let case = &manifest["cases"]["sigmoid"];
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, of(&case["genes"]));
    let model = case_model(&store, case);
    for aggregate in [Aggregate::MeanAbs, Aggregate::Mean] {
        for (mut executor, precision) in in_half() {
            let mut scores = |precision| {
                let settings = AttributeSettings { precision, aggregate, ..AttributeSettings::standard() };
                executor.reset();
                attribute(&mut *executor, &model, &store, &settings, false, &silent).unwrap()
            };
            let (single, half) = (scores(Precision::F32), scores(precision));
            let largest = single.scores.iter().fold(0.0f64, |m, s| m.max(s.abs()));
            let apart = single.scores.iter().zip(&half.scores).map(|(a, b)| (a - b).abs() / largest);
            let worst = apart.fold(0.0, f64::max);
            let most = if precision == Precision::Bf16 { 1.6e-2 } else { 2e-3 }; // three bits fewer
            assert!(worst > 0.0 && worst < most, "{aggregate:?} on {}: {worst:e}", executor.name());
            assert!(half.completeness.relative() < most, "{:?}", half.completeness);
        }
    }
}

/// Within 1e-4 of the largest score; NaN does not pass.
fn compare(who: &str, got: impl ExactSizeIterator<Item = f32>, want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{who}");
    let largest = want.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    assert!(largest > 0.0);
    for (i, (got, want)) in got.zip(want).enumerate() {
        let error = (got - want).abs() / largest;
        assert!(error <= 1e-4, "{who}: value {i} is {got}, captum has {want}");
    }
}

/// The two-input example of the DeepLIFT literature (Shrikumar et al. 2017, section 3.5.1 / figure 1 and their
/// min(i1, i2) network), worked by hand: y = relu(i1 − relu(i1 − i2)) = min(i1, i2) for non-negative inputs.
#[test]
fn relu_cases_by_hand() {
    use genelift::device::recording::Element;
    use genelift::genes::Table;
    use genelift::nn::model::Input;
    use genelift::store::{Origin, StoreWriter};

    let dir = tempfile::tempdir().unwrap();
    // Layer 1: h1 = relu(i1), h2 = relu(i1 − i2). Layer 2 (bottleneck): y = relu(h1 − h2). A decoder follows.
    let relu = Activation::Relu;
    let layers = vec![
        Layer {
            inputs: 2,
            outputs: 2,
            weight: vec![1.0, 0.0, 1.0, -1.0],
            bias: vec![0.0; 2],
            activation: relu,
        },
        Layer { inputs: 2, outputs: 1, weight: vec![1.0, -1.0], bias: vec![0.0], activation: relu },
        Layer { inputs: 1, outputs: 2, weight: vec![1.0; 2], bias: vec![0.0; 2], activation: relu },
    ];
    // (i1, i2) against the reference (0, 0), and the contributions by hand:
    // i1 > i2, (5, 3): h2 = 2, multipliers 1, 1 and 1: C1 = (1 − 1)·5 = 0, C2 = 1·3 = 3.
    // i1 < i2, (2, 6): h2 = relu(−4) = 0, its multiplier 0: C1 = 2, C2 = 0.
    // i1 = i2, (4, 4): h2's input difference is 0, the derivative of relu at 0 is 0: C1 = 4, C2 = 0.
    let cases = [([5.0f32, 3.0], [0.0, 3.0]), ([2.0, 6.0], [2.0, 0.0]), ([4.0, 4.0], [4.0, 0.0])];
    for (i, (inputs, contributions)) in cases.into_iter().enumerate() {
        let mut writer =
            StoreWriter::create(&dir.path().join(format!("{i}.gex")), 2, Element::F32, false).unwrap();
        writer.push_rows(&inputs).unwrap();
        let genes = Table::new("gene_id", vec!["i1".into(), "i2".into()]);
        let store =
            writer.finish(genes, Table::new("sample_id", vec!["s".into()]), Origin::default()).unwrap();
        let input = Input { offset: vec![0.0; 2], scale: vec![1.0; 2], median: vec![0.0; 2] };
        let model = model(&store, layers.clone(), input);
        let settings = AttributeSettings {
            reference: Reference::Zeros,
            aggregate: Aggregate::Mean,
            ..AttributeSettings::paper()
        };
        for mut executor in executors() {
            let result = attribute(&mut *executor, &model, &store, &settings, false, &silent).unwrap();
            assert_eq!(result.scores, contributions, "inputs {inputs:?} on {}", executor.name());
            assert_eq!(result.completeness.worst_error, 0.0);
        }
    }
}
