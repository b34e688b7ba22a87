//! `genelift import`: matrix files → a store.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::print;
use crate::device::recording::Element;
use crate::error::Result;
use crate::formats::{ImportSettings, Missing, Orientation, ReadSettings, Told, import};
use crate::progress::Reporter;

/// Arguments of `import`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Matrix files or 10x directories; several are joined by samples, with the genes that all of them have
    #[arg(required = true, value_name = "FILE")]
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
    /// Half precision: half the size, about three digits
    F16,
}

/// What can be said about an import, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// auto, csv, tsv, gct, series-matrix, mtx, gctx, h5ad, 10x, loom, npy or npz; auto looks at the content, then at the file's ending
    #[arg(long, default_value = "auto")]
    pub format: Option<String>,
    /// Which side holds the genes; auto goes by the format, the names, the header, else the longer side
    #[arg(long, value_enum, default_value_t)]
    pub orientation: Orientation,
    /// The layer of an h5ad or Loom file to read in place of its main matrix (raw: h5ad's raw/X); the genome of a 10x file
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,
    /// Type of the store's values
    #[arg(long, value_enum, default_value_t)]
    pub dtype: Dtype,
    /// A table (.tsv, .csv) whose columns are joined to the samples by its first column, the sample id
    #[arg(long, value_name = "TSV")]
    pub labels: Option<PathBuf>,
    /// What becomes of missing values: blank, NA, NaN, infinite, −666 in GCTX
    #[arg(long, value_enum, default_value_t)]
    pub missing: Missing,
    /// Names of the genes of a file without names (.npy, .npz, .mtx): a table, the first column the id
    #[arg(long, value_name = "TSV")]
    pub genes: Option<PathBuf>,
    /// Names of the samples of a file without names: a table, the first column the id
    #[arg(long, value_name = "TSV")]
    pub samples: Option<PathBuf>,
    /// Text: the first line is a row, not the names of the columns; these are made up, or come with --samples or --genes
    #[arg(long, conflicts_with = "header")]
    pub no_header: bool,
    /// Text: the first line names the columns, though it holds numbers as a row does
    #[arg(long)]
    pub header: bool,
    /// Text: columns that describe the rows and are no values, beside columns of words and those known by their names
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotation_columns: Vec<String>,
    /// Text: columns that are values although their names say otherwise (Length, age); of a table of one sample (salmon,
    /// RSEM, STAR) the one to read
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub value_columns: Vec<String>,
    /// Text: columns to leave out
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop_columns: Vec<String>,
    /// Text: rows to leave out, by name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop_rows: Vec<String>,
    /// Give ids that occur again a number (x, x-1, x-2, as anndata does) in place of refusing them
    #[arg(long)]
    pub unique_names: bool,
    /// Memory to keep to, in MiB, whatever the size of the file [default: 512]
    #[arg(long, value_name = "MIB")]
    pub memory: Option<usize>,
}

impl Options {
    /// What is said about the columns and rows of text.
    fn told(&self) -> Told {
        Told {
            header: self.header.then_some(true).or(self.no_header.then_some(false)),
            annotation_columns: self.annotation_columns.clone(),
            value_columns: self.value_columns.clone(),
            drop_columns: self.drop_columns.clone(),
            drop_rows: self.drop_rows.clone(),
        }
    }

    /// The library's settings.
    pub fn settings(&self, force: bool) -> ImportSettings {
        let format = self.format.clone().filter(|format| format != "auto");
        let memory = self.memory.map_or(ReadSettings::default().memory, |mib| mib.saturating_mul(1 << 20));
        ImportSettings {
            read: ReadSettings { format, layer: self.layer.clone(), memory, told: self.told() },
            orientation: self.orientation,
            element: match self.dtype {
                Dtype::F32 => Element::F32,
                Dtype::F16 => Element::F16,
            },
            labels: self.labels.clone(),
            missing: self.missing,
            genes: self.genes.clone(),
            samples: self.samples.clone(),
            unique_names: self.unique_names,
            force,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Those of [`import()`].
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    let store = import(&args.files, &args.output, &args.options.settings(args.force), report)?;
    let (samples, genes) = (store.n_samples(), store.n_genes());
    print(&format!("store\t{}\nsamples\t{samples}\ngenes\t{genes}\n", args.output.display()))
}
