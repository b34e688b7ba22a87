//! Count matrices of 10x Genomics' Cell Ranger in HDF5: from version 3 on in the group `matrix` (<https://www.10xgenomics.com/support/software/cell-ranger/latest/analysis/outputs/cr-outputs-h5-matrices>),
//! before that one group a genome. Genes × barcodes, CSC, so that the lines that are read are barcodes.

use std::path::Path;

use hdf5_pure::{File, Group};

use super::hdf5::{self, Named, Sparse};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::genes::Table;

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let file = hdf5::open(path)?;
    let name = chosen(path, &file, settings.layer.as_deref())?;
    let group = hdf5::group(path, &file.root(), &name)?;
    let length = |group: &Group, name: &str| {
        let shape = group.dataset(name).and_then(|d| d.shape());
        let shape = shape.map_err(|e| hdf5::damaged(path, &format!("{name}: {e}")))?;
        Ok::<_, Error>(shape.iter().product::<u64>() as usize)
    };
    let mut warnings = Vec::new();
    let mut genes = match group.group("features") {
        Ok(features) => {
            let n = length(&features, "id")?;
            hdf5::attributes(path, &features, &format!("{name}/features"), &["id"], n, &mut warnings)?
        }
        Err(_) => {
            let n = length(&group, "genes")?;
            let mut genes = names(path, &group, "genes", n)?;
            if group.dataset("gene_names").is_ok() {
                genes.set_column("name", names(path, &group, "gene_names", n)?.ids);
            }
            genes
        }
    };
    if let Some(symbols) = genes.column("name").map(<[String]>::to_vec) {
        genes.set_column("symbol", symbols);
        genes.columns.retain(|(name, _)| name != "name");
    }
    let samples = names(path, &group, "barcodes", length(&group, "barcodes")?)?;
    let told = hdf5::numbers(path, &group, "shape")?;
    if told != [genes.len() as i64, samples.len() as i64] {
        let (genes, samples) = (genes.len(), samples.len());
        let message = format!("{name}/shape is {told:?}; there are names for {genes} × {samples}");
        return Err(hdf5::damaged(path, &message));
    }
    let blocks = Sparse::open(path, &group, &name, [samples.len(), genes.len()], settings.memory)?;
    let natural = Orientation::GenesBySamples;
    let named =
        Named { format: "10x", natural, samples, genes, rows_are_samples: true, sentinel: None, warnings };
    Ok(named.with(blocks))
}

fn names(path: &Path, group: &Group, name: &str, n: usize) -> Result<Table> {
    let dataset = group.dataset(name).map_err(|e| hdf5::damaged(path, &format!("{name}: {e}")))?;
    let ids = hdf5::column(path, &dataset, Some(n))?;
    Ok(Table::new(name, ids.ok_or_else(|| hdf5::damaged(path, &format!("{name} does not hold names")))?))
}

/// The group of the matrix: `matrix`, or the only genome, or the one that `--layer` names.
fn chosen(path: &Path, file: &File, layer: Option<&str>) -> Result<String> {
    let groups = file.root().groups().map_err(|e| hdf5::damaged(path, &e))?;
    let genomes: Vec<String> =
        groups.into_iter().filter(|g| file.dataset(&format!("{g}/barcodes")).is_ok()).collect();
    let refuse = |message: String| Err(Error::input(path, message));
    match (layer, genomes.as_slice()) {
        (_, []) => refuse("is not a 10x file: no group of it holds barcodes".into()),
        (None, [one]) => Ok(one.clone()),
        (None, several) => {
            refuse(format!("holds several genomes; choose one by --layer: {}", several.join(", ")))
        }
        (Some(layer), all) if all.iter().any(|genome| genome == layer) => Ok(layer.to_string()),
        (Some(layer), all) => {
            refuse(format!("has no genome {layer:?}; --layer takes one of: {}", all.join(", ")))
        }
    }
}
