//! out += c

use crate::device::cpu::{Context, matmul};
use crate::device::recording::{Matrix, Product};

pub fn run(context: &Context, product: &Product, out: Matrix) {
    let out = context.write(out);
    matmul::for_tiles(context, product, |tile| {
        for i in 0..tile.rows {
            let sums = out.floats(tile.row + i, tile.col, tile.cols);
            sums.iter_mut().zip(tile.row_mut(i)).for_each(|(sum, c)| *sum += *c);
        }
    });
}
