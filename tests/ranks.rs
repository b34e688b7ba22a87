//! Several processes over MPI: what they make is what one makes, and whatever goes wrong in one ends all with one message. Wants
//! `mpirun` on the path, and as much of a machine as there is: ranks share its processors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const GENELIFT: &str = env!("CARGO_BIN_EXE_genelift");
/// Whatever waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(240);

/// A folder with the example as a store, `x.gex`.
fn example() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/brca/expression.csv.gz");
    let mut import = Command::new(GENELIFT);
    import.args(["import", "-q"]).arg(file).arg("-o").arg(dir.path().join("x.gex")).stdout(Stdio::null());
    assert!(import.status().unwrap().success());
    dir
}

/// `mpirun` in a folder, with what Open MPI wants of a test: more ranks than processors, as root too.
fn mpirun(dir: &Path) -> Command {
    let said = Command::new("mpirun").arg("--version").output().expect("mpirun is on the path").stdout;
    let mut command = Command::new("mpirun");
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1").current_dir(dir);
    if String::from_utf8_lossy(&said).contains("Open MPI") {
        command.args(["--oversubscribe", "--bind-to", "none"]);
    }
    command
}

/// Runs a command that must end by itself.
fn ended(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = pipe.expect("piped").read_to_end(&mut text);
            text
        })
    };
    let (stdout, stderr) = (read(stdout.map(|p| Box::new(p) as _)), read(stderr.map(|p| Box::new(p) as _)));
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if begun.elapsed() > PATIENCE => {
                let _ = child.kill();
                panic!("{command:?} hangs");
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// `genelift` on so many ranks, of one thread each.
fn on(ranks: usize, dir: &Path, arguments: &[&str]) -> Output {
    let mut command = mpirun(dir);
    command.args(["-n", &ranks.to_string(), GENELIFT]).args(arguments).args([
        "--threads",
        "1",
        "--device",
        "cpu",
    ]);
    ended(command)
}

fn done(ranks: usize, dir: &Path, arguments: &[&str]) -> String {
    let output = on(ranks, dir, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?} on {ranks} ranks: {out}\n{err}");
    out.into_owned()
}

/// The one message of a run that failed, and that it did.
fn failed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    let messages: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(messages.len(), 1, "one message in:\n{text}");
    messages[0].to_string()
}

/// The columns of a table, by row, below its header.
fn table(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().skip(1).map(|line| line.split('\t').map(String::from).collect()).collect()
}

const TRAIN: [&str; 10] =
    ["train", "x.gex", "--epochs", "3", "--validation", "0.1", "--seed", "5", "--checkpoint-every", "3600"];

#[test]
fn one_two_and_four_ranks_give_the_same_answer() {
    let dir = example();
    let dir = dir.path();
    for (ranks, name) in [(1, "1"), (2, "2"), (2, "again"), (4, "4")] {
        let [model, history, scores, folder] =
            ["m.safetensors", "h.tsv", "s.tsv", "e"].map(|what| format!("{name}-{what}"));
        let said = done(ranks, dir, &[&TRAIN[..], &["-o", &model, "--history", &history]].concat());
        assert_eq!(said.matches("train_loss").count(), 1, "the first rank alone prints: {said}");
        // of one model, so that differences of training do not count
        done(ranks, dir, &["attribute", "1-m.safetensors", "x.gex", "-o", &scores]);
        done(ranks, dir, &["evaluate", "1-m.safetensors", "x.gex", "-o", &folder]);
    }
    let bytes = |name: &str| fs::read(dir.join(name)).unwrap();
    for what in ["m.safetensors", "s.tsv", "e/genes.tsv", "e/samples.tsv", "e/summary.tsv"] {
        assert!(
            bytes(&format!("2-{what}")) == bytes(&format!("again-{what}")),
            "{what}: the same bytes again"
        );
    }
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let near = |a: &str, b: &str, tolerance: f64| {
        a == b || (number(a) - number(b)).abs() <= tolerance * number(b).abs().max(1e-3)
    };
    for ranks in ["2", "4"] {
        let rows = |name: &str| table(&dir.join(name));
        let (several, alone) = (rows(&format!("{ranks}-h.tsv")), rows("1-h.tsv"));
        assert_eq!((several.len(), alone.len()), (3, 3));
        for (a, b) in several.iter().zip(&alone) {
            // the figures before seconds; f32 sums in another order, over 66 steps
            for column in 1..6 {
                assert!(near(&a[column], &b[column], 1e-5), "{ranks} ranks: {a:?}, not {b:?}");
            }
        }
        let (several, alone) = (rows(&format!("{ranks}-s.tsv")), rows("1-s.tsv"));
        for (a, b) in several.iter().zip(&alone).take(200) {
            let (gene, score) = (1, a.len() - 1);
            // another gene only where the two are as good as one another
            assert!(near(&a[score], &b[score], 1e-5), "{ranks} ranks: {a:?}, not {b:?}");
            let own = alone.iter().find(|row| row[gene] == a[gene]).expect("a gene of the model");
            assert!(near(&own[score], &b[score], 1e-5), "{ranks} ranks: {a:?}, not {b:?}");
        }
        for file in ["genes.tsv", "samples.tsv", "summary.tsv"] {
            let (several, alone) = (rows(&format!("{ranks}-e/{file}")), rows(&format!("1-e/{file}")));
            assert_eq!(several.len(), alone.len());
            for (a, b) in several.iter().flatten().zip(alone.iter().flatten()) {
                // the network's outputs are one rank's but for tiles of another height
                assert!(near(a, b, 1e-4), "{file}: {a}, not {b}");
            }
        }
    }
}

#[test]
fn what_one_rank_alone_would_say_is_said_once() {
    let dir = example();
    let version = on(2, dir.path(), &["--version"]);
    assert_eq!(String::from_utf8_lossy(&version.stdout).matches("commit").count(), 1);
    let unknown = on(2, dir.path(), &["train", "x.gex", "-o", "m.safetensors", "--epoch", "3"]);
    assert!(failed(&unknown).contains("unexpected argument '--epoch'"));
    let few = on(2, dir.path(), &["train", "x.gex", "-o", "m.safetensors", "--batch", "1"]);
    assert!(failed(&few).contains("batches of 1 samples among 2 ranks"));
    let embed = on(2, dir.path(), &["embed", "m.safetensors", "x.gex", "-o", "e.tsv"]);
    assert!(failed(&embed).contains("train, attribute, evaluate and fit share their work among ranks"));
    let nowhere = on(2, dir.path(), &["train", "no.gex", "-o", "m.safetensors"]);
    assert!(failed(&nowhere).contains("no.gex"));
    fs::write(dir.path().join("there.safetensors"), "").unwrap();
    let there = on(2, dir.path(), &["train", "x.gex", "-o", "there.safetensors"]);
    assert!(failed(&there).contains("already exists"));
}

/// Ranks share targets, or networks of targets, and choose by sums over all of them: penalty, width, mixture, neighbors.
#[test]
fn a_fit_is_shared_by_its_targets() {
    let dir = example();
    let dir = dir.path();
    let ids: Vec<String> =
        table(&dir.join("x.gex/genes.tsv")).into_iter().map(|mut row| row.swap_remove(0)).collect();
    let list = |name: &str, genes: &[String]| {
        fs::write(dir.join(name), format!("gene_id\n{}\n", genes.join("\n"))).unwrap();
    };
    list("landmarks.tsv", &ids[..40]);
    list("targets.tsv", &ids[60..361]);
    list("two.tsv", &ids[50..52]);
    let fit = |ranks: usize, name: &str, options: &str| {
        let arguments = format!("fit x.gex --landmarks landmarks.tsv -o {name} {options}");
        done(ranks, dir, &arguments.split(' ').collect::<Vec<_>>())
    };
    for (name, options) in [
        ("linear", "--method linear --targets targets.tsv"),
        ("few", "--method linear --targets two.tsv --penalty 3 --held-out 2"),
        ("kernel", "--method kernel --targets targets.tsv --held-out 2"),
        ("centres", "--method kernel --centres 60 --targets targets.tsv --held-out 0"),
        ("knn", "--method knn --targets targets.tsv"),
        (
            "mlp",
            "--method mlp --hidden 8 --epochs 2 --target-slices 4 --targets targets.tsv --history h.tsv --force",
        ),
    ] {
        let alone = fit(1, &format!("{name}-1"), options);
        for ranks in [2, 3].into_iter().filter(|ranks| name != "few" || *ranks == 2) {
            let several = format!("{name}-{ranks}");
            let said = fit(ranks, &several, options);
            assert_eq!(said.replace(&several, &format!("{name}-1")), alone, "{name} on {ranks} ranks");
            let bytes = |name: &str| fs::read(dir.join(name)).unwrap();
            assert!(bytes(&several) == bytes(&format!("{name}-1")), "{name} on {ranks} ranks");
        }
    }
    for (ranks, options, message) in [
        (3, "--method linear --targets two.tsv", "3 ranks cannot share 2 targets; start fewer"),
        (2, "--method best", "ranks do not share a choice among methods; name one"),
        (2, "--method mlp", "give --target-slices 2 or more"),
    ] {
        let arguments = format!("fit x.gex --landmarks landmarks.tsv -o refused {options}");
        let said = failed(&on(ranks, dir, &arguments.split(' ').collect::<Vec<_>>()));
        assert!(said.contains(message), "{said}");
        assert!(!dir.join("refused").exists());
    }
}

/// Two ranks, each with a program, a folder and arguments of its own.
fn unlike(ranks: [(&str, &Path, &[&str]); 2]) -> Output {
    let mut command = mpirun(ranks[0].1);
    for (i, (program, dir, arguments)) in ranks.into_iter().enumerate() {
        if i > 0 {
            command.arg(":");
        }
        command.args(["-n", "1", "--wdir"]).arg(dir).arg(program).args(arguments).args(["--threads", "1"]);
    }
    ended(command)
}

#[test]
fn ranks_that_differ_are_refused() {
    let (dir, other) = (example(), tempfile::tempdir().unwrap());
    let train = ["train", "x.gex", "-o", "m.safetensors", "--epochs", "2"];
    let longer = ["train", "x.gex", "-o", "m.safetensors", "--epochs", "3"];
    let message = failed(&unlike([(GENELIFT, dir.path(), &train), (GENELIFT, dir.path(), &longer)]));
    assert!(
        message.contains("rank 1 does not do what rank 0 does: argument 6 is 3 there and 2 on rank 0"),
        "{message}"
    );
    // a program of other bytes that does the same
    let build = dir.path().join("genelift");
    let mut bytes = fs::read(GENELIFT).unwrap();
    bytes.push(0);
    fs::write(&build, bytes).unwrap();
    fs::set_permissions(&build, fs::metadata(GENELIFT).unwrap().permissions()).unwrap();
    let build = build.to_str().unwrap();
    let message = failed(&unlike([(GENELIFT, dir.path(), &train), (build, dir.path(), &train)]));
    assert!(message.contains("rank 1 does not do what rank 0 does: the build is 0."), "{message}");
    assert!(message.contains("install the same genelift on every host"), "{message}");
    // a host whose file system lacks the store, and one that has another of its name
    let message = failed(&unlike([(GENELIFT, dir.path(), &train), (GENELIFT, other.path(), &train)]));
    assert!(message.starts_with("error: rank 1 of 2: x.gex"), "{message}");
    let store = other.path().join("x.gex");
    let simulate = Command::new(GENELIFT)
        .args(["simulate", "--samples", "769", "--genes", "2000", "-q", "-o"])
        .arg(&store)
        .status()
        .unwrap();
    assert!(simulate.success());
    let message = failed(&unlike([(GENELIFT, dir.path(), &train), (GENELIFT, other.path(), &train)]));
    assert!(message.contains("the checksum of the training data is"), "{message}");
    // rows that are not there
    fs::remove_dir_all(&store).unwrap();
    copy(&dir.path().join("x.gex"), &store);
    let matrix = fs::OpenOptions::new().write(true).open(store.join("matrix.npy")).unwrap();
    matrix.set_len(1 << 20).unwrap();
    let message = failed(&unlike([(GENELIFT, dir.path(), &train), (GENELIFT, other.path(), &train)]));
    assert!(message.starts_with("error: rank 1 of 2: x.gex"), "{message}");
    assert!(!dir.path().join("m.safetensors").exists());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A training of two ranks that would take hours, of which the second gets a signal once there is a checkpoint.
fn harmed(dir: &Path, signal: &str, timeout: &str) -> Output {
    harmed_in(
        dir,
        "train x.gex -o m.safetensors --epochs 100000 --checkpoint-every 3600 --seed 5",
        signal,
        timeout,
    )
}

fn harmed_in(dir: &Path, arguments: &str, signal: &str, timeout: &str) -> Output {
    let script = format!(
        "[ \"${{OMPI_COMM_WORLD_RANK:-$PMI_RANK}}\" = 0 ] || (while [ ! -e m.safetensors.checkpoint ]; do sleep 0.05; done; kill -{signal} $$) & \
         exec {GENELIFT} {arguments} --threads 1 --device cpu"
    );
    let mut command = mpirun(dir);
    command.env("GENELIFT_RANKS_TIMEOUT", timeout).args(["-n", "2", "sh", "-c", &script]);
    ended(command)
}

#[test]
fn a_rank_that_is_killed_ends_the_others() {
    let dir = example();
    let output = harmed(dir.path(), "KILL", "600");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("signal 9"), "MPI's launcher says so: {said}");
    let checkpoint: PathBuf = dir.path().join("m.safetensors.checkpoint");
    assert!(checkpoint.exists() && !dir.path().join("m.safetensors").exists());
}

#[test]
fn a_rank_that_is_stuck_ends_the_others_after_a_time() {
    let dir = example();
    let output = harmed(dir.path(), "STOP", "4");
    let message = failed(&output);
    assert!(message.contains("waited 4 s for the other ranks in vain"), "{message}");
}

#[test]
fn a_signal_ends_all_ranks_with_a_checkpoint() {
    let dir = example();
    let output = harmed(dir.path(), "TERM", "600");
    let message = failed(&output);
    assert!(message.contains("interrupted by a signal to another rank"), "{message}");
    assert!(message.contains("the same command goes on from m.safetensors.checkpoint"), "{message}");
}

#[test]
fn a_checkpoint_goes_on_with_another_number_of_ranks() {
    let dir = example();
    let dir = dir.path();
    let words = "train x.gex -o m.safetensors --hidden 60,20,60 --epochs 80 --batch 32 --seed 5 --validation 0.1 --history h.tsv";
    let arguments: Vec<&str> = words.split(' ').collect();
    let whole = dir.join("whole");
    fs::create_dir(&whole).unwrap();
    copy(&dir.join("x.gex"), &whole.join("x.gex"));
    done(2, &whole, &arguments);
    let message = failed(&harmed_in(dir, words, "TERM", "600"));
    assert!(message.contains("the same command goes on from m.safetensors.checkpoint"), "{message}");
    let expected = table(&whole.join("h.tsv"));
    for ranks in [1, 4] {
        let again = dir.join(format!("on-{ranks}"));
        fs::create_dir(&again).unwrap();
        copy(&dir.join("x.gex"), &again.join("x.gex"));
        let checkpoint = dir.join("m.safetensors.checkpoint");
        match checkpoint.is_dir() {
            true => copy(&checkpoint, &again.join("m.safetensors.checkpoint")),
            false => drop(fs::copy(&checkpoint, again.join("m.safetensors.checkpoint")).unwrap()),
        }
        let _ = fs::copy(dir.join("h.tsv"), again.join("h.tsv"));
        done(ranks, &again, &arguments);
        let found = table(&again.join("h.tsv"));
        assert_eq!(found.len(), 80);
        for (a, b) in found.iter().zip(&expected) {
            for (a, b) in a[1..6].iter().zip(&b[1..6]).filter(|(a, b)| a != b) {
                let [a, b] = [a, b].map(|text| text.parse::<f64>().expect("a figure"));
                // sums in another order from the checkpoint on, over some 1,700 steps, drift apart; small terms count as a hundredth
                assert!((a - b).abs() <= 1e-2 * b.abs().max(1e-2), "{ranks} ranks: {a}, not {b}");
            }
        }
    }
}

/// Slurm's job: it ends at its limit with a checkpoint, asks to be queued again, and the same job goes on.
#[test]
fn the_job_script_goes_on_after_its_limit() {
    let dir = example();
    let dir = dir.path();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/slurm/train.sh");
    let program = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::metadata(GENELIFT).unwrap().permissions()).unwrap();
    };
    program("scontrol", "echo \"$@\" >queued");
    // stands for the limit, which Slurm tells to the ranks alone
    program(
        "limited",
        "[ \"${OMPI_COMM_WORLD_RANK:-$PMI_RANK}\" = 0 ] || \
         (while [ ! -e m.safetensors.checkpoint ]; do sleep 0.05; done; kill -TERM $$) &\nexec \"$@\"",
    );
    let launcher = mpirun(dir);
    let words = [launcher.get_program()].into_iter().chain(launcher.get_args());
    let launch: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let path = format!(
        "{}:{}:{}",
        dir.display(),
        Path::new(GENELIFT).parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let job = |limited: &str| {
        let mut command = Command::new("bash");
        command.arg(&script).args([
            "x.gex",
            "m.safetensors",
            "--hidden",
            "60,20,60",
            "--epochs",
            "80",
            "--batch",
            "32",
        ]);
        command.args(["--threads", "1", "--device", "cpu"]).current_dir(dir).env("PATH", &path);
        command.env("SLURM_JOB_ID", "17").env("LAUNCH", format!("{} -n 2 {limited}", launch.join(" ")));
        command.envs(launcher.get_envs().filter_map(|(name, value)| Some((name, value?))));
        ended(command)
    };
    let first = job("limited");
    assert_eq!(first.status.code(), Some(143), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(fs::read_to_string(dir.join("queued")).unwrap(), "requeue 17\n");
    assert!(!dir.join("m.safetensors").exists());
    fs::remove_file(dir.join("queued")).unwrap();
    let second = job("");
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(dir.join("m.safetensors").exists() && !dir.join("queued").exists());
    assert_eq!(table(&dir.join("m.safetensors.history.tsv")).len(), 80);
}
