//! The description beside a table that genelift writes, `NAME.tsv.json`: how many rows it has, the checksum of its bytes, and
//! what it was made from. A comment inside the table would serve as well, but pandas takes it for the header.
//!
//! The two become the new ones in one moment: the new description waits as `NAME.tsv.json.next` until the table has its name.
//! A reader takes whichever of the two descriptions fits the table, so after a kill at any moment the old pair is there or
//! the new one; a table that fits neither is refused.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::store::atomic::{self, Kind, Output};
use crate::store::remembered::Remembered;
use crate::store::{InputFile, Store, signed};

/// What the description says it is.
const FORMAT: &str = "genelift table";

/// The description of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sidecar {
    /// Always `"genelift table"`.
    pub format: String,
    /// What wrote it.
    pub genelift: String,
    /// Rows, without the header.
    pub rows: usize,
    /// Length of the table's file.
    pub bytes: u64,
    /// XXH3 of it (64 bits, hexadecimal).
    pub xxh3: String,
    /// What the table was made from, and how.
    #[serde(flatten)]
    pub made: Made,
}

/// What a table was made from, and how.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Made {
    /// The files and stores that went in.
    pub made_from: Vec<Input>,
    /// The settings, and what there is to tell.
    pub about: Value,
    /// The samples that it was made from.
    #[serde(default, skip_serializing_if = "Remembered::is_empty")]
    pub samples: Remembered,
}

/// A file or a store that a table was made from: its name, without the folder, and its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What it is called.
    pub name: String,
    /// What it is: a store, a model, scores, a list.
    pub kind: String,
    /// SHA-256 of the file; of a store, of its checksums.
    pub sha256: String,
}

impl Input {
    /// A store.
    pub fn store(store: &Store) -> Input {
        Input::of(InputFile::of_store(store), store.path())
    }

    /// A file; a pass over it. `None` for what can be read once only, such as a pipe, and for what is no file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn regular(path: &Path, kind: &str) -> Result<Option<Input>> {
        let regular = path.is_file();
        regular.then(|| Ok(Input::of(InputFile::of(path, kind)?, path))).transpose()
    }

    fn of(input: InputFile, path: &Path) -> Input {
        let name =
            path.file_name().map_or_else(|| input.path.clone(), |name| name.to_string_lossy().into_owned());
        Input { name, kind: input.format, sha256: input.sha256 }
    }
}

/// Whether a table is known to be what was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// It fits the description beside it.
    Whole(Box<Sidecar>),
    /// Part of something that is checked as a whole, such as a store.
    Own,
    /// There is no description: a list that somebody made, or a table that lost it.
    Unknown,
}

impl Checked {
    /// Whether genelift wrote the table and nothing changed it since.
    pub fn is_whole(&self) -> bool {
        !matches!(self, Checked::Unknown)
    }

    /// What is to be said where a table looks like one that genelift wrote and nothing shows that it is whole.
    pub(super) fn note(&self, path: &Path, columns: &[&str]) -> Option<String> {
        let ours = columns.starts_with(&["rank", "gene_id", "score"]);
        (ours && *self == Checked::Unknown).then(|| {
            format!(
                "{}: unchecked: without {} nothing shows whether it is whole",
                path.display(),
                name(path).display()
            )
        })
    }

    /// Refuses a table with another number of rows than its description says.
    pub(super) fn fits(&self, path: &Path, rows: usize) -> Result<()> {
        match self {
            Checked::Whole(sidecar) if sidecar.rows != rows => {
                Err(misfit(path, &format!("has {rows} rows where it says {}", sidecar.rows)))
            }
            _ => Ok(()),
        }
    }
}

/// `NAME.tsv.json` beside `NAME.tsv`.
pub fn name(table: &Path) -> PathBuf {
    let mut name = table.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

fn misfit(path: &Path, what: &str) -> Error {
    let beside = name(path);
    let beside = beside.display();
    Error::input(
        path,
        format!(
            "does not fit {beside}, which was written with it: it {what}; it was cut short, changed, or belongs to another run. \
             Make or copy both anew; if it was edited on purpose, remove {beside}, and it is read as a plain list"
        ),
    )
}

/// The new description while the table does not have its name yet.
fn next(table: &Path) -> PathBuf {
    let mut name = name(table).into_os_string();
    name.push(".next");
    PathBuf::from(name)
}

/// The description `file` of a table, if there is one and it is genelift's.
fn read(path: &Path, file: PathBuf) -> Result<Option<Sidecar>> {
    let text = match std::fs::read(&file) {
        Ok(text) => text,
        Err(_) if !file.is_file() => return Ok(None),
        Err(error) => return Err(Error::io(&file, "reading")(error)),
    };
    let damaged = |what: &dyn std::fmt::Display| {
        Error::input(
            &file,
            format!(
                "is damaged ({what}), so {} cannot be checked; copy both anew, or remove it, and the table is read as a plain list",
                path.display()
            ),
        )
    };
    let value: Value = serde_json::from_slice(&text).map_err(|e| damaged(&e))?;
    // somebody else's file of that name says nothing about the table
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Ok(None);
    }
    let sidecar: Sidecar = serde_json::from_value(value).map_err(|e| damaged(&e))?;
    match signed::is_whole(&text) {
        true => Ok(Some(sidecar)),
        false => Err(damaged(&"its own checksum does not match")),
    }
}

/// The samples that a table was made from, as the description beside it remembers them; none where there is none.
///
/// # Errors
/// [`Error::Input`] for a damaged description.
pub fn samples(path: &Path) -> Result<Remembered> {
    Ok(beside(path)?.map(|sidecar| sidecar.made.samples).unwrap_or_default())
}

/// The description beside a table, if there is one.
///
/// # Errors
/// [`Error::Input`] for a damaged description.
pub fn beside(path: &Path) -> Result<Option<Sidecar>> {
    read(path, name(path))
}

/// Compares a table's bytes with the description beside it.
///
/// # Errors
/// [`Error::Input`] for a table that does not fit, and for a damaged description.
pub(super) fn check(path: &Path, table: &[u8]) -> Result<Checked> {
    let next = read(path, next(path)).unwrap_or(None);
    if let Some(next) = next.filter(|next| next.bytes == table.len() as u64 && next.xxh3 == checksum(table)) {
        return Ok(Checked::Whole(Box::new(next)));
    }
    let Some(sidecar) = read(path, name(path))? else { return Ok(Checked::Unknown) };
    let found = table.len() as u64;
    if found != sidecar.bytes {
        return Err(misfit(path, &format!("has {found} bytes where it says {}", sidecar.bytes)));
    }
    if checksum(table) != sidecar.xxh3 {
        return Err(misfit(path, "has another checksum"));
    }
    Ok(Checked::Whole(Box::new(sidecar)))
}

fn checksum(table: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(table))
}

/// A table and its description as outputs of a command, for [`atomic::claim`]. A description whose table is gone is in nobody's way.
pub fn outputs(path: &Path, force: bool) -> [Output<'static>; 2] {
    let file = name(path);
    let lone = !path.exists() && matches!(read(path, file.clone()), Ok(Some(_)));
    [Output::new(path, Kind::File, force), Output::new(&file, Kind::File, force || lone)]
}

/// Writes a table and its description; both are replaced only with `force`.
///
/// # Errors
/// Those of [`atomic::claim`]; what the system refuses.
pub fn write(path: &Path, force: bool, (table, rows): (&[u8], usize), made: Made) -> Result<()> {
    let _ours = atomic::claim(&outputs(path, force), &[])?;
    let sidecar = Sidecar {
        format: FORMAT.into(),
        genelift: env!("CARGO_PKG_VERSION").into(),
        rows,
        bytes: table.len() as u64,
        xxh3: checksum(table),
        made,
    };
    let file = name(path);
    let text = serde_json::to_string_pretty(&sidecar)
        .map_err(|e| Error::input(&file, format!("cannot be written as JSON: {e}")))?;
    let (next, text) = (next(path), signed::sign(&text));
    atomic::write_text(&next, &text)?;
    let written =
        atomic::write_file(path, force, |out| out.write_all(table).map_err(Error::io(path, "writing")));
    if written.is_ok() {
        atomic::write_text(&file, &text)?;
    }
    std::fs::remove_file(&next).map_err(Error::io(&next, "removing"))?;
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_pair(path: &Path, table: &[u8]) {
        write(path, true, (table, 1), Made::default()).expect("written");
    }

    #[test]
    fn a_kill_at_any_moment_leaves_the_old_pair_or_the_new_one() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("scores.tsv");
        let whole = |table: &[u8]| check(&path, table).is_ok_and(|checked| checked.is_whole());
        write_pair(&path, b"new");
        let new = std::fs::read(name(&path)).expect("there");
        write_pair(&path, b"old");
        std::fs::write(next(&path), &new).expect("written");
        assert!(whole(b"old"), "the new description waits");
        assert!(whole(b"new"), "the table has come");
        check(&path, b"cut").expect_err("fits neither");
        std::fs::remove_file(name(&path)).expect("removed");
        assert!(whole(b"new"), "where there was no old pair");
        assert_eq!(check(&path, b"a list").expect("a plain list"), Checked::Unknown);
        write_pair(&path, b"newer");
        assert_eq!(
            dir.path().read_dir().expect("readable").count(),
            2,
            "the next command sweeps what is left"
        );
    }

    #[test]
    fn pairs_that_were_mixed_are_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let [a, b] = ["a.tsv", "b.tsv"].map(|name| dir.path().join(name));
        write_pair(&a, b"one");
        write_pair(&b, b"two");
        std::fs::copy(name(&b), name(&a)).expect("copied");
        let message = check(&a, b"one").expect_err("must be refused").to_string();
        assert!(message.contains("does not fit") && message.contains("belongs to another run"), "{message}");
    }
}
