//! Every gene: how well it is inferred, and what the network says of it.

use std::collections::HashMap;

use super::{Run, short};
use crate::error::Result;
use crate::genes::Sheet;
use crate::report::{Block, Cell, Column, Section, Table};

pub fn section(run: &Run) -> Result<Option<Section>> {
    let Some(table) = table(run)? else { return Ok(None) };
    let text =
        "Look up a gene: whether it is a landmark, else how well the landmarks tell it in held-out samples.";
    Ok(Section::new("genes", "Genes", vec![Block::Text(text.into()), Block::Table(table)]))
}

/// A column's number by the gene's id.
fn numbers(sheet: Option<&Sheet>, name: &str) -> HashMap<String, f64> {
    let columns = sheet.and_then(|sheet| Some((sheet.column("gene_id")?, sheet.column(name)?)));
    let Some((ids, values)) = columns else { return HashMap::new() };
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

fn table(run: &Run) -> Result<Option<Table>> {
    let Some(store) = &run.train else { return Ok(None) };
    let genes = store.genes();
    let (evaluated, scores) =
        (run.sheet("evaluate", "evaluation/genes.tsv")?, run.sheet("attribute", "scores.tsv")?);
    let known = [
        ("Landmark", 0, run.landmarks.as_ref().map(|sheet| numbers(Some(sheet), "rank"))),
        ("R² from landmarks", 3, inferred(run)),
        ("R² by the network", 3, evaluated.as_ref().map(|sheet| numbers(Some(sheet), "r2"))),
        ("Rank by score", 0, scores.as_ref().map(|sheet| numbers(Some(sheet), "rank"))),
    ];
    let known: Vec<_> =
        known.into_iter().filter_map(|(title, digits, of)| Some((title, digits, of?))).collect();
    if known.is_empty() {
        return Ok(None);
    }
    let has_symbols = genes.column("symbol").is_some();
    let row = |gene: usize| {
        let id = &genes.ids[gene];
        let symbol = has_symbols.then(|| Cell::text(short(genes, gene)));
        let figures = known.iter().map(|(_, _, of)| Cell::number(of.get(id).copied()));
        symbol.into_iter().chain([Cell::text(id.as_str())]).chain(figures).collect()
    };
    let mut rows: Vec<Vec<Cell>> = (0..genes.len()).map(row).collect();
    // the best inferred first, or what else there is, as ranks go
    let names = 1 + usize::from(has_symbols);
    let by = known.iter().position(|(title, ..)| title.starts_with("R²"));
    match by {
        Some(by) => rows.sort_by(|a, b| {
            order(&b[names + by], f64::NEG_INFINITY).total_cmp(&order(&a[names + by], f64::NEG_INFINITY))
        }),
        None => {
            rows.sort_by(|a, b| order(&a[names], f64::INFINITY).total_cmp(&order(&b[names], f64::INFINITY)))
        }
    }
    let names = has_symbols.then(|| Column::words("Gene")).into_iter().chain([Column::words("Id")]);
    let figures = known.iter().map(|(title, digits, _)| Column::numbers(title, *digits));
    let caption = match (&run.served, &run.predictor) {
        (Some(_), _) => "R² from landmarks: in the held-out samples, by the predictor.",
        (None, Some(_)) => "R² from landmarks: in folds of the training samples, by the predictor.",
        _ => "",
    };
    Ok(Some(Table {
        id: "genes",
        title: "All genes".into(),
        caption: caption.into(),
        columns: names.chain(figures).collect(),
        rows,
        shown: 12,
    }))
}

/// A number, or what stands for one that is missing.
fn order(cell: &Cell, missing: f64) -> f64 {
    match cell {
        Cell::Number(x) => *x,
        _ => missing,
    }
}
