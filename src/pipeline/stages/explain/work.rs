//! What is told of a gene, a neuron or a list, from everything at hand.

use std::path::Path;

use super::told::{Tables, Told};
use super::{Explain, NEURON, OF_NEURON, SAMPLES};
use crate::enrich::{self, Collection, Settings, Universe};
use crate::error::{Error, Result};
use crate::explain::Neurons;
use crate::genes::{Side, shown};
use crate::infer::{Places, Predictor};
use crate::nn::model::Model;
use crate::pipeline::Workbench;
use crate::pipeline::stages::select;
use crate::progress::Event;
use crate::select::diverse::Aim;
use crate::select::moments::Moments;
use crate::select::{Constraints, StandIn, draw_samples, replacements};
use crate::store::Store;

/// Everything at hand.
pub(super) struct Work<'s> {
    pub(super) stage: &'s Explain,
    pub(super) store: Store,
    pub(super) test: Store,
    pub(super) landmarks: Vec<usize>,
    pub(super) predictor: Option<(Predictor, Places)>,
    /// Contributions, and the gene of the model that each gene of the store is.
    pub(super) neurons: Option<(Neurons, Vec<Option<usize>>, Vec<usize>)>,
    /// Of each landmark; none before they are asked for.
    pub(super) stand_ins: Vec<Vec<StandIn>>,
    pub(super) tables: Tables,
}

/// What stand-ins are weighed by: what the list was chosen by, as far as that is known.
struct Weighing {
    options: select::Options,
    seed: u64,
    /// Where the target has a share of its output.
    model: Option<Model>,
}

impl Weighing {
    fn of(stage: &Explain, bench: &Workbench) -> Result<Weighing> {
        let warn = |text: &str| (bench.report)(Event::Warning(text.into()));
        let chosen = stage.list().map(|list| select::weighed_by(&list)).transpose()?.flatten();
        let (mut options, seed) = chosen.unwrap_or_else(|| (select::Options::default(), stage.seed));
        if options.ridge == Some(0.0) {
            warn(
                "the list was chosen without a ridge, by which stand-ins are weighed; they are weighed by the default one",
            );
            options.ridge = None;
        }
        let mut model = None;
        match &stage.known.model {
            _ if !options.needs().model => {}
            Some(path) => model = Some(Model::load(path)?),
            None => {
                warn(
                    "the list was aimed at what a network makes of the data, and none is given (--model); stand-ins are weighed \
                     with the data as the target",
                );
                options.target = Some(Aim::Data);
            }
        }
        Ok(Weighing { options, seed, model })
    }
}

impl Work<'_> {
    pub(super) fn neuron(&self, number: &str) -> Result<usize> {
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

    pub(super) fn gene(&mut self, gene: usize, bench: &mut Workbench) -> Result<Told> {
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
        if let Some(place) = place {
            self.find_stand_ins(bench)?;
            self.tables.stand_ins(&self.store, gene, &self.stand_ins[place], &mut told);
        }
        Ok(told)
    }

    fn called(&self, gene: usize) -> String {
        shown(self.store.genes(), gene)
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

    /// Finds the stand-ins of all landmarks, in one piece of work, where they are not known.
    fn find_stand_ins(&mut self, bench: &mut Workbench) -> Result<()> {
        if !self.stand_ins.is_empty() {
            return Ok(());
        }
        let most = self.stage.options.most();
        let report = bench.report;
        let Weighing { options, seed, model } = Weighing::of(self.stage, bench)?;
        let store = &self.store;
        let left_out = self.stage.list().map(|list| select::left_out(&list)).transpose()?.unwrap_or_default();
        let may_not: Vec<usize> = (0..store.n_genes())
            .filter(|gene| left_out.contains(&store.genes().ids[*gene]) && !self.landmarks.contains(gene))
            .collect();
        let bound = Constraints::new(store.genes(), self.landmarks.len(), &[], &may_not)?;
        self.stand_ins = options.with_inputs((store, None), model.as_ref(), seed, |inputs| {
            replacements(inputs, (&self.landmarks, &bound), most, || bench.executor(), report)
        })?;
        Ok(())
    }

    pub(super) fn of_neuron(&mut self, neuron: usize, bench: &mut Workbench) -> Result<Told> {
        let mut told = Told::of(format!("neuron {}", neuron + 1));
        let Some((neurons, _, columns)) = &self.neurons else { return Ok(told) };
        let first = neurons.of_neuron(neuron, OF_NEURON);
        let most = self.stage.options.most();
        let shown = first.iter().take(most).map(|m| {
            let called = shown(self.store.genes(), columns[m.gene]);
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
        let means = universe.means(&Moments::of(&self.store, &samples)?.means);
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
    pub(super) fn panel(&mut self, bench: &mut Workbench) -> Result<Told> {
        let landmarks = self.landmarks.clone();
        let mut told = Told::of(format!("{} landmarks", landmarks.len()));
        self.find_stand_ins(bench)?;
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
            self.tables.landmark((&self.store, *gene, place), neuron, lost, &self.stand_ins[place]);
        }
        self.tables.say_landmarks(self.stage.options.most(), &mut told);
        Ok(told)
    }
}
