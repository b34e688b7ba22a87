//! `run.json`: what a run did and what it was made from, so that it can be told, checked and gone on with.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::store::atomic;

/// The file's name in the run's folder.
pub const NAME: &str = "run.json";

/// What the file says it is.
const FORMAT: &str = "genelift run";

/// The contents of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Always `"genelift run"`.
    pub format: String,
    /// This program's version, and the machine's system and architecture.
    pub versions: Value,
    /// The configuration as it was read.
    pub config: Value,
    /// The command that asked for it, word by word.
    #[serde(default)]
    pub command: Vec<String>,
    /// The device that computed last: as asked for, and its name.
    pub device: Value,
    /// One entry a stage that was begun, in order.
    pub stages: Vec<Entry>,
}

impl Default for Record {
    fn default() -> Self {
        let (system, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
        Record {
            format: FORMAT.into(),
            versions: json!({"genelift": version(), "system": system, "architecture": architecture}),
            config: Value::Null,
            command: Vec::new(),
            device: Value::Null,
            stages: Vec::new(),
        }
    }
}

/// This program's version.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// One stage of a run: what it was made from, and what it made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The stage.
    pub name: String,
    /// Of the program that did it.
    pub version: String,
    /// What defines the outputs besides the inputs.
    pub settings: Value,
    /// What was read, in order.
    pub inputs: Vec<Known>,
    /// What was written, in order; empty until the stage came to its end.
    pub outputs: Vec<Known>,
    /// The table of names that were not found that was last asked for; none of the outputs, as nothing is made from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmatched: Option<PathBuf>,
    /// Whether it came to its end.
    pub finished: bool,
    /// Wall time.
    pub seconds: f64,
    /// What there is to tell.
    pub facts: Value,
}

/// A file, a store or a folder by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What it is to the stage.
    pub role: String,
    /// Where it was; inside the run's folder from there.
    pub path: PathBuf,
    /// SHA-256 of the content.
    pub sha256: String,
}

impl Record {
    /// The record of a folder; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Input`] for a file that is damaged or of another program's; [`Error::Io`].
    pub fn read(folder: &Path) -> Result<Option<Record>> {
        let file = folder.join(NAME);
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&file, "reading")(error)),
        };
        let damaged = |what: String| {
            Error::input(
                &file,
                format!("is no record of a run ({what}); pass --force to start anew, or name another output"),
            )
        };
        let record: Record = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        match record.format == FORMAT {
            true => Ok(Some(record)),
            false => Err(damaged(format!("its format is {:?}", record.format))),
        }
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        let file = folder.join(NAME);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::input(&file, format!("cannot be written as JSON: {e}")))?;
        atomic::write_text(&file, &format!("{text}\n"))
    }

    /// A stage's entry.
    pub fn stage(&self, name: &str) -> Option<&Entry> {
        self.stages.iter().find(|entry| entry.name == name)
    }

    /// Puts an entry in the place of the stage's last one, or at the end.
    pub fn put(&mut self, entry: Entry) {
        match self.stages.iter_mut().find(|other| other.name == entry.name) {
            Some(other) => *other = entry,
            None => self.stages.push(entry),
        }
    }
}
