//! A folder in which a command works for itself: that of a `run`. It stays with what is in it, and has one process at a time.

use std::path::{Path, PathBuf};

use super::{Kind, Place};
use crate::error::{Error, Result};

/// A folder that this process works in, alone, as long as this lives. Folders that were made for it and are still empty at
/// the end go again.
#[derive(Debug)]
pub struct Workplace {
    _place: Place, // goes first: its lock lies in the folder above
    /// Deepest first.
    made: Made,
}

/// Folders that were made; dropped, those that are empty are removed.
#[derive(Debug, Default)]
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.iter().for_each(|folder| drop(std::fs::remove_dir(folder))); // refused where something is in it
    }
}

impl Workplace {
    /// Opens or makes the folder `path`.
    ///
    /// # Errors
    /// [`Error::Usage`] for an empty name; a file of that name; a folder that another process works in; what the system refuses.
    pub fn open(path: &Path) -> Result<Workplace> {
        if path.as_os_str().is_empty() {
            return Err(Error::Usage("the output folder has an empty name; give it one".into()));
        }
        let missing = |folder: &&Path| !folder.as_os_str().is_empty() && folder.symlink_metadata().is_err();
        let missing: Vec<PathBuf> = path.ancestors().take_while(missing).map(Path::to_path_buf).collect();
        if missing.is_empty() && !path.is_dir() {
            return Err(Error::input(path, "is a file, and a folder is to be written; give another name"));
        }
        let made = Made(missing);
        std::fs::create_dir_all(path).map_err(Error::io(path, "creating"))?;
        Ok(Workplace { made, _place: Place::new(path, Kind::Workplace, true)? })
    }

    /// Whether the folder was there before.
    pub fn was_there(&self) -> bool {
        self.made.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_stay_empty_go_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("runs/a/b");
        let work = Workplace::open(&path).expect("made");
        assert!(path.is_dir() && !work.was_there());
        drop(work);
        assert_eq!(dir.path().read_dir().expect("readable").count(), 0);
        let work = Workplace::open(&path).expect("made");
        std::fs::write(path.join("run.json"), "{}").expect("written");
        drop(work);
        assert!(path.join("run.json").is_file() && Workplace::open(&path).expect("again").was_there());
        let message = Workplace::open(&path.join("run.json")).expect_err("must be refused").to_string();
        assert!(message.contains("is a file, and a folder"), "{message}");
        assert!(matches!(Workplace::open(Path::new("")), Err(Error::Usage(_))));
    }
}
