//! A target that is a landmark's gene measured by another probe is no test of inference. Probes of one gene are known
//! by the symbol and Entrez columns of the genes, and by a map from probe to gene.

use std::collections::HashMap;

use super::LandmarkSet;
use crate::error::Result;
use crate::genes::map::parts;
use crate::genes::{Kind, MapSettings, ProbeMap, Table, kind, shown, tell_apart};
use crate::progress::{Event, Reporter};

/// Kinds of names that tell which gene a probe measures.
const OF_GENES: [Kind; 4] = [Kind::Symbol, Kind::Entrez, Kind::Ensembl, Kind::Hgnc];

/// Which genes each row of a table measures.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Names of the genes of each row; a probe may measure several.
    names: Vec<Vec<String>>,
}

impl Identity {
    /// From the table's own columns, and from a map.
    ///
    /// # Errors
    /// Those of [`ProbeMap::read`].
    pub fn new(genes: &Table, map: Option<&MapSettings>, report: Reporter) -> Result<Identity> {
        let mut names = vec![Vec::new(); genes.len()];
        let mut add = |row: usize, scheme: &str, field: &str| {
            let parts = parts(field).into_iter();
            names[row].extend(parts.map(|part| format!("{scheme} {}", kind::without_version(&part))));
        };
        for (header, fields) in &genes.columns {
            let kind = Kind::of_column(header, fields.iter().map(String::as_str));
            if let Some(kind) = kind.filter(|kind| OF_GENES.contains(kind) && tell_apart(fields)) {
                fields.iter().enumerate().for_each(|(row, field)| add(row, kind.word(), field));
            }
        }
        if let Some(map) = map {
            let mapped = ProbeMap::read(map, &genes.ids, report)?;
            for (row, genes) in mapped.genes.iter().enumerate() {
                genes.iter().for_each(|gene| add(row, "mapped", gene));
            }
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
                set.all().flat_map(|gene| names(&gene).map(move |name| (name, gene))).collect();
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
            shown(genes, target),
            shown(genes, landmark),
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
    use crate::progress::silent;

    fn set(name: &str, genes: &[usize]) -> LandmarkSet {
        LandmarkSet {
            name: name.into(),
            source: String::new(),
            draw_of: None,
            genes: genes.to_vec(),
            by_round: Vec::new(),
        }
    }

    #[test]
    fn probes_of_one_gene_are_found_by_any_name() {
        let mut genes = Table::new("gene_id", ["p1", "p2", "p3", "p4", "p5"].map(String::from).to_vec());
        genes.set_column("symbol", ["TP53", "MYC", "", "TP53 /// WRAP53", "NA"].map(String::from).to_vec());
        genes.set_column("entrez", ["7157", "4609", "4609", "", ""].map(String::from).to_vec());
        let identity = Identity::new(&genes, None, &silent).unwrap();
        let leaks = Leaks::find(&identity, &[set("a", &[0]), set("b", &[1])], &[2, 3, 4]);
        assert_eq!((leaks.leaking.as_slice(), leaks.found), (&[true, true, false][..], 2));
        assert_eq!(leaks.by_set, [1, 1]);
        assert_eq!(leaks.example, Some((3, 0)));

        let dir = tempfile::tempdir().unwrap();
        let map = dir.path().join("map.tsv");
        std::fs::write(&map, "probe\tgene\np5\tX\np1\tX\n").unwrap();
        let identity = Identity::new(&genes, Some(&MapSettings::of(&map)), &silent).unwrap();
        assert_eq!(Leaks::find(&identity, &[set("a", &[0])], &[2, 3, 4]).leaking, [false, true, true]);
        for (text, message) in [
            ("probe\np1\n", "has one column"),
            ("probe\tgene\nx\tX\n", "none of the probes (such as \"p1\")"),
        ] {
            std::fs::write(&map, text).unwrap();
            assert!(
                Identity::new(&genes, Some(&MapSettings::of(&map)), &silent)
                    .unwrap_err()
                    .to_string()
                    .contains(message)
            );
        }
    }
}
