//! What sets are compared by.

use crate::evaluate::{Figures, UnitFigures};

/// A figure of a set, by gene and by sample or group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Mean squared error over the gene's training variance; less is better. Does not depend on units.
    Nmse,
    /// Mean absolute error; less is better.
    Mae,
    /// Pearson's correlation; more is better.
    Pcc,
}

impl Measure {
    /// All, the leading one first.
    pub const ALL: [Measure; 3] = [Measure::Nmse, Measure::Mae, Measure::Pcc];

    /// As tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Nmse => "nmse",
            Measure::Mae => "mae",
            Measure::Pcc => "pcc",
        }
    }

    /// Of a gene.
    pub fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Measure::Nmse => figures.nmse,
            Measure::Mae => Some(figures.mae),
            Measure::Pcc => figures.pcc,
        }
    }

    /// Of a sample or a group.
    pub fn of_unit(self, figures: &UnitFigures) -> Option<f64> {
        match self {
            Measure::Nmse => figures.nmse,
            Measure::Mae => figures.mae,
            Measure::Pcc => figures.pcc,
        }
    }

    /// Whether a difference says that the first one is better.
    pub fn won(self, difference: f64) -> bool {
        match self {
            Measure::Nmse | Measure::Mae => difference < 0.0,
            Measure::Pcc => difference > 0.0,
        }
    }
}
