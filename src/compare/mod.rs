//! Landmark sets side by side on held-out samples: each set's predictor is fitted on the training store, infers the
//! same targets in every test store, and is measured; sets are compared in pairs and with random draws of their size.

mod leaks;
mod paired;
mod sets;
mod tables;

pub use leaks::{Identity, Leaks};
pub use paired::{Measure, PairTest, pair_tests};
pub use sets::{LandmarkSet, Named, Plan, PlanSettings, places};
pub use tables::{FILES, SetFigures, describe, set_figures, write, write_into};

use crate::device::Executor;
use crate::error::Result;
use crate::evaluate::{Agreement, Figures, Pairs, Permutation, permutation};
use crate::infer::{FitSettings, Predictor};
use crate::nn::scaling::medians;
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// How one set did on one test store.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Of each target, over samples.
    pub by_gene: Vec<Figures>,
    /// Of each sample, over targets.
    pub by_sample: Vec<Figures>,
    /// Of each target.
    pub permutation: Permutation,
}

/// How all sets did on one test store.
#[derive(Debug, Clone)]
pub struct Tested {
    /// The store's path.
    pub store: String,
    /// Positions among the training store's genes: the plan's targets that this store measures.
    pub targets: Vec<usize>,
    /// Of each set of the plan.
    pub outcomes: Vec<Outcome>,
}

/// Fits every set of the plan on all samples of `train` and measures it on every test store.
///
/// # Errors
/// Those of [`Predictor::fit`] and [`Predictor::predict`]; [`crate::Error::Io`] where the temporary directory is full.
pub fn compare(
    executor: &mut dyn Executor,
    train: &Store,
    tests: &[Store],
    plan: &Plan,
    settings: &FitSettings,
    report: Reporter,
) -> Result<Vec<Tested>> {
    let samples: Vec<usize> = (0..train.n_samples()).collect();
    let medians = medians(train, &samples);
    let mut tested: Vec<Tested> = (tests.iter().zip(&plan.places))
        .map(|(test, places)| Tested {
            store: test.path().display().to_string(),
            targets: plan.targets.iter().copied().filter(|gene| places[*gene].is_some()).collect(),
            outcomes: Vec::new(),
        })
        .collect();
    for (i, set) in plan.sets.iter().enumerate() {
        report(Event::Note(format!("set {} of {}: {}", i + 1, plan.sets.len(), set.name)));
        // in one order, so that equal sets have equal figures
        let mut landmarks = set.genes.clone();
        landmarks.sort_unstable();
        let predictor =
            Predictor::fit(executor, train, &samples, &landmarks, &plan.targets, settings, report)?;
        for ((test, places), tested) in tests.iter().zip(&plan.places).zip(&mut tested) {
            // Landmarks and truth are read from the same places: those of one join of the stores.
            let at: Vec<Option<usize>> = landmarks.iter().map(|gene| places[*gene]).collect();
            let outcome =
                measure(executor, &predictor, test, (&at, &plan.targets, places), &medians, report)?;
            tested.outcomes.push(outcome);
        }
    }
    Ok(tested)
}

fn measure(
    executor: &mut dyn Executor,
    predictor: &Predictor,
    test: &Store,
    (landmarks, targets, places): (&[Option<usize>], &[usize], &[Option<usize>]),
    medians: &[f32],
    report: Reporter,
) -> Result<Outcome> {
    // (position among the targets, column of the test store)
    let there: Vec<(usize, usize)> =
        targets.iter().enumerate().filter_map(|(i, gene)| Some((i, places[*gene]?))).collect();
    let baseline: Vec<f32> = there.iter().map(|(i, _)| medians[targets[*i]]).collect();
    let mut agreement = Agreement::new(&baseline);
    let mut pairs = Pairs::new(there.len())?;
    pairs.expect(test.n_samples())?;
    let mut stored = vec![0.0; test.n_genes()];
    let (mut measured, mut inferred) = (vec![0.0; there.len()], vec![0.0; there.len()]);
    predictor.predict(executor, test, landmarks, report, &mut |first, rows| {
        for (sample, row) in (first..).zip(rows.chunks_exact(targets.len())) {
            test.read_row(sample, &mut stored);
            for ((x, y), (target, column)) in measured.iter_mut().zip(&mut inferred).zip(&there) {
                (*x, *y) = (stored[*column], row[*target]);
            }
            agreement.add(&measured, &inferred);
            pairs.add(&measured, &inferred)?;
        }
        Ok(())
    })?;
    let (by_gene, by_sample) = agreement.finish();
    let permutation = permutation(executor, &mut pairs, report)?;
    Ok(Outcome { by_gene, by_sample, permutation })
}
