//! `genelift import`: matrix files → a store.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::print;
use crate::device::recording::Element;
use crate::error::Result;
use crate::formats::{ImportSettings, Missing, Orientation, ReadSettings, import};
use crate::progress::Reporter;

/// Arguments of `import`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Matrix files of the same genes, joined by samples: CSV or TSV (plain, .gz, .zst), GCTX, h5ad, npy
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The store to write (.gex)
    #[arg(short, value_name = "STORE")]
    output: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Replace the store if it exists
    #[arg(long)]
    force: bool,
}

/// Type of a store's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Single precision
    #[default]
    F32,
    /// Half precision: half the space, about three significant digits
    F16,
}

/// What can be said about an import, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Format of the files, if their content does not tell [auto]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Which side of the matrix holds the genes
    #[arg(long, value_enum, default_value_t)]
    pub orientation: Orientation,
    /// Of an h5ad: the layer to read instead of X
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Type of the store's values
    #[arg(long, value_enum, default_value_t)]
    pub dtype: Dtype,
    /// A table (TSV or CSV) whose columns are joined to the samples by its first column
    #[arg(long, value_name = "TABLE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// What becomes of missing values: NaN, infinities, blanks, and −666 in a GCTX
    #[arg(long, value_enum, default_value_t)]
    pub missing: Missing,
    /// Names of the genes of a file that has none (.npy)
    #[arg(long, value_name = "TSV")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genes: Option<PathBuf>,
    /// Names of the samples of a file that has none (.npy)
    #[arg(long, value_name = "TSV")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<PathBuf>,
}

impl Options {
    /// The library's settings.
    pub fn settings(&self, force: bool) -> ImportSettings {
        ImportSettings {
            read: ReadSettings {
                format: self.format.clone().filter(|format| format != "auto"),
                layer: self.layer.clone(),
            },
            orientation: self.orientation,
            element: match self.dtype {
                Dtype::F32 => Element::F32,
                Dtype::F16 => Element::F16,
            },
            labels: self.labels.clone(),
            missing: self.missing,
            genes: self.genes.clone(),
            samples: self.samples.clone(),
            force,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Those of [`import`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let store = import(&args.files, &args.output, &args.options.settings(args.force), report)?;
    print(&format!(
        "store\t{}\nsamples\t{}\ngenes\t{}\n",
        args.output.display(),
        store.n_samples(),
        store.n_genes()
    ))
}
