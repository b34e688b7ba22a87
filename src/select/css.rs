//! `css`: greedy column subset selection. Each gene is the one that explains most of all genes' variance that the
//! genes before it do not (least squares on the z-scored data).
//!
//! Source: Farahat, Ghodsi & Kamel, "An efficient greedy method for unsupervised feature selection", ICDM 2011.
//! Cost: that of [`greedy`](super::greedy); no options. Score: the share of the variance that the gene adds.

use super::columns::Columns;
use super::constraints::{Constraints, Picks};
use super::greedy::{Target, greedy};
use crate::error::Result;
use crate::progress::Reporter;

/// Chooses from z-scored `x`; `ids` are its genes.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted).
pub fn css(x: &Columns, ids: &[String], constraints: &Constraints, report: Reporter) -> Result<Picks> {
    greedy(x, Some(&Target { gram: x.gram() }), ids, constraints, report)
}
