//! Figures that need values of samples: the heat map of landmarks, and the map by principal components.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::axis::{count, number};
use super::heatmap::{self, Cells};
use super::labels::Labels;
use super::table::Table;
use super::{Figure, map};
use crate::cluster::{Distances, Linkage, Metric, Tree, components};
use crate::device::random::Stream;
use crate::error::Result;
use crate::prepare::split::is_unlabelled;
use crate::select::columns::Columns;
use crate::store::Store;

/// Landmarks that a heat map shows, the first ones.
const LANDMARKS: usize = 40;
/// Samples that it shows.
const HEAT: usize = 200;
/// Samples whose components are computed.
const MAP: usize = 1_000;
/// Classes that a column has at most to be taken for labels.
const CLASSES: usize = 30;

/// The held-out samples of a run, or all where none were held out.
pub(super) fn store_of(run: &Path) -> Option<PathBuf> {
    let places = ["ready/test.gex", "split/test.gex", "prepared.gex", "data.gex"].map(|name| run.join(name));
    places.into_iter().find(|place| place.join("store.json").is_file())
}

/// From a run's folder with a store; the heat map where there are landmarks.
pub(super) fn figures(store: &Path, landmarks: Option<&Path>) -> Result<Vec<Figure>> {
    let store = Store::open(store)?;
    let labels = column(&store);
    let mut found = Vec::new();
    found.extend(by_components(&store, labels.as_deref()));
    if let Some(path) = landmarks {
        found.extend(heat(&store, &Table::read(path)?, labels.as_deref())?);
    }
    Ok(found)
}

/// The column that tells samples apart by few labels: one of words before one of numbers.
fn column(store: &Store) -> Option<String> {
    let told = |name: &&str| {
        let fields = store.samples().column(name)?;
        let labels: BTreeSet<&str> =
            fields.iter().map(String::as_str).filter(|f| !is_unlabelled(f)).collect();
        let words = labels.iter().any(|label| label.parse::<f64>().is_err());
        ((2..=CLASSES).contains(&labels.len()) && labels.len() * 2 <= fields.len()).then_some(words)
    };
    let all: Vec<(bool, &str)> =
        store.samples().column_names().into_iter().filter_map(|name| Some((told(&name)?, name))).collect();
    all.iter().find(|(words, _)| *words).or(all.first()).map(|(_, name)| name.to_string())
}

/// So many samples, by chance where there are more, in their order.
fn drawn(store: &Store, most: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..store.n_samples()).collect();
    if all.len() > most {
        Stream::new(0, "figures", 1).shuffle(&mut all);
        all.truncate(most);
        all.sort_unstable();
    }
    all
}

/// What a caption says of samples that are a part of all.
fn part(drawn: usize, of: usize) -> String {
    if drawn < of {
        format!("{} of {} samples, drawn by a seed", count(drawn), count(of))
    } else {
        format!("{} samples", count(of))
    }
}

fn labels_of(store: &Store, column: Option<&str>, samples: &[usize]) -> Labels {
    let fields = column.and_then(|name| Some((name, store.samples().column(name)?)));
    match fields {
        Some((name, fields)) => {
            let own: Vec<String> = samples.iter().map(|i| fields[*i].clone()).collect();
            Labels::new(name, &own)
        }
        None => Labels::none(samples.len()),
    }
}

fn by_components(store: &Store, column: Option<&str>) -> Option<Figure> {
    let samples = drawn(store, MAP);
    if samples.len() < 3 || store.n_genes() < 2 {
        return None;
    }
    let (all, _) = Columns::standardized(store, &samples);
    let scores = components(&all, 2);
    let axis = |i: usize| scores.column(i).iter().map(|x| f64::from(*x));
    let points = axis(0).zip(axis(1)).collect();
    let ids = samples.iter().map(|i| store.samples().ids[*i].clone()).collect();
    let of = format!(
        "all {} genes, z-scored ({})",
        count(store.n_genes()),
        part(samples.len(), store.n_samples())
    );
    let squares = |column: &[f32]| column.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    let whole: f64 = (0..all.len()).map(|gene| squares(all.column(gene))).sum();
    let axes = [0, 1].map(|i| {
        let share = 100.0 * squares(scores.column(i)) / whole.max(f64::MIN_POSITIVE);
        format!("principal component {} ({} % of variance)", i + 1, number(share, 1))
    });
    let of = format!("the first two principal axes of {of}");
    map::figure("map", &of, axes, ids, points, labels_of(store, column, &samples))
}

fn heat(store: &Store, landmarks: &Table, column: Option<&str>) -> Result<Option<Figure>> {
    let places = store.genes().positions();
    let ids = landmarks.texts("gene_id")?;
    let known: Vec<(usize, String)> = ids
        .iter()
        .zip(landmarks.genes()?)
        .filter_map(|(id, name)| Some((*places.get(id.as_str())?, name)))
        .collect();
    let (genes, names): (Vec<usize>, Vec<String>) = known.into_iter().take(LANDMARKS).unzip();
    let samples = drawn(store, HEAT);
    if genes.len() < 2 || samples.len() < 2 {
        return Ok(None);
    }
    let values = values(store, &samples, &genes);
    let of_rows = turned(&values);
    let [columns, rows] = [order(&values), order(&of_rows)];
    let sorted: Vec<usize> = columns.iter().map(|i| samples[*i]).collect();
    let row = |gene: &usize| columns.iter().map(|i| values.column(*gene)[*i]).collect();
    let cells = Cells {
        genes: rows.iter().map(|i| names[*i].clone()).collect(),
        samples: sorted.iter().map(|i| store.samples().ids[*i].clone()).collect(),
        values: rows.iter().map(row).collect(),
        labels: labels_of(store, column, &sorted),
    };
    let first = match ids.len() > genes.len() {
        true => format!("the first of {} landmarks", count(ids.len())),
        false => "all landmarks".into(),
    };
    let of = format!("{first}, {}", part(samples.len(), store.n_samples()));
    Ok(Some(heatmap::figure(cells, &of)))
}

/// Genes by samples, each gene z-scored.
fn values(store: &Store, samples: &[usize], genes: &[usize]) -> Columns {
    let mut columns = Columns::new(samples.len(), vec![0.0; samples.len() * genes.len()]);
    let mut row = vec![0.0; genes.len()];
    for (i, sample) in samples.iter().enumerate() {
        store.read_genes(*sample, genes, &mut row);
        columns.place(i, &row);
    }
    columns.standardize();
    columns
}

/// Genes as rows.
fn turned(columns: &Columns) -> Columns {
    let n = columns.len();
    let values = (0..columns.rows()).flat_map(|row| (0..n).map(move |gene| columns.column(gene)[row]));
    Columns::new(n, values.collect())
}

/// Rows in the order of their tree.
fn order(columns: &Columns) -> Vec<usize> {
    Tree::of(&Distances::of(columns, Metric::Euclidean), Linkage::Ward).order()
}
