//! Gradients of a whole network, recorded from kernel calls, against central finite differences of the
//! same loss evaluated in f64 by a naive network.

use genelift::device::Executor;
use genelift::device::activation::SlopeOf;
use genelift::device::cpu::CpuExecutor;
use genelift::device::random::Stream;
use genelift::device::recording::{
    Activation, Call, Element, Epilogue, Layout, Loss, Matrix, Product, Recording, Step, Update,
};

const L2: f32 = 1e-2;

/// One layer's weights (out × in) and biases.
#[derive(Clone)]
struct Layer {
    activation: Activation,
    inputs: usize,
    weights: Vec<f64>,
    biases: Vec<f64>,
}

/// An autoencoder of these widths; parameters are f32 values, so that both sides start from the same.
fn network(widths: &[usize], activations: &[Activation], stream: &mut Stream) -> Vec<Layer> {
    let mut draw =
        |n: usize| -> Vec<f64> { (0..n).map(|_| f64::from((stream.uniform() * 1.6 - 0.8) as f32)).collect() };
    widths
        .windows(2)
        .zip(activations)
        .map(|(w, activation)| Layer {
            activation: *activation,
            inputs: w[0],
            weights: draw(w[0] * w[1]),
            biases: draw(w[1]),
        })
        .collect()
}

/// Mean loss over all elements plus the penalty.
fn objective(layers: &[Layer], batch: &[f64], loss: Loss) -> f64 {
    let width = layers[0].inputs;
    let mut total = 0.0;
    for sample in batch.chunks_exact(width) {
        let output = layers.iter().fold(sample.to_vec(), |x, layer| {
            let rows = layer.weights.chunks_exact(layer.inputs).zip(&layer.biases);
            rows.map(|(w, b)| layer.activation.exact(b + w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>()))
                .collect()
        });
        for (y, x) in output.iter().zip(sample) {
            total += loss.exact(y - x);
        }
    }
    let penalty: f64 = layers.iter().flat_map(|layer| &layer.weights).map(|w| w * w).sum();
    total / batch.len() as f64 + f64::from(L2) * penalty
}

/// The gradients of one step as the executor computes them: weights and biases, layer by layer.
fn recorded(device: &mut dyn Executor, layers: &[Layer], batch: &[f64], loss: Loss) -> Vec<Vec<f32>> {
    let width = layers[0].inputs;
    let samples = batch.len() / width;
    let mut filled = |rows: usize, cols: usize, values: Option<&[f64]>| -> Matrix {
        let matrix = device.matrix("test", rows, cols, Element::F32).expect("room");
        if let Some(values) = values {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            device.write(matrix, 0, &values).expect("written");
        }
        matrix
    };
    // two rows more than the batch has samples: they must not count
    let rows = samples + 2;
    let source = filled(samples, width, Some(batch));
    let [offset, unit] = [filled(1, width, None), filled(1, width, Some(&vec![1.0; width]))];
    let [input, table] = [filled(rows, width, None), filled(1, 2, None)];
    let mut recording = Recording::new();
    recording.push(Call::Gather { source, index: None, offset, scale: unit, out: input });

    let mut outputs = vec![input];
    let (mut weights, mut gradients, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (i, layer) in layers.iter().enumerate() {
        let n = layer.biases.len();
        let weight = filled(n, layer.inputs, Some(&layer.weights));
        let bias = filled(1, n, Some(&layer.biases));
        let out = filled(rows, n, Some(&vec![7.0; rows * n])); // what an earlier, larger batch left
        let activation = layer.activation;
        let before = match activation.slope_of() {
            SlopeOf::Output => None,
            SlopeOf::Input => Some(filled(rows, n, Some(&vec![7.0; rows * n]))),
        };
        kept.push(before.unwrap_or(out));
        let epilogue = if i + 1 == layers.len() {
            Epilogue::Loss { bias, activation, target: input, loss, gradient: Some(out), unit, table }
        } else {
            Epilogue::Layer { bias, activation, dropout: None, kept: before, out }
        };
        recording.product("forward", Layout::Nt, outputs[i], weight, Element::F32, epilogue);
        outputs.push(out);
        weights.push((weight, bias));
        gradients.push((filled(n, layer.inputs, None), filled(1, n, None)));
    }
    // `outputs` now ends with the gradient at the last layer's input
    let mut gradient = outputs[layers.len()];
    for i in (0..layers.len()).rev() {
        let ((weight, bias), (weight_out, bias_out)) = (weights[i], gradients[i]);
        let update = Update::Store { value: weight, out: weight_out, l2: L2 };
        recording.product(
            "weight gradient",
            Layout::Tn,
            gradient,
            outputs[i],
            Element::F32,
            Epilogue::Update(update),
        );
        recording.push(Call::BiasGradient {
            gradient,
            update: Update::Store { value: bias, out: bias_out, l2: 0.0 },
        });
        if i > 0 {
            let (width, activation) = (outputs[i].cols, layers[i - 1].activation);
            let out = filled(rows, width, Some(&vec![7.0; rows * width]));
            let epilogue = Epilogue::Derivative { kept: kept[i - 1], activation, dropout: None, out };
            let product = Product {
                name: "backward",
                layout: Layout::Nn,
                a: gradient,
                b: weight,
                operands: Element::F32,
                epilogue,
            };
            recording.push(Call::Product(product));
            gradient = out;
        }
    }
    let program = device.compile(&recording).expect("compiled");
    let step = Step { rows: samples, gradient_scale: 1.0 / batch.len() as f32, ..Step::default() };
    device.run(program, &step).expect("run");
    let all = gradients.into_iter().flat_map(|(w, b)| [w, b]);
    all.map(|matrix| device.read(matrix, 0, matrix.rows).expect("read")).collect()
}

fn check(widths: &[usize], activations: &[Activation], loss: Loss, seed: u64) {
    let mut stream = Stream::new(seed, "gradients", 0);
    let mut layers = network(widths, activations, &mut stream);
    let batch: Vec<f64> = (0..widths[0] * 6).map(|_| f64::from(stream.uniform() as f32)).collect();
    let mut device = CpuExecutor::open(Some(2)).expect("threads");
    let got = recorded(&mut device, &layers, &batch, loss);
    let largest = got.iter().flatten().fold(0.0f32, |most, g| most.max(g.abs()));
    assert!(largest.is_finite() && largest > 1e-3, "{largest}");
    // Small enough that no |e| or ReLU of these seeds changes sides; f64 leaves 1e-9 of the quotient.
    let h = 1e-6;
    for layer in 0..layers.len() {
        for (part, got) in [&got[2 * layer], &got[2 * layer + 1]].into_iter().enumerate() {
            for (i, got) in got.iter().enumerate() {
                let mut at = |change: f64| {
                    let parameters =
                        if part == 0 { &mut layers[layer].weights } else { &mut layers[layer].biases };
                    let old = parameters[i];
                    parameters[i] = old + change;
                    let value = objective(&layers, &batch, loss);
                    let parameters =
                        if part == 0 { &mut layers[layer].weights } else { &mut layers[layer].biases };
                    parameters[i] = old;
                    value
                };
                let want = (at(h) - at(-h)) / (2.0 * h);
                let error = (f64::from(*got) - want).abs();
                assert!(
                    error <= 1e-4 * f64::from(largest), // also fails for a NaN
                    "{activations:?} {loss:?}: layer {layer}, {} {i}: {got}, expected {want}",
                    ["weight", "bias"][part]
                );
            }
        }
    }
}

#[test]
fn gradients_match_finite_differences() {
    use Activation::{Linear, Relu, Sigmoid, Tanh};
    for loss in Loss::ALL.iter().copied() {
        for (i, activation) in Activation::ALL.iter().copied().enumerate() {
            check(&[17, 5, 17], &[activation, Linear], loss, i as u64);
            check(&[19, 7, 3, 19], &[activation, activation, activation], loss, 10 + i as u64);
        }
        check(&[13, 6, 4, 6, 13], &[Tanh, Sigmoid, Relu, Sigmoid], loss, 20);
    }
}
