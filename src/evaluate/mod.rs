//! How well inferred values agree with measured ones, by gene and by sample, streamed in f64.

use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::store::{Table, atomic};

/// Running sums of one gene or one sample over pairs (measured x, inferred y).
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    absolute: f64,
    baseline: f64,
    min_x: f64,
    max_x: f64,
    min_y: f64,
    max_y: f64,
}

impl Sums {
    /// `shift` is subtracted from both, so that large means do not cancel; `baseline` is the rival's error.
    fn add(&mut self, x: f64, y: f64, shift: f64, baseline: f64) {
        let (a, b) = (x - shift, y - shift);
        if self.n == 0.0 {
            (self.min_x, self.max_x, self.min_y, self.max_y) = (a, a, b, b);
        }
        (self.min_x, self.max_x) = (self.min_x.min(a), self.max_x.max(a));
        (self.min_y, self.max_y) = (self.min_y.min(b), self.max_y.max(b));
        self.n += 1.0;
        self.x += a;
        self.y += b;
        self.xx += a * a;
        self.yy += b * b;
        self.xy += a * b;
        self.absolute += (x - y).abs();
        self.baseline += baseline;
    }

    /// Pearson's correlation; `None` where one side is constant.
    fn pearson(&self) -> Option<f64> {
        if self.min_x == self.max_x || self.min_y == self.max_y {
            return None;
        }
        let covariance = self.xy - self.x * self.y / self.n;
        let (vx, vy) = (self.xx - self.x * self.x / self.n, self.yy - self.y * self.y / self.n);
        let r = covariance / (vx * vy).sqrt();
        r.is_finite().then(|| r.clamp(-1.0, 1.0))
    }

    fn figures(&self) -> Figures {
        Figures { mae: self.absolute / self.n, baseline_mae: self.baseline / self.n, pcc: self.pearson() }
    }
}

/// The figures of one gene (over samples) or one sample (over genes), in the store's units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Mean |y − x|
    pub mae: f64,
    /// Mean |training median − x|
    pub baseline_mae: f64,
    /// Pearson's correlation; `None` where one side is constant.
    pub pcc: Option<f64>,
}

/// Accumulates pairs of rows.
pub struct Agreement<'a> {
    median: &'a [f32],
    genes: Vec<Sums>,
    samples: Vec<Figures>,
}

/// An autoencoder's agreement with a store.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The genes, in the order of `by_gene`.
    pub genes: Table,
    /// The samples, in the order of `by_sample`.
    pub samples: Table,
    /// Over samples.
    pub by_gene: Vec<Figures>,
    /// Over genes.
    pub by_sample: Vec<Figures>,
}

/// The evaluation in a few numbers; MAE in the store's units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Samples compared.
    pub samples: usize,
    /// Genes compared.
    pub genes: usize,
    /// Mean |y − x| over all values.
    pub mae: f64,
    /// The same for predicting each gene's training median.
    pub baseline_mae: f64,
    /// `mae / baseline_mae`
    pub mae_ratio: f64,
    /// Mean over the genes for which it is defined.
    pub pcc_gene_mean: Option<f64>,
    /// Median over those genes.
    pub pcc_gene_median: Option<f64>,
    /// Genes for which it is not defined: constant, or inferred as constant.
    pub pcc_gene_undefined: usize,
    /// Mean over the samples for which it is defined.
    pub pcc_sample_mean: Option<f64>,
}

impl<'a> Agreement<'a> {
    /// `median` is the baseline, by gene.
    pub fn new(median: &'a [f32]) -> Self {
        Agreement { median, genes: vec![Sums::default(); median.len()], samples: Vec::new() }
    }

    /// Adds one sample: measured and inferred values by gene.
    pub fn add(&mut self, measured: &[f32], inferred: &[f32]) {
        let mut sample = Sums::default();
        for (((x, y), median), gene) in measured.iter().zip(inferred).zip(self.median).zip(&mut self.genes) {
            let (x, y, median) = (f64::from(*x), f64::from(*y), f64::from(*median));
            let baseline = (median - x).abs();
            gene.add(x, y, median, baseline);
            sample.add(x, y, 0.0, baseline);
        }
        self.samples.push(sample.figures());
    }

    /// The figures.
    pub fn finish(self, genes: Table, samples: Table) -> Evaluation {
        let by_gene = self.genes.iter().map(Sums::figures).collect();
        Evaluation { genes, samples, by_gene, by_sample: self.samples }
    }
}

impl Evaluation {
    /// The evaluation in a few numbers.
    pub fn summary(&self) -> Summary {
        let mean =
            |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let all =
            |f: fn(&Figures) -> f64| mean(&self.by_gene.iter().map(f).collect::<Vec<_>>()).unwrap_or(0.0);
        let mut pcc: Vec<f64> = self.by_gene.iter().filter_map(|f| f.pcc).collect();
        pcc.sort_by(f64::total_cmp);
        let (mae, baseline_mae) = (all(|f| f.mae), all(|f| f.baseline_mae));
        let half = pcc.len() / 2;
        let median = match pcc.len() {
            0 => None,
            n if n % 2 == 1 => Some(pcc[half]),
            _ => Some((pcc[half - 1] + pcc[half]) / 2.0),
        };
        Summary {
            samples: self.by_sample.len(),
            genes: self.by_gene.len(),
            mae,
            baseline_mae,
            mae_ratio: mae / baseline_mae,
            pcc_gene_mean: mean(&pcc),
            pcc_gene_median: median,
            pcc_gene_undefined: self.by_gene.len() - pcc.len(),
            pcc_sample_mean: mean(&self.by_sample.iter().filter_map(|f| f.pcc).collect::<Vec<_>>()),
        }
    }

    /// Writes `summary.tsv`, `genes.tsv` and `samples.tsv` into `dir`; an undefined figure is `NA`.
    ///
    /// # Errors
    /// [`Error::Exists`] for an existing directory without `force`; [`Error::Io`].
    pub fn write(&self, dir: &Path, force: bool) -> Result<()> {
        atomic::check_free(dir, force)?;
        std::fs::create_dir_all(dir).map_err(Error::io(dir, "creating"))?;
        let summary = self.summary();
        let mut text = String::from("figure\tvalue\n");
        let rows = [
            ("samples", summary.samples.to_string()),
            ("genes", summary.genes.to_string()),
            ("mae", summary.mae.to_string()),
            ("baseline_mae", summary.baseline_mae.to_string()),
            ("mae_ratio", summary.mae_ratio.to_string()),
            ("pcc_gene_mean", optional(summary.pcc_gene_mean)),
            ("pcc_gene_median", optional(summary.pcc_gene_median)),
            ("pcc_gene_undefined", summary.pcc_gene_undefined.to_string()),
            ("pcc_sample_mean", optional(summary.pcc_sample_mean)),
        ];
        rows.iter().for_each(|(name, value)| text += &format!("{name}\t{value}\n"));
        write(&dir.join("summary.tsv"), &text)?;
        write(&dir.join("genes.tsv"), &table("gene_id", &self.genes.ids, &self.by_gene))?;
        write(&dir.join("samples.tsv"), &table("sample_id", &self.samples.ids, &self.by_sample))
    }
}

fn optional(x: Option<f64>) -> String {
    x.map_or("NA".into(), |x| x.to_string())
}

fn table(key: &str, ids: &[String], figures: &[Figures]) -> String {
    let mut text = format!("{key}\tmae\tbaseline_mae\tpcc\n");
    for (id, f) in ids.iter().zip(figures) {
        text += &format!("{id}\t{}\t{}\t{}\n", f.mae, f.baseline_mae, optional(f.pcc));
    }
    text
}

fn write(path: &Path, text: &str) -> Result<()> {
    atomic::write_file(path, true, |out| out.write_all(text.as_bytes()).map_err(Error::io(path, "writing")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        let median = [1.0, 100.0, 5.0];
        let mut agreement = Agreement::new(&median);
        agreement.add(&[1.0, 101.0, 5.0], &[2.0, 103.0, 4.0]);
        agreement.add(&[2.0, 102.0, 5.0], &[4.0, 102.0, 6.0]);
        agreement.add(&[3.0, 106.0, 5.0], &[3.0, 107.0, 7.0]);
        let ids = |n| (0..n).map(|i| i.to_string()).collect();
        let evaluation = agreement.finish(Table::new("gene_id", ids(3)), Table::new("sample_id", ids(3)));
        let gene = evaluation.by_gene[0];
        assert_eq!((gene.mae, gene.baseline_mae), (1.0, 1.0));
        assert!((gene.pcc.unwrap() - 0.5).abs() < 1e-15);
        // NumPy: np.corrcoef([101, 102, 106], [103, 102, 107])[0, 1]
        assert!((evaluation.by_gene[1].pcc.unwrap() - 0.9285714285714286).abs() < 1e-12);
        assert_eq!(evaluation.by_gene[2].pcc, None, "a constant gene has no correlation");
        let summary = evaluation.summary();
        assert_eq!(summary.pcc_gene_undefined, 1);
        assert!((summary.mae - (3.0 + 3.0 + 4.0) / 9.0).abs() < 1e-15);
        assert!((summary.baseline_mae - (3.0 + 9.0 + 0.0) / 9.0).abs() < 1e-15);
    }
}
