//! Landmark sets side by side on held-out samples.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::comparing;
pub use super::comparing::{Facts, PairFacts, SizeFacts, TestFacts};
use super::fit;
use super::how_many::Count;
use crate::bench::work;
use crate::compare::{FILES, ROUND, check_names};
use crate::error::{Error, Result};
use crate::genes::Multi;
use crate::infer::{FitSettings, Method};
use crate::memory::Need;
use crate::nn::settings::Precision;
use crate::pipeline::choice::choice;
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings::{self, Match};
use crate::pipeline::{Input, Output, Stage, Workbench};
use crate::store::Store;

/// Which samples are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldOut {
    /// Those of the test stores, once
    Split,
    /// Every group of the training and the test stores in turn, the predictors fitted on all others
    Groups,
}

/// What can be said about a comparison, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// The genes to infer: common (all that are in none of the sets), or a list [common]
    #[arg(long, value_name = "common|TSV")]
    pub targets: Option<String>,
    /// Use only the first N genes of each set, for lists whose order is a rank. Several sizes are compared one after the
    /// other over the same targets, the genes in none of the sets of any size, each into its own folder of DIR; the error against N
    /// is in curve.tsv, and how many genes of one set equal another in equals.tsv
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub size: Vec<usize>,
    /// Random sets of each size that a set has, as a baseline: every set is ranked among them [20; mlp: 5]
    #[arg(long, value_name = "N")]
    pub random_draws: Option<usize>,
    /// Resamples of the bootstrap: of samples for the intervals, of genes for the paper's [2000]
    #[arg(long, value_name = "N")]
    pub resamples: Option<usize>,
    /// Which gene a probe measures (probe, gene), to find targets that are a landmark's gene under another probe;
    /// symbol and entrez columns of the genes are used too
    #[arg(long, value_name = "TSV")]
    pub map: Option<PathBuf>,
    /// The map's column of genes, by name or number [gene_id, else symbol, Entrez id, Ensembl id, as the headers tell]
    #[arg(long, value_name = "NAME", requires = "map")]
    pub map_column: Option<String>,
    /// What a probe of the map is that names several genes (A /// B, or several rows): all and average take it for each of them
    /// [refuse]
    #[arg(long, value_parser = choice::<Multi>(), requires = "map")]
    pub multi: Option<Multi>,
    /// Leave such targets out
    #[arg(long)]
    pub drop_leaks: bool,
    /// What is held out: the test stores once, or every group of --group-by in the training and test stores in turn, with every
    /// predictor fitted on the others. In a list's name {round} then stands for the group, where a list was chosen without each
    /// [groups where --group-by has fewer than 10 groups in a test store, else split; in a run split: its lists know all training groups]
    #[arg(long, value_parser = choice::<HoldOut>())]
    pub hold_out: Option<HoldOut>,
    /// linear, kernel: enlarge each fit's penalty by what the test samples' landmarks tell of one another, as `fit --adapt-to` does: for tests of
    /// another platform than the training (docs/cross-platform.md)
    #[arg(long)]
    pub adapt: bool,
    /// A sample column that is the same for samples measured more than once: what their differences allow is told
    #[arg(long, value_name = "COLUMN")]
    pub replicates: Option<String>,
    /// How names are matched.
    #[command(flatten)]
    #[serde(flatten)]
    pub matching: Match,
    /// How targets are inferred.
    #[command(flatten)]
    #[serde(flatten)]
    pub fit: fit::Options,
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &["targets", "map", "adapt-to"];
}

/// Draws of random sets that stand beside every comparison, so that none better is p < 0.05.
const DRAWS: usize = 20;
/// Where a fit takes minutes.
const DRAWS_OF_MLP: usize = 5;
/// Resamples of a bootstrap interval.
pub const RESAMPLES: usize = 2000;

/// Without so many the ends of an interval lie anywhere.
const FEWEST_RESAMPLES: usize = 10;

/// Compares sets of landmarks.
#[derive(Clone)]
pub struct Compare {
    /// Training samples; several for as many splits, each with the test store at its place.
    pub trains: Vec<PathBuf>,
    /// Stores of other samples.
    pub tests: Vec<PathBuf>,
    /// `NAME=LIST`, lists whose order is a rank.
    pub landmarks: Vec<String>,
    /// `NAME=LIST`, lists whose order is none.
    pub subsets: Vec<String>,
    /// Whether the bundled panel of L1000 joins where its genes match.
    pub l1000: bool,
    /// The sample column whose groups the differences are taken over where the options name none.
    pub groups: Option<String>,
    /// A list whose length is one of the sizes.
    pub like: Option<PathBuf>,
    /// The folder to write.
    pub dir: PathBuf,
    /// How.
    pub options: Options,
    /// Of every random choice.
    pub seed: u64,
}

impl Compare {
    pub(super) fn lists(&self) -> Vec<(String, String)> {
        let named =
            |text: &String| text.split_once('=').map(|(name, list)| (name.to_string(), list.to_string()));
        let lists = self.landmarks.iter().chain(&self.subsets).filter_map(named);
        lists
            .flat_map(|(name, list)| self.sized(&list).into_iter().map(move |list| (name.clone(), list)))
            .collect()
    }

    /// A list's file of each size, where `{size}` stands in its name.
    pub(super) fn sized(&self, list: &str) -> Vec<String> {
        match self.options.size.is_empty() || !list.contains("{size}") {
            true => vec![list.to_string()],
            false => self.options.size.iter().map(|n| list.replace("{size}", &n.to_string())).collect(),
        }
    }

    pub(super) fn fitting(&self) -> Result<FitSettings> {
        if self.options.fit.held_out.is_some() {
            let message =
                "--held-out is an option of `fit`: a comparison measures on test samples; leave it out";
            return Err(Error::Usage(message.into()));
        }
        if self.options.fit.adapt_to.is_some() {
            let message =
                "--adapt-to is an option of `fit`: a comparison adapts to its test samples with --adapt";
            return Err(Error::Usage(message.into()));
        }
        let settings = self.options.fit.settings(Method::default(), self.seed)?;
        if self.options.adapt {
            fit::check_adapts(&settings, "--adapt")?;
        }
        Ok(settings)
    }

    /// The sample column whose groups the differences are taken over.
    pub(super) fn group_by(&self) -> Option<&str> {
        self.options.fit.group_by.as_deref().or(self.groups.as_deref())
    }

    /// Resamples of a bootstrap.
    pub(super) fn resamples(&self) -> usize {
        self.options.resamples.unwrap_or(RESAMPLES)
    }

    /// With the length of the list that gives a size among the sizes.
    fn sized_like(&self, bench: &Workbench) -> Result<Compare> {
        let mut sized = self.clone();
        let like = self.like.clone().map(|list| Count::Like(list).now(bench.report)).transpose()?;
        let new = like.flatten().filter(|n| !self.options.size.contains(n));
        sized.options.size.extend(new);
        Ok(sized)
    }

    /// Random sets of each size.
    pub(super) fn draws(&self) -> usize {
        let default = match self.options.fit.method {
            Some(Method::Mlp) => DRAWS_OF_MLP,
            _ => DRAWS,
        };
        self.options.random_draws.unwrap_or(default)
    }

    /// The list's files of all rounds.
    fn of_rounds(&self, list: &str) -> Vec<PathBuf> {
        let (folder, Some(name)) = (Path::new(list).parent(), Path::new(list).file_name()) else {
            return Vec::new();
        };
        let (before, after) = name.to_str().and_then(|name| name.split_once(ROUND)).unwrap_or_default();
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let of_list = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(of_list).collect();
        files.retain(|file| file.is_file());
        files.sort();
        files
    }
}

impl Stage for Compare {
    fn name(&self) -> String {
        "compare".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let mut inputs: Vec<Input> = self.trains.iter().map(|train| Input::new("train", train)).collect();
        inputs.extend(self.tests.iter().map(|test| Input::new("test", test)));
        let files = self.lists().into_iter().filter(|(_, list)| settings::is_file(list));
        inputs.extend(files.map(|(name, list)| Input::new(&format!("list {name}"), Path::new(&list))));
        let by_round = self.lists().into_iter().filter(|(_, list)| list.contains(ROUND));
        for (name, list) in by_round {
            let files = self.of_rounds(&list);
            inputs.extend(files.iter().map(|file| Input::new(&format!("list {name}"), file)));
        }
        inputs.extend(self.like.iter().map(|list| Input::new("list that gives a size", list)));
        inputs.extend(settings::inputs(&self.options).0);
        inputs
    }

    fn settings(&self) -> Value {
        let Options { matching, .. } = &self.options;
        let matching = matching.again();
        // the method's settings are told whole
        let options = Options { matching, fit: fit::Options::default(), ..self.options.clone() };
        let words = self.lists().into_iter().filter(|(_, list)| !settings::is_file(list));
        json!({
            "compare": settings::inputs(&options).1, "fit": self.fitting().ok(), "seed": self.seed,
            "l1000": self.l1000, "groups": self.groups, "like": self.like.is_some(), "lists": words.collect::<Vec<_>>(),
        })
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Folder(self.dir.clone(), &FILES)]
    }

    fn matches_by(&self) -> Option<&Match> {
        Some(&self.options.matching)
    }

    fn computes(&self) -> bool {
        true
    }

    fn precisions(&self) -> Vec<Precision> {
        self.fitting().iter().map(FitSettings::precision).collect()
    }

    fn check(&self) -> Result<()> {
        let sizes = &self.options.size;
        if let Some((_, twice)) = sizes.iter().enumerate().find(|(i, size)| sizes[..*i].contains(size)) {
            return Err(Error::Usage(format!("--size {twice} is given twice")));
        }
        self.check_names()?;
        let [trains, tests] = [self.trains.len(), self.tests.len()];
        if trains > 1 && trains != tests {
            return Err(Error::Usage(format!(
                "--train has {trains} stores and --test {tests}: each training store needs the test store of its split"
            )));
        }
        let groups = self.options.hold_out == Some(HoldOut::Groups);
        if groups && (trains > 1 || self.options.fit.group_by.is_none()) {
            return Err(Error::Usage(
                "--hold-out groups holds out every group of one training store and its test stores: give one --train, and --group-by"
                    .into(),
            ));
        }
        if self.resamples() < FEWEST_RESAMPLES {
            return Err(Error::Usage(format!(
                "--resamples {}: an interval of 95 % needs at least {FEWEST_RESAMPLES}",
                self.resamples()
            )));
        }
        self.fits_in_memory()?;
        self.fitting().map(|_| ())
    }

    fn check_counts(&self, size: &Size) -> Result<()> {
        self.fitting()?.check_samples(size.train)
    }

    fn check_data(&self, store: &Store) -> Result<()> {
        self.fitting()?.check_samples(store.n_samples())?;
        fit::check_groups(store, self.options.fit.group_by.as_deref())
    }

    fn cost(&self, size: &Size) -> Cost {
        let draws = self.draws();
        let sets = self.landmarks.len() + draws + if self.l1000 { draws } else { 0 };
        let one = fit::predictor_cost(&self.options.fit, Method::default(), size);
        let held_out = size.held_out * self.tests.len();
        let test = work::permutation(size.genes, held_out.max(1));
        let work = one.work.iter().copied().chain([test]).map(|work| work.times(sets as f64));
        let disk = 120.0 * (size.genes * sets) as f64;
        Cost { work: work.collect(), disk, memory: one.memory + size.matrix(held_out), ..one }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        comparing::compute(&self.sized_like(bench)?, bench)
    }
}

impl Compare {
    /// Refuses lists that are called as draws will be.
    fn check_names(&self) -> Result<()> {
        let mut pools = names(&self.subsets);
        pools.extend(self.l1000.then_some("l1000"));
        check_names(&names(&self.landmarks), &pools)
    }

    /// Refuses more resamples or draws than there is memory for.
    fn fits_in_memory(&self) -> Result<()> {
        let Options { size, .. } = &self.options;
        let (resamples, draws) = (self.resamples(), self.draws());
        Need::new()
            .with(
                format!("means of {resamples} resamples"),
                &[resamples, 2 * 8, rayon::current_num_threads()],
            )
            .with(format!("{draws} random draws"), &[draws, size.len().max(1), 1000])
            .check("the comparison", "lower --resamples or --random-draws, or allow more (--memory)")
    }
}

/// The names of `NAME=LIST`.
fn names(lists: &[String]) -> Vec<&str> {
    lists.iter().filter_map(|text| text.split_once('=')).map(|(name, _)| name).collect()
}
