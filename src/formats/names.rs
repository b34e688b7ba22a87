//! What the names of a file tell: symbols and Entrez ids of genes.

use std::collections::{HashMap, HashSet};

use crate::store::Table;

/// Headers under which files keep symbols, the surest first, in lower case.
const SYMBOL: [&str; 6] =
    ["pr_gene_symbol", "gene_symbol", "gene_symbols", "hgnc_symbol", "gene_name", "feature_name"];

/// Headers under which files keep Entrez ids.
const ENTREZ: [&str; 6] =
    ["pr_gene_id", "entrez_id", "entrezid", "entrez_gene_id", "entrezgene", "ncbi_gene_id"];

/// Adds the columns `symbol` and `entrez` where other columns or the ids tell them.
pub(super) fn add_symbols(genes: &mut Table) {
    for (name, candidates) in [("symbol", SYMBOL), ("entrez", ENTREZ)] {
        if genes.column(name).is_some() {
            continue;
        }
        let named = |wanted: &str| {
            genes.columns.iter().find(|(n, _)| n.to_lowercase() == wanted).map(|(_, fields)| fields.clone())
        };
        let mut candidates = std::iter::once(name).chain(candidates);
        if let Some(fields) = candidates.find_map(named) {
            genes.set_column(name, fields);
        }
    }
    if genes.column("symbol").is_some() || genes.column("entrez").is_some() {
        return;
    }
    let pairs: Vec<_> = genes.ids.iter().map(|id| symbol_and_entrez(id)).collect();
    if pairs.iter().flatten().count() * 10 < genes.len() * 9 {
        return;
    }
    let (symbols, entrez) = pairs.into_iter().map(Option::unwrap_or_default).unzip();
    genes.set_column("symbol", symbols);
    genes.set_column("entrez", entrez);
}

/// The parts of `SYMBOL_ENTREZ` or `SYMBOL|ENTREZ`; TCGA writes `?` where a gene has no symbol.
fn symbol_and_entrez(id: &str) -> Option<(String, String)> {
    let (symbol, entrez) = id.rsplit_once(['|', '_'])?;
    let valid = !entrez.is_empty() && entrez.bytes().all(|b| b.is_ascii_digit()) && !symbol.is_empty();
    let symbol = if symbol == "?" { "" } else { symbol };
    valid.then(|| (symbol.to_string(), entrez.to_string()))
}

/// Gives ids that occur again a number, -1, -2, …, as anndata does (`obs_names_make_unique`); how many got one.
pub(super) fn make_unique(table: &mut Table) -> usize {
    let mut taken: HashSet<String> = table.ids.iter().cloned().collect();
    let (mut seen, mut changed) = (HashMap::<String, usize>::new(), 0);
    for id in &mut table.ids {
        let Some(number) = seen.get_mut(id) else {
            seen.insert(id.clone(), 0);
            continue;
        };
        let new = loop {
            *number += 1;
            let new = format!("{id}-{number}");
            if taken.insert(new.clone()) {
                break new;
            }
        };
        *id = new;
        changed += 1;
    }
    changed
}

/// Renames columns that would hide the id column of a store or each other.
pub(super) fn settle_columns(table: &mut Table, key: &str) {
    table.key = key.to_string();
    for i in 0..table.columns.len() {
        let taken = |name: &str| name == key || table.columns[..i].iter().any(|(n, _)| n == name);
        if taken(&table.columns[i].0) {
            let name = table.columns[i].0.clone();
            let free = (2..).map(|n| format!("{name}_{n}")).find(|name| !taken(name));
            table.columns[i].0 = free.expect("some number is free");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(ids: &[&str]) -> Table {
        Table::new("id", ids.iter().map(|s| s.to_string()).collect())
    }

    #[test]
    fn symbols_come_from_ids_or_columns() {
        let mut genes = table(&["ESR1_2099", "HLA-A_3105", "NKX2_1_7080"]);
        add_symbols(&mut genes);
        assert_eq!(genes.column("symbol").expect("found"), ["ESR1", "HLA-A", "NKX2_1"]);
        assert_eq!(genes.column("entrez").expect("found"), ["2099", "3105", "7080"]);

        let mut genes = table(&["?|100130426", "A1BG|1"]);
        add_symbols(&mut genes);
        assert_eq!(genes.column("symbol").expect("found"), ["", "A1BG"]);

        let mut genes = table(&["1007_s_at", "1053_at"]);
        add_symbols(&mut genes);
        assert!(genes.columns.is_empty());
        genes.set_column("pr_gene_symbol", vec!["DDR1".into(), "RFC2".into()]);
        add_symbols(&mut genes);
        assert_eq!(genes.column("symbol").expect("found"), ["DDR1", "RFC2"]);
        assert!(genes.column("entrez").is_none());
    }

    #[test]
    fn repeated_names_get_numbers_that_are_free() {
        let mut samples = table(&["a", "b", "a", "a-1", "a", "b"]);
        assert_eq!(make_unique(&mut samples), 3);
        assert_eq!(samples.ids, ["a", "b", "a-2", "a-1", "a-3", "b-1"]);
    }

    #[test]
    fn columns_never_hide_the_key() {
        let mut genes = table(&["a"]);
        genes.columns = ["gene_id", "x", "x"].map(|n| (n.to_string(), vec![String::new()])).to_vec();
        settle_columns(&mut genes, "gene_id");
        assert_eq!(genes.column_names(), ["gene_id_2", "x", "x_2"]);
    }
}
