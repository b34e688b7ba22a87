//! What `explain` wrote of genes, neurons and a list of landmarks: what counts most of each, a bar each.

use std::path::Path;

use kuva::render::render::Scene;
use serde_json::Value;

use super::axis::{count, number};
use super::canvas::{At, Canvas};
use super::chart::{LINE, lines};
use super::clusters::stem;
use super::look::{COLUMN, LABEL, Look, SMALL};
use super::table::{Table, json};
use super::text::{name, width};
use super::{Draw, Figure};
use crate::error::{Error, Result};

/// Bars of a part.
const SHOWN: usize = 10;
/// Of a whole list of landmarks.
const OF_LIST: usize = 30;
/// Where bars begin and where they end at most, in units.
const BARS: [f64; 2] = [112.0, COLUMN - 52.0];

#[derive(Debug)]
struct Part {
    title: String,
    /// What it is called, and its number.
    rows: Vec<(String, f64)>,
    decimals: usize,
    /// Names are sentences: each stands above its bar.
    long: bool,
}

#[derive(Debug)]
struct Bars {
    parts: Vec<Part>,
    note: String,
}

/// The tables of a folder; nothing for one without a row.
struct Tables {
    neurons: Option<Table>,
    served: Option<Table>,
    stand_ins: Option<Table>,
    carriers: Option<Table>,
    sets: Option<Table>,
}

/// From a folder that `explain` wrote.
pub(super) fn figures(dir: &Path) -> Result<Vec<Figure>> {
    let read = |file: &str| match Table::read(&dir.join(file)) {
        Ok(table) => Ok(Some(table)),
        Err(Error::Data(_)) => Ok(None),
        Err(error) => Err(error),
    };
    let tables = Tables {
        neurons: read("neurons.tsv")?,
        served: read("served.tsv")?,
        stand_ins: read("stand_ins.tsv")?,
        carriers: read("carriers.tsv")?,
        sets: read("sets.tsv")?,
    };
    let described = json(&dir.join("explanation.json"))?;
    let asked = |key: &str| described["asked"][key].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for gene in asked("genes").iter().filter_map(Value::as_str) {
        found.extend(tables.gene(gene)?);
    }
    for neuron in asked("neurons").iter().filter_map(Value::as_u64) {
        found.extend(tables.neuron(neuron)?);
    }
    if let Some(landmarks) = read("landmarks.tsv")? {
        found.extend(list(&landmarks)?);
    }
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::Data(format!("{}: explains nothing that can be drawn", dir.display()))),
    }
}

impl Tables {
    fn gene(&self, gene: &str) -> Result<Option<Figure>> {
        // each in the order of its table: of stand-ins the least loss is first
        let parts = [
            (
                &self.served,
                "R² that inferred genes lose without it",
                ["target_id", "target_symbol", "r2_lost"],
                3,
                "gene_id",
            ),
            (
                &self.carriers,
                "R² that it loses without a landmark's values",
                ["gene_id", "symbol", "r2_lost"],
                3,
                "target_id",
            ),
            (
                &self.neurons,
                "its share of the contributions to a neuron",
                ["neuron", "", "share"],
                4,
                "gene_id",
            ),
            (
                &self.stand_ins,
                "stand-ins: the share of its gain that they lack",
                ["stand_in", "stand_in_symbol", "loss"],
                3,
                "gene_id",
            ),
        ];
        let part = |(table, title, columns, decimals, key): (&Option<Table>, _, _, _, _)| {
            part(table.as_ref(), title, columns, decimals, (key, gene))
        };
        let parts = parts.into_iter().map(part).collect::<Result<Vec<_>>>()?;
        let tables = [&self.served, &self.stand_ins, &self.neurons, &self.carriers];
        let called = tables.into_iter().flatten().find_map(|table| called(table, gene));
        let called = called.unwrap_or_else(|| gene.into());
        Ok(figure(&format!("explained-{}", stem(&called)), &called, parts))
    }

    fn neuron(&self, neuron: u64) -> Result<Option<Figure>> {
        let number = neuron.to_string();
        let own = ("neuron", number.as_str());
        let title = "genes: their share of its contributions";
        let genes = part(self.neurons.as_ref(), title, ["gene_id", "symbol", "share"], 4, own)?;
        let title = "gene sets of its first genes: \u{2212}log10 of adjusted p";
        let mut sets = part(self.sets.as_ref(), title, ["Description", "", "p.adjust"], 1, own)?;
        for (_, p) in sets.iter_mut().flat_map(|sets| &mut sets.rows) {
            *p = -p.max(1e-300).log10() + 0.0;
        }
        Ok(figure(&format!("explained-neuron-{neuron}"), &format!("Neuron {neuron}"), [genes, sets]))
    }
}

/// What a gene is called in the table.
fn called(table: &Table, gene: &str) -> Option<String> {
    [("gene_id", "symbol"), ("target_id", "target_symbol")].into_iter().find_map(|(id, symbol)| {
        let row = table.texts(id).ok()?.iter().position(|other| other == gene)?;
        table.called(id, symbol).ok()?.into_iter().nth(row)
    })
}

/// The first rows of a table that have this in that column, and a number, in its order.
fn part(
    table: Option<&Table>,
    title: &str,
    [id, symbol, value]: [&str; 3],
    decimals: usize,
    (key, asked): (&str, &str),
) -> Result<Option<Part>> {
    let Some(table) = table else { return Ok(None) };
    let rows = table.called(id, symbol)?.into_iter().zip(table.numbers(value)?).zip(table.texts(key)?);
    let own = rows.filter(|((_, value), key)| value.is_finite() && *key == asked);
    let named = |((name, value), _)| (if id == "neuron" { format!("neuron {name}") } else { name }, value);
    let mut rows: Vec<(String, f64)> = own.map(named).collect();
    if value == "share" {
        // what a gene moves and what moves a neuron are in one table
        rows.sort_by(|a, b| b.1.total_cmp(&a.1));
        rows.dedup();
    }
    rows.truncate(SHOWN);
    Ok((!rows.is_empty()).then(|| Part { title: title.into(), rows, decimals, long: id == "Description" }))
}

fn figure(file: &str, called: &str, parts: impl IntoIterator<Item = Option<Part>>) -> Option<Figure> {
    let parts: Vec<Part> = parts.into_iter().flatten().collect();
    let said: Vec<&str> = parts.iter().map(|part| part.title.as_str()).collect();
    let called = name(called, 40);
    let caption =
        format!("{called}, at most {SHOWN} of each kind, in the order of the tables: {}.", said.join("; "));
    let title = format!("What {called} does");
    (!parts.is_empty()).then(|| Figure::new(file, &title, caption, Bars { parts, note: called }))
}

/// The landmarks of a list that would be missed most.
fn list(landmarks: &Table) -> Result<Option<Figure>> {
    let known = landmarks.genes()?.into_iter().zip(landmarks.numbers("r2_lost")?);
    let mut rows: Vec<(String, f64)> = known.filter(|(_, lost)| lost.is_finite()).collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    let n = count(rows.len());
    rows.truncate(OF_LIST);
    rows.iter_mut().for_each(|(_, lost)| *lost *= 1_000.0);
    let shown = rows.len();
    let caption = format!(
        "Thousandths of R² of the inferred genes that are lost without a landmark, on average over them, the predictor fitted anew without it: the {shown} of n = \
         {n} landmarks that would be missed most. Others make up for each of them."
    );
    let part = Part {
        title: "thousandths of R² lost without it, mean over inferred genes".into(),
        rows,
        decimals: 2,
        long: false,
    };
    let note = format!("n = {n} landmarks, the first {shown} by loss");
    let bars = Bars { parts: vec![part], note };
    Ok((shown > 0)
        .then(|| Figure::new("explained-landmarks", "Landmarks that would be missed", caption, bars)))
}

impl Draw for Bars {
    fn scene(&self, look: &Look) -> Scene {
        let notes = lines(&self.note, COLUMN - 20.0, SMALL);
        let rows: f64 = self.parts.iter().map(|part| part.row() * part.rows.len() as f64).sum();
        let height = 10.0 + LINE * notes.len() as f64 + 30.0 * self.parts.len() as f64 + rows;
        let mut canvas = Canvas::new(COLUMN, height, look);
        let mut y = 13.0;
        for line in &notes {
            canvas.text((10.0, y), line, SMALL, At::Start, look.faint);
            y += LINE;
        }
        for part in &self.parts {
            y = part.draw(&mut canvas, look, y + 8.0);
        }
        canvas.scene()
    }
}

impl Part {
    /// Height of a row.
    fn row(&self) -> f64 {
        if self.long { 2.0 * LINE - 1.0 } else { LINE }
    }

    /// Draws it from a height on, and returns where it ends.
    fn draw(&self, canvas: &mut Canvas, look: &Look, top: f64) -> f64 {
        let values = || self.rows.iter().map(|(_, value)| *value);
        let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
        let begin = if self.long { 12.0 } else { BARS[0] };
        let at = |x: f64| begin + (BARS[1] - begin) * (x - low) / (high - low).max(1e-300);
        canvas.text((10.0, top), &self.title, LABEL, At::Start, look.ink);
        let first = top + 18.0;
        for (i, (gene, value)) in self.rows.iter().enumerate() {
            let mut y = first + self.row() * i as f64;
            let told = number(*value, self.decimals);
            if self.long {
                canvas.text((begin, y), &fitting(gene, COLUMN - begin - 10.0), SMALL, At::Start, look.ink);
                y += LINE - 1.0;
            } else {
                canvas.text((begin - 5.0, y), &fitting(gene, begin - 15.0), SMALL, At::End, look.ink);
            }
            let (left, right) = (at(value.min(0.0)), at(value.max(0.0)));
            canvas.named(&format!("{gene}\u{2002}{told}"), |canvas| {
                canvas.rect((left, y - 8.5), (right - left).max(0.5), 9.0, look.colour(0));
            });
            canvas.text((right + 4.0, y), &told, SMALL, At::Start, look.ink);
        }
        let last = first + self.row() * self.rows.len() as f64;
        if !self.long {
            canvas.line((at(0.0), first - 11.0), (at(0.0), last - 10.0), look.ink, 0.8, None);
        }
        last + 4.0
    }
}

/// A name cut to the room that it has.
fn fitting(text: &str, room: f64) -> String {
    let mut cut = (6..=80).rev().map(|letters| name(text, letters));
    cut.find(|shown| width(shown, SMALL) <= room).unwrap_or_else(|| name(text, 6))
}
