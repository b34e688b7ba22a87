//! Which genes are in which lists: an UpSet plot (Lex et al. 2014) of exclusive intersections.

use std::collections::{BTreeMap, BTreeSet};

use kuva::render::render::Scene;

use super::axis::{Axis, count};
use super::canvas::{At, Canvas, Point};
use super::look::{COLUMN, LABEL, Look, SMALL};
use super::text::{name, width};
use super::{Draw, Figure};

/// Lists that are drawn; the first ones.
const LISTS: usize = 6;
/// Intersections that are drawn; the largest.
const SHOWN: usize = 14;
/// Height of a list's row.
const ROW: f64 = 15.0;

#[derive(Debug)]
struct Overlap {
    /// Names and sizes.
    lists: Vec<(String, usize)>,
    /// Which lists (a bit each), and the genes in these and no other.
    parts: Vec<(u32, usize)>,
    note: String,
}

/// The figure of named lists of genes; `None` of fewer than two.
pub(super) fn figure(lists: &[(String, Vec<String>)]) -> Option<Figure> {
    let shown = &lists[..lists.len().min(LISTS)];
    if shown.len() < 2 {
        return None;
    }
    let mut of: BTreeMap<&str, u32> = BTreeMap::new();
    for (i, (_, genes)) in shown.iter().enumerate() {
        genes.iter().for_each(|gene| *of.entry(gene).or_default() |= 1 << i);
    }
    let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
    of.values().for_each(|lists| *sizes.entry(*lists).or_default() += 1);
    let mut parts: Vec<(u32, usize)> = sizes.into_iter().collect();
    parts.sort_by_key(|(lists, n)| (std::cmp::Reverse(*n), lists.count_ones(), *lists));
    let left = parts.len().saturating_sub(SHOWN);
    parts.truncate(SHOWN);
    let size = |genes: &Vec<String>| genes.iter().collect::<BTreeSet<_>>().len();
    let rows: Vec<(String, usize)> =
        shown.iter().map(|(label, genes)| (name(label, 18), size(genes))).collect();
    let mut caption = format!(
        "Genes by the lists that they are in, n = {} genes of {} lists. A bar counts the genes that are in the lists marked below it and in no \
         other of these; beside each list's name is its size.",
        count(of.len()),
        shown.len()
    );
    if left > 0 {
        caption += &format!(" The {SHOWN} largest of {} combinations are drawn.", SHOWN + left);
    }
    if lists.len() > LISTS {
        caption += &format!(" Of {} lists the first {LISTS} are drawn.", lists.len());
    }
    let note = format!("n = {} genes", count(of.len()));
    Some(Figure::new("overlap", "Overlap of the lists", caption, Overlap { lists: rows, parts, note }))
}

impl Draw for Overlap {
    fn scene(&self, look: &Look) -> Scene {
        let labels: Vec<String> =
            self.lists.iter().map(|(label, n)| format!("{label} ({})", count(*n))).collect();
        let left = labels.iter().map(|label| width(label, SMALL)).fold(30.0, f64::max) + 16.0;
        let most = self.parts.iter().map(|part| part.1).max().unwrap_or(1) as f64;
        let y = Axis::around("genes", [0.0, most], 4);
        let (top, height) = (44.0, 120.0);
        let bottom = top + height;
        let whole = bottom + 12.0 + ROW * self.lists.len() as f64 + 6.0;
        let mut canvas = Canvas::new(COLUMN, whole, look);
        canvas.text((10.0, 13.0), &self.note, SMALL, At::Start, look.faint);
        let step = ((COLUMN - left - 12.0) / self.parts.len() as f64).min(36.0);
        self.scale(&mut canvas, look, &y, (left, left + 8.0 + step * self.parts.len() as f64, top, height));
        for i in (0..self.lists.len()).step_by(2) {
            canvas.rect((6.0, bottom + 12.0 + ROW * i as f64), COLUMN - 12.0, ROW, look.stripe);
        }
        for (i, label) in labels.iter().enumerate() {
            canvas.text((left - 10.0, bottom + 23.0 + ROW * i as f64), label, SMALL, At::End, look.ink);
        }
        for (i, part) in self.parts.iter().enumerate() {
            let x = left + 4.0 + step * (i as f64 + 0.5);
            let tall = y.at(part.1 as f64).unwrap_or(0.0) * height;
            self.bar(&mut canvas, look, *part, ((x, bottom), step * 0.64, tall));
            self.marks(&mut canvas, look, part.0, (x, bottom + 12.0));
        }
        canvas.scene()
    }
}

impl Overlap {
    fn members(&self, lists: u32) -> impl Iterator<Item = usize> {
        (0..self.lists.len()).filter(move |i| lists >> i & 1 == 1)
    }

    /// A bar on its foot's middle, so wide and so tall.
    fn bar(
        &self,
        canvas: &mut Canvas,
        look: &Look,
        (lists, n): (u32, usize),
        ((x, foot), wide, tall): (Point, f64, f64),
    ) {
        let names: Vec<&str> = self.members(lists).map(|list| self.lists[list].0.as_str()).collect();
        let title = format!("{}\u{2002}{} genes", names.join(" ∩ "), count(n));
        canvas.named(&title, |canvas| canvas.rect((x - wide / 2.0, foot - tall), wide, tall, look.colour(0)));
        canvas.text((x, foot - tall - 3.0), &count(n), SMALL, At::Middle, look.ink);
    }

    fn scale(
        &self,
        canvas: &mut Canvas,
        look: &Look,
        y: &Axis,
        (left, right, top, height): (f64, f64, f64, f64),
    ) {
        let bottom = top + height;
        canvas.line((left, top), (left, bottom), look.ink, 0.8, None);
        canvas.line((left, bottom), (right, bottom), look.ink, 0.8, None);
        for (at, text) in
            y.ticks.iter().filter_map(|(n, text)| y.at(*n).map(|at| (bottom - at * height, text)))
        {
            canvas.line((left - 3.5, at), (left, at), look.ink, 0.8, None);
            canvas.text((left - 5.5, at + 3.2), text, SMALL, At::End, look.ink);
        }
        canvas.text((left, top - 8.0), &y.label, LABEL, At::Middle, look.ink);
    }

    fn marks(&self, canvas: &mut Canvas, look: &Look, lists: u32, (x, top): (f64, f64)) {
        let y = |list: usize| top + ROW * (list as f64 + 0.5);
        let of: Vec<usize> = self.members(lists).collect();
        if let (Some(first), Some(last)) = (of.first(), of.last()) {
            canvas.line((x, y(*first)), (x, y(*last)), look.ink, 1.4, None);
        }
        for list in 0..self.lists.len() {
            let colour = if lists >> list & 1 == 1 { look.ink } else { look.fainter };
            canvas.dot((x, y(list)), 3.4, colour, 1.0);
        }
    }
}
