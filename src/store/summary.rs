//! Figures about a store, for `genelift info`.

use rayon::prelude::*;
use serde::Serialize;

use super::{Origin, Store};
use crate::genes::Table;

/// What [`summary`] finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Where the store lies.
    pub path: String,
    /// Rows of the matrix.
    pub samples: usize,
    /// Columns of the matrix.
    pub genes: usize,
    /// `"f32"` or `"f16"`.
    pub dtype: &'static str,
    /// Bytes of the values.
    pub bytes: u64,
    /// How many values are held, where those that are zero are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Smallest finite value.
    pub min: f32,
    /// Mean of the finite values.
    pub mean: f64,
    /// Largest finite value.
    pub max: f32,
    /// Values that are not finite; none in a store that this program wrote.
    pub missing: u64,
    /// Genes of one value in all samples.
    pub zero_variance_genes: usize,
    /// Headers of `samples.tsv` after the id.
    pub sample_columns: Vec<String>,
    /// Headers of `genes.tsv` after the id.
    pub gene_columns: Vec<String>,
    /// Where the values come from.
    pub origin: Origin,
    /// Equal for stores of equal content.
    pub fingerprint: String,
}

/// One gene's share of the summary.
#[derive(Clone, Copy)]
struct Gene {
    min: f32,
    max: f32,
    sum: f64,
    missing: u64,
}

impl Gene {
    const EMPTY: Gene = Gene { min: f32::INFINITY, max: f32::NEG_INFINITY, sum: 0.0, missing: 0 };

    fn merge(self, other: Gene) -> Gene {
        Gene {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
            missing: self.missing + other.missing,
        }
    }
}

/// Reads the whole store once, from beginning to end; memory is a figure a gene.
pub fn summary(store: &Store) -> Summary {
    /// Samples between which threads wait for one another, so that the file is read in order.
    const SAMPLES: usize = 512;
    /// Genes a task.
    const GENES: usize = 256;
    let n = store.n_samples();
    let mut genes = vec![Gene::EMPTY; store.n_genes()];
    for first in (0..n).step_by(SAMPLES) {
        genes.par_chunks_mut(GENES).enumerate().for_each(|(task, genes)| {
            let mut values = [0.0; GENES];
            let values = &mut values[..genes.len()];
            for sample in first..n.min(first + SAMPLES) {
                store.read_part(sample, task * GENES, values);
                for (gene, &x) in genes.iter_mut().zip(&*values) {
                    *gene = gene.merge(match x.is_finite() {
                        true => Gene { min: x, max: x, sum: f64::from(x), missing: 0 },
                        false => Gene { missing: 1, ..Gene::EMPTY },
                    });
                }
            }
        });
    }
    let constant = genes.iter().filter(|g| g.min >= g.max).count();
    let all = genes.into_iter().fold(Gene::EMPTY, Gene::merge);
    let present = (n * store.n_genes()) as u64 - all.missing;
    let names = |table: &Table| table.column_names().into_iter().map(str::to_string).collect();
    Summary {
        path: store.path().display().to_string(),
        samples: n,
        genes: store.n_genes(),
        dtype: if store.element().bytes() == 2 { "f16" } else { "f32" },
        bytes: store.bytes(),
        pairs: store.info().pairs,
        min: all.min,
        mean: all.sum / present.max(1) as f64,
        max: all.max,
        missing: all.missing,
        zero_variance_genes: constant,
        sample_columns: names(store.samples()),
        gene_columns: names(store.genes()),
        origin: store.info().origin.clone(),
        fingerprint: store.info().fingerprint(),
    }
}
