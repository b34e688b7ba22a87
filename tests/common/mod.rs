//! What several integration tests share: the example matrix, weights by formula, tolerances.
#![allow(dead_code)] // each test binary uses its own part

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use genelift::device::random::pcg4d;
use genelift::device::recording::{Activation, Element};
use genelift::genes::Table;
use genelift::nn::model::{Input, Layer, Model};
use genelift::select::Constraints;
use genelift::store::{Origin, Store, StoreWriter};
use serde_json::Value;

/// A list of numbers in a reference's JSON.
pub fn numbers<T>(value: &Value, as_number: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    value.as_array().unwrap().iter().map(|v| as_number(v).unwrap()).collect()
}

/// Ids of made-up genes.
pub fn ids(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("gene{i:04}")).collect()
}

/// For genes of those ids.
pub fn constraints(genes: usize, n: usize, include: &[usize], exclude: &[usize]) -> Constraints {
    Constraints::new(&Table::new("gene_id", ids(genes)), n, include, exclude).unwrap()
}

/// A path inside the package, which CARGO_MANIFEST_DIR names at run time too (`scripts/gpu_check.sh`).
pub fn package(path: &str) -> PathBuf {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&root).join(path)
}

/// The example matrix's first `samples` rows and `genes` columns, as a store in `dir`.
pub fn example_store(dir: &Path, samples: usize, genes: usize) -> Store {
    let mut text = String::new();
    let file = std::fs::File::open(package("examples/brca/expression.csv.gz")).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    let header: Vec<String> = lines.next().unwrap().split(',').skip(1).map(String::from).collect();
    let path = dir.join(format!("example-{samples}x{genes}.gex"));
    let mut writer = StoreWriter::create(&path, genes, Element::F32, false).unwrap();
    let mut ids = Vec::new();
    for line in lines.take(samples) {
        let mut fields = line.split(',');
        ids.push(fields.next().unwrap().to_string());
        let row: Vec<f32> = fields.take(genes).map(|f| f.parse().unwrap()).collect();
        writer.push_rows(&row).unwrap();
    }
    let genes = Table::new("gene_id", header[..genes].to_vec());
    writer.finish(genes, Table::new("sample_id", ids), Origin::default()).unwrap()
}

/// Values by the formula that `scripts/reference.py` uses: limit·(2u − 1), u from pcg4d keyed by (index, key).
pub fn by_formula(n: usize, key: u32, limit: f64) -> Vec<f32> {
    let value = |e: u32| {
        let u = f64::from(pcg4d([e, key, 0x6765_6e65, 0x6c69_6674])[0] >> 8) / f64::from(1u32 << 24);
        (limit * (2.0 * u - 1.0)) as f32
    };
    (0..n as u32).map(value).collect()
}

/// A layer whose weights are drawn by [`by_formula`] within ±gain·√(6/(in + out)), biases within ±`bias`.
pub fn layer(
    inputs: usize,
    outputs: usize,
    activation: Activation,
    keys: (u32, u32),
    gain: f64,
    bias: f64,
) -> Layer {
    let limit = gain * (6.0 / (inputs + outputs) as f64).sqrt();
    let weight = by_formula(inputs * outputs, keys.0, limit);
    Layer { inputs, outputs, weight, bias: by_formula(outputs, keys.1, bias), activation }
}

/// A model of these layers over the store's genes.
pub fn model(store: &Store, layers: Vec<Layer>, input: Input) -> Model {
    Model { layers, input, genes: store.genes().ids.clone(), config: serde_json::json!({}) }
}

/// ‖a − b‖ / ‖b‖; NaN never passes a comparison with it.
pub fn relative_error(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
    let norm: f64 = b.iter().map(|b| square(f64::from(*b))).sum();
    (difference / norm.max(f64::MIN_POSITIVE)).sqrt()
}

/// Every `stride`-th element.
pub fn subset(values: &[f32], stride: usize) -> Vec<f32> {
    values.iter().step_by(stride).copied().collect()
}

/// What the program exits with, says and complains of.
pub fn genelift(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_genelift")).args(args).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}
