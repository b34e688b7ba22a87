//! Text from files as a terminal may see it: characters that would steer the terminal are shown, not sent.
//!
//! Everything that the command line prints goes through [`text`] or [`line()`]. Tables on disk keep every byte.

use std::borrow::Cow;

/// Characters that steer: C0 and C1 controls, and those that turn or break the line where nobody sees it.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One line, such as a message or a name in a result: line breaks and tabs are shown as `\n`, `\t`, others as `\u001b`.
pub fn line(text: &str) -> Cow<'_, str> {
    shown(text, steers)
}

/// A result of several lines and columns: its own line breaks and tabs stay.
pub fn text(text: &str) -> Cow<'_, str> {
    shown(text, |c| steers(c) && !matches!(c, '\n' | '\t'))
}

/// Rows of as many cells as there are columns: every cell as [`line()`] has it, padded to its column's width, two spaces apart.
pub fn table<R: AsRef<[String]>>(rows: &[R]) -> String {
    let visible = |row: &R| row.as_ref().iter().map(|cell| line(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(visible).collect();
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let padded = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(padded).collect()
}

fn shown(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            _ if !hidden(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // as JSON has it, so that printed JSON stays JSON
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_shown_and_the_rest_stays() {
        assert_eq!(line("a\u{1b}[2Jb\rc\nd\te\u{7}"), "a\\u001b[2Jb\\rc\\nd\\te\\u0007");
        assert_eq!(line("\u{9b}31m \u{202e}x\u{2066} \u{2028}"), "\\u009b31m \\u202ex\\u2066 \\u2028");
        assert_eq!(text("set\tx\n\u{1b}\u{7f}\r\n"), "set\tx\n\\u001b\\u007f\\r\n");
        let plain = "µ R² × – 基因 \\n";
        assert!(matches!(line(plain), Cow::Borrowed(same) if same == plain));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_visible_cell() {
        let rows = [["set", "R²", ""], ["a\tb", "0.5", "1 of 21"], ["µ", "NA", ""]];
        let rows = rows.map(|row| row.map(String::from));
        assert_eq!(table(&rows), "set   R²\na\\tb  0.5  1 of 21\nµ     NA\n");
        assert_eq!(table::<Vec<String>>(&[]), "");
    }
}
