//! Scores, a store or a model → landmarks.

mod bounds;
mod described;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) use bounds::lists;
use bounds::refuse_more;
use described::LEFT_OUT;
pub(in crate::pipeline) use described::left_out;
pub(super) use described::weighed_by;

use super::fit;
use super::how_many::{self, Count};
use crate::attribution::ScoreTable;
use crate::bench::work;
use crate::compare::{Enough, Goal, Search, can_search};
use crate::error::{Error, Result};
use crate::genes::sidecar::{self, Input as Source, Made};
use crate::genes::{Side, Table, shown};
use crate::infer::Method;
use crate::nn::known::{Expect, remembered, warn_of_other_data};
use crate::nn::model::Model;
use crate::pipeline::choice::{choice, word};
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings::{self, Match};
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::split;
use crate::select::covariance::Covariance;
use crate::select::diverse::{Aim, Penalty, Weights};
use crate::select::target::TargetProducts;
use crate::select::{
    ConcreteSettings, Constraints, DiverseSettings, Inputs, Needs, PeelOffSettings, StandIn, Strategy,
    from_store, replacements, top,
};
use crate::store::Store;
use crate::store::remembered::Remembered;

/// How many of the landmarks are told by name.
const SHOWN: usize = 10;

/// What can be said about a selection, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// How the landmarks are chosen: diverse (greedy against what is already explained), top (the highest scores; Kong et al.
    /// 2021), random, variance, pca (Q-DEIM), css (Farahat et al. 2011), concrete (Balın et al. 2019), peel-off (L1000's
    /// way), facility-location (r² of every gene with the nearest landmark), k-medoids (1 − |r|) [diverse; of scores alone: top]
    #[arg(long, value_parser = choice::<Strategy>())]
    pub strategy: Option<Strategy>,
    /// Genes that must be landmarks: a file of names (ids, Entrez ids, symbols, probes), or l1000, the bundled panel. They come first, and count as explained in strategies that look at what is explained
    #[arg(long, value_name = "LIST")]
    pub include: Vec<String>,
    /// Genes that must not be landmarks; as --include, but a name that is several genes excludes all of them
    #[arg(long, value_name = "LIST")]
    pub exclude: Vec<String>,
    /// Choose only genes that these stores measure too, such as test samples of another platform
    #[arg(long, value_name = "STORE")]
    pub measured_in: Vec<String>,
    /// Choose as few landmarks as reach a figure in samples held out: "r2 0.5" (median R² over the genes that are inferred) or "nmse 0.4"
    /// (their mean squared error over the training variance). In each fold of the samples the landmarks are chosen anew; a fifth of the
    /// genes is kept apart there to be inferred. The number of landmarks, where it is given, is the most [half of the genes]
    #[arg(long, value_name = "FIGURE LEVEL")]
    pub until: Option<Goal>,
    /// until: a sample column, such as the study, whose groups are held out whole
    #[arg(long, value_name = "COLUMN")]
    pub group_by: Option<String>,
    /// until: folds that samples are held out in [5]
    #[arg(long, value_name = "N")]
    pub folds: Option<usize>,
    /// until: how the other genes are inferred [kernel]
    #[arg(long, value_parser = choice::<Method>())]
    pub method: Option<Method>,
    /// How names are matched.
    #[command(flatten)]
    #[serde(flatten)]
    pub matching: Match,
    /// Use at most this many samples, drawn by the seed [facility-location, k-medoids, and diverse of up to 40,000
    /// genes: all; pca, peel-off and --target pca:K: 1000; otherwise 4000]
    #[arg(long, value_name = "N")]
    pub samples: Option<usize>,
    /// diverse: what is to be explained: the data, the autoencoder's reconstruction of it, SHARE of that and the rest of the
    /// data, or the data's first K principal components. Of 10,000 samples × 22,268 genes a share of the reconstruction takes 3.4 GiB of memory, the data alone
    /// 2.1; both grow with the square of the genes [data]
    #[arg(long, value_name = "data|reconstruction|blend:SHARE|pca:K")]
    pub target: Option<Aim>,
    /// diverse: how much each gene of the target counts [variance]
    #[arg(long, value_parser = choice::<Weights>())]
    pub weights: Option<Weights>,
    /// diverse: the ridge penalty for each gene chosen; 0 is least squares, which restarts when samples are exhausted [uniqueness:
    /// 2.5; equal: 5]
    #[arg(long, value_name = "PENALTY")]
    pub ridge: Option<f64>,
    /// diverse: whether each gene's penalty is the same, or in proportion to its uniqueness, the share of its variance that
    /// common factors do not explain [uniqueness]
    #[arg(long, value_parser = choice::<Penalty>())]
    pub penalty: Option<Penalty>,
    /// diverse: after the greedy this many sweeps over the list, at most, in which each gene gives way to one that explains more in its
    /// place: up to 1 % less error on one cohort, nothing on many studies (docs/landmarks.md); a list is then not the beginning of a longer
    /// one [0]
    #[arg(long, value_name = "SWEEPS")]
    pub exchange: Option<usize>,
    /// diverse: of each landmark tell this many genes that would replace it at least loss, as columns stand_in_1, loss_1, … of the
    /// landmarks: the share of the landmark's part in what is explained that would be lost, below 0 where the other would now be better [0]
    #[arg(long, value_name = "N")]
    pub stand_ins: Option<usize>,
    /// concrete: passes over the samples [300]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// concrete: step size [0.01]
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// concrete: samples in a batch [32]
    #[arg(long, value_name = "N")]
    pub batch: Option<usize>,
    /// concrete: how soft the selectors are at the beginning [10]
    #[arg(long, value_name = "T")]
    pub start_temperature: Option<f64>,
    /// concrete: and at the end [0.01]
    #[arg(long, value_name = "T")]
    pub end_temperature: Option<f64>,
    /// concrete: widths of the decoder's hidden layers [none: a linear decoder]
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS")]
    pub decoder: Option<Vec<usize>>,
    /// peel-off: runs of k-means a round, 1 to 255. Rounds are many where clusters are small: 400 of 22,215 probes take ten seconds, 943 of
    /// 22,268 made-up genes more than twelve minutes [32; Subramanian et al. 2017: 100]
    #[arg(long, value_name = "N")]
    pub trials: Option<usize>,
}

impl Options {
    /// The settings of `concrete`: its defaults, with what was said put in.
    pub fn concrete(&self, seed: u64) -> ConcreteSettings {
        let default = ConcreteSettings::default();
        ConcreteSettings {
            hidden: self.decoder.clone().unwrap_or(default.hidden),
            epochs: self.epochs.unwrap_or(default.epochs),
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            start_temperature: self.start_temperature.unwrap_or(default.start_temperature),
            end_temperature: self.end_temperature.unwrap_or(default.end_temperature),
            batch: self.batch.unwrap_or(default.batch),
            seed,
        }
    }

    /// The settings of `diverse`: its defaults, with what was said put in.
    pub fn diverse(&self) -> DiverseSettings {
        let default = DiverseSettings::default();
        let penalty = self.penalty.unwrap_or(default.penalty);
        DiverseSettings {
            target: self.target.unwrap_or(default.target),
            weights: self.weights.unwrap_or(default.weights),
            ridge: self.ridge.unwrap_or(penalty.ridge()),
            penalty,
            exchange: self.exchange.unwrap_or(default.exchange),
        }
    }

    /// The strategy said, or the default.
    pub fn strategy(&self) -> Strategy {
        self.strategy.unwrap_or_default()
    }

    /// What the strategy takes.
    pub fn needs(&self) -> Needs {
        self.strategy().needs(&self.diverse())
    }

    /// How many samples are looked at at most, of a store of so many genes.
    fn most_samples(&self, genes: usize) -> usize {
        self.samples.unwrap_or(self.strategy().most_samples(&self.diverse(), genes))
    }

    /// What choosing `n` landmarks takes.
    pub(super) fn cost(&self, n: usize, size: &Size) -> Cost {
        let needs = self.needs();
        if !needs.store {
            return Cost::default();
        }
        let samples = self.most_samples(size.genes).min(size.train);
        let strategy = self.strategy();
        let greedy = matches!(strategy, Strategy::Diverse | Strategy::Css | Strategy::Pca);
        let diverse = self.diverse();
        let by_genes = strategy == Strategy::Diverse && diverse.goes_by_genes(samples, size.genes, n);
        // a gene looked at in a sweep is a step, and about half of them are exchanged in two more
        let steps = if strategy == Strategy::Diverse { n * (1 + 2 * diverse.exchange) } else { n };
        let memory = match strategy {
            Strategy::FacilityLocation | Strategy::KMedoids => 2.0 * Covariance::bytes(size.genes) as f64,
            // what a network has a part in has products of its own
            _ if by_genes && diverse.target.share() > 0.0 => {
                (2 * Covariance::bytes(size.genes) + TargetProducts::bytes(size.genes)) as f64
            }
            _ if by_genes => 2.0 * Covariance::bytes(size.genes) as f64,
            Strategy::Random | Strategy::Variance | Strategy::Concrete => 0.0,
            _ => size.matrix(samples) + 16.0 * (samples as f64).powi(2),
        };
        Cost {
            work: match greedy {
                _ if by_genes => work::greedy_by_genes(samples, size.genes, steps).to_vec(),
                true => work::greedy(samples, size.genes, steps).to_vec(),
                false => Vec::new(),
            },
            memory,
            disk: 60.0 * n as f64,
            ..Cost::default()
        }
    }

    /// Does `work` with what a strategy that looks at a store gets: all samples, or those `among` them.
    pub(super) fn with_inputs<R>(
        &self,
        (store, among): (&Store, Option<&[usize]>),
        model: Option<&Model>,
        seed: u64,
        work: impl FnOnce(&Inputs) -> R,
    ) -> R {
        work(&Inputs {
            store,
            among,
            model,
            samples: self.most_samples(store.n_genes()),
            seed,
            diverse: &self.diverse(),
            concrete: &self.concrete(seed),
            trials: self.trials.unwrap_or(PeelOffSettings::default().trials),
        })
    }

    /// Refuses options that the strategy would not look at.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option.
    pub fn validate(&self) -> Result<()> {
        let strategy = self.strategy();
        let not_diverse = strategy != Strategy::Diverse;
        let not_concrete = strategy != Strategy::Concrete;
        for (given, what) in [
            (self.penalty.is_some(), "--penalty shares out the ridge"),
            (self.exchange.is_some(), "--exchange goes by the ridge"),
            (self.stand_ins.is_some_and(|most| most > 0), "--stand-ins are weighed by the ridge"),
        ] {
            if given && self.ridge == Some(0.0) {
                return Err(Error::Usage(format!("{what}, of which --ridge 0 has none; leave one out")));
            }
        }
        let idle = [
            ("--target", self.target.is_some() && not_diverse),
            ("--weights", self.weights.is_some() && not_diverse),
            ("--ridge", self.ridge.is_some() && not_diverse),
            ("--penalty", self.penalty.is_some() && not_diverse),
            ("--exchange", self.exchange.is_some() && not_diverse),
            ("--stand-ins", self.stand_ins.is_some() && not_diverse),
            ("--trials", self.trials.is_some() && strategy != Strategy::PeelOff),
            ("--samples", self.samples.is_some() && !strategy.draws_samples()),
            ("--epochs", self.epochs.is_some() && not_concrete),
            ("--learning-rate", self.learning_rate.is_some() && not_concrete),
            ("--batch", self.batch.is_some() && not_concrete),
            ("--start-temperature", self.start_temperature.is_some() && not_concrete),
            ("--end-temperature", self.end_temperature.is_some() && not_concrete),
            ("--decoder", self.decoder.is_some() && not_concrete),
        ];
        match idle.iter().find(|(_, idle)| *idle) {
            Some((option, _)) => Err(unused(strategy, option)),
            None => self.concrete(0).validate().and_then(|()| self.validate_until()),
        }
    }
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &["include", "exclude", "measured-in"];
}

/// Chooses landmarks. Of scores, store and model those are given that the strategy takes, and no others.
pub struct Select {
    /// As it is called in a run: `select`, or `select NAME`.
    pub name: String,
    /// A table of scores.
    pub scores: Option<PathBuf>,
    /// Training samples.
    pub store: Option<PathBuf>,
    /// A network.
    pub model: Option<PathBuf>,
    /// The landmarks to write.
    pub landmarks: PathBuf,
    /// How many; beside `until` the most.
    pub n: Count,
    /// How.
    pub options: Options,
    /// Of draws.
    pub seed: u64,
}

/// What there is to tell of a selection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// How many landmarks.
    pub genes: usize,
    /// The first of them.
    pub first: Vec<String>,
    /// What their number was found by.
    #[serde(default)]
    pub until: Option<Enough>,
}

impl Facts {
    /// The first landmarks' names, and whether there are more.
    pub fn shown(&self) -> String {
        let more = if self.genes > self.first.len() { ", …" } else { "" };
        format!("{}{more}", self.first.join(", "))
    }
}

impl Select {
    /// Of what the strategy takes those that there are.
    pub fn of(
        options: Options,
        n: Count,
        seed: u64,
        [scores, store, model, landmarks]: [PathBuf; 4],
        name: &str,
    ) -> Select {
        let needs = options.needs();
        let given = |needed: bool, path: PathBuf| needed.then_some(path);
        Select {
            name: name.into(),
            scores: given(needs.scores, scores),
            store: given(needs.store, store),
            model: given(needs.model, model),
            landmarks,
            n,
            options,
            seed,
        }
    }

    fn by_scores(&self, path: &Path, bench: &Workbench) -> Result<Chosen> {
        let (name, scores) = (path.display().to_string(), ScoreTable::read(path, bench.report)?);
        let side = Side::of(&name, &scores.genes);
        let (include, exclude) = lists(&self.options, &side, bench.force, bench.report)?;
        let n = self.known(bench)?;
        refuse_more(&self.options, &scores.genes, n, &exclude)?;
        let landmarks = top(&scores, n, &include, &exclude)?;
        Ok(Chosen { landmarks, left_out: ids(&scores.genes, &exclude), until: None })
    }

    /// How many, where it is not to be found out.
    fn known(&self, bench: &Workbench) -> Result<usize> {
        self.n.now(bench.report)?.ok_or_else(how_many_missing)
    }

    fn by_data(&self, store: &Store, bench: &mut Workbench) -> Result<Chosen> {
        let Select { options, seed, .. } = self;
        let (force, report) = (bench.force, bench.report);
        let model = self.model.as_deref().map(|path| Model::open(path, bench.report)).transpose()?;
        if let (Some(model), Some(path)) = (&model, &self.model) {
            warn_of_other_data((model, path), store, Expect::Training, report)?;
        }
        let name = store.path().display().to_string();
        let (include, exclude) = lists(options, &Side::of_store(&name, store), force, report)?;
        refuse_more(options, store.genes(), 1, &exclude)?;
        let (landmarks, until) = options.with_inputs((store, None), model.as_ref(), *seed, |inputs| {
            let until = self.until(inputs, (&include, &exclude), bench)?;
            let n = until.as_ref().and_then(|found| found.landmarks);
            let n = n.map_or_else(|| self.known(bench), Ok)?;
            refuse_more(options, store.genes(), n, &exclude)?;
            let constraints = Constraints::new(store.genes(), n, &include, &exclude)?;
            let picks = from_store(options.strategy(), inputs, &constraints, || bench.executor(), report)?;
            let (genes, most) = (picks.genes.clone(), options.stand_ins.unwrap_or(0));
            let mut landmarks = picks.table(store.genes());
            if most > 0 {
                let found = replacements(inputs, (&genes, &constraints), most, || bench.executor(), report)?;
                tell(&found, most, store.genes(), &mut landmarks.genes);
            }
            Ok::<_, Error>((landmarks, until))
        })?;
        Ok(Chosen { landmarks, left_out: ids(store.genes(), &exclude), until })
    }

    /// The fewest landmarks that reach what is asked, if anything is.
    fn until(
        &self,
        inputs: &Inputs,
        (include, exclude): (&[usize], &[usize]),
        bench: &mut Workbench,
    ) -> Result<Option<Enough>> {
        let Some(goal) = self.options.until else { return Ok(None) };
        let search = Search {
            strategy: self.options.strategy(),
            inputs: *inputs,
            include,
            exclude,
            most: self.n.now(bench.report)?,
            folds: self.options.folds(),
            fit: &self.options.fitting(self.seed)?,
        };
        let report = bench.report;
        how_many::until(&search, goal, bench.executor()?, report).map(Some)
    }
}

/// What was chosen.
struct Chosen {
    landmarks: ScoreTable,
    /// Ids of the genes that might not be.
    left_out: Vec<String>,
    until: Option<Enough>,
}

fn ids(genes: &Table, rows: &[usize]) -> Vec<String> {
    let rows: BTreeSet<usize> = rows.iter().copied().collect();
    rows.into_iter().map(|row| genes.ids[row].clone()).collect()
}

fn how_many_missing() -> Error {
    Error::Usage("say how many landmarks (-n), or what they are to reach (--until)".into())
}

impl Stage for Select {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn inputs(&self) -> Vec<Input> {
        let own = [("scores", &self.scores), ("store", &self.store), ("model", &self.model)];
        let own = own.into_iter().filter_map(|(role, path)| Some(Input::new(role, path.as_deref()?)));
        own.chain(self.n.input()).chain(settings::inputs(&self.options).0).collect()
    }

    fn settings(&self) -> Value {
        let options = Options { matching: self.options.matching.again(), ..self.options.clone() };
        let strategy = word(self.options.strategy());
        json!({"n": self.n.setting(), "strategy": strategy, "seed": self.seed, "options": settings::inputs(&options).1})
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Table(self.landmarks.clone())]
    }

    fn matches_by(&self) -> Option<&Match> {
        Some(&self.options.matching)
    }

    fn computes(&self) -> bool {
        self.model.is_some() || self.options.until.is_some() || self.options.strategy().may_compute()
    }

    fn check(&self) -> Result<()> {
        self.options.validate()?;
        match self.n {
            Count::Said(Some(0)) => return Err(Error::Usage("-n must be at least 1".into())),
            Count::Said(None) if self.options.until.is_none() => return Err(how_many_missing()),
            _ => {}
        }
        let (strategy, needs) = (self.options.strategy(), self.options.needs());
        let files = [
            (&self.scores, needs.scores, "SCORES, a table written by `genelift attribute`"),
            (&self.store, needs.store, "--store, the training samples"),
            (&self.model, needs.model, "--model, the model trained on them"),
        ];
        files.into_iter().try_for_each(|(path, needed, what)| match (path, needed) {
            (None, true) => Err(Error::Usage(format!("--strategy {} needs {what}", word(strategy)))),
            (Some(_), false) => Err(unused(strategy, what)),
            _ => Ok(()),
        })
    }

    fn check_data(&self, store: &Store) -> Result<()> {
        if self.options.until.is_some() {
            how_many::can_keep_apart(store)?;
            can_search(store, &self.options.fitting(self.seed)?, self.options.folds())?;
        }
        self.n.said().map_or(Ok(()), |n| Constraints::new(store.genes(), n, &[], &[]).map(|_| ()))
    }

    fn cost(&self, size: &Size) -> Cost {
        let mut cost = self.options.cost(self.n.said().unwrap_or(size.landmarks), size);
        if self.options.until.is_some() && self.options.needs().store {
            // about two lists of the length found in each fold, and a dozen fits
            let (folds, fit) = (self.options.folds() as f64, self.options.fit());
            let lists: Vec<_> = cost.work.iter().map(|work| work.times(2.0 * folds)).collect();
            let fits = fit::predictor_cost(&fit, Method::default(), size).work;
            cost.work.extend(lists.into_iter().chain(fits.iter().map(|work| work.times(12.0 * folds))));
        }
        cost
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let mut samples;
        let mut made_from = Vec::new();
        let Chosen { landmarks, left_out, until } = match (&self.scores, &self.store) {
            (Some(scores), _) => {
                made_from.extend(Source::regular(scores, "scores")?);
                samples = sidecar::samples(scores)?;
                self.by_scores(scores, bench)?
            }
            (None, Some(store)) => {
                let store = Store::open(store)?;
                made_from.push(Source::store(&store));
                samples = Remembered::all(&store);
                if let Some(column) = &self.options.group_by {
                    split::warn_of_unlabelled(&store, column, bench.report);
                }
                self.by_data(&store, bench)?
            }
            (None, None) => return Err(Error::Usage("a selection takes scores or a store".into())),
        };
        if let Some(path) = &self.model {
            made_from.extend(Source::regular(path, "model")?);
            samples = samples.and(&remembered(&Model::load(path)?));
        }
        for list in
            self.options.include.iter().chain(&self.options.exclude).filter(|list| settings::is_file(list))
        {
            // what can be read once only has no checksum, but had its part
            let once = || Source { name: list.clone(), kind: "list".into(), sha256: String::new() };
            made_from.push(Source::regular(Path::new(list), "list")?.unwrap_or_else(once));
        }
        for store in &self.options.measured_in {
            made_from.push(Source::store(&Store::open_unchecked(Path::new(store))?));
        }
        let mut about = self.settings();
        if let Some(found) = &until {
            about["until"] = json!(found);
        }
        if !left_out.is_empty() {
            about[LEFT_OUT] = json!(left_out);
        }
        landmarks.write(&self.landmarks, bench.force, Made { made_from, about, samples })?;
        let genes = landmarks.genes.len();
        let first = (0..genes.min(SHOWN)).map(|gene| shown(&landmarks.genes, gene)).collect();
        Ok(facts(Facts { genes, first, until }))
    }
}

/// Adds the stand-ins to the landmarks' table.
fn tell(found: &[Vec<StandIn>], most: usize, genes: &Table, landmarks: &mut Table) {
    for place in 0..most {
        let column = |text: &dyn Fn(&StandIn) -> String| -> Vec<String> {
            found.iter().map(|stand_ins| stand_ins.get(place).map_or_else(String::new, text)).collect()
        };
        let ids = column(&|stand_in| genes.ids[stand_in.gene].clone());
        let losses = column(&|stand_in| stand_in.loss.to_string());
        landmarks.set_column(&format!("stand_in_{}", place + 1), ids);
        landmarks.set_column(&format!("loss_{}", place + 1), losses);
    }
}

fn unused(strategy: Strategy, what: &str) -> Error {
    Error::Usage(format!("--strategy {} does not use {what}; leave it out", word(strategy)))
}
