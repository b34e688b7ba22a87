//! `random`: a draw without replacement, each gene as likely as any other. The baseline that every other strategy has to
//! beat. Score: the uniform number that the gene drew (by its position in the store, from the seed); the largest win.
//! Cost: none.

use super::constraints::{Constraints, Picks};
use crate::device::random::Stream;

/// Draws from the genes `ids`.
pub fn random(ids: &[String], constraints: &Constraints, seed: u64) -> Picks {
    let mut stream = Stream::new(seed, "random landmarks", 0);
    let drawn: Vec<f64> = ids.iter().map(|_| stream.uniform()).collect();
    constraints.best(ids, &drawn)
}
