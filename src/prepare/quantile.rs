//! Values by their rank: quantile normalisation, and quantile mapping onto another platform.

use serde::{Deserialize, Serialize};

/// Which value of a profile stands for a value of some rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Equal values take the mean of the profile over the ranks they share (Bolstad et al. 2003)
    #[default]
    Mean,
    /// Equal values take the profile's value at their mean rank, rounded down (D-GEX, `bgedv2_reqnorm.py`)
    Dgex,
    /// By dense rank, from one platform to another (D-GEX, `GTEx_reqnorm.py`)
    Dense,
}

/// Equal values of a row.
struct Run {
    /// Their places in the sorted row: `first..last`.
    first: usize,
    last: usize,
    /// Dense rank from 0, of `distinct`.
    rank: usize,
    distinct: usize,
}

impl Rule {
    /// The stand-in. But for [`Rule::Dense`] the profile is as long as the row.
    fn pick(self, run: &Run, profile: &[f64]) -> f64 {
        match self {
            Rule::Mean => {
                let shared = &profile[run.first..run.last];
                shared.iter().sum::<f64>() / shared.len() as f64
            }
            // Ranks first + 1 … last; scipy's rankdata is their mean, of which 1 is taken and the half cut off.
            Rule::Dgex => profile[(run.first + run.last - 1) / 2],
            // Dense rank r from 0 of n distinct values takes `profile[int((r + 1)/n · G) − 1]` of G (Chen et al. 2016).
            // In integers, so (3/49)·49 is 3; where a row has more distinct values than the profile, the first of
            // them take the smallest.
            Rule::Dense => {
                let index = (run.rank + 1) as u64 * profile.len() as u64 / run.distinct as u64;
                profile[(index as usize).saturating_sub(1)]
            }
        }
    }
}

/// Replaces every value by its stand-in from the ascending `profile`.
pub(super) fn replace(row: &mut [f32], rule: Rule, profile: &[f64]) {
    // Value above, place below: integers in the order of the floats. Adding 0 makes −0 and 0 one value.
    let key = |x: f32| {
        let bits = (x + 0.0).to_bits();
        if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
    };
    let mut order: Vec<u64> =
        row.iter().enumerate().map(|(i, x)| u64::from(key(*x)) << 32 | i as u64).collect();
    order.sort_unstable();
    let runs = || order.chunk_by(|a, b| a >> 32 == b >> 32);
    let (distinct, mut first) = (runs().count(), 0);
    for (rank, run) in runs().enumerate() {
        let last = first + run.len();
        let value = rule.pick(&Run { first, last, rank, distinct }, profile) as f32;
        for place in run {
            row[*place as u32 as usize] = value;
        }
        first = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_mean_of_their_ranks() {
        let mut row = [5.0, -0.0, 3.0, 0.0, -7.0, 0.0];
        replace(&mut row, Rule::Mean, &[1.0, 2.0, 3.0, 7.0, 8.0, 10.0]);
        assert_eq!(row, [10.0, 4.0, 8.0, 4.0, 1.0, 4.0]);
        let mut row = [2.0; 3];
        replace(&mut row, Rule::Mean, &[0.0, 1.0, 5.0]);
        assert_eq!(row, [2.0; 3]);
    }

    #[test]
    fn ties_of_dgex_take_their_mean_rank_rounded_down() {
        let mut row = [5.0, 0.0, 3.0, 0.0, -7.0, 5.0]; // mean ranks from 0: 4.5, 1.5, 3, 1.5, 0, 4.5
        replace(&mut row, Rule::Dgex, &[1.0, 2.0, 3.0, 7.0, 8.0, 10.0]);
        assert_eq!(row, [8.0, 2.0, 7.0, 2.0, 1.0, 8.0]);
    }

    #[test]
    fn dense_ranks_take_the_reference_quantiles() {
        let map = |row: &mut [f32], profile: &[f64]| replace(row, Rule::Dense, profile);
        let mut row = [3.0, -1.0, 3.0, -2.0];
        map(&mut row, &[10.0, 20.0, 30.0, 40.0, 50.0]); // indices int(1/3·5) − 1 = 0, int(10/3) − 1 = 2, 4
        assert_eq!(row, [50.0, 30.0, 50.0, 10.0]);
        let mut row = [1.0, 2.0, 3.0, 4.0, 5.0];
        map(&mut row, &[10.0, 20.0]); // int(k·2/5) − 1 is −1, −1, 0, 0, 1
        assert_eq!(row, [10.0, 10.0, 10.0, 10.0, 20.0]);
        let profile: Vec<f64> = (0..49).map(f64::from).collect();
        let mut row: Vec<f32> = (0..49).map(|x| x as f32 * 3.0).collect();
        map(&mut row, &profile);
        assert!(row.iter().zip(&profile).all(|(a, b)| f64::from(*a) == *b), "every rank takes its own value");
    }
}
