//! k-means from the squared distances of samples alone: that of a sample from the mean of a cluster is the mean of its squares to the
//! members less half the mean of theirs among themselves.

use rayon::prelude::*;

use super::distances::Distances;
use crate::device::random::Stream;

/// Starts, of which the one with the least squares within is kept.
const STARTS: u64 = 20;
/// Rounds of a start at most.
const ROUNDS: usize = 300;

/// Each sample's cluster; k-means++ starts (Arthur & Vassilvitskii 2007), Lloyd's rounds until none changes. O(n²) a round.
pub fn k_means(distances: &Distances, clusters: usize, seed: u64) -> Vec<usize> {
    let clusters = clusters.clamp(1, distances.n);
    let start = |number| rounds(distances, begin(distances, clusters, seed, number), clusters);
    let found: Vec<(f64, Vec<usize>)> = (0..STARTS).into_par_iter().map(start).collect();
    let best = found.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    super::tree::numbered(best.expect("a start").1.into_iter())
}

/// Centres drawn by k-means++, and the nearest of them to each sample.
fn begin(distances: &Distances, clusters: usize, seed: u64, number: u64) -> Vec<usize> {
    let mut stream = Stream::new(seed, "k-means of samples", number);
    let n = distances.n;
    let mut near = vec![(f64::INFINITY, 0); n];
    let mut centre = stream.below(n as u64) as usize;
    for cluster in 0..clusters {
        for (sample, near) in near.iter_mut().enumerate() {
            let square = distances.square(centre, sample);
            if square < near.0 {
                *near = (square, cluster);
            }
        }
        let total: f64 = near.iter().map(|near| near.0).sum();
        let mut left = stream.uniform() * total;
        let beyond = near.iter().position(|near| {
            left -= near.0;
            left < 0.0
        });
        centre = beyond.unwrap_or_else(|| stream.below(n as u64) as usize);
    }
    near.into_iter().map(|near| near.1).collect()
}

/// Lloyd's rounds; the squares within, and each sample's cluster.
fn rounds(distances: &Distances, mut of: Vec<usize>, clusters: usize) -> (f64, Vec<usize>) {
    let n = distances.n;
    let mut within = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut sizes = vec![0.0f64; clusters];
        of.iter().for_each(|cluster| sizes[*cluster] += 1.0);
        let mut sums = vec![0.0; n * clusters];
        for (i, sums) in sums.chunks_exact_mut(clusters).enumerate() {
            of.iter().enumerate().for_each(|(j, cluster)| sums[*cluster] += distances.square(i, j));
        }
        let mut own = vec![0.0; clusters];
        of.iter().enumerate().for_each(|(i, cluster)| own[*cluster] += sums[i * clusters + cluster]);
        let from = |i: usize, c: usize| match sizes[c] {
            0.0 => f64::INFINITY,
            size => sums[i * clusters + c] / size - own[c] / (2.0 * size * size),
        };
        let nearest =
            |i: usize| (0..clusters).min_by(|a, b| from(i, *a).total_cmp(&from(i, *b))).expect("a cluster");
        let next: Vec<usize> = (0..n).map(nearest).collect();
        within = (0..n).map(|i| from(i, next[i])).sum();
        if next == of {
            break;
        }
        of = next;
    }
    (within, of)
}
