//! `variance`: the genes that vary most, the usual filter ("highly variable genes") in its plainest form. Score: the
//! variance over the samples in the store's units squared, n in the denominator. Cost: one pass over the data.

use super::constraints::{Constraints, Picks};

/// Chooses by the standard deviations of the genes `ids`.
pub fn variance(deviations: &[f64], ids: &[String], constraints: &Constraints) -> Picks {
    let variances: Vec<f64> = deviations.iter().map(|sd| sd * sd).collect();
    constraints.best(ids, &variances)
}
