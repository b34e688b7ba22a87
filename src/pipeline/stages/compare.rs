//! Landmark sets side by side on held-out samples.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fit;
use crate::bench::work;
use crate::compare::{
    FILES, Identity, LandmarkSet, Measure, Named, PairTest, Plan, PlanSettings, SetFigures, compare,
    describe, pair_tests, places, set_figures, write_into,
};
use crate::error::{Error, Result};
use crate::genes::sidecar;
use crate::genes::{Finder, MapSettings, Matching, Multi, Side};
use crate::infer::{FitSettings, Method};
use crate::memory::Need;
use crate::pipeline::choice::choice;
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings::{self, Match};
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::progress::{Event, Reporter};
use crate::store::atomic::Kind;
use crate::store::remembered::{Remembered, warn_of_preparation};
use crate::store::{InputFile, Store, atomic, sealed};

/// What can be said about a comparison, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// The genes to infer: common (all that are in none of the sets), or a list [common]
    #[arg(long, value_name = "common|TSV")]
    pub targets: Option<String>,
    /// Use only the first N genes of each set, for lists whose order is a rank. Several sizes are compared one after the
    /// other, each over its own common targets and into its own folder of DIR, the summaries also together
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub size: Vec<usize>,
    /// Random sets of each size that a set has, as a baseline [5]
    #[arg(long, value_name = "N")]
    pub random_draws: Option<usize>,
    /// Resamples of the bootstrap intervals [2000]
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
    const FILES: &'static [&'static str] = &["targets", "map"];
}

/// Draws of random sets that stand beside every comparison.
const DRAWS: usize = 5;
/// Resamples of a bootstrap interval.
const RESAMPLES: usize = 2000;

/// Compares sets of landmarks.
pub struct Compare {
    /// Training samples.
    pub train: PathBuf,
    /// Stores of other samples.
    pub tests: Vec<PathBuf>,
    /// `NAME=LIST`, lists whose order is a rank.
    pub landmarks: Vec<String>,
    /// `NAME=LIST`, lists whose order is none.
    pub subsets: Vec<String>,
    /// Whether the bundled panel of L1000 joins where its genes match.
    pub l1000: bool,
    /// The folder to write.
    pub dir: PathBuf,
    /// How.
    pub options: Options,
    /// Of every random choice.
    pub seed: u64,
}

/// What there is to tell of a comparison: of each size, or of the lists as they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Of each size.
    pub sizes: Vec<SizeFacts>,
}

/// What came out for lists of one size.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SizeFacts {
    /// For a reader.
    pub text: String,
    /// Of each test store.
    pub tests: Vec<TestFacts>,
}

/// What came out on one test store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestFacts {
    /// The store's name.
    pub store: String,
    /// Its samples.
    pub samples: usize,
    /// Genes that were inferred.
    pub targets: usize,
    /// Of each set.
    pub sets: Vec<SetFigures>,
    /// Mean absolute errors of sets beside those of others.
    pub pairs: Vec<PairFacts>,
}

/// One set beside another, by mean absolute error: less is better.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PairFacts {
    /// A named set.
    pub a: String,
    /// Another, or what draws are draws of.
    pub b: String,
    /// The error of a, and that of b.
    pub means: Option<(f64, f64)>,
    /// A 95 % interval of the mean difference a − b.
    pub interval: Option<(f64, f64)>,
    /// Share of the targets that a infers better.
    pub won: Option<f64>,
}

impl Compare {
    fn lists(&self) -> Vec<(String, String)> {
        let named =
            |text: &String| text.split_once('=').map(|(name, list)| (name.to_string(), list.to_string()));
        let lists = self.landmarks.iter().chain(&self.subsets).filter_map(named);
        lists
            .flat_map(|(name, list)| self.sized(&list).into_iter().map(move |list| (name.clone(), list)))
            .collect()
    }

    /// A list's file of each size, where `{size}` stands in its name.
    fn sized(&self, list: &str) -> Vec<String> {
        match self.options.size.is_empty() || !list.contains("{size}") {
            true => vec![list.to_string()],
            false => self.options.size.iter().map(|n| list.replace("{size}", &n.to_string())).collect(),
        }
    }

    fn fitting(&self) -> Result<FitSettings> {
        if self.options.fit.held_out.is_some() {
            let message =
                "--held-out is an option of `fit`: a comparison measures on test samples; leave it out";
            return Err(Error::Usage(message.into()));
        }
        self.options.fit.settings(Method::default(), self.seed)
    }

    /// Says which test samples the lists were chosen on, or the predictors are fitted on.
    fn warn_of_samples(&self, data: &Data, report: Reporter) -> Result<()> {
        let mut known =
            vec![("the fit".to_string(), Remembered::all(&data.train).and(&Remembered::default()))];
        for (name, list) in self.lists().into_iter().filter(|(_, list)| settings::is_file(list)) {
            let samples = sidecar::samples(Path::new(&list))?.and(&Remembered::default());
            // what is mostly so is said once
            if samples != known[0].1 {
                known.push((format!("the list {name}"), samples));
            }
        }
        for test in &data.tests {
            let all: Vec<usize> = (0..test.n_samples()).collect();
            known.iter().for_each(|(what, samples)| samples.warn(what, test, &all, report));
            warn_of_preparation(test, report);
        }
        Ok(())
    }

    /// The panel of L1000, where enough of its genes are found.
    fn panel(&self, side: &Side, finder: &Finder, bench: &Workbench) -> Option<LandmarkSet> {
        match LandmarkSet::read("l1000=l1000", side, finder) {
            Ok(set) => Some(set),
            Err(error) => {
                (bench.report)(Event::Note(format!("l1000 is left out of the comparison: {error}")));
                None
            }
        }
    }

    /// The sets of one size and what they infer.
    fn plan(&self, data: &Data, size: Option<usize>, bench: &Workbench) -> Result<(PlanSettings, Plan)> {
        let Data { train, tests, name, finder, identity, places, targets } = data;
        let side = Side::of_store(name, train);
        let read = |text: &String| {
            let text = size.map_or(text.clone(), |size| text.replace("{size}", &size.to_string()));
            LandmarkSet::read(&text, &side, finder)
        };
        let ranked = self.landmarks.iter().map(read).collect::<Result<Vec<_>>>()?;
        let mut unranked = self.subsets.iter().map(read).collect::<Result<Vec<_>>>()?;
        if self.l1000 {
            let measured = |gene: &usize| places.iter().all(|places| places[*gene].is_some());
            let panel = self.panel(&side, finder, bench);
            unranked.extend(
                panel
                    .map(|mut panel| {
                        panel.genes.retain(measured);
                        panel
                    })
                    .filter(|panel| !panel.genes.is_empty()),
            );
        }
        let settings = PlanSettings {
            size,
            random_draws: self.options.random_draws.unwrap_or(DRAWS),
            drop_leaks: self.options.drop_leaks,
            seed: self.seed,
        };
        let named = Named { ranked, unranked };
        let plan = Plan::new(
            train,
            tests,
            places.clone(),
            named,
            targets.clone(),
            identity,
            &settings,
            bench.report,
        )?;
        Ok((settings, plan))
    }

    /// Compares the sets of a plan and writes the folder.
    fn one(
        &self,
        data: &Data,
        (settings, plan): &(PlanSettings, Plan),
        dir: &Path,
        bench: &mut Workbench,
    ) -> Result<SizeFacts> {
        let (fitting, report) = (self.fitting()?, bench.report);
        let tested = compare(bench.executor()?, &data.train, &data.tests, plan, &fitting, report)?;
        let resamples = self.options.resamples.unwrap_or(RESAMPLES);
        let pairs = pair_tests(plan, &tested, resamples, self.seed);
        let device = bench.device_name().unwrap_or_default().to_string();
        let notes = self.notes(data, (settings, plan), &fitting, &device)?;
        write_into(dir, plan, &tested, &pairs, data.train.genes(), &notes)?;
        let told = |(i, tested): (usize, &crate::compare::Tested)| TestFacts {
            store: file_name(&tested.store),
            samples: tested.outcomes[0].by_sample.len(),
            targets: tested.targets.len(),
            sets: set_figures(plan, tested),
            pairs: pairs
                .iter()
                .filter(|pair| pair.test == i && pair.measure == Measure::Mae)
                .map(pair_facts)
                .collect(),
        };
        let tests = tested.iter().enumerate().map(told).collect();
        Ok(SizeFacts { text: describe(plan, &tested), tests })
    }
}

fn file_name(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(|| path.to_string(), |name| name.to_string_lossy().into_owned())
}

fn pair_facts(pair: &PairTest) -> PairFacts {
    let PairTest { a, b, means, interval, won, .. } = pair.clone();
    PairFacts { a, b, means, interval, won }
}

/// What is compared on.
struct Data<'a> {
    train: Store,
    tests: Vec<Store>,
    name: String,
    finder: Finder<'a>,
    identity: Identity,
    places: Vec<Vec<Option<usize>>>,
    targets: Option<Vec<usize>>,
}

impl Compare {
    fn open<'a>(&self, matching: &'a Matching, bench: &Workbench<'a>) -> Result<Data<'a>> {
        let Options { map, map_column, multi, targets, .. } = &self.options;
        let train = Store::open(&self.train)?;
        let tests = self.tests.iter().map(|path| Store::open(path)).collect::<Result<Vec<_>>>()?;
        let name = self.train.display().to_string();
        let finder = Finder::new(matching, bench.force, bench.report)?;
        let side = Side::of_store(&name, &train);
        let targets = match targets.as_deref() {
            None | Some("common") => None,
            Some(list) => Some(finder.list(list, &side, None)?.rows()),
        };
        let places = places(&finder, &side, &tests)?;
        let (column, multi) = (map_column.clone(), multi.unwrap_or_default());
        let map = map.clone().map(|path| MapSettings { path, column, multi });
        let identity = Identity::new(train.genes(), map.as_ref(), bench.report)?;
        Ok(Data { train, tests, name, finder, identity, places, targets })
    }
}

impl Stage for Compare {
    fn name(&self) -> String {
        "compare".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let mut inputs = vec![Input::new("train", &self.train)];
        inputs.extend(self.tests.iter().map(|test| Input::new("test", test)));
        let files = self.lists().into_iter().filter(|(_, list)| settings::is_file(list));
        inputs.extend(files.map(|(name, list)| Input::new(&format!("list {name}"), Path::new(&list))));
        inputs.extend(settings::inputs(&self.options).0);
        inputs
    }

    fn settings(&self) -> Value {
        let Options { matching, .. } = &self.options;
        let matching = Match { unmatched: None, ..matching.clone() };
        // the method's settings are told whole
        let options = Options { matching, fit: fit::Options::default(), ..self.options.clone() };
        let words = self.lists().into_iter().filter(|(_, list)| !settings::is_file(list));
        json!({
            "compare": settings::inputs(&options).1, "fit": self.fitting().ok(), "seed": self.seed,
            "l1000": self.l1000, "lists": words.collect::<Vec<_>>(),
        })
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Folder(self.dir.clone(), &FILES)]
    }

    fn claims(&self, force: bool) -> Result<Vec<atomic::Output<'static>>> {
        let dir = atomic::Output::new(&self.dir, Kind::Folder(&FILES), force);
        Ok(std::iter::once(dir).chain(self.options.matching.matching().output(force)).collect())
    }

    fn computes(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        let sizes = &self.options.size;
        if let Some((_, twice)) = sizes.iter().enumerate().find(|(i, size)| sizes[..*i].contains(size)) {
            return Err(Error::Usage(format!("--size {twice} is given twice")));
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
        let draws = self.options.random_draws.unwrap_or(DRAWS);
        let sets = self.landmarks.len() + draws + if self.l1000 { draws } else { 0 };
        let one = fit::predictor_cost(&self.options.fit, Method::default(), size);
        let held_out = size.held_out * self.tests.len();
        let test = work::permutation(size.genes, held_out.max(1));
        let work = one.work.iter().copied().chain([test]).map(|work| work.times(sets as f64));
        let disk = 120.0 * (size.genes * sets) as f64;
        Cost { work: work.collect(), disk, memory: one.memory + size.matrix(held_out), ..one }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let matching = self.options.matching.matching();
        let data = self.open(&matching, bench)?;
        self.warn_of_samples(&data, bench.report)?;
        // Whatever is to be refused is, before the first of hours of fitting.
        let plans = match self.options.size.as_slice() {
            [] => vec![self.plan(&data, None, bench)?],
            sizes => sizes.iter().map(|n| self.plan(&data, Some(*n), bench)).collect::<Result<Vec<_>>>()?,
        };
        let several = plans.len() > 1;
        let (mut told, mut summary) = (Vec::new(), String::new());
        atomic::write_folder(&self.dir, bench.force, &FILES, |out| {
            for plan in &plans {
                let dir = match plan.0.size {
                    Some(size) if several => out.join(size.to_string()),
                    _ => out.to_path_buf(),
                };
                if several {
                    std::fs::create_dir(&dir).map_err(Error::io(&dir, "creating"))?;
                }
                told.push(self.one(&data, plan, &dir, bench)?);
                if several {
                    append(&dir.join("summary.tsv"), &mut summary)?;
                    atomic::write_text(&out.join("summary.tsv"), &summary)?;
                }
            }
            match several {
                true => sealed::seal(out, "compare", &["summary.tsv"], json!({"sizes": self.options.size})),
                false => Ok(()),
            }
        })?;
        Ok(facts(Facts { sizes: told }))
    }
}

/// Adds a table to another of the same columns.
fn append(path: &Path, all: &mut String) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "reading"))?;
    let header = if all.is_empty() { 0 } else { text.find('\n').map_or(0, |end| end + 1) };
    *all += &text[header..];
    Ok(())
}

impl Compare {
    /// Refuses more resamples or draws than there is memory for.
    fn fits_in_memory(&self) -> Result<()> {
        let Options { size, resamples, random_draws, .. } = &self.options;
        let (resamples, draws) = (resamples.unwrap_or(RESAMPLES), random_draws.unwrap_or(DRAWS));
        Need::new()
            .with(
                format!("means of {resamples} resamples"),
                &[resamples, 2 * 8, rayon::current_num_threads()],
            )
            .with(format!("{draws} random draws"), &[draws, size.len().max(1), 1000])
            .check("the comparison", "lower --resamples or --random-draws, or allow more (--memory)")
    }

    /// What the figures come from: settings, stores, sets.
    fn notes(
        &self,
        data: &Data,
        (settings, plan): (&PlanSettings, &Plan),
        fitting: &FitSettings,
        device: &str,
    ) -> Result<Value> {
        let store = |store: &Store| {
            json!({
                "path": store.path().display().to_string(), "fingerprint": store.info().fingerprint(),
                "samples": store.n_samples(), "genes": store.n_genes(),
            })
        };
        let mut described = Vec::new();
        for (set, leaking) in plan.sets.iter().zip(&plan.leaks.by_set) {
            let file = Some(PathBuf::from(&set.source)).filter(|path| path.is_file());
            let sha256 =
                file.map(|path| InputFile::of(&path, "landmarks")).transpose()?.map(|file| file.sha256);
            described.push(json!({
                "name": set.name, "source": set.source, "sha256": sha256, "draw-of": set.draw_of,
                "genes": set.genes.len(), "leaking-targets": leaking,
            }));
        }
        let asked = self.options.targets.as_deref().unwrap_or("common");
        Ok(json!({
            "genelift": env!("CARGO_PKG_VERSION"),
            "device": device,
            "train": store(&data.train),
            "tests": data.tests.iter().map(store).collect::<Vec<_>>(),
            "plan": settings,
            "fit": fitting,
            "resamples": self.options.resamples.unwrap_or(RESAMPLES),
            "targets": {
                "asked": asked, "used": plan.targets.len(), "leaking": plan.leaks.found, "map": self.options.map,
            },
            "sets": described,
        }))
    }
}
