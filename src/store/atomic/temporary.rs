//! What lies beside an output while it is made: `NAME.tmp-PID-N`, and `NAME.old-PID-N` where an old output had to make room.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::lock::Lock;
use super::{parent, resolve};
use crate::error::Result;

/// An output that is being made.
pub(crate) const NEW: &str = "tmp";
/// An old output that makes room for the new one: put back where the new one did not come.
pub(super) const OLD: &str = "old";
/// A matrix file imported for one command.
pub(crate) const IMPORT: &str = "import";

/// Tells the temporaries of one process apart.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A file or folder beside an output that is removed when this is dropped; after a rename there is nothing to remove. The
/// output is locked as long.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    _lock: Lock,
}

impl Temporary {
    /// `NAME.WORD-PID-N` beside where the output `path` really is, with an ending more if one is wanted; nothing is there yet.
    ///
    /// # Errors
    /// Those of [`resolve`]; an output that another process is writing.
    pub fn beside(path: &Path, word: &str, ending: &str) -> Result<Temporary> {
        let place = resolve(path)?;
        let lock = Lock::take(&place, path)?;
        Ok(Temporary::of(&place, lock, word, ending))
    }

    pub(super) fn of(place: &Path, lock: Lock, word: &str, ending: &str) -> Temporary {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut name = place.as_os_str().to_os_string();
        name.push(format!(".{word}-{}-{number}{ending}", std::process::id()));
        Temporary { path: name.into(), _lock: lock }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes a file, or a folder and what is in it. What cannot be removed stays; it is in nobody's way.
fn remove(path: &Path) {
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let _ = if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}

/// Puts right what dead processes left beside `place`: an old output whose new one never came goes back, everything else
/// goes. Where the file system has no locks (`locked` is false), what living processes of this machine made stays.
pub(super) fn put_right(place: &Path, locked: bool) {
    let Some(name) = place.file_name().map(|name| name.to_string_lossy().into_owned()) else { return };
    let Ok(entries) = parent(place).read_dir() else { return };
    let left = entries.flatten().filter_map(|entry| {
        let other = entry.file_name().to_string_lossy().into_owned();
        let rest = other.strip_prefix(&name)?.strip_prefix('.')?;
        let (word, rest) = rest.split_once('-')?;
        let pid = rest.split(['-', '.']).next()?.parse::<u32>().ok()?;
        let ours = [NEW, OLD, IMPORT].contains(&word) && (locked || !lives(pid));
        ours.then(|| (word == OLD, entry.path()))
    });
    for (old, path) in left {
        let missing = place.symlink_metadata().is_err();
        if !(old && missing && std::fs::rename(&path, place).is_ok()) {
            remove(&path);
        }
    }
}

/// Whether a process lives, as far as can be told.
fn lives(pid: u32) -> bool {
    pid == std::process::id()
        || !Path::new("/proc/self").exists()
        || Path::new(&format!("/proc/{pid}")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = dir.read_dir().expect("readable").flatten();
        let mut names: Vec<_> = entries.map(|e| e.file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    /// Leftovers of a dead process, of this one, and things that only look like them.
    fn litter(dir: &Path) {
        for name in [
            "out.gex.tmp-4000000-0",
            "out.gex.import-4000000-1.csv",
            "other.tmp-4000000-0",
            "out.gex.tmp-notes",
        ] {
            std::fs::write(dir.join(name), "x").expect("written");
        }
        std::fs::write(dir.join(format!("out.gex.tmp-{}-7", std::process::id())), "x").expect("written");
        std::fs::create_dir_all(dir.join("out.gex.tmp-4000000/deep")).expect("made");
    }

    #[test]
    fn what_killed_processes_left_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        litter(dir.path());
        // Who holds the lock knows that nobody else writes, even under its own number in another container.
        put_right(&dir.path().join("out.gex"), true);
        assert_eq!(names(dir.path()), ["other.tmp-4000000-0", "out.gex.tmp-notes"]);
        litter(dir.path());
        put_right(&dir.path().join("out.gex"), false);
        let ours = format!("out.gex.tmp-{}-7", std::process::id());
        assert_eq!(names(dir.path()), ["other.tmp-4000000-0".to_string(), ours, "out.gex.tmp-notes".into()]);
    }

    #[test]
    fn an_old_output_whose_new_one_never_came_goes_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (place, old) = (dir.path().join("out.gex"), dir.path().join("out.gex.old-4000000-0"));
        std::fs::create_dir(&old).expect("made");
        std::fs::write(old.join("store.json"), "old").expect("written");
        put_right(&place, true);
        assert_eq!(std::fs::read(place.join("store.json")).expect("back"), b"old");
        std::fs::create_dir(&old).expect("made");
        put_right(&place, true);
        assert_eq!(names(dir.path()), ["out.gex"], "where there is a new one, the old one goes");
    }
}
