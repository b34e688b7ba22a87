//! The search for how many landmarks are enough, beside plain loops over folds that are stores of their own.

use super::*;
use crate::compare::Figure;
use crate::device::cpu::CpuExecutor;
use crate::device::recording::Element;
use crate::evaluate::statistics::{quantile, sorted};
use crate::genes::Table;
use crate::select::{ConcreteSettings, DiverseSettings, PeelOffSettings};
use crate::store::{Origin, StoreWriter};

const SAMPLES: usize = 72;
const GENES: usize = 60;

/// Five programmes with noise; nine studies of uneven size and level.
fn made(dir: &std::path::Path) -> Store {
    let mut stream = Stream::new(5, "samples of a test", 0);
    let study = |sample: usize| sample * sample % 17;
    let mut normal = || (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0;
    let mut writer = StoreWriter::create(&dir.join("x.gex"), GENES, Element::F32, false).unwrap();
    for sample in 0..SAMPLES {
        let factors: Vec<f64> = (0..5).map(|_| normal()).collect();
        let mut value = |gene: usize| {
            let level = (study(sample) * gene % 7) as f64 / 5.0;
            (8.0 + factors[gene % 5] + level + 0.4 * normal()) as f32
        };
        writer.push_rows(&(0..GENES).map(&mut value).collect::<Vec<f32>>()).unwrap();
    }
    let mut samples = Table::numbered("sample_id", "s", SAMPLES);
    samples.set_column("study", (0..SAMPLES).map(|s| study(s).to_string()).collect());
    writer.finish(Table::numbered("gene_id", "g", GENES), samples, Origin::default()).unwrap()
}

/// A search over `store`; `found` looks at it.
fn searched<R>(
    store: &Store,
    strategy: Strategy,
    (most, include): (Option<usize>, &[usize]),
    fit: &FitSettings,
    found: impl Fn(&Search, &mut dyn Executor) -> R,
) -> R {
    let (diverse, concrete) = (DiverseSettings::default(), ConcreteSettings::default());
    let (diverse, concrete, trials) = (&diverse, &concrete, PeelOffSettings::default().trials);
    let (among, model, samples, seed) = (None, None, usize::MAX, 3);
    let inputs = Inputs { store, among, model, samples, seed, diverse, concrete, trials };
    let search = Search { strategy, inputs, include, exclude: &[7], most, folds: 4, fit };
    found(&search, &mut CpuExecutor::open(Some(2)).unwrap())
}

fn read(store: &Store, sample: usize, gene: usize) -> f64 {
    let mut value = [0.0];
    store.read_genes(sample, &[gene], &mut value);
    f64::from(value[0])
}

fn goal(text: &str) -> Goal {
    text.parse().unwrap()
}

/// Measured and inferred values of the targets by sample, and the fold and the training variances of each.
type Rows = Vec<(usize, Vec<f64>, Vec<f64>, Vec<f64>)>;

/// Every sample inferred without its fold, from landmarks chosen without it, in stores of each fold's own.
fn inferred(search: &Search, executor: &mut dyn Executor, n: usize) -> Rows {
    let store = search.inputs.store;
    let all: Vec<usize> = (0..SAMPLES).collect();
    let genes = targets(store, search.include, search.inputs.seed);
    let exclude: Vec<usize> = search.exclude.iter().chain(&genes).copied().collect();
    let parting = Parting::new(store, &all, search.fit.group_by.as_deref(), search.fit.seed).unwrap();
    let mut rows = Vec::new();
    for (fold, (train, test)) in parting.parts(search.folds).unwrap().into_iter().enumerate() {
        let own = store.picked("train", &train).unwrap();
        let inputs = Inputs { store: &own, ..search.inputs };
        let constraints = Constraints::new(own.genes(), n, search.include, &exclude).unwrap();
        let chosen = from_store(search.strategy, &inputs, &constraints, || Ok(executor), &silent).unwrap();
        assert!(chosen.genes.iter().all(|gene| !genes.contains(gene)));
        let samples: Vec<usize> = (0..train.len()).collect();
        let mut landmarks = chosen.genes;
        landmarks.sort_unstable();
        let predictor =
            Predictor::fit(executor, &own, &samples, &landmarks, &genes, search.fit, &silent).unwrap();
        let variance = |gene: &usize| {
            let values: Vec<f64> = train.iter().map(|s| read(store, *s, *gene)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64
        };
        let variances: Vec<f64> = genes.iter().map(variance).collect();
        let places: Vec<Option<usize>> = landmarks.iter().map(|gene| Some(*gene)).collect();
        predictor
            .predict_samples(executor, store, &test, &places, &silent, &mut |first, y| {
                for (sample, y) in test[first..].iter().zip(y.chunks_exact(genes.len())) {
                    let x = genes.iter().map(|gene| read(store, *sample, *gene)).collect();
                    rows.push((fold, x, y.iter().map(|y| f64::from(*y)).collect(), variances.clone()));
                }
                Ok(())
            })
            .unwrap();
    }
    rows
}

fn naive(rows: &Rows, figure: Figure, without: Option<usize>) -> f64 {
    let rows: Vec<_> = rows.iter().filter(|row| Some(row.0) != without).collect();
    let of = |gene: usize| {
        let mean = rows.iter().map(|row| row.1[gene]).sum::<f64>() / rows.len() as f64;
        let error = |row: &&(usize, Vec<f64>, Vec<f64>, Vec<f64>)| (row.1[gene] - row.2[gene]).powi(2);
        match figure {
            Figure::R2 => {
                let spread = rows.iter().map(|row| (row.1[gene] - mean).powi(2)).sum::<f64>();
                1.0 - rows.iter().map(error).sum::<f64>() / spread
            }
            Figure::Nmse => rows.iter().map(|row| error(row) / row.3[gene]).sum::<f64>() / rows.len() as f64,
        }
    };
    let genes = sorted((0..rows[0].1.len()).map(of));
    match figure {
        Figure::R2 => quantile(&genes, 0.5).unwrap(),
        Figure::Nmse => genes.iter().sum::<f64>() / genes.len() as f64,
    }
}

#[test]
fn every_point_is_what_folds_by_themselves_give() {
    let dir = tempfile::tempdir().unwrap();
    let store = made(dir.path());
    let grouped = FitSettings { group_by: Some("study".into()), ..FitSettings::default() };
    for (strategy, text, fit) in [
        (Strategy::Diverse, "r2 0.6", &grouped),
        (Strategy::Pca, "nmse 0.5", &grouped),
        (Strategy::Diverse, "nmse 0.3", &FitSettings::default()),
    ] {
        searched(&store, strategy, (Some(20), &[]), fit, |search, executor| {
            let goal = goal(text);
            let found = search.until(executor, goal, &silent).unwrap();
            assert_eq!((found.folds, found.targets, found.goal), (4, 12, goal));
            assert_eq!(found.groups, if fit.group_by.is_some() { 9 } else { SAMPLES });
            assert!(found.curve.len() > 2 && found.curve.is_sorted_by_key(|tried| tried.landmarks));
            for tried in &found.curve {
                // the penalty is chosen in as many folds as the groups outside allow: five
                let rows = inferred(search, executor, tried.landmarks);
                let value = naive(&rows, goal.figure, None);
                assert!((tried.value - value).abs() < 1e-6, "{text}: {tried:?} {value}");
                let each: Vec<f64> = (0..4).map(|fold| naive(&rows, goal.figure, Some(fold))).collect();
                let middle = each.iter().sum::<f64>() / 4.0;
                let error = (0.75 * each.iter().map(|x| (x - middle).powi(2)).sum::<f64>()).sqrt();
                assert!((tried.standard_error - error).abs() < 1e-6, "{text}: {tried:?} {error}");
            }
            let enough = found.landmarks.expect("that much is there");
            assert!(goal.is_reached(found.at(enough).unwrap().value));
            let below = found.curve.iter().filter(|tried| tried.landmarks < enough);
            assert!(below.clone().all(|tried| !goal.is_reached(tried.value)), "{found:?}");
            assert_eq!(below.map(|tried| tried.landmarks).max(), Some(enough - 1), "{found:?}");
        });
    }
}

#[test]
fn what_is_not_reached_is_said_and_the_most_is_the_most() {
    let dir = tempfile::tempdir().unwrap();
    let store = made(dir.path());
    let fit = FitSettings::default();
    let sizes = |most: Option<usize>, include: &[usize], text: &str| {
        searched(&store, Strategy::Diverse, (most, include), &fit, |search, executor| {
            let found = search.until(executor, goal(text), &silent).unwrap();
            (found.landmarks, found.curve.iter().map(|tried| tried.landmarks).collect::<Vec<_>>())
        })
    };
    assert_eq!(sizes(Some(6), &[], "r2 0.999"), (None, vec![1, 2, 4, 6]));
    // half of the genes; all but the targets and the one that is excluded
    assert_eq!(sizes(None, &[], "nmse 0.001").1.last(), Some(&30));
    assert_eq!(sizes(Some(60), &[], "nmse 0.001").1.last(), Some(&47));
    // what must be landmarks is where it begins
    assert_eq!(sizes(Some(20), &[1, 2, 3], "r2 0.001"), (Some(3), vec![3]));
    let few = searched(&store, Strategy::Diverse, (Some(2), &[1, 2, 3]), &fit, |search, executor| {
        search.until(executor, goal("r2 0.5"), &silent).map(|_| ())
    });
    assert!(few.unwrap_err().to_string().contains("3 genes are to be included, but only 2"));
}

#[test]
fn too_few_groups_or_samples_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let all = made(dir.path());
    let grouped = FitSettings { group_by: Some("study".into()), ..FitSettings::default() };
    let single = FitSettings::default();
    // studies 0 and 1; a large one and two single samples; five samples
    let two = [0, 17, 34, 1, 16, 18, 33, 51].as_slice();
    let uneven = [0, 17, 34, 51, 68, 1, 2].as_slice();
    for (samples, fit, why) in [
        (two, &grouped, "at least 3 groups and 6 samples, found 2 and 8"),
        (uneven, &grouped, "leaves 2 samples to learn from"),
        (&two[..5], &single, "at least 3 groups and 6 samples, found 5 and 5"),
    ] {
        let store = all.picked("few", samples).unwrap();
        let message = searched(&store, Strategy::Diverse, (None, &[]), fit, |search, executor| {
            search.until(executor, goal("r2 0.5"), &silent).unwrap_err().to_string()
        });
        assert!(message.contains(why), "{message}");
        assert_eq!(can_search(&store, fit, 4).unwrap_err().to_string(), message);
    }
    let six = all.picked("six", &two[..6]).unwrap();
    can_search(&six, &single, 4).unwrap();
    searched(&six, Strategy::Diverse, (Some(3), &[]), &single, |search, executor| {
        search.until(executor, goal("r2 0.9"), &silent).unwrap();
    });
}

#[test]
fn sizes_lie_in_the_middle_of_the_logarithm() {
    let all = [(0, 1), (4, 8), (4, 6), (6, 7), (64, 128), (120, 128), (122, 128), (1000, 2000)];
    let found = all.map(|(below, enough)| between(below, enough));
    assert_eq!(found, [None, Some(6), Some(5), None, Some(91), Some(124), None, Some(1414)]);
}
