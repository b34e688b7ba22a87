//! A table of names: one row a sample or a gene, the first column its id, every field kept as text.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write;
use std::path::Path;

use super::reader::{Column, Sheet, Untold};
use super::writer::Rows;
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};

/// Ids with further columns, in the order of the matrix's rows or columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Header of the id column, `"sample_id"` or `"gene_id"` in a store.
    pub key: String,
    /// The ids, all different.
    pub ids: Vec<String>,
    /// Further columns: name and one field for every id.
    pub columns: Vec<(String, Vec<String>)>,
}

impl Table {
    /// A table of ids alone.
    pub fn new(key: &str, ids: Vec<String>) -> Table {
        Table { key: key.to_string(), ids, columns: Vec::new() }
    }

    /// `n` rows named `{prefix}_1`, `{prefix}_2`, … for a matrix that came without names.
    pub fn numbered(key: &str, prefix: &str, n: usize) -> Table {
        Table::new(key, (1..=n).map(|i| format!("{prefix}_{i}")).collect())
    }

    /// Whether the names are made up as [`Table::numbered`] makes them.
    pub(crate) fn is_numbered(&self) -> bool {
        let numbered = |prefix: &str| {
            let number = |id: &String| id.strip_prefix(prefix)?.strip_prefix('_')?.parse().ok();
            self.columns.is_empty() && self.ids.iter().zip(1..).all(|(id, i)| number(id) == Some(i))
        };
        numbered("gene") || numbered("sample")
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The fields of column `name`; the id column answers to its header.
    pub fn column(&self, name: &str) -> Option<&[String]> {
        if name == self.key {
            return Some(&self.ids);
        }
        self.columns.iter().find(|(n, _)| n == name).map(|(_, fields)| fields.as_slice())
    }

    /// Sets column `name`, in place where it exists.
    pub fn set_column(&mut self, name: &str, fields: Vec<String>) {
        debug_assert_eq!(fields.len(), self.len());
        match self.columns.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = fields,
            None => self.columns.push((name.to_string(), fields)),
        }
    }

    /// The headers after the id column.
    pub fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Where each id stands.
    pub fn positions(&self) -> HashMap<&str, usize> {
        self.ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect()
    }

    /// The first id that occurs twice, with both of its rows (from 0).
    pub fn duplicate(&self) -> Option<(&str, usize, usize)> {
        let mut seen = HashSet::with_capacity_and_hasher(self.len(), BuildHasherDefault::<Quick>::default());
        let second = self.ids.iter().position(|id| !seen.insert(id.as_str()))?;
        let id = self.ids[second].as_str();
        let first = self.ids.iter().position(|other| other == id)?;
        Some((id, first, second))
    }

    /// The given rows, in the given order.
    pub fn select(&self, rows: &[usize]) -> Table {
        let pick = |fields: &[String]| rows.iter().map(|&r| fields[r].clone()).collect();
        Table {
            key: self.key.clone(),
            ids: pick(&self.ids),
            columns: self.columns.iter().map(|(n, f)| (n.clone(), pick(f))).collect(),
        }
    }

    /// Appends the rows of `more`; a column that either lacks is empty there.
    pub fn append(&mut self, more: Table) {
        let (before, n) = (self.len(), more.len());
        self.ids.extend(more.ids);
        for (_, fields) in &mut self.columns {
            fields.resize(before + n, String::new());
        }
        for (name, fields) in more.columns {
            match self.columns.iter_mut().find(|(other, _)| *other == name) {
                Some((_, there)) => there[before..].clone_from_slice(&fields),
                None => {
                    let mut column = vec![String::new(); before];
                    column.extend(fields);
                    self.columns.push((name, column));
                }
            }
        }
    }

    /// Reads a table that genelift wrote: tabs, a header line, every byte of a field its own.
    ///
    /// # Errors
    /// A file that cannot be read, a ragged row, a repeated header, an empty or repeated id.
    pub fn read_tsv(path: &Path) -> Result<Table> {
        let text = std::fs::read(path).map_err(Error::io(path, "reading"))?;
        Table::exact(path, &text)
    }

    /// As [`Table::read_tsv`], of bytes that are at hand; `path` is for messages.
    pub(crate) fn exact(path: &Path, text: &[u8]) -> Result<Table> {
        let sheet = Sheet::exact(path, text)?;
        let mut names = HashSet::new();
        if let Some(name) = sheet.names().into_iter().find(|name| !names.insert(*name)) {
            return Err(Error::input(
                path,
                format!("column {name:?} occurs twice in the header; rename one"),
            ));
        }
        Table::of_sheet(sheet, 0)
    }

    /// Reads a table that somebody keeps, in any form that [`Sheet::read`] takes; where nothing tells, the first line is the
    /// header. The ids are in the first column that is `known` for them, else in the first of text.
    ///
    /// # Errors
    /// Those of [`Sheet::read`]; an empty or repeated id.
    pub fn read(path: &Path, known: impl Fn(&Column) -> bool, report: Reporter) -> Result<Table> {
        let sheet = Sheet::read(path, Untold::Header)?;
        sheet.notes.iter().for_each(|note| report(Event::Note(note.clone())));
        let ids = sheet.names_column(known).unwrap_or(0);
        if ids > 0 {
            report(Event::Note(format!("{}: names are taken from {}", path.display(), sheet.title(ids))));
        }
        Table::of_sheet(sheet, ids)
    }

    /// The sheet with column `ids` as ids.
    ///
    /// # Errors
    /// No column, an empty or repeated id.
    pub fn of_sheet(sheet: Sheet, ids: usize) -> Result<Table> {
        let Sheet { path, mut columns, lines, .. } = sheet;
        if ids >= columns.len() {
            return Err(Error::input(path, "the file is empty; a header line and an id column are needed"));
        }
        let Column { name: key, fields } = columns.remove(ids);
        let columns = columns.into_iter().map(|column| (column.name, column.fields)).collect();
        let table = Table { key, ids: fields, columns };
        if let Some(row) = table.ids.iter().position(String::is_empty) {
            let message =
                format!("row {} has an empty id in column {:?} (line {})", row + 1, table.key, lines[row]);
            return Err(Error::input(path, message));
        }
        if let Some((id, first, second)) = table.duplicate() {
            let message = format!(
                "id {id:?} occurs in rows {} and {}; every id must occur once",
                first + 1,
                second + 1
            );
            return Err(Error::input(path, message));
        }
        Ok(table)
    }

    /// Writes the table as TSV (fields that hold a tab, a quote or a line break are quoted). Not atomic: use
    /// [`crate::store::atomic::write_file`] with [`Table::write`] for a file of its own.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub fn write_tsv(&self, path: &Path) -> Result<()> {
        let file = std::fs::File::create(path).map_err(Error::io(path, "creating"))?;
        let mut out = std::io::BufWriter::new(file);
        self.write(&mut out)
            .and_then(|()| out.flush())
            .and_then(|()| out.get_ref().sync_all())
            .map_err(Error::io(path, "writing"))
    }

    /// Writes the table as TSV to `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut rows = Rows::new(out);
        rows.row(std::iter::once(self.key.as_str()).chain(self.columns.iter().map(|(n, _)| n.as_str())))?;
        self.ids.iter().enumerate().try_for_each(|(row, id)| {
            let fields = self.columns.iter().map(|(_, f)| f[row].as_str());
            rows.row(std::iter::once(id.as_str()).chain(fields))
        })
    }
}

/// Hashes names by XXH3: there are many of them, and nobody gains by some that collide.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, name: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(name, self.0);
    }

    /// What ends a text is the same for all.
    fn write_u8(&mut self, _end: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Table> {
        Table::exact(Path::new("t.tsv"), text.as_bytes())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("t.tsv");
        let mut table = Table::new("gene_id", vec!["a\tb".into(), "c\"d".into(), "e".into()]);
        table.set_column("symbol", vec!["line\nbreak".into(), String::new(), "µ".into()]);
        table.write_tsv(&path).expect("written");
        assert_eq!(Table::read_tsv(&path).expect("read"), table);
        assert_eq!(table.select(&[2, 0]).ids, ["e", "a\tb"]);
        assert_eq!(table.select(&[2, 0]).column("symbol").expect("there"), ["µ", "line\nbreak"]);
    }

    #[test]
    fn tables_append_by_column_name() {
        let mut all = parse("id\tx\ty\na\t1\t2\n").expect("a table");
        all.append(parse("id\ty\tz\nb\t3\t4\n").expect("a table"));
        assert_eq!(all.ids, ["a", "b"]);
        let fields = |name| all.column(name).expect("there").join(",");
        assert_eq!((fields("x"), fields("y"), fields("z")), ("1,".into(), "2,3".into(), ",4".into()));
    }

    #[test]
    fn bom_crlf_and_commas_are_read() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("t.csv");
        std::fs::write(&path, b"\xEF\xBB\xBFid,kind\r\nx,1\r\ny,\"2,5\"\r\n").expect("written");
        let table = Table::read(&path, Column::names_samples, &crate::progress::silent).expect("read");
        assert_eq!((table.key.as_str(), table.ids.len()), ("id", 2));
        assert_eq!(table.column("kind").expect("there"), ["1", "2,5"]);
    }

    #[test]
    fn bad_tables_are_refused_by_place() {
        for (text, word) in [
            ("", "empty"),
            ("id\ta\nx\t1\ny\n", "line 3 has 1 field where the header has 2"),
            ("id\ta\nx\t1\ny\t2\nx\t3\n", "\"x\" occurs in rows 1 and 3"),
            ("id\ta\ta\nx\t1\t2\n", "\"a\" occurs twice"),
            ("id\ta\n\t1\n", "row 1 has an empty id"),
        ] {
            let message = parse(text).expect_err(text).to_string();
            assert!(message.contains(word), "{text:?}: {message}");
        }
    }
}
