//! Series matrices of the Gene Expression Omnibus (<https://www.ncbi.nlm.nih.gov/geo/info/submissionftp.html>): lines
//! `!Sample_…` about the samples, then a table of genes × samples between two markers.

use std::path::Path;

use super::fields::Layout;
use super::lines::Lines;
use super::text::{Ending, TextBlocks};
use super::{MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::genes::Table;

const BEGIN: &str = "!series_matrix_table_begin";
const END: &str = "!series_matrix_table_end";

/// More keys than this are no keys but values that hold a colon.
const MOST_KEYS: usize = 256;

pub(super) fn magic(start: &[u8]) -> bool {
    [&b"!Series_"[..], b"!Sample_", b"!series_matrix_"].iter().any(|word| start.starts_with(word))
}

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let mut lines = Lines::open(path, settings)?;
    let (mut about, mut warnings) = (Vec::<(String, Vec<String>)>::new(), Vec::new());
    loop {
        let line = lines.expect(&format!("the line {BEGIN}"))?;
        if line.starts_with(BEGIN) {
            break;
        }
        if let Some(line) = line.strip_prefix("!Sample_") {
            let mut told = fields(line);
            let name = told.remove(0);
            match broken(line) {
                true => warnings.push(left_out(path, &name, "holds a line break")),
                false => about.push((name, told)),
            }
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
    let blocks = TextBlocks::new(lines, layout, Ending::Marker(END)).leaving_out(&settings.told.drop_rows);
    let mut file = blocks.into_file("series-matrix", corner);
    fit(path, &file.columns, &mut about, &mut warnings)?;
    describe(&mut file.columns, about);
    Ok(MatrixFile { natural: Some(Orientation::GenesBySamples), warnings, ..file })
}

/// Whether a field begins with a quote and never ends: its text goes on below the line.
fn broken(line: &str) -> bool {
    let open = |field: &str| field.starts_with('"') && (field.len() < 2 || !field.ends_with('"'));
    line.split('\t').map(str::trim).any(open)
}

fn left_out(path: &Path, name: &str, why: &str) -> String {
    format!("{}: !Sample_{name} {why}; that column is left out, the values are not concerned", path.display())
}

/// Leaves out the lines that do not have a field for every sample.
fn fit(
    path: &Path,
    samples: &Table,
    about: &mut Vec<(String, Vec<String>)>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let n = samples.len();
    for (_, fields) in about.iter_mut() {
        let filled = fields.iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1);
        fields.truncate(filled.max(n));
    }
    let accessions = about.iter().find(|(name, _)| name == "geo_accession");
    // A line cut short still names samples of the table; other names mean another table.
    if let Some((_, ids)) = accessions.filter(|(_, ids)| !is_part(ids, &samples.ids)) {
        let message = format!(
            "!Sample_geo_accession names {} samples, the table {n}, and not the same in this order; is the file damaged?",
            ids.len()
        );
        return Err(Error::input(path, message));
    }
    about.retain(|(name, fields)| {
        let found = fields.len();
        if found != n {
            warnings.push(left_out(path, name, &format!("has {found} fields for {n} samples")));
        }
        found == n
    });
    Ok(())
}

/// Whether `some` are of `all`, in their order.
fn is_part(some: &[String], all: &[String]) -> bool {
    let mut all = all.iter();
    some.iter().all(|id| all.any(|other| other == id))
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
fn describe(samples: &mut Table, about: Vec<(String, Vec<String>)>) {
    let n = samples.len();
    let mut traits: Vec<(String, Vec<String>)> = Vec::new();
    for (name, fields) in about {
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
}
