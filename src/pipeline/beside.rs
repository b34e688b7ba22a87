//! What other commands found out about a store's genes and samples, as columns and coordinates beside its matrix.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Workbench;
use crate::error::{Error, Result};
use crate::formats::{Beside, Embedded};
use crate::genes::{Ambiguous, Sheet, Side, Table, Untold, join};
use crate::infer::Predictor;
use crate::nn::apply;
use crate::nn::model::Model;
use crate::nn::tensors::TensorFile;
use crate::store::{Store, sealed};

/// Reads `files`, each a model, a predictor, a table by gene or by sample, or a folder of clusters. Columns are named after the file:
/// `landmarks_rank` of `landmarks.tsv`.
///
/// # Errors
/// A file that is none of these, is damaged, or tells of no gene or sample of the store.
pub fn beside(store: &Store, files: &[PathBuf], bench: &mut Workbench) -> Result<Beside> {
    let mut beside = Beside::default();
    for file in files {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => tensors(store, file, &mut beside, bench)?,
            _ if file.is_dir() => clusters(store, file, &mut beside)?,
            _ => table(store, file, &mut beside)?,
        }
    }
    one_of_each(&mut beside);
    Ok(beside)
}

/// The file's name without endings.
fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

fn tensors(store: &Store, path: &Path, beside: &mut Beside, bench: &mut Workbench) -> Result<()> {
    match TensorFile::load(path)?.metadata.get("format").map(String::as_str) {
        Some("genelift.predictor") => predictor(store, path, beside, bench),
        _ => model(store, path, beside, bench),
    }
}

fn model(store: &Store, path: &Path, beside: &mut Beside, bench: &mut Workbench) -> Result<()> {
    let model = Model::open(path, bench.report)?;
    let depth = model.encoder_layers();
    let width = model.layers[depth - 1].outputs;
    let mut values = Vec::with_capacity(store.n_samples() * width);
    let report = bench.report;
    apply::forward(bench.executor()?, &model, store, depth, report, |_, rows| {
        values.extend_from_slice(rows);
        Ok(())
    })?;
    beside.obsm.push(Embedded { name: "X_bottleneck".into(), width, values });
    Ok(())
}

fn predictor(store: &Store, path: &Path, beside: &mut Beside, bench: &Workbench) -> Result<()> {
    let predictor = Predictor::open(path, bench.report)?;
    let mut role = predictor.landmark_genes().clone();
    role.columns = vec![("role".into(), vec!["landmark".into(); role.len()])];
    let mut targets = predictor.target_genes().clone();
    targets.columns = vec![("role".into(), vec!["inferred".into(); targets.len()])];
    if let Some(held) = predictor.held_out() {
        let r2 = held.r2.iter().map(f32::to_string).collect();
        targets.columns.push(("held_out_r2".into(), r2));
    }
    role.append(targets);
    by_gene(store, path, &role, beside)
}

fn table(store: &Store, path: &Path, beside: &mut Beside) -> Result<()> {
    let sheet = Sheet::read(path, Untold::Header)?;
    let of = |name: &str| sheet.columns.iter().position(|column| column.name == name);
    let (genes, samples) = (of("gene_id"), of(&store.samples().key).or(of("sample_id")));
    match (genes, samples) {
        (Some(ids), _) => by_gene(store, path, &Table::of_sheet(sheet, ids)?, beside),
        (None, Some(ids)) => by_sample(store, path, &Table::of_sheet(sheet, ids)?, beside),
        _ => Err(Error::input(
            path,
            "--with takes a model, a predictor, a folder of clusters, or a table with a column gene_id or sample_id",
        )),
    }
}

/// A column of fields in the store's order, blank where the table has no row.
fn spread(fields: &[String], rows: &[Option<usize>]) -> Vec<String> {
    rows.iter().map(|row| row.map_or_else(String::new, |row| fields[row].clone())).collect()
}

fn by_gene(store: &Store, path: &Path, table: &Table, beside: &mut Beside) -> Result<()> {
    let (name, own) = (path.display().to_string(), store.path().display().to_string());
    let (joined, _) = join(&Side::of(&name, table), &Side::of_store(&own, store), None, Ambiguous::First)?;
    let mut rows = vec![None; store.n_genes()];
    joined.rows.iter().enumerate().for_each(|(row, at)| at.iter().for_each(|gene| rows[*gene] = Some(row)));
    if rows.iter().all(Option::is_none) {
        return Err(Error::input(path, format!("none of its genes is among those of {own}")));
    }
    let known = store.genes().column_names();
    let new = table.columns.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    beside.var.extend(new.map(|(name, fields)| (format!("{}_{name}", stem(path)), spread(fields, &rows))));
    Ok(())
}

fn sample_rows(store: &Store, path: &Path, table: &Table) -> Result<Vec<Option<usize>>> {
    let at: HashMap<&str, usize> = table.positions();
    let rows: Vec<Option<usize>> =
        store.samples().ids.iter().map(|id| at.get(id.as_str()).copied()).collect();
    match rows.iter().all(Option::is_none) {
        true => Err(Error::input(
            path,
            format!("none of its samples is among those of {}", store.path().display()),
        )),
        false => Ok(rows),
    }
}

fn by_sample(store: &Store, path: &Path, table: &Table, beside: &mut Beside) -> Result<()> {
    let rows = sample_rows(store, path, table)?;
    let (coordinates, others): (Vec<_>, Vec<_>) =
        table.columns.iter().partition(|(name, _)| name.starts_with("neuron_"));
    if !coordinates.is_empty() {
        beside.obsm.push(embedded(format!("X_{}", stem(path)), &coordinates, &rows, path)?);
    }
    let known = store.samples().column_names();
    let new = others.into_iter().filter(|(name, _)| !known.contains(&name.as_str()));
    beside.obs.extend(new.map(|(name, fields)| (format!("{}_{name}", stem(path)), spread(fields, &rows))));
    Ok(())
}

/// Columns of numbers as coordinates; NaN where there is no row.
fn embedded(
    name: String,
    columns: &[&(String, Vec<String>)],
    rows: &[Option<usize>],
    path: &Path,
) -> Result<Embedded> {
    let number = |(column, fields): &(String, Vec<String>), row: usize| {
        fields[row].parse::<f32>().map_err(|_| {
            let found = &fields[row];
            Error::input(
                path,
                format!("column {column}, row {}: expected a number, found {found:?}", row + 1),
            )
        })
    };
    let mut values = Vec::with_capacity(rows.len() * columns.len());
    for row in rows {
        for column in columns {
            values.push(row.map_or(Ok(f32::NAN), |row| number(column, row))?);
        }
    }
    Ok(Embedded { name, width: columns.len(), values })
}

/// A folder of `genelift cluster`: each sample's clusters, and the first two axes of each space.
fn clusters(store: &Store, path: &Path, beside: &mut Beside) -> Result<()> {
    let [clusters, map] = ["clusters.tsv", "map.tsv"].map(|name| path.join(name));
    if !clusters.is_file() || !map.is_file() {
        return Err(Error::input(path, "is not a folder of clusters, made by `genelift cluster`"));
    }
    sealed::check(path)?;
    let table = Table::read_tsv(&clusters)?;
    let rows = sample_rows(store, &clusters, &table)?;
    let of_clusters = |name: &str| name.ends_with("_tree") || name.ends_with("_k_means");
    let new = table.columns.iter().filter(|(name, _)| of_clusters(name));
    beside.obs.extend(new.map(|(name, fields)| (name.clone(), spread(fields, &rows))));
    let table = Table::read_tsv(&map)?;
    let rows = sample_rows(store, &map, &table)?;
    let spaces = table.columns.iter().filter_map(|(name, _)| name.strip_suffix("_1"));
    for space in spaces {
        let axes = [1, 2].map(|axis| format!("{space}_{axis}"));
        let columns: Vec<_> = table.columns.iter().filter(|(name, _)| axes.contains(name)).collect();
        beside.obsm.push(embedded(format!("X_{space}_map"), &columns, &rows, &map)?);
    }
    Ok(())
}

/// Numbers coordinates of one name.
fn one_of_each(beside: &mut Beside) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for Embedded { name, .. } in &mut beside.obsm {
        let count = seen.entry(name.replace('/', "_")).or_default();
        *count += 1;
        *name =
            if *count > 1 { format!("{}_{count}", name.replace('/', "_")) } else { name.replace('/', "_") };
    }
}
