//! Twin of `shaders/concrete_gradient.wgsl`: from the gradient of a concrete sample to that of its logits, and
//! the logits' update.

use rayon::prelude::*;

use super::epilogue::update;
use super::storage::{WIDTH, column_blocks};
use super::sum_squares::lane_sum;
use super::{Context, vectorized};
use crate::device::recording::{Matrix, Update};

/// What is done with a block: its first column, the selection there, the gradient there.
type Visit<'a> = &'a mut dyn FnMut(usize, &[f32], &mut [f32]);

pub fn run(context: &Context, selection: Matrix, gradient: Matrix, rule: &Update) {
    let (selection, gradient) = (context.read(selection), context.read(gradient));
    let rule = update::Rule::new(context, rule);
    let inverse = 1.0 / context.step.temperature;
    (0..selection.matrix.rows).into_par_iter().for_each(|row| {
        let (mut m, mut d) = ([0.0f32; WIDTH], [0.0f32; WIDTH]);
        let mut blocks = |f: Visit| {
            column_blocks(selection.matrix.cols, |col, n| {
                selection.load(row, col, &mut m[..n]);
                gradient.load(row, col, &mut d[..n]);
                f(col, &m[..n], &mut d[..n]);
            });
        };
        let mut sum = 0.0;
        blocks(&mut |_, m, d| {
            vectorized(
                #[inline(always)]
                || {
                    d.iter_mut().zip(m).for_each(|(d, m)| *d *= m);
                    sum += lane_sum(d, |product| product);
                },
            );
        });
        let sum = sum as f32;
        blocks(&mut |col, m, d| {
            vectorized(
                #[inline(always)]
                || d.iter_mut().zip(m).for_each(|(d, m)| *d = m * (*d - sum) * inverse),
            );
            rule.apply(row, col, d);
        });
    });
}
