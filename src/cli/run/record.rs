//! `run.json`: what a run did, stage by stage, so that it can be told, checked and taken up again.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};
use crate::store::atomic::{self, Workplace};

/// The stages, in order.
pub const STAGES: [&str; 6] = ["import", "split", "train", "evaluate", "attribute", "select"];

/// What follows them: the selection's repeats, a stage each, together under this name.
pub const REPEATS: &str = "repeats";

/// The contents of `run.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Record {
    /// This program's version, and the machine's system and architecture.
    pub versions: Value,
    /// The configuration with every setting resolved.
    pub config: Value,
    /// The device that computed last.
    pub device: Value,
    /// One entry a stage that was begun, in order.
    pub stages: Vec<Stage>,
    /// How much the repeated selections agree.
    #[serde(default)]
    pub stability: Value,
}

/// One stage of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    /// One of [`STAGES`], or `repeat N`.
    pub name: String,
    /// Of the stage's settings and everything before it.
    pub fingerprint: String,
    /// Whether it came to its end.
    pub finished: bool,
    /// Wall time.
    pub seconds: f64,
    /// Its figures.
    pub results: Value,
}

/// A run's directory, and what was done in it.
pub struct Directory<'a> {
    path: PathBuf,
    /// Nobody else works in it meanwhile.
    _ours: Workplace,
    /// What was done, written after every stage.
    pub record: Record,
    force: bool,
    /// Stages from this one on are done again.
    from: usize,
    done: usize,
    fingerprint: String,
    report: Reporter<'a>,
}

impl<'a> Directory<'a> {
    /// Opens or makes the directory. `from` names the first stage that is done again.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unknown stage; [`Error::Exists`] for a directory that is not a run's;
    /// [`Error::Input`] for a damaged record; [`Error::Io`].
    pub fn open(path: &Path, from: Option<&str>, force: bool, report: Reporter<'a>) -> Result<Self> {
        let from = match from {
            None => usize::MAX,
            Some(REPEATS) => STAGES.len(),
            Some(name) => STAGES.iter().position(|stage| *stage == name).ok_or_else(|| {
                Error::Usage(format!(
                    "--from {name}: there is no such stage; there are {}, {REPEATS}",
                    STAGES.join(", ")
                ))
            })?,
        };
        let ours = Workplace::open(path)?;
        let file = path.join("run.json");
        let record = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::input(&file, format!("is damaged ({e}); remove it and pass --force to start anew"))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let occupied = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
                if occupied && !force {
                    return Err(Error::Exists(path.to_path_buf()));
                }
                Record::default()
            }
            Err(error) => return Err(Error::io(&file, "reading")(error)),
        };
        Ok(Directory {
            path: path.to_path_buf(),
            _ours: ours,
            record,
            force,
            from,
            done: 0,
            fingerprint: String::new(),
            report,
        })
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Does the next stage, unless it was done with the same settings after the same stages; returns its
    /// figures. The directory is the run's own, so `work` may replace what is there.
    ///
    /// # Errors
    /// [`Error::Data`] where the stage's outputs are those of other settings and neither `--force` nor
    /// `--from` allows to replace them; those of `work`.
    pub fn stage(
        &mut self,
        settings: Value,
        outputs: &[&str],
        work: impl FnOnce(&mut Self) -> Result<Value>,
    ) -> Result<Value> {
        let index = self.done;
        let (name, group) = match STAGES.get(index) {
            Some(name) => (name.to_string(), *name),
            None => (format!("repeat {}", index + 1 - STAGES.len()), REPEATS),
        };
        self.done += 1;
        let key = format!("{}\n{name}\n{settings}", self.fingerprint);
        self.fingerprint = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(key.as_bytes()));
        let there = outputs.iter().all(|output| self.file(output).exists());
        let earlier = self.record.stages.get(index).cloned();
        let same = earlier.as_ref().is_some_and(|stage| stage.fingerprint == self.fingerprint);
        if let Some(stage) = &earlier
            && same
            && stage.finished
            && there
            && index < self.from
        {
            (self.report)(Event::Note(format!("{name}: done before, kept")));
            return Ok(stage.results.clone());
        }
        if earlier.is_some() && !same && index < self.from && !self.force {
            return Err(Error::Data(format!(
                "{} holds a run with other settings or data from the stage {name} on; pass --force or --from {group} to replace it, or name another output",
                self.path.display()
            )));
        }
        self.record.stages.truncate(index);
        let fingerprint = self.fingerprint.clone();
        let mut stage =
            Stage { name: name.clone(), fingerprint, finished: false, seconds: 0.0, results: Value::Null };
        self.record.stages.push(stage.clone());
        self.save()?;
        let started = Instant::now();
        let results = work(self)?;
        stage.finished = true;
        stage.seconds = started.elapsed().as_secs_f64();
        stage.results = results.clone();
        (self.report)(Event::Note(format!("{name}: {:.1} s", stage.seconds)));
        self.record.stages[index] = stage;
        self.save()?;
        Ok(results)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self) -> Result<()> {
        let file = self.file("run.json");
        let text = serde_json::to_string_pretty(&self.record)
            .map_err(|e| Error::input(&file, format!("cannot be written as JSON: {e}")))?;
        atomic::write_file(&file, true, |out| writeln!(out, "{text}").map_err(Error::io(&file, "writing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;
    use serde_json::json;

    /// Runs three stages with the given settings; returns which did work.
    fn go(dir: &Path, settings: [u32; 3], from: Option<&str>, force: bool) -> Result<Vec<usize>> {
        let mut run = Directory::open(dir, from, force, &silent)?;
        let mut worked = Vec::new();
        for (i, setting) in settings.into_iter().enumerate() {
            let name = format!("out{i}");
            run.stage(json!(setting), &[&name], |run| {
                worked.push(i);
                std::fs::write(run.file(&name), "x").unwrap();
                if setting == 99 { Err(Error::Data("stop".into())) } else { Ok(json!(i)) }
            })?;
        }
        Ok(worked)
    }

    #[test]
    fn what_is_done_is_kept_and_what_changed_is_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert_eq!(go(dir, [1, 2, 3], None, false).unwrap(), [0, 1, 2]);
        assert_eq!(go(dir, [1, 2, 3], None, false).unwrap(), [0usize; 0]);
        assert_eq!(go(dir, [1, 2, 3], Some("split"), false).unwrap(), [1, 2]);
        std::fs::remove_file(dir.join("out1")).unwrap();
        assert_eq!(go(dir, [1, 2, 3], None, false).unwrap(), [1, 2]);
        let message = go(dir, [1, 5, 3], None, false).unwrap_err().to_string();
        assert!(message.contains("from the stage split on"), "{message}");
        assert_eq!(go(dir, [1, 5, 3], None, true).unwrap(), [1, 2]);
        assert!(
            go(dir, [1, 5, 3], Some("nothing"), false).unwrap_err().to_string().contains("there are import")
        );
    }

    #[test]
    fn an_interrupted_stage_is_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert!(go(dir, [1, 99, 3], None, false).is_err());
        assert!(go(dir, [1, 99, 3], None, false).unwrap_err().to_string().contains("stop"));
        std::fs::remove_file(dir.join("run.json")).unwrap();
        assert!(matches!(go(dir, [1, 2, 3], None, false), Err(Error::Exists(_))));
    }
}
