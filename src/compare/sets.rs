//! What is compared: the landmark sets, the random draws that join them, and the genes that all of them must infer.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;

use super::leaks::{Identity, Leaks};
use crate::device::random::Stream;
use crate::error::{Error, Result};
use crate::genes::{Finder, Matching, Side, Table, shown};
use crate::nouns::counted;
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// Genes that a message names.
const NAMED: usize = 5;
/// Fewer targets than this share of the genes are worth a warning.
const FEW: f64 = 0.1;

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

    /// The landmarks of any round.
    pub fn all(&self) -> impl Iterator<Item = usize> {
        let lists: &[Vec<usize>] =
            if self.by_round.is_empty() { std::slice::from_ref(&self.genes) } else { &self.by_round };
        lists.iter().flatten().copied()
    }

    /// Keeps the first `size` genes.
    fn truncate(&mut self, size: usize, report: Reporter) {
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
const RANDOM: &str = "random";

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

fn names(sets: &[LandmarkSet]) -> Vec<&str> {
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

/// The sets that a user names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Their order is a rank, so that the first genes are a set.
    pub ranked: Vec<LandmarkSet>,
    /// Their order is none, so that sets of a size are random subsets.
    pub unranked: Vec<LandmarkSet>,
    /// Taken as they are whatever the size, and without random draws of theirs.
    pub whole: Vec<LandmarkSet>,
}

impl From<Vec<LandmarkSet>> for Named {
    fn from(ranked: Vec<LandmarkSet>) -> Self {
        Named { ranked, ..Named::default() }
    }
}

/// What is asked of the sets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlanSettings {
    /// Only the first genes of each set.
    pub size: Option<usize>,
    /// Random sets of each size that a named set has, and random subsets of each list whose order is no rank.
    pub random_draws: usize,
    /// The largest size of the comparison, so that draws of every size come from the same genes; 0 is the largest of these sets.
    pub largest: usize,
    /// Leave out targets that are a landmark's gene measured by another probe.
    pub drop_leaks: bool,
    /// Of the draws.
    pub seed: u64,
}

/// Sets and targets, ready to be compared.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The named sets in the order given, then the subsets of lists, then the draws from all genes by size.
    pub sets: Vec<LandmarkSet>,
    /// Genes in none of the sets, as positions among the training store's genes.
    pub targets: Vec<usize>,
    /// Whether each target is one at every size that is compared; figures and tests are over these.
    pub common: Vec<bool>,
    /// Of each test store: where each of the training store's genes stands in it.
    pub places: Vec<Vec<Option<usize>>>,
    /// Targets that are a landmark's gene by another name.
    pub leaks: Leaks,
}

impl Plan {
    /// `places` says where each of the training store's genes stands in each test store.
    ///
    /// Truncates the ranked sets, draws subsets of the others, checks that every test store measures them, draws the random
    /// ones from genes that all stores measure, and takes as targets the genes (or those of `listed`) that are in no set.
    ///
    /// # Errors
    /// [`Error::Usage`] without sets or test stores, for --size 0, for unranked ones without a size, for two sets of one name and as
    /// [`check_names`];
    /// [`Error::Data`] where a set is larger than the genes, where landmarks are absent from a test store, where no target
    /// remains.
    #[allow(clippy::too_many_arguments)] // what a comparison is made of; each is a thing of its own
    pub fn new(
        train: &Store,
        tests: &[Store],
        places: Vec<Vec<Option<usize>>>,
        named: Named,
        listed: Option<Vec<usize>>,
        identity: &Identity,
        settings: &PlanSettings,
        report: Reporter,
    ) -> Result<Plan> {
        let genes = train.genes();
        let Named { ranked: mut sets, unranked: pools, whole } = named;
        check_names(&names(&sets), &names(&pools))?;
        if sets.is_empty() && pools.is_empty() || tests.is_empty() {
            return Err(Error::Usage("at least one set of landmarks and one test store are needed".into()));
        }
        match settings.size {
            Some(0) => return Err(Error::Usage("--size must be at least 1".into())),
            Some(size) if size > genes.len() => {
                let message = format!(
                    "--size {size}, but {} has only {}",
                    train.path().display(),
                    counted(genes.len(), "gene")
                );
                return Err(Error::Data(message));
            }
            Some(size) => {
                sets.iter_mut().for_each(|set| set.truncate(size, report));
                for pool in pools {
                    sets.extend(subsets(pool, size, settings, report));
                }
            }
            None if !pools.is_empty() => {
                let message =
                    "--subsets draws from lists whose order is no rank; give the --size of the subsets";
                return Err(Error::Usage(message.into()));
            }
            None => {}
        }
        for (test, places) in tests.iter().zip(&places) {
            sets.iter().try_for_each(|set| landmarks_are_there(set, genes, test, places))?;
        }
        let everywhere: Vec<usize> =
            (0..genes.len()).filter(|g| places.iter().all(|places| places[*g].is_some())).collect();
        let sizes: BTreeSet<usize> = sets.iter().map(|set| set.genes.len()).collect();
        sets.extend(whole);
        let largest = sizes.last().copied().unwrap_or(0).max(settings.largest);
        let pool = reserved(&everywhere, largest, settings.seed);
        for size in sizes {
            let draw = |draw| drawn(RANDOM, RANDOM, &pool, size, draw, settings.seed);
            sets.extend((0..settings.random_draws).map(draw));
        }
        let mut names = HashSet::new();
        if let Some(twice) = sets.iter().find(|set| !names.insert(&set.name)) {
            return Err(Error::Usage(format!(
                "two sets are called {}; give them different names",
                twice.name
            )));
        }

        let mut landmark = vec![false; genes.len()];
        sets.iter().flat_map(LandmarkSet::all).for_each(|gene| landmark[gene] = true);
        let asked = listed.unwrap_or_else(|| (0..genes.len()).collect());
        let total = asked.len();
        let somewhere = |gene: &usize| places.iter().any(|places| places[*gene].is_some());
        let mut targets: Vec<usize> = asked.into_iter().filter(|gene| !landmark[*gene]).collect();
        if targets.is_empty() {
            return Err(no_target(&sets, total, "every one is a landmark"));
        }
        targets.retain(somewhere);
        for (test, places) in tests.iter().zip(&places) {
            let absent = targets.iter().filter(|gene| places[**gene].is_none()).count();
            if absent > 0 {
                let store = test.path().display();
                report(Event::Note(format!(
                    "{store}: lacks {absent} of the targets; they are left out there"
                )));
            }
            if absent == targets.len() {
                return Err(no_target(
                    &sets,
                    total,
                    &format!("none of them is in {}", test.path().display()),
                ));
            }
        }
        let mut leaks = Leaks::find(identity, &sets, &targets);
        leaks.report(genes, &sets, settings.drop_leaks, report);
        if settings.drop_leaks {
            targets = targets
                .into_iter()
                .zip(&leaks.leaking)
                .filter(|(_, leaks)| !**leaks)
                .map(|(g, _)| g)
                .collect();
            leaks.leaking = vec![false; targets.len()];
        }
        if targets.is_empty() {
            return Err(no_target(&sets, total, "every one is a landmark or leaks from one"));
        }
        if (targets.len() as f64) < FEW * genes.len() as f64 {
            report(Event::Warning(format!(
                "only {} of {total} genes are in none of the {} sets; compare fewer sets, or with fewer --random-draws",
                targets.len(),
                sets.len()
            )));
        }
        let common = vec![true; targets.len()];
        Ok(Plan { sets, targets, common, places, leaks })
    }

    /// Finds the targets that are one in each of the plans, so that figures of different sizes are over the same genes.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none.
    pub fn settle_common(plans: &mut [&mut Plan], genes: usize) -> Result<()> {
        let mut times = vec![0; genes];
        plans.iter().flat_map(|plan| &plan.targets).for_each(|gene| times[*gene] += 1);
        let n = plans.len();
        for plan in plans {
            plan.common = plan.targets.iter().map(|gene| times[*gene] == n).collect();
            if plan.common.iter().all(|common| !common) {
                return Err(no_target(&plan.sets, genes, "no gene is outside the sets of every size"));
            }
        }
        Ok(())
    }

    /// Whether there are targets that are none at a larger size.
    pub fn has_more(&self) -> bool {
        self.common.contains(&false)
    }

    /// Lists of ids of the training store's genes, beside `draws` random ones of each size.
    ///
    /// # Errors
    /// As [`Plan::new`]; [`Error::Data`] for an id that the training store does not have.
    pub fn of_lists(
        train: &Store,
        tests: &[Store],
        lists: &[(&str, &[String])],
        draws: usize,
        report: Reporter,
    ) -> Result<Plan> {
        let (name, known) = (train.path().display().to_string(), train.genes().positions());
        let place = |list: &str, id: &String| {
            known
                .get(id.as_str())
                .copied()
                .ok_or_else(|| Error::Data(format!("{name} has no gene {id:?}, of the list {list}")))
        };
        let set = |(list, ids): &(&str, &[String])| {
            let genes = ids.iter().map(|id| place(list, id)).collect::<Result<_>>()?;
            Ok(LandmarkSet {
                name: list.to_string(),
                source: String::new(),
                draw_of: None,
                genes,
                by_round: Vec::new(),
            })
        };
        let sets = lists.iter().map(set).collect::<Result<Vec<_>>>()?;
        let matching = Matching::default();
        let places = places(&Finder::new(&matching, false, report)?, &Side::of_store(&name, train), tests)?;
        let identity = Identity::new(train.genes(), None, report)?;
        let settings =
            PlanSettings { size: None, random_draws: draws, largest: 0, drop_leaks: false, seed: 0 };
        Plan::new(train, tests, places, sets.into(), None, &identity, &settings, report)
    }

    /// The draws by what they are draws of, in the order of their first.
    pub fn draws(&self) -> Vec<(&str, Vec<usize>)> {
        let mut all: Vec<(&str, Vec<usize>)> = Vec::new();
        for (i, set) in self.sets.iter().enumerate() {
            let Some(name) = &set.draw_of else { continue };
            match all.iter_mut().find(|(known, _)| known == name) {
                Some((_, draws)) => draws.push(i),
                None => all.push((name, vec![i])),
            }
        }
        all
    }
}

fn no_target(sets: &[LandmarkSet], total: usize, why: &str) -> Error {
    Error::Data(format!(
        "of {total} genes no target remains beside {} sets: {why}; compare fewer or smaller sets, or fewer --random-draws",
        sets.len()
    ))
}

fn landmarks_are_there(
    set: &LandmarkSet,
    genes: &Table,
    test: &Store,
    places: &[Option<usize>],
) -> Result<()> {
    let absent: BTreeSet<usize> = set.all().filter(|g| places[*g].is_none()).collect();
    let absent: Vec<String> = absent.into_iter().map(|g| shown(genes, g)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let message = format!(
        "lacks {} of the {} landmarks of set {}: {}{}; give a store that measures them, or leave them out of the set",
        absent.len(),
        set.genes.len(),
        set.name,
        absent[..absent.len().min(NAMED)].join(", "),
        if absent.len() > NAMED { ", …" } else { "" }
    );
    Err(Error::input(test.path(), message))
}

/// A random subset of `pool`.
fn drawn(name: &str, source: &str, pool: &[usize], size: usize, draw: usize, seed: u64) -> LandmarkSet {
    let mut stream = Stream::new(seed, &format!("{name} landmarks, {size}"), draw as u64);
    let mut genes = pool.to_vec();
    stream.shuffle(&mut genes);
    genes.truncate(size);
    let of = format!("{name}-{size}");
    let (name, draw_of) = (format!("{of}-{}", draw + 1), Some(of));
    LandmarkSet { name, source: source.into(), draw_of, genes, by_round: Vec::new() }
}

/// The genes that random sets of every size are drawn from: a random part of all, several times the largest set and a quarter of the genes
/// at least, so that however many draws there are, they leave genes to infer.
fn reserved(genes: &[usize], largest: usize, seed: u64) -> Vec<usize> {
    let n = genes.len();
    let size = if 4 * largest <= n {
        (4 * largest).max(n / 4).min(n / 2)
    } else {
        largest + n.saturating_sub(largest) / 2
    };
    let mut pool = genes.to_vec();
    Stream::new(seed, "genes for random landmarks", 0).shuffle(&mut pool);
    pool.truncate(size);
    pool.sort_unstable();
    pool
}

/// Random subsets of a list whose order is no rank; the list itself where it has no more genes than asked.
fn subsets(
    mut pool: LandmarkSet,
    size: usize,
    settings: &PlanSettings,
    report: Reporter,
) -> Vec<LandmarkSet> {
    if pool.genes.len() <= size {
        pool.truncate(size, report);
        return vec![pool];
    }
    let draw = |draw| drawn(&pool.name, &pool.source, &pool.genes, size, draw, settings.seed);
    (0..settings.random_draws.max(1)).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_sets_leave_half_of_the_genes_where_they_can() {
        let genes: Vec<usize> = (100..140).collect();
        let size = |largest| reserved(&genes, largest, 1).len();
        // a quarter of all, four times the largest set, half of all; beyond, the set and half of what is left
        assert_eq!([1, 2, 3, 4, 5, 10].map(size), [10, 10, 12, 16, 20, 20]);
        assert_eq!([11, 20, 39, 40, 50].map(size), [25, 30, 39, 40, 40]);
        let pool = reserved(&genes, 3, 1);
        assert!(pool.is_sorted() && pool.iter().all(|gene| genes.contains(gene)));
        assert!(pool == reserved(&genes, 3, 1) && pool != reserved(&genes, 3, 2));
    }

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
