//! `k-medoids`: genes in the middle of N clusters, at a distance of 1 − |r| from each other, r being correlations over the samples.
//!
//! Source: Kaufman & Rousseeuw, "Finding Groups in Data", 1990 (BUILD, the start); Park & Jun, Expert Systems with
//! Applications 36, 2009 (the alternation): every gene goes to its nearest medoid, every cluster's medoid becomes the gene
//! with the least distance to the others, until nothing moves. Equal ones by id; an included gene stays a medoid, an excluded one
//! never becomes one. No options. Cost: n·G² for the products of all genes, then N·G + Σ (cluster size)² a round. Score: the
//! genes of its cluster, each counted by its |r| with the medoid; the largest first, included ones before them.

use rayon::prelude::*;

use super::constraints::{Constraints, Picks};
use super::covariance::Covariance;
use super::facility_location::{Similarity, cover};
use crate::error::Result;
use crate::interrupt;
use crate::progress::Reporter;

/// Rounds of the alternation at most; a few are enough.
const ROUNDS: usize = 100;

/// Chooses by the products of genes with each other.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted) where the process was asked to end.
pub fn k_medoids(
    c: &Covariance,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    let similarity = Similarity { c, of: f64::abs };
    let mut medoids = cover(&similarity, ids, constraints, report)?.genes;
    for _ in 0..ROUNDS {
        interrupt::check()?;
        let clusters = clusters(&similarity, &medoids, ids.len());
        let middle = |(place, members): (usize, &Vec<(usize, f64)>)| match place < constraints.includes() {
            true => medoids[place],
            false => middle(c, members, medoids[place], ids, constraints),
        };
        let next: Vec<usize> = clusters.par_iter().enumerate().map(middle).collect();
        if next == medoids {
            break;
        }
        medoids = next;
    }
    let sizes = clusters(&similarity, &medoids, ids.len());
    // The sum of no numbers is -0.0, which is how the score of a gene that does not vary would be written.
    let score = |members: Vec<(usize, f64)>| 0.0 + members.iter().map(|(_, s)| s).sum::<f64>();
    let mut scored: Vec<(usize, usize, f64)> = (medoids.iter().zip(sizes).enumerate())
        .map(|(place, (gene, members))| (place, *gene, score(members)))
        .collect();
    let rank = |place: usize| place.min(constraints.includes());
    scored.sort_by(|a, b| {
        let first = rank(a.0).cmp(&rank(b.0)).then(b.2.total_cmp(&a.2));
        first.then_with(|| ids[a.1].cmp(&ids[b.1]))
    });
    let mut picks = Picks::default();
    scored.into_iter().for_each(|(_, gene, score)| picks.push(gene, score));
    Ok(picks)
}

/// The genes nearest to each medoid, with how near; a medoid is its own, and of equally near ones the earlier has a gene.
fn clusters<F: Fn(f64) -> f64 + Sync>(
    similarity: &Similarity<F>,
    medoids: &[usize],
    genes: usize,
) -> Vec<Vec<(usize, f64)>> {
    let mut nearest = vec![(0, -1.0); genes];
    for (place, medoid) in medoids.iter().enumerate() {
        for (best, s) in nearest.iter_mut().zip(similarity.column(*medoid)) {
            if s > best.1 {
                *best = (place, s);
            }
        }
    }
    medoids.iter().enumerate().for_each(|(place, medoid)| nearest[*medoid] = (place, 1.0));
    let mut clusters = vec![Vec::new(); medoids.len()];
    // What does not vary is near nothing.
    let varying = nearest.into_iter().enumerate().filter(|(gene, _)| similarity.c.diagonal()[*gene] > 0.0);
    varying.for_each(|(gene, (place, s))| clusters[place].push((gene, s)));
    clusters
}

/// The member that may be chosen and is nearest to all; the present medoid where none is nearer.
fn middle(
    c: &Covariance,
    members: &[(usize, f64)],
    now: usize,
    ids: &[String],
    constraints: &Constraints,
) -> usize {
    let near = |gene: usize| -> f64 {
        let size = |other: usize| (c.diagonal()[gene] * c.diagonal()[other]).sqrt();
        members.iter().map(|(other, _)| f64::from(c.value(gene, *other)).abs() / size(*other)).sum()
    };
    let may = |gene: &usize| constraints.allows(*gene, constraints.includes());
    let candidates = members.iter().map(|(gene, _)| *gene).filter(may).map(|gene| (gene, near(gene)));
    let best = candidates.max_by(|a, b| {
        let present = (a.0 == now).cmp(&(b.0 == now));
        a.1.total_cmp(&b.1).then(present).then_with(|| ids[b.0].cmp(&ids[a.0]))
    });
    best.map_or(now, |(gene, _)| gene)
}
