//! Maps from probes to genes, and tables about genes and samples, as people download and keep them.

use std::path::Path;

use genelift::store::Store;

use super::run::{refuse, succeed};

const PROBES: [&str; 6] = ["1007_s_at", "1053_at", "117_at", "121_at", "1255_g_at", "AFFX-x_at"];

/// An annotation table as GEO has it; TAIL stands for the columns that are cut off here.
const GPL: &str = "#ID = Affymetrix Probe Set ID\n#Gene Symbol = A gene symbol\n!platform_table_begin\n\
    ID\tGB_ACC\tSPOT_ID\tGene Title\tGene Symbol\tENTREZ_GENE_ID\n\
    1007_s_at\tU48705\t\tdiscoidin receptor /// microRNA 4640\tDDR1 /// MIR4640\t780 /// 100616237\n\
    1053_at\tM87338\t\treplication factor C subunit 2\tRFC2\t5982\n\
    117_at\tX51757\t\theat shock protein 6\tHSPA6\t3310\n\
    121_at\tX69699\t\tpaired box 8\tPAX8\t7849\n\
    1255_g_at\tL36861\t\t---\t---\t---\n\
    1294_at\tL13852\t\tanother\tUBA7\t7318\n!platform_table_end\n";

/// Three samples of the probes: sample s has 10 s + place.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut text = format!("probe\t{}\n", ["s0", "s1", "s2"].join("\t"));
    for (place, probe) in PROBES.iter().enumerate() {
        text += &format!("{probe}\t{place}\t{}\t{}\n", 10 + place, 20 + place);
    }
    std::fs::write(dir.path().join("probes.tsv"), text).unwrap();
    succeed(dir.path(), &["import", "probes.tsv", "-o", "probes.gex"]);
    std::fs::write(dir.path().join("gpl.txt"), GPL).unwrap();
    dir
}

/// Collapses by a map; ids of the genes and their values in the first sample.
fn collapse(dir: &Path, map: &str, options: &[&str]) -> (Vec<String>, Vec<f32>, String) {
    let arguments =
        [&["prepare", "probes.gex", "-o", "genes.gex", "--force", "--collapse-probes", map], options]
            .concat();
    let (_, said) = succeed(dir, &arguments);
    let store = Store::open(&dir.join("genes.gex")).unwrap();
    let mut row = vec![0.0; store.n_genes()];
    store.read_row(0, &mut row);
    (store.genes().ids.clone(), row, said)
}

#[test]
fn an_annotation_table_of_geo_is_a_map_as_it_is() {
    let dir = folder();
    let dir = dir.path();
    let message = refuse(dir, &["prepare", "probes.gex", "-o", "x.gex", "--collapse-probes", "gpl.txt"]);
    assert!(
        message.contains("1007_s_at (DDR1 /// MIR4640)") && message.contains("--multi first"),
        "{message}"
    );

    let (ids, values, said) = collapse(dir, "gpl.txt", &["--multi", "first"]);
    assert_eq!((ids.join(" "), values), ("DDR1 RFC2 HSPA6 PAX8".into(), vec![0.0, 1.0, 2.0, 3.0]));
    assert!(said.contains("probes from column \"ID\", genes from column \"Gene Symbol\""), "{said}");
    let (ids, values, _) = collapse(dir, "gpl.txt", &["--multi", "all"]);
    assert_eq!(
        (ids.join(" "), values),
        ("DDR1 MIR4640 RFC2 HSPA6 PAX8".into(), vec![0.0, 0.0, 1.0, 2.0, 3.0])
    );
    let (ids, _, said) = collapse(dir, "gpl.txt", &["--multi", "all", "--map-column", "ENTREZ_GENE_ID"]);
    assert_eq!(ids.join(" "), "780 100616237 5982 3310 7849");
    assert!(said.contains("genes from column \"ENTREZ_GENE_ID\""), "{said}");
    let message = refuse(
        dir,
        &["prepare", "probes.gex", "-o", "x.gex", "--collapse-probes", "gpl.txt", "--map-column", "Symbol"],
    );
    assert!(message.contains("--map-column Symbol: it has no such column"), "{message}");
}

#[test]
fn maps_of_other_tools_are_read_or_refused_in_words() {
    let dir = folder();
    let dir = dir.path();
    let write = |text: &str| std::fs::write(dir.join("map.txt"), text).unwrap();
    for (text, expected) in [
        ("1053_at,RFC2\n117_at,HSPA6\n", "RFC2 HSPA6"), // no header
        ("\"\";\"probe\";\"symbol\"\n\"1\";\"1053_at\";\"RFC2\"\n\"2\";\"121_at\";\"PAX8\"\n", "RFC2 PAX8"),
        ("# made by hand\r\nsymbol\tprobe_id\r\nRFC2\t1053_at\r\n---\t117_at\r\nNA\t121_at\r\n", "RFC2"),
        ("ID\tchr\tstart\tUCSC_RefGene_Name\n1053_at\tchr7\t5\tRFC2\n117_at\tchr1\t6\tHSPA6\n", ""),
        ("ID\tvalue\n1053_at\t1.5\n117_at\t2.5\n", ""),
    ] {
        write(text);
        if expected.is_empty() {
            let message =
                refuse(dir, &["prepare", "probes.gex", "-o", "x.gex", "--collapse-probes", "map.txt"]);
            assert!(message.contains("name it with --map-column"), "{message}");
        } else {
            assert_eq!(collapse(dir, "map.txt", &[]).0.join(" "), expected, "{text}");
        }
    }
    // A probe in two rows: the last does not win.
    write("probe\tgene\n1053_at\tRFC2\n1053_at\tRFC3\n117_at\tRFC3\n");
    let message = refuse(dir, &["prepare", "probes.gex", "-o", "x.gex", "--collapse-probes", "map.txt"]);
    assert!(message.contains("1053_at (RFC2 /// RFC3, lines 2, 3)"), "{message}");
    let of = |multi: &str| {
        let (ids, values, _) = collapse(dir, "map.txt", &["--multi", multi]);
        (ids.join(" "), values)
    };
    assert_eq!(of("first"), ("RFC2 RFC3".into(), vec![1.0, 2.0]));
    assert_eq!(of("all"), ("RFC2 RFC3".into(), vec![1.0, 1.5]));
    // (½·1 + 1·2)/(½ + 1)
    assert_eq!(of("average"), ("RFC2 RFC3".into(), vec![1.0, 5.0 / 3.0]));
    let other =
        ["prepare", "probes.gex", "-o", "x.gex", "--collapse-probes", "map.txt", "--multi", "average"];
    let message = refuse(dir, &[&other[..], &["--collapse-by", "max-mean"]].concat());
    assert!(message.contains("--multi average is for --collapse-by mean"), "{message}");
    // New data take the same weights.
    succeed(dir, &["prepare", "probes.gex", "-o", "again.gex", "--like", "genes.gex"]);
    let mut row = vec![0.0; 2];
    Store::open(&dir.join("again.gex")).unwrap().read_row(0, &mut row);
    assert_eq!(row, [1.0, 5.0 / 3.0]);
}

#[test]
fn gene_labels_bring_symbols_to_tables_and_to_the_screen() {
    let dir = folder();
    let dir = dir.path();
    let check = |name: &str| {
        let store = Store::open(&dir.join(name)).unwrap();
        let column = |name: &str| store.genes().column(name).unwrap().join(",");
        assert_eq!(column("symbol"), "DDR1 /// MIR4640,RFC2,HSPA6,PAX8,---,".replace("---", ""), "{name}");
        assert_eq!(column("entrez"), "780 /// 100616237,5982,3310,7849,,");
        assert_eq!(column("GB_ACC"), "U48705,M87338,X51757,X69699,L36861,");
    };
    succeed(dir, &["import", "probes.tsv", "-o", "a.gex", "--gene-labels", "gpl.txt"]);
    check("a.gex");
    let (_, said) = succeed(dir, &["prepare", "probes.gex", "-o", "b.gex", "--gene-labels", "gpl.txt"]);
    assert!(said.contains("5 of 6 genes have labels from gpl.txt"), "{said}");
    assert!(said.contains("symbol from column \"Gene Symbol\""), "{said}");
    check("b.gex");
    // GCTX without symbols, and a slice by the symbols that it gets.
    succeed(dir, &["export", "probes.gex", "-o", "p.gctx"]);
    std::fs::write(dir.join("list.txt"), "PAX8\nHSPA6\n").unwrap();
    let slice = ["--only-genes", "list.txt", "--gene-labels", "gpl.txt"];
    succeed(dir, &[&["import", "p.gctx", "-o", "c.gex"][..], &slice].concat());
    assert_eq!(Store::open(&dir.join("c.gex")).unwrap().genes().ids, ["117_at", "121_at"]);
    let select = ["select", "--store", "c.gex", "-n", "2", "-o", "l.tsv", "--strategy", "variance"];
    let (out, _) = succeed(dir, &select);
    assert!(out.contains("HSPA6 (117_at)") && out.contains("PAX8 (121_at)"), "{out}");
    let table = std::fs::read_to_string(dir.join("l.tsv")).unwrap();
    assert!(table.contains("\tHSPA6"), "{table}");
    // A table of other genes.
    std::fs::write(dir.join("other.csv"), "ensembl,symbol\nENSG1,TP53\n").unwrap();
    let message = refuse(dir, &["import", "probes.tsv", "-o", "x.gex", "--gene-labels", "other.csv"]);
    assert!(message.contains("other.csv") && message.contains("none of the gene ids"), "{message}");
}

#[test]
fn labels_are_found_by_their_ids() {
    let dir = folder();
    let dir = dir.path();
    let utf16: Vec<u8> =
        "\u{feff}id\tkind\ns0\ta\ns1\tb\ns2\tc\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let packed = {
        use std::io::Write;
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(b"id\tkind\ns0\ta\ns1\tb\ns2\tc\n").unwrap();
        out.finish().unwrap()
    };
    for (name, bytes) in [
        ("semicolon.csv", b"id;kind\ns2;c\ns0;a\ns1;b\n".to_vec()),
        ("comment.tsv", b"# made by hand\nid\tkind\ns0\ta\ns1\tb\ns2\tc\n".to_vec()),
        ("blanks.txt", b"sample kind\ns0   a\ns1   b\ns2   c\n".to_vec()),
        (
            "numbers.csv",
            b"\"\",\"id\",\"kind\"\n\"1\",\"s0\",\"a\"\n\"2\",\"s1\",\"b\"\n\"3\",\"s2\",\"c\"\n".to_vec(),
        ),
        ("last.csv", b"kind,title\na,s0\nb,s1\nc,s2\n".to_vec()),
        ("utf16.txt", utf16),
        ("packed.tsv.gz", packed),
    ] {
        std::fs::write(dir.join(name), bytes).unwrap();
        let arguments = ["import", "probes.tsv", "-o", "l.gex", "--force", "--labels", name];
        let (_, said) = succeed(dir, &arguments);
        assert!(said.contains("3 of 3 samples have labels"), "{name}: {said}");
        let store = Store::open(&dir.join("l.gex")).unwrap();
        assert_eq!(store.samples().column_names(), ["kind"], "{name}");
        assert_eq!(store.samples().column("kind").unwrap(), ["a", "b", "c"], "{name}");
        let second = matches!(name, "numbers.csv" | "last.csv");
        assert_eq!(said.contains("sample ids from column"), second, "{name}: {said}");
    }
    let refused = |text: &str| {
        std::fs::write(dir.join("bad.csv"), text).unwrap();
        refuse(dir, &["import", "probes.tsv", "-o", "x.gex", "--labels", "bad.csv"])
    };
    assert!(refused("id,kind\ns0,a\ns0,b\n").contains("\"s0\" stands in lines 2 and 3, which differ"));
    let message = refused("id,kind\nx,a\ny,b\nz,c\n");
    assert!(message.contains("as many rows as there are sample ids"), "{message}");
}
