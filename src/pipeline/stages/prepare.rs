//! A store → a store made ready: steps by sample and near copies before the split ([`Prepare`]), steps that learn fitted on
//! the training part and applied to the others ([`Learn`]).

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::import::Facts as Extent;
use crate::error::{Error, Result};
use crate::genes::{MapSettings, Matching, Multi};
use crate::pipeline::choice::{choice, choice_but, parse};
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings::{self, Match};
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::names_together;
use crate::prepare::{
    CollapseBy, DedupSettings, GeneType, QuantileRule, Step, prepare, prepare_like, prepare_together,
};
use crate::store::atomic::Kind;
use crate::store::{Store, atomic};

/// What becomes of genes of `--match-genes` that the store lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingGenes {
    /// An error that names some
    #[default]
    Refuse,
    /// They are left out
    Drop,
}

/// What samples of counts are scaled to: the median of their sums, or a number. `true` in a configuration is the median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LibrarySize {
    /// The median of the samples' sums.
    Median,
    /// This sum.
    Target(f64),
}

impl LibrarySize {
    fn target(self) -> Option<f64> {
        match self {
            LibrarySize::Median => None,
            LibrarySize::Target(target) => Some(target),
        }
    }
}

impl FromStr for LibrarySize {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match (text, text.parse()) {
            ("median", _) => Ok(LibrarySize::Median),
            (_, Ok(target)) => Ok(LibrarySize::Target(target)),
            _ => Err(format!("{text:?}: expected a number, such as 1e4, or median")),
        }
    }
}

impl Serialize for LibrarySize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            LibrarySize::Median => serializer.serialize_str("median"),
            LibrarySize::Target(target) => serializer.serialize_f64(*target),
        }
    }
}

impl<'de> Deserialize<'de> for LibrarySize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Said {
            Yes(bool),
            Number(f64),
            Text(String),
        }
        match Said::deserialize(deserializer)? {
            Said::Yes(true) => Ok(LibrarySize::Median),
            Said::Yes(false) => {
                Err(serde::de::Error::custom("expected true, a number or median; leave it out for none"))
            }
            Said::Number(target) => Ok(LibrarySize::Target(target)),
            Said::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// `quantile-normalize = true`, or the rule for equal values.
fn rule_or_yes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<QuantileRule>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Yes(bool),
        Text(String),
    }
    match Said::deserialize(deserializer)? {
        Said::Yes(yes) => Ok(yes.then(QuantileRule::default)),
        Said::Text(text) => match parse(&text).filter(|rule| *rule != QuantileRule::Dense) {
            Some(rule) => Ok(Some(rule)),
            None => Err(serde::de::Error::custom(format!("{text:?}: expected true, mean or dgex"))),
        },
    }
}

/// The steps, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// A table about the genes (an annotation table as GEO has it, .gz, or any with a column of the gene ids): fills the columns
    /// symbol and entrez, and adds the others
    #[arg(long, value_name = "TSV")]
    pub gene_labels: Option<PathBuf>,
    /// Drop genes of these types, by symbol (column symbol, else the ids)
    #[arg(long, value_parser = choice::<GeneType>(), value_delimiter = ',', value_name = "TYPES")]
    pub exclude: Vec<GeneType>,
    /// Drop genes that are above --detection-threshold in a smaller share of the samples
    #[arg(long, value_name = "SHARE")]
    pub min_detected: Option<f64>,
    /// A value above this is detected [0]
    #[arg(long, value_name = "X", requires = "min_detected", allow_negative_numbers = true)]
    pub detection_threshold: Option<f64>,
    /// Scale every sample of counts to one sum: the median of the samples' sums, or =TARGET such as =1e4
    #[arg(long, value_name = "TARGET", num_args = 0..=1, require_equals = true, default_missing_value = "median")]
    pub library_size: Option<LibrarySize>,
    /// ln(1 + x) of counts or intensities
    #[arg(long, conflicts_with = "log2p1")]
    pub log1p: bool,
    /// log2(1 + x) of counts or intensities
    #[arg(long)]
    pub log2p1: bool,
    /// Give every sample the mean sorted profile of all; =dgex treats equal values as D-GEX does
    #[arg(long, value_name = "TIES", value_parser = choice_but::<QuantileRule>(&["dense"]), num_args = 0..=1, require_equals = true,
          default_missing_value = "mean")]
    #[serde(deserialize_with = "rule_or_yes")]
    pub quantile_normalize: Option<QuantileRule>,
    /// Take the smallest and the largest value of all to these, and the others along one line, e.g. 4,15
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
    pub range: Vec<f64>,
    /// Drop near copies of earlier samples: k-means, then of every pair of a cluster that is too close the later
    #[arg(long)]
    pub dedup: bool,
    /// Clusters of k-means [100]
    #[arg(long, value_name = "K", requires = "dedup")]
    pub dedup_clusters: Option<usize>,
    /// Samples nearer than this (Euclidean) are copies [1]
    #[arg(long, value_name = "X", requires = "dedup")]
    pub dedup_distance: Option<f64>,
    /// Cluster labels (sample_id, label) in place of k-means
    #[arg(long, value_name = "TSV", requires = "dedup", conflicts_with = "dedup_clusters")]
    pub dedup_labels: Option<PathBuf>,
    /// Make genes of probes by a table of probes and genes: two columns, or an annotation table as GEO has it. Probes
    /// without a gene (---) are left out
    #[arg(long, value_name = "MAP")]
    pub collapse_probes: Option<PathBuf>,
    /// The map's column of genes, by name or number [gene_id, else symbol, Entrez id, Ensembl id, as the headers tell]
    #[arg(long, value_name = "NAME", requires = "collapse_probes")]
    pub map_column: Option<String>,
    /// What a probe counts for that names several genes (A /// B, or several rows of the map) [refuse]
    #[arg(long, value_parser = choice::<Multi>(), requires = "collapse_probes")]
    pub multi: Option<Multi>,
    /// What stands for a gene of several probes [mean]
    #[arg(long, value_parser = choice::<CollapseBy>(), requires = "collapse_probes")]
    pub collapse_by: Option<CollapseBy>,
    /// Keep exactly the genes of a list or another store, in its order and under its ids
    #[arg(long, value_name = "TSV|STORE")]
    pub match_genes: Option<PathBuf>,
    /// What becomes of genes of --match-genes that the store lacks [refuse]
    #[arg(long, value_parser = choice::<MissingGenes>(), requires = "match_genes")]
    pub missing_genes: Option<MissingGenes>,
    /// Give each sample the mean sorted profile of another store, by dense rank: from one platform to another
    #[arg(long, value_name = "STORE")]
    pub map_quantiles_to: Option<PathBuf>,
    /// Drop genes whose standard deviation is below this
    #[arg(long, value_name = "X")]
    pub min_sd: Option<f64>,
    /// (x − min)/(max − min) by gene; a constant gene becomes 0
    #[arg(long, conflicts_with = "zscore")]
    pub min_max: bool,
    /// (x − mean)/sd by gene, over all samples; a constant gene becomes 0
    #[arg(long)]
    pub zscore: bool,
    /// Added to each sd of --zscore; D-GEX adds 1e-3 [0]
    #[arg(long, value_name = "X", requires = "zscore")]
    pub sd_offset: Option<f64>,
    /// How names are matched.
    #[command(flatten)]
    #[serde(flatten)]
    pub matching: Match,
}

impl Options {
    /// The library's steps, in the documented order.
    ///
    /// # Errors
    /// [`Error::Usage`] for a range that is not two numbers.
    pub fn steps(&self, work: &Work) -> Result<Vec<Step>> {
        let matching = self.matching.matching();
        let flag = |given: bool, step: Step| given.then_some(step);
        let (share, threshold) = (self.min_detected, self.detection_threshold.unwrap_or(0.0));
        let range = match self.range[..] {
            [] => None,
            [low, high] => Some(Step::Range([low, high])),
            _ => return Err(Error::Usage("--range takes two numbers, such as 4,15".into())),
        };
        if self.match_genes.is_none() && matching != Matching::default() {
            let message = "--match-on, --ambiguous and --unmatched say how --match-genes matches; give that, or leave them out";
            return Err(Error::Usage(message.into()));
        }
        let dedup = DedupSettings {
            clusters: self.dedup_clusters.unwrap_or(DedupSettings::default().clusters),
            distance: self.dedup_distance.unwrap_or(DedupSettings::default().distance),
            labels: self.dedup_labels.clone(),
            seed: work.seed,
            device: work.device.clone(),
            threads: work.threads,
            through: Vec::new(),
        };
        let steps = [
            self.gene_labels.clone().map(Step::LabelGenes),
            flag(!self.exclude.is_empty(), Step::Exclude(self.exclude.clone())),
            share.map(|share| Step::MinDetected { share, threshold }),
            self.library_size.map(|size| Step::LibrarySize(size.target())),
            flag(self.log1p, Step::Log1p),
            flag(self.log2p1, Step::Log2p1),
            self.quantile_normalize.map(Step::QuantileNormalize),
            range,
            flag(self.dedup, Step::Dedup(dedup)),
            self.collapse_probes.clone().map(|path| Step::CollapseProbes {
                map: MapSettings {
                    path,
                    column: self.map_column.clone(),
                    multi: self.multi.unwrap_or_default(),
                },
                by: self.collapse_by.unwrap_or_default(),
            }),
            self.match_genes.clone().map(|reference| Step::MatchGenes {
                reference,
                drop_missing: self.missing_genes == Some(MissingGenes::Drop),
                matching: matching.clone(),
            }),
            self.map_quantiles_to.clone().map(|reference| Step::MapQuantiles { reference }),
            self.min_sd.map(Step::MinSd),
            flag(self.min_max, Step::MinMax),
            flag(self.zscore, Step::Zscore { sd_offset: self.sd_offset.unwrap_or(0.0) }),
        ];
        Ok(steps.into_iter().flatten().collect())
    }
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] =
        &["gene-labels", "dedup-labels", "collapse-probes", "match-genes", "map-quantiles-to"];
}

/// Where and from which seed steps compute that need a device.
#[derive(Debug, Clone, Default)]
pub struct Work {
    /// Of every random choice.
    pub seed: u64,
    /// As `--device`.
    pub device: String,
    /// As `--threads`.
    pub threads: Option<usize>,
}

/// Which of the steps are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// All.
    All,
    /// Those before the split: by sample, up to the first that learns, and near copies.
    Before,
    /// Those that are fitted on the training part.
    After,
}

impl Taken {
    /// Of `steps` those that are taken. A step that looks at all samples must not see those that are held out, nor may what
    /// comes after it be done before; near copies are looked for before the split, so that none is on both sides of it.
    pub fn of(self, steps: Vec<Step>) -> Vec<Step> {
        let first = steps.iter().position(Step::learns).unwrap_or(steps.len());
        let early = |i: usize, step: &Step| i < first || matches!(step, Step::Dedup(_));
        let through = |i: usize| steps.get(first..i).unwrap_or_default().to_vec();
        let taken = |(i, step): (usize, &Step)| match (self, step) {
            // near copies are looked for among values as they will be, although those steps are taken later
            (Taken::Before, Step::Dedup(settings)) => {
                Some(Step::Dedup(DedupSettings { through: through(i), ..settings.clone() }))
            }
            (Taken::All, step) => Some(step.clone()),
            (Taken::Before, step) => early(i, step).then(|| step.clone()),
            (Taken::After, step) => (!early(i, step)).then(|| step.clone()),
        };
        steps.iter().enumerate().filter_map(taken).collect()
    }
}

/// Prepares one store, or several together.
pub struct Prepare {
    /// As it is called in a run: `prepare`, or `test NAME, prepared`.
    pub name: String,
    /// The stores; several are prepared together.
    pub stores: Vec<PathBuf>,
    /// The store to write; for several the folder.
    pub out: PathBuf,
    /// A store whose steps are taken, with what they learned then.
    pub like: Option<PathBuf>,
    /// The steps.
    pub options: Options,
    /// Which of them.
    pub taken: Taken,
    /// Where they compute.
    pub work: Work,
}

/// What there is to tell of prepared stores.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Each store's path and size.
    pub stores: Vec<(PathBuf, Extent)>,
}

impl Facts {
    fn of(stores: &[Store]) -> Facts {
        let size = |store: &Store| Extent { samples: store.n_samples(), genes: store.n_genes() };
        Facts { stores: stores.iter().map(|store| (store.path().to_path_buf(), size(store))).collect() }
    }
}

impl Stage for Prepare {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn inputs(&self) -> Vec<Input> {
        let stores = self.stores.iter().map(|store| Input::new("store", store));
        let like = self.like.iter().map(|store| Input::new("like", store));
        stores.chain(like).chain(settings::inputs(&self.options).0).collect()
    }

    fn settings(&self) -> Value {
        settings_of(&self.options, self.taken, self.work.seed)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Store(self.out.clone())]
    }

    fn computes(&self) -> bool {
        self.options.dedup
    }

    fn check(&self) -> Result<()> {
        match (&self.like, self.stores.len()) {
            (Some(_), 1) if settings::inputs(&self.options) == settings::inputs(&Options::default()) => {
                Ok(())
            }
            (Some(_), 1) => Err(Error::Usage(
                "--like takes the steps of the store that it names, as they are; leave the other options out"
                    .into(),
            )),
            (Some(_), _) => Err(Error::Usage("--like prepares one store at a time".into())),
            (None, _) => self.options.steps(&self.work).map(|_| ()),
        }
    }

    fn claims(&self, force: bool) -> Result<Vec<atomic::Output<'static>>> {
        let stores: Vec<&Path> = self.stores.iter().map(PathBuf::as_path).collect();
        Ok(vec![match stores.len() {
            1 => atomic::Output::new(&self.out, Kind::Store, force),
            _ => atomic::Output::parts(&self.out, &names_together(&stores)?, force),
        }])
    }

    fn matches_by(&self) -> Option<&Match> {
        Some(&self.options.matching)
    }

    fn hands_on(&self) -> Option<PathBuf> {
        (self.taken == Taken::Before).then(|| self.out.clone())
    }

    fn cost(&self, size: &Size) -> Cost {
        let steps = self.options.steps(&self.work).map_or(0, |steps| self.taken.of(steps).len());
        Cost::rewriting(size.matrix(size.samples)).reading(steps as f64 * size.matrix(size.samples))
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let (force, report, out) = (bench.force, bench.report, &self.out);
        let stores = self.stores.iter().map(|path| Store::open(path)).collect::<Result<Vec<_>>>()?;
        let written = match (&self.like, &stores[..]) {
            (Some(like), [store, ..]) => vec![prepare_like(store, out, &Store::open(like)?, force, report)?],
            (None, [store]) => {
                vec![prepare(store, out, &self.taken.of(self.options.steps(&self.work)?), force, report)?]
            }
            (_, stores) => {
                let stores: Vec<&Store> = stores.iter().collect();
                let steps = self.taken.of(self.options.steps(&self.work)?);
                prepare_together(&stores, out, &steps, force, report)?
            }
        };
        Ok(facts(Facts::of(&written)))
    }
}

/// What decides what comes out: the steps, and the seed where one draws.
fn settings_of(options: &Options, taken: Taken, seed: u64) -> Value {
    let matching = options.matching.again();
    let said = settings::inputs(&Options { matching, ..options.clone() }).1;
    let seed = (options.dedup && taken != Taken::After).then_some(seed);
    json!({"steps": said, "seed": seed})
}

/// Fits the steps that learn on the training part, and applies them to the others.
pub struct Learn {
    /// The training part.
    pub train: PathBuf,
    /// The other parts.
    pub others: Vec<PathBuf>,
    /// The folder that all are written to, under their names.
    pub dir: PathBuf,
    /// All steps; those are taken that are fitted.
    pub options: Options,
    /// Where they compute.
    pub work: Work,
}

impl Learn {
    /// Where a part goes.
    pub fn out(&self, part: &Path) -> PathBuf {
        self.dir.join(part.file_name().unwrap_or(part.as_os_str()))
    }

    fn parts(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.train].into_iter().chain(&self.others)
    }
}

impl Stage for Learn {
    fn name(&self) -> String {
        "learn".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let parts = self.parts().map(|part| Input::new("part", part));
        parts.chain(settings::inputs(&self.options).0).collect()
    }

    fn settings(&self) -> Value {
        settings_of(&self.options, Taken::After, self.work.seed)
    }

    fn outputs(&self) -> Vec<Output> {
        self.parts().map(|part| Output::Store(self.out(part))).collect()
    }

    fn check(&self) -> Result<()> {
        self.options.steps(&self.work).map(|_| ())
    }

    fn hands_on(&self) -> Option<PathBuf> {
        Some(self.out(&self.train))
    }

    fn cost(&self, size: &Size) -> Cost {
        let steps = self.options.steps(&self.work).map_or(0, |steps| Taken::After.of(steps).len());
        Cost::rewriting(size.matrix(size.samples)).reading(steps as f64 * size.matrix(size.train))
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        std::fs::create_dir_all(&self.dir).map_err(Error::io(&self.dir, "creating"))?;
        let steps = Taken::After.of(self.options.steps(&self.work)?);
        let (force, report) = (bench.force, bench.report);
        let train = prepare(&Store::open(&self.train)?, &self.out(&self.train), &steps, force, report)?;
        let mut written = vec![train];
        for part in &self.others {
            let store = Store::open(part)?;
            written.push(prepare_like(&store, &self.out(part), &written[0], force, report)?);
        }
        Ok(facts(Facts::of(&written)))
    }
}
