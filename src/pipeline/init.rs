//! A configuration for files at hand: looks at them, and writes a commented TOML that runs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use toml::Value;

use crate::error::{Error, Result};
use crate::formats::{self, FileInfo, ReadSettings};
use crate::genes::{Column, Sheet, Table, Untold};
use crate::store::{Store, is_store};

use super::cost;

/// Tables beside a matrix are no larger than this; larger files are matrices.
const TABLE_BYTES: u64 = 64 << 20;
/// A matrix has at least so many columns of values; a table about samples or genes has fewer.
const MATRIX_COLUMNS: usize = 30;
/// Groups by which it is worth to hold out: with fewer, a part is one or two groups and says little.
const GROUPS: usize = 5;
/// Columns that mostly tell which samples belong together.
const GROUP_COLUMNS: [&str; 12] = [
    "study",
    "series",
    "accession",
    "gse",
    "batch",
    "dataset",
    "project",
    "cohort",
    "plate",
    "donor",
    "patient",
    "site",
];
/// Values that are looked at.
const LOOKED_AT: usize = 1 << 20;

/// A configuration in text, and what was seen.
pub struct Start {
    /// The TOML.
    pub text: String,
    /// Which file is what.
    pub notes: Vec<String>,
}

/// What the files are.
struct Files {
    matrices: Vec<(PathBuf, FileInfo)>,
    labels: Option<(PathBuf, Sheet)>,
    gene_labels: Option<PathBuf>,
}

/// Looks at matrix files, and tables about their samples and genes among them, or at one store, and writes a configuration whose paths are
/// relative to the folder `beside`.
///
/// # Errors
/// [`Error::Input`] for a file that is neither; [`Error::Usage`] without a matrix, and for a store beside other files.
pub fn start(files: &[PathBuf], beside: &Path) -> Result<Start> {
    let found = look(files)?;
    let (_, first) = &found.matrices[0];
    let glance = Glance::of(&found.matrices[0].0);
    let mut notes: Vec<String> = found.matrices.iter().map(|(_, info)| described(info)).collect();
    let name = name_of(&found.matrices[0].0);
    let path = |path: &Path| Value::String(seen_from(beside, path)).to_string();
    let listed: Vec<String> = found.matrices.iter().map(|(file, _)| path(file)).collect();
    let mut text = format!(
        "# The whole flow, from files to a verdict: genelift run THIS.toml\n\
         # What it will do and take: genelift run THIS.toml --dry-run. All keys: genelift run --keys\n\
         # Paths are relative to this file.\n\
         output = {}\n\
         seed = 1\n\
         # device = \"auto\"             # or cpu, gpu, gpu:0\n\
         # preset = \"paper\"            # Kong et al. 2021 as they did it\n\n\
         [import]\n\
         # {}\n\
         files = [{}]\n",
        Value::String(format!("{name}-run")),
        notes.join("\n# "),
        listed.join(", ")
    );
    if let Some((file, sheet)) = &found.labels {
        text += &format!("labels = {}\n", path(file));
        let columns: Vec<&str> = sheet.columns.iter().skip(1).map(|column| column.name.as_str()).collect();
        notes.push(format!("{}: about the samples: {}", file.display(), columns.join(", ")));
    }
    if let Some(file) = &found.gene_labels {
        text += &format!("gene-labels = {}\n", path(file));
        notes.push(format!("{}: about the genes", file.display()));
    }
    if !is_store(&found.matrices[0].0) {
        text += "# missing = \"mean\"            # in place of refusing blanks, NA, NaN\n";
    }
    text += &glance.values.steps();
    text += &split(&sample_columns(&found));
    text += &format!(
        "\n[train]                       # or train = false above the tables: then no network and no list by its scores\n\
         # epochs = 100\n\
         # hidden = [500, 100, 500]\n\n\
         [select]\n\
         n = {}\n\
         # until = \"r2 0.5\"            # as few as infer samples held out so well; n is then the most\n\
         # strategy = \"diverse\"        # top, random, variance, pca, css, concrete, peel-off, facility-location, k-medoids\n\
         # include = [\"must.txt\"]      # genes that must be among them\n\n\
         # Further lists beside it, each by its own strategy:\n\
         # [lists.css]\n\
         # strategy = \"css\"\n\n\
         # A further test matrix, brought to the training samples' genes and scale:\n\
         # [tests.other]\n\
         # files = [\"other.h5ad\"]\n\
         # [tests.other.prepare]\n\
         # match-genes = \"train\"\n",
        landmarks(genes_of(first).or(glance.rows).unwrap_or_else(|| cost::shape(first).1))
    );
    Ok(Start { text, notes })
}

fn described(info: &FileInfo) -> String {
    let rows = info.rows.map_or("?".to_string(), |rows| rows.to_string());
    format!(
        "{}: {}, {rows} × {}, rows are {} ({})",
        info.path, info.format, info.columns, info.rows_are, info.reason
    )
}

/// As many as the paper takes of its 22,268, and a tenth of a smaller matrix.
fn landmarks(genes: usize) -> usize {
    (genes / 10).clamp(1, 943)
}

fn genes_of(info: &FileInfo) -> Option<usize> {
    if info.rows_are == "genes" { info.rows } else { Some(info.columns) }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().map_or("genelift".into(), |name| name.to_string_lossy().into_owned());
    name.split('.').next().filter(|name| !name.is_empty()).unwrap_or("genelift").to_string()
}

/// A path as it is called from a folder: the same where that is the present one, else from the root.
fn seen_from(beside: &Path, path: &Path) -> String {
    let here = beside.as_os_str().is_empty() || beside == Path::new(".");
    let path =
        if here { path.to_path_buf() } else { std::path::absolute(path).unwrap_or(path.to_path_buf()) };
    path.display().to_string()
}

/// Tells matrices from tables about them.
fn look(files: &[PathBuf]) -> Result<Files> {
    if let Some(store) = files.iter().find(|file| is_store(file)) {
        if files.len() > 1 {
            return Err(Error::Usage(format!(
                "{} is a store already, with what is known of its samples and genes; name it alone (`prepare` joins stores and adds tables)",
                store.display()
            )));
        }
        let matrices = vec![(store.clone(), stored(&Store::open(store)?))];
        return Ok(Files { matrices, labels: None, gene_labels: None });
    }
    let (mut matrices, mut others) = (Vec::new(), Vec::new());
    for file in files {
        let info = formats::describe(file, &ReadSettings::default());
        match info {
            Ok(info) if info.columns >= MATRIX_COLUMNS || info.bytes > TABLE_BYTES || files.len() == 1 => {
                matrices.push((file.clone(), info));
            }
            Err(error) if files.len() == 1 => return Err(error),
            other => others.push((file.clone(), other)),
        }
    }
    if matrices.is_empty() {
        let (file, info) =
            others.into_iter().next().ok_or_else(|| Error::Usage("name a matrix file".into()))?;
        matrices.push((file, info?));
        return Ok(Files { matrices, labels: None, gene_labels: None });
    }
    let mut found = Files { matrices, labels: None, gene_labels: None };
    for (file, info) in others {
        found.place(file, info)?;
    }
    Ok(found)
}

/// What a store is, in the words of matrix files.
fn stored(store: &Store) -> FileInfo {
    FileInfo {
        path: store.path().display().to_string(),
        bytes: store.bytes(),
        format: "store".into(),
        rows: Some(store.n_samples()),
        columns: store.n_genes(),
        rows_are: "samples",
        reason: "as in every store".into(),
        first_rows: store.samples().ids.iter().take(1).cloned().collect(),
        first_columns: store.genes().ids.iter().take(1).cloned().collect(),
        warnings: Vec::new(),
    }
}

impl Files {
    /// A small file beside the matrices: about their samples, about their genes, or a matrix all the same.
    fn place(&mut self, file: PathBuf, info: Result<FileInfo>) -> Result<()> {
        let sheet = Sheet::read(&file, Untold::Header);
        let of_rows = |info: &FileInfo, rows: bool| {
            if rows { info.first_rows.clone() } else { info.first_columns.clone() }
        };
        let names = |what: &str| -> HashSet<String> {
            self.matrices.iter().flat_map(|(_, info)| of_rows(info, info.rows_are == what)).collect()
        };
        let (samples, genes) = (names("samples"), names("genes"));
        let holds = |column: &Column, names: &HashSet<String>| {
            column.fields.iter().any(|field| names.contains(field))
        };
        match sheet {
            Ok(sheet) if sheet.columns.iter().any(|column| holds(column, &samples)) => {
                self.labels = Some((file, sheet));
            }
            Ok(sheet) if sheet.columns.iter().any(|column| holds(column, &genes)) => {
                self.gene_labels = Some(file)
            }
            _ => {
                let info = info.map_err(|error| {
                    Error::input(
                        &file,
                        format!(
                            "is neither a matrix nor a table about the samples or genes of one ({error})"
                        ),
                    )
                })?;
                self.matrices.push((file, info));
            }
        }
        Ok(())
    }
}

/// What the first values look like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Values {
    /// Whole numbers, some large.
    Counts,
    /// Positive and large, with fractions.
    Linear,
    /// Anything else, mostly logarithms.
    Ready,
}

/// What reading the beginning of a matrix tells.
struct Glance {
    values: Values,
    /// Where the beginning was all of it: text does not say before how many rows it has.
    rows: Option<usize>,
}

impl Glance {
    fn of(path: &Path) -> Glance {
        if let Some(store) = Some(path).filter(|path| is_store(path)).and_then(|path| Store::open(path).ok())
        {
            let samples = (LOOKED_AT / store.n_genes()).clamp(1, store.n_samples());
            let mut values = vec![0.0; samples * store.n_genes()];
            values
                .chunks_exact_mut(store.n_genes())
                .enumerate()
                .for_each(|(sample, row)| store.read_row(sample, row));
            return Glance { values: Values::of(&values), rows: None };
        }
        let Ok(mut file) = formats::open(path, &ReadSettings::default()) else {
            return Glance { values: Values::Ready, rows: None };
        };
        let (mut ids, mut values) = (Vec::new(), Vec::new());
        let mut more = Ok(true);
        while values.len() < LOOKED_AT && matches!(more, Ok(true)) {
            more = file.blocks.next(&mut ids, &mut values);
        }
        Glance { values: Values::of(&values), rows: matches!(more, Ok(false)).then_some(ids.len()) }
    }
}

impl Values {
    fn of(values: &[f32]) -> Values {
        let present = || values.iter().filter(|x| x.is_finite());
        let largest = present().copied().fold(0.0, f32::max);
        match largest > 100.0 && present().all(|x| *x >= 0.0) {
            true if present().all(|x| x.fract() == 0.0) => Values::Counts,
            true => Values::Linear,
            false => Values::Ready,
        }
    }

    /// The table of steps that such values want.
    fn steps(self) -> String {
        let head = "\n# Steps that make the matrix ready. Those that learn from samples are fitted on the training part.\n[prepare]\n";
        let steps = match self {
            Values::Counts => {
                "library-size = true           # the values are whole numbers, as counts are: to one sum,\n\
                 log1p = true                  # and their logarithm\n"
            }
            Values::Linear => {
                "log2p1 = true                 # the values are large and none is negative: their logarithm\n"
            }
            Values::Ready => "",
        };
        let more = "# quantile-normalize = true    # every sample gets the same distribution\n\
                    # dedup = true                 # near copies of samples are dropped before the split\n\
                    # min-sd = 0.1                 # genes that hardly vary are dropped\n";
        format!("{head}{steps}{more}")
    }
}

/// What is known of the samples: columns of the labels and of the first file.
fn sample_columns(found: &Files) -> Vec<(String, Vec<String>)> {
    let mut columns = Vec::new();
    if let Some((_, sheet)) = &found.labels {
        columns.extend(sheet.columns.iter().map(|column| (column.name.clone(), column.fields.clone())));
    }
    let (path, info) = &found.matrices[0];
    if let Some(store) = Some(path).filter(|path| is_store(path)).and_then(|path| Store::open(path).ok()) {
        columns.extend(store.samples().columns.clone());
    } else if let Ok(file) = formats::open(path, &ReadSettings::default()) {
        let names = if info.rows_are == "samples" { &info.first_rows } else { &info.first_columns };
        let sides = [Some(file.columns), file.rows].into_iter().flatten();
        let of_samples = |side: &Table| names.iter().any(|name| side.ids.contains(name));
        columns.extend(sides.filter(of_samples).flat_map(|side| side.columns));
    }
    columns
}

/// The table of the split: by groups where a column tells any.
fn split(columns: &[(String, Vec<String>)]) -> String {
    let distinct = |fields: &[String]| fields.iter().collect::<HashSet<_>>().len();
    let rank = |name: &str| GROUP_COLUMNS.iter().position(|known| name.to_lowercase().contains(known));
    let groups = |fields: &[String]| (GROUPS..fields.len()).contains(&distinct(fields));
    let known = columns.iter().filter(|(_, fields)| groups(fields));
    let best =
        known.filter_map(|(name, fields)| Some((rank(name)?, name, fields))).min_by_key(|(rank, ..)| *rank);
    let by = match best {
        Some((_, name, fields)) => {
            let (name, n) = (Value::String(name.clone()), distinct(fields));
            format!(
                "group-by = {name}            # {n} groups that stay together: held-out samples are of unseen ones\n"
            )
        }
        None => "# group-by = \"study\"          # a sample column whose groups stay together\n".into(),
    };
    format!("\n[split]\nfractions = [0.8, 0.2]        # to learn from, held out\n{by}")
}
