//! What every fuzz target does: bytes become a file, the file is opened as one format and read, and nothing may panic,
//! hang or allocate what a header claims.

use std::path::Path;

use genelift::attribution::ScoreTable;
use genelift::formats::{ReadSettings, open};
use genelift::genes::{GeneList, Labels, Table};
use genelift::infer::Predictor;
use genelift::nn::model::Model;
use genelift::pipeline::config::Config;
use genelift::progress::silent;
use genelift::store::{Origin, Store, StoreWriter};

/// The readers: a name, the format to read as, the file's ending.
pub const TARGETS: [(&str, &str, &str); 20] = [
    ("text", "", "txt"),
    ("gct", "gct", "gct"),
    ("series_matrix", "series-matrix", "txt"),
    ("mtx", "mtx", "mtx"),
    ("npy", "npy", "npy"),
    ("npz", "npz", "npz"),
    ("arrow", "arrow", "arrow"),
    ("parquet", "parquet", "parquet"),
    ("h5ad", "h5ad", "h5ad"),
    ("gctx", "gctx", "gctx"),
    ("tenx", "10x", "h5"),
    ("loom", "loom", "loom"),
    ("list", "=list", "txt"),
    ("labels", "=labels", "tsv"),
    ("table", "=table", "tsv"),
    ("scores", "=scores", "tsv"),
    ("model", "=model", "safetensors"),
    ("predictor", "=predictor", "safetensors"),
    ("toml", "=toml", "toml"),
    ("store_json", "=store", "json"),
];

/// Values after which reading stops: a header may claim a large matrix of zeros honestly.
const ENOUGH: usize = 1 << 20;

/// Reads `bytes`, written to `path`, as `format` (empty: as its content says). Whether all of it was read.
pub fn drive(path: &Path, format: &str, bytes: &[u8]) -> bool {
    std::fs::write(path, bytes).expect("the directory for inputs is writable");
    if let Some(kind) = format.strip_prefix('=') {
        return other(path, kind, bytes);
    }
    let format = Some(format.to_string()).filter(|format| !format.is_empty());
    let settings = ReadSettings { format, memory: 32 << 20, ..ReadSettings::default() };
    let Ok(mut file) = open(path, &settings) else { return false };
    let (mut ids, mut values, mut read) = (Vec::new(), Vec::new(), 0);
    loop {
        match file.blocks.next(&mut ids, &mut values) {
            Err(_) => return false,
            Ok(false) => break,
            Ok(true) => {}
        }
        assert_eq!(values.len() % file.columns.len(), 0, "blocks are whole rows");
        read += values.len();
        values.clear();
        if read > ENOUGH {
            return true;
        }
    }
    let rows = file.rows.as_ref().map_or(ids.len(), |rows| rows.len());
    assert_eq!(read, rows * file.columns.len(), "every row has its values");
    for (_, fields) in file.blocks.row_columns() {
        assert_eq!(fields.len(), rows, "every row has its words");
    }
    true
}

/// What is no matrix: lists, tables, models, configurations, the description of a store.
fn other(path: &Path, kind: &str, bytes: &[u8]) -> bool {
    match kind {
        "list" => GeneList::open(path).is_ok(),
        "labels" => Labels::read(path, &silent).is_ok(),
        "table" => Table::read_tsv(path).is_ok(),
        "scores" => ScoreTable::read(path, &silent).is_ok(),
        "model" => Model::load(path).is_ok(),
        "predictor" => Predictor::load(path).is_ok(),
        "toml" => Config::read(path, &[]).is_ok(),
        _ => {
            let store = path.with_extension("gex");
            if !store.is_dir() {
                small_store(&store);
            }
            std::fs::write(store.join("store.json"), bytes).expect("the directory for inputs is writable");
            Store::open(&store).is_ok()
        }
    }
}

/// A store of two samples and three genes.
pub fn small_store(path: &Path) {
    let mut writer =
        StoreWriter::create(path, 3, genelift::element::Element::F32, true).expect("a place for a store");
    writer.push_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("written");
    let (genes, samples) = (Table::numbered("gene_id", "g", 3), Table::numbered("sample_id", "s", 2));
    writer.finish(genes, samples, Origin::default()).expect("written");
}
