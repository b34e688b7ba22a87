//! The library's primitives by short names: what all figures are drawn with.

use std::fmt::Write;

use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};

use super::look::{FAMILY, Look};
use super::text;

/// A place, in units from the upper left corner.
pub(super) type Point = (f64, f64);

/// The lengths of a dash and of a gap.
pub(super) type Dash = (f64, f64);

/// The dashes along a line, as a path.
fn dashes(points: &[Point], (dash, gap): Dash) -> String {
    let (mut d, mut at, mut down) = (String::new(), 0.0, false);
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let place = |t: f64| (from.0 + (to.0 - from.0) * t / length, from.1 + (to.1 - from.1) * t / length);
        let mut t = 0.0;
        while t < length {
            let drawn = at < dash;
            if drawn && !down {
                let (x, y) = place(t);
                let _ = write!(d, "M{x:.1} {y:.1}");
            }
            let step = (if drawn { dash } else { dash + gap } - at).min(length - t);
            (t, at, down) = (t + step, at + step, drawn);
            if drawn {
                let (x, y) = place(t);
                let _ = write!(d, "L{x:.1} {y:.1}");
            }
            if at >= dash + gap - 1e-9 {
                (at, down) = (0.0, false);
            }
        }
    }
    d
}

/// Where a text's point is.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    Start,
    Middle,
    End,
}

/// A picture under way.
pub(super) struct Canvas {
    scene: Scene,
}

impl Canvas {
    pub fn new(width: f64, height: f64, look: &Look) -> Canvas {
        let mut scene = Scene::new(width, height.ceil()).with_background(Some(look.paper));
        scene.text_color = Some(look.ink.into());
        scene.font_family = Some(FAMILY.into());
        Canvas { scene }
    }

    pub fn scene(self) -> Scene {
        self.scene
    }

    /// A straight line; `dash` is the length of dashes and of the gaps between them.
    pub fn line(&mut self, from: Point, to: Point, colour: &str, width: f64, dash: Option<Dash>) {
        self.curve(vec![from, to], colour, width, dash);
    }

    /// A line through points. Dashes are drawn one by one: the library's PNGs have none.
    pub fn curve(&mut self, points: Vec<Point>, colour: &str, width: f64, dash: Option<Dash>) {
        match dash {
            Some(dash) => self.path(dashes(&points, dash), None, (colour, width)),
            None => self.scene.add(Primitive::PolyLine {
                points,
                stroke: Color::from(colour),
                stroke_width: width,
                stroke_dasharray: None,
            }),
        }
    }

    /// A closed area without a border.
    pub fn area(&mut self, points: &[Point], colour: &str, opacity: f64) {
        let mut d = kuva::render::render::build_path(points);
        d.push('Z');
        self.path(d, Some((colour, opacity)), ("none", 0.0));
    }

    /// A path in SVG's words, filled (colour, opacity) or not, and its border (colour, width).
    pub fn path(&mut self, d: String, fill: Option<(&str, f64)>, border: (&str, f64)) {
        self.scene.add(Primitive::Path(Box::new(kuva::render::render::PathData {
            d,
            fill: fill.map(|(colour, _)| Color::from(colour)),
            stroke: Color::from(border.0),
            stroke_width: border.1,
            opacity: fill.map(|(_, opacity)| opacity).filter(|opacity| *opacity < 1.0),
            stroke_dasharray: None,
        })));
    }

    pub fn dot(&mut self, (cx, cy): Point, r: f64, colour: &str, opacity: f64) {
        self.scene.add(Primitive::Circle {
            cx,
            cy,
            r,
            fill: Color::from(colour),
            fill_opacity: Some(opacity).filter(|opacity| *opacity < 1.0),
            stroke: None,
            stroke_width: None,
        });
    }

    /// A dot with a border.
    pub fn ringed(&mut self, (cx, cy): Point, r: f64, colour: &str, border: (&str, f64)) {
        self.scene.add(Primitive::Circle {
            cx,
            cy,
            r,
            fill: Color::from(colour),
            fill_opacity: None,
            stroke: Some(Color::from(border.0)),
            stroke_width: Some(border.1),
        });
    }

    pub fn rect(&mut self, (x, y): Point, width: f64, height: f64, colour: &str) {
        self.scene.add(Primitive::Rect {
            x,
            y,
            width,
            height,
            fill: Color::from(colour),
            stroke: None,
            stroke_width: None,
            opacity: None,
        });
    }

    /// What `draw` draws, with a name that shows under the pointer.
    pub fn named(&mut self, title: &str, draw: impl FnOnce(&mut Canvas)) {
        let title = text::whole(title);
        let name = title.split_once('\u{2002}').map_or(title.as_str(), |(name, _)| name);
        let attributes = format!("data-name=\"{}\"", text::attribute(name));
        self.scene.add(Primitive::GroupStart {
            transform: None,
            title: Some(title),
            extra_attrs: Some(attributes),
        });
        draw(self);
        self.scene.add(Primitive::GroupEnd);
    }

    /// Text whose base line begins, ends or has its middle at a point.
    pub fn text(&mut self, (x, y): Point, text: &str, size: u32, anchor: At, colour: &str) {
        let anchor = match anchor {
            At::Start => TextAnchor::Start,
            At::Middle => TextAnchor::Middle,
            At::End => TextAnchor::End,
        };
        let content = text::drawn(text);
        let color = Some(Color::from(colour));
        self.scene.add(Primitive::Text { x, y, content, size, anchor, rotate: None, bold: false, color });
    }
}
