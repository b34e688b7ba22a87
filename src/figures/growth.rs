//! The held-out error of sets of landmarks: against how many there are, or, of one size, side by side; random draws as a band.

use kuva::render::render::Scene;

use super::axis::{Axis, number};
use super::canvas::{Canvas, Dash};
use super::chart::{Chart, DASHES, Field, Key, Sign};
use super::look::{COLOURS, Look};
use super::text::name;
use super::{Draw, Figure};

/// A set or a group of draws at one size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Size {
    pub n: f64,
    /// The error of a set; of draws, of each.
    pub errors: Vec<f64>,
    /// The interval of a set's error.
    pub interval: Option<(f64, f64)>,
}

impl Size {
    fn mean(&self) -> f64 {
        self.errors.iter().sum::<f64>() / self.errors.len() as f64
    }

    fn ends(&self) -> (f64, f64) {
        let fold = |f: fn(f64, f64) -> f64, start| self.errors.iter().copied().fold(start, f);
        (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY))
    }
}

/// What has a curve.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strategy {
    pub label: String,
    pub draws: bool,
    /// By n.
    pub sizes: Vec<Size>,
}

#[derive(Debug)]
struct Growth {
    strategies: Vec<Strategy>,
    note: String,
}

#[derive(Debug)]
struct Lanes(Growth);

const LABEL: &str = "squared error / variance";

/// The figure of all strategies; lanes where there is one size only. `None` without an error that is a number.
pub(super) fn figure(stem: &str, strategies: Vec<Strategy>, of: &str, on: &str) -> Option<Figure> {
    let growth = Growth { strategies: finite(strategies), note: of.into() };
    let first = growth.strategies.first()?.sizes[0].n;
    let single = growth.sizes().all(|size| size.n == first);
    let error = "squared error over the training variance, mean over genes";
    Some(if single {
        let caption = format!(
            "Held-out error of sets of {} landmarks: {error}; {of}{on}. 1 is as good as the mean.{}",
            number(first, 0),
            growth.draws(" Small marks are random draws (up to {n} of each kind), the dot is their mean."),
        );
        Figure::new(stem, "Error of the sets", caption, Lanes(growth))
    } else {
        let caption = format!(
            "Held-out error against the number of landmarks: {error}; {of}{on}.{}{}",
            growth.intervals(),
            growth.draws(
                " Bands reach from the best to the worst of random draws (up to {n} at each size), the dashed line is their mean."
            ),
        );
        Figure::new(stem, "Error by number of landmarks", caption, growth)
    })
}

/// Strategies with the sizes that have an error, by size, and labels of their own.
fn finite(mut strategies: Vec<Strategy>) -> Vec<Strategy> {
    for strategy in &mut strategies {
        strategy.sizes.iter_mut().for_each(|size| size.errors.retain(|x| x.is_finite()));
        strategy.sizes.retain(|size| !size.errors.is_empty());
        strategy.sizes.sort_by(|a, b| a.n.total_cmp(&b.n));
    }
    strategies.retain(|strategy| !strategy.sizes.is_empty());
    // a whole list and draws from it
    let sets: Vec<String> = strategies.iter().filter(|s| !s.draws).map(|s| s.label.clone()).collect();
    for strategy in strategies.iter_mut().filter(|s| s.draws && sets.contains(&s.label)) {
        strategy.label += " (draws)";
    }
    strategies
}

impl Growth {
    fn sizes(&self) -> impl Iterator<Item = &Size> {
        self.strategies.iter().flat_map(|strategy| &strategy.sizes)
    }

    /// What a caption says of random draws, where there are any: `{n}` is how many at most.
    fn draws(&self, words: &str) -> String {
        let most = self
            .strategies
            .iter()
            .filter(|s| s.draws)
            .flat_map(|s| &s.sizes)
            .map(|size| size.errors.len())
            .max();
        most.map_or_else(String::new, |n| words.replace("{n}", &n.to_string()))
    }

    /// What it says of the first strategy's intervals, which alone are drawn.
    fn intervals(&self) -> String {
        let first = &self.strategies[0];
        match first.sizes.iter().any(|size| size.interval.is_some()) {
            true => format!(
                " Upright lines are 95 % intervals of {}, from resampled samples or from groups.",
                name(&first.label, 26)
            ),
            false => String::new(),
        }
    }

    /// From the best to the worst of the draws.
    fn band(strategy: &Strategy, canvas: &mut Canvas, look: &Look, field: &Field) {
        let ends = |pick: fn((f64, f64)) -> f64| -> Vec<(f64, f64)> {
            strategy.sizes.iter().map(|size| (size.n, pick(size.ends()))).collect()
        };
        let (low, mut high) = (ends(|e| e.0), ends(|e| e.1));
        high.reverse();
        canvas.area(&field.points(low.iter().chain(&high)), look.fainter, 0.7);
    }

    /// A named dot for each size of a set.
    fn dots(strategy: &Strategy, canvas: &mut Canvas, field: &Field, colour: &str) {
        for size in &strategy.sizes {
            let Some(place) = field.point(size.n, size.mean()) else { continue };
            let title =
                format!("{}\u{2002}N = {}: {}", strategy.label, number(size.n, 0), number(size.mean(), 4));
            canvas.named(&title, |canvas| canvas.dot(place, 2.4, colour, 1.0));
        }
    }

    fn upright(strategy: &Strategy, canvas: &mut Canvas, field: &Field, colour: &str) {
        for (n, (low, high)) in strategy.sizes.iter().filter_map(|size| Some((size.n, size.interval?))) {
            if let [low, high] = field.points(&[(n, low), (n, high)])[..] {
                canvas.line(low, high, colour, 0.8, None);
            }
        }
    }

    /// Each strategy with its colour and its dashes: draws stand back.
    fn coloured<'a>(&'a self, look: &'a Look) -> Vec<(&'a Strategy, &'static str, Option<Dash>)> {
        let (mut own, mut dashes) = (0.., DASHES.into_iter().cycle());
        let of = |s: &'a Strategy| match s.draws {
            true => (s, look.faint, dashes.next()),
            false => {
                let i = own.next().unwrap_or(0);
                (s, look.colour(i % COLOURS), (i >= COLOURS).then_some((6.0, 1.5)))
            }
        };
        self.strategies.iter().map(of).collect()
    }

    fn errors(&self) -> impl Iterator<Item = f64> + '_ {
        self.sizes().flat_map(|size| {
            size.errors.iter().copied().chain(size.interval.into_iter().flat_map(|(a, b)| [a, b]))
        })
    }
}

impl Draw for Growth {
    fn scene(&self, look: &Look) -> Scene {
        let coloured = self.coloured(look);
        let key = |(s, colour, dash): &(&Strategy, &'static str, Option<Dash>)| {
            Key::new(&s.label, colour, Sign::Line(*dash))
        };
        let sizes: Vec<f64> = self.sizes().map(|size| size.n).collect();
        let chart = Chart {
            x: Axis::log("number of landmarks, N", &sizes),
            y: Axis::around(LABEL, self.errors(), 5),
            note: self.note.clone(),
            keys: coloured.iter().map(key).collect(),
            room: 0.0,
            height: Some(200.0),
        };
        let (mut canvas, field) = chart.open(look);
        for (strategy, ..) in coloured.iter().filter(|(s, ..)| s.draws) {
            Growth::band(strategy, &mut canvas, look, &field);
        }
        for (i, (strategy, colour, dash)) in coloured.iter().enumerate().rev() {
            let means: Vec<(f64, f64)> = strategy.sizes.iter().map(|size| (size.n, size.mean())).collect();
            canvas.curve(field.points(&means), colour, 1.5, *dash);
            if i == 0 {
                Growth::upright(strategy, &mut canvas, &field, colour);
            }
            if !strategy.draws {
                Growth::dots(strategy, &mut canvas, &field, colour);
            }
        }
        canvas.scene()
    }
}

impl Draw for Lanes {
    fn scene(&self, look: &Look) -> Scene {
        let coloured = self.0.coloured(look);
        let n = coloured.len();
        let ticks =
            coloured.iter().enumerate().map(|(i, (s, ..))| ((n - i) as f64, name(&s.label, 20))).collect();
        let mut y = Axis::between("", 0.4, n as f64 + 0.6, 1.0);
        y.ticks = ticks;
        let height = 16.0 + 22.0 * n as f64;
        let x = Axis::tight(LABEL, self.0.errors(), 5);
        let chart =
            Chart { x, y, note: self.0.note.clone(), keys: Vec::new(), room: 0.0, height: Some(height) };
        let (mut canvas, field) = chart.open(look);
        for (i, (strategy, colour, _)) in coloured.iter().enumerate() {
            let lane = (n - i) as f64;
            let Some(size) = strategy.sizes.first() else { continue };
            for error in size.errors.iter().filter(|_| strategy.draws) {
                if let Some((x, y)) = field.point(*error, lane) {
                    canvas.line((x, y - 5.0), (x, y + 5.0), look.faint, 0.8, None);
                }
            }
            if let Some(place) = field.point(size.mean(), lane) {
                let title = format!("{}\u{2002}{}", strategy.label, number(size.mean(), 4));
                canvas.named(&title, |canvas| canvas.ringed(place, 3.4, colour, (look.paper, 0.8)));
            }
        }
        canvas.scene()
    }
}
