//! Room on the disk, where the size of an output is known beforehand.

use std::path::Path;

use super::{parent, resolve};
use crate::error::{Error, Result};
use crate::memory::bytes as shown;

/// Refuses an output of so many bytes where the disk has less room.
///
/// # Errors
/// [`Error::Input`] with both numbers; those of [`resolve`].
pub fn check_space(path: &Path, bytes: u64) -> Result<()> {
    let real = resolve(path)?;
    let folder = parent(&real);
    match free(folder) {
        Some(free) if free < bytes => Err(Error::input(
            path,
            format!(
                "needs {} on the disk, and {} has {} left; make room or name an output elsewhere",
                shown(bytes),
                folder.display(),
                shown(free)
            ),
        )),
        _ => Ok(()),
    }
}

/// Bytes that can still be written below a folder.
#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends in 0 and outlives the call; `found` is room for the answer, and all zeros is a value of it.
    let found = unsafe {
        if libc::statvfs(path.as_ptr(), found.as_mut_ptr()) != 0 {
            return None;
        }
        found.assume_init()
    };
    // Some file systems have no number of blocks to tell.
    #[allow(clippy::unnecessary_cast)] // u32 on some systems
    let (all, free, size) = (found.f_blocks as u64, found.f_bavail as u64, found.f_frsize as u64);
    (all > 0).then(|| free.saturating_mul(size))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_any_disk_has_is_refused_with_the_numbers() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("x");
        check_space(&path, 1).expect("there is room for a byte");
        if cfg!(unix) {
            let message = check_space(&path, 1 << 62).expect_err("must be refused").to_string();
            assert!(message.contains("needs 4611686.0 TB on the disk"), "{message}");
        }
    }
}
