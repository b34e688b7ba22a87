//! Densities of a figure by gene, of several sets over each other.

use std::f64::consts::PI;

use kuva::render::render::Scene;

use super::axis::Axis;
use super::canvas::Point;
use super::chart::{Chart, DASHES, Field, Key, Sign};
use super::look::Look;
use super::{Draw, Figure};

/// Places at which a density is computed.
const PLACES: usize = 400;

/// What is measured by gene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Mean absolute error, in the store's units.
    Mae,
    /// Pearson's correlation.
    Pcc,
}

impl Measure {
    /// The column of tables.
    pub fn column(self) -> &'static str {
        match self {
            Measure::Mae => "mae",
            Measure::Pcc => "pcc",
        }
    }

    /// What it is, with its unit.
    pub fn label(self) -> &'static str {
        match self {
            Measure::Mae => "MAE (units of the data)",
            Measure::Pcc => "PCC",
        }
    }

    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Measure::Mae => "mean absolute error (MAE, in the units of the data)",
            Measure::Pcc => "Pearson correlation of inferred and measured values (PCC)",
        }
    }

    /// Whether the first is better.
    pub fn better(self, a: f64, b: f64) -> bool {
        if self == Measure::Pcc { a > b } else { a < b }
    }

    /// The range that it cannot leave.
    fn bounds(self) -> (f64, f64) {
        match self {
            Measure::Pcc => (-1.0, 1.0),
            _ => (0.0, f64::INFINITY),
        }
    }
}

/// A curve over the others.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub label: String,
    pub values: Vec<f64>,
    /// Whether it is what the others are compared with: it stands back.
    pub back: bool,
}

/// A set's label, whether it stands back, and its density.
type Curve = (String, bool, Vec<(f64, f64)>);

#[derive(Debug)]
struct Density {
    curves: Vec<Curve>,
    label: &'static str,
    note: String,
}

/// The figure of several sets; `None` where no set has a number.
pub(super) fn figure(
    name: &str,
    title: &str,
    about: &str,
    note: &str,
    measure: Measure,
    sets: &[Set],
) -> Option<Figure> {
    let curve = |set: &Set| Some((set.label.clone(), set.back, kernel(&set.values, measure.bounds())?));
    let curves: Vec<_> = sets.iter().filter_map(curve).collect();
    if curves.is_empty() {
        return None;
    }
    let missing =
        sets.iter().map(|set| set.values.iter().filter(|x| !x.is_finite()).count()).max().unwrap_or(0);
    let left_out = match missing {
        0 => String::new(),
        n => format!(" Genes without a value (up to {n} of a set) are left out."),
    };
    let caption = format!(
        "Density over genes of the {} {about}. Gaussian kernels, Silverman's width.{left_out}",
        measure.words()
    );
    let drawing = Density { curves, label: measure.label(), note: note.into() };
    Some(Figure::new(name, title, caption, drawing))
}

impl Draw for Density {
    fn scene(&self, look: &Look) -> Scene {
        let (mut colours, mut dashes) = (0.., DASHES.into_iter().cycle());
        let drawn: Vec<_> = self
            .curves
            .iter()
            .map(|(label, back, points)| {
                let (colour, dash) = match back {
                    true => (look.faint, Some(dashes.next().unwrap_or((4.0, 2.0)))),
                    false => (look.colour(colours.next().unwrap_or(0)), None),
                };
                (Key::new(label, colour, Sign::Line(dash)), points, colour, dash)
            })
            .collect();
        let filled = self.curves.iter().filter(|(_, back, _)| !back).count() == 1;
        let all = || self.curves.iter().flat_map(|(_, _, points)| points);
        let chart = Chart {
            x: Axis::tight(self.label, all().map(|p| p.0), 6),
            y: Axis::around("density over genes", all().map(|p| p.1).chain([0.0]), 4),
            note: self.note.clone(),
            keys: drawn.iter().map(|(key, ..)| key.clone()).collect(),
            room: 0.0,
            height: Some(180.0),
        };
        let (mut canvas, field) = chart.open(look);
        for (_, points, colour, dash) in drawn.iter().rev() {
            if filled && dash.is_none() {
                canvas.area(&under(&field, points), colour, 0.12);
            }
            canvas.curve(field.points(*points), colour, 1.5, *dash);
        }
        canvas.scene()
    }
}

/// The area between a curve and the ground.
fn under(field: &Field, points: &[(f64, f64)]) -> Vec<Point> {
    let mut area = field.points(points);
    let ground = field.top + field.height;
    let ends = [area.last(), area.first()].map(|p| (p.map_or(0.0, |p| p.0), ground));
    area.extend(ends);
    area
}

/// Density at [`PLACES`] places: Gaussian kernels of the width 0.9·min(sd, IQR/1.34)·n^(−1/5) (Silverman 1986, 3.31), values counted in
/// bins first; what would lie beyond a bound is turned back. `None` without a finite value.
fn kernel(values: &[f64], bounds: (f64, f64)) -> Option<Vec<(f64, f64)>> {
    let mut values: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let h = bandwidth(&values).max((most - least) * 2.0 / PLACES as f64).max(1e-6 * most.abs()).max(1e-9);
    let (low, high) = ((least - 3.0 * h).max(bounds.0), (most + 3.0 * h).min(bounds.1));
    let step = (high - low) / (PLACES - 1) as f64;
    let mut bins = vec![0.0; PLACES];
    values.iter().for_each(|x| bins[(((x - low) / step).round().max(0.0) as usize).min(PLACES - 1)] += 1.0);
    let normal = |d: f64| (-0.5 * (d / h).powi(2)).exp() / (h * (2.0 * PI).sqrt() * values.len() as f64);
    let at = |place: usize| {
        let x = low + place as f64 * step;
        let of = |(bin, n): (usize, &f64)| {
            let v = low + bin as f64 * step;
            let turned = [2.0 * bounds.0 - v, 2.0 * bounds.1 - v].into_iter().filter(|v| v.is_finite());
            n * (normal(x - v) + turned.map(|v| normal(x - v)).sum::<f64>())
        };
        (x, bins.iter().enumerate().filter(|(_, n)| **n > 0.0).map(of).sum::<f64>())
    };
    Some((0..PLACES).step_by(2).map(at).collect())
}

fn bandwidth(sorted: &[f64]) -> f64 {
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let sd = (sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt();
    let quantile = |q: f64| sorted[((n - 1.0) * q).round() as usize];
    let spread = (quantile(0.75) - quantile(0.25)) / 1.34;
    0.9 * if spread > 0.0 { sd.min(spread) } else { sd } * n.powf(-0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_density_has_the_area_one_within_its_bounds() {
        let values: Vec<f64> = (0..5_000).map(|i| ((i as f64 + 0.5) / 5_000.0).powi(2)).collect();
        let density = kernel(&values, (0.0, f64::INFINITY)).expect("finite");
        let area: f64 = density.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum();
        assert!((area - 1.0).abs() < 0.02, "{area}");
        assert!(density[0].0 >= 0.0);
    }

    #[test]
    fn odd_values_have_a_density_or_none() {
        assert!(kernel(&[f64::NAN], (0.0, 1.0)).is_none());
        for values in [vec![0.5], vec![1.0; 9], vec![0.0, 1.0]] {
            let density = kernel(&values, (-1.0, 1.0)).expect("finite");
            assert!(density.iter().all(|(x, y)| x.is_finite() && y.is_finite()), "{values:?}");
        }
    }
}
