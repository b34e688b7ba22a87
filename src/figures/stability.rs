//! How often genes are chosen when the landmarks are chosen anew from other draws of the samples.

use std::path::Path;

use kuva::render::render::Scene;
use serde_json::Value;

use super::axis::{Axis, count, number};
use super::chart::{Chart, DASHES, Key, Sign};
use super::look::Look;
use super::table::{Table, json};
use super::text::whole;
use super::{Draw, Figure};
use crate::error::Result;

/// Genes with a point of their own.
const POINTS: usize = 1_000;

/// What a caption says of the second curve.
const COPIES: &str = " The second curve counts a gene as chosen where a near copy of it was.";

#[derive(Debug)]
struct Stability {
    genes: Vec<(String, f64)>,
    copies: Vec<f64>,
    note: String,
}

/// How alike the lists are, as a run's record has it.
#[derive(Debug)]
pub(super) struct Alike {
    kuncheva: f64,
    nogueira: Option<[f64; 3]>,
}

impl Alike {
    /// Of the facts of the stage.
    fn of(facts: &Value) -> Option<Alike> {
        let nogueira = &facts["nogueira"];
        let figures = [&nogueira["stability"], &nogueira["interval"][0], &nogueira["interval"][1]];
        let nogueira: Option<Vec<f64>> = figures.into_iter().map(Value::as_f64).collect();
        Some(Alike {
            kuncheva: facts["kuncheva"]["mean"].as_f64()?,
            nogueira: nogueira.and_then(|figures| figures.try_into().ok()),
        })
    }

    /// For the caption.
    fn said(&self) -> String {
        let nogueira = self.nogueira.map_or_else(String::new, |[stability, low, high]| {
            format!(
                ", the measure of Nogueira, Sechidis and Brown {} (95 % interval {} to {})",
                number(stability, 2),
                number(low, 2),
                number(high, 2)
            )
        });
        format!(
            " Without the genes that were forced or forbidden Kuncheva's index is {} on average over pairs of lists{nogueira}; 1 is equal lists, \
             0 what chance gives.",
            number(self.kuncheva, 2)
        )
    }

    /// For the picture.
    fn note(&self) -> String {
        let nogueira = self.nogueira.map_or_else(String::new, |[stability, low, high]| {
            format!(", Nogueira {} ({}–{})", number(stability, 2), number(low, 2), number(high, 2))
        });
        format!("; index of Kuncheva {}{nogueira}", number(self.kuncheva, 2))
    }
}

/// Of a run's folder.
pub(super) fn of_run(dir: &Path) -> Result<Vec<Figure>> {
    let record = json(&dir.join("run.json"))?;
    let stages = record["stages"].as_array().into_iter().flatten();
    let facts =
        stages.filter(|stage| stage["name"] == "stability").find_map(|stage| Alike::of(&stage["facts"]));
    figures(&Table::read(&dir.join("stability.tsv"))?, facts.as_ref())
}

/// From `stability.tsv`.
pub(super) fn figures(table: &Table, alike: Option<&Alike>) -> Result<Vec<Figure>> {
    let (chosen, share) = (table.numbers("chosen")?, table.numbers("share")?);
    let repeats =
        chosen.iter().zip(&share).map(|(n, share)| n / share).find(|n| n.is_finite()).map(f64::round);
    let mut genes: Vec<(String, f64)> =
        table.genes()?.into_iter().zip(share).filter(|(_, s)| s.is_finite()).collect();
    let Some(repeats) = repeats.filter(|_| !genes.is_empty()) else {
        return Err(table.nothing("no gene that was ever chosen"));
    };
    genes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut copies =
        if table.has(&["share_with_copies"]) { table.numbers("share_with_copies")? } else { Vec::new() };
    copies.sort_by(|a, b| b.total_cmp(a));
    let always = genes.iter().filter(|gene| gene.1 >= 1.0).count();
    let with = if copies.is_empty() { "" } else { COPIES };
    let drawn = genes.len().min(POINTS);
    let points = match drawn < genes.len() {
        true => format!(" The first {} have a point each.", count(drawn)),
        false => String::new(),
    };
    let caption = format!(
        "Share of {repeats} repeats, each from another draw of the samples, in which a gene is chosen, genes by that share: n = {} that were \
         chosen at least once or are in the run's own list; {} always were.{}{with}{points}",
        count(genes.len()),
        count(always),
        alike.map_or_else(String::new, Alike::said)
    );
    let of_lists = alike.map_or_else(String::new, Alike::note);
    let note = format!("n = {repeats} repeats, {} genes{of_lists}", count(genes.len()));
    Ok(vec![Figure::new(
        "stability",
        "Stability of the landmarks",
        caption,
        Stability { genes, copies, note },
    )])
}

impl Draw for Stability {
    fn scene(&self, look: &Look) -> Scene {
        let mut keys = vec![Key::new("the gene itself", look.colour(0), Sign::Line(None))];
        if !self.copies.is_empty() {
            keys.push(Key::new("or a near copy", look.colour(1), Sign::Line(Some(DASHES[0]))));
        }
        let chart = Chart {
            x: Axis::around("genes, most often chosen first", [0.0, self.genes.len() as f64], 5),
            y: Axis::between("share of repeats", 0.0, 1.0, 0.2),
            note: self.note.clone(),
            keys,
            room: 0.0,
            height: Some(180.0),
        };
        let (mut canvas, field) = chart.open(look);
        let copies = corners(&self.copies);
        let own = corners(&self.genes.iter().map(|gene| gene.1).collect::<Vec<_>>());
        canvas.curve(field.points(&copies), look.colour(1), 1.5, Some(DASHES[0]));
        canvas.curve(field.points(&own), look.colour(0), 1.5, None);
        for (i, (gene, share)) in self.genes.iter().enumerate().take(POINTS) {
            let Some(place) = field.point((i + 1) as f64, *share) else { continue };
            let title = format!("{}\u{2002}{}", whole(gene), number(*share, 3));
            canvas.named(&title, |canvas| canvas.dot(place, 1.5, look.colour(0), 1.0));
        }
        canvas.scene()
    }
}

/// The places (from 1) and heights at which a falling line bends.
fn corners(shares: &[f64]) -> Vec<(f64, f64)> {
    let last = shares.len().saturating_sub(1);
    let bends =
        |i: &usize| *i == 0 || *i == last || shares[*i] != shares[*i - 1] || shares[*i] != shares[*i + 1];
    (0..shares.len()).filter(bends).map(|i| ((i + 1) as f64, shares[i])).collect()
}
