//! Properties of the readers and writers, over made-up input from a fixed seed: values come back to the bit and names letter
//! by letter, and no changed byte makes a parser panic.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use genelift::device::recording::Element;
use genelift::formats::{MatrixFile, Orientation, ReadSettings, export, open};
use genelift::genes::Table;
use genelift::progress::silent;
use genelift::store::{Origin, Store, StoreWriter};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

#[path = "../fuzz/drive.rs"]
mod drive;
#[path = "../fuzz/seeds.rs"]
mod seeds;

fn config(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(7);
    ProptestConfig {
        cases,
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..ProptestConfig::default()
    }
}

/// In memory where that can be: nothing here has to outlive the test.
fn place() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    let made = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

#[derive(Debug, Clone)]
struct Matrix {
    samples: Vec<String>,
    genes: Vec<String>,
    values: Vec<f32>,
}

/// Names that differ, of letters that `pattern` matches.
fn names(prefix: &'static str, pattern: &'static str) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(pattern, 1..20).prop_map(move |words| {
        words.into_iter().enumerate().map(|(i, word)| format!("{prefix}{i}{word}.")).collect()
    })
}

/// A matrix of any finite values.
fn matrix(pattern: &'static str) -> impl Strategy<Value = Matrix> {
    (names("s", pattern), names("g", pattern)).prop_flat_map(|(samples, genes)| {
        use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
        let value = NORMAL | SUBNORMAL | ZERO | NEGATIVE | POSITIVE;
        let values = proptest::collection::vec(value, samples.len() * genes.len());
        values.prop_map(move |values| Matrix { samples: samples.clone(), genes: genes.clone(), values })
    })
}

impl Matrix {
    fn store(&self, path: &Path) -> Store {
        let mut writer = StoreWriter::create(path, self.genes.len(), Element::F32, true).expect("created");
        writer.push_rows(&self.values).expect("pushed");
        let table = |ids: &[String]| Table::new("id", ids.to_vec());
        writer.finish(table(&self.genes), table(&self.samples), Origin::default()).expect("finished")
    }

    fn bits(&self) -> Vec<u32> {
        self.values.iter().map(|x| x.to_bits()).collect()
    }

    /// The same, the other way round.
    fn turned(&self) -> Matrix {
        let (n, width) = (self.samples.len(), self.genes.len());
        let values = (0..self.values.len()).map(|i| self.values[i % n * width + i / n]).collect();
        Matrix { samples: self.genes.clone(), genes: self.samples.clone(), values }
    }

    /// Whether values to the bit, and names, are those of another.
    fn is(&self, other: &Matrix) -> bool {
        self.bits() == other.bits() && self.samples == other.samples && self.genes == other.genes
    }
}

/// All of a file, by samples where its format tells how it lies, else as it lies.
fn read(path: &Path) -> Matrix {
    let mut file: MatrixFile = open(path, &ReadSettings::default()).unwrap_or_else(|e| panic!("{e}"));
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    while file.blocks.next(&mut ids, &mut values).unwrap_or_else(|e| panic!("{e}")) {}
    let rows = file.rows.map_or(ids, |rows| rows.ids);
    let by_genes = (file.natural == Some(Orientation::GenesBySamples)) != file.transposed;
    let found = Matrix { samples: rows, genes: file.columns.ids, values };
    if by_genes { found.turned() } else { found }
}

fn put(directory: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

/// A zip archive of stored members, as `numpy.savez` writes it.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let mut common = [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0].to_vec(); // version, flags, method, time, date
        for word in [crc.sum(), bytes.len() as u32, bytes.len() as u32, name.len() as u32] {
            common.extend(word.to_le_bytes()); // the last one is two lengths of two bytes: name, further fields
        }
        directory.extend(
            [
                &b"PK\x01\x02\x14\x00"[..],
                &common,
                &[0; 10],
                &(out.len() as u32).to_le_bytes(),
                name.as_bytes(),
            ]
            .concat(),
        );
        out.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), bytes].concat());
    }
    let (start, n) = (out.len() as u32, members.len() as u16);
    out.extend(&directory);
    let counts = [[0; 2], [0; 2], n.to_le_bytes(), n.to_le_bytes()].concat();
    out.extend(
        [&b"PK\x05\x06"[..], &counts, &(directory.len() as u32).to_le_bytes(), &start.to_le_bytes(), &[0; 2]]
            .concat(),
    );
    out
}

proptest! {
    #![proptest_config(config(200))]

    /// Names of any letters but control characters, quotes and delimiters among them.
    #[test]
    fn exports_come_back(matrix in matrix("\\PC{0,8}")) {
        let place = place();
        let store = matrix.store(&place.path().join("s.gex"));
        let export = |ending: &str| {
            let path = place.path().join(format!("x.{ending}"));
            export(&store, &path, true, &silent).expect("exported");
            path
        };
        let parquet = cfg!(feature = "parquet").then_some("parquet");
        for ending in ["tsv", "csv", "h5ad", "gctx"].into_iter().chain(parquet) {
            let found = read(&export(ending));
            prop_assert!(found.is(&matrix), "{}: {:?}", ending, found);
        }
        let npy = export("npy");
        prop_assert_eq!(read(&npy).bits(), matrix.bits());
        let npy = std::fs::read(npy).expect("there");
        let packed = put(place.path(), "x.npz", zip(&[("notes.npy", b"?"), ("X.npy", &npy)]));
        prop_assert_eq!(read(&packed).bits(), matrix.bits());
    }

    #[test]
    fn gct_comes_back(matrix in matrix("[^\\pC\t\"]{0,8}"), described in any::<bool>()) {
        let (n, genes, samples) = (matrix.samples.len(), matrix.genes.len(), matrix.samples.join("\t"));
        let mut text = match described {
            true => format!("#1.3\n{genes}\t{n}\t1\t1\nid\tsymbol\t{samples}\ndose{}\n", "\t1".repeat(n + 1)),
            false => format!("#1.2\n{genes}\t{n}\nNAME\tDescription\t{samples}\n"),
        };
        for (gene, row) in matrix.genes.iter().zip(matrix.turned().values.chunks_exact(n)) {
            text += &format!("{gene}\twords");
            row.iter().for_each(|x| text += &format!("\t{x:e}"));
            text += "\n";
        }
        let place = place();
        let found = read(&put(place.path(), "x.gct", text));
        prop_assert!(found.is(&matrix), "{:?}", found);
    }

    /// Entries in any order; those that are not told are zero.
    #[test]
    fn mtx_comes_back(
        mut matrix in matrix("x"),
        order in any::<u64>(),
        kept in proptest::collection::vec(any::<bool>(), 400),
    ) {
        let width = matrix.genes.len();
        let values = matrix.values.iter_mut().zip(&kept).filter(|(x, kept)| !**kept || **x == 0.0);
        values.for_each(|(x, _)| *x = 0.0);
        let mut entries: Vec<usize> = (0..matrix.values.len()).filter(|i| matrix.values[*i] != 0.0).collect();
        entries.sort_by_key(|i| (*i as u64).wrapping_mul(order | 1));
        let (n, told) = (matrix.samples.len(), entries.len());
        let mut text = format!("%%MatrixMarket matrix coordinate real general\n{width} {n} {told}\n");
        for i in entries {
            text += &format!("{} {} {:e}\n", i % width + 1, i / width + 1, matrix.values[i]);
        }
        let place = place();
        prop_assert_eq!(read(&put(place.path(), "x.mtx", text)).bits(), matrix.bits());
    }
}

/// Else changes of it would go no further than its own fault.
#[test]
fn every_target_has_something_that_is_read_whole() {
    let place = place();
    for (target, format, ending) in drive::TARGETS {
        let path = place.path().join(format!("{target}.{ending}"));
        let mut reached = Vec::new();
        seeds::of(target).iter().for_each(|bytes| reached.push(drive::drive(&path, format, bytes)));
        assert!(reached.contains(&drive::Reached::Whole), "{target}: {reached:?}");
    }
}

/// What other programs wrote has the checksums that it gets.
#[test]
fn checksums_of_whole_files_stay() {
    for target in ["gctx", "npz", "xlsx", "ods"] {
        for (i, bytes) in seeds::of(target).into_iter().enumerate() {
            assert!(drive::mend::mended(bytes.clone()) == bytes, "{target} {i}");
        }
    }
}

#[test]
fn a_changed_byte_gets_another_checksum() {
    let (before, after) = (zip(&[("a", b"?"), ("X.npy", b"one")]), zip(&[("a", b"?"), ("X.npy", b"onf")]));
    let mut changed = before.clone();
    let at = before.windows(3).position(|word| word == b"one").expect("stored as it is");
    changed[at + 2] = b'f';
    let directory = after.windows(4).position(|word| word == b"PK\x01\x02").expect("a directory");
    assert_eq!(drive::mend::mended(changed)[directory..], after[directory..]);
    let new = seeds::of("gctx").into_iter().find(|bytes| bytes[8] > 1).expect("one of the newer kind");
    let mut changed = new.clone();
    changed[28] ^= 1; // the end of the file, by the superblock
    assert_ne!(drive::mend::mended(changed)[44..48], new[44..48]);
}

/// Of every target.
static SEEDS: LazyLock<Vec<Vec<Vec<u8>>>> =
    LazyLock::new(|| drive::TARGETS.iter().map(|(target, ..)| seeds::of(target)).collect());

/// A change of a file: what is put where, over how many bytes.
fn change() -> impl Strategy<Value = (Index, usize, Vec<u8>)> {
    const WORDS: &[&str] = &[
        "\t",
        "\n",
        "\"",
        "\r",
        ",",
        "-1",
        "NA",
        "1e999",
        "18446744073709551615",
        "4294967296",
        "0",
        "#",
        "%",
        "\u{feff}",
    ];
    let word = proptest::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec());
    (any::<Index>(), 0..24usize, prop_oneof![word, proptest::collection::vec(any::<u8>(), 0..12)])
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn changed_files_never_panic(seed in any::<Index>(), near in any::<bool>(), changes in proptest::collection::vec(change(), 1..6)) {
        let place = place();
        for ((target, format, ending), seeds) in drive::TARGETS.into_iter().zip(&*SEEDS) {
            let mut bytes = seed.get(seeds).clone();
            for (at, length, word) in &changes {
                // Headers matter most.
                let start = at.index(if near { bytes.len().min(200) } else { bytes.len() } + 1).min(bytes.len());
                let end = (start + length).min(bytes.len());
                bytes.splice(start..end, word.iter().copied());
            }
            drive::drive(&place.path().join(format!("{target}.{ending}")), format, &bytes);
        }
    }
}
