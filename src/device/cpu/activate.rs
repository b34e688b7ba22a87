//! Twin of `shaders/activate.wgsl`: an activation on its own.

use rayon::prelude::*;

use super::storage::{WIDTH, column_blocks};
use super::{Context, vectorized};
use crate::device::activation::{Nonlinearity, for_activation};
use crate::device::recording::{Activation, Matrix};

pub fn run(context: &Context, input: Matrix, activation: Activation, out: Matrix) {
    let (input, out) = (context.read(input), context.write(out));
    (0..out.matrix.rows).into_par_iter().for_each(|row| {
        let mut values = [0.0; WIDTH];
        column_blocks(out.matrix.cols, |col, n| {
            input.load(row, col, &mut values[..n]);
            apply(activation, &mut values[..n]);
            out.store(row, col, &values[..n]);
        });
    });
}

/// Activates `values` in place.
pub fn apply(activation: Activation, values: &mut [f32]) {
    for_activation!(activation, F => vectorized(
        #[inline(always)]
        || values.iter_mut().for_each(|value| *value = F::activate(*value)),
    ));
}
