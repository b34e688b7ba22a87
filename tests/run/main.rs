//! `run`: the whole flow in one folder, what is kept and what is done again, and why.

mod checked;
mod kept;
mod size;
mod whole;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder with a small matrix (`m.tsv`, `m.samples.tsv`) and a configuration of it.
struct Folder(tempfile::TempDir);

const CONFIG: &str = "output = \"out\"\nseed = 4\ndevice = \"cpu\"\nreport = false\n[import]\nfiles = [\"m.tsv\"]\nlabels = \"m.samples.tsv\"\n\
                      [prepare]\nzscore = true\n[split]\nfractions = [0.7, 0.3]\n[train]\nhidden = [9, 3, 9]\nepochs = 3\nbatch = 16\n\
                      checkpoint-every = 3600\n[select]\nn = 6\n[fit]\nfolds = 3\n[compare]\nrandom-draws = 2\nfolds = 3\n\
                      resamples = 100\n";

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let made =
            ["simulate", "-o", "m.tsv", "--samples", "90", "--genes", "60", "--studies", "6", "--seed", "3"];
        folder.succeed(&made);
        folder.write("c.toml", CONFIG);
        folder
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn call(&self, arguments: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_genelift");
        Command::new(program)
            .current_dir(self.0.path())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs, expects success, returns standard output and standard error.
    fn succeed(&self, arguments: &[&str]) -> (String, String) {
        let output = self.call(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        (String::from_utf8(output.stdout).unwrap(), error)
    }

    /// Runs, expects this exit code and nothing on standard output, returns the error.
    fn fail(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty() && !error.contains("panicked"), "{error}");
        error
    }

    /// What `run` says of each stage: its name and `kept`, or why it is done.
    fn stages(&self, more: &[&str]) -> Vec<(String, String)> {
        let (_, said) = self.succeed(&[&["run", "c.toml"], more].concat());
        let stage = |line: &str| {
            let (name, why) = line.strip_prefix('[')?.split_once("] ")?.1.split_once(": ")?;
            Some((name.to_string(), why.to_string()))
        };
        said.lines().filter_map(stage).collect()
    }

    /// The stages that are done, with the reasons.
    fn done(&self, more: &[&str]) -> Vec<(String, String)> {
        self.stages(more).into_iter().filter(|(_, why)| why != "kept").collect()
    }

    fn names(&self, more: &[&str]) -> Vec<String> {
        self.done(more).into_iter().map(|(name, _)| name).collect()
    }

    fn record(&self) -> Value {
        serde_json::from_slice(&self.read("out/run.json")).unwrap()
    }

    fn results(&self) -> Vec<Vec<u8>> {
        RESULTS.iter().map(|name| self.read(&format!("out/{name}"))).collect()
    }
}

/// What a run writes, but for times.
const RESULTS: [&str; 9] = [
    "ready/train.gex/matrix.npy",
    "model.safetensors",
    "scores.tsv",
    "landmarks.tsv",
    "lists/top.tsv",
    "evaluation/genes.tsv",
    "predictor.safetensors",
    "comparison/summary.tsv",
    "comparison/tests.tsv",
];

const ALL: [&str; 10] =
    ["import", "split", "learn", "train", "evaluate", "attribute", "select", "select top", "fit", "compare"];
