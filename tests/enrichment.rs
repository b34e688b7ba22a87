//! Enrichment of gene sets against a transcription of clusterProfiler, and what people bring.

mod common;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use common::package;
use genelift::enrich::{BUNDLED, Collection, HEADER, Settings, Tested, Universe, enrich, fields};
use genelift::formats;
use genelift::genes::{Side, Table};
use genelift::progress::silent;
use genelift::store::Store;

fn table(name: &str) -> Vec<Vec<String>> {
    let mut text = String::new();
    let file = std::fs::File::open(package("tests/data/enrichment").join(name)).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines().map(|line| line.split('\t').map(String::from).collect()).collect()
}

/// The example matrix with the symbols and Entrez ids that its import finds in the names.
fn example(dir: &Path) -> Store {
    let files = [package("examples/brca/expression.csv.gz")];
    formats::import(&files, &dir.join("brca.gex"), &Default::default(), &silent).unwrap()
}

fn row(universe: &Universe, tested: &Tested) -> (String, HashMap<&'static str, String>) {
    let fields = fields(universe, tested);
    (fields[0].clone(), HEADER.into_iter().zip(fields).collect())
}

#[test]
fn figures_equal_cluster_profilers() {
    let dir = tempfile::tempdir().unwrap();
    let store = example(dir.path());
    let side = Side::of_store("the example", &store);
    let collections = Collection::open(Path::new(BUNDLED)).unwrap();
    let (all, report) = Universe::new(&side, |_| true, &collections, None).unwrap();
    assert!(report.found() > 1500, "{}", report.line());
    let rows: Vec<usize> = (0..2000).step_by(10).collect();
    for (name, universe) in [("all.tsv.gz", all.clone()), ("annotated.tsv.gz", all.annotated())] {
        let (panel, means) = (universe.genes(&rows), vec![0.0; universe.len()]);
        let settings = Settings { panels: 0, ..Settings::default() };
        let (tested, summary) = enrich(&universe, &panel, &means, &settings);
        let found: HashMap<_, _> = tested.iter().map(|tested| row(&universe, tested)).collect();
        let expected = table(name);
        assert_eq!((found.len(), summary.sets), (expected.len() - 1, expected.len() - 1));
        for (column, name) in expected[0].iter().enumerate().skip(1) {
            for expected in &expected[1..] {
                let (found, expected) = (&found[&expected[0]][name.as_str()], &expected[column]);
                match (found.parse::<f64>(), expected.parse::<f64>()) {
                    (Ok(a), Ok(b)) => assert!((a - b).abs() <= 1e-9 * b.abs(), "{name}: {a}, {b}"),
                    _ => assert_eq!(found, expected, "{name}"),
                }
            }
        }
    }
}

/// Six rows of four genes: two probes of TP53, one of ESR1, one of two genes, and two without a symbol.
fn probes() -> Table {
    let ids = ["1_at", "2_at", "3_at", "4_at", "5_at", "6_at"].map(String::from).to_vec();
    let mut genes = Table::new("gene_id", ids);
    let symbols = ["TP53", "ESR1", "TP53", "GATA3 /// FOXA1", "", "---"].map(String::from).to_vec();
    genes.set_column("symbol", symbols);
    genes
}

#[test]
fn probes_of_a_gene_are_one_gene_and_what_has_no_name_is_one_by_itself() {
    let genes = probes();
    let side = Side::of("probes", &genes);
    let text = "A\tfirst\tTP53\tFOXA1\tMYC\nB\tsecond\tGATA3\tFOXA1\nC\tthird\tMYC\n";
    let collection = [Collection::parse(Path::new("x.gmt"), text).unwrap()];
    let (universe, report) = Universe::new(&side, |_| true, &collection, None).unwrap();
    assert_eq!(universe.gene_of, [0, 1, 0, 2, 3, 4].map(Some));
    assert_eq!(universe.names, ["TP53", "ESR1", "GATA3 /// FOXA1", "5_at", "6_at"]);
    let members: Vec<&[usize]> = universe.sets.iter().map(|set| set.genes.as_slice()).collect();
    assert_eq!(members, [&[0, 2][..], &[2], &[]]);
    assert_eq!((report.found(), report.listed), (3, 4));
    assert_eq!(universe.genes(&[2, 0, 3]), [0, 2]);
    assert_eq!(universe.means(&[1.0, 5.0, 3.0, 4.0, 7.0, 8.0]), [2.0, 5.0, 4.0, 7.0, 8.0]);
    let annotated = universe.annotated();
    assert_eq!(annotated.names, ["TP53", "GATA3 /// FOXA1"]);
    assert_eq!((annotated.sets[0].genes.as_slice(), annotated.gene_of[3]), (&[0, 1][..], Some(1)));
    let (excluded, _) = Universe::new(&side, |row| row != 3, &collection, None).unwrap();
    assert_eq!((excluded.len(), excluded.gene_of[3]), (4, None));
    let strange = [Collection::parse(Path::new("y.gmt"), "A\td\tYAL001C\tYAL002W\n").unwrap()];
    let message = Universe::new(&side, |_| true, &strange, None).unwrap_err().to_string();
    assert!(message.contains("none of its 2 genes is among those of probes"), "{message}");
}

#[test]
fn panels_show_what_every_panel_of_such_genes_has() {
    // a set of the highest genes: a panel of high genes has many of it, and so has every panel like it
    let ids: Vec<String> = (0..400).map(|gene| format!("G{gene}")).collect();
    let genes = Table::new("gene_id", ids.clone());
    let high = format!("HIGH\thigh\t{}\nFEW\tfew\tG1\n", ids[300..].join("\t"));
    let collection = [Collection::parse(Path::new("x.gmt"), &high).unwrap()];
    let (universe, _) = Universe::new(&Side::of("made up", &genes), |_| true, &collection, None).unwrap();
    let means: Vec<f64> = (0..400).map(f64::from).collect();
    let panel: Vec<usize> = (310..400).step_by(3).collect();
    let settings = Settings { panels: 200, ..Settings::default() };
    let (tested, summary) = enrich(&universe, &panel, &means, &settings);
    let [tested] = &tested[..] else { panic!("one set is tested: {tested:?}") };
    assert!(tested.upper[1] < 1e-10 && tested.overlap.hits == 30);
    assert_eq!(tested.panels, Some([30.0, 1.0, 1.0]));
    assert_eq!((summary.beyond, summary.of_panels), ([1, 0], Some([1.0, 1.0, 0.0])));
    assert_eq!(summary.largest, Some(("high (HIGH)".into(), 30)));
    let again = enrich(&universe, &panel, &means, &settings);
    assert_eq!(again, (vec![tested.clone()], summary));
}
