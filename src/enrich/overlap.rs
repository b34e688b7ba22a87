//! How much of a panel is in a gene set, and whether that is more, or less, than chance gives.
//!
//! Of N genes that could have been chosen M are in the set; n were chosen, k of them in the set. If every n genes were
//! equally likely, k would follow the hypergeometric distribution.

use statrs::distribution::{DiscreteCDF, Hypergeometric};

/// The four counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Overlap {
    /// N: genes that could have been chosen.
    pub universe: usize,
    /// M: of these, genes in the set.
    pub set: usize,
    /// n: genes chosen.
    pub chosen: usize,
    /// k: of these, genes in the set.
    pub hits: usize,
}

impl Overlap {
    fn distribution(&self) -> Hypergeometric {
        let [universe, set, chosen] = [self.universe, self.set, self.chosen].map(|n| n as u64);
        Hypergeometric::new(universe, set, chosen).expect("parts of the universe")
    }

    /// P(X ≥ k), as R's `phyper(k − 1, M, N − M, n, lower.tail = FALSE)`.
    pub fn upper(&self) -> f64 {
        match self.hits {
            0 => 1.0,
            hits => self.distribution().sf(hits as u64 - 1).clamp(0.0, 1.0),
        }
    }

    /// P(X ≤ k)
    pub fn lower(&self) -> f64 {
        self.distribution().cdf(self.hits as u64).clamp(0.0, 1.0)
    }

    /// n·M/N, what chance gives on average.
    pub fn expected(&self) -> f64 {
        self.chosen as f64 * self.set as f64 / self.universe as f64
    }

    /// (k − nM/N) in standard deviations of the distribution; `None` where it has only one value.
    pub fn z(&self) -> Option<f64> {
        let [universe, set, chosen] = [self.universe, self.set, self.chosen].map(|n| n as f64);
        let variance = self.expected() * (1.0 - set / universe) * (universe - chosen) / (universe - 1.0);
        (variance > 0.0).then(|| (self.hits as f64 - self.expected()) / variance.sqrt())
    }
}

/// Benjamini and Hochberg's adjusted p-values (1995), as R's `p.adjust(p, "BH")`.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    stepped_up(p, 1.0)
}

/// Storey's q-values with the share of true nulls estimated at λ = 0.05, as the Bioconductor package `qvalue` with `lambda =
/// 0.05`, which clusterProfiler calls.
pub fn q_values(p: &[f64]) -> Vec<f64> {
    const LAMBDA: f64 = 0.05;
    let beyond = p.iter().filter(|p| **p >= LAMBDA).count();
    let nulls = beyond as f64 / p.len().max(1) as f64 / (1.0 - LAMBDA);
    stepped_up(p, nulls.min(1.0))
}

/// `nulls`·p·m/rank, made monotone from the largest p down.
fn stepped_up(p: &[f64], nulls: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*b].total_cmp(&p[*a]));
    let (mut out, mut least) = (vec![1.0; p.len()], nulls.min(1.0));
    for (i, at) in order.into_iter().enumerate() {
        let rank = p.len() - i;
        least = f64::min(least, nulls * p[at] * p.len() as f64 / rank as f64);
        out[at] = least;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.hypergeom(N, M, n): .sf(k − 1), .cdf(k)
    #[test]
    fn tails_equal_scipys() {
        let cases = [
            ((22_000, 150, 943, 20), 6.661_714_233_714e-6, 0.999_998_215_236_f64),
            ((100, 10, 20, 0), 1.0, 0.095_116_272_430_8),
            ((50, 50, 7, 7), 1.0, 1.0),
        ];
        for ((universe, set, chosen, hits), upper, lower) in cases {
            let overlap = Overlap { universe, set, chosen, hits };
            assert!((overlap.upper() / upper - 1.0).abs() < 1e-6, "{overlap:?}: {}", overlap.upper());
            assert!((overlap.lower() / lower - 1.0).abs() < 1e-6, "{overlap:?}: {}", overlap.lower());
        }
    }

    /// R: p.adjust(c(.01, .02, .03, .5, .04), "BH")
    #[test]
    fn adjusted_as_in_r() {
        let found = benjamini_hochberg(&[0.01, 0.02, 0.03, 0.5, 0.04]);
        let expected = [0.05, 0.05, 0.05, 0.5, 0.05];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert!(benjamini_hochberg(&[]).is_empty());
    }
}
