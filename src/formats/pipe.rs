//! Inputs that can be read once only: pipes, fifos, `<(…)`, standard input (`-`). A format is told by looking at a file
//! before it is read, and its checksum by reading it again, so such an input is first copied to a temporary file, which is
//! read in its place. What is said names what the user gave.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::ImportSettings;
use crate::error::{Error, Result};
use crate::progress::Event;
use crate::store::Origin;
use crate::store::atomic::{NEW, Temporary};

/// The copies of inputs that can be read once only; they are removed when this is dropped.
#[derive(Default)]
pub(super) struct Held {
    copies: Vec<Copied>,
}

struct Copied {
    /// As the user called it.
    called: String,
    file: Temporary,
}

/// Whether `path` is standard input, called as many programs call it.
fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-" && path.symlink_metadata().is_err()
}

/// Whether `path` can be read once only.
pub(super) fn once(path: &Path) -> bool {
    let other = |metadata: std::fs::Metadata| !metadata.is_file() && !metadata.is_dir();
    is_standard_input(path) || path.metadata().is_ok_and(other)
}

impl Held {
    /// What to read in place of `input`: the file itself, or a copy beside `out`.
    ///
    /// # Errors
    /// What the system refuses, a full disk for one.
    pub fn path(&mut self, input: &Path, out: &Path) -> Result<PathBuf> {
        if !once(input) {
            return Ok(input.to_path_buf());
        }
        let called =
            if is_standard_input(input) { "standard input".into() } else { input.display().to_string() };
        if self.copies.iter().any(|copy| copy.called == called) {
            return Err(Error::input(
                input,
                "is given twice, but can be read once only; save it in a file first",
            ));
        }
        let ending =
            input.extension().map_or(String::new(), |ending| format!(".{}", ending.to_string_lossy()));
        let file = Temporary::beside(out, NEW, &ending)?;
        copy(input, file.path(), out)?;
        let path = file.path().to_path_buf();
        self.copies.push(Copied { called, file });
        Ok(path)
    }

    /// The settings with copies of the tables that can be read once only.
    ///
    /// # Errors
    /// As [`Held::path`].
    pub fn settings(&mut self, settings: &ImportSettings, out: &Path) -> Result<ImportSettings> {
        let mut settings = settings.clone();
        let ImportSettings { labels, gene_labels, genes, samples, slice, .. } = &mut settings;
        let lists = [labels, gene_labels, genes, samples, &mut slice.samples, &mut slice.genes];
        for path in lists.into_iter().flatten() {
            *path = self.path(path, out)?;
        }
        Ok(settings)
    }

    /// The text with the user's names in place of the copies'.
    pub fn text(&self, text: &str) -> String {
        self.copies.iter().fold(text.to_string(), |text, copy| {
            text.replace(&*copy.file.path().to_string_lossy(), &copy.called)
        })
    }

    pub fn event(&self, event: Event) -> Event {
        match event {
            Event::Note(text) => Event::Note(self.text(&text)),
            Event::Warning(text) => Event::Warning(self.text(&text)),
            Event::Started { task, total, unit } => Event::Started { task: self.text(&task), total, unit },
            other => other,
        }
    }

    pub fn error(&self, error: Error) -> Error {
        let file = |path: PathBuf| PathBuf::from(self.text(&path.to_string_lossy()));
        match error {
            _ if self.copies.is_empty() => error,
            Error::Input { path, message } => Error::Input { path: file(path), message: self.text(&message) },
            Error::Io { path, action, source } => Error::Io { path: file(path), action, source },
            Error::Data(message) => Error::Data(self.text(&message)),
            Error::Usage(message) => Error::Usage(self.text(&message)),
            other => other,
        }
    }

    /// Names the inputs as the user did, and notes which were read once.
    pub fn origin(&self, origin: &mut Origin) {
        origin.inputs.iter_mut().for_each(|input| input.path = self.text(&input.path));
        origin.transforms.iter_mut().for_each(|transform| self.value(transform));
        if !self.copies.is_empty() {
            let called: Vec<&str> = self.copies.iter().map(|copy| copy.called.as_str()).collect();
            origin.transforms.push(serde_json::json!({ "read_once": called }));
        }
    }

    /// The texts in a value with the user's names.
    fn value(&self, value: &mut serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.value(value)),
            _ => {}
        }
    }
}

/// Copies all that `input` has to give into a new file.
fn copy(input: &Path, to: &Path, out: &Path) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(to)
        .map_err(Error::io(out, "making a copy beside"))?;
    let copied = if is_standard_input(input) {
        std::io::copy(&mut std::io::stdin().lock(), &mut file)
    } else {
        let mut source = File::open(input).map_err(Error::io(input, "opening"))?;
        std::io::copy(&mut source, &mut file)
    };
    copied.map(|_| ()).map_err(Error::io(input, "copying it to a file (it can be read once only)"))
}
