//! A small file's bytes: read once, unpacked, as UTF-8.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use crate::formats::compressed;

/// The bytes as they lie in the file.
pub(crate) fn raw(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(Error::io(path, "reading"))
}

/// The content of gzip, bzip2 or Zstandard bytes; other bytes are handed back.
pub(crate) fn unpacked(path: &Path, raw: Vec<u8>) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let (mut input, suffix) =
        compressed::unpack(std::io::Cursor::new(raw.as_slice())).map_err(|e| compressed::failed(path, &e))?;
    if suffix.is_empty() {
        drop(input);
        return Ok(raw);
    }
    input.read_to_end(&mut text).map_err(|e| compressed::failed(path, &e))?;
    Ok(text)
}

/// The text: UTF-8, or UTF-16 with its mark, without the mark.
pub(crate) fn decoded<'a>(path: &Path, text: &'a [u8]) -> Result<Cow<'a, str>> {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| -> Result<Cow<'a, str>> {
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let whole = rest.len().is_multiple_of(2);
        let text: Option<String> = char::decode_utf16(units).collect::<std::result::Result<_, _>>().ok();
        let text = text.filter(|_| whole);
        text.map(Cow::Owned)
            .ok_or_else(|| Error::input(path, "is cut off or damaged: it begins as UTF-16 and is not"))
    };
    match text {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
            if let Some(hint) = no_text(text) {
                return Err(Error::input(path, hint));
            }
            std::str::from_utf8(text).map(Cow::Borrowed).map_err(|e| not_utf8(path, text, e.valid_up_to()))
        }
    }
}

/// Why the bytes are no text, if they are not.
fn no_text(text: &[u8]) -> Option<&'static str> {
    match text {
        [b'P', b'K', 3, 4, ..] => Some("is a spreadsheet or another zip, not text; save the sheet as CSV"),
        [0x89, b'H', b'D', b'F', ..] => Some("is HDF5, not a table of text"),
        _ if text.contains(&0) => {
            Some("is not text: it holds zero bytes; save it as UTF-8 (UTF-16 needs a byte-order mark)")
        }
        _ => None,
    }
}

/// The error for text that is not UTF-8 from byte `at` on.
pub(super) fn not_utf8(path: &Path, text: &[u8], at: usize) -> Error {
    let line = 1 + super::layout::line_ends(&text[..at]);
    Error::input(path, format!("line {line} is not UTF-8 (byte 0x{:02x}); save the file as UTF-8", text[at]))
}
