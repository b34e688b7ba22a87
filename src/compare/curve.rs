//! The error against the number of landmarks, on one fixed set of targets: where more genes no longer help, and how many of one list
//! are as good as another.

use serde::{Deserialize, Serialize};

use super::over_units::values;
use super::{Measure, Plan, Tested};
use crate::evaluate::differences::{Difference, difference};
use crate::evaluate::statistics::mean;

/// A set at one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Genes that are measured.
    pub landmarks: usize,
    /// Mean squared error over the training variance, mean over units.
    pub nmse: f64,
    /// Of it, of 95 %.
    pub interval: Option<(f64, f64)>,
    /// What the next size of the curve gains, and its interval.
    pub gain: Option<f64>,
    /// Of the gain.
    pub gain_interval: Option<(f64, f64)>,
}

/// A set at all sizes on one test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The test.
    pub test: String,
    /// The list, or what draws are draws of (without the size).
    pub set: String,
    /// Whether its sets are draws, from all genes or from a list whose order is none.
    pub drawn: bool,
    /// By size.
    pub points: Vec<Point>,
    /// The least size from which on no larger one is better beyond its interval; `None` where the largest still gains, or without
    /// intervals.
    pub enough: Option<usize>,
    /// Of other sets at a size: the size at which this one has the same error, interpolated over the logarithm of the size.
    pub equals: Vec<Equal>,
}

/// Where a curve meets the error of another set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Equal {
    /// The other set.
    pub set: String,
    /// Whether it is draws.
    pub drawn: bool,
    /// Its genes.
    pub landmarks: usize,
    /// Its error.
    pub nmse: f64,
    /// How many genes of this one do as well; below the least size it is that, `None` where the largest does not.
    pub at: Option<f64>,
}

/// Values by unit of one curve at one size.
struct Values {
    landmarks: usize,
    units: Vec<Option<f64>>,
}

impl Values {
    fn mean(&self) -> Option<f64> {
        mean(self.units.iter().flatten().copied())
    }
}

/// The part of a draw's family before its size: `random` of `random-100`.
fn family(name: &str, size: usize) -> &str {
    name.strip_suffix(&format!("-{size}")).unwrap_or(name)
}

/// A set at all sizes, these ascending.
struct Gathered {
    name: String,
    drawn: bool,
    values: Vec<Values>,
}

/// All curves' values on one test: lists and the means of draws.
fn gathered(sizes: &[(&Plan, &[Tested])], test: usize) -> Vec<Gathered> {
    let mut all: Vec<Gathered> = Vec::new();
    for (plan, tested) in sizes {
        let named = plan.sets.iter().enumerate().filter(|(_, set)| set.draw_of.is_none());
        let mut members: Vec<(String, bool, Vec<usize>)> =
            named.map(|(i, set)| (set.name.clone(), false, vec![i])).collect();
        members.extend(
            plan.draws().into_iter().map(|(name, draws)| {
                (family(name, plan.sets[draws[0]].genes.len()).to_string(), true, draws)
            }),
        );
        for (name, drawn, sets) in members {
            let landmarks = plan.sets[sets[0]].genes.len();
            let value = Values { landmarks, units: values(&tested[test], Measure::Nmse, &sets) };
            match all.iter_mut().find(|known| known.name == name) {
                // a list that is whole at one size is drawn from at others
                Some(known) => {
                    known.drawn |= drawn;
                    if known.values.iter().all(|v| v.landmarks != landmarks) {
                        known.values.push(value);
                    }
                }
                None => all.push(Gathered { name, drawn, values: vec![value] }),
            }
        }
    }
    all.iter_mut().for_each(|set| set.values.sort_by_key(|v| v.landmarks));
    all
}

/// The curves of a comparison of several sizes, each with what it found.
pub fn curve(sizes: &[(&Plan, &[Tested])], resamples: usize, seed: u64) -> Vec<Curve> {
    let tests = sizes.first().map_or(0, |(_, tested)| tested.len());
    (0..tests).flat_map(|test| of_test(sizes, test, resamples, seed)).collect()
}

fn of_test(sizes: &[(&Plan, &[Tested])], test: usize, resamples: usize, seed: u64) -> Vec<Curve> {
    let all = gathered(sizes, test);
    let tested = &sizes[0].1[test];
    let basis = tested.test.basis;
    let over = |values: Vec<f64>| difference(&values, basis, resamples, seed);
    let less = |a: &Values, b: &Values| -> Option<Difference> {
        let both = a.units.iter().zip(&b.units).filter_map(|(a, b)| Some((*a)? - (*b)?));
        over(both.collect())
    };
    let curve = |Gathered { name, drawn, values }: &Gathered| {
        let point = |(i, value): (usize, &Values)| {
            let gain = values.get(i + 1).and_then(|next| less(value, next));
            Some(Point {
                landmarks: value.landmarks,
                nmse: value.mean()?,
                interval: over(value.units.iter().flatten().copied().collect())?.interval,
                gain: gain.map(|gain| gain.mean),
                gain_interval: gain.and_then(|gain| gain.interval),
            })
        };
        let points: Vec<Point> = values.iter().enumerate().filter_map(point).collect();
        let settled = |i: &usize| {
            let gains: Option<Vec<(f64, f64)>> =
                values[i + 1..].iter().map(|next| less(&values[*i], next)?.interval).collect();
            gains.is_some_and(|gains| gains.iter().all(|(low, _)| *low <= 0.0))
        };
        let enough = (0..values.len().saturating_sub(1)).find(settled).map(|i| values[i].landmarks);
        let others = all.iter().filter(|other| other.name != *name);
        let equals = others.flat_map(|other| other.values.iter().map(move |v| (other, v)));
        let equal = |(other, value): (&Gathered, &Values)| {
            let (nmse, landmarks) = (value.mean()?, value.landmarks);
            let (set, drawn, at) = (other.name.clone(), other.drawn, meets(&points, nmse));
            Some(Equal { set, drawn, landmarks, nmse, at })
        };
        Curve {
            test: tested.store.clone(),
            set: name.clone(),
            drawn: *drawn,
            enough,
            equals: equals.filter_map(equal).collect(),
            points: points.clone(),
        }
    };
    all.iter().map(curve).collect()
}

/// The size at which a curve first has an error, interpolated over ln N.
fn meets(points: &[Point], nmse: f64) -> Option<f64> {
    let first = points.first()?;
    if first.nmse <= nmse {
        return Some(first.landmarks as f64);
    }
    let crossing = points.windows(2).find(|pair| pair[1].nmse <= nmse)?;
    let [a, b] = [crossing[0], crossing[1]];
    let share = (a.nmse - nmse) / (a.nmse - b.nmse);
    let (from, to) = ((a.landmarks as f64).ln(), (b.landmarks as f64).ln());
    Some((from + share * (to - from)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(landmarks: usize, nmse: f64) -> Point {
        Point { landmarks, nmse, interval: None, gain: None, gain_interval: None }
    }

    #[test]
    fn a_curve_meets_an_error_between_two_sizes() {
        let points = [point(50, 0.6), point(100, 0.5), point(400, 0.4)];
        assert_eq!(meets(&points, 0.7), Some(50.0), "the least size does better");
        assert!((meets(&points, 0.5).unwrap() - 100.0).abs() < 1e-9);
        // half-way in the logarithm: √(100·400)
        assert!((meets(&points, 0.45).unwrap() - 200.0).abs() < 1e-9);
        assert_eq!((meets(&points, 0.3), meets(&[], 0.3)), (None, None));
        let exactly = meets(&points, 0.4).expect("the last size has it");
        assert!((exactly - 400.0).abs() < 1e-9, "{exactly}");
    }

    #[test]
    fn families_lose_their_size() {
        assert_eq!(
            (family("random-100", 100), family("css", 100), family("l1000-10", 100)),
            ("random", "css", "l1000-10")
        );
    }
}
