//! The landmarks: what each serves, and what could stand in for it.

use std::collections::HashMap;

use rayon::prelude::*;

use super::pictures::Pictures;
use super::{Run, short};
use crate::error::Result;
use crate::genes::Sheet;
use crate::nouns::counted;
use crate::pipeline::choice::word;
use crate::pipeline::flow::Layout;
use crate::pipeline::stages::select::left_out;
use crate::progress::{Event, Reporter};
use crate::report::{Block, Cell, Column, Fact, Section, Table};
use crate::select::copies::{ALIKE, Copies};

/// Genes told of each landmark: those that it serves most, and its stand-ins.
pub const MOST: usize = 3;

pub fn section(run: &Run, pictures: &mut Pictures, report: Reporter) -> Result<Option<Section>> {
    let mut blocks = Vec::new();
    if let Some(sheet) = &run.landmarks {
        blocks.push(Block::Table(table(run, sheet, report)?));
        blocks.extend(others(run));
    }
    if run.summary.repeated.is_some() {
        blocks.push(Block::Facts(stability(run)));
    }
    blocks.extend(pictures.take("landmarks"));
    Ok(Section::new("landmarks", "Landmarks", blocks))
}

/// A column of the table: how it is called, and a cell for every landmark.
type Filled = (Column, Vec<Cell>);

fn table(run: &Run, sheet: &Sheet, report: Reporter) -> Result<Table> {
    let words = |name: &str, title: &str| -> Option<Filled> {
        let fields = &sheet.column(name)?.fields;
        Some((Column::words(title), fields.iter().map(|text| Cell::text(text.as_str())).collect()))
    };
    let numbers = |name: &str, title: &str, digits| -> Option<Filled> {
        let fields = &sheet.column(name)?.fields;
        Some((Column::numbers(title, digits), fields.iter().map(|x| Cell::number(x.parse().ok())).collect()))
    };
    let ids: &[String] = sheet.column("gene_id").map_or(&[], |column| &column.fields);
    let (served, most) = served(run, ids).unzip();
    let columns: Vec<Filled> = [
        numbers("rank", "Rank", 0),
        words("symbol", "Gene"),
        words("gene_id", "Id"),
        numbers("score", "Score", 4),
        served,
        most,
        stand_ins(run, sheet, ids, report)?,
        again(run, ids)?,
    ]
    .into_iter()
    .flatten()
    .collect();
    let rows =
        (0..sheet.len()).map(|i| columns.iter().map(|(_, cells)| cells[i].clone()).collect()).collect();
    Ok(Table {
        id: "landmarks",
        title: format!("The {}", counted(sheet.len(), "landmark")),
        caption: caption(run),
        columns: columns.into_iter().map(|(column, _)| column).collect(),
        rows,
        shown: 20,
    })
}

fn caption(run: &Run) -> String {
    let strategy = (Layout { config: run.config }).lists().swap_remove(0);
    let served = match (&run.served, &run.predictor) {
        (Some(_), _) => {
            " R² served: the R² over all inferred genes together, in the held-out samples, that is lost when this one \
                         is not measured and the predictor is fitted without it; serves most: the genes whose own R² loses most."
        }
        (None, Some(_)) => {
            " What each landmark serves is told where the predictor is linear or kernel ridge on not too many \
                            samples, which can be refitted exactly without it; this one is of another method."
        }
        _ => "",
    };
    let again = if run.has("stability") { " Chosen again: share of the repeats." } else { "" };
    format!(
        "In the order of {}.{served} Stand-ins: genes that correlate most with it in the training samples, of those that the \
         selection was not told to leave out, with r; from {ALIKE} on they are near copies, and which of them is chosen is chance.{again}",
        strategy.name
    )
}

/// What each landmark serves, and whom most.
fn served(run: &Run, ids: &[String]) -> Option<(Filled, Filled)> {
    let (predictor, served, store) = (run.predictor.as_ref()?, run.served.as_ref()?, run.train.as_ref()?);
    let place = predictor.landmark_genes().positions();
    let (genes, places) = (store.genes(), store.genes().positions());
    let target =
        |t: usize| places.get(predictor.targets()[t].as_str()).map_or("", |gene| short(genes, *gene));
    let whom = |i: usize| {
        let told = served.most[i].iter().map(|(t, lost)| format!("{}\u{a0}{lost:.3}", target(*t)));
        Cell::text(told.collect::<Vec<_>>().join(", "))
    };
    let at = |id: &String| place.get(id.as_str()).copied();
    let lost = ids.iter().map(|id| Cell::number(at(id).map(|i| 1000.0 * served.lost[i]))).collect();
    let most = ids.iter().map(|id| at(id).map_or(Cell::Missing, whom)).collect();
    Some(((Column::numbers("R² served, ×10⁻³", 2), lost), (Column::words("Serves most (R² lost)"), most)))
}

/// What could stand in for each landmark: as the list tells, else by correlation, but nothing that the selection was told to leave out.
fn stand_ins(run: &Run, sheet: &Sheet, ids: &[String], report: Reporter) -> Result<Option<Filled>> {
    let told: Vec<(&Vec<String>, &Vec<String>)> = (1..=MOST)
        .map_while(|i| {
            let column = |name: &str| sheet.column(&format!("{name}_{i}")).map(|column| &column.fields);
            Some((column("stand_in")?, column("loss")?))
        })
        .collect();
    let Some(store) = &run.train else { return Ok(None) };
    let (genes, places) = (store.genes(), store.genes().positions());
    if !told.is_empty() {
        let cell = |row: usize| {
            let pairs = told.iter().filter(|(gene, _)| !gene[row].is_empty());
            let pairs = pairs.map(|(gene, loss)| match loss[row].parse::<f64>() {
                Ok(loss) => format!("{}\u{a0}{loss:.2}", gene[row]),
                Err(_) => gene[row].clone(),
            });
            Cell::text(pairs.collect::<Vec<_>>().join(", "))
        };
        return Ok(Some((Column::words("Stand-ins (loss)"), (0..ids.len()).map(cell).collect())));
    }
    let rows: Option<Vec<usize>> = ids.iter().map(|id| places.get(id.as_str()).copied()).collect();
    let Some(rows) = rows else { return Ok(None) };
    let left_out = left_out(&run.folder.join("landmarks.tsv"))?;
    report(Event::Started { task: "looking for stand-ins".into(), total: None, unit: "landmarks" });
    let copies = Copies::of_store(store, run.config.seed);
    let mut may: Vec<bool> = genes.ids.iter().map(|id| !left_out.contains(id)).collect();
    rows.iter().for_each(|gene| may[*gene] = false);
    let near = |gene: &usize| {
        let found = copies.nearest(*gene, MOST, |other| may[other]);
        let told = found
            .into_iter()
            .map(|(other, r)| format!("{}\u{a0}{r:.2}", short(genes, other)).replace('-', "−"));
        Cell::text(told.collect::<Vec<_>>().join(", "))
    };
    let cells = rows.par_iter().map(near).collect();
    report(Event::Finished);
    Ok(Some((Column::words("Stand-ins (r)"), cells)))
}

/// How often each landmark came out again.
fn again(run: &Run, ids: &[String]) -> Result<Option<Filled>> {
    let Some(sheet) = run.sheet("stability", "stability.tsv")? else { return Ok(None) };
    let (Some(genes), Some(share)) = (sheet.column("gene_id"), sheet.column("share")) else {
        return Ok(None);
    };
    let known: HashMap<&String, f64> = genes
        .fields
        .iter()
        .zip(&share.fields)
        .filter_map(|(id, share)| Some((id, share.parse().ok()?)))
        .collect();
    let cell = |id: &String| Cell::number(known.get(id).map(|share| 100.0 * share));
    Ok(Some((Column::numbers("Chosen again, %", 0), ids.iter().map(cell).collect())))
}

/// The lists that stand beside the run's own.
fn others(run: &Run) -> Option<Block> {
    let lists = (Layout { config: run.config }).lists();
    let told = lists.iter().skip(1).map(|list| {
        let name = super::file_name(&list.path);
        format!("{} (lists/{name}, strategy {})", list.name, word(list.options.strategy()))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| Block::Note(format!("Beside it: {}.", told.join(", "))))
}

fn stability(run: &Run) -> Vec<Fact> {
    let Some(facts) = &run.summary.repeated else { return Vec::new() };
    let three = |x: Option<f64>| x.map_or_else(|| "undefined".into(), |x| format!("{x:.3}"));
    let nogueira = facts.nogueira.map_or_else(
        || "nothing to choose".into(),
        |found| {
            format!(
                "{:.3} ({:.3} to {:.3}); 1 for equal lists, 0 for chance",
                found.stability, found.interval.0, found.interval.1
            )
        },
    );
    vec![
        Fact::new(
            "Repeats",
            format!("{} over {}, {} genes free to choose", facts.repeats, facts.over(), facts.free),
        ),
        Fact::new("Stability", nogueira),
        Fact::new("Near copies as one", three(facts.with_copies)),
        Fact::new(
            "Kuncheva's index",
            format!("{} on average, {} at least", three(facts.kuncheva.mean), three(facts.kuncheva.min)),
        ),
        Fact::new(
            "Chosen",
            format!(
                "{} genes always, {} ever, of those free to choose",
                facts.always_chosen, facts.ever_chosen
            ),
        ),
    ]
}
