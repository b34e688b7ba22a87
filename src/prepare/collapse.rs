//! Probes → genes.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rows::Rows;
use super::{Fit, Fitted};
use crate::error::{Error, Result};
use crate::genes::{Kind, MapSettings, Multi, ProbeMap, Table};
use crate::progress::{Event, Reporter};

/// What stands for a gene that several probes measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// Makes genes of probes by a map. Genes come in the order of their first probe; columns in which all probes of a gene agree
/// are kept.
///
/// # Errors
/// Those of [`ProbeMap::read`]; [`Error::Usage`] for shares of probes where there is no mean.
pub(super) fn collapse(rows: &Rows, map: &MapSettings, by: CollapseBy, report: Reporter) -> Result<Fit> {
    if map.multi == Multi::Average && by != CollapseBy::Mean {
        let message = "--multi average is for --collapse-by mean; --multi all lets such a probe stand for each of its genes";
        return Err(Error::Usage(message.into()));
    }
    let probes = rows.genes();
    let read = ProbeMap::read(map, &probes.ids, report)?;
    let Members { ids, members, weights } = Members::of(&read.genes, map.multi);
    if members.is_empty() {
        let message =
            format!("has no gene for any of the probes that are in {}, in {}", rows.name(), read.column);
        return Err(Error::input(&map.path, message));
    }
    let mapped = read.genes.iter().filter(|genes| !genes.is_empty()).count();
    report(Event::Note(format!(
        "{mapped} of {} probes measure {} genes; {} probes without a gene are left out",
        probes.len(),
        members.len(),
        probes.len() - mapped
    )));
    let record = json!({ "collapse_probes": {
        "map": map.path.display().to_string(), "column": read.column, "multi": map.multi, "by": by,
        "probes": probes.len(), "mapped": mapped, "genes": members.len(),
    }});

    let mut collapsed = gene_table(ids, &members, probes);
    if read.kind == Some(Kind::Symbol) {
        collapsed.set_column("symbol", collapsed.ids.clone());
    }
    let by_probe = match by {
        CollapseBy::Mean => {
            let fitted = Fitted::Average { genes: members, weights };
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

/// The genes of probes.
#[derive(Default)]
struct Members {
    ids: Vec<String>,
    /// Of each gene the places of its probes.
    members: Vec<Vec<usize>>,
    /// And what each of them counts in the gene's mean; nothing where all count the same.
    weights: Vec<Vec<f64>>,
}

impl Members {
    fn of(genes: &[Vec<String>], multi: Multi) -> Members {
        let (mut found, mut positions) = (Members::default(), HashMap::new());
        for (probe, genes) in genes.iter().enumerate() {
            for gene in genes {
                let at = *positions.entry(gene).or_insert(found.members.len());
                if at == found.members.len() {
                    found.ids.push(gene.clone());
                    found.members.push(Vec::new());
                    found.weights.push(Vec::new());
                }
                found.members[at].push(probe);
                found.weights[at].push(1.0 / genes.len() as f64);
            }
        }
        if multi != Multi::Average {
            found.weights.clear();
        }
        found
    }
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
