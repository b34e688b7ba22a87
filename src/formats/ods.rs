//! What `calamine` does not survive in an .ods. It does not look whether elements end, and waits for ends that never come; it writes out as
//! many blanks as `<text:s text:c="…"/>` says, and takes memory for every cell of the rectangle that holds all of them, repeated ones
//! too, however few have a value. So the table's XML is read through first.

use std::io::{BufRead, BufReader};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::zip::Zip;
use crate::error::Result;

/// The part that holds the cells.
const CELLS: &str = "content.xml";
/// Bytes of a cell.
const CELL: u64 = 32;

/// What is wrong with the workbook, if anything is: XML that does not end, or more cells and blanks than `memory` bytes hold.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn damage(zip: &Zip, memory: usize) -> Result<Option<String>> {
    let Some(member) = zip.member(CELLS) else { return Ok(None) };
    Ok(wrong(BufReader::new(zip.read(member)?), memory))
}

fn wrong(xml: impl BufRead, memory: usize) -> Option<String> {
    let mut reader = Reader::from_reader(xml);
    let mut buffer = Vec::new();
    let mut table = Table::default();
    let mut depth = 0u64;
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(element)) => {
                depth += 1;
                table.begin(&element);
            }
            Ok(Event::Empty(element)) => {
                table.begin(&element);
                table.end(element.local_name().as_ref());
            }
            Ok(Event::End(element)) => {
                depth = depth.saturating_sub(1);
                table.end(element.local_name().as_ref());
            }
            Ok(Event::Eof) if depth > 0 => return Some(format!("{CELLS} ends within {depth} elements")),
            Ok(Event::Eof) => return None,
            Err(error) => return Some(format!("{CELLS}, byte {}: {error}", reader.error_position())),
            Ok(_) => {}
        }
        let bytes = table.bytes();
        if bytes > memory as u64 {
            let (bytes, memory) = (bytes >> 20, memory >> 20);
            return Some(format!("its cells and blanks would take {bytes} MiB, --memory is {memory}"));
        }
    }
}

/// The rectangle that the cells of a table fill so far.
#[derive(Default)]
struct Table {
    /// Rows begun, repeated ones counted, and how often the present one is.
    rows: u64,
    repeated: u64,
    /// Cells begun in the present row.
    columns: u64,
    /// Rows and columns up to the last that holds something.
    filled: [u64; 2],
    /// Blanks that are told as a number.
    blanks: u64,
}

impl Table {
    fn begin(&mut self, element: &BytesStart) {
        match element.local_name().as_ref() {
            "table" => *self = Table { blanks: self.blanks, ..Table::default() },
            "table-row" => {
                self.repeated = number(element, "number-rows-repeated").unwrap_or(1);
                self.columns = 0;
            }
            "table-cell" | "covered-table-cell" => {
                let repeated = number(element, "number-columns-repeated").unwrap_or(1);
                self.columns = self.columns.saturating_add(repeated);
                if ["value-type", "formula"].iter().any(|name| text(element, name).is_some()) {
                    self.fill();
                }
            }
            // text of a cell that has no type
            "p" => self.fill(),
            "s" => self.blanks = self.blanks.saturating_add(number(element, "c").unwrap_or(1)),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if name == "table-row" {
            self.rows = self.rows.saturating_add(self.repeated);
        }
    }

    fn fill(&mut self) {
        let rows = self.rows.saturating_add(self.repeated);
        self.filled = [self.filled[0].max(rows), self.filled[1].max(self.columns)];
    }

    fn bytes(&self) -> u64 {
        self.filled[0].saturating_mul(self.filled[1]).saturating_mul(CELL).saturating_add(self.blanks)
    }
}

fn text(element: &BytesStart, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let mut all = attributes.with_checks(false).flatten();
    all.find(|attribute| attribute.key.local_name().as_ref() == name)
        .map(|attribute| attribute.value.to_string())
}

fn number(element: &BytesStart, name: &str) -> Option<u64> {
    text(element, name)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::wrong;

    /// What is found wrong with an .ods of this body.
    fn found(body: &str) -> Option<String> {
        let text = format!("<office:body><office:spreadsheet>{body}</office:spreadsheet></office:body>");
        wrong(text.as_bytes(), 1 << 20)
    }

    #[test]
    fn what_would_wait_or_fill_the_memory_is_found() {
        let cell = r#"<table:table-cell office:value-type="float" office:value="1"/>"#;
        let row = format!("<table:table-row>{cell}{cell}</table:table-row>");
        assert_eq!(found(&format!("<table:table>{row}{row}</table:table>")), None);
        let empty = r#"<table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>"#;
        assert_eq!(
            found(&format!("<table:table>{row}{empty}</table:table>")),
            None,
            "trailing blanks are no cells"
        );
        let wrong = |body: String, what: &str| {
            let said = found(&body).expect("it is refused");
            assert!(said.contains(what), "{said}");
        };
        wrong(format!("<table:table>{row}"), "content.xml");
        wrong("<table:table><office:annotation><table:table-row/></table:table>".into(), "content.xml");
        wrong(format!("<table:table>{row}{empty}{row}</table:table>"), "MiB");
        let many =
            row.replace("<table:table-row>", r#"<table:table-row table:number-rows-repeated="1048576">"#);
        wrong(format!("<table:table>{many}</table:table>"), "MiB");
        let blanks = r#"<table:table-row><table:table-cell><text:p><text:s text:c="99999999999"/></text:p></table:table-cell></table:table-row>"#;
        wrong(format!("<table:table>{blanks}</table:table>"), "MiB");
    }
}
