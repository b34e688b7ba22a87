//! Matrix files → a store.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::device::recording::Element;
use crate::error::{Error, Result};
use crate::formats::{self, ImportSettings, Missing, Orientation, ReadSettings, Slice, Told};
use crate::pipeline::choice::choice;
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::copy;
use crate::store::{Layout, Store, is_store};

/// Type of a store's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    /// auto, csv, tsv, xlsx (all workbooks), gct, series-matrix, mtx, gctx, h5ad, h5mu, archs4, 10x, loom, npy, npz, parquet or arrow; auto looks at the content, then at the file's ending
    #[arg(long, default_value = "auto")]
    pub format: Option<String>,
    /// Which side holds the genes; auto goes by the format, the names, the header, else the longer side
    #[arg(long, value_parser = choice::<Orientation>(), default_value = "auto")]
    pub orientation: Orientation,
    /// The layer of an h5ad or Loom file to read in place of its main matrix (raw: h5ad's raw/X); the genome of a 10x file
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,
    /// The sheet of a workbook to read, by its name or its number from 1 [default: the first]
    #[arg(long, value_name = "NAME|NUMBER")]
    pub sheet: Option<String>,
    /// The modality of an h5mu file to read, such as rna; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub modality: Option<String>,
    /// Type of the store's values
    #[arg(long, value_parser = choice::<Dtype>(), default_value = "f32")]
    pub dtype: Dtype,
    /// How the store holds its values. A sparse store is smaller, and slower to read by columns; every command takes either
    #[arg(long, value_parser = choice::<Layout>(), default_value = "dense")]
    pub layout: Layout,
    /// A table about the samples (tabs, commas, semicolons, .gz), joined by the column that holds their ids
    #[arg(long, value_name = "TSV")]
    pub labels: Option<PathBuf>,
    /// A table about the genes (an annotation table as GEO has it, or any with a column of the gene ids): fills the columns
    /// symbol and entrez, and adds the others
    #[arg(long, value_name = "TSV")]
    pub gene_labels: Option<PathBuf>,
    /// What becomes of missing values: blank, NA, NaN, infinite, −666 in GCTX
    #[arg(long, value_parser = choice::<Missing>(), default_value = "refuse")]
    pub missing: Missing,
    /// Names of the genes of a file without names (.npy, .npz, .mtx): a table, the first column the id
    #[arg(long, value_name = "TSV")]
    pub genes: Option<PathBuf>,
    /// Names of the samples of a file without names: a table, the first column the id
    #[arg(long, value_name = "TSV")]
    pub samples: Option<PathBuf>,
    /// Read only the samples of this list, by id, whatever their order in it; what the file does not have is named. Of GCTX,
    /// h5ad and other HDF5, Parquet and Arrow only the parts of the file are read that hold the slice
    #[arg(long, value_name = "LIST")]
    pub only_samples: Option<PathBuf>,
    /// Read only the genes of this list, by id, Entrez id or symbol (every probe of a symbol); l1000 is the bundled panel
    #[arg(long, value_name = "LIST")]
    pub only_genes: Option<PathBuf>,
    /// Read only samples whose column (of the file or of --labels) has a value: tissue=liver, tissue='liver|kidney',
    /// tissue!=blood, tissue!= (not blank). Given several times, all must hold
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub r#where: Vec<String>,
    /// Text: the first line is a row, not the names of the columns; these are made up, or come with --samples or --genes
    #[arg(long, conflicts_with = "header")]
    pub no_header: bool,
    /// Text: the first line names the columns, though it holds numbers as a row does
    #[arg(long)]
    pub header: bool,
    /// Text: columns that describe the rows and are no values, beside columns of words and those known by their names
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub annotation_columns: Vec<String>,
    /// Text: columns that are values although their names say otherwise (Length, age); of a table of one sample (salmon,
    /// RSEM, STAR) the one to read
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub value_columns: Vec<String>,
    /// Text: columns to leave out
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub drop_columns: Vec<String>,
    /// Text: rows to leave out, by name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
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
            read: ReadSettings {
                format,
                layer: self.layer.clone(),
                sheet: self.sheet.clone(),
                modality: self.modality.clone(),
                memory,
                told: self.told(),
            },
            orientation: self.orientation,
            element: match self.dtype {
                Dtype::F32 => Element::F32,
                Dtype::F16 => Element::F16,
            },
            layout: self.layout,
            labels: self.labels.clone(),
            gene_labels: self.gene_labels.clone(),
            missing: self.missing,
            genes: self.genes.clone(),
            samples: self.samples.clone(),
            slice: Slice {
                samples: self.only_samples.clone(),
                genes: self.only_genes.clone(),
                conditions: self.r#where.clone(),
            },
            unique_names: self.unique_names,
            force,
        }
    }
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] =
        &["labels", "gene-labels", "genes", "samples", "only-samples", "only-genes"];
}

/// Imports matrix files.
pub struct Import {
    /// As it is called in a run: `import`, or `test NAME`.
    pub name: String,
    /// Matrix files or 10x folders, or one store.
    pub files: Vec<PathBuf>,
    /// The store to write.
    pub store: PathBuf,
    /// How to read them.
    pub options: Options,
}

impl Import {
    /// The one file, where it is a store.
    fn stored(&self) -> Option<&Path> {
        match &self.files[..] {
            [file] => Some(&**file).filter(|file| is_store(file)),
            _ => None,
        }
    }
}

/// What there is to tell of a store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Rows.
    pub samples: usize,
    /// Columns.
    pub genes: usize,
}

impl Stage for Import {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn inputs(&self) -> Vec<Input> {
        let files = self.files.iter().map(|file| Input::new("matrix", file));
        files.chain(settings::inputs(&self.options).0).collect()
    }

    fn settings(&self) -> Value {
        // what bounds memory changes no number
        let mut said = settings::inputs(&Options { memory: None, ..self.options.clone() }).1;
        said["files"] = json!(self.files.len());
        said
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::Store(self.store.clone())]
    }

    fn check(&self) -> Result<()> {
        if self.files.is_empty() {
            return Err(Error::Usage("import: name at least one matrix file".into()));
        }
        let said = |options: &Options| {
            let format = options.format.clone().filter(|format| format != "auto");
            settings::inputs(&Options { memory: None, format, ..options.clone() })
        };
        match self.stored() {
            Some(store) if said(&self.options) != said(&Options::default()) => Err(Error::Usage(format!(
                "{}: {} is a store already, and is taken as it is; leave the options of the import out (`prepare` has steps for stores)",
                self.name,
                store.display()
            ))),
            _ => Ok(()),
        }
    }

    fn hands_on(&self) -> Option<PathBuf> {
        (self.name == "import").then(|| self.store.clone())
    }

    fn cost(&self, size: &Size) -> Cost {
        let memory = self.options.settings(false).read.memory as f64;
        Cost { memory, ..Cost::rewriting(size.matrix(size.samples)) }
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        if let Some(path) = self.stored() {
            let store = copy(&Store::open(path)?, &self.store, bench.force)?;
            return Ok(facts(Facts { samples: store.n_samples(), genes: store.n_genes() }));
        }
        let settings = self.options.settings(bench.force);
        let store = formats::import(&self.files, &self.store, &settings, bench.report)?;
        Ok(facts(Facts { samples: store.n_samples(), genes: store.n_genes() }))
    }
}
