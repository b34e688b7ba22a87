//! What an HDF5 file is by the groups in it: a format that is read, or another and how to bring it in.

use std::path::Path;

use hdf5_pure::Group;

use super::{damaged, open};
use crate::error::{Error, Result};

/// Layouts that are not read: groups or datasets that all are there, what it is, what to do.
const OTHERS: &[(&[&str], &str, &str)] = &[
    (
        &["assays", "meta.data"],
        "an h5Seurat file",
        "in R: SeuratDisk::Convert(\"FILE\", dest = \"h5ad\"), then import the .h5ad",
    ),
    (
        &["barcode_idx", "feature_idx"],
        "10x's molecule_info.h5",
        "import filtered_feature_bc_matrix.h5 of the same run",
    ),
    (
        &["est_counts", "aux"],
        "one sample of kallisto (abundance.h5)",
        "join the samples first, in R: write.csv(tximport::tximport(files, type = \"kallisto\", txOut = TRUE)$abundance, \
         \"matrix.csv\")",
    ),
    (&["bins", "pixels"], "contacts of a genome (cooler)", "it holds no expression values"),
    (
        &["#refs#"],
        "a MATLAB file (7.3)",
        "in Python: numpy.save(\"matrix.npy\", h5py.File(\"FILE\")[\"NAME\"][:].T), names by --genes and --samples",
    ),
    (&["model_weights"], "a network of Keras", "a matrix of expression values is needed"),
];

/// Which of the formats an HDF5 file is.
///
/// # Errors
/// [`Error::Input`] for one that is not read, with what it is and the command that converts it.
pub(crate) fn kind(path: &Path) -> Result<&'static str> {
    let file = open(path)?;
    let root = file.root();
    let groups = root.groups().map_err(|e| damaged(path, &e))?;
    let datasets = root.datasets().map_err(|e| damaged(path, &e))?;
    let has = |name: &str| groups.iter().chain(&datasets).any(|n| n == name);
    if root.group("0/DATA/0").is_ok() || root.group("0/META").is_ok() {
        return Ok("gctx");
    }
    if root.group("mod").is_ok() && has("obs") {
        return Ok("h5mu");
    }
    if has("obs") && has("var") {
        return Ok("h5ad");
    }
    if has("row_attrs") && has("col_attrs") {
        return Ok("loom");
    }
    if root.dataset("data/expression").is_ok() && has("meta") {
        return Ok("archs4");
    }
    if let Some(message) = other(path, &has).or_else(|| pandas(path, &root, &groups)) {
        return Err(Error::input(path, message));
    }
    if groups.iter().any(|g| root.dataset(&format!("{g}/barcodes")).is_ok()) {
        return Ok("10x");
    }
    let names: Vec<_> = groups.into_iter().chain(datasets).take(8).collect();
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let example = names.first().map_or("NAME", String::as_str);
    Err(Error::input(
        path,
        format!(
            "is HDF5, but neither GCTX (0/DATA/0/matrix) nor h5ad (X, obs, var) nor h5mu (mod) nor Loom (matrix, row_attrs, \
             col_attrs) nor 10x (matrix/barcodes) nor ARCHS4 (data/expression, meta); it holds {names:?}. In Python: \
             numpy.save(\"matrix.npy\", h5py.File(\"{file}\")[\"{example}\"][:]), names by --genes and --samples"
        ),
    ))
}

/// One of [`OTHERS`].
fn other(path: &Path, has: &dyn Fn(&str) -> bool) -> Option<String> {
    let (_, what, remedy) = OTHERS.iter().find(|(names, ..)| names.iter().all(|name| has(name)))?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    Some(format!("is {what}, which is not read; {}", remedy.replace("FILE", &file)))
}

/// Whether pandas' `to_hdf` wrote it: a group that says so of itself.
fn pandas(path: &Path, root: &Group, groups: &[String]) -> Option<String> {
    let written = |name: &&String| {
        root.group(name).is_ok_and(|group| super::text_attribute(&group, "pandas_type").is_some())
    };
    let key = groups.iter().find(written)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    Some(format!(
        "is a store of pandas (to_hdf), which is not read; in Python: pandas.read_hdf(\"{file}\", \
         \"{key}\").to_parquet(\"matrix.parquet\")"
    ))
}
