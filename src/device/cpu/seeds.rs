//! Twin of `shaders/seeds.wgsl`: the rows that DeepLIFT's backward chain starts from.

use rayon::prelude::*;

use super::Context;
use super::storage::{WIDTH, column_blocks};
use crate::device::recording::Matrix;

pub fn run(context: &Context, multipliers: Option<Matrix>, average: bool, out: Matrix, samples: usize) {
    let multipliers = multipliers.map(|m| context.read(m));
    let out = context.write(out);
    let neurons = out.matrix.cols;
    (0..out.matrix.rows).into_par_iter().for_each(|row| {
        let (neuron, sample) = (row / samples, row % samples);
        let mut values = [0.0f32; WIDTH];
        column_blocks(neurons, |col, n| {
            let values = &mut values[..n];
            match multipliers {
                Some(multipliers) => multipliers.load(sample, col, values),
                None => values.fill(1.0),
            }
            if average {
                values.iter_mut().for_each(|value| *value /= neurons as f32);
            } else {
                for (i, value) in values.iter_mut().enumerate() {
                    if col + i != neuron {
                        *value = 0.0;
                    }
                }
            }
            out.store(row, col, values);
        });
    });
}
