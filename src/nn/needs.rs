//! What training a network takes of the host's memory, before any of it is taken.

use std::path::Path;

use super::settings::{Optimizer, TrainSettings};
use crate::device::Executor;
use crate::device::recording::Element;
use crate::error::Result;
use crate::memory::Need;
use crate::store::atomic;

/// Layers of these widths, from the input on, of so many bytes a weight.
fn with_weights(need: Need, what: &str, widths: &[usize], bytes: usize) -> Need {
    widths.windows(2).fold(need, |need, pair| {
        need.with(format!("{what} of {} × {}", pair[0], pair[1]), &[pair[0], pair[1], bytes])
    })
}

/// Refuses a network of these widths that the host cannot hold while it is trained: its parameters, `bytes` a weight with what
/// is kept of each on a device that takes the host's memory, and a batch of activations and gradients there.
///
/// # Errors
/// [`crate::Error::Data`] with the numbers.
pub(crate) fn check(
    executor: &dyn Executor,
    widths: &[usize],
    (bytes, batch): (usize, usize),
    instead: &str,
) -> Result<()> {
    let mut need = with_weights(Need::new(), "weights", widths, 4);
    if executor.is_on_host() {
        need = with_weights(need, "weights and moments", widths, bytes);
        let width = widths.iter().fold(0usize, |sum, width| sum.saturating_add(*width));
        need = need.with(format!("activations of {batch} samples"), &[2, batch, width, 4]);
    }
    need.check("the network", instead)
}

/// Refuses a training that the host cannot hold: the network, and a copy of parameters and moments where there are checkpoints,
/// for which there must be room on the disk too. Of several ranks each has gradients to sum, on the device and on their way.
///
/// # Errors
/// As [`check`].
pub(super) fn training(
    executor: &dyn Executor,
    settings: &TrainSettings,
    (genes, samples): (usize, usize),
    checkpoint: Option<&Path>,
    are_several: bool,
) -> Result<()> {
    let widths = [&[genes], &settings.hidden[..], &[genes]].concat();
    let moments = match settings.optimizer {
        Optimizer::Adam => 8,
        Optimizer::Sgd => 4,
    };
    // in half precision products take a copy
    let rounded = match settings.precision.element() {
        Element::F32 => 0,
        half => half.bytes(),
    };
    let instead = "lower the widths (--hidden) or --batch, or allow more (--memory)";
    let batch = settings.batch.min(samples);
    let summed = if are_several { 4 } else { 0 };
    check(executor, &widths, (4 + moments + rounded + summed, batch), instead)?;
    if are_several {
        // values, what is sent and what comes of it
        with_weights(Need::new(), "gradients on their way", &widths, 12)
            .check("training in ranks", instead)?;
    }
    let Some(path) = checkpoint else { return Ok(()) };
    let copies = with_weights(Need::new(), "weights and moments", &widths, 8 + moments);
    copies.check("a checkpoint of the network", instead)?;
    atomic::check_space(path, copies.bytes()) // with the model beside it
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;

    /// A million by a million weights are 4 TB: once on the host, and with two moments on the device, 16 TB; 100,000 samples of
    /// two million values, and as many gradients, 1.6 TB.
    #[test]
    fn a_network_is_refused_with_what_it_needs() {
        let executor = CpuExecutor::open(Some(1)).expect("a thread");
        let wide = [1_000_000, 1_000_000];
        let message =
            check(&executor, &wide, (12, 100_000), "take less").expect_err("no machine has it").to_string();
        let told =
            "the network needs 17.6 TB of memory (weights and moments of 1000000 × 1000000: 12.0 TB), and ";
        assert!(message.starts_with(told) && message.ends_with("; take less"), "{message}");
        check(&executor, &[100, 10, 100], (14, 10), "").expect("fits");
    }

    #[test]
    fn a_checkpoint_is_refused_with_what_it_needs() {
        let need = with_weights(Need::new(), "weights and moments", &[10, 3, 20], 16);
        assert_eq!(need.bytes(), 16 * (10 * 3 + 3 * 20));
    }
}
