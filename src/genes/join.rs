//! Two tables of genes: which row of one is which of the other.
//!
//! Where the ids of both are of one kind only ids join, and what is left over is missing: no probe of the same symbol stands
//! in for it. Where they are of different kinds one kind is taken for the whole join.

use super::kind::{self, Kind};
use super::report::{Ambiguous, Missing, Reasons, Report, refuse_several};
use super::shown::shown;
use super::ways::{Index, NAME_THE_GENES, Side, Way};
use crate::error::{Error, Result};

/// Shared ids from this share of the smaller table on are no chance: the tables' ids are of one kind.
const SHARED: usize = 10;

/// So many probes of an array that share none with another table are of another array.
const MANY: usize = 20;

/// Kinds that can stand for ids of different kinds, the surest first.
const BETWEEN: [Kind; 6] = [Kind::Ensembl, Kind::Entrez, Kind::Refseq, Kind::Hgnc, Kind::Symbol, Kind::Probe];

/// What helps where a gene is several of another table's.
const COLLAPSE: &str =
    "pass --ambiguous first, or make one gene of its probes before (genelift prepare --collapse-probes MAP)";

/// Where the genes of one table are in another.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// Of each gene of the left table: its rows in the right one, none where it is missing.
    pub rows: Vec<Vec<usize>>,
    /// What the tables were joined by.
    pub way: Way,
}

impl Joined {
    /// The row of each gene; the first where a rule allowed several.
    pub fn places(&self) -> Vec<Option<usize>> {
        self.rows.iter().map(|rows| rows.first().copied()).collect()
    }
}

/// Whether the ids of two tables are of one kind, so that they alone join.
pub(super) fn meet_by_id(left: &Side, right: &Side) -> bool {
    choose(left, right) == Way::Id
}

/// Finds the genes of `left` in `right`; `asked` forces the way.
///
/// # Errors
/// [`Error::Data`] where genes are several of the other table's and `rule` is to refuse, and where a way that was asked for
/// does not exist.
pub fn join(left: &Side, right: &Side, asked: Option<&Way>, rule: Ambiguous) -> Result<(Joined, Report)> {
    let way = match asked {
        Some(way) => way.clone(),
        None => choose(left, right),
    };
    let index = match asked {
        Some(way) => Index::asked(right, way)?,
        None => Index::new(right, &way).expect("a way that was chosen exists"),
    };
    let names = names(left, &way)?;
    let mut rows: Vec<Vec<usize>> = names.iter().map(|name| index.rows(&way, name).to_vec()).collect();
    let mut report = Report { list: left.name.into(), listed: left.genes.len(), ..Report::default() };
    let mut ways = vec![way.clone(); rows.len()];
    if way == Way::Id && asked.is_none() {
        join_versions(left, right, &mut rows, &mut ways);
    }
    settle(left, right, &mut rows, rule, &mut report)?;
    let reasons = Reasons::new(*right, left.kind == Kind::Symbol);
    for (gene, (rows, by)) in rows.iter().zip(&ways).enumerate() {
        report.genes += rows.len();
        match rows[..] {
            [] => {
                let missing = reasons.missing_as(&left.genes.ids[gene], &names[gene], &way);
                report.missing.push(Missing { called: shown(left.genes, gene), ..missing });
            }
            _ => report.count(by),
        }
    }
    report.notes.extend(strangers(left, right, &report));
    Ok((Joined { rows, way }, report))
}

/// That two tables have no names in common, and what helps.
fn strangers(left: &Side, right: &Side, report: &Report) -> Option<String> {
    (report.found() == 0 && left.kind != right.kind && !left.genes.is_empty()).then(|| {
        let ids = format!("{}: ids of kind {}, {}: of kind {}", left.name, left.kind, right.name, right.kind);
        format!("{ids}; nothing names a gene of both{NAME_THE_GENES}")
    })
}

/// What the genes of the left table are called this way.
fn names<'a>(left: &Side<'a>, way: &Way) -> Result<&'a [String]> {
    let named = match way {
        Way::Column(name) => left.genes.column(name),
        way => left.names(way.kind()),
    };
    named.ok_or_else(|| Error::Data(format!("--match-on: the genes of {} have no {way}", left.name)))
}

/// One way for the whole join.
fn choose(left: &Side, right: &Side) -> Way {
    let ids = Index::new(right, &Way::Id).expect("every table has ids");
    let shared = left.genes.ids.iter().filter(|id| !ids.rows(&Way::Id, id).is_empty()).count();
    let many = shared * SHARED >= left.genes.len().min(right.genes.len()).max(1);
    if one_kind(left, right, shared) || many && alike(left, right) {
        return Way::Id;
    }
    let count = |kind: Kind| {
        let way = Way::Kind(kind);
        let (index, names) = (Index::new(right, &way)?, left.names(kind)?);
        let found = names.iter().filter(|name| !index.rows(&way, name).is_empty()).count();
        Some((found, way))
    };
    let best = BETWEEN.into_iter().filter_map(count).rev().max_by_key(|(found, _)| *found);
    best.filter(|(found, _)| *found > shared).map_or(Way::Id, |(_, way)| way)
}

/// Whether ids are of one kind, so that one that is not there is missing. Probes of two arrays are of two kinds; that they are
/// is seen by many that share none.
fn one_kind(left: &Side, right: &Side, shared: usize) -> bool {
    let one = left.kind == right.kind && !matches!(left.kind, Kind::Id | Kind::MadeUp);
    let maker =
        || left.genes.ids.first().zip(right.genes.ids.first()).is_some_and(|(a, b)| kind::same_maker(a, b));
    one && (left.kind != Kind::Probe || shared > 0 || left.genes.len() < MANY && maker())
}

/// Whether equal ids are one gene: numbers that were made up are no Entrez ids.
fn alike(left: &Side, right: &Side) -> bool {
    !matches!((left.kind, right.kind), (Kind::MadeUp, Kind::Entrez) | (Kind::Entrez, Kind::MadeUp))
}

/// An Ensembl or RefSeq id is the same gene in any version.
fn join_versions(left: &Side, right: &Side, rows: &mut [Vec<usize>], ways: &mut [Way]) {
    let kind = left.kind;
    if kind != right.kind || !matches!(kind, Kind::Ensembl | Kind::Refseq) {
        return;
    }
    let way = Way::Kind(kind);
    let Some(index) = Index::new(right, &way) else { return };
    for ((id, rows), by) in left.genes.ids.iter().zip(rows).zip(ways) {
        if rows.is_empty() {
            *rows = index.rows(&way, id).to_vec();
            *by = way.clone();
        }
    }
}

/// Genes that are several: refused, or the first taken, or all.
fn settle(
    left: &Side,
    right: &Side,
    rows: &mut [Vec<usize>],
    rule: Ambiguous,
    report: &mut Report,
) -> Result<()> {
    let several = rows.iter().zip(&left.genes.ids).filter(|(rows, _)| rows.len() > 1);
    let several: Vec<(String, Vec<usize>)> = several.map(|(rows, id)| (id.clone(), rows.clone())).collect();
    report.several = several.len();
    match rule {
        _ if several.is_empty() => return Ok(()),
        Ambiguous::Refuse => return Err(refuse_several(left.name, right, &several, COLLAPSE)),
        Ambiguous::First => rows.iter_mut().for_each(|rows| rows.truncate(1)),
        Ambiguous::All => {}
    }
    let what = if rule == Ambiguous::First { "the first is taken" } else { "all are taken" };
    report.notes.push(format!(
        "{} genes of {} are several genes each in {}; {what}",
        several.len(),
        left.name,
        right.name
    ));
    Ok(())
}
