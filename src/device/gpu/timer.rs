//! Timestamps around every dispatch, where the adapter offers them.

use super::{Dispatch, GpuExecutor};
use crate::device::profile::{MOST, Span};
use crate::error::Result;

/// Dispatches timed at a time: wgpu takes 4096 timestamps in a set.
const AT_ONCE: usize = 2048;

/// What timing needs, and what it found.
pub struct Timer {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readback: wgpu::Buffer,
    /// Seconds of one tick.
    tick: f64,
    /// The first timestamp.
    origin: Option<u64>,
    /// What was timed.
    pub spans: Vec<Span>,
}

impl Timer {
    /// Whether there is room for more.
    pub fn records(&self) -> bool {
        self.spans.len() < MOST
    }
}

impl GpuExecutor {
    /// The queries and buffers of a [`Timer`].
    pub(super) fn timer(&self) -> Result<Timer> {
        if !self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(
                self.error("it offers no timestamps, so --profile cannot time its kernels; leave it out")
            );
        }
        let count = 2 * AT_ONCE as u32;
        let queries = self.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let buffer = |usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: 8 * u64::from(count),
                usage: usage | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let timer = Timer {
            queries,
            resolved: buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            readback: buffer(wgpu::BufferUsages::MAP_READ),
            tick: f64::from(self.queue.get_timestamp_period()) * 1e-9,
            origin: None,
            spans: Vec::new(),
        };
        self.check()?;
        Ok(timer)
    }

    /// Runs dispatches one by one, each in a pass between two timestamps, and waits for them.
    pub(super) fn run_timed(&self, dispatches: &[Dispatch], timer: &mut Timer) -> Result<()> {
        for part in dispatches.chunks(AT_ONCE) {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            for (index, dispatch) in (0..).zip(part) {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: None,
                    timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                        query_set: &timer.queries,
                        beginning_of_pass_write_index: Some(2 * index),
                        end_of_pass_write_index: Some(2 * index + 1),
                    }),
                });
                pass.set_bind_group(1, &self.step_group, &[]);
                dispatch.record(&mut pass);
            }
            let count = 2 * part.len() as u32;
            let size = 8 * u64::from(count);
            encoder.resolve_query_set(&timer.queries, 0..count, &timer.resolved, 0);
            encoder.copy_buffer_to_buffer(&timer.resolved, 0, &timer.readback, 0, size);
            self.queue.submit(Some(encoder.finish()));
            timer.readback.slice(..size).map_async(wgpu::MapMode::Read, |_| {});
            self.finish(None)?;
            let view = timer.readback.slice(..size).get_mapped_range();
            let view = view.map_err(|e| self.error(format!("reading timestamps failed: {e}")))?;
            let stamps: &[u64] = bytemuck::cast_slice(&view);
            let origin = *timer.origin.get_or_insert(stamps[0]);
            for (dispatch, stamp) in part.iter().zip(stamps.chunks_exact(2)) {
                timer.spans.push(Span {
                    name: dispatch.label.clone(),
                    start: stamp[0].saturating_sub(origin) as f64 * timer.tick,
                    seconds: stamp[1].saturating_sub(stamp[0]) as f64 * timer.tick,
                });
            }
            drop(view);
            timer.readback.unmap();
        }
        Ok(())
    }
}
