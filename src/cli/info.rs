//! `genelift info`: what anything that genelift wrote is, or a matrix file.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::print;
use crate::error::{Error, Result};
use crate::formats::{self, FileInfo, ReadSettings, describe};
use crate::pipeline::about::{About, about};
use crate::store::Store;
use crate::visible;

/// Arguments of `info`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Anything that genelift wrote (a store, a model, a checkpoint, a predictor, scores, landmarks, a folder of tables, a run), or a matrix file
    path: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The layer of an h5ad file to look at
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
}

/// Runs the command. Of what has checksums everything is read and checked, of a run its record, of a matrix file the beginning.
///
/// # Errors
/// Those of opening what it is.
pub fn run(args: &Args) -> Result<()> {
    let (text, value) = match about(&args.path)? {
        Some(About { facts, value, .. }) => (lines(&facts), value),
        None if args.path.is_dir() && !formats::is_directory(&args.path) => {
            let damaged =
                args.path.join("store.json").exists().then(|| Store::open(&args.path).err()).flatten();
            return Err(damaged.unwrap_or_else(|| nothing(&args.path)));
        }
        None if args.path.extension() == Some(OsStr::new("safetensors")) => return Err(nothing(&args.path)),
        None => {
            let settings = ReadSettings { layer: args.layer.clone(), ..ReadSettings::default() };
            let info = describe(&args.path, &settings)?;
            (file_text(&info), json!(info))
        }
    };
    print(&if args.json { format!("{value:#}\n") } else { text })
}

fn nothing(path: &Path) -> Error {
    let what = match path.is_dir() {
        true => "is a folder, but none that genelift writes, nor a 10x matrix",
        false => "is nothing that genelift writes",
    };
    Error::input(path, what)
}

/// One line a fact, aligned.
fn lines(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:width$}  {}", visible::line(value));
        text
    })
}

fn file_text(info: &FileInfo) -> String {
    let some = |names: &[String]| format!("{}, …", names.join(", "));
    let mut facts = vec![
        ("file", info.path.clone()),
        ("format", format!("{}, {:.1} MB", info.format, info.bytes as f64 / 1e6)),
        ("rows", info.rows.map_or("not counted before an import".into(), |n| n.to_string())),
        ("columns", info.columns.to_string()),
        ("rows are", format!("{} ({})", info.rows_are, info.reason)),
        ("row names", some(&info.first_rows)),
        ("column names", some(&info.first_columns)),
    ];
    facts.extend(info.warnings.iter().map(|warning| ("warning", warning.clone())));
    lines(&facts)
}
