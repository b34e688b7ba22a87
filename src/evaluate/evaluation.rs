//! An autoencoder's agreement with a store, in a few numbers and as tables.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::statistics::{mean, quantile, sorted};
use super::{Figures, Permutation, optional};
use crate::error::Result;
use crate::genes::sidecar::Made;
use crate::genes::writer::write_rows;
use crate::genes::{Names, Table};
use crate::store::{atomic, sealed};

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
    /// Whether each gene's output resembles its own values more than other genes'.
    pub permutation: Permutation,
}

/// The evaluation in a few numbers; MAE in the store's units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
    pub mae_ratio: Option<f64>,
    /// Mean (y − x)² over all values.
    pub mse: f64,
    /// Mean R² over the genes for which it is defined.
    pub r2_gene_mean: Option<f64>,
    /// Median over those genes: one that hardly varies can have any R², and spoils the mean.
    pub r2_gene_median: Option<f64>,
    /// Mean over the genes for which it is defined.
    pub pcc_gene_mean: Option<f64>,
    /// Median over those genes.
    pub pcc_gene_median: Option<f64>,
    /// Genes for which it is not defined: constant, or inferred as constant.
    pub pcc_gene_undefined: usize,
    /// Mean over the samples for which it is defined.
    pub pcc_sample_mean: Option<f64>,
    /// The same for predicting each gene's training median in every sample.
    pub pcc_sample_constant: Option<f64>,
    /// Genes that pass the permutation test.
    pub permutation_passed: usize,
    /// Their share of all genes.
    pub permutation_share: f64,
}

/// The files of an evaluation.
pub const FILES: [&str; 4] = ["summary.tsv", "genes.tsv", "samples.tsv", "evaluation.json"];

impl Evaluation {
    /// The evaluation in a few numbers.
    pub fn summary(&self) -> Summary {
        let genes = &self.by_gene;
        let all = |f: fn(&Figures) -> f64| mean(genes.iter().map(f)).unwrap_or(0.0);
        let pcc = sorted(genes.iter().filter_map(|f| f.pcc));
        let (mae, baseline_mae) = (all(|f| f.mae), all(|f| f.baseline_mae));
        let passed = self.permutation.passed();
        Summary {
            samples: self.by_sample.len(),
            genes: genes.len(),
            mae,
            baseline_mae,
            mae_ratio: Some(mae / baseline_mae).filter(|ratio| ratio.is_finite()),
            mse: all(|f| f.mse),
            r2_gene_mean: mean(genes.iter().filter_map(|f| f.r2)),
            r2_gene_median: quantile(&sorted(genes.iter().filter_map(|f| f.r2)), 0.5),
            pcc_gene_mean: mean(pcc.iter().copied()),
            pcc_gene_median: quantile(&pcc, 0.5),
            pcc_gene_undefined: genes.len() - pcc.len(),
            pcc_sample_mean: mean(self.by_sample.iter().filter_map(|f| f.pcc)),
            pcc_sample_constant: mean(self.by_sample.iter().filter_map(|f| f.baseline_pcc)),
            permutation_passed: passed,
            permutation_share: passed as f64 / genes.len() as f64,
        }
    }

    /// Writes `summary.tsv`, `genes.tsv` and `samples.tsv` into the folder `dir`, and `evaluation.json` with their checksums and `made`, what
    /// they were made from, all or none; an undefined figure is `NA`.
    ///
    /// # Errors
    /// As [`atomic::write_folder`].
    pub fn write(&self, dir: &Path, made: &Made, force: bool) -> Result<()> {
        atomic::write_folder(dir, force, &FILES, |dir| self.write_into(dir, made))
    }

    fn write_into(&self, dir: &Path, made: &Made) -> Result<()> {
        let summary = self.summary();
        let rows = [
            ("samples", summary.samples.to_string()),
            ("genes", summary.genes.to_string()),
            ("mae", summary.mae.to_string()),
            ("baseline_mae", summary.baseline_mae.to_string()),
            ("mae_ratio", optional(summary.mae_ratio)),
            ("mse", summary.mse.to_string()),
            ("r2_gene_mean", optional(summary.r2_gene_mean)),
            ("r2_gene_median", optional(summary.r2_gene_median)),
            ("pcc_gene_mean", optional(summary.pcc_gene_mean)),
            ("pcc_gene_median", optional(summary.pcc_gene_median)),
            ("pcc_gene_undefined", summary.pcc_gene_undefined.to_string()),
            ("pcc_sample_mean", optional(summary.pcc_sample_mean)),
            ("pcc_sample_constant", optional(summary.pcc_sample_constant)),
            ("permutation_passed", summary.permutation_passed.to_string()),
            ("permutation_share", summary.permutation_share.to_string()),
        ];
        let rows = rows.into_iter().map(|(name, value)| [name.to_string(), value]);
        write_rows(&dir.join("summary.tsv"), true, ["figure", "value"], rows)?;
        let names = Names::of(&self.genes);
        let genes = self.by_gene.iter().enumerate().map(|(i, f)| {
            let (rank, passes) = (optional(self.permutation.rank(i)), optional(self.permutation.passes(i)));
            names.fields(i).chain(f.fields()).chain([rank, passes])
        });
        let figures = Figures::HEADER.into_iter().chain(["permutation_rank", "passes"]);
        let header = names.header().chain(figures.map(String::from));
        write_rows(&dir.join("genes.tsv"), true, header, genes)?;
        let samples = self.samples.ids.iter().zip(&self.by_sample);
        let samples = samples.map(|(id, f)| std::iter::once(id.clone()).chain(f.fields()));
        write_rows(
            &dir.join("samples.tsv"),
            true,
            ["sample_id"].into_iter().chain(Figures::HEADER),
            samples,
        )?;
        sealed::seal(dir, "evaluation", &FILES[..3], serde_json::json!(made))
    }
}
