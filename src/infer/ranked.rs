//! A fit of several ranks. Each has a part of the targets; what is chosen for all targets is chosen by sums over all ranks, and at the end every
//! rank has the whole predictor.

use super::{FitSettings, HeldOut, Method, Panel, Predictor, Problem, check_targets};
use crate::error::{Error, Result};
use crate::nn::model::Layer;
use crate::nn::ranked::SAME_FILES;
use crate::nouns::counted;
use crate::ranks::Ranks;

/// Where targets are cut for `n` networks.
pub(super) fn bound(targets: usize, network: usize, n: usize) -> usize {
    targets * network / n
}

impl<'a> Problem<'a> {
    /// The targets that this rank fits: of networks, those of its networks.
    pub(super) fn own(&self, settings: &FitSettings) -> &'a [usize] {
        let n = self.targets.len();
        let part = match settings.method {
            Method::Mlp => {
                let slices = settings.mlp.target_slices;
                let own = self.ranks.share(slices);
                bound(n, own.start, slices)..bound(n, own.end, slices)
            }
            _ => self.ranks.share(n),
        };
        &self.targets[part]
    }

    /// Sums over the targets of all ranks.
    ///
    /// # Errors
    /// [`Error::Ranks`] where another rank is gone.
    pub(super) fn summed(&self, values: Vec<f64>) -> Result<Vec<f64>> {
        if self.ranks.are_several() { self.ranks.sum_f64(values) } else { Ok(values) }
    }

    /// What a rank found, where no rank was refused; else the first refusal, on all ranks.
    ///
    /// # Errors
    /// [`Error::Data`] where that is any rank's; the rank's own error, of another kind; [`Error::Ranks`].
    pub(super) fn alike<T>(&self, found: Result<T>) -> Result<T> {
        let own = match &found {
            Ok(_) => String::new(),
            Err(Error::Data(message)) => message.clone(),
            Err(_) => return found,
        };
        match self.ranks.gather(own.into_bytes())?.into_iter().find(|message| !message.is_empty()) {
            Some(message) => Err(Error::Data(String::from_utf8_lossy(&message).into_owned())),
            None => found,
        }
    }

    /// Refuses what cannot be shared, and ranks that would not fit the same.
    ///
    /// # Errors
    /// [`Error::Usage`] for methods and sizes; [`Error::Ranks`].
    pub(super) fn check_shared(&self, settings: &FitSettings) -> Result<()> {
        let (ranks, n) = (self.ranks, self.targets.len());
        if !ranks.are_several() {
            return Ok(());
        }
        let size = ranks.size();
        let message = match settings.method {
            Method::Best => "--method best: ranks do not share a choice among methods; name one".into(),
            Method::Mlp if settings.mlp.target_slices < size => format!(
                "--method mlp: {size} ranks share networks, each of a part of the targets; give --target-slices {size} or more"
            ),
            _ if n < size => format!("{size} ranks cannot share {}; start fewer", counted(n, "target")),
            _ => {
                let config = self.config(settings);
                let facts = config.as_object().into_iter().flatten();
                let facts = facts.map(|(key, value)| (key.clone(), value.to_string()));
                return ranks.agree(&facts.collect::<Vec<_>>(), SAME_FILES);
            }
        };
        Err(Error::Usage(message))
    }
}

/// What a rank has of a layer.
type Shape = (usize, usize, crate::device::recording::Activation);

impl Predictor {
    /// The predictor of all targets, from each rank's of its own; the same on every rank.
    ///
    /// # Errors
    /// [`Error::Ranks`] where another rank is gone; [`Error::Data`] where no target varies.
    pub fn among(mut self, problem: &Problem) -> Result<Predictor> {
        let Problem { store, ranks, .. } = *problem;
        if !ranks.are_several() {
            return Ok(self);
        }
        self.targets = Panel {
            genes: store.genes().select(problem.targets),
            offset: ranks.gather_values(&self.targets.offset)?,
            scale: ranks.gather_values(&self.targets.scale)?,
        };
        check_targets(store, &self.targets)?;
        self.held_out = self.held_out.map(|own| own.among(ranks)).transpose()?;
        let networks = self.networks_among(ranks)?;
        self.networks = match self.method {
            Method::Mlp => networks,
            _ => vec![vec![one_layer(networks)]],
        };
        if self.method == Method::Mlp {
            self.chosen_among(ranks)?;
        }
        Ok(self)
    }

    /// All ranks' networks.
    fn networks_among(&self, ranks: &Ranks) -> Result<Vec<Vec<Layer>>> {
        let of = |layer: &Layer| (layer.inputs, layer.outputs, layer.activation);
        let shapes: Vec<Vec<Shape>> =
            self.networks.iter().map(|layers| layers.iter().map(of).collect()).collect();
        let shapes = ranks.gather(serde_json::to_vec(&shapes).expect("plain data become JSON"))?;
        let own: Vec<f32> =
            self.networks.iter().flatten().flat_map(|l| l.weight.iter().chain(&l.bias)).copied().collect();
        let all = ranks.gather_values(&own)?;
        let (mut rest, mut networks) = (&all[..], Vec::new());
        for shapes in shapes {
            let shapes: Vec<Vec<Shape>> = serde_json::from_slice(&shapes)
                .map_err(|e| Error::Ranks(format!("what another rank sent cannot be read: {e}")))?;
            for layers in shapes {
                let layer = |(inputs, outputs, activation): Shape| {
                    let (weight, behind) = rest.split_at(inputs * outputs);
                    let (bias, behind) = behind.split_at(outputs);
                    rest = behind;
                    Layer { inputs, outputs, weight: weight.to_vec(), bias: bias.to_vec(), activation }
                };
                networks.push(layers.into_iter().map(layer).collect());
            }
        }
        Ok(networks)
    }

    /// What was told of each network is a list; all ranks' lists in a row.
    fn chosen_among(&mut self, ranks: &Ranks) -> Result<()> {
        let all = ranks.gather(self.config["chosen"].to_string().into_bytes())?;
        let all: Vec<serde_json::Value> =
            all.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
        for (key, value) in self.config["chosen"].as_object_mut().into_iter().flatten() {
            let lists = all.iter().filter_map(|chosen| chosen[key].as_array()).flatten();
            *value = lists.cloned().collect();
        }
        Ok(())
    }
}

/// Layers of the same inputs as one layer, the outputs in a row.
fn one_layer(networks: Vec<Vec<Layer>>) -> Layer {
    let mut layers = networks.into_iter().flatten();
    let mut whole = layers.next().expect("every rank has a layer");
    for layer in layers {
        whole.outputs += layer.outputs;
        whole.weight.extend(layer.weight);
        whole.bias.extend(layer.bias);
    }
    whole
}

impl HeldOut {
    /// Of all ranks' targets.
    fn among(self, ranks: &Ranks) -> Result<HeldOut> {
        let (own, levels) = (self.r2.len(), self.how.levels.len());
        let by_level = |values: &[f32]| -> Result<Vec<f32>> {
            let level = |l: usize| ranks.gather_values(&values[l * own..(l + 1) * own]);
            Ok((0..levels).map(level).collect::<Result<Vec<_>>>()?.concat())
        };
        Ok(HeldOut {
            half_width: by_level(&self.half_width)?,
            coverage: by_level(&self.coverage)?,
            r2: ranks.gather_values(&self.r2)?,
            how: self.how,
        })
    }
}
