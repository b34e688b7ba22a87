//! Scores by rank: how far the first genes are ahead.

use kuva::render::render::Scene;

use super::axis::{Axis, count, number};
use super::canvas::{At, Canvas, Point};
use super::chart::{Chart, DASHES, Field};
use super::look::{Look, SMALL};
use super::table::Table;
use super::text::{name, width};
use super::{Draw, Figure};
use crate::error::Result;

/// Ranks that have a point of their own, from the first.
const POINTS: usize = 200;
/// Names beside the first points.
const NAMED: usize = 5;

#[derive(Debug)]
struct Ranking {
    /// By score.
    genes: Vec<(String, f64)>,
    what: String,
    /// How many are chosen.
    chosen: Option<usize>,
    note: String,
}

/// From a table with scores: `what` has them, of which the first `chosen` may be marked.
pub(super) fn figure(table: &Table, stem: &str, what: &str, chosen: Option<usize>) -> Result<Figure> {
    let mut genes: Vec<(String, f64)> = table.genes()?.into_iter().zip(table.numbers("score")?).collect();
    let all = genes.len();
    genes.retain(|(_, score)| score.is_finite());
    genes.sort_by(|a, b| b.1.total_cmp(&a.1));
    if genes.is_empty() {
        return Err(table.nothing("no score that is a number"));
    }
    let missing = match all - genes.len() {
        0 => String::new(),
        n => format!(" {} genes without a score are left out.", count(n)),
    };
    let mark =
        chosen.map_or_else(String::new, |n| format!(" The line marks the {} that are chosen.", count(n)));
    let caption = format!(
        "{what} of each gene by rank (logarithmic), n = {} genes.{mark} The first {} have a point each; names stand beside the first.{missing}",
        count(genes.len()),
        count(genes.len().min(POINTS)),
    );
    let note = format!("n = {} genes", count(genes.len()));
    Ok(Figure::new(
        stem,
        &format!("{what} by rank"),
        caption,
        Ranking { genes, what: what.into(), chosen, note },
    ))
}

impl Draw for Ranking {
    fn scene(&self, look: &Look) -> Scene {
        let n = self.genes.len();
        let ranks: Vec<f64> = (1..=n.max(8)).map(|rank| rank as f64).collect();
        // room for the first name
        let head = self.genes[0].1 * if self.genes[0].1 > 0.0 { 1.08 } else { 1.0 };
        let chart = Chart {
            x: Axis::log("rank", &ranks),
            y: Axis::around(&self.what, self.genes.iter().map(|gene| gene.1).chain([0.0, head]), 5),
            note: self.note.clone(),
            keys: Vec::new(),
            room: 0.0,
            height: Some(190.0),
        };
        let (mut canvas, field) = chart.open(look);
        let place = |i: usize| field.point((i + 1) as f64, self.genes[i].1);
        self.mark(&mut canvas, look, &field);
        canvas.curve(steps(n).into_iter().filter_map(place).collect(), look.colour(0), 1.5, None);
        let mut taken: Vec<Point> = Vec::new();
        for (i, (gene, score)) in self.genes.iter().enumerate().take(POINTS) {
            let Some((x, y)) = place(i) else { continue };
            let title = format!("{gene}\u{2002}rank {}: {}", i + 1, number(*score, 4));
            let radius = if i < NAMED { 2.4 } else { 1.1 };
            canvas.named(&title, |canvas| canvas.dot((x, y), radius, look.colour(0), 1.0));
            let free = |(end, base): &Point| *end < x || (base - (y - 5.0)).abs() > 11.0;
            if i < NAMED && taken.iter().all(free) {
                let shown = name(gene, 16);
                canvas.text((x + 3.0, y - 5.0), &shown, SMALL, At::Start, look.ink);
                taken.push((x + 7.0 + width(&shown, SMALL), y - 5.0));
            }
        }
        canvas.scene()
    }
}

impl Ranking {
    /// A line at as many as are chosen.
    fn mark(&self, canvas: &mut Canvas, look: &Look, field: &Field) {
        let Some(chosen) = self.chosen.filter(|k| *k < self.genes.len()) else { return };
        if let Some((x, _)) = field.point(chosen as f64, 0.0) {
            canvas.line((x, field.top), (x, field.top + field.height), look.faint, 0.8, Some(DASHES[0]));
            let text = format!("{} chosen", count(chosen));
            canvas.text((x - 3.0, field.top + 9.0), &text, SMALL, At::End, look.faint);
        }
    }
}

/// Ranks (from 0) through which a curve goes: all at first, then evenly on the logarithm; the last.
fn steps(n: usize) -> Vec<usize> {
    let mut ranks: Vec<usize> = (0..n.min(50)).collect();
    let mut at = 50.0_f64;
    while (at as usize) < n {
        ranks.push(at as usize);
        at *= 1.015;
    }
    ranks.push(n.saturating_sub(1));
    ranks.dedup();
    ranks
}
