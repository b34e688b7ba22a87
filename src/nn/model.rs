//! A trained (or freshly initialised) autoencoder on the host, and its file.
//!
//! The file is safetensors: `layers.{i}.weight` of shape [out, in], `layers.{i}.bias` [out], `input.offset`,
//! `input.scale` [genes] (the network sees (x − offset)·scale), `input.median` [genes] (the training samples'
//! median in the store's units: what [`evaluate`](super::apply) compares with), all f32. PyTorch, JAX and NumPy
//! users load it as it is.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tensors::TensorFile;
use crate::device::random::Stream;
use crate::device::recording::Activation;
use crate::error::{Error, Result};
use crate::progress::Reporter;

const FORMAT: &str = "genelift.autoencoder";
const VERSION: &str = "1";

/// One dense layer: y = activation(weight·x + bias).
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Width of the input.
    pub inputs: usize,
    /// Width of the output.
    pub outputs: usize,
    /// [outputs, inputs], row-major.
    pub weight: Vec<f32>,
    /// \[outputs\]
    pub bias: Vec<f32>,
    /// The nonlinearity.
    pub activation: Activation,
}

impl Layer {
    /// Takes `{name}.weight` and `{name}.bias` out of a file; `None` is any number of outputs.
    ///
    /// # Errors
    /// As [`TensorFile::take`]; [`Error::Input`] for a width of 0.
    pub fn take(
        file: &mut TensorFile,
        path: &Path,
        name: &str,
        outputs: Option<usize>,
        inputs: usize,
        activation: Activation,
    ) -> Result<Layer> {
        let weight = file.take(path, &format!("{name}.weight"), &[outputs, Some(inputs)])?;
        let outputs = weight.shape[0];
        if inputs == 0 || outputs == 0 {
            return Err(Error::input(path, format!("{name}: a layer of width 0")));
        }
        let bias = file.take(path, &format!("{name}.bias"), &[Some(outputs)])?.values;
        Ok(Layer { inputs, outputs, weight: weight.values, bias, activation })
    }

    /// Some of its outputs.
    ///
    /// # Panics
    /// If there is no such output.
    pub fn select(&self, outputs: &[usize]) -> Layer {
        let row = |output: &usize| &self.weight[output * self.inputs..(output + 1) * self.inputs];
        Layer {
            inputs: self.inputs,
            outputs: outputs.len(),
            weight: outputs.iter().flat_map(row).copied().collect(),
            bias: outputs.iter().map(|output| self.bias[*output]).collect(),
            activation: self.activation,
        }
    }
}

/// How the network's input is derived from the store's values, by gene.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Subtracted first; the store's units.
    pub offset: Vec<f32>,
    /// Multiplied then; 0 for a gene of zero variance.
    pub scale: Vec<f32>,
    /// The training samples' median; the store's units.
    pub median: Vec<f32>,
}

impl Input {
    /// Factors from scaled units back to the store's: 1/scale, and 0 where scale is 0.
    pub fn unit(&self) -> Vec<f32> {
        self.scale.iter().map(|s| if *s == 0.0 { 0.0 } else { 1.0 / s }).collect()
    }
}

/// An autoencoder over named genes.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// From input to output.
    pub layers: Vec<Layer>,
    /// Scaling of the input.
    pub input: Input,
    /// Gene ids, in the order of the network's inputs and outputs.
    pub genes: Vec<String>,
    /// What defines the numbers: training settings, no times or paths.
    pub config: serde_json::Value,
}

/// The widths and nonlinearities of an autoencoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Number of genes, input and output.
    pub genes: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Of the hidden layers.
    pub activation: Activation,
    /// Of the last layer.
    pub output_activation: Activation,
}

impl Shape {
    /// (inputs, outputs, activation) of each layer.
    pub fn layers(&self) -> Vec<(usize, usize, Activation)> {
        let mut widths = vec![self.genes];
        widths.extend(&self.hidden);
        widths.push(self.genes);
        let last = widths.len() - 2;
        let activation = |i| if i == last { self.output_activation } else { self.activation };
        widths.windows(2).enumerate().map(|(i, w)| (w[0], w[1], activation(i))).collect()
    }
}

impl Layer {
    /// Glorot-uniform weights, zero biases: U(−l, l) with l = √(6/(inputs + outputs)) (Glorot & Bengio 2010).
    pub fn initial(inputs: usize, outputs: usize, activation: Activation, stream: &mut Stream) -> Layer {
        let limit = (6.0 / (inputs + outputs) as f64).sqrt();
        let weight = (0..inputs * outputs).map(|_| ((2.0 * stream.uniform() - 1.0) * limit) as f32);
        Layer { inputs, outputs, weight: weight.collect(), bias: vec![0.0; outputs], activation }
    }
}

impl Model {
    /// Layers as [`Layer::initial`] draws them from `seed`.
    pub fn initial(
        shape: &Shape,
        genes: Vec<String>,
        input: Input,
        seed: u64,
        config: serde_json::Value,
    ) -> Model {
        let draw = |(i, (inputs, outputs, activation)): (usize, (usize, usize, Activation))| {
            Layer::initial(inputs, outputs, activation, &mut Stream::new(seed, "initial weights", i as u64))
        };
        Model { layers: shape.layers().into_iter().enumerate().map(draw).collect(), input, genes, config }
    }

    /// Number of layers up to and including the bottleneck, the narrowest hidden layer (the first of equals).
    pub fn encoder_layers(&self) -> usize {
        let hidden = &self.layers[..self.layers.len() - 1];
        let narrowest = hidden.iter().map(|layer| layer.outputs).min().unwrap_or(0);
        1 + hidden.iter().position(|layer| layer.outputs == narrowest).unwrap_or(0)
    }

    /// Widths of the hidden layers.
    pub fn hidden(&self) -> Vec<usize> {
        self.layers[..self.layers.len() - 1].iter().map(|layer| layer.outputs).collect()
    }

    /// Writes the model's file; equal models are equal files.
    ///
    /// # Errors
    /// [`Error::Exists`] without `force`; [`Error::Io`].
    pub fn save(&self, path: &Path, force: bool) -> Result<()> {
        self.to_tensors().save(path, force)
    }

    /// The contents of the model's file.
    pub fn to_tensors(&self) -> TensorFile {
        let mut file = TensorFile::default();
        for (i, layer) in self.layers.iter().enumerate() {
            file.insert(format!("layers.{i}.weight"), &[layer.outputs, layer.inputs], layer.weight.clone());
            file.insert(format!("layers.{i}.bias"), &[layer.outputs], layer.bias.clone());
        }
        let genes = self.genes.len();
        file.insert("input.offset", &[genes], self.input.offset.clone());
        file.insert("input.scale", &[genes], self.input.scale.clone());
        file.insert("input.median", &[genes], self.input.median.clone());
        let activations: Vec<_> = self.layers.iter().map(|layer| layer.activation).collect();
        let mut set = |key: &str, value: String| file.metadata.insert(key.into(), value);
        set("format", FORMAT.into());
        set("version", VERSION.into());
        set("activations", serde_json::json!(activations).to_string());
        set("genes", serde_json::json!(self.genes).to_string());
        set("config", self.config.to_string());
        file
    }

    /// Reads a model's file.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Input`] naming the tensor or the metadata key that is missing or misshapen.
    pub fn load(path: &Path) -> Result<Model> {
        Model::from_tensors(TensorFile::load(path)?, path)
    }

    /// As [`Model::load`]; says where the file has no checksum.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn open(path: &Path, report: Reporter) -> Result<Model> {
        Model::from_tensors(TensorFile::open(path, report)?, path)
    }

    /// The model in `file`; tensors of other names are left alone (a checkpoint has more).
    ///
    /// # Errors
    /// As [`Model::load`]; `path` is for the messages.
    pub fn from_tensors(mut file: TensorFile, path: &Path) -> Result<Model> {
        let wrong = |message: String| Error::input(path, message);
        let text = |key: &str| {
            file.metadata.get(key).cloned().ok_or_else(|| {
                wrong(format!("no \"{key}\" in the metadata: expected a model written by `genelift train`"))
            })
        };
        let format = text("format")?;
        if format != FORMAT {
            return Err(wrong(format!("expected a model of format \"{FORMAT}\", found \"{format}\"")));
        }
        let version = text("version")?;
        if version != VERSION {
            return Err(wrong(format!(
                "model format version {version}, this program reads {VERSION}; update it"
            )));
        }
        let json = |key: &str, text: &str, error| wrong(format!("metadata \"{key}\" ({text:.40}…): {error}"));
        let list = text("activations")?;
        let activations: Vec<Activation> =
            serde_json::from_str(&list).map_err(|e| json("activations", &list, e))?;
        let list = text("genes")?;
        let genes: Vec<String> = serde_json::from_str(&list).map_err(|e| json("genes", &list, e))?;
        let list = text("config")?;
        let config = serde_json::from_str(&list).map_err(|e| json("config", &list, e))?;
        if activations.len() < 2 {
            let found = activations.len();
            return Err(wrong(format!("expected at least 2 layers (one hidden), found {found} activations")));
        }

        let mut layers = Vec::with_capacity(activations.len());
        let mut inputs = genes.len();
        for (i, activation) in activations.iter().enumerate() {
            let outputs = (i + 1 == activations.len()).then_some(genes.len());
            let layer = Layer::take(&mut file, path, &format!("layers.{i}"), outputs, inputs, *activation)?;
            inputs = layer.outputs;
            layers.push(layer);
        }
        let shape = [Some(genes.len())];
        let input = Input {
            offset: file.take(path, "input.offset", &shape)?.values,
            scale: file.take(path, "input.scale", &shape)?.values,
            median: file.take(path, "input.median", &shape)?.values,
        };
        Ok(Model { layers, input, genes, config })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Model {
        let shape = Shape {
            genes: 5,
            hidden: vec![4, 2, 2, 4],
            activation: Activation::Tanh,
            output_activation: Activation::Linear,
        };
        let input = Input { offset: vec![1.0; 5], scale: vec![0.5; 5], median: vec![2.0; 5] };
        let genes = (0..5).map(|i| format!("G{i}")).collect();
        Model::initial(&shape, genes, input, 3, serde_json::json!({"seed": 3}))
    }

    #[test]
    fn file_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        let model = tiny();
        model.save(&path, false).unwrap();
        assert_eq!(Model::load(&path).unwrap(), model);
        assert_eq!(model.encoder_layers(), 2);
        assert_eq!(model.hidden(), [4, 2, 2, 4]);
    }

    #[test]
    fn layers_of_one_shape_begin_differently() {
        let shape = Shape {
            genes: 4,
            hidden: vec![4, 4],
            activation: Activation::Tanh,
            output_activation: Activation::Linear,
        };
        let input = Input { offset: vec![0.0; 4], scale: vec![1.0; 4], median: vec![0.0; 4] };
        let genes: Vec<String> = ["a", "b", "c", "d"].map(String::from).into();
        let layers = |seed| {
            let null = serde_json::Value::Null;
            Model::initial(&shape, genes.clone(), input.clone(), seed, null).layers
        };
        let weights: Vec<Vec<f32>> = layers(1).into_iter().map(|layer| layer.weight).collect();
        assert!(weights[0] != weights[1] && weights[1] != weights[2] && weights[0] != weights[2]);
        assert_ne!(layers(2)[0].weight, weights[0]);
    }

    #[test]
    fn initial_weights_fill_glorot_limits() {
        let model = tiny();
        for layer in &model.layers {
            let limit = (6.0 / (layer.inputs + layer.outputs) as f32).sqrt();
            assert!(layer.weight.iter().all(|w| w.abs() <= limit));
            assert!(layer.weight.iter().any(|w| w.abs() > 0.5 * limit));
            assert!(layer.bias.iter().all(|b| *b == 0.0));
        }
    }

    #[test]
    fn wrong_files_are_named() {
        let path = Path::new("m");
        let message = |file: TensorFile| Model::from_tensors(file, path).unwrap_err().to_string();
        let mut file = tiny().to_tensors();
        file.tensors.remove("layers.1.bias");
        assert!(message(file).contains("layers.1.bias is missing"));
        let mut file = tiny().to_tensors();
        file.insert("layers.1.weight", &[2, 3], vec![0.0; 6]);
        assert!(message(file).contains("expected shape [any, 4], found [2, 3]"));
        let mut file = tiny().to_tensors();
        file.tensors.get_mut("input.scale").unwrap().values[2] = f32::NAN;
        assert!(message(file).contains("input.scale: element 2"));
        let mut file = tiny().to_tensors();
        file.metadata.remove("format");
        assert!(message(file).contains("genelift train"));
    }
}
