//! Which side of a file holds the genes: as told, by the format's definition, by the names of both sides, and where those
//! are silent by the format's habit or the longer side, which is worth a warning.

use serde::{Deserialize, Serialize};

use super::MatrixFile;
use super::evidence::{self, Evidence, KNOWN, LOOK};

/// How a matrix lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

impl Orientation {
    /// As `--orientation` takes it.
    fn word(self) -> &'static str {
        match self {
            Orientation::Auto => "auto",
            Orientation::SamplesByGenes => "samples-by-genes",
            Orientation::GenesBySamples => "genes-by-samples",
        }
    }

    fn other(self) -> Orientation {
        match self {
            Orientation::GenesBySamples => Orientation::SamplesByGenes,
            _ => Orientation::GenesBySamples,
        }
    }
}

/// What the rows of a matrix are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Samples,
    Genes,
}

impl Rows {
    /// `"samples"` or `"genes"`.
    pub fn word(self) -> &'static str {
        match self {
            Rows::Samples => "samples",
            Rows::Genes => "genes",
        }
    }

    /// The rows of a block of a file that lies so, or the other way round.
    fn of(orientation: Orientation, transposed: bool) -> Rows {
        if (orientation == Orientation::SamplesByGenes) != transposed { Rows::Samples } else { Rows::Genes }
    }
}

/// How a file lies, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The orientation of the file's own axes.
    pub orientation: Orientation,
    /// What the rows of its blocks are.
    pub rows: Rows,
    /// Why.
    pub reason: String,
    /// What speaks against it, or that little speaks for it.
    pub doubt: Option<String>,
}

impl Verdict {
    /// What the rows of the file itself are, whichever way its blocks come.
    pub fn rows_of_file(&self) -> Rows {
        Rows::of(self.orientation, false)
    }
}

/// How a file lies, from the row names known so far; `None` where only the lengths could tell.
pub(super) fn decide(file: &MatrixFile, rows: &[String], told: Orientation) -> Option<Verdict> {
    let verdict = |orientation, reason: &str, doubt| Verdict {
        orientation,
        rows: Rows::of(orientation, file.transposed),
        reason: reason.to_string(),
        doubt,
    };
    if told != Orientation::Auto {
        return Some(verdict(told, "as told", None));
    }
    let votes = votes(file, rows);
    let definition = file.natural.filter(|_| !file.habit);
    if let Some(natural) = definition {
        let doubt = votes.outvote(natural).map(|reason| {
            let (what, other) = (Rows::of(natural, false).word(), natural.other().word());
            format!("the format has {what} in rows, but the names say otherwise ({reason}); if they are right, pass --orientation {other}")
        });
        return Some(verdict(natural, file.reason.unwrap_or("by the format's definition"), doubt));
    }
    let (orientation, reason) = votes.winner()?;
    Some(verdict(orientation, reason, votes.doubt(orientation)))
}

/// What is taken where [`decide`] found nothing in all of the names: the format's habit, else that genes are the longer side.
pub(super) fn fallback(file: &MatrixFile, rows: usize) -> Verdict {
    let (rows, columns) =
        if file.transposed { (file.columns.len(), rows) } else { (rows, file.columns.len()) };
    let longer = if rows > columns { Orientation::GenesBySamples } else { Orientation::SamplesByGenes };
    let orientation = file.natural.unwrap_or(longer);
    let how = match file.natural {
        Some(_) => format!("as {} files mostly lie", file.format),
        None => "so the longer side is taken for the genes".to_string(),
    };
    let reason = if file.unnamed { how } else { format!("nothing in the names tells, {how}") };
    let (what, other) = (Rows::of(orientation, false).word(), orientation.other().word());
    let doubt = format!(
        "that its rows are {what} is a guess ({reason}); if they are not, pass --orientation {other}"
    );
    // A habit that the lengths agree with is good enough.
    let doubt = (file.natural != Some(longer)).then_some(doubt);
    Verdict { orientation, rows: Rows::of(orientation, file.transposed), reason, doubt }
}

/// What speaks for each of both orientations of a file's own axes.
#[derive(Debug, Default)]
struct Votes {
    genes_by_samples: Vec<Evidence>,
    samples_by_genes: Vec<Evidence>,
}

fn votes(file: &MatrixFile, rows: &[String]) -> Votes {
    if file.unnamed {
        return Votes::default();
    }
    let columns = file.columns.ids.as_slice();
    let (rows, columns) = if file.transposed { (columns, rows) } else { (rows, columns) };
    let rows: &[String] = if file.unnamed_rows { &[] } else { rows };
    by_names(rows, columns, &file.corner)
}

fn by_names(rows: &[String], columns: &[String], corner: &str) -> Votes {
    let both = |a: Option<Evidence>, b: Option<Evidence>| [a, b].into_iter().flatten().collect();
    let mut votes = Votes {
        genes_by_samples: both(evidence::of_genes(rows), evidence::of_samples(columns)),
        samples_by_genes: both(evidence::of_genes(columns), evidence::of_samples(rows)),
    };
    if let Some((genes, evidence)) = evidence::of_corner(corner) {
        votes
            .of_mut(if genes { Orientation::GenesBySamples } else { Orientation::SamplesByGenes })
            .push(evidence);
    }
    votes
}

impl Votes {
    fn of(&self, orientation: Orientation) -> &[Evidence] {
        if orientation == Orientation::GenesBySamples {
            &self.genes_by_samples
        } else {
            &self.samples_by_genes
        }
    }

    fn of_mut(&mut self, orientation: Orientation) -> &mut Vec<Evidence> {
        if orientation == Orientation::GenesBySamples {
            &mut self.genes_by_samples
        } else {
            &mut self.samples_by_genes
        }
    }

    fn weight(&self, orientation: Orientation) -> u32 {
        self.of(orientation).iter().map(|evidence| evidence.weight).sum()
    }

    fn reason(&self, orientation: Orientation) -> &'static str {
        self.of(orientation).iter().rev().max_by_key(|e| e.weight).map_or("", |evidence| evidence.reason)
    }

    /// The orientation that more speaks for, and the loudest reason.
    fn winner(&self) -> Option<(Orientation, &'static str)> {
        let [rows, columns] =
            [Orientation::GenesBySamples, Orientation::SamplesByGenes].map(|o| self.weight(o));
        let winner = match rows.cmp(&columns) {
            std::cmp::Ordering::Less => Orientation::SamplesByGenes,
            std::cmp::Ordering::Greater => Orientation::GenesBySamples,
            std::cmp::Ordering::Equal => return None,
        };
        Some((winner, self.reason(winner)))
    }

    /// Why the names speak against an orientation loudly, if they do.
    fn outvote(&self, orientation: Orientation) -> Option<&'static str> {
        let other = orientation.other();
        (self.weight(other) >= self.weight(orientation) + KNOWN).then(|| self.reason(other))
    }

    /// Whether the names are weak or speak for both.
    fn doubt(&self, winner: Orientation) -> Option<String> {
        let other = winner.other();
        let against = self.of(other).iter().find(|evidence| evidence.weight >= KNOWN);
        let (what, otherwise) = (Rows::of(winner, false).word(), other.word());
        if let Some(against) = against {
            let (why, but) = (self.reason(winner), against.reason);
            return Some(format!(
                "the names contradict each other: its rows are taken for {what} {why}, but {but} they are not; if so, pass --orientation \
                 {otherwise}"
            ));
        }
        (self.weight(winner) <= LOOK).then(|| {
            format!("only the look of the names tells that its rows are {what}; if they are not, pass --orientation {otherwise}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Orientation::{GenesBySamples, SamplesByGenes};
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    fn winner(rows: &str, columns: &str, corner: &str) -> Option<Orientation> {
        by_names(&ids(rows), &ids(columns), corner).winner().map(|(orientation, _)| orientation)
    }

    #[test]
    fn names_tell_genes_from_samples() {
        for samples in [
            "sample_1 sample_2 sample_3 sample_4",
            "a b c",
            "MCF7 A549 K562 HT29",
            "AAACCTGAGAAACCAT-1 AAACCTGAGAAACCGC-1",
        ] {
            for genes in [
                "ENSG00000141510 ENSG00000146648.12 ENSMUSG00000059552",
                "1007_s_at 1053_at 117_at AFFX-BioB-3_at",
                "A1BG|1 ?|100130426 TP53|7157",
                "ESR1_2099 FOXA1_3169 MLPH_79083",
                "ACTB GAPDH TP53 XYZ",
                "Actb Gapdh Trp53 Xyz",
                "gene_1 gene_2 gene_3",
            ] {
                assert_eq!(winner(genes, samples, ""), Some(GenesBySamples), "{genes}, {samples}");
                assert_eq!(winner(samples, genes, "Gene"), Some(SamplesByGenes), "{genes}, {samples}");
                assert_eq!(by_names(&ids(genes), &ids(samples), "sample").doubt(GenesBySamples), None);
            }
        }
    }

    #[test]
    fn samples_or_the_header_tell_where_genes_do_not() {
        for samples in [
            "TCGA-3C-AAAU TCGA-3C-AALI",
            "GSM1 GSM2",
            "S1 S2 S3",
            "x_ACGTACGTACGTACGT-1 y_ACGTACGTACGTACGA-1",
        ] {
            assert_eq!(winner(samples, "a b c", ""), Some(SamplesByGenes), "{samples}");
            assert_eq!(winner("a b c", samples, ""), Some(GenesBySamples), "{samples}");
        }
        assert_eq!(winner("a b", "c d", "Patient ID"), Some(SamplesByGenes));
        assert_eq!(winner("a b", "c d", "gene_name"), Some(GenesBySamples));
        assert_eq!(winner("a b", "c d", "id"), None);
        assert_eq!(by_names(&[], &[], "").winner(), None);
    }

    #[test]
    fn contradictions_and_weak_signs_are_told() {
        let genes = "TP53 MYC EGFR GAPDH";
        assert_eq!(winner(genes, genes, ""), None, "genes on both sides");
        let votes = by_names(&ids("ENSG00000141510 ENSG00000146648"), &ids(genes), "");
        assert_eq!(votes.winner().map(|(o, _)| o), Some(GenesBySamples));
        let doubt = votes.doubt(GenesBySamples).expect("both sides look like genes");
        assert!(
            doubt.contains("by Ensembl ids, but by gene symbols")
                && doubt.contains("--orientation samples-by-genes"),
            "{doubt}"
        );
        let votes = by_names(&ids("a b c"), &ids("Rp1 Sox17 Mrpl15 Lypla1"), "");
        assert!(votes.doubt(SamplesByGenes).expect("weak").contains("only the look"));
        assert_eq!(votes.outvote(GenesBySamples), None, "a look is not enough against a definition");
        let votes = by_names(&ids(genes), &ids("ACGTACGTACGT-1 ACGTACGTACGA-1"), "");
        assert_eq!(votes.outvote(SamplesByGenes), Some("by cell barcodes"));
    }
}
