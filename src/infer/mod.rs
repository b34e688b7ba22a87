//! Predictors: what infers the target genes from the landmarks.
//!
//! All methods end as networks of dense layers between two z-scorings, so that one file holds them and one
//! recorded pass runs them: `mlp` (D-GEX) has its hidden layers, `linear` is one layer, `knn` is one layer whose
//! weights are 1/k for the k nearest landmarks of a target and 0 elsewhere, and `kernel` is one layer above a layer of kernels.

mod adapt;
mod best;
mod blocks;
mod cholesky;
mod complete;
mod dense;
mod explained;
mod file;
mod held_out;
pub mod kernel;
mod knn;
pub mod linear;
pub mod mlp;
mod offsets;
mod parting;
mod predict;
mod problem;
mod range;
mod ranked;
mod refit;
mod settings;

use crate::device::Executor;
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::nn::checkpoint::CheckpointPlan;
use crate::nn::model::Layer;
use crate::nn::scaling;
use crate::progress::{Event, Reporter};
use crate::store::Store;
use crate::store::remembered::Remembered;
pub use adapt::Toward;
pub use best::Anew;
use blocks::BLOCK_VALUES;
pub use complete::{Completed, Completing, Trust, complete};
pub use explained::Without;
pub use held_out::{HeldOut, How, LEVELS};
use kernel::Kernels;
use offsets::{GROUPS, Offsets, RATIO};
pub(crate) use parting::Parting;
pub(crate) use predict::INFERENCE;
pub use predict::{MissingLandmarks, Places};
pub use problem::Problem;
pub use refit::{Gram, Losses, Served};
pub use settings::{
    BestSettings, FitSettings, KernelSettings, KnnSettings, LinearSettings, Method, MlpSettings,
};

/// Genes on one side of a predictor, with the scaling of its training samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// With the columns that the training store had on them.
    pub genes: Table,
    /// The training mean, in the store's units.
    pub offset: Vec<f32>,
    /// 1/sd, and 0 for a gene of one value.
    pub scale: Vec<f32>,
}

impl Panel {
    /// The genes at these positions in the store, with the mean and sd of each.
    pub fn new(store: &Store, genes: &[usize], mean: &[f64], sd: &[f64]) -> Panel {
        Panel {
            genes: store.genes().select(genes),
            offset: mean.iter().map(|m| *m as f32).collect(),
            scale: sd.iter().map(|s| if *s > 0.0 { (1.0 / s) as f32 } else { 0.0 }).collect(),
        }
    }

    /// Some of the genes.
    fn select(&self, genes: &[usize]) -> Panel {
        let of = |values: &[f32]| genes.iter().map(|gene| values[*gene]).collect();
        Panel { genes: self.genes.select(genes), offset: of(&self.offset), scale: of(&self.scale) }
    }
}

/// Where a predictor's configuration remembers the samples that it was fitted on, by their values of the landmarks.
pub const REMEMBERED: &str = "remembered";

/// Infers targets from landmarks.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictor {
    landmarks: Panel,
    targets: Panel,
    /// From z-scored landmarks to z-scored targets; the targets of one network follow those of the one before.
    networks: Vec<Vec<Layer>>,
    /// What the networks see in place of the landmarks.
    kernels: Option<Kernels>,
    /// What it can be refitted by on fewer landmarks.
    gram: Option<Gram>,
    held_out: Option<HeldOut>,
    method: Method,
    /// Settings, what was chosen by cross-validation, and the data's checksum.
    config: serde_json::Value,
}

/// What a method hands back.
struct Trained {
    landmarks: Panel,
    targets: Panel,
    networks: Vec<Vec<Layer>>,
    /// A layer below the networks.
    kernels: Option<Kernels>,
    /// See [`Gram`].
    gram: Option<Gram>,
    /// What the data decided, e.g. the penalty.
    chosen: serde_json::Value,
}

impl Predictor {
    /// Fits on `samples` of `store`, and on nothing else: the scaling too. `landmarks` and `targets` are positions
    /// among the store's genes. Frees what was on the device before.
    ///
    /// # Errors
    /// [`Error::Usage`] for settings out of range and for a column to group by that the store lacks; [`Error::Data`] for no samples, landmarks or targets, a position
    /// that does not exist, a gene twice or on both sides, and too few samples for cross-validation;
    /// [`Error::Diverged`]; [`Error::Device`].
    pub fn fit(
        executor: &mut dyn Executor,
        store: &Store,
        samples: &[usize],
        landmarks: &[usize],
        targets: &[usize],
        settings: &FitSettings,
        report: Reporter,
    ) -> Result<Predictor> {
        let problem = Problem::new(store, samples, landmarks, targets);
        Predictor::fit_kept(executor, &problem, settings, None, report)
    }

    /// As [`Predictor::fit`] by [`Method::Best`], whose folds have landmarks of their own where these can be chosen `anew`.
    ///
    /// # Errors
    /// As [`Predictor::fit`]; those of `anew`.
    pub fn fit_best(
        executor: &mut dyn Executor,
        problem: &Problem,
        settings: &FitSettings,
        anew: Option<Anew>,
        report: Reporter,
    ) -> Result<Predictor> {
        Predictor::best(executor, problem, settings, anew, report).map(|best| best.remember(problem))
    }

    /// The same, without a memory of the samples.
    fn best(
        executor: &mut dyn Executor,
        problem: &Problem,
        settings: &FitSettings,
        anew: Option<Anew>,
        report: Reporter,
    ) -> Result<Predictor> {
        let best = FitSettings { method: Method::Best, ..settings.clone() };
        best.validate()?;
        problem.check()?;
        problem.check_shared(&best)?;
        executor.reset();
        problem.varies()?;
        let of_training = &Problem { toward: None, ..*problem };
        let (method, told) = best::choose(executor, of_training, &best, anew, report)?;
        let settings = FitSettings { method, ..best };
        let mut predictor = Predictor::fit_own(executor, problem, &settings, None, report)?;
        predictor.config["chosen"]["best"] = told;
        Ok(predictor)
    }

    /// As [`Predictor::fit`]; a network leaves checkpoints as it is `plan`ned, and goes on from one. Of several ranks each fits its part of the targets
    /// ([`Predictor::among`] puts them together).
    ///
    /// # Errors
    /// As [`Predictor::fit`]; those of the checkpoint's file; [`Error::Ranks`].
    pub fn fit_kept(
        executor: &mut dyn Executor,
        problem: &Problem,
        settings: &FitSettings,
        plan: Option<&CheckpointPlan>,
        report: Reporter,
    ) -> Result<Predictor> {
        Predictor::fit_passing(executor, problem, settings, plan, report)
            .map(|fitted| fitted.remember(problem))
    }

    /// As [`Predictor::fit_kept`], of a predictor that is used at once and dropped: it does not remember its samples, which takes
    /// a pass over their landmarks.
    ///
    /// # Errors
    /// As [`Predictor::fit_kept`].
    pub(crate) fn fit_passing(
        executor: &mut dyn Executor,
        problem: &Problem,
        settings: &FitSettings,
        plan: Option<&CheckpointPlan>,
        report: Reporter,
    ) -> Result<Predictor> {
        if settings.method == Method::Best {
            return Predictor::best(executor, problem, settings, None, report);
        }
        settings.validate()?;
        problem.check()?;
        problem.check_shared(settings)?;
        Predictor::fit_own(executor, problem, settings, plan, report)
    }

    /// Fits this rank's targets; where several ranks share them, none of one rank's may vary.
    fn fit_own(
        executor: &mut dyn Executor,
        problem: &Problem,
        settings: &FitSettings,
        plan: Option<&CheckpointPlan>,
        report: Reporter,
    ) -> Result<Predictor> {
        let Problem { store, samples, .. } = *problem;
        executor.reset();
        problem.varies()?;
        let own = &Problem { targets: problem.own(settings), ..*problem };
        let parting = Parting::new(store, samples, settings.group_by.as_deref(), settings.seed)?;
        let settings = &parting.few_groups(settings, report);
        let adapted = match settings.folds_of_penalty() {
            Some(folds) => adapt::adapted(problem, settings, (folds, &parting), report)?,
            None => {
                adapt::tell_of_none(problem, settings.method, report);
                None
            }
        };
        let factor = adapted.as_ref().map_or(1.0, |adapted| adapted.factor);
        let ratio = settings.group_variance.or(adapted.as_ref().map(|adapted| adapted.group_variance));
        let offsets =
            Offsets::new(&parting, ratio.filter(|_| settings.has_offsets(samples.len())).unwrap_or(0.0));
        let offsets = offsets.as_ref();
        let trained = match settings.method {
            Method::Linear => linear::fit(own, &settings.linear, (&parting, factor, offsets), report)?,
            Method::Mlp => {
                let (seed, kept) = ((settings.seed, &parting), (plan, problem.config(settings)));
                mlp::fit(executor, problem, &settings.mlp, seed, kept, report)?
            }
            Method::Kernel => {
                let how = (settings.seed, &parting, factor, offsets);
                kernel::fit(executor, own, &settings.kernel, how, report)?
            }
            Method::Knn => knn::fit(own, &settings.knn, &parting, report)?,
            Method::Best => unreachable!("one of the others was chosen above"),
        };
        check_landmarks(store, &trained.landmarks, report)?;
        if !problem.ranks.are_several() {
            check_targets(store, &trained.targets)?;
        }
        let config = problem.told(settings, trained.chosen, (adapted.as_ref(), offsets));
        Ok(Predictor {
            landmarks: trained.landmarks,
            targets: trained.targets,
            networks: trained.networks,
            kernels: trained.kernels,
            gram: trained.gram,
            held_out: None,
            method: settings.method,
            config,
        })
    }

    /// With the samples of the problem that it was fitted on, by which it knows them again.
    fn remember(mut self, problem: &Problem) -> Predictor {
        let Problem { store, samples, landmarks, .. } = *problem;
        let samples = Remembered::of_genes(store, samples, Some(landmarks));
        self.config[REMEMBERED] = serde_json::json!(samples);
        self
    }

    fn remembered(&self) -> Remembered {
        serde_json::from_value(self.config[REMEMBERED].clone()).unwrap_or_default()
    }

    /// Ids of the genes that are measured.
    pub fn landmarks(&self) -> &[String] {
        &self.landmarks.genes.ids
    }

    /// Ids of the genes that are inferred.
    pub fn targets(&self) -> &[String] {
        &self.targets.genes.ids
    }

    /// The genes that are measured, with what is known of them.
    pub fn landmark_genes(&self) -> &Table {
        &self.landmarks.genes
    }

    /// The genes that are inferred, with what is known of them.
    pub fn target_genes(&self) -> &Table {
        &self.targets.genes
    }

    /// What was decided by the data, e.g. `{"penalty": 100.0}`.
    pub fn chosen(&self) -> &serde_json::Value {
        &self.config["chosen"]
    }

    /// Whether its penalty grew, or what groups share counts as noise, for samples of another platform.
    fn is_adapted(&self) -> bool {
        self.chosen()["adapted-factor"].as_f64() > Some(1.0) || self.chosen()[RATIO].is_f64()
    }

    /// Says which samples of a store, whose targets are to be inferred, it was fitted on: by id, or by the same values of its
    /// landmarks, where all of them have a place.
    fn warn_of_samples(&self, store: &Store, places: &[Option<usize>], report: Reporter) {
        let all: Vec<usize> = (0..store.n_samples()).collect();
        let genes: Option<Vec<usize>> = places.iter().copied().collect();
        let genes = genes.unwrap_or_default();
        self.remembered().warn_by_genes("the predictor", store, (&all, Some(&genes)), report);
    }

    /// The configuration without what only a program reads.
    pub fn told(&self) -> serde_json::Value {
        let mut config = self.config.clone();
        if let Some(config) = config.as_object_mut() {
            config.remove(REMEMBERED);
            config.remove(GROUPS);
        }
        config
    }

    /// How the targets are inferred.
    pub fn method(&self) -> Method {
        self.method
    }
}

/// Refuses and warns of landmarks that no predictor can use.
fn check_landmarks(store: &Store, panel: &Panel, report: Reporter) -> Result<()> {
    let flat = panel.scale.iter().filter(|scale| **scale == 0.0).count();
    check_panel(store, panel, "landmark")?;
    if flat > 0 {
        let message = format!(
            "{flat} of {} landmarks have one value in all samples and say nothing",
            panel.scale.len()
        );
        report(Event::Warning(message));
    }
    Ok(())
}

/// Refuses targets that no predictor can infer.
fn check_targets(store: &Store, panel: &Panel) -> Result<()> {
    check_panel(store, panel, "target")
}

fn check_panel(store: &Store, panel: &Panel, what: &str) -> Result<()> {
    if panel.scale.iter().all(|scale| *scale == 0.0) {
        let message = format!(
            "{}: no {what} varies over the samples to fit on; name others, or give more samples",
            store.path().display()
        );
        return Err(Error::Data(message));
    }
    if let Some(at) = panel.scale.iter().position(|scale| !scaling::is_usable(*scale)) {
        let place = store.genes().ids.iter().position(|id| *id == panel.genes.ids[at]);
        return Err(scaling::out_of_range(store, place.unwrap_or(0)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::progress::silent;
    use crate::testing::{Listener, random_store, store};

    fn settings(method: Method) -> FitSettings {
        let mlp = MlpSettings { hidden: vec![4], epochs: 3, batch: 8, ..MlpSettings::default() };
        FitSettings { method, mlp, ..FitSettings::default() }
    }

    #[test]
    fn tasks_of_a_fit_and_of_a_prediction_begin_advance_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 40, 6);
        let samples: Vec<usize> = (0..40).collect();
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        for method in [Method::Linear, Method::Kernel, Method::Mlp, Method::Knn] {
            let listener = Listener::default();
            let report = |event| listener.hear(event);
            let lists = ([0, 1, 2], [3, 4, 5]);
            let fit = Predictor::fit(
                &mut executor,
                &store,
                &samples,
                &lists.0,
                &lists.1,
                &settings(method),
                &report,
            );
            let predictor = fit.unwrap();
            let places = [Some(0), Some(1), Some(2)];
            let mut seen = Vec::new();
            let mut visit = |first: usize, rows: &[f32]| {
                assert_eq!(first * 3, seen.len());
                seen.extend_from_slice(rows);
                Ok(())
            };
            predictor.predict(&mut executor, &store, &places, &report, &mut visit).unwrap();
            assert!(
                seen.len() == 120 && seen.iter().all(|x| (-1.0..2.0).contains(x)),
                "{method:?}: {seen:?}"
            );
            let tasks = listener.tasks();
            assert!(tasks.len() > 1 && tasks.last().is_some_and(|task| task == "inferring"), "{tasks:?}");
        }
    }

    #[test]
    fn what_depends_on_a_landmark_is_inferred_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let rows: Vec<f32> = (0..20).flat_map(|i| [i as f32, 2.0 * i as f32 + 1.0, 7.0]).collect();
        let store = store(&dir.path().join("x.gex"), 3, &rows);
        let samples: Vec<usize> = (0..20).collect();
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let linear = LinearSettings { penalty: Some(1e-6), ..LinearSettings::default() };
        let settings = FitSettings { linear, ..settings(Method::Linear) };
        let predictor =
            Predictor::fit(&mut executor, &store, &samples, &[0], &[1, 2], &settings, &silent).unwrap();
        let mut check = |_: usize, found: &[f32]| {
            for (found, row) in found.chunks_exact(2).zip(rows.chunks_exact(3)) {
                assert!((found[0] - row[1]).abs() < 1e-3 && found[1] == 7.0, "{found:?} for {row:?}");
            }
            Ok(())
        };
        predictor.predict(&mut executor, &store, &[Some(0)], &silent, &mut check).unwrap();
    }

    #[test]
    fn a_predictor_that_is_kept_remembers_its_samples() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 20, 4);
        let samples: Vec<usize> = (0..20).collect();
        let problem = Problem::new(&store, &samples, &[1, 0], &[2, 3]);
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        for method in [Method::Knn, Method::Best] {
            let settings = settings(method);
            let passing = Predictor::fit_passing(&mut executor, &problem, &settings, None, &silent).unwrap();
            let kept = Predictor::fit_kept(&mut executor, &problem, &settings, None, &silent).unwrap();
            assert!(passing.remembered().is_empty());
            assert_eq!(kept.remembered(), Remembered::of_genes(&store, &samples, Some(&[1, 0])));
            assert_eq!(passing.remember(&problem), kept);
        }
    }

    #[test]
    fn lists_that_make_no_sense_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 10, 4);
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let mut refused = |samples: &[usize], landmarks: &[usize], targets: &[usize]| {
            let settings = settings(Method::Linear);
            let fitted =
                Predictor::fit(&mut executor, &store, samples, landmarks, targets, &settings, &silent);
            match fitted {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            }
        };
        let all: Vec<usize> = (0..10).collect();
        assert!(refused(&[], &[0], &[1]).contains("no samples to fit on"));
        assert!(refused(&all, &[], &[1]).contains("no landmarks"));
        assert!(refused(&all, &[0], &[]).contains("no targets"));
        assert!(refused(&[10], &[0], &[1]).contains("sample 10 of 10"));
        assert!(refused(&all, &[4], &[1]).contains("gene 4 of 4"));
        assert!(refused(&all, &[0, 1], &[1]).contains("already among the landmarks"));
    }

    #[test]
    fn a_network_too_large_for_any_machine_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 20, 4);
        let samples: Vec<usize> = (0..20).collect();
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let mut wide = settings(Method::Mlp);
        wide.mlp.hidden = vec![2_000_000, 2_000_000];
        let fitted = Predictor::fit(&mut executor, &store, &samples, &[0, 1], &[2, 3], &wide, &silent);
        let message = fitted.expect_err("no machine has it").to_string();
        assert!(message.contains("the network needs 64.0 TB") && message.contains("--hidden"), "{message}");
    }
}
