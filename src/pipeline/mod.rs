//! The flow as stages that are declared once, and a run that strings them together.
//!
//! A [`Stage`] says what it reads, what settings it has, what it writes, and how one becomes the other. A command does one
//! stage ([`perform`]); a [`Run`](runner::Run) does all of them in a folder, keeps a [`Record`](record::Record) of what
//! each was made from, by content, and does again only what would come out differently ([`plan`]).
//!
//! ```text
//! import → prepare (by sample, near copies) → split → learn (fitted on the training part, applied to the others)
//!   → test … (further matrices, imported and prepared) → train → evaluate → attribute → select … → fit
//!   → repeat … (the selection anew, their consensus, their stability) → compare → cluster → enrich → report
//! ```
//!
//! Every file in [`stages`] is one stage: its options (the struct that the command line and the TOML read), its settings, its
//! work. [`flow`] is the table that makes the stages of a configuration; a new stage is one file and one row there.

pub mod about;
pub mod beside;
pub mod choice;
pub mod config;
pub mod content;
pub mod cost;
pub mod flow;
pub mod init;
pub mod keys;
mod nearest;
pub mod plan;
pub mod record;
mod recorded;
pub mod report;
pub mod runner;
pub mod settings;
pub mod stages;
pub mod summary;
pub mod verify;

use std::path::{Path, PathBuf};

use cost::{Cost, Size};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::device::{self, Executor};
use crate::error::{Error, Result};
use crate::genes::sidecar;
use crate::nn::settings::Precision;
use crate::nn::train::Found;
use crate::progress::Reporter;
use crate::ranks::Ranks;
use crate::store::Store;
use crate::store::atomic::{self, Claim, Kind};
use settings::Match;

/// A piece of work: what it reads, what it writes, and what decides how one becomes the other.
pub trait Stage {
    /// What it is called in messages, in `run.json` and by `--from`.
    fn name(&self) -> String;

    /// The files and stores that it reads.
    fn inputs(&self) -> Vec<Input>;

    /// What defines its outputs besides the content of its inputs: no paths, no times.
    fn settings(&self) -> Value;

    /// What it writes: outputs that belong together.
    fn outputs(&self) -> Vec<Output>;

    /// Whether its numbers come from a device.
    fn computes(&self) -> bool {
        false
    }

    /// The precisions that its settings ask a device for.
    fn precisions(&self) -> Vec<Precision> {
        Vec::new()
    }

    /// Refuses a device that has not what the settings ask for, before anything is read.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the device.
    fn check_device(&self, device: &str) -> Result<()> {
        self.precisions().into_iter().try_for_each(|of| device::check_element(device, of.element()))
    }

    /// Refuses settings that cannot work, before anything is read.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the setting.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Refuses what cannot work on these data: too few genes, samples or groups. `store` is what the
    /// stages before this one made of the samples so far, so that hours are not lost on the way to the refusal.
    ///
    /// # Errors
    /// [`Error::Data`] or [`Error::Usage`] naming the numbers.
    fn check_data(&self, _store: &Store) -> Result<()> {
        Ok(())
    }

    /// Refuses what cannot work on so many samples, before there is a store of them.
    ///
    /// # Errors
    /// [`Error::Data`] or [`Error::Usage`] naming the numbers.
    fn check_counts(&self, _: &Size) -> Result<()> {
        Ok(())
    }

    /// The store that later stages of a run learn from, where this one makes it.
    fn hands_on(&self) -> Option<PathBuf> {
        None
    }

    /// What it takes, roughly, for so many samples and genes.
    fn cost(&self, _: &Size) -> Cost {
        Cost::default()
    }

    /// How it matches names of genes, where it does: those that were not found may be written to a table.
    fn matches_by(&self) -> Option<&Match> {
        None
    }

    /// Its outputs, as they are looked at and locked before the work begins.
    ///
    /// # Errors
    /// Inputs that give no names to outputs.
    fn claims(&self, force: bool) -> Result<Vec<atomic::Output<'static>>> {
        Ok(self.outputs().iter().flat_map(|output| output.claims(force)).collect())
    }

    /// Refuses outputs that are there, unless `force`, that cannot be written or that it reads, and keeps others from writing them as
    /// long as the claim lives. `beside` is what the command writes besides.
    ///
    /// # Errors
    /// Those of [`atomic::claim`].
    fn claim(&self, force: bool, beside: &[atomic::Output<'static>]) -> Result<Claim> {
        let read = read_by(self);
        let read: Vec<&Path> = read.iter().map(PathBuf::as_path).collect();
        let unmatched = self.matches_by().and_then(|names| names.matching().output(force));
        let own = self.claims(force)?.into_iter().chain(unmatched);
        let outputs: Vec<atomic::Output> = own.chain(beside.iter().cloned()).collect();
        atomic::claim(&outputs, &read)
    }

    /// Does the work and says what there is to tell of it.
    ///
    /// # Errors
    /// Those of the work.
    fn compute(&self, bench: &mut Workbench) -> Result<Value>;
}

/// What a stage reads, and the descriptions that may lie beside.
fn read_by<S: Stage + ?Sized>(stage: &S) -> Vec<PathBuf> {
    stage.inputs().into_iter().flat_map(|input| [sidecar::name(&input.path), input.path]).collect()
}

/// Something that a stage reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is to the stage, such as `labels`.
    pub role: String,
    /// A file, a store, or a folder of files.
    pub path: PathBuf,
}

impl Input {
    /// An input.
    pub fn new(role: &str, path: &Path) -> Input {
        Input { role: role.into(), path: path.to_path_buf() }
    }
}

/// Something that a stage writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A file.
    File(PathBuf),
    /// A store.
    Store(PathBuf),
    /// A folder with files of these names.
    Folder(PathBuf, &'static [&'static str]),
    /// A table and the description beside it.
    Table(PathBuf),
}

impl Output {
    /// The paths that it is made of.
    pub fn paths(&self) -> Vec<PathBuf> {
        match self {
            Output::File(path) | Output::Store(path) | Output::Folder(path, _) => vec![path.clone()],
            Output::Table(path) => vec![path.clone(), sidecar::name(path)],
        }
    }

    fn claims(&self, force: bool) -> Vec<atomic::Output<'static>> {
        match self {
            Output::File(path) => vec![atomic::Output::new(path, Kind::File, force)],
            Output::Store(path) => vec![atomic::Output::new(path, Kind::Store, force)],
            Output::Folder(path, files) => vec![atomic::Output::new(path, Kind::Folder(files), force)],
            Output::Table(path) => sidecar::outputs(path, force).to_vec(),
        }
    }
}

/// Where stages work: the device, opened when the first one needs it, and what they may do.
pub struct Workbench<'a> {
    device: String,
    threads: Option<usize>,
    /// Whether outputs that exist are replaced.
    pub force: bool,
    /// What becomes of checkpoints that an interrupted training left.
    pub found: Found,
    /// What the command writes besides its stage, such as a trace: claimed with the stage's outputs.
    pub beside: Vec<atomic::Output<'static>>,
    /// Who is told what happens.
    pub report: Reporter<'a>,
    /// Who works: every rank does the stage, and the first alone writes.
    pub ranks: Ranks,
    executor: Option<Box<dyn Executor>>,
}

impl<'a> Workbench<'a> {
    /// A workbench on a device (`auto`, `cpu`, `gpu`, …), with so many CPU threads or all.
    ///
    /// # Errors
    /// [`Error::Usage`] for no thread, and for a device that is none.
    pub fn new(device: &str, threads: Option<usize>, force: bool, report: Reporter<'a>) -> Result<Self> {
        device::check(device)?;
        limit_threads(threads)?;
        let found = if force { Found::Replace } else { Found::GoOn };
        let (device, beside, ranks) = (device.into(), Vec::new(), Ranks::alone());
        Ok(Workbench { device, threads, force, found, beside, report, ranks, executor: None })
    }

    /// The same for one of several ranks, on its own threads and adapter of those that its host has.
    ///
    /// # Errors
    /// As [`Workbench::new`].
    pub fn among(
        ranks: Ranks,
        device: &str,
        threads: Option<usize>,
        force: bool,
        report: Reporter<'a>,
    ) -> Result<Self> {
        let own = ranks.are_several().then(|| ranks.place().threads);
        let bench = Workbench::new(device, threads.or(own), force, report)?;
        Ok(Workbench { ranks, ..bench })
    }

    /// The device, with nothing on it.
    ///
    /// # Errors
    /// Those of [`device::open`].
    pub fn executor(&mut self) -> Result<&mut dyn Executor> {
        let mut executor = match self.executor.take() {
            Some(executor) => executor,
            None => device::open_for(self.ranks.place(), &self.device, self.threads, self.report)?,
        };
        executor.reset();
        Ok(&mut **self.executor.insert(executor))
    }

    /// The device as the last stage left it, if one used it.
    pub fn opened(&self) -> Option<&dyn Executor> {
        self.executor.as_deref()
    }

    /// What the device is called, once a stage used it.
    pub fn device_name(&self) -> Option<&str> {
        self.executor.as_ref().map(|executor| executor.name())
    }

    /// The device as it was asked for.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The threads as they were asked for.
    pub fn threads(&self) -> Option<usize> {
        self.threads
    }
}

/// Bounds the threads of what runs outside an executor. Works once in a process.
///
/// # Errors
/// [`Error::Usage`] for zero threads.
pub fn limit_threads(threads: Option<usize>) -> Result<()> {
    match threads {
        Some(0) => return Err(Error::Usage("--threads 0: at least one thread is needed".into())),
        // Refused where the pool already runs, which changes speed alone.
        Some(threads) => drop(rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()),
        None => {}
    }
    Ok(())
}

/// Does one stage by itself, as a command does: settings and outputs are checked before anything is read. Of several ranks the first
/// looks after the outputs.
///
/// # Errors
/// Those of the stage.
pub fn perform<T: DeserializeOwned>(stage: &dyn Stage, bench: &mut Workbench) -> Result<T> {
    stage.check()?;
    stage.check_device(bench.device())?;
    let _ours = bench.ranks.is_first().then(|| stage.claim(bench.force, &bench.beside)).transpose()?;
    told(stage.compute(bench)?)
}

/// What a stage hands on to be told.
fn facts(facts: impl Serialize) -> Value {
    serde_json::to_value(facts).expect("plain data become JSON")
}

/// What a stage told, as its own type.
fn told<T: DeserializeOwned>(facts: Value) -> Result<T> {
    serde_json::from_value(facts)
        .map_err(|e| Error::Data(format!("a stage's figures are not all numbers: {e}")))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    /// Imports run one way: what the files of a folder may name of the others, all of it further up; `pipeline` may name everything but the
    /// command line. One ring there is: tables are genes' and stores', what stands beside them is written as stores are, and unpacked as matrix
    /// files are.
    const MAY: [(&str, &[&str]); 18] = [
        ("ranks", &[]),
        ("report", &[]),
        ("genes", &["store", "formats"]),
        ("store", &["genes"]),
        ("device", &["ranks", "store"]),
        ("formats", &["genes", "store", "device"]),
        ("prepare", &["genes", "store", "device"]),
        ("evaluate", &["ranks", "genes", "store", "device"]),
        ("nn", &["ranks", "genes", "store", "device", "evaluate"]),
        ("attribution", &["ranks", "genes", "store", "device", "nn"]),
        ("select", &["genes", "store", "device", "nn", "attribution"]),
        ("infer", &["ranks", "genes", "store", "device", "prepare", "nn"]),
        ("enrich", &["genes", "device"]),
        ("explain", &["store", "device", "nn", "attribution", "infer"]),
        ("compare", &["genes", "store", "device", "prepare", "evaluate", "nn", "select", "infer"]),
        ("cluster", &["genes", "store", "device", "prepare", "evaluate", "select"]),
        ("figures", &["genes", "store", "device", "prepare", "select", "cluster"]),
        (
            "bench",
            &["ranks", "store", "device", "prepare", "evaluate", "nn", "attribution", "select", "infer"],
        ),
    ];
    /// The ring's pairs that name what is further down.
    const DOWN: [(&str, &str); 2] = [("genes", "store"), ("genes", "formats")];

    fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
        folder.read_dir().unwrap().flatten().map(|entry| entry.path())
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        entries(folder).flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn what_folders_may_name_is_further_up() {
        for (i, (folder, may)) in MAY.iter().enumerate() {
            for other in *may {
                let above = MAY[..i].iter().any(|(name, _)| name == other);
                assert!(above != DOWN.contains(&(*folder, *other)), "{folder} may name {other}");
            }
        }
    }

    #[test]
    fn imports_run_one_way_and_the_core_knows_no_command_line() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let folders = entries(&src).filter(|path| path.is_dir());
        let folders: Vec<String> =
            folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        for folder in folders.iter().filter(|folder| *folder != "cli") {
            let may = MAY.iter().find(|(name, _)| name == folder).map(|(_, may)| *may);
            assert!(may.is_some() || folder == "pipeline", "{folder}: say what it may name");
            let names = |other: &&String| match may {
                Some(may) => !may.contains(&other.as_str()),
                None => *other == "cli",
            };
            let not: Vec<&String> = folders.iter().filter(|other| *other != folder).filter(names).collect();
            // tests may look up
            let is_code = |file: &PathBuf| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                name.ends_with(".rs") && !name.ends_with("tests.rs")
            };
            for file in files(&src.join(folder)).into_iter().filter(is_code) {
                let text = std::fs::read_to_string(&file).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap();
                for other in &not {
                    let named = [format!("crate::{other}::"), format!("crate::{other};")];
                    assert!(
                        !named.iter().any(|name| text.contains(name)),
                        "{} names {other}",
                        file.display()
                    );
                }
                assert!(folder == "pipeline" || !text.contains("clap::"), "{} knows clap", file.display());
            }
        }
    }
}
