//! The network's matrices on a device, and the recordings of its passes.
//!
//! ```text
//! x [B×G] ─layer 0→ h₀ [B×H₀] ─layer 1→ h₁ … ─last layer→ x̂ [B×G], loss and its gradient g_last [B×G]
//!   backwards, for each layer l:  g_{l−1} = g_l·W_l ⊙ f'(h_{l−1});   W_l, b_l ← update(g_lᵀ·h_{l−1}, Σ g_l)
//! ```

use rayon::prelude::*;

use super::model::{Layer, Model};
use crate::device::Executor;
use crate::device::activation::SlopeOf;
use crate::device::recording::{
    Activation, Call, Dropout, Element, Epilogue, Layout, Loss, Matrix, Recording, Update,
};
use crate::error::Result;

/// One layer on a device.
#[derive(Debug, Clone, Copy)]
pub struct LayerBuffers {
    /// f32: out × in, or in × out where `turned`
    pub weight: Matrix,
    /// What products take: `weight`, or its copy in half precision, which updates keep ([`Update::Adam`]'s `rounded`).
    pub operand: Matrix,
    /// Whether a row of `weight` is an input's. Then a layer of many inputs and few outputs is read and updated along short
    /// rows, one after the other in memory, which is faster by 10 % on a CPU.
    pub turned: bool,
    /// 1 × out, f32
    pub bias: Matrix,
    /// The nonlinearity.
    pub activation: Activation,
}

impl LayerBuffers {
    /// The copy of the weights in half precision, where products take that.
    pub fn rounded(&self) -> Option<Matrix> {
        (self.operand != self.weight).then_some(self.operand)
    }

    /// Its width.
    pub fn outputs(&self) -> usize {
        if self.turned { self.weight.cols } else { self.weight.rows }
    }

    /// Of the product with a batch of inputs.
    fn through(&self) -> Layout {
        if self.turned { Layout::Nn } else { Layout::Nt }
    }

    /// Writes values [out, in], one after the other, to a matrix of the weight's shape.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn write(&self, executor: &mut dyn Executor, matrix: Matrix, values: &[f32]) -> Result<()> {
        match self.turned {
            true => executor.write(matrix, 0, &transposed(values, matrix.rows)),
            false => executor.write(matrix, 0, values),
        }
    }

    /// Reads them back.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn read(&self, executor: &mut dyn Executor, matrix: Matrix) -> Result<Vec<f32>> {
        let values = executor.read(matrix, 0, matrix.rows)?;
        Ok(if self.turned { transposed(&values, matrix.cols) } else { values })
    }
}

/// Rows of `cols` values as columns.
fn transposed(values: &[f32], cols: usize) -> Vec<f32> {
    /// Columns a task: a cache line of each row.
    const COLUMNS: usize = 16;
    let rows = values.len() / cols;
    let mut out = vec![0.0; values.len()];
    out.par_chunks_mut(COLUMNS * rows).enumerate().for_each(|(block, out)| {
        for (r, row) in values.chunks_exact(cols).enumerate() {
            let row = &row[block * COLUMNS..];
            out.chunks_exact_mut(rows).zip(row).for_each(|(column, x)| column[r] = *x);
        }
    });
    out
}

/// A network's parameters on a device.
#[derive(Debug, Clone)]
pub struct Network {
    /// From input to output.
    pub layers: Vec<LayerBuffers>,
    /// Type of stored activations and gradients, and what operands of products are rounded to.
    pub element: Element,
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
    /// Uploads layers, their weights out × in.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn new(executor: &mut dyn Executor, layers: &[Layer], element: Element) -> Result<Self> {
        Network::with(executor, layers, element, |_| false)
    }

    /// Uploads layers in the order in which they train fastest.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn trainable(executor: &mut dyn Executor, layers: &[Layer], element: Element) -> Result<Self> {
        Network::with(executor, layers, element, |layer| layer.inputs > layer.outputs)
    }

    fn with(
        executor: &mut dyn Executor,
        layers: &[Layer],
        element: Element,
        turned: impl Fn(&Layer) -> bool,
    ) -> Result<Self> {
        let mut buffers = Vec::with_capacity(layers.len());
        for (i, layer) in layers.iter().enumerate() {
            let (name, turned) = (format!("layers.{i}.weight"), turned(layer));
            let shape = if turned { [layer.inputs, layer.outputs] } else { [layer.outputs, layer.inputs] };
            let weight = executor.matrix(&name, shape[0], shape[1], Element::F32)?;
            let bias = vector(executor, &format!("layers.{i}.bias"), layer.outputs, &layer.bias)?;
            let operand = match element {
                Element::F32 => weight,
                half => executor.matrix(&format!("{name}.rounded"), shape[0], shape[1], half)?,
            };
            let made = LayerBuffers { weight, operand, turned, bias, activation: layer.activation };
            made.write(executor, weight, &layer.weight)?;
            if let Some(rounded) = made.rounded() {
                made.write(executor, rounded, &layer.weight)?;
            }
            buffers.push(made);
        }
        Ok(Network { layers: buffers, element })
    }

    /// Reads the parameters back.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn download(&self, executor: &mut dyn Executor) -> Result<Vec<Layer>> {
        let read = |layer: &LayerBuffers| {
            Ok(Layer {
                inputs: if layer.turned { layer.weight.rows } else { layer.weight.cols },
                outputs: layer.outputs(),
                weight: layer.read(executor, layer.weight)?,
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
            executor.matrix(&format!("{name}.{i}"), batch, layer.outputs(), self.element)
        };
        self.layers[..layers].iter().enumerate().map(make).collect()
    }

    /// What both passes over a batch of `x` read and write: `name` is told in messages of outputs and gradients.
    ///
    /// # Errors
    /// [`crate::Error::Device`].
    pub fn passes(&self, executor: &mut dyn Executor, name: &str, x: Matrix) -> Result<Passes> {
        let hidden = self.layers.len() - 1;
        let outputs = self.batch_matrices(executor, name, x.rows, hidden)?;
        let gradients = self.batch_matrices(executor, &format!("{name} gradients"), x.rows, hidden + 1)?;
        let mut kept = Vec::with_capacity(hidden);
        for (i, (layer, output)) in self.layers.iter().zip(&outputs).enumerate() {
            kept.push(match layer.activation.slope_of() {
                SlopeOf::Output => *output,
                SlopeOf::Input => {
                    executor.matrix(&format!("{name} inputs.{i}"), x.rows, layer.outputs(), self.element)?
                }
            });
        }
        Ok(Passes { inputs: [&[x], &outputs[..]].concat(), kept, gradients })
    }

    /// Records the `outputs.len()` first layers: outputs[l] = f(outputs[l−1]·Wᵀ + b).
    pub fn forward(&self, recording: &mut Recording, x: Matrix, outputs: &[Matrix]) {
        let mut below = x;
        for (layer, out) in self.layers.iter().zip(outputs) {
            self.through(recording, layer, below, (None, *out), None);
            below = *out;
        }
    }

    /// Records all layers but the last as they are trained: what the way back needs is kept, outputs[l] = dropout(f(outputs[l−1]·Wᵀ + b)).
    pub fn forward_kept(&self, recording: &mut Recording, passes: &Passes, dropout: Option<f32>) {
        let hidden = self.layers.iter().zip(passes.inputs.windows(2)).zip(&passes.kept);
        for (i, ((layer, through), kept)) in hidden.enumerate() {
            let [below, out] = [through[0], through[1]];
            self.through(recording, layer, below, ((*kept != out).then_some(*kept), out), mask(dropout, i));
        }
    }

    fn through(
        &self,
        recording: &mut Recording,
        layer: &LayerBuffers,
        below: Matrix,
        (kept, out): (Option<Matrix>, Matrix),
        dropout: Option<Dropout>,
    ) {
        let epilogue = Epilogue::Layer { bias: layer.bias, activation: layer.activation, dropout, kept, out };
        recording.product("forward", layer.through(), below, layer.operand, self.element, epilogue);
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
        recording.product("loss", layer.through(), below, layer.operand, self.element, epilogue);
    }

    /// Records back-propagation and the updates, of which `updates[l]` belong to layer l's (weight, bias). The last of the gradients
    /// is already there.
    pub fn backward(
        &self,
        recording: &mut Recording,
        passes: &Passes,
        updates: &[(Update, Update)],
        dropout: Option<f32>,
    ) {
        self.backward_to(recording, passes, updates, dropout, None);
    }

    /// As [`Network::backward`]; `below` (B × inputs of the first layer) receives the gradient with respect to
    /// the network's input.
    pub fn backward_to(
        &self,
        recording: &mut Recording,
        passes: &Passes,
        updates: &[(Update, Update)],
        dropout: Option<f32>,
        below: Option<Matrix>,
    ) {
        for l in (0..self.layers.len()).rev() {
            // Before the update, since it needs the weights that made the output.
            match l {
                0 => {
                    if let Some(out) = below {
                        self.back(recording, 0, passes, Epilogue::Store { out });
                    }
                }
                _ => self.back_through(recording, l, passes, dropout),
            }
            self.update(recording, l, passes, updates[l]);
        }
    }

    /// Records the gradient with respect to the pre-activation of layer l − 1 (l ≥ 1), from that of layer l, whose weights have to be
    /// those that made the output.
    pub fn back_through(&self, recording: &mut Recording, l: usize, passes: &Passes, dropout: Option<f32>) {
        let epilogue = Epilogue::Derivative {
            kept: passes.kept[l - 1],
            activation: self.layers[l - 1].activation,
            dropout: mask(dropout, l - 1),
            out: passes.gradients[l - 1],
        };
        self.back(recording, l, passes, epilogue);
    }

    fn back(&self, recording: &mut Recording, l: usize, passes: &Passes, epilogue: Epilogue) {
        let layer = &self.layers[l];
        let layout = if layer.turned { Layout::Nt } else { Layout::Nn };
        recording.product("backward", layout, passes.gradients[l], layer.operand, self.element, epilogue);
    }

    /// Records what becomes of the gradients of layer l's (weight, bias).
    pub fn update(
        &self,
        recording: &mut Recording,
        l: usize,
        passes: &Passes,
        (weight, bias): (Update, Update),
    ) {
        let (input, gradient) = (passes.inputs[l], passes.gradients[l]);
        let (rows, cols) = if self.layers[l].turned { (input, gradient) } else { (gradient, input) };
        recording.product("weight gradient", Layout::Tn, rows, cols, self.element, Epilogue::Update(weight));
        recording.push(Call::BiasGradient { gradient, update: bias });
    }
}

/// What the passes of a step read and write, of a network of n layers.
#[derive(Debug, Clone)]
pub struct Passes {
    /// Layer l's input: n matrices, the network's and the outputs of all layers but the last.
    pub inputs: Vec<Matrix>,
    /// What tells the slope of layer l (all but the last): its output, or c + bias.
    kept: Vec<Matrix>,
    /// With respect to layer l's pre-activation: n matrices.
    pub gradients: Vec<Matrix>,
}

impl Passes {
    /// The outputs of all layers but the last.
    pub fn outputs(&self) -> &[Matrix] {
        &self.inputs[1..]
    }

    /// The last layer's input.
    pub fn below_last(&self) -> Matrix {
        self.inputs[self.inputs.len() - 1]
    }

    /// With respect to the last layer's pre-activation.
    pub fn last_gradient(&self) -> Matrix {
        self.gradients[self.gradients.len() - 1]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;

    /// Each layer's output is masked by numbers of its own, and its gradient by the same.
    #[test]
    fn layers_are_masked_by_numbers_of_their_own() {
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let layer = || Layer {
            inputs: 4,
            outputs: 4,
            weight: vec![0.5; 16],
            bias: vec![0.0; 4],
            activation: Activation::Tanh,
        };
        let network = Network::new(&mut executor, &[layer(), layer(), layer()], Element::F32).unwrap();
        let x = executor.matrix("x", 2, 4, Element::F32).unwrap();
        let passes = network.passes(&mut executor, "outputs", x).unwrap();
        let outputs = passes.outputs();
        let updates: Vec<(Update, Update)> = network
            .layers
            .iter()
            .map(|layer| {
                let store = |value: Matrix| Update::Store { value, out: value, l2: 0.0 };
                (store(layer.weight), store(layer.bias))
            })
            .collect();
        let mut recording = Recording::new();
        network.forward_kept(&mut recording, &passes, Some(0.5));
        network.backward(&mut recording, &passes, &updates, Some(0.5));
        let masks: Vec<(Matrix, u32)> = recording
            .calls()
            .iter()
            .filter_map(|call| match call {
                Call::Product(product) => Some(product.epilogue),
                _ => None,
            })
            .filter_map(|epilogue| match epilogue {
                Epilogue::Layer { dropout: Some(dropout), out, .. } => Some((out, dropout.layer)),
                Epilogue::Derivative { dropout: Some(dropout), kept, .. } => Some((kept, dropout.layer)),
                _ => None,
            })
            .collect();
        let [first, second] = [(outputs[0], 0), (outputs[1], 1)];
        assert_eq!(masks, [first, second, second, first]);
    }
}
