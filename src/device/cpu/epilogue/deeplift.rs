//! DeepLIFT of all seeds: C = c·difference, of which only sums over samples and over genes are kept.
//!
//! A task is a block of genes for a group of whole seeds (or for one seed, whose samples it then walks
//! through in order), so it alone adds to its scores. Nothing of size samples × genes × seeds is stored:
//! beside the tile there is one sum a row and block of genes.

use std::ops::Range;

use rayon::prelude::*;

use crate::device::cpu::matmul::{Operands, TILE_COLS, TILE_ROWS};
use crate::device::cpu::storage::WIDTH;
use crate::device::cpu::{Context, total, vectorized};
use crate::device::recording::{Fold, Matrix, Product};

pub fn run(
    context: &Context,
    product: &Product,
    difference: Matrix,
    fold: Fold,
    scores: Matrix,
    sums: Matrix,
) {
    let (m, n, k) = product.dims();
    let (difference, scores, sums) = (context.read(difference), context.write(scores), context.write(sums));
    let samples = difference.matrix.rows;
    let seeds = m / samples;
    let group = (TILE_ROWS / samples).clamp(1, seeds);
    // even pieces of one seed's samples; whole seeds fit when `samples` ≤ TILE_ROWS
    let piece = samples.div_ceil(samples.div_ceil(TILE_ROWS));
    let groups = seeds.div_ceil(group);
    let blocks = n.div_ceil(TILE_COLS);
    let operands = Operands::new(context, product);

    let row_sums: Vec<Vec<f32>> = (0..groups * blocks)
        .into_par_iter()
        .with_max_len(1)
        .map(|task| {
            // groups of one block of genes share the right operand, so they follow each other
            let (block, first) = (task / groups, task % groups * group);
            let cols = block * TILE_COLS..n.min((block + 1) * TILE_COLS);
            let seeds = first..seeds.min(first + group);
            let mut row_sums = Vec::with_capacity(seeds.len() * samples);
            let mut totals = [0.0f32; WIDTH];
            for sample in (0..samples).step_by(piece) {
                let rows = piece_rows(&seeds, samples, sample, piece);
                operands.tile(rows, cols.clone(), 0..k, |tile| {
                    let mut differences = [0.0; WIDTH];
                    for i in 0..tile.rows {
                        let (seed, sample) = ((tile.row + i) / samples, (tile.row + i) % samples);
                        if sample == 0 {
                            totals = [0.0; WIDTH];
                        }
                        difference.load(sample, cols.start, &mut differences[..cols.len()]);
                        let values = tile.row_mut(i);
                        row_sums.push(match fold {
                            Fold::Abs => row(values, &differences, &mut totals, |c| c.abs()),
                            Fold::Signed => row(values, &differences, &mut totals, |c| c),
                            Fold::Square => row(values, &differences, &mut totals, |c| c * c),
                        });
                        if sample + 1 == samples {
                            let scored = &mut differences[..cols.len()];
                            scores.load(seed, cols.start, scored);
                            scored.iter_mut().zip(&totals).for_each(|(score, total)| *score += total);
                            scores.store(seed, cols.start, scored);
                        }
                    }
                });
            }
            row_sums
        })
        .collect();

    (0..seeds).into_par_iter().for_each(|seed| {
        let (group_index, within) = (seed / group, seed % group * samples);
        let mut values = [0.0f32; WIDTH];
        for first in (0..samples).step_by(WIDTH) {
            let values = &mut values[..WIDTH.min(samples - first)];
            for (i, value) in values.iter_mut().enumerate() {
                let parts =
                    (0..blocks).map(|block| row_sums[block * groups + group_index][within + first + i]);
                *value = parts.map(f64::from).sum::<f64>() as f32;
            }
            sums.store(seed, first, values);
        }
    });
}

/// Rows of the samples `sample..sample + piece` of one seed, or all rows of a group of seeds.
fn piece_rows(seeds: &Range<usize>, samples: usize, sample: usize, piece: usize) -> Range<usize> {
    let start = seeds.start * samples + sample;
    if piece == samples { start..seeds.end * samples } else { start..start + piece.min(samples - sample) }
}

/// Adds fold(C) of one row to the columns' totals; gives back ΣC in sixteen running sums.
#[inline(always)]
fn row(
    values: &[f32],
    differences: &[f32; WIDTH],
    totals: &mut [f32; WIDTH],
    fold: impl Fn(f32) -> f32,
) -> f32 {
    vectorized(
        #[inline(always)]
        || {
            let mut lanes = [0.0f32; 16];
            let (blocks, rest) = values.as_chunks::<16>();
            for (block, values) in blocks.iter().enumerate() {
                for lane in 0..16 {
                    let contribution = values[lane] * differences[block * 16 + lane];
                    totals[block * 16 + lane] += fold(contribution);
                    lanes[lane] += contribution;
                }
            }
            for (lane, value) in rest.iter().enumerate() {
                let at = blocks.len() * 16 + lane;
                let contribution = value * differences[at];
                totals[at] += fold(contribution);
                lanes[lane] += contribution;
            }
            total(lanes)
        },
    )
}
