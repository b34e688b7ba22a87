//! `genelift bench`: the machine's ceilings, and each stage's share of them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Common, Profile, print};
use crate::bench::{
    BenchSettings, Ceilings, Measured, Rival, Stage, bench, calibrate, calibrate_cpu, ceilings, half,
};
use crate::device::cpu::{CpuExecutor, processor};
use crate::device::recording::Element;
use crate::device::{self, Executor};
use crate::device::{Uncalibrated, calibration};
use crate::error::{Error, Result};
use crate::nn::settings::Precision;
use crate::pipeline::choice::choice;
use crate::progress::{Event, Reporter};
use crate::simulate::{SimulateSettings, simulate};
use crate::store::{Store, atomic};

/// Arguments of `bench`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Genes of the made-up matrix [22268, the paper's]
    #[arg(long, value_name = "G", default_value_t = 22_268)]
    genes: usize,
    /// Its samples [1024 on the CPU, 8192 on a GPU]
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Widths of the autoencoder's hidden layers
    #[arg(long, value_delimiter = ',', value_name = "WIDTHS", default_value = "500,100,500")]
    hidden: Vec<usize>,
    /// Batches to train with
    #[arg(long, value_delimiter = ',', value_name = "N", default_value = "256,1024")]
    batch: Vec<usize>,
    /// Of the stages train and deeplift; the others have their own
    #[arg(long, value_parser = choice::<Precision>(), default_value = "f32")]
    precision: Precision,
    /// Samples that DeepLIFT is done for [64 on the CPU, 2048 on a GPU]
    #[arg(long, value_name = "N")]
    attributed: Option<usize>,
    /// Landmarks of the selection and of the predictors
    #[arg(long, value_name = "N", default_value_t = 943)]
    landmarks: usize,
    /// Samples of the selection and of the permutation test
    #[arg(long, value_name = "N", default_value_t = 512)]
    selected_from: usize,
    /// How often each stage is timed; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Only these stages
    #[arg(
        long,
        value_parser = choice::<Stage>(),
        value_delimiter = ',',
        default_value = "train,deeplift,predictor,kernel,select,permutation,k-means"
    )]
    stage: Vec<Stage>,
    /// Side of the square matrices of the ceilings [2048 on the CPU, 8192 on a GPU]
    #[arg(long, value_name = "N")]
    side: Option<usize>,
    /// Where the made-up matrix is written, and removed again [the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Find what is fastest here and keep it for later runs: tiles for this GPU and driver, or how this CPU multiplies bf16 (sums may round otherwise
    /// from then on)
    #[arg(long, conflicts_with_all = MEASURED)]
    calibrate: bool,
    /// Train the same network with this library too, on the same kind of device (a build with --features burn, for GPUs burn-wgpu)
    #[arg(long, value_enum, value_name = "LIBRARY")]
    against: Option<Library>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    profile: Profile,
    #[command(flatten)]
    common: Common,
}

/// Options that say nothing of a calibration, which times the products of training steps alone.
const MEASURED: [&str; 10] = [
    "samples",
    "precision",
    "attributed",
    "landmarks",
    "selected_from",
    "stage",
    "side",
    "scratch",
    "against",
    "path", // --profile
];

/// What can be measured beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Library {
    /// Its tensors and autodiff
    Burn,
}

/// Runs the command.
///
/// # Errors
/// Those of [`bench()`] and of the made-up matrix; [`Error::Usage`] for a side of 0.
pub fn run(args: &Args, report: Reporter) -> Result<()> {
    if args.calibrate {
        return calibrate_device(args, report);
    }
    if args.stage.iter().any(|stage| matches!(stage, Stage::Train | Stage::Deeplift)) {
        device::check_element(&args.common.device, args.precision.element())?;
    }
    let _ours = atomic::claim(args.profile.output(args.common.force).as_slice(), &[])?;
    let mut executor = device::open(&args.common.device, args.common.threads, report)?;
    let rival = match args.against {
        Some(Library::Burn) => Some(Rival::burn(executor.name())?),
        None => None,
    };
    let asked = Asked::of(args, executor.name().starts_with("CPU"))?;
    let found = measured(args, &mut *executor, rival.as_ref(), asked, report)?;
    print(&if args.json { found.as_json() } else { found.as_text() })
}

/// What is asked for, with what the kind of device decides where it was not said.
struct Asked {
    cpu: bool,
    /// Side of the ceilings' matrices.
    side: usize,
    matrix: SimulateSettings,
    settings: BenchSettings,
}

impl Asked {
    fn of(args: &Args, cpu: bool) -> Result<Asked> {
        let or = |given: Option<usize>, on_cpu, on_gpu| given.unwrap_or(if cpu { on_cpu } else { on_gpu });
        let side = or(args.side, 2048, 8192);
        if side == 0 {
            return Err(Error::Usage("--side must be at least 1".into()));
        }
        let matrix = SimulateSettings {
            samples: or(args.samples, 1024, 8192),
            genes: args.genes,
            rank: 50,
            studies: 20,
            noise: 0.3,
            duplicates: 0.0,
            missing: 0.0,
            element: Element::F32,
            seed: args.common.seed,
        };
        let settings = BenchSettings {
            hidden: args.hidden.clone(),
            batches: args.batch.clone(),
            precision: args.precision,
            attributed: or(args.attributed, 64, 2048),
            landmarks: args.landmarks,
            selected_from: args.selected_from,
            rounds: args.rounds,
        };
        Ok(Asked { cpu, side, matrix, settings })
    }
}

/// What was measured.
struct Found {
    device: String,
    asked: Asked,
    /// Before the stages and after them.
    ceilings: [Ceilings; 2],
    /// The better of both: a machine shared with others is slower for a while; what it once reached it can do.
    best: Ceilings,
    /// Whether training is in the half precision that has a ceiling; on a CPU f16 saves memory alone.
    fast: bool,
    /// The rival's after ours.
    stages: Vec<Measured>,
    ratios: Vec<(String, f64)>,
    /// The most that this process held, in bytes.
    memory: Option<u64>,
}

/// Makes the matrix and measures the ceilings, the stages, and the ceilings again.
fn measured(
    args: &Args,
    executor: &mut dyn Executor,
    rival: Option<&Rival>,
    asked: Asked,
    report: Reporter,
) -> Result<Found> {
    let (force, settings) = (args.common.force, &asked.settings);
    let directory = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let scratch = tempfile::Builder::new()
        .prefix("genelift-bench-")
        .tempdir_in(&directory)
        .map_err(Error::io(&directory, "creating a temporary directory"))?;
    let path = scratch.path().join("matrix.gex");
    simulate(&path, &asked.matrix, false, report)?;
    let store = Store::open(&path)?;

    let fast = args.precision.element() == half(executor);
    let before = ceilings(executor, asked.side)?;
    args.profile.start(executor)?;
    let mut stages = bench(executor, &store, &args.stage, settings, report)?;
    let beside = match rival {
        Some(rival) => rival.train(&store, settings, report)?,
        None => Vec::new(),
    };
    let ratios = ratios(&stages, &beside);
    stages.extend(beside);
    args.profile.finish(executor, force)?;
    let after = ceilings(executor, asked.side)?;
    let best = Ceilings {
        matmul: before.matmul.max(after.matmul),
        matmul_half: before.matmul_half.max(after.matmul_half),
        copy: before.copy.max(after.copy),
    };
    let (device, memory) = (executor.name().to_string(), peak_memory());
    Ok(Found { device, asked, ceilings: [before, after], best, fast, stages, ratios, memory })
}

impl Found {
    fn as_json(&self) -> String {
        let Asked { matrix, settings, .. } = &self.asked;
        let [before, after] = self.ceilings;
        let value = json!({
            "genelift": env!("CARGO_PKG_VERSION"),
            "device": self.device,
            "matrix": { "samples": matrix.samples, "genes": matrix.genes },
            "settings": settings,
            "ceilings": self.best, "ceilings-before": before, "ceilings-after": after,
            "stages": self.stages.iter().map(|stage| describe(stage, &self.best, self.fast)).collect::<Vec<_>>(),
            "faster-than-rival": self.ratios.iter().map(|(name, ratio)| json!({ "name": name, "ratio": ratio })).collect::<Vec<_>>(),
            "peak-host-memory": self.memory,
        });
        format!("{value:#}\n")
    }

    fn as_text(&self) -> String {
        let Asked { cpu, matrix, .. } = &self.asked;
        let [before, after] = &self.ceilings;
        let mut text = format!(
            "{}; {} samples × {} genes\n\nceiling       before     after\n",
            self.device, matrix.samples, matrix.genes
        );
        for (name, rate) in [
            ("matmul f32", (|c: &Ceilings| c.matmul) as fn(&Ceilings) -> f64),
            (if *cpu { "matmul bf16" } else { "matmul f16" }, |c| c.matmul_half),
            ("copy", |c| c.copy),
        ] {
            let unit = if name == "copy" { "GB/s" } else { "GFLOP/s" };
            text += &format!("{name:<12}{:>8.0}{:>10.0}  {unit}\n", rate(before) / 1e9, rate(after) / 1e9);
        }
        text += &format!(
            "\n{:<34}{:>12}{:>10}{:>9}{:>10}{:>8}{:>8}{:>10}\n",
            "stage", "a second", "GFLOP/s", "GB/s", "seconds", "spread", "share", "MB"
        );
        for stage in &self.stages {
            let seconds = stage.median();
            text += &format!(
                "{:<34}{:>12.1}{:>10.0}{:>9.1}{:>10.3}{:>7.0}%{:>7.0}%{:>10.0}\n",
                format!("{} ({})", stage.name, stage.unit),
                stage.items as f64 / seconds,
                stage.flop() / seconds / 1e9,
                stage.bytes() / seconds / 1e9,
                seconds,
                100.0 * stage.spread(),
                100.0 * floor(stage, &self.best, self.fast) / seconds,
                stage.device_memory as f64 / 1e6,
            );
        }
        text += "\nshare: of the time that the stage's arithmetic, or its bytes, would take at the better ceiling\n\
             MB: what its matrices take of the device's memory\n";
        for (name, ratio) in &self.ratios {
            text += &format!("{name}: genelift is faster by {ratio:.2}\n");
        }
        if let Some(memory) = self.memory {
            let megabytes = memory / 1_000_000;
            text += &format!("peak memory of this process, the mapped matrix included: {megabytes} MB\n");
        }
        text
    }
}

/// `--calibrate`: the table is stored, and what was tried is printed.
fn calibrate_device(args: &Args, report: Reporter) -> Result<()> {
    if args.rounds == 0
        || args.hidden.is_empty()
        || args.hidden.contains(&0)
        || args.batch.contains(&0)
        || args.genes == 0
    {
        return Err(Error::Usage("--rounds, --hidden, --batch and --genes must be at least 1".into()));
    }
    calibration::place()?;
    let widths = [&[args.genes], &args.hidden[..], &[args.genes]].concat();
    let mut executor = match device::open_uncalibrated(&args.common.device, args.common.threads)? {
        Uncalibrated::Gpu(executor) => executor,
        Uncalibrated::Cpu(executor) => return calibrate_processor(args, *executor, &widths, report),
    };
    report(Event::Note(format!("device: {}", executor.name())));
    let found = calibrate(&mut executor, &widths, &args.batch, args.rounds, report)?;
    let path = calibration::store(executor.facts(), found.tuning, report)?;
    if args.json {
        let value = json!({ "device": executor.name(), "stored": path, "calibration": found });
        return print(&format!("{value:#}\n"));
    }
    let mut text =
        format!("{}: products of the training steps\n\n{:<44}{:>10}\n", executor.name(), "change", "ms");
    let mut line = |change: &str, seconds: f64| text += &format!("{change:<44}{:>10.2}\n", 1e3 * seconds);
    line("none", found.seconds[0]);
    found.trials.iter().for_each(|trial| line(&trial.change, trial.seconds));
    line("best", found.seconds[1]);
    if let Some([scalar, cooperative]) = found.half_seconds {
        line("f16 operands, scalar kernels", scalar);
        line("f16 operands, cooperative matrices", cooperative);
    }
    text += &format!("\nkept for this adapter and driver in {}\n", path.display());
    print(&text)
}

/// The same of the CPU.
fn calibrate_processor(args: &Args, executor: CpuExecutor, widths: &[usize], report: Reporter) -> Result<()> {
    let name = executor.name().to_owned();
    report(Event::Note(format!("device: {name}")));
    let found = calibrate_cpu(executor, widths, &args.batch, args.rounds, report)?;
    let path = calibration::store_way(found.way, report)?;
    if args.json {
        // all products of the steps: in f32, and of bf16 in each way
        let calibration =
            json!({ "way": found.way, "f32-seconds": found.seconds, "bf16-seconds": found.ways });
        let value =
            json!({ "device": name, "processor": processor(), "stored": path, "calibration": calibration });
        return print(&format!("{value:#}\n"));
    }
    let mut text =
        format!("{name}, {}: products of the training steps\n\n{:<44}{:>10}\n", processor(), "", "ms");
    let mut line = |what: &str, seconds: f64| text += &format!("{what:<44}{:>10.2}\n", 1e3 * seconds);
    line("f32", found.seconds);
    found.ways.iter().for_each(|(way, seconds)| line(&format!("bf16 by {}", way.word()), *seconds));
    text += &format!("\nbf16 by {}: kept for this processor in {}\n", found.way.word(), path.display());
    print(&text)
}

/// Of each of the rival's stages, how many times as fast ours of the same name is.
fn ratios(ours: &[Measured], beside: &[Measured]) -> Vec<(String, f64)> {
    let matching = |rival: &Measured| {
        let stage = rival.name.split_once(": ")?.1;
        let own = ours.iter().find(|own| own.name == stage)?;
        Some((rival.name.clone(), rival.median() / own.median()))
    };
    beside.iter().filter_map(matching).collect()
}

/// The least time that a round can take at the ceilings' rates.
/// `fast`: stages in half precision are held to its own ceiling.
fn floor(stage: &Measured, best: &Ceilings, fast: bool) -> f64 {
    let half = fast && stage.name.ends_with("f16"); // or bf16
    let matmul = if half { best.matmul_half } else { best.matmul };
    stage.work.iter().map(|part| part.floor(matmul, best.copy)).sum()
}

fn describe(stage: &Measured, best: &Ceilings, fast: bool) -> Value {
    let seconds = stage.median();
    json!({
        "name": stage.name, "unit": stage.unit, "items": stage.items,
        "flop": stage.flop(), "bytes": stage.bytes(),
        "seconds": stage.seconds, "median": seconds, "spread": stage.spread(),
        "rate": stage.items as f64 / seconds,
        "flop-per-second": stage.flop() / seconds,
        "bytes-per-second": stage.bytes() / seconds,
        "floor": floor(stage, best, fast),
        "device-memory": stage.device_memory,
        "share-of-ceiling": floor(stage, best, fast) / seconds,
    })
}

/// The most memory that this process ever held, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
