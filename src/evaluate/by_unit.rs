//! What each sample, and each group of samples, adds to a set's figures, so that differences can be taken over samples or groups
//! and not over genes.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::agreement::Sums;
use super::permutation::Pairs;
use super::statistics::{mean, quantile, sorted};
use crate::error::Result;

/// Correlations within fewer samples say nothing: of two they are 1 or −1.
const FEW_WITHIN: usize = 3;

/// Figures of a sample or of a group.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct UnitFigures {
    /// Mean over targets of (y − x)²/(the gene's training variance).
    pub nmse: Option<f64>,
    /// Mean |y − x|
    pub mae: Option<f64>,
    /// Of a group: the mean over targets of the correlation **within** it. Of a sample: its jackknife pseudo-value (Tukey 1958) of
    /// the mean correlation over all samples, n·r − (n − 1)·(r without it), whose mean is that correlation but for its bias and
    /// whose spread is its error. A constant prediction counts as 0.
    pub pcc: Option<f64>,
    /// Of a group: the median over targets of R² within it. Of a sample none.
    pub r2: Option<f64>,
}

/// Of each sample, and of each group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ByUnit {
    /// In the order in which they were tested.
    pub samples: Vec<UnitFigures>,
    /// In the order of the groups; none without groups.
    pub groups: Vec<UnitFigures>,
}

/// What the samples of a test are, in the order in which they were tested.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Of each sample the place of its 1/variance by gene in `per_variance`: one for each fit.
    pub fit: &'a [usize],
    /// Of each fit, of each gene.
    pub per_variance: &'a [Vec<f64>],
    /// Of each sample its group.
    pub group: &'a [usize],
    /// How many groups there are.
    pub groups: usize,
}

/// Sums over genes.
#[derive(Clone, Default)]
struct Totals {
    /// Of each sample: squared error over variance, absolute error, pseudo-value.
    samples: Vec<[f64; 3]>,
    /// Genes that each sample's squared errors, and all pseudo-values, are sums over.
    scalable: Vec<f64>,
    correlated: f64,
    /// Of each group: correlations within, and how many; R² within.
    groups: Vec<(f64, f64, Vec<f64>)>,
}

impl Totals {
    fn new(samples: usize, groups: usize) -> Totals {
        let groups = vec![(0.0, 0.0, Vec::new()); groups];
        Totals { samples: vec![[0.0; 3]; samples], scalable: vec![0.0; samples], correlated: 0.0, groups }
    }

    fn and(mut self, other: Totals) -> Totals {
        for (a, b) in self.samples.iter_mut().zip(other.samples) {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        }
        self.scalable.iter_mut().zip(other.scalable).for_each(|(a, b)| *a += b);
        self.correlated += other.correlated;
        for (a, b) in self.groups.iter_mut().zip(other.groups) {
            (a.0, a.1) = (a.0 + b.0, a.1 + b.1);
            a.2.extend(b.2);
        }
        self
    }

    /// Adds a gene: its measured and inferred values by sample.
    fn add(&mut self, gene: usize, x: &[f32], y: &[f32], rows: Rows) {
        let shift = f64::from(x[0]);
        let (mut all, mut within) = (Sums::default(), vec![Sums::default(); rows.groups]);
        for (sample, (x, y)) in x.iter().zip(y).enumerate() {
            let (x, y) = (f64::from(*x), f64::from(*y));
            let per_variance = rows.per_variance[rows.fit[sample]][gene];
            all.add(x, y, shift, 0.0);
            if let Some(group) = within.get_mut(rows.group[sample]) {
                group.add(x, y, shift, 0.0);
            }
            self.samples[sample][0] += (x - y) * (x - y) * per_variance;
            self.samples[sample][1] += (x - y).abs();
            self.scalable[sample] += f64::from(u8::from(per_variance > 0.0));
        }
        if !all.flat() {
            self.correlated += 1.0;
            let values = self.samples.iter_mut().zip(all.pseudo_values(x, y, shift));
            values.for_each(|(sample, value)| sample[2] += value);
        }
        for (sums, (pcc, n, r2)) in within.iter().zip(&mut self.groups) {
            if sums.len() >= FEW_WITHIN && !sums.flat() {
                (*pcc, *n) = (*pcc + sums.pearson().unwrap_or(0.0), *n + 1.0);
                r2.extend(sums.r2());
            }
        }
    }

    fn finish(self, genes: usize, rows: Rows) -> ByUnit {
        let per = |sum: f64, n: f64| (n > 0.0).then(|| sum / n);
        let samples: Vec<UnitFigures> = (self.samples.iter().zip(&self.scalable))
            .map(|([squared, absolute, pseudo], scalable)| UnitFigures {
                nmse: per(*squared, *scalable),
                mae: per(*absolute, genes as f64),
                pcc: per(*pseudo, self.correlated).filter(|_| self.samples.len() >= FEW_WITHIN),
                r2: None,
            })
            .collect();
        let group = |(group, (pcc, n, r2)): (usize, (f64, f64, Vec<f64>))| {
            let own =
                || samples.iter().zip(rows.group).filter(|(_, of)| **of == group).map(|(sample, _)| sample);
            UnitFigures {
                nmse: mean(own().filter_map(|s| s.nmse)),
                mae: mean(own().filter_map(|s| s.mae)),
                pcc: per(pcc, n),
                r2: quantile(&sorted(r2), 0.5),
            }
        };
        let groups = self.groups.into_iter().enumerate().map(group).collect();
        ByUnit { samples, groups }
    }
}

/// The figures by sample and by group of what was set aside.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn by_unit(pairs: &mut Pairs, rows: Rows) -> Result<ByUnit> {
    let samples = rows.fit.len();
    let mut totals = Totals::new(samples, rows.groups);
    let genes = pairs.genes();
    pairs.columns(|first, x, y| {
        // in parts of one size, added in order, so that the sums do not depend on the number of threads
        let parts: Vec<Totals> = (x.par_chunks(PART * samples).zip(y.par_chunks(PART * samples)).enumerate())
            .map(|(part, (x, y))| {
                let mut totals = Totals::new(samples, rows.groups);
                let columns = x.chunks_exact(samples).zip(y.chunks_exact(samples));
                let gene = |i: usize| first + part * PART + i;
                columns.enumerate().for_each(|(i, (x, y))| totals.add(gene(i), x, y, rows));
                totals
            })
            .collect();
        let before = std::mem::take(&mut totals);
        totals = parts.into_iter().fold(before, Totals::and);
    })?;
    Ok(totals.finish(genes, rows))
}

/// Genes that one thread sums.
const PART: usize = 16;

#[cfg(test)]
#[path = "by_unit_tests.rs"]
mod tests;
