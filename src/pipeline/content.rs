//! What a file, a store or a folder holds, as a checksum: two of one content are one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::store::{InputFile, Store, files_of, hex, is_store};

/// Checksums of contents, each taken once while nothing changes.
#[derive(Default)]
pub struct Contents {
    known: HashMap<PathBuf, (Vec<Stamp>, String)>,
}

/// What tells that a file has changed since it was read.
type Stamp = (PathBuf, u64, Option<SystemTime>);

impl Contents {
    /// The content of a file (SHA-256), of a store (its checksums, after they were compared with every byte of it) or of a
    /// folder (names and contents of its files). `None` where there is nothing, or nothing that is whole.
    pub fn of(&mut self, path: &Path) -> Option<String> {
        let stamps = stamps(path).ok()?;
        if let Some((then, sum)) = self.known.get(path)
            && *then == stamps
        {
            return Some(sum.clone());
        }
        let sum = read(path).ok()?;
        self.known.insert(path.to_path_buf(), (stamps, sum.clone()));
        Some(sum)
    }
}

fn stamps(path: &Path) -> Result<Vec<Stamp>> {
    let stamp = |path: PathBuf| {
        let metadata = path.metadata().map_err(Error::io(&path, "reading"))?;
        let (length, changed) = (metadata.len(), metadata.modified().ok());
        Ok((path, length, changed))
    };
    files_of(path)?.into_iter().map(stamp).collect()
}

fn read(path: &Path) -> Result<String> {
    if is_store(path) {
        return of_store(&Store::open(path)?);
    }
    if path.is_dir() {
        let mut text = String::new();
        for file in files_of(path)? {
            let name = file.strip_prefix(path).unwrap_or(&file).display().to_string();
            text += &format!("{name}\t{}\n", InputFile::of(&file, "file")?.sha256);
        }
        return Ok(hex(&Sha256::digest(text.as_bytes())));
    }
    Ok(InputFile::of(path, "file")?.sha256)
}

/// The content of a store: values, names, what its steps learned, and whether its genes' names mean anything.
fn of_store(store: &Store) -> Result<String> {
    let info = store.info();
    store.parameters()?;
    let text =
        format!("{} {:?} {}", info.fingerprint(), info.checksums.parameters, info.origin.made_up_genes);
    Ok(hex(&Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_what_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut contents = Contents::default();
        assert_eq!(contents.of(&path("none")), None);
        std::fs::write(path("a"), "one").unwrap();
        std::fs::write(path("b"), "one").unwrap();
        assert_eq!(contents.of(&path("a")), contents.of(&path("b")));
        let before = contents.of(&path("a"));
        std::fs::write(path("a"), "two two").unwrap();
        assert_ne!(contents.of(&path("a")), before);
        // a folder is its files' names and contents
        for (folder, file) in [("x", "1"), ("y", "1"), ("z", "2")] {
            std::fs::create_dir(path(folder)).unwrap();
            std::fs::write(path(folder).join(file), "same").unwrap();
        }
        assert_eq!(contents.of(&path("x")), contents.of(&path("y")));
        assert_ne!(contents.of(&path("x")), contents.of(&path("z")));
    }
}
