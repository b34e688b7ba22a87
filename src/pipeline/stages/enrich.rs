//! A panel, the store that it was chosen from and a collection of gene sets → which sets it has more or fewer genes of than
//! chance gives.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::enrich::{self, BUNDLED, Collection, LEVEL, Settings, Summary, Universe};
use crate::error::{Error, Result};
use crate::genes::sidecar::{self, Input as Source, Made};
use crate::genes::writer::Rows;
use crate::genes::{Ambiguous, Finder, Side};
use crate::nouns::counted;
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings::{self, Match, is_file};
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::progress::Event;
use crate::select::moments::Moments;
use crate::store::Store;

/// What can be said about enrichment, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Gene sets: a GMT file, plain or packed, or go-mf, GO's molecular functions [go-mf]
    #[arg(long, value_name = "GMT")]
    pub collection: Option<String>,
    /// The genes that the landmarks are compared with: all (those of the store, each once), annotated (of these, genes in any
    /// set, as many tools have it), or a list of genes that could have been chosen [all]
    #[arg(long, value_name = "all|annotated|LIST")]
    pub universe: Option<String>,
    /// Genes that could not have been chosen, as in `genelift select`
    #[arg(long, value_name = "LIST")]
    pub exclude: Vec<String>,
    /// Leave out sets of fewer genes [10]
    #[arg(long, value_name = "N")]
    pub min_size: Option<usize>,
    /// Leave out sets of more genes [500]
    #[arg(long, value_name = "N")]
    pub max_size: Option<usize>,
    /// Random panels of genes that are expressed as the landmarks are; 0 draws none [1000]
    #[arg(long, value_name = "N")]
    pub panels: Option<usize>,
    /// How names of the lists are matched.
    #[command(flatten)]
    #[serde(flatten)]
    pub matching: Match,
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &["collection", "universe", "exclude"];
}

impl Options {
    fn settings(&self, seed: u64) -> Settings {
        let default = Settings::default();
        Settings {
            min_size: self.min_size.unwrap_or(default.min_size),
            max_size: self.max_size.unwrap_or(default.max_size),
            panels: self.panels.unwrap_or(default.panels),
            seed,
        }
    }

    fn collection(&self) -> &str {
        self.collection.as_deref().unwrap_or(BUNDLED)
    }

    /// The list of genes that could have been chosen, where one is given.
    fn list(&self) -> Option<&str> {
        self.universe.as_deref().filter(|universe| !["all", "annotated"].contains(universe))
    }
}

/// Looks a panel up in gene sets.
pub struct Enrich {
    /// The panel: landmarks, or a list of genes.
    pub landmarks: PathBuf,
    /// The store whose genes could have been chosen.
    pub store: PathBuf,
    /// The table to write.
    pub table: PathBuf,
    /// How.
    pub options: Options,
    /// Of the random panels.
    pub seed: u64,
}

/// What there is to tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// The counts.
    #[serde(flatten)]
    pub summary: Summary,
    /// The sets with the smallest p-values above chance: adjusted below [`LEVEL`], at most five.
    pub first: Vec<String>,
}

/// How many sets are told by name.
const SHOWN: usize = 5;

impl Facts {
    /// How many categories, and the largest share of the panel in one: the answers in words.
    pub fn said(&self) -> String {
        let Summary { universe, chosen, annotated, sets, hit, beyond: [above, below], of_panels, largest } =
            &self.summary;
        let mut lines = vec![format!(
            "{} of {universe} unique genes; {annotated} of them are in a set of the collection",
            counted(*chosen, "landmark"),
        )];
        let beside = |i: usize| {
            of_panels
                .map_or_else(String::new, |mean| format!(" (a random panel as expressed: {:.1})", mean[i]))
        };
        lines.push(format!("{hit} of {sets} tested categories hold a landmark{}", beside(0)));
        if let Some((name, hits)) = largest {
            let share = 100.0 * *hits as f64 / *chosen as f64;
            lines.push(format!("the largest holds {share:.1} % of the landmarks ({hits}): {name}"));
        }
        let first =
            if self.first.is_empty() { String::new() } else { format!(": {}", self.first.join("; ")) };
        lines.push(format!(
            "more landmarks than chance gives, adjusted p < {LEVEL}: {above} categories{}{first}",
            beside(1)
        ));
        lines.push(format!("fewer: {below} categories{}", beside(2)));
        lines.join("\n") + "\n"
    }
}

impl Enrich {
    /// The unique genes that could have been chosen, and the panel among them.
    fn read(&self, store: &Store, bench: &Workbench) -> Result<(Universe, Vec<usize>)> {
        let name = self.store.display().to_string();
        let side = Side::of_store(&name, store);
        let matching = self.options.matching.matching();
        let finder = Finder::new(&matching, bench.force, bench.report)?;
        // probes of one gene are one gene here, so a name may be all of them
        let rows = |list: &str| Ok(finder.list(list, &side, Some(Ambiguous::All))?.rows());
        let panel = rows(&self.landmarks.display().to_string())?;
        let mut may = vec![self.options.list().is_none(); side.genes.len()];
        if let Some(list) = self.options.list() {
            rows(list)?.into_iter().for_each(|row| may[row] = true);
        }
        for list in &self.options.exclude {
            rows(list)?.into_iter().for_each(|row| may[row] = false);
        }
        let collections = Collection::open(Path::new(self.options.collection()))?;
        let (universe, report) = Universe::new(&side, |row| may[row], &collections, None)?;
        (bench.report)(Event::Note(format!(
            "{}: {} of {} names are genes of {name}, by {}",
            report.list,
            report.found(),
            report.listed,
            universe.way
        )));
        let universe = if self.options.universe.as_deref() == Some("annotated") {
            universe.annotated()
        } else {
            universe
        };
        let chosen = universe.genes(&panel);
        match chosen.is_empty() {
            true => Err(Error::Data(format!(
                "{}: none of its genes is in the universe",
                self.landmarks.display()
            ))),
            false => Ok((universe, chosen)),
        }
    }
}

impl Stage for Enrich {
    fn name(&self) -> String {
        "enrich".into()
    }

    fn inputs(&self) -> Vec<Input> {
        let own = [Input::new("landmarks", &self.landmarks), Input::new("store", &self.store)];
        own.into_iter().chain(settings::inputs(&self.options).0).collect()
    }

    fn settings(&self) -> Value {
        let matching = self.options.matching.again();
        let options = Options { matching, ..self.options.clone() };
        json!({"options": settings::inputs(&options).1, "seed": self.seed})
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Table(self.table.clone())]
    }

    fn matches_by(&self) -> Option<&Match> {
        Some(&self.options.matching)
    }

    fn check(&self) -> Result<()> {
        let Settings { min_size, max_size, .. } = self.options.settings(0);
        if min_size > max_size {
            return Err(Error::Usage(format!(
                "--min-size {min_size} is more than --max-size {max_size}: no set is tested"
            )));
        }
        match self.options.collection.as_deref() {
            Some(text) if !is_file(text) && text != BUNDLED => {
                Err(Error::Usage(format!("--collection {text}: expected a GMT file, or {BUNDLED}")))
            }
            _ => Ok(()),
        }
    }

    fn cost(&self, size: &Size) -> Cost {
        // genes' means; the sets are looked up in no time
        Cost::default().reading(size.matrix(size.train))
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let store = Store::open(&self.store)?;
        let (universe, chosen) = self.read(&store, bench)?;
        let samples: Vec<usize> = (0..store.n_samples()).collect();
        let means = universe.means(&Moments::of(&store, &samples)?.means);
        let settings = self.options.settings(self.seed);
        let (tested, summary) = enrich::enrich(&universe, &chosen, &means, &settings);
        if tested.is_empty() {
            let Settings { min_size, max_size, .. } = settings;
            let sizes = format!("no set has {min_size} to {max_size} genes of the universe");
            return Err(Error::Data(format!("{}: {sizes}; see --min-size", self.options.collection())));
        }
        let mut text = Vec::new();
        let mut rows = Rows::new(&mut text);
        let written = rows.row(enrich::HEADER);
        written
            .and_then(|()| tested.iter().try_for_each(|tested| rows.row(enrich::fields(&universe, tested))))
            .map_err(Error::io(&self.table, "writing"))?;
        let mut made_from = vec![Source::store(&store)];
        made_from.extend(Source::regular(&self.landmarks, "landmarks")?);
        made_from.extend(Source::regular(Path::new(self.options.collection()), "gene sets")?);
        let beyond = tested.iter().filter(|tested| tested.upper[1] < LEVEL).take(SHOWN);
        let first = beyond.map(|tested| enrich::called(&universe.sets[tested.set])).collect();
        let told = facts(Facts { summary, first });
        let made =
            Made { made_from, about: json!({"settings": self.settings(), "found": told}), ..Made::default() };
        sidecar::write(&self.table, bench.force, (&text, tested.len()), made)?;
        Ok(told)
    }
}
