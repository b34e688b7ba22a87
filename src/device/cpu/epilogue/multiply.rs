//! out = c · by[row mod by.rows, col]

use crate::device::cpu::storage::WIDTH;
use crate::device::cpu::{Context, matmul, vectorized};
use crate::device::recording::{Matrix, Product};

pub fn run(context: &Context, product: &Product, by: Matrix, out: Matrix) {
    let (by, out) = (context.read(by), context.write(out));
    matmul::for_tiles(context, product, |tile| {
        let mut factors = [0.0f32; WIDTH];
        for i in 0..tile.rows {
            let (row, col, n) = (tile.row + i, tile.col, tile.cols);
            by.load(row % by.matrix.rows, col, &mut factors[..n]);
            let values = tile.row_mut(i);
            vectorized(
                #[inline(always)]
                || values.iter_mut().zip(&factors).for_each(|(c, factor)| *c *= factor),
            );
            out.store(row, col, values);
        }
    });
}
