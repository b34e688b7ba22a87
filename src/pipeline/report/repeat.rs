//! What it takes to do the run again: the command, the configuration, versions and checksums.

use std::collections::HashSet;

use serde_json::Value;

use super::{Run, told_version};
use crate::report::{Block, Cell, Column, Copied, Fact, Section, Table};

pub fn section(run: &Run) -> Option<Section> {
    let record = &run.done.record;
    let mut blocks = Vec::new();
    if !record.command.is_empty() {
        let text = record.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        blocks.push(Block::Copied(Copied { title: "Command".into(), text, prose: false }));
    }
    let text = toml(&record.config);
    let title = "Configuration, changes of the command line included".to_string();
    blocks.push(Block::Copied(Copied { title, text, prose: false }));
    blocks.push(Block::Facts(versions(run)));
    blocks.push(Block::Table(checksums(run)));
    Section::new("again", "To do it again", blocks)
}

/// A word of a command as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// What a configuration says, as its file has it.
fn toml(config: &Value) -> String {
    let text = toml::Table::try_from(config).ok().and_then(|table| toml::to_string(&table).ok());
    text.unwrap_or_else(|| format!("{config:#}")).trim_end().into()
}

fn versions(run: &Run) -> Vec<Fact> {
    let record = &run.done.record;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let [system, architecture] = ["system", "architecture"].map(|key| text(&record.versions[key]));
    let device = text(&record.device["name"]);
    let mut facts = vec![
        Fact::new("genelift", told_version(record)),
        Fact::new("System", format!("{system}, {architecture}")),
        Fact::new("Seed", run.config.seed.to_string()),
    ];
    if !device.is_empty() {
        facts.push(Fact::new("Device", device));
    }
    facts
}

fn checksums(run: &Run) -> Table {
    let entries = run.stages().into_iter().filter(|name| run.has(name));
    let entries = entries.filter_map(|name| run.done.record.stage(name)).collect::<Vec<_>>();
    let made: HashSet<_> = entries.iter().flat_map(|entry| &entry.outputs).map(|known| &known.path).collect();
    let rows = entries.iter().flat_map(|entry| {
        let known = |word: &'static str| {
            move |known: &super::super::record::Known| {
                let path = known.path.display().to_string();
                [entry.name.as_str(), word, &path, &known.sha256].map(Cell::text).to_vec()
            }
        };
        // What a stage of the run wrote stands there already.
        let outside = entry.inputs.iter().filter(|known| !made.contains(&known.path));
        outside.map(known("read")).chain(entry.outputs.iter().map(known("wrote"))).collect::<Vec<_>>()
    });
    Table {
        id: "checksums",
        title: "Checksums".into(),
        caption: "SHA-256 of what was read and written; of a store, of its own checksums, and of a folder, of its files' names \
                  and checksums. genelift verify compares them."
            .into(),
        columns: ["Stage", "", "File", "SHA-256"].map(Column::words).to_vec(),
        rows: rows.collect(),
        shown: 12,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_and_configurations_can_be_pasted() {
        assert_eq!(["a/b.toml", "", "it's", "$x y"].map(quoted), ["a/b.toml", "''", "'it'\\''s'", "'$x y'"]);
        let text = toml(&json!({"import": {"files": ["a\u{1b}.csv"]}, "output": "x", "seed": 1}));
        assert_eq!(text, "output = \"x\"\nseed = 1\n\n[import]\nfiles = [\"a\\u001B.csv\"]");
        assert!(toml(&json!({"seed": u64::MAX})).contains("18446744073709551615"));
    }
}
