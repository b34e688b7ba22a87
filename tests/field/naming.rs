//! What names tell: the parts of names that hold several ids, and which side of a file the genes are on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use genelift::formats::{ImportSettings, import};
use genelift::progress::Event;
use genelift::store::Store;

use crate::common::package;
use crate::run::succeed;

/// A store, and what was said: notes, then warnings.
fn brought_in(file: &Path) -> (Store, String, String) {
    let said = Mutex::new((String::new(), String::new()));
    let out = tempfile::tempdir().unwrap();
    let settings = ImportSettings::default();
    let store = import(&[file.to_path_buf()], &out.path().join("x.gex"), &settings, &|event| {
        let mut said = said.lock().unwrap();
        match event {
            Event::Note(text) => said.0 += &(text + "\n"),
            Event::Warning(text) => said.1 += &(text + "\n"),
            _ => {}
        }
    });
    let store = store.unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let (notes, warnings) = said.into_inner().unwrap();
    (store, notes, warnings)
}

fn field(name: &str) -> PathBuf {
    package("tests/data/field").join(name)
}

/// A value of which no two are the same.
fn value(row: usize, column: usize) -> usize {
    100 * row + column
}

/// A table with these names above and beside it.
fn table(corner: &str, rows: &[String], columns: &[String]) -> String {
    let mut text = format!("{corner}\t{}\n", columns.join("\t"));
    for (r, row) in rows.iter().enumerate() {
        let values: Vec<String> = (0..columns.len()).map(|c| value(r, c).to_string()).collect();
        text += &format!("{row}\t{}\n", values.join("\t"));
    }
    text
}

fn written(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn names(text: &str) -> Vec<String> {
    text.split(", ").map(str::to_string).collect()
}

fn column(store: &Store, name: &str) -> Option<String> {
    store.genes().column(name).map(|fields| fields.join(" "))
}

#[test]
fn names_of_several_ids_fill_symbol_and_entrez() {
    let dir = tempfile::tempdir().unwrap();
    for (genes, symbols, entrez) in [
        ("TP53_7157, MYC_4609, HLA-A_3105", "TP53 MYC HLA-A", Some("7157 4609 3105")),
        ("TP53|7157, ?|100130426, MYC|4609", "TP53  MYC", Some("7157 100130426 4609")),
        ("TP53 (7157), MYC (4609), SEPT2 (4735)", "TP53 MYC SEPT2", Some("7157 4609 4735")),
        ("TP53..7157., MYC..4609., HLA.A..3105.", "TP53 MYC HLA.A", Some("7157 4609 3105")),
        ("TP53 (ENSG00000141510), MYC (ENSG00000136997)", "TP53 MYC", None),
        ("ENSG00000141510.12|TP53, ENSG00000136997.3|MYC", "TP53 MYC", None),
        ("ENSG00000141510_TP53, ENSG00000136997_MYC", "TP53 MYC", None),
        ("ENSMUSG00000059552.4_Trp53, ENSMUSG00000022346.2_Myc", "Trp53 Myc", None),
    ] {
        let (genes, samples) = (names(genes), names("a, b, c, d, e"));
        for (rows, columns) in [(&genes, &samples), (&samples, &genes)] {
            let file = written(dir.path(), "x.tsv", table("id", rows, columns));
            let (store, notes, warnings) = brought_in(&file);
            assert_eq!(store.genes().ids, genes, "{notes}");
            assert_eq!(column(&store, "symbol").as_deref(), Some(symbols), "{genes:?}");
            assert_eq!(column(&store, "entrez").as_deref(), entrez, "{genes:?}");
            assert_eq!(warnings, "", "{genes:?}");
        }
    }
    let (store, notes, _) = brought_in(&field("depmap.csv"));
    assert!(notes.contains("5 × 12, rows are samples: by names of the form SYMBOL (ENTREZ)"), "{notes}");
    assert!(column(&store, "symbol").unwrap().starts_with("TP53 EGFR MYC BRCA1"));
    assert!(column(&store, "entrez").unwrap().ends_with("5925 4735 55016"));
}

#[test]
fn names_that_only_look_so_stay_whole() {
    let dir = tempfile::tempdir().unwrap();
    let samples = names("GSM1, GSM2, GSM3, GSM4");
    for genes in [
        "ILMN_1762000, ILMN_1762007, ILMN_2100437",
        "NM_000546, NM_002467.6, NR_046018",
        "XLOC_000001, XLOC_000017, XLOC_000003",
        "HGNC_11998, HGNC_5, HGNC_7",
        "HGNC:11998, HGNC:5, HGNC:7",
        "chr1_100, chr2_200, chr3_300, chrX_17",
        "chr1:100-200, chr2:200-300, chrX:3-4",
        "gene_17, gene_3, gene_5",
        "feature_1, feature_2, feature_3",
        "P1_100, P2_200, P3_300, P4_77",
        "TP53_1, TP53_2, TP53_3",
        "1007_s_at, 1053_at, 117_at",
    ] {
        let file = written(dir.path(), "x.tsv", table("ID_REF", &names(genes), &samples));
        let (store, _, warnings) = brought_in(&file);
        assert_eq!(store.genes().ids, names(genes));
        assert_eq!((store.genes().column_names(), warnings.as_str()), (vec![], ""), "{genes}");
    }
    let (store, notes, _) = brought_in(&field("illumina_ids.tsv"));
    assert!(notes.contains("59 × 60, rows are genes: by probe ids"), "{notes}");
    assert!(store.genes().column_names().is_empty());
}

#[test]
fn descriptions_become_symbols_only_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let gct = |ids: &str, descriptions: &str| {
        let rows: Vec<String> = names(ids)
            .iter()
            .zip(names(descriptions))
            .enumerate()
            .map(|(r, (id, text))| format!("{id}\t{text}\t{}\t{}\n", value(r, 0), value(r, 1)))
            .collect();
        let text =
            format!("#1.2\n{}\t2\nName\tDescription\tGTEX-1117F\tGTEX-111CU\n{}", rows.len(), rows.concat());
        brought_in(&written(dir.path(), "x.gct", text)).0
    };
    let gtex = "ENSG00000223972.5, ENSG00000227232.5, ENSG00000243485.5, ENSG00000141510.16";
    for (ids, descriptions, symbols) in [
        (gtex, "DDX11L1, WASH7P, MIR1302-2HG, TP53", Some("DDX11L1 WASH7P MIR1302-2HG TP53")),
        (gtex, "DDX11L1, WASH7P, ENSG00000243485.5, TP53", Some("DDX11L1 WASH7P  TP53")),
        ("1007_s_at, 1053_at, 117_at", "DDR1, na, HSPA6", Some("DDR1  HSPA6")),
        (gtex, "na, na, na, na", None),
        (gtex, "pseudogene, kinase, a long non-coding RNA, tumor protein p53", None),
        (gtex, "kinase, kinase, receptor, receptor", None),
        ("1007_s_at, 1053_at, 117_at", "1007_s_at, 1053_at, 117_at", None),
        (gtex, "gene_1, gene_2, gene_3, gene_4", None),
    ] {
        let store = gct(ids, descriptions);
        assert_eq!(column(&store, "symbol").as_deref(), symbols, "{descriptions}");
        assert_eq!((store.genes().ids.clone(), column(&store, "entrez")), (names(ids), None));
    }
}

#[test]
fn barcodes_and_symbols_of_any_case_tell_the_sides() {
    let dir = tempfile::tempdir().unwrap();
    let cells = |form: &dyn Fn(String) -> String| -> Vec<String> {
        let base = |i: usize, place: usize| ["A", "C", "G", "T"][(i >> (2 * place)) % 4];
        (0..40).map(|i| form((0..16).map(|place| base(i * 7919 + 5, place % 8)).collect())).collect()
    };
    let numbered = |barcode: String| format!("{barcode}-1");
    let prefixed = |barcode: String| format!("sample_{barcode}-2");
    let plain = |barcode: String| barcode;
    let mice = names("Xkr4, Gm1992, Rp1, Sox17, Mrpl15, Actb, Gapdh, mt-Co1, 4930594M22Rik");
    for cells in [cells(&numbered), cells(&prefixed), cells(&plain)] {
        for corner in ["", "index", "gene"] {
            let (store, notes, warnings) =
                brought_in(&written(dir.path(), "x.tsv", table(corner, &cells, &mice)));
            assert_eq!((&store.genes().ids, warnings.as_str()), (&mice, ""), "{notes}");
            let (store, notes, warnings) =
                brought_in(&written(dir.path(), "x.tsv", table(corner, &mice, &cells)));
            assert_eq!((&store.genes().ids, warnings.as_str()), (&mice, ""), "{notes}");
        }
    }
}

#[test]
fn what_little_or_two_things_speak_for_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let words = names("ab, cd, ef, gh, ij, kl");
    for (rows, columns, side, told) in [
        (&words[..], &words[..3], "genes", "samples-by-genes"),
        (&words[..3], &words[..], "samples", "genes-by-samples"),
    ] {
        let file = written(dir.path(), "x.tsv", table("id", rows, columns));
        let (_, notes, warnings) = brought_in(&file);
        let reason = "nothing in the names tells, so the longer side is taken for the genes";
        assert!(notes.contains(&format!("rows are {side}: {reason}")), "{notes}");
        assert!(warnings.contains(&format!("pass --orientation {told}")), "{warnings}");
        // And info says the same, though it does not read the values.
        let (out, _) = succeed(dir.path(), &["info", "x.tsv"]);
        assert!(out.contains(&format!("rows are      {side} ({reason})")) && out.contains(told), "{out}");
    }
    let both = [names("ENSG00000141510, ENSG00000136997, ENSG00000012048"), names("TP53, MYC, BRCA1, EGFR")];
    let (_, notes, warnings) = brought_in(&written(dir.path(), "x.tsv", table("id", &both[0], &both[1])));
    assert!(notes.contains("rows are genes: by Ensembl ids"), "{notes}");
    assert!(
        warnings.contains("contradict each other") && warnings.contains("--orientation samples-by-genes"),
        "{warnings}"
    );
}

#[test]
#[cfg(feature = "parquet")]
fn a_parquet_file_of_genes_by_samples_is_read_as_such() {
    let (store, notes, _) = brought_in(&field("genes_by_samples.parquet"));
    assert!(notes.contains("30 × 20, rows are genes: by Ensembl ids"), "{notes}");
    assert_eq!((store.n_samples(), store.n_genes()), (20, 30));
    assert_eq!(
        (store.samples().ids[0].as_str(), store.genes().ids[0].as_str()),
        ("cell0", "ENSG00000141510")
    );
}

#[test]
fn notes_speak_of_the_files_own_axes() {
    let dir = tempfile::tempdir().unwrap();
    let npy = |fortran: bool, rows: usize, columns: usize| {
        let order = if fortran { "True" } else { "False" };
        let mut header =
            format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': ({rows}, {columns}), }}");
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let values = (0..rows * columns).map(|i| match fortran {
            true => value(i % rows, i / rows),
            false => value(i / columns, i % columns),
        });
        let bytes: Vec<u8> = values.flat_map(|x| (x as f32).to_le_bytes()).collect();
        [b"\x93NUMPY\x01\x00", (header.len() as u16).to_le_bytes().as_slice(), header.as_bytes(), &bytes]
            .concat()
    };
    for fortran in [false, true] {
        let (store, notes, warnings) = brought_in(&written(dir.path(), "x.npy", npy(fortran, 5, 7)));
        assert!(notes.contains("5 × 7, rows are samples: as npy files mostly lie"), "{notes}");
        let mut row = vec![0.0; 7];
        store.read_row(3, &mut row);
        assert_eq!((row[6], warnings.as_str()), (306.0, ""));
        assert!(store.genes().column_names().is_empty(), "made-up names have no symbols");
        let (out, _) = succeed(dir.path(), &["info", "x.npy"]);
        assert!(
            out.contains("rows          5") && out.contains("columns       7") && out.contains("sample_1"),
            "{out}"
        );
        let (_, notes, warnings) = brought_in(&written(dir.path(), "x.npy", npy(fortran, 9, 7)));
        assert!(notes.contains("9 × 7, rows are samples"), "{notes}");
        assert!(
            warnings.contains("is a guess") && warnings.contains("--orientation genes-by-samples"),
            "{warnings}"
        );
    }
}
