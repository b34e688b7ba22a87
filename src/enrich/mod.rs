//! Which gene sets a panel has more genes of than chance gives, or fewer: over-representation, with both tails.
//!
//! The table has the columns of R's clusterProfiler (`enricher`), and three things that it has not: the lower tail, sets without a
//! hit (they were tested too, and count in the adjustment), and the same figures for random panels of genes that are
//! expressed as the landmarks are.

mod collection;
mod overlap;
mod panels;
mod universe;

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use collection::{BUNDLED, Collection, GeneSet};
pub use overlap::{Overlap, benjamini_hochberg, q_values};
pub use panels::Matched;
pub use universe::{Members, Universe};

/// Adjusted p-values below this are told.
pub const LEVEL: f64 = 0.05;

/// Which sets are tested, and against how many panels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Sets of fewer genes of the universe are not tested.
    pub min_size: usize,
    /// Nor are sets of more.
    pub max_size: usize,
    /// Random panels.
    pub panels: usize,
    /// Of the panels.
    pub seed: u64,
}

/// clusterProfiler's sizes.
impl Default for Settings {
    fn default() -> Self {
        Settings { min_size: 10, max_size: 500, panels: 1000, seed: 0 }
    }
}

/// A set and what the panel has of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// Which of the universe's sets.
    pub set: usize,
    /// The counts.
    pub overlap: Overlap,
    /// Genes of both.
    pub hits: Vec<usize>,
    /// P(X ≥ k), adjusted, and its q-value.
    pub upper: [f64; 3],
    /// P(X ≤ k), and adjusted.
    pub lower: [f64; 2],
    /// Hits of a random panel on average, and the share of panels with at least, and at most, as many (one is added to both counts);
    /// `None` where no panels were drawn.
    pub panels: Option<[f64; 3]>,
}

/// What came of all sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Unique genes that could have been chosen.
    pub universe: usize,
    /// Unique genes of the panel.
    pub chosen: usize,
    /// Of these, genes in any set of the collection, tested or not.
    pub annotated: usize,
    /// Sets that were tested.
    pub sets: usize,
    /// Of these, sets with a gene of the panel.
    pub hit: usize,
    /// Sets with an adjusted p below [`LEVEL`]: more than chance, fewer.
    pub beyond: [usize; 2],
    /// Of a random panel: the mean number of sets with a gene of it, and that are beyond chance above and below.
    pub of_panels: Option<[f64; 3]>,
    /// The tested set with most genes of the panel, in words, and how many.
    pub largest: Option<(String, usize)>,
}

/// Tests a panel, genes of the universe, ascending. Sets come by their upper p, then by name.
pub fn enrich(
    universe: &Universe,
    panel: &[usize],
    means: &[f64],
    settings: &Settings,
) -> (Vec<Tested>, Summary) {
    let sizes = settings.min_size.max(1)..=settings.max_size;
    let sets: Vec<usize> =
        (0..universe.sets.len()).filter(|set| sizes.contains(&universe.sets[*set].genes.len())).collect();
    let counts = |panel: &[usize]| -> Vec<Overlap> {
        let mut is_in = vec![false; universe.len()];
        panel.iter().for_each(|gene| is_in[*gene] = true);
        let overlap = |set: &usize| {
            let genes = &universe.sets[*set].genes;
            let hits = genes.iter().filter(|gene| is_in[**gene]).count();
            Overlap { universe: universe.len(), set: genes.len(), chosen: panel.len(), hits }
        };
        sets.iter().map(overlap).collect()
    };
    let own = counts(panel);
    let matched = Matched::new(means, panel);
    let draw = |number: usize| counts(&matched.draw(settings.seed, number as u64));
    let drawn: Vec<Vec<Overlap>> = (0..settings.panels).into_par_iter().map(draw).collect();
    let tails = Tails::of(drawn.iter().flatten().chain(&own));
    let tested = table(universe, panel, &sets, &tails, &own, &drawn);
    let summary = summary(universe, panel, &tails, &tested, &drawn);
    (tested, summary)
}

/// Both tails of every overlap: of a thousand panels most have been met before.
struct Tails(HashMap<Overlap, [f64; 2]>);

impl Tails {
    fn of<'a>(all: impl Iterator<Item = &'a Overlap>) -> Tails {
        let distinct: Vec<Overlap> = all.copied().collect::<HashSet<_>>().into_iter().collect();
        Tails(distinct.into_par_iter().map(|overlap| (overlap, [overlap.upper(), overlap.lower()])).collect())
    }

    fn look(&self, overlaps: &[Overlap], tail: usize) -> Vec<f64> {
        overlaps.iter().map(|overlap| self.0[overlap][tail]).collect()
    }

    /// Sets with a hit, and sets beyond chance above and below.
    fn counted(&self, overlaps: &[Overlap]) -> [usize; 3] {
        let beyond = |tail: usize| {
            let adjusted = benjamini_hochberg(&self.look(overlaps, tail));
            adjusted.iter().filter(|p| **p < LEVEL).count()
        };
        [overlaps.iter().filter(|overlap| overlap.hits > 0).count(), beyond(0), beyond(1)]
    }
}

fn table(
    universe: &Universe,
    panel: &[usize],
    sets: &[usize],
    tails: &Tails,
    own: &[Overlap],
    drawn: &[Vec<Overlap>],
) -> Vec<Tested> {
    let (upper, lower) = (tails.look(own, 0), tails.look(own, 1));
    let (above, below, q) = (benjamini_hochberg(&upper), benjamini_hochberg(&lower), q_values(&upper));
    let hits = |set: usize| {
        let genes = universe.sets[set].genes.iter();
        genes.filter(|gene| panel.binary_search(gene).is_ok()).copied().collect()
    };
    let row = |i: usize| Tested {
        set: sets[i],
        overlap: own[i],
        hits: hits(sets[i]),
        upper: [upper[i], above[i], q[i]],
        lower: [lower[i], below[i]],
        panels: (!drawn.is_empty()).then(|| beside(own[i].hits, drawn.iter().map(|panel| panel[i].hits))),
    };
    let mut tested: Vec<Tested> = (0..sets.len()).map(row).collect();
    let name = |tested: &Tested| &universe.sets[tested.set].id;
    tested.sort_by(|a, b| a.upper[0].total_cmp(&b.upper[0]).then_with(|| name(a).cmp(name(b))));
    tested
}

/// The mean of others' hits, and the shares of others with at least and at most as many as `own`.
fn beside(own: usize, others: impl Iterator<Item = usize> + Clone) -> [f64; 3] {
    let n = others.clone().count() as f64;
    let share = |as_extreme: &dyn Fn(usize) -> bool| {
        (1.0 + others.clone().filter(|hits| as_extreme(*hits)).count() as f64) / (1.0 + n)
    };
    let mean = others.clone().sum::<usize>() as f64 / n;
    [mean, share(&|hits| hits >= own), share(&|hits| hits <= own)]
}

fn summary(
    universe: &Universe,
    panel: &[usize],
    tails: &Tails,
    tested: &[Tested],
    drawn: &[Vec<Overlap>],
) -> Summary {
    let mut is_annotated = vec![false; universe.len()];
    universe.sets.iter().flat_map(|set| &set.genes).for_each(|gene| is_annotated[*gene] = true);
    let own: Vec<Overlap> = tested.iter().map(|tested| tested.overlap).collect();
    let [hit, above, below] = tails.counted(&own);
    let all: Vec<[usize; 3]> = drawn.par_iter().map(|panel| tails.counted(panel)).collect();
    let mean = |i: usize| all.iter().map(|counts| counts[i]).sum::<usize>() as f64 / all.len() as f64;
    let largest = tested.iter().filter(|tested| tested.overlap.hits > 0).min_by(|a, b| {
        b.overlap
            .hits
            .cmp(&a.overlap.hits)
            .then_with(|| universe.sets[a.set].id.cmp(&universe.sets[b.set].id))
    });
    Summary {
        universe: universe.len(),
        chosen: panel.len(),
        annotated: panel.iter().filter(|gene| is_annotated[**gene]).count(),
        sets: tested.len(),
        hit,
        beyond: [above, below],
        of_panels: (!all.is_empty()).then(|| [0, 1, 2].map(mean)),
        largest: largest.map(|tested| (called(&universe.sets[tested.set]), tested.overlap.hits)),
    }
}

/// `description (id)`, or the id alone.
pub fn called(set: &Members) -> String {
    match set.description.is_empty() || set.description == set.id {
        true => set.id.clone(),
        false => format!("{} ({})", set.description, set.id),
    }
}

/// Columns of the table.
pub const HEADER: [&str; 17] = [
    "ID",
    "Description",
    "GeneRatio",
    "BgRatio",
    "RichFactor",
    "FoldEnrichment",
    "zScore",
    "pvalue",
    "p.adjust",
    "qvalue",
    "geneID",
    "Count",
    "pvalue.lower",
    "p.adjust.lower",
    "panel.mean",
    "panel.p",
    "panel.p.lower",
];

/// The fields of a row of the table.
pub fn fields(universe: &Universe, tested: &Tested) -> Vec<String> {
    let Overlap { universe: all, set, chosen, hits } = tested.overlap;
    let members = &universe.sets[tested.set];
    let genes: Vec<&str> = tested.hits.iter().map(|gene| universe.names[*gene].as_str()).collect();
    let number = |x: Option<f64>| x.map_or_else(|| "NA".to_string(), |x| x.to_string());
    let panels = |i: usize| number(tested.panels.map(|panels| panels[i]));
    let expected = tested.overlap.expected();
    vec![
        members.id.clone(),
        members.description.clone(),
        format!("{hits}/{chosen}"),
        format!("{set}/{all}"),
        (hits as f64 / set as f64).to_string(),
        number((expected > 0.0).then(|| hits as f64 / expected)),
        number(tested.overlap.z()),
        tested.upper[0].to_string(),
        tested.upper[1].to_string(),
        tested.upper[2].to_string(),
        genes.join("/"),
        hits.to_string(),
        tested.lower[0].to_string(),
        tested.lower[1].to_string(),
        panels(0),
        panels(1),
        panels(2),
    ]
}
