//! What the names of one side of a matrix speak for: genes or samples. `orientation.rs` weighs both sides.

use std::collections::HashSet;

use crate::genes::kind::{Kind, is_blank};
use crate::genes::{composite, known};

/// What speaks for a side, and how loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    pub weight: u32,
    pub reason: &'static str,
}

/// A form that nothing else has: ids of an authority, barcodes.
pub(super) const FORM: u32 = 8;
/// Names that are known, or words that say it.
pub(super) const KNOWN: u32 = 4;
/// The header above the row names: some write "gene" above samples, and Xena "sample" above genes.
pub(super) const HEADER: u32 = 2;
/// The look of names, which names of cell lines have, too.
pub(super) const LOOK: u32 = 1;

/// A test of one name, and what follows where most names pass it.
type Test = (fn(&str) -> bool, u32, &'static str);

const GENES: [Test; 8] = [
    (|id| Kind::Ensembl.has_form(id), FORM, "by Ensembl ids"),
    (|id| Kind::Probe.has_form(id), FORM, "by probe ids"),
    (|id| Kind::Refseq.has_form(id), FORM, "by RefSeq accessions"),
    (|id| Kind::Hgnc.has_form(id), FORM, "by HGNC ids"),
    (is_gene_accession, FORM, "by accessions of genes"),
    (composite::is_place, FORM, "by places in the genome"),
    (
        |id| numbered(id, &["gene", "genes", "feature", "probe", "transcript", "protein"]),
        KNOWN,
        "by names such as gene_1",
    ),
    (|id| numbered(id, &["g"]), LOOK, "by names such as g1"),
];

const SAMPLES: [Test; 6] = [
    (is_barcode, FORM, "by cell barcodes"),
    (|id| id.starts_with("TCGA-") || id.starts_with("TCGA."), FORM, "by TCGA barcodes"),
    (is_sample_accession, FORM, "by sample accessions"),
    (is_uuid, FORM, "by UUIDs, as the GDC names its samples"),
    (says_sample, KNOWN, "by names as samples have them"),
    (|id| numbered(id, &["p", "c", "d", "n", "t", "m", "pt", "r"]), LOOK, "by names such as P1"),
];

/// What speaks for these being genes.
pub(super) fn of_genes(ids: &[String]) -> Option<Evidence> {
    if let Some(found) = first(ids, &GENES[..6]) {
        return Some(found);
    }
    let some: Vec<String> = picked(ids).cloned().collect();
    if let Some(reason) = composite::form(&some) {
        return Some(Evidence { weight: FORM, reason });
    }
    let symbol = |id: &&String| known::is_known(id.split(['|', '_', '.', ' ']).next().unwrap_or_default());
    let known = ids.iter().filter(symbol).count();
    if known >= 3 && known * 1000 >= ids.len() || known > 0 && known * 2 > ids.len() {
        return Some(Evidence { weight: KNOWN, reason: "by gene symbols" });
    }
    let looks = || {
        look_like_symbols(&some)
            .then_some(Evidence { weight: LOOK, reason: "by names that look like gene symbols" })
    };
    first(ids, &GENES[6..]).or_else(looks)
}

/// What speaks for these being samples.
pub(super) fn of_samples(ids: &[String]) -> Option<Evidence> {
    first(ids, &SAMPLES)
}

/// What the header above the row names says of the rows: whether they are genes.
pub(super) fn of_corner(corner: &str) -> Option<(bool, Evidence)> {
    let corner = corner.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| corner.contains(word));
    let evidence = Evidence { weight: HEADER, reason: "by the header above the row names" };
    if says(&["gene", "probe", "symbol", "ensembl", "entrez", "hugo", "transcript", "id_ref", "feature"]) {
        return Some((true, evidence));
    }
    let samples = says(&[
        "sample",
        "patient",
        "case",
        "barcode",
        "cell",
        "subject",
        "donor",
        "individual",
        "depmap",
        "modelid",
    ]);
    samples.then_some((false, evidence))
}

/// The first of the tests that most names pass.
fn first(ids: &[String], tests: &[Test]) -> Option<Evidence> {
    let passed = tests.iter().find(|(test, _, _)| most(ids, test));
    passed.map(|(_, weight, reason)| Evidence { weight: *weight, reason })
}

/// At most about a thousand ids, spread evenly.
fn picked(ids: &[String]) -> impl Iterator<Item = &String> {
    ids.iter().step_by(ids.len() / 1000 + 1)
}

fn most(ids: &[String], matches: impl Fn(&str) -> bool) -> bool {
    let total = picked(ids).count();
    total > 0 && picked(ids).filter(|id| matches(id)).count() * 2 > total
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a name is one of the words and a number, with or without a mark between.
fn numbered(id: &str, words: &[&str]) -> bool {
    let stem = id.trim_end_matches(|c: char| c.is_ascii_digit());
    let word = stem.trim_end_matches(['_', '-', '.', ' ', '#', ':']).to_ascii_lowercase();
    stem.len() < id.len() && words.contains(&word.as_str())
}

/// `XLOC_000001`, `MSTRG.12`, `MGI:98834`, `HGNC_5`, `AT1G01010.1`, `hsa-mir-21`, `ERCC-00002`, `LOC100130426`.
fn is_gene_accession(id: &str) -> bool {
    let lower = id.to_ascii_lowercase();
    let after = [
        "xloc_", "tcons_", "mstrg.", "mgi:", "rgd:", "hgnc_", "ilmn_", "ercc-", "mimat", "linc", "fbtr",
        "loc",
    ];
    let after = after.iter().find_map(|start| lower.strip_prefix(start));
    let locus = lower.strip_prefix("at").map(str::as_bytes);
    let locus = locus.is_some_and(|b| b.len() >= 7 && b[1] == b'g' && b[2..7].iter().all(u8::is_ascii_digit));
    let small =
        ["-mir-", "-let-"].iter().any(|word| lower.get(3..).is_some_and(|rest| rest.starts_with(word)));
    after.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) || locus || small
}

/// `GSM100`, `SRR1234`, `ACH-000001`, `GTEX-1117F-0226`, `NA12878`.
fn is_sample_accession(id: &str) -> bool {
    const STARTS: [&str; 23] = [
        "GSM", "SRR", "ERR", "DRR", "SRX", "ERX", "DRX", "SRS", "ERS", "DRS", "SAMN", "SAMEA", "SAMD",
        "ACH-", "SIDM", "CDS-", "ENCSR", "ENCFF", "ENCLB", "EGAN", "EGAF", "PR-", "TARGET-",
    ];
    let number = STARTS.iter().find_map(|start| id.strip_prefix(start));
    let accession = number.is_some_and(|n| n.bytes().any(|b| b.is_ascii_digit()) && !n.starts_with('_'));
    let gtex = ["GTEX-", "GTEX."].iter().any(|start| id.starts_with(start));
    let genomes = ["HG", "NA"].iter().find_map(|start| id.strip_prefix(start));
    accession || gtex || genomes.is_some_and(|n| n.len() == 5 && digits(n))
}

/// `AAACCTGAGAAACCAT-1`, `sample_AAACCTGAGAAACCAT-1`, `S1:AAACCTGAGAAACCATx`: a run of twelve bases or more on its own.
fn is_barcode(id: &str) -> bool {
    let base = |c: char| matches!(c, 'A' | 'C' | 'G' | 'T' | 'N');
    id.split(|c: char| !c.is_ascii_alphanumeric())
        .map(|piece| piece.strip_suffix('x').unwrap_or(piece))
        .any(|piece| piece.len() >= 12 && piece.chars().all(base))
}

fn is_uuid(id: &str) -> bool {
    let pieces: Vec<&str> = id.split('-').collect();
    let hex = |piece: &&str| piece.bytes().all(|b| b.is_ascii_hexdigit());
    pieces.iter().map(|p| p.len()).eq([8, 4, 4, 4, 12]) && pieces.iter().all(hex)
}

/// `sample_1`, `S12`, `patient-3`, `Control 2`, `brain_rep1`: a word for a sample among letters, and a number or another word.
fn says_sample(id: &str) -> bool {
    const WORDS: [&str; 34] = [
        "sample",
        "samples",
        "patient",
        "subject",
        "donor",
        "individual",
        "case",
        "cell",
        "control",
        "ctrl",
        "treated",
        "treatment",
        "untreated",
        "tumor",
        "tumour",
        "normal",
        "rep",
        "replicate",
        "biorep",
        "wt",
        "ko",
        "mock",
        "vehicle",
        "dmso",
        "pdx",
        "biopsy",
        "spot",
        "well",
        "array",
        "mouse",
        "rat",
        "person",
        "participant",
        "placebo",
    ];
    let lower = id.to_ascii_lowercase();
    let words = || lower.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let alone = words().count() == 1 && !id.contains(|c: char| c.is_ascii_digit());
    numbered(id, &["s"]) || !alone && words().any(|word| WORDS.contains(&word))
}

/// Words of the form of symbols, which differ in more than a number; most with a digit in them, as in every species.
fn look_like_symbols(ids: &[String]) -> bool {
    let looks = |id: &&String| {
        let first = id.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        first && (2..=14).contains(&id.len()) && Kind::of(id) == Some(Kind::Symbol) && !id.contains('_')
    };
    let looking: Vec<&String> = ids.iter().filter(looks).collect();
    let stems: HashSet<&str> =
        looking.iter().map(|id| id.trim_end_matches(|c: char| c.is_ascii_digit())).collect();
    let named = ids.iter().filter(|id| !is_blank(id)).count();
    let with_digit = looking.iter().filter(|id| id.contains(|c: char| c.is_ascii_digit())).count();
    looking.len() > 2
        && looking.len() * 10 >= named * 9
        && stems.len() * 10 >= looking.len() * 6
        && with_digit * 2 > looking.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.split(", ").map(str::to_string).collect()
    }

    #[test]
    fn names_of_genes_speak_for_genes() {
        for (weight, names) in [
            (FORM, "ENSG00000141510, ENSG00000146648.12, ENSMUSG00000059552"),
            (FORM, "ENST00000269305.9, ENST00000275493.7"),
            (FORM, "1007_s_at, 1053_at, 117_at, AFFX-BioB-3_at"),
            (FORM, "ILMN_1762000, ILMN_1762007"),
            (FORM, "NM_000546.6, NR_046018, XM_011523456"),
            (FORM, "HGNC:5, HGNC:7"),
            (FORM, "XLOC_000001, XLOC_000002"),
            (FORM, "chr1_100, chr2_200, chrX:5-7"),
            (FORM, "A1BG|1, ?|100130426, TP53|7157"),
            (FORM, "ESR1_2099, FOXA1_3169, MLPH_79083"),
            (FORM, "TP53 (7157), MYC (4609), XYZ (55)"),
            (FORM, "ENSG00000141510.12|TP53, ENSG00000136997|MYC"),
            (KNOWN, "ACTB, GAPDH, TP53, XYZ"),
            (KNOWN, "Actb, Gapdh, Trp53, Xyz"),
            (KNOWN, "actb, gapdh, tp53, sox2, xyz"),
            (KNOWN, "gene_1, gene_2, gene_3"),
            (LOOK, "Rp1, Sox17, Mrpl15, Lypla1, Tcea1, Rgs20, Atp6v1h"),
        ] {
            assert_eq!(of_genes(&ids(names)).map(|e| e.weight), Some(weight), "{names}");
            assert_eq!(of_samples(&ids(names)), None, "{names}");
        }
    }

    #[test]
    fn names_of_samples_speak_for_samples() {
        for (weight, names) in [
            (FORM, "AAACCTGAGAAACCAT-1, AAACCTGAGAAACCGC-1"),
            (FORM, "s1_AAACCTGAGAAACCAT-1, s2_AAACCTGAGAAACCGC-12"),
            (FORM, "run:AAACCTGAGAAACCATx, run:AAACCTGAGAAACCGCx"),
            (FORM, "AAACCTGAGAAA, AAACCTGAGAAC"),
            (FORM, "TCGA-3C-AAAU, TCGA-3C-AALI"),
            (FORM, "TCGA.3C.AAAU.01A, TCGA.3C.AALI.01A"),
            (FORM, "GSM100, GSM101, GSM102_tumor"),
            (FORM, "SRR1039508, SRR1039509"),
            (FORM, "ACH-000001, ACH-000002"),
            (FORM, "GTEX-1117F-0226-SM-5GZZ7, GTEX-111CU"),
            (FORM, "0a1b2c3d-0000-4aaa-8bbb-0123456789ab"),
            (KNOWN, "sample_1, sample_2"),
            (KNOWN, "S1, S2, S3"),
            (KNOWN, "ctrl_rep1, ctrl_rep2, ko_rep1"),
            (KNOWN, "Patient 1, Patient 2"),
            (LOOK, "P1, P2, P3"),
        ] {
            assert_eq!(of_samples(&ids(names)).map(|e| e.weight), Some(weight), "{names}");
            assert_eq!(of_genes(&ids(names)), None, "{names}");
        }
    }

    #[test]
    fn other_names_speak_for_nothing() {
        for names in [
            "a, b, c",
            "1, 2, 3",
            "V1, V2, V3",
            "x1, x2",
            ", , ",
            "µ, é, ß",
            "0, 1, 2, 4, 8",
            "Alice, Bob, Carol",
        ] {
            assert_eq!((of_genes(&ids(names)), of_samples(&ids(names))), (None, None), "{names}");
        }
        assert_eq!((of_genes(&[]), of_samples(&[])), (None, None));
    }
}
