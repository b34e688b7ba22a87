//! What `genelift bench --calibrate` found to be faster than what an adapter or a processor gets without, kept by adapter and driver, and by processor.
//!
//! The file is `$GENELIFT_CALIBRATION` (empty, there is none), else `genelift/calibration.json` in the user's configuration directory.
//! A run reads it and never writes it, so equal commands give equal results until somebody calibrates again. A calibration replaces a file that
//! is no JSON, which it keeps beside; one that is JSON of another kind may be somebody's, or a later version's, and is left alone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cpu::{self, Way};
use super::gpu::{AdapterFacts, Tuning};
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};
use crate::store::atomic;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Calibrations {
    adapters: Vec<Entry>,
    #[serde(default)]
    processors: Vec<Processor>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    backend: String,
    driver: String,
    tuning: Tuning,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Processor {
    name: String,
    bf16: Way,
}

impl Entry {
    fn is_of(&self, facts: &AdapterFacts) -> bool {
        self.name == facts.name && self.backend == facts.backend && self.driver == facts.driver
    }
}

/// Names the file.
const VARIABLE: &str = "GENELIFT_CALIBRATION";

/// Where calibrations are kept; `None` where the variable is empty, or the system tells no home directory.
fn path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty());
    }
    let variable = if cfg!(windows) { "APPDATA" } else { "XDG_CONFIG_HOME" };
    let directory = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = directory.or_else(|| Some(std::env::home_dir()?.join(".config")))?;
    Some(directory.join("genelift/calibration.json"))
}

/// What the file holds, where it is a calibration; where there is no file, none of any.
fn parsed(path: &Path) -> Result<serde_json::Result<Calibrations>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Ok(Calibrations::default())),
        Err(e) => Err(Error::io(path, "reading")(e)),
    }
}

fn read(path: &Path) -> Result<Calibrations> {
    parsed(path)?.map_err(|e| {
        let remedy = match e.is_data() {
            true => "remove it, or calibrate anew after that",
            false => "calibrate anew (genelift bench --calibrate), or remove it",
        };
        Error::input(path, format!("is not a calibration ({e}); {remedy}"))
    })
}

/// What a calibration is added to; and, where the file is no JSON (cut short, or written over), where it is to be kept and what is wrong with it.
fn before(path: &Path) -> Result<(Calibrations, Option<(PathBuf, serde_json::Error)>)> {
    match parsed(path)? {
        Err(e) if !e.is_data() => {
            let mut beside = path.to_path_buf().into_os_string();
            beside.push(".damaged");
            let beside = PathBuf::from(beside);
            if beside.symlink_metadata().is_ok() {
                let there = beside.display();
                let message = format!(
                    "is not a calibration ({e}) and cannot be kept as {there}, which is there; remove either"
                );
                return Err(Error::input(path, message));
            }
            Ok((Calibrations::default(), Some((beside, e))))
        }
        _ => Ok((read(path)?, None)),
    }
}

/// The table stored for this adapter and driver.
///
/// # Errors
/// [`Error::Input`] and [`Error::Io`] for a file that is there and cannot be read.
pub fn load(facts: &AdapterFacts) -> Result<Option<Tuning>> {
    let Some(path) = path() else { return Ok(None) };
    let found = read(&path)?.adapters.into_iter().find(|entry| entry.is_of(facts));
    match found {
        Some(entry) if !entry.tuning.is_valid() => Err(Error::input(
            path,
            format!(
                "has tiles for {} that no kernel is made of; calibrate anew (genelift bench --calibrate), or remove it",
                facts.name
            ),
        )),
        found => Ok(found.map(|entry| entry.tuning)),
    }
}

/// How this processor multiplies bf16, where that is stored and it can; else it is [`Way::usual`].
///
/// # Errors
/// [`Error::Input`] and [`Error::Io`] for a file that is there and cannot be read.
pub fn load_way() -> Result<Option<Way>> {
    let Some(path) = path() else { return Ok(None) };
    let name = cpu::processor();
    let stored = read(&path)?.processors.into_iter().find(|entry| entry.name == name);
    Ok(stored.map(|entry| entry.bf16).filter(|way| way.is_here()))
}

/// The file that a calibration goes to.
///
/// # Errors
/// [`Error::Usage`] where there is none; [`Error::Input`] and [`Error::Io`] for one that is there and cannot be replaced.
pub fn place() -> Result<PathBuf> {
    let path = path().ok_or_else(|| {
        let why = match std::env::var_os(VARIABLE) {
            Some(_) => "is empty, so there is no file to keep a calibration in; set it to one, or unset it",
            None => "is not set, and there is no home directory to keep a calibration in; set it to a file",
        };
        Error::Usage(format!("{VARIABLE} {why}"))
    })?;
    before(&path)?;
    Ok(path)
}

/// Stores a table, in place of an earlier one for this adapter and driver; the file that it went to.
///
/// # Errors
/// As [`place`].
pub fn store(facts: &AdapterFacts, tuning: Tuning, report: Reporter) -> Result<PathBuf> {
    change(report, |all| {
        all.adapters.retain(|entry| !entry.is_of(facts));
        let (name, backend, driver) = (facts.name.clone(), facts.backend.clone(), facts.driver.clone());
        all.adapters.push(Entry { name, backend, driver, tuning });
    })
}

/// Stores how this processor multiplies bf16, in place of what was; the file that it went to.
///
/// # Errors
/// As [`store`].
pub fn store_way(bf16: Way, report: Reporter) -> Result<PathBuf> {
    let name = cpu::processor();
    change(report, |all| {
        all.processors.retain(|entry| entry.name != name);
        all.processors.push(Processor { name, bf16 });
    })
}

fn change(report: Reporter, change: impl FnOnce(&mut Calibrations)) -> Result<PathBuf> {
    let path = place()?;
    let (mut all, damaged) = before(&path)?;
    change(&mut all);
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(Error::io(directory, "creating"))?;
    }
    let text = serde_json::to_string_pretty(&all).expect("plain data") + "\n";
    if let Some((beside, why)) = damaged {
        std::fs::rename(&path, &beside).map_err(Error::io(&path, "setting aside"))?;
        report(Event::Warning(format!(
            "{}: is not a calibration ({why}) and is replaced; what it held is kept as {}",
            path.display(),
            beside.display()
        )));
    }
    atomic::write_text(&path, &text)?;
    Ok(path)
}
