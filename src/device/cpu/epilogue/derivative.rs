//! out = c · activation'(y), through the same dropout mask as the forward pass.

use super::Mask;
use crate::device::activation::{Nonlinearity, for_activation};
use crate::device::cpu::storage::WIDTH;
use crate::device::cpu::{Context, matmul, vectorized};
use crate::device::recording::{Activation, Dropout, Matrix, Product};

pub fn run(
    context: &Context,
    product: &Product,
    output: Matrix,
    activation: Activation,
    dropout: Option<Dropout>,
    out: Matrix,
) {
    let (output, out) = (context.read(output), context.write(out));
    let mask = dropout.map(|dropout| Mask::new(dropout, context.step));
    // a kept output is stored as y/(1 − rate); a dropped one has no gradient, so its y does not matter
    let keep = dropout.map_or(1.0, |dropout| 1.0 - dropout.rate);
    matmul::for_tiles(context, product, |tile| {
        let mut outputs = [0.0; WIDTH];
        for i in 0..tile.rows {
            let (row, col, n) = (tile.row + i, tile.col, tile.cols);
            output.load(row, col, &mut outputs[..n]);
            let values = tile.row_mut(i);
            for_activation!(activation, F => vectorized(
                #[inline(always)]
                || values.iter_mut().zip(&outputs).for_each(|(c, y)| *c *= F::derivative(y * keep)),
            ));
            if let Some(mask) = &mask {
                mask.apply(row, col, values);
            }
            out.store(row, col, values);
        }
    });
}
