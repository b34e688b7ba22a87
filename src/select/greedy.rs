//! The greedy recursion that `css` and `pca` share, and `diverse` without a ridge.
//!
//! With residuals R of the candidates X and T of a target after the genes chosen so far, take the gene j that maximises
//! `f_j/g_j` with f_j = ‖Tᵀr_j‖², g_j = ‖r_j‖², then deflate R and T on it (Farahat, Ghodsi & Kamel, "An efficient
//! greedy method for unsupervised feature selection", ICDM 2011, where T = X). Without a target take the largest
//! g_j, which is QR with column pivoting (Businger & Golub 1965).
//!
//! Neither R nor T is kept. All lies in the space of the n samples, with M = T·Tᵀ [n × n]; w is the unit vector along r_j
//! and P projects out the directions w of all earlier steps. Then wᵀr_i = wᵀx_i, since w lies in P's range, and
//! z = P·M₀·w gives r_iᵀ·M·w = zᵀx_i and s = wᵀ·M·w = wᵀz, so that a step is one pass over X:
//! ```text
//! v_i = wᵀx_i   c_i = zᵀx_i   g_i ← g_i − v_i²   f_i ← f_i − 2·v_i·c_i + v_i²·s   tr M ← tr M − s
//! ```
//! s/tr M₀ is the share of the target that the step explains. Cost: 2·n²·G once (M₀ and f₀), then 4·n·G + n² + 8·n·t
//! for step t; memory X and n². The w and z are orthogonalised twice; sums are in f64.

use nalgebra::{DMatrix, DVector};

use super::columns::Columns;
use super::constraints::{Constraints, Picks};
use crate::error::Result;
use crate::progress::{Event, Reporter, advance};

/// What is to be explained: M = T·Tᵀ of a target T [samples × genes].
#[derive(Debug, Clone)]
pub struct Target {
    /// [samples × samples]
    pub gram: DMatrix<f64>,
}

/// A residual below this share of its gene, or of the whole target, is rounding.
const EXHAUSTED: f64 = 1e-9;

/// The state of the recursion.
struct Residuals<'a> {
    x: &'a Columns,
    target: Option<&'a Target>,
    /// ‖x_j‖² and xᵀM₀x, before any choice.
    fresh: (Vec<f64>, Vec<f64>, f64),
    g: Vec<f64>,
    f: Vec<f64>,
    /// tr M
    left: f64,
    basis: Vec<DVector<f64>>,
}

impl<'a> Residuals<'a> {
    fn new(x: &'a Columns, target: Option<&'a Target>) -> Self {
        let norm = |gene| x.column(gene).iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let g: Vec<f64> = (0..x.len()).map(norm).collect();
        let f = target.map_or_else(Vec::new, |target| x.quadratic(&target.gram));
        let left = target.map_or(0.0, |target| target.gram.trace());
        Residuals { x, target, fresh: (g.clone(), f.clone(), left), g, f, left, basis: Vec::new() }
    }

    /// Forgets what was chosen.
    fn restart(&mut self) {
        self.basis.clear();
        (self.g, self.f, self.left) = self.fresh.clone();
    }

    /// The gene with the largest criterion among those that `may` be next; equal ones by id. `None` where no
    /// residual is left, of those genes or of the target.
    fn best(&self, ids: &[String], may: impl Fn(usize) -> bool) -> Option<usize> {
        if self.target.is_some() && self.left <= EXHAUSTED * self.fresh.2 {
            return None;
        }
        let value = |gene: usize| match self.target {
            Some(_) => self.f[gene].max(0.0) / self.g[gene],
            None => self.g[gene],
        };
        let live = |gene: &usize| self.g[*gene] > EXHAUSTED * self.fresh.0[*gene] && may(*gene);
        let better =
            |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1).then_with(|| ids[b.0].cmp(&ids[a.0]));
        (0..self.x.len()).filter(live).map(|gene| (gene, value(gene))).max_by(better).map(|(gene, _)| gene)
    }

    /// Deflates on a gene; returns its score: the share of the target that it explains, or without a target the
    /// norm of its residual. `None` where the residual was rounding.
    fn take(&mut self, gene: usize) -> Option<f64> {
        let x = self.x.column(gene);
        let residual = self.outside(DVector::from_iterator(x.len(), x.iter().map(|x| f64::from(*x))));
        let norm = residual.norm();
        if norm.powi(2) <= EXHAUSTED * self.fresh.0[gene] {
            self.g[gene] = 0.0;
            return None;
        }
        let w = residual / norm;
        let z = match self.target {
            Some(target) => self.outside(&target.gram * &w),
            None => DVector::zeros(w.len()),
        };
        let s = w.dot(&z);
        let dots = self.x.dots(w.as_slice(), z.as_slice());
        self.g.iter_mut().zip(&dots).for_each(|(g, [v, _])| *g -= v * v);
        self.f.iter_mut().zip(&dots).for_each(|(f, [v, c])| *f += v * (v * s - 2.0 * c));
        self.left -= s;
        self.basis.push(w);
        Some(if self.target.is_some() { s / self.fresh.2 } else { norm })
    }

    /// What of `y` lies outside all directions taken; orthogonalised twice (Giraud et al. 2005: enough).
    fn outside(&self, mut y: DVector<f64>) -> DVector<f64> {
        for _ in 0..2 {
            for w in &self.basis {
                y.axpy(-w.dot(&y), w, 1.0);
            }
        }
        y
    }
}

/// Chooses genes one by one: the included ones first, then the free ones, each time the best for what is left.
///
/// Where residuals are exhausted (there are no more independent directions than samples) it starts again on fresh
/// residuals without the genes chosen, and says where. Constant genes come last, by id, with score 0, and so do included
/// genes that add nothing to those before them.
pub fn greedy(
    x: &Columns,
    target: Option<&Target>,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    let mut residuals = Residuals::new(x, target);
    let mut taken = vec![false; x.len()];
    let mut picks = Picks::default();
    let total = Some(constraints.n() as u64);
    report(Event::Started { task: "selecting".into(), total, unit: "genes" });
    while picks.genes.len() < constraints.n() {
        let placed = picks.genes.len();
        let may = |gene: usize| !taken[gene] && constraints.allows(gene, placed);
        match residuals.best(ids, may) {
            Some(gene) => {
                if let Some(score) = residuals.take(gene) {
                    taken[gene] = true;
                    picks.push(gene, score);
                }
            }
            None if placed < constraints.includes() || residuals.basis.is_empty() => {
                let next = (0..x.len()).filter(|gene| may(*gene)).min_by_key(|gene| &ids[*gene]);
                let gene = next.expect("constraints leave enough genes");
                taken[gene] = true;
                picks.push(gene, 0.0);
            }
            None => {
                report(Event::Note(format!(
                    "{} genes explain all that {} samples can show; from landmark {} on the selection starts again on fresh residuals",
                    residuals.basis.len(),
                    x.rows(),
                    placed + 1
                )));
                residuals.restart();
            }
        }
        advance(report, picks.genes.len() as u64, "")?;
    }
    report(Event::Finished);
    Ok(picks)
}
