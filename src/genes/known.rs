//! Genes that nearly every file has, with their Entrez ids. Enough of them among some names show that the names are symbols,
//! and that the numbers beside them are Entrez ids.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Genes expressed everywhere, or in every small panel: symbol and human Entrez id.
#[rustfmt::skip] // one pair a line would be a page
const PEOPLE: [(&str, &str); 147] = [
    ("ACTB", "60"), ("GAPDH", "2597"), ("TP53", "7157"), ("EGFR", "1956"), ("MYC", "4609"), ("ESR1", "2099"),
    ("ERBB2", "2064"), ("BRCA1", "672"), ("BRCA2", "675"), ("PTEN", "5728"), ("KRAS", "3845"), ("MKI67", "4288"),
    ("CDK4", "1019"), ("CCND1", "595"), ("VIM", "7431"), ("CDH1", "999"), ("FOXA1", "3169"), ("GATA3", "2625"),
    ("HPRT1", "3251"), ("TBP", "6908"), ("B2M", "567"), ("RPLP0", "6175"), ("UBC", "7316"), ("PPIA", "5478"),
    ("STAT1", "6772"), ("STAT3", "6774"), ("CD4", "920"), ("CD8A", "925"), ("PTPRC", "5788"), ("TOP2A", "7153"),
    ("AURKA", "6790"), ("NRAS", "4893"), ("RB1", "5925"), ("A1BG", "1"), ("A2M", "2"), ("MALAT1", "378938"),
    ("XIST", "7503"), ("CD3E", "916"), ("CD3D", "915"), ("CD19", "930"), ("MS4A1", "931"), ("NKG7", "4818"), ("LYZ",
    "4069"), ("CD74", "972"), ("HLA-A", "3105"), ("HLA-B", "3106"), ("FTL", "2512"), ("FTH1", "2495"), ("EEF1A1",
    "1915"), ("TMSB4X", "7114"), ("RPS27", "6232"), ("RPL13A", "23521"), ("ALB", "213"), ("INS", "3630"), ("EPCAM",
    "4072"), ("KRT18", "3875"), ("COL1A1", "1277"), ("PECAM1", "5175"), ("SOX2", "6657"), ("NANOG", "79923"),
    ("POU5F1", "5460"), ("MYCN", "4613"), ("BRAF", "673"), ("PIK3CA", "5290"), ("CCNE1", "898"), ("AR", "367"),
    ("PGR", "5241"), ("BCL2", "596"), ("ENO1", "2023"), ("CCNA2", "890"), ("TUBB", "203068"), ("NOTCH1", "4851"),
    ("BIRC5", "332"), ("CCNB1", "891"), ("TYMS", "7298"), ("CDK1", "983"), ("CDKN2A", "1029"), ("E2F1", "1869"),
    ("PCNA", "5111"), ("KRT5", "3852"), ("CDK6", "1021"), ("S100A8", "6279"), ("S100A9", "6280"), ("PGK1", "5230"),
    ("YWHAZ", "7534"), ("MET", "4233"), ("BMP4", "652"), ("PTGS2", "5743"), ("CDK2", "1017"), ("GFAP", "2670"),
    ("DNMT1", "1786"), ("GZMB", "3002"), ("ZEB1", "6935"), ("CASP3", "836"), ("MDM2", "4193"), ("HSP90AB1", "3326"),
    ("HIF1A", "3091"), ("KIT", "3815"), ("RPL3", "6122"), ("RUNX1", "861"), ("FOS", "2353"), ("ACTN1", "87"),
    ("TNF", "7124"), ("JUN", "3725"), ("CAV1", "857"), ("IFNG", "3458"), ("LDHA", "3939"), ("AKT1", "207"), ("AKT2",
    "208"), ("APOE", "348"), ("ATM", "472"), ("BAX", "581"), ("C3", "718"), ("CD14", "929"), ("CD44", "960"),
    ("CD68", "968"), ("CD79A", "973"), ("CDKN1A", "1026"), ("CLU", "1191"), ("CTNNB1", "1499"), ("CXCL8", "3576"),
    ("CXCR4", "7852"), ("FGFR1", "2260"), ("FN1", "2335"), ("FOXP3", "50943"), ("GNLY", "10578"), ("IL6", "3569"),
    ("IL7R", "3575"), ("JAK2", "3717"), ("KRT8", "3856"), ("MAPK1", "5594"), ("MTOR", "2475"), ("NFKB1", "4790"),
    ("PDGFRA", "5156"), ("RELA", "5970"), ("RPS6", "6194"), ("SPP1", "6696"), ("TGFB1", "7040"), ("VEGFA", "7422"),
    ("SNAI2", "6591"), ("SPARC", "6678"), ("PSME1", "5720"), ("CEBPA", "1050"), ("COL3A1", "1281"), ("CSF1R",
    "1436"), ("HMGB1", "3146"), ("MMP9", "4318")
];

/// Genes of mice whose symbols are not those of people in another case.
const MICE: [&str; 6] = ["TRP53", "H2-K1", "H2-D1", "H2-AB1", "XKR4", "GM1992"];

/// Entrez ids by symbol in capitals; of mice's genes none.
static GENES: LazyLock<HashMap<&'static str, &'static str>> =
    LazyLock::new(|| PEOPLE.into_iter().chain(MICE.map(|symbol| (symbol, ""))).collect());

/// The human Entrez id of a well-known gene, its symbol in any case; blank for one that only mice have.
pub fn entrez_of(symbol: &str) -> Option<&'static str> {
    GENES.get(symbol.to_ascii_uppercase().as_str()).copied()
}

/// Whether a symbol, in any case, is that of a well-known gene. Symbols of one or two letters could be anything.
pub fn is_known(symbol: &str) -> bool {
    symbol.len() > 2 && (entrez_of(symbol).is_some() || is_mitochondrial(symbol))
}

/// `MT-CO1`, `mt-Nd4`.
fn is_mitochondrial(symbol: &str) -> bool {
    let rest = symbol.get(..3).filter(|start| start.eq_ignore_ascii_case("mt-")).map(|_| &symbol[3..]);
    let families = ["CO", "ND", "ATP", "CYB", "RNR"];
    rest.is_some_and(|rest| families.iter().any(|family| rest.to_ascii_uppercase().starts_with(family)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_known_in_any_case() {
        assert_eq!(
            (entrez_of("TP53"), entrez_of("Actb"), entrez_of("psme1")),
            (Some("7157"), Some("60"), Some("5720"))
        );
        assert_eq!((entrez_of("Xkr4"), entrez_of("S1"), entrez_of("")), (Some(""), None, None));
        assert!(is_known("mt-Nd4") && is_known("MT-CO1") && !is_known("mt") && !is_known("µµµ"));
    }
}
