//! GCTX 1.0 of the Connectivity Map (<https://clue.io/connectopedia/gctx_format>): genes × samples by its
//! definition, stored one row a sample; `0/META/ROW` describes genes, `0/META/COL` samples; −666 is missing.

use std::path::Path;

use hdf5_pure::File;

use super::hdf5::{self, Rows};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::store::Table;

pub(super) fn open(path: &Path, _settings: &ReadSettings) -> Result<MatrixFile> {
    let file = hdf5::open(path)?;
    let dataset = file.dataset("0/DATA/0/matrix").map_err(|e| {
        Error::input(path, format!("is not a GCTX file: dataset 0/DATA/0/matrix cannot be opened ({e})"))
    })?;
    let blocks = Rows::new(path, dataset, "0/DATA/0/matrix")?;
    let [n_samples, n_genes] = blocks.shape();
    let mut warnings = Vec::new();
    let genes = metadata(path, &file, "0/META/ROW", n_genes, &mut warnings)?;
    let samples = metadata(path, &file, "0/META/COL", n_samples, &mut warnings)?;
    Ok(MatrixFile {
        format: "gctx".into(),
        columns: genes,
        rows: Some(samples),
        corner: String::new(),
        natural: Some(Orientation::GenesBySamples),
        transposed: true,
        unnamed: false,
        sentinel: Some(-666.0),
        warnings,
        blocks: Box::new(blocks),
    })
}

fn metadata(path: &Path, file: &File, name: &str, n: usize, warnings: &mut Vec<String>) -> Result<Table> {
    let group = file.group(name).map_err(|e| Error::input(path, format!("group {name} is missing ({e})")))?;
    let column = |column: &str| -> Result<Option<Vec<String>>> {
        let dataset =
            group.dataset(column).map_err(|e| hdf5::damaged(path, &format!("{name}/{column}: {e}")))?;
        hdf5::column(path, &dataset, n)
    };
    let ids = column("id")?;
    let ids = ids.ok_or_else(|| Error::input(path, format!("{name}/id does not hold {n} names")))?;
    let mut table = Table::new("id", ids);
    for other in group.datasets().map_err(|e| hdf5::damaged(path, &e))? {
        if other == "id" {
            continue;
        }
        match column(&other)? {
            Some(fields) => table.set_column(&other, fields),
            None => {
                warnings.push(format!("{}: {name}/{other} is left out: not {n} plain values", path.display()))
            }
        }
    }
    Ok(table)
}
