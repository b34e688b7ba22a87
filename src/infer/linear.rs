//! Ridge regression of all targets on the landmarks, in f64, with one penalty chosen by cross-validation.
//!
//! With standardised X (n × p) and Y (n × T), W = (XᵀX + αI)⁻¹XᵀY = Xᵀ(XXᵀ + αI)⁻¹Y (Hoerl & Kennard 1970; α as in
//! scikit-learn's `Ridge`). Whichever of p × p and n × n is smaller is decomposed, once a fold: with XᵀX = VΛVᵀ every
//! α has its squared error from p × p (or n × n) matrices alone, in which the targets are summed.

mod dual;
mod primal;

use super::adapt::enlarged;
use super::dense::{Dense, product};
use super::offsets::Offsets;
use super::parting::{PENALTY, Parting};
use super::refit::Gram;
use super::{LinearSettings, Panel, Problem, Trained};
use crate::device::recording::Activation;
use crate::error::Result;
use crate::memory::Need;
use crate::nn::model::Layer;
use crate::progress::{Event, Reporter};
use crate::store::strips::Spread;
use dual::Dual;
pub(super) use dual::centred;
use primal::{Primal, SUMS};

/// The penalties that are tried: 10⁻² to 10⁵ in half decades.
pub fn penalties() -> Vec<f64> {
    (-4..=10).map(|k| 10f64.powf(f64::from(k) / 2.0)).collect()
}

/// Fits; the result is a network of one linear layer. The penalty that folds choose, without offsets, is multiplied by `factor`.
pub(super) fn fit(
    problem: &Problem,
    settings: &LinearSettings,
    (parting, factor, offsets): (&Parting, f64, Option<&Offsets>),
    report: Reporter,
) -> Result<Trained> {
    let folds = settings.penalty.is_none().then(|| parting.folds(settings.folds, PENALTY)).transpose()?;
    fits_in_memory(problem, folds.as_deref().map_or(0, n_folds), offsets)?;
    // folds are compared as they are
    let by_folds = folds.is_some();
    let mut system = System::new(problem, folds.as_deref(), offsets.filter(|_| !by_folds), report)?;
    let Choice { penalty, end } = match (settings.penalty, &folds) {
        (None, Some(fold)) => {
            let curve = ErrorCurve::new(system.parts(problem, fold, report)?);
            let choice = choose(|penalty| curve.error(penalty));
            let end = choice.end.filter(|_| factor == 1.0).map_or(String::new(), |end| {
                format!(", the {end} that was tried: one beyond it may be better (--penalty)")
            });
            report(Event::Note(format!(
                "penalty {} by {}-fold cross-validation{end}",
                choice.penalty as f32, settings.folds
            )));
            // one that grew is at no end of what was tried
            let end = choice.end.filter(|_| factor == 1.0);
            Choice { penalty: enlarged(choice.penalty, factor, report), end }
        }
        (said, _) => Choice { penalty: said.unwrap_or_default(), end: None },
    };
    if by_folds && offsets.is_some() {
        drop(system);
        system = System::new(problem, None, offsets, report)?;
    }
    let solved = system.solve(problem, penalty, report)?;
    let layer = Layer {
        inputs: problem.landmarks.len(),
        outputs: problem.targets.len(),
        weight: solved.weight,
        bias: vec![0.0; problem.targets.len()],
        activation: Activation::Linear,
    };
    let panel = |genes, spread: Spread| Panel::new(problem.store, genes, &spread.mean, &spread.sd);
    Ok(Trained {
        landmarks: panel(problem.landmarks, solved.landmarks),
        targets: panel(problem.targets, solved.targets),
        networks: vec![vec![layer]],
        kernels: None,
        gram: Some(Gram::new(solved.gram)),
        chosen: match end {
            None => serde_json::json!({ "penalty": penalty }),
            Some(end) => {
                serde_json::json!({ "penalty": penalty, "penalty-is": format!("the {end} that was tried") })
            }
        },
    })
}

/// Refuses what does not fit: coefficients, sums and square matrices of landmarks, or where samples are fewer, values of the landmarks and square
/// matrices of samples; more of them where penalties are compared over `folds`.
fn fits_in_memory(problem: &Problem, folds: usize, offsets: Option<&Offsets>) -> Result<()> {
    let (n, p, t) = (problem.samples.len(), problem.landmarks.len(), problem.targets.len());
    let need = Need::new().with(format!("coefficients of {t} targets by {p} landmarks"), &[t, p, 4]);
    let need = if n < p {
        need.with(format!("values of {p} landmarks in {n} samples"), &[2, n, p, 8])
            .with(format!("matrices of {n} × {n}"), &[4 + 4 * folds, n, n, 8])
            .with("blocks of targets", &[3, super::BLOCK_VALUES, 8])
    } else {
        let sums = SUMS.min((t * folds.max(1)).saturating_mul(8 * p));
        need.with(format!("products of {t} targets and {p} landmarks"), &[t, p, 8])
            .with("sums by fold", &[sums])
            .with(format!("matrices of {p} × {p}"), &[4 + 7 * folds, p, p, 8])
    };
    need.with("sums by group", &[offsets.map_or(0, |offsets| offsets.bytes(p + 1))])
        .with("their Gram matrix", &[16, p, p])
        .check("the fit", "name fewer --landmarks or --targets, or allow more (--memory)")
}

/// What a penalty's coefficients and its error follow from.
enum System<'a> {
    Primal(Box<Primal>),
    Dual(Dual<'a>),
}

/// What was solved for.
struct Coefficients {
    /// Targets × landmarks.
    weight: Vec<f32>,
    /// XᵀX, or XᵀV⁻¹X
    gram: Dense,
    landmarks: Spread,
    targets: Spread,
}

impl<'a> System<'a> {
    /// `fold[i]`, from 0, is that of `problem.samples[i]`, where penalties are to be compared.
    fn new(
        problem: &Problem,
        fold: Option<&[usize]>,
        offsets: Option<&'a Offsets>,
        report: Reporter,
    ) -> Result<System<'a>> {
        Ok(if problem.samples.len() < problem.landmarks.len() {
            System::Dual(Dual::new(problem, offsets))
        } else {
            System::Primal(Box::new(Primal::new(problem, fold, offsets, report)?))
        })
    }

    fn parts(&mut self, problem: &Problem, fold: &[usize], report: Reporter) -> Result<Vec<Part>> {
        match self {
            System::Primal(primal) => primal.parts(problem),
            System::Dual(dual) => dual.parts(problem, fold, report),
        }
    }

    fn solve(self, problem: &Problem, penalty: f64, report: Reporter) -> Result<Coefficients> {
        match self {
            System::Primal(primal) => Ok(primal.solve(penalty)),
            System::Dual(dual) => dual.solve(problem, penalty, report),
        }
    }
}

/// A penalty, and whether it lies at an end of those that were tried: `least` or `largest`.
pub(super) struct Choice {
    pub penalty: f64,
    pub end: Option<&'static str>,
}

/// Steps of a half decade that the grid is refined by around its best.
const FINER: i32 = 4;

/// The penalty of least error: the best of the grid, then of a grid [`FINER`] times as fine between its neighbours.
pub(super) fn choose(error: impl Fn(f64) -> f64) -> Choice {
    let least = |all: &[f64]| all.iter().copied().min_by(|a, b| error(*a).total_cmp(&error(*b)));
    let grid = penalties();
    let (first, last) = (grid[0], grid[grid.len() - 1]);
    let coarse = least(&grid).unwrap_or(first);
    let step = |k: i32| coarse * 10f64.powf(f64::from(k) / f64::from(2 * FINER));
    let finer = (1 - FINER..FINER).map(step).filter(|x| (first..=last).contains(x)).chain([coarse]);
    let penalty = least(&finer.collect::<Vec<_>>()).unwrap_or(coarse);
    let ends = [(first, "least"), (last, "largest")];
    Choice { penalty, end: ends.into_iter().find(|(end, _)| *end == penalty).map(|(_, word)| word) }
}

/// (G + αI)⁻¹ of a Gram matrix.
fn inverse(gram: &Dense, penalty: f64) -> Dense {
    let (values, vectors) = gram.eigen();
    let shrunk: Vec<f64> = values.iter().map(|value| 1.0 / (value + penalty)).collect();
    product(vectors.clone().scale_cols(&shrunk).view(), vectors.t())
}

/// Squared error over all targets and folds for each penalty, each fold predicted from the others, with an
/// intercept, from values z-scored by all samples. `fold[i]`, from 0, is that of `problem.samples[i]`.
pub fn cross_validate(
    problem: &Problem,
    fold: &[usize],
    penalties: &[f64],
    report: Reporter,
) -> Result<Vec<f64>> {
    let parts = System::new(problem, Some(fold), None, report)?.parts(problem, fold, report)?;
    let curve = ErrorCurve::new(parts);
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
    fn new(parts: Vec<Part>) -> Self {
        ErrorCurve { folds: parts.into_iter().map(Turned::of).collect() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;
    use crate::testing::{random_store, store};

    fn of(values: &crate::store::Store, landmarks: &[usize], targets: &[usize]) -> ErrorCurve {
        let samples: Vec<usize> = (0..values.n_samples()).collect();
        let fold: Vec<usize> = samples.iter().map(|s| s % 5).collect();
        let problem = Problem::new(values, &samples, landmarks, targets);
        let mut system = System::new(&problem, Some(&fold), None, &silent).unwrap();
        ErrorCurve::new(system.parts(&problem, &fold, &silent).unwrap())
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
        let Choice { penalty, end } = choose(|penalty| curve.error(penalty));
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
        let curve = of(&copies, &[0], &[1]);
        assert_eq!(choose(|penalty| curve.error(penalty)).end, Some("least"));
    }

    /// A million of everything: coefficients of 4 bytes, products of 8, some square matrices of 8, the Gram matrix of 16.
    #[test]
    fn a_fit_is_refused_with_what_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 3, 2);
        let many = vec![0; 1_000_000];
        let problem = Problem::new(&store, &many, &many, &many);
        for (folds, told) in [(0, "60.0 TB"), (5, "340.0 TB")] {
            let message = fits_in_memory(&problem, folds, None).expect_err("no machine has it").to_string();
            assert!(
                message.starts_with(&format!("the fit needs {told} of memory (matrices of")),
                "{message}"
            );
        }
        let (few, wide) = ([0], Problem { samples: &[0], targets: &[0], ..problem });
        assert!(
            fits_in_memory(&wide, 5, None)
                .expect_err("its Gram matrix is kept")
                .to_string()
                .contains("their Gram matrix")
        );
        let tall = Problem { landmarks: &few, targets: &few, ..problem };
        fits_in_memory(&tall, 5, None).expect("samples stream by");
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
            let (chosen, grid) = (choose(|penalty| curve.error(penalty)).penalty, penalties());
            let best =
                grid.iter().copied().min_by(|a, b| curve.error(*a).total_cmp(&curve.error(*b))).unwrap();
            let step = 8.0 * (chosen / best).log10();
            assert!((step - step.round()).abs() < 1e-9 && step.abs() < 3.5, "{loud}: {step} eighths");
            steps.insert(step.round() as i32);
        }
        assert!(steps.iter().any(|step| step % 2 != 0), "an odd one was taken: {steps:?}");
    }
}
