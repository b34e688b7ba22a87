//! Names beside the matrix in a `.npz`: arrays called `genes`, `var_names`, `samples`, `obs_names`, `columns`, … They are
//! texts, whole numbers, or Python objects that are such. They count where their lengths fit.

use std::io::Read;
use std::path::Path;

use super::zip::{Member, Zip};
use super::{MatrixFile, Orientation, pickle};
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::store::npy;

/// What an array's name says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Genes,
    Samples,
    Rows,
    Columns,
}

fn side(name: &str) -> Option<Side> {
    Some(match name.to_lowercase().as_str() {
        "genes" | "gene" | "gene_names" | "gene_name" | "gene_ids" | "gene_id" | "var" | "var_names"
        | "features" | "feature_names" | "symbols" | "gene_symbols" | "probes" | "probe_ids" => Side::Genes,
        "samples" | "sample" | "sample_names" | "sample_ids" | "sample_id" | "obs" | "obs_names"
        | "cells" | "cell" | "cell_names" | "cell_ids" | "barcodes" | "patients" => Side::Samples,
        "rows" | "row" | "row_names" | "rownames" | "index" => Side::Rows,
        "columns" | "cols" | "col" | "column_names" | "col_names" | "colnames" => Side::Columns,
        _ => return None,
    })
}

/// An array of names.
struct Names {
    name: String,
    side: Side,
    ids: Vec<String>,
}

/// The largest array of names that is read.
const MOST: u64 = 1 << 28;

/// Members of `scipy.sparse.save_npz` and the matrix itself are no names.
const NOT_NAMES: [&str; 8] = ["indptr", "indices", "data", "format", "shape", "X", "matrix", "_is_array"];

/// The matrix `file` with the names that lie beside it; `own` is the member that holds the matrix.
pub(super) fn add(path: &Path, zip: &Zip, own: &str, mut file: MatrixFile) -> Result<MatrixFile> {
    let mut unread = Vec::new();
    let mut all = Vec::new();
    for member in &zip.members {
        let name = member.name.trim_end_matches(".npy");
        let Some(side) = side(name).filter(|_| name != own && !NOT_NAMES.contains(&name)) else { continue };
        // What fits neither side is not worth unpacking, whatever it was packed to.
        let (length, sides) = (length(path, zip, member)?, sides(&file));
        if length != sides.0 && length != sides.1 {
            file.warnings.push(misfit(path, name, length, sides));
            continue;
        }
        match texts(path, zip, member)? {
            Some(ids) => all.push(Names { name: name.to_string(), side, ids }),
            None => unread.push(name),
        }
    }
    for name in unread {
        file.warnings.push(format!(
            "{}: {name} holds no plain texts and is not used; save it as {name}=np.asarray({name}, dtype=str)",
            path.display()
        ));
    }
    Ok(if all.is_empty() { file } else { place(path, all, file) })
}

/// Rows and columns, as they lie in the array.
fn sides(file: &MatrixFile) -> (usize, usize) {
    let table = file.rows.as_ref().map_or(0, Table::len);
    if file.transposed { (file.columns.len(), table) } else { (table, file.columns.len()) }
}

fn misfit(path: &Path, name: &str, length: usize, (n, m): (usize, usize)) -> String {
    let path = path.display();
    format!(
        "{path}: {name} has {length} names, which fit neither side of {n} × {m} as it should; it is not used"
    )
}

/// How many elements an array has.
fn length(path: &Path, zip: &Zip, member: &Member) -> Result<usize> {
    let called = format!("{}, {}", path.display(), member.name);
    let header = npy::parse(&mut zip.read(member)?).map_err(|e| Error::input(&called, e))?;
    Ok(header.shape.iter().fold(1, |n: usize, length| n.saturating_mul(*length)))
}

/// Puts the names where they fit, and tells the orientation where they tell it.
fn place(path: &Path, all: Vec<Names>, mut file: MatrixFile) -> MatrixFile {
    let table = file.rows.take().unwrap_or_default();
    let (rows, columns) = if file.transposed { (&file.columns, &table) } else { (&table, &file.columns) };
    let (n, m) = (rows.len(), columns.len());
    let fits =
        |side: Side, length: usize| all.iter().any(|names| names.side == side && names.ids.len() == length);
    let turned = |usual: bool| {
        let (genes, samples) = if usual { (m, n) } else { (n, m) };
        (fits(Side::Genes, genes) as u8) + (fits(Side::Samples, samples) as u8)
    };
    let genes_first = turned(false) > turned(true);
    let (mut by_row, mut by_column) = (Vec::new(), Vec::new());
    for names in &all {
        let first = match names.side {
            Side::Genes => genes_first,
            Side::Samples => !genes_first,
            Side::Rows => true,
            Side::Columns => false,
        };
        match (first, names.ids.len()) {
            (true, length) if length == n => by_row.push(names),
            (false, length) if length == m => by_column.push(names),
            (_, length) => file.warnings.push(misfit(path, &names.name, length, (n, m))),
        }
    }
    let used: Vec<&str> = by_row.iter().chain(&by_column).map(|names| names.name.as_str()).collect();
    if !used.is_empty() {
        file.notes.push(format!(
            "{}: names come from {}, beside the matrix",
            path.display(),
            used.join(", ")
        ));
    }
    let numbered = |genes: bool, length: usize| match genes {
        true => Table::numbered("gene_id", "gene", length),
        false => Table::numbered("sample_id", "sample", length),
    };
    let named = |names: Vec<&Names>, genes: bool, length: usize| {
        let mut names = names.into_iter();
        let first = names.next();
        let mut table = first.map_or_else(|| numbered(genes, length), |n| Table::new(&n.name, n.ids.clone()));
        names.for_each(|more| table.set_column(&more.name, more.ids.clone()));
        table
    };
    let (has_rows, has_columns) = (!by_row.is_empty(), !by_column.is_empty());
    let told = turned(false) + turned(true) > 0;
    let (rows, columns) = (named(by_row, genes_first, n), named(by_column, !genes_first, m));
    let (rows, columns) = if file.transposed { (columns, rows) } else { (rows, columns) };
    MatrixFile {
        natural: Some(if genes_first { Orientation::GenesBySamples } else { Orientation::SamplesByGenes }),
        reason: told.then_some("by the lengths of the names beside it").or(file.reason),
        habit: !told, // then names of rows and columns may tell
        unnamed: !has_rows && !has_columns,
        nameable: true,
        rows: Some(rows),
        columns,
        ..file
    }
}

/// The texts in an array of one dimension (or of one row or column); `None` for anything else.
fn texts(path: &Path, zip: &Zip, member: &Member) -> Result<Option<Vec<String>>> {
    let mut input = zip.read(member)?;
    let called = format!("{}, {}", path.display(), member.name);
    let header = npy::parse(&mut input).map_err(|e| Error::input(&called, e))?;
    let n = header.shape.iter().fold(1, |n: usize, length| n.saturating_mul(*length));
    if member.bytes > MOST || header.shape.iter().filter(|length| **length != 1).count() > 1 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let failed = |e| super::compressed::failed(Path::new(&called), &e);
    input.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    let ids = if header.descr.ends_with('O') { pickle::texts(&bytes) } else { plain(&header.descr, &bytes) };
    Ok(ids.filter(|ids| ids.len() == n))
}

/// The elements of NumPy's types U, S, i and u.
fn plain(descr: &str, bytes: &[u8]) -> Option<Vec<String>> {
    let (order, kind) = (descr.get(..1)?, descr.get(1..2)?);
    let size: usize = descr.get(2..)?.parse().ok()?;
    let big = order == ">";
    let character = |word: &[u8]| {
        let word: [u8; 4] = word.try_into().unwrap_or_default();
        let code = if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) };
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    let width = if kind == "U" { size.checked_mul(4)? } else { size };
    if width == 0 {
        return None;
    }
    let elements = bytes.chunks_exact(width);
    Some(match kind {
        "U" => elements
            .map(|e| e.chunks_exact(4).map(character).collect::<String>().trim_end_matches('\0').to_string())
            .collect(),
        "S" => elements.map(|e| String::from_utf8_lossy(e).trim_end_matches('\0').to_string()).collect(),
        "i" | "u" if width <= 8 => elements.map(|e| integer(e, big, kind == "i")).collect(),
        _ => return None,
    })
}

fn integer(bytes: &[u8], big: bool, signed: bool) -> String {
    let mut bytes = bytes.to_vec();
    if big {
        bytes.reverse();
    }
    let negative = signed && bytes.last().is_some_and(|b| *b & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(&bytes);
    if signed { i64::from_le_bytes(wide).to_string() } else { u64::from_le_bytes(wide).to_string() }
}
