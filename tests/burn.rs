//! Gradients of the same network by burn's autodiff, an independent implementation.
//!
//! `cargo test --release --locked --features burn --test burn`

use burn::tensor::{Device, Tensor, TensorData, activation};
use genelift::bench::{BenchSettings, Rival, Stage, bench};
use genelift::device::Executor;
use genelift::device::cpu::CpuExecutor;
use genelift::device::random::Stream;
use genelift::device::recording::{
    Activation, Call, Element, Epilogue, Layout, Loss, Matrix, Recording, Step, Update,
};
use genelift::nn::settings::Precision;
use genelift::progress::{Event, silent};
use genelift::simulate::{SimulateSettings, simulate};
use genelift::store::Store;

/// Two adders of the same numbers in another order differ by about √K·2⁻²⁴ of the largest summand, K ≤ 300 here;
/// a wrong formula differs by far more. Relative to the largest gradient of the tensor.
const TOLERANCE: f32 = 1e-4;

/// A network with its data; layer l is `weights[l]` [widths[l + 1], widths[l]] and `biases[l]`.
struct Case {
    widths: Vec<usize>,
    hidden: Activation,
    output: Activation,
    loss: Loss,
    l2: f32,
    samples: usize,
    input: Vec<f32>,
    weights: Vec<Vec<f32>>,
    biases: Vec<Vec<f32>>,
}

impl Case {
    fn new(hidden: Activation, output: Activation, loss: Loss, l2: f32) -> Case {
        let widths = vec![300, 50, 20, 50, 300];
        let samples = 61;
        let mut stream = Stream::new(3, "burn", 0);
        let mut draw = |n: usize, low: f64, high: f64| -> Vec<f32> {
            (0..n).map(|_| (low + (high - low) * stream.uniform()) as f32).collect()
        };
        let input = draw(samples * widths[0], 0.0, 1.0);
        let weights = widths.windows(2).map(|w| draw(w[0] * w[1], -0.2, 0.2)).collect();
        let biases = widths[1..].iter().map(|n| draw(*n, -0.5, 0.5)).collect();
        Case { widths, hidden, output, loss, l2, samples, input, weights, biases }
    }

    fn activation(&self, layer: usize) -> Activation {
        if layer + 1 == self.weights.len() { self.output } else { self.hidden }
    }
}

/// Gradients (weight, bias by layer) and the data term of the loss, from a recorded step on the CPU executor. The
/// batch matrices have three rows more than there are samples, as in the last batch of an epoch.
fn recorded(case: &Case) -> (Vec<Vec<f32>>, f32) {
    let mut cpu = CpuExecutor::open(Some(2)).unwrap();
    let batch = case.samples + 3;
    let genes = case.widths[0];
    let layers = case.weights.len();
    let mut matrix = |rows, cols, data: Option<&[f32]>| -> Matrix {
        let matrix = cpu.matrix("test", rows, cols, Element::F32).unwrap();
        if let Some(data) = data {
            cpu.write(matrix, 0, data).unwrap();
        }
        matrix
    };

    let source = matrix(case.samples, genes, Some(&case.input));
    let (offset, scale) = (matrix(1, genes, None), matrix(1, genes, Some(&vec![1.0; genes])));
    let table = matrix(1, 3, None);
    // outputs[l] is the input of layer l; deltas[l] is the gradient at layer l's pre-activation
    let outputs: Vec<Matrix> = case.widths[..layers].iter().map(|n| matrix(batch, *n, None)).collect();
    let deltas: Vec<Matrix> = case.widths[1..].iter().map(|n| matrix(batch, *n, None)).collect();
    let mut parameter = |rows, cols, data: &[f32]| (matrix(rows, cols, Some(data)), matrix(rows, cols, None));
    let weights: Vec<_> =
        (0..layers).map(|l| parameter(case.widths[l + 1], case.widths[l], &case.weights[l])).collect();
    let biases: Vec<_> = (0..layers).map(|l| parameter(1, case.widths[l + 1], &case.biases[l])).collect();

    let mut step = Recording::new();
    step.push(Call::Gather { source, index: None, offset, scale, out: outputs[0] });
    for l in 0..layers {
        let (activation, bias) = (case.activation(l), biases[l].0);
        let epilogue = if l + 1 < layers {
            Epilogue::Layer { bias, activation, dropout: None, kept: None, out: outputs[l + 1] }
        } else {
            let gradient = Some(deltas[l]);
            Epilogue::Loss {
                bias,
                activation,
                target: outputs[0],
                loss: case.loss,
                gradient,
                unit: scale,
                table,
            }
        };
        step.product("forward", Layout::Nt, outputs[l], weights[l].0, Element::F32, epilogue);
    }
    for l in (0..layers).rev() {
        let store = |(value, out): (Matrix, Matrix), l2| Update::Store { value, out, l2 };
        let update = Epilogue::Update(store(weights[l], case.l2));
        step.product("weight gradient", Layout::Tn, deltas[l], outputs[l], Element::F32, update);
        step.push(Call::BiasGradient { gradient: deltas[l], update: store(biases[l], 0.0) });
        if l > 0 {
            let activation = case.activation(l - 1);
            let epilogue =
                Epilogue::Derivative { kept: outputs[l], activation, dropout: None, out: deltas[l - 1] };
            step.product("backward", Layout::Nn, deltas[l], weights[l].0, Element::F32, epilogue);
        }
    }

    let elements = (case.samples * genes) as f32;
    let program = cpu.compile(&step).unwrap();
    cpu.run(program, &Step { rows: case.samples, gradient_scale: 1.0 / elements, ..Step::default() })
        .unwrap();
    let gradients = (0..layers)
        .flat_map(|l| [weights[l].1, biases[l].1])
        .map(|g| cpu.read(g, 0, g.rows).unwrap())
        .collect();
    (gradients, cpu.read(table, 0, 1).unwrap()[0] / elements)
}

/// The same from burn.
fn by_burn(case: &Case) -> (Vec<Vec<f32>>, f32) {
    let device = Device::flex().autodiff();
    let tensor = |data: &[f32], shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(data.to_vec(), shape), &device)
    };
    let apply = |activation: Activation, z: Tensor<2>| match activation {
        Activation::Sigmoid => activation::sigmoid(z),
        Activation::Tanh => z.tanh(),
        Activation::Relu => activation::relu(z),
        Activation::Softplus => activation::softplus(z, 1.0),
        Activation::Silu => activation::silu(z),
        Activation::Linear => z,
    };
    let parameters: Vec<Tensor<2>> = (0..case.weights.len())
        .flat_map(|l| {
            let (rows, cols) = (case.widths[l + 1], case.widths[l]);
            [tensor(&case.weights[l], [rows, cols]), tensor(&case.biases[l], [1, rows])]
        })
        .map(Tensor::require_grad)
        .collect();

    let input = tensor(&case.input, [case.samples, case.widths[0]]);
    let mut x = input.clone();
    for (l, layer) in parameters.chunks(2).enumerate() {
        x = apply(case.activation(l), x.matmul(layer[0].clone().transpose()) + layer[1].clone());
    }
    let error = x - input;
    let data = match case.loss {
        Loss::Mae => error.abs().mean(),
        Loss::Mse => error.square().mean(),
        Loss::Huber => {
            let size = error.clone().abs();
            (error.square() * 0.5).mask_where(size.clone().greater_elem(1.0), size - 0.5).mean()
        }
    };
    let mut objective = data.clone();
    for weight in parameters.iter().step_by(2) {
        objective = objective + weight.clone().square().sum() * case.l2;
    }
    let gradients = objective.backward();
    let read = |t: Tensor<1>| t.into_data().try_to_vec::<f32>().unwrap();
    let found = parameters.iter().map(|p| {
        let gradient = p.grad(&gradients).unwrap();
        let n = gradient.shape().num_elements();
        read(gradient.reshape([n]))
    });
    (found.collect(), read(data)[0])
}

/// The worst difference, relative to the largest value; infinite for NaN or another length.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    if found.len() != expected.len() || found.iter().chain(expected).any(|v| !v.is_finite()) {
        return f32::INFINITY;
    }
    let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    found.iter().zip(expected).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / largest
}

fn check(hidden: Activation, output: Activation, loss: Loss, l2: f32) {
    let case = Case::new(hidden, output, loss, l2);
    let (found, loss) = recorded(&case);
    let (expected, burn_loss) = by_burn(&case);
    assert!((loss - burn_loss).abs() <= 1e-5 * burn_loss, "loss {loss}, burn's {burn_loss}");
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let part = ["weight", "bias"][i % 2];
        let worst = difference(found, expected);
        println!("layers.{}.{part}: {worst:.1e}", i / 2);
        assert!(worst <= TOLERANCE, "layers.{}.{part}: gradients differ by {worst:e} of the largest", i / 2);
    }
}

#[test]
fn the_papers_network() {
    check(Activation::Sigmoid, Activation::Sigmoid, Loss::Mae, 1e-6);
}

/// With α this large the penalty is about as large as the data's gradient, so a wrong 2α‖W‖² shows.
#[test]
fn the_penalty() {
    check(Activation::Sigmoid, Activation::Sigmoid, Loss::Mae, 1e-3);
}

#[test]
fn squared_error_and_other_activations() {
    check(Activation::Tanh, Activation::Linear, Loss::Mse, 1e-4);
    check(Activation::Relu, Activation::Linear, Loss::Mse, 1e-4);
    check(Activation::Relu, Activation::Tanh, Loss::Mae, 1e-4);
}

#[test]
fn the_comparison_sees_one_wrong_element() {
    let case = Case::new(Activation::Sigmoid, Activation::Sigmoid, Loss::Mae, 1e-6);
    let (expected, _) = by_burn(&case);
    let mut found = expected[0].clone();
    let largest = found.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    found[257] += 2.0 * TOLERANCE * largest;
    assert!(difference(&found, &expected[0]) > TOLERANCE);
    found[257] = f32::NAN;
    assert!(difference(&found, &expected[0]) > TOLERANCE);
}

/// The benchmark's rival learns what ours does: after the same number of epochs from weights of the same distribution the losses
/// are alike, and far below where they began.
#[test]
fn the_rival_of_the_benchmark_trains_the_same_network() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gex");
    let matrix = SimulateSettings {
        samples: 256,
        genes: 200,
        rank: 5,
        studies: 4,
        noise: 0.1,
        duplicates: 0.0,
        missing: 0.0,
        element: Element::F32,
        seed: 1,
    };
    simulate(&path, &matrix, false, &silent).unwrap();
    let store = Store::open(&path).unwrap();
    let settings = BenchSettings {
        hidden: vec![50, 20, 50],
        batches: vec![32],
        precision: Precision::F32,
        attributed: 8,
        landmarks: 10,
        selected_from: 8,
        rounds: 20,
    };
    let losses = std::sync::Mutex::new(Vec::new());
    let report = |event: Event| {
        if let Event::Advanced { note, .. } = event {
            let loss: Option<f64> =
                note.split_once("loss ").and_then(|(_, rest)| rest.split([' ', ',']).next()?.parse().ok());
            losses.lock().unwrap().extend(loss);
        }
    };
    let mut cpu = CpuExecutor::open(Some(2)).unwrap();
    let ours = bench(&mut cpu, &store, &[Stage::Train], &settings, &report).unwrap();
    let own: Vec<f64> = std::mem::take(&mut *losses.lock().unwrap());
    let burn = Rival::burn(cpu.name()).unwrap().train(&store, &settings, &report).unwrap();
    let theirs: Vec<f64> = losses.into_inner().unwrap();
    assert_eq!((ours.len(), burn.len()), (1, 1));
    assert_eq!(ours[0].seconds.len(), burn[0].seconds.len());
    assert!(burn[0].name.ends_with(&ours[0].name), "{}", burn[0].name);
    let (first, last) = (theirs[0], theirs[theirs.len() - 1]);
    assert!(last < 0.9 * first, "{theirs:?}");
    assert!((last - own[own.len() - 1]).abs() < 0.03 * last, "{theirs:?} {own:?}");
}
