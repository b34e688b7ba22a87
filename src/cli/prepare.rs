//! `genelift prepare`: a store → a store made ready for training or comparison.

use std::path::{Path, PathBuf};

use super::{Common, limit_threads, print};
use crate::error::{Error, Result};
use crate::genes::{MapSettings, Matching, Multi};
use crate::prepare::{
    CollapseBy, DedupSettings, GeneType, QuantileRule, Step, names_together, prepare, prepare_like,
    prepare_together,
};
use crate::progress::Reporter;
use crate::store::Store;
use crate::store::atomic::{self, Claim, Kind, Output};

/// The order of the steps, for `--help`.
const ORDER: &str = "\
Steps are taken in this order, whatever the order of the options: gene-labels, exclude, min-detected, library-size, log1p or log2p1, \
quantile-normalize, range, dedup, collapse-probes, match-genes, map-quantiles-to, min-sd, min-max or zscore. Another order is \
had by several calls. Each step is recorded in the store (see `genelift info`), and what it learned (profiles, means, \
kept genes) is kept there for --like. A step that looks at all samples reads the store once more; memory does not \
grow with it.

  genelift prepare train.gex -o ready.gex --quantile-normalize --zscore
  genelift prepare new.gex -o new-ready.gex --like ready.gex      the same, with what was learned from train.gex
  genelift prepare a.gex b.gex -o DIR --quantile-normalize        fitted to both: DIR/a.gex, DIR/b.gex";

/// Arguments of `prepare`.
#[derive(clap::Args, Debug)]
#[command(after_help = ORDER)]
pub struct Args {
    /// The store to prepare; several are prepared together, every step fitted to the samples of all
    #[arg(required = true, value_name = "STORE")]
    stores: Vec<PathBuf>,
    /// The store to write (.gex); for several stores the directory to write them to, under their names
    #[arg(short, value_name = "STORE|DIR")]
    output: PathBuf,
    /// Take the steps that made this store, with what they learned then; genes are matched by id
    #[arg(long, value_name = "STORE", conflicts_with_all = ["Options", "Matching"])]
    like: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    matching: Matching,
    #[command(flatten)]
    common: Common,
}

/// What becomes of genes of `--match-genes` that the store lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum MissingGenes {
    /// An error that names some
    #[default]
    Refuse,
    /// They are left out
    Drop,
}

/// The steps.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct Options {
    /// A table about the genes (an annotation table as GEO has it, .gz, or any with a column of the gene ids): fills the columns
    /// symbol and entrez, and adds the others
    #[arg(long, value_name = "TSV")]
    pub gene_labels: Option<PathBuf>,
    /// Drop genes of these types, by symbol (column symbol, else the ids)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TYPES")]
    pub exclude: Vec<GeneType>,
    /// Drop genes that are above --detection-threshold in a smaller share of the samples
    #[arg(long, value_name = "SHARE")]
    pub min_detected: Option<f64>,
    /// A value above this is detected
    #[arg(long, value_name = "X", default_value_t, requires = "min_detected", allow_negative_numbers = true)]
    pub detection_threshold: f64,
    /// Scale every sample of counts to one sum: the median of the samples' sums, or =TARGET such as =1e4
    #[arg(long, value_name = "TARGET", num_args = 0..=1, require_equals = true)]
    pub library_size: Option<Option<f64>>,
    /// ln(1 + x) of counts or intensities
    #[arg(long, conflicts_with = "log2p1")]
    pub log1p: bool,
    /// log2(1 + x) of counts or intensities
    #[arg(long)]
    pub log2p1: bool,
    /// Give every sample the mean sorted profile of all; =dgex treats equal values as D-GEX does
    #[arg(long, value_name = "TIES", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "mean")]
    pub quantile_normalize: Option<QuantileRule>,
    /// Take the smallest and the largest value of all to these, and the others along one line, e.g. 4,15
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 1, allow_hyphen_values = true)]
    pub range: Vec<f64>,
    /// Drop near copies of earlier samples: k-means, then of every pair of a cluster that is too close the later
    #[arg(long)]
    pub dedup: bool,
    /// Clusters of k-means
    #[arg(long, value_name = "K", default_value_t = DedupSettings::default().clusters, requires = "dedup")]
    pub dedup_clusters: usize,
    /// Samples nearer than this (Euclidean) are copies
    #[arg(long, value_name = "X", default_value_t = DedupSettings::default().distance, requires = "dedup")]
    pub dedup_distance: f64,
    /// Cluster labels (sample_id, label) in place of k-means
    #[arg(long, value_name = "TSV", requires = "dedup", conflicts_with = "dedup_clusters")]
    pub dedup_labels: Option<PathBuf>,
    /// Make genes of probes by a table of probes and genes: two columns, or an annotation table as GEO has it. Probes
    /// without a gene (---) are left out
    #[arg(long, value_name = "MAP")]
    pub collapse_probes: Option<PathBuf>,
    /// The map's column of genes, by name or number [gene_id, else symbol, Entrez id, Ensembl id, as the headers tell]
    #[arg(long, value_name = "NAME", requires = "collapse_probes")]
    pub map_column: Option<String>,
    /// What a probe counts for that names several genes (A /// B, or several rows of the map)
    #[arg(long, value_enum, default_value_t, requires = "collapse_probes")]
    pub multi: Multi,
    /// What stands for a gene of several probes
    #[arg(long, value_enum, default_value_t, requires = "collapse_probes")]
    pub collapse_by: CollapseBy,
    /// Keep exactly the genes of a list or another store, in its order and under its ids
    #[arg(long, value_name = "TSV|STORE")]
    pub match_genes: Option<PathBuf>,
    /// What becomes of genes of --match-genes that the store lacks
    #[arg(long, value_enum, default_value_t, requires = "match_genes")]
    pub missing_genes: MissingGenes,
    /// Give each sample the mean sorted profile of another store, by dense rank: from one platform to another
    #[arg(long, value_name = "STORE")]
    pub map_quantiles_to: Option<PathBuf>,
    /// Drop genes whose standard deviation is below this
    #[arg(long, value_name = "X")]
    pub min_sd: Option<f64>,
    /// (x − min)/(max − min) by gene; a constant gene becomes 0
    #[arg(long, conflicts_with = "zscore")]
    pub min_max: bool,
    /// (x − mean)/sd by gene, over all samples; a constant gene becomes 0
    #[arg(long)]
    pub zscore: bool,
    /// Added to each sd of --zscore; D-GEX adds 1e-3
    #[arg(long, value_name = "X", default_value_t, requires = "zscore")]
    pub sd_offset: f64,
}

impl Options {
    /// The library's steps, in the documented order.
    ///
    /// # Errors
    /// [`Error::Usage`] for a range that is not two numbers.
    fn steps(&self, matching: &Matching, common: &Common) -> Result<Vec<Step>> {
        let flag = |given: bool, step: Step| given.then_some(step);
        let (share, threshold) = (self.min_detected, self.detection_threshold);
        let range = match self.range[..] {
            [] => None,
            [low, high] => Some(Step::Range([low, high])),
            _ => return Err(Error::Usage("--range takes two numbers, such as 4,15".into())),
        };
        if self.match_genes.is_none() && *matching != Matching::default() {
            let message = "--match-on, --ambiguous and --unmatched say how --match-genes matches; give that, or leave them out";
            return Err(Error::Usage(message.into()));
        }
        let dedup = DedupSettings {
            clusters: self.dedup_clusters,
            distance: self.dedup_distance,
            labels: self.dedup_labels.clone(),
            seed: common.seed,
            device: common.device.clone(),
            threads: common.threads,
        };
        let steps = [
            self.gene_labels.clone().map(Step::LabelGenes),
            flag(!self.exclude.is_empty(), Step::Exclude(self.exclude.clone())),
            share.map(|share| Step::MinDetected { share, threshold }),
            self.library_size.map(Step::LibrarySize),
            flag(self.log1p, Step::Log1p),
            flag(self.log2p1, Step::Log2p1),
            self.quantile_normalize.map(Step::QuantileNormalize),
            range,
            flag(self.dedup, Step::Dedup(dedup)),
            self.collapse_probes.clone().map(|path| Step::CollapseProbes {
                map: MapSettings { path, column: self.map_column.clone(), multi: self.multi },
                by: self.collapse_by,
            }),
            self.match_genes.clone().map(|reference| Step::MatchGenes {
                reference,
                drop_missing: self.missing_genes == MissingGenes::Drop,
                matching: matching.clone(),
            }),
            self.map_quantiles_to.clone().map(|reference| Step::MapQuantiles { reference }),
            self.min_sd.map(Step::MinSd),
            flag(self.min_max, Step::MinMax),
            flag(self.zscore, Step::Zscore { sd_offset: self.sd_offset }),
        ];
        Ok(steps.into_iter().flatten().collect())
    }
}

impl Args {
    fn claim(&self) -> Result<Claim> {
        let (options, force) = (&self.options, self.common.force);
        let mut inputs: Vec<&Path> = self.stores.iter().map(PathBuf::as_path).collect();
        let output = match self.stores.len() {
            1 => Output::new(&self.output, Kind::Store, force),
            _ => Output::parts(&self.output, &names_together(&inputs)?, force),
        };
        let tables = [&options.gene_labels, &options.dedup_labels, &options.collapse_probes];
        let stores = [&self.like, &options.match_genes, &options.map_quantiles_to];
        inputs.extend(tables.into_iter().chain(stores).flatten().map(PathBuf::as_path));
        let outputs: Vec<Output> = std::iter::once(output).chain(self.matching.output(force)).collect();
        atomic::claim(&outputs, &inputs)
    }
}

/// Runs the command.
///
/// # Errors
/// Those of [`prepare()`], [`prepare_together`] and [`prepare_like`]; [`Error::Usage`] for `--like` of several stores.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let Args { stores, output, like, options, matching, common } = args;
    limit_threads(common.threads)?;
    let _ours = args.claim()?;
    let stores: Vec<Store> = stores.iter().map(|path| Store::open(path)).collect::<Result<_>>()?;
    let written = match (like, &stores[..]) {
        (Some(like), [store]) => {
            vec![prepare_like(store, output, &Store::open(like)?, common.force, report)?]
        }
        (Some(_), _) => return Err(Error::Usage("--like prepares one store at a time".into())),
        (None, [store]) => {
            vec![prepare(store, output, &options.steps(matching, common)?, common.force, report)?]
        }
        (None, stores) => {
            let stores: Vec<&Store> = stores.iter().collect();
            prepare_together(&stores, output, &options.steps(matching, common)?, common.force, report)?
        }
    };
    let facts = |store: &Store| {
        let (path, samples, genes) = (store.path().display(), store.n_samples(), store.n_genes());
        format!("store\t{path}\nsamples\t{samples}\ngenes\t{genes}\n")
    };
    print(&written.iter().map(facts).collect::<String>())
}
