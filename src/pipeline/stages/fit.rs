//! A store and landmarks → a predictor.

mod adapting;
mod cost;
mod told;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use adapting::Seen;
pub(super) use adapting::check_adapts;
pub(super) use cost::predictor_cost;
pub use told::{Facts, Trusted};

use super::reselect::{Known, Selection};
use super::train::remove;
use crate::device::Executor;
use crate::error::{Error, Result};
use crate::genes::{Finder, Side, shorten, shown};
use crate::infer::{
    BestSettings, FitSettings, KernelSettings, KnnSettings, LinearSettings, Method, MlpSettings, Predictor,
    Problem,
};
use crate::nn::checkpoint::{self, CheckpointPlan};
use crate::nn::settings::Precision;
use crate::nouns::counted;
use crate::pipeline::choice::{choice, choice_but, word};
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings::{self, Match};
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::split;
use crate::progress::{Event, Reporter};
use crate::store::Store;
use crate::store::atomic::{self, Kind};

/// What can be said about fitting, on the command line or in a configuration file; what is not said is the
/// method's default.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[group(id = "FitOptions")]
pub struct Options {
    /// How the targets are inferred: kernel (kernel ridge, linear and Gaussian), linear (ridge), mlp (D-GEX's network), knn
    /// (the nearest landmarks), best (of those, in samples held out) [kernel]
    #[arg(long, value_parser = choice::<Method>())]
    pub method: Option<Method>,
    /// linear, kernel: weight of the squared coefficients on z-scored genes, as scikit-learn's alpha; of kernel, what is added
    /// to the diagonal of the kernel matrix [cross-validated]
    #[arg(long, value_name = "X")]
    pub penalty: Option<f64>,
    /// linear, kernel: a store with samples to be inferred, of another platform or study. The penalty that is chosen by folds is multiplied by what
    /// their landmarks tell: how much larger a penalty infers these best from one another than in training samples held out. With --group-by they tell too
    /// how much of what the samples of a group share is noise [of `fit` alone: a comparison has --adapt]
    #[arg(long, value_name = "STORE")]
    pub adapt_to: Option<PathBuf>,
    /// linear, kernel: folds of the cross-validation [5]
    #[arg(long, value_name = "N")]
    pub folds: Option<usize>,
    /// kernel: how narrow the Gaussian is, exp(−X·d²/median), d² the squared distance of two samples' landmarks, the median
    /// that of all pairs [cross-validated]
    #[arg(long, value_name = "X")]
    pub gamma: Option<f64>,
    /// kernel: share of the Gaussian, 0 (linear alone, which is ridge) to 1 (Gaussian alone) [cross-validated]
    #[arg(long, value_name = "X")]
    pub mixture: Option<f64>,
    /// kernel: training samples that kernels are centred on, drawn at random; the others then stream by
    /// [all up to 10000, else 2000]
    #[arg(long, value_name = "N")]
    pub centres: Option<usize>,
    /// knn: nearest landmarks to average [the best of 1 to 50 on held-out training samples]
    #[arg(long, value_name = "K")]
    pub neighbors: Option<usize>,
    /// A sample column, such as the study: where training samples are held out (to choose the penalty, the number of
    /// neighbors or the epoch), whole groups are, as samples of unseen groups will be inferred [in a run: the split's]
    #[arg(long, value_name = "COLUMN")]
    pub group_by: Option<String>,
    /// best: the methods tried, each (folds + 1) · folds times; what is told of the error is of samples outside the choice. In `fit`, where the landmarks
    /// were chosen by this store alone, as the description beside them says, every fold chooses its own [linear,kernel,knn]
    #[arg(long, value_parser = choice_but::<Method>(&["best"]), value_delimiter = ',', value_name = "METHODS")]
    pub candidates: Option<Vec<Method>>,
    /// Folds in which training samples (whole groups with --group-by) are held out once the predictor is fitted, to tell of each gene its R²
    /// in samples not fitted on and intervals; each is a fit of its own, 0 is none [5 where there are samples enough, of mlp 0; of `fit` alone]
    #[arg(long, value_name = "N")]
    pub held_out: Option<usize>,
    /// mlp: widths of the tanh layers, e.g. 3000,3000,3000 [1000]
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS")]
    pub hidden: Option<Vec<usize>>,
    /// mlp: share of hidden activations kept in training, 1 − dropout [0.9]
    #[arg(long, value_name = "X")]
    pub include_rate: Option<f64>,
    /// mlp: passes over the samples [200]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// mlp: samples in a batch [200]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// mlp: keep the samples' order in every epoch
    #[arg(long)]
    pub no_shuffle: bool,
    /// mlp: step size of the first epoch [5e-4 for one hidden layer, 3e-4 for more]
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// mlp: momentum of SGD [0.5]
    #[arg(long, value_name = "X")]
    pub momentum: Option<f64>,
    /// mlp, knn: share of the samples held out, to choose the best epoch or the number of neighbors [0.1]
    #[arg(long, value_name = "FRACTION")]
    pub validation: Option<f64>,
    /// mlp: end after this many epochs without a better one [never]
    #[arg(long, value_name = "N")]
    pub early_stop: Option<usize>,
    /// mlp: independent networks, each for a part of the targets [1]
    #[arg(long, value_name = "N")]
    pub target_slices: Option<usize>,
    /// mlp: of activations and operands [f32]
    #[arg(long, value_parser = choice::<Precision>())]
    pub precision: Option<Precision>,
}

impl Options {
    /// The settings: the defaults, with what was said put in; `method` where none was.
    ///
    /// # Errors
    /// [`Error::Usage`] for an option of another method, and as [`FitSettings::validate`].
    pub fn settings(&self, method: Method, seed: u64) -> Result<FitSettings> {
        use Method::{Best, Kernel, Knn, Linear, Mlp};
        let method = self.method.unwrap_or(method);
        let said: [(&str, bool, &[Method]); 19] = [
            ("--candidates", self.candidates.is_some(), &[Best]),
            ("--penalty", self.penalty.is_some(), &[Linear, Kernel]),
            ("--adapt-to", self.adapt_to.is_some(), &[Linear, Kernel]),
            ("--folds", self.folds.is_some(), &[Linear, Kernel]),
            ("--gamma", self.gamma.is_some(), &[Kernel]),
            ("--mixture", self.mixture.is_some(), &[Kernel]),
            ("--centres", self.centres.is_some(), &[Kernel]),
            ("--neighbors", self.neighbors.is_some(), &[Knn]),
            ("--hidden", self.hidden.is_some(), &[Mlp]),
            ("--include-rate", self.include_rate.is_some(), &[Mlp]),
            ("--epochs", self.epochs.is_some(), &[Mlp]),
            ("--batch", self.batch.is_some(), &[Mlp]),
            ("--no-shuffle", self.no_shuffle, &[Mlp]),
            ("--learning-rate", self.learning_rate.is_some(), &[Mlp]),
            ("--momentum", self.momentum.is_some(), &[Mlp]),
            ("--validation", self.validation.is_some(), &[Mlp, Knn]),
            ("--early-stop", self.early_stop.is_some(), &[Mlp]),
            ("--target-slices", self.target_slices.is_some(), &[Mlp]),
            ("--precision", self.precision.is_some(), &[Mlp]),
        ];
        if let Some((option, ..)) =
            said.iter().find(|(_, said, of)| *said && method != Best && !of.contains(&method))
        {
            let method = word(method);
            return Err(Error::Usage(format!(
                "{option} is not an option of --method {method}; leave it out"
            )));
        }
        let (linear, mlp, knn) = (LinearSettings::default(), MlpSettings::default(), KnnSettings::default());
        let settings = FitSettings {
            method,
            seed,
            group_by: self.group_by.clone(),
            group_variance: None,
            linear: LinearSettings { penalty: self.penalty, folds: self.folds.unwrap_or(linear.folds) },
            kernel: KernelSettings {
                gamma: self.gamma,
                mixture: self.mixture,
                penalty: self.penalty,
                folds: self.folds.unwrap_or(KernelSettings::default().folds),
                centres: self.centres,
            },
            mlp: MlpSettings {
                hidden: self.hidden.clone().unwrap_or(mlp.hidden),
                include_rate: self.include_rate.unwrap_or(mlp.include_rate),
                batch: self.batch.unwrap_or(mlp.batch),
                epochs: self.epochs.unwrap_or(mlp.epochs),
                shuffle: mlp.shuffle && !self.no_shuffle,
                learning_rate: self.learning_rate,
                momentum: self.momentum.unwrap_or(mlp.momentum),
                validation: self.validation.unwrap_or(mlp.validation),
                early_stop: self.early_stop,
                target_slices: self.target_slices.unwrap_or(mlp.target_slices),
                precision: self.precision.unwrap_or(mlp.precision),
            },
            best: BestSettings {
                candidates: self.candidates.clone().unwrap_or(BestSettings::default().candidates),
                folds: self.folds.unwrap_or(BestSettings::default().folds),
            },
            knn: KnnSettings {
                neighbors: self.neighbors,
                validation: self.validation.unwrap_or(knn.validation),
            },
        };
        settings.validate()?;
        if self.adapt_to.is_some() {
            check_adapts(&settings, "--adapt-to")?;
        }
        match self.held_out {
            Some(1) => Err(Error::Usage("--held-out 1 must be 0 or at least 2".into())),
            _ => Ok(settings),
        }
    }

    /// Folds that samples are held out in after a fit by `method`.
    fn held_out(&self, method: Method) -> usize {
        self.held_out.unwrap_or(if method == Method::Mlp { 0 } else { HELD_OUT })
    }
}

/// Folds that samples are held out in after a fit where nothing else is asked.
const HELD_OUT: usize = 5;

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &["adapt-to"];
}

/// Fits a predictor.
pub struct Fit {
    /// Training samples alone.
    pub store: PathBuf,
    /// The genes that will be measured: a table, a list, or `l1000`.
    pub landmarks: String,
    /// The genes to infer; all the others without a list.
    pub targets: Option<String>,
    /// The predictor to write.
    pub predictor: PathBuf,
    /// How names are matched.
    pub matching: Match,
    /// How.
    pub options: Options,
    /// The sample column whose groups are held out whole where the options name none and the store has several.
    pub groups: Option<String>,
    /// The method where the options name none.
    pub method: Method,
    /// How the landmarks were chosen by the store; where it is not said, the description beside them may tell.
    pub selection: Option<Selection>,
    /// Of every random choice.
    pub seed: u64,
}

impl Fit {
    /// Whether a network is trained, of which checkpoints are left.
    fn trains(&self) -> bool {
        self.method() == Method::Mlp
    }

    fn method(&self) -> Method {
        self.options.method.unwrap_or(self.method)
    }

    /// How the landmarks were chosen, where the fit looks at it.
    fn chosen_by(&self) -> Option<&Selection> {
        self.selection.as_ref().filter(|_| self.method() == Method::Best)
    }

    /// The best method, with landmarks chosen anew in its folds where that can be done.
    fn best(
        &self,
        problem: &Problem,
        targets: Option<&[usize]>,
        settings: &FitSettings,
        bench: &mut Workbench,
    ) -> Result<Predictor> {
        let (store, report) = (problem.store, bench.report);
        let known = match self.selection.clone() {
            Some(selection) => selection.known(&self.landmarks),
            None => Selection::beside(&self.landmarks, store)?,
        };
        let selection = match known {
            Known::Here(selection) => {
                if selection.until {
                    report(Event::Note(format!(
                        "{} landmarks are as many as --until found on all of these samples, and the folds choose as many: the error outside \
                         (error-outside) is too small by what finding that number gained",
                        selection.n
                    )));
                }
                selection
            }
            Known::Elsewhere(told) => {
                report(Event::Note(told));
                return Predictor::fit_best(bench.executor()?, problem, settings, None, report);
            }
            Known::Not(told) => {
                report(Event::Warning(told));
                return Predictor::fit_best(bench.executor()?, problem, settings, None, report);
            }
        };
        let constraints = selection.constraints((&self.store, store), bench)?;
        let mut anew = |executor: &mut dyn Executor, samples: &[usize]| {
            selection.choose(executor, (store, samples), &constraints, targets)
        };
        Predictor::fit_best(bench.executor()?, problem, settings, Some(&mut anew), report)
    }

    fn lists(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [("landmarks", &self.landmarks)].into_iter().chain(self.targets.iter().map(|list| ("targets", list)))
    }
}

impl Stage for Fit {
    fn name(&self) -> String {
        "fit".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let lists = self.lists().filter(|(_, list)| settings::is_file(list));
        let lists = lists.map(|(role, list)| Input::new(role, Path::new(list)));
        let selection = self.chosen_by().map(|selection| selection.inputs().0).unwrap_or_default();
        let files = settings::inputs(&self.options).0;
        [Input::new("store", &self.store)].into_iter().chain(lists).chain(selection).chain(files).collect()
    }

    fn settings(&self) -> Value {
        let words = self.lists().filter(|(_, list)| !settings::is_file(list));
        let mut settings = json!({
            "fit": self.options.settings(self.method, self.seed).ok(),
            "groups": self.groups,
            "matching": self.matching.again(),
            "lists": words.collect::<Vec<_>>(),
        });
        if let Some(selection) = self.chosen_by() {
            settings["selection"] = selection.inputs().1;
        }
        settings
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::File(self.predictor.clone())]
    }

    fn claims(&self, force: bool) -> Result<Vec<atomic::Output<'static>>> {
        let predictor = atomic::Output::new(&self.predictor, Kind::File, force);
        let checkpoint = atomic::Output::new(&checkpoint::path_for(&self.predictor), Kind::File, true);
        Ok([predictor].into_iter().chain(self.trains().then_some(checkpoint)).collect())
    }

    fn matches_by(&self) -> Option<&Match> {
        Some(&self.matching)
    }

    fn computes(&self) -> bool {
        true
    }

    fn precisions(&self) -> Vec<Precision> {
        self.options.settings(self.method, self.seed).iter().map(FitSettings::precision).collect()
    }

    fn check(&self) -> Result<()> {
        self.options.settings(self.method, self.seed).map(|_| ())
    }

    fn check_counts(&self, size: &Size) -> Result<()> {
        self.options.settings(self.method, self.seed)?.check_samples(size.train)
    }

    fn check_data(&self, store: &Store) -> Result<()> {
        self.options.settings(self.method, self.seed)?.check_samples(store.n_samples())?;
        check_groups(store, self.options.group_by.as_deref())
    }

    fn cost(&self, size: &Size) -> Cost {
        let one = predictor_cost(&self.options, self.method, size);
        let fits = 1 + self.options.held_out(self.method());
        let work = one.work.iter().map(|work| work.times(fits as f64));
        let folds = self.options.folds.unwrap_or(BestSettings::default().folds);
        let chosen = self.chosen_by().map(|by| by.options.cost(by.n, size).work).unwrap_or_default();
        let chosen = chosen.iter().map(|work| work.times((folds * (folds + 1)) as f64));
        Cost { work: work.chain(chosen).collect(), ..one }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let mut settings: FitSettings = self.options.settings(self.method, self.seed)?;
        let store = Store::open(&self.store)?;
        if let Some(column) = &settings.group_by {
            split::warn_of_unlabelled(&store, column, bench.report);
        }
        settings.group_by =
            settings.group_by.or_else(|| several(&store, self.groups.as_deref(), bench.report));
        let name = self.store.display().to_string();
        let ranks = bench.ranks.clone();
        let unmatched = self.matching.unmatched.clone().filter(|_| ranks.is_first());
        let matching = Match { unmatched, ..self.matching.clone() }.matching();
        let finder = Finder::new(&matching, bench.force, bench.report)?;
        let side = Side::of_store(&name, &store);
        let find = |list: &str| Ok::<_, Error>(finder.list(list, &side, None)?.rows());
        let landmarks = find(&self.landmarks)?;
        let mut is_landmark = vec![false; store.n_genes()];
        landmarks.iter().for_each(|gene| is_landmark[*gene] = true);
        let asked = self.targets.as_deref().map(find).transpose()?;
        let targets = asked.clone().unwrap_or_else(|| (0..store.n_genes()).collect());
        let (measured, targets): (Vec<usize>, Vec<usize>) =
            targets.into_iter().partition(|gene| is_landmark[*gene]);
        if asked.is_some() && !measured.is_empty() {
            let names = shorten(measured.iter().map(|gene| shown(store.genes(), *gene)));
            let counts = counted(measured.len(), "target");
            (bench.report)(Event::Warning(format!(
                "{counts} of --targets will be measured, as landmarks: {names}"
            )));
        }
        let samples: Vec<usize> = (0..store.n_samples()).collect();
        let report = bench.report;
        let new = self.options.adapt_to.as_deref().map(Store::open).transpose()?;
        let seen = new
            .as_ref()
            .map(|new| Seen::of(new, (&name, &store), &landmarks, &finder, report))
            .transpose()?;
        let toward = seen.as_ref().map(Seen::toward);
        let problem =
            Problem { ranks: &ranks, toward, ..Problem::new(&store, &samples, &landmarks, &targets) };
        if ranks.are_several() && self.trains() && self.options.held_out.is_some_and(|folds| folds > 0) {
            let message = "--held-out: ranks do not share fits of mlp without some samples; leave it out";
            return Err(Error::Usage(message.into()));
        }
        let plan = CheckpointPlan::beside(&self.predictor, CheckpointPlan::EVERY, bench.found);
        // ranks would keep each its own part: a fit that ends early begins anew
        let plan = (self.trains() && !ranks.are_several()).then_some(&plan);
        let mut predictor = match settings.method {
            Method::Best => self.best(&problem, asked.as_deref(), &settings, bench)?,
            _ => Predictor::fit_kept(bench.executor()?, &problem, &settings, plan, report)?,
        };
        let folds = self.options.held_out(settings.method);
        if folds > 0 {
            let executor = bench.executor()?;
            let with = (&settings, folds);
            let found = predictor.hold_out(executor, &problem, with, report);
            match found {
                // where nobody asked for them, few samples are no reason to have no predictor
                Err(Error::Data(message)) if self.options.held_out.is_none() => {
                    report(Event::Warning(format!("nothing is known of samples held out: {message}")));
                }
                other => other?,
            }
        }
        let predictor = predictor.among(&problem)?;
        let held_out = predictor.held_out().map(Trusted::of);
        if ranks.is_first() {
            predictor.save(&self.predictor, bench.force)?;
        }
        if let Some(plan) = plan {
            remove(&plan.path, "removing the checkpoint of the finished fit")?;
        }
        let (samples, landmarks, targets) = (samples.len(), landmarks.len(), targets.len());
        let (method, chosen) = (predictor.method(), predictor.chosen().clone());
        Ok(facts(Facts { samples, landmarks, targets, method, chosen, held_out }))
    }
}

/// The column, where it has several groups in the store; where it has one, single samples are held out, which is said.
pub(super) fn several(store: &Store, column: Option<&str>, report: Reporter) -> Option<String> {
    let column = column?;
    if split::groups(store, Some(column)).is_ok_and(|groups| groups.len() > 1) {
        return Some(column.to_string());
    }
    report(Event::Warning(format!(
        "{}: one group by {column:?} cannot be held out whole; in the folds of a fit single samples are",
        store.path().display()
    )));
    None
}

/// Refuses a column that the store lacks or that has one group, before hours of fitting.
pub(super) fn check_groups(store: &Store, column: Option<&str>) -> Result<()> {
    let groups = split::groups(store, column)?.len();
    match column {
        Some(column) if groups < 2 => Err(Error::Data(format!(
            "{}: the sample column {column:?} has one value; holding out whole groups needs at least two",
            store.path().display()
        ))),
        _ => Ok(()),
    }
}
