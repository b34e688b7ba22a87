//! How well inferred values agree with measured ones: figures by gene and by sample, the permutation test, differences over
//! samples or groups with their intervals, and the paper's tests over genes. All sums are streamed in f64.

mod agreement;
mod by_unit;
pub mod differences;
mod evaluation;
mod permutation;
pub mod statistics;

pub use agreement::{Agreement, Baseline, Figures};
pub use by_unit::{ByUnit, Rows, UnitFigures, by_unit};
pub use evaluation::{Evaluation, FILES, Summary};
pub use permutation::{PASSING_SHARE, Pairs, Permutation, permutation, permutation_among};

/// An optional figure in a table: `NA` where it is not defined.
pub fn optional<T: ToString>(x: Option<T>) -> String {
    x.map_or("NA".into(), |x| x.to_string())
}
