//! Profiles completed by a predictor: the truth, names, landmarks that lack.

use super::*;

/// Another store of these genes (positions in `store`) under other ids, with an `entrez` column where asked.
fn rewrite(store: &Store, genes: &[usize], path: &Path, rename: bool) -> Store {
    let mut table = store.genes().select(genes);
    if rename {
        let entrez = table.ids.iter().map(|id| id.rsplit('_').next().unwrap().to_string()).collect();
        table = Table::numbered("gene_id", "row", genes.len());
        table.set_column("entrez", entrez);
    }
    let mut writer = StoreWriter::create(path, genes.len(), Element::F32, false).unwrap();
    let mut row = vec![0.0; genes.len()];
    for sample in 0..store.n_samples() {
        store.read_genes(sample, genes, &mut row);
        writer.push_rows(&row).unwrap();
    }
    writer.finish(table, store.samples().clone(), Origin::default()).unwrap()
}

/// Mean absolute error over `genes` of all samples.
fn mae(truth: &Store, genes: &[usize], mut inferred: impl FnMut(usize, &mut [f32])) -> f64 {
    let median = vec![0.0; genes.len()];
    let known = Baseline::of_medians(&median);
    let mut agreement = Agreement::new(genes.len());
    let (mut x, mut y) = (median.clone(), median.clone());
    for sample in 0..truth.n_samples() {
        truth.read_genes(sample, genes, &mut x);
        inferred(sample, &mut y);
        agreement.add(&known, &x, &y);
    }
    let (by_gene, _) = agreement.finish();
    by_gene.iter().map(|figures| figures.mae).sum::<f64>() / genes.len() as f64
}

#[test]
fn completed_profiles_agree_with_the_truth_as_predictions_do() {
    let mut data = Data::new(75, 47, 3);
    data.samples.truncate(60);
    let (dir, truth) = (data.dir.path().to_path_buf(), &data.store);
    let shuffled: Vec<usize> = data.landmarks.iter().rev().copied().collect();
    let measured = rewrite(truth, &shuffled, &dir.join("measured.gex"), false);
    for settings in [small_mlp(), linear(None), kernel_of(), knn(Some(3))] {
        let predictor = data.fit(&settings);
        let mut predicted = Vec::new();
        let visit: &mut dyn FnMut(usize, &[f32]) -> genelift::Result<()> = &mut |first, rows| {
            assert_eq!(first * data.targets.len(), predicted.len());
            predicted.extend_from_slice(rows);
            Ok(())
        };
        let at = places(&predictor, truth, MissingLandmarks::Refuse).unwrap();
        predictor.predict(&mut cpu(), truth, &at, &silent, visit).unwrap();
        let width = data.targets.len();
        let direct =
            mae(truth, &data.targets, |s, y| y.copy_from_slice(&predicted[s * width..(s + 1) * width]));

        let out = dir.join("completed.gex");
        let how = Completing { force: true, ..Completing::default() };
        let done = complete(&mut cpu(), &predictor, &measured, &out, &how, &finder(), &silent).unwrap();
        assert_eq!((done.measured, done.inferred), (data.landmarks.len(), width));
        let position = done.store.genes().positions();
        let at: Vec<usize> = predictor.targets().iter().map(|id| position[id.as_str()]).collect();
        let origin = done.store.genes().column("origin").unwrap();
        assert!(at.iter().all(|g| origin[*g] == "inferred"));
        assert_eq!(origin.iter().filter(|o| *o == "measured").count(), data.landmarks.len());
        assert_eq!(mae(truth, &data.targets, |s, y| done.store.read_genes(s, &at, y)), direct);
        let (mut a, mut b) = (vec![0.0; shuffled.len()], vec![0.0; shuffled.len()]);
        measured.read_row(74, &mut a);
        done.store.read_genes(74, &(0..shuffled.len()).collect::<Vec<_>>(), &mut b);
        assert_eq!(a, b, "measured genes are as given");
        // better than each gene's mean, or the test says nothing
        let offset = mae(truth, &data.targets, |_, y| y.copy_from_slice(&mean(truth, &data.targets)));
        assert!(direct < offset, "{:?}: {direct} for {offset}", settings.method);
    }
}

fn mean(store: &Store, genes: &[usize]) -> Vec<f32> {
    let all: Vec<usize> = (0..store.n_samples()).collect();
    let means = genelift::nn::scaling::means(store, &all);
    genes.iter().map(|g| means[*g]).collect()
}

#[test]
fn targets_that_are_measured_stay_unless_replaced() {
    let data = Data::new(40, 23, 2);
    let predictor = data.fit(&linear(Some(10.0)));
    let out = data.dir.path().join("out.gex");
    let run = |replace| {
        let how = Completing { replace, force: true, ..Completing::default() };
        complete(&mut cpu(), &predictor, &data.store, &out, &how, &finder(), &silent)
    };
    let message = run(false).unwrap_err().to_string();
    assert!(message.contains("--replace"), "{message}");
    let done = run(true).unwrap();
    assert_eq!((done.measured, done.inferred), (data.landmarks.len(), data.targets.len()));
    assert_eq!(done.store.genes().ids, data.store.genes().ids);
}

#[test]
fn missing_landmarks_are_named_and_refused_or_take_their_mean() {
    let data = Data::new(50, 41, 4);
    let predictor = data.fit(&linear(Some(10.0)));
    let run = |store: &Store, missing| {
        let mut rows = Vec::new();
        let visit: &mut dyn FnMut(usize, &[f32]) -> genelift::Result<()> = &mut |_, batch| {
            rows.extend_from_slice(batch);
            Ok(())
        };
        let at = places(&predictor, store, missing)?;
        predictor.predict(&mut cpu(), store, &at, &silent, visit).map(|()| rows)
    };
    let [kept, dropped] = [&data.landmarks[2..], &data.landmarks[..2]];
    let fewer = rewrite(&data.store, kept, &data.dir.path().join("fewer.gex"), false);
    let message = run(&fewer, MissingLandmarks::Refuse).unwrap_err().to_string();
    let names: Vec<&str> = dropped.iter().map(|g| data.store.genes().ids[*g].as_str()).collect();
    assert!(message.contains("2 of the predictor's 11 landmarks"), "{message}");
    assert!(message.contains(&names.join(", ")) && message.contains("--missing mean"), "{message}");
    let imputed = run(&fewer, MissingLandmarks::Mean).unwrap();

    let how = Completing { missing: MissingLandmarks::Refit, ..Completing::default() };
    let out = data.dir.path().join("refitted.gex");
    let done = complete(&mut cpu(), &predictor, &fewer, &out, &how, &finder(), &silent).unwrap();
    let losses = done.losses.unwrap();
    assert_eq!(losses.alone.iter().map(|loss| loss.0.as_str()).collect::<Vec<_>>(), names);

    // what is known of errors is of all landmarks
    let mut whole = predictor.clone();
    whole.hold_out(&mut cpu(), &data.problem(), (&linear(Some(10.0)), 5), &silent).unwrap();
    for (store, missing, known) in [
        (&fewer, MissingLandmarks::Mean, false),
        (&fewer, MissingLandmarks::Refit, false),
        (&data.store, MissingLandmarks::Refuse, true),
    ] {
        let how = Completing { missing, replace: true, force: true, ..Completing::default() };
        let done = complete(&mut cpu(), &whole, store, &out, &how, &finder(), &silent).unwrap();
        assert_eq!(!done.trust.is_empty(), known, "{missing:?}");
        assert_eq!(done.store.genes().column("reliable").is_some(), known, "{missing:?}");
    }
    // nor is a level taken that there are no intervals of
    for (predictor, level, taken) in [(&predictor, 0.9, false), (&whole, 0.7, false), (&whole, 0.8, true)] {
        let missing = MissingLandmarks::Mean;
        let how = Completing { missing, level: Some(level), force: true, ..Completing::default() };
        match complete(&mut cpu(), predictor, &fewer, &out, &how, &finder(), &silent) {
            Ok(done) => assert!(taken && done.trust.is_empty(), "{level}"),
            Err(Error::Usage(message)) => {
                assert!(
                    !taken && message.contains(&format!("--level {level}: the predictor has")),
                    "{message}"
                );
            }
            Err(error) => panic!("{level}: {error}"),
        }
    }

    // The same by hand: the training mean in the place of the missing genes.
    let path = data.dir.path().join("mean.gex");
    let n = data.landmarks.len();
    let mut writer = StoreWriter::create(&path, n, Element::F32, false).unwrap();
    let means = mean(&data.store, &data.landmarks);
    let mut row = vec![0.0; n];
    for sample in 0..50 {
        data.store.read_genes(sample, &data.landmarks, &mut row);
        row[..2].copy_from_slice(&means[..2]);
        writer.push_rows(&row).unwrap();
    }
    let genes = data.store.genes().select(&data.landmarks);
    let filled = writer.finish(genes, data.store.samples().clone(), Origin::default()).unwrap();
    let by_hand = run(&filled, MissingLandmarks::Refuse).unwrap();
    assert!(relative_error(&imputed, &by_hand) <= 1e-6);

    let none = rewrite(&data.store, &data.targets, &data.dir.path().join("none.gex"), false);
    for missing in [MissingLandmarks::Refuse, MissingLandmarks::Mean] {
        assert!(matches!(run(&none, missing), Err(Error::Input { .. })));
    }
}

#[test]
fn landmarks_are_found_by_other_names() {
    let data = Data::new(50, 41, 4);
    let all: Vec<usize> = (0..41).collect();
    let named = rewrite(&data.store, &all, &data.dir.path().join("named.gex"), true);
    let Problem { samples, landmarks, targets, .. } = data.problem();
    let predictor =
        Predictor::fit(&mut cpu(), &named, samples, landmarks, targets, &linear(Some(10.0)), &silent)
            .unwrap();
    // a store whose ids are the Entrez ids of the training store's column
    let other = data.dir.path().join("other.gex");
    let mut writer = StoreWriter::create(&other, 41, Element::F32, false).unwrap();
    let mut row = vec![0.0; 41];
    for sample in 0..50 {
        named.read_row(sample, &mut row);
        writer.push_rows(&row).unwrap();
    }
    let ids = named.genes().column("entrez").unwrap().to_vec();
    let other =
        writer.finish(Table::new("gene_id", ids), named.samples().clone(), Origin::default()).unwrap();
    let places = places(&predictor, &other, MissingLandmarks::Refuse).unwrap();
    assert_eq!(places, data.landmarks.iter().map(|g| Some(*g)).collect::<Vec<_>>());
}

#[test]
fn the_command_completes_a_file_of_landmarks() {
    let data = Data::new(60, 47, 3);
    let dir = data.dir.path();
    let genelift = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_genelift");
        let output = std::process::Command::new(program).current_dir(dir).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let store = data.store.path().to_str().unwrap();
    let ids: Vec<&str> = data.landmarks.iter().map(|g| data.store.genes().ids[*g].as_str()).collect();
    std::fs::write(dir.join("landmarks.tsv"), format!("gene_id\n{}\n", ids.join("\n"))).unwrap();
    // the landmarks alone, as a file
    let mut csv = format!("sample_id,{}\n", ids.join(","));
    let mut row = vec![0.0; ids.len()];
    for sample in 0..60 {
        data.store.read_genes(sample, &data.landmarks, &mut row);
        let values: Vec<String> = row.iter().map(f32::to_string).collect();
        csv += &format!("{},{}\n", data.store.samples().ids[sample], values.join(","));
    }
    std::fs::write(dir.join("profiles.csv"), &csv).unwrap();

    let fit =
        ["fit", store, "--landmarks", "landmarks.tsv", "-o", "p.safetensors", "--device", "cpu", "--method"];
    let (code, _, error) = genelift(&[&fit[..], &["linear", "--hidden", "5"]].concat());
    assert!(code == Some(2) && error.contains("--hidden is not an option of --method linear"), "{error}");
    let (code, out, error) = genelift(&[&fit[..], &["linear"]].concat());
    assert!(code == Some(0) && out.contains("targets\t31\npenalty\t"), "{out}{error}");
    let predict = ["predict", "p.safetensors", "profiles.csv", "-o", "whole.gex", "--device", "cpu"];
    let (code, out, error) = genelift(&predict);
    assert!(code == Some(0) && out.contains("measured\t16\ninferred\t31\n"), "{out}{error}");
    // the samples are those of the fit, which the predictor remembers, under any name
    let known = "60 of 60 samples of profiles.csv are among those that the predictor comes from, by id";
    assert!(error.contains(known), "{error}");
    let text = std::fs::read_to_string(dir.join("whole.gex/store.json")).unwrap();
    assert!(text.contains("\"predict\"") && !text.contains("remembered"), "{text:.2000}");
    let renamed = csv.lines().enumerate().map(|(i, line)| match i {
        0 => format!("{line}\n"),
        _ => format!("other{i},{}\n", line.split_once(',').unwrap().1),
    });
    std::fs::write(dir.join("renamed.csv"), renamed.collect::<String>()).unwrap();
    let (code, _, error) = genelift(&["predict", "p.safetensors", "renamed.csv", "-o", "renamed.gex"]);
    assert!(code == Some(0) && error.contains("with the same values under other names"), "{error}");
    let whole = Store::open(&dir.join("whole.gex")).unwrap();
    assert_eq!((whole.n_samples(), whole.n_genes()), (60, 47));
    let (code, _, error) = genelift(&predict);
    assert!(code == Some(1) && error.contains("already exists"), "{error}");
    let left = dir
        .read_dir()
        .unwrap()
        .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().contains("import-"));
    assert_eq!(left.count(), 0, "the imported store is removed");
}
