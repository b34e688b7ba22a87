//! `genelift compare`: landmark sets side by side on held-out samples.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Common, fit, print};
use crate::compare::{
    FILES, Identity, LandmarkSet, Named, Plan, PlanSettings, compare, describe, pair_tests, places,
    write_into,
};
use crate::device;
use crate::error::{Error, Result};
use crate::genes::{Finder, MapSettings, Matching, Multi, Side};
use crate::infer::{FitSettings, Method};
use crate::memory::Need;
use crate::progress::Reporter;
use crate::store::atomic::{Kind, Output};
use crate::store::{InputFile, Store, atomic};

/// Arguments of `compare`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store to fit on
    #[arg(long, value_name = "STORE")]
    train: PathBuf,
    /// The stores to test on, of other samples; their genes are matched by id, or all by another kind of name where the
    /// ids are of another kind
    #[arg(long, value_delimiter = ',', required = true, value_name = "STORE")]
    test: Vec<PathBuf>,
    /// Sets of landmarks: a name and a ranked table or list of genes, or a name and l1000. {size} in a file's name
    /// stands for each --size, where every size has a file of its own
    #[arg(long, num_args = 1.., required_unless_present = "subsets", value_name = "NAME=TSV")]
    landmarks: Vec<String>,
    /// Lists whose order is no rank, such as l1000: of each, --random-draws random subsets of --size, averaged as the
    /// random draws are
    #[arg(long, num_args = 1.., value_name = "NAME=LIST")]
    subsets: Vec<String>,
    /// The directory for the tables
    #[arg(short, value_name = "DIR")]
    output: PathBuf,
    /// The genes to infer: common (all that are in none of the sets), or a list
    #[arg(long, default_value = "common", value_name = "common|TSV")]
    targets: String,
    /// Use only the first N genes of each set, for lists whose order is a rank. Several sizes are compared one after the
    /// other, each over its own common targets and into its own folder of DIR, the summaries also together
    #[arg(long, value_delimiter = ',', value_name = "N")]
    size: Vec<usize>,
    /// Random sets of each size that a set has, as a baseline
    #[arg(long, default_value_t = 5, value_name = "N")]
    random_draws: usize,
    /// Resamples of the bootstrap intervals
    #[arg(long, default_value_t = 2000, value_name = "N")]
    resamples: usize,
    /// Which gene a probe measures (probe, gene), to find targets that are a landmark's gene under another probe;
    /// symbol and entrez columns of the genes are used too
    #[arg(long, value_name = "TSV")]
    map: Option<PathBuf>,
    /// The map's column of genes, by name or number [gene_id, else symbol, Entrez id, Ensembl id, as the headers tell]
    #[arg(long, value_name = "NAME", requires = "map")]
    map_column: Option<String>,
    /// What a probe of the map is that names several genes (A /// B, or several rows): all and average take it for each of them
    #[arg(long, value_enum, default_value_t, requires = "map")]
    multi: Multi,
    /// Leave such targets out
    #[arg(long)]
    drop_leaks: bool,
    /// How targets are inferred
    #[arg(long, value_enum, default_value = "linear")]
    method: Method,
    #[command(flatten)]
    matching: Matching,
    #[command(flatten)]
    options: fit::Options,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
///
/// # Errors
/// Those of [`Plan::new`], of [`compare`] and of the files.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let seed = args.common.seed;
    let fitting = args.options.settings(args.method, seed)?;
    let files = args.files();
    let inputs: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let force = args.common.force;
    let mut outputs = vec![Output::new(&args.output, Kind::Folder(&FILES), force)];
    outputs.extend(args.matching.output(force));
    let _ours = atomic::claim(&outputs, &inputs)?;
    args.fits_in_memory()?;
    let mut executor = device::open(&args.common.device, args.common.threads, report)?;
    let train = Store::open(&args.train)?;
    let tests = args.test.iter().map(|path| Store::open(path)).collect::<Result<Vec<_>>>()?;
    let name = args.train.display().to_string();
    let (finder, side) =
        (Finder::new(&args.matching, args.common.force, report)?, Side::of_store(&name, &train));
    let targets = match args.targets.as_str() {
        "common" => None,
        list => Some(finder.list(list, &side, None)?.rows()),
    };
    let places = places(&finder, &side, &tests)?;
    let map =
        args.map.clone().map(|path| MapSettings { path, column: args.map_column.clone(), multi: args.multi });
    let identity = Identity::new(train.genes(), map.as_ref(), report)?;
    let plan = |size: Option<usize>| -> Result<(PlanSettings, Plan)> {
        let read = |text: &String| {
            let text = size.map_or(text.clone(), |size| text.replace("{size}", &size.to_string()));
            LandmarkSet::read(&text, &side, &finder)
        };
        let ranked = args.landmarks.iter().map(read).collect::<Result<Vec<_>>>()?;
        let unranked = args.subsets.iter().map(read).collect::<Result<Vec<_>>>()?;
        let named = Named { ranked, unranked };
        let (random_draws, drop_leaks) = (args.random_draws, args.drop_leaks);
        let settings = PlanSettings { size, random_draws, drop_leaks, seed };
        let plan =
            Plan::new(&train, &tests, places.clone(), named, targets.clone(), &identity, &settings, report)?;
        Ok((settings, plan))
    };
    if let Some((_, twice)) = args.size.iter().enumerate().find(|(i, size)| args.size[..*i].contains(size)) {
        return Err(Error::Usage(format!("--size {twice} is given twice")));
    }
    // Whatever is to be refused is, before the first of hours of fitting.
    let plans = match args.size.as_slice() {
        [] => vec![plan(None)?],
        sizes => sizes.iter().map(|size| plan(Some(*size))).collect::<Result<Vec<_>>>()?,
    };
    let several = plans.len() > 1;
    atomic::write_folder(&args.output, args.common.force, &FILES, |output| {
        let mut summary = String::new();
        for (settings, plan) in &plans {
            let dir = match settings.size {
                Some(size) if several => output.join(size.to_string()),
                _ => output.to_path_buf(),
            };
            if several {
                std::fs::create_dir(&dir).map_err(Error::io(&dir, "creating"))?;
            }
            let tested = compare(&mut *executor, &train, &tests, plan, &fitting, report)?;
            let pairs = pair_tests(plan, &tested, args.resamples, seed);
            let stores = (&train, tests.as_slice());
            let notes = notes(args, stores, (settings, plan), &fitting, executor.name())?;
            write_into(&dir, plan, &tested, &pairs, train.genes(), &notes)?;
            print(&describe(plan, &tested))?;
            if several {
                let path = dir.join("summary.tsv");
                let text = std::fs::read_to_string(&path).map_err(Error::io(&path, "reading"))?;
                let header = if summary.is_empty() { 0 } else { text.find('\n').map_or(0, |end| end + 1) };
                summary += &text[header..];
                atomic::write_text(&output.join("summary.tsv"), &summary)?;
            }
        }
        Ok(())
    })
}

impl Args {
    /// Refuses more resamples or draws than there is memory for.
    fn fits_in_memory(&self) -> Result<()> {
        let threads = rayon::current_num_threads();
        let sizes = self.size.len().max(1);
        Need::new()
            .with(format!("means of {} resamples", self.resamples), &[self.resamples, 2 * 8, threads])
            .with(format!("{} random draws", self.random_draws), &[self.random_draws, sizes, 1000])
            .check("the comparison", "lower --resamples or --random-draws, or allow more (--memory)")
    }

    /// What it reads.
    fn files(&self) -> Vec<PathBuf> {
        let lists = self.landmarks.iter().chain(&self.subsets);
        let lists = lists.map(|named| named.split_once('=').map_or(named.as_str(), |(_, file)| file).into());
        let stores = self.test.iter().cloned().chain([self.train.clone(), self.targets.clone().into()]);
        lists.chain(stores).chain(self.map.clone()).collect()
    }
}

/// What the figures come from: settings, stores, sets.
fn notes(
    args: &Args,
    (train, tests): (&Store, &[Store]),
    (settings, plan): (&PlanSettings, &Plan),
    fitting: &FitSettings,
    device: &str,
) -> Result<serde_json::Value> {
    let store = |store: &Store| {
        json!({
            "path": store.path().display().to_string(), "fingerprint": store.info().fingerprint(),
            "samples": store.n_samples(), "genes": store.n_genes(),
        })
    };
    let mut described = Vec::new();
    for (set, leaking) in plan.sets.iter().zip(&plan.leaks.by_set) {
        let file = Some(PathBuf::from(&set.source)).filter(|path| path.is_file());
        let sha256 = file.map(|path| InputFile::of(&path, "landmarks")).transpose()?.map(|file| file.sha256);
        described.push(json!({
            "name": set.name, "source": set.source, "sha256": sha256, "draw-of": set.draw_of,
            "genes": set.genes.len(), "leaking-targets": leaking,
        }));
    }
    Ok(json!({
        "genelift": env!("CARGO_PKG_VERSION"),
        "device": device,
        "train": store(train),
        "tests": tests.iter().map(store).collect::<Vec<_>>(),
        "plan": settings,
        "fit": fitting,
        "resamples": args.resamples,
        "targets": {
            "asked": args.targets, "used": plan.targets.len(), "leaking": plan.leaks.found, "map": args.map,
        },
        "sets": described,
    }))
}
