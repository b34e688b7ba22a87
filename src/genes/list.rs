//! Lists of genes that a user brings, and the bundled panel; finding their genes in a table, name by name.

use std::collections::HashSet;
use std::path::Path;

use super::dates;
use super::join::join;
use super::kind::{self, Kind};
use super::reader::{Column, Sheet, Untold};
use super::report::{Ambiguous, Missing, Reasons, Report, refuse_several};
use super::sidecar::Checked;
use super::ways::{Index, NAME_THE_GENES, Side, WAYS, Way};
use crate::error::{Error, Result};
use crate::genes::Table;

/// What a list is called whose names were given one by one, not in a file.
const GIVEN: &str = "the names";

/// The 978 landmark genes of L1000, with their origin and licence in its comment lines.
const L1000: &str = include_str!("panels/l1000.tsv");

/// Headers by which a table that this program wrote is known: scores and landmarks.
const WRITTEN: [&str; 3] = ["rank", "gene_id", "score"];

/// What helps where a name of a list is several genes.
const BY_ID: &str = "name them by id, or pass --ambiguous first (or all, where a list may grow)";

/// A list of genes: the columns that may hold their names.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneList {
    /// For messages: the file or the panel.
    pub name: String,
    /// What its reader concluded.
    pub notes: Vec<String>,
    columns: Vec<Column>,
    /// What each of them is called in messages; empty where the file has no other.
    titles: Vec<String>,
    /// The whole table, where this program wrote it.
    written: Option<Table>,
}

/// What a list means in a table of genes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Every name of the list once, in its order, with the table's rows that it is; none where it is missing.
    pub genes: Vec<(String, Vec<usize>)>,
    /// The rows, each once, in the order of the list.
    pub ranked: Vec<usize>,
    /// What most of the names were found by.
    pub by: String,
}

impl Found {
    /// The rows, ascending.
    pub fn rows(&self) -> Vec<usize> {
        let mut rows = self.ranked.clone();
        rows.sort_unstable();
        rows
    }

    fn of(genes: Vec<(String, Vec<usize>)>, report: &Report) -> Found {
        let mut seen = HashSet::new();
        let ranked =
            genes.iter().flat_map(|(_, rows)| rows.iter().copied()).filter(|row| seen.insert(*row)).collect();
        let by = report.by.iter().max_by_key(|(_, n)| *n).map_or(String::new(), |(way, _)| way.to_string());
        Found { genes, ranked, by }
    }
}

/// A name's way and rows, where it was found.
type Hit = Option<(Way, Vec<usize>)>;

impl GeneList {
    /// The bundled panel `l1000`, or else a file in any form that [`Sheet::read`] takes.
    ///
    /// # Errors
    /// Those of [`Sheet::read`]; [`Error::Input`] for a file without names.
    pub fn open(name: impl AsRef<Path>) -> Result<Self> {
        let path = name.as_ref();
        match path.as_os_str() == "l1000" && !path.exists() {
            true => Self::of_sheet(path, Sheet::parse(path, L1000.as_bytes(), Untold::Row)?),
            false => Self::of_sheet(path, Sheet::read(path, Untold::Row)?),
        }
    }

    /// Names that somebody typed.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none.
    pub fn of_names(names: &[String]) -> Result<Self> {
        let fields = names.iter().map(|name| name.trim().to_string()).collect();
        let column = Column { name: String::new(), fields };
        let (path, lines) = (GIVEN.into(), (1..=names.len() as u64).collect());
        let (notes, checked) = (Vec::new(), Checked::Unknown);
        let sheet = Sheet { path, columns: vec![column], header: false, lines, notes, checked };
        Self::of_sheet(Path::new(GIVEN), sheet)
    }

    fn of_sheet(path: &Path, sheet: Sheet) -> Result<Self> {
        let written = written(&sheet);
        let kept = of_names(&sheet.columns);
        let alone = sheet.columns.len() == 1 && !sheet.header;
        let titles =
            kept.iter().map(|c| if alone { String::new() } else { title(&sheet.columns[*c].name, *c) });
        let titles = titles.collect();
        let columns: Vec<Column> = kept.iter().map(|c| sheet.columns[*c].clone()).collect();
        if columns.iter().all(|column| column.fields.iter().all(|name| kind::is_blank(name))) {
            return Err(Error::input(
                path,
                "no gene names; expected one name a line, or a table with a header such as gene_id, entrez, symbol or probe",
            ));
        }
        Ok(GeneList { name: path.display().to_string(), notes: sheet.notes, columns, titles, written })
    }

    /// Finds the list's genes: name by name, by the exact id, else as what the name looks like; `asked` forces a way. A table
    /// that this program wrote is joined by ids. The report tells what was found whether or not that is refused.
    pub fn find(&self, side: &Side, asked: Option<&Way>, rule: Ambiguous) -> (Result<Found>, Report) {
        if let (Some(written), None) = (&self.written, asked) {
            return self.find_written(written, side, rule);
        }
        match self.columns.iter().map(|column| self.look(column, side, asked)).collect::<Result<Vec<_>>>() {
            Ok(looked) => self.find_best(looked, side, rule),
            Err(error) => (Err(error), Report { list: self.name.clone(), ..Report::default() }),
        }
    }

    fn find_written(&self, written: &Table, side: &Side, rule: Ambiguous) -> (Result<Found>, Report) {
        match join(&Side::of(&self.name, written), side, None, rule) {
            Ok((joined, report)) => {
                let genes = written.ids.iter().cloned().zip(joined.rows).collect();
                (self.some(Found::of(genes, &report), &report, side), report)
            }
            Err(error) => (Err(error), Report { list: self.name.clone(), ..Report::default() }),
        }
    }

    /// Takes the column of which most names are one gene each, the first among equals. One that holds probes of the table
    /// goes before: a symbol would stand for another probe of its gene.
    fn find_best(&self, looked: Vec<Vec<Hit>>, side: &Side, rule: Ambiguous) -> (Result<Found>, Report) {
        let sure = |hits: &Vec<Hit>| hits.iter().flatten().filter(|(_, rows)| rows.len() == 1).count();
        let any = |hits: &Vec<Hit>| hits.iter().flatten().count();
        let by_id = |hits: &Vec<Hit>| hits.iter().flatten().any(|(way, _)| *way == Way::Id);
        let finer = matches!(side.kind, Kind::Probe | Kind::Refseq);
        let rank = |c: &usize| (finer && by_id(&looked[*c]), sure(&looked[*c]), any(&looked[*c]));
        let best = (0..looked.len()).rev().max_by_key(rank);
        let best = best.expect("a list has a column");
        let column = &self.columns[best];
        let title = match self.titles[best].as_str() {
            "" => self.name.clone(),
            title => format!("{} ({title})", self.name),
        };
        let mut report = Report { list: title, ..Report::default() };
        let found = self.collect(column, &looked[best], side, rule, &mut report);
        (found.and_then(|found| self.some(found, &report, side)), report)
    }

    fn some(&self, found: Found, report: &Report, side: &Side) -> Result<Found> {
        if !found.ranked.is_empty() {
            return Ok(found);
        }
        let why = match self.columns.iter().any(|column| are_ranks(&column.fields)) {
            true => {
                "; its numbers count up as ranks or row numbers do, and are not taken for Entrez ids (--match-on entrez)"
            }
            false if report.missing.first().is_some_and(|missing| side.lacks(&missing.name)) => {
                NAME_THE_GENES
            }
            false => "",
        };
        let none = match self.name.as_str() {
            GIVEN => "none of the names".to_string(),
            file => format!("gene list {file}: none of its names"),
        };
        Err(Error::Data(format!(
            "{none} is among the {} genes of {}, whose ids are of kind {}: {}{why}",
            side.genes.len(),
            side.name,
            side.kind,
            report.shown()
        )))
    }

    /// Looks every name of a column up.
    fn look(&self, column: &Column, side: &Side, asked: Option<&Way>) -> Result<Vec<Hit>> {
        let indexes = match asked {
            Some(way) => vec![(way.clone(), Index::asked(side, way)?)],
            None => {
                let ways = ways(column, side).into_iter();
                ways.filter_map(|way| Some((way.clone(), Index::new(side, &way)?))).collect()
            }
        };
        let said = asked.is_some() || matches!(Kind::of_header(&column.name), Some(kind) if kind != Kind::Id);
        let symbols = hold_symbols(&column.fields);
        let hit = |name: &String| {
            let date = symbols && dates::is_serial_date(name);
            let fits = |kind: Kind| kind.has_form(name) && !(date && kind == Kind::Entrez);
            let tried = |way: &Way| said || *way == Way::Id || fits(way.kind());
            let mut hits =
                indexes.iter().filter(|(way, _)| tried(way)).map(|(way, index)| (way, index.rows(way, name)));
            hits.find(|(_, rows)| !rows.is_empty()).map(|(way, rows)| (way.clone(), rows.to_vec()))
        };
        Ok(column.fields.iter().map(hit).collect())
    }

    /// Each name once, with what it is called in the list's own column of ids, if it has one.
    fn collect(
        &self,
        column: &Column,
        hits: &[Hit],
        side: &Side,
        rule: Ambiguous,
        report: &mut Report,
    ) -> Result<Found> {
        let ids = self.columns.iter().find(|column| column.name == "gene_id").unwrap_or(column);
        let (reasons, mut seen) = (Reasons::new(*side, hold_symbols(&column.fields)), HashSet::new());
        let (mut genes, mut several) = (Vec::new(), Vec::new());
        let mut repeated = Vec::new();
        for ((name, id), hit) in column.fields.iter().zip(&ids.fields).zip(hits) {
            let called = if id.is_empty() { name } else { id };
            if called.is_empty() {
                continue;
            }
            if !name.is_empty() && !seen.insert(name) {
                repeated.push(Missing::of(name, Some("duplicate".into())));
                continue;
            }
            report.listed += 1;
            match hit {
                Some((way, rows)) => {
                    report.count(way);
                    if rows.len() > 1 {
                        several.push((name.clone(), rows.clone()));
                    }
                }
                None => report.missing.push(reasons.missing(if name.is_empty() { called } else { name })),
            }
            genes.push((called.clone(), hit.as_ref().map(|(_, rows)| rows.clone()).unwrap_or_default()));
        }
        report.repeated = repeated;
        settle(&mut genes, several, (&self.name, side), rule, report)?;
        let found = Found::of(genes, report);
        report.genes = found.ranked.len();
        Ok(found)
    }
}

/// Names that are several genes: refused, or the first taken, or all.
fn settle(
    genes: &mut [(String, Vec<usize>)],
    several: Vec<(String, Vec<usize>)>,
    (list, side): (&str, &Side),
    rule: Ambiguous,
    report: &mut Report,
) -> Result<()> {
    report.several = several.len();
    let what = match rule {
        _ if several.is_empty() => return Ok(()),
        Ambiguous::Refuse => return Err(refuse_several(list, side, &several, BY_ID)),
        Ambiguous::First => "the first is taken",
        Ambiguous::All => "all are taken",
    };
    if rule == Ambiguous::First {
        genes.iter_mut().for_each(|(_, rows)| rows.truncate(1));
    }
    let n = several.len();
    report
        .notes
        .push(format!("{list}: {n} of its names are several genes each, such as {}; {what}", several[0].0));
    Ok(())
}

/// The ways that are tried for a column's names.
fn ways(column: &Column, side: &Side) -> Vec<Way> {
    let said = Kind::of_header(&column.name).filter(|kind| *kind != Kind::Id);
    let ranks = are_ranks(&column.fields);
    // Equal numbers are one gene only where both are numbers of one kind.
    let other = said == Some(Kind::Entrez) && side.kind != Kind::Entrez && side.names(Kind::Entrez).is_some();
    let fits = |way: &Way| match (way, said) {
        (Way::Id, _) => !other,
        (way, Some(kind)) => way.kind() == kind,
        (Way::Kind(Kind::Entrez), None) => !ranks,
        _ => true,
    };
    WAYS.into_iter()
        .filter(fits)
        .filter(|way| !(*way == Way::Id && ranks && side.kind == Kind::Entrez && said.is_none()))
        .collect()
}

/// Whether names are whole numbers that count up, as ranks and numbers of rows do, and Entrez ids never: as dense as the names
/// are many.
fn are_ranks(names: &[String]) -> bool {
    let numbers: Option<Vec<usize>> =
        names.iter().filter(|name| !kind::is_blank(name)).map(|name| name.parse().ok()).collect();
    numbers.is_some_and(|n| n.iter().max().is_some_and(|max| *max <= 2 * n.len() + 1))
}

/// Whether names are symbols but for dates, so that a number among them may be one.
fn hold_symbols(names: &[String]) -> bool {
    let date = |name: &str| dates::is_date(name) || dates::is_serial_date(name);
    Kind::of_names(names.iter().map(String::as_str).filter(|name| !date(name))) == Kind::Symbol
}

/// Keeps the columns that may hold names: those of known headers, else those of text, else all. Ranks beside text never do.
fn of_names(columns: &[Column]) -> Vec<usize> {
    let is_number = |name: &String| kind::is_blank(name) || name.parse::<f64>().is_ok();
    let numeric = |column: &Column| column.fields.iter().all(is_number);
    let text = columns.iter().any(|column| !numeric(column));
    let known = |column: &Column| match Kind::of_header(&column.name) {
        None => false,
        Some(Kind::Id) => !(text && are_ranks(&column.fields)),
        Some(_) => true,
    };
    let any_known = columns.iter().any(known);
    let keep = |column: &Column| if any_known { known(column) } else { !text || !numeric(column) };
    (0..columns.len()).filter(|c| keep(&columns[*c])).collect()
}

/// How a column is called: by its header, else by its number.
fn title(header: &str, c: usize) -> String {
    match header {
        "" => format!("column {}", c + 1),
        header => format!("column {header}"),
    }
}

/// The table, where it or its header says that this program wrote it, and its ids are all different.
fn written(sheet: &Sheet) -> Option<Table> {
    let ids = sheet.column("gene_id")?;
    if !sheet.checked.is_whole() && !WRITTEN.iter().all(|name| sheet.column(name).is_some()) {
        return None;
    }
    let mut table = Table::new("gene_id", ids.fields.clone());
    let others = sheet.columns.iter().filter(|column| !WRITTEN.contains(&column.name.as_str()));
    table.columns = others.map(|column| (column.name.clone(), column.fields.clone())).collect();
    let whole = table.duplicate().is_none() && !table.ids.iter().any(String::is_empty);
    whole.then_some(table)
}
