//! Twin of `shaders/concrete.wgsl`: rows drawn from the concrete distribution.

use rayon::prelude::*;

use super::storage::WIDTH;
use super::sum_squares::lane_sum;
use super::{Context, vectorized};
use crate::device::recording::Matrix;
use crate::device::{math, random};

pub fn run(context: &Context, logits: Matrix, out: Matrix) {
    let (logits, out) = (context.view(logits), context.view(out));
    let (seed, step, temperature) = (context.step.seed, context.step.step, context.step.temperature);
    (0..out.matrix.rows).into_par_iter().for_each(|row| {
        let values = out.floats(row, 0, out.matrix.cols);
        logits.load(row, 0, values);
        let mut most = f32::NEG_INFINITY;
        for (block, values) in values.chunks_mut(WIDTH).enumerate() {
            let mut words = [0; WIDTH];
            vectorized(
                #[inline(always)]
                || {
                    for (quad, four) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                        let quad = (block * WIDTH / 4 + quad) as u32;
                        *four = random::gumbel_words(seed, step, row as u32, quad);
                    }
                    for (value, word) in values.iter_mut().zip(&words) {
                        *value += math::gumbel(*word);
                        most = if *value > most { *value } else { most };
                    }
                },
            );
        }
        let mut total = 0.0;
        for values in values.chunks_mut(WIDTH) {
            vectorized(
                #[inline(always)]
                || {
                    values.iter_mut().for_each(|value| *value = math::exp((*value - most) / temperature));
                    total += lane_sum(values, |value| value);
                },
            );
        }
        let share = (1.0 / total) as f32;
        values.iter_mut().for_each(|value| *value *= share);
    });
}
