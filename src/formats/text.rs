//! Delimited text: a header line of column names, then one line a row, its name first.
//!
//! A thread unpacks the file; lines are parsed in parallel, block by block. Numbers are read where they stand;
//! only a line with quotes goes through the CSV parser.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;

use super::{Blocks, MatrixFile, ReadSettings, compressed};
use crate::error::{Error, Result};
use crate::store::Table;

/// Text that is parsed at a time.
const PIECE: usize = 8 << 20;

/// A longer line than this is no line of a matrix.
const LONGEST_LINE: usize = 256 << 20;

/// Text has no NUL byte; UTF-16, which has, is told apart for the message.
pub(super) fn magic(start: &[u8]) -> bool {
    !start.contains(&0) && !start.starts_with(crate::store::npy::MAGIC)
}

pub(super) fn open_csv(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    open(path, settings.format.as_ref().map(|_| b','))
}

pub(super) fn open_tsv(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    open(path, settings.format.as_ref().map(|_| b'\t'))
}

fn open(path: &Path, told: Option<u8>) -> Result<MatrixFile> {
    let mut lines = Lines::open(path)?;
    let mut text = lines.block()?.unwrap_or_default();
    if text.starts_with(b"\xEF\xBB\xBF") {
        text.drain(..3);
    }
    let end = memchr(b'\n', &text).unwrap_or(text.len());
    let rest = text.split_off((end + 1).min(text.len()));
    let header = trim_line(&text);
    if header.starts_with(b"#1.") {
        return Err(Error::input(path, "is a GCT file; convert it to GCTX, or strip it to one header line"));
    }
    let delimiter = told.unwrap_or_else(|| sniff(header));
    let header = split(header, delimiter).map_err(|e| Error::input(path, format!("line 1: {e}")))?;
    if header.len() < 2 {
        return Err(Error::input(
            path,
            "the header line has no tab, comma or semicolon: a matrix needs row names and at least one column",
        ));
    }

    // R leaves out the header of the row names, so the first row decides what the header's first field is.
    let mut blocks = TextBlocks { lines, pending: Some(rest), delimiter, columns: Vec::new(), row: 0 };
    let first = blocks.first_line()?;
    let fields = match &first {
        None => return Err(Error::input(path, "the matrix is empty: there is no row below the header")),
        Some(line) => split(line, delimiter).map_err(|e| Error::input(path, format!("row 1: {e}")))?.len(),
    };
    let (corner, columns) = if fields == header.len() + 1 {
        (String::new(), header)
    } else {
        (header[0].clone(), header[1..].to_vec())
    };
    blocks.columns = columns.clone();
    Ok(MatrixFile {
        format: if delimiter == b'\t' { "tsv" } else { "csv" }.into(),
        columns: Table::new("", columns),
        rows: None,
        corner,
        natural: None,
        transposed: false,
        unnamed: false,
        sentinel: None,
        warnings: Vec::new(),
        blocks: Box::new(blocks),
    })
}

/// The delimiter that occurs most often in the header.
fn sniff(header: &[u8]) -> u8 {
    let count = |d: u8| header.iter().filter(|b| **b == d).count();
    *b",;\t".iter().max_by_key(|d| count(**d)).expect("three candidates")
}

fn memchr(byte: u8, text: &[u8]) -> Option<usize> {
    text.iter().position(|b| *b == byte)
}

fn trim_line(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The fields of one line, unquoted.
fn split(line: &[u8], delimiter: u8) -> std::result::Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(line);
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(_) if line.iter().filter(|b| **b == b'"').count() % 2 == 1 => {
            Err("a quoted field does not end on its line".into())
        }
        Ok(_) => Ok(record.iter().map(|field| field.trim().to_string()).collect()),
        Err(_) => Err("the line is not UTF-8 text; save the file as UTF-8".into()),
    }
}

/// Whole lines of a file, in blocks of about [`PIECE`] bytes, unpacked by a thread of its own.
struct Lines {
    path: PathBuf,
    pieces: Receiver<std::io::Result<Vec<u8>>>,
    rest: Vec<u8>,
    ended: bool,
    consumed: Arc<AtomicU64>,
    bytes: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Lines> {
        let consumed = Arc::new(AtomicU64::new(0));
        let bytes = path.metadata().map_err(Error::io(path, "reading"))?.len();
        let (mut input, _) = compressed::open(path, consumed.clone())?;
        // The thread ends with the file, with an error, or when nobody listens any more.
        let (send, pieces) = sync_channel(2);
        std::thread::spawn(move || {
            loop {
                let mut piece = Vec::with_capacity(PIECE);
                let result = input.by_ref().take(PIECE as u64).read_to_end(&mut piece);
                let over = result.is_err() || piece.len() < PIECE;
                if send.send(result.map(|_| piece)).is_err() || over {
                    return;
                }
            }
        });
        Ok(Lines { path: path.to_path_buf(), pieces, rest: Vec::new(), ended: false, consumed, bytes })
    }

    /// The next lines, the last one of the file perhaps without its line break.
    fn block(&mut self) -> Result<Option<Vec<u8>>> {
        while !self.ended {
            let Ok(piece) = self.pieces.recv() else {
                self.ended = true;
                break;
            };
            let piece = piece.map_err(|e| compressed::failed(&self.path, &e))?;
            let Some(end) = piece.iter().rposition(|b| *b == b'\n') else {
                self.rest.extend(piece);
                if self.rest.len() > LONGEST_LINE {
                    let message = "a line is longer than 256 MiB; is this a text file with one row a line?";
                    return Err(Error::input(&self.path, message));
                }
                continue;
            };
            let mut block = std::mem::take(&mut self.rest);
            block.extend_from_slice(&piece[..=end]);
            self.rest = piece[end + 1..].to_vec();
            return Ok(Some(block));
        }
        Ok(Some(std::mem::take(&mut self.rest)).filter(|rest| !rest.is_empty()))
    }
}

struct TextBlocks {
    lines: Lines,
    pending: Option<Vec<u8>>,
    delimiter: u8,
    columns: Vec<String>,
    /// Rows read so far.
    row: usize,
}

impl TextBlocks {
    /// The first line that is not blank, left in place.
    fn first_line(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let text = self.pending.take().unwrap_or_default();
            let line = text.split(|b| *b == b'\n').map(trim_line).find(|line| !line.is_empty());
            if let Some(line) = line {
                let line = line.to_vec();
                self.pending = Some(text);
                return Ok(Some(line));
            }
            match self.lines.block()? {
                None => return Ok(None),
                more => self.pending = more,
            }
        }
    }
}

impl Blocks for TextBlocks {
    fn next(&mut self, ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        let text = match self.pending.take() {
            Some(text) => text,
            None => match self.lines.block()? {
                Some(text) => text,
                None => return Ok(false),
            },
        };
        let n = self.columns.len();
        let lines: Vec<&[u8]> =
            text.split(|b| *b == b'\n').map(trim_line).filter(|line| !line.is_empty()).collect();
        let start = values.len();
        values.resize(start + lines.len() * n, 0.0);
        let delimiter = self.delimiter;
        let parsed: Vec<std::result::Result<String, RowError>> = values[start..]
            .par_chunks_mut(n)
            .zip(&lines)
            .map(|(out, line)| parse_row(line, delimiter, out))
            .collect();
        for (i, (row, line)) in parsed.into_iter().zip(&lines).enumerate() {
            match row {
                Ok(id) => ids.push(id),
                Err(error) => {
                    let id =
                        split(line, delimiter).ok().and_then(|f| f.into_iter().next()).unwrap_or_default();
                    let message = error.message(self.row + i + 1, &id, &self.columns);
                    return Err(Error::input(&self.lines.path, message));
                }
            }
        }
        self.row += lines.len();
        Ok(true)
    }

    fn done(&self) -> f64 {
        self.lines.consumed.load(Ordering::Relaxed) as f64 / self.lines.bytes.max(1) as f64
    }
}

/// What is wrong with a row.
#[derive(Debug, PartialEq)]
enum RowError {
    /// The number of fields found, the row's name among them.
    Ragged(usize),
    /// Column (from 0) and text of a field that is no number.
    Word(usize, String),
    /// A broken quotation or encoding.
    Broken(String),
}

impl RowError {
    fn message(self, row: usize, id: &str, columns: &[String]) -> String {
        match self {
            RowError::Ragged(found) => format!(
                "row {row} ({id:?}) has {found} fields where the header calls for {}: the row's name and {} \
                 numbers; the file may be truncated or a field may be missing",
                columns.len() + 1,
                columns.len()
            ),
            RowError::Word(column, word) => {
                let comma = word.split_once(',').is_some_and(|(a, b)| {
                    let digits = |s: &str| s.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
                    digits(a) && !b.is_empty() && digits(b)
                });
                let remedy = if comma {
                    "write numbers with a decimal point instead of a comma"
                } else {
                    "only the first line and the first column may hold words; missing values are NA, NaN, null or \
                     empty"
                };
                let word: String = word.chars().take(40).collect();
                let name = &columns[column];
                format!(
                    "row {row} ({id:?}), column {} ({name:?}): {word:?} is not a number; {remedy}",
                    column + 2
                )
            }
            RowError::Broken(message) => format!("row {row}: {message}"),
        }
    }
}

/// Parses the numbers of a line into `out` and returns its name.
fn parse_row(line: &[u8], delimiter: u8, out: &mut [f32]) -> std::result::Result<String, RowError> {
    if line.contains(&b'"') {
        let fields = split(line, delimiter).map_err(RowError::Broken)?;
        if fields.len() != out.len() + 1 {
            return Err(RowError::Ragged(fields.len()));
        }
        for (column, (value, field)) in out.iter_mut().zip(&fields[1..]).enumerate() {
            *value = number(field.as_bytes()).ok_or_else(|| RowError::Word(column, field.clone()))?;
        }
        return Ok(fields.into_iter().next().unwrap_or_default());
    }
    let ragged = || RowError::Ragged(line.iter().filter(|b| **b == delimiter).count() + 1);
    let end = memchr(delimiter, line).ok_or_else(ragged)?;
    let id = std::str::from_utf8(&line[..end])
        .map_err(|_| RowError::Broken("the name is not UTF-8 text; save the file as UTF-8".into()))?;
    let (mut at, last) = (end + 1, out.len() - 1);
    for (column, value) in out.iter_mut().enumerate() {
        // The common case: a number that ends at the delimiter.
        let rest = &line[at..];
        let length = match fast_float2::parse_partial::<f32, _>(rest) {
            Ok((x, n)) if rest.get(n).is_none_or(|b| *b == delimiter) => {
                *value = x;
                n
            }
            _ => {
                let n = memchr(delimiter, rest).unwrap_or(rest.len());
                match number(&rest[..n]) {
                    Some(x) => *value = x,
                    // A row of the wrong length is the better message.
                    None if ragged() != RowError::Ragged(last + 2) => return Err(ragged()),
                    None => {
                        return Err(RowError::Word(column, String::from_utf8_lossy(&rest[..n]).into_owned()));
                    }
                }
                n
            }
        };
        at += length + 1;
        // One field too few, or one too many.
        if (at > line.len()) != (column == last) {
            return Err(ragged());
        }
    }
    Ok(id.trim().to_string())
}

/// A number, with spaces around it, a leading plus, or one of the spellings of a missing value (NaN).
fn number(field: &[u8]) -> Option<f32> {
    let field = field.trim_ascii();
    let missing = ["", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"];
    if missing.iter().any(|m| field.eq_ignore_ascii_case(m.as_bytes())) {
        return Some(f32::NAN);
    }
    fast_float2::parse(field.strip_prefix(b"+").unwrap_or(field)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_parse() {
        let mut out = [0.0; 4];
        assert_eq!(parse_row(b"a b\t1\t-2.5e3\t+7\t 0.1 ", b'\t', &mut out), Ok("a b".into()));
        assert_eq!(out, [1.0, -2500.0, 7.0, 0.1]);
        assert_eq!(parse_row(b"\"x,y\",1,\"2\",3,4", b',', &mut out), Ok("x,y".into()));
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
        for line in ["s,NA,N/A,null,", "s,nan,NaN,None,NULL", "s,,,,"] {
            assert_eq!(parse_row(line.as_bytes(), b',', &mut out), Ok("s".into()));
            assert!(out.iter().all(|x| x.is_nan()), "{line}: {out:?}");
        }
        assert_eq!(parse_row(b"s,1e39,-inf,1,2", b',', &mut out), Ok("s".into()));
        assert_eq!(out[..2], [f32::INFINITY, f32::NEG_INFINITY]); // counted as missing by the import
    }

    #[test]
    fn bad_rows_are_told_apart() {
        let mut out = [0.0; 3];
        let mut parse = |line: &str| parse_row(line.as_bytes(), b',', &mut out).expect_err(line);
        assert_eq!(parse("s,1,2"), RowError::Ragged(3));
        assert_eq!(parse("s,1,2,3,4"), RowError::Ragged(5));
        assert_eq!(parse("s,1,2,3,"), RowError::Ragged(5));
        assert_eq!(parse("s"), RowError::Ragged(1));
        assert_eq!(parse("s,1,x,3"), RowError::Word(1, "x".into()));
        assert_eq!(parse("s,1,2,3x"), RowError::Word(2, "3x".into()));
        assert_eq!(parse("s,1,0x10,3"), RowError::Word(1, "0x10".into()));
        assert_eq!(parse("s,1,\"a\",3"), RowError::Word(1, "a".into()));
        assert!(matches!(parse("s,1,\"2,3"), RowError::Broken(_)));
        let message = RowError::Word(0, "-1,5".into()).message(1, "s", &["g".into()]);
        assert!(message.contains("row 1 (\"s\"), column 2 (\"g\")") && message.contains("decimal point"));
    }
}
