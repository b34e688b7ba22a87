//! Stores that are changed in place while a command reads them: what was made from them is worth nothing. The command line
//! switches this on; then no output gets its name, and no command ends well, after a store that it opened was changed.
//!
//! A store that is replaced as a whole is no such case: what is mapped stays what it was.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::sparse::{DATA, PLACES, STARTS};
use super::{GENES, INFO, MATRIX, PARAMETERS, SAMPLES};
use crate::error::{Error, Result};

static ON: AtomicBool = AtomicBool::new(false);
static FILES: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// A file as it was when its store was opened.
struct Watched {
    path: PathBuf,
    was: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    identity: (u64, u64),
    bytes: u64,
    changed: Option<SystemTime>,
}

/// Watches the stores that are opened from now on.
pub fn start() {
    ON.store(true, Ordering::Relaxed);
}

/// Takes down what a store's files are like.
pub(super) fn add(store: &Path) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    for name in [MATRIX, DATA, PLACES, STARTS, GENES, SAMPLES, INFO, PARAMETERS] {
        let path = store.join(name);
        if let Some(was) = path.metadata().ok().map(|there| State::of(&there)) {
            files.retain(|file| file.path != path);
            files.push(Watched { path, was });
        }
    }
}

/// Refuses to go on after a store was changed.
///
/// # Errors
/// [`Error::Input`] naming the file.
pub fn check() -> Result<()> {
    let files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    match files.iter().find(|file| file.is_changed()) {
        Some(file) => Err(Error::input(
            &file.path,
            "was changed while it was read, so what was made from it is not to be trusted; see that nothing writes to the store, \
             and do this again",
        )),
        None => Ok(()),
    }
}

impl Watched {
    /// Whether the very file that was read is another now.
    fn is_changed(&self) -> bool {
        let now = self.path.metadata().ok().map(|there| State::of(&there));
        now.is_some_and(|now| now.identity == self.was.identity && now != self.was)
    }
}

impl State {
    fn of(there: &Metadata) -> State {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            (there.dev(), there.ino())
        };
        #[cfg(not(unix))]
        let identity = (0, 0);
        State { identity, bytes: there.len(), changed: there.modified().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_to_is_told_from_one_that_is_replaced() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("matrix.npy");
        std::fs::write(&path, "one").expect("written");
        let was = State::of(&path.metadata().expect("there"));
        let file = Watched { path: path.clone(), was };
        assert!(!file.is_changed());
        std::fs::write(dir.path().join("new"), "four").expect("written");
        std::fs::rename(dir.path().join("new"), &path).expect("replaced");
        assert!(!file.is_changed(), "what is mapped is still what it was");
        let file = Watched { was: State::of(&path.metadata().expect("there")), path };
        std::fs::write(&file.path, "fiver").expect("written to");
        assert!(file.is_changed());
        std::fs::remove_file(&file.path).expect("removed");
        assert!(!file.is_changed());
    }
}
