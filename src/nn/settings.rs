//! What defines a training run, validated.

use serde::{Deserialize, Serialize};

use super::scaling::Scale;
use crate::device::recording::{Activation, Element, Loss};
use crate::error::{Error, Result};

/// The update rule of the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Adam (Kingma & Ba 2015), β 0.9 and 0.999
    Adam,
    /// Stochastic gradient descent with momentum
    Sgd,
}

/// The type of stored activations and of the products' operands; sums, weights and moments are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision
    #[default]
    F32,
    /// bfloat16 inputs and activations, f32 accumulation; on CPUs
    Bf16,
    /// Half precision inputs and activations, f32 accumulation
    F16,
}

impl Precision {
    /// The type.
    pub fn element(self) -> Element {
        match self {
            Precision::F32 => Element::F32,
            Precision::Bf16 => Element::Bf16,
            Precision::F16 => Element::F16,
        }
    }
}

/// Everything that a model's numbers depend on, besides the data. Stored in the model as its `config`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainSettings {
    /// Widths of the hidden layers, e.g. 500, 100, 500.
    pub hidden: Vec<usize>,
    /// Of the hidden layers.
    pub activation: Activation,
    /// Of the last layer.
    pub output_activation: Activation,
    /// The data term.
    pub loss: Loss,
    /// Of the input, fitted on the training samples.
    pub scale: Scale,
    /// The update rule.
    pub optimizer: Optimizer,
    /// μ of `sgd`.
    pub momentum: f64,
    /// Step size.
    pub learning_rate: f64,
    /// Adam's ε, added to √v̂.
    pub epsilon: f64,
    /// Samples in a batch; the last one of an epoch may be smaller.
    pub batch: usize,
    /// Passes over the training samples; 0 keeps the initial model.
    pub epochs: usize,
    /// Share of hidden activations set to zero in training.
    pub dropout: f64,
    /// α of α·Σ‖W‖².
    pub l2: f64,
    /// Whether each epoch draws a new order of the samples.
    pub shuffle: bool,
    /// Of activations and operands.
    pub precision: Precision,
    /// Of every random choice.
    pub seed: u64,
}

/// β₁ and β₂ of Adam.
pub const BETAS: (f32, f32) = (0.9, 0.999);

/// Adam's bias corrections 1 − β₁ᵗ and 1 − β₂ᵗ in optimizer step t, from 1.
pub fn corrections(step: u64) -> (f32, f32) {
    let correction = |beta: f32| (1.0 - f64::from(beta).powf(step as f64)) as f32;
    (correction(BETAS.0), correction(BETAS.1))
}

impl TrainSettings {
    /// The default: z-scored genes and a linear output. `docs/presets.md` has the measurements behind it.
    pub fn standard() -> Self {
        TrainSettings {
            hidden: vec![500, 100, 500],
            activation: Activation::Sigmoid,
            output_activation: Activation::Linear,
            loss: Loss::Mae,
            scale: Scale::Zscore,
            optimizer: Optimizer::Adam,
            momentum: 0.9,
            learning_rate: 1e-3,
            epsilon: 1e-7,
            batch: 32,
            epochs: 100,
            dropout: 0.1,
            l2: 1e-6,
            shuffle: true,
            precision: Precision::F32,
            seed: 0,
        }
    }

    /// Kong et al. 2021: inputs scaled to 0–1, sigmoid throughout.
    pub fn paper() -> Self {
        TrainSettings {
            scale: Scale::Minmax,
            output_activation: Activation::Sigmoid,
            ..TrainSettings::standard()
        }
    }

    /// Checks every value and what they mean together.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option, its value and the range.
    pub fn validate(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::Usage(message));
        if self.hidden.is_empty() || self.hidden.contains(&0) {
            return refuse("--hidden needs at least one width, each at least 1, e.g. 500,100,500".into());
        }
        if self.batch == 0 {
            return refuse("--batch must be at least 1".into());
        }
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(self.learning_rate) {
            return refuse(format!("--learning-rate {} must be a positive number", self.learning_rate));
        }
        if !positive(self.epsilon) {
            return refuse(format!("--epsilon {} must be a positive number", self.epsilon));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse(format!("--dropout {} must be at least 0 and below 1", self.dropout));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return refuse(format!("--momentum {} must be at least 0 and below 1", self.momentum));
        }
        if !(self.l2.is_finite() && self.l2 >= 0.0) {
            return refuse(format!("--l2 {} must be a number, 0 or more", self.l2));
        }
        if self.scale == Scale::Zscore && self.output_activation.range()[0] >= 0.0 {
            return refuse(format!(
                "--scale zscore gives values below 0, which a {} output cannot reach; use --output-activation linear or --scale minmax",
                self.output_activation.word()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_the_documented_ones() {
        let want = TrainSettings {
            hidden: vec![500, 100, 500],
            activation: Activation::Sigmoid,
            output_activation: Activation::Linear,
            loss: Loss::Mae,
            scale: Scale::Zscore,
            optimizer: Optimizer::Adam,
            momentum: 0.9,
            learning_rate: 0.001,
            epsilon: 1e-7,
            batch: 32,
            epochs: 100,
            dropout: 0.1,
            l2: 1e-6,
            shuffle: true,
            precision: Precision::F32,
            seed: 0,
        };
        assert_eq!(TrainSettings::standard(), want);
        let paper = TrainSettings { scale: Scale::Minmax, output_activation: Activation::Sigmoid, ..want };
        assert_eq!(TrainSettings::paper(), paper);
    }

    #[test]
    fn both_presets_are_valid_and_contradictions_are_not() {
        TrainSettings::standard().validate().unwrap();
        TrainSettings::paper().validate().unwrap();
        let bad = [
            TrainSettings { hidden: vec![], ..TrainSettings::paper() },
            TrainSettings { hidden: vec![5, 0], ..TrainSettings::paper() },
            TrainSettings { batch: 0, ..TrainSettings::paper() },
            TrainSettings { dropout: 1.0, ..TrainSettings::paper() },
            TrainSettings { learning_rate: f64::NAN, ..TrainSettings::paper() },
            TrainSettings { epsilon: 0.0, ..TrainSettings::paper() },
            TrainSettings { l2: -1.0, ..TrainSettings::paper() },
            TrainSettings { scale: Scale::Zscore, ..TrainSettings::paper() },
        ];
        for settings in bad {
            assert!(matches!(settings.validate(), Err(Error::Usage(_))), "{settings:?}");
        }
    }
}
