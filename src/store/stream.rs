//! The arrays of a store while they are written: `.npy` files with a checksum for each block.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use half::f16;
use half::slice::HalfFloatSliceExt;
use xxhash_rust::xxh3::Xxh3Default;

use super::npy;
use crate::element::Element;

/// Bytes of the matrix under one checksum.
pub const BLOCK: usize = 4 << 20;

/// Bytes of rows that are put together; more are written as they come.
const BUFFER: usize = 1 << 16;

/// The array of a `.npy` file, with checksums.
pub struct Stream {
    pub out: BufWriter<File>,
    hasher: Xxh3Default,
    hashed: usize,
    pub blocks: Vec<String>,
}

/// What a sparse store has beside its values.
pub struct Pairs {
    pub places: Stream,
    pub starts: Stream,
    pub count: usize,
    /// Of the rows at hand.
    pub values: Vec<f32>,
    pub genes: Vec<i32>,
    pub begins: Vec<i64>,
}

impl Stream {
    /// The number of elements is known at the end; the header's place is kept until then.
    pub fn create(file: &Path) -> std::io::Result<Stream> {
        let mut out = BufWriter::with_capacity(BUFFER, File::create(file)?);
        out.write_all(&[0; npy::WRITTEN])?;
        Ok(Stream { out, hasher: Xxh3Default::new(), hashed: 0, blocks: Vec::new() })
    }

    pub fn push(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.hashed));
            self.out.write_all(now)?;
            self.hasher.update(now);
            self.hashed += now.len();
            if self.hashed == BLOCK {
                self.end_block();
                start_syncing(self.out.get_ref(), self.blocks.len());
            }
            bytes = later;
        }
        Ok(())
    }

    fn end_block(&mut self) {
        self.blocks.push(format!("{:016x}", self.hasher.digest()));
        self.hasher.reset();
        self.hashed = 0;
    }

    /// Writes the header.
    pub fn finish(&mut self, header: &[u8]) -> std::io::Result<()> {
        if self.hashed > 0 {
            self.end_block();
        }
        self.out.flush()?;
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(header)?;
        self.out.flush()?;
        start_syncing(self.out.get_ref(), self.blocks.len());
        Ok(())
    }
}

impl Pairs {
    /// What is not zero in some rows, into the lists at hand.
    pub fn collect(&mut self, rows: &[f32], n_genes: usize, element: Element) {
        /// Values that are looked at together: most are zero.
        const TOGETHER: usize = 16;
        // in half precision there are no values below 3e-8
        let is_held = |x: f32| x != 0.0 && (element != Element::F16 || f16::from_f32(x) != f16::ZERO);
        self.values.clear();
        self.genes.clear();
        self.begins.clear();
        for row in rows.chunks_exact(n_genes) {
            for (first, some) in row.chunks(TOGETHER).enumerate() {
                // NaN is not zero
                if some.iter().fold(true, |all, x| all & (*x == 0.0)) {
                    continue;
                }
                for (i, x) in some.iter().enumerate().filter(|(_, x)| is_held(**x)) {
                    self.values.push(*x);
                    self.genes.push((first * TOGETHER + i) as i32);
                }
            }
            self.begins.push((self.count + self.values.len()) as i64);
        }
        self.count += self.values.len();
    }
}

/// Appends values in the store's type; `halves` is room for them.
pub fn push_values(
    out: &mut Stream,
    values: &[f32],
    element: Element,
    halves: &mut Vec<f16>,
) -> std::io::Result<()> {
    if element != Element::F16 {
        return out.push(bytemuck::cast_slice(values));
    }
    halves.resize(values.len(), f16::ZERO);
    halves.convert_from_f32_slice(values);
    out.push(bytemuck::cast_slice(halves))
}

/// Lets the disk begin with the values up to the end of so many blocks, so that there is little to wait for in the end. Where the
/// system cannot, all of them are written then.
#[cfg(target_os = "linux")]
fn start_syncing(file: &File, blocks: usize) {
    use std::os::fd::AsRawFd;
    /// Pages of memory, which are written whole.
    const PAGE: usize = 4096;
    // What is still in the buffer of the writer comes with the next block.
    let (start, end) = (blocks.saturating_sub(2) * BLOCK, (blocks * BLOCK + npy::WRITTEN) / PAGE * PAGE);
    let (start, length) = (start as libc::off64_t, (end - start) as libc::off64_t);
    // SAFETY: the descriptor is open as long as the file is; nothing of this process's memory is touched.
    unsafe { libc::sync_file_range(file.as_raw_fd(), start, length, libc::SYNC_FILE_RANGE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
fn start_syncing(_: &File, _: usize) {}
