//! Gene sets that landmarks have more or fewer genes of than chance gives: a dot each.

use kuva::render::render::Scene;

use super::axis::{Axis, count, number};
use super::canvas::{At, Canvas, Point};
use super::chart::{Chart, DASHES, LINE};
use super::look::{COLUMN, Look, SMALL};
use super::table::Table;
use super::text::{name, width};
use super::{Draw, Figure};
use crate::error::Result;

/// Sets that are drawn.
const SHOWN: usize = 14;
/// Height of a set: its name and its dot.
const ROW: f64 = 27.0;

#[derive(Debug)]
struct Term {
    name: String,
    fold: f64,
    genes: f64,
    p: f64,
    adjusted: f64,
}

#[derive(Debug)]
struct Terms {
    terms: Vec<Term>,
    note: String,
}

/// From the table of `enrich`.
pub(super) fn figures(table: &Table) -> Result<Vec<Figure>> {
    let mut terms = terms(table)?;
    if terms.is_empty() {
        return Err(table.nothing("no set with a p-value"));
    }
    let tested = count(terms.len());
    let below = count(terms.iter().filter(|t| t.adjusted < 0.05).count());
    terms.truncate(SHOWN);
    let caption = format!(
        "Gene sets by p-value (the {} least of n = {tested} tested sets): how many times more landmarks a set has than as many genes drawn from \
         the universe would (the dashed line is as many), the number of landmarks in it (size of the dot), and the p-value adjusted over all \
         tested sets (Benjamini and Hochberg; colour). {below} of the {tested} have an adjusted p below 0.05.",
        terms.len(),
    );
    let note = format!("n = {tested} tested sets, {below} with adjusted p < 0.05");
    Ok(vec![Figure::new("enrichment", "Enrichment of gene sets", caption, Terms { terms, note })])
}

/// The sets by p-value.
fn terms(table: &Table) -> Result<Vec<Term>> {
    let columns = ["FoldEnrichment", "Count", "pvalue", "p.adjust"].map(|c| table.numbers(c));
    let [fold, genes, p, adjusted] = columns;
    let (fold, genes, p, adjusted) = (fold?, genes?, p?, adjusted?);
    let names = table.texts("Description")?;
    let of = |i: usize| {
        let name = names[i].clone();
        Term { name, fold: fold[i], genes: genes[i], p: p[i], adjusted: adjusted[i] }
    };
    let mut terms: Vec<Term> =
        (0..table.len()).map(of).filter(|t| t.p.is_finite() && t.fold.is_finite()).collect();
    terms.sort_by(|a, b| a.p.total_cmp(&b.p).then_with(|| a.name.cmp(&b.name)));
    Ok(terms)
}

/// How strong the colour of an adjusted p is: 1 at 10⁻⁶ or less.
fn strength(adjusted: f64) -> f64 {
    -adjusted.max(1e-300).log10() / 6.0
}

impl Terms {
    fn radius(&self, genes: f64) -> f64 {
        let most = self.terms.iter().map(|t| t.genes).fold(1.0, f64::max);
        1.8 + 4.2 * (genes / most).max(0.0).sqrt()
    }

    fn dot(&self, canvas: &mut Canvas, look: &Look, term: &Term, place: Point) {
        let (genes, p) = (count(term.genes as usize), number(term.adjusted, 5));
        let title = format!("{}\u{2002}{genes} landmarks, adjusted p {p}", term.name);
        let colour = look.strength(strength(term.adjusted));
        let radius = self.radius(term.genes);
        canvas.named(&title, |canvas| canvas.ringed(place, radius, &colour, (look.ink, 0.5)));
    }

    /// The two scales, a line each: sizes, colours.
    fn scales(&self, canvas: &mut Canvas, look: &Look, y: f64) {
        let most = self.terms.iter().map(|t| t.genes).fold(1.0, f64::max);
        let mut sizes: Vec<f64> = [most / 8.0, most / 2.0, most].map(|n| n.ceil()).to_vec();
        sizes.dedup();
        let sizes: Vec<(f64, String)> = sizes.into_iter().map(|n| (n, count(n as usize))).collect();
        row(canvas, look, y, "number of landmarks", &sizes, |canvas, n, at| {
            canvas.dot(at, self.radius(n), look.faint, 1.0);
        });
        let colours = [(1.0, "1"), (1e-2, "0.01"), (1e-4, "1e\u{2212}4"), (1e-6, "1e\u{2212}6 or less")];
        let colours = colours.map(|(p, text)| (p, text.to_string()));
        row(canvas, look, y + LINE, "adjusted p", &colours, |canvas, p, (x, y)| {
            canvas.rect((x - 5.0, y - 4.0), 10.0, 8.0, &look.strength(strength(p)));
        });
    }
}

/// A name cut to a width.
fn fitting(text: &str, room: f64) -> String {
    let mut cut = (8..=64).rev().map(|letters| name(text, letters));
    cut.find(|shown| width(shown, SMALL) <= room).unwrap_or_else(|| name(text, 8))
}

/// A scale: what it is of, then signs with their numbers.
fn row(
    canvas: &mut Canvas,
    look: &Look,
    y: f64,
    title: &str,
    steps: &[(f64, String)],
    sign: impl Fn(&mut Canvas, f64, Point),
) {
    canvas.text((10.0, y), title, SMALL, At::Start, look.ink);
    let mut x = 16.0 + width("number of landmarks", SMALL);
    for (value, text) in steps {
        sign(canvas, *value, (x + 6.0, y - 3.2));
        canvas.text((x + 15.0, y), text, SMALL, At::Start, look.ink);
        x += 15.0 + width(text, SMALL) + 10.0;
    }
}

impl Draw for Terms {
    fn scene(&self, look: &Look) -> Scene {
        let n = self.terms.len();
        let mut y = Axis::between("", 0.0, n as f64, 1.0);
        y.ticks.clear();
        let folds = self.terms.iter().map(|t| t.fold).chain([0.0, 1.0]);
        let x = Axis::around("times as many landmarks as expected", folds, 6);
        let (note, height) = (self.note.clone(), Some(ROW * n as f64 + 4.0));
        let chart = Chart { x, y, note, keys: Vec::new(), room: 2.0 * LINE, height };
        let (mut canvas, field) = chart.open(look);
        self.scales(&mut canvas, look, 13.0 + LINE);
        let zero = field.point(0.0, 0.0).map_or(field.left, |p| p.0);
        let one = field.point(1.0, 0.0).map_or(field.left, |p| p.0);
        canvas.line((one, field.top), (one, field.top + field.height), look.faint, 0.8, Some(DASHES[0]));
        let step = field.height / n as f64;
        for (i, term) in self.terms.iter().enumerate() {
            let top = field.top + step * i as f64 - 2.0;
            let shown = fitting(&term.name, COLUMN - field.left - 14.0);
            canvas.rect((field.left + 4.0, top + 3.0), width(&shown, SMALL) + 2.0, 10.0, look.paper);
            canvas.text((field.left + 5.0, top + 11.0), &shown, SMALL, At::Start, look.ink);
            if let Some((x, _)) = field.point(term.fold, 0.0) {
                canvas.line((zero, top + 20.0), (x, top + 20.0), look.fainter, 1.2, None);
                self.dot(&mut canvas, look, term, (x, top + 20.0));
            }
        }
        canvas.scene()
    }
}
