//! A store → stores for training, validation and testing.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::split::{self, Draw};
use crate::store::{Store, atomic};

/// What can be said about a split, on the command line or in a configuration file.
#[derive(clap::Args, Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Shares of train and test, or of train, validation and test
    #[arg(long, value_delimiter = ',', default_value = "0.9,0.1", value_name = "SHARES")]
    pub fractions: Vec<f64>,
    /// A sample column; samples of one value stay together
    #[arg(long, value_name = "COLUMN")]
    pub group_by: Option<String>,
    /// A sample column; samples of each value are spread over the parts by their shares
    #[arg(long, value_name = "COLUMN", conflicts_with = "group_by")]
    pub stratify: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options { fractions: vec![0.9, 0.1], group_by: None, stratify: None }
    }
}

impl settings::Options for Options {
    const FILES: &'static [&'static str] = &[];
}

impl Options {
    /// What binds the draw.
    ///
    /// # Errors
    /// [`Error::Usage`] where samples are to be both kept together and spread.
    pub fn draw(&self) -> Result<Draw<'_>> {
        match (&self.group_by, &self.stratify) {
            (None, None) => Ok(Draw::Samples),
            (Some(column), None) => Ok(Draw::Groups(column)),
            (None, Some(column)) => Ok(Draw::Strata(column)),
            (Some(_), Some(_)) => Err(Error::Usage(
                "group-by keeps samples together and stratify spreads them; give one of the two".into(),
            )),
        }
    }
}

/// Splits a store.
pub struct Split {
    /// The store to split.
    pub store: PathBuf,
    /// The folder of the parts.
    pub dir: PathBuf,
    /// How.
    pub options: Options,
    /// Of the draw.
    pub seed: u64,
}

/// What there is to tell of a split.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Of each part.
    pub samples: Vec<usize>,
}

impl Split {
    /// The parts that will be written.
    pub fn parts(&self) -> Vec<PathBuf> {
        let names = split::names(&self.options.fractions).unwrap_or_default();
        names.iter().map(|name| part(&self.dir, name)).collect()
    }
}

/// A part's store.
fn part(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.gex"))
}

impl Stage for Split {
    fn name(&self) -> String {
        "split".into()
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::new("store", &self.store)]
    }

    fn settings(&self) -> Value {
        json!({"split": settings::inputs(&self.options).1, "seed": self.seed})
    }

    fn outputs(&self) -> Vec<Output> {
        self.parts().into_iter().map(Output::Store).collect()
    }

    fn check(&self) -> Result<()> {
        self.options.draw()?;
        split::names(&self.options.fractions).map(|_| ())
    }

    fn check_data(&self, store: &Store) -> Result<()> {
        split::check(store, &self.options.fractions, self.options.draw()?)
    }

    fn claims(&self, force: bool) -> Result<Vec<atomic::Output<'static>>> {
        let files = split::files(self.options.fractions.len());
        Ok(vec![atomic::Output::parts(&self.dir, &files, force)])
    }

    fn hands_on(&self) -> Option<PathBuf> {
        self.parts().into_iter().next()
    }

    fn cost(&self, size: &Size) -> Cost {
        Cost::rewriting(size.matrix(size.samples))
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let store = Store::open(&self.store)?;
        let Options { fractions, .. } = &self.options;
        let parts = split::split(&store, &self.dir, fractions, self.options.draw()?, self.seed, bench.force)?;
        Ok(facts(Facts { samples: parts.iter().map(Store::n_samples).collect() }))
    }
}
