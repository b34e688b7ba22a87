//! Text as other programs save it, made UTF-8 with line feeds while it is read: byte-order marks, UTF-16, and lines that end
//! with a carriage return alone. What is so already passes through untouched.

use std::io::{self, Cursor, Read};

/// How far the first line's end is looked for.
const FIRST_LINE: usize = 64 << 20;

/// The order of the bytes of UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Utf16 {
    Little,
    Big,
}

/// The encoding that `start` tells by its mark, or by a NUL beside every letter, and the length of the mark.
fn utf16(start: &[u8]) -> Option<(Utf16, usize)> {
    let pairs = &start[..start.len().min(64) & !1];
    let letters = |nul: usize| {
        pairs.len() >= 8 && pairs.chunks(2).all(|p| p[nul] == 0 && p[1 - nul] != 0 && p[1 - nul] < 0x80)
    };
    match start {
        [0xff, 0xfe, ..] => Some((Utf16::Little, 2)),
        [0xfe, 0xff, ..] => Some((Utf16::Big, 2)),
        _ if letters(1) => Some((Utf16::Little, 0)),
        _ if letters(0) => Some((Utf16::Big, 0)),
        _ => None,
    }
}

/// The beginning of a file as the text that it is, for recognising formats; anything else as it was.
pub(super) fn start(start: Vec<u8>) -> Vec<u8> {
    if let Some(text) = start.strip_prefix(b"\xEF\xBB\xBF") {
        return text.to_vec();
    }
    let Some((order, mark)) = utf16(&start) else { return start };
    let mut decoder = Decoder::new(order);
    match decoder.push(&start[mark..]) {
        Ok(()) => decoder.text,
        Err(_) => start,
    }
}

/// The text of `input`.
pub(super) fn text(mut input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let start = super::read_start(&mut input, 64)?;
    if let Some((order, mark)) = utf16(&start) {
        let input = Cursor::new(start[mark..].to_vec()).chain(input);
        let decoded = Decoded { input, decoder: Decoder::new(order), at: 0, piece: vec![0; 1 << 16] };
        return line_feeds(Vec::new(), Box::new(decoded));
    }
    let mark = if start.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    line_feeds(start[mark..].to_vec(), input)
}

/// `start` and what follows it in `input`; where the first line ends with a carriage return alone, each one ends a line.
fn line_feeds(mut start: Vec<u8>, mut input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let ends = |text: &[u8]| memchr::memchr2(b'\r', b'\n', text).filter(|end| end + 1 < text.len());
    let mut more = true;
    while more && start.len() < FIRST_LINE && ends(&start).is_none() {
        let before = start.len();
        start.extend(super::read_start(&mut input, 1 << 16)?);
        more = start.len() > before;
    }
    let alone = ends(&start).is_some_and(|end| start[end] == b'\r' && start[end + 1] != b'\n');
    let input = Cursor::new(start).chain(input);
    Ok(if alone { Box::new(CarriageReturns(input)) } else { Box::new(input) })
}

/// Carriage returns read as line feeds.
struct CarriageReturns<R>(R);

impl<R: Read> Read for CarriageReturns<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buffer)?;
        buffer[..n].iter_mut().filter(|b| **b == b'\r').for_each(|b| *b = b'\n');
        Ok(n)
    }
}

/// UTF-16 read as UTF-8.
struct Decoded<R> {
    input: R,
    decoder: Decoder,
    /// How much of the decoder's text is handed out.
    at: usize,
    piece: Vec<u8>,
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.decoder.text.len() {
            (self.at, self.decoder.text) = (0, Vec::new());
            let n = self.input.read(&mut self.piece)?;
            if n == 0 {
                return self.decoder.end().map(|()| 0);
            }
            self.decoder.push(&self.piece[..n])?;
        }
        let text = &self.decoder.text[self.at..];
        let n = text.len().min(buffer.len());
        buffer[..n].copy_from_slice(&text[..n]);
        self.at += n;
        Ok(n)
    }
}

struct Decoder {
    order: Utf16,
    /// The first byte of a unit, and the first unit of a pair, whose others have not come.
    byte: Option<u8>,
    unit: Option<u16>,
    text: Vec<u8>,
}

impl Decoder {
    fn new(order: Utf16) -> Decoder {
        Decoder { order, byte: None, unit: None, text: Vec::new() }
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        for &byte in bytes {
            let Some(first) = self.byte.take() else {
                self.byte = Some(byte);
                continue;
            };
            let unit = match self.order {
                Utf16::Little => u16::from_le_bytes([first, byte]),
                Utf16::Big => u16::from_be_bytes([first, byte]),
            };
            if self.unit.is_none() && (0xd800..0xdc00).contains(&unit) {
                self.unit = Some(unit);
                continue;
            }
            for letter in char::decode_utf16(self.unit.take().into_iter().chain([unit])) {
                let letter = letter.map_err(|_| damaged())?;
                self.text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Ok(())
    }

    /// The end of the file, where nothing may be left over.
    fn end(&self) -> io::Result<()> {
        if self.byte.is_none() && self.unit.is_none() { Ok(()) } else { Err(damaged()) }
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it begins as UTF-16 text and goes on as something else")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: Vec<u8>) -> io::Result<String> {
        let mut read = String::new();
        text(Box::new(Cursor::new(bytes)))?.read_to_string(&mut read).map(|_| read)
    }

    fn encoded(text: &str, mark: bool, big: bool) -> Vec<u8> {
        let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn every_encoding_becomes_the_same_text() {
        let long = format!("gene\tµ\u{1F9EC}\r\n{}", "TP53\t1\r\n".repeat(40_000));
        for wanted in ["", "a", "gene,S1\nTP53,1\n", "gene,S1", "gene\r\nTP53\r\n", &long] {
            assert_eq!(read(wanted.into()).unwrap(), wanted);
            assert_eq!(read(format!("\u{feff}{wanted}").into()).unwrap(), wanted);
            for big in [false, true] {
                assert_eq!(read(encoded(wanted, true, big)).unwrap(), wanted);
                if wanted.is_ascii() && wanted.len() > 3 {
                    assert_eq!(read(encoded(wanted, false, big)).unwrap(), wanted);
                    assert_eq!(start(encoded(wanted, false, big)), wanted.as_bytes());
                }
            }
        }
        assert_eq!(read(b"gene,S1\rTP53,1\rEGFR,2".to_vec()).unwrap(), "gene,S1\nTP53,1\nEGFR,2");
        assert_eq!(read(encoded("gene,S1\rTP53,1\r", true, false)).unwrap(), "gene,S1\nTP53,1\n");
        let wide = format!("{}\r1\r", "x,".repeat(100_000));
        assert_eq!(read(wide.clone().into()).unwrap(), wide.replace('\r', "\n"));
    }

    #[test]
    fn what_only_begins_as_utf16_is_refused() {
        let mut bytes = encoded("gene\tS1\n", true, false);
        bytes.push(b'x');
        assert!(read(bytes.clone()).is_err());
        bytes.extend([0xd8, 0x41, 0x00]);
        assert!(read(bytes).is_err());
        assert_eq!(start(vec![0, 1, 2]), [0, 1, 2]);
    }
}
