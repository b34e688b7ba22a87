//! What is refused, foretold, proposed and verified; samples that are met again.

use super::*;

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
        ("fit.epochs=3", 2, "--epochs is not an option of --method kernel"),
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
    // names that were not found go to no file that the run reads, is told by, or makes, and to none that is somebody else's
    folder.write("mine.tsv", "years of work");
    let files = ["m.tsv", "m.samples.tsv", "c.toml", "mine.tsv"];
    let before = files.map(|name| folder.read(name));
    let (read, made) = ("is both read and written", "the run writes something else there");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["select.unmatched=m.tsv"], 2, read),
        (&["select.unmatched=./m.samples.tsv"], 2, read),
        (&["compare.unmatched=c.toml"], 2, read),
        (&["select.unmatched=out/scores.tsv"], 2, made),
        (&["select.unmatched=out/comparison/x.tsv"], 2, made),
        (&["select.unmatched=x.tsv", "compare.unmatched=./x.tsv"], 2, made),
        (&["select.unmatched=mine.tsv"], 1, "mine.tsv already exists"),
        (&["select.unmatched=none/x.tsv"], 1, "does not exist; create it"),
    ];
    for (changes, code, message) in cases {
        let sets: Vec<&str> = changes.iter().flat_map(|change| ["--set", *change]).collect();
        let found = folder.fail(code, &[&["run", "c.toml"], &sets[..]].concat());
        assert!(found.contains(message) && !folder.path("out").exists(), "{changes:?}: {found}");
    }
    assert_eq!(before, files.map(|name| folder.read(name)));
    // what no GPU can is told of any, there or not, whichever table asks for it
    for change in ["train.precision=bf16", "attribute.precision=bf16"] {
        for more in [&["--dry-run"][..], &[]] {
            let run = ["run", "c.toml", "--device", "gpu:0", "--set", change];
            let found = folder.fail(2, &[&run[..], more].concat());
            assert!(found.contains("bf16 is for CPUs"), "{change}: {found}");
        }
    }
    let sets = ["fit.method=best", "fit.candidates=[\"mlp\"]", "fit.precision=bf16"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let found = folder.fail(2, &[&["run", "c.toml", "--device", "gpu:0"], &sets[..]].concat());
    assert!(found.contains("fit: --device gpu:0: bf16 is for CPUs"), "{found}");
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
    // what only the files' rows tell
    let matrix = String::from_utf8(folder.read("m.tsv")).unwrap();
    let cells: Vec<Vec<&str>> = matrix.lines().map(|line| line.split('\t').collect()).collect();
    let turned = |rows: usize, columns: usize| -> String {
        let row = |c: usize| cells[..rows].iter().map(|row| row[c]).collect::<Vec<_>>().join("\t") + "\n";
        (0..columns).map(row).collect()
    };
    folder.write("turned.tsv", &turned(91, 61).replacen("sample_id", "gene_id", 1));
    let few: String = matrix.lines().take(9).map(|line| format!("{line}\n")).collect();
    folder.write("few.tsv", &few);
    for (file, change, message) in [
        ("turned.tsv", "select.n=61", "turned.tsv has only 60 genes"),
        ("few.tsv", "fit.folds=4", "4 folds of at least 2 samples, but there are"),
        ("few.tsv", "compare.folds=4", "4 folds of at least 2 samples, but there are"),
        ("few.tsv", "train.validation=0.01", "leaves nothing on one side"),
    ] {
        let (file, out) = (format!("import.files=[\"{file}\"]"), ["--set", "output=new"]);
        let set = ["run", "c.toml", "--set", &file, "--set", change, "--set", "import.orientation=auto"];
        for more in [&["--dry-run"][..], &[]] {
            let found = folder
                .fail(if change.starts_with("train") { 2 } else { 1 }, &[&set, &out[..], more].concat());
            assert!(found.contains(message), "{change}: {found}");
            assert!(!folder.path("new").exists(), "{change} left a folder");
        }
    }
    // somebody else's folder
    std::fs::create_dir(folder.path("theirs")).unwrap();
    folder.write("theirs/file", "x");
    assert!(folder.fail(1, &["run", "c.toml", "--set", "output=theirs"]).contains("theirs already exists"));
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
    // a model on other data than it was trained on
    train("parts/train.gex", "0");
    folder.succeed(&["prepare", "parts/train.gex", "-o", "scaled.gex", "--zscore"]);
    let attribute = |store: &str| {
        let arguments = ["attribute", "m.safetensors", store, "-o", "s.tsv", "--force", "--device", "cpu"];
        folder.succeed(&arguments).1
    };
    let reconstructed = |store: &str| {
        let select = ["select", "--store", store, "--model", "m.safetensors", "--target", "reconstruction"];
        folder.succeed(&[&select[..], &["-n", "5", "-o", "r.tsv", "--force", "--device", "cpu"]].concat()).1
    };
    for said in [&attribute as &dyn Fn(&str) -> String, &reconstructed] {
        let (known, new, changed) = (said("parts/train.gex"), said("parts/test.gex"), said("scaled.gex"));
        assert!(!known.contains("was trained on"), "{known}");
        let none =
            "none of the 27 samples of parts/test.gex is among those that m.safetensors was trained on";
        assert!(new.contains(none), "{new}");
        assert!(changed.contains("63 of 63 samples of scaled.gex have the names of samples"), "{changed}");
    }
    assert!(evaluate("scaled.gex").contains("have the names of samples that m.safetensors was trained on"));
    // what scores were made from has its reference
    let reference = ["--reference", "parts/test.gex", "--force", "--device", "cpu"];
    let arguments = ["attribute", "m.safetensors", "parts/train.gex", "-o", "s.tsv"];
    folder.succeed(&[&arguments[..], &reference].concat());
    let made: Value = serde_json::from_slice(&folder.read("s.tsv.json")).unwrap();
    let of = |i: usize| made["made-from"][i]["name"].as_str();
    assert_eq!([of(0), of(1), of(2)], ["m.safetensors", "train.gex", "test.gex"].map(Some));
    // scores, and a model or a store that may be another's
    for more in [["--model", "m.safetensors"], ["--store", "parts/test.gex"]] {
        let said = folder.fail(2, &[&["select", "s.tsv", "-n", "3", "-o", "x.tsv"], &more[..]].concat());
        assert!(said.contains("--strategy diverse does not use SCORES"), "{said}");
        let top = ["select", "s.tsv", "-n", "3", "-o", "x.tsv", "--strategy", "top"];
        assert!(folder.fail(2, &[&top[..], &more[..]].concat()).contains("--strategy top does not use --"));
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
    assert!(text.contains("[1/10] import: to be done, under 1 s\n"), "{text}");
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
    assert!(text.contains("select: to be done again, under 1 s: n 6 → 5\n"), "{text}");
    assert!(text.contains("fit: to be done again, under 1 s: landmarks.tsv is made anew\n"), "{text}");
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
        ("out/comparison", "folder of 9 tables", "summary.tsv"),
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
    assert!(folder.fail(1, &["verify", "c.toml"]).contains("is nothing that genelift writes"));
    folder.write("list.tsv", "gene\nA\n");
    assert!(folder.fail(1, &["verify", "list.tsv"]).contains("cannot be checked"));
}
