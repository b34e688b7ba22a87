//! What the names of a file tell: symbols and Entrez ids of genes.

use std::collections::{HashMap, HashSet};

use crate::genes::composite::{self, Parts};
use crate::genes::kind::{Kind, are_made_up, is_blank};
use crate::genes::{Table, known};

/// Adds the columns `symbol`, `entrez` and `ensembl` where other columns or the ids tell them, and nowhere else: a column
/// whose header says symbols holds them only where its fields look like symbols.
pub(super) fn add_symbols(genes: &mut Table) {
    for (name, kind) in [("symbol", Kind::Symbol), ("entrez", Kind::Entrez)] {
        if genes.column(name).is_none()
            && let Some(fields) = of_header(genes, kind)
        {
            genes.set_column(name, fields);
        }
    }
    if let Some(parts) = composite::split(&genes.ids) {
        add_parts(genes, parts);
    }
    if genes.column("symbol").is_none()
        && let Some(fields) = of_description(genes)
    {
        genes.set_column("symbol", fields);
    }
}

/// What the ids tell, where no column tells it.
fn add_parts(genes: &mut Table, parts: Vec<Parts>) {
    let mut columns: [Vec<String>; 3] = Default::default();
    for Parts { symbol, entrez, ensembl } in parts {
        columns.iter_mut().zip([symbol, entrez, ensembl]).for_each(|(column, field)| column.push(field));
    }
    for (name, fields) in ["symbol", "entrez", "ensembl"].into_iter().zip(columns) {
        if genes.column(name).is_none() && fields.iter().any(|field| !field.is_empty()) {
            genes.set_column(name, fields);
        }
    }
}

/// The fields of the column with the surest header for this kind, if most of them are of it; others are left blank.
fn of_header(genes: &Table, kind: Kind) -> Option<Vec<String>> {
    let named = genes.columns.iter().filter(|(name, _)| Kind::of_header(name) == Some(kind));
    let mut named: Vec<_> = named.collect();
    named.sort_by_key(|(name, _)| Kind::rank_of_header(name));
    named.into_iter().find_map(|(_, fields)| cleaned(fields, kind))
}

/// The fields that are of a kind, others blank; `None` unless most of those that are not blank are.
fn cleaned(fields: &[String], kind: Kind) -> Option<Vec<String>> {
    let written = fields.iter().filter(|field| !is_blank(field)).count();
    let cleaned: Vec<String> = fields.iter().map(|field| of_kind(field, kind).unwrap_or_default()).collect();
    let kept = cleaned.iter().filter(|field| !field.is_empty()).count();
    (kept > 0 && kept * 2 > written).then_some(cleaned)
}

/// A field of a kind: each of the genes of a probe of several (`TP53 /// WRAP53`); pandas writes Entrez ids as `7157.0`.
fn of_kind(field: &str, kind: Kind) -> Option<String> {
    let field = field.trim();
    // Under a header that says symbols, made-up names are symbols of a made-up file.
    let made_up = |part: &str| kind == Kind::Symbol && Kind::MadeUp.has_form(part);
    let one = |part: &str| !is_blank(part) && (kind.has_form(part) || made_up(part));
    if field.split("///").all(|part| one(part.trim())) {
        return Some(field.to_string());
    }
    let whole = field.strip_suffix(".0").filter(|whole| kind == Kind::Entrez && one(whole));
    whole.map(str::to_string)
}

/// GCT's Description, which is free text, where it is the symbol, as GTEx and GenePattern write it: GTEx repeats the
/// id of a gene without one. Words such as "kinase" are no symbols, nor is the name itself once more.
fn of_description(genes: &Table) -> Option<Vec<String>> {
    let (_, fields) = genes.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case("description"))?;
    let others = fields.iter().zip(&genes.ids).filter(|(field, id)| field != id && !is_blank(field));
    let others: Vec<&String> = others.map(|(field, _)| field).collect();
    let marked = |field: &str| {
        field.contains(|c: char| c.is_ascii_digit()) || field.chars().skip(1).any(|c| c.is_ascii_uppercase())
    };
    let symbols =
        others.iter().filter(|f| Kind::of(f) == Some(Kind::Symbol) && (marked(f) || known::is_known(f)));
    let different: HashSet<&String> = others.iter().copied().collect();
    let one = are_made_up(others.iter().map(|field| field.as_str()));
    let sure = symbols.count() * 10 >= others.len() * 8 && different.len() * 2 > others.len() && !one;
    (!others.is_empty() && sure).then(|| cleaned(fields, Kind::Symbol))?
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

        let mut genes = table(&["?|100130426", "A1BG|1", "TP53|7157"]);
        add_symbols(&mut genes);
        assert_eq!(genes.column("symbol").expect("found"), ["", "A1BG", "TP53"]);

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
