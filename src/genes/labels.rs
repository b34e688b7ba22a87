//! Tables about samples or genes, joined to those at hand by whichever column holds their ids.

use std::collections::HashMap;
use std::path::Path;

use super::kind::is_blank;
use super::map::joined;
use super::reader::{Column, Sheet, Untold};
use super::{Kind, Table};
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};

/// Texts longer than this describe at length and are left out of tables of genes.
const LONG: usize = 200;

/// The headers of columns that hold the gene's own names in every table of genes.
const NAMES: [(&str, Kind); 2] = [("symbol", Kind::Symbol), ("entrez", Kind::Entrez)];

/// A table of labels as it stands in its file.
#[derive(Debug, Clone)]
pub struct Labels {
    sheet: Sheet,
}

impl Labels {
    /// Reads the table.
    ///
    /// # Errors
    /// Those of [`Sheet::read`]; [`Error::Input`] for a table of one column.
    pub fn read(path: &Path, report: Reporter) -> Result<Labels> {
        let sheet = Sheet::read(path, Untold::Header)?;
        sheet.notes.iter().for_each(|note| report(Event::Note(note.clone())));
        if sheet.columns.len() < 2 {
            return Err(Error::input(
                path,
                "has one column; ids and at least one column about them are needed",
            ));
        }
        Ok(Labels { sheet })
    }

    /// Joins the columns to the samples of the same id; others get empty fields. Returns how many samples matched.
    ///
    /// # Errors
    /// [`Error::Input`] when none does, and for an id of two rows that differ.
    pub fn join_samples(&self, samples: &mut Table, report: Reporter) -> Result<usize> {
        let (key, rows) = self.rows(samples, Column::names_samples, "sample ids", report)?;
        for (sample, rows) in rows.iter().enumerate() {
            let differs =
                |row: &&usize| self.sheet.columns.iter().any(|c| c.fields[**row] != c.fields[rows[0]]);
            if let Some(other) = rows.iter().find(differs) {
                let lines = [rows[0], *other].map(|row| self.sheet.lines[row]);
                let message = format!(
                    "id {:?} stands in lines {} and {}, which differ; leave one",
                    samples.ids[sample], lines[0], lines[1]
                );
                return Err(Error::input(&self.sheet.path, message));
            }
        }
        for (name, c) in self.columns(key) {
            let fields = &self.sheet.columns[c].fields;
            let field = |rows: &Vec<usize>| rows.first().map_or(String::new(), |row| fields[*row].clone());
            samples.set_column(&name, rows.iter().map(field).collect());
        }
        Ok(rows.iter().filter(|rows| !rows.is_empty()).count())
    }

    /// Joins the columns to the genes of the same id, and fills `symbol` and `entrez` from those that hold them. A gene of
    /// several rows has their different fields, parted by ` /// `; a gene that the table lacks keeps what it has. Returns how
    /// many genes matched.
    ///
    /// # Errors
    /// [`Error::Input`] when none does.
    pub fn join_genes(&self, genes: &mut Table, report: Reporter) -> Result<usize> {
        let (key, rows) = self.rows(genes, Column::names_probes, "gene ids", report)?;
        let path = self.sheet.path.display();
        let mut long = Vec::new();
        let named = self.names(key);
        let all = self.columns(key).into_iter().filter(|(name, c)| {
            named.iter().all(|(n, taken)| n != name && (name != "gene_id" || taken != c))
        });
        for (name, c) in named.iter().map(|(name, c)| (name.to_string(), *c)).chain(all) {
            if name != "symbol" && self.sheet.columns[c].fields.iter().any(|field| field.len() > LONG) {
                long.push(name);
                continue;
            }
            self.fill(genes, &name, c, &rows);
        }
        for (name, c) in &named {
            report(Event::Note(format!("{path}: {name} from {}", self.sheet.title(*c))));
        }
        if !long.is_empty() {
            report(Event::Note(format!("{path}: columns of long texts are left out: {}", long.join(", "))));
        }
        let several = rows.iter().filter(|rows| rows.len() > 1).count();
        if several > 0 {
            let message = format!(
                "{path}: {several} genes stand in several rows; what differs there is kept, parted by ///"
            );
            report(Event::Warning(message));
        }
        Ok(rows.iter().filter(|rows| !rows.is_empty()).count())
    }

    /// Sets a column of the genes from column `c`, where the table has them.
    fn fill(&self, genes: &mut Table, name: &str, c: usize, rows: &[Vec<usize>]) {
        let fields = &self.sheet.columns[c].fields;
        let old = genes.column(name).map(<[String]>::to_vec);
        let field = |(gene, rows): (usize, &Vec<usize>)| {
            let here: Vec<&str> = rows.iter().map(|row| fields[*row].as_str()).collect();
            let new = if here.len() == 1 && !is_blank(here[0]) { here[0].to_string() } else { joined(&here) };
            let kept = || old.as_ref().map_or(String::new(), |old| old[gene].clone());
            if new.is_empty() { kept() } else { new }
        };
        let filled = rows.iter().enumerate().map(field).collect();
        // A store's id column is called so.
        genes.set_column(if name == "gene_id" { other_id(fields) } else { name }, filled);
    }

    /// Which columns hold symbols and Entrez ids.
    fn names(&self, key: usize) -> Vec<(&'static str, usize)> {
        let columns = &self.sheet.columns;
        let of = |kind: Kind| {
            let told = (0..columns.len()).filter(|c| kind_of(&columns[*c], *c == key) == Some(kind));
            let names = told.filter(|c| super::map::could_name_genes(&columns[*c]));
            names.min_by_key(|c| Kind::rank_of_header(&columns[*c].name))
        };
        NAMES.iter().filter_map(|(name, kind)| Some((*name, of(*kind)?))).collect()
    }

    /// The columns about the ids and what they are called; a column of row numbers without a name is none.
    fn columns(&self, key: usize) -> Vec<(String, usize)> {
        let columns = &self.sheet.columns;
        let numbers = |c: usize| {
            let name = columns[c].name.as_str();
            (name.is_empty() && self.sheet.header || name.starts_with("Unnamed:")) && columns[c].counts()
        };
        let others: Vec<usize> = (0..columns.len()).filter(|c| *c != key && !numbers(*c)).collect();
        let name = |c: usize| match columns[c].name.as_str() {
            "" if others.len() == 1 => "label".to_string(),
            "" => format!("label_{}", c + 1),
            name => name.to_string(),
        };
        others.iter().map(|c| (name(*c), *c)).collect()
    }

    /// The column of the ids, and of each id its rows.
    fn rows(
        &self,
        table: &Table,
        known: fn(&Column) -> bool,
        what: &str,
        report: Reporter,
    ) -> Result<(usize, Vec<Vec<usize>>)> {
        let (key, found) = key(&self.sheet, &table.ids, known);
        if found == 0 {
            return Err(none(&self.sheet, &table.ids, what));
        }
        if key > 0 {
            let path = self.sheet.path.display();
            report(Event::Note(format!("{path}: {what} from {}", self.sheet.title(key))));
        }
        Ok((key, rows(&self.sheet.columns[key].fields, &table.ids)))
    }
}

/// What a column `gene_id` beside other ids is called: by what its names are, so that they are found.
fn other_id(fields: &[String]) -> &'static str {
    match Kind::of_names(fields.iter().map(String::as_str)) {
        Kind::Ensembl => "ensembl",
        Kind::Refseq => "refseq",
        Kind::Hgnc => "hgnc_id",
        _ => "gene_id_2",
    }
}

/// The kind of a column: what its header tells; where that is of genes and no more, what its names look like, unless they
/// are the ids themselves.
fn kind_of(column: &Column, ids: bool) -> Option<Kind> {
    let of_genes = column.name.to_lowercase().starts_with("gene");
    match column.kind() {
        Some(Kind::Id) if of_genes && !ids => Some(Kind::of_names(column.fields.iter().map(String::as_str))),
        told => told,
    }
}

/// The column that holds most of the ids, and how many; of equals one whose header is `known`, then one that does not count
/// rows, then the first.
pub(super) fn key(sheet: &Sheet, ids: &[String], known: impl Fn(&Column) -> bool) -> (usize, usize) {
    let wanted: std::collections::HashSet<&str> = ids.iter().map(String::as_str).collect();
    let found = |column: &Column| {
        let here: std::collections::HashSet<&str> = column.fields.iter().map(String::as_str).collect();
        wanted.intersection(&here).count()
    };
    let rank = |c: &usize| {
        let column = &sheet.columns[*c];
        (found(column), known(column), !column.counts(), usize::MAX - c)
    };
    let best = (0..sheet.columns.len()).max_by_key(rank).unwrap_or(0);
    (best, sheet.columns.get(best).map_or(0, found))
}

/// Of each id the rows in which it stands.
pub(super) fn rows(fields: &[String], ids: &[String]) -> Vec<Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    fields.iter().enumerate().for_each(|(row, field)| places.entry(field).or_default().push(row));
    ids.iter().map(|id| places.get(id.as_str()).cloned().unwrap_or_default()).collect()
}

/// That no column holds any of the ids.
pub(super) fn none(sheet: &Sheet, ids: &[String], what: &str) -> Error {
    let theirs: Vec<String> = (0..sheet.columns.len())
        .take(4)
        .map(|c| {
            format!("{}: {:?}", sheet.title(c), sheet.columns[c].fields.first().map_or("", String::as_str))
        })
        .collect();
    let same = match sheet.len() == ids.len() {
        true => {
            format!("; it has as many rows as there are {what}, but rows are joined by id and not by order")
        }
        false => String::new(),
    };
    let ours = ids.first().map_or("", String::as_str);
    let message = format!(
        "none of the {what} (such as {ours:?}) is in any of its columns ({}){same}",
        theirs.join(", ")
    );
    Error::input(&sheet.path, message)
}

/// The column of this name, in any case, or of this number from 1; `option` asked for it.
pub(super) fn column(sheet: &Sheet, name: &str, option: &str) -> Result<usize> {
    let same = |c: &usize| sheet.columns[*c].name == name;
    let like = |c: &usize| sheet.columns[*c].name.eq_ignore_ascii_case(name);
    let all = || 0..sheet.columns.len();
    let number =
        || name.parse::<usize>().ok().filter(|n| (1..=sheet.columns.len()).contains(n)).map(|n| n - 1);
    all().find(same).or_else(|| all().find(like)).or_else(number).ok_or_else(|| {
        let titles: Vec<String> = all().map(|c| sheet.title(c)).collect();
        Error::input(
            &sheet.path,
            format!("{option} {name}: it has no such column; there are {}", titles.join(", ")),
        )
    })
}
