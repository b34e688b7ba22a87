//! What is fastest for the products of a training step: tiles on a GPU, the way of multiplying bf16 on a CPU.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::ceilings::fastest;
use crate::device::Executor;
use crate::device::cpu::{CpuExecutor, Way};
use crate::device::gpu::{GpuExecutor, Kind, Tile, Tuning};
use crate::device::recording::{Element, Epilogue, Layout, Recording, Step};
use crate::error::Result;
use crate::progress::{Event, Reporter, advance};

/// A table that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// What of the table was changed, and to what.
    pub change: String,
    /// All products of the steps with it.
    pub seconds: f64,
}

/// What a calibration found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Calibrated {
    /// The best table.
    pub tuning: Tuning,
    /// All products of the steps with the kind's own table, and with the best.
    pub seconds: [f64; 2],
    /// Of f16 operands: the same with scalar kernels and on cooperative matrices, where the adapter has them and their products are
    /// right.
    pub half_seconds: Option<[f64; 2]>,
    /// In the order in which they were tried.
    pub trials: Vec<Trial>,
}

/// One entry of a table.
enum Change {
    Large(Tile),
    Gradient(Tile),
    Medium(Tile),
    Small(Tile),
    Workgroups(usize),
    Unchecked,
    DoubleBuffered(bool),
}

impl Change {
    fn to(&self, tuning: Tuning) -> Tuning {
        match *self {
            Change::Large(large) => Tuning { large, ..tuning },
            Change::Gradient(tile) => Tuning { gradient: Some(tile), ..tuning },
            Change::Medium(medium) => Tuning { medium, ..tuning },
            Change::Small(small) => Tuning { small, ..tuning },
            Change::Workgroups(workgroups) => Tuning { workgroups, ..tuning },
            Change::Unchecked => Tuning { unchecked: true, ..tuning },
            Change::DoubleBuffered(double_buffered) => Tuning { double_buffered, ..tuning },
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (entry, tile) = match self {
            Change::Large(tile) => ("large", tile),
            Change::Gradient(tile) => ("gradients'", tile),
            Change::Medium(tile) => ("medium", tile),
            Change::Small(tile) => ("small", tile),
            Change::Workgroups(workgroups) => return write!(f, "{workgroups} workgroups at least"),
            Change::Unchecked => return write!(f, "without checks of loops and indices"),
            Change::DoubleBuffered(true) => return write!(f, "two pieces of the operands in shared memory"),
            Change::DoubleBuffered(false) => return write!(f, "one piece of the operands in shared memory"),
        };
        let Tile { m, n, k, thread_m, thread_n, .. } = tile;
        write!(f, "{entry} tiles {m} × {n} × {k}, {thread_m} × {thread_n} a thread")
    }
}

/// One product of a step: layout, rows, columns and depth.
type Shape = (Layout, [usize; 3]);

/// The products of training steps of these batches: forward, weight gradients, back to every layer but the first.
fn products(widths: &[usize], batches: &[usize]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for batch in batches {
        for (layer, pair) in widths.windows(2).enumerate() {
            // as `Network::trainable` keeps weights
            let turned = pair[0] > pair[1];
            let (through, back) = if turned { (Layout::Nn, Layout::Nt) } else { (Layout::Nt, Layout::Nn) };
            shapes.push((through, [*batch, pair[1], pair[0]]));
            let gradient = if turned { [pair[0], pair[1], *batch] } else { [pair[1], pair[0], *batch] };
            shapes.push((Layout::Tn, gradient));
            if layer > 0 {
                shapes.push((back, [*batch, pair[0], pair[1]]));
            }
        }
    }
    shapes
}

/// Times products, each once for every tile and number of slices.
struct Clock<'a> {
    executor: &'a mut GpuExecutor,
    rounds: usize,
    /// How long a product runs before it is timed.
    warm: Duration,
    known: HashMap<Key, f64>,
}

/// Number of a product; its tile and slices, `None` on cooperative matrices; whether it is unchecked and double-buffered, and its operands f16.
type Key = (usize, Option<(Tile, usize)>, [bool; 3]);

impl Clock<'_> {
    /// Seconds of all products with this table.
    fn all(&mut self, shapes: &[Shape], tuning: Tuning, half: bool) -> Result<f64> {
        let mut total = 0.0;
        for (number, shape) in shapes.iter().enumerate() {
            let [m, n, k] = shape.1;
            let tile = tuning.tile(shape.0, shape.1);
            let way = (!tuning.cooperative).then(|| (tile, tuning.slices(tile.count(m, n), k)));
            let key = (number, way, [tuning.unchecked, tuning.double_buffered, half]);
            if !self.known.contains_key(&key) {
                let seconds = self.one(shape, tuning, half)?.1;
                self.known.insert(key, seconds);
            }
            total += self.known[&key];
        }
        Ok(total)
    }

    /// A product's rows, and its seconds.
    fn one(&mut self, shape: &Shape, tuning: Tuning, half: bool) -> Result<(Vec<f32>, f64)> {
        self.executor.tune(tuning);
        let element = if half { Element::F16 } else { Element::F32 };
        timed(self.executor, shape, element, self.rounds, self.warm)
    }
}

/// A product's rows, and its seconds: the best of a few.
fn timed(
    executor: &mut dyn Executor,
    (layout, [m, n, k]): &Shape,
    element: Element,
    rounds: usize,
    warm: Duration,
) -> Result<(Vec<f32>, f64)> {
    executor.reset();
    let ([a_rows, a_cols], [b_rows, b_cols]) = match layout {
        Layout::Nt => ([*m, *k], [*n, *k]),
        Layout::Nn => ([*m, *k], [*k, *n]),
        Layout::Tn => ([*k, *m], [*k, *n]),
    };
    let a = executor.matrix("left", a_rows, a_cols, element)?;
    let b = executor.matrix("right", b_rows, b_cols, element)?;
    let out = executor.matrix("product", *m, *n, Element::F32)?;
    for matrix in [a, b] {
        // 1/128 times whole numbers: exact in f16 and bf16, and of either sign
        let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 24) as f32 / 128.0 - 1.0;
        let values: Vec<f32> = (0..matrix.rows * matrix.cols).map(value).collect();
        executor.write(matrix, 0, &values)?;
    }
    let mut recording = Recording::new();
    recording.product("product", *layout, a, b, element, Epilogue::Store { out });
    let program = executor.compile(&recording)?;
    let step = Step { rows: *m, ..Step::default() };
    let begin = Instant::now();
    // a GPU that was idle while the operands were made takes a moment to reach its clock
    loop {
        executor.run(program, &step)?;
        executor.wait()?;
        if begin.elapsed() >= warm {
            break;
        }
    }
    let seconds = fastest(executor, program, &step, rounds)?;
    Ok((executor.read(out, 0, *m)?, seconds))
}

/// The largest difference of two products over a depth, in units of the length of their operands' rows; NaN where there is one.
fn apart((_, [_, _, k]): &Shape, a: &[f32], b: &[f32]) -> f32 {
    let length = (*k as f32).sqrt();
    let apart = a.iter().zip(b).map(|(x, y)| (x - y).abs() / length);
    // not `max`, which ignores NaN
    apart.fold(0.0, |worst, x| if x <= worst { worst } else { x })
}

/// Products that are further apart are not the same.
const SAME: f32 = 1e-3;

/// What the calibration of a CPU found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CalibratedCpu {
    /// The fastest way.
    pub way: Way,
    /// All products of the steps in f32.
    pub seconds: f64,
    /// The same of bf16, in each way that this processor has and whose products are right.
    pub ways: Vec<(Way, f64)>,
}

/// Times all ways of multiplying bf16.
///
/// # Errors
/// [`crate::Error::Device`].
pub fn calibrate_cpu(
    mut executor: CpuExecutor,
    widths: &[usize],
    batches: &[usize],
    rounds: usize,
    report: Reporter,
) -> Result<CalibratedCpu> {
    let shapes = products(widths, batches);
    let (mut single, mut ways) = (0.0, Vec::new());
    let mut widened: Vec<Vec<f32>> = Vec::new();
    for way in Way::ALL.into_iter().filter(|way| way.is_here()) {
        executor = executor.by(way);
        let (mut total, mut right) = (0.0, true);
        for (number, shape) in shapes.iter().enumerate() {
            if way == Way::Widened {
                single += timed(&mut executor, shape, Element::F32, rounds, Duration::ZERO)?.1;
            }
            let (rows, seconds) = timed(&mut executor, shape, Element::Bf16, rounds, Duration::ZERO)?;
            total += seconds;
            match way {
                Way::Widened => widened.push(rows),
                Way::Avx512 | Way::Amx => right &= apart(shape, &widened[number], &rows) < SAME,
            }
        }
        match right {
            true => ways.push((way, total)),
            false => report(Event::Warning(format!(
                "products by {} are not those of {} and it is left alone; please report it",
                way.word(),
                Way::Widened.word()
            ))),
        }
    }
    let way = ways.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(Way::Widened, |best| best.0);
    Ok(CalibratedCpu { way, seconds: single, ways })
}

/// Tries every candidate for each entry of the table by turns, keeping the best, then cooperative matrices for f16 operands: they
/// are kept where every product is that of the scalar kernel and the sum of times is lower. Frees what was on the device.
///
/// # Errors
/// [`crate::Error::Device`].
pub fn calibrate(
    executor: &mut GpuExecutor,
    widths: &[usize],
    batches: &[usize],
    rounds: usize,
    report: Reporter,
) -> Result<Calibrated> {
    let (kind, cooperates) = (executor.facts().kind, executor.facts().cooperation().is_some());
    let shapes = products(widths, batches);
    let warm = Duration::from_millis(if kind == Kind::Software { 0 } else { 60 });
    let mut clock = Clock { executor, rounds, warm, known: HashMap::new() };
    let mut best = Tuning::of(kind);
    let before = clock.all(&shapes, best, false)?;
    let (mut least, mut trials) = (before, Vec::new());

    let tiles = Tile::candidates(kind);
    let workgroups: &[usize] =
        if kind == Kind::Software { &[1, 4, 16] } else { &[32, 64, 128, 256, 512, 1024] };
    let entries = [Change::Large, Change::Gradient, Change::Medium, Change::Small];
    // without checks first: tiles chosen on slower code are other tiles
    let changes = (!best.unchecked).then_some(Change::Unchecked).into_iter();
    let changes = changes
        .chain([Change::DoubleBuffered(!best.double_buffered)])
        .chain(entries.iter().flat_map(|entry| tiles.iter().map(|tile| entry(*tile))));
    let changes: Vec<Change> = changes.chain(workgroups.iter().copied().map(Change::Workgroups)).collect();
    report(Event::Started { task: "calibration".into(), total: Some(changes.len() as u64), unit: "tables" });
    for (done, change) in changes.into_iter().enumerate() {
        let tuning = change.to(best);
        let seconds = clock.all(&shapes, tuning, false)?;
        if seconds < least {
            (best, least) = (tuning, seconds);
        }
        trials.push(Trial { change: change.to_string(), seconds });
        advance(report, done as u64 + 1, format!("best {:.1} ms", 1e3 * least))?;
    }
    report(Event::Finished);

    let mut half_seconds = None;
    if cooperates {
        let with = Tuning { cooperative: true, ..best };
        let mut worst = 0.0f32;
        for shape in &shapes {
            let scalar = clock.one(shape, best, true)?.0;
            let cooperative = clock.one(shape, with, true)?.0;
            let found = apart(shape, &scalar, &cooperative);
            worst = if found <= worst { worst } else { found };
        }
        if worst < SAME {
            let [scalar, cooperative] = [clock.all(&shapes, best, true)?, clock.all(&shapes, with, true)?];
            half_seconds = Some([scalar, cooperative]);
            best.cooperative = cooperative < scalar;
        } else {
            let message =
                format!("cooperative matrices are off by {worst:e} and are left alone; please report it");
            report(Event::Warning(message));
        }
    }
    executor.reset();
    Ok(Calibrated { tuning: best, seconds: [before, least], half_seconds, trials })
}
