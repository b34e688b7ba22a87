//! h5ad of AnnData (<https://anndata.readthedocs.io/en/stable/fileformat-prose.html>), from 0.5 to the current one: samples ×
//! genes; X, a layer or the raw matrix, each dense, CSR or CSC. `obs` describes samples, `var` genes: groups of columns,
//! before 0.7 tables of records.

use std::path::Path;

use hdf5_pure::Group;

use super::hdf5::{self, Column, Dense, Named, Sparse};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::genes::Table;

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    read(path, &hdf5::open(path)?.root(), "h5ad", settings)
}

/// An h5mu file of mudata: an AnnData a modality, in the groups of `mod`.
pub(super) fn open_h5mu(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let all = hdf5::group(path, &hdf5::open(path)?.root(), "mod")?;
    let names = all.groups().map_err(|e| hdf5::damaged(path, &e))?;
    let listed = names.join(", ");
    let name = match (settings.modality.as_deref(), names.as_slice()) {
        (Some(told), names) if names.iter().any(|name| name == told) => told,
        (Some(told), _) => {
            let message = format!("has no modality {told:?}; --modality takes one of: {listed}");
            return Err(Error::input(path, message));
        }
        (None, [one]) => one,
        (None, []) => return Err(Error::input(path, "is an h5mu file without a modality")),
        (None, _) => {
            let message = format!("holds several modalities; choose one by --modality: {listed}");
            return Err(Error::input(path, message));
        }
    };
    let mut file = read(path, &hdf5::group(path, &all, name)?, "h5mu", settings)?;
    file.notes.push(format!("{}: modality {name:?} of {listed}", path.display()));
    Ok(file)
}

/// An AnnData in a file or in a group of one.
fn read(path: &Path, file: &Group, format: &'static str, settings: &ReadSettings) -> Result<MatrixFile> {
    let (name, var) = chosen(path, file, settings.layer.as_deref())?;
    let mut warnings = Vec::new();
    let mut tables = |[n_samples, n_genes]: [u64; 2]| {
        let samples = frame(path, file, "obs", n_samples as usize, &mut warnings)?;
        Ok::<_, Error>((samples, frame(path, file, &var, n_genes as usize, &mut warnings)?))
    };
    let natural = Orientation::SamplesByGenes;
    let named = |samples, genes, rows_are_samples, warnings| Named {
        format,
        natural,
        samples,
        genes,
        rows_are_samples,
        sentinel: None,
        warnings,
    };
    if let Ok(dataset) = file.dataset(&name) {
        let blocks = Dense::open(path, dataset, &name, settings.memory)?;
        let (samples, genes) = tables(blocks.shape().map(|n| n as u64))?;
        return Ok(named(samples, genes, !blocks.turned(), warnings).with(blocks));
    }
    let group = hdf5::group(path, file, &name)?;
    let by_columns = by_columns(path, &group, &name)?;
    let told = ["shape", "h5sparse_shape"].iter().find_map(|name| hdf5::attribute_numbers(&group, name));
    let Some(told) = told.and_then(|told| <[u64; 2]>::try_from(told).ok()) else {
        return Err(Error::input(path, format!("sparse matrix {name} does not tell its shape")));
    };
    // The shape is a claim; there are as many names, so the counts are no larger than what was read.
    let (samples, genes) = tables(told)?;
    let sides = if by_columns { [genes.len(), samples.len()] } else { [samples.len(), genes.len()] };
    let blocks = Sparse::open(path, &group, &name, sides, settings.memory)?;
    Ok(named(samples, genes, !by_columns, warnings).with(blocks))
}

/// The paths of the matrix and of its genes.
fn chosen(path: &Path, file: &Group, layer: Option<&str>) -> Result<(String, String)> {
    let there = |name: &str| file.dataset(name).is_ok() || file.group(name).is_ok();
    let name = layer.map_or("X".to_string(), |layer| format!("layers/{layer}"));
    if there(&name) {
        return Ok((name, "var".into()));
    }
    // AnnData before 0.7 wrote raw.X and raw.var.
    let raws = [("raw/X", "raw/var"), ("raw.X", "raw.var")].into_iter().find(|(x, _)| there(x));
    if let (Some("raw"), Some((x, var))) = (layer, raws) {
        return Ok((x.into(), var.into()));
    }
    let layers = file.group("layers").and_then(|g| Ok([g.datasets()?, g.groups()?].concat()));
    let raw = raws.map(|_| "raw".to_string());
    let layers: Vec<String> = layers.unwrap_or_default().into_iter().chain(raw).collect();
    let instead = match layers.is_empty() {
        true => "it has no layers either, so there is no matrix to read".to_string(),
        false => format!("--layer NAME reads one of: {}", layers.join(", ")),
    };
    Err(Error::input(path, format!("the file has no {name}; {instead}")))
}

/// Whether a sparse matrix is CSC.
fn by_columns(path: &Path, group: &Group, name: &str) -> Result<bool> {
    let kind = hdf5::text_attribute(group, "encoding-type")
        .or_else(|| hdf5::text_attribute(group, "h5sparse_format"))
        .unwrap_or_default();
    match kind.as_str() {
        "csr_matrix" | "csr" => Ok(false),
        "csc_matrix" | "csc" => Ok(true),
        _ => Err(Error::input(
            path,
            format!(
                "{name} is a group of encoding {kind:?}; csr_matrix and csc_matrix are read, and dense arrays"
            ),
        )),
    }
}

/// A data frame: `obs` or `var`.
fn frame(path: &Path, file: &Group, name: &str, n: usize, warnings: &mut Vec<String>) -> Result<Table> {
    let mut columns = match file.group(name) {
        Ok(group) => grouped(path, &group, n)?,
        Err(_) => recorded(path, file, name, n)?,
    };
    let (index, ids) = columns.remove(0);
    let ids = ids.ok_or_else(|| Error::input(path, format!("{name}/{index} does not hold {n} names")))?;
    let mut table = Table::new(&index, ids);
    for (column, fields) in columns {
        match fields {
            Some(fields) => table.set_column(&column, fields),
            None => warnings.push(hdf5::left_out(path, &format!("{name}/{column}"), n)),
        }
    }
    Ok(table)
}

/// The columns of a frame since 0.7, the index first.
fn grouped(path: &Path, group: &Group, n: usize) -> Result<Vec<(String, Column)>> {
    let index = hdf5::text_attribute(group, "_index").unwrap_or("_index".into());
    let listed = || -> Vec<String> {
        let names = group.datasets().into_iter().chain(group.groups()).flatten();
        names.filter(|name| *name != index && name != "__categories").collect()
    };
    let names = hdf5::list_attribute(group, "column-order").unwrap_or_else(listed);
    let names = std::iter::once(index.clone()).chain(names.into_iter().filter(|name| *name != index));
    let read = |column: String| Ok((column.clone(), fields(path, group, &column, n)?));
    names.map(read).collect()
}

/// One column: plain, categorical (the encodings before and since 0.8) or nullable.
fn fields(path: &Path, frame: &Group, name: &str, n: usize) -> Result<Column> {
    let read = |group: &Group, name: &str, n: Option<usize>| match group.dataset(name) {
        Ok(dataset) => hdf5::column(path, &dataset, n),
        Err(_) => Ok(None),
    };
    if let Ok(group) = frame.group(name) {
        if let Some(codes) = read(&group, "codes", Some(n))? {
            return Ok(read(&group, "categories", None)?.and_then(|names| decode(&codes, &names)));
        }
        let values = read(&group, "values", Some(n))?;
        let Some(mask) = read(&group, "mask", Some(n))? else { return Ok(values) };
        let missing = |mask: &String| mask == "true" || mask == "1";
        let blank = |(v, m): (String, &String)| if missing(m) { String::new() } else { v };
        return Ok(values.map(|values| values.into_iter().zip(&mask).map(blank).collect()));
    }
    let values = read(frame, name, Some(n))?;
    match frame.group("__categories").ok().filter(|group| group.dataset(name).is_ok()) {
        Some(group) => {
            let names = read(&group, name, None)?;
            Ok(values.zip(names).and_then(|(codes, names)| decode(&codes, &names)))
        }
        None => Ok(values),
    }
}

/// The columns of a frame before 0.7, the index first; the names of categories lie in `uns/COLUMN_categories`.
fn recorded(path: &Path, file: &Group, name: &str, n: usize) -> Result<Vec<(String, Column)>> {
    let dataset = file.dataset(name);
    let dataset = dataset.map_err(|e| Error::input(path, format!("{name} cannot be opened ({e})")))?;
    let mut columns = hdf5::records(path, &dataset, name, n)?;
    if columns.is_empty() {
        return Err(Error::input(path, format!("{name} is a table without columns; names are needed")));
    }
    for (column, fields) in columns.iter_mut().skip(1) {
        let Ok(dataset) = file.dataset(&format!("uns/{column}_categories")) else { continue };
        let Some(names) = hdf5::column(path, &dataset, None)? else { continue };
        // As in AnnData: codes that do not fit belong to the other frame's column of the same name.
        if let Some(decoded) = fields.as_ref().and_then(|codes| decode(codes, &names)) {
            *fields = Some(decoded);
        }
    }
    Ok(columns)
}

/// Codes to names; −1 is missing.
fn decode(codes: &[String], names: &[String]) -> Column {
    let name = |code: &String| match code.parse::<i64>().ok()? {
        -1 => Some(String::new()),
        code => names.get(usize::try_from(code).ok()?).cloned(),
    };
    codes.iter().map(name).collect()
}
