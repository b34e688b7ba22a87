//! One row an epoch: what training looked like.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::evaluate::optional;
use crate::genes::writer::write_rows;

const HEADER: [&str; 8] = [
    "epoch",
    "train_loss",
    "penalty",
    "validation_loss",
    "train_mae",
    "validation_mae",
    "seconds",
    "samples_per_second",
];

/// The figures of one epoch. Losses are in scaled units, MAE in the store's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1.
    pub epoch: u64,
    /// The data term, averaged over samples as they were seen, before each update.
    pub train_loss: f64,
    /// α·Σ‖W‖² at the epoch's end.
    pub penalty: f64,
    /// The data term over the validation samples at the epoch's end.
    pub validation_loss: Option<f64>,
    /// Mean |x̂ − x| as seen in training (with dropout).
    pub train_mae: f64,
    /// Mean |x̂ − x| over the validation samples.
    pub validation_mae: Option<f64>,
    /// Wall time of the epoch, validation included.
    pub seconds: f64,
    /// Training samples a second.
    pub samples_per_second: f64,
}

impl Epoch {
    /// One line for a log.
    pub fn line(&self, epochs: usize) -> String {
        let validation = match (self.validation_loss, self.validation_mae) {
            (Some(loss), Some(mae)) => format!(", validation loss {loss:.5} (MAE {mae:.4})"),
            _ => String::new(),
        };
        format!(
            "epoch {}/{epochs}: loss {:.5} (MAE {:.4}){validation}, {:.0} samples/s",
            self.epoch, self.train_loss, self.train_mae, self.samples_per_second
        )
    }

    /// For a program: the columns of history.tsv, and of how many epochs it is.
    pub fn figures(&self, epochs: usize) -> serde_json::Value {
        let mut figures = serde_json::to_value(self).unwrap_or_default();
        figures["epochs"] = epochs.into();
        if let Some(seconds) = figures.as_object_mut().and_then(|object| object.remove("seconds")) {
            figures["took"] = seconds;
        }
        figures
    }
}

/// Writes history.tsv; a figure that does not exist is `NA`.
///
/// # Errors
/// [`crate::Error::Exists`] without `force`; [`crate::Error::Io`].
pub fn write(path: &Path, epochs: &[Epoch], force: bool) -> Result<()> {
    let rows = epochs.iter().map(|e| {
        [
            e.epoch.to_string(),
            e.train_loss.to_string(),
            e.penalty.to_string(),
            optional(e.validation_loss),
            e.train_mae.to_string(),
            optional(e.validation_mae),
            e.seconds.to_string(),
            e.samples_per_second.to_string(),
        ]
    });
    write_rows(path, force, HEADER, rows)
}
