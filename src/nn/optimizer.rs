//! The optimizer's state on the device, and the updates that the weight gradients' epilogues take.

use super::checkpoint::Moments;
use super::network::{LayerBuffers, Network};
use super::settings::{BETAS, Optimizer, TrainSettings};
use crate::device::Executor;
use crate::device::recording::{Element, Matrix, Update};
use crate::error::Result;

/// Moments on the device, by layer (weight, bias), and the updates that use them.
pub(super) type OptimizerState = (Vec<(Vec<Matrix>, Vec<Matrix>)>, Vec<(Update, Update)>);

/// Makes the moments, those of a checkpoint where there is one, and the updates of every parameter.
///
/// # Errors
/// [`crate::Error::Device`].
pub(super) fn optimizer(
    executor: &mut dyn Executor,
    settings: &TrainSettings,
    network: &Network,
    saved: &[(Moments, Moments)],
) -> Result<OptimizerState> {
    let mut parameter = |layer: &LayerBuffers,
                         name: String,
                         (value, rounded): (Matrix, Option<Matrix>),
                         l2: f32,
                         saved: Option<&Moments>|
     -> Result<_> {
        let mut make = |which: &str, saved: Option<&Vec<f32>>| -> Result<Matrix> {
            let name = format!("{name}.{which}");
            let matrix = executor.matrix(&name, value.rows, value.cols, Element::F32)?;
            if let Some(values) = saved.filter(|v| !v.is_empty()) {
                layer.write(executor, matrix, values)?;
            }
            Ok(matrix)
        };
        let first = make("first", saved.map(|m| &m.first))?;
        Ok(match settings.optimizer {
            Optimizer::Adam => {
                let second = make("second", saved.map(|m| &m.second))?;
                let (beta1, beta2) = BETAS;
                let update = Update::Adam {
                    value,
                    first,
                    second,
                    rounded,
                    l2,
                    beta1,
                    beta2,
                    epsilon: settings.epsilon as f32,
                };
                (vec![first, second], update)
            }
            Optimizer::Sgd => {
                let update = Update::Sgd {
                    value,
                    velocity: first,
                    rounded,
                    l2,
                    momentum: settings.momentum as f32,
                    rate: 1.0,
                };
                (vec![first], update)
            }
        })
    };
    let (mut moments, mut updates) = (Vec::new(), Vec::new());
    for (i, layer) in network.layers.iter().enumerate() {
        let saved = saved.get(i);
        let (wm, wu) = parameter(
            layer,
            format!("optimizer.{i}.weight"),
            (layer.weight, layer.rounded()),
            settings.l2 as f32,
            saved.map(|s| &s.0),
        )?;
        let (bm, bu) =
            parameter(layer, format!("optimizer.{i}.bias"), (layer.bias, None), 0.0, saved.map(|s| &s.1))?;
        moments.push((wm, bm));
        updates.push((wu, bu));
    }
    Ok((moments, updates))
}
