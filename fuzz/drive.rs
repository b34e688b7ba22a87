//! What every fuzz target does: bytes become a file, the file is opened as one format and read, and nothing may panic,
//! hang or allocate what a header claims.

use std::path::Path;

use genelift::attribution::ScoreTable;
use genelift::enrich::Collection;
use genelift::formats::{ReadSettings, open};
use genelift::genes::{GeneList, Labels, MapSettings, ProbeMap, Sheet, Table, Untold};
use genelift::infer::Predictor;
use genelift::nn::checkpoint::Checkpoint;
use genelift::nn::model::Model;
use genelift::nn::tensors::TensorFile;
use genelift::pipeline::config::Config;
use genelift::pipeline::record::Record;
use genelift::prepare::prepare_like;
use genelift::progress::silent;
use genelift::store::{Origin, Store, StoreWriter, sealed};

#[path = "mend.rs"]
pub mod mend;

/// The readers: a name, the format to read as, the file's ending.
pub const TARGETS: [(&str, &str, &str); 32] = [
    ("text", "", "txt"),
    ("gct", "gct", "gct"),
    ("series_matrix", "series-matrix", "txt"),
    ("mtx", "mtx", "mtx"),
    ("npy", "npy", "npy"),
    ("npz", "npz", "npz"),
    ("arrow", "arrow", "arrow"),
    ("parquet", "parquet", "parquet"),
    ("h5ad", "h5ad", "h5ad"),
    ("h5mu", "h5mu", "h5mu"),
    ("gctx", "gctx", "gctx"),
    ("tenx", "10x", "h5"),
    ("loom", "loom", "loom"),
    ("archs4", "archs4", "h5"),
    ("xlsx", "xlsx", "xlsx"),
    ("xls", "xlsx", "xls"),
    ("ods", "xlsx", "ods"),
    ("list", "=list", "txt"),
    ("labels", "=labels", "tsv"),
    ("table", "=table", "tsv"),
    ("map", "=map", "tsv"),
    ("gmt", "=gmt", "gmt"),
    ("scores", "=scores", "tsv"),
    ("description", "=description", "json"),
    ("sealed", "=sealed", "json"),
    ("model", "=model", "safetensors"),
    ("checkpoint", "=checkpoint", "checkpoint"),
    ("predictor", "=predictor", "safetensors"),
    ("toml", "=toml", "toml"),
    ("run_json", "=run", "json"),
    ("store_json", "=store", "json"),
    ("prepare_json", "=prepare", "json"),
];

/// How far an input came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The first check refused it: signature and header; no table, no TOML, no JSON, no safetensors.
    Nothing,
    /// It was refused later.
    Begun,
    /// All of it was read.
    Whole,
}

/// Values after which reading stops: a header may claim a large matrix of zeros honestly.
const ENOUGH: usize = 1 << 20;

/// What maps are asked for.
const PROBES: [&str; 3] = ["1007_s_at", "1053_at", "TP53"];

/// Reads `bytes`, with what checksums they have mended and written to `path`, as `format` (empty: as its content says).
pub fn drive(path: &Path, format: &str, bytes: &[u8]) -> Reached {
    let bytes = &mend::mended(bytes.to_vec());
    put(path, bytes);
    if let Some(kind) = format.strip_prefix('=') {
        return match other(path, kind, bytes) {
            true => Reached::Whole,
            false if begins(path, kind, bytes) => Reached::Begun,
            false => Reached::Nothing,
        };
    }
    let format = Some(format.to_string()).filter(|format| !format.is_empty());
    let settings = ReadSettings { format, memory: 32 << 20, ..ReadSettings::default() };
    let Ok(mut file) = open(path, &settings) else { return Reached::Nothing };
    let (mut ids, mut values, mut read) = (Vec::new(), Vec::new(), 0);
    loop {
        match file.blocks.next(&mut ids, &mut values) {
            Err(_) => return Reached::Begun,
            Ok(false) => break,
            Ok(true) => {}
        }
        assert_eq!(values.len() % file.columns.len(), 0, "blocks are whole rows");
        read += values.len();
        values.clear();
        if read > ENOUGH {
            return Reached::Whole;
        }
    }
    let rows = file.rows.as_ref().map_or(ids.len(), |rows| rows.len());
    assert_eq!(read, rows * file.columns.len(), "every row has its values");
    for (_, fields) in file.blocks.row_columns() {
        assert_eq!(fields.len(), rows, "every row has its words");
    }
    Reached::Whole
}

/// What is no matrix: lists, tables, models, configurations, descriptions. Whether all of it was read.
fn other(path: &Path, kind: &str, bytes: &[u8]) -> bool {
    match kind {
        "list" => GeneList::open(path).is_ok(),
        "labels" => Labels::read(path, &silent).is_ok(),
        "table" => Table::read_tsv(path).is_ok(),
        "map" => ProbeMap::read(&MapSettings::of(path), &PROBES.map(String::from), &silent).is_ok(),
        "gmt" => Collection::open(path).is_ok(),
        "scores" => {
            put(&path.with_extension("tsv.json"), mend::description(bytes).as_bytes());
            ScoreTable::read(path, &silent).is_ok()
        }
        "description" => {
            let table = path.with_extension("tsv");
            put(&table, b"gene_id\tscore\na\t1\n");
            put(&path.with_extension("tsv.json"), bytes);
            ScoreTable::read(&table, &silent).is_ok()
        }
        "sealed" => {
            let folder = folder(path);
            put(&folder.join("a.tsv"), b"a\n");
            put(&folder.join("evaluation.json"), bytes);
            sealed::check(&folder).is_ok()
        }
        "model" => Model::load(path).is_ok(),
        "checkpoint" => Checkpoint::load(path).is_ok(),
        "predictor" => Predictor::load(path).is_ok(),
        "toml" => Config::read(path, &[]).is_ok(),
        "run" => {
            let folder = folder(path);
            put(&folder.join("run.json"), bytes);
            Record::read(&folder).is_ok()
        }
        "store" => {
            let store = described(path);
            put(&store.join("store.json"), bytes);
            Store::open(&store).is_ok()
        }
        _ => steps(path, bytes),
    }
}

/// Whether the first check of what is no matrix lets it pass.
fn begins(path: &Path, kind: &str, bytes: &[u8]) -> bool {
    match kind {
        "list" => Sheet::read(path, Untold::Row).is_ok(),
        "labels" | "table" | "map" | "scores" => Sheet::read(path, Untold::Header).is_ok(),
        "gmt" => std::str::from_utf8(bytes).is_ok_and(|text| text.contains('\t')),
        "model" | "checkpoint" | "predictor" => TensorFile::load(path).is_ok(),
        "toml" => std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<toml::Table>().is_ok()),
        _ => serde_json::from_slice::<serde_json::Value>(bytes).is_ok(),
    }
}

/// `prepare.json` of a store, applied to another one: what comes out is values, or nothing.
fn steps(path: &Path, bytes: &[u8]) -> bool {
    let (like, out) = (described(path), path.with_extension("out.gex"));
    put(&like.join("prepare.json"), bytes);
    let about = std::fs::read(like.join("store.json")).expect("a store's description");
    put(&like.join("store.json"), mend::of_parameters(&about, bytes).as_bytes());
    let Ok(like) = Store::open(&like) else { panic!("the store around prepare.json is whole") };
    let Ok(made) = prepare_like(&like, &out, &like, true, &silent) else { return false };
    let mut row = vec![0.0; made.n_genes()];
    for sample in 0..made.n_samples() {
        made.read_row(sample, &mut row);
        assert!(row.iter().all(|x| x.is_finite()), "a prepared store holds numbers");
    }
    true
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("the directory for inputs is writable");
}

/// An empty folder of the input's own, or the one that is there.
fn folder(path: &Path) -> std::path::PathBuf {
    let folder = path.with_extension("folder");
    std::fs::create_dir_all(&folder).expect("the directory for inputs is writable");
    folder
}

/// A small store of the input's own, or the one that is there.
fn described(path: &Path) -> std::path::PathBuf {
    let store = path.with_extension("gex");
    if !store.is_dir() {
        small_store(&store);
    }
    store
}

/// A store of two samples and three genes.
pub fn small_store(path: &Path) {
    let mut writer =
        StoreWriter::create(path, 3, genelift::element::Element::F32, true).expect("a place for a store");
    writer.push_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("written");
    let (genes, samples) = (Table::numbered("gene_id", "g", 3), Table::numbered("sample_id", "s", 2));
    writer.finish(genes, samples, Origin::default()).expect("written");
}
