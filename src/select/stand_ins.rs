//! Stand-ins: for each landmark the genes that would replace it at least loss.
//!
//! Near copies make lists interchangeable: which of them is chosen is a matter of a sample more or less. With everything but
//! landmark j taken, each gene takes away some of what a ridge regression leaves of the target
//! ([`ridge_greedy`](super::ridge_greedy())); a stand-in's loss is the share of j's own gain that it lacks, 0 for a copy,
//! below 0 for a gene that would now be better. The penalty is that of the list's length, as in exchanges. Cost: that of taking the landmarks, and as much again.

use super::constraints::Constraints;
use super::penalties::Penalties;
use super::ridge_greedy::Revise;
use crate::error::Result;
use crate::interrupt;

/// A gene that would replace a landmark.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StandIn {
    /// Which.
    pub gene: usize,
    /// The share of the landmark's gain that it lacks.
    pub loss: f64,
}

/// Of each landmark the `most` genes that are no landmarks and would replace it at least loss, the best first; equal ones
/// by id. A landmark that does not vary has none; `constraints` tell which genes may be landmarks.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted) where the process was asked to end.
pub fn stand_ins(
    left: &mut dyn Revise,
    penalties: &Penalties,
    (landmarks, constraints): (&[usize], &Constraints),
    ids: &[String],
    most: usize,
) -> Result<Vec<Vec<StandIn>>> {
    left.set(penalties.at(landmarks.len() as f64))?;
    for gene in landmarks {
        if !left.is_constant(*gene) {
            left.take(*gene);
        }
    }
    let may = |gene: usize| constraints.allows(gene, constraints.includes());
    let mut is_free: Vec<bool> = (0..ids.len()).map(|gene| !left.is_constant(gene) && may(gene)).collect();
    landmarks.iter().for_each(|gene| is_free[*gene] = false);
    let mut all = Vec::with_capacity(landmarks.len());
    for (place, landmark) in landmarks.iter().enumerate() {
        interrupt::check()?;
        all.push(match left.is_constant(*landmark) {
            true => Vec::new(),
            false => best(&left.without(*landmark, &landmarks[place + 1..])?, *landmark, &is_free, ids, most),
        });
    }
    Ok(all)
}

fn best(gains: &[f64], landmark: usize, is_free: &[bool], ids: &[String], most: usize) -> Vec<StandIn> {
    let mut free: Vec<usize> = (0..gains.len()).filter(|gene| is_free[*gene]).collect();
    let better = |a: &usize, b: &usize| gains[*b].total_cmp(&gains[*a]).then_with(|| ids[*a].cmp(&ids[*b]));
    if most < free.len() {
        free.select_nth_unstable_by(most, better);
        free.truncate(most);
    }
    free.sort_by(better);
    let loss = |gene: usize| 1.0 - gains[gene] / gains[landmark].max(f64::MIN_POSITIVE);
    free.into_iter().map(|gene| StandIn { gene, loss: loss(gene) }).collect()
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;
    use crate::select::by_genes::ByGenes;
    use crate::select::by_samples::BySamples;
    use crate::select::columns::Columns;
    use crate::select::covariance;

    /// tr(Xᵀ·A·X) for a ridge regression on `genes`, as one would write it down.
    fn left(x: &DMatrix<f64>, genes: &[usize], lambdas: &[f64]) -> f64 {
        let n = x.nrows();
        let with = DMatrix::from_fn(n, genes.len(), |row, i| x[(row, genes[i])] / lambdas[genes[i]].sqrt());
        let a =
            (DMatrix::identity(n, n) + &with * with.transpose()).try_inverse().expect("positive definite");
        (x.transpose() * a * x).trace()
    }

    #[test]
    fn losses_equal_what_replacing_each_landmark_costs() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (samples, genes) = (41, 67);
        let store = crate::testing::random_store(&dir.path().join("x.gex"), samples, genes);
        let (x, _) = Columns::standardized(&store, &(0..samples).collect::<Vec<_>>());
        let wide = DMatrix::from_fn(samples, genes, |row, gene| f64::from(x.column(gene)[row]));
        let (gram, c) = (x.gram(), covariance::tests::small(&store, 32));
        let ids: Vec<String> = (0..genes).map(|i| format!("g{i:03}")).collect();
        let landmarks = [3, 50, 7, 21, 66, 0, 12, 13, 14, 30, 31];
        let shares: Vec<f64> = (0..genes).map(|i| 0.3 + (i % 5) as f64).collect();
        let penalties = Penalties::by_uniqueness(0.4, &shares).expect("a ridge");
        let lambdas = penalties.at(landmarks.len() as f64);
        let excluded = [1, 2, 4, 5, 6, 8, 9, 40, 41, 42];
        let constraints = Constraints::new(store.genes(), 11, &[], &excluded).expect("genes enough");
        let bound = (&landmarks[..], &constraints);
        let by_samples = stand_ins(&mut BySamples::new(&x, &gram), &penalties, bound, &ids, 3);
        let by_genes = stand_ins(&mut ByGenes::new(&c, None, landmarks.len()), &penalties, bound, &ids, 3);
        let (by_samples, by_genes) = (by_samples.expect("found"), by_genes.expect("found"));
        for (place, landmark) in landmarks.iter().enumerate() {
            let others: Vec<usize> = landmarks.iter().copied().filter(|gene| gene != landmark).collect();
            let without = left(&wide, &others, &lambdas);
            let gain = |gene: usize| without - left(&wide, &[&others[..], &[gene]].concat(), &lambdas);
            let own = gain(*landmark);
            let mut free: Vec<(usize, f64)> = (0..genes)
                .filter(|gene| !landmarks.contains(gene) && !excluded.contains(gene))
                .map(|gene| (gene, 1.0 - gain(gene) / own))
                .collect();
            free.sort_by(|a, b| a.1.total_cmp(&b.1));
            for (found, tolerance) in [(&by_samples[place], 1e-9), (&by_genes[place], 1e-4)] {
                assert_eq!(found.len(), 3);
                for (found, (gene, loss)) in found.iter().zip(&free) {
                    assert_eq!(found.gene, *gene, "of landmark {landmark}");
                    assert!((found.loss - loss).abs() < tolerance, "{found:?}, {loss}");
                }
            }
        }
    }
}
