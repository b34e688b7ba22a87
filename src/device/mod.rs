//! Where the arithmetic happens: a [`recording::Recording`] of kernel calls, and the two executors that run
//! it, [`gpu`] (wgpu, WGSL) and [`cpu`] (native threads). The CPU twin of a kernel is at once the default on
//! machines without a GPU and the reference its shader is tested against.

pub mod activation;
pub mod calibration;
mod choice;
pub mod cpu;
mod declared;
pub mod gpu;
pub mod loss;
pub mod math;
pub mod pairs;
pub mod profile;
pub mod random;
pub mod recording;
mod table;
mod wgsl;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Result;
pub use choice::{Uncalibrated, auto, check, check_element, open, open_for, open_uncalibrated};
use profile::Span;
use recording::{Element, Matrix, Recording, Step};
pub(crate) use wgsl::wgsl;

/// A compiled [`Recording`], valid in the executor that compiled it until its next reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    index: usize,
    generation: u32,
}

/// A number that no executor has had since any reset.
fn generation() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// The message of a handle from before a reset, or of another executor.
const STALE: &str = "it was freed by a reset, or is another device's; this is a bug of genelift";

/// Staging areas that an executor lends at a time; who asks for a further one waits for one to come back. For each
/// of two panels of genes: one being filled, one waiting, one being copied.
pub const STAGING_AREAS: usize = 6;

/// Host memory that travels to a device matrix in one piece. Rows are written in the matrix's element type;
/// padding between rows is zero and stays so. May be filled on another thread.
pub trait Staging: Send {
    /// How many rows it can hold.
    fn capacity(&self) -> usize;
    /// Copies one row of true length (cols × element bytes) to row `row` of the staging area.
    fn write_row(&mut self, row: usize, bytes: &[u8]);
    /// For the executor, to get its own type back.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send>;
}

/// Runs recordings. Calls on the device are asynchronous; reads wait for what was queued before.
pub trait Executor {
    /// The adapter's name, as messages show it.
    fn name(&self) -> &str;

    /// Samples that DeepLIFT of all neurons is best done for at once: no tile of its product holds rows of two neurons, so they should
    /// fill tiles.
    fn samples_at_once(&self) -> usize;

    /// A new matrix, all zeros. `name` is used in messages.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when it does not fit.
    fn matrix(&mut self, name: &str, rows: usize, cols: usize, element: Element) -> Result<Matrix>;

    /// Bytes still free for matrices, as far as that can be known.
    fn memory(&self) -> u64;

    /// Whether its matrices lie in the host's memory.
    fn is_on_host(&self) -> bool {
        false
    }

    /// Bytes that the matrices made since the last reset take.
    fn allocated(&self) -> u64;

    /// Writes dense rows (`data.len() == n·cols`) starting at `first_row`; rounds to f16 where the matrix is.
    fn write(&mut self, matrix: Matrix, first_row: usize, data: &[f32]) -> Result<()>;

    /// Writes a u32 matrix's rows.
    fn write_u32(&mut self, matrix: Matrix, first_row: usize, data: &[u32]) -> Result<()>;

    /// Reads `rows` dense rows starting at `first_row`, as f32.
    fn read(&mut self, matrix: Matrix, first_row: usize, rows: usize) -> Result<Vec<f32>>;

    /// A free staging area for `rows` rows shaped like `matrix`'s, from a bounded ring: waits until one is free.
    fn staging(&mut self, matrix: Matrix, rows: usize) -> Result<Box<dyn Staging>>;

    /// Queues the copy of the first `rows` rows of `staging` to `matrix` from `first_row` on; rows are written
    /// before any call that runs later reads them, after every call queued earlier.
    fn upload(
        &mut self,
        staging: Box<dyn Staging>,
        matrix: Matrix,
        first_row: usize,
        rows: usize,
    ) -> Result<()>;

    /// Prepares a recording to be run many times.
    fn compile(&mut self, recording: &Recording) -> Result<Program>;

    /// Queues one run.
    fn run(&mut self, program: Program, step: &Step) -> Result<()>;

    /// Does work of many short runs where they are run, so that none is handed from thread to thread and back: on a busy machine each
    /// hand-over waits for a turn of its own.
    fn within(&mut self, work: &mut (dyn FnMut(&mut dyn Executor) + Send));

    /// Waits for everything queued; reports what failed meanwhile.
    fn wait(&mut self) -> Result<()>;

    /// Times every call from now on, the first [`profile::MOST`] of them. A GPU then runs one step at a time.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the adapter has no timestamps.
    fn profile(&mut self) -> Result<()>;

    /// The calls timed so far, in the order they ran; none without [`Executor::profile`].
    fn spans(&self) -> &[Span];

    /// Frees every matrix and program; handles made before are invalid.
    fn reset(&mut self);
}

/// [`Executor::within`] of work that hands something back.
///
/// # Errors
/// Those of the work.
pub(crate) fn within<T: Send>(
    executor: &mut dyn Executor,
    work: impl FnOnce(&mut dyn Executor) -> Result<T> + Send,
) -> Result<T> {
    let (mut work, mut done) = (Some(work), None);
    executor.within(&mut |executor| done = work.take().map(|work| work(executor)));
    done.expect("the work is done once")
}
