//! The flow from end to end: what it does, finds and claims.

use super::*;

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
    assert!(
        said.contains("[1/10] import: for the first time") && said.contains("[10/10] compare: "),
        "{said}"
    );
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

    // a page takes the place of nothing that the run made, or was made from
    for kept in ["out/landmarks.tsv", "out/scores.tsv", "out/run.json", "m.tsv", "m.samples.tsv", "c.toml"] {
        let found = folder.fail(2, &["report", "out", "-o", kept, "--force"]);
        assert!(found.contains("is both read and written"), "{found}");
    }
    let found = folder.fail(2, &["report", "out", "-o", "out/comparison/summary.tsv", "--force"]);
    assert!(found.contains("which belongs to the run"), "{found}");

    // another seed of everything, another folder, the same bytes
    folder.succeed(&["run", "c.toml", "--set", "output=other"]);
    let before = folder.results();
    for (name, bytes) in RESULTS.iter().zip(&before) {
        if !name.starts_with("comparison") {
            assert_eq!(&folder.read(&format!("other/{name}")), bytes, "{name}");
        }
    }
}

/// A configuration is made for a store as for a matrix file, with its samples' groups.
#[test]
fn a_store_gets_a_configuration() {
    let folder = Folder::new();
    folder.succeed(&["import", "m.tsv", "--labels", "m.samples.tsv", "-o", "m.gex"]);
    folder.succeed(&["init", "m.gex", "-o", "made.toml"]);
    let text = String::from_utf8(folder.read("made.toml")).unwrap();
    assert!(text.contains("files = [\"m.gex\"]") && text.contains("group-by = \"study\""), "{text}");
    let (plan, _) = folder.succeed(&["run", "made.toml", "--dry-run"]);
    assert!(plan.contains("90 samples × 60 genes"), "{plan}");
    let said = folder.fail(2, &["init", "m.gex", "m.samples.tsv", "-o", "d.toml"]);
    assert!(said.contains("m.gex is a store already") && said.contains("name it alone"), "{said}");
}

/// A store is an input like a matrix file: the same results, what made it remembered, and no option of the import beside it.
#[test]
fn a_run_begins_at_a_store() {
    let folder = Folder::new();
    folder.succeed(&["import", "m.tsv", "--labels", "m.samples.tsv", "-o", "m.gex"]);
    folder.write(
        "c.toml",
        &CONFIG.replace("\"m.tsv\"", "\"m.gex\"").replace("labels = \"m.samples.tsv\"\n", ""),
    );
    let (plan, _) = folder.succeed(&["run", "c.toml", "--set", "train=false", "--dry-run"]);
    assert!(plan.contains("90 samples × 60 genes"), "{plan}");
    let (summary, _) = folder.succeed(&["run", "c.toml", "--set", "train=false"]);
    assert!(summary.contains("90 samples × 60 genes; 63 to learn from, 27 held out"), "{summary}");
    assert_eq!(folder.read("out/data.gex/matrix.npy"), folder.read("m.gex/matrix.npy"));
    folder.succeed(&["import", "m.gex", "-o", "copy.gex"]);
    assert_eq!(folder.read("copy.gex/matrix.npy"), folder.read("m.gex/matrix.npy"));
    assert_eq!(folder.read("out/data.gex/samples.tsv"), folder.read("m.gex/samples.tsv"));
    // what was done to a store goes with it
    folder.succeed(&["prepare", "m.gex", "-o", "z.gex", "--zscore"]);
    folder.succeed(&["import", "z.gex", "-o", "z-copy.gex"]);
    let transforms = |store: &str| {
        let info: Value = serde_json::from_slice(&folder.read(&format!("{store}/store.json"))).unwrap();
        info["origin"]["transforms"].clone()
    };
    assert_eq!(transforms("z-copy.gex"), transforms("z.gex"));
    assert!(transforms("z.gex").to_string().contains("zscore"));
    let (again, _) = folder.succeed(&["run", "c.toml", "--set", "train=false"]);
    assert_eq!(again, summary);
    folder.write("table.toml", &CONFIG.replace("output = \"out\"", "output = \"table\""));
    folder.succeed(&["run", "table.toml", "--set", "train=false"]);
    assert_eq!(folder.read("out/landmarks.tsv"), folder.read("table/landmarks.tsv"));
    // a changed store is noticed, and options that a store has no use for are refused
    let other = "simulate -o n.tsv --samples 90 --genes 60 --studies 6 --seed 4";
    folder.succeed(&other.split(' ').collect::<Vec<_>>());
    folder.succeed(&["import", "n.tsv", "--labels", "n.samples.tsv", "-o", "m.gex", "--force"]);
    assert_eq!(folder.names(&["--set", "train=false"])[0], "import");
    folder.write("c.toml", &CONFIG.replace("\"m.tsv\"", "\"m.gex\""));
    let said = folder.fail(2, &["run", "c.toml", "--set", "output=other"]);
    assert!(
        said.contains("is a store already, and is taken as it is; leave the options of the import out"),
        "{said}"
    );
    let small = CONFIG
        .replace("\"m.tsv\"", "\"m.gex\"")
        .replace("labels = \"m.samples.tsv\"\n", "")
        .replace("n = 6", "n = 61");
    folder.write("c.toml", &small);
    let too_many = || folder.fail(1, &["run", "c.toml", "--set", "output=other"]);
    let said = too_many();
    assert!(said.contains("select.n = 61, but") && said.contains("has only 60 genes"), "{said}");
    // values that were changed say nothing of how many there are, and nothing is made of them
    let mut bytes = folder.read("m.gex/matrix.npy");
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path("m.gex/matrix.npy"), bytes).unwrap();
    assert_eq!(too_many(), said);
    for more in [&["--dry-run"][..], &[]] {
        let few = ["run", "c.toml", "--set", "output=other", "--set", "select.n=6"];
        let said = folder.fail(1, &[&few[..], more].concat());
        assert!(said.contains("do not match their checksum"), "{said}");
    }
    assert!(!folder.path("other/data.gex").exists());
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
    assert!(summary.contains("Stability   2 repeats over bootstrap, 6 genes free to choose"), "{summary}");
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
    let chosen = table.lines().skip(1).map(|l| l.split('\t').nth(2).unwrap().parse::<usize>().unwrap());
    assert_eq!(chosen.sum::<usize>(), 12);
    let header = "gene_id\trank_in_list\tchosen\tshare\tshare_with_copies\tmean_rank\n";
    assert!(table.starts_with(header), "{table:.60}");
    let own = String::from_utf8(folder.read("out/landmarks.tsv")).unwrap();
    for id in own.lines().skip(1).map(|line| line.split('\t').nth(1).unwrap()) {
        assert!(
            table.lines().any(|line| line.starts_with(&format!("{id}\t"))),
            "every landmark has its frequency: {id}"
        );
    }
    let consensus = String::from_utf8(folder.read("out/lists/consensus.tsv")).unwrap();
    assert_eq!(consensus.lines().count(), 1 + 6);
    assert_eq!(facts("consensus")["facts"]["pooled"], false, "scores of the network have no gain to pool");

    // more repeats go on from those that are there
    let list = |repeat: usize| folder.read(&format!("out/repeats/{repeat}/landmarks.tsv"));
    let (before, seconds) = ((list(1), list(2)), facts("repeat 1")["seconds"].clone());
    run(&["--repeats", "3"]);
    assert_eq!((list(1), list(2)), before);
    assert_eq!(facts("repeat 1")["seconds"], seconds, "kept");
    assert!(index("min") <= index("mean"));
    let summary = run(&["--set", "stability.over=seeds", "--set", "stability.repeats=2"]);
    assert!(summary.contains("2 repeats over seeds"), "{summary}");
    assert!(list(1) != before.0 && !folder.path("out/repeats/1/train.gex").exists());
    assert!(!Path::new("out/repeats/1/model.safetensors").exists());
}

/// A run knows how it chose its landmarks; the selection's settings are then the fit's too.
#[test]
fn the_best_method_is_chosen_with_landmarks_of_each_fold() {
    let folder = Folder::new();
    folder.write(
        "c.toml",
        "output = \"out\"\ndevice = \"cpu\"\n[import]\nfiles = [\"m.tsv\"]\n[split]\nfractions = [0.7, 0.3]\n[select]\nn = 6\nstrategy = \"variance\"\n\
         [fit]\nmethod = \"best\"\ncandidates = [\"linear\"]\nfolds = 3\nheld-out = 0\n",
    );
    folder.succeed(&["run", "c.toml", "--set", "train=false", "--set", "compare=false"]);
    let record = String::from_utf8(folder.read("out/run.json")).unwrap();
    assert!(record.contains("\"landmarks\": \"chosen anew in each fold\""), "{record}");
    assert!(record.contains("\"selection\""), "{record}");
}
