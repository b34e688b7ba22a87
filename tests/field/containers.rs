//! Workbooks, packed Parquet and HDF5, h5mu, packed files of any format; and what is not read: said in one line.

use std::io::Write;
use std::path::Path;

use genelift::store::Store;

use super::common::package;
use super::run::{refuse, succeed};

const GENES: [&str; 5] = ["TP53", "EGFR", "GAPDH", "MYC", "BRCA1"];

/// The value that `scripts/reference_containers.py` gives every file.
fn value(sample: usize, gene: usize) -> f32 {
    (sample * 8 + gene) as f32 + 0.25
}

fn field(name: &str) -> String {
    package("tests/data/field").join(name).display().to_string()
}

/// Imports a file; the store and what was said.
fn import(dir: &Path, file: &str, options: &[&str]) -> (Store, String) {
    let mut arguments = vec!["import", file, "-o", "out.gex", "--force"];
    arguments.extend(options);
    let (_, said) = succeed(dir, &arguments);
    (Store::open(&dir.join("out.gex")).unwrap(), said)
}

/// Asserts the shape, sample names s1, s2, … and every value.
fn check(store: &Store, samples: usize, genes: usize, scale: f32) {
    assert_eq!((store.n_samples(), store.n_genes()), (samples, genes));
    let mut row = vec![0.0; genes];
    for s in 0..samples {
        store.read_row(s, &mut row);
        let expected: Vec<f32> = (0..genes).map(|g| value(s, g) * scale).collect();
        assert_eq!(row, expected, "sample {s}");
    }
}

fn refused(dir: &Path, file: &str, options: &[&str]) -> String {
    let mut arguments = vec!["import", file, "-o", "refused.gex"];
    arguments.extend(options);
    let message = refuse(dir, &arguments);
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    message
}

/// Asserts that the message holds all of these words.
fn says(message: &str, words: &[&str]) {
    words.iter().for_each(|word| assert!(message.contains(word), "{word:?} is not in: {message}"));
}

#[cfg(feature = "excel")]
mod workbooks {
    use super::*;

    #[test]
    fn a_sheet_is_taken_by_name_or_number_and_the_others_are_told() {
        let dir = tempfile::tempdir().unwrap();
        for sheet in ["Expression", "2"] {
            let (store, said) = import(dir.path(), &field("two_sheets.xlsx"), &["--sheet", sheet]);
            check(&store, 4, 5, 1.0);
            assert_eq!(store.genes().ids, GENES);
            assert_eq!(store.samples().ids, ["s1", "s2", "s3", "s4"]);
            says(&said, &["sheet 2 of 2, \"Expression\", is read", "--sheet", "\"Read me\""]);
        }
        says(&refused(dir.path(), &field("two_sheets.xlsx"), &[]), &["sheet \"Read me\"", "two_sheets.xlsx"]);
        for other in ["3", "0", "expression"] {
            let message = refused(dir.path(), &field("two_sheets.xlsx"), &["--sheet", other]);
            says(&message, &["has no sheet", "\"Expression\""]);
        }
        let (store, _) = import(dir.path(), &field("sheet.xls"), &["--sheet", "1"]);
        check(&store, 4, 5, 1.0);
        std::fs::write(dir.path().join("a.csv"), "g,s1,s2\nTP53,1,2\nEGFR,3,4\n").unwrap();
        says(&refused(dir.path(), "a.csv", &["--sheet", "1"]), &["--sheet is for xlsx"]);
    }

    #[test]
    fn other_kinds_of_workbooks_hold_the_same() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["sheet.xls", "sheet.ods"] {
            let (store, said) = import(dir.path(), &field(name), &[]);
            check(&store, 4, 5, 1.0);
            assert_eq!(store.genes().ids, GENES, "{name}");
            says(&said, &[name]);
        }
    }

    #[test]
    fn dates_among_the_names_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (store, said) = import(dir.path(), &field("dates.xlsx"), &[]);
        check(&store, 4, 5, 1.0);
        assert_eq!(store.genes().ids[..3], ["2-Sep", "1-Mar", "GAPDH"]);
        says(
            &said,
            &["2 of the names are dates", "B4 is 2-Sep, perhaps SEPT2", "B5 is 1-Mar, perhaps MARCH1"],
        );
    }

    #[test]
    fn a_workbook_beyond_the_memory_is_refused_with_what_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        let texts = vec![b' '; 20 << 20];
        let book = zip(&[("xl/workbook.xml", b"<workbook/>"), ("xl/sharedStrings.xml", &texts)]);
        std::fs::write(dir.path().join("large.xlsx"), book).unwrap();
        let message = refused(dir.path(), "large.xlsx", &["--memory", "32"]);
        says(&message, &["large.xlsx", "up to 40 MiB", "--memory is 32", "give --memory 40"]);
    }

    /// The chain of the directory begins with its first sector again: read on, it would fill the memory.
    #[test]
    fn a_workbook_whose_sectors_lead_back_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = std::fs::read(field("sheet.xls")).unwrap();
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (table, directory) = (512 * (number(76) as usize + 1), number(48));
        let entry = table + 4 * directory as usize;
        bytes[entry..entry + 4].copy_from_slice(&directory.to_le_bytes());
        std::fs::write(dir.path().join("loop.xls"), bytes).unwrap();
        says(&refused(dir.path(), "loop.xls", &[]), &["loop.xls", "leads back into itself", "save it again"]);
    }

    #[test]
    fn damaged_workbooks_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let whole = std::fs::read(field("two_sheets.xlsx")).unwrap();
        for (name, bytes) in [
            ("half.xlsx", whole[..whole.len() / 2].to_vec()),
            ("ole.xls", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), vec![0; 4000]].concat()),
            ("short.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()),
        ] {
            std::fs::write(dir.path().join(name), bytes).unwrap();
            says(&refused(dir.path(), name, &[]), &[name]);
        }
    }
}

#[cfg(feature = "parquet")]
/// 2³⁰ rows, for which the library would take 200 GB before it reads one.
#[test]
fn an_xls_that_claims_more_than_it_can_hold_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(field("sheet.xls")).unwrap();
    let at = bytes.windows(4).position(|w| w == [0, 2, 14, 0]).expect("Dimensions") + 4;
    for (place, value) in [(4, 1u32 << 30), (4, 1 << 16 | 1), (0, 7), (10, 0xFFFF)] {
        let mut bytes = bytes.clone();
        bytes[at + place..at + place + 4].copy_from_slice(&value.to_le_bytes());
        std::fs::write(dir.path().join("claims.xls"), bytes).unwrap();
        says(
            &refused(dir.path(), "claims.xls", &[]),
            &["claims.xls: the workbook is damaged: a sheet claims"],
        );
    }
}

/// One byte of the footer, on which the library gives up with a panic.
#[test]
fn a_damaged_parquet_file_is_refused_in_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(package("tests/data/formats/made/columns.parquet")).unwrap();
    bytes[2682] = 255;
    std::fs::write(dir.path().join("damaged.parquet"), bytes).unwrap();
    let message = refuse(dir.path(), &["import", "damaged.parquet", "-o", "refused.gex"]);
    let last = message.trim_end().lines().last().unwrap_or_default();
    assert!(last.starts_with("error: damaged.parquet: ") && last.contains("the reader gave up"), "{message}");
    assert!(!message.contains("panicked"), "{message}");
}

#[test]
fn parquet_is_read_however_it_is_packed() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["zstd", "zstd_v2", "lz4", "gzip", "polars"] {
        let (store, _) = import(dir.path(), &field(&format!("packed_{name}.parquet")), &[]);
        check(&store, 4, 5, 1.0);
        assert_eq!(
            (&store.genes().ids[..], &store.samples().ids[0]),
            (&GENES.map(String::from)[..], &"s1".into())
        );
    }
    let message = refused(dir.path(), &field("packed_brotli.parquet"), &[]);
    says(&message, &["packed with brotli", "to_parquet"]);
    assert!(!message.contains("damaged") && !message.contains("feature"), "{message}");
}

#[test]
fn filters_of_hdf5_are_undone() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "blosc_blosclz",
        "zstd",
        "lz4",
        "bzip2",
        "lzf",
        "blosc_lz4",
        "blosc_zstd",
        "blosc_zlib",
        "zstd_sparse",
    ] {
        let (store, _) = import(dir.path(), &field(&format!("filter_{name}.h5ad.gz")), &[]);
        check(&store, 64, 40, 1.0);
        assert_eq!(
            (&*store.genes().ids[39], &*store.samples().ids[63]),
            ("ENSG00000000039", "s64"),
            "{name}"
        );
        assert_eq!(store.samples().column("tissue").unwrap()[..2], ["brain", "liver"], "{name}");
    }
    let message = refused(dir.path(), &field("filter_bitshuffle.h5ad.gz"), &[]);
    says(&message, &["bitshuffle (filter 32008)", "gzip", ".h5ad.gz"]);
    assert!(!message.contains("damaged"), "{message}");
}

#[test]
fn a_modality_is_taken_only_if_there_is_no_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let (store, said) = import(dir.path(), &field("one.h5mu.gz"), &[]);
    check(&store, 4, 5, 1.0);
    says(&said, &["modality \"rna\""]);
    let message = refused(dir.path(), &field("two.h5mu.gz"), &[]);
    says(&message, &["several modalities", "--modality", "prot", "rna"]);
    let (store, _) = import(dir.path(), &field("two.h5mu.gz"), &["--modality", "rna"]);
    check(&store, 4, 5, 1.0);
    let (store, _) = import(dir.path(), &field("two.h5mu.gz"), &["--modality", "prot"]);
    assert_eq!(store.genes().ids, ["CD3", "CD4"]);
    says(
        &refused(dir.path(), &field("two.h5mu.gz"), &["--modality", "atac"]),
        &["no modality \"atac\"", "rna"],
    );
    says(
        &refused(dir.path(), &field("filter_zstd.h5ad.gz"), &["--modality", "rna"]),
        &["--modality is for h5mu"],
    );
}

#[test]
fn archs4_is_read_with_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = import(dir.path(), &field("archs4.h5.gz"), &[]);
    check(&store, 4, 5, 4.0);
    assert_eq!((&*store.genes().ids[0], &*store.samples().ids[3]), ("ENSG00000000000", "GSM3"));
    assert_eq!(store.genes().column("symbol").unwrap(), GENES);
    assert_eq!(store.samples().column("series_id").unwrap()[0], "GSE1");
}

/// A file packed by each of the three packers, beside the plain one.
#[test]
fn any_format_is_read_packed() {
    let dir = tempfile::tempdir().unwrap();
    let mut npy = Vec::new();
    let header = format!("{:<117}\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 5), }");
    npy.extend(b"\x93NUMPY\x01\x00\x76\x00");
    npy.extend(header.as_bytes());
    (0..4).for_each(|s| (0..5).for_each(|g| npy.extend(value(s, g).to_le_bytes())));
    let gz = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let bz2 = |bytes: &[u8]| {
        let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let zst =
        |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    let mut files = vec![("x.npy", npy)];
    if cfg!(feature = "parquet") {
        files.push(("x.parquet", std::fs::read(field("packed_zstd.parquet")).unwrap()));
    }
    if cfg!(feature = "excel") {
        files.push(("x.xls", std::fs::read(field("sheet.xls")).unwrap()));
        files.push(("x.ods", std::fs::read(field("sheet.ods")).unwrap()));
    }
    for (name, bytes) in &files {
        for (ending, packed) in [(".gz", gz(bytes)), (".bz2", bz2(bytes)), (".zst", zst(bytes))] {
            let name = format!("{name}{ending}");
            std::fs::write(dir.path().join(&name), packed).unwrap();
            let (store, said) = import(dir.path(), &name, &[]);
            check(&store, 4, 5, 1.0);
            says(&said, &[&format!("{name}: unpacked into"), "MiB"]);
            assert!(!said.contains("/proc/self"), "{said}");
        }
    }
    // Messages are about the user's file; a packed file that is cut short is told as such.
    let cut = gz(&files[0].1[..files[0].1.len() - 4]);
    std::fs::write(dir.path().join("cut.npy.gz"), cut).unwrap();
    let message = refused(dir.path(), "cut.npy.gz", &[]);
    says(&message, &["cut.npy.gz: shape"]);
    let whole = gz(&files[0].1);
    std::fs::write(dir.path().join("short.npy.gz"), &whole[..whole.len() - 12]).unwrap();
    says(&refused(dir.path(), "short.npy.gz", &[]), &["short.npy.gz", "truncated"]);
}

/// What is not read: each by its first bytes, plain and packed, whatever it is called.
#[test]
fn what_is_not_read_is_named_with_a_way_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut tar = vec![0u8; 1024];
    tar[..8].copy_from_slice(b"data.csv");
    tar[257..262].copy_from_slice(b"ustar");
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("a.rds", b"X\n\0\0\0\x03\0\x04\x02\x01".to_vec(), "an R object", "readRDS"),
        ("ascii.rds", b"A\n3\n262657\n".to_vec(), "an R object", "readRDS"),
        ("a.RData", b"RDX3\nX\n\0\0\0\x03".to_vec(), "R's workspace", "load("),
        ("b.rda", b"RDX2\nX\n\0\0\0\x02".to_vec(), "R's workspace", "load("),
        ("xz.rds", b"\xfd7zXZ\0\0\x04".to_vec(), "an R object", "readRDS"),
        ("a.csv.xz", b"\xfd7zXZ\0\0\x04".to_vec(), "packed with xz", "xz -dk"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04".to_vec(), "7z", "7z x"),
        ("a.tar", tar, "a tar archive", "tar -xf"),
        ("a.cel", b"[CEL]\nVersion=3\n".to_vec(), "CEL", "justRMA"),
        ("b.CEL", b"\x40\0\0\0\x04\0\0\0\x01".to_vec(), "CEL", "justRMA"),
        ("c.cel", b"\x3b\x01\0\0\0\x01".to_vec(), "CEL", "justRMA"),
        ("a.soft", b"^DATABASE = GeoMiame\n!Database_name = x\n".to_vec(), "GEO SOFT", "series matrix"),
        ("b.txt", b"^SAMPLE = GSM1\n!Sample_title = x\n".to_vec(), "GEO SOFT", "series matrix"),
        ("c.soft", b"^SAMPLE = GSM1\n".to_vec(), "GEO SOFT", "series matrix"),
        ("a.csv", b"<!DOCTYPE html>\n<html><body>Log in</body>".to_vec(), "HTML", "download it again"),
        ("b.tsv", b"\n <HTML>\n<head>".to_vec(), "HTML", "download it again"),
        ("a.json", b"{\"genes\": [1, 2]}".to_vec(), "JSON", "read_json"),
        ("b.csv", b"[[1, 2], [3, 4]]".to_vec(), "JSON", "read_json"),
        ("a.db", b"SQLite format 3\0\x10\0".to_vec(), "SQLite", "sqlite3"),
        ("a.pdf", b"%PDF-1.5\n%\xe2\xe3".to_vec(), "PDF", ".csv"),
        ("a.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64\0\x01".to_vec(), "MATLAB", "loadmat"),
        ("a.sav", b"$FL2@(#) SPSS DATA FILE\0".to_vec(), "SPSS", "read_spss"),
        ("a.bam", b"BAM\x01\0\0".to_vec(), "aligned reads", "counted first"),
        ("a.bw", b"\x26\xfc\x8f\x88\x04\0".to_vec(), "bigWig", "genes"),
        ("a.fastq", b"@r1\nACGT\n+\nIIII\n".to_vec(), "FASTQ", "counted first"),
        ("a.vcf", b"##fileformat=VCFv4.2\n".to_vec(), "VCF", "no expression"),
        ("a.pkl", b"\x80\x04\x95\x10\0\0\0".to_vec(), "pickle", "read_pickle"),
        ("a.feather", b"FEA1\0\0".to_vec(), "Feather 1", "read_feather"),
        (
            "lfs.csv",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(),
            "Git LFS",
            "lfs pull",
        ),
    ];
    for (name, bytes, what, how) in &cases {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        says(&refused(dir.path(), name, &[]), &[name, what, how]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        let name = format!("{name}.gz");
        std::fs::write(dir.path().join(&name), packed.finish().unwrap()).unwrap();
        says(&refused(dir.path(), &name, &[]), &[&name, what, how]);
    }
}

/// Text that only looks like one of them is read.
#[test]
fn tables_that_resemble_them_are_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("json.tsv", "[gene]\ts1\ts2\nTP53\t1\t2\nEGFR\t3\t4\n"),
        ("brace.tsv", "{id}\ts1\ts2\nTP53\t1\t2\nEGFR\t3\t4\n"),
        ("at.tsv", "@id\ts1\ts2\nTP53\t1\t2\nEGFR\t3\t4\n"),
        ("fasta.tsv", ">id\ts1\ts2\nTP53\t1\t2\nEGFR\t3\t4\n"),
        ("orc.tsv", "ORC1\ts1\ts2\nTP53\t1\t2\nEGFR\t3\t4\n"),
        ("fcs.tsv", "FCS\ts1\ts2\nTP53\t1\t2\nEGFR\t3\t4\n"),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
        assert_eq!(import(dir.path(), name, &[]).0.n_genes(), 2, "{name}");
    }
}

#[test]
fn folders_that_are_not_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, file, what) in [
        ("a.zarr", ".zgroup", "a Zarr store"),
        ("b.zarr", "zarr.json", "a Zarr store"),
        ("c", ".zmetadata", "a Zarr store"),
        ("salmon", "quant.sf", "a folder of salmon"),
    ] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        std::fs::write(dir.path().join(folder).join(file), "{}").unwrap();
        says(&refused(dir.path(), folder, &[]), &[folder, what]);
    }
}

/// The reader of .ods waits for the end of elements for ever, and writes out as many blanks as a number says.
#[test]
fn an_ods_that_does_not_end_or_would_fill_the_memory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let row = "<table:table-row><table:table-cell office:value-type=\"string\"><text:p>g</text:p>";
    let blanks = format!(
        "{row}<text:p><text:s text:c=\"99999999999\"/></text:p></table:table-cell></table:table-row></table:table>"
    );
    for (body, what) in [(row, "content.xml"), (&blanks, "blanks")] {
        let text = format!(
            "<office:document-content><office:body><office:spreadsheet><table:table table:name=\"a\">{body}\
             </office:spreadsheet></office:body></office:document-content>"
        );
        let members = [
            ("mimetype", &b"application/vnd.oasis.opendocument.spreadsheet"[..]),
            ("content.xml", text.as_bytes()),
        ];
        std::fs::write(dir.path().join("x.ods"), zip(&members)).unwrap();
        says(&refused(dir.path(), "x.ods", &[]), &["x.ods", what]);
    }
}

/// A zip archive of stored members.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for number in [crc.sum(), bytes.len() as u32, bytes.len() as u32] {
            common.extend(number.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        list.extend([b"PK\x01\x02\x14\x00".to_vec(), common.clone(), vec![0; 10]].concat());
        list.extend((out.len() as u32).to_le_bytes());
        list.extend(name.as_bytes());
        out.extend([b"PK\x03\x04".to_vec(), common, name.as_bytes().to_vec(), bytes.to_vec()].concat());
    }
    let (at, n) = (out.len() as u32, members.len() as u16);
    out.extend(&list);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([n.to_le_bytes(), n.to_le_bytes()].concat());
    out.extend([(list.len() as u32).to_le_bytes(), at.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

#[test]
fn zip_archives_are_told_by_what_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let table: &[u8] = b"gene,s1,s2\nTP53,1,2\nEGFR,3,4\n";
    let write =
        |name: &str, members: &[(&str, &[u8])]| std::fs::write(dir.path().join(name), zip(members)).unwrap();
    write("one.csv.zip", &[("one.csv", table), ("__MACOSX/._one.csv", b"x")]);
    let (store, said) = import(dir.path(), "one.csv.zip", &[]);
    assert_eq!(store.genes().ids, ["TP53", "EGFR"]);
    says(&said, &["its one file one.csv is read", "csv.zip"]);
    for (name, members, what) in [
        ("two.zip", &[("a.csv", table), ("b.csv", table)][..], "zip archive of 2 files (a.csv, b.csv"),
        ("a.zarr.zip", &[(".zgroup", b"{}"), ("X/.zarray", b"{}")], "a Zarr store in a zip"),
        ("a.docx", &[("word/document.xml", b"<w/>")], "text or slides of Office"),
        ("a.pt", &[("a/data.pkl", b"\x80\x02")], "PyTorch"),
        ("none.zip", &[("folder/", b"")], "without a file"),
    ] {
        write(name, members);
        says(&refused(dir.path(), name, &[]), &[name, what]);
    }
}

#[test]
fn other_hdf5_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (name, groups, what) in [
        ("a.h5seurat", &["assays", "meta.data", "reductions"][..], "an h5Seurat file"),
        ("molecule_info.h5", &["barcode_idx", "feature_idx"], "molecule_info.h5"),
        ("abundance.h5", &["est_counts", "aux"], "kallisto"),
        ("a.mat", &["#refs#", "X"], "MATLAB"),
        ("other.h5", &["values", "names"], "it holds"),
    ] {
        let mut file = hdf5_pure::FileBuilder::new();
        for group in groups {
            let group = file.create_group(group);
            file.add_group(group.finish());
        }
        file.write(dir.path().join(name)).unwrap();
        says(&refused(dir.path(), name, &[]), &[name, what]);
    }
}
