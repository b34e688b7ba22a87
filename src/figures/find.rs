//! What can be drawn from a path.

use std::path::{Path, PathBuf};

use super::table::Table;
use super::{
    Figure, clusters, comparison, curves, enrichment, evaluation, explanation, overlap, ranking, samples,
    stability,
};
use crate::error::{Error, Result};

/// As [`super::of`].
pub(super) fn of(path: &Path) -> Result<Vec<Figure>> {
    let found = if path.is_dir() { folder(path)? } else { single(path)? };
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::input(
            path,
            "holds nothing that can be drawn; expected a run's folder, an evaluation, a comparison, a clustering, an explanation, a history, scores, \
             landmarks or an enrichment, as genelift writes them",
        )),
    }
}

/// What makes figures of a folder.
type Maker = fn(&Path) -> Result<Vec<Figure>>;

/// Folders by the files that they have.
const FOLDERS: [(&str, Maker); 5] = [
    ("run.json", run),
    ("compare.json", comparison::figures),
    ("evaluation.json", evaluation::figures),
    ("clustering.json", clusters::figures),
    ("explanation.json", explanation::figures),
];

fn folder(path: &Path) -> Result<Vec<Figure>> {
    let made = FOLDERS.iter().find(|(file, _)| path.join(file).is_file());
    made.map_or_else(|| Ok(Vec::new()), |(_, make)| make(path))
}

/// Of a run's folder all that is there: a run under way has a part, and a table in it may be without a row.
fn run(dir: &Path) -> Result<Vec<Figure>> {
    let mut found = Vec::new();
    for name in ["history.tsv", "evaluation", "comparison", "clusters"] {
        found.extend(part(&dir.join(name))?);
    }
    found.extend(or_nothing(scores(dir))?);
    if dir.join("stability.tsv").is_file() {
        found.extend(or_nothing(stability::of_run(dir))?);
    }
    found.extend(part(&dir.join("enrichment.tsv"))?);
    if found.iter().all(|figure| figure.name != "overlap") {
        found.extend(or_nothing(lists(dir).map(|lists| overlap::figure(&lists).into_iter().collect()))?);
    }
    if let Some(store) = samples::store_of(dir) {
        let landmarks = dir.join("landmarks.tsv");
        let landmarks = landmarks.is_file().then_some(landmarks.as_path());
        found.extend(or_nothing(samples::figures(&store, landmarks))?);
    }
    Ok(found)
}

/// A part of a run, where it is there.
fn part(path: &Path) -> Result<Vec<Figure>> {
    match path.is_dir() {
        true => or_nothing(folder(path)),
        false if path.is_file() => or_nothing(single(path)),
        false => Ok(Vec::new()),
    }
}

/// What is well formed and has nothing to draw is left out; what is damaged is not.
fn or_nothing(figures: Result<Vec<Figure>>) -> Result<Vec<Figure>> {
    match figures {
        Err(Error::Data(_)) => Ok(Vec::new()),
        other => other,
    }
}

/// The ranking by a run's scores, with a mark at as many as it chose.
fn scores(dir: &Path) -> Result<Vec<Figure>> {
    let [scores, landmarks] = ["scores.tsv", "landmarks.tsv"].map(|name| dir.join(name));
    if !scores.is_file() {
        return Ok(Vec::new());
    }
    let chosen = landmarks.is_file().then(|| Table::read(&landmarks)).transpose()?.map(|table| table.len());
    Ok(vec![ranking::figure(&Table::read(&scores)?, "scores", "DeepLIFT score", chosen)?])
}

/// The lists of a run: its own, and those beside it by name.
fn lists(dir: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let beside = dir.join("lists").read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        beside.filter(|path| path.extension().is_some_and(|end| end == "tsv")).collect();
    paths.sort();
    let own = dir.join("landmarks.tsv");
    named(own.is_file().then_some(own).into_iter().chain(paths))
}

/// Lists by the names of their files.
fn named(paths: impl IntoIterator<Item = PathBuf>) -> Result<Vec<(String, Vec<String>)>> {
    let list = |path: PathBuf| {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok((name, Table::read(&path)?.texts("gene_id")?.to_vec()))
    };
    paths.into_iter().map(list).collect()
}

/// How several lists overlap.
///
/// # Errors
/// Lists that cannot be read.
pub(super) fn of_lists(paths: &[PathBuf]) -> Result<Option<Figure>> {
    Ok(overlap::figure(&named(paths.iter().cloned())?))
}

/// Whether a path is a list of landmarks.
pub(super) fn is_list(path: &Path) -> bool {
    path.is_file() && Table::read(path).is_ok_and(|table| table.has(&["gene_id", "rank"]))
}

fn single(path: &Path) -> Result<Vec<Figure>> {
    let table = Table::read(path)?;
    if table.has(&["epoch", "train_loss"]) {
        curves::figures(&table)
    } else if table.has(&["Description", "FoldEnrichment"]) {
        enrichment::figures(&table)
    } else if table.has(&["gene_id", "chosen", "share"]) {
        stability::figures(&table, None)
    } else if table.has(&["gene_id", "score"]) {
        Ok(vec![ranking::figure(&table, "scores", "Score", None)?])
    } else {
        Ok(Vec::new())
    }
}
