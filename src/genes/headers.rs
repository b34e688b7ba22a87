//! Whether a table has a header, told by known names and by how the first row differs from those below.

use std::path::Path;

use super::kind::Kind;
use super::layout::Row;
use super::reader::Column;

/// Headers of samples' names, in lower case without punctuation.
const SAMPLES: [&str; 24] = [
    "sample",
    "samples",
    "sampleid",
    "sampleids",
    "samplename",
    "samplenames",
    "barcode",
    "barcodes",
    "cell",
    "cells",
    "cellid",
    "cellbarcode",
    "cellname",
    "geoaccession",
    "gsm",
    "accession",
    "run",
    "cid",
    "columnid",
    "obs",
    "obsnames",
    "patient",
    "patientid",
    "submitterid",
];

/// Further headers of tables, which beside others tell a header, but may be a word of a row too.
const OTHERS: [&str; 34] = [
    "rank",
    "score",
    "scores",
    "weight",
    "label",
    "labels",
    "description",
    "title",
    "tissue",
    "batch",
    "group",
    "cluster",
    "celltype",
    "condition",
    "treatment",
    "sex",
    "gender",
    "age",
    "organism",
    "species",
    "chromosome",
    "chr",
    "start",
    "end",
    "strand",
    "length",
    "genetype",
    "biotype",
    "genebiotype",
    "featuretype",
    "logfc",
    "pvalue",
    "padj",
    "fdr",
];

/// Words for samples that are genes too: `run`, `cid` of the fly.
const GENES_TOO: [&str; 4] = ["run", "cid", "obs", "cell"];

/// Spellings of a missing number.
const MISSING: [&str; 8] = ["", "na", "n/a", "nan", "null", "none", "#n/a", "-"];

/// What the first row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A header.
    Header,
    /// A header that has no field above the row names, as R writes it.
    WithoutCorner,
    /// The header stands in the comment above.
    Comment(Vec<String>),
    /// A row.
    Row,
    /// Nothing tells.
    Open,
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a header names genes of whatever kind.
pub(super) fn names_genes(name: &str) -> bool {
    Kind::of_header(name).is_some()
}

/// Whether a header names samples.
pub(super) fn names_samples(name: &str) -> bool {
    SAMPLES.contains(&plain(name).as_str())
}

/// Whether a word is a header wherever it stands first.
pub(super) fn is_known(name: &str) -> bool {
    names_genes(name) || names_samples(name)
}

pub(super) fn is_number(field: &str) -> bool {
    field.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_missing(field: &str) -> bool {
    MISSING.contains(&field.to_lowercase().as_str())
}

/// Whether all fields that are not missing are numbers, and one is.
pub(super) fn all_numbers<'a>(fields: impl Iterator<Item = &'a str>) -> bool {
    let mut numbers = fields.filter(|field| !is_missing(field)).map(is_number).peekable();
    numbers.peek().is_some() && numbers.all(|number| number)
}

/// What the first row is.
pub(super) fn tell(rows: &[Row], comment: Option<&Vec<String>>) -> Verdict {
    let Some((first, rest)) = rows.split_first() else { return Verdict::Open };
    let width = rest.first().map_or(first.fields.len(), |row| row.fields.len());
    // a header says its word once
    let once = |c: usize| rest.iter().all(|row| row.fields.get(c) != first.fields.get(c));
    // some words for samples are genes of the fly: alone they tell nothing
    let gene = |name: &str| width == 1 && GENES_TOO.contains(&plain(name).as_str());
    let known = |c: usize| is_known(&first.fields[c]) && !gene(&first.fields[c]) && once(c);
    if first.fields.len() == width && (0..width).any(known) {
        return Verdict::Header;
    }
    if let Some(names) = comment
        && names.len() == first.fields.len()
        && names.iter().any(|name| is_known(name))
    {
        return Verdict::Comment(names.clone());
    }
    let even = rest.len() > 1 || first.fields.iter().any(|field| is_known(field));
    if !rest.is_empty()
        && even
        && first.fields.len() + 1 == width
        && rest.iter().all(|r| r.fields.len() == width)
    {
        return Verdict::WithoutCorner;
    }
    if rest.is_empty() || rest.iter().any(|row| row.fields.len() != first.fields.len()) {
        return Verdict::Open;
    }
    by_columns(&first.fields, rest)
}

/// Told by how the first row differs, column by column, from those below.
fn by_columns(first: &[String], rest: &[Row]) -> Verdict {
    let below = |c: usize| rest.iter().map(move |row| row.fields[c].as_str());
    let places = || 0..first.len();
    let numbers: Vec<bool> = places().map(|c| all_numbers(below(c))).collect();
    let text_above = places().any(|c| numbers[c] && !is_number(&first[c]) && !is_missing(&first[c]));
    let blank_above = places().any(|c| first[c].is_empty() && below(c).all(|field| !field.is_empty()));
    let weak = first.len() > 1 && first.iter().any(|field| OTHERS.contains(&plain(field).as_str()));
    let of_list = first.len() == 1 && is_gene(&first[0]);
    if (text_above || blank_above) && !of_list {
        return Verdict::Header;
    }
    let number_too = places().any(|c| numbers[c] && is_number(&first[c]));
    if number_too || places().any(|c| looks_alike(&first[c], &below(c).collect::<Vec<_>>())) {
        return Verdict::Row;
    }
    if weak { Verdict::Header } else { Verdict::Open }
}

/// Whether a word is surely a gene, as `GATA3` above Entrez ids is in a list of several kinds.
fn is_gene(name: &str) -> bool {
    match Kind::of(name) {
        Some(Kind::Symbol) => {
            super::known::is_known(name)
                || name.contains(|c: char| c.is_ascii_digit()) && !name.contains(char::is_lowercase)
        }
        Some(Kind::MadeUp) | None => false,
        Some(_) => true,
    }
}

/// Whether a name has the form of most of those below, and a form that headers do not have: with digits.
fn looks_alike(first: &str, below: &[&str]) -> bool {
    let form = form(first);
    let alike = below.iter().filter(|field| self::form(field) == form).count();
    form.contains('9') && 2 * alike > below.len()
}

/// Letters as `a`, digits as `9`, runs as one: `a_9_a` for `ILMN_1762_x`.
fn form(name: &str) -> String {
    let mut form = String::new();
    for c in name.chars() {
        let c = if c.is_ascii_digit() {
            '9'
        } else if c.is_alphabetic() {
            'a'
        } else {
            c
        };
        if !form.ends_with(c) {
            form.push(c);
        }
    }
    form
}

/// Settles names that occur twice: the second `x` is `x.1`, as pandas and R have it. Blank names stay blank.
pub(super) fn settle(path: &Path, columns: &mut [Column]) -> Vec<String> {
    let mut notes = Vec::new();
    for c in 1..columns.len() {
        let name = columns[c].name.clone();
        if name.is_empty() || columns[..c].iter().all(|column| column.name != name) {
            continue;
        }
        let settled = unique(&name, |name| columns.iter().any(|column| column.name == name));
        notes.push(format!(
            "{}: column {name:?} occurs twice; the second is called {settled:?}",
            path.display()
        ));
        columns[c].name = settled;
    }
    notes
}

/// The name, or the first of `name.1`, `name.2`, … that is not taken.
pub(crate) fn unique(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (1..).map(|n| format!("{name}.{n}"));
    std::iter::once(name.to_string()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}
