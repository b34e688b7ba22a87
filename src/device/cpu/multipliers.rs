//! Twin of `shaders/multipliers.wgsl`: DeepLIFT's Rescale multipliers of one layer.

use rayon::prelude::*;

use super::storage::{WIDTH, column_blocks};
use super::{Context, vectorized};
use crate::device::activation::{for_activation, secant};
use crate::device::recording::{Activation, Matrix};

pub fn run(context: &Context, input: Matrix, reference: Matrix, activation: Activation, out: Matrix) {
    let (input, reference, out) = (context.read(input), context.read(reference), context.write(out));
    (0..out.matrix.rows).into_par_iter().for_each(|row| {
        let (mut values, mut references) = ([0.0; WIDTH], [0.0; WIDTH]);
        column_blocks(out.matrix.cols, |col, n| {
            input.load(row, col, &mut values[..n]);
            reference.load(0, col, &mut references[..n]);
            for_activation!(activation, F => vectorized(
                #[inline(always)]
                || values.iter_mut().zip(&references).for_each(|(z, z0)| *z = secant::<F>(*z, *z0)),
            ));
            out.store(row, col, &values[..n]);
        });
    });
}
