//! What a predictor can be trusted with: every sample predicted by a predictor that was fitted without it (and, where samples
//! have groups, without its group), with what the data had decided for all.
//!
//! Of each target the share of its variance that is explained so, R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)², and intervals ŷ ± w. The half-width
//! w of level 1 − a is the least |y − ŷ| that samples of weight 1 − a have at most, each of G groups (or single samples)
//! weighing 1/(G + 1) in all and the rest being beyond any bound (Dunn, Wasserman & Ramdas 2023, pooled over groups; with single
//! samples the quantile of split conformal prediction). A level above G/(G + 1) cannot be promised, and is left out.
//! They are centred on the one predictor of all samples, where CV+ (Barber, Candès, Ramdas & Tibshirani 2021) would carry every
//! fold's; so coverage is measured, by target: of each fold's samples by the other folds' intervals.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::kernel::draw;
use super::parting::{HELD_OUT, Parting};
use super::{FitSettings, Predictor, Problem};
use crate::device::Executor;
use crate::error::{Error, Result};
use crate::memory::Need;
use crate::progress::{Event, Reporter, advance, silent};

/// Levels of intervals.
pub const LEVELS: [f64; 4] = [0.5, 0.8, 0.9, 0.95];
/// Intervals come from at most so many samples: their residuals are held in memory.
const SAMPLES: usize = 2_000;

/// How well each target is inferred in samples that were held out.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// How it was found out.
    pub how: How,
    /// By target.
    pub r2: Vec<f32>,
    /// Levels × targets, in the store's units.
    pub half_width: Vec<f32>,
    /// Levels × targets: share of held-out samples within the intervals that the other folds give; NaN where these have too few groups to give any.
    pub coverage: Vec<f32>,
}

/// The folds that something was held out by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct How {
    /// Number of folds.
    pub folds: usize,
    /// Groups of samples that stayed together, or samples.
    pub groups: usize,
    /// Those of [`LEVELS`] that so many groups can promise.
    pub levels: Vec<f64>,
}

impl How {
    /// Whether groups of the `samples` that were fitted on stayed together.
    pub fn grouped(&self, samples: usize) -> bool {
        self.groups < samples.min(SAMPLES)
    }
}

impl HeldOut {
    /// Half-widths by target at a level.
    ///
    /// # Errors
    /// [`Error::Usage`] for a level that there is not.
    pub fn half_widths(&self, level: f64) -> Result<&[f32]> {
        let at = self.level(level)?;
        Ok(&self.half_width[at * self.r2.len()..(at + 1) * self.r2.len()])
    }

    /// Coverage by target at a level.
    ///
    /// # Errors
    /// As [`HeldOut::half_widths`].
    pub fn coverages(&self, level: f64) -> Result<&[f32]> {
        let at = self.level(level)?;
        Ok(&self.coverage[at * self.r2.len()..(at + 1) * self.r2.len()])
    }

    /// Of some of the targets.
    pub(super) fn select(&self, targets: &[usize]) -> HeldOut {
        let by_target = |values: &[f32]| {
            let levels = values.chunks_exact(self.r2.len().max(1));
            levels.flat_map(|level| targets.iter().map(|target| level[*target])).collect()
        };
        let [r2, half_width, coverage] = [&self.r2, &self.half_width, &self.coverage].map(|v| by_target(v));
        HeldOut { how: self.how.clone(), r2, half_width, coverage }
    }

    fn level(&self, level: f64) -> Result<usize> {
        let levels = &self.how.levels;
        levels.iter().position(|l| *l == level).ok_or_else(|| {
            let shown: Vec<String> = levels.iter().map(f64::to_string).collect();
            Error::Usage(format!(
                "--level {level}: the predictor has intervals of level {} (from {} groups or samples); name one of them",
                shown.join(", "),
                self.how.groups
            ))
        })
    }
}

/// |y − ŷ| of held-out samples: samples × targets, and of each sample its fold and group.
struct Residuals {
    values: Vec<f32>,
    fold: Vec<usize>,
    group: Vec<usize>,
    targets: usize,
}

impl Predictor {
    /// Finds out how well targets are inferred in samples held out, in `folds` folds; `problem` and `settings` are those that it was fitted
    /// with. Of several ranks each has its own targets. Frees what was on the device before.
    ///
    /// # Errors
    /// As [`Predictor::fit`] and [`Predictor::predict`].
    pub fn hold_out(
        &mut self,
        executor: &mut dyn Executor,
        problem: &Problem,
        (settings, folds): (&FitSettings, usize),
        report: Reporter,
    ) -> Result<()> {
        let found = self.held_out_of_own(executor, problem, (settings, folds), report);
        self.held_out = Some(problem.alike(found)?);
        Ok(())
    }

    /// The same of this rank's targets.
    fn held_out_of_own(
        &self,
        executor: &mut dyn Executor,
        problem: &Problem,
        (settings, folds): (&FitSettings, usize),
        report: Reporter,
    ) -> Result<HeldOut> {
        let Problem { store, samples, landmarks, .. } = *problem;
        let targets = problem.own(&FitSettings { method: self.method, ..settings.clone() });
        let parting = Parting::new(store, samples, settings.group_by.as_deref(), settings.seed)?;
        let folds = parting.most(folds);
        let fold = parting.folds(folds, HELD_OUT)?;
        let settings = settings.fixed(self.method, self.chosen());
        let in_memory = samples.len().min(SAMPLES);
        Need::new()
            .with(format!("residuals of {in_memory} samples"), &[4, in_memory, targets.len()])
            .check("holding samples out", "name fewer --targets, or allow more (--memory)")?;
        let kept = draw(samples.len(), SAMPLES, settings.seed);
        let mut row_of = vec![None; samples.len()];
        kept.iter().enumerate().for_each(|(row, i)| row_of[*i] = Some(row));
        let group = parting.group_of();
        let mut residuals = Residuals {
            values: vec![0.0; kept.len() * targets.len()],
            fold: kept.iter().map(|i| fold[*i]).collect(),
            group: kept.iter().map(|i| group[*i]).collect(),
            targets: targets.len(),
        };
        let places: Vec<Option<usize>> = landmarks.iter().map(|gene| Some(*gene)).collect();
        let mut sums = Sums::new(targets.len());
        let total = Some(folds as u64);
        report(Event::Started { task: "holding out".into(), total, unit: "folds" });
        for held in 0..folds {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..samples.len()).partition(|i| fold[*i] == held);
            let of = |at: &[usize]| at.iter().map(|i| samples[*i]).collect::<Vec<_>>();
            let (train, test_samples) = (of(&train), of(&test));
            let without = Problem { samples: &train, ..*problem };
            let predictor = Predictor::fit_own(executor, &without, &settings, None, &silent)?;
            let mut truth = vec![0.0; targets.len()];
            let visit: &mut dyn FnMut(usize, &[f32]) -> Result<()> = &mut |first, rows| {
                for (i, row) in rows.chunks_exact(targets.len()).enumerate() {
                    store.read_genes(test_samples[first + i], targets, &mut truth);
                    sums.add(&truth, row);
                    if let Some(at) = row_of[test[first + i]] {
                        residuals.put(at, &truth, row);
                    }
                }
                Ok(())
            };
            predictor.predict_samples(executor, store, &test_samples, &places, &silent, visit)?;
            advance(report, held as u64 + 1, "")?;
        }
        report(Event::Finished);
        Ok(residuals.into_held_out(sums.r2(), folds))
    }

    /// How well each target is inferred in samples held out, where that was found out.
    pub fn held_out(&self) -> Option<&HeldOut> {
        self.held_out.as_ref()
    }
}

/// Of each target: n, Σy, Σy², Σ(y − ŷ)², less the first sample's value, which loses no digits.
pub(super) struct Sums {
    n: f64,
    first: Vec<f64>,
    sums: Vec<[f64; 3]>,
}

impl Sums {
    pub(super) fn new(targets: usize) -> Sums {
        Sums { n: 0.0, first: Vec::new(), sums: vec![[0.0; 3]; targets] }
    }

    pub(super) fn add(&mut self, truth: &[f32], inferred: &[f32]) {
        if self.first.is_empty() {
            self.first = truth.iter().map(|y| f64::from(*y)).collect();
        }
        self.n += 1.0;
        for (((sums, first), y), p) in self.sums.iter_mut().zip(&self.first).zip(truth).zip(inferred) {
            let (d, e) = (f64::from(*y) - first, f64::from(*y) - f64::from(*p));
            *sums = [sums[0] + d, sums[1] + d * d, sums[2] + e * e];
        }
    }

    /// 0 for a gene of one value.
    pub(super) fn r2(&self) -> Vec<f32> {
        let of = |[s, ss, error]: &[f64; 3]| {
            let spread = ss - s * s / self.n;
            if spread > 1e-12 * ss { (1.0 - error / spread) as f32 } else { 0.0 }
        };
        self.sums.iter().map(of).collect()
    }
}

impl Residuals {
    fn put(&mut self, at: usize, truth: &[f32], inferred: &[f32]) {
        let row = &mut self.values[at * self.targets..(at + 1) * self.targets];
        row.iter_mut().zip(truth.iter().zip(inferred)).for_each(|(r, (y, p))| *r = (y - p).abs());
    }

    /// What a sample weighs among those of other folds than `without`, if any; None beyond them.
    fn weights(&self, without: Option<usize>) -> (Vec<f64>, usize) {
        let counts = |i: &usize| without != Some(self.fold[*i]);
        let mut sizes = vec![0usize; self.group.iter().max().map_or(0, |last| last + 1)];
        (0..self.fold.len()).filter(counts).for_each(|i| sizes[self.group[i]] += 1);
        let groups = sizes.iter().filter(|n| **n > 0).count();
        let weigh = |i: usize| match counts(&i) {
            true => 1.0 / ((groups + 1) as f64 * sizes[self.group[i]] as f64),
            false => 0.0,
        };
        ((0..self.fold.len()).map(weigh).collect(), groups)
    }

    fn into_held_out(self, r2: Vec<f32>, folds: usize) -> HeldOut {
        let (weights, groups) = self.weights(None);
        let most = groups as f64 / (groups + 1) as f64;
        let levels: Vec<f64> = LEVELS.into_iter().filter(|level| *level <= most).collect();
        let others: Vec<Vec<f64>> = (0..folds).map(|fold| self.weights(Some(fold)).0).collect();
        let of = |target: usize| {
            let mut sorted: Vec<(f32, usize)> =
                (0..self.fold.len()).map(|i| (self.values[i * self.targets + target], i)).collect();
            sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let one =
                |level: &f64| (bound(&sorted, &weights, *level), self.covered(&sorted, &others, *level));
            levels.iter().map(one).collect::<Vec<_>>()
        };
        let by_target: Vec<Vec<(f32, f32)>> = (0..self.targets).into_par_iter().map(of).collect();
        let turned = |pick: fn(&(f32, f32)) -> f32| {
            let level = |l: usize| by_target.iter().map(move |levels| pick(&levels[l]));
            (0..levels.len()).flat_map(level).collect::<Vec<f32>>()
        };
        let (half_width, coverage) = (turned(|pair| pair.0), turned(|pair| pair.1));
        HeldOut { how: How { folds, groups, levels }, r2, half_width, coverage }
    }

    /// The share of samples within what the other folds' residuals bound, of the folds that others can bound; NaN where there is none.
    fn covered(&self, sorted: &[(f32, usize)], others: &[Vec<f64>], level: f64) -> f32 {
        let bounds: Vec<f32> = others.iter().map(|weights| bound(sorted, weights, level)).collect();
        let bounded =
            sorted.iter().map(|(r, i)| (r, bounds[self.fold[*i]])).filter(|(_, bound)| *bound < f32::MAX);
        let within = bounded.clone().filter(|(r, bound)| *r <= bound).count();
        within as f32 / bounded.count() as f32
    }
}

/// The least residual that samples of so much weight have at most; the largest of numbers where they are not so many.
fn bound(sorted: &[(f32, usize)], weights: &[f64], level: f64) -> f32 {
    let mut sum = 0.0;
    // 9 of 10 ninths are nine tenths, whatever their sum rounds to
    let reached = |(_, i): &&(f32, usize)| {
        sum += weights[*i];
        sum >= level - 1e-9
    };
    sorted.iter().find(reached).map_or(f32::MAX, |(r, _)| *r)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::infer::{LinearSettings, Method};
    use crate::testing::random_store;

    #[test]
    fn too_few_samples_to_hold_out_say_nothing_of_the_penalty() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 3, 4);
        let mut cpu = CpuExecutor::open(Some(1)).unwrap();
        let linear = LinearSettings { penalty: Some(1.0), ..LinearSettings::default() };
        let settings = FitSettings { method: Method::Linear, linear, ..FitSettings::default() };
        let problem = Problem::new(&store, &[0, 1, 2], &[0, 1], &[2, 3]);
        let mut predictor = Predictor::fit_kept(&mut cpu, &problem, &settings, None, &silent).unwrap();
        assert!(!predictor.remembered().is_empty(), "it is kept");
        let found = predictor.hold_out(&mut cpu, &problem, (&settings, 5), &silent);
        let message = found.expect_err("three samples").to_string();
        assert!(message.contains("holding samples out takes 2 folds of at least 2 samples"), "{message}");
        assert!(!message.contains("penalty"), "{message}");
    }

    fn residuals(values: Vec<f32>, fold: Vec<usize>, group: Vec<usize>) -> Residuals {
        Residuals { targets: values.len() / fold.len(), values, fold, group }
    }

    /// The quantile of split conformal prediction: the ⌈(n + 1)·level⌉-th smallest.
    #[test]
    fn single_samples_have_the_quantile_of_conformal_prediction() {
        let values: Vec<f32> = (1..=19).rev().map(|i| i as f32).collect();
        let fold: Vec<usize> = (0..19).map(|i| i % 5).collect();
        let found = residuals(values, fold, (0..19).collect()).into_held_out(vec![0.0], 5);
        assert_eq!(found.how.levels, LEVELS);
        assert_eq!(found.half_width, [10.0, 16.0, 18.0, 19.0]);
        assert_eq!(found.half_widths(0.9).unwrap(), [18.0]);
        assert!(found.half_widths(0.7).unwrap_err().to_string().contains("0.5, 0.8, 0.9, 0.95"));
    }

    /// A group weighs as much as another, whatever its size, and few of them promise little.
    #[test]
    fn groups_weigh_alike_and_bound_what_can_be_promised() {
        // a group of eight good samples, and four groups of one
        let values = vec![1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let group = vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        let found = residuals(values, group.clone(), group).into_held_out(vec![0.0], 5);
        assert_eq!(found.how, How { folds: 5, groups: 5, levels: vec![0.5, 0.8] });
        // 1/6, 2/6, 3/6 and 5/6
        assert_eq!(found.half_width, [3.0, 5.0]);
        // four groups bound a fifth at level 0.8, two do not bound a third
        assert!(found.coverage.iter().all(|share| share.is_finite()), "{found:?}");
        let few = vec![0, 0, 1, 1, 2, 2, 3, 3];
        let found = residuals(vec![1.0; 8], vec![0, 0, 0, 0, 1, 1, 1, 1], few).into_held_out(vec![0.0], 2);
        assert_eq!(found.how.levels, [0.5, 0.8]);
        assert!(found.coverage[0] == 1.0 && found.coverage[1].is_nan(), "{found:?}");
    }

    /// On samples that are exchangeable as many are covered as was promised, by any residuals.
    #[test]
    fn coverage_is_what_was_promised() {
        let mut stream = crate::device::random::Stream::new(1, "residuals", 0);
        let n = 400;
        let values: Vec<f32> = (0..n).map(|_| stream.uniform().powi(3) as f32).collect();
        let fold: Vec<usize> = (0..n).map(|i| i % 5).collect();
        let found = residuals(values, fold, (0..n).collect()).into_held_out(vec![0.0], 5);
        for (level, coverage) in LEVELS.iter().zip(&found.coverage) {
            // three standard errors of 400 samples
            assert!((f64::from(*coverage) - level).abs() < 0.06, "{coverage} for {level}");
        }
    }
}
