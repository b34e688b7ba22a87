//! A map of samples: two axes, a point for a sample, coloured by label.

use kuva::render::render::Scene;

use super::axis::{Axis, count};
use super::chart::{Chart, Sign};
use super::labels::Labels;
use super::look::Look;
use super::thin::{MOST, said, thinned};
use super::{Draw, Figure};

#[derive(Debug)]
struct Map {
    samples: Vec<String>,
    points: Vec<(f64, f64)>,
    drawn: Vec<usize>,
    labels: Labels,
    axes: [String; 2],
    note: String,
}

/// The figure of samples by two axes; `None` where no sample has a place. `of` says what the axes are.
pub(super) fn figure(
    stem: &str,
    of: &str,
    axes: [String; 2],
    samples: Vec<String>,
    points: Vec<(f64, f64)>,
    labels: Labels,
) -> Option<Figure> {
    let drawn = thinned(&points, MOST);
    if drawn.is_empty() {
        return None;
    }
    let whole = points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()).count();
    let shown = if drawn.len() < whole { format!(", {} drawn", count(drawn.len())) } else { String::new() };
    let caption = format!(
        "Each point is a sample (n = {}) by {of}. {}{}",
        count(whole),
        labels.words(),
        said(drawn.len(), whole, "samples")
    );
    let note = format!("n = {} samples{shown}", count(whole));
    let title = format!("Map of samples: {of}");
    Some(Figure::new(stem, &title, caption, Map { samples, points, drawn, labels, axes, note }))
}

impl Draw for Map {
    fn scene(&self, look: &Look) -> Scene {
        let of = |pick: fn(&(f64, f64)) -> f64| self.drawn.iter().map(move |i| pick(&self.points[*i]));
        let chart = Chart {
            x: Axis::tight(&self.axes[0], of(|p| p.0), 6),
            y: Axis::tight(&self.axes[1], of(|p| p.1), 6),
            note: self.note.clone(),
            keys: self.labels.keys(look, Sign::Dot),
            room: 0.0,
            height: Some(240.0),
        };
        let (mut canvas, field) = chart.open(look);
        let radius = if self.drawn.len() > 500 { 1.7 } else { 2.4 };
        for i in &self.drawn {
            let Some(place) = field.point(self.points[*i].0, self.points[*i].1) else { continue };
            let title = match self.labels.is_empty() {
                true => self.samples[*i].clone(),
                false => format!("{}\u{2002}{}", self.samples[*i], self.labels.said(*i)),
            };
            let colour = self.labels.colour(self.labels.place(*i), look);
            canvas.named(&title, |canvas| canvas.dot(place, radius, colour, 0.85));
        }
        canvas.scene()
    }
}
