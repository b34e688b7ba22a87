//! Fills matrices on an executor and in the reference, runs both, compares.

use genelift::device::Executor;
use genelift::device::pairs::{self, Packer};
use genelift::device::random::Stream;
use genelift::device::recording::{Call, Element, Epilogue, Layout, Matrix, Product, Recording, Step};
use half::f16;

use crate::reference::Reference;

/// How far a result may be from the reference: atol + rtol·|reference|.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    pub atol: f64,
    pub rtol: f64,
}

/// f32 arithmetic over values of size about 1: sums of a few thousand such products keep 5 digits.
pub const SINGLE: Tolerance = Tolerance { atol: 2e-5, rtol: 2e-5 };
/// Results stored as f16 (11 bits): one unit in the last place where f32 and f64 round to different sides; of bf16 (8 bits) likewise.
pub const HALF: Tolerance = Tolerance { atol: 1e-4, rtol: 1.1e-3 };

/// The tolerance for what a matrix of this type stores.
pub fn tolerance(element: Element) -> Tolerance {
    match element {
        Element::F16 => HALF,
        Element::Bf16 => Tolerance { atol: 1e-4, rtol: 8e-3 },
        Element::F32 | Element::U32 => SINGLE,
    }
}

/// The first element that is out of tolerance (a NaN always is), or `None`.
pub fn mismatch(got: &[f32], want: &[f64], tolerance: Tolerance) -> Option<usize> {
    assert_eq!(got.len(), want.len(), "as many results as references");
    got.iter().zip(want).position(|(got, want)| {
        let got = f64::from(*got);
        if got.is_nan() || want.is_nan() {
            return true;
        }
        (got - want).abs() > tolerance.atol + tolerance.rtol * want.abs()
    })
}

/// An executor beside the reference.
pub struct Fixture<'a> {
    pub device: &'a mut dyn Executor,
    pub reference: Reference,
    stream: Stream,
}

impl<'a> Fixture<'a> {
    pub fn new(device: &'a mut dyn Executor, seed: u64) -> Self {
        device.reset();
        Fixture { device, reference: Reference::default(), stream: Stream::new(seed, "kernels", 0) }
    }

    /// A matrix of zeros.
    pub fn zeros(&mut self, rows: usize, cols: usize, element: Element) -> Matrix {
        let matrix = self.device.matrix("test", rows, cols, element).expect("room for a small matrix");
        self.reference.set(matrix, vec![0.0; rows * cols]);
        matrix
    }

    /// A matrix of given values.
    pub fn values(&mut self, rows: usize, cols: usize, element: Element, values: &[f32]) -> Matrix {
        let matrix = self.zeros(rows, cols, element);
        self.device.write(matrix, 0, values).expect("written");
        self.reference.set(matrix, values.iter().map(|value| f64::from(*value)).collect());
        matrix
    }

    /// Uniform values in [low, high).
    pub fn random(&mut self, rows: usize, cols: usize, element: Element, low: f64, high: f64) -> Matrix {
        let values: Vec<f32> =
            (0..rows * cols).map(|_| (low + (high - low) * self.stream.uniform()) as f32).collect();
        self.values(rows, cols, element, &values)
    }

    /// A 1 × n matrix of indices.
    pub fn indices(&mut self, indices: &[u32]) -> Matrix {
        let matrix = self.zeros(1, indices.len(), Element::U32);
        self.device.write_u32(matrix, 0, indices).expect("written");
        self.reference.set(matrix, indices.iter().map(|index| f64::from(*index)).collect());
        matrix
    }

    /// Rows most of whose values are zero, packed for `capacity` rows: of each all, a few, one, or none; their order is not that of the columns.
    pub fn pairs(&mut self, rows: usize, capacity: usize, cols: usize) -> Matrix {
        let (mut packer, mut most) = (Packer::default(), 0);
        for row in 0..rows {
            let every = [1, 7, cols, usize::MAX][row % 4];
            for column in (0..cols).rev().filter(|column| (column + row) % every == every / 2) {
                packer.push(column as u32, (4.0 * self.stream.uniform()) as f32);
                most += 1;
            }
            packer.end_row();
        }
        let lines = pairs::lines(capacity, most);
        let matrix = self.zeros(lines, pairs::WIDTH, Element::U32);
        let mut all = Vec::new();
        let written = packer.finish(capacity, |_, words| all.extend_from_slice(words));
        assert_eq!((written, all.len()), (lines, lines * pairs::WIDTH), "as many lines as were asked for");
        self.device.write_u32(matrix, 0, &all).expect("written");
        self.reference.set(matrix, all.iter().map(|word| f64::from(*word)).collect());
        matrix
    }

    /// Operands of an M × N product over K, of size ±1, scaled so that results have that size too.
    pub fn operands(
        &mut self,
        layout: Layout,
        (m, n, k): (usize, usize, usize),
        elements: [Element; 2],
    ) -> [Matrix; 2] {
        let size = 1.0 / (k as f64).sqrt();
        let a = if layout == Layout::Tn { (k, m) } else { (m, k) };
        let b = if layout == Layout::Nt { (n, k) } else { (k, n) };
        [
            self.random(a.0, a.1, elements[0], -1.0, 1.0),
            self.random(b.0, b.1, elements[1], -2.0 * size, 2.0 * size),
        ]
    }

    /// Runs the calls on both.
    pub fn run(&mut self, calls: &[Call], step: &Step) {
        let mut recording = Recording::new();
        calls.iter().for_each(|call| recording.push(*call));
        let program = self.device.compile(&recording).expect("compiled");
        self.device.run(program, step).expect("run");
        self.device.wait().expect("finished");
        self.reference.run(calls, step);
    }

    /// Runs X·Wᵀ with an epilogue on both; gives back nothing, for `check` to look at.
    pub fn product(&mut self, a: Matrix, b: Matrix, epilogue: Epilogue, step: &Step) {
        let product = Product { name: "test", layout: Layout::Nt, a, b, operands: Element::F32, epilogue };
        self.run(&[Call::Product(product)], step);
    }

    /// All values on the device.
    pub fn read(&mut self, matrix: Matrix) -> Vec<f32> {
        self.device.read(matrix, 0, matrix.rows).expect("read")
    }

    /// Compares a whole matrix.
    pub fn check(&mut self, what: &str, matrix: Matrix) {
        self.check_within(what, matrix, tolerance(matrix.element));
    }

    /// Compares a whole matrix within a tolerance of its own.
    pub fn check_within(&mut self, what: &str, matrix: Matrix, tolerance: Tolerance) {
        let got = self.read(matrix);
        let want = self.reference.get(matrix);
        if let Some(i) = mismatch(&got, want, tolerance) {
            panic!(
                "{what} on {}: [{}, {}] of {} × {} is {}, expected {} ({tolerance:?})",
                self.device.name(),
                i / matrix.cols,
                i % matrix.cols,
                matrix.rows,
                matrix.cols,
                got[i],
                want[i]
            );
        }
    }
}

#[test]
fn the_comparison_finds_one_bad_element() {
    let want: Vec<f64> = (0..1000).map(|i| (f64::from(i) * 0.37).sin()).collect();
    let good: Vec<f32> = want.iter().map(|value| *value as f32).collect();
    assert_eq!(mismatch(&good, &want, SINGLE), None);
    for bad in [f32::NAN, f32::INFINITY, good[617] + 5e-5, -good[617]] {
        let mut got = good.clone();
        got[617] = bad;
        assert_eq!(mismatch(&got, &want, SINGLE), Some(617), "{bad}");
    }
    let mut nan = want.clone();
    nan[3] = f64::NAN;
    assert_eq!(mismatch(&good, &nan, SINGLE), Some(3));
    assert_eq!(mismatch(&[f16::from_f32(0.1).to_f32()], &[0.1], SINGLE), Some(0));
    assert_eq!(mismatch(&[f16::from_f32(0.1).to_f32()], &[0.1], HALF), None);
}
