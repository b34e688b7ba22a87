//! The table of stages: which ones a configuration has, in order, and where their files are.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::config::{Config, TestTable};
use super::stages::attribute::Attribute;
use super::stages::cluster::Cluster;
use super::stages::compare::{Compare, HoldOut};
use super::stages::consensus::Consensus;
use super::stages::enrich::Enrich;
use super::stages::evaluate::Evaluate;
use super::stages::fit::Fit;
use super::stages::how_many::Count;
use super::stages::import::Import;
use super::stages::prepare::{self, Learn, Prepare, Taken, Work};
use super::stages::report::Report;
use super::stages::reselect::Selection;
use super::stages::select::{self, Select};
use super::stages::split::Split;
use super::stages::stability::{Repeat, Stability};
use super::stages::train::Train;
use super::{Stage, stages};
use crate::error::{Error, Result};
use crate::infer::Method;
use crate::pipeline::choice::word;
use crate::prepare::split;
use crate::select::Strategy;

/// What makes the stages of one kind.
type Row = fn(&Layout) -> Vec<Box<dyn Stage>>;

/// The stages of a run, in order. A new one is a file in `stages/` and a row here.
const STAGES: [(&str, Row); 15] = [
    ("import", import),
    ("prepare", prepared),
    ("split", splitted),
    ("learn", learned),
    ("test", tests),
    ("train", train),
    ("evaluate", evaluate),
    ("attribute", attribute),
    ("select", selects),
    ("fit", fit),
    ("repeat", repeats),
    ("compare", compare),
    ("cluster", cluster),
    ("enrich", enrich),
    ("report", report),
];

/// The kinds of stages, as `--from` names them.
pub fn kinds() -> Vec<&'static str> {
    STAGES.iter().map(|(kind, _)| *kind).collect()
}

/// The place of a stage's kind among all.
pub fn kind_of(stage: &str) -> Option<usize> {
    let word = stage.split(' ').next().unwrap_or(stage);
    let word = if ["stability", "consensus"].contains(&word) { "repeat" } else { word };
    STAGES.iter().position(|(kind, _)| *kind == word)
}

/// The stages of a configuration.
///
/// # Errors
/// [`Error::Usage`] for settings that contradict each other.
pub fn flow(config: &Config) -> Result<Vec<Box<dyn Stage>>> {
    let layout = Layout { config };
    layout.check()?;
    let stages: Vec<Box<dyn Stage>> = STAGES.iter().flat_map(|(_, row)| row(&layout)).collect();
    stages.iter().try_for_each(|stage| stage.check().map_err(|error| named(&stage.name(), error)))?;
    Ok(stages)
}

/// Refuses a device that has not what the stages ask for.
///
/// # Errors
/// [`Error::Usage`] naming the first such stage.
pub fn check_device(stages: &[Box<dyn Stage>], device: &str) -> Result<()> {
    stages
        .iter()
        .try_for_each(|stage| stage.check_device(device).map_err(|error| named(&stage.name(), error)))
}

/// An error of settings with the stage that they are of.
fn named(stage: &str, error: Error) -> Error {
    match error {
        Error::Usage(message) => Error::Usage(format!("{stage}: {message}")),
        other => other,
    }
}

/// Where a run's files are.
pub struct Layout<'a> {
    /// What was asked for.
    pub config: &'a Config,
}

/// A list of landmarks.
pub struct List {
    /// As it is called in tables.
    pub name: String,
    /// How it is chosen.
    pub options: select::Options,
    /// Its file.
    pub path: PathBuf,
}

impl Layout<'_> {
    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.config.output.join(name)
    }

    fn data(&self) -> PathBuf {
        self.file("data.gex")
    }

    fn work(&self) -> Work {
        let Config { seed, device, threads, .. } = self.config;
        Work { seed: *seed, device: device.clone(), threads: *threads }
    }

    /// Whether there are steps of `prepare` to take, before or after the split.
    fn prepares(&self, taken: Taken) -> bool {
        self.config.prepare.steps(&self.work()).is_ok_and(|steps| !taken.of(steps).is_empty())
    }

    fn whole(&self) -> PathBuf {
        if self.prepares(Taken::Before) { self.file("prepared.gex") } else { self.data() }
    }

    /// A part of the samples as the later stages see it.
    fn part(&self, name: &str) -> PathBuf {
        let folder = if self.prepares(Taken::After) { "ready" } else { "split" };
        self.file(&format!("{folder}/{name}.gex"))
    }

    /// The training samples.
    pub fn train(&self) -> PathBuf {
        self.part("train")
    }

    /// The held-out samples.
    pub fn test(&self) -> PathBuf {
        self.part("test")
    }

    /// A further test matrix, as the comparison sees it.
    pub fn further(&self, name: &str, test: &TestTable) -> PathBuf {
        let ending = if self.steps_of(test) { "ready.gex" } else { "gex" };
        self.file(&format!("tests/{name}.{ending}"))
    }

    fn steps_of(&self, test: &TestTable) -> bool {
        test.prepare.steps(&self.work()).is_ok_and(|steps| !steps.is_empty())
    }

    /// How many genes the lists have after the first, and the repeats: as many as that.
    fn as_many(&self) -> Count {
        match self.config.select.options.until {
            Some(_) => Count::Like(self.file("landmarks.tsv")),
            None => Count::Said(self.config.select.n),
        }
    }

    fn model(&self) -> PathBuf {
        self.file("model.safetensors")
    }

    fn scores(&self) -> PathBuf {
        self.file("scores.tsv")
    }

    /// The lists: the one asked for, the ranking by the network's scores, and those that were named. With further test
    /// matrices they are chosen among genes that these measure too.
    pub fn lists(&self) -> Vec<List> {
        let Config { select, lists, train, tests, .. } = self.config;
        let strategy = select.options.strategy();
        let mut options = select.options.clone();
        if options.until.is_some() {
            options.group_by = options.group_by.or(self.config.split.group_by.clone());
        }
        let mut all = vec![List { name: word(strategy), options, path: self.file("landmarks.tsv") }];
        let mut add = |name: &str, options: select::Options| {
            all.push(List { name: name.into(), options, path: self.file(&format!("lists/{name}.tsv")) });
        };
        if train.is_some() && strategy != Strategy::Top && lists.iter().all(|(name, _)| name != "top") {
            let select::Options { include, exclude, measured_in, matching, .. } = select.options.clone();
            add(
                "top",
                select::Options {
                    strategy: Some(Strategy::Top),
                    include,
                    exclude,
                    measured_in,
                    matching: matching.again(),
                    ..Default::default()
                },
            );
        }
        lists.iter().for_each(|(name, options)| add(name, options.clone()));
        for list in &mut all {
            let stores = tests.iter().map(|(name, test)| self.further(name, test).display().to_string());
            list.options.measured_in.extend(stores);
        }
        all
    }

    /// The list that the repeats agree on, where there are any.
    pub fn consensus(&self) -> Option<PathBuf> {
        (self.config.stability.repeats.unwrap_or(0) > 1).then(|| self.file("lists/consensus.tsv"))
    }

    /// What is compared, as `NAME=LIST`.
    fn named_lists(&self) -> Vec<String> {
        let named = |name: &str, path: &Path| format!("{name}={}", path.display());
        let lists = self.lists();
        let consensus = self.consensus();
        let own = lists.iter().map(|list| named(&list.name, &list.path));
        own.chain(consensus.iter().map(|path| named("consensus", path))).collect()
    }

    fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::Usage(message));
        if self.config.output.as_os_str().is_empty() {
            return refuse("output: name the folder that everything is written to".into());
        }
        if prepare_is_said(&self.config.prepare) {
            self.config.prepare.steps(&self.work())?;
        }
        split::names(&self.config.split.fractions)?;
        let lists = self.lists();
        for (i, List { name, options, .. }) in lists.iter().enumerate() {
            if lists[..i].iter().any(|other| other.name == *name)
                || ["random", "l1000", "consensus"].contains(&name.as_str())
            {
                return refuse(format!(
                    "[lists.{name}]: a list of that name is there already; give it another"
                ));
            }
            if i > 0 && options.until.is_some() {
                return refuse(format!(
                    "[lists.{name}]: until belongs to [select]: the lists have as many genes as the run's own"
                ));
            }
            let needs = options.needs();
            if self.config.train.is_none() && (needs.scores || needs.model) {
                let strategy = word(options.strategy());
                return refuse(format!(
                    "train = false, but the list {name} (strategy {strategy}) needs the network"
                ));
            }
        }
        if let Some((name, _)) = self.config.tests.iter().find(|(name, _)| name == "train" || name == "test")
        {
            return refuse(format!("[tests.{name}]: the run has a store of that name; give it another"));
        }
        Ok(())
    }
}

/// Whether a table of steps says anything.
fn prepare_is_said(options: &prepare::Options) -> bool {
    super::settings::inputs(options) != super::settings::inputs(&prepare::Options::default())
}

fn one(stage: impl Stage + 'static) -> Vec<Box<dyn Stage>> {
    vec![Box::new(stage)]
}

fn import(run: &Layout) -> Vec<Box<dyn Stage>> {
    let table = &run.config.import;
    let (files, options) = (table.files.clone(), table.options.clone());
    one(Import { name: "import".into(), files, store: run.data(), options })
}

fn prepared(run: &Layout) -> Vec<Box<dyn Stage>> {
    if !run.prepares(Taken::Before) {
        return Vec::new();
    }
    one(Prepare {
        name: "prepare".into(),
        stores: vec![run.data()],
        out: run.whole(),
        like: None,
        options: run.config.prepare.clone(),
        taken: Taken::Before,
        work: run.work(),
    })
}

fn splitted(run: &Layout) -> Vec<Box<dyn Stage>> {
    let (store, dir) = (run.whole(), run.file("split"));
    one(Split { store, dir, options: run.config.split.clone(), seed: run.config.seed })
}

fn learned(run: &Layout) -> Vec<Box<dyn Stage>> {
    if !run.prepares(Taken::After) {
        return Vec::new();
    }
    let names = split::names(&run.config.split.fractions).unwrap_or_default();
    let part = |name: &&str| run.file(&format!("split/{name}.gex"));
    one(Learn {
        train: part(&"train"),
        others: names.iter().filter(|name| **name != "train").map(part).collect(),
        dir: run.file("ready"),
        options: run.config.prepare.clone(),
        work: run.work(),
    })
}

fn tests(run: &Layout) -> Vec<Box<dyn Stage>> {
    let mut stages: Vec<Box<dyn Stage>> = Vec::new();
    for (name, test) in &run.config.tests {
        let store = run.file(&format!("tests/{name}.gex"));
        let (files, options) = (test.import.files.clone(), test.import.options.clone());
        stages.push(Box::new(Import { name: format!("test {name}"), files, store: store.clone(), options }));
        if !run.steps_of(test) {
            continue;
        }
        let mut options = test.prepare.clone();
        for reference in [&mut options.match_genes, &mut options.map_quantiles_to].into_iter().flatten() {
            if reference == Path::new("train") {
                *reference = run.train();
            }
        }
        stages.push(Box::new(Prepare {
            name: format!("test {name}, prepared"),
            stores: vec![store],
            out: run.further(name, test),
            like: None,
            options,
            taken: Taken::All,
            work: run.work(),
        }));
    }
    stages
}

fn train(run: &Layout) -> Vec<Box<dyn Stage>> {
    let Some(mut options) = run.config.train.clone() else { return Vec::new() };
    // A validation part that the split made is used where no other is named.
    if run.config.split.fractions.len() == 3 && options.validation.is_none() {
        options.validation = Some(run.part("validation").display().to_string());
    }
    let (store, model, history) = (run.train(), run.model(), Some(run.file("history.tsv")));
    one(Train { store, model, history, init: None, options, seed: run.config.seed })
}

fn evaluate(run: &Layout) -> Vec<Box<dyn Stage>> {
    if run.config.train.is_none() {
        return Vec::new();
    }
    one(Evaluate { model: run.model(), store: run.test(), dir: run.file("evaluation") })
}

fn attribute(run: &Layout) -> Vec<Box<dyn Stage>> {
    if run.config.train.is_none() {
        return Vec::new();
    }
    one(Attribute {
        model: run.model(),
        store: run.train(),
        scores: run.scores(),
        per_node: None,
        options: run.config.attribute.clone(),
        seed: run.config.seed,
    })
}

fn selects(run: &Layout) -> Vec<Box<dyn Stage>> {
    let select = |(i, list): (usize, List)| -> Box<dyn Stage> {
        let name = if i == 0 { "select".into() } else { format!("select {}", list.name) };
        let files = [run.scores(), run.train(), run.model(), list.path];
        let n = if i == 0 { Count::Said(run.config.select.n) } else { run.as_many() };
        Box::new(Select::of(list.options, n, run.config.seed, files, &name))
    };
    run.lists().into_iter().enumerate().map(select).collect()
}

fn fit(run: &Layout) -> Vec<Box<dyn Stage>> {
    let Some(options) = run.config.fit.clone() else { return Vec::new() };
    let Config { seed, select, .. } = run.config;
    // how many `until` finds stands beside the list, as everything that chose it
    let known = select.n.filter(|_| select.options.until.is_none());
    let first = run.lists().into_iter().next();
    let selection = first.zip(known).map(|(list, n)| {
        let options = select::Options { matching: list.options.matching.again(), ..list.options };
        Selection { n, seed: *seed, options, until: false }
    });
    one(Fit {
        store: run.train(),
        landmarks: run.file("landmarks.tsv").display().to_string(),
        targets: None,
        predictor: run.file("predictor.safetensors"),
        matching: Default::default(),
        options,
        groups: run.config.split.group_by.clone(),
        method: Method::default(),
        selection,
        seed: run.config.seed,
    })
}

fn compare(run: &Layout) -> Vec<Box<dyn Stage>> {
    let Some(mut options) = run.config.compare.clone() else { return Vec::new() };
    let n = run.as_many();
    options.size.extend(n.said().filter(|n| !options.size.contains(n)));
    let like = n.input().map(|list| list.path);
    // The lists were chosen on the training part, of which no group can be held out any more.
    options.hold_out.get_or_insert(HoldOut::Split);
    let further = run.config.tests.iter().map(|(name, test)| run.further(name, test));
    one(Compare {
        trains: vec![run.train()],
        tests: [run.test()].into_iter().chain(further).collect(),
        landmarks: run.named_lists(),
        subsets: Vec::new(),
        l1000: true,
        groups: run.config.split.group_by.clone(),
        like,
        dir: run.file("comparison"),
        options,
        seed: run.config.seed,
    })
}

fn cluster(run: &Layout) -> Vec<Box<dyn Stage>> {
    let Some(mut options) = run.config.cluster.clone() else { return Vec::new() };
    // where groups are held out it is a study that clusters may have found
    options.study = options.study.or(run.config.split.group_by.clone());
    one(Cluster {
        store: run.test(),
        model: run.config.train.as_ref().map(|_| run.model()),
        landmarks: Some(run.file("landmarks.tsv")),
        dir: run.file("clusters"),
        options,
        seed: run.config.seed,
    })
}

fn enrich(run: &Layout) -> Vec<Box<dyn Stage>> {
    let Some(mut options) = run.config.enrich.clone() else { return Vec::new() };
    options.exclude.extend(run.config.select.options.exclude.iter().cloned());
    one(Enrich {
        landmarks: run.file("landmarks.tsv"),
        store: run.train(),
        table: run.file("enrichment.tsv"),
        options,
        seed: run.config.seed,
    })
}

fn repeats(run: &Layout) -> Vec<Box<dyn Stage>> {
    let Config { stability, train, attribute, seed, .. } = run.config;
    let mut options = run.lists().swap_remove(0).options.of_known_size();
    options.matching = options.matching.again();
    let (repeats, over) = (stability.repeats.unwrap_or(0), stability.over.unwrap_or_default());
    let group_by = stability.group_by.clone().or(run.config.split.group_by.clone());
    let repeat = |number: usize| Repeat {
        number,
        over,
        group_by: group_by.clone(),
        store: run.train(),
        dir: run.file(&format!("repeats/{number}")),
        n: run.as_many(),
        train: train.clone().unwrap_or_default(),
        attribute: attribute.clone(),
        select: options.clone(),
        seed: *seed,
    };
    let repeats: Vec<Repeat> = (1..=repeats).map(repeat).collect();
    let lists: Vec<PathBuf> = repeats.iter().map(Repeat::landmarks).collect();
    let mut stages: Vec<Box<dyn Stage>> =
        repeats.into_iter().map(|r| -> Box<dyn Stage> { Box::new(r) }).collect();
    if let Some(landmarks) = run.consensus() {
        stages.push(Box::new(Consensus {
            lists: lists.clone(),
            over,
            group_by: group_by.clone(),
            store: run.train(),
            landmarks,
            n: run.as_many(),
            select: options.clone(),
            seed: *seed,
        }));
    }
    if !lists.is_empty() {
        stages.push(Box::new(Stability {
            lists,
            own: run.file("landmarks.tsv"),
            over,
            select: options,
            store: run.train(),
            table: run.file("stability.tsv"),
            seed: *seed,
        }));
    }
    stages
}

/// The page tells of all other stages.
fn report(run: &Layout) -> Vec<Box<dyn Stage>> {
    if !run.config.report {
        return Vec::new();
    }
    let others = STAGES.iter().filter(|(kind, _)| *kind != stages::report::NAME);
    let others: Vec<Box<dyn Stage>> = others.flat_map(|(_, row)| row(run)).collect();
    let settings: serde_json::Map<String, Value> =
        others.iter().map(|stage| (stage.name(), stage.settings())).collect();
    one(Report {
        folder: run.config.output.clone(),
        page: run.file("report.html"),
        made: super::report::made_from(&others),
        told: json!({"config": run.config.said, "stages": settings}),
    })
}
