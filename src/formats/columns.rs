//! What formats that lie by column share: columns of numbers are one side of the matrix, mostly genes; the first column of text
//! (or the index that pandas wrote) names the rows, further ones describe them. Values are read column by column.

use std::path::{Path, PathBuf};

use super::annotations::{BY_NAME, COUNTS_NO_GENE, NO_EXPRESSION, OF_WORDS, Told, check_names, said};
use super::known::{is_about, is_counter, is_quality};
use super::{Blocks, MatrixFile, Orientation, Picking, ReadSettings, index};
use crate::error::{Error, Result};
use crate::genes::Table;

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

    /// A column of whole numbers, exactly; `None` for other numbers, and where one is missing.
    fn whole(&mut self, column: usize) -> Result<Option<Vec<i64>>>;

    /// A column of [`Kind::Text`]; what is missing is empty.
    fn texts(&mut self, column: usize) -> Result<Vec<String>>;
}

/// The matrix in `source`, whose columns have these names and kinds, in `rows` rows; pandas says that `pandas` are its index.
pub(super) fn file(
    format: &str,
    path: &Path,
    columns: &[(String, Kind)],
    pandas: &[String],
    rows: usize,
    source: impl Columnar + 'static,
    settings: &ReadSettings,
) -> Result<MatrixFile> {
    let told = &settings.told;
    let name = |column: usize| columns[column].0.as_str();
    let names: Vec<&str> = (0..columns.len()).map(name).collect();
    check_names(path, &names, told)?;
    let is = |list: &[String], column: usize| list.iter().any(|other| other == name(column));
    let of = |kind: Kind| -> Vec<usize> {
        (0..columns.len()).filter(|c| columns[*c].1 == kind && !is(&told.drop_columns, *c)).collect()
    };
    let (mut numbers, texts, others) = (of(Kind::Number), of(Kind::Text), of(Kind::Other));
    let mut warnings = Vec::new();
    if let Some(first) = others.first() {
        let (path, n, name) = (path.display(), others.len(), name(*first));
        warnings.push(format!(
            "{path}: {n} columns are left out: neither numbers nor text (the first is {name:?})"
        ));
    }
    let owned = columns.iter().map(|(name, _)| name.clone()).collect();
    let mut reader = Reader { path: path.to_path_buf(), source, names: owned, rows };
    let is_index =
        |c: &usize| pandas.iter().any(|index| index == name(*c)) || name(*c).starts_with("__index_");
    let mut notes = Vec::new();
    let mut numbered = None;
    // Before the names stand ranks and row numbers, whatever they are called; two values may be any.
    let before = |c: &usize| {
        rows > 2
            && texts.first().is_some_and(|text| c < text)
            && !is(&told.value_columns, *c)
            && !is(&told.annotation_columns, *c)
    };
    for column in
        numbers.clone().into_iter().filter(|c| is_index(c) || index::is_usual(name(*c)) || before(c))
    {
        let whole = reader.source.whole(column)?.filter(|whole| whole.len() == rows && rows > 0);
        let (counts, name) = (whole.as_ref().is_some_and(|whole| index::counts(whole)), name(column));
        if counts && numbers.len() > 1 {
            notes.push(format!("{}: column {name:?} only counts the rows and is left out", path.display()));
        } else if !is_index(&column) {
            continue;
        } else if let Some(whole) = whole {
            numbered = numbered.or(Some((column, whole.iter().map(i64::to_string).collect::<Vec<_>>())));
        } else {
            warnings.push(format!("{}: the index {name:?} holds no names and is left out", path.display()));
        }
        numbers.retain(|c| *c != column);
    }
    let about = describing(path, &mut numbers, &names, told, &mut warnings);
    let marked = texts.iter().find(|c| is_index(c)).copied();
    let free = texts.iter().find(|c| !is(&told.annotation_columns, **c)).copied();
    let id = marked.or(numbered.as_ref().map(|(column, _)| *column)).or(free);
    if numbers.is_empty() || rows == 0 {
        return Err(Error::input(path, "the matrix is empty: it has no rows or no columns of numbers"));
    }
    let mut named = match (id, numbered) {
        (Some(id), Some((column, ids))) if id == column => Table::new(name(id), ids),
        (Some(id), _) => Table::new(name(id), reader.texts(id)?),
        (None, _) => {
            // Names are made for as many rows as there are values, not for as many as a header claims.
            reader.numbers(numbers[0], &mut Vec::new())?;
            let path = path.display();
            warnings.push(format!("{path}: no column of text names the rows; they are numbered"));
            Table::numbered("sample_id", "sample", rows)
        }
    };
    let words: Vec<usize> = texts.into_iter().filter(|c| Some(*c) != id).collect();
    if let Some(id) = id.filter(|_| !words.is_empty()) {
        notes.push(format!("{}: the rows are named by column {:?}", path.display(), name(id)));
    }
    let untold: Vec<&str> =
        words.iter().filter(|c| !is(&told.annotation_columns, **c)).map(|c| name(*c)).collect();
    warnings.extend(said(&untold, OF_WORDS).map(|note| format!("{}: {note}", path.display())));
    for column in words {
        let fields = reader.texts(column)?;
        named.columns.push((name(column).to_string(), fields));
    }
    for column in about {
        named.columns.push((name(column).to_string(), reader.words(column)?));
    }
    let places = kept(path, &mut named, &told.drop_rows, &mut warnings)?;
    let corner = id.map_or(String::new(), |id| name(id).to_string());
    let headed = Table::new("gene_id", numbers.iter().map(|c| name(*c).to_string()).collect());
    let step = (settings.memory / 16 / size_of::<f32>() / rows).max(1);
    let blocks = Headed { reader, columns: numbers, places, next: 0, step };
    Ok(MatrixFile {
        natural: Some(Orientation::SamplesByGenes),
        habit: true,
        transposed: true,
        corner,
        unnamed_rows: id.is_none(),
        notes,
        warnings,
        ..MatrixFile::new(format, named, Some(headed), Box::new(blocks))
    })
}

/// Takes the columns that are no values out of `numbers`, with a word; those that describe the rows.
fn describing(
    path: &Path,
    numbers: &mut Vec<usize>,
    names: &[&str],
    told: &Told,
    warnings: &mut Vec<String>,
) -> Vec<usize> {
    let is = |list: &[String], c: usize| list.iter().any(|name| name == names[c]);
    let free = |c: usize| !is(&told.value_columns, c) && !is(&told.annotation_columns, c);
    let mut take = |what: &dyn Fn(usize) -> bool| -> Vec<usize> {
        let (taken, left) = numbers.drain(..).partition(|c| what(*c));
        *numbers = left;
        taken
    };
    let asked = take(&|c| is(&told.annotation_columns, c));
    let known = take(&|c| free(c) && is_about(names[c]));
    let counters = take(&|c| free(c) && is_counter(names[c]));
    let quality = take(&|c| free(c) && is_quality(names[c]));
    for (columns, what) in [(&known, BY_NAME), (&counters, COUNTS_NO_GENE), (&quality, NO_EXPRESSION)] {
        let names: Vec<&str> = columns.iter().map(|c| names[*c]).collect();
        warnings.extend(said(&names, what).map(|note| format!("{}: {note}", path.display())));
    }
    [asked, known].concat()
}

/// Leaves out the rows of these names and those that count reads of no gene; the places of the others, where not all stay.
fn kept(
    path: &Path,
    named: &mut Table,
    unwanted: &[String],
    warnings: &mut Vec<String>,
) -> Result<Option<Vec<usize>>> {
    if let Some(name) = unwanted.iter().find(|name| !named.ids.contains(name)) {
        return Err(Error::input(path, format!("--drop-rows: it has no row {name:?}")));
    }
    let counters: Vec<&str> = named.ids.iter().map(String::as_str).filter(|id| is_counter(id)).collect();
    let note = said(&counters, COUNTS_NO_GENE).map(|note| note.replacen("columns", "rows", 1));
    warnings.extend(note.map(|note| format!("{}: {note}", path.display())));
    let stays = |at: &usize| !unwanted.contains(&named.ids[*at]) && !is_counter(&named.ids[*at]);
    let places: Vec<usize> = (0..named.len()).filter(stays).collect();
    if places.is_empty() {
        return Err(Error::input(path, "no row is left"));
    }
    if places.len() == named.len() {
        return Ok(None);
    }
    *named = named.select(&places);
    Ok(Some(places))
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

    /// A column of numbers as words.
    fn words(&mut self, column: usize) -> Result<Vec<String>> {
        if let Some(whole) = self.source.whole(column)?.filter(|whole| whole.len() == self.rows) {
            return Ok(whole.iter().map(i64::to_string).collect());
        }
        let mut numbers = Vec::new();
        self.numbers(column, &mut numbers)?;
        let word = |x: &f32| if x.is_nan() { String::new() } else { x.to_string() };
        Ok(numbers.iter().map(word).collect())
    }

    fn check(&self, column: usize, n: usize) -> Result<()> {
        let (name, rows) = (&self.names[column], self.rows);
        let message =
            || format!("column {name:?} has {n} of {rows} values; the file may be damaged, copy it again");
        if n == rows { Ok(()) } else { Err(Error::input(&self.path, message())) }
    }
}

/// The columns of numbers.
struct Headed<S> {
    reader: Reader<S>,
    columns: Vec<usize>,
    /// The values of a column that are wanted, where not all are.
    places: Option<Vec<usize>>,
    next: usize,
    step: usize,
}

impl<S: Columnar> Blocks for Headed<S> {
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
        if let Some(columns) = columns {
            let place = |at: &usize| self.places.as_ref().map_or(*at, |places| places[*at]);
            self.places = Some(columns.iter().map(place).collect());
        }
        Ok(Picking::Seeking)
    }

    fn done(&self) -> f64 {
        self.next as f64 / self.columns.len().max(1) as f64
    }
}
