//! HDF5 files into stores: values, ids and labels against the formats' own libraries (`scripts/reference_hdf5.py`), and every
//! kind of damage.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use genelift::Result;
use genelift::formats::{ImportSettings, Missing, export, import};
use genelift::genes::Table;
use genelift::progress::silent;
use genelift::store::Store;

fn data(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let own = data.join("hdf5").join(name);
    if own.exists() { own } else { data.join("formats").join(name) }
}

fn read(dir: &Path, path: &Path, layer: &str) -> Result<Store> {
    let mut settings = ImportSettings { force: true, missing: Missing::Zero, ..ImportSettings::default() };
    settings.read.layer = Some(layer.to_string()).filter(|layer| !layer.is_empty());
    import(&[path.to_path_buf()], &dir.join("out.gex"), &settings, &silent)
}

fn values(store: &Store) -> Vec<f32> {
    let mut all = vec![0.0; store.n_samples() * store.n_genes()];
    for (sample, row) in all.chunks_exact_mut(store.n_genes()).enumerate() {
        store.read_row(sample, row);
    }
    all
}

/// The rows of a table, by the file and layer in its first two columns.
fn by_file(table: &str) -> BTreeMap<(String, String), Vec<Vec<String>>> {
    let text = fs::read_to_string(data(table)).expect("the reference");
    let mut files: BTreeMap<_, Vec<Vec<String>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<String> = line.split('\t').map(str::to_string).collect();
        files.entry((fields[0].clone(), fields[1].clone())).or_default().push(fields[2..].to_vec());
    }
    files
}

#[test]
fn ids_and_sums_are_those_of_the_formats_own_libraries() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files = by_file("reference.tsv");
    assert_eq!(files.len(), 28);
    for ((file, layer), rows) in files {
        let store = read(dir.path(), &data(&file), &layer).expect(&file);
        let (values, n_genes) = (values(&store), store.n_genes());
        for (side, table) in [("sample", store.samples()), ("gene", store.genes())] {
            let rows: Vec<_> = rows.iter().filter(|row| row[0] == side).collect();
            assert_eq!(
                table.ids,
                rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>(),
                "{file} {layer}"
            );
            for (i, row) in rows.iter().enumerate() {
                let line: Vec<f64> = match side {
                    "sample" => values[i * n_genes..][..n_genes].iter().map(|x| f64::from(*x)).collect(),
                    _ => values.iter().skip(i).step_by(n_genes).map(|x| f64::from(*x)).collect(),
                };
                let sums = [line.iter().sum::<f64>(), line.iter().map(|x| x * x).sum()];
                for (found, expected) in sums.into_iter().zip(&row[2..]) {
                    let expected: f64 = expected.parse().expect("a number");
                    // Sums in f64 of the same f32 values: only the order of addition differs.
                    let close =
                        (found - expected).abs() <= 1e-9 * line.iter().map(|x| x.abs()).sum::<f64>().max(1.0);
                    assert!(close, "{file} {layer} {side} {}: {found}, not {expected}", row[1]);
                }
            }
        }
    }
}

#[test]
fn labels_are_those_of_the_formats_own_libraries() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files = by_file("labels.tsv");
    assert_eq!(files.len(), 14);
    for ((file, layer), rows) in files {
        let store = read(dir.path(), &data(&file), &layer).expect(&file);
        for row in rows {
            let table: &Table = if row[0] == "sample" { store.samples() } else { store.genes() };
            let found = table.column(&row[1]).unwrap_or_else(|| panic!("{file}: no column {}", row[1]));
            let expected: Vec<&str> = row[2].split('|').collect();
            assert_eq!(found.len(), expected.len(), "{file} {}", row[1]);
            for (a, b) in found.iter().zip(expected) {
                // cmapPy reads numbers out of text and may be off by the last digit.
                let close = a
                    .parse::<f64>()
                    .ok()
                    .zip(b.parse::<f64>().ok())
                    .is_some_and(|(a, b)| (a - b).abs() <= 1e-15 * b.abs());
                assert!(a == b || close, "{file} {}: {a}, not {b}", row[1]);
            }
        }
    }
}

fn refusal(file: &str, layer: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    read(dir.path(), &data(file), layer).map(|_| ()).expect_err(file).to_string()
}

#[test]
fn what_cannot_be_read_is_named() {
    let message = refusal("anndata_v0.11.4.h5ad", "");
    assert!(message.contains("no X; it has no layers either"), "{message}");
    let message = refusal("csr.h5ad", "nothing");
    assert!(message.contains("--layer NAME reads one of: double, counts, raw"), "{message}");
    let message = refusal("two_genomes.h5", "");
    assert!(message.contains("several genomes") && message.contains("hg19, mm10"), "{message}");
    let message = refusal("two_genomes.h5", "hg38");
    assert!(message.contains("no genome \"hg38\""), "{message}");
    let message = refusal("small.loom", "unspliced");
    assert!(message.contains("\"spliced\""), "{message}");
    let message = refusal("rows.gctx", "X");
    assert!(message.contains("--layer is for"), "{message}");
}

/// A store with labels of every kind: integers, numbers with a gap, text with a gap, names that links cannot have.
fn labelled(dir: &Path, samples: usize, genes: usize) -> Store {
    let mut text =
        format!("id\t{}\n", (0..genes).map(|g| format!("G{g}X_{g}")).collect::<Vec<_>>().join("\t"));
    let mut labels = "cell\tage\tdose\ta/b\tid\tkind\tcode\n".to_string();
    for s in 0..samples {
        let values: Vec<String> =
            (0..genes).map(|g| format!("{}", (s * 17 + g * 5) as f32 / 16.0 - 2.0)).collect();
        text += &format!("Zelle{s}µ\t{}\n", values.join("\t"));
        let dose = if s == 2 { String::new() } else { format!("{}.5", s) };
        let kind = if s % 3 == 1 { "" } else { "脾臓" };
        labels += &format!("Zelle{s}µ\t{}\t{dose}\tx{s}\tname {s}\t{kind}\t0{s}\n", s as i64 - 3);
    }
    fs::write(dir.join("m.tsv"), text).expect("written");
    fs::write(dir.join("labels.tsv"), labels).expect("written");
    let settings =
        ImportSettings { labels: Some(dir.join("labels.tsv")), force: true, ..ImportSettings::default() };
    import(&[dir.join("m.tsv")], &dir.join("labelled.gex"), &settings, &silent).expect("imported")
}

#[test]
fn what_is_exported_reads_back_the_same() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (samples, genes) in [(1, 1), (7, 13), (67, 1031)] {
        let store = labelled(dir.path(), samples, genes);
        for name in ["out.h5ad", "out.gctx"] {
            let path = dir.path().join(name);
            export(&store, &path, true, &silent).expect(name);
            let back = read(dir.path(), &path, "").expect(name);
            assert_eq!(values(&back), values(&store), "{name} {samples} × {genes}");
            let columns = |table: &Table| {
                // HDF5 has no link of the name "a/b", and groups tell their columns in the order of the alphabet.
                let name = |name: &str| match name {
                    "id" | "id_2" => "id".to_string(), // beside GCTX's own id
                    _ => name.replace('/', "_"),
                };
                let columns = table.columns.iter().map(|(n, fields)| (name(n), fields.clone()));
                columns.collect::<BTreeMap<_, _>>()
            };
            for (back, table) in [(back.samples(), store.samples()), (back.genes(), store.genes())] {
                assert_eq!((&back.ids, columns(back)), (&table.ids, columns(table)), "{name}");
            }
        }
    }
}

/// What a command that succeeds says.
fn done(arguments: &[&str]) -> String {
    let (code, out, error) = common::genelift(arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {error}");
    out
}

/// Embeddings, scores and clusters beside the matrix of an h5ad, under the names that AnnData has for such.
#[test]
fn an_h5ad_takes_what_is_known_beside_the_matrix() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let data = at("x.gex");
    done(&["simulate", "--samples", "24", "--genes", "20", "--studies", "2", "-o", &data]);
    done(&["train", &data, "-o", &at("m.safetensors"), "--hidden", "4,3,4", "--epochs", "1"]);
    done(&["select", "--store", &data, "-n", "5", "-o", &at("panel.tsv")]);
    done(&["fit", &data, "--landmarks", &at("panel.tsv"), "-o", &at("p.safetensors"), "--method", "linear"]);
    done(&["embed", &at("m.safetensors"), &data, "-o", &at("e.tsv"), "--label", "study"]);
    done(&["cluster", &data, "--label", "study", "-o", &at("c")]);
    let with = ["m.safetensors", "p.safetensors", "panel.tsv", "e.tsv", "c"].map(at).join(",");
    done(&["export", &data, "-o", &at("x.h5ad"), "--with", &with]);

    let embedding = std::fs::read_to_string(at("e.tsv")).unwrap();
    let rows: Vec<Vec<&str>> = embedding.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[0], ["sample_id", "study", "neuron_1", "neuron_2", "neuron_3"]);
    let values: Vec<f32> =
        rows[1..].iter().flat_map(|row| row[2..].iter().map(|x| x.parse().unwrap())).collect();
    let file = hdf5_pure::File::open(at("x.h5ad")).unwrap();
    for name in ["obsm/X_bottleneck", "obsm/X_e"] {
        let found = file.dataset(name).unwrap();
        assert_eq!(found.shape().unwrap(), [24, 3], "{name}");
        assert_eq!(found.read_f32().unwrap(), values, "{name}");
    }
    assert_eq!(file.dataset("obsm/X_genes_map").unwrap().shape().unwrap(), [24, 2]);
    let text = |name: &str| file.dataset(name).unwrap().read_string().unwrap();
    let roles = text("var/p_role");
    assert_eq!(roles.iter().filter(|role| *role == "landmark").count(), 5);
    assert_eq!(roles.iter().filter(|role| *role == "inferred").count(), 15);
    assert_eq!(file.dataset("var/panel_score").unwrap().shape().unwrap(), [20]);
    let ranked: Vec<f64> = file.dataset("var/panel_rank").unwrap().read_f64().unwrap();
    assert_eq!(ranked.iter().filter(|rank| !rank.is_nan()).count(), 5);
    assert_eq!(file.dataset("obs/genes_tree").unwrap().shape().unwrap(), [24]);

    let refused = |arguments: &[&str], what: &str| {
        let (code, _, error) = common::genelift(arguments);
        assert!(code != Some(0) && error.contains(what), "{code:?} {error}");
    };
    refused(&["export", &data, "-o", &at("x.tsv"), "--with", &at("e.tsv")], ".h5ad");
    done(&["simulate", "--samples", "4", "--genes", "3", "-o", &at("y.tsv")]);
    std::fs::write(at("other.tsv"), "sample_id\tx\nnobody\t1\n").unwrap();
    refused(&["export", &data, "-o", &at("z.h5ad"), "--with", &at("other.tsv")], "none of its samples");
    std::fs::write(at("none.tsv"), "a\tb\n1\t2\n").unwrap();
    refused(&["export", &data, "-o", &at("z.h5ad"), "--with", &at("none.tsv")], "gene_id or sample_id");
    refused(&["embed", &at("m.safetensors"), &data, "-o", &at("f.tsv"), "--label", "tissue"], "study");
}

/// Tables of results as Parquet, which our own reader takes back.
#[test]
#[cfg(feature = "parquet")]
fn a_table_of_results_becomes_parquet() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    done(&["simulate", "--samples", "30", "--genes", "12", "-o", &at("x.gex")]);
    done(&["select", "--store", &at("x.gex"), "-n", "7", "-o", &at("l.tsv")]);
    assert!(done(&["export", &at("l.tsv"), "-o", &at("l.parquet")]).contains("rows\t7"));
    done(&["import", &at("l.parquet"), "-o", &at("back.gex"), "--orientation", "genes-by-samples"]);
    let back = Store::open(&dir.path().join("back.gex")).unwrap();
    assert_eq!(back.n_genes(), 7);
    let (code, _, error) = common::genelift(&["export", &at("l.tsv"), "-o", &at("l.csv")]);
    assert!(code == Some(2) && error.contains(".parquet"), "{code:?} {error}");
    let (code, _, error) = common::genelift(&["export", &at("l.tsv"), "-o", &at("l.parquet")]);
    assert!(code == Some(1) && error.contains("already exists"), "{code:?} {error}");
}
