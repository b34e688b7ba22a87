//! Rows between host and device, in bounded pieces.

use std::num::NonZeroU64;
use std::ops::Range;

use half::slice::HalfFloatSliceExt;

use super::tiles::Kind;
use super::{GpuExecutor, staging::GpuStaging};
use crate::device::Staging;
use crate::device::recording::{Element, Matrix};
use crate::error::Result;
use crate::memory;

/// Bytes moved at a time.
const PIECE: usize = 64 << 20;

/// Appends one row as the matrix stores it, without padding.
pub fn encode(element: Element, row: &[f32], bytes: &mut Vec<u8>) {
    match element {
        Element::F32 => bytes.extend_from_slice(bytemuck::cast_slice(row)),
        Element::F16 => bytes.extend(row.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes())),
        Element::U32 => unreachable!("refused by write_rows"),
        Element::Bf16 => unreachable!("refused where a matrix is made"),
    }
}

/// The values of one stored row.
fn decode(element: Element, bytes: &[u8], row: &mut [f32]) {
    match element {
        Element::F32 => row.copy_from_slice(bytemuck::cast_slice(bytes)),
        Element::F16 => bytemuck::cast_slice::<u8, half::f16>(bytes).convert_to_f32_slice(row),
        Element::Bf16 => unreachable!("refused where a matrix is made"),
        Element::U32 => {
            for (value, word) in row.iter_mut().zip(bytemuck::cast_slice::<u8, u32>(bytes)) {
                *value = *word as f32;
            }
        }
    }
}

/// Bytes that matrices and partial results may take in all: what `--device-memory` allows. Graphics interfaces do not tell what a GPU
/// has: without a bound a matrix that does not fit is refused when it is made. A software rasterizer uses the host's memory.
pub fn memory(kind: Kind) -> u64 {
    let there = match kind {
        Kind::Software => memory::available(),
        _ => u64::MAX,
    };
    there.min(memory::on_device().unwrap_or(u64::MAX))
}

/// A run of rows within one chunk.
struct Part {
    chunk: usize,
    /// Byte offset in the chunk's buffer.
    offset: u64,
    /// Rows, counted from the first one asked for.
    rows: Range<usize>,
}

impl GpuExecutor {
    /// Rows `first..first + rows` of `matrix` in parts of one chunk and at most [`PIECE`] bytes.
    fn parts(&self, matrix: Matrix, first: usize, rows: usize) -> Result<Vec<Part>> {
        if first.checked_add(rows).is_none_or(|end| end > matrix.rows) {
            let name = &self.stored(matrix)?.name;
            let end = first.saturating_add(rows);
            return Err(self.error(format!("{name}: rows {first}..{end} of {}", matrix.rows)));
        }
        let most = (PIECE / matrix.row_bytes()).max(1);
        let mut parts = Vec::new();
        let mut row = first;
        while row < first + rows {
            let view = self.target.chunking.view(matrix, row);
            let end = view.end.min(first + rows).min(row + most);
            let offset = ((row - view.first) * matrix.row_bytes()) as u64;
            parts.push(Part { chunk: view.chunk, offset, rows: row - first..end - first });
            row = end;
        }
        Ok(parts)
    }

    /// Writes dense rows, encoding each and zeroing its padding.
    pub(super) fn write_rows<T>(
        &mut self,
        matrix: Matrix,
        first: usize,
        data: &[T],
        integers: bool,
        encode: impl Fn(Element, &[T], &mut Vec<u8>),
    ) -> Result<()> {
        self.check()?;
        let name = &self.stored(matrix)?.name;
        if !data.len().is_multiple_of(matrix.cols) {
            let (values, cols) = (data.len(), matrix.cols);
            return Err(self.error(format!("{name}: {values} values are no whole rows of {cols}")));
        }
        if (matrix.element == Element::U32) != integers {
            let element = matrix.element;
            return Err(self.error(format!("{name}: its elements are {element:?}; they are not converted")));
        }
        let pitch = matrix.row_bytes();
        let mut row = Vec::with_capacity(pitch);
        for part in self.parts(matrix, first, data.len() / matrix.cols)? {
            let buffer = &self.stored(matrix)?.buffers[part.chunk];
            let size = NonZeroU64::new((part.rows.len() * pitch) as u64).expect("parts are not empty");
            let Some(mut view) = self.queue.write_buffer_with(buffer, part.offset, size) else {
                self.check()?;
                return Err(self.error("writing to it failed"));
            };
            let values = &data[part.rows.start * matrix.cols..part.rows.end * matrix.cols];
            for (index, values) in values.chunks_exact(matrix.cols).enumerate() {
                row.clear();
                encode(matrix.element, values, &mut row);
                row.resize(pitch, 0);
                view.slice(index * pitch..(index + 1) * pitch).copy_from_slice(&row);
            }
            drop(view);
            self.submit(None)?; // bounds what is on its way
        }
        Ok(())
    }

    /// Reads dense rows.
    pub(super) fn read_rows(&mut self, matrix: Matrix, first: usize, rows: usize) -> Result<Vec<f32>> {
        self.check()?;
        let pitch = matrix.row_bytes();
        let parts = self.parts(matrix, first, rows)?;
        let mut values = vec![0.0; rows * matrix.cols];
        for part in parts {
            let size = (part.rows.len() * pitch) as u64;
            let readback = match self.readback.take().filter(|buffer| buffer.size() >= size) {
                Some(buffer) => buffer,
                None => self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("readback"),
                    size,
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                }),
            };
            let mut encoder = self.device.create_command_encoder(&Default::default());
            let source = &self.stored(matrix)?.buffers[part.chunk];
            encoder.copy_buffer_to_buffer(source, part.offset, &readback, 0, size);
            self.queue.submit(Some(encoder.finish()));
            readback.slice(..size).map_async(wgpu::MapMode::Read, |_| {});
            self.finish(None)?;
            self.in_flight.clear();
            let view = readback.slice(..size).get_mapped_range();
            let view = view.map_err(|e| self.error(format!("reading from it failed: {e}")))?;
            let length = matrix.cols * matrix.element.bytes();
            let rows = values[part.rows.start * matrix.cols..part.rows.end * matrix.cols]
                .chunks_exact_mut(matrix.cols);
            for (row, bytes) in rows.zip(view.chunks_exact(pitch)) {
                decode(matrix.element, &bytes[..length], row);
            }
            drop(view);
            readback.unmap();
            self.readback = Some(readback);
        }
        Ok(values)
    }

    /// Queues the copy of a staging area's first rows to a matrix of the same row shape.
    pub(super) fn upload_rows(
        &mut self,
        staging: Box<dyn Staging>,
        matrix: Matrix,
        first: usize,
        rows: usize,
    ) -> Result<()> {
        self.check()?;
        let Ok(staging) = staging.into_any().downcast::<GpuStaging>() else {
            return Err(self.error("the staging area belongs to another executor"));
        };
        let capacity = staging.capacity();
        let (buffer, shape) = staging.finish();
        let pitch = matrix.row_bytes() as u64;
        if shape.cols != matrix.cols || shape.element != matrix.element || rows > capacity {
            let name = &self.stored(matrix)?.name;
            return Err(self.error(format!(
                "{name}: {rows} rows of {} from a staging area of {capacity} rows of {}",
                matrix.cols, shape.cols
            )));
        }
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for part in self.parts(matrix, first, rows)? {
            let to = &self.stored(matrix)?.buffers[part.chunk];
            let from = part.rows.start as u64 * pitch;
            let size = part.rows.len() as u64 * pitch;
            encoder.copy_buffer_to_buffer(&buffer, from, to, part.offset, size);
        }
        self.submit(Some(encoder.finish()))?;
        self.ring.give(buffer);
        self.check()
    }
}
