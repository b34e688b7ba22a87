//! Penalties that are adapted to samples of another platform, by the commands.

use std::path::Path;
use std::process::Command;

use genelift::store::Store;

use crate::Data;

/// The row of a table that has this field.
fn row(path: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = text.lines().map(|line| line.split('\t').map(str::to_string).collect::<Vec<_>>());
    rows.find(|row| row.iter().any(|field| field == name)).unwrap_or_else(|| panic!("{name} in {text}"))
}

fn value(store: &Store, sample: usize, gene: usize) -> f32 {
    let mut value = [0.0];
    store.read_genes(sample, &[gene], &mut value);
    value[0]
}

#[test]
fn fits_and_comparisons_adapt_to_the_landmarks_of_other_samples() {
    let data = Data::new(120, 47, 3);
    let dir = data.dir.path();
    let genelift = |arguments: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
        let output = command.current_dir(dir).args(arguments.split(' ')).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let ids = &data.store.genes().ids;
    let landmarks: Vec<&str> = data.landmarks.iter().map(|gene| ids[*gene].as_str()).collect();
    std::fs::write(dir.join("landmarks.tsv"), format!("gene_id\n{}\n", landmarks.join("\n"))).unwrap();
    let targets: Vec<usize> = (0..ids.len()).filter(|gene| !data.landmarks.contains(gene)).take(10).collect();
    let names: Vec<&str> = targets.iter().map(|gene| ids[*gene].as_str()).collect();
    std::fs::write(dir.join("targets.tsv"), format!("gene_id\n{}\n", names.join("\n"))).unwrap();
    // of every other sample the landmarks as those of another, so that they say little of one another
    let file = |name: &str, other: &dyn Fn(usize, usize) -> usize, without: &str| {
        let mut csv = format!("sample_id,{}\n", ids.join(","));
        let (mut values, mut borrowed) = (vec![0.0; ids.len()], vec![0.0; ids.len()]);
        for sample in 0..60 {
            data.store.read_row(2 * sample, &mut values);
            for gene in &data.landmarks {
                data.store.read_row(other(sample, *gene), &mut borrowed);
                values[*gene] = borrowed[*gene];
            }
            let text: Vec<String> = values.iter().map(f32::to_string).collect();
            csv += &format!("new_{sample},{}\n", text.join(","));
        }
        std::fs::write(dir.join("x.csv"), csv.replace(without, "another")).unwrap();
        let (code, _, error) = genelift(&format!("import x.csv -o {name} --orientation samples-by-genes"));
        assert_eq!(code, Some(0), "{error}");
    };
    file(
        "noisy.gex",
        &|sample, gene| if sample % 4 == 0 { 2 * sample } else { (2 * sample + 7 * gene) % 120 },
        "nothing",
    );
    file("lacking.gex", &|sample, _| 2 * sample, landmarks[2]);

    let store = data.store.path().display().to_string();
    let fit = format!(
        "fit {store} --landmarks landmarks.tsv --targets targets.tsv --device cpu --method linear --held-out 0 -o"
    );
    let (code, out, error) = genelift(&format!("{fit} a.safetensors --adapt-to noisy.gex"));
    assert!(code == Some(0) && error.contains("the penalty will be "), "{error}");
    let number = |out: &str, name: &str| -> f64 {
        let line =
            out.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {out}"));
        line.split('\t').nth(1).unwrap().parse().unwrap()
    };
    let factor = number(&out, "adapted-factor\t");
    let (_, plain, _) = genelift(&format!("{fit} p.safetensors"));
    assert!(factor > 1.5, "{factor}");
    assert!(
        (number(&out, "penalty\t") / number(&plain, "penalty\t") / factor - 1.0).abs() < 1e-6,
        "{out}{plain}"
    );
    assert!(!plain.contains("adapted"), "{plain}");
    let (code, told, _) = genelift("info a.safetensors");
    assert!(code == Some(0) && told.contains("adapted"), "{told}");

    // a landmark that is not there is named, and the others tell
    let (code, _, error) = genelift(&format!("{fit} l.safetensors --adapt-to lacking.gex"));
    assert!(
        code == Some(0)
            && error.contains(&format!(
                "1 of 16 landmarks are not among its genes and say nothing of the penalty: {}",
                landmarks[2]
            )),
        "{error}"
    );

    for (options, told) in [
        ("--adapt-to noisy.gex --penalty 3", "leave out --penalty"),
        ("--adapt-to nothing.gex", "nothing.gex: is not a store"),
        ("--adapt-to x.csv", "is a file, not a store"),
    ] {
        let (code, _, error) = genelift(&format!("{fit} r.safetensors {options}"));
        assert!(
            code != Some(0)
                && error.contains(told)
                && error.lines().filter(|l| l.starts_with("error")).count() == 1,
            "{error}"
        );
        assert!(!dir.join("r.safetensors").exists());
    }
    let knn = fit.replace("linear", "knn");
    let (code, _, error) = genelift(&format!("{knn} r.safetensors --adapt-to noisy.gex"));
    assert!(code == Some(2) && error.contains("--adapt-to is not an option of --method knn"), "{error}");

    // a comparison's figures are those of the adapted predictor
    let compare = format!(
        "compare --train {store} --test noisy.gex --landmarks ours=landmarks.tsv --targets targets.tsv --random-draws 0 --resamples 20 --device cpu -o"
    );
    let noisy = Store::open(&dir.join("noisy.gex")).unwrap();
    let all = data.store.n_samples();
    let variance = |gene: usize| {
        let values: Vec<f64> = (0..all).map(|s| f64::from(value(&data.store, s, gene))).collect();
        let mean = values.iter().sum::<f64>() / all as f64;
        values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all as f64
    };
    let mut errors = Vec::new();
    for (options, predictor) in [("", "p"), (" --adapt", "a")] {
        let (code, _, error) = genelift(&format!("{compare} c-{predictor} --method linear{options}"));
        assert_eq!(code, Some(0), "{error}");
        let predict =
            format!("predict {predictor}.safetensors noisy.gex -o {predictor}.gex --replace --device cpu");
        let (code, _, error) = genelift(&predict);
        assert_eq!(code, Some(0), "{error}");
        let inferred = Store::open(&dir.join(format!("{predictor}.gex"))).unwrap();
        let squared = |gene: usize| {
            let of = |s: usize| f64::from(value(&noisy, s, gene) - value(&inferred, s, gene)).powi(2);
            (0..60).map(of).sum::<f64>() / 60.0 / variance(gene)
        };
        let told = std::fs::read_to_string(dir.join(format!("c-{predictor}/genes.tsv"))).unwrap();
        let rows = told.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let ours: Vec<Vec<&str>> = rows.filter(|row| row[0] == "ours").collect();
        assert_eq!(ours.len(), 10, "{told}");
        for row in ours {
            let gene = ids.iter().position(|id| id == row[2]).unwrap();
            let (found, expected): (f64, f64) = (row[7].parse().unwrap(), squared(gene));
            assert!((found - expected).abs() < 1e-5 * expected, "{predictor}: {row:?}, {expected}");
        }
        let found: f64 = row(&dir.join(format!("c-{predictor}/summary.tsv")), "ours")[6].parse().unwrap();
        let told = std::fs::read_to_string(dir.join(format!("c-{predictor}/compare.json"))).unwrap();
        assert!(told.contains(&format!("\"adapted-to-test-landmarks\": {}", !options.is_empty())), "{told}");
        errors.push(found);
    }
    assert!(errors[1] < errors[0], "{errors:?}");
    for (options, told) in [
        ("--method knn --adapt", "--adapt is not an option of --method knn"),
        ("--adapt --penalty 3", "leave out --penalty"),
        ("--adapt-to noisy.gex", "--adapt-to is an option of `fit`"),
    ] {
        let (code, _, error) = genelift(&format!("{compare} r {options}"));
        assert!(code == Some(2) && error.contains(told), "{error}");
    }
    let (_, help, _) = genelift("compare --help");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("a comparison has --adapt"), "{help}");
    let few = compare.replace("--resamples 20", "--resamples 9");
    let (code, _, error) = genelift(&format!("{few} r --method linear"));
    assert!(
        code == Some(2) && error.contains("--resamples 9: an interval of 95 % needs at least 10"),
        "{error}"
    );
}
