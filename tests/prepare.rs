//! Every step of `prepare` against NumPy and pandas (scripts/reference_prepare.py), on real and on tied values; matching of
//! genes, provenance, what is refused; `export` against `import`.

mod common;
#[path = "common/executors.rs"]
mod executors;

use std::path::{Path, PathBuf};

use common::{example_store, package};
use genelift::device::recording::Element;
use genelift::formats::{ImportSettings, Orientation, ReadSettings, export, import};
use genelift::genes::{MapSettings, Matching, Table};
use genelift::prepare::{
    CollapseBy, DedupSettings, GeneType, QuantileRule, Step, prepare, prepare_like, prepare_together,
};
use genelift::progress::silent;
use genelift::store::{Origin, Store, StoreWriter};

const ZSCORE: Step = Step::Zscore { sd_offset: 0.0 };
const ZSCORE_DGEX: Step = Step::Zscore { sd_offset: 1e-3 };

/// The cut that the references were made of.
fn brca(dir: &Path) -> Store {
    example_store(dir, 23, 47)
}

fn counts(dir: &Path) -> Store {
    let read = ReadSettings { layer: Some("counts".into()), ..ReadSettings::default() };
    let settings = ImportSettings { read, ..ImportSettings::default() };
    import(&[package("tests/data/formats/dense.h5ad")], &dir.join("counts.gex"), &settings, &silent).unwrap()
}

fn values(store: &Store) -> Vec<f32> {
    let mut out = vec![0.0; store.n_samples() * store.n_genes()];
    out.chunks_exact_mut(store.n_genes()).enumerate().for_each(|(s, row)| store.read_row(s, row));
    out
}

/// A small store of these genes with Entrez ids; value = 10·sample + gene.
fn small(dir: &Path, name: &str, samples: usize, genes: &[(&str, &str)]) -> Store {
    let path = dir.join(name);
    let mut writer = StoreWriter::create(&path, genes.len(), Element::F32, true).unwrap();
    for s in 0..samples {
        let row: Vec<f32> = (0..genes.len()).map(|g| (10 * s + g) as f32).collect();
        writer.push_rows(&row).unwrap();
    }
    let mut table = Table::new("gene_id", genes.iter().map(|g| g.0.to_string()).collect());
    table.set_column("entrez", genes.iter().map(|g| g.1.to_string()).collect());
    writer.finish(table, Table::numbered("sample_id", "s", samples), Origin::default()).unwrap()
}

/// Some rows of a store as a store of their own, with the genes in the given order.
fn cut(dir: &Path, name: &str, store: &Store, samples: std::ops::Range<usize>, genes: &[usize]) -> Store {
    let mut writer = StoreWriter::create(&dir.join(name), genes.len(), Element::F32, false).unwrap();
    let mut row = vec![0.0; genes.len()];
    for sample in samples.clone() {
        store.read_genes(sample, genes, &mut row);
        writer.push_rows(&row).unwrap();
    }
    let samples = store.samples().select(&samples.collect::<Vec<_>>());
    writer.finish(store.genes().select(genes), samples, Origin::default()).unwrap()
}

fn run(store: &Store, steps: &[Step]) -> genelift::Result<Store> {
    let out = store.path().with_extension("out.gex");
    prepare(store, &out, steps, true, &silent)
}

fn refused(store: &Store, step: Step) -> String {
    let out = store.path().with_extension("refused.gex");
    let message = prepare(store, &out, &[step], false, &silent).map(|_| ()).unwrap_err().to_string();
    assert!(!out.exists());
    message
}

/// Shape and values of a tensor of f64.
fn reference(name: &str) -> (Vec<usize>, Vec<f64>) {
    let file = std::fs::read(package("tests/data/prepare/reference.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    let values = tensor.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    (tensor.shape().to_vec(), values)
}

/// f32 rounds values of up to 21 to 1e-6.
fn check(name: &str, store: &Store) {
    let (shape, expected) = reference(name);
    assert_eq!(shape, [store.n_samples(), store.n_genes()], "{name}");
    for (i, (found, expected)) in values(store).into_iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= 1e-6 * (1.0 + expected.abs()), "{name}, value {i}: {found}, not {expected}");
    }
}

fn collapse(by: CollapseBy) -> Step {
    Step::CollapseProbes { map: MapSettings::of(&package("tests/data/prepare/probes.tsv")), by }
}

fn match_to(reference: impl Into<PathBuf>, drop_missing: bool) -> Step {
    Step::MatchGenes { reference: reference.into(), drop_missing, matching: Matching::default() }
}

#[test]
fn every_step_equals_numpy() {
    let dir = tempfile::tempdir().unwrap();
    let (brca, counts) = (brca(dir.path()), counts(dir.path()));
    let onto = |store: &Store| Step::MapQuantiles { reference: store.path().into() };
    for (name, store, step) in [
        ("log1p", &counts, Step::Log1p),
        ("log2p1", &counts, Step::Log2p1),
        ("quantile-normalize.counts", &counts, Step::QuantileNormalize(QuantileRule::Mean)),
        ("quantile-normalize.brca", &brca, Step::QuantileNormalize(QuantileRule::Mean)),
        ("map-quantiles.counts-to-brca", &counts, onto(&brca)),
        ("map-quantiles.brca-to-counts", &brca, onto(&counts)),
        ("zscore.counts", &counts, ZSCORE),
        ("zscore.brca", &brca, ZSCORE),
        ("zscore.dgex", &brca, ZSCORE_DGEX),
        ("quantile-normalize-dgex.counts", &counts, Step::QuantileNormalize(QuantileRule::Dgex)),
        ("quantile-normalize-dgex.brca", &brca, Step::QuantileNormalize(QuantileRule::Dgex)),
        ("library-size.median", &counts, Step::LibrarySize(None)),
        ("library-size.1e4", &counts, Step::LibrarySize(Some(1e4))),
        ("range.brca", &brca, Step::Range([4.0, 15.0])),
        ("min-max.counts", &counts, Step::MinMax),
        ("min-max.brca", &brca, Step::MinMax),
        ("min-detected.counts", &counts, Step::MinDetected { share: 0.4, threshold: 5.0 }),
        ("min-sd.brca", &brca, Step::MinSd(2.0)),
        ("collapse.mean", &brca, collapse(CollapseBy::Mean)),
        ("collapse.max-variance", &brca, collapse(CollapseBy::MaxVariance)),
        ("collapse.max-mean", &brca, collapse(CollapseBy::MaxMean)),
    ] {
        let out = run(store, &[step]).unwrap();
        check(name, &out);
        assert_eq!(out.samples(), store.samples());
    }
}

#[test]
fn several_steps_are_the_same_steps_one_by_one_and_all_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (store, reference) = (brca(dir.path()), counts(dir.path()));
    let steps = [
        Step::QuantileNormalize(QuantileRule::Mean),
        collapse(CollapseBy::MaxVariance),
        Step::MapQuantiles { reference: reference.path().into() },
        Step::MinSd(0.01),
        ZSCORE,
    ];
    let at_once = run(&store, &steps).unwrap();
    let again = tempfile::tempdir().unwrap();
    let mut one_by_one = brca(again.path());
    for (i, step) in steps.iter().enumerate() {
        let out = dir.path().join(format!("{i}.gex"));
        one_by_one = prepare(&one_by_one, &out, std::slice::from_ref(step), false, &silent).unwrap();
    }
    assert_eq!(at_once.info().fingerprint(), one_by_one.info().fingerprint());

    let origin = &at_once.info().origin;
    let names: Vec<&String> =
        origin.transforms.iter().map(|t| t.as_object().unwrap().keys().next().unwrap()).collect();
    assert_eq!(names, ["quantile_normalize", "collapse_probes", "map_quantiles", "min_sd", "zscore"]);
    assert_eq!(origin.transforms, one_by_one.info().origin.transforms);
    let counts = &origin.transforms[1]["collapse_probes"];
    assert_eq!((&counts["by"], &counts["probes"]), (&"max-variance".into(), &47.into()));
    assert_eq!((&counts["mapped"], &counts["genes"]), (&40.into(), &13.into()));
    let inputs: Vec<&str> = origin.inputs.iter().map(|input| input.format.as_str()).collect();
    assert_eq!(inputs, ["store", "probe map", "store"]);
    assert_eq!(origin.inputs[2].sha256, reference.info().fingerprint());
}

#[test]
fn collapsed_genes_keep_their_probes_and_columns() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path(), "p.gex", 3, &[("a_at", "x"), ("b_at", "y"), ("c_at", "x"), ("d_at", "z")]);
    let map = dir.path().join("map.tsv");
    std::fs::write(&map, "probe_id\tgene_id\nd_at\t7\nc_at\t5\na_at\t5\nb_at\t\n").unwrap();
    let out =
        run(&store, &[Step::CollapseProbes { map: MapSettings::of(&map), by: CollapseBy::Mean }]).unwrap();
    assert_eq!(out.genes().ids, ["5", "7"]);
    assert_eq!(out.genes().column("entrez").unwrap(), ["5", "7"]);
    assert_eq!(out.genes().column("probes").unwrap(), ["a_at,c_at", "d_at"]);
    assert_eq!(values(&out), [1.0, 3.0, 11.0, 13.0, 21.0, 23.0]);
}

#[test]
fn genes_are_matched_in_the_references_order_and_named_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = small(dir.path(), "a.gex", 2, &[("A|1", "1"), ("B|2", "2"), ("C|3", "3"), ("?|4", "")]);
    let reference = small(dir.path(), "b.gex", 1, &[("3", "3"), ("9", "9"), ("1", "1"), ("nine", "")]);
    let out = run(&store, &[match_to(reference.path(), true)]).unwrap();
    assert_eq!(out.genes().ids, ["3", "1"]);
    assert_eq!(out.genes().column("source_id").unwrap(), ["C|3", "A|1"]);
    assert_eq!(values(&out), [2.0, 0.0, 12.0, 10.0]);
    let record = &out.info().origin.transforms[0]["match_genes"];
    assert_eq!((&record["matched"], &record["missing"]), (&2.into(), &2.into()));

    let message = refused(&store, match_to(reference.path(), false));
    assert!(
        message.contains("2 of 4 genes") && message.contains("9, nine; pass --missing-genes drop"),
        "{message}"
    );

    let list = dir.path().join("list.tsv");
    std::fs::write(&list, "rank\tgene_id\tscore\n1\tC|3\t0.5\n2\tB|2\t0.4\n").unwrap();
    let out = run(&store, &[match_to(&list, false)]).unwrap();
    assert_eq!((out.genes().ids.join(" "), values(&out)), ("C|3 B|2".into(), vec![2.0, 1.0, 12.0, 11.0]));
    assert!(out.genes().column("source_id").is_none());

    std::fs::write(&list, "entrez\n1\n3\n").unwrap();
    assert_eq!(run(&store, &[match_to(&list, false)]).unwrap().genes().ids, ["1", "3"]);
    std::fs::write(&list, "B|2\nC|3\nB|2\n").unwrap();
    assert_eq!(run(&store, &[match_to(&list, false)]).unwrap().genes().ids, ["B|2", "C|3"]);
    std::fs::write(&list, "no\nnone\n").unwrap();
    assert!(refused(&store, match_to(&list, true)).contains("none of its names"));
    let twice = small(dir.path(), "c.gex", 2, &[("p1", "1"), ("p2", "1"), ("p3", "3")]);
    let message = refused(&twice, match_to(reference.path(), true));
    assert!(message.contains("1 is 2 genes (p1, p2)") && message.contains("--ambiguous first"), "{message}");
}

#[test]
fn what_cannot_be_prepared_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = brca(dir.path());
    let message = refused(&store, Step::Log2p1);
    assert!(message.contains("sample \"TCGA") && message.contains("is negative"), "{message}");
    assert!(refused(&store, Step::MinSd(1e6)).contains("lower --min-sd"));
    assert!(refused(&store, Step::MinSd(f64::NAN)).contains("at least 0"));
    let one = small(dir.path(), "one.gex", 1, &[("a", "1"), ("b", "2")]);
    assert!(refused(&one, ZSCORE).contains("has one sample"));
    let map = dir.path().join("map.tsv");
    std::fs::write(&map, "probe_id\tgene_id\nx_at\t1\n").unwrap();
    let step = Step::CollapseProbes { map: MapSettings::of(&map), by: CollapseBy::Mean };
    assert!(refused(&store, step.clone()).contains("none of the probes (such as"));
    std::fs::write(&map, "probe_id\nx_at\n").unwrap();
    assert!(refused(&store, step).contains("has one column"));
    assert!(refused(&store, match_to("/no/such/list", true)).contains("/no/such/list"));
    let message = refused(&store, Step::MapQuantiles { reference: "/no/such.gex".into() });
    assert!(message.contains("is not a store: it does not exist"), "{message}");
    let nothing = prepare(&store, &dir.path().join("x.gex"), &[], false, &silent).map(|_| ()).unwrap_err();
    assert_eq!(nothing.exit_code(), 2);
    let taken = prepare(&store, one.path(), &[ZSCORE], false, &silent).map(|_| ()).unwrap_err();
    assert!(taken.to_string().contains("already exists"));
}

#[test]
fn constant_genes_become_zero() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::create(&dir.path().join("a.gex"), 2, Element::F32, false).unwrap();
    writer.push_rows(&[0.1, 1.0, 0.1, 3.0, 0.1, 2.0]).unwrap();
    let (genes, samples) = (Table::numbered("gene_id", "g", 2), Table::numbered("sample_id", "s", 3));
    let store = writer.finish(genes, samples, Origin::default()).unwrap();
    let out = run(&store, &[ZSCORE]).unwrap();
    let sd = (2.0f64 / 3.0).sqrt();
    let expected = [0.0, -1.0 / sd, 0.0, 1.0 / sd, 0.0, 0.0].map(|x| x as f32);
    assert_eq!(values(&out), expected);
}

#[test]
fn what_is_exported_is_imported_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = run(&brca(dir.path()), &[ZSCORE]).unwrap();
    for name in ["a.tsv", "a.csv"] {
        let path = dir.path().join(name);
        export(&store, &path, false, &silent).unwrap();
        let settings =
            ImportSettings { orientation: Orientation::SamplesByGenes, ..ImportSettings::default() };
        let back = import(&[path], &dir.path().join(format!("{name}.gex")), &settings, &silent).unwrap();
        assert_eq!((&back.genes().ids, &back.samples().ids), (&store.genes().ids, &store.samples().ids));
        assert_eq!(values(&back), values(&store), "{name}");
    }
    let path = dir.path().join("a.npy");
    export(&store, &path, false, &silent).unwrap();
    let back =
        import(std::slice::from_ref(&path), &dir.path().join("npy.gex"), &ImportSettings::default(), &silent)
            .unwrap();
    assert_eq!(values(&back), values(&store));
    assert!(export(&store, &path, false, &silent).unwrap_err().to_string().contains("already exists"));
    let other = export(&store, &dir.path().join("a.xlsx"), false, &silent).unwrap_err();
    assert!(other.to_string().contains(".csv, .npy, .h5ad, .gctx") && other.exit_code() == 2);

    let odd = small(dir.path(), "odd.gex", 1, &[("a,b", "1"), ("c\"d", "2")]);
    let path = dir.path().join("odd.csv");
    export(&odd, &path, false, &silent).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "sample_id,\"a,b\",\"c\"\"d\"\ns_1,0,1\n");
}

fn bytes(store: &Store, file: &str) -> Vec<u8> {
    std::fs::read(store.path().join(file)).unwrap()
}

#[test]
fn fitted_steps_give_the_same_bytes_again_and_numpys_numbers_on_new_data() {
    let dir = tempfile::tempdir().unwrap();
    let all = brca(dir.path());
    let genes: Vec<usize> = (0..47).collect();
    let old = cut(dir.path(), "old.gex", &all, 0..15, &genes);
    // other genes among them, in another order
    let new = small(dir.path(), "more.gex", 1, &[("other", "1")]);
    assert!(
        prepare_like(&new, &dir.path().join("x.gex"), &old, false, &silent)
            .unwrap_err()
            .to_string()
            .contains("no fitted steps")
    );
    let backwards: Vec<usize> = (0..47).rev().collect();
    let new = cut(dir.path(), "new.gex", &all, 15..23, &backwards);

    let steps = [Step::QuantileNormalize(QuantileRule::Mean), Step::MinSd(0.9), ZSCORE_DGEX];
    let fitted = run(&old, &steps).unwrap();
    let again = prepare_like(&old, &dir.path().join("again.gex"), &fitted, false, &silent).unwrap();
    for file in ["matrix.npy", "genes.tsv", "samples.tsv", "prepare.json"] {
        assert_eq!(bytes(&again, file), bytes(&fitted, file), "{file}");
    }
    let held_out = prepare_like(&new, &dir.path().join("held-out.gex"), &fitted, false, &silent).unwrap();
    check("like.brca", &held_out);
    assert_eq!((held_out.genes(), held_out.samples()), (fitted.genes(), new.samples()));
    let record = &held_out.info().origin.transforms[0]["like"];
    assert_eq!(record["steps"], serde_json::json!(["quantiles", "pick", "scale"]));
    // what was learned goes on from store to store
    let third = prepare_like(&new, &dir.path().join("third.gex"), &held_out, false, &silent).unwrap();
    assert_eq!(third.info().fingerprint(), held_out.info().fingerprint());

    let few = cut(dir.path(), "few.gex", &all, 0..3, &genes[..40]);
    let lacking = prepare_like(&few, &dir.path().join("y.gex"), &fitted, false, &silent).unwrap_err();
    assert!(lacking.to_string().contains("lacks 7 of the 47 genes"), "{lacking}");
}

#[test]
fn every_step_is_taken_again_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (brca, counts) = (brca(dir.path()), counts(dir.path()));
    let onto = Step::MapQuantiles { reference: counts.path().into() };
    let of_counts = [
        Step::MinDetected { share: 0.4, threshold: 5.0 },
        Step::LibrarySize(None),
        Step::Log1p,
        Step::QuantileNormalize(QuantileRule::Dgex),
        Step::Range([4.0, 15.0]),
        Step::MinMax,
    ];
    let of_brca = [collapse(CollapseBy::MaxMean), onto, ZSCORE];
    let means = [collapse(CollapseBy::Mean), Step::QuantileNormalize(QuantileRule::Mean)];
    for (i, (store, steps)) in
        [(&counts, &of_counts[..]), (&brca, &of_brca), (&brca, &means)].iter().enumerate()
    {
        let fitted = run(store, steps).unwrap();
        let again =
            prepare_like(store, &dir.path().join(format!("{i}.gex")), &fitted, false, &silent).unwrap();
        assert_eq!(again.info().fingerprint(), fitted.info().fingerprint(), "{i}");
    }
}

#[test]
fn a_changed_parameter_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = brca(dir.path());
    let fitted = run(&store, &[ZSCORE]).unwrap();
    let file = fitted.path().join("prepare.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("0.", "1.", 1)).unwrap();
    let attempt =
        || prepare_like(&store, &dir.path().join("x.gex"), &fitted, false, &silent).unwrap_err().to_string();
    assert!(attempt().contains("does not match store.json"), "{}", attempt());
    std::fs::remove_file(&file).unwrap();
    assert!(attempt().contains("prepare.json"), "{}", attempt());
}

#[test]
fn stores_prepared_together_are_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let all = brca(dir.path());
    let genes: Vec<usize> = (0..46).collect();
    let backwards: Vec<usize> = (0..47).rev().collect();
    let (a, b) =
        (cut(dir.path(), "a.gex", &all, 0..15, &genes), cut(dir.path(), "b.gex", &all, 15..23, &backwards));
    let whole = cut(dir.path(), "whole.gex", &all, 0..23, &genes);
    let steps = [Step::QuantileNormalize(QuantileRule::Mean), ZSCORE];
    let whole = run(&whole, &steps).unwrap();
    let parts = prepare_together(&[&a, &b], &dir.path().join("out"), &steps, false, &silent).unwrap();
    let names: Vec<_> = parts.iter().map(|part| part.path().file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["a.gex", "b.gex"]);
    assert_eq!([values(&parts[0]), values(&parts[1])].concat(), values(&whole));
    assert_eq!((parts[1].genes(), parts[1].samples()), (whole.genes(), b.samples()));
    assert_eq!(bytes(&parts[0], "prepare.json"), bytes(&whole, "prepare.json"));
    let origin = &parts[1].info().origin;
    assert_eq!(origin.transforms[0]["together"]["genes"], 46);
    assert_eq!(origin.inputs.len(), 2);

    let other = small(dir.path(), "other.gex", 2, &[("q", "1")]);
    let refused = |stores: &[&Store]| {
        prepare_together(stores, &dir.path().join("none"), &steps, false, &silent)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&[&a, &other]).contains("no gene id in common"));
    assert!(refused(&[&a, &a]).contains("need different names"));
    assert!(refused(&[]).contains("no store"));
}

#[test]
fn excluded_types_go_by_symbol() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        small(dir.path(), "a.gex", 2, &[("MT-ND1", "1"), ("TP53", "2"), ("RPS6KA1", "3"), ("RPL3", "4")]);
    let out = run(&store, &[Step::Exclude(vec![GeneType::Mitochondrial, GeneType::Ribosomal])]).unwrap();
    assert_eq!(out.genes().ids, ["TP53", "RPS6KA1"]);
    assert_eq!(values(&out), [1.0, 2.0, 11.0, 12.0]);
    assert_eq!(out.info().origin.transforms[0]["exclude"]["dropped"], 2);
    let all = small(dir.path(), "b.gex", 2, &[("MT-ND1", "1")]);
    assert!(
        refused(&all, Step::Exclude(vec![GeneType::Mitochondrial]))
            .contains("every gene is of an excluded type")
    );
}

/// The samples and labels of the reference.
fn near_copies(dir: &Path) -> (Store, PathBuf) {
    let file = std::fs::read(package("tests/data/prepare/reference.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let tensor = tensors.tensor("dedup.samples").unwrap();
    let (n, genes) = (tensor.shape()[0], tensor.shape()[1]);
    let rows: Vec<f32> =
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let mut writer = StoreWriter::create(&dir.join("copies.gex"), genes, Element::F32, false).unwrap();
    writer.push_rows(&rows).unwrap();
    let (genes, samples) = (Table::numbered("gene_id", "g", genes), Table::numbered("sample_id", "s", n));
    let store = writer.finish(genes, samples, Origin::default()).unwrap();
    let (_, labels) = reference("dedup.labels");
    let lines = store.samples().ids.iter().zip(labels).map(|(id, label)| format!("{id}\tc{label}\n"));
    let path = dir.join("labels.tsv");
    std::fs::write(&path, format!("sample_id\tlabel\n{}", lines.collect::<String>())).unwrap();
    (store, path)
}

/// The samples that are kept, from 0.
fn kept(store: &Store) -> Vec<f64> {
    store.samples().ids.iter().map(|id| id[2..].parse::<f64>().unwrap() - 1.0).collect()
}

#[test]
fn duplicates_are_dgexs_index_for_index() {
    let dir = tempfile::tempdir().unwrap();
    let (store, labels) = near_copies(dir.path());
    // the executors' own names are those of an adapter, or of the CPU
    for executor in executors::executors() {
        let name = executor.name().to_string();
        let device = if name.starts_with("CPU") { "cpu".into() } else { format!("gpu:{name}") };
        drop(executor);
        let base = DedupSettings { device: device.clone(), ..DedupSettings::default() };
        let given = DedupSettings { labels: Some(labels.clone()), ..base.clone() };
        let out = run(&store, &[Step::Dedup(given)]).unwrap();
        assert_eq!(kept(&out), reference("dedup.kept").1, "{device}");
        let one = DedupSettings { clusters: 1, ..base.clone() };
        let out = run(&store, &[Step::Dedup(one)]).unwrap();
        assert_eq!(kept(&out), reference("dedup.kept-of-one-cluster").1, "{device}");

        // The 23 samples that the copies are of are far from one another: k-means parts few pairs.
        let ten = DedupSettings { clusters: 10, seed: 5, ..base };
        let out = run(&store, &[Step::Dedup(ten.clone())]).unwrap();
        let [found, best] = [kept(&out).len(), 57];
        assert!((best..best + 6).contains(&found), "{found} on {device}");
        let again = run(&store, &[Step::Dedup(ten)]).unwrap();
        assert_eq!(again.info().fingerprint(), out.info().fingerprint());
        let record = &out.info().origin.transforms[0]["dedup"];
        assert_eq!(record["dropped"], 211 - found);
        // the dropped ones are named; new data keep all samples
        let json: serde_json::Value = serde_json::from_slice(&bytes(&out, "prepare.json")).unwrap();
        assert_eq!(json["steps"][0]["dropped"].as_array().unwrap().len(), 211 - found);
        let new = prepare_like(&store, &dir.path().join("new.gex"), &out, true, &silent).unwrap();
        assert_eq!(new.n_samples(), 211);
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = brca(dir.path());
    let dedup = |change: fn(&mut DedupSettings)| {
        let mut settings = DedupSettings { device: "cpu".into(), ..DedupSettings::default() };
        change(&mut settings);
        Step::Dedup(settings)
    };
    assert!(refused(&store, dedup(|s| s.clusters = 0)).contains("at least one cluster"));
    assert!(refused(&store, dedup(|s| s.distance = f64::NAN)).contains("positive"));
    assert!(refused(&store, dedup(|s| s.labels = Some("/no/labels".into()))).contains("/no/labels"));
    let labels = dir.path().join("labels.tsv");
    std::fs::write(&labels, "sample_id\tlabel\nx\t1\n").unwrap();
    let mut settings = DedupSettings { device: "cpu".into(), ..DedupSettings::default() };
    settings.labels = Some(labels);
    assert!(refused(&store, Step::Dedup(settings)).contains("no label for sample \"TCGA"));
    assert!(refused(&store, Step::Range([15.0, 4.0])).contains("ascending"));
    assert!(refused(&store, Step::LibrarySize(Some(0.0))).contains("positive"));
    assert!(refused(&store, Step::LibrarySize(Some(1e4))).contains("is negative"));
    assert!(refused(&store, Step::MinDetected { share: 0.0, threshold: 0.0 }).contains("(0, 1]"));
    assert!(
        refused(&store, Step::MinDetected { share: 1.0, threshold: 99.0 }).contains("lower --min-detected")
    );
    assert!(refused(&store, Step::Zscore { sd_offset: -1.0 }).contains("at least 0"));
}
