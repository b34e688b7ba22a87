//! `genelift select`: scores → landmarks.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::print;
use crate::attribution::ScoreTable;
use crate::error::Result;
use crate::progress::{Event, Reporter};
use crate::select::{GeneList, top};
use crate::store::atomic;

/// Arguments of `select`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A table written by `genelift attribute`
    scores: PathBuf,
    /// The landmarks to write (.tsv)
    #[arg(short, value_name = "LANDMARKS")]
    output: PathBuf,
    /// How many landmarks
    #[arg(short, value_name = "N")]
    n: usize,
    #[command(flatten)]
    options: Options,
    /// Replace the output if it exists
    #[arg(long)]
    force: bool,
}

/// What can be said about a selection, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Genes that must be landmarks: a file of names (by gene id, Entrez id, symbol or probe), or l1000, the bundled
    /// panel
    #[arg(long, value_name = "LIST")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Genes that must not be landmarks; as --include
    #[arg(long, value_name = "LIST")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// The column of the scores that the lists' names are looked up in [whichever fits best]
    #[arg(long, value_name = "COLUMN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_on: Option<String>,
}

/// Selects and writes the landmarks.
///
/// # Errors
/// Those of [`top`], of the lists and of the files.
pub fn select_files(
    scores: &Path,
    n: usize,
    options: &Options,
    out: &Path,
    force: bool,
    report: Reporter,
) -> Result<ScoreTable> {
    atomic::check_free(out, force)?;
    let scores = ScoreTable::read(scores)?;
    let rows = |lists: &[String], what: &str| -> Result<Vec<usize>> {
        let mut rows = Vec::new();
        for name in lists {
            let list = GeneList::open(name)?;
            let matched = list.find(&scores.genes, options.match_on.as_deref())?;
            report(Event::Note(format!(
                "{what} {}: {} of its {} names found, by {}; {} genes",
                list.name,
                matched.found,
                matched.listed,
                matched.column,
                matched.rows.len()
            )));
            rows.extend(matched.rows);
        }
        Ok(rows)
    };
    let (include, exclude) = (rows(&options.include, "include")?, rows(&options.exclude, "exclude")?);
    let landmarks = top(&scores, n, &include, &exclude)?;
    landmarks.write(out, force)?;
    Ok(landmarks)
}

/// Runs the command.
///
/// # Errors
/// Those of [`select_files`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let landmarks = select_files(&args.scores, args.n, &args.options, &args.output, args.force, report)?;
    print(&format!("landmarks\t{}\ngenes\t{}\n", args.output.display(), landmarks.genes.len()))
}
