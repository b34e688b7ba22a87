//! `genelift info`: what a store, a model or a matrix file is.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::print;
use crate::error::Result;
use crate::formats::{self, FileInfo, ReadSettings, describe};
use crate::nn::model::Model;
use crate::store::{Store, Summary, summary};
use crate::visible;

/// Arguments of `info`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A store, a model (.safetensors) or a matrix file
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The layer of an h5ad file to look at
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
}

/// Runs the command. Of a store and a model everything is read and checked, of a matrix file the beginning.
///
/// # Errors
/// Those of opening what it is.
pub fn run(args: &Args) -> Result<()> {
    let (text, value) = if args.path.is_dir() && !formats::is_directory(&args.path) {
        let summary = summary(&Store::open(&args.path)?);
        (store_text(&summary), json!(summary))
    } else if args.path.extension() == Some(OsStr::new("safetensors")) {
        model(&args.path)?
    } else {
        let settings = ReadSettings { layer: args.layer.clone(), ..ReadSettings::default() };
        let info = describe(&args.path, &settings)?;
        (file_text(&info), json!(info))
    };
    print(&if args.json { format!("{value:#}\n") } else { text })
}

/// One line a fact, aligned.
fn lines(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:width$}  {}", visible::line(value));
        text
    })
}

fn store_text(s: &Summary) -> String {
    let listed = |names: &[String]| if names.is_empty() { "none".into() } else { names.join(", ") };
    let mut facts = vec![
        ("store", s.path.clone()),
        ("samples", s.samples.to_string()),
        ("genes", s.genes.to_string()),
        ("type", format!("{}, {:.1} MB", s.dtype, s.bytes as f64 / 1e6)),
        ("values", format!("{} to {}, mean {:.4}", s.min, s.max, s.mean)),
        ("missing", s.missing.to_string()),
        ("constant genes", s.zero_variance_genes.to_string()),
        ("sample columns", listed(&s.sample_columns)),
        ("gene columns", listed(&s.gene_columns)),
    ];
    facts.extend(s.origin.inputs.iter().map(|input| {
        let sum = match input.sha256.as_str() {
            "" => "a part of it was read".to_string(),
            sum => format!("SHA-256 {sum:.12}…"),
        };
        ("from", format!("{} ({}, {} bytes, {sum})", input.path, input.format, input.bytes))
    }));
    facts.extend(s.origin.transforms.iter().map(|transform| ("transform", readable(transform))));
    facts.push(("fingerprint", s.fingerprint.clone()));
    lines(&facts)
}

fn file_text(info: &FileInfo) -> String {
    let some = |names: &[String]| format!("{}, …", names.join(", "));
    let mut facts = vec![
        ("file", info.path.clone()),
        ("format", format!("{}, {:.1} MB", info.format, info.bytes as f64 / 1e6)),
        ("rows", info.rows.map_or("not counted before an import".into(), |n| n.to_string())),
        ("columns", info.columns.to_string()),
        ("rows are", format!("{} ({})", info.rows_are, info.reason)),
        ("row names", some(&info.first_rows)),
        ("column names", some(&info.first_columns)),
    ];
    facts.extend(info.warnings.iter().map(|warning| ("warning", warning.clone())));
    lines(&facts)
}

fn model(path: &Path) -> Result<(String, Value)> {
    let mut model = Model::load(path)?;
    if let Some(config) = model.config.as_object_mut() {
        config.remove("remembered"); // hashes of samples tell a reader nothing
    }
    let widths: Vec<usize> =
        std::iter::once(model.genes.len()).chain(model.layers.iter().map(|l| l.outputs)).collect();
    let activations: Vec<Value> = model.layers.iter().map(|l| json!(l.activation)).collect();
    let parameters: usize = model.layers.iter().map(|l| l.weight.len() + l.bias.len()).sum();
    let joined = |parts: Vec<String>, by: &str| parts.join(by);
    let text = lines(&[
        ("model", path.display().to_string()),
        ("layers", joined(widths.iter().map(usize::to_string).collect(), "-")),
        (
            "activations",
            joined(activations.iter().filter_map(Value::as_str).map(str::to_string).collect(), ", "),
        ),
        ("parameters", parameters.to_string()),
        ("genes", format!("{}, …", model.genes.iter().take(3).cloned().collect::<Vec<_>>().join(", "))),
        ("config", model.config.to_string()),
    ]);
    let value = json!({
        "path": path.display().to_string(), "widths": widths, "activations": activations,
        "parameters": parameters, "genes": model.genes, "config": model.config,
    });
    Ok((text, value))
}

/// A transform, an object of one key, as `name: key value, key value`.
fn readable(transform: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let entries = |object: &Map<String, Value>| {
        object.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect::<Vec<_>>().join(", ")
    };
    let named = |(name, parameters): (&String, &Value)| match parameters.as_object() {
        Some(parameters) if parameters.is_empty() => name.clone(),
        Some(parameters) => format!("{name}: {}", entries(parameters)),
        None => format!("{name}: {}", plain(parameters)),
    };
    transform
        .as_object()
        .map_or_else(|| transform.to_string(), |t| t.iter().map(named).collect::<Vec<_>>().join("; "))
}
