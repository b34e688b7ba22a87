//! The genes of another list or store, in its order and under its ids.

use std::collections::HashMap;
use std::path::Path;

use serde_json::json;

use super::Fit;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::genes::{Ambiguous, Finder, Matching, Side, shorten};
use crate::progress::Reporter;
use crate::store::{Store, is_store};

/// Keeps the genes of `reference` (a store, or a list as [`crate::genes::GeneList::open`] reads it), in its order and under
/// its ids; the ids they had stay in the column `source_id`. A listed gene that the store lacks is an error
/// unless `drop_missing`.
///
/// # Errors
/// [`Error::Data`] for missing genes, for a listed gene that is several of the store's, or the reverse; [`Error::Usage`] where
/// one gene is to be several.
pub(super) fn match_genes(
    rows: &Rows,
    reference: &Path,
    drop_missing: bool,
    matching: &Matching,
    report: Reporter,
) -> Result<Fit> {
    if matching.rule() == Ambiguous::All {
        return Err(Error::Usage(
            "--match-genes gives every listed gene one row; --ambiguous all gives it several".into(),
        ));
    }
    let (name, path, genes) = (reference.display().to_string(), rows.name(), rows.genes());
    let (found, by) = find(reference, &Side { name: &path, ..rows.side() }, matching, report)?;
    let missing: Vec<&String> = found.iter().filter(|(_, rows)| rows.is_empty()).map(|(id, _)| id).collect();
    if !missing.is_empty() && !drop_missing {
        return Err(Error::Data(format!(
            "{path}: {} of {} genes of {name} are missing (looked for by {by}): {}; pass --missing-genes drop to go on without \
             them",
            missing.len(),
            found.len(),
            shorten(missing.iter().map(|id| id.to_string()))
        )));
    }
    let (mut places, mut kept) = (Vec::new(), Vec::new());
    let mut taken: HashMap<usize, &str> = HashMap::new();
    for (id, place) in found.iter().filter_map(|(id, rows)| Some((id, *rows.first()?))) {
        if let Some(other) = taken.insert(place, id) {
            return Err(Error::Data(format!(
                "{name}: {other} and {id} are both {} of {path} (matched by {by}); remove one",
                genes.ids[place]
            )));
        }
        places.push(place);
        kept.push(id.clone());
    }
    let record = json!({ "match_genes": {
        "list": name, "column": by, "listed": found.len(), "matched": kept.len(), "missing": missing.len(),
    }});

    let mut table = genes.select(&places);
    let source = std::mem::replace(&mut table.ids, kept);
    if source != table.ids {
        table.set_column("source_id", source);
    }
    Ok(Fit::pick(table, places, record))
}

/// The reference's genes under its ids, each with the rows that it is; and what most were found by.
#[allow(clippy::type_complexity)]
fn find(
    reference: &Path,
    side: &Side,
    matching: &Matching,
    report: Reporter,
) -> Result<(Vec<(String, Vec<usize>)>, String)> {
    let name = reference.display().to_string();
    let finder = Finder::new(matching, true, report)?;
    if !is_store(reference) {
        let found = finder.list(&name, side, None)?;
        return Ok((found.genes, found.by));
    }
    let store = Store::open_unchecked(reference)?;
    let joined = finder.stores(&Side::of_store(&name, &store), side, usize::MAX)?;
    Ok((store.genes().ids.iter().cloned().zip(joined.rows).collect(), joined.way.to_string()))
}
