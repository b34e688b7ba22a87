//! Kernels one by one, in shapes of the paper's network: compared with plain loops in f64, then timed.
//!
//! `cargo bench --bench rates [-- FILTER]`, on the device that GENELIFT_BENCH_DEVICE names (as `--device` does; the CPU if
//! not given). An item is a floating-point operation; kernels that have few of them are counted in bytes. At the end stands
//! each kernel's share of the ceilings that `genelift bench` measures, too; that command measures whole stages.

use std::sync::Mutex;
use std::time::Instant;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use genelift::bench::ceilings;
use genelift::bench::work::Work;
use genelift::device::random::Stream;
use genelift::device::recording::{
    Activation, Call, Element, Epilogue, Fold, Layout, Loss, Matrix, Recording, Step, Update,
};
use genelift::device::{Executor, open};
use genelift::progress::silent;

/// M × N over K.
type Shape = (usize, usize, usize);

/// What was timed: the call, what it has to do, and its median in seconds.
static TIMED: Mutex<Vec<(String, Work, f64)>> = Mutex::new(Vec::new());

fn main() {
    divan::main();
    let timed = TIMED.lock().expect("no benchmark panicked");
    if timed.is_empty() {
        return;
    }
    let ceilings = ceilings(&mut *device(), 3072).expect("measured");
    let (matmul, copy) = (ceilings.matmul, ceilings.copy);
    println!("ceilings: {:.0} GFLOP/s, {:.1} GB/s", matmul / 1e9, copy / 1e9);
    println!("{:<54} {:>9} {:>8} {:>6}", "", "GFLOP/s", "GB/s", "share");
    for (name, work, seconds) in &*timed {
        let floor = work.floor(matmul, copy);
        let (flop, bytes) = (work.flop / seconds / 1e9, work.bytes / seconds / 1e9);
        println!("{name:<54} {flop:>9.0} {bytes:>8.1} {:>5.0}%", 100.0 * floor / seconds);
    }
}

fn device() -> Box<dyn Executor> {
    let name = std::env::var("GENELIFT_BENCH_DEVICE").unwrap_or_else(|_| "cpu".to_owned());
    open(&name, None, &silent).expect("the device can be opened")
}

/// A device and the values that were written to it.
struct Bed {
    device: Box<dyn Executor>,
    stream: Stream,
}

impl Bed {
    fn new() -> Bed {
        Bed { device: device(), stream: Stream::new(0, "benches", 0) }
    }

    /// Values in [−1, 1).
    fn random(&mut self, rows: usize, cols: usize) -> (Matrix, Vec<f32>) {
        let values: Vec<f32> = (0..rows * cols).map(|_| (2.0 * self.stream.uniform() - 1.0) as f32).collect();
        let matrix = self.zeros(rows, cols);
        self.device.write(matrix, 0, &values).expect("written");
        (matrix, values)
    }

    fn zeros(&mut self, rows: usize, cols: usize) -> Matrix {
        self.device.matrix("bench", rows, cols, Element::F32).expect("room")
    }

    /// Runs the call, which does `work`, once, compares some elements with `want` (row, column), then times it.
    fn bench(
        &mut self,
        bencher: Bencher,
        work: Work,
        call: Call,
        step: Step,
        checked: Matrix,
        want: impl Fn(usize, usize) -> f64,
    ) {
        let mut recording = Recording::new();
        recording.push(call);
        let program = self.device.compile(&recording).expect("compiled");
        self.device.run(program, &step).expect("run");
        let got = self.device.read(checked, 0, checked.rows).expect("read");
        for i in 0..64 {
            let at = i * 7_919_003 % got.len();
            let (value, want) = (f64::from(got[at]), want(at / checked.cols, at % checked.cols));
            // sums of thousands of f32 products of size 1
            let close = (value - want).abs() <= 1e-4 + 1e-4 * want.abs();
            assert!(close, "{call:?}: element {at} is {value}, expected {want}");
        }
        let mut seconds = Vec::new();
        let run = || {
            let start = Instant::now();
            self.device.run(program, &step).expect("run");
            self.device.wait().expect("finished");
            seconds.push(start.elapsed().as_secs_f64());
        };
        if work.flop > work.bytes {
            bencher.counter(ItemsCount::new(work.flop as u64)).bench_local(run);
        } else {
            bencher.counter(BytesCount::new(work.bytes as u64)).bench_local(run);
        }
        seconds.sort_by(f64::total_cmp);
        let mut timed = TIMED.lock().expect("no benchmark panicked");
        timed.push((call.describe(), work, seconds[seconds.len() / 2]));
    }

    /// Operands of a product, and what its elements are.
    fn operands(
        &mut self,
        layout: Layout,
        (m, n, k): Shape,
    ) -> ([Matrix; 2], impl Fn(usize, usize) -> f64 + use<>) {
        let (a, x) = if layout == Layout::Tn { self.random(k, m) } else { self.random(m, k) };
        let (b, y) = if layout == Layout::Nt { self.random(n, k) } else { self.random(k, n) };
        let element = move |i: usize, j: usize| {
            let term = |d: usize| {
                let a = if layout == Layout::Tn { x[d * m + i] } else { x[i * k + d] };
                let b = if layout == Layout::Nt { y[j * k + d] } else { y[d * n + j] };
                f64::from(a) * f64::from(b)
            };
            (0..k).map(term).sum()
        };
        ([a, b], element)
    }
}

/// Of a product whose epilogue reads and writes so many matrices of its size.
fn work((m, n, k): Shape, matrices: usize) -> Work {
    Work {
        flop: (2 * m * n * k) as f64,
        bytes: (4 * (m * k + n * k + matrices * m * n)) as f64,
        double: false,
    }
}

/// Of a kernel that reads and writes so many values in all.
fn moved(values: usize) -> Work {
    Work { flop: 0.0, bytes: 4.0 * values as f64, double: false }
}

fn product(name: &'static str, layout: Layout, [a, b]: [Matrix; 2], epilogue: Epilogue) -> Call {
    let mut recording = Recording::new();
    recording.product(name, layout, a, b, Element::F32, epilogue);
    recording.calls()[0]
}

fn stored(bencher: Bencher, layout: Layout, shape: Shape) {
    let mut bed = Bed::new();
    let (operands, want) = bed.operands(layout, shape);
    let out = bed.zeros(shape.0, shape.1);
    let name = match layout {
        Layout::Nt => "A·Bᵀ",
        Layout::Nn => "A·B",
        Layout::Tn => "Aᵀ·B",
    };
    let call = product(name, layout, operands, Epilogue::Store { out });
    bed.bench(bencher, work(shape, 1), call, Step::default(), out, want);
}

#[divan::bench(args = [(2048, 2048, 2048), (256, 500, 22_268), (256, 22_268, 500)])]
fn product_nt(bencher: Bencher, shape: Shape) {
    stored(bencher, Layout::Nt, shape);
}

#[divan::bench(args = [(256, 500, 22_268), (256, 22_268, 500)])]
fn product_nn(bencher: Bencher, shape: Shape) {
    stored(bencher, Layout::Nn, shape);
}

#[divan::bench(args = [(500, 22_268, 256), (22_268, 500, 256)])]
fn product_tn(bencher: Bencher, shape: Shape) {
    stored(bencher, Layout::Tn, shape);
}

#[divan::bench(args = [(256, 500, 22_268), (1024, 500, 22_268)])]
fn layer(bencher: Bencher, shape: Shape) {
    let mut bed = Bed::new();
    let (operands, sum) = bed.operands(Layout::Nt, shape);
    let (bias, biases) = bed.random(1, shape.1);
    let out = bed.zeros(shape.0, shape.1);
    let activation = Activation::Sigmoid;
    let call = product(
        "layer",
        Layout::Nt,
        operands,
        Epilogue::Layer { bias, activation, dropout: None, kept: None, out },
    );
    let want = |i, j| 1.0 / (1.0 + (-sum(i, j) - f64::from(biases[j])).exp());
    let step = Step { rows: shape.0, ..Step::default() };
    bed.bench(bencher, work(shape, 1), call, step, out, want);
}

#[divan::bench(args = [(256, 22_268, 500), (1024, 22_268, 500)])]
fn loss(bencher: Bencher, shape: Shape) {
    let (m, n, _) = shape;
    let mut bed = Bed::new();
    let (operands, sum) = bed.operands(Layout::Nt, shape);
    let ((bias, biases), (target, targets)) = (bed.random(1, n), bed.random(m, n));
    let (unit, table, gradient) = (bed.zeros(1, n), bed.zeros(1, 2), bed.zeros(m, n));
    let epilogue = Epilogue::Loss {
        bias,
        activation: Activation::Sigmoid,
        target,
        loss: Loss::Mse,
        gradient: Some(gradient),
        unit,
        table,
    };
    let want = |i, j| {
        let y = 1.0 / (1.0 + (-sum(i, j) - f64::from(biases[j])).exp());
        2.0 * (y - f64::from(targets[i * n + j])) * y * (1.0 - y)
    };
    let step = Step { rows: m, ..Step::default() };
    let call = product("loss", Layout::Nt, operands, epilogue);
    bed.bench(bencher, work(shape, 2), call, step, gradient, want);
}

#[divan::bench(args = [(500, 22_268, 256), (22_268, 500, 256), (500, 22_268, 1024)])]
fn weight_gradient_adam(bencher: Bencher, shape: Shape) {
    let (m, n, k) = shape;
    let mut bed = Bed::new();
    let (operands, sum) = bed.operands(Layout::Tn, shape);
    let (value, before) = bed.random(m, n);
    let (first, second) = (bed.zeros(m, n), bed.zeros(m, n));
    let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-7);
    let update = Update::Adam { value, first, second, rounded: None, l2: 0.0, beta1, beta2, epsilon };
    let step = Step { rows: k, learning_rate: 1e-3, correction1: 0.1, correction2: 1e-3, ..Step::default() };
    // after one step from zero m̂ = g and √v̂ = |g|
    let want = |i, j| {
        let g = sum(i, j);
        f64::from(before[i * n + j]) - 1e-3 * g / (g.abs() + 1e-7)
    };
    let call = product("gradient and Adam", Layout::Tn, operands, Epilogue::Update(update));
    bed.bench(bencher, work(shape, 6), call, step, value, want);
}

#[divan::bench(args = [(6400, 22_268, 500)])]
fn deeplift(bencher: Bencher, shape: Shape) {
    const SAMPLES: usize = 64;
    let (m, n, _) = shape;
    let mut bed = Bed::new();
    let (operands, sum) = bed.operands(Layout::Nn, shape);
    let (difference, differences) = bed.random(SAMPLES, n);
    let (scores, sums) = (bed.zeros(m / SAMPLES, n), bed.zeros(m / SAMPLES, SAMPLES));
    let epilogue = Epilogue::DeepLift { difference, fold: Fold::Abs, scores, sums };
    let want = |k, j| {
        let one = |s| (sum(k * SAMPLES + s, j) * f64::from(differences[s * n + j])).abs();
        (0..SAMPLES).map(one).sum()
    };
    let step = Step { rows: SAMPLES, ..Step::default() };
    let call = product("DeepLIFT", Layout::Nn, operands, epilogue);
    bed.bench(bencher, work(shape, 0), call, step, scores, want);
}

#[divan::bench(args = [(256, 22_268), (1024, 22_268)])]
fn gather(bencher: Bencher, (rows, cols): (usize, usize)) {
    let mut bed = Bed::new();
    let (source, values) = bed.random(rows, cols);
    let ((offset, offsets), (scale, scales)) = (bed.random(1, cols), bed.random(1, cols));
    let out = bed.zeros(rows, cols);
    let call = Call::Gather { source, index: None, offset, scale, out };
    let want = |i, j| f64::from((values[i * cols + j] - offsets[j]) * scales[j]);
    let step = Step { rows, ..Step::default() };
    bed.bench(bencher, moved(2 * rows * cols), call, step, out, want);
}

#[divan::bench(args = [(256, 500), (1024, 500)])]
fn multipliers(bencher: Bencher, (rows, cols): (usize, usize)) {
    let mut bed = Bed::new();
    let ((input, z), (reference, z0)) = (bed.random(rows, cols), bed.random(1, cols));
    let out = bed.zeros(rows, cols);
    let call = Call::Multipliers { input, reference, activation: Activation::Sigmoid, out };
    let want = |i, j| f64::from(Activation::Sigmoid.secant(z[i * cols + j], z0[j]));
    bed.bench(bencher, moved(2 * rows * cols), call, Step::default(), out, want);
}
