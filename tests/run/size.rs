//! How many landmarks: found out by folds, and the curve of the error against their number.

use super::*;

/// Without the network, at most 20 genes that are to reach an error of 0.9.
const UNTIL: [&str; 6] = ["--set", "train=false", "--set", "select.n=20", "--set", "select.until=nmse 0.9"];

fn rows(folder: &Folder, name: &str) -> usize {
    folder.read(name).iter().filter(|b| **b == b'\n').count() - 1
}

fn about(folder: &Folder, list: &str) -> Value {
    let description: Value = serde_json::from_slice(&folder.read(&format!("{list}.json"))).unwrap();
    description["about"]["until"].clone()
}

#[test]
fn as_few_landmarks_as_reach_a_figure_are_as_many_everywhere() {
    let folder = Folder::new();
    let more =
        ["--set", "lists.css.strategy=css", "--set", "stability.repeats=2", "--set", "compare.size=[2]"];
    let run = [&["run", "c.toml"], &UNTIL[..], &more].concat();
    let (summary, _) = folder.succeed(&run);
    let n = rows(&folder, "out/landmarks.tsv");
    assert!(n > 2 && n < 20, "{n}");
    assert!(summary.contains("the fewest that reach nmse 0.9: ") && summary.contains(&format!(" at {n}, ")));
    assert!(
        summary.contains("(5 folds of 63 samples)") && summary.contains(&format!(" at {n}; ")),
        "{summary}"
    );
    for list in ["lists/css", "lists/consensus", "repeats/1/landmarks", "repeats/2/landmarks"] {
        assert_eq!(rows(&folder, &format!("out/{list}.tsv")), n, "{list}");
    }
    assert!(folder.path(&format!("out/comparison/{n}/summary.tsv")).exists());
    let found = about(&folder, "out/landmarks.tsv");
    assert_eq!((&found["goal"], &found["landmarks"]), (&"nmse 0.9".into(), &n.into()));
    let curve = found["curve"].as_array().unwrap();
    let at = |n: usize| curve.iter().find(|tried| tried["landmarks"] == n).map(|tried| &tried["value"]);
    assert!(at(n).unwrap().as_f64() <= Some(0.9) && at(n - 1).unwrap().as_f64() > Some(0.9), "{found}");
    assert!(curve.iter().all(|tried| tried["standard-error"].as_f64() > Some(0.0)));
    // the same again, and the same by hand
    let kept = folder.stages(&run[2..]);
    assert!(kept.iter().all(|(_, why)| why == "kept"), "{kept:?}");
    let store = ["--store", "out/ready/train.gex", "-n", "20", "--until", "nmse 0.9", "--seed", "4"];
    let (said, _) = folder.succeed(&[&["select"], &store[..], &["-o", "hand.tsv"]].concat());
    assert!(said.contains(&format!("genes\t{n}\n")) && said.contains(&format!("at {n}\t0.")), "{said}");
    assert_eq!(folder.read("hand.tsv"), folder.read("out/landmarks.tsv"));

    // samples are held out as the run splits them, here four studies of which no number of genes says much
    let grouped = [&run[..], &["--set", "split.group-by=study"]].concat();
    assert!(folder.fail(1, &grouped).contains("no number of landmarks up to 20 reaches nmse 0.9"));
    let select =
        folder.record()["stages"].as_array().unwrap().iter().find(|s| s["name"] == "select").cloned();
    assert_eq!(select.unwrap()["settings"]["options"]["group-by"], "study");
}

#[test]
fn what_no_number_reaches_and_what_says_nothing_is_refused() {
    let folder = Folder::new();
    folder.succeed(&["import", "m.tsv", "--labels", "m.samples.tsv", "-o", "m.gex"]);
    let select = |code: i32, more: &[&str]| {
        folder.fail(code, &[&["select", "--store", "m.gex", "-o", "no.tsv"], more].concat())
    };
    let message = select(1, &["--until", "r2 0.99", "-n", "9"]);
    assert!(
        message.contains("no number of landmarks up to 9 reaches r2 0.99 in samples held out"),
        "{message}"
    );
    assert!(message.contains("; the best is ") && message.contains(" at 9"), "{message}");
    assert!(!folder.path("no.tsv").exists() && !folder.path("no.tsv.json").exists());
    for (more, why) in [
        (&["--until", "r2 0.5", "-n", "9", "--group-by", "town"][..], "no sample column \"town\""),
        (&["--until", "r2 2"], "is not between 0 and 1"),
        (&["--until", "r2 0.5 x"], "expected a figure and its level"),
        (&["--until", "r2 0.5", "--folds", "1"], "--folds must be at least 2"),
        (&["-n", "5", "--group-by", "study"], "--group-by says how --until"),
        (&["-n", "5", "--method", "kernel"], "--method says how --until"),
        (&["--until", "r2 0.5", "-n", "0"], "-n must be at least 1"),
        (&["--until", "r2 0.5", "--target", "blend:0.5"], "takes knows all of them"),
        (&[], "-n <N>"),
    ] {
        let message = select(2, more);
        assert!(message.contains(why), "{more:?}: {message}");
    }
    for (change, why) in [
        ("select.until=pcc 0.5", "table [select]: key \"until\": there is no figure \"pcc\""),
        ("lists.x.until=r2 0.5", "[lists.x]: until belongs to [select]"),
        ("select.strategy=top", "knows all of them"),
        ("preset=paper", "knows all of them"),
    ] {
        let output = folder.call(&["run", "c.toml", "--set", "select.until=r2 0.5", "--set", change]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && message.contains(why), "{change}: {message}");
    }
}

/// Genes of L1000 among others: the summary has the curve, beyond which N nothing is gained, and how many genes equal random ones and
/// the whole panel.
#[test]
fn the_error_against_the_number_of_landmarks_is_told() {
    let folder = Folder::new();
    let panel =
        include_str!("../../src/genes/panels/l1000.tsv").lines().filter(|line| !line.starts_with('#'));
    let known: Vec<&str> = panel.skip(1).filter_map(|line| line.split('\t').nth(1)).take(30).collect();
    let name = |i: usize| match known.get(i / 2).filter(|_| i.is_multiple_of(2)) {
        Some(probe) => probe.to_string(),
        None => format!("{}_at", 900_000 + i),
    };
    let table = String::from_utf8(folder.read("m.tsv")).unwrap();
    let (_, values) = table.split_once('\n').unwrap();
    let names: Vec<String> = (0..60).map(name).collect();
    folder.write("m.tsv", &format!("sample_id\t{}\n{values}", names.join("\t")));
    let sizes = ["--set", "train=false", "--set", "select.n=12", "--set", "compare.size=[2,6]"];
    let (summary, _) = folder.succeed(&[&["run", "c.toml"], &sizes[..]].concat());
    // beside as many genes of L1000 first, and all of them as what they are
    let verdict = summary.split_once("\nVerdict ").unwrap_or_else(|| panic!("{summary}")).1;
    let [as_many, all] = ["12 L1000 genes", "all 30 L1000 genes of the data"].map(|said| verdict.find(said));
    assert!(as_many.is_some() && as_many < all, "{summary}");
    assert!(summary.lines().any(|line| line.trim().starts_with("l1000 ") && line.ends_with(" (30 genes)")));
    let sizes = summary.split_once("\nSizes ").unwrap_or_else(|| panic!("{summary}")).1;
    let line =
        |start: &str| sizes.lines().find(|line| line.trim().starts_with(start)).unwrap_or_default().trim();
    let own = line("diverse: ");
    assert!([" at 2, ", " at 6, ", " at 12"].iter().all(|at| own.contains(at)), "{sizes}");
    assert_eq!(own.matches(" to ").count(), 3, "an interval each: {sizes}");
    assert!(own.contains("the gain is within the interval") || own.contains("still gains"), "{sizes}");
    assert!(line("random: ").contains(" at 12"), "{sizes}");
    assert!(line("l1000: ").contains(" at 30"), "the whole panel: {sizes}");
    let equals = line("diverse equals ");
    for other in ["2 of random: ", "6 of random: ", "12 of random: ", "12 of l1000: ", "30 of l1000: "] {
        assert!(equals.contains(other), "{other}: {sizes}");
    }

    // other sizes, or one, take the place of these as a whole
    let again = |sizes: &str| {
        folder.succeed(&["run", "c.toml", "--set", "train=false", "--set", "select.n=12", "--set", sizes]);
        ["2", "3", "curve.tsv", "tests.tsv"].map(|name| folder.path("out/comparison").join(name).exists())
    };
    assert_eq!(again("compare.size=[3]"), [false, true, true, false]);
    assert_eq!(again("compare.size=[]"), [false, false, false, true]);
    assert_eq!(again("compare.size=[2]"), [true, false, true, false]);
}
