//! The same training by burn, the rival: its tensors and autodiff, Adam as tensor operations (which its GPU backend fuses), data on
//! the device, batches gathered there. Start-up and the host's part in an epoch are timed in both programs alike.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Int, Tensor, TensorData, activation};

use super::work;
use super::{BenchSettings, Measured};
use crate::device::gpu::{self, Kind};
use crate::device::random::Stream;
use crate::device::recording::Activation;
use crate::error::{Error, Result};
use crate::nn::model::Layer;
use crate::nn::scaling;
use crate::nn::settings::{BETAS, TrainSettings, corrections};
use crate::progress::{Event, Reporter, advance};
use crate::store::Store;

/// burn, on a device of its own.
pub struct Rival {
    name: String,
    device: Device,
}

impl Rival {
    /// On the CPU, or on the adapter of the executor of this name.
    ///
    /// # Errors
    /// [`Error::Usage`] for a GPU without the feature `burn-wgpu`.
    pub fn burn(executor: &str) -> Result<Rival> {
        let found = gpu::list();
        let Some(at) = found.iter().position(|facts| facts.name == executor) else {
            return Ok(Rival { name: "burn (flex)".into(), device: Device::flex() });
        };
        let kind = found[at].kind;
        let place = found[..at].iter().filter(|other| other.kind == kind).count();
        on_gpu(kind, place)
    }
}

#[cfg(feature = "burn-wgpu")]
fn on_gpu(kind: Kind, place: usize) -> Result<Rival> {
    use burn::tensor::DeviceKind;
    let kind = match kind {
        Kind::Discrete => DeviceKind::DiscreteGpu(place),
        Kind::Integrated => DeviceKind::IntegratedGpu(place),
        Kind::Software => DeviceKind::Cpu,
    };
    Ok(Rival { name: "burn (wgpu)".into(), device: Device::wgpu(kind) })
}

#[cfg(not(feature = "burn-wgpu"))]
fn on_gpu(_: Kind, _: usize) -> Result<Rival> {
    Err(Error::Usage(
        "--against burn on a GPU needs burn's GPU backend: cargo build --release --features burn-wgpu".into(),
    ))
}

/// A parameter with Adam's moments.
struct Parameter {
    value: Tensor<2>,
    first: Tensor<2>,
    second: Tensor<2>,
}

impl Parameter {
    fn new(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Parameter {
        let value = Tensor::from_data(TensorData::new(values, shape), device).require_grad();
        let zeros = value.clone().inner().zeros_like();
        Parameter { value, first: zeros.clone(), second: zeros }
    }

    fn update(&mut self, gradient: Tensor<2>, settings: &TrainSettings, step: u64) {
        let (correction1, correction2) = corrections(step);
        let (beta1, beta2) = (BETAS.0, BETAS.1);
        self.first = self.first.clone() * beta1 + gradient.clone() * (1.0 - beta1);
        self.second = self.second.clone() * beta2 + gradient.square() * (1.0 - beta2);
        let size = settings.learning_rate as f32 / correction1;
        let root = (self.second.clone() / correction2).sqrt() + settings.epsilon as f32;
        let value = self.value.clone().inner() - self.first.clone() / root * size;
        self.value = Tensor::from_inner(value).require_grad();
    }
}

impl Rival {
    /// Epochs over all samples of `store`, of which the first is not counted.
    ///
    /// # Errors
    /// [`Error::Device`] where burn fails.
    pub fn train(&self, store: &Store, settings: &BenchSettings, report: Reporter) -> Result<Vec<Measured>> {
        let Rival { name, device } = self;
        let (n, genes) = (store.n_samples(), store.n_genes());
        let samples: Vec<usize> = (0..n).collect();
        let standard = TrainSettings::standard();
        let input = scaling::fit(store, &samples, standard.scale);
        let mut data = vec![0.0f32; n * genes];
        for (sample, row) in data.chunks_exact_mut(genes).enumerate() {
            store.read_row(sample, row);
            let scaled = row.iter_mut().zip(&input.offset).zip(&input.scale);
            scaled.for_each(|((x, offset), scale)| *x = (*x - offset) * scale);
        }
        let source = Tensor::<2>::from_data(TensorData::new(data, [n, genes]), device);
        let widths = [&[genes], &settings.hidden[..], &[genes]].concat();
        let sync = || device.sync().map_err(|e| Error::device(name, e.to_string()));
        let autodiff = device.clone().autodiff();

        let mut all = Vec::new();
        for batch in &settings.batches {
            let mut stream = Stream::new(0, "burn", 0);
            let mut parameters = Vec::new();
            for pair in widths.windows(2) {
                let layer = Layer::initial(pair[0], pair[1], Activation::Sigmoid, &mut stream);
                parameters.push(Parameter::new(layer.weight, [pair[1], pair[0]], &autodiff));
                parameters.push(Parameter::new(layer.bias, [1, pair[1]], &autodiff));
            }
            let mut seconds = Vec::new();
            let (mut number, mut order) = (0, (0..n as i32).collect::<Vec<i32>>());
            let total = Some(settings.rounds as u64 + 1);
            report(Event::Started { task: format!("{name}, batch {batch}"), total, unit: "epochs" });
            for epoch in 0..=settings.rounds {
                let start = Instant::now();
                stream.shuffle(&mut order);
                let mut losses = Tensor::<1>::zeros([1], device);
                for rows in order.chunks(*batch) {
                    number += 1;
                    let index =
                        Tensor::<1, Int>::from_data(TensorData::new(rows.to_vec(), [rows.len()]), device);
                    let x = Tensor::from_inner(source.clone().select(0, index));
                    let data = step(&mut parameters, &x, &standard, number, &autodiff);
                    losses = losses + data;
                }
                let loss =
                    losses.into_data().try_to_vec::<f32>().map_err(|e| Error::device(name, e.to_string()))?;
                sync()?;
                if epoch > 0 {
                    seconds.push(start.elapsed().as_secs_f64());
                }
                let note = format!("loss {:.4}", loss[0] / n.div_ceil(*batch) as f32);
                advance(report, epoch as u64 + 1, note)?;
            }
            report(Event::Finished);
            all.push(Measured {
                name: format!("{name}: training, batch {batch}"),
                unit: "samples",
                items: n,
                work: vec![work::training(&widths, n, *batch, 3.0)],
                device_memory: 0,
                seconds,
            });
        }
        Ok(all)
    }
}

/// One step: forward with dropout, loss and penalty, backward, Adam. The data term, off the tape.
fn step(
    parameters: &mut [Parameter],
    x: &Tensor<2>,
    settings: &TrainSettings,
    number: u64,
    device: &Device,
) -> Tensor<1> {
    let layers = parameters.len() / 2;
    let mut y = x.clone();
    for (l, layer) in parameters.chunks(2).enumerate() {
        let z = y.matmul(layer[0].value.clone().transpose()) + layer[1].value.clone();
        y = match if l + 1 < layers { settings.activation } else { settings.output_activation } {
            Activation::Sigmoid => activation::sigmoid(z),
            Activation::Tanh => z.tanh(),
            Activation::Relu => activation::relu(z),
            Activation::Softplus => activation::softplus(z, 1.0),
            Activation::Silu => activation::silu(z),
            Activation::Linear => z,
        };
        if l + 1 < layers {
            let keep = 1.0 - settings.dropout;
            let mask = Tensor::<2>::random(y.dims(), Distribution::Bernoulli(keep), device);
            y = y * mask * (1.0 / keep);
        }
    }
    let data = (y - x.clone()).abs().mean();
    let weights = parameters.iter().step_by(2);
    let penalty = weights.fold(data.clone(), |sum, w| sum + w.value.clone().square().sum() * settings.l2);
    let gradients = penalty.backward();
    for parameter in parameters {
        if let Some(gradient) = parameter.value.grad(&gradients) {
            parameter.update(gradient, settings, number);
        }
    }
    data.inner()
}
