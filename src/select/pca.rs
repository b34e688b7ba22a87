//! `pca`: the genes that span the principal components best, by QR with column pivoting of the leading right singular
//! vectors V_Kᵀ [K × G] of the z-scored data, K = min(N, rank). The first pivot is the gene with the largest row of V_K, the
//! next the one with the largest part outside the first, and so on.
//!
//! Source: Businger & Golub, Numerische Mathematik 7, 1965 (pivoting); Drmač & Gugercin, SIAM J. Sci. Comput. 38, 2016
//! (Q-DEIM: sensors by pivoted QR of a basis). Beyond K genes it starts again without those chosen. No options. Cost: n²·G for
//! the Gram matrix, n³ for its eigenvectors, n·K·G for V, 4·K·G a step. Score: |R_jj|, the norm outside the genes before.

use super::columns::Columns;
use super::constraints::{Constraints, Picks};
use super::eigen::Components;
use super::greedy::greedy;
use crate::error::Result;
use crate::progress::Reporter;

/// V_Kᵀ of z-scored `x`: [K × genes], K at most `k` and the rank.
pub fn right_vectors(x: &Columns, k: usize) -> Columns {
    let components = Components::of(&x.gram(), k);
    let mut basis = components.vectors;
    for (mut column, value) in basis.column_iter_mut().zip(components.values) {
        column.unscale_mut(value.sqrt());
    }
    x.project(&basis)
}

/// Chooses from z-scored `x`; `ids` are its genes.
pub fn pca(x: &Columns, ids: &[String], constraints: &Constraints, report: Reporter) -> Result<Picks> {
    greedy(&right_vectors(x, constraints.n()), None, ids, constraints, report)
}
