//! What a ridge regression on some of N given genes leaves, as far as these genes alone are looked at: N × N matrices, whatever the
//! data. It puts a list in order.
//!
//! With K = XᵀAX and Q = XᵀAMAX over the N genes, p_j = K_jj, f_j = Q_jj and d = p_j + λ_j, taking gene j is
//! ```text
//! Q ← Q − (K_j·Q_jᵀ + Q_j·K_jᵀ)/d + K_j·K_jᵀ·f_j/d²   K ← K − K_j·K_jᵀ/d
//! ```
//! Cost: N² a step, N³ each time penalties are set.

use nalgebra::{DMatrix, DVector};

use super::ridge_greedy::{Left, lost_in_rounding};
use crate::error::Result;

/// One data set, of N genes.
#[derive(Debug, Clone)]
pub struct Part {
    /// XᵀX and XᵀMX [N × N], before any choice.
    fresh: [DMatrix<f64>; 2],
    /// K and Q.
    left: [DMatrix<f64>; 2],
    /// The target's sum of squares.
    whole: f64,
}

impl Part {
    /// Of XᵀX and XᵀMX [N × N], and tr M.
    pub fn new(own: DMatrix<f64>, images: DMatrix<f64>, whole: f64) -> Self {
        Part { left: [own.clone(), images.clone()], fresh: [own, images], whole }
    }

    /// K and Q after the genes `taken`: B = I − E·(K_TT + Λ)⁻¹·K_T turns X into A·X.
    fn restart(&mut self, taken: &[usize], lambdas: &[f64]) -> Result<()> {
        let [own, images] = &self.fresh;
        let rows = own.select_rows(taken);
        let mut block = rows.select_columns(taken);
        taken.iter().enumerate().for_each(|(i, gene)| block[(i, i)] += lambdas[*gene]);
        let weights = block.cholesky().ok_or_else(lost_in_rounding)?.solve(&rows);
        let mut b = DMatrix::identity(own.nrows(), own.nrows());
        for (weights, gene) in weights.row_iter().zip(taken) {
            let mut row = b.row_mut(*gene);
            row -= weights;
        }
        self.left = [own * &b, b.transpose() * images * &b];
        Ok(())
    }

    fn take(&mut self, gene: usize, lambda: f64) {
        let [k, q] = &mut self.left;
        let (own, image): (DVector<f64>, DVector<f64>) = (k.column(gene).into(), q.column(gene).into());
        let d = own[gene].max(0.0) + lambda;
        q.ger(-1.0 / d, &own, &image, 1.0);
        q.ger(-1.0 / d, &image, &own, 1.0);
        q.ger(image[gene] / (d * d), &own, &own, 1.0);
        k.ger(-1.0 / d, &own, &own, 1.0);
    }
}

/// Several data sets of the same genes: a gain is the sum of its shares of them.
pub struct Within {
    parts: Vec<Part>,
    lambdas: Vec<f64>,
    taken: Vec<usize>,
}

impl Within {
    /// Nothing taken yet.
    pub fn new(parts: Vec<Part>) -> Self {
        Within { parts, lambdas: Vec::new(), taken: Vec::new() }
    }
}

impl Left for Within {
    fn is_constant(&self, gene: usize) -> bool {
        self.parts.iter().all(|part| part.fresh[0][(gene, gene)] == 0.0)
    }

    fn whole(&self) -> f64 {
        self.parts.len() as f64
    }

    fn set(&mut self, lambdas: Vec<f64>) -> Result<()> {
        self.lambdas = lambdas;
        self.parts.iter_mut().try_for_each(|part| part.restart(&self.taken, &self.lambdas))
    }

    fn gain(&self, gene: usize) -> f64 {
        let gain = |Part { left: [k, q], whole, .. }: &Part| {
            q[(gene, gene)].max(0.0)
                / (k[(gene, gene)].max(0.0) + self.lambdas[gene])
                / whole.max(f64::MIN_POSITIVE)
        };
        self.parts.iter().map(gain).sum()
    }

    fn take(&mut self, gene: usize) {
        self.taken.push(gene);
        self.parts.iter_mut().for_each(|part| part.take(gene, self.lambdas[gene]));
    }
}
