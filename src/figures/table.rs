//! The tables that figures are made of: columns by name, numbers that may be missing.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::genes::reader::{Column, Sheet, Untold};

/// A description that genelift wrote.
///
/// # Errors
/// What cannot be read; [`Error::Input`] for one that is damaged.
pub(super) fn json(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).map_err(Error::io(path, "reading"))?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::input(path, format!("is damaged ({error}); make it anew")))
}

/// A table that genelift wrote, or that has its columns.
pub(super) struct Table {
    path: PathBuf,
    columns: Vec<Column>,
    /// Of each row, from 1.
    lines: Vec<u64>,
}

impl Table {
    /// Reads it: what has a description beside it is checked against that; what lies between tabs is taken as genelift writes it,
    /// whatever is in its names; anything else as people keep tables.
    ///
    /// # Errors
    /// As [`Sheet::read`]; [`Error::Data`] for a table without a row.
    pub fn read(path: &Path) -> Result<Table> {
        let mut described = path.as_os_str().to_owned();
        described.push(".json");
        let raw = std::fs::read(path).map_err(Error::io(path, "reading"))?;
        let tabs = raw.iter().take_while(|byte| **byte != b'\n').any(|byte| *byte == b'\t');
        let Sheet { path, columns, lines, .. } = match tabs && !Path::new(&described).exists() {
            true => Sheet::exact(path, &raw)?,
            false => Sheet::read(path, Untold::Header)?,
        };
        Table { path, columns, lines }.filled()
    }

    /// Of a long table the named columns, and `symbol` where there is one, of the rows that are kept by their fields in these columns:
    /// a comparison has a row for every gene of every random draw.
    ///
    /// # Errors
    /// What cannot be read; [`Error::Input`] for a missing column and a row of another length; [`Error::Data`] where no row is kept.
    pub fn rows(path: &Path, names: &[&str], keep: impl Fn(&[&str]) -> bool) -> Result<Table> {
        let failed = |e: csv::Error| Error::input(path, format!("is damaged ({e}); make it anew"));
        let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_path(path).map_err(failed)?;
        let header = reader.headers().map_err(failed)?.clone();
        let place = |name: &str| header.iter().position(|h| h == name);
        let missing = |name: &str| Error::input(path, format!("has no column \"{name}\"; make it anew"));
        let mut places =
            names.iter().map(|name| place(name).ok_or_else(|| missing(name))).collect::<Result<Vec<_>>>()?;
        places.extend(place("symbol"));
        let column = |place: &usize| Column { name: header[*place].into(), fields: Vec::new() };
        let mut table =
            Table { path: path.into(), columns: places.iter().map(column).collect(), lines: Vec::new() };
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(failed)? {
            let fields: Vec<&str> = places.iter().map(|place| &record[*place]).collect();
            if keep(&fields) {
                table.lines.push(record.position().map_or(0, |position| position.line()));
                table
                    .columns
                    .iter_mut()
                    .zip(fields)
                    .for_each(|(column, field)| column.fields.push(field.into()));
            }
        }
        table.filled()
    }

    /// Why a table that is well formed has no figure.
    pub fn nothing(&self, what: &str) -> Error {
        Error::Data(format!("{}: has {what}, so there is nothing to draw", self.path.display()))
    }

    fn filled(self) -> Result<Table> {
        match self.lines.is_empty() {
            true => Err(self.nothing("no row")),
            false => Ok(self),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether it has all of these columns.
    pub fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.column(name).is_some())
    }

    /// The columns' names.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// A column as it stands.
    ///
    /// # Errors
    /// [`Error::Input`] naming the column that is missing, and those there are.
    pub fn texts(&self, name: &str) -> Result<&[String]> {
        let column = self.column(name).map(|column| column.fields.as_slice());
        column.ok_or_else(|| {
            let found = self.names().join(", ");
            Error::input(self.path(), format!("has no column \"{name}\"; found {found}"))
        })
    }

    /// A column of numbers; what is missing (`NA`, blank, infinite) is NaN.
    ///
    /// # Errors
    /// As [`Table::texts`]; [`Error::Input`] for a field that is no number, with its line.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let of = |(field, line): (&String, &u64)| {
            number(field).ok_or_else(|| {
                let message =
                    format!("line {line}, column \"{name}\": {field:?} is no number; make the table anew");
                Error::input(self.path(), message)
            })
        };
        self.texts(name)?.iter().zip(&self.lines).map(of).collect()
    }

    /// What a gene is called: its symbol where there is one, else its id.
    ///
    /// # Errors
    /// As [`Table::texts`].
    pub fn genes(&self) -> Result<Vec<String>> {
        self.called("gene_id", "symbol")
    }

    /// As [`Table::genes`], of other columns of ids and symbols.
    ///
    /// # Errors
    /// As [`Table::texts`].
    pub fn called(&self, id: &str, symbol: &str) -> Result<Vec<String>> {
        let ids = self.texts(id)?;
        let Ok(symbols) = self.texts(symbol) else { return Ok(ids.to_vec()) };
        let either =
            |(id, symbol): (&String, &String)| if symbol.is_empty() { id.clone() } else { symbol.clone() };
        Ok(ids.iter().zip(symbols).map(either).collect())
    }
}

fn number(field: &str) -> Option<f64> {
    match field {
        "" | "NA" | "NaN" | "nan" => Some(f64::NAN),
        text => text.parse::<f64>().ok().map(|x| if x.is_finite() { x } else { f64::NAN }),
    }
}
