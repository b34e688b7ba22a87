//! `run`: the whole flow in one folder, what is kept and what is done again, and why.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder with a small matrix (`m.tsv`, `m.samples.tsv`) and a configuration of it.
struct Folder(tempfile::TempDir);

const CONFIG: &str = "output = \"out\"\nseed = 4\ndevice = \"cpu\"\n[import]\nfiles = [\"m.tsv\"]\nlabels = \"m.samples.tsv\"\n\
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

#[test]
fn one_command_does_the_whole_flow_and_says_what_it_found() {
    let folder = Folder::new();
    let (summary, said) = folder.succeed(&["run", "c.toml"]);
    assert!(summary.contains("90 samples × 60 genes; 63 to learn from, 27 held out"), "{summary}");
    assert!(
        summary.contains("Landmarks   diverse: by what the data explain, without the network"),
        "{summary}"
    );
    assert!(
        summary.contains("Also        top: by DeepLIFT scores of the network, the network had a part"),
        "{summary}"
    );
    assert!(summary.contains("6 genes, best first: "), "{summary}");
    assert!(summary.contains("Verdict     diverse: ") && summary.contains("random draws"), "{summary}");
    assert!(summary.contains("Warning     63 samples to learn from are few"), "{summary}");
    assert!(said.contains("[1/10] import: not done yet") && said.contains("[10/10] compare: "), "{said}");
    assert!(said.contains("l1000 is left out of the comparison"), "{said}");
    let record = folder.record();
    assert_eq!(record["config"]["train"]["epochs"], 3);
    assert_eq!(record["device"]["asked"], "cpu");
    let stages = record["stages"].as_array().unwrap();
    assert_eq!(stages.iter().map(|s| s["name"].as_str().unwrap()).collect::<Vec<_>>(), ALL);
    assert!(stages.iter().all(|s| s["finished"] == true && s["seconds"].is_number()));
    assert!(stages.iter().all(|s| s["outputs"][0]["sha256"].as_str().unwrap().len() == 64));
    assert_eq!(folder.read("out/landmarks.tsv").iter().filter(|b| **b == b'\n').count(), 7);

    // again: all of it is kept, and the summary is the same
    let (again, said) = folder.succeed(&["run", "c.toml"]);
    assert_eq!(again, summary);
    assert_eq!(said.matches(": kept").count(), ALL.len(), "{said}");
    // from another directory, too: names of files are no settings
    let output = Command::new(env!("CARGO_BIN_EXE_genelift"))
        .args(["run", folder.path("c.toml").to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches(": kept").count(), ALL.len());

    // another seed of everything, another folder, the same bytes
    folder.succeed(&["run", "c.toml", "--set", "output=other"]);
    let before = folder.results();
    for (name, bytes) in RESULTS.iter().zip(&before) {
        if !name.starts_with("comparison") {
            assert_eq!(&folder.read(&format!("other/{name}")), bytes, "{name}");
        }
    }
}

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
    assert!(folder.fail(2, &["run", "c.toml", "--from", "nothing"]).contains("there are import, prepare"));
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
fn what_cannot_work_is_refused_before_anything_is_computed() {
    let folder = Folder::new();
    let cases: [(&str, i32, &str); 12] = [
        ("select.n=61", 1, "has only 60 genes"),
        ("import.files=[\"none.tsv\"]", 1, "none.tsv: does not exist (matrix of the stage import)"),
        ("import.labels=none.tsv", 1, "none.tsv: does not exist (labels of the stage import)"),
        ("select.include=[\"none.txt\"]", 1, "none.txt: does not exist (include of the stage select)"),
        ("split.fractions=[0.5, 0.4]", 2, "add to 1"),
        ("train.dropout=2", 2, "--dropout 2"),
        ("lists.diverse.strategy=css", 2, "[lists.diverse]: a list of that name is there already"),
        ("fit.epochs=3", 2, "--epochs is not an option of --method linear"),
        ("prepare.range=[1]", 2, "two numbers"),
        ("device=tpu", 2, "--device tpu"),
        ("threads=0", 2, "--threads 0"),
        ("stability.repeats=1", 2, "at least 2"),
    ];
    for (change, code, message) in cases {
        let found = folder.fail(code, &["run", "c.toml", "--set", change]);
        assert!(found.contains(message), "{change}: {found}");
        assert!(!folder.path("out").exists(), "{change} left a folder");
    }
    let needs = ["--set", "train=false", "--set", "select.strategy=top"];
    let found = folder.fail(2, &[&["run", "c.toml"], &needs[..]].concat());
    assert!(found.contains("train = false, but the list top (strategy top) needs the network"), "{found}");
    // what only the samples tell is refused before training
    for (change, message) in [
        ("split.group-by=tissue", "no sample column \"tissue\""),
        ("fit.group-by=tissue", "no sample column \"tissue\""),
        ("train.validation=0.001", "leaves nothing on one side"),
        ("compare.group-by=sort", "has one value; holding out whole groups"),
    ] {
        let labels = String::from_utf8(folder.read("m.samples.tsv")).unwrap();
        let sorted: String = labels
            .lines()
            .enumerate()
            .map(|(i, line)| format!("{line}\t{}\n", if i == 0 { "sort" } else { "x" }))
            .collect();
        folder.write("sorted.tsv", &sorted);
        let arguments = ["run", "c.toml", "--force", "--set", change, "--set", "import.labels=sorted.tsv"];
        let output = folder.call(&arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(message), "{change}: {said}");
        assert!(!folder.path("out/model.safetensors").exists(), "{change}");
    }
    // somebody else's folder
    std::fs::create_dir(folder.path("theirs")).unwrap();
    folder.write("theirs/file", "x");
    assert!(folder.fail(1, &["run", "c.toml", "--set", "output=theirs"]).contains("theirs already exists"));
}

#[test]
fn without_the_network_nothing_is_claimed_of_it() {
    let folder = Folder::new();
    let (summary, _) = folder.succeed(&["run", "c.toml", "--set", "train=false"]);
    assert!(summary.contains("Model       none (train = false)") && !summary.contains("Scores"), "{summary}");
    assert!(!summary.contains("top") && summary.contains("Verdict     diverse"), "{summary}");
    assert!(!folder.path("out/model.safetensors").exists());
    let (summary, _) = folder.succeed(&[
        "run",
        "c.toml",
        "--set",
        "train=false",
        "--set",
        "compare=false",
        "--set",
        "fit=false",
    ]);
    assert!(!summary.contains("Verdict") && !summary.contains("predictor"), "{summary}");
    // what was left out for a while is found again
    folder.succeed(&["run", "c.toml"]);
    let (summary, said) = folder.succeed(&["run", "c.toml", "--set", "train=false", "--set", "fit=false"]);
    assert!(
        !summary.contains("Scores") && said.contains("left as they are: what was made by train, evaluate"),
        "{said}"
    );
    let done = folder.names(&[]);
    assert_eq!(done, ["compare"]);
}

#[test]
fn steps_that_learn_see_the_training_part_only() {
    let folder = Folder::new();
    let copies =
        ["simulate", "-o", "m.tsv", "--samples", "90", "--genes", "60", "--duplicates", "0.3", "--seed", "3"];
    folder.succeed(&[&copies[..], &["--force"]].concat());
    let steps = ["quantile-normalize=true", "dedup=true", "dedup-clusters=3"];
    let steps: Vec<String> = steps.iter().map(|step| format!("--set=prepare.{step}")).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    folder.succeed(&[&["run", "c.toml", "--set", "train=false"], &steps[..]].concat());
    let record = folder.record();
    let names: Vec<&str> =
        record["stages"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names[..4], ["import", "prepare", "split", "learn"]);
    // The same by hand. Near copies are those among normalised values; what is kept is as it was.
    let by_hand = [
        "prepare",
        "out/data.gex",
        "-o",
        "hand.gex",
        "--quantile-normalize",
        "--dedup",
        "--dedup-clusters",
        "3",
    ];
    folder.succeed(&[&by_hand[..], &["--seed", "4", "--device", "cpu"]].concat());
    let samples = folder.read("out/prepared.gex/samples.tsv");
    assert_eq!(samples, folder.read("hand.gex/samples.tsv"));
    assert!(samples.iter().filter(|b| **b == b'\n').count() < 85, "some are copies");
    assert_ne!(folder.read("out/prepared.gex/matrix.npy"), folder.read("hand.gex/matrix.npy"));
    folder.succeed(&[
        "prepare",
        "out/split/train.gex",
        "-o",
        "train.gex",
        "--quantile-normalize",
        "--zscore",
    ]);
    folder.succeed(&["prepare", "out/split/test.gex", "-o", "test.gex", "--like", "train.gex"]);
    for part in ["train", "test"] {
        let matrix = |name: &str| folder.read(&format!("{name}.gex/matrix.npy"));
        assert_eq!(matrix(&format!("out/ready/{part}")), matrix(part), "{part}");
    }
}

#[test]
fn a_further_test_matrix_has_its_own_steps_and_binds_the_lists() {
    let folder = Folder::new();
    // another platform: other samples, 50 of the genes, another scale
    folder.succeed(&[
        "simulate",
        "-o",
        "new.tsv",
        "--samples",
        "40",
        "--genes",
        "60",
        "--studies",
        "6",
        "--seed",
        "3",
    ]);
    let text = String::from_utf8(folder.read("new.tsv")).unwrap();
    let cut: String = text
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').take(51).collect();
            let named = fields.join("\t").replacen("s_", "new_", 1);
            format!("{named}\n")
        })
        .collect();
    folder.write("new.tsv", &cut);
    let test = "[tests.rna]\nfiles = [\"new.tsv\"]\n[tests.rna.prepare]\nmap-quantiles-to = \"train\"\nzscore = true\n";
    folder.write("c.toml", &format!("{CONFIG}{test}"));
    let (summary, _) = folder.succeed(&["run", "c.toml", "--set", "prepare.zscore=false"]);
    assert!(summary.contains("samples of test") && summary.contains("in the 40 samples of rna"), "{summary}");
    let list = String::from_utf8(folder.read("out/landmarks.tsv")).unwrap();
    let number =
        |line: &str| line.split('\t').nth(1).unwrap().trim_start_matches("g_").parse::<usize>().unwrap();
    assert!(list.lines().skip(1).all(|line| number(line) <= 50), "only genes that both measure: {list}");
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
fn repeated_selections_say_how_much_they_agree() {
    let folder = Folder::new();
    folder.write(
        "c.toml",
        &CONFIG
            .replace("[fit]\nfolds = 3\n", "")
            .replace("[compare]\nrandom-draws = 2\nfolds = 3\nresamples = 100\n", ""),
    );
    let off = ["--set", "fit=false", "--set", "compare=false", "--set", "select.strategy=top"];
    let run = |more: &[&str]| folder.succeed(&[&["run", "c.toml"], &off[..], more].concat()).0;
    assert!(!run(&[]).contains("Stability"));
    let summary = run(&["--repeats", "2"]);
    assert!(summary.contains("Stability   2 repeats over seeds: Kuncheva's index "), "{summary}");
    let facts = |name: &str| {
        let record = folder.record();
        let stage = record["stages"].as_array().unwrap().iter().find(|s| s["name"] == name).cloned();
        stage.unwrap_or_else(|| panic!("no stage {name}"))
    };
    let index = |which: &str| {
        facts("stability")["facts"]["kuncheva"][which].as_f64().filter(|k| (-0.2..=1.0).contains(k)).unwrap()
    };
    assert_eq!(index("mean"), index("min"), "one pair");
    // as many genes as lists have places
    let table = String::from_utf8(folder.read("out/stability.tsv")).unwrap();
    let chosen = table.lines().skip(1).map(|l| l.split('\t').nth(1).unwrap().parse::<usize>().unwrap());
    assert_eq!(chosen.sum::<usize>(), 12);
    assert!(table.starts_with("gene_id\tchosen\tshare\tmean_rank\n"), "{table:.60}");

    // more repeats go on from those that are there
    let list = |repeat: usize| folder.read(&format!("out/repeats/{repeat}/landmarks.tsv"));
    let (before, seconds) = ((list(1), list(2)), facts("repeat 1")["seconds"].clone());
    run(&["--repeats", "3"]);
    assert_eq!((list(1), list(2)), before);
    assert_eq!(facts("repeat 1")["seconds"], seconds, "kept");
    assert!(index("min") <= index("mean"));
    let summary = run(&["--set", "stability.over=bootstrap", "--set", "stability.repeats=2"]);
    assert!(summary.contains("2 repeats over bootstrap"), "{summary}");
    assert!(list(1) != before.0 && !folder.path("out/repeats/1/train.gex").exists());
    assert!(!Path::new("out/repeats/1/model.safetensors").exists());
}

#[test]
fn samples_that_something_was_made_from_are_known_again() {
    let folder = Folder::new();
    folder.succeed(&["import", "m.tsv", "--labels", "m.samples.tsv", "-o", "all.gex"]);
    folder.succeed(&["split", "all.gex", "-o", "parts", "--fractions", "0.7,0.3"]);
    // copies of training samples under other names
    folder.succeed(&["export", "parts/train.gex", "-o", "train.tsv"]);
    let text = String::from_utf8(folder.read("train.tsv")).unwrap();
    folder.write(
        "renamed.tsv",
        &text
            .lines()
            .take(9)
            .map(|line| format!("{}\n", line.replacen("s_", "copy_", 1)))
            .collect::<String>(),
    );
    folder.succeed(&["import", "renamed.tsv", "-o", "renamed.gex"]);
    folder.succeed(&[
        "select",
        "--store",
        "parts/train.gex",
        "-n",
        "5",
        "-o",
        "l.tsv",
        "--strategy",
        "variance",
    ]);
    let small = ["--hidden", "6,2", "--epochs", "1", "--device", "cpu", "--force"];
    let train = |store: &str, validation: &str| {
        let arguments = ["train", store, "-o", "m.safetensors", "--validation", validation];
        folder.succeed(&[&arguments[..], &small].concat()).1
    };
    let compare = |fit: &str, test: &str| {
        let lists = ["--landmarks", "l=l.tsv", "--random-draws", "1", "--penalty", "9", "-o", "c", "--force"];
        folder.succeed(&[&["compare", "--train", fit, "--test", test], &lists[..]].concat()).1
    };
    let evaluate = |test: &str| {
        let arguments = ["evaluate", "m.safetensors", test, "-o", "e", "--force", "--device", "cpu"];
        folder.succeed(&arguments).1
    };
    let (by_id, by_values) = ("by id (s_", "with the same values under other names (copy_");
    for (test, how) in
        [("parts/test.gex", None), ("parts/train.gex", Some(by_id)), ("renamed.gex", Some(by_values))]
    {
        for (what, said) in [
            ("the training", train("parts/train.gex", test)),
            ("the model", evaluate(test)),
            ("the fit", compare("parts/train.gex", test)),
            // the list alone was chosen on them
            ("the list l", compare("parts/test.gex", test)),
        ] {
            let warned = said.lines().find(|line| line.contains(&format!("that {what} comes from")));
            match how {
                Some(how) => assert!(warned.is_some_and(|line| line.contains(how)), "{what} {test}: {said}"),
                None if what != "the list l" => {
                    assert!(warned.is_none() && !said.contains("fitted"), "{what} {test}: {said}")
                }
                None => {}
            }
        }
    }
    // steps that were fitted to the test samples too
    folder.succeed(&["prepare", "all.gex", "-o", "ready.gex", "--zscore"]);
    folder.succeed(&["split", "ready.gex", "-o", "late", "--fractions", "0.7,0.3"]);
    train("late/train.gex", "0");
    assert!(
        evaluate("late/test.gex")
            .contains("the step zscore was fitted before the split, to these samples too")
    );
    folder.succeed(&["prepare", "parts/train.gex", "parts/test.gex", "-o", "both", "--zscore"]);
    assert!(
        evaluate("both/test.gex")
            .contains("the step zscore was fitted to these samples together with others")
    );
    folder.succeed(&["prepare", "parts/train.gex", "-o", "fit.gex", "--zscore"]);
    folder.succeed(&["prepare", "parts/test.gex", "-o", "like.gex", "--like", "fit.gex"]);
    assert!(!evaluate("like.gex").contains("was fitted"));
}

#[test]
fn a_dry_run_tells_what_will_be_done_and_does_nothing() {
    let folder = Folder::new();
    let plan = |more: &[&str]| folder.succeed(&[&["run", "c.toml", "--dry-run"], more].concat()).0;
    let text = plan(&[]);
    assert!(text.contains("[1/10] import: to be done, ") && text.contains(": not done yet\n"), "{text}");
    assert!(
        text.contains("60 genes: ") && text.contains(" of memory, ") && text.contains(" of disk in out"),
        "{text}"
    );
    assert!(!folder.path("out").exists());
    folder.succeed(&["run", "c.toml"]);
    let record = folder.read("out/run.json");
    assert_eq!(plan(&[]).matches(": kept\n").count(), ALL.len());
    let text = plan(&["--set", "select.n=5"]);
    assert!(text.contains("[6/10] attribute: kept\n"), "{text}");
    assert!(text.contains("select: to be done, under 1 s: n 6 → 5\n"), "{text}");
    assert!(text.contains("fit: to be done, under 1 s: landmarks.tsv is made anew\n"), "{text}");
    assert!(text.contains("About 90 samples × 60 genes: "), "{text}");
    assert_eq!(folder.read("out/run.json"), record);
}

#[test]
fn init_writes_a_configuration_that_runs() {
    let folder = Folder::new();
    let (_, said) = folder.succeed(&["init", "m.tsv", "m.samples.tsv", "-o", "new.toml"]);
    assert!(said.contains("m.samples.tsv: about the samples: study"), "{said}");
    let text = String::from_utf8(folder.read("new.toml")).unwrap();
    assert!(
        text.contains("group-by = \"study\"            # 6 groups") && text.contains("n = 6\n"),
        "{text}"
    );
    let quick = [
        "--set",
        "train.epochs=1",
        "--set",
        "train.hidden=[5,2]",
        "--set",
        "compare.random-draws=1",
        "--set",
        "device=cpu",
    ];
    let (summary, _) = folder.succeed(&[&["run", "new.toml"], &quick[..]].concat());
    assert!(summary.contains("Verdict") && folder.path("m-run/landmarks.tsv").exists(), "{summary}");
    assert!(folder.fail(1, &["init", "m.tsv", "-o", "new.toml"]).contains("already exists"));
    // every line that is commented out is one that can be taken in
    let alone = String::from_utf8(folder.read("new.toml")).unwrap();
    let uncommented =
        |line: &str| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).map(str::to_string);
    let wide: Vec<String> = alone.lines().filter_map(uncommented).collect();
    assert!(wide.len() > 8, "{wide:?}");
    // counts want sums and logarithms
    let genes: Vec<String> = (0..40).map(|g| format!("ENSG{g:011}")).collect();
    let rows = (0..12).map(|s| {
        let values: Vec<String> = (0..40).map(|g| ((s * 97 + g * 31) % 500).to_string()).collect();
        format!("c{s}\t{}\n", values.join("\t"))
    });
    folder.write("counts.tsv", &format!("sample_id\t{}\n{}", genes.join("\t"), rows.collect::<String>()));
    folder.succeed(&["init", "counts.tsv", "-o", "counts.toml"]);
    let text = String::from_utf8(folder.read("counts.toml")).unwrap();
    assert!(text.contains("\nlibrary-size = true") && text.contains("\nlog1p = true"), "{text}");
    let (_, said) = folder.succeed(&["run", "counts.toml", "--dry-run"]);
    assert!(!said.contains("error"), "{said}");
    // genes in rows: how many there are is told by reading them
    let rows = genes.iter().map(|gene| format!("{gene}\t{}\n", ["1.5"; 12].join("\t")));
    let samples: Vec<String> = (0..12).map(|s| format!("s{s}")).collect();
    folder.write("rows.tsv", &format!("gene_id\t{}\n{}", samples.join("\t"), rows.collect::<String>()));
    folder.succeed(&["init", "rows.tsv", "-o", "rows.toml"]);
    let text = String::from_utf8(folder.read("rows.toml")).unwrap();
    assert!(text.contains("rows are genes") && text.contains("\nn = 4\n"), "{text}");
}

#[test]
fn verify_tells_what_is_whole() {
    let folder = Folder::new();
    folder.succeed(&["run", "c.toml"]);
    let (text, _) = folder.succeed(&["verify", "out"]);
    assert!(
        text.lines().all(|line| line.starts_with("ok\t")) && text.contains("model.safetensors"),
        "{text}"
    );
    let files = [
        ("out/data.gex", "store, 90 samples × 60 genes", "matrix.npy"),
        ("out/ready/test.gex", "store, 27 samples", "prepare.json"),
        ("out/scores.tsv", "table, 60 rows", ""),
        ("out/lists/top.tsv.json", "table, 6 rows", ""),
        ("out/comparison", "folder of 5 tables", "tests.tsv"),
        ("out/evaluation", "folder of 3 tables", "genes.tsv"),
    ];
    for (path, what, file) in files {
        let (text, _) = folder.succeed(&["verify", path]);
        assert!(text.contains(what), "{path}: {text}");
        let file = if file.is_empty() { path.to_string() } else { format!("{path}/{file}") };
        let good = folder.read(&file);
        for at in [good.len() / 3, good.len() - 2] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(folder.path(&file), &bad).unwrap();
            folder.fail(1, &["verify", path]);
        }
        std::fs::write(folder.path(&file), &good[..good.len() / 2]).unwrap();
        assert!(folder.fail(1, &["verify", path]).contains("1 of 1 are not what genelift wrote"));
        let run = folder.call(&["verify", "out"]);
        assert_eq!(run.status.code(), Some(1), "{path}");
        std::fs::write(folder.path(&file), good).unwrap();
    }
    for (path, what) in [
        ("out/model.safetensors", "model, 60 genes"),
        ("out/predictor.safetensors", "predictor, 6 landmarks"),
    ] {
        assert!(folder.succeed(&["verify", path]).0.contains(what));
    }
    assert!(folder.fail(1, &["verify", "none"]).contains("none: does not exist"));
    assert!(folder.fail(1, &["verify", "c.toml"]).contains("not a readable safetensors file"));
    folder.write("list.tsv", "gene\nA\n");
    assert!(folder.fail(1, &["verify", "list.tsv"]).contains("cannot be checked"));
}
