//! What becomes of a product's tiles.

use genelift::device::activation::SlopeOf;
use genelift::device::recording::{
    Activation, Call, Dropout, Element, Epilogue, Fold, Layout, Loss, Matrix, Mixture, Product, Step, Update,
    activations_and_losses,
};

use crate::executors;
use crate::fixture::{Fixture, SINGLE, Tolerance, tolerance};

use Element::{F16, F32};

/// M, N, K; the last is a split-K product.
const SIZES: [(usize, usize, usize); 5] =
    [(1, 1, 1), (63, 65, 257), (129, 17, 31), (270, 530, 40), (33, 70, 2100)];

const DROPOUTS: [Option<Dropout>; 2] = [None, Some(Dropout { rate: 0.3, layer: 2 })];

/// A step with nothing at its default.
fn step(rows: usize) -> Step {
    Step {
        rows,
        offset: 3,
        first: 0,
        slot: 1,
        step: 7,
        seed: 0x1234_5678_9ABC_DEF0,
        learning_rate: 0.01,
        gradient_scale: 0.37,
        correction1: 0.6,
        correction2: 0.02,
        temperature: 0.3,
    }
}

#[test]
fn layer() {
    for mut device in executors() {
        for size in SIZES {
            for activation in Activation::ALL.iter().copied() {
                for dropout in DROPOUTS {
                    for element in [F32, F16] {
                        let mut fixture = Fixture::new(&mut *device, 1);
                        let [a, b] = fixture.operands(Layout::Nt, size, [F32, F32]);
                        let bias = fixture.random(1, size.1, F32, -1.0, 1.0);
                        let out = fixture.random(size.0, size.1, element, 1.0, 2.0);
                        let kept = match activation.slope_of() {
                            SlopeOf::Output => None,
                            SlopeOf::Input => Some(fixture.random(size.0, size.1, element, 1.0, 2.0)),
                        };
                        let epilogue = Epilogue::Layer { bias, activation, dropout, kept, out };
                        fixture.product(a, b, epilogue, &step(size.0));
                        let name = format!("layer {size:?} {activation:?} {dropout:?}");
                        fixture.check(&name, out);
                        kept.into_iter().for_each(|kept| fixture.check(&format!("{name}, kept"), kept));
                    }
                }
            }
        }
    }
}

#[test]
fn add() {
    for mut device in executors() {
        for size in SIZES {
            for layout in [Layout::Nt, Layout::Tn] {
                let mut fixture = Fixture::new(&mut *device, 1);
                let [a, b] = fixture.operands(layout, size, [F32, F32]);
                let out = fixture.random(size.0, size.1, F32, 1.0, 2.0);
                let epilogue = Epilogue::Add { out };
                let call =
                    Call::Product(Product { name: "test", layout, a, b, operands: Element::F32, epilogue });
                fixture.run(&[call, call], &step(size.0));
                fixture.check(&format!("add {size:?} {layout:?}"), out);
            }
        }
    }
}

#[test]
fn loss() {
    for mut device in executors() {
        for size in SIZES {
            for (activation, loss) in activations_and_losses() {
                for (with_gradient, rows, element) in
                    [(true, size.0, F32), (false, size.0, F16), (true, size.0.div_ceil(2), F16)]
                {
                    let mut fixture = Fixture::new(&mut *device, 2);
                    let [a, b] = fixture.operands(Layout::Nt, size, [F32, F32]);
                    let bias = fixture.random(1, size.1, F32, -1.0, 1.0);
                    let unit = fixture.random(1, size.1, F32, 0.0, 3.0);
                    let target = fixture.random(size.0, size.1, element, 0.0, 1.0);
                    let gradient = with_gradient.then(|| fixture.random(size.0, size.1, element, 1.0, 2.0));
                    let table = fixture.random(3, 2, F32, 0.0, 1.0);
                    let epilogue = Epilogue::Loss { bias, activation, target, loss, gradient, unit, table };
                    fixture.product(a, b, epilogue, &step(rows));
                    let what = format!("loss {size:?} {activation:?} {loss:?}, {rows} rows");
                    fixture.check(&format!("{what}: table"), table);
                    if let Some(gradient) = gradient {
                        fixture.check(&format!("{what}: gradient"), gradient);
                    }
                }
            }
        }
    }
}

#[test]
fn the_absolute_error_has_no_slope_at_zero() {
    for mut device in executors() {
        let mut fixture = Fixture::new(&mut *device, 3);
        let [a, b] = [fixture.zeros(20, 30, F32), fixture.zeros(40, 30, F32)];
        let [bias, unit] = [fixture.zeros(1, 40, F32), fixture.random(1, 40, F32, 1.0, 2.0)];
        let target = fixture.zeros(20, 40, F32);
        let [gradient, table] = [fixture.random(20, 40, F32, 1.0, 2.0), fixture.zeros(2, 2, F32)];
        let epilogue = Epilogue::Loss {
            bias,
            activation: Activation::Linear,
            target,
            loss: Loss::Mae,
            gradient: Some(gradient),
            unit,
            table,
        };
        fixture.product(a, b, epilogue, &step(20));
        assert!(fixture.read(gradient).iter().all(|g| *g == 0.0));
        assert_eq!(fixture.read(table), [0.0; 4]);
    }
}

/// Runs one update from a product, from a bias gradient and from a gradient summed before, and checks every matrix of it.
fn check_update(what: &str, make: impl Fn(&mut Fixture, usize, usize) -> (Update, Vec<Matrix>)) {
    for mut device in executors() {
        for size in SIZES {
            let mut fixture = Fixture::new(&mut *device, 4);
            let [a, b] = fixture.operands(Layout::Tn, size, [F32, F32]);
            let (update, matrices) = make(&mut fixture, size.0, size.1);
            let epilogue = Epilogue::Update(update);
            let (bias_update, bias_matrices) = make(&mut fixture, 1, size.0);
            let (plain_update, plain_matrices) = make(&mut fixture, size.0, size.1);
            let gradient = fixture.random(size.0, size.1, F32, -1.0, 1.0);
            let calls = [
                Call::Product(Product {
                    name: "test",
                    layout: Layout::Tn,
                    a,
                    b,
                    operands: Element::F32,
                    epilogue,
                }),
                Call::BiasGradient { gradient: a, update: bias_update },
                Call::Update { gradient, update: plain_update },
            ];
            // twice: the moments carry over
            fixture.run(&calls, &step(size.2));
            fixture.run(&calls, &step(size.2));
            let all = [matrices, bias_matrices, plain_matrices].concat();
            for (i, matrix) in all.into_iter().enumerate() {
                // sums over 2100 rows reach 50
                let tolerance = Tolerance { atol: 1e-4, ..tolerance(matrix.element) };
                fixture.check_within(&format!("{what} {size:?}, matrix {i}"), matrix, tolerance);
            }
        }
    }
}

#[test]
fn update_store() {
    check_update("store", |fixture, rows, cols| {
        let value = fixture.random(rows, cols, F32, -1.0, 1.0);
        let out = fixture.zeros(rows, cols, F32);
        (Update::Store { value, out, l2: 0.05 }, vec![value, out])
    });
}

#[test]
fn update_adam() {
    check_update("adam", |fixture, rows, cols| {
        let value = fixture.random(rows, cols, F32, -1.0, 1.0);
        let first = fixture.random(rows, cols, F32, -1.0, 1.0);
        let second = fixture.random(rows, cols, F32, 0.1, 1.0);
        let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-7);
        let rounded = fixture.zeros(rows, cols, F16);
        let update =
            Update::Adam { value, first, second, rounded: Some(rounded), l2: 0.05, beta1, beta2, epsilon };
        (update, vec![value, first, second, rounded])
    });
}

#[test]
fn update_sgd() {
    check_update("sgd", |fixture, rows, cols| {
        let value = fixture.random(rows, cols, F32, -1.0, 1.0);
        let velocity = fixture.random(rows, cols, F32, -1.0, 1.0);
        let rounded = fixture.zeros(rows, cols, F16);
        let update =
            Update::Sgd { value, velocity, rounded: Some(rounded), l2: 0.05, momentum: 0.5, rate: 3.0 };
        (update, vec![value, velocity, rounded])
    });
}

#[test]
fn derivative() {
    for mut device in executors() {
        for size in SIZES {
            for activation in Activation::ALL.iter().copied() {
                for dropout in DROPOUTS {
                    for element in [F32, F16] {
                        let mut fixture = Fixture::new(&mut *device, 5);
                        let [a, b] = fixture.operands(Layout::Nt, size, [F32, F32]);
                        let kept = fixture.random(size.0, size.1, element, -0.5, 1.0);
                        let out = fixture.random(size.0, size.1, element, 1.0, 2.0);
                        let epilogue = Epilogue::Derivative { kept, activation, dropout, out };
                        fixture.product(a, b, epilogue, &step(size.0));
                        fixture.check(&format!("derivative {size:?} {activation:?} {dropout:?}"), out);
                    }
                }
            }
        }
    }
}

#[test]
fn the_derivative_may_overwrite_the_output() {
    for mut device in executors() {
        let mut fixture = Fixture::new(&mut *device, 6);
        let [a, b] = fixture.operands(Layout::Nt, (65, 33, 20), [F32, F32]);
        let output = fixture.random(65, 33, F32, 0.0, 1.0);
        let activation = Activation::Sigmoid;
        let epilogue = Epilogue::Derivative { kept: output, activation, dropout: DROPOUTS[1], out: output };
        fixture.product(a, b, epilogue, &step(65));
        fixture.check("derivative in place", output);
    }
}

#[test]
fn both_passes_draw_one_mask() {
    for mut device in executors() {
        let mut fixture = Fixture::new(&mut *device, 7);
        let (m, n, k) = (129, 67, 5);
        let [a, b] = fixture.operands(Layout::Nt, (m, n, k), [F32, F32]);
        let bias = fixture.random(1, n, F32, 5.0, 6.0); // far from zero: zeros are dropped values
        let [forward, backward] = [fixture.zeros(m, n, F32), fixture.zeros(m, n, F32)];
        let (activation, dropout) = (Activation::Linear, Some(Dropout { rate: 0.5, layer: 0 }));
        fixture.product(
            a,
            b,
            Epilogue::Layer { bias, activation, dropout, kept: None, out: forward },
            &step(m),
        );
        let kept = forward;
        fixture.product(a, b, Epilogue::Derivative { kept, activation, dropout, out: backward }, &step(m));
        let zeros = |values: Vec<f32>| values.iter().map(|value| *value == 0.0).collect::<Vec<_>>();
        let (forward, backward) = (zeros(fixture.read(forward)), zeros(fixture.read(backward)));
        assert_eq!(forward, backward);
        let dropped = forward.iter().filter(|zero| **zero).count() as f64 / (m * n) as f64;
        assert!((dropped - 0.5).abs() < 0.03, "{dropped}"); // five standard errors
    }
}

#[test]
fn multiply() {
    for mut device in executors() {
        for (seeds, samples, n, k) in [(1, 1, 1, 1), (5, 13, 65, 17), (3, 100, 530, 40), (2, 17, 70, 2100)] {
            for element in [F32, F16] {
                let mut fixture = Fixture::new(&mut *device, 8);
                let size = (seeds * samples, n, k);
                let [a, b] = fixture.operands(Layout::Nt, size, [F32, F32]);
                let by = fixture.random(samples, n, element, 0.0, 1.0);
                let out = fixture.random(size.0, n, element, 1.0, 2.0);
                fixture.product(a, b, Epilogue::Multiply { by, out }, &step(samples));
                fixture.check(&format!("multiply {size:?}"), out);
            }
        }
    }
}

#[test]
fn deeplift() {
    // one seed, many seeds a tile, seeds that divide no tile, more samples than a tile has rows
    for (seeds, samples, n, k) in [
        (1, 1, 1, 1),
        (1, 300, 70, 33),
        (7, 13, 65, 17),
        (100, 3, 520, 20),
        (3, 257, 1031, 9),
        (2, 65, 17, 500),
    ] {
        for fold in [Fold::Abs, Fold::Signed, Fold::Square] {
            for (layout, element, operands) in
                [(Layout::Nn, F32, F32), (Layout::Nn, F16, F16), (Layout::Nt, F32, F32)]
            {
                for mut device in executors() {
                    let mut fixture = Fixture::new(&mut *device, 9);
                    let size = (seeds * samples, n, k);
                    let [a, b] = fixture.operands(layout, size, [F32, F32]);
                    let difference = fixture.random(samples, n, element, -1.0, 1.0);
                    // scores accumulate, sums are overwritten
                    let scores = fixture.random(seeds, n, F32, 0.0, 1.0);
                    let sums = fixture.random(seeds, samples, F32, 1.0, 2.0);
                    let epilogue = Epilogue::DeepLift { difference, fold, scores, sums };
                    let product = Product { name: "test", layout, a, b, operands, epilogue };
                    fixture.run(&[Call::Product(product)], &step(samples));
                    let what = format!("deeplift {seeds} × {samples} × {n} over {k} {fold:?}");
                    fixture.check(&format!("{what}: scores"), scores);
                    fixture.check_within(&format!("{what}: sums"), sums, Tolerance { atol: 1e-4, ..SINGLE });
                }
            }
        }
    }
}

/// Values far from the thresholds that they are compared with, so that rounding decides nothing: integers
/// against halves. The items' own columns are above their thresholds, and must not count.
pub fn check_counts(
    fixture: &mut Fixture,
    layout: Layout,
    (m, n, k): (usize, usize, usize),
    element: Element,
) {
    let mut integers = |rows: usize, cols: usize| {
        let matrix = fixture.random(rows, cols, F32, -4.0, 4.0);
        let values: Vec<f32> = fixture.read(matrix).iter().map(|value| value.round()).collect();
        fixture.values(rows, cols, element, &values)
    };
    let a = if layout == Layout::Tn { integers(k, m) } else { integers(m, k) };
    let b = if layout == Layout::Nt { integers(n, k) } else { integers(k, n) };
    let own: Vec<f32> = (0..m).map(|row| (row % 7) as f32 * 3.0 - 9.5).collect();
    let own = fixture.values(1, m, F32, &own);
    let counts = fixture.values(1, m, F32, &vec![5.0; m]);
    // columns are items 40.., rows items 70..: they meet in the middle; the last columns are absent
    let epilogue = Epilogue::Count { own, counts, first: 70 };
    let step = Step { rows: n - n / 5, first: 40, ..Step::default() };
    let product = Product { name: "test", layout, a, b, operands: Element::F32, epilogue };
    fixture.run(&[Call::Product(product), Call::Product(product)], &step);
    let exact = Tolerance { atol: 0.0, rtol: 0.0 };
    fixture.check_within(&format!("counts {layout:?} {m} × {n} over {k}"), counts, exact);
}

#[test]
fn count() {
    for mut device in executors() {
        for size in SIZES {
            for (layout, element) in [(Layout::Nt, F32), (Layout::Nn, F16), (Layout::Tn, F32)] {
                check_counts(&mut Fixture::new(&mut *device, 10), layout, size, element);
            }
        }
    }
}

#[test]
fn an_item_is_not_its_own_competitor() {
    for mut device in executors() {
        let mut fixture = Fixture::new(&mut *device, 11);
        let a = fixture.values(3, 1, F32, &[1.0, 1.0, 1.0]);
        let b = fixture.values(4, 1, F32, &[1.0, 2.0, 3.0, f32::NAN]);
        let own = fixture.values(1, 3, F32, &[0.5, 1.5, 2.5]);
        let mut count = |first, step_first, rows| {
            let counts = fixture.zeros(1, 3, F32);
            let epilogue = Epilogue::Count { own, counts, first };
            let mut recording = genelift::device::recording::Recording::new();
            recording.product("test", Layout::Nt, a, b, Element::F32, epilogue);
            let program = fixture.device.compile(&recording).expect("compiled");
            let step = Step { rows, first: step_first, ..Step::default() };
            fixture.device.run(program, &step).expect("run");
            fixture.read(counts)
        };
        assert_eq!(count(0, 0, 4), [2.0, 1.0, 0.0], "each item beats its own threshold; NaN beats none");
        assert_eq!(count(9, 0, 4), [3.0, 2.0, 1.0], "nobody is itself");
        assert_eq!(count(1, 0, 2), [1.0, 1.0, 0.0], "the last two columns are absent");
        assert_eq!(count(2, 1, 4), [2.0, 1.0, 1.0], "row 0 is column 1, row 1 is column 2");
    }
}

/// Also where the exponent is above 0, is far below what an exponential of f32 holds, and in rows past the batch.
#[test]
fn kernel() {
    for mut device in executors() {
        for size in SIZES {
            for (element, radial, rows) in
                [(F32, 0.7, size.0), (F16, 0.7, size.0), (F32, 3.0, size.0.div_ceil(2))]
            {
                let mut fixture = Fixture::new(&mut *device, 12);
                let [a, b] = fixture.operands(Layout::Nt, size, [F32, F32]);
                let lengths = fixture.random(1, size.0, F32, -2.0, 0.3);
                let others = fixture.random(1, size.1, F32, -3.0, 0.0);
                let out = fixture.random(size.0, size.1, element, 1.0, 2.0);
                let mixture = Mixture { linear: 0.3, radial, slope: 0.9 };
                fixture.product(a, b, Epilogue::Kernel { mixture, lengths, others, out }, &step(rows));
                fixture.check(&format!("kernel {size:?}, {rows} rows"), out);
                let far = fixture.values(1, size.1, F32, &vec![-1e30; size.1]);
                fixture.product(a, b, Epilogue::Kernel { mixture, lengths, others: far, out }, &step(rows));
                fixture.check(&format!("kernel of far rows {size:?}, {rows} rows"), out);
            }
        }
    }
}
