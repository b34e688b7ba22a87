//! Comparison of landmark sets: figures against a naive recomputation, targets, draws, leaks, tables, bad input.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use common::example_store;
use genelift::compare::{
    Identity, LandmarkSet, Measure, Named, Plan, PlanSettings, Tested, compare, pair_differences, pair_tests,
    places,
};
use genelift::device::cpu::CpuExecutor;
use genelift::device::recording::Element;
use genelift::genes::{Finder, MapSettings, Matching, Side, Table};
use genelift::infer::{FitSettings, LinearSettings, Method, MissingLandmarks, Predictor};
use genelift::progress::{Event, silent};
use genelift::store::{Origin, Store, StoreWriter};

const GENES: usize = 90;
const NO_DRAWS: PlanSettings =
    PlanSettings { size: None, random_draws: 0, largest: 0, drop_leaks: false, seed: 1 };

/// Where the training store's genes are in the others.
fn at(train: &Store, tests: &[Store]) -> Vec<Vec<Option<usize>>> {
    let matching = Matching::default();
    let finder = Finder::new(&matching, false, &silent).unwrap();
    places(&finder, &Side::of_store("train", train), tests).unwrap()
}

/// Samples and genes of a store as a store of their own, each value through `change` (gene of the source, value).
fn part(
    store: &Store,
    path: PathBuf,
    samples: std::ops::Range<usize>,
    genes: &[usize],
    change: impl Fn(usize, f32) -> f32,
) -> Store {
    let mut writer = StoreWriter::create(&path, genes.len(), Element::F32, false).unwrap();
    let mut row = vec![0.0; store.n_genes()];
    for sample in samples.clone() {
        store.read_row(sample, &mut row);
        writer.push_rows(&genes.iter().map(|g| change(*g, row[*g])).collect::<Vec<f32>>()).unwrap();
    }
    let samples = store.samples().select(&samples.collect::<Vec<_>>());
    writer.finish(store.genes().select(genes), samples, Origin::default()).unwrap()
}

/// Sixty training samples and twenty others.
fn stores(dir: &Path) -> (Store, Store) {
    let all = example_store(dir, 80, GENES);
    let genes: Vec<usize> = (0..GENES).collect();
    let cut = |name: &str, samples| part(&all, dir.join(name), samples, &genes, |_, x| x);
    (cut("train.gex", 0..60), cut("test.gex", 60..80))
}

fn set(name: &str, genes: &[usize]) -> LandmarkSet {
    let (name, source, genes) = (name.into(), "test".into(), genes.to_vec());
    LandmarkSet { name, source, draw_of: None, genes, by_round: Vec::new() }
}

fn fitting() -> FitSettings {
    let linear = LinearSettings { penalty: Some(3.0), ..LinearSettings::default() };
    FitSettings { method: Method::Linear, linear, ..FitSettings::default() }
}

fn plan(
    train: &Store,
    tests: &[Store],
    sets: Vec<LandmarkSet>,
    settings: &PlanSettings,
) -> genelift::Result<Plan> {
    let identity = Identity::new(train.genes(), None, &silent).unwrap();
    Plan::new(train, tests, at(train, tests), sets.into(), &identity, settings, &silent)
}

fn compared(train: &Store, tests: &[Store], plan: &Plan) -> Vec<Tested> {
    let mut executor = CpuExecutor::open(Some(2)).unwrap();
    compare(&mut executor, train, tests, plan, &fitting(), &silent).unwrap()
}

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(x, y)| f(x - mx, y - my)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

#[test]
fn figures_equal_a_naive_recomputation() {
    let dir = tempfile::tempdir().unwrap();
    let (train, test) = stores(dir.path());
    let tests = [test];
    let sets = vec![set("a", &[8, 3, 20, 41, 5]), set("b", &[60, 3, 61]), set("again", &[41, 3, 5, 8, 20])];
    let plan = plan(&train, &tests, sets, &PlanSettings { random_draws: 2, ..NO_DRAWS }).unwrap();
    let names: Vec<&str> = plan.sets.iter().map(|set| set.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "again", "random-3-1", "random-3-2", "random-5-1", "random-5-2"]);
    let landmark = |g: &usize| plan.sets.iter().any(|set| set.genes.contains(g));
    assert_eq!(plan.targets, (0..GENES).filter(|g| !landmark(g)).collect::<Vec<_>>());
    let tested = compared(&train, &tests, &plan);

    let samples: Vec<usize> = (0..train.n_samples()).collect();
    let n = plan.targets.len();
    for (set, outcome) in plan.sets.iter().zip(&tested[0].outcomes) {
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let fitted =
            Predictor::fit(&mut executor, &train, &samples, &set.genes, &plan.targets, &fitting(), &silent);
        let mut inferred: Vec<Vec<f64>> = vec![Vec::new(); n];
        let mut visit = |_: usize, rows: &[f32]| {
            rows.chunks_exact(n).for_each(|row| {
                inferred.iter_mut().zip(row).for_each(|(values, x)| values.push(f64::from(*x)));
            });
            Ok(())
        };
        let missing = MissingLandmarks::Refuse;
        let fitted = fitted.unwrap();
        let matching = Matching::default();
        let finder = Finder::new(&matching, false, &silent).unwrap();
        let places = fitted.places(&tests[0], missing, &finder, &silent).unwrap().landmarks;
        fitted.predict(&mut executor, &tests[0], &places, &silent, &mut visit).unwrap();
        let (mut columns, mut measured) = (Vec::new(), Vec::new());
        tests[0].read_columns(0, GENES, &mut columns);
        for target in &plan.targets {
            let column = &columns[target * 20..(target + 1) * 20];
            measured.push(column.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>());
        }
        for j in 0..n {
            let (x, y, f) = (&measured[j], &inferred[j], &outcome.by_gene[j]);
            let mae = x.iter().zip(y).map(|(x, y)| (x - y).abs()).sum::<f64>() / 20.0;
            let own = pearson(x, y);
            assert!((f.mae - mae).abs() < 1e-5, "{} {j}: {} {mae}", set.name, f.mae);
            assert!((f.pcc.unwrap() - own).abs() < 1e-4);
            let above = (0..n).filter(|k| *k != j && pearson(&measured[*k], y) > own).count() as i64;
            // another order of the landmarks rounds otherwise, so a near tie may fall to the other side
            assert!(
                (i64::from(outcome.permutation.above[j].unwrap()) - above).abs() <= 1,
                "{} {j}",
                set.name
            );
        }
    }

    let [a, b, again] = [0, 1, 2].map(|s| &tested[0].outcomes[s]);
    assert_eq!((&a.by_gene, &a.permutation), (&again.by_gene, &again.permutation), "order does not matter");
    assert_ne!(a.by_gene, b.by_gene);
    let pairs = pair_tests(&plan, &tested, 500, 7);
    let of = |measure, a: &str, b: &str| {
        pairs.iter().find(|p| p.measure == measure && p.a == a && p.b == b).unwrap()
    };
    let same = of(Measure::Mae, "a", "again");
    assert_eq!((same.t, same.wilcoxon, same.won, same.lost), (None, None, Some(0.0), Some(0.0)));
    assert_eq!(same.interval, Some((0.0, 0.0)));
    for measure in Measure::ALL {
        let test = of(measure, "a", "b");
        let (low, high) = test.interval.unwrap();
        let (first, second) = test.means.unwrap();
        assert!(low < first - second && first - second < high && test.genes == n);
        assert!((test.won.unwrap() + test.lost.unwrap() - 1.0).abs() < 1e-12);
        let better = measure.won(first - second);
        assert_eq!(better, test.won > test.lost, "five landmarks against three, on average and by gene");
    }
    // against the mean of the draws of its size
    let random = of(Measure::Mae, "b", "random-3");
    let draws = [3, 4].map(|s| &tested[0].outcomes[s].by_gene);
    let mean = (0..n).map(|g| (draws[0][g].mae + draws[1][g].mae) / 2.0).sum::<f64>() / n as f64;
    assert!((random.means.unwrap().1 - mean).abs() < 1e-12);
    assert_eq!(pairs.len(), 3 * (3 + 3), "three measures: three pairs, and three against random draws");
}

#[test]
fn draws_hang_on_the_seed_and_come_from_measured_genes() {
    let dir = tempfile::tempdir().unwrap();
    let (train, test) = stores(dir.path());
    let some: Vec<usize> = (0..GENES).filter(|g| g % 3 != 0).rev().collect();
    let tests = [part(&test, dir.path().join("some.gex"), 0..20, &some, |_, x| x), test];
    let settings = PlanSettings { random_draws: 3, size: Some(4), ..NO_DRAWS };
    let sets = || vec![set("a", &[50, 2, 1, 4, 5]), set("b", &[7, 8])];
    let first = plan(&train, &tests, sets(), &settings).unwrap();
    assert_eq!(first.sets[0].genes, [50, 2, 1, 4], "the first ones of the list");
    assert_eq!(first.sets.len(), 2 + 3 + 3);
    assert!(first.sets.iter().all(|set| set.genes.iter().all(|g| g % 3 != 0)));
    assert_eq!(first.sets, plan(&train, &tests, sets(), &settings).unwrap().sets);
    let other = plan(&train, &tests, sets(), &PlanSettings { seed: 2, ..settings }).unwrap();
    assert_ne!(first.sets, other.sets);
    // targets that one store lacks are left out there alone
    let tested = compared(&train, &tests, &first);
    assert!(first.targets.iter().any(|g| g % 3 == 0));
    assert_eq!(tested[1].targets, first.targets);
    assert_eq!(tested[0].targets, first.targets.iter().copied().filter(|g| g % 3 != 0).collect::<Vec<_>>());
    let common: Vec<usize> =
        (0..first.targets.len()).filter(|i| !first.targets[*i].is_multiple_of(3)).collect();
    for (some, all) in tested[0].outcomes.iter().zip(&tested[1].outcomes) {
        let all: Vec<_> = common.iter().map(|i| all.by_gene[*i]).collect();
        assert_eq!(some.by_gene, all, "genes in another order");
    }
}

#[test]
fn subsets_of_a_list_are_drawn_and_averaged() {
    let dir = tempfile::tempdir().unwrap();
    let (train, test) = stores(dir.path());
    let tests = [test];
    let identity = Identity::new(train.genes(), None, &silent).unwrap();
    let pool: Vec<usize> = (10..20).collect();
    let plan = |size| {
        let named = Named {
            ranked: vec![set("a", &[2, 1, 3, 5])],
            unranked: vec![set("panel", &pool)],
            ..Named::default()
        };
        let settings = PlanSettings { random_draws: 3, size, ..NO_DRAWS };
        Plan::new(&train, &tests, at(&train, &tests), named, &identity, &settings, &silent)
    };
    let four = plan(Some(4)).unwrap();
    let names: Vec<_> = four.draws().into_iter().map(|(name, draws)| (name.to_string(), draws)).collect();
    assert_eq!(names, [("panel-4".into(), vec![1, 2, 3]), ("random-4".into(), vec![4, 5, 6])]);
    let of_panel = &four.sets[1..4];
    assert!(of_panel.iter().all(|s| s.genes.len() == 4 && s.genes.iter().all(|g| pool.contains(g))));
    assert_ne!(of_panel[0].genes, of_panel[1].genes);

    let tested = compared(&train, &tests, &four);
    let pairs = pair_tests(&four, &tested, 20, 1);
    let sides: Vec<_> = pairs.iter().map(|p| (p.a.as_str(), p.b.as_str())).collect();
    assert_eq!(sides, [("a", "panel-4"), ("a", "random-4")].repeat(3));
    let mean = |set: usize| {
        let genes = &tested[0].outcomes[set].by_gene;
        genes.iter().map(|f| f.mae).sum::<f64>() / genes.len() as f64
    };
    assert!((pairs[2].means.unwrap().1 - (mean(1) + mean(2) + mean(3)) / 3.0).abs() < 1e-12);

    // a list of no more genes than asked is a set like any other
    let whole = plan(Some(10)).unwrap();
    assert_eq!((whole.sets[1].name.as_str(), &whole.sets[1].draw_of), ("panel", &None));
    assert!(plan(None).unwrap_err().to_string().contains("give the --size"));
}

#[test]
fn what_is_not_defined_is_reported_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let (train, test) = stores(dir.path());
    let genes: Vec<usize> = (0..GENES).collect();
    let constant = |g: usize, x: f32| if g == 30 { 2.5 } else { x };
    let tests = [
        part(&test, dir.path().join("one.gex"), 4..5, &genes, |_, x| x),
        part(&test, dir.path().join("constant.gex"), 0..20, &genes, constant),
    ];
    let plan = plan(&train, &tests, vec![set("a", &[0, 1]), set("b", &[2, 3])], &NO_DRAWS).unwrap();
    let tested = compared(&train, &tests, &plan);
    let [one, constant] = [0, 1].map(|t| &tested[t].outcomes[0]);
    assert!(one.by_gene.iter().all(|f| f.pcc.is_none() && f.r2.is_none() && f.mae.is_finite()));
    assert_eq!((one.permutation.undefined(), one.permutation.passed()), (GENES - 4, 0));
    let at = plan.targets.iter().position(|g| *g == 30).unwrap();
    let undefined: Vec<usize> =
        (0..plan.targets.len()).filter(|i| constant.by_gene[*i].pcc.is_none()).collect();
    assert_eq!((undefined, constant.permutation.passes(at)), (vec![at], None));
    let pairs = pair_tests(&plan, &tested, 100, 1);
    let genes: Vec<usize> = pairs.iter().map(|p| p.genes).collect();
    let n = GENES - 4;
    assert_eq!(genes, [n, n, 0, n, n, n - 1]);
    assert!(pairs[2].means.is_none() && pairs[2].won.is_none() && pairs[5].means.is_some());
    // one sample: its errors and no interval, no correlation
    let over = pair_differences(&plan, &tested, 100, 1);
    assert_eq!(over.len(), 6);
    assert!(over[0].difference.unwrap().interval.is_none() && over[0].means.is_some());
    assert!(over[2].difference.is_none() && over[5].difference.is_some());
}

#[test]
fn impossible_comparisons_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let (train, test) = stores(dir.path());
    let fewer: Vec<usize> = (10..GENES).collect();
    let some = part(&test, dir.path().join("some.gex"), 0..20, &fewer, |_, x| x);
    let tests = [test];
    let message = |tests: &[Store], sets: Vec<LandmarkSet>, settings: PlanSettings| {
        plan(&train, tests, sets, &settings).unwrap_err().to_string()
    };
    let two = || vec![set("a", &[0, 1, 20]), set("b", &[2, 3])];
    let gene = &train.genes().ids[0];
    let text = message(&[some], two(), NO_DRAWS);
    assert!(text.contains("lacks 2 of the 3 landmarks of set a") && text.contains(gene), "{text}");
    let text = message(&tests, two(), PlanSettings { size: Some(91), ..NO_DRAWS });
    assert!(text.contains("--size 91") && text.contains("only 90 genes"), "{text}");
    assert!(message(&tests, two(), PlanSettings { size: Some(0), ..NO_DRAWS }).contains("at least 1"));
    let text = message(&tests, vec![set("a", &[0]), set("a", &[1])], NO_DRAWS);
    assert!(text.contains("two sets are called a"), "{text}");
    let half: Vec<usize> = (0..45).collect();
    let rest: Vec<usize> = (45..GENES).collect();
    let text = message(&tests, vec![set("a", &half), set("b", &rest)], NO_DRAWS);
    assert!(text.contains("no target remains"), "{text}");
    assert!(message(&tests, vec![], NO_DRAWS).contains("at least one set"));

    let warned = Mutex::new(Vec::new());
    let listen = |event| {
        if let Event::Warning(text) = event {
            warned.lock().unwrap().push(text);
        }
    };
    let identity = Identity::new(train.genes(), None, &silent).unwrap();
    let itself = [Store::open(train.path()).unwrap()];
    let most = vec![set("a", &(0..85).collect::<Vec<_>>())];
    Plan::new(&train, &itself, at(&train, &itself), most.into(), &identity, &NO_DRAWS, &listen).unwrap();
    let warned = warned.into_inner().unwrap();
    assert!(warned.len() == 1 && warned[0].contains("only 5 of 90 genes"), "{warned:?}");
}

/// It measures targets of each size, none of which is one at the other.
#[test]
fn a_test_without_a_target_of_every_size_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (train, test) = stores(dir.path());
    let tests = [part(&test, dir.path().join("few.gex"), 0..20, &[0, 1, 2, 3, 4], |_, x| x), test];
    let of = |genes: &[usize]| plan(&train, &tests, vec![set("a", genes)], &NO_DRAWS).unwrap();
    let (mut two, mut three) = (of(&[0, 1]), of(&[2, 3, 4]));
    Plan::settle_common(&mut [&mut two, &mut three], GENES).unwrap();
    let mut executor = CpuExecutor::open(Some(1)).unwrap();
    for plan in [two, three] {
        let found = compare(&mut executor, &train, &tests, &plan, &fitting(), &silent);
        let error = found.unwrap_err().to_string();
        assert!(error.contains("few.gex: of the genes that are inferred at every size (85) none"), "{error}");
    }
}

#[test]
fn what_many_sets_are_warned_of_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let (train, test) = stores(dir.path());
    let genes: Vec<usize> = (0..GENES).collect();
    let flat = |g: usize, x: f32| if g < 2 { 2.5 } else { x };
    let train = part(&train, dir.path().join("flat.gex"), 0..60, &genes, flat);
    let tests = [test];
    let sets = vec![set("a", &[0, 2]), set("b", &[3, 4]), set("c", &[1, 5])];
    let plan = plan(&train, &tests, sets, &NO_DRAWS).unwrap();
    let warned = Mutex::new(Vec::new());
    let listen = |event| {
        if let Event::Warning(text) = event {
            warned.lock().unwrap().push(text);
        }
    };
    let mut executor = CpuExecutor::open(Some(2)).unwrap();
    compare(&mut executor, &train, &tests, &plan, &fitting(), &listen).unwrap();
    let warned = warned.into_inner().unwrap();
    let of_landmarks: Vec<&String> = warned.iter().filter(|text| text.contains("landmarks have")).collect();
    let told = "2 sets: 1 of 2 landmarks have one value in all samples and say nothing (a, c)";
    assert_eq!(of_landmarks, [told], "{warned:?}");
}

#[test]
fn leaking_targets_are_counted_and_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (train, test) = stores(dir.path());
    let tests = [test];
    let map = dir.path().join("map.tsv");
    let lines = [(0, "X"), (30, "X"), (31, "Y"), (32, "X")]
        .map(|(g, name)| format!("{}\t{name}\n", train.genes().ids[g]));
    std::fs::write(&map, format!("probe\tgene\n{}", lines.concat())).unwrap();
    let identity = Identity::new(
        &Table::new("gene_id", train.genes().ids.clone()),
        Some(&MapSettings::of(&map)),
        &silent,
    )
    .unwrap();
    for (drop_leaks, targets) in [(false, 86), (true, 84)] {
        let sets = vec![set("a", &[0, 1]), set("b", &[2, 3])];
        let settings = PlanSettings { drop_leaks, ..NO_DRAWS };
        let plan = Plan::new(&train, &tests, at(&train, &tests), sets.into(), &identity, &settings, &silent)
            .unwrap();
        assert_eq!(
            (plan.targets.len(), plan.leaks.found, plan.leaks.by_set.as_slice()),
            (targets, 2, &[2, 0][..])
        );
        assert_eq!(plan.targets.contains(&30), !drop_leaks);
        assert!(plan.targets.contains(&31));
    }
}

fn genelift(dir: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_genelift");
    Command::new(program).current_dir(dir).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Before anything is opened: none of the stores is there.
#[test]
fn lists_are_not_called_as_draws_are() {
    let dir = tempfile::tempdir().unwrap();
    let told = |sets: &[&str]| {
        let command = ["compare", "--train", "a.gex", "--test", "b.gex", "-o", "out", "--device", "cpu"];
        let output = genelift(dir.path(), &[&command[..], &["--landmarks"], sets].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (sets, name) in [
        (&["random=v.tsv", "d=l.tsv", "--size", "10,25"][..], "random"),
        (&["random-20=f.tsv", "--size", "20"], "random-20"),
        (&["d=f.tsv", "--subsets", "d=g.tsv", "--size", "20"], "d"),
        (&["d-20=f.tsv", "--subsets", "d=g.tsv", "--size", "20"], "d-20"),
    ] {
        let (code, error) = told(sets);
        let expected = format!("a set is called {name}, but ");
        assert!(code == Some(2) && error.contains(&expected), "{error}");
        assert!(error.contains("choose another name"), "{error}");
    }
    let (_, error) = told(&["randomforest=f.tsv", "random-x=f.tsv", "--subsets", "d=g.tsv", "--size", "20"]);
    assert!(!error.contains("choose another name"), "{error}");
}

#[test]
fn the_command_writes_tables() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (train, _) = stores(dir);
    let list = |name: &str, genes: &[usize]| {
        let ids: Vec<&str> = genes.iter().map(|g| train.genes().ids[*g].as_str()).collect();
        std::fs::write(dir.join(name), format!("rank\tgene_id\n1\t{}\n", ids.join("\n1\t"))).unwrap();
    };
    list("a.tsv", &[40, 3, 20]);
    list("b.tsv", &[50, 51, 52, 53]);
    let arguments = [
        "compare",
        "--train",
        "train.gex",
        "--test",
        "test.gex,train.gex",
        "--landmarks",
        "a=a.tsv",
        "b=b.tsv",
        "-o",
        "out",
        "--random-draws",
        "2",
        "--size",
        "3",
        "--resamples",
        "50",
        "--device",
        "cpu",
    ];
    let output = genelift(dir, &arguments);
    let (text, notes) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{notes}");
    assert!(text.contains("test.gex: 20 samples, "), "{text}");
    assert!(text.contains("random-3") && text.contains(" ± ") && !text.contains("random-3-1"), "{text}");
    assert!(
        notes.contains("60 of 60 samples of train.gex are among those that the fit comes from"),
        "{notes}"
    );

    let table = |name: &str| {
        let text = std::fs::read_to_string(dir.join("out").join(name)).unwrap();
        let rows: Vec<Vec<String>> =
            text.lines().map(|l| l.split('\t').map(String::from).collect()).collect();
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}");
        rows
    };
    let summary = table("summary.tsv");
    assert_eq!(summary.len(), 1 + 2 * (2 + 2 + 2), "two stores: sets, draws, mean and sd of the draws");
    let targets: usize = summary[1][4].parse().unwrap();
    let figure = |set: &str, name: &str| -> f64 {
        let column = summary[0].iter().position(|h| h == name).unwrap();
        let row = summary.iter().find(|r| r[0] == set && r[2] == "test.gex").unwrap();
        row[column].parse().unwrap()
    };
    let genes = table("genes.tsv");
    assert_eq!(genes[0][..4], ["set", "test", "gene_id", "mae"], "these genes have no symbols");
    let at = |name: &str| genes[0].iter().position(|h| h == name).unwrap();
    assert_eq!(genes.len(), 1 + 2 * 4 * targets);
    let of_a: Vec<&Vec<String>> = genes.iter().filter(|r| r[0] == "a" && r[1] == "test.gex").collect();
    let mae = of_a.iter().map(|r| r[at("mae")].parse::<f64>().unwrap()).sum::<f64>() / targets as f64;
    assert!((figure("a", "mae_mean") - mae).abs() < 1e-12);
    let passed = of_a.iter().filter(|r| r[at("passes")] == "true").count();
    assert_eq!(figure("a", "permutation_passed"), passed as f64);
    let mean = (figure("random-3-1", "mae_mean") + figure("random-3-2", "mae_mean")) / 2.0;
    assert!((figure("random-3", "mae_mean") - mean).abs() < 1e-12);
    assert_eq!(table("tests.tsv").len(), 1 + 2 * 3 * (1 + 2));
    assert_eq!(table("tests_over_genes.tsv").len(), 1 + 2 * 3 * (1 + 2));
    assert_eq!(table("ranks.tsv").len(), 1 + 2 * 3 * 2);
    assert_eq!(table("groups.tsv").len(), 1, "no groups");
    // a mean over samples is the mean over genes, and what tests.tsv is taken over is in samples.tsv
    let tests = table("tests.tsv");
    let samples = table("samples.tsv");
    assert_eq!(samples.len(), 1 + 2 * (20 + 60));
    let of_a: Vec<f64> =
        samples.iter().filter(|r| r[0] == "a" && r[1] == "test.gex").map(|r| r[4].parse().unwrap()).collect();
    let nmse = of_a.iter().sum::<f64>() / 20.0;
    assert!((figure("a", "nmse_mean") - nmse).abs() < 1e-9 && tests[1][4..6] == ["samples", "20"]);
    assert!((tests[1][6].parse::<f64>().unwrap() - nmse).abs() < 1e-9);
    assert_eq!(table("overlap.tsv").len(), 1 + 6);
    let ids = &train.genes().ids;
    let row = |rank: &str, gene: usize| ["a", rank, &ids[gene]].map(String::from).to_vec();
    let header = ["set", "rank", "gene_id"].map(String::from).to_vec();
    assert_eq!(table("sets.tsv")[..4], [header, row("1", 40), row("2", 3), row("3", 20)]);
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("out/compare.json")).unwrap()).unwrap();
    assert_eq!(json["targets"]["used"], targets);
    assert_eq!(json["sets"][0]["sha256"].as_str().unwrap().len(), 64);

    // several sizes: a folder each, the summaries together; {size} in names; lists drawn from
    list("b-2.tsv", &[50, 51]);
    list("b-3.tsv", &[50, 52, 53]);
    let mut several = arguments.to_vec();
    (several[7], several[9], several[13]) = ("b=b-{size}.tsv", "sizes", "3,2");
    several.extend(["--subsets", "l1000=b.tsv"]);
    let output = genelift(dir, &several);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let one = |name: &str| std::fs::read_to_string(dir.join("sizes").join(name)).unwrap();
    let (three, two) = (one("3/summary.tsv"), one("2/summary.tsv"));
    // named, subsets, draws, means and sds of both; at the largest size the whole list too
    assert_eq!(three.lines().count(), 1 + 2 * (2 + 2 + 2 + 4 + 1));
    assert_eq!(one("summary.tsv"), three + two.split_once('\n').unwrap().1);
    assert!(one("2/sets.tsv").contains(&format!("b\t2\t{}", train.genes().ids[51])));
    assert!(one("2/sets.tsv").contains("l1000-2-1\t1\t"));
    // the same targets at both sizes; the whole list beside the largest
    let count = |text: &str| text.lines().nth(1).unwrap().split('\t').nth(4).unwrap().to_string();
    assert_eq!(count(&one("3/summary.tsv")), count(&one("2/summary.tsv")));
    assert!(one("3/summary.tsv").lines().any(|line| line.starts_with("l1000\tset\t")));
    let curves = one("curve.tsv");
    assert!(
        curves.lines().any(|line| line.starts_with("l1000\ttest.gex\t") || line.contains("\tl1000\t4\t"))
    );
    assert!(one("equals.tsv").starts_with("test\tset\tother\tn_other\tnmse_other\tequal_at\n"));
    several[13] = "3,3";
    several[9] = "twice";
    assert_eq!(genelift(dir, &several).status.code(), Some(2));

    let again = genelift(dir, &arguments);
    let message = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.code() == Some(1) && message.contains("out already exists"), "{message}");
    let mut wrong = arguments;
    wrong[6] = "a.tsv";
    wrong[9] = "new";
    let refused = genelift(dir, &wrong);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("expected NAME=TSV"));
}
