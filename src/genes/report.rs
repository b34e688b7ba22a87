//! What a match came to: how many names were found, by what, and which were not, with the reason where it is plain.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::dates;
use super::join::{Joined, join, meet_by_id};
use super::kind::{self, Kind};
use super::list::{Found, GeneList};
use super::ways::{Side, Way};
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::progress::{Event, Reporter};
use crate::store::atomic::{self, Output};

/// Names that a message shows.
const SHOWN: usize = 5;

/// What becomes of a name that is several genes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// An error that shows the genes
    #[default]
    Refuse,
    /// The first of them, in the order of the genes
    First,
    /// All of them
    All,
}

/// How names are matched with genes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Matching {
    /// The kind of name, or the column of the genes, that alone counts; each name by its exact id, else as what it looks like
    /// without it.
    pub match_on: Option<String>,
    /// What becomes of a name that is several genes.
    pub ambiguous: Option<Ambiguous>,
    /// The table to write the names to that were not found.
    pub unmatched: Option<PathBuf>,
}

impl Matching {
    /// The table that is written of what was not found, if one is.
    pub fn output(&self, force: bool) -> Option<Output<'static>> {
        self.unmatched.as_deref().map(|path| Output::new(path, atomic::Kind::File, force))
    }

    /// Writes the table, if one is asked for, with no name in it yet: so it stays where none is looked for.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn begin(&self) -> Result<()> {
        self.unmatched.as_deref().map_or(Ok(()), |path| write(path, &none()))
    }

    /// The way asked for.
    pub fn way(&self) -> Option<Way> {
        self.match_on.as_deref().map(Way::asked)
    }

    /// The rule asked for, or the default.
    pub fn rule(&self) -> Ambiguous {
        self.ambiguous.unwrap_or_default()
    }
}

/// A name that was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// As it stands in the list.
    pub name: String,
    /// As a message calls it, `SYMBOL (id)` where it is a gene of a table with symbols.
    pub called: String,
    /// Why, where it is plain.
    pub why: Option<String>,
}

impl Missing {
    /// A name of a bare list.
    pub fn of(name: &str, why: Option<String>) -> Missing {
        Missing { name: name.to_string(), called: name.to_string(), why }
    }

    /// For a message: the name, and why it is missing.
    pub fn shown(&self) -> String {
        match &self.why {
            Some(why) => format!("{} ({why})", self.called),
            None => self.called.clone(),
        }
    }
}

/// What a match came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The list or table whose names were looked for, with the column taken.
    pub list: String,
    /// Names that were looked for, each once.
    pub listed: usize,
    /// Names found, by what.
    pub by: Vec<(Way, usize)>,
    /// Genes that they are.
    pub genes: usize,
    /// The others.
    pub missing: Vec<Missing>,
    /// Names that were there before.
    pub repeated: Vec<Missing>,
    /// Names that are several genes, of which the first or all were taken.
    pub several: usize,
    /// What else is worth a line.
    pub notes: Vec<String>,
}

impl Report {
    /// Names found.
    pub fn found(&self) -> usize {
        self.by.iter().map(|(_, n)| n).sum()
    }

    /// Leaves the report of the first genes of a join.
    fn keep(&mut self, ids: Vec<&str>, joined: &Joined) {
        let known: HashSet<&str> = ids.iter().copied().collect();
        self.missing.retain(|missing| known.contains(missing.name.as_str()));
        let found = joined.rows.iter().take(ids.len()).filter(|rows| !rows.is_empty()).count();
        (self.listed, self.genes) = (ids.len(), found);
        self.by = vec![(joined.way.clone(), found)];
    }

    /// Counts one more name found.
    pub(super) fn count(&mut self, way: &Way) {
        match self.by.iter_mut().find(|(known, _)| known == way) {
            Some((_, n)) => *n += 1,
            None => self.by.push((way.clone(), 1)),
        }
    }

    /// "27 of 30 names found, 20 by gene id, 7 by symbol; 27 genes", and the first of those that were not.
    pub fn line(&self) -> String {
        let by: Vec<String> = match &self.by[..] {
            [(way, _)] => vec![format!(", by {way}")],
            several => several.iter().map(|(way, n)| format!(", {n} by {way}")).collect(),
        };
        let mut line =
            format!("{} of {} names found{}; {} genes", self.found(), self.listed, by.concat(), self.genes);
        if !self.missing.is_empty() {
            line += &format!("; not found: {}", self.shown());
        }
        if !self.repeated.is_empty() {
            line += &format!("; repeated: {}", shorten(self.repeated.iter().map(|m| m.name.clone())));
        }
        line
    }

    /// The first of the names that were not found.
    pub fn shown(&self) -> String {
        shorten(self.missing.iter().map(Missing::shown))
    }
}

/// The first few, and how many more.
pub fn shorten(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<String> = names.take(SHOWN).map(|name| name.escape_debug().to_string()).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// The refusal of names that are several genes.
pub(super) fn refuse_several(
    list: &str,
    side: &Side,
    several: &[(String, Vec<usize>)],
    remedy: &str,
) -> Error {
    let one = |(name, rows): &(String, Vec<usize>)| {
        let genes = shorten(rows.iter().map(|row| side.genes.ids[*row].clone()));
        format!("{name} is {} genes ({genes})", rows.len())
    };
    let shown: Vec<String> = several.iter().take(2).map(one).collect();
    let more = several.len().saturating_sub(2);
    let more = if more > 0 { format!("; so are {more} more names") } else { String::new() };
    Error::Data(format!("{list}: in {}, {}{more}; {remedy}", side.name, shown.join(", ")))
}

/// Why names are not among the genes, where it is plain.
pub(super) struct Reasons<'a> {
    side: Side<'a>,
    /// Whether the names are symbols but for some, so that a number may be a date.
    of_symbols: bool,
    /// Ids and symbols without case or version.
    near: BTreeMap<String, &'a str>,
    /// Of kinds of names that were asked for, whether the genes have none: a pass over all of them, once a kind.
    lacking: RefCell<HashMap<Kind, bool>>,
}

impl<'a> Reasons<'a> {
    pub(super) fn new(side: Side<'a>, of_symbols: bool) -> Self {
        let symbols = side.names(Kind::Symbol).unwrap_or_default();
        let names = side.genes.ids.iter().chain(symbols);
        let near = names.map(|name| (kind::without_version(name).to_uppercase(), name.as_str())).collect();
        Reasons { side, of_symbols, near, lacking: RefCell::default() }
    }

    /// Of a gene of another table, `name` being what it is called in the way that the tables were joined by.
    pub(super) fn missing_as(&self, id: &str, name: &str, way: &Way) -> Missing {
        let why = match name {
            _ if *way == Way::Id => self.why(id),
            name if kind::is_blank(name) => Some(format!("it has no {way}")),
            name if name == id => self.why(id),
            _ => None,
        };
        Missing::of(id, why)
    }

    pub(super) fn missing(&self, name: &str) -> Missing {
        Missing::of(name, self.why(name))
    }

    fn lacks(&self, kind: Kind, name: &str) -> bool {
        *self.lacking.borrow_mut().entry(kind).or_insert_with(|| self.side.lacks(name))
    }

    fn why(&self, name: &str) -> Option<String> {
        if dates::is_date(name) || self.of_symbols && dates::is_serial_date(name) {
            return Some("a date that a spreadsheet made of a symbol such as SEPT2 or MARCH1".into());
        }
        if name.strip_suffix(".0").is_some_and(kind::is_entrez) {
            return Some("a number with a decimal that some program added".into());
        }
        if let Some(near) = self.near.get(&kind::without_version(name).to_uppercase()) {
            return Some(match (kind::is_ensembl(name), *near == name) {
                (_, true) => "it is there, as a name of another kind: see --match-on".into(),
                (true, _) => format!("{near} is there, in another version"),
                (false, _) => format!("{near} is there, in another case"),
            });
        }
        match Kind::of(name) {
            Some(Kind::MadeUp) => Some("a made-up name, which is matched to the letter alone".into()),
            Some(kind) if self.lacks(kind, name) => Some(format!("the genes have no {kind}s")),
            None if kind::is_blank(name) => Some("blank".into()),
            None if name.contains(char::is_whitespace) => Some("it holds a blank".into()),
            _ => None,
        }
    }
}

/// Matches names as a user asked for, says what came of it, and keeps what was not found.
pub struct Finder<'a> {
    /// How.
    pub matching: &'a Matching,
    report: Reporter<'a>,
    told: RefCell<Table>,
}

impl<'a> Finder<'a> {
    /// # Errors
    /// [`Error::Exists`] for a table of unmatched names that is there, without `force`; [`Error::Data`] never.
    pub fn new(matching: &'a Matching, force: bool, report: Reporter<'a>) -> Result<Self> {
        matching.unmatched.as_deref().map_or(Ok(()), |path| atomic::check_free(path, force))?;
        Ok(Finder { matching, report, told: RefCell::new(none()) })
    }

    /// Finds a list's genes, by `rule` or the user's.
    ///
    /// # Errors
    /// Those of [`GeneList::open`] and [`GeneList::find`].
    pub fn list(&self, name: &str, side: &Side, rule: Option<Ambiguous>) -> Result<Found> {
        self.find(&GeneList::open(name)?, side, rule)
    }

    /// Finds genes by names that somebody typed, by `rule` or the user's.
    ///
    /// # Errors
    /// As [`Finder::list`].
    pub fn names(&self, names: &[String], side: &Side, rule: Option<Ambiguous>) -> Result<Found> {
        self.find(&GeneList::of_names(names)?, side, rule)
    }

    fn find(&self, list: &GeneList, side: &Side, rule: Option<Ambiguous>) -> Result<Found> {
        let rule = self.matching.ambiguous.or(rule).unwrap_or_default();
        list.notes.iter().for_each(|note| (self.report)(Event::Note(note.clone())));
        let (found, report) = list.find(side, self.matching.way().as_ref(), rule);
        // an error says itself what was not found
        if found.is_ok() {
            self.say(&report, None);
        }
        self.keep(&report)?;
        found
    }

    /// Finds the genes of one store or predictor in another store; the first `wanted` of them are reported on.
    ///
    /// # Errors
    /// As [`join`]; [`Error::Usage`] where one gene is to be several.
    pub fn stores(&self, left: &Side, right: &Side, wanted: usize) -> Result<Joined> {
        if self.matching.rule() == Ambiguous::All {
            let message = format!(
                "--ambiguous all: a gene of {} can be one gene of {}; pass first",
                left.name, right.name
            );
            return Err(Error::Usage(message));
        }
        let (joined, mut report) = join(left, right, self.matching.way().as_ref(), self.matching.rule())?;
        if wanted < left.genes.len() {
            report.keep(left.genes.ids.iter().take(wanted).map(String::as_str).collect(), &joined);
        }
        self.say(&report, Some(right));
        self.keep(&report)?;
        Ok(joined)
    }

    /// As [`Finder::stores`], where what a user asks for is about lists: it forces the way only where ids do not meet.
    ///
    /// # Errors
    /// As [`Finder::stores`].
    pub fn stores_beside_lists(&self, left: &Side, right: &Side) -> Result<Joined> {
        let rule =
            if self.matching.rule() == Ambiguous::All { Ambiguous::Refuse } else { self.matching.rule() };
        let asked = self.matching.way().filter(|_| !meet_by_id(left, right));
        let (joined, report) = join(left, right, asked.as_ref(), rule)?;
        self.say(&report, Some(right));
        self.keep(&report)?;
        Ok(joined)
    }

    fn say(&self, report: &Report, of: Option<&Side>) {
        report.notes.iter().for_each(|note| (self.report)(Event::Warning(note.clone())));
        let whole =
            of.is_some() && report.missing.is_empty() && report.by.iter().all(|(way, _)| *way == Way::Id);
        if !whole {
            let place = of.map_or(String::new(), |side| format!(" in {}", side.name));
            let text = format!("{}{place}: {}", report.list, report.line());
            let dropped = !report.missing.is_empty() && of.is_none();
            (self.report)(if dropped { Event::Warning(text) } else { Event::Note(text) });
        }
    }

    /// Keeps what was not found, and writes the table of it.
    fn keep(&self, report: &Report) -> Result<()> {
        let mut told = self.told.borrow_mut();
        // A list that is read again, for another size of the sets, is told once.
        let others: Vec<usize> =
            (0..told.len()).filter(|row| told.columns[0].1[*row] != report.list).collect();
        *told = told.select(&others);
        for missing in report.missing.iter().chain(&report.repeated) {
            told.ids.push(missing.name.clone());
            told.columns[0].1.push(report.list.clone());
            told.columns[1].1.push(missing.why.clone().unwrap_or_default());
        }
        self.matching.unmatched.as_deref().map_or(Ok(()), |path| write(path, &told))
    }
}

/// The table of no names.
fn none() -> Table {
    let mut told = Table::new("name", Vec::new());
    told.columns = ["list", "reason"].map(|name| (name.to_string(), Vec::new())).to_vec();
    told
}

fn write(path: &Path, told: &Table) -> Result<()> {
    atomic::write_file(path, true, |out| told.write(out).map_err(Error::io(path, "writing")))
}
