//! Names that lie beside a matrix: 10x folders and their kin, side files, arrays of a .npz, pandas' index, AnnData 0.6; and
//! inputs that can be read once only.

use std::path::Path;
use std::process::{Command, Stdio};

use genelift::store::Store;

use super::common::package;
use super::run::{refuse, succeed};

/// What a store holds: ids of samples and genes, values row by row.
fn content(store: &Path) -> (Vec<String>, Vec<String>, Vec<Vec<f32>>) {
    let store = Store::open(store).unwrap();
    let mut row = vec![0.0; store.n_genes()];
    let rows = (0..store.n_samples()).map(|at| {
        store.read_row(at, &mut row);
        row.clone()
    });
    let rows = rows.collect();
    (store.samples().ids.clone(), store.genes().ids.clone(), rows)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// Writes files, those called `.gz` packed, and makes their folders.
fn put(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = if name.ends_with(".gz") { gzip(text) } else { text.as_bytes().to_vec() };
        std::fs::write(path, bytes).unwrap();
    }
}

/// 3 genes × 2 cells: gene g in cell c is 10·(g + 1) + c + 1.
const GENES_FIRST: &str = "%%MatrixMarket matrix coordinate integer general\n3 2 6\n1 1 11\n2 1 21\n3 1 31\n1 2 12\n2 2 22\n3 2 32\n";
/// The same, cells × genes.
const CELLS_FIRST: &str = "%%MatrixMarket matrix coordinate integer general\n2 3 6\n1 1 11\n1 2 21\n1 3 31\n2 1 12\n2 2 22\n2 3 32\n";
const GENES: [&str; 3] = ["ENSG00000141510", "ENSG00000136997", "ENSG00000146648"];
const CELLS: [&str; 2] = ["AAACCCAAGGAGAGTA-1", "TTTGGTTGTAGAATAC-1"];
const FEATURES: &str = "ENSG00000141510\tTP53\tGene Expression\nENSG00000136997\tMYC\tGene Expression\nENSG00000146648\tEGFR\tGene Expression\n";
const BARCODES: &str = "AAACCCAAGGAGAGTA-1\nTTTGGTTGTAGAATAC-1\n";

/// Imports `input` in `dir` and expects the matrix above; what was said.
fn expect_triple(dir: &Path, arguments: &[&str]) -> String {
    let all = [&["import"], arguments, &["-o", "x.gex", "--force"]].concat();
    let (_, said) = succeed(dir, &all);
    let (samples, genes, rows) = content(&dir.join("x.gex"));
    assert_eq!(
        (samples.as_slice(), genes.as_slice()),
        (&CELLS.map(String::from)[..], &GENES.map(String::from)[..]),
        "{arguments:?}: {said}"
    );
    assert_eq!(rows, [[11.0, 21.0, 31.0], [12.0, 22.0, 32.0]], "{arguments:?}: {said}");
    said
}

#[test]
fn what_owners_read_is_read() {
    let place = tempfile::tempdir().unwrap();
    let folder = package("tests/data/field/sides");
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ids = |value: &serde_json::Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
    for (name, owner) in expected.as_object().unwrap() {
        if name.ends_with(".parquet") && !cfg!(feature = "parquet") {
            continue;
        }
        let file = folder.join(name);
        let (_, said) = succeed(place.path(), &["import", file.to_str().unwrap(), "-o", "x.gex", "--force"]);
        let (samples, genes, rows) = content(&place.path().join("x.gex"));
        assert_eq!((samples, genes), (ids(&owner["samples"]), ids(&owner["genes"])), "{name}: {said}");
        let values: Vec<Vec<f32>> = serde_json::from_value(owner["values"].clone()).unwrap();
        assert_eq!(rows, values, "{name}");
    }
}

#[test]
fn records_of_anndata_06_keep_their_columns() {
    let place = tempfile::tempdir().unwrap();
    for name in ["vlen.h5ad", "fixed.h5ad", "mixed.h5ad"] {
        let file = package("tests/data/field/sides").join(name);
        succeed(place.path(), &["import", file.to_str().unwrap(), "-o", "x.gex", "--force"]);
        let store = Store::open(&place.path().join("x.gex")).unwrap();
        assert_eq!(store.samples().column("type").unwrap(), ["T", "B", ""], "{name}");
        assert_eq!(store.samples().column("n").unwrap(), ["3", "2", "1"], "{name}");
        assert!(store.samples().column("note").unwrap()[2].starts_with("one that"), "{name}");
    }
    let file = package("tests/data/field/anndata06_vlen_compound.h5ad");
    succeed(place.path(), &["import", file.to_str().unwrap(), "-o", "x.gex", "--force"]);
    let store = Store::open(&place.path().join("x.gex")).unwrap();
    assert_eq!((store.n_samples(), store.n_genes()), (20, 30));
    assert_eq!(
        (store.samples().ids[1].as_str(), store.genes().ids[0].as_str()),
        ("cell1", "ENSG00000141510")
    );
}

#[test]
fn folders_of_many_tools_are_read() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let genes = GENES.join("\n") + "\n";
    let quoted =
        FEATURES.lines().map(|line| format!("\"{}\"\n", line.replace('\t', "\"\t\""))).collect::<String>();
    let headed = format!("gene_id\tgene_symbol\tfeature_type\n{FEATURES}");
    let numbered = "\"\",\"x\"\n\"1\",\"AAACCCAAGGAGAGTA-1\"\n\"2\",\"TTTGGTTGTAGAATAC-1\"\n";
    let commented = format!("# from a pipeline\n{FEATURES}");
    put(
        dir,
        &[
            ("v3/matrix.mtx.gz", GENES_FIRST),
            ("v3/features.tsv.gz", FEATURES),
            ("v3/barcodes.tsv.gz", BARCODES),
            ("v2/matrix.mtx", GENES_FIRST),
            ("v2/genes.tsv", FEATURES),
            ("v2/barcodes.tsv", BARCODES),
            ("geo/GSM1_x_matrix.mtx.gz", GENES_FIRST),
            ("geo/GSM1_x_features.tsv.gz", FEATURES),
            ("geo/GSM1_x_barcodes.tsv.gz", BARCODES),
            ("last/matrix_liver.mtx", GENES_FIRST),
            ("last/genes_liver.tsv", FEATURES),
            ("last/barcodes_liver.tsv", BARCODES),
            ("kb/cells_x_genes.mtx", CELLS_FIRST),
            ("kb/cells_x_genes.genes.txt", &genes),
            ("kb/cells_x_genes.barcodes.txt", BARCODES),
            ("kb/cells_x_genes.genes.names.txt", "TP53\nMYC\nEGFR\n"),
            ("alevin/quants_mat.mtx.gz", CELLS_FIRST),
            ("alevin/quants_mat_cols.txt", &genes),
            ("alevin/quants_mat_rows.txt", BARCODES),
            ("turned/matrix.mtx", CELLS_FIRST),
            ("turned/features.tsv", FEATURES),
            ("turned/barcodes.tsv", BARCODES),
            ("quoted/matrix.mtx", GENES_FIRST),
            ("quoted/features.tsv", &quoted),
            ("quoted/barcodes.tsv", numbered),
            ("headed/matrix.mtx", GENES_FIRST),
            ("headed/features.tsv", &headed),
            ("headed/barcodes.tsv", &format!("barcode\n{BARCODES}")),
            ("odd/matrix.mtx", GENES_FIRST),
            ("odd/features.tsv", &commented),
            ("odd/barcodes.tsv", &format!("\u{feff}{}", BARCODES.replace('\n', "\r\n"))),
            ("star/matrix.mtx", GENES_FIRST),
            ("star/features.tsv", FEATURES),
            ("star/barcodes.tsv", BARCODES),
            ("star/UniqueAndMult-EM.mtx", CELLS_FIRST),
            ("atlas/E-1.counts.mtx", GENES_FIRST),
            ("atlas/E-1.counts.mtx_rows", &genes),
            ("atlas/E-1.counts.mtx_cols", BARCODES),
        ],
    );
    for folder in
        ["v3", "v2", "geo", "last", "kb", "alevin", "turned", "quoted", "headed", "odd", "star", "atlas"]
    {
        let said = expect_triple(dir, &[folder]);
        let turned = ["kb", "alevin", "turned"].contains(&folder);
        assert_eq!(
            said.contains("rows are samples: by the lengths of the tables"),
            turned,
            "{folder}: {said}"
        );
        let symbol =
            Store::open(&dir.join("x.gex")).unwrap().genes().column("symbol").map(<[String]>::to_vec);
        let plain = ["alevin", "atlas"].contains(&folder);
        assert_eq!(symbol, (!plain).then(|| ["TP53", "MYC", "EGFR"].map(String::from).to_vec()), "{folder}");
    }
    // the file in place of its folder
    for file in
        ["v3/matrix.mtx.gz", "geo/GSM1_x_matrix.mtx.gz", "kb/cells_x_genes.mtx", "alevin/quants_mat.mtx.gz"]
    {
        let said = expect_triple(dir, &[file]);
        assert!(said.contains("names come from") && said.contains("beside it"), "{said}");
        let inputs = Store::open(&dir.join("x.gex")).unwrap().info().origin.inputs.len();
        assert_eq!(inputs, 3, "{file}");
    }
    // and from within it
    expect_triple(&dir.join("v3"), &["matrix.mtx.gz"]);
}

#[test]
fn samples_of_one_folder_are_joined() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    for (a, b) in [("GSM1_A_", "GSM2_B_"), ("liver.", "kidney."), ("P1-", "P2-")] {
        let names = |prefix: &str| {
            ["matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz"].map(|n| format!("t/{prefix}{n}"))
        };
        let (first, second) = (names(a), names(b));
        let _ = std::fs::remove_dir_all(dir.join("t"));
        for [matrix, features, barcodes] in [&first, &second] {
            put(dir, &[(matrix, GENES_FIRST), (features, FEATURES), (barcodes, BARCODES)]);
        }
        let (_, said) = succeed(dir, &["import", "t", "-o", "x.gex", "--force"]);
        assert!(said.contains("2 samples are joined"), "{said}");
        let store = Store::open(&dir.join("x.gex")).unwrap();
        let mut prefixes = [a, b].map(|prefix| prefix.trim_end_matches(['_', '.', '-']).to_string());
        prefixes.sort();
        let ids: Vec<String> =
            prefixes.iter().flat_map(|p| CELLS.map(|cell| format!("{p}_{cell}"))).collect();
        assert_eq!(store.samples().ids, ids, "{said}");
        let column: Vec<String> = prefixes.iter().flat_map(|p| [p.clone(), p.clone()]).collect();
        assert_eq!(store.samples().column("sample").unwrap(), column);
        assert_eq!(content(&dir.join("x.gex")).2[3], [12.0, 22.0, 32.0]);
    }
    // features that all share
    put(
        dir,
        &[
            ("s/a_matrix.mtx", GENES_FIRST),
            ("s/a_barcodes.tsv", BARCODES),
            ("s/b_matrix.mtx", GENES_FIRST),
            ("s/b_barcodes.tsv", BARCODES),
            ("s/features.tsv", FEATURES),
        ],
    );
    succeed(dir, &["import", "s", "-o", "x.gex", "--force"]);
    assert_eq!(Store::open(&dir.join("x.gex")).unwrap().genes().ids, GENES);
    let field = package("tests/data/field/two_samples_10x");
    succeed(dir, &["import", field.to_str().unwrap(), "-o", "x.gex", "--force"]);
    assert_eq!(Store::open(&dir.join("x.gex")).unwrap().n_samples(), 16);
    let said = refuse(dir, &["info", field.to_str().unwrap()]);
    assert!(said.contains("several samples") && said.contains("import"), "{said}");
}

#[test]
fn folders_that_do_not_fit_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let short = FEATURES.lines().take(2).collect::<Vec<_>>().join("\n");
    put(
        dir,
        &[
            ("short/matrix.mtx", GENES_FIRST),
            ("short/features.tsv", &short),
            ("short/barcodes.tsv", BARCODES),
            ("none/matrix.mtx", GENES_FIRST),
            ("none/barcodes.tsv", BARCODES),
            ("headed/matrix.mtx", GENES_FIRST),
            ("headed/features.tsv", &format!("gene_id\tgene_symbol\ttype\n{short}")),
            ("headed/barcodes.tsv", BARCODES),
            ("velocyto/spliced.mtx", GENES_FIRST),
            ("velocyto/unspliced.mtx", GENES_FIRST),
            ("velocyto/features.tsv", FEATURES),
            ("velocyto/barcodes.tsv", BARCODES),
            ("outs/filtered/matrix.mtx", GENES_FIRST),
            ("outs/raw/matrix.mtx", GENES_FIRST),
            ("both/matrix.mtx", GENES_FIRST),
            ("both/matrix.mtx.gz", GENES_FIRST),
            ("both/features.tsv", FEATURES),
            ("both/barcodes.tsv", BARCODES),
        ],
    );
    for (folder, words) in [
        ("short", "there are 2 features and 2 barcodes"),
        ("none", "holds no features.tsv or genes.tsv"),
        ("headed", "do not belong together"),
        ("velocyto", "holds several matrices (spliced.mtx, unspliced.mtx)"),
        ("outs", "the matrices are in filtered, raw in it"),
        ("both", "holds both matrix.mtx and matrix.mtx.gz"),
    ] {
        let said = refuse(dir, &["import", folder, "-o", "x.gex"]);
        assert!(said.contains(words), "{folder}: {said}");
    }
    expect_triple(dir, &["velocyto/spliced.mtx"]);
    // a matrix without tables: its names are made up, and that is said
    put(dir, &[("alone/m.mtx", GENES_FIRST)]);
    let (_, said) = succeed(dir, &["import", "alone/m.mtx", "-o", "y.gex"]);
    assert!(said.contains("made up") && said.contains("--genes"), "{said}");
}

#[test]
fn given_names_have_a_header_or_none() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let genes = GENES.join("\n") + "\n";
    let semicolons = format!("gene;symbol\n{}", FEATURES.replace("\tGene Expression", "").replace('\t', ";"));
    put(
        dir,
        &[
            ("m.mtx", GENES_FIRST),
            ("features.tsv.gz", FEATURES),
            ("ids.txt", &genes),
            ("headed.tsv", &format!("gene_id\n{genes}")),
            ("semi.csv", &semicolons),
            ("b.tsv", BARCODES),
            ("b.csv.gz", &format!("barcode,n\n{}", BARCODES.replace('\n', ",7\n"))),
            ("r.tsv", "\"x\"\n\"1\" \"AAACCCAAGGAGAGTA-1\"\n\"2\" \"TTTGGTTGTAGAATAC-1\"\n"),
        ],
    );
    for genes in ["features.tsv.gz", "ids.txt", "headed.tsv", "semi.csv"] {
        for samples in ["b.tsv", "b.csv.gz", "r.tsv"] {
            expect_triple(dir, &["m.mtx", "--genes", genes, "--samples", samples]);
        }
    }
    // what is given goes before what lies beside
    put(dir, &[("t/matrix.mtx", GENES_FIRST), ("t/features.tsv", "a\nb\nc\n"), ("t/barcodes.tsv", "d\ne\n")]);
    expect_triple(dir, &["t/matrix.mtx", "--genes", "ids.txt", "--samples", "b.tsv"]);
    let said = refuse(dir, &["import", "m.mtx", "--genes", "b.tsv", "-o", "y.gex"]);
    assert!(said.contains("has 2 rows for the 3 genes"), "{said}");
}

#[test]
fn names_beside_an_array_that_do_not_fit_are_said() {
    let place = tempfile::tempdir().unwrap();
    let file = package("tests/data/field/sides/objects.npz");
    let (_, said) = succeed(place.path(), &["import", file.to_str().unwrap(), "-o", "x.gex"]);
    assert!(said.contains("names come from") && said.contains("genes") && said.contains("samples"), "{said}");
    let file = package("tests/data/field/sides/turned.npz");
    let (_, said) = succeed(place.path(), &["import", file.to_str().unwrap(), "-o", "x.gex", "--force"]);
    assert!(said.contains("rows are genes: by the lengths of the names beside it"), "{said}");
}

#[test]
fn an_index_that_counts_is_said_and_is_no_gene() {
    let place = tempfile::tempdir().unwrap();
    for (name, column) in [("counted.arrow", "__index_level_0__"), ("saved_twice.arrow", "Unnamed: 0")] {
        let file = package("tests/data/field/sides").join(name);
        let (_, said) = succeed(place.path(), &["import", file.to_str().unwrap(), "-o", "x.gex", "--force"]);
        assert!(said.contains(&format!("{column:?} only counts the rows")), "{said}");
        assert_eq!(said.contains("they are numbered"), name == "counted.arrow", "{said}");
    }
}

/// Genes × samples, more than a pipe or a look at the beginning holds.
fn large() -> String {
    let header =
        "gene\t".to_string() + &(0..6).map(|s| format!("s{s}")).collect::<Vec<_>>().join("\t") + "\n";
    (0..4001).fold(header, |text, g| {
        let row: Vec<String> = (0..6).map(|s| format!("{}.5", (g * 7 + s * 3) % 101)).collect();
        text + &format!("ENSG{g:011}\t{}\n", row.join("\t"))
    })
}

/// Runs a shell command that calls the program `$G`.
#[cfg(unix)]
fn shell(dir: &Path, command: &str) -> (bool, String) {
    let program = env!("CARGO_BIN_EXE_genelift");
    let mut bash = Command::new("bash");
    bash.current_dir(dir).env("G", program).args(["-o", "pipefail", "-c", command]).stdin(Stdio::null());
    let output = bash.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(unix)]
#[test]
fn what_can_be_read_once_is_read_whole() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let text = large();
    put(dir, &[("m.tsv", &text), ("m.tsv.gz", &text), ("labels.tsv", "sample\tkind\ns0\ta\ns1\tb\n")]);
    succeed(dir, &["import", "m.tsv", "-o", "file.gex"]);
    let expected = content(&dir.join("file.gex"));
    let fifo = "rm -f f.tsv; mkfifo f.tsv; (cat m.tsv > f.tsv &) ; $G import f.tsv -o x.gex --force";
    let mut commands = [fifo, "$G import <(cat m.tsv) -o x.gex --force"].repeat(10);
    commands.extend([
        "cat m.tsv | $G import - -o x.gex --force",
        "cat m.tsv | $G import /dev/stdin -o x.gex --force",
        "$G import - -o x.gex --force < m.tsv",
        "cat m.tsv.gz | $G import - -o x.gex --force",
        "$G import <(cat m.tsv) -o x.gex --force --labels <(cat labels.tsv)",
    ]);
    for command in commands {
        let (done, said) = shell(dir, command);
        assert!(done, "{command}: {said}");
        assert!(!said.contains("x.gex.tmp"), "{command}: {said}");
        assert_eq!(content(&dir.join("x.gex")), expected, "{command}");
    }
    let store = Store::open(&dir.join("x.gex")).unwrap();
    assert_eq!(store.samples().column("kind").unwrap()[..2], ["a", "b"]);
    let info = std::fs::read_to_string(dir.join("x.gex/store.json")).unwrap();
    assert!(info.contains("read_once") && info.contains("/dev/fd/") && !info.contains("tmp"), "{info}");
    let left = dir.read_dir().unwrap().flatten().filter(|e| e.file_name().to_string_lossy().contains("tmp"));
    assert_eq!(left.count(), 0);
}

#[cfg(unix)]
#[test]
fn faults_of_a_pipe_name_the_pipe() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    put(dir, &[("m.tsv", &large()), ("bad.tsv", "gene\ta\tb\nx\t1\t2\ny\t1,000\tq\n")]);
    for (command, words) in [
        ("true | $G import - -o x.gex", "standard input: the file is empty"),
        ("$G import <(cat bad.tsv) -o x.gex", "/dev/fd/"),
        ("cat m.tsv | $G import - - -o x.gex", "is given twice"),
    ] {
        let (done, said) = shell(dir, command);
        assert!(!done && said.contains(words) && !said.contains("tmp"), "{command}: {said}");
    }
    let (done, said) = shell(dir, "$G info <(cat m.tsv) | grep -q 'file *[/]dev/fd'");
    assert!(done, "{said}");
}
