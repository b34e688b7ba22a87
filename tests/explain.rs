//! What `explain` tells of genes, landmarks and neurons, against the same said the long way round.

mod common;

use std::path::Path;

use common::{example_store, genelift};
use genelift::attribution::{AttributeSettings, attribute};
use genelift::device::Executor;
use genelift::device::cpu::CpuExecutor;
use genelift::explain::Neurons;
use genelift::genes::{Finder, Matching};
use genelift::infer::{
    FitSettings, KernelSettings, LinearSettings, Method, MissingLandmarks, Places, Predictor, Problem,
};
use genelift::nn::settings::TrainSettings;
use genelift::nn::train::{Training, train};
use genelift::progress::silent;
use genelift::store::Store;

const SAMPLES: usize = 60;
const GENES: usize = 40;
const LANDMARKS: [usize; 6] = [3, 9, 14, 20, 27, 33];

fn executor() -> CpuExecutor {
    CpuExecutor::open(Some(2)).unwrap()
}

fn targets() -> Vec<usize> {
    (0..GENES).filter(|gene| !LANDMARKS.contains(gene)).collect()
}

fn fitted(store: &Store, method: Method, landmarks: &[usize]) -> Predictor {
    let samples: Vec<usize> = (0..SAMPLES).collect();
    let linear = LinearSettings { penalty: Some(2.0), ..LinearSettings::default() };
    let kernel = KernelSettings {
        gamma: Some(0.5),
        mixture: Some(0.5),
        penalty: Some(0.1),
        ..KernelSettings::default()
    };
    let settings = FitSettings { method, linear, kernel, ..FitSettings::default() };
    Predictor::fit(&mut executor(), store, &samples, landmarks, &targets(), &settings, &silent).unwrap()
}

fn places(predictor: &Predictor, store: &Store) -> Places {
    let matching = Matching::default();
    let finder = Finder::new(&matching, false, &silent).unwrap();
    predictor.places(store, MissingLandmarks::Refuse, &finder, &silent).unwrap()
}

/// R² of every target from whole predictions, as one would write it down.
fn r2(predictor: &Predictor, store: &Store, landmarks: &[Option<usize>]) -> Vec<f64> {
    let (mut inferred, targets) = (Vec::new(), targets());
    predictor
        .predict(&mut executor(), store, landmarks, &silent, &mut |_, rows| {
            inferred.extend_from_slice(rows);
            Ok(())
        })
        .unwrap();
    let mut row = vec![0.0; GENES];
    let of = |t: usize, row: &mut Vec<f32>| {
        let pairs: Vec<[f64; 2]> = (0..SAMPLES)
            .map(|sample| {
                store.read_row(sample, row);
                [row[targets[t]], inferred[sample * targets.len() + t]].map(f64::from)
            })
            .collect();
        let mean = pairs.iter().map(|[y, _]| y).sum::<f64>() / SAMPLES as f64;
        let left: f64 = pairs.iter().map(|[y, p]| (y - p).powi(2)).sum();
        1.0 - left / pairs.iter().map(|[y, _]| (y - mean).powi(2)).sum::<f64>()
    };
    (0..targets.len()).map(|t| of(t, &mut row)).collect()
}

fn close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn what_is_lost_with_a_landmark_is_what_a_fit_without_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let samples: Vec<usize> = (0..SAMPLES).collect();
    for method in [Method::Linear, Method::Kernel] {
        let predictor = fitted(&store, method, &LANDMARKS);
        let places = places(&predictor, &store);
        let found = predictor.without_one(&mut executor(), (&store, &samples), &places, 2).unwrap();
        assert!(found.refitted);
        close(&found.all, &r2(&predictor, &store, &places.landmarks));
        let fewer: Vec<usize> = LANDMARKS.iter().copied().filter(|gene| *gene != LANDMARKS[2]).collect();
        if method == Method::Linear {
            let fresh = fitted(&store, method, &fewer);
            let there: Vec<Option<usize>> = fewer.iter().map(|gene| Some(*gene)).collect();
            close(&found.without, &r2(&fresh, &store, &there));
        }
        assert!(found.all.iter().zip(&found.without).any(|(all, without)| all - without > 0.01));
    }
}

#[test]
fn carriers_are_the_landmarks_without_whose_values_a_target_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let samples: Vec<usize> = (0..SAMPLES).collect();
    let predictor = fitted(&store, Method::Linear, &LANDMARKS);
    let places = places(&predictor, &store);
    let target = 11;
    let lost = predictor.carriers(&mut executor(), (&store, &samples), &places, target).unwrap();
    let all = r2(&predictor, &store, &places.landmarks)[target];
    let expected: Vec<f64> = (0..LANDMARKS.len())
        .map(|landmark| {
            let mut fewer = places.landmarks.clone();
            fewer[landmark] = None;
            all - r2(&predictor, &store, &fewer)[target]
        })
        .collect();
    close(&lost, &expected);
}

/// A network a part of whose targets is asked for: each of its slices, in any of them.
#[test]
fn a_predictor_of_some_targets_infers_them_alike() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let samples: Vec<usize> = (0..SAMPLES).collect();
    let mut settings = FitSettings { method: Method::Mlp, ..FitSettings::default() };
    (settings.mlp.hidden, settings.mlp.epochs, settings.mlp.target_slices) = (vec![5], 2, 3);
    let all = targets();
    let predictor =
        Predictor::fit(&mut executor(), &store, &samples, &LANDMARKS, &all, &settings, &silent).unwrap();
    let some = [0, 12, 13, 33];
    let few = predictor.of_targets(&some);
    let rows = |predictor: &Predictor| {
        let mut rows = Vec::new();
        let places: Vec<Option<usize>> = LANDMARKS.iter().map(|gene| Some(*gene)).collect();
        let keep = &mut |_: usize, found: &[f32]| {
            rows.extend_from_slice(found);
            Ok(())
        };
        predictor.predict(&mut executor(), &store, &places, &silent, keep).unwrap();
        rows
    };
    let (whole, part) = (rows(&predictor), rows(&few));
    for sample in 0..SAMPLES {
        for (i, target) in some.iter().enumerate() {
            let (a, b) = (whole[sample * all.len() + target], part[sample * some.len() + i]);
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
    assert!(!predictor.can_refit());
    let mut ridge = fitted(&store, Method::Linear, &LANDMARKS);
    let (linear, executor) =
        (LinearSettings { penalty: Some(2.0), ..LinearSettings::default() }, &mut executor());
    let settings = FitSettings { method: Method::Linear, linear, ..FitSettings::default() };
    let problem = Problem::new(&store, &samples, &LANDMARKS, &all);
    ridge.hold_out(executor, &problem, (&settings, 5), &silent).unwrap();
    let few = ridge.of_targets(&some);
    let (held, own) = (ridge.held_out().unwrap(), few.held_out().unwrap());
    let expected = |values: &[f32]| some.map(|target| values[target]).to_vec();
    assert_eq!(
        (own.r2.clone(), own.half_widths(0.9).unwrap().to_vec()),
        (expected(&held.r2), expected(held.half_widths(0.9).unwrap()))
    );
    assert!(few.can_refit(), "what it is refitted by is of the landmarks alone");
    let places = places(&predictor, &store);
    let found = predictor.without_one(executor, (&store, &samples), &places, 0).unwrap();
    assert!(!found.refitted, "a network is not refitted: the mean takes the landmark's place");
}

#[test]
fn contributions_by_neuron_are_those_of_the_attribution() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let settings = TrainSettings { hidden: vec![8, 3, 8], epochs: 2, ..TrainSettings::standard() };
    let mut device = executor();
    let model = train(&mut device, &Training::of(&store, settings), &silent).unwrap().model;
    device.reset();
    let settings = AttributeSettings::standard();
    let whole = attribute(&mut device, &model, &store, &settings, true, &silent).unwrap();
    let neurons = Neurons::of(&mut device, &model, &store, &settings, &silent).unwrap();
    let per_node = whole.per_node.unwrap();
    for neuron in 0..3 {
        assert_eq!(neurons.row(neuron), &per_node[neuron * GENES..(neuron + 1) * GENES]);
        let shares: f32 = neurons.of_neuron(neuron, GENES).iter().map(|m| m.share).sum();
        assert!((shares - 1.0).abs() < 1e-4);
    }
    let of_gene: f32 = neurons.of_gene(7).iter().map(|m| m.contribution).sum();
    assert!((f64::from(of_gene) / 3.0 - whole.scores[7]).abs() < 1e-6);
}

fn table(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split('\t').map(String::from).collect()).collect()
}

#[test]
fn the_command_tells_of_genes_neurons_and_lists() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (data, id) = (store.path().display().to_string(), |gene: usize| store.genes().ids[gene].clone());
    let said = |arguments: &[&str]| genelift(&[&["explain", "-q"], arguments].concat());
    let done = |arguments: &[&str]| {
        let (code, _, error) = genelift(arguments);
        assert_eq!(code, Some(0), "{error}");
    };
    done(&["train", &data, "-o", &at("m.safetensors"), "--hidden", "6,3,6", "--epochs", "2"]);
    done(&["select", "--store", &data, "-n", "5", "-o", &at("l.tsv")]);
    done(&["fit", &data, "--landmarks", &at("l.tsv"), "-o", &at("p.safetensors"), "--method", "linear"]);
    let known = [
        "--store",
        &data,
        "--landmarks",
        &at("l.tsv"),
        "--predictor",
        &at("p.safetensors"),
        "--model",
        &at("m.safetensors"),
    ]
    .map(String::from);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let list = table(&dir.path().join("l.tsv"));
    let (first, all) = (list[1][1].clone(), store.genes().ids.clone());
    let target = all.iter().find(|id| list.iter().all(|row| row[1] != **id)).unwrap().clone();

    let (code, out, error) =
        said(&[&[&first[..], &target, "neuron:2", "-o", &at("e"), "--most", "3"], &known[..]].concat());
    assert_eq!(code, Some(0), "{error}");
    let names: Vec<&str> = out.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
    assert_eq!(names.len(), 3, "in the order that was asked: {out}");
    assert_eq!(names[2], "neuron 2");
    for by in ["landmark 1 of 5", "none of the 5 landmarks", "stand-ins", "is carried by", "is moved by"] {
        assert!(out.contains(by), "{by}: {out}");
    }
    let rows = |file: &str| table(&dir.path().join("e").join(file)).len() - 1;
    assert_eq!([rows("served.tsv"), rows("stand_ins.tsv"), rows("carriers.tsv")], [GENES - 5, 3, 5]);
    let (code, out, error) = genelift(&["verify", &at("e")]);
    assert_eq!(code, Some(0), "{out}{error}");

    let (code, out, error) = said(&[&[&at("l.tsv")[..], "-o", &at("f")], &known[..]].concat());
    assert_eq!(code, Some(0), "{error}");
    assert!(out.starts_with("5 landmarks\n"), "{out}");
    let landmarks = table(&dir.path().join("f/landmarks.tsv"));
    assert_eq!(landmarks.len(), 6);
    assert!(landmarks[1..].iter().all(|row| row.iter().skip(3).all(|field| field != "NA")), "{landmarks:?}");

    // genes that the selection was told to leave out stand in for nothing
    let stand_in = table(&dir.path().join("e/stand_ins.tsv"))[1][2].clone();
    std::fs::write(at("out.txt"), format!("{stand_in}\n")).unwrap();
    done(&["select", "--store", &data, "-n", "5", "-o", &at("x.tsv"), "--exclude", &at("out.txt")]);
    assert_eq!(table(&dir.path().join("x.tsv"))[1..], list[1..], "it was not among them");
    let (again, folder) = (at("x.tsv"), at("g"));
    let others = [&first[..], "--landmarks", &again, "-o", &folder, known[0], known[1]];
    assert_eq!(said(&others).0, Some(0));
    let found = table(&dir.path().join("g/stand_ins.tsv"));
    assert!(found[1..].iter().all(|row| row[2] != stand_in), "{stand_in}: {found:?}");

    let (code, out, _) = said(&[&[&id(0)[..], "--json"], &known[..]].concat());
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, told["told"].as_array().unwrap().len()), (Some(0), 1));
    let refused = |arguments: &[&str], what: &str| {
        let (code, out, error) = said(arguments);
        assert!(code != Some(0) && out.is_empty() && error.contains(what), "{code:?} {out} {error}");
    };
    refused(&[&["NOSUCHGENE"], &known[..]].concat(), "NOSUCHGENE");
    refused(&[&[&first[..], "NOSUCHGENE"], &known[..]].concat(), "neither a gene");
    refused(&[&["neuron:4"], &known[..]].concat(), "3 neurons");
    refused(&[&["neuron:0"], &known[..]].concat(), "neuron:1 to neuron:3");
    refused(&[&["neuron:1"], &known[..6]].concat(), "--model");
    refused(&[&first, "--store", &data], "--run");
    refused(&[&first, "--model", &at("m.safetensors")], "--store");
    refused(&[&first, "--run", &dir.path().display().to_string()], "run.json");
}

/// What `explain` tells of a list's stand-ins, an entry a line: landmark, stand-in, loss.
fn explained(dir: &Path, list: &str, store: &str, more: &[&str]) -> (Vec<(String, String, f64)>, String) {
    let folder = dir.join("explained");
    let out = folder.display().to_string();
    let call = ["explain", list, "--store", store, "--most", "3", "--force", "-o", &out];
    let (code, _, error) = genelift(&[&call[..], more].concat());
    assert_eq!(code, Some(0), "{error}");
    let rows = table(&folder.join("stand_ins.tsv"));
    let entry = |row: &Vec<String>| (row[0].clone(), row[2].clone(), row[4].parse::<f64>().unwrap());
    (rows[1..].iter().map(entry).collect(), error)
}

/// The same from a list with columns `stand_in_1`, `loss_1`, ….
fn listed(list: &Path) -> Vec<(String, String, f64)> {
    let rows = table(list);
    let at = |name: String| rows[0].iter().position(|column| *column == name).unwrap();
    let places: Vec<[usize; 2]> =
        (1..=3).map(|i| [at(format!("stand_in_{i}")), at(format!("loss_{i}"))]).collect();
    let id = at("gene_id".into());
    let of = |row: &Vec<String>| -> Vec<(String, String, f64)> {
        let entry =
            |at: &[usize; 2]| (row[id].clone(), row[at[0]].clone(), row[at[1]].parse::<f64>().unwrap());
        places.iter().map(entry).collect()
    };
    rows[1..].iter().flat_map(of).collect()
}

#[test]
fn stand_ins_are_weighed_by_what_the_list_was_chosen_by() {
    let dir = tempfile::tempdir().unwrap();
    let store = example_store(dir.path(), SAMPLES, GENES);
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (data, model, list) = (store.path().display().to_string(), at("m.safetensors"), at("l.tsv"));
    let done = |arguments: &[&str]| {
        let (code, _, error) = genelift(arguments);
        assert_eq!(code, Some(0), "{error}");
    };
    done(&["train", &data, "-o", &model, "--hidden", "6,3,6", "--epochs", "2"]);
    let select = ["select", "--store", &data, "-n", "5", "-o", &list, "--force"];
    // The same samples and settings: what differs is rounding at most. Losses of other settings are hundredths away.
    let agree = |more: &[&str]| {
        let (found, error) = explained(dir.path(), &list, &data, more);
        let listed = listed(Path::new(&list));
        assert_eq!((found.len(), listed.len()), (15, 15));
        let same =
            found.iter().zip(&listed).all(|(a, b)| (&a.0, &a.1) == (&b.0, &b.1) && (a.2 - b.2).abs() < 1e-5);
        (same, error)
    };
    for said in [
        &["--penalty", "equal", "--ridge", "9"][..],
        &["--target", "pca:3", "--weights", "equal"],
        &["--samples", "31", "--seed", "7"],
    ] {
        done(&[&select[..], &["--stand-ins", "3"], said].concat());
        assert!(agree(&[]).0, "{said:?}");
    }
    // weighed once, whichever landmarks are asked about
    let rows = table(Path::new(&list));
    let asked = ["explain", &rows[1][1], &rows[2][1], &rows[3][1], "--store", &data, "--landmarks", &list];
    let (code, _, error) = genelift(&asked);
    assert_eq!((code, error.matches("selecting on 31 of").count()), (Some(0), 1), "{error}");
    let aimed = ["--stand-ins", "3", "--target", "blend:0.9", "--model", &model];
    done(&[&select[..], &aimed].concat());
    let (same, error) = agree(&["--model", &model]);
    assert!(same && !error.contains("as the target"), "{error}");
    let (same, error) = agree(&[]);
    assert!(!same && error.contains("with the data as the target"), "{error}");
    // without a ridge there is nothing to weigh by, which is said
    done(&[&select[..], &["--ridge", "0"]].concat());
    let (found, error) = explained(dir.path(), &list, &data, &[]);
    assert!(found.len() == 15 && error.contains("chosen without a ridge"), "{error}");
}
