//! One writer at a time: an output that is being written has `NAME.lock` beside it, which its writer holds locked (`flock`).
//!
//! The kernel frees the lock of a process that is gone, whatever ended it, so a lock file that nobody holds is a leftover and
//! is taken over. It tells a second process who holds it. Whoever holds the lock of an output may do with what lies beside
//! it under its name, `NAME.tmp-…` and `NAME.old-…`, as it likes: nothing of it is a living process's.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{clock, parent, temporary};
use crate::error::{Error, Result};

/// How a lock file begins; another file of that name is not touched.
const MARK: &str = "genelift is writing here";

/// Locks of this process, by place: how often they are taken, and the locked file.
static HELD: Mutex<BTreeMap<PathBuf, (usize, Option<File>)>> = Mutex::new(BTreeMap::new());

fn held() -> MutexGuard<'static, BTreeMap<PathBuf, (usize, Option<File>)>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lock on the output at a resolved place; a process may take the same one several times. Dropped, it is free.
#[derive(Debug)]
pub(crate) struct Lock {
    place: PathBuf,
}

impl Lock {
    /// Takes the lock of `place`, which [`super::resolve`] made, or says who holds it; what dead processes left beside it is
    /// put right. `asked` is what the user called it.
    pub fn take(place: &Path, asked: &Path) -> Result<Lock> {
        let mut held = held();
        if let Some((times, _)) = held.get_mut(place) {
            *times += 1;
            return Ok(Lock { place: place.to_path_buf() });
        }
        let file = lock(&beside(place), asked)?;
        let known = |other: &Path| held.contains_key(other);
        if let Err(error) = refuse_neighbours(place, asked, known) {
            let _ = std::fs::remove_file(beside(place));
            return Err(error);
        }
        temporary::put_right(place, file.is_some());
        held.insert(place.to_path_buf(), (1, file));
        Ok(Lock { place: place.to_path_buf() })
    }
}

impl Clone for Lock {
    fn clone(&self) -> Lock {
        if let Some((times, _)) = held().get_mut(&self.place) {
            *times += 1;
        }
        Lock { place: self.place.clone() }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut held = held();
        let last = held.get_mut(&self.place).is_some_and(|(times, _)| {
            *times -= 1;
            *times == 0
        });
        if last {
            // The name goes while the lock is held, so whoever waits finds that it is another file's.
            let file = held.remove(&self.place);
            let _ = std::fs::remove_file(beside(&self.place));
            drop(file);
        }
    }
}

/// `NAME.lock`.
pub(super) fn beside(place: &Path) -> PathBuf {
    let mut name = place.as_os_str().to_os_string();
    name.push(".lock");
    name.into()
}

/// Opens and locks a lock file; `None` where the file system has no locks.
fn lock(path: &Path, asked: &Path) -> Result<Option<File>> {
    loop {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = match file {
            // another user's leftover
            Err(error) if error.kind() == ErrorKind::PermissionDenied && is_stale(path) => {
                std::fs::remove_file(path).map_err(|error| unwritable(path, asked, error))?;
                continue;
            }
            file => file.map_err(|error| unwritable(path, asked, error))?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(busy(path, asked)),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Interrupted => continue,
            // Some network file systems: what they cannot promise is in docs/reliability.md.
            Err(TryLockError::Error(_)) => {
                let _ = std::fs::remove_file(path);
                return Ok(None);
            }
        }
        if !is_still(path, &file) {
            continue; // its last holder took it away between our opening and our locking
        }
        let mut text = String::new();
        let read = (&file).take(4096).read_to_string(&mut text);
        if read.is_err() || !(text.is_empty() || text.starts_with(MARK)) {
            let message = format!(
                "{} stands where the lock of this output would be, and is another program's; give another name",
                path.display()
            );
            return Err(Error::input(asked, message));
        }
        if let Err(error) = sign(&mut file) {
            let _ = std::fs::remove_file(path); // a full disk
            return Err(Error::io(path, "writing")(error));
        }
        return Ok(Some(file));
    }
}

fn sign(file: &mut File) -> std::io::Result<()> {
    let text = format!(
        "{MARK}: process {} on {}, since {}\n",
        std::process::id(),
        host(),
        clock::utc(std::time::SystemTime::now())
    );
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}

fn unwritable(path: &Path, asked: &Path, error: std::io::Error) -> Error {
    let folder = parent(path);
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::input(
            asked,
            format!(
                "cannot be written: {} gives no permission to write ({error}); name an output elsewhere",
                folder.display()
            ),
        ),
        _ => Error::io(asked, "beginning to write")(error),
    }
}

fn busy(path: &Path, asked: &Path) -> Error {
    let read = |attempt: u32| {
        // Who has only just taken it may not have said so yet.
        std::thread::sleep(std::time::Duration::from_millis(u64::from(attempt)));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let who = text.strip_prefix(MARK).and_then(|text| text.strip_prefix(": "));
        who.map(|who| who.trim().to_string())
    };
    let who = (0..15).find_map(read).unwrap_or_else(|| "another process".into());
    let message = format!("is being written by {who}; wait until it has ended, or give another name");
    Error::input(asked, message)
}

#[cfg(unix)]
fn is_still(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (path.symlink_metadata(), file.metadata()) {
        (Ok(there), Ok(ours)) => identity(there) == identity(ours),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(path: &Path, _: &File) -> bool {
    path.exists()
}

/// Refuses a place in a folder that another process is writing as a whole, and a folder in which another process writes.
fn refuse_neighbours(place: &Path, asked: &Path, known: impl Fn(&Path) -> bool) -> Result<()> {
    for folder in place.ancestors().skip(1).filter(|folder| folder.file_name().is_some()) {
        if !known(folder) && is_taken(&beside(folder)) {
            return Err(busy(&beside(folder), asked));
        }
    }
    for entry in place.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = path.extension().is_some_and(|ending| ending == "lock") && known(&path.with_extension(""));
        if path.extension().is_some_and(|ending| ending == "lock") && !ours && is_taken(&path) {
            return Err(busy(&path, asked));
        }
    }
    Ok(())
}

/// Whether a lock file is there and held.
fn is_taken(path: &Path) -> bool {
    let file = File::open(path);
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether a lock file is there and nobody holds it.
fn is_stale(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock_shared().is_ok())
}

/// This machine's name.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name =
        name.ok().or_else(|| std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).ok());
    name.map_or_else(|| "this machine".into(), |name| name.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_taken_again_by_its_process_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let place = dir.path().canonicalize().expect("there").join("out.tsv");
        let first = Lock::take(&place, &place).expect("free");
        let second = Lock::take(&place, &place).expect("its own");
        drop(first);
        let text = std::fs::read_to_string(beside(&place)).expect("still held");
        assert!(
            text.starts_with(MARK) && text.contains(&format!("process {} on", std::process::id())),
            "{text}"
        );
        drop(second.clone());
        assert!(beside(&place).exists());
        drop(second);
        assert_eq!(dir.path().read_dir().expect("readable").count(), 0);
    }

    #[test]
    fn a_stale_lock_is_taken_over_and_a_strange_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let place = dir.path().canonicalize().expect("there").join("out.tsv");
        std::fs::write(beside(&place), format!("{MARK}: process 1 on elsewhere, since long ago\n"))
            .expect("written");
        drop(Lock::take(&place, &place).expect("nobody holds it"));
        std::fs::write(beside(&place), "my notes").expect("written");
        let message = Lock::take(&place, &place).expect_err("must be refused").to_string();
        assert!(message.contains("another program's"), "{message}");
        assert_eq!(std::fs::read_to_string(beside(&place)).expect("there"), "my notes");
    }

    #[test]
    fn what_another_holds_is_refused_with_who_it_is() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let folder = dir.path().canonicalize().expect("there");
        let hold = |place: &Path| {
            let file = File::create(beside(place)).expect("made"); // another open file: as another process
            file.lock().expect("locked");
            (&file)
                .write_all(format!("{MARK}: process 7 on there, since now\n").as_bytes())
                .expect("written");
            file
        };
        std::fs::create_dir(folder.join("runs")).expect("made");
        let (whole, inside) = (folder.join("runs"), folder.join("runs/model"));
        let held = hold(&whole);
        for place in [&whole, &inside] {
            let message = Lock::take(place, place).expect_err("must be refused").to_string();
            assert!(message.contains("is being written by process 7 on there, since now"), "{message}");
        }
        drop(held);
        std::fs::remove_file(beside(&whole)).expect("removed");
        let _held = hold(&inside);
        Lock::take(&whole, &whole).expect_err("something in it is being written");
        Lock::take(&folder.join("runs/other"), &inside).expect("another name");
    }
}
