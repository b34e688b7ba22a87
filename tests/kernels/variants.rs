//! What only some adapters choose: every tile shape, split sums, matrices in several buffers, folded
//! dispatches. The other modules run what llvmpipe chooses by itself.

use std::time::Instant;

use genelift::Error;
use genelift::device::Executor;
use genelift::device::activation::SlopeOf;
use genelift::device::gpu::Options;
use genelift::device::recording::{
    Activation, Call, Dropout, Element, Epilogue, Fold, Layout, Loss, Matrix, Product, Recording, Step,
    Update,
};

use crate::fixture::{Fixture, SINGLE, Tolerance};
use crate::{gpu, variants};

use Element::{F16, F32};

const LAYOUTS: [Layout; 3] = [Layout::Nt, Layout::Nn, Layout::Tn];

fn call(layout: Layout, [a, b]: [Matrix; 2], operands: Element, epilogue: Epilogue) -> Call {
    Call::Product(Product { name: "test", layout, a, b, operands, epilogue })
}

#[test]
fn products() {
    for mut device in variants(3001) {
        for size in [(1, 1, 1), (65, 130, 3001), (300, 700, 130), (129, 17, 31), (260, 30, 2049)] {
            for layout in LAYOUTS {
                for (elements, rounded, out) in [([F32, F32], F32, F32), ([F16, F32], F16, F16)] {
                    let mut fixture = Fixture::new(&mut *device, 1);
                    let operands = fixture.operands(layout, size, elements);
                    let out = fixture.zeros(size.0, size.1, out);
                    fixture
                        .run(&[call(layout, operands, rounded, Epilogue::Store { out })], &Step::default());
                    fixture.check(&format!("{layout:?} {size:?} {elements:?}"), out);
                }
            }
        }
    }
}

/// Also where software has them (lavapipe of Mesa 26: 8 × 8 × 8, eight threads), a few of what hardware runs above.
#[test]
fn cooperative_products() {
    let Some([many, few]) = crate::cooperative() else {
        return eprintln!("SKIPPED: the adapter has no cooperative matrices");
    };
    for (options, slices) in [(many, 1), (few, 1), (many, 3)] {
        let mut device = gpu(Options { slices: Some(slices), ..options }).expect("opened before");
        for size in [(65, 130, 301), (129, 17, 31)] {
            for layout in LAYOUTS {
                for elements in [[F16, F16], [F16, F32]] {
                    let mut fixture = Fixture::new(&mut device, 1);
                    let operands = fixture.operands(layout, size, elements);
                    let out = fixture.zeros(size.0, size.1, F32);
                    let rounded = if elements[1] == F32 { F16 } else { F32 };
                    fixture
                        .run(&[call(layout, operands, rounded, Epilogue::Store { out })], &Step::default());
                    fixture.check(&format!("{layout:?} {size:?} {elements:?} in {slices}"), out);
                }
            }
        }
    }
}

/// Sizes at which [`variants`]`(1031)` holds operands and results in chunks.
const SIZES: [(usize, usize, usize); 3] = [(63, 65, 257), (270, 530, 40), (1031, 33, 300)];

#[test]
fn layers_and_their_derivatives() {
    let dropout = Some(Dropout { rate: 0.3, layer: 2 });
    for mut device in variants(1031) {
        // one whose slope the output tells, and one that keeps its input for it
        let activations =
            SIZES.iter().flat_map(|size| [(*size, Activation::Sigmoid), (*size, Activation::Silu)]);
        for (size, activation) in activations {
            let mut fixture = Fixture::new(&mut *device, 2);
            let operands = fixture.operands(Layout::Nt, size, [F32, F32]);
            let bias = fixture.random(1, size.1, F32, -1.0, 1.0);
            let [output, out] = [F16, F32].map(|element| fixture.zeros(size.0, size.1, element));
            let kept = (activation.slope_of() == SlopeOf::Input).then(|| fixture.zeros(size.0, size.1, F16));
            let told = kept.unwrap_or(output);
            let calls = [
                call(
                    Layout::Nt,
                    operands,
                    F32,
                    Epilogue::Layer { bias, activation, dropout, kept, out: output },
                ),
                call(
                    Layout::Nt,
                    operands,
                    F32,
                    Epilogue::Derivative { kept: told, activation, dropout, out },
                ),
            ];
            fixture.run(&calls, &Step { rows: size.0, seed: 0x1234_5678_9ABC, step: 3, ..Step::default() });
            fixture.check("output", output);
            kept.into_iter().for_each(|kept| fixture.check("kept", kept));
            // what is kept was rounded to f16 before its derivative was taken
            fixture.check_within("derivative", out, Tolerance { atol: 2e-3, rtol: 1e-3 });
        }
    }
}

#[test]
fn losses_and_updates() {
    for mut device in variants(1031) {
        for size in SIZES {
            for loss in Loss::ALL.iter().copied() {
                let mut fixture = Fixture::new(&mut *device, 3);
                let (m, n, k) = size;
                let [a, b] = fixture.operands(Layout::Nt, size, [F32, F32]);
                let [bias, unit] = [-1.0, 0.0].map(|low| fixture.random(1, n, F32, low, 1.0));
                let target = fixture.random(m, n, F16, 0.0, 1.0);
                let gradient = fixture.zeros(m, n, F32);
                let table = fixture.random(3000, 3, F32, 0.0, 1.0);
                let moments = [(n, k), (n, k), (n, k), (1, n), (1, n)]
                    .map(|(rows, cols)| fixture.random(rows, cols, F32, 0.1, 1.0));
                let [value, first, second, bias_value, velocity] = moments;
                let summed = fixture.random(n, k, F32, -1.0, 1.0);
                let activation = Activation::Tanh;
                let adam = Update::Adam {
                    value,
                    first,
                    second,
                    rounded: None,
                    l2: 0.05,
                    beta1: 0.9,
                    beta2: 0.99,
                    epsilon: 1e-7,
                };
                let sgd = Update::Sgd {
                    value: bias_value,
                    velocity,
                    rounded: None,
                    l2: 0.0,
                    momentum: 0.5,
                    rate: 3.0,
                };
                let loss =
                    Epilogue::Loss { bias, activation, target, loss, gradient: Some(gradient), unit, table };
                let calls = [
                    call(Layout::Nt, [a, b], F32, loss),
                    call(Layout::Tn, [gradient, a], F32, Epilogue::Update(adam)),
                    Call::BiasGradient { gradient, update: sgd },
                    Call::SumSquares { input: value, table, column: 2 },
                    Call::Update { gradient: summed, update: adam },
                ];
                let step = Step {
                    rows: m - m / 3,
                    slot: 2500,
                    learning_rate: 0.01,
                    gradient_scale: 1e-3,
                    correction1: 0.6,
                    correction2: 0.02,
                    ..Step::default()
                };
                fixture.run(&calls, &step);
                // an MAE gradient is a step function: a sign may differ where the error is within rounding
                for (i, matrix) in [gradient, table].into_iter().chain(moments).enumerate() {
                    fixture.check_within(
                        &format!("{size:?}, {i}"),
                        matrix,
                        Tolerance { atol: 1e-4, ..SINGLE },
                    );
                }
            }
        }
    }
}

#[test]
fn deeplift() {
    for mut device in variants(1031) {
        // seeds beyond one chunk of the scores, samples beyond one of the difference, a long sum, wide partials
        for (seeds, samples, n, k) in
            [(130, 3, 1031, 5), (3, 257, 530, 9), (2, 65, 17, 500), (5, 66, 130, 30), (2, 70, 1031, 40)]
        {
            for (layout, fold) in LAYOUTS.into_iter().zip([Fold::Abs, Fold::Signed, Fold::Square]) {
                let mut fixture = Fixture::new(&mut *device, 4);
                let size = (seeds * samples, n, k);
                let operands = fixture.operands(layout, size, [F32, F32]);
                let difference = fixture.random(samples, n, F32, -1.0, 1.0);
                let scores = fixture.random(seeds, n, F32, 0.0, 1.0);
                let sums = fixture.random(seeds, samples, F32, 1.0, 2.0);
                let epilogue = Epilogue::DeepLift { difference, fold, scores, sums };
                fixture.run(&[call(layout, operands, F32, epilogue)], &Step::default());
                let what = format!("{seeds} × {samples} × {n} over {k} {layout:?}");
                fixture.check(&format!("{what}: scores"), scores);
                fixture.check_within(&format!("{what}: sums"), sums, Tolerance { atol: 1e-4, ..SINGLE });
            }
        }
    }
}

#[test]
fn counts() {
    for mut device in variants(2100) {
        for size in [(63, 65, 257), (530, 1031, 40), (1031, 330, 9), (70, 33, 2100)] {
            for layout in LAYOUTS {
                crate::epilogues::check_counts(&mut Fixture::new(&mut *device, 7), layout, size, F32);
            }
        }
    }
}

#[test]
fn seeds_and_factors() {
    for mut device in variants(130) {
        let mut fixture = Fixture::new(&mut *device, 5);
        let (samples, neurons, n) = (150, 7, 125);
        let multipliers = fixture.random(samples, neurons, F32, 0.0, 1.0);
        let start = fixture.zeros(samples * neurons, neurons, F32);
        let weights = fixture.random(neurons, n, F32, -1.0, 1.0);
        let by = fixture.random(samples, n, F32, 0.0, 1.0);
        let out = fixture.zeros(samples * neurons, n, F32);
        let calls = [
            Call::Seeds { multipliers: Some(multipliers), average: false, out: start, samples },
            call(Layout::Nn, [start, weights], F32, Epilogue::Multiply { by, out }),
        ];
        fixture.run(&calls, &Step::default());
        fixture.check("seeds", start);
        fixture.check("factors", out);
    }
}

#[test]
fn elementwise_over_chunks() {
    for mut device in variants(257) {
        let mut fixture = Fixture::new(&mut *device, 6);
        let (rows, cols) = (131, 257);
        let source = fixture.random(701, cols, F32, 0.0, 4.0);
        let order: Vec<u32> = (0..701).map(|i| (i * 5 + 2) % 701).collect();
        let index = Some(fixture.indices(&order));
        let [offset, scale] = [0.0, 0.1].map(|low| fixture.random(1, cols, F32, low, 1.0));
        let reference = offset;
        let outs: [Matrix; 4] = [(); 4].map(|()| fixture.random(rows, cols, F32, 1.0, 2.0));
        let [batch, difference, active, multipliers] = outs;
        let activation = Activation::Tanh;
        let calls = [
            Call::Gather { source, index, offset, scale, out: batch },
            Call::Difference { input: batch, reference, out: difference },
            Call::Activate { input: difference, activation, out: active },
            Call::Multipliers { input: batch, reference, activation, out: multipliers },
        ];
        fixture.run(&calls, &Step { rows: 100, first: 17, ..Step::default() });
        outs.into_iter().for_each(|out| fixture.check("elementwise", out));
    }
}

#[test]
fn scatter_over_chunks() {
    // pairs in two chunks, results in four, and quads whose pairs lie in both
    for mut device in variants(1024) {
        for element in [F32, F16] {
            let mut fixture = Fixture::new(&mut *device, 6);
            let (rows, cols) = (200, 1001);
            let pairs = fixture.pairs(rows, rows, cols);
            assert!(pairs.rows > 64, "more lines than a chunk has");
            let [offset, scale] = [0.0, 0.1].map(|low| fixture.random(1, cols, F32, low, 1.0));
            let out = fixture.random(rows, cols, element, 1.0, 2.0);
            let call = Call::Scatter { pairs, packed: rows, offset, scale, out };
            fixture.run(&[call], &Step { rows: 197, ..Step::default() });
            fixture.check("scatter", out);
        }
    }
}

#[test]
fn forms_repeat_bit_for_bit() {
    for mut device in variants(700) {
        let first = crate::execution::everything(&mut *device, 160);
        assert!(first == crate::execution::everything(&mut *device, 160), "repeats");
    }
}

/// DeepLIFT's multiplier against float64 over |z| ≤ 20 and differences of 0 to 40.
#[test]
fn secants_are_stable() {
    let Some(mut device) = gpu(Options::default()) else { return };
    let deltas: Vec<f32> = (0..=80)
        .map(|i| i as f32 * 0.5)
        .chain((0..60).map(|i| 10f32.powf(-8.0 + i as f32 * 0.15)))
        .flat_map(|d| [d, -d])
        .collect();
    let z: Vec<f32> = (0..=160).map(|i| i as f32 * 0.25 - 20.0).collect();
    let zero: Vec<Vec<f32>> = deltas.iter().map(|d| z.iter().map(|z| z - d).collect()).collect();
    for activation in Activation::ALL.iter().copied() {
        let mut worst = 0.0f64;
        device.reset();
        let mut matrix = |rows| device.matrix("secant", rows, z.len(), F32).expect("room");
        let [input, reference, out] = [matrix(1), matrix(1), matrix(1)];
        let mut recording = Recording::new();
        recording.push(Call::Multipliers { input, reference, activation, out });
        let program = device.compile(&recording).expect("compiled");
        device.write(input, 0, &z).expect("written");
        for zero in &zero {
            device.write(reference, 0, zero).expect("written");
            device.run(program, &Step::default()).expect("run");
            let got = device.read(out, 0, 1).expect("read");
            for ((z, z0), got) in z.iter().zip(zero).zip(got).filter(|((_, z0), _)| z0.abs() <= 20.0) {
                let want = activation.exact_secant(f64::from(*z), f64::from(*z0));
                worst = worst.max((f64::from(got) - want).abs() / want.abs().max(activation.least_secant()));
                assert!(got.is_finite(), "{activation:?} {z} {z0}");
            }
        }
        assert!(worst <= 1e-5, "{activation:?}: {worst:e}");
    }
}

/// D-GEX's widest layer, 324 MB, where a binding spans 128 MiB: column c of the result is the sum of x · w[c].
#[test]
fn a_layer_larger_than_a_binding() {
    let Some(mut device) = gpu(Options::default()) else { return };
    let (batch, width) = (3, 9000);
    let mut matrix = |rows, cols| device.matrix("layer", rows, cols, F32).expect("room");
    let [weights, x, out, back] =
        [matrix(width, width), matrix(batch, width), matrix(batch, width), matrix(batch, width)];
    // w[c, k] = c + 1 where k = c or k = 0: sums stay exact in f32
    for first in (0..width).step_by(900) {
        let mut rows = vec![0.0; 900 * width];
        for c in 0..900 {
            rows[c * width] = (first + c + 1) as f32;
            rows[c * width + first + c] = (first + c + 1) as f32;
        }
        device.write(weights, first, &rows).expect("written");
    }
    let values: Vec<f32> = (0..batch * width).map(|i| (i % 7) as f32 - 3.0).collect();
    device.write(x, 0, &values).expect("written");
    let mut recording = Recording::new();
    recording.product("forward", Layout::Nt, x, weights, Element::F32, Epilogue::Store { out });
    recording.product("backward", Layout::Nn, x, weights, Element::F32, Epilogue::Store { out: back });
    let program = device.compile(&recording).expect("compiled");
    let start = Instant::now();
    device.run(program, &Step::default()).expect("run");
    let got = device.read(out, 0, batch).expect("read");
    let back = device.read(back, 0, batch).expect("read");
    println!("9000 × 9000, there and back: {:.2} s", start.elapsed().as_secs_f64());
    for s in 0..batch {
        let x = &values[s * width..(s + 1) * width];
        for c in 1..width {
            assert_eq!(got[s * width + c], (c + 1) as f32 * (x[c] + x[0]), "[{s}, {c}]");
            assert_eq!(back[s * width + c], (c + 1) as f32 * x[c], "back [{s}, {c}]");
        }
        assert_eq!(got[s * width], x[0]);
        let want: f64 = (0..width).map(|c| (c + 1) as f64 * f64::from(x[c])).sum();
        assert!((f64::from(back[s * width]) - want).abs() < 1e-6 * 3.0 * 9000.0 * 9000.0);
    }
}

#[test]
fn a_row_beyond_the_binding_is_refused() {
    let Some(mut device) = gpu(Options { binding_limit: Some(64 * 64), ..Options::default() }) else {
        return;
    };
    let error = device.matrix("wide", 65, 17, F32).expect_err("refused");
    assert!(matches!(error, Error::Device { .. }) && error.to_string().contains("wide"), "{error}");
    assert!(device.matrix("narrow", 65, 16, F32).is_ok());
    device.wait().expect("the device is still sound");
}
