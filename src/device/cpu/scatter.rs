//! Twin of `shaders/scatter.wgsl`: makes a batch's rows dense and scales them.

use rayon::prelude::*;

use super::storage::{WIDTH, column_blocks};
use super::{Context, vectorized};
use crate::device::pairs;
use crate::device::recording::Matrix;
use crate::error::{Error, Result};

pub fn run(
    context: &Context,
    (packed, capacity): (Matrix, usize),
    [offset, scale]: [Matrix; 2],
    out: Matrix,
) -> Result<()> {
    let step = context.step;
    let (packed, offset, scale, out) =
        (context.read(packed), context.read(offset), context.read(scale), context.write(out));
    let rows = out.matrix.rows;
    let start = |row: usize| packed.index(row / pairs::WIDTH, row % pairs::WIDTH) as usize;
    let most = (packed.matrix.rows - pairs::heading(capacity)) * pairs::WIDTH / 2;
    if step.rows > rows || start(step.rows) > most {
        let (pairs, found) = (start(step.rows.min(rows)), step.rows);
        return Err(Error::device(
            "cpu",
            format!(
                "scatter of {found} rows of {pairs} pairs, into {rows} of {most}; this is a bug of genelift"
            ),
        ));
    }
    (0..rows).into_par_iter().for_each(|row| {
        let mut values = [0.0; WIDTH];
        if row >= step.rows {
            column_blocks(out.matrix.cols, |col, n| out.store(row, col, &values[..n]));
            return;
        }
        let (mut next, end) = (start(row), start(row + 1));
        column_blocks(out.matrix.cols, |col, n| {
            let values = &mut values[..n];
            let (offsets, scales) = (offset.loaded(0, col, n), scale.loaded(0, col, n));
            vectorized(
                #[inline(always)]
                || {
                    for ((x, offset), scale) in values.iter_mut().zip(offsets).zip(scales) {
                        *x = (0.0 - *offset) * scale;
                    }
                },
            );
            while next < end {
                let (line, word) = pairs::place(capacity, next);
                let Some(at) = (packed.index(line, word) as usize).checked_sub(col).filter(|at| *at < n)
                else {
                    break;
                };
                values[at] = (f32::from_bits(packed.index(line, word + 1)) - offsets[at]) * scales[at];
                next += 1;
            }
            out.store(row, col, values);
        });
    });
    Ok(())
}
