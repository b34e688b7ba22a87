//! Store → store: normalise, collapse probes, match genes, scale, split.

pub mod bootstrap;
mod collapse;
mod matching;
mod quantile;
mod rows;
pub mod split;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub use collapse::CollapseBy;
use rows::Rows;

use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};
use crate::store::{InputFile, Origin, Store, StoreWriter, atomic, is_store};

/// One thing done to a whole store. A new one is a variant here, its arm in `Step::add` (a fit where it needs one,
/// then a map from row to row) and its option in `cli/prepare.rs`.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// ln(1 + x); negative values are refused.
    Log1p,
    /// log2(1 + x); negative values are refused.
    Log2p1,
    /// Every sample gets the mean sorted profile of all; equal values get the mean over the ranks they share.
    QuantileNormalize,
    /// Probes become genes by a table of probe and gene ids.
    CollapseProbes {
        /// The table, `probe_id gene_id`.
        map: PathBuf,
        /// What stands for a gene of several probes.
        by: CollapseBy,
    },
    /// Exactly the genes of a list or another store, in its order, under its ids.
    MatchGenes {
        /// A list, or a store.
        reference: PathBuf,
        /// Go on without listed genes that the store lacks.
        drop_missing: bool,
    },
    /// Each sample's values take the quantiles of another store's mean sorted profile, by dense rank (Chen et al. 2016).
    MapQuantiles {
        /// The store whose distribution is taken.
        reference: PathBuf,
    },
    /// Genes whose standard deviation (n in the denominator) is below this are dropped.
    MinSd(f64),
    /// (x − mean)/sd by gene; a constant gene becomes 0.
    Zscore,
}

/// Applies `steps` in the given order and writes the result to `out`, with each step and its counts in
/// `store.json`. A step that depends on all samples costs one more pass over `store`; memory is a block of rows.
///
/// # Errors
/// [`Error::Usage`] for no steps or parameters out of range; files of a step that cannot be read; data that a step
/// cannot be applied to; an output that exists.
pub fn prepare(store: &Store, out: &Path, steps: &[Step], force: bool, report: Reporter) -> Result<Store> {
    let Some((first, rest)) = steps.split_first() else {
        return Err(Error::Usage("nothing to do: name a step, such as --zscore".into()));
    };
    atomic::check_free(out, force)?;
    let mut rows = Rows::of(store);
    let mut inputs: Vec<InputFile> = first.input()?.into_iter().collect();
    let mut origin = Origin::derived(store, first.add(&mut rows, report)?);
    for step in rest {
        inputs.extend(step.input()?);
        origin.transforms.push(step.add(&mut rows, report)?);
    }
    origin.inputs.append(&mut inputs);
    let genes = rows.genes().clone();
    let mut writer = StoreWriter::create(out, genes.len(), store.element(), force)?;
    rows.blocks("writing", report, |block| writer.push_rows(block))?;
    writer.finish(genes, store.samples().clone(), origin)
}

impl Step {
    /// The file that the step reads.
    fn input(&self) -> Result<Option<InputFile>> {
        let (path, format) = match self {
            Step::CollapseProbes { map, .. } => (map, "probe map"),
            Step::MatchGenes { reference, .. } | Step::MapQuantiles { reference } => (reference, "gene list"),
            _ => return Ok(None),
        };
        if is_store(path) {
            return Ok(Some(InputFile::of_store(&Store::open_unchecked(path)?)));
        }
        // The bundled panel is no file.
        if path.exists() { InputFile::of(path, format).map(Some) } else { Ok(None) }
    }

    /// Fits the step and adds it to the rows; returns what `store.json` says of it.
    fn add(&self, rows: &mut Rows, report: Reporter) -> Result<Value> {
        Ok(match self {
            Step::Log1p => {
                logarithm(rows, f64::ln_1p);
                json!({ "log1p": {} })
            }
            Step::Log2p1 => {
                logarithm(rows, |x| x.ln_1p() / std::f64::consts::LN_2);
                json!({ "log2p1": {} })
            }
            Step::QuantileNormalize => {
                let profile = quantile::profile(rows, report)?;
                rows.then(move |row| {
                    quantile::normalize(row, &profile);
                    Ok(())
                });
                json!({ "quantile_normalize": { "ties": "mean" } })
            }
            Step::CollapseProbes { map, by } => {
                json!({ "collapse_probes": collapse::collapse(rows, map, *by, report)? })
            }
            Step::MatchGenes { reference, drop_missing } => {
                json!({ "match_genes": matching::match_genes(rows, reference, *drop_missing, report)? })
            }
            Step::MapQuantiles { reference } => map_quantiles(rows, reference, report)?,
            Step::MinSd(least) => min_sd(rows, *least, report)?,
            Step::Zscore => zscore(rows, report)?,
        })
    }
}

fn logarithm(rows: &mut Rows, log: fn(f64) -> f64) {
    let genes = rows.genes().ids.clone();
    rows.then(move |row| match row.iter().position(|x| *x < 0.0) {
        None => {
            row.iter_mut().for_each(|x| *x = log(f64::from(*x)) as f32);
            Ok(())
        }
        Some(gene) => Err(format!(
            "{} of gene {:?} is negative, so these are no counts or intensities; leave out --log1p and \
             --log2p1 where the values are logarithms already",
            row[gene], genes[gene]
        )),
    });
}

fn map_quantiles(rows: &mut Rows, reference: &Path, report: Reporter) -> Result<Value> {
    let store = Store::open(reference)?;
    let genes = store.genes().positions();
    let common = rows.genes().ids.iter().filter(|id| genes.contains_key(id.as_str())).count();
    if common < rows.genes().len() || common < genes.len() {
        report(Event::Warning(format!(
            "{} has {} genes, of which {common} are among the {} to be mapped; distributions are best compared over the \
             same genes (--match-genes)",
            reference.display(),
            genes.len(),
            rows.genes().len()
        )));
    }
    let profile = quantile::profile(&mut Rows::of(&store), report)?;
    let recorded = json!({ "map_quantiles": {
        "reference": reference.display().to_string(), "profile": "mean of sorted samples", "quantiles": profile.len(),
    }});
    rows.then(move |row| {
        quantile::map(row, &profile);
        Ok(())
    });
    Ok(recorded)
}

fn min_sd(rows: &mut Rows, least: f64, report: Reporter) -> Result<Value> {
    if !(least.is_finite() && least >= 0.0) {
        return Err(Error::Usage(format!("--min-sd {least} must be a number of at least 0")));
    }
    let sd = rows.moments("standard deviations", report)?.sd;
    let kept: Vec<usize> = (0..sd.len()).filter(|gene| sd[*gene] >= least).collect();
    if kept.is_empty() {
        let largest = sd.iter().copied().fold(0.0, f64::max);
        return Err(Error::Data(format!(
            "{}: no gene has a standard deviation of {least} or more, the largest is {largest}; lower --min-sd",
            rows.store().path().display()
        )));
    }
    let dropped = sd.len() - kept.len();
    report(Event::Note(format!("{dropped} of {} genes have a standard deviation below {least}", sd.len())));
    let genes = rows.genes().select(&kept);
    rows.pick(genes, kept);
    Ok(json!({ "min_sd": { "least": least, "dropped": dropped } }))
}

fn zscore(rows: &mut Rows, report: Reporter) -> Result<Value> {
    if rows.store().n_samples() < 2 {
        let path = rows.store().path().display();
        return Err(Error::Data(format!("{path}: has one sample; z-scores need at least two")));
    }
    let moments = rows.moments("means and standard deviations", report)?;
    let constant = moments.sd.iter().filter(|sd| **sd == 0.0).count();
    if constant > 0 {
        report(Event::Warning(format!("{constant} genes have one value in all samples; they become 0")));
    }
    rows.then(move |row| {
        for ((x, mean), sd) in row.iter_mut().zip(&moments.mean).zip(&moments.sd) {
            *x = if *sd > 0.0 { ((f64::from(*x) - mean) / sd) as f32 } else { 0.0 };
        }
        Ok(())
    });
    Ok(json!({ "zscore": { "constant_genes": constant } }))
}
