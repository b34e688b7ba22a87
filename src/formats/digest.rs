//! The SHA-256 of a file taken while it is read, so that it is read once.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::store::{InputFile, Sum};

/// What a file's bytes will amount to once they are read.
pub(super) struct Digest {
    path: PathBuf,
    sum: Receiver<io::Result<Sum>>,
    _waits: Arc<()>,
}

/// A file whose bytes are summed up as they are read, as long as there is a [`Digest`] of it.
pub(super) struct Summed {
    file: File,
    sum: Sum,
    to: Sender<io::Result<Sum>>,
    waits: Weak<()>,
}

/// Opens `path` to be read from end to end.
pub(super) fn open(path: &Path) -> Result<(Summed, Digest)> {
    let file = File::open(path).map_err(Error::io(path, "opening"))?;
    let ((to, from), waits) = (channel(), Arc::new(()));
    let summed = Summed { file, sum: Sum::default(), to, waits: Arc::downgrade(&waits) };
    Ok((summed, Digest { path: path.to_path_buf(), sum: from, _waits: waits }))
}

impl Digest {
    /// Whether it is of this file, and not of what was unpacked from it.
    pub fn is_of(&self, path: &Path) -> bool {
        self.path == path
    }

    /// The file as an input, when its reader is dropped.
    ///
    /// # Errors
    /// A file that cannot be read to its end.
    pub fn input(self, format: &str) -> Result<InputFile> {
        let sum = self.sum.recv().unwrap_or_else(|_| Err(io::Error::other("reading was broken off")));
        let sum = sum.map_err(Error::io(&self.path, "reading"))?;
        Ok(sum.input(&self.path, format))
    }
}

impl Read for Summed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        if self.is_awaited() {
            self.sum.add(&buffer[..n]);
        }
        Ok(n)
    }
}

impl Summed {
    fn is_awaited(&self) -> bool {
        self.waits.strong_count() > 0
    }

    /// Reads what its reader left, as long as somebody waits for the sum.
    fn read_on(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 17];
        while self.is_awaited() {
            match self.read(&mut buffer) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Summed {
    fn drop(&mut self) {
        let read = self.read_on();
        let sum = std::mem::take(&mut self.sum);
        let _ = self.to.send(read.map(|()| sum)); // perhaps to nobody
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_stops_early_gives_the_sum_of_the_whole_file() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a");
        for length in [0, 1, 1000, 300_001] {
            std::fs::write(&path, vec![b'x'; length]).expect("written");
            let whole = InputFile::of(&path, "tsv").expect("read");
            for read in [0, 1, 999, length] {
                let (summed, digest) = open(&path).expect("opened");
                io::copy(&mut summed.take(read as u64), &mut io::sink()).expect("read");
                assert!(digest.is_of(&path) && !digest.is_of(dir.path()));
                assert_eq!(digest.input("tsv").expect("summed"), whole, "{read} of {length}");
            }
        }
    }
}
