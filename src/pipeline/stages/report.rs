//! All that a run made → one page for a browser.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::nouns::counted;
use crate::pipeline::{Input, Output, Stage, Workbench, facts, report};
use crate::progress::Event;
use crate::report::{Block, Page, render};
use crate::store::atomic;

/// What the stage is called.
pub const NAME: &str = "report";

/// Writes the page of a run's folder.
pub struct Report {
    /// The run's folder.
    pub folder: PathBuf,
    /// The page to write.
    pub page: PathBuf,
    /// What the other stages of the run wrote.
    pub made: Vec<PathBuf>,
    /// What the page tells of besides: the other stages' settings, and the configuration.
    pub told: Value,
}

/// What there is to tell of a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Its length.
    pub bytes: usize,
    /// Tables in it.
    pub tables: usize,
    /// Figures in it.
    pub figures: usize,
}

impl Facts {
    /// In words.
    pub fn said(&self) -> String {
        let size = self.bytes as f64 / 1e6;
        format!("{size:.1} MB, {}, {}", counted(self.tables, "table"), counted(self.figures, "figure"))
    }

    fn of(page: &Page, html: &str) -> Facts {
        let (mut tables, mut figures) = (0, 0);
        for block in page.sections.iter().flat_map(|section| &section.blocks) {
            match block {
                Block::Table(_) => tables += 1,
                Block::Figures(pictures) => figures += pictures.len(),
                _ => {}
            }
        }
        Facts { bytes: html.len(), tables, figures }
    }
}

impl Stage for Report {
    fn name(&self) -> String {
        NAME.into()
    }

    fn inputs(&self) -> Vec<Input> {
        self.made.iter().map(|path| Input::new("made", path)).collect()
    }

    fn settings(&self) -> Value {
        self.told.clone()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::File(self.page.clone())]
    }

    fn compute(&self, bench: &mut Workbench) -> Result<Value> {
        let page = report::page(&self.folder, bench.report)?;
        let html = render(&page)?;
        atomic::write_file(&self.page, bench.force, |out| {
            out.write_all(html.as_bytes()).map_err(Error::io(&self.page, "writing"))
        })?;
        if let Some(how_far) = &page.unfinished {
            (bench.report)(Event::Warning(format!("{}: unfinished: {how_far}", self.folder.display())));
        }
        Ok(facts(Facts::of(&page, &html)))
    }
}
