//! Small tables: whatever spelling, the same names; tables that genelift wrote, whole or refused; names of any kind.

use std::io::Write;
use std::path::Path;

use genelift::attribution::ScoreTable;
use genelift::device::recording::Element;
use genelift::genes::sidecar::{self, Made};
use genelift::genes::{Checked, Column, Sheet, Table, Untold};
use genelift::progress::silent;
use genelift::store::{Origin, Store, StoreWriter};

use super::run::{genelift, refuse, succeed};

/// Names that readers get wrong.
const NAMES: [&str; 24] = [
    "tab\tinside",
    "quote\"inside",
    "\"quoted\"",
    "\"open",
    "line\nbreak",
    "carriage\rreturn",
    "both\r\nends",
    "#comment",
    " leading",
    "trailing ",
    "\u{a0}no break",
    "esc\u{1b}[31mred",
    "bell\u{7}",
    "c1\u{9b}2J",
    "µ",
    "基因",
    "NA",
    "null",
    "007",
    "1e5",
    "2-Sep",
    "a,b;c",
    "'single",
    "back\\slash",
];

fn read(dir: &Path, bytes: &[u8], untold: Untold) -> genelift::Result<Sheet> {
    let path = dir.join("table.txt");
    std::fs::write(&path, bytes).unwrap();
    Sheet::read(&path, untold)
}

fn names(sheet: &Sheet) -> Vec<String> {
    let column = sheet.names_column(Column::names_genes).unwrap();
    sheet.columns[column].fields.clone()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect()
}

#[test]
fn one_list_in_every_spelling() {
    let dir = tempfile::tempdir().unwrap();
    let plain = "gene_symbol\tscore\nTP53\t1.5\nMYC\t-2\nHLA-A\t0.25\n";
    let replaced = |from: &str, to: &str| plain.replace(from, to).into_bytes();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(plain.as_bytes()).unwrap();
    let quoted = plain
        .lines()
        .map(|l| l.split('\t').map(|f| format!("\"{f}\"")).collect::<Vec<_>>().join(";") + "\r\n");
    let spellings: Vec<Vec<u8>> = vec![
        plain.into(),
        replaced("\t", ","),
        replaced("\t", ";"),
        replaced("\t", " "),
        replaced("\t", "    "),
        replaced("\t", " \t "),
        replaced("\n", "\r\n"),
        replaced("\n", "\r"),
        plain.trim_end().into(),
        [b"\xEF\xBB\xBF", plain.as_bytes()].concat(),
        utf16(plain, u16::to_le_bytes),
        utf16(plain, u16::to_be_bytes),
        packed.finish().unwrap(),
        [b"# made by hand\n#\n", plain.as_bytes()].concat(),
        replaced("\nMYC", "\n# a comment\n\n\nMYC"),
        [b"sep=;\n", replaced("\t", ";").as_slice()].concat(),
        [b"\"sep=,\"\r\n", replaced("\t", ",").as_slice()].concat(),
        replaced("\n", "\t\n"),
        replaced("\t", " , "),
        quoted.collect::<String>().into(),
        // R's write.table with and without its corner
        b"\"gene_symbol\" \"score\"\n\"1\" \"TP53\" 1.5\n\"2\" \"MYC\" -2\n\"3\" \"HLA-A\" 0.25\n".to_vec(),
        b"\"\",\"gene_symbol\",\"score\"\n\"1\",\"TP53\",1.5\n\"2\",\"MYC\",-2\n\"3\",\"HLA-A\",0.25\n"
            .to_vec(),
        // a rank, a row number, pandas' index, without a header too
        b"rank\tgene\n1\tTP53\n2\tMYC\n3\tHLA-A\n".to_vec(),
        b",Gene Symbol\n0,TP53\n1,MYC\n2,HLA-A\n".to_vec(),
        b"1\tTP53\n2\tMYC\n3\tHLA-A\n".to_vec(),
        b"1 TP53\n2 MYC\n3 HLA-A\n".to_vec(),
        b"TP53\nMYC\nHLA-A\n".to_vec(),
        b"Hugo_Symbol\nTP53\nMYC\nHLA-A\n".to_vec(),
        b"#Gene Symbol\tscore\nTP53\t1\nMYC\t2\nHLA-A\t3\n".to_vec(),
        b"TP53,\nMYC,\nHLA-A,\n".to_vec(),
        b"TP53, MYC, HLA-A\n".to_vec(),
        b"TP53;MYC;HLA-A".to_vec(),
        b"TP53\tMYC\tHLA-A\r\n".to_vec(),
        b"id,gene\n1,TP53\n2,MYC\n3,HLA-A\n".to_vec(),
        b"# old\rgene\nTP53\nMYC\nHLA-A\n".to_vec(),
        b"no,score,Gene.symbol\n1,0.5,TP53\n2,0.4,MYC\n3,0.1,HLA-A\n".to_vec(),
        b"\"TP53\"\n\"MYC\"\n\"HLA-A\"\n".to_vec(),
        b"  TP53\nMYC  \n\tHLA-A\n".to_vec().iter().map(|b| if *b == b'\t' { b' ' } else { *b }).collect(),
    ];
    for (i, bytes) in spellings.iter().enumerate() {
        let sheet = read(dir.path(), bytes, Untold::Row).unwrap_or_else(|e| panic!("spelling {i}: {e}"));
        assert_eq!(names(&sheet), ["TP53", "MYC", "HLA-A"], "spelling {i}: {sheet:?}");
        assert!(matches!(sheet.checked, Checked::Unknown));
    }
}

#[test]
fn what_could_be_two_things_stays_one() {
    let dir = tempfile::tempdir().unwrap();
    let list = |text: &str| names(&read(dir.path(), text.as_bytes(), Untold::Row).unwrap());
    assert_eq!(list("gene 1\ngene 2\ngene 3\n"), ["gene 1", "gene 2", "gene 3"]);
    assert_eq!(list("1,2-dehydrogenase\nTP53\nMYC\n"), ["1,2-dehydrogenase", "TP53", "MYC"]);
    assert_eq!(list("\"#hash\"\n\" blank \"\nx\n"), ["#hash", " blank ", "x"]);
    assert_eq!(list("7157\n4609\n672\n"), ["7157", "4609", "672"]);
    assert_eq!(list("1\t7157\n2\t4609\n3\t672\n"), ["7157", "4609", "672"]);
    assert_eq!(list("5\" end\nTP53\n"), ["5\" end", "TP53"]);
    assert_eq!(list("1007_s_at\n1053_at\n117_at\n"), ["1007_s_at", "1053_at", "117_at"]);
    assert_eq!(list("run\ncid\nrpr\n"), ["run", "cid", "rpr"]);
    let sheet = read(dir.path(), b"TP53\n#MYC\nESR1\n# end\n", Untold::Row).unwrap();
    assert!(
        sheet.notes[0].contains("1 line that begins with # among the rows left out"),
        "{:?}",
        sheet.notes
    );
    // maps and labels: the first line is a row where it looks like one
    let map = |text: &str| read(dir.path(), text.as_bytes(), Untold::Header).unwrap();
    let headerless = map("1007_s_at\tDDR1\n1053_at\tRFC2\n1294_at\tUBA7\n1316_at\tTHRA\n");
    assert!(!headerless.header && headerless.len() == 4, "{headerless:?}");
    let labels = map("tumour\tkind\ns1\tA\ns2\tB\n");
    assert!(labels.header && labels.notes[0].contains("is taken for the header"), "{labels:?}");
    let twice = map("sample\tx\tx\ns1\t1\t2\n");
    assert_eq!(twice.names(), ["sample", "x", "x.1"]);
    assert!(twice.notes[0].contains("occurs twice"), "{:?}", twice.notes);
}

#[test]
fn what_is_no_table_is_refused_by_place() {
    let dir = tempfile::tempdir().unwrap();
    for (bytes, word) in [
        (&b"gene\tscore\nTP53\t1\n\nMYC\n"[..], "line 4 has 1 field where the header has 2"),
        (b"gene,score\r\nTP53,1\r\nMYC,2,3\r\n", "line 3 has 3 fields where the header has 2"),
        (b"# c\rgene;score\rTP53;1\rMYC\r", "line 4 has 1 field"),
        (b"gene\tscore\n\"TP53\t1\nMYC\t2\n", "a quote (\") that opens in line 2"),
        (b"\"TP53\n", "is never closed"),
        (b"TP53\n\xb5\n", "line 2 is not UTF-8 (byte 0xb5)"),
        (b"PK\x03\x04....", "save the sheet as CSV"),
        (b"T\x00P\x005\x003\x00", "zero bytes"),
        (b"\xFF\xFET\0P", "UTF-16"),
        (b"\x1f\x8b\x08\0\0\0", "truncated"),
    ] {
        let message = read(dir.path(), bytes, Untold::Row).expect_err(word).to_string();
        assert!(message.contains(word) && message.contains("table.txt"), "{word}: {message}");
    }
}

/// A score table whose names, columns and columns' names are everything at once.
fn odd_table() -> ScoreTable {
    let mut genes = Table::new("gene_id", NAMES.map(String::from).to_vec());
    for (i, name) in ["score", "rank", "gene_id", "a\tb", "#x", " "].into_iter().enumerate() {
        let mut fields = NAMES.map(String::from).to_vec();
        fields.rotate_left(i);
        fields[0].clear();
        genes.columns.push((name.into(), fields));
    }
    let scores: Vec<f64> = (0..genes.len()).map(|i| 1.0 / (i + 1) as f64).collect();
    ScoreTable::rank(&genes, &scores)
}

#[test]
fn any_name_comes_back_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.tsv");
    let table = odd_table();
    table.write(&path, false, Made::default()).unwrap();
    let checked = ScoreTable::read(&path, &silent).unwrap();
    let settled = ["score.1", "rank.1", "gene_id.1", "a\tb", "#x", " "];
    assert_eq!(checked.genes.column_names(), settled);
    let fields = |table: &ScoreTable| table.genes.columns.iter().map(|(_, f)| f.clone()).collect::<Vec<_>>();
    assert_eq!((&checked.genes.ids, fields(&checked)), (&table.genes.ids, fields(&table)));
    // without its description too, and once more through both
    std::fs::remove_file(sidecar::name(&path)).unwrap();
    let unchecked = ScoreTable::read(&path, &silent).unwrap();
    assert_eq!(unchecked.genes.ids, checked.genes.ids);
    assert_eq!(fields(&unchecked), fields(&checked));
    let again = dir.path().join("again.tsv");
    unchecked.write(&again, false, Made::default()).unwrap();
    assert_eq!(std::fs::read(again).unwrap(), std::fs::read(path).unwrap());
}

#[test]
fn a_table_that_was_cut_or_changed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("landmarks.tsv");
    let genes = Table::numbered("gene_id", "g", 12);
    ScoreTable::rank(&genes, &[1.0; 12]).write(&path, false, Made::default()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let message = Sheet::read(&path, Untold::Row).expect_err("a cut").to_string();
        assert!(message.contains("landmarks.tsv") && message.contains("remove"), "cut at {cut}: {message}");
    }
    let mut changed = whole.clone();
    changed[20] ^= 1;
    std::fs::write(&path, changed).unwrap();
    assert!(Sheet::read(&path, Untold::Row).unwrap_err().to_string().contains("another checksum"));
    // the description itself, cut or somebody else's
    std::fs::write(&path, &whole).unwrap();
    let beside = sidecar::name(&path);
    let description = std::fs::read(&beside).unwrap();
    std::fs::write(&beside, &description[..description.len() / 2]).unwrap();
    assert!(
        Sheet::read(&path, Untold::Row).unwrap_err().to_string().contains("landmarks.tsv.json: is damaged")
    );
    std::fs::write(&beside, "{\"mine\": 1}").unwrap();
    let sheet = Sheet::read(&path, Untold::Row).unwrap();
    assert!(sheet.notes[0].contains("unchecked") && sheet.len() == 12, "{:?}", sheet.notes);
    // ... which is not replaced unasked
    let table = ScoreTable::rank(&genes, &[2.0; 12]);
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(table.write(&path, false, Made::default()), Err(genelift::Error::Exists(_))));
    table.write(&path, true, Made::default()).unwrap();
    // a description whose table is gone is in nobody's way
    std::fs::remove_file(&path).unwrap();
    table.write(&path, false, Made::default()).unwrap();
    assert!(matches!(Sheet::read(&path, Untold::Row).unwrap().checked, Checked::Whole(_)));
}

#[test]
fn whatever_a_kill_leaves_is_consistent_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.tsv");
    let beside = sidecar::name(&path);
    let genes = Table::numbered("gene_id", "g", 5);
    let both = || (std::fs::read(&path).unwrap(), std::fs::read(&beside).unwrap());
    ScoreTable::rank(&genes, &[1.0, 2.0, 3.0, 4.0, 5.0]).write(&path, false, Made::default()).unwrap();
    let old = both();
    ScoreTable::rank(&genes, &[5.0, 4.0, 3.0, 2.0, 1.0]).write(&path, true, Made::default()).unwrap();
    let new = both();
    for (table, description) in [(&old.0, &new.1), (&new.0, &old.1)] {
        std::fs::write(&path, table).unwrap();
        std::fs::write(&beside, description).unwrap();
        let message = ScoreTable::read(&path, &silent).unwrap_err().to_string();
        assert!(message.contains("does not fit"), "{message}");
    }
    std::fs::write(&path, &old.0).unwrap();
    std::fs::write(&beside, &old.1).unwrap();
    ScoreTable::read(&path, &silent).unwrap();
}

/// A store of odd names with columns `score`, `rank` and symbols that hold tabs.
fn odd_store(path: &Path) -> Store {
    let n = NAMES.len();
    let mut writer = StoreWriter::create(path, n, Element::F32, false).unwrap();
    for s in 0..40 {
        let row: Vec<f32> = (0..n).map(|g| ((s * 7 + g * 13) % 17) as f32 + (g as f32) * 0.1).collect();
        writer.push_rows(&row).unwrap();
    }
    let mut genes = Table::new("gene_id", NAMES.map(String::from).to_vec());
    genes.set_column("symbol", (0..n).map(|i| format!("S\t{i}")).collect());
    genes.set_column("score", (0..n).map(|i| i.to_string()).collect());
    genes.set_column("rank", vec!["r".into(); n]);
    let samples = Table::new("sample_id", (0..40).map(|i| format!("s\u{1b}[2J\n{i}")).collect());
    writer.finish(genes, samples, Origin::default()).unwrap()
}

/// Nothing that steers a terminal, and no line that a name broke.
fn assert_visible(text: &str) {
    let raw = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert!(raw.is_none() && !text.contains("line\nbreak"), "{text:?}");
}

#[test]
fn odd_names_go_through_the_commands_and_never_reach_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let store = odd_store(&dir.join("odd.gex"));
    let (text, notes) = succeed(dir, &["info", "odd.gex"]);
    assert_visible(&(text + &notes));
    let small = ["--hidden", "4,2", "--epochs", "1", "--device", "cpu", "--validation", "0"];
    succeed(dir, &[&["train", "odd.gex", "-o", "m.safetensors"][..], &small].concat());
    let (text, _) = succeed(dir, &["info", "m.safetensors"]);
    assert_visible(&text);
    succeed(dir, &["attribute", "m.safetensors", "odd.gex", "-o", "s.tsv"]);
    let (text, notes) = succeed(dir, &["select", "s.tsv", "-n", "10", "-o", "l.tsv"]);
    assert_visible(&(text + &notes));
    let scores = ScoreTable::read(&dir.join("s.tsv"), &silent).unwrap();
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(scores.genes.ids.clone()), sorted(store.genes().ids.clone()));
    assert_eq!(scores.genes.column_names(), ["symbol", "score.1", "rank.1"]);
    let landmarks = ScoreTable::read(&dir.join("l.tsv"), &silent).unwrap();
    assert_eq!(landmarks.genes.ids, scores.genes.ids[..10]);
    let about: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("l.tsv.json")).unwrap()).unwrap();
    assert_eq!((about["rows"].as_u64(), about["made-from"][0]["name"].as_str()), (Some(10), Some("s.tsv")));
    // embeddings, exports: the bytes stay
    succeed(dir, &["embed", "m.safetensors", "odd.gex", "-o", "e.tsv", "--device", "cpu"]);
    assert_eq!(Table::read_tsv(&dir.join("e.tsv")).unwrap().ids, store.samples().ids);
    succeed(dir, &["export", "odd.gex", "-o", "x.tsv"]);
    let exported = Table::read_tsv(&dir.join("x.tsv")).unwrap();
    assert_eq!(exported.column_names(), store.genes().ids.iter().map(String::as_str).collect::<Vec<_>>());
    succeed(dir, &["evaluate", "m.safetensors", "odd.gex", "-o", "ev", "--device", "cpu"]);
    let evaluated = Table::read_tsv(&dir.join("ev/genes.tsv")).unwrap();
    assert_eq!(evaluated.ids, store.genes().ids);
    assert_eq!(evaluated.columns[0], ("symbol".into(), store.genes().column("symbol").unwrap().to_vec()));
    // a list cut short is refused by name; without its description it is a plain list, which is said
    let text = std::fs::read_to_string(dir.join("s.tsv")).unwrap();
    std::fs::write(dir.join("s.tsv"), &text[..text.len() / 2]).unwrap();
    let message = refuse(dir, &["select", "s.tsv", "-n", "3", "-o", "cut.tsv"]);
    assert!(
        message.contains("s.tsv: does not fit s.tsv.json") && message.contains("remove s.tsv.json"),
        "{message}"
    );
    assert_eq!(message.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{message}");
    std::fs::write(dir.join("s.tsv"), &text).unwrap();
    std::fs::remove_file(dir.join("s.tsv.json")).unwrap();
    let (_, notes) = succeed(dir, &["select", "s.tsv", "-n", "3", "-o", "plain.tsv"]);
    assert!(notes.contains("unchecked"), "{notes}");
}

#[test]
fn messages_show_what_steers() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let header = "id\t\"a\u{1b}[31m\nb\"\tc\u{7}\n";
    std::fs::write(dir.join("bad.tsv"), format!("{header}s1\t1\toops\u{1b}]0;x\u{7}\n")).unwrap();
    for arguments in [&["import", "bad.tsv", "-o", "b.gex"][..], &["info", "bad.tsv"]] {
        let output = genelift(dir, arguments);
        assert_visible(&String::from_utf8_lossy(&output.stdout));
        assert_visible(&String::from_utf8_lossy(&output.stderr));
    }
    odd_store(&dir.join("odd.gex"));
    std::fs::write(dir.join("list.tsv"), "\"no\u{1b}[2J\nsuch\"\n\u{9b}gene\n").unwrap();
    for arguments in [
        &["select", "--store", "odd.gex", "-n", "2", "--include", "list.tsv", "-o", "l.tsv"][..],
        &["compare", "--train", "odd.gex", "--test", "odd.gex", "--landmarks", "x=list.tsv", "-o", "c"],
        &["fit", "odd.gex", "--landmarks", "list.tsv", "-o", "p.safetensors"],
    ] {
        let message = refuse(dir, arguments);
        assert_visible(&message);
    }
}

#[test]
fn labels_are_read_in_every_spelling() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("x.csv"), "sample,TP53,MYC\ns1,1,2\ns2,3,4\n").unwrap();
    for (i, text) in [
        "sample;tissue\ns1;liver\ns2;lung\n",
        "# from the clinic\nsample\ttissue\r\ns1\tliver\r\ns2\tlung\r\n",
        ",sample_id,tissue\n0,s1,liver\n1,s2,lung\n",
        "sep=;\nSample ID;tissue\ns1;liver\ns2;lung\n",
        "tissue,sample\nliver,s1\nlung,s2\n",
    ]
    .into_iter()
    .enumerate()
    {
        std::fs::write(dir.join("labels.txt"), text).unwrap();
        let out = format!("{i}.gex");
        succeed(dir, &["import", "x.csv", "-o", &out, "--labels", "labels.txt"]);
        let store = Store::open(&dir.join(out)).unwrap();
        assert_eq!(store.samples().column("tissue").unwrap(), ["liver", "lung"], "{text:?}");
    }
}

#[test]
fn columns_called_score_and_rank_do_not_break_repeats() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let samples: Vec<String> = (0..40).map(|s| format!("s{s}")).collect();
    let mut text = format!("#1.3\n20\t40\t3\t0\nid\tscore\trank\tsymbol\t{}\n", samples.join("\t"));
    for g in 0..20 {
        let values: Vec<String> =
            (0..40).map(|s| (((s * 7 + g * 13) % 17) as f64 / 3.0).to_string()).collect();
        text += &format!("p{g}\thigh\t{}\tS{g}\t{}\n", 20 - g, values.join("\t"));
    }
    std::fs::write(dir.join("x.gct"), text).unwrap();
    let config = "output = \"out\"\ndevice = \"cpu\"\n[import]\nfiles = [\"x.gct\"]\n[train]\nhidden = [4, 2]\nepochs = 1\n\
                  validation = \"0\"\n[select]\nn = 5\nstrategy = \"top\"\n[fit]\npenalty = 9\n[compare]\npenalty = 9\n[stability]\nrepeats = 2\n";
    std::fs::write(dir.join("c.toml"), config).unwrap();
    let (text, _) = succeed(dir, &["run", "c.toml"]);
    assert!(text.contains("2 repeats over"), "{text}");
    let stability = Table::read_tsv(&dir.join("out/stability.tsv")).unwrap();
    assert_eq!(
        stability.column_names(),
        ["symbol", "rank_in_list", "chosen", "share", "share_with_copies", "mean_rank"]
    );
    let symbol = |id: &String| id.replace('p', "S");
    assert_eq!(stability.columns[0].1, stability.ids.iter().map(symbol).collect::<Vec<_>>());
    let scores = ScoreTable::read(&dir.join("out/scores.tsv"), &silent).unwrap();
    assert_eq!(scores.genes.column("score.1").unwrap(), vec!["high"; 20]);
    assert!(dir.join("out/scores.tsv.json").exists() && !dir.join("out/scores.json").exists());
    let record = std::fs::read(dir.join("out/repeats/1/landmarks.tsv.json")).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&record).unwrap()["rows"], 5);
    // a cut list of the run's own is made again
    let path = dir.join("out/repeats/1/landmarks.tsv");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let (_, said) = succeed(dir, &["run", "c.toml"]);
    assert!(said.contains("landmarks.tsv has other bytes than were recorded"), "{said}");
    assert_eq!(std::fs::read(&path).unwrap(), whole);
}
