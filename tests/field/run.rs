#![allow(dead_code)] // each file uses its own part
//! Runs the command as a user does.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs in `dir`, with nothing on standard input.
pub fn genelift(dir: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_genelift");
    Command::new(program).current_dir(dir).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs, expects success, returns what was said: standard output, then standard error.
pub fn succeed(dir: &Path, arguments: &[&str]) -> (String, String) {
    let output = genelift(dir, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    (String::from_utf8(output.stdout).unwrap(), error)
}

/// Runs, expects exit code 1 or 2 and nothing on standard output, returns the message.
pub fn refuse(dir: &Path, arguments: &[&str]) -> String {
    let output = genelift(dir, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {:?} {error}", output.status);
    assert!(output.stdout.is_empty() && !error.contains("panicked"), "{error}");
    error
}
