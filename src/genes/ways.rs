//! The ways in which a name can be a gene of a table, and the tables' indexes for them.

use std::collections::HashMap;

use super::kind::{self, Kind};
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::store::Store;

/// What helps genes that have no names of the kind asked for.
pub(super) const NAME_THE_GENES: &str =
    "; `genelift prepare STORE -o NEW --gene-labels TABLE` gives the genes such names, from a table of both";

/// A table of genes as one side of a match.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// For messages.
    pub name: &'a str,
    /// The genes.
    pub genes: &'a Table,
    /// What their ids are; [`Kind::Id`] where that cannot be told.
    pub kind: Kind,
}

impl<'a> Side<'a> {
    /// A table whose ids are what they look like.
    pub fn of(name: &'a str, genes: &'a Table) -> Self {
        Side { name, genes, kind: kind_of_ids(genes) }
    }

    /// The genes of a store, which remembers whether their names were made up.
    pub fn of_store(name: &'a str, store: &'a Store) -> Self {
        let made_up = store.info().origin.made_up_genes;
        let kind = if made_up { Kind::MadeUp } else { kind_of_ids(store.genes()) };
        Side { name, genes: store.genes(), kind }
    }

    /// The names of one kind: the ids, or the column whose header is the surest.
    pub fn names(&self, kind: Kind) -> Option<&'a [String]> {
        if kind == Kind::Id || kind == self.kind {
            return Some(&self.genes.ids);
        }
        let of_kind = |(header, names): &&(String, Vec<String>)| {
            Kind::of_column(header, names.iter().map(String::as_str)) == Some(kind) && tell_apart(names)
        };
        let columns = self.genes.columns.iter().filter(of_kind);
        columns.min_by_key(|(header, _)| Kind::rank_of_header(header)).map(|(_, names)| names.as_slice())
    }

    /// Whether the genes have no names of the kind that this one has the form of.
    pub(super) fn lacks(&self, name: &str) -> bool {
        Kind::of(name).is_some_and(|kind| kind != Kind::MadeUp && self.names(kind).is_none())
    }
}

/// What a table's ids are. Where a column of the kind that they look like says otherwise, they are of another kind: whole
/// numbers beside another column `entrez`, `ESR1_2099` beside `symbol`.
fn kind_of_ids(genes: &Table) -> Kind {
    let kind = Kind::of_names(genes.ids.iter().map(String::as_str));
    let contradicts = |(header, names): &(String, Vec<String>)| {
        let differing = genes.ids.iter().zip(names).filter(|(id, name)| id != name && !kind::is_blank(name));
        Kind::of_header(header) == Some(kind) && differing.count() * 2 > genes.len()
    };
    let contradicted = matches!(kind, Kind::Entrez | Kind::Symbol) && genes.columns.iter().any(contradicts);
    if contradicted { Kind::Id } else { kind }
}

/// Whether a column tells genes apart. One name for more than half of the rows, or for a hundred rows on average, is no name of
/// a gene, whatever the header says.
pub fn tell_apart(names: &[String]) -> bool {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let named = names.iter().filter(|name| !kind::is_blank(name));
    named.for_each(|name| *counts.entry(name).or_default() += 1);
    let (all, most) = (counts.values().sum::<usize>(), counts.values().max().copied().unwrap_or(0));
    all < 4 || most * 2 <= all && counts.len() * 100 >= all
}

/// One way from a name to genes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Way {
    /// To the letter.
    Id,
    /// As a name of this kind, without the version that Ensembl and RefSeq add.
    Kind(Kind),
    /// As a symbol in another case.
    Case,
    /// As a field of this column of the genes.
    Column(String),
}

/// The ways that are tried for names of a bare list, in this order.
pub const WAYS: [Way; 8] = [
    Way::Id,
    Way::Kind(Kind::Ensembl),
    Way::Kind(Kind::Entrez),
    Way::Kind(Kind::Symbol),
    Way::Case,
    Way::Kind(Kind::Probe),
    Way::Kind(Kind::Refseq),
    Way::Kind(Kind::Hgnc),
];

impl Way {
    /// The way that a user asks for: a kind, or a column of the genes.
    pub fn asked(text: &str) -> Way {
        match Kind::of_word(text) {
            Some(Kind::Id) => Way::Id,
            Some(kind) => Way::Kind(kind),
            None if text == "gene_id" => Way::Id,
            None => Way::Column(text.into()),
        }
    }

    /// The kind of name that goes this way.
    pub fn kind(&self) -> Kind {
        match self {
            Way::Id | Way::Column(_) => Kind::Id,
            Way::Case => Kind::Symbol,
            Way::Kind(kind) => *kind,
        }
    }

    /// What two names that are one have in common.
    pub fn key(&self, name: &str) -> String {
        match self {
            Way::Kind(Kind::Ensembl | Kind::Refseq) => kind::without_version(name),
            Way::Kind(Kind::Hgnc) | Way::Case => name.to_uppercase(),
            _ => name.to_string(),
        }
    }
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Way::Id => f.write_str("gene id"),
            Way::Kind(Kind::Ensembl) => f.write_str("Ensembl id without version"),
            Way::Kind(kind) => f.write_str(kind.word()),
            Way::Case => f.write_str("symbol in another case"),
            Way::Column(name) => write!(f, "column {name}"),
        }
    }
}

/// The rows of a table by name, one way.
#[derive(Debug)]
pub struct Index(HashMap<String, Vec<usize>>);

impl Index {
    /// `None` where the table has no names for this way.
    pub fn new(side: &Side, way: &Way) -> Option<Index> {
        let names = match way {
            Way::Column(name) => side.genes.column(name)?,
            way => side.names(way.kind())?,
        };
        let mut rows: HashMap<String, Vec<usize>> = HashMap::new();
        for (row, name) in names.iter().enumerate() {
            for part in parts(way, name) {
                let rows = rows.entry(way.key(part)).or_default();
                if rows.last() != Some(&row) {
                    rows.push(row);
                }
            }
        }
        Some(Index(rows))
    }

    /// As [`Index::new`], for a way that a user asked for; ids of no known kind may be of the kind asked for.
    ///
    /// # Errors
    /// [`Error::Data`] naming what there is.
    pub fn asked(side: &Side, way: &Way) -> Result<Index> {
        let unknown = matches!(side.kind, Kind::Id | Kind::MadeUp);
        let as_ids = || Index::new(&Side { kind: way.kind(), ..*side }, way).filter(|_| unknown);
        Index::new(side, way).or_else(as_ids).ok_or_else(|| {
            let columns: Vec<&str> = side.genes.column_names();
            Error::Data(format!(
                "--match-on: the genes of {} have no {way}; their ids are of kind {}, and there are the columns gene_id {}",
                side.name,
                side.kind,
                columns.join(" ")
            ))
        })
    }

    /// The rows that a name is.
    pub fn rows(&self, way: &Way, name: &str) -> &[usize] {
        self.0.get(&way.key(name)).map_or(&[], Vec::as_slice)
    }
}

/// The names in a field: `A /// B` is a probe of two genes.
fn parts<'a>(way: &Way, name: &'a str) -> Vec<&'a str> {
    match way {
        Way::Id => vec![name],
        _ => name.split("///").map(str::trim).filter(|part| !kind::is_blank(part)).collect(),
    }
}
