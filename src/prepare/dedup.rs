//! Near copies among samples, by D-GEX's rule (`kmeans.py`, `nodup_idx.py`; Chen et al. 2016): samples are clustered, and
//! within a cluster of every pair closer than a distance the later goes, whether or not the earlier one stays.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;

use super::kmeans::{Nearness, batch_rows, kmeans, mean, squared_distance};
use super::rows::Rows;
use super::{Fit, Fitted, Step};
use crate::device::{self, Executor};
use crate::error::{Error, Result};
use crate::genes::{Column, Table};
use crate::progress::{Event, Reporter, advance};

/// How duplicates are found.
#[derive(Debug, Clone, PartialEq)]
pub struct DedupSettings {
    /// Number of k-means clusters; 100 in D-GEX.
    pub clusters: usize,
    /// Samples nearer than this (Euclidean) are copies; 1.0 in D-GEX, on quantile-normalised log2 intensities.
    pub distance: f64,
    /// A table of sample ids and cluster labels (column `label`, else the second) in place of k-means.
    pub labels: Option<PathBuf>,
    /// Of k-means.
    pub seed: u64,
    /// As `--device`.
    pub device: String,
    /// Of the CPU executor; all without it.
    pub threads: Option<usize>,
    /// Steps through which samples are seen when they are compared, fitted to all of them for that alone; what is kept of the
    /// samples is not changed by them.
    pub through: Vec<Step>,
}

impl Default for DedupSettings {
    fn default() -> Self {
        DedupSettings {
            clusters: 100,
            distance: 1.0,
            labels: None,
            seed: 0,
            device: "auto".into(),
            threads: None,
            through: Vec::new(),
        }
    }
}

/// Finds the duplicates.
///
/// # Errors
/// [`Error::Usage`] for parameters out of range; [`Error::Input`] for labels that lack a sample; [`Error::Device`].
pub(super) fn dedup(rows: &Rows, settings: &DedupSettings, report: Reporter) -> Result<Fit> {
    let DedupSettings { clusters, distance, labels, seed, device, threads, through } = settings;
    let mut rows = rows.clone();
    for step in through {
        let fit = step.fit(&rows, report)?;
        rows.then(fit.fitted, fit.genes);
    }
    let rows = &rows;
    if *clusters == 0 {
        return Err(Error::Usage("--dedup-clusters 0: at least one cluster is needed".into()));
    }
    if !(*distance > 0.0 && distance.is_finite()) {
        return Err(Error::Usage(format!("--dedup-distance {distance} must be a positive number")));
    }
    let mut executor = device::open(device, *threads, report)?;
    let (labels, source) = match labels {
        Some(path) => (read_labels(rows, path, report)?, json!({ "labels": path.display().to_string() })),
        None => {
            let labels = kmeans(rows, &mut *executor, *clusters, *seed, report)?;
            (labels, json!({ "clusters": clusters, "seed": seed }))
        }
    };
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (row, label) in labels.into_iter().enumerate() {
        members.resize_with(members.len().max(label + 1), Vec::new);
        members[label].push(row);
    }
    let batch = batch_rows(rows.genes().len());
    let mut dropped = vec![false; rows.len()];
    report(Event::Started { task: "duplicates".into(), total: Some(rows.len() as u64), unit: "samples" });
    let mut done = 0;
    for members in members.iter().filter(|members| !members.is_empty()) {
        for later in copies(rows, &mut *executor, members, *distance, batch)? {
            dropped[later] = true;
        }
        done += members.len() as u64;
        advance(report, done, "")?;
    }
    report(Event::Finished);

    let kept: Vec<usize> = (0..rows.len()).filter(|row| !dropped[*row]).collect();
    let ids: Vec<String> =
        (0..rows.len()).filter(|row| dropped[*row]).map(|row| rows.id(row).to_string()).collect();
    let largest = members.iter().map(Vec::len).max().unwrap_or(0);
    report(Event::Note(format!(
        "{} of {} samples are nearer than {distance} to an earlier one of their cluster (largest cluster: {largest})",
        ids.len(),
        rows.len()
    )));
    let record = json!({ "dedup": { "by": source, "distance": distance, "dropped": ids.len() } });
    Ok(Fit { fitted: Fitted::Dedup { dropped: ids }, genes: None, kept: Some(kept), record })
}

/// The cluster of every row by a table of labels, numbered in the order in which rows have them.
fn read_labels(rows: &Rows, path: &Path, report: Reporter) -> Result<Vec<usize>> {
    let table = Table::read(path, Column::names_samples, report)?;
    let labels = table.column("label").or(table.columns.first().map(|(_, fields)| fields.as_slice()));
    let labels = labels.ok_or_else(|| {
        Error::input(path, "has one column; a table of sample ids and labels is needed (sample_id, label)")
    })?;
    let positions = table.positions();
    let mut numbers = HashMap::new();
    (0..rows.len())
        .map(|row| {
            let id = rows.id(row);
            let at = positions.get(id).ok_or_else(|| {
                Error::input(path, format!("has no label for sample {id:?}; every sample needs one"))
            })?;
            let next = numbers.len();
            Ok(*numbers.entry(labels[*at].as_str()).or_insert(next))
        })
        .collect()
}

/// How far, as a share of the two squared lengths, a squared distance from f32 products may be off: far more than
/// it ever is. What is within is decided in f64.
const MARGIN: f64 = 1e-4;

/// Of a cluster's rows, in ascending order, those that are nearer than `distance` to an earlier one. Memory is that of
/// two blocks of `batch` rows on either side.
fn copies(
    rows: &Rows,
    executor: &mut dyn Executor,
    members: &[usize],
    distance: f64,
    batch: usize,
) -> Result<Vec<usize>> {
    let (width, batch) = (rows.genes().len(), batch.min(members.len()));
    let blocks: Vec<&[usize]> = members.chunks(batch).collect();
    let mut nearness = Nearness::new(executor, batch, batch, width)?;
    let (mut later, mut earlier, mut shift) = (Vec::new(), Vec::new(), Vec::new());
    let mut copies = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        rows.read_all(|row| block[row], block.len(), &mut later)?;
        if i == 0 {
            shift = mean(&later, width);
        }
        let mut found = vec![false; block.len()];
        for (j, others) in blocks[..=i].iter().enumerate() {
            if i != j {
                rows.read_all(|row| others[row], others.len(), &mut earlier)?;
            }
            let earlier = if i == j { &later } else { &earlier };
            nearness.against(earlier, Some(&shift))?;
            let (squares, near) = nearness.of(&later, Some(&shift))?;
            found.par_iter_mut().enumerate().filter(|(_, found)| !**found).for_each(|(row, found)| {
                let x = &later[row * width..][..width];
                let candidates = if i == j { row } else { others.len() };
                let near = &near[row * batch..][..candidates];
                *found = earlier.chunks_exact(width).zip(near).any(|(y, near)| {
                    let estimate = squares[row] - 2.0 * f64::from(*near);
                    // ‖y‖ is at most ‖x‖ + distance where they are that near
                    let doubt = MARGIN * (squares[row] + (squares[row].sqrt() + distance).powi(2));
                    estimate < distance * distance + doubt && squared_distance(x, y).sqrt() < distance
                });
            });
        }
        copies.extend(block.iter().zip(found).filter(|(_, found)| *found).map(|(row, _)| *row));
    }
    Ok(copies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::device::recording::Element;
    use crate::progress::silent;
    use crate::store::{Origin, StoreWriter};

    #[test]
    fn copies_across_blocks_and_far_from_zero_are_found() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (n, genes) = (29, 3001);
        let path = dir.path().join("a.gex");
        let mut writer = StoreWriter::create(&path, genes, Element::F32, false).expect("created");
        let mut expected = Vec::new();
        for s in 0..n {
            // Squared lengths of 3e11, of which f32 tells no distance of 1.
            let mut row: Vec<f32> =
                (0..genes).map(|g| 1e4 + ((g * 7 + s % 20 * 13 + g / 31 * (s % 20)) % 31) as f32).collect();
            row[s] += [0.625, 0.75][s % 2]; // the copy 20 later is √(2·0.625²) = 0.88 or √(2·0.75²) = 1.06 away
            writer.push_rows(&row).expect("pushed");
            if s >= 20 && s % 2 == 0 {
                expected.push(s);
            }
        }
        let tables = (Table::numbered("gene_id", "g", genes), Table::numbered("sample_id", "s", n));
        let store = writer.finish(tables.0, tables.1, Origin::default()).expect("finished");
        let rows = Rows::of(&[&store], &silent).expect("rows");
        let mut executor = CpuExecutor::open(Some(1)).expect("opened");
        let members: Vec<usize> = (0..n).collect();
        for batch in [1, 7, 28, 512] {
            let found = copies(&rows, &mut executor, &members, 1.0, batch).expect("found");
            assert_eq!(found, expected, "{batch}");
        }
    }
}
