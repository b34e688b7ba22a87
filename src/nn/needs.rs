//! What training a network takes of the host's memory, before any of it is taken.

use std::path::Path;

use super::settings::{Optimizer, TrainSettings};
use crate::device::Executor;
use crate::error::Result;
use crate::memory::Need;
use crate::store::atomic;

/// Layers of these widths, from the input on.
fn with_weights(need: Need, what: &str, widths: &[usize], copies: usize) -> Need {
    widths.windows(2).fold(need, |need, pair| {
        need.with(format!("{what} of {} × {}", pair[0], pair[1]), &[pair[0], pair[1], 4, copies])
    })
}

/// Refuses a network of these widths that the host cannot hold while it is trained: its parameters, with `moments` of each on
/// a device that takes the host's memory, and a batch of activations and gradients there.
///
/// # Errors
/// [`crate::Error::Data`] with the numbers.
pub(crate) fn check(
    executor: &dyn Executor,
    widths: &[usize],
    (moments, batch): (usize, usize),
    instead: &str,
) -> Result<()> {
    let mut need = with_weights(Need::new(), "weights", widths, 1);
    if executor.is_on_host() {
        need = with_weights(need, "weights and moments", widths, 1 + moments);
        let width = widths.iter().fold(0usize, |sum, width| sum.saturating_add(*width));
        need = need.with(format!("activations of {batch} samples"), &[2, batch, width, 4]);
    }
    need.check("the network", instead)
}

/// Refuses a training that the host cannot hold: the network, and a copy of parameters and moments where there are checkpoints,
/// for which there must be room on the disk too.
///
/// # Errors
/// As [`check`].
pub(super) fn training(
    executor: &dyn Executor,
    settings: &TrainSettings,
    (genes, samples): (usize, usize),
    checkpoint: Option<&Path>,
) -> Result<()> {
    let widths = [&[genes], &settings.hidden[..], &[genes]].concat();
    let moments = match settings.optimizer {
        Optimizer::Adam => 2,
        Optimizer::Sgd => 1,
    };
    let instead = "lower the widths (--hidden) or --batch, or allow more (--memory)";
    let batch = settings.batch.min(samples);
    check(executor, &widths, (moments, batch), instead)?;
    let Some(path) = checkpoint else { return Ok(()) };
    let copies = with_weights(Need::new(), "weights and moments", &widths, 2 + moments);
    copies.check("a checkpoint of the network", instead)?;
    atomic::check_space(path, copies.bytes()) // with the model beside it
}
