//! The one reader of small text tables: lists, labels, maps, tables of genes, scores and landmarks.
//!
//! [`Sheet::read`] takes what people keep: plain or packed, any line ends, UTF-8 or UTF-16, tabs, commas, semicolons or runs of
//! blanks, with a header or without one; what it had to conclude is in [`Sheet::notes`]. [`Sheet::exact`] takes a store's own
//! tables, which have one form only.

use std::path::{Path, PathBuf};

use super::kind::Kind;
use super::layout::{self, Delimiter};
use super::{bytes, headers, sidecar};
use crate::error::{Error, Result};
use sidecar::Checked;

/// What the first row is taken for where neither known names nor the rows below tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// A header: tables (labels, maps), which have one as a rule.
    Header,
    /// A row: lists, which have none as a rule.
    Row,
}

/// A column: what its header says, and a field for every row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The header's field; empty where there is no header, or the header leaves it blank.
    pub name: String,
    /// As they stand in the file, without blanks around them unless they are quoted.
    pub fields: Vec<String>,
}

impl Column {
    /// Whether every field that is not blank or missing is a number, and one is.
    pub fn is_numeric(&self) -> bool {
        headers::all_numbers(self.fields.iter().map(String::as_str))
    }

    /// Whether the fields are n, n + 1, n + 2, …: numbers of rows, or ranks.
    pub fn counts(&self) -> bool {
        let numbers: Option<Vec<u64>> = self.fields.iter().map(|field| field.parse().ok()).collect();
        numbers.is_some_and(|n| n.first().is_some_and(|n| *n <= 1) && n.windows(2).all(|w| w[0] + 1 == w[1]))
    }

    /// Whether its header is one of those that name genes.
    pub fn names_genes(&self) -> bool {
        headers::names_genes(&self.name)
    }

    /// The kind of gene names that its header tells.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of_header(&self.name)
    }

    /// Whether its header is one of those that name probes.
    pub fn names_probes(&self) -> bool {
        self.kind() == Some(Kind::Probe)
    }

    /// Whether its header is one of those that name samples.
    pub fn names_samples(&self) -> bool {
        headers::names_samples(&self.name)
    }
}

/// A table as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// For messages.
    pub path: PathBuf,
    /// All of the same length.
    pub columns: Vec<Column>,
    /// Whether the file has a header line.
    pub header: bool,
    /// The line of the file on which each row begins, from 1.
    pub lines: Vec<u64>,
    /// What was concluded and should be said, each with the file's name.
    pub notes: Vec<String>,
    /// Whether it is known to be what was written.
    pub checked: Checked,
}

impl Sheet {
    /// Reads a table that somebody keeps. One that genelift wrote must fit the description beside it.
    ///
    /// # Errors
    /// A file that cannot be read or is no text, a ragged row, a quote that is never closed, a table that does not fit its
    /// description.
    pub fn read(path: &Path, untold: Untold) -> Result<Sheet> {
        let raw = bytes::raw(path)?;
        let checked = sidecar::check(path, &raw)?;
        let mut sheet = match &checked {
            Checked::Whole(_) => Sheet::exact(path, &raw)?,
            _ => Sheet::parse(path, &bytes::unpacked(path, raw)?, untold)?,
        };
        sheet.notes.extend(checked.note(path, &sheet.names()));
        checked.fits(path, sheet.len())?;
        sheet.checked = checked;
        Ok(sheet)
    }

    /// As [`Sheet::read`], of text that is at hand; `path` is for messages.
    ///
    /// # Errors
    /// As [`Sheet::read`].
    pub fn parse(path: &Path, text: &[u8], untold: Untold) -> Result<Sheet> {
        let text = layout::line_feeds(bytes::decoded(path, text)?);
        let (text, skipped) = layout::body(&text);
        let (text, said) = layout::said_delimiter(text);
        let delimiter = said.unwrap_or_else(|| layout::delimiter(text));
        let rows = layout::rows(path, text, delimiter)?;
        let mut sheet = assemble(path, rows, untold)?;
        sheet.lines.iter_mut().for_each(|line| *line += skipped);
        if delimiter == Delimiter::Blanks {
            sheet.notes.push(format!("{}: columns are told apart by blanks", path.display()));
        }
        Ok(sheet)
    }

    /// A table in the form in which genelift writes them: tabs, a header, no comments, every byte of a field its own.
    ///
    /// # Errors
    /// [`Error::Input`] for a ragged row, or a file that is no UTF-8.
    pub fn exact(path: &Path, text: &[u8]) -> Result<Sheet> {
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        let text = std::str::from_utf8(text).map_err(|e| bytes::not_utf8(path, text, e.valid_up_to()))?;
        let mut rows = layout::exact_rows(path, text)?.into_iter();
        let header = rows.next().map(|row| row.fields).unwrap_or_default();
        let (mut columns, mut lines) = (named(header), Vec::new());
        for row in rows {
            lines.push(row.line);
            fill(path, &mut columns, row, "the header")?;
        }
        let (notes, checked) = (Vec::new(), Checked::Own);
        Ok(Sheet { path: path.to_path_buf(), columns, header: true, lines, notes, checked })
    }

    /// Number of rows, without the header.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The columns' names.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Which column holds the names: the first whose header is `known`, else the first of text; numbers are taken only where
    /// there is nothing else, and ranks or row numbers not even then. `None` where there is no column.
    pub fn names_column(&self, known: impl Fn(&Column) -> bool) -> Option<usize> {
        let numbers: Vec<bool> = self.columns.iter().map(Column::is_numeric).collect();
        let filled = |c: &usize| self.columns[*c].fields.iter().any(|field| !field.is_empty());
        let places = || 0..self.columns.len();
        let counts = |c: &usize| self.columns[*c].counts();
        places()
            .find(|c| known(&self.columns[*c]) && !counts(c))
            .or_else(|| places().find(|c| known(&self.columns[*c])))
            .or_else(|| places().filter(filled).find(|c| !numbers[*c]))
            .or_else(|| places().filter(filled).find(|c| !counts(c)))
            .or_else(|| places().next())
    }

    /// How column `c` is called in messages: by its name, else by its number.
    pub fn title(&self, c: usize) -> String {
        match self.columns[c].name.as_str() {
            "" => format!("column {}", c + 1),
            name => format!("column {name:?}"),
        }
    }
}

/// Columns without rows.
fn named(header: Vec<String>) -> Vec<Column> {
    header.into_iter().map(|name| Column { name, fields: Vec::new() }).collect()
}

/// Appends a row.
fn fill(path: &Path, columns: &mut [Column], row: layout::Row, like: &str) -> Result<()> {
    if row.fields.len() != columns.len() {
        let (line, found, wanted) = (row.line, row.fields.len(), columns.len());
        return Err(Error::input(
            path,
            format!(
                "line {line} has {found} field{} where {like} has {wanted}; make every row as long, or quote fields that hold \
                 the delimiter",
                if found == 1 { "" } else { "s" }
            ),
        ));
    }
    columns.iter_mut().zip(row.fields).for_each(|(column, field)| column.fields.push(field));
    Ok(())
}

/// Rows → columns: tells the header, and settles names that occur twice.
fn assemble(path: &Path, rows: layout::Rows, untold: Untold) -> Result<Sheet> {
    let layout::Rows { mut rows, comment, skipped } = rows;
    let mut notes = Vec::new();
    if skipped > 0 {
        let lines = if skipped == 1 { "line that begins" } else { "lines that begin" };
        notes.push(format!("{}: {skipped} {lines} with # among the rows left out", path.display()));
    }
    layout::drop_trailing(&mut rows);
    if untold == Untold::Row && layout::turn_line(&mut rows) {
        notes.push(format!("{}: a single line: each of its fields is taken for a row", path.display()));
    }
    let verdict = headers::tell(&rows, comment.as_ref());
    let header: Option<Vec<String>> = match verdict {
        headers::Verdict::Comment(names) => Some(names),
        headers::Verdict::Header => {
            let first = &rows[0].fields;
            if first.len() == 1 && !headers::is_known(&first[0]) {
                notes.push(format!(
                    "{}: the first line ({:?}) is taken for the header",
                    path.display(),
                    first[0]
                ));
            }
            Some(rows.remove(0).fields)
        }
        headers::Verdict::WithoutCorner => {
            Some(std::iter::once(String::new()).chain(rows.remove(0).fields).collect())
        }
        headers::Verdict::Row => None,
        headers::Verdict::Open if rows.is_empty() => None,
        headers::Verdict::Open => {
            let first =
                rows[0].fields.iter().take(4).map(|f| format!("{f:?}")).collect::<Vec<_>>().join(", ");
            let what = match untold {
                Untold::Header => "the header",
                Untold::Row => "a row, not a header",
            };
            if untold == Untold::Header || rows[0].fields.len() > 1 {
                notes.push(format!("{}: the first line ({first}) is taken for {what}", path.display()));
            }
            (untold == Untold::Header).then(|| rows.remove(0).fields)
        }
    };
    let told = header.is_some();
    let width = rows.first().map_or(0, |row| row.fields.len());
    let mut columns = named(header.unwrap_or_else(|| vec![String::new(); width]));
    notes.extend(headers::settle(path, &mut columns));
    let like = if told { "the header" } else { "the first" };
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        lines.push(row.line);
        fill(path, &mut columns, row, like)?;
    }
    Ok(Sheet { path: path.to_path_buf(), columns, header: told, lines, notes, checked: Checked::Unknown })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces that make up tables, and what breaks them.
    const PIECES: [&str; 22] = [
        "TP53",
        "gene",
        "1",
        "0.5",
        "\t",
        ",",
        ";",
        " ",
        "\n",
        "\r\n",
        "\r",
        "\"",
        "\"\"",
        "#",
        "sep=;\n",
        "µ",
        "NA",
        "\u{1}",
        "!platform_table_begin",
        "\u{feff}",
        "'",
        "\\",
    ];

    #[test]
    fn no_text_panics_and_what_is_read_is_a_table() {
        let mut state = 7_u64;
        let mut draw = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut read = 0;
        for _ in 0..1_500 {
            let text: String = (0..draw(24)).map(|_| PIECES[draw(PIECES.len())]).collect();
            for untold in [Untold::Row, Untold::Header] {
                let Ok(sheet) = Sheet::parse(Path::new("x"), text.as_bytes(), untold) else { continue };
                assert!(sheet.columns.iter().all(|column| column.fields.len() == sheet.len()), "{text:?}");
                let _ = sheet.names_column(Column::names_genes);
                read += 1;
            }
            let _ = Sheet::exact(Path::new("x"), text.as_bytes());
        }
        assert!(read > 500, "{read}");
    }
}
