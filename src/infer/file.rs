//! A predictor's file: safetensors, as a model's.
//!
//! `networks.{s}.layers.{i}.weight` of shape [out, in] and `.bias` \[out\], `landmarks.offset`, `landmarks.scale`,
//! `targets.offset`, `targets.scale` (a network sees (x − offset)·scale of the landmarks and gives the same of the
//! targets). Metadata: `format`, `version`, `method`, `activations` (by network and layer), `landmarks`, `targets` (their
//! tables), `config`.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Panel, Predictor};
use crate::device::recording::Activation;
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::nn::model::Layer;
use crate::nn::tensors::TensorFile;
use crate::progress::Reporter;

const FORMAT: &str = "genelift.predictor";
const VERSION: &str = "1";

/// A table of genes as JSON.
#[derive(Serialize, Deserialize)]
struct Genes {
    ids: Vec<String>,
    columns: Vec<(String, Vec<String>)>,
}

impl Predictor {
    /// Writes the predictor's file; equal predictors are equal files.
    ///
    /// # Errors
    /// [`Error::Exists`] without `force`; [`Error::Io`].
    pub fn save(&self, path: &Path, force: bool) -> Result<()> {
        self.to_tensors().save(path, force)
    }

    pub(super) fn to_tensors(&self) -> TensorFile {
        let mut file = TensorFile::default();
        for (s, layers) in self.networks.iter().enumerate() {
            for (i, layer) in layers.iter().enumerate() {
                let name = format!("networks.{s}.layers.{i}");
                let shape = [layer.outputs, layer.inputs];
                file.insert(format!("{name}.weight"), &shape, layer.weight.clone());
                file.insert(format!("{name}.bias"), &[layer.outputs], layer.bias.clone());
            }
        }
        let activations: Vec<Vec<Activation>> = self
            .networks
            .iter()
            .map(|layers| layers.iter().map(|layer| layer.activation).collect())
            .collect();
        let mut set = |key: &str, value: serde_json::Value| {
            let text = value.as_str().map_or_else(|| value.to_string(), String::from);
            file.metadata.insert(key.into(), text);
        };
        set("format", FORMAT.into());
        set("version", VERSION.into());
        set("method", serde_json::json!(self.method));
        set("activations", serde_json::json!(activations));
        set("config", self.config.clone());
        for (name, panel) in [("landmarks", &self.landmarks), ("targets", &self.targets)] {
            let genes = Genes { ids: panel.genes.ids.clone(), columns: panel.genes.columns.clone() };
            set(name, serde_json::json!(genes));
        }
        for (name, panel) in [("landmarks", &self.landmarks), ("targets", &self.targets)] {
            let n = panel.genes.len();
            file.insert(format!("{name}.offset"), &[n], panel.offset.clone());
            file.insert(format!("{name}.scale"), &[n], panel.scale.clone());
        }
        file
    }

    /// Reads a predictor's file.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Input`] naming the tensor or the metadata key that is missing or misshapen.
    pub fn load(path: &Path) -> Result<Predictor> {
        Predictor::from_tensors(TensorFile::load(path)?, path)
    }

    /// As [`Predictor::load`]; says where the file has no checksum.
    ///
    /// # Errors
    /// As [`Predictor::load`].
    pub fn open(path: &Path, report: Reporter) -> Result<Predictor> {
        Predictor::from_tensors(TensorFile::open(path, report)?, path)
    }

    pub(super) fn from_tensors(mut file: TensorFile, path: &Path) -> Result<Predictor> {
        let wrong = |message: String| Error::input(path, message);
        let text = |key: &str| {
            let found = file.metadata.get(key).cloned();
            found.ok_or_else(|| {
                wrong(format!("no \"{key}\" in the metadata: expected a predictor written by `genelift fit`"))
            })
        };
        let format = text("format")?;
        if format != FORMAT {
            return Err(wrong(format!("expected a predictor of format \"{FORMAT}\", found \"{format}\"")));
        }
        let version = text("version")?;
        if version != VERSION {
            return Err(wrong(format!(
                "predictor format version {version}, this program reads {VERSION}; update it"
            )));
        }
        fn parse<T: DeserializeOwned>(path: &Path, key: &str, text: &str) -> Result<T> {
            serde_json::from_str(text)
                .map_err(|e| Error::input(path, format!("metadata \"{key}\" ({text:.40}…): {e}")))
        }
        let method = parse(path, "method", &format!("\"{}\"", text("method")?))?;
        let activations: Vec<Vec<Activation>> = parse(path, "activations", &text("activations")?)?;
        let config = parse(path, "config", &text("config")?)?;
        let tables = [text("landmarks")?, text("targets")?];
        let mut panel = |name: &str, table: &str| -> Result<Panel> {
            let Genes { ids, columns } = parse(path, name, table)?;
            if ids.is_empty() || columns.iter().any(|(_, fields)| fields.len() != ids.len()) {
                return Err(wrong(format!("metadata \"{name}\": no genes, or columns of another length")));
            }
            let n = Some(ids.len());
            let offset = file.take(path, &format!("{name}.offset"), &[n])?.values;
            let scale = file.take(path, &format!("{name}.scale"), &[n])?.values;
            Ok(Panel { genes: Table { key: "gene_id".into(), ids, columns }, offset, scale })
        };
        let (landmarks, targets) = (panel("landmarks", &tables[0])?, panel("targets", &tables[1])?);
        let mut networks = Vec::with_capacity(activations.len());
        for (s, activations) in activations.iter().enumerate() {
            let mut layers: Vec<Layer> = Vec::with_capacity(activations.len());
            for (i, activation) in activations.iter().enumerate() {
                let inputs = layers.last().map_or(landmarks.genes.len(), |below| below.outputs);
                layers.push(Layer::take(
                    &mut file,
                    path,
                    &format!("networks.{s}.layers.{i}"),
                    None,
                    inputs,
                    *activation,
                )?);
            }
            networks.push(layers);
        }
        let outputs: usize =
            networks.iter().flat_map(|layers| layers.last()).map(|layer| layer.outputs).sum();
        if outputs != targets.genes.len() || networks.iter().any(Vec::is_empty) {
            return Err(wrong(format!(
                "the networks give {outputs} values for {} targets",
                targets.genes.len()
            )));
        }
        Ok(Predictor { landmarks, targets, networks, method, config })
    }
}
