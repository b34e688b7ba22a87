//! ψ, the share of each gene's variance that common factors do not explain: the uniquenesses of maximum-likelihood factor
//! analysis, x = Λ·z + ε with var ε = Ψ diagonal, by EM (Rubin & Thayer, Psychometrika 47, 1982).
//!
//! With S = C/n and β = (I + ΛᵀΨ⁻¹Λ)⁻¹·ΛᵀΨ⁻¹ [q × G] a step is one product β·S:
//! ```text
//! E = I − β·Λ + β·S·βᵀ   Λᵀ ← E⁻¹·β·S   ψ_j ← S_jj − Σ_q Λ_jq·(β·S)_qj
//! ```
//! where I − β·Λ is the inverse in β once more.
//! It starts from the first q principal components, found in a block Krylov space (Musco & Musco, NIPS 2015): steps are few, and what the start does not
//! have of them would stay in what comes out. Cost: 4·n·G·q a step by samples, 2·G²·q by genes, as much as a step for each q products of the space
//! before them; memory 4 matrices of q × G, at first as many of that space.

use nalgebra::{DMatrix, DMatrixView, SymmetricEigen};
use rayon::prelude::*;

use super::columns::{Columns, across};
use super::covariance::Covariance;
use crate::device::random::Stream;

/// Factors at most; and no more than a quarter of the samples.
const FACTORS: usize = 60;
/// EM steps: what is left after them is small beside the clipping of penalties.
const STEPS: usize = 25;
/// Products with a block of directions before them, in whose span the components are looked for.
const ROUNDS: usize = 10;
/// A block has fewer directions than there are factors, by this.
const NARROWER: usize = 2;
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

/// Loadings of the first principal components [at most q × G]: as many as the rank. Those that the span of B, C·B, C²·B, … has for a random block B.
fn components(c: &impl Products, n: usize, q: usize) -> DMatrix<f64> {
    // A fixed start: the same data have the same uniquenesses.
    let mut stream = Stream::new(0, "factor analysis", 0);
    let genes = c.diagonal().len();
    let wide = q.div_ceil(NARROWER).clamp(1, genes);
    let mut block = orthonormal(&DMatrix::from_fn(wide, genes, |_, _| stream.uniform() - 0.5));
    let (mut span, mut images) = (DMatrix::zeros(0, genes), DMatrix::zeros(0, genes));
    for _ in 0..ROUNDS {
        if block.nrows() == 0 {
            break;
        }
        let image = c.times(&block) / n as f64;
        span = below(&span, &block);
        images = below(&images, &image);
        let known = applied(&product(&image, &span), &span);
        block = orthonormal(&(image - known));
    }
    let inner = product(&images, &span);
    let eigen = SymmetricEigen::new((&inner + inner.transpose()) * 0.5);
    let mut order: Vec<usize> = (0..span.nrows()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    order.truncate(q);
    let mut loadings = applied(&eigen.eigenvectors.select_columns(&order).transpose(), &span);
    for (mut row, i) in loadings.row_iter_mut().zip(order) {
        row *= eigen.eigenvalues[i].max(0.0).sqrt();
    }
    loadings
}

/// Two matrices [each × G], one below the other.
fn below(first: &DMatrix<f64>, second: &DMatrix<f64>) -> DMatrix<f64> {
    let rows = first.nrows() + second.nrows();
    let mut both = DMatrix::zeros(rows, second.ncols());
    both.rows_mut(0, first.nrows()).copy_from(first);
    both.rows_mut(first.nrows(), second.nrows()).copy_from(second);
    both
}

/// An orthonormal basis of the rows' span, but for what is rounding.
fn orthonormal(rows: &DMatrix<f64>) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new(product(rows, rows));
    let largest = eigen.eigenvalues.max();
    let kept: Vec<usize> =
        (0..rows.nrows()).filter(|i| eigen.eigenvalues[*i] > 1e-8 * largest && largest > 0.0).collect();
    let mut basis = applied(&eigen.eigenvectors.select_columns(&kept).transpose(), rows);
    for (mut row, i) in basis.row_iter_mut().zip(&kept) {
        row /= eigen.eigenvalues[*i].sqrt();
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few programmes and much noise, so that the last components are hard to tell from the next: the same genes in another order have
    /// the same uniquenesses.
    #[test]
    fn the_order_of_genes_says_nothing() {
        let (samples, genes) = (160, 300);
        let mut stream = Stream::new(6, "uniqueness test", 0);
        let values: Vec<Vec<f32>> = (0..samples)
            .map(|_| {
                let programme = stream.uniform();
                let value = |gene: usize| 0.2 * (gene % 3) as f64 * programme + stream.uniform();
                (0..genes).map(value).map(|x| x as f32).collect()
            })
            .collect();
        let dir = tempfile::tempdir().expect("a folder");
        let of = |name: &str, place: &dyn Fn(usize) -> usize| {
            let turned: Vec<f32> =
                values.iter().flat_map(|row| (0..genes).map(|gene| row[place(gene)])).collect();
            let store = crate::testing::store(&dir.path().join(name), genes, &turned);
            let (x, _) = Columns::standardized(&store, &(0..samples).collect::<Vec<_>>());
            uniqueness(&x, samples)
        };
        let (plain, turned) = (of("a.gex", &|gene| gene), of("b.gex", &|gene| gene * 7 % genes));
        for (gene, psi) in turned.iter().enumerate() {
            assert!((psi / plain[gene * 7 % genes] - 1.0).abs() < 1e-2, "{gene}");
        }
    }
}
