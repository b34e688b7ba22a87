//! What a machine can do, and how close each heavy stage comes to it.
//!
//! Two ceilings are measured on the executor itself: the rate of a large matrix product that is only stored, and the rate
//! of a large copy. Each stage then does its real work, through the calls that the commands make, on a made-up matrix; its
//! arithmetic and the bytes that it must move are counted ([`work`]), the longer of both at the ceilings' rates is the floor
//! below which the stage cannot go (of parts that follow each other, the sum of theirs), and the floor is reported as a share of the measured time.

#[cfg(feature = "burn")]
mod burn;
mod calibrate;
mod ceilings;
mod kernel;
mod stages;
pub mod work;

use serde::{Deserialize, Serialize};

#[cfg(feature = "burn")]
pub use burn::Rival;
pub use calibrate::{Calibrated, CalibratedCpu, Trial, calibrate, calibrate_cpu};
pub use ceilings::{Ceilings, ceilings, half};
use work::Work;

use crate::device::Executor;
use crate::error::{Error, Result};
use crate::nn::settings::Precision;
use crate::progress::Reporter;
use crate::store::Store;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BenchSettings {
    /// Widths of the autoencoder's hidden layers.
    pub hidden: Vec<usize>,
    /// Batches to train with.
    pub batches: Vec<usize>,
    /// Of training and of DeepLIFT.
    pub precision: Precision,
    /// Samples that DeepLIFT is done for.
    pub attributed: usize,
    /// Landmarks of the selection and of the predictor.
    pub landmarks: usize,
    /// Samples that the selection looks at, and the permutation test.
    pub selected_from: usize,
    /// How often each stage is timed; the median counts.
    pub rounds: usize,
}

/// The stages, as `--stage` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// A training step of the autoencoder
    Train,
    /// DeepLIFT of all bottleneck neurons back to every gene
    Deeplift,
    /// A training step of the D-GEX predictor
    Predictor,
    /// Kernel ridge regression, exact up to 10,000 samples and on 2,000 centres, part by part
    Kernel,
    /// The greedy selection `diverse`
    Select,
    /// The permutation test
    Permutation,
    /// k-means of the samples, as duplicates are found among
    KMeans,
}

/// One stage, measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// E.g. "training, batch 256".
    pub name: String,
    /// What is counted.
    pub unit: &'static str,
    /// How many a round.
    pub items: usize,
    /// What a round has to do, one part after another.
    pub work: Vec<Work>,
    /// What its matrices take of the device's memory, in bytes.
    pub device_memory: u64,
    /// Of each round, in the order they ran.
    pub seconds: Vec<f64>,
}

impl Measured {
    /// Floating-point operations of a round.
    pub fn flop(&self) -> f64 {
        self.work.iter().map(|part| part.flop).sum()
    }

    /// Bytes that a round moves.
    pub fn bytes(&self) -> f64 {
        self.work.iter().map(|part| part.bytes).sum()
    }

    /// The median of the rounds.
    pub fn median(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let (low, high) = (seconds[(seconds.len() - 1) / 2], seconds[seconds.len() / 2]);
        (low + high) / 2.0
    }

    /// Longest less shortest round, as a share of the median.
    pub fn spread(&self) -> f64 {
        let most = self.seconds.iter().copied().fold(0.0, f64::max);
        let least = self.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        (most - least) / self.median()
    }
}

/// Measures the given stages on the samples of `store`.
///
/// # Errors
/// [`Error::Usage`] for settings that the store is too small for; those of the stages.
pub fn bench(
    executor: &mut dyn Executor,
    store: &Store,
    stages: &[Stage],
    settings: &BenchSettings,
    report: Reporter,
) -> Result<Vec<Measured>> {
    let most = settings.batches.iter().copied().max().unwrap_or(1);
    let needed = most.max(settings.selected_from).max(settings.attributed);
    if settings.rounds == 0 || settings.hidden.is_empty() || settings.batches.contains(&0) {
        return Err(Error::Usage("--rounds, --hidden and --batch must be at least 1".into()));
    }
    if needed > store.n_samples() || 2 * settings.landmarks > store.n_genes() || settings.selected_from < 2 {
        return Err(Error::Usage(format!(
            "{} samples × {} genes are too few for batches of {most}, {} samples to attribute, {} to select from and \
             {} landmarks",
            store.n_samples(),
            store.n_genes(),
            settings.attributed,
            settings.selected_from,
            settings.landmarks
        )));
    }
    let mut all = Vec::new();
    for stage in stages {
        all.extend(match stage {
            Stage::Train => stages::train(executor, store, settings, report)?,
            Stage::Deeplift => stages::deeplift(executor, store, settings, report)?,
            Stage::Predictor => stages::predictor(executor, store, settings, report)?,
            Stage::Kernel => kernel::kernel(executor, store, settings, report)?,
            Stage::Select => stages::select(store, settings, report)?,
            Stage::Permutation => stages::permutation(executor, store, settings, report)?,
            Stage::KMeans => stages::kmeans(executor, store, settings, report)?,
        });
    }
    Ok(all)
}

/// burn, absent from this build.
#[cfg(not(feature = "burn"))]
pub struct Rival(std::convert::Infallible);

#[cfg(not(feature = "burn"))]
impl Rival {
    /// Refused.
    ///
    /// # Errors
    /// [`Error::Usage`] that tells how to build it in.
    pub fn burn(_: &str) -> Result<Rival> {
        let message = "--against burn needs a build with it: cargo build --release --features burn (burn-wgpu for GPUs)";
        Err(Error::Usage(message.into()))
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn train(&self, _: &Store, _: &BenchSettings, _: Reporter) -> Result<Vec<Measured>> {
        match self.0 {}
    }
}
