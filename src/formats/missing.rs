//! Missing values: counted as they are read, then refused or replaced as asked.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::genes::Table;

/// What becomes of missing values (blank, NA, NaN, infinite, −666 in GCTX).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The import fails and says how many there are.
    #[default]
    Refuse,
    /// The gene's mean over the samples that have a value.
    Mean,
    /// The gene's median over the samples that have a value.
    Median,
    /// Zero.
    Zero,
    /// Genes with a missing value are left out.
    DropGene,
    /// Samples with a missing value are left out.
    DropSample,
}

impl Missing {
    /// For a message: what became of missing values.
    pub fn outcome(self) -> &'static str {
        match self {
            Missing::Refuse => "refused",
            Missing::Mean => "replaced by their gene's mean",
            Missing::Median => "replaced by their gene's median",
            Missing::Zero => "replaced by zero",
            Missing::DropGene => "their genes are left out",
            Missing::DropSample => "their samples are left out",
        }
    }
}

/// Missing values of one file, by its rows and columns.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How many in all.
    pub count: u64,
    /// Row and column of the first one.
    pub first: Option<(usize, usize)>,
    /// How many in each row.
    pub rows: Vec<u32>,
    /// How many in each column.
    pub columns: Vec<u32>,
}

impl Tally {
    pub fn new(columns: usize) -> Tally {
        Tally { columns: vec![0; columns], ..Tally::default() }
    }

    /// Takes `rows` rows of which it is known that nothing is missing.
    pub fn pass(&mut self, rows: usize) {
        self.rows.resize(self.rows.len() + rows, 0);
    }

    /// Counts the missing values of the next rows and turns every one of them into NaN.
    pub fn mark(&mut self, values: &mut [f32], sentinel: Option<f32>) {
        let sentinel = sentinel.unwrap_or(f32::NAN); // NaN equals nothing
        for row in values.chunks_exact_mut(self.columns.len()) {
            let mut here = 0;
            // A test of the whole row first, to its end so that it is vectorised: most rows have none.
            let missing = |any, x: &f32| any | !x.is_finite() | (*x == sentinel);
            if row.iter().fold(false, missing) {
                for (column, x) in row.iter_mut().enumerate() {
                    if !x.is_finite() || *x == sentinel {
                        *x = f32::NAN;
                        self.columns[column] += 1;
                        self.first.get_or_insert((self.rows.len(), column));
                        here += 1;
                    }
                }
            }
            self.rows.push(here);
            self.count += u64::from(here);
        }
    }
}

/// What stands in for a gene's missing values: its mean or median over the values it has. `None` for a gene
/// without any.
pub(super) fn stand_in(values: &[f32], policy: Missing) -> Option<f32> {
    let mut present: Vec<f32> = values.iter().copied().filter(|x| x.is_finite()).collect();
    if present.is_empty() {
        return None;
    }
    if policy == Missing::Mean {
        let sum: f64 = present.iter().map(|x| f64::from(*x)).sum();
        return Some((sum / present.len() as f64) as f32);
    }
    let (middle, even) = (present.len() / 2, present.len().is_multiple_of(2));
    let (below, upper, _) = present.select_nth_unstable_by(middle, f32::total_cmp);
    let lower = below.iter().copied().max_by(f32::total_cmp);
    match lower {
        Some(lower) if even => Some(lower / 2.0 + *upper / 2.0), // halves first: the sum could overflow
        _ => Some(*upper),
    }
}

/// The message of [`Missing::Refuse`].
pub(super) fn refused(path: &Path, tally: &Tally, rows: &Table, columns: &Table, transposed: bool) -> Error {
    let (row, column) = tally.first.expect("there is a first one where there are any");
    let names = (&rows.ids[row], &columns.ids[column]);
    let (row, column) = if transposed { (names.1, names.0) } else { names };
    let all = rows.len() * columns.len();
    Error::input(
        path,
        format!(
            "{} of {all} values are missing (blank, NA, NaN, infinite, or −666 in GCTX); the first is at row \
             {row:?}, column {column:?}; pass --missing mean, median or zero to replace them, drop-gene or \
             drop-sample to leave them out",
            tally.count
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_counted_by_row_and_column() {
        let mut tally = Tally::new(3);
        let mut values = [1.0, 2.0, 3.0, f32::INFINITY, 5.0, -666.0];
        tally.mark(&mut values, Some(-666.0));
        tally.pass(2);
        tally.mark(&mut [f32::NAN, 0.0, -666.0], None);
        assert!(values[3].is_nan() && values[5].is_nan());
        assert_eq!((tally.count, tally.first), (3, Some((1, 0))));
        assert_eq!((tally.rows, tally.columns), (vec![0, 2, 0, 0, 1], vec![2, 0, 1]));
    }

    #[test]
    fn stand_ins_are_of_the_values_present() {
        let nan = f32::NAN;
        assert_eq!(stand_in(&[nan, 1.0, 5.0, nan, 3.0], Missing::Median), Some(3.0));
        assert_eq!(stand_in(&[4.0, 1.0, nan, 2.0, 9.0], Missing::Median), Some(3.0));
        assert_eq!(stand_in(&[4.0, nan, 2.0, 9.0], Missing::Mean), Some(5.0));
        assert_eq!(stand_in(&[7.0], Missing::Median), Some(7.0));
        assert_eq!(stand_in(&[nan], Missing::Mean), None);
    }
}
