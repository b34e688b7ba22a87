//! What replicates allow: two measurements of one sample differ, and nothing can infer one of them better than that.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Design;
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
    /// Mean over targets of (variance between replicates)/(training variance): no mean squared error can be below.
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
/// samples of it have one label.
///
/// # Errors
/// [`Error::Usage`] where a tested store lacks the column.
pub fn ceiling(
    design: &Design,
    test: usize,
    targets: &[usize],
    baseline: &Baseline,
    column: &str,
) -> Result<Option<Ceiling>> {
    let genes = targets.len();
    let mut by_label: HashMap<(usize, &str), Vec<(usize, usize)>> = HashMap::new();
    let held: Vec<_> = design.rounds.iter().flat_map(|r| &r.held).filter(|held| held.test == test).collect();
    let mut all = Squares::new(genes);
    let mut row = Vec::new();
    for (at, held) in held.iter().enumerate() {
        let Some(labels) = held.store.samples().column(column) else {
            let path = held.store.path().display();
            return Err(Error::Usage(format!(
                "{path} has no sample column {column:?} that names replicates"
            )));
        };
        row.resize(held.store.n_genes(), 0.0);
        for sample in &held.samples {
            held.store.read_row(*sample, &mut row);
            all.add(targets.iter().map(|gene| row[held.places[*gene].expect("measured")]));
            if !is_unlabelled(&labels[*sample]) {
                by_label.entry((held.test, labels[*sample].as_str())).or_default().push((at, *sample));
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
            let held = held[*at];
            row.resize(held.store.n_genes(), 0.0);
            held.store.read_row(*sample, &mut row);
            own.add(targets.iter().map(|gene| row[held.places[*gene].expect("measured")]));
        }
        within.iter_mut().zip(&own.squares).for_each(|(sum, squares)| *sum += squares);
        freedom += own.n - 1.0;
    }
    let noise: Vec<f64> = within.iter().map(|sum| sum / freedom).collect();
    let nmse = targets.iter().zip(&noise).map(|(gene, noise)| noise * baseline.per_variance[*gene]);
    let scalable = |gene: &&usize| baseline.per_variance[**gene] > 0.0;
    let n = targets.iter().filter(scalable).count();
    let varies = noise.iter().zip(&all.squares).filter(|(_, squares)| **squares > 0.0);
    let r2 = sorted(varies.map(|(noise, squares)| 1.0 - noise / (squares / (all.n - 1.0))));
    Ok(Some(Ceiling {
        replicated: replicates.len(),
        samples: replicates.iter().map(Vec::len).sum(),
        nmse: (n > 0).then(|| nmse.sum::<f64>() / n as f64),
        r2: quantile(&r2, 0.5),
        pcc: mean(r2.iter().map(|r2| r2.max(0.0).sqrt())),
    }))
}
