//! What becomes of a product's tiles, one epilogue a file, each the twin of `shaders/epilogue/*.wgsl`.

mod add;
mod count;
mod deeplift;
mod derivative;
mod kernel;
mod layer;
mod loss;
mod multiply;
mod store;
pub mod update;

use super::Context;
use super::matmul;
use super::storage::{View, WIDTH};
use crate::device::random;
use crate::device::recording::{Dropout, Epilogue, Product, Step};

/// Runs a product with its epilogue.
pub fn run(context: &Context, product: &Product) {
    match product.epilogue {
        Epilogue::Store { out } => store::run(context, product, out),
        Epilogue::Add { out } => add::run(context, product, out),
        Epilogue::Layer { bias, activation, dropout, kept, out } => {
            layer::run(context, product, bias, activation, dropout, (kept, out));
        }
        Epilogue::Loss { bias, activation, target, loss, gradient, unit, table } => {
            let kernel = loss::Kernel::new(context, bias, activation, target, loss, gradient, unit);
            kernel.run(context, product, table);
        }
        Epilogue::Update(ref update) => {
            let rule = update::Rule::new(context, update);
            matmul::for_tiles(context, product, |tile| {
                for i in 0..tile.rows {
                    rule.apply(tile.row + i, tile.col, tile.row_mut(i));
                }
            });
        }
        Epilogue::Derivative { kept, activation, dropout, out } => {
            derivative::run(context, product, kept, activation, dropout, out);
        }
        Epilogue::Multiply { by, out } => multiply::run(context, product, by, out),
        Epilogue::DeepLift { difference, fold, scores, sums } => {
            deeplift::run(context, product, difference, fold, scores, sums);
        }
        Epilogue::Count { own, counts, first } => count::run(context, product, own, counts, first),
        Epilogue::Kernel { mixture, lengths, others, out } => {
            kernel::run(context, product, mixture, [lengths, others], out);
        }
    }
}

/// Columns `col..col + n` of a one-row matrix.
fn row_block(view: View, col: usize, n: usize) -> [f32; WIDTH] {
    let mut values = [0.0; WIDTH];
    view.load(0, col, &mut values[..n]);
    values
}

/// A layer's dropout mask in one step.
struct Mask {
    dropout: Dropout,
    seed: u64,
    step: u64,
    /// Rows of the whole batch before these.
    offset: usize,
    threshold: u32,
    /// 1/(1 − rate)
    scale: f32,
}

impl Mask {
    fn new(dropout: Dropout, step: &Step) -> Mask {
        Mask {
            dropout,
            seed: step.seed,
            step: step.step,
            offset: step.offset,
            threshold: random::dropout_threshold(dropout.rate),
            scale: 1.0 / (1.0 - dropout.rate),
        }
    }

    /// Multiplies kept values of row `row`, from column `col` (a multiple of 4) on, by 1/(1 − rate) and
    /// sets the others to zero.
    fn apply(&self, row: usize, col: usize, values: &mut [f32]) {
        let row = (self.offset + row) as u32;
        for (i, values) in values.chunks_mut(4).enumerate() {
            let quad = (col / 4 + i) as u32;
            let words = random::dropout_words(self.seed, self.step, self.dropout.layer, row, quad);
            for (value, word) in values.iter_mut().zip(words) {
                *value = if word >= self.threshold { *value * self.scale } else { 0.0 };
            }
        }
    }
}
