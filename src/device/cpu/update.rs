//! Twin of `shaders/update.wgsl`: a parameter's update from a gradient that was summed before.

use rayon::prelude::*;

use super::Context;
use super::epilogue::update;
use super::storage::{WIDTH, column_blocks};
use crate::device::recording::{Matrix, Update};

/// Elements a task has at least.
const TASK: usize = 1 << 14;

pub fn run(context: &Context, gradient: Matrix, rule: &Update) {
    let gradient = context.read(gradient);
    let rule = update::Rule::new(context, rule);
    let (rows, cols) = (gradient.matrix.rows, gradient.matrix.cols);
    (0..rows).into_par_iter().with_min_len(TASK / cols + 1).for_each(|row| {
        let mut values = [0.0f32; WIDTH];
        column_blocks(cols, |col, n| {
            gradient.load(row, col, &mut values[..n]);
            rule.apply(row, col, &mut values[..n]);
        });
    });
}
