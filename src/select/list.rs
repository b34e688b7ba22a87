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
    /// (scheme, one name a gene, which may be empty); the scheme is empty where the file has no header.
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

/// Every gene of a list, in the list's order, in a table of genes.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// What the list calls the gene: its `gene_id` column, else its first.
    pub ids: Vec<String>,
    /// The table's rows that are this gene; none where it is missing.
    pub rows: Vec<Vec<usize>>,
    /// The table's column that the names were found in.
    pub column: String,
}

impl GeneList {
    /// The genes of a store as a list.
    pub fn of_table(name: &str, genes: &Table) -> Self {
        let mut columns = vec![("gene_id".to_string(), genes.ids.clone())];
        columns.extend(genes.columns.iter().filter(|(scheme, _)| KNOWN.contains(&scheme.as_str())).cloned());
        GeneList { name: name.to_string(), columns }
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
                let names = rows.iter().map(|row| row.get(c).copied().unwrap_or_default().to_string());
                let scheme = if scheme == "id" { "gene_id" } else { scheme };
                columns.push((scheme.to_string(), names.collect()));
            }
        }
        if columns.iter().all(|(_, names)| names.iter().all(String::is_empty)) {
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
        self.best(genes, on).map(|(_, matched)| matched)
    }

    /// As [`GeneList::find`], gene by gene in the list's order.
    ///
    /// # Errors
    /// [`Error::Data`] where nothing matches.
    pub fn locate(&self, genes: &Table) -> Result<Located> {
        let (names, Matched { column, .. }) = self.best(genes, None)?;
        let values = if column == "gene_id" { Some(genes.ids.as_slice()) } else { genes.column(&column) };
        let rows_of = rows_of(values.unwrap_or_default());
        let by_id = self.columns.iter().find(|(scheme, _)| scheme == "gene_id");
        let ids = by_id.or(self.columns.first()).map_or(names, |(_, ids)| ids);
        let genes = ids.iter().zip(names).map(|(id, name)| (if id.is_empty() { name } else { id }, name));
        let genes = genes.filter(|(id, _)| !id.is_empty());
        let rows = |name: &String| rows_of.get(name.as_str()).cloned().unwrap_or_default();
        let (ids, rows) = genes.map(|(id, name)| (id.clone(), rows(name))).unzip();
        Ok(Located { ids, rows, column })
    }

    /// The first row of each gene of the list, in the list's order; `None` where a gene is missing.
    pub fn first_rows(&self, genes: &Table) -> Vec<Option<usize>> {
        match self.locate(genes) {
            Ok(located) => located.rows.iter().map(|rows| rows.first().copied()).collect(),
            Err(_) => vec![None; self.columns.first().map_or(0, |(_, names)| names.len())],
        }
    }

    /// The list's column that agrees best with a column of the table, and what was found.
    fn best(&self, genes: &Table, on: Option<&str>) -> Result<(&[String], Matched)> {
        let mut places: Vec<(&str, &[String])> = vec![("gene_id", &genes.ids)];
        places.extend(genes.columns.iter().map(|(name, values)| (name.as_str(), values.as_slice())));
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
        let mut best: Option<(&[String], Matched)> = None;
        for (scheme, names) in &self.columns {
            for (column, values) in &places {
                // Ids may be of any scheme; other columns say which one they hold.
                let any = scheme.is_empty() || scheme == "gene_id" || *column == "gene_id" || on.is_some();
                if !any && scheme != column {
                    continue;
                }
                let matched = find(names, column, values);
                if best.as_ref().is_none_or(|(_, b)| matched.rows.len() > b.rows.len()) {
                    best = Some((names, matched));
                }
            }
        }
        best.filter(|(_, m)| !m.rows.is_empty()).ok_or_else(|| {
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

/// The rows of every name; empty fields are no names.
fn rows_of(values: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut rows_of: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, value) in values.iter().enumerate().filter(|(_, value)| !value.is_empty()) {
        rows_of.entry(value.as_str()).or_default().push(row);
    }
    rows_of
}

fn find(names: &[String], column: &str, values: &[String]) -> Matched {
    let rows_of = rows_of(values);
    let mut seen = HashSet::new();
    let names = names.iter().map(String::as_str).filter(|name| !name.is_empty());
    let unique: Vec<&str> = names.filter(|name| seen.insert(*name)).collect();
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
    fn located_genes_keep_the_lists_order_and_ids() {
        let located = |text: &str| GeneList::parse("list", text).unwrap().locate(&genes()).unwrap();
        let by_symbol = located("gene_id\tsymbol\nm\tMYC\nx\t\n\tESR1\n\t\n");
        assert_eq!((by_symbol.ids.join(" "), by_symbol.column.as_str()), ("m x ESR1".into(), "symbol"));
        assert_eq!(by_symbol.rows, [vec![1], vec![], vec![0]]);
        let by_id = GeneList::of_table("store", &genes().select(&[2, 0])).locate(&genes()).unwrap();
        assert_eq!((by_id.rows, by_id.column.as_str()), (vec![vec![2], vec![0]], "gene_id"));
        let entrez_ids = Table::new("gene_id", vec!["4609".into()]);
        assert_eq!(GeneList::of_table("store", &entrez_ids).locate(&genes()).unwrap().rows, [[1]]);
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
