//! Ridge regression of all targets on the landmarks, in f64, with one penalty chosen by cross-validation.
//!
//! With standardised X (n × p) and Y (n × T), W = (XᵀX + αI)⁻¹XᵀY = Xᵀ(XXᵀ + αI)⁻¹Y (Hoerl & Kennard 1970; α as in
//! scikit-learn's `Ridge`). Whichever of p × p and n × n is smaller is decomposed, once a fold: with XᵀX = VΛVᵀ every
//! α has its squared error from p × p (or n × n) matrices alone, in which the targets are summed. So the targets are
//! read twice, a block at a time: for those sums, and for W.

use super::dense::{Dense, Standardised, View, product};
use super::parting::Parting;
use super::refit::Gram;
use super::{LinearSettings, Panel, Problem, Trained};
use crate::device::recording::Activation;
use crate::error::Result;
use crate::nn::model::Layer;
use crate::progress::{Event, Reporter};

/// The penalties that are tried: 10⁻² to 10⁵ in half decades.
pub fn penalties() -> Vec<f64> {
    (-4..=10).map(|k| 10f64.powf(f64::from(k) / 2.0)).collect()
}

/// Fits; the result is a network of one linear layer.
pub(super) fn fit(
    problem: &Problem,
    settings: &LinearSettings,
    parting: &Parting,
    report: Reporter,
) -> Result<Trained> {
    problem.fits_in_memory(settings.penalty.is_none())?;
    let x = Standardised::read(problem.store, problem.samples, problem.landmarks);
    let Choice { penalty, end } = match settings.penalty {
        Some(penalty) => Choice { penalty, end: None },
        None => {
            let folds = parting.folds(settings.folds)?;
            let choice = choose(&ErrorCurve::new(problem, &folds, report)?);
            let end = choice.end.map_or(String::new(), |end| {
                format!(", the {end} that was tried: one beyond it may be better (--penalty)")
            });
            report(Event::Note(format!(
                "penalty {} by {}-fold cross-validation{end}",
                choice.penalty as f32, settings.folds
            )));
            choice
        }
    };
    let solver = solver(&x.values, penalty);
    let mut weight = Vec::with_capacity(problem.targets.len() * problem.landmarks.len());
    let (mut mean, mut sd) = (Vec::new(), Vec::new());
    problem.blocks("fitting", report, |y| {
        weight.extend(product(y.values.t(), solver.t()).values.iter().map(|w| *w as f32));
        mean.extend(y.mean);
        sd.extend(y.sd);
    })?;
    let layer = Layer {
        inputs: problem.landmarks.len(),
        outputs: problem.targets.len(),
        weight,
        bias: vec![0.0; problem.targets.len()],
        activation: Activation::Linear,
    };
    Ok(Trained {
        landmarks: Panel::new(problem.store, problem.landmarks, &x.mean, &x.sd),
        targets: Panel::new(problem.store, problem.targets, &mean, &sd),
        networks: vec![vec![layer]],
        kernels: None,
        gram: Some(Gram::new(product(x.values.t(), x.values.view()))),
        chosen: match end {
            None => serde_json::json!({ "penalty": penalty }),
            Some(end) => {
                serde_json::json!({ "penalty": penalty, "penalty-is": format!("the {end} that was tried") })
            }
        },
    })
}

/// A penalty, and whether it lies at an end of those that were tried: `least` or `largest`.
struct Choice {
    penalty: f64,
    end: Option<&'static str>,
}

/// Steps of a half decade that the grid is refined by around its best.
const FINER: i32 = 4;

/// The penalty of least error: the best of the grid, then of a grid [`FINER`] times as fine between its neighbours.
fn choose(curve: &ErrorCurve) -> Choice {
    let least = |all: &[f64]| all.iter().copied().min_by(|a, b| curve.error(*a).total_cmp(&curve.error(*b)));
    let grid = penalties();
    let (first, last) = (grid[0], grid[grid.len() - 1]);
    let coarse = least(&grid).unwrap_or(first);
    let step = |k: i32| coarse * 10f64.powf(f64::from(k) / f64::from(2 * FINER));
    let finer = (1 - FINER..FINER).map(step).filter(|x| (first..=last).contains(x)).chain([coarse]);
    let penalty = least(&finer.collect::<Vec<_>>()).unwrap_or(coarse);
    let ends = [(first, "least"), (last, "largest")];
    Choice { penalty, end: ends.into_iter().find(|(end, _)| *end == penalty).map(|(_, word)| word) }
}

/// R, p × n, of W = R·Y.
fn solver(x: &Dense, penalty: f64) -> Dense {
    let dual = x.rows < x.cols;
    let gram = if dual { product(x.view(), x.t()) } else { product(x.t(), x.view()) };
    let (values, vectors) = gram.eigen();
    let shrunk: Vec<f64> = values.iter().map(|value| 1.0 / (value + penalty)).collect();
    let inverse = product(vectors.clone().scale_cols(&shrunk).view(), vectors.t());
    if dual { product(x.t(), inverse.view()) } else { product(inverse.view(), x.t()) }
}

/// Squared error over all targets and folds for each penalty, each fold predicted from the others, with an
/// intercept, from values z-scored by all samples. `fold[i]`, from 0, is that of `problem.samples[i]`.
pub fn cross_validate(
    problem: &Problem,
    fold: &[usize],
    penalties: &[f64],
    report: Reporter,
) -> Result<Vec<f64>> {
    let curve = ErrorCurve::new(problem, fold, report)?;
    Ok(penalties.iter().map(|penalty| curve.error(*penalty)).collect())
}

/// The error of every penalty: of each fold what it follows from.
struct ErrorCurve {
    folds: Vec<Turned>,
}

/// A fold's [`Part`] by the eigenvectors of its Gram matrix.
struct Turned {
    values: Vec<f64>,
    cross: Vec<f64>,
    held: Dense,
    fitted: Dense,
    norm: f64,
}

impl ErrorCurve {
    fn new(problem: &Problem, fold: &[usize], report: Reporter) -> Result<Self> {
        let x = Standardised::read(problem.store, problem.samples, problem.landmarks).values;
        let dual = x.rows < x.cols;
        let parts = if dual {
            dual_parts(problem, &x, fold, report)?
        } else {
            primal_parts(problem, &x, fold, report)?
        };
        Ok(ErrorCurve { folds: parts.into_iter().map(Turned::of).collect() })
    }

    fn error(&self, penalty: f64) -> f64 {
        self.folds.iter().map(|fold| fold.error(penalty)).sum()
    }
}

impl Turned {
    fn of(part: Part) -> Turned {
        let (values, vectors) = part.gram.eigen();
        let turn = |matrix: &Dense| product(product(vectors.t(), matrix.view()).view(), vectors.view());
        let cross = turn(&part.cross);
        let diagonal = (0..values.len()).map(|i| cross.values[i * values.len() + i]).collect();
        Turned {
            cross: diagonal,
            held: turn(&part.held),
            fitted: turn(&part.fitted),
            norm: part.norm,
            values,
        }
    }

    fn error(&self, penalty: f64) -> f64 {
        let d: Vec<f64> = self.values.iter().map(|value| 1.0 / (value + penalty)).collect();
        let linear: f64 = d.iter().zip(&self.cross).map(|(d, cross)| d * cross).sum();
        let square = |i: usize| -> f64 {
            let row = self.held.row(i).iter().zip(self.fitted.row(i)).zip(&d);
            d[i] * row.map(|((a, b), d)| d * a * b).sum::<f64>()
        };
        self.norm - 2.0 * linear + (0..d.len()).map(square).sum::<f64>()
    }
}

/// One fold, all centred by the means of the samples outside it (t; those in it are v). With gram = VΛVᵀ and
/// D = (Λ + α)⁻¹ its squared error is norm − 2·tr(D·Vᵀ·cross·V) + Σᵢⱼ dᵢdⱼ(Vᵀ·held·V)ᵢⱼ(Vᵀ·fitted·V)ᵢⱼ.
struct Part {
    /// X_tᵀX_t, or X_tX_tᵀ
    gram: Dense,
    /// X_tᵀY_t·Y_vᵀX_v, or Y_tY_vᵀ·X_vX_tᵀ
    cross: Dense,
    /// X_vᵀX_v, or X_tX_vᵀ·X_vX_tᵀ
    held: Dense,
    /// X_tᵀY_t·Y_tᵀX_t, or Y_tY_tᵀ
    fitted: Dense,
    /// ‖Y_v‖²
    norm: f64,
}

pub(super) fn split(fold: &[usize], held: usize) -> (Vec<usize>, Vec<usize>) {
    (0..fold.len()).partition(|i| fold[*i] != held)
}

pub(super) fn n_folds(fold: &[usize]) -> usize {
    fold.iter().max().map_or(0, |last| last + 1)
}

/// The parts where samples are fewer than landmarks: everything follows from XXᵀ and YYᵀ.
fn dual_parts(problem: &Problem, x: &Dense, fold: &[usize], report: Reporter) -> Result<Vec<Part>> {
    let k = product(x.view(), x.t());
    let mut l = Dense::zeros(x.rows, x.rows);
    problem.blocks("cross-validating", report, |y| l.add_product(y.values.view(), y.values.t()))?;
    l.values = problem.summed(l.values)?;
    let part = |held: usize| {
        let (train, test) = split(fold, held);
        let (k, l) = (centred(&k, &train), centred(&l, &train));
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

/// Products of samples → products of samples less the mean of the samples `train`.
pub(super) fn centred(gram: &Dense, train: &[usize]) -> Dense {
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

/// The parts where landmarks are not more than samples. A last column of ones in X carries the sums that the
/// means are made of.
fn primal_parts(problem: &Problem, x: &Dense, fold: &[usize], report: Reporter) -> Result<Vec<Part>> {
    let p = x.cols;
    let ones = x.values.chunks_exact(p).flat_map(|row| row.iter().copied().chain([1.0])).collect();
    let x = Dense { rows: x.rows, cols: p + 1, values: ones };
    let square = || Dense::zeros(p + 1, p + 1);
    let folds: Vec<Vec<usize>> = (0..n_folds(fold)).map(|held| split(fold, held).1).collect();
    let x_of: Vec<Dense> = folds.iter().map(|rows| x.select_rows(rows)).collect();
    // With P = X_fᵀY_f of each fold f and Q their sum: QQᵀ, and QPᵀ, PPᵀ, ‖Y_f‖² by fold.
    let mut all = square();
    let mut by_fold: Vec<(Dense, Dense, f64)> = folds.iter().map(|_| (square(), square(), 0.0)).collect();
    problem.blocks("cross-validating", report, |y| {
        let whole = product(x.t(), y.values.view());
        all.add_product(whole.view(), whole.t());
        for ((rows, x), (qp, pp, norm)) in folds.iter().zip(&x_of).zip(&mut by_fold) {
            let y = y.values.select_rows(rows);
            let part = product(x.t(), y.view());
            qp.add_product(whole.view(), part.t());
            pp.add_product(part.view(), part.t());
            *norm += y.values.iter().map(|v| v * v).sum::<f64>();
        }
    })?;
    all.values = problem.summed(all.values)?;
    for (qp, pp, norm) in &mut by_fold {
        qp.values = problem.summed(std::mem::take(&mut qp.values))?;
        pp.values = problem.summed(std::mem::take(&mut pp.values))?;
        *norm = problem.summed(vec![*norm])?[0];
    }
    let s = product(x.t(), x.view());
    let part = |(x_v, (qp, pp, norm)): (&Dense, &(Dense, Dense, f64))| {
        let s_v = product(x_v.t(), x_v.view());
        let s_t = combine(&[(1.0, s.view()), (-1.0, s_v.view())]);
        let m_tt = combine(&[(1.0, all.view()), (-1.0, qp.view()), (-1.0, qp.t()), (1.0, pp.view())]);
        let m_tv = combine(&[(1.0, qp.view()), (-1.0, pp.view())]);
        let last = |m: &Dense, i: usize| m.values[i * (p + 1) + p];
        let (n_t, n_v) = (last(&s_t, p), last(&s_v, p));
        let mean: Vec<f64> = (0..p).map(|i| last(&s_t, i) / n_t).collect();
        let mut cross = less_mean(&m_tv, &mean);
        for (i, row) in cross.values.chunks_exact_mut(p).enumerate() {
            let fitted = (last(&m_tt, i) - mean[i] * last(&m_tt, p)) / n_t;
            row.iter_mut().enumerate().for_each(|(j, c)| *c -= fitted * (last(&s_v, j) - n_v * mean[j]));
        }
        Part {
            gram: less_mean(&s_t, &mean),
            cross,
            held: less_mean(&s_v, &mean),
            fitted: less_mean(&m_tt, &mean),
            norm: norm - 2.0 * last(&m_tv, p) / n_t + n_v * last(&m_tt, p) / (n_t * n_t),
        }
    };
    Ok(x_of.iter().zip(&by_fold).map(part).collect())
}

/// C·M·Cᵀ with C = [I, −mean].
fn less_mean(m: &Dense, mean: &[f64]) -> Dense {
    let p = mean.len();
    let mut out = Dense::zeros(p, p);
    for (i, row) in out.values.chunks_exact_mut(p).enumerate() {
        let (from, last) = (m.row(i), m.row(p));
        for (j, value) in row.iter_mut().enumerate() {
            *value = from[j] - mean[i] * last[j] - mean[j] * (from[p] - mean[i] * last[p]);
        }
    }
    out
}

/// Σ factor·matrix
fn combine(terms: &[(f64, View)]) -> Dense {
    let mut out = Dense::zeros(terms[0].1.rows(), terms[0].1.cols());
    terms.iter().for_each(|(factor, view)| out.add_scaled(*factor, *view));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;
    use crate::testing::{random_store, store};

    fn of(values: &crate::store::Store, landmarks: &[usize], targets: &[usize]) -> ErrorCurve {
        let samples: Vec<usize> = (0..values.n_samples()).collect();
        let fold: Vec<usize> = samples.iter().map(|s| s % 5).collect();
        let problem = Problem::new(values, &samples, landmarks, targets);
        ErrorCurve::new(&problem, &fold, &silent).unwrap()
    }

    #[test]
    fn the_grid_is_refined_around_its_best_and_its_ends_are_told() {
        let dir = tempfile::tempdir().unwrap();
        // a target of two landmarks and noise of its own
        let noise = random_store(&dir.path().join("n.gex"), 40, 6);
        let mut row = vec![0.0; 6];
        let mut values = Vec::new();
        for sample in 0..40 {
            noise.read_row(sample, &mut row);
            values.extend([row[0], row[1], row[2], row[0] - row[1] + 3.0 * row[3]]);
        }
        let signal = store(&dir.path().join("s.gex"), 4, &values);
        let curve = of(&signal, &[0, 1, 2], &[3]);
        let Choice { penalty, end } = choose(&curve);
        let grid = penalties();
        let best = grid.iter().copied().min_by(|a, b| curve.error(*a).total_cmp(&curve.error(*b))).unwrap();
        let finer = 10f64.powf(1.0 / f64::from(2 * FINER));
        assert!(end.is_none() && curve.error(penalty) <= curve.error(best), "{penalty}");
        for beside in [penalty / finer, penalty * finer] {
            assert!(curve.error(beside) >= curve.error(penalty), "{beside} is better than {penalty}");
        }
        // an exact copy: the less penalty the better
        let copies: Vec<f32> = (0..40).flat_map(|s| [s as f32 % 7.0, 2.0 * (s as f32 % 7.0)]).collect();
        let copies = store(&dir.path().join("c.gex"), 2, &copies);
        assert_eq!(choose(&of(&copies, &[0], &[1])).end, Some("least"));
    }

    #[test]
    fn the_finer_grid_has_eighths_of_a_decade() {
        let dir = tempfile::tempdir().unwrap();
        let noise = random_store(&dir.path().join("n.gex"), 40, 6);
        let mut row = vec![0.0; 6];
        let mut steps = std::collections::BTreeSet::new();
        for loud in 1..9 {
            let mut values = Vec::new();
            for sample in 0..40 {
                noise.read_row(sample, &mut row);
                values.extend([row[0], row[1], row[2], row[0] - row[1] + loud as f32 * row[3]]);
            }
            let curve = of(&store(&dir.path().join(format!("{loud}.gex")), 4, &values), &[0, 1, 2], &[3]);
            let (chosen, grid) = (choose(&curve).penalty, penalties());
            let best =
                grid.iter().copied().min_by(|a, b| curve.error(*a).total_cmp(&curve.error(*b))).unwrap();
            let step = 8.0 * (chosen / best).log10();
            assert!((step - step.round()).abs() < 1e-9 && step.abs() < 3.5, "{loud}: {step} eighths");
            steps.insert(step.round() as i32);
        }
        assert!(steps.iter().any(|step| step % 2 != 0), "an odd one was taken: {steps:?}");
    }
}
