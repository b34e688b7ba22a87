//! The network's matrices on a device, and the recordings of its passes.
//!
//! ```text
//! x [B×G] ─layer 0→ h₀ [B×H₀] ─layer 1→ h₁ … ─last layer→ x̂ [B×G], loss and its gradient g_last [B×G]
//!   backwards, for each layer l:  g_{l−1} = g_l·W_l ⊙ f'(h_{l−1});   W_l, b_l ← update(g_lᵀ·h_{l−1}, Σ g_l)
//! ```

use super::model::{Layer, Model};
use crate::device::Executor;
use crate::device::recording::{
    Activation, Call, Dropout, Element, Epilogue, Layout, Loss, Matrix, Recording, Update,
};
use crate::error::Result;

/// One layer on a device.
#[derive(Debug, Clone, Copy)]
pub struct LayerBuffers {
    /// out × in, f32
    pub weight: Matrix,
    /// 1 × out, f32
    pub bias: Matrix,
    /// The nonlinearity.
    pub activation: Activation,
}

/// A network's parameters on a device.
#[derive(Debug, Clone)]
pub struct Network {
    /// From input to output.
    pub layers: Vec<LayerBuffers>,
    /// Operands of products are rounded to f16 and activations stored so.
    pub half: bool,
}

/// Scaling vectors on a device, all 1 × G.
#[derive(Debug, Clone, Copy)]
pub struct InputBuffers {
    /// Subtracted first.
    pub offset: Matrix,
    /// Multiplied then.
    pub scale: Matrix,
    /// Scaled units to the store's.
    pub unit: Matrix,
}

impl InputBuffers {
    /// Uploads a model's scaling.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn new(executor: &mut dyn Executor, model: &Model) -> Result<Self> {
        let input = &model.input;
        InputBuffers::of(executor, &input.offset, &input.scale, &input.unit())
    }

    /// Uploads a scaling, one value a gene.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn of(executor: &mut dyn Executor, offset: &[f32], scale: &[f32], unit: &[f32]) -> Result<Self> {
        let mut vector = |name, values: &[f32]| vector(executor, name, values.len(), values);
        Ok(InputBuffers {
            offset: vector("input.offset", offset)?,
            scale: vector("input.scale", scale)?,
            unit: vector("input.unit", unit)?,
        })
    }
}

/// A 1 × n matrix with the given values.
///
/// # Errors
/// [`crate::Error::Device`].
pub fn vector(executor: &mut dyn Executor, name: &str, n: usize, values: &[f32]) -> Result<Matrix> {
    let matrix = executor.matrix(name, 1, n, Element::F32)?;
    executor.write(matrix, 0, values)?;
    Ok(matrix)
}

impl Network {
    /// Uploads the first `layers` layers.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn new(executor: &mut dyn Executor, layers: &[Layer], half: bool) -> Result<Self> {
        let mut buffers = Vec::with_capacity(layers.len());
        for (i, layer) in layers.iter().enumerate() {
            let name = format!("layers.{i}.weight");
            let weight = executor.matrix(&name, layer.outputs, layer.inputs, Element::F32)?;
            executor.write(weight, 0, &layer.weight)?;
            let bias = vector(executor, &format!("layers.{i}.bias"), layer.outputs, &layer.bias)?;
            buffers.push(LayerBuffers { weight, bias, activation: layer.activation });
        }
        Ok(Network { layers: buffers, half })
    }

    /// Type of stored activations and gradients.
    pub fn element(&self) -> Element {
        if self.half { Element::F16 } else { Element::F32 }
    }

    /// Reads the parameters back.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn download(&self, executor: &mut dyn Executor) -> Result<Vec<Layer>> {
        let read = |layer: &LayerBuffers| {
            Ok(Layer {
                inputs: layer.weight.cols,
                outputs: layer.weight.rows,
                weight: executor.read(layer.weight, 0, layer.weight.rows)?,
                bias: executor.read(layer.bias, 0, 1)?,
                activation: layer.activation,
            })
        };
        self.layers.iter().map(read).collect()
    }

    /// A batch × width matrix for the output (or its gradient) of each layer.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn batch_matrices(
        &self,
        executor: &mut dyn Executor,
        name: &str,
        batch: usize,
        layers: usize,
    ) -> Result<Vec<Matrix>> {
        let make = |(i, layer): (usize, &LayerBuffers)| {
            executor.matrix(&format!("{name}.{i}"), batch, layer.weight.rows, self.element())
        };
        self.layers[..layers].iter().enumerate().map(make).collect()
    }

    /// Records the layers `outputs.len()` first layers: outputs[l] = dropout(f(outputs[l−1]·Wᵀ + b)).
    pub fn forward(&self, recording: &mut Recording, x: Matrix, outputs: &[Matrix], dropout: Option<f32>) {
        let mut below = x;
        for (i, (layer, out)) in self.layers.iter().zip(outputs).enumerate() {
            let epilogue = Epilogue::Layer {
                bias: layer.bias,
                activation: layer.activation,
                dropout: mask(dropout, i),
                out: *out,
            };
            recording.product("forward", Layout::Nt, below, layer.weight, self.half, epilogue);
            below = *out;
        }
    }

    /// Records the last layer with the loss against `target`; `below` is its input.
    pub fn loss(&self, recording: &mut Recording, below: Matrix, loss: LossBuffers) {
        let layer = &self.layers[self.layers.len() - 1];
        let epilogue = Epilogue::Loss {
            bias: layer.bias,
            activation: layer.activation,
            target: loss.target,
            loss: loss.loss,
            gradient: loss.gradient,
            unit: loss.unit,
            table: loss.table,
        };
        recording.product("loss", Layout::Nt, below, layer.weight, self.half, epilogue);
    }

    /// Records back-propagation and the updates. `inputs[l]` is layer l's input, `gradients[l]` the gradient
    /// with respect to its pre-activation, of which the last is already there; `updates[l]` belong to its
    /// (weight, bias).
    pub fn backward(
        &self,
        recording: &mut Recording,
        inputs: &[Matrix],
        gradients: &[Matrix],
        updates: &[(Update, Update)],
        dropout: Option<f32>,
    ) {
        self.backward_to(recording, inputs, gradients, updates, dropout, None);
    }

    /// As [`Network::backward`]; `below` (B × inputs of the first layer) receives the gradient with respect to
    /// the network's input.
    pub fn backward_to(
        &self,
        recording: &mut Recording,
        inputs: &[Matrix],
        gradients: &[Matrix],
        updates: &[(Update, Update)],
        dropout: Option<f32>,
        below: Option<Matrix>,
    ) {
        for l in (0..self.layers.len()).rev() {
            // Before the update, since it needs the weights that made the output.
            let epilogue = match l {
                0 => below.map(|out| Epilogue::Store { out }),
                _ => Some(Epilogue::Derivative {
                    output: inputs[l],
                    activation: self.layers[l - 1].activation,
                    dropout: mask(dropout, l - 1),
                    out: gradients[l - 1],
                }),
            };
            if let Some(epilogue) = epilogue {
                let weight = self.layers[l].weight;
                recording.product("backward", Layout::Nn, gradients[l], weight, self.half, epilogue);
            }
            let (weight, bias) = updates[l];
            let epilogue = Epilogue::Update(weight);
            recording.product("weight gradient", Layout::Tn, gradients[l], inputs[l], self.half, epilogue);
            recording.push(Call::BiasGradient { gradient: gradients[l], update: bias });
        }
    }
}

/// What the loss epilogue reads and writes; see [`Epilogue::Loss`].
#[derive(Debug, Clone, Copy)]
pub struct LossBuffers {
    /// B × G
    pub target: Matrix,
    /// Which loss.
    pub loss: Loss,
    /// B × G
    pub gradient: Option<Matrix>,
    /// 1 × G
    pub unit: Matrix,
    /// steps × 2
    pub table: Matrix,
}

fn mask(rate: Option<f32>, layer: usize) -> Option<Dropout> {
    rate.filter(|r| *r > 0.0).map(|rate| Dropout { rate, layer: layer as u32 })
}
