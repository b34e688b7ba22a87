//! ψ, the share of each gene's variance that common factors do not explain: the uniquenesses of maximum-likelihood factor
//! analysis, x = Λ·z + ε with var ε = Ψ diagonal, by EM (Rubin & Thayer, Psychometrika 47, 1982).
//!
//! With S = C/n and β = (I + ΛᵀΨ⁻¹Λ)⁻¹·ΛᵀΨ⁻¹ [q × G] a step is one product β·S:
//! ```text
//! E = I − β·Λ + β·S·βᵀ   Λᵀ ← E⁻¹·β·S   ψ_j ← S_jj − Σ_q Λ_jq·(β·S)_qj
//! ```
//! where I − β·Λ is the inverse in β once more.
//! It starts from the first q principal components, found by subspace iteration. Cost: 4·n·G·q a step by samples, 2·G²·q by
//! genes; memory 4 matrices of q × G.

use nalgebra::{DMatrix, DMatrixView, SymmetricEigen};
use rayon::prelude::*;

use super::columns::{Columns, across};
use super::covariance::Covariance;
use crate::device::random::Stream;

/// Factors at most; and no more than a quarter of the samples.
const FACTORS: usize = 60;
/// EM steps: what is left after them is small beside the clipping of penalties.
const STEPS: usize = 25;
/// Rounds of subspace iteration before them.
const ROUNDS: usize = 4;
/// Directions iterated beyond the factors asked for, without which the last of these come slowly.
const SPARE: usize = 10;
/// The least uniqueness: a near copy of another gene has none, and its likelihood no maximum.
const LEAST: f64 = 1e-3;
/// Genes that a task multiplies.
const GENES: usize = 1024;

/// C = XᵀX, as far as a factor analysis looks at it.
pub trait Products {
    /// C_jj of every gene.
    fn diagonal(&self) -> Vec<f64>;

    /// B·C [q × G] of B [q × G].
    fn times(&self, b: &DMatrix<f64>) -> DMatrix<f64>;
}

impl Products for Columns {
    fn diagonal(&self) -> Vec<f64> {
        let square = |gene: usize| self.column(gene).iter().map(|x| f64::from(*x).powi(2)).sum();
        (0..self.len()).map(square).collect()
    }

    fn times(&self, b: &DMatrix<f64>) -> DMatrix<f64> {
        Columns::times(self, b)
    }
}

impl Products for Covariance {
    fn diagonal(&self) -> Vec<f64> {
        Covariance::diagonal(self).to_vec()
    }

    fn times(&self, b: &DMatrix<f64>) -> DMatrix<f64> {
        Covariance::times(self, b)
    }
}

/// The uniquenesses of genes over `n` samples; 0 for a gene that does not vary.
pub fn uniqueness(c: &impl Products, n: usize) -> Vec<f64> {
    factor_analysis(c, n, FACTORS.min(n / 4).max(1), STEPS)
}

/// The same with so many factors, after so many steps.
pub fn factor_analysis(c: &impl Products, n: usize, factors: usize, steps: usize) -> Vec<f64> {
    let variance: Vec<f64> = c.diagonal().iter().map(|x| x / n as f64).collect();
    let mut loadings = components(c, n, factors.min(variance.len()));
    let explained = |a: &DMatrix<f64>, b: &DMatrix<f64>| -> Vec<f64> {
        a.column_iter().zip(b.column_iter()).map(|(a, b)| a.dot(&b)).collect()
    };
    let rest = |explained: Vec<f64>| -> Vec<f64> {
        explained.iter().zip(&variance).map(|(e, variance)| (variance - e).max(LEAST * variance)).collect()
    };
    let mut psi = rest(explained(&loadings, &loadings));
    for _ in 0..steps {
        let Some((next, image)) = step(c, n, &loadings, &psi) else { break };
        psi = rest(explained(&next, &image));
        loadings = next;
    }
    psi
}

/// One step: the next loadings [q × G] and β·S; `None` where the matrices that it inverts cannot be.
fn step(
    c: &impl Products,
    n: usize,
    loadings: &DMatrix<f64>,
    psi: &[f64],
) -> Option<(DMatrix<f64>, DMatrix<f64>)> {
    let q = loadings.nrows();
    let mut beta = loadings.clone();
    for (mut column, psi) in beta.column_iter_mut().zip(psi) {
        column *= if *psi > 0.0 { 1.0 / psi } else { 0.0 };
    }
    let precision = DMatrix::identity(q, q) + product(&beta, loadings);
    let inverse = precision.cholesky()?.inverse();
    let beta = applied(&inverse, &beta);
    let image = c.times(&beta) / n as f64;
    let expected = inverse + product(&image, &beta);
    let expected = (&expected + expected.transpose()) * 0.5;
    let next = applied(&expected.cholesky()?.inverse(), &image);
    Some((next, image))
}

/// A·Bᵀ [p × q] of A [p × G] and B [q × G], summed over blocks of genes in their order.
fn product(a: &DMatrix<f64>, b: &DMatrix<f64>) -> DMatrix<f64> {
    let q = b.nrows();
    let part = |(a, b): (DMatrixView<f64>, &[f64])| {
        let b = across(b, q);
        let mut part = DMatrix::zeros(a.nrows(), q);
        part.gemm(1.0, &a, &b, 0.0);
        part
    };
    let parts: Vec<_> = blocks(a).zip(b.as_slice().par_chunks((q * GENES).max(1))).map(part).collect();
    parts.into_iter().fold(DMatrix::zeros(a.nrows(), b.nrows()), |sum, part| sum + part)
}

/// M·B [p × G] of M [p × q] and B [q × G].
fn applied(m: &DMatrix<f64>, b: &DMatrix<f64>) -> DMatrix<f64> {
    let mut out = DMatrix::zeros(m.nrows(), b.ncols());
    let values = out.as_mut_slice().par_chunks_mut((m.nrows() * GENES).max(1));
    values.zip(blocks(b)).for_each(|(out, b)| out.copy_from_slice((m * b).as_slice()));
    out
}

/// Some genes at a time of a matrix [q × G].
fn blocks(a: &DMatrix<f64>) -> impl IndexedParallelIterator<Item = DMatrixView<'_, f64>> {
    let q = a.nrows();
    let values = a.as_slice().par_chunks((q * GENES).max(1));
    values.map(move |values| DMatrixView::from_slice(values, q, values.len() / q))
}

/// Loadings of the first principal components [at most q × G]: as many as the rank.
fn components(c: &impl Products, n: usize, q: usize) -> DMatrix<f64> {
    // A fixed start: the same data have the same uniquenesses.
    let mut stream = Stream::new(0, "factor analysis", 0);
    let genes = c.diagonal().len();
    let wide = (q + SPARE).min(genes);
    let mut basis = orthonormal(&DMatrix::from_fn(wide, genes, |_, _| stream.uniform() - 0.5));
    for _ in 0..ROUNDS {
        basis = orthonormal(&c.times(&basis));
    }
    let inner = product(&(c.times(&basis) / n as f64), &basis);
    let eigen = SymmetricEigen::new((&inner + inner.transpose()) * 0.5);
    let mut order: Vec<usize> = (0..basis.nrows()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    order.truncate(q);
    let mut loadings = applied(&eigen.eigenvectors.select_columns(&order).transpose(), &basis);
    for (mut row, i) in loadings.row_iter_mut().zip(order) {
        row *= eigen.eigenvalues[i].max(0.0).sqrt();
    }
    loadings
}

/// An orthonormal basis of the rows' span.
fn orthonormal(rows: &DMatrix<f64>) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new(product(rows, rows));
    let largest = eigen.eigenvalues.max();
    let kept: Vec<usize> =
        (0..rows.nrows()).filter(|i| eigen.eigenvalues[*i] > 1e-12 * largest && largest > 0.0).collect();
    let mut basis = applied(&eigen.eigenvectors.select_columns(&kept).transpose(), rows);
    for (mut row, i) in basis.row_iter_mut().zip(&kept) {
        row /= eigen.eigenvalues[*i].sqrt();
    }
    basis
}
