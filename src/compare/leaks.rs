//! A target that is a landmark's gene measured by another probe is no test of inference. Probes of one gene are known
//! by the symbol and Entrez columns of the genes, and by a map from probe to gene.

use std::collections::HashMap;
use std::path::Path;

use super::LandmarkSet;
use crate::error::{Error, Result};
use crate::genes::Column;
use crate::progress::silent;
use crate::progress::{Event, Reporter};
use crate::store::Table;

/// Columns that tell which gene a probe measures.
const COLUMNS: [&str; 2] = ["symbol", "entrez"];

/// Which genes each row of a table measures.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Names of the genes of each row; a probe may measure several.
    names: Vec<Vec<String>>,
}

impl Identity {
    /// From the table's own columns, and from `map`, a TSV whose first column is a probe and whose second is its gene.
    ///
    /// # Errors
    /// Those of the file; [`Error::Input`] for a map of one column or of other probes.
    pub fn new(genes: &Table, map: Option<&Path>) -> Result<Identity> {
        let mut names = vec![Vec::new(); genes.len()];
        let mut add = |row: usize, scheme: &str, field: &str| {
            let parts = field.split("///").map(str::trim);
            let parts = parts.filter(|part| !matches!(*part, "" | "NA" | "---" | "?"));
            names[row].extend(parts.map(|part| format!("{scheme} {part}")));
        };
        for scheme in COLUMNS {
            let fields = genes.column(scheme).unwrap_or_default();
            fields.iter().enumerate().for_each(|(row, field)| add(row, scheme, field));
        }
        if let Some(path) = map {
            let table = Table::read(path, Column::names_probes, &silent)?;
            let Some((_, of)) = table.columns.first() else {
                return Err(Error::input(
                    path,
                    "has one column; expected probe and gene, with a header line",
                ));
            };
            let probes = table.positions();
            let found =
                genes.ids.iter().enumerate().filter_map(|(row, id)| Some((row, *probes.get(id.as_str())?)));
            let found: Vec<(usize, usize)> = found.collect();
            if found.is_empty() {
                let message = format!(
                    "none of its {} probes is among the {} genes; expected their ids in the first column",
                    table.len(),
                    genes.len()
                );
                return Err(Error::input(path, message));
            }
            found.iter().for_each(|(row, probe)| add(*row, "mapped", &of[*probe]));
        }
        Ok(Identity { names })
    }

    /// Whether nothing is known about any row.
    fn is_unknown(&self) -> bool {
        self.names.iter().all(Vec::is_empty)
    }
}

/// Targets that are a landmark's gene by another name.
#[derive(Debug, Clone, Default)]
pub struct Leaks {
    /// Whether each target leaks from a landmark of any set.
    pub leaking: Vec<bool>,
    /// Of each set: how many of the targets leak from its landmarks.
    pub by_set: Vec<usize>,
    /// How many targets leak from any set; they may have been left out since.
    pub found: usize,
    /// A target that leaks, and the landmark.
    example: Option<(usize, usize)>,
    unknown: bool,
}

impl Leaks {
    /// Looks for the names of every set's landmarks among those of the targets.
    pub fn find(identity: &Identity, sets: &[LandmarkSet], targets: &[usize]) -> Leaks {
        let mut leaks =
            Leaks { leaking: vec![false; targets.len()], unknown: identity.is_unknown(), ..Leaks::default() };
        for set in sets {
            let names = |gene: &usize| identity.names[*gene].iter().map(String::as_str);
            let landmarks: HashMap<&str, usize> =
                set.genes.iter().flat_map(|gene| names(gene).map(|name| (name, *gene))).collect();
            let mut count = 0;
            for (target, leaking) in targets.iter().zip(&mut leaks.leaking) {
                if let Some(landmark) = names(target).find_map(|name| landmarks.get(name)) {
                    count += 1;
                    *leaking = true;
                    leaks.example.get_or_insert((*target, *landmark));
                }
            }
            leaks.by_set.push(count);
        }
        leaks.found = leaks.leaking.iter().filter(|leaking| **leaking).count();
        leaks
    }

    /// Says what was found.
    pub fn report(&self, genes: &Table, sets: &[LandmarkSet], dropped: bool, report: Reporter) {
        if self.unknown {
            let message = "the genes have no symbol or entrez column, so targets that are a landmark's gene measured by another probe go unnoticed; give --map";
            return report(Event::Note(message.into()));
        }
        let Some((target, landmark)) = self.example else { return };
        let counts = sets.iter().zip(&self.by_set).filter(|(set, _)| set.draw_of.is_none());
        let counts: Vec<String> = counts.map(|(set, n)| format!("{} {n}", set.name)).collect();
        let text = format!(
            "{} of {} targets are a landmark's gene measured by another probe, e.g. {} and {} ({}, the rest of random draws)",
            self.found,
            self.leaking.len(),
            genes.ids[target],
            genes.ids[landmark],
            counts.join(", ")
        );
        report(match dropped {
            true => Event::Note(format!("{text}; they are left out")),
            false => Event::Warning(format!("{text}; --drop-leaks leaves them out")),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, genes: &[usize]) -> LandmarkSet {
        LandmarkSet { name: name.into(), source: String::new(), draw_of: None, genes: genes.to_vec() }
    }

    #[test]
    fn probes_of_one_gene_are_found_by_any_name() {
        let mut genes = Table::new("gene_id", ["p1", "p2", "p3", "p4", "p5"].map(String::from).to_vec());
        genes.set_column("symbol", ["TP53", "MYC", "", "TP53 /// WRAP53", "NA"].map(String::from).to_vec());
        genes.set_column("entrez", ["7157", "4609", "4609", "", ""].map(String::from).to_vec());
        let identity = Identity::new(&genes, None).unwrap();
        let leaks = Leaks::find(&identity, &[set("a", &[0]), set("b", &[1])], &[2, 3, 4]);
        assert_eq!((leaks.leaking.as_slice(), leaks.found), (&[true, true, false][..], 2));
        assert_eq!(leaks.by_set, [1, 1]);
        assert_eq!(leaks.example, Some((3, 0)));

        let dir = tempfile::tempdir().unwrap();
        let map = dir.path().join("map.tsv");
        std::fs::write(&map, "probe\tgene\np5\tX\np1\tX\n").unwrap();
        let identity = Identity::new(&genes, Some(&map)).unwrap();
        assert_eq!(Leaks::find(&identity, &[set("a", &[0])], &[2, 3, 4]).leaking, [false, true, true]);
        for (text, message) in
            [("probe\np1\n", "has one column"), ("probe\tgene\nx\tX\n", "none of its 1 probes")]
        {
            std::fs::write(&map, text).unwrap();
            assert!(Identity::new(&genes, Some(&map)).unwrap_err().to_string().contains(message));
        }
    }
}
