//! Handing out a slice of a file's rows and columns: by the reader where it can, else what it hands out is thinned.

use std::path::Path;

use super::{Blocks, MatrixFile, ReadSettings};
use crate::error::Result;
use crate::genes::Table;

/// How a reader takes [`Blocks::pick`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picking {
    /// Not at all: it hands out everything.
    Not,
    /// The file is read from end to end, but only what is asked for becomes numbers.
    Passing,
    /// Only those bytes of the file are read that hold what is asked for.
    Seeking,
}

/// Lets `file` hand out only these rows and columns (ascending places; all where `None`), whatever its reader can do, and
/// cuts its names accordingly.
pub(super) fn pick(
    file: &mut MatrixFile,
    rows: &Table,
    some: Option<&[usize]>,
    columns: Option<&[usize]>,
) -> Result<Picking> {
    let picking = file.blocks.pick(some, columns)?;
    if picking == Picking::Not {
        let all = std::mem::replace(&mut file.blocks, Box::new(super::Nothing));
        let (rows, columns) = (some.map(<[usize]>::to_vec), columns.map(<[usize]>::to_vec));
        file.blocks = Box::new(Thinned { all, rows, columns, width: file.columns.len(), seen: 0, next: 0 });
    }
    file.rows = Some(some.map_or_else(|| rows.clone(), |some| rows.select(some)));
    if let Some(columns) = columns {
        file.columns = file.columns.select(columns);
    }
    Ok(picking)
}

/// The names of all rows, and the columns about them, of a file that tells them row by row; its numbers are passed over.
pub(super) fn row_names(path: &Path, settings: &ReadSettings) -> Result<Table> {
    let mut file = super::open(path, settings)?;
    file.digest = None; // taken when the values are read
    file.blocks.pick(None, Some(&[]))?;
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    while file.blocks.next(&mut ids, &mut values)? {
        values.clear();
    }
    let mut rows = Table::new("", ids);
    rows.columns.extend(file.blocks.row_columns());
    Ok(rows)
}

/// Rows and columns taken out of blocks that hold all of them.
struct Thinned {
    all: Box<dyn Blocks>,
    rows: Option<Vec<usize>>,
    columns: Option<Vec<usize>>,
    /// Columns of the file.
    width: usize,
    /// Rows of the file seen.
    seen: usize,
    /// The next of the rows that are wanted.
    next: usize,
}

impl Thinned {
    fn wants(&mut self, row: usize) -> bool {
        let Some(rows) = &self.rows else { return true };
        let wanted = rows.get(self.next) == Some(&row);
        self.next += usize::from(wanted);
        wanted
    }
}

impl Blocks for Thinned {
    fn next(&mut self, ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        if self.rows.as_ref().is_some_and(|rows| self.next == rows.len()) {
            return Ok(false); // the rest of the file is of no concern
        }
        let mut block = Vec::new();
        let more = self.all.next(ids, &mut block)?;
        for row in block.chunks_exact(self.width) {
            let at = self.seen;
            self.seen += 1;
            if self.wants(at) {
                match &self.columns {
                    Some(columns) => values.extend(columns.iter().map(|column| row[*column])),
                    None => values.extend_from_slice(row),
                }
            }
        }
        Ok(more)
    }

    fn done(&self) -> f64 {
        self.all.done()
    }

    fn notes(&mut self) -> Result<Vec<String>> {
        self.all.notes()
    }
}
