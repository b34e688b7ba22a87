//! The lines of a text file, plain or packed: one at a time for a header, then in blocks of whole lines. A thread of
//! its own reads and unpacks ahead.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};

use super::digest::Digest;
use super::{ReadSettings, compressed, encoding};
use crate::error::{Error, Result};

/// Share of the memory that a piece of text takes: some wait, one is being read, and of those that are worked on the numbers
/// take twice as much again.
const PIECES: usize = 64;

/// Pieces that wait: enough to go on with the checksum while the top of the file is looked at.
const AHEAD: usize = 5;

/// Share of the memory that all pieces together take which are worked on at once.
const AT_ONCE: usize = 16;

/// The largest piece; larger ones gain nothing.
const PIECE: usize = 1 << 20;

/// Bytes that are taken from the file at a time: they stay in the cache until they are summed up.
const SIP: usize = 1 << 18;

/// A longer line than this is no line of a matrix.
const LONGEST_LINE: usize = 256 << 20;

/// The lines of one file.
pub(super) struct Lines {
    path: PathBuf,
    pieces: Box<dyn Iterator<Item = std::io::Result<Vec<u8>>> + Send>,
    /// Whole lines that have not been handed out, from `at` on.
    text: Vec<u8>,
    at: usize,
    longest: usize,
    /// Bytes that may be worked on at once.
    at_once: usize,
    /// Lines handed out one at a time.
    number: usize,
    consumed: Arc<AtomicU64>,
    bytes: u64,
    /// Takes back the memory of blocks for further ones: new memory costs as much as reading into it.
    used: Sender<Vec<u8>>,
    digest: Option<Digest>,
}

impl Lines {
    /// Opens a file, whatever its encoding.
    pub fn open(path: &Path, settings: &ReadSettings) -> Result<Lines> {
        let consumed = Arc::new(AtomicU64::new(0));
        let bytes = path.metadata().map_err(Error::io(path, "reading"))?.len();
        let (input, digest) = compressed::open_summed(path, consumed.clone())?;
        let mut input = encoding::text(input).map_err(|e| compressed::failed(path, &e))?;
        let size = (settings.memory / PIECES).clamp(1 << 12, PIECE);
        let size = size.min(usize::try_from(bytes).unwrap_or(size).max(1 << 12)); // a small file needs no more
        let longest = LONGEST_LINE.min(settings.memory / 2);
        let (mut over, mut rest) = (false, Vec::new());
        let (used, unused) = channel::<Vec<u8>>();
        let mut pieces = std::iter::from_fn(move || {
            if over {
                return None;
            }
            // A piece begins with the line that the one before it did not end, and ends with a whole line. What an old piece
            // held stays until it is overwritten, so that nothing is zeroed.
            let mut piece = unused.try_recv().unwrap_or_default();
            let mut filled = rest.len();
            grow(&mut piece, filled + size);
            piece[..filled].copy_from_slice(&rest);
            rest.clear();
            loop {
                let before = filled;
                let result = fill(&mut input, &mut piece, &mut filled, size);
                over = result.is_err() || filled < before + size;
                let end = memchr::memrchr(b'\n', &piece[before..filled]);
                match end {
                    Some(end) if !over => {
                        rest.extend_from_slice(&piece[before + end + 1..filled]);
                        filled = before + end + 1;
                    }
                    None if !over && filled <= longest => continue,
                    _ => {}
                }
                piece.truncate(filled);
                return Some(result.map(|()| piece));
            }
        });
        let pieces: Box<dyn Iterator<Item = _> + Send> = if bytes < 1 << 16 {
            Box::new(pieces) // not worth a thread
        } else {
            // The thread ends with the file, with an error, or when nobody listens any more.
            let (send, receive) = sync_channel(AHEAD);
            std::thread::spawn(move || while pieces.next().is_some_and(|piece| send.send(piece).is_ok()) {});
            Box::new(receive.into_iter())
        };
        let mut lines = Lines {
            path: path.to_path_buf(),
            pieces,
            text: Vec::new(),
            at: 0,
            longest,
            at_once: settings.memory / AT_ONCE,
            number: 0,
            consumed,
            bytes,
            used,
            digest: Some(digest),
        };
        lines.more()?;
        Ok(lines)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next line without its end, left in place; `None` at the end of the file.
    pub fn peek(&mut self) -> Result<Option<&[u8]>> {
        if self.at == self.text.len() && !self.more()? {
            return Ok(None);
        }
        let text = &self.text[self.at..];
        Ok(Some(trim_line(&text[..memchr(b'\n', text).unwrap_or(text.len())])))
    }

    /// The next line without its end; `None` at the end of the file.
    pub fn line(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(line) = self.peek()?.map(<[u8]>::to_vec) else { return Ok(None) };
        let text = &self.text[self.at..];
        self.at += memchr(b'\n', text).map_or(text.len(), |end| end + 1);
        self.number += 1;
        Ok(Some(line))
    }

    /// How many lines were handed out one at a time.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The next lines that are not blank, left in place: as many as are in memory, but up to `least` where the file has them.
    pub fn ahead(&mut self, least: usize) -> Result<Vec<&[u8]>> {
        while filled(&self.text[self.at..]).len() < least {
            let mut before = std::mem::take(&mut self.text).split_off(std::mem::take(&mut self.at));
            let more = self.more()?;
            before.append(&mut self.text);
            self.text = before;
            if !more {
                break;
            }
        }
        let mut lines = filled(&self.text[self.at..]);
        lines.retain(|line| !line.trim_ascii().is_empty());
        Ok(lines)
    }

    /// The next line that is not blank, left in place.
    pub fn peek_filled(&mut self) -> Result<Option<&[u8]>> {
        while self.peek()?.is_some_and(|line| line.trim_ascii().is_empty()) {
            self.line()?;
        }
        self.peek()
    }

    /// As [`Lines::line`], as text; the error at the end of the file says that `what` is missing.
    pub fn expect(&mut self, what: &str) -> Result<String> {
        match self.line()? {
            Some(line) => Ok(String::from_utf8_lossy(&line).into_owned()),
            None => Err(Error::input(&self.path, format!("ends before {what}; is it truncated?"))),
        }
    }

    /// How many bytes may be worked on at once.
    pub fn at_once(&self) -> usize {
        self.at_once
    }

    /// The next whole lines, the last one of the file perhaps without its line break.
    pub fn block(&mut self) -> Result<Option<Vec<u8>>> {
        if self.at == self.text.len() && !self.more()? {
            return Ok(None);
        }
        let mut text = std::mem::take(&mut self.text);
        text.drain(..std::mem::take(&mut self.at));
        Ok(Some(text))
    }

    /// Takes back a block that is no longer needed.
    pub fn take_back(&mut self, block: Vec<u8>) {
        let _ = self.used.send(block); // at the end of the file nobody wants it
    }

    /// Replaces the text, which is used up; false at the end of the file.
    fn more(&mut self) -> Result<bool> {
        (self.at, self.text) = (0, Vec::new());
        let Some(piece) = self.pieces.next() else { return Ok(false) };
        self.text = piece.map_err(|e| compressed::failed(&self.path, &e))?;
        if self.text.len() > self.longest && memchr(b'\n', &self.text).is_none() {
            let message = format!(
                "a line is longer than {} MiB; is this a text file with one row a line? If so, --memory allows more",
                self.longest >> 20
            );
            return Err(Error::input(&self.path, message));
        }
        Ok(!self.text.is_empty())
    }

    /// The checksum of the file, which is there when these lines are dropped.
    pub fn digest(&mut self) -> Option<Digest> {
        self.digest.take()
    }

    /// Share of the file that is read, 0 to 1.
    pub fn done(&self) -> f64 {
        self.consumed.load(Ordering::Relaxed) as f64 / self.bytes.max(1) as f64
    }
}

/// Makes a piece at least so long.
fn grow(piece: &mut Vec<u8>, length: usize) {
    if piece.len() < length {
        piece.resize(length, 0);
    }
}

/// Reads `size` bytes behind those that are `filled`, fewer at the end of the file.
fn fill(input: &mut dyn Read, piece: &mut Vec<u8>, filled: &mut usize, size: usize) -> std::io::Result<()> {
    let end = *filled + size;
    grow(piece, end);
    while *filled < end {
        let sip = end.min(*filled + SIP);
        match input.read(&mut piece[*filled..sip]) {
            Ok(0) => break,
            Ok(n) => *filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Where `byte` first stands.
pub(super) fn memchr(byte: u8, text: &[u8]) -> Option<usize> {
    memchr::memchr(byte, text)
}

/// A line without its end.
pub(super) fn trim_line(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where `line` is in its block `text`.
pub(super) fn place_in(text: &[u8], line: &[u8]) -> Range<usize> {
    let start = (line.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
    start..start + line.len()
}

/// The number of the line, from 1, that begins at `start` of its block `text`.
pub(super) fn number_of(text: &[u8], start: usize) -> usize {
    memchr::memchr_iter(b'\n', &text[..start]).count() + 1
}

/// The lines of a block that are not blank.
pub(super) fn filled(text: &[u8]) -> Vec<&[u8]> {
    filled_of_all(text).0
}

/// The lines of a block that are not blank, and how many line breaks there are in all.
pub(super) fn filled_of_all(text: &[u8]) -> (Vec<&[u8]>, usize) {
    let (mut lines, mut breaks) = (Vec::new(), 0);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text).chain([text.len()]) {
        let line = trim_line(&text[start.min(end)..end]);
        if !line.is_empty() {
            lines.push(line);
        }
        start = end + 1;
        breaks += 1;
    }
    (lines, breaks - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &[u8]) -> Result<Vec<Vec<u8>>> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.tsv");
        std::fs::write(&path, text).expect("written");
        let mut lines = Lines::open(&path, &ReadSettings { memory: 1 << 18, ..ReadSettings::default() })?;
        let mut blocks = Vec::new();
        while let Some(block) = lines.block()? {
            blocks.push(block.clone());
            lines.take_back(block);
        }
        Ok(blocks)
    }

    #[test]
    fn blocks_are_of_whole_lines_and_hold_the_whole_file() {
        for ending in ["", "\n"] {
            for widths in [[10; 3], [0; 3], [4095; 3], [4096, 1, 4094], [50_000; 3], [7, 90_000, 300]] {
                let lines: Vec<_> = (0..30).map(|i| "x".repeat(widths[i % 3])).collect();
                let text = lines.join("\n") + ending;
                let blocks = blocks(text.as_bytes()).expect("read");
                assert!(blocks.concat() == text.as_bytes(), "{widths:?}");
                let (_, all_but_last) = blocks.split_last().expect("there is one");
                assert!(all_but_last.iter().all(|block| block.ends_with(b"\n")), "{widths:?}");
            }
        }
        let long = blocks(&[b'x'; 300_000]).expect_err("no line of a matrix");
        assert!(long.to_string().contains("a line is longer than"), "{long}");
    }
}
