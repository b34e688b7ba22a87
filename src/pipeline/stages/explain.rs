//! Genes, a list of landmarks or neurons, and what was learned of them → what they do: the neurons that a gene moves, the inferred genes
//! that a landmark serves and its stand-ins, the landmarks that carry an inferred gene, the genes of a neuron.

mod told;
mod work;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::told::Tables;
pub use self::told::Told;
use self::work::Work;
use crate::attribution::AttributeSettings;
use crate::enrich::BUNDLED;
use crate::error::{Error, Result};
use crate::explain::Neurons;
use crate::genes::sidecar::{Input as Source, Made};
use crate::genes::{Ambiguous, Finder, Matching, Side, shorten};
use crate::infer::{MissingLandmarks, Places, Predictor};
use crate::nn::feed::match_genes;
use crate::nn::model::Model;
use crate::pipeline::record::Record;
use crate::pipeline::settings::{self, Match};
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::progress::{Event, silent};
use crate::store::Store;

/// The files of the folder.
pub const FILES: [&str; 7] = [
    "landmarks.tsv",
    "neurons.tsv",
    "served.tsv",
    "stand_ins.tsv",
    "carriers.tsv",
    "sets.tsv",
    "explanation.json",
];
/// Samples that errors and contributions are taken over at most.
const SAMPLES: usize = 1_000;
/// Genes of a neuron that are looked up in gene sets.
const OF_NEURON: usize = 100;
/// How a neuron is named among genes.
const NEURON: &str = "neuron:";

/// What can be said about explanations.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// How many neurons, genes and stand-ins are told of each [10]
    #[arg(long, value_name = "N")]
    pub most: Option<usize>,
    /// Gene sets for the genes of a neuron: a GMT file, or go-mf, GO's molecular functions [go-mf]
    #[arg(long, value_name = "GMT")]
    pub collection: Option<String>,
    /// How names are matched.
    #[command(flatten)]
    #[serde(flatten)]
    pub matching: Match,
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &["collection"];
}

impl Options {
    fn most(&self) -> usize {
        self.most.unwrap_or(10)
    }

    fn collection(&self) -> &str {
        self.collection.as_deref().unwrap_or(BUNDLED)
    }
}

/// Where what is known of genes lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The training samples, for contributions and stand-ins.
    pub store: Option<PathBuf>,
    /// Samples that were held out, for what is inferred; the training samples where there are none.
    pub test: Option<PathBuf>,
    /// The landmarks.
    pub landmarks: Option<PathBuf>,
    /// The predictor that infers the others from them.
    pub predictor: Option<PathBuf>,
    /// The network.
    pub model: Option<PathBuf>,
}

impl Known {
    /// What a run's folder holds.
    ///
    /// # Errors
    /// [`Error::Input`] for a folder that is no run's.
    pub fn of_run(folder: &Path) -> Result<Known> {
        let record = Record::read(folder)?.ok_or_else(|| {
            Error::input(folder, "has no run.json; name the folder of a run, or give --store and the others")
        })?;
        let read = |stage: &str, role: &str| {
            let entry = record.stages.iter().find(|entry| entry.name == stage && entry.finished)?;
            let input = entry.inputs.iter().find(|input| input.role == role)?;
            Some(folder.join(&input.path))
        };
        let there = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        Ok(Known {
            store: read("select", "store").or_else(|| read("fit", "store")),
            test: read("evaluate", "store")
                .or_else(|| Some(read("fit", "store")?.with_file_name("test.gex")))
                .filter(|path| path.is_dir()),
            landmarks: there("landmarks.tsv"),
            predictor: there("predictor.safetensors"),
            model: there("model.safetensors"),
        })
    }
}

/// Explains genes, landmarks or neurons.
pub struct Explain {
    /// Names of genes, `neuron:K`, or a list of landmarks.
    pub what: Vec<String>,
    /// What is known.
    pub known: Known,
    /// The folder to write, if any.
    pub dir: Option<PathBuf>,
    /// How.
    pub options: Options,
    /// Of draws.
    pub seed: u64,
}

/// What there is to tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// Of each gene or neuron.
    pub told: Vec<Told>,
}

/// What was asked about, as positions.
enum Asked {
    /// A gene of the store.
    Gene(usize),
    /// A neuron, from 0.
    Neuron(usize),
    /// The list of landmarks.
    Landmarks,
}

/// Ids of the genes and numbers of the neurons (from 1) that are explained one by one.
fn named(store: &Store, asked: &[Asked]) -> Value {
    let gene = |asked: &Asked| match asked {
        Asked::Gene(gene) => Some(store.genes().ids[*gene].clone()),
        _ => None,
    };
    let neuron = |asked: &Asked| match asked {
        Asked::Neuron(neuron) => Some(neuron + 1),
        _ => None,
    };
    json!({
        "genes": asked.iter().filter_map(gene).collect::<Vec<String>>(),
        "neurons": asked.iter().filter_map(neuron).collect::<Vec<usize>>(),
    })
}

impl Explain {
    fn matching(&self) -> Matching {
        self.options.matching.matching()
    }

    /// What was asked about, in that order.
    fn asked(&self, work: &Work, bench: &Workbench) -> Result<Vec<Asked>> {
        let is_gene = |what: &&String| !what.starts_with(NEURON) && !Path::new(what).is_file();
        let names: Vec<String> = self.what.iter().filter(is_gene).cloned().collect();
        let genes = if names.is_empty() { HashMap::new() } else { self.genes(&names, work, bench)? };
        let mut asked = Vec::new();
        for what in &self.what {
            match what.strip_prefix(NEURON) {
                Some(number) => asked.push(Asked::Neuron(work.neuron(number)?)),
                None if Path::new(what).is_file() => asked.push(Asked::Landmarks),
                None => asked.extend(genes.get(what.trim()).into_iter().flatten().copied().map(Asked::Gene)),
            }
        }
        Ok(asked)
    }

    /// The genes of the store that each name is.
    fn genes(&self, names: &[String], work: &Work, bench: &Workbench) -> Result<HashMap<String, Vec<usize>>> {
        let matching = self.matching();
        let finder = Finder::new(&matching, bench.force, &silent)?;
        let name = work.store.path().display().to_string();
        let found = finder.names(names, &Side::of_store(&name, &work.store), Some(Ambiguous::All))?;
        let lacking = found.genes.iter().filter(|(_, rows)| rows.is_empty());
        let missing: Vec<String> = lacking.map(|(name, _)| name.clone()).collect();
        match missing.is_empty() {
            true => Ok(found.genes.into_iter().collect()),
            false => Err(Error::Usage(format!(
                "{}: neither a gene among the {} of {name}, nor a file, nor {NEURON}NUMBER",
                shorten(missing.into_iter()),
                work.store.n_genes()
            ))),
        }
    }

    /// The list that was named as what to explain, or the one that is known.
    fn list(&self) -> Option<PathBuf> {
        let named = self.what.iter().map(PathBuf::from).find(|path| path.is_file());
        named.or_else(|| self.known.landmarks.clone())
    }

    fn training(&self) -> Result<&Path> {
        self.known.store.as_deref().ok_or_else(|| {
            Error::Usage("give --store, the training samples, or --run, the folder of a run".into())
        })
    }

    fn open(&self, bench: &mut Workbench) -> Result<Work<'_>> {
        let store = Store::open(self.training()?)?;
        let test = match &self.known.test {
            Some(path) => Store::open(path)?,
            None => Store::open(self.training()?)?,
        };
        let matching = self.matching();
        let finder = Finder::new(&matching, bench.force, &silent)?;
        let name = store.path().display().to_string();
        let side = Side::of_store(&name, &store);
        let list = |path: PathBuf| finder.list(&path.display().to_string(), &side, Some(Ambiguous::All));
        let landmarks = self.list().map(list).transpose()?.map(|found| found.ranked).unwrap_or_default();
        let predictor = self.known.predictor.as_deref().map(|path| self.predictor(path, &test, bench));
        let predictor = predictor.transpose()?;
        let neurons = self.known.model.as_deref().map(|path| self.neurons(path, &store, bench));
        let neurons = neurons.transpose()?;
        Ok(Work {
            stage: self,
            store,
            test,
            landmarks,
            predictor,
            neurons,
            stand_ins: Vec::new(),
            tables: Tables::default(),
        })
    }

    /// The predictor of what the samples have measured.
    fn predictor(&self, path: &Path, test: &Store, bench: &Workbench) -> Result<(Predictor, Places)> {
        let predictor = Predictor::open(path, bench.report)?;
        let matching = self.matching();
        let finder = Finder::new(&matching, bench.force, &silent)?;
        let places = predictor.places(test, MissingLandmarks::Mean, &finder, bench.report)?;
        let measured: Vec<usize> =
            (0..places.targets.len()).filter(|t| places.targets[*t].is_some()).collect();
        if measured.is_empty() {
            let message = "measures none of the genes that the predictor infers";
            return Err(Error::input(test.path(), message));
        }
        if measured.len() == places.targets.len() {
            return Ok((predictor, places));
        }
        (bench.report)(Event::Note(format!(
            "{} of {} inferred genes are measured in {}",
            measured.len(),
            places.targets.len(),
            test.path().display()
        )));
        let targets = measured.iter().map(|t| places.targets[*t]).collect();
        Ok((predictor.of_targets(&measured), Places { landmarks: places.landmarks, targets }))
    }

    fn neurons(
        &self,
        path: &Path,
        store: &Store,
        bench: &mut Workbench,
    ) -> Result<(Neurons, Vec<Option<usize>>, Vec<usize>)> {
        let model = Model::open(path, bench.report)?;
        let settings = AttributeSettings {
            samples: Some(SAMPLES.min(store.n_samples())),
            seed: self.seed,
            ..AttributeSettings::standard()
        };
        let report = bench.report;
        let neurons = Neurons::of(bench.executor()?, &model, store, &settings, report)?;
        let columns = match_genes(store, &model.genes)?;
        let columns = columns.unwrap_or_else(|| (0..model.genes.len()).collect());
        let mut of_store = vec![None; store.n_genes()];
        columns.iter().enumerate().for_each(|(gene, column)| of_store[*column] = Some(gene));
        Ok((neurons, of_store, columns))
    }
}

impl Stage for Explain {
    fn name(&self) -> String {
        "explain".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let Known { store, test, predictor, model, .. } = &self.known;
        let list = self.list();
        let own = [
            ("store", store.as_ref()),
            ("test", test.as_ref()),
            ("landmarks", list.as_ref()),
            ("predictor", predictor.as_ref()),
            ("model", model.as_ref()),
        ];
        let own = own.into_iter().filter_map(|(role, path)| Some(Input::new(role, path?)));
        own.chain(settings::inputs(&self.options).0).collect()
    }

    fn settings(&self) -> Value {
        let matching = self.options.matching.again();
        let options = Options { matching, ..self.options.clone() };
        json!({"what": self.what, "options": settings::inputs(&options).1, "seed": self.seed})
    }

    fn outputs(&self) -> Vec<Output> {
        self.dir.iter().map(|dir| Output::Folder(dir.clone(), &FILES)).collect()
    }

    fn matches_by(&self) -> Option<&Match> {
        Some(&self.options.matching)
    }

    fn computes(&self) -> bool {
        self.known.model.is_some() || self.known.predictor.is_some()
    }

    fn check(&self) -> Result<()> {
        if self.options.most == Some(0) {
            return Err(Error::Usage("--most 0: at least one is told".into()));
        }
        if self.known.model.is_none() && self.known.predictor.is_none() && self.list().is_none() {
            return Err(Error::Usage(
                "nothing is known to explain by: give --run, or a --model, --predictor or --landmarks".into(),
            ));
        }
        self.training().map(|_| ())
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let mut work = self.open(bench)?;
        let mut told = Vec::new();
        let asked = self.asked(&work, bench)?;
        for asked in &asked {
            told.push(match *asked {
                Asked::Gene(gene) => work.gene(gene, bench)?,
                Asked::Neuron(neuron) => work.of_neuron(neuron, bench)?,
                Asked::Landmarks => work.panel(bench)?,
            });
        }
        if let Some(dir) = &self.dir {
            let mut made_from = vec![Source::store(&work.store), Source::store(&work.test)];
            let Known { predictor, model, .. } = &self.known;
            for (path, kind) in [(model, "model"), (predictor, "predictor"), (&self.list(), "landmarks")] {
                made_from
                    .extend(path.as_ref().map(|path| Source::regular(path, kind)).transpose()?.flatten());
            }
            let made = Made { made_from, about: self.settings(), ..Made::default() };
            work.tables.write(dir, &made, named(&work.store, &asked), bench.force)?;
        }
        Ok(facts(Facts { told }))
    }
}
