use nalgebra::DMatrix;

use super::*;
use crate::testing::reference;

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().expect("a number")
}

fn near(what: &str, got: Option<f64>, want: f64) {
    let got = got.unwrap_or(f64::NAN);
    assert!((got - want).abs() <= 1e-7 * want.abs().max(1e-3), "{what}: {got}, expected {want}");
}

/// `scripts/reference_differences.py`: SciPy's t test with its interval, all patterns of signs, and Nadeau and Bengio's formula.
#[test]
fn tests_over_groups_are_scipys() {
    let reference = reference("statistics/differences.json");
    let cases = reference["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let d: Vec<f64> = case["d"].as_array().unwrap().iter().map(number).collect();
        let held_out = difference(&d, Basis::HeldOutGroups, 0, 1).unwrap();
        let splits = difference(&d, Basis::Splits { ratio: 0.25 }, 0, 1).unwrap();
        let mut cases = vec![(held_out, &case["held_out"]), (splits, &case["corrected"])];
        if d.len() >= FEW_GROUPS {
            cases.push((difference(&d, Basis::Groups, 0, 1).unwrap(), case));
        }
        for (found, want) in cases {
            near("t", found.t, number(&want["t"]));
            near("p", found.p, number(&want["p"]));
            near("low", found.interval.map(|i| i.0), number(&want["low"]));
            near("high", found.interval.map(|i| i.1), number(&want["high"]));
        }
        near("flips", held_out.flips_p, number(&case["flips_p"]));
        near("least", held_out.flips_least, 2.0 / 2f64.powi(d.len() as i32));
        assert_eq!(splits.flips_p, None, "splits share samples");
    }
}

#[test]
fn few_groups_of_one_split_give_no_interval() {
    let of = |n: usize, basis| {
        difference(&(0..n).map(|i| (i % 5) as f64 + 1.0).collect::<Vec<_>>(), basis, 200, 1).unwrap()
    };
    for n in [2, 6, 9] {
        let found = of(n, Basis::Groups);
        assert_eq!((found.units, found.interval, found.p), (n, None, None));
        assert!(found.flips_p.is_some() && of(n, Basis::HeldOutGroups).interval.is_some());
    }
    assert!(of(10, Basis::Groups).interval.is_some());
    // all of one sign: 2 of 64 patterns
    assert_eq!(of(6, Basis::Groups).flips_p, Some(0.03125));
}

#[test]
fn nothing_to_compare_is_no_test() {
    assert_eq!(difference(&[], Basis::Samples, 10, 1), None);
    let same = difference(&[0.0; 30], Basis::Samples, 100, 1).unwrap();
    assert_eq!((same.interval, same.t, same.flips_p), (Some((0.0, 0.0)), None, None));
    let one = difference(&[2.0], Basis::HeldOutGroups, 100, 1).unwrap();
    assert_eq!((one.mean, one.interval, one.p, one.flips_p), (2.0, None, None, Some(1.0)));
}

/// How often the interval of a difference holds the true one.
fn coverage(
    basis: Basis,
    runs: u64,
    mut differences: impl FnMut(&mut Stream) -> Vec<f64>,
    truth: f64,
) -> f64 {
    let held = (0..runs).filter(|run| {
        let values = differences(&mut Stream::new(77, "coverage", *run));
        let (low, high) = difference(&values, basis, 400, *run).unwrap().interval.unwrap();
        low <= truth && truth <= high
    });
    held.count() as f64 / runs as f64
}

fn gauss(stream: &mut Stream) -> f64 {
    let (u, v) = (stream.uniform().max(1e-12), stream.uniform());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Factors that genes share, and genes that follow each.
const FACTORS: usize = 15;
const GENES: usize = 2;

/// The difference of two sets' errors of one sample, over genes that share factors, so that 30 genes tell far less than their number:
/// set a leaves a gene's own noise and 0.8 of its factor, b all of it. The true mean is E(0.64 − 1)·factor² = −0.36 where a factor's
/// mean square is 1.
fn of_sample(stream: &mut Stream, factors: &[f64]) -> f64 {
    let one = |factor: &f64, noise: f64| (noise + 0.8 * factor).powi(2) - (noise + factor).powi(2);
    let genes = factors.iter().flat_map(|factor| [factor; GENES]);
    genes.map(|factor| one(factor, gauss(stream))).sum::<f64>() / (GENES * FACTORS) as f64
}

fn factors(stream: &mut Stream) -> Vec<f64> {
    (0..FACTORS).map(|_| gauss(stream)).collect()
}

/// Samples of a study, which moves their factors; `share` of the variance is between studies.
fn study(stream: &mut Stream, size: usize, share: f64) -> Vec<f64> {
    let centre = factors(stream);
    let sample = |stream: &mut Stream| {
        let own = factors(stream);
        let both = centre.iter().zip(&own).map(|(c, o)| c * share.sqrt() + o * (1.0 - share).sqrt());
        let both: Vec<f64> = both.collect();
        of_sample(stream, &both)
    };
    (0..size).map(|_| sample(stream)).collect()
}

/// `scripts/coverage.py` shows the same through the program. 500 runs have a standard error of 1 %.
#[test]
fn intervals_hold_the_true_difference_as_often_as_they_say() {
    let independent = |stream: &mut Stream| study(stream, 60, 0.0);
    let share = coverage(Basis::Samples, 500, independent, -0.36);
    assert!((0.92..=0.97).contains(&share), "independent: {share}");
    // Twelve studies of 4 to 15 samples.
    let grouped = |stream: &mut Stream| {
        let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        (0..12).map(|i| mean(study(stream, 4 + i, 0.5))).collect()
    };
    let share = coverage(Basis::Groups, 500, grouped, -0.36);
    assert!((0.92..=0.97).contains(&share), "grouped: {share}");
    // Samples of studies as if they were independent, which is what must not be said:
    let pooled = |stream: &mut Stream| (0..12).flat_map(|_| study(stream, 10, 0.9)).collect();
    let share = coverage(Basis::Samples, 200, pooled, -0.36);
    assert!(share < 0.75, "grouped samples are not independent: {share}");
}

/// Genes that follow factors of their own study, and two sets of landmarks among the first of them.
const FOLLOWING: usize = 24;
const SETS: [std::ops::Range<usize>; 2] = [0..8, 8..14];

/// Samples × genes of a study: nine tenths of a factor's variance are the study's.
fn profiles(stream: &mut Stream, loadings: &DMatrix<f64>) -> DMatrix<f64> {
    let (samples, share) = (8, 0.9f64);
    let mut gaussian = |rows, cols| DMatrix::from_fn(rows, cols, |_, _| gauss(stream));
    let centre = gaussian(1, loadings.nrows()) * share.sqrt();
    let own = gaussian(samples, loadings.nrows()) * (1.0 - share).sqrt();
    (own + DMatrix::from_fn(samples, 1, |_, _| 1.0) * centre) * loadings + gaussian(samples, FOLLOWING) * 0.7
}

/// The mean squared error in `test` of the genes that are in neither set, by ridge on `set` in the other studies.
fn error_of(set: &std::ops::Range<usize>, train: &DMatrix<f64>, test: &DMatrix<f64>) -> f64 {
    let parts = |m: &DMatrix<f64>| {
        let targets = SETS[1].end;
        (m.columns_range(set.clone()).into_owned(), m.columns_range(targets..).into_owned())
    };
    let ((x, y), (x_test, y_test)) = (parts(train), parts(test));
    let normal = x.tr_mul(&x) + DMatrix::identity(set.len(), set.len()) * 0.1;
    let weight = normal.cholesky().unwrap().solve(&x.tr_mul(&y));
    (y_test - x_test * weight).map(|e| e * e).mean()
}

/// Six studies, each inferred from the five others: their fits share samples, so that differences go together. By t as for independent
/// ones too few intervals would hold the mean over all that could have been drawn.
#[test]
fn intervals_of_groups_held_out_in_turn_allow_for_what_their_fits_share() {
    let runs = 500;
    let mut stream = Stream::new(78, "coverage", 0);
    let loadings = DMatrix::from_fn(8, FOLLOWING, |_, _| gauss(&mut stream) / 8f64.sqrt());
    let differences: Vec<Vec<f64>> = (0..runs)
        .map(|_| {
            let studies: Vec<DMatrix<f64>> = (0..6).map(|_| profiles(&mut stream, &loadings)).collect();
            let of_study = |held: usize| {
                let others = studies.iter().enumerate().filter(|(i, _)| *i != held);
                let rows: Vec<_> = others.flat_map(|(_, study)| study.row_iter()).collect();
                let train = DMatrix::from_rows(&rows);
                let [a, b] = SETS.map(|set| error_of(&set, &train, &studies[held]));
                a - b
            };
            (0..studies.len()).map(of_study).collect()
        })
        .collect();
    let truth = differences.iter().flatten().sum::<f64>() / (6 * runs) as f64;
    let covered = |factor: f64| {
        let held = differences.iter().filter(|values| {
            let (low, high) =
                difference(values, Basis::HeldOutGroups, 0, 1).unwrap().interval.expect("of six groups");
            let half = (high - low) / 2.0 * factor;
            ((high + low) / 2.0 - truth).abs() <= half
        });
        held.count() as f64 / runs as f64
    };
    let (share, independent) = (covered(1.0), covered(with_training(6.0).sqrt().recip()));
    assert!((0.92..=0.97).contains(&share), "held out in turn: {share}");
    assert!(independent < 0.92, "as if they were independent: {independent}");
}
