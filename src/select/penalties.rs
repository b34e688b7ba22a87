//! The ridge penalty of each gene in `diverse`: λ_j = c·k·s_j with k genes chosen.
//!
//! The penalty that predicts best grows with k. s_j is 1 for every gene, or the gene's uniqueness ψ_j over the mean one: of a
//! gene that measures the common factors with noise ψ_j, a ridge of that size makes what the factors' posterior makes of
//! it. Uniqueness is not noise alone (a rare programme has a high one too), so it counts between a fifth of the mean and five
//! times it.

use crate::error::{Error, Result};

/// The first stretch of one λ, in genes; each later one ends at twice the genes of the one before.
const STRETCH: usize = 10;
/// How far from the mean a uniqueness counts.
const CLIP: (f64, f64) = (0.2, 5.0);

/// The penalties of a choice: c, and each gene's share.
#[derive(Debug, Clone, PartialEq)]
pub struct Penalties {
    ridge: f64,
    shares: Vec<f64>,
}

/// Penalties that hold for a while: those of the middle of the stretch.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// By gene.
    pub lambdas: Vec<f64>,
    /// The number of genes chosen at which it ends.
    pub end: usize,
}

impl Penalties {
    /// The same for all of `genes` genes: `ridge` for each gene chosen.
    ///
    /// # Errors
    /// [`Error::Usage`] for a ridge that is not between 1e-6 and 1e12.
    pub fn equal(ridge: f64, genes: usize) -> Result<Self> {
        // A smaller penalty than that is lost in the rounding of the samples' sums.
        if !(1e-6..=1e12).contains(&ridge) {
            return Err(Error::Usage(format!("--ridge {ridge}: expected 0, or a number from 1e-6 to 1e12")));
        }
        Ok(Penalties { ridge, shares: vec![1.0; genes] })
    }

    /// In proportion to uniquenesses; a gene of none, which does not vary, does not count for their mean.
    ///
    /// # Errors
    /// As [`Penalties::equal`].
    pub fn by_uniqueness(ridge: f64, uniqueness: &[f64]) -> Result<Self> {
        let equal = Self::equal(ridge, uniqueness.len())?;
        let varying: Vec<f64> = uniqueness.iter().copied().filter(|psi| *psi > 0.0).collect();
        let mean = varying.iter().sum::<f64>() / varying.len().max(1) as f64;
        let share = |psi: f64| if psi > 0.0 { (psi / mean).clamp(CLIP.0, CLIP.1) } else { 1.0 };
        Ok(Penalties { shares: uniqueness.iter().map(|psi| share(*psi)).collect(), ..equal })
    }

    /// The penalties with `k` genes chosen, until how many there are twice as many.
    pub fn stretch(&self, k: usize) -> Stretch {
        let middle = k.max(STRETCH / 2) as f64 * std::f64::consts::SQRT_2;
        Stretch { lambdas: self.at(middle), end: (2 * k).max(STRETCH) }
    }

    /// λ of every gene with `k` of them chosen.
    pub fn at(&self, k: f64) -> Vec<f64> {
        self.shares.iter().map(|share| self.ridge * k * share).collect()
    }

    /// Those of some of the genes alone.
    pub fn among(&self, genes: &[usize]) -> Self {
        Penalties { shares: genes.iter().map(|gene| self.shares[*gene]).collect(), ..*self }
    }

    /// How often penalties are set for `n` genes.
    pub fn stretches(n: usize) -> usize {
        1 + (0..).map(|i| STRETCH << i).take_while(|at| *at < n).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_by_hand() {
        // mean of those that vary: 2
        let penalties = Penalties::by_uniqueness(3.0, &[0.1, 0.0, 2.0, 5.9, 0.0, 0.0]).expect("a ridge");
        let first = penalties.stretch(0);
        let expected = [0.2, 1.0, 0.75, 2.2125, 1.0, 1.0];
        let mean = (0.1 + 2.0 + 5.9) / 3.0;
        assert_eq!(first.end, 10);
        for (i, (found, expected)) in first.lambdas.iter().zip(expected).enumerate() {
            let expected = expected * 3.0 * 5.0 * 2f64.sqrt();
            assert!((found - expected).abs() < 1e-9, "{i}: {found}, {expected}, mean {mean}");
        }
        let later = Penalties::equal(2.0, 1).expect("a ridge").stretch(40);
        assert_eq!((later.end, (later.lambdas[0] - 80.0 * 2f64.sqrt()).abs() < 1e-9), (80, true));
        let most = Penalties::by_uniqueness(1.0, &[[0.1; 30].as_slice(), &[9.0]].concat()).expect("a ridge");
        assert_eq!(most.shares[30], 5.0);
        assert!([0.0, -1.0, 1e-7, 1e13, f64::NAN].iter().all(|ridge| Penalties::equal(*ridge, 1).is_err()));
        let counts = [1, 10, 11, 20, 21, 943].map(Penalties::stretches);
        assert_eq!(counts, [1, 1, 2, 2, 3, 8]);
    }
}
