//! The cells of a sheet as lines of text, and what is odd about them: a sheet that ends where spreadsheets end, names that are
//! dates.

use std::io::{self, Write};

use calamine::{DataType, ExcelDateTime};

/// Rows that are looked at before the first is written: empty columns before the table are left out.
const LOOK: usize = 64;

/// Where spreadsheets end: rows and columns, of today and of .xls.
const ENDS: [(u32, u32); 2] = [(1_048_576, 16_384), (65_536, 256)];

/// Months as spreadsheets write them, and what genes they are made of.
const MONTHS: [(&str, &str); 12] = [
    ("Jan", ""),
    ("Feb", "FEB"),
    ("Mar", "MARCH"),
    ("Apr", "APR"),
    ("May", ""),
    ("Jun", ""),
    ("Jul", ""),
    ("Aug", ""),
    ("Sep", "SEPT"),
    ("Oct", "OCT"),
    ("Nov", "NOV"),
    ("Dec", "DEC"),
];

/// Cells on their way to lines.
#[derive(Default)]
pub(super) struct Rows {
    /// The first rows, kept until it is known where the table begins.
    waiting: Vec<Vec<String>>,
    /// The row at hand, from 0, and its fields.
    row: u32,
    fields: Vec<String>,
    /// The first row that is filled.
    top: Option<u32>,
    /// The first column that is filled; known once rows are written.
    left: Option<usize>,
    /// Fields of the widest row so far: shorter ones below it end with empty cells.
    width: usize,
    /// The last row and column, counted from 1.
    last: (u32, u32),
    /// Names that are dates: cell, as it is written, and the gene it may have been.
    dates: Vec<(String, String, String)>,
    /// A cell to the left of the table, which is left out.
    outside: Option<String>,
    /// How many dates there are, and the year of the first.
    n_dates: usize,
    year: Option<u16>,
}

impl Rows {
    /// Whether no cell was filled.
    pub fn is_empty(&self) -> bool {
        self.top.is_none()
    }

    /// Takes the next cell, from the left to the right and from the top to the bottom.
    pub fn cell(
        &mut self,
        (row, column): (u32, u32),
        value: &impl DataType,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if value.is_empty() || value.get_string().is_some_and(|text| text.trim().is_empty()) {
            return Ok(());
        }
        while self.row < row {
            self.end_row(out)?;
        }
        let top = *self.top.get_or_insert(row);
        let text = self.text(value, (row, column), row == top);
        let at = column as usize;
        if self.left.is_some_and(|left| at < left) {
            self.outside.get_or_insert_with(|| address(row, column));
        }
        if self.fields.len() <= at {
            self.fields.resize(at + 1, String::new());
        }
        self.fields[at] = text;
        self.last = (self.last.0.max(row + 1), self.last.1.max(column + 1));
        Ok(())
    }

    /// Writes what waits.
    pub fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.end_row(out)?;
        self.write_waiting(out)
    }

    fn end_row(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.row += 1;
        let fields = std::mem::take(&mut self.fields);
        if self.left.is_some() {
            return self.write(&fields, out);
        }
        if !fields.is_empty() {
            self.waiting.push(fields);
        }
        if self.waiting.len() >= LOOK { self.write_waiting(out) } else { Ok(()) }
    }

    fn write_waiting(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let first = |fields: &Vec<String>| fields.iter().position(|field| !field.is_empty());
        let left = self.waiting.iter().filter_map(first).min().unwrap_or(0);
        self.left.get_or_insert(left);
        for fields in std::mem::take(&mut self.waiting) {
            self.write(&fields, out)?;
        }
        Ok(())
    }

    /// One line, as wide as the widest above it; blank where every cell is empty.
    fn write(&mut self, fields: &[String], out: &mut dyn Write) -> io::Result<()> {
        let fields = fields.get(self.left.unwrap_or(0)..).unwrap_or_default();
        if fields.is_empty() {
            return Ok(());
        }
        self.width = self.width.max(fields.len());
        for at in 0..self.width {
            if at > 0 {
                out.write_all(b"\t")?;
            }
            out.write_all(fields.get(at).map_or("", String::as_str).as_bytes())?;
        }
        out.write_all(b"\n")
    }

    /// A cell as a field of tab-separated text.
    fn text(&mut self, value: &impl DataType, cell: (u32, u32), header: bool) -> String {
        if let Some(text) = value.get_string() {
            return quoted(text);
        }
        if let Some(date) = value.get_datetime().filter(|date| date.is_datetime()) {
            return self.date(&date, cell, header);
        }
        if let Some(yes) = value.get_bool() {
            return if yes { "TRUE".into() } else { "FALSE".into() };
        }
        if let Some(error) = value.get_error() {
            return error.to_string();
        }
        let number =
            value.get_int().map(|n| n.to_string()).or_else(|| value.get_float().map(|x| x.to_string()));
        let date = || value.get_datetime().map(|d| d.as_f64().to_string());
        number.or_else(date).or_else(|| value.get_datetime_iso().map(quoted)).unwrap_or_default()
    }

    /// A date: among the names as spreadsheets show it, day and month, where all are of one year; else in full.
    fn date(&mut self, date: &ExcelDateTime, (row, column): (u32, u32), header: bool) -> String {
        let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
        let full = match (hour, minute, second) {
            (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
            (h, m, s) => format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}"),
        };
        let first =
            self.left.map_or(self.fields.iter().all(String::is_empty), |left| column as usize == left);
        if !header && !first {
            return full;
        }
        let (name, gene) = MONTHS[usize::from(month.clamp(1, 12)) - 1];
        let short = year == *self.year.get_or_insert(year) && full.len() == 10;
        let shown = if short { format!("{day}-{name}") } else { full };
        self.n_dates += 1;
        if self.dates.len() < 5 {
            let gene = if gene.is_empty() { String::new() } else { format!("{gene}{day}") };
            self.dates.push((address(row, column), shown.clone(), gene));
        }
        shown
    }

    /// What is odd about the sheet.
    pub fn warnings(&self, old: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.dates.is_empty() {
            let show = |(cell, date, gene): &(String, String, String)| match gene.is_empty() {
                true => format!("{cell} is {date}"),
                false => format!("{cell} is {date}, perhaps {gene}"),
            };
            let (n, some) = (self.n_dates, self.dates.iter().map(show).collect::<Vec<_>>().join("; "));
            let more = if n > self.dates.len() { "; …" } else { "" };
            warnings.push(format!(
                "{n} of the names are dates ({some}{more}): a spreadsheet makes them out of genes' names; they match no gene until \
                 they are corrected"
            ));
        }
        if let Some(cell) = &self.outside {
            warnings.push(format!("cell {cell} lies to the left of the table and is left out"));
        }
        let (rows, columns) = self.last;
        for (place, (most_rows, most_columns)) in ENDS.into_iter().enumerate() {
            if rows == most_rows {
                warnings.push(format!(
                    "it ends at row {rows}, the last that a sheet can hold: it was probably cut off there"
                ));
            }
            if columns == most_columns && (place == 0 || old) {
                let last = address(0, columns - 1);
                let last = last.trim_end_matches('1');
                warnings.push(format!(
                    "it ends at column {columns} ({last}), the last that a sheet can hold: it was probably cut off there"
                ));
            }
        }
        warnings
    }
}

/// A cell's text on one line, in quotes where it has some.
fn quoted(text: &str) -> String {
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.contains('"') { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// A cell's name, such as AB12.
fn address(row: u32, column: u32) -> String {
    let (mut letters, mut rest) = (Vec::new(), column + 1);
    while rest > 0 {
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    let letters: String = letters.iter().rev().map(|b| char::from(*b)).collect();
    format!("{letters}{}", row + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::Data;

    /// What the cells become, and what is odd about them.
    fn read(cells: &[((u32, u32), Data)], old: bool) -> (String, Vec<String>) {
        let (mut rows, mut out) = (Rows::default(), Vec::new());
        cells.iter().for_each(|(at, value)| rows.cell(*at, value, &mut out).expect("memory"));
        rows.finish(&mut out).expect("memory");
        (String::from_utf8(out).expect("text"), rows.warnings(old))
    }

    fn text(text: &str) -> Data {
        Data::String(text.into())
    }

    #[test]
    fn rows_are_lines_from_where_the_table_begins() {
        let cells = [
            ((2, 1), text("gene")),
            ((2, 2), text("a\tb")),
            ((2, 3), text("say \"x\"")),
            ((4, 1), text("TP53")),
            ((4, 2), Data::Float(1.5)),
            ((5, 1), Data::Int(1956)),
            ((5, 3), Data::Float(2.0)),
        ];
        let (lines, warnings) = read(&cells, false);
        assert_eq!(lines, "gene\ta b\t\"say \"\"x\"\"\"\nTP53\t1.5\t\n1956\t\t2\n");
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn a_sheet_that_ends_where_spreadsheets_end_is_told() {
        for (at, old, word) in [
            ((0, 16_383), false, "column 16384 (XFD)"),
            ((1_048_575, 1), false, "row 1048576"),
            ((65_535, 1), true, "row 65536"),
            ((1, 255), true, "column 256 (IV)"),
        ] {
            let (_, warnings) = read(&[((0, 0), text("gene")), (at, Data::Int(1))], old);
            assert!(warnings.len() == 1 && warnings[0].contains(word), "{warnings:?}");
        }
        assert!(read(&[((0, 0), text("gene")), ((1, 255), Data::Int(1))], false).1.is_empty());
    }
}
