//! Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods) by `calamine`. A sheet's rows are set aside as delimited text and read as such,
//! so that every rule about headers, names and annotation holds. Cells of .xlsx and .xlsb stream.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;

use calamine::{Reader, SheetType, SheetVisible};

use super::sheet_rows::Rows;
use super::spooled::Spooled;
use super::zip::{self, Zip};
use super::{MatrixFile, ReadSettings, text};
use super::{ods, ole};
use crate::error::{Error, Result};

/// First bytes of the container of .xls.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Bytes that calamine holds for a byte of .xls or of .ods's XML, roughly: all cells, each 32 bytes.
const HELD: u64 = 4;

pub(super) fn magic(start: &[u8]) -> bool {
    start.starts_with(zip::MAGIC) || start.starts_with(OLE)
}

type Input = BufReader<File>;
type Outcome<T> = std::result::Result<T, calamine::Error>;

/// A workbook of one of the kinds.
enum Book {
    Xlsx(Box<calamine::Xlsx<Input>>),
    Xlsb(Box<calamine::Xlsb<Input>>),
    Xls(Box<calamine::Xls<Input>>),
    Ods(Box<calamine::Ods<Input>>),
}

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let name = kind(path, settings.memory)?;
    let damage = match name {
        "xls" => ole::damage(path).map_err(Error::io(path, "reading"))?,
        "ods" => ods::damage(&Zip::open(path)?, settings.memory)?,
        _ => None,
    };
    if let Some(what) = damage {
        let message = format!("the workbook is damaged: {what}; save it again, as .xlsx or .csv");
        return Err(Error::input(path, message));
    }
    let mut book = guarded(path, || Book::open(path, name))?;
    let sheets = book.sheets();
    let chosen = choose(path, &sheets, settings.sheet.as_deref())?;
    let (mut rows, sheet) = (Rows::default(), sheets[chosen].clone());
    let spooled = Spooled::create(path, |out| {
        let filled = guarded(path, || book.write(&sheet, &mut rows, out));
        filled
            .and_then(|written| written.map_err(Error::io(path, "unpacking")))
            .map_or_else(|e| Ok(Err(e)), |()| rows.finish(out).map(Ok))
    })?;
    if rows.is_empty() {
        return Err(Error::input(path, format!("sheet {sheet:?} is empty{}", others(&sheets, chosen))));
    }
    // Told to be tab-separated: commas inside its fields are no delimiters.
    let inner = ReadSettings { format: Some("tsv".into()), sheet: None, ..settings.clone() };
    let mut file =
        spooled.open(|copy| text::open_tsv(copy, &inner)).map_err(|e| in_sheet(e, &sheets, chosen))?;
    file.format = name.into();
    let shown = path.display();
    if sheets.len() > 1 {
        let (at, n) = (chosen + 1, sheets.len());
        file.notes.push(format!("{shown}: sheet {at} of {n}, {sheet:?}, is read{}", others(&sheets, chosen)));
    }
    file.warnings
        .extend(rows.warnings(name == "xls").into_iter().map(|w| format!("{shown}, sheet {sheet:?}: {w}")));
    Ok(file)
}

/// Which kind of workbook, if it is one that the memory can hold.
fn kind(path: &Path, memory: usize) -> Result<&'static str> {
    let file = File::open(path).map_err(Error::io(path, "opening"))?;
    let start = super::read_start(&mut &file, 8).map_err(Error::io(path, "reading"))?;
    let (name, held, what) = if start == OLE {
        let length = file.metadata().map_err(Error::io(path, "reading"))?.len();
        ("xls", length.saturating_mul(HELD), "cells")
    } else {
        let zip = Zip::open(path)?;
        let bytes = |name: &str| zip.member(name).map_or(0, |member| member.bytes);
        if zip.member("xl/workbook.bin").is_some() {
            ("xlsb", bytes("xl/sharedStrings.bin") * 2, "texts")
        } else if zip.member("content.xml").is_some() {
            ("ods", bytes("content.xml").saturating_mul(HELD), "cells")
        } else {
            ("xlsx", bytes("xl/sharedStrings.xml") * 2, "texts")
        }
    };
    if held > memory as u64 {
        let (needed, there) = (held.div_ceil(1 << 20), memory >> 20);
        let message = format!(
            "the {what} of this workbook take up to {needed} MiB of memory, --memory is {there}; give --memory {needed}, or save the \
             sheet as .csv"
        );
        return Err(Error::input(path, message));
    }
    Ok(name)
}

/// The sheet that is meant: by name, by number from 1, or the first that is shown.
fn choose(path: &Path, sheets: &[String], told: Option<&str>) -> Result<usize> {
    let Some(told) = told else {
        return if sheets.is_empty() {
            Err(Error::input(path, "the workbook has no sheet of cells"))
        } else {
            Ok(0)
        };
    };
    let by_name = sheets.iter().position(|sheet| sheet == told);
    let by_number = || told.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < sheets.len());
    by_name.or_else(by_number).ok_or_else(|| {
        let names: Vec<String> = sheets.iter().map(|sheet| format!("{sheet:?}")).collect();
        Error::input(
            path,
            format!("has no sheet {told:?}; --sheet takes one of {}, or its number", names.join(", ")),
        )
    })
}

/// What to do for the sheets that are not read.
fn others(sheets: &[String], chosen: usize) -> String {
    let names: Vec<String> = sheets
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != chosen)
        .take(8)
        .map(|(_, s)| format!("{s:?}"))
        .collect();
    if names.is_empty() { String::new() } else { format!("; --sheet reads another: {}", names.join(", ")) }
}

/// The error with the sheet's name before it, and the names of the others behind.
fn in_sheet(error: Error, sheets: &[String], chosen: usize) -> Error {
    match error {
        Error::Input { path, message } => {
            let message = format!("sheet {:?}: {message}{}", sheets[chosen], others(sheets, chosen));
            Error::Input { path, message }
        }
        other => other,
    }
}

/// Runs a call into the library, which may panic on a damaged file.
fn guarded<T>(path: &Path, call: impl FnOnce() -> Outcome<T>) -> Result<T> {
    let failed = |e: &dyn std::fmt::Display| {
        Error::input(path, format!("the workbook cannot be read ({e}); open it and save it as .xlsx or .csv"))
    };
    match super::guarded::guarded(call) {
        Some(Ok(value)) => Ok(value),
        Some(Err(e)) if e.to_string().contains("password") => {
            Err(Error::input(path, "the workbook has a password; save it without one, or as .csv"))
        }
        Some(Err(e)) => Err(failed(&e)),
        None => Err(failed(&"the reader gave up")),
    }
}

impl Book {
    fn open(path: &Path, kind: &str) -> Outcome<Book> {
        let file = BufReader::with_capacity(1 << 16, File::open(path)?);
        Ok(match kind {
            "xls" => Book::Xls(Box::new(calamine::Xls::new(file)?)),
            "xlsb" => Book::Xlsb(Box::new(calamine::Xlsb::new(file)?)),
            "ods" => Book::Ods(Box::new(calamine::Ods::new(file)?)),
            _ => Book::Xlsx(Box::new(calamine::Xlsx::new(file)?)),
        })
    }

    /// Names of the sheets of cells, those that are hidden last.
    fn sheets(&self) -> Vec<String> {
        let all = match self {
            Book::Xlsx(book) => book.sheets_metadata(),
            Book::Xlsb(book) => book.sheets_metadata(),
            Book::Xls(book) => book.sheets_metadata(),
            Book::Ods(book) => book.sheets_metadata(),
        };
        let cells = all.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        let (shown, hidden): (Vec<_>, Vec<_>) =
            cells.partition(|sheet| sheet.visible == SheetVisible::Visible);
        shown.into_iter().chain(hidden).map(|sheet| sheet.name.clone()).collect()
    }

    /// Writes a sheet's rows; what failed in the workbook, or in writing.
    fn write(&mut self, sheet: &str, rows: &mut Rows, out: &mut dyn Write) -> Outcome<io::Result<()>> {
        let range = match self {
            Book::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(sheet)?;
                while let Some(cell) = cells.next_cell()? {
                    if let Err(e) = rows.cell(cell.get_position(), cell.get_value(), out) {
                        return Ok(Err(e));
                    }
                }
                return Ok(Ok(()));
            }
            Book::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(sheet)?;
                while let Some(cell) = cells.next_cell()? {
                    if let Err(e) = rows.cell(cell.get_position(), cell.get_value(), out) {
                        return Ok(Err(e));
                    }
                }
                return Ok(Ok(()));
            }
            Book::Xls(book) => book.worksheet_range(sheet)?,
            Book::Ods(book) => book.worksheet_range(sheet)?,
        };
        let (top, left) = range.start().unwrap_or_default();
        for (row, column, value) in range.used_cells() {
            if let Err(e) = rows.cell((top + row as u32, left + column as u32), value, out) {
                return Ok(Err(e));
            }
        }
        Ok(Ok(()))
    }
}
