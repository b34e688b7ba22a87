//! Twin of `shaders/concrete.wgsl`: rows drawn from the concrete distribution.

use rayon::prelude::*;

use super::storage::WIDTH;
use super::sum_squares::lane_sum;
use super::{Context, vectorized};
use crate::device::recording::Matrix;
use crate::device::{math, random};

/// Running maxima, so that they vectorise.
const LANES: usize = 16;

pub fn run(context: &Context, logits: Matrix, out: Matrix) {
    let (logits, out) = (context.read(logits), context.write(out));
    let (seed, step, temperature) = (context.step.seed, context.step.step, context.step.temperature);
    (0..out.matrix.rows).into_par_iter().for_each(|row| {
        let values = out.floats(row, 0, out.matrix.cols);
        logits.load(row, 0, values);
        let mut most = [f32::NEG_INFINITY; LANES];
        for (block, values) in values.chunks_mut(WIDTH).enumerate() {
            let mut words = [[0; 4]; WIDTH / 4];
            vectorized(
                #[inline(always)]
                || {
                    for (quad, words) in words.iter_mut().enumerate() {
                        let quad = (block * WIDTH / 4 + quad) as u32;
                        *words = random::gumbel_words(seed, step, row as u32, quad);
                    }
                    for (value, word) in values.iter_mut().zip(words.as_flattened()) {
                        *value += math::gumbel(*word);
                    }
                    // apart from the noise, which a single chain of maxima would keep from being vectorised
                    for values in values.chunks(LANES) {
                        for (most, value) in most.iter_mut().zip(values) {
                            *most = if *value > *most { *value } else { *most };
                        }
                    }
                },
            );
        }
        let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
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
