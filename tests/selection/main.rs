//! Strategies of selection against plain NumPy, SciPy and f64 loops.

#[path = "../common/mod.rs"]
mod common;
mod ridge;

use std::sync::Mutex;

use common::{by_formula, constraints, example_store, genelift, ids, layer, model, numbers, package};
use genelift::device::cpu::CpuExecutor;
use genelift::device::recording::Activation;
use genelift::element::Element;
use genelift::genes::Table;
use genelift::nn::model::Model;
use genelift::nn::scaling::{self, Scale};
use genelift::pipeline::choice::{parse, words};
use genelift::progress::{Event, silent};
use genelift::select::columns::Columns;
use genelift::select::diverse::{Aim, Penalty, Weights, from_data, reconstruction};
use genelift::select::uniqueness::uniqueness;
use genelift::select::{
    ConcreteSettings, Constraints, DiverseSettings, Inputs, PeelOffSettings, Picks, Strategy, css, diverse,
    from_store, pca, peel_off, random, variance,
};
use genelift::store::{Origin, Store, StoreWriter};
use rayon::prelude::*;
use serde_json::Value;

fn manifest() -> Value {
    let text = std::fs::read(package("tests/data/selection/manifest.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The example as the reference has it, z-scored.
fn example(manifest: &Value) -> Columns {
    let size = |key: &str| manifest[key].as_u64().unwrap() as usize;
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), size("samples"), size("genes"));
    Columns::standardized(&store, &(0..size("samples")).collect::<Vec<_>>()).0
}

fn assert_equals(picks: &Picks, expected: &Value) {
    let genes: Vec<usize> = numbers(&expected["genes"], Value::as_u64).iter().map(|g| *g as usize).collect();
    assert_eq!(picks.genes, genes);
    for (found, expected) in picks.scores.iter().zip(numbers(&expected["scores"], Value::as_f64)) {
        assert!((found - expected).abs() <= 1e-9 + 1e-6 * expected, "score {found}, expected {expected}");
    }
}

#[test]
fn css_and_pca_equal_numpy_and_scipy_index_for_index() {
    let manifest = manifest();
    let x = example(&manifest);
    let include: Vec<usize> =
        numbers(&manifest["include"], Value::as_u64).iter().map(|g| *g as usize).collect();
    let ids = ids(x.len());
    let all = |n| constraints(x.len(), n, &[], &[]);
    assert_equals(&css(&x, &ids, &all(50), &silent).unwrap(), &manifest["css"]);
    let given = constraints(x.len(), 20, &include, &[]);
    assert_equals(&css(&x, &ids, &given, &silent).unwrap(), &manifest["css-included"]);
    assert_equals(&pca(&x, &ids, &all(40), &silent).unwrap(), &manifest["pca"]);
}

/// Values without structure, and a target that is a mixture of them, as columns.
fn made(rows: usize, genes: usize) -> (Columns, Columns) {
    let mut x = Columns::new(rows, by_formula(rows * genes, 7, 1.0));
    x.standardize();
    let noise = by_formula(rows * genes, 8, 0.5);
    let values = (0..genes).flat_map(|g| {
        let (a, b) = (x.column(g), x.column((g * g + 1) % genes));
        (0..rows).map(|r| a[r] + 0.7 * b[r] + noise[g * rows + r]).collect::<Vec<_>>()
    });
    let mut t = Columns::new(rows, values.collect());
    t.standardize();
    (x, t)
}

/// The same choice by explicit deflation of both matrices in f64, restarting where nothing is left.
fn naive(x: &Columns, t: &Columns, n: usize, include: &[usize], exclude: &[usize]) -> Vec<usize> {
    let wide = |m: &Columns| -> Vec<Vec<f64>> {
        (0..m.len()).map(|g| m.column(g).iter().map(|v| f64::from(*v)).collect()).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let deflate = |columns: &mut Vec<Vec<f64>>, w: &[f64]| {
        for column in columns {
            let along = dot(column, w);
            column.iter_mut().zip(w).for_each(|(c, w)| *c -= along * w);
        }
    };
    let (mut r, mut target) = (wide(x), wide(t));
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < n {
        let pool: Vec<usize> =
            if chosen.len() < include.len() { include.to_vec() } else { (0..x.len()).collect() };
        let live = |g: &usize| !chosen.contains(g) && !exclude.contains(g) && dot(&r[*g], &r[*g]) > 1e-7;
        let value = |g: usize| target.iter().map(|t| dot(t, &r[g]).powi(2)).sum::<f64>() / dot(&r[g], &r[g]);
        let best = pool.into_iter().filter(live).map(|g| (g, value(g))).max_by(|a, b| a.1.total_cmp(&b.1));
        match best {
            Some((g, _)) => {
                let norm = dot(&r[g], &r[g]).sqrt();
                let w: Vec<f64> = r[g].iter().map(|v| v / norm).collect();
                deflate(&mut r, &w);
                deflate(&mut target, &w);
                chosen.push(g);
            }
            None => (r, target) = (wide(x), wide(t)),
        }
    }
    chosen
}

fn ridge(ridge: f64) -> DiverseSettings {
    DiverseSettings { ridge, penalty: Penalty::Equal, ..DiverseSettings::default() }
}

#[test]
fn diverse_without_a_ridge_equals_explicit_deflation_index_for_index() {
    let (x, t) = made(17, 61);
    let ids = ids(61);
    for (include, exclude) in [(vec![], vec![]), (vec![], vec![3]), (vec![60, 2], vec![0, 30])] {
        let notes = Mutex::new(Vec::new());
        let report = |event| {
            if let Event::Note(note) = event {
                notes.lock().unwrap().push(note);
            }
        };
        let bound = constraints(61, 40, &include, &exclude);
        let picks = diverse(&x, t.gram(), &ridge(0.0), &ids, &bound, &report).unwrap();
        // Every gene explains the last direction as well as any other, and rounding decides.
        let expected = naive(&x, &t, 40, &include, &exclude);
        assert_eq!(picks.genes[..15], expected[..15]);
        let shares: f64 = picks.scores[..16].iter().sum();
        assert!((shares - 1.0).abs() < 1e-9, "16 directions explain {shares} of 17 centred samples");
        let notes = notes.into_inner().unwrap();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[0].contains("16 genes explain all that 17 samples can show; from landmark 17 on"),
            "{notes:?}"
        );
    }
    // Aimed at the data and without λ it is css.
    let bound = constraints(61, 30, &[], &[]);
    let gram = from_data(Aim::Data, Weights::Equal, &x).unwrap();
    assert_eq!(
        diverse(&x, gram, &ridge(0.0), &ids, &bound, &silent).unwrap(),
        css(&x, &ids, &bound, &silent).unwrap()
    );
    assert!(diverse(&x, t.gram(), &ridge(-1.0), &ids, &bound, &silent).is_err());
}

#[test]
fn a_target_of_all_components_is_the_data() {
    let (x, _) = made(17, 61);
    for weights in [Weights::Equal, Weights::Variance] {
        let whole = from_data(Aim::Pca(17), weights, &x).unwrap();
        assert!((whole - x.gram()).amax() < 1e-4);
        let part = from_data(Aim::Pca(3), weights, &x).unwrap();
        let variance = if weights == Weights::Equal { 1.0 } else { part.trace() / x.gram().trace() };
        assert!((part.trace() / (17.0 * 61.0) - variance).abs() < 1e-5 && variance > 0.1);
    }
}

fn autoencoder(store: &Store, samples: &[usize], neurons: usize) -> Model {
    let genes = store.n_genes();
    let layers = vec![
        layer(genes, neurons, Activation::Tanh, (1, 2), 2.0, 0.1),
        layer(neurons, genes, Activation::Linear, (3, 4), 2.0, 0.1),
    ];
    model(store, layers, scaling::fit(store, samples, Scale::Zscore))
}

#[test]
fn copies_and_constants_come_last_and_ties_go_by_id() {
    // Genes 1 and 3 are copies of 0 and 2; 4 and 5 are constant.
    let values = by_formula(3 * 9, 5, 1.0);
    let (a, b, c) = (&values[..9], &values[9..18], &values[18..]);
    let mut x = Columns::new(9, [a, a, b, b, &[2.5; 9], &[0.0; 9], c].concat());
    let deviations = x.standardize();
    let names = ["f", "e", "d", "c", "b", "a", "g"].map(String::from);
    let bound = |n, include: &[usize]| {
        Constraints::new(&Table::new("gene_id", names.to_vec()), n, include, &[]).unwrap()
    };
    let all = css(&x, &names, &bound(7, &[]), &silent).unwrap();
    let position = |gene: usize| all.genes.iter().position(|g| *g == gene).unwrap();
    assert!(position(1) < 3 && position(3) < 3 && position(6) < 3, "of copies the first by id: {all:?}");
    assert_eq!((all.genes[5..].to_vec(), all.scores[5..].to_vec()), (vec![5, 4], vec![0.0, 0.0]));
    assert_eq!(pca(&x, &names, &bound(7, &[]), &silent).unwrap().genes[5..], [5, 4]);
    assert_eq!(variance(&deviations, &names, &bound(7, &[])).genes[5..], [5, 4]);
    // An included copy adds nothing, and neither does a third.
    let given = css(&x, &names, &bound(4, &[0, 1, 4]), &silent).unwrap();
    assert_eq!((given.genes[..3].to_vec(), &given.scores[1..3]), (vec![1, 5 - 1, 0], &[0.0, 0.0][..]));
    assert!(given.scores[3] > 0.0 && [3, 6].contains(&given.genes[3]), "{given:?}");
}

#[test]
fn peel_off_takes_one_gene_of_each_tight_cluster() {
    // 30 clusters of 9, 8 or 7 genes near an own profile, 10 genes without company, 2 constant ones.
    let (rows, noise) = (40, by_formula(40 * 250, 11, 0.05));
    let profiles = by_formula(40 * 40, 12, 1.0);
    let mut cluster_of = Vec::new();
    (0..30).for_each(|c| cluster_of.extend(vec![c; 9 - c % 3]));
    cluster_of.extend(30..40);
    let mut values: Vec<f32> = Vec::new();
    for (gene, cluster) in cluster_of.iter().enumerate() {
        values.extend((0..rows).map(|r| profiles[cluster * rows + r] + noise[gene * rows + r]));
    }
    values.extend(vec![1.0; 2 * rows]);
    let mut x = Columns::new(rows, values);
    x.standardize();
    let ids = ids(x.len());
    let settings = PeelOffSettings { clusters: (38, 44), trials: 25, seed: 1, ..PeelOffSettings::default() };
    let run = |n: usize, include: &[usize], exclude: &[usize]| {
        peel_off(&x, &settings, &ids, &constraints(x.len(), n, include, exclude), &silent).unwrap()
    };
    let picks = run(25, &[], &[]);
    let mut hit: Vec<usize> = picks.genes.iter().map(|g| cluster_of[*g]).collect();
    hit.sort_unstable();
    hit.dedup();
    assert!(hit.len() >= 22, "25 landmarks of 30 clusters hit {hit:?}");
    assert!(picks.scores[0] >= picks.scores[5], "{:?}", picks.scores);
    let all = run(x.len(), &[], &[]);
    let mut last = all.genes[x.len() - 2..].to_vec();
    last.sort_unstable();
    assert_eq!(last, [x.len() - 2, x.len() - 1], "constant genes come last");
    // The first cluster is genes 0 to 8: what is included stands for it, what is excluded never does.
    let given = run(20, &[4], &[0, 9]);
    assert_eq!(given.genes[0], 4);
    assert!(!given.genes.contains(&0) && !given.genes.contains(&9));
    assert!(given.genes[1..].iter().filter(|g| cluster_of[**g] == 0).count() <= 1, "{given:?}");
    let wrong = PeelOffSettings { trials: 0, ..settings };
    assert!(peel_off(&x, &wrong, &ids, &constraints(x.len(), 2, &[], &[]), &silent).is_err());
}

#[test]
fn draws_and_variances() {
    let ids = ids(203);
    let bound = constraints(203, 50, &[7, 200], &[3]);
    let draw = random(&ids, &bound, 1);
    assert_eq!(draw, random(&ids, &bound, 1));
    // a list of a seed stays what it was from version to version
    assert_eq!(&draw.genes[2..8], [185, 11, 145, 168, 126, 201]);
    assert_ne!(draw.genes, random(&ids, &bound, 2).genes);
    let mut first = draw.genes[..2].to_vec();
    first.sort_unstable();
    assert_eq!(first, [7, 200]);
    assert!(!draw.genes.contains(&3));
    let share = (0..300).filter(|seed| random(&ids, &bound, *seed).genes.contains(&100)).count();
    assert!((45..=100).contains(&share), "48 of 200 free places, five standard errors: {share} of 300");
    let deviations: Vec<f64> = (0..203).map(|i| f64::from((i * 89) % 203)).collect();
    let picks = variance(&deviations, &ids, &constraints(203, 3, &[], &[]));
    assert_eq!(picks.scores, [202.0 * 202.0, 201.0 * 201.0, 200.0 * 200.0]);
}

#[test]
fn from_a_store_the_same_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), 53, 307);
    let samples: Vec<usize> = (0..53).collect();
    let net = autoencoder(&store, &samples, 11);
    for strategy in words::<Strategy>().iter().filter_map(|w| parse(w)).filter(|s| *s != Strategy::Top) {
        let run = |threads: usize, samples: usize| {
            let autoencoder = ConcreteSettings { epochs: 2, ..ConcreteSettings::default() };
            let settings = DiverseSettings::default();
            let inputs = Inputs {
                store: &store,
                among: None,
                model: Some(&net),
                samples,
                seed: 3,
                diverse: &settings,
                concrete: &autoencoder,
                trials: 9,
            };
            let bound = Constraints::new(store.genes(), 70, &[9], &[11]).unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut executor = CpuExecutor::open(Some(threads)).unwrap();
                from_store(strategy, &inputs, &bound, || Ok(&mut executor), &silent).unwrap()
            })
        };
        let one = run(1, usize::MAX);
        assert_eq!(one, run(3, usize::MAX), "{strategy:?}");
        let mut unique = one.genes.clone();
        unique.sort_unstable();
        unique.dedup();
        assert!(unique.len() == 70 && one.genes[0] == 9 && !unique.contains(&11), "{strategy:?}");
        let drawn = run(1, 30);
        assert_eq!(drawn, run(2, 30));
        assert_eq!(
            drawn == one,
            strategy == Strategy::Random,
            "{strategy:?}: a part of the samples is another view"
        );
    }
}

/// What a strategy that is said to go on chooses first hangs on no number; and some samples of a store are a store of their own.
#[test]
fn lists_go_on_from_one_another_and_some_samples_are_a_store_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), 53, 97);
    let among: Vec<usize> = (0..53).filter(|sample| sample % 4 != 1).collect();
    let alone = store.picked("alone", &among).unwrap();
    let autoencoder = ConcreteSettings { epochs: 2, ..ConcreteSettings::default() };
    let mut executor = CpuExecutor::open(Some(2)).unwrap();
    let greedy = DiverseSettings::default();
    assert!(!Strategy::Diverse.goes_on(&DiverseSettings { exchange: 1, ..greedy.clone() }));
    let of_data = |word: &&str| parse(word).filter(|strategy| *strategy != Strategy::Top);
    for strategy in words::<Strategy>().iter().filter_map(of_data) {
        let mut run = |store: &Store, among: Option<&[usize]>, n: usize| {
            let (diverse, concrete) = (&greedy, &autoencoder);
            let inputs =
                Inputs { store, among, model: None, samples: 35, seed: 3, diverse, concrete, trials: 9 };
            let bound = Constraints::new(store.genes(), n, &[9], &[11]).unwrap();
            from_store(strategy, &inputs, &bound, || Ok(&mut executor), &silent).unwrap()
        };
        let long = run(&store, Some(&among), 60);
        assert_eq!(long, run(&alone, None, 60), "{strategy:?}");
        assert_eq!(long == run(&store, None, 60), strategy == Strategy::Random, "{strategy:?}");
        if strategy.goes_on(&greedy) {
            for n in [1, 7, 31] {
                assert_eq!(run(&store, Some(&among), n).genes, long.genes[..n], "{strategy:?}");
            }
        }
    }
}

#[test]
fn where_nothing_varies_no_strategy_that_looks_at_the_data_chooses() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::create(&dir.path().join("flat.gex"), 9, Element::F32, false).unwrap();
    (0..12).for_each(|_| writer.push_rows(&[2.5; 9]).unwrap());
    let samples = Table::numbered("sample_id", "s", 12);
    let store = writer.finish(Table::numbered("gene_id", "g", 9), samples, Origin::default()).unwrap();
    let net = autoencoder(&store, &(0..12).collect::<Vec<_>>(), 3);
    let blind = [Strategy::Top, Strategy::Random, Strategy::Concrete];
    for strategy in words::<Strategy>().iter().filter_map(|w| parse(w)).filter(|s| !blind.contains(s)) {
        let inputs = Inputs {
            store: &store,
            model: Some(&net),
            among: None,
            samples: 100,
            seed: 3,
            diverse: &DiverseSettings::default(),
            concrete: &ConcreteSettings::default(),
            trials: 9,
        };
        let bound = Constraints::new(store.genes(), 3, &[], &[]).unwrap();
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let found = from_store(strategy, &inputs, &bound, || Ok(&mut executor), &silent);
        let message = found.expect_err("refused").to_string();
        assert!(message.contains("no gene varies over the 12 samples"), "{strategy:?}: {message}");
    }
}

/// What is refused for want of genes names what was given, and nothing else.
#[test]
fn too_few_genes_are_told_of_by_the_options_that_were_given() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |store: &Store, more: &[&str]| {
        let store = store.path().display().to_string();
        let list = dir.path().join("l.tsv").display().to_string();
        let call = ["select", "-q", "--store", &store, "-o", &list];
        let (code, _, error) = genelift(&[&call[..], more].concat());
        assert!(code == Some(1) && !error.contains("1 landmarks"), "{code:?} {error}");
        error
    };
    let error = refused(&example_store(dir.path(), 30, 1), &["--until", "r2 0.5"]);
    assert!(
        error.contains("--until keeps a part of the genes apart") && error.contains("found 1"),
        "{error}"
    );
    assert!(!error.contains("(-n)") && !error.contains("left out"), "{error}");

    let store = example_store(dir.path(), 30, 20);
    let mut writer = StoreWriter::create(&dir.path().join("o.gex"), 9, Element::F32, false).unwrap();
    (0..4).for_each(|_| writer.push_rows(&[2.5; 9]).unwrap());
    let samples = Table::numbered("sample_id", "s", 4);
    let other = writer.finish(Table::numbered("gene_id", "other", 9), samples, Origin::default()).unwrap();
    let other = other.path().display().to_string();
    let expected = format!("none of 20 genes may be chosen: 20 are left out by --measured-in {other}");
    for count in [["-n", "5"], ["--until", "r2 0.5"]] {
        let error = refused(&store, &[&count[..], &["--measured-in", &other]].concat());
        assert!(error.contains(&expected) && !error.contains("--exclude"), "{error}");
    }
    let out = dir.path().join("out.txt");
    std::fs::write(&out, format!("{}\n", store.genes().ids[..19].join("\n"))).unwrap();
    let error = refused(&store, &["-n", "2", "--exclude", &out.display().to_string()]);
    assert!(error.contains("2 landmarks are wanted, but only 1 of 20 genes may be chosen"), "{error}");
    assert!(error.contains("out.txt") && !error.contains("--measured-in"), "{error}");
}

#[test]
fn the_reconstruction_is_the_networks_output_standardised() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), 23, 41);
    let layers = vec![layer(41, 41, Activation::Linear, (1, 2), 1.0, 0.1)];
    let net = model(&store, layers, scaling::fit(&store, &(0..23).collect::<Vec<_>>(), Scale::Minmax));
    let samples = [1, 2, 3, 5, 8, 13, 21];
    let (_, deviations) = Columns::standardized(&store, &samples);
    let mut executor = CpuExecutor::open(None).unwrap();
    let mut row = vec![0.0; 41];
    let mut expected = vec![[0.0f64; 7]; 41];
    for (s, sample) in samples.iter().enumerate() {
        store.read_row(*sample, &mut row);
        for (g, out) in expected.iter_mut().enumerate() {
            let input = |i: usize| f64::from((row[i] - net.input.offset[i]) * net.input.scale[i]);
            out[s] = (0..41).map(|i| f64::from(net.layers[0].weight[g * 41 + i]) * input(i)).sum();
        }
    }
    for weights in [Weights::Equal, Weights::Variance] {
        let target =
            reconstruction(&mut executor, &net, &store, &samples, &deviations, weights, &silent).unwrap();
        for g in 0..41 {
            let mean = expected[g].iter().sum::<f64>() / 7.0;
            let sd = (expected[g].iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 7.0).sqrt();
            let unit = match weights {
                Weights::Equal => sd,
                Weights::Variance => deviations[g] * f64::from(net.input.scale[g]),
            };
            for (found, expected) in target.column(g).iter().zip(&expected[g]) {
                let expected = if deviations[g] == 0.0 { 0.0 } else { (expected - mean) / unit };
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-4,
                    "gene {g}: {found}, expected {expected}"
                );
            }
        }
    }
}

#[test]
fn a_gene_that_does_not_vary_is_no_part_of_a_target_of_components() {
    let (mut x, _) = made(17, 61);
    x.columns_mut().enumerate().filter(|(gene, _)| *gene == 4).for_each(|(_, column)| column.fill(0.0));
    for weights in [Weights::Equal, Weights::Variance] {
        let target = from_data(Aim::Pca(3), weights, &x).unwrap();
        assert!(target.iter().all(|value| value.is_finite()), "{weights:?}");
    }
}
