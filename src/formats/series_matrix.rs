//! Series matrices of the Gene Expression Omnibus (<https://www.ncbi.nlm.nih.gov/geo/info/submissionftp.html>): lines
//! `!Sample_…` about the samples, then a table of genes × samples between two markers.

use std::path::Path;

use super::fields::Layout;
use super::lines::Lines;
use super::text::{Ending, TextBlocks};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::store::Table;

const BEGIN: &str = "!series_matrix_table_begin";
const END: &str = "!series_matrix_table_end";

/// More keys than this are no keys but values that hold a colon.
const MOST_KEYS: usize = 256;

pub(super) fn magic(start: &[u8]) -> bool {
    [&b"!Series_"[..], b"!Sample_", b"!series_matrix_"].iter().any(|word| start.starts_with(word))
}

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let mut lines = Lines::open(path, settings)?;
    let mut about: Vec<(String, Vec<String>)> = Vec::new();
    loop {
        let line = lines.expect(&format!("the line {BEGIN}"))?;
        if line.starts_with(BEGIN) {
            break;
        }
        if let Some(line) = line.strip_prefix("!Sample_") {
            let mut fields = fields(line);
            about.push((fields.remove(0), fields));
        }
    }
    let mut columns = fields(&lines.expect("the table's header")?);
    let corner = columns.remove(0);
    if columns.is_empty() || lines.peek_filled()?.is_some_and(|line| line.starts_with(END.as_bytes())) {
        let message = "its table is empty, as it is for most sequencing series: the values are in the series' \
                       supplementary files; import one of those";
        return Err(Error::input(path, message));
    }
    let layout = Layout { delimiter: b'\t', skip: 0, columns, trailing: true, order: None };
    let mut file = TextBlocks::new(lines, layout, Ending::Marker(END)).into_file("series-matrix", corner);
    describe(path, &mut file.columns, about)?;
    Ok(MatrixFile { natural: Some(Orientation::GenesBySamples), ..file })
}

/// The fields of a line about samples: GEO quotes each, and no field holds a tab, but quotes inside are not doubled.
fn fields(line: &str) -> Vec<String> {
    let unquoted = |field: &str| {
        let field = field.trim();
        let inner = field.strip_prefix('"').and_then(|f| f.strip_suffix('"')).unwrap_or(field);
        inner.replace("\"\"", "\"")
    };
    line.split('\t').map(unquoted).collect()
}

/// Adds what is told about the samples as columns; characteristics, which read `key: value`, under their keys.
fn describe(path: &Path, samples: &mut Table, about: Vec<(String, Vec<String>)>) -> Result<()> {
    let n = samples.len();
    let accessions = about.iter().find(|(name, _)| name == "geo_accession");
    if let Some((_, ids)) = accessions.filter(|(_, ids)| *ids != samples.ids) {
        let message = format!(
            "!Sample_geo_accession names {} samples, the table {n}, and not the same in this order; is the file damaged?",
            ids.len()
        );
        return Err(Error::input(path, message));
    }
    let mut traits: Vec<(String, Vec<String>)> = Vec::new();
    for (name, fields) in about {
        if fields.len() != n {
            let found = fields.len();
            return Err(Error::input(path, format!("!Sample_{name} has {found} fields for {n} samples")));
        }
        let Some(channel) = name.strip_prefix("characteristics_ch") else {
            // Some lines come several times, which settling the names sees to; the accession is the id.
            if name != "geo_accession" {
                samples.columns.push((name, fields));
            }
            continue;
        };
        for (sample, field) in fields.iter().enumerate().filter(|(_, field)| !field.is_empty()) {
            let (key, value) = match field.split_once(':') {
                Some((key, value)) if !key.trim().is_empty() => (key.trim(), value.trim()),
                _ => (name.as_str(), field.as_str()),
            };
            let known = traits.len() < MOST_KEYS || traits.iter().any(|(other, _)| other == key);
            let (key, value) = if known { (key, value) } else { (name.as_str(), field.as_str()) };
            let key =
                if channel == "1" || key == name { key.to_string() } else { format!("{key}_ch{channel}") };
            let at = traits.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
                traits.push((key, vec![String::new(); n]));
                traits.len() - 1
            });
            let cell = &mut traits[at].1[sample];
            *cell = if cell.is_empty() { value.to_string() } else { format!("{cell}; {value}") };
        }
    }
    samples.columns.append(&mut traits);
    Ok(())
}
