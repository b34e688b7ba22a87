//! `genelift figures`: pictures of what other commands leave.

use std::path::{Path, PathBuf};

use super::print;
use crate::error::{Error, Result};
use crate::figures::{Figure, Theme, of_all};
use crate::store::atomic;

/// Arguments of `figures`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A run's folder, or what single commands wrote: a history, an evaluation, a comparison, a clustering, scores, an enrichment,
    /// a table of stability; several lists of landmarks are held beside each other
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The folder to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Which files to write
    #[arg(long, value_delimiter = ',', default_value = "svg,png")]
    format: Vec<Format>,
    /// On white or on near black; dark ones have -dark at the end of their names
    #[arg(long, value_delimiter = ',', default_value = "light")]
    theme: Vec<Ground>,
    /// The figures to draw, by name or by its beginning [all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// Dots an inch of PNGs, at a column's width of 85 mm
    #[arg(long, value_name = "N", default_value_t = 300)]
    dpi: u32,
    /// Replace outputs that exist
    #[arg(long)]
    force: bool,
}

/// What a figure is written as.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Svg,
    Png,
}

/// A [`Theme`].
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    Light,
    Dark,
}

impl Ground {
    fn theme(self) -> Theme {
        match self {
            Ground::Light => Theme::Light,
            Ground::Dark => Theme::Dark,
        }
    }
}

/// The captions of a folder of figures.
const CAPTIONS: &str = "captions.tsv";

/// Runs the command.
///
/// # Errors
/// Paths from which nothing can be drawn, names that no figure has, and those of [`atomic::write_folder`].
pub fn run(args: &Args) -> Result<()> {
    if !(30..=2400).contains(&args.dpi) {
        return Err(Error::Usage(format!("--dpi {} must be from 30 to 2400", args.dpi)));
    }
    atomic::check_free(&args.output, args.force)?;
    let all = of_all(&args.paths)?;
    let possible: Vec<String> = all.iter().flat_map(|figure| file_names(&figure.name)).collect();
    let names: Vec<&str> = possible.iter().map(String::as_str).chain([CAPTIONS]).collect();
    let figures = args.chosen(all)?;
    let files = args.files(&figures);
    atomic::write_folder(&args.output, args.force, &names, |dir| {
        files.iter().try_for_each(|file| args.write(dir, file))?;
        captions(&dir.join(CAPTIONS), &figures)
    })?;
    let lines = figures.iter().map(|figure| format!("{}  {}\n", figure.name, figure.title));
    print(&lines.collect::<String>())
}

/// A figure's files in every theme and format: those of an earlier call may be replaced.
fn file_names(stem: &str) -> Vec<String> {
    ["", "-dark"]
        .iter()
        .flat_map(|end| ["svg", "png"].map(|ending| format!("{stem}{end}.{ending}")))
        .collect()
}

fn captions(path: &Path, figures: &[Figure]) -> Result<()> {
    let rows = figures.iter().map(|figure| [&figure.name, &figure.title, &figure.caption]);
    crate::genes::writer::write_rows(path, true, ["name", "title", "caption"], rows)
}

impl Args {
    fn chosen(&self, figures: Vec<Figure>) -> Result<Vec<Figure>> {
        let is = |figure: &Figure, name: &String| figure.name.starts_with(name.as_str());
        if let Some(name) = self.only.iter().find(|name| !figures.iter().any(|figure| is(figure, name))) {
            let all: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
            return Err(Error::Usage(format!(
                "--only {name}: no figure has this name; there are: {}",
                all.join(", ")
            )));
        }
        let wanted = |figure: &Figure| self.only.is_empty() || self.only.iter().any(|name| is(figure, name));
        Ok(figures.into_iter().filter(wanted).collect())
    }

    /// Each file's name, and what it is of.
    fn files<'a>(&self, figures: &'a [Figure]) -> Vec<(String, &'a Figure, Format, Theme)> {
        let mut files = Vec::new();
        for figure in figures {
            for theme in [Ground::Light, Ground::Dark].into_iter().filter(|theme| self.theme.contains(theme))
            {
                for format in
                    [Format::Svg, Format::Png].into_iter().filter(|format| self.format.contains(format))
                {
                    let end = if theme == Ground::Dark { "-dark" } else { "" };
                    let ending = if format == Format::Svg { "svg" } else { "png" };
                    files.push((format!("{}{end}.{ending}", figure.name), figure, format, theme.theme()));
                }
            }
        }
        files
    }

    fn write(
        &self,
        dir: &Path,
        (name, figure, format, theme): &(String, &Figure, Format, Theme),
    ) -> Result<()> {
        let bytes = match format {
            Format::Svg => figure.svg(*theme)?.into_bytes(),
            Format::Png => figure.png(*theme, self.dpi)?,
        };
        let path = dir.join(name);
        atomic::write_file(&path, true, |out| out.write_all(&bytes).map_err(Error::io(&path, "writing")))
    }
}
