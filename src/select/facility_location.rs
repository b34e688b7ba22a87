//! `facility-location`: genes such that every gene is near one of them. Each gene is the one that raises
//! F(S) = Σ_i max_{j∈S} r_ij² most, r being correlations over the samples.
//!
//! Source: Cornuéjols, Fisher & Nemhauser, Management Science 23, 1977 (greedy); Minoux 1978 (lazy: F is submodular, so a gain
//! from earlier bounds a later one, and few are computed anew). No options. Cost: n·G² for the products of all genes, a column
//! of G for each gain that is computed. Score: the gene's share of F's maximum, the number of genes that vary.

use super::constraints::{Constraints, Picks};
use super::covariance::Covariance;
use crate::error::Result;
use crate::interrupt;
use crate::progress::{Event, Reporter, advance};

/// Chooses by the products of genes with each other.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted) where the process was asked to end.
pub fn facility_location(
    c: &Covariance,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    cover(&Similarity { c, of: |r| r * r }, ids, constraints, report)
}

/// How alike genes are, by their correlation.
pub struct Similarity<'a, F> {
    /// Products of genes.
    pub c: &'a Covariance,
    /// From a correlation to 0 (nothing in common) … 1 (the same).
    pub of: F,
}

impl<F: Fn(f64) -> f64> Similarity<'_, F> {
    /// Of one gene with every gene; 0 where one of them does not vary.
    pub fn column(&self, gene: usize) -> Vec<f64> {
        let diagonal = self.c.diagonal();
        let own = diagonal[gene];
        let similar = |(c, other): (f32, &f64)| match own * other {
            0.0 => 0.0,
            size => (self.of)(f64::from(c) / size.sqrt()),
        };
        self.c.column(gene).into_iter().zip(diagonal).map(similar).collect()
    }
}

/// The lazy greedy for Σ_i max_{j∈S} s_ij: equal gains by id, genes that do not vary last with score 0.
///
/// # Errors
/// As [`facility_location`].
pub fn cover<F: Fn(f64) -> f64>(
    similarity: &Similarity<F>,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    let varies = |gene: usize| similarity.c.diagonal()[gene] > 0.0;
    let varying = (0..ids.len()).filter(|gene| varies(*gene)).count().max(1) as f64;
    let mut covered = vec![0.0; ids.len()];
    // Bounds from above, and how many genes were chosen when they were exact.
    let mut gains = vec![(f64::INFINITY, usize::MAX); ids.len()];
    let mut taken = vec![false; ids.len()];
    let mut picks = Picks::default();
    let total = Some(constraints.n() as u64);
    report(Event::Started { task: "selecting".into(), total, unit: "genes" });
    while picks.genes.len() < constraints.n() {
        let placed = picks.genes.len();
        let free = (0..ids.len()).filter(|gene| !taken[*gene] && constraints.allows(*gene, placed));
        let better = |a: &usize, b: &usize| {
            // A copy of what is chosen gains as little as a gene that does not vary, but comes before it.
            let first = varies(*a).cmp(&varies(*b)).then(gains[*a].0.total_cmp(&gains[*b].0));
            first.then_with(|| ids[*b].cmp(&ids[*a]))
        };
        let gene = free.max_by(better).expect("constraints leave enough genes");
        interrupt::check()?; // the first pick takes a column of every gene
        let column = similarity.column(gene);
        if gains[gene].1 != placed {
            let gain = column.iter().zip(&covered).map(|(s, most)| (s - most).max(0.0)).sum();
            gains[gene] = (gain, placed);
            continue;
        }
        covered.iter_mut().zip(column).for_each(|(most, s)| *most = most.max(s));
        taken[gene] = true;
        picks.push(gene, gains[gene].0 / varying);
        advance(report, picks.genes.len() as u64, "")?;
    }
    report(Event::Finished);
    Ok(picks)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::interrupt::Wish;
    use crate::progress::silent;
    use crate::select::covariance;

    #[test]
    fn the_first_pick_ends_where_that_is_asked_for() {
        const GENES: usize = 30;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = crate::testing::random_store(&dir.path().join("x.gex"), 20, GENES);
        let c = covariance::tests::small(&store, 16);
        let constraints = Constraints::new(store.genes(), 3, &[], &[]).expect("genes enough");
        let select = || {
            let (wish, seen) = (Wish::default(), Cell::new(0));
            wish.heed();
            let of = |r: f64| {
                wish.ask(2);
                seen.set(seen.get() + 1);
                r * r
            };
            let found = cover(&Similarity { c: &c, of }, &store.genes().ids, &constraints, &silent);
            (found.map(|picks| picks.genes).map_err(|error| error.exit_code()), seen.get())
        };
        // a thread of its own, which alone heeds the wish
        let ended = std::thread::scope(|scope| scope.spawn(select).join().expect("it ends"));
        assert_eq!(ended, (Err(130), GENES), "after one column");
    }
}
