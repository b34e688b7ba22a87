//! A slice of a matrix file: samples and genes by name, samples by what their columns say. Which rows and columns of the
//! file that is, and what of it was not found.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::genes::kind::is_blank;
use crate::genes::{Ambiguous, Column, GeneList, Missing, Report, Sheet, Side, Table, Untold};
use crate::progress::{Event, Reporter};
use crate::store::InputFile;

/// What to import of a file that holds more. Nothing named is everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slice {
    /// A list of sample ids.
    pub samples: Option<PathBuf>,
    /// A list of genes, as [`GeneList::open`] reads it, or the bundled panel `l1000`; every probe of a symbol is taken.
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
    samples: Option<Samples>,
    genes: Option<Genes>,
    conditions: Vec<String>,
    /// The lists, as inputs of the store.
    pub inputs: Vec<InputFile>,
}

/// A list of sample ids.
struct Samples {
    name: String,
    /// Columns that may hold them.
    columns: Vec<Vec<String>>,
    /// Which of its rows were found in some file.
    found: Vec<bool>,
}

/// A list of genes.
struct Genes {
    list: GeneList,
    /// Those that no file had so far; `None` before the first file.
    missing: Option<Vec<Missing>>,
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
        let mut inputs = Vec::new();
        for (path, format) in [(&slice.samples, "sample list"), (&slice.genes, "gene list")] {
            // The bundled panel is no file.
            if let Some(path) = path.as_deref().filter(|path| path.exists()) {
                inputs.push(InputFile::of(path, format)?);
            }
        }
        Ok(Wanted {
            samples: slice.samples.as_deref().map(|path| Samples::read(path, report)).transpose()?,
            genes: slice.genes.as_deref().map(|path| Genes::read(path, report)).transpose()?,
            conditions: slice.conditions.clone(),
            inputs,
        })
    }

    /// What is wanted of a file of these samples and genes.
    ///
    /// # Errors
    /// [`Error::Input`] where nothing is left, and for a condition on a column that the samples do not have; those of
    /// [`GeneList::find`].
    pub fn of(&mut self, path: &Path, samples: &Table, genes: &Side) -> Result<Taken> {
        let mut words = Vec::new();
        let mut keep = self.samples.as_mut().map(|list| list.find(path, samples, &mut words)).transpose()?;
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
        let genes = self.genes.as_mut().map(|list| list.find(genes, &mut words)).transpose()?;
        Ok(Taken { samples: keep, genes, words: words.join("; ") })
    }

    /// Of each list, the names that no file has.
    pub fn missing(&self) -> Vec<(String, Vec<Missing>)> {
        let plain = |id: &String| Missing::of(id, None);
        let samples = self.samples.iter().map(|list| {
            (format!("--only-samples {}", list.name), list.missing().map(plain).collect::<Vec<_>>())
        });
        let genes = self.genes.iter().map(|genes| {
            (format!("--only-genes {}", genes.list.name), genes.missing.clone().unwrap_or_default())
        });
        samples.chain(genes).collect()
    }
}

impl Samples {
    fn read(path: &Path, report: Reporter) -> Result<Samples> {
        let sheet = Sheet::read(path, Untold::Row)?;
        sheet.notes.iter().for_each(|note| report(Event::Note(note.clone())));
        let known = (0..sheet.columns.len()).filter(|c| sheet.columns[*c].names_samples());
        let mut taken: Vec<usize> = known.collect();
        if taken.is_empty() {
            taken.extend(sheet.names_column(Column::names_samples));
        }
        let columns: Vec<Vec<String>> = taken.iter().map(|c| sheet.columns[*c].fields.clone()).collect();
        if columns.iter().flatten().all(|id| is_blank(id)) {
            let message = "names nothing; one name a line is needed, or a table with a header";
            return Err(Error::input(path, message));
        }
        Ok(Samples { name: path.display().to_string(), columns, found: vec![false; sheet.len()] })
    }

    /// The samples that the list names by their exact ids, in the column of which most are there.
    fn find(&mut self, path: &Path, table: &Table, words: &mut Vec<String>) -> Result<Vec<usize>> {
        let there: HashSet<&str> = table.ids.iter().map(String::as_str).collect();
        let count = |column: &&Vec<String>| column.iter().filter(|id| there.contains(id.as_str())).count();
        let best = self.columns.iter().rev().max_by_key(count).map_or(&[][..], Vec::as_slice);
        let wanted: HashSet<&str> = best.iter().map(String::as_str).collect();
        let rows: Vec<usize> =
            (0..table.len()).filter(|row| wanted.contains(table.ids[*row].as_str())).collect();
        if rows.is_empty() {
            return Err(self.nothing(path, table));
        }
        self.found.iter_mut().zip(best).for_each(|(found, id)| *found |= there.contains(id.as_str()));
        let (taken, all, name) = (rows.len(), table.len(), &self.name);
        words.push(format!("{taken} of {all} samples ({name}: {taken} of {} names found)", self.found.len()));
        Ok(rows)
    }

    /// What was not found, as the list calls it.
    fn missing(&self) -> impl Iterator<Item = &String> {
        let rows = (0..self.found.len()).filter(|row| !self.found[*row]);
        rows.filter_map(|row| self.columns.iter().map(|column| &column[row]).find(|id| !is_blank(id)))
    }

    fn nothing(&self, path: &Path, table: &Table) -> Error {
        let message = format!(
            "none of the {} names of --only-samples {} (such as {:?}) is among its {} samples (such as {:?})",
            self.found.len(),
            self.name,
            self.missing().next().map_or("", String::as_str),
            table.len(),
            table.ids.first().map_or("", String::as_str)
        );
        Error::input(path, message)
    }
}

impl Genes {
    fn read(path: &Path, report: Reporter) -> Result<Genes> {
        let list = GeneList::open(path)?;
        list.notes.iter().for_each(|note| report(Event::Note(note.clone())));
        Ok(Genes { list, missing: None })
    }

    /// The genes that the list names, ascending. A slice is no panel: every probe of a symbol is taken.
    fn find(&mut self, side: &Side, words: &mut Vec<String>) -> Result<Vec<usize>> {
        let (found, report) = self.list.find(side, None, Ambiguous::All);
        let rows = found?.rows();
        words.push(format!(
            "{} of {} genes ({}: {})",
            rows.len(),
            side.genes.len(),
            report.list,
            report.line()
        ));
        words.extend(report.notes.iter().cloned());
        self.keep_missing(report);
        Ok(rows)
    }

    /// What neither this file nor one before it has.
    fn keep_missing(&mut self, report: Report) {
        let here: HashSet<&str> = report.missing.iter().map(|missing| missing.name.as_str()).collect();
        match &mut self.missing {
            Some(missing) => missing.retain(|missing| here.contains(missing.name.as_str())),
            none => *none = Some(report.missing),
        }
    }
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
