//! out = dropout(activation(c + bias))

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
    out: Matrix,
) {
    let (bias, out) = (context.read(bias), context.write(out));
    let mask = dropout.map(|dropout| Mask::new(dropout, context.step));
    matmul::for_tiles(context, product, |tile| {
        let biases = row_block(bias, tile.col, tile.cols);
        for i in 0..tile.rows {
            let (row, col) = (tile.row + i, tile.col);
            let values = tile.row_mut(i);
            for_activation!(activation, F => vectorized(
                #[inline(always)]
                || values.iter_mut().zip(&biases).for_each(|(c, bias)| *c = F::activate(*c + bias)),
            ));
            if let Some(mask) = &mask {
                mask.apply(row, col, values);
            }
            out.store(row, col, values);
        }
    });
}
