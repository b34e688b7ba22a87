//! A configuration file's tables as the options of stages: paths are resolved, mistakes told with their key.

use std::path::{Component, Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{ImportTable, TABLES, TestTable};
use crate::error::{Error, Result};
use crate::pipeline::nearest::nearest;
use crate::pipeline::settings::{General, Options, is_file};
use crate::pipeline::stages::select;

/// The configuration file's directory.
struct Place<'a>(&'a Path);

impl Place<'_> {
    /// `path` seen from the file's directory, without `x/..` detours in what messages show.
    fn resolve(&self, path: &Path) -> PathBuf {
        let mut out = PathBuf::new();
        for part in self.0.join(path).components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir
                    if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
                {
                    out.pop();
                }
                part => out.push(part),
            }
        }
        out
    }

    /// Resolves the names of files among a table's values.
    fn resolve_in(&self, table: &mut Table, keys: &[&str]) {
        for key in keys {
            match table.get_mut(*key) {
                Some(Value::String(text)) => self.resolve_text(text),
                Some(Value::Array(values)) => values.iter_mut().for_each(|value| {
                    if let Value::String(text) = value {
                        self.resolve_text(text);
                    }
                }),
                _ => {}
            }
        }
    }

    fn resolve_text(&self, text: &mut String) {
        let there = self.resolve(Path::new(&*text));
        if is_file(text) || there.exists() {
            *text = there.display().to_string();
        }
    }
}

/// The file's tables, which are taken out one by one.
pub(super) struct File<'a> {
    path: &'a Path,
    place: Place<'a>,
    table: Table,
}

impl<'a> File<'a> {
    /// The tables of the file at `path`.
    pub(super) fn new(path: &'a Path, table: Table) -> File<'a> {
        File { path, place: Place(path.parent().unwrap_or(Path::new(""))), table }
    }

    /// Takes a table; an empty one where there is none.
    pub(super) fn take(&mut self, name: &str) -> Result<Table> {
        match self.table.remove(name) {
            None => Ok(Table::new()),
            Some(Value::Table(table)) => Ok(table),
            Some(other) => {
                let message =
                    format!("key \"{name}\": expected a table [{name}], found {}", other.type_str());
                Err(Error::input(self.path, message))
            }
        }
    }

    /// Takes the options of a stage.
    pub(super) fn options<O: Options>(&mut self, name: &str) -> Result<O> {
        let table = self.take(name)?;
        self.read(name, table)
    }

    /// Takes one key out of a table.
    pub(super) fn key<T: DeserializeOwned>(
        &self,
        name: &str,
        table: &mut Table,
        key: &str,
        files: &[&str],
    ) -> Result<Option<T>> {
        let Some(value) = table.remove(key) else { return Ok(None) };
        let mut alone = Table::from_iter([(key.to_string(), value)]);
        self.place.resolve_in(&mut alone, files);
        let value = alone.remove(key).expect("it was put there");
        let wrong = |e: toml::de::Error| {
            Error::input(self.path, format!("table [{name}]: key \"{key}\": {}", e.message()))
        };
        value.try_into().map(Some).map_err(wrong)
    }

    /// A table of `import`, with its files.
    pub(super) fn import(&self, name: &str, mut table: Table) -> Result<ImportTable> {
        let files: Vec<PathBuf> = self.key(name, &mut table, "files", &["files"])?.unwrap_or_default();
        if files.is_empty() {
            return Err(Error::input(
                self.path,
                format!("the key \"files\" is missing in the table [{name}]"),
            ));
        }
        Ok(ImportTable { files, options: self.read(name, table)? })
    }

    /// Options of a stage that can be left out by `NAME = false`.
    pub(super) fn part<O: Options>(&mut self, name: &str) -> Result<Option<O>> {
        match self.table.get(name) {
            Some(Value::Boolean(wanted)) => {
                let wanted = *wanted;
                self.table.remove(name);
                Ok(wanted.then(O::default))
            }
            _ => self.options(name).map(Some),
        }
    }

    /// Options of a stage that is left out unless it is asked for, by its table or `NAME = true`.
    pub(super) fn wanted<O: Options>(&mut self, name: &str) -> Result<Option<O>> {
        if self.table.contains_key(name) { self.part(name) } else { Ok(None) }
    }

    /// The tables in a table, by name.
    fn tables(&mut self, name: &str) -> Result<Vec<(String, Table)>> {
        let tables = self.take(name)?.into_iter().map(|(key, value)| match value {
            Value::Table(table) if is_plain(&key) => Ok((key, table)),
            Value::Table(_) => {
                let why = "is no name of a file; take letters, digits, - and _";
                Err(Error::input(self.path, format!("table [{name}]: {key:?} {why}")))
            }
            _ => Err(Error::input(
                self.path,
                format!("table [{name}]: expected tables [{name}.NAME], found {key} = …"),
            )),
        });
        tables.collect()
    }

    /// The tables of further lists, by name.
    pub(super) fn lists(&mut self) -> Result<Vec<(String, select::Options)>> {
        let lists = self.tables("lists")?.into_iter().map(|(name, table)| {
            let options = self.read(&format!("lists.{name}"), table)?;
            Ok((name, options))
        });
        lists.collect()
    }

    /// The tables of further test matrices, by name.
    pub(super) fn tests(&mut self) -> Result<Vec<(String, TestTable)>> {
        let tests = self.tables("tests")?.into_iter().map(|(name, mut table)| {
            let place = format!("tests.{name}");
            let prepare = match table.remove("prepare") {
                Some(Value::Table(table)) => table,
                None => Table::new(),
                Some(_) => return Err(Error::input(self.path, format!("[{place}.prepare] must be a table"))),
            };
            let prepare = self.read(&format!("{place}.prepare"), prepare)?;
            Ok((name, TestTable { import: self.import(&place, table)?, prepare }))
        });
        tests.collect()
    }

    /// What is not in a table.
    pub(super) fn rest(&mut self) -> Result<General> {
        if let Some(Value::String(output)) = self.table.get("output")
            && output.trim().is_empty()
        {
            return Err(Error::input(
                self.path,
                "output = \"\": name the folder that everything is written to",
            ));
        }
        let table = std::mem::take(&mut self.table);
        let known = words::<General>();
        if let Some(key) = table.keys().find(|key| !known.contains(key)) {
            let words = known.iter().map(String::as_str).chain(TABLES);
            let meant = nearest(key, words).map_or(String::new(), |word| format!("; did you mean {word}?"));
            let message = format!(
                "unknown key \"{key}\"{meant}; there are {} and the tables {}",
                known.join(", "),
                TABLES.join(", ")
            );
            return Err(Error::input(self.path, message));
        }
        self.read("", table)
    }

    /// Refuses keys that exclude each other or say nothing without another, by the rules of the command line.
    fn together<O: Options>(&self, name: &str, table: &Table) -> Result<()> {
        let command = O::augment_args(clap::Command::new("options").no_binary_name(true));
        let Err(error) = command.try_get_matches_from(arguments(table)) else { return Ok(()) };
        let text = error.to_string().replace("error: ", "");
        let lines =
            text.lines().take_while(|line| !line.starts_with("Usage") && !line.starts_with("For more"));
        let lines = lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        Err(Error::input(self.path, format!("table [{name}]: {lines}")))
    }

    /// A table as options; a mistake is told with its key.
    pub(super) fn read<O: Options>(&self, name: &str, mut table: Table) -> Result<O> {
        self.place.resolve_in(&mut table, O::FILES);
        self.place.resolve_in(&mut table, &["unmatched"]); // written, so none of what counts by content
        let parse = |table: Table| Value::Table(table).try_into::<O>();
        let whole = match parse(table.clone()) {
            Ok(options) => return self.together::<O>(name, &table).map(|()| options),
            Err(error) => error,
        };
        let alone = |(key, value): (&String, &Value)| {
            let error = parse(Table::from_iter([(key.clone(), value.clone())])).err()?;
            Some((key.clone(), error.message().to_string()))
        };
        let place = if name.is_empty() { String::new() } else { format!("table [{name}]: ") };
        Err(match table.iter().find_map(alone) {
            Some((key, message)) if message.contains("unknown field") => {
                Error::input(self.path, format!("{place}{}", unknown::<O>(name, &key, &message)))
            }
            Some((key, message)) => Error::input(self.path, format!("{place}key \"{key}\": {message}")),
            None => Error::input(self.path, format!("{place}{}", whole.message())),
        })
    }
}

/// What a command line of the same options is like.
fn arguments(table: &Table) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let argument = |(key, value): (&String, &Value)| match value {
        Value::Boolean(true) => vec![format!("--{key}")],
        Value::Boolean(false) => Vec::new(),
        Value::Array(values) => values.iter().map(|value| format!("--{key}={}", text(value))).collect(),
        value => vec![format!("--{key}={}", text(value))],
    };
    table.iter().flat_map(argument).collect()
}

/// What is told of a key that a table does not have: what it may have been meant to be, or where it belongs.
fn unknown<O: Options>(name: &str, key: &str, message: &str) -> String {
    let own = words::<O>();
    let more: &[&str] = match name.split('.').next() {
        Some("import") => &["files"],
        Some("select") => &["n"],
        Some("tests") => &["files", "prepare"],
        _ => &[],
    };
    let (told, list) = message.split_once(", expected").map_or((message, ""), |(told, list)| (told, list));
    let list = if list.is_empty() { String::new() } else { format!("; expected{list}") };
    if let Some(word) = nearest(key, own.iter().map(String::as_str).chain(more.iter().copied())) {
        return format!("{told}; did you mean {word}?{list}");
    }
    match words::<General>().iter().any(|word| word == key) || TABLES.contains(&key) {
        true => format!("{told}; {key} = … belongs above the first table of the file"),
        false => format!("{told}{list}"),
    }
}

/// The keys of a table of options.
fn words<O: Options>() -> Vec<String> {
    let command = O::augment_args(clap::Command::new("options"));
    command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_string)).collect()
}

/// Whether a name can be one of a file.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
