//! Every gene: how well it is inferred, and what the network says of it.

use std::collections::HashMap;

use super::{Run, short};
use crate::error::Result;
use crate::genes::Sheet;
use crate::report::{Block, Cell, Column, Section, Table};

/// Genes in the table at most: a page is to stay under 5 MB.
const MOST: usize = 40_000;

pub fn section(run: &Run) -> Result<Option<Section>> {
    let Some(table) = table(run)? else { return Ok(None) };
    let text =
        "Look up a gene: whether it is a landmark, else how well the landmarks tell it in held-out samples.";
    Ok(Section::new("genes", "Genes", vec![Block::Text(text.into()), Block::Table(table)]))
}

/// A column's number by the gene's id.
fn numbers(sheet: &Sheet, name: &str) -> HashMap<String, f64> {
    let Some((ids, values)) = sheet.column("gene_id").zip(sheet.column(name)) else { return HashMap::new() };
    let parsed =
        ids.fields.iter().zip(&values.fields).filter_map(|(id, x)| Some((id.clone(), x.parse().ok()?)));
    parsed.collect()
}

/// R² of the genes that are inferred: in the held-out samples, else in folds of the training samples.
fn inferred(run: &Run) -> Option<HashMap<String, f64>> {
    let predictor = run.predictor.as_ref()?;
    let r2: Vec<Option<f64>> = match (&run.served, predictor.held_out()) {
        (Some(served), _) => served.r2.clone(),
        (None, Some(held_out)) => held_out.r2.iter().map(|r2| Some(f64::from(*r2))).collect(),
        (None, None) => return None,
    };
    Some(predictor.targets().iter().cloned().zip(r2).filter_map(|(id, r2)| Some((id, r2?))).collect())
}

/// A column: how it is called, the digits of its numbers, and those by the genes' ids.
type Known = (&'static str, usize, HashMap<String, f64>);

/// What is known of genes.
fn known(run: &Run) -> Result<Vec<Known>> {
    let evaluated = run.sheet("evaluate", "evaluation/genes.tsv")?;
    let scores = run.sheet("attribute", "scores.tsv")?;
    let known = [
        ("Landmark", 0, run.landmarks.as_ref().map(|sheet| numbers(sheet, "rank"))),
        ("R² from landmarks", 3, inferred(run)),
        ("R² by the network", 3, evaluated.as_ref().map(|sheet| numbers(sheet, "r2"))),
        ("Rank by score", 0, scores.as_ref().map(|sheet| numbers(sheet, "rank"))),
    ];
    Ok(known.into_iter().filter_map(|(title, digits, of)| Some((title, digits, of?))).collect())
}

/// The genes in order: the best inferred first, or what else there is, as ranks go.
fn in_order(ids: &[String], known: &[Known]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    let best = known.iter().find(|(title, ..)| title.starts_with("R²"));
    let Some((title, _, by)) = best.or(known.first()) else { return order };
    let sign = if title.starts_with("R²") { -1.0 } else { 1.0 };
    let place = |gene: &usize| by.get(&ids[*gene]).map_or(f64::INFINITY, |x| sign * x);
    order.sort_by(|a, b| place(a).total_cmp(&place(b)));
    order
}

fn table(run: &Run) -> Result<Option<Table>> {
    let known = known(run)?;
    let Some(store) = run.train.as_ref().filter(|_| !known.is_empty()) else { return Ok(None) };
    let genes = store.genes();
    let has_symbols = genes.column("symbol").is_some();
    let row = |gene: &usize| {
        let id = &genes.ids[*gene];
        let symbol = has_symbols.then(|| Cell::text(short(genes, *gene)));
        let figures = known.iter().map(|(_, _, of)| Cell::number(of.get(id).copied()));
        symbol.into_iter().chain([Cell::text(id.as_str())]).chain(figures).collect()
    };
    let names = has_symbols.then(|| Column::words("Gene")).into_iter().chain([Column::words("Id")]);
    let figures = known.iter().map(|(title, digits, _)| Column::numbers(title, *digits));
    Ok(Some(Table {
        id: "genes",
        title: if genes.len() > MOST {
            format!("The first {MOST} of {} genes", genes.len())
        } else {
            "All genes".into()
        },
        caption: caption(run).into(),
        columns: names.chain(figures).collect(),
        rows: in_order(&genes.ids, &known).iter().take(MOST).map(row).collect(),
        shown: 12,
    }))
}

fn caption(run: &Run) -> &'static str {
    match (&run.served, &run.predictor) {
        (Some(_), _) => "R² from landmarks: in the held-out samples, by the predictor.",
        (None, Some(_)) => "R² from landmarks: in folds of the training samples, by the predictor.",
        _ => "",
    }
}
