//! Text in figures: names from files made visible, cut and measured; the SVG document around what the library draws.

use kuva::render::render::Scene;

use super::look::UNITS_PER_MM;
use crate::visible;

/// A name from a file as a figure shows it: what steers is visible, what XML cannot hold is replaced, the middle of a long name cut out.
pub(super) fn name(text: &str, letters: usize) -> String {
    let clean = clean(text);
    let n = clean.chars().count();
    if n <= letters {
        return clean;
    }
    let (head, tail) = ((letters - 1).div_ceil(2), (letters - 1) / 2);
    let [start, end] = [clean.chars().take(head).collect::<String>(), clean.chars().skip(n - tail).collect()];
    format!("{}…{}", start.trim_end(), end.trim_start())
}

/// A name as a title of a point has it: whole but for the 200th letter.
pub(super) fn whole(text: &str) -> String {
    name(text, 200)
}

fn clean(text: &str) -> String {
    visible::line(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// Text for the library to draw, which takes what lies between two `$` for a formula.
pub(super) fn drawn(text: &str) -> String {
    text.replace('$', "\\$")
}

/// For an attribute between double quotes.
pub(super) fn attribute(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&apos;")
}

/// Width of a text in units, from the advances of DejaVu Sans by kind of letter.
pub(super) fn width(text: &str, size: u32) -> f64 {
    text.chars().map(advance).sum::<f64>() * f64::from(size)
}

/// In ems.
fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' | '.' | ',' | ':' | ';' | ' ' | 'I' | '(' | ')' | '[' | ']' | '/'
        | '\\' => 0.35,
        'f' | 't' | 'r' | '-' | '"' => 0.41,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 0.97,
        '<' | '>' | '=' | '+' | '#' | '~' | '^' | '&' => 0.84,
        'A'..='Z' => 0.7,
        c if c.is_ascii() => 0.62,
        '\u{2000}'.. => 1.0,
        _ => 0.66,
    }
}

/// The library's SVG with a `viewBox`, its size in print, and its title for readers who hear it.
pub(super) fn document(svg: &str, scene: &Scene, title: &str) -> String {
    let (w, h) = (scene.width, scene.height);
    let mm = |units: f64| (units / UNITS_PER_MM * 100.0).round() / 100.0;
    let family = scene.font_family.as_deref().unwrap_or("sans-serif");
    let rest = svg.split_once('>').map_or("", |(_, rest)| rest);
    let ink = scene.text_color.as_deref().unwrap_or("#000000");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{}mm\" height=\"{}mm\" role=\"img\" \
         aria-label=\"{}\" font-family=\"{}\" fill=\"{ink}\">{rest}\n",
        mm(w),
        mm(h),
        attribute(title),
        attribute(family),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_visible_and_cut_in_the_middle() {
        assert_eq!(name("a\u{1b}[31m\u{202e}b", 40), "a\\u001b[31m\\u202eb");
        assert_eq!(name("HLA-DRB1_3123", 9), "HLA-…3123");
        assert_eq!(name("ÄÖÜ", 3), "ÄÖÜ");
        assert_eq!(name("x\u{ffff}", 9), "x\u{fffd}");
        assert_eq!(whole(&"x".repeat(300)).chars().count(), 200);
    }

    #[test]
    fn what_would_end_an_attribute_does_not() {
        assert_eq!(attribute("<a href='x'>&\""), "&lt;a href=&apos;x&apos;&gt;&amp;&quot;");
    }
}
