//! The greedy recursion of `diverse`: each time the gene after which a ridge regression on the genes chosen leaves least
//! of the target.
//!
//! A ridge regression of a target T on the chosen genes X_S with penalties Λ_S leaves A·T with A = (I + X_S·Λ_S⁻¹·X_Sᵀ)⁻¹
//! [n × n], where least squares (`css`) projects. Near as many genes as samples a projection leaves nothing and the choice is
//! noise; a ridge never runs out. Taking gene j lowers tr(Tᵀ·A·T) by ‖Tᵀ·A·x_j‖²/(x_jᵀ·A·x_j + λ_j) (Sherman & Morrison 1950),
//! so the gene with the largest is taken. Penalties grow with the number of genes ([`Penalties`]): they are set
//! anew at k = 10, 20, 40, …, for a k in the middle of the stretch to come.
//!
//! What is left can be kept among the samples ([`BySamples`](super::by_samples::BySamples), n × n) or among the
//! genes ([`ByGenes`](super::by_genes::ByGenes), G × G). Both give the same list but for ties within rounding.

use rayon::prelude::*;

use super::constraints::{Constraints, Picks};
use super::penalties::Penalties;
use super::within::Part;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::progress::{Event, Reporter, advance};

/// Genes that a task looks at, at least.
pub const GENES: usize = 1024;

/// What a ridge regression on the genes taken leaves of a target.
pub trait Left: Sync {
    /// Whether a gene does not vary.
    fn is_constant(&self, gene: usize) -> bool;

    /// The target's sum of squares.
    fn whole(&self) -> f64;

    /// Sets each gene's penalty, for the genes taken so far and those to come.
    ///
    /// # Errors
    /// [`lost_in_rounding`].
    fn set(&mut self, lambdas: Vec<f64>) -> Result<()>;

    /// How much of what is left a gene takes away.
    fn gain(&self, gene: usize) -> f64;

    /// Takes a gene that varies.
    fn take(&mut self, gene: usize);
}

/// The same where a gene that was taken can be given back.
pub trait Revise: Left {
    /// The gain of every gene if one of those taken had not been; `coming` are those that will be asked for next.
    ///
    /// # Errors
    /// [`lost_in_rounding`].
    fn without(&mut self, gene: usize, coming: &[usize]) -> Result<Vec<f64>>;

    /// Gives back the gene that [`without`](Self::without) was asked for last.
    fn leave(&mut self, gene: usize);

    /// What there is to know of some of the genes alone, of each data set.
    fn among(&self, genes: &[usize]) -> Vec<Part>;
}

/// A penalty so small that products of genes taken, copies of one another, have no Cholesky factor beside it.
pub fn lost_in_rounding() -> Error {
    let told = "--ridge is lost in the rounding of the products of genes, some of which are copies of others; give a larger one, such as 5";
    Error::Usage(told.into())
}

/// Chooses genes one by one: the included ones first, then the free ones, each time
/// the best for what is left; equal ones by id, constant ones last with score 0. A score is the share of the target
/// that the gene takes away at the penalty of its stretch, so scores of different stretches do not add up.
///
/// # Errors
/// [`Error::Interrupted`] where the process was asked to end; [`lost_in_rounding`].
pub fn ridge_greedy(
    left: &mut dyn Left,
    penalties: &Penalties,
    ids: &[String],
    constraints: &Constraints,
    report: Reporter,
) -> Result<Picks> {
    let whole = left.whole().max(f64::MIN_POSITIVE);
    let mut taken = vec![false; ids.len()];
    let mut picks = Picks::default();
    let mut end = 0;
    let total = Some(constraints.n() as u64);
    report(Event::Started { task: "selecting".into(), total, unit: "genes" });
    while picks.genes.len() < constraints.n() {
        interrupt::check()?;
        let placed = picks.genes.len();
        if placed >= end {
            let stretch = penalties.stretch(placed);
            left.set(stretch.lambdas)?;
            end = stretch.end;
        }
        let may = |gene: usize| !taken[gene] && constraints.allows(gene, placed);
        let (gene, gain) = best(left, ids, may);
        taken[gene] = true;
        picks.push(gene, gain.max(0.0) / whole);
        if !left.is_constant(gene) {
            left.take(gene);
        }
        advance(report, picks.genes.len() as u64, "")?;
    }
    report(Event::Finished);
    Ok(picks)
}

/// The gene with the largest gain of those that may be next, and its gain; constant ones have less than any other.
fn best(left: &dyn Left, ids: &[String], may: impl Fn(usize) -> bool + Sync) -> (usize, f64) {
    let value = |gene: usize| if left.is_constant(gene) { -1.0 } else { left.gain(gene) };
    best_of(ids, may, value).expect("constraints leave enough genes")
}

/// The gene of the largest value of those that `may` be taken, and its value; equal ones by id.
pub fn best_of(
    ids: &[String],
    may: impl Fn(usize) -> bool + Sync,
    value: impl Fn(usize) -> f64 + Sync,
) -> Option<(usize, f64)> {
    let better =
        |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1).then_with(|| ids[b.0].cmp(&ids[a.0]));
    let free = (0..ids.len()).into_par_iter().with_min_len(GENES).filter(|gene| may(*gene));
    free.map(|gene| (gene, value(gene))).max_by(better)
}
