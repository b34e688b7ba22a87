//! Principal components of samples × genes, from the samples' Gram matrix.

use nalgebra::{DMatrix, SymmetricEigen};

/// Leading eigenvectors of a Gram matrix X·Xᵀ.
#[derive(Debug, Clone)]
pub struct Components {
    /// [rows × k], the left singular vectors of X; the largest element of each is positive.
    pub vectors: DMatrix<f64>,
    /// The squared singular values, descending.
    pub values: Vec<f64>,
    /// The sum of all of them.
    pub total: f64,
}

/// An eigenvalue below this share of the largest is rounding.
const RANK: f64 = 1e-10;

impl Components {
    /// At most `k` components, and no more than the rank. O(n³).
    pub fn of(gram: &DMatrix<f64>, k: usize) -> Self {
        let total = gram.trace();
        let eigen = SymmetricEigen::new(gram.clone());
        let mut order: Vec<usize> = (0..gram.nrows()).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let largest = order.first().map_or(0.0, |i| eigen.eigenvalues[*i]);
        order.retain(|i| eigen.eigenvalues[*i] > RANK * largest);
        order.truncate(k);
        let mut vectors = eigen.eigenvectors.select_columns(&order);
        for mut column in vectors.column_iter_mut() {
            if column[column.icamax()] < 0.0 {
                column.neg_mut();
            }
        }
        Components { vectors, values: order.iter().map(|i| eigen.eigenvalues[*i]).collect(), total }
    }
}
