//! What replicates allow: two measurements of one sample differ, and nothing can infer one of them better than that.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Design, Held};
use crate::error::{Error, Result};
use crate::evaluate::Baseline;
use crate::evaluate::statistics::{mean, quantile, sorted};
use crate::prepare::split::is_unlabelled;

/// The best that can be reached where a target's noise is its own. Noise that genes share (a batch) can be inferred from landmarks, so
/// a set may come out better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Samples that were measured more than once.
    pub replicated: usize,
    /// Their measurements.
    pub samples: usize,
    /// Mean over targets of (variance between replicates)/(training variance): no mean squared error can be below. Where there are several
    /// rounds, each tested sample's is over the training variance of its round, as its errors are.
    pub nmse: Option<f64>,
    /// Median over targets of 1 − (variance between replicates)/(variance over the tested samples).
    pub r2: Option<f64>,
    /// Mean over targets of the root of that: no correlation with one measurement can be above.
    pub pcc: Option<f64>,
}

/// Squares around the mean, by gene.
struct Squares {
    n: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Squares {
    fn new(genes: usize) -> Squares {
        Squares { n: 0.0, mean: vec![0.0; genes], squares: vec![0.0; genes] }
    }

    /// Welford's update.
    fn add(&mut self, values: impl Iterator<Item = f32>) {
        self.n += 1.0;
        for ((mean, squares), x) in self.mean.iter_mut().zip(&mut self.squares).zip(values) {
            let off = f64::from(x) - *mean;
            *mean += off / self.n;
            *squares += off * (f64::from(x) - *mean);
        }
    }
}

/// The ceiling on one test of the targets at `targets`, by the sample column that is the same for replicates; `None` where no two
/// samples of it have one label. A sample that several splits hold out is one measurement. `baselines` are those of the design's rounds.
///
/// # Errors
/// [`Error::Usage`] where a tested store lacks the column.
pub fn ceiling(
    design: &Design,
    test: usize,
    targets: &[usize],
    baselines: &[Baseline],
    column: &str,
) -> Result<Option<Ceiling>> {
    let genes = targets.len();
    let rounds = design.rounds.iter().zip(baselines);
    let held: Vec<(&Held, &Baseline)> = rounds
        .flat_map(|(round, baseline)| round.held.iter().map(move |held| (held, baseline)))
        .filter(|(held, _)| held.test == test)
        .collect();
    let mut by_label: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
    let mut measured = HashSet::new();
    let mut all = Squares::new(genes);
    let mut row = Vec::new();
    for (at, (held, _)) in held.iter().enumerate() {
        let Some(labels) = held.store.samples().column(column) else {
            let path = held.store.path().display();
            return Err(Error::Usage(format!(
                "{path} has no sample column {column:?} that names replicates"
            )));
        };
        let ids = &held.store.samples().ids;
        row.resize(held.store.n_genes(), 0.0);
        for sample in &held.samples {
            held.store.read_row(*sample, &mut row);
            all.add(targets.iter().map(|gene| row[held.places[*gene].expect("measured")]));
            let label = labels[*sample].as_str();
            if !is_unlabelled(label) && measured.insert((label, ids[*sample].as_str())) {
                by_label.entry(label).or_default().push((at, *sample));
            }
        }
    }
    let mut replicates: Vec<Vec<(usize, usize)>> = by_label.into_values().filter(|of| of.len() > 1).collect();
    replicates.sort_unstable();
    if replicates.is_empty() {
        return Ok(None);
    }
    let (mut within, mut freedom) = (vec![0.0; genes], 0.0);
    for of in &replicates {
        let mut own = Squares::new(genes);
        for (at, sample) in of {
            let (held, _) = held[*at];
            row.resize(held.store.n_genes(), 0.0);
            held.store.read_row(*sample, &mut row);
            own.add(targets.iter().map(|gene| row[held.places[*gene].expect("measured")]));
        }
        within.iter_mut().zip(&own.squares).for_each(|(sum, squares)| *sum += squares);
        freedom += own.n - 1.0;
    }
    let noise: Vec<f64> = within.iter().map(|sum| sum / freedom).collect();
    // as errors are weighted: over the samples of the rounds in which the gene varies
    let per_variance = |gene: &usize| {
        let of = held.iter().map(|(held, known)| (held.samples.len() as f64, known.per_variance[*gene]));
        let varying = of.filter(|(_, per_variance)| *per_variance > 0.0);
        let (n, sum) = varying.fold((0.0, 0.0), |(n, sum), (samples, x)| (n + samples, sum + samples * x));
        (n > 0.0).then(|| sum / n)
    };
    let nmse = targets.iter().zip(&noise).filter_map(|(gene, noise)| Some(noise * per_variance(gene)?));
    let varies = noise.iter().zip(&all.squares).filter(|(_, squares)| **squares > 0.0);
    let r2 = sorted(varies.map(|(noise, squares)| 1.0 - noise / (squares / (all.n - 1.0))));
    Ok(Some(Ceiling {
        replicated: replicates.len(),
        samples: replicates.iter().map(Vec::len).sum(),
        nmse: mean(nmse),
        r2: quantile(&r2, 0.5),
        pcc: mean(r2.iter().map(|r2| r2.max(0.0).sqrt())),
    }))
}
