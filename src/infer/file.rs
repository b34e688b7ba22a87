//! A predictor's file: safetensors, as a model's.
//!
//! `networks.{s}.layers.{i}.weight` of shape [out, in] and `.bias` \[out\], `landmarks.offset`, `landmarks.scale`,
//! `targets.offset`, `targets.scale` (a network sees (x − offset)·scale of the landmarks and gives the same of the
//! targets); with kernels below the networks `kernels.centres` of shape [centres, landmarks], z-scored. Metadata: `format`, `version`, `method`, `activations` (by network and layer), `landmarks`, `targets` (their
//! tables), `config`, and of `linear` the Gram matrix of the landmarks, `landmarks.gram` + `landmarks.gram-rest`; where samples were
//! held out `held-out.r2` \[targets\], `held-out.half-width` and `.coverage` \[levels, targets\], metadata `held-out`; `kernels` (γ and mixture) where there are any.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::kernel::{Form, Kernels};
use super::refit::Gram;
use super::{HeldOut, How, Panel, Predictor};
use crate::device::recording::Activation;
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::nn::model::Layer;
use crate::nn::tensors::TensorFile;
use crate::progress::Reporter;

const FORMAT: &str = "genelift.predictor";
const VERSION: &str = "1";

/// A coverage that cannot be told.
const UNKNOWN: f32 = -1.0;
/// Two tensors that add up to the Gram matrix of the landmarks.
const GRAM: [&str; 2] = ["landmarks.gram", "landmarks.gram-rest"];

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
        if let Some(kernels) = &self.kernels {
            let shape = [kernels.len(), kernels.inputs];
            file.insert("kernels.centres", &shape, kernels.centres.clone());
            let form = Form { gamma: kernels.gamma, mixture: kernels.mixture };
            file.metadata.insert("kernels".into(), serde_json::json!(form).to_string());
        }
        if let Some(gram) = &self.gram {
            let n = self.landmarks.genes.len();
            for (name, part) in GRAM.into_iter().zip(gram.to_parts()) {
                file.insert(name, &[n, n], part);
            }
        }
        if let Some(HeldOut { how, r2, half_width, coverage }) = &self.held_out {
            let (levels, targets) = (how.levels.len(), r2.len());
            file.insert("held-out.r2", &[targets], r2.clone());
            file.insert("held-out.half-width", &[levels, targets], half_width.clone());
            // a file holds numbers alone
            let coverage =
                coverage.iter().map(|share| if share.is_nan() { UNKNOWN } else { *share }).collect();
            file.insert("held-out.coverage", &[levels, targets], coverage);
            file.metadata.insert("held-out".into(), serde_json::json!(how).to_string());
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
        let config: serde_json::Value = parse(path, "config", &text("config")?)?;
        if !config.is_object() {
            return Err(wrong("metadata \"config\": expected an object".into()));
        }
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
        let kernels = match file.metadata.get("kernels").cloned() {
            None => None,
            Some(text) => {
                let Form { gamma, mixture } = parse(path, "kernels", &text)?;
                let inputs = landmarks.genes.len();
                let centres = file.take(path, "kernels.centres", &[None, Some(inputs)])?.values;
                if centres.is_empty() || !gamma.is_finite() || !(0.0..=1.0).contains(&mixture) {
                    return Err(wrong(format!("metadata \"kernels\": no centres, or {text} out of range")));
                }
                Some(Kernels { inputs, centres, gamma, mixture })
            }
        };
        let n = landmarks.genes.len();
        let gram = match file.tensors.contains_key(GRAM[0]) {
            true => {
                let mut part = |name| file.take(path, name, &[Some(n), Some(n)]).map(|part| part.values);
                Some(Gram::from_parts([part(GRAM[0])?, part(GRAM[1])?]))
            }
            false => None,
        };
        let held_out = match file.metadata.get("held-out").cloned() {
            Some(text) => {
                let how: How = parse(path, "held-out", &text)?;
                let shape = [Some(how.levels.len()), Some(targets.genes.len())];
                let r2 = file.take(path, "held-out.r2", &shape[1..])?.values;
                let half_width = file.take(path, "held-out.half-width", &shape)?.values;
                let mut coverage = file.take(path, "held-out.coverage", &shape)?.values;
                coverage.iter_mut().filter(|share| **share == UNKNOWN).for_each(|share| *share = f32::NAN);
                Some(HeldOut { how, r2, half_width, coverage })
            }
            None => None,
        };
        let first = kernels.as_ref().map_or(landmarks.genes.len(), Kernels::len);
        let mut networks = Vec::with_capacity(activations.len());
        for (s, activations) in activations.iter().enumerate() {
            let mut layers: Vec<Layer> = Vec::with_capacity(activations.len());
            for (i, activation) in activations.iter().enumerate() {
                let inputs = layers.last().map_or(first, |below| below.outputs);
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
        let solved = usize::from(gram.is_some()) + usize::from(kernels.is_some());
        if solved > 1 || (solved == 1 && !matches!(&networks[..], [layers] if layers.len() == 1)) {
            return Err(wrong(
                "a Gram matrix and kernels each go with one network of one layer, and not with one another"
                    .into(),
            ));
        }
        Ok(Predictor { landmarks, targets, networks, kernels, gram, held_out, method, config })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::infer::{FitSettings, LinearSettings, Method};
    use crate::progress::silent;
    use crate::testing::random_store;

    #[test]
    fn a_file_that_could_not_be_refitted_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = random_store(&dir.path().join("x.gex"), 20, 5);
        let linear = LinearSettings { penalty: Some(1.0), ..LinearSettings::default() };
        let settings = FitSettings { method: Method::Linear, linear, ..FitSettings::default() };
        let samples: Vec<usize> = (0..20).collect();
        let mut cpu = CpuExecutor::open(Some(1)).unwrap();
        let fitted = Predictor::fit(&mut cpu, &store, &samples, &[0, 1], &[2, 3, 4], &settings, &silent);
        let fitted = fitted.unwrap();
        let read = |predictor: &Predictor| {
            let found = Predictor::from_tensors(predictor.to_tensors(), Path::new("p.safetensors"));
            found.map_err(|error| error.to_string())
        };
        assert_eq!(read(&fitted), Ok(fitted.clone()));

        let layer = fitted.networks[0][0].clone();
        let kernels = Kernels { inputs: 2, centres: vec![0.0, 1.0, 2.0, 3.0], gamma: 1.0, mixture: 0.5 };
        let of = |networks: Vec<Vec<Layer>>| Predictor { networks, ..fitted.clone() };
        for wrong in [
            of(vec![vec![layer.select(&[0])], vec![layer.select(&[1, 2])]]),
            of(vec![vec![layer.select(&[0, 1]), layer.clone()]]),
            Predictor { kernels: Some(kernels), ..fitted.clone() },
        ] {
            let refused = read(&wrong).expect_err("no layer of the landmarks alone");
            assert!(refused.contains("one network of one layer"), "{refused}");
        }
        for config in [serde_json::json!(null), serde_json::json!([1]), serde_json::json!("x")] {
            let refused = read(&Predictor { config, ..fitted.clone() }).expect_err("no object");
            assert!(refused.contains("\"config\""), "{refused}");
        }
    }
}
