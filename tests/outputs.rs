//! Outputs under everything that can come between: a second process, a kill, something else under the name, a store that is
//! changed while it is read. The long forms, with counts, are a script's.
#![cfg(unix)]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
    command
        .current_dir(dir)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn start(dir: &Path, arguments: &[&str]) -> Child {
    command(dir, arguments).spawn().unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs and expects success; returns what was said on standard error.
fn succeed(dir: &Path, arguments: &[&str]) -> String {
    let output = command(dir, arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", error(&output));
    error(&output)
}

/// Runs and expects this exit code and words of the message; nothing under `dir` may have changed.
fn refuse(dir: &Path, code: i32, words: &str, arguments: &[&str]) {
    let before = everything(dir);
    let output = command(dir, arguments).output().unwrap();
    let message = error(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(message.contains(words) && !message.contains("panicked"), "{arguments:?}: {message}");
    assert_eq!(everything(dir), before, "{arguments:?} was refused and left something");
}

/// Every file and folder below, with its length.
fn everything(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            found.push((path.clone(), if kind.is_file() { entry.metadata().unwrap().len() } else { 0 }));
            if kind.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        dir.read_dir().unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A folder with a small store, a model and scores.
fn workshop() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    succeed(dir.path(), &["simulate", "-o", "s.gex", "--samples", "60", "--genes", "40", "--rank", "5"]);
    succeed(dir.path(), &train("m.safetensors", "2"));
    succeed(dir.path(), &["attribute", "m.safetensors", "s.gex", "-o", "scores.tsv", "--device", "cpu"]);
    dir
}

fn train<'a>(model: &'a str, epochs: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["train", "s.gex", "-o", model, "--epochs", epochs];
    arguments.extend(["--hidden", "8,3,8", "--device", "cpu", "--threads", "1", "-q"]);
    arguments
}

/// Waits until `is` holds; a child that ends meanwhile fails the test.
fn wait_for(child: &mut Child, what: &str, is: impl Fn() -> bool) {
    let started = Instant::now();
    while !is() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before {what}");
        assert!(started.elapsed() < Duration::from_secs(120), "{what} never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Holds the lock of an output as another process would.
fn hold(output: &Path) -> File {
    let name = format!("{}.lock", output.display());
    let mut file = File::create(name).unwrap();
    file.lock().unwrap();
    file.write_all(b"genelift is writing here: process 77 on elsewhere, since yesterday\n").unwrap();
    file
}

/// Every command that writes, and what it would write in a workshop.
fn writers() -> Vec<(Vec<&'static str>, &'static str)> {
    let cpu = ["--device", "cpu"];
    let with = |arguments: &[&'static str]| [arguments, &cpu[..]].concat();
    vec![
        (vec!["import", "table.csv", "-o", "out"], "out"),
        (vec!["export", "s.gex", "-o", "out.tsv"], "out.tsv"),
        (vec!["simulate", "-o", "out.gex", "--samples", "9", "--genes", "9", "--rank", "2"], "out.gex"),
        (vec!["split", "s.gex", "-o", "out"], "out"),
        (with(&["prepare", "s.gex", "-o", "out", "--zscore"]), "out"),
        (train("out", "1"), "out"),
        (with(&["embed", "m.safetensors", "s.gex", "-o", "out"]), "out"),
        (with(&["reconstruct", "m.safetensors", "s.gex", "-o", "out"]), "out"),
        (with(&["evaluate", "m.safetensors", "s.gex", "-o", "out"]), "out"),
        (with(&["attribute", "m.safetensors", "s.gex", "-o", "out"]), "out"),
        (with(&["select", "scores.tsv", "-n", "5", "-o", "out"]), "out"),
        (with(&["fit", "s.gex", "--landmarks", "scores.tsv", "-o", "out"]), "out"),
        (
            with(&[
                "compare",
                "--train",
                "s.gex",
                "--test",
                "s.gex",
                "--landmarks",
                "a=scores.tsv",
                "-o",
                "out",
            ]),
            "out",
        ),
    ]
}

#[test]
fn every_command_refuses_what_another_process_is_writing() {
    let dir = workshop();
    for (arguments, output) in writers() {
        let held = hold(&dir.path().join(output));
        refuse(dir.path(), 1, "is being written by process 77 on elsewhere, since yesterday", &arguments);
        drop(held);
        std::fs::remove_file(dir.path().join(format!("{output}.lock"))).unwrap();
    }
}

#[test]
fn every_command_refuses_what_cannot_be_its_output() {
    let dir = workshop();
    let at = |name: &str| dir.path().join(name);
    for (arguments, output) in writers() {
        let place = at(output);
        for force in [false, true] {
            let mut arguments = arguments.clone();
            arguments.extend(force.then_some("--force"));
            let renamed = |to: &'static str| {
                let swap = |word: &&'static str| if *word == output { to } else { *word };
                arguments.iter().map(swap).collect::<Vec<_>>()
            };
            if !output.contains('.') {
                refuse(dir.path(), 2, "none was supplied", &renamed(""));
                refuse(dir.path(), 1, "does not exist; create it", &renamed("no/such/place"));
                refuse(dir.path(), 1, "so nothing can be in it", &renamed("scores.tsv/out"));
                refuse(dir.path(), 1, "inside a store", &renamed("s.gex/out"));
            }
            assert!(Command::new("mkfifo").arg(&place).status().unwrap().success());
            refuse(dir.path(), 1, "", &arguments);
            std::fs::remove_file(&place).unwrap();
            std::fs::create_dir(&place).unwrap();
            std::fs::write(place.join("thesis.tex"), "years of work").unwrap();
            let writes_beside = arguments[0] == "split";
            if !writes_beside {
                refuse(dir.path(), 1, "", &arguments);
            }
            std::fs::remove_dir_all(&place).unwrap();
        }
    }
}

#[test]
fn outputs_of_one_name_and_inputs_are_refused() {
    let dir = workshop();
    let (dir, cpu) = (dir.path(), ["--device", "cpu", "--force"]);
    let refuse = |words: &str, arguments: &[&str]| refuse(dir, 2, words, &[arguments, &cpu[..]].concat());
    let attribute = ["attribute", "m.safetensors", "s.gex", "-o", "a.tsv", "--per-node"];
    for spelled in ["a.tsv", "./a.tsv", "s.gex/../a.tsv", "a.tsv.json"] {
        refuse("are one file", &[&attribute[..], &[spelled]].concat());
    }
    refuse("is both read and written", &["attribute", "m.safetensors", "s.gex", "-o", "./m.safetensors"]);
    refuse("is both read and written", &["prepare", "s.gex", "-o", "s.gex/", "--zscore"]);
    refuse("is both read and written", &["select", "scores.tsv", "-n", "5", "-o", "scores.tsv"]);
    // what lies beside an input to describe it is read, too
    refuse("is both read and written", &["select", "scores.tsv", "-n", "5", "-o", "scores.tsv.json"]);
    std::fs::write(dir.join("list.txt"), "g_1\ng_2\n").unwrap();
    std::fs::write(dir.join("list.txt.json"), "{}").unwrap();
    let of_list = ["--landmarks", "list.txt", "-o"];
    let fit = [&["fit", "s.gex"], &of_list[..]].concat();
    refuse("is both read and written", &[&fit[..], &["list.txt.json"]].concat());
    let beside = ["out", "--unmatched", "list.txt.json"];
    refuse("is both read and written", &[&fit[..], &beside].concat());
    refuse("is both read and written", &[&["cluster", "s.gex"], &of_list[..], &beside].concat());
    let matched = ["prepare", "s.gex", "-o", "out", "--match-genes", "scores.tsv", "--unmatched"];
    refuse("is both read and written", &[&matched[..], &["scores.tsv.json"]].concat());
    refuse("are one file", &["train", "s.gex", "-o", "x", "--history", "x.checkpoint"]);
    symlink("m.safetensors", dir.join("link")).unwrap();
    refuse("is both read and written", &["train", "s.gex", "--init", "m.safetensors", "-o", "link"]);
}

/// A log would be lost under a name that goes with an output; beside the parts of a split there is room for it.
#[test]
fn a_log_is_held_against_what_goes_with_outputs() {
    let dir = workshop();
    let dir = dir.path();
    std::fs::create_dir(dir.join("parts")).unwrap();
    std::fs::create_dir(dir.join("measured")).unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&["select", "scores.tsv", "-n", "5", "-o", "a.txt"], "a.txt.json"),
        (&train("n.safetensors", "1"), "./n.safetensors.checkpoint"),
        (&["split", "s.gex", "-o", "parts"], "parts/train.gex"),
        (&["evaluate", "m.safetensors", "s.gex", "-o", "measured"], "measured/genes.tsv"),
        (&["prepare", "s.gex", "-o", "s.gex", "--zscore"], "s.gex/log"),
    ];
    for (arguments, log) in cases {
        let with_log = [arguments, &["--force", "--log", log]].concat();
        refuse(dir, 2, "give --log another name", &with_log);
    }
    succeed(dir, &["split", "s.gex", "-o", "parts", "--log", "parts/log.jsonl"]);
    assert_eq!(names(&dir.join("parts")), ["log.jsonl", "test.gex", "train.gex"]);
}

/// A command of every one that has options which name a file to write beside `-o out`, and a file that it reads.
fn writers_beside() -> Vec<(Vec<&'static str>, &'static str)> {
    vec![
        (vec!["train", "s.gex", "-o", "out", "--init", "m.safetensors"], "m.safetensors"),
        (vec!["attribute", "m.safetensors", "s.gex", "-o", "out"], "m.safetensors"),
        (vec!["prepare", "s.gex", "-o", "out", "--match-genes", "scores.tsv"], "scores.tsv"),
        (vec!["select", "scores.tsv", "-n", "5", "-o", "out"], "scores.tsv"),
        (vec!["fit", "s.gex", "--landmarks", "list.txt", "--method", "mlp", "-o", "out"], "list.txt"),
        (vec!["predict", "none.safetensors", "table.csv", "-o", "out"], "table.csv"),
        (
            vec!["compare", "--train", "s.gex", "--test", "s.gex", "--landmarks", "a=list.txt", "-o", "out"],
            "list.txt",
        ),
        (vec!["cluster", "s.gex", "--landmarks", "list.txt", "-o", "out"], "list.txt"),
        (vec!["enrich", "list.txt", "--store", "s.gex", "-o", "out"], "list.txt"),
        (vec!["explain", "g_1", "--store", "s.gex", "--landmarks", "list.txt", "-o", "out"], "list.txt"),
    ]
}

/// The options of a command that stand under its outputs and name a file, but for `-o`.
fn outputs_beside(command: &str) -> Vec<String> {
    let all = genelift::cli::command();
    let command = all.find_subcommand(command).expect("a command");
    let beside = command.get_arguments().filter(|argument| {
        argument.get_help_heading() == Some("Outputs") && argument.get_action().takes_values()
    });
    beside
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .filter(|name| name != "--output")
        .collect()
}

/// Whatever a command writes is held against its other outputs and what it reads, before it does anything.
#[test]
fn every_option_that_names_an_output_is_held_against_the_others_and_the_inputs() {
    let dir = workshop();
    let dir = dir.path();
    std::fs::write(dir.join("list.txt"), "g_1\ng_2\ng_3\n").unwrap();
    std::fs::write(dir.join("table.csv"), "id,a,b\nx,1,2\n").unwrap();
    let table = writers_beside();
    for (arguments, read) in &table {
        let beside = outputs_beside(arguments[0]);
        assert!(!beside.is_empty(), "{}: leave it out here", arguments[0]);
        for option in &beside {
            let with = |value: &str, more: &[String]| {
                let mut words: Vec<String> = arguments.iter().map(|word| word.to_string()).collect();
                words.extend([format!("{option}={value}"), "--force".into(), "--device=cpu".into()]);
                words.extend_from_slice(more);
                words
            };
            let refused = |words: &str, arguments: Vec<String>| {
                refuse(dir, 2, words, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
            };
            refused("are one file", with("out", &[]));
            refused("is both read and written", with(read, &[]));
            for other in beside.iter().filter(|other| *other != option) {
                refused("are one file", with("x", &[format!("{other}=./x")]));
            }
            refused("is an output of the command and its --log", with("x", &["--log=x".into()]));
        }
        let log = [&arguments[..], &["--log=out"]].concat();
        refuse(dir, 2, "is an output of the command and its --log", &log);
    }
    // `bench` reads nothing, and writes its trace alone
    let commands = genelift::cli::command();
    let others = commands.get_subcommands().map(|command| command.get_name());
    for name in others.filter(|name| !["bench", "help"].contains(name)) {
        let known = table.iter().any(|(arguments, _)| arguments[0] == name);
        assert!(known || outputs_beside(name).is_empty(), "{name}: a row in writers_beside is missing");
    }
    refuse(dir, 1, "already exists", &["bench", "--device=cpu", "--profile=list.txt"]);
    refuse(dir, 2, "is both read and written", &["init", "table.csv", "-o", "table.csv", "--force"]);
}

#[test]
fn a_link_stays_and_its_target_is_replaced() {
    let dir = workshop();
    std::fs::create_dir(dir.path().join("disk")).unwrap();
    symlink("disk/model", dir.path().join("link")).unwrap();
    symlink("disk/store", dir.path().join("link.gex")).unwrap();
    succeed(dir.path(), &train("link", "1"));
    for _ in 0..2 {
        succeed(dir.path(), &["prepare", "s.gex", "-o", "link.gex", "--zscore", "--force"]);
    }
    assert!(
        ["link", "link.gex"].iter().all(|name| dir
            .path()
            .join(name)
            .symlink_metadata()
            .unwrap()
            .is_symlink())
    );
    assert_eq!(names(&dir.path().join("disk")), ["model", "store"]);
}

#[test]
fn a_second_process_is_told_who_is_first_and_a_killed_one_is_forgotten() {
    let dir = workshop();
    let lock = dir.path().join("x.lock");
    let long = train("x", "100000");
    let mut first = start(dir.path(), &long);
    let signed = || std::fs::read_to_string(&lock).is_ok_and(|text| text.ends_with("UTC\n"));
    wait_for(&mut first, "the lock", signed);
    let who = format!("is being written by process {} on ", first.id());
    let second = command(dir.path(), &long).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(error(&second).contains(&who), "{}", error(&second));
    let checkpoint = dir.path().join("x.checkpoint");
    wait_for(&mut first, "the checkpoint", || checkpoint.exists());
    first.kill().unwrap();
    assert_eq!(first.wait().unwrap().signal(), Some(9));
    assert!(lock.exists(), "a kill leaves the lock's file");
    let mut short = train("x", "2");
    short.push("--force");
    succeed(dir.path(), &short);
    let left: Vec<String> = names(dir.path()).into_iter().filter(|name| name.starts_with('x')).collect();
    assert_eq!(left, ["x"], "and the next command sweeps it");
}

#[test]
fn of_two_at_once_one_writes_or_both_one_after_the_other() {
    let dir = workshop();
    let arguments = |seed: &'static str| {
        [
            "simulate",
            "-o",
            "race.gex",
            "--samples",
            "200",
            "--genes",
            "50",
            "--rank",
            "3",
            "--force",
            "--seed",
            seed,
        ]
    };
    for _ in 0..5 {
        let both = ["1", "2"].map(|seed| start(dir.path(), &arguments(seed)));
        let ends = both.map(|child| child.wait_with_output().unwrap());
        assert!(ends.iter().any(|end| end.status.success()), "{}{}", error(&ends[0]), error(&ends[1]));
        for end in ends.iter().filter(|end| !end.status.success()) {
            assert!(error(end).contains("is being written by process"), "{}", error(end));
        }
        succeed(dir.path(), &["info", "race.gex"]);
        assert!(names(dir.path()).iter().filter(|name| name.starts_with("race")).eq(["race.gex"]));
    }
}

#[test]
fn a_killed_writer_leaves_the_old_or_the_new_and_the_next_one_sweeps() {
    let dir = workshop();
    let arguments = |seed: &'static str| {
        vec![
            "simulate",
            "-o",
            "k.gex",
            "--samples",
            "20000", // some tenths of a second, in which it is killed
            "--genes",
            "200",
            "--rank",
            "3",
            "--force",
            "--seed",
            seed,
        ]
    };
    succeed(dir.path(), &arguments("1"));
    let old = std::fs::read(dir.path().join("k.gex/matrix.npy")).unwrap();
    for _ in 0..3 {
        let mut child = start(dir.path(), &arguments("1"));
        let begun = || names(dir.path()).iter().any(|name| name.starts_with("k.gex.tmp-"));
        wait_for(&mut child, "the temporary", begun);
        child.kill().unwrap();
        child.wait().unwrap();
        succeed(dir.path(), &["info", "k.gex"]);
    }
    succeed(dir.path(), &arguments("1"));
    assert_eq!(std::fs::read(dir.path().join("k.gex/matrix.npy")).unwrap(), old);
    assert!(names(dir.path()).iter().filter(|name| name.starts_with('k')).eq(["k.gex"]));
}

#[test]
fn parts_replace_parts_as_a_whole_and_leave_other_things_alone() {
    let dir = workshop();
    let dir = dir.path();
    let split = |fractions: &str, out: &str, force: bool| {
        let mut arguments = vec!["split", "s.gex", "-o", out, "--fractions", fractions];
        arguments.extend(force.then_some("--force"));
        succeed(dir, &arguments);
    };
    split("0.6,0.2,0.2", "parts", false);
    assert_eq!(names(&dir.join("parts")), ["test.gex", "train.gex", "validation.gex"]);
    refuse(dir, 1, "already exists", &["split", "s.gex", "-o", "parts"]);
    split("0.5,0.5", "parts", true);
    assert_eq!(names(&dir.join("parts")), ["test.gex", "train.gex"], "no part of another split stays");
    split("0.5,0.5", ".", false);
    std::fs::write(dir.join("parts/notes.txt"), "mine").unwrap();
    split("0.7,0.3", "parts", true);
    assert_eq!(names(&dir.join("parts")), ["notes.txt", "test.gex", "train.gex"]);
    for part in ["train.gex", "test.gex"] {
        succeed(dir, &["info", part]);
        succeed(dir, &["info", &format!("parts/{part}")]);
    }
}

#[test]
fn a_run_has_its_folder_to_itself() {
    let dir = workshop();
    std::fs::create_dir(dir.path().join("runs")).unwrap();
    let config = "output = \"runs/a\"\n[import]\nfiles = [\"table.csv\"]\norientation = \"samples-by-genes\"\n[select]\nn = 1\n";
    std::fs::write(dir.path().join("c.toml"), config).unwrap();
    let rows = (0..20).map(|row| format!("x{row},{row},{}\n", row * row % 7));
    let table = format!("id,a,b\n{}", rows.collect::<String>());
    std::fs::write(dir.path().join("table.csv"), table).unwrap();
    let held = hold(&dir.path().join("runs/a"));
    refuse(dir.path(), 1, "is being written by process 77", &["run", "c.toml"]);
    refuse(dir.path(), 1, "does not exist", &train("runs/a/model", "1"));
    std::fs::create_dir(dir.path().join("runs/a")).unwrap();
    refuse(dir.path(), 1, "is being written by process 77", &train("runs/a/model", "1"));
    drop(held);
}

/// Starts a long training on `s.gex` and does something to the store while it runs.
fn train_meanwhile(dir: &Path, epochs: &str, act: impl FnOnce()) -> Output {
    let mut child = start(dir, &train("x", epochs));
    let checkpoint = dir.join("x.checkpoint");
    wait_for(&mut child, "the checkpoint", || checkpoint.exists());
    act();
    child.wait_with_output().unwrap()
}

#[test]
fn a_store_that_is_cut_short_while_it_is_read_ends_the_command_with_a_message() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    succeed(dir, &["simulate", "-o", "s.gex", "--samples", "2000", "--genes", "40", "--rank", "5"]);
    let mut arguments = train("x", "100000");
    arguments.extend(["--resident", "never"]);
    let mut child = start(dir, &arguments);
    let checkpoint = dir.join("x.checkpoint");
    wait_for(&mut child, "the checkpoint", || checkpoint.exists());
    File::options().write(true).open(dir.join("s.gex/matrix.npy")).unwrap().set_len(4096).unwrap();
    let end = child.wait_with_output().unwrap();
    assert_eq!(end.status.code(), Some(1), "{}", error(&end));
    assert!(error(&end).contains("s.gex/matrix.npy: was cut short while it was read"), "{}", error(&end));
    assert!(!dir.join("x").exists());
}

#[test]
fn a_store_that_is_changed_while_it_is_read_makes_no_result() {
    let dir = workshop();
    let matrix = dir.path().join("s.gex/matrix.npy");
    let end = train_meanwhile(dir.path(), "3000", || {
        let mut file = File::options().append(true).open(&matrix).unwrap();
        file.write_all(b"more").unwrap();
    });
    assert_eq!(end.status.code(), Some(1), "{}", error(&end));
    assert!(error(&end).contains("matrix.npy: was changed while it was read"), "{}", error(&end));
    assert!(!dir.path().join("x").exists());
}

#[test]
fn a_store_that_is_replaced_while_it_is_read_stays_what_it_was() {
    let dir = workshop();
    let again = ["simulate", "-o", "s.gex", "--samples", "60", "--genes", "40", "--rank", "5", "--force"];
    let end = train_meanwhile(dir.path(), "3000", || {
        succeed(dir.path(), &[&again[..], &["--seed", "9"]].concat());
    });
    assert!(end.status.success(), "{}", error(&end));
}

#[test]
fn a_bus_error_that_is_not_a_stores_is_one() {
    let dir = workshop();
    let mut child = start(dir.path(), &train("x", "100000"));
    let checkpoint = dir.path().join("x.checkpoint");
    wait_for(&mut child, "the checkpoint", || checkpoint.exists());
    let sent = Command::new("kill").args(["-BUS", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().signal(), Some(7));
}
