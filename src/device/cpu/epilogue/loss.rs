//! The last layer in training: its loss, summed, and the gradient of the loss at its input.

use rayon::prelude::*;

use super::row_block;
use crate::device::cpu::matmul::{self, Tile};
use crate::device::cpu::storage::{View, WIDTH};
use crate::device::cpu::{Context, for_activation, vectorized};
use crate::device::math;
use crate::device::recording::{Activation, Loss, Matrix, Product};

pub struct Kernel {
    bias: View,
    activation: Activation,
    target: View,
    loss: Loss,
    gradient: Option<View>,
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
            bias: context.view(bias),
            activation,
            target: context.view(target),
            loss,
            gradient: gradient.map(|gradient| context.view(gradient)),
            unit: context.view(unit),
            samples: context.step.rows,
        }
    }

    pub fn run(&self, context: &Context, product: &Product, table: Matrix) {
        let sums = matmul::for_tiles(context, product, |tile| match self.loss {
            Loss::Mae => self.tile(tile, |e| e.abs(), |e| f32::from(e > 0.0) - f32::from(e < 0.0)),
            Loss::Mse => self.tile(tile, |e| e * e, |e| 2.0 * e),
        });
        let total = sums.iter().fold([0.0; 2], |a: [f64; 2], b| [a[0] + b[0], a[1] + b[1]]);
        context.view(table).store(context.step.slot, 0, &total.map(|sum| sum as f32));
        if let Some(gradient) = self.gradient {
            let past = self.samples..gradient.matrix.rows;
            past.into_par_iter().for_each(|row| gradient.row_bytes(row).fill(0));
        }
    }

    /// Consumes a tile; gives back Σ loss(e) and Σ |e|·unit.
    #[inline(always)]
    fn tile(
        &self,
        tile: &mut Tile,
        value: impl Fn(f32) -> f32 + Copy,
        slope: impl Fn(f32) -> f32 + Copy,
    ) -> [f64; 2] {
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
                || row_loss(values, &biases, &units, &targets, |z| math::activate(F, z),
                    |y| math::derivative(F, y), value, slope)
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
#[allow(clippy::too_many_arguments)] // the row's inputs and the four functions of one element
fn row_loss(
    values: &mut [f32],
    biases: &[f32; WIDTH],
    units: &[f32; WIDTH],
    targets: &[f32; WIDTH],
    activate: impl Fn(f32) -> f32,
    derivative: impl Fn(f32) -> f32,
    value: impl Fn(f32) -> f32,
    slope: impl Fn(f32) -> f32,
) -> [f64; 2] {
    let mut sums = [[0.0f32; 16]; 2];
    let mut element = |lane: usize, c: &mut f32, bias: f32, unit: f32, target: f32| {
        let y = activate(*c + bias);
        let e = y - target;
        sums[0][lane] += value(e);
        sums[1][lane] += e.abs() * unit;
        *c = slope(e) * derivative(y);
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
