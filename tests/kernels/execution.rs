//! The executor around the kernels: bit-for-bit repetition, transfers, misuse.

use genelift::Error;
use genelift::device::Executor;
use genelift::device::cpu::CpuExecutor;
use genelift::device::gpu::Options;
use genelift::device::recording::{
    Activation, Call, Dropout, Element, Epilogue, Fold, Layout, Loss, Matrix, Product, Recording, Step,
    Update,
};

use crate::fixture::Fixture;
use crate::{executors, gpu};

use Element::{F16, F32};

/// Every kind of sum that an executor splits up; gives back the bits of all results.
pub fn everything(device: &mut dyn Executor, k: usize) -> Vec<Vec<u32>> {
    let mut fixture = Fixture::new(device, 1);
    let (m, n) = (300, 700);
    let [a, b] = fixture.operands(Layout::Nt, (m, n, k), [F32, F32]);
    let [bias, unit] = [fixture.random(1, n, F32, -1.0, 1.0), fixture.random(1, n, F32, 0.0, 1.0)];
    let target = fixture.random(m, n, F32, 0.0, 1.0);
    let [hidden, gradient] = [fixture.zeros(m, n, F32), fixture.zeros(m, n, F32)];
    let [value, first, second] = [(); 3].map(|()| fixture.zeros(n, k, F32));
    let [table, bias_gradient] = [fixture.zeros(1, 3, F32), fixture.zeros(1, n, F32)];
    let [scores, sums] = [fixture.zeros(3, n, F32), fixture.zeros(3, 100, F32)];
    let difference = fixture.random(100, n, F32, -1.0, 1.0);
    let activation = Activation::Sigmoid;
    let dropout = Some(Dropout { rate: 0.1, layer: 0 });
    let product = |layout, a, b, epilogue| {
        Call::Product(Product { name: "test", layout, a, b, operands: Element::F32, epilogue })
    };
    let gradient_of = Some(gradient);
    let loss = Loss::Mae;
    let calls = [
        product(Layout::Nt, a, b, Epilogue::Layer { bias, activation, dropout, kept: None, out: hidden }),
        product(
            Layout::Nt,
            a,
            b,
            Epilogue::Loss { bias, activation, target, loss, gradient: gradient_of, unit, table },
        ),
        Call::BiasGradient { gradient, update: Update::Store { value: bias, out: bias_gradient, l2: 0.0 } },
        product(
            Layout::Tn,
            gradient,
            a,
            Epilogue::Update(Update::Adam {
                value,
                first,
                second,
                rounded: None,
                l2: 1e-6,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-7,
            }),
        ),
        Call::SumSquares { input: value, table, column: 2 },
        product(Layout::Nt, a, b, Epilogue::DeepLift { difference, fold: Fold::Abs, scores, sums }),
    ];
    let mut recording = genelift::device::recording::Recording::new();
    calls.iter().for_each(|call| recording.push(*call));
    let program = fixture.device.compile(&recording).expect("compiled");
    for step in 1..=2 {
        let step = Step {
            rows: m,
            step,
            learning_rate: 0.01,
            correction1: 0.1,
            correction2: 0.001,
            ..Step::default()
        };
        fixture.device.run(program, &step).expect("run");
    }
    let bits =
        |fixture: &mut Fixture, matrix: Matrix| fixture.read(matrix).iter().map(|v| v.to_bits()).collect();
    [hidden, gradient, value, first, second, table, bias_gradient, scores, sums]
        .map(|matrix| bits(&mut fixture, matrix))
        .to_vec()
}

#[test]
fn runs_repeat_bit_for_bit() {
    for mut device in executors() {
        let first = everything(&mut *device, 1500);
        assert!(first.iter().all(|bits| bits.iter().any(|bits| *bits != 0)), "no result is all zeros");
        assert!(first == everything(&mut *device, 1500), "{} repeats itself", device.name());
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let on =
        |threads| everything(&mut CpuExecutor::open(Some(threads)).expect("threads can be started"), 1500);
    let one = on(1);
    for threads in [2, 3] {
        assert!(one == on(threads), "{threads} threads");
    }
}

#[test]
fn staging_uploads_what_was_written() {
    for mut device in executors() {
        for element in [F32, F16] {
            let mut fixture = Fixture::new(&mut *device, 2);
            let matrix = fixture.random(40, 37, element, 1.0, 2.0);
            let before = fixture.read(matrix);
            // more rounds than the ring has buffers, with another shape in between
            for round in 0..7 {
                let cols = [37, 35][round % 2];
                let target = if cols == 37 { matrix } else { fixture.zeros(40, cols, element) };
                let mut staging = fixture.device.staging(target, 5).expect("staged");
                assert!(staging.capacity() >= 5);
                for row in 0..5 {
                    let values: Vec<f32> = (0..cols).map(|c| (round * 100 + row * 40 + c) as f32).collect();
                    let bytes: Vec<u8> = match element {
                        F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
                        _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                    };
                    staging.write_row(row, &bytes);
                }
                fixture.device.upload(staging, target, 30, 4).expect("uploaded");
                let after = fixture.read(target);
                for (i, value) in after.iter().enumerate() {
                    let (row, col) = (i / cols, i % cols);
                    let uploaded = (30..34).contains(&row);
                    let expected = match uploaded {
                        true => (round * 100 + (row - 30) * 40 + col) as f32,
                        false if cols == 37 => before[i],
                        false => 0.0,
                    };
                    assert_eq!(*value, expected, "round {round}, [{row}, {col}]");
                }
            }
        }
    }
}

/// A staging area that is dropped unused is free again.
#[test]
fn the_ring_is_bounded_and_gives_back() {
    for mut device in executors() {
        let mut fixture = Fixture::new(&mut *device, 3);
        let matrix = fixture.zeros(4, 10, F32);
        for _ in 0..20 {
            drop(fixture.device.staging(matrix, 4).expect("staged"));
        }
        // one held on another thread for a while: the next call waits for one and gets it
        let held: Vec<_> = (0..3).map(|_| fixture.device.staging(matrix, 4).expect("staged")).collect();
        let loader = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            drop(held);
        });
        fixture.device.staging(matrix, 4).expect("staged");
        loader.join().expect("the loader ended");
    }
}

#[test]
fn reads_and_writes_take_parts_of_rows() {
    for mut device in executors() {
        let mut fixture = Fixture::new(&mut *device, 4);
        let matrix = fixture.zeros(9, 21, F16);
        let rows: Vec<f32> = (0..42).map(|i| i as f32 + 0.0001).collect();
        fixture.device.write(matrix, 3, &rows).expect("written");
        let got = fixture.device.read(matrix, 2, 3).expect("read");
        let expected: Vec<f32> = (0..63).map(|i| if i < 21 { 0.0 } else { (i - 21) as f32 }).collect();
        // rounding to f16 takes the small part away, but for the first element
        assert!(got.iter().zip(&expected).all(|(got, want)| (got - want).abs() < 2e-4), "{got:?}");
    }
}

#[test]
fn misuse_is_an_error() {
    for mut device in executors() {
        let mut fixture = Fixture::new(&mut *device, 5);
        let matrix = fixture.zeros(4, 10, F32);
        let foreign = Matrix { id: 99, ..matrix };
        let device = &mut fixture.device;
        assert!(matches!(device.write(matrix, 3, &[0.0; 20]), Err(Error::Device { .. })));
        assert!(matches!(device.write(matrix, 0, &[0.0; 7]), Err(Error::Device { .. })));
        assert!(matches!(device.write_u32(matrix, 0, &[0; 10]), Err(Error::Device { .. })));
        assert!(matches!(device.read(matrix, usize::MAX, 2), Err(Error::Device { .. })));
        assert!(matches!(device.read(foreign, 0, 1), Err(Error::Device { .. })));
        let staging = device.staging(matrix, 2).expect("staged");
        assert!(matches!(device.upload(staging, matrix, 0, 3), Err(Error::Device { .. })));
    }
}

/// A handle says from which time of which executor it is: another matrix may have its number since.
#[test]
fn a_stale_handle_is_an_error() {
    for mut device in executors() {
        device.reset();
        let old = device.matrix("old", 4, 10, F32).expect("room");
        let recording = |matrix| {
            let mut recording = Recording::new();
            recording.push(Call::Activate { input: matrix, activation: Activation::Tanh, out: matrix });
            recording
        };
        let program = device.compile(&recording(old)).expect("compiled");
        device.reset();
        let new = device.matrix("new", 4, 10, F32).expect("room");
        let kept = device.compile(&recording(new)).expect("compiled");
        assert!((old.id, program) != (new.id, kept), "the number alone is the same");
        let errors = [
            device.run(program, &Step::default()).err(),
            device.write(old, 0, &[1.0; 10]).err(),
            device.read(old, 0, 1).err(),
            device.compile(&recording(old)).err(),
        ];
        for (call, error) in errors.into_iter().enumerate() {
            let message = error.unwrap_or_else(|| panic!("call {call} on {}", device.name())).to_string();
            assert!(message.contains("freed by a reset"), "call {call}: {message}");
        }
        device.run(kept, &Step::default()).expect("run");
        assert_eq!(device.read(new, 0, 4).expect("read"), [0.0; 40]);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for mut device in executors() {
        device.reset();
        for rows in [1 << 40, usize::MAX, usize::MAX / 16] {
            let message = device.matrix("the weights", rows, 1 << 20, F32).expect_err("refused").to_string();
            assert!(message.contains("the weights"), "{message}");
        }
        let free = device.memory();
        device.matrix("small", 1000, 1000, F32).expect("room");
        assert!(device.memory() <= free);
    }
}

/// Four buffers a kernel and 16 KiB of workgroup memory: products work, an update by Adam is refused.
#[test]
fn an_adapter_of_the_least_limits_works_or_is_refused_in_words() {
    let Some(mut device) = gpu(Options { downlevel: true, ..Options::default() }) else { return };
    assert_eq!(device.facts().storage_buffers, 4);
    let mut fixture = Fixture::new(&mut device, 1);
    let [a, b] = fixture.operands(Layout::Tn, (65, 130, 301), [F32, F32]);
    let out = fixture.zeros(65, 130, F32);
    let product =
        |epilogue| Call::Product(Product { name: "test", layout: Layout::Tn, a, b, operands: F32, epilogue });
    fixture.run(&[product(Epilogue::Store { out })], &Step::default());
    fixture.check("least limits", out);
    let [value, first, second] = [(); 3].map(|()| fixture.zeros(65, 130, F32));
    let (l2, beta1, beta2, epsilon) = (0.0, 0.9, 0.9, 1e-7);
    let adam = Update::Adam { value, first, second, rounded: None, l2, beta1, beta2, epsilon };
    let mut recording = Recording::new();
    recording.push(product(Epilogue::Update(adam)));
    let error = device.compile(&recording).expect_err("five buffers");
    assert!(matches!(error, Error::Usage(_)), "nothing smaller would do: {error:?}");
    let message = error.to_string();
    assert!(message.contains("works on") && message.contains("at most 4 here"), "{message}");
}

#[test]
fn every_call_is_timed_and_the_trace_is_json() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace.json");
    for mut executor in executors() {
        let input = executor.matrix("input", 17, 33, Element::F32).unwrap();
        let weight = executor.matrix("weight", 65, 33, Element::F32).unwrap();
        let out = executor.matrix("output", 17, 65, Element::F32).unwrap();
        let mut recording = Recording::new();
        recording.push(Call::Activate { input, activation: Activation::Tanh, out: input });
        recording.product("forward", Layout::Nt, input, weight, Element::F32, Epilogue::Store { out });
        let program = executor.compile(&recording).unwrap();
        executor.run(program, &Step::default()).unwrap();
        assert!(executor.spans().is_empty(), "not asked for yet");
        if let Err(error) = executor.profile() {
            eprintln!("SKIPPED: {error}");
            continue;
        }
        executor.run(program, &Step::default()).unwrap();
        executor.run(program, &Step::default()).unwrap();
        let spans = executor.spans();
        let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
        let once = ["activation 17 × 33", "forward 17 × 65 over 33"];
        assert_eq!(names, [once, once].concat(), "{}", executor.name());
        assert!(spans.iter().all(|span| span.seconds >= 0.0 && span.start.is_finite()));
        assert!(spans.windows(2).all(|pair| pair[0].start <= pair[1].start));

        genelift::device::profile::write(&path, executor.name(), spans, true).unwrap();
        let trace: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        assert_eq!(events.len(), 5, "the device's name and four calls");
        assert_eq!(events[2]["name"], once[1]);
        let written = events[2]["dur"].as_f64().unwrap();
        assert!((written - spans[1].seconds * 1e6).abs() <= 1e-9 * written.abs(), "in microseconds");
    }
}
