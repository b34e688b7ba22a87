//! A bounded ring of host buffers that a loader fills while the executor computes.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::storage::Line;
use crate::device::recording::Matrix;
use crate::device::{STAGING_AREAS, Staging};
use crate::error::{Error, Result};

/// Hands out at most [`STAGING_AREAS`] buffers; each comes back when its [`Slot`] is dropped.
pub struct Ring {
    made: usize,
    free: Receiver<Buffer>,
    give_back: Sender<Buffer>,
}

/// Memory and the row shape that it was last used with: its padding is zero for that shape.
#[derive(Default)]
struct Buffer {
    lines: Vec<Line>,
    stride: usize,
    length: usize,
}

impl Ring {
    /// An empty ring: buffers are made when first asked for.
    pub fn new() -> Ring {
        let (give_back, free) = channel();
        Ring { made: 0, free, give_back }
    }

    /// A buffer for `rows` rows shaped like `matrix`'s; waits until one is free.
    pub fn take(&mut self, matrix: Matrix, rows: usize) -> Result<Slot> {
        let buffer = match self.free.try_recv() {
            Ok(buffer) => buffer,
            Err(_) if self.made < STAGING_AREAS => {
                self.made += 1;
                Buffer::default()
            }
            Err(_) => self.free.recv().expect("the ring holds a sender itself"),
        };
        // from here on the buffer goes back to the ring whatever happens
        let mut slot = Slot { buffer, rows, home: self.give_back.clone() };
        let buffer = &mut slot.buffer;
        let (stride, length) = (matrix.row_bytes(), matrix.cols * matrix.element.bytes());
        if (buffer.stride, buffer.length) != (stride, length) {
            buffer.lines.clear();
            (buffer.stride, buffer.length) = (stride, length);
        }
        let needed = (rows * stride).div_ceil(64);
        let missing = needed.saturating_sub(buffer.lines.len());
        buffer.lines.try_reserve_exact(missing).map_err(|_| {
            Error::device(
                "cpu",
                format!("no memory to stage {rows} rows of {stride} bytes; take smaller batches where they can be chosen"),
            )
        })?;
        if missing > 0 {
            buffer.lines.resize(needed, bytemuck::Zeroable::zeroed());
        }
        Ok(slot)
    }
}

/// One buffer on loan.
pub struct Slot {
    buffer: Buffer,
    rows: usize,
    home: Sender<Buffer>,
}

impl Slot {
    /// Bytes between rows.
    pub fn stride(&self) -> usize {
        self.buffer.stride
    }

    /// All rows, padded.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.buffer.lines)[..self.rows * self.buffer.stride]
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // fails only when the executor is gone, and then the buffer is simply freed
        let _ = self.home.send(std::mem::take(&mut self.buffer));
    }
}

impl Staging for Slot {
    fn capacity(&self) -> usize {
        self.rows
    }

    fn write_row(&mut self, row: usize, bytes: &[u8]) {
        assert!(row < self.rows && bytes.len() == self.buffer.length, "a staged row has its matrix's length");
        let start = row * self.buffer.stride;
        let all: &mut [u8] = bytemuck::cast_slice_mut(&mut self.buffer.lines);
        all[start..start + bytes.len()].copy_from_slice(bytes);
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send> {
        self
    }
}
