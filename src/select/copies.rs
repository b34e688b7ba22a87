//! Which genes are near copies of one another: lists trade them without loss.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::columns::Columns;
use super::draw_samples;
use crate::progress::silent;
use crate::store::Store;

/// A near copy's correlation, of either sign: stabm's threshold.
pub const ALIKE: f32 = 0.9;
/// Samples that correlations are taken over.
const SAMPLES: usize = 400;

/// Tells near copies.
pub struct Copies {
    /// Columns of mean 0, mean square 1.
    data: Option<Columns>,
    /// Where they are given.
    pairs: HashSet<(usize, usize)>,
    genes: usize,
}

impl Copies {
    /// By the genes' correlation over at most 400 of the store's samples, drawn by the seed.
    pub fn of_store(store: &Store, seed: u64) -> Copies {
        let samples = draw_samples(store, SAMPLES, seed, &silent);
        let (data, _) = Columns::standardized(store, &samples);
        Copies { data: Some(data), pairs: HashSet::new(), genes: store.n_genes() }
    }

    /// Of so many genes, those of each pair.
    pub fn of_pairs(genes: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Copies {
        Copies { data: None, pairs: pairs.flat_map(|(a, b)| [(a, b), (b, a)]).collect(), genes }
    }

    /// How many genes there are.
    pub fn len(&self) -> usize {
        self.genes
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.genes == 0
    }

    /// Whether two genes are near copies.
    pub fn alike(&self, a: usize, b: usize) -> bool {
        let Some(data) = &self.data else { return self.pairs.contains(&(a, b)) };
        let (x, y) = (data.column(a), data.column(b));
        dot(x, y).abs() / x.len() as f32 >= ALIKE
    }

    /// The genes that correlate most with one, of either sign, among those that `may` be: each with its correlation, best first.
    /// None where only pairs are known.
    pub fn nearest(&self, gene: usize, most: usize, may: impl Fn(usize) -> bool) -> Vec<(usize, f32)> {
        let Some(data) = &self.data else { return Vec::new() };
        let own = data.column(gene);
        let with = |other: usize| (other, dot(own, data.column(other)) / own.len() as f32);
        let mut all: Vec<(usize, f32)> =
            (0..self.genes).filter(|other| *other != gene && may(*other)).map(with).collect();
        let better = |a: &(usize, f32), b: &(usize, f32)| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0));
        if most < all.len() {
            all.select_nth_unstable_by(most, better);
            all.truncate(most);
        }
        all.sort_by(better);
        all.retain(|(_, r)| *r != 0.0);
        all
    }

    /// Genes that two lists share, and the largest matching of near copies among those that they do not: a near copy counts as the same
    /// gene, but once.
    pub fn shared(&self, a: &[usize], b: &[usize]) -> usize {
        let (in_a, in_b): (HashSet<usize>, HashSet<usize>) =
            (a.iter().copied().collect(), b.iter().copied().collect());
        let only_a: Vec<usize> = a.iter().copied().filter(|gene| !in_b.contains(gene)).collect();
        let only_b: Vec<usize> = b.iter().copied().filter(|gene| !in_a.contains(gene)).collect();
        let edges: Vec<Vec<usize>> = (only_a.par_iter())
            .map(|a| (0..only_b.len()).filter(|b| self.alike(*a, only_b[*b])).collect())
            .collect();
        a.len() - only_a.len() + matching(&edges)
    }
}

/// Several sums at a time, which a processor adds at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let (x, y) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = x.remainder().iter().zip(y.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in x.zip(y) {
        for i in 0..LANES {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The size of a largest matching: `edges` has for each of one side those of the other (Kuhn's augmenting paths).
fn matching(edges: &[Vec<usize>]) -> usize {
    let mut partner: HashMap<usize, usize> = HashMap::new();
    let found = |from: usize, partner: &mut HashMap<usize, usize>| augment(edges, from, partner);
    (0..edges.len()).filter(|from| found(*from, &mut partner)).count()
}

/// Looks for a path from a free one of the first side to a free one of the other, and turns it over. Without recursion: chains may be long.
fn augment(edges: &[Vec<usize>], from: usize, partner: &mut HashMap<usize, usize>) -> bool {
    let mut seen: HashMap<usize, usize> = HashMap::new(); // of the other side: from where it was reached
    let mut waiting = vec![from];
    while let Some(at) = waiting.pop() {
        for to in &edges[at] {
            if seen.contains_key(to) {
                continue;
            }
            seen.insert(*to, at);
            match partner.get(to) {
                Some(next) => waiting.push(*next),
                None => {
                    turn_over(*to, from, &seen, partner);
                    return true;
                }
            }
        }
    }
    false
}

fn turn_over(end: usize, from: usize, seen: &HashMap<usize, usize>, partner: &mut HashMap<usize, usize>) {
    let mut to = end;
    loop {
        let at = seen[&to];
        // What it was matched with before, if it is not where the path begins.
        let before = partner.iter().find(|(_, own)| **own == at).map(|(other, _)| *other);
        partner.insert(to, at);
        match before {
            Some(before) if at != from => to = before,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matching_is_the_largest() {
        // taken greedily the first would take what the second needs
        assert_eq!(matching(&[vec![0, 1], vec![0]]), 2);
        assert_eq!(matching(&[vec![0], vec![0], vec![0, 1], vec![1, 2]]), 3);
        let chain: Vec<Vec<usize>> =
            (0..300).map(|i| if i == 0 { vec![0] } else { vec![i - 1, i] }).collect();
        assert_eq!(matching(&chain), 300);
        let reversed: Vec<Vec<usize>> = chain.into_iter().rev().collect();
        assert_eq!(matching(&reversed), 300);
        assert_eq!((matching(&[]), matching(&[vec![], vec![]])), (0, 0));
    }

    #[test]
    fn copies_are_told_by_correlation_of_either_sign() {
        let value = |s: usize, g: usize| {
            let base = ((s * 37 + 11) % 23) as f32;
            let noise = ((s * 101 + g * 17) % 13) as f32;
            match g {
                0 => base,
                1 => 5.0 - 2.0 * base + 0.3 * noise,
                _ => noise,
            }
        };
        let dir = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..50).flat_map(|s| (0..4).map(move |g| value(s, g))).collect();
        let store = crate::testing::store(&dir.path().join("x.gex"), 4, &values);
        let copies = Copies::of_store(&store, 1);
        assert!(copies.alike(0, 1) && !copies.alike(0, 2) && copies.len() == 4);
        assert_eq!((copies.shared(&[0, 2], &[1, 2]), copies.shared(&[0, 2], &[3, 2])), (2, 1));
        let near = copies.nearest(0, 2, |gene| gene != 3);
        assert!(matches!(near[..], [(1, r), (2, s)] if r < -0.9 && s.abs() < 0.9), "{near:?}");
    }
}
