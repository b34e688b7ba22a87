//! Probes → genes.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rows::Rows;
use super::{Fit, Fitted};
use crate::error::{Error, Result};
use crate::genes::Column;
use crate::progress::{Event, Reporter};
use crate::store::Table;

/// What stands for a gene that several probes measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CollapseBy {
    /// The mean over its probes
    #[default]
    Mean,
    /// Its probe of largest variance over the samples, the first of equals
    MaxVariance,
    /// Its probe of largest mean over the samples, the first of equals
    MaxMean,
}

/// Makes genes of probes. `map` is a table of probe ids (first column) and gene ids (column `gene_id`, else the
/// second). Genes come in the order of their first probe; columns in which all probes of a gene agree are kept.
///
/// # Errors
/// [`Error::Input`] for a map without a column of genes, or of which no probe is in the store.
pub(super) fn collapse(rows: &Rows, map: &Path, by: CollapseBy, report: Reporter) -> Result<Fit> {
    let table = Table::read(map, Column::names_probes, report)?;
    let genes = table.column("gene_id").filter(|_| table.key != "gene_id");
    let genes = genes.or(table.columns.first().map(|(_, fields)| fields.as_slice())).ok_or_else(|| {
        Error::input(map, "has one column; a table of probe ids and gene ids is needed (probe_id, gene_id)")
    })?;
    let gene_of: HashMap<&str, &str> = table
        .ids
        .iter()
        .zip(genes)
        .filter(|(_, gene)| !gene.is_empty())
        .map(|(probe, gene)| (probe.as_str(), gene.as_str()))
        .collect();

    let probes = rows.genes();
    let (mut ids, mut members, mut positions) = (Vec::new(), Vec::<Vec<usize>>::new(), HashMap::new());
    for (place, probe) in probes.ids.iter().enumerate() {
        let Some(gene) = gene_of.get(probe.as_str()) else { continue };
        let at = *positions.entry(*gene).or_insert(members.len());
        if at == members.len() {
            ids.push(gene.to_string());
            members.push(Vec::new());
        }
        members[at].push(place);
    }
    if members.is_empty() {
        let example = |ids: &[String]| ids.first().cloned().unwrap_or_default();
        return Err(Error::input(
            map,
            format!(
                "none of its probes is in {}: it has ids such as {:?}, the store {:?}",
                rows.name(),
                example(&table.ids),
                example(&probes.ids)
            ),
        ));
    }
    let mapped: usize = members.iter().map(Vec::len).sum();
    report(Event::Note(format!(
        "{mapped} of {} probes measure {} genes; {} probes without a gene are left out",
        probes.len(),
        members.len(),
        probes.len() - mapped
    )));
    let record = json!({ "collapse_probes": {
        "map": map.display().to_string(), "by": by, "probes": probes.len(), "mapped": mapped, "genes": members.len(),
    }});

    let collapsed = gene_table(ids, &members, probes);
    let by_probe = match by {
        CollapseBy::Mean => {
            let fitted = Fitted::Average { genes: members };
            return Ok(Fit { fitted, genes: Some(collapsed), kept: None, record });
        }
        CollapseBy::MaxVariance => rows.moments("variances", report)?.sd,
        CollapseBy::MaxMean => rows.moments("means", report)?.mean,
    };
    let best = |members: &Vec<usize>| {
        members.iter().copied().reduce(|best, next| if by_probe[next] > by_probe[best] { next } else { best })
    };
    Ok(Fit::pick(collapsed, members.iter().filter_map(best).collect(), record))
}

/// Genes with the columns in which their probes agree, `entrez` where all ids are numbers, and `probes`.
fn gene_table(ids: Vec<String>, members: &[Vec<usize>], probes: &Table) -> Table {
    let mut genes = Table::new("gene_id", ids);
    for (name, fields) in &probes.columns {
        let agreed = members.iter().map(|members| {
            let field = &fields[members[0]];
            let same = members.iter().all(|place| fields[*place] == *field);
            if same { field.clone() } else { String::new() }
        });
        genes.set_column(name, agreed.collect());
    }
    if genes.ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_digit())) {
        genes.set_column("entrez", genes.ids.clone());
    }
    let names = members.iter().map(|members| {
        let ids: Vec<&str> = members.iter().map(|place| probes.ids[*place].as_str()).collect();
        ids.join(",")
    });
    genes.set_column("probes", names.collect());
    genes
}
