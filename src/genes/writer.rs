//! The one writer of tables: fields between tabs (commas in an exported CSV), a header, LF at the end of a line.
//!
//! A field is quoted where its bytes would else be taken for something: a delimiter, a quote, a line break, a blank at its
//! ends, a # at its beginning. Nothing is escaped or replaced, so any name comes back to the bit: in pandas with
//! `sep="\t", dtype=str, keep_default_na=False`, in R with
//! `read.delim(colClasses = "character", na.strings = character(), check.names = FALSE)`.

use std::io::Write;
use std::path::Path;

use csv_core::{QuoteStyle, WriteResult};

use crate::error::{Error, Result};
use crate::store::atomic;

/// Writes rows to `out`.
pub struct Rows<'a> {
    out: &'a mut dyn Write,
    line: Line,
}

impl<'a> Rows<'a> {
    /// Rows of fields between tabs.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Rows { out, line: Line::new(b'\t') }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn row(&mut self, fields: impl IntoIterator<Item = impl AsRef<str>>) -> std::io::Result<()> {
        fields.into_iter().for_each(|field| self.line.field(field.as_ref()));
        self.out.write_all(&self.line.end())
    }
}

/// Writes `path` as a table of `header` and `rows`, whole or not at all.
///
/// # Errors
/// As [`atomic::write_file`].
pub fn write_rows<H: AsRef<str>, F: AsRef<str>>(
    path: &Path,
    force: bool,
    header: impl IntoIterator<Item = H>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = F>>,
) -> Result<()> {
    atomic::write_file(path, force, |out| {
        let mut out = Rows::new(out);
        let written = out.row(header).and_then(|()| rows.into_iter().try_for_each(|row| out.row(row)));
        written.map_err(Error::io(path, "writing"))
    })
}

/// A row under construction.
pub struct Line {
    plain: csv_core::Writer,
    quoted: csv_core::Writer,
    delimiter: u8,
    text: Vec<u8>,
    fields: usize,
}

impl Line {
    /// An empty row.
    pub fn new(delimiter: u8) -> Line {
        let writer = |style| csv_core::WriterBuilder::new().delimiter(delimiter).quote_style(style).build();
        let (plain, quoted) = (writer(QuoteStyle::Necessary), writer(QuoteStyle::Always));
        Line { plain, quoted, delimiter, text: Vec::new(), fields: 0 }
    }

    /// Appends a field.
    pub fn field(&mut self, field: &str) {
        if self.fields > 0 {
            self.text.push(self.delimiter);
        }
        self.fields += 1;
        if !self.plain.should_quote(field.as_bytes()) && !is_mistakable(field) {
            return self.text.extend_from_slice(field.as_bytes());
        }
        let mut rest = field.as_bytes();
        let mut buffer = [0; 256];
        loop {
            let (result, read, written) = self.quoted.field(rest, &mut buffer);
            self.text.extend_from_slice(&buffer[..written]);
            rest = &rest[read..];
            if result == WriteResult::InputEmpty {
                break;
            }
        }
        let (_, written) = self.quoted.finish(&mut buffer);
        self.text.extend_from_slice(&buffer[..written]);
    }

    /// Appends a number, which needs no quotes.
    pub fn number(&mut self, number: impl std::fmt::Display) {
        if self.fields > 0 {
            self.text.push(self.delimiter);
        }
        self.fields += 1;
        let _ = write!(self.text, "{number}");
    }

    /// Ends the row and hands back its bytes.
    pub fn end(&mut self) -> Vec<u8> {
        if self.fields == 1 && self.text.is_empty() {
            // a blank line would be no row
            self.text.extend_from_slice(b"\"\"");
        }
        self.fields = 0;
        let mut text = std::mem::take(&mut self.text);
        text.push(b'\n');
        text
    }
}

/// Whether readers would trim the field or take it for a comment.
fn is_mistakable(field: &str) -> bool {
    field.starts_with(|c: char| c == '#' || c.is_whitespace() || c == '\u{feff}')
        || field.ends_with(char::is_whitespace)
}
