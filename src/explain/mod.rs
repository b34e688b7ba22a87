//! Why genes are what they are to a network: which bottleneck neurons a gene moves, and which genes move a neuron, by DeepLIFT.
//!
//! What a landmark does for the inferred genes is the predictor's to tell: [`Predictor::without_one`](crate::infer::Predictor::without_one) and
//! [`Predictor::carriers`](crate::infer::Predictor::carriers).

use serde::{Deserialize, Serialize};

use crate::attribution::{AttributeSettings, attribute};
use crate::device::Executor;
use crate::error::Result;
use crate::nn::model::Model;
use crate::progress::Reporter;
use crate::store::Store;

/// Contributions of genes to bottleneck neurons, each the mean over samples of |C|.
#[derive(Debug, Clone, PartialEq)]
pub struct Neurons {
    /// Neurons × genes of the model.
    contributions: Vec<f32>,
    genes: usize,
}

/// What a gene does to a neuron.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moves {
    /// Which neuron, from 0.
    pub neuron: usize,
    /// Which gene of the model.
    pub gene: usize,
    /// Mean over samples of the gene's absolute contribution to the neuron.
    pub contribution: f32,
    /// Its place among the genes by what they contribute to this neuron, from 1.
    pub rank: usize,
    /// Its share of what all genes contribute to this neuron.
    pub share: f32,
}

impl Neurons {
    /// By DeepLIFT of a store's samples. Frees what was on the device before.
    ///
    /// # Errors
    /// As [`attribute`].
    pub fn of(
        executor: &mut dyn Executor,
        model: &Model,
        store: &Store,
        settings: &AttributeSettings,
        report: Reporter,
    ) -> Result<Neurons> {
        executor.reset();
        let found = attribute(executor, model, store, settings, true, report)?;
        Ok(Neurons::new(found.per_node.unwrap_or_default(), model.genes.len()))
    }

    /// From contributions, neurons × genes.
    pub fn new(contributions: Vec<f32>, genes: usize) -> Neurons {
        Neurons { contributions, genes }
    }

    /// How many neurons there are.
    pub fn len(&self) -> usize {
        self.contributions.len() / self.genes.max(1)
    }

    /// Whether there is no neuron.
    pub fn is_empty(&self) -> bool {
        self.contributions.is_empty()
    }

    /// Contributions to one neuron, by gene of the model.
    pub fn row(&self, neuron: usize) -> &[f32] {
        &self.contributions[neuron * self.genes..(neuron + 1) * self.genes]
    }

    /// What one gene does to each neuron, the neurons that it has the largest share of first.
    pub fn of_gene(&self, gene: usize) -> Vec<Moves> {
        let mut all: Vec<Moves> = (0..self.len()).map(|neuron| self.moves(neuron, gene)).collect();
        all.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.neuron.cmp(&b.neuron)));
        all
    }

    /// The genes that contribute most to a neuron, the largest first.
    pub fn of_neuron(&self, neuron: usize, most: usize) -> Vec<Moves> {
        let row = self.row(neuron);
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
        let total: f64 = row.iter().map(|c| f64::from(*c)).sum();
        let moves = |(place, gene): (usize, usize)| Moves {
            neuron,
            gene,
            contribution: row[gene],
            rank: place + 1,
            share: share(row[gene], total),
        };
        order.into_iter().take(most).enumerate().map(moves).collect()
    }

    fn moves(&self, neuron: usize, gene: usize) -> Moves {
        let (row, contribution) = (self.row(neuron), self.row(neuron)[gene]);
        let before = |(other, c): (usize, &f32)| *c > contribution || (*c == contribution && other < gene);
        let rank = 1 + row.iter().enumerate().filter(|at| before(*at)).count();
        let total: f64 = row.iter().map(|c| f64::from(*c)).sum();
        Moves { neuron, gene, contribution, rank, share: share(contribution, total) }
    }
}

fn share(contribution: f32, total: f64) -> f32 {
    if total > 0.0 { (f64::from(contribution) / total) as f32 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_ranks_by_hand() {
        // two neurons, four genes
        let neurons = Neurons::new(vec![1.0, 3.0, 0.0, 4.0, 2.0, 2.0, 0.0, 0.0], 4);
        assert_eq!((neurons.len(), neurons.is_empty()), (2, false));
        let own: Vec<(usize, usize, f32)> =
            neurons.of_gene(1).iter().map(|m| (m.neuron, m.rank, m.share)).collect();
        assert_eq!(own, [(1, 2, 0.5), (0, 2, 0.375)], "equal contributions rank by place");
        let genes: Vec<(usize, usize, f32)> =
            neurons.of_neuron(0, 3).iter().map(|m| (m.gene, m.rank, m.share)).collect();
        assert_eq!(genes, [(3, 1, 0.5), (1, 2, 0.375), (0, 3, 0.125)]);
        let dead = Neurons::new(vec![0.0; 3], 3);
        assert_eq!(dead.of_gene(2)[0].share, 0.0);
    }
}
