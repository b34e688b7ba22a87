//! counts[row] += columns of another item with c > own[row]; a tile leaves its rows' counts, never its values.

use crate::device::cpu::storage::WIDTH;
use crate::device::cpu::{Context, matmul, vectorized};
use crate::device::recording::{Matrix, Product};

pub fn run(context: &Context, product: &Product, own: Matrix, counts: Matrix, first: usize) {
    let (own, counts, step) = (context.read(own), context.write(counts), context.step);
    let parts = matmul::for_tiles(context, product, |tile| {
        let (row, rows, col) = (tile.row, tile.rows, tile.col);
        let cols = tile.cols.min(step.rows.saturating_sub(col));
        let count = |i: usize| {
            let mut threshold = [0.0];
            own.load(0, row + i, &mut threshold);
            let [threshold] = threshold;
            let values = &tile.row_mut(i)[..cols];
            let above = vectorized(
                #[inline(always)]
                || values.iter().map(|c| u32::from(*c > threshold)).sum::<u32>(),
            );
            let itself = (first + row + i).checked_sub(step.first + col).and_then(|at| values.get(at));
            above - u32::from(itself.is_some_and(|c| *c > threshold))
        };
        (row, (0..rows).map(count).collect::<Vec<_>>())
    });
    let mut totals = vec![0.0f32; counts.matrix.cols];
    for (row, part) in parts {
        totals[row..].iter_mut().zip(part).for_each(|(total, count)| *total += count as f32);
    }
    let mut old = [0.0; WIDTH];
    for (block, totals) in totals.chunks_mut(WIDTH).enumerate() {
        let old = &mut old[..totals.len()];
        counts.load(0, block * WIDTH, old);
        totals.iter_mut().zip(old).for_each(|(total, old)| *total += *old);
        counts.store(0, block * WIDTH, totals);
    }
}
