//! From `--device` to an executor.

use super::Executor;
use super::calibration;
use super::cpu::CpuExecutor;
use super::gpu::{self, AdapterFacts, Choice, GpuExecutor, Kind, Options};
use super::recording::Element;
use crate::error::{Error, Result};
use crate::memory;
use crate::progress::{Event, Reporter};
use crate::ranks::Place;

/// What `--device` can mean.
enum Asked {
    Auto,
    Cpu,
    Gpu(Choice),
}

impl Asked {
    /// The GPU that it is, or the CPU.
    fn resolved(self) -> Option<Choice> {
        match self {
            Asked::Gpu(choice) => Some(choice),
            Asked::Cpu => None,
            Asked::Auto => auto(&gpu::list()).0.map(Choice::Index),
        }
    }
}

fn parse(text: &str) -> Result<Asked> {
    Ok(match text.split_once(':') {
        None if text == "auto" => Asked::Auto,
        None if text == "cpu" => Asked::Cpu,
        None if text == "gpu" => Asked::Gpu(Choice::Auto),
        Some(("gpu", which)) if !which.is_empty() => match which.parse() {
            Ok(index) => Asked::Gpu(Choice::Index(index)),
            Err(_) => Asked::Gpu(Choice::Name(which.to_string())),
        },
        _ => {
            let message = format!(
                "--device {text}: expected auto, cpu, gpu, gpu:INDEX or gpu:NAME (a part of an adapter's name)"
            );
            return Err(Error::Usage(message));
        }
    })
}

/// The adapter that `auto` takes among `found`, if it takes one, and why.
pub fn auto(found: &[AdapterFacts]) -> (Option<usize>, &'static str) {
    let first = |kind| found.iter().find(|facts| facts.kind == kind).map(|facts| facts.index);
    if let Some(index) = first(Kind::Discrete) {
        (Some(index), "the first discrete GPU")
    } else if let Some(index) = first(Kind::Integrated) {
        (Some(index), "the first integrated GPU; there is no discrete one")
    } else if found.is_empty() {
        (None, "there is no Vulkan, Metal or DX12 adapter")
    } else {
        (
            None,
            "there are only software rasterizers, which are slower than the CPU executor and taken only when named",
        )
    }
}

/// Whether `--device` can mean something, before anything is read.
///
/// # Errors
/// [`Error::Usage`] for other words than [`open`] takes.
pub fn check(device: &str) -> Result<()> {
    parse(device).map(|_| ())
}

/// Refuses numbers of a type that the device asked for does not have, before anything is read or opened.
///
/// # Errors
/// [`Error::Usage`], also for other words than [`open`] takes.
pub fn check_element(device: &str, element: Element) -> Result<()> {
    // adapters are looked for only where it matters
    if element == Element::Bf16 && parse(device)?.resolved().is_some() {
        return Err(Error::Usage(format!("--device {device}: {}", gpu::NO_BF16)));
    }
    Ok(())
}

/// The adapter of one of several ranks of a host, each of which was asked for the same: the first rank takes the first adapter that it can
/// mean, the second the second, in turn; with how many there are. An index is one adapter, of all ranks.
fn of_rank(found: &[AdapterFacts], choice: &Choice, local: usize) -> (Choice, usize) {
    let of_kind = |kind| found.iter().filter(|facts| facts.kind == kind).collect::<Vec<_>>();
    let able = match choice {
        Choice::Index(_) => Vec::new(),
        Choice::Auto if of_kind(Kind::Discrete).is_empty() => of_kind(Kind::Integrated),
        Choice::Auto => of_kind(Kind::Discrete),
        Choice::Name(name) => {
            let part = name.to_lowercase();
            found.iter().filter(|facts| facts.name.to_lowercase().contains(&part)).collect()
        }
    };
    match able.len() {
        0 => (choice.clone(), 1), // refused by whoever opens it
        n => (Choice::Index(able[local % n].index), n),
    }
}

/// Opens what `--device` asks for, for one of several ranks: where a host has several adapters that it can mean, each rank takes one.
/// Otherwise as [`open`].
///
/// # Errors
/// Those of [`open`].
pub fn open_for(
    place: Place,
    device: &str,
    threads: Option<usize>,
    report: Reporter,
) -> Result<Box<dyn Executor>> {
    let choice = match parse(device)? {
        _ if place.on_host == 1 => return open(device, threads, report),
        Asked::Cpu => return open(device, threads, report),
        Asked::Auto if auto(&gpu::list()).0.is_none() => return open("cpu", threads, report),
        Asked::Auto => Choice::Auto,
        Asked::Gpu(choice) => choice,
    };
    let (choice, adapters) = of_rank(&gpu::list(), &choice, place.local);
    if place.on_host > adapters {
        report(Event::Warning(format!(
            "{} ranks of this host share {adapters} GPU{}; start one a GPU",
            place.on_host,
            if adapters == 1 { "" } else { "s" }
        )));
    }
    match choice {
        Choice::Index(index) => open(&format!("gpu:{index}"), threads, report),
        _ => open(device, threads, report),
    }
}

/// Opens what `--device` asks for: `auto` (a discrete GPU, else an integrated one, else the CPU), `cpu`, `gpu`,
/// `gpu:INDEX` or `gpu:NAME`. `threads` is for the CPU executor; all cores without it.
///
/// # Errors
/// [`Error::Usage`] for other words; [`Error::Device`] where there is no such device.
pub fn open(device: &str, threads: Option<usize>, report: Reporter) -> Result<Box<dyn Executor>> {
    let gpu = |choice| -> Result<Box<dyn Executor>> {
        let options = Options { calibrated: true, unchecked: asked_for_checks(), ..Options::default() };
        let executor = GpuExecutor::open(&choice, options)?;
        if executor.is_calibrated() {
            report(Event::Note("tiles: as calibrated (genelift bench --calibrate)".into()));
        }
        Ok(Box::new(executor))
    };
    let executor: Box<dyn Executor> = match parse(device)?.resolved() {
        Some(choice) => gpu(choice)?,
        None => Box::new(processor(threads, report)?),
    };
    report(Event::Note(format!("device: {}", executor.name())));
    Ok(executor)
}

/// The CPU, with what was stored of it.
fn processor(threads: Option<usize>, report: Reporter) -> Result<CpuExecutor> {
    if memory::on_device().is_some() {
        report(Event::Warning(
            "--device-memory bounds a GPU's memory, and the device is the CPU; --memory bounds this process's".into(),
        ));
    }
    let executor = CpuExecutor::open(threads)?;
    Ok(match calibration::load_way() {
        Ok(None) => executor,
        Ok(Some(way)) => {
            let text = format!("bf16: by {}, as calibrated (genelift bench --calibrate)", way.word());
            report(Event::Note(text));
            executor.by(way)
        }
        Err(error) => executor.by_none(error),
    })
}

/// `Some(false)` where `GENELIFT_SHADER_CHECKS=1`: kernels with wgpu's checks also on hardware.
fn asked_for_checks() -> Option<bool> {
    std::env::var("GENELIFT_SHADER_CHECKS").is_ok_and(|value| value == "1").then_some(false)
}

/// An executor to be calibrated.
pub enum Uncalibrated {
    /// With its kind's tiles, whatever was stored, and its cooperative matrices.
    Gpu(Box<GpuExecutor>),
    /// Without what was stored.
    Cpu(Box<CpuExecutor>),
}

/// Opens what [`open`] would, to be calibrated.
///
/// # Errors
/// Those of [`open`].
pub fn open_uncalibrated(device: &str, threads: Option<usize>) -> Result<Uncalibrated> {
    Ok(match parse(device)?.resolved() {
        Some(choice) => {
            let options = Options { cooperative: true, ..Options::default() };
            Uncalibrated::Gpu(Box::new(GpuExecutor::open(&choice, options)?))
        }
        None => Uncalibrated::Cpu(Box::new(CpuExecutor::open(threads)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_gpu_has_is_refused_by_the_words_alone() {
        let refused = |device, element| check_element(device, element).map_err(|error| error.to_string());
        for device in ["gpu", "gpu:7", "gpu:h100"] {
            let message = refused(device, Element::Bf16).expect_err("no GPU has it");
            assert!(message.contains(device) && message.contains("bf16 is for CPUs"), "{message}");
            assert_eq!(refused(device, Element::F16), Ok(()));
        }
        assert_eq!(refused("cpu", Element::Bf16), Ok(()));
    }

    #[test]
    fn ranks_of_a_host_take_one_adapter_each() {
        let found: Vec<AdapterFacts> = [
            ("llvmpipe", Kind::Software),
            ("NVIDIA H100", Kind::Discrete),
            ("Intel Iris", Kind::Integrated),
            ("NVIDIA H100", Kind::Discrete),
            ("NVIDIA A2", Kind::Discrete),
        ]
        .into_iter()
        .enumerate()
        .map(|(index, (name, kind))| AdapterFacts::made_up(index, name, kind))
        .collect();
        let taken = |choice: &Choice| [0, 1, 2, 3].map(|local| of_rank(&found, choice, local));
        let index = Choice::Index;
        assert_eq!(taken(&Choice::Auto), [1, 3, 4, 1].map(|i| (index(i), 3)));
        assert_eq!(taken(&Choice::Name("h100".into())), [1, 3, 1, 3].map(|i| (index(i), 2)));
        assert_eq!(taken(&index(2)), [2; 4].map(|i| (index(i), 1)));
        assert_eq!(of_rank(&found[..3], &Choice::Name("iris".into()), 5), (index(2), 1));
        assert_eq!(of_rank(&found[2..3], &Choice::Auto, 1), (index(2), 1));
        assert_eq!(of_rank(&[], &Choice::Auto, 1), (Choice::Auto, 1));
    }
}
