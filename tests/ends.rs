//! The ends of what a command can be asked for: more memory than there is, a device that fails, and data from which nothing
//! follows. Each is refused or warned of, with what to change.

mod common;
#[path = "common/failing.rs"]
mod failing;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use failing::Failing;
use genelift::device;
use genelift::nn::feed::Resident;
use genelift::nn::settings::TrainSettings;
use genelift::nn::train::{CheckpointPlan, Found, Training, train};
use genelift::progress::{Event, silent};
use genelift::ranks::Ranks;
use genelift::store::Store;

fn genelift(dir: &Path, arguments: &str) -> Output {
    let words = arguments.split(' ');
    let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
    command.current_dir(dir).args(words).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs; the command must fail with these words and leave nothing.
fn refuse(dir: &Path, words: &str, arguments: &str) {
    let count = || dir.read_dir().unwrap().count();
    let before = count();
    let output = genelift(dir, arguments);
    let message = said(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments}: {message}");
    assert!(message.contains(words), "{arguments}: {message}");
    assert_eq!(count(), before, "{arguments} left something");
}

/// Runs; the command must succeed, with these words of warning.
fn warn(dir: &Path, words: &str, arguments: &str) {
    let output = genelift(dir, arguments);
    assert!(output.status.success(), "{arguments}: {}", said(&output));
    assert!(said(&output).contains(words), "{arguments}: {}", said(&output));
}

fn succeed(dir: &Path, arguments: &str) {
    warn(dir, "", arguments);
}

/// A store of the given rows, by way of a table.
fn store(dir: &Path, name: &str, rows: &[&str]) {
    let width = rows[0].split(',').count();
    let header: Vec<String> = (0..width).map(|gene| format!("gene_{gene}")).collect();
    let lines = rows.iter().enumerate().map(|(i, row)| format!("\nsample_{i},{row}"));
    let text = format!("id,{}{}\n", header.join(","), lines.collect::<String>());
    std::fs::write(dir.join("table.csv"), text).unwrap();
    succeed(dir, &format!("import table.csv -o {name} --orientation samples-by-genes"));
    std::fs::remove_file(dir.join("table.csv")).unwrap();
}

const CPU: &str = "--device cpu --threads 1";

fn workshop() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    succeed(dir.path(), "simulate -o s.gex --samples 60 --genes 40 --rank 5");
    succeed(dir.path(), &format!("train s.gex -o m --epochs 2 --hidden 8,3,8 {CPU}"));
    std::fs::write(dir.path().join("l.txt"), "gene_id\ng_1\ng_2\ng_3\n").unwrap();
    dir
}

#[test]
fn more_memory_than_there_is_is_refused_with_the_numbers() {
    let dir = workshop();
    let refuse = |words: &str, arguments: &str| refuse(dir.path(), words, arguments);
    let fit = "fit s.gex --landmarks l.txt -o p";
    for (words, arguments) in [
        (
            "weights and moments of 100000 × 100000: 120.0 GB",
            format!("train s.gex -o x --hidden 100000,100000 {CPU}"),
        ),
        ("more than can be counted", format!("train s.gex -o x --hidden 9999999999999,9999999999999 {CPU}")),
        ("lower the widths", format!("{fit} --method mlp --hidden 300000,300000 {CPU}")),
        (
            "narrow the --decoder",
            format!("select --store s.gex -n 5 -o x --strategy concrete --decoder 300000,300000 {CPU}"),
        ),
        (
            "lower --resamples",
            format!(
                "compare --train s.gex --test s.gex --landmarks a=l.txt -o x --resamples 1000000000000 {CPU}"
            ),
        ),
        ("lower --rank", "simulate -o x.gex --samples 9 --genes 4000000000 --rank 4000000000".into()),
        ("can be taken", format!("train s.gex -o x --memory 1M --hidden 2000,2000 {CPU}")),
    ] {
        refuse(words, &arguments);
    }
    if cfg!(unix) {
        refuse("on the disk", "simulate -o x.gex --samples 3000000 --genes 1000000 --rank 1");
    }
    let usage = genelift(dir.path(), "train s.gex -o x --memory plenty");
    assert_eq!(usage.status.code(), Some(2));
    assert!(said(&usage).contains("is not a size such as 8G"), "{}", said(&usage));
}

#[test]
fn one_sample_and_samples_that_are_alike_teach_nothing() {
    let dir = workshop();
    let dir = dir.path();
    let row: String = (0..40).map(|gene| format!("{}", gene % 7)).collect::<Vec<_>>().join(",");
    store(dir, "one.gex", &[&row]);
    store(dir, "flat.gex", &[&row, &row, &row]);
    for data in ["one.gex", "flat.gex"] {
        refuse(dir, "nothing to learn", &format!("train {data} -o x --hidden 4 --epochs 2 {CPU}"));
        refuse(
            dir,
            "nothing to learn",
            &format!("train {data} -o x --hidden 4 --epochs 2 --scale none {CPU}"),
        );
        std::fs::write(dir.join("g.txt"), "gene_id\ngene_1\ngene_2\n").unwrap();
        for method in ["linear --penalty 1", "mlp --validation 0", "knn --neighbors 1"] {
            let fit = format!("fit {data} --landmarks g.txt -o x --method {method} {CPU}");
            refuse(dir, "nothing varies over the", &fit);
        }
        for strategy in ["diverse", "css", "pca", "variance", "peel-off", "concrete"] {
            let select = format!("select --store {data} -n 3 -o x --strategy {strategy} {CPU}");
            let words = if data == "one.gex" { "needs at least 2 samples" } else { "varies over the" };
            refuse(dir, words, &select);
        }
    }
    succeed(dir, &format!("train one.gex -o initial --hidden 4 --epochs 0 {CPU}"));
    refuse(dir, "every score is 0", &format!("attribute initial one.gex -o x {CPU}"));
    warn(dir, "one sample has no correlations", &format!("evaluate initial one.gex -o e {CPU}"));
    let table = std::fs::read_to_string(dir.join("e/summary.tsv")).unwrap();
    assert!(!table.contains("NaN") && !table.contains("inf"), "{table}");
}

#[test]
fn a_loss_that_runs_away_is_warned_of() {
    let dir = workshop();
    warn(
        dir.path(),
        "Lower --learning-rate",
        &format!("train s.gex -o x --epochs 3 --hidden 8,3,8 --learning-rate 100 {CPU}"),
    );
    for rate in ["1e-12", "0.5"] {
        let fit = format!(
            "fit s.gex --landmarks l.txt -o x{rate} --method mlp --hidden 8 --epochs 3 --learning-rate {rate} {CPU}"
        );
        let output = genelift(dir.path(), &fit);
        let warned = output.status.success() && said(&output).contains("hardly better than each gene's mean");
        let refused = output.status.code() == Some(1) && said(&output).contains("lower --learning-rate");
        assert!(warned || refused, "{rate}: {}", said(&output));
    }
}

#[test]
fn values_that_single_precision_cannot_scale_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    store(dir, "tiny.gex", &["0,1,2", "1e-44,2,4", "3e-44,3,1", "0,4,9"]);
    for scale in ["zscore", "minmax"] {
        refuse(
            dir,
            "gene \"gene_0\" spread so little",
            &format!("train tiny.gex -o x --hidden 2 --scale {scale} {CPU}"),
        );
    }
    std::fs::write(dir.join("l.txt"), "gene_id\ngene_0\ngene_1\n").unwrap();
    refuse(
        dir,
        "gene \"gene_0\" spread so little",
        &format!("fit tiny.gex --landmarks l.txt -o x --method linear --penalty 1 {CPU}"),
    );
}

fn training<'a>(store: &'a Store, dir: &Path) -> Training<'a> {
    Training {
        store,
        samples: (0..store.n_samples()).collect(),
        validation: None,
        settings: TrainSettings { hidden: vec![6, 2, 6], epochs: 4, batch: 8, ..TrainSettings::standard() },
        resident: Resident::Auto,
        init: None,
        checkpoint: Some(CheckpointPlan {
            path: dir.join("m.checkpoint"),
            every: Duration::from_secs(3600),
            found: Found::GoOn,
        }),
        history: None,
        ranks: Ranks::alone(),
    }
}

#[test]
fn a_lost_device_ends_with_its_name_and_the_run_goes_on_elsewhere_to_the_same_model() {
    let dir = tempfile::tempdir().unwrap();
    let store = common::example_store(dir.path(), 40, 12);
    let training = training(&store, dir.path());
    let lost = |runs| {
        let mut cpu = device::open("cpu", Some(1), &silent).unwrap();
        train(&mut Failing::lost_after(runs, &mut *cpu), &training, &silent).unwrap_err().to_string()
    };
    let message = lost(3);
    assert!(message.contains("Failing Adapter 9000") && message.contains("Nothing is kept"), "{message}");
    // five steps and the weights' norms an epoch, then the checkpoint of the first
    let message = lost(9);
    assert!(message.contains("Failing Adapter 9000") && message.contains("goes on from"), "{message}");
    assert!(message.contains("m.checkpoint"), "{message}");
    let mut whole = device::open("cpu", Some(1), &silent).unwrap();
    let resumed = train(&mut *whole, &training, &silent).unwrap();
    std::fs::remove_file(dir.path().join("m.checkpoint")).unwrap();
    whole.reset();
    let straight = train(&mut *whole, &training, &silent).unwrap();
    assert_eq!(resumed.model, straight.model);
}

#[test]
fn a_device_that_is_full_streams() {
    let dir = tempfile::tempdir().unwrap();
    let store = common::example_store(dir.path(), 40, 12);
    let training = training(&store, dir.path());
    let warnings = std::sync::Mutex::new(String::new());
    let report = |event: Event| {
        if let Event::Warning(text) = event {
            *warnings.lock().unwrap() += &text;
        }
    };
    let mut cpu = device::open("cpu", Some(1), &silent).unwrap();
    let trained = train(&mut Failing::small(&mut *cpu), &training, &report).unwrap();
    assert!(!trained.resident);
    assert!(
        warnings.lock().unwrap().contains("out of memory; going on with the samples streamed"),
        "{}",
        warnings.lock().unwrap()
    );
    let always = Training { resident: Resident::Always, ..self::training(&store, dir.path()) };
    let message = train(&mut Failing::small(&mut *cpu), &always, &silent).unwrap_err().to_string();
    assert!(message.contains("out of memory"), "{message}");
}
