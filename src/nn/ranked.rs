//! A training step that several ranks do together: each has some rows of the batch, gradients are summed over the ranks layer by
//! layer while those of the layers below are computed, and every rank then makes the same updates.

use super::model::Model;
use super::network::{Network, Passes};
use crate::device::recording::{Call, Element, Matrix, Recording, Step, Update};
use crate::device::{Executor, Program};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::ranks::Ranks;
use crate::store::Store;

/// A checksum of a network's scaling and weights.
pub(crate) fn digest(model: &Model) -> String {
    let layers = model.layers.iter().flat_map(|layer| [&layer.weight, &layer.bias]);
    let mut digest = xxhash_rust::xxh3::Xxh3::new();
    for values in [&model.input.offset, &model.input.scale].into_iter().chain(layers) {
        digest.update(bytemuck::cast_slice(values));
    }
    format!("{:016x}", digest.digest())
}

/// Refuses ranks that would not apply the same model to the same samples.
///
/// # Errors
/// [`Error::Ranks`].
pub(crate) fn same_work(ranks: &Ranks, model: &Model, store: &Store) -> Result<()> {
    if !ranks.are_several() {
        return Ok(());
    }
    let facts = [
        ("the checksum of the model".to_string(), digest(model)),
        ("the checksum of the data".to_string(), store.info().fingerprint()),
    ];
    ranks.agree(&facts, SAME_FILES)
}

/// What to do about ranks that read other files.
pub(crate) const SAME_FILES: &str = "give all ranks the same files, on a file system that all hosts share";

/// The step, in pieces: layers from the last to the first.
pub(super) struct RankedStep {
    pieces: Vec<Piece>,
    /// (Σ loss, Σ |e|) by step.
    table: Matrix,
}

/// A layer's gradients.
struct Piece {
    /// Makes them; the first one's does the forward pass too.
    gradients: Program,
    weight: Matrix,
    bias: Matrix,
    /// Takes their sums.
    update: Program,
}

impl RankedStep {
    /// `forward` is all that is recorded up to the loss's gradient, its figures in `table`.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn new(
        executor: &mut dyn Executor,
        network: &Network,
        forward: Recording,
        (passes, updates, dropout): (&Passes, &[(Update, Update)], Option<f32>),
        table: Matrix,
    ) -> Result<RankedStep> {
        let (mut recording, depth) = (forward, network.layers.len());
        let mut pieces = Vec::with_capacity(depth);
        for (l, layer) in network.layers.iter().enumerate().rev() {
            if l + 1 < depth {
                network.back_through(&mut recording, l + 1, passes, dropout);
            }
            let mut summed = |value: Matrix| -> Result<(Matrix, Update)> {
                let out = executor.matrix("summed gradient", value.rows, value.cols, Element::F32)?;
                Ok((out, Update::Store { value, out, l2: 0.0 }))
            };
            let ((weight, store_weight), (bias, store_bias)) = (summed(layer.weight)?, summed(layer.bias)?);
            let stores = (store_weight, store_bias);
            network.update(&mut recording, l, passes, stores);
            let gradients = executor.compile(&recording)?;
            let mut taken = Recording::new();
            taken.push(Call::Update { gradient: weight, update: updates[l].0 });
            taken.push(Call::Update { gradient: bias, update: updates[l].1 });
            pieces.push(Piece { gradients, weight, bias, update: executor.compile(&taken)? });
            recording = Recording::new();
        }
        Ok(RankedStep { pieces, table })
    }

    /// One step; what the table has of it is then of all ranks. True where any rank was asked to end: all are told after the same step.
    ///
    /// # Errors
    /// [`Error::Device`], [`Error::Ranks`].
    pub fn run(&self, executor: &mut dyn Executor, ranks: &Ranks, step: &Step) -> Result<bool> {
        // The whole batch's factor belongs to the sum.
        let part = Step { gradient_scale: 1.0, ..*step };
        let mut sums = Vec::with_capacity(self.pieces.len());
        for (i, piece) in self.pieces.iter().enumerate() {
            executor.run(piece.gradients, &part)?;
            let mut values = executor.read(piece.weight, 0, piece.weight.rows)?;
            values.extend(executor.read(piece.bias, 0, 1)?);
            if i == 0 {
                values.extend(executor.read(self.table, step.slot, 1)?);
                values.push(f32::from(u8::from(interrupt::asked())));
            }
            sums.push(ranks.sum(values));
        }
        let mut asked = false;
        for (i, (piece, sum)) in self.pieces.iter().zip(sums).enumerate() {
            let sums = sum.wait()?;
            let (weight, rest) = sums.split_at(piece.weight.rows * piece.weight.cols);
            let (bias, figures) = rest.split_at(piece.bias.cols);
            executor.write(piece.weight, 0, weight)?;
            executor.write(piece.bias, 0, bias)?;
            if i == 0 {
                let (figures, askers) = figures.split_at(self.table.cols);
                executor.write(self.table, step.slot, figures)?;
                asked = askers != [0.0];
            }
            executor.run(piece.update, step)?;
        }
        Ok(asked)
    }
}

/// What ends a loop on every rank after the same step, where any of them was asked to end.
pub(super) fn interrupted() -> Error {
    /// What launchers send.
    const SIGTERM: i32 = 15;
    interrupt::check().err().unwrap_or_else(|| Error::Interrupted {
        signal: SIGTERM,
        message: "interrupted by a signal to another rank".into(),
    })
}

/// Refuses to go on where the ranks' weights are no longer the same, to the last bit of their sums of squares.
///
/// # Errors
/// [`Error::Ranks`].
pub(super) fn same_weights(ranks: &Ranks, norms: &[f32], epoch: u64) -> Result<()> {
    let bits: Vec<u32> = norms.iter().map(|norm| norm.to_bits()).collect();
    let fact = (format!("the sum of squared weights after epoch {epoch}"), format!("{norms:?} ({bits:x?})"));
    ranks.agree(
        &[fact],
        "their processors or devices round differently; give all ranks hosts and devices of one kind",
    )
}

#[cfg(test)]
mod tests;
