//! Outputs that are there whole or not at all: written to a temporary sibling, synced, renamed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The temporary sibling `NAME.tmp-PID` of `path`.
pub(super) fn sibling(path: &Path, word: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{word}-{}", std::process::id()));
    path.with_file_name(name)
}

/// Removes what killed processes left beside `path`: `NAME.WORD-PID` and `NAME.WORD-PID-N`, where no process PID lives.
/// What cannot be removed stays; it is in nobody's way.
pub(crate) fn sweep(path: &Path, word: &str) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Ok(entries) = parent(path).read_dir() else { return };
    for entry in entries.flatten() {
        let other = entry.file_name().to_string_lossy().into_owned();
        let rest = other.strip_prefix(&name).and_then(|rest| rest.strip_prefix(&format!(".{word}-")));
        let pid = rest.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !lives(pid)) {
            drop(Temporary(entry.path()));
        }
    }
}

/// Whether a process lives, as far as can be told.
fn lives(pid: u32) -> bool {
    if pid == std::process::id() || !cfg!(unix) {
        return true;
    }
    if Path::new("/proc/self").exists() {
        return Path::new(&format!("/proc/{pid}")).exists();
    }
    let quiet = std::process::Stdio::null;
    let found = std::process::Command::new("ps").args(["-p", &pid.to_string()]).stdout(quiet()).status();
    found.map_or(true, |status| status.success())
}

/// Refuses a path that is taken, unless `force`, and one whose directory is not there.
///
/// # Errors
/// [`Error::Exists`], or [`Error::Input`] for a directory that is missing.
pub fn check_free(path: &Path, force: bool) -> Result<()> {
    if !force && path.symlink_metadata().is_ok() {
        return Err(Error::Exists(path.to_path_buf()));
    }
    if path.file_name().is_none() {
        return Err(Error::input(path, "is not a name that an output can have"));
    }
    let parent = parent(path);
    if !parent.is_dir() {
        return Err(Error::input(
            path,
            format!("the directory {} does not exist; create it", parent.display()),
        ));
    }
    Ok(())
}

/// The directory that holds `path`.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a rename in `path`'s directory durable. Windows cannot sync a directory and need not.
pub(super) fn sync_parent(path: &Path) -> Result<()> {
    if cfg!(unix) {
        let parent = parent(path);
        File::open(parent).and_then(|d| d.sync_all()).map_err(Error::io(parent, "syncing"))?;
    }
    Ok(())
}

/// Writes `path` through `write`: the file is there whole or not at all, and an existing one is replaced only
/// with `force`, and only once the new one is complete.
///
/// # Errors
/// [`Error::Exists`], what `write` returns, or what the operating system refuses (a full disk, say); the
/// temporary is removed.
pub fn write_file(path: &Path, force: bool, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    check_free(path, force)?;
    let temporary = Temporary::beside(path, "tmp");
    let file = File::create(temporary.path()).map_err(Error::io(path, "creating"))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    write(&mut out)?;
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(Error::io(path, "writing"))?;
    drop(out);
    std::fs::rename(temporary.path(), path).map_err(Error::io(path, "renaming the finished file to"))?;
    sync_parent(path)
}

/// As [`write_file`], for a writer that wants a path: that of the temporary.
///
/// # Errors
/// As [`write_file`].
pub fn write_path(path: &Path, force: bool, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    check_free(path, force)?;
    let temporary = Temporary::beside(path, "tmp");
    write(temporary.path())?;
    let file = File::open(temporary.path()).map_err(Error::io(path, "writing"))?;
    file.sync_all().map_err(Error::io(path, "writing"))?;
    std::fs::rename(temporary.path(), path).map_err(Error::io(path, "renaming the finished file to"))?;
    sync_parent(path)
}

/// Writes or replaces a text file, whole or not at all.
///
/// # Errors
/// As [`write_file`].
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    write_file(path, true, |out| out.write_all(text.as_bytes()).map_err(Error::io(path, "writing")))
}

/// A file or directory that is removed when this is dropped; after a rename there is nothing to remove.
pub(crate) struct Temporary(PathBuf);

impl Temporary {
    /// `NAME.WORD-PID` beside `path`, which nothing else uses; what killed processes left there is removed.
    pub(crate) fn beside(path: &Path, word: &str) -> Temporary {
        sweep(path, word);
        let temporary = Temporary(sibling(path, word));
        temporary.remove();
        temporary
    }

    /// `NAME.WORD-PID-PART` beside `path`, one of several.
    pub(crate) fn numbered(path: &Path, word: &str, part: &str) -> Temporary {
        let mut name = sibling(path, word).into_os_string();
        name.push(format!("-{part}"));
        let temporary = Temporary(name.into());
        temporary.remove();
        temporary
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn remove(&self) {
        let _ =
            if self.0.is_dir() { std::fs::remove_dir_all(&self.0) } else { std::fs::remove_file(&self.0) };
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.remove();
    }
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
    }

    #[test]
    fn what_killed_processes_left_is_swept() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("out.gex");
        let mut child = std::process::Command::new("true").spawn().expect("it runs");
        let (dead, alive) = (child.id(), std::process::id());
        child.wait().expect("it ended");
        for name in
            [format!("out.gex.tmp-{dead}-0"), format!("out.gex.tmp-{alive}-7"), format!("other.tmp-{dead}")]
        {
            std::fs::write(dir.path().join(name), "x").expect("written");
        }
        std::fs::create_dir_all(dir.path().join(format!("out.gex.tmp-{dead}/deep"))).expect("made");
        sweep(&path, "tmp");
        let mut left: Vec<_> = dir
            .path()
            .read_dir()
            .expect("readable")
            .flatten()
            .map(|e| e.file_name().into_string().expect("text"))
            .collect();
        left.sort();
        assert_eq!(left, [format!("other.tmp-{dead}"), format!("out.gex.tmp-{alive}-7")]);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let message = check_free(Path::new("/no/such/place/x"), false).expect_err("must fail").to_string();
        assert!(message.contains("/no/such/place does not exist"), "{message}");
    }
}
