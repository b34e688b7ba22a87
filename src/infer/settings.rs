//! What defines a predictor, validated.

use serde::{Deserialize, Serialize};

use super::kernel::EXACT;
use super::offsets::RATIO;
use super::parting::{self, Parting};
use crate::error::{Error, Result};
use crate::nn::settings::Precision;
use crate::nn::train::hold_out;

/// How targets are inferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// D-GEX: a network of one to three tanh layers (Chen et al. 2016)
    Mlp,
    /// Ridge regression, the penalty chosen by cross-validation
    Linear,
    /// Kernel ridge regression, linear and Gaussian; width, mixture and penalty by cross-validation
    #[default]
    Kernel,
    /// The mean of the nearest landmark genes (D-GEX's KNN)
    Knn,
    /// Whichever of the others is best in samples held out
    Best,
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
    /// linear, kernel: the variance of what the samples of a group share beside their landmarks, over that of a sample's own noise; so much is noise of the
    /// group. `None` is none, or what [`Toward`](super::Toward)'s landmarks tell. Kernels on drawn centres have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_variance: Option<f64>,
    /// Of [`Method::Linear`].
    pub linear: LinearSettings,
    /// Of [`Method::Kernel`].
    pub kernel: KernelSettings,
    /// Of [`Method::Mlp`].
    pub mlp: MlpSettings,
    /// Of [`Method::Knn`].
    pub knn: KnnSettings,
    /// Of [`Method::Best`].
    pub best: BestSettings,
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

/// How the kernel ridge regression is fitted: see [`kernel`](super::kernel).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KernelSettings {
    /// γ·median of exp(−γ‖x − x'‖²), the median that of ‖x − x'‖² between samples; `None` by cross-validation.
    pub gamma: Option<f64>,
    /// The Gaussian's share in 0 to 1, the linear kernel having the rest; `None` by cross-validation.
    pub mixture: Option<f64>,
    /// λ of (K + λI)⁻¹Y; `None` by cross-validation.
    pub penalty: Option<f64>,
    /// Folds of the cross-validation.
    pub folds: usize,
    /// Samples that kernels are centred on; `None` for all up to [`EXACT`](super::kernel::EXACT), else
    /// [`CENTRES`](super::kernel::CENTRES).
    pub centres: Option<usize>,
}

impl KernelSettings {
    /// Whether nothing is left to cross-validation.
    fn is_fixed(&self) -> bool {
        self.gamma.is_some() && self.mixture.is_some() && self.penalty.is_some()
    }
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
    /// Of activations and operands; targets are f32.
    #[serde(default)]
    pub precision: Precision,
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

/// How a method is chosen: see [`Method::Best`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BestSettings {
    /// The methods that are tried.
    pub candidates: Vec<Method>,
    /// Folds that they are tried in, and within those.
    pub folds: usize,
}

impl Default for BestSettings {
    fn default() -> Self {
        BestSettings { candidates: vec![Method::Linear, Method::Kernel, Method::Knn], folds: 5 }
    }
}

impl BestSettings {
    fn validate(&self) -> Result<()> {
        if self.candidates.is_empty() || self.candidates.contains(&Method::Best) {
            return Err(Error::Usage("--candidates must name methods, such as linear,kernel,mlp".into()));
        }
        folds(self.folds)
    }
}

impl Default for LinearSettings {
    fn default() -> Self {
        LinearSettings { penalty: None, folds: 5 }
    }
}

impl Default for KernelSettings {
    fn default() -> Self {
        KernelSettings { gamma: None, mixture: None, penalty: None, folds: 5, centres: None }
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
            precision: Precision::F32,
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
        if let Some(ratio) = self.group_variance.filter(|x| !(x.is_finite() && *x >= 0.0)) {
            return Err(Error::Usage(format!("a variance of groups of {ratio} must be 0 or more")));
        }
        match self.method {
            Method::Linear => self.linear.validate(),
            Method::Kernel => self.kernel.validate(),
            Method::Mlp => self.mlp.validate(),
            Method::Knn => self.knn.validate(),
            Method::Best => {
                self.best.validate()?;
                self.linear.validate()?;
                self.kernel.validate()?;
                self.mlp.validate()?;
                self.knn.validate()
            }
        }
    }
}

impl FitSettings {
    /// Of what is computed on a device: that of a network, where one is fitted or tried.
    pub fn precision(&self) -> Precision {
        let tried = self.method == Method::Best && self.best.candidates.contains(&Method::Mlp);
        if self.method == Method::Mlp || tried { self.mlp.precision } else { Precision::F32 }
    }

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
            Method::Mlp => held(self.mlp.validation),
            Method::Knn if self.knn.neighbors.is_none() => held(self.knn.validation),
            Method::Kernel => self.fill(parting::KERNEL, samples),
            Method::Best => self.fill(parting::METHOD, samples),
            Method::Linear | Method::Knn => self.fill(parting::PENALTY, samples),
        }
    }

    /// Refuses fewer samples than folds need, where there are folds.
    fn fill(&self, purpose: parting::Purpose, samples: usize) -> Result<()> {
        self.folds().map_or(Ok(()), |folds| parting::fill(folds, samples, purpose))
    }

    /// Folds of the method's own choices, where it has any to make by them.
    pub(super) fn folds(&self) -> Option<usize> {
        match self.method {
            Method::Linear if self.linear.penalty.is_none() => Some(self.linear.folds),
            Method::Kernel if !self.kernel.is_fixed() => Some(self.kernel.folds),
            Method::Best => Some(self.best.folds),
            _ => None,
        }
    }

    /// Folds that a penalty is chosen by, where one is.
    pub(super) fn folds_of_penalty(&self) -> Option<usize> {
        match self.method {
            Method::Linear => self.linear.penalty.is_none().then_some(self.linear.folds),
            Method::Kernel => self.kernel.penalty.is_none().then_some(self.kernel.folds),
            _ => None,
        }
    }

    /// Whether what the samples of a group share can be taken as noise: by ridge, and by kernels where all samples are centres.
    pub(super) fn has_offsets(&self, samples: usize) -> bool {
        match self.method {
            Method::Linear => true,
            Method::Kernel => self.kernel.centres.unwrap_or(EXACT) >= samples,
            _ => false,
        }
    }

    /// With as many folds for a method's own choices as there are groups or samples for.
    pub(crate) fn within(&self, parting: &Parting) -> FitSettings {
        let mut settings = self.clone();
        let folds = [&mut settings.linear.folds, &mut settings.kernel.folds, &mut settings.best.folds];
        folds.into_iter().for_each(|folds| *folds = parting.most(*folds));
        settings
    }

    /// With what the data decided once no longer left to them, as it is said in a predictor's configuration.
    pub(super) fn fixed(&self, method: Method, chosen: &serde_json::Value) -> FitSettings {
        let mut fixed = FitSettings { method, ..self.clone() };
        let number = |key: &str| chosen[key].as_f64();
        fixed.group_variance = Some(number(RATIO).unwrap_or(0.0));
        match method {
            Method::Linear => fixed.linear.penalty = number("penalty"),
            Method::Kernel => {
                let kernel = &mut fixed.kernel;
                (kernel.gamma, kernel.mixture) = (number("gamma"), number("mixture"));
                kernel.penalty = number("penalty");
            }
            Method::Knn => fixed.knn.neighbors = number("neighbors").map(|k| k as usize),
            Method::Mlp | Method::Best => {}
        }
        fixed
    }
}

impl LinearSettings {
    fn validate(&self) -> Result<()> {
        positive("--penalty", self.penalty)?;
        folds(self.folds)
    }
}

impl KernelSettings {
    fn validate(&self) -> Result<()> {
        positive("--gamma", self.gamma)?;
        positive("--penalty", self.penalty)?;
        if let Some(mixture) = self.mixture.filter(|x| !(0.0..=1.0).contains(x)) {
            return Err(Error::Usage(format!("--mixture {mixture} must be in 0 to 1")));
        }
        if self.centres == Some(0) {
            return Err(Error::Usage("--centres must be at least 1".into()));
        }
        folds(self.folds)
    }
}

fn positive(option: &str, value: Option<f64>) -> Result<()> {
    match value.filter(|x| !(x.is_finite() && *x > 0.0)) {
        Some(value) => Err(Error::Usage(format!("{option} {value} must be a positive number"))),
        None => Ok(()),
    }
}

fn folds(folds: usize) -> Result<()> {
    match folds {
        0 | 1 => Err(Error::Usage(format!("--folds {folds} must be at least 2"))),
        _ => Ok(()),
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
        let found = serde_json::json!([
            LinearSettings::default(),
            KernelSettings::default(),
            MlpSettings::default(),
            KnnSettings::default()
        ]);
        let want = serde_json::json!([
            { "penalty": null, "folds": 5 },
            { "gamma": null, "mixture": null, "penalty": null, "folds": 5, "centres": null },
            {
                "hidden": [1000], "include-rate": 0.9, "batch": 200, "epochs": 200, "shuffle": true, "learning-rate": null,
                "momentum": 0.5, "validation": 0.1, "early-stop": null, "target-slices": 1, "precision": "f32",
            },
            { "neighbors": null, "validation": 0.1 },
        ]);
        assert_eq!(found, want);
    }

    /// Every value at the edges of its range, and one past them.
    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        type Change = fn(&mut FitSettings);
        let mlp: [(&str, Change); 12] = [
            ("--hidden", |s| s.mlp.hidden = vec![]),
            ("--hidden", |s| s.mlp.hidden = vec![3, 0]),
            ("--include-rate", |s| s.mlp.include_rate = 0.0),
            ("--include-rate", |s| s.mlp.include_rate = 1.01),
            ("--batch", |s| s.mlp.batch = 0),
            ("--epochs", |s| s.mlp.epochs = 0),
            ("--target-slices", |s| s.mlp.target_slices = 0),
            ("--learning-rate", |s| s.mlp.learning_rate = Some(0.0)),
            ("--learning-rate", |s| s.mlp.learning_rate = Some(f64::INFINITY)),
            ("--momentum", |s| s.mlp.momentum = 1.0),
            ("--early-stop", |s| s.mlp.early_stop = Some(0)),
            ("--early-stop", |s| (s.mlp.early_stop, s.mlp.validation) = (Some(1), 0.0)),
        ];
        let others: [(Method, &str, Change); 14] = [
            (Method::Kernel, "--gamma", |s| s.kernel.gamma = Some(0.0)),
            (Method::Kernel, "--penalty", |s| s.kernel.penalty = Some(-1.0)),
            (Method::Kernel, "--mixture", |s| s.kernel.mixture = Some(1.01)),
            (Method::Kernel, "--mixture", |s| s.kernel.mixture = Some(f64::NAN)),
            (Method::Kernel, "--centres", |s| s.kernel.centres = Some(0)),
            (Method::Kernel, "--folds", |s| s.kernel.folds = 1),
            (Method::Linear, "--penalty", |s| s.linear.penalty = Some(0.0)),
            (Method::Linear, "--penalty", |s| s.linear.penalty = Some(f64::NAN)),
            (Method::Linear, "--folds", |s| s.linear.folds = 1),
            (Method::Knn, "--neighbors", |s| s.knn.neighbors = Some(0)),
            (Method::Knn, "number of neighbors", |s| s.knn.validation = 0.0),
            (Method::Knn, "--validation", |s| s.knn.validation = 1.0),
            (Method::Mlp, "--validation", |s| s.mlp.validation = -0.1),
            (Method::Mlp, "--validation", |s| s.mlp.validation = 1.0),
        ];
        let mlp = mlp.map(|(word, change)| (Method::Mlp, word, change));
        for (method, word, change) in mlp.into_iter().chain(others) {
            let mut settings = FitSettings { method, ..FitSettings::default() };
            settings.validate().expect("the defaults are valid");
            change(&mut settings);
            let message = settings.validate().expect_err(word).to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn what_lies_at_the_edges_is_taken() {
        let edges: [fn(&mut FitSettings); 9] = [
            |s| s.mlp.include_rate = 1.0,
            |s| s.mlp.include_rate = 1e-9,
            |s| (s.mlp.batch, s.mlp.epochs, s.mlp.target_slices) = (1, 1, 1),
            |s| s.mlp.hidden = vec![1],
            |s| (s.mlp.momentum, s.mlp.validation) = (0.0, 0.0),
            |s| s.mlp.early_stop = Some(1),
            |s| s.linear.folds = 2,
            |s| s.knn.neighbors = Some(1),
            |s| (s.knn.neighbors, s.knn.validation) = (Some(2), 0.0),
        ];
        for (i, change) in edges.into_iter().enumerate() {
            for method in [Method::Linear, Method::Mlp, Method::Knn] {
                let mut settings = FitSettings { method, ..FitSettings::default() };
                change(&mut settings);
                settings.validate().unwrap_or_else(|e| panic!("{i}: {e}"));
            }
        }
    }
}
