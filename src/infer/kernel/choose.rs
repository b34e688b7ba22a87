//! Width, mixture and penalty by folds: of all points of a grid, those are tried that a search comes by which goes from point
//! to neighbouring point as long as the error falls.
//!
//! With Y_v of a fold predicted as S·Y_t, S = K_vt(K_tt + λI)⁻¹, its squared error over all targets is
//! tr(L_vv) − 2 tr(S·L_tv) + tr(S·L_tt·Sᵀ), L = YYᵀ after the training samples' mean was taken from Y. So the targets are
//! read once.

use std::collections::HashMap;

use super::super::dense::{Dense, Standardised, product};
use super::super::linear::{centred, n_folds, split};
use super::super::parting::{KERNEL, Parting};
use super::super::{KernelSettings, Problem};
use super::{Cholesky, draw, squares};
use crate::error::Result;
use crate::progress::{Event, Reporter, advance};

/// At most so many samples are chosen by: the error's minimum is flat.
pub(in crate::infer) const SAMPLES: usize = 2_000;

/// What makes a kernel ridge regression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// γ of exp(−γ‖x − x'‖²).
    pub gamma: f64,
    /// The share of the Gaussian; the rest is linear.
    pub mixture: f64,
    /// λ
    pub penalty: f64,
    /// By their number the linear kernel is divided.
    pub landmarks: usize,
}

/// Widths that may be chosen, in units of 1/median ‖x − x'‖²: 2⁻⁵ to 2⁵ in half octaves.
fn gammas() -> Vec<f64> {
    (-10..=10).map(|k| 2f64.powf(f64::from(k) / 2.0)).collect()
}

/// Shares of the Gaussian.
const MIXTURES: [f64; 11] = [0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 1.0];

/// 10⁻³ to 10³ in quarter decades.
fn penalties() -> Vec<f64> {
    (-12..=12).map(|k| 10f64.powf(f64::from(k) / 4.0)).collect()
}

/// What the search begins with: γ = 1, m = 0.8, λ = 10⁻¹.
const START: [usize; 3] = [10, 6, 8];

/// Width, mixture and penalty, as asked or by folds; with the width in units of the median squared distance between samples, and
/// that.
pub(super) fn shape(
    problem: &Problem,
    settings: &KernelSettings,
    (seed, parting): (u64, &Parting),
    report: Reporter,
) -> Result<(Shape, [f64; 2])> {
    let some = draw(problem.samples.len(), SAMPLES, seed);
    let samples: Vec<usize> = some.iter().map(|i| problem.samples[*i]).collect();
    let some_of = Problem { samples: &samples, ..*problem };
    let x = Standardised::read(problem.store, &samples, problem.landmarks).values;
    let distance = median_distance(&x);
    let grid = settings.grid();
    let shape = |at: [usize; 3]| Shape {
        gamma: grid[0].0[at[0]] / distance,
        mixture: grid[1].0[at[1]],
        penalty: grid[2].0[at[2]],
        landmarks: problem.landmarks.len(),
    };
    if grid.iter().all(|(values, _)| values.len() == 1) {
        return Ok((shape([0; 3]), [grid[0].0[0], distance]));
    }
    let all = parting.folds(settings.folds, KERNEL)?;
    let folds: Vec<usize> = some.iter().map(|i| all[*i]).collect();
    let parts = Parts::new(&some_of, x, &folds, report)?;
    let best = parts.search(&grid, shape, report)?;
    report(Event::Note(told(&grid, best, settings.folds)));
    Ok((shape(best), [grid[0].0[best[0]], distance]))
}

/// What was chosen, and where it is the last of what could be.
fn told(grid: &[(Vec<f64>, usize); 3], best: [usize; 3], folds: usize) -> String {
    let names = ["gamma", "mixture", "penalty"];
    let each = names.iter().zip(grid).zip(best).filter(|((_, (values, _)), _)| values.len() > 1);
    let each = each.map(|((name, (values, _)), at)| {
        // a mixture cannot be more than all or less than nothing
        let ends = (at == 0 || at + 1 == values.len()) && *name != "mixture";
        format!("{name} {}{}", values[at] as f32, if ends { " (the end of what is tried)" } else { "" })
    });
    format!("{} by {folds}-fold cross-validation", each.collect::<Vec<_>>().join(", "))
}

impl KernelSettings {
    /// What may be chosen, and where to begin.
    fn grid(&self) -> [(Vec<f64>, usize); 3] {
        let of = |said: Option<f64>, values: Vec<f64>, start: usize| match said {
            Some(value) => (vec![value], 0),
            None => (values, start),
        };
        let mixtures = of(self.mixture, MIXTURES.to_vec(), START[1]);
        // without a Gaussian its width is nothing
        let gamma = self.gamma.or(if mixtures.0 == [0.0] { Some(1.0) } else { None });
        [of(gamma, gammas(), START[0]), mixtures, of(self.penalty, penalties(), START[2])]
    }
}

/// Squared error over all targets and folds for each of the shapes, each fold predicted from the others, from values z-scored by all
/// samples, targets centred by the others. `fold[i]`, from 0, is that of `problem.samples[i]`.
pub fn held_out_errors(
    problem: &Problem,
    fold: &[usize],
    shapes: &[Shape],
    report: Reporter,
) -> Result<Vec<f64>> {
    let x = Standardised::read(problem.store, problem.samples, problem.landmarks).values;
    let parts = Parts::new(problem, x, fold, report)?;
    Ok(shapes.iter().map(|shape| parts.error(shape)).collect())
}

/// The median of ‖x − x'‖² over pairs of rows, as NumPy's; 1 where there is no distance.
pub fn median_distance(x: &Dense) -> f64 {
    let (g, s) = (product(x.view(), x.t()), squares(x));
    let pair = |i: usize, j: usize| (s[i] + s[j] - 2.0 * g.row(i)[j]).max(0.0);
    let mut all: Vec<f64> =
        (0..x.rows).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| pair(i, j)).collect();
    let middle = all.len() / 2;
    if all.is_empty() {
        return 1.0;
    }
    let even = all.len().is_multiple_of(2) && middle > 0;
    let (below, upper, _) = all.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = if even { below.iter().copied().fold(0.0, f64::max) } else { *upper };
    let median = (lower + *upper) / 2.0;
    if median > 0.0 { median } else { 1.0 }
}

/// Products of samples, and each fold's of targets.
struct Parts {
    /// XXᵀ
    products: Dense,
    squares: Vec<f64>,
    folds: Vec<Fold>,
}

struct Fold {
    /// Training samples, and those held out.
    rows: (Vec<usize>, Vec<usize>),
    /// L_tt
    fitted: Dense,
    /// L_vt
    cross: Dense,
    /// tr(L_vv)
    norm: f64,
}

impl Parts {
    fn new(problem: &Problem, x: Dense, fold: &[usize], report: Reporter) -> Result<Parts> {
        let mut l = Dense::zeros(x.rows, x.rows);
        problem.blocks("cross-validating", report, |y| l.add_product(y.values.view(), y.values.t()))?;
        l.values = problem.summed(l.values)?;
        let of = |held: usize| {
            let rows = split(fold, held);
            let l = centred(&l, &rows.0);
            let block = |a: &[usize], b: &[usize]| l.select_rows(a).select_cols(b);
            let norm = rows.1.iter().map(|i| l.row(*i)[*i]).sum();
            Fold { fitted: block(&rows.0, &rows.0), cross: block(&rows.1, &rows.0), norm, rows }
        };
        // a fold of which no sample is here says nothing
        let folds = (0..n_folds(fold)).map(of).filter(|f| !f.rows.0.is_empty() && !f.rows.1.is_empty());
        Ok(Parts { products: product(x.view(), x.t()), squares: squares(&x), folds: folds.collect() })
    }

    /// Squared error over folds; infinite where the equations cannot be solved.
    fn error(&self, shape: &Shape) -> f64 {
        let k = shape.between(self.products.clone(), &self.squares, &self.squares);
        let of = |fold: &Fold| {
            let (train, held) = &fold.rows;
            let mut k_tt = k.select_rows(train).select_cols(train);
            (0..train.len()).for_each(|i| k_tt.values[i * train.len() + i] += shape.penalty);
            let solver = Cholesky::of(k_tt)?;
            // Sᵀ
            let s = solver.solve(&k.select_rows(train).select_cols(held));
            let turned = product(fold.fitted.view(), s.view());
            let quadratic: f64 = s.values.iter().zip(&turned.values).map(|(a, b)| a * b).sum();
            let n = train.len();
            let entry = |i: usize| s.values[(i % n) * held.len() + i / n];
            let linear: f64 = fold.cross.values.iter().enumerate().map(|(i, l)| l * entry(i)).sum();
            Some(fold.norm - 2.0 * linear + quadratic)
        };
        self.folds.iter().map(of).sum::<Option<f64>>().unwrap_or(f64::INFINITY)
    }

    /// From neighbour to neighbour, first in steps of two, then of one.
    fn search(
        &self,
        grid: &[(Vec<f64>, usize); 3],
        shape: impl Fn([usize; 3]) -> Shape,
        report: Reporter,
    ) -> Result<[usize; 3]> {
        report(Event::Started {
            task: "choosing width, mixture and penalty".into(),
            total: None,
            unit: "trials",
        });
        let mut known: HashMap<[usize; 3], f64> = HashMap::new();
        let mut error = |at: [usize; 3]| {
            if let Some(error) = known.get(&at) {
                return Ok(*error);
            }
            let error = self.error(&shape(at));
            known.insert(at, error);
            advance(report, known.len() as u64, "")?;
            Ok(error)
        };
        let mut best = [grid[0].1, grid[1].1, grid[2].1];
        for step in [2, 1] {
            let mut moved = true;
            while moved {
                moved = false;
                for axis in [2, 1, 0] {
                    while let Some(next) = better(best, (axis, step), grid, &mut error)? {
                        (best, moved) = (next, true);
                    }
                }
            }
        }
        report(Event::Finished);
        Ok(best)
    }
}

/// A neighbour of less error along one axis.
fn better(
    at: [usize; 3],
    (axis, step): (usize, usize),
    grid: &[(Vec<f64>, usize); 3],
    error: &mut impl FnMut([usize; 3]) -> Result<f64>,
) -> Result<Option<[usize; 3]>> {
    let here = error(at)?;
    let last = grid[axis].0.len() - 1;
    let places = [at[axis].saturating_sub(step), (at[axis] + step).min(last)];
    for place in places.into_iter().filter(|place| *place != at[axis]) {
        let mut next = at;
        next[axis] = place;
        if error(next)? < here {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_all_pairs() {
        let x = |values: &[f64]| Dense { rows: values.len(), cols: 1, values: values.to_vec() };
        // distances 1, 9, 4
        assert_eq!(median_distance(&x(&[0.0, 1.0, 3.0])), 4.0);
        // 1, 9, 49, 4, 36, 16
        assert_eq!(median_distance(&x(&[0.0, 1.0, 3.0, 7.0])), 12.5);
        assert_eq!((median_distance(&x(&[2.0])), median_distance(&x(&[2.0, 2.0, 2.0]))), (1.0, 1.0));
    }
}
