//! What each landmark serves: the held-out R² that is lost without it, exactly.
//!
//! `linear`: with A = (G + αI)⁻¹ the refitted coefficients of a target without landmark j are w_k − w_j·A_kj/A_jj (inverse of a matrix
//! without a row and a column). The inferred z-score of sample s falls by w_j·u_sj with u_sj = (x_s·A_·j)/A_jj, so the
//! squared error of target t rises by 2·w_tj·Σ_s e_st·u_sj + w_tj²·Σ_s u_sj²: a product of errors by samples and landmarks in
//! place of as many fits as there are landmarks.
//! `kernel`: each landmark lost is a kernel matrix and its decomposition, but only the test samples are solved for, Ŷ = (K⁻¹k)ᵀY, and
//! where there are many targets only some are looked at.

use super::super::dense::{Dense, product};
use super::super::kernel::Kernels;
use super::super::{Method, Panel, Predictor};
use super::kernel::coefficients;
use super::{Gram, solver};
use crate::error::Result;
use crate::store::Store;

/// Targets at a time.
const BLOCK: usize = 512;

/// Operations that decompositions of `kernel` may take, and products with targets: half a minute each.
const WORK: [f64; 2] = [1e12, 5e11];

/// How well targets are inferred in a store's samples, and what the landmarks have to do with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// Of each landmark the R² that is lost without it, over all targets together: squared errors and squared deviations
    /// from the samples' mean in units of a target's training variance.
    pub lost: Vec<f64>,
    /// Of each landmark the targets, by place among the predictor's, whose own R² loses most, and how much.
    pub most: Vec<Vec<(usize, f64)>>,
    /// Of each target its R² with all landmarks; `None` where it does not vary or is not measured.
    pub r2: Vec<Option<f64>>,
}

/// What is the same for all targets.
struct Moved {
    /// Samples × landmarks, z-scored.
    x: Dense,
    /// u, samples × landmarks.
    by: Dense,
    /// Σ_s u².
    squares: Vec<f64>,
}

/// Landmarks, the place in the store of each.
fn places(panel: &Panel, store: &Store) -> Vec<Option<usize>> {
    let known = store.genes().positions();
    panel.genes.ids.iter().map(|id| known.get(id.as_str()).copied()).collect()
}

/// Z-scores by the panel's scaling of some of its genes at their places: samples × genes.
fn scaled(panel: &Panel, genes: &[usize], places: &[usize], store: &Store) -> Dense {
    let mut out = Dense::zeros(store.n_samples(), genes.len());
    let mut row = vec![0.0; genes.len()];
    for (sample, values) in out.values.chunks_exact_mut(genes.len().max(1)).enumerate() {
        store.read_genes(sample, places, &mut row);
        for ((value, x), gene) in values.iter_mut().zip(&row).zip(genes) {
            *value = (f64::from(*x) - f64::from(panel.offset[*gene])) * f64::from(panel.scale[*gene]);
        }
    }
    out
}

impl Predictor {
    /// What each landmark serves in the samples of a store that has all landmarks by their ids: samples that were not fitted
    /// on. `None` for a method that is not solved, for a predictor that kept nothing to refit by, where a landmark is missing, and for `kernel` from some
    /// thousands of training samples on, where it would take hours.
    ///
    /// # Errors
    /// [`crate::Error::Data`] where nothing can be solved for.
    pub fn served(&self, store: &Store, most: usize) -> Result<Option<Served>> {
        let landmarks: Option<Vec<usize>> = places(&self.landmarks, store).into_iter().collect();
        let Some(landmarks) = landmarks.filter(|_| self.can_refit()) else { return Ok(None) };
        let measured = places(&self.targets, store).into_iter().enumerate();
        let targets: (Vec<usize>, Vec<usize>) = measured.filter_map(|(t, place)| Some((t, place?))).unzip();
        match (self.method, &self.gram, &self.kernels) {
            (Method::Linear, Some(gram), _) => {
                let moved = self.moved(gram, &landmarks, store)?;
                Ok(Some(self.served_by_weights(&moved, targets, store, most)))
            }
            (Method::Kernel, _, Some(kernels)) => {
                self.served_by_kernels(kernels, &landmarks, targets, store, most)
            }
            _ => Ok(None),
        }
    }

    fn nothing_served(&self) -> Served {
        let n = self.landmarks().len();
        Served { lost: vec![0.0; n], most: vec![Vec::new(); n], r2: vec![None; self.targets().len()] }
    }

    fn served_by_weights(
        &self,
        moved: &Moved,
        (targets, places): (Vec<usize>, Vec<usize>),
        store: &Store,
        most: usize,
    ) -> Served {
        let (mut all, mut variation) = (self.nothing_served(), 0.0);
        for (targets, places) in targets.chunks(BLOCK).zip(places.chunks(BLOCK)) {
            variation += self.serve(moved, (targets, places), store, most, &mut all);
        }
        all.lost.iter_mut().for_each(|lost| *lost /= variation.max(f64::MIN_POSITIVE));
        all
    }

    fn served_by_kernels(
        &self,
        kernels: &Kernels,
        landmarks: &[usize],
        (targets, places): (Vec<usize>, Vec<usize>),
        store: &Store,
        most: usize,
    ) -> Result<Option<Served>> {
        let counts = [kernels.len(), landmarks.len(), targets.len(), store.n_samples()];
        let [n, l, t, s] = counts.map(|count| count as f64);
        if l * n * n * (n / 3.0 + 2.0 * s) > WORK[0] {
            return Ok(None);
        }
        let step = ((2.0 * l * n * s * t / WORK[1]).ceil() as usize).max(1);
        let some = |all: Vec<usize>| -> Vec<usize> { all.into_iter().step_by(step).collect() };
        let (targets, places) = (some(targets), some(places));

        let fit = self.fit_by(kernels)?;
        let layer = &self.networks[0][0];
        let whole: Vec<usize> = (0..landmarks.len()).collect();
        let test = scaled(&self.landmarks, &whole, landmarks, store);
        let matrix = fit.shape(&whole).matrix(&fit.x, fit.offsets.as_ref());
        let y = product(matrix.view(), coefficients(layer, &targets).view());
        let mut truth = scaled(&self.targets, &targets, &places, store);
        let deviations: Vec<f64> = (0..targets.len()).map(|i| deviation(&truth, i)).collect();
        for row in truth.values.chunks_exact_mut(targets.len().max(1)) {
            row.iter_mut().zip(&targets).for_each(|(e, t)| *e -= f64::from(layer.bias[*t]));
        }
        // squared errors by target with some of the landmarks
        let squared = |kept: &[usize]| -> Result<Vec<f64>> {
            crate::interrupt::check()?;
            let (x, seen) = (fit.x.select_cols(kept), test.select_cols(kept));
            let shape = fit.shape(kept);
            let weights = fit.solver(kept)?.solve(&shape.cross(&x, &seen));
            let mut errors = truth.clone();
            errors.subtract_product(weights.t(), y.view());
            let mut sums = vec![0.0; targets.len()];
            let rows = errors.values.chunks_exact(targets.len().max(1));
            rows.for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, e)| *sum += e * e));
            Ok(sums)
        };
        let (mut all, before) = (self.nothing_served(), squared(&whole)?);
        let variation = deviations.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let varying: Vec<usize> = (0..targets.len()).filter(|i| deviations[*i] > 0.0).collect();
        varying.iter().for_each(|i| all.r2[targets[*i]] = Some(1.0 - before[*i] / deviations[*i]));
        for j in whole.iter().filter(|_| landmarks.len() > 1) {
            let kept: Vec<usize> = whole.iter().copied().filter(|other| other != j).collect();
            let after = squared(&kept)?;
            for i in &varying {
                let lost = after[*i] - before[*i];
                all.lost[*j] += lost / variation;
                keep(&mut all.most[*j], (targets[*i], lost / deviations[*i]), most);
            }
        }
        Ok(Some(all))
    }

    fn moved(&self, gram: &Gram, places: &[usize], store: &Store) -> Result<Moved> {
        let n = self.landmarks().len();
        let x = scaled(&self.landmarks, &(0..n).collect::<Vec<_>>(), places, store);
        let mut g = Dense { rows: n, cols: n, values: gram.values.clone() };
        let penalty = self.chosen_number("penalty")?;
        (0..n).for_each(|i| g.values[i * n + i] += penalty);
        let mut one = Dense::zeros(n, n);
        (0..n).for_each(|i| one.values[i * n + i] = 1.0);
        let inverse = solver(g)?.solve(&one);
        let diagonal: Vec<f64> = (0..n).map(|i| 1.0 / inverse.values[i * n + i]).collect();
        let by = product(x.view(), inverse.view()).scale_cols(&diagonal);
        let mut squares = vec![0.0; n];
        by.values
            .chunks_exact(n.max(1))
            .for_each(|row| squares.iter_mut().zip(row).for_each(|(q, u)| *q += u * u));
        Ok(Moved { x, by, squares })
    }

    /// Adds what the landmarks do for some targets; returns these targets' squared deviations.
    fn serve(
        &self,
        moved: &Moved,
        (targets, places): (&[usize], &[usize]),
        store: &Store,
        most: usize,
        all: &mut Served,
    ) -> f64 {
        let (layer, n) = (&self.networks[0][0], self.landmarks().len());
        let weights = |t: &usize| layer.weight[t * n..(t + 1) * n].iter().map(|w| f64::from(*w));
        let w = Dense { rows: targets.len(), cols: n, values: targets.iter().flat_map(weights).collect() };
        let mut errors = scaled(&self.targets, targets, places, store);
        let deviations: Vec<f64> = (0..targets.len()).map(|i| deviation(&errors, i)).collect();
        errors.subtract_product(moved.x.view(), w.t());
        for row in errors.values.chunks_exact_mut(targets.len().max(1)) {
            row.iter_mut().zip(targets).for_each(|(e, t)| *e -= f64::from(layer.bias[*t]));
        }
        let products = product(errors.t(), moved.by.view());
        for (i, t) in targets.iter().enumerate().filter(|(i, _)| deviations[*i] > 0.0) {
            let squared: f64 = (0..errors.rows).map(|s| errors.row(s)[i].powi(2)).sum();
            all.r2[*t] = Some(1.0 - squared / deviations[i]);
            for (j, (c, w)) in products.row(i).iter().zip(w.row(i)).enumerate() {
                let lost = 2.0 * w * c + w * w * moved.squares[j];
                all.lost[j] += lost;
                keep(&mut all.most[j], (*t, lost / deviations[i]), most);
            }
        }
        deviations.iter().sum()
    }
}

/// Squared deviations of a column from its mean; 0 for one that varies by rounding alone.
fn deviation(values: &Dense, column: usize) -> f64 {
    let at = |s: usize| values.row(s)[column];
    let mean = (0..values.rows).map(at).sum::<f64>() / values.rows.max(1) as f64;
    let sum: f64 = (0..values.rows).map(|s| (at(s) - mean).powi(2)).sum();
    if sum > 1e-9 * values.rows as f64 { sum } else { 0.0 }
}

/// Keeps the largest, in order; of equal ones that which came first.
fn keep(best: &mut Vec<(usize, f64)>, new: (usize, f64), most: usize) {
    if new.1 <= 0.0 || best.len() == most && best.last().is_none_or(|last| last.1 >= new.1) {
        return;
    }
    let place = best.iter().position(|old| old.1 < new.1).unwrap_or(best.len());
    best.insert(place, new);
    best.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::infer::FitSettings;
    use crate::progress::silent;
    use crate::testing::random_store;

    /// Σ squared errors and Σ squared deviations in units of training variance, and R² by target, as one would take them.
    fn measured(predictor: &Predictor, store: &Store) -> (f64, f64, Vec<f64>) {
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let [landmarks, targets] =
            [&predictor.landmarks, &predictor.targets].map(|panel| places(panel, store));
        let mut inferred = Vec::new();
        let mut visit = |_: usize, rows: &[f32]| {
            inferred.extend_from_slice(rows);
            Ok(())
        };
        predictor.predict(&mut executor, store, &landmarks, &silent, &mut visit).unwrap();
        let (mut error, mut variation, mut all) = (0.0, 0.0, Vec::new());
        for (t, place) in targets.iter().enumerate() {
            let mut values = vec![0.0; store.n_genes()];
            let mut column = Vec::new();
            for s in 0..store.n_samples() {
                store.read_row(s, &mut values);
                column.push(f64::from(values[place.unwrap()]));
            }
            let mean = column.iter().sum::<f64>() / column.len() as f64;
            let scale = f64::from(predictor.targets.scale[t]).powi(2);
            let e: f64 = (column.iter().enumerate())
                .map(|(s, y)| (y - f64::from(inferred[s * targets.len() + t])).powi(2))
                .sum();
            let v: f64 = column.iter().map(|y| (y - mean).powi(2)).sum();
            (error, variation) = (error + e * scale, variation + v * scale);
            all.push(1.0 - e / v);
        }
        (error, variation, all)
    }

    #[test]
    fn what_is_lost_is_what_a_refit_without_the_landmark_loses() {
        let dir = tempfile::tempdir().unwrap();
        let train = random_store(&dir.path().join("a.gex"), 43, 13);
        let test = random_store(&dir.path().join("b.gex"), 17, 13);
        let samples: Vec<usize> = (0..43).collect();
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let (landmarks, targets) = ([2, 0, 7, 11], [1, 3, 4, 5, 6, 8, 9, 10, 12]);
        for method in [Method::Linear, Method::Kernel] {
            let settings = FitSettings { method, ..FitSettings::default() };
            let predictor =
                Predictor::fit(&mut executor, &train, &samples, &landmarks, &targets, &settings, &silent)
                    .unwrap();
            let served = predictor.served(&test, 3).unwrap().unwrap();
            let (error, variation, r2) = measured(&predictor, &test);
            for (t, r2) in r2.iter().enumerate() {
                assert!((served.r2[t].unwrap() - r2).abs() < 1e-4, "{t}");
            }
            for j in 0..4 {
                let (without, _) = predictor.without(&[j], &silent).unwrap();
                let (worse, _, less) = measured(&without, &test);
                // f32 in the prediction that it is held against
                assert!((served.lost[j] - (worse - error) / variation).abs() < 1e-5, "landmark {j}");
                let mut lost: Vec<(usize, f64)> =
                    (0..9).map(|t| (t, r2[t] - less[t])).filter(|x| x.1 > 0.0).collect();
                lost.sort_by(|a, b| b.1.total_cmp(&a.1));
                for (found, expected) in served.most[j].iter().zip(&lost) {
                    // nearly equal ones may come in either order
                    let own = r2[found.0] - less[found.0];
                    let close = (found.1 - own).abs() < 1e-4 && (found.1 - expected.1).abs() < 1e-4;
                    assert!(close, "{method:?}, landmark {j}: {found:?}, {own}, {expected:?}");
                }
                assert!(served.most[j].len().abs_diff(lost.len().min(3)) <= 1, "landmark {j}");
            }
        }
    }

    #[test]
    fn other_methods_and_stores_that_lack_landmarks_cannot_tell() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("a.gex"), 43, 13);
        let fewer = random_store(&dir.path().join("b.gex"), 17, 3);
        let samples: Vec<usize> = (0..43).collect();
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        for method in [Method::Knn, Method::Linear] {
            let settings = FitSettings { method, ..FitSettings::default() };
            let predictor =
                Predictor::fit(&mut executor, &store, &samples, &[1, 5], &[2, 3], &settings, &silent)
                    .unwrap();
            assert_eq!(predictor.served(&store, 1).unwrap().is_some(), method == Method::Linear);
            assert!(predictor.served(&fewer, 1).unwrap().is_none());
        }
    }
}
