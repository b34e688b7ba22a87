//! A slice of a matrix file: samples and genes by name, samples by what their columns say. Which rows and columns of the
//! file that is, and what of it was not found.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::genes::kind::{is_blank, without_version};
use crate::genes::{Column, Sheet, Untold};
use crate::progress::{Event, Reporter};
use crate::store::{InputFile, Table};

/// The option of the list of genes.
const GENES: &str = "--only-genes";

/// The bundled panel.
const L1000: &str = include_str!("../select/panels/l1000.tsv");

/// What to import of a file that holds more. Nothing named is everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slice {
    /// A list of sample ids.
    pub samples: Option<PathBuf>,
    /// A list of genes, by id, Entrez id or symbol; or the bundled panel `l1000`.
    pub genes: Option<PathBuf>,
    /// Conditions that a sample's columns must meet, every one of them: `COLUMN=VALUE`, `COLUMN!=VALUE`; several values are
    /// parted by `|`, and no value is the empty field.
    pub conditions: Vec<String>,
}

impl Slice {
    /// Whether everything is wanted.
    pub fn is_whole(&self) -> bool {
        *self == Slice::default()
    }
}

/// A slice, its lists read.
pub(super) struct Wanted {
    samples: Option<List>,
    genes: Option<List>,
    conditions: Vec<String>,
    /// The lists, as inputs of the store.
    pub inputs: Vec<InputFile>,
}

struct List {
    option: &'static str,
    name: String,
    sheet: Sheet,
    /// Columns that may hold the names.
    columns: Vec<usize>,
    /// Which of its rows were found in some file.
    found: Vec<bool>,
}

/// What a slice takes of one file.
pub(super) struct Taken {
    /// Ascending places of samples and of genes; all where `None`.
    pub samples: Option<Vec<usize>>,
    pub genes: Option<Vec<usize>>,
    /// For the user.
    pub words: String,
}

impl Wanted {
    /// Reads the lists.
    ///
    /// # Errors
    /// A list that cannot be read or names nothing; [`Error::Usage`] for a condition that is none.
    pub fn read(slice: &Slice, report: Reporter) -> Result<Wanted> {
        if let Some(text) = slice.conditions.iter().find(|text| split(text).is_none()) {
            let message =
                format!("--where {text}: a column, = or !=, and a value are needed, such as tissue=liver");
            return Err(Error::Usage(message));
        }
        let list =
            |path: &Option<PathBuf>, option| path.as_deref().map(|path| List::read(path, option, report));
        let mut inputs = Vec::new();
        for (path, format) in [(&slice.samples, "sample list"), (&slice.genes, "gene list")] {
            // The bundled panel is no file.
            if let Some(path) = path.as_deref().filter(|path| path.exists()) {
                inputs.push(InputFile::of(path, format)?);
            }
        }
        Ok(Wanted {
            samples: list(&slice.samples, "--only-samples").transpose()?,
            genes: list(&slice.genes, GENES).transpose()?,
            conditions: slice.conditions.clone(),
            inputs,
        })
    }

    /// What is wanted of a file of these samples and genes.
    ///
    /// # Errors
    /// [`Error::Input`] where nothing is left, and for a condition on a column that the samples do not have.
    pub fn of(&mut self, path: &Path, samples: &Table, genes: &Table) -> Result<Taken> {
        let mut words = Vec::new();
        let listed = self.samples.as_mut().map(|list| list.find(path, samples, &mut words)).transpose()?;
        let mut keep: Option<Vec<usize>> = listed;
        for condition in &self.conditions {
            let met = met(path, condition, samples)?;
            let before = keep.unwrap_or_else(|| (0..samples.len()).collect());
            let left: Vec<usize> = before.into_iter().filter(|sample| met[*sample]).collect();
            words.push(format!("{condition}: {} samples left", left.len()));
            if left.is_empty() {
                return Err(Error::input(path, format!("--where {condition}: {}", none(condition, samples))));
            }
            keep = Some(left);
        }
        let genes = self.genes.as_mut().map(|list| list.find(path, genes, &mut words)).transpose()?;
        Ok(Taken { samples: keep, genes, words: words.join("; ") })
    }

    /// Of each list, the names that no file has.
    pub fn missing(&self) -> Vec<(String, Vec<String>)> {
        let lists = self.samples.iter().chain(&self.genes);
        lists.map(|list| (format!("{} {}", list.option, list.name), list.missing())).collect()
    }
}

impl List {
    fn read(path: &Path, option: &'static str, report: Reporter) -> Result<List> {
        let panel = path.as_os_str() == "l1000" && !path.exists() && option == GENES;
        let sheet = match panel {
            true => Sheet::parse(path, L1000.as_bytes(), Untold::Row)?,
            false => Sheet::read(path, Untold::Row)?,
        };
        sheet.notes.iter().for_each(|note| report(Event::Note(note.clone())));
        let known = |column: &Column| match option {
            GENES => column.names_genes(),
            _ => column.names_samples(),
        };
        let mut columns: Vec<usize> =
            (0..sheet.columns.len()).filter(|c| known(&sheet.columns[*c])).collect();
        if columns.is_empty() {
            columns.extend(sheet.names_column(known));
        }
        if columns.iter().all(|c| sheet.columns[*c].fields.iter().all(|field| is_blank(field))) {
            return Err(Error::input(
                path,
                "names nothing; one name a line is needed, or a table with a header",
            ));
        }
        let found = vec![false; sheet.len()];
        Ok(List { option, name: path.display().to_string(), sheet, columns, found })
    }

    /// What was not found, as the list calls it.
    fn missing(&self) -> Vec<String> {
        let rows = (0..self.sheet.len()).filter(|row| !self.found[*row]);
        let name = |row: usize| {
            let fields = self.columns.iter().map(|c| &self.sheet.columns[*c].fields[row]);
            fields.clone().find(|field| !is_blank(field)).cloned()
        };
        rows.filter_map(name).collect()
    }

    /// The rows of `table` that the list names, by the column of the list of which most is found.
    fn find(&mut self, path: &Path, table: &Table, words: &mut Vec<String>) -> Result<Vec<usize>> {
        let kinds = kinds(table, self.option == GENES);
        let best =
            self.columns.iter().map(|c| Found::of(&self.sheet.columns[*c].fields, &kinds, table.len()));
        let best = best.reduce(|best, next| if next.listed.len() > best.listed.len() { next } else { best });
        let best = best.filter(|found| !found.listed.is_empty()).ok_or_else(|| self.nothing(path, table))?;
        best.listed.iter().for_each(|row| self.found[*row] = true);
        let what = if self.option == GENES { "genes" } else { "samples" };
        let how: Vec<String> = best.by.iter().map(|(kind, n)| format!("{n} by {kind}")).collect();
        words.push(format!(
            "{} of {} {what} ({} of {} names of {} found: {})",
            best.rows.len(),
            table.len(),
            best.listed.len(),
            self.sheet.len(),
            self.name,
            how.join(", ")
        ));
        Ok(best.rows)
    }

    fn nothing(&self, path: &Path, table: &Table) -> Error {
        let what = if self.option == GENES { "genes" } else { "samples" };
        let message = format!(
            "none of the {} names of {} {} (such as {:?}) is among its {} {what} (such as {:?})",
            self.sheet.len(),
            self.option,
            self.name,
            self.missing().first().map_or("", String::as_str),
            table.len(),
            table.ids.first().map_or("", String::as_str)
        );
        Error::input(path, message)
    }
}

/// What of a column of names is in a table.
struct Found {
    /// Places of the names that were found.
    listed: Vec<usize>,
    /// Rows of the table, ascending.
    rows: Vec<usize>,
    /// How many names were found by each kind.
    by: Vec<(&'static str, usize)>,
}

impl Found {
    /// By the exact id; of what is left by the next kind, and so on.
    fn of(names: &[String], kinds: &[(&'static str, Vec<String>)], n: usize) -> Found {
        let (mut keep, mut listed, mut by) = (vec![false; n], Vec::new(), Vec::new());
        let mut left: Vec<usize> = (0..names.len()).filter(|name| !is_blank(&names[*name])).collect();
        for (kind, own) in kinds {
            let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
            let filled = own.iter().enumerate().filter(|(_, name)| !is_blank(name));
            filled.for_each(|(row, name)| places.entry(name).or_default().push(row));
            let before = listed.len();
            left.retain(|name| {
                let rows = places.get(names[*name].as_str());
                rows.into_iter().flatten().for_each(|row| keep[*row] = true);
                listed.extend(rows.map(|_| *name));
                rows.is_none()
            });
            if listed.len() > before {
                by.push((*kind, listed.len() - before));
            }
        }
        Found { listed, rows: (0..n).filter(|row| keep[*row]).collect(), by }
    }
}

/// What rows are called, the surest first.
fn kinds(table: &Table, genes: bool) -> Vec<(&'static str, Vec<String>)> {
    let mut kinds = vec![("id", table.ids.clone())];
    if genes {
        let plain: Vec<String> = table.ids.iter().map(|id| without_version(id)).collect();
        if plain != table.ids {
            kinds.push(("id without version", plain));
        }
        for kind in ["entrez", "symbol"] {
            kinds.extend(table.column(kind).map(|names| (kind, names.to_vec())));
        }
    }
    kinds
}

/// Column, whether it must differ, and value of a condition.
fn split(text: &str) -> Option<(&str, bool, &str)> {
    let at = text.find('=')?;
    let (column, value) = (&text[..at], &text[at + 1..]);
    let (column, differs) = column.strip_suffix('!').map_or((column, false), |column| (column, true));
    (!column.trim().is_empty()).then_some((column.trim(), differs, value))
}

/// The values of a condition: the whole text, and its parts between `|`.
fn values(text: &str) -> Vec<&str> {
    std::iter::once(text).chain(text.split('|')).map(str::trim).collect()
}

/// Which samples meet a condition.
fn met(path: &Path, condition: &str, samples: &Table) -> Result<Vec<bool>> {
    let (column, differs, value) = split(condition).unwrap_or_default();
    let Some(fields) = samples.column(column) else {
        let there = match samples.columns.is_empty() {
            true => "the samples have no columns; --labels brings some".to_string(),
            false => format!("there are {}; --labels brings more", samples.column_names().join(", ")),
        };
        let message = format!("--where {condition}: the samples have no column {column:?}; {there}");
        return Err(Error::input(path, message));
    };
    let values = values(value);
    Ok(fields.iter().map(|field| values.contains(&field.trim()) != differs).collect())
}

/// That no sample is left, and what the column holds.
fn none(condition: &str, samples: &Table) -> String {
    let (column, ..) = split(condition).unwrap_or_default();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    samples.column(column).into_iter().flatten().for_each(|field| *counts.entry(field).or_default() += 1);
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let most: Vec<String> = counts.iter().take(8).map(|(value, n)| format!("{value:?} ({n})")).collect();
    let more = if counts.len() > 8 { ", …" } else { "" };
    format!("no sample is left; the column {column} holds {}{more}", most.join(", "))
}
