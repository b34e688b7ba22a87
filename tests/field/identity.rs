//! Two stores, predictors, models: which gene of one is which of the other, on two made-up platforms with several probes a
//! gene, shuffled, filtered, with and without symbols. The numbers are those computed by hand here.

use std::path::Path;

use genelift::device::recording::Element;
use genelift::genes::Table;
use genelift::store::{Origin, Store, StoreWriter};
use nalgebra::{DMatrix, DVector};

use super::run::{refuse, succeed};

const PENALTY: f64 = 2.0;
/// Probes of the platform; three in a row are one gene's.
const PROBES: usize = 24;
/// The probes that are measured, and those that are inferred from them.
const LANDMARKS: [usize; 4] = [1, 7, 13, 22];
/// The training store has these alone, in this order: of most genes not the first probe.
const KEPT: [usize; 12] = [22, 2, 13, 5, 8, 1, 16, 11, 7, 19, 4, 14];

fn probe(p: usize) -> String {
    format!("{}_at", 200_000 + (p * 7919) % 1000)
}

fn symbol(p: usize) -> String {
    format!("SYM{}K", p / 3)
}

/// What probe `p` measures in a sample: its own mixture of four factors, unlike that of the gene's other probes.
fn value(p: usize, sample: usize) -> f64 {
    let wave = |k: usize| ((sample * (2 * k + 3) * 37 + k * 11) % 101) as f64 / 20.0;
    let weight = |k: usize| (((p * 31 + k * 17) % 23) as f64 - 11.0) / 10.0;
    let noise = ((p * 97 + sample * 53) % 19) as f64 / 40.0;
    f64::from((5.0 + (0..4).map(|k| weight(k) * wave(k)).sum::<f64>() + noise) as f32)
}

/// A store of these probes in this order.
fn store(path: &Path, probes: &[usize], samples: std::ops::Range<usize>, symbols: bool) -> Store {
    let genes = probes.iter().map(|p| probe(*p)).collect();
    named(path, probes, samples, genes, symbols)
}

fn named(
    path: &Path,
    probes: &[usize],
    samples: std::ops::Range<usize>,
    ids: Vec<String>,
    symbols: bool,
) -> Store {
    let mut writer = StoreWriter::create(path, probes.len(), Element::F32, true).unwrap();
    for s in samples.clone() {
        writer.push_rows(&probes.iter().map(|p| value(*p, s) as f32).collect::<Vec<f32>>()).unwrap();
    }
    let mut genes = Table::new("gene_id", ids);
    if symbols {
        genes.set_column("symbol", probes.iter().map(|p| symbol(*p)).collect());
    }
    let samples = Table::new("sample_id", samples.map(|s| format!("sample{s}")).collect());
    writer.finish(genes, samples, Origin::default()).unwrap()
}

const TRAIN: std::ops::Range<usize> = 0..30;
const TEST: std::ops::Range<usize> = 30..44;

/// Ridge by hand: probe `target` inferred for every test sample; a landmark that is `absent` counts as its training mean.
fn by_hand(target: usize, absent: &[usize]) -> Vec<f64> {
    let n = TRAIN.len() as f64;
    let column = |p: usize| -> Vec<f64> { TRAIN.map(|s| value(p, s)).collect() };
    let mean = |p: usize| column(p).iter().sum::<f64>() / n;
    let sd = |p: usize| (column(p).iter().map(|x| (x - mean(p)).powi(2)).sum::<f64>() / n).sqrt();
    let z = |p: usize, s: usize| (value(p, s) - mean(p)) / sd(p);
    let x = DMatrix::from_fn(TRAIN.len(), LANDMARKS.len(), |s, l| z(LANDMARKS[l], s));
    let y = DVector::from_fn(TRAIN.len(), |s, _| z(target, s));
    let gram = x.transpose() * &x + DMatrix::identity(LANDMARKS.len(), LANDMARKS.len()) * PENALTY;
    let w = gram.lu().solve(&(x.transpose() * y)).unwrap();
    let one = |s: usize| {
        let measured = |l: &usize| !absent.contains(&LANDMARKS[*l]);
        let z: f64 = (0..LANDMARKS.len()).filter(measured).map(|l| w[l] * z(LANDMARKS[l], s)).sum();
        mean(target) + sd(target) * z
    };
    TEST.map(one).collect()
}

fn targets() -> Vec<usize> {
    KEPT.iter().copied().filter(|p| !LANDMARKS.contains(p)).collect()
}

/// Mean absolute error and correlation with the truth of a target.
fn figures(target: usize) -> (f64, f64) {
    let (inferred, truth): (Vec<f64>, Vec<f64>) =
        (by_hand(target, &[]), TEST.map(|s| value(target, s)).collect());
    let n = truth.len() as f64;
    let mae = truth.iter().zip(&inferred).map(|(a, b)| (a - b).abs()).sum::<f64>() / n;
    let center = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / n;
        x.iter().map(|x| x - mean).collect::<Vec<f64>>()
    };
    let (a, b) = (center(&truth), center(&inferred));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    (mae, dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt())
}

/// All probes of the platform in some order.
fn all(stride: usize) -> Vec<usize> {
    (0..PROBES).map(|i| (i * stride + 3) % PROBES).collect()
}

fn list(dir: &Path) {
    let text: String = LANDMARKS.iter().map(|p| format!("{}\n", probe(*p))).collect();
    std::fs::write(dir.join("landmarks.txt"), text).unwrap();
}

fn fit(dir: &Path) -> String {
    let arguments = [
        "fit",
        "train.gex",
        "--landmarks",
        "landmarks.txt",
        "-o",
        "p.safetensors",
        "--method",
        "linear",
        "--penalty",
        "2",
        "--device",
        "cpu",
        "--force",
    ];
    succeed(dir, &arguments).0
}

#[test]
fn compare_reads_truth_and_landmarks_from_the_probes_that_were_asked_for() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    list(dir);
    for (train_symbols, test_symbols, stride) in
        [(true, true, 5), (true, false, 7), (false, true, 11), (false, false, 13)]
    {
        store(&dir.join("train.gex"), &KEPT, TRAIN, train_symbols);
        store(&dir.join("test.gex"), &all(stride), TEST, test_symbols);
        let arguments = [
            "compare",
            "--train",
            "train.gex",
            "--test",
            "test.gex",
            "--landmarks",
            "mine=landmarks.txt",
            "-o",
            "out",
            "--force",
            "--random-draws",
            "0",
            "--method",
            "linear",
            "--penalty",
            "2",
            "--device",
            "cpu",
            "--resamples",
            "10",
        ];
        succeed(dir, &arguments);
        let table = std::fs::read_to_string(dir.join("out/genes.tsv")).unwrap();
        let header: Vec<&str> = table.lines().next().unwrap().split('\t').collect();
        let at = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name)).unwrap();
        assert_eq!(table.lines().count(), 1 + targets().len(), "{table}");
        assert_eq!(header.get(3) == Some(&"symbol"), train_symbols, "{header:?}");
        let sets = std::fs::read_to_string(dir.join("out/sets.tsv")).unwrap();
        let first = format!("mine\t1\t{}", probe(LANDMARKS[0]));
        let first = if train_symbols { format!("{first}\t{}", symbol(LANDMARKS[0])) } else { first };
        assert_eq!(sets.lines().nth(1), Some(first.as_str()));
        for target in targets() {
            let row = table.lines().find(|line| line.contains(&probe(target))).unwrap();
            assert!(!train_symbols || row.split('\t').nth(3) == Some(&symbol(target)), "{row}");
            let number = |name: &str| row.split('\t').nth(at(name)).unwrap().parse::<f64>().unwrap();
            let (mae, pcc) = figures(target);
            assert!((number("mae") - mae).abs() < 1e-4, "{row}: {mae}");
            assert!((number("pcc") - pcc).abs() < 1e-4, "{row}: {pcc}");
        }
    }
}

#[test]
fn predict_infers_from_the_probes_that_were_asked_for() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    list(dir);
    for (train_symbols, test_symbols, stride) in
        [(true, true, 5), (true, false, 7), (false, true, 11), (false, false, 13)]
    {
        store(&dir.join("train.gex"), &KEPT, TRAIN, train_symbols);
        let said = fit(dir);
        assert!(said.contains("landmarks\t4\ntargets\t8\n"), "{said}");
        store(&dir.join("test.gex"), &all(stride), TEST, test_symbols);
        succeed(
            dir,
            &[
                "predict",
                "p.safetensors",
                "test.gex",
                "-o",
                "out.gex",
                "--replace",
                "--device",
                "cpu",
                "--force",
            ],
        );
        check(dir, &[]);
    }
}

fn check(dir: &Path, absent: &[usize]) {
    let completed = Store::open(&dir.join("out.gex")).unwrap();
    let place = completed.genes().positions();
    let mut row = vec![0.0; completed.n_genes()];
    for target in targets() {
        let expected = by_hand(target, absent);
        for (sample, expected) in expected.iter().enumerate() {
            completed.read_row(sample, &mut row);
            let found = f64::from(row[place[probe(target).as_str()]]);
            assert!((found - expected).abs() < 1e-4, "{target}, {sample}: {found}, not {expected}");
        }
    }
}

#[test]
fn a_missing_landmark_is_named_and_no_probe_of_its_symbol_stands_in() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    list(dir);
    store(&dir.join("train.gex"), &KEPT, TRAIN, true);
    fit(dir);
    let others: Vec<usize> = all(5).into_iter().filter(|p| *p != LANDMARKS[2]).collect();
    store(&dir.join("test.gex"), &others, TEST, true);
    let arguments = [
        "predict",
        "p.safetensors",
        "test.gex",
        "-o",
        "out.gex",
        "--replace",
        "--device",
        "cpu",
        "--unmatched",
        "u.tsv",
    ];
    let message = refuse(dir, &arguments);
    let name = probe(LANDMARKS[2]);
    let called = format!("{} ({name})", symbol(LANDMARKS[2]));
    assert!(
        message.contains(&format!("1 of the predictor's 4 landmarks are not among its 23 genes: {called}")),
        "{message}"
    );
    assert!(message.contains(&format!("not found: {called}")), "{message}");
    assert!(std::fs::read_to_string(dir.join("u.tsv")).unwrap().contains(&name));
    let arguments = [
        "predict",
        "p.safetensors",
        "test.gex",
        "-o",
        "out.gex",
        "--replace",
        "--device",
        "cpu",
        "--missing",
        "mean",
    ];
    succeed(dir, &arguments);
    check(dir, &[LANDMARKS[2]]);
    let arguments = [
        "compare",
        "--train",
        "train.gex",
        "--test",
        "test.gex",
        "--landmarks",
        "mine=landmarks.txt",
        "-o",
        "out",
        "--device",
        "cpu",
    ];
    let message = refuse(dir, &arguments);
    assert!(message.contains("lacks 1 of the 4 landmarks") && message.contains(&name), "{message}");
}

#[test]
fn ids_of_two_kinds_are_joined_by_one_kind_for_all_and_said() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    list(dir);
    // one probe a gene in training, the genes by symbol in the test store
    let one: Vec<usize> = vec![1, 7, 13, 22, 4, 10, 16, 19];
    store(&dir.join("train.gex"), &one, TRAIN, true);
    fit(dir);
    let shuffled: Vec<usize> = vec![10, 22, 4, 1, 19, 7, 16, 13];
    named(&dir.join("test.gex"), &shuffled, TEST, shuffled.iter().map(|p| symbol(*p)).collect(), false);
    let (_, said) = succeed(
        dir,
        &["predict", "p.safetensors", "test.gex", "-o", "out.gex", "--replace", "--device", "cpu"],
    );
    assert!(said.contains("4 of 4 names found, by symbol"), "{said}");
    let completed = Store::open(&dir.join("out.gex")).unwrap();
    let mut row = vec![0.0; completed.n_genes()];
    completed.read_row(3, &mut row);
    for (at, target) in shuffled.iter().enumerate().filter(|(_, p)| !LANDMARKS.contains(p)) {
        assert!((f64::from(row[at]) - by_hand(*target, &[])[3]).abs() < 1e-4);
    }
    // probes of another array, several a gene: refused with the candidates, or the first where that is asked for
    let ids =
        |probes: &[usize]| probes.iter().map(|p| format!("ILMN_{}", 1_700_000 + p * 13)).collect::<Vec<_>>();
    named(&dir.join("test.gex"), &all(5), TEST, ids(&all(5)), true);
    let arguments = ["predict", "p.safetensors", "test.gex", "-o", "o2.gex", "--replace", "--device", "cpu"];
    let message = refuse(dir, &arguments);
    assert!(message.contains("is 3 genes (ILMN_") && message.contains("--ambiguous first"), "{message}");
    succeed(dir, &[&arguments[..], &["--ambiguous", "first"]].concat());
}

/// A store of genes of these ids, and of these Entrez ids where there are any.
fn genes(path: &Path, ids: &[&str], entrez: &[&str], samples: std::ops::Range<usize>) {
    let mut writer = StoreWriter::create(path, ids.len(), Element::F32, true).unwrap();
    for s in samples.clone() {
        let row: Vec<f32> = (0..ids.len()).map(|g| value(3 * g, s) as f32).collect();
        writer.push_rows(&row).unwrap();
    }
    let mut table = Table::new("gene_id", ids.iter().map(|id| id.to_string()).collect());
    if !entrez.is_empty() {
        table.set_column("entrez", entrez.iter().map(|id| id.to_string()).collect());
    }
    let samples = Table::new("sample_id", samples.map(|s| format!("sample{s}")).collect());
    writer.finish(table, samples, Origin::default()).unwrap();
}

#[test]
fn what_a_join_by_entrez_ids_misses_is_named_with_the_reason() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    let probes = ["1_at", "2_at", "3_at", "4_at", "5_at", "6_at"];
    genes(&dir.join("train.gex"), &probes, &["7157", "4609", "", "1956", "672", "2099"], TRAIN);
    std::fs::write(dir.join("landmarks.txt"), "1_at\n2_at\n3_at\n4_at\n").unwrap();
    fit(dir);
    genes(&dir.join("test.gex"), &["672", "2099", "7157", "4609"], &[], TEST);
    let predict = ["predict", "p.safetensors", "test.gex", "-o", "out.gex", "--device", "cpu"];
    let message = refuse(dir, &predict);
    assert!(message.contains("3_at (it has no Entrez id)") && message.contains("4_at"), "{message}");
    let (_, said) = succeed(dir, &[&predict[..], &["--missing", "mean", "--replace"]].concat());
    assert!(said.contains("2 of 4 names found, by Entrez id"), "{said}");
    assert!(said.contains("not found: 3_at (it has no Entrez id), 4_at"), "{said}");
}

#[test]
fn an_array_and_names_of_another_kind_that_share_nothing_are_told_what_helps() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    genes(&dir.join("train.gex"), &["1_at", "2_at", "3_at", "4_at", "5_at", "6_at"], &[], TRAIN);
    std::fs::write(dir.join("landmarks.txt"), "1_at\n2_at\n3_at\n4_at\n").unwrap();
    fit(dir);
    let tcga = ["TP53|7157", "MYC|4609", "EGFR|1956", "BRCA1|672"];
    let text: String = tcga.iter().map(|id| format!("{id}\t1\t2.5\t3\n")).collect();
    let text = format!("gene_id\tTCGA-A1-A0SB\tTCGA-A1-A0SD\tTCGA-A1-A0SE\n{text}");
    std::fs::write(dir.join("tcga.tsv"), text).unwrap();
    succeed(dir, &["import", "tcga.tsv", "-o", "test.gex"]);
    let message = refuse(dir, &["predict", "p.safetensors", "test.gex", "-o", "out.gex", "--device", "cpu"]);
    assert!(message.contains("nothing names a gene of both"), "{message}");
    assert!(message.contains("genelift prepare STORE -o NEW --gene-labels TABLE"), "{message}");
}

#[test]
fn fit_takes_as_many_landmarks_as_are_listed() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    list(dir);
    store(&dir.join("train.gex"), &all(5), TRAIN, true);
    let said = fit(dir);
    assert!(said.contains("landmarks\t4\ntargets\t20\n"), "{said}");
    // a table that select wrote goes by ids alone
    succeed(dir, &["select", "--store", "train.gex", "-n", "5", "-o", "five.tsv"]);
    let five = std::fs::read_to_string(dir.join("five.tsv")).unwrap();
    let first = five.lines().nth(1).unwrap().split('\t').nth(1).unwrap().to_string();
    let fewer: Vec<usize> = all(5).into_iter().filter(|p| probe(*p) != first).collect();
    store(&dir.join("fewer.gex"), &fewer, TRAIN, true);
    let arguments = [
        "fit",
        "fewer.gex",
        "--landmarks",
        "five.tsv",
        "-o",
        "q.safetensors",
        "--device",
        "cpu",
        "--method",
        "linear",
        "--penalty",
        "1",
    ];
    let (out, said) = succeed(dir, &arguments);
    assert!(out.contains("landmarks\t4\n") && said.contains(&format!("({first})")), "{out}{said}");
}

#[test]
fn match_genes_keeps_what_matches_by_id() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    store(&dir.join("all.gex"), &all(5), TRAIN, true);
    store(&dir.join("kept.gex"), &KEPT, TEST, true);
    succeed(dir, &["prepare", "all.gex", "-o", "m.gex", "--match-genes", "kept.gex"]);
    let matched = Store::open(&dir.join("m.gex")).unwrap();
    assert_eq!(matched.genes().ids, KEPT.map(probe));
    let mut row = vec![0.0; KEPT.len()];
    matched.read_row(4, &mut row);
    assert!(KEPT.iter().zip(&row).all(|(p, x)| *x == value(*p, 4) as f32));
    let message = refuse(dir, &["prepare", "kept.gex", "-o", "n.gex", "--match-genes", "all.gex"]);
    assert!(message.contains("12 of 24 genes of all.gex are missing"), "{message}");
}

#[test]
fn a_column_of_one_name_makes_nothing_leak() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    list(dir);
    for path in ["train.gex", "test.gex"] {
        let samples = if path == "train.gex" { TRAIN } else { TEST };
        store(&dir.join(path), &all(5), samples, false);
        let text: String = std::iter::once("gene_id\tsymbol\tentrez\n".into())
            .chain(all(5).iter().map(|p| format!("{}\tILMN\t{}\n", probe(*p), 1_762_000 + p)))
            .collect();
        reseal(&dir.join(path), &text);
    }
    let arguments = [
        "compare",
        "--train",
        "train.gex",
        "--test",
        "test.gex",
        "--landmarks",
        "mine=landmarks.txt",
        "-o",
        "out",
        "--device",
        "cpu",
        "--random-draws",
        "0",
        "--method",
        "linear",
        "--penalty",
        "2",
        "--resamples",
        "10",
    ];
    let (_, said) = succeed(dir, &arguments);
    assert!(!said.contains("measured by another probe, e.g."), "{said}");
}

/// Puts another table of genes into a store, with its checksum.
pub fn reseal(store: &Path, genes: &str) {
    let info = store.join("store.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&info).unwrap()).unwrap();
    json["checksums"]["genes"] = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(genes.as_bytes())).into();
    std::fs::write(store.join("genes.tsv"), genes).unwrap();
    std::fs::write(info, serde_json::to_vec(&json).unwrap()).unwrap();
}
