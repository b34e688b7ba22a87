//! Principal components of samples × genes, from the samples' Gram matrix.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::device::random::Stream;

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
/// Up to so many samples all components are computed.
const EXACT: usize = 1_500;
/// Directions iterated beyond the components asked for, without which the last of these come slowly.
const SPARE: usize = 20;
/// Rounds of the iteration at most.
const ROUNDS: usize = 300;

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
        upright(&mut vectors);
        Components { vectors, values: order.iter().map(|i| eigen.eigenvalues[*i]).collect(), total }
    }

    /// The same for many samples, of which few components are wanted: by subspace iteration, O(n²·k) a round, until no wanted
    /// eigenvalue changes by more than 1e-9 of itself.
    pub fn leading(gram: &DMatrix<f64>, k: usize) -> Self {
        let (n, wide) = (gram.nrows(), k + SPARE);
        if n <= EXACT || 2 * wide > n {
            return Self::of(gram, k);
        }
        // A fixed start: the same data have the same components.
        let mut stream = Stream::new(0, "components", 0);
        let mut basis = DMatrix::from_fn(n, wide, |_, _| stream.uniform() - 0.5).qr().q();
        let mut before = vec![0.0; k];
        for _ in 0..ROUNDS {
            basis = (gram * &basis).qr().q();
            let inner = Self::of(&(basis.transpose() * (gram * &basis)), k);
            let still = |(now, before): (&f64, &f64)| (now - before).abs() <= 1e-9 * now;
            if inner.values.len() < k || inner.values.iter().zip(&before).all(still) {
                return inner.within(&basis, gram.trace());
            }
            before.clone_from(&inner.values);
        }
        Self::of(&(basis.transpose() * (gram * &basis)), k).within(&basis, gram.trace())
    }

    /// Components found in the span of a basis, as components of the whole.
    fn within(self, basis: &DMatrix<f64>, total: f64) -> Self {
        let mut vectors = basis * self.vectors;
        upright(&mut vectors);
        Components { vectors, total, ..self }
    }
}

/// Turns columns so that the largest element of each is positive.
fn upright(vectors: &mut DMatrix<f64>) {
    for mut column in vectors.column_iter_mut() {
        if column[column.icamax()] < 0.0 {
            column.neg_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(gram: &DMatrix<f64>, found: &Components) {
        for (vector, value) in found.vectors.column_iter().zip(&found.values) {
            let off = (gram * vector - vector * *value).norm();
            assert!(off < 1e-4 * value && (vector.norm() - 1.0).abs() < 1e-9, "{off} of {value}");
            assert!(vector[vector.icamax()] > 0.0, "the largest element is positive");
        }
        assert!(found.values.is_sorted_by(|a, b| a >= b));
        assert!((found.total - gram.trace()).abs() < 1e-9 * found.total);
    }

    #[test]
    fn components_of_few_and_of_many_samples() {
        let mut stream = Stream::new(3, "components test", 0);
        let x = DMatrix::from_fn(40, 7, |_, j| (stream.uniform() - 0.5) * (8 - j) as f64);
        let gram = &x * x.transpose();
        let few = Components::leading(&gram, 3);
        assert_eq!((few.values.len(), Components::of(&gram, 20).values.len()), (3, 7), "the rank is 7");
        check(&gram, &few);
        let n = EXACT + 1;
        let many = DMatrix::from_fn(n, 30, |_, j| (stream.uniform() - 0.5) * (40 - j) as f64);
        let gram = &many * many.transpose();
        let found = Components::leading(&gram, 5);
        check(&gram, &found);
        // the same values as of the features' products, which are few
        let exact = SymmetricEigen::new(many.tr_mul(&many)).eigenvalues;
        let mut exact: Vec<f64> = exact.iter().copied().collect();
        exact.sort_by(|a, b| b.total_cmp(a));
        assert!(
            found.values.iter().zip(exact).all(|(a, b)| (a / b - 1.0).abs() < 1e-6),
            "{:?}",
            found.values
        );
    }
}
