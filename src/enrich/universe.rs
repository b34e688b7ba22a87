//! The genes that could have been chosen, each once, and which of them are in the sets of a collection.

use std::collections::HashMap;

use super::collection::Collection;
use crate::error::{Error, Result};
use crate::genes::kind::is_blank;
use crate::genes::{Ambiguous, Report, Side, Way, join, shown};

/// Unique genes: several probes of one gene are one.
#[derive(Debug, Clone, PartialEq)]
pub struct Universe {
    /// Of each row of the store: its gene; `None` where the row could not be chosen.
    pub gene_of: Vec<Option<usize>>,
    /// What each gene is called.
    pub names: Vec<String>,
    /// What its sets are called, a description, and the genes of the universe that are in each.
    pub sets: Vec<Members>,
    /// By what the genes' names are those of the collection.
    pub way: Way,
}

/// A set's part of the universe.
#[derive(Debug, Clone, PartialEq)]
pub struct Members {
    /// The set's name.
    pub id: String,
    /// And what it is.
    pub description: String,
    /// Genes, ascending.
    pub genes: Vec<usize>,
}

impl Universe {
    /// Of the rows of `side` for which `may`, with the sets of that of the `collections` of which most names are genes there.
    ///
    /// # Errors
    /// [`Error::Data`] where none of the names is, and where a way that was asked for does not exist.
    pub fn new(
        side: &Side,
        may: impl Fn(usize) -> bool,
        collections: &[Collection],
        asked: Option<&Way>,
    ) -> Result<(Universe, Report)> {
        let mut best: Option<(Universe, Report)> = None;
        for collection in collections {
            let (universe, report) = Self::of(side, &may, collection, asked)?;
            if best.as_ref().is_none_or(|(_, best)| report.found() > best.found()) {
                best = Some((universe, report));
            }
        }
        let (universe, report) =
            best.ok_or_else(|| Error::Usage("a collection of gene sets is needed".into()))?;
        if universe.sets.iter().all(|set| set.genes.is_empty()) {
            let names = collections[0].names();
            return Err(Error::Data(format!(
                "{}: none of its {} genes is among those of {}, whose ids are of kind {}: {}, …; give the genes such names \
                 (genelift prepare --gene-labels TABLE), or take a collection of the same kind of names",
                collections[0].name,
                names.len(),
                side.name,
                side.kind,
                names.iter().take(3).cloned().collect::<Vec<_>>().join(", "),
            )));
        }
        Ok((universe, report))
    }

    fn of(
        side: &Side,
        may: &impl Fn(usize) -> bool,
        collection: &Collection,
        asked: Option<&Way>,
    ) -> Result<(Universe, Report)> {
        let table = crate::genes::Table::new("gene", collection.names());
        let (joined, report) = join(&Side::of(&collection.name, &table), side, asked, Ambiguous::All)?;
        let (gene_of, names) = unique(side, &joined.way, may);
        let at: HashMap<&str, usize> = table.positions();
        let members = |genes: &[String]| {
            let rows = genes.iter().flat_map(|gene| &joined.rows[at[gene.as_str()]]);
            let mut members: Vec<usize> = rows.filter_map(|row| gene_of[*row]).collect();
            members.sort_unstable();
            members.dedup();
            members
        };
        let sets = collection.sets.iter().map(|set| Members {
            id: set.id.clone(),
            description: set.description.clone(),
            genes: members(&set.genes),
        });
        let sets = sets.collect();
        Ok((Universe { gene_of, names, sets, way: joined.way }, report))
    }

    /// Leaves the genes that are in a set at least.
    pub fn annotated(self) -> Universe {
        let mut kept = vec![false; self.names.len()];
        self.sets.iter().flat_map(|set| &set.genes).for_each(|gene| kept[*gene] = true);
        let mut next = 0..;
        let new: Vec<Option<usize>> =
            kept.iter().map(|kept| kept.then(|| next.next().expect("endless"))).collect();
        let moved = |genes: &[usize]| genes.iter().filter_map(|gene| new[*gene]).collect();
        Universe {
            gene_of: self.gene_of.iter().map(|gene| gene.and_then(|gene| new[gene])).collect(),
            names: self
                .names
                .into_iter()
                .zip(&kept)
                .filter_map(|(name, kept)| kept.then_some(name))
                .collect(),
            sets: self.sets.into_iter().map(|set| Members { genes: moved(&set.genes), ..set }).collect(),
            way: self.way,
        }
    }

    /// Number of genes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The genes of some rows, ascending, each once.
    pub fn genes(&self, rows: &[usize]) -> Vec<usize> {
        let mut genes: Vec<usize> = rows.iter().filter_map(|row| self.gene_of[*row]).collect();
        genes.sort_unstable();
        genes.dedup();
        genes
    }

    /// The mean of each gene's rows of some figure by row.
    pub fn means(&self, by_row: &[f64]) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.len()];
        for (gene, x) in self.gene_of.iter().zip(by_row) {
            if let Some(gene) = gene {
                sums[*gene] = (sums[*gene].0 + x, sums[*gene].1 + 1.0);
            }
        }
        sums.into_iter().map(|(sum, n)| sum / n).collect()
    }
}

/// Rows with one name of the kind that joins are one gene; a row without such a name is one by itself.
fn unique(side: &Side, way: &Way, may: &impl Fn(usize) -> bool) -> (Vec<Option<usize>>, Vec<String>) {
    let by_column = match way {
        Way::Column(name) => side.genes.column(name),
        way => side.names(way.kind()),
    };
    let symbols = side.genes.column("symbol");
    let (mut seen, mut names) = (HashMap::new(), Vec::new());
    let gene_of = (0..side.genes.len()).map(|row| {
        may(row).then(|| {
            let name = by_column.map(|names| names[row].as_str()).filter(|name| !is_blank(name));
            // an id may read as another row's symbol
            let key = name.map_or_else(|| (false, side.genes.ids[row].clone()), |name| (true, way.key(name)));
            *seen.entry(key).or_insert_with(|| {
                let symbol = symbols.map(|symbols| symbols[row].as_str()).filter(|symbol| !is_blank(symbol));
                names.push(symbol.or(name).map_or_else(|| shown(side.genes, row), str::to_string));
                names.len() - 1
            })
        })
    });
    (gene_of.collect(), names)
}
