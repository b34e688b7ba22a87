//! Named f32 tensors and sorted metadata in one file, in the safetensors format.
//!
//! The metadata have a `checksum` of everything else, so that a changed byte is noticed.
//!
//! Reading is the `safetensors` crate's, which validates the header. Writing is here because equal contents
//! must be equal bytes, and the crate writes metadata in the order of a hash map.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3Default;

use crate::error::{Error, Result};
use crate::progress::{Event, Reporter};
use crate::store::atomic;

/// A tensor's shape and values, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Lengths of the dimensions.
    pub shape: Vec<usize>,
    /// The product of `shape` many values.
    pub values: Vec<f32>,
}

/// Everything in a safetensors file of f32 tensors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TensorFile {
    /// By name.
    pub tensors: BTreeMap<String, Tensor>,
    /// The `__metadata__` map, without the checksum.
    pub metadata: BTreeMap<String, String>,
    /// Whether it was read from a file without a checksum.
    pub unchecked: bool,
}

/// Where the metadata have the checksum.
const CHECKSUM: &str = "checksum";

impl TensorFile {
    /// Adds a tensor. `values` must have as many elements as `shape` says.
    pub fn insert(&mut self, name: impl Into<String>, shape: &[usize], values: Vec<f32>) {
        let name = name.into();
        assert_eq!(shape.iter().product::<usize>(), values.len(), "tensor {name}: shape and values differ");
        self.tensors.insert(name, Tensor { shape: shape.to_vec(), values });
    }

    /// Takes a tensor out; `None` in `shape` is any length. `path` is for the messages.
    ///
    /// # Errors
    /// [`Error::Input`] naming a tensor that is missing, has another shape, or holds a value that is not finite.
    pub fn take(&mut self, path: &Path, name: &str, shape: &[Option<usize>]) -> Result<Tensor> {
        let wrong = |message: String| Error::input(path, message);
        let tensor = self.tensors.remove(name).ok_or_else(|| wrong(format!("tensor {name} is missing")))?;
        let fits = tensor.shape.len() == shape.len()
            && tensor.shape.iter().zip(shape).all(|(found, want)| want.is_none_or(|w| w == *found));
        if !fits {
            let expected: Vec<_> =
                shape.iter().map(|w| w.map_or("any".to_string(), |w| w.to_string())).collect();
            let (expected, found) = (expected.join(", "), &tensor.shape);
            return Err(wrong(format!("tensor {name}: expected shape [{expected}], found {found:?}")));
        }
        if let Some(i) = tensor.values.iter().position(|v| !v.is_finite()) {
            let value = tensor.values[i];
            return Err(wrong(format!("tensor {name}: element {i} is {value}, not a number")));
        }
        Ok(tensor)
    }

    /// Writes the file whole or not at all: keys sorted, tensors in the order of their names.
    ///
    /// # Errors
    /// [`Error::Exists`] without `force`; [`Error::Io`].
    pub fn save(&self, path: &Path, force: bool) -> Result<()> {
        let mut header = serde_json::Map::new();
        let mut metadata = self.metadata.clone();
        metadata.insert(CHECKSUM.into(), self.checksum());
        header.insert("__metadata__".into(), serde_json::json!(metadata));
        let mut offset = 0;
        for (name, tensor) in &self.tensors {
            let end = offset + 4 * tensor.values.len();
            let entry = serde_json::json!({
                "dtype": "F32", "shape": tensor.shape, "data_offsets": [offset, end],
            });
            header.insert(name.clone(), entry);
            offset = end;
        }
        let mut text = serde_json::Value::Object(header).to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        atomic::write_file(path, force, |out| {
            let io = |error| Error::io(path, "writing")(error);
            out.write_all(&(text.len() as u64).to_le_bytes()).map_err(io)?;
            out.write_all(&text).map_err(io)?;
            for tensor in self.tensors.values() {
                write_f32(out, &tensor.values).map_err(io)?;
            }
            Ok(())
        })
    }

    /// XXH3 (64 bits, hexadecimal) of names, shapes and values, and of the metadata, in the order of their names.
    fn checksum(&self) -> String {
        let mut sum = Sum(Xxh3Default::new());
        for (name, tensor) in &self.tensors {
            sum.text(name);
            tensor.shape.iter().for_each(|length| sum.0.update(&(*length as u64).to_le_bytes()));
            write_f32(&mut sum, &tensor.values).expect("a checksum takes everything");
        }
        for (key, value) in &self.metadata {
            sum.text(key);
            sum.text(value);
        }
        format!("{:016x}", sum.0.digest())
    }

    /// Compares the contents with the checksum that was read with them.
    fn check(&mut self, path: &Path) -> Result<()> {
        let Some(said) = self.metadata.remove(CHECKSUM) else {
            self.unchecked = true;
            return Ok(());
        };
        if said == self.checksum() {
            return Ok(());
        }
        Err(Error::input(
            path,
            "does not match the checksum in it: bytes of it were changed or damaged; make or copy it anew",
        ))
    }

    /// As [`TensorFile::load`]; says where a file has no checksum.
    ///
    /// # Errors
    /// As [`TensorFile::load`].
    pub fn open(path: &Path, report: Reporter) -> Result<Self> {
        let file = TensorFile::load(path)?;
        file.note(path).into_iter().for_each(|note| report(Event::Warning(note)));
        Ok(file)
    }

    /// What is to be said of a file that has no checksum.
    fn note(&self, path: &Path) -> Option<String> {
        self.unchecked.then(|| {
            format!(
                "{}: unchecked: it has no checksum, as files of older versions and other programs, so nothing shows whether it is whole",
                path.display()
            )
        })
    }

    /// Reads a file of f32 tensors.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Input`] naming what is wrong with the file or which tensor is not f32.
    pub fn load(path: &Path) -> Result<Self> {
        if path.is_dir() {
            let what =
                "is a folder; expected a model or predictor (.safetensors), which is named before the store";
            return Err(Error::input(path, what));
        }
        let bytes = std::fs::read(path).map_err(Error::io(path, "reading"))?;
        TensorFile::parse(path, &bytes)
    }

    /// What a file's metadata say of `key`, from its header alone; `None` for whatever is no such file.
    pub fn told(path: &Path, key: &str) -> Option<String> {
        let mut file = std::fs::File::open(path).ok()?;
        let mut length = [0; 8];
        file.read_exact(&mut length).ok()?;
        let length = u64::from_le_bytes(length);
        if length > file.metadata().ok()?.len() {
            return None;
        }
        let mut header = Vec::new();
        file.take(length).read_to_end(&mut header).ok()?;
        let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
        header["__metadata__"][key].as_str().map(str::to_string)
    }

    /// The file `path`, of these bytes.
    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |error: safetensors::SafeTensorError| {
            Error::input(
                path,
                format!(
                    "not a readable safetensors file ({error}); was it cut short, or is it another format?"
                ),
            )
        };
        let (_, header) = safetensors::SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let file = safetensors::SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut out = TensorFile::default();
        if let Some(metadata) = header.metadata() {
            out.metadata.extend(metadata.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        for (name, view) in file.tensors() {
            if view.dtype() != safetensors::Dtype::F32 {
                let message =
                    format!("tensor {name}: expected 32-bit floats (F32), found {:?}", view.dtype());
                return Err(Error::input(path, message));
            }
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            out.tensors.insert(name, Tensor { shape: view.shape().to_vec(), values: values.collect() });
        }
        out.check(path)?;
        Ok(out)
    }
}

/// A checksum as something that can be written to.
struct Sum(Xxh3Default);

impl Sum {
    /// A text and its end.
    fn text(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
    }
}

impl std::io::Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Little-endian bytes, in pieces that stay in cache.
fn write_f32(out: &mut dyn std::io::Write, values: &[f32]) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(4 * 16_384);
    for piece in values.chunks(16_384) {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|v| v.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TensorFile {
        let mut file = TensorFile::default();
        file.insert("b", &[2, 3], vec![1.0, -2.5, 3.0, f32::MIN_POSITIVE, 0.0, 6.0]);
        file.insert("a", &[1], vec![7.0]);
        file.metadata.insert("z".into(), "last".into());
        file.metadata.insert("genes".into(), "[\"TP53\",\"é\"]".into());
        file
    }

    #[test]
    fn round_trip_and_equal_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("1.safetensors"), dir.path().join("2.safetensors"));
        sample().save(&one, false).unwrap();
        sample().save(&two, false).unwrap();
        assert_eq!(TensorFile::load(&one).unwrap(), sample());
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        assert!(matches!(sample().save(&one, false), Err(Error::Exists(_))));
    }

    /// What Python's xxhash 3.6.0 gives for the names, shapes and values as the documentation says them.
    #[test]
    fn the_checksum_is_the_documented_one() {
        assert_eq!(sample().checksum(), "37f8839f9c57ae7b");
    }

    /// Longer than what is written at once.
    #[test]
    fn long_tensors_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long.safetensors");
        let mut file = sample();
        file.insert("long", &[40_001], (0..40_001).map(|i| i as f32 - 0.5).collect());
        file.save(&path, false).unwrap();
        assert_eq!(TensorFile::load(&path).unwrap(), file);
    }

    #[test]
    fn every_flipped_bit_is_refused_or_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        sample().save(&path, false).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            match TensorFile::parse(&path, &bad) {
                Err(error) => assert!(matches!(error, Error::Input { .. }), "bit {bit}: {error}"),
                Ok(file) => assert!(file.unchecked || file == sample(), "bit {bit}"),
            }
        }
    }

    #[test]
    fn a_file_without_a_checksum_is_read_with_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        sample().save(&path, false).unwrap();
        let (good, bytes) = (TensorFile::load(&path).unwrap(), std::fs::read(&path).unwrap());
        assert_eq!(good.note(&path), None);
        let text = String::from_utf8_lossy(&bytes[8..]).into_owned();
        let at = 8 + text.find("\"checksum\"").unwrap();
        std::fs::write(&path, [&bytes[..at], b"\"checksux\"", &bytes[at + 10..]].concat()).unwrap();
        let old = TensorFile::load(&path).unwrap();
        assert_eq!(old.tensors, good.tensors);
        assert!(old.note(&path).unwrap().contains("it has no checksum"));
    }

    #[test]
    fn every_truncation_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.safetensors");
        sample().save(&path, false).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for n in 0..bytes.len() {
            std::fs::write(&path, &bytes[..n]).unwrap();
            assert!(matches!(TensorFile::load(&path), Err(Error::Input { .. })), "cut at {n}");
        }
    }
}
