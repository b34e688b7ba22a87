//! What inputs for the parsers are made of.

use std::path::Path;

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
        "arrow" => read(&["made/columns.arrow", "made/lz4.feather", "made/zstd.feather"]),
        _ => read(&["made/csr.npz", "made/csc.npz", "made/named.npz", "made/one.npz"]),
    }
}
