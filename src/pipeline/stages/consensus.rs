//! The repeats' lists → one list that they agree on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::how_many::Count;
use super::select;
use super::stability::{Over, ranked};
use crate::bench::work;
use crate::error::Result;
use crate::genes::Side;
use crate::genes::sidecar::{self, Input as Source, Made};
use crate::pipeline::choice::word;
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::bootstrap::draw;
use crate::progress::Event;
use crate::select::consensus::consensus;
use crate::select::stability::frequencies;
use crate::select::{Constraints, Picks, Strategy};
use crate::store::remembered::Remembered;
use crate::store::{Store, atomic};

/// Chooses the genes whose gain, pooled over the bootstrap samples, is largest; of strategies that have no gain to pool those that most
/// repeats chose.
pub struct Consensus {
    /// The repeats' lists.
    pub lists: Vec<PathBuf>,
    /// What the repeats changed.
    pub over: Over,
    /// The sample column whose groups are drawn whole.
    pub group_by: Option<String>,
    /// Training samples.
    pub store: PathBuf,
    /// The list to write.
    pub landmarks: PathBuf,
    /// How many landmarks.
    pub n: Count,
    /// How the repeats selected.
    pub select: select::Options,
    /// The run's seed.
    pub seed: u64,
}

/// What there is to tell of a consensus.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Whether gains were pooled; else repeats were counted.
    pub pooled: bool,
    /// Genes of the list.
    pub genes: usize,
}

/// Samples of a draw that are looked at, unless told otherwise: each draw has matrices of them squared.
const MOST_SAMPLES: usize = 1000;

impl Consensus {
    /// Whether the strategy has a gain to pool: `diverse` on the data, with a ridge.
    fn pools(&self) -> bool {
        let diverse = self.select.strategy() == Strategy::Diverse && self.select.diverse().ridge > 0.0;
        diverse && !self.select.needs().model && self.over == Over::Bootstrap
    }

    fn pooled(&self, n: usize, store: &Store, bench: &Workbench) -> Result<Picks> {
        let name = self.store.display().to_string();
        let side = Side::of_store(&name, store);
        let (include, exclude) = select::lists(&self.select, &side, bench.force, bench.report)?;
        let constraints = Constraints::new(store.genes(), n, &include, &exclude)?;
        let most = self.select.samples.unwrap_or(usize::MAX).max(2);
        let of = |number| draw(store, self.group_by.as_deref(), self.seed, number as u64);
        let mut draws = (1..=self.lists.len()).map(of).collect::<Result<Vec<Vec<usize>>>>()?;
        let count = |draws: &[Vec<usize>]| draws.iter().map(|draw| draw.len().min(most)).sum::<usize>();
        let of_repeats = count(&draws);
        draws
            .iter_mut()
            .for_each(|draw| *draw = spread(draw, self.select.samples.map_or(MOST_SAMPLES, |_| most)));
        let share = count(&draws) as f64 / of_repeats as f64;
        let mut settings = self.select.diverse();
        if share < 1.0 {
            (bench.report)(Event::Note(format!(
                "the consensus looks at {MOST_SAMPLES} samples of each bootstrap sample, the repeats at all of it"
            )));
        }
        // a ridge is in units of samples
        settings.ridge *= share;
        consensus(store, &draws, &settings, &constraints, bench.report)
    }

    /// The genes that most lists have, by their mean rank where as many do.
    fn counted(&self, n: usize, store: &Store, bench: &Workbench) -> Result<Picks> {
        let name = self.store.display().to_string();
        let side = Side::of_store(&name, store);
        let read = |list: &PathBuf| ranked(list, &side, bench.report);
        let lists = self.lists.iter().map(read).collect::<Result<Vec<Vec<usize>>>>()?;
        let mut picks = Picks::default();
        for gene in frequencies(&lists).into_iter().take(n) {
            picks.push(gene.gene, gene.chosen as f64 / lists.len() as f64);
        }
        Ok(picks)
    }
}

/// `most` of these samples, or all, evenly.
fn spread(samples: &[usize], most: usize) -> Vec<usize> {
    let n = samples.len().min(most);
    (0..n).map(|i| samples[i * samples.len() / n]).collect()
}

impl Stage for Consensus {
    fn name(&self) -> String {
        "consensus".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let lists = self.lists.iter().map(|list| Input::new("list", list));
        let store = [Input::new("store", &self.store)];
        store.into_iter().chain(lists).chain(self.n.input()).chain(settings::inputs(&self.select).0).collect()
    }

    fn settings(&self) -> Value {
        json!({
            "over": self.over, "group-by": self.group_by, "n": self.n.setting(), "seed": self.seed, "repeats": self.lists.len(),
            "strategy": word(self.select.strategy()), "select": settings::inputs(&self.select).1,
        })
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Table(self.landmarks.clone())]
    }

    fn claims(&self, force: bool) -> Result<Vec<atomic::Output<'static>>> {
        Ok(sidecar::outputs(&self.landmarks, force).into_iter().collect())
    }

    fn cost(&self, size: &Size) -> Cost {
        let n = self.n.said().unwrap_or(size.landmarks);
        let counted = Cost { disk: 60.0 * n as f64, ..Cost::default() };
        if !self.pools() {
            return counted;
        }
        // the greedy of the repeats on every draw at once, each with its values and its products
        let samples = self.select.samples.unwrap_or(MOST_SAMPLES).min(size.train);
        let (draws, steps) = (self.lists.len() as f64, n * (1 + 2 * self.select.diverse().exchange));
        let of_draw = work::greedy(samples, size.genes, steps);
        Cost {
            work: of_draw.map(|work| work.times(draws)).to_vec(),
            memory: draws * (size.matrix(samples) + 24.0 * (samples as f64).powi(2)),
            ..counted
        }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let store = Store::open(&self.store)?;
        let pooled = self.pools();
        let n = self.n.now(bench.report)?.unwrap_or(0);
        let picks = if pooled { self.pooled(n, &store, bench)? } else { self.counted(n, &store, bench)? };
        let table = picks.table(store.genes());
        let mut made_from = vec![Source::store(&store)];
        for list in &self.lists {
            made_from.extend(Source::regular(list, "list")?);
        }
        let samples = Remembered::all(&store);
        table.write(&self.landmarks, bench.force, Made { made_from, about: self.settings(), samples })?;
        Ok(facts(Facts { pooled, genes: table.genes.len() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_samples_as_may_be_are_looked_at() {
        assert_eq!(spread(&[3, 5, 5, 8], 4), [3, 5, 5, 8]);
        let drawn: Vec<usize> = (0..1050).collect();
        let some = spread(&drawn, MOST_SAMPLES);
        assert!(some.len() == MOST_SAMPLES && some.is_sorted_by(|a, b| a < b), "{}", some.len());
        assert_eq!(spread(&[], 5), [0; 0]);
    }

    /// Of genes that as many lists have, the one that stands first in them goes before, whatever the scores.
    #[test]
    fn lists_are_counted_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.gex");
        let store = crate::testing::random_store(&path, 6, 9);
        let lists: Vec<PathBuf> = (1..=2).map(|i| dir.path().join(format!("{i}.tsv"))).collect();
        for list in &lists {
            std::fs::write(list, "rank\tgene_id\tscore\n1\tg_7\t0.1\n2\tg_3\t0.9\n").unwrap();
        }
        let consensus = Consensus {
            lists,
            over: Over::Seeds,
            group_by: None,
            store: path,
            landmarks: PathBuf::new(),
            n: Count::Said(Some(1)),
            select: select::Options::default(),
            seed: 0,
        };
        let bench = Workbench::new("cpu", None, true, &crate::progress::silent).unwrap();
        assert_eq!(consensus.counted(1, &store, &bench).unwrap().genes, [6]);
    }

    /// Every draw is a selection of its own; lists that are counted take next to nothing.
    #[test]
    fn a_pooled_list_takes_as_much_as_its_draws() {
        let size =
            Size { samples: 3000, genes: 70, train: 2000, held_out: 1000, landmarks: 6, hidden: Vec::new() };
        let of = |draws: usize, over| {
            let consensus = Consensus {
                lists: vec![PathBuf::new(); draws],
                over,
                group_by: None,
                store: PathBuf::new(),
                landmarks: PathBuf::new(),
                n: Count::Said(Some(6)),
                select: select::Options::default(),
                seed: 0,
            };
            consensus.cost(&size)
        };
        let one = work::greedy(MOST_SAMPLES, 70, 6);
        assert_eq!(of(5, Over::Bootstrap).work, one.map(|work| work.times(5.0)));
        assert!(of(5, Over::Bootstrap).memory > 5.0 * size.matrix(MOST_SAMPLES));
        assert!(of(5, Over::Seeds).work.is_empty());
    }
}
