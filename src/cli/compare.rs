//! `genelift compare`: landmark sets side by side on held-out samples.

use std::path::PathBuf;

use serde_json::json;

use super::{Common, fit, print};
use crate::compare::{Identity, LandmarkSet, Plan, PlanSettings, compare, describe, pair_tests, write};
use crate::device;
use crate::error::Result;
use crate::infer::Method;
use crate::progress::{Event, Reporter};
use crate::select::GeneList;
use crate::store::{InputFile, Store, atomic};

/// Arguments of `compare`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The store to fit on
    #[arg(long, value_name = "STORE")]
    train: PathBuf,
    /// The stores to test on, of other samples; their genes are matched by id, Entrez id, symbol or probe
    #[arg(long, value_delimiter = ',', required = true, value_name = "STORE")]
    test: Vec<PathBuf>,
    /// Sets of landmarks: a name and a ranked table or list of genes, or a name and l1000
    #[arg(long, num_args = 1.., required = true, value_name = "NAME=TSV")]
    landmarks: Vec<String>,
    /// The directory for the tables
    #[arg(short, value_name = "DIR")]
    output: PathBuf,
    /// The genes to infer: common (all that are in none of the sets), or a list
    #[arg(long, default_value = "common", value_name = "common|TSV")]
    targets: String,
    /// Use only the first N genes of each set, for lists whose order is a rank
    #[arg(long, value_name = "N")]
    size: Option<usize>,
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
    /// Leave such targets out
    #[arg(long)]
    drop_leaks: bool,
    /// How targets are inferred
    #[arg(long, value_enum, default_value = "linear")]
    method: Method,
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
    atomic::check_free(&args.output, args.common.force)?;
    let mut executor = device::open(&args.common.device, args.common.threads, report)?;
    let train = Store::open(&args.train)?;
    let tests = args.test.iter().map(|path| Store::open(path)).collect::<Result<Vec<_>>>()?;
    let read = |text: &String| LandmarkSet::read(text, train.genes(), report);
    let sets = args.landmarks.iter().map(read).collect::<Result<Vec<_>>>()?;
    let targets = match args.targets.as_str() {
        "common" => None,
        list => {
            let matched = GeneList::open(list)?.find(train.genes(), None)?;
            let (found, listed) = (matched.found, matched.listed);
            report(Event::Note(format!("targets: {found} of {listed} names found, by {}", matched.column)));
            Some(matched.rows)
        }
    };
    let identity = Identity::new(train.genes(), args.map.as_deref())?;
    let settings =
        PlanSettings { size: args.size, random_draws: args.random_draws, drop_leaks: args.drop_leaks, seed };
    let plan = Plan::new(&train, &tests, sets, targets, &identity, &settings, report)?;
    let tested = compare(&mut *executor, &train, &tests, &plan, &fitting, report)?;
    let pairs = pair_tests(&plan, &tested, args.resamples, seed);

    let store = |store: &Store| {
        json!({
            "path": store.path().display().to_string(), "fingerprint": store.info().fingerprint(),
            "samples": store.n_samples(), "genes": store.n_genes(),
        })
    };
    let mut described = Vec::new();
    for (set, leaking) in plan.sets.iter().zip(&plan.leaks.by_set) {
        let file = (!set.drawn).then(|| PathBuf::from(&set.source)).filter(|path| path.is_file());
        let sha256 = file.map(|path| InputFile::of(&path, "landmarks")).transpose()?.map(|file| file.sha256);
        described.push(json!({
            "name": set.name, "source": set.source, "sha256": sha256, "drawn": set.drawn,
            "genes": set.genes.len(), "leaking-targets": leaking,
        }));
    }
    let notes = json!({
        "genelift": env!("CARGO_PKG_VERSION"),
        "device": executor.name(),
        "train": store(&train),
        "tests": tests.iter().map(store).collect::<Vec<_>>(),
        "plan": settings,
        "fit": fitting,
        "resamples": args.resamples,
        "targets": {
            "asked": args.targets, "used": plan.targets.len(), "leaking": plan.leaks.found, "map": args.map,
        },
        "sets": described,
    });
    write(&args.output, &plan, &tested, &pairs, train.genes(), &notes, args.common.force)?;
    print(&describe(&plan, &tested))
}
