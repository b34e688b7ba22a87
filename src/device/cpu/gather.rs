//! Twin of `shaders/gather.wgsl`: picks a batch's rows and scales them.

use rayon::prelude::*;

use super::storage::{WIDTH, column_blocks};
use super::{Context, vectorized};
use crate::device::recording::Matrix;
use crate::error::{Error, Result};

pub fn run(
    context: &Context,
    source: Matrix,
    index: Option<Matrix>,
    offset: Matrix,
    scale: Matrix,
    out: Matrix,
) -> Result<()> {
    let step = context.step;
    let (source, offset, scale, out) =
        (context.read(source), context.read(offset), context.read(scale), context.write(out));
    let index = index.map(|index| context.read(index));
    let positions = index.map_or(source.matrix.rows, |index| index.matrix.cols);
    if step.rows > out.matrix.rows || step.first + step.rows > positions {
        return Err(Error::device(
            "cpu",
            format!(
                "gather of rows {}..{}+{} from {positions}, into {}; this is a bug of genelift",
                step.first, step.first, step.rows, out.matrix.rows
            ),
        ));
    }
    (0..out.matrix.rows).into_par_iter().try_for_each(|row| {
        let mut values = [0.0; WIDTH];
        if row >= step.rows {
            column_blocks(out.matrix.cols, |col, n| out.store(row, col, &values[..n]));
            return Ok(());
        }
        let position = step.first + row;
        let from = index.map_or(position, |index| index.index(0, position) as usize);
        if from >= source.matrix.rows {
            return Err(Error::device(
                "cpu",
                format!("gather of row {from} from {}; this is a bug of genelift", source.matrix.rows),
            ));
        }
        column_blocks(out.matrix.cols, |col, n| {
            let values = &mut values[..n];
            source.load(from, col, values);
            let (offsets, scales) = (offset.loaded(0, col, n), scale.loaded(0, col, n));
            vectorized(
                #[inline(always)]
                || {
                    for ((x, offset), scale) in values.iter_mut().zip(offsets).zip(scales) {
                        *x = (*x - offset) * scale;
                    }
                },
            );
            out.store(row, col, values);
        });
        Ok(())
    })
}
