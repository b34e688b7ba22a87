//! Finds the shaders: a table of all files under `shaders/`, by their paths there, so that none is listed by hand. An import of a file that
//! is not there ends the build. And says of what the program is made, for `--version`.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/device/gpu/shader/imports.rs"]
mod imports;

/// What the program is made of.
const SOURCES: [&str; 5] = ["src", "shaders", "build.rs", "Cargo.toml", "Cargo.lock"];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    shaders(&root.join("shaders"));
    // Not `.git`: the crate would be compiled again after every commit. The commit asked for below changes with these alone.
    SOURCES.iter().for_each(|source| println!("cargo::rerun-if-changed={source}"));
    let mut features: Vec<String> = env::var("CARGO_CFG_FEATURE")
        .unwrap_or_default()
        .split(',')
        .filter(|feature| !matches!(*feature, "" | "default"))
        .map(str::to_string)
        .collect();
    features.sort();
    let features = if features.is_empty() { "none".to_string() } else { features.join(", ") };
    println!("cargo::rustc-env=GENELIFT_FEATURES={features}");
    println!("cargo::rustc-env=GENELIFT_COMMIT={}", commit(&root));
    println!("cargo::rustc-env=GENELIFT_TARGET={}", env::var("TARGET").expect("set by cargo"));
}

/// The last commit that changed a source: that of the packed crate, else git's.
fn commit(root: &Path) -> String {
    let packed = fs::read_to_string(root.join(".cargo_vcs_info.json")).unwrap_or_default();
    let mut commit: String = match packed.split_once("\"sha1\": \"") {
        Some((_, hash)) => hash.chars().take_while(char::is_ascii_hexdigit).take(10).collect(),
        // Blank where git is missing, and in a folder that another project's repository does not know.
        None => git(root, &["log", "-1", "--format=%H", "--"]).chars().take(10).collect(),
    };
    if commit.is_empty() {
        return "unknown".into();
    }
    if packed.contains("\"dirty\": true")
        || packed.is_empty() && !git(root, &["status", "--porcelain", "--"]).is_empty()
    {
        commit += " with changes";
    }
    commit
}

/// What git says of the sources; blank where it says nothing.
fn git(root: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(root).args(arguments).args(SOURCES).output();
    let said = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    String::from_utf8_lossy(&said.unwrap_or_default()).trim().to_string()
}

fn shaders(root: &Path) {
    let mut files = BTreeMap::new();
    find(root, "", &mut files);
    for (name, text) in &files {
        for import in imports::imports(text) {
            assert!(files.contains_key(import), "shaders/{name} imports {import}, which is not there");
        }
    }
    let mut table = String::from("&[\n");
    for name in files.keys() {
        writeln!(table, "    ({name:?}, include_str!({:?})),", root.join(name)).expect("a string");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo")).join("shaders.rs");
    fs::write(out, table + "]").expect("written");
}

/// The files of a folder and of those in it, by path with `/`, and their texts.
fn find(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("the folder of shaders") {
        let entry = entry.expect("readable");
        let name = format!("{prefix}{}", entry.file_name().to_str().expect("plain names"));
        if entry.path().is_dir() {
            find(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read_to_string(entry.path()).expect("text"));
        }
    }
}
