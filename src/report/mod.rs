//! A page: what there is to tell, as blocks in order, and the one self-contained HTML file that shows them.
//!
//! This folder knows how a page looks and nothing of runs. What a run's page tells is gathered by
//! `pipeline/report`.

mod html;
mod picture;

use serde::Serialize;

pub use html::render;
pub use picture::Picture;

/// A page.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Page {
    /// Its heading, and the window's title.
    pub title: String,
    /// A line below the heading.
    pub subtitle: String,
    /// Where the work has not come to its end: how far it came.
    pub unfinished: Option<String>,
    /// What came out, in a few lines: a word and what it says.
    pub verdict: Vec<Fact>,
    /// What makes the result weak.
    pub warnings: Vec<String>,
    /// Everything else.
    pub sections: Vec<Section>,
    /// The last line.
    pub footer: String,
}

/// A word, and what there is to say under it.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// The word.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Fact {
    /// A fact.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Fact {
        Fact { name: name.into(), text: text.into() }
    }
}

/// A part of the page under a heading.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// What links name it by: lower-case letters and dashes.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What is in it.
    pub blocks: Vec<Block>,
}

impl Section {
    /// A section; `None` without anything in it.
    pub fn new(id: &'static str, title: &'static str, blocks: Vec<Block>) -> Option<Section> {
        (!blocks.is_empty()).then_some(Section { id, title, blocks })
    }
}

/// Something in a section.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "of")]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A paragraph in small print.
    Note(String),
    /// Words and what they say, one a line.
    Facts(Vec<Fact>),
    /// A table.
    Table(Table),
    /// Figures beside and below one another.
    Figures(Vec<Picture>),
    /// Text that is copied as it is: a command, a configuration, a paragraph.
    Copied(Copied),
    /// Numbered lines.
    List(Vec<String>),
}

/// Text to copy.
#[derive(Debug, Clone, Serialize)]
pub struct Copied {
    /// Its heading.
    pub title: String,
    /// The text.
    pub text: String,
    /// Whether it is prose, which is set as such.
    pub prose: bool,
}

/// A table that sorts, filters and copies.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Table {
    /// What links and downloads name it by: lower-case letters and dashes.
    pub id: &'static str,
    /// What is in it.
    pub title: String,
    /// What its figures mean.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, with as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// How many rows are shown before more are asked for.
    pub shown: usize,
}

/// A column of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// Its title.
    pub title: String,
    /// Digits after the point of its numbers; `None` for words.
    pub digits: Option<usize>,
}

impl Column {
    /// Of words.
    pub fn words(title: &str) -> Column {
        Column { title: title.into(), digits: None }
    }

    /// Of numbers.
    pub fn numbers(title: &str, digits: usize) -> Column {
        Column { title: title.into(), digits: Some(digits) }
    }
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number that is finite.
    Number(f64),
    /// What is not known.
    Missing,
}

impl Cell {
    /// A number, where there is one.
    pub fn number(x: Option<f64>) -> Cell {
        x.filter(|x| x.is_finite()).map_or(Cell::Missing, Cell::Number)
    }

    /// Words.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }
}
