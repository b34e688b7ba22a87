//! What predictors take.

use super::Options;
use crate::bench::work::{self, Work};
use crate::infer::{FitSettings, Method, kernel};
use crate::pipeline::cost::{Cost, Size};

/// What a predictor of `size.landmarks` genes takes.
pub(in crate::pipeline::stages) fn predictor_cost(options: &Options, method: Method, size: &Size) -> Cost {
    of(&options.settings(method, 0).unwrap_or_default(), size)
}

fn of(settings: &FitSettings, size: &Size) -> Cost {
    let targets = size.genes.saturating_sub(size.landmarks).max(1);
    let (n, p, t) = (size.train as f64, size.landmarks as f64, targets as f64);
    let small = n.min(p);
    let product = |flop: f64| Work { flop, bytes: 4.0 * n * t, double: true };
    let (work, weights) = match settings.method {
        Method::Mlp => {
            let mlp = &settings.mlp;
            let widths: Vec<usize> =
                [size.landmarks].into_iter().chain(mlp.hidden.clone()).chain([targets]).collect();
            let weights = widths.windows(2).map(|w| w[0] as f64 * w[1] as f64).sum();
            let epoch = work::training(&widths, size.train, mlp.batch, 2.0);
            (vec![epoch.times(mlp.epochs as f64)], weights)
        }
        // one decomposition a fold, the targets' products with it, and the solution
        Method::Linear => {
            let fits = settings.linear.folds as f64 + 1.0;
            (vec![product(fits * (2.0 * n * small * t + 10.0 * small.powi(3)))], p * t)
        }
        // some thirty trials of the search, each a decomposition and three products a fold; then the weights
        Method::Kernel => {
            let centres = settings.kernel.centres.unwrap_or(if size.train <= kernel::EXACT {
                size.train
            } else {
                kernel::CENTRES
            });
            let (tried, m) = (n.min(2000.0), (centres as f64).min(n));
            let trials = 30.0 * settings.kernel.folds as f64 * 0.7 * tried.powi(3);
            let solved = if m < n { 2.0 * n * m * (m + t) } else { 2.0 * m * m * t + m.powi(3) / 3.0 };
            (vec![product(2.0 * tried * tried * t + trials + solved)], m * (t + p))
        }
        // the candidates in folds, and in those within
        Method::Best => {
            let rounds = (settings.best.folds * (settings.best.folds + 1)) as f64;
            let each = settings.best.candidates.iter();
            let each = each.map(|method| of(&FitSettings { method: *method, ..settings.clone() }, size));
            let work: Vec<Work> = each.flat_map(|cost| cost.work).map(|work| work.times(rounds)).collect();
            (work, n.max(p) * t)
        }
        Method::Knn => (vec![product(2.0 * n * p * t)], p * t),
    };
    Cost {
        work,
        memory: 4.0 * weights * 3.0 + size.matrix(size.train).min(256e6),
        disk: 4.0 * weights,
        ..Cost::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network among the candidates is the one that was asked for, as often as there are folds and folds within.
    #[test]
    fn candidates_are_counted_with_the_settings_that_they_have() {
        let size = Size { samples: 90, genes: 60, train: 60, held_out: 30, landmarks: 6, hidden: Vec::new() };
        let said = Options { hidden: Some(vec![7, 5]), epochs: Some(900), ..Options::default() };
        let best = Options { candidates: Some(vec![Method::Mlp]), folds: Some(3), ..said.clone() };
        let alone = predictor_cost(&said, Method::Mlp, &size).work;
        let tried = predictor_cost(&best, Method::Best, &size).work;
        assert_eq!(tried, [alone[0].times(12.0)]);
        let default = predictor_cost(&Options::default(), Method::Mlp, &size).work;
        assert!(default[0] != alone[0]);
    }
}
