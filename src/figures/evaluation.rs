//! What an evaluation's folder tells: how well the network gives back each gene.

use std::path::Path;

use super::axis::count;
use super::density::{self, Measure, Set};
use super::table::Table;
use super::{Figure, against};
use crate::error::{Error, Result};

/// From a folder that `evaluate` wrote.
pub(super) fn figures(dir: &Path) -> Result<Vec<Figure>> {
    let table = Table::read(&dir.join("genes.tsv"))?;
    let [mae, median, pcc] = ["mae", "baseline_mae", "pcc"].map(|c| table.numbers(c));
    let (mae, median, pcc) = (mae?, median?, pcc?);
    let n = table.len();
    let note = format!("n = {} genes", count(n));
    let about = format!("of the network's output on held-out samples (n = {} genes)", count(n));
    let set = |label: &str, values: &[f64], back| Set { label: label.into(), values: values.to_vec(), back };
    let errors = [set("network", &mae, false), set("training median", &median, true)];
    let beside = format!("{about}, beside that of the training median");
    let mut found: Vec<Figure> = Vec::new();
    let density = |stem: &str, title: &str, about: &str, measure, sets: &[Set]| {
        density::figure(stem, title, about, &note, measure, sets)
    };
    found.extend(density("evaluation-mae", "MAE of the network by gene", &beside, Measure::Mae, &errors));
    found.extend(density(
        "evaluation-pcc",
        "PCC of the network by gene",
        &about,
        Measure::Pcc,
        &[set("network", &pcc, false)],
    ));
    let points = median.into_iter().zip(mae).collect();
    let labels = ["training median", "network"];
    found.extend(against::figure(
        "evaluation-against-median",
        labels,
        Measure::Mae,
        table.genes()?,
        points,
        "",
    ));
    match found.is_empty() {
        true => Err(Error::input(table.path(), "has no figure that is a number; evaluate anew")),
        false => Ok(found),
    }
}
