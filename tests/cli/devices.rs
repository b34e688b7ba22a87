//! Devices as a user meets them: the benchmark, calibrations, bounds on memory.

use genelift::device::cpu::Way;
use std::path::Path;
use std::process::Command;

use super::{fail, succeed};

/// Whether the tests' adapter is here; where a GPU is required, a lack of it fails the test.
fn has_llvmpipe(dir: &Path) -> bool {
    let here = succeed(dir, &["devices", "--json"]).contains("llvmpipe");
    if !here {
        let required = std::env::var("GENELIFT_REQUIRE_GPU").is_ok_and(|v| v == "1");
        assert!(!required, "GENELIFT_REQUIRE_GPU=1, but there is no llvmpipe");
        eprintln!("SKIPPED: there is no llvmpipe");
    }
    here
}

#[test]
fn the_benchmark_measures_every_stage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let small = [
        "bench",
        "--genes",
        "133",
        "--samples",
        "40",
        "--hidden",
        "12,4,12",
        "--batch",
        "8,32",
        "--attributed",
        "5",
        "--landmarks",
        "10",
        "--selected-from",
        "20",
        "--rounds",
        "3",
        "--side",
        "64",
        "--device",
        "cpu",
        "--scratch",
        ".",
    ];
    let text = succeed(dir, &small);
    assert!(text.contains("matmul f32") && text.contains("training, batch 32 (samples)"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&succeed(dir, &[&small[..], &["--json"]].concat())).unwrap();
    let stages = json["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 17, "two batches, ten parts of kernel ridge regression and five other stages");
    for stage in stages {
        let figure = |name: &str| stage[name].as_f64().unwrap();
        assert_eq!(stage["seconds"].as_array().unwrap().len(), 3);
        assert!(figure("median") > 0.0 && figure("share-of-ceiling") > 0.0, "{stage}");
        let rate = figure("items") / figure("median");
        assert!((figure("rate") - rate).abs() <= 1e-9 * rate, "{stage}");
    }
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0, "the made-up matrix is removed");
    let one = succeed(dir, &[&small[..], &["--json", "--stage", "select"]].concat());
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&one).unwrap()["stages"].as_array().unwrap().len(),
        1
    );
    if cfg!(not(feature = "burn")) {
        assert!(fail(dir, 2, &[&small[..], &["--against", "burn"]].concat()).contains("--features burn"));
    }
    let refused = fail(dir, 2, &[&small[..], &["--batch", "41"]].concat());
    assert!(refused.contains("cannot be used multiple times") || refused.contains("too few"), "{refused}");
}

/// 4.8 MB of samples stay on the device where they may, and are streamed where they may not; the network alone takes more than one MiB.
#[test]
fn a_bound_on_the_device_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    if !has_llvmpipe(dir) {
        return;
    }
    succeed(dir, &["simulate", "-o", "s.gex", "--samples", "600", "--genes", "2000"]);
    let train = "train s.gex --hidden 20,4,20 --epochs 1 --batch 50 --device gpu:llvmpipe -o";
    let with = |more: &'static str| -> Vec<&str> { train.split(' ').chain(more.split(' ')).collect() };
    succeed(dir, &with("all.safetensors"));
    succeed(dir, &with("streamed.safetensors --device-memory 6"));
    let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
    assert!(read("all.safetensors") == read("streamed.safetensors"), "another model");
    let error = fail(dir, 1, &with("kept.safetensors --resident always --device-memory 6"));
    assert!(error.contains("does not fit its memory") && error.contains("B are free"), "{error}");
    let error = fail(dir, 1, &with("none.safetensors --device-memory 1"));
    assert!(error.contains("not fit its memory") && error.contains("B are free"), "{error}");
    assert!(error.contains("allow more (--device-memory)") && !error.contains("--resident"), "{error}");
    // 256 samples at a time would take 6 MB
    let reconstruct = "reconstruct all.safetensors s.gex -o r.gex --device gpu:llvmpipe --device-memory";
    let with = |size: &'static str| -> Vec<&str> { reconstruct.split(' ').chain([size]).collect() };
    succeed(dir, &with("4"));
    let error = fail(dir, 2, &with("none.safetensors --device-memory lots"));
    assert!(error.contains("--device-memory") && error.contains("is not a size"), "{error}");
}

/// The permutation test's 400 samples × 1,000 genes take 1.6 MB, twice, and 256 samples at a time 3 MB: in 1 MiB, blocks of fewer genes and batches
/// of fewer samples give the same, within rounding.
#[test]
fn an_evaluation_is_the_same_in_little_device_memory() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    if !has_llvmpipe(dir) {
        return;
    }
    succeed(dir, &["simulate", "-o", "s.gex", "--samples", "400", "--genes", "1000"]);
    let run = |words: &str| succeed(dir, &words.split(' ').collect::<Vec<_>>());
    run("train s.gex --hidden 12,4,12 --epochs 2 --batch 50 --device cpu -o m.safetensors");
    run("evaluate m.safetensors s.gex -o all --device gpu:llvmpipe");
    run("evaluate m.safetensors s.gex -o some --device gpu:llvmpipe --device-memory 1");
    let fields = |folder: &str| -> Vec<String> {
        let text = std::fs::read_to_string(dir.join(folder).join("genes.tsv")).unwrap();
        text.split(['\t', '\n']).map(String::from).collect()
    };
    let (all, some) = (fields("all"), fields("some"));
    assert_eq!(all.len(), some.len());
    for (one, other) in all.iter().zip(&some).filter(|(one, other)| one != other) {
        let [a, b] = [one, other].map(|text| text.parse::<f64>().unwrap_or(f64::NAN));
        // a competitor that is as good as the gene itself may count or not
        let apart = if one.contains('.') || other.contains('.') { 1e-4 * (1.0 + a.abs()) } else { 1.0 };
        assert!((a - b).abs() <= apart, "{one} and {other}");
    }
}

/// Calibrates llvmpipe, the adapter of the tests, into a file of its own.
#[test]
fn a_calibration_is_kept_used_and_refused_when_it_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    if !has_llvmpipe(dir) {
        return;
    }
    let bench = |more: &[&str]| {
        let shape = "bench --device gpu:llvmpipe --genes 70 --hidden 12,4,12 --batch 8 --rounds 1";
        let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
        command
            .current_dir(dir)
            .env("GENELIFT_CALIBRATION", "new/tiles.json")
            .args(shape.split(' '))
            .args(more);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, text, error) = bench(&["--calibrate"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(text.contains("small tiles 32 × 32") && text.contains("new/tiles.json"), "{text}");

    let path = dir.join("new/tiles.json");
    let stored: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let run = "--stage train --samples 16 --side 32 --attributed 8 --landmarks 5 --selected-from 8";
    let run: Vec<&str> = run.split(' ').collect();
    let with = |m: usize, thread: usize| {
        let mut changed = stored.clone();
        changed["adapters"][0]["tuning"]["small"] =
            serde_json::json!({"m": m, "n": 64, "k": 4, "thread-m": thread, "thread-n": 8, "way": "direct"});
        std::fs::write(&path, changed.to_string()).unwrap();
        bench(&run)
    };
    let (code, _, error) = with(16, 4);
    assert!(code == Some(0) && error.contains("as calibrated"), "{error}");
    let (code, _, error) = with(17, 4);
    assert!(code == Some(1) && error.contains("no kernel") && error.contains("tiles.json"), "{error}");
    std::fs::write(&path, "{\"adapters\": 1}").unwrap();
    let (code, _, error) = bench(&run);
    assert!(code == Some(1) && error.contains("is not a calibration"), "{error}");
}

/// How a CPU multiplies bf16 is timed, kept and taken; a way that the processor lacks is not.
#[test]
fn a_calibrated_processor_multiplies_bf16_as_it_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, path) = (dir.path(), dir.path().join("ways.json"));
    let run = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
        let output = command
            .current_dir(dir)
            .env("GENELIFT_CALIBRATION", &path)
            .args(words.split(' '))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let text =
        run("bench --device cpu --threads 1 --genes 70 --hidden 12,4,12 --batch 8 --rounds 1 --calibrate");
    assert!(text.contains("bf16 by f32 arithmetic") && text.contains("ways.json"), "{text}");
    let stored: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let told = |way: &str| {
        let mut changed = stored.clone();
        changed["processors"][0]["bf16"] = way.into();
        std::fs::write(&path, changed.to_string()).unwrap();
        run("devices")
    };
    assert!(told("widened").contains("bf16       by f32 arithmetic, calibrated\n"));
    run("simulate -o s.gex --samples 20 --genes 15");
    let train = |precision: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
        let words = format!(
            "train s.gex -o m --force --hidden 4,2,4 --epochs 1 --device cpu --precision {precision}"
        );
        let output = command
            .current_dir(dir)
            .env("GENELIFT_CALIBRATION", &path)
            .args(words.split(' '))
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = train("bf16");
    assert!(code == Some(0) && said.contains("bf16: by f32 arithmetic, as calibrated"), "{said}");
    for (word, way) in [("avx512", Way::Avx512), ("amx", Way::Amx)] {
        let shown = format!("bf16       by {}, calibrated\n", way.word());
        assert_eq!(told(word).contains(&shown), way.is_here(), "{word}");
    }
    // a damaged file is in the way of what would go by it alone
    std::fs::write(&path, "{").unwrap();
    let (code, said) = train("f32");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = train("bf16");
    assert!(code == Some(1) && said.contains("ways.json: is not a calibration"), "{said}");
    // calibrating anew is the cure, once; nothing is lost
    let calibrate = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
        let words =
            "bench --device cpu --threads 1 --genes 70 --hidden 12 --batch 8 --rounds 1 --calibrate --json";
        let output = command
            .current_dir(dir)
            .env("GENELIFT_CALIBRATION", &path)
            .args(words.split(' '))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let kept = dir.join("ways.json.damaged");
    let (code, told, said) = calibrate();
    assert!(code == Some(0) && said.contains("kept as") && said.contains("ways.json.damaged"), "{said}");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "{");
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let calibration = &told["calibration"];
    assert!(calibration["f32-seconds"].is_f64() && calibration["bf16-seconds"][0][1].is_f64(), "{told}");
    assert_eq!(train("bf16").0, Some(0));
    std::fs::write(&path, "[").unwrap();
    let (code, _, said) = calibrate();
    assert!(code == Some(1) && said.contains("which is there; remove either"), "{said}");
    assert_eq!([&path, &kept].map(|path| std::fs::read_to_string(path).unwrap()), ["[", "{"]);
    // JSON of another kind may be somebody's
    std::fs::remove_file(&kept).unwrap();
    std::fs::write(&path, "{\"adapters\": 1}").unwrap();
    let (code, _, said) = calibrate();
    assert!(code == Some(1) && said.contains("remove it, or calibrate anew after that"), "{said}");
    assert!(!kept.exists());
}

/// An empty variable is no file, for reading and for writing.
#[test]
fn a_calibration_without_a_place_is_told_by_the_variables_name() {
    let dir = tempfile::tempdir().unwrap();
    let call = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
        command.current_dir(dir.path()).env("GENELIFT_CALIBRATION", "").args(words.split(' '));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = call("devices");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = call("bench --device cpu --genes 70 --hidden 12 --batch 8 --rounds 1 --calibrate");
    assert!(code == Some(2) && said.contains("GENELIFT_CALIBRATION is empty"), "{said}");
}

/// What says nothing of a calibration is refused beside it.
#[test]
fn a_calibration_refuses_what_it_would_not_look_at() {
    let dir = tempfile::tempdir().unwrap();
    for option in ["--profile=x", "--stage=train", "--precision=f16", "--against=burn", "--samples=9"] {
        let error = fail(dir.path(), 2, &["bench", "--device", "cpu", "--calibrate", option]);
        assert!(error.contains("cannot be used with"), "{option}: {error}");
    }
}
