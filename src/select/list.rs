//! Lists of genes that a user brings, and the bundled panel; matching them to a table of genes.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::error::{Error, Result};
use crate::store::Table;

/// The 978 landmark genes of L1000, with their origin and licence in its comment lines.
const L1000: &str = include_str!("panels/l1000.tsv");

/// Columns that a list's header may name; a list without a header is matched by whichever fits best.
const KNOWN: [&str; 5] = ["gene_id", "entrez", "symbol", "probe", "id"];

/// A list of genes under one or more naming schemes.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneList {
    /// For messages: the file or the panel.
    pub name: String,
    /// (scheme, names); the scheme is empty where the file has no header.
    columns: Vec<(String, Vec<String>)>,
}

/// What a list means in a table of genes.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Rows of the table, ascending.
    pub rows: Vec<usize>,
    /// The same rows in the order of the list.
    pub ranked: Vec<usize>,
    /// The table's column that the names were found in.
    pub column: String,
    /// How many names of the list were found.
    pub found: usize,
    /// How many names the list has.
    pub listed: usize,
}

/// Where each gene of a list stands in a table of genes.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    /// The first row of the table that has the gene's name, one entry a gene of the list.
    pub rows: Vec<Option<usize>>,
    /// The table's column that the names were looked up in.
    pub column: String,
    /// How many of the genes are in several rows of the table.
    pub ambiguous: usize,
}

impl GeneList {
    /// The genes of a table, with the columns that name them.
    pub fn of_table(name: &str, genes: &Table) -> Self {
        let mut columns = vec![("gene_id".to_string(), genes.ids.clone())];
        let known = genes.columns.iter().filter(|(scheme, _)| KNOWN.contains(&scheme.as_str()));
        columns.extend(known.cloned());
        GeneList { name: name.to_string(), columns }
    }

    /// Finds each of the list's genes in `genes`, by whichever columns agree in most of them.
    pub fn places(&self, genes: &Table) -> Places {
        let mut best = Places { rows: Vec::new(), column: String::new(), ambiguous: 0 };
        let found = |places: &Places| places.rows.iter().flatten().count();
        for (scheme, names) in &self.columns {
            for (column, values) in columns_of(genes).filter(|(column, _)| fits(scheme, column)) {
                let rows_of = rows_by_name(values);
                let hits: Vec<Option<&Vec<usize>>> = names
                    .iter()
                    .map(|name| rows_of.get(name.as_str()).filter(|_| !name.is_empty()))
                    .collect();
                let places = Places {
                    rows: hits.iter().map(|rows| rows.and_then(|rows| rows.first().copied())).collect(),
                    column: column.to_string(),
                    ambiguous: hits.iter().flatten().filter(|rows| rows.len() > 1).count(),
                };
                if best.rows.is_empty() || found(&places) > found(&best) {
                    best = places;
                }
            }
        }
        best
    }

    /// The bundled panel `l1000`, or else a file: tab-separated with a header that names `gene_id`, `entrez`,
    /// `symbol` or `probe` columns, or one name a line without a header. Lines that start with # are comments.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] for a file without names.
    pub fn open(name: &str) -> Result<Self> {
        let path = Path::new(name);
        if name == "l1000" && !path.exists() {
            return Self::parse(name, L1000);
        }
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "reading the gene list"))?;
        Self::parse(name, &text)
    }

    fn parse(name: &str, text: &str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()).peekable();
        let header: Vec<String> = lines
            .peek()
            .map(|l| l.split('\t').map(|f| f.trim().to_lowercase()).collect())
            .unwrap_or_default();
        let known = header.iter().any(|field| KNOWN.contains(&field.as_str()));
        let schemes = if known {
            lines.next();
            header
        } else {
            vec![String::new()]
        };
        let mut columns: Vec<(String, Vec<String>)> = Vec::new();
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split('\t').map(str::trim).collect()).collect();
        for (c, scheme) in schemes.iter().enumerate() {
            if scheme.is_empty() || KNOWN.contains(&scheme.as_str()) {
                let names = rows.iter().filter_map(|row| row.get(c)).filter(|name| !name.is_empty());
                let scheme = if scheme == "id" { "gene_id" } else { scheme };
                columns.push((scheme.to_string(), names.map(|name| name.to_string()).collect()));
            }
        }
        if columns.iter().all(|(_, names)| names.is_empty()) {
            return Err(Error::input(
                name,
                "no gene names; expected one name a line, or a header with gene_id, entrez, symbol or probe",
            ));
        }
        Ok(GeneList { name: name.to_string(), columns })
    }

    /// Finds the list's genes in `genes`: by id, Entrez id, symbol or probe, whichever column of the list and
    /// of the table agree in most names; or by the table's column `on` alone.
    ///
    /// # Errors
    /// [`Error::Data`] where nothing matches, or where the table has no column `on`.
    pub fn find(&self, genes: &Table, on: Option<&str>) -> Result<Matched> {
        let mut places: Vec<(&str, &[String])> = columns_of(genes).collect();
        if let Some(on) = on {
            places.retain(|(name, _)| *name == on);
            if places.is_empty() {
                let names: Vec<&str> = genes.columns.iter().map(|(name, _)| name.as_str()).collect();
                let message =
                    format!("the genes have no column \"{on}\"; there are gene_id {}", names.join(" "));
                return Err(Error::Data(message));
            }
        } else {
            places.retain(|(name, _)| KNOWN.contains(name));
        }
        let mut best: Option<Matched> = None;
        for (scheme, names) in &self.columns {
            for (column, values) in &places {
                if !fits(scheme, column) && on.is_none() {
                    continue;
                }
                let matched = find(names, column, values);
                if best.as_ref().is_none_or(|b| matched.rows.len() > b.rows.len()) {
                    best = Some(matched);
                }
            }
        }
        best.filter(|m| !m.rows.is_empty()).ok_or_else(|| {
            let columns: Vec<&str> = places.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "gene list {}: none of its names is among the {} genes (looked in {})",
                self.name,
                genes.len(),
                columns.join(", ")
            );
            Error::Data(message)
        })
    }
}

/// A table's ids and further columns.
fn columns_of(genes: &Table) -> impl Iterator<Item = (&str, &[String])> {
    let further = genes.columns.iter().map(|(name, values)| (name.as_str(), values.as_slice()));
    [("gene_id", genes.ids.as_slice())].into_iter().chain(further)
}

/// Whether names of `scheme` are looked up in `column`: the ids of a matrix may be of any scheme; other columns say
/// which one they hold.
fn fits(scheme: &str, column: &str) -> bool {
    scheme.is_empty() || column == "gene_id" || scheme == column
}

fn rows_by_name(values: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut rows_of: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, value) in values.iter().enumerate() {
        rows_of.entry(value.as_str()).or_default().push(row);
    }
    rows_of
}

fn find(names: &[String], column: &str, values: &[String]) -> Matched {
    let rows_of = rows_by_name(values);
    let mut seen = HashSet::new();
    let unique: Vec<&str> = names.iter().map(String::as_str).filter(|name| seen.insert(*name)).collect();
    let hits: Vec<&Vec<usize>> = unique.iter().filter_map(|name| rows_of.get(name)).collect();
    let ranked: Vec<usize> = hits.iter().flat_map(|rows| rows.iter().copied()).collect();
    let mut rows = ranked.clone();
    rows.sort_unstable();
    Matched { rows, ranked, column: column.to_string(), found: hits.len(), listed: unique.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn genes() -> Table {
        let mut genes = Table::new("gene_id", ["ESR1_2099", "MYC_4609", "X_1"].map(String::from).to_vec());
        genes.columns.push(("symbol".into(), ["ESR1", "MYC", ""].map(String::from).to_vec()));
        genes.columns.push(("entrez".into(), ["2099", "4609", "1"].map(String::from).to_vec()));
        genes
    }

    #[test]
    fn the_bundled_panel_has_978_genes() {
        let panel = GeneList::open("l1000").unwrap();
        let sizes: Vec<usize> = panel.columns.iter().map(|(_, names)| names.len()).collect();
        assert_eq!(sizes, [978, 978]);
        let found = panel.find(&genes(), None).unwrap();
        assert_eq!((found.rows, found.column.as_str(), found.listed), (vec![1], "entrez", 978));
    }

    #[test]
    fn lists_match_by_what_they_are() {
        let find = |text: &str, on| GeneList::parse("list", text).unwrap().find(&genes(), on);
        let matched = find("MYC\nESR1\nnone\n", None).unwrap();
        assert_eq!((matched.rows, matched.ranked), (vec![0, 1], vec![1, 0]));
        assert_eq!(find("# x\nMYC_4609\n", None).unwrap().column, "gene_id");
        let by_entrez = find("note\tentrez\nx\t1\ny\t77\n", None).unwrap();
        assert_eq!((by_entrez.rows, by_entrez.found, by_entrez.listed), (vec![2], 1, 2));
        assert_eq!(find("2099\n", Some("entrez")).unwrap().rows, [0]);
        assert!(find("2099\n", Some("tissue")).unwrap_err().to_string().contains("gene_id symbol entrez"));
        assert!(find("nothing\n", None).unwrap_err().to_string().contains("none of its names"));
        assert!(GeneList::parse("list", "gene_id\n").is_err());
    }
}
