//! The kernels that are no products.

use genelift::device::recording::{Activation, Call, Element, Step, Update};

use crate::executors;
use crate::fixture::{Fixture, Tolerance};

use Element::{F16, F32};

/// Rows × columns around the vector, padding and block sizes.
const SHAPES: [(usize, usize); 6] = [(1, 1), (63, 65), (7, 257), (5, 1031), (129, 17), (3, 512)];

#[test]
fn gather() {
    for mut device in executors() {
        for (rows, cols) in SHAPES {
            for (source, out) in [(F32, F32), (F16, F32), (F16, F16), (F32, F16)] {
                let mut fixture = Fixture::new(&mut *device, 2);
                let samples = 2 * rows + 3;
                let source = fixture.random(samples, cols, source, 0.0, 16.0);
                let offset = fixture.random(1, cols, F32, 0.0, 4.0);
                let scale = fixture.random(1, cols, F32, 0.0, 0.2);
                // a fixed order with jumps; that some rows repeat does not matter
                let order: Vec<u32> = (0..samples).map(|i| ((i * 5 + 2) % samples) as u32).collect();
                let index = fixture.indices(&order);
                // what was there before must go in the rows past the batch
                let out = fixture.random(rows, cols, out, 1.0, 2.0);
                for (index, taken, first) in
                    [(Some(index), rows, 2), (None, rows, 3), (Some(index), rows / 2, 0)]
                {
                    let step = Step { rows: taken, first, ..Step::default() };
                    fixture.run(&[Call::Gather { source, index, offset, scale, out }], &step);
                    fixture.check(&format!("gather {rows} × {cols}, {taken} from {first}"), out);
                }
            }
        }
    }
}

#[test]
fn scatter() {
    for mut device in executors() {
        for (rows, cols) in SHAPES {
            for out in [F32, F16] {
                let mut fixture = Fixture::new(&mut *device, 12);
                let packed = rows + 3;
                let pairs = fixture.pairs(rows, packed, cols);
                let offset = fixture.random(1, cols, F32, 0.0, 4.0);
                let scale = fixture.random(1, cols, F32, 0.0, 0.2);
                let out = fixture.random(rows, cols, out, 1.0, 2.0);
                for taken in [rows, rows / 2] {
                    let step = Step { rows: taken, ..Step::default() };
                    fixture.run(&[Call::Scatter { pairs, packed, offset, scale, out }], &step);
                    fixture.check(&format!("scatter {rows} × {cols}, {taken} rows"), out);
                }
            }
        }
    }
}

#[test]
fn bias_gradient() {
    for mut device in executors() {
        for (rows, cols) in SHAPES {
            for element in [F32, F16] {
                let mut fixture = Fixture::new(&mut *device, 3);
                let gradient = fixture.random(rows, cols, element, -1.0, 1.0);
                let value = fixture.random(1, cols, F32, -1.0, 1.0);
                let out = fixture.zeros(1, cols, F32);
                let step = Step { rows, gradient_scale: 1.0 / rows as f32, ..Step::default() };
                let update = Update::Store { value, out, l2: 0.0 };
                fixture.run(&[Call::BiasGradient { gradient, update }], &step);
                fixture.check(&format!("bias gradient {rows} × {cols}"), out);
            }
        }
    }
}

#[test]
fn activate() {
    for mut device in executors() {
        for (rows, cols) in SHAPES {
            for activation in Activation::ALL.iter().copied() {
                for element in [F32, F16] {
                    let mut fixture = Fixture::new(&mut *device, 4);
                    let input = fixture.random(rows, cols, element, -9.0, 9.0);
                    let out = fixture.zeros(rows, cols, element);
                    fixture.run(&[Call::Activate { input, activation, out }], &Step::default());
                    fixture.check(&format!("{activation:?} {rows} × {cols}"), out);
                }
            }
        }
    }
}

#[test]
fn multipliers() {
    for mut device in executors() {
        for (rows, cols) in SHAPES {
            for activation in Activation::ALL.iter().copied() {
                let mut fixture = Fixture::new(&mut *device, 5);
                let reference: Vec<f32> = (0..cols).map(|i| (i as f32 * 0.7).sin() * 8.0).collect();
                // differences from 0 up, over all scales
                let input: Vec<f32> = (0..rows * cols)
                    .map(|i| reference[i % cols] + [0.0, 1e-6, -1e-4, 0.03, -0.5, 2.0, -9.0][i % 7])
                    .collect();
                let input = fixture.values(rows, cols, F32, &input);
                let reference = fixture.values(1, cols, F32, &reference);
                let out = fixture.zeros(rows, cols, F32);
                fixture.run(&[Call::Multipliers { input, reference, activation, out }], &Step::default());
                // relative, as promised: 1e-6 on the CPU, 1e-5 on a GPU; saturated secants are near 1e-8
                let tolerance = Tolerance { atol: 1e-5 * activation.least_secant(), rtol: 1e-5 };
                fixture.check_within(&format!("{activation:?} {rows} × {cols}"), out, tolerance);
            }
        }
    }
}

#[test]
fn difference() {
    for mut device in executors() {
        for (rows, cols) in SHAPES {
            for element in [F32, F16] {
                let mut fixture = Fixture::new(&mut *device, 6);
                let input = fixture.random(rows, cols, element, -1.0, 1.0);
                let reference = fixture.random(1, cols, F32, -1.0, 1.0);
                let out = fixture.random(rows, cols, element, 1.0, 2.0);
                for taken in [rows, rows / 2] {
                    let step = Step { rows: taken, ..Step::default() };
                    fixture.run(&[Call::Difference { input, reference, out }], &step);
                    fixture.check(&format!("difference {rows} × {cols}, {taken} rows"), out);
                }
            }
        }
    }
}

#[test]
fn seeds() {
    for mut device in executors() {
        for (samples, neurons) in [(1, 1), (13, 17), (65, 5), (3, 70)] {
            for average in [false, true] {
                for with in [false, true] {
                    let mut fixture = Fixture::new(&mut *device, 7);
                    let multipliers = with.then(|| fixture.random(samples, neurons, F32, 0.0, 1.0));
                    let rows = if average { samples } else { samples * neurons };
                    let out = fixture.random(rows, neurons, F32, 1.0, 2.0);
                    fixture.run(&[Call::Seeds { multipliers, average, out, samples }], &Step::default());
                    fixture.check(&format!("seeds {samples} × {neurons}, average {average}, {with}"), out);
                }
            }
        }
    }
}

#[test]
fn largest() {
    for mut device in executors() {
        for (rows, cols) in SHAPES {
            for element in [F32, F16] {
                let mut fixture = Fixture::new(&mut *device, 11);
                // negative, so that padding would win; few values, so that many are equal
                let values: Vec<f32> = (0..rows * cols).map(|i| -1.0 - (i * 7919 % 13) as f32).collect();
                let input = fixture.values(rows, cols, element, &values);
                let out = fixture.random(rows, 1, F32, 1.0, 2.0);
                fixture.run(&[Call::Largest { input, out }], &Step::default());
                fixture.check_within(
                    &format!("largest {rows} × {cols}"),
                    out,
                    Tolerance { atol: 0.0, rtol: 0.0 },
                );
            }
        }
    }
}

#[test]
fn sum_squares() {
    for mut device in executors() {
        for (rows, cols) in SHAPES {
            let mut fixture = Fixture::new(&mut *device, 8);
            let input = fixture.random(rows, cols, F32, -1.0, 1.0);
            let table = fixture.random(3, 5, F32, 0.0, 1.0);
            fixture
                .run(&[Call::SumSquares { input, table, column: 4 }], &Step { slot: 2, ..Step::default() });
            // the other cells of the table are compared too: they stay
            fixture.check(&format!("sum of squares {rows} × {cols}"), table);
        }
    }
}
