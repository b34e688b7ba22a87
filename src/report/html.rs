//! The page as HTML. Whatever comes from a file passes one of two gates on its way: the formatter, which shows what would steer
//! a reader and escapes for HTML, or [`json`], which does so for JSON in a script element.

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error as Failure, Output, State, Value, context};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{Cell, Page, Table};
use crate::error::{Error, Result};
use crate::visible;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page as one file that loads nothing. The same page gives the same bytes.
///
/// # Errors
/// [`Error::Data`] where the template does not fit the page.
pub fn render(page: &Page) -> Result<String> {
    let failed = |e: Failure| Error::Data(format!("the page cannot be written: {e:#}"));
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(shown);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_function("rows", |table: Value| Value::from_safe_string(rows(&table)));
    environment.add_template("page", TEMPLATE).map_err(failed)?;
    let template = environment.get_template("page").map_err(failed)?;
    let tables: Vec<Value> =
        tables(page).into_iter().map(|table| Value::from_safe_string(json(table))).collect();
    let html = template.render(context! {
        page => page,
        tables => tables,
        style => Value::from_safe_string(STYLE.into()),
        script => Value::from_safe_string(SCRIPT.into()),
        script_hash => Value::from_safe_string(base64(&Sha256::digest(SCRIPT.as_bytes()))),
    });
    html.map_err(failed)
}

fn tables(page: &Page) -> Vec<&Table> {
    let blocks = page.sections.iter().flat_map(|section| &section.blocks);
    blocks
        .filter_map(|block| match block {
            super::Block::Table(table) => Some(table),
            _ => None,
        })
        .collect()
}

/// What every expression of the template passes: text that is not ours is made visible and escaped.
fn shown(out: &mut Output, state: &State, value: &Value) -> std::result::Result<(), Failure> {
    match value.as_str() {
        Some(text) if !value.is_safe() => {
            minijinja::escape_formatter(out, state, &Value::from(visible::text(text).into_owned()))
        }
        _ if value.kind() == ValueKind::None => Ok(()),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// The rows of a table that stand in the page without a script.
fn rows(table: &Value) -> String {
    let get = |key: &str| table.get_attr(key).unwrap_or_default();
    let digits: Vec<Option<usize>> = (get("columns").try_iter().into_iter().flatten())
        .map(|column| column.get_attr("digits").ok().and_then(|digits| usize::try_from(digits).ok()))
        .collect();
    let most = usize::try_from(get("shown")).unwrap_or(0);
    let rows = get("rows").try_iter().into_iter().flatten().take(most);
    rows.map(|row| format!("<tr>{}</tr>\n", cells(&row, &digits))).collect()
}

fn cells(row: &Value, digits: &[Option<usize>]) -> String {
    let cell = |(value, digits): (Value, &Option<usize>)| match digits {
        Some(digits) => format!("<td class=n>{}</td>", numeral(&value, *digits)),
        None => words(value.as_str().unwrap_or("–")),
    };
    row.try_iter().into_iter().flatten().zip(digits).map(cell).collect()
}

/// A cell of words, which may be long.
fn words(text: &str) -> String {
    let class = if visible::line(text).chars().count() > 24 { " class=w" } else { "" };
    format!("<td{class}>{}</td>", escaped(text))
}

/// A number with so many digits after the point, or a dash.
fn numeral(value: &Value, digits: usize) -> String {
    match f64::try_from(value.clone()) {
        Ok(x) => format!("{x:.digits$}").replace('-', "−"),
        Err(_) => value.as_str().map_or_else(|| "–".to_string(), escaped),
    }
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible::line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A table as JSON for a script element: nothing in it ends the element or steers a reader.
fn json(table: &Table) -> String {
    let round = |x: f64, digits: usize| format!("{x:.digits$}").parse().unwrap_or(x);
    let cell = |(cell, digits): (&Cell, Option<usize>)| match cell {
        Cell::Text(text) => Json::from(visible::line(text).into_owned()),
        Cell::Number(x) => Json::from(round(*x, digits.unwrap_or(0))),
        Cell::Missing => Json::Null,
    };
    let digits = || table.columns.iter().map(|column| column.digits);
    let rows: Vec<Vec<Json>> =
        table.rows.iter().map(|row| row.iter().zip(digits()).map(cell).collect()).collect();
    let titles: Vec<Json> =
        table.columns.iter().map(|column| visible::line(&column.title).into_owned().into()).collect();
    let value = serde_json::json!({
        "id": table.id, "columns": titles, "digits": digits().collect::<Vec<_>>(), "rows": rows, "shown": table.shown,
    });
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let word =
            part.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        let letter = |i: usize| match i <= part.len() {
            true => char::from(LETTERS[(word >> (18 - 6 * i)) as usize & 63]),
            false => '=',
        };
        out.extend((0..4).map(letter));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'\u{1b}[2J\u{202e}&amp;";

    fn page() -> Page {
        let columns = vec![Column::words(HOSTILE), Column::numbers("x", 3)];
        let rows = vec![
            vec![Cell::text(HOSTILE), Cell::number(Some(-0.12345))],
            vec![Cell::text("b"), Cell::number(Some(f64::NAN))],
        ];
        let table =
            Table { id: "t", title: HOSTILE.into(), caption: HOSTILE.into(), columns, rows, shown: 5 };
        let copied = Copied { title: HOSTILE.into(), text: HOSTILE.into(), prose: false };
        let blocks = vec![
            Block::Text(HOSTILE.into()),
            Block::Note(HOSTILE.into()),
            Block::Facts(vec![Fact::new(HOSTILE, HOSTILE)]),
            Block::Table(table),
            Block::Copied(copied),
            Block::List(vec![HOSTILE.into()]),
            Block::Figures(vec![Picture::new("fig", HOSTILE, HOSTILE, "<svg><title>a</title></svg>", None)]),
        ];
        Page {
            title: HOSTILE.into(),
            subtitle: HOSTILE.into(),
            unfinished: Some(HOSTILE.into()),
            verdict: vec![Fact::new(HOSTILE, HOSTILE)],
            warnings: vec![HOSTILE.into()],
            sections: Section::new("s", "S", blocks).into_iter().collect(),
            footer: HOSTILE.into(),
        }
    }

    #[test]
    fn what_comes_from_files_is_escaped_everywhere() {
        let html = render(&page()).unwrap();
        assert!(!html.contains("<img") && !html.contains("onerror=alert(1)>"), "{html}");
        assert!(!html.contains('\u{1b}') && !html.contains('\u{202e}'));
        assert_eq!(html.matches("</script>").count(), html.matches("<script").count());
        assert_eq!(html, render(&page()).unwrap());
        // once as HTML, twice over as JSON
        assert!(html.contains("&lt;/script&gt;") && html.contains("\\u003c/script\\u003e"));
        assert!(html.contains("\\u001b[2J") && html.contains("&amp;amp;"));
    }

    #[test]
    fn numbers_are_rounded_and_what_is_missing_is_a_dash() {
        let html = render(&page()).unwrap();
        assert!(html.contains("<td class=n>−0.123</td>") && html.contains("<td class=n>–</td>"));
        assert!(html.contains("-0.123]") && html.contains(",null]"), "{html}");
    }

    #[test]
    fn the_hash_is_that_of_the_standard() {
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }
}
