//! Every file of `tests/data/field` that came with the faults, in one table: shape, first names, columns of the genes, and the
//! words that must be said. Other spellings of the same kinds are in the files beside this one.

use std::fs;
use std::path::{Path, PathBuf};

use genelift::genes::Table;
use genelift::store::Store;

use super::run::{refuse, succeed};

struct Expected {
    file: &'static str,
    /// Samples, genes.
    shape: (usize, usize),
    samples: &'static str,
    genes: &'static str,
    /// The first gene's symbol and Entrez id, where there are such columns.
    known: (&'static str, &'static str),
    /// Columns of the samples.
    about: &'static str,
    said: &'static [&'static str],
}

const SYMBOLS: &str = "TP53 EGFR MYC BRCA1 GAPDH ACTB CDK4 KRAS PTEN RB1 SEPT2 MARCH1";
const PLAIN: Expected = Expected {
    file: "",
    shape: (5, 12),
    samples: "S1 S2 S3 S4 S5",
    genes: SYMBOLS,
    known: ("", ""),
    about: "",
    said: &["rows are genes: by gene symbols"],
};
const CELLS: Expected = Expected {
    shape: (20, 30),
    samples: "cell0 cell1",
    genes: "ENSG00000141510 ENSG00000141511",
    said: &["by Ensembl ids"],
    ..PLAIN
};

const READ: [Expected; 18] = [
    Expected { file: "blank1.csv", ..PLAIN },
    Expected { file: "cr.csv", ..PLAIN },
    Expected { file: "rshort.txt", ..PLAIN },
    Expected { file: "sepx.csv", said: &["line 1 says that fields are parted by ';'"], ..PLAIN },
    Expected {
        file: "title.csv",
        said: &["taken for a title and left out: \"RNA-seq of 5 samples\""],
        ..PLAIN
    },
    Expected {
        file: "headerless.tsv",
        samples: "sample_1 sample_2 sample_3 sample_4 sample_5",
        said: &["there is no header and the columns' names are made up", "--header"],
        ..PLAIN
    },
    Expected {
        file: "htseq.tsv",
        said: &["rows left out because they count reads of no gene: \"__no_feature\", \"__ambiguous\""],
        ..PLAIN
    },
    Expected { file: "fclen.txt", said: &["describe the rows, by their names", "\"Length\""], ..PLAIN },
    Expected {
        file: "unn3.csv",
        said: &["left out because they only number the rows: \"Unnamed: 0\"", "rows are samples"],
        ..PLAIN
    },
    Expected { file: "unbq.tsv", genes: "TP53 EGFR MYC 3\" end BRCA1", ..PLAIN },
    Expected {
        file: "idname.tsv",
        genes: "ENSG00000001000.5 ENSG00000001001.5",
        known: ("TP53", ""),
        said: &["columns of words, kept to describe the rows: \"gene_name\""],
        ..PLAIN
    },
    Expected {
        file: "depmap.csv",
        samples: "ACH-000000 ACH-000001",
        genes: "TP53 (7157) EGFR (1956)",
        known: ("TP53", "7157"),
        said: &["by names of the form SYMBOL (ENTREZ)"],
        ..PLAIN
    },
    Expected {
        file: "depmap2.csv",
        shape: (5, 12),
        samples: "ACH-000000 ACH-000001",
        genes: "TP53 (7157) EGFR (1956)",
        known: ("TP53", "7157"),
        about: "SequencingID IsDefaultEntryForModel",
        said: &[
            "named by column 3 (\"ModelID\")",
            "\"SequencingID\", \"IsDefaultEntryForModel\"",
            "only number the rows",
        ],
    },
    Expected {
        file: "illumina_ids.tsv",
        shape: (60, 59),
        samples: "GSM100 GSM101",
        genes: "ILMN_1762000 ILMN_1762007",
        said: &["by probe ids"],
        ..PLAIN
    },
    Expected {
        file: "genes_by_samples.parquet",
        said: &["30 × 20, rows are genes: by Ensembl ids"],
        ..CELLS
    },
    Expected {
        file: "anndata06_vlen_compound.h5ad",
        about: "n",
        said: &["by the format's definition"],
        ..CELLS
    },
    Expected {
        file: "header_10x",
        shape: (8, 30),
        samples: "GTTGCTCGTAGGAGGA-1 TCGTTAGATAAGCTCA-1",
        known: ("SYM0", ""),
        said: &[],
        ..CELLS
    },
    Expected {
        file: "two_samples_10x",
        shape: (16, 30),
        samples: "GSM1_A_GTTGCTCGTAGGAGGA-1 GSM1_A_TCGTTAGATAAGCTCA-1",
        known: ("SYM0", ""),
        about: "sample",
        said: &["2 samples are joined (GSM1_A, GSM2_B)"],
        ..CELLS
    },
];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/field").join(name)
}

fn check(expected: &Expected, store: &Store, said: &str) {
    let Expected { file, shape, .. } = expected;
    assert_eq!((store.n_samples(), store.n_genes()), *shape, "{file}");
    let begins = |table: &Table, names: &str| table.ids.join(" ").starts_with(names);
    assert!(begins(store.samples(), expected.samples), "{file}: {:?}", store.samples().ids);
    assert!(begins(store.genes(), expected.genes), "{file}: {:?}", store.genes().ids);
    let first = |column: &str| store.genes().column(column).map_or("", |fields| fields[0].as_str());
    assert_eq!((first("symbol"), first("entrez")), expected.known, "{file}");
    assert_eq!(store.samples().column_names().join(" "), expected.about, "{file}");
    for words in expected.said {
        assert!(said.contains(words), "{file}: {words:?} in {said}");
    }
}

#[test]
fn every_file_of_the_field_is_read_as_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let polars = Expected { file: "polars_zstd.parquet", said: &["20 × 30, rows are samples"], ..CELLS };
    for expected in READ.iter().chain(cfg!(feature = "parquet").then_some(&polars)) {
        if expected.file.ends_with(".parquet") && !cfg!(feature = "parquet") {
            continue;
        }
        let path = data(expected.file);
        let arguments = ["import", path.to_str().unwrap(), "-o", "x.gex", "--force"];
        let (_, said) = succeed(dir.path(), &arguments);
        check(expected, &Store::open(&dir.path().join("x.gex")).unwrap(), &said);
    }
}

/// Names that a spreadsheet would have made dates of are there as they stand, with the Entrez ids beside them.
#[test]
fn names_like_dates_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    succeed(dir.path(), &["import", data("depmap.csv").to_str().unwrap(), "-o", "x.gex"]);
    let genes = Store::open(&dir.path().join("x.gex")).unwrap().genes().clone();
    let last = |column: &str| genes.column(column).unwrap()[10..].join(" ");
    assert_eq!((last("symbol"), last("entrez")), ("SEPT2 MARCH1".into(), "4735 55016".into()));
}

#[test]
fn thousands_are_refused_as_thousands() {
    let dir = tempfile::tempdir().unwrap();
    let said = refuse(dir.path(), &["import", data("thou.csv").to_str().unwrap(), "-o", "x.gex"]);
    for words in
        ["line 2, row 1 (\"TP53\")", "\"8,691\" is not a number", "without commas between the thousands"]
    {
        assert!(said.contains(words), "{said}");
    }
}

/// A list with ranks before the names: the names are its genes, the ranks are not.
#[test]
fn a_ranked_list_is_a_list_of_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let list = fs::read_to_string(data("ranked_list.tsv")).unwrap();
    let names: Vec<&str> = list.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap()).collect();
    let rows: String = names.iter().map(|name| format!("{name}\t1\t2\n")).collect();
    // Genes whose names are the ranks would match, were the ranks taken.
    let ranks: String = (1..=300).map(|rank| format!("{rank}\t1\t2\n")).collect();
    fs::write(dir.path().join("x.tsv"), format!("gene\tS1\tS2\n{rows}{ranks}")).unwrap();
    let arguments =
        ["import", "x.tsv", "-o", "x.gex", "--only-genes", data("ranked_list.tsv").to_str().unwrap()]
            .map(str::to_string);
    let (_, said) = succeed(dir.path(), &arguments.each_ref().map(String::as_str));
    let store = Store::open(&dir.path().join("x.gex")).unwrap();
    assert_eq!(store.genes().ids, names, "{said}");
    assert!(said.contains("300 of 300 names"), "{said}");
}

/// No file of the folder is forgotten: what is not here has its own test.
#[test]
fn the_table_covers_the_folder() {
    let others = [
        "ORIGIN.md",
        "sides",
        "layouts_reference.tsv",
        "two_sheets.xlsx",
        "dates.xlsx",
        "sheet.ods",
        "sheet.xls",
        "one.h5mu.gz",
        "two.h5mu.gz",
        "archs4.h5.gz",
        "thou.csv",
        "ranked_list.tsv",
        "polars_zstd.parquet",
    ];
    for entry in fs::read_dir(data("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let here = READ.iter().any(|expected| expected.file == name) || others.contains(&name.as_str());
        assert!(here || name.starts_with("packed_") || name.starts_with("filter_"), "{name}");
    }
}
