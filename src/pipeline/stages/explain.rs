//! Genes, a list of landmarks or neurons, and what was learned of them → what they do: the neurons that a gene moves, the inferred genes
//! that a landmark serves and its stand-ins, the landmarks that carry an inferred gene, the genes of a neuron.

mod told;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::told::Tables;
pub use self::told::Told;
use crate::attribution::AttributeSettings;
use crate::enrich::{self, BUNDLED, Collection, Settings, Universe};
use crate::error::{Error, Result};
use crate::explain::Neurons;
use crate::genes::sidecar::{Input as Source, Made};
use crate::genes::{Ambiguous, Finder, Matching, Side, shorten};
use crate::infer::{MissingLandmarks, Places, Predictor};
use crate::nn::feed::match_genes;
use crate::nn::model::Model;
use crate::pipeline::record::Record;
use crate::pipeline::settings::{self, Match};
use crate::pipeline::stages::select;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::progress::{Event, silent};
use crate::select::moments::Moments;
use crate::select::{StandIn, draw_samples, replacements};
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

/// Everything at hand.
struct Work<'s> {
    stage: &'s Explain,
    store: Store,
    test: Store,
    landmarks: Vec<usize>,
    predictor: Option<(Predictor, Places)>,
    /// Contributions, and the gene of the model that each gene of the store is.
    neurons: Option<(Neurons, Vec<Option<usize>>, Vec<usize>)>,
    tables: Tables,
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
        Ok(Work { stage: self, store, test, landmarks, predictor, neurons, tables: Tables::default() })
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

impl Work<'_> {
    fn neuron(&self, number: &str) -> Result<usize> {
        let Some((neurons, ..)) = &self.neurons else {
            return Err(Error::Usage(format!(
                "{NEURON}{number}: give --model, whose bottleneck it is in, or --run"
            )));
        };
        let n = neurons.len();
        let found = number.parse().ok().filter(|k| (1..=n).contains(k));
        found.map(|k: usize| k - 1).ok_or_else(|| {
            Error::Usage(format!(
                "{NEURON}{number}: the bottleneck has {n} neurons; name one, {NEURON}1 to {NEURON}{n}"
            ))
        })
    }

    fn gene(&mut self, gene: usize, bench: &mut Workbench) -> Result<Told> {
        let place = self.landmarks.iter().position(|landmark| *landmark == gene);
        let mut told = Told::of(self.called(gene));
        match place {
            Some(place) => told.say("is", format!("landmark {} of {}", place + 1, self.landmarks.len())),
            None if self.landmarks.is_empty() => {}
            None => told.say("is", format!("none of the {} landmarks", self.landmarks.len())),
        }
        self.moved(gene, &mut told);
        let id = self.test_row(gene);
        if let Some(landmark) = self.as_landmark(id) {
            self.served(gene, landmark, &mut told, bench)?;
        }
        if let Some(target) = self.as_target(id) {
            self.carried(gene, target, &mut told, bench)?;
        }
        if place.is_some() {
            let found = self.stand_ins(&[gene], bench)?;
            self.tables.stand_ins(&self.store, gene, &found[0], &mut told);
        }
        Ok(told)
    }

    fn called(&self, gene: usize) -> String {
        crate::genes::shown(self.store.genes(), gene)
    }

    /// The column of the test samples that a gene of the training samples is, by id.
    fn test_row(&self, gene: usize) -> Option<usize> {
        let id = &self.store.genes().ids[gene];
        self.test.genes().ids.iter().position(|other| other == id)
    }

    fn as_landmark(&self, row: Option<usize>) -> Option<usize> {
        let (_, places) = self.predictor.as_ref()?;
        places.landmarks.iter().position(|place| place.is_some() && *place == row)
    }

    fn as_target(&self, row: Option<usize>) -> Option<usize> {
        let (_, places) = self.predictor.as_ref()?;
        places.targets.iter().position(|place| place.is_some() && *place == row)
    }

    fn moved(&mut self, gene: usize, told: &mut Told) {
        let Some((neurons, of_store, columns)) = &self.neurons else { return };
        let Some(own) = of_store[gene] else { return told.say("network", "does not see it".into()) };
        let mut moves = neurons.of_gene(own);
        moves.truncate(self.stage.options.most());
        self.tables.moves(&self.store, columns, &moves);
        let text = moves.iter().map(|m| {
            let (share, genes) = (100.0 * m.share, columns.len());
            format!("{} {share:.2} % (place {} of {genes})", m.neuron + 1, m.rank)
        });
        told.say("moves neurons", text.collect::<Vec<_>>().join(", "));
    }

    /// At most so many test samples, drawn.
    fn samples(&self, bench: &Workbench) -> Vec<usize> {
        draw_samples(&self.test, SAMPLES, self.stage.seed, bench.report)
    }

    fn served(&mut self, gene: usize, landmark: usize, told: &mut Told, bench: &mut Workbench) -> Result<()> {
        let samples = self.samples(bench);
        let Some((predictor, places)) = &self.predictor else { return Ok(()) };
        let found = predictor.without_one(bench.executor()?, (&self.test, &samples), places, landmark)?;
        let targets: Vec<usize> = places.targets.iter().flatten().copied().collect();
        let (row, most) = (places.landmarks[landmark].unwrap_or_default(), self.stage.options.most());
        let here = (&self.test, row, &samples[..]);
        self.tables.served((&self.store, gene), here, (&targets, &found), most, told);
        Ok(())
    }

    fn carried(&mut self, gene: usize, target: usize, told: &mut Told, bench: &mut Workbench) -> Result<()> {
        let samples = self.samples(bench);
        let Some((predictor, places)) = &self.predictor else { return Ok(()) };
        let executor = bench.executor()?;
        let here = (&self.test, &samples[..]);
        let alone = predictor.of_targets(&[target]);
        let own = Places { landmarks: places.landmarks.clone(), targets: vec![places.targets[target]] };
        let r2 = alone.r2(executor, here, &own)?[0];
        let held_out = predictor.held_out().map(|held| held.r2[target]);
        let lost = predictor.carriers(executor, here, places, target)?;
        let text = held_out.map_or_else(String::new, |r2| format!("; {r2:.3} in training samples held out"));
        told.say("is inferred", format!("R² {r2:.3} in {}{text}", self.test.path().display()));
        let most = self.stage.options.most();
        self.tables.carriers((&self.store, gene), &self.test, &samples, places, &lost, most, told);
        Ok(())
    }

    fn stand_ins(&self, landmarks: &[usize], bench: &mut Workbench) -> Result<Vec<Vec<StandIn>>> {
        let most = self.stage.options.most();
        let report = bench.report;
        let store = &self.store;
        let found =
            select::Options::default().with_inputs((store, None), None, self.stage.seed, |inputs| {
                replacements(inputs, &self.landmarks, most, || bench.executor(), report)
            })?;
        let place = |gene: &usize| self.landmarks.iter().position(|landmark| landmark == gene);
        Ok(landmarks.iter().filter_map(|gene| found.get(place(gene)?).cloned()).collect())
    }

    fn of_neuron(&mut self, neuron: usize, bench: &mut Workbench) -> Result<Told> {
        let mut told = Told::of(format!("neuron {}", neuron + 1));
        let Some((neurons, _, columns)) = &self.neurons else { return Ok(told) };
        let first = neurons.of_neuron(neuron, OF_NEURON);
        let most = self.stage.options.most();
        let shown = first.iter().take(most).map(|m| {
            let called = crate::genes::shown(self.store.genes(), columns[m.gene]);
            format!("{called} {:.2} %", 100.0 * m.share)
        });
        told.say("is moved by", shown.collect::<Vec<_>>().join(", "));
        self.tables.moves(&self.store, columns, &first);
        let genes: Vec<usize> = first.iter().map(|m| columns[m.gene]).collect();
        let may: Vec<usize> = columns.clone();
        self.sets(neuron, &genes, &may, &mut told, bench)?;
        Ok(told)
    }

    /// The gene sets that a neuron's genes are in.
    fn sets(
        &mut self,
        neuron: usize,
        genes: &[usize],
        may: &[usize],
        told: &mut Told,
        bench: &Workbench,
    ) -> Result<()> {
        let name = self.store.path().display().to_string();
        let side = Side::of_store(&name, &self.store);
        let mut could = vec![false; side.genes.len()];
        may.iter().for_each(|gene| could[*gene] = true);
        let collections = Collection::open(Path::new(self.stage.options.collection()))?;
        let universe = match Universe::new(&side, |row| could[row], &collections, None) {
            Ok((universe, _)) => universe,
            // names of another kind: the genes are told all the same
            Err(Error::Data(message)) => {
                (bench.report)(Event::Warning(message));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut rows = genes.to_vec();
        rows.sort_unstable();
        let chosen = universe.genes(&rows);
        let samples: Vec<usize> = (0..self.store.n_samples()).collect();
        let means = universe.means(&Moments::of(&self.store, &samples).means);
        let settings = Settings { panels: 0, ..Settings::default() };
        let (tested, summary) = enrich::enrich(&universe, &chosen, &means, &settings);
        let beyond: Vec<&enrich::Tested> = tested.iter().filter(|set| set.upper[1] < enrich::LEVEL).collect();
        let first = beyond.iter().take(self.stage.options.most());
        let first: Vec<String> = first.map(|set| enrich::called(&universe.sets[set.set])).collect();
        let said = match beyond.len() {
            0 => {
                format!("of {} none has more than chance gives, adjusted p < {}", summary.sets, enrich::LEVEL)
            }
            n => format!("{n} of {} have more than chance gives: {}", summary.sets, first.join("; ")),
        };
        told.say("gene sets", format!("its {} first genes: {said}", genes.len()));
        self.tables.sets(neuron, &universe, &tested);
        Ok(())
    }

    /// One row for each landmark.
    fn panel(&mut self, bench: &mut Workbench) -> Result<Told> {
        let landmarks = self.landmarks.clone();
        let mut told = Told::of(format!("{} landmarks", landmarks.len()));
        let stand_ins = self.stand_ins(&landmarks, bench)?;
        (bench.report)(Event::Started {
            task: "what each landmark serves".into(),
            total: None,
            unit: "genes",
        });
        let served = match &self.predictor {
            Some((predictor, _)) => predictor.served(&self.test, 1)?,
            None => None,
        };
        (bench.report)(Event::Finished);
        for (place, gene) in landmarks.iter().enumerate() {
            let landmark = self.as_landmark(self.test_row(*gene));
            let lost = served.as_ref().zip(landmark).zip(self.predictor.as_ref());
            let lost = lost.map(|((served, landmark), (predictor, _))| {
                let best = served.most[landmark].first();
                (served.lost[landmark], best.map(|(target, r2)| (predictor.targets()[*target].clone(), *r2)))
            });
            let neuron = self
                .neurons
                .as_ref()
                .and_then(|(neurons, of_store, _)| neurons.of_gene(of_store[*gene]?).first().copied());
            let replaced = stand_ins.get(place).map_or(&[][..], Vec::as_slice);
            self.tables.landmark((&self.store, *gene, place), neuron, lost, replaced);
        }
        self.tables.say_landmarks(self.stage.options.most(), &mut told);
        Ok(told)
    }
}

impl Stage for Explain {
    fn name(&self) -> String {
        "explain".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let Known { store, test, landmarks, predictor, model } = &self.known;
        let list = self.list();
        let landmarks = list.as_ref().or(landmarks.as_ref());
        let own = [
            ("store", store.as_ref()),
            ("test", test.as_ref()),
            ("landmarks", landmarks),
            ("predictor", predictor.as_ref()),
            ("model", model.as_ref()),
        ];
        let own = own.into_iter().filter_map(|(role, path)| Some(Input::new(role, path?)));
        own.chain(settings::inputs(&self.options).0).collect()
    }

    fn settings(&self) -> Value {
        let matching = Match { unmatched: None, ..self.options.matching.clone() };
        let options = Options { matching, ..self.options.clone() };
        json!({"what": self.what, "options": settings::inputs(&options).1, "seed": self.seed})
    }

    fn outputs(&self) -> Vec<Output> {
        self.dir.iter().map(|dir| Output::Folder(dir.clone(), &FILES)).collect()
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
        for asked in self.asked(&work, bench)? {
            told.push(match asked {
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
            work.tables.write(dir, &made, bench.force)?;
        }
        Ok(facts(Facts { told }))
    }
}
