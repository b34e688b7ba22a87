//! Whether a selection would come out again: how often each gene is chosen over repeated selections, and how much the lists overlap:
//! gene by gene, and with near copies for the same gene.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::copies::Copies;
use crate::device::random::Stream;
use crate::error::{Error, Result};

/// How often a gene was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Frequency {
    /// Which gene.
    pub gene: usize,
    /// In how many lists it is.
    pub chosen: usize,
    /// Its mean rank, from 1, in the lists that have it.
    pub mean_rank: f64,
}

/// The pairwise overlap of several lists.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// How many lists.
    pub lists: usize,
    /// Mean of Kuncheva's index over all pairs; undefined where every list holds all genes.
    pub mean: Option<f64>,
    /// The least of a pair.
    pub min: Option<f64>,
}

/// The measure of Nogueira, Sechidis and Brown, with its interval of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Nogueira {
    /// 1 for equal lists, 0 on average for random ones.
    pub stability: f64,
    /// Its interval.
    pub interval: (f64, f64),
}

/// Every gene that is in a list: most often chosen first, then by mean rank, then by place.
pub fn frequencies(lists: &[Vec<usize>]) -> Vec<Frequency> {
    let mut found: HashMap<usize, (usize, usize)> = HashMap::new();
    for list in lists {
        for (i, gene) in list.iter().enumerate() {
            let (chosen, ranks) = found.entry(*gene).or_default();
            *chosen += 1;
            *ranks += i + 1;
        }
    }
    let frequency = |(gene, (chosen, ranks)): (usize, (usize, usize))| {
        let mean_rank = ranks as f64 / chosen as f64;
        Frequency { gene, chosen, mean_rank }
    };
    let mut all: Vec<Frequency> = found.into_iter().map(frequency).collect();
    all.sort_by(|a, b| {
        let often = b.chosen.cmp(&a.chosen).then(a.mean_rank.total_cmp(&b.mean_rank));
        often.then(a.gene.cmp(&b.gene))
    });
    all
}

/// What was free to be chosen: the lists without the genes that had to be in them, and the genes that could be.
#[derive(Debug, Clone)]
pub struct Free {
    /// Each of one length, each gene once.
    pub lists: Vec<Vec<usize>>,
    /// Ascending.
    pub genes: Vec<usize>,
}

impl Free {
    /// Of `genes` genes, `forced` into every list and `forbidden` in all: neither says anything of a selection.
    ///
    /// # Errors
    /// [`Error::Data`] for fewer than two lists or lists of different lengths.
    pub fn of(lists: &[Vec<usize>], genes: usize, forced: &[usize], forbidden: &[usize]) -> Result<Free> {
        let n = lists.first().map_or(0, Vec::len);
        if lists.len() < 2 || lists.iter().any(|list| list.len() != n) {
            let lengths: Vec<usize> = lists.iter().map(Vec::len).collect();
            let message =
                format!("an overlap needs two or more lists of one length, found lengths {lengths:?}");
            return Err(Error::Data(message));
        }
        let bound: HashSet<usize> = forced.iter().chain(forbidden).copied().collect();
        let free = |list: &Vec<usize>| list.iter().copied().filter(|gene| !bound.contains(gene)).collect();
        let lists = lists.iter().map(free).collect();
        Ok(Free { lists, genes: (0..genes).filter(|gene| !bound.contains(gene)).collect() })
    }

    fn pairs(&self) -> impl Iterator<Item = (&Vec<usize>, &Vec<usize>)> {
        let lists = &self.lists;
        lists.iter().enumerate().flat_map(move |(i, a)| lists[..i].iter().map(move |b| (a, b)))
    }

    /// Kuncheva's index of all pairs.
    pub fn kuncheva(&self) -> Overlap {
        let index = |(a, b): (&Vec<usize>, &Vec<usize>)| {
            let other: HashSet<&usize> = b.iter().collect();
            let shared = a.iter().filter(|gene| other.contains(gene)).count();
            kuncheva(shared, a.len(), self.genes.len())
        };
        let indices: Vec<f64> = self.pairs().filter_map(index).collect();
        let defined = !indices.is_empty();
        Overlap {
            lists: self.lists.len(),
            mean: defined.then(|| indices.iter().sum::<f64>() / indices.len() as f64),
            min: indices.into_iter().min_by(f64::total_cmp),
        }
    }

    /// The measure of Nogueira, Sechidis and Brown (2018, *Journal of Machine Learning Research* 18:174): 1 − (mean variance of a
    /// gene's being chosen)/(what it is where k̄ of d genes are chosen by chance), with the interval of their theorem 7. `None` where there
    /// is nothing to choose.
    pub fn nogueira(&self) -> Option<Nogueira> {
        let (m, d) = (self.lists.len() as f64, self.genes.len() as f64);
        let mut share: HashMap<usize, f64> = HashMap::new();
        self.lists.iter().flatten().for_each(|gene| *share.entry(*gene).or_default() += 1.0 / m);
        // in the genes' order, so that a sum is always the same
        let shares = || self.genes.iter().filter_map(|gene| share.get(gene));
        let k: f64 = self.lists.iter().map(|list| list.len() as f64).sum::<f64>() / m;
        let chance = k / d * (1.0 - k / d);
        if m < 2.0 || chance.is_nan() || chance <= 0.0 {
            return None;
        }
        let stability = 1.0 - m / (m - 1.0) * shares().map(|p| p * (1.0 - p)).sum::<f64>() / d / chance;
        let of_list = |list: &Vec<usize>| {
            let own = list.len() as f64;
            let common = list.iter().map(|gene| share[gene]).sum::<f64>() / d;
            let expected = 2.0 * own * k / (d * d) - own / d - k / d + 1.0;
            (common - own * k / (d * d) + stability / 2.0 * expected) / chance
        };
        let phi: Vec<f64> = self.lists.iter().map(of_list).collect();
        let mean = phi.iter().sum::<f64>() / m;
        let variance = 4.0 / (m * m) * phi.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        let half = 1.959_963_984_540_054 * variance.sqrt();
        Some(Nogueira { stability, interval: (stability - half, (stability + half).min(1.0)) })
    }

    /// The adjusted intersection with near copies of Bommert and Rahnenführer (2020, *LOD 2020*, 203; `stabilityIntersectionMBM` of R's
    /// stabm): of a pair of lists the shared genes and the largest matching of near copies among the rest, less what random lists
    /// have (`draws` pairs of them), over what equal lists have. `None` where there is nothing to choose.
    pub fn with_copies(&self, copies: &Copies, draws: usize, seed: u64) -> Option<f64> {
        let sizes = self.lists.first().map(Vec::len).filter(|n| *n > 0 && *n < self.genes.len())?;
        let random = |draw: usize, which: u64| {
            let mut stream = Stream::new(seed, "random lists", 2 * draw as u64 + which);
            let mut genes = self.genes.clone();
            // the first few of a shuffle
            for i in 0..sizes {
                let other = i as u64 + stream.below((genes.len() - i) as u64);
                genes.swap(i, other as usize);
            }
            genes.truncate(sizes);
            genes
        };
        let of_draw = |draw| copies.shared(&random(draw, 0), &random(draw, 1)) as f64;
        let expected = (0..draws).map(of_draw).sum::<f64>() / draws as f64;
        let most = sizes as f64;
        let scores: Vec<f64> = self.pairs().map(|(a, b)| copies.shared(a, b) as f64).collect();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        (most > expected).then(|| (mean - expected) / (most - expected))
    }
}

/// Kuncheva's consistency index of two lists of `n` of `genes` genes that share `shared`:
/// (r·G − N²)/(N·(G − N)), 1 for equal lists and 0 on average for random ones (Kuncheva, "A stability index for
/// feature selection", 2007). `None` where N = G: then there is nothing to choose.
pub fn kuncheva(shared: usize, n: usize, genes: usize) -> Option<f64> {
    let [r, n, g] = [shared, n, genes].map(|count| count as f64);
    (n > 0.0 && n < g).then(|| (r * g - n * n) / (n * (g - n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_by_hand() {
        assert_eq!(kuncheva(4, 4, 10), Some(1.0));
        assert_eq!(kuncheva(0, 5, 10), Some(-1.0));
        // as many as two random lists share on average: N²/G
        assert_eq!(kuncheva(4, 20, 100), Some(0.0));
        // (2·10 − 16)/(4·6)
        assert!((kuncheva(2, 4, 10).unwrap() - 1.0 / 6.0).abs() < 1e-15);
        assert_eq!(kuncheva(10, 10, 10), None);
        assert_eq!(kuncheva(0, 0, 10), None);
    }

    #[test]
    fn frequencies_and_overlap_by_hand() {
        let lists = [vec![0, 1, 2, 3], vec![1, 0, 2, 4], vec![0, 1, 2, 5]];
        let found: Vec<(usize, usize, f64)> =
            frequencies(&lists).into_iter().map(|f| (f.gene, f.chosen, f.mean_rank)).collect();
        let want = [(0, 3, 4.0 / 3.0), (1, 3, 5.0 / 3.0), (2, 3, 3.0), (3, 1, 4.0), (4, 1, 4.0), (5, 1, 4.0)];
        assert_eq!(found, want);
        let overlap = |lists: &[Vec<usize>], genes| Free::of(lists, genes, &[], &[]).unwrap().kuncheva();
        // every pair shares 3 of 4 of 10: (30 − 16)/24
        assert!((overlap(&lists, 10).mean.unwrap() - 7.0 / 12.0).abs() < 1e-15);
        let lists = [vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![4, 5, 6, 7]];
        let found = overlap(&lists, 10);
        // 1, and twice −16/24
        assert!((found.mean.unwrap() - (1.0 - 4.0 / 3.0) / 3.0).abs() < 1e-15);
        assert!((found.min.unwrap() + 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(overlap(&lists, 4).mean, None);
        let message = |lists: &[Vec<usize>]| Free::of(lists, 10, &[], &[]).unwrap_err().to_string();
        assert!(message(&lists[..1]).contains("[4]"));
        assert!(message(&[vec![0, 1], vec![0]]).contains("[2, 1]"));
    }

    /// 40 of 60 genes forced: random choices of the rest have no stability, whatever the forced ones share.
    #[test]
    fn forced_and_forbidden_genes_say_nothing() {
        let (forced, forbidden): (Vec<usize>, Vec<usize>) = ((0..40).collect(), (900..1000).collect());
        let lists: Vec<Vec<usize>> = (0..40)
            .map(|i| {
                let mut stream = Stream::new(3, "lists", i);
                let mut rest: Vec<usize> = (40..900).collect();
                stream.shuffle(&mut rest);
                forced.iter().copied().chain(rest.into_iter().take(20)).collect()
            })
            .collect();
        let all = Free::of(&lists, 1000, &[], &[]).unwrap();
        let free = Free::of(&lists, 1000, &forced, &forbidden).unwrap();
        assert!((all.kuncheva().mean.unwrap() - 0.65).abs() < 0.03, "{:?}", all.kuncheva());
        assert!(free.kuncheva().mean.unwrap().abs() < 0.01, "{:?}", free.kuncheva());
        let Nogueira { stability, interval: (low, high) } = free.nogueira().unwrap();
        assert!(stability.abs() < 0.01 && low < 0.005 && high > -0.005, "{stability} {low} {high}");
        assert_eq!((free.genes.len(), free.lists[0].len()), (860, 20));
    }

    /// `scripts/reference_stability.py`: the authors' code of the 2018 measure, and stabm's definition with SciPy's matching.
    #[test]
    fn measures_are_their_authors() {
        let reference = crate::testing::reference("selection/stability.json");
        for case in reference["cases"].as_array().unwrap() {
            let numbers = |value: &serde_json::Value| -> Vec<usize> {
                value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as usize).collect()
            };
            let lists: Vec<Vec<usize>> = case["lists"].as_array().unwrap().iter().map(numbers).collect();
            let genes = case["genes"].as_u64().unwrap() as usize;
            let free = Free::of(&lists, genes, &[], &[]).unwrap();
            let found = free.nogueira().unwrap();
            let want = |key: &str| case[key].as_f64().unwrap();
            let near =
                |got: f64, key: &str| assert!((got - want(key)).abs() < 1e-9, "{key}: {got} {}", want(key));
            near(found.stability, "nogueira");
            near(found.interval.0, "low");
            near(found.interval.1, "high");
            let pairs = case["copies"].as_array().unwrap().iter().map(numbers);
            let copies = Copies::of_pairs(genes, pairs.map(|pair| (pair[0], pair[1])));
            let shared: Vec<usize> = free.pairs().map(|(a, b)| copies.shared(a, b)).collect();
            assert_eq!(shared, numbers(&case["shared"]));
            // stabm's default is 10,000 random pairs too
            let adjusted = free.with_copies(&copies, 4000, 1).unwrap();
            assert!((adjusted - want("mbm")).abs() < 0.01, "{adjusted} {}", want("mbm"));
        }
    }
}
