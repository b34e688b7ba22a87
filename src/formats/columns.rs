//! What formats that lie by column share: one row a sample, columns of numbers are genes; the first column of text (or the
//! index that pandas wrote) holds the sample ids, further ones describe samples. Values are read gene by gene.

use std::path::{Path, PathBuf};

use super::{Blocks, MatrixFile, Orientation, Picking, ReadSettings};
use crate::error::{Error, Result};
use crate::store::Table;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    /// Dates, decimals, lists and the like.
    Other,
}

/// A file that is read column by column.
pub(super) trait Columnar {
    /// Appends a column of [`Kind::Number`]; what is missing is NaN.
    fn numbers(&mut self, column: usize, out: &mut Vec<f32>) -> Result<()>;

    /// A column of [`Kind::Text`]; what is missing is empty.
    fn texts(&mut self, column: usize) -> Result<Vec<String>>;
}

/// The matrix in `source`, whose columns have these names and kinds, in `rows` rows.
pub(super) fn file(
    format: &str,
    path: &Path,
    columns: &[(String, Kind)],
    rows: usize,
    source: impl Columnar + 'static,
    settings: &ReadSettings,
) -> Result<MatrixFile> {
    let of = |kind: Kind| -> Vec<usize> { (0..columns.len()).filter(|c| columns[*c].1 == kind).collect() };
    let (mut numbers, texts, others) = (of(Kind::Number), of(Kind::Text), of(Kind::Other));
    let name = |column: usize| columns[column].0.as_str();
    let mut warnings = Vec::new();
    if let Some(first) = others.first() {
        let (path, n, name) = (path.display(), others.len(), name(*first));
        warnings.push(format!(
            "{path}: {n} columns are left out: neither numbers nor text (the first is {name:?})"
        ));
    }
    let index = |c: &&usize| name(**c).starts_with("__index_level_");
    let id =
        texts.iter().find(index).or(texts.first()).copied().or_else(|| numbers.iter().find(index).copied());
    numbers.retain(|c| Some(*c) != id);
    if numbers.is_empty() || rows == 0 {
        return Err(Error::input(path, "the matrix is empty: it has no rows or no columns of numbers"));
    }
    let names = columns.iter().map(|(name, _)| name.clone()).collect();
    let mut reader = Reader { path: path.to_path_buf(), source, names, rows };
    let mut samples = match id {
        Some(id) if columns[id].1 == Kind::Text => Table::new(name(id), reader.texts(id)?),
        Some(id) => {
            let mut ids = Vec::new();
            reader.numbers(id, &mut ids)?;
            Table::new(name(id), ids.iter().map(f32::to_string).collect())
        }
        None => {
            // Names are made for as many rows as there are values, not for as many as a header claims.
            reader.numbers(numbers[0], &mut Vec::new())?;
            let path = path.display();
            warnings.push(format!("{path}: no column of text holds sample ids; samples are numbered"));
            Table::numbered("sample_id", "sample", rows)
        }
    };
    for column in texts.into_iter().filter(|c| Some(*c) != id) {
        let fields = reader.texts(column)?;
        samples.columns.push((name(column).to_string(), fields));
    }
    let genes = Table::new("gene_id", numbers.iter().map(|c| name(*c).to_string()).collect());
    let step = (settings.memory / 16 / size_of::<f32>() / rows).max(1);
    let blocks = Genes { reader, columns: numbers, places: None, next: 0, step };
    Ok(MatrixFile {
        natural: Some(Orientation::SamplesByGenes),
        transposed: true,
        warnings,
        ..MatrixFile::new(format, samples, Some(genes), Box::new(blocks))
    })
}

/// A source whose columns must have as many values as there are rows.
struct Reader<S> {
    path: PathBuf,
    source: S,
    names: Vec<String>,
    rows: usize,
}

impl<S: Columnar> Reader<S> {
    fn numbers(&mut self, column: usize, out: &mut Vec<f32>) -> Result<()> {
        let before = out.len();
        self.source.numbers(column, out)?;
        self.check(column, out.len() - before)
    }

    fn texts(&mut self, column: usize) -> Result<Vec<String>> {
        let fields = self.source.texts(column)?;
        self.check(column, fields.len()).map(|()| fields)
    }

    fn check(&self, column: usize, n: usize) -> Result<()> {
        let (name, rows) = (&self.names[column], self.rows);
        let message =
            || format!("column {name:?} has {n} of {rows} values; the file may be damaged, copy it again");
        if n == rows { Ok(()) } else { Err(Error::input(&self.path, message())) }
    }
}

/// The columns that are genes.
struct Genes<S> {
    reader: Reader<S>,
    columns: Vec<usize>,
    /// The values of a column that are wanted, where not all are.
    places: Option<Vec<usize>>,
    next: usize,
    step: usize,
}

impl<S: Columnar> Blocks for Genes<S> {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        let last = (self.next + self.step).min(self.columns.len());
        for column in &self.columns[self.next..last] {
            let start = values.len();
            self.reader.numbers(*column, values)?;
            if let Some(places) = &self.places {
                // They ascend, so nothing is overwritten before it is moved.
                places.iter().enumerate().for_each(|(to, from)| values[start + to] = values[start + from]);
                values.truncate(start + places.len());
            }
        }
        let more = last > self.next;
        self.next = last;
        Ok(more)
    }

    fn pick(&mut self, rows: Option<&[usize]>, columns: Option<&[usize]>) -> Result<Picking> {
        if let Some(rows) = rows {
            self.columns = rows.iter().map(|row| self.columns[*row]).collect();
        }
        self.places = columns.map(<[usize]>::to_vec);
        Ok(Picking::Seeking)
    }

    fn done(&self) -> f64 {
        self.next as f64 / self.columns.len().max(1) as f64
    }
}
