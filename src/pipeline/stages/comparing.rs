//! The work of `compare`: what is opened, which samples are held out, the sets of every size, and what is told of them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::compare::{Compare, HoldOut, Options};
use super::fit;
use crate::compare::{
    Ceiling, Curve, Design, FILES, Identity, LandmarkSet, Measure, Named, PairDifference, Plan, PlanSettings,
    ROUND, Round, SetFigures, Tested, Tests, Told, ceiling, compare_by, curve, curve_lines, describe,
    describe_curves, equal_lines, grouping, over, places, set_figures, write_into,
};
use crate::error::{Error, Result};
use crate::evaluate::differences::FEW_GROUPS;
use crate::genes::writer::write_rows;
use crate::genes::{Finder, MapSettings, Matching, Side, sidecar};
use crate::infer::FitSettings;
use crate::memory::Need;
use crate::nouns::counted;
use crate::pipeline::{Workbench, facts, settings};
use crate::prepare::split;
use crate::progress::{Event, Reporter};
use crate::store::remembered::{Remembered, warn_of_preparation};
use crate::store::{InputFile, Store, atomic, sealed};

/// What there is to tell of a comparison: of each size, or of the lists as they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Of each size.
    pub sizes: Vec<SizeFacts>,
    /// The error against the size, where there are several.
    pub curves: Vec<Curve>,
    /// The same for a reader.
    pub curves_text: String,
}

/// What came out for lists of one size.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SizeFacts {
    /// The size; `None` for the lists as they are.
    pub size: Option<usize>,
    /// For a reader.
    pub text: String,
    /// Of each test.
    pub tests: Vec<TestFacts>,
}

/// What came out on one test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestFacts {
    /// The store's name, or what was held out.
    pub store: String,
    /// Its samples.
    pub samples: usize,
    /// Genes that were inferred.
    pub targets: usize,
    /// Of each set.
    pub sets: Vec<SetFigures>,
    /// Errors of sets beside those of others.
    pub pairs: Vec<PairFacts>,
}

/// One set beside another, by mean squared error over the training variance: less is better.
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
    /// What it is taken over, such as "154 samples".
    pub over: String,
}

fn pair_facts(pair: &PairDifference) -> PairFacts {
    let PairDifference { a, b, means, difference, basis, .. } = pair.clone();
    let interval = difference.and_then(|d| d.interval);
    PairFacts { a, b, means, interval, over: difference.map(|d| over(basis, &d)).unwrap_or_default() }
}

fn file_name(path: &str) -> String {
    Path::new(path).file_stem().map_or_else(|| path.to_string(), |name| name.to_string_lossy().into_owned())
}

/// Which samples are held out, and how often.
enum Held {
    /// The test stores, after one fit.
    Split,
    /// Every group of the one store, which has the training and test samples.
    Groups(String),
    /// Each test store after a fit on the training store at its place.
    Splits,
}

/// What is compared on.
struct Data<'a> {
    held: Held,
    trains: Vec<Store>,
    tests: Vec<Store>,
    /// How predictors are fitted: groups that the comparison knows of are held out whole where the options name none.
    fitting: FitSettings,
    name: String,
    finder: Finder<'a>,
    identity: Identity,
    places: Vec<Vec<Option<usize>>>,
    targets: Option<Vec<usize>>,
}

impl Data<'_> {
    fn design<'d>(&'d self, plan: &'d Plan, group_by: Option<&str>) -> Result<Design<'d>> {
        Ok(match &self.held {
            Held::Split => Design::split(&self.trains[0], &self.tests, plan, group_by),
            Held::Groups(column) => Design::every_group(&self.trains[0], plan, column)?,
            Held::Splits => Design::splits(&self.trains, &self.tests, plan, group_by),
        })
    }

    /// What `{round}` stands for in a list's name; nothing where there is one round.
    fn rounds(&self) -> Vec<String> {
        match &self.held {
            Held::Split => Vec::new(),
            Held::Groups(column) => grouping(&self.trains[0], Some(column)).unwrap_or_default().0,
            Held::Splits => (1..=self.trains.len()).map(|i| i.to_string()).collect(),
        }
    }
}

/// Compares, and writes the folder.
pub(super) fn compute(stage: &Compare, bench: &mut Workbench) -> Result<Value> {
    let matching = stage.options.matching.matching();
    let data = open(stage, &matching, bench)?;
    warn_of_samples(stage, &data, bench.report)?;
    // Whatever is to be refused is, before the first of hours of fitting.
    let sizes: Vec<Option<usize>> = match stage.options.size.as_slice() {
        [] => vec![None],
        sizes => sizes.iter().map(|n| Some(*n)).collect(),
    };
    let several = sizes.len() > 1;
    let plans = sizes.iter().map(|n| plan(stage, &data, *n, bench)).collect::<Result<Vec<_>>>()?;
    let (settings, mut plans): (Vec<PlanSettings>, Vec<Plan>) = plans.into_iter().unzip();
    Plan::settle_common(&mut plans.iter_mut().collect::<Vec<_>>(), data.trains[0].n_genes())?;
    let (mut told, mut summary, mut found) = (Vec::new(), String::new(), Vec::new());
    let mut curves = Vec::new();
    atomic::write_folder(&stage.dir, bench.force, &FILES, |out| {
        for (settings, plan) in settings.iter().zip(&plans) {
            let dir = match settings.size {
                Some(size) if several => out.join(size.to_string()),
                _ => out.to_path_buf(),
            };
            if several {
                std::fs::create_dir(&dir).map_err(Error::io(&dir, "creating"))?;
            }
            let (facts, tested) = one(stage, &data, (settings, plan), &dir, bench)?;
            told.push(facts);
            found.push(tested);
            if several {
                append(&dir.join("summary.tsv"), &mut summary)?;
                atomic::write_text(&out.join("summary.tsv"), &summary)?;
            }
        }
        if !several {
            return Ok(());
        }
        let sizes: Vec<(&Plan, &[Tested])> = plans.iter().zip(found.iter().map(Vec::as_slice)).collect();
        curves = curve(&sizes, stage.resamples(), stage.seed);
        for (name, mut lines) in [("curve.tsv", curve_lines(&curves)), ("equals.tsv", equal_lines(&curves))] {
            let rows = lines.split_off(1);
            write_rows(&out.join(name), true, lines.remove(0), rows)?;
        }
        let notes = json!({"sizes": stage.options.size});
        sealed::seal(out, "compare", &["summary.tsv", "curve.tsv", "equals.tsv"], notes)
    })?;
    Ok(facts(Facts { sizes: told, curves_text: describe_curves(&curves), curves }))
}

/// Adds a table to another of the same columns.
fn append(path: &Path, all: &mut String) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "reading"))?;
    let header = if all.is_empty() { 0 } else { text.find('\n').map_or(0, |end| end + 1) };
    *all += &text[header..];
    Ok(())
}

fn open<'a>(stage: &Compare, matching: &'a Matching, bench: &Workbench<'a>) -> Result<Data<'a>> {
    let Options { map, map_column, multi, targets, .. } = &stage.options;
    let stores = |paths: &[PathBuf]| paths.iter().map(|path| Store::open(path)).collect::<Result<Vec<_>>>();
    let (mut trains, mut tests) = (stores(&stage.trains)?, stores(&stage.tests)?);
    let finder = Finder::new(matching, bench.force, bench.report)?;
    let held = what_is_held(stage, &trains, &tests, bench.report)?;
    if let Some(column) = &stage.options.fit.group_by {
        let all = trains.iter().chain(&tests);
        all.for_each(|store| split::warn_of_unlabelled(store, column, bench.report));
    }
    let name = stage.trains[0].display().to_string();
    if let Held::Groups(_) = &held {
        tests.iter().for_each(|test| warn_of_preparation(test, bench.report));
        trains = vec![together(&finder, &trains[0], &tests)?];
        tests = Vec::new();
    }
    let side = Side::of_store(&name, &trains[0]);
    let targets = match targets.as_deref() {
        None | Some("common") => None,
        Some(list) => Some(finder.list(list, &side, None)?.rows()),
    };
    let places = match &held {
        Held::Groups(_) => vec![(0..trains[0].n_genes()).map(Some).collect()],
        _ => places(&finder, &side, &tests)?,
    };
    let (column, multi) = (map_column.clone(), multi.unwrap_or_default());
    let map = map.clone().map(|path| MapSettings { path, column, multi });
    let identity = Identity::new(trains[0].genes(), map.as_ref(), bench.report)?;
    let mut fitting = stage.fitting()?;
    let groups = || fit::several(&trains[0], stage.groups.as_deref(), bench.report);
    fitting.group_by = fitting.group_by.or_else(groups);
    Ok(Data { held, trains, tests, fitting, name, finder, identity, places, targets })
}

/// Whether one split is tested, several, or every group once.
fn what_is_held(stage: &Compare, trains: &[Store], tests: &[Store], report: Reporter) -> Result<Held> {
    if trains.len() > 1 {
        same_genes(trains)?;
        return Ok(Held::Splits);
    }
    let Some(column) = stage.group_by() else { return Ok(Held::Split) };
    let groups = |store: &Store| grouping(store, Some(column)).map(|(names, _)| names.len());
    let mut few = None;
    for test in tests {
        let path = test.path().display();
        match groups(test) {
            None => report(Event::Warning(format!(
                "{path} has no sample column {column:?}, so its samples are taken as independent of one another"
            ))),
            Some(n) if n < FEW_GROUPS => few = Some(format!("{path} has {n} groups by {column:?}")),
            Some(_) => {}
        }
    }
    match (stage.options.hold_out, few) {
        (Some(HoldOut::Groups), _) => Ok(Held::Groups(column.to_string())),
        (None, Some(few)) if tests.iter().all(|test| groups(test).is_some()) => {
            let all = trains.iter().chain(tests).filter_map(|store| grouping(store, Some(column)));
            let names: HashSet<String> = all.flat_map(|(names, _)| names).collect();
            if names.len() < 3 {
                report(Event::Note(format!(
                    "{few}, too few for an interval, and of {} in all none is held out in turn",
                    counted(names.len(), "group")
                )));
                return Ok(Held::Split);
            }
            report(Event::Note(format!(
                "{few}, too few for an interval: every group of the training and test samples is held out once, and the predictors are \
                 fitted on the others; --hold-out split tests that store alone, without intervals"
            )));
            Ok(Held::Groups(column.to_string()))
        }
        _ => Ok(Held::Split),
    }
}

fn same_genes(trains: &[Store]) -> Result<()> {
    let first = &trains[0];
    match trains.iter().find(|train| train.genes().ids != first.genes().ids) {
        None => Ok(()),
        Some(other) => Err(Error::Data(format!(
            "{} has other genes than {}, or in another order; the splits must be of one matrix",
            other.path().display(),
            first.path().display()
        ))),
    }
}

/// The samples of all stores in memory, with those of the training store's genes that all measure.
fn together(finder: &Finder, train: &Store, tests: &[Store]) -> Result<Store> {
    let name = train.path().display().to_string();
    let places = places(finder, &Side::of_store(&name, train), tests)?;
    let genes: Vec<usize> =
        (0..train.n_genes()).filter(|gene| places.iter().all(|places| places[*gene].is_some())).collect();
    let n = train.n_samples() + tests.iter().map(Store::n_samples).sum::<usize>();
    Need::new()
        .with(
            format!("{n} samples × {} genes, of which every group is held out", genes.len()),
            &[n, genes.len(), 4],
        )
        .check(
            "the comparison",
            "hold out the test stores alone (--hold-out split), or allow more (--memory)",
        )?;
    let mut samples = train.samples().clone();
    tests.iter().for_each(|test| samples.append(test.samples().clone()));
    if let Some((id, ..)) = samples.duplicate() {
        return Err(Error::Data(format!(
            "sample {id:?} is in two of the training and test stores, so no group can be held out whole; give parts of one split, or \
             --hold-out split"
        )));
    }
    let mut values = Vec::with_capacity(n * genes.len());
    let mut take = |store: &Store, columns: &[usize]| {
        let mut row = vec![0.0; columns.len()];
        for sample in 0..store.n_samples() {
            store.read_genes(sample, columns, &mut row);
            values.extend_from_slice(&row);
        }
    };
    take(train, &genes);
    for (test, places) in tests.iter().zip(&places) {
        take(test, &genes.iter().filter_map(|gene| places[*gene]).collect::<Vec<_>>());
    }
    Store::in_memory(&called_together(train, tests), values, samples, train.genes().select(&genes))
}

/// What messages call the samples of all stores.
fn called_together(train: &Store, tests: &[Store]) -> String {
    let name = |store: &Store| store.path().display().to_string();
    match tests {
        [test] => format!("{} and {}", name(train), name(test)),
        _ => format!("{} and {} test stores", name(train), tests.len()),
    }
}

/// Says which held-out samples the lists were chosen on, or the predictors are fitted on.
fn warn_of_samples(stage: &Compare, data: &Data, report: Reporter) -> Result<()> {
    let list = |path: &Path| Ok::<_, Error>(sidecar::samples(path)?.and(&Remembered::default()));
    let lists = stage.lists();
    let (by_round, plain): (Vec<_>, Vec<_>) = lists.into_iter().partition(|(_, list)| list.contains(ROUND));
    let plain: Vec<_> = plain.into_iter().filter(|(_, list)| settings::is_file(list)).collect();
    let all = |store: &Store| (0..store.n_samples()).collect::<Vec<usize>>();
    if let Held::Groups(_) = &data.held {
        let store = &data.trains[0];
        for (name, path) in &plain {
            let what = format!(
                "the list {name}, which is one for all groups that are held out (one list a group: {ROUND} in its file's name),"
            );
            list(Path::new(path))?.warn(&what, store, &all(store), report);
        }
        let (names, group) = grouping(store, stage.group_by()).unwrap_or_default();
        for (name, path) in by_round {
            for (i, round) in names.iter().enumerate() {
                let held: Vec<usize> = all(store).into_iter().filter(|sample| group[*sample] == i).collect();
                let samples = list(Path::new(&path.replace(ROUND, round)))?;
                samples.warn(&format!("the list {name} of {round}"), store, &held, report);
            }
        }
        return Ok(());
    }
    for (i, test) in data.tests.iter().enumerate() {
        let train = &data.trains[i.min(data.trains.len() - 1)];
        let mut known = vec![("the fit".to_string(), Remembered::all(train).and(&Remembered::default()))];
        let round = (i + 1).to_string();
        for (name, path) in plain.iter().chain(&by_round) {
            let samples = list(Path::new(&path.replace(ROUND, &round)))?;
            // what is mostly so is said once
            if samples != known[0].1 {
                known.push((format!("the list {name}"), samples));
            }
        }
        known.iter().for_each(|(what, samples)| samples.warn(what, test, &all(test), report));
        warn_of_preparation(test, report);
    }
    Ok(())
}

/// The panel of L1000, where enough of its genes are found.
fn panel(side: &Side, finder: &Finder, bench: &Workbench) -> Option<LandmarkSet> {
    match LandmarkSet::read("l1000=l1000", side, finder) {
        Ok(set) => Some(set),
        Err(error) => {
            (bench.report)(Event::Note(format!("l1000 is left out of the comparison: {error}")));
            None
        }
    }
}

/// The sets of one size and what they infer.
fn plan(
    stage: &Compare,
    data: &Data,
    size: Option<usize>,
    bench: &Workbench,
) -> Result<(PlanSettings, Plan)> {
    let Data { trains, tests, name, finder, identity, places, targets, .. } = data;
    let side = Side::of_store(name, &trains[0]);
    let rounds = data.rounds();
    let read = |text: &String| {
        let text = size.map_or(text.clone(), |size| text.replace("{size}", &size.to_string()));
        match text.contains(ROUND) {
            false => LandmarkSet::read(&text, &side, finder),
            true if rounds.is_empty() => Err(Error::Usage(format!(
                "--landmarks {text}: {ROUND} stands for the group or the split that is held out, but there is one split; give \
                 --hold-out groups, or several stores to --train and --test"
            ))),
            true => LandmarkSet::read_by_round(&text, &rounds, &side, finder),
        }
    };
    let ranked = stage.landmarks.iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut unranked = stage.subsets.iter().map(read).collect::<Result<Vec<_>>>()?;
    if stage.l1000 {
        unranked.extend(panel(&side, finder, bench).map(|mut panel| {
            panel.genes.retain(|gene| places.iter().all(|places| places[*gene].is_some()));
            panel
        }));
        unranked.retain(|pool| !pool.genes.is_empty());
    }
    let largest = stage.options.size.iter().copied().max();
    // At the largest size of several the lists stand whole too, so that it is seen how many genes are as good.
    let whole = match (stage.options.size.len() > 1 && size == largest, largest) {
        (true, Some(largest)) => unranked.iter().filter(|pool| pool.genes.len() > largest).cloned().collect(),
        _ => Vec::new(),
    };
    let settings = PlanSettings {
        size,
        random_draws: stage.draws(),
        largest: largest.unwrap_or(0),
        drop_leaks: stage.options.drop_leaks,
        seed: stage.seed,
    };
    let named = Named { ranked, unranked, whole, targets: targets.clone(), rounds };
    let tests = if let Held::Groups(_) = data.held { std::slice::from_ref(&trains[0]) } else { tests };
    let plan = Plan::new(&trains[0], tests, places.clone(), named, identity, &settings, bench.report)?;
    Ok((settings, plan))
}

/// Compares the sets of a plan and writes the folder.
fn one(
    stage: &Compare,
    data: &Data,
    (settings, plan): (&PlanSettings, &Plan),
    dir: &Path,
    bench: &mut Workbench,
) -> Result<(SizeFacts, Vec<Tested>)> {
    let report = bench.report;
    let mut design = data.design(plan, stage.group_by())?;
    design.adapts = stage.options.adapt;
    let ceilings = ceilings(stage, &design, plan, report)?;
    let tested = compare_by(bench.executor()?, &design, plan, &data.fitting, report)?;
    let tests = Tests::of(plan, &tested, stage.resamples(), stage.seed);
    let told = Told { ceilings: &ceilings, ..Told::of(plan, &tested, &tests) };
    let device = bench.device_name().unwrap_or_default().to_string();
    let notes = notes(stage, data, (settings, plan), &device)?;
    write_into(dir, &told, data.trains[0].genes(), &notes)?;
    let text = describe(&told);
    let facts = |(i, one): (usize, &Tested)| TestFacts {
        store: file_name(&one.store),
        samples: one.test.samples.len(),
        targets: one.targets.len(),
        sets: set_figures(plan, &tested, i, &tests.ranks),
        pairs: (tests.differences.iter())
            .filter(|pair| pair.test == i && pair.measure == Measure::Nmse)
            .map(pair_facts)
            .collect(),
    };
    let of_tests = tested.iter().enumerate().map(facts).collect();
    Ok((SizeFacts { size: settings.size, text, tests: of_tests }, tested))
}

/// What replicates allow, of each test.
fn ceilings(stage: &Compare, design: &Design, plan: &Plan, report: Reporter) -> Result<Vec<Option<Ceiling>>> {
    let Some(column) = &stage.options.replicates else { return Ok(Vec::new()) };
    let baselines: Vec<_> = design.rounds.iter().map(Round::baseline).collect();
    let of = |test: usize| {
        let held = || design.rounds.iter().flat_map(|r| &r.held).filter(|held| held.test == test);
        let common = plan.targets.iter().zip(&plan.common).filter(|(_, common)| **common);
        let there = common.map(|(gene, _)| *gene).filter(|gene| held().all(|h| h.places[*gene].is_some()));
        let found = ceiling(design, test, &there.collect::<Vec<_>>(), &baselines, column)?;
        if found.is_none() {
            let name = &design.tests[test].name;
            report(Event::Warning(format!(
                "{name}: no two samples have the same {column:?}, so there are no replicates"
            )));
        }
        Ok(found)
    };
    (0..design.tests.len()).map(of).collect()
}

/// What the figures come from: settings, stores, sets.
fn notes(
    stage: &Compare,
    data: &Data,
    (settings, plan): (&PlanSettings, &Plan),
    device: &str,
) -> Result<Value> {
    let store = |path: &PathBuf| {
        let store = Store::open(path)?;
        Ok::<_, Error>(json!({
            "path": store.path().display().to_string(), "fingerprint": store.info().fingerprint(),
            "samples": store.n_samples(), "genes": store.n_genes(),
        }))
    };
    let stores = |paths: &[PathBuf]| paths.iter().map(store).collect::<Result<Vec<_>>>();
    let mut described = Vec::new();
    for (set, leaking) in plan.sets.iter().zip(&plan.leaks.by_set) {
        let file = Some(PathBuf::from(&set.source)).filter(|path| path.is_file());
        let sha256 = file.map(|path| InputFile::of(&path, "landmarks")).transpose()?.map(|file| file.sha256);
        described.push(json!({
            "name": set.name, "source": set.source, "sha256": sha256, "draw-of": set.draw_of,
            "genes": set.genes.len(), "leaking-targets": leaking,
        }));
    }
    let trains = stores(&stage.trains)?;
    let asked = stage.options.targets.as_deref().unwrap_or("common");
    let held = match &data.held {
        Held::Split => "the test stores, once".to_string(),
        Held::Groups(column) => format!("every group by {column}, once"),
        Held::Splits => "the test store of each split".into(),
    };
    Ok(json!({
        "genelift": env!("CARGO_PKG_VERSION"),
        "device": device,
        "train": if trains.len() == 1 { trains[0].clone() } else { json!(trains) },
        "tests": stores(&stage.tests)?,
        "held-out": held,
        "plan": settings,
        "fit": data.fitting,
        "adapted-to-test-landmarks": stage.options.adapt,
        "resamples": stage.resamples(),
        "targets": {
            "asked": asked, "used": plan.common.iter().filter(|common| **common).count(), "of-this-size": plan.targets.len(),
            "leaking": plan.leaks.found, "map": stage.options.map,
        },
        "tests.tsv": "differences over samples, or over groups of samples: what holds on other samples",
        "tests_over_genes.tsv": "the paper's tests: they take genes as independent of one another, which they are not, and the samples as all \
                                 that there are; pairs of random sets are mostly \"significant\" by them",
        "sets": described,
    }))
}
