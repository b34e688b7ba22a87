//! Folders of tables that belong together: a description, written last, has the checksum of each, so that a mixture, a cut table
//! or one that was changed is told.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{atomic, info, signed};
use crate::error::{Error, Result};

/// The key of the checksums.
const FILES: &str = "files";

/// Writes `dir/NAME.json`: `about` with the checksums (XXH3, 64 bits) of the named files of the folder.
///
/// # Errors
/// A file that cannot be read or written.
pub fn seal(dir: &Path, name: &str, files: &[&str], mut about: Value) -> Result<()> {
    let mut sums = BTreeMap::new();
    for file in files {
        sums.insert(file.to_string(), sum(&dir.join(file))?);
    }
    about[FILES] = json!(sums);
    about["genelift"] = env!("CARGO_PKG_VERSION").into();
    atomic::write_text(&dir.join(format!("{name}.json")), &signed::sign(&format!("{about:#}")))
}

/// Compares the files of a sealed folder, and of those in it, with their checksums; how many there are.
///
/// # Errors
/// [`Error::Input`] for a folder without a description, and naming the file that is missing or not what was written.
pub fn check(dir: &Path) -> Result<usize> {
    let described = described(dir)?;
    let mut n = 0;
    for (file, value) in &described {
        for (name, expected) in value[FILES].as_object().into_iter().flatten() {
            let path = file.with_file_name(name);
            if Some(sum(&path)?.as_str()) != expected.as_str() {
                let message = format!("is not what was written with {}; make both anew", file.display());
                return Err(Error::input(path, message));
            }
            n += 1;
        }
    }
    match n {
        0 => Err(Error::input(dir, "holds nothing that genelift wrote and can check")),
        n => Ok(n),
    }
}

/// The descriptions in a folder and in those in it, by file.
///
/// # Errors
/// [`Error::Input`] for one that is damaged.
pub fn described(dir: &Path) -> Result<Vec<(PathBuf, Value)>> {
    let json = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "json");
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "reading"))?;
        let damaged =
            |what: &dyn Display| Error::input(&path, format!("is damaged ({what}); make its folder anew"));
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| damaged(&e))?;
        match signed::is_whole(&bytes) {
            true => Ok((path, value)),
            false => Err(damaged(&"its own checksum does not match")),
        }
    };
    info::files_of(dir)?.into_iter().filter(json).map(read).collect()
}

fn sum(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "reading"))?;
    Ok(info::xxh3_hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.tsv"), "one").unwrap();
        std::fs::write(dir.path().join("b.tsv"), "two").unwrap();
        seal(dir.path(), "all", &["a.tsv", "b.tsv"], json!({"about": 1})).unwrap();
        assert_eq!(check(dir.path()).unwrap(), 2);
        std::fs::write(dir.path().join("b.tsv"), "twO").unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().contains("b.tsv: is not what was written"));
        std::fs::remove_file(dir.path().join("a.tsv")).unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().contains("a.tsv"));
        std::fs::write(dir.path().join("all.json"), "{").unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().contains("is damaged"));
        std::fs::remove_file(dir.path().join("all.json")).unwrap();
        assert!(check(dir.path()).unwrap_err().to_string().contains("holds nothing"));
    }
}
