//! The command as a user meets it: the whole flow, resumption after a kill, exit codes and messages.

#[path = "../common/mod.rs"]
mod common;
mod devices;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::package;

fn genelift(dir: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_genelift");
    Command::new(program).current_dir(dir).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Runs, expects success, returns standard output.
fn succeed(dir: &Path, arguments: &[&str]) -> String {
    let output = genelift(dir, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs, expects this exit code and nothing on standard output, returns the error's line.
fn fail(dir: &Path, code: i32, arguments: &[&str]) -> String {
    let output = genelift(dir, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty() && !error.contains("panicked"), "{error}");
    error
}

/// Starts a command, sends it a signal as soon as `there` exists, and returns its exit code and what it said.
#[cfg(unix)]
fn interrupt(dir: &Path, arguments: &[&str], there: &str, signal: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
    command
        .current_dir(dir)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // A shell's background job ignores some of them, and a child would inherit that.
    let listen = || {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: sets the default action, before the program runs.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec only `signal` is called, which is allowed there.
    let mut child =
        unsafe { std::os::unix::process::CommandExt::pre_exec(&mut command, listen) }.spawn().unwrap();
    let started = Instant::now();
    while !dir.join(there).exists() && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(120), "{there} did not appear");
        std::thread::sleep(Duration::from_millis(1));
    }
    Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(unix)]
#[test]
fn a_signal_ends_training_after_a_step_and_the_same_command_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = package("examples/brca/expression.csv.gz");
    succeed(dir, &["import", data.to_str().unwrap(), "-o", "all.gex"]);
    let train = |model| {
        let history: &'static str = if model == "lr0.1" { "one.tsv" } else { "two.tsv" };
        let arguments =
            ["train", "all.gex", "-o", model, "--hidden", "24,6,24", "--epochs", "200", "--batch", "4"];
        [&arguments[..], &["--device", "cpu", "--validation", "0.1", "--history", history]].concat()
    };
    succeed(dir, &train("lr0.1"));
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let _ = std::fs::remove_file(dir.join("two.tsv")); // it is there again after an epoch
        let (found, said) = interrupt(dir, &train("lr0.2"), "two.tsv", signal);
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(&format!("interrupted by SIG{signal} after ")), "{said}");
        assert!(said.contains("the same command goes on from lr0.2.checkpoint"), "{said}");
        assert!(dir.join("lr0.2.checkpoint").exists() && !dir.join("lr0.2").exists());
    }
    let other = [&train("lr0.2")[..], &["--l2", "0"]].concat();
    let refused = fail(dir, 1, &other);
    assert!(
        refused.contains("lr0.2.checkpoint: is the checkpoint of a run with other settings"),
        "{refused}"
    );
    let output = genelift(dir, &train("lr0.2"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("going on after"), "{said}");
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    assert_eq!(read("lr0.1"), read("lr0.2"));
    let figures = |name: &str| {
        let text = String::from_utf8(read(name)).unwrap();
        text.lines().map(|l| l.split('\t').take(6).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(figures("one.tsv"), figures("two.tsv"));
    assert!(!dir.join("lr0.2.checkpoint").exists());
}

/// Whatever takes long looks whether it should end: the signal comes when the output is locked, before the work begins.
#[cfg(unix)]
#[test]
fn a_signal_ends_every_selection_and_every_fit() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    succeed(dir, &["simulate", "-o", "s.gex", "--samples", "300", "--genes", "2000"]);
    succeed(dir, &["select", "--store", "s.gex", "--strategy", "variance", "-n", "100", "-o", "v.tsv"]);
    let strategies = ["diverse", "css", "pca", "peel-off", "facility-location", "k-medoids", "concrete"];
    let select = strategies.map(|strategy| {
        (
            vec!["select", "--store", "s.gex", "--strategy", strategy, "-n", "200", "-o", "out"],
            "out.json.lock",
        )
    });
    let fit = ["linear", "kernel", "knn", "mlp", "best"].map(|method| {
        (vec!["fit", "s.gex", "--landmarks", "v.tsv", "--method", method, "-o", "out"], "out.lock")
    });
    for (arguments, lock) in select.into_iter().chain(fit) {
        let arguments = [&arguments[..], &["--device", "cpu"]].concat();
        let (code, said) = interrupt(dir, &arguments, lock, "INT");
        assert_eq!(code, Some(130), "{arguments:?}: {said}");
        assert!(said.contains("interrupted by SIGINT"), "{arguments:?}: {said}");
        assert!(!dir.join("out").exists() && !dir.join("out.json").exists(), "{arguments:?}");
    }
}

/// A log that nobody reads any more, or a full disk under it, does not end the work.
#[cfg(unix)]
#[test]
fn a_closed_or_full_standard_error_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_genelift");
    let data = package("examples/brca/expression.csv.gz");
    let import = format!("{program} import {} --force -o all.gex", data.display());
    for line in [format!("{import} 2>/dev/full"), format!("{import} 2>&-"), format!("{import} 2> >(exit)")] {
        let status = Command::new("bash").args(["-c", &line]).current_dir(dir.path()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{line}");
    }
}

#[test]
fn the_commands_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = package("examples/brca/expression.csv.gz");
    let labels = package("examples/brca/pam50.csv");
    let labels = labels.to_str().unwrap();
    succeed(dir, &["import", data.to_str().unwrap(), "-o", "all.gex", "--labels", labels]);
    let info = succeed(dir, &["info", "all.gex"]);
    assert!(info.contains("769") && info.contains("pam50") && info.contains("expression.csv.gz"), "{info}");
    succeed(dir, &["split", "all.gex", "-o", "parts", "--group-by", "pam50", "--fractions", "0.7,0.3"]);
    let small = ["--hidden", "16,4", "--epochs", "2", "--device", "cpu"];
    let train =
        ["train", "parts/train.gex", "-o", "m.safetensors", "--history", "h.tsv", "--validation", "0.2"];
    let text = succeed(dir, &[&train[..], &small].concat());
    assert!(text.contains("validation_mae\t"), "{text}");
    let refused = fail(dir, 1, &[&train[..], &small].concat());
    assert!(refused.contains("m.safetensors already exists") && refused.contains("--force"), "{refused}");
    succeed(dir, &["attribute", "m.safetensors", "parts/train.gex", "-o", "s.tsv", "--per-node", "n.npy"]);
    let notes: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("s.tsv.json")).unwrap()).unwrap();
    assert!(notes["about"]["completeness"]["relative"].as_f64().unwrap() < 1e-4);
    assert_eq!(std::fs::metadata(dir.join("n.npy")).unwrap().len() % (4 * 4 * 2000), 128);
    std::fs::write(dir.join("must.txt"), "ESR1\nGATA3\n").unwrap();
    let select =
        ["select", "s.tsv", "-n", "12", "-o", "l.tsv", "--include", "must.txt", "--exclude", "l1000"];
    // GATA3 is an L1000 landmark.
    let both = fail(dir, 1, &select);
    assert!(both.contains("is on an --include and on an --exclude list"), "{both}");
    succeed(dir, &select[..8]);
    let landmarks = std::fs::read_to_string(dir.join("l.tsv")).unwrap();
    assert_eq!(landmarks.lines().count(), 13);
    assert!(
        landmarks.lines().skip(1).take(2).all(|l| l.contains("ESR1") || l.contains("GATA3")),
        "{landmarks}"
    );
    let scores = std::fs::read_to_string(dir.join("s.tsv")).unwrap();
    succeed(dir, &["select", "s.tsv", "-n", "7", "-o", "top.tsv"]);
    let best = |text: &str| {
        text.lines().skip(1).take(7).map(|l| l.split('\t').nth(1).unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        best(&std::fs::read_to_string(dir.join("top.tsv")).unwrap()),
        best(&scores),
        "scores alone mean top"
    );
    let many = fail(dir, 1, &["select", "s.tsv", "-n", "2001", "-o", "x.tsv"]);
    assert!(many.contains("there are only 2000 genes"), "{many}");
    let data = ["select", "-n", "12", "--store", "parts/train.gex", "--include", "must.txt"];
    for strategy in ["diverse", "random", "variance", "pca", "css", "peel-off"] {
        let out = format!("{strategy}.tsv");
        let mut arguments = [&data[..], &["--strategy", strategy, "-o", &out, "--threads", "1"]].concat();
        if strategy == "diverse" {
            arguments.extend(["--target", "reconstruction", "--model", "m.safetensors", "--device", "cpu"]);
        }
        succeed(dir, &arguments);
        let landmarks = std::fs::read_to_string(dir.join(&out)).unwrap();
        assert_eq!(landmarks.lines().count(), 13);
        assert!(landmarks.starts_with("rank\tgene_id\tscore\tsymbol\tentrez\n"), "{landmarks:.60}");
        let first = || landmarks.lines().skip(1).take(2);
        assert!(first().all(|l| l.contains("ESR1") || l.contains("GATA3")), "{strategy}: {landmarks}");
    }
    let refusals: [(&[&str], &str); 8] = [
        (
            &["--ridge", "0", "--stand-ins", "2"],
            "--stand-ins are weighed by the ridge, of which --ridge 0 has none",
        ),
        (&["--target", "blend:0.5"], "--strategy diverse needs --model"),
        (&["--strategy", "diverse", "--model", "m.safetensors"], "--strategy diverse does not use --model"),
        (&["s.tsv", "--strategy", "css"], "--strategy css does not use SCORES"),
        (&["--model", "m.safetensors", "--strategy", "css"], "--strategy css does not use --model"),
        (&["--ridge", "0.1", "--strategy", "css"], "--strategy css does not use --ridge"),
        (
            &["--target", "pca:0", "--strategy", "diverse"],
            "expected data, reconstruction, blend:SHARE (0 to 1) or pca:COMPONENTS",
        ),
        (&["--strategy", "top"], "--strategy top needs SCORES"),
    ];
    for (more, expected) in refusals {
        let message = fail(dir, 2, &[&data[..], &["-o", "x.tsv"], more].concat());
        assert!(message.contains(expected), "{message}");
    }
    succeed(dir, &["evaluate", "m.safetensors", "parts/test.gex", "-o", "e"]);
    succeed(dir, &["embed", "m.safetensors", "parts/test.gex", "-o", "embedding.tsv"]);
    succeed(dir, &["reconstruct", "m.safetensors", "parts/test.gex", "-o", "back.gex"]);
    assert!(succeed(dir, &["info", "back.gex"]).contains("reconstruct"));
    assert!(succeed(dir, &["info", "m.safetensors"]).contains("2000-16-4-2000"));
    assert!(succeed(dir, &["completions", "bash"]).contains("genelift"));
}

#[test]
fn mistakes_end_in_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let message = fail(dir, 2, &["train"]);
    assert!(message.contains("Usage"), "{message}");
    let message = fail(dir, 2, &["train", "x.gex", "-o", "m.safetensors", "--dropout", "1.5"]);
    assert!(message.contains("--dropout 1.5"), "{message}");
    let contradiction = ["train", "x.gex", "-o", "m.safetensors", "--preset", "paper", "--scale", "zscore"];
    let message = fail(dir, 2, &contradiction);
    assert!(message.contains("sigmoid output"), "{message}");
    let message = fail(dir, 2, &["train", "x.gex", "-o", "m.safetensors", "--device", "tpu"]);
    assert!(message.contains("expected auto, cpu, gpu"), "{message}");
    let message = fail(dir, 1, &["train", "x.gex", "-o", "m.safetensors", "--device", "cpu"]);
    assert!(message.contains("x.gex") && message.contains("genelift import"), "{message}");
    std::fs::write(dir.join("not.safetensors"), "nothing of the kind").unwrap();
    let message = fail(dir, 1, &["info", "not.safetensors"]);
    assert!(message.contains("not a readable safetensors file"), "{message}");
    std::fs::create_dir(dir.join("s.gex")).unwrap();
    let message = fail(dir, 1, &["evaluate", "s.gex", "not.safetensors", "-o", "e"]);
    assert!(message.contains("s.gex: is a folder; expected a model"), "{message}");
    let message = fail(dir, 1, &["run", "none.toml"]);
    assert!(message.contains("none.toml: reading the configuration failed"), "{message}");
}

#[test]
fn a_concrete_autoencoder_selects() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = package("examples/brca/expression.csv.gz");
    succeed(dir, &["import", data.to_str().unwrap(), "-o", "all.gex"]);
    std::fs::write(dir.join("must.txt"), "ESR1\n").unwrap();
    let select = ["select", "--store", "all.gex", "-n", "20", "--strategy", "concrete", "--device", "cpu"];
    let options = ["--epochs", "1", "--include", "must.txt", "--exclude", "l1000", "-o", "l.tsv"];
    let output = genelift(dir, &[&select[..], &options].concat());
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && notes.contains("did not settle"), "{notes}");
    let landmarks = std::fs::read_to_string(dir.join("l.tsv")).unwrap();
    assert!(landmarks.lines().count() == 21 && landmarks.lines().nth(1).unwrap().contains("ESR1"));
    let hot = ["--end-temperature", "20", "-o", "x.tsv"];
    assert!(fail(dir, 2, &[&select[..], &hot].concat()).contains("--end-temperature 20"));
    let idle =
        ["select", "--store", "all.gex", "-n", "5", "--strategy", "css", "--batch", "8", "-o", "x.tsv"];
    assert!(fail(dir, 2, &idle).contains("--strategy css does not use --batch"));
}

#[test]
fn made_up_data_are_prepared_and_new_data_like_them() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let simulate = |out: &str, seed: &str| {
        let made = [
            "simulate",
            "-o",
            out,
            "--samples",
            "120",
            "--genes",
            "300",
            "--duplicates",
            "0.2",
            "--seed",
            seed,
        ];
        succeed(dir, &made);
    };
    simulate("old.gex", "1");
    simulate("new.gex", "2");
    let steps =
        ["--quantile-normalize=dgex", "--range", "4,15", "--dedup", "--dedup-clusters", "5", "--zscore"];
    let ready =
        succeed(dir, &[&["prepare", "old.gex", "-o", "ready.gex", "--device", "cpu"], &steps[..]].concat());
    assert!(ready.starts_with("store\tready.gex\nsamples\t") && ready.ends_with("\ngenes\t300\n"), "{ready}");
    assert!(!ready.contains("samples\t120\n"), "{ready}");
    let info = succeed(dir, &["info", "ready.gex"]);
    for transform in ["quantile_normalize", "range", "dedup", "zscore", "simulate"] {
        assert!(info.lines().any(|line| line.starts_with(&format!("transform       {transform}"))), "{info}");
    }
    let like = succeed(dir, &["prepare", "new.gex", "-o", "new-ready.gex", "--like", "ready.gex"]);
    assert!(like.contains("samples\t120\n"), "{like}");
    let both = succeed(dir, &["prepare", "old.gex", "new.gex", "-o", "both", "--min-max"]);
    let path = |name: &str| Path::new("both").join(name).display().to_string();
    assert!(both.contains(&path("old.gex")) && both.contains(&path("new.gex")), "{both}");

    let refuse = |more: &[&str]| fail(dir, 2, &[&["prepare", "old.gex", "-o", "x.gex"], more].concat());
    assert!(refuse(&["--like", "ready.gex", "--zscore"]).contains("--like"));
    assert!(refuse(&["--zscore", "--min-max"]).contains("--min-max"));
    assert!(refuse(&["--dedup-distance", "2"]).contains("--dedup"));
    assert!(refuse(&["--range", "4"]).contains("two numbers"));
    assert!(refuse(&[]).contains("nothing to do"));
    assert!(
        fail(dir, 2, &["simulate", "-o", "a.gex", "--samples", "0", "--genes", "3"]).contains("--samples 0")
    );
    let split = ["split", "old.gex", "-o", "parts", "--stratify", "study"];
    assert!(succeed(dir, &split).contains("train.gex\t108\n"));
    assert!(fail(dir, 2, &[&split[..], &["--group-by", "study"]].concat()).contains("--group-by"));
}

/// Samples without a label are in no group that anybody knows: every command that holds groups out says so.
#[test]
fn blank_labels_of_groups_are_told_by_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    succeed(
        dir,
        &["simulate", "-o", "m.tsv", "--samples", "40", "--genes", "12", "--rank", "3", "--studies", "4"],
    );
    let labels = std::fs::read_to_string(dir.join("m.samples.tsv")).unwrap();
    let blank = |(i, line): (usize, &str)| {
        let mut fields: Vec<&str> = line.split('\t').collect();
        if i > 0 && i % 2 == 0 {
            fields[1] = "NA"; // the study
        }
        fields.join("\t") + "\n"
    };
    std::fs::write(dir.join("half.tsv"), labels.lines().enumerate().map(blank).collect::<String>()).unwrap();
    std::fs::write(dir.join("l.txt"), "g_1\ng_2\n").unwrap();
    succeed(dir, &["import", "m.tsv", "--labels", "half.tsv", "-o", "x.gex"]);
    for words in [
        "split x.gex -o parts",
        "train x.gex -o m --validation 0.3 --epochs 1 --hidden 4,2,4 --device cpu",
        "fit x.gex --landmarks l.txt --method linear --penalty 1 --held-out 0 -o p --device cpu",
        "compare --train x.gex --test x.gex --landmarks a=l.txt --method linear --penalty 1 -o c --device cpu",
        "select --store x.gex --until r2=0.9 -o u.tsv --device cpu",
    ] {
        let words: Vec<String> = words.split(' ').map(|word| word.replace("r2=", "r2 ")).collect();
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.extend(["--group-by", "study"]);
        let output = genelift(dir, &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("20 of 40 samples of x.gex have no label in study"), "{words:?}: {said}");
    }
}

/// Everything that is written can be described, and says what it was made from.
#[test]
fn info_describes_everything_that_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    succeed(dir, &["simulate", "--samples", "40", "--genes", "30", "--studies", "2", "-o", "x.gex"]);
    succeed(dir, &["train", "x.gex", "-o", "m.safetensors", "--hidden", "4,2,4", "--epochs", "1"]);
    succeed(dir, &["attribute", "m.safetensors", "x.gex", "-o", "s.tsv"]);
    succeed(dir, &["select", "s.tsv", "-n", "5", "-o", "l.tsv"]);
    succeed(dir, &["fit", "x.gex", "--landmarks", "l.tsv", "-o", "p.safetensors"]);
    succeed(dir, &["evaluate", "m.safetensors", "x.gex", "-o", "e"]);
    let expected = [
        ("x.gex", ["samples", "40"]),
        ("m.safetensors", ["layers", "30-4-2-4-30"]),
        ("p.safetensors", ["method", "kernel"]),
        ("s.tsv", ["made from", "m.safetensors"]),
        ("l.tsv", ["rows", "5"]),
        ("l.tsv.json", ["rows", "5"]),
        ("e", ["tables", "genes.tsv"]),
    ];
    for (path, [fact, value]) in expected {
        let said = succeed(dir, &["info", path]);
        let is = |line: &str| line.starts_with(fact) && line.contains(value);
        assert!(said.lines().any(is), "{path}, {fact}: {said}");
        let json: serde_json::Value = serde_json::from_str(&succeed(dir, &["info", path, "--json"])).unwrap();
        assert!(json.is_object(), "{path}");
        assert!(!said.contains("remembered"), "hashes of samples tell a reader nothing: {said}");
    }
    let damage = |path: &str| {
        let mut bytes = std::fs::read(dir.join(path)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(dir.join(path), bytes).unwrap();
        fail(dir, 1, &["info", path.split('/').next().unwrap()])
    };
    for path in ["p.safetensors", "s.tsv", "e/genes.tsv"] {
        let said = damage(path);
        assert!(said.contains(path.split('/').next().unwrap()), "{said}");
    }
    std::fs::create_dir(dir.join("other")).unwrap();
    std::fs::write(dir.join("other/x.json"), "{\"a\": 1}").unwrap();
    assert!(fail(dir, 1, &["info", "other"]).contains("other: is a folder, but none that genelift writes"));
}
