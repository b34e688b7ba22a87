//! The method that infers held-out samples best, chosen inside folds.
//!
//! Each candidate is fitted without each fold and its error there taken: the mean over samples and targets of the squared error
//! over the training variance. The simplest candidate is kept whose mean error over folds is above the least by no more than one standard
//! error of the difference (Breiman et al. 1984, with differences by fold in place of errors: folds of other studies differ
//! by far more than methods do). The error that is reported is of a choice like this one made anew, by folds within, without
//! each fold, and taken in that fold: of samples outside all of it. Where the caller can choose the landmarks anew by some of the
//! samples ([`Anew`]), every fold, and every one within, has its own, chosen without it.

use super::parting::Parting;
use super::{BestSettings, FitSettings, Method, Predictor, Problem};
use crate::device::Executor;
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter, advance, silent};

/// Simplest first.
const ORDER: [Method; 4] = [Method::Knn, Method::Linear, Method::Kernel, Method::Mlp];
/// Groups without which no fold within a fold has two for a method's own choices.
const GROUPS: usize = 4;

/// Chooses by some of a store's samples: the landmarks, ascending, and the targets that are left.
pub type Anew<'a, 'b> =
    &'a mut (dyn FnMut(&mut dyn Executor, &[usize]) -> Result<(Vec<usize>, Vec<usize>)> + 'b);

/// Candidates × folds.
type Errors = Vec<Vec<f64>>;

/// The method, and what there is to tell of the choice.
pub(super) fn choose(
    executor: &mut dyn Executor,
    problem: &Problem,
    settings: &FitSettings,
    anew: Option<Anew>,
    report: Reporter,
) -> Result<(Method, serde_json::Value)> {
    let BestSettings { candidates, folds } = &settings.best;
    let candidates: Vec<Method> = ORDER.into_iter().filter(|m| candidates.contains(m)).collect();
    let column = settings.group_by.as_deref();
    let parting = Parting::new(problem.store, problem.samples, column, settings.seed)?;
    if parting.most(GROUPS) < GROUPS {
        let (n, least) = (problem.samples.len(), 2 * GROUPS);
        // groups may be enough, of too few samples
        let (needed, instead) = match parting.is_grouped() && n >= least {
            true => (format!("{GROUPS} groups of samples"), ", or leave out --group-by"),
            false => (format!("{least} samples, found {n}"), ""),
        };
        return Err(Error::Data(format!(
            "--method best: choosing within folds needs at least {needed}; name a --method{instead}"
        )));
    }
    let landmarks = if anew.is_some() { "chosen anew in each fold" } else { "as given" };
    let mut trial = Trial { executor, settings, candidates: &candidates, folds: *folds, anew };
    let total = Some(trial.fits(folds + 1) as u64);
    report(Event::Started { task: "choosing a method".into(), total, unit: "fits" });
    let (outer, nested) = trial.nested(problem, report)?;
    report(Event::Finished);
    let best = pick(&outer);
    let means: Vec<f64> = outer.iter().map(|errors| mean(errors)).collect();
    report(Event::Note(told(&candidates, &means, best, &nested)));
    let by_method = candidates.iter().zip(&means).map(|(m, error)| (name(*m), serde_json::json!(error)));
    let chosen = serde_json::json!({
        "method": candidates[best],
        "errors": by_method.collect::<serde_json::Map<_, _>>(),
        "error-outside": mean(&nested),
        "landmarks": landmarks,
    });
    Ok((candidates[best], chosen))
}

fn name(method: Method) -> String {
    serde_json::json!(method).as_str().unwrap_or_default().to_string()
}

fn told(candidates: &[Method], means: &[f64], best: usize, nested: &[f64]) -> String {
    let each = candidates.iter().zip(means).map(|(m, error)| format!("{} {error:.4}", name(*m)));
    format!(
        "method {}: held-out error of a target's variance {}; {:.4} in samples outside the choice",
        name(candidates[best]),
        each.collect::<Vec<_>>().join(", "),
        mean(nested)
    )
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The first (simplest) candidate that one standard error does not tell from the best.
fn pick(errors: &Errors) -> usize {
    let folds = errors[0].len() as f64;
    let best = (0..errors.len()).min_by(|a, b| mean(&errors[*a]).total_cmp(&mean(&errors[*b]))).unwrap_or(0);
    let close = |candidate: &usize| {
        let differences: Vec<f64> =
            errors[*candidate].iter().zip(&errors[best]).map(|(a, b)| a - b).collect();
        let middle = mean(&differences);
        let variance = differences.iter().map(|d| (d - middle).powi(2)).sum::<f64>() / (folds - 1.0);
        middle <= (variance / folds).sqrt()
    };
    (0..errors.len()).find(close).unwrap_or(best)
}

struct Trial<'a, 'b> {
    executor: &'a mut dyn Executor,
    settings: &'a FitSettings,
    candidates: &'a [Method],
    folds: usize,
    anew: Option<Anew<'a, 'b>>,
}

impl Trial<'_, '_> {
    fn fits(&self, rounds: usize) -> usize {
        self.candidates.len() * self.folds * rounds
    }

    /// Errors of all candidates in each fold, and in each that of the candidate chosen without it.
    fn nested(&mut self, problem: &Problem, report: Reporter) -> Result<(Errors, Vec<f64>)> {
        let mut done = 0;
        let mut tell = || {
            done += 1;
            advance(report, done, "")
        };
        let (mut outer, mut nested) = (vec![Vec::new(); self.candidates.len()], Vec::new());
        for (train, test) in self.parts(problem.samples, problem)? {
            let mut inner = vec![Vec::new(); self.candidates.len()];
            for (train, test) in self.parts(&train, problem)? {
                self.errors(problem, (&train, &test), &mut inner, &mut tell)?;
            }
            self.errors(problem, (&train, &test), &mut outer, &mut tell)?;
            nested.extend(outer[pick(&inner)].last());
        }
        Ok((outer, nested))
    }

    /// Training and test samples of each fold.
    fn parts(&self, samples: &[usize], problem: &Problem) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
        let column = self.settings.group_by.as_deref();
        let parting = Parting::new(problem.store, samples, column, self.settings.seed)?;
        let of = |part: Vec<usize>| part.into_iter().map(|i| samples[i]).collect::<Vec<usize>>();
        let parts = parting.parts(parting.most(self.folds))?;
        Ok(parts.into_iter().map(|(train, test)| (of(train), of(test))).collect())
    }

    /// The landmarks and targets to fit with on these samples.
    fn lists(&mut self, problem: &Problem, train: &[usize]) -> Result<(Vec<usize>, Vec<usize>)> {
        match &mut self.anew {
            Some(anew) => {
                self.executor.reset();
                anew(self.executor, train)
            }
            None => Ok((problem.landmarks.to_vec(), problem.targets.to_vec())),
        }
    }

    /// Appends each candidate's error.
    fn errors(
        &mut self,
        problem: &Problem,
        (train, test): (&[usize], &[usize]),
        errors: &mut Errors,
        tell: &mut impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let (landmarks, targets) = self.lists(problem, train)?;
        let problem = &Problem { landmarks: &landmarks, targets: &targets, ..*problem };
        let column = self.settings.group_by.as_deref();
        let most = Parting::new(problem.store, train, column, self.settings.seed)?;
        for (method, errors) in self.candidates.iter().zip(errors) {
            let settings = FitSettings { method: *method, ..self.settings.within(&most) };
            let Problem { store, landmarks, targets, .. } = *problem;
            let predictor =
                Predictor::fit(self.executor, store, train, landmarks, targets, &settings, &silent)?;
            errors.push(predictor.relative_error(self.executor, problem, test)?);
            tell()?;
        }
        Ok(())
    }
}

impl Predictor {
    /// Mean over samples and targets of ((y − ŷ)/sd)², sd of the training samples; targets of one value do not count.
    fn relative_error(
        &self,
        executor: &mut dyn Executor,
        problem: &Problem,
        samples: &[usize],
    ) -> Result<f64> {
        let Problem { store, landmarks, targets, .. } = *problem;
        let places: Vec<Option<usize>> = landmarks.iter().map(|gene| Some(*gene)).collect();
        let (mut truth, mut sum) = (vec![0.0; targets.len()], 0.0);
        let visit: &mut dyn FnMut(usize, &[f32]) -> Result<()> = &mut |first, rows| {
            for (sample, row) in samples[first..].iter().zip(rows.chunks_exact(targets.len())) {
                store.read_genes(*sample, targets, &mut truth);
                let errors = truth.iter().zip(row).zip(&self.targets.scale).map(|((y, p), s)| (y - p) * s);
                sum += errors.map(|e| f64::from(e).powi(2)).sum::<f64>();
            }
            Ok(())
        };
        self.predict_samples(executor, store, samples, &places, &silent, visit)?;
        let counted = self.targets.scale.iter().filter(|scale| **scale > 0.0).count();
        Ok(sum / (samples.len() * counted.max(1)) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::testing::store_of_studies;

    #[test]
    fn what_is_too_little_to_choose_by_is_told_as_it_was_given() {
        let dir = tempfile::tempdir().unwrap();
        let mut cpu = CpuExecutor::open(Some(1)).unwrap();
        let mut refused = |n: usize, group_by: Option<&str>| {
            let values: Vec<f32> = (0..4 * n).map(|i| (i * i % 13) as f32).collect();
            let studies: Vec<usize> = (0..n).map(|s| s % 3).collect();
            let store = store_of_studies(&dir.path().join("x.gex"), 4, &values, &studies);
            let group_by = group_by.map(String::from);
            let settings = FitSettings { method: Method::Best, group_by, ..FitSettings::default() };
            let samples: Vec<usize> = (0..n).collect();
            let fitted = Predictor::fit(&mut cpu, &store, &samples, &[0, 1], &[2, 3], &settings, &silent);
            fitted.expect_err("too few").to_string()
        };
        let few = refused(7, None);
        assert!(few.ends_with("needs at least 8 samples, found 7; name a --method"), "{few}");
        assert_eq!(refused(7, Some("study")), few);
        let groups = refused(12, Some("study"));
        assert!(groups.contains("at least 4 groups") && groups.ends_with("leave out --group-by"), "{groups}");
    }

    #[test]
    fn the_simplest_within_one_standard_error_is_picked() {
        let of = |rows: &[[f64; 4]]| rows.iter().map(|row| row.to_vec()).collect::<Errors>();
        // far above, within noise of the best, the best
        let noisy = of(&[[2.0, 2.1, 2.0, 2.2], [1.1, 0.9, 1.3, 1.0], [1.0, 1.0, 1.0, 1.1]]);
        assert_eq!(pick(&noisy), 1);
        // a difference in every fold, however much the folds differ
        let steady = of(&[[1.1, 5.1, 0.31, 9.1], [1.0, 5.0, 0.2, 9.0]]);
        assert_eq!(pick(&steady), 1);
        assert_eq!(pick(&of(&[[1.0, 2.0, 3.0, 4.0]])), 0);
    }
}
