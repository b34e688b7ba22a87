//! Whether a selection would come out again: how often each gene is chosen over repeated selections, and how much
//! the lists overlap.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How often a gene was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Frequency {
    /// Which gene.
    pub gene: String,
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

/// Every gene that is in a list: most often chosen first, then by mean rank, then by id.
pub fn frequencies(lists: &[Vec<String>]) -> Vec<Frequency> {
    let mut found: HashMap<&str, (usize, usize)> = HashMap::new();
    for list in lists {
        for (i, gene) in list.iter().enumerate() {
            let (chosen, ranks) = found.entry(gene).or_default();
            *chosen += 1;
            *ranks += i + 1;
        }
    }
    let mut all: Vec<Frequency> = found
        .into_iter()
        .map(|(gene, (chosen, ranks))| Frequency {
            gene: gene.to_string(),
            chosen,
            mean_rank: ranks as f64 / chosen as f64,
        })
        .collect();
    all.sort_by(|a, b| {
        let often = b.chosen.cmp(&a.chosen).then(a.mean_rank.total_cmp(&b.mean_rank));
        often.then_with(|| a.gene.cmp(&b.gene))
    });
    all
}

/// Kuncheva's consistency index of two lists of `n` of `genes` genes that share `shared`:
/// (r·G − N²)/(N·(G − N)), 1 for equal lists and 0 on average for random ones (Kuncheva, "A stability index for
/// feature selection", 2007). `None` where N = G: then there is nothing to choose.
pub fn kuncheva(shared: usize, n: usize, genes: usize) -> Option<f64> {
    let [r, n, g] = [shared, n, genes].map(|count| count as f64);
    (n > 0.0 && n < g).then(|| (r * g - n * n) / (n * (g - n)))
}

/// The overlap of all pairs of lists, each of as many of `genes` genes, each gene once.
///
/// # Errors
/// [`Error::Data`] for fewer than two lists or lists of different lengths.
pub fn overlap(lists: &[Vec<String>], genes: usize) -> Result<Overlap> {
    let n = lists.first().map_or(0, Vec::len);
    if lists.len() < 2 || lists.iter().any(|list| list.len() != n) {
        let lengths: Vec<usize> = lists.iter().map(Vec::len).collect();
        let message = format!("an overlap needs two or more lists of one length, found lengths {lengths:?}");
        return Err(Error::Data(message));
    }
    let sets: Vec<std::collections::HashSet<&String>> = lists.iter().map(|l| l.iter().collect()).collect();
    let mut indices = Vec::new();
    for (i, a) in sets.iter().enumerate() {
        indices.extend(sets[..i].iter().filter_map(|b| kuncheva(a.intersection(b).count(), n, genes)));
    }
    let defined = !indices.is_empty();
    Ok(Overlap {
        lists: lists.len(),
        mean: defined.then(|| indices.iter().sum::<f64>() / indices.len() as f64),
        min: indices.into_iter().min_by(f64::total_cmp),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

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
        let lists = [list("abcd"), list("bace"), list("abcf")];
        let found: Vec<(String, usize, f64)> =
            frequencies(&lists).into_iter().map(|f| (f.gene, f.chosen, f.mean_rank)).collect();
        let want = [
            ("a", 3, 4.0 / 3.0),
            ("b", 3, 5.0 / 3.0),
            ("c", 3, 3.0),
            ("d", 1, 4.0),
            ("e", 1, 4.0),
            ("f", 1, 4.0),
        ];
        assert_eq!(found, want.map(|(gene, chosen, rank)| (gene.to_string(), chosen, rank)));
        // every pair shares 3 of 4 of 10: (30 − 16)/24
        let overlap3 = overlap(&lists, 10).unwrap();
        assert!((overlap3.mean.unwrap() - 7.0 / 12.0).abs() < 1e-15);
        let lists = [list("abcd"), list("abcd"), list("efgh")];
        let found = overlap(&lists, 10).unwrap();
        // 1, and twice −16/24
        assert!((found.mean.unwrap() - (1.0 - 4.0 / 3.0) / 3.0).abs() < 1e-15);
        assert!((found.min.unwrap() + 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(overlap(&lists, 4).unwrap().mean, None);
        assert!(overlap(&lists[..1], 10).unwrap_err().to_string().contains("[4]"));
        assert!(overlap(&[list("ab"), list("a")], 10).unwrap_err().to_string().contains("[2, 1]"));
    }
}
