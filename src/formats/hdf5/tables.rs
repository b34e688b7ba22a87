//! Names out of groups of columns, and the file that they and the values make.

use std::path::Path;

use hdf5_pure::Group;

use super::{Column, column, damaged};
use crate::error::{Error, Result};
use crate::formats::{Blocks, MatrixFile, Orientation};
use crate::genes::Table;

/// The columns in `group`, called `name` in messages; the ids are the first of `ids` that is there and names everything
/// differently, else the first that is there.
///
/// # Errors
/// [`Error::Input`] where none of `ids` holds `n` names.
pub(crate) fn attributes(
    path: &Path,
    group: &Group,
    name: &str,
    ids: &[&str],
    n: usize,
    warnings: &mut Vec<String>,
) -> Result<Table> {
    let datasets = group.datasets().map_err(|e| damaged(path, &format!("group {name}: {e}")))?;
    let read = |column_name: &String| -> Result<(String, Column)> {
        let dataset = group.dataset(column_name);
        let dataset = dataset.map_err(|e| damaged(path, &format!("{name}/{column_name}: {e}")))?;
        Ok((column_name.clone(), column(path, &dataset, Some(n))?))
    };
    // What begins with an underscore is 10x's own bookkeeping.
    let columns =
        datasets.iter().filter(|name| !name.starts_with('_')).map(read).collect::<Result<Vec<_>>>()?;
    let tables: Vec<Table> = ids
        .iter()
        .filter_map(|id| {
            let (name, fields) = columns.iter().find(|(name, _)| name == id)?;
            Some(Table::new(name, fields.clone()?))
        })
        .collect();
    let different = |table: &&Table| table.duplicate().is_none() && table.ids.iter().all(|id| !id.is_empty());
    let Some(mut table) = tables.iter().find(different).or(tables.first()).cloned() else {
        let message =
            format!("{name} has no column of {n} names called {}; it holds {datasets:?}", ids.join(", "));
        return Err(Error::input(path, message));
    };
    for (column, fields) in columns {
        match fields {
            Some(_) if column == table.key => {}
            Some(fields) => table.set_column(&column, fields),
            None => warnings.push(left_out(path, &format!("{name}/{column}"), n)),
        }
    }
    Ok(table)
}

/// The group `name`, which must be there.
///
/// # Errors
/// [`Error::Input`].
pub(crate) fn group(path: &Path, file: &Group, name: &str) -> Result<Group> {
    file.group(name).map_err(|e| Error::input(path, format!("group {name} is missing ({e})")))
}

/// The warning about a column that has no plain form.
pub(crate) fn left_out(path: &Path, column: &str, n: usize) -> String {
    format!("{}: {column} is left out: not {n} plain values", path.display())
}

/// What is known of a matrix whose sides are named.
pub(crate) struct Named {
    /// The format's name.
    pub format: &'static str,
    /// How the format defines its matrix.
    pub natural: Orientation,
    pub samples: Table,
    pub genes: Table,
    /// Whether the rows of the blocks are samples.
    pub rows_are_samples: bool,
    pub sentinel: Option<f32>,
    pub warnings: Vec<String>,
}

impl Named {
    /// The file that these names and `blocks` make.
    pub fn with(self, blocks: impl Blocks + 'static) -> MatrixFile {
        let Named { format, natural, samples, genes, rows_are_samples, sentinel, warnings } = self;
        let (rows, columns) = if rows_are_samples { (samples, genes) } else { (genes, samples) };
        MatrixFile {
            natural: Some(natural),
            transposed: rows_are_samples != (natural == Orientation::SamplesByGenes),
            sentinel,
            warnings,
            ..MatrixFile::new(format, columns, Some(rows), Box::new(blocks))
        }
    }
}
