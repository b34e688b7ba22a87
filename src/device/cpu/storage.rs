//! The memory of one matrix, and how kernels reach into it from many threads.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use memmap2::MmapMut;

use super::bf16::{round, widen};
use crate::device::recording::{Call, Element, Matrix, padded};
use crate::error::{Error, Result};

/// Kernels work on blocks of at most this many columns, which fit on the stack.
pub const WIDTH: usize = 512;

/// Matrices of at least this many bytes ask for huge pages.
#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;

/// One cache line; a vector of them is 64-byte aligned.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
pub struct Line([f32; 16]);

/// Grows `lines` to at least `floats` values and returns that many.
pub fn floats(lines: &mut Vec<Line>, floats: usize) -> &mut [f32] {
    let needed = floats.div_ceil(16);
    if lines.len() < needed {
        lines.resize(needed, bytemuck::Zeroable::zeroed());
    }
    &mut bytemuck::cast_slice_mut(lines)[..floats]
}

/// Columns of f32 rounded up to an odd number of cache lines. Rows a power of two apart share few sets of the cache, which
/// costs products that read across rows up to a quarter of their time.
pub fn spread(cols: usize) -> usize {
    (cols.div_ceil(16) | 1) * 16
}

/// Bytes from one row of a matrix to the next, an odd number of cache lines likewise.
fn stride(matrix: &Matrix) -> Option<usize> {
    let bytes = matrix.cols.checked_next_multiple_of(16)?.checked_mul(matrix.element.bytes())?;
    (bytes.div_ceil(size_of::<Line>()) | 1).checked_mul(size_of::<Line>())
}

/// Bytes that a matrix takes, with its padding.
pub fn bytes(matrix: &Matrix) -> Option<usize> {
    let rows = matrix.rows.checked_next_multiple_of(16)?;
    rows.checked_mul(stride(matrix)?).filter(|bytes| *bytes <= isize::MAX as usize)
}

/// Owns the memory of one matrix: rows and columns padded to 16 elements, all zero at first.
#[derive(Debug)]
pub struct Storage {
    base: *mut u8,
    matrix: Matrix,
    /// Where `base` points to.
    _pages: MmapMut,
}

// SAFETY: `base` points into the pages owned here; what threads may do with them is said at `ViewMut`.
unsafe impl Send for Storage {}
// SAFETY: as above.
unsafe impl Sync for Storage {}

impl Storage {
    /// Zeroed memory for `matrix`, `name` being used in the message of failure.
    pub fn new(name: &str, matrix: Matrix) -> Result<Storage> {
        let bytes = bytes(&matrix).unwrap_or(usize::MAX);
        let mut pages = MmapMut::map_anon(bytes.max(1)).map_err(|e| {
            Error::device(
                "cpu",
                format!(
                    "no memory for {name} ({} × {} of {} bytes): {e}; take smaller batches or narrower layers where they can be chosen",
                    matrix.rows,
                    matrix.cols,
                    matrix.element.bytes()
                ),
            )
        })?;
        // A tile of a wide matrix touches one page a row: with pages of 2 MiB it stays within the TLB. The
        // system may refuse, which costs speed alone.
        #[cfg(target_os = "linux")]
        if bytes >= HUGE_PAGE {
            let _ = pages.advise(memmap2::Advice::HugePage);
        }
        Ok(Storage { base: pages.as_mut_ptr(), matrix, _pages: pages })
    }

    /// Its shape and type.
    pub fn matrix(&self) -> Matrix {
        self.matrix
    }

    /// Access for whoever has it alone.
    pub fn view_mut(&mut self) -> ViewMut {
        ViewMut(self.view())
    }

    fn view(&self) -> View {
        let stride = stride(&self.matrix).expect("a matrix that could be made");
        View { base: self.base, matrix: self.matrix, stride }
    }
}

/// The matrices of one call, lent to its kernel as the call declares them: the only place that gives two views of one matrix. Recordings refuse a call
/// that writes a matrix which it also reads, but element by element (`device/declared.rs`).
pub struct Lent<'a> {
    matrices: &'a [Storage],
    declared: Vec<(Matrix, bool)>,
}

impl<'a> Lent<'a> {
    /// Those of `call`, while nobody else has the matrices.
    pub fn of(matrices: &'a mut [Storage], call: &Call) -> Lent<'a> {
        Lent { matrices, declared: call.matrices() }
    }

    /// One that the call reads.
    pub fn read(&self, matrix: Matrix) -> View {
        assert!(self.declared.iter().any(|(other, _)| *other == matrix), "the call declares what it reads");
        let view = self.matrices[matrix.id as usize].view();
        assert_eq!(view.matrix, matrix, "the matrix belongs to this executor");
        view
    }

    /// One that the call writes.
    pub fn write(&self, matrix: Matrix) -> ViewMut {
        assert!(self.declared.contains(&(matrix, true)), "the call declares what it writes");
        ViewMut(self.read(matrix))
    }
}

/// A matrix as the threads of one kernel call read it.
#[derive(Debug, Clone, Copy)]
pub struct View {
    base: *mut u8,
    /// Shape and type.
    pub matrix: Matrix,
    /// Bytes from one row to the next.
    stride: usize,
}

/// A matrix as the threads of one kernel call write it.
///
/// The executor runs one call at a time. Inside a call the contract is: a task stores only to elements that
/// no other task stores to or loads from. Padding is never stored to, so it stays zero.
#[derive(Debug, Clone, Copy)]
pub struct ViewMut(View);

// SAFETY: the contract of `ViewMut` excludes data races.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl std::ops::Deref for ViewMut {
    type Target = View;

    fn deref(&self) -> &View {
        &self.0
    }
}

impl View {
    /// Elements from one row to the next.
    pub fn pitch(&self) -> usize {
        self.stride / self.matrix.element.bytes()
    }

    /// Address of an element; the block of `len` elements from there lies in the (padded) row.
    #[inline]
    pub fn address(&self, row: usize, col: usize, len: usize) -> *mut u8 {
        let matrix = &self.matrix;
        assert!(row < padded(matrix.rows) && col + len <= matrix.pitch(), "inside the matrix");
        // SAFETY: the assertion keeps the offset inside the allocation of padded rows × stride.
        unsafe { self.base.add(row * self.stride + col * matrix.element.bytes()) }
    }

    fn block<T: bytemuck::Pod>(&self, row: usize, col: usize, len: usize) -> &[T] {
        debug_assert_eq!(size_of::<T>(), self.matrix.element.bytes());
        // SAFETY: in bounds by `address`, initialised from the start, and nobody stores here now (`ViewMut`).
        unsafe { std::slice::from_raw_parts(self.address(row, col, len).cast(), len) }
    }

    /// Copies `out.len()` elements of a row, from column `col` on, widened to f32.
    #[inline]
    pub fn load(&self, row: usize, col: usize, out: &mut [f32]) {
        match self.matrix.element {
            Element::F32 => out.copy_from_slice(self.block(row, col, out.len())),
            Element::F16 => self.block::<f16>(row, col, out.len()).convert_to_f32_slice(out),
            Element::Bf16 => widen(self.block::<bf16>(row, col, out.len()), out),
            Element::U32 => {
                let values = self.block::<u32>(row, col, out.len());
                out.iter_mut().zip(values).for_each(|(out, value)| *out = *value as f32);
            }
        }
    }

    /// Elements of an f32 matrix that nobody stores to now.
    #[inline]
    pub fn loaded(&self, row: usize, col: usize, len: usize) -> &[f32] {
        assert_eq!(self.matrix.element, Element::F32, "parameters are f32");
        self.block(row, col, len)
    }

    /// Elements of a bf16 matrix that nobody stores to now, as their bits.
    #[inline]
    pub fn bits(&self, row: usize, col: usize, len: usize) -> &[u16] {
        assert_eq!(self.matrix.element, Element::Bf16, "bits of bf16");
        self.block(row, col, len)
    }

    /// One index of a u32 matrix.
    pub fn index(&self, row: usize, col: usize) -> u32 {
        self.block::<u32>(row, col, 1)[0]
    }
}

impl ViewMut {
    #[allow(clippy::mut_from_ref)] // exclusive by the contract of `ViewMut`
    fn block_mut<T: bytemuck::Pod>(&self, row: usize, col: usize, len: usize) -> &mut [T] {
        debug_assert_eq!(size_of::<T>(), self.matrix.element.bytes());
        assert!(row < self.matrix.rows && col + len <= self.matrix.cols, "stores leave padding alone");
        // SAFETY: in bounds by `address`, and this task alone touches these elements (`ViewMut`).
        unsafe { std::slice::from_raw_parts_mut(self.address(row, col, len).cast(), len) }
    }

    /// Stores `values` in a row from column `col` on, rounded to nearest where the matrix is f16 or bf16.
    #[inline]
    pub fn store(&self, row: usize, col: usize, values: &[f32]) {
        match self.matrix.element {
            Element::F32 => self.block_mut(row, col, values.len()).copy_from_slice(values),
            Element::F16 => self.block_mut::<f16>(row, col, values.len()).convert_from_f32_slice(values),
            Element::Bf16 => round(values, self.block_mut::<u16>(row, col, values.len())),
            Element::U32 => {
                let out = self.block_mut::<u32>(row, col, values.len());
                out.iter_mut().zip(values).for_each(|(out, value)| *out = *value as u32);
            }
        }
    }

    /// Elements of an f32 matrix in place, for one that is read and written by the same task.
    #[inline]
    #[allow(clippy::mut_from_ref)] // exclusive by the contract of `ViewMut`
    pub fn floats(&self, row: usize, col: usize, len: usize) -> &mut [f32] {
        assert_eq!(self.matrix.element, Element::F32, "parameters are f32");
        self.block_mut(row, col, len)
    }

    /// Stores a row of indices.
    pub fn store_u32(&self, row: usize, values: &[u32]) {
        self.block_mut(row, 0, values.len()).copy_from_slice(values);
    }

    /// The bytes of a whole row with its padding.
    #[allow(clippy::mut_from_ref)] // exclusive by the contract of `ViewMut`
    pub fn row_bytes(&self, row: usize) -> &mut [u8] {
        let address = self.address(row, 0, self.matrix.pitch());
        // SAFETY: in bounds by `address`, and this task alone touches the row (`ViewMut`).
        unsafe { std::slice::from_raw_parts_mut(address, self.matrix.row_bytes()) }
    }
}

/// Calls `f(column, length)` for blocks of at most [`WIDTH`] columns, in order.
pub fn column_blocks(cols: usize, mut f: impl FnMut(usize, usize)) {
    for col in (0..cols).step_by(WIDTH) {
        f(col, WIDTH.min(cols - col));
    }
}
