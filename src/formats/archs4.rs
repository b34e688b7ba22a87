//! ARCHS4's HDF5 (<https://archs4.org>, version 2 on): `data/expression`, genes × samples; `meta/genes` and `meta/samples` hold
//! columns about them.

use std::path::Path;

use super::hdf5::{self, Dense, Named};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};

/// Under which names the ids of genes are kept; the first that names all differently is taken.
const GENE: [&str; 6] = ["ensembl_gene_id", "ensembl_gene", "symbol", "gene_symbol", "genes", "gene"];

/// The same for samples.
const SAMPLE: [&str; 2] = ["geo_accession", "sample"];

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let file = hdf5::open(path)?;
    let name = "data/expression";
    let dataset = file.dataset(name).map_err(|e| {
        Error::input(path, format!("is not a file of ARCHS4: dataset {name} cannot be opened ({e})"))
    })?;
    let blocks = Dense::open(path, dataset, name, settings.memory)?;
    let [n_genes, n_samples] = blocks.shape();
    let mut warnings = Vec::new();
    let mut table = |name: &str, ids: &[&str], n: usize| {
        let group = file.group(name).map_err(|_| {
            let message = format!(
                "is a file of ARCHS4 without the group {name}, of before version 2; take the current file from archs4.org, or in \
                 Python: h5py.File(…)[\"{}\"]",
                "data/expression"
            );
            Error::input(path, message)
        })?;
        hdf5::attributes(path, &group, name, ids, n, &mut warnings)
    };
    let mut genes = table("meta/genes", &GENE, n_genes)?;
    let samples = table("meta/samples", &SAMPLE, n_samples)?;
    let symbols = ["gene_symbol", "symbol"].iter().find(|name| genes.column(name).is_some());
    if let Some(name) = symbols.filter(|name| **name != "symbol") {
        let symbols = genes.column(name).map(<[String]>::to_vec).unwrap_or_default();
        genes.set_column("symbol", symbols);
        genes.columns.retain(|(column, _)| column != name);
    }
    let (rows_are_samples, natural) = (blocks.turned(), Orientation::GenesBySamples);
    let named =
        Named { format: "archs4", natural, samples, genes, rows_are_samples, sentinel: None, warnings };
    Ok(named.with(blocks))
}
