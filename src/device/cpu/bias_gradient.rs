//! Twin of `shaders/bias_gradient.wgsl`: column sums of a layer's gradient, and the bias's update.

use rayon::prelude::*;

use super::epilogue::update;
use super::storage::WIDTH;
use super::{Context, vectorized};
use crate::device::recording::{Matrix, Update};

/// Rows summed before they are added to the total, which keeps rounding small for large batches.
const RUN: usize = 64;

pub fn run(context: &Context, gradient: Matrix, rule: &Update) {
    let gradient = context.read(gradient);
    let (rows, cols) = (gradient.matrix.rows.min(context.step.rows), gradient.matrix.cols);
    // a bias is one row, and its columns are the only tasks
    (0..cols.div_ceil(WIDTH)).into_par_iter().for_each(|block| {
        let col = block * WIDTH;
        let n = WIDTH.min(cols - col);
        let (mut total, mut values) = ([0.0f32; WIDTH], [0.0f32; WIDTH]);
        for first in (0..rows).step_by(RUN) {
            let mut sum = [0.0f32; WIDTH];
            for row in first..rows.min(first + RUN) {
                gradient.load(row, col, &mut values[..n]);
                vectorized(
                    #[inline(always)]
                    || sum.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value),
                );
            }
            total.iter_mut().zip(&sum).for_each(|(total, sum)| *total += sum);
        }
        update::Rule::new(context, rule).apply(0, col, &mut total[..n]);
    });
}
