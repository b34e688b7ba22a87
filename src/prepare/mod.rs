//! Store → store: normalise, collapse probes, match genes, filter, drop duplicates, scale, split.
//!
//! A [`Step`] is what a user asks for. Fitted to samples it is a map from row to row with everything that it
//! learned, kept in the store that it makes (`prepare.json`), so that new data can take the same steps unchanged
//! ([`prepare_like`]).

pub mod bootstrap;
mod collapse;
mod dedup;
mod filters;
mod fitted;
pub(crate) mod kmeans;
mod matching;
mod quantile;
mod rows;
mod scale;
pub mod split;
mod twice;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub use collapse::CollapseBy;
pub use dedup::DedupSettings;
pub use filters::GeneType;
use fitted::{Fitted, Parameters};
pub use quantile::Rule as QuantileRule;
use rows::Rows;

use crate::error::{Error, Result};
use crate::genes::{Labels, MapSettings, Matching, Table};
use crate::progress::{Event, Reporter};
use crate::store::remembered::LEARNED;
use crate::store::{InputFile, Layout, Origin, Store, StoreWriter, atomic, is_store};

/// One thing done to a whole store. A new one is a variant here, its arm in `Step::fit`, what it does to a row in
/// `fitted.rs`, and its option in `cli/prepare.rs`.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Genes of these types, by symbol, are dropped.
    Exclude(Vec<GeneType>),
    /// Genes with a value above `threshold` in a smaller share of the samples are dropped.
    MinDetected {
        /// Least share of the samples, in (0, 1].
        share: f64,
        /// A value above it is detected.
        threshold: f64,
    },
    /// Every sample of counts is scaled to one sum: this one, or the median of the samples' sums.
    LibrarySize(Option<f64>),
    /// ln(1 + x); negative values are refused.
    Log1p,
    /// log2(1 + x); negative values are refused.
    Log2p1,
    /// Every sample gets the mean sorted profile of all; the rule says what equal values get.
    QuantileNormalize(QuantileRule),
    /// One straight line for all values takes the smallest and the largest to these.
    Range([f64; 2]),
    /// Samples that are near copies of an earlier one are dropped.
    Dedup(DedupSettings),
    /// Genes get symbols, Entrez ids and further columns from a table.
    LabelGenes(PathBuf),
    /// Probes become genes by a map.
    CollapseProbes {
        /// The table, and what becomes of probes of several genes.
        map: MapSettings,
        /// What stands for a gene of several probes.
        by: CollapseBy,
    },
    /// Exactly the genes of a list or another store, in its order, under its ids.
    MatchGenes {
        /// A list, or a store.
        reference: PathBuf,
        /// Go on without listed genes that the store lacks.
        drop_missing: bool,
        /// How the names are matched.
        matching: Matching,
    },
    /// Each sample's values take the quantiles of another store's mean sorted profile, by dense rank (Chen et al. 2016).
    MapQuantiles {
        /// The store whose distribution is taken.
        reference: PathBuf,
    },
    /// Genes whose standard deviation (n in the denominator) is below this are dropped.
    MinSd(f64),
    /// (x − min)/(max − min) by gene; a constant gene becomes 0.
    MinMax,
    /// (x − mean)/(sd + offset) by gene; a constant gene becomes 0.
    Zscore {
        /// 0, or D-GEX's 1e-3.
        sd_offset: f64,
    },
}

/// A step fitted to samples.
struct Fit {
    fitted: Fitted,
    /// What describes the genes that it makes, where it changes them.
    genes: Option<Table>,
    /// The rows that it keeps, where it drops some.
    kept: Option<Vec<usize>>,
    /// What `store.json` says of it: an object of one key.
    record: Value,
}

impl Fit {
    /// A step that keeps genes and samples.
    fn map(fitted: Fitted, record: Value) -> Fit {
        Fit { fitted, genes: None, kept: None, record }
    }

    /// A step that keeps the given genes.
    fn pick(genes: Table, places: Vec<usize>, record: Value) -> Fit {
        Fit { fitted: Fitted::Pick { genes: places }, genes: Some(genes), kept: None, record }
    }
}

/// Applies `steps` in the given order and writes the result to `out`, with each step and its counts in
/// `store.json` and what it learned in `prepare.json`. A step that depends on all samples costs one more pass over
/// `store`; memory is a block of rows.
///
/// # Errors
/// [`Error::Usage`] for no steps or parameters out of range; files of a step that cannot be read; data that a step
/// cannot be applied to; an output that exists; [`Error::Device`] of a step that computes on one.
pub fn prepare(store: &Store, out: &Path, steps: &[Step], force: bool, report: Reporter) -> Result<Store> {
    let mut written = fit_and_write(&[store], &[out.to_path_buf()], steps, force, report)?;
    Ok(written.remove(0))
}

/// A store as it is, at another path.
///
/// # Errors
/// An output that exists, or cannot be written.
pub fn copy(store: &Store, out: &Path, force: bool) -> Result<Store> {
    let samples: Vec<usize> = (0..store.n_samples()).collect();
    let mut origin = store.info().origin.clone();
    origin.inputs = vec![InputFile::of_store(store)];
    split::write(store, out, &samples, store.samples().clone(), origin, force)
}

/// As [`prepare()`] of all samples of several stores at once: every step is fitted to all of them. Genes are those that
/// all stores have, by id. The results are `DIR/NAME.gex`, under the stores' names.
///
/// # Errors
/// As [`prepare()`]; [`Error::Usage`] for no store and for two of one name; [`Error::Data`] for stores without a common gene.
pub fn prepare_together(
    stores: &[&Store],
    dir: &Path,
    steps: &[Step],
    force: bool,
    report: Reporter,
) -> Result<Vec<Store>> {
    if stores.is_empty() {
        return Err(Error::Usage("there is no store to prepare; name at least one".into()));
    }
    if steps.is_empty() {
        return Err(nothing_to_do());
    }
    let paths: Vec<&Path> = stores.iter().map(|store| store.path()).collect();
    let outputs = atomic::Parts::new(dir, &names_together(&paths)?, force)?;
    outputs.write(|dir| {
        let outs: Vec<PathBuf> = names_together(&paths)?.iter().map(|name| dir.join(name)).collect();
        fit_and_write(stores, &outs, steps, false, report)
    })
}

/// What stores at `paths` are called when they are prepared together: their names, with `.gex` where it is not there.
///
/// # Errors
/// [`Error::Usage`] for two of one name.
pub fn names_together(paths: &[&Path]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for path in paths {
        let name = path.file_name().map_or("store".into(), |name| name.to_string_lossy().into_owned());
        let name = if name.ends_with(".gex") { name } else { format!("{name}.gex") };
        if names.contains(&name) {
            return Err(Error::Usage(format!(
                "two stores would become {name}; stores that are prepared together need different names"
            )));
        }
        names.push(name);
    }
    Ok(names)
}

/// Applies the steps that made the store `like`, with everything that they learned then, to `store`. Genes are matched
/// by id; the result has the genes of `like`. Samples are never dropped: duplicates stay.
///
/// # Errors
/// [`Error::Input`] where `like` was not made by [`prepare()`]; [`Error::Data`] for genes that `store` lacks and values
/// that a step cannot be applied to; an output that exists.
pub fn prepare_like(store: &Store, out: &Path, like: &Store, force: bool, report: Reporter) -> Result<Store> {
    let parameters = Parameters::of(like)?;
    atomic::check_free(out, force)?;
    let mut rows = Rows::with_genes(store, Table::new("gene_id", parameters.genes.clone()))?;
    let unused = store.n_genes() - parameters.genes.len();
    if unused > 0 {
        let like = like.path().display();
        report(Event::Note(format!("{unused} of {} genes are not among those of {like}", store.n_genes())));
    }
    for step in &parameters.steps {
        if let Fitted::Dedup { .. } = step {
            report(Event::Note("duplicates are not looked for in new data; all samples stay".into()));
        }
        if let Fitted::Log1p | Fitted::Log2p1 = step {
            twice::warn_of_second_logarithm(&rows, report);
        }
        rows.then(step.clone(), None);
    }
    rows.describe(like.genes().clone());
    let names: Vec<Value> = parameters.steps.iter().map(|step| json!(step)["step"].clone()).collect();
    let record = json!({ "like": { "store": like.path().display().to_string(), "steps": names } });
    let mut origin = Origin::derived(store, record);
    origin.inputs.push(InputFile::of_store(like));
    origin.made_up_genes = like.info().origin.made_up_genes;
    let mut written = write(&rows, &[store], &[(out.to_path_buf(), origin)], &parameters, force, report)?;
    Ok(written.remove(0))
}

fn nothing_to_do() -> Error {
    Error::Usage("nothing to do: name a step, such as --zscore".into())
}

fn fit_and_write(
    stores: &[&Store],
    outs: &[PathBuf],
    steps: &[Step],
    force: bool,
    report: Reporter,
) -> Result<Vec<Store>> {
    if steps.is_empty() {
        return Err(nothing_to_do());
    }
    outs.iter().try_for_each(|out| atomic::check_free(out, force))?;
    let mut rows = Rows::of(stores, report)?;
    let mut parameters = Parameters::new(rows.genes().ids.clone(), Vec::new());
    let (mut inputs, mut records) = (Vec::new(), Vec::new());
    if stores.len() > 1 {
        let names: Vec<_> = stores.iter().map(|store| store.path().display().to_string()).collect();
        records.push(json!({ "together": { "stores": names, "genes": rows.genes().len() } }));
    }
    for step in steps {
        inputs.extend(step.input()?);
        let Fit { fitted, genes, kept, mut record } = step.fit(&rows, report)?;
        if let Some(how) = record.as_object_mut().filter(|_| step.learns()) {
            how.values_mut().for_each(|how| how[LEARNED] = true.into());
        }
        if let Some(kept) = kept {
            rows.keep(&kept);
        }
        parameters.steps.push(fitted.clone());
        rows.then(fitted, genes);
        records.push(record);
    }
    let renamed = steps.iter().any(|s| matches!(s, Step::MatchGenes { .. } | Step::CollapseProbes { .. }));
    let origin = |store: &Store| {
        let mut origin = store.info().origin.clone();
        origin.inputs.push(InputFile::of_store(store));
        let others = stores.iter().filter(|other| other.path() != store.path());
        origin.inputs.extend(others.map(|other| InputFile::of_store(other)));
        origin.inputs.extend(inputs.iter().cloned());
        origin.transforms.extend(records.iter().cloned());
        origin.made_up_genes &= !renamed;
        origin
    };
    let outs: Vec<_> = outs.iter().zip(stores).map(|(out, store)| (out.clone(), origin(store))).collect();
    write(&rows, stores, &outs, &parameters, force, report)
}

/// Writes the samples of each store to an output of its own.
fn write(
    rows: &Rows,
    stores: &[&Store],
    outs: &[(PathBuf, Origin)],
    parameters: &Parameters,
    force: bool,
    report: Reporter,
) -> Result<Vec<Store>> {
    let genes = rows.genes();
    let mut writers = Vec::new();
    let mut kept: Vec<Vec<usize>> = vec![Vec::new(); stores.len()];
    let fills = parameters.steps.iter().any(Fitted::fills_zeros);
    for (store, (out, _)) in stores.iter().zip(outs) {
        let layout = if fills { Layout::Dense } else { store.layout() };
        if layout != store.layout() {
            report(Event::Note(format!(
                "{}: all values are written, since the steps leave no zeros; `train`, `select` and `fit` scale genes themselves",
                out.display()
            )));
        }
        writers.push(StoreWriter::create_in(layout, out, genes.len(), store.element(), force)?);
    }
    writers[0].expect(rows.len())?; // all of them are on one disk
    rows.blocks("writing", report, |first, block| {
        for (i, row) in block.chunks_exact(genes.len()).enumerate() {
            let (source, sample) = rows.origin(first + i);
            writers[source].push_rows(row)?;
            kept[source].push(sample);
        }
        Ok(())
    })?;
    let mut written = Vec::new();
    for (i, mut writer) in writers.into_iter().enumerate() {
        writer.keep_parameters(parameters.to_json());
        let samples = stores[i].samples().select(&kept[i]);
        written.push(writer.finish(genes.clone(), samples, outs[i].1.clone())?);
    }
    Ok(written)
}

impl Step {
    /// Whether the step takes something from all samples that it then applies to each.
    pub fn learns(&self) -> bool {
        match self {
            Step::MinDetected { .. }
            | Step::LibrarySize(None)
            | Step::QuantileNormalize(_)
            | Step::Range(_)
            | Step::MinSd(_)
            | Step::MinMax
            | Step::Zscore { .. } => true,
            Step::CollapseProbes { by, .. } => *by != CollapseBy::Mean,
            Step::Exclude(_)
            | Step::LibrarySize(Some(_))
            | Step::Log1p
            | Step::Log2p1
            | Step::Dedup(_)
            | Step::LabelGenes(_)
            | Step::MatchGenes { .. }
            | Step::MapQuantiles { .. } => false,
        }
    }

    /// The file that the step reads.
    fn input(&self) -> Result<Option<InputFile>> {
        let (path, format) = match self {
            Step::LabelGenes(table) => (table, "gene labels"),
            Step::CollapseProbes { map, .. } => (&map.path, "probe map"),
            Step::MatchGenes { reference, .. } | Step::MapQuantiles { reference } => (reference, "gene list"),
            Step::Dedup(DedupSettings { labels: Some(labels), .. }) => (labels, "cluster labels"),
            _ => return Ok(None),
        };
        if is_store(path) {
            return Ok(Some(InputFile::of_store(&Store::open_unchecked(path)?)));
        }
        // The bundled panel is no file.
        if path.exists() { InputFile::of(path, format).map(Some) } else { Ok(None) }
    }

    /// Learns what the step needs from all rows.
    fn fit(&self, rows: &Rows, report: Reporter) -> Result<Fit> {
        match self {
            Step::Exclude(types) => filters::exclude(rows, types, report),
            Step::MinDetected { share, threshold } => filters::min_detected(rows, *share, *threshold, report),
            Step::LibrarySize(target) => scale::library_size(rows, *target, report),
            Step::Log1p => {
                twice::warn_of_second_logarithm(rows, report);
                Ok(Fit::map(Fitted::Log1p, json!({ "log1p": {} })))
            }
            Step::Log2p1 => {
                twice::warn_of_second_logarithm(rows, report);
                Ok(Fit::map(Fitted::Log2p1, json!({ "log2p1": {} })))
            }
            Step::QuantileNormalize(rule) => {
                let fitted = Fitted::Quantiles { rule: *rule, profile: rows.profile(report)? };
                Ok(Fit::map(fitted, json!({ "quantile_normalize": { "ties": rule } })))
            }
            Step::Range(to) => scale::range(rows, *to, report),
            Step::Dedup(settings) => dedup::dedup(rows, settings, report),
            Step::LabelGenes(table) => label_genes(rows, table, report),
            Step::CollapseProbes { map, by } => collapse::collapse(rows, map, *by, report),
            Step::MatchGenes { reference, drop_missing, matching } => {
                matching::match_genes(rows, reference, *drop_missing, matching, report)
            }
            Step::MapQuantiles { reference } => map_quantiles(rows, reference, report),
            Step::MinSd(least) => filters::min_sd(rows, *least, report),
            Step::MinMax => scale::min_max(rows, report),
            Step::Zscore { sd_offset } => scale::zscore(rows, *sd_offset, report),
        }
    }
}

fn label_genes(rows: &Rows, table: &Path, report: Reporter) -> Result<Fit> {
    let mut genes = rows.genes().clone();
    let matched = Labels::read(table, report)?.join_genes(&mut genes, report)?;
    report(Event::Note(format!("{matched} of {} genes have labels from {}", genes.len(), table.display())));
    let all = (0..genes.len()).collect();
    let record = json!({ "label_genes": { "table": table.display().to_string(), "matched": matched } });
    Ok(Fit::pick(genes, all, record))
}

fn map_quantiles(rows: &Rows, reference: &Path, report: Reporter) -> Result<Fit> {
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
    let profile = Rows::of(&[&store], report)?.profile(report)?;
    let record = json!({ "map_quantiles": {
        "reference": reference.display().to_string(), "profile": "mean of sorted samples", "quantiles": profile.len(),
    }});
    Ok(Fit::map(Fitted::Quantiles { rule: QuantileRule::Dense, profile }, record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;
    use crate::store::remembered::warn_of_preparation;
    use crate::testing::{Listener, store};

    #[test]
    fn every_step_that_learns_is_noticed_in_samples_that_it_was_fitted_to() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        let counts: Vec<f32> = (0..40).map(|i| (1 + i * i % 17) as f32).collect();
        let raw = store(&path("raw.gex"), 4, &counts);
        let map = path("map.tsv");
        std::fs::write(&map, "probe_id\tgene_id\ng_1\tTP53\ng_2\tTP53\ng_3\tBRCA1\n").expect("written");
        let collapse = |by| Step::CollapseProbes { map: MapSettings::of(&map), by };
        for (step, word) in [
            (Step::LibrarySize(None), Some("library_size")),
            (Step::LibrarySize(Some(10.0)), None),
            (collapse(CollapseBy::MaxVariance), Some("collapse_probes")),
            (collapse(CollapseBy::MaxMean), Some("collapse_probes")),
            (collapse(CollapseBy::Mean), None),
            (Step::MinMax, Some("min_max")),
            (Step::Log1p, None),
        ] {
            let steps = [step];
            let ready = prepare(&raw, &path("ready.gex"), &steps, true, &silent).expect("prepared");
            let parts = split::split(&ready, &path("parts"), &[0.5, 0.5], split::Draw::Samples, 1, true);
            let parts = parts.expect("ten samples make two parts");
            let listener = Listener::default();
            warn_of_preparation(&parts[1], &|event| listener.hear(event));
            let warned = listener.warnings();
            let told = word.map(|word| format!("the step {word} was fitted before the split"));
            assert_eq!(warned.len(), usize::from(told.is_some()), "{steps:?}: {warned:?}");
            assert!(told.is_none_or(|told| warned[0].contains(&told)), "{steps:?}: {warned:?}");
        }
    }

    #[test]
    fn stores_that_are_prepared_together_keep_their_names_apart() {
        let names = |paths: &[&str]| names_together(&paths.iter().map(Path::new).collect::<Vec<_>>());
        assert_eq!(
            names(&["x/a.gex", "y/b.0.1", "b.0.2"]).expect("apart"),
            ["a.gex", "b.0.1.gex", "b.0.2.gex"]
        );
        let message = names(&["x/a.gex", "y/a"]).expect_err("must be refused").to_string();
        assert!(message.contains("two stores would become a.gex"), "{message}");
    }
}
