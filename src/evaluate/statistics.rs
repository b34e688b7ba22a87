//! Tests of paired differences, as SciPy has them, and the small sums that tables need.

use rayon::prelude::*;
use statrs::function::beta::beta_reg;
use statrs::function::erf::erfc;

use crate::device::random::Stream;

/// The mean; `None` of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.into_iter().fold((0u64, 0.0), |(n, sum), x| (n + 1, sum + x));
    (n > 0).then(|| sum / n as f64)
}

/// The standard deviation with n − 1 in the denominator; `None` of fewer than two.
pub fn sd(values: &[f64]) -> Option<f64> {
    let centre = mean(values.iter().copied())?;
    let squares = values.iter().map(|x| (x - centre).powi(2)).sum::<f64>();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// The values in ascending order.
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The quantile of ascending values, interpolated linearly (NumPy's default, type 7 of Hyndman & Fan 1996); `None`
/// of nothing.
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let at = q * sorted.len().checked_sub(1)? as f64;
    let below = sorted[at.floor() as usize];
    Some(below + (sorted[at.ceil() as usize] - below) * at.fract())
}

/// Student's t-test of differences against 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TTest {
    /// Mean/(sd/√n)
    pub t: f64,
    /// Two-sided.
    pub p: f64,
    /// Cohen's d of the differences: mean/sd.
    pub d: f64,
}

/// `scipy.stats.ttest_rel`: a paired t-test, given the differences. `None` of fewer than two, or where they do not
/// vary.
pub fn paired_t(differences: &[f64]) -> Option<TTest> {
    let d = mean(differences.iter().copied())? / sd(differences)?;
    let n = differences.len() as f64;
    let t = d * n.sqrt();
    t.is_finite().then(|| TTest { t, p: t_two_sided(t, n - 1.0), d })
}

/// P(|T| ≥ t) = I_{v/(v + t²)}(v/2, 1/2) of v degrees of freedom, Abramowitz & Stegun 26.5.27
pub fn t_two_sided(t: f64, freedom: f64) -> f64 {
    beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// Wilcoxon's signed-rank test of differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// The smaller of the two sums of ranks.
    pub statistic: f64,
    /// Two-sided.
    pub p: f64,
    /// (sum of positive ranks − sum of negative ranks)/their sum (Kerby 2014).
    pub rank_biserial: f64,
}

/// Differences up to this number are tested exactly if none is zero and no two are of one size.
const EXACT: usize = 50;
/// And up to this number in any case.
const EXACT_WITH_TIES: usize = 13;

/// `scipy.stats.wilcoxon` with its defaults, given the differences: zeros are left out; exact for few (SciPy 1.13
/// and later), else by the normal approximation with the correction for ties and none for continuity. `None`
/// where all differences are zero.
pub fn wilcoxon(differences: &[f64]) -> Option<SignedRank> {
    let mut values: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    values.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let n = values.len() as f64;
    // ranks of one size are their mean; doubled, they are whole numbers
    let (mut doubled, mut ties) = (Vec::with_capacity(values.len()), 0.0);
    for same in values.chunk_by(|a, b| a.abs() == b.abs()) {
        let before = doubled.len();
        doubled.resize(before + same.len(), 2 * before + same.len() + 1);
        let size = same.len() as f64;
        ties += size.powi(3) - size;
    }
    let total = n * (n + 1.0) / 2.0;
    let positive = values.iter().zip(&doubled).filter(|(d, _)| **d > 0.0).map(|(_, r)| r).sum::<usize>();
    let plus = positive as f64 / 2.0;
    let plain = ties == 0.0 && values.len() == differences.len();
    let p = if values.is_empty() {
        return None;
    } else if differences.len() <= if plain { EXACT } else { EXACT_WITH_TIES } {
        exact(&doubled, positive)
    } else {
        let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - ties / 2.0) / 24.0;
        let z = (plus - total / 2.0) / variance.sqrt();
        erfc(z.abs() / std::f64::consts::SQRT_2)
    };
    Some(SignedRank { statistic: plus.min(total - plus), p, rank_biserial: (2.0 * plus - total) / total })
}

/// The two-sided p-value of a sum of ranks, each of which counts or not with probability 1/2. Arguments are doubled.
fn exact(ranks: &[usize], sum: usize) -> f64 {
    let mut ways = vec![0.0; ranks.iter().sum::<usize>() + 1];
    ways[0] = 1.0;
    let mut reach = 0;
    for rank in ranks {
        for at in (0..=reach).rev() {
            ways[at + rank] += ways[at];
        }
        reach += rank;
    }
    let below = ways[..=sum].iter().sum::<f64>();
    let above = ways[sum..].iter().sum::<f64>();
    (2.0 * below.min(above) / 2f64.powi(ranks.len() as i32)).min(1.0)
}

/// A percentile interval of the mean by the bootstrap (Efron 1979), e.g. of 95 % for `level` 0.95. `None` of nothing or without
/// resamples.
pub fn bootstrap_mean(values: &[f64], resamples: usize, level: f64, seed: u64) -> Option<(f64, f64)> {
    let means = bootstrap_means(values, resamples, seed);
    Some((quantile(&means, (1.0 - level) / 2.0)?, quantile(&means, (1.0 + level) / 2.0)?))
}

/// Means of resampled values in ascending order; none of nothing. Resample i draws from a stream of its own, so that the result
/// depends on the seed alone.
pub fn bootstrap_means(values: &[f64], resamples: usize, seed: u64) -> Vec<f64> {
    let n = values.len() as u64;
    if n == 0 {
        return Vec::new();
    }
    let resample = |i: usize| {
        let mut stream = Stream::new(seed, "bootstrap", i as u64);
        (0..n).map(|_| values[stream.below(n) as usize]).sum::<f64>() / n as f64
    };
    sorted((0..resamples).into_par_iter().map(resample).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let values = sorted([4.0, 1.0, 3.0, 2.0]);
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|q| quantile(&values, q).unwrap()), [1.0, 1.75, 2.5, 4.0]);
        assert_eq!((quantile(&[], 0.5), quantile(&[7.0], 0.9)), (None, Some(7.0)));
        assert_eq!((mean([]), sd(&[1.0]), sd(&[1.0, 3.0])), (None, None, Some(2f64.sqrt())));
    }

    #[test]
    fn no_difference_is_no_test() {
        for n in [0, 1, 5, 20, 100] {
            assert_eq!((paired_t(&vec![0.0; n]), wilcoxon(&vec![0.0; n])), (None, None));
        }
        assert_eq!(paired_t(&[3.0]), None);
        assert_eq!(paired_t(&[2.0, 2.0, 2.0]), None, "differences that do not vary");
        assert_eq!(wilcoxon(&[2.0]).unwrap().p, 1.0);
    }

    #[test]
    fn the_bootstrap_agrees_with_the_normal_interval() {
        let mut stream = Stream::new(1, "test", 0);
        let values: Vec<f64> = (0..500).map(|_| stream.uniform() * stream.uniform()).collect();
        let (low, high) = bootstrap_mean(&values, 4000, 0.95, 9).unwrap();
        let half = 1.959964 * sd(&values).unwrap() / 500f64.sqrt();
        let centre = mean(values.iter().copied()).unwrap();
        // the interval's ends have a standard error of about 0.04 standard errors of the mean
        assert!((low - (centre - half)).abs() < 0.1 * half && (high - (centre + half)).abs() < 0.1 * half);
        assert_eq!(bootstrap_mean(&values, 4000, 0.95, 9), Some((low, high)));
        assert_ne!(bootstrap_mean(&values, 4000, 0.95, 10), Some((low, high)));
        assert_eq!((bootstrap_mean(&[], 10, 0.95, 1), bootstrap_mean(&values, 0, 0.95, 1)), (None, None));
    }
}
