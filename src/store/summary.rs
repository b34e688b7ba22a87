//! Figures about a store, for `genelift info`.

use rayon::prelude::*;
use serde::Serialize;

use super::{Origin, Store};

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

/// Reads the whole store once, in blocks of at most 64 MiB.
pub fn summary(store: &Store) -> Summary {
    let (n, mut values) = (store.n_samples(), Vec::new());
    let step = ((16 << 20) / n).clamp(1, store.n_genes());
    let (mut all, mut constant) = (Gene::EMPTY, 0);
    for first in (0..store.n_genes()).step_by(step) {
        store.read_columns(first, (first + step).min(store.n_genes()), &mut values);
        let genes: Vec<Gene> = values
            .par_chunks(n)
            .map(|column| {
                column.iter().fold(Gene::EMPTY, |gene, &x| match x.is_finite() {
                    true => gene.merge(Gene { min: x, max: x, sum: f64::from(x), missing: 0 }),
                    false => gene.merge(Gene { missing: 1, ..Gene::EMPTY }),
                })
            })
            .collect();
        constant += genes.iter().filter(|g| g.min >= g.max).count();
        all = genes.into_iter().fold(all, Gene::merge);
    }
    let present = (n * store.n_genes()) as u64 - all.missing;
    let names = |table: &super::Table| table.column_names().into_iter().map(str::to_string).collect();
    Summary {
        path: store.path().display().to_string(),
        samples: n,
        genes: store.n_genes(),
        dtype: if store.element().bytes() == 2 { "f16" } else { "f32" },
        bytes: (n * store.row_len()) as u64,
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
