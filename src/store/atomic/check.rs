//! What is looked at before any work: whether every output can be what it is to be where it is to be, and is none of the
//! other outputs and none of the inputs.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::parts::Parts;
use super::{Kind, Place};
use crate::error::{Error, Result};
use crate::store::is_store;

/// An output that a command is going to write.
#[derive(Debug, Clone)]
pub struct Output<'a> {
    path: PathBuf,
    form: Form<'a>,
    force: bool,
}

#[derive(Debug, Clone)]
enum Form<'a> {
    One(Kind<'a>),
    /// Stores in a folder.
    Parts(Vec<String>),
}

impl<'a> Output<'a> {
    /// An output at `path`, which may replace what is there with `force`.
    pub fn new(path: &Path, kind: Kind<'a>, force: bool) -> Output<'a> {
        Output { path: path.to_path_buf(), form: Form::One(kind), force }
    }

    /// Stores of these names in the folder `path`.
    pub fn parts(path: &Path, names: &[String], force: bool) -> Output<'a> {
        let names = names.to_vec();
        Output { path: path.to_path_buf(), form: Form::Parts(names), force }
    }

    fn places(&self) -> Result<Vec<Place>> {
        match &self.form {
            Form::One(kind) => Ok(vec![Place::new(&self.path, *kind, self.force)?]),
            Form::Parts(names) => Ok(Parts::new(&self.path, names, self.force)?.places),
        }
    }
}

/// A command's outputs: nobody else writes them as long as this lives.
#[derive(Debug)]
#[must_use = "others may write the outputs when this is dropped"]
pub struct Claim {
    _places: Vec<Place>,
}

/// Checks and locks a command's outputs. `inputs` are what it reads; those that are no files (a bundled list) are passed over.
///
/// # Errors
/// Those of every output by itself: it exists, is of another kind, cannot be written, is being written by another process;
/// [`Error::Usage`] for two outputs that are one, and for an output that is an input.
pub fn claim(outputs: &[Output], inputs: &[&Path]) -> Result<Claim> {
    let mut places: Vec<Place> = Vec::new();
    for output in outputs {
        for place in output.places()? {
            places.iter().try_for_each(|other| apart(&place, other))?;
            inputs.iter().try_for_each(|input| unread(&place, input))?;
            places.push(place);
        }
    }
    Ok(Claim { _places: places })
}

/// Refuses two outputs of which one is, or is inside, the other.
fn apart(one: &Place, other: &Place) -> Result<()> {
    let same = one.real == other.real || is_same(&one.real, &other.real);
    if !same && !one.real.starts_with(&other.real) && !other.real.starts_with(&one.real) {
        return Ok(());
    }
    let (a, b) = (other.asked.display(), one.asked.display());
    let message = match same {
        true => format!("{a} and {b} are one file, and two outputs are to be written; give one another name"),
        false => format!("of the outputs {a} and {b} one lies inside the other; give one another name"),
    };
    Err(Error::Usage(message))
}

/// Refuses an output that is read, or that has what is read in it.
fn unread(output: &Place, input: &Path) -> Result<()> {
    let Ok(real) = input.canonicalize() else { return Ok(()) };
    let (out, read) = (output.asked.display(), input.display());
    let message = if real == output.real || is_same(&real, &output.real) {
        format!("{out} is both read and written; give the output another name")
    } else if real.starts_with(&output.real) {
        format!("{read}, which is read, lies in {out}, which is to be written; give the output another name")
    } else {
        return Ok(());
    };
    Err(Error::Usage(message))
}

/// Whether two names stand for one file.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => identity(&one).is_some_and(|a| identity(&other) == Some(a)),
        _ => false,
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

/// Refuses a place where something stands that the output cannot be.
pub(super) fn suits(asked: &Path, real: &Path, kind: Kind) -> Result<()> {
    let refuse = |what: &str| Err(Error::input(asked, what.to_string()));
    if real.file_name().is_none() {
        return refuse("is the root of everything, not a name that an output can have");
    }
    if real.file_name().is_some_and(|name| name.len() > LONGEST) {
        return refuse("has too long a name; give a shorter one");
    }
    if real.parent().is_some_and(is_store) {
        return refuse("lies inside a store, which is never changed; give another name");
    }
    let there = real.metadata().ok();
    match (kind, there) {
        (Kind::File, None) if ends_as_folder(asked) => {
            refuse("is written as a folder is, and a file is to be written")
        }
        (_, None) => Ok(()),
        (Kind::File, Some(there)) if there.is_dir() => {
            refuse("is a folder, and a file is to be written; give another name")
        }
        (Kind::File, Some(there)) if !there.is_file() => refuse(
            "is a device, a pipe or a socket; an output is a file of its own, so that it is there whole or not at all; \
             give another name",
        ),
        (Kind::Store, Some(_)) if !is_store(real) => {
            refuse("is not a store, so --force does not replace it; give another name")
        }
        (Kind::Folder(_) | Kind::Workplace, Some(there)) if !there.is_dir() => {
            refuse("is a file, and a folder is to be written; give another name")
        }
        (Kind::Folder(names), Some(_)) => own_alone(asked, real, names),
        _ => Ok(()),
    }
}

/// Bytes of a name, so that the names beside it are none too long (255 on nearly every file system).
const LONGEST: usize = 215;

fn ends_as_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|last| std::path::is_separator(char::from(*last)))
}

/// Refuses a folder that would be replaced although it holds other things than the output.
fn own_alone(asked: &Path, real: &Path, names: &[&str]) -> Result<()> {
    let Some(other) = strange(real, names)? else { return exchangeable(asked, real) };
    Err(Error::input(
        asked,
        format!(
            "holds {}, which is none of the files that are to be written ({}), so --force does not replace it; give another name",
            other.display(),
            names.join(", ")
        ),
    ))
}

/// Something in a folder that is none of `names` nor what is made beside them.
pub(super) fn strange(folder: &Path, names: &[&str]) -> Result<Option<PathBuf>> {
    for entry in folder.read_dir().map_err(Error::io(folder, "reading"))? {
        let entry = entry.map_err(Error::io(folder, "reading"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let beside = |own: &&str| {
            let rest = name.strip_prefix(*own).unwrap_or("-");
            rest.is_empty() || rest == ".lock" || rest.starts_with(".tmp-") || rest.starts_with(".old-")
        };
        if names.iter().any(beside) {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let inside = match is_folder && name.bytes().all(|b| b.is_ascii_digit()) {
            true => strange(&entry.path(), names)?,
            false => Some(entry.path()),
        };
        if inside.is_some() {
            return Ok(inside);
        }
    }
    Ok(None)
}

/// Refuses a folder that cannot be exchanged with another as a whole.
fn exchangeable(asked: &Path, real: &Path) -> Result<()> {
    match is_mount(real) {
        true => Err(Error::input(
            asked,
            "is where a file system is mounted, which cannot be replaced; name a folder in it",
        )),
        false => Ok(()),
    }
}

/// Whether a folder is on another file system than the folder that it is in.
pub(super) fn is_mount(folder: &Path) -> bool {
    let device =
        |path: &Path| path.metadata().ok().and_then(|there| identity(&there)).map(|(device, _)| device);
    folder.parent().is_none_or(|parent| device(parent) != device(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::atomic::write_text;

    fn refused(outputs: &[Output], inputs: &[&Path], why: &str) {
        let message = claim(outputs, inputs).expect_err("must be refused").to_string();
        assert!(message.contains(why), "{message}");
    }

    #[test]
    fn outputs_are_told_apart_however_they_are_spelled() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).expect("made");
        let (plain, detour, inside) = (at("a.tsv"), at("sub/../a.tsv"), at("a.tsv/b"));
        let file = |path: &Path| Output::new(path, Kind::File, true);
        refused(&[file(&plain), file(&detour)], &[], "are one file");
        write_text(&plain, "x").expect("written");
        std::fs::hard_link(&plain, at("c.tsv")).expect("linked");
        refused(&[file(&plain), file(&at("c.tsv"))], &[], "are one file");
        refused(&[file(&at("c.tsv"))], &[&detour], "is both read and written");
        refused(
            &[Output::new(&at("sub"), Kind::Folder(&["x"]), true), file(&at("sub/x"))],
            &[],
            "inside the other",
        );
        write_text(&at("sub/x"), "x").expect("written");
        refused(
            &[Output::new(&at("sub"), Kind::Folder(&["x"]), true)],
            &[&at("sub/x")],
            "which is read, lies in",
        );
        refused(&[file(&inside)], &[], "is a file, so nothing can be in it");
        let claim =
            claim(&[file(&plain), file(&at("d.tsv"))], &[&at("sub"), Path::new("l1000")]).expect("apart");
        drop(claim);
        assert!(!at("d.tsv").exists() && !at("d.tsv.lock").exists(), "a claim leaves nothing");
    }

    #[test]
    fn an_output_of_another_kind_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("folder")).expect("made");
        write_text(&at("file"), "x").expect("written");
        let folder = Kind::Folder(&["summary.tsv"]);
        for force in [false, true] {
            refused(&[Output::new(&at("folder"), Kind::File, force)], &[], "is a folder, and a file");
            refused(&[Output::new(&at("file"), folder, force)], &[], "is a file, and a folder");
            refused(&[Output::new(&at("file"), Kind::Store, force)], &[], "is not a store");
            refused(&[Output::new(&at("folder"), Kind::Store, force)], &[], "is not a store");
            refused(&[Output::new(&at("new/"), Kind::File, force)], &[], "is written as a folder is");
        }
        let long = at(&"x".repeat(240));
        refused(&[Output::new(&long, Kind::File, true)], &[], "too long");
        write_text(&at("folder/store.json"), "{}").expect("written");
        refused(&[Output::new(&at("folder/matrix.npy"), Kind::File, true)], &[], "inside a store");
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("it runs");
        assert!(made.success());
        refused(&[Output::new(&pipe, Kind::File, true)], &[], "is a device, a pipe or a socket");
        let null = dir.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).expect("linked");
        refused(&[Output::new(&null, Kind::File, true)], &[], "is a device, a pipe or a socket");
    }
}
