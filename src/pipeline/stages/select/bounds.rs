//! Which genes may be landmarks: what lists and other stores say, as options name them.

use std::collections::HashSet;
use std::path::Path;

use super::Options;
use crate::compare::places;
use crate::error::{Error, Result};
use crate::genes::{Ambiguous, Finder, Side, Table, shown};
use crate::nouns::counted;
use crate::progress::Reporter;
use crate::store::Store;

/// Refuses more landmarks than the genes that options leave, and says which options those are.
pub(super) fn refuse_more(options: &Options, genes: &Table, n: usize, exclude: &[usize]) -> Result<()> {
    let out = exclude.iter().collect::<HashSet<_>>().len();
    let free = genes.len() - out;
    if out == 0 || n <= free {
        return Ok(());
    }
    let lists = options.exclude.iter().map(|list| format!("--exclude {list}"));
    let stores =
        options.measured_in.iter().map(|store| format!("--measured-in {store} (genes that it lacks)"));
    let by: Vec<String> = lists.chain(stores).collect();
    let is = |n: usize| if n == 1 { "is" } else { "are" };
    let few = if free == 0 { "none".into() } else { format!("only {free}") };
    Err(Error::Data(format!(
        "{} {} wanted, but {few} of {} may be chosen: {out} {} left out by {}",
        counted(n, "landmark"),
        is(n),
        counted(genes.len(), "gene"),
        is(out),
        by.join(" and ")
    )))
}

/// The genes to include and to exclude, as rows of the genes.
pub(in crate::pipeline::stages) fn lists(
    options: &Options,
    side: &Side,
    force: bool,
    report: Reporter,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let matching = options.matching.matching();
    let finder = Finder::new(&matching, force, report)?;
    let rows = |lists: &[String], rule: Option<Ambiguous>| -> Result<Vec<usize>> {
        let found = lists.iter().map(|list| Ok(finder.list(list, side, rule)?.rows()));
        found.collect::<Result<Vec<_>>>().map(|rows| rows.concat())
    };
    // What must not be chosen must not be by any of its probes.
    let mut excluded = rows(&options.exclude, Some(Ambiguous::All))?;
    let stores = options.measured_in.iter().map(|path| Store::open_unchecked(Path::new(path)));
    let places = places(&finder, side, &stores.collect::<Result<Vec<_>>>()?)?;
    let included = rows(&options.include, None)?;
    for (path, at) in options.measured_in.iter().zip(&places) {
        if let Some(gene) = included.iter().find(|gene| at[**gene].is_none()) {
            let name = shown(side.genes, *gene);
            return Err(Error::Data(format!("{name} is to be included, but {path} does not measure it")));
        }
    }
    excluded.extend((0..side.genes.len()).filter(|gene| places.iter().any(|at| at[*gene].is_none())));
    Ok((included, excluded))
}
