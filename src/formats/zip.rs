//! The members of a zip archive, stored or deflated, as NumPy's `.npz` has them
//! (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, sections 4.3 and 4.5.3).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// First bytes of a local header.
pub(super) const MAGIC: &[u8; 4] = b"PK\x03\x04";

/// Members of one archive beyond which a list is not believed.
const MOST_MEMBERS: u64 = 1 << 16;

/// The best that deflate can do: 1 byte for 1032.
const MOST_COMPRESSION: u64 = 1032;

/// A member: where it lies, how long it is, packed and unpacked.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub name: String,
    method: u16,
    crc: u32,
    packed: u64,
    pub bytes: u64,
    header: u64,
}

/// An archive's directory.
pub(super) struct Zip {
    path: PathBuf,
    pub members: Vec<Member>,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn take(file: &mut File, at: u64, n: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at)).ok()?;
    file.take(n).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == n).then_some(bytes)
}

impl Zip {
    /// Reads the directory at the archive's end.
    pub fn open(path: &Path) -> Result<Zip> {
        let mut file = File::open(path).map_err(Error::io(path, "opening"))?;
        let length = file.metadata().map_err(Error::io(path, "reading"))?.len();
        let members = directory(&mut file, length).ok_or_else(|| {
            Error::input(path, "the zip archive's directory cannot be read; is the file truncated?")
        })?;
        Ok(Zip { path: path.to_path_buf(), members })
    }

    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Opens a member for reading; its checksum is compared at the end.
    pub fn read(&self, member: &Member) -> Result<Box<dyn Read + Send>> {
        let damaged = || {
            Error::input(&self.path, format!("member {} lies outside the archive; truncated?", member.name))
        };
        let mut file = File::open(&self.path).map_err(Error::io(&self.path, "opening"))?;
        let header =
            take(&mut file, member.header, 30).filter(|h| h.starts_with(MAGIC)).ok_or_else(damaged)?;
        let length = file.metadata().map_err(Error::io(&self.path, "reading"))?.len();
        if member.packed > length {
            return Err(damaged());
        }
        let lengths = u16_at(&header, 26).zip(u16_at(&header, 28)).ok_or_else(damaged)?;
        let start = member.header.saturating_add(30) + u64::from(lengths.0) + u64::from(lengths.1);
        file.seek(SeekFrom::Start(start)).map_err(Error::io(&self.path, "reading"))?;
        if member.bytes > member.packed.saturating_mul(MOST_COMPRESSION) {
            return Err(damaged());
        }
        let input = BufReader::with_capacity(1 << 18, file.take(member.packed));
        let input: Box<dyn Read + Send> = match member.method {
            0 => Box::new(input),
            8 => Box::new(flate2::bufread::DeflateDecoder::new(input)),
            method => {
                let message = format!(
                    "member {} is packed by method {method}; stored and deflate are read",
                    member.name
                );
                return Err(Error::input(&self.path, message));
            }
        };
        Ok(Box::new(Checked { input, crc: flate2::Crc::new(), expected: member.crc, left: member.bytes }))
    }
}

fn directory(file: &mut File, length: u64) -> Option<Vec<Member>> {
    // The end record is 22 bytes and a comment of up to 65,535.
    let tail_at = length.saturating_sub(22 + 65_535);
    let tail = take(file, tail_at, length - tail_at)?;
    let end = tail.windows(4).rposition(|w| w == b"PK\x05\x06")?;
    let (mut count, mut size, mut at) = (
        u64::from(u16_at(&tail, end + 10)?),
        u64::from(u32_at(&tail, end + 12)?),
        u64::from(u32_at(&tail, end + 16)?),
    );
    if let Some(locator) = end.checked_sub(20).filter(|l| tail[*l..].starts_with(b"PK\x06\x07")) {
        let end = take(file, u64_at(&tail, locator + 8)?, 56)?;
        if !end.starts_with(b"PK\x06\x06") {
            return None;
        }
        (count, size, at) = (u64_at(&end, 32)?, u64_at(&end, 40)?, u64_at(&end, 48)?);
    }
    if count > MOST_MEMBERS || at.checked_add(size)? > length {
        return None;
    }
    let list = take(file, at, size)?;
    let (mut members, mut at) = (Vec::new(), 0);
    for _ in 0..count {
        if !list.get(at..)?.starts_with(b"PK\x01\x02") {
            return None;
        }
        let (name, extra, comment) = (
            usize::from(u16_at(&list, at + 28)?),
            usize::from(u16_at(&list, at + 30)?),
            usize::from(u16_at(&list, at + 32)?),
        );
        let start = at + 46;
        let mut sizes =
            [u32_at(&list, at + 24)?, u32_at(&list, at + 20)?, u32_at(&list, at + 42)?].map(u64::from);
        // What does not fit 32 bits stands in the extra field of tag 1, in this order.
        let extras = list.get(start + name..start + name + extra)?;
        let mut wide = zip64(extras).unwrap_or_default();
        for size in sizes.iter_mut().filter(|size| **size == u64::from(u32::MAX)) {
            *size = u64_at(wide, 0)?;
            wide = &wide[8..];
        }
        let [bytes, packed, header] = sizes;
        members.push(Member {
            name: String::from_utf8_lossy(list.get(start..start + name)?).into_owned(),
            method: u16_at(&list, at + 10)?,
            crc: u32_at(&list, at + 16)?,
            packed,
            bytes,
            header,
        });
        at = start + name + extra + comment;
    }
    Some(members)
}

/// The extra field of tag 1.
fn zip64(mut extras: &[u8]) -> Option<&[u8]> {
    loop {
        let (tag, size) = (u16_at(extras, 0)?, usize::from(u16_at(extras, 2)?));
        let field = extras.get(4..4 + size)?;
        if tag == 1 {
            return Some(field);
        }
        extras = &extras[4 + size..];
    }
}

/// Compares length and checksum when the last byte has come.
struct Checked {
    input: Box<dyn Read + Send>,
    crc: flate2::Crc,
    expected: u32,
    left: u64,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.input.read(&mut buffer[..most])?;
        self.crc.update(&buffer[..n]);
        self.left -= n as u64;
        if n == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if n > 0 && self.left == 0 && self.crc.sum() != self.expected {
            return Err(io::Error::other("its checksum does not match"));
        }
        Ok(n)
    }
}
