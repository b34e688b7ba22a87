//! Text formats, MatrixMarket, `.npz` and Parquet into stores: against figures of the formats' own libraries
//! (`scripts/reference_text.py`), with their names and columns, and every way in which they can be wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use genelift::formats::{ImportSettings, Missing, Orientation, ReadSettings, import, open};
use genelift::progress::{Event, silent};
use genelift::store::Store;

fn data(name: &str) -> PathBuf {
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats");
    let made = formats.join("made").join(name);
    if made.exists() { made } else { formats.join(name) }
}

/// A directory to write to.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a temporary directory"))
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        fs::write(&path, bytes).expect("written");
        path
    }

    fn try_import(&self, files: &[PathBuf], settings: &ImportSettings) -> genelift::Result<Store> {
        let settings = ImportSettings { force: true, ..settings.clone() };
        import(files, &self.0.path().join("out.gex"), &settings, &silent)
    }

    fn import(&self, path: &Path, settings: &ImportSettings) -> Store {
        self.try_import(&[path.to_path_buf()], settings).unwrap_or_else(|e| panic!("{e}"))
    }

    fn refusal(&self, path: &Path) -> String {
        let refused = self.try_import(&[path.to_path_buf()], &ImportSettings::default()).map(|_| ());
        refused.expect_err(&path.display().to_string()).to_string()
    }
}

fn values(store: &Store) -> Vec<f32> {
    let mut all = vec![0.0; store.n_samples() * store.n_genes()];
    for (sample, row) in all.chunks_exact_mut(store.n_genes()).enumerate() {
        store.read_row(sample, row);
    }
    all
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("packed");
    out.finish().expect("packed")
}

/// Whether this build reads a file.
fn readable(name: &str) -> bool {
    cfg!(feature = "parquet") || !name.ends_with(".parquet")
}

#[test]
fn sums_by_gene_are_those_of_the_formats_own_libraries() {
    let place = Place::new();
    let reference = fs::read_to_string(data("text_reference.tsv")).expect("the reference");
    let mut files: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for line in reference.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        files.entry(fields[0]).or_default().push(fields);
    }
    assert_eq!(files.len(), 25);
    for (name, genes) in files.into_iter().filter(|(name, _)| readable(name)) {
        let orientation = match name {
            "krumsiek11.txt" => Orientation::SamplesByGenes,
            "awkward.tsv" => Orientation::GenesBySamples,
            _ => Orientation::Auto,
        };
        // NaN is left out of the reference's sums, and zero adds nothing.
        let unique_names = name == "krumsiek11.txt";
        let settings =
            ImportSettings { orientation, unique_names, missing: Missing::Zero, ..ImportSettings::default() };
        let store = place.import(&data(name), &settings);
        let all = values(&store);
        let (samples, n) = (&store.samples().ids, store.n_genes());
        assert_eq!([store.n_samples().to_string(), n.to_string()], genes[0][1..3], "{name}");
        assert_eq!([samples[0].as_str(), &samples[samples.len() - 1]], genes[0][3..5], "{name}");
        assert_eq!(genes.len(), n, "{name}");
        for (g, fields) in genes.iter().enumerate() {
            assert_eq!(store.genes().ids[g], fields[5], "{name}");
            let column = || all.iter().skip(g).step_by(n).map(|x| f64::from(*x));
            let found = [column().sum(), column().map(|x| x * x).sum::<f64>()];
            for (found, expected) in found.iter().zip(&fields[6..]) {
                let expected: f64 = expected.parse().expect("a number");
                // Only the order of addition differs, beside one rounding where a file holds more digits than f64.
                assert!((found - expected).abs() <= 1e-7 * expected.abs().max(1.0), "{fields:?}: {found}");
            }
        }
    }
}

#[test]
fn what_files_say_about_genes_and_samples_comes_along() {
    let place = Place::new();
    let settings = ImportSettings::default();
    let store = place.import(&data("mini_gctoo_for_testing.gct"), &settings);
    let about = ["count_cv", "distil_nsample", "distil_ss", "mfc_plate_id", "zmad_ref"];
    assert_eq!(
        (store.genes().column_names(), store.samples().column_names()),
        (about.to_vec(), about.to_vec())
    );
    assert_eq!(store.genes().column("distil_nsample").expect("there"), ["3", "3", "66", "2", "9", "111111"]);
    assert!(
        store.samples().column("mfc_plate_id").expect("there").iter().all(String::is_empty),
        "-666 is unknown"
    );
    let store = place.import(&data("test_v1point2_n5x10.gct"), &settings);
    assert_eq!(store.genes().column("Description").expect("there")[..2], ["PSME1", "CISD1"]);

    let store = place.import(&data("10x_v3_mtx"), &settings);
    assert_eq!(store.genes().column("symbol").expect("there")[0], "CH507-9B2.2");
    assert!(store.genes().column("feature_type").expect("there").iter().all(|t| t == "Gene Expression"));
    assert_eq!(store.info().origin.inputs[0].format, "10x-mtx");

    let missing = ImportSettings { missing: Missing::Mean, ..ImportSettings::default() };
    let store = place.import(&data("GSE1_series_matrix.txt.gz"), &missing);
    let samples = store.samples();
    assert_eq!(samples.column_names(), ["title", "contact_name", "tissue", "age", "characteristics_ch1"]);
    assert_eq!(samples.column("tissue").expect("there"), ["lung", "liver", "skin", "", "a: b"]);
    assert_eq!(samples.column("age").expect("there"), ["1", "2", "4", "", "5"]);
    assert_eq!(samples.column("characteristics_ch1").expect("there")[3], "just words");
    assert_eq!(store.info().origin.inputs[0].format, "series-matrix.gz");
}

#[test]
fn a_10x_directory_may_be_of_version_2_and_of_several_types() {
    let place = Place::new();
    let mtx = "%%MatrixMarket matrix coordinate integer general\n3 2 2\n1 1 5\n3 2 7\n";
    place.file("v2/GSM1_matrix.mtx", mtx);
    place.file("v2/GSM1_genes.tsv", "ENSG1\tA\nENSG2\tB\nENSG3\tC\n");
    place.file("v2/GSM1_barcodes.tsv", "AA-1\nCC-1\n");
    let store = place.import(&place.0.path().join("v2"), &ImportSettings::default());
    assert_eq!(values(&store), [5.0, 0.0, 0.0, 0.0, 0.0, 7.0]);
    assert_eq!(store.genes().column("symbol").expect("there"), ["A", "B", "C"]);

    place.file("v3/matrix.mtx.gz", gzip(mtx.as_bytes()));
    place.file(
        "v3/features.tsv.gz",
        gzip(b"E1\tA\tGene Expression\nE2\tB\tGene Expression\nCD4\tCD4\tAntibody Capture\n"),
    );
    place.file("v3/barcodes.tsv.gz", gzip(b"AA-1\nCC-1\n"));
    let events = Mutex::new(Vec::new());
    let note = |event| events.lock().expect("unpoisoned").push(event);
    let v3 = place.0.path().join("v3");
    import(std::slice::from_ref(&v3), &place.0.path().join("v3.gex"), &ImportSettings::default(), &note)
        .expect("imported");
    let warned = |e: &Event| matches!(e, Event::Warning(text) if text.contains("2 types") && text.contains("Antibody"));
    assert!(events.lock().expect("unpoisoned").iter().any(warned));

    place.file("v3/barcodes.tsv.gz", gzip(b"AA-1\n"));
    assert!(place.refusal(&v3).contains("3 features and 1 barcodes"));
    fs::remove_file(v3.join("barcodes.tsv.gz")).expect("removed");
    assert!(place.refusal(&v3).contains("holds no barcodes.tsv"));
    fs::remove_file(v3.join("matrix.mtx.gz")).expect("removed");
    assert!(place.refusal(&v3).contains("is a directory"));
}

#[test]
fn names_for_a_mtx_may_be_given() {
    let place = Place::new();
    let path = place.file(
        "m.mtx",
        "%%MatrixMarket matrix coordinate real general\n% c\n\n2 3 3\n1 1 1.5\n2 1 2\n2 1 3\n",
    );
    let settings = ImportSettings {
        genes: Some(place.file("g.tsv", "id\tkind\nA\tx\nB\ty\n")),
        samples: Some(place.file("s.tsv", "id\np\nq\nr\n")),
        ..ImportSettings::default()
    };
    let store = place.import(&path, &settings);
    assert_eq!(values(&store), [1.5, 5.0, 0.0, 0.0, 0.0, 0.0], "entries that occur twice add up");
    assert_eq!((store.genes().ids.join(""), store.samples().ids.join("")), ("AB".into(), "pqr".into()));
    assert_eq!(store.genes().column("kind").expect("there"), ["x", "y"]);
}

#[test]
fn bad_files_are_refused_by_place() {
    let place = Place::new();
    let gct = "#1.3\n2\t2\t1\t1\nid\tsymbol\ts1\ts2\ntissue\tna\tlung\tliver\ng1\tA\t1\t2\ng2\tB\t3\t4\n";
    let change = |from: &str, to: &str| gct.replacen(from, to, 1);
    let gse = "!Series_title\t\"x\"\n!Sample_geo_accession\t\"GSM1\"\t\"GSM2\"\n!series_matrix_table_begin\n\"ID_REF\"\t\"GSM1\"\t\"GSM2\"\n\"g\"\t1\t2\n!series_matrix_table_end\n";
    let mtx = "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1\n2 2 2\n";
    let cases: Vec<(&str, String, &str)> = vec![
        ("ok.gct", gct.into(), ""),
        ("rows.gct", change("2\t2\t1", "3\t2\t1"), "has 2 rows where its header says 3"),
        ("more.gct", change("2\t2\t1", "1\t2\t1"), "has 2 rows where its header says 1"),
        ("columns.gct", change("2\t2\t1", "2\t3\t1"), "line 3 has 4 fields where line 2 calls for 5"),
        ("counts.gct", change("2\t2\t1\t1", "2\t2"), "4 whole numbers are needed"),
        ("huge.gct", change("2\t2\t1", "2\t18446744073709551615\t1"), "no line is that long"),
        ("cut.gct", gct[..30].into(), "line 4 has 1 fields where line 2 calls for 4"),
        ("word.gct", change("\t4", "\tx"), "row 2 (\"g2\"), column 4 (\"s2\"): \"x\" is not a number"),
        ("short.gct", change("\t4", ""), "row 2 (\"g2\") has 3 fields where the header calls for 4"),
        ("none.gct", "#1.2\n".into(), "ends before its second line"),
        ("other.gct", "id\ts1\ng\t1\n".into(), "does not begin with #1.2 or #1.3"),
        ("ok.txt", gse.into(), ""),
        ("cut.txt", gse[..gse.len() - 25].into(), "ends before the line !series_matrix_table_end"),
        (
            "none.txt",
            gse.replacen("!series_matrix_table_b", "!x", 1),
            "ends before the line !series_matrix_table_begin",
        ),
        ("empty.txt", gse.replacen("\"g\"\t1\t2\n", "", 1), "supplementary files"),
        ("order.txt", gse.replacen("\"GSM1\"", "\"GSM3\"", 1), "!Sample_geo_accession names 2 samples"),
        ("ok.mtx", mtx.into(), ""),
        ("entries.mtx", mtx.replacen("2 2 2", "2 2 3", 1), "has 2 entries where its size line calls for 3"),
        ("fewer.mtx", mtx.replacen("2 2 2", "2 2 1", 1), "more entries than the 1"),
        (
            "outside.mtx",
            mtx.replacen("2 2 2\n1 1", "2 2 2\n3 1", 1),
            "\"3 1 1\" cannot be read: a row of 1 to 2",
        ),
        ("zero.mtx", mtx.replacen("1 1 1", "0 1 1", 1), "\"0 1 1\" cannot be read"),
        ("value.mtx", mtx.replacen("1 1 1", "1 1", 1), "\"1 1\" cannot be read"),
        ("complex.mtx", mtx.replacen("real", "complex", 1), "is of coordinate complex"),
        ("hermitian.mtx", mtx.replacen("general", "hermitian", 1), "is hermitian"),
        ("size.mtx", mtx.replacen("2 2 2", "2 2", 1), "its size line is"),
        ("huge.mtx", mtx.replacen("2 2 2", "4000000000 2 2", 1), "claims 4000000000 × 2"),
        ("larger.mtx", mtx.replacen("2 2 2", "18446744073709551615 2 2", 1), "more than any file holds"),
        (
            "oblong.mtx",
            mtx.replacen("2 2 2", "2 3 2", 1).replacen("general", "symmetric", 1),
            "is symmetric, but 2 × 3",
        ),
        ("nothing.mtx", mtx.replacen("2 2 2\n1 1 1\n2 2 2\n", "0 0 0\n", 1), "the matrix is empty"),
        ("comma.csv", "id;g1;g2\ns1;1,5;2\n".into(), "decimal point instead of a comma"),
        ("prose.txt", "words\nmore\n".into(), "no tab, comma, semicolon or space"),
    ];
    for (name, text, word) in cases {
        let path = place.file(name, text);
        if word.is_empty() {
            place.import(&path, &ImportSettings::default());
            continue;
        }
        let message = place.refusal(&path);
        assert!(message.contains(word) && message.contains(name), "{name}: {message}");
    }
    let zip = fs::read(data("csr.npz")).expect("there");
    for cut in (0..zip.len()).step_by(7) {
        place.refusal(&place.file("cut.npz", &zip[..cut]));
    }
}

/// Reads all of a file without making a store.
fn read_through(path: &Path) -> genelift::Result<usize> {
    let mut file = open(path, &ReadSettings::default())?;
    let (mut values, mut n) = (Vec::new(), 0);
    while file.blocks.next(&mut Vec::new(), &mut values)? {
        n += values.len();
        values.clear();
    }
    Ok(n)
}

/// Every byte of a packed matrix changed in turn: refused, or read where the byte says nothing; never a panic.
#[test]
fn damaged_archives_never_panic() {
    let place = Place::new();
    let mut refused = 0;
    let good = fs::read(data("csr.npz")).expect("there");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        refused += usize::from(read_through(&place.file("bad.npz", bad)).is_err());
    }
    assert!(refused > 600, "{refused} of {}", good.len());
}

#[test]
fn files_are_joined_by_the_genes_they_share() {
    let place = Place::new();
    let files = [
        place.file("1.csv", "patient,a,b,c,d\ns1,1,2,3,4\ns2,5,6,7,8\n"),
        place.file("2.csv", "gene,s3,s4\nd,40,80\nx,0,0\nb,20,NA\na,10,50\n"),
        place.file("3.csv", "patient,b,a,d\ns5,200,100,400\n"),
    ];
    let out = place.0.path().join("joined.gex");
    let events = Mutex::new(Vec::new());
    let note = |event| events.lock().expect("unpoisoned").push(event);
    let settings = |missing| ImportSettings { missing, force: true, ..ImportSettings::default() };
    let store = import(&files, &out, &settings(Missing::Median), &note).expect("joined");
    assert_eq!(store.genes().ids, ["a", "b", "d"]);
    assert_eq!(store.samples().ids, ["s1", "s2", "s3", "s4", "s5"]);
    let joined = [1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0, 40.0, 50.0, 13.0, 80.0, 100.0, 200.0, 400.0];
    assert_eq!(values(&store), joined, "the median of b is over all files");
    let events = events.into_inner().expect("unpoisoned");
    let warned = |words: &[&str]| {
        events
            .iter()
            .any(|e| matches!(e, Event::Warning(text) if words.iter().all(|word| text.contains(word))))
    };
    assert!(warned(&["1.csv: 1 of its 4 genes are left out", "\"c\"", "3 stay"]), "{events:?}");
    assert!(warned(&["2.csv: 1 of its 4 genes are left out", "\"x\""]), "{events:?}");
    assert!(!warned(&["3.csv"]), "{events:?}");
    assert_eq!(store.info().origin.transforms[0]["import"]["genes_left_out"], serde_json::json!([1, 1, 0]));

    let store = import(&files, &out, &settings(Missing::DropGene), &silent).expect("joined");
    assert_eq!((store.genes().ids.join(""), values(&store)[4..6].to_vec()), ("ad".into(), vec![10.0, 40.0]));
    let store = import(&files, &out, &settings(Missing::DropSample), &silent).expect("joined");
    assert_eq!(store.samples().ids, ["s1", "s2", "s3", "s5"]);
    let message = import(&files, &out, &settings(Missing::Refuse), &silent).expect_err("missing").to_string();
    assert!(message.contains("1 values are missing") && message.contains("\"b\""), "{message}");

    let other = place.file("4.csv", "patient,p,q\ns6,1,2\n");
    let message =
        place.try_import(&[files[0].clone(), other], &settings(Missing::Zero)).expect_err("none").to_string();
    assert!(message.contains("4.csv: no gene is in this file"), "{message}");
    let again = place.file("5.csv", "patient,a,b\ns2,1,2\ns9,2,3\n");
    let both = [files[0].clone(), again];
    let message = place.try_import(&both, &settings(Missing::Zero)).expect_err("twice").to_string();
    assert!(
        message.contains("5.csv: sample id \"s2\" occurs twice") && message.contains("1.csv"),
        "{message}"
    );
    let unique = ImportSettings { unique_names: true, ..settings(Missing::Zero) };
    assert_eq!(place.try_import(&both, &unique).expect("renamed").samples().ids, ["s1", "s2", "s2-1", "s9"]);
}

/// The smallest memory gives the same store, through every path that takes a share of it.
#[test]
fn memory_changes_nothing_but_the_blocks() {
    let place = Place::new();
    let (rows, columns) = (2003, 1201); // 17 MB of text, 9.6 MB of values: more than one block at 32 MiB
    let value = |r: usize, c: usize| ((r * 31 + c * 17) % 10_007) as f32 / 8.0;
    let mut text = String::from("gene");
    (0..columns).for_each(|c| text += &format!("\tc{c}"));
    for r in 0..rows {
        text += &format!("\nr{r}");
        (0..columns).for_each(|c| text += &format!("\t{}", value(r, c)));
    }
    let path = place.file("x.tsv", &text);
    for missing in [Missing::Refuse, Missing::Mean] {
        let mut settings = ImportSettings { missing, ..ImportSettings::default() };
        settings.read.memory = 32 << 20;
        let store = place.import(&path, &settings);
        let all = values(&store);
        assert!((0..all.len()).all(|i| all[i] == value(i % rows, i / rows)));
    }
    let mut settings = ImportSettings::default();
    settings.read.memory = 1 << 20;
    let message = place.try_import(&[path], &settings).map(|_| ()).expect_err("too little").to_string();
    assert!(message.contains("--memory: at least 32 MiB"), "{message}");
}

#[test]
fn headers_are_found_however_they_are_written() {
    let place = Place::new();
    for (name, text) in [
        ("comment.txt", "# made by x\n#it A B\n0 1 2\n1 3 4\n"),
        ("commented.tsv", "# made by x\n\nit\tA\tB\n0\t1\t2\n1\t3\t4\n"),
        ("padded.tsv", "it\tA\tB\t\t\r\n0\t1\t2\t\t\r\n1\t3\t4\t\t\r\n"),
        ("padded_rows.tsv", "it\tA\tB\n0\t1\t2\t\n1\t3\t4\t\n"),
        ("no_corner.tsv", "A\tB\n0\t1\t2\n1\t3\t4\n"),
        ("r.csv", "\"\",\"A\",\"B\"\n\"0\",1,2\n\"1\",3,4\n"),
        ("spaces.txt", "   it    A   B \n    0  1.0   2\n  1 3 4  \n"),
    ] {
        let settings =
            ImportSettings { orientation: Orientation::SamplesByGenes, ..ImportSettings::default() };
        let store = place.import(&place.file(name, text), &settings);
        assert_eq!(
            (store.genes().ids.join(""), store.samples().ids.join("")),
            ("AB".into(), "01".into()),
            "{name}"
        );
        assert_eq!(values(&store), [1.0, 2.0, 3.0, 4.0], "{name}");
    }
}

#[test]
fn arrow_brings_words_too() {
    let place = Place::new();
    let settings = ImportSettings { missing: Missing::Zero, ..ImportSettings::default() };
    for name in ["columns.arrow", "lz4.feather", "zstd.feather"] {
        let store = place.import(&data(name), &settings);
        let samples = store.samples();
        assert_eq!(samples.column_names(), ["tissue", "note"], "{name}");
        assert_eq!(samples.column("note").expect("there")[..5], ["", "x", "", "", "x"]);
        let tissues = samples.column("tissue").expect("there");
        assert!(tissues.iter().all(|tissue| tissue == "lung" || tissue == "liver"), "{tissues:?}");
        assert_eq!(store.info().origin.transforms[0]["import"]["missing_values"], 5, "{name}");
    }
    let old = place.refusal(&place.file("old.feather", "FEA1\0\0\0\0FEA1"));
    assert!(old.contains("Feather 1"), "{old}");
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_goes_both_ways() {
    let place = Place::new();
    let settings = ImportSettings { missing: Missing::Zero, ..ImportSettings::default() };
    let store = place.import(&data("columns.parquet"), &settings);
    assert_eq!(store.genes().ids, ["ACTB", "TP53", "EGFR", "MYC", "GAPDH"]);
    assert_eq!(store.samples().column_names(), ["tissue"]);
    let path = place.0.path().join("x.parquet");
    genelift::formats::export(&store, &path, false, &silent).expect("written");
    let before = (values(&store), store.samples().clone(), store.genes().ids.clone());
    let store = place.import(&path, &settings);
    assert_eq!(before, (values(&store), store.samples().clone(), store.genes().ids.clone()));
    // Packed with Zstandard it holds what it holds packed with snappy.
    let [plain, packed] = ["pandas.parquet", "zstd.parquet"].map(|name| {
        let store = place.import(&data(name), &ImportSettings { force: true, ..settings.clone() });
        (values(&store), store.samples().clone(), store.genes().ids.clone())
    });
    assert_eq!(plain, packed);

    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ())); // a panic of the library becomes an error
    for name in ["pandas.parquet", "zstd.parquet"] {
        let good = fs::read(data(name)).expect("there");
        for at in (0..good.len()).step_by(64) {
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            let _ = read_through(&place.file("bad.parquet", bad));
            read_through(&place.file("cut.parquet", &good[..at])).expect_err("truncated");
        }
    }
    std::panic::set_hook(hook);
}
