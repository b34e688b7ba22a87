//! Lists of names: gene by gene, what is found by what, what is not found and why, and what is no name at all.

use std::path::Path;

use genelift::store::Store;

use super::common::package;
use super::identity::reseal;
use super::run::{refuse, succeed};

/// Writes a matrix of four samples and imports it as `NAME.gex`; each gene is (id, its further columns in a GCT description).
fn store(dir: &Path, name: &str, genes: &[(&str, &str)]) {
    let mut text = format!("#1.2\n{}\t6\nNAME\tDescription\ta\tb\tc\td\te\tf\n", genes.len());
    for (g, (id, description)) in genes.iter().enumerate() {
        let values: Vec<String> =
            (0..6).map(|s| format!("{}", ((g * 7 + s * 5) % 11) as f32 / 2.0)).collect();
        text += &format!("{id}\t{description}\t{}\n", values.join("\t"));
    }
    std::fs::write(dir.join(format!("{name}.gct")), text).unwrap();
    let out = format!("{name}.gex");
    succeed(dir, &["import", &format!("{name}.gct"), "-o", &out]);
    // The description is the symbol here, whatever import makes of it.
    let table: String = std::iter::once("gene_id\tsymbol\n".to_string())
        .chain(genes.iter().map(|(id, symbol)| format!("{id}\t{symbol}\n")))
        .collect();
    reseal(&dir.join(out), &table);
}

const PROBES: [(&str, &str); 8] = [
    ("1_at", "TP53"),
    ("2_at", "TP53"),
    ("3_at", "MYC"),
    ("4_at", "ESR1"),
    ("5_at", "ALX4 /// SCP2"),
    ("6_at", "SEPT2"),
    ("7_at", "Pvalb"),
    ("8_at", "---"),
];

/// Selects by the list; what was said, and the landmarks.
fn include(dir: &Path, list: &str, more: &[&str]) -> (String, Vec<String>) {
    std::fs::write(dir.join("list.txt"), list).unwrap();
    let mut arguments =
        vec!["select", "--store", "p.gex", "-n", "6", "-o", "l.tsv", "--force", "--include", "list.txt"];
    arguments.extend(more);
    let (_, said) = succeed(dir, &arguments);
    let table = std::fs::read_to_string(dir.join("l.tsv")).unwrap();
    let ids = table.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap().to_string()).collect();
    (said, ids)
}

fn refused(dir: &Path, list: &str, more: &[&str]) -> String {
    std::fs::write(dir.join("list.txt"), list).unwrap();
    let mut arguments =
        vec!["select", "--store", "p.gex", "-n", "6", "-o", "l.tsv", "--force", "--include", "list.txt"];
    arguments.extend(more);
    refuse(dir, &arguments)
}

#[test]
fn names_are_found_one_by_one_and_what_is_not_is_told_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), "p", &PROBES);
    let list = "4_at\nMYC\nPVALB\n2-Sep\n9_at\nmyc\nMYC\n7157.0\nENSG00000141510.3\n";
    let (said, ids) = include(dir.path(), list, &["--unmatched", "missing.tsv"]);
    assert!(
        said.contains("4 of 8 names found, 1 by gene id, 1 by symbol, 2 by symbol in another case"),
        "{said}"
    );
    assert!(said.contains("3 genes; not found: 2-Sep (a date that a spreadsheet made"), "{said}");
    assert!(said.contains("repeated: MYC"), "{said}");
    assert_eq!(
        {
            let mut first = ids[..3].to_vec();
            first.sort();
            first
        },
        ["3_at", "4_at", "7_at"]
    );
    let missing = std::fs::read_to_string(dir.path().join("missing.tsv")).unwrap();
    let row = |name: &str| {
        missing.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {missing}"))
    };
    assert!(missing.starts_with("name\tlist\treason\n"));
    assert!(
        row("7157.0").contains("a decimal")
            && row("MYC").ends_with("duplicate")
            && row("9_at").ends_with("list.txt\t")
    );
    assert!(row("ENSG00000141510.3").contains("the genes have no Ensembl ids"));
}

/// 44256 is 1 March 2021, which a spreadsheet makes of MARCH1 and keeps as a number.
#[test]
fn a_number_among_symbols_may_be_a_date_and_is_no_entrez_id_then() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), "p", &PROBES);
    let (said, _) = include(dir.path(), "MYC\nESR1\nPvalb\n44256\n45171\n", &["--unmatched", "missing.tsv"]);
    assert!(said.contains("3 of 5 names found"), "{said}");
    let missing = std::fs::read_to_string(dir.path().join("missing.tsv")).unwrap();
    let row = |name: &str| missing.lines().find(|line| line.starts_with(name)).unwrap().to_string();
    assert!(row("44256").contains("a date that a spreadsheet made"), "{missing}");
    assert!(row("45171").contains("a date that a spreadsheet made"), "{missing}");
    let table: String =
        PROBES.iter().enumerate().fold("gene_id\tsymbol\tentrez\n".into(), |table, (i, (id, symbol))| {
            format!("{table}{id}\t{symbol}\t{}\n", ["44256", "1", "2", "3", "4", "5", "6", "8"][i])
        });
    reseal(&dir.path().join("p.gex"), &table);
    let (said, _) = include(dir.path(), "MYC\nESR1\nPvalb\n44256\n", &[]);
    assert!(said.contains("not found: 44256 (a date"), "{said}");
    // Among Entrez ids it is one.
    let (said, _) = include(dir.path(), "44256\n3\n8\n", &[]);
    assert!(said.contains("3 of 3 names found, by Entrez id"), "{said}");
}

#[test]
fn a_name_that_is_several_genes_is_refused_or_settled_by_a_rule() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), "p", &PROBES);
    let message = refused(dir.path(), "TP53\nMYC\n", &[]);
    assert!(
        message.contains("TP53 is 2 genes (1_at, 2_at)") && message.contains("--ambiguous first"),
        "{message}"
    );
    let (said, ids) = include(dir.path(), "TP53\nMYC\n", &["--ambiguous", "first"]);
    assert!(said.contains("the first is taken") && ids[..2].contains(&"1_at".into()), "{said}");
    let (said, ids) = include(dir.path(), "TP53\nMYC\n", &["--ambiguous", "all"]);
    assert!(said.contains("all are taken") && ids[..3].contains(&"2_at".into()), "{said}");
    // What must not be chosen must not be by any probe, and that is said.
    std::fs::write(dir.path().join("list.txt"), "TP53\n").unwrap();
    let arguments =
        ["select", "--store", "p.gex", "-n", "6", "-o", "l.tsv", "--force", "--exclude", "list.txt"];
    let (_, said) = succeed(dir.path(), &arguments);
    let table = std::fs::read_to_string(dir.path().join("l.tsv")).unwrap();
    assert!(
        said.contains("all are taken") && !table.contains("1_at") && !table.contains("2_at"),
        "{said}{table}"
    );
}

#[test]
fn a_list_of_ids_never_grows() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), "p", &PROBES);
    let (said, _) = include(dir.path(), "1_at\n3_at\n4_at\n", &[]);
    assert!(said.contains("3 of 3 names found, by gene id; 3 genes"), "{said}");
    let (said, ids) = include(dir.path(), "probe_id\tgene\n1_at\tTP53\n3_at\tMYC\n", &[]);
    assert!(
        said.contains("column probe_id") && said.contains("2 genes") && ids[..2].contains(&"1_at".into()),
        "{said}"
    );
}

#[test]
fn ranks_and_row_numbers_are_no_names() {
    let dir = tempfile::tempdir().unwrap();
    let genes: Vec<(String, String)> =
        (0..40).map(|g| (format!("{}", 2 * g + 1), format!("GENE{}A", g))).collect();
    let mut genes: Vec<(&str, &str)> =
        genes.iter().map(|(id, symbol)| (id.as_str(), symbol.as_str())).collect();
    genes.push(("23601", "ALX4"));
    genes.push(("5816", "PVALB"));
    store(dir.path(), "p", &genes);
    let ranked = std::fs::read_to_string(package("tests/data/field/ranked_list.tsv")).unwrap();
    let numbered = ranked.replacen("rank\tgene", "\tx", 1);
    let quoted = ranked.replacen("rank\tgene", "\"\"\t\"symbol\"", 1);
    let headless = ranked.split_once('\n').unwrap().1.to_string();
    for list in [ranked.clone(), numbered, quoted, headless, ranked.replace('\t', ",")] {
        let (said, ids) = include(dir.path(), &list, &[]);
        assert!(
            said.contains("2 of 300 names found, by symbol; 2 genes") || said.contains("2 of 301"),
            "{said}"
        );
        let mut first = ids[..2].to_vec();
        first.sort();
        assert_eq!(first, ["23601", "5816"]);
    }
    let ranks: String = (1..=30).map(|n| format!("{n}\n")).collect();
    let message = refused(dir.path(), &ranks, &[]);
    assert!(message.contains("count up as ranks") && message.contains("--match-on entrez"), "{message}");
    let (said, _) = include(dir.path(), "1\n3\n5\n", &["--match-on", "entrez"]);
    assert!(said.contains("3 of 3 names found, by Entrez id"), "{said}");
}

#[test]
fn versions_come_off_ensembl_ids_and_a_kind_can_be_forced() {
    let dir = tempfile::tempdir().unwrap();
    let genes = [
        ("ENSG00000141510.18", "TP53"),
        ("ENSG00000136997", "MYC"),
        ("ENSG00000091831.1", "ESR1"),
        ("ENSG00000182378.14_PAR_Y", "PLCXD1"),
        ("ENSG00000182378.14", "PLCXD1"),
        ("ENSG00000000003.1", "TSPAN6"),
        ("ENSG00000000005.1", "TNMD"),
    ];
    store(dir.path(), "p", &genes);
    let list = "ENSG00000141510.2\nENSG00000136997.9\nENSG00000091831\nENSG00000182378\nENSG00000000003.1\n";
    let (said, _) = include(dir.path(), list, &[]);
    assert!(
        said.contains("5 of 5 names found, 1 by gene id, 4 by Ensembl id without version; 5 genes")
            || said.contains("4 by Ensembl id without version, 1 by gene id"),
        "{said}"
    );
    let message = refused(dir.path(), "ENSG00000141510\n", &["--match-on", "id"]);
    assert!(message.contains("ENSG00000141510.18 is there, in another version"), "{message}");
    let message = refused(dir.path(), "TP53\n", &["--match-on", "entrez"]);
    assert!(message.contains("have no Entrez id"), "{message}");
}

#[test]
fn made_up_names_match_to_the_letter_and_are_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 9), }";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{header:<0$}\n", length - 1).into_bytes());
    (0..36).for_each(|n| bytes.extend(((n * 7 % 13) as f32).to_le_bytes()));
    std::fs::write(dir.path().join("m.npy"), bytes).unwrap();
    succeed(dir.path(), &["import", "m.npy", "-o", "p.gex"]);
    let origin = |store: &str| {
        let text = std::fs::read(dir.path().join(store).join("store.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["origin"]["made_up_genes"].clone()
    };
    assert_eq!(origin("p.gex"), true);
    let (said, _) = include(dir.path(), "gene_1\ngene_4\nGENE_5\ngene_77\nTP53\n", &[]);
    assert!(said.contains("2 of 5 names found, by gene id; 2 genes"), "{said}");
    succeed(dir.path(), &["prepare", "p.gex", "-o", "z.gex", "--zscore"]);
    assert_eq!(origin("z.gex"), true);
    // those of a file without a header too, be they told or seen
    std::fs::write(dir.path().join("m.tsv"), "P1\t1\t2.5\t3\nP2\t4\t5\t6.5\nP3\t7\t8\t9\n").unwrap();
    let import = ["import", "m.tsv", "-o", "h.gex", "--force", "--orientation", "samples-by-genes"];
    for header in [&["--no-header"][..], &[]] {
        succeed(dir.path(), &[&import[..], header].concat());
        assert_eq!(origin("h.gex"), true, "{header:?}");
    }
    let text = "patient\tA\tB\tC\nP1\t1\t2.5\t3\nP2\t4\t5\t6.5\n";
    std::fs::write(dir.path().join("m.tsv"), text).unwrap();
    succeed(dir.path(), &import);
    assert!(origin("h.gex").is_null());
}

#[test]
fn probes_of_a_list_go_before_its_symbols_and_the_column_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // one probe a gene, and not the one that the list has of TP53 and MYC
    let genes = [
        ("1_at", "TP53"),
        ("3_at", "MYC"),
        ("4_at", "ESR1"),
        ("5_at", "KRT5"),
        ("6_at", "SEPT2"),
        ("7_at", "EGFR"),
    ];
    store(dir, "p", &genes);
    let rows = "TP53\t2_at\nMYC\t9_at\nESR1\t4_at\nKRT5\t5_at\n";
    for (list, column) in [
        (rows.to_string(), "(column 2)"),
        (format!("Gene Symbol\tProbe Set ID\n{rows}"), "(column Probe Set ID)"),
        (rows.replace('\t', ";"), "(column 2)"),
    ] {
        let (said, mut ids) = include(dir, &list, &[]);
        assert!(said.contains(&format!("list.txt {column}: 2 of 4 names found, by gene id")), "{said}");
        ids[..2].sort();
        assert!(said.contains("not found: 2_at, 9_at") && ids[..2] == ["4_at", "5_at"], "{said} {ids:?}");
    }
}

#[test]
fn a_gene_above_numbers_is_no_header_and_an_unknown_header_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    store(dir, "p", &PROBES);
    for first in ["MYC", "GATA3", "ENSG00000141510", "4_at", "NM_000546.5", "HGNC:11998"] {
        let said = refused_or_said(dir, &format!("{first}\n7157\n4609\n"));
        assert!(
            (said.contains(first) || said.contains("1 of 3 names found")) && !said.contains("header"),
            "{said}"
        );
    }
    for first in ["panel", "Entrez-Nummer"] {
        let said = refused_or_said(dir, &format!("{first}\n7157\n4609\n"));
        assert!(said.contains(&format!("the first line (\"{first}\") is taken for the header")), "{said}");
    }
}

fn refused_or_said(dir: &Path, list: &str) -> String {
    std::fs::write(dir.join("list.txt"), list).unwrap();
    let arguments =
        ["select", "--store", "p.gex", "-n", "6", "-o", "l.tsv", "--force", "--include", "list.txt"];
    let output = super::run::genelift(dir, &[&arguments[..], &["--unmatched", "un.tsv"]].concat());
    let table = std::fs::read_to_string(dir.join("un.tsv")).unwrap();
    String::from_utf8(output.stderr).unwrap() + &table
}

#[test]
fn a_refusal_says_once_what_is_missing_and_what_helps() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    store(dir, "p", &PROBES);
    let said = refused(dir, "7157\n4609\n672\n", &[]);
    assert!(said.matches("the genes have no Entrez ids").count() == 3 && !said.contains("warning"), "{said}");
    assert!(said.contains("genelift prepare STORE -o NEW --gene-labels TABLE"), "{said}");
    // followed, the remedy works, whether the table calls the numbers so or just gene_id
    for header in ["gene_id", "Gene", "ENTREZID"] {
        std::fs::write(
            dir.join("map.tsv"),
            format!("probe_id\t{header}\n1_at\t7157\n3_at\t4609\n4_at\t2099\n"),
        )
        .unwrap();
        succeed(dir, &["prepare", "p.gex", "-o", "q.gex", "--gene-labels", "map.tsv", "--force"]);
        std::fs::write(dir.join("list.txt"), "7157\n4609\n672\n").unwrap();
        let select =
            ["select", "--store", "q.gex", "-n", "6", "-o", "l.tsv", "--force", "--include", "list.txt"];
        let (_, said) = succeed(dir, &select);
        assert!(said.contains("2 of 3 names found, by Entrez id; 2 genes; not found: 672"), "{said}");
    }
}

#[test]
fn a_name_that_is_there_is_not_said_to_be_there_in_another_case() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    store(dir, "p", &PROBES);
    let (said, _) = include(dir, "4_at\nMYC\nEsr1\n", &["--match-on", "probe"]);
    assert!(
        said.contains("not found: MYC (it is there, as a name of another kind: see --match-on)"),
        "{said}"
    );
    assert!(said.contains("Esr1 (ESR1 is there, in another case)"), "{said}");
}

/// What R's `write.table` makes of `3"`, directly before the quote that closes the field too.
#[test]
fn quotes_that_r_escapes_are_read_in_tables_and_lists() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let matrix = "\"S1\"\t\"S2\"\t\"S3\"\n\"TP53\"\t1\t2\t3\n\"5\\\"\"\t4\t5\t6\n\"MYC\"\t7\t8\t9\n";
    std::fs::write(dir.join("m.tsv"), matrix).unwrap();
    for delimiter in ["\t", ",", " "] {
        let rows = [["id", "site"], ["S1", r#"a \"b\""#], ["S2", r#"3\""#], ["S3", r"c\"]];
        let line = |row: &[&str; 2]| format!("\"{}\"{delimiter}\"{}\"\n", row[0], row[1]);
        std::fs::write(dir.join("labels.txt"), rows.iter().map(line).collect::<String>()).unwrap();
        std::fs::write(dir.join("genes.txt"), "\"TP53\"\n\"5\\\"\"\n").unwrap();
        let arguments = ["import", "m.tsv", "-o", "m.gex", "--force", "--labels", "labels.txt"];
        succeed(dir, &[&arguments[..], &["--only-genes", "genes.txt"]].concat());
        let store = Store::open(&dir.join("m.gex")).unwrap();
        assert_eq!(store.samples().column("site").unwrap(), ["a \"b\"", "3\"", "c\\"], "{delimiter:?}");
        assert_eq!(store.genes().ids, ["TP53", "5\""]);
    }
}
