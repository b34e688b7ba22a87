//! A run's configuration: a TOML file, `--set` changes, and the settings that follow.
//!
//! Paths in the file are relative to the file's directory.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::repeats;
use crate::attribution::Reference;
use crate::cli::{Preset, attribute, import, select, split, train};
use crate::error::{Error, Result};
use crate::select::Strategy;

/// Everything that the file says, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory that everything is written to.
    pub output: PathBuf,
    /// Of every random choice.
    pub seed: u64,
    /// As `--device`.
    pub device: String,
    /// As `--threads`.
    pub threads: Option<usize>,
    /// The matrix files.
    pub files: Vec<PathBuf>,
    /// How to read them.
    pub import: import::Options,
    /// How to split the samples.
    pub split: split::Options,
    /// How to train.
    pub train: train::Options,
    /// How to attribute.
    pub attribute: attribute::Options,
    /// How many landmarks.
    pub landmarks: usize,
    /// Lists that bind the selection.
    pub select: select::Options,
    /// How often to select again.
    pub stability: repeats::Options,
}

impl Config {
    /// Reads `path` and applies `--set` changes, each `KEY=VALUE` with a dotted key.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] naming the key that is unknown, missing or of the wrong type.
    pub fn read(path: &Path, changes: &[String]) -> Result<Config> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "reading the configuration"))?;
        let mut table: Table =
            text.parse().map_err(|e: toml::de::Error| Error::input(path, e.to_string()))?;
        changes.iter().try_for_each(|change| set(&mut table, change))?;

        let mut file = File { path, table };
        let preset: Option<Preset> = file.take("preset")?;
        let mut sections = Vec::new();
        for name in ["import", "split", "train", "attribute", "select", "stability"] {
            let table = file.take::<Table>(name)?.unwrap_or_default();
            sections.push(Section { file: path, name, table });
        }
        let [mut import, split, train, attribute, mut select, stability] =
            <[Section; 6]>::try_from(sections).unwrap_or_else(|_| unreachable!("six names, six sections"));
        let place = Place(path.parent().unwrap_or(Path::new("")));
        let files: Vec<PathBuf> = import.require("files")?;
        let landmarks = select.require("n")?;
        let mut config = Config {
            output: place.resolve(&file.require::<PathBuf>("output")?),
            seed: file.take("seed")?.unwrap_or(0),
            device: file.take("device")?.unwrap_or_else(|| "auto".into()),
            threads: file.take("threads")?,
            files: files.iter().map(|f| place.resolve(f)).collect(),
            import: import.options()?,
            split: split.options()?,
            train: train.options()?,
            attribute: attribute.options()?,
            landmarks,
            select: select.options()?,
            stability: stability.options()?,
        };
        file.nothing_left()?;
        config.train.preset = config.train.preset.or(preset);
        config.attribute.preset = config.attribute.preset.or(preset);
        if preset == Some(Preset::Paper) {
            config.select.strategy.get_or_insert(Strategy::Top);
        }
        let import = &mut config.import;
        let genes = import.only_genes.take_if(|list| list.as_os_str() == "l1000");
        for path in [
            &mut import.labels,
            &mut import.genes,
            &mut import.samples,
            &mut import.only_samples,
            &mut import.only_genes,
        ] {
            *path = path.as_ref().map(|p| place.resolve(p));
        }
        import.only_genes = genes.or(import.only_genes.take());
        if let Some(Reference::Store(path)) = &mut config.attribute.reference {
            *path = place.resolve(path);
        }
        if let Some(text) = config.train.validation.as_mut().filter(|text| text.parse::<f64>().is_err()) {
            *text = place.resolve(Path::new(text)).display().to_string();
        }
        for list in config.select.include.iter_mut().chain(&mut config.select.exclude) {
            if list != "l1000" {
                *list = place.resolve(Path::new(list)).display().to_string();
            }
        }
        Ok(config)
    }
}

/// The configuration file's directory.
struct Place<'a>(&'a Path);

impl Place<'_> {
    /// `path` seen from the file's directory, without `x/..` detours in what messages show.
    fn resolve(&self, path: &Path) -> PathBuf {
        let mut out = PathBuf::new();
        for part in self.0.join(path).components() {
            match part {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir
                    if matches!(out.components().next_back(), Some(std::path::Component::Normal(_))) =>
                {
                    out.pop();
                }
                part => out.push(part),
            }
        }
        out
    }
}

/// The file's top level, from which keys are taken.
struct File<'a> {
    path: &'a Path,
    table: Table,
}

impl File<'_> {
    fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        take(self.path, "", &mut self.table, key)
    }

    fn require<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        self.take(key)?.ok_or_else(|| Error::input(self.path, format!("the key \"{key}\" is missing")))
    }

    fn nothing_left(&self) -> Result<()> {
        match self.table.keys().next() {
            None => Ok(()),
            Some(key) => Err(Error::input(
                self.path,
                format!(
                    "unknown key \"{key}\"; there are output, seed, device, threads, preset and the tables import, split, train, attribute, select, stability"
                ),
            )),
        }
    }
}

/// One table of the file.
struct Section<'a> {
    file: &'a Path,
    name: &'static str,
    table: Table,
}

impl Section<'_> {
    fn require<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        let value = take(self.file, self.name, &mut self.table, key)?;
        value.ok_or_else(|| {
            Error::input(self.file, format!("the key \"{key}\" is missing in the table [{}]", self.name))
        })
    }

    fn options<T: DeserializeOwned>(self) -> Result<T> {
        Value::Table(self.table).try_into().map_err(|e: toml::de::Error| {
            Error::input(self.file, format!("table [{}]: {}", self.name, e.message()))
        })
    }
}

fn take<T: DeserializeOwned>(path: &Path, section: &str, table: &mut Table, key: &str) -> Result<Option<T>> {
    let Some(value) = table.remove(key) else { return Ok(None) };
    let place = if section.is_empty() { key.to_string() } else { format!("{section}.{key}") };
    match value.try_into() {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(Error::input(path, format!("key \"{place}\": {}", error.message()))),
    }
}

/// Applies `a.b=VALUE`; a value that is not TOML is text.
fn set(table: &mut Table, change: &str) -> Result<()> {
    let usage =
        |why: &str| Error::Usage(format!("--set {change}: {why}; give KEY=VALUE, e.g. train.epochs=20"));
    let (key, text) = change.split_once('=').ok_or_else(|| usage("no ="))?;
    let value = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_string()));
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().filter(|last| !last.is_empty()).ok_or_else(|| usage("no key"))?;
    let mut place = table;
    for part in parts {
        let entry = place.entry(part.to_string()).or_insert_with(|| Value::Table(Table::new()));
        place = entry.as_table_mut().ok_or_else(|| usage("its parent is not a table"))?;
    }
    place.insert(last.to_string(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "output = \"../out\"\npreset = \"paper\"\n[import]\nfiles = [\"m.csv\"]\nlabels = \"sub/l.csv\"\n[train]\nepochs = 3\nvalidation = 0.2\n[select]\nn = 5\n";

    fn read(text: &str, changes: &[&str]) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conf").join("run.toml");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let changes: Vec<String> = changes.iter().map(|c| c.to_string()).collect();
        Config::read(&path, &changes)
    }

    #[test]
    fn paths_presets_and_changes() {
        let config = read(FILE, &["train.epochs=7", "train.hidden=[9, 3, 9]", "device=cpu"]).unwrap();
        assert!(config.output.ends_with("out") && !config.output.to_string_lossy().contains(".."));
        assert!(config.files[0].ends_with("conf/m.csv"));
        assert!(config.import.labels.unwrap().ends_with("conf/sub/l.csv"));
        assert_eq!((config.train.epochs, config.train.preset), (Some(7), Some(Preset::Paper)));
        assert_eq!(config.train.hidden, Some(vec![9, 3, 9]));
        assert_eq!(config.train.validation.as_deref(), Some("0.2"));
        assert_eq!(config.attribute.preset, Some(Preset::Paper));
        assert_eq!((config.device.as_str(), config.landmarks), ("cpu", 5));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str, changes: &[&str]| read(text, changes).unwrap_err().to_string();
        assert!(message("output = 1\n", &[]).contains("key \"files\" is missing in the table [import]"));
        assert!(message(FILE, &["train.epoch=3"]).contains("table [train]: unknown field `epoch`"));
        assert!(message(FILE, &["train.epochs=x"]).contains("table [train]"));
        assert!(message(FILE, &["sead=1"]).contains("unknown key \"sead\""));
        assert!(message(FILE, &["seed=x"]).contains("key \"seed\""));
        assert!(message(FILE, &["seed"]).contains("no ="));
        assert!(message(FILE, &["select.n=-1"]).contains("key \"select.n\""));
        assert!(message("output = \"x\n", &[]).contains("run.toml"));
    }
}
