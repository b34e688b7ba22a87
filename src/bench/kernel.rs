//! Kernel ridge regression, exact and on drawn centres: the parts of a fit and the predictions, each timed from where the
//! call that the commands make tells that it begins to where it tells that it is over.

use std::sync::Mutex;
use std::time::Instant;

use super::work::{self, Work};
use super::{BenchSettings, Measured};
use crate::device::Executor;
use crate::error::Result;
use crate::infer::kernel::{CENTRES, DECOMPOSITION, EXACT, FACTOR, MATRIX, SOLUTION, SUMS};
use crate::infer::{FitSettings, INFERENCE, KernelSettings, Method, Predictor, Problem};
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// Samples that are predicted at most.
const PREDICTED: usize = 1024;

/// Up to [`EXACT`] samples exactly, then all samples on at most [`CENTRES`] centres.
pub fn kernel(
    executor: &mut dyn Executor,
    store: &Store,
    settings: &BenchSettings,
    report: Reporter,
) -> Result<Vec<Measured>> {
    let n = store.n_samples();
    let exact = Shape::of(store, n.min(EXACT), n.min(EXACT), settings);
    let drawn = Shape::of(store, n, CENTRES.min(n / 2).max(1), settings);
    let mut all = Vec::new();
    for shape in [exact, drawn] {
        let clock = Clock::default();
        for _ in 0..settings.rounds {
            shape.fit_and_predict(executor, store, &|event| clock.hear(event, report))?;
        }
        let memory = executor.allocated();
        all.extend(shape.parts().into_iter().map(|part| part.measured(&shape, &clock, memory)));
    }
    Ok(all)
}

/// What is fitted on what.
struct Shape {
    samples: usize,
    centres: usize,
    landmarks: usize,
    targets: usize,
}

/// A part of the work.
struct Part {
    /// As it tells of itself.
    task: &'static str,
    name: &'static str,
    unit: &'static str,
    items: usize,
    work: Work,
}

impl Shape {
    fn of(store: &Store, samples: usize, centres: usize, settings: &BenchSettings) -> Shape {
        let landmarks = settings.landmarks;
        Shape { samples, centres, landmarks, targets: store.n_genes() - landmarks }
    }

    fn fit_and_predict(&self, executor: &mut dyn Executor, store: &Store, report: Reporter) -> Result<()> {
        let samples: Vec<usize> = (0..self.samples).collect();
        let genes: Vec<usize> = (0..store.n_genes()).collect();
        let (landmarks, targets) = genes.split_at(self.landmarks);
        // a choice by folds would be another amount of work on every matrix
        let kernel = KernelSettings {
            gamma: Some(1.0),
            mixture: Some(0.8),
            penalty: Some(0.1),
            centres: Some(self.centres),
            ..KernelSettings::default()
        };
        let fit = FitSettings { method: Method::Kernel, kernel, ..FitSettings::default() };
        let problem = Problem::new(store, &samples, landmarks, targets);
        let predictor = Predictor::fit_kept(executor, &problem, &fit, None, report)?;
        let places: Vec<Option<usize>> = landmarks.iter().map(|gene| Some(*gene)).collect();
        let some = &samples[..self.predicted()];
        predictor.predict_samples(executor, store, some, &places, report, &mut |_, _| Ok(()))
    }

    fn predicted(&self) -> usize {
        self.samples.min(PREDICTED)
    }

    /// The parts that tell of themselves, in their order.
    fn parts(&self) -> Vec<Part> {
        let Shape { samples: n, centres: c, landmarks: l, targets: t } = *self;
        let part = |task, name, unit, items, work| Part { task, name, unit, items, work };
        let drawn = [
            part(FACTOR, "factor of the centres", "centres", c, work::inverse(c)),
            part(SUMS, "sums", "samples", n, work::kernel_sums(n, c, l, t)),
        ];
        // without sums only the lower half is made
        let entries = if c < n { c * c } else { c * (c + 1) / 2 };
        // of drawn centres their own factor's too
        let triangles = if c < n { 3 } else { 2 };
        let rest = [
            part(MATRIX, "kernel matrix", "centres", c, work::kernel_matrix(c, entries, l)),
            part(DECOMPOSITION, "Cholesky", "centres", c, work::cholesky(c)),
            part(SOLUTION, "solving", "targets", t, work::solution(triangles, c, t)),
            part(
                INFERENCE,
                "prediction",
                "samples",
                self.predicted(),
                work::kernels(self.predicted(), c, l, t),
            ),
        ];
        drawn.into_iter().filter(|_| c < n).chain(rest).collect()
    }
}

impl Part {
    fn measured(&self, shape: &Shape, clock: &Clock, device_memory: u64) -> Measured {
        let which = if shape.centres < shape.samples { "Nyström" } else { "kernel ridge" };
        Measured {
            name: format!("{which} {}, {}", shape.centres, self.name),
            unit: self.unit,
            items: self.items,
            work: vec![self.work],
            device_memory,
            seconds: clock.seconds(self.task),
        }
    }
}

/// How long each task took, whenever it was done.
#[derive(Default)]
struct Clock {
    done: Mutex<Vec<(String, Instant, Option<f64>)>>,
}

impl Clock {
    /// Notes when tasks begin and end, and passes on what it hears.
    fn hear(&self, event: Event, report: Reporter) {
        let mut done = self.done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match (&event, done.last_mut()) {
            (Event::Started { task, .. }, _) => done.push((task.clone(), Instant::now(), None)),
            (Event::Finished, Some((_, start, seconds))) => *seconds = Some(start.elapsed().as_secs_f64()),
            _ => {}
        }
        drop(done);
        report(event);
    }

    fn seconds(&self, task: &str) -> Vec<f64> {
        let done = self.done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        done.iter().filter(|(name, ..)| name == task).filter_map(|(.., seconds)| *seconds).collect()
    }
}
