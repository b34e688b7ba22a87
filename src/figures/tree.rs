//! The dendrogram of samples, upright or round, with a strip of labels.

use std::collections::HashMap;
use std::f64::consts::{PI, TAU};
use std::fmt::Write;
use std::sync::Arc;

use kuva::render::render::Scene;

use super::axis::{Axis, count};
use super::canvas::{At, Canvas, Point};
use super::chart::{Chart, Field, LINE, Sign, keys};
use super::labels::Labels;
use super::look::{COLUMN, Look, SMALL};
use super::newick::Tree;
use super::{Draw, Figure};

/// Samples that have a cell of their own in the strip.
const CELLS: usize = 600;
/// Branches that are less apart than this, in units, are not drawn.
const NARROW: f64 = 0.5;

#[derive(Debug)]
struct Leaves {
    tree: Tree,
    labels: Labels,
    /// Of each leaf, its sample; `None` where the labels do not have it.
    samples: Vec<Option<usize>>,
    note: String,
}

#[derive(Debug)]
struct Upright(Arc<Leaves>);

#[derive(Debug)]
struct Round(Arc<Leaves>);

/// A part of the strip: leaves from and to (exclusive), its colour's place, its title.
struct Cell {
    leaves: (usize, usize),
    place: usize,
    title: String,
}

/// The figures of a tree: upright and round.
pub(super) fn figures(stem: &str, of: &str, tree: Tree, ids: &[String], labels: Labels) -> Vec<Figure> {
    let n = tree.leaves.len();
    let places: HashMap<&str, usize> = ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
    let samples =
        tree.leaves.iter().map(|leaf| places.get(tree.nodes[*leaf].name.as_str()).copied()).collect();
    let strip = match n > CELLS {
        true => {
            " The strip shows the most frequent label of neighbouring samples; the narrowest branches are left out."
        }
        false => "",
    };
    let caption = |shape: &str| {
        format!(
            "Hierarchical clustering of n = {} samples by {of}{shape}. {}{strip}",
            count(n),
            labels.words(),
        )
    };
    let title = format!("Dendrogram of samples: {of}");
    let [upright, round] = [
        caption(", the height of a merge is the distance at which it happens"),
        caption(", the root in the middle"),
    ];
    let leaves = Arc::new(Leaves { tree, labels, samples, note: format!("n = {} samples", count(n)) });
    vec![
        Figure::new(stem, &title, upright, Upright(leaves.clone())),
        Figure::new(&format!("{stem}-circular"), &title, round, Round(leaves)),
    ]
}

impl Leaves {
    fn place(&self, leaf: usize) -> usize {
        self.samples[leaf].map_or(usize::MAX, |sample| self.labels.place(sample))
    }

    fn colour(&self, place: usize, look: &Look) -> &'static str {
        if place == usize::MAX { look.fainter } else { self.labels.colour(place, look) }
    }

    /// The strip: a cell for each leaf, or for several of which the most frequent colour is shown.
    fn cells(&self) -> Vec<Cell> {
        let n = self.tree.leaves.len();
        let cells = n.min(CELLS);
        let cell = |i: usize| {
            let (from, to) = (i * n / cells, (i + 1) * n / cells);
            let mut sizes: HashMap<usize, usize> = HashMap::new();
            (from..to).for_each(|leaf| *sizes.entry(self.place(leaf)).or_default() += 1);
            let place = sizes.into_iter().max_by_key(|(place, n)| (*n, std::cmp::Reverse(*place)));
            Cell {
                leaves: (from, to),
                place: place.map_or(usize::MAX, |(place, _)| place),
                title: self.title(from, to),
            }
        };
        (0..cells).map(cell).collect()
    }

    fn title(&self, from: usize, to: usize) -> String {
        if to - from > 1 {
            return format!("{} samples", to - from);
        }
        let name = &self.tree.nodes[self.tree.leaves[from]].name;
        match self.samples[from].filter(|_| !self.labels.is_empty()) {
            Some(sample) => format!("{name}\u{2002}{}", self.labels.said(sample)),
            None => name.clone(),
        }
    }

    /// A sign for each colour; none where there is nothing to tell apart.
    fn keys(&self, look: &Look) -> Vec<super::chart::Key> {
        self.labels.keys(look, Sign::Box)
    }
}

impl Draw for Upright {
    fn scene(&self, look: &Look) -> Scene {
        let Leaves { tree, note, .. } = &*self.0;
        let n = tree.leaves.len() as f64;
        let top = (tree.depth * 2.0).max(1e-9);
        let scale = Axis::around("height of the merge", [0.0, top], 4);
        let high = scale.ticks.last().map_or(top, |_| top * 1.03);
        let mut y = Axis::between("height of the merge", -0.09 * high, high, high);
        y.ticks = scale.ticks.into_iter().filter(|(x, _)| *x <= high).collect();
        let mut x = Axis::between("samples, in the order of the tree", -0.5, n - 0.5, n.max(1.0));
        x.ticks.clear();
        let chart =
            Chart { x, y, note: note.clone(), keys: self.0.keys(look), room: 0.0, height: Some(200.0) };
        let (mut canvas, field) = chart.open(look);
        let d = branches(tree, &field);
        canvas.path(d, None, (look.ink, if n > 300.0 { 0.4 } else { 0.7 }));
        let ground = field.point(0.0, -0.02 * high).map_or(0.0, |p| p.1);
        let left = |leaf: usize| field.left + field.width * leaf as f64 / n;
        for cell in self.0.cells() {
            let (from, to) = (left(cell.leaves.0), left(cell.leaves.1));
            let colour = self.0.colour(cell.place, look);
            canvas.named(&cell.title, |canvas| canvas.rect((from, ground), to - from + 0.3, 12.0, colour));
        }
        canvas.scene()
    }
}

impl Draw for Round {
    fn scene(&self, look: &Look) -> Scene {
        let Leaves { tree, note, .. } = &*self.0;
        let wide = COLUMN - 20.0;
        let signs = self.0.keys(look);
        let mut measure = Canvas::new(COLUMN, 1.0, look);
        let above = 4.0 + LINE + keys(&mut measure, look, &signs, (10.0, 0.0), wide) + 8.0;
        let mut canvas = Canvas::new(COLUMN, above + wide + 8.0, look);
        canvas.text((10.0, 13.0), note, SMALL, At::Start, look.faint);
        keys(&mut canvas, look, &signs, (10.0, 4.0 + LINE), wide);
        let disc = Disc { middle: (COLUMN / 2.0, above + wide / 2.0), leaves: tree.leaves.len() as f64 };
        let outer = wide / 2.0 - 14.0;
        let d = disc.branches(tree, outer);
        canvas.path(d, None, (look.ink, if disc.leaves > 300.0 { 0.4 } else { 0.7 }));
        for cell in self.0.cells() {
            let ends = (cell.leaves.0 as f64 - 0.5, cell.leaves.1 as f64 - 0.5);
            let colour = self.0.colour(cell.place, look);
            let sector = disc.sector(ends, (outer + 3.0, outer + 14.0));
            canvas.named(&cell.title, |canvas| canvas.area(&sector, colour, 1.0));
        }
        canvas.scene()
    }
}

/// The branches of an upright tree as a path.
fn branches(tree: &Tree, field: &Field) -> String {
    let place = |across: f64, depth: f64| field.point(across, (tree.depth - depth) * 2.0).unwrap_or_default();
    let mut d = String::new();
    for node in tree.inner() {
        let (first, last) = tree.ends(node);
        let [a, b] = [first, last].map(|child| place(child.across, child.depth));
        let y = place(first.across, node.depth).1;
        if b.0 - a.0 >= NARROW {
            stroke(&mut d, [a, (a.0, y), (b.0, y), b]);
        }
    }
    d
}

/// Adds a line through points to a path.
fn stroke(d: &mut String, points: impl IntoIterator<Item = Point>) {
    for (i, (x, y)) in points.into_iter().enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
    }
}

/// Leaves around a point, with a gap at the top.
struct Disc {
    middle: Point,
    leaves: f64,
}

impl Disc {
    fn angle(&self, across: f64) -> f64 {
        let gap = 0.12;
        -PI / 2.0 + gap / 2.0 + (TAU - gap) * (across + 0.5) / self.leaves
    }

    fn at(&self, across: f64, radius: f64) -> Point {
        let angle = self.angle(across);
        (self.middle.0 + radius * angle.cos(), self.middle.1 + radius * angle.sin())
    }

    /// Points along an arc, about two units from each other.
    fn along(&self, (from, to): (f64, f64), radius: f64) -> Vec<Point> {
        let length = (self.angle(to) - self.angle(from)).abs() * radius;
        let steps = (length / 2.0).ceil().max(1.0);
        (0..=steps as usize).map(|i| self.at(from + (to - from) * i as f64 / steps, radius)).collect()
    }

    /// The branches of a tree whose leaves lie at most `outer` from the middle, as a path.
    fn branches(&self, tree: &Tree, outer: f64) -> String {
        let radius = |depth: f64| outer * (0.04 + 0.96 * depth / tree.depth.max(1e-9));
        let mut d = String::new();
        for node in tree.inner() {
            let children = node.children.iter().map(|child| &tree.nodes[*child]);
            let (first, last) = tree.ends(node);
            if (self.angle(last.across) - self.angle(first.across)) * outer < NARROW {
                continue;
            }
            for child in children {
                stroke(&mut d, [node.depth, child.depth].map(|depth| self.at(child.across, radius(depth))));
            }
            stroke(&mut d, self.along((first.across, last.across), radius(node.depth)));
        }
        d
    }

    fn sector(&self, ends: (f64, f64), radii: (f64, f64)) -> Vec<Point> {
        let mut points = self.along(ends, radii.0);
        points.extend(self.along((ends.1, ends.0), radii.1));
        points
    }
}
