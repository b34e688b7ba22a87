//! The names of one side of a matrix in a table of their own: 10x's `features.tsv` and `barcodes.tsv`, kb-python's `genes.txt`,
//! `--genes`, `--samples`. Such files have a header or none. Here the matrix tells: it has as many lines as the table has rows.

use std::path::Path;

use super::orientation::Rows;
use crate::error::{Error, Result};
use crate::genes::{Column, Sheet, Table, Untold};
use crate::progress::{Event, Reporter};

/// A table beside a matrix.
pub(super) struct Side {
    sheet: Sheet,
}

/// What 10x writes behind a feature's id.
const FEATURES: [&str; 5] = ["symbol", "feature_type", "chromosome", "start", "end"];

impl Side {
    pub fn read(path: &Path) -> Result<Side> {
        Ok(Side { sheet: Sheet::read(path, Untold::Row)? })
    }

    /// Rows by the reader's count; the matrix may know better whether the first line is a header.
    pub fn len(&self) -> usize {
        self.sheet.len()
    }

    /// The columns as names for `n` lines of the matrix; `None` where there are more or fewer.
    fn columns(&self, n: usize) -> Option<Vec<Column>> {
        let mut columns = self.sheet.columns.clone();
        if self.sheet.len() == n {
            return Some(columns);
        }
        let header = self.sheet.header;
        let all_named = columns.iter().all(|column| !column.name.is_empty());
        let known = columns.iter().any(|c| c.names_genes() || c.names_samples());
        if header && !known && all_named && self.sheet.len() + 1 == n {
            columns.iter_mut().for_each(|column| column.fields.insert(0, std::mem::take(&mut column.name)));
            return Some(columns);
        }
        if !header && self.sheet.len() == n + 1 {
            columns.iter_mut().for_each(|column| column.name = column.fields.remove(0));
            return Some(columns);
        }
        None
    }

    /// Whether these are names for `n` lines.
    pub fn fits(&self, n: usize) -> bool {
        let len = self.sheet.len();
        len == n || (len.abs_diff(n) == 1 && self.columns(n).is_some())
    }

    /// The names of `n` genes or samples: the ids, and what describes them.
    pub fn table(&self, side: Rows, n: usize) -> Option<Table> {
        let mut columns = self.columns(n)?;
        let header = columns.iter().any(|column| !column.name.is_empty());
        columns.iter_mut().enumerate().filter(|(_, c)| c.name.is_empty()).for_each(|(at, column)| {
            let feature = at.checked_sub(1).and_then(|at| FEATURES.get(at)).filter(|_| side == Rows::Genes);
            column.name = feature.map_or_else(|| format!("column_{}", at + 1), |name| name.to_string());
        });
        let known = |column: &Column| match side {
            _ if !header => !column.counts(), // ids come first
            Rows::Genes => column.names_genes(),
            Rows::Samples => column.names_samples(),
        };
        let named = Sheet { columns, ..self.sheet.clone() };
        let at = named.names_column(known)?;
        let mut columns = named.columns;
        let ids = columns.remove(at);
        let mut table = Table::new(&ids.name, ids.fields);
        // A column that only counts the rows says nothing of them.
        columns.retain(|column| !column.counts());
        table.columns = columns.into_iter().map(|column| (column.name, column.fields)).collect();
        Some(table)
    }

    /// What has to be said of the reading.
    pub fn notes(&self) -> &[String] {
        &self.sheet.notes
    }
}

/// The table at `path` for the `n` genes or samples of `matrix`.
///
/// # Errors
/// A table of another length; everything that the reader refuses.
pub(super) fn given(path: &Path, side: Rows, n: usize, matrix: &Path, report: Reporter) -> Result<Table> {
    let given = Side::read(path)?;
    given.notes().iter().for_each(|note| report(Event::Note(note.clone())));
    given.table(side, n).ok_or_else(|| {
        let (rows, key) = (given.len(), if side == Rows::Genes { "genes" } else { "samples" });
        Error::input(path, format!("has {rows} rows for the {n} {key} of {}", matrix.display()))
    })
}
