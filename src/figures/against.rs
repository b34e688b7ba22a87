//! One set against another, gene by gene, coloured by which infers it better.

use kuva::render::render::Scene;

use super::axis::{Axis, count, number};
use super::chart::{Chart, Key, Sign};
use super::density::Measure;
use super::look::Look;
use super::text::name;
use super::thin::{MOST, said, thinned};
use super::{Draw, Figure};

/// Genes with a value of both sets.
#[derive(Debug)]
struct Against {
    names: Vec<String>,
    points: Vec<(f64, f64)>,
    drawn: Vec<usize>,
    labels: [String; 2],
    measure: Measure,
    note: String,
}

/// The figure of two sets' values by gene (x, y); `None` where no gene has both.
pub(super) fn figure(
    stem: &str,
    labels: [&str; 2],
    measure: Measure,
    genes: Vec<String>,
    points: Vec<(f64, f64)>,
    on: &str,
) -> Option<Figure> {
    let drawn = thinned(&points, MOST);
    let whole = points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()).count();
    if drawn.is_empty() {
        return None;
    }
    let labels = labels.map(|label| name(label, 26));
    let won = won(&points, measure);
    let share = |n: usize| number(100.0 * n as f64 / whole as f64, 1);
    let caption = format!(
        "Each point is a gene (n = {}): its {}, with {} (x) and with {} (y){on}. The colour is of the better: {} for {} % of genes, {} for {} %. The line is where both are equal.{}",
        count(whole),
        measure.words(),
        labels[0],
        labels[1],
        labels[0],
        share(won[0]),
        labels[1],
        share(won[1]),
        said(drawn.len(), whole, "genes"),
    );
    let shown = if drawn.len() < whole { format!(", {} drawn", count(drawn.len())) } else { String::new() };
    let note = format!("n = {} genes{shown}", count(whole));
    let title = format!("{} by gene: {} against {}", measure.column().to_uppercase(), labels[0], labels[1]);
    Some(Figure::new(stem, &title, caption, Against { names: genes, points, drawn, labels, measure, note }))
}

/// How many genes each infers better.
fn won(points: &[(f64, f64)], measure: Measure) -> [usize; 2] {
    let first = points.iter().filter(|(a, b)| measure.better(*a, *b)).count();
    [first, points.iter().filter(|(a, b)| measure.better(*b, *a)).count()]
}

impl Draw for Against {
    fn scene(&self, look: &Look) -> Scene {
        let won = won(&self.points, self.measure);
        let key = |i: usize| {
            let label = format!("{} better ({})", self.labels[i], count(won[i]));
            Key::new(&label, look.colour(i), Sign::Dot)
        };
        let both = || self.drawn.iter().flat_map(|i| [self.points[*i].0, self.points[*i].1]);
        let axis = |label: &String| Axis::around(&format!("{}, {label}", self.measure.label()), both(), 5);
        let [x, y] = [axis(&self.labels[0]), axis(&self.labels[1])];
        let chart =
            Chart { x, y, note: self.note.clone(), keys: vec![key(0), key(1)], room: 0.0, height: None };
        let (mut canvas, field) = chart.open(look);
        let corners = ((field.left, field.top + field.height), (field.left + field.width, field.top));
        canvas.line(corners.0, corners.1, look.faint, 0.8, Some((3.0, 2.0)));
        for i in &self.drawn {
            let (a, b) = self.points[*i];
            let Some(place) = field.point(a, b) else { continue };
            let colour = match (self.measure.better(a, b), self.measure.better(b, a)) {
                (true, _) => look.colour(0),
                (_, true) => look.colour(1),
                _ => look.faint,
            };
            let title = format!("{}\u{2002}{} / {}", self.names[*i], number(a, 3), number(b, 3));
            canvas.named(&title, |canvas| canvas.dot(place, 1.6, colour, 0.8));
        }
        canvas.scene()
    }
}
