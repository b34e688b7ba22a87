//! `diverse` among the samples: n × n matrices and one pass over the data a gene.
//!
//! With y = A·x_j, p_j = x_jᵀ·y, M = T·Tᵀ and f_j = yᵀ·M·y the gain of gene j is f_j/(p_j + λ_j), and
//! ```text
//! u_i = x_iᵀ·y/(p_j + λ_j)   p_i ← p_i − u_i·x_iᵀ·y   f_i ← f_i + u_i·(u_i·f_j − 2·x_iᵀ·A·M·y)   A ← A − y·yᵀ/(p_j + λ_j)
//! ```
//! is one pass over X a step. A, p and f are computed afresh each time penalties are set.
//!
//! Cost: 4·n²·G at the start and each time penalties are set, then 6·n³ too, 4·n·G + 4·n² a step; memory X and n². Sums are in f64.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::columns::Columns;
use super::ridge_greedy::{GENES, Left, Revise, lost_in_rounding};
use super::within::Part;
use crate::error::Result;

/// What is left, in the space of the samples.
pub struct BySamples<'a> {
    x: &'a Columns,
    /// M = T·Tᵀ
    gram: &'a DMatrix<f64>,
    lambdas: Vec<f64>,
    taken: Vec<usize>,
    a: DMatrix<f64>,
    p: Vec<f64>,
    f: Vec<f64>,
    constant: Vec<bool>,
    /// The step of the gene that [`Revise::without`] was asked for last.
    asked: Option<Step>,
}

impl<'a> BySamples<'a> {
    /// Nothing taken yet of z-scored `x`, for the target whose T·Tᵀ is `gram`.
    pub fn new(x: &'a Columns, gram: &'a DMatrix<f64>) -> Self {
        let a = DMatrix::identity(x.rows(), x.rows());
        let (lambdas, taken, p, f) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let constant = (0..x.len()).map(|gene| x.column(gene).iter().all(|v| *v == 0.0)).collect();
        BySamples { x, gram, lambdas, taken, a, p, f, constant, asked: None }
    }
}

/// What taking or leaving a gene changes.
struct Step {
    gene: usize,
    y: DVector<f64>,
    /// yᵀ·M·y
    f: f64,
    /// x_iᵀ·y and x_iᵀ·A·M·y of every gene.
    dots: Vec<[f64; 2]>,
}

impl BySamples<'_> {
    fn step(&self, gene: usize) -> Step {
        let x = DVector::from_iterator(self.x.rows(), self.x.column(gene).iter().map(|x| f64::from(*x)));
        let y = &self.a * x;
        let image = self.gram * &y;
        let dots = self.x.dots(y.as_slice(), (&self.a * &image).as_slice());
        Step { gene, f: y.dot(&image), y, dots }
    }

    /// p of the gene of a step, by its own column and not by what was added up.
    fn p_of(&self, step: &Step) -> f64 {
        step.dots[step.gene][0]
    }

    /// A ← A + s·y·yᵀ
    fn change(&mut self, s: f64, step: &Step) {
        self.asked = None;
        let genes = self.p.par_iter_mut().zip(&mut self.f).zip(&step.dots).with_min_len(GENES);
        genes.for_each(|((p, f), [c, e])| {
            let u = s * c;
            *p += u * c;
            *f += u * (u * step.f + 2.0 * e);
        });
        self.a.ger(s, &step.y, &step.y, 1.0);
    }
}

impl Left for BySamples<'_> {
    fn is_constant(&self, gene: usize) -> bool {
        self.constant[gene]
    }

    fn whole(&self) -> f64 {
        self.gram.trace()
    }

    fn set(&mut self, lambdas: Vec<f64>) -> Result<()> {
        (self.lambdas, self.asked) = (lambdas, None);
        let n = self.x.rows();
        let scaled = |row: usize, i: usize| {
            let gene = self.taken[i];
            f64::from(self.x.column(gene)[row]) / self.lambdas[gene].sqrt()
        };
        let genes = DMatrix::from_fn(n, self.taken.len(), scaled);
        let inverse = DMatrix::identity(n, n) + &genes * genes.transpose();
        // Positive definite, the identity and a sum of squares, as far as rounding lets it.
        self.a = inverse.cholesky().ok_or_else(lost_in_rounding)?.inverse();
        self.p = self.x.quadratic(&self.a);
        self.f = self.x.quadratic(&(&self.a * self.gram * &self.a));
        Ok(())
    }

    fn gain(&self, gene: usize) -> f64 {
        self.f[gene].max(0.0) / (self.p[gene].max(0.0) + self.lambdas[gene])
    }

    fn take(&mut self, gene: usize) {
        self.taken.push(gene);
        let step = self.step(gene);
        self.change(-1.0 / (self.p_of(&step) + self.lambdas[gene]), &step);
    }
}

impl Revise for BySamples<'_> {
    /// A + s·y·yᵀ with s = 1/(λ_j − p_j) is A without gene j.
    fn without(&mut self, gene: usize, _: &[usize]) -> Result<Vec<f64>> {
        let step = self.step(gene);
        let s = 1.0 / (self.lambdas[gene] - self.p_of(&step));
        let figures = step.dots.iter().zip(self.p.iter().zip(&self.f)).zip(&self.lambdas);
        let gain = |(([c, e], (p, f_i)), lambda): ((&[f64; 2], (&f64, &f64)), &f64)| {
            (f_i + s * c * (2.0 * e + s * c * step.f)).max(0.0) / ((p + s * c * c).max(0.0) + lambda)
        };
        let gains = figures.map(gain).collect();
        self.asked = Some(step);
        Ok(gains)
    }

    fn leave(&mut self, gene: usize) {
        self.taken.retain(|taken| *taken != gene);
        let step =
            self.asked.take().filter(|step| step.gene == gene).expect("what is given back was asked for");
        self.change(1.0 / (self.lambdas[gene] - self.p_of(&step)), &step);
    }

    fn among(&self, genes: &[usize]) -> Vec<Part> {
        let column = |i: usize| self.x.column(genes[i]).iter().map(|x| f64::from(*x));
        let x = DMatrix::from_iterator(self.x.rows(), genes.len(), (0..genes.len()).flat_map(column));
        Vec::from([Part::new(x.transpose() * &x, x.transpose() * (self.gram * &x), self.whole())])
    }
}
