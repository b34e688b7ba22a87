//! out = dropout(activation(c + bias)), and c + bias kept where a slope is told by that

use super::{Mask, row_block};
use crate::device::activation::{Nonlinearity, for_activation};
use crate::device::cpu::{Context, matmul, vectorized};
use crate::device::recording::{Activation, Dropout, Matrix, Product};

pub fn run(
    context: &Context,
    product: &Product,
    bias: Matrix,
    activation: Activation,
    dropout: Option<Dropout>,
    (kept, out): (Option<Matrix>, Matrix),
) {
    let (bias, out) = (context.read(bias), context.write(out));
    let kept = kept.map(|kept| context.write(kept));
    let mask = dropout.map(|dropout| Mask::new(dropout, context.step));
    matmul::for_tiles(context, product, |tile| {
        let biases = row_block(bias, tile.col, tile.cols);
        for i in 0..tile.rows {
            let (row, col) = (tile.row + i, tile.col);
            let values = tile.row_mut(i);
            if let Some(kept) = kept {
                values.iter_mut().zip(&biases).for_each(|(c, bias)| *c += bias);
                kept.store(row, col, values);
                for_activation!(activation, F => vectorized(
                    #[inline(always)]
                    || values.iter_mut().for_each(|z| *z = F::activate(*z)),
                ));
            } else {
                for_activation!(activation, F => vectorized(
                    #[inline(always)]
                    || values.iter_mut().zip(&biases).for_each(|(c, bias)| *c = F::activate(*c + bias)),
                ));
            }
            if let Some(mask) = &mask {
                mask.apply(row, col, values);
            }
            out.store(row, col, values);
        }
    });
}
