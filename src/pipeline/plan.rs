//! Whether a stage is kept or done, and why, in words.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::content::Contents;
use super::record::{Entry, Known, version};
use super::{Input, Stage};
use crate::visible;

/// What becomes of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// All that it was made from is the same, and its outputs are what they were.
    Keep,
    /// It is done.
    Do(Why),
}

/// Why a stage is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It never was.
    New,
    /// It was begun and did not come to its end.
    Unfinished,
    /// `--from` or `--force` asks for it.
    Asked,
    /// Something is not as it was.
    Changed(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Why::New => f.write_str("for the first time"),
            Why::Unfinished => f.write_str("was begun and did not come to its end"),
            Why::Asked => f.write_str("asked for"),
            Why::Changed(what) => f.write_str(&visible::line(what)),
        }
    }
}

/// What a stage is made from, at this moment.
pub struct Now {
    /// What it reads; without a checksum where there is nothing yet.
    pub inputs: Vec<(Input, Option<String>)>,
    /// Its settings.
    pub settings: Value,
}

impl Now {
    /// Looks at the stage's inputs. `device` is the one that was asked for, which is a setting of what computes on it.
    pub fn of(stage: &dyn Stage, device: &str, contents: &mut Contents) -> Now {
        let inputs = stage.inputs().into_iter().map(|input| {
            let sum = contents.of(&input.path);
            (input, sum)
        });
        let mut settings = stage.settings();
        if stage.computes() {
            settings["device"] = device.into();
        }
        Now { inputs: inputs.collect(), settings }
    }

    /// What is not as it was when `entry` was made: the first difference, in words.
    pub fn difference(&self, entry: &Entry) -> Option<String> {
        if entry.version != version() {
            return Some(format!("program version {} → {}", entry.version, version()));
        }
        if let Some((key, old, new)) = difference("", &entry.settings, &self.settings) {
            return Some(format!("{key} {old} → {new}"));
        }
        let roles = |role: &str| (entry.inputs.iter().filter(|known| known.role == role)).collect::<Vec<_>>();
        for (i, (input, sum)) in self.inputs.iter().enumerate() {
            let nth = self.inputs[..i].iter().filter(|(other, _)| other.role == input.role).count();
            let name = name(&input.path);
            match (roles(&input.role).get(nth), sum) {
                (Some(known), Some(sum)) if known.sha256 == *sum => {}
                (Some(_), Some(_)) => return Some(format!("{name} ({}) changed", input.role)),
                (_, None) => return Some(format!("{name} ({}) is missing", input.role)),
                (None, Some(_)) => return Some(format!("{name} ({}) is new", input.role)),
            }
        }
        let gone = entry.inputs.len().checked_sub(self.inputs.len()).filter(|n| *n > 0);
        gone.map(|n| {
            format!("{n} of what it was made from {} not named any more", if n == 1 { "is" } else { "are" })
        })
    }
}

/// An output that is not what was recorded, in words. `folder` is the run's.
pub fn spoilt(entry: &Entry, outputs: &[PathBuf], folder: &Path, contents: &mut Contents) -> Option<String> {
    for path in outputs {
        let within = within(path, folder);
        let name = within.display();
        let Some(known) = entry.outputs.iter().find(|known| known.path == within) else {
            return Some(format!("{name} is new"));
        };
        match contents.of(path) {
            Some(sum) if sum == known.sha256 => {}
            Some(_) => return Some(format!("{name} has other bytes than were recorded")),
            None if path.symlink_metadata().is_ok() => return Some(format!("{name} is damaged")),
            None => return Some(format!("{name} is missing")),
        }
    }
    None
}

/// Why a table of names that were not found is to be made, in words. `folder` is the run's, both without links.
pub fn lacks(entry: &Entry, table: &Path, folder: &Path) -> Option<String> {
    let what = match entry.unmatched.as_deref() == Some(within(table, folder).as_path()) {
        false => "new",
        true if !table.exists() => "missing",
        true => return None,
    };
    Some(format!("{} (unmatched) is {what}", name(table)))
}

/// A path as the record has it: from the run's folder where it is inside.
pub fn within(path: &Path, folder: &Path) -> PathBuf {
    path.strip_prefix(folder).unwrap_or(path).to_path_buf()
}

/// What is known of paths, by role.
pub fn known(inputs: &[(Input, Option<String>)], folder: &Path) -> Vec<Known> {
    let known = |(input, sum): &(Input, Option<String>)| Known {
        role: input.role.clone(),
        path: within(&input.path, folder),
        sha256: sum.clone().unwrap_or_default(),
    };
    inputs.iter().map(known).collect()
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The first key of two settings that differs, with both values.
fn difference(key: &str, old: &Value, new: &Value) -> Option<(String, String, String)> {
    if let (Value::Object(a), Value::Object(b)) = (old, new) {
        let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
        keys.sort();
        let at =
            |values: &serde_json::Map<String, Value>, key: &str| values.get(key).cloned().unwrap_or_default();
        return keys.into_iter().find_map(|part| {
            let key = if key.is_empty() { part.clone() } else { format!("{key}.{part}") };
            difference(&key, &at(a, part), &at(b, part))
        });
    }
    let shown = |value: &Value| match value {
        Value::Null => "not said".to_string(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    // Numbers are compared as they are written.
    (shown(old) != shown(new)).then(|| (key.to_string(), shown(old), shown(new)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_setting_that_differs_is_named() {
        let old = json!({"train": {"epochs": 5, "hidden": [9, 3]}, "seed": 1});
        assert_eq!(difference("", &old, &old), None);
        let differ = |new: Value| difference("", &old, &new).map(|(key, a, b)| format!("{key} {a} → {b}"));
        let new = json!({"train": {"epochs": 6, "hidden": [9, 3]}, "seed": 1});
        assert_eq!(differ(new).as_deref(), Some("train.epochs 5 → 6"));
        assert!(differ(json!({"train": 1, "seed": 1})).is_some());
        let new = json!({"train": {"epochs": 5, "hidden": [9, 3], "l2": 0.1}, "seed": 1});
        assert_eq!(differ(new).as_deref(), Some("train.l2 not said → 0.1"));
    }
}
