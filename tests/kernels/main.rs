//! Every kernel on every executor against a naive reference in f64, at awkward sizes.
//!
//! [`reference`] evaluates a call with plain loops; [`fixture`] fills matrices, runs both and compares. An
//! executor joins the tests by joining [`executors`].

mod bf16;
mod concrete;
mod elementwise;
mod epilogues;
mod execution;
#[path = "../common/executors.rs"]
mod executors;
mod fixture;
mod products;
mod reference;
mod sizes;
mod variants;

use executors::gpu;
use genelift::device::Executor;
use genelift::device::cpu::CpuExecutor;
use genelift::device::gpu::{Kind, Options, Tile};
use genelift::device::recording::padded;

/// The executors under test.
fn executors() -> Vec<Box<dyn Executor>> {
    let cpu = |threads| -> Box<dyn Executor> {
        Box::new(CpuExecutor::open(Some(threads)).expect("threads can be started"))
    };
    let mut all = vec![cpu(1), cpu(2)];
    let checked = Options { unchecked: Some(false), ..Options::default() };
    let unchecked = Options { unchecked: Some(true), guarded: true, ..Options::default() };
    all.extend([checked, unchecked].into_iter().flat_map(boxed));
    all
}

/// The GPU's executor in every other form that some adapter may choose: all tiles, split and unsplit, matrices
/// of up to `cols` columns in chunks of few rows, dispatches of more workgroups than one dimension takes, products in dispatches of
/// two million operations.
fn variants(cols: usize) -> Vec<Box<dyn Executor>> {
    let forced = |tile, slices| Options {
        tile: Some(tile),
        slices: Some(slices),
        unchecked: Some(false),
        double_buffered: Some(false),
        ..Options::default()
    };
    let limit = 64 * padded(cols) as u64 * 4;
    let narrow = |options| Options {
        binding_limit: Some(limit),
        workgroups: Some(7),
        longest: Some(1 << 21),
        ..options
    };
    let double_buffered = |options| Options { double_buffered: Some(true), ..options };
    let options = [
        double_buffered(forced(Tile::LARGE, 1)),
        forced(Tile::MEDIUM, 3),
        narrow(double_buffered(forced(Tile::SMALL, 1))),
        narrow(forced(Tile::SOFTWARE, 2)),
        narrow(forced(Tile::EMULATED, 2)),
    ];
    let hardware = gpu(Options::default()).is_some_and(|gpu| gpu.facts().kind != Kind::Software);
    // the same without wgpu's checks, and what reaches outside a matrix seen
    let unchecked = options.map(|form| Options { unchecked: Some(true), guarded: true, ..form });
    // a card's driver takes minutes over large tiles with checks, with which nothing runs there
    let checked = options.into_iter().filter(|form| !hardware || form.tile == Some(Tile::SMALL));
    let mut all: Vec<_> = checked.chain(unchecked).flat_map(boxed).collect();
    if let Some([many, few]) = cooperative().filter(|_| hardware) {
        all.extend([many, few].into_iter().flat_map(boxed));
        all.extend(boxed(narrow(Options { slices: Some(3), ..few })));
    }
    all
}

/// On cooperative matrices, where the adapter has them. Unchecked only: drivers take minutes over such kernels with checks, and software
/// takes seconds over each without.
fn cooperative() -> Option<[Options; 2]> {
    let form = Options { cooperative: true, unchecked: Some(true), slices: Some(1), ..Options::default() };
    let tiles = gpu(Options::default())?.facts().cooperation()?;
    Some(tiles.map(|tile| Options { tile: Some(tile), ..form }))
}

fn boxed(options: Options) -> Option<Box<dyn Executor>> {
    gpu(options).map(|gpu| -> Box<dyn Executor> { Box::new(gpu) })
}
