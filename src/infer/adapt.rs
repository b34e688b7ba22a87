//! How much larger a ridge penalty samples of another platform or study ask for, as their landmarks tell.
//!
//! Folds of the training samples choose the penalty for samples like these. Elsewhere the landmarks share less with other genes and have more
//! of their own, and the penalty should be larger. The other genes' values there are what is to be found out; but landmarks can be inferred
//! from one another. With X the training samples' landmarks and P = (XᵀX + λI)⁻¹, the ridge regression of landmark j on all others leaves
//! (xP)_j/P_jj of a sample x (the inverse of a matrix without a row and a column). The mean square of that has its minimum at one λ in
//! training samples held out, and at another in the samples to be inferred: their ratio, where it is above 1, is what the penalty that the folds
//! chose is multiplied by. Landmarks that these samples lack, or that do not vary there, are left out on both sides. Below 1 it says that these samples are easier, and the penalty stays.
//!
//! Where training samples have groups and the ratio is above 1, the same errors tell how much of what a group shares is noise ([`Offsets`]): of some ratios
//! τ the one by which the landmarks of the samples to be inferred are told best, P being (XᵀV⁻¹X + λI)⁻¹; the ratio is then that of the two λ by this P. Folds
//! of the training samples do not tell τ: they want none, and so samples that are like them get none.
//!
//! What it gained and lost is in `docs/cross-platform.md`.

use serde::{Deserialize, Serialize};

use super::dense::{Dense, Standardised, product};
use super::kernel::draw;
use super::linear::{Choice, choose, n_folds, split};
use super::offsets::Offsets;
use super::parting::{PENALTY, Parting};
use super::{FitSettings, Method, Problem};
use crate::error::Result;
use crate::memory::Need;
use crate::nouns::counted;
use crate::progress::{Event, Reporter};
use crate::store::Store;

/// At most so many samples are looked at, of the training and of those to be inferred.
const SAMPLES: usize = 10_000;
/// At most so many landmarks are inferred from the others.
const LANDMARKS: usize = 128;
/// Samples without which nothing is said.
const FEWEST: usize = 10;
/// Landmarks without which nothing is said.
const FEWEST_LANDMARKS: usize = 5;
/// Standard deviations beyond which a sample counts no more for being farther off.
const LIKE: f64 = 3.0;
/// Ratios τ that are tried beside none. Larger ones gained no more on another platform, and lost more on the training's own.
const RATIOS: [f64; 2] = [0.03, 0.1];
/// A factor above which samples are suspected of another scale.
const FAR: f64 = 100.0;

/// Samples whose targets are to be inferred.
#[derive(Clone, Copy)]
pub struct Toward<'a> {
    /// Holds them.
    pub store: &'a Store,
    /// Their places.
    pub samples: &'a [usize],
    /// Where each of the problem's landmarks stands there; one without a place says nothing.
    pub places: &'a [Option<usize>],
}

/// What the landmarks told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Adapted {
    /// At least 1.
    pub factor: f64,
    /// The penalty by which landmarks are inferred best from one another in training samples held out.
    pub held_out: f64,
    /// The same in the samples to be inferred.
    pub here: f64,
    /// τ of [`Offsets`], by which both were found.
    #[serde(default)]
    pub group_variance: f64,
    /// Samples that were looked at.
    pub samples: usize,
    /// Landmarks that are measured there and vary.
    pub landmarks: usize,
    /// Their store's checksum.
    pub data: String,
}

/// The factor for the samples that the problem goes toward; `None` where it goes toward none, or there is too little to tell by, which is said.
///
/// # Errors
/// Those of [`Parting::folds`]; [`crate::Error::Data`] where it does not fit.
pub(super) fn adapted(
    problem: &Problem,
    settings: &FitSettings,
    (folds, parting): (usize, &Parting),
    report: Reporter,
) -> Result<Option<Adapted>> {
    let Some(toward) = problem.toward else { return Ok(None) };
    let seed = settings.seed;
    let name = toward.store.path().display().to_string();
    let some = draw(problem.samples.len(), SAMPLES, seed);
    let (n, seen, p) = (some.len(), toward.samples.len().min(SAMPLES), problem.landmarks.len());
    Need::new()
        .with(format!("values of {p} landmarks in {} samples", n + seen), &[3, n + seen, p, 8])
        .with(format!("matrices of {p} × {p}"), &[6, p, p, 8])
        .check(
            "adapting the penalty",
            "name fewer --landmarks, leave the adapting out, or allow more (--memory)",
        )?;
    let samples: Vec<usize> = some.iter().map(|i| problem.samples[*i]).collect();
    let training = Standardised::read(problem.store, &samples, problem.landmarks);
    let of_fold = parting.folds(folds, PENALTY)?;
    let fold: Vec<usize> = some.iter().map(|i| of_fold[*i]).collect();
    let new = scores(&toward, &training, seed);
    // what is not measured there, or does not vary, is left out on both sides
    let varies = |j: &usize| (1..new.rows).any(|i| new.row(i)[*j] != new.row(0)[*j]);
    let told = |j: &usize| training.sd[*j] > 0.0 && toward.places[*j].is_some();
    let columns: Vec<usize> = (0..p).filter(|j| told(j) && varies(j)).collect();
    if new.rows < FEWEST || columns.len() < FEWEST_LANDMARKS {
        let (samples, landmarks) = (counted(new.rows, "sample"), counted(columns.len(), "landmark"));
        report(Event::Warning(format!(
            "{name}: {samples} with {landmarks} that vary are too few to adapt the penalty to; it stays"
        )));
        return Ok(None);
    }
    let (x, new) = (training.values.select_cols(&columns), tamed(new.select_cols(&columns)));
    let looked: Vec<usize> = (0..columns.len()).step_by(columns.len().div_ceil(LANDMARKS)).collect();
    let group = parting.group_of();
    let group: Vec<usize> = some.iter().map(|i| group[*i]).collect();
    let offsets = |of: &[usize], ratio: f64| Offsets::of(of.iter().map(|i| group[*i]).collect(), ratio);
    let held_out_by = |ratio: f64| {
        let others = |(rest, held): (Vec<usize>, Vec<usize>)| {
            Others::new(&x.select_rows(&rest), &x.select_rows(&held), &looked, offsets(&rest, ratio).as_ref())
        };
        let parts = (0..n_folds(&fold)).map(|held| split(&fold, held));
        let parts = parts.filter(|(rest, held)| !rest.is_empty() && !held.is_empty());
        let folds: Vec<Others> = parts.map(others).collect();
        choose(|penalty| folds.iter().map(|fold| fold.error(penalty)).sum())
    };
    let all: Vec<usize> = (0..n).collect();
    let here_by = |ratio: f64| {
        let others = Others::new(&x, &new, &looked, offsets(&all, ratio).as_ref());
        let choice = choose(|penalty| others.error(penalty));
        (others.error(choice.penalty), choice)
    };
    let mut group_variance = settings.group_variance.unwrap_or(0.0);
    let (mut error, mut here) = here_by(group_variance);
    let mut held_out = held_out_by(group_variance);
    let may = settings.group_variance.is_none() && settings.has_offsets(problem.samples.len());
    // Samples that ask for no larger penalty are like those held out, and these want no offsets.
    if may && parting.is_grouped() && factor(&here, &held_out) > 1.0 {
        for ratio in RATIOS {
            let (of_ratio, choice) = here_by(ratio);
            // the first of equals: groups of one sample share nothing
            if of_ratio < error {
                (error, here, group_variance) = (of_ratio, choice, ratio);
            }
        }
        held_out = held_out_by(group_variance);
    }
    let adapted = Adapted {
        factor: factor(&here, &held_out),
        held_out: held_out.penalty,
        here: here.penalty,
        group_variance,
        samples: new.rows,
        landmarks: columns.len(),
        data: toward.store.info().fingerprint(),
    };
    report(Event::Note(adapted.told(&name, [here.end, held_out.end])));
    let flat = toward.places.iter().flatten().count() - columns.len();
    if flat > 0 {
        let landmarks = counted(flat, "landmark");
        report(Event::Warning(format!("{name}: {landmarks} of one value say nothing of the penalty")));
    }
    if adapted.factor > FAR {
        report(Event::Warning(format!(
            "{name}: its landmarks hardly tell of one another as the training samples' do, and the penalty is {:.0} times as large for that: what is \
             inferred will be near the training means. Are they on the same scale (a logarithm, z-scores of each platform), and landmarks enough to tell?",
            adapted.factor
        )));
    }
    Ok(Some(adapted))
}

/// How much larger the penalty here is, at least 1. What two steps of the grid reach differs by rounding.
fn factor(here: &Choice, held_out: &Choice) -> f64 {
    let factor = here.penalty / held_out.penalty;
    if factor > 1.0 + 1e-6 { factor } else { 1.0 }
}

impl Adapted {
    /// With the `ends` of what was tried that the penalties lie at.
    fn told(&self, name: &str, ends: [Option<&'static str>; 2]) -> String {
        let Adapted { factor, held_out, here, group_variance, samples, landmarks, .. } = self;
        let penalty = match *factor > 1.0 {
            true => format!("the penalty will be {factor:.3} times what folds choose"),
            false => "the penalty stays what folds choose".into(),
        };
        let shared = match *group_variance > 0.0 {
            true => format!(
                ", and what the samples of a group share is noise, of {group_variance} times their own variance"
            ),
            false => String::new(),
        };
        let [here, held_out] = [(here, ends[0]), (held_out, ends[1])].map(|(penalty, end)| {
            format!(
                "{}{}",
                *penalty as f32,
                end.map_or(String::new(), |end| format!(" (the {end} that was tried)"))
            )
        });
        format!(
            "{penalty}{shared}: {landmarks} landmarks are inferred from one another best with {here}, in {} of {name}, with {held_out} in training \
             samples held out",
            counted(*samples, "sample"),
        )
    }
}

/// A penalty that folds chose, `factor` times as large, which is said.
pub(super) fn enlarged(penalty: f64, factor: f64, report: Reporter) -> f64 {
    if factor > 1.0 {
        let (from, to) = (penalty as f32, (penalty * factor) as f32);
        report(Event::Note(format!("penalty {from} × {factor:.3} = {to} for the samples to be inferred")));
    }
    penalty * factor
}

/// Says that a method which has no penalty does not follow the samples to be inferred.
pub(super) fn tell_of_none(problem: &Problem, method: Method, report: Reporter) {
    if problem.toward.is_some() && !matches!(method, Method::Linear | Method::Kernel) {
        report(Event::Warning("the method that was chosen has no penalty to adapt to other samples".into()));
    }
}

/// The samples to be inferred, z-scored as the training samples are: samples × landmarks.
fn scores(toward: &Toward, training: &Standardised, seed: u64) -> Dense {
    let some = draw(toward.samples.len(), SAMPLES, seed);
    let there: Vec<(usize, usize)> =
        toward.places.iter().enumerate().filter_map(|(j, place)| Some((j, (*place)?))).collect();
    let genes: Vec<usize> = there.iter().map(|(_, place)| *place).collect();
    let mut x = Dense::zeros(some.len(), toward.places.len());
    let mut values = vec![0.0; genes.len()];
    for (row, i) in x.values.chunks_exact_mut(toward.places.len().max(1)).zip(&some) {
        toward.store.read_genes(toward.samples[*i], &genes, &mut values);
        for ((j, _), value) in there.iter().zip(&values) {
            let sd = training.sd[*j];
            row[*j] = if sd > 0.0 { (f64::from(*value) - training.mean[*j]) / sd } else { 0.0 };
        }
    }
    x
}

/// The same with no sample farther from the training mean than [`LIKE`] standard deviations, by the mean square of its landmarks: one without a logarithm
/// would decide alone.
fn tamed(mut x: Dense) -> Dense {
    for row in x.values.chunks_exact_mut(x.cols.max(1)) {
        let far = (row.iter().map(|z| z * z).sum::<f64>() / row.len() as f64).sqrt() / LIKE;
        if far > 1.0 {
            row.iter_mut().for_each(|z| *z /= far);
        }
    }
    x
}

/// What the squared errors of some landmarks, each inferred from all others, follow from at every penalty: the eigenvalues Λ and vectors V of
/// XᵀX (XᵀV⁻¹X with offsets), and VᵀZᵀZV of the samples Z to be inferred, both about the mean of X.
struct Others {
    values: Vec<f64>,
    /// The rows of V of those landmarks.
    vectors: Dense,
    seen: Dense,
}

impl Others {
    fn new(fitted: &Dense, seen: &Dense, looked: &[usize], offsets: Option<&Offsets>) -> Others {
        let mean: Vec<f64> = (0..fitted.cols)
            .map(|j| (0..fitted.rows).map(|i| fitted.row(i)[j]).sum::<f64>() / fitted.rows as f64)
            .collect();
        let gram = |x: &Dense, offsets: Option<&Offsets>| {
            let mut x = x.clone();
            x.values
                .chunks_exact_mut(mean.len())
                .for_each(|row| row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m));
            let weighed = offsets.map(|offsets| offsets.weighed(&x));
            product(x.t(), weighed.as_ref().unwrap_or(&x).view())
        };
        let (values, vectors) = gram(fitted, offsets).eigen();
        let seen = product(product(vectors.t(), gram(seen, None).view()).view(), vectors.view());
        Others { values, vectors: vectors.select_rows(looked), seen }
    }

    /// Σ over landmarks and samples of ((zP)_j/P_jj)², with P = V(Λ + λ)⁻¹Vᵀ.
    fn error(&self, penalty: f64) -> f64 {
        let d: Vec<f64> = self.values.iter().map(|value| 1.0 / (value + penalty)).collect();
        let shrunk = self.vectors.clone().scale_cols(&d);
        let image = product(shrunk.view(), self.seen.view());
        let of = |j: usize| {
            let squares: f64 = image.row(j).iter().zip(shrunk.row(j)).map(|(a, b)| a * b).sum();
            let own: f64 = shrunk.row(j).iter().zip(self.vectors.row(j)).map(|(a, b)| a * b).sum();
            squares / (own * own)
        };
        (0..shrunk.rows).map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::device::random::Stream;
    use crate::infer::{FitSettings, KernelSettings, LinearSettings, Method, Predictor};
    use crate::progress::silent;
    use crate::testing::{store, store_of_studies};

    /// Nearly normal: mean 0, variance 1.
    fn normal(stream: &mut Stream) -> f64 {
        (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0
    }

    /// Samples × (24 landmarks and 16 targets) of four programmes, the landmarks measured with so much noise.
    fn values(samples: usize, noise: f64, seed: u64) -> Vec<f32> {
        let mut loadings = Stream::new(7, "loadings of a test", 0);
        let loading: Vec<f64> = (0..4 * 40).map(|_| normal(&mut loadings)).collect();
        let mut stream = Stream::new(seed, "samples of a test", 0);
        let mut values = Vec::new();
        for _ in 0..samples {
            let programmes: Vec<f64> = (0..4).map(|_| normal(&mut stream)).collect();
            for gene in 0..40 {
                let signal: f64 = (0..4).map(|k| programmes[k] * loading[k * 40 + gene]).sum();
                let sd = if gene < 24 { noise } else { 0.5 };
                values.push((signal + sd * normal(&mut stream)) as f32);
            }
        }
        values
    }

    /// The inverse without a row and a column against regressions that leave a column out.
    #[test]
    fn landmarks_are_inferred_as_regressions_on_the_others_do() {
        let of = |samples, seed| {
            let all = values(samples, 0.8, seed).iter().map(|x| f64::from(*x)).collect();
            Dense { rows: samples, cols: 40, values: all }.select_cols(&[0, 3, 5, 9, 11, 30])
        };
        let (fitted, seen) = (of(31, 1), of(9, 2));
        let centred = |x: &Dense| {
            let mean = |j: usize| (0..31).map(|i| fitted.row(i)[j]).sum::<f64>() / 31.0;
            nalgebra::DMatrix::from_fn(x.rows, 6, |i, j| x.row(i)[j] - mean(j))
        };
        let (x, z) = (centred(&fitted), centred(&seen));
        let looked = [1, 4];
        let others = Others::new(&fitted, &seen, &looked, None);
        for penalty in [0.01, 3.0, 250.0] {
            let mut expected = 0.0;
            for j in looked {
                let (rest, new) = (x.clone().remove_column(j), z.clone().remove_column(j));
                let ridge = rest.transpose() * &rest + nalgebra::DMatrix::identity(5, 5) * penalty;
                let w = ridge.try_inverse().expect("positive definite") * rest.transpose() * x.column(j);
                expected += (z.column(j) - new * w).norm_squared();
            }
            let found = others.error(penalty);
            assert!((found - expected).abs() < 1e-9 * expected, "{penalty}: {found}, {expected}");
        }
    }

    fn fitted(settings: &FitSettings, train: &Store, toward: Option<Toward>) -> Predictor {
        let samples: Vec<usize> = (0..train.n_samples()).collect();
        let (landmarks, targets): (Vec<usize>, Vec<usize>) = (0..40).partition(|gene| *gene < 24);
        let problem = Problem { toward, ..Problem::new(train, &samples, &landmarks, &targets) };
        let mut executor = CpuExecutor::open(Some(1)).expect("a processor");
        Predictor::fit_kept(&mut executor, &problem, settings, None, &silent).expect("a fit")
    }

    fn error(predictor: &Predictor, store: &Store) -> f64 {
        let mut executor = CpuExecutor::open(Some(1)).expect("a processor");
        let places: Vec<Option<usize>> = (0..24).map(Some).collect();
        let (mut row, mut sum) = (vec![0.0; 40], 0.0);
        let mut visit = |first: usize, rows: &[f32]| {
            for (i, inferred) in rows.chunks_exact(16).enumerate() {
                store.read_row(first + i, &mut row);
                sum += row[24..].iter().zip(inferred).map(|(y, x)| f64::from(y - x).powi(2)).sum::<f64>();
            }
            Ok(())
        };
        predictor.predict(&mut executor, store, &places, &silent, &mut visit).expect("predicted");
        sum
    }

    /// Where landmarks are noisier than in training the penalty grows, and the error falls; where they are not, all stays.
    #[test]
    fn noisier_landmarks_have_a_larger_penalty() {
        let dir = tempfile::tempdir().expect("a folder");
        let new = |name: &str, samples, noise, seed| {
            store(&dir.path().join(name), 40, &values(samples, noise, seed))
        };
        let (train, noisy, alike) =
            (new("t.gex", 240, 0.5, 1), new("n.gex", 60, 2.5, 2), new("a.gex", 400, 0.5, 3));
        let places: Vec<Option<usize>> = (0..24).map(Some).collect();
        let all: Vec<usize> = (0..400).collect();
        for method in [Method::Linear, Method::Kernel] {
            let settings = FitSettings { method, ..FitSettings::default() };
            let plain = fitted(&settings, &train, None);
            let penalty = |predictor: &Predictor| predictor.chosen()["penalty"].as_f64().expect("a number");
            let toward = |store, n: usize| Some(Toward { store, samples: &all[..n], places: &places });
            let adapted = fitted(&settings, &train, toward(&noisy, 60));
            let told: Adapted =
                serde_json::from_value(adapted.config["adapted"].clone()).expect("what it was adapted by");
            assert!(told.factor > 3.0 && told.here > told.held_out, "{told:?}");
            assert!((penalty(&adapted) / penalty(&plain) / told.factor - 1.0).abs() < 1e-9);
            let (less, more) = (error(&adapted, &noisy), error(&plain, &noisy));
            assert!(less < 0.97 * more, "{method:?}: {less}, {more}, {told:?}");
            // less of them is more of the same, and a landmark that is not there says nothing
            let some: Vec<Option<usize>> = (0..24).map(|gene| (gene != 3).then_some(gene)).collect();
            let without = Some(Toward { store: &noisy, samples: &all[10..60], places: &some });
            assert!(fitted(&settings, &train, without).chosen()["adapted-factor"].as_f64() > Some(3.0));
            let same = fitted(&settings, &train, toward(&alike, 400));
            let factor = same.chosen()["adapted-factor"].as_f64().expect("a number");
            assert!(factor < 1.6, "{factor}");
            // landmarks that are not measured there are left out on both sides
            let half: Vec<Option<usize>> = (0..24).map(|gene| (gene % 2 == 0).then_some(gene)).collect();
            let some = Some(Toward { store: &alike, samples: &all, places: &half });
            let factor = fitted(&settings, &train, some).chosen()["adapted-factor"].as_f64();
            assert!(factor < Some(2.0), "{factor:?}");
            // one sample without a logarithm does not decide alone
            let mut row = vec![0.0; 40];
            let mut outlying = Vec::new();
            for sample in 0..100 {
                alike.read_row(sample, &mut row);
                outlying.extend(row.iter().map(|x| if sample == 7 { 1000.0 * x } else { *x }));
            }
            let outlying = store(&dir.path().join(format!("{method:?}.gex")), 40, &outlying);
            let factor =
                fitted(&settings, &train, toward(&outlying, 100)).chosen()["adapted-factor"].as_f64();
            assert!(factor < Some(3.0), "{factor:?}");
            // genes of one value tell nothing
            let flat = store(&dir.path().join(format!("{method:?}-flat.gex")), 40, &[1.0; 40 * 20]);
            assert_eq!(fitted(&settings, &train, toward(&flat, 20)), plain);
            // the training samples themselves are easier than held-out ones
            let own = fitted(&settings, &train, toward(&train, 240));
            assert_eq!(own.chosen()["adapted-factor"], 1.0);
            assert_eq!(own.networks, plain.networks);
            // too few to tell
            assert_eq!(fitted(&settings, &train, toward(&noisy, 9)), plain);
        }
        // a penalty that was given stays as given
        let linear = LinearSettings { penalty: Some(3.0), ..LinearSettings::default() };
        let kernel = KernelSettings { penalty: Some(3.0), ..KernelSettings::default() };
        for method in [Method::Linear, Method::Kernel] {
            let (linear, kernel) = (linear.clone(), kernel.clone());
            let settings = FitSettings { method, linear, kernel, ..FitSettings::default() };
            let toward = Toward { store: &noisy, samples: &all[..60], places: &places };
            assert_eq!(fitted(&settings, &train, Some(toward)), fitted(&settings, &train, None));
        }
    }

    /// Studies with offsets of their own, and noisier samples without: differences between studies count less, and the error falls further.
    #[test]
    fn what_studies_share_is_noise_where_the_landmarks_say_so() {
        let dir = tempfile::tempdir().expect("a folder");
        let (samples, studies) = (240, 12);
        let mut stream = Stream::new(3, "offsets of a test", 0);
        let offsets: Vec<f64> = (0..studies * 40).map(|_| 1.5 * normal(&mut stream)).collect();
        let plain = values(samples, 0.5, 1);
        let shifted = plain.iter().enumerate().map(|(at, x)| {
            let (sample, gene) = (at / 40, at % 40);
            x + offsets[sample % studies * 40 + gene] as f32
        });
        let (shifted, study): (Vec<f32>, Vec<usize>) =
            (shifted.collect(), (0..samples).map(|sample| sample % studies).collect());
        let train = store_of_studies(&dir.path().join("t.gex"), 40, &shifted, &study);
        let new = store(&dir.path().join("n.gex"), 40, &values(100, 2.0, 2));
        let own = store(&dir.path().join("o.gex"), 40, &shifted[..100 * 40]);
        let (all, places): (Vec<usize>, Vec<Option<usize>>) =
            ((0..100).collect(), (0..24).map(Some).collect());
        let toward = Some(Toward { store: &new, samples: &all, places: &places });
        for method in [Method::Linear, Method::Kernel] {
            let of = |group_variance, group_by: Option<&str>, centres| {
                let kernel = KernelSettings { centres, ..KernelSettings::default() };
                let group_by = group_by.map(String::from);
                let settings =
                    FitSettings { method, kernel, group_by, group_variance, ..FitSettings::default() };
                fitted(&settings, &train, toward)
            };
            let ratio = |predictor: &Predictor| predictor.chosen()["group-variance"].as_f64();
            let adapted = of(None, Some("study"), None);
            assert_eq!(ratio(&adapted), Some(0.1), "{:?}", adapted.chosen());
            let without = of(Some(0.0), Some("study"), None);
            assert_eq!(ratio(&without), None);
            let (less, more) = (error(&adapted, &new), error(&without, &new));
            assert!(less < 0.97 * more, "{method:?}: {less}, {more}");
            // without groups nothing is known of them, and drawn centres have none
            assert_eq!(ratio(&of(None, None, None)), None);
            if method == Method::Kernel {
                assert_eq!(ratio(&of(None, Some("study"), Some(50))), None);
            }
            // samples of another such study are like those held out
            let group_by = Some("study".into());
            let settings = FitSettings { method, group_by, ..FitSettings::default() };
            let same =
                fitted(&settings, &train, Some(Toward { store: &own, samples: &all, places: &places }));
            assert_eq!(ratio(&same), None);
        }
    }
}
