//! What is held out by `compare`: every group once, several splits, lists chosen anew for each; targets that are the same at every
//! size; what replicates allow.

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::example_store;
use genelift::compare::{
    Ceiling, Design, Identity, LandmarkSet, Measure, Plan, PlanSettings, Tested, ceiling, compare_by, curve,
    pair_differences, places, ranks,
};
use genelift::device::cpu::CpuExecutor;
use genelift::device::recording::Element;
use genelift::evaluate::differences::{Basis, difference};
use genelift::genes::{Finder, Matching, Side, Table};
use genelift::infer::{FitSettings, LinearSettings, Method};
use genelift::progress::{Event, silent};
use genelift::store::{Origin, Store, StoreWriter};

const GENES: usize = 60;

fn set(name: &str, genes: &[usize]) -> LandmarkSet {
    let (name, source, genes) = (name.into(), "test".into(), genes.to_vec());
    LandmarkSet { name, source, draw_of: None, genes, by_round: Vec::new() }
}

fn settings() -> PlanSettings {
    PlanSettings { size: None, random_draws: 6, largest: 0, drop_leaks: false, seed: 3 }
}

fn plan(train: &Store, tests: &[Store], sets: Vec<LandmarkSet>, settings: &PlanSettings) -> Plan {
    let matching = Matching::default();
    let finder = Finder::new(&matching, false, &silent).unwrap();
    let places = places(&finder, &Side::of_store("train", train), tests).unwrap();
    let identity = Identity::new(train.genes(), None, &silent).unwrap();
    Plan::new(train, tests, places, sets.into(), &identity, settings, &silent).unwrap()
}

/// The example's samples by some order, each of a study, as a store.
fn part(dir: &Path, name: &str, samples: &[usize], study: impl Fn(usize) -> String) -> Store {
    let whole = tempfile::tempdir().unwrap();
    let all = example_store(whole.path(), 80, GENES);
    let mut writer = StoreWriter::create(&dir.join(name), GENES, Element::F32, true).unwrap();
    let mut row = vec![0.0; GENES];
    for sample in samples {
        all.read_row(*sample, &mut row);
        writer.push_rows(&row).unwrap();
    }
    let mut table = all.samples().select(samples);
    table.set_column("study", samples.iter().map(|s| study(*s)).collect());
    writer.finish(all.genes().clone(), table, Origin::default()).unwrap()
}

fn compared(design: &Design, plan: &Plan) -> Vec<Tested> {
    let linear = LinearSettings { penalty: Some(3.0), ..LinearSettings::default() };
    let settings = FitSettings { method: Method::Linear, linear, ..FitSettings::default() };
    compare_by(&mut CpuExecutor::open(Some(2)).unwrap(), design, plan, &settings, &silent).unwrap()
}

/// Every group once is the same as a split for each group; a list chosen anew for each group is used for it alone.
#[test]
fn every_group_is_held_out_once() {
    let dir = tempfile::tempdir().unwrap();
    let samples: Vec<usize> = (0..80).collect();
    let study = |s: usize| format!("study {}", s % 4);
    let whole = part(dir.path(), "all.gex", &samples, study);
    let stores = [Store::open(whole.path()).unwrap()];
    let lists: Vec<Vec<usize>> = (0..4).map(|i| vec![1, 5, 10 + i]).collect();
    let anew = LandmarkSet { by_round: lists.clone(), ..set("anew", &lists[0]) };
    let plan = plan(&whole, &stores, vec![anew, set("one", &[2, 7, 21])], &settings());
    assert!(
        plan.targets.iter().all(|gene| !(10..14).contains(gene)),
        "landmarks of any round are no targets"
    );
    let design = Design::every_group(&whole, &plan, "study").unwrap();
    assert_eq!((design.rounds.len(), design.tests[0].samples.len()), (4, 80));
    let tested = compared(&design, &plan);

    let groups = &tested[0].test.groups;
    assert_eq!((groups.len(), tested[0].test.basis), (4, Basis::HeldOutGroups));
    for (i, name) in groups.iter().enumerate() {
        let (held, rest): (Vec<usize>, Vec<usize>) =
            samples.iter().copied().partition(|s| study(*s) == *name);
        let train = part(dir.path(), "rest.gex", &rest, study);
        let test = [part(dir.path(), "held.gex", &held, study)];
        let sets = vec![set("anew", &lists[i]), set("one", &[2, 7, 21])];
        let mut alone = self::plan(&train, &test, sets, &PlanSettings { random_draws: 0, ..settings() });
        alone.targets = plan.targets.clone();
        alone.common = vec![true; plan.targets.len()];
        let found = compared(&Design::split(&train, &test, &alone, None), &alone);
        for set in 0..2 {
            let of_samples = &found[0].outcomes[set].by_unit.samples;
            let nmse = of_samples.iter().filter_map(|s| s.nmse).sum::<f64>() / of_samples.len() as f64;
            let group = tested[0].outcomes[set].by_unit.groups[i].nmse.unwrap();
            assert!((nmse - group).abs() < 1e-9, "{name}, set {set}: {nmse} {group}");
        }
    }
    let pairs = pair_differences(&plan, &tested, 100, 1);
    let first = pairs[0].difference.unwrap();
    assert_eq!((first.units, first.freedom, first.flips_least), (4, Some(3.0), Some(0.125)));
    assert!(Design::every_group(&whole, &plan, "no").is_err());
}

/// A gene that varies in one study says nothing where that is held out: which one is told.
#[test]
fn warnings_name_the_group_that_is_held_out() {
    let dir = tempfile::tempdir().unwrap();
    let study = |s: usize| format!("study {}", s % 4);
    let all = part(dir.path(), "all.gex", &(0..80).collect::<Vec<_>>(), study);
    let mut values = vec![0.0f32; 80 * GENES];
    for (sample, row) in values.chunks_exact_mut(GENES).enumerate() {
        all.read_row(sample, row);
        if sample % 4 != 2 {
            row[1] = 2.5;
        }
        row[2] = 2.5;
    }
    let store = Store::in_memory("all", values, all.samples().clone(), all.genes().clone()).unwrap();
    let none = PlanSettings { random_draws: 0, ..settings() };
    let sets = vec![set("a", &[1, 5]), set("b", &[2, 7, 9])];
    let plan = plan(&store, std::slice::from_ref(&store), sets, &none);
    let design = Design::every_group(&store, &plan, "study").unwrap();
    let linear = LinearSettings { penalty: Some(3.0), ..LinearSettings::default() };
    let settings = FitSettings { method: Method::Linear, linear, ..FitSettings::default() };
    let said = std::sync::Mutex::new(Vec::new());
    let listen = |event| {
        if let Event::Warning(text) = event {
            said.lock().unwrap().push(text);
        }
    };
    compare_by(&mut CpuExecutor::open(Some(2)).unwrap(), &design, &plan, &settings, &listen).unwrap();
    let said = said.into_inner().unwrap();
    let found: Vec<&String> = said.iter().filter(|text| text.contains("landmarks have one value")).collect();
    let flat = "have one value in all samples and say nothing";
    let expected = [
        format!("1 set: 1 of 2 landmarks {flat} (a; study 2 held out)"),
        format!("1 set: 1 of 3 landmarks {flat} (b)"),
    ];
    assert!(found.iter().copied().eq(&expected), "{said:?}");
}

#[test]
fn few_groups_of_one_split_have_no_interval_and_splits_are_corrected() {
    let dir = tempfile::tempdir().unwrap();
    let study = |s: usize| if s == 61 { "NA".into() } else { format!("study {}", s % 5) };
    let train = part(dir.path(), "train.gex", &(0..60).collect::<Vec<_>>(), study);
    let tests = [part(dir.path(), "test.gex", &(60..80).collect::<Vec<_>>(), study)];
    let sets = || vec![set("a", &[1, 5, 9]), set("b", &[2, 7, 21])];
    let plan = plan(&train, &tests, sets(), &settings());
    let design = Design::split(&train, &tests, &plan, Some("study"));
    assert_eq!(design.tests[0].groups.len(), 6, "a sample without a label is a group by itself");
    let tested = compared(&design, &plan);
    let pair = pair_differences(&plan, &tested, 100, 1).swap_remove(0);
    let found = pair.difference.unwrap();
    assert_eq!((found.units, found.interval, found.p, found.flips_least), (6, None, None, Some(0.03125)));
    // without the column every sample is by itself
    let alone = compared(&Design::split(&train, &tests, &plan, None), &plan);
    let found = pair_differences(&plan, &alone, 300, 1).swap_remove(0).difference.unwrap();
    assert!(found.units == 20 && found.interval.is_some());

    let parts = |i: usize| (0..80).partition::<Vec<usize>, _>(|s| (s * 7 + i * 13) % 80 >= 20);
    let (trains, tests): (Vec<Store>, Vec<Store>) = (0..3)
        .map(|i| {
            let (rest, held) = parts(i);
            let name = |what: &str| format!("{what}{i}.gex");
            (part(dir.path(), &name("r"), &rest, study), part(dir.path(), &name("h"), &held, study))
        })
        .unzip();
    let plan = self::plan(&trains[0], &tests, sets(), &settings());
    let design = Design::splits(&trains, &tests, &plan, Some("study"));
    let Basis::Splits { ratio } = design.tests[0].basis else { panic!("{:?}", design.tests[0].basis) };
    assert!((ratio - 20.0 / 60.0).abs() < 1e-12);
    let tested = compared(&design, &plan);
    let found = pair_differences(&plan, &tested, 100, 1).swap_remove(0).difference.unwrap();
    assert!(found.units == 3 && found.interval.is_some() && found.flips_p.is_none());
}

#[test]
fn sizes_share_their_targets_and_sets_are_ranked_among_all_draws() {
    let dir = tempfile::tempdir().unwrap();
    let study = |_: usize| String::new();
    let train = part(dir.path(), "train.gex", &(0..60).collect::<Vec<_>>(), study);
    let tests = [part(dir.path(), "test.gex", &(60..80).collect::<Vec<_>>(), study)];
    let of = |size: usize| {
        let sets = vec![set("a", &(0..8).collect::<Vec<_>>()), set("copy", &(0..8).collect::<Vec<_>>())];
        plan(&train, &tests, sets, &PlanSettings { size: Some(size), largest: 8, ..settings() })
    };
    let (mut small, mut large) = (of(2), of(8));
    let most = small.targets.len();
    Plan::settle_common(&mut [&mut small, &mut large], GENES).unwrap();
    assert!(small.has_more() && most > large.targets.len());
    let design = |plan| Design::split(&train, &tests, plan, None);
    let (few, many) = (compared(&design(&small), &small), compared(&design(&large), &large));
    assert_eq!(few[0].targets, many[0].targets);
    assert!(few[0].targets.iter().all(|gene| large.targets.contains(gene)));
    assert_eq!(
        (few[0].outcomes[0].of_size.len(), few[0].outcomes[0].by_gene.len()),
        (most, many[0].targets.len())
    );

    let found = ranks(&large, &many);
    assert_eq!(found.len(), 2 * 3);
    for rank in found.iter().filter(|rank| rank.measure == Measure::Nmse) {
        let nmse = |set: usize| {
            let samples = &many[0].outcomes[set].by_unit.samples;
            samples.iter().map(|s| s.nmse.unwrap()).sum::<f64>()
        };
        let draws: Vec<usize> = (0..large.sets.len()).filter(|s| large.sets[*s].draw_of.is_some()).collect();
        let better = draws.iter().filter(|draw| nmse(**draw) < nmse(0)).count();
        assert_eq!((rank.draws, rank.rank), (6, 1 + better));
        assert!((rank.p - (1 + better) as f64 / 7.0).abs() < 1e-12);
    }
    let curves = curve(&[(&large, &many), (&small, &few)], 200, 1);
    let names: Vec<&str> = curves.iter().map(|curve| curve.set.as_str()).collect();
    assert_eq!(names, ["a", "copy", "random"]);
    let sizes: Vec<usize> = curves[0].points.iter().map(|point| point.landmarks).collect();
    assert_eq!(sizes, [2, 8]);
    let equal = curves[0].equals.iter().find(|equal| equal.set == "copy" && equal.landmarks == 8).unwrap();
    assert!((equal.at.unwrap() - 8.0).abs() < 1e-9, "its copy at the same size: {equal:?}");
    let gain = curves[0].points[0].gain.unwrap();
    assert!((gain - (curves[0].points[0].nmse - curves[0].points[1].nmse)).abs() < 1e-12);
}

/// Errors by hand: of a list that grows and of the draws of each size, whose means are one curve.
#[test]
fn a_curve_meets_random_draws_of_any_size_and_ends_where_nothing_is_gained() {
    let dir = tempfile::tempdir().unwrap();
    let study = |_: usize| String::new();
    let train = part(dir.path(), "train.gex", &(0..60).collect::<Vec<_>>(), study);
    let tests = [part(dir.path(), "test.gex", &(60..80).collect::<Vec<_>>(), study)];
    let sizes = [1, 3, 9];
    let genes: Vec<usize> = (20..29).collect();
    let of = |size: usize| {
        plan(
            &train,
            &tests,
            vec![set("a", &genes)],
            &PlanSettings { size: Some(size), largest: 9, ..settings() },
        )
    };
    let mut plans = sizes.map(of);
    Plan::settle_common(&mut plans.iter_mut().collect::<Vec<_>>(), GENES).unwrap();
    let found: Vec<Vec<Tested>> =
        plans.iter().map(|plan| compared(&Design::split(&train, &tests, plan, None), plan)).collect();
    // mean over draws of each sample's error, of the list (the first set) and of the six draws
    let values = |at: usize, sets: std::ops::Range<usize>| -> Vec<f64> {
        let n = sets.len() as f64;
        let of = |set: usize, sample: usize| found[at][0].outcomes[set].by_unit.samples[sample].nmse.unwrap();
        (0..20).map(|sample| sets.clone().map(|set| of(set, sample)).sum::<f64>() / n).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let own: Vec<Vec<f64>> = (0..3).map(|at| values(at, 0..1)).collect();
    let random: Vec<Vec<f64>> = (0..3).map(|at| values(at, 1..7)).collect();

    let pairs: Vec<(&Plan, &[Tested])> = plans.iter().zip(found.iter().map(Vec::as_slice)).collect();
    let curves = curve(&pairs, 200, 1);
    assert_eq!(
        curves.iter().map(|c| (c.set.as_str(), c.drawn)).collect::<Vec<_>>(),
        [("a", false), ("random", true)]
    );
    for (curve, by_hand) in curves.iter().zip([&own, &random]) {
        for ((point, size), values) in curve.points.iter().zip(sizes).zip(by_hand) {
            assert_eq!(point.landmarks, size);
            assert!((point.nmse - mean(values)).abs() < 1e-12);
        }
        let gains = |from: usize, to: usize| {
            let less: Vec<f64> = by_hand[from].iter().zip(&by_hand[to]).map(|(a, b)| a - b).collect();
            difference(&less, Basis::Samples, 200, 1).unwrap().interval.unwrap().0 > 0.0
        };
        let enough = [0, 1].into_iter().find(|from| (from + 1..3).all(|to| !gains(*from, to)));
        assert_eq!(curve.enough, enough.map(|at| sizes[at]), "{}", curve.set);
    }
    let means: Vec<f64> = own.iter().map(|values| mean(values)).collect();
    for (size, values) in sizes.into_iter().zip(&random) {
        let error = mean(values);
        let equal = curves[0].equals.iter().find(|e| e.set == "random" && e.landmarks == size).unwrap();
        assert!(equal.drawn && (equal.nmse - error).abs() < 1e-12);
        let at = match means.iter().position(|own| *own <= error) {
            None => None,
            Some(0) => Some(1.0),
            Some(i) => {
                let (a, b) = ((sizes[i - 1] as f64).log10(), (sizes[i] as f64).log10());
                Some(10f64.powf(a + (means[i - 1] - error) / (means[i - 1] - means[i]) * (b - a)))
            }
        };
        assert_eq!(equal.at.is_some(), at.is_some(), "{equal:?} {at:?}");
        assert!(equal.at.zip(at).is_none_or(|(found, at)| (found - at).abs() < 1e-9), "{equal:?} {at:?}");
    }
}

/// Two measurements of 40 samples, each gene's noise of variance 1 on a signal of variance 4.
#[test]
fn replicates_set_a_ceiling() {
    let genes = 30;
    let mut stream = genelift::device::random::Stream::new(5, "replicates", 0);
    let mut gauss = || {
        let (u, v) = (stream.uniform().max(1e-12), stream.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    let signal: Vec<f64> = (0..40 * genes).map(|_| 2.0 * gauss()).collect();
    let values: Vec<f32> =
        (0..2).flat_map(|_| signal.iter().map(|x| (x + gauss()) as f32).collect::<Vec<_>>()).collect();
    let mut samples = Table::numbered("sample_id", "s", 80);
    samples.set_column("tube", (0..80).map(|s| (s % 40).to_string()).collect());
    let table = Table::numbered("gene_id", "g", genes);
    let store = Store::in_memory("twice", values, samples, table).unwrap();
    let tests = [store.picked("test", &(0..80).collect::<Vec<_>>()).unwrap()];
    let plan = plan(&store, &tests, vec![set("a", &[0, 1])], &PlanSettings { random_draws: 0, ..settings() });
    let design = Design::split(&store, &tests, &plan, None);
    let baselines = [design.rounds[0].baseline()];
    let of = |column| ceiling(&design, 0, &plan.targets, &baselines, column);
    let Ceiling { replicated, samples, nmse, r2, pcc } = of("tube").unwrap().unwrap();
    assert_eq!((replicated, samples), (40, 80));
    let near =
        |got: Option<f64>, want: f64| assert!((got.unwrap() - want).abs() < 0.03, "{got:?}, expected {want}");
    near(nmse, 0.2);
    near(r2, 0.8);
    near(pcc, 0.8f64.sqrt());
    assert!(of("no").is_err());
}

/// It is one measurement, and its errors are over the variance of the training samples of each split that holds it out.
#[test]
fn a_sample_of_two_splits_is_no_replicate_of_itself() {
    let (genes, n) = (9, 40);
    let mut stream = genelift::device::random::Stream::new(6, "splits", 0);
    let values: Vec<f32> = (0..n * genes).map(|_| stream.uniform() as f32).collect();
    let mut samples = Table::numbered("sample_id", "s", n);
    samples.set_column("tube", (0..n).map(|s| (s % 20).to_string()).collect());
    samples.set_column("own", (0..n).map(|s| s.to_string()).collect());
    let table = Table::numbered("gene_id", "g", genes);
    let store = Store::in_memory("all", values.clone(), samples, table).unwrap();
    let pick = |name: &str, samples: Vec<usize>| store.picked(name, &samples).unwrap();
    let trains = [pick("r1", (30..40).collect()), pick("r2", (0..10).collect())];
    let tests = [pick("h1", (0..30).collect()), pick("h2", (10..40).collect())];
    let none = PlanSettings { random_draws: 0, ..settings() };
    let plan = plan(&trains[0], &tests, vec![set("a", &[0, 1])], &none);
    let design = Design::splits(&trains, &tests, &plan, None);
    let baselines: Vec<_> = design.rounds.iter().map(|round| round.baseline()).collect();
    let of = |column| ceiling(&design, 0, &plan.targets, &baselines, column).unwrap();
    assert_eq!(of("own"), None, "every sample was measured once");

    let found = of("tube").unwrap();
    assert_eq!((found.replicated, found.samples), (20, 40));
    let value = |sample: usize, gene: usize| f64::from(values[sample * genes + gene]);
    let of_gene = |gene: &usize| {
        let noise = (0..20).map(|tube| (value(tube, *gene) - value(tube + 20, *gene)).powi(2) / 2.0);
        let per_variance = baselines.iter().map(|known| known.per_variance[*gene]).sum::<f64>() / 2.0;
        noise.sum::<f64>() / 20.0 * per_variance
    };
    let expected = plan.targets.iter().map(of_gene).sum::<f64>() / plan.targets.len() as f64;
    assert!((found.nmse.unwrap() - expected).abs() < 1e-9, "{found:?}, expected {expected}");
}

fn genelift(dir: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_genelift");
    Command::new(program).current_dir(dir).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The command holds out every group where there are too few in the test store, and says so.
#[test]
fn the_command_holds_out_groups() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let study = |s: usize| format!("study{}", s % 4);
    let train = part(dir, "train.gex", &(0..60).collect::<Vec<_>>(), study);
    part(dir, "test.gex", &(60..80).collect::<Vec<_>>(), study);
    let ids = &train.genes().ids;
    for i in 0..4 {
        std::fs::write(
            dir.join(format!("a-study{i}.tsv")),
            format!("gene_id\n{}\n{}\n", ids[3], ids[10 + i]),
        )
        .unwrap();
    }
    let arguments = [
        "compare",
        "--train",
        "train.gex",
        "--test",
        "test.gex",
        "--landmarks",
        "a=a-{round}.tsv",
        "-o",
        "out",
        "--random-draws",
        "3",
        "--method",
        "linear",
        "--penalty",
        "3",
        "--device",
        "cpu",
        "--group-by",
        "study",
    ];
    let output = genelift(dir, &arguments);
    let said = |output: &Output| {
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
    };
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for part in [
        "has 4 groups by \"study\", too few for an interval",
        "each of 4 groups by study held out: 80 samples",
        "(4 groups cannot come below 0.125)",
        "within groups: a PCC",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let tests = std::fs::read_to_string(dir.join("out/tests.tsv")).unwrap();
    assert!(tests.contains("\tgroups\t4\t"), "{tests}");
    // samples are those of both stores, and so they are called
    let select = ["select", "--store", "train.gex", "--strategy", "variance", "-n", "3", "-o", "v.tsv"];
    assert!(genelift(dir, &select).status.success());
    let mut known = arguments.to_vec();
    (known[6], known[8]) = ("v=v.tsv", "known");
    let text = said(&genelift(dir, &known));
    let expected = "60 of 80 samples of train.gex and test.gex are among those that the list v";
    assert!(text.contains(expected), "{text}");
    let mut split = arguments.to_vec();
    (split[6], split[8]) = ("a=a-study0.tsv", "split");
    split.extend(["--hold-out", "split"]);
    let text = said(&genelift(dir, &split));
    assert!(text.contains("no interval from fewer than 10 groups of one split"), "{text}");
    split[6] = "a=a-{round}.tsv";
    split[8] = "braces";
    let output = genelift(dir, &split);
    assert!(!output.status.success() && said(&output).contains("there is one split"), "{}", said(&output));
    let mut twice = arguments.to_vec();
    (twice[4], twice[8]) = ("train.gex", "twice");
    let output = genelift(dir, &twice);
    assert!(!output.status.success() && said(&output).contains("is in two of the"), "{}", said(&output));

    // figures are those of one number of landmarks
    std::fs::write(dir.join("a-study2.tsv"), format!("gene_id\n{}\n", ids[3])).unwrap();
    let mut uneven = arguments.to_vec();
    uneven[8] = "uneven";
    let output = genelift(dir, &uneven);
    let expected = "has 1 gene of a-study2.tsv and 2 genes of a-study0.tsv, a-study1.tsv, a-study3.tsv; ";
    assert!(!output.status.success() && said(&output).contains(expected), "{}", said(&output));
    uneven.extend(["--size", "1"]);
    let output = genelift(dir, &uneven);
    assert!(output.status.success(), "{}", said(&output));
}
