//! What an evaluation's folder tells: how well the network gives back each gene.

use std::path::Path;

use super::axis::count;
use super::density::{self, Measure, Set};
use super::table::Table;
use super::{Figure, against};
use crate::error::Result;

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
    let density = |measure: Measure, about: &str, sets: &[Set]| {
        let title = format!("{} of the network by gene", measure.column().to_uppercase());
        density::figure(&format!("evaluation-{}", measure.column()), &title, about, &note, measure, sets)
    };
    let own = [set("network", &pcc, false)];
    let mut found = Vec::from_iter(density(Measure::Mae, &beside, &errors));
    found.extend(density(Measure::Pcc, &about, &own));
    let points = median.into_iter().zip(mae).collect();
    let (stem, labels) = ("evaluation-against-median", ["training median", "network"]);
    found.extend(against::figure(stem, labels, Measure::Mae, table.genes()?, points, ""));
    match found.is_empty() {
        true => Err(table.nothing("no figure that is a number")),
        false => Ok(found),
    }
}
