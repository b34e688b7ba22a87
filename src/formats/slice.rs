//! A slice of a matrix file: samples and genes by name, samples by what their columns say. Which rows and columns of the
//! file that is, and what of it was not found.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::store::{InputFile, Table};

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
    names: Vec<String>,
    /// Names that were found in some file.
    found: HashSet<String>,
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
    pub fn read(slice: &Slice) -> Result<Wanted> {
        if let Some(text) = slice.conditions.iter().find(|text| split(text).is_none()) {
            let message =
                format!("--where {text}: a column, = or !=, and a value are needed, such as tissue=liver");
            return Err(Error::Usage(message));
        }
        let list = |path: &Option<PathBuf>, option| path.as_deref().map(|path| List::read(path, option));
        let mut inputs = Vec::new();
        for (path, format) in [(&slice.samples, "sample list"), (&slice.genes, "gene list")] {
            // The bundled panel is no file.
            if let Some(path) = path.as_deref().filter(|path| path.exists()) {
                inputs.push(InputFile::of(path, format)?);
            }
        }
        Ok(Wanted {
            samples: list(&slice.samples, "--only-samples").transpose()?,
            genes: list(&slice.genes, "--only-genes").transpose()?,
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
    fn read(path: &Path, option: &'static str) -> Result<List> {
        let names = read_names(path)?;
        let name = path.display().to_string();
        Ok(List { option, name, names, found: HashSet::new() })
    }

    fn missing(&self) -> Vec<String> {
        self.names.iter().filter(|name| !self.found.contains(*name)).cloned().collect()
    }

    /// The rows of `table` that the list names: by the exact id, and what is left by other names.
    fn find(&mut self, path: &Path, table: &Table, words: &mut Vec<String>) -> Result<Vec<usize>> {
        let what = if self.option == "--only-genes" { "genes" } else { "samples" };
        let mut keep = vec![false; table.len()];
        let mut by = Vec::new();
        for (kind, names) in kinds(table, what == "genes") {
            let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
            names.iter().enumerate().filter(|(_, name)| !name.is_empty()).for_each(|(row, name)| {
                places.entry(name).or_default().push(row);
            });
            let here: Vec<&String> =
                self.names.iter().filter(|name| places.contains_key(name.as_str())).collect();
            let here: Vec<&String> = match kind {
                "id" => here,
                // A name that is an id of this file is that row and no other.
                _ => here.into_iter().filter(|name| !table_has(&by, name)).collect(),
            };
            here.iter().flat_map(|name| &places[name.as_str()]).for_each(|row| keep[*row] = true);
            by.push((kind, here.into_iter().cloned().collect::<HashSet<String>>()));
        }
        let rows: Vec<usize> = (0..table.len()).filter(|row| keep[*row]).collect();
        let found: usize = by.iter().map(|(_, names)| names.len()).sum();
        let how: Vec<String> = by
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| format!("{} by {kind}", names.len()))
            .collect();
        if rows.is_empty() {
            let first = |ids: &[String]| ids.first().cloned().unwrap_or_default();
            let message = format!(
                "none of the {} names of {} {} (such as {:?}) is among its {} {what} (such as {:?})",
                self.names.len(),
                self.option,
                self.name,
                first(&self.names),
                table.len(),
                first(&table.ids)
            );
            return Err(Error::input(path, message));
        }
        words.push(format!(
            "{} of {} {what} ({found} of {} names of {} found: {})",
            rows.len(),
            table.len(),
            self.names.len(),
            self.name,
            how.join(", ")
        ));
        self.found.extend(by.into_iter().flat_map(|(_, names)| names));
        Ok(rows)
    }
}

fn table_has(by: &[(&str, HashSet<String>)], name: &str) -> bool {
    by.iter().any(|(_, names)| names.contains(name))
}

/// What rows are called, the surest first.
fn kinds(table: &Table, genes: bool) -> Vec<(&'static str, Vec<String>)> {
    let mut kinds = vec![("id", table.ids.clone())];
    if genes {
        if table.ids.iter().any(|id| id.starts_with("ENS") && id.contains('.')) {
            let plain = |id: &String| id.split('.').next().unwrap_or_default().to_string();
            kinds.push(("id without version", table.ids.iter().map(plain).collect()));
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

/// The names of a list.
fn read_names(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "reading"))?;
    let names = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect();
    Ok(names)
}
