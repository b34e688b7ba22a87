//! What the samples of a group (a study, a platform) have in common beside what their landmarks explain: an offset by gene and group, taken as noise.
//!
//! With one variance for a group's offset, τ times that of a sample's own noise, the errors of two samples have the covariance V = I + τ·[same group],
//! and a ridge regression weighs them by its inverse: W = (XᵀV⁻¹X + αI)⁻¹XᵀV⁻¹Y = Xᵀ(XXᵀ + αV)⁻¹Y, a kernel ridge regression solves (K + λV)C = Y
//! (random intercepts, as in the mixed models of Henderson 1975 and Robinson 1991). V⁻¹x = x − τ/(1 + τ·n)·Σ of x's group of n: differences within groups count more than those
//! between them. A sample of an unseen group is predicted without an offset.

use super::dense::Dense;
use super::parting::Parting;

/// Under what a predictor says what τ it has.
pub(super) const RATIO: &str = "group-variance";
/// Under what a predictor keeps the groups of its samples, where these are its centres.
pub(super) const GROUPS: &str = "groups";

/// Samples in groups, and τ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Offsets {
    /// Of each sample, from 0.
    group: Vec<usize>,
    /// Samples of each group.
    sizes: Vec<usize>,
    ratio: f64,
}

impl Offsets {
    /// `None` where nothing is shared: no τ, or no group of two samples.
    pub fn new(parting: &Parting, ratio: f64) -> Option<Offsets> {
        Offsets::of(parting.group_of(), ratio)
    }

    /// The same of samples whose groups these are.
    pub fn of(group: Vec<usize>, ratio: f64) -> Option<Offsets> {
        let mut sizes = vec![0; group.iter().max().map_or(0, |last| last + 1)];
        group.iter().for_each(|g| sizes[*g] += 1);
        (ratio > 0.0 && sizes.iter().any(|n| *n > 1)).then_some(Offsets { group, sizes, ratio })
    }

    /// The group of each sample.
    pub fn groups(&self) -> &[usize] {
        &self.group
    }

    /// τ
    pub fn ratio(&self) -> f64 {
        self.ratio
    }

    /// Bytes of the sums of so many columns.
    pub fn bytes(&self, columns: usize) -> usize {
        self.sizes.iter().filter(|n| **n > 1).count() * columns * 8
    }

    /// Empty sums over groups, of so many columns.
    pub fn sums(&self, columns: usize) -> Shared<'_> {
        let several = self.sizes.iter().scan(0, |next, n| {
            let own = (*n > 1).then_some(*next);
            *next += usize::from(*n > 1);
            Some(own)
        });
        let row: Vec<Option<usize>> = several.collect();
        let rows = row.iter().flatten().count();
        Shared { of: self, row, sums: Dense::zeros(rows, columns) }
    }

    /// V⁻¹X, samples × columns.
    pub fn weighed(&self, x: &Dense) -> Dense {
        let mut shared = self.sums(x.cols);
        (0..x.rows).for_each(|sample| shared.add(sample, x.row(sample)));
        let mut out = x.clone();
        let rows = out.values.chunks_exact_mut(x.cols.max(1)).enumerate();
        rows.for_each(|(sample, row)| shared.weigh(sample, row));
        out
    }

    /// Adds λ·(V − I) to a matrix of samples × samples.
    pub fn add_to(&self, k: &mut Dense, penalty: f64) {
        let noise = penalty * self.ratio;
        for (row, g) in k.values.chunks_exact_mut(k.cols.max(1)).zip(&self.group) {
            row.iter_mut().zip(&self.group).filter(|(_, h)| *h == g).for_each(|(value, _)| *value += noise);
        }
    }
}

/// Sums over the samples of each group.
pub(super) struct Shared<'a> {
    of: &'a Offsets,
    /// Of each group, where it has several samples.
    row: Vec<Option<usize>>,
    sums: Dense,
}

impl Shared<'_> {
    /// Adds a sample.
    pub fn add<T: Into<f64> + Copy>(&mut self, sample: usize, values: &[T]) {
        if let Some(row) = self.row[self.of.group[sample]] {
            let sums = &mut self.sums.values[row * values.len()..][..values.len()];
            sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += (*x).into());
        }
    }

    /// x → V⁻¹x of a sample, once all are added.
    pub fn weigh(&self, sample: usize, values: &mut [f64]) {
        let (group, ratio) = (self.of.group[sample], self.of.ratio);
        match self.row[group] {
            Some(row) => {
                let share = ratio / (1.0 + ratio * self.of.sizes[group] as f64);
                values.iter_mut().zip(self.sums.row(row)).for_each(|(x, sum)| *x -= share * sum);
            }
            None => values.iter_mut().for_each(|x| *x /= 1.0 + ratio),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nalgebra::DMatrix;

    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::device::random::Stream;
    use crate::infer::dense::{Standardised, product};
    use crate::infer::{FitSettings, KernelSettings, LinearSettings, Method, Predictor};
    use crate::progress::silent;
    use crate::store::Store;
    use crate::testing::store_of_studies;

    /// Against V written down and inverted.
    #[test]
    fn samples_are_weighed_by_the_inverse_of_what_their_noise_shares() {
        let group = vec![0, 2, 0, 1, 2, 2, 4, 0, 3, 4];
        let n = group.len();
        let offsets = Offsets::of(group.clone(), 0.3).expect("groups of several");
        let v = DMatrix::from_fn(n, n, |i, j| {
            f64::from(u8::from(i == j)) + 0.3 * f64::from(u8::from(group[i] == group[j]))
        });
        let x = Dense { rows: n, cols: 3, values: (0..3 * n).map(|i| ((i * i) % 13) as f64 - 5.0).collect() };
        let wide = DMatrix::from_row_slice(n, 3, &x.values);
        let expected = v.clone().try_inverse().expect("positive definite") * &wide;
        let found = offsets.weighed(&x);
        (0..n).for_each(|i| {
            (0..3).for_each(|j| assert!((found.row(i)[j] - expected[(i, j)]).abs() < 1e-12, "{i}, {j}"));
        });
        let mut k = product(x.view(), x.t());
        offsets.add_to(&mut k, 2.0);
        let expected = &wide * wide.transpose() + (v - DMatrix::identity(n, n)) * 2.0;
        (0..n).for_each(|i| (0..n).for_each(|j| assert!((k.row(i)[j] - expected[(i, j)]).abs() < 1e-12)));
        assert_eq!(offsets.bytes(3), 3 * 3 * 8);
        assert!(Offsets::of(group, 0.0).is_none() && Offsets::of(vec![1, 0, 2], 0.3).is_none());
    }

    const GENES: usize = 12;

    /// Samples of four studies, one of them a single sample, and of each study's own offsets.
    fn studies(dir: &Path, samples: usize) -> (Store, Vec<usize>) {
        let mut stream = Stream::new(5, "studies", 0);
        let group: Vec<usize> = (0..samples).map(|s| if s == 3 { 3 } else { s * s % 5 % 3 }).collect();
        let offsets: Vec<f64> = (0..4 * GENES).map(|_| 2.0 * stream.uniform()).collect();
        let mut values = Vec::new();
        for study in &group {
            let programme = stream.uniform();
            let value = |gene: usize| {
                offsets[study * GENES + gene] + programme * (gene % 4) as f64 + 0.5 * stream.uniform()
            };
            values.extend((0..GENES).map(value).map(|x| x as f32));
        }
        (store_of_studies(&dir.join(format!("{samples}.gex")), GENES, &values, &group), group)
    }

    fn predicted(predictor: &Predictor, store: &Store, landmarks: &[usize]) -> Vec<f32> {
        let mut executor = CpuExecutor::open(Some(1)).expect("threads");
        let places: Vec<Option<usize>> = landmarks.iter().copied().map(Some).collect();
        let mut all = Vec::new();
        let mut visit = |_: usize, rows: &[f32]| {
            all.extend_from_slice(rows);
            Ok(())
        };
        predictor.predict(&mut executor, store, &places, &silent, &mut visit).expect("predicted");
        all
    }

    /// More samples than landmarks and fewer: ridge by the formula written down, kernels that are linear the same, refits as fits.
    #[test]
    fn fits_and_refits_weigh_samples_as_the_formula_does() {
        let dir = tempfile::tempdir().expect("a folder");
        let (landmarks, targets): (Vec<usize>, Vec<usize>) = (0..GENES).partition(|gene| *gene < 8);
        for n in [31, 7] {
            let (store, group) = studies(dir.path(), n);
            let samples: Vec<usize> = (0..n).collect();
            let fit = |method, penalty: f64, landmarks: &[usize], ratio| {
                let linear = LinearSettings { penalty: Some(penalty), ..LinearSettings::default() };
                let (gamma, mixture, penalty) = (Some(1.0), Some(0.0), Some(penalty));
                let kernel = KernelSettings { gamma, mixture, penalty, ..KernelSettings::default() };
                let (group_by, group_variance) = (Some("study".into()), Some(ratio));
                let settings = FitSettings {
                    method,
                    linear,
                    kernel,
                    group_by,
                    group_variance,
                    ..FitSettings::default()
                };
                let mut executor = CpuExecutor::open(Some(2)).expect("threads");
                Predictor::fit(&mut executor, &store, &samples, landmarks, &targets, &settings, &silent)
                    .expect("fitted")
            };
            let close = |found: &[f32], expected: &[f32], what: &str| {
                let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(far < 2e-4, "{n} samples, {what}: {far}");
            };
            let ridge = fit(Method::Linear, 2.4, &landmarks, 0.7);
            let found = predicted(&ridge, &store, &landmarks);

            let x = Standardised::read(&store, &samples, &landmarks);
            let y = Standardised::read(&store, &samples, &targets);
            let wide = |m: &Dense| DMatrix::from_row_slice(m.rows, m.cols, &m.values);
            let (a, b) = (wide(&x.values), wide(&y.values));
            let same = |i: usize, j: usize| if group[i] == group[j] { 0.7 } else { 0.0 };
            let v = DMatrix::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) + same(i, j));
            let dual = (&a * a.transpose() + v * 2.4).try_inverse().expect("positive definite");
            let fitted = &a * a.transpose() * dual * b;
            let expected: Vec<f32> = (0..n)
                .flat_map(|i| (0..targets.len()).map(move |t| (i, t)))
                .map(|(i, t)| (y.mean[t] + y.sd[t] * fitted[(i, t)]) as f32)
                .collect();
            close(&found, &expected, "the formula");

            let kernels = fit(Method::Kernel, 0.3, &landmarks, 0.7);
            close(&predicted(&kernels, &store, &landmarks), &expected, "a linear kernel");
            let plain = predicted(&fit(Method::Linear, 2.4, &landmarks, 0.0), &store, &landmarks);
            assert!(plain.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 0.02), "offsets matter");

            let fewer: Vec<usize> = landmarks.iter().copied().filter(|gene| *gene != 2).collect();
            for (whole, method, penalty) in [(&ridge, Method::Linear, 2.4), (&kernels, Method::Kernel, 0.3)] {
                let (refitted, _) = whole.without(&[2], &silent).expect("refitted");
                let anew = fit(method, penalty, &fewer, 0.7);
                let [refitted, anew] = [refitted, anew].map(|p| predicted(&p, &store, &fewer));
                close(&refitted, &anew, "a refit");
            }
            // as it is read back
            let file = dir.path().join(format!("{n}.safetensors"));
            kernels.save(&file, false).expect("saved");
            assert_eq!(Predictor::load(&file).expect("read"), kernels);
        }
    }
}
