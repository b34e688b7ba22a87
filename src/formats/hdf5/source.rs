//! The bytes of a file for `hdf5-pure`, which asks for a dozen of them at a time: names of variable length alone would cost
//! three system calls each.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Mutex;

use hdf5_pure::{FormatError, Source};

/// Bytes of a block that is kept; longer reads go to the file.
const BLOCK: u64 = 64 << 10;

/// Blocks that are kept.
const KEPT: usize = 64;

/// A file with the blocks that were read last.
pub(super) struct Cached {
    length: u64,
    state: Mutex<State>,
}

struct State {
    file: File,
    /// Number and bytes of a block, the last used at the end.
    blocks: Vec<(u64, Vec<u8>)>,
}

impl Cached {
    pub fn new(file: File, length: u64) -> Cached {
        Cached { length, state: Mutex::new(State { file, blocks: Vec::new() }) }
    }
}

impl State {
    fn read(&mut self, at: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(out)
    }

    /// The bytes of block `number` of a file of `length` bytes.
    fn block(&mut self, number: u64, length: u64) -> std::io::Result<&[u8]> {
        let kept = match self.blocks.iter().rposition(|(kept, _)| *kept == number) {
            Some(at) => self.blocks.remove(at),
            None => {
                let start = number * BLOCK;
                let mut bytes = vec![0; BLOCK.min(length - start) as usize];
                self.read(start, &mut bytes)?;
                if self.blocks.len() == KEPT {
                    self.blocks.remove(0);
                }
                (number, bytes)
            }
        };
        self.blocks.push(kept);
        Ok(&self.blocks[self.blocks.len() - 1].1)
    }
}

impl Source for Cached {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), FormatError> {
        let failed = |e: std::io::Error| FormatError::Source(e.to_string());
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > self.length) {
            let available = self.length.saturating_sub(offset).min(out.len() as u64) as usize;
            return Err(FormatError::UnexpectedEof { expected: out.len(), available });
        }
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if out.len() as u64 > BLOCK {
            return state.read(offset, out).map_err(failed);
        }
        let (mut at, mut out) = (offset, out);
        while !out.is_empty() {
            let block = state.block(at / BLOCK, self.length).map_err(failed)?;
            let found = &block[(at % BLOCK) as usize..];
            let n = found.len().min(out.len());
            let (now, later) = out.split_at_mut(n);
            now.copy_from_slice(&found[..n]);
            (at, out) = (at + n as u64, later);
        }
        Ok(())
    }
}
