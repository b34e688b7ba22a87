//! What defines a predictor, validated.

use serde::{Deserialize, Serialize};

use super::parting;
use crate::error::{Error, Result};
use crate::nn::train::hold_out;

/// How targets are inferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// D-GEX: a network of one to three tanh layers (Chen et al. 2016)
    #[default]
    Mlp,
    /// Ridge regression, the penalty chosen by cross-validation
    Linear,
    /// The mean of the nearest landmark genes (D-GEX's KNN)
    Knn,
}

/// Everything that a predictor's numbers depend on, besides the data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FitSettings {
    /// How targets are inferred.
    pub method: Method,
    /// Of every random choice.
    pub seed: u64,
    /// The sample column whose groups stay together where samples are held out to choose a penalty, an epoch or a number of
    /// neighbors; `None` holds out single samples.
    pub group_by: Option<String>,
    /// Of [`Method::Linear`].
    pub linear: LinearSettings,
    /// Of [`Method::Mlp`].
    pub mlp: MlpSettings,
    /// Of [`Method::Knn`].
    pub knn: KnnSettings,
}

/// How the ridge regression is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinearSettings {
    /// The α of ‖Y − XW‖² + α‖W‖² on z-scored values, or `None` for the best of [`penalties`](super::linear::penalties) by
    /// cross-validation.
    pub penalty: Option<f64>,
    /// Folds of the cross-validation.
    pub folds: usize,
}

/// How the D-GEX network is trained (Chen et al. 2016).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MlpSettings {
    /// Widths of the tanh layers.
    pub hidden: Vec<usize>,
    /// Share of hidden activations kept in training (1 − dropout).
    pub include_rate: f64,
    /// Samples in a batch; the last one of an epoch may be smaller.
    pub batch: usize,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Whether each epoch draws a new order of the samples.
    pub shuffle: bool,
    /// Of the first epoch; `None` is D-GEX's, 5e-4 for one hidden layer and 3e-4 for more.
    pub learning_rate: Option<f64>,
    /// μ of SGD.
    pub momentum: f64,
    /// Share of the samples that is held out, to keep the epoch that is best there; 0 keeps the last.
    pub validation: f64,
    /// Ends after this many epochs without a better one.
    pub early_stop: Option<usize>,
    /// Number of independent networks, each for a part of the targets.
    pub target_slices: usize,
}

/// How the nearest landmarks are chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KnnSettings {
    /// Number of landmarks averaged, or `None` for the best of 1 to 50 on held-out training samples.
    pub neighbors: Option<usize>,
    /// Share of the training samples that is held out for that.
    pub validation: f64,
}

impl Default for LinearSettings {
    fn default() -> Self {
        LinearSettings { penalty: None, folds: 5 }
    }
}

impl Default for MlpSettings {
    fn default() -> Self {
        MlpSettings {
            hidden: vec![1000],
            include_rate: 0.9,
            batch: 200,
            epochs: 200,
            shuffle: true,
            learning_rate: None,
            momentum: 0.5,
            validation: 0.1,
            early_stop: None,
            target_slices: 1,
        }
    }
}

impl Default for KnnSettings {
    fn default() -> Self {
        KnnSettings { neighbors: None, validation: 0.1 }
    }
}

impl FitSettings {
    /// Checks what the method uses.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the option, its value and the range.
    pub fn validate(&self) -> Result<()> {
        match self.method {
            Method::Linear => self.linear.validate(),
            Method::Mlp => self.mlp.validate(),
            Method::Knn => self.knn.validate(),
        }
    }
}

impl FitSettings {
    /// Refuses fewer samples than the method can choose by, as far as their number tells.
    ///
    /// # Errors
    /// [`Error::Data`] or [`Error::Usage`] with the numbers.
    pub fn check_samples(&self, samples: usize) -> Result<()> {
        let held = |fraction: f64| match self.group_by {
            Some(_) => Ok(()), // the groups decide
            None => hold_out(samples, fraction, self.seed).map(|_| ()),
        };
        match self.method {
            Method::Linear if self.linear.penalty.is_none() => parting::fill(self.linear.folds, samples),
            Method::Linear => Ok(()),
            Method::Mlp => held(self.mlp.validation),
            Method::Knn if self.knn.neighbors.is_none() => held(self.knn.validation),
            Method::Knn => Ok(()),
        }
    }
}

impl LinearSettings {
    fn validate(&self) -> Result<()> {
        if let Some(penalty) = self.penalty.filter(|x| !(x.is_finite() && *x > 0.0)) {
            return Err(Error::Usage(format!("--penalty {penalty} must be a positive number")));
        }
        if self.folds < 2 {
            return Err(Error::Usage(format!("--folds {} must be at least 2", self.folds)));
        }
        Ok(())
    }
}

impl MlpSettings {
    fn validate(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::Usage(message));
        if self.hidden.is_empty() || self.hidden.contains(&0) {
            return refuse("--hidden needs at least one width, each at least 1, e.g. 3000,3000,3000".into());
        }
        if !(self.include_rate > 0.0 && self.include_rate <= 1.0) {
            return refuse(format!("--include-rate {} must be above 0 and at most 1", self.include_rate));
        }
        let counts =
            [("--batch", self.batch), ("--epochs", self.epochs), ("--target-slices", self.target_slices)];
        if let Some((option, _)) = counts.iter().find(|(_, n)| *n == 0) {
            return refuse(format!("{option} must be at least 1"));
        }
        if let Some(rate) = self.learning_rate.filter(|x| !(x.is_finite() && *x > 0.0)) {
            return refuse(format!("--learning-rate {rate} must be a positive number"));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return refuse(format!("--momentum {} must be at least 0 and below 1", self.momentum));
        }
        if self.early_stop == Some(0) {
            return refuse("--early-stop must be at least 1".into());
        }
        if self.early_stop.is_some() && self.validation == 0.0 {
            return refuse(
                "--early-stop needs held-out samples; give --validation a fraction such as 0.1".into(),
            );
        }
        fraction(self.validation)
    }
}

impl KnnSettings {
    fn validate(&self) -> Result<()> {
        if self.neighbors == Some(0) {
            return Err(Error::Usage("--neighbors must be at least 1".into()));
        }
        if self.neighbors.is_none() && self.validation == 0.0 {
            let message = "the number of neighbors is chosen on held-out samples; give --validation a fraction such as 0.1, or --neighbors";
            return Err(Error::Usage(message.into()));
        }
        fraction(self.validation)
    }
}

fn fraction(validation: f64) -> Result<()> {
    if (0.0..1.0).contains(&validation) {
        return Ok(());
    }
    Err(Error::Usage(format!("--validation {validation} must be at least 0 and below 1")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of D-GEX, and what the documentation says of the others.
    #[test]
    fn defaults_are_the_documented_ones() {
        let found =
            serde_json::json!([LinearSettings::default(), MlpSettings::default(), KnnSettings::default()]);
        let want = serde_json::json!([
            { "penalty": null, "folds": 5 },
            {
                "hidden": [1000], "include-rate": 0.9, "batch": 200, "epochs": 200, "shuffle": true, "learning-rate": null,
                "momentum": 0.5, "validation": 0.1, "early-stop": null, "target-slices": 1,
            },
            { "neighbors": null, "validation": 0.1 },
        ]);
        assert_eq!(found, want);
    }
}
