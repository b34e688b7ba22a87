//! Names that hold several ids of one gene: `TP53_7157`, `TP53|7157`, `TP53 (7157)`, `ENSG00000141510.12|TP53`. A number
//! is an Entrez id only where the list as a whole says so: accessions (`ILMN_1762000`), places (`chr1_100`) and names that
//! somebody numbered have the same form.

use std::collections::{HashMap, HashSet};

use super::kind::{Kind, is_blank};
use super::known;

/// What the parts of a name tell; blank where they do not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// The symbol.
    pub symbol: String,
    /// The Entrez id.
    pub entrez: String,
    /// The Ensembl id, with its version if there is one.
    pub ensembl: String,
}

/// What most of these names tell, each by its parts; `None` where they are not of such a form.
pub fn split(names: &[String]) -> Option<Vec<Parts>> {
    let mut parts = most(names)?;
    let told: Vec<&Parts> = parts.iter().flatten().collect();
    let numbered: Vec<&Parts> = told.iter().copied().filter(|parts| !parts.entrez.is_empty()).collect();
    if numbered.len() * 2 > told.len() {
        if !look_like_symbols(&numbered) || !look_like_entrez(&numbered) {
            return None;
        }
        if contradicted(&numbered) {
            parts.iter_mut().flatten().for_each(|parts| parts.entrez.clear());
        }
    } else if told.iter().all(|parts| parts.symbol.is_empty()) {
        return None;
    }
    Some(parts.into_iter().map(Option::unwrap_or_default).collect())
}

/// The parts of each name, if nine tenths of them have parts; where too many have none, the others are not looked at.
fn most(names: &[String]) -> Option<Vec<Option<Parts>>> {
    let mut without = 0;
    let mut parts = Vec::with_capacity(names.len());
    for name in names {
        let here = parts_of(name);
        without += usize::from(here.is_none());
        if without * 10 > names.len() {
            return None;
        }
        parts.push(here);
    }
    (!parts.is_empty()).then_some(parts)
}

/// For messages, the form of names that [`split`] takes apart.
pub fn form(names: &[String]) -> Option<&'static str> {
    let parts = split(names)?;
    let ensembl = parts.iter().filter(|parts| !parts.ensembl.is_empty()).count();
    Some(match names.iter().find(|name| !is_blank(name)) {
        _ if ensembl * 2 > parts.len() => "by Ensembl ids",
        Some(name) if name.contains('|') => "by names of the form SYMBOL|ENTREZ",
        Some(name) if name.ends_with(')') || name.ends_with('.') => "by names of the form SYMBOL (ENTREZ)",
        _ => "by names of the form SYMBOL_ENTREZ",
    })
}

/// Prefixes that are mostly different, and not one word with a number.
fn look_like_symbols(parts: &[&Parts]) -> bool {
    let named: Vec<&str> =
        parts.iter().map(|p| p.symbol.as_str()).filter(|symbol| !symbol.is_empty()).collect();
    let different: HashSet<&str> = named.iter().copied().collect();
    let mut stems: HashMap<String, usize> = HashMap::new();
    for symbol in &different {
        let stem = symbol.chars().filter(|c| !c.is_ascii_digit() && *c != '_').collect();
        *stems.entry(stem).or_default() += 1;
    }
    let largest = stems.values().max().copied().unwrap_or(0);
    let one_stem = different.len() > 2 && largest * 10 > different.len() * 8;
    let known = different.iter().filter(|symbol| known::is_known(symbol)).count();
    let enough = named.len() > 2 || known > 0;
    enough && different.len() * 10 >= named.len() * 8 && (!one_stem || known * 2 > different.len())
}

/// Numbers that are mostly different and do not count the names.
fn look_like_entrez(parts: &[&Parts]) -> bool {
    let numbers: Vec<u64> = parts.iter().filter_map(|p| p.entrez.parse().ok()).collect();
    let different = numbers.iter().collect::<HashSet<_>>().len();
    let counted = numbers[0] <= 1 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
    different * 10 >= numbers.len() * 8 && !(counted && numbers.len() > 3)
}

/// Whether the numbers of genes whose Entrez ids are known are others: places in a protein, ranks. Other species have the
/// symbols in another case.
fn contradicted(parts: &[&Parts]) -> bool {
    let told = |p: &&&Parts| {
        p.symbol.contains(|c: char| c.is_ascii_uppercase())
            && !p.symbol.contains(|c: char| c.is_ascii_lowercase())
    };
    let pairs =
        parts.iter().filter(told).filter_map(|p| Some((known::entrez_of(&p.symbol)?, p.entrez.as_str())));
    let pairs: Vec<bool> =
        pairs.filter(|(known, _)| !known.is_empty()).map(|(known, told)| known == told).collect();
    !pairs.is_empty() && pairs.iter().filter(|same| **same).count() * 2 < pairs.len()
}

/// The parts of one name, if one of them is a symbol or blank and another an id that vouches for the form.
fn parts_of(name: &str) -> Option<Parts> {
    let name = name.trim();
    if !matches!(Kind::of(name), None | Some(Kind::Symbol)) || is_place(name) {
        return None;
    }
    if name.contains('|') {
        return of_pieces(&name.split('|').map(str::trim).collect::<Vec<_>>());
    }
    if let Some((first, second)) = bracketed(name) {
        return of_pieces(&[first, second]);
    }
    let cuts = [" ", ";", ",", "/", ":", "_", "-"].into_iter();
    let cuts = cuts.flat_map(|by| [name.split_once(by), name.rsplit_once(by).filter(|_| by.len() == 1)]);
    cuts.flatten().find_map(|(first, second)| {
        // A single dash or colon stands in symbols, too.
        let parts = of_pieces(&[first.trim(), second.trim()])?;
        (!name.contains(['-', ':']) || !parts.ensembl.is_empty() || name.contains('_')).then_some(parts)
    })
}

/// `TP53 (7157)`, and what R makes of it as a column's name, `TP53..7157.`.
fn bracketed(name: &str) -> Option<(&str, &str)> {
    if let Some(inner) = name.strip_suffix(')') {
        let (first, second) = inner.rsplit_once('(')?;
        return Some((first.trim(), second.trim()));
    }
    name.strip_suffix('.')?.rsplit_once("..")
}

/// The parts of the pieces: one symbol, an id beside it, and nothing that is neither.
fn of_pieces(pieces: &[&str]) -> Option<Parts> {
    // GENCODE's transcripts: transcript, gene, two of Havana's, name of the transcript, symbol, length, type.
    if let [transcript, gene, _, _, _, symbol, ..] = pieces
        && [transcript, gene].iter().all(|id| Kind::Ensembl.has_form(id))
    {
        return Some(Parts { symbol: symbol.to_string(), ensembl: gene.to_string(), ..Parts::default() });
    }
    let (mut parts, mut vouched) = (Parts::default(), false);
    for piece in pieces {
        let place = match Kind::of(piece) {
            _ if is_blank(piece) => continue,
            _ if is_place(piece) => {
                vouched = true;
                continue;
            }
            Some(Kind::Ensembl) if parts.ensembl.is_empty() => &mut parts.ensembl,
            Some(Kind::Entrez) => &mut parts.entrez,
            Some(Kind::Refseq | Kind::Probe | Kind::Hgnc | Kind::Ensembl) => {
                vouched = true;
                continue;
            }
            Some(Kind::Symbol) => &mut parts.symbol,
            // Such as `g_1` beside an id: a name without a meaning here.
            Some(Kind::Id | Kind::MadeUp) | None => return None,
        };
        if !place.is_empty() && place != piece {
            return None;
        }
        *place = piece.to_string();
    }
    let ids = vouched || !parts.entrez.is_empty() || !parts.ensembl.is_empty();
    (ids && pieces.len() > 1 && pieces.iter().any(|piece| !piece.is_empty())).then_some(parts)
}

/// A place in a genome (`chr1_100`, `chrX:15-30`) or a transcript of UCSC's (`uc002gim.2`): ids, but no symbols.
pub fn is_place(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let after = |word: &str| lower.strip_prefix(word).map(str::as_bytes);
    let place = after("chr").and_then(|rest| {
        let end = rest.iter().position(|b| matches!(b, b':' | b'_' | b'-' | b'.'))?;
        let chromosome = &rest[..end];
        let named = [&b"x"[..], b"y", b"m", b"mt", b"un"].contains(&chromosome);
        let place = rest.get(end + 1).is_some_and(|b| b.is_ascii_alphanumeric());
        Some(
            place
                && (named
                    || chromosome.len() <= 2
                        && !chromosome.is_empty()
                        && chromosome.iter().all(u8::is_ascii_digit)),
        )
    });
    let transcript = after("uc").is_some_and(|rest| {
        rest.len() >= 6
            && rest[..3].iter().all(u8::is_ascii_digit)
            && rest[3..6].iter().all(u8::is_ascii_lowercase)
    });
    place.unwrap_or(false) || transcript
}

#[cfg(test)]
mod tests {
    fn split(text: &str) -> Option<Vec<[String; 3]>> {
        let names: Vec<String> = text.split(", ").map(str::to_string).collect();
        let parts = super::split(&names)?;
        Some(parts.into_iter().map(|p| [p.symbol, p.entrez, p.ensembl]).collect())
    }

    #[test]
    fn names_of_two_ids_are_taken_apart() {
        for (names, symbols, entrez, ensembl) in [
            ("ESR1_2099, HLA-A_3105, NKX2_1_7080", "ESR1 HLA-A NKX2_1", "2099 3105 7080", "  "),
            ("?|100130426, A1BG|1, TP53|7157", " A1BG TP53", "100130426 1 7157", "  "),
            ("TP53 (7157), MYC (4609), ERBB2 (2064)", "TP53 MYC ERBB2", "7157 4609 2064", "  "),
            ("TP53..7157., MYC..4609., HLA.A..3105.", "TP53 MYC HLA.A", "7157 4609 3105", "  "),
            ("7157_TP53, 4609_MYC, 2064_ERBB2", "TP53 MYC ERBB2", "7157 4609 2064", "  "),
            ("TP53;7157, MYC;4609, ERBB2;2064", "TP53 MYC ERBB2", "7157 4609 2064", "  "),
            (
                "TP53 (ENSG00000141510), MYC (ENSG00000136997)",
                "TP53 MYC",
                " ",
                "ENSG00000141510 ENSG00000136997",
            ),
            (
                "ENSG00000141510.12|TP53, ENSG00000136997|MYC",
                "TP53 MYC",
                " ",
                "ENSG00000141510.12 ENSG00000136997",
            ),
            (
                "ENSG00000141510_TP53, ENSG00000206503_HLA-A",
                "TP53 HLA-A",
                " ",
                "ENSG00000141510 ENSG00000206503",
            ),
            (
                "TP53_ENSG00000141510.3, HLA-A_ENSG00000206503.2",
                "TP53 HLA-A",
                " ",
                "ENSG00000141510.3 ENSG00000206503.2",
            ),
            (
                "HLA-A-ENSG00000206503, TP53-ENSG00000141510",
                "HLA-A TP53",
                " ",
                "ENSG00000206503 ENSG00000141510",
            ),
            (
                "TP53|7157|ENSG00000141510, MYC|4609|ENSG00000136997",
                "TP53 MYC",
                "7157 4609",
                "ENSG00000141510 ENSG00000136997",
            ),
            ("NM_000546|TP53, NM_002467|MYC", "TP53 MYC", " ", " "),
            ("AKT1_473, TP53_175, EGFR_1173", "AKT1 TP53 EGFR", "  ", "  "),
            (
                "ENST00000456328.2|ENSG00000223972.5|OTTHUMG00000000961.2|OTTHUMT00000362751.1|DDX11L1-202|DDX11L1|1657|lncRNA|",
                "DDX11L1",
                "",
                "ENSG00000223972.5",
            ),
        ] {
            let found = split(names).unwrap_or_else(|| panic!("{names}"));
            let column = |at: usize| found.iter().map(|p| p[at].as_str()).collect::<Vec<_>>().join(" ");
            assert_eq!([column(0), column(1), column(2)], [symbols, entrez, ensembl], "{names}");
        }
    }

    #[test]
    fn other_names_of_this_form_are_left_whole() {
        for names in [
            "ILMN_1762000, ILMN_1762007, ILMN_1762014",
            "NM_000546, NM_002467, NR_046018",
            "NM_000546.6, XM_002467.1, NR_046018.2",
            "XLOC_000001, XLOC_000002, XLOC_000003",
            "TCONS_00001, XLOC_000002, MSTRG_3",
            "HGNC_11998, HGNC_5, HGNC_7",
            "HGNC:11998, HGNC:5, HGNC:7",
            "MGI:98834, MGI:97250, MGI:88",
            "chr1_100, chr2_200, chr3_300, chrX_12",
            "chr1:100-200, chr2:200-300, chrX:3-4",
            "1_100, 2_200, 3_300",
            "gene_17, gene_3, gene_5",
            "geneA_0, geneB_1, geneC_2, geneD_3",
            "s1_100, s2_200, s3_300, s4_700",
            "contig12_5, contig13_99, contig9_1023",
            "TP53_1, TP53_2, TP53_3, MYC_1",
            "1007_s_at, 1053_at, 117_at",
            "16657436_st, 16657440_st",
            "TP53, MYC, HLA-A, NKX2-1",
            "ENSG00000141510, ENSG00000182378.14_PAR_Y",
            "AC004556.1, RP11-34P13.7, CTD-2090I13.1",
            "TP53_001, MYC_002, EGFR_003",
            "TP53 (x), MYC (y)",
            "hsa-miR-21|MIMAT0000076, hsa-let-7a|MIMAT0000062",
            "ILMN_1",
            "a_1",
            "µ|1, |, ||, (, )(, ..",
        ] {
            assert_eq!(split(names), None, "{names}");
        }
        assert_eq!(super::split(&[]), None);
    }
}
