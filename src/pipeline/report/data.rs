//! What was done, on what data.

use serde_json::Value;

use super::{Run, file_name};
use crate::nouns::counted;
use crate::report::{Block, Cell, Column, Fact, Section, Table};
use crate::store::Store;

/// Columns of the samples that are named.
const COLUMNS: usize = 8;

pub fn section(run: &Run) -> Option<Section> {
    let mut facts = Vec::new();
    let mut add = |name: &str, text: Option<String>| facts.extend(text.map(|text| Fact::new(name, text)));
    add("Files", files(run));
    add("Samples and genes", run.summary.samples());
    add("Held out", held_out(run));
    add("Steps of prepare", run.train.as_ref().and_then(steps));
    add("Known of samples", run.data.as_ref().and_then(columns));
    add("Further tests", further(run));
    let facts = (!facts.is_empty()).then_some(Block::Facts(facts));
    let blocks = facts.into_iter().chain([Block::Table(stages(run))]).collect();
    Section::new("done", "What was done", blocks)
}

/// The matrix files, and what was read beside them.
fn files(run: &Run) -> Option<String> {
    let import = run.done.record.stage("import")?;
    let told = |known: &super::super::record::Known| match known.role.as_str() {
        "matrix" => file_name(&known.path),
        role => format!("{} ({role})", file_name(&known.path)),
    };
    Some(import.inputs.iter().map(told).collect::<Vec<_>>().join(", "))
}

/// How the samples were split.
pub fn drawn(run: &Run) -> String {
    let split = &run.config.split;
    match (&split.group_by, &split.stratify) {
        (Some(column), _) => format!("whole groups of {column}"),
        (_, Some(column)) => format!("samples of every {column} in proportion"),
        _ => "samples drawn at random".into(),
    }
}

fn held_out(run: &Run) -> Option<String> {
    let parts = &run.summary.sizes.as_ref()?.samples;
    let of: usize = parts.iter().sum();
    let validation = match parts[..] {
        [_, validation, _] => format!("; {validation} more for validation"),
        _ => String::new(),
    };
    let groups = || {
        let column = run.config.split.group_by.as_deref()?;
        let labels = run.test.as_ref()?.samples().column(column)?;
        let mut names: Vec<&String> = labels.iter().collect();
        names.sort();
        names.dedup();
        let shown: Vec<&str> = names.iter().take(12).map(|name| name.as_str()).collect();
        Some(format!(": {}{}", shown.join(", "), if names.len() > 12 { ", …" } else { "" }))
    };
    Some(format!(
        "{} of {of}, {} (seed {}){}{validation}",
        parts.last()?,
        drawn(run),
        run.config.seed,
        groups().unwrap_or_default()
    ))
}

/// The steps that made the training samples what they are, in order.
pub fn steps(store: &Store) -> Option<String> {
    let named = store.info().origin.transforms.iter().filter_map(Value::as_object).flatten();
    let steps = named.filter(|(name, _)| !["import", "split"].contains(&name.as_str()));
    let steps: Vec<String> = steps.map(|(name, how)| step(name, how)).collect();
    (!steps.is_empty()).then(|| steps.join("; "))
}

fn step(name: &str, how: &Value) -> String {
    let said = |(key, value): (&String, &Value)| match value {
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        Value::String(text) => Some(format!("{key} {text}")),
        value => Some(format!("{key} {value}")),
    };
    let said: Vec<String> = how.as_object().into_iter().flatten().filter_map(said).collect();
    if said.is_empty() { name.into() } else { format!("{name} ({})", said.join(", ")) }
}

fn columns(store: &Store) -> Option<String> {
    let told = |name: &&str| {
        let mut values: Vec<&String> = store.samples().column(name)?.iter().collect();
        values.sort();
        values.dedup();
        Some(format!("{name} ({})", counted(values.len(), "value")))
    };
    let names = store.samples().column_names();
    let told: Vec<String> = names.iter().take(COLUMNS).filter_map(told).collect();
    let more = if names.len() > COLUMNS { ", …" } else { "" };
    (!told.is_empty()).then(|| format!("{}{more}", told.join(", ")))
}

fn further(run: &Run) -> Option<String> {
    let names: Vec<&str> = run.config.tests.iter().map(|(name, _)| name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn stages(run: &Run) -> Table {
    let row = |name: &str| {
        let entry = run.done.record.stage(name);
        let state = match entry {
            Some(_) if run.has(name) => "done",
            Some(entry) if entry.finished => "to be done again",
            Some(_) => "begun",
            None => "to come",
        };
        let entry = entry.filter(|_| run.has(name));
        let seconds = entry.map(|entry| entry.seconds);
        let made = entry.into_iter().flat_map(|entry| &entry.outputs);
        let made: Vec<String> = made.map(|known| known.path.display().to_string()).collect();
        vec![Cell::text(name), Cell::text(state), Cell::number(seconds), Cell::text(made.join(", "))]
    };
    Table {
        id: "stages",
        title: "Stages".into(),
        caption: "In order, with the time that each took and what it wrote in the run's folder.".into(),
        columns: vec![
            Column::words("Stage"),
            Column::words("State"),
            Column::numbers("Seconds", 1),
            Column::words("Wrote"),
        ],
        rows: run.stages().into_iter().map(row).collect(),
        shown: 30,
    }
}
