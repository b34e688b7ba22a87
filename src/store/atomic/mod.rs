//! Outputs that are there whole or not at all, and have one writer at a time: every file and folder that this program writes
//! goes through here.
//!
//! [`resolve`] says where an output really is: links are followed, so that the link stays and its target is replaced. A
//! [`Place`] is that, checked and locked. What is written there is made beside it, synced, and given its name in one step.
//! A command begins with [`claim`]: all its outputs are checked, against each other and the inputs too, before anything is
//! computed, and are its own until it ends.

mod check;
pub(crate) mod clock;
mod exchange;
mod lock;
mod parts;
mod space;
#[cfg(all(test, target_os = "linux"))]
mod synced;
mod temporary;
mod workplace;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
pub use check::{Claim, Output, claim};
use lock::Lock;
pub(crate) use parts::Parts;
pub use space::check_space;
pub(crate) use temporary::{IMPORT, NEW, Temporary};
pub use workplace::Workplace;

/// What an output is.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// A file.
    File,
    /// A store.
    Store,
    /// A folder with files of these names; a folder whose name is a number may hold the same again.
    Folder(&'a [&'a str]),
    /// A folder that stays, with whatever is in it.
    Workplace,
}

/// A place for an output: checked, and locked as long as this lives.
#[derive(Debug)]
pub(crate) struct Place {
    /// As the user called it.
    asked: PathBuf,
    /// Where it is.
    real: PathBuf,
    /// Whether it may replace what is there.
    force: bool,
    /// Whether it may take the place of a folder that has nothing of its own.
    fills: bool,
    lock: Lock,
}

impl Place {
    /// Resolves, locks and checks.
    ///
    /// # Errors
    /// [`Error::Exists`] for an output that is there, unless `force`; [`Error::Usage`] for an empty name; [`Error::Input`] for one
    /// that cannot be written, is of another kind, or is being written by another process.
    pub fn new(path: &Path, kind: Kind, force: bool) -> Result<Place> {
        let real = resolve(path)?;
        let lock = Lock::take(&real, path)?;
        check::suits(path, &real, kind)?;
        if !force && real.symlink_metadata().is_ok() {
            return Err(Error::Exists(path.to_path_buf()));
        }
        Ok(Place { asked: path.to_path_buf(), real, force, fills: false, lock })
    }

    /// A path beside it, to make the output at.
    pub fn temporary(&self) -> Temporary {
        Temporary::of(&self.real, self.lock.clone(), NEW, "")
    }

    /// Gives what was made, and synced, its name.
    ///
    /// # Errors
    /// What the system refuses; [`Error::Exists`] for what came to be meanwhile, unless it may be replaced; a store that was
    /// changed while it was read.
    pub fn put(&self, made: &Temporary) -> Result<()> {
        super::watch::check()?;
        exchange::put(made, self)
    }
}

/// Where an output really is: its folder without links and detours, and of a link that is there what it leads to.
///
/// # Errors
/// [`Error::Usage`] for an empty name; [`Error::Input`] for a folder that is missing and for links that lead nowhere.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Error::Usage("an output has an empty name; give it one".into()));
    }
    let mut at = path.to_path_buf();
    for _ in 0..40 {
        let Some(name) = at.file_name() else {
            // `.`, `..` and `/` are names of folders that are there
            return at.canonicalize().map_err(Error::io(path, "looking for"));
        };
        let folder = parent(&at).canonicalize().map_err(|_| {
            let folder = parent(&at).display();
            Error::input(path, format!("the directory {folder} does not exist; create it"))
        })?;
        if !folder.is_dir() {
            let message =
                format!("{} is a file, so nothing can be in it; give another name", folder.display());
            return Err(Error::input(path, message));
        }
        let place = folder.join(name);
        match place.read_link() {
            Ok(target) => at = folder.join(target),
            Err(_) => return Ok(place),
        }
    }
    Err(Error::input(path, "is a link that leads back to itself; give another name"))
}

/// Refuses a path that is taken, unless `force`, and one whose directory is not there.
///
/// # Errors
/// [`Error::Exists`], and those of [`resolve`].
pub fn check_free(path: &Path, force: bool) -> Result<()> {
    match resolve(path)?.symlink_metadata() {
        Ok(_) if !force => Err(Error::Exists(path.to_path_buf())),
        _ => Ok(()),
    }
}

/// The directory that holds `path`.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes `path` through `write`: the file is there whole or not at all, and an existing one is replaced only
/// with `force`, and only once the new one is complete.
///
/// # Errors
/// [`Error::Exists`]; a place that cannot be written or that another process is writing; what `write` returns, or what the
/// operating system refuses (a full disk, say). Nothing is left then.
pub fn write_file(path: &Path, force: bool, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let place = Place::new(path, Kind::File, force)?;
    let temporary = place.temporary();
    let file = File::create_new(temporary.path()).map_err(Error::io(path, "creating"))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    write(&mut out)?;
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(Error::io(path, "writing"))?;
    drop(out);
    place.put(&temporary)
}

/// As [`write_file`], for a writer that wants a path: that of the temporary.
///
/// # Errors
/// As [`write_file`].
pub fn write_path(path: &Path, force: bool, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let place = Place::new(path, Kind::File, force)?;
    let temporary = place.temporary();
    write(temporary.path())?;
    let file = File::open(temporary.path()).map_err(Error::io(path, "writing"))?;
    file.sync_all().map_err(Error::io(path, "writing"))?;
    place.put(&temporary)
}

/// Writes or replaces a text file, whole or not at all.
///
/// # Errors
/// As [`write_file`].
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    write_file(path, true, |out| out.write_all(text.as_bytes()).map_err(Error::io(path, "writing")))
}

/// Writes a folder of files that belong together through `write`, which is given the folder to write them into: all of them
/// are there or none. With `force` a folder that holds nothing but files of these names is replaced.
///
/// # Errors
/// As [`write_file`]; a folder that holds anything else.
pub fn write_folder(
    path: &Path,
    force: bool,
    names: &[&str],
    write: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let place = Place::new(path, Kind::Folder(names), force)?;
    let made = place.temporary();
    std::fs::create_dir(made.path()).map_err(Error::io(path, "creating"))?;
    write(made.path()).map_err(|error| called(error, made.path(), path))?;
    sync_folders(made.path())?;
    place.put(&made)
}

/// An error about a file of a folder that is not in its place yet, about where it will be.
fn called(error: Error, made: &Path, path: &Path) -> Error {
    match error {
        Error::Io { path: file, action, source } => {
            let file = file.strip_prefix(made).map_or(file.clone(), |rest| path.join(rest));
            Error::Io { path: file, action, source }
        }
        other => other,
    }
}

/// Makes the names in a folder, and in the folders in it, durable.
pub(crate) fn sync_folders(folder: &Path) -> Result<()> {
    for entry in folder.read_dir().map_err(Error::io(folder, "reading"))?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync_folders(&entry.path())?;
        }
    }
    exchange::sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("out.tsv");
        let failed = write_file(&path, false, |out| {
            out.write_all(&[b'x'; 1 << 21]).map_err(Error::io(&path, "writing"))?;
            Err(Error::Data("the disk is full".into()))
        });
        assert_eq!(failed.expect_err("must fail").to_string(), "the disk is full");
        assert_eq!(dir.path().read_dir().expect("readable").count(), 0, "the temporary is removed");

        let put = |text: &'static [u8], force| {
            write_file(&path, force, |out| out.write_all(text).map_err(Error::io(&path, "writing")))
        };
        put(b"one", false).expect("written");
        assert!(matches!(put(b"two", false), Err(Error::Exists(_))));
        assert_eq!(std::fs::read(&path).expect("readable"), b"one");
        put(b"two", true).expect("replaced");
        assert_eq!(std::fs::read(&path).expect("readable"), b"two");
        assert_eq!(dir.path().read_dir().expect("readable").count(), 1);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let message = check_free(Path::new("/no/such/place/x"), false).expect_err("must fail").to_string();
        assert!(message.contains("/no/such/place does not exist"), "{message}");
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert!(matches!(check_free(Path::new(""), true), Err(Error::Usage(_))));
        assert!(matches!(write_text(Path::new(""), "x"), Err(Error::Usage(_))));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("disk")).expect("made");
        symlink("disk/model", at("model")).expect("linked");
        write_file(&at("model"), false, |out| out.write_all(b"one").map_err(Error::io("x", "writing")))
            .expect("new");
        write_text(&at("model"), "two").expect("replaced");
        assert!(at("model").symlink_metadata().expect("there").is_symlink());
        assert_eq!(std::fs::read(at("disk/model")).expect("there"), b"two");
        symlink("b", at("a")).expect("linked");
        symlink("a", at("b")).expect("linked");
        let message = write_text(&at("a"), "x").expect_err("must fail").to_string();
        assert!(message.contains("leads back to itself"), "{message}");
    }

    #[test]
    fn a_folder_is_whole_or_not_there_and_only_its_own_files_are_replaced() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("evaluation");
        let write = |word: &'static str, force, fails: bool| {
            write_folder(&path, force, &["a.tsv", "b.tsv"], |folder| {
                write_text(&folder.join("a.tsv"), word)?;
                if fails { Err(Error::Data("no".into())) } else { write_text(&folder.join("b.tsv"), word) }
            })
        };
        write("one", false, true).expect_err("fails in the middle");
        assert_eq!(dir.path().read_dir().expect("readable").count(), 0);
        write("one", false, false).expect("written");
        assert!(matches!(write("two", false, false), Err(Error::Exists(_))));
        write("two", true, true).expect_err("fails in the middle");
        assert_eq!(std::fs::read(path.join("a.tsv")).expect("there"), b"one");
        write("two", true, false).expect("replaced");
        assert_eq!(std::fs::read(path.join("b.tsv")).expect("there"), b"two");
        std::fs::write(path.join("thesis.tex"), "years of work").expect("written");
        let message = write("three", true, false).expect_err("must be refused").to_string();
        assert!(message.contains("thesis.tex"), "{message}");
    }
}
