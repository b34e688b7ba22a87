//! What `genelift bench --calibrate` found to be faster than what an adapter or a processor gets without, kept by adapter and driver, and by processor.
//!
//! The file is `$GENELIFT_CALIBRATION` (empty, there is none), else `genelift/calibration.json` in the user's configuration directory.
//! A run reads it and never writes it, so equal commands give equal results until somebody calibrates again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cpu::{self, Way};
use super::gpu::{AdapterFacts, Tuning};
use crate::error::{Error, Result};
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

fn read(path: &Path) -> Result<Calibrations> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
            Error::input(path, format!("is not a calibration ({e}); remove it, or calibrate anew after that"))
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Calibrations::default()),
        Err(e) => Err(Error::io(path, "reading")(e)),
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
                "has tiles for {} that no kernel is made of; calibrate anew after removing it",
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
/// [`Error::Usage`] where there is none.
pub fn place() -> Result<PathBuf> {
    path().ok_or_else(|| {
        let why = match std::env::var_os(VARIABLE) {
            Some(_) => "is empty, so there is no file to keep a calibration in; set it to one, or unset it",
            None => "is not set, and there is no home directory to keep a calibration in; set it to a file",
        };
        Error::Usage(format!("{VARIABLE} {why}"))
    })
}

/// Stores a table, in place of an earlier one for this adapter and driver; the file that it went to.
///
/// # Errors
/// [`Error::Input`] for a file that is there and cannot be read; [`Error::Io`].
pub fn store(facts: &AdapterFacts, tuning: Tuning) -> Result<PathBuf> {
    change(|all| {
        all.adapters.retain(|entry| !entry.is_of(facts));
        let (name, backend, driver) = (facts.name.clone(), facts.backend.clone(), facts.driver.clone());
        all.adapters.push(Entry { name, backend, driver, tuning });
    })
}

/// Stores how this processor multiplies bf16, in place of what was; the file that it went to.
///
/// # Errors
/// As [`store`].
pub fn store_way(bf16: Way) -> Result<PathBuf> {
    let name = cpu::processor();
    change(|all| {
        all.processors.retain(|entry| entry.name != name);
        all.processors.push(Processor { name, bf16 });
    })
}

fn change(change: impl FnOnce(&mut Calibrations)) -> Result<PathBuf> {
    let path = place()?;
    let mut all = read(&path)?;
    change(&mut all);
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(Error::io(directory, "creating"))?;
    }
    let text = serde_json::to_string_pretty(&all).expect("plain data") + "\n";
    atomic::write_text(&path, &text)?;
    Ok(path)
}
