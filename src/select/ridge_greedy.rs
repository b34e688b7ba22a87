//! The greedy recursion of `diverse`: each time the gene after which a ridge regression on the genes chosen leaves least
//! of the target.
//!
//! A ridge regression of a target T on the chosen genes X_S leaves A·T with A = (I + X_S·X_Sᵀ/λ)⁻¹ [n × n], where least
//! squares (`css`) projects. Near as many genes as samples a projection leaves nothing and the choice is noise; a ridge
//! never runs out. With y = A·x_j, p_j = x_jᵀ·y, M = T·Tᵀ and f_j = yᵀ·M·y, taking gene j lowers tr(A·M) by
//! f_j/(p_j + λ) (Sherman & Morrison 1950), so the gene with the largest is taken, and
//! ```text
//! u_i = x_iᵀ·y/(p_j + λ)   p_i ← p_i − u_i·x_iᵀ·y   f_i ← f_i + u_i·(u_i·f_j − 2·x_iᵀ·A·M·y)   A ← A − y·yᵀ/(p_j + λ)
//! ```
//! is one pass over X a step. The penalty that predicts best grows with the number of genes k, so λ = ridge·k: it is
//! set anew, and A, p and f computed afresh, at k = 10, 20, 40, …, for a k in the middle of the stretch to come.
//!
//! Cost: 4·n²·G at the start and each time λ is set, 4·n·G + 4·n² a step; memory X and n². Sums are in f64.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::columns::Columns;
use super::constraints::{Constraints, Picks};
use crate::progress::{Event, Reporter};

/// The first stretch of one λ, in genes; each later one ends at twice the genes of the one before.
const STRETCH: usize = 10;
/// Genes that a task looks at, at least.
const GENES: usize = 1024;

struct State<'a> {
    x: &'a Columns,
    /// M = T·Tᵀ
    gram: &'a DMatrix<f64>,
    /// λ/k: the penalty for each gene chosen
    ridge: f64,
    lambda: f64,
    a: DMatrix<f64>,
    p: Vec<f64>,
    f: Vec<f64>,
}

impl<'a> State<'a> {
    fn new(x: &'a Columns, gram: &'a DMatrix<f64>, ridge: f64) -> Self {
        let a = DMatrix::identity(x.rows(), x.rows());
        State { x, gram, ridge, lambda: 0.0, a, p: Vec::new(), f: Vec::new() }
    }

    /// Sets λ for the stretch that begins with these genes chosen; returns where it ends.
    fn refresh(&mut self, chosen: &[usize]) -> usize {
        let n = self.x.rows();
        let k = chosen.len();
        let middle = k.max(STRETCH / 2) as f64 * std::f64::consts::SQRT_2;
        self.lambda = self.ridge * middle;
        let genes = DMatrix::from_fn(n, k, |row, i| f64::from(self.x.column(chosen[i])[row]));
        let k_plus = DMatrix::identity(n, n) + &genes * genes.transpose() / self.lambda;
        // Positive definite: the identity and a sum of squares.
        let factor = k_plus.cholesky().expect("I + X·Xᵀ/λ is positive definite");
        self.a = factor.inverse();
        self.p = self.x.quadratic(&self.a);
        self.f = self.x.quadratic(&(&self.a * self.gram * &self.a));
        (2 * k).max(STRETCH)
    }

    /// How much of tr(A·M) a gene takes away.
    fn gain(&self, gene: usize) -> f64 {
        self.f[gene].max(0.0) / (self.p[gene].max(0.0) + self.lambda)
    }

    fn take(&mut self, gene: usize) {
        let x = DVector::from_iterator(self.x.rows(), self.x.column(gene).iter().map(|x| f64::from(*x)));
        let y = &self.a * &x;
        let image = self.gram * &y;
        let (f, scale) = (y.dot(&image), 1.0 / (x.dot(&y) + self.lambda));
        let dots = self.x.dots(y.as_slice(), (&self.a * image).as_slice());
        let genes = self.p.par_iter_mut().zip(&mut self.f).zip(&dots).with_min_len(GENES);
        genes.for_each(|((p, f_i), [c, e])| {
            let u = c * scale;
            *p -= u * c;
            *f_i += u * (u * f - 2.0 * e);
        });
        self.a.ger(-scale, &y, &y, 1.0);
    }
}

/// Chooses genes one by one for the target whose T·Tᵀ is `gram`: the included ones first, then the free ones, each time
/// the best for what is left; equal ones by id, constant ones last with score 0. A score is the share of the target
/// that the gene takes away at the penalty of its stretch, so scores of different stretches do not add up. `ridge` is positive: λ for each gene chosen.
pub fn ridge_greedy(
    x: &Columns,
    gram: &DMatrix<f64>,
    ridge: f64,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Picks {
    pooled(&[(x, gram)], ridge, ids, constraints, report)
}

/// As [`ridge_greedy`], of several data sets of the same genes at once: the gain of a gene is the mean of its shares over all of them.
pub fn pooled(
    sets: &[(&Columns, &DMatrix<f64>)],
    ridge: f64,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Picks {
    let genes = ids.len();
    let flat = |gene: usize| sets.iter().all(|(x, _)| x.column(gene).iter().all(|v| *v == 0.0));
    let constant: Vec<bool> = (0..genes).map(flat).collect();
    let whole = |gram: &DMatrix<f64>| gram.trace().max(f64::MIN_POSITIVE) * sets.len() as f64;
    let mut states: Vec<(State, f64)> =
        sets.iter().map(|(x, gram)| (State::new(x, gram, ridge), whole(gram))).collect();
    let mut taken = vec![false; genes];
    let mut picks = Picks::default();
    let mut stretch_end = 0;
    let total = Some(constraints.n() as u64);
    report(Event::Started { task: "selecting".into(), total, unit: "genes" });
    while picks.genes.len() < constraints.n() {
        let placed = picks.genes.len();
        if placed >= stretch_end {
            stretch_end = states.iter_mut().map(|(state, _)| state.refresh(&picks.genes)).max().unwrap_or(0);
        }
        let free = (0..genes).into_par_iter().with_min_len(GENES);
        let free = free.filter(|gene| !taken[*gene] && constraints.allows(*gene, placed));
        let gain = |gene: usize| states.iter().map(|(state, whole)| state.gain(gene) / whole).sum::<f64>();
        let value = |gene: usize| if constant[gene] { -1.0 } else { gain(gene) };
        let better =
            |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1).then_with(|| ids[b.0].cmp(&ids[a.0]));
        let best = free.map(|gene| (gene, value(gene))).max_by(better);
        let (gene, gain) = best.expect("constraints leave enough genes");
        taken[gene] = true;
        picks.push(gene, gain.max(0.0));
        if !constant[gene] {
            states.iter_mut().for_each(|(state, _)| state.take(gene));
        }
        report(Event::Advanced { done: picks.genes.len() as u64, note: String::new() });
    }
    report(Event::Finished);
    picks
}
