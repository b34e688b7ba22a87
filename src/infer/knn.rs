//! Nearest landmark genes, as in D-GEX (Chen et al. 2016, "KNN-GE"): a target gene is inferred as the mean of the k
//! landmark genes whose profiles over the training samples are nearest to its own (Euclidean). Here profiles are
//! z-scored, so that the nearest are the most correlated and the mean is of z-scores.

use super::dense::{Dense, Standardised, product};
use super::parting::Parting;
use super::{KnnSettings, Panel, Problem, Trained};
use crate::device::recording::Activation;
use crate::error::{Error, Result};
use crate::memory::Need;
use crate::nn::model::Layer;
use crate::nouns::counted;
use crate::progress::{Event, Reporter};

/// The largest k that is tried.
const MOST: usize = 50;

/// Fits; the result is a network of one linear layer with k weights of 1/k a target.
pub(super) fn fit(
    problem: &Problem,
    settings: &KnnSettings,
    parting: &Parting,
    report: Reporter,
) -> Result<Trained> {
    let p = problem.landmarks.len();
    fits_in_memory(problem)?;
    let x = Standardised::read(problem.store, problem.samples, problem.landmarks);
    let k = match settings.neighbors {
        Some(k) if k > p => {
            return Err(Error::Data(format!("--neighbors {k}: there are only {}", counted(p, "landmark"))));
        }
        Some(k) => k,
        None => {
            let (train, held) = parting.hold_out(settings.validation)?;
            let errors = held_out_errors(problem, &x.values, &train, &held, MOST.min(p), report)?;
            let best = (0..errors.len()).min_by(|a, b| errors[*a].total_cmp(&errors[*b])).unwrap_or(0);
            report(Event::Note(format!("{} neighbors by {} held-out samples", best + 1, held.len())));
            best + 1
        }
    };
    let all: Vec<usize> = (0..problem.samples.len()).collect();
    let mut weight = vec![0.0; problem.targets.len() * p];
    let (mut mean, mut sd) = (Vec::new(), Vec::new());
    problem.blocks("fitting", report, |y| {
        let near = nearest(&x.values, &y.values, &all, k);
        for (row, near) in weight[mean.len() * p..].chunks_exact_mut(p).zip(near) {
            near.iter().for_each(|landmark| row[*landmark] = 1.0 / k as f32);
        }
        mean.extend(y.mean);
        sd.extend(y.sd);
    })?;
    let outputs = problem.targets.len();
    let activation = Activation::Linear;
    Ok(Trained {
        landmarks: Panel::new(problem.store, problem.landmarks, &x.mean, &x.sd),
        targets: Panel::new(problem.store, problem.targets, &mean, &sd),
        networks: vec![vec![Layer { inputs: p, outputs, weight, bias: vec![0.0; outputs], activation }]],
        kernels: None,
        gram: None,
        chosen: serde_json::json!({ "neighbors": k }),
    })
}

/// Refuses what does not fit: weights, profiles of the landmarks over all samples, and of some targets at a time.
fn fits_in_memory(problem: &Problem) -> Result<()> {
    let (n, p, t) = (problem.samples.len(), problem.landmarks.len(), problem.targets.len());
    Need::new()
        .with(format!("weights of {t} targets by {p} landmarks"), &[t, p, 4])
        .with(format!("values of {p} landmarks in {n} samples"), &[2, n, p, 8])
        .with("blocks of targets", &[3, super::BLOCK_VALUES, 8])
        .check("the fit", "name fewer --landmarks or --targets, or allow more (--memory)")
}

/// Squared error over the rows `held` and all targets for k = 1…`most`, the neighbors found in the rows `train`.
fn held_out_errors(
    problem: &Problem,
    x: &Dense,
    train: &[usize],
    held: &[usize],
    most: usize,
    report: Reporter,
) -> Result<Vec<f64>> {
    let mut errors = vec![0.0; most];
    problem.blocks("choosing the number of neighbors", report, |y| {
        for (target, near) in nearest(x, &y.values, train, most).iter().enumerate() {
            for row in held {
                let (x, truth, mut sum) = (x.row(*row), y.values.row(*row)[target], 0.0);
                for (k, (landmark, error)) in near.iter().zip(&mut errors).enumerate() {
                    sum += x[*landmark];
                    *error += (sum / (k + 1) as f64 - truth).powi(2);
                }
            }
        }
    })?;
    problem.summed(errors)
}

/// For each column of `y` the `k` nearest columns of `x` over the given rows, nearest first, the first of equals.
fn nearest(x: &Dense, y: &Dense, rows: &[usize], k: usize) -> Vec<Vec<usize>> {
    let (x, y) = (x.select_rows(rows), y.select_rows(rows));
    let mut squares = vec![0.0; x.cols];
    for row in x.values.chunks_exact(x.cols) {
        squares.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
    }
    let products = product(y.t(), x.view());
    let of = |products: &[f64]| {
        // ‖x − y‖² less ‖y‖², which all have in common
        let distance = |j: usize| squares[j] - 2.0 * products[j];
        let mut order: Vec<usize> = (0..x.cols).collect();
        let compare = |a: &usize, b: &usize| distance(*a).total_cmp(&distance(*b)).then(a.cmp(b));
        if k < order.len() {
            order.select_nth_unstable_by(k, compare);
            order.truncate(k);
        }
        order.sort_unstable_by(compare);
        order
    };
    products.values.chunks_exact(x.cols).map(of).collect()
}
