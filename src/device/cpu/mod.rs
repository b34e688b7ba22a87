//! The native executor: kernels on SIMD threads. It runs a recording's calls one after another, each over
//! all threads of its own pool. How a call is cut into tasks follows from shapes alone, so results do not
//! depend on the number of threads.
//!
//! One kernel a file, each named like its shader; [`matmul`] hands finished tiles to [`epilogue`]s.

mod activate;
mod bf16;
mod bias_gradient;
mod concrete;
mod concrete_gradient;
mod difference;
mod epilogue;
mod gather;
mod largest;
mod matmul;
mod multipliers;
mod scatter;
mod seeds;
mod staging;
mod storage;
mod sum_squares;
mod update;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use rayon::prelude::*;

use super::profile::{MOST, Span};
use super::recording::{Call, Element, Matrix, Recording, Step};
use super::{Executor, Program, STALE, Staging, generation};
use crate::error::{Error, Result};
use crate::memory;
pub use bf16::{Way, processor};
use staging::{Ring, Slot};
use storage::{Lent, Line, Storage, View, ViewMut};

/// Runs recordings on the processor. [`Executor::run`] returns when the work is done.
pub struct CpuExecutor {
    name: String,
    pool: Arc<rayon::ThreadPool>,
    matrices: Vec<Storage>,
    programs: Vec<Recording>,
    generation: u32,
    ring: Ring,
    /// Partial products of split-K, kept from call to call.
    partials: Mutex<Vec<Line>>,
    way: Way,
    /// Why nothing is known of the way, told where bf16 is asked for.
    unknown: Option<Error>,
    /// Free memory when the executor was opened or reset, in bytes.
    budget: u64,
    /// Taken by matrices since, in bytes.
    used: u64,
    /// When timing began, and what was timed.
    profile: Option<(Instant, Vec<Span>)>,
}

/// What a kernel needs beside its own arguments.
struct Context<'a> {
    lent: Lent<'a>,
    step: &'a Step,
    partials: &'a Mutex<Vec<Line>>,
    /// How products of bf16 are computed.
    way: Way,
}

impl Context<'_> {
    /// A matrix that the call reads.
    fn read(&self, matrix: Matrix) -> View {
        self.lent.read(matrix)
    }

    /// A matrix that the call writes.
    fn write(&self, matrix: Matrix) -> ViewMut {
        self.lent.write(matrix)
    }
}

impl CpuExecutor {
    /// An executor with `threads` threads, or one a core.
    ///
    /// # Errors
    /// [`Error::Usage`] for zero threads, [`Error::Device`] when the system gives no threads.
    pub fn open(threads: Option<usize>) -> Result<CpuExecutor> {
        let threads = match threads {
            Some(0) => return Err(Error::Usage("--threads 0: at least one thread is needed".into())),
            Some(threads) => threads,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("genelift-{i}"))
            .build()
            .map_err(|e| {
                Error::device("cpu", format!("cannot start {threads} threads: {e}; lower --threads"))
            })?;
        Ok(CpuExecutor {
            name: format!("CPU ({threads} thread{})", if threads == 1 { "" } else { "s" }),
            pool: Arc::new(pool),
            matrices: Vec::new(),
            programs: Vec::new(),
            generation: generation(),
            ring: Ring::new(),
            partials: Mutex::default(),
            way: Way::usual(),
            unknown: None,
            budget: memory::available(),
            used: 0,
            profile: None,
        })
    }

    /// Multiplies bf16 in this way, which [`Way::is_here`].
    #[must_use]
    pub fn by(mut self, way: Way) -> CpuExecutor {
        self.way = way;
        self
    }

    /// Multiplies no bf16, for this reason.
    #[must_use]
    pub(super) fn by_none(mut self, why: Error) -> CpuExecutor {
        self.unknown = Some(why);
        self
    }

    /// Checks that rows `first..first + count` exist and gives access to the matrix.
    fn rows(&mut self, matrix: Matrix, first: usize, count: usize) -> Result<ViewMut> {
        if matrix.generation != self.generation {
            return Err(self.error(format!("matrix {}: {STALE}", matrix.id)));
        }
        let fits = first.checked_add(count).is_some_and(|n| n <= matrix.rows);
        let here = self.matrices.get(matrix.id as usize).is_some_and(|storage| storage.matrix() == matrix);
        match here && fits {
            true => Ok(self.matrices[matrix.id as usize].view_mut()),
            false => Err(self.error(format!(
                "rows {first}..{first}+{count} asked of a matrix of {} × {} (number {}); this is a bug of genelift",
                matrix.rows, matrix.cols, matrix.id
            ))),
        }
    }

    fn error(&self, message: String) -> Error {
        Error::device(&self.name, message)
    }

    /// Number of rows in `values`, which must be whole.
    fn whole_rows(&self, matrix: Matrix, values: usize) -> Result<usize> {
        if matrix.cols == 0 || !values.is_multiple_of(matrix.cols) {
            return Err(self.error(format!(
                "{values} values are not whole rows of {} columns; this is a bug of genelift",
                matrix.cols
            )));
        }
        Ok(values / matrix.cols)
    }
}

impl Executor for CpuExecutor {
    fn name(&self) -> &str {
        &self.name
    }

    fn samples_at_once(&self) -> usize {
        64
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize, element: Element) -> Result<Matrix> {
        if element == Element::Bf16
            && let Some(why) = self.unknown.take()
        {
            return Err(why);
        }
        let id = u32::try_from(self.matrices.len())
            .map_err(|_| self.error(format!("more than {} matrices", u32::MAX)))?;
        let matrix = Matrix { id, generation: self.generation, rows, cols, element };
        let bytes = storage::bytes(&matrix).map_or(u64::MAX, |bytes| bytes as u64);
        // the system would grant more than it has and kill the process when it is touched
        if bytes > self.memory() {
            return Err(self.error(format!(
                "{name} ({rows} × {cols}) needs {}, {} are free; take smaller batches or narrower layers where they can be chosen",
                memory::bytes(bytes),
                memory::bytes(self.memory())
            )));
        }
        self.matrices.push(Storage::new(name, matrix)?);
        self.used += bytes;
        Ok(matrix)
    }

    fn memory(&self) -> u64 {
        self.budget.saturating_sub(self.used)
    }

    fn is_on_host(&self) -> bool {
        true
    }

    fn allocated(&self) -> u64 {
        self.used
    }

    fn profile(&mut self) -> Result<()> {
        self.profile = Some((Instant::now(), Vec::new()));
        Ok(())
    }

    fn spans(&self) -> &[Span] {
        self.profile.as_ref().map_or(&[], |(_, spans)| spans)
    }

    fn write(&mut self, matrix: Matrix, first_row: usize, data: &[f32]) -> Result<()> {
        let rows = self.whole_rows(matrix, data.len())?;
        let view = self.rows(matrix, first_row, rows)?;
        self.pool.install(|| {
            let rows = data.par_chunks_exact(matrix.cols.max(1)).enumerate();
            rows.with_min_len((1 << 14) / matrix.cols.max(1) + 1)
                .for_each(|(i, row)| view.store(first_row + i, 0, row));
        });
        Ok(())
    }

    fn write_u32(&mut self, matrix: Matrix, first_row: usize, data: &[u32]) -> Result<()> {
        let rows = self.whole_rows(matrix, data.len())?;
        let view = self.rows(matrix, first_row, rows)?;
        if matrix.element != Element::U32 {
            return Err(self.error("indices written to a matrix of floats; this is a bug of genelift".into()));
        }
        for (i, row) in data.chunks_exact(matrix.cols).enumerate() {
            view.store_u32(first_row + i, row);
        }
        Ok(())
    }

    fn read(&mut self, matrix: Matrix, first_row: usize, rows: usize) -> Result<Vec<f32>> {
        let view = self.rows(matrix, first_row, rows)?;
        let mut data = vec![0.0; rows * matrix.cols];
        if matrix.cols > 0 {
            for (i, row) in data.chunks_exact_mut(matrix.cols).enumerate() {
                view.load(first_row + i, 0, row);
            }
        }
        Ok(data)
    }

    fn staging(&mut self, matrix: Matrix, rows: usize) -> Result<Box<dyn Staging>> {
        Ok(Box::new(self.ring.take(matrix, rows)?))
    }

    fn upload(
        &mut self,
        staging: Box<dyn Staging>,
        matrix: Matrix,
        first_row: usize,
        rows: usize,
    ) -> Result<()> {
        let view = self.rows(matrix, first_row, rows)?;
        let slot = match staging.into_any().downcast::<Slot>() {
            Ok(slot) if slot.stride() == matrix.row_bytes() && rows <= slot.capacity() => slot,
            _ => {
                return Err(self.error(format!(
                    "the staging area does not hold {rows} rows of {} bytes; this is a bug of genelift",
                    matrix.row_bytes()
                )));
            }
        };
        let bytes = slot.bytes();
        self.pool.install(|| {
            bytes
                .par_chunks_exact(slot.stride())
                .take(rows)
                .enumerate()
                .for_each(|(i, row)| view.row_bytes(first_row + i).copy_from_slice(row));
        });
        Ok(())
    }

    fn compile(&mut self, recording: &Recording) -> Result<Program> {
        if let Some(Matrix { id, .. }) = recording.stale(self.generation) {
            return Err(self.error(format!("matrix {id}: {STALE}")));
        }
        self.programs.push(recording.clone());
        Ok(Program { index: self.programs.len() - 1, generation: self.generation })
    }

    fn run(&mut self, program: Program, step: &Step) -> Result<()> {
        let known = self.programs.get(program.index).filter(|_| program.generation == self.generation);
        let Some(recording) = known else {
            return Err(self.error(format!("a program: {STALE}")));
        };
        let (matrices, partials, way) = (&mut self.matrices, &self.partials, self.way);
        let mut profile = self.profile.as_mut().filter(|(_, spans)| spans.len() < MOST);
        self.pool.install(|| {
            recording.calls().iter().try_for_each(|call| {
                let start = Instant::now();
                dispatch(&Context { lent: Lent::of(matrices, call), step, partials, way }, call)?;
                if let Some((origin, spans)) = &mut profile {
                    let (start, seconds) = ((start - *origin).as_secs_f64(), start.elapsed().as_secs_f64());
                    spans.push(Span { name: call.describe(), start, seconds });
                }
                Ok(())
            })
        })
    }

    fn within(&mut self, work: &mut (dyn FnMut(&mut dyn Executor) + Send)) {
        let pool = self.pool.clone();
        pool.install(|| work(self));
    }

    fn wait(&mut self) -> Result<()> {
        Ok(())
    }

    fn reset(&mut self) {
        self.matrices.clear();
        self.programs.clear();
        self.generation = generation();
        self.budget = memory::available();
        self.used = 0;
    }
}

fn dispatch(context: &Context, call: &Call) -> Result<()> {
    match *call {
        Call::Gather { source, index, offset, scale, out } => {
            return gather::run(context, source, index, offset, scale, out);
        }
        Call::Scatter { pairs, packed, offset, scale, out } => {
            return scatter::run(context, (pairs, packed), [offset, scale], out);
        }
        Call::Product(ref product) => epilogue::run(context, product),
        Call::BiasGradient { gradient, ref update } => bias_gradient::run(context, gradient, update),
        Call::Update { gradient, ref update } => update::run(context, gradient, update),
        Call::Activate { input, activation, out } => activate::run(context, input, activation, out),
        Call::Multipliers { input, reference, activation, out } => {
            multipliers::run(context, input, reference, activation, out);
        }
        Call::Difference { input, reference, out } => difference::run(context, input, reference, out),
        Call::Seeds { multipliers, average, out, samples } => {
            seeds::run(context, multipliers, average, out, samples);
        }
        Call::Concrete { logits, out } => concrete::run(context, logits, out),
        Call::ConcreteGradient { selection, gradient, ref update } => {
            concrete_gradient::run(context, selection, gradient, update);
        }
        Call::Largest { input, out } => largest::run(context, input, out),
        Call::SumSquares { input, table, column } => sum_squares::run(context, input, table, column),
    }
    Ok(())
}

/// Runs a loop with the widest vectors that this processor has.
#[inline(always)]
pub(crate) fn vectorized<R>(body: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(body)
}

/// Adds up the lanes of such a loop, in their order. By value and by a loop: `iter().sum()` is a function of its own to the
/// compiler, for whose sake the lanes would lie in memory all along.
#[inline(always)]
pub(crate) fn total<T: Copy + Default + std::ops::AddAssign, const N: usize>(lanes: [T; N]) -> T {
    let mut sum = T::default();
    for lane in lanes {
        sum += lane;
    }
    sum
}

/// Σ a·b in eight partial sums.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    total(sums) + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_gives_everything_back() {
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let matrix = executor.matrix("x", 64, 64, Element::F32).unwrap();
        assert!(executor.allocated() >= 4 * 64 * 64);
        executor.write(matrix, 0, &[1.0; 64 * 64]).unwrap();
        executor.reset();
        assert_eq!(executor.allocated(), 0);
        let matrix = executor.matrix("x", 64, 64, Element::F32).unwrap();
        assert_eq!(executor.read(matrix, 0, 64).unwrap(), [0.0; 64 * 64]);
    }
}
