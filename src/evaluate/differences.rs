//! Whether a difference that was measured on held-out samples would be there again on others: intervals and tests over what
//! was drawn independently, which are samples, or groups of samples (studies), or whole splits; never genes.

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::erf::erfc;

use super::statistics::{bootstrap_means, mean, paired_t, quantile, sd};
use crate::device::random::Stream;

/// Level of the intervals.
pub const LEVEL: f64 = 0.95;
/// Fewer groups than this in one split give no interval: whichever few studies fell into the test part decides.
pub const FEW_GROUPS: usize = 10;
/// Up to this number of units every pattern of signs is tried.
const EXACT_FLIPS: usize = 20;
/// Patterns that are drawn for more units.
const FLIPS: usize = 10_000;
/// What fits that share training samples add to the variance of a mean over G groups held out once each: see [`with_training`].
const TRAINING: f64 = 6.0;
/// The bootstrap of fewer samples cannot reach the ends of an interval of 95 %; Student's is given for them.
const FEW_SAMPLES: usize = 10;

/// What varies independently of one another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Basis {
    /// Samples, each drawn by itself.
    Samples,
    /// Groups of samples, such as studies, of one split.
    Groups,
    /// Groups, each of which was held out once, with what infers it fitted on all others.
    HeldOutGroups,
    /// Whole splits, whose training parts overlap.
    Splits {
        /// Test samples by training samples, on average.
        ratio: f64,
    },
}

impl Basis {
    /// As tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Basis::Samples => "samples",
            Basis::Groups | Basis::HeldOutGroups => "groups",
            Basis::Splits { .. } => "splits",
        }
    }
}

/// A mean difference, and how far it is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// How many differences it is the mean of.
    pub units: usize,
    /// Their mean.
    pub mean: f64,
    /// An interval of 95 %.
    pub interval: Option<(f64, f64)>,
    /// Degrees of freedom of t.
    pub freedom: Option<f64>,
    /// Mean/(its standard error); `None` where the differences do not vary.
    pub t: Option<f64>,
    /// Two-sided.
    pub p: Option<f64>,
    /// Share of patterns of signs whose mean is as far from 0.
    pub flips_p: Option<f64>,
    /// The least that `flips_p` can be: 2/2ⁿ of n units.
    pub flips_least: Option<f64>,
}

/// The two-sided quantile of Student's t, such as 2.262 for 9 degrees of freedom and level 0.95.
pub fn t_quantile(freedom: f64, level: f64) -> Option<f64> {
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
    Some(t.inverse_cdf((1.0 + level) / 2.0))
}

/// The mean of differences, one a unit, with its interval and tests:
///
/// * samples: the bootstrap's percentile interval over resampled samples, widened to Student's for few ("expanded", Hesterberg
///   2015, *The American Statistician* 69:371), and t with n − 1 degrees of freedom;
/// * groups: t with G − 1 degrees of freedom; no interval from one split of fewer than [`FEW_GROUPS`]; where each was held out once, with
///   a larger variance ([`with_training`]);
/// * splits: t with the variance 1/J + test/train times that between J splits (Nadeau & Bengio 2003, *Machine Learning* 52:239),
///   since their training parts share samples.
///
/// `None` of nothing.
pub fn difference(values: &[f64], basis: Basis, resamples: usize, seed: u64) -> Option<Difference> {
    let mean = mean(values.iter().copied())?;
    let n = values.len();
    let plain = Difference {
        units: n,
        mean,
        interval: None,
        freedom: None,
        t: None,
        p: None,
        flips_p: None,
        flips_least: None,
    };
    let few = basis == Basis::Groups && n < FEW_GROUPS;
    let tested = if few { plain } else { with_t(plain, values, basis) };
    let interval = match basis {
        Basis::Samples if n >= FEW_SAMPLES => expanded(values, resamples, seed),
        _ => tested.interval,
    };
    let flips = !matches!(basis, Basis::Splits { .. });
    let flips_p = if flips { sign_flips(values, seed) } else { None };
    let flips_least =
        flips_p.map(|_| if n <= EXACT_FLIPS { 2.0 / 2f64.powi(n as i32) } else { 1.0 / (FLIPS + 1) as f64 });
    Some(Difference { interval, flips_p, flips_least, ..tested })
}

/// Student's test and interval.
fn with_t(plain: Difference, values: &[f64], basis: Basis) -> Difference {
    let n = values.len() as f64;
    // Of a plain mean 1/n.
    let factor = match basis {
        Basis::Splits { ratio } => 1.0 / n + ratio,
        Basis::HeldOutGroups => with_training(n) / n,
        Basis::Samples | Basis::Groups => 1.0 / n,
    };
    let Some(spread) = sd(values) else { return plain };
    let error = spread * factor.sqrt();
    let half = t_quantile(n - 1.0, LEVEL).map(|t| t * error);
    let test = paired_t(values);
    let t = test.map(|_| plain.mean / error);
    Difference {
        freedom: Some(n - 1.0),
        t,
        p: t.map(|t| super::statistics::t_two_sided(t, n - 1.0)),
        interval: half.map(|half| (plain.mean - half, plain.mean + half)),
        ..plain
    }
}

/// By how much the variance of the mean over G groups, each held out once, exceeds S²/G. The fits share training samples, and every group trains what
/// the others are tested by, so their differences go together. Nadeau and Bengio's correction for G folds is 1 + G/(G − 1), as if training mattered as
/// much as testing. What training adds falls with the size of its part, so from six groups on it is 1 + 6/G; the 6 is from simulations
/// (docs/statistics.md), in which the former's intervals are too wide there.
fn with_training(groups: f64) -> f64 {
    1.0 + (groups / (groups - 1.0)).min(TRAINING / groups)
}

/// Φ(z)
fn normal(z: f64) -> f64 {
    erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

/// The percentile interval whose level is set so that it is as wide as Student's where the values are normal.
fn expanded(values: &[f64], resamples: usize, seed: u64) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    let tail = normal(-(n / (n - 1.0)).sqrt() * t_quantile(n - 1.0, LEVEL)?);
    let means = bootstrap_means(values, resamples, seed);
    Some((quantile(&means, tail)?, quantile(&means, 1.0 - tail)?))
}

/// The share of patterns of signs under which the mean is as far from 0 as it is: of all patterns up to 20 values, else of 10,000
/// drawn ones and the one that there is. `None` where nothing differs.
pub fn sign_flips(values: &[f64], seed: u64) -> Option<f64> {
    let size: f64 = values.iter().map(|x| x.abs()).sum();
    if size == 0.0 || !size.is_finite() {
        return None;
    }
    // Sums of one size differ by rounding.
    let limit = values.iter().sum::<f64>().abs() - 1e-9 * size;
    let n = values.len();
    if n > EXACT_FLIPS {
        let mut stream = Stream::new(seed, "sign flips", 0);
        let far = (0..FLIPS).filter(|_| {
            let sum: f64 = values.iter().map(|x| if stream.below(2) == 0 { *x } else { -x }).sum();
            sum.abs() >= limit
        });
        return Some((far.count() + 1) as f64 / (FLIPS + 1) as f64);
    }
    // The first sign is kept: its flip mirrors the pattern.
    let sum = |pattern: u32| -> f64 {
        let sign = |i: usize| if i > 0 && pattern >> (i - 1) & 1 == 1 { -1.0 } else { 1.0 };
        values.iter().enumerate().map(|(i, x)| sign(i) * x).sum()
    };
    let patterns = 1u32 << (n - 1);
    let far = (0..patterns).filter(|pattern| sum(*pattern).abs() >= limit).count();
    Some(far as f64 / f64::from(patterns))
}

#[cfg(test)]
#[path = "differences_tests.rs"]
mod tests;
