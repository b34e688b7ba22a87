//! What is kept, what is done again and why.

use super::*;

#[test]
fn what_changed_is_done_again_and_nothing_else() {
    let folder = Folder::new();
    assert_eq!(folder.names(&[]), ALL);
    let before = folder.results();

    // settings: from the stage that has them on, as far as what it makes differs
    let done = folder.done(&["--set", "select.n=5"]);
    assert_eq!(done[0], ("select".to_string(), "n 6 → 5".to_string()));
    assert_eq!(done.iter().map(|d| &*d.0).collect::<Vec<_>>(), ["select", "select top", "fit", "compare"]);
    let done = folder.done(&["--set", "train.epochs=4"]);
    assert!(done.iter().any(|(name, why)| name == "train" && why == "train.epochs 3 → 4"), "{done:?}");
    assert!(done.iter().any(|(name, why)| name == "evaluate" && why == "model.safetensors (model) changed"));
    folder.done(&[]);
    assert_eq!(folder.results(), before, "the same settings give the same bytes");

    // files that are read: labels that nothing uses change the samples' table and no value
    let labels = String::from_utf8(folder.read("m.samples.tsv")).unwrap();
    folder.write("m.samples.tsv", &labels.replacen("study_", "STUDY_", 1));
    let done = folder.done(&[]);
    assert_eq!(done[0], ("import".to_string(), "m.samples.tsv (labels) changed".to_string()));
    folder.write("m.samples.tsv", &labels);
    folder.done(&[]);
    // a list that binds the selection
    folder.write("must.txt", "g_7\n");
    let include = ["--set", "select.include=[\"must.txt\"]"];
    let done = folder.done(&include);
    assert_eq!(done[0], ("select".to_string(), "must.txt (include) is new".to_string()));
    assert!(String::from_utf8_lossy(&folder.read("out/landmarks.tsv")).contains("\tg_7\t"));
    folder.write("must.txt", "g_9\n");
    assert_eq!(folder.done(&include)[0].1, "must.txt (include) changed");
    assert!(String::from_utf8_lossy(&folder.read("out/landmarks.tsv")).contains("\tg_9\t"));
    folder.done(&[]);
    assert_eq!(folder.results(), before);

    // another version of the program
    let mut record = folder.record();
    record["stages"][9]["version"] = "0.0.1".into();
    folder.write("out/run.json", &record.to_string());
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(folder.done(&[]), [("compare".to_string(), format!("program version 0.0.1 → {version}"))]);

    // what is asked for
    assert_eq!(folder.names(&["--from", "fit"]), ["fit", "compare"]);
    for nothing in ["nothing", "repeats"] {
        let said = folder.fail(2, &["run", "c.toml", "--from", nothing]);
        assert!(said.contains("there are import, prepare"), "{said}");
    }
    assert_eq!(folder.names(&["--force"]), ALL);
    assert_eq!(folder.results(), before);
}

#[test]
fn an_output_that_is_not_what_was_written_is_made_again() {
    let folder = Folder::new();
    folder.succeed(&["run", "c.toml"]);
    let before = folder.results();
    folder.succeed(&["run", "c.toml", "--set", "output=other", "--seed", "5"]);
    let emptied = |name: &str| folder.write(name, "");
    let flipped = |name: &str| {
        let mut bytes = folder.read(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(folder.path(name), bytes).unwrap();
    };
    let removed = |name: &str| std::fs::remove_file(folder.path(name)).unwrap();
    let swapped = |name: &str| {
        std::fs::copy(folder.path(&name.replace("out/", "other/")), folder.path(name)).unwrap();
    };
    type Spoil<'a> = &'a dyn Fn(&str);
    let cases: [(Spoil, &str, &str, &str); 9] = [
        (&emptied, "out/landmarks.tsv", "select", "landmarks.tsv has other bytes than were recorded"),
        (&swapped, "out/model.safetensors", "train", "model.safetensors has other bytes than were recorded"),
        (&removed, "out/data.gex/matrix.npy", "import", "data.gex is damaged"),
        (&flipped, "out/data.gex/matrix.npy", "import", "data.gex is damaged"),
        (&flipped, "out/ready/test.gex/prepare.json", "learn", "ready/test.gex is damaged"),
        (&removed, "out/scores.tsv.json", "attribute", "scores.tsv.json is missing"),
        (&flipped, "out/evaluation/genes.tsv", "evaluate", "evaluation has other bytes than were recorded"),
        (&removed, "out/comparison/tests.tsv", "compare", "comparison has other bytes than were recorded"),
        (
            &flipped,
            "out/predictor.safetensors",
            "fit",
            "predictor.safetensors has other bytes than were recorded",
        ),
    ];
    for (spoil, name, stage, why) in cases {
        spoil(name);
        let done = folder.done(&[]);
        assert_eq!(done, [(stage.to_string(), why.to_string())], "{name}");
        assert_eq!(folder.results(), before, "{name}");
    }
    // a record that is damaged is refused, and --force starts anew
    folder.write("out/run.json", "{");
    assert!(folder.fail(1, &["run", "c.toml"]).contains("is no record of a run"));
    assert_eq!(folder.names(&["--force"]), ALL);
    assert_eq!(folder.results(), before);
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let folder = Folder::new();
    // Long enough to be killed in the middle of training, whatever the machine.
    let long = ["--set", "train.epochs=300", "--set", "train.batch=4"];
    folder.succeed(&[&["run", "c.toml"], &long[..]].concat());
    let whole = folder.results();
    std::fs::rename(folder.path("out"), folder.path("whole")).unwrap();
    let checkpoint = folder.path("out/model.safetensors.checkpoint");
    let mut child = Command::new(env!("CARGO_BIN_EXE_genelift"))
        .current_dir(folder.0.path())
        .args(["run", "c.toml"])
        .args(long)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint appeared");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(checkpoint.exists() && !folder.path("out/model.safetensors").exists(), "killed while training");
    // other settings do not lose the checkpoint without being told to
    let other = [&["run", "c.toml"], &long[..], &["--set", "train.l2=0"]].concat();
    let refused = folder.call(&other);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("is the checkpoint of a run with other settings"),
        "{said}"
    );
    let done = folder.done(&long);
    assert!(done[0].0 == "train", "{done:?}");
    assert_eq!(folder.results(), whole);
    assert!(!checkpoint.exists(), "the finished run's checkpoint is removed");
}

#[test]
fn a_fit_that_was_asked_to_end_goes_on_to_the_same_bytes() {
    let folder = Folder::new();
    let config = CONFIG
        .replace("[fit]\nfolds = 3\n", "[fit]\nmethod = \"mlp\"\nhidden = [40]\nepochs = 12000\nbatch = 8\n");
    folder.write("c.toml", &config.replace("[train]\n", "[train]\nbatch = 63\n").replace("batch = 16\n", ""));
    let few = ["run", "c.toml", "--set", "compare.random-draws=1"];
    folder.succeed(&few);
    let whole = folder.results();
    let fitted = folder.read("out/predictor.safetensors");
    std::fs::remove_file(folder.path("out/predictor.safetensors")).unwrap();
    let checkpoint = folder.path("out/predictor.safetensors.checkpoint");
    let child = Command::new(env!("CARGO_BIN_EXE_genelift"))
        .current_dir(folder.0.path())
        .args(few)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !checkpoint.exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint appeared");
        std::thread::sleep(Duration::from_millis(1));
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(143), "{said}");
    assert!(said.contains("the same command goes on from out/predictor.safetensors.checkpoint"), "{said}");
    assert!(checkpoint.exists() && !folder.path("out/predictor.safetensors").exists());
    assert!(
        folder.succeed(&["verify", "out/predictor.safetensors.checkpoint"]).0.contains("checkpoint of a fit")
    );
    let (_, said) = folder.succeed(&few);
    assert!(said.contains("going on after") && said.contains("of 12000 epochs"), "{said}");
    assert!(folder.results() == whole && folder.read("out/predictor.safetensors") == fitted);
    assert!(!checkpoint.exists(), "the finished fit's checkpoint is removed");
}

/// Names that were not found are a table of the stage that is asked for it, and of no other that matches the same names.
#[test]
fn a_table_of_unmatched_names_is_made_by_its_stage_alone() {
    let folder = Folder::new();
    folder.write("not.txt", "g_7\ng_9\nnobody\n");
    let lists = ["--set", "select.exclude=[\"not.txt\"]", "--set", "stability.repeats=2"];
    folder.done(&lists);
    let before = folder.results();
    let table =
        [&lists[..], &["--set", "select.unmatched=v.tsv", "--set", "compare.unmatched=out/w.tsv"]].concat();
    let why = |file: &str, what: &str| format!("{file} (unmatched) is {what}");
    let both = [("select", why("v.tsv", "new")), ("compare", why("w.tsv", "new"))];
    assert_eq!(folder.done(&table), both.map(|(stage, why)| (stage.to_string(), why)));
    let told = folder.read("v.tsv");
    assert!(String::from_utf8_lossy(&told).contains("nobody"));
    assert!(folder.done(&table).is_empty());
    for (file, stage) in [("v.tsv", "select"), ("out/w.tsv", "compare")] {
        std::fs::remove_file(folder.path(file)).unwrap();
        let name = file.trim_start_matches("out/");
        assert_eq!(folder.done(&table), [(stage.to_string(), why(name, "missing"))]);
        assert!(folder.path(file).exists());
    }
    assert!(folder.done(&lists).is_empty(), "it is not asked for any more, and stays");
    assert_eq!((folder.read("v.tsv"), folder.results()), (told, before));
    // all of it is as it was recorded
    folder.succeed(&["verify", "out"]);
}
