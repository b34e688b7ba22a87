//! Twin of `shaders/sum_squares.wgsl`: the L2 penalty's sum.

use rayon::prelude::*;

use super::storage::{WIDTH, column_blocks};
use super::{Context, vectorized};
use crate::device::recording::Matrix;

pub fn run(context: &Context, input: Matrix, table: Matrix, column: usize) {
    let input = context.read(input);
    let rows: Vec<f64> = (0..input.matrix.rows)
        .into_par_iter()
        .map(|row| {
            let mut values = [0.0f32; WIDTH];
            let mut total = 0.0;
            column_blocks(input.matrix.cols, |col, n| {
                input.load(row, col, &mut values[..n]);
                values[n..].fill(0.0);
                total += vectorized(
                    #[inline(always)]
                    || lane_sum(&values, |w| w * w),
                );
            });
            total
        })
        .collect();
    context.write(table).store(context.step.slot, column, &[rows.iter().sum::<f64>() as f32]);
}

/// Σ f(v) over a slice: sixteen running sums, so that it vectorises in a fixed order, joined in f64.
#[inline(always)]
pub fn lane_sum(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let mut lanes = [0.0f32; 16];
    let (blocks, rest) = values.as_chunks::<16>();
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += f(*value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += f(*value);
    }
    lanes.iter().map(|lane| f64::from(*lane)).sum()
}
