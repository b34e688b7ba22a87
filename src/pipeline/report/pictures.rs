//! The figures of a run, each in the section that it belongs to.

use std::path::Path;

use super::Run;
use crate::error::Result;
use crate::progress::Reporter;
use crate::report::{Block, Picture, Section};

/// Figures by the beginning of their names: in which section they are, and the stage that what they show is made by. One that
/// no row has is in a section of its own.
const PLACES: [(&str, &str, Option<&str>); 13] = [
    ("learning", "good", None), // as far as training came
    ("evaluation", "good", Some("evaluate")),
    ("density", "against", Some("compare")),
    ("mae-against", "against", Some("compare")),
    ("pcc-against", "against", Some("compare")),
    ("error-by", "against", Some("compare")),
    ("overlap", "against", Some("select")),
    ("scores", "landmarks", Some("attribute")),
    ("stability", "landmarks", Some("stability")),
    ("heatmap", "landmarks", Some("select")),
    ("map", "samples", Some("split")),
    ("tree", "samples", Some("cluster")),
    ("enrichment", "sets", Some("enrich")),
];

/// Figures that no section has taken yet, each with the section that it is for.
pub struct Pictures {
    left: Vec<(&'static str, Picture)>,
}

impl Pictures {
    /// Those of a run's folder that show what its finished stages made.
    ///
    /// # Errors
    /// A figure that cannot be drawn.
    pub fn of(run: &Run, report: Reporter) -> Result<Pictures> {
        let mut left = Vec::new();
        let mut all = drawn(run.folder, report)?;
        for (word, section, stage) in PLACES {
            let (these, others): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|one| one.name.starts_with(word));
            all = others;
            let there = stage.is_none_or(|stage| run.has(stage));
            left.extend(these.into_iter().filter(|_| there).map(|picture| (section, picture)));
        }
        left.extend(all.into_iter().map(|picture| ("figures", picture)));
        thinned(&mut left);
        Ok(Pictures { left })
    }

    /// Takes those of a section.
    pub fn take(&mut self, section: &str) -> Option<Block> {
        let (taken, left) =
            std::mem::take(&mut self.left).into_iter().partition(|(place, _)| *place == section);
        self.left = left;
        let taken: Vec<(&str, Picture)> = taken;
        (!taken.is_empty()).then(|| Block::Figures(taken.into_iter().map(|(_, picture)| picture).collect()))
    }

    /// What no section took.
    pub fn rest(mut self) -> Option<Section> {
        Section::new("figures", "More figures", self.take("figures").into_iter().collect())
    }
}

/// Leaves out what another figure shows: round trees but for the first space, and the map by components where clusters have maps.
fn thinned(pictures: &mut Vec<(&'static str, Picture)>) {
    let round = |picture: &Picture| picture.name.starts_with("tree") && picture.name.ends_with("-circular");
    let first = pictures.iter().position(|(_, picture)| round(picture));
    let has_maps = pictures.iter().any(|(_, picture)| picture.name.starts_with("map-"));
    let mut at = 0;
    pictures.retain(|(_, picture)| {
        at += 1;
        !(has_maps && picture.name == "map" || round(picture) && Some(at - 1) != first)
    });
}

#[cfg(not(feature = "figures"))]
fn drawn(_: &Path, _: Reporter) -> Result<Vec<Picture>> {
    Ok(Vec::new())
}

#[cfg(feature = "figures")]
fn drawn(folder: &Path, report: Reporter) -> Result<Vec<Picture>> {
    use crate::figures::{Figure, Theme, of};
    use crate::progress::Event;

    // A page without figures is better than none, and of a run that has just begun there are none.
    let figures = of(folder).unwrap_or_else(|error| {
        report(Event::Warning(format!("the page has no figures: {error}")));
        Vec::new()
    });
    let picture = |figure: &Figure| {
        let (light, dark) = (figure.svg(Theme::Light)?, figure.svg(Theme::Dark)?);
        Ok(Picture::new(&figure.name, &figure.title, &figure.caption, &light, Some(&dark)))
    };
    figures.iter().map(picture).collect()
}
