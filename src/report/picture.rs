//! Figures in a page: SVG that lies in the HTML itself, with names of its own, in light and dark.

use std::collections::BTreeMap;

use serde::Serialize;

/// A figure.
#[derive(Debug, Clone, Serialize)]
pub struct Picture {
    /// What links and downloads name it by.
    pub name: String,
    /// What is seen.
    pub title: String,
    /// What is seen, in full.
    pub caption: String,
    /// As SVG, by theme: one where colours alone differ, else both.
    pub drawings: Vec<Drawing>,
    /// Colours that differ by theme: a number, and the colour in light and dark.
    pub colours: Vec<Variable>,
}

/// An SVG for a theme.
#[derive(Debug, Clone, Serialize)]
pub struct Drawing {
    /// `light`, `dark` or `both`.
    pub theme: &'static str,
    /// The SVG.
    pub svg: String,
}

impl Picture {
    /// A figure from its SVG in light and, where there is one, in dark.
    pub fn new(name: &str, title: &str, caption: &str, light: &str, dark: Option<&str>) -> Picture {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let one = |theme, svg: &str| Drawing { theme, svg: named_apart(element(svg), &name) };
        let (drawings, colours) = match dark.map(|dark| (recoloured(element(light), element(dark)), dark)) {
            None => (vec![one("both", light)], Vec::new()),
            Some((Some((svg, colours)), _)) => (vec![one("both", &svg)], colours),
            Some((None, dark)) => {
                let drawings = [("light", light), ("dark", dark)];
                let apart = |(theme, svg): (&'static str, &str)| Drawing {
                    theme,
                    svg: named_apart(element(svg), &format!("{name}-{theme}")),
                };
                (drawings.map(apart).into(), Vec::new())
            }
        };
        Picture { title: title.into(), caption: caption.into(), name, drawings, colours }
    }
}

/// The SVG element alone, without what stands before it in a file.
fn element(svg: &str) -> &str {
    svg.find("<svg").map_or(svg, |at| &svg[at..]).trim_end()
}

/// Gives the ids of an SVG, and what refers to them, names that no other figure of the page has. Text between tags stays.
fn named_apart(svg: &str, name: &str) -> String {
    let mut out = String::with_capacity(svg.len() + svg.len() / 50);
    for part in svg.split_inclusive('>') {
        let (text, tag) = part.split_at(part.find('<').unwrap_or(part.len()));
        out.push_str(text);
        let within = tag
            .replace(" id=\"", &format!(" id=\"{name}-"))
            .replace("url(#", &format!("url(#{name}-"))
            .replace("href=\"#", &format!("href=\"#{name}-"));
        out.push_str(&within);
    }
    out
}

/// A variable's number, and its colour in light and dark.
pub type Variable = (usize, String, String);

/// Where two drawings differ in colours alone: one drawing with variables for these, and each variable's colour in both.
fn recoloured(light: &str, dark: &str) -> Option<(String, Vec<Variable>)> {
    let (a, b) = (pieces(light), pieces(dark));
    if a.len() != b.len() {
        return None;
    }
    let mut colours: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut out = String::with_capacity(light.len());
    for (x, y) in a.into_iter().zip(b) {
        match (x, y) {
            (Piece::Colour(x), Piece::Colour(y)) if x != y => {
                let next = colours.len();
                let number = *colours.entry((x, y)).or_insert(next);
                out.push_str(&format!("var(--c{number})"));
            }
            (Piece::Colour(x) | Piece::Other(x), Piece::Colour(y) | Piece::Other(y)) if x == y => {
                out.push_str(x)
            }
            _ => return None,
        }
    }
    let mut colours: Vec<Variable> =
        colours.into_iter().map(|((x, y), number)| (number, x.into(), y.into())).collect();
    colours.sort();
    Some((out, colours))
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    Colour(&'a str),
    Other(&'a str),
}

/// Attributes, and properties of a style, that take colours.
const PAINTED: [&str; 9] = [
    "fill=\"",
    "stroke=\"",
    "stop-color=\"",
    "color=\"",
    "fill:",
    "stroke:",
    "color:",
    "background:",
    "background-color:",
];

/// An SVG cut at the colours of its tags and styles.
fn pieces(svg: &str) -> Vec<Piece<'_>> {
    let (mut all, mut from, mut before) = (Vec::new(), 0, ' ');
    for (at, c) in svg.char_indices() {
        let begins =
            at >= from && matches!(before, ' ' | '"' | ';' | '{') && matches!(c, 'f' | 's' | 'c' | 'b');
        before = c;
        let Some((begin, value)) = begins.then(|| colour(svg, at)).flatten() else { continue };
        all.push(Piece::Other(&svg[from..begin]));
        all.push(Piece::Colour(value));
        from = begin + value.len();
    }
    all.push(Piece::Other(&svg[from..]));
    all
}

/// The colour that an attribute or property has which may begin here, and where it is.
fn colour(svg: &str, at: usize) -> Option<(usize, &str)> {
    let key = PAINTED.iter().find(|key| svg[at..].starts_with(**key))?;
    let value = svg[at + key.len()..].trim_start_matches(' ');
    let begin = svg.len() - value.len();
    let value = &value[..value.find(['"', ';', '}', '<', '>']).unwrap_or(value.len())];
    let is_colour = !value.is_empty() && !value.starts_with("url(") && value != "none" && value.len() <= 40;
    is_colour.then_some((begin, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_two_figures_never_meet_and_text_stays() {
        let svg = "<?xml version=\"1.0\"?>\n<svg><g id=\"a\" clip-path=\"url(#a)\"/><use href=\"#a\"/><title> id=\"a\" url(#a)</title></svg>\n";
        let picture = Picture::new("x y", "", "", svg, None);
        assert_eq!(
            picture.drawings[0].svg,
            "<svg><g id=\"x-y-a\" clip-path=\"url(#x-y-a)\"/><use href=\"#x-y-a\"/><title> id=\"a\" url(#a)</title></svg>"
        );
    }

    #[test]
    fn drawings_that_differ_in_colours_become_one() {
        let [light, dark] = ["#000", "#fff"].map(|ink| {
            format!("<svg><rect fill=\"{ink}\" stroke=\"red\"/><text style=\"fill: {ink};x\">a</text></svg>")
        });
        let picture = Picture::new("x", "", "", &light, Some(&dark));
        assert_eq!(picture.drawings.len(), 1);
        let svg =
            "<svg><rect fill=\"var(--c0)\" stroke=\"red\"/><text style=\"fill: var(--c0);x\">a</text></svg>";
        assert_eq!((picture.drawings[0].theme, picture.drawings[0].svg.as_str()), ("both", svg));
        assert_eq!(picture.colours, [(0, "#000".to_string(), "#fff".to_string())]);
        let other = Picture::new("x", "", "", &light, Some(&dark.replace("rect", "circle")));
        assert_eq!(other.drawings.iter().map(|one| one.theme).collect::<Vec<_>>(), ["light", "dark"]);
    }
}
