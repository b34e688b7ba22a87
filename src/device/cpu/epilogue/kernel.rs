//! out = linear·c + radial·exp(slope·c + lengths[row] + others[col]), 0 in the rows past the batch

use super::row_block;
use crate::device::cpu::{Context, matmul, vectorized};
use crate::device::math;
use crate::device::recording::{Matrix, Mixture, Product};

pub fn run(
    context: &Context,
    product: &Product,
    mixture: Mixture,
    [lengths, others]: [Matrix; 2],
    out: Matrix,
) {
    let (lengths, others, out) = (context.read(lengths), context.read(others), context.write(out));
    let Mixture { linear, radial, slope } = mixture;
    matmul::for_tiles(context, product, |tile| {
        let others = row_block(others, tile.col, tile.cols);
        for i in 0..tile.rows {
            let (row, col) = (tile.row + i, tile.col);
            let mut length = [0.0];
            lengths.load(0, row, &mut length);
            let ([length], values) = (length, tile.row_mut(i));
            if row >= context.step.rows {
                values.fill(0.0);
            }
            let of =
                |c: f32, other: f32| linear * c + radial * math::exp((slope * c + (length + other)).min(0.0));
            if row < context.step.rows {
                vectorized(
                    #[inline(always)]
                    || values.iter_mut().zip(&others).for_each(|(c, other)| *c = of(*c, *other)),
                );
            }
            out.store(row, col, values);
        }
    });
}
