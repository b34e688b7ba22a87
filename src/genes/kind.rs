//! What a name of a gene is: an id of which authority, a symbol, a probe of an array, or a number that somebody made up.
//! Names are told by their form, columns by their header where it is known.

use std::collections::HashSet;

use serde::de::IntoDeserializer;
use serde::de::value::{Error as Unknown, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::dates::is_date;
use super::titles::HEADERS;

/// A kind of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The table's own id, to the letter, whatever kind it is of
    Id,
    /// Ensembl's stable ids, of any species, with or without a version
    Ensembl,
    /// NCBI's gene ids: whole numbers
    Entrez,
    /// Symbols, of people or of mice
    Symbol,
    /// Probes of Affymetrix, Illumina, Agilent arrays
    Probe,
    /// RefSeq accessions
    Refseq,
    /// HGNC:1234
    Hgnc,
    /// Numbers that somebody gave: gene_17, V12, X3. They are a name in one file and in those made from it
    MadeUp,
}

/// Makers of arrays, with whose names biomaRt's columns of probes begin.
const MAKERS: [&str; 5] = ["affy", "illumina", "agilent", "codelink", "phalanx"];

/// What stands before the number in names that programs make up.
const MADE_UP: [&str; 17] = [
    "gene", "genes", "g", "v", "x", "var", "variable", "feature", "feat", "col", "column", "row", "unnamed",
    "item", "name", "gene_id", "unknown",
];

/// A share of names is most of them from nine tenths on.
const MOST: (usize, usize) = (9, 10);

impl Kind {
    /// The kind that a user calls so, in any case.
    pub fn of_word(word: &str) -> Option<Kind> {
        let word = word.to_lowercase();
        let deserializer: StrDeserializer<Unknown> = word.as_str().into_deserializer();
        Kind::deserialize(deserializer).ok().filter(|kind| *kind != Kind::MadeUp)
    }

    /// The kind that a column's header tells, in any case and with any punctuation; [`Kind::Id`] for headers that say
    /// genes without saying of which kind (`gene_id`, `Gene`, `ID`).
    pub fn of_header(header: &str) -> Option<Kind> {
        let plain = plain(header);
        let known = |names: &[&str]| names.contains(&plain.as_str());
        let kind = HEADERS.iter().find(|(_, names)| known(names)).map(|(kind, _)| *kind);
        let maker = MAKERS.iter().any(|maker| plain.starts_with(maker) && plain.len() > maker.len());
        kind.or(maker.then_some(Kind::Probe))
    }

    /// How sure a header of its kind is: 0 is the surest; to choose among several columns of one kind.
    pub fn rank_of_header(header: &str) -> usize {
        let plain = plain(header);
        let places = HEADERS.iter().filter_map(|(_, names)| names.iter().position(|name| *name == plain));
        places.min().unwrap_or(usize::MAX)
    }

    /// The one kind that a name has the form of; `None` for what is no name of a gene, such as a sentence.
    pub fn of(name: &str) -> Option<Kind> {
        [Kind::Ensembl, Kind::Refseq, Kind::Hgnc, Kind::Probe, Kind::Entrez, Kind::MadeUp, Kind::Symbol]
            .into_iter()
            .find(|kind| kind.has_form(name))
    }

    /// The kind that most of the names are of, blank ones aside; [`Kind::Id`] where they are of no kind or of several.
    /// Names that count up from 0 or 1 behind one beginning are made up.
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str> + Clone) -> Kind {
        if are_made_up(names.clone()) {
            return Kind::MadeUp;
        }
        let names = || names.clone().into_iter().filter(|name| !is_blank(name));
        let all = names().count();
        [Kind::Ensembl, Kind::Refseq, Kind::Hgnc, Kind::Probe, Kind::Entrez, Kind::MadeUp, Kind::Symbol]
            .into_iter()
            .find(|kind| {
                all > 0 && is_most(names().filter(|name| Kind::of(name) == Some(*kind)).count(), all)
            })
            .unwrap_or(Kind::Id)
    }

    /// The kind of a column: what its header tells, else what its names look like.
    pub fn of_column<'a>(header: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> Option<Kind> {
        match Kind::of_header(header) {
            Some(Kind::Id) => Some(Kind::of_names(names)),
            told => told,
        }
    }

    /// Whether a name could be of this kind.
    pub fn has_form(self, name: &str) -> bool {
        match self {
            Kind::Id => !is_blank(name),
            Kind::Ensembl => is_ensembl(name),
            Kind::Entrez => is_entrez(name),
            Kind::Symbol => is_symbol(name),
            Kind::Probe => is_probe(name),
            Kind::Refseq => is_refseq(name),
            Kind::Hgnc => prefixed(name, &["HGNC:"]).is_some_and(digits),
            Kind::MadeUp => is_made_up(name),
        }
    }

    /// For messages: "Ensembl id".
    pub fn word(self) -> &'static str {
        match self {
            Kind::Id => "id",
            Kind::Ensembl => "Ensembl id",
            Kind::Entrez => "Entrez id",
            Kind::Symbol => "symbol",
            Kind::Probe => "probe",
            Kind::Refseq => "RefSeq accession",
            Kind::Hgnc => "HGNC id",
            Kind::MadeUp => "made-up name",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Lower case, letters and digits alone.
fn plain(header: &str) -> String {
    header.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_most(part: usize, all: usize) -> bool {
    part * MOST.1 >= all * MOST.0
}

pub(super) fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// What follows one of the prefixes, in any case.
fn prefixed<'a>(name: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    let begins =
        |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    prefixes.iter().find(|prefix| begins(prefix)).map(|prefix| &name[prefix.len()..])
}

/// What tables write where a gene has no name: nothing, `NA`, `---`, `?`, …
pub fn is_blank(name: &str) -> bool {
    let name = name.trim();
    let words = ["na", "n/a", "#n/a", "nan", "null", "none", "<na>", "unmapped"];
    name.chars().all(|c| matches!(c, '-' | '?' | '.' | '/' | '_'))
        || words.contains(&name.to_ascii_lowercase().as_str())
}

/// `ENSG00000141510`, `ENSMUSG00000059552.14`, `ENSG00000182378.14_PAR_Y`, `FBgn0000490`, `WBGene00006763`.
pub fn is_ensembl(name: &str) -> bool {
    let (stable, _, _) = ensembl_parts(name);
    let fly_or_worm = prefixed(stable, &["FBgn"]).is_some_and(|n| n.len() == 7 && digits(n))
        || prefixed(stable, &["WBGene"]).is_some_and(|n| n.len() == 8 && digits(n));
    let number = stable.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let letters = &stable[..stable.len() - number.len()];
    let authority = prefixed(letters, &["ENS"]).is_some_and(|rest| !rest.is_empty() && rest.len() <= 8);
    fly_or_worm || authority && digits(number) && (10..=11).contains(&number.len())
}

/// The id, the version and what GENCODE adds for the copy on Y.
fn ensembl_parts(name: &str) -> (&str, Option<&str>, &str) {
    let end = name.find("_PAR_").unwrap_or(name.len());
    let (id, copy) = name.split_at(end);
    match id.rsplit_once('.') {
        Some((stable, version)) if digits(version) => (stable, Some(version), copy),
        _ => (id, None, copy),
    }
}

/// An Ensembl id without its version, `ENSG00000141510` for `ENSG00000141510.18`; the copies of one gene on X and Y stay
/// two. Other names are handed back as they are.
pub fn without_version(name: &str) -> String {
    if !is_ensembl(name) {
        return name.to_string();
    }
    let (stable, _, copy) = ensembl_parts(name);
    format!("{stable}{copy}")
}

/// A number of one to nine digits without leading zeros.
pub fn is_entrez(name: &str) -> bool {
    digits(name) && name.len() <= 9 && !name.starts_with('0')
}

/// `1007_s_at`, `ILMN_1762000`, `A_23_P100001`, `cg00000029`, `AFFX-BioB-5_at`, `TC01000001.hg.1`.
pub fn is_probe(name: &str) -> bool {
    let agilent = prefixed(name, &["A_"]).and_then(|rest| rest.split_once("_P"));
    let agilent = agilent
        .is_some_and(|(array, probe)| digits(array) && probe.starts_with(|c: char| c.is_ascii_digit()));
    let affymetrix = name.ends_with("_at") || name.ends_with("_st") || name.starts_with("AFFX");
    let methylation = ["cg", "ch.", "rs"].iter().find_map(|start| name.strip_prefix(start));
    let methylation =
        methylation.is_some_and(|n| n.len() >= 6 && n.starts_with(|c: char| c.is_ascii_digit()));
    let cluster = name.strip_prefix("TC").and_then(|rest| rest.split_once('.'));
    let cluster = cluster.is_some_and(|(number, rest)| digits(number) && rest.starts_with(['h', 'm', 'r']));
    let numbered =
        prefixed(name, &["ILMN_", "GE", "PH_hs_", "PH_mm_"]).is_some_and(|n| digits(n) && n.len() >= 4);
    agilent || affymetrix || methylation || cluster || numbered
}

/// Whether two probes have the form of one maker's arrays.
pub fn same_maker(a: &str, b: &str) -> bool {
    let maker = |name: &str| match name.ends_with("_at") || name.ends_with("_st") {
        true => "affymetrix".to_string(),
        false => name.chars().take_while(|c| !c.is_ascii_digit()).collect(),
    };
    maker(a) == maker(b)
}

/// `NM_000546.6`, `NR_046018`, `XM_011523456`, `XR_…`.
pub fn is_refseq(name: &str) -> bool {
    let number = prefixed(name, &["NM_", "NR_", "XM_", "XR_", "NP_", "XP_", "NG_"]);
    let number =
        number.map(|n| n.split_once('.').map_or(n, |(n, version)| if digits(version) { n } else { "" }));
    number.is_some_and(|n| digits(n) && n.len() >= 5)
}

/// A word of letters, digits and the marks that occur in symbols, with a letter, and of no other kind: `TP53`, `Trp53`,
/// `HLA-A`, `C1orf112`, `1700001C02Rik`.
pub fn is_symbol(name: &str) -> bool {
    let fits = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '/' | '(' | ')' | '\'' | ':' | '*')
    };
    let other = [Kind::Ensembl, Kind::Refseq, Kind::Hgnc, Kind::Probe, Kind::MadeUp];
    !is_blank(name)
        && name.len() <= 30
        && name.chars().all(fits)
        && name.contains(|c: char| c.is_ascii_alphabetic())
        && !other.iter().any(|kind| kind.has_form(name))
        && !is_date(name)
}

/// `gene_17`, `V12`, `X3`, `Unnamed: 4`: a beginning that programs use, then a number.
pub fn is_made_up(name: &str) -> bool {
    stem_and_number(name).is_some_and(|(stem, _)| {
        let stem = stem.trim_end_matches(['_', '-', '.', ' ', ':']).to_ascii_lowercase();
        MADE_UP.contains(&stem.as_str())
    })
}

/// Whether names are made up as a whole: each has the form, or they are one beginning and the numbers from 0 or 1 on.
/// Ids of the known authorities never are.
pub fn are_made_up<'a>(names: impl IntoIterator<Item = &'a str> + Clone) -> bool {
    let names = || names.clone().into_iter();
    let all = names().count();
    if all > 0 && is_most(names().filter(|name| is_made_up(name)).count(), all) {
        return true;
    }
    let authority = [Kind::Ensembl, Kind::Refseq, Kind::Hgnc];
    if names().take(1).any(|name| authority.iter().any(|kind| kind.has_form(name))) {
        return false;
    }
    let parts: Vec<(&str, u64)> = names().filter_map(stem_and_number).collect();
    let numbers: HashSet<u64> = parts.iter().map(|(_, number)| *number).collect();
    let one_stem = parts.len() == all && parts.iter().all(|(stem, _)| *stem == parts[0].0);
    let first = numbers.iter().min().copied().unwrap_or(u64::MAX);
    all > 2
        && one_stem
        && numbers.len() == all
        && first <= 1
        && numbers.iter().max() == Some(&(first + all as u64 - 1))
}

/// What stands before the digits that a name ends with, and their number.
fn stem_and_number(name: &str) -> Option<(&str, u64)> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((stem, name[stem.len()..].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_their_form() {
        for (kind, names) in [
            (
                Kind::Ensembl,
                "ENSG00000141510 ENSMUSG00000059552.14 ENSG00000182378.14_PAR_Y FBgn0000490 WBGene00006763.1 ENSDARG00000035559 ENSGR0000182378",
            ),
            (Kind::Entrez, "7157 1 100130426"),
            (
                Kind::Symbol,
                "TP53 Trp53 HLA-A C1orf112 1700001C02Rik NKX2-1 MT-CO1 AC004556.1 H19 C3 F2 T SEPT2 MARCH1 DEC1 7SK",
            ),
            (
                Kind::Probe,
                "1007_s_at 48612_at AFFX-BioB-5_at ILMN_1762000 A_23_P100001 A_33_P3258977 cg00000029 TC01000001.hg.1 11715100_s_at",
            ),
            (Kind::Refseq, "NM_000546.6 NR_046018 XM_011523456 XR_001234"),
            (Kind::Hgnc, "HGNC:11998 hgnc:5"),
            (Kind::MadeUp, "gene_17 gene17 V12 X3 g_1 feature-4 GENE.2 col_0"),
        ] {
            for name in names.split(' ') {
                assert_eq!(Kind::of(name), Some(kind), "{name}");
            }
        }
        for name in ["", "NA", "---", "tumor protein p53", "0", "-3", "1.5", "2-Sep", "Sep-02"] {
            assert_eq!(Kind::of(name), None, "{name:?}");
        }
    }

    #[test]
    fn versions_come_off_and_copies_stay_two() {
        assert_eq!(without_version("ENSG00000141510.18"), "ENSG00000141510");
        assert_eq!(without_version("ENSG00000182378.14_PAR_Y"), "ENSG00000182378_PAR_Y");
        assert_eq!(without_version("AC004556.1"), "AC004556.1");
    }

    #[test]
    fn headers_are_known_in_any_spelling() {
        for (kind, headers) in [
            (
                Kind::Symbol,
                "symbol gene_symbol Gene.Symbol hgnc_symbol Hugo_Symbol SYMBOL pr_gene_symbol external_gene_name Gene-Name ILMN_Gene",
            ),
            (
                Kind::Entrez,
                "entrez ENTREZID Entrez_Gene_Id entrezgene_id ENTREZ_GENE_ID pr_gene_id NCBI.gene.ID EntrezGeneID",
            ),
            (Kind::Ensembl, "ENSEMBL ensembl_gene_id Ensembl_ID ensembl_gene_id_version Gene.stable.ID"),
            (
                Kind::Probe,
                "probe ID_REF probe_id PROBEID ILMN Probe.Set.ID affy_hg_u133a illumina_humanht_12_v4",
            ),
            (Kind::Refseq, "refseq RefSeq_mRNA"),
            (Kind::Hgnc, "hgnc_id HGNC.ID"),
            (Kind::Id, "gene_id id ID Gene GENEID rid feature_id"),
        ] {
            for header in headers.split(' ') {
                // entrezgene_id and its like are known without the punctuation, too
                assert_eq!(Kind::of_header(header), Some(kind), "{header}");
                assert_eq!(Kind::of_header(&header.replace(['.', '_'], " ")), Some(kind), "{header}");
            }
        }
        for header in ["rank", "score", "tissue", "affy", "p_value", "", "symbolic"] {
            assert_eq!(Kind::of_header(header), None, "{header}");
        }
        assert!(Kind::rank_of_header("symbol") < Kind::rank_of_header("Gene Name"));
    }

    #[test]
    fn sets_of_names_have_a_kind() {
        let kind = |names: &str| Kind::of_names(names.split(' '));
        assert_eq!(kind("TP53 MYC NA ESR1"), Kind::Symbol);
        assert_eq!(kind("2099 4609 7157"), Kind::Entrez);
        assert_eq!(kind("1 2 3 4"), Kind::MadeUp);
        assert_eq!(kind("XLOC_000001 XLOC_000003 XLOC_000002"), Kind::MadeUp);
        assert_eq!(kind("p1 p0 p2 p3"), Kind::MadeUp);
        assert_eq!(kind("ESR1_2099 MYC_4609 TP53_7157"), Kind::Symbol);
        assert_eq!(kind("TP53 7157 1007_s_at"), Kind::Id);
        assert_eq!(kind("NA"), Kind::Id);
        assert_eq!(Kind::of_column("gene_ids", ["ENSG00000141510"]), Some(Kind::Ensembl));
        assert_eq!(Kind::of_column("score", ["1"]), None);
    }
}
