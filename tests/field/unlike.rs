//! Columns and rows that are neither samples nor genes, in every format that can hold them; thousands and quotes that must not
//! decide what parts the fields; and the options that say otherwise.

use std::fs;
use std::path::Path;

use genelift::store::Store;

use super::run::{refuse, succeed};

/// Writes a file, imports it; the store and what was said.
fn import(dir: &Path, name: &str, text: &str, options: &[&str]) -> (Store, String) {
    fs::write(dir.join(name), text).unwrap();
    let (_, said) = succeed(dir, &[&["import", name, "-o", "x.gex", "--force"], options].concat());
    (Store::open(&dir.join("x.gex")).unwrap(), said)
}

fn refusal(dir: &Path, name: &str, text: &str, options: &[&str]) -> String {
    fs::write(dir.join(name), text).unwrap();
    refuse(dir, &[&["import", name, "-o", "y.gex", "--force"], options].concat())
}

fn ids(store: &Store) -> (String, String) {
    (store.samples().ids.join(" "), store.genes().ids.join(" "))
}

fn rows(store: &Store) -> Vec<f32> {
    let mut all = vec![0.0; store.n_samples() * store.n_genes()];
    all.chunks_exact_mut(store.n_genes()).enumerate().for_each(|(sample, row)| store.read_row(sample, row));
    all
}

/// Commas between thousands may be more than the tabs or semicolons that part the fields: the header was then taken for a title.
#[test]
fn thousands_do_not_decide_what_parts_the_fields() {
    let dir = tempfile::tempdir().unwrap();
    for (header, first, second) in [
        ("gene\tS1\tS2", "TP53\t\"1,000,345\"\t\"2,000\"", "EGFR\t\"1,000,111\"\t\"2,000\""),
        ("gene\tS1\tS2", "TP53\t1,000,345\t2,345,123", "EGFR\t1,000,345\t2,345,123"),
        ("gene;S1;S2", "TP53;1,000,345;2,345,123", "EGFR;1,000,345;2,345,123"),
    ] {
        let said = refusal(dir.path(), "x.txt", &format!("{header}\n{first}\n{second}\n"), &[]);
        assert!(said.contains("column 2 (\"S1\")") && said.contains("between the thousands"), "{said}");
    }
    // A title with commas is one, and so are two.
    for text in [
        "Table S1, of liver, and others\ngene\tS1\tS2\nTP53\t1\t2\nEGFR\t3\t4\n",
        "T,,\nU,,\ngene,S1,S2\nTP53,1,2\nEGFR,3,4\n",
    ] {
        let (store, said) = import(dir.path(), "x.txt", text, &[]);
        assert_eq!(ids(&store), ("S1 S2".into(), "TP53 EGFR".into()), "{said}");
        assert!(said.contains("taken for a title"), "{said}");
    }
}

/// What GenomeStudio, BeadStudio and GEO put beside each sample is none.
#[test]
fn detection_p_values_are_no_samples() {
    let dir = tempfile::tempdir().unwrap();
    for header in [
        "ID_REF\tS1.AVG_Signal\tS1.Detection Pval\tS2.AVG_Signal\tS2.Detection Pval",
        "ID_REF\tS1.AVG_Signal\tDetection Pval\tS2.AVG_Signal\tDetection Pval",
        "PROBE_ID\tS1.AVG_Signal\tS1.BEAD_STDERR\tS2.AVG_Signal\tS2.Avg_NBEADS",
        "TargetID\tS1.AVG_Signal\tDetection-S1\tS2.AVG_Signal\tDetection-S2",
    ] {
        let text = format!("{header}\nILMN_1651199\t120.5\t0.01\t7\t0.5\nILMN_1651209\t8\t0.2\t9\t0.6\n");
        let (store, said) = import(dir.path(), "x.txt", &text, &[]);
        assert_eq!(ids(&store), ("S1.AVG_Signal S2.AVG_Signal".into(), "ILMN_1651199 ILMN_1651209".into()));
        assert_eq!(rows(&store), [120.5, 8.0, 7.0, 9.0]);
        assert!(said.contains("how sure a value is") && said.contains("--value-columns"), "{said}");
    }
}

/// What is known of patients and cells stands before the genes as numbers too.
#[test]
fn clinical_numbers_are_no_genes() {
    let dir = tempfile::tempdir().unwrap();
    for header in ["patient,status,age", "cell,n_counts,leiden", "sample,lib.size,norm.factors"] {
        let text = format!("{header},TP53,EGFR,MYC\nP1,1,50,1,2,3\nP2,0,60,4,5,6\n");
        let (store, said) = import(dir.path(), "x.csv", &text, &[]);
        assert_eq!(ids(&store), ("P1 P2".into(), "TP53 EGFR MYC".into()), "{said}");
        assert_eq!(store.samples().column_names().len(), 2);
        assert!(said.contains("kept to describe the rows, by their names"), "{said}");
    }
}

const GCT: &str = "#1.2\n3\t3\nName\tDescription\tA\tB\tC\nENSG00000141510.1\tTP53\t1\t2\t3\nENSG00000141511.1\tEGFR\t4\t5\t6\n\
                   ENSG00000141512.1\tMYC\t7\t8\t9\n";

#[test]
fn columns_and_rows_of_gct_are_left_out_or_kept_as_told() {
    let dir = tempfile::tempdir().unwrap();
    let told = ["--drop-columns", "B", "--annotation-columns", "C", "--drop-rows", "ENSG00000141511.1"];
    let (store, _) = import(dir.path(), "x.gct", GCT, &told);
    assert_eq!(ids(&store), ("A".into(), "ENSG00000141510.1 ENSG00000141512.1".into()));
    assert_eq!(store.genes().column("symbol").unwrap(), ["TP53", "MYC"]);
    assert_eq!(
        (store.genes().column("C").unwrap(), rows(&store)),
        (&["3".into(), "9".into()][..], vec![1.0, 7.0])
    );
    let (store, _) = import(
        dir.path(),
        "x.gct",
        GCT,
        &["--drop-rows", "ENSG00000141510.1", "--where", "id!=", "--labels", "l.tsv"][..2],
    );
    assert_eq!(rows(&store), [4.0, 7.0, 5.0, 8.0, 6.0, 9.0]);
    let notes = GCT
        .replace("#1.2\n3\t3\n", "#1.3\n3\t3\t1\t1\n")
        .replace("C\nENSG00000141510.1", "C\ntissue\tna\tx\ty\tz\nENSG00000141510.1");
    let (store, _) = import(dir.path(), "x.gct", &notes, &["--drop-columns", "B"]);
    assert_eq!(store.samples().column("tissue").unwrap(), ["x", "z"]);
    for (options, words) in [
        (["--drop-columns", "nix"], "it has no column \"nix\""),
        (["--drop-rows", "nix"], "it has no row \"nix\""),
        (["--drop-columns", "A,B,C"], "no column of values is left"),
        (["--value-columns", "A"], "--value-columns is for csv, tsv, xlsx, parquet, arrow"),
    ] {
        let said = refusal(dir.path(), "x.gct", GCT, &options);
        assert!(said.contains(words), "{said}");
    }
}

/// GTEx's files of one tissue number their rows before the name; a line too many or too few is still refused.
#[test]
fn a_gct_with_numbered_rows_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut row = 0;
    let number = |line: &str| {
        let first = if row == 0 { "id".to_string() } else { (row - 1).to_string() };
        row += 1;
        format!("{first}\t{line}\n")
    };
    let numbered = format!("#1.2\n3\t3\n{}", GCT.lines().skip(2).map(number).collect::<String>());
    let (store, said) = import(dir.path(), "x.gct", &numbered, &[]);
    assert!(said.contains("column \"id\" numbers the rows"), "{said}");
    let (plain, _) = import(dir.path(), "y.gct", GCT, &[]);
    assert_eq!((ids(&store), rows(&store)), (ids(&plain), rows(&plain)));
    assert_eq!(store.genes().column("symbol").unwrap(), ["TP53", "EGFR", "MYC"]);
    let said = refusal(dir.path(), "z.gct", &numbered.replace("2\tENSG", "ENSG"), &[]);
    assert!(said.contains("has 5 fields"), "{said}");
}

/// The same tables in Arrow and Parquet as in text.
#[cfg(feature = "parquet")]
#[test]
fn known_columns_of_parquet_are_no_samples_and_no_genes() {
    let dir = tempfile::tempdir().unwrap();
    let text = "sample\tage_at\tTP53\tEGFR\tMYC\nP1\t50\t1\t2\t3\nP2\t60\t4\t5\t6\nP3\t70\t7\t8\t9\n";
    for (header, kept) in [("age", true), ("nCount_RNA", true), ("Length", true), ("AGER", false)] {
        import(dir.path(), "x.tsv", &text.replace("age_at", header), &["--value-columns", header]);
        succeed(dir.path(), &["export", "x.gex", "-o", "x.parquet", "--force"]);
        let (_, said) = succeed(dir.path(), &["import", "x.parquet", "-o", "y.gex", "--force"]);
        let store = Store::open(&dir.path().join("y.gex")).unwrap();
        assert_eq!(store.n_genes(), if kept { 3 } else { 4 }, "{said}");
        assert_eq!(said.contains("kept to describe the rows, by their names"), kept, "{said}");
        if kept {
            assert_eq!(store.samples().column(header).unwrap(), ["50", "60", "70"]);
        }
    }
    let told = [
        "--drop-columns",
        "EGFR",
        "--annotation-columns",
        "MYC",
        "--drop-rows",
        "P2",
        "--value-columns",
        "AGER",
    ];
    succeed(dir.path(), &[&["import", "x.parquet", "-o", "y.gex", "--force"], &told[..]].concat());
    let store = Store::open(&dir.path().join("y.gex")).unwrap();
    assert_eq!(
        (ids(&store), rows(&store)),
        (("P1 P3".into(), "AGER TP53".into()), vec![50.0, 1.0, 70.0, 7.0])
    );
    assert_eq!(store.samples().column("MYC").unwrap(), ["3", "9"]);
    fs::write(dir.path().join("list.txt"), "P3\n").unwrap();
    let slice = ["--drop-rows", "P1", "--only-samples", "list.txt"];
    succeed(dir.path(), &[&["import", "x.parquet", "-o", "y.gex", "--force"], &slice[..]].concat());
    let store = Store::open(&dir.path().join("y.gex")).unwrap();
    assert_eq!(rows(&store), [70.0, 7.0, 8.0, 9.0]);
    for (option, name) in [("--drop-rows", "nix"), ("--drop-columns", "nix"), ("--no-header", "")] {
        let arguments = ["import", "x.parquet", "-o", "z.gex", option, name];
        let said = refuse(dir.path(), &arguments[..if name.is_empty() { 5 } else { 6 }]);
        assert!(said.contains(option) && said.contains("x.parquet"), "{said}");
    }
}

/// Columns of words in Parquet are named, and which of them names the rows.
#[cfg(feature = "parquet")]
#[test]
fn columns_of_words_in_parquet_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let text = "sample\ttissue\tTP53\tEGFR\tMYC\nP1\tliver\t1\t2\t3\nP2\tlung\t4\t5\t6\n";
    import(dir.path(), "x.tsv", text, &[]);
    succeed(dir.path(), &["export", "x.gex", "-o", "x.parquet"]);
    let bring = |more: &[&str]| {
        let (_, said) =
            succeed(dir.path(), &[&["import", "x.parquet", "-o", "y.gex", "--force"], more].concat());
        let store = Store::open(&dir.path().join("y.gex")).unwrap();
        assert_eq!(store.samples().column("tissue").unwrap(), ["liver", "lung"]);
        assert!(said.contains("x.parquet: the rows are named by column \"sample_id\""), "{said}");
        said.contains("warning: x.parquet: columns of words, kept to describe the rows: \"tissue\"")
    };
    assert!(bring(&[]));
    assert!(!bring(&["--annotation-columns", "tissue"]), "that was told");
}

/// Refusals tell the way out that fits.
#[test]
fn what_is_refused_says_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let matrix = "gene\tS1\tS2\nTP53\t1\t2\nEGFR\t3\t4\n";
    for (name, text, words) in [
        ("x.xls", matrix, "pass --format tsv or csv"),
        (
            "GPL96.txt",
            "^PLATFORM = GPL96\n!platform_table_begin\nID\tGene Symbol\n",
            "--gene-labels GPL96.txt",
        ),
        (
            "GPL96.annot",
            "^Annotation\n!platform_table_begin\nID\tGene symbol\n",
            "--collapse-probes GPL96.annot",
        ),
        ("x_family.soft", "^DATABASE = GeoMiame\n", "import the series matrix"),
        (
            "cbio.txt",
            "Hugo_Symbol\tTCGA-02-0001-01\tTCGA-02-0003-01\nTP53\t1\t2\n\t3\t4\n",
            "--drop-rows \"\"",
        ),
        (
            "firehose.txt",
            "Hybridization REF\tA\tB\ngene_id\tcount\tcount\nTP53|7157\t1\t2\n",
            "--drop-rows leaves out a row",
        ),
    ] {
        let said = refusal(dir.path(), name, text, &[]);
        assert!(said.contains(words), "{name}: {said}");
    }
    let (store, _) = import(dir.path(), "x.xls", matrix, &["--format", "tsv"]);
    assert_eq!(ids(&store), ("S1 S2".into(), "TP53 EGFR".into()));
}

/// A column that counts the rows, before their names, is no sample, whatever it is called.
#[test]
fn ranks_and_row_numbers_are_no_samples() {
    let dir = tempfile::tempdir().unwrap();
    for (header, first) in [("idx,gene", 0), ("rank,symbol", 1), ("No.,Gene Symbol", 1)] {
        let row = |(i, name): (usize, &str)| format!("{},{name},{i}.5,7\n", i + first);
        let names = ["TP53", "EGFR", "MYC"];
        let text: String = names.into_iter().enumerate().map(row).collect();
        let (store, said) = import(dir.path(), "x.csv", &format!("{header},S1,S2\n{text}"), &[]);
        assert_eq!(ids(&store), ("S1 S2".into(), "TP53 EGFR MYC".into()), "{said}");
        assert!(said.contains("only number the rows"), "{said}");
    }
    let said = refusal(dir.path(), "list.tsv", "rank\tgene\n1\tTP53\n2\tEGFR\n3\tMYC\n", &[]);
    assert!(said.contains("no column of values is left"), "{said}");
}

/// Rows of a sheet that describe its samples or sum its genes up hold numbers as genes do: kept, with a word.
#[test]
fn rows_that_are_hardly_genes_are_said() {
    let dir = tempfile::tempdir().unwrap();
    for (row, genes) in [
        ("age,40,50", "TP53 EGFR age"),
        ("Total,3,6", "TP53 EGFR Total"),
        ("Lib.Size,3,6", "TP53 EGFR Lib.Size"),
    ] {
        let text = format!("gene,S1,S2\nTP53,1,2\nEGFR,2,4\n{row}\n");
        let (store, said) = import(dir.path(), "a.csv", &text, &["--orientation", "genes-by-samples"]);
        let name = row.split(',').next().unwrap();
        assert_eq!(ids(&store), ("S1 S2".into(), genes.into()));
        assert!(
            said.contains(&format!("names that descriptions and sums have, such as \"{name}\"")),
            "{said}"
        );
        let options = ["--orientation", "genes-by-samples", "--drop-rows", name];
        let (store, said) = import(dir.path(), "a.csv", &text, &options);
        assert_eq!(
            (ids(&store).1.as_str(), said.contains("descriptions and sums")),
            ("TP53 EGFR", false),
            "{said}"
        );
    }
}
