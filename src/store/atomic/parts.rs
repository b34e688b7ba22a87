//! Stores that belong together in one folder: the parts of a split, stores that were prepared together.
//!
//! A folder that holds nothing else is exchanged as a whole. In a folder with other things in it the old parts go first, all of
//! them, and the new ones come then: a kill in between leaves parts missing, never parts of two makings.

use std::path::{Path, PathBuf};

use super::check::{is_mount, strange};
use super::{Kind, Place, Temporary, called, parent, resolve, sync_folders};
use crate::error::{Error, Result};
use crate::store::Store;

/// A part that a split may have or not: one into fewer parts replaces one into more.
const SOMETIMES: &str = "validation.gex";

/// The places of stores that belong together.
#[derive(Debug)]
pub(crate) struct Parts {
    folder: PathBuf,
    names: Vec<String>,
    /// One for the folder, or one a store.
    pub(super) places: Vec<Place>,
    whole: bool,
}

impl Parts {
    /// Checks and locks; the folder may be there, a store in it only with `force`.
    ///
    /// # Errors
    /// As [`Place::new`].
    pub fn new(folder: &Path, names: &[String], force: bool) -> Result<Parts> {
        let known: Vec<&str> = names.iter().map(String::as_str).chain([SOMETIMES]).collect();
        let whole = is_own(folder, &known)?;
        let path = |name: &String| folder.join(name);
        if let Some(taken) = names.iter().map(path).find(|path| !force && path.exists()) {
            return Err(Error::Exists(taken));
        }
        let places = match whole {
            true => vec![Place { fills: true, force, ..Place::new(folder, Kind::Folder(&known), true)? }],
            false => {
                names.iter().map(|name| Place::new(&path(name), Kind::Store, force)).collect::<Result<_>>()?
            }
        };
        Ok(Parts { folder: folder.to_path_buf(), names: names.to_vec(), places, whole })
    }

    /// Makes the stores by `write`, which is given a folder to write them into, and puts them in their places.
    ///
    /// # Errors
    /// Those of `write`; what the system refuses.
    pub fn write(&self, write: impl FnOnce(&Path) -> Result<Vec<Store>>) -> Result<Vec<Store>> {
        let made = self.places[0].temporary();
        std::fs::create_dir(made.path()).map_err(Error::io(&self.folder, "creating"))?;
        let stores = write(made.path()).map_err(|error| called(error, made.path(), &self.folder))?;
        sync_folders(made.path())?;
        match self.whole {
            true => self.places[0].put(&made)?,
            false => self.put_each(made.path())?,
        }
        Ok(stores
            .into_iter()
            .zip(&self.names)
            .map(|(store, name)| store.called(&self.folder.join(name)))
            .collect())
    }

    fn put_each(&self, made: &Path) -> Result<()> {
        for place in self.places.iter().filter(|place| place.real.exists()) {
            let old = place.temporary();
            std::fs::rename(&place.real, old.path()).map_err(Error::io(&place.asked, "replacing"))?;
        }
        for (place, name) in self.places.iter().zip(&self.names) {
            let new: Temporary = place.temporary();
            std::fs::rename(made.join(name), new.path()).map_err(Error::io(&place.asked, "writing"))?;
            place.put(&new)?;
        }
        Ok(())
    }
}

/// Whether a folder is missing, or can be exchanged and holds nothing but the parts.
fn is_own(folder: &Path, names: &[&str]) -> Result<bool> {
    let real = resolve(folder)?;
    match real.metadata() {
        Err(_) => Ok(true),
        Ok(there) if !there.is_dir() => Ok(true), // which Place::new refuses
        Ok(_) => Ok(!is_mount(&real) && may_write(parent(&real)) && strange(&real, names)?.is_none()),
    }
}

/// Whether names in a folder can be changed.
#[cfg(unix)]
fn may_write(folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return false };
    // SAFETY: a text that ends in 0 and outlives the call, which only looks.
    unsafe { libc::access(path.as_ptr(), libc::W_OK | libc::X_OK) == 0 }
}

#[cfg(not(unix))]
fn may_write(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|there| !there.permissions().readonly())
}
