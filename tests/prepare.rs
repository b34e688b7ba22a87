//! Every step of `prepare` against NumPy and pandas (scripts/reference_prepare.py), on real and on tied values; matching of
//! genes, provenance, what is refused; `export` against `import`.

mod common;

use std::path::{Path, PathBuf};

use common::{example_store, package};
use genelift::device::recording::Element;
use genelift::formats::{ImportSettings, Orientation, ReadSettings, export, import};
use genelift::prepare::{CollapseBy, Step, prepare};
use genelift::progress::silent;
use genelift::store::{Origin, Store, StoreWriter, Table};

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

/// f32 rounds values of up to 21 to 1e-6.
fn check(name: &str, store: &Store) {
    let file = std::fs::read(package("tests/data/prepare/reference.safetensors")).unwrap();
    let reference = safetensors::SafeTensors::deserialize(&file).unwrap();
    let tensor = reference.tensor(name).unwrap();
    assert_eq!(tensor.shape(), [store.n_samples(), store.n_genes()], "{name}");
    let expected = tensor.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap()));
    for (i, (found, expected)) in values(store).into_iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(error <= 1e-6 * (1.0 + expected.abs()), "{name}, value {i}: {found}, not {expected}");
    }
}

fn collapse(by: CollapseBy) -> Step {
    Step::CollapseProbes { map: package("tests/data/prepare/probes.tsv"), by }
}

fn match_to(reference: impl Into<PathBuf>, drop_missing: bool) -> Step {
    Step::MatchGenes { reference: reference.into(), drop_missing }
}

#[test]
fn every_step_equals_numpy() {
    let dir = tempfile::tempdir().unwrap();
    let (brca, counts) = (brca(dir.path()), counts(dir.path()));
    let onto = |store: &Store| Step::MapQuantiles { reference: store.path().into() };
    for (name, store, step) in [
        ("log1p", &counts, Step::Log1p),
        ("log2p1", &counts, Step::Log2p1),
        ("quantile-normalize.counts", &counts, Step::QuantileNormalize),
        ("quantile-normalize.brca", &brca, Step::QuantileNormalize),
        ("map-quantiles.counts-to-brca", &counts, onto(&brca)),
        ("map-quantiles.brca-to-counts", &brca, onto(&counts)),
        ("zscore.counts", &counts, Step::Zscore),
        ("zscore.brca", &brca, Step::Zscore),
        ("min-sd.brca", &brca, Step::MinSd(0.9)),
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
        Step::QuantileNormalize,
        collapse(CollapseBy::MaxVariance),
        Step::MapQuantiles { reference: reference.path().into() },
        Step::MinSd(0.01),
        Step::Zscore,
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
    let out = run(&store, &[Step::CollapseProbes { map, by: CollapseBy::Mean }]).unwrap();
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

    std::fs::write(&list, "1\n3\n").unwrap();
    assert_eq!(run(&store, &[match_to(&list, false)]).unwrap().genes().ids, ["1", "3"]);
    std::fs::write(&list, "B|2\nC|3\nB|2\n").unwrap();
    assert!(refused(&store, match_to(&list, false)).contains("B|2 and B|2 are both B|2"));
    std::fs::write(&list, "no\nnone\n").unwrap();
    assert!(refused(&store, match_to(&list, true)).contains("none of its names"));
    let twice = small(dir.path(), "c.gex", 2, &[("p1", "1"), ("p2", "1"), ("p3", "3")]);
    let message = refused(&twice, match_to(reference.path(), true));
    assert!(
        message.contains("2 of its genes (p1, p2) are 1 of") && message.contains("collapse"),
        "{message}"
    );
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
    assert!(refused(&one, Step::Zscore).contains("has one sample"));
    let map = dir.path().join("map.tsv");
    std::fs::write(&map, "probe_id\tgene_id\nx_at\t1\n").unwrap();
    let step = Step::CollapseProbes { map: map.clone(), by: CollapseBy::Mean };
    assert!(refused(&store, step.clone()).contains("ids such as \"x_at\", the store"));
    std::fs::write(&map, "probe_id\nx_at\n").unwrap();
    assert!(refused(&store, step).contains("has one column"));
    assert!(refused(&store, match_to("/no/such/list", true)).contains("/no/such/list"));
    let message = refused(&store, Step::MapQuantiles { reference: "/no/such.gex".into() });
    assert!(message.contains("is not a store: it does not exist"), "{message}");
    let nothing = prepare(&store, &dir.path().join("x.gex"), &[], false, &silent).map(|_| ()).unwrap_err();
    assert_eq!(nothing.exit_code(), 2);
    let taken = prepare(&store, one.path(), &[Step::Zscore], false, &silent).map(|_| ()).unwrap_err();
    assert!(taken.to_string().contains("already exists"));
}

#[test]
fn constant_genes_become_zero() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::create(&dir.path().join("a.gex"), 2, Element::F32, false).unwrap();
    writer.push_rows(&[0.1, 1.0, 0.1, 3.0, 0.1, 2.0]).unwrap();
    let (genes, samples) = (Table::numbered("gene_id", "g", 2), Table::numbered("sample_id", "s", 3));
    let store = writer.finish(genes, samples, Origin::default()).unwrap();
    let out = run(&store, &[Step::Zscore]).unwrap();
    let sd = (2.0f64 / 3.0).sqrt();
    let expected = [0.0, -1.0 / sd, 0.0, 1.0 / sd, 0.0, 0.0].map(|x| x as f32);
    assert_eq!(values(&out), expected);
}

#[test]
fn what_is_exported_is_imported_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = run(&brca(dir.path()), &[Step::Zscore]).unwrap();
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
