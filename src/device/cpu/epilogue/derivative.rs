//! out = c · activation'(z), through the same dropout mask as the forward pass.

use super::Mask;
use crate::device::activation::{Nonlinearity, SlopeOf, for_activation};
use crate::device::cpu::storage::WIDTH;
use crate::device::cpu::{Context, matmul, vectorized};
use crate::device::recording::{Activation, Dropout, Matrix, Product};

pub fn run(
    context: &Context,
    product: &Product,
    kept: Matrix,
    activation: Activation,
    dropout: Option<Dropout>,
    out: Matrix,
) {
    let (kept, out) = (context.read(kept), context.write(out));
    let mask = dropout.map(|dropout| Mask::new(dropout, context.step));
    // an output that dropout kept is stored as y/(1 − rate); a dropped one has no gradient, so its y does not matter
    let scale = match activation.slope_of() {
        SlopeOf::Output => dropout.map_or(1.0, |dropout| 1.0 - dropout.rate),
        SlopeOf::Input => 1.0,
    };
    matmul::for_tiles(context, product, |tile| {
        let mut told = [0.0; WIDTH];
        for i in 0..tile.rows {
            let (row, col, n) = (tile.row + i, tile.col, tile.cols);
            kept.load(row, col, &mut told[..n]);
            let values = tile.row_mut(i);
            for_activation!(activation, F => vectorized(
                #[inline(always)]
                || values.iter_mut().zip(&told).for_each(|(c, kept)| *c *= F::derivative(kept * scale)),
            ));
            if let Some(mask) = &mask {
                mask.apply(row, col, values);
            }
            out.store(row, col, values);
        }
    });
}
