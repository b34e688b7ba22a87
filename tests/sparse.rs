//! Sparse stores: every command gives what it gives of the dense store of the same values.

mod common;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use genelift::device::random::pcg4d;
use genelift::store::{Layout, Store};

fn genelift(dir: &Path, words: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_genelift");
    Command::new(program).current_dir(dir).args(words.split(' ')).stdin(Stdio::null()).output().unwrap()
}

fn succeed(dir: &Path, words: &str) -> String {
    let output = genelift(dir, words);
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Counts of cells, four in five of them zero; one cell and one gene have none at all.
fn counts(dir: &Path, cells: usize, genes: usize) {
    let mut text = String::from("cell");
    (0..genes).for_each(|gene| text += &format!("\tgene{gene}"));
    let mut labels = String::from("cell\tdonor\n");
    for cell in 0..cells {
        text += &format!("\ncell{cell}");
        labels += &format!("cell{cell}\tdonor{}\n", cell % 6);
        for gene in 0..genes {
            let [a, b, ..] = pcg4d([cell as u32, gene as u32, 0, 9]);
            let [of_type, ..] = pcg4d([(cell % 4) as u32, (gene / 3) as u32, 1, 9]);
            let likely = if of_type % 3 == 0 { 2 } else { 8 };
            let none = cell == 5 || gene == 7 || a % 10 < likely;
            text += &format!("\t{}", if none { 0 } else { 1 + b % 9 });
        }
    }
    std::fs::write(dir.join("counts.tsv"), text + "\n").unwrap();
    std::fs::write(dir.join("labels.tsv"), labels).unwrap();
}

/// Of models the tensors: what describes them names the store that they were made from.
fn same(dir: &Path, name: &str, [one, other]: [&str; 2]) {
    let read = |layout: &str| {
        let path = dir.join(layout).join(name);
        let mut bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if name.ends_with(".safetensors") {
            let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            bytes.drain(..8 + header);
        }
        assert!(!bytes.is_empty());
        bytes
    };
    assert!(read(one) == read(other), "{name} of {other} differs");
}

#[test]
fn every_command_takes_either_layout() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    counts(dir, 140, 90);
    let layouts = ["dense", "sparse"];
    let gpu = String::from_utf8_lossy(&genelift(dir, "devices").stdout).contains("llvmpipe");
    if !gpu {
        assert!(std::env::var("GENELIFT_REQUIRE_GPU").is_err(), "no llvmpipe");
        eprintln!("SKIPPED on the GPU: there is no llvmpipe");
    }
    for layout in layouts {
        let here = dir.join(layout);
        std::fs::create_dir(&here).unwrap();
        let run = |words: &str| succeed(&here, words);
        run(&format!("import ../counts.tsv --labels ../labels.tsv -o raw.gex --layout {layout} --dtype f16"));
        run("verify raw.gex");
        run("prepare raw.gex -o x.gex --min-detected 0.01 --library-size=100 --log1p");
        run("split x.gex -o parts --fractions 0.7,0.3 --group-by donor");
        run(
            "train parts/train.gex -o m.safetensors --hidden 12,6,12 --epochs 3 --batch 16 --validation 0.2 --group-by donor",
        );
        run(
            "train parts/train.gex -o streamed.safetensors --hidden 12,6,12 --epochs 3 --batch 16 --validation 0.2 --group-by donor --resident never",
        );
        run(
            "train parts/train.gex -o resident.safetensors --hidden 12,6,12 --epochs 3 --batch 16 --validation 0.2 --group-by donor --resident always",
        );
        if gpu {
            run("train parts/train.gex -o gpu.safetensors --hidden 12,6,12 --epochs 2 --device gpu:llvmpipe");
            run("attribute gpu.safetensors parts/train.gex -o gpu.tsv --device gpu:llvmpipe");
        }
        run("evaluate m.safetensors parts/test.gex -o evaluation");
        run("attribute m.safetensors parts/train.gex -o scores.tsv");
        run("attribute m.safetensors parts/train.gex -o median.tsv --reference median");
        for strategy in ["diverse", "css", "variance", "pca", "k-medoids"] {
            run(&format!("select --strategy {strategy} --store parts/train.gex -n 12 -o {strategy}.tsv"));
        }
        for (method, options) in
            [("linear", ""), ("kernel", ""), ("knn", ""), ("mlp", " --epochs 3 --hidden 8")]
        {
            run(&format!(
                "fit parts/train.gex --landmarks diverse.tsv --method {method}{options} -o {method}.safetensors"
            ));
            run(&format!("predict {method}.safetensors parts/test.gex -o {method}.gex --replace"));
        }
        run(
            "compare --train parts/train.gex --test parts/test.gex --landmarks a=diverse.tsv b=css.tsv --size 6,12 --random-draws 2 -o comparison",
        );
        run("embed m.safetensors parts/test.gex -o embedding.tsv");
        run("cluster parts/test.gex --label donor --model m.safetensors -o clusters");
        for name in ["x.tsv", "x.npy", "x.h5ad"] {
            run(&format!("export x.gex -o {name}"));
        }
        let means = run("info x.gex");
        assert_eq!(means.contains("sparse"), layout == "sparse", "{means}");
    }
    let either = |name: &str| same(dir, name, layouts);
    for name in ["m", "streamed", "resident", "linear", "kernel", "knn", "mlp"]
        .map(|name| format!("{name}.safetensors"))
    {
        either(&name);
    }
    if gpu {
        either("gpu.safetensors");
        either("gpu.tsv");
    }
    for name in ["scores", "median", "diverse", "css", "variance", "pca", "k-medoids", "embedding", "x"] {
        either(&format!("{name}.tsv"));
    }
    for name in [
        "x.npy",
        "evaluation/genes.tsv",
        "comparison/12/genes.tsv",
        "comparison/curve.tsv",
        "linear.gex/matrix.npy",
        "kernel.gex/matrix.npy",
    ] {
        either(name);
    }
    // what is made of a sparse store is sparse
    for (store, layout) in
        [("x.gex", Layout::Sparse), ("parts/test.gex", Layout::Sparse), ("linear.gex", Layout::Dense)]
    {
        assert_eq!(Store::open(&dir.join("sparse").join(store)).unwrap().layout(), layout, "{store}");
    }
}

#[test]
fn steps_that_leave_no_zeros_write_all_values() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    counts(dir, 30, 20);
    for layout in ["dense", "sparse"] {
        succeed(dir, &format!("import counts.tsv -o {layout}.gex --layout {layout}"));
    }
    for (steps, layout) in [
        ("--log1p --zscore", Layout::Dense),
        ("--log1p --min-max", Layout::Sparse),
        ("--quantile-normalize", Layout::Dense),
    ] {
        succeed(dir, &format!("prepare dense.gex -o a.gex --force {steps}"));
        let output = genelift(dir, &format!("prepare sparse.gex -o b.gex --force {steps}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            said.contains("b.gex: all values are written, since the steps leave no zeros"),
            layout == Layout::Dense,
            "{said}"
        );
        let [a, b] = ["a.gex", "b.gex"].map(|name| Store::open(&dir.join(name)).unwrap());
        assert_eq!(b.layout(), layout);
        let (mut one, mut other) = (vec![0.0; a.n_genes()], vec![0.0; a.n_genes()]);
        for sample in 0..a.n_samples() {
            a.read_row(sample, &mut one);
            b.read_row(sample, &mut other);
            assert_eq!(one, other);
        }
    }
    // a store is taken as it is
    succeed(dir, "import sparse.gex -o copy.gex");
    for name in ["data.npy", "indices.npy", "indptr.npy", "samples.tsv"] {
        assert!(
            std::fs::read(dir.join("sparse.gex").join(name)).unwrap()
                == std::fs::read(dir.join("copy.gex").join(name)).unwrap()
        );
    }
    assert!(succeed(dir, "info copy.gex").contains("% are not zero"));
}

/// Files whose values are sparse by samples, by genes, or dense, and cut into chunks either way.
#[test]
fn any_file_gives_the_same_values_in_either_layout() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for file in [
        "hdf5/csr.h5ad",
        "hdf5/csc.h5ad",
        "hdf5/10x_v2.h5",
        "hdf5/10x_v3.h5",
        "hdf5/old.h5ad",
        "hdf5/chunks.h5ad",
        "hdf5/small.loom",
        "hdf5/columns.gctx",
        "formats/10x_v3_mtx",
        "formats/anndata_v0.7.0.h5ad",
        "formats/dense.h5ad",
        "field/genes_by_samples.parquet",
    ] {
        let [dense, sparse] = ["dense", "sparse"].map(|layout| {
            let (source, out) = (data.join(file), format!("{layout}.gex"));
            let _ = std::fs::remove_dir_all(dir.join(&out));
            succeed(dir, &format!("import {} -o {out} --layout {layout}", source.display()));
            Store::open(&dir.join(out)).unwrap()
        });
        assert_eq!((dense.layout(), sparse.layout()), (Layout::Dense, Layout::Sparse));
        assert_eq!((&dense.genes().ids, &dense.samples().ids), (&sparse.genes().ids, &sparse.samples().ids));
        let (mut one, mut other) = (vec![0.0; dense.n_genes()], vec![0.0; dense.n_genes()]);
        for sample in 0..dense.n_samples() {
            dense.read_row(sample, &mut one);
            sparse.read_row(sample, &mut other);
            // NaN is NaN, and 0 is −0
            let bits = |row: &[f32]| row.iter().map(|value| (value + 0.0).to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&one), bits(&other), "{file}, sample {sample}");
            let not_zero = one.iter().filter(|value| **value != 0.0).count();
            assert_eq!(sparse.n_held(sample), not_zero, "{file}, sample {sample}");
        }
    }
}

/// Where few values are not zero, products of genes come from those alone, in double precision: the same lists.
#[test]
fn selections_from_what_is_not_zero_are_those_of_all_values() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (cells, genes) = (400, 70);
    let mut text = String::from("cell");
    (0..genes).for_each(|gene| text += &format!("\tgene{gene}"));
    for cell in 0..cells {
        text += &format!("\ncell{cell}");
        for gene in 0..genes {
            // a programme of ten genes is on in one cell of eight
            let [on, ..] = pcg4d([cell, gene / 10, 2, 4]);
            let [a, b, ..] = pcg4d([cell, gene, 0, 4]);
            let likely = if on % 8 == 0 { 40 } else { 1 };
            text += &format!("\t{}", if a % 100 < likely { 1 + b % 9 } else { 0 });
        }
    }
    std::fs::write(dir.join("counts.tsv"), text + "\n").unwrap();
    for layout in ["dense", "sparse"] {
        succeed(
            dir,
            &format!("import counts.tsv -o {layout}.gex --layout {layout} --orientation samples-by-genes"),
        );
        for strategy in ["diverse", "facility-location", "k-medoids"] {
            succeed(
                dir,
                &format!(
                    "select --strategy {strategy} --store {layout}.gex -n 9 -o {strategy}-{layout}.tsv --device cpu"
                ),
            );
        }
    }
    let store = Store::open(&dir.join("sparse.gex")).unwrap();
    let held: usize = (0..store.n_samples()).map(|sample| store.n_held(sample)).sum();
    assert!(held * 10 <= store.n_samples() * store.n_genes(), "{held} values are not zero");
    for strategy in ["diverse", "facility-location", "k-medoids"] {
        let list = |layout: &str| {
            let text = std::fs::read_to_string(dir.join(format!("{strategy}-{layout}.tsv"))).unwrap();
            let column = text.lines().next().unwrap().split('\t').position(|name| name == "gene_id").unwrap();
            text.lines()
                .skip(1)
                .map(|row| row.split('\t').nth(column).unwrap().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(list("sparse"), list("dense"), "{strategy}");
        assert_eq!(list("sparse").len(), 9);
    }
}
