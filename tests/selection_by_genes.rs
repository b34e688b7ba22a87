//! Selections by the products of genes with each other, and uniquenesses, against the form by samples and other people's software.

mod common;
#[path = "common/executors.rs"]
mod executors;

use common::{constraints, example_store, ids, numbers, package};
use genelift::device::cpu::CpuExecutor;
use genelift::device::random::Stream;
use genelift::element::Element;
use genelift::genes::Table;
use genelift::progress::silent;
use genelift::select::columns::Columns;
use genelift::select::covariance::Covariance;
use genelift::select::diverse::{Aim, Penalty, by_genes};
use genelift::select::moments::Moments;
use genelift::select::uniqueness::factor_analysis;
use genelift::select::{DiverseSettings, Strategy, diverse, facility_location, k_medoids};
use genelift::store::{Origin, StoreWriter};
use serde_json::Value;

#[test]
fn uniquenesses_equal_scikit_learn() {
    let text = std::fs::read(package("tests/data/selection/uniqueness.json")).unwrap();
    let expected: Value = serde_json::from_slice(&text).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let size = |key: &str| expected[key].as_u64().unwrap() as usize;
    let store = example_store(dir.path(), size("samples"), size("genes"));
    let samples: Vec<usize> = (0..store.n_samples()).collect();
    let (x, _) = Columns::standardized(&store, &samples);
    let mut executor = CpuExecutor::open(Some(2)).unwrap();
    let moments = Moments::of(&store, &samples).unwrap();
    let c = Covariance::of(&mut executor, &store, &samples, &moments, &silent).unwrap();
    let numbers = numbers(&expected["noise_variance_"], Value::as_f64);
    let found = |steps| {
        let n = samples.len();
        [factor_analysis(&x, n, size("factors"), steps), factor_analysis(&c, n, size("factors"), steps)]
    };
    // Products are rounded to f32.
    for found in found(600) {
        assert_eq!(found.len(), numbers.len());
        for (found, expected) in found.iter().zip(&numbers) {
            assert!((found - expected).abs() < 1e-5, "{found}, expected {expected}");
        }
    }
    // What the selection uses is near enough for penalties that count within a factor of five either way.
    for (found, expected) in found(25)[0].iter().zip(&numbers) {
        assert!((found - expected).abs() < 0.05, "{found}, expected {expected}");
    }
}

#[test]
fn a_selection_by_genes_is_that_by_samples() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), 60, 101);
    let samples: Vec<usize> = (0..60).filter(|s| s % 7 != 3).collect();
    let (x, _) = Columns::standardized(&store, &samples);
    let moments = Moments::of(&store, &samples).unwrap();
    for mut executor in executors::executors() {
        let c = Covariance::of(&mut *executor, &store, &samples, &moments, &silent).unwrap();
        for penalty in [Penalty::Equal, Penalty::Uniqueness] {
            for (n, exchange) in [(70, 0), (70, 1), (20, 3), (2, 3)] {
                let settings = DiverseSettings { penalty, exchange, ..DiverseSettings::default() };
                let (ids, bound) = (ids(101), constraints(101, n, &[99, 3], &[8]));
                let by_samples = diverse(&x, x.gram(), &settings, &ids, &bound, &silent).unwrap();
                let by_genes = by_genes(&c, samples.len(), &settings, &ids, &bound, &silent).unwrap();
                let told = format!("{n} genes, {exchange} sweeps, {penalty:?} on {}", executor.name());
                assert_eq!(by_genes.genes, by_samples.genes, "{told}");
            }
        }
    }
}

/// Sixty genes that are three but for 1e-5 of noise, and the least ridge: single precision has no factor of their products. That is
/// a message about the ridge, in either form, and a usual ridge works.
#[test]
fn a_ridge_that_rounding_swallows_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (n, genes) = (2000, 60);
    let mut stream = Stream::new(5, "near copies", 0);
    let mut values = Vec::with_capacity(n * genes);
    for _ in 0..n {
        let three = [0; 3].map(|_| stream.uniform());
        values.extend((0..genes).map(|gene| (three[gene % 3] + 1e-5 * stream.uniform()) as f32));
    }
    let mut writer = StoreWriter::create(&dir.path().join("x.gex"), genes, Element::F32, false).unwrap();
    writer.push_rows(&values).unwrap();
    let store = {
        let samples = (0..n).map(|i| format!("s{i}")).collect();
        writer.finish(Table::new("gene_id", ids(genes)), Table::new("sample_id", samples), Origin::default())
    }
    .unwrap();
    let samples: Vec<usize> = (0..n).collect();
    let mut executor = CpuExecutor::open(Some(2)).unwrap();
    let c = Covariance::of(&mut executor, &store, &samples, &Moments::of(&store, &samples).unwrap(), &silent)
        .unwrap();
    let choose = |ridge: f64| {
        let settings = DiverseSettings { ridge, ..DiverseSettings::default() };
        by_genes(&c, n, &settings, &store.genes().ids, &constraints(genes, 40, &[], &[]), &silent)
    };
    let refused = choose(1e-6).unwrap_err().to_string();
    assert!(refused.contains("--ridge is lost in the rounding"), "{refused}");
    assert_eq!(choose(5.0).unwrap().genes.len(), 40);
}

/// Where the work is less the selection goes by genes: the paper's size does, a few hundred samples do not.
#[test]
fn the_form_follows_from_the_shapes() {
    let settings = DiverseSettings::default();
    assert!(settings.goes_by_genes(111_009, 22_268, 943) && settings.goes_by_genes(10_000, 22_268, 943));
    assert!(!settings.goes_by_genes(613, 22_215, 943) && !settings.goes_by_genes(615, 2_000, 200));
    assert!(!settings.goes_by_genes(100_000, 60_000, 943), "too many genes");
    assert!(settings.goes_by_genes(6_000, 200, 60), "matrices of samples, however few the genes");
    let network = DiverseSettings { target: Aim::Blend(0.5), ..settings.clone() };
    assert!(network.goes_by_genes(111_009, 22_268, 943) && network.goes_by_genes(100_000, 1_000, 100));
    assert!(
        !network.goes_by_genes(613, 22_215, 943),
        "products of all genes are more than those of few samples"
    );
    let components = DiverseSettings { target: Aim::Pca(20), ..settings.clone() };
    assert!(!components.goes_by_genes(111_009, 22_268, 943));
    let most = |settings: &DiverseSettings, genes| Strategy::Diverse.most_samples(settings, genes);
    assert_eq!([&settings, &network].map(|settings| most(settings, 22_268)), [usize::MAX; 2]);
    assert_eq!([most(&settings, 60_000), most(&components, 100)], [4000, 1000]);
    assert_eq!(
        most(&DiverseSettings { ridge: 0.0, ..settings.clone() }, 100),
        4000,
        "least squares goes by samples"
    );
}

#[test]
fn facility_location_and_k_medoids_equal_their_transcription() {
    let text = std::fs::read(package("tests/data/selection/rivals.json")).unwrap();
    let expected: Value = serde_json::from_slice(&text).unwrap();
    let genes_of = |value: &Value| -> Vec<usize> {
        numbers(value, Value::as_u64).iter().map(|gene| *gene as usize).collect()
    };
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), 61, 203);
    let samples: Vec<usize> = (0..61).collect();
    let mut executor = CpuExecutor::open(Some(2)).unwrap();
    let moments = Moments::of(&store, &samples).unwrap();
    let c = Covariance::of(&mut executor, &store, &samples, &moments, &silent).unwrap();
    let ids = ids(203);
    let bound = |n| constraints(203, n, &[], &[]);
    // The 38th is one of two genes that are nearest to each other and gain the same: rounding decides.
    let list = genes_of(&expected["facility-location"]);
    assert_eq!(facility_location(&c, &ids, &bound(37), &silent).unwrap().genes, list[..37]);
    for n in [5, 17] {
        let found = k_medoids(&c, &ids, &bound(n), &silent).unwrap();
        let expected = &expected["k-medoids"][n.to_string()];
        assert_eq!(found.genes, genes_of(&expected["genes"]), "{n} medoids");
        for (found, expected) in found.scores.iter().zip(numbers(&expected["scores"], Value::as_f64)) {
            assert!((found - expected).abs() < 1e-4, "{found}, expected {expected}");
        }
    }
    // What is included stands at the head and stays; what is excluded is never chosen.
    let given = constraints(203, 9, &[200, 4], &[3, 169]);
    for picks in [facility_location(&c, &ids, &given, &silent), k_medoids(&c, &ids, &given, &silent)] {
        let genes = picks.unwrap().genes;
        let mut first = genes[..2].to_vec();
        first.sort_unstable();
        assert_eq!(first, [4, 200]);
        assert!(!genes.contains(&3) && !genes.contains(&169));
    }
}

/// Genes 2 and 3 are a copy of 1 and its double; 0 and 4 do not vary, and would come first by id.
#[test]
fn genes_that_do_not_vary_come_after_copies_of_chosen_ones() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::create(&dir.path().join("x.gex"), 6, Element::F32, false).unwrap();
    for sample in 0..16u8 {
        let (a, b) = (f32::from(sample % 2), f32::from(sample / 2 % 2));
        writer.push_rows(&[1.0, a, a, 2.0 * a, 3.0, b]).unwrap();
    }
    let samples = Table::numbered("sample_id", "s", 16);
    let store = writer.finish(Table::new("gene_id", ids(6)), samples, Origin::default()).unwrap();
    let samples: Vec<usize> = (0..16).collect();
    let mut executor = CpuExecutor::open(Some(1)).unwrap();
    let moments = Moments::of(&store, &samples).unwrap();
    let c = Covariance::of(&mut executor, &store, &samples, &moments, &silent).unwrap();
    let (ids, bound) = (ids(6), constraints(6, 6, &[], &[]));
    for picks in [facility_location(&c, &ids, &bound, &silent), k_medoids(&c, &ids, &bound, &silent)] {
        let picks = picks.unwrap();
        assert_eq!(picks.genes[4..], [0, 4], "{picks:?}");
        let zeros: Vec<String> = picks.scores[4..].iter().map(ToString::to_string).collect();
        assert_eq!(zeros, ["0", "0"], "{picks:?}");
    }
    let four = constraints(6, 4, &[], &[]);
    for picks in [facility_location(&c, &ids, &four, &silent), k_medoids(&c, &ids, &four, &silent)] {
        let genes = picks.unwrap().genes;
        assert!(!genes.contains(&0) && !genes.contains(&4), "{genes:?}");
    }
}
