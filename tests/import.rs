//! Matrix files into stores: every format against figures of the formats' own libraries
//! (`scripts/reference_formats.py`), every way of writing the same matrix, and every bad input.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use common::genelift;
use genelift::device::recording::Element;
use genelift::formats::{ImportSettings, Missing, Orientation, ReadSettings, import, open};
use genelift::genes::Table;
use genelift::progress::{Event, silent};
use genelift::store::Store;
use genelift::{Error, Result};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats").join(name)
}

/// A directory with files to import.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).expect("written");
        path
    }

    /// Imports one file, replacing the store before.
    fn import(&self, path: &Path, settings: &ImportSettings) -> Result<Store> {
        let settings = ImportSettings { force: true, ..settings.clone() };
        import(&[path.to_path_buf()], &self.dir.path().join("out.gex"), &settings, &silent)
    }

    /// The message of an import that must fail and leave nothing behind.
    fn refusal(&self, path: &Path, settings: &ImportSettings) -> String {
        let error = self.import(path, settings).map(|_| ()).expect_err(&path.display().to_string());
        let left = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("readable").file_name().to_string_lossy().contains(".gex")
        };
        assert!(!self.dir.path().read_dir().expect("readable").any(left), "something is left of {path:?}");
        error.to_string()
    }
}

fn values(store: &Store) -> Vec<f32> {
    let mut all = vec![0.0; store.n_samples() * store.n_genes()];
    for (sample, row) in all.chunks_exact_mut(store.n_genes()).enumerate() {
        store.read_row(sample, row);
    }
    all
}

fn missing(missing: Missing) -> ImportSettings {
    ImportSettings { missing, ..ImportSettings::default() }
}

#[test]
fn sums_are_those_of_the_formats_own_libraries() {
    let bench = Bench::new();
    let reference = fs::read_to_string(data("reference.tsv")).expect("the reference");
    assert_eq!(reference.lines().count(), 8);
    for line in reference.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let mut settings = ImportSettings::default();
        settings.read.layer = Some(fields[1].to_string()).filter(|layer| !layer.is_empty());
        let store = bench.import(&data(fields[0]), &settings).expect(line);
        let shape = [store.n_samples().to_string(), store.n_genes().to_string()];
        assert_eq!(shape, fields[2..4], "{line}");
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (i, x) in values(&store).into_iter().enumerate() {
            let (s, g) = (i / store.n_genes(), i % store.n_genes());
            sum += f64::from(x);
            weighted += f64::from(x) * ((s * 7 + g * 13) % 11) as f64;
        }
        // Sums in f64 of the same f32 values: only the order of addition differs.
        for (found, expected) in [(sum, fields[4]), (weighted, fields[5])] {
            let expected: f64 = expected.parse().expect("a number");
            assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{line}: {found}");
        }
    }
}

#[test]
fn names_and_columns_come_along() {
    let bench = Bench::new();
    let store = bench.import(&data("modzs_n25x50.gctx"), &ImportSettings::default()).expect("imported");
    let genes = store.genes();
    assert_eq!(genes.ids[0], "200814_at");
    assert_eq!(genes.column("symbol"), genes.column("pr_gene_symbol"));
    assert_eq!(genes.column("entrez").expect("found")[0], "5720");
    assert_eq!(store.samples().column("cell_id").map(<[String]>::len), Some(25));

    let store = bench.import(&data("dense.h5ad"), &ImportSettings::default()).expect("imported");
    let samples = store.samples();
    assert_eq!(samples.column_names(), ["tissue", "age", "female", "score"]);
    let column = |name: &str| samples.column(name).expect(name);
    assert!(["lung", "liver"].contains(&column("tissue")[0].as_str()));
    assert_eq!((column("tissue")[5].as_str(), column("age")[3].as_str()), ("", ""));
    assert_eq!(column("age")[66], "106");
    assert!(column("female").iter().all(|f| f == "true" || f == "false"));
    assert_eq!(store.genes().column("symbol").expect("found")[30], "G30");

    let mut settings = ImportSettings::default();
    settings.read.layer = Some("array".into());
    let store = bench.import(&data("anndata_v0.7.0.h5ad"), &settings).expect("imported");
    assert_eq!(store.samples().column("obs_cat").expect("old categoricals")[..2], ["S", "W"]);
}

const SAMPLES: usize = 7;
const GENES: usize = 13;

/// A matrix that f16 and four decimals hold exactly; no gene is constant.
fn entry(s: usize, g: usize) -> f32 {
    (s * 17 + g * 5) as f32 / 16.0 - 2.0
}

/// SYMBOL_ENTREZ: prefixes that differ in more than a number.
fn gene(i: usize) -> String {
    format!("{}{i}X_{}", char::from(b'A' + i as u8), 37 * i + 11)
}

fn matrix() -> Vec<f32> {
    (0..SAMPLES * GENES).map(|i| entry(i / GENES, i % GENES)).collect()
}

/// The matrix as text; `turned` puts a gene on each line.
fn text(delimiter: &str, turned: bool, end: &str, quote: &str) -> String {
    let (rows, columns) = if turned { (GENES, SAMPLES) } else { (SAMPLES, GENES) };
    let (row, column) = if turned { ("G", "s") } else { ("s", "G") };
    // SYMBOL_ENTREZ for genes, sample_N for samples: the first have distinct symbols.
    let name = |kind: &str, i: usize| {
        if kind == "G" { format!("{quote}{}{quote}", gene(i)) } else { format!("{quote}sample_{i}{quote}") }
    };
    let mut lines = vec![format!("{quote}id{quote}")];
    lines[0].extend((0..columns).map(|c| format!("{delimiter}{}", name(column, c))));
    for r in 0..rows {
        let mut line = name(row, r);
        for c in 0..columns {
            let x = if turned { entry(c, r) } else { entry(r, c) };
            line += &format!("{delimiter}{quote}{x}{quote}");
        }
        lines.push(line);
    }
    lines.join(end) + end
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("packed");
    out.finish().expect("packed")
}

fn npy(descr: &str, order: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), bytes].concat()
}

#[test]
fn every_way_of_writing_a_matrix_gives_the_same_store() {
    let bench = Bench::new();
    let tsv = text("\t", false, "\n", "");
    let turned = text("\t", true, "\n", "");
    let csv = text(",", false, "\r\n", "\"");
    let no_corner = tsv.replacen("id\t", "", 1);
    let half = tsv.len() / 2;
    let members = [gzip(&tsv.as_bytes()[..half]), gzip(&tsv.as_bytes()[half..])].concat();
    let zst = ruzstd::encoding::compress_to_vec(tsv.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let f8: Vec<u8> = matrix().iter().flat_map(|x| f64::from(*x).to_be_bytes()).collect();
    let fortran: Vec<u8> =
        (0..SAMPLES * GENES).flat_map(|i| entry(i % SAMPLES, i / SAMPLES).to_le_bytes()).collect();
    let files = [
        bench.file("plain.tsv", &tsv),
        bench.file("turned.txt", &turned),
        bench.file("quoted.csv", [b"\xEF\xBB\xBF", csv.as_bytes()].concat()),
        bench.file("semicolon.csv", text(";", true, "\n", "")),
        bench.file("r.tsv", &no_corner),
        bench.file("no_line_end.tsv", tsv.trim_end()),
        bench.file("no_ending", &tsv),
        bench.file("members.tsv.gz", members),
        bench.file("named_wrongly.csv", gzip(turned.as_bytes())),
        bench.file("packed.tsv.zst", zst),
        bench.file("big_endian.npy", npy(">f8", "False", "(7, 13)", &f8)),
        bench.file("fortran.npy", npy("<f4", "True", "(7, 13)", &fortran)),
    ];
    let ids = |prefix: &str, suffix: bool, n: usize| -> String {
        (0..n).map(|i| if suffix { gene(i) + "\n" } else { format!("{prefix}{i}\n") }).collect()
    };
    let genes = bench.file("genes.names", format!("gene\n{}", ids("G", true, GENES)));
    let samples = bench.file("samples.names", format!("sample\n{}", ids("sample_", false, SAMPLES)));
    for path in files {
        for (element, policy) in [(Element::F32, Missing::Refuse), (Element::F16, Missing::Median)] {
            let names = path.extension().is_some_and(|e| e == "npy");
            let settings = ImportSettings {
                element,
                missing: policy,
                genes: names.then(|| genes.clone()),
                samples: names.then(|| samples.clone()),
                ..ImportSettings::default()
            };
            let store = bench.import(&path, &settings).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            assert_eq!((store.n_samples(), store.n_genes()), (SAMPLES, GENES), "{path:?}");
            assert_eq!(values(&store), matrix(), "{path:?} {element:?} {policy:?}");
            assert_eq!(store.samples().ids[6], "sample_6", "{path:?}");
            assert_eq!(store.genes().ids[12], "M12X_455", "{path:?}");
            assert_eq!(store.genes().column("symbol").expect("from the ids")[12], "M12X");
            let reopened = Store::open(store.path()).expect("its checksums match");
            assert_eq!(reopened.info().origin.inputs[0].bytes, fs::metadata(&path).expect("there").len());
        }
    }
}

#[test]
fn text_larger_than_a_block_is_read_whole() {
    let bench = Bench::new();
    let (rows, columns) = (1031, 1999); // 18 MB: three pieces, lines cut at their borders
    let value = |r: usize, c: usize| ((r * 31 + c * 17) % 100_003) as f32;
    let mut text = String::from("gene");
    (0..columns).for_each(|c| text += &format!("\tc{c}"));
    for r in 0..rows {
        text += &format!("\nr{r}");
        (0..columns).for_each(|c| text += &format!("\t{}.00", value(r, c)));
    }
    let path = bench.file("x.tsv", &text);
    let store = bench.import(&path, &ImportSettings::default()).expect("imported");
    assert_eq!((store.n_samples(), store.n_genes()), (columns, rows));
    let all = values(&store);
    assert!((0..all.len()).all(|i| all[i] == value(i % rows, i / rows)));
}

#[test]
fn bad_text_is_refused_by_place() {
    let bench = Bench::new();
    let long = "g1\tg2\n".repeat(3);
    let gz = gzip(text("\t", false, "\n", "").as_bytes());
    let zst = fs::read(data("small.tsv.zst")).expect("there");
    let mut wrong_sum = zst.clone();
    *wrong_sum.last_mut().expect("not empty") ^= 1;
    let mut wrong_crc = gz.clone();
    let at = wrong_crc.len() - 6;
    wrong_crc[at] ^= 1;
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("empty.csv", b"".to_vec(), &["the file is empty"]),
        ("header.csv", b"id,g1,g2\n".to_vec(), &["empty", "no row below the header"]),
        ("words.txt", b"words\nmore\n".to_vec(), &["no tab, comma, semicolon or space"]),
        ("ragged.csv", b"id,g1,g2\ns1,1,2\ns2,3\n".to_vec(), &["row 2 (\"s2\") has 2 fields", "calls for 3"]),
        ("longer.csv", b"id,g1,g2\ns1,1,2\ns2,3,4,5\n".to_vec(), &["row 2 (\"s2\") has 4 fields"]),
        (
            "word.csv",
            b"id,g1,g2\ns1,1,2\ns2,x3,4\n".to_vec(),
            &["row 2 (\"s2\")", "column 2 (\"g1\")", "\"x3\""],
        ),
        ("quoted_word.csv", b"id,g1,g2\ns1,1,\"high\"\n".to_vec(), &["column 3 (\"g2\")", "\"high\""]),
        ("comma.csv", b"id;g1;g2\ns1;1,5;2\n".to_vec(), &["\"1,5\"", "decimal point instead of a comma"]),
        ("open.csv", b"id,g1,g2\ns1,1,\"2\ns2,3,4\n".to_vec(), &["row 1", "quoted field does not end"]),
        ("gene2.csv", b"id,g1,g1\ns1,1,2\n".to_vec(), &["gene id \"g1\" occurs twice (genes 1 and 2)"]),
        (
            "sample2.csv",
            b"id,g1,g2\ns,1,2\nt,3,4\ns,5,6\n".to_vec(),
            &["\"s\" occurs twice (samples 1 and 3)"],
        ),
        ("unnamed.csv", b"id,g1,g2\n,1,2\n".to_vec(), &["sample 1 has no name"]),
        ("gct.txt", b"#1.2\n1\t1\nName\tDescription\ts1\n".to_vec(), &["has 0 rows where its header says 1"]),
        ("utf16.csv", b"\xff\xfei\0d\0,\0g\0".to_vec(), &["no row below the header"]),
        ("latin.csv", b"id,g1\n\xe9,1\n".to_vec(), &["not UTF-8"]),
        ("binary.csv", b"id,\0\0\0\n".to_vec(), &["is not a csv file", "begin with text"]),
        ("matrix.bin", b"X\0\0\0".to_vec(), &["no known format", ".gctx"]),
        ("fake.gctx", long.clone().into_bytes(), &["is not a gctx file", "HDF5 signature"]),
        ("fake.npy", long.into_bytes(), &["is not a npy file"]),
        ("cut.tsv.gz", gz[..gz.len() - 20].to_vec(), &["truncated"]),
        ("crc.tsv.gz", wrong_crc, &["damaged"]),
        ("cut.tsv.zst", zst[..zst.len() - 20].to_vec(), &["damaged"]),
        ("sum.tsv.zst", wrong_sum, &["checksum"]),
        ("packed.npy.gz", gzip(b"\x93NUMPY\x01\x00"), &["ends inside its .npy header"]),
    ];
    for (name, bytes, words) in cases {
        let settings =
            ImportSettings { orientation: Orientation::SamplesByGenes, ..ImportSettings::default() };
        let message = bench.refusal(&bench.file(name, bytes), &settings);
        assert!(message.contains(name), "{message}");
        for word in words {
            assert!(message.contains(word), "{name}: {message}");
        }
    }
    let message = bench.refusal(&bench.dir.path().join("nowhere.csv"), &ImportSettings::default());
    assert!(message.contains("nowhere.csv") && message.contains("opening failed"), "{message}");
}

#[test]
fn bad_npy_is_refused() {
    let bench = Bench::new();
    let huge = "(4611686018427387904, 4611686018427387904)";
    for (bytes, word) in [
        (npy("<f4", "False", "(2, 3)", &[0; 23]), "calls for 152 bytes, the file has 151"),
        (npy("<f4", "False", huge, &[0; 24]), "more than any file holds"),
        (npy("<f4", "False", "(6,)", &[0; 24]), "samples × genes"),
        (npy("<c8", "False", "(2, 3)", &[0; 48]), "holds type \"<c8\""),
        (npy("<f4", "False", "(0, 3)", &[]), "the matrix is empty"),
        (npy("<f4", "False", "(2, 0)", &[]), "the matrix is empty"),
        (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "ends inside"),
    ] {
        let message = bench.refusal(&bench.file("bad.npy", bytes), &ImportSettings::default());
        assert!(message.contains(word), "{message}");
    }
    let path = bench.file("x.npy", npy("<f4", "False", "(2, 3)", &[1; 24]));
    let names = bench.file("names", "gene\na\nb\n");
    let settings = ImportSettings { genes: Some(names), ..ImportSettings::default() };
    let message = bench.refusal(&path, &settings);
    assert!(message.contains("has 2 rows for the 3 genes"), "{message}");
    let store = bench.import(&path, &ImportSettings::default()).expect("numbered");
    assert_eq!((store.genes().ids[2].as_str(), store.samples().ids[0].as_str()), ("gene_3", "sample_1"));
}

#[test]
fn bad_hdf5_is_refused() {
    let bench = Bench::new();
    let settings = ImportSettings::default();
    let message = bench.refusal(&data("anndata_v0.11.4.h5ad"), &settings);
    assert!(message.contains("has no X"), "{message}");
    let mut layer = settings.clone();
    layer.read.layer = Some("nothing".into());
    let message = bench.refusal(&data("dense.h5ad"), &layer);
    assert!(message.contains("no layers/nothing") && message.contains("counts"), "{message}");

    let mut file = hdf5_pure::FileBuilder::new();
    file.create_dataset("table").with_f32_data(&[1.0, 2.0]).with_shape(&[2]);
    let other = bench.file("other.h5", file.finish().expect("built"));
    assert!(bench.refusal(&other, &settings).contains("neither GCTX"));

    let message = bench.refusal(&bench.file("cut.gctx", &gctx(None)[..900]), &settings);
    assert!(message.contains("cut short"), "{message}");
}

/// A GCTX of 2 samples × 3 genes; `value` replaces the value of gene g1 in sample s0.
fn gctx(value: Option<f64>) -> Vec<u8> {
    let mut file = hdf5_pure::FileBuilder::new();
    let mut root = file.create_group("0");
    let mut matrix = root.create_group("DATA");
    let mut zero = matrix.create_group("0");
    let values = [1.0, value.unwrap_or(2.0), 3.0, 4.0, 5.0, -7.0];
    zero.create_dataset("matrix").with_f64_data(&values).with_shape(&[2, 3]);
    matrix.add_group(zero.finish());
    root.add_group(matrix.finish());
    let mut meta = root.create_group("META");
    for (name, ids) in [("ROW", vec!["g0", "g1", "g2"]), ("COL", vec!["s0", "s1"])] {
        let mut group = meta.create_group(name);
        group.create_dataset("id").with_vlen_strings(&ids).with_shape(&[ids.len() as u64]);
        meta.add_group(group.finish());
    }
    root.add_group(meta.finish());
    file.add_group(root.finish());
    file.finish().expect("built")
}

#[test]
fn minus_666_is_missing_in_gctx_only() {
    let bench = Bench::new();
    let path = bench.file("x.gctx", gctx(Some(-666.0)));
    let message = bench.refusal(&path, &ImportSettings::default());
    assert!(message.contains("1 of 6 values are missing"), "{message}");
    assert!(message.contains("row \"g1\", column \"s0\""), "{message}");
    let store = bench.import(&path, &missing(Missing::Mean)).expect("imputed");
    assert_eq!(values(&store), [1.0, 5.0, 3.0, 4.0, 5.0, -7.0]);
    let csv = bench.file("x.csv", "id,g1,g2,g3\ns1,1,-666,3\n");
    assert_eq!(values(&bench.import(&csv, &ImportSettings::default()).expect("kept")), [1.0, -666.0, 3.0]);
}

#[test]
fn missing_values_are_treated_as_asked_either_way_round() {
    let bench = Bench::new();
    let by_samples = "patient,a,b,c\ns1,1,10,5\ns2,NA,20,6\ns3,3,,7\ns4,8,60,inf\n";
    let by_genes = "gene,s1,s2,s3,s4\na,1,NaN,3,8\nb,10,20,null,60\nc,5,6,7,-Inf\n";
    for (name, text) in [("s.csv", by_samples), ("g.csv", by_genes)] {
        let path = bench.file(name, text);
        let message = bench.refusal(&path, &ImportSettings::default());
        assert!(message.contains("3 of 12 values are missing") && message.contains("drop-gene"), "{message}");
        let filled = |a, b, c| vec![1.0, 10.0, 5.0, a, 20.0, 6.0, 3.0, b, 7.0, 8.0, 60.0, c];
        for (policy, expected) in [
            (Missing::Zero, filled(0.0, 0.0, 0.0)),
            (Missing::Mean, filled(4.0, 30.0, 6.0)),
            (Missing::Median, filled(3.0, 20.0, 6.0)),
        ] {
            let store = bench.import(&path, &missing(policy)).expect(name);
            assert_eq!(values(&store), expected, "{name} {policy:?}");
        }
        let store = bench.import(&path, &missing(Missing::DropSample)).expect(name);
        assert_eq!((values(&store), store.samples().ids.join(" ")), (vec![1.0, 10.0, 5.0], "s1".into()));
        assert!(bench.import(&path, &missing(Missing::DropGene)).is_err(), "every gene has one");
        fs::remove_dir_all(bench.dir.path().join("out.gex")).expect("removed");
    }
    let path = bench.file("one.csv", "gene,s1,s2\na,1,2\nb,,4\nc,5,6\n");
    let store = bench.import(&path, &missing(Missing::DropGene)).expect("imported");
    assert_eq!((values(&store), store.genes().ids.join(" ")), (vec![1.0, 5.0, 2.0, 6.0], "a c".into()));
    fs::remove_dir_all(store.path()).expect("removed");
    let path = bench.file("none.csv", "gene,s1,s2\na,1,2\nb,,NA\n");
    let message = bench.refusal(&path, &missing(Missing::Median));
    assert!(message.contains("\"b\" has no value in any sample"), "{message}");
}

#[test]
fn labels_join_and_warnings_are_told() {
    let bench = Bench::new();
    let path = bench.file("x.csv", "patient,a,b\ns1,1,7\ns2,2,7\ns3,3,7\n");
    let labels = bench.file("labels.tsv", "id\tkind\ns3\tthree\ns1\tone\nz\tnone\n");
    let events = Mutex::new(Vec::new());
    let settings = ImportSettings { labels: Some(labels), ..ImportSettings::default() };
    let note = |event| events.lock().expect("unpoisoned").push(event);
    let out = bench.dir.path().join("out.gex");
    let store = import(std::slice::from_ref(&path), &out, &settings, &note).expect("imported");
    assert_eq!(store.samples().column("kind").expect("joined"), ["one", "", "three"]);
    let events = events.into_inner().expect("unpoisoned");
    let warned = |word: &str| events.iter().any(|e| matches!(e, Event::Warning(text) if text.contains(word)));
    assert!(warned("2 of 3 samples have labels"), "{events:?}");
    assert!(warned("1 of 2 genes have one value in all samples (the first is \"b\")"), "{events:?}");
    let noted = |word: &str| events.iter().any(|e| matches!(e, Event::Note(text) if text.contains(word)));
    assert!(noted("rows are samples: by names as samples have them"), "{events:?}");

    assert!(matches!(import(&[path], &out, &settings, &silent), Err(Error::Exists(_))));
    fs::remove_dir_all(&out).expect("removed");
    let labels = bench.file("other.csv", "id,kind\nx,1\ny,2\nz,3\n");
    let settings = ImportSettings { labels: Some(labels), ..ImportSettings::default() };
    let message = bench.refusal(&bench.dir.path().join("x.csv"), &settings);
    assert!(
        message.contains("none of the sample ids")
            && message.contains("as many rows as there are sample ids"),
        "{message}"
    );
}

#[test]
fn several_files_are_joined_where_genes_agree() {
    let bench = Bench::new();
    let first = bench.file("1.csv", "patient,a,b\ns1,1,2\ns2,3,4\n");
    let second = bench.file("2.csv", "gene,s3,s4\na,5,7\nb,6,\n");
    let other = bench.file("3.csv", "patient,a,x\ns5,1,2\n");
    let out = bench.dir.path().join("out.gex");
    let both = [first.clone(), second.clone()];
    let store = import(&both, &out, &missing(Missing::Mean), &silent).expect("joined");
    assert_eq!(values(&store), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 4.0]); // the mean is over both files
    assert_eq!(store.samples().ids, ["s1", "s2", "s3", "s4"]);
    assert_eq!(store.info().origin.inputs.len(), 2);
    fs::remove_dir_all(&out).expect("removed");
    let store = import(&both, &out, &missing(Missing::Zero), &silent).expect("joined");
    assert_eq!(values(&store)[4..], [5.0, 6.0, 7.0, 0.0]);
    fs::remove_dir_all(&out).expect("removed");

    let settings = ImportSettings::default();
    let store = import(&[first.clone(), other], &out, &settings, &silent).expect("joined");
    assert_eq!((values(&store), store.genes().ids.join("")), (vec![1.0, 3.0, 1.0], "a".into()));
    fs::remove_dir_all(&out).expect("removed");
    let message = import(&[first.clone(), first], &out, &settings, &silent).expect_err("twice").to_string();
    assert!(message.contains("\"s1\" occurs twice"), "{message}");
    assert!(!out.exists());
}

#[test]
fn what_f16_cannot_hold_is_refused_by_name() {
    let bench = Bench::new();
    let path = bench.file("x.csv", "patient,a,b\ns1,1,2\ns2,3,70000\n");
    let settings = ImportSettings { element: Element::F16, ..ImportSettings::default() };
    let message = bench.refusal(&path, &settings);
    assert!(message.contains("70000 of gene \"b\" in sample \"s2\""), "{message}");
}

/// Reads all of a file without making a store.
fn read_through(path: &Path) -> Result<()> {
    let mut file = open(path, &ReadSettings::default())?;
    while file.blocks.next(&mut Vec::new(), &mut Vec::new())? {}
    Ok(())
}

/// Damaged HDF5, byte by byte and cut by cut: an error or (where the byte does not matter) values, never a panic.
#[test]
fn damaged_hdf5_never_panics() {
    let bench = Bench::new();
    let good = gctx(None);
    let mut refused = 0;
    for at in (0..good.len()).step_by(3) {
        let mut bad = good.clone();
        bad[at] ^= 0x41 << (at % 2);
        refused += usize::from(read_through(&bench.file("bad.gctx", bad)).is_err());
    }
    assert!(refused > 150, "{refused} of {}", good.len()); // the rest are values, names and unused space
    for name in ["modzs_n25x50.gctx", "dense.h5ad"] {
        let good = fs::read(data(name)).expect("there");
        for cut in 1..40 {
            let path = bench.file(name, &good[..good.len() * cut / 40]);
            read_through(&path).expect_err("truncated");
        }
    }
}

#[test]
fn the_commands_import_describe_and_split() {
    let bench = Bench::new();
    let csv = bench.file("x.csv", text(",", false, "\n", ""));
    let path = |name: &str| bench.dir.path().join(name).display().to_string();
    let (csv, store) = (csv.display().to_string(), path("x.gex"));
    let (code, out, _) = genelift(&["import", &csv, "-o", &store, "--dtype", "f16"]);
    assert_eq!((code, out), (Some(0), format!("store\t{store}\nsamples\t7\ngenes\t13\n")));
    let (code, out, error) = genelift(&["import", &csv, "-o", &store]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(error.contains("already exists") && error.contains("--force"), "{error}");
    let (code, _, error) = genelift(&["import", &csv, "-o", &path("y.gex"), "--format", "xls"]);
    assert_eq!(code, Some(2), "{error}");

    let (code, out, _) = genelift(&["info", &store, "--json"]);
    let info: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &info["samples"], &info["dtype"]), (Some(0), &7.into(), &"f16".into()));
    assert_eq!((&info["min"], &info["missing"]), (&(-2.0).into(), &0.into()));
    let (_, out, _) = genelift(&["info", &csv]);
    assert!(out.contains("rows are      samples (by names of the form SYMBOL_ENTREZ)"), "{out}");
    let (code, out, _) =
        genelift(&["split", &store, "-o", &path("parts"), "--fractions", "0.7,0.3", "--seed", "5"]);
    assert_eq!(code, Some(0), "{out}");
    let parts = ["train", "test"].map(|p| Store::open(&bench.dir.path().join(format!("parts/{p}.gex"))));
    assert_eq!(parts.map(|p| p.expect("a store").n_samples()), [5, 2]);

    let matrix = Path::new(&store).join("matrix.npy");
    let mut bytes = fs::read(&matrix).expect("there");
    bytes[150] ^= 1;
    fs::write(&matrix, bytes).expect("written");
    let (code, _, error) = genelift(&["info", &store]);
    assert_eq!(code, Some(1));
    assert!(error.contains("do not match their checksum"), "{error}");
    let table = Table::read_tsv(&Path::new(&store).join("samples.tsv")).expect("a table");
    assert_eq!(table.key, "sample_id");
}
