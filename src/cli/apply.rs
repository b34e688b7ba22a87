//! `genelift embed`, `reconstruct` and `evaluate`: a model and a store → what the model makes of it.

use std::path::PathBuf;

use super::{Common, print};
use crate::device;
use crate::error::Result;
use crate::nn::apply;
use crate::nn::model::Model;
use crate::nouns::counted;
use crate::pipeline::perform;
use crate::pipeline::stages::evaluate::{Evaluate, Facts};
use crate::progress::Reporter;
use crate::store::Store;
use crate::store::atomic::{self, Claim, Kind, Output};

/// Arguments of all three.
#[derive(clap::Args, Debug, Clone)]
pub struct Args {
    /// The model
    model: PathBuf,
    /// The store; it may have more genes than the model, in any order
    store: PathBuf,
    /// The output
    #[arg(short, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `embed`.
#[derive(clap::Args, Debug, Clone)]
pub struct EmbedArgs {
    #[command(flatten)]
    args: Args,
    /// Sample columns to put beside each sample's activations
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    label: Vec<String>,
}

impl Args {
    fn open(&self, kind: Kind, report: Reporter) -> Result<(Claim, Box<dyn device::Executor>, Model, Store)> {
        let output = Output::new(&self.output, kind, self.common.force);
        let claim = atomic::claim(&[output], &[&self.model, &self.store])?;
        let executor = device::open(&self.common.device, self.common.threads, report)?;
        Ok((claim, executor, Model::open(&self.model, report)?, Store::open(&self.store)?))
    }
}

/// `embed`: bottleneck activations as a table.
///
/// # Errors
/// Those of [`apply::embed`].
pub fn embed(args: &EmbedArgs, report: Reporter) -> Result<()> {
    let EmbedArgs { args, label } = args;
    let (_ours, mut executor, model, store) = args.open(Kind::File, report)?;
    apply::embed(&mut *executor, &model, (&store, label), &args.output, args.common.force, report)?;
    let neurons = model.layers[model.encoder_layers() - 1].outputs;
    print(&format!(
        "embedding\t{}\nsamples\t{}\nneurons\t{neurons}\n",
        args.output.display(),
        store.n_samples()
    ))
}

/// `reconstruct`: the network's output as a store.
///
/// # Errors
/// Those of [`apply::reconstruct`].
pub fn reconstruct(args: &Args, report: Reporter) -> Result<()> {
    let (_ours, mut executor, model, store) = args.open(Kind::Store, report)?;
    let out = apply::reconstruct(&mut *executor, &model, &store, &args.output, args.common.force, report)?;
    print(&format!(
        "store\t{}\nsamples\t{}\ngenes\t{}\n",
        args.output.display(),
        out.n_samples(),
        out.n_genes()
    ))
}

/// `evaluate`: the figures by gene and by sample, beside the training median's, and the permutation test.
///
/// # Errors
/// Those of the stage.
pub fn evaluate(args: &Args, report: Reporter) -> Result<()> {
    let Args { model, store, output: dir, common } = args.clone();
    let facts: Facts = perform(&Evaluate { model, store, dir }, &mut common.workbench(report)?)?;
    print(&describe(&facts))
}

/// The summary for a reader.
pub fn describe(summary: &Facts) -> String {
    let pcc = |x: Option<f64>| x.map_or("undefined".to_string(), |x| format!("{x:.4}"));
    let mut text = format!(
        "{} × {}\nMAE {:.4}, of the training median {:.4}: ratio {}\nPCC by gene: mean {}, median {}; by sample: mean {}\n",
        counted(summary.samples, "sample"),
        counted(summary.genes, "gene"),
        summary.mae,
        summary.baseline_mae,
        summary.mae_ratio.map_or("undefined".into(), |ratio| format!("{ratio:.3}")),
        pcc(summary.pcc_gene_mean),
        pcc(summary.pcc_gene_median),
        pcc(summary.pcc_sample_mean)
    );
    text += &format!(
        "R² by gene: median {}; PCC by sample of the training medians, one profile for all: {}\n",
        pcc(summary.r2_gene_median),
        pcc(summary.pcc_sample_constant)
    );
    text += &format!(
        "permutation test: {} of {} genes pass ({:.1} %)\n",
        summary.permutation_passed,
        summary.genes,
        100.0 * summary.permutation_share
    );
    if summary.pcc_gene_undefined > 0 {
        text += &format!(
            "PCC is undefined for {} (constant values)\n",
            counted(summary.pcc_gene_undefined, "gene")
        );
    }
    text
}
