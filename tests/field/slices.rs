//! Slices of files that are too large, series matrices with broken lines, and raw files given to other commands.

use std::path::{Path, PathBuf};

use genelift::store::Store;

use super::run::{refuse, succeed};

/// Samples and genes of the made-up matrix.
const SHAPE: (usize, usize) = (37, 53);

fn value(sample: usize, gene: usize) -> f32 {
    ((sample * 31 + gene * 7) % 512) as f32 / 4.0 - 20.0
        + if (sample + gene).is_multiple_of(3) { 0.5 } else { 0.0 }
}

fn sample(s: usize) -> String {
    format!("GSM{}", 1000 + s)
}

fn gene(g: usize) -> String {
    format!("ENSG{:011}", 100 + 7 * g)
}

/// A folder with `all.csv` (samples in rows, every third value 0 where `sparse`), `turned.tsv`, labels and lists.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (samples, genes) = SHAPE;
    let write = |name: &str, text: String| std::fs::write(dir.path().join(name), text).unwrap();
    let line = |first: String, rest: Vec<String>, by: &str| format!("{first}{by}{}\n", rest.join(by));
    let mut all = line("sample".into(), (0..genes).map(gene).collect(), ",");
    for s in 0..samples {
        all += &line(sample(s), (0..genes).map(|g| value(s, g).to_string()).collect(), ",");
    }
    write("all.csv", all);
    let mut turned = line("gene".into(), (0..samples).map(sample).collect(), "\t");
    for g in 0..genes {
        turned += &line(gene(g), (0..samples).map(|s| value(s, g).to_string()).collect(), "\t");
    }
    write("turned.tsv", turned);
    let tissue = |s: usize| ["liver", "kidney", "blood", ""][s % 4];
    let labels = (0..samples).map(|s| format!("{}\t{}\tb{}\n", sample(s), tissue(s), s % 2));
    write("labels.tsv", "sample_id\ttissue\tbatch\n".to_string() + &labels.collect::<String>());
    write("samples.txt", format!("{}\n{}\nGSM9\n{}\n", sample(30), sample(2), sample(3)));
    write("genes.txt", format!("{}\nENSG99\n{}\n{}\n", gene(52), gene(0), gene(17)));
    dir
}

/// Samples and genes of a store, by number; every value must be that of the made-up matrix.
fn content(store: &Path) -> (Vec<usize>, Vec<usize>) {
    let store = Store::open(store).unwrap();
    let number = |ids: &[String], name: fn(usize) -> String, n: usize| -> Vec<usize> {
        ids.iter().map(|id| (0..n).find(|i| name(*i) == *id).unwrap()).collect()
    };
    let samples = number(&store.samples().ids, sample, SHAPE.0);
    let genes = number(&store.genes().ids, gene, SHAPE.1);
    let mut row = vec![0.0; genes.len()];
    for (at, s) in samples.iter().enumerate() {
        store.read_row(at, &mut row);
        assert!(row.iter().zip(&genes).all(|(x, g)| *x == value(*s, *g)), "sample {s}");
    }
    (samples, genes)
}

/// Imports a slice of `file`; what was said.
fn import(dir: &Path, file: &str, options: &[&str]) -> (PathBuf, String) {
    let arguments = [&["import", file, "-o", "part.gex", "--force"][..], options].concat();
    let (_, said) = succeed(dir, &arguments);
    (dir.join("part.gex"), said)
}

const LISTS: [&str; 4] = ["--only-samples", "samples.txt", "--only-genes", "genes.txt"];

#[test]
fn a_slice_of_any_format_is_that_part_of_the_whole() {
    let dir = folder();
    let dir = dir.path();
    succeed(dir, &["import", "all.csv", "--labels", "labels.tsv", "-o", "all.gex"]);
    for name in ["all.tsv", "all.h5ad", "all.gctx", "all.parquet"] {
        succeed(dir, &["export", "all.gex", "-o", name]);
    }
    for file in ["all.csv", "turned.tsv", "all.tsv", "all.h5ad", "all.gctx", "all.parquet"] {
        let (part, said) = import(dir, file, &LISTS);
        assert_eq!(content(&part), (vec![2, 3, 30], vec![0, 17, 52]), "{file}");
        for name in ["GSM9", "ENSG99"] {
            assert!(said.contains("1 names are in no file: ") && said.contains(name), "{file}: {said}");
        }
        assert!(said.contains("3 of 37 samples") && said.contains("3 of 53 genes"), "{file}: {said}");
        let (part, _) = import(dir, file, &LISTS[..2]);
        assert_eq!(content(&part), (vec![2, 3, 30], (0..53).collect()), "{file}");
        let (part, _) = import(dir, file, &LISTS[2..]);
        assert_eq!(content(&part), ((0..37).collect(), vec![0, 17, 52]), "{file}");
    }
}

/// Formats whose readers hand out everything, and names that come from elsewhere.
#[test]
fn a_slice_of_a_file_without_names_goes_by_the_names_that_it_is_given() {
    let dir = folder();
    let dir = dir.path();
    succeed(dir, &["import", "all.csv", "-o", "all.gex"]);
    succeed(dir, &["export", "all.gex", "-o", "all.npy"]);
    let list = |name: &str, ids: Vec<String>| std::fs::write(dir.join(name), ids.join("\n") + "\n").unwrap();
    list("g.tsv", std::iter::once("gene_id".into()).chain((0..53).map(gene)).collect());
    list("s.tsv", std::iter::once("sample_id".into()).chain((0..37).map(sample)).collect());
    let mut entries = format!("%%MatrixMarket matrix coordinate real general\n53 37 {}\n", 53 * 37);
    for (s, g) in (0..37).flat_map(|s| (0..53).map(move |g| (s, g))) {
        entries += &format!("{} {} {}\n", g + 1, s + 1, value(s, g));
    }
    std::fs::write(dir.join("all.mtx"), entries).unwrap();
    for file in ["all.npy", "all.mtx"] {
        let names = ["--genes", "g.tsv", "--samples", "s.tsv"];
        let (part, _) = import(dir, file, &[&LISTS[..], &names].concat());
        assert_eq!(content(&part), (vec![2, 3, 30], vec![0, 17, 52]), "{file}");
    }
    // Made-up names are names, too.
    list("made.txt", vec!["gene_3".into(), "gene_1".into()]);
    let (part, _) = import(dir, "all.npy", &["--only-genes", "made.txt"]);
    let store = Store::open(&part).unwrap();
    assert_eq!((store.genes().ids.join(" "), store.n_samples()), ("gene_1 gene_3".into(), 37));
}

/// A list of genes means in a slice what it means in every other command.
#[test]
fn the_genes_of_a_slice_are_found_as_those_of_any_list() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let genes =
        [("p1_at", "TP53"), ("p2_at", "TP53"), ("p3_at", "MYC"), ("p4_at", "EGFR"), ("p5_at", "SEPT2")];
    let row = |s: usize| format!("s{s},{},2,3,4,5\n", s);
    let ids = genes.map(|(id, _)| id).join(",");
    std::fs::write(dir.join("a.csv"), format!("sample,{ids}\n{}{}", row(1), row(2))).unwrap();
    let map = genes.map(|(id, symbol)| format!("{id}\t{symbol}\n")).concat();
    std::fs::write(dir.join("map.tsv"), format!("ID\tGene Symbol\n{map}")).unwrap();
    let taken = |list: &str| {
        std::fs::write(dir.join("list.txt"), list).unwrap();
        let (part, said) = import(dir, "a.csv", &["--gene-labels", "map.tsv", "--only-genes", "list.txt"]);
        (Store::open(&part).unwrap().genes().ids.join(" "), said)
    };
    let (ids, said) = taken("TP53\np3_at\nmyc\n2-Sep\nEGFR\nEGFR\nNOSUCH\n");
    assert_eq!(ids, "p1_at p2_at p3_at p4_at");
    for words in
        ["all are taken", "1 by gene id", "2 by symbol", "1 by symbol in another case", "repeated: EGFR"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.contains("2 names are in no file: 2-Sep (a date that a spreadsheet"), "{said}");
    // Ranks beside the names are no Entrez ids, and a column of symbols beside that of ids does not stand in for it.
    assert_eq!(taken("rank\tgene\n1\tEGFR\n2\tMYC\n").0, "p3_at p4_at");
    assert_eq!(taken("rank\tgene_id\tscore\tsymbol\n1\tp2_at\t0.5\tTP53\n").0, "p2_at");
}

#[test]
fn counters_that_are_left_out_do_not_shift_a_slice() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let text = "gene\ts1\ts2\nN_unmapped\t90\t91\nTP53\t1\t2\nMYC\t3\t4\n__no_feature\t7\t8\nEGFR\t5\t6\n";
    std::fs::write(dir.join("counts.tsv"), text).unwrap();
    std::fs::write(dir.join("list.txt"), "EGFR\nTP53\n").unwrap();
    let options = ["--only-genes", "list.txt", "--orientation", "genes-by-samples"];
    let (part, _) = import(dir, "counts.tsv", &options);
    let store = Store::open(&part).unwrap();
    assert_eq!(store.genes().ids, ["TP53", "EGFR"]);
    let mut row = vec![0.0; 2];
    store.read_row(1, &mut row);
    assert_eq!(row, [2.0, 6.0]);
}

#[test]
fn samples_are_chosen_by_what_their_columns_say() {
    let dir = folder();
    let dir = dir.path();
    succeed(dir, &["import", "all.csv", "--labels", "labels.tsv", "-o", "all.gex"]);
    succeed(dir, &["export", "all.gex", "-o", "all.h5ad"]);
    let of = |wanted: &dyn Fn(usize) -> bool| (0..37).filter(|s| wanted(*s)).collect::<Vec<_>>();
    let cases: [(&[&str], Vec<usize>); 5] = [
        (&["--where", "tissue=liver"], of(&|s| s % 4 == 0)),
        (&["--where", "tissue=liver|blood"], of(&|s| s % 2 == 0)),
        (&["--where", "tissue!=liver", "--where", "batch=b0"], of(&|s| s % 4 == 2)),
        (&["--where", "tissue!="], of(&|s| s % 4 != 3)),
        (&["--where", "tissue=", "--only-samples", "samples.txt"], vec![3]),
    ];
    for (options, expected) in cases {
        for (file, labels) in [("all.h5ad", &[][..]), ("turned.tsv", &["--labels", "labels.tsv"])] {
            let (part, _) = import(dir, file, &[options, labels].concat());
            assert_eq!(content(&part).0, expected, "{options:?} of {file}");
        }
    }
    let refused = |condition: &str| refuse(dir, &["import", "all.h5ad", "-o", "x.gex", "--where", condition]);
    let message = refused("tissue=Liver");
    assert!(message.contains("no sample is left") && message.contains("\"liver\" (10)"), "{message}");
    let message = refused("organ=liver");
    assert!(message.contains("no column \"organ\"; there are tissue, batch"), "{message}");
    let message = refused("liver");
    assert!(message.contains("--where liver: a column, = or !=, and a value"), "{message}");
    let message = refuse(dir, &["import", "all.h5ad", "-o", "x.gex", "--only-genes", "samples.txt"]);
    assert!(message.contains("gene list samples.txt: none of its names is among the 53 genes"), "{message}");
}

#[test]
fn a_store_tells_of_what_it_is_a_slice() {
    let dir = folder();
    let dir = dir.path();
    let (part, _) = import(dir, "all.csv", &LISTS);
    let info = std::fs::read_to_string(part.join("store.json")).unwrap();
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    let origin = &info["origin"];
    let slice = &origin["transforms"][0]["import"]["slice"];
    assert_eq!(slice["of_files"][0], serde_json::json!({"samples": [3, 37], "genes": [3, 53]}));
    assert_eq!(slice["not_found"], serde_json::json!(["GSM9", "ENSG99"]));
    let formats: Vec<_> = (0..3).map(|i| origin["inputs"][i]["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["csv", "sample list", "gene list"]);
}

#[test]
fn numbers_of_rows_that_are_not_wanted_are_not_looked_at() {
    let dir = folder();
    let dir = dir.path();
    let text = std::fs::read_to_string(dir.join("all.csv")).unwrap();
    let first = format!("{},{}", sample(0), value(0, 0));
    assert!(text.contains(&first));
    std::fs::write(dir.join("word.csv"), text.replacen(&first, &format!("{},n.d.", sample(0)), 1)).unwrap();
    assert!(refuse(dir, &["import", "word.csv", "-o", "x.gex"]).contains("\"n.d.\" is not a number"));
    assert_eq!(content(&import(dir, "word.csv", &LISTS).0).0, [2, 3, 30]);
    // A row that is cut off is damage, wherever it is.
    let cut = text.replacen(&format!(",{}\n", value(5, 52)), "\n", 1);
    std::fs::write(dir.join("cut.csv"), cut).unwrap();
    let message = refuse(dir, &[&["import", "cut.csv", "-o", "x.gex"][..], &LISTS].concat());
    assert!(message.contains("row 6") && message.contains("53 fields"), "{message}");
}

const SERIES: &str = "!Series_title\t\"x\"\n!Sample_title\t\"one\"\t\"two\"\n!Sample_geo_accession\t\"GSM1\"\t\"GSM2\"\n\
    !Sample_characteristics_ch1\t\"age: 7\"\t\"age: 8\"\n!series_matrix_table_begin\n\"ID_REF\"\t\"GSM1\"\t\"GSM2\"\n\
    \"1007_s_at\"\t1\t2\n\"1053_at\"\t3\t4\n!series_matrix_table_end\n";

#[test]
fn a_broken_line_of_a_series_matrix_costs_its_column_only() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, from, to) in [
        ("short", "!Sample_title\t\"one\"\t\"two\"", "!Sample_title\t\"one\""),
        ("break", "!Sample_title\t\"one\"\t\"two\"", "!Sample_title\t\"one\n more\"\t\"two\""),
        ("late break", "!Sample_title\t\"one\"\t\"two\"", "!Sample_title\t\"one\"\t\"two\n\n more\""),
        ("long", "!Sample_title\t\"one\"\t\"two\"", "!Sample_title\t\"one\"\t\"two\"\t\"three\""),
    ] {
        let text = SERIES.replacen(from, to, 1);
        assert_ne!(text, SERIES);
        std::fs::write(dir.join("series.txt"), text).unwrap();
        let (_, said) = succeed(dir, &["import", "series.txt", "-o", "s.gex", "--force"]);
        assert!(said.contains("!Sample_title") && said.contains("that column is left out"), "{name}: {said}");
        let store = Store::open(&dir.join("s.gex")).unwrap();
        assert_eq!(store.samples().column_names(), ["age"], "{name}");
        assert_eq!((store.n_samples(), store.n_genes()), (2, 2));
    }
    // A tab at the end of a line is no field.
    std::fs::write(dir.join("series.txt"), SERIES.replacen("\"two\"\n", "\"two\"\t\n", 1)).unwrap();
    succeed(dir, &["import", "series.txt", "-o", "s.gex", "--force"]);
    assert_eq!(Store::open(&dir.join("s.gex")).unwrap().samples().column_names(), ["title", "age"]);
}

#[test]
fn messages_about_a_raw_file_name_it_and_the_command_that_has_the_option() {
    let dir = folder();
    let dir = dir.path();
    succeed(dir, &["import", "all.csv", "-o", "all.gex"]);
    std::fs::write(dir.join("landmarks.txt"), format!("{}\n{}\n{}\n", gene(1), gene(2), gene(3))).unwrap();
    let fit = ["fit", "all.gex", "--landmarks", "landmarks.txt", "-o", "p.safetensors", "--device", "cpu"];
    succeed(dir, &fit);
    let raw = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    let (a, b, c) = (gene(1), gene(2), gene(3));
    raw("missing.csv", &format!("sample,{a},{b},{c}\ns1,1,NA,3\ns2,1,2,3\n"));
    raw("twice.csv", &format!("sample,{a},{b},{c}\ns1,1,2,3\ns1,1,2,3\n"));
    raw("lacks.csv", &format!("sample,{a},{b}\ns1,1,2\ns2,1,3\n"));
    raw("words.csv", &format!("sample,{a},{b},{c}\ns1,1,2,3\ns2,2,3,4\ns3,3,4,5\ns4,1,x,3\n"));
    for (file, word, of_import) in [
        ("missing.csv", "--missing", true),
        ("twice.csv", "--unique-names", true),
        ("lacks.csv", "ENSG", false),
        ("words.csv", "\"x\" is not a number", true),
    ] {
        let message = refuse(dir, &["predict", "p.safetensors", file, "-o", "o.gex", "--device", "cpu"]);
        assert!(message.contains(file) && message.contains(word), "{message}");
        assert!(!message.contains("o.gex"), "{message}");
        assert_eq!(message.contains(&format!("genelift import {file} -o")), of_import, "{message}");
    }
    // What is made of a raw file says so, too.
    raw("good.csv", &format!("sample,{a},{b},{c}\ns1,1,2,3\ns2,2,3,4\n"));
    succeed(dir, &["predict", "p.safetensors", "good.csv", "-o", "o.gex", "--device", "cpu"]);
    let info = std::fs::read_to_string(dir.join("o.gex/store.json")).unwrap();
    assert!(info.contains("good.csv") && !info.contains("import-"), "{info}");
}
