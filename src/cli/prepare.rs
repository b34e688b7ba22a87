//! `genelift prepare`: a store → a store made ready for training or comparison.

use std::path::PathBuf;

use super::print;
use crate::error::Result;
use crate::prepare::{CollapseBy, Step, prepare};
use crate::progress::Reporter;
use crate::store::Store;

/// The order of the steps, for `--help`.
const ORDER: &str = "\
Steps are taken in this order, whatever the order of the options: log1p or log2p1, quantile-normalize, collapse-probes, \
match-genes, map-quantiles-to, min-sd, zscore. Another order is had by several calls. Each step is recorded in the \
store (see `genelift info`). A step that looks at all samples reads the store once more; memory does not grow with it.";

/// Arguments of `prepare`.
#[derive(clap::Args, Debug)]
#[command(after_help = ORDER)]
pub struct Args {
    /// The store to prepare
    store: PathBuf,
    /// The store to write (.gex)
    #[arg(short, value_name = "STORE")]
    output: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Replace the store if it exists
    #[arg(long)]
    force: bool,
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
    /// ln(1 + x) of counts or intensities
    #[arg(long, conflicts_with = "log2p1")]
    pub log1p: bool,
    /// log2(1 + x) of counts or intensities
    #[arg(long)]
    pub log2p1: bool,
    /// Give every sample the mean sorted profile of all; equal values take the mean over their ranks
    #[arg(long)]
    pub quantile_normalize: bool,
    /// Make genes of probes by a table of probe and gene ids (probe_id, gene_id); other probes are left out
    #[arg(long, value_name = "MAP")]
    pub collapse_probes: Option<PathBuf>,
    /// What stands for a gene of several probes
    #[arg(long, value_enum, default_value_t, requires = "collapse_probes")]
    pub collapse_by: CollapseBy,
    /// Keep exactly the genes of a list or another store, in its order and under its ids; matched by id, Entrez,
    /// symbol or probe
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
    /// (x − mean)/sd by gene, over this store's samples; a constant gene becomes 0
    #[arg(long)]
    pub zscore: bool,
}

impl Options {
    /// The library's steps, in the documented order.
    pub fn steps(&self) -> Vec<Step> {
        let flag = |given: bool, step: Step| given.then_some(step);
        [
            flag(self.log1p, Step::Log1p),
            flag(self.log2p1, Step::Log2p1),
            flag(self.quantile_normalize, Step::QuantileNormalize),
            self.collapse_probes.clone().map(|map| Step::CollapseProbes { map, by: self.collapse_by }),
            self.match_genes.clone().map(|reference| Step::MatchGenes {
                reference,
                drop_missing: self.missing_genes == MissingGenes::Drop,
            }),
            self.map_quantiles_to.clone().map(|reference| Step::MapQuantiles { reference }),
            self.min_sd.map(Step::MinSd),
            flag(self.zscore, Step::Zscore),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Runs the command.
///
/// # Errors
/// Those of [`prepare()`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let store = Store::open(&args.store)?;
    let store = prepare(&store, &args.output, &args.options.steps(), args.force, report)?;
    let (samples, genes) = (store.n_samples(), store.n_genes());
    print(&format!("store\t{}\nsamples\t{samples}\ngenes\t{genes}\n", args.output.display()))
}
