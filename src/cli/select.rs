//! `genelift select`: scores, a store or a model → landmarks.

use std::path::PathBuf;

use super::{Common, print};
use crate::compare::Enough;
use crate::error::Result;
use crate::nouns::counted;
use crate::pipeline::perform;
use crate::pipeline::stages::how_many::Count;
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
    /// How many landmarks; with --until the most
    #[arg(short, value_name = "N", required_unless_present = "until")]
    n: Option<usize>,
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
    let (name, landmarks, n) = ("select".into(), output, Count::Said(n));
    let stage = Select { name, scores, store, model, landmarks, n, options, seed: common.seed };
    let facts: Facts = perform(&stage, &mut common.workbench(report)?)?;
    let (path, genes) = (stage.landmarks.display(), facts.genes);
    let until = facts.until.as_ref().map_or(String::new(), describe);
    print(&format!("landmarks\t{path}\ngenes\t{genes}\nfirst\t{}\n{until}", facts.shown()))
}

/// What a number of landmarks was found by: what was asked, then size by size.
fn describe(found: &Enough) -> String {
    let (genes, over) = (counted(found.targets, "gene"), found.over());
    let mut text = format!("until\t{}, inferring {genes} in {over}, ± standard error by fold\n", found.goal);
    found.curve.iter().for_each(|tried| text += &format!("at {}\t{tried}\n", tried.landmarks));
    text
}
