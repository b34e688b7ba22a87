//! The last layer in training: its loss, summed, and the gradient of the loss at its input.

use rayon::prelude::*;

use super::row_block;
use crate::device::activation::{Nonlinearity, SlopeOf, for_activation};
use crate::device::cpu::matmul::{self, Tile};
use crate::device::cpu::storage::{View, ViewMut, WIDTH};
use crate::device::cpu::{Context, vectorized};
use crate::device::loss::{Penalty, for_loss};
use crate::device::recording::{Activation, Loss, Matrix, Product};

pub struct Kernel {
    bias: View,
    activation: Activation,
    target: View,
    loss: Loss,
    gradient: Option<ViewMut>,
    unit: View,
    /// Samples in this batch; later rows have no loss and a gradient of zero.
    samples: usize,
}

impl Kernel {
    pub fn new(
        context: &Context,
        bias: Matrix,
        activation: Activation,
        target: Matrix,
        loss: Loss,
        gradient: Option<Matrix>,
        unit: Matrix,
    ) -> Kernel {
        Kernel {
            bias: context.read(bias),
            activation,
            target: context.read(target),
            loss,
            gradient: gradient.map(|gradient| context.write(gradient)),
            unit: context.read(unit),
            samples: context.step.rows,
        }
    }

    pub fn run(&self, context: &Context, product: &Product, table: Matrix) {
        let sums =
            matmul::for_tiles(context, product, |tile| for_loss!(self.loss, L => self.tile::<L>(tile)));
        let total = sums.iter().fold([0.0; 2], |a: [f64; 2], b| [a[0] + b[0], a[1] + b[1]]);
        context.write(table).store(context.step.slot, 0, &total.map(|sum| sum as f32));
        if let Some(gradient) = self.gradient {
            let past = self.samples..gradient.matrix.rows;
            past.into_par_iter().for_each(|row| gradient.row_bytes(row).fill(0));
        }
    }

    /// Consumes a tile; gives back Σ loss(e) and Σ |e|·unit.
    #[inline(always)]
    fn tile<L: Penalty>(&self, tile: &mut Tile) -> [f64; 2] {
        let (col, n) = (tile.col, tile.cols);
        let (biases, units) = (row_block(self.bias, col, n), row_block(self.unit, col, n));
        let mut targets = [0.0; WIDTH];
        let mut total = [0.0; 2];
        for i in 0..tile.rows.min(self.samples.saturating_sub(tile.row)) {
            let row = tile.row + i;
            let values = tile.row_mut(i);
            self.target.load(row, col, &mut targets[..n]);
            let sums = for_activation!(self.activation, F => vectorized(
                #[inline(always)]
                || row_loss::<F, L>(values, &biases, &units, &targets)
            ));
            total = [total[0] + sums[0], total[1] + sums[1]];
            if let Some(gradient) = self.gradient {
                gradient.store(row, col, values);
            }
        }
        total
    }
}

/// Replaces the products of one row by their gradients; sixteen running sums keep the order fixed.
#[inline(always)]
fn row_loss<F: Nonlinearity, L: Penalty>(
    values: &mut [f32],
    biases: &[f32; WIDTH],
    units: &[f32; WIDTH],
    targets: &[f32; WIDTH],
) -> [f64; 2] {
    let mut sums = [[0.0f32; 16]; 2];
    let mut element = |lane: usize, c: &mut f32, bias: f32, unit: f32, target: f32| {
        let z = *c + bias;
        let y = F::activate(z);
        let e = y - target;
        sums[0][lane] += L::value(e);
        sums[1][lane] += e.abs() * unit;
        let kept = match F::SLOPE_OF {
            SlopeOf::Output => y,
            SlopeOf::Input => z,
        };
        *c = L::slope(e) * F::derivative(kept);
    };
    let (blocks, rest) = values.as_chunks_mut::<16>();
    let done = 16 * blocks.len();
    // blocks of a known length, so that they become vectors
    let inputs =
        biases.as_chunks::<16>().0.iter().zip(units.as_chunks::<16>().0).zip(targets.as_chunks::<16>().0);
    for (values, ((biases, units), targets)) in blocks.iter_mut().zip(inputs) {
        for lane in 0..16 {
            element(lane, &mut values[lane], biases[lane], units[lane], targets[lane]);
        }
    }
    for (lane, c) in rest.iter_mut().enumerate() {
        element(lane, c, biases[done + lane], units[done + lane], targets[done + lane]);
    }
    sums.map(|lanes| lanes.iter().map(|lane| f64::from(*lane)).sum())
}
