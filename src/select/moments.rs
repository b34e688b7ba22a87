//! Genes' means and deviations over the samples of a store, and samples z-scored by them: by rows, as the store lies, for
//! what does not fit in memory as columns.

use rayon::prelude::*;

use crate::error::Result;
use crate::progress::silent;
use crate::store::Store;
use crate::store::strips::Spread;

/// Of every gene over the samples looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// In the store's units.
    pub means: Vec<f64>,
    /// Standard deviations with n in the denominator, in the store's units; 0 for a gene of one value.
    pub deviations: Vec<f64>,
}

impl Moments {
    /// One pass over the given samples, of which there is at least one.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn of(store: &Store, samples: &[usize]) -> Result<Self> {
        let genes: Vec<usize> = (0..store.n_genes()).collect();
        let Spread { mean, sd } = Spread::of(store, samples, &genes, &silent)?;
        Ok(Moments { means: mean, deviations: sd })
    }

    /// The given samples z-scored [samples × genes], as [`Columns::standardized`](super::columns::Columns::standardized)
    /// has them by gene: rounded to f32, a constant gene 0.
    pub fn standardized(&self, store: &Store, samples: &[usize], out: &mut [f32]) {
        read(store, samples, out);
        out.par_chunks_exact_mut(store.n_genes()).for_each(|row| {
            for ((x, mean), sd) in row.iter_mut().zip(&self.means).zip(&self.deviations) {
                *x = if *sd > 0.0 { ((f64::from(*x) - mean) / sd) as f32 } else { 0.0 };
            }
        });
    }
}

fn read(store: &Store, samples: &[usize], out: &mut [f32]) {
    let rows = out.par_chunks_exact_mut(store.n_genes()).zip(samples);
    rows.for_each(|(row, sample)| store.read_row(*sample, row));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::columns::Columns;

    #[test]
    fn rows_equal_columns() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let genes = 1031;
        let value = |i: usize| match i % genes {
            3 => 0.1,
            // a large mean
            gene => (if gene == 5 { 1e4 } else { 0.0 }) + ((i * 7919) % 613) as f32 * 0.01,
        };
        let values: Vec<f32> = (0..259 * genes).map(value).collect();
        let store = crate::testing::store(&dir.path().join("x.gex"), genes, &values);
        let samples: Vec<usize> = (0..259).filter(|s| s % 100 != 7).collect();
        let moments = Moments::of(&store, &samples).unwrap();
        let (columns, deviations) = Columns::standardized(&store, &samples);
        let mut rows = vec![0.0; samples.len() * genes];
        moments.standardized(&store, &samples, &mut rows);
        assert_eq!(moments.deviations[3], 0.0);
        for gene in 0..genes {
            let (found, expected) = (moments.deviations[gene], deviations[gene]);
            assert!((found - expected).abs() <= 1e-9 * expected, "gene {gene}: {found}, {expected}");
            for (row, expected) in columns.column(gene).iter().enumerate() {
                assert!((rows[row * genes + gene] - expected).abs() < 1e-6, "gene {gene}, sample {row}");
            }
        }
    }
}
