//! The selection again and again, with other seeds or on bootstrap samples: would the list come out once more?

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::attribute::{self, Attribute};
use super::how_many::Count;
use super::select::{self, Select};
use super::train::{self, Train, remove};
use crate::error::{Error, Result};
use crate::evaluate::optional;
use crate::genes::writer::write_rows;
use crate::genes::{Ambiguous, GeneList, Names, Side, Table};
use crate::nn::settings::Precision;
use crate::pipeline::choice::{choice, word};
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::bootstrap::bootstrap;
use crate::progress::{Event, Reporter};
use crate::select::copies::Copies;
use crate::select::stability::{Free, Frequency, Nogueira, Overlap, frequencies};
use crate::store::Store;
use crate::store::atomic;

/// What a repeat changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// The training samples: as many, drawn with replacement, or as many groups.
    #[default]
    Bootstrap,
    /// The seed: repeat r takes the run's plus r. Strategies that draw nothing from it always come out the same.
    Seeds,
}

/// What can be said about repeats of the selection.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// How often the selection is repeated, each time from training on where the strategy needs a network [0]. From two on lists/consensus.tsv is one list of
    /// them all: by the gain pooled over the bootstrap samples (`diverse`; of 1,000 samples of each, or [select] samples), else by how many chose a gene
    #[arg(long, value_name = "N")]
    pub repeats: Option<usize>,
    /// What a repeat changes: the training samples, drawn anew with replacement, or the seed [bootstrap]
    #[arg(long, value_parser = choice::<Over>())]
    pub over: Option<Over>,
    /// A sample column, such as the study, whose groups are drawn whole [split.group-by]
    #[arg(long, value_name = "COLUMN")]
    pub group_by: Option<String>,
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &[];
}

/// Trains, attributes and selects once more, as far as the strategy needs a network.
pub struct Repeat {
    /// From 1.
    pub number: usize,
    /// What it changes.
    pub over: Over,
    /// The sample column whose groups are drawn whole.
    pub group_by: Option<String>,
    /// Training samples.
    pub store: PathBuf,
    /// The folder of its files.
    pub dir: PathBuf,
    /// How many landmarks.
    pub n: Count,
    /// How to train.
    pub train: train::Options,
    /// How to attribute.
    pub attribute: attribute::Options,
    /// How to select.
    pub select: select::Options,
    /// The run's seed.
    pub seed: u64,
}

impl Repeat {
    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The repeat's own list.
    pub fn landmarks(&self) -> PathBuf {
        self.file("landmarks.tsv")
    }

    fn seed(&self) -> u64 {
        match self.over {
            Over::Seeds => self.seed.wrapping_add(self.number as u64),
            Over::Bootstrap => self.seed,
        }
    }

    fn samples(&self) -> PathBuf {
        match self.over {
            Over::Seeds => self.store.clone(),
            Over::Bootstrap => self.file("train.gex"),
        }
    }

    /// Whether a network is trained.
    fn trains(&self) -> bool {
        let needs = self.select.needs();
        needs.scores || needs.model
    }

    fn train(&self) -> Train {
        let mut options = self.train.clone();
        // A fraction that is held out is held out here too; a store would only be looked at.
        options.validation = options.validation.filter(|validation| validation.parse::<f64>().is_ok());
        let (store, model) = (self.samples(), self.file("model.safetensors"));
        Train { store, model, history: None, init: None, options, seed: self.seed() }
    }

    fn attribute(&self) -> Attribute {
        Attribute {
            model: self.file("model.safetensors"),
            store: self.samples(),
            scores: self.file("scores.tsv"),
            per_node: None,
            options: self.attribute.clone(),
            seed: self.seed(),
        }
    }

    fn select(&self) -> Select {
        let [scores, model] = ["scores.tsv", "model.safetensors"].map(|name| self.file(name));
        let files = [scores, self.samples(), model, self.landmarks()];
        Select::of(self.select.clone(), self.n.clone(), self.seed(), files, "select")
    }
}

impl Stage for Repeat {
    fn name(&self) -> String {
        format!("repeat {}", self.number)
    }

    fn inputs(&self) -> Vec<Input> {
        let mut inputs = vec![Input::new("store", &self.store)];
        inputs.extend(self.n.input());
        inputs.extend(settings::inputs(&self.select).0);
        // a repeat's training names no files
        if self.select.needs().scores {
            inputs.extend(settings::inputs(&self.attribute).0);
        }
        inputs
    }

    fn settings(&self) -> Value {
        let scores = self.select.needs().scores;
        json!({
            "over": self.over,
            "group-by": self.group_by,
            "train": self.trains().then(|| self.train().settings()),
            "attribute": scores.then(|| self.attribute().settings()),
            "select": self.select().settings(),
        })
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Table(self.landmarks())]
    }

    fn precisions(&self) -> Vec<Precision> {
        let trains = self.trains().then(|| self.train().precisions());
        let scores = self.select.needs().scores.then(|| self.attribute().precisions());
        trains.into_iter().chain(scores).flatten().collect()
    }

    fn computes(&self) -> bool {
        true
    }

    fn claims(&self, _: bool) -> Result<Vec<atomic::Output<'static>>> {
        Ok(self.outputs().iter().flat_map(|output| output.claims(true)).collect()) // its folder is its own
    }

    fn cost(&self, size: &Size) -> Cost {
        // the samples that were drawn and the network do not stay
        let removed = |cost: Cost| Cost { disk: 0.0, ..cost };
        let mut cost = self.select().cost(size);
        if self.over == Over::Bootstrap {
            cost = cost.then(removed(Cost::rewriting(size.matrix(size.train))));
        }
        if self.trains() {
            cost = cost.then(removed(self.train().cost(size)));
        }
        if self.select.needs().scores {
            cost = cost.then(self.attribute().cost(size));
        }
        cost
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        std::fs::create_dir_all(&self.dir).map_err(Error::io(&self.dir, "creating"))?;
        if self.over == Over::Bootstrap {
            let store = Store::open(&self.store)?;
            let draw = (self.seed(), self.number as u64);
            bootstrap(&store, &self.samples(), self.group_by.as_deref(), draw, true)?;
        }
        if self.trains() {
            self.train().compute(bench)?;
        }
        if self.select.needs().scores {
            self.attribute().compute(bench)?;
        }
        let told = self.select().compute(bench)?;
        // What can be made again is not kept.
        for large in ["train.gex", "model.safetensors"] {
            remove(&self.file(large), "removing")?;
        }
        Ok(told)
    }
}

/// How much the repeats' lists agree.
pub struct Stability {
    /// The lists.
    pub lists: Vec<PathBuf>,
    /// The run's own list.
    pub own: PathBuf,
    /// What the repeats changed.
    pub over: Over,
    /// How the lists are chosen: genes that had to be in them, or could not be, say nothing.
    pub select: select::Options,
    /// The training samples, for the genes' names and near copies.
    pub store: PathBuf,
    /// The table to write.
    pub table: PathBuf,
    /// The run's seed.
    pub seed: u64,
}

/// What there is to tell of repeats.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// How many there were.
    pub repeats: usize,
    /// What they changed.
    pub over: Over,
    /// Genes of a list that were free to be chosen.
    pub free: usize,
    /// Kuncheva's index of these.
    pub kuncheva: Overlap,
    /// The measure of Nogueira, Sechidis and Brown.
    pub nogueira: Option<Nogueira>,
    /// The same question with near copies for one gene.
    pub with_copies: Option<f64>,
    /// Genes that every list has.
    pub always_chosen: usize,
    /// Genes that a list has.
    pub ever_chosen: usize,
}

impl Facts {
    /// What was varied, in a word.
    pub fn over(&self) -> String {
        word(self.over)
    }
}

/// Pairs of random lists that what chance gives is taken over: fewer for long lists, whose overlap varies little.
fn draws(n: usize) -> usize {
    (4_000_000 / (n * n).max(1)).clamp(30, 1000)
}

impl Stage for Stability {
    fn name(&self) -> String {
        "stability".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let lists = self.lists.iter().map(|list| Input::new("list", list));
        let own = [Input::new("store", &self.store), Input::new("own list", &self.own)];
        own.into_iter().chain(lists).chain(settings::inputs(&self.select).0).collect()
    }

    fn settings(&self) -> Value {
        json!({"over": self.over, "select": settings::inputs(&self.select).1, "seed": self.seed})
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::File(self.table.clone())]
    }

    fn check(&self) -> Result<()> {
        match self.lists.len() {
            1 => Err(Error::Usage("--repeats 1: lists are compared in pairs; give at least 2, or 0".into())),
            _ => Ok(()),
        }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let store = Store::open(&self.store)?;
        let name = self.store.display().to_string();
        let side = Side::of_store(&name, &store);
        let read = |list: &PathBuf| ranked(list, &side, bench.report);
        let lists = self.lists.iter().map(read).collect::<Result<Vec<Vec<usize>>>>()?;
        let own = read(&self.own)?;
        let (forced, forbidden) = select::lists(&self.select, &side, bench.force, bench.report)?;
        let free = Free::of(&lists, store.n_genes(), &forced, &forbidden)?;
        let copies = Copies::of_store(&store, self.seed);
        let (found, repeats) = (frequencies(&lists), lists.len());
        let rows = Chosen { found: &found, lists: &lists, own: &own, copies: &copies };
        write_table(&self.table, store.genes(), &rows, bench.force)?;
        let (of_list, chosen) = (free.lists[0].len(), frequencies(&free.lists));
        Ok(facts(Facts {
            repeats,
            over: self.over,
            free: of_list,
            kuncheva: free.kuncheva(),
            nogueira: free.nogueira(),
            with_copies: free.with_copies(&copies, draws(of_list), self.seed),
            always_chosen: chosen.iter().filter(|f| f.chosen == repeats).count(),
            ever_chosen: chosen.len(),
        }))
    }
}

/// The genes of a list that was chosen from a store, in its order, which is not that of its scores: genes that had to be in it stand first.
pub(super) fn ranked(list: &Path, genes: &Side, report: Reporter) -> Result<Vec<usize>> {
    let list = GeneList::open(list)?;
    list.notes.iter().for_each(|note| report(Event::Note(note.clone())));
    Ok(list.find(genes, None, Ambiguous::default()).0?.ranked)
}

/// What the table is made of.
struct Chosen<'a> {
    found: &'a [Frequency],
    lists: &'a [Vec<usize>],
    own: &'a [usize],
    copies: &'a Copies,
}

impl Chosen<'_> {
    /// Share of the lists that have the gene, or a near copy of it.
    fn share_with_copies(&self, gene: usize) -> f64 {
        let has =
            |list: &&Vec<usize>| list.iter().any(|other| *other == gene || self.copies.alike(gene, *other));
        self.lists.iter().filter(has).count() as f64 / self.lists.len() as f64
    }
}

/// Writes how often each gene was chosen, most often first, with its rank in the run's own list; then the genes of that list that no
/// repeat chose.
fn write_table(path: &Path, genes: &Table, chosen: &Chosen, force: bool) -> Result<()> {
    let names = Names::of(genes);
    let repeats = chosen.lists.len() as f64;
    let never = chosen.own.iter().filter(|gene| chosen.found.iter().all(|f| f.gene != **gene));
    let never = never.map(|gene| Frequency { gene: *gene, chosen: 0, mean_rank: f64::NAN });
    let rows = chosen.found.iter().cloned().chain(never).map(|f| {
        let rank = chosen.own.iter().position(|gene| *gene == f.gene).map(|i| i + 1);
        let mean_rank = Some(f.mean_rank).filter(|rank| rank.is_finite());
        let figures = [(f.chosen as f64 / repeats), chosen.share_with_copies(f.gene)].map(|x| x.to_string());
        let own =
            [optional(rank), f.chosen.to_string()].into_iter().chain(figures).chain([optional(mean_rank)]);
        names.fields(f.gene).chain(own).collect::<Vec<String>>()
    });
    let own = ["rank_in_list", "chosen", "share", "share_with_copies", "mean_rank"];
    write_rows(path, force, names.header().chain(own.map(String::from)), rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Reference;
    use crate::progress::silent;
    use crate::select::Strategy;
    use crate::testing::random_store;

    fn repeat(dir: &Path, number: usize, over: Over, strategy: Strategy) -> Repeat {
        let select = select::Options { strategy: Some(strategy), ..select::Options::default() };
        Repeat {
            number,
            over,
            group_by: None,
            store: dir.join("x.gex"),
            dir: dir.join(number.to_string()),
            n: Count::Said(Some(6)),
            train: train::Options::default(),
            attribute: attribute::Options::default(),
            select,
            seed: 40,
        }
    }

    /// Of random draws by seed and of the highest variance in a bootstrap draw: no two lists are alike, nor like the run's own.
    #[test]
    fn every_repeat_draws_anew() {
        let dir = tempfile::tempdir().unwrap();
        random_store(&dir.path().join("x.gex"), 30, 40);
        for (over, strategy) in [(Over::Seeds, Strategy::Random), (Over::Bootstrap, Strategy::Variance)] {
            let mut bench = Workbench::new("cpu", None, true, &silent).unwrap();
            let mut lists: Vec<String> = Vec::new();
            for number in 1..=3 {
                let repeat = repeat(dir.path(), number, over, strategy);
                repeat.compute(&mut bench).unwrap();
                lists.push(std::fs::read_to_string(repeat.landmarks()).unwrap());
            }
            assert!(lists[0] != lists[1] && lists[1] != lists[2] && lists[0] != lists[2], "{over:?}");
        }
    }

    /// As of genes that had to be in a list: they stand first, whatever their scores.
    #[test]
    fn ranks_are_those_of_the_lists_not_of_their_scores() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        random_store(&at("x.gex"), 30, 40);
        let list = |name: &str, genes: [&str; 3]| {
            let rows = genes.iter().zip(1..).map(|(gene, rank)| format!("{rank}\t{gene}\t{rank}.5\n"));
            std::fs::write(at(name), format!("rank\tgene_id\tscore\n{}", rows.collect::<String>())).unwrap();
            at(name)
        };
        let own = list("own.tsv", ["g_7", "g_3", "g_5"]);
        let lists = vec![list("1.tsv", ["g_7", "g_5", "g_3"]), list("2.tsv", ["g_7", "g_3", "g_9"])];
        let select = select::Options::default();
        let (store, table) = (at("x.gex"), at("stability.tsv"));
        let stage = Stability { lists, own, over: Over::Seeds, select, store, table, seed: 1 };
        stage.compute(&mut Workbench::new("cpu", None, true, &silent).unwrap()).unwrap();
        let written = std::fs::read_to_string(&stage.table).unwrap();
        let rows: Vec<Vec<&str>> = written.lines().map(|line| line.split('\t').collect()).collect();
        let column = |name: &str| rows[0].iter().position(|header| *header == name).unwrap();
        let of = |gene: &str| {
            let row = rows.iter().find(|row| row[column("gene_id")] == gene).unwrap();
            ["rank_in_list", "chosen", "mean_rank"].map(|name| row[column(name)])
        };
        assert_eq!(of("g_7"), ["1", "2", "1"]);
        assert_eq!(of("g_3"), ["2", "2", "2.5"]);
        assert_eq!(of("g_5"), ["3", "1", "2"]);
    }

    #[test]
    fn a_repeats_seed_goes_to_all_that_it_does() {
        let seeds = |number, over| {
            let repeat = repeat(Path::new("."), number, over, Strategy::Top);
            [repeat.train().seed, repeat.attribute().seed, repeat.select().seed]
        };
        assert_eq!(seeds(1, Over::Seeds), [41; 3]);
        assert_eq!(seeds(2, Over::Seeds), [42; 3]);
        assert_eq!(seeds(2, Over::Bootstrap), [40; 3]);
    }

    /// The content of a reference decides scores, and so the list; a strategy that looks at no scores has none.
    #[test]
    fn a_repeat_is_made_from_the_reference_of_its_scores() {
        let roles = |strategy| {
            let mut repeat = repeat(Path::new("."), 1, Over::Seeds, strategy);
            repeat.attribute.reference = Some(Reference::Store("healthy.gex".into()));
            repeat.inputs().into_iter().map(|input| input.role).collect::<Vec<String>>()
        };
        assert_eq!(roles(Strategy::Top), ["store", "reference"]);
        assert_eq!(roles(Strategy::Variance), ["store"]);
    }

    #[test]
    fn a_repeat_takes_what_all_that_it_does_takes() {
        let size =
            Size { samples: 900, genes: 70, train: 700, held_out: 200, landmarks: 6, hidden: vec![9, 3, 9] };
        let repeat = |strategy| repeat(Path::new("."), 1, Over::Bootstrap, strategy);
        let (top, variance) = (repeat(Strategy::Top), repeat(Strategy::Variance));
        let parts = [top.train().cost(&size), top.attribute().cost(&size)].map(|cost| cost.work);
        let whole = top.cost(&size);
        assert_eq!(whole.work, parts.concat());
        assert!(whole.memory >= top.train().cost(&size).memory);
        assert_eq!(whole.disk, top.attribute().cost(&size).disk, "the network does not stay");
        let (drawn, alone) = (variance.cost(&size), variance.select().cost(&size));
        assert_eq!((drawn.work, drawn.disk), (alone.work, alone.disk));
        assert_eq!(drawn.passes, Cost::rewriting(size.matrix(700)).passes);
    }
}
