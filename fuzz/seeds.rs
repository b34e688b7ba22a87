//! What inputs for the parsers are made of.

use std::path::Path;

use genelift::attribution::ScoreTable;
use genelift::device;
use genelift::device::recording::Activation;
use genelift::genes::Table;
use genelift::infer::{FitSettings, LinearSettings, Method, Predictor};
use genelift::nn::checkpoint::{Checkpoint, Moments};
use genelift::nn::model::{Input, Model, Shape};
use genelift::progress::silent;
use genelift::store::Store;

/// Small files for a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats");
    let read = |names: &[&str]| -> Vec<Vec<u8>> {
        names.iter().map(|name| std::fs::read(data.join(name)).expect("a file of the tests")).collect()
    };
    match target {
        "text" => {
            let mut seeds = read(&["made/awkward.tsv", "made/packed.csv.bz2"]);
            seeds.extend(
                [
                    &b"id,a,b\n\"x,y\",1,\"2\"\nz,NA,-3e5\n"[..],
                    b"a\tb\nr1\t1\t2\nr2\t3\t4\n",
                    b"# c\n#it A B\n0 1 2\n1 3 4\n",
                ]
                .map(<[u8]>::to_vec),
            );
            seeds
        }
        "gct" => read(&["test_v1point2_n5x10.gct", "mini_gctoo_for_testing.gct"]),
        "series_matrix" => {
            let packed = read(&["made/GSE1_series_matrix.txt.gz"]).remove(0);
            let mut text = Vec::new();
            let mut unpack = flate2::read::MultiGzDecoder::new(packed.as_slice());
            std::io::Read::read_to_end(&mut unpack, &mut text).expect("packed well");
            vec![text]
        }
        "mtx" => read(&[
            "made/columns.mtx",
            "made/shuffled.mtx",
            "made/array.mtx",
            "made/symmetric.mtx",
            "made/symmetric_array.mtx",
            "made/skew_array.mtx",
        ]),
        "npy" => {
            let header = |descr: &str, order: &str| {
                let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': (3, 5), }}");
                text.extend(std::iter::repeat_n(' ', 117 - text.len()));
                text.push('\n');
                [&b"\x93NUMPY\x01\x00"[..], &118u16.to_le_bytes(), text.as_bytes(), &[7; 60]].concat()
            };
            vec![header("<f4", "False"), header(">i4", "True")]
        }
        "parquet" => read(&[
            "made/columns.parquet",
            "made/pandas.parquet",
            "made/zstd.parquet",
            "../field/packed_lz4.parquet",
            "../field/packed_zstd_v2.parquet",
            "../field/genes_by_samples.parquet",
        ]),
        "h5ad" => {
            let mut seeds = read(&[
                "dense.h5ad",
                "../hdf5/csr.h5ad",
                "../hdf5/csc.h5ad",
                "../hdf5/old.h5ad",
                "../hdf5/chunks.h5ad",
            ]);
            let filters =
                ["bitshuffle", "blosc_blosclz", "blosc_lz4", "blosc_zlib", "lz4", "lzf", "zstd_sparse"];
            seeds.extend(filters.map(|name| field(&format!("filter_{name}.h5ad.gz"))));
            seeds
        }
        "h5mu" => vec![field("one.h5mu.gz")],
        "archs4" => vec![field("archs4.h5.gz")],
        "gctx" => read(&["mini_gctx_with_metadata_n2x3.gctx", "../hdf5/rows.gctx", "../hdf5/whole.gctx"]),
        "tenx" => read(&["../hdf5/10x_v2.h5", "../hdf5/two_genomes.h5"]),
        "loom" => read(&["../hdf5/small.loom"]),
        "xlsx" => read(&["../field/dates.xlsx", "../field/two_sheets.xlsx"]),
        "xls" => read(&["../field/sheet.xls"]),
        "ods" => read(&["../field/sheet.ods"]),
        "gmt" => gene_sets(),
        "list" | "labels" | "table" | "map" => texts(),
        "scores" => vec![written(|path| scores().write(path, true, Default::default()).expect("written"))],
        "description" => vec![description()],
        "sealed" => {
            let files = serde_json::json!({ "a.tsv": crate::drive::mend::xxh3(b"a\n") });
            vec![serde_json::json!({ "files": files, "genelift": "0" }).to_string().into_bytes()]
        }
        "model" => vec![unsigned(written(|path| model().save(path, false).expect("written")))],
        "checkpoint" => vec![unsigned(written(|path| checkpoint().save(path).expect("written")))],
        "predictor" => vec![unsigned(predictor())],
        "toml" => ["brca.toml", "paper.toml"].map(example).to_vec(),
        "run_json" => vec![RUN.as_bytes().to_vec()],
        "store_json" => vec![store_json()],
        "prepare_json" => STEPS.map(|steps| format!("{PARAMETERS}{steps}]}}").into_bytes()).to_vec(),
        "arrow" => read(&["made/columns.arrow", "made/lz4.feather", "made/zstd.feather"]),
        _ => read(&["made/csr.npz", "made/csc.npz", "made/named.npz", "made/one.npz"]),
    }
}

fn example(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)).expect("an example")
}

/// Lists and tables as people keep them.
fn texts() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 6] = [
        b"TP53\nBRCA1\n2-Sep\n",
        b"rank\tgene_id\tscore\n1\tTP53\t0.5\n2\tMYC\t0.25\n",
        b"\"id\";\"symbol\"\n\"1007_s_at\";\"DDR1 /// MIR4640\"\n",
        b"#GPL96\nID\tGene Symbol\tENTREZ_GENE_ID\n1053_at\tRFC2\t5982\n",
        b"\xff\xfeg\0e\0n\0e\0\n\0a\0\n\0",
        b"gene_id,tissue,age\ns1,liver,30\ns2,\"brain, left\",NA\n",
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}

/// Gene sets of both kinds of line ends, with what people leave in them.
fn gene_sets() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 3] = [
        b"GO:0003700\tDNA-binding\tTP53\tGATA3\tESR1\nGO:0005515\t\tTP53\tTP53\n",
        b"A\thttp://example.org\t7157\t2099\t\r\n\r\nB\tnone\r\n",
        b"\xef\xbb\xbfSET ONE\twords, and more\t TP53 \tMYC\n",
    ];
    texts.map(<[u8]>::to_vec).to_vec()
}

/// What begins every `prepare.json`.
const PARAMETERS: &str =
    r#"{"format":"genelift parameters","version":1,"genes":["g_1","g_2","g_3"],"steps":["#;

/// Steps of every kind, which lead from three genes to three.
const STEPS: [&str; 4] = [
    r#"{"step":"pick","genes":[2,0,1]},{"step":"log1p"},{"step":"range","from":[0.5,2.0],"to":[0.0,1.0]}"#,
    r#"{"step":"average","genes":[[0,1],[1],[2]],"weights":[[1.0,0.5],[1.0],[0.25]]},{"step":"log2p1"}"#,
    r#"{"step":"library-size","target":1000000.0},{"step":"quantiles","rule":"mean","profile":[1.0,2.5,4.0]}"#,
    r#"{"step":"quantiles","rule":"dense","profile":[1.0,2.0]},{"step":"dedup","dropped":["s9"]},{"step":"scale","offset":[1.0,2.0,3.0],"divisor":[0.5,0.0,1.5]}"#,
];

/// A run's record.
const RUN: &str = r#"{"format":"genelift run","versions":{"genelift":"0.1.0"},"config":{"seed":1},"device":{"name":"CPU"},
"stages":[{"name":"train","version":"0.1.0","settings":{"epochs":3},"inputs":[{"role":"store","path":"data.gex","sha256":"00ff"}],
"outputs":[{"role":"model","path":"model.safetensors","sha256":"11ee"}],"finished":true,"seconds":1.5,"facts":{"loss":0.5}}]}"#;

/// What a function writes to the path that it gets.
fn written(write: impl FnOnce(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x");
    write(&path);
    std::fs::read(path).expect("there")
}

/// A packed file of `tests/data/field`.
fn field(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/field").join(name);
    let packed = std::fs::read(path).expect("a file of the tests");
    let mut bytes = Vec::new();
    let mut unpack = flate2::read::MultiGzDecoder::new(packed.as_slice());
    std::io::Read::read_to_end(&mut unpack, &mut bytes).expect("packed well");
    bytes
}

/// Scores with a column more.
fn scores() -> ScoreTable {
    let mut genes = Table::numbered("gene_id", "g", 4);
    genes.set_column("symbol", ["TP53", "MYC", "a \"b\"", ""].map(String::from).to_vec());
    ScoreTable::rank(&genes, &[0.5, -2.25, 1e-9, 0.0])
}

/// The description of the table that the target writes.
fn description() -> Vec<u8> {
    crate::drive::mend::description(b"gene_id\tscore\na\t1\n").into_bytes()
}

/// A small model.
fn model() -> Model {
    let shape = Shape {
        genes: 3,
        hidden: vec![4, 2, 4],
        activation: Activation::Sigmoid,
        output_activation: Activation::Linear,
    };
    let input = Input { offset: vec![0.0; 3], scale: vec![1.0; 3], median: vec![0.5; 3] };
    let genes = ["a", "b", "c"].map(String::from).to_vec();
    Model::initial(&shape, genes, input, 1, serde_json::json!({"seed": 1}))
}

/// A run of that model after two steps.
fn checkpoint() -> Checkpoint {
    let model = model();
    let of = |n: usize| Moments { first: vec![0.5; n], second: vec![0.25; n] };
    let moments = model.layers.iter().map(|layer| (of(layer.weight.len()), of(layer.bias.len()))).collect();
    Checkpoint { model, moments, step: 2, history: Vec::new(), losses: vec![1.0, 2.0] }
}

/// A small predictor's file.
fn predictor() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, store) = (folder.path().join("p"), folder.path().join("s.gex"));
    crate::drive::small_store(&store);
    let store = Store::open(&store).expect("a store");
    let mut cpu = device::open("cpu", Some(1), &silent).expect("the CPU");
    let settings = FitSettings {
        method: Method::Linear,
        linear: LinearSettings { penalty: Some(1.0), ..Default::default() },
        ..Default::default()
    };
    let fitted = Predictor::fit(&mut *cpu, &store, &[0, 1], &[0], &[1, 2], &settings, &silent);
    fitted.expect("a fit").save(&path, false).expect("written");
    std::fs::read(path).expect("there")
}

/// A safetensors file without its checksum, so that changes get past it.
fn unsigned(bytes: Vec<u8>) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header");
    header["__metadata__"].as_object_mut().expect("metadata").remove("checksum").expect("a checksum");
    let mut text = header.to_string();
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &bytes[8 + length..]].concat()
}

/// A store's description without its own checksum.
fn store_json() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = folder.path().join("s.gex");
    crate::drive::small_store(&store);
    let text = std::fs::read(store.join("store.json")).expect("there");
    let mut value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    value.as_object_mut().expect("an object").remove("own-xxh3");
    value.to_string().into_bytes()
}
