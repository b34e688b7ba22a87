//! What is compared: the sets of one size, the random draws that join them, and the genes that all of them must infer.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;

use super::leaks::{Identity, Leaks};
use super::sets::{LandmarkSet, Named, RANDOM, check_names, names, places};
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
    /// ones from genes that all stores measure, and takes as targets the genes (or those that are named) that are in no set.
    ///
    /// # Errors
    /// [`Error::Usage`] without sets or test stores, for --size 0, for unranked ones without a size, for two sets of one name and as
    /// [`check_names`];
    /// [`Error::Data`] where a set is larger than the genes, where its lists by round are of different lengths, where landmarks are
    /// absent from a test store, where no target remains.
    pub fn new(
        train: &Store,
        tests: &[Store],
        places: Vec<Vec<Option<usize>>>,
        named: Named,
        identity: &Identity,
        settings: &PlanSettings,
        report: Reporter,
    ) -> Result<Plan> {
        let genes = train.genes();
        let Named { ranked, unranked, whole, targets: asked, rounds } = named;
        check_names(&names(&ranked), &names(&unranked))?;
        if ranked.is_empty() && unranked.is_empty() || tests.is_empty() {
            return Err(Error::Usage("at least one set of landmarks and one test store are needed".into()));
        }
        let cut = ranked.iter().chain(&unranked).map(|set| (set, settings.size));
        cut.chain(whole.iter().map(|set| (set, None)))
            .try_for_each(|(set, size)| set.check_lengths(size, &rounds))?;
        let sets = sized_sets(train, ranked, unranked, settings, report)?;
        for (test, places) in tests.iter().zip(&places) {
            sets.iter().try_for_each(|set| landmarks_are_there(set, genes, test, places))?;
        }
        let sets = with_draws(sets, whole, (&places, genes.len()), settings)?;
        let asked = asked.unwrap_or_else(|| (0..genes.len()).collect());
        let total = asked.len();
        let mut targets = targets_of(&sets, asked, (tests, &places, genes.len()), report)?;
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
        Plan::new(train, tests, places, sets.into(), &identity, &settings, report)
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

/// The ranked sets cut to the size, and subsets of that size of the others.
fn sized_sets(
    train: &Store,
    ranked: Vec<LandmarkSet>,
    unranked: Vec<LandmarkSet>,
    settings: &PlanSettings,
    report: Reporter,
) -> Result<Vec<LandmarkSet>> {
    let (mut sets, genes) = (ranked, train.n_genes());
    match settings.size {
        Some(0) => return Err(Error::Usage("--size must be at least 1".into())),
        Some(size) if size > genes => {
            let path = train.path().display();
            return Err(Error::Data(format!(
                "--size {size}, but {path} has only {}",
                counted(genes, "gene")
            )));
        }
        Some(size) => {
            sets.iter_mut().for_each(|set| set.truncate(size, report));
            sets.extend(unranked.into_iter().flat_map(|pool| subsets(pool, size, settings, report)));
        }
        None if !unranked.is_empty() => {
            let message = "--subsets draws from lists whose order is no rank; give the --size of the subsets";
            return Err(Error::Usage(message.into()));
        }
        None => {}
    }
    Ok(sets)
}

/// The sets, those that are taken whole, and random ones of each size of the first from genes that all test stores measure. `places` are
/// those of so many genes of the training store.
fn with_draws(
    mut sets: Vec<LandmarkSet>,
    whole: Vec<LandmarkSet>,
    (places, genes): (&[Vec<Option<usize>>], usize),
    settings: &PlanSettings,
) -> Result<Vec<LandmarkSet>> {
    let everywhere: Vec<usize> =
        (0..genes).filter(|g| places.iter().all(|places| places[*g].is_some())).collect();
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
        return Err(Error::Usage(format!("two sets are called {}; give them different names", twice.name)));
    }
    Ok(sets)
}

/// Those of the genes that are asked for that are in no set and that a test store measures. `places` are those of so many genes of the
/// training store.
fn targets_of(
    sets: &[LandmarkSet],
    asked: Vec<usize>,
    (tests, places, genes): (&[Store], &[Vec<Option<usize>>], usize),
    report: Reporter,
) -> Result<Vec<usize>> {
    let mut landmark = vec![false; genes];
    sets.iter().flat_map(LandmarkSet::all).for_each(|gene| landmark[gene] = true);
    let total = asked.len();
    let somewhere = |gene: &usize| places.iter().any(|places| places[*gene].is_some());
    let mut targets: Vec<usize> = asked.into_iter().filter(|gene| !landmark[*gene]).collect();
    if targets.is_empty() {
        return Err(no_target(sets, total, "every one is a landmark"));
    }
    targets.retain(somewhere);
    for (test, places) in tests.iter().zip(places) {
        let absent = targets.iter().filter(|gene| places[**gene].is_none()).count();
        let store = test.path().display();
        if absent > 0 {
            report(Event::Note(format!("{store}: lacks {absent} of the targets; they are left out there")));
        }
        if absent == targets.len() {
            return Err(no_target(sets, total, &format!("none of them is in {store}")));
        }
    }
    Ok(targets)
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
    let all: BTreeSet<usize> = set.all().collect();
    let absent = all.iter().filter(|g| places[**g].is_none());
    let absent: Vec<String> = absent.map(|g| shown(genes, *g)).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let message = format!(
        "lacks {} of the {} landmarks of set {}: {}{}; give a store that measures them, or leave them out of the set",
        absent.len(),
        all.len(),
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

/// Random subsets of a list whose order is no rank, of each round's where these are several; the list itself where it has no more genes
/// than asked.
fn subsets(
    mut pool: LandmarkSet,
    size: usize,
    settings: &PlanSettings,
    report: Reporter,
) -> Vec<LandmarkSet> {
    if pool.lists().iter().all(|list| list.len() <= size) {
        pool.truncate(size, report);
        return vec![pool];
    }
    let draw = |draw| {
        let of = |list: &[usize]| drawn(&pool.name, &pool.source, list, size, draw, settings.seed);
        let by_round = pool.by_round.iter().map(|list| of(list).genes).collect();
        LandmarkSet { by_round, ..of(&pool.genes) }
    };
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
    fn subsets_of_lists_by_round_are_of_each_rounds_own() {
        let by_round = vec![vec![1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]];
        let (name, source, genes) = ("a".into(), "a".into(), by_round[0].clone());
        let pool = LandmarkSet { name, source, draw_of: None, genes, by_round };
        let settings =
            PlanSettings { size: Some(2), random_draws: 2, largest: 0, drop_leaks: false, seed: 1 };
        let found = subsets(pool.clone(), 2, &settings, &crate::progress::silent);
        assert_eq!(found.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(), ["a-2-1", "a-2-2"]);
        for set in found {
            assert_eq!((set.by_round.len(), &set.genes), (3, &set.by_round[0]));
            for (own, of) in set.by_round.iter().zip(&pool.by_round) {
                assert!(own.len() == 2 && own.iter().all(|gene| of.contains(gene)), "{own:?} of {of:?}");
            }
        }
        assert_eq!(subsets(pool.clone(), 4, &settings, &crate::progress::silent), [pool]);
    }
}
