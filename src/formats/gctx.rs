//! GCTX 1.0 of the Connectivity Map (<https://clue.io/connectopedia/gctx_format>): genes × samples by its
//! definition, stored one row a sample; `0/META/ROW` describes genes, `0/META/COL` samples; −666 is missing.

use std::path::Path;

use super::hdf5::{self, Dense, Named};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let file = hdf5::open(path)?;
    let dataset = file.dataset("0/DATA/0/matrix").map_err(|e| {
        Error::input(path, format!("is not a GCTX file: dataset 0/DATA/0/matrix cannot be opened ({e})"))
    })?;
    let blocks = Dense::open(path, dataset, "0/DATA/0/matrix", settings.memory)?;
    let [n_samples, n_genes] = blocks.shape();
    let mut warnings = Vec::new();
    let mut table = |name: &str, n: usize| {
        let group = hdf5::group(path, &file.root(), name)?;
        let mut table = hdf5::attributes(path, &group, name, &["id"], n, &mut warnings)?;
        // As cmapPy and cmapR: −666 is missing in the labels, too.
        let fields = table.columns.iter_mut().flat_map(|(_, fields)| fields);
        fields.filter(|field| *field == "-666").for_each(String::clear);
        Ok::<_, Error>(table)
    };
    let (genes, samples) = (table("0/META/ROW", n_genes)?, table("0/META/COL", n_samples)?);
    let rows_are_samples = !blocks.turned();
    let natural = Orientation::GenesBySamples;
    let sentinel = Some(-666.0);
    let named = Named { format: "gctx", natural, samples, genes, rows_are_samples, sentinel, warnings };
    Ok(named.with(blocks))
}
