//! Mapped host memory on its way to the device: a bounded ring of buffers.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::device::recording::Matrix;
use crate::device::{STAGING_AREAS, Staging};

const PENDING: u8 = 0;
const MAPPED: u8 = 1;

/// A buffer that is mapped or about to be.
struct Slot {
    buffer: wgpu::Buffer,
    state: Arc<AtomicU8>,
}

/// The ring. Buffers are either here or with a [`GpuStaging`].
#[derive(Default)]
pub struct Ring {
    free: VecDeque<Slot>,
    out: Arc<Out>,
}

/// Counts the staging areas that are being filled, on whichever thread.
#[derive(Default)]
struct Out {
    count: Mutex<usize>,
    fewer: Condvar,
}

/// Held by one of them.
struct Ticket(Arc<Out>);

impl Drop for Ticket {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(|e| e.into_inner()) -= 1;
        self.0.fewer.notify_one();
    }
}

/// One staging area, mapped.
pub struct GpuStaging {
    view: wgpu::BufferViewMut,
    buffer: wgpu::Buffer,
    /// The matrix that it is shaped like.
    matrix: Matrix,
    rows: usize,
    _ticket: Ticket,
}

impl Ring {
    /// A free area for `rows` rows shaped like `matrix`'s. Waits for the oldest copy if all are on
    /// their way, and for another thread to let go of one if all are being filled.
    pub fn take(&mut self, device: &wgpu::Device, matrix: Matrix, rows: usize) -> Result<GpuStaging, String> {
        let bytes = ((rows * matrix.row_bytes()) as u64).max(4);
        let ticket = {
            let count = self.out.count.lock().unwrap_or_else(|e| e.into_inner());
            // one that is dropped unused is replaced
            let count = self.out.fewer.wait_while(count, |count| *count >= STAGING_AREAS);
            let mut count = count.unwrap_or_else(|e| e.into_inner());
            *count += 1;
            Ticket(self.out.clone())
        };
        let out = *self.out.count.lock().unwrap_or_else(|e| e.into_inner());
        let mut slot = None;
        if self.free.len() + out > STAGING_AREAS {
            slot = self.free.pop_front();
        }
        if let Some(slot) = &slot {
            while slot.state.load(Ordering::Acquire) == PENDING {
                device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| e.to_string())?;
            }
        }
        // one that is too small, or whose mapping failed, is replaced
        let slot =
            slot.filter(|slot| slot.state.load(Ordering::Acquire) == MAPPED && slot.buffer.size() >= bytes);
        let buffer = match slot {
            Some(slot) => slot.buffer,
            None => device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("staging"),
                size: bytes,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: true,
            }),
        };
        let view = buffer.slice(..).get_mapped_range_mut().map_err(|e| e.to_string())?;
        Ok(GpuStaging { view, buffer, matrix, rows, _ticket: ticket })
    }

    /// Takes an area back whose copy was submitted, to be mapped again when that is done.
    pub fn give(&mut self, buffer: wgpu::Buffer) {
        let state = Arc::new(AtomicU8::new(PENDING));
        let done = state.clone();
        buffer.slice(..).map_async(wgpu::MapMode::Write, move |result| {
            done.store(if result.is_ok() { MAPPED } else { MAPPED + 1 }, Ordering::Release);
        });
        self.free.push_back(Slot { buffer, state });
    }
}

impl GpuStaging {
    /// Ends the writing: the unmapped buffer and the matrix that its rows are shaped like.
    pub fn finish(self) -> (wgpu::Buffer, Matrix) {
        let GpuStaging { view, buffer, matrix, .. } = self;
        drop(view);
        buffer.unmap();
        (buffer, matrix)
    }
}

impl Staging for GpuStaging {
    fn capacity(&self) -> usize {
        self.rows
    }

    fn write_row(&mut self, row: usize, bytes: &[u8]) {
        assert!(row < self.rows, "row {row} of a staging area of {} rows", self.rows);
        let (begin, pitch) = (row * self.matrix.row_bytes(), self.matrix.row_bytes());
        let mut target = self.view.slice(begin..begin + pitch);
        target.slice(..bytes.len()).copy_from_slice(bytes);
        // the buffer may have held rows of another shape
        target.slice(bytes.len()..).fill(0);
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
