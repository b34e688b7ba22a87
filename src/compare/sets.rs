//! The landmark sets that are named: how they are read, called and cut, and where their genes stand in every store.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::genes::{Finder, Side, shorten};
use crate::nouns::counted;
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// A named set of landmarks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LandmarkSet {
    /// As it is called in every table.
    pub name: String,
    /// The file or panel; for a draw from all genes, `random`.
    pub source: String,
    /// Of a draw: what it is one draw of, such as `random-100`; figures are averaged over the draws of one name.
    pub draw_of: Option<String>,
    /// Positions among the training store's genes, in the order of the list.
    #[serde(skip)]
    pub genes: Vec<usize>,
    /// Where the list was chosen anew for every round: the list of each. Else none.
    #[serde(skip)]
    pub by_round: Vec<Vec<usize>>,
}

impl LandmarkSet {
    /// Reads `NAME=LIST`, where LIST is a file or the panel `l1000`, and finds its genes among those of the training store.
    ///
    /// # Errors
    /// [`Error::Usage`] for other text; those of [`Finder::list`].
    pub fn read(text: &str, genes: &Side, finder: &Finder) -> Result<LandmarkSet> {
        let parts = text.split_once('=').filter(|(name, list)| !name.is_empty() && !list.is_empty());
        let Some((name, source)) = parts else {
            return Err(Error::Usage(format!(
                "--landmarks {text}: expected NAME=TSV, or NAME=l1000 for the bundled panel"
            )));
        };
        if name.contains(['\t', '\n', '"']) {
            return Err(Error::Usage(format!(
                "--landmarks {text}: a name with a tab, a quote or a line break does not fit a table"
            )));
        }
        let ranked = finder.list(source, genes, None)?.ranked;
        let (name, source) = (name.to_string(), source.to_string());
        Ok(LandmarkSet { name, source, draw_of: None, genes: ranked, by_round: Vec::new() })
    }

    /// Reads one list for each round; the name of the set's file is that with the braces.
    ///
    /// # Errors
    /// As [`LandmarkSet::read`].
    pub fn read_by_round(
        text: &str,
        rounds: &[String],
        genes: &Side,
        finder: &Finder,
    ) -> Result<LandmarkSet> {
        let read = |round: &String| LandmarkSet::read(&text.replace(ROUND, round), genes, finder);
        let mut sets = rounds.iter().map(read).collect::<Result<Vec<_>>>()?;
        let by_round = sets.iter().map(|set| set.genes.clone()).collect();
        let source = text.split_once('=').map_or(text, |(_, source)| source).to_string();
        Ok(LandmarkSet { source, by_round, ..sets.swap_remove(0) })
    }

    /// The landmarks of a round.
    pub fn of_round(&self, round: usize) -> &[usize] {
        self.by_round.get(round).unwrap_or(&self.genes)
    }

    /// The list of each round; one where it is the same in all.
    pub(super) fn lists(&self) -> &[Vec<usize>] {
        if self.by_round.is_empty() { std::slice::from_ref(&self.genes) } else { &self.by_round }
    }

    /// The landmarks of any round.
    pub fn all(&self) -> impl Iterator<Item = usize> {
        self.lists().iter().flatten().copied()
    }

    /// Refuses lists by round that are not of one length where no more than `size` genes are used: figures, draws and ranks are those of
    /// one number of landmarks.
    pub(super) fn check_lengths(&self, size: Option<usize>, rounds: &[String]) -> Result<()> {
        let mut by_length: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (i, list) in self.by_round.iter().enumerate() {
            let round = rounds.get(i).cloned().unwrap_or_else(|| (i + 1).to_string());
            let name = match self.source.contains(ROUND) {
                true => self.source.replace(ROUND, &round),
                false => format!("round {round}"),
            };
            by_length.entry(list.len()).or_default().push(name);
        }
        let lengths = by_length.first_key_value().zip(by_length.last_key_value());
        let Some((least, most)) = lengths.map(|((least, _), (most, _))| (*least, *most)) else {
            return Ok(());
        };
        if least == most || size.is_some_and(|size| size <= least) {
            return Ok(());
        }
        let told = |(n, lists): (usize, Vec<String>)| {
            format!("{} of {}", counted(n, "gene"), shorten(lists.into_iter()))
        };
        let told: Vec<String> = by_length.into_iter().map(told).collect();
        Err(Error::Data(format!(
            "set {}: every round must have as many landmarks, but the training store has {}; give lists of one length, or one --size of \
             at most {least}",
            self.name,
            told.join(" and ")
        )))
    }

    /// Keeps the first `size` genes.
    pub(super) fn truncate(&mut self, size: usize, report: Reporter) {
        if self.genes.len() < size {
            let n = self.genes.len();
            report(Event::Note(format!(
                "{}: has {n} genes, fewer than --size {size}; all are used",
                self.name
            )));
        }
        self.genes.truncate(size);
        self.by_round.iter_mut().for_each(|genes| genes.truncate(size));
    }
}

/// What draws from all genes are called: `random-N-K`, their mean `random-N`, the means of all sizes `random`.
pub(super) const RANDOM: &str = "random";

/// Whether a name is that of draws of a family, `FAMILY-N`, or of one of them, `FAMILY-N-K`.
pub fn is_draw_of(name: &str, family: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let numbers = name.strip_prefix(family).and_then(|rest| rest.strip_prefix('-'));
    numbers.is_some_and(|rest| rest.split('-').count() <= 2 && rest.split('-').all(number))
}

/// Refuses names of sets that the comparison gives to draws itself: those from all genes, and those from the lists `pools`. No table
/// could tell which of the two a row is of.
///
/// # Errors
/// [`Error::Usage`] with the name.
pub fn check_names(ranked: &[&str], pools: &[&str]) -> Result<()> {
    let all = [ranked, pools].concat();
    for family in std::iter::once(&RANDOM).chain(pools) {
        // a list that is drawn from has the name of its draws' family
        let others = if *family == RANDOM { all.as_slice() } else { ranked };
        let same = others.iter().find(|name| *name == family);
        if let Some(name) = same.or_else(|| all.iter().find(|name| is_draw_of(name, family))) {
            return Err(Error::Usage(format!(
                "a set is called {name}, but {family}, {family}-N and {family}-N-K are what the comparison calls its own draws; \
                 choose another name"
            )));
        }
    }
    Ok(())
}

pub(super) fn names(sets: &[LandmarkSet]) -> Vec<&str> {
    sets.iter().map(|set| set.name.as_str()).collect()
}

/// What stands for a round (the group held out, or the split's number) in the name of a list's file.
pub const ROUND: &str = "{round}";

/// Where each of the training store's genes stands in every test store.
///
/// # Errors
/// Those of [`Finder::stores_beside_lists`].
pub fn places(finder: &Finder, train: &Side, tests: &[Store]) -> Result<Vec<Vec<Option<usize>>>> {
    let of = |test: &Store| {
        let name = test.path().display().to_string();
        Ok(finder.stores_beside_lists(train, &Side::of_store(&name, test))?.places())
    };
    tests.iter().map(of).collect()
}

/// What a user names: sets, and the genes to infer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Their order is a rank, so that the first genes are a set.
    pub ranked: Vec<LandmarkSet>,
    /// Their order is none, so that sets of a size are random subsets.
    pub unranked: Vec<LandmarkSet>,
    /// Taken as they are whatever the size, and without random draws of theirs.
    pub whole: Vec<LandmarkSet>,
    /// The genes to infer; all without.
    pub targets: Option<Vec<usize>>,
    /// What messages call the rounds of lists by round; their numbers without.
    pub rounds: Vec<String>,
}

impl From<Vec<LandmarkSet>> for Named {
    fn from(ranked: Vec<LandmarkSet>) -> Self {
        Named { ranked, ..Named::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_draws_are_called_is_no_name_for_a_list() {
        let refused = |ranked: &[&str], pools: &[&str]| check_names(ranked, pools).is_err();
        for name in ["random", "random-20", "random-20-1"] {
            assert!(refused(&["d", name], &[]) && refused(&["d"], &[name]), "{name}");
        }
        for name in ["d", "d-10", "d-10-3"] {
            assert!(refused(&[name], &["d"]) && !refused(&[name], &["e"]), "{name}");
        }
        assert!(refused(&[], &["d", "d-10"]), "the mean of the first one's draws");
        assert!(!refused(&["randomforest", "random-x", "d-", "d-1-2-3", "dd-1"], &["d"]));
        let message = check_names(&["random-20"], &[]).unwrap_err().to_string();
        assert!(message.contains("a set is called random-20") && message.contains("choose another name"));
    }

    fn by_round(source: &str, lists: &[&[usize]]) -> LandmarkSet {
        let by_round: Vec<Vec<usize>> = lists.iter().map(|list| list.to_vec()).collect();
        let genes = by_round[0].clone();
        LandmarkSet { name: "a".into(), source: source.into(), draw_of: None, genes, by_round }
    }

    #[test]
    fn lists_by_round_are_of_one_length_at_the_size() {
        let named = ["x", "y", "z"].map(String::from);
        let set = by_round("a-{round}.tsv", &[&[1, 2, 3], &[4, 5], &[6, 7, 8]]);
        for size in [None, Some(3), Some(9)] {
            let said = set.check_lengths(size, &named).unwrap_err().to_string();
            assert!(said.contains("has 2 genes of a-y.tsv and 3 genes of a-x.tsv, a-z.tsv;"), "{said}");
            assert!(said.contains("set a: ") && said.ends_with("one --size of at most 2"), "{said}");
        }
        assert!(set.check_lengths(Some(2), &named).is_ok() && set.check_lengths(Some(1), &named).is_ok());
        assert!(by_round("a", &[&[1, 2], &[3, 4]]).check_lengths(None, &[]).is_ok());
        let said = by_round("a", &[&[1, 2], &[3]]).check_lengths(None, &[]).unwrap_err().to_string();
        assert!(said.contains("1 gene of round 2 and 2 genes of round 1"), "{said}");
        let one = LandmarkSet { by_round: Vec::new(), ..set };
        assert!(one.check_lengths(None, &[]).is_ok());
    }

    #[test]
    fn a_set_is_cut_in_every_round() {
        let by_round = vec![vec![3, 2, 1], vec![9, 8]];
        let mut set = LandmarkSet {
            name: "a".into(),
            source: "a".into(),
            draw_of: None,
            genes: vec![1, 2, 3],
            by_round,
        };
        set.truncate(2, &crate::progress::silent);
        assert_eq!((set.genes, set.by_round), (vec![1, 2], vec![vec![3, 2], vec![9, 8]]));
    }
}
