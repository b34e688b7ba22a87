//! Ridge where samples are fewer than landmarks: everything follows from XXᵀ and YYᵀ, and the targets are read twice, a block at a time.

use super::super::dense::{Dense, Standardised, product};
use super::{Coefficients, Part, inverse, n_folds, split};
use crate::error::Result;
use crate::infer::Problem;
use crate::infer::offsets::Offsets;
use crate::progress::Reporter;
use crate::store::strips::Spread;

/// What any penalty's coefficients follow from.
pub struct Dual<'a> {
    offsets: Option<&'a Offsets>,
    x: Standardised,
    /// XXᵀ
    products: Dense,
}

impl<'a> Dual<'a> {
    pub fn new(problem: &Problem, offsets: Option<&'a Offsets>) -> Dual<'a> {
        let x = Standardised::read(problem.store, problem.samples, problem.landmarks);
        let products = product(x.values.view(), x.values.t());
        Dual { offsets, x, products }
    }

    /// See [`Part`]: one a fold.
    pub fn parts(&self, problem: &Problem, fold: &[usize], report: Reporter) -> Result<Vec<Part>> {
        let k = &self.products;
        let mut l = Dense::zeros(k.rows, k.rows);
        problem.blocks("cross-validating", report, |y| l.add_product(y.values.view(), y.values.t()))?;
        l.values = problem.summed(l.values)?;
        let part = |held: usize| {
            let (train, test) = split(fold, held);
            let (k, l) = (centred(k, &train), centred(&l, &train));
            let block = |m: &Dense, rows, cols| m.select_rows(rows).select_cols(cols);
            let k_vt = block(&k, &test, &train);
            Part {
                cross: product(block(&l, &train, &test).view(), k_vt.view()),
                held: product(k_vt.t(), k_vt.view()),
                gram: block(&k, &train, &train),
                fitted: block(&l, &train, &train),
                norm: test.iter().map(|i| l.values[i * l.cols + i]).sum(),
            }
        };
        Ok((0..n_folds(fold)).map(part).collect())
    }

    /// W = Xᵀ(XXᵀ + αV)⁻¹Y
    pub fn solve(mut self, problem: &Problem, penalty: f64, report: Reporter) -> Result<Coefficients> {
        let Standardised { values: x, mean, sd } = self.x;
        if let Some(offsets) = self.offsets {
            offsets.add_to(&mut self.products, penalty);
        }
        let solver = product(x.t(), inverse(&self.products, penalty).view());
        let weighed = self.offsets.map(|offsets| offsets.weighed(&x));
        let gram = product(x.t(), weighed.as_ref().unwrap_or(&x).view());
        let mut weight = Vec::with_capacity(problem.targets.len() * x.cols);
        let mut targets = Spread { mean: Vec::new(), sd: Vec::new() };
        problem.blocks("fitting", report, |y| {
            weight.extend(product(y.values.t(), solver.t()).values.iter().map(|w| *w as f32));
            targets.mean.extend(y.mean);
            targets.sd.extend(y.sd);
        })?;
        Ok(Coefficients { weight, gram, landmarks: Spread { mean, sd }, targets })
    }
}

/// Products of samples → products of samples less the mean of the samples `train`.
pub fn centred(gram: &Dense, train: &[usize]) -> Dense {
    let n = train.len() as f64;
    let mean: Vec<f64> =
        (0..gram.rows).map(|i| train.iter().map(|j| gram.row(i)[*j]).sum::<f64>() / n).collect();
    let all = train.iter().map(|i| mean[*i]).sum::<f64>() / n;
    let mut out = gram.clone();
    for (i, row) in out.values.chunks_exact_mut(gram.cols).enumerate() {
        row.iter_mut().zip(&mean).for_each(|(value, m)| *value += all - mean[i] - m);
    }
    out
}
