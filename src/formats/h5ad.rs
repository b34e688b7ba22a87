//! Dense h5ad of AnnData (<https://anndata.readthedocs.io/en/stable/fileformat-prose.html>): samples × genes,
//! X or a layer; `obs` describes samples, `var` genes, categoricals in the encodings before and since 0.8.

use std::path::Path;

use hdf5_pure::{File, Group};

use super::hdf5::{self, Rows};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::store::Table;

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let file = hdf5::open(path)?;
    let name = settings.layer.as_ref().map_or("X".to_string(), |layer| format!("layers/{layer}"));
    let blocks = match file.dataset(&name) {
        Ok(dataset) => Rows::new(path, dataset, &name)?,
        Err(_) => return Err(Error::input(path, why_not(&file, &name))),
    };
    let [n_samples, n_genes] = blocks.shape();
    let mut warnings = Vec::new();
    let samples = frame(path, &file, "obs", n_samples, &mut warnings)?;
    let genes = frame(path, &file, "var", n_genes, &mut warnings)?;
    Ok(MatrixFile {
        format: "h5ad".into(),
        columns: genes,
        rows: Some(samples),
        corner: String::new(),
        natural: Some(Orientation::SamplesByGenes),
        transposed: false,
        unnamed: false,
        sentinel: None,
        warnings,
        blocks: Box::new(blocks),
    })
}

/// Why `name` is not a dense matrix, and what could be read instead.
fn why_not(file: &File, name: &str) -> String {
    let dense: Vec<String> = file.group("layers").and_then(|g| g.datasets()).unwrap_or_default();
    let found = if file.group(name).is_ok() {
        format!("{name} is sparse; dense matrices are read (in Python: adata.X = adata.X.toarray())")
    } else {
        format!("the file has no {name}")
    };
    if dense.is_empty() {
        format!("{found}; it has no dense layers either")
    } else {
        format!("{found}; --layer NAME reads one of its dense layers: {}", dense.join(", "))
    }
}

/// A data frame, `obs` or `var`.
fn frame(path: &Path, file: &File, name: &str, n: usize, warnings: &mut Vec<String>) -> Result<Table> {
    let group = file.group(name).map_err(|_| {
        Error::input(
            path,
            format!(
                "{name} is not a group: written by AnnData before 0.7? Open and save it with a newer one"
            ),
        )
    })?;
    let index = hdf5::text_attribute(&group, "_index").unwrap_or("_index".into());
    let ids = match group.dataset(&index) {
        Ok(dataset) => hdf5::column(path, &dataset, n)?,
        Err(_) => None,
    };
    let ids = ids.ok_or_else(|| Error::input(path, format!("{name}/{index} does not hold {n} names")))?;
    let mut table = Table::new(&index, ids);
    let columns = hdf5::list_attribute(&group, "column-order");
    for column in columns.unwrap_or_else(|| listed(&group, &index)) {
        match fields(path, &group, &column, n)? {
            Some(fields) => table.set_column(&column, fields),
            None => {
                warnings
                    .push(format!("{}: {name}/{column} is left out: not {n} plain values", path.display()));
            }
        }
    }
    Ok(table)
}

/// The columns of a frame that does not list them.
fn listed(group: &Group, index: &str) -> Vec<String> {
    let names = group.datasets().into_iter().chain(group.groups()).flatten();
    names.filter(|name| name != index && name != "__categories").collect()
}

/// One column: plain, categorical (either encoding) or nullable.
fn fields(path: &Path, frame: &Group, name: &str, n: usize) -> Result<Option<Vec<String>>> {
    let read = |group: &Group, name: &str, n: Option<usize>| -> Result<Option<Vec<String>>> {
        let Ok(dataset) = group.dataset(name) else { return Ok(None) };
        let n = match n {
            Some(n) => n,
            None => dataset.shape().map_err(|e| hdf5::damaged(path, &e))?.iter().product::<u64>() as usize,
        };
        hdf5::column(path, &dataset, n)
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

/// Codes to names; −1 is missing.
fn decode(codes: &[String], names: &[String]) -> Option<Vec<String>> {
    let name = |code: &String| match code.parse::<i64>().ok()? {
        -1 => Some(String::new()),
        code => names.get(usize::try_from(code).ok()?).cloned(),
    };
    codes.iter().map(name).collect()
}
