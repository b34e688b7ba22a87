//! Collections of gene sets: GMT files, plain or packed, and the bundled one.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::genes::bytes;

/// GO's molecular functions, by symbol and by Entrez id; their origin and licence are in `collections/ORIGIN.md`.
const GO_MF: [(&str, &[u8]); 2] = [
    ("go-mf (symbols)", include_bytes!("collections/go_mf.symbols.gmt.gz")),
    ("go-mf (Entrez ids)", include_bytes!("collections/go_mf.entrez.gmt.gz")),
];

/// What the bundled collection is called.
pub const BUNDLED: &str = "go-mf";

/// Genes that have something in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneSet {
    /// Such as `GO:0003700`.
    pub id: String,
    /// In words; empty where the file has none.
    pub description: String,
    /// Names of its genes, each once.
    pub genes: Vec<String>,
}

/// Gene sets of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// For messages.
    pub name: String,
    /// In the order of the file.
    pub sets: Vec<GeneSet>,
}

impl Collection {
    /// The collections that `name` may mean: a file, or the bundled one in each kind of names that it has.
    ///
    /// # Errors
    /// Those of [`Collection::parse`]; a file that cannot be read.
    pub fn open(name: &Path) -> Result<Vec<Collection>> {
        if name.as_os_str() == BUNDLED && !name.exists() {
            return GO_MF
                .iter()
                .map(|(name, packed)| Self::packed(Path::new(name), packed.to_vec()))
                .collect();
        }
        Ok(vec![Self::packed(name, bytes::raw(name)?)?])
    }

    fn packed(name: &Path, raw: Vec<u8>) -> Result<Collection> {
        let text = bytes::unpacked(name, raw)?;
        Self::parse(name, &bytes::decoded(name, &text)?)
    }

    /// A line is a set: its name, a description, its genes, between tabs.
    ///
    /// # Errors
    /// [`Error::Input`] naming the line: fewer than three fields, a set without a name, a name that stands twice; a file without
    /// sets.
    pub fn parse(name: &Path, text: &str) -> Result<Collection> {
        let (mut sets, mut seen) = (Vec::new(), HashMap::new());
        for (line, number) in text.lines().flat_map(|line| line.split('\r')).zip(1..) {
            if line.trim().is_empty() {
                continue;
            }
            let set = set(line).map_err(|what| Error::input(name, format!("line {number}: {what}")))?;
            if let Some(before) = seen.insert(set.id.clone(), number) {
                let what = format!("line {number}: the set {} stands on line {before} too", set.id);
                return Err(Error::input(name, what));
            }
            sets.push(set);
        }
        match sets.is_empty() {
            true => Err(Error::input(
                name,
                "no gene sets; expected lines of a name, a description and genes, between tabs (GMT)",
            )),
            false => Ok(Collection { name: name.display().to_string(), sets }),
        }
    }

    /// Every name of a gene in it, once, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        let mut seen = std::collections::HashSet::new();
        let all = self.sets.iter().flat_map(|set| &set.genes);
        all.filter(|name| seen.insert(name.as_str())).cloned().collect()
    }
}

fn set(line: &str) -> std::result::Result<GeneSet, String> {
    let mut fields = line.split('\t').map(str::trim);
    let (id, description) = (fields.next().unwrap_or_default(), fields.next());
    let mut genes: Vec<String> = fields.filter(|gene| !gene.is_empty()).map(String::from).collect();
    let mut seen = std::collections::HashSet::new();
    genes.retain(|gene| seen.insert(gene.clone()));
    match description {
        None => Err("one field; expected a name, a description and genes, between tabs (GMT)".into()),
        Some(_) if id.is_empty() => Err("a set without a name".into()),
        Some(description) => Ok(GeneSet { id: id.into(), description: description.into(), genes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_as_people_have_them() {
        let parse = |text: &str| Collection::parse(Path::new("x.gmt"), text);
        let found = parse("A\tfirst\tTP53\tESR1\tTP53\t\r\n\r\nB\t\t GATA3 \r\nC\tempty\r\n").expect("sets");
        let genes: Vec<&[String]> = found.sets.iter().map(|set| set.genes.as_slice()).collect();
        assert_eq!(genes, [&["TP53".to_string(), "ESR1".into()][..], &["GATA3".into()], &[]]);
        assert_eq!(found.names(), ["TP53", "ESR1", "GATA3"]);
        assert_eq!((found.sets[0].description.as_str(), found.sets[1].description.as_str()), ("first", ""));
        for (text, expected) in [
            ("A\td\tX\nA\td\tY\n", "line 2: the set A stands on line 1 too"),
            ("gene\nTP53\n", "line 1: one field"),
            ("\td\tX\n", "line 1: a set without a name"),
            ("\n \n", "no gene sets"),
        ] {
            let message = parse(text).expect_err(text).to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn the_bundled_one_is_whole() {
        let both = Collection::open(Path::new(BUNDLED)).expect("bundled");
        assert_eq!(both.iter().map(|c| c.sets.len()).collect::<Vec<_>>(), [5133, 5133]);
        assert_eq!(both[0].sets[0].genes, ["ALG12", "ALG2", "PIGV"]);
    }
}
