//! The rates that nothing on an executor can exceed for long.

use std::time::Instant;

use serde::Serialize;

use crate::device::recording::{Call, Element, Epilogue, Layout, Recording, Step};
use crate::device::{Executor, Program};
use crate::error::Result;

/// Measured rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ceilings {
    /// Operations a second of a large f32 product, stored.
    pub matmul: f64,
    /// The same in half precision: of f16 on a GPU, of bf16 on a CPU.
    pub matmul_half: f64,
    /// Bytes read and written a second by a large copy.
    pub copy: f64,
}

/// Bytes that are copied at least: more than a last-level cache holds.
const COPIED: usize = 128 << 20;

/// How often each is tried; the best counts.
const TRIES: usize = 5;

/// The half precision that an executor is fast in.
pub fn half(executor: &dyn Executor) -> Element {
    if executor.is_on_host() { Element::Bf16 } else { Element::F16 }
}

/// Measures on square matrices of `side` rows and columns, for the copy on larger ones where these fit a cache. Frees what was on the device before.
///
/// # Errors
/// [`crate::Error::Device`].
pub fn ceilings(executor: &mut dyn Executor, side: usize) -> Result<Ceilings> {
    let n = side as f64;
    let product = |executor: &mut dyn Executor, element: Element| -> Result<f64> {
        executor.reset();
        let a = executor.matrix("left", side, side, element)?;
        let b = executor.matrix("right", side, side, element)?;
        let out = executor.matrix("product", side, side, Element::F32)?;
        let ones = vec![1.0; side * side];
        executor.write(a, 0, &ones)?;
        executor.write(b, 0, &ones)?;
        let mut recording = Recording::new();
        recording.product("ceiling", Layout::Nt, a, b, element, Epilogue::Store { out });
        let rate = best(executor, &recording, side, 2.0 * n * n * n)?;
        let corner = executor.read(out, side - 1, 1)?;
        debug_assert_eq!(corner[side - 1], side as f32);
        Ok(rate)
    };
    let half = half(executor);
    let (matmul, matmul_half) = (product(executor, Element::F32)?, product(executor, half)?);

    executor.reset();
    let rows = side.max(COPIED / (4 * side));
    let source = executor.matrix("source", rows, side, Element::F32)?;
    let out = executor.matrix("copy", rows, side, Element::F32)?;
    let offset = executor.matrix("offset", 1, side, Element::F32)?;
    let scale = executor.matrix("scale", 1, side, Element::F32)?;
    let mut recording = Recording::new();
    recording.push(Call::Gather { source, index: None, offset, scale, out });
    let copy = best(executor, &recording, rows, 8.0 * rows as f64 * n)?;
    executor.reset();
    Ok(Ceilings { matmul, matmul_half, copy })
}

/// The best rate of `amount` a run.
fn best(executor: &mut dyn Executor, recording: &Recording, rows: usize, amount: f64) -> Result<f64> {
    let program = executor.compile(recording)?;
    let step = Step { rows, ..Step::default() };
    executor.run(program, &step)?;
    executor.wait()?;
    Ok(amount / fastest(executor, program, &step, TRIES)?)
}

/// Seconds of the fastest run of a few tries.
pub(super) fn fastest(
    executor: &mut dyn Executor,
    program: Program,
    step: &Step,
    tries: usize,
) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..tries {
        let start = Instant::now();
        // Several at once, so that what it costs to ask is not what is measured.
        (0..4).try_for_each(|_| executor.run(program, step))?;
        executor.wait()?;
        least = least.min(start.elapsed().as_secs_f64() / 4.0);
    }
    Ok(least)
}
