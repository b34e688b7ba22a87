//! Which side of a file holds the genes.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::MatrixFile;

/// How a matrix lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// The format, else the names, else the header, else the longer side (genes) decide.
    #[default]
    Auto,
    /// One row a sample.
    SamplesByGenes,
    /// One row a gene.
    GenesBySamples,
}

/// What the rows of the blocks of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Samples,
    Genes,
}

/// The last resort's reason.
pub(super) const LONGER: &str = "nothing in the names tells, so the longer side is taken for the genes";

impl Rows {
    /// Genes are more than samples, mostly.
    pub fn longer_side(rows: usize, columns: usize) -> Rows {
        if rows > columns { Rows::Genes } else { Rows::Samples }
    }

    /// `"samples"` or `"genes"`.
    pub fn word(self) -> &'static str {
        match self {
            Rows::Samples => "samples",
            Rows::Genes => "genes",
        }
    }
}

/// What the rows are and why, from the row names known so far; `None` where only the lengths could tell.
pub(super) fn decide(file: &MatrixFile, rows: &[String], told: Orientation) -> Option<(Rows, &'static str)> {
    let (orientation, reason) = match (told, file.natural) {
        (Orientation::Auto, None) => return by_names(rows, &file.columns.ids, &file.corner),
        (Orientation::Auto, Some(natural)) => (natural, file.reason.unwrap_or("by the format's definition")),
        (told, _) => (told, "as told"),
    };
    let by_rows = (orientation == Orientation::SamplesByGenes) != file.transposed;
    Some((if by_rows { Rows::Samples } else { Rows::Genes }, reason))
}

fn by_names(rows: &[String], columns: &[String], corner: &str) -> Option<(Rows, &'static str)> {
    match (gene_names(rows), gene_names(columns)) {
        (Some(reason), None) => return Some((Rows::Genes, reason)),
        (None, Some(reason)) => return Some((Rows::Samples, reason)),
        _ => {}
    }
    match (sample_names(rows), sample_names(columns)) {
        (Some(reason), None) => return Some((Rows::Samples, reason)),
        (None, Some(reason)) => return Some((Rows::Genes, reason)),
        _ => {}
    }
    let corner = corner.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| corner.contains(word));
    if says(&["gene", "probe", "symbol", "ensembl", "entrez", "hugo", "transcript", "id_ref"]) {
        return Some((Rows::Genes, "by the header above the row names"));
    }
    if says(&["sample", "patient", "case", "barcode", "cell", "subject", "donor", "individual"]) {
        return Some((Rows::Samples, "by the header above the row names"));
    }
    None
}

/// The most telling symbols: expressed everywhere, or in every panel.
const SYMBOLS: [&str; 32] = [
    "ACTB", "GAPDH", "TP53", "EGFR", "MYC", "ESR1", "ERBB2", "BRCA1", "BRCA2", "PTEN", "KRAS", "MKI67",
    "CDK4", "CCND1", "VIM", "CDH1", "FOXA1", "GATA3", "HPRT1", "TBP", "B2M", "RPLP0", "UBC", "PPIA", "STAT1",
    "STAT3", "CD4", "CD8A", "PTPRC", "TOP2A", "AURKA", "NRAS",
];

/// Why these look like names of genes or probes.
fn gene_names(ids: &[String]) -> Option<&'static str> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let ensembl = |id: &str| {
        let id = id.split('.').next().unwrap_or_default();
        let number = id.trim_start_matches(|c: char| c.is_ascii_uppercase());
        id.starts_with("ENS") && number.len() == 11 && digits(number)
    };
    if most(ids, ensembl) {
        return Some("by Ensembl ids");
    }
    if most(ids, |id| id.ends_with("_at") || id.strip_prefix("ILMN_").is_some_and(digits)) {
        return Some("by probe ids");
    }
    if most(ids, |id| id.rsplit_once('|').is_some_and(|(_, entrez)| digits(entrez))) {
        return Some("by names of the form SYMBOL|ENTREZ");
    }
    // "sample_1", "sample_2", … have the form too, but one prefix.
    let prefixes: HashSet<_> =
        picked(ids).filter_map(|id| id.rsplit_once('_')).map(|(symbol, _)| symbol).collect();
    let distinct = prefixes.len() * 10 >= picked(ids).count() * 8;
    if distinct && prefixes.len() > 2 && most(ids, |id| id.rsplit_once('_').is_some_and(|(_, n)| digits(n))) {
        return Some("by names of the form SYMBOL_ENTREZ");
    }
    let known = |id: &&String| SYMBOLS.contains(&id.split(['|', '_', '.']).next().unwrap_or_default());
    (ids.iter().filter(known).count() >= 3).then_some("by gene symbols")
}

/// Why these look like names of samples.
fn sample_names(ids: &[String]) -> Option<&'static str> {
    if most(ids, |id| id.starts_with("TCGA-") || id.starts_with("TCGA.")) {
        return Some("by TCGA barcodes");
    }
    let accession = |id: &str| {
        let number =
            ["GSM", "SRR", "ERR", "DRR", "SAMN", "SAMEA", "GTEX-"].iter().find_map(|p| id.strip_prefix(p));
        number.is_some_and(|n| n.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    most(ids, accession).then_some("by sample accessions")
}

/// At most about a thousand ids, spread evenly.
fn picked(ids: &[String]) -> impl Iterator<Item = &String> {
    ids.iter().step_by(ids.len() / 1000 + 1)
}

fn most(ids: &[String], matches: impl Fn(&str) -> bool) -> bool {
    let total = picked(ids).count();
    total > 0 && picked(ids).filter(|id| matches(id)).count() * 2 > total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_genes_from_samples() {
        let ids = |text: &str| text.split(' ').map(str::to_string).collect::<Vec<_>>();
        let samples = ids("sample_1 sample_2 sample_3 sample_4");
        for genes in [
            "ENSG00000141510 ENSG00000146648.12 ENSMUSG00000059552",
            "1007_s_at 1053_at 117_at AFFX-BioB-3_at",
            "A1BG|1 ?|100130426 TP53|7157",
            "ESR1_2099 FOXA1_3169 MLPH_79083",
            "ACTB GAPDH TP53 XYZ",
        ] {
            let (rows, reason) = by_names(&ids(genes), &samples, "").expect(genes);
            assert_eq!(rows, Rows::Genes, "{reason}");
            let (rows, reason) = by_names(&samples, &ids(genes), "Gene").expect(genes);
            assert_eq!(rows, Rows::Samples, "{reason}");
        }
        let barcodes = ids("TCGA-3C-AAAU TCGA-3C-AALI");
        assert_eq!(by_names(&barcodes, &ids("a b c"), "").expect("told").0, Rows::Samples);
        assert_eq!(by_names(&ids("a b c"), &barcodes, "").expect("told").0, Rows::Genes);
        assert_eq!(by_names(&ids("a b"), &ids("c d"), "Patient ID").expect("told").0, Rows::Samples);
        assert_eq!(by_names(&ids("a b"), &ids("c d"), "gene_name").expect("told").0, Rows::Genes);
        assert_eq!(by_names(&ids("a b"), &ids("c d"), "id"), None);
        assert_eq!(by_names(&[], &[], ""), None);
    }
}
