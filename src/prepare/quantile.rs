//! Values by their rank: quantile normalisation, and quantile mapping onto another platform.

use super::rows::Rows;
use crate::error::Result;
use crate::progress::Reporter;

/// The mean sorted profile: entry i is the mean over samples of each sample's i-th smallest value.
///
/// # Errors
/// Those of a pass over the rows.
pub(super) fn profile(rows: &mut Rows, report: Reporter) -> Result<Vec<f64>> {
    rows.then(|row| {
        row.sort_unstable_by(f32::total_cmp);
        Ok(())
    });
    let moments = rows.moments("sorting", report);
    rows.undo();
    Ok(moments?.mean)
}

/// Quantile normalisation (Bolstad et al. 2003): a value takes the profile's value at its rank; equal values
/// take the mean of the profile over the ranks they share. `profile` is as long as the row.
pub(super) fn normalize(row: &mut [f32], profile: &[f64]) {
    replace(row, |run| {
        let shared = &profile[run.first..run.last];
        shared.iter().sum::<f64>() / shared.len() as f64
    });
}

/// D-GEX's cross-platform rule (Chen et al. 2016): dense rank r from 0 of n distinct values takes
/// `profile[int((r + 1)/n · G) − 1]` of G. The index is computed in integers, so (3/49)·49 is 3; where a row has more
/// distinct values than the profile, the first of them take the smallest.
pub(super) fn map(row: &mut [f32], profile: &[f64]) {
    replace(row, |run| {
        let index = (run.rank + 1) as u64 * profile.len() as u64 / run.distinct as u64;
        profile[(index as usize).saturating_sub(1)]
    });
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

/// Replaces every value by `stand_in` of its run.
fn replace(row: &mut [f32], stand_in: impl Fn(Run) -> f64) {
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
        let value = stand_in(Run { first, last, rank, distinct }) as f32;
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
        normalize(&mut row, &[1.0, 2.0, 3.0, 7.0, 8.0, 10.0]);
        assert_eq!(row, [10.0, 4.0, 8.0, 4.0, 1.0, 4.0]);
        let mut row = [2.0; 3];
        normalize(&mut row, &[0.0, 1.0, 5.0]);
        assert_eq!(row, [2.0; 3]);
    }

    #[test]
    fn dense_ranks_take_the_reference_quantiles() {
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
