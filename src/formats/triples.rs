//! A sparse matrix and the tables beside it, as 10x Genomics, STARsolo, kb-python, alevin and others write them: `matrix.mtx`,
//! `features.tsv` or `genes.tsv`, `barcodes.tsv`; `cells_x_genes.mtx` with `.genes.txt` and `.barcodes.txt`; `quants_mat.mtx`
//! with `_cols.txt` and `_rows.txt`; each perhaps packed, with a prefix, with a header.
//!
//! The names of the files tell what belongs together, the lengths of the tables which way round the matrix lies.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::orientation::Rows;
use super::sides::Side;
use super::{MatrixFile, Orientation, PACKED, ReadSettings, mtx};
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::progress::{Event, Reporter};

/// What a file of a triple holds, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Matrix,
    Genes,
    /// kb-python's `.genes.names.txt`, beside the ids.
    Symbols,
    Samples,
    /// alevin's and the Expression Atlas's: which side is which, their lengths tell.
    Rows,
    Columns,
}

/// A file and what its name says.
#[derive(Debug, Clone)]
struct Member {
    path: PathBuf,
    role: Role,
    /// The name without endings and without the word of its role: `GSM1_A` of `GSM1_A_matrix.mtx.gz`.
    key: String,
    /// The name without endings.
    stem: String,
}

/// Endings of the tables.
const TABLES: [&str; 5] = ["tsv", "txt", "csv", "mtx_rows", "mtx_cols"];

/// Words of names, and what they say. The last such word of a name counts.
fn role(word: &str) -> Option<Role> {
    Some(match word {
        "features" | "feature" | "genes" | "gene" | "peaks" => Role::Genes,
        "barcodes" | "barcode" | "cells" | "cell" | "samples" => Role::Samples,
        "rows" | "rownames" => Role::Rows,
        "cols" | "columns" | "colnames" => Role::Columns,
        _ => return None,
    })
}

/// Words that a matrix is called by.
const MATRIX: [&str; 6] = ["matrix", "counts", "count", "mat", "mtx", "dge"];

impl Member {
    fn of(path: PathBuf) -> Option<Member> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let name = PACKED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        let (stem, ending) = name.rsplit_once('.')?;
        if name.starts_with('.') || !path.is_file() {
            return None;
        }
        let words: Vec<&str> = stem.split(['.', '_', '-']).collect();
        let (role, at) = match ending {
            "mtx" => (Role::Matrix, words.iter().rposition(|word| MATRIX.contains(word))),
            "mtx_rows" => (Role::Rows, None),
            "mtx_cols" => (Role::Columns, None),
            ending if TABLES.contains(&ending) => {
                let at = words.iter().rposition(|word| role(word).is_some())?;
                (role(words[at])?, Some(at))
            }
            _ => return None,
        };
        let symbols = role == Role::Genes && words.last() == Some(&"names");
        let last = words.len().saturating_sub(1);
        let here = |i: usize| Some(i) == at || (symbols && i == last);
        let key: Vec<&str> = (0..words.len()).filter(|i| !here(*i)).map(|i| words[i]).collect();
        let role = if symbols { Role::Symbols } else { role };
        Some(Member { role, key: key.join("_"), stem: words.join("_"), path })
    }

    /// How well a table belongs to this matrix: by the matrix's whole name, by its prefix, or as the only one of its folder.
    fn owns(&self, table: &Member) -> Option<u8> {
        let own = [&self.stem, &self.key].into_iter().position(|key| *key == table.key);
        let (own, bare) = (own.map(|at| at as u8), table.key.is_empty());
        own.or(bare.then_some(2))
    }
}

/// The files of a folder that may belong to a triple.
fn members(directory: &Path) -> Result<Vec<Member>> {
    let entries = directory.read_dir().map_err(Error::io(directory, "reading"))?;
    let mut members: Vec<Member> = entries.flatten().filter_map(|entry| Member::of(entry.path())).collect();
    members.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(members)
}

fn of_role(members: &[Member], role: Role) -> Vec<&Member> {
    members.iter().filter(|member| member.role == role).collect()
}

/// Whether a directory holds such a matrix.
pub(super) fn is_directory(path: &Path) -> bool {
    members(path).is_ok_and(|members| !of_role(&members, Role::Matrix).is_empty())
}

/// Opens a directory of one matrix and its tables.
///
/// # Errors
/// A directory without a matrix, with several, or with tables that do not fit.
pub(super) fn open_directory(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let members = members(path)?;
    let refuse = |message: String| Err(Error::input(path, message));
    let matrices = of_role(&members, Role::Matrix);
    let matrix = match matrices.as_slice() {
        [] => return refuse(nothing_here(path)),
        [one] => *one,
        several => {
            let names = listed(several);
            if let Some((first, second)) = twice(several) {
                return refuse(format!("holds both {first} and {second}; leave one"));
            }
            if several_samples(&members).is_some() {
                return refuse(format!(
                    "holds several samples ({names}); `genelift import` joins them, or name the .mtx of one"
                ));
            }
            // STARsolo puts other counts of the same cells beside it.
            match several.iter().find(|matrix| matrix.stem == "matrix") {
                Some(matrix) => *matrix,
                None => return refuse(format!("holds several matrices ({names}); name the file of one")),
            }
        }
    };
    let mut file = Triple::of(matrix, &members).open(true, settings)?;
    if matrices.len() > 1 {
        let (path, read) = (path.display(), name(&matrix.path));
        file.notes.push(format!("{path}: {read} is read of {}", listed(&matrices)));
    }
    Ok(MatrixFile { beside: Vec::new(), ..file }) // the whole directory counts as the input
}

/// Opens a `.mtx`, with the tables beside it where they fit.
///
/// # Errors
/// Those of the matrix; tables of its own name that cannot be read.
pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let whole = Member::of(path.to_path_buf()).filter(|member| member.role == Role::Matrix);
    let Some(matrix) = whole else { return Triple::alone(path).open(false, settings) };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let members = members(folder).unwrap_or_default();
    Triple::of(&matrix, &members).open(false, settings)
}

/// The samples of a directory that holds several: the matrix of each, and its prefix.
///
/// # Errors
/// A directory that cannot be read.
pub(super) fn samples(directory: &Path) -> Result<Option<Vec<(PathBuf, String)>>> {
    let members = members(directory)?;
    let Some(matrices) = several_samples(&members) else { return Ok(None) };
    Ok(Some(matrices.into_iter().map(|matrix| (matrix.path.clone(), prefix(matrix))).collect()))
}

/// The inputs, with the matrices of a directory that holds several samples in its place; and the prefix of each.
pub(super) fn expanded(
    inputs: &[PathBuf],
    report: Reporter,
) -> Result<(Vec<PathBuf>, HashMap<PathBuf, String>)> {
    let (mut files, mut prefixes) = (Vec::new(), HashMap::new());
    for input in inputs {
        match if input.is_dir() { samples(input)? } else { None } {
            None => files.push(input.clone()),
            Some(joined) => {
                let names: Vec<&str> = joined.iter().take(6).map(|(_, prefix)| prefix.as_str()).collect();
                let more = if joined.len() > names.len() { ", …" } else { "" };
                report(Event::Note(format!(
                    "{}: {} samples are joined ({}{more}); their names stand before the ids of their cells and in the column \
                     sample",
                    input.display(),
                    joined.len(),
                    names.join(", ")
                )));
                files.extend(joined.iter().map(|(path, _)| path.clone()));
                prefixes.extend(joined);
            }
        }
    }
    Ok((files, prefixes))
}

/// Puts the prefix of a sample before the ids of its cells, and beside them as a column.
pub(super) fn mark(file: &mut MatrixFile, prefix: &str) {
    let rows_are_samples = (file.natural == Some(Orientation::SamplesByGenes)) != file.transposed;
    let cells = match &mut file.rows {
        Some(rows) if rows_are_samples => rows,
        _ => &mut file.columns,
    };
    cells.ids.iter_mut().for_each(|id| *id = format!("{prefix}_{id}"));
    cells.set_column("sample", vec![prefix.to_string(); cells.len()]);
}

/// The matrices, where there are several and each has barcodes of its own.
fn several_samples(members: &[Member]) -> Option<Vec<&Member>> {
    let matrices = of_role(members, Role::Matrix);
    let own = |matrix: &&Member| {
        let cells = |table: &&Member| matches!(table.role, Role::Samples | Role::Rows | Role::Columns);
        members
            .iter()
            .filter(cells)
            .any(|table| matrix.owns(table).is_some_and(|how| how < 2) && !table.key.is_empty())
    };
    (matrices.len() > 1 && twice(&matrices).is_none() && matrices.iter().all(own)).then_some(matrices)
}

/// The prefix as it is spelt in the file's name.
fn prefix(matrix: &Member) -> String {
    let spelt = name(&matrix.path);
    let at = spelt.to_lowercase().find(&matrix.key).filter(|_| !matrix.key.is_empty());
    at.and_then(|at| spelt.get(at..at + matrix.key.len())).map_or(matrix.key.clone(), str::to_string)
}

/// Two files of one matrix, plain and packed.
fn twice(matrices: &[&Member]) -> Option<(String, String)> {
    let same = |pair: &[&Member]| pair[0].stem == pair[1].stem;
    matrices.windows(2).find(|pair| same(pair)).map(|pair| (name(&pair[0].path), name(&pair[1].path)))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn listed(members: &[&Member]) -> String {
    let names: Vec<String> = members.iter().take(6).map(|member| name(&member.path)).collect();
    let more = if members.len() > names.len() { ", …" } else { "" };
    names.join(", ") + more
}

/// What is said of a directory without a matrix.
fn nothing_here(path: &Path) -> String {
    if let Some(message) = super::unread::folder(path) {
        return message;
    }
    let inner: Vec<PathBuf> =
        path.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let mut inner: Vec<String> =
        inner.iter().filter(|inner| inner.is_dir() && is_directory(inner)).map(|inner| name(inner)).collect();
    inner.sort();
    if inner.is_empty() {
        return "is a directory; a matrix file is needed, or a 10x directory (matrix.mtx, features.tsv, barcodes.tsv)"
            .into();
    }
    format!("is a directory; the matrices are in {} in it: name one or several of these", inner.join(", "))
}

/// A matrix and the tables that its and their names join.
struct Triple {
    matrix: PathBuf,
    /// Those that belong to it most closely, of each role.
    tables: Vec<Member>,
    /// Whether the name says that cells come first, as kb-python's `cells_x_genes` does.
    cells_first: bool,
}

/// The tables of a matrix, as they were read.
struct Sides {
    sides: Vec<(Member, Side)>,
    rows: usize,
    columns: usize,
}

impl Triple {
    fn alone(matrix: &Path) -> Triple {
        Triple { matrix: matrix.to_path_buf(), tables: Vec::new(), cells_first: false }
    }

    fn of(matrix: &Member, members: &[Member]) -> Triple {
        let roles = [Role::Genes, Role::Symbols, Role::Samples, Role::Rows, Role::Columns];
        let closest = |role: Role| {
            let mut owned: Vec<(u8, &Member)> = of_role(members, role)
                .into_iter()
                .filter_map(|table| Some((matrix.owns(table)?, table)))
                .collect();
            owned.sort_by_key(|(how, _)| *how);
            let best = owned.first().map_or(0, |(how, _)| *how);
            owned.into_iter().filter(move |(how, _)| *how == best).map(|(_, table)| table.clone())
        };
        Triple {
            tables: roles.into_iter().flat_map(closest).collect(),
            cells_first: matrix.stem.contains("cells_x_"),
            matrix: matrix.path.clone(),
        }
    }

    /// Opens the matrix with its tables; where both are `needed`, they must be there and fit.
    fn open(self, needed: bool, settings: &ReadSettings) -> Result<MatrixFile> {
        let matrix = mtx::open(&self.matrix, settings)?;
        let (rows, columns) = (matrix.rows, matrix.columns);
        let mut sides = Sides { sides: Vec::new(), rows, columns };
        for table in self.tables {
            let side = Side::read(&table.path)?;
            sides.sides.push((table, side));
        }
        let natural = sides.orientation(self.cells_first);
        let genes_first = natural == Orientation::GenesBySamples;
        let (n_genes, n_samples) = if genes_first { (rows, columns) } else { (columns, rows) };
        let genes = sides.names(&self.matrix, Rows::Genes, n_genes, genes_first)?;
        let samples = sides.names(&self.matrix, Rows::Samples, n_samples, !genes_first)?;
        if needed {
            sides.refuse(&self.matrix, genes.is_none(), samples.is_none())?;
        }
        let mut notes = sides.notes();
        let (unnamed, named) = (genes.is_none() && samples.is_none(), genes.is_some() && samples.is_some());
        if !named {
            notes.push(made_up(&self.matrix, genes.is_none(), samples.is_none()));
        }
        let beside =
            vec![&genes, &samples].into_iter().flatten().map(|(_, path, role)| (path.clone(), *role));
        let beside: Vec<(PathBuf, &'static str)> = beside.collect();
        if !needed && !beside.is_empty() {
            let names: Vec<String> = beside.iter().map(|(path, _)| name(path)).collect();
            notes.push(format!(
                "{}: names come from {} beside it",
                self.matrix.display(),
                names.join(" and ")
            ));
        }
        let genes = genes.map_or_else(|| Table::numbered("gene_id", "gene", n_genes), |(table, ..)| table);
        let samples =
            samples.map_or_else(|| Table::numbered("sample_id", "sample", n_samples), |(table, ..)| table);
        let warnings = types(&self.matrix, &genes).into_iter().collect();
        let format = if needed || named { "10x-mtx" } else { "mtx" };
        let (first, second) = if genes_first { (genes, samples) } else { (samples, genes) };
        let reason = (!unnamed).then_some("by the lengths of the tables beside it");
        Ok(MatrixFile {
            habit: unnamed,
            unnamed,
            nameable: !needed,
            reason: reason.filter(|_| !genes_first),
            beside,
            notes,
            warnings,
            ..matrix.into_file(format, first, second, natural, settings)
        })
    }
}

impl Sides {
    fn fits(&self, role: Role, n: usize) -> Option<bool> {
        let mut sides = self.sides.iter().filter(|(member, _)| member.role == role).peekable();
        sides.peek()?;
        Some(sides.any(|(_, side)| side.fits(n)))
    }

    /// Genes × cells, as 10x writes it, unless the tables fit the other way round only.
    fn orientation(&self, cells_first: bool) -> Orientation {
        let fit = |genes: usize, samples: usize| {
            let (genes, samples) = (self.fits(Role::Genes, genes), self.fits(Role::Samples, samples));
            let named = genes.is_some() || samples.is_some();
            named && genes.unwrap_or(true) && samples.unwrap_or(true)
        };
        let (first, second) = (fit(self.rows, self.columns), fit(self.columns, self.rows));
        let by_axis = self.fits(Role::Rows, self.rows) == Some(true) && self.barcodes_first();
        match (first, second) {
            (false, true) => Orientation::SamplesByGenes,
            (true, true) if cells_first => Orientation::SamplesByGenes,
            (false, false) if by_axis => Orientation::SamplesByGenes,
            _ => Orientation::GenesBySamples,
        }
    }

    /// Whether the table of the rows holds barcodes of cells, as alevin's does.
    fn barcodes_first(&self) -> bool {
        let rows = self.sides.iter().find(|(member, _)| member.role == Role::Rows);
        let table = rows.and_then(|(_, side)| side.table(Rows::Samples, self.rows));
        table.is_some_and(|table| {
            let base = |b: u8| matches!(b, b'A' | b'C' | b'G' | b'T' | b'N');
            let barcode = |id: &&String| {
                let bases = id.split('-').next().unwrap_or_default();
                bases.len() >= 8 && bases.bytes().all(base)
            };
            table.ids.iter().filter(barcode).count() * 2 > table.len()
        })
    }

    /// The names of one side from the table that fits it, where there is one.
    fn names(
        &self,
        matrix: &Path,
        side: Rows,
        n: usize,
        first: bool,
    ) -> Result<Option<(Table, PathBuf, &'static str)>> {
        let (role, word) =
            if side == Rows::Genes { (Role::Genes, "genes") } else { (Role::Samples, "samples") };
        let axis = if first { Role::Rows } else { Role::Columns };
        let of = |role: Role| {
            let fitting = self.sides.iter().filter(move |(member, side)| member.role == role && side.fits(n));
            fitting.collect::<Vec<_>>()
        };
        let mut found = of(role);
        if found.is_empty() {
            found = of(axis);
        }
        if let [first, second, ..] = found.as_slice() {
            let (first, second) = (name(&first.0.path), name(&second.0.path));
            return Err(Error::input(
                matrix,
                format!("{first} and {second} both name its {word}; leave one"),
            ));
        }
        let Some((member, table)) = found.pop() else { return Ok(None) };
        let Some(mut table) = table.table(side, n) else { return Ok(None) };
        if side == Rows::Genes && table.column("symbol").is_none() {
            let symbols = of(Role::Symbols).pop().and_then(|(_, symbols)| symbols.table(side, n));
            if let Some(symbols) = symbols {
                table.set_column("symbol", symbols.ids);
            }
        }
        Ok(Some((table, member.path.clone(), word)))
    }

    fn notes(&self) -> Vec<String> {
        self.sides.iter().flat_map(|(_, side)| side.notes().to_vec()).collect()
    }

    /// Refuses a directory in which the names of a side are missing or do not fit.
    fn refuse(&self, matrix: &Path, genes: bool, samples: bool) -> Result<()> {
        let lengths = |roles: [Role; 3]| -> Vec<usize> {
            let sides = self.sides.iter().filter(|(member, _)| roles.contains(&member.role));
            sides.map(|(_, side)| side.len()).collect()
        };
        let folder = matrix.parent().unwrap_or(matrix);
        let (features, barcodes) = (
            lengths([Role::Genes, Role::Rows, Role::Columns]),
            lengths([Role::Samples, Role::Rows, Role::Columns]),
        );
        for (found, names) in [(&features, "features.tsv or genes.tsv"), (&barcodes, "barcodes.tsv")] {
            if found.is_empty() {
                let matrix = name(matrix);
                return Err(Error::input(
                    folder,
                    format!("holds no {names} (nor one packed) beside its {matrix}"),
                ));
            }
        }
        if !genes && !samples {
            return Ok(());
        }
        Err(Error::input(
            matrix,
            format!(
                "is {} × {}, but there are {} features and {} barcodes; the files do not belong together",
                self.rows, self.columns, features[0], barcodes[0]
            ),
        ))
    }
}

/// What is said of a matrix that lies without names.
fn made_up(matrix: &Path, genes: bool, samples: bool) -> String {
    let (what, options) = match (genes, samples) {
        (true, false) => ("genes are", "--genes TABLE names"),
        (false, true) => ("samples are", "--samples TABLE names"),
        _ => ("genes and samples are", "--genes TABLE and --samples TABLE name"),
    };
    format!("{}: names of {what} made up unless given; {options} them", matrix.display())
}

/// The warning about features of several types.
fn types(matrix: &Path, genes: &Table) -> Option<String> {
    let mut types = genes.column("feature_type")?.to_vec();
    types.sort_unstable();
    types.dedup();
    (types.len() > 1).then(|| {
        format!(
            "{}: features of {} types are kept ({}); their column feature_type tells them apart",
            matrix.display(),
            types.len(),
            types.join(", ")
        )
    })
}
