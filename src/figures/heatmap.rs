//! Landmarks × samples as colours, both in the order of their clustering, the samples' labels as a strip.

use std::fmt::Write;

use kuva::render::render::Scene;

use super::axis::count;
use super::canvas::{At, Canvas};
use super::chart::{LINE, Sign, keys};
use super::labels::Labels;
use super::look::{COLUMN, LABEL, Look, SMALL};
use super::text::{name, width};
use super::{Draw, Figure};

/// Height of a landmark.
const ROW: f64 = 9.5;
/// Colours from −[`END`] to [`END`] standard deviations.
const LEVELS: usize = 15;
/// Beyond it all is of one colour.
const END: f64 = 2.5;

/// Values of landmarks in samples, in standard deviations.
#[derive(Debug)]
pub(super) struct Cells {
    /// By row.
    pub genes: Vec<String>,
    /// By column.
    pub samples: Vec<String>,
    /// By row, then by column.
    pub values: Vec<Vec<f32>>,
    /// By column.
    pub labels: Labels,
}

#[derive(Debug)]
struct Heat {
    cells: Cells,
    note: String,
}

/// The figure; `of` says which of how many landmarks and samples these are.
pub(super) fn figure(cells: Cells, of: &str) -> Figure {
    let caption = format!(
        "Expression of n = {} landmarks (rows) in {} samples (columns): {of}, each gene in standard deviations from its mean over these \
         samples, cut at ±{END}. Rows and columns are in the order of their clustering (Ward, Euclidean). {}{}",
        count(cells.genes.len()),
        count(cells.samples.len()),
        cells.labels.words(),
        if cells.labels.is_empty() { "" } else { " They are the strip above." },
    );
    let note = format!("n = {} landmarks × {} samples", count(cells.genes.len()), count(cells.samples.len()));
    Figure::new("heatmap", "Landmarks by samples", caption, Heat { cells, note })
}

impl Heat {
    /// A path for each colour, of the cells in a row that are next to each other.
    fn fill(&self, canvas: &mut Canvas, look: &Look, (left, top): (f64, f64), step: f64) {
        let mut paths = vec![String::new(); LEVELS];
        for (i, row) in self.cells.values.iter().enumerate() {
            let y = top + ROW * i as f64;
            let mut from = 0;
            while from < row.len() {
                let of = level(row[from]);
                let to = from + row[from..].iter().take_while(|x| level(**x) == of).count();
                if let Some(path) = of.and_then(|level| paths.get_mut(level)) {
                    let (a, b, end) = (left + step * from as f64, left + step * to as f64, y + ROW);
                    let _ = write!(path, "M{a:.1} {y}L{b:.1} {y}L{b:.1} {end}L{a:.1} {end}Z");
                }
                from = to;
            }
        }
        for (level, d) in paths.into_iter().enumerate().filter(|(_, d)| !d.is_empty()) {
            canvas.path(d, Some((&colour(look, level), 1.0)), ("none", 0.0));
        }
    }

    /// The samples' labels.
    fn strip(&self, canvas: &mut Canvas, look: &Look, (left, top): (f64, f64), step: f64) {
        let Cells { samples, labels, .. } = &self.cells;
        for (i, sample) in samples.iter().enumerate().filter(|_| !labels.is_empty()) {
            let title = format!("{sample}\u{2002}{}", labels.said(i));
            let place = (left + step * i as f64, top);
            let colour = labels.colour(labels.place(i), look);
            canvas.named(&title, |canvas| canvas.rect(place, step + 0.3, 9.0, colour));
        }
    }

    fn scale(&self, canvas: &mut Canvas, look: &Look, (left, y): (f64, f64)) {
        for level in 0..LEVELS {
            canvas.rect((left + 8.0 * level as f64, y), 8.05, 7.0, &colour(look, level));
        }
        let ends = [(0.0, format!("\u{2212}{END}")), (0.5, "0".into()), (1.0, format!("{END}"))];
        for (at, text) in ends {
            canvas.text((left + 8.0 * LEVELS as f64 * at, y + 17.0), &text, SMALL, At::Middle, look.ink);
        }
        canvas.text(
            (left + 8.0 * LEVELS as f64 + 12.0, y + 7.0),
            "standard deviations",
            LABEL,
            At::Start,
            look.ink,
        );
    }
}

/// The colour's place; `None` for what is no number.
fn level(x: f32) -> Option<usize> {
    let at = (f64::from(x).clamp(-END, END) + END) / (2.0 * END) * (LEVELS - 1) as f64;
    x.is_finite().then_some(at.round() as usize)
}

fn colour(look: &Look, level: usize) -> String {
    look.deviation(2.0 * level as f64 / (LEVELS - 1) as f64 - 1.0)
}

impl Draw for Heat {
    fn scene(&self, look: &Look) -> Scene {
        let Cells { genes, samples, labels, .. } = &self.cells;
        let names: Vec<String> = genes.iter().map(|gene| name(gene, 13)).collect();
        let left = names.iter().map(|name| width(name, SMALL)).fold(20.0, f64::max) + 14.0;
        let wide = COLUMN - 20.0;
        let signs = labels.keys(look, Sign::Box);
        let mut measure = Canvas::new(COLUMN, 1.0, look);
        let above = 4.0 + LINE + keys(&mut measure, look, &signs, (10.0, 0.0), wide) + 8.0;
        let top = above + if labels.is_empty() { 0.0 } else { 12.0 };
        let bottom = top + ROW * genes.len() as f64;
        let mut canvas = Canvas::new(COLUMN, bottom + 46.0, look);
        canvas.text((10.0, 13.0), &self.note, SMALL, At::Start, look.faint);
        keys(&mut canvas, look, &signs, (10.0, 4.0 + LINE), wide);
        let step = (COLUMN - left - 10.0) / samples.len().max(1) as f64;
        self.strip(&mut canvas, look, (left, above), step);
        self.fill(&mut canvas, look, (left, top), step);
        for (i, shown) in names.iter().enumerate() {
            let place = (left - 4.0, top + ROW * i as f64 + 8.0);
            canvas.named(&genes[i], |canvas| canvas.text(place, shown, SMALL, At::End, look.ink));
        }
        canvas.text(
            (left + (COLUMN - left - 10.0) / 2.0, bottom + 13.0),
            "samples",
            LABEL,
            At::Middle,
            look.ink,
        );
        self.scale(&mut canvas, look, (left, bottom + 22.0));
        canvas.scene()
    }
}
