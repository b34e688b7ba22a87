//! `peel-off`: how the L1000 landmarks were found.
//!
//! From Subramanian et al., "A Next Generation Connectivity Map", Cell 171, 2017 (STAR Methods, "Selecting landmark
//! transcripts"): principal components that hold 90 % of the variance; in their space k-means with K from 20 to 100 on random
//! subsamples of 75 % (100 of them there); a consensus matrix with the share of trials in which two genes fall together;
//! sets of genes that do so in more than 80 %; these are noted, taken out, and the procedure is repeated on the rest.
//! From Tseng & Wong, "Tight clustering", Biometrics 61, 2005, which it cites: the subsample is of the things clustered, here
//! genes, and every gene then belongs to its nearest centre.
//!
//! Where neither says: genes are z-scored; k-means starts as k-means++ and runs at most 20 rounds of Lloyd's; a set is a gene with all genes that agree with it, the gene with most of them first; sets of fewer than 5 genes
//! wait until there are no others. A set gives the gene nearest to its mean. One with an included gene is taken out and
//! gives none. Genes that fall together with nothing come last, those of largest variance first; where they are not enough the
//! others of the sets follow, in the same order. 32 trials unless told otherwise.
//!
//! Options: [`PeelOffSettings`]. Cost: n²·G, n³, then in each round trials·(iterations·2·K·d·G) and G²·trials byte
//! comparisons for d components; the consensus matrix is never stored. Score: the number of genes of the set.

use nalgebra::{DMatrix, DMatrixView};
use rayon::prelude::*;

use super::columns::Columns;
use super::constraints::{Constraints, Picks};
use super::eigen::Components;
use crate::device::cpu::{total, vectorized};
use crate::device::random::Stream;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::{Event, Reporter, advance};

/// How `peel-off` works.
#[derive(Debug, Clone, PartialEq)]
pub struct PeelOffSettings {
    /// The components hold this share of the variance.
    pub variance: f64,
    /// Each trial draws its K from this range, both ends included.
    pub clusters: (usize, usize),
    /// k-means runs a round, 1 to 255.
    pub trials: usize,
    /// Each on this share of the genes.
    pub subsample: f64,
    /// Genes belong together that do so in more than this share of the trials.
    pub agreement: f64,
    /// Smaller sets wait until there are no others.
    pub smallest: usize,
    /// Rounds of Lloyd's algorithm at most.
    pub iterations: usize,
    /// Of the draws.
    pub seed: u64,
}

impl Default for PeelOffSettings {
    fn default() -> Self {
        PeelOffSettings {
            variance: 0.9,
            clusters: (20, 100),
            trials: 32,
            subsample: 0.75,
            agreement: 0.8,
            smallest: 5,
            iterations: 20,
            seed: 0,
        }
    }
}

/// Chooses from z-scored `x`; `ids` are its genes.
///
/// # Errors
/// [`Error::Usage`] for trials that are not 1 to 255.
pub fn peel_off(
    x: &Columns,
    settings: &PeelOffSettings,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    if !(1..=255).contains(&settings.trials) {
        return Err(Error::Usage(format!("--trials {}: expected 1 to 255", settings.trials)));
    }
    let y = coordinates(x, settings.variance);
    let size = |gene: usize| y.column(gene).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let sizes: Vec<f64> = (0..y.len()).map(size).collect();
    let mut picks = Picks::default();
    // Included genes before everything else, by id.
    let mut given: Vec<usize> =
        (0..y.len()).filter(|g| constraints.includes() > 0 && constraints.allows(*g, 0)).collect();
    given.sort_by_key(|gene| &ids[*gene]);
    given.iter().for_each(|gene| picks.push(*gene, 0.0));

    let mut left: Vec<usize> = (0..y.len()).filter(|gene| sizes[*gene] > 0.0).collect();
    let total = Some(constraints.n() as u64);
    report(Event::Started { task: "peeling off".into(), total, unit: "genes" });
    for round in 0.. {
        // Where all genes fall together, as in two samples, one round leaves none to cluster.
        if picks.genes.len() == constraints.n() || left.is_empty() {
            break;
        }
        let sets = tight_sets(&y, &left, settings, round)?;
        let smallest = settings.smallest.min(sets.first().map_or(0, Vec::len));
        if smallest < 2 {
            break;
        }
        let mut gone = vec![false; y.len()];
        for set in sets.iter().filter(|set| set.len() >= smallest) {
            set.iter().for_each(|gene| gone[*gene] = true);
            if picks.genes.len() < constraints.n()
                && !set.iter().any(|gene| given.contains(gene))
                && let Some(gene) = central(&y, set, ids, |gene| constraints.allows(gene, given.len()))
            {
                picks.push(gene, set.len() as f64);
            }
        }
        left.retain(|gene| !gone[*gene]);
        advance(report, picks.genes.len() as u64, format!("{} genes left", left.len()))?;
    }
    report(Event::Finished);

    let mut taken = vec![false; y.len()];
    picks.genes.iter().for_each(|gene| taken[*gene] = true);
    let alone = left.iter().fold(vec![false; y.len()], |mut alone, gene| {
        alone[*gene] = true;
        alone
    });
    let mut rest: Vec<usize> =
        (0..y.len()).filter(|gene| !taken[*gene] && constraints.allows(*gene, given.len())).collect();
    rest.sort_by(|a, b| {
        let first = alone[*b].cmp(&alone[*a]).then(sizes[*b].total_cmp(&sizes[*a]));
        first.then_with(|| ids[*a].cmp(&ids[*b]))
    });
    rest.truncate(constraints.n() - picks.genes.len());
    rest.iter().for_each(|gene| picks.push(*gene, f64::from(u8::from(alone[*gene]))));
    Ok(picks)
}

/// Genes in the space of the components that hold `share` of the variance.
fn coordinates(x: &Columns, share: f64) -> Columns {
    let components = Components::of(&x.gram(), x.rows());
    let mut held = 0.0;
    let enough = components.values.iter().position(|value| {
        held += value;
        held >= share * components.total
    });
    let d = enough.map_or(components.values.len(), |i| i + 1).max(1);
    if components.values.is_empty() {
        return Columns::new(1, vec![0.0; x.len()]);
    }
    x.project(&components.vectors.columns(0, d).into_owned())
}

/// Sets of genes that fall together, the largest first; each gene in one at most.
fn tight_sets(
    y: &Columns,
    left: &[usize],
    settings: &PeelOffSettings,
    round: u64,
) -> Result<Vec<Vec<usize>>> {
    let trials = settings.trials;
    let runs = (0..trials)
        .into_par_iter()
        .with_max_len(1)
        .map(|trial| {
            interrupt::check()?; // a round of thousands of genes takes minutes
            Ok(cluster(y, left, settings, round * 256 + trial as u64))
        })
        .collect::<Result<Vec<Vec<u8>>>>()?;
    interrupt::check()?;
    let mut labels = vec![0u8; left.len() * trials];
    for (trial, run) in runs.iter().enumerate() {
        run.iter().enumerate().for_each(|(i, label)| labels[i * trials + trial] = *label);
    }
    Ok(agreeing(left, &labels, trials, settings.agreement))
}

/// Sets of those of `left` whose labels, one a trial, agree in more than a share `agreement` of the trials.
fn agreeing(left: &[usize], labels: &[u8], trials: usize, agreement: f64) -> Vec<Vec<usize>> {
    let wanted = (agreement * trials as f64).floor() as u8 + 1;
    let of = |i: usize| &labels[i * trials..][..trials];
    let together = |a: &[u8], b: &[u8]| {
        a.iter().zip(b).map(|(a, b)| u8::from(a == b)).fold(0u8, u8::wrapping_add) >= wanted.min(trials as u8)
    };
    let partners: Vec<usize> = (0..left.len())
        .into_par_iter()
        .map(|i| {
            vectorized(
                #[inline(always)]
                || labels.chunks_exact(trials).filter(|other| together(of(i), other)).count(),
            )
        })
        .collect();
    let mut seeds: Vec<usize> = (0..left.len()).filter(|i| partners[*i] > 1).collect();
    seeds.sort_by_key(|i| (std::cmp::Reverse(partners[*i]), *i));
    let mut assigned = vec![false; left.len()];
    let mut sets = Vec::new();
    for seed in seeds {
        if assigned[seed] {
            continue;
        }
        let set: Vec<usize> =
            (0..left.len()).filter(|i| !assigned[*i] && together(of(seed), of(*i))).collect();
        if set.len() > 1 {
            set.iter().for_each(|i| assigned[*i] = true);
            sets.push(set.into_iter().map(|i| left[i]).collect::<Vec<usize>>());
        }
    }
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    sets
}

/// One trial: k-means on a subsample of `left`, then the nearest centre of every gene of `left`.
fn cluster(y: &Columns, left: &[usize], settings: &PeelOffSettings, trial: u64) -> Vec<u8> {
    let mut stream = Stream::new(settings.seed, "peel-off", trial);
    let (fewest, most) = settings.clusters;
    let k = fewest + stream.below((most - fewest + 1) as u64) as usize;
    let mut drawn = left.to_vec();
    stream.shuffle(&mut drawn);
    drawn.truncate(((left.len() as f64 * settings.subsample) as usize).max(1));
    let k = k.min(drawn.len()).min(256);
    let d = y.rows();
    let gather = |genes: &[usize]| -> Vec<f32> { genes.iter().flat_map(|g| y.column(*g)).copied().collect() };
    let sample = gather(&drawn);
    let mut centres = spread(&sample, d, k, &mut stream);
    let mut labels = vec![u8::MAX; drawn.len()];
    for _ in 0..settings.iterations {
        let next = nearest(&centres, &sample);
        if next == labels {
            break;
        }
        labels = next;
        let (mut sums, mut counts) = (vec![0.0f64; k * d], vec![0usize; k]);
        for (values, label) in sample.chunks_exact(d).zip(&labels) {
            let label = usize::from(*label);
            counts[label] += 1;
            sums[label * d..][..d].iter_mut().zip(values).for_each(|(sum, v)| *sum += f64::from(*v));
        }
        for (cluster, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            for i in 0..d {
                centres[(cluster, i)] = (sums[cluster * d + i] / *count as f64) as f32;
            }
        }
    }
    nearest(&centres, &gather(left))
}

/// k of the samples, d values each, as first centres [k × d]: each drawn in proportion to its squared distance from those
/// before it (k-means++, Arthur & Vassilvitskii 2007).
fn spread(sample: &[f32], d: usize, k: usize, stream: &mut Stream) -> DMatrix<f32> {
    let mut chosen = &sample[..d];
    let mut centres = vec![chosen];
    let mut distances = vec![f32::INFINITY; sample.len() / d];
    while centres.len() < k {
        vectorized(
            #[inline(always)]
            || {
                for (values, distance) in sample.chunks_exact(d).zip(&mut distances) {
                    *distance = distance.min(squared_distance(values, chosen));
                }
            },
        );
        let mut place = stream.uniform() * distances.iter().map(|x| f64::from(*x)).sum::<f64>();
        let next = distances.iter().position(|x| {
            place -= f64::from(*x);
            place < 0.0
        });
        chosen = &sample[next.unwrap_or(centres.len()) * d..][..d];
        centres.push(chosen);
    }
    DMatrix::from_row_slice(k, d, &centres.concat())
}

#[inline(always)]
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    total(sums) + a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()
}

/// The nearest of the centres [k × d] to each of `values`, d each; the first of equals.
fn nearest(centres: &DMatrix<f32>, values: &[f32]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let (k, d) = centres.shape();
    let half: Vec<f32> = centres.row_iter().map(|row| row.norm_squared() / 2.0).collect();
    let mut out = Vec::with_capacity(values.len() / d);
    for block in values.chunks(BLOCK * d) {
        let products = centres * DMatrixView::from_slice(block, d, block.len() / d);
        out.extend(products.column_iter().map(|column| {
            let closeness = |i: usize| column[i] - half[i];
            (1..k).fold(0, |best, i| if closeness(i) > closeness(best) { i } else { best }) as u8
        }));
    }
    out
}

/// The gene of a set that is nearest to its mean, of those that may be chosen; the first by id of equals.
fn central(y: &Columns, set: &[usize], ids: &[String], may: impl Fn(usize) -> bool) -> Option<usize> {
    let mut mean = vec![0.0f64; y.rows()];
    for gene in set {
        mean.iter_mut().zip(y.column(*gene)).for_each(|(m, v)| *m += f64::from(*v) / set.len() as f64);
    }
    let distance = |gene: usize| -> f64 {
        y.column(gene).iter().zip(&mean).map(|(v, m)| (f64::from(*v) - m).powi(2)).sum()
    };
    let candidates = set.iter().filter(|gene| may(**gene)).map(|gene| (*gene, distance(*gene)));
    candidates.min_by(|a, b| a.1.total_cmp(&b.1).then_with(|| ids[a.0].cmp(&ids[b.0]))).map(|(gene, _)| gene)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Genes 7 and 8 whose labels agree in `together` of 10 trials, and a third that is always alone.
    fn pair(together: usize, agreement: f64) -> Vec<Vec<usize>> {
        let labels: Vec<u8> = (0..30)
            .map(|i| match (i / 10, i % 10) {
                (0, _) => 1,
                (1, trial) => u8::from(trial < together),
                _ => 9,
            })
            .collect();
        agreeing(&[7, 8, 9], &labels, 10, agreement)
    }

    #[test]
    fn genes_belong_together_above_the_agreement_and_not_at_it() {
        let found = |together, agreement| pair(together, agreement) == [vec![7, 8]];
        assert!(!found(8, 0.8) && found(9, 0.8) && found(10, 0.8));
        assert!(!found(5, 0.5) && found(6, 0.5));
        // more than all cannot be
        assert!(!found(9, 1.0) && found(10, 1.0));
        assert_eq!(pair(8, 0.8), Vec::<Vec<usize>>::new());
    }

    /// As [`crate::prepare`]'s: after 0, of 1 and 3, the latter 9 times in 10.
    #[test]
    fn centres_are_drawn_by_squared_distance() {
        let (mut begun, mut far) = (0, 0);
        for trial in 0..900 {
            let mut stream = Stream::new(3, "peel-off test", trial);
            let mut sample = [0.0, 1.0, 3.0];
            stream.shuffle(&mut sample);
            let centres = spread(&sample, 1, 2, &mut stream);
            assert_ne!(centres[0], centres[1]);
            begun += i32::from(centres[0] == 0.0);
            far += i32::from(centres[0] == 0.0 && centres[1] == 3.0);
        }
        let share = f64::from(far) / f64::from(begun);
        assert!((240..360).contains(&begun) && (0.84..0.95).contains(&share), "{begun}, {share}");
    }

    /// Two samples, and twenty of proportional genes: one set holds all, and nothing is left to cluster.
    #[test]
    fn genes_of_one_direction_are_chosen_once_each() {
        for (rows, genes) in [(2, 9), (20, 40)] {
            let value = |gene: usize, row: usize| (1 + gene) as f32 * ((row * 7) % 5 + row) as f32;
            let values = (0..genes).flat_map(|gene| (0..rows).map(move |row| value(gene, row))).collect();
            let mut x = Columns::new(rows, values);
            x.standardize();
            let ids: Vec<String> = (0..genes).map(|gene| format!("g{gene:02}")).collect();
            let table = crate::genes::Table::new("gene_id", ids.clone());
            for n in [1, 3, genes - 1] {
                let bound = Constraints::new(&table, n, &[], &[4]).unwrap();
                let settings = PeelOffSettings::default();
                let mut chosen =
                    peel_off(&x, &settings, &ids, &bound, &crate::progress::silent).unwrap().genes;
                chosen.sort_unstable();
                chosen.dedup();
                assert!(chosen.len() == n && !chosen.contains(&4), "{n} of {genes}: {chosen:?}");
            }
        }
    }

    /// Columns at (0, 0), (4, 0), (0, 4), (2, 1), (9, 9); the mean of the first four is (1.5, 1.25).
    #[test]
    fn the_gene_nearest_to_the_mean_stands_for_a_set() {
        let values = [0.0, 0.0, 4.0, 0.0, 0.0, 4.0, 2.0, 1.0, 9.0, 9.0].to_vec();
        let y = Columns::new(2, values);
        let ids = ["e", "d", "c", "b", "a"].map(String::from);
        let set = [0, 1, 2, 3];
        assert_eq!(central(&y, &set, &ids, |_| true), Some(3));
        // squared distances 3.8, 7.8 and 9.8
        assert_eq!(central(&y, &set, &ids, |gene| gene != 3), Some(0));
        assert_eq!(central(&y, &set, &ids, |gene| gene == 1 || gene == 2), Some(1));
        assert_eq!(central(&y, &set, &ids, |_| false), None);
        // equally far: the first by id
        assert_eq!(central(&y, &[1, 2], &ids, |_| true), Some(2));
    }
}
