//! Finds the shaders: a table of all files under `shaders/`, by their paths there, so that none is listed by hand. An import of a file that
//! is not there ends the build.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=shaders");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("shaders");
    let mut files = BTreeMap::new();
    find(&root, "", &mut files);
    for (name, text) in &files {
        for import in text.lines().filter_map(|line| line.strip_prefix("// #import ")) {
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
