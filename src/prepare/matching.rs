//! The genes of another list or store, in its order and under its ids.

use std::collections::HashMap;
use std::path::Path;

use serde_json::json;

use super::Fit;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};
use crate::select::GeneList;
use crate::store::{Store, is_store};

/// Missing genes that a message names.
const NAMED: usize = 5;

/// Keeps the genes of `reference` (a store, or a list as [`GeneList::open`] reads it), in its order and under
/// its ids; the ids they had stay in the column `source_id`. A listed gene that the store lacks is an error
/// unless `drop_missing`.
///
/// # Errors
/// [`Error::Data`] for missing genes, for a listed gene that is several of the store's, or the reverse.
pub(super) fn match_genes(
    rows: &Rows,
    reference: &Path,
    drop_missing: bool,
    report: Reporter,
) -> Result<Fit> {
    let name = reference.display().to_string();
    let list = match is_store(reference) {
        true => GeneList::of_table(&name, Store::open_unchecked(reference)?.genes()),
        false => GeneList::open(&name)?,
    };
    let genes = rows.genes();
    let located = list.locate(genes)?;
    let (ids, column, path) = (&located.ids, &located.column, rows.name());

    let missing: Vec<&str> =
        ids.iter().zip(&located.rows).filter(|(_, r)| r.is_empty()).map(|(id, _)| id.as_str()).collect();
    if !missing.is_empty() && !drop_missing {
        let named = missing[..missing.len().min(NAMED)].join(", ");
        let more = if missing.len() > NAMED { ", …" } else { "" };
        return Err(Error::Data(format!(
            "{path}: {} of {} genes of {name} are missing (looked in {column}): {named}{more}; pass \
             --missing-genes drop to go on without them",
            missing.len(),
            ids.len()
        )));
    }
    let (mut places, mut kept) = (Vec::new(), Vec::new());
    let mut taken: HashMap<usize, &str> = HashMap::new();
    for (id, rows) in ids.iter().zip(&located.rows) {
        match rows[..] {
            [] => {}
            [place] => {
                if let Some(other) = taken.insert(place, id) {
                    return Err(Error::Data(format!(
                        "{name}: {other} and {id} are both {} of {path} (matched by {column}); remove one",
                        genes.ids[place]
                    )));
                }
                places.push(place);
                kept.push(id.clone());
            }
            _ => {
                let several: Vec<&str> = rows.iter().map(|place| genes.ids[*place].as_str()).collect();
                return Err(Error::Data(format!(
                    "{path}: {} of its genes ({}) are {id} of {name} (matched by {column}); collapse them \
                     first (--collapse-probes) or list them by id",
                    rows.len(),
                    several.join(", ")
                )));
            }
        }
    }
    report(Event::Note(format!(
        "{} of {} genes of {name} matched by {column}; {} of {path} are left out",
        kept.len(),
        ids.len(),
        genes.len() - kept.len()
    )));
    let record = json!({ "match_genes": {
        "list": name, "column": column, "listed": ids.len(), "matched": kept.len(), "missing": missing.len(),
    }});

    let mut table = genes.select(&places);
    let source = std::mem::replace(&mut table.ids, kept);
    if source != table.ids {
        table.set_column("source_id", source);
    }
    Ok(Fit::pick(table, places, record))
}
