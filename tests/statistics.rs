//! Figures, the permutation test and paired tests against NumPy, SciPy and scikit-learn
//! (`scripts/reference_statistics.py`).

mod common;
#[path = "common/executors.rs"]
mod executors;

use common::package;
use executors::executors;
use genelift::evaluate::differences::sign_flips;
use genelift::evaluate::statistics::{paired_t, wilcoxon};
use genelift::evaluate::{Agreement, Baseline, Evaluation, Figures, Pairs, Permutation, permutation};
use genelift::genes::Table;
use genelift::progress::silent;
use serde_json::Value;

fn reference(name: &str) -> Value {
    let path = package("tests/data/statistics").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn rows(value: &Value) -> Vec<Vec<f32>> {
    let row = |row| numbers(row).iter().map(|x| *x as f32).collect();
    value.as_array().unwrap().iter().map(row).collect()
}

/// Equal to 1e-6 of the reference, or both undefined.
fn close(what: &str, got: Option<f64>, want: &Value) {
    match (got, want.as_f64()) {
        (None, None) => {}
        (Some(got), Some(want)) if (got - want).abs() <= 1e-6 * want.abs() => {}
        (got, want) => panic!("{what}: {got:?}, expected {want:?}"),
    }
}

#[test]
fn paired_tests_are_scipys() {
    let reference = reference("paired.json");
    let cases = reference["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 14);
    for case in cases {
        let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
        let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        let (t, w) = (paired_t(&differences), wilcoxon(&differences));
        let check = |key: &str, got| close(&format!("{}, {key}", case["name"]), got, &case[key]);
        check("t", t.map(|t| t.t));
        check("t_p", t.map(|t| t.p));
        check("d", t.map(|t| t.d));
        check("w", w.map(|w| w.statistic));
        check("w_p", w.map(|w| w.p));
        check("rank_biserial", w.map(|w| w.rank_biserial));
    }
}

#[test]
fn figures_are_numpys() {
    let reference = reference("figures.json");
    let (x, y) = (rows(&reference["measured"]), rows(&reference["inferred"]));
    let median = vec![7.0; x[0].len()];
    let known = Baseline::of_medians(&median);
    let mut agreement = Agreement::new(median.len());
    x.iter().zip(&y).for_each(|(x, y)| agreement.add(&known, x, y));
    let (genes, samples) = agreement.finish();
    for (g, f) in genes.iter().enumerate() {
        let check = |key: &str, got| close(&format!("gene {g}, {key}"), got, &reference[key][g]);
        check("mae", Some(f.mae));
        check("mse", Some(f.mse));
        check("r2", f.r2);
        check("pcc", f.pcc);
    }
    for (s, f) in samples.iter().enumerate() {
        close(&format!("sample {s}"), Some(f.mae), &reference["sample_mae"][s]);
        close(&format!("sample {s}"), f.pcc, &reference["sample_pcc"][s]);
    }
}

#[test]
fn the_permutation_test_counts_what_numpy_counts() {
    let reference = reference("figures.json");
    let (x, y) = (rows(&reference["measured"]), rows(&reference["inferred"]));
    let want: Vec<Option<u32>> =
        reference["above"].as_array().unwrap().iter().map(|n| n.as_u64().map(|n| n as u32)).collect();
    assert_eq!(want.iter().filter(|above| above.is_none()).count(), 2);
    for mut executor in executors() {
        let mut pairs = Pairs::new(x[0].len());
        x.iter().zip(&y).for_each(|(x, y)| pairs.add(x, y).unwrap());
        let found = permutation(&mut *executor, &mut pairs, &silent).unwrap();
        assert_eq!(found.above, want, "{}", executor.name());
    }
}

/// Of 10,000 drawn patterns and the one that there is: 30 equal values have a mean that no pattern reaches.
#[test]
fn flips_of_many_values_count_the_pattern_that_there_is() {
    assert_eq!(sign_flips(&[1.0; 30], 1), Some(1.0 / 10_001.0));
    assert_eq!(sign_flips(&[1.0; 4], 1), Some(2.0 / 16.0));
    assert_eq!(sign_flips(&[1.0, -1.0], 1), Some(1.0));
    assert_eq!(sign_flips(&[0.0; 30], 1), None);
}

#[test]
fn an_evaluation_in_a_few_numbers() {
    let figures = |mae: f64, pcc: Option<f64>| Figures {
        mae,
        baseline_mae: 2.0 * mae,
        pcc,
        baseline_pcc: pcc.map(|r| r / 2.0),
        mse: mae * mae,
        nmse: None,
        r2: pcc.map(|r| r * r),
    };
    let of = [figures(1.0, Some(0.5)), figures(3.0, None), figures(2.0, Some(0.9)), figures(2.0, Some(0.1))];
    let evaluation = Evaluation {
        genes: Table::numbered("gene_id", "g", 4),
        samples: Table::numbered("sample_id", "s", 4),
        by_gene: of.to_vec(),
        by_sample: of.to_vec(),
        permutation: Permutation { above: vec![Some(0), None, Some(0), Some(3)], competitors: 3 },
    };
    let summary = evaluation.summary();
    assert_eq!(
        (summary.mae, summary.baseline_mae, summary.mae_ratio, summary.mse),
        (2.0, 4.0, Some(0.5), 4.5)
    );
    assert_eq!(
        (summary.pcc_gene_mean, summary.pcc_gene_median, summary.pcc_gene_undefined),
        (Some(0.5), Some(0.5), 1)
    );
    assert_eq!((summary.pcc_sample_mean, summary.pcc_sample_constant), (Some(0.5), Some(0.25)));
    assert_eq!((summary.permutation_passed, summary.permutation_share), (2, 0.5));
    assert_eq!(summary.r2_gene_median, Some(0.25));
}
