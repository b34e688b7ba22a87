//! A store → stores for training, validation and testing.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::pipeline::cost::{Cost, Size};
use crate::pipeline::settings;
use crate::pipeline::{Input, Output, Stage, Workbench, facts};
use crate::prepare::split::{self, Draw};
use crate::progress::{Event, Reporter};
use crate::store::{Store, atomic};
use crate::visible;

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

/// Groups of a part that are named.
const NAMED: usize = 12;
/// A part's share may be off by this share of what was asked before it is worth a warning.
const OFF: f64 = 0.25;

/// Says which groups fell where, and how far whole groups are from the shares that were asked for.
fn tell_groups(parts: &[Store], column: &str, fractions: &[f64], report: Reporter) {
    let all: usize = parts.iter().map(Store::n_samples).sum();
    for (part, asked) in parts.iter().zip(fractions) {
        let mut sizes: Vec<(&str, usize)> = Vec::new();
        let labels = part.samples().column(column).unwrap_or_default();
        let (known, blank): (Vec<&String>, Vec<&String>) =
            labels.iter().partition(|l| !split::is_unlabelled(l));
        for label in known {
            match sizes.iter_mut().find(|(name, _)| name == label) {
                Some((_, n)) => *n += 1,
                None => sizes.push((label, 1)),
            }
        }
        sizes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let mut names: Vec<String> =
            sizes.iter().take(NAMED).map(|(name, n)| format!("{} {n}", visible::line(name))).collect();
        if sizes.len() > NAMED {
            names.push(format!("{} more", sizes.len() - NAMED));
        }
        if !blank.is_empty() {
            names.push(format!("without a label {}", blank.len()));
        }
        let share = part.n_samples() as f64 / all as f64;
        let name =
            part.path().file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let text = format!(
            "{name}: {:.1} % of the samples, {:.1} % asked for; {} groups by {column}: {}",
            100.0 * share,
            100.0 * asked,
            sizes.len(),
            names.join(", ")
        );
        report(if (share - asked).abs() > OFF * asked { Event::Warning(text) } else { Event::Note(text) });
    }
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
        if let Some(column) = &self.options.group_by {
            tell_groups(&parts, column, fractions, bench.report);
            split::warn_of_unlabelled(&store, column, bench.report);
        }
        Ok(facts(Facts { samples: parts.iter().map(Store::n_samples).collect() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genes::Table;
    use std::sync::Mutex;

    #[test]
    fn groups_are_told_and_blank_labels_are_unknown() {
        let mut samples = Table::numbered("sample_id", "s", 40);
        let label = |s: usize| match s {
            0..30 => "GSE1".to_string(),
            30..36 => "GSE2".into(),
            36 => "NA".into(),
            _ => " ".into(),
        };
        samples.set_column("accession", (0..40).map(label).collect());
        let store =
            Store::in_memory("all", vec![1.0; 40], samples, Table::numbered("gene_id", "g", 1)).unwrap();
        let parts = split::parts(&store, &[0.8, 0.2], Draw::Groups("accession"), 3).unwrap();
        let said = Mutex::new(Vec::new());
        let report = |event| match event {
            Event::Warning(text) => said.lock().unwrap().push(format!("warning: {text}")),
            Event::Note(text) => said.lock().unwrap().push(text),
            _ => {}
        };
        tell_groups(&parts, "accession", &[0.8, 0.2], &report);
        split::warn_of_unlabelled(&store, "accession", &report);
        let said = said.into_inner().unwrap().join("\n");
        assert!(said.contains("GSE1 30") && said.contains("GSE2 6") && said.contains("asked for"), "{said}");
        assert!(said.contains("warning: 4 of 40 samples of all have no label in accession"), "{said}");
        let one = split::groups(&store, Some("accession")).unwrap();
        assert_eq!(one.len(), 2 + 4, "each unlabelled sample by itself");
        let strata = split::parts(&store, &[0.5, 0.5], Draw::Strata("accession"), 3).unwrap();
        let blank = |part: &Store| {
            let labels = part.samples().column("accession").unwrap();
            labels.iter().filter(|label| split::is_unlabelled(label)).count()
        };
        assert_eq!(strata.iter().map(blank).collect::<Vec<_>>(), [2, 2], "they are spread as one stratum");
    }
}
