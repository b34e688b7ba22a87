//! Figures of what the other stages leave: found in a run's folder or made from a single table, drawn as SVG or PNG.
//!
//! [`of`] finds what can be drawn; a [`Figure`] holds its data and draws itself in a [`Theme`]. A figure is a column of a journal
//! wide (85 mm, [`look::COLUMN`] units) and its letters are 6 points high or more there. Names from files are made visible and cut
//! before they are drawn ([`text`]); a point carries its gene or sample in a `<title>` and in `data-name`.

mod against;
mod axis;
mod canvas;
mod chart;
mod clusters;
mod comparison;
mod curves;
mod density;
mod enrichment;
mod evaluation;
mod explanation;
mod find;
mod growth;
mod heatmap;
mod labels;
mod look;
mod map;
mod newick;
mod overlap;
mod ranking;
mod samples;
mod stability;
mod table;
mod text;
mod thin;
mod tree;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kuva::backend::svg::SvgBackend;
use kuva::render::render::Scene;

use crate::error::{Error, Result};
use look::Look;

/// On what a figure is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark on white: paper.
    Light,
    /// Light on near black: screens and slides.
    Dark,
}

impl Theme {
    /// As files and options call it.
    pub fn word(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// A picture and what is to be said of it.
#[derive(Debug, Clone)]
pub struct Figure {
    /// A stem of a file's name: lower-case letters, digits, `-`.
    pub name: String,
    /// A heading.
    pub title: String,
    /// What is seen, in which units, of how many; what was left out.
    pub caption: String,
    /// What draws it.
    drawing: Arc<dyn Draw>,
}

/// What can be drawn.
trait Draw: Debug + Send + Sync {
    /// The picture.
    fn scene(&self, look: &Look) -> Scene;
}

impl Figure {
    fn new(name: &str, title: &str, caption: String, drawing: impl Draw + 'static) -> Figure {
        Figure { name: name.into(), title: title.into(), caption, drawing: Arc::new(drawing) }
    }

    fn scene(&self, theme: Theme) -> Scene {
        self.drawing.scene(&Look::of(theme))
    }

    /// The figure as an SVG document that scales: `<svg …>` with a `viewBox`, and a width and height in mm. The same bytes each time.
    ///
    /// # Errors
    /// None at present; a figure that cannot be drawn is refused by [`of`].
    pub fn svg(&self, theme: Theme) -> Result<String> {
        let scene = self.scene(theme);
        Ok(text::document(&SvgBackend::new().render_scene(&scene), &scene, &self.title))
    }

    /// The figure as PNG, with so many dots an inch at its width in print (85 mm for a column).
    ///
    /// # Errors
    /// [`Error::Usage`] for dots an inch out of 30 to 2,400; [`Error::Data`] for what the encoder refuses.
    pub fn png(&self, theme: Theme, dpi: u32) -> Result<Vec<u8>> {
        if !(30..=2400).contains(&dpi) {
            return Err(Error::Usage(format!("{dpi} dots an inch is out of range; give 30 to 2400")));
        }
        let scale = f64::from(dpi) / 25.4 / look::UNITS_PER_MM;
        let backend = kuva::RasterBackend::new().with_scale(scale as f32);
        let failed = |message| Error::Data(format!("figure {}: {message}", self.name));
        backend.render_scene(&self.scene(theme)).map_err(failed)
    }
}

/// Every figure that can be drawn from a run's folder, another folder that genelift wrote, or a single table.
///
/// # Errors
/// [`Error::Input`] for a path from which nothing can be drawn, and for tables that are damaged.
pub fn of(path: &Path) -> Result<Vec<Figure>> {
    find::of(path)
}

/// As [`of`], of several paths: of two or more lists of landmarks among them also how they overlap.
///
/// # Errors
/// As [`of`].
pub fn of_all(paths: &[PathBuf]) -> Result<Vec<Figure>> {
    let lists: Vec<PathBuf> = paths.iter().filter(|path| find::is_list(path)).cloned().collect();
    let mut found = Vec::new();
    found.extend(find::of_lists(&lists)?);
    for path in paths.iter().filter(|path| lists.len() < 2 || !lists.contains(path)) {
        found.extend(of(path)?);
    }
    Ok(distinct(found))
}

/// Numbers figures whose names are there already.
fn distinct(mut figures: Vec<Figure>) -> Vec<Figure> {
    let mut seen = std::collections::BTreeSet::new();
    for figure in &mut figures {
        let name = figure.name.clone();
        let mut n = 2;
        while !seen.insert(figure.name.clone()) {
            figure.name = format!("{name}-{n}");
            n += 1;
        }
    }
    figures
}
