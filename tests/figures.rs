//! Figures from tables that genelift writes: well formed, labelled, the same each time, safe whatever names say.

use std::path::{Path, PathBuf};
use std::process::Command;

use genelift::figures::{Figure, Theme, of, of_all};
use genelift::formats;
use genelift::genes::writer::write_rows;
use genelift::progress::silent;
use quick_xml::Reader;
use quick_xml::events::Event;

/// A name that would break out of text, an attribute, a terminal, and into a formula.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&\u{1b}[31m\u{202e}]]>\u{ffff}$x^2$ \\frac";

fn hostile(i: usize) -> String {
    if i == 0 { HOSTILE.into() } else { format!("{HOSTILE}{i}{}", "x".repeat(i % 3 * 200)) }
}

fn put(path: &Path, header: &str, rows: impl IntoIterator<Item = Vec<String>>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_rows(path, true, header.split(' '), rows).unwrap();
}

fn touch(path: PathBuf) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "{}").unwrap();
}

/// A number by chance between 0 and 1.
fn chance(i: usize) -> f64 {
    let mut z = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 11) as f64 / (1_u64 << 53) as f64
}

fn strings<const N: usize>(fields: [&dyn std::fmt::Display; N]) -> Vec<String> {
    fields.iter().map(|field| field.to_string()).collect()
}

fn history(dir: &Path) {
    let row = |i: usize| strings([&i, &(1.0 / i as f64), &(1.2 / i as f64)]);
    put(&dir.join("history.tsv"), "epoch train_loss validation_loss", (1..30).map(row));
}

fn evaluation(dir: &Path, genes: usize, name: impl Fn(usize) -> String) {
    touch(dir.join("evaluation/evaluation.json"));
    let row = |i: usize| {
        let pcc = if i == 1 { "NA".to_string() } else { chance(i + 7).to_string() };
        strings([&name(i), &(chance(i) + chance(i + 1)), &(chance(i + 2) + 1.0), &pcc])
    };
    put(&dir.join("evaluation/genes.tsv"), "gene_id mae baseline_mae pcc", (0..genes).map(row));
}

fn comparison(dir: &Path, sizes: &[usize], first: &str, name: impl Fn(usize) -> String) {
    let dir = dir.join("comparison");
    touch(dir.join("compare.json"));
    let sets = [(first.to_string(), "set"), (hostile(2), "set")];
    let draws = |n: usize| (1..=4).map(move |d| (format!("random-{n}-{d}"), "draw"));
    let mut summary = Vec::new();
    for n in sizes {
        let all = || sets.iter().cloned().chain(draws(*n)).enumerate();
        summary.extend(all().map(|(i, (set, kind))| {
            strings([&set, &kind, &"test.gex", n, &50, &20, &(0.9 - 0.001 * *n as f64 + 0.01 * i as f64)])
        }));
        summary.push(strings([&format!("random-{n}"), &"draws mean", &"test.gex", n, &50, &20, &0.9]));
        let own = if sizes.len() > 1 { dir.join(n.to_string()) } else { dir.clone() };
        let gene = |set: &str, i: usize, j: usize| {
            strings([&set, &"test.gex", &name(j), &(chance(j) + 0.1 * chance(i * 97 + j)), &chance(i + j)])
        };
        let rows: Vec<_> = all()
            .flat_map(|(i, (set, _))| (0..50).map(move |j| gene(&set, i, j)).collect::<Vec<_>>())
            .collect();
        put(&own.join("genes.tsv"), "set test gene_id mae pcc", rows);
        let list = |(i, (set, _)): (usize, (String, &str))| {
            (0..*n).map(move |j| strings([&set, &(j + 1), &format!("g{}", j * (i + 1))])).collect::<Vec<_>>()
        };
        put(&own.join("sets.tsv"), "set rank gene_id", all().flat_map(list));
    }
    put(&dir.join("summary.tsv"), "set kind test n_landmarks n_targets n_samples nmse_mean", summary);
    if sizes.len() > 1 {
        let row = |n: &usize| strings([&"test.gex", &first, n, &0.7, &0.6, &0.8]);
        put(
            &dir.join("curve.tsv"),
            "test set n_landmarks nmse interval_low interval_high",
            sizes.iter().map(row),
        );
    }
}

fn clusters(dir: &Path, samples: usize, label: impl Fn(usize) -> String, name: impl Fn(usize) -> String) {
    let dir = dir.join("clusters");
    touch(dir.join("clustering.json"));
    put(
        &dir.join("clusters.tsv"),
        "sample_id kind bottleneck_tree bottleneck_k_means",
        (0..samples).map(|i| strings([&name(i), &label(i), &1, &1])),
    );
    put(
        &dir.join("map.tsv"),
        "sample_id bottleneck_1 bottleneck_2",
        (0..samples).map(|i| strings([&name(i), &chance(i), &chance(i + 3)])),
    );
    let quoted = |i: usize| format!("'{}':1", name(i).replace('\'', "''"));
    let mut level: Vec<String> = (0..samples).map(quoted).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| format!("({}):0.1", pair.join(","))).collect();
    }
    let tree = level.remove(0);
    put(&dir.join("trees.tsv"), "space newick", [strings([&"bottleneck", &format!("{tree};")])]);
}

fn lists(dir: &Path, genes: usize, name: impl Fn(usize) -> String + Copy) {
    let row = |i: usize| strings([&(i + 1), &name(i), &(1.0 / (i + 1) as f64)]);
    put(&dir.join("scores.tsv"), "rank gene_id score", (0..genes).map(row));
    put(&dir.join("landmarks.tsv"), "rank gene_id score", (0..genes / 4).map(row));
    put(&dir.join("lists/top.tsv"), "rank gene_id score", (2..genes / 3).map(row));
    let row = |i: usize| strings([&name(i), &(10 - i % 10), &((10 - i % 10) as f64 / 10.0), &1.0]);
    put(&dir.join("stability.tsv"), "gene_id chosen share share_with_copies", (0..genes).map(row));
    let row = |i: usize| strings([&name(i), &(chance(i) * 3.0), &(i + 1), &chance(i + 1), &chance(i + 2)]);
    put(&dir.join("enrichment.tsv"), "Description FoldEnrichment Count pvalue p.adjust", (0..30).map(row));
}

fn store(dir: &Path) {
    let mut text = String::from("sample");
    (0..30).for_each(|j| text += &format!(",GENE{j}"));
    for i in 0..12 {
        text += &format!("\ns{i}");
        (0..30).for_each(|j| text += &format!(",{:.3}", chance(i * 31 + j) + (i / 6 * (j % 2)) as f64));
    }
    std::fs::write(dir.join("m.csv"), text + "\n").unwrap();
    formats::import(&[dir.join("m.csv")], &dir.join("data.gex"), &Default::default(), &silent).unwrap();
}

/// What `explain` writes of two genes, a neuron and a list.
fn explanation(dir: &Path, name: impl Fn(usize) -> String) {
    let asked = serde_json::json!({"genes": [name(0), name(1)], "neurons": [3]});
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("explanation.json"), serde_json::json!({"asked": asked}).to_string()).unwrap();
    let lost = |i: usize| 0.1 - 0.01 * i as f64;
    let row = |i: usize| strings([&(i + 1), &name(i), &(lost(i) / 100.0)]);
    put(&dir.join("landmarks.tsv"), "rank gene_id r2_lost", (0..40).map(row));
    let of_gene = (0..5).map(|k| strings([&(k + 1), &name(0), &"", &lost(k)]));
    let of_neuron = (0..12).map(|i| strings([&3, &name(i + 20), &"", &lost(i)]));
    put(&dir.join("neurons.tsv"), "neuron gene_id symbol share", of_gene.chain(of_neuron));
    let row = |i: usize| strings([&name(0), &"", &name(i + 2), &"", &lost(i)]);
    put(&dir.join("served.tsv"), "gene_id symbol target_id target_symbol r2_lost", (0..15).map(row));
    put(&dir.join("stand_ins.tsv"), "gene_id symbol stand_in stand_in_symbol loss", (0..15).map(row));
    let row = |i: usize| strings([&name(1), &"", &name(i + 2), &"", &lost(i)]);
    put(&dir.join("carriers.tsv"), "target_id target_symbol gene_id symbol r2_lost", (0..15).map(row));
    let row = |i: usize| strings([&3, &name(i), &10_f64.powi(-(i as i32))]);
    put(&dir.join("sets.tsv"), "neuron Description p.adjust", (0..8).map(row));
}

/// A run's folder with everything in it.
fn run(dir: &Path, name: impl Fn(usize) -> String + Copy) {
    let facts = r#"{"kuncheva": {"mean": 0.63, "min": 0.5}, "nogueira": {"stability": 0.61, "interval": [0.58, 0.64]}}"#;
    let record = format!(r#"{{"stages": [{{"name": "stability", "facts": {facts}}}]}}"#);
    std::fs::write(dir.join("run.json"), record).unwrap();
    history(dir);
    evaluation(dir, 60, name);
    comparison(dir, &[40], "diverse", name);
    clusters(dir, 40, |i| hostile(i % 9), name);
    lists(dir, 40, name);
    store(dir);
}

/// Reads a document to its end; its texts, titles and attributes.
fn texts(svg: &str) -> Vec<String> {
    let mut reader = Reader::from_str(svg);
    let (mut texts, mut open) = (Vec::new(), 0);
    let mut text = String::new();
    loop {
        match reader.read_event().expect("well formed") {
            Event::Start(start) => {
                open += 1;
                text.clear();
                for attribute in start.attributes() {
                    let attribute = attribute.expect("well formed");
                    let key = attribute.key.as_ref().to_string();
                    assert!(!key.starts_with("on"), "{key}");
                    texts.push(attribute.value.to_string());
                }
            }
            Event::Text(part) => text += &part,
            Event::GeneralRef(name) => text += &format!("&{};", &*name),
            Event::End(_) => {
                open -= 1;
                texts.push(std::mem::take(&mut text));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0);
    texts
}

fn named<'a>(figures: &'a [Figure], name: &str) -> &'a Figure {
    let all: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    figures.iter().find(|figure| figure.name == name).unwrap_or_else(|| panic!("{name} is not among {all:?}"))
}

#[test]
fn a_run_has_every_figure_labelled_with_n_and_units() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), |i| format!("GENE{i}"));
    let figures = of(dir.path()).unwrap();
    for (name, words) in [
        ("learning-curves", ["n = 29 epochs", "loss (scaled units)", "epoch"]),
        ("evaluation-mae", ["n = 60 genes", "MAE (units of the data)", "density over genes"]),
        ("evaluation-pcc", ["n = 60 genes", "PCC", "density over genes"]),
        ("evaluation-against-median", ["n = 60 genes", "MAE (units of the data), network", "GENE7"]),
        ("density-mae", ["n = 50 genes", "MAE (units of the data)", "random (4 draws)"]),
        ("density-pcc", ["n = 50 genes", "PCC", "random (4 draws)"]),
        ("mae-against-2", ["n = 50 genes", "MAE (units of the data), diverse", "GENE49"]),
        ("pcc-against-2", ["n = 50 genes", "PCC, diverse", "GENE49"]),
        ("error-by-size", ["n = 20 held-out samples, 50 genes", "squared error / variance", "random"]),
        ("overlap", ["n = 60 genes", "genes", "diverse (40)"]),
        ("scores", ["n = 40 genes", "DeepLIFT score", "10 chosen"]),
        ("stability", ["0.63, Nogueira 0.61", "share of repeats", "n = 40 that were chosen"]),
        ("enrichment", ["n = 30 tested sets", "times as many landmarks as expected", "adjusted p"]),
        ("map-bottleneck", ["n = 40 samples", "axis 1 of the bottleneck", "axis 2 of the bottleneck"]),
        ("tree-bottleneck", ["n = 40 samples", "height of the merge", "samples, in the order of the tree"]),
        ("tree-bottleneck-circular", ["n = 40 samples", "GENE3", "kind"]),
        ("heatmap", ["n = 10 landmarks × 12 samples", "standard deviations", "GENE3"]),
        ("map", ["n = 12 samples", "principal component 1", "principal component 2"]),
    ] {
        let figure = named(&figures, name);
        let svg = figure.svg(Theme::Light).unwrap();
        let all = texts(&svg).join("\n") + &figure.caption;
        words.iter().for_each(|word| assert!(all.contains(word), "{name}: {word} is not in\n{all}"));
        assert!(figure.caption.contains("n = ") || figure.caption.contains("n held"), "{}", figure.caption);
    }
}

#[test]
fn hostile_names_are_text_in_every_figure_and_theme() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), hostile);
    let figures = of(dir.path()).unwrap();
    assert!(figures.len() >= 16, "{}", figures.len());
    for figure in &figures {
        for theme in [Theme::Light, Theme::Dark] {
            let svg = figure.svg(theme).unwrap();
            let texts = texts(&svg);
            let steers = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{ffff}');
            assert!(!svg.contains(steers) && !svg.contains("<img"), "{}", figure.name);
            assert!(texts.iter().all(|text| text.chars().count() < 900), "{}", figure.name);
            assert!(svg.starts_with("<svg ") && svg.contains("viewBox"), "{}", figure.name);
        }
        let bad = figure.caption.contains('\u{1b}') || figure.title.contains('\u{1b}');
        assert!(!bad, "{}", figure.caption);
    }
    let svg = named(&figures, "scores").svg(Theme::Light).unwrap();
    assert!(
        svg.contains("data-name=\"&lt;img src=x onerror=alert(1)&gt;&quot;&apos;&amp;\\u001b[31m\\u202e"),
        "{svg}"
    );
    assert!(svg.contains("$x^2$"), "no formula is made of a name");
}

#[test]
fn an_explanation_is_drawn_of_each_gene_neuron_and_list() {
    let dir = tempfile::tempdir().unwrap();
    explanation(dir.path(), |i| format!("GENE{i}"));
    let figures = of(dir.path()).unwrap();
    for (name, words, bars) in [
        (
            "explained-gene0",
            vec!["R² that inferred genes lose without it", "stand-ins", "neuron 5", "GENE11"],
            25,
        ),
        ("explained-gene1", vec!["R² that it loses without", "GENE2"], 10),
        ("explained-neuron-3", vec!["genes: their share", "GENE28", "−log10 of adjusted p"], 18),
        (
            "explained-landmarks",
            vec!["n = 40 landmarks, the first 30 by loss", "thousandths of R² lost", "−1.90"],
            30,
        ),
    ] {
        let svg = named(&figures, name).svg(Theme::Light).unwrap();
        let all = texts(&svg).join("\n");
        words.iter().for_each(|word| assert!(all.contains(word), "{name}: {word} is not in\n{all}"));
        assert_eq!(svg.matches("data-name").count(), bars, "{name}");
    }
    assert_eq!(figures.len(), 4);
    let hostile_dir = dir.path().join("hostile");
    explanation(&hostile_dir, hostile);
    for figure in of(&hostile_dir).unwrap() {
        let svg = figure.svg(Theme::Dark).unwrap();
        assert!(!svg.contains("<img") && !svg.contains('\u{1b}'), "{}", figure.name);
        texts(&svg);
    }
}

#[test]
fn the_same_bytes_each_time_and_pictures_of_the_width_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), |i| format!("GENE{i}"));
    let (one, two) = (of(dir.path()).unwrap(), of(dir.path()).unwrap());
    for (a, b) in one.iter().zip(&two) {
        assert_eq!(a.svg(Theme::Dark).unwrap(), b.svg(Theme::Dark).unwrap(), "{}", a.name);
    }
    let png = one[0].png(Theme::Light, 100).unwrap();
    assert_eq!(png, two[0].png(Theme::Light, 100).unwrap());
    let width = u32::from_be_bytes(png[16..20].try_into().unwrap());
    assert_eq!((&png[1..4], width), (&b"PNG"[..], 335), "85 mm at 100 dots an inch");
    assert!(one[0].png(Theme::Light, 9).unwrap_err().to_string().contains("30 to 2400"));
}

#[test]
fn many_genes_are_thinned_which_is_said() {
    let dir = tempfile::tempdir().unwrap();
    evaluation(dir.path(), 22_000, |i| format!("GENE{i}"));
    let figures = of(&dir.path().join("evaluation")).unwrap();
    let figure = named(&figures, "evaluation-against-median");
    let svg = figure.svg(Theme::Light).unwrap();
    assert!(svg.len() < 400_000, "{}", svg.len());
    assert!(figure.caption.contains("of the 22,000 genes are drawn"), "{}", figure.caption);
    assert!(svg.contains("n = 22,000 genes, ") && svg.contains(" drawn"), "said in the picture too");
    assert!(figures.iter().all(|figure| figure.svg(Theme::Light).unwrap().len() < 400_000));
}

#[test]
fn few_and_many_samples_and_one_class_have_figures() {
    for (samples, classes) in [(3, 1), (10, 1), (10, 12), (9_000, 40)] {
        let dir = tempfile::tempdir().unwrap();
        clusters(dir.path(), samples, |i| format!("class{}", i % classes), |i| format!("s{i}"));
        let figures = of(&dir.path().join("clusters")).unwrap();
        for figure in &figures {
            let svg = figure.svg(Theme::Light).unwrap();
            texts(&svg);
            assert!(svg.len() < 400_000, "{}: {} bytes", figure.name, svg.len());
        }
        let map = named(&figures, "map-bottleneck");
        let said = map.caption.contains("samples are drawn");
        assert_eq!(said, samples > 2_000, "{}", map.caption);
    }
}

#[test]
fn several_sizes_are_a_curve_and_lists_overlap() {
    let dir = tempfile::tempdir().unwrap();
    comparison(dir.path(), &[10, 20, 40], "diverse", |i| format!("g{i}"));
    lists(dir.path(), 40, |i| format!("g{i}"));
    let figures = of(&dir.path().join("comparison")).unwrap();
    let figure = named(&figures, "error-by-size");
    let all = texts(&figure.svg(Theme::Light).unwrap()).join("\n");
    assert!(all.contains("number of landmarks, N") && all.contains("10") && all.contains("40"), "{all}");
    assert!(figure.caption.contains("best to the worst of random draws"), "{}", figure.caption);
    assert!(figure.caption.contains("95 % intervals of diverse"), "{}", figure.caption);
    comparison(dir.path(), &[10, 20, 40], HOSTILE, |i| format!("g{i}"));
    let figures = of(&dir.path().join("comparison")).unwrap();
    let caption = &named(&figures, "error-by-size").caption;
    assert!(caption.contains("intervals of <img") && !caption.contains('\u{1b}'), "{caption}");
    let two = of_all(&["landmarks.tsv", "lists/top.tsv"].map(|name| dir.path().join(name))).unwrap();
    assert_eq!(two.iter().map(|figure| figure.name.as_str()).collect::<Vec<_>>(), ["overlap"]);
}

#[test]
fn nothing_and_no_numbers_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path| of(path).unwrap_err().to_string();
    assert!(refused(dir.path()).contains("holds nothing that can be drawn"));
    put(&dir.path().join("history.tsv"), "epoch train_loss validation_loss", [strings([&1, &"NA", &"NA"])]);
    assert!(refused(&dir.path().join("history.tsv")).contains("no loss that is a number"));
    put(&dir.path().join("history.tsv"), "epoch train_loss validation_loss", []);
    assert!(refused(&dir.path().join("history.tsv")).contains("has no row"));
    put(&dir.path().join("history.tsv"), "epoch train_loss validation_loss", [strings([&1, &"much", &"NA"])]);
    let message = refused(&dir.path().join("history.tsv"));
    assert!(message.contains("line 2, column \"train_loss\": \"much\" is no number"), "{message}");
    put(&dir.path().join("scores.tsv"), "rank gene_id score", [strings([&1, &"a", &"inf"])]);
    assert!(refused(&dir.path().join("scores.tsv")).contains("no score that is a number"));
    assert!(refused(&dir.path().join("nothing.tsv")).contains("nothing.tsv"));
}

#[test]
fn a_run_under_way_has_what_is_there_and_damage_is_told() {
    let dir = tempfile::tempdir().unwrap();
    touch(dir.path().join("run.json"));
    history(dir.path());
    put(&dir.path().join("scores.tsv"), "rank gene_id score", []);
    touch(dir.path().join("evaluation/evaluation.json"));
    put(&dir.path().join("evaluation/genes.tsv"), "gene_id mae baseline_mae pcc", []);
    let names: Vec<String> = of(dir.path()).unwrap().into_iter().map(|figure| figure.name).collect();
    assert_eq!(names, ["learning-curves"]);
    put(&dir.path().join("evaluation/genes.tsv"), "gene_id mae pcc", [strings([&"a", &1, &1])]);
    let message = of(dir.path()).unwrap_err().to_string();
    assert!(
        message.contains("genes.tsv: has no column \"baseline_mae\"; found gene_id, mae, pcc"),
        "{message}"
    );
    clusters(dir.path(), 9, |i| i.to_string(), |i| i.to_string());
    put(&dir.path().join("clusters/trees.tsv"), "space newick", [strings([&"bottleneck", &"((a,b)"])]);
    let message = of(&dir.path().join("clusters")).unwrap_err().to_string();
    assert!(message.contains("trees.tsv: bottleneck: letter 7 of a tree"), "{message}");
}

#[test]
fn the_command_writes_what_was_asked_for_and_refuses_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path());
    let figures = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_genelift"));
        command
            .current_dir(dir.path())
            .args(["figures", "history.tsv", "-o", "out"])
            .args(more)
            .output()
            .unwrap()
    };
    let done = figures(&["--theme", "light,dark", "--dpi", "72"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut files: Vec<String> = dir
        .path()
        .join("out")
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let stem = "learning-curves";
    assert_eq!(
        files,
        [
            "captions.tsv".into(),
            format!("{stem}-dark.png"),
            format!("{stem}-dark.svg"),
            format!("{stem}.png"),
            format!("{stem}.svg")
        ]
    );
    let again = figures(&[]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("already exists"));
    assert!(figures(&["--force", "--format", "svg", "--theme", "light,dark"]).status.success());
    let unknown = figures(&["--force", "--only", "pie"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there are: learning-curves"));
}
