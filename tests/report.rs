//! The page of a run: what it tells and of what, that it loads nothing, and that nothing from files gets out of its place. How it
//! looks and works in a browser is `scripts/check_report.py`'s.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Names as files may hold them.
const HOSTILE: [&str; 4] =
    ["</script><img src=x onerror=alert(1)>", "a\u{1b}[2Jb", "x\u{202e}y", "q'q&amp;<b>"];

const CONFIG: &str = "output = \"out\"\nseed = 4\ndevice = \"cpu\"\n[import]\nfiles = [\"m.tsv\"]\nlabels = \"m.samples.tsv\"\n\
                      [prepare]\nzscore = true\n[split]\nfractions = [0.7, 0.3]\ngroup-by = \"study\"\n[train]\nhidden = [9, 3, 9]\n\
                      epochs = 3\nbatch = 16\n[select]\nn = 6\n[fit]\nfolds = 3\n[compare]\nrandom-draws = 2\nresamples = 100\n";

struct Folder(tempfile::TempDir);

impl Folder {
    /// A small matrix with hostile names of genes and studies, and a configuration.
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.succeed(&[
            "simulate",
            "-o",
            "m.tsv",
            "--samples",
            "90",
            "--genes",
            "60",
            "--studies",
            "6",
            "--seed",
            "3",
        ]);
        let (mut matrix, mut labels) = (folder.read("m.tsv"), folder.read("m.samples.tsv"));
        for (i, name) in HOSTILE.iter().enumerate() {
            matrix = matrix.replacen(&format!("\tg_{}\t", 11 + i), &format!("\t{name}\t"), 1);
            labels = labels.replace(&format!("study_{}\n", 1 + i), &format!("{name}\n"));
        }
        folder.write("m.tsv", &matrix);
        folder.write("m.samples.tsv", &labels);
        folder.write("c.toml", CONFIG);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn call(&self, arguments: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_genelift"));
        program.current_dir(self.0.path()).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn succeed(&self, arguments: &[&str]) -> (String, String) {
        let Output { status, stdout, stderr } = self.call(arguments);
        let error = String::from_utf8_lossy(&stderr).into_owned();
        assert!(status.success(), "{arguments:?}: {error}");
        (String::from_utf8(stdout).unwrap(), error)
    }

    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !error.contains("panicked"), "{arguments:?}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "one message: {error}");
        error
    }

    fn record(&self) -> Value {
        serde_json::from_str(&self.read("out/run.json")).unwrap()
    }

    /// The page after the record was changed.
    fn page_of(&self, change: impl FnOnce(&mut Vec<Value>)) -> String {
        let mut record = self.record();
        change(record["stages"].as_array_mut().unwrap());
        self.write("out/run.json", &record.to_string());
        self.succeed(&["report", "out", "-o", "changed.html", "--force"]);
        self.read("changed.html")
    }
}

/// The tables of a page as a program reads them.
fn tables(page: &str) -> Vec<Value> {
    let parts = page.split("<script type=\"application/json\" class=data>").skip(1);
    parts.map(|part| serde_json::from_str(part.split("</script>").next().unwrap()).unwrap()).collect()
}

fn table(page: &str, id: &str) -> Value {
    tables(page).into_iter().find(|table| table["id"] == id).unwrap_or_else(|| panic!("no table {id}"))
}

fn stage<'a>(stages: &'a mut [Value], name: &str) -> &'a mut Value {
    stages.iter_mut().find(|stage| stage["name"] == name).unwrap()
}

/// What would load something from elsewhere.
fn loads(page: &str) -> Vec<&str> {
    let words = [
        "src=\"http",
        "href=\"http",
        "src=http",
        "href=http",
        "url(http",
        "url(\"http",
        "@import",
        "<link",
        "<iframe",
        "<base",
    ];
    words.into_iter().filter(|word| page.contains(word)).collect()
}

#[test]
fn a_run_ends_in_a_page_that_tells_it_and_stays_in_its_place() {
    let folder = Folder::new();
    let (summary, said) = folder.succeed(&["run", "c.toml", "--log", "log.jsonl"]);
    assert!(
        said.contains("report: for the first time") && summary.contains("out/report.html"),
        "{said}{summary}"
    );
    // groups that the split keeps whole are held out whole in the fits' own folds
    let (predictor, _) = folder.succeed(&["info", "out/predictor.safetensors"]);
    assert!(
        predictor.contains("\"group-by\":\"study\"") || predictor.contains("\"group-by\": \"study\""),
        "{predictor}"
    );
    let compared: Value = serde_json::from_str(&folder.read("out/comparison/compare.json")).unwrap();
    assert_eq!(compared["fit"]["group-by"], "study", "{compared}");
    assert_eq!(compared["adapted-to-test-landmarks"], false);
    let text = folder.read("out/report.html");
    assert!(
        text.contains("training variance, without intervals, which ")
            && !text.contains("bootstrap intervals")
    );
    assert!(text.contains("groups kept whole"));
    let page = folder.read("out/report.html");
    assert!(page.len() < 5_000_000, "{}", page.len());
    assert_eq!(loads(&page), Vec::<&str>::new());

    // nothing of the names works as HTML, ends a script or steers a reader
    for bad in ["<img", "onerror=alert(1)>", "<b>\t", "\u{1b}", "\u{202e}", "q&amp;<b>"] {
        assert!(!page.contains(bad), "{bad:?}");
    }
    assert_eq!(page.matches("<script").count(), page.matches("</script>").count());
    let genes = table(&page, "genes")["rows"].to_string();
    assert!(
        genes.contains("</script><img src=x onerror=alert(1)>") && genes.contains("x\\\\u202ey"),
        "{genes}"
    );
    assert!(page.contains("&lt;/script&gt;"), "studies are told");

    // what it tells is what the run found
    let verdict = summary.lines().find(|line| line.starts_with("Data")).unwrap();
    assert!(page.contains(verdict.trim_start_matches("Data").trim()), "{verdict}");
    let landmarks = table(&page, "landmarks");
    assert_eq!(landmarks["rows"].as_array().unwrap().len(), 6);
    let served = landmarks["columns"]
        .as_array()
        .unwrap()
        .iter()
        .position(|c| c.as_str().unwrap().starts_with("R² served"));
    assert!(landmarks["rows"][0][served.unwrap()].is_number(), "{landmarks}");
    let lists = table(&page, "lists");
    let names: Vec<&str> =
        lists["rows"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
    assert!(names.contains(&"diverse") && names.contains(&"random-6 (mean of draws)"), "{names:?}");
    for told in [
        "genelift run c.toml --log",
        "DeepLIFT",
        "ridge regression",
        "whole groups of study",
        "@software{genelift",
    ] {
        assert_eq!(page.contains(told), told != "genelift run c.toml --log", "{told}");
    }
    assert!(page.contains("genelift run c.toml") && !page.contains("D-GEX") && !page.contains("Unfinished"));
    let sums = table(&page, "checksums");
    assert!(sums["rows"].as_array().unwrap().iter().any(|row| row[2] == "landmarks.tsv"));
    if cfg!(feature = "figures") {
        assert!(page.contains("<figure id=\"figure-learning-curves\""));
    }

    // the same folder gives the same page; an output that is there is left alone
    folder.succeed(&["report", "out", "-o", "again.html"]);
    assert!(folder.read("again.html") == page);
    assert!(folder.fail(&["report", "out", "-o", "again.html"]).contains("already exists"));
    assert!(folder.fail(&["report", "out", "-o", "out/run.json", "--force"]).contains("run.json"));
    let (_, said) = folder.succeed(&["run", "c.toml"]);
    assert!(said.contains("report: kept"), "{said}");
    // it follows what it tells of, and goes where it is not wanted
    let (_, said) = folder.succeed(&["run", "c.toml", "--set", "compare.resamples=101"]);
    assert!(
        said.contains("attribute: kept") && said.contains("report: config.compare.resamples 100"),
        "{said}"
    );
    let (summary, said) = folder.succeed(&["run", "c.toml", "--set", "report=false"]);
    assert!(!said.contains("report: ") && !summary.contains("report.html"), "{said}{summary}");

    of_a_log(&folder.read("log.jsonl"));
    of_unfinished_runs(&folder);
}

/// Every line of a log is an object with its event; a run's has its stages and epochs.
fn of_a_log(text: &str) {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert_eq!((lines[0]["event"].as_str(), lines[0]["command"][1].as_str()), (Some("begun"), Some("run")));
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["code"], &last["error"]), (&json!("ended"), &json!(0), &Value::Null));
    let epochs = of("epoch");
    assert_eq!(epochs.iter().map(|line| line["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(epochs.iter().all(|line| line["train_loss"].is_number() && line["epochs"] == 3));
    let done: Vec<_> = of("stage").into_iter().filter(|line| line["state"] == "done").collect();
    assert_eq!(done.len() as u64, done[0]["of"].as_u64().unwrap());
    assert!(done.iter().any(|line| line["stage"] == "report" && line["facts"]["tables"].is_number()));
    assert!(!of("started").is_empty() && of("started").len() == of("finished").len());
    assert!(
        lines.iter().all(|line| line["seconds"].is_number() && line["time"].as_str().unwrap().ends_with('Z'))
    );
}

/// A run that was interrupted shows what there is, and nothing that was made from what is not there any more.
fn of_unfinished_runs(folder: &Folder) {
    folder.succeed(&["run", "c.toml"]);
    let whole = folder.read("out/run.json");
    let page = folder.page_of(|stages| {
        let train = stage(stages, "train");
        (train["finished"], train["outputs"]) = (json!(false), json!([]));
    });
    let how_far = "train has begun, 3 epochs so far; then evaluate, attribute, select top";
    // the list that needs no network is still there
    assert!(page.contains("Unfinished.") && page.contains(how_far), "{how_far}");
    assert!(
        tables(&page).iter().all(|table| table["id"] != "lists"),
        "a comparison of lists of another network"
    );
    assert!(page.contains("to be done again") && !page.contains("Mean error"));
    if cfg!(feature = "figures") {
        assert!(page.contains("figure-learning-curves") && !page.contains("figure-evaluation-mae"));
    }
    let page = folder.page_of(|stages| stages.clear());
    assert!(
        page.contains("0 of 10 stages are done; next is import") && page.contains("nothing is finished yet")
    );
    folder.write("out/run.json", &whole);
}

#[test]
fn without_a_network_none_is_told_of_and_other_predictors_say_what_they_cannot() {
    let folder = Folder::new();
    let set = ["train=false", "compare=false", "fit={method=\"knn\"}", "prepare.zscore=false"];
    let set: Vec<&str> = set.iter().flat_map(|change| ["--set", change]).collect();
    // TOML has no integer as large as this
    let seed = ["--seed", "18446744073709551615"];
    folder.succeed(&[&["run", "c.toml"][..], &set, &seed].concat());
    let page = folder.read("out/report.html");
    assert!(page.contains("No network was trained") && page.contains("No comparison was made"));
    assert!(!page.contains("DeepLIFT") && !page.contains("autoencoder") && !page.contains("L1000 landmarks"));
    assert!(page.contains("this one is of another method") && page.contains("18446744073709551615"));
    assert!(page.contains("genelift run c.toml --set train=false"), "the command");
    // clusters and gene sets come where they are asked for
    assert!(tables(&page).iter().all(|table| table["id"] != "clusters" && table["id"] != "enrichment"));
    let genes: Vec<String> = (1..=30).map(|i| format!("g_{i}")).collect();
    folder.write("sets.gmt", &format!("{}\tx\t{}\n", HOSTILE[0], genes.join("\t")));
    let more = ["cluster.label=[\"study\"]", "enrich={collection=\"sets.gmt\", min-size=2}"];
    let more: Vec<&str> = more.iter().flat_map(|change| ["--set", change]).collect();
    let (_, said) = folder.succeed(&[&["run", "c.toml"][..], &set, &seed, &more].concat());
    assert!(said.contains("fit: kept") && said.contains("cluster: for the first time"), "{said}");
    let page = folder.read("out/report.html");
    assert_eq!(table(&page, "clusters")["rows"][0][2], "study");
    assert_eq!(table(&page, "enrichment")["rows"].as_array().unwrap().len(), 1);
    assert!(page.contains("Benjamini") && !page.contains("Gene Ontology") && !page.contains("<img"));
    let none = ["--quiet", "--set", "cluster.label=[\"none\"]"];
    let refused = folder.fail(&[&["run", "c.toml"][..], &set, &none].concat());
    assert!(refused.contains("no sample column \"none\""), "{refused}");
}

#[test]
fn what_the_selection_left_out_stands_in_for_nothing() {
    let folder = Folder::new();
    let none = ["--set", "train=false", "--set", "compare=false"];
    let stand_ins = || -> Vec<String> {
        let landmarks = table(&folder.read("out/report.html"), "landmarks");
        let columns = landmarks["columns"].as_array().unwrap();
        let at = columns.iter().position(|column| column == "Stand-ins (r)").unwrap();
        let cells = landmarks["rows"].as_array().unwrap().iter().map(|row| row[at].as_str().unwrap());
        cells
            .flat_map(|cell| cell.split(", "))
            .map(|told| told.split('\u{a0}').next().unwrap().to_string())
            .collect()
    };
    folder.succeed(&[&["run", "c.toml"][..], &none].concat());
    let out = stand_ins().into_iter().find(|name| name.starts_with("g_")).unwrap();
    folder.write("left.txt", &format!("{out}\n"));
    folder.succeed(&[&["run", "c.toml"][..], &none, &["--set", "select.exclude=[\"left.txt\"]"]].concat());
    assert!(!stand_ins().contains(&out), "{out}: {:?}", stand_ins());
}

#[test]
fn what_is_no_run_is_refused_in_one_message() {
    let folder = Folder::new();
    let report = |dir: &str| folder.fail(&["report", dir, "-o", "x.html"]);
    std::fs::create_dir(folder.path("empty")).unwrap();
    assert!(report("empty").contains("is no folder of a run: there is no run.json in it"));
    assert!(report("nothing").contains("does not exist"));
    assert!(report("m.tsv").contains("is no folder"));
    for text in ["{", "{}", "{\"format\": \"another\"}", "[]", ""] {
        folder.write("empty/run.json", text);
        assert!(report("empty").contains("no record of a run, or is damaged"), "{text}");
    }
    let record = json!({"format": "genelift run", "versions": {}, "config": {"select": 3}, "device": null, "stages": []});
    folder.write("empty/run.json", &record.to_string());
    assert!(report("empty").contains("run.json"));
    assert!(!folder.path("x.html").exists());
    let log = folder.fail(&["report", "empty", "-o", "x.html", "--log", "m.tsv"]);
    assert!(log.contains("no log of genelift") && folder.read("m.tsv").starts_with("sample_id\t"), "{log}");
}
