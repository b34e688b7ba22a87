//! Names that the field's programs and archives give to columns and rows that are neither samples nor genes.

use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;

type Names = LazyLock<HashSet<&'static str>>;

fn names(text: &'static str) -> HashSet<&'static str> {
    text.split_whitespace().collect()
}

/// Names of columns about genes, and about samples, in small letters without what is no letter or digit.
pub(super) static ABOUT: Names = LazyLock::new(|| {
    names(
        "entrezgeneid entrezid entrez entrezgene ncbigeneid geneid ensemblid ensemblgeneid hgncid hugosymbol genesymbol \
    symbol genename genetype genebiotype biotype description chr chrom chromosome seqname seqnames start end txstart \
    txend genestart geneend startposition endposition strand length efflength effectivelength genelength exonlength \
    bplength translength transcriptlength width gccontent percentagegccontent cytoband locus transcriptid \
    transcriptids sequencingid modelid modelconditionid profileid depmapid isdefaultentryformodel \
    isdefaultentryformc age sex gender batch stage grade survivaltime ostime osmonths osevent osstatus vitalstatus \
    futime fustat numexons exoncount nexons status event \
    survivaldays daystodeath daystolastfollowup bmi rin ncounts ngenes ncountrna nfeaturerna percentmt totalcounts \
    ngenesbycounts pctcountsmt totalcountsmt leiden louvain seuratclusters doubletscore libsize normfactors sizefactor",
    )
});

/// Names of what programs measure in one sample, a column each.
pub(super) static MEASURES: Names = LazyLock::new(|| {
    names(
        "tpm fpkm rpkm cpm numreads estcounts expectedcount count counts rawcount rawcounts readcount readcounts coverage \
    unstranded strandedfirst strandedsecond tpmunstranded fpkmunstranded fpkmuqunstranded scaledestimate \
    normalizedcount medianlengthnormalized fpkmconflo fpkmconfhi isopct posteriormeancount \
    posteriorstandarddeviationofcount pmetpm pmefpkm tpmcilowerbound tpmciupperbound fpkmcilowerbound \
    fpkmciupperbound tpmcoefficientofquartilevariation fpkmcoefficientofquartilevariation readspermillionmirnamapped",
    )
});

/// Names of what tests of differential expression yield.
pub(super) static STATISTICS: Names = LazyLock::new(|| {
    names(
        "basemean log2foldchange logfc log2fc foldchange lfcse stat pvalue pval padj pvaladj adjpval adjpvalue qvalue fdr \
    aveexpr logcpm t b f lr avglog2fc",
    )
});

/// Counters among the genes: of HTSeq, new and old, and of STAR.
static COUNTERS: Names = LazyLock::new(|| {
    names(
        "__no_feature __ambiguous __too_low_aQual __not_aligned __alignment_not_unique no_feature ambiguous too_low_aQual \
    not_aligned alignment_not_unique N_unmapped N_multimapping N_noFeature N_ambiguous",
    )
});

/// Names of columns that identify rows, the surest first.
pub(super) const IDS: &str = "modelid depmapid geneid geneids ensemblgeneid ensemblid ensembl probeid probesetid idref targetid featureid \
    sampleid sample samplename patientid cellid barcode caseid hugosymbol genesymbol symbol genename gene";

/// Endings of files of one sample.
const ENDINGS: &str = ".gz .bz2 .zst .tsv .txt .csv .tab .sf .out .ReadsPerGene ReadsPerGene .genes .isoforms .results .htseq .counts \
    .count .gene_counts .augmented_star_gene_counts .augmented_star .rna_seq .abundance .fpkm_tracking";

/// Endings of columns that BeadStudio, GenomeStudio and GEO put beside each sample: how sure its value is.
const QUALITY: &str = "detection detectionpval detectionpvalue detectionp beadstderr beadstdev avgnbeads nbeads narrays arraystderr";

/// Whether a column of this name says how sure another one's values are.
pub(super) fn is_quality(name: &str) -> bool {
    let name = plain(name);
    name.starts_with("detection") || QUALITY.split_whitespace().any(|ending| name.ends_with(ending))
}

/// Whether a column of this name describes genes or samples.
pub(super) fn is_about(name: &str) -> bool {
    ABOUT.contains(plain(name).as_str())
}

/// Names of rows and columns that sum others up.
const SUMMARIES: [&str; 8] = ["total", "totals", "grandtotal", "sum", "mean", "median", "average", "sd"];

/// Whether a row or column of this name is hardly a gene or a sample, though it may hold numbers.
pub(super) fn is_unlikely(name: &str) -> bool {
    let name = plain(name);
    ABOUT.contains(name.as_str()) || SUMMARIES.contains(&name.as_str())
}

/// Whether a row or column of this name counts reads that belong to no gene.
pub(super) fn is_counter(name: &str) -> bool {
    name.starts_with(['_', 'n', 'N', 'a', 't']) && COUNTERS.contains(name)
}

/// A header without what its writers differ in.
pub(super) fn plain(name: &str) -> String {
    if !name.is_ascii() {
        return name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    }
    // Most names, and a file may have many.
    let mut plain = String::with_capacity(name.len());
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    plain.extend(letters.map(|b| char::from(b.to_ascii_lowercase())));
    plain
}

/// Whether a header is what programs write above row numbers, or nothing.
pub(super) fn is_unnamed(name: &str) -> bool {
    let name = plain(name);
    name.is_empty()
        || name.starts_with("unnamed")
        || ["index", "x", "1", "rownames", "rowname", "row", "level0"].contains(&name.as_str())
}

/// Whether a header is what pandas makes up for an index that it reads as a column.
pub(super) fn is_index(name: &str) -> bool {
    let name = plain(name);
    name.starts_with("unnamed") || ["index", "level0"].contains(&name.as_str())
}

/// The name of a file's only sample: the file's, or its folder's where programs call every file the same.
pub(super) fn sample_name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let cut = |name: &str| {
        let mut name = name;
        while let Some(rest) = ENDINGS
            .split_whitespace()
            .find_map(|ending| name.strip_suffix(ending))
            .filter(|rest| !rest.is_empty())
        {
            name = rest;
        }
        name.trim_end_matches(['.', '_']).to_string()
    };
    let name =
        |path: &Path| path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let stem = cut(&name(path));
    match ["quant", "abundance", "rsem", "counts", ""].contains(&stem.as_str()) {
        true => whole.parent().map(name).filter(|folder| !folder.is_empty()).unwrap_or(stem),
        false => stem,
    }
}
