//! How far samples are from each other in a space of features.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use crate::select::columns::Columns;

/// What is taken for a distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// The length of the difference.
    #[default]
    Euclidean,
    /// 1 − Pearson's correlation of two samples over the features.
    Correlation,
}

/// Of all pairs of samples [n × n].
#[derive(Debug, Clone, PartialEq)]
pub struct Distances {
    /// Number of samples.
    pub n: usize,
    /// Squared lengths, in which means of samples have a place: the squared Euclidean distance, or 2(1 − r), that of samples
    /// brought to mean 0 and length 1.
    squares: Vec<f64>,
    metric: Metric,
}

impl Distances {
    /// Of the rows of samples × features. O(n²·features); memory 16·n² bytes.
    pub fn of(space: &Columns, metric: Metric) -> Distances {
        let (n, mut gram) = (space.rows(), space.gram());
        if metric == Metric::Correlation {
            to_correlations(&mut gram, space);
        }
        let lengths: Vec<f64> = (0..n).map(|i| gram[(i, i)]).collect();
        let mut squares: Vec<f64> = gram.as_slice().to_vec();
        for (row, a) in squares.chunks_exact_mut(n).zip(&lengths) {
            row.iter_mut().zip(&lengths).for_each(|(x, b)| *x = (a + b - 2.0 * *x).max(0.0));
        }
        (0..n).for_each(|i| squares[i * n + i] = 0.0);
        Distances { n, squares, metric }
    }

    /// The squared length between two samples, in which means have a place.
    pub fn square(&self, i: usize, j: usize) -> f64 {
        self.squares[i * self.n + j]
    }

    /// The distance as the metric has it.
    pub fn distance(&self, i: usize, j: usize) -> f64 {
        match self.metric {
            Metric::Euclidean => self.square(i, j).sqrt(),
            Metric::Correlation => self.square(i, j) / 2.0,
        }
    }

    /// Of some samples among themselves.
    pub fn select(&self, samples: &[usize]) -> Distances {
        let squares = samples.iter().flat_map(|i| samples.iter().map(|j| self.square(*i, *j)));
        Distances { n: samples.len(), squares: squares.collect(), metric: self.metric }
    }

    /// The upper triangle, row by row, as SciPy's `pdist` has it.
    pub fn condensed(&self) -> Vec<f64> {
        let n = self.n;
        (0..n).flat_map(|i| (i + 1..n).map(move |j| self.distance(i, j))).collect()
    }
}

/// From products of samples to their correlations; those of a sample of one value are 0.
fn to_correlations(gram: &mut DMatrix<f64>, space: &Columns) {
    let (n, p) = (space.rows(), space.len() as f64);
    let mut means = vec![0.0; n];
    for gene in 0..space.len() {
        means.iter_mut().zip(space.column(gene)).for_each(|(mean, x)| *mean += f64::from(*x) / p);
    }
    let centred = |i: usize, j: usize| gram[(i, j)] - p * means[i] * means[j];
    let lengths: Vec<f64> = (0..n)
        .map(|i| match centred(i, i) {
            square if square > 1e-12 * gram[(i, i)] => square.sqrt(),
            _ => f64::INFINITY,
        })
        .collect();
    let correlations =
        DMatrix::from_fn(n, n, |i, j| if i == j { 1.0 } else { centred(i, j) / lengths[i] / lengths[j] });
    *gram = correlations;
}
