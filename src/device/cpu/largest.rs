//! Twin of `shaders/largest.wgsl`: where each row's largest value is.

use rayon::prelude::*;

use super::Context;
use super::storage::{WIDTH, column_blocks};
use crate::device::recording::Matrix;

pub fn run(context: &Context, input: Matrix, out: Matrix) {
    let (input, out) = (context.read(input), context.write(out));
    (0..out.matrix.rows).into_par_iter().for_each(|row| {
        let mut values = [0.0; WIDTH];
        input.load(row, 0, &mut values[..1]);
        let (mut largest, mut most) = (0, values[0]);
        column_blocks(input.matrix.cols, |col, n| {
            input.load(row, col, &mut values[..n]);
            for (i, value) in values[..n].iter().enumerate() {
                if *value > most {
                    (largest, most) = (col + i, *value);
                }
            }
        });
        out.store(row, 0, &[largest as f32]);
    });
}
