//! The concrete distribution: its samples and the way back through them.

use genelift::device::recording::{Call, Element, Step, Update};

use crate::fixture::{Fixture, Tolerance};
use crate::{executors, variants};

use Element::{F16, F32};

/// Rows × columns around the vector, padding, block and workgroup sizes; the last ones in several chunks.
const SHAPES: [(usize, usize); 7] = [(1, 1), (63, 65), (7, 257), (5, 1031), (129, 17), (3, 512), (150, 1025)];

#[test]
fn samples_and_their_gradient() {
    for mut device in executors().into_iter().chain(variants(1031)) {
        for (rows, cols) in SHAPES {
            for (temperature, element) in [(10.0f32, F32), (0.7, F16), (0.05, F32)] {
                let what = format!("{rows} × {cols} at {temperature}");
                let mut fixture = Fixture::new(&mut *device, 9);
                let logits = fixture.random(rows, cols, F32, -3.0, 3.0);
                let out = fixture.random(rows, cols, F32, 1.0, 2.0);
                let step = Step {
                    seed: 0x1234_5678_9ABC,
                    step: 7,
                    temperature,
                    learning_rate: 0.01,
                    gradient_scale: 0.5,
                    ..Step::default()
                };
                fixture.run(&[Call::Concrete { logits, out }], &step);
                // logits of size 10 have a rounding error of 1e-6, which the temperature multiplies
                let close = Tolerance { atol: 1e-7, rtol: 1e-5 + 4e-6 / f64::from(temperature) };
                fixture.check_within(&what, out, close);
                for row in fixture.read(out).chunks_exact(cols) {
                    let sum: f64 = row.iter().map(|m| f64::from(*m)).sum();
                    assert!((sum - 1.0).abs() < 1e-5, "{what}: {sum}");
                }

                let selection = fixture.random(rows, cols, F32, 0.0, 2.0 / cols as f64);
                let gradient = fixture.random(rows, cols, element, -1.0, 1.0);
                let [value, first, second, store] =
                    [0.0; 4].map(|low| fixture.random(rows, cols, F32, low, 1.0));
                let adam = Update::Adam {
                    value,
                    first,
                    second,
                    rounded: None,
                    l2: 0.0,
                    beta1: 0.9,
                    beta2: 0.99,
                    epsilon: 1e-7,
                };
                for update in [Update::Store { value, out: store, l2: 0.0 }, adam] {
                    fixture.run(&[Call::ConcreteGradient { selection, gradient, update }], &step);
                }
                for matrix in [store, value, first, second] {
                    fixture.check(&format!("gradient {what}"), matrix);
                }
            }
        }
    }
}

/// A gene that a selector may not choose has a logit of −10³⁰: it keeps that, and everything stays finite.
#[test]
fn masked_genes_stay_masked() {
    for mut device in executors() {
        let (rows, cols) = (3, 70);
        let mut fixture = Fixture::new(&mut *device, 10);
        let masked = |i: usize| i % 3 == 1 || (i / cols == 2 && i % cols != 6);
        let values: Vec<f32> = (0..rows * cols).map(|i| if masked(i) { -1e30 } else { 0.1 }).collect();
        let logits = fixture.values(rows, cols, F32, &values);
        let selection = fixture.zeros(rows, cols, F32);
        let gradient = fixture.random(rows, cols, F32, -1.0, 1.0);
        let [first, second] = [0, 1].map(|_| fixture.zeros(rows, cols, F32));
        let update = Update::Adam {
            value: logits,
            first,
            second,
            rounded: None,
            l2: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
        };
        let step = Step { temperature: 0.01, learning_rate: 1e-3, ..Step::default() };
        let calls = [
            Call::Concrete { logits, out: selection },
            Call::ConcreteGradient { selection, gradient, update },
        ];
        fixture.run(&calls, &step);
        let (samples, after) = (fixture.read(selection), fixture.read(logits));
        for i in 0..rows * cols {
            if masked(i) {
                assert!(samples[i] < 1e-30 && after[i] == -1e30, "{i}: {} {}", samples[i], after[i]);
            } else {
                assert!(samples[i].is_finite() && (after[i] - 0.1).abs() < 2e-3, "{i}");
            }
        }
        assert!((samples[2 * cols + 6] - 1.0).abs() < 1e-6, "the only gene that is left");
    }
}
