//! What `store.json` holds.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Store, lent};
use crate::element::Element;
use crate::error::{Error, Result};

/// The version that this program writes and reads.
pub const VERSION: u32 = 1;
/// The same of stores that hold what is not zero, which older programs cannot read.
pub const SPARSE_VERSION: u32 = 2;

/// How a store holds its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// All of them
    #[default]
    Dense,
    /// Those that are not zero, with their genes: for counts of single cells
    Sparse,
}

/// The contents of `store.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreInfo {
    /// Always `"genelift store"`.
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// Samples, genes.
    pub shape: [usize; 2],
    /// `"<f4"` or `"<f2"`, as NumPy writes it.
    pub dtype: String,
    /// How many values are held, where those that are zero are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Where the values come from and what was done to them.
    pub origin: Origin,
    /// XXH3 of everything else in the store.
    pub checksums: Checksums,
}

/// Where a store's values come from and what was done to them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Every file that went in, stores among them.
    pub inputs: Vec<InputFile>,
    /// Every transform, in order: an object of one key, its name, with the parameters.
    pub transforms: Vec<serde_json::Value>,
    /// Whether the genes' names were made up because the file had none: such names say nothing of what a gene is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_up_genes: bool,
}

impl Origin {
    /// The origin of a store made from `parent` by `transform`.
    pub fn derived(parent: &Store, transform: serde_json::Value) -> Origin {
        let mut origin = parent.info().origin.clone();
        origin.inputs.push(InputFile::of_store(parent));
        origin.transforms.push(transform);
        origin
    }
}

/// One input file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// As the user gave it.
    pub path: String,
    /// Its length; of a store, that of its values.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal; of a store, of its checksums. Empty where only a part of the file was read.
    pub sha256: String,
    /// Name of the format it was read as.
    pub format: String,
}

impl InputFile {
    /// A store as an input.
    pub fn of_store(store: &Store) -> InputFile {
        InputFile {
            path: store.path().display().to_string(),
            bytes: store.bytes(),
            sha256: store.info().fingerprint(),
            format: "store".into(),
        }
    }

    /// A file of which only a part was read: without its SHA-256.
    ///
    /// # Errors
    /// A file that cannot be seen.
    pub fn unread(path: &Path, format: &str) -> Result<InputFile> {
        let bytes = path.metadata().map_err(Error::io(path, "reading"))?.len();
        let path = path.display().to_string();
        Ok(InputFile { path, bytes, sha256: String::new(), format: format.into() })
    }

    /// Path, length and SHA-256 of a file, or of the files of a directory one after another in the order of their
    /// names; a pass over them.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(path: &Path, format: &str) -> Result<InputFile> {
        let (mut sum, mut buffer) = (Sum::default(), vec![0; 1 << 17]);
        for path in files_of(path)? {
            if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
                return Err(Error::input(
                    path,
                    "can be read once only, and has to be read again for its checksum; save it in a file first",
                ));
            }
            let mut file = File::open(&path).map_err(Error::io(&path, "opening"))?;
            loop {
                match file.read(&mut buffer).map_err(Error::io(&path, "reading"))? {
                    0 => break,
                    n => sum.add(&buffer[..n]),
                }
            }
        }
        Ok(sum.input(path, format))
    }
}

/// Length and SHA-256 of bytes.
#[derive(Default)]
pub(crate) struct Sum {
    hasher: Sha256,
    bytes: u64,
}

impl Sum {
    /// The next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// The file that they were.
    pub fn input(self, path: &Path, format: &str) -> InputFile {
        let (path, sha256) = (path.display().to_string(), hex(&self.hasher.finalize()));
        InputFile { path, bytes: self.bytes, sha256, format: format.into() }
    }
}

/// A file itself, or the files of a directory and the directories in it, by name.
pub(crate) fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    let mut waiting = vec![path.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in directory.read_dir().map_err(Error::io(&directory, "reading"))? {
            let path = entry.map_err(Error::io(&directory, "reading"))?.path();
            match path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                true => waiting.push(path),
                false if path.is_file() => files.push(path), // through a link, too; no directory, which might lead back
                false => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// XXH3 (64 bits) of a store's files, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksums {
    /// Of `genes.tsv`.
    pub genes: String,
    /// Of `samples.tsv`.
    pub samples: String,
    /// Bytes of a block of the matrix; the last one may be shorter.
    pub block_bytes: u64,
    /// Of the matrix's values, block by block.
    pub blocks: Vec<String>,
    /// Of the genes of values that are not zero, and of where samples begin among them, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indices: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[allow(missing_docs)] // with those above
    pub indptr: Vec<String>,
    /// Of `prepare.json`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
}

impl StoreInfo {
    /// SHA-256 of the checksums: equal for stores of equal content.
    pub fn fingerprint(&self) -> String {
        let sums = &self.checksums;
        let mut text =
            format!("{:?} {} {} {} {:?}", self.shape, self.dtype, sums.genes, sums.samples, sums.blocks);
        if self.pairs.is_some() {
            text += &format!(" {:?} {:?}", sums.indices, sums.indptr);
        }
        hex(&Sha256::digest(text.as_bytes()))
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// XXH3 of 64 bits, in hexadecimal.
pub(super) fn xxh3_hex(bytes: &[u8]) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(bytes))
}

/// NumPy's name of an element, where a store can hold it.
pub(super) fn descr(element: Element) -> Option<&'static str> {
    match element {
        Element::F32 => Some("<f4"),
        Element::F16 => Some("<f2"),
        Element::Bf16 | Element::U32 => None,
    }
}

/// Whether `path` looks like a store (or a damaged one), or is the name of one that is lent.
pub fn is_store(path: &Path) -> bool {
    path.is_dir() && path.join("store.json").is_file() || lent::is_lent(path)
}
