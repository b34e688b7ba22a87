//! The one moment in which an output becomes the new one.

use std::fs::File;
use std::io::{Error as IoError, ErrorKind, Result as IoResult};
use std::path::Path;

use super::temporary::{OLD, Temporary};
use super::{Place, parent};
use crate::error::{Error, Result};

/// Gives a finished and synced file or folder its name; with `place.force` it may replace what has it. What it replaced is
/// removed after that.
pub(super) fn put(new: &Temporary, place: &Place) -> Result<()> {
    let io = Error::io(&place.asked, "giving the finished output its name");
    let to = &place.real;
    let taken = |error: IoError| match error.kind() {
        ErrorKind::AlreadyExists => Error::Exists(place.asked.clone()),
        _ => io(error),
    };
    let is_folder = to.is_dir();
    if !(place.force || place.fills && is_folder) {
        rename_new(new.path(), to).map_err(taken)?;
    } else if is_folder {
        replace_folder(new, place).map_err(taken)?;
    } else {
        std::fs::rename(new.path(), to).map_err(taken)?;
    }
    sync_folder(parent(to))
}

/// Renames where nothing has the name.
fn rename_new(from: &Path, to: &Path) -> IoResult<()> {
    match rename_by(from, to, Way::New) {
        Err(error) if is_unknown(&error) => {}
        done => return done,
    }
    match to.symlink_metadata() {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(from, to),
    }
}

/// Exchanges a new folder with the one that has its name, in one step where the system has one; the old one is then where
/// the new one was made, and goes with it. Else the old one makes room, and comes back if the new one does not come: now,
/// or when the next command puts right what a killed one left.
fn replace_folder(new: &Temporary, place: &Place) -> IoResult<()> {
    match rename_by(new.path(), &place.real, Way::Exchange) {
        Err(error) if is_unknown(&error) => make_room(new, place),
        done => done,
    }
}

/// In two steps.
fn make_room(new: &Temporary, place: &Place) -> IoResult<()> {
    let old = Temporary::of(&place.real, place.lock.clone(), OLD, "");
    std::fs::rename(&place.real, old.path())?;
    std::fs::rename(new.path(), &place.real).inspect_err(|_| {
        let _ = std::fs::rename(old.path(), &place.real);
    })
}

#[derive(Clone, Copy)]
enum Way {
    /// Both names stay, and change what they stand for.
    Exchange,
    /// A name that is taken is refused.
    New,
}

#[cfg(target_os = "linux")]
fn rename_by(from: &Path, to: &Path, way: Way) -> IoResult<()> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    let flags = match way {
        Way::Exchange => libc::RENAME_EXCHANGE,
        Way::New => libc::RENAME_NOREPLACE,
    };
    let (from, to) = (CString::new(from.as_os_str().as_bytes())?, CString::new(to.as_os_str().as_bytes())?);
    let here = libc::AT_FDCWD;
    // SAFETY: both are texts that end in 0 and outlive the call, which keeps neither.
    let done = unsafe { libc::syscall(libc::SYS_renameat2, here, from.as_ptr(), here, to.as_ptr(), flags) };
    if done == 0 { Ok(()) } else { Err(IoError::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn rename_by(_: &Path, _: &Path, _: Way) -> IoResult<()> {
    Err(ErrorKind::Unsupported.into())
}

/// Whether the system or the file system does not know a way of renaming. NFS says so by EINVAL.
fn is_unknown(error: &IoError) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput)
}

/// Makes what was done with the names in a folder durable. Windows cannot sync a folder and need not.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|d| d.sync_all()).map_err(Error::io(folder, "syncing"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::atomic::Kind;

    #[test]
    fn a_folder_is_replaced_by_either_way() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("out");
        for (word, way) in [("one", None), ("two", Some(true)), ("three", Some(false))] {
            let place = Place::new(&path, Kind::Folder(&["x"]), true).expect("free");
            let new = place.temporary();
            std::fs::create_dir(new.path()).expect("made");
            std::fs::write(new.path().join("x"), word).expect("written");
            match way {
                None => put(&new, &place).expect("named"),
                Some(true) => replace_folder(&new, &place).expect("exchanged"),
                Some(false) => make_room(&new, &place).expect("renamed twice"),
            }
            drop((new, place));
            assert_eq!(std::fs::read_to_string(path.join("x")).expect("there"), word);
            assert_eq!(dir.path().read_dir().expect("readable").count(), 1, "nothing is left");
        }
    }

    #[test]
    fn what_came_meanwhile_is_not_replaced_unasked() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("out.tsv");
        let place = Place::new(&path, Kind::File, false).expect("free");
        let new = place.temporary();
        std::fs::write(new.path(), "ours").expect("written");
        std::fs::write(&path, "another program's").expect("written");
        assert!(matches!(put(&new, &place), Err(Error::Exists(_))));
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "another program's");
    }
}
