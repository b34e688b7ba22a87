//! Loom 2 and 3 (<https://linnarssonlab.org/loompy/format>): genes × cells; `matrix` or one of `layers`, names and labels in
//! `row_attrs` and `col_attrs`.

use std::path::Path;

use super::hdf5::{self, Dense, Named};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};

/// Under which names loompy, velocyto, scanpy and Cell Ranger pipelines keep the ids of genes.
const GENE: [&str; 9] =
    ["Gene", "gene", "var_names", "Accession", "accession", "gene_ids", "ensembl_ids", "GeneID", "gene_name"];

/// The same for cells.
const CELL: [&str; 6] = ["CellID", "cell_id", "obs_names", "cell_names", "barcode", "Barcode"];

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let file = hdf5::open(path)?;
    let name = settings.layer.as_ref().map_or("matrix".to_string(), |layer| format!("layers/{layer}"));
    let dataset = file.dataset(&name).map_err(|_| {
        let layers = file.group("layers").and_then(|g| g.datasets()).unwrap_or_default();
        Error::input(path, format!("the file has no {name}; its layers are {layers:?}"))
    })?;
    let blocks = Dense::open(path, dataset, &name, settings.memory)?;
    let [n_genes, n_samples] = blocks.shape();
    let mut warnings = Vec::new();
    let mut table = |name: &str, ids: &[&str], n: usize| {
        let group = hdf5::group(path, &file.root(), name)?;
        hdf5::attributes(path, &group, name, ids, n, &mut warnings)
    };
    let mut genes = table("row_attrs", &GENE, n_genes)?;
    let samples = table("col_attrs", &CELL, n_samples)?;
    // Where accessions are the ids, Loom's "Gene" is the symbol.
    if let Some(symbols) = genes.column("Gene").filter(|_| genes.key != "Gene").map(<[String]>::to_vec) {
        genes.set_column("symbol", symbols);
    }
    let (rows_are_samples, natural) = (blocks.turned(), Orientation::GenesBySamples);
    let named = Named { format: "loom", natural, samples, genes, rows_are_samples, sentinel: None, warnings };
    Ok(named.with(blocks))
}
