//! Twin of `shaders/matmul.wgsl`: a product cut into tiles that stay in the second-level cache until an
//! epilogue has consumed them.
//!
//! A tile is one single-threaded call of the `gemm` crate. The partition follows from the product's shape
//! alone, so that every sum has the same order on any number of threads.

use std::cell::RefCell;
use std::ops::Range;

use gemm_common::Parallelism;
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::bf16::{self, Way};
use super::storage::{Line, View, WIDTH, floats, spread};
use super::{Context, vectorized};
use crate::device::recording::{Element, Layout, Product, padded};

/// Rows of the largest tile. gemm packs the right operand anew for each tile: at 256 rows that costs
/// nothing measurable, at 128 rows 6–20 % of the rate.
pub const TILE_ROWS: usize = 256;
/// Columns of the largest tile: 256 × 512 × 4 bytes are half of a 1 MiB cache.
pub const TILE_COLS: usize = WIDTH;
/// Tasks that a product is cut into where its shape allows it.
const TASKS: usize = 32;
/// Split-K leaves at least this much of the summed dimension to a task.
const MIN_DEPTH: usize = 512;
/// Depth of the panels that are converted to f32 at a time.
const PANEL_DEPTH: usize = 512;
/// Rows of a finished split-K tile that one task reduces and consumes.
const STRIP: usize = 16;

/// How a product is cut. Sizes of one tile; `splits` parts of the summed dimension, `depth` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    rows: usize,
    cols: usize,
    splits: usize,
    depth: usize,
}

impl Plan {
    fn new((m, n, k): (usize, usize, usize)) -> Plan {
        let even =
            |size: usize, most: usize, unit: usize| size.div_ceil(size.div_ceil(most)).next_multiple_of(unit);
        let (mut rows, mut cols) = (even(m, TILE_ROWS, 8), even(n, TILE_COLS, 64));
        let tiles = |rows, cols| m.div_ceil(rows) * n.div_ceil(cols);
        let mut splits = 1;
        if tiles(rows, cols) < TASKS && k >= 2 * MIN_DEPTH {
            splits = (TASKS / tiles(rows, cols)).min(k / MIN_DEPTH);
        } else {
            while tiles(rows, cols) < TASKS / 2 && rows > 64 {
                rows = (rows / 2).next_multiple_of(8);
            }
            while tiles(rows, cols) < TASKS / 2 && cols > 128 {
                cols = (cols / 2).next_multiple_of(64);
            }
        }
        let depth = k.div_ceil(splits).next_multiple_of(16);
        Plan { rows, cols, splits: k.div_ceil(depth), depth }
    }
}

/// A block of the result: `rows × cols` true elements from (`row`, `col`) on.
pub struct Tile<'a> {
    /// First row.
    pub row: usize,
    /// Number of rows.
    pub rows: usize,
    /// First column, a multiple of 16.
    pub col: usize,
    /// Number of columns, at most [`WIDTH`].
    pub cols: usize,
    values: &'a mut [f32],
}

impl Tile<'_> {
    /// The values of row `i` of the tile.
    pub fn row_mut(&mut self, i: usize) -> &mut [f32] {
        let pitch = padded(self.cols);
        &mut self.values[i * pitch..i * pitch + self.cols]
    }
}

/// Memory that a thread keeps from tile to tile.
#[derive(Default)]
struct Scratch {
    tile: Vec<Line>,
    panels: [Vec<Line>; 2],
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The operands of a product, ready for any block of it.
pub struct Operands {
    a: Operand,
    b: Operand,
    /// By the processor's own products of bf16, in this way.
    in_pairs: Option<Way>,
}

impl Operands {
    /// Of `product`.
    pub fn new(context: &Context, product: &Product) -> Operands {
        let rounded = product.operands;
        let (a, b) = (context.read(product.a), context.read(product.b));
        Operands {
            a: Operand { view: a, depth_first: product.layout == Layout::Tn, rounded },
            b: Operand { view: b, depth_first: product.layout != Layout::Nt, rounded },
            in_pairs: Some(context.way).filter(|way| rounded == Element::Bf16 && *way != Way::Widened),
        }
    }

    /// Computes the block `rows × cols`, summed over `depth`, and gives it to `consume`.
    pub fn tile<R>(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        depth: Range<usize>,
        consume: impl FnOnce(&mut Tile) -> R,
    ) -> R {
        SCRATCH.with_borrow_mut(|scratch| {
            let pitch = padded(cols.len());
            let values = floats(&mut scratch.tile, rows.len() * pitch);
            self.compute(rows.clone(), cols.clone(), depth, values, &mut scratch.panels);
            consume(&mut Tile {
                row: rows.start,
                rows: rows.len(),
                col: cols.start,
                cols: cols.len(),
                values,
            })
        })
    }

    /// Writes the block to `out`, whose pitch is the padded number of columns.
    fn compute(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        depth: Range<usize>,
        out: &mut [f32],
        [a_panel, b_panel]: &mut [Vec<Line>; 2],
    ) {
        if let Some(way) = self.in_pairs {
            return self.compute_in_pairs(way, rows, cols, depth, out, [a_panel, b_panel]);
        }
        let pitch = padded(cols.len());
        // columns past the true ones are zero padding: with them gemm reads whole vectors in place
        let cols = cols.start..cols.start + pitch;
        assert!(out.len() >= rows.len() * pitch, "room for the tile");
        let panels = if self.a.direct() && self.b.direct() { 1 } else { depth.len().div_ceil(PANEL_DEPTH) };
        let step = depth.len().div_ceil(panels);
        for first in depth.clone().step_by(step) {
            let part = first..depth.end.min(first + step);
            let (a, a_outer, a_depth) = self.a.panel(rows.clone(), part.clone(), a_panel);
            let (b, b_outer, b_depth) = self.b.panel(cols.clone(), part.clone(), b_panel);
            let add = first > depth.start;
            // gemm prefers a column-major result, so it is given Cᵀ = Bᵀ·Aᵀ.
            // SAFETY: `panel` gives blocks that lie in their allocations with these strides, `out` holds
            // rows × pitch values (asserted above) and is borrowed exclusively.
            unsafe {
                gemm_f32::gemm::f32::get_gemm_fn()(
                    pitch,
                    rows.len(),
                    part.len(),
                    out.as_mut_ptr(),
                    pitch as isize,
                    1,
                    add,
                    b,
                    b_depth,
                    b_outer,
                    a,
                    a_outer,
                    a_depth,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    Parallelism::None,
                );
            }
        }
    }
}

impl Operands {
    /// The same where both operands are rounded to bf16 and multiplied two by two.
    fn compute_in_pairs(
        &self,
        way: Way,
        rows: Range<usize>,
        cols: Range<usize>,
        depth: Range<usize>,
        out: &mut [f32],
        [a_panel, b_panel]: [&mut Vec<Line>; 2],
    ) {
        let pitch = padded(cols.len());
        let cols = cols.start..cols.start + pitch;
        for first in depth.clone().step_by(way.depth()) {
            let part = first..depth.end.min(first + way.depth());
            let shape = (rows.len(), pitch, part.len().div_ceil(2));
            let left = self.a.left(way, rows.clone(), part.clone(), a_panel);
            let right = self.b.right(way, cols.clone(), part, b_panel);
            // SAFETY: `left` gives words for the rows and the depth
            unsafe { bf16::multiply(way, &left, right, out, shape, first > depth.start) };
        }
    }
}

/// One operand: element (outer, depth) of it is multiplied, outer being a row or column of the result.
struct Operand {
    view: View,
    /// Stored as depth × outer rather than outer × depth.
    depth_first: bool,
    /// What it is rounded to on the way.
    rounded: Element,
}

impl Operand {
    /// Whether the stored values are multiplied as they are.
    fn direct(&self) -> bool {
        self.view.matrix.element == Element::F32 && self.rounded == Element::F32
    }

    /// A block of the operand as f32: its address, outer stride and depth stride.
    fn panel(
        &self,
        outer: Range<usize>,
        depth: Range<usize>,
        panel: &mut Vec<Line>,
    ) -> (*const f32, isize, isize) {
        let (rows, cols) = if self.depth_first { (depth, outer) } else { (outer, depth) };
        let strides = |pitch: usize| if self.depth_first { (1, pitch as isize) } else { (pitch as isize, 1) };
        if self.direct() {
            let pitch = self.view.pitch();
            let (outer, depth) = strides(pitch);
            self.view.address(rows.end - 1, cols.start, cols.len()); // asserts the last row's bounds
            return (self.view.address(rows.start, cols.start, cols.len()).cast(), outer, depth);
        }
        let pitch = spread(cols.len());
        let values = floats(panel, rows.len() * pitch);
        for (row, out) in rows.clone().zip(values.chunks_exact_mut(pitch)) {
            self.load(row, cols.start, &mut out[..cols.len()]);
        }
        let (outer, depth) = strides(pitch);
        (values.as_ptr(), outer, depth)
    }

    fn load(&self, row: usize, col: usize, out: &mut [f32]) {
        self.view.load(row, col, out);
        if self.view.matrix.element != self.rounded {
            round(self.rounded, out);
        }
    }

    /// Bits of `len` elements of a stored row, rounded to bf16; `room` is for what is not stored so.
    fn bits<'a>(&'a self, row: usize, col: usize, len: usize, room: &'a mut [u16]) -> &'a [u16] {
        if self.view.matrix.element == Element::Bf16 {
            return self.view.bits(row, col, len);
        }
        let mut values = [0.0; WIDTH];
        self.view.load(row, col, &mut values[..len]);
        bf16::round(&values[..len], &mut room[..len]);
        &room[..len]
    }

    /// A block as a left operand of bf16 in pairs. Of an odd depth the last word's upper half is zero.
    fn left(&self, way: Way, outer: Range<usize>, depth: Range<usize>, panel: &mut Vec<Line>) -> bf16::Left {
        if self.depth_first && way == Way::Amx {
            return self.left_in_rows(outer, depth, panel);
        }
        if self.depth_first {
            let pair = spread(outer.len());
            let out = words(panel, depth.len().div_ceil(2) * pair);
            self.pairs(outer.clone(), depth, |p, low, high| {
                bf16::interleave(low, high, &mut out[p * pair..][..outer.len()]);
            });
            return bf16::Left { words: out.as_ptr(), row: 1, pair };
        }
        let even = depth.len().next_multiple_of(2); // what is beyond is padding, and zero
        if self.view.matrix.element == Element::Bf16 {
            self.view.address(outer.end - 1, depth.start, even); // asserts the last row's bounds
            let words = self.view.address(outer.start, depth.start, even);
            return bf16::Left { words: words.cast(), row: self.view.pitch() / 2, pair: 1 };
        }
        let row = spread(even / 2);
        let out = words(panel, outer.len() * row);
        let mut room = [0; WIDTH];
        for (r, out) in outer.zip(out.chunks_exact_mut(row)) {
            let bits = self.bits(r, depth.start, even, &mut room);
            bytemuck::cast_slice_mut(&mut out[..even / 2]).copy_from_slice(bits);
        }
        bf16::Left { words: out.as_ptr(), row, pair: 1 }
    }

    /// The same of an operand that lies depth first, with the pairs of a row one after another.
    fn left_in_rows(&self, outer: Range<usize>, depth: Range<usize>, panel: &mut Vec<Line>) -> bf16::Left {
        let (count, rows) = (depth.len().div_ceil(2), outer.len());
        let row = spread(count);
        let out = words(panel, rows * row);
        let mut sixteen = [[0; WIDTH]; 16];
        self.pairs(outer, depth, |p, low, high| {
            bf16::interleave(low, high, &mut sixteen[p % 16][..rows]);
            if p % 16 == 15 || p + 1 == count {
                for first in (0..rows).step_by(16) {
                    let some = first..rows.min(first + 16);
                    // behind the last pair an earlier one is left, which nobody reads
                    let pairs = sixteen.each_ref().map(|pair| &pair[some.clone()]);
                    bf16::transpose(pairs, &mut out[first * row + p / 16 * 16..], row);
                }
            }
        });
        bf16::Left { words: out.as_ptr(), row, pair: 1 }
    }

    /// A block as a right operand of bf16 in pairs, packed as [`bf16::multiply`] reads it.
    fn right<'a>(
        &self,
        way: Way,
        outer: Range<usize>,
        depth: Range<usize>,
        panel: &'a mut Vec<Line>,
    ) -> &'a [u32] {
        let (cols, count) = (outer.len(), depth.len().div_ceil(2));
        let packed = way.packed(count);
        let out = words(panel, packed * cols);
        // of the sliver from column `col` on: its first word, and its width
        let sliver = |col: usize| (packed * col, bf16::SLIVER.min(cols - col));
        for col in (0..cols).step_by(bf16::SLIVER) {
            let (first, width) = sliver(col);
            out[first + count * width..first + packed * width].fill(0);
        }
        if self.depth_first {
            self.pairs(outer, depth, |p, low, high| {
                for col in (0..cols).step_by(bf16::SLIVER) {
                    let (first, width) = sliver(col);
                    let out = &mut out[first + p * width..][..width];
                    bf16::interleave(&low[col..][..width], high.map(|high| &high[col..][..width]), out);
                }
            });
            return out;
        }
        let even = 2 * count;
        let mut rooms = [[0; bf16::DEPTH]; 16];
        for col in (0..cols).step_by(16) {
            let mut row = outer.start + col;
            let rows = rooms.each_mut().map(|room| {
                row += 1;
                bytemuck::cast_slice::<u16, u32>(self.bits(row - 1, depth.start, even, room))
            });
            let (first, width) = sliver(col / bf16::SLIVER * bf16::SLIVER);
            let out = &mut out[first + col % bf16::SLIVER..];
            for p in (0..count).step_by(16) {
                let last = count.min(p + 16);
                bf16::transpose(rows.map(|row| &row[p..last]), &mut out[p * width..], width);
            }
        }
        out
    }

    /// Pairs of stored rows of an operand that lies depth first, the last of an odd depth alone.
    fn pairs(
        &self,
        outer: Range<usize>,
        depth: Range<usize>,
        mut use_pair: impl FnMut(usize, &[u16], Option<&[u16]>),
    ) {
        let mut rooms = [[0; WIDTH]; 2];
        let [low_room, high_room] = &mut rooms;
        for (p, row) in depth.clone().step_by(2).enumerate() {
            let low = self.bits(row, outer.start, outer.len(), low_room);
            let high = (row + 1 < depth.end).then(|| self.bits(row + 1, outer.start, outer.len(), high_room));
            use_pair(p, low, high);
        }
    }
}

/// At least so many words of `lines`.
fn words(lines: &mut Vec<Line>, count: usize) -> &mut [u32] {
    bytemuck::cast_slice_mut(floats(lines, count))
}

/// Rounds to the nearest value of the type, in place.
fn round(element: Element, values: &mut [f32]) {
    match element {
        Element::F16 => {
            let mut bits = [f16::ZERO; WIDTH];
            for values in values.chunks_mut(WIDTH) {
                let bits = &mut bits[..values.len()];
                bits.convert_from_f32_slice(values);
                bits.convert_to_f32_slice(values);
            }
        }
        Element::Bf16 => {
            let mut bits = [0; WIDTH];
            for values in values.chunks_mut(WIDTH) {
                let bits = &mut bits[..values.len()];
                bf16::round(values, bits);
                bf16::widen(bytemuck::cast_slice(bits), values);
            }
        }
        Element::F32 | Element::U32 => {}
    }
}

/// Runs a product: `consume` gets every tile of the result once, on any thread. What it returns comes back
/// in an order that follows from the shape.
pub fn for_tiles<R: Send>(
    context: &Context,
    product: &Product,
    consume: impl Fn(&mut Tile) -> R + Sync,
) -> Vec<R> {
    let (m, n, k) = product.dims_at(context.step);
    let plan = Plan::new((m, n, k));
    let operands = Operands::new(context, product);
    let down = m.div_ceil(plan.rows);
    let tiles = down * n.div_ceil(plan.cols);
    // tiles below one another share a block of B, so they follow each other
    let place = |tile: usize| {
        let (row, col) = (tile % down * plan.rows, tile / down * plan.cols);
        (row..m.min(row + plan.rows), col..n.min(col + plan.cols))
    };
    if plan.splits == 1 {
        return (0..tiles)
            .into_par_iter()
            .with_max_len(1)
            .map(|tile| {
                let (rows, cols) = place(tile);
                operands.tile(rows, cols, 0..k, &consume)
            })
            .collect();
    }

    let size = plan.rows * padded(plan.cols);
    let mut partials = context.partials.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let partials = floats(&mut partials, tiles * plan.splits * size);
    partials.par_chunks_exact_mut(size).with_max_len(1).enumerate().for_each(|(task, out)| {
        let (rows, cols) = place(task / plan.splits);
        let first = task % plan.splits * plan.depth;
        SCRATCH.with_borrow_mut(|scratch| {
            operands.compute(rows, cols, first..k.min(first + plan.depth), out, &mut scratch.panels);
        });
    });
    let partials = &*partials;
    let strips = plan.rows.div_ceil(STRIP);
    (0..tiles * strips)
        .into_par_iter()
        .filter_map(|task| {
            let (rows, cols) = place(task / strips);
            let first = task % strips * STRIP;
            if first >= rows.len() {
                return None;
            }
            let pitch = padded(cols.len());
            let strip = STRIP.min(rows.len() - first);
            SCRATCH.with_borrow_mut(|scratch| {
                let values = floats(&mut scratch.tile, strip * pitch);
                values.fill(0.0);
                let parts = partials[task / strips * plan.splits * size..].chunks_exact(size);
                for part in parts.take(plan.splits) {
                    add(values, &part[first * pitch..(first + strip) * pitch]);
                }
                Some(consume(&mut Tile {
                    row: rows.start + first,
                    rows: strip,
                    col: cols.start,
                    cols: cols.len(),
                    values,
                }))
            })
        })
        .collect()
}

fn add(values: &mut [f32], part: &[f32]) {
    vectorized(
        #[inline(always)]
        || values.iter_mut().zip(part).for_each(|(value, part)| *value += part),
    );
}
