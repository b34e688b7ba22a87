//! The executor on a GPU, through wgpu: Vulkan, Metal or DX12.
//!
//! [`plan`] turns a recording into dispatches, [`product`] those of matrix products; [`shader`] composes the
//! WGSL of each variant from `shaders/`; [`tiles`] and [`chunks`] hold what follows from the adapter's kind
//! and limits. What remains here is memory and queue.

pub mod adapter;
mod chunks;
mod pipeline;
mod plan;
mod product;
mod shader;
mod staging;
mod tiles;
mod timer;
mod transfer;
mod unroll;

use std::collections::VecDeque;
use std::sync::Arc;

pub use adapter::{AdapterFacts, Choice, Options, list};
pub use shader::shader_files;
pub use tiles::{Kind, Tile, Tuning, Way};

use self::chunks::Chunking;
use self::pipeline::Pipelines;
use self::plan::{Plan, Target};
use self::shader::Bound;
use super::profile::Span;
use super::recording::{Element, Matrix, Recording, Step};
use super::{Executor, Program, STALE, Staging, generation};
use crate::error::{Error, Result};
use crate::memory;

/// Steps queued before the host waits for the oldest.
const IN_FLIGHT: usize = 3;

/// Most bytes of each kind of partial results.
const SCRATCH: u64 = 64 << 20;

/// Most operations of one dispatch: a fifth of a second at 250 GFLOP/s, which integrated graphics do. Windows takes a card that does not answer for
/// two seconds for broken, and resets it.
const LONGEST: u64 = 50_000_000_000;

/// A matrix in device memory.
struct Stored {
    name: String,
    /// Its chunks.
    buffers: Vec<wgpu::Buffer>,
}

/// One dispatch, ready.
struct Dispatch {
    label: String,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: [u32; 2],
}

impl Dispatch {
    /// Bind group 1, the step's, is set already.
    fn record(&self, pass: &mut wgpu::ComputePass) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(self.workgroups[0], self.workgroups[1], 1);
    }
}

/// Runs recordings on a GPU.
pub struct GpuExecutor {
    facts: AdapterFacts,
    device: wgpu::Device,
    queue: wgpu::Queue,
    fault: Arc<adapter::Fault>,
    target: Target,
    /// Kernels show what they reach for outside a matrix.
    guarded: bool,
    /// Workgroups in one dimension of a dispatch.
    workgroups: u32,
    calibrated: bool,
    matrices: Vec<Stored>,
    /// Bytes for matrices in all, and those taken.
    memory: u64,
    allocated: u64,
    timer: Option<timer::Timer>,
    programs: Vec<Vec<Dispatch>>,
    generation: u32,
    pipelines: Pipelines,
    step: wgpu::Buffer,
    step_layout: wgpu::BindGroupLayout,
    step_group: wgpu::BindGroup,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    ring: staging::Ring,
    readback: Option<wgpu::Buffer>,
}

/// `Step` as `shaders/shared/step.wgsl` declares it.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct StepWords {
    rows: u32,
    first: u32,
    slot: u32,
    step: u32,
    seed_low: u32,
    seed_high: u32,
    learning_rate: f32,
    gradient_scale: f32,
    correction1: f32,
    correction2: f32,
    temperature: f32,
    offset: u32,
}

/// Why no GPU has numbers of this type.
pub(super) const NO_BF16: &str =
    "bf16 is for CPUs, since WGSL does not have it; use --precision f16 or --device cpu";

/// What helps where memory does not suffice. Which options a command has is not known here.
fn with_less() -> String {
    let more = memory::on_device().map_or("", |_| "allow more (--device-memory), ");
    format!("{more}take smaller batches or narrower layers where they can be chosen, or --device cpu")
}

/// What plans depend on for an adapter with these limits.
fn target(mut tuning: Tuning, binding: u64, workgroup_memory: usize, options: &Options) -> Target {
    tuning.unchecked = options.unchecked.unwrap_or(tuning.unchecked);
    tuning.double_buffered = options.double_buffered.unwrap_or(tuning.double_buffered);
    // Indices count elements in 32 bits, and drivers disagree beyond 2 GiB.
    let limit = binding.min((2 << 30) - 16).min(options.binding_limit.unwrap_or(u64::MAX));
    let (tile, slices) = (options.tile, options.slices);
    let (chunking, cooperative) = (Chunking { limit }, Tile::COOPERATIVE);
    let (scratch, longest) = (SCRATCH.min(limit), LONGEST.min(options.longest.unwrap_or(u64::MAX)));
    Target { chunking, scratch, longest, workgroup_memory, tuning, cooperative, tile, slices }
}

/// The text of every shader that `recording` leads to on such an adapter, with a label. Needs no device.
pub fn shaders(recording: &Recording, kind: Kind, binding: u64, options: &Options) -> Vec<(String, String)> {
    let plan = Plan::new(recording, &target(Tuning::of(kind), binding, 32 << 10, options));
    plan.launches.into_iter().map(|launch| (launch.label, launch.kernel.source(options.guarded))).collect()
}

impl GpuExecutor {
    /// Opens the adapter that `choice` means.
    ///
    /// # Errors
    /// [`Error::Device`] when there is none, or its driver refuses.
    pub fn open(choice: &Choice, options: Options) -> Result<Self> {
        let adapter::Opened { facts, device, queue, fault, tuning } = adapter::open(choice, &options)?;
        let limits = device.limits();
        let calibrated = tuning != Tuning::of(facts.kind);
        let binding = facts.max_binding.min(facts.max_buffer);
        let mut target = target(tuning, binding, facts.workgroup_memory as usize, &options);
        target.cooperative = facts.cooperation().unwrap_or(target.cooperative);
        let step = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("step"),
            size: size_of::<StepWords>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let step_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("step"),
            entries: &[pipeline::entry(0, wgpu::BufferBindingType::Uniform)],
        });
        let step_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("step"),
            layout: &step_layout,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: step.as_entire_binding() }],
        });
        let workgroups = limits.max_compute_workgroups_per_dimension;
        let executor = GpuExecutor {
            device,
            queue,
            fault,
            target,
            guarded: options.guarded,
            workgroups: workgroups.min(options.workgroups.unwrap_or(u32::MAX)).max(1),
            calibrated,
            memory: transfer::memory(facts.kind),
            allocated: 0,
            timer: None,
            matrices: Vec::new(),
            programs: Vec::new(),
            generation: generation(),
            pipelines: Pipelines::default(),
            step,
            step_layout,
            step_group,
            in_flight: VecDeque::new(),
            ring: staging::Ring::default(),
            readback: None,
            facts,
        };
        executor.check()?;
        Ok(executor)
    }

    /// Whether it runs by a calibration's table.
    pub fn is_calibrated(&self) -> bool {
        self.calibrated
    }

    /// Changes it for programs compiled from now on. Cooperative matrices must have been asked for when the adapter was opened.
    pub fn tune(&mut self, tuning: Tuning) {
        self.target.tuning = tuning;
    }

    /// What is known about the adapter.
    pub fn facts(&self) -> &AdapterFacts {
        &self.facts
    }

    fn error(&self, message: impl Into<String>) -> Error {
        Error::device(&self.facts.name, message)
    }

    /// What this adapter cannot do, with however little on it: unlike a lack of memory it is not tried again with less.
    fn unable(&self, why: &str) -> Error {
        Error::Usage(format!("device {}: {why}", self.facts.name))
    }

    /// Raises what failed since the last call.
    fn check(&self) -> Result<()> {
        match self.fault.take() {
            Some(message) => Err(self.error(message)),
            None => Ok(()),
        }
    }

    fn stored(&self, matrix: Matrix) -> Result<&Stored> {
        let stored = self.matrices.get(matrix.id as usize).filter(|_| matrix.generation == self.generation);
        stored.ok_or_else(|| self.error(format!("matrix {}: {STALE}", matrix.id)))
    }

    /// Submits, then waits until at most [`IN_FLIGHT`] submissions are unfinished.
    fn submit(&mut self, commands: Option<wgpu::CommandBuffer>) -> Result<()> {
        let index = self.queue.submit(commands);
        self.in_flight.push_back(index);
        while self.in_flight.len() > IN_FLIGHT {
            self.finish(self.in_flight.front().cloned())?;
            self.in_flight.pop_front();
        }
        // lets the driver report what is done or lost
        let poll = self.device.poll(wgpu::PollType::Poll);
        self.check()?;
        poll.map(|_| ()).map_err(|e| self.error(e.to_string()))
    }

    /// Waits for a submission, or for all.
    fn finish(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let poll = self.device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
        self.check()?;
        poll.map(|_| ()).map_err(|e| self.error(format!("waiting for it failed: {e}")))
    }

    fn buffer(&self, label: &str, size: u64) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// Folds a count of workgroups into two dimensions (`shared/grid.wgsl` unfolds it).
    fn fold(&self, label: &str, workgroups: u64) -> Result<[u32; 2]> {
        let widest = u64::from(self.workgroups);
        let height = workgroups.div_ceil(widest);
        if workgroups == 0 || height > u64::from(self.device.limits().max_compute_workgroups_per_dimension) {
            return Err(self.error(format!("{label}: a dispatch of {workgroups} workgroups")));
        }
        Ok([workgroups.div_ceil(height) as u32, height as u32])
    }
}

impl Executor for GpuExecutor {
    fn name(&self) -> &str {
        &self.facts.name
    }

    fn samples_at_once(&self) -> usize {
        if self.facts.kind == Kind::Software { 64 } else { 2 * self.target.tuning.large.m }
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize, element: Element) -> Result<Matrix> {
        self.check()?;
        if element == Element::Bf16 {
            return Err(self.unable(NO_BF16));
        }
        let (id, generation) = (self.matrices.len() as u32, self.generation);
        let matrix = Matrix { id, generation, rows, cols, element };
        let chunking = self.target.chunking;
        let bytes = chunking.bytes(matrix).ok_or_else(|| {
            self.error(format!(
                "{name}: a matrix of {rows} × {cols} cannot be held: it is empty, or {} of its rows exceed the \
                 largest binding, {} bytes; use --device cpu",
                chunks::ROWS,
                chunking.limit
            ))
        })?;
        let refused = |why: &str| {
            self.error(format!(
                "{name} ({rows} × {cols}, {}) does not fit its memory: {why}; {}",
                memory::bytes(bytes),
                with_less()
            ))
        };
        if bytes > self.memory() {
            return Err(refused(&format!("{} are free", memory::bytes(self.memory()))));
        }
        let mut buffers = Vec::new();
        for view in chunking.views(matrix) {
            let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
            buffers.push(self.buffer(name, ((view.end - view.first) * matrix.row_bytes()) as u64));
            if let Some(error) = pollster::block_on(scope.pop()) {
                return Err(refused(&error.to_string()));
            }
        }
        self.check()?;
        self.allocated += bytes;
        self.matrices.push(Stored { name: name.to_owned(), buffers });
        Ok(matrix)
    }

    fn memory(&self) -> u64 {
        self.memory - self.allocated
    }

    fn allocated(&self) -> u64 {
        self.allocated
    }

    fn profile(&mut self) -> Result<()> {
        self.timer = Some(self.timer()?);
        Ok(())
    }

    fn spans(&self) -> &[Span] {
        self.timer.as_ref().map_or(&[], |timer| &timer.spans)
    }

    fn write(&mut self, matrix: Matrix, first_row: usize, data: &[f32]) -> Result<()> {
        self.write_rows(matrix, first_row, data, false, transfer::encode)
    }

    fn write_u32(&mut self, matrix: Matrix, first_row: usize, data: &[u32]) -> Result<()> {
        self.write_rows(matrix, first_row, data, true, |_, row, bytes| {
            bytes.extend_from_slice(bytemuck::cast_slice(row));
        })
    }

    fn read(&mut self, matrix: Matrix, first_row: usize, rows: usize) -> Result<Vec<f32>> {
        self.read_rows(matrix, first_row, rows)
    }

    fn staging(&mut self, matrix: Matrix, rows: usize) -> Result<Box<dyn Staging>> {
        self.check()?;
        let staging = self.ring.take(&self.device, matrix, rows);
        self.check()?;
        Ok(Box::new(staging.map_err(|e| self.error(e))?))
    }

    fn upload(
        &mut self,
        staging: Box<dyn Staging>,
        matrix: Matrix,
        first_row: usize,
        rows: usize,
    ) -> Result<()> {
        self.upload_rows(staging, matrix, first_row, rows)
    }

    fn compile(&mut self, recording: &Recording) -> Result<Program> {
        self.check()?;
        if let Some(matrix) = recording.stale(self.generation) {
            self.stored(matrix)?;
        }
        let plan = Plan::new(recording, &self.target);
        let buffers = |launch: &plan::Launch| launch.kernel.bound.len();
        if let Some(most) = plan.launches.iter().max_by_key(|launch| buffers(launch))
            && buffers(most) > self.facts.storage_buffers as usize
        {
            return Err(self.unable(&format!(
                "{} works on {} buffers, of which a kernel has at most {} here; use --device cpu",
                most.label,
                buffers(most),
                self.facts.storage_buffers
            )));
        }
        let partial: u64 = plan.scratch.iter().sum();
        if partial > self.memory() {
            return Err(self.error(format!(
                "partial results ({}) do not fit its memory: {} are free; {}",
                memory::bytes(partial),
                memory::bytes(self.memory()),
                with_less()
            )));
        }
        self.allocated += partial;
        let scratch: Vec<Option<wgpu::Buffer>> =
            plan.scratch.iter().map(|&bytes| (bytes > 0).then(|| self.buffer("scratch", bytes))).collect();

        let slot = self.device.limits().min_uniform_buffer_offset_alignment.max(256) as usize;
        let mut params = vec![0u8; slot * plan.launches.len().max(1)];
        for (launch, bytes) in plan.launches.iter().zip(params.chunks_exact_mut(slot)) {
            let words: &[u8] = bytemuck::cast_slice(&launch.kernel.params);
            bytes[..words.len()].copy_from_slice(words);
        }
        // not create_buffer_init, which panics when the device is lost
        let uniform = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("parameters"),
            size: params.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&uniform, 0, &params);

        let mut program = Vec::with_capacity(plan.launches.len());
        for (index, launch) in plan.launches.iter().enumerate() {
            let (label, kernel) = (&launch.label, &launch.kernel);
            let source = (kernel.source(self.guarded), self.target.tuning.unchecked);
            let made = self.pipelines.get(&self.device, &self.step_layout, label, source)?;
            let mut entries = vec![wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &uniform,
                    offset: (index * slot) as u64,
                    size: std::num::NonZeroU64::new(slot as u64),
                }),
            }];
            for (bound, binding) in kernel.bound.iter().zip(1..) {
                let buffer = match bound {
                    Bound::Matrix(view) => &self.stored(view.matrix)?.buffers[view.chunk],
                    Bound::Scratch(which) => {
                        scratch[*which as usize].as_ref().expect("reserved by whoever binds it")
                    }
                };
                entries.push(wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
            }
            let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(label),
                layout: &made.layout,
                entries: &entries,
            });
            let workgroups = self.fold(label, launch.workgroups)?;
            self.check().map_err(|e| self.error(format!("{label}: {e}")))?;
            let label = label.clone();
            program.push(Dispatch { label, pipeline: made.pipeline, group, workgroups });
        }
        self.programs.push(program);
        Ok(Program { index: self.programs.len() - 1, generation: self.generation })
    }

    fn run(&mut self, program: Program, step: &Step) -> Result<()> {
        self.check()?;
        let dispatches = self.programs.get(program.index).filter(|_| program.generation == self.generation);
        let dispatches = dispatches.ok_or_else(|| self.error(format!("a program: {STALE}")))?;
        // The queue writes these words after the steps before have read them and before this one does.
        self.queue.write_buffer(&self.step, 0, bytemuck::bytes_of(&StepWords::from(step)));
        if let Some(mut timer) = self.timer.take_if(|timer| timer.records()) {
            let result = self.run_timed(dispatches, &mut timer);
            self.timer = Some(timer);
            return result;
        }
        let mut encoder = self.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_bind_group(1, &self.step_group, &[]);
            dispatches.iter().for_each(|dispatch| dispatch.record(&mut pass));
        }
        self.submit(Some(encoder.finish()))
    }

    fn within(&mut self, work: &mut (dyn FnMut(&mut dyn Executor) + Send)) {
        work(self);
    }

    fn wait(&mut self) -> Result<()> {
        self.finish(None)?;
        self.in_flight.clear();
        Ok(())
    }

    fn reset(&mut self) {
        self.programs.clear();
        self.matrices.clear();
        self.generation = generation();
        self.allocated = 0;
    }
}

impl From<&Step> for StepWords {
    fn from(step: &Step) -> Self {
        StepWords {
            rows: step.rows as u32,
            first: step.first as u32,
            slot: step.slot as u32,
            step: step.step as u32,
            seed_low: step.seed as u32,
            seed_high: (step.seed >> 32) as u32,
            learning_rate: step.learning_rate,
            gradient_scale: step.gradient_scale,
            correction1: step.correction1,
            correction2: step.correction2,
            temperature: step.temperature,
            offset: step.offset as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::{Activation, Call};

    /// The adapter that tests use, as in `tests/kernels/main.rs`.
    fn gpu() -> Option<GpuExecutor> {
        let name = std::env::var("GENELIFT_TEST_ADAPTER").unwrap_or_else(|_| "llvmpipe".to_owned());
        let opened = GpuExecutor::open(&Choice::Name(name), Options::default());
        let required = std::env::var("GENELIFT_REQUIRE_GPU").is_ok_and(|v| v == "1");
        assert!(opened.is_ok() || !required, "GENELIFT_REQUIRE_GPU=1, but {:?}", opened.err());
        opened.inspect_err(|e| eprintln!("SKIPPED on the GPU: {e}")).ok()
    }

    #[test]
    fn a_lost_device_is_an_error_everywhere() {
        let Some(mut gpu) = gpu() else { return };
        let matrix = gpu.matrix("values", 5, 7, Element::F32).expect("room");
        let mut recording = Recording::new();
        recording.push(Call::Activate { input: matrix, activation: Activation::Tanh, out: matrix });
        let program = gpu.compile(&recording).expect("compiled");
        let staging = gpu.staging(matrix, 5).expect("staged");
        gpu.run(program, &Step::default()).expect("run");
        gpu.device.destroy();
        let step = Step::default();
        let results = [
            gpu.wait().err(),
            gpu.write(matrix, 0, &[0.0; 7]).err(),
            gpu.upload(staging, matrix, 0, 5).err(),
            gpu.staging(matrix, 5).err(),
            gpu.matrix("more", 5, 7, Element::F32).err(),
            gpu.compile(&recording).err(),
            gpu.run(program, &step).err(),
            gpu.read(matrix, 0, 5).err(),
        ];
        for (call, error) in results.iter().enumerate() {
            assert!(matches!(error, Some(Error::Device { .. })), "call {call}: {error:?}");
        }
    }

    #[test]
    fn steps_in_flight_and_empty_dispatches_are_bounded() {
        let Some(mut gpu) = gpu() else { return };
        let matrix = gpu.matrix("values", 5, 7, Element::F32).expect("room");
        let mut recording = Recording::new();
        recording.push(Call::Activate { input: matrix, activation: Activation::Tanh, out: matrix });
        let program = gpu.compile(&recording).expect("compiled");
        for _ in 0..50 {
            gpu.run(program, &Step::default()).expect("run");
            assert!(gpu.in_flight.len() <= IN_FLIGHT);
        }
        gpu.wait().expect("finished");
        assert!(gpu.fold("nothing", 0).is_err());
        assert_eq!(gpu.fold("one row", 65_535).unwrap(), [65_535, 1]);
        let [x, y] = gpu.fold("two rows", 65_537).unwrap();
        assert!(x <= 65_535 && u64::from(x) * u64::from(y) >= 65_537);
        gpu.reset();
        assert!(gpu.run(program, &Step::default()).is_err() && gpu.read(matrix, 0, 1).is_err());
    }
}
