//! Files that are not read: what each is, seen by its first bytes, and the command that turns it into one that is read.

use std::path::Path;

/// A kind of file that is not read.
struct Kind {
    /// Whether a file that begins so is one; the second argument is its name in lower case.
    is: fn(&[u8], &str) -> bool,
    what: &'static str,
    /// What to do; `FILE` stands for its name.
    remedy: &'static str,
}

const fn kind(is: fn(&[u8], &str) -> bool, what: &'static str, remedy: &'static str) -> Kind {
    Kind { is, what, remedy }
}

const QUANTIFY: &str =
    "reads have to be counted first (featureCounts, salmon, STAR); import the table that comes of it";

/// Kinds that their first bytes tell beyond doubt.
const BINARY: &[Kind] = &[
    kind(
        |s, _| r_object(s),
        "an R object (.rds)",
        "in R: write.csv(as.matrix(readRDS(\"FILE\")), \"matrix.csv\"), with SummarizedExperiment::assay(…) or \
         Seurat::GetAssayData(…) in place of as.matrix(…) where it is one",
    ),
    kind(
        |s, _| matches!(s, [b'R', b'D', b'X' | b'A' | b'B', b'2' | b'3', b'\n', ..]),
        "R's workspace (.RData)",
        "in R: n <- load(\"FILE\"); write.csv(as.matrix(get(n[1])), \"matrix.csv\")",
    ),
    kind(
        |s, n| {
            s.starts_with(b"\xfd7zXZ\0")
                && (n.ends_with(".rds") || n.ends_with(".rda") || n.ends_with(".rdata"))
        },
        "an R object, packed with xz",
        "in R: write.csv(as.matrix(readRDS(\"FILE\")), \"matrix.csv\"); for .rda and .RData get(load(\"FILE\")[1])",
    ),
    kind(|s, _| s.starts_with(b"\xfd7zXZ\0"), "packed with xz", "unpack it: xz -dk FILE"),
    kind(|s, _| marked(s, b"LZIP"), "packed with lzip", "unpack it: lzip -dk FILE"),
    kind(|s, _| s.starts_with(b"\x04\x22\x4d\x18"), "packed with lz4", "unpack it: lz4 -d FILE"),
    kind(|s, _| s.starts_with(b"\x1f\x9d"), "packed with compress (.Z)", "unpack it: gzip -dk FILE"),
    kind(
        |s, _| s.starts_with(b"7z\xbc\xaf\x27\x1c"),
        "a 7z archive",
        "unpack it and import the matrix in it: 7z x FILE",
    ),
    kind(
        |s, _| s.starts_with(b"Rar!\x1a\x07"),
        "a RAR archive",
        "unpack it and import the matrix in it: unrar x FILE",
    ),
    kind(
        |s, _| s.get(257..262) == Some(b"ustar"),
        "a tar archive",
        "unpack it and import the matrix, or the folder of a 10x triple, in it: tar -xf FILE",
    ),
    kind(
        |s, _| {
            s.starts_with(b"[CEL]")
                || s.starts_with(b"\x40\0\0\0\x04\0\0\0")
                || s.starts_with(b"\x3b\x01\0\0\0")
        },
        "intensities of an Affymetrix array (CEL)",
        "probes have to be summarised first, in R: write.csv(Biobase::exprs(affy::justRMA(filenames = \"FILE\")), \
         \"matrix.csv\") (oligo::rma for newer arrays)",
    ),
    kind(
        |s, _| marked(s, b"IDAT"),
        "intensities of an Illumina array (IDAT)",
        "in R: write.csv(limma::read.idat(\"FILE\", \"ANNOTATION.bgx\")$E, \"matrix.csv\")",
    ),
    kind(|s, _| s.starts_with(b"BAM\x01") || marked(s, b"CRAM"), "aligned reads (BAM or CRAM)", QUANTIFY),
    kind(
        |s, _| {
            [b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26", b"\xeb\xf2\x89\x87", b"\x87\x89\xf2\xeb"]
                .iter()
                .any(|m| s.starts_with(*m))
        },
        "a genome track (bigWig or bigBed)",
        "it holds positions, not genes: sum it over genes first (bigWigAverageOverBed), then import the table",
    ),
    kind(|s, _| s.starts_with(b"BCF\x02"), "variants (BCF)", "it holds no expression values"),
    kind(
        |s, _| s.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") && utf16(s, "EncryptedPackage"),
        "a spreadsheet with a password",
        "open it, save it without the password as .xlsx or .csv",
    ),
    kind(
        |s, _| s.starts_with(b"MATLAB 5.0"),
        "a MATLAB file",
        "in Python: numpy.save(\"matrix.npy\", scipy.io.loadmat(\"FILE\")[\"NAME\"]), names by --genes and --samples",
    ),
    kind(
        |s, _| s.starts_with(b"$FL2") || s.starts_with(b"$FL3"),
        "an SPSS file (.sav)",
        "in Python: pandas.read_spss(\"FILE\").to_csv(\"matrix.csv\", index=False)",
    ),
    kind(
        |s, _| s.starts_with(b"<stata_dta>") || stata(s),
        "a Stata file (.dta)",
        "in Python: pandas.read_stata(\"FILE\").to_csv(\"matrix.csv\", index=False)",
    ),
    kind(
        |s, _| s.get(12..16) == Some(b"\xc2\xea\x81\x60") || s.starts_with(b"HEADER RECORD*******LIB"),
        "a SAS file",
        "in Python: pandas.read_sas(\"FILE\").to_csv(\"matrix.csv\", index=False)",
    ),
    kind(
        |s, _| s.starts_with(b"SQLite format 3\0"),
        "a SQLite data base",
        "sqlite3 -header -csv FILE 'select * from TABLE' > matrix.csv",
    ),
    kind(
        |s, _| s.starts_with(b"FEA1"),
        "a file of Feather 1",
        "in Python: pandas.read_feather(\"FILE\").to_parquet(\"matrix.parquet\")",
    ),
    kind(
        |s, _| s.starts_with(b"\xff\xff\xff\xff") && s.get(4..8).is_some_and(|n| n[2..] == [0, 0]),
        "a stream of Arrow",
        "in Python: pyarrow.feather.write_feather(pyarrow.ipc.open_stream(\"FILE\").read_all(), \"matrix.arrow\")",
    ),
    kind(
        |s, _| marked(s, b"ORC"),
        "an ORC file",
        "in Python: pandas.read_orc(\"FILE\").to_parquet(\"matrix.parquet\")",
    ),
    kind(
        |s, _| s.starts_with(b"Obj\x01"),
        "an Avro file",
        "in Python: polars.read_avro(\"FILE\").write_parquet(\"matrix.parquet\")",
    ),
    kind(
        |s, n| pickle(s) || (s.starts_with(b"\x80") && (n.ends_with(".pkl") || n.ends_with(".pickle"))),
        "a pickle of Python",
        "in Python: pandas.read_pickle(\"FILE\").to_parquet(\"matrix.parquet\")",
    ),
    kind(
        |s, _| matches!(s, [b'F', b'C', b'S', b'2' | b'3', b'.', ..]),
        "flow cytometry (FCS)",
        "in R: write.csv(flowCore::exprs(flowCore::read.FCS(\"FILE\")), \"matrix.csv\")",
    ),
    kind(
        |s, _| s.starts_with(b"%PDF-"),
        "a PDF",
        "take the table from the publisher's supplement as .xlsx or .csv",
    ),
    kind(
        |s, _| {
            [&b"\x89PNG"[..], b"\xff\xd8\xff", b"GIF89a", b"GIF87a", b"II*\0", b"MM\0*"]
                .iter()
                .any(|m| s.starts_with(m))
        },
        "a picture",
        "a matrix of numbers is needed",
    ),
    kind(|s, _| s.starts_with(b"{\\rtf"), "a text document (RTF)", "save the table as plain text (.csv)"),
];

/// Kinds of text, which an explicit `--format` overrules.
const TEXT: &[Kind] = &[
    kind(
        |s, _| {
            tag(s, "<!doctype html")
                || tag(s, "<html")
                || tag(s, "<head")
                || tag(s, "<body")
                || tag(s, "<table")
        },
        "a web page (HTML), not a table",
        "perhaps a page of login or error was saved in place of the data: download it again, or save the sheet as .csv",
    ),
    kind(
        |s, _| tag(s, "<?xml") && contains(s, "urn:schemas-microsoft-com:office:spreadsheet"),
        "a spreadsheet in XML (Excel 2003)",
        "open it, save it as .xlsx or .csv",
    ),
    kind(
        |s, _| tag(s, "<?xml") && contains(s, "MINiML"),
        "GEO's MINiML",
        "import the series matrix (GSE…_series_matrix.txt.gz) of the same series",
    ),
    kind(
        |s, _| tag(s, "<?xml"),
        "XML",
        "in Python: pandas.read_xml(\"FILE\").to_csv(\"matrix.csv\", index=False)",
    ),
    kind(|s, _| json(s), "JSON", "in Python: pandas.read_json(\"FILE\").to_csv(\"matrix.csv\")"),
    kind(
        |s, _| s.starts_with(b"^") && ["PLATFORM", "Annotation"].iter().any(|w| tag(&s[1..], w)),
        "a table of GEO about the probes of a platform, no matrix",
        "bring it beside one: --gene-labels FILE in import, --collapse-probes FILE in prepare",
    ),
    kind(
        |s, _| {
            s.starts_with(b"^") && ["DATABASE", "SAMPLE", "SERIES", "DATASET"].iter().any(|w| tag(&s[1..], w))
        },
        "GEO SOFT",
        "import the series matrix (GSE…_series_matrix.txt.gz) of the same series, or in R: \
         write.csv(Biobase::exprs(GEOquery::GDS2eSet(GEOquery::getGEO(filename = \"FILE\"))), \"matrix.csv\") for a GDS",
    ),
    kind(|s, _| tag(s, "##fileformat=vcf"), "variants (VCF)", "it holds no expression values"),
    kind(
        |s, _| tag(s, "##gff-version") || tag(s, "#gtf") || contains(&s[..s.len().min(2048)], "\tgene_id \""),
        "an annotation of genes (GTF or GFF)",
        "it holds no expression values",
    ),
    kind(
        |s, _| ["@HD\t", "@SQ\t", "@PG\t", "@CO\t"].iter().any(|w| s.starts_with(w.as_bytes())),
        "aligned reads (SAM)",
        QUANTIFY,
    ),
    kind(|s, _| fastq(s), "reads (FASTQ)", QUANTIFY),
    kind(|s, _| fasta(s), "sequences (FASTA)", "it holds no expression values"),
    kind(
        |s, _| tag(s, "version https://git-lfs.github.com/spec/"),
        "a pointer of Git LFS, not the data",
        "fetch them: git lfs pull",
    ),
    kind(
        |s, _| s.len() < 1024 && contains(s, "/annex/objects/"),
        "a pointer of git-annex, not the data",
        "fetch them: git annex get FILE",
    ),
];

/// What a file is that is not read, and what to do; `None` for all others. `told` says that a format was named.
pub(super) fn look(path: &Path, start: &[u8], told: bool) -> Option<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let lower = name.to_lowercase();
    let lower = super::PACKED.iter().find_map(|end| lower.strip_suffix(end)).unwrap_or(&lower);
    let text = if told { &[] } else { TEXT };
    let found = BINARY.iter().chain(text).find(|kind| (kind.is)(start, lower))?;
    Some(told_so(found.what, found.remedy, &name))
}

/// The line about a file called `name`.
fn told_so(what: &str, remedy: &str, name: &str) -> String {
    format!("is {what}, which is not read; {}", remedy.replace("FILE", name))
}

/// The same for a folder.
pub(super) fn folder(path: &Path) -> Option<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let there = |file: &str| path.join(file).exists();
    let (what, remedy) = if [".zgroup", ".zarray", ".zattrs", "zarr.json", ".zmetadata"]
        .iter()
        .any(|f| there(f))
    {
        ("a Zarr store", ZARR)
    } else if there("store.json") && (there("matrix.npy") || there("indptr.npy")) {
        return Some(
            "is a store of genelift already: the other commands take one as it is, also as the one file of `run`; `prepare` joins several"
                .into(),
        );
    } else if there("quant.sf") {
        (
            "a folder of salmon",
            "import the file quant.sf in it by way of tximport, or a table of many samples that it makes",
        )
    } else if there("abundance.tsv") || there("abundance.h5") {
        (
            "a folder of kallisto",
            "join the samples first, in R: write.csv(tximport::tximport(…)$abundance, \"matrix.csv\")",
        )
    } else if there("assays.h5") && there("se.rds") {
        (
            "a SummarizedExperiment saved by R",
            "in R: write.csv(as.matrix(SummarizedExperiment::assay(HDF5Array::loadHDF5SummarizedExperiment(\"FILE\"))), \
             \"matrix.csv\")",
        )
    } else {
        return None;
    };
    Some(told_so(what, remedy, &name))
}

/// How a Zarr store becomes a file that is read.
pub(super) const ZARR: &str = "in Python: anndata.read_zarr(\"FILE\").write_h5ad(\"matrix.h5ad\")";

/// A word that text could begin with too, and then a byte that text has not.
fn marked(start: &[u8], word: &[u8]) -> bool {
    start.strip_prefix(word).is_some_and(|rest| rest.first().is_some_and(|b| *b < 9))
}

/// R's serialisation: the letter of its form, a line break, the version 2 or 3 (R Internals, 1.8).
fn r_object(start: &[u8]) -> bool {
    start.starts_with(b"X\n\0\0\0\x02")
        || start.starts_with(b"X\n\0\0\0\x03")
        || start.starts_with(b"B\n\x02\0\0\0")
        || start.starts_with(b"B\n\x03\0\0\0")
        || start.starts_with(b"A\n2\n")
        || start.starts_with(b"A\n3\n")
}

/// Stata before 13: version, byte order, file type 1, a zero.
fn stata(start: &[u8]) -> bool {
    matches!(start, [0x69 | 0x6c | 0x6e | 0x71 | 0x72 | 0x73, 1 | 2, 1, 0, ..])
}

/// A pickle of protocol 2 to 5; from 4 on a frame follows.
fn pickle(start: &[u8]) -> bool {
    matches!(start, [0x80, 2 | 3, b'c' | b'}' | b']' | b'(', ..] | [0x80, 4 | 5, 0x95, ..])
}

/// Whether the text begins so, in any case, behind blanks.
fn tag(start: &[u8], word: &str) -> bool {
    let start = start.trim_ascii_start();
    start.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word.as_bytes()))
}

fn contains(start: &[u8], word: &str) -> bool {
    memchr::memmem::find(start, word.as_bytes()).is_some()
}

/// Whether UTF-16 text stands somewhere.
fn utf16(start: &[u8], word: &str) -> bool {
    let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
    memchr::memmem::find(start, &wide).is_some()
}

/// An object, or a list of lists, objects, numbers or strings.
fn json(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    let next =
        |text: &[u8]| text.get(1..).map(<[u8]>::trim_ascii_start).and_then(|rest| rest.first().copied());
    match text.first() {
        Some(b'{') => matches!(next(text), Some(b'"' | b'}')),
        Some(b'[') => {
            matches!(next(text), Some(b'{' | b'[' | b'"' | b']' | b'-' | b'0'..=b'9'))
                && !text.starts_with(b"[CEL]")
        }
        _ => false,
    }
}

/// Four lines a read: `@name`, bases, `+`, qualities.
fn fastq(start: &[u8]) -> bool {
    let mut lines = start.split(|b| *b == b'\n');
    let (name, bases, plus) = (lines.next(), lines.next(), lines.next());
    name.is_some_and(|l| l.starts_with(b"@"))
        && bases.is_some_and(sequence)
        && plus.is_some_and(|l| l.starts_with(b"+"))
}

/// A name behind `>`, then letters.
fn fasta(start: &[u8]) -> bool {
    let mut lines = start.split(|b| *b == b'\n');
    lines.next().is_some_and(|l| l.starts_with(b">")) && lines.next().is_some_and(sequence)
}

/// A line of bases or amino acids.
fn sequence(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    !line.is_empty() && line.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'*' | b'-' | b'.'))
}
