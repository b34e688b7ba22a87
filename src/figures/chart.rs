//! Two axes, what is said above them, and the keys to what is between them: never over the data.

use super::axis::Axis;
use super::canvas::{At, Canvas, Dash, Point};
use super::look::{COLUMN, LABEL, Look, SMALL};
use super::text::{name, width};

/// Height of a line of small letters.
pub(super) const LINE: f64 = 13.0;
/// The dashes of several things that stand back.
pub(super) const DASHES: [Dash; 3] = [(4.0, 2.0), (1.5, 1.8), (7.0, 2.0)];
/// Right of the last tick.
const RIGHT: f64 = 10.0;

/// What a key shows before its word.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    /// A line, whole or in dashes.
    Line(Option<Dash>),
    Dot,
    Box,
}

/// A key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub label: String,
    pub colour: String,
    pub sign: Sign,
}

impl Key {
    pub fn new(label: &str, colour: &str, sign: Sign) -> Key {
        Key { label: name(label, 42), colour: colour.into(), sign }
    }

    fn width(&self) -> f64 {
        19.0 + width(&self.label, SMALL) + 9.0
    }

    fn draw(&self, canvas: &mut Canvas, look: &Look, (x, y): Point) {
        let middle = y - 3.2;
        match self.sign {
            Sign::Line(dash) => canvas.line((x, middle), (x + 14.0, middle), &self.colour, 1.8, dash),
            Sign::Dot => canvas.dot((x + 8.0, middle), 3.0, &self.colour, 1.0),
            Sign::Box => canvas.rect((x + 2.0, middle - 4.0), 11.0, 8.0, &self.colour),
        }
        canvas.text((x + 18.0, y), &self.label, SMALL, At::Start, look.ink);
    }
}

/// Draws keys in rows from a corner; returns the height that they took.
pub(super) fn keys(canvas: &mut Canvas, look: &Look, keys: &[Key], (left, top): Point, room: f64) -> f64 {
    let rows = rows(keys, room);
    for (row, keys) in rows.iter().enumerate() {
        let mut x = left;
        for key in keys {
            key.draw(canvas, look, (x, top + 10.0 + row as f64 * LINE));
            x += key.width();
        }
    }
    rows.len() as f64 * LINE
}

/// Keys by rows that fit.
fn rows(keys: &[Key], room: f64) -> Vec<Vec<&Key>> {
    let (mut rows, mut used): (Vec<Vec<&Key>>, f64) = (Vec::new(), f64::INFINITY);
    for key in keys {
        if used + key.width() - 9.0 > room {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += key.width();
        rows.last_mut().expect("one was begun").push(key);
    }
    rows
}

/// A chart without its content.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub x: Axis,
    pub y: Axis,
    /// Of what and of how many, in small letters above.
    pub note: String,
    pub keys: Vec<Key>,
    /// Room below the keys for what a figure draws there itself.
    pub room: f64,
    /// Of the field between the axes; nothing for a square.
    pub height: Option<f64>,
}

/// The field between the axes.
pub(super) struct Field<'a> {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    x: &'a Axis,
    y: &'a Axis,
}

impl Field<'_> {
    /// Where a value is; nothing for one that is not finite.
    pub fn point(&self, x: f64, y: f64) -> Option<Point> {
        Some((self.left + self.x.at(x)? * self.width, self.top + (1.0 - self.y.at(y)?) * self.height))
    }

    /// Several, without those that are not finite.
    pub fn points<'b>(&self, values: impl IntoIterator<Item = &'b (f64, f64)>) -> Vec<Point> {
        values.into_iter().filter_map(|(x, y)| self.point(*x, *y)).collect()
    }
}

impl Chart {
    /// Draws the axes, the note and the keys; the field is for the content.
    pub fn open(&self, look: &Look) -> (Canvas, Field<'_>) {
        let widest = self.y.ticks.iter().map(|(_, text)| width(text, SMALL)).fold(0.0, f64::max);
        let left = (14.0 + widest).ceil().max(RIGHT + 4.0);
        let last = self
            .x
            .ticks
            .iter()
            .filter(|(x, _)| self.x.at(*x).is_some_and(|at| at > 0.96))
            .map(|tick| &tick.1);
        let room = COLUMN - left - last.map(|text| width(text, SMALL) / 2.0 + 3.0).fold(RIGHT, f64::max);
        let wide = COLUMN - 2.0 * RIGHT;
        let notes = lines(&self.note, wide, SMALL);
        let above = 4.0
            + (notes.len() + rows(&self.keys, wide).len()) as f64 * LINE
            + self.room
            + if self.y.label.is_empty() { 8.0 } else { 10.0 + LINE };
        let height = self.height.unwrap_or(room);
        let mut canvas = Canvas::new(COLUMN, above + height + 36.0, look);
        for (i, line) in notes.iter().enumerate() {
            canvas.text((RIGHT, 13.0 + i as f64 * LINE), line, SMALL, At::Start, look.faint);
        }
        keys(&mut canvas, look, &self.keys, (RIGHT, 4.0 + notes.len() as f64 * LINE), wide);
        let field = Field { left, top: above, width: room, height, x: &self.x, y: &self.y };
        self.axes(&mut canvas, look, &field);
        (canvas, field)
    }

    fn axes(&self, canvas: &mut Canvas, look: &Look, field: &Field) {
        let (left, bottom, right) = (field.left, field.top + field.height, field.left + field.width);
        canvas.line((left, field.top), (left, bottom), look.ink, 0.8, None);
        canvas.line((left, bottom), (right, bottom), look.ink, 0.8, None);
        for (x, text) in apart(&self.x, field.width) {
            let x = left + x * field.width;
            canvas.line((x, bottom), (x, bottom + 3.5), look.ink, 0.8, None);
            canvas.text((x, bottom + 13.0), text, SMALL, At::Middle, look.ink);
        }
        for (y, text) in self.y.ticks.iter().filter_map(|(y, text)| self.y.at(*y).map(|y| (y, text))) {
            let y = bottom - y * field.height;
            canvas.line((left - 3.5, y), (left, y), look.ink, 0.8, None);
            canvas.text((left - 5.5, y + 3.2), text, SMALL, At::End, look.ink);
        }
        canvas.text((left + field.width / 2.0, bottom + 28.0), &self.x.label, LABEL, At::Middle, look.ink);
        canvas.text((RIGHT, field.top - 8.0), &self.y.label, LABEL, At::Start, look.ink);
    }
}

/// The ticks of an axis whose texts do not run into each other.
fn apart(axis: &Axis, room: f64) -> Vec<(f64, &str)> {
    let mut kept: Vec<(f64, &str)> = Vec::new();
    let mut free = f64::NEG_INFINITY;
    for (x, text) in axis.ticks.iter().filter_map(|(x, text)| axis.at(*x).map(|x| (x, text.as_str()))) {
        let half = width(text, SMALL) / 2.0;
        if x * room - half >= free {
            kept.push((x, text));
            free = x * room + half + 4.0;
        }
    }
    kept
}

/// A text in lines that fit.
pub(super) fn lines(text: &str, room: f64, size: u32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(word, size) + width(" ", size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}
