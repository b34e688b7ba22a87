//! Clusters and their indices against SciPy and scikit-learn (`scripts/reference_clustering.py`).

mod common;

use common::{example_store, numbers, package};
use genelift::cluster::tree::numbered;
use genelift::cluster::{
    Distances, Known, Linkage, Metric, Settings, Space, Tree, cluster, components, indices, is_of_studies,
    k_means,
};
use genelift::select::columns::Columns;
use serde_json::Value;

const SAMPLES: usize = 120;

fn reference() -> Value {
    serde_json::from_slice(&std::fs::read(package("tests/data/clustering/reference.json")).unwrap()).unwrap()
}

fn genes() -> Columns {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, 200);
    Columns::standardized(&store, &(0..SAMPLES).collect::<Vec<_>>()).0
}

fn known(reference: &Value) -> Known {
    let labels = reference["labels"].as_array().unwrap();
    Known { name: "pam50".into(), labels: labels.iter().map(|l| l.as_str().unwrap().into()).collect() }
}

fn close(what: &str, found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1e-3), "{what}: {found}, {expected}");
}

#[test]
fn trees_and_figures_equal_scipys_and_scikit_learns() {
    let (reference, genes) = (reference(), genes());
    let cases = [
        (Metric::Euclidean, "euclidean", Linkage::Ward, "ward"),
        (Metric::Euclidean, "euclidean", Linkage::Average, "average"),
        (Metric::Euclidean, "euclidean", Linkage::Complete, "complete"),
        (Metric::Correlation, "correlation", Linkage::Average, "average"),
        (Metric::Correlation, "correlation", Linkage::Complete, "complete"),
    ];
    for (metric, of_metric, linkage, of_linkage) in cases {
        let expected = &reference[of_metric][of_linkage];
        let tree = Tree::of(&Distances::of(&genes, metric), linkage);
        for (merge, expected) in tree.merges.iter().zip(expected["merges"].as_array().unwrap()) {
            assert_eq!(
                merge.of.map(|at| at as f64),
                [0, 1].map(|i| expected[i].as_f64().unwrap()),
                "{of_linkage}"
            );
            close(of_linkage, merge.height, &expected[2]);
        }
        let spaces = [Space { name: "genes".into(), values: genes.clone() }];
        let settings = Settings { metric, linkage, ..Settings::default() };
        let all = cluster(&spaces, &[known(&reference)], None, &settings);
        let found = &all.figures[0];
        assert_eq!((found.samples, found.classes), (103, reference["classes"].as_u64().unwrap() as usize));
        close("rand", found.rand[0].unwrap(), &expected["rand"]);
        close("information", found.information[0].unwrap(), &expected["information"]);
        close("silhouette", found.silhouette.unwrap(), &reference[of_metric]["silhouette"]);
        close("neighbours", found.neighbours[0].unwrap(), &reference[of_metric]["neighbours"]);
        assert_eq!(found.neighbours[1], None, "there are no studies");
        let mut order = tree.order();
        order.sort_unstable();
        assert_eq!(order, (0..SAMPLES).collect::<Vec<_>>());
    }
}

#[test]
fn components_equal_scikit_learns_and_k_means_is_no_worse() {
    let (reference, genes) = (reference(), genes());
    let scores = components(&genes, 10);
    for (i, expected) in reference["components"].as_array().unwrap().iter().enumerate() {
        let expected = numbers(expected, Value::as_f64);
        let sign = if expected[0] * f64::from(scores.column(i)[0]) < 0.0 { -1.0 } else { 1.0 };
        for (a, b) in scores.column(i).iter().zip(&expected) {
            assert!((f64::from(*a) - sign * b).abs() < 1e-4, "component {i}: {a}, {b}");
        }
    }
    let distances = Distances::of(&genes, Metric::Euclidean);
    let classes = reference["classes"].as_u64().unwrap() as usize;
    let clusters = k_means(&distances, classes, 3);
    let mut within = 0.0;
    for cluster in 0..classes {
        let own: Vec<usize> = (0..SAMPLES).filter(|i| clusters[*i] == cluster).collect();
        let pairs = own.iter().flat_map(|i| own.iter().map(|j| distances.square(*i, *j)));
        within += pairs.sum::<f64>() / (2 * own.len()) as f64;
    }
    let best = reference["k_means_inertia"].as_f64().unwrap();
    assert!(
        within < 1.02 * best && within > 0.999_99 * best,
        "{within}, scikit-learn's best of 200 starts {best}"
    );
    assert_eq!(clusters, k_means(&distances, classes, 3));
}

/// By hand: two studies, each of one label but for a sample.
#[test]
fn labels_are_asked_of_other_studies() {
    let values = vec![0.0f32, 0.1, 0.2, 5.0, 5.1, 5.3];
    let space = [Space { name: "one".into(), values: Columns::new(6, values) }];
    let column = |name: &str, labels: [&str; 6]| Known {
        name: name.into(),
        labels: labels.map(String::from).to_vec(),
    };
    let label = column("label", ["a", "a", "b", "b", "b", "a"]);
    let study = column("study", ["1", "1", "1", "2", "2", "2"]);
    let settings = Settings { neighbours: 1, clusters: Some(2), ..Settings::default() };
    let all = cluster(&space, &[label, study.clone()], Some(&study), &settings);
    let [of_label, of_study] = &all.figures[..] else { panic!("two rows") };
    // nearest: 1, 0, 1, 4, 3, 4; of the other study: 3, 3, 3, 2, 2, 2
    assert_eq!(of_label.neighbours, [Some(4.0 / 6.0), Some(3.0 / 6.0)]);
    assert_eq!((of_study.rand, of_study.neighbours), ([Some(1.0), Some(1.0)], [Some(1.0), None]));
    let tree = &all.trees[0].1;
    assert_eq!(tree.cut(2), [0, 0, 0, 1, 1, 1]);
    assert_eq!((tree.cut(1), tree.cut(6)), (vec![0; 6], vec![0, 1, 2, 3, 4, 5]));
    let names = ["a", "b", "c", "d", "it's", "f"].map(String::from);
    let newick = tree.newick(&names);
    assert!(
        newick.ends_with(';') && newick.contains("'it''s':0.0499") && newick.matches('(').count() == 5,
        "{newick}"
    );
}

/// By hand: blank and `NA` are no studies, neither one nor two.
#[test]
fn samples_of_unknown_study_neither_ask_nor_are_asked() {
    let values = vec![0.0f32, 0.1, 0.2, 5.0, 5.1, 5.3];
    let space = [Space { name: "one".into(), values: Columns::new(6, values) }];
    let column = |name: &str, labels: &[&str]| Known {
        name: name.into(),
        labels: labels.iter().map(ToString::to_string).collect(),
    };
    let label = column("label", &["a", "a", "b", "b", "b", "a"]);
    let study = column("study", &["1", "1 ", " ", "2", "NA", "2"]);
    let settings = Settings { neighbours: 1, clusters: Some(2), ..Settings::default() };
    let all = cluster(&space, &[label], Some(&study), &settings);
    // nearest of the other study: of 0 and 1 it is 3, of 3 and 5 it is 1
    assert_eq!((study.n_unknown(), all.figures[0].neighbours[1]), (2, Some(1.0 / 4.0)));

    let of = |labels: &[&str], studies: &[&str]| {
        is_of_studies(&column("label", labels), &column("study", studies))
    };
    assert!(of(&["a", "b", "a", "b"], &["1", "2", "", ""]), "the unknown ones are no study of two labels");
    assert!(!of(&["a", "b", "b"], &["", "1", "1"]), "nor another study");
}

/// Every clustering agrees with one label, and with none: that says nothing.
#[test]
fn fewer_than_two_labels_have_no_figures() {
    let space = [Space { name: "one".into(), values: Columns::new(4, vec![0.0, 1.0, 5.0, 6.0]) }];
    let column = |labels: [&str; 4]| Known { name: "x".into(), labels: labels.map(String::from).to_vec() };
    for (labels, classes) in [(["a", "a", "", "a"], 1), (["", "NA", "", ""], 0)] {
        let all = cluster(&space, &[column(labels)], None, &Settings::default());
        let found = &all.figures[0];
        assert_eq!((found.classes, found.rand, found.information), (classes, [None; 2], [None; 2]));
        assert_eq!((found.silhouette, found.neighbours), (None, [None; 2]));
    }
}

#[test]
fn indices_at_their_edges() {
    let one = numbered([7, 7, 7].into_iter());
    assert_eq!(
        (indices::adjusted_rand(&one, &one), indices::normalized_mutual_information(&one, &one)),
        (1.0, 1.0)
    );
    assert_eq!(indices::normalized_mutual_information(&one, &[0, 1, 2]), 0.0);
    assert_eq!(indices::adjusted_rand(&[0, 0, 1, 1], &[1, 1, 0, 0]), 1.0);
    let distances = Distances::of(&Columns::new(3, vec![0.0, 1.0, 3.0]), Metric::Euclidean);
    assert_eq!(indices::silhouette(&distances, &[0, 0, 0]), None);
    assert_eq!(indices::silhouette(&distances, &[0, 1, 2]), None);
    // (2 − 1)/2 … of the first: a = 1, b = 3; of the second: a = 1, b = 2; the third is alone
    assert!((indices::silhouette(&distances, &[0, 0, 1]).unwrap() - (2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
}
