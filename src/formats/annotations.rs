//! Which columns of delimited text are the row names, which the numbers, and which describe the rows: by what stands in the first
//! rows, and by the names that the field's programs give them.

use std::collections::HashSet;
use std::path::Path;

use rayon::prelude::*;

use super::fields::Words;
use super::header::Head;
use super::known::{
    IDS, MEASURES, STATISTICS, is_about, is_counter, is_index, is_quality, is_unnamed, plain, sample_name,
};
use super::numbers::{missing, number, with_commas};
use crate::error::{Error, Result};

/// What the user says about the columns and rows of a text file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Whether the first line names the columns; by its content where `None`.
    pub header: Option<bool>,
    /// Columns that describe the rows.
    pub annotation_columns: Vec<String>,
    /// Columns of values, whatever they look like.
    pub value_columns: Vec<String>,
    /// Columns to leave out.
    pub drop_columns: Vec<String>,
    /// Rows to leave out, by name.
    pub drop_rows: Vec<String>,
}

/// Formats whose columns and rows can be told what they are: the first three in everything.
const FORMATS: [&str; 7] = ["csv", "tsv", "xlsx", "parquet", "arrow", "gct", "series-matrix"];

impl Told {
    /// The first option that is given and not for files of this format, and the formats that it is for.
    pub(super) fn unfit(&self, format: &str) -> Option<(&'static str, &'static [&'static str])> {
        let columns = !self.annotation_columns.is_empty();
        let header = if self.header == Some(true) { "--header" } else { "--no-header" };
        [
            (header, self.header.is_some(), &FORMATS[..3]),
            ("--value-columns", !self.value_columns.is_empty(), &FORMATS[..5]),
            ("--annotation-columns", columns, &FORMATS[..6]),
            ("--drop-columns", !self.drop_columns.is_empty(), &FORMATS[..6]),
            ("--drop-rows", !self.drop_rows.is_empty(), &FORMATS[..]),
        ]
        .into_iter()
        .find(|(_, given, formats)| *given && !formats.contains(&format))
        .map(|(option, _, formats)| (option, formats))
    }
}

/// Columns of a text file, by their place among its fields.
pub(super) struct Roles {
    /// The row names.
    pub id: usize,
    /// Words about the rows.
    pub words: Vec<usize>,
    /// The values.
    pub numbers: Vec<usize>,
    /// The sample's name where the file is a table of one sample.
    pub sample: Option<String>,
    /// What should be said.
    pub notes: Vec<String>,
}

/// What the first rows hold.
struct Probe<'a> {
    names: Vec<&'a str>,
    rows: &'a [Words],
    /// Of each column whether it holds words.
    text: Vec<bool>,
}

impl<'a> Probe<'a> {
    fn new(names: Vec<&'a str>, rows: &'a [Words]) -> Probe<'a> {
        let mut probe = Probe { names, rows, text: Vec::new() };
        probe.text = (0..probe.names.len()).into_par_iter().map(|column| probe.holds_words(column)).collect();
        probe
    }

    fn fields(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(move |row| row.get(column)).map(String::as_str)
    }

    /// Whether most of the fields that hold anything are no numbers, however numbers are written. One word alone may be a slip,
    /// unless the column is known to hold words.
    fn holds_words(&self, column: usize) -> bool {
        let (mut held, mut words) = (0, 0);
        for field in self.fields(column).filter(|field| !missing(field.as_bytes())) {
            held += 1;
            words += usize::from(number(field.as_bytes()).is_none() && !with_commas(field));
        }
        words * 2 > held && (words > 1 || is_about(self.names[column]))
    }

    /// Whether a column holds words.
    fn is_text(&self, column: usize) -> bool {
        self.text[column]
    }

    /// Whether the fields count the rows, from 0 or from 1.
    fn counts(&self, column: usize) -> bool {
        let first = self.fields(column).next().and_then(|field| field.parse::<usize>().ok());
        let Some(first) = first.filter(|first| *first < 2) else { return false };
        self.rows.len() > 1 && self.fields(column).enumerate().all(|(i, f)| f.parse() == Ok(first + i))
    }

    fn is_distinct(&self, column: usize) -> bool {
        let mut seen = HashSet::new();
        self.fields(column).all(|field| !field.is_empty() && seen.insert(field))
    }

    /// A column of words that can name the rows: one that is called so, or else any where `any`.
    fn names_rows(&self, columns: &[usize], any: bool) -> Option<usize> {
        let fits = |c: &usize| self.is_text(*c) && self.is_distinct(*c);
        let called = |id: &str| columns.iter().copied().filter(fits).find(|c| plain(self.names[*c]) == id);
        let known = IDS.split_whitespace().find_map(called);
        known.or_else(|| columns.iter().copied().find(fits).filter(|_| any))
    }

    /// The row names: the first column, unless it numbers the rows or holds values and another one names them.
    fn id(&self, told: &Told) -> Option<usize> {
        let free = |c: &usize| {
            let is = |names: &[String]| names.iter().any(|name| name == self.names[*c]);
            !is(&told.drop_columns) && !is(&told.annotation_columns) && !is(&told.value_columns)
        };
        let text: Vec<usize> = (1..self.names.len()).filter(free).filter(|c| self.is_text(*c)).collect();
        if !free(&0) {
            return self.names_rows(&text, true);
        }
        let (unnamed, known) = (
            is_unnamed(self.names[0]),
            self.names[0].is_empty() || IDS.split_whitespace().any(|id| id == plain(self.names[0])),
        );
        let other = match self.is_text(0) {
            true if self.is_distinct(0) || known => None,
            true => self.names_rows(&text, false),
            false if unnamed && self.counts(0) => self.names_rows(&text, true),
            false if known || plain(self.names[0]).contains("entrez") => None,
            false => self.names_rows(&text, false),
        };
        other.or(Some(0))
    }
}

/// What is said of columns that are known by their names.
pub(super) const BY_NAME: &str =
    "kept to describe the rows, by their names (--value-columns reads them as values)";
pub(super) const OF_WORDS: &str = "of words, kept to describe the rows";
pub(super) const COUNTS_NO_GENE: &str = "left out because they count reads of no gene";
pub(super) const NO_EXPRESSION: &str =
    "left out because they say how sure a value is, by their names (--value-columns reads them as values)";

/// A note about columns, if there are any.
pub(super) fn said(names: &[&str], what: &str) -> Option<String> {
    (!names.is_empty()).then(|| format!("columns {what}: {}", listed(names)))
}

impl Roles {
    /// The roles of the columns below `head`.
    ///
    /// # Errors
    /// [`Error::Input`] for a name told that no column has, for a table without values, and for one whose columns are no
    /// samples.
    pub fn decide(path: &Path, head: &Head, told: &Told) -> Result<Roles> {
        let names: Vec<&str> =
            std::iter::once(&head.corner).chain(&head.columns).map(String::as_str).collect();
        let probe = Probe::new(names, &head.rows);
        check_names(path, &probe.names, told)?;
        let Some(id) = probe.id(told) else {
            let message =
                "no column is left to name the rows; leave one of words that differ from row to row";
            return Err(Error::input(path, message));
        };
        let fractions = probe.fields(id).filter(|f| f.contains('.') && number(f.as_bytes()).is_some());
        if told.header.is_none() && fractions.count() * 2 > head.rows.len() {
            let example = probe.fields(id).next().unwrap_or_default();
            let message = format!(
                "the column that should name the rows holds numbers such as {example}; put a name before each row, or save a \
                 matrix without names as .npy; if these are the names, say so by --header or --no-header"
            );
            return Err(Error::input(path, message));
        }
        let mut roles = Roles { id, words: Vec::new(), numbers: Vec::new(), sample: None, notes: Vec::new() };
        roles.sort(&probe, told, head.made_up);
        if !head.made_up {
            roles.one_sample(path, &probe, told)?;
        }
        if roles.numbers.is_empty() {
            return Err(Error::input(path, no_values(&probe, id)));
        }
        Ok(roles)
    }

    fn sort(&mut self, probe: &Probe, told: &Told, made_up: bool) {
        let (mut known, mut left) = (Vec::new(), Vec::new());
        let (mut counters, mut quality) = (Vec::new(), Vec::new());
        let sets = [&told.drop_columns, &told.value_columns, &told.annotation_columns]
            .map(|names| names.iter().map(String::as_str).collect::<HashSet<&str>>());
        for column in (0..probe.names.len()).filter(|c| *c != self.id) {
            let name = probe.names[column];
            let suspected = || !made_up && is_about(name);
            let unnamed = || !made_up && (column == 0 && is_unnamed(name) || is_index(name));
            // Before the names stand ranks and row numbers, whatever they are called; two values may be any.
            let before = || !made_up && column < self.id && probe.rows.len() > 2;
            if sets[0].contains(name) {
            } else if sets[1].contains(name) {
                self.numbers.push(column);
            } else if sets[2].contains(name) || probe.is_text(column) {
                self.words.push(column);
            } else if is_counter(name) {
                counters.push(name);
            } else if !made_up && is_quality(name) {
                quality.push(name);
            } else if (unnamed() || before()) && probe.counts(column) {
                left.push(name);
            } else if suspected() || unnamed() {
                self.words.push(column);
                known.push(name);
            } else {
                self.numbers.push(column);
            }
        }
        let parts = [
            (&known[..], BY_NAME),
            (&left, "left out because they only number the rows"),
            (&counters, COUNTS_NO_GENE),
            (&quality, NO_EXPRESSION),
        ];
        self.tell(probe, &parts, told);
    }

    /// Notes of which columns are what, the first of `parts` being those known by their names.
    fn tell(&mut self, probe: &Probe, parts: &[(&[&str], &str); 4], told: &Told) {
        if self.id != 0 {
            let (name, at) = (probe.names[self.id], self.id + 1);
            self.notes.push(format!("the rows are named by column {at} ({name:?}), not by the first one"));
        }
        let is_told = |name: &str| told.annotation_columns.iter().any(|other| other == name);
        let words: Vec<&str> = self
            .words
            .iter()
            .map(|c| probe.names[*c])
            .filter(|n| !parts[0].0.contains(n) && !is_told(n))
            .collect();
        let words = (&words[..], OF_WORDS);
        self.notes.extend([&words].into_iter().chain(parts).filter_map(|(names, what)| said(names, what)));
    }

    /// Settles tables of one sample, whose columns are what a program measured in it; refuses those of no sample.
    fn one_sample(&mut self, path: &Path, probe: &Probe, told: &Told) -> Result<()> {
        let names: Vec<String> = self.numbers.iter().map(|c| plain(probe.names[*c])).collect();
        let all = |known: &HashSet<&str>| {
            !names.is_empty() && names.iter().all(|name| known.contains(name.as_str()))
        };
        let headers = |columns: &[usize]| columns.iter().map(|c| probe.names[*c]).collect::<Vec<_>>();
        if names.len() > 1 && all(&STATISTICS) && told.value_columns.is_empty() {
            let message = format!(
                "holds statistics of genes and no values of samples (columns {}); import the matrix that they were computed \
                 from",
                listed(&headers(&self.numbers))
            );
            return Err(Error::input(path, message));
        }
        if !all(&MEASURES) {
            return Ok(());
        }
        let wanted = |c: &usize| told.value_columns.iter().any(|name| name == probe.names[*c]);
        if self.numbers.iter().any(wanted) {
            self.numbers.retain(wanted);
        }
        if self.numbers.len() > 1 {
            let columns = headers(&self.numbers);
            let message = format!(
                "is a table of one sample whose columns {} measure it in several ways; tell which one to read, such as \
                 --value-columns {}",
                listed(&columns),
                columns[0]
            );
            return Err(Error::input(path, message));
        }
        let (sample, column) = (sample_name(path), headers(&self.numbers)[0]);
        self.notes.push(format!(
            "column {column:?} is no sample's name; the sample is named {sample:?} after the file"
        ));
        self.sample = Some(sample);
        Ok(())
    }
}

/// Refuses names that no column has, and columns that are told to be two things.
pub(super) fn check_names(path: &Path, names: &[&str], told: &Told) -> Result<()> {
    let there: HashSet<&str> = names.iter().copied().collect();
    let lists = [
        ("--annotation-columns", &told.annotation_columns),
        ("--value-columns", &told.value_columns),
        ("--drop-columns", &told.drop_columns),
    ];
    let mut seen = HashSet::new();
    for (option, name) in lists.iter().flat_map(|(option, list)| list.iter().map(move |name| (option, name)))
    {
        if !there.contains(name.as_str()) {
            let message = format!("{option}: it has no column {name:?}; its columns are {}", listed(names));
            return Err(Error::input(path, message));
        }
        if !seen.insert(name) {
            return Err(Error::Usage(format!(
                "{option}: column {name:?} is named twice among the columns' options"
            )));
        }
    }
    Ok(())
}

/// Why there are no values: the first word where one was expected.
fn no_values(probe: &Probe, id: usize) -> String {
    let column = (0..probe.names.len()).find(|c| *c != id && probe.is_text(*c));
    let field =
        column.and_then(|c| probe.fields(c).find(|field| number(field.as_bytes()).is_none()).map(|f| (c, f)));
    match field {
        Some((column, field)) => format!(
            "no column holds numbers: row 1, column {} ({:?}): {field:?} is not a number",
            column + 1,
            probe.names[column]
        ),
        None => "no column of values is left".into(),
    }
}

/// Some names for a message.
pub(super) fn listed(names: &[&str]) -> String {
    let more = if names.len() > 8 { ", …" } else { "" };
    names.iter().take(8).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ") + more
}
