//! What the command says of itself: examples, version, manual pages, and which argument was likely meant.

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

#[cfg(unix)]
use common::package;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
    command.stdin(Stdio::null());
    command
}

fn run(dir: &Path, line: &str) -> Output {
    program().current_dir(dir).args(line.split_whitespace()).output().unwrap()
}

fn succeed(dir: &Path, line: &str) -> String {
    let output = run(dir, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every help's example, one after the other, as somebody would copy them into a shell.
#[cfg(unix)]
#[test]
fn the_examples_run_as_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(package("examples"), dir.path().join("examples")).unwrap();
    let folder = Path::new(env!("CARGO_BIN_EXE_genelift")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut ran = 0;
    for command in genelift::cli::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let line = help.split_once('\n').map(|two| two.1).unwrap_or_default();
        let started = std::time::Instant::now();
        let mut shell = Command::new("sh");
        let output =
            shell.args(["-e", "-c", line]).current_dir(dir.path()).env("PATH", &path).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!line.is_empty() && output.status.success(), "{line}: {error}");
        println!("{:6.1} s {line}", started.elapsed().as_secs_f64());
        ran += 1;
    }
    assert!(ran > 25, "{ran}");
}

#[test]
fn the_version_says_commit_and_features() {
    let dir = tempfile::tempdir().unwrap();
    let short = succeed(dir.path(), "-V");
    assert_eq!(short, format!("genelift {}\n", env!("CARGO_PKG_VERSION")));
    let long = succeed(dir.path(), "--version");
    assert!(long.starts_with(short.trim_end()), "{long}");
    let lines: Vec<&str> = long.lines().collect();
    let commit = lines[1].strip_prefix("commit   ").unwrap();
    let hash = commit.strip_suffix(" with changes").unwrap_or(commit);
    assert!(hash == "unknown" || hash.len() == 10 && hash.chars().all(|c| c.is_ascii_hexdigit()), "{long}");
    let features = lines[2].strip_prefix("features ").unwrap();
    assert_eq!(features.contains("figures"), cfg!(feature = "figures"), "{long}");
    assert_eq!(features.contains("parquet"), cfg!(feature = "parquet"), "{long}");
    assert!(lines[3].starts_with("target   ") && lines.len() == 4, "{long}");
}

#[test]
fn manual_pages_are_written_of_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    succeed(dir, "man pages");
    let names: Vec<String> =
        genelift::cli::command().get_subcommands().map(|c| c.get_name().to_string()).collect();
    for name in &names {
        let page = std::fs::read_to_string(dir.join(format!("pages/genelift-{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains("Example"), "{name}: {page}");
        assert!(!page.contains('\u{1b}'), "{name}: no colours in a page");
    }
    assert_eq!(dir.join("pages").read_dir().unwrap().count(), names.len() + 1);
    assert_eq!(run(dir, "man pages").status.code(), Some(1), "what is there is not replaced unasked");
    succeed(dir, "man pages --force");
    std::fs::write(dir.join("pages/mine"), "").unwrap();
    assert_eq!(run(dir, "man pages --force").status.code(), Some(1), "nor is anything else, even so");
    assert_eq!(run(dir, "man").status.code(), Some(2));
}

/// What stands in another's place is told before any work, with the command that was meant.
#[test]
fn swapped_arguments_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    succeed(dir, "simulate --samples 40 --genes 30 --studies 2 -o s.gex");
    succeed(dir, "train s.gex -o m.safetensors --hidden 4,2,4 --epochs 1");
    succeed(dir, "attribute m.safetensors s.gex -o scores.tsv");
    succeed(dir, "select scores.tsv -n 5 -o l.tsv");
    succeed(dir, "fit s.gex --landmarks l.tsv -o p.safetensors");
    let told = |line: &str, expected: &[&str]| {
        let output = run(dir, line);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {error}");
        assert!(expected.iter().all(|part| error.contains(part)), "{line}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    };
    for (command, out) in
        [("evaluate", "e"), ("embed", "e.tsv"), ("reconstruct", "r.gex"), ("attribute", "a.tsv")]
    {
        let right = format!("{command} m.safetensors s.gex -o {out}");
        told(
            &format!("{command} s.gex m.safetensors -o {out}"),
            &["s.gex is a store", "MODEL takes a model", &format!("did you mean: genelift {right}")],
        );
        succeed(dir, &right);
    }
    told(
        "predict s.gex p.safetensors -o c.gex",
        &["did you mean: genelift predict p.safetensors s.gex -o c.gex"],
    );
    told("evaluate p.safetensors s.gex -o x", &["p.safetensors is a predictor", "MODEL takes a model"]);
    told(
        "predict m.safetensors s.gex -o x.gex",
        &["m.safetensors is a model", "PREDICTOR takes a predictor"],
    );
    told(
        "predict p.safetensors l.tsv -o x.gex",
        &["l.tsv is a list or table of genes", "STORE|FILE takes a store"],
    );
    told("select s.gex -n 5 -o x.tsv", &["SCORES takes a table of scores", "did you mean --store s.gex?"]);
    told(
        "select --store m.safetensors -n 5 -o x.tsv",
        &["--store takes a store", "did you mean --model m.safetensors?"],
    );
    told("train l.tsv -o x", &["l.tsv is a list or table of genes", "STORE takes a store"]);
    told("fit l.tsv --landmarks s.gex -o x", &["did you mean: genelift fit s.gex --landmarks l.tsv -o x"]);
    told(
        "compare --train s.gex --test s.gex --landmarks a=m.safetensors -o x",
        &["--landmarks takes a list"],
    );
    told("run s.gex", &["CONFIG takes a configuration"]);
    // A ranking is a list of genes, and a list has an order.
    succeed(dir, "select l.tsv -n 3 -o three.tsv");
}

/// What is wrong, in words that need no knowledge of this program or of Rust.
#[test]
fn wrong_inputs_are_told_in_plain_words() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    succeed(dir, "simulate --samples 40 --genes 30 -o s.gex");
    std::fs::write(dir.join("matrix.csv"), "sample,a,b\none,1,2\n").unwrap();
    std::fs::create_dir(dir.join("empty")).unwrap();
    let told = |code: i32, line: &str, expected: &str| {
        let output = run(dir, line);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {error}");
        assert!(error.contains(expected), "{line}: {error}");
        assert!(!error.contains("os error") && !error.contains("as a value"), "{line}: {error}");
    };
    let import = "matrix.csv: is a file, not a store; `genelift import matrix.csv -o NAME.gex` makes a store of a matrix file";
    told(1, "train matrix.csv -o m", import);
    told(1, "train none.gex -o m", "none.gex: is not a store: it does not exist");
    told(1, "train empty -o m", "empty: is not a store: it has no store.json");
    told(1, "import none.csv -o n.gex", "none.csv: opening failed: there is no such file or folder");
    told(
        1,
        "select --store s.gex -n 5 --include none.txt -o l.tsv",
        "none.txt: reading failed: there is no such file",
    );
    told(1, "run none.toml", "none.toml: reading the configuration failed: there is no such file");
    told(1, "run empty", "empty: reading the configuration failed: it is a folder, not a file");
    told(2, "select --store s.gex -n 5 --strategy divers -o l.tsv", "tip: a similar value exists: 'diverse'");
    told(2, "train s.gex -o m --learning-rate Inf", "must be a finite number");
    told(2, "split s.gex -o p --fractions 80,20", "--fractions 80,20 must be positive and add to 1, not 100");
    told(2, "run study.toml -o folder", "unexpected argument '-o' found");
    told(2, "train s.gex -o m --epoch 5", "a similar argument exists: '--epochs'");
    let explain = "none of the names is among the 30 genes of s.gex";
    succeed(dir, "train s.gex -o m.safetensors --hidden 4,2,4 --epochs 1");
    told(1, "explain NOSUCHGENE --store s.gex --model m.safetensors", explain);
}

/// Colours are clap's rules: none in a pipe, none with `NO_COLOR` however it is forced.
#[test]
fn colours_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = |set: &[(&str, &str)]| {
        let mut command = program();
        command.current_dir(dir.path()).args(["train", "none.gex", "-o", "m"]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(set.iter().copied());
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert!(wrong(&[]).starts_with("error: none.gex"));
    assert!(wrong(&[("CLICOLOR_FORCE", "1")]).starts_with("\u{1b}[1m\u{1b}[31merror: \u{1b}[0mnone.gex"));
    assert!(wrong(&[("NO_COLOR", "1")]).starts_with("error: none.gex"));
}
