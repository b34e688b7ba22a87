//! `genelift select`: scores, a store or a model → landmarks.

use std::path::PathBuf;

use super::{Common, print};
use crate::error::Result;
use crate::pipeline::perform;
use crate::pipeline::stages::select::{Facts, Options, Select};
use crate::progress::{Event, Reporter};
use crate::select::Strategy;

/// Arguments of `select`.
#[derive(clap::Args, Debug, Clone)]
pub struct Args {
    /// A table written by `genelift attribute`; for the strategy top, which it means where no strategy is named
    scores: Option<PathBuf>,
    /// The landmarks to write (.tsv); their checksum and what they were made from go beside them (LANDMARKS.json)
    #[arg(short, value_name = "LANDMARKS")]
    output: PathBuf,
    /// How many landmarks
    #[arg(short, value_name = "N")]
    n: usize,
    /// The training samples; for every strategy but top
    #[arg(long, value_name = "STORE")]
    store: Option<PathBuf>,
    /// The model trained on them; for the strategy diverse, where its target has a share of the reconstruction
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    common: Common,
}

/// Runs the command.
///
/// # Errors
/// Those of the stage.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let Args { scores, output, n, store, model, mut options, common } = args.clone();
    if options.strategy.is_none() && scores.is_some() && store.is_none() && model.is_none() {
        options.strategy = Some(Strategy::Top);
        report(Event::Note(
            "the highest scores (--strategy top); a panel that predicts the other genes better is chosen from --store \
             (diverse, the default)"
                .into(),
        ));
    }
    let (name, landmarks) = ("select".into(), output);
    let stage = Select { name, scores, store, model, landmarks, n, options, seed: common.seed };
    let facts: Facts = perform(&stage, &mut common.workbench(report)?)?;
    let (path, genes) = (stage.landmarks.display(), facts.genes);
    print(&format!("landmarks\t{path}\ngenes\t{genes}\nfirst\t{}\n", facts.shown()))
}
