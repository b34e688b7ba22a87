//! Landmarks far outside what the predictor was fitted on: a file without a logarithm, of another platform, or scaled otherwise. Its
//! inferred values would be nonsense, and nothing else would say so.

use super::Predictor;
use crate::genes::shown;
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// Standard deviations of the training samples beyond which a value is far.
const FAR: f64 = 10.0;
/// Share of values that may be far.
const FEW: f64 = 0.01;
/// Standard deviations by which the mean of a landmark may be off, where not most of them are.
const SHIFTED: f64 = 3.0;
/// Samples that are looked at.
const LOOKED_AT: usize = 1_000;

impl Predictor {
    /// Warns where the landmarks of a store, at `places`, are far from the training samples'.
    pub(super) fn warn_of_range(&self, store: &Store, places: &[Option<usize>], report: Reporter) {
        let n = store.n_samples().min(LOOKED_AT);
        let there = places.iter().enumerate().filter_map(|(i, place)| Some((i, (*place)?)));
        let (there, columns): (Vec<usize>, Vec<usize>) = there.unzip();
        let mut row = vec![0.0; columns.len()];
        let (mut far, mut worst) = (0usize, (0.0, 0, 0.0f32));
        let mut mean = vec![0.0; places.len()];
        for sample in 0..n {
            store.read_genes(sample, &columns, &mut row);
            for (&i, &value) in there.iter().zip(&row) {
                let z = (f64::from(value) - f64::from(self.landmarks.offset[i]))
                    * f64::from(self.landmarks.scale[i]);
                mean[i] += z / n as f64;
                far += usize::from(z.abs() > FAR);
                if z.abs() > worst.0 {
                    worst = (z.abs(), i, value);
                }
            }
        }
        let there = there.len();
        let shifted = mean.iter().filter(|z| z.abs() > SHIFTED).count();
        let (values, many) = (there * n, 2 * shifted > there);
        if there == 0 || (far as f64 <= FEW * values as f64 && !many) {
            return;
        }
        let (_, gene, value) = worst;
        let scale = self.landmarks.scale[gene];
        let told = if many {
            format!(
                "of {shifted} of {there} landmarks the mean is more than {SHIFTED} standard deviations from that of training"
            )
        } else {
            format!(
                "{far} of {values} values of landmarks are more than {FAR} standard deviations from training"
            )
        };
        report(Event::Warning(format!(
            "{}: {told}, e.g. {value} of {} where training had {} ± {}; such values were never learned from. Are they on the same scale (a \
             logarithm, the steps of prepare --like)?",
            store.path().display(),
            shown(&self.landmarks.genes, gene),
            self.landmarks.offset[gene],
            if scale > 0.0 { 1.0 / scale } else { 0.0 },
        )));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crate::device::cpu::CpuExecutor;
    use crate::infer::{FitSettings, LinearSettings, Method, Predictor};
    use crate::progress::{Event, silent};
    use crate::testing::store;

    #[test]
    fn a_file_without_a_logarithm_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let value = |s: usize, g: usize| 6.0 + ((s * 31 + g * 17) % 23) as f32 / 6.0;
        let logged: Vec<f32> = (0..40).flat_map(|s| (0..6).map(move |g| value(s, g))).collect();
        let powers: Vec<f32> = logged.iter().map(|x| x.exp2()).collect();
        let twice: Vec<f32> = logged.iter().map(|x| (x + 1.0).log2()).collect();
        let [logged, powers, twice] = [("l.gex", logged), ("p.gex", powers), ("t.gex", twice)]
            .map(|(name, v)| store(&dir.path().join(name), 6, &v));
        let linear = LinearSettings { penalty: Some(1.0), ..LinearSettings::default() };
        let settings = FitSettings { method: Method::Linear, linear, ..FitSettings::default() };
        let samples: Vec<usize> = (0..40).collect();
        let mut cpu = CpuExecutor::open(Some(1)).unwrap();
        let predictor =
            Predictor::fit(&mut cpu, &logged, &samples, &[0, 1, 2], &[3, 4, 5], &settings, &silent).unwrap();
        let said = |store| {
            let said = Mutex::new(Vec::new());
            predictor.warn_of_range(store, &[Some(0), None, Some(2)], &|event| {
                if let Event::Warning(text) = event {
                    said.lock().unwrap().push(text);
                }
            });
            said.into_inner().unwrap().concat()
        };
        assert_eq!(said(&logged), "");
        // one landmark of the two that are there is not most of them; of three values of eighty one may be far
        let half: Vec<f32> =
            (0..40).flat_map(|s| (0..6).map(move |g| value(s, g) + if g == 0 { 6.0 } else { 0.0 })).collect();
        let half = store(&dir.path().join("h.gex"), 6, &half);
        assert_eq!(said(&half), "");
        assert!(said(&powers).contains("never learned from"), "{}", said(&powers));
        assert!(said(&twice).contains("of 2 of 2 landmarks the mean is more than 3"), "{}", said(&twice));
    }
}
