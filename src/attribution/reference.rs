//! The input that every sample is compared with; it lives at the network's input, after scaling.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::nn::feed::match_genes;
use crate::nn::model::Model;
use crate::nn::scaling;
use crate::store::Store;

/// See [`Reference::values`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Reference {
    /// 0 for every gene.
    Zeros,
    /// The mean over the attributed samples.
    Mean,
    /// The median over the attributed samples.
    Median,
    /// The mean over the samples of another store (healthy tissue, say).
    Store(PathBuf),
}

impl Reference {
    /// The reference in the model's order of genes, scaled.
    ///
    /// # Errors
    /// Those of opening the reference's store; a gene of the model that it lacks.
    pub fn values(
        &self,
        model: &Model,
        store: &Store,
        samples: &[usize],
        columns: Option<&[usize]>,
    ) -> Result<Vec<f32>> {
        let in_order = |values: Vec<f32>, columns: Option<&[usize]>| match columns {
            Some(columns) => columns.iter().map(|c| values[*c]).collect(),
            None => values,
        };
        let values = match self {
            Reference::Zeros => return Ok(vec![0.0; model.genes.len()]),
            Reference::Mean => in_order(scaling::means(store, samples), columns),
            Reference::Median => in_order(scaling::medians(store, samples), columns),
            Reference::Store(path) => {
                let other = Store::open(path)?;
                let all: Vec<usize> = (0..other.n_samples()).collect();
                in_order(scaling::means(&other, &all), match_genes(&other, &model.genes)?.as_deref())
            }
        };
        let scaling = model.input.offset.iter().zip(&model.input.scale);
        Ok(values.iter().zip(scaling).map(|(x, (offset, scale))| (x - offset) * scale).collect())
    }
}

impl FromStr for Reference {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(text.to_string().into())
    }
}

impl From<String> for Reference {
    fn from(text: String) -> Self {
        match text.as_str() {
            "zeros" => Reference::Zeros,
            "mean" => Reference::Mean,
            "median" => Reference::Median,
            _ => Reference::Store(text.into()),
        }
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        match reference {
            Reference::Zeros => "zeros".into(),
            Reference::Mean => "mean".into(),
            Reference::Median => "median".into(),
            Reference::Store(path) => path.display().to_string(),
        }
    }
}
