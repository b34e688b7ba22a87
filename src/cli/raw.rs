//! A matrix file given to a command that works on stores: imported beside the output for this command alone. What is said of
//! it names the user's file, and options of `import` are called so.

use std::path::{Path, PathBuf};

use clap::Args as _;

use super::import;
use crate::error::{Error, Result};
use crate::formats::{self, ImportSettings, Orientation};
use crate::progress::{Event, Reporter};
use crate::store::atomic::{IMPORT, Temporary};
use crate::store::{Store, is_store};

/// A store, and where it was imported for this command; that is removed at the end, whatever the end is.
pub struct Profiles {
    pub store: Store,
    _imported: Option<Temporary>,
}

/// Opens a store, or imports the matrix file `path` beside `out`.
///
/// # Errors
/// Those of the store or of the import, about `path`.
pub fn open(path: &Path, out: &Path, orientation: Orientation, report: Reporter) -> Result<Profiles> {
    if is_store(path) {
        return Ok(Profiles { store: Store::open(path)?, _imported: None });
    }
    let imported = Temporary::beside(out, IMPORT, "")?;
    let settings = ImportSettings { orientation, ..ImportSettings::default() };
    let place = Place { path, imported: imported.path() };
    let told = |event: Event| report(place.event(event));
    let store = formats::import(&[path.to_path_buf()], imported.path(), &settings, &told)
        .map_err(|error| place.error(error))?;
    Ok(Profiles { store: store.called(path), _imported: Some(imported) })
}

/// The user's file and where it was imported.
struct Place<'a> {
    path: &'a Path,
    imported: &'a Path,
}

impl Place<'_> {
    fn event(&self, event: Event) -> Event {
        match event {
            Event::Note(text) => Event::Note(self.text(&text)),
            Event::Warning(text) => Event::Warning(self.text(&text)),
            other => other,
        }
    }

    fn text(&self, text: &str) -> String {
        text.replace(&*self.imported.to_string_lossy(), &self.path.to_string_lossy())
    }

    fn file(&self, path: PathBuf) -> PathBuf {
        if path == self.imported { self.path.to_path_buf() } else { path }
    }

    fn error(&self, error: Error) -> Error {
        let advise = |message: String| self.advise(self.text(&message));
        match error {
            Error::Input { path, message } => {
                Error::Input { path: self.file(path), message: advise(message) }
            }
            Error::Data(message) => Error::Data(advise(message)),
            Error::Usage(message) => Error::Usage(advise(message)),
            other => other,
        }
    }

    /// Says of options that only `import` has, or has in this sense, where they are.
    fn advise(&self, message: String) -> String {
        if !import_options().iter().any(|option| mentions(&message, option)) {
            return message;
        }
        format!(
            "{message} (options of genelift import: genelift import {} -o NAME.gex …, then give this command NAME.gex)",
            self.path.display()
        )
    }
}

/// The options of `import` that the commands do not share.
fn import_options() -> Vec<String> {
    let command = import::Args::augment_args(clap::Command::new("import"));
    let names = command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_string));
    names.filter(|name| name != "orientation" && name != "force").map(|name| format!("--{name}")).collect()
}

/// Whether `option` stands in the text as a word.
fn mentions(text: &str, option: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(option).any(|(at, _)| !text[at + option.len()..].starts_with(part))
}
