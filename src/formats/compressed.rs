//! Plain, gzip, bzip2 (several members too) and Zstandard (several frames too) files as one stream of bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ruzstd::decoding::StreamingDecoder;

use super::digest::{self, Digest};
use crate::error::{Error, Result};

/// The first 4 KiB of the unpacked content and the suffix of the format's name: "", ".gz", ".bz2" or ".zst".
pub(super) fn start(path: &Path) -> Result<(Vec<u8>, &'static str)> {
    let (mut input, suffix) = open(path)?;
    let start = super::read_start(&mut input, 4096).map_err(|e| failed(path, &e))?;
    Ok((start, suffix))
}

/// Opens `path` unpacked.
pub(super) fn open(path: &Path) -> Result<(Box<dyn Read + Send>, &'static str)> {
    let file = File::open(path).map_err(Error::io(path, "opening"))?;
    unpack(BufReader::with_capacity(BUFFER, file)).map_err(Error::io(path, "reading"))
}

/// As [`open`]; the bytes taken from the file itself are counted in `consumed` and summed up.
pub(super) fn open_summed(path: &Path, consumed: Arc<AtomicU64>) -> Result<(Box<dyn Read + Send>, Digest)> {
    let (file, digest) = digest::open(path)?;
    let file = BufReader::with_capacity(BUFFER, Counted { file, consumed });
    let (input, _) = unpack(file).map_err(Error::io(path, "reading"))?;
    Ok((input, digest))
}

/// Bytes taken from a file at a time.
const BUFFER: usize = 1 << 18;

/// What `input` holds unpacked, and the suffix that says how it was packed.
pub(crate) fn unpack<'a>(
    mut input: impl BufRead + Send + 'a,
) -> io::Result<(Box<dyn Read + Send + 'a>, &'static str)> {
    Ok(match input.fill_buf()? {
        [0x1f, 0x8b, ..] => (Box::new(flate2::bufread::MultiGzDecoder::new(input)), ".gz"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => {
            (Box::new(bzip2::bufread::MultiBzDecoder::new(input)), ".bz2")
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => (Box::new(Zstd::Between(input)), ".zst"),
        _ => (Box::new(input), ""),
    })
}

/// What a failed read of `path` means to the user.
pub(crate) fn failed(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::input(path, "the compressed file is truncated: it ends before its data do; copy it again")
        }
        _ => Error::input(path, format!("cannot be read ({error}); the file may be damaged, copy it again")),
    }
}

/// Zstandard frames unpacked.
pub(super) fn zstd(input: impl BufRead) -> impl Read {
    Zstd::Between(input)
}

struct Counted<R> {
    file: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.consumed.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Zstandard frames, one after another, each with its checksum compared.
enum Zstd<R: BufRead> {
    Between(R),
    Inside(Box<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>),
    Failed,
}

/// ruzstd's default limit, 8 MiB, refuses what `zstd --long` and `-19` write. This is `zstd`'s own limit.
const WINDOW: u64 = 128 << 20;

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            *self = match std::mem::replace(self, Zstd::Failed) {
                Zstd::Failed => return Err(io::Error::other("reading on after an error")),
                Zstd::Between(mut input) => {
                    let start = input.fill_buf()?;
                    if start.is_empty() {
                        *self = Zstd::Between(input);
                        return Ok(0);
                    }
                    // A skippable frame: magic 0x184D2A50 to 0x184D2A5F, length, that many bytes.
                    if start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18] {
                        let mut head = [0; 8];
                        input.read_exact(&mut head)?;
                        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
                        io::copy(&mut (&mut input).take(u64::from(length)), &mut io::sink())?;
                        Zstd::Between(input)
                    } else {
                        let frame = StreamingDecoder::new_with_max_window_size(input, WINDOW);
                        Zstd::Inside(Box::new(frame.map_err(io::Error::other)?))
                    }
                }
                Zstd::Inside(mut frame) => {
                    let n = frame.read(buffer)?;
                    if n > 0 {
                        *self = Zstd::Inside(frame);
                        return Ok(n);
                    }
                    let decoder = &frame.decoder;
                    let stored = decoder.get_checksum_from_data();
                    if stored.is_some() && stored != decoder.get_calculated_checksum() {
                        return Err(io::Error::other("a frame's checksum does not match"));
                    }
                    Zstd::Between(frame.into_inner())
                }
            };
        }
    }
}
