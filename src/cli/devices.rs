//! `genelift devices`: what can compute here, and which of it `--device auto` takes.

use serde_json::json;

use super::print;
use crate::device::calibration;
use crate::device::cpu::{CpuExecutor, Way, processor};
use crate::device::gpu::{AdapterFacts, Kind, list};
use crate::device::{Executor, auto};
use crate::error::Result;

/// Arguments of `devices`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Those of starting the CPU executor.
pub fn run(args: &Args) -> Result<()> {
    let found = list();
    let (taken, why) = auto(&found);
    let (cpu, way) = (CpuExecutor::open(None)?, calibration::load_way());
    if args.json {
        let adapters: Vec<_> = found.iter().map(json).collect();
        let auto = taken.map_or("cpu".to_string(), |index| format!("gpu:{index}"));
        let value = json!({
            "cpu": {
                "name": cpu.name(), "processor": processor(), "free_memory": cpu.memory(),
                "bf16": way.as_ref().ok().map(|way| way.unwrap_or_else(Way::usual).word()),
                "calibrated": matches!(way, Ok(Some(_))),
            },
            "adapters": adapters, "auto": auto, "why": why,
        });
        return print(&format!("{value:#}\n"));
    }
    let mut text = found.iter().map(describe).collect::<String>();
    let bf16 = match way {
        Ok(Some(way)) => format!("by {}, calibrated", way.word()),
        Ok(None) => format!("by {} (genelift bench --calibrate may find a faster way)", Way::usual().word()),
        Err(error) => error.to_string(),
    };
    text += &format!(
        "cpu    {}\n       processor  {}\n       bf16       {bf16}\n       memory     {} free\n",
        cpu.name(),
        processor(),
        size(cpu.memory())
    );
    let taken = taken.map_or("cpu".to_string(), |index| format!("gpu:{index} ({})", found[index].name));
    text += &format!("\nauto takes {taken}: {why}\n");
    print(&text)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Discrete => "discrete GPU",
        Kind::Integrated => "integrated GPU",
        Kind::Software => "software rasterizer",
    }
}

fn describe(facts: &AdapterFacts) -> String {
    let yes = |x: bool| if x { "yes" } else { "no" };
    let cooperative = match facts.cooperative.as_slice() {
        [] => "no".to_string(),
        shapes => shapes.join(", "),
    };
    let tiles = match calibration::load(facts) {
        Ok(None) => "of its type (genelift bench --calibrate may find faster ones)".to_string(),
        Ok(Some(_)) => "calibrated".to_string(),
        Err(error) => error.to_string(),
    };
    format!(
        "gpu:{}  {}\n       type       {}, {}\n       driver     {}\n       tiles      {tiles}\n       limits     binding {}, buffer {}, workgroup memory {}, {} threads a workgroup, {} storage buffers a kernel\n       features   f16 arithmetic {}, subgroups {} ({} to {} threads), cooperative matrices {cooperative}\n",
        facts.index,
        facts.name,
        kind(facts.kind),
        facts.backend,
        facts.driver,
        size(facts.max_binding),
        size(facts.max_buffer),
        size(u64::from(facts.workgroup_memory)),
        facts.workgroup_threads,
        facts.storage_buffers,
        yes(facts.half),
        yes(facts.subgroups),
        facts.subgroup_threads[0],
        facts.subgroup_threads[1],
    )
}

fn json(facts: &AdapterFacts) -> serde_json::Value {
    json!({
        "index": facts.index, "name": facts.name, "type": kind(facts.kind), "backend": facts.backend,
        "driver": facts.driver, "max_binding": facts.max_binding, "max_buffer": facts.max_buffer,
        "workgroup_memory": facts.workgroup_memory, "workgroup_threads": facts.workgroup_threads,
        "storage_buffers": facts.storage_buffers, "f16_arithmetic": facts.half, "subgroups": facts.subgroups,
        "subgroup_threads": facts.subgroup_threads, "calibrated": calibration::load(facts).ok().flatten().is_some(),
        "cooperative_matrices": facts.cooperative,
    })
}

fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.iter().find(|(_, shift)| bytes >= 1 << shift) {
        Some((unit, shift)) => {
            format!("{:.4} {unit}", bytes as f64 / (1u64 << shift) as f64).replace(".0000", "")
        }
        None => format!("{bytes} B"),
    }
}
