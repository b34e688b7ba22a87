//! What every fuzz target does: bytes become a file, the file is opened as one format and read, and nothing may panic,
//! hang or allocate what a header claims.

use std::path::Path;

use genelift::formats::{ReadSettings, open};

/// The hand-written parsers: a name, the format to read as, the file's ending.
pub const TARGETS: [(&str, &str, &str); 7] = [
    ("text", "", "txt"),
    ("gct", "gct", "gct"),
    ("series_matrix", "series-matrix", "txt"),
    ("mtx", "mtx", "mtx"),
    ("npy", "npy", "npy"),
    ("npz", "npz", "npz"),
    ("arrow", "arrow", "arrow"),
];

/// Values after which reading stops: a header may claim a large matrix of zeros honestly.
const ENOUGH: usize = 1 << 20;

/// Reads `bytes`, written to `path`, as `format` (empty: as its content says). Whether all of it was read.
pub fn drive(path: &Path, format: &str, bytes: &[u8]) -> bool {
    std::fs::write(path, bytes).expect("the directory for inputs is writable");
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
