//! Twin of `shaders/difference.wgsl`: the distance of each sample from the reference.

use rayon::prelude::*;

use super::storage::{WIDTH, column_blocks};
use super::{Context, vectorized};
use crate::device::recording::Matrix;

pub fn run(context: &Context, input: Matrix, reference: Matrix, out: Matrix) {
    let (input, reference, out) = (context.read(input), context.read(reference), context.write(out));
    (0..out.matrix.rows).into_par_iter().for_each(|row| {
        let (mut values, mut references) = ([0.0f32; WIDTH], [0.0f32; WIDTH]);
        column_blocks(out.matrix.cols, |col, n| {
            if row < context.step.rows {
                input.load(row, col, &mut values[..n]);
                reference.load(0, col, &mut references[..n]);
                vectorized(
                    #[inline(always)]
                    || values.iter_mut().zip(&references).for_each(|(x, x0)| *x -= x0),
                );
            }
            out.store(row, col, &values[..n]);
        });
    });
}
