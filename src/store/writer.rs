//! Writes a store: rows are appended to a temporary sibling, to which [`StoreWriter::finish`] gives its name.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use half::f16;

use super::atomic::{Kind, Place, Temporary};
use super::info::{self, Checksums, Layout, Origin, SPARSE_VERSION, StoreInfo, VERSION};
use super::sparse::{DATA, PLACES, PLACES_TYPE, STARTS, STARTS_TYPE};
use super::stream::{BLOCK, Pairs, Stream, push_values};
use super::{GENES, INFO, MATRIX, PARAMETERS, SAMPLES, Store, atomic, npy, signed};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::interrupt;

/// A store being written. Dropped before [`StoreWriter::finish`], it leaves nothing behind.
pub struct StoreWriter {
    path: PathBuf,
    place: Place,
    temporary: Temporary,
    values: Stream,
    /// Of a sparse store.
    pairs: Option<Pairs>,
    n_genes: usize,
    n_samples: usize,
    element: Element,
    halves: Vec<f16>,
    /// Sample, gene and value of the first value that the element type cannot hold.
    unfit: Option<(usize, usize, f32)>,
    parameters: Option<Vec<u8>>,
}

impl StoreWriter {
    /// Begins a dense store of `n_genes` columns at `path`.
    ///
    /// # Errors
    /// [`Error::Exists`] without `force`; with it, [`Error::Input`] where `path` is something other than a
    /// store; [`Error::Data`] for no genes or an element type that a store cannot hold.
    pub fn create(path: &Path, n_genes: usize, element: Element, force: bool) -> Result<StoreWriter> {
        StoreWriter::create_in(Layout::Dense, path, n_genes, element, force)
    }

    /// The same in either layout. Rows are given whole, whichever it is.
    ///
    /// # Errors
    /// As [`StoreWriter::create`].
    pub fn create_in(
        layout: Layout,
        path: &Path,
        n_genes: usize,
        element: Element,
        force: bool,
    ) -> Result<StoreWriter> {
        if n_genes == 0 {
            return Err(Error::Data(format!("{}: a store needs at least one gene", path.display())));
        }
        if info::descr(element).is_none() {
            return Err(Error::Data(format!("{}: a store holds f32 or f16", path.display())));
        }
        let place = Place::new(path, Kind::Store, force)?;
        let temporary = place.temporary();
        std::fs::create_dir(temporary.path()).map_err(Error::io(temporary.path(), "creating"))?;
        let stream = |name: &str| {
            let file = temporary.path().join(name);
            Stream::create(&file).map_err(Error::io(&file, "creating"))
        };
        let (values, pairs) = match layout {
            Layout::Dense => (stream(MATRIX)?, None),
            Layout::Sparse => {
                let (places, mut starts) = (stream(PLACES)?, stream(STARTS)?);
                starts.push(&0i64.to_le_bytes()).map_err(Error::io(path, "writing"))?;
                let pairs = Pairs {
                    places,
                    starts,
                    count: 0,
                    values: Vec::new(),
                    genes: Vec::new(),
                    begins: Vec::new(),
                };
                (stream(DATA)?, Some(pairs))
            }
        };
        Ok(StoreWriter {
            path: path.to_path_buf(),
            place,
            temporary,
            values,
            pairs,
            n_genes,
            n_samples: 0,
            element,
            halves: Vec::new(),
            unfit: None,
            parameters: None,
        })
    }

    /// Refuses to begin where the disk has too little room for so many samples.
    ///
    /// # Errors
    /// As [`atomic::check_space`].
    pub fn expect(&self, samples: usize) -> Result<()> {
        if self.pairs.is_some() {
            // nobody knows yet how many values are not zero
            return atomic::check_space(&self.path, super::sparse::size(samples, 0, self.element));
        }
        let values = (samples as u64).saturating_mul(self.n_genes as u64);
        atomic::check_space(&self.path, values.saturating_mul(self.element.bytes() as u64))
    }

    /// Rows written so far.
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Appends samples: `rows.len()` is a multiple of the number of genes.
    ///
    /// # Errors
    /// What the operating system refuses. A value that cannot be stored is told by [`StoreWriter::finish`],
    /// which knows its names.
    pub fn push_rows(&mut self, rows: &[f32]) -> Result<()> {
        interrupt::check()?;
        if !rows.len().is_multiple_of(self.n_genes) {
            return Err(Error::Data(format!(
                "{}: {} values are no whole number of rows of {} genes",
                self.path.display(),
                rows.len(),
                self.n_genes
            )));
        }
        let limit = if self.element == Element::F16 { F16_LIMIT } else { f32::INFINITY };
        let fits = |x: &f32| x.abs() < limit; // NaN does not
        // All are looked at together first: unlike a search for the first this is vectorised.
        if self.unfit.is_none()
            && !rows.iter().fold(true, |all, x| all & fits(x))
            && let Some(at) = rows.iter().position(|x| !fits(x))
        {
            self.unfit = Some((self.n_samples + at / self.n_genes, at % self.n_genes, rows[at]));
        }
        self.n_samples += rows.len() / self.n_genes;
        let written = match &mut self.pairs {
            None => push_values(&mut self.values, rows, self.element, &mut self.halves),
            Some(pairs) => {
                pairs.collect(rows, self.n_genes, self.element);
                push_values(&mut self.values, &pairs.values, self.element, &mut self.halves)
                    .and_then(|()| pairs.places.push(bytemuck::cast_slice(&pairs.genes)))
                    .and_then(|()| pairs.starts.push(bytemuck::cast_slice(&pairs.begins)))
            }
        };
        written.map_err(Error::io(&self.path, "writing"))
    }

    /// What the steps that make this store learned, for `prepare.json`.
    pub fn keep_parameters(&mut self, json: Vec<u8>) {
        self.parameters = Some(json);
    }

    /// Adds names and origin, syncs, and puts the store in its place.
    ///
    /// # Errors
    /// [`Error::Data`] for no samples, tables of another length or with an id twice, and for a value that
    /// is not finite or too large for f16, by gene and sample; what the operating system refuses.
    pub fn finish(mut self, mut genes: Table, mut samples: Table, origin: Origin) -> Result<Store> {
        let refuse = |message: String| Err(Error::Data(format!("{}: {message}", self.path.display())));
        if self.n_samples == 0 {
            return refuse("a store needs at least one sample".into());
        }
        for (table, word, n) in [(&genes, "gene", self.n_genes), (&samples, "sample", self.n_samples)] {
            if table.len() != n {
                return refuse(format!("{} {word} ids for {n} {word}s", table.len()));
            }
            if table.ids.iter().any(String::is_empty) {
                return refuse(format!("a {word} has no name"));
            }
            let mut names =
                std::collections::HashSet::from([if word == "gene" { "gene_id" } else { "sample_id" }]);
            if let Some(name) = table.column_names().into_iter().find(|name| !names.insert(name)) {
                return refuse(format!("the {word}s' column {name:?} occurs twice; rename one"));
            }
            if let Some((id, first, second)) = table.duplicate() {
                let places = format!("{word}s {} and {}", first + 1, second + 1);
                return refuse(format!("{word} id {id:?} occurs twice ({places}); every id must occur once"));
            }
        }
        if let Some((sample, gene, value)) = self.unfit {
            let why = if value.is_finite() {
                "is too large for f16 (65504 at most); store it as f32 or on a log scale"
            } else {
                "is not a finite number"
            };
            let (gene, sample) = (&genes.ids[gene], &samples.ids[sample]);
            return refuse(format!("{value} of gene {gene:?} in sample {sample:?} {why}"));
        }
        genes.key = "gene_id".into();
        samples.key = "sample_id".into();

        let descr = info::descr(self.element).expect("checked by create");
        let mut finished = match &self.pairs {
            None => self.values.finish(&npy::header(descr, self.n_samples, self.n_genes)),
            Some(pairs) => self.values.finish(&npy::header_of(descr, &[pairs.count])),
        };
        if let Some(pairs) = &mut self.pairs {
            finished = finished
                .and_then(|()| pairs.places.finish(&npy::header_of(PLACES_TYPE, &[pairs.count])))
                .and_then(|()| pairs.starts.finish(&npy::header_of(STARTS_TYPE, &[self.n_samples + 1])));
        }
        finished.map_err(Error::io(&self.path, "writing"))?;

        let files = RefCell::new(Vec::new());
        let write = |file: &str, bytes: &[u8]| -> Result<String> {
            let file = File::create(self.temporary.path().join(file))
                .and_then(|mut file| file.write_all(bytes).map(|()| file))
                .map_err(Error::io(&self.path, "writing"))?;
            files.borrow_mut().push(file);
            Ok(info::xxh3_hex(bytes))
        };
        let text = |table: &Table| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            table.write(&mut bytes).map_err(Error::io(&self.path, "writing"))?;
            Ok(bytes)
        };
        let info = StoreInfo {
            format: "genelift store".into(),
            version: if self.pairs.is_some() { SPARSE_VERSION } else { VERSION },
            shape: [self.n_samples, self.n_genes],
            dtype: descr.into(),
            pairs: self.pairs.as_ref().map(|pairs| pairs.count),
            origin,
            checksums: Checksums {
                genes: write(GENES, &text(&genes)?)?,
                samples: write(SAMPLES, &text(&samples)?)?,
                block_bytes: BLOCK as u64,
                blocks: std::mem::take(&mut self.values.blocks),
                indices: self
                    .pairs
                    .as_mut()
                    .map_or(Vec::new(), |pairs| std::mem::take(&mut pairs.places.blocks)),
                indptr: self
                    .pairs
                    .as_mut()
                    .map_or(Vec::new(), |pairs| std::mem::take(&mut pairs.starts.blocks)),
                parameters: self.parameters.as_deref().map(|json| write(PARAMETERS, json)).transpose()?,
            },
        };
        let json = serde_json::to_string_pretty(&info).expect("plain data become JSON");
        write(INFO, signed::sign(&json).as_bytes())?;
        // Together: the disk writes its journal once for all of them.
        let files = files.into_inner();
        let synced: std::io::Result<()> = std::thread::scope(|scope| {
            let pairs = self.pairs.iter().flat_map(|pairs| [&pairs.places, &pairs.starts]);
            let arrays = pairs.chain([&self.values]).map(|stream| stream.out.get_ref());
            let syncing = files.iter().chain(arrays).map(|file| scope.spawn(|| file.sync_all()));
            syncing.collect::<Vec<_>>().into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(std::io::Error::other("syncing was broken off")))
            })
        });
        synced.map_err(Error::io(&self.path, "writing"))?;
        atomic::sync_folders(self.temporary.path())?;
        self.place.put(&self.temporary)?;
        Store::mapped(&self.path, info, self.element, samples, genes)
    }
}

/// The first f32 that rounds to infinity in f16: half a step above 65504.
const F16_LIMIT: f32 = 65520.0;

#[cfg(test)]
mod tests {
    use super::super::sparse::Rows;
    use super::*;

    fn ids(prefix: &str, n: usize) -> Table {
        Table::numbered("id", prefix, n)
    }

    /// A value of sample s and gene g that f16 holds exactly.
    fn value(s: usize, g: usize) -> f32 {
        ((s * 31 + g * 7) % 512) as f32 / 4.0 - 20.0
    }

    fn build(path: &Path, n: usize, genes: usize, element: Element) -> Store {
        let mut writer = StoreWriter::create(path, genes, element, false).expect("created");
        let rows: Vec<f32> = (0..n * genes).map(|i| value(i / genes, i % genes)).collect();
        let (first, rest) = rows.split_at(genes * (n / 2));
        writer.push_rows(first).expect("pushed");
        writer.push_rows(rest).expect("pushed");
        writer.finish(ids("g", genes), ids("s", n), Origin::default()).expect("finished")
    }

    #[test]
    fn rows_and_columns_come_back_at_awkward_sizes() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (n, genes) in [(1, 1), (63, 65), (257, 31), (17, 70_001)] {
            for element in [Element::F32, Element::F16] {
                let path = dir.path().join(format!("{n}-{genes}-{element:?}.gex"));
                build(&path, n, genes, element);
                let store = Store::open(&path).expect("opens");
                assert_eq!((store.n_samples(), store.n_genes(), store.element()), (n, genes, element));
                let mut row = vec![0.0; genes];
                store.read_row(n - 1, &mut row);
                assert!((0..genes).all(|g| row[g] == value(n - 1, g)));
                let (first, last) = (genes / 3, genes.min(genes / 3 + 37));
                let mut columns = Vec::new();
                store.read_columns(first, last, &mut columns);
                assert!((0..columns.len()).all(|i| columns[i] == value(i % n, first + i / n)));
                assert_eq!(columns.len(), (last - first) * n);
            }
        }
    }

    /// Changes a byte of each file, the first, one in the middle and the last, cuts it short and takes it away.
    fn is_noticed(path: &Path, files: [&str; 3], middle: impl Fn(usize) -> usize) {
        for file in files {
            let file = path.join(file);
            let good = std::fs::read(&file).expect("readable");
            for at in [0, middle(good.len()), good.len() - 1] {
                let mut bad = good.clone();
                bad[at] ^= 1;
                std::fs::write(&file, &bad).expect("written");
                let message = Store::open(path).expect_err("must be noticed").to_string();
                assert!(message.contains("import it again"), "{message}");
            }
            std::fs::write(&file, &good[..good.len() - 1]).expect("written");
            Store::open(path).expect_err("truncated");
            std::fs::remove_file(&file).expect("there");
            Store::open(path).expect_err("missing");
            std::fs::write(&file, &good).expect("written");
        }
    }

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.gex");
        build(&path, 5, 300_000, Element::F32); // more than one block of checksums
        is_noticed(&path, [MATRIX, GENES, SAMPLES], |length| length / 2);
        Store::open(&path).expect("whole again");
    }

    /// Rows of pairs: none, all, the first, the last, and negative ones.
    fn sparse(path: &Path, element: Element) -> (Store, Vec<f32>) {
        let rows = vec![0.0, 0.0, 0.0, 1.0, 2.0, 3.5, 4.0, 0.0, 0.0, 0.0, 0.0, -5.0, 0.0, 0.0, -0.0];
        let mut writer = StoreWriter::create_in(Layout::Sparse, path, 3, element, true).expect("created");
        writer.push_rows(&rows[..6]).expect("pushed");
        writer.push_rows(&[]).expect("pushed");
        writer.push_rows(&rows[6..]).expect("pushed");
        (writer.finish(ids("g", 3), ids("s", 5), Origin::default()).expect("finished"), rows)
    }

    #[test]
    fn pairs_come_back_as_rows_and_columns() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for element in [Element::F32, Element::F16] {
            let path = dir.path().join("a.gex");
            let (_, rows) = sparse(&path, element);
            let store = Store::open(&path).expect("opens");
            assert_eq!((store.layout(), store.info().pairs), (Layout::Sparse, Some(5)));
            assert_eq!(store.bytes(), (6 * 8 + 5 * (4 + element.bytes())) as u64);
            let (mut row, mut room, mut columns) = ([9.0; 3], vec![7.0; 50], Vec::new());
            for (sample, expected) in rows.chunks(3).enumerate() {
                store.read_row(sample, &mut row);
                assert_eq!(row, *expected);
                let bytes = store.row_bytes(sample, &mut room);
                assert_eq!(bytes.len(), store.row_len());
                let value = |i: usize| match element {
                    Element::F16 => f16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]).to_f32(),
                    _ => f32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().expect("four")),
                };
                assert!((0..3).all(|i| value(i) == expected[i]));
                let many: Vec<usize> = (0..99).map(|i| (i * 2) % 3).collect();
                for genes in [&[2, 0][..], &many] {
                    let mut picked = vec![9.0; genes.len()];
                    store.read_genes(sample, genes, &mut picked);
                    assert!(genes.iter().zip(picked).all(|(gene, x)| x == expected[*gene]));
                }
            }
            store.read_columns_of(&[4, 1, 3], 1, 3, &mut columns);
            assert_eq!(columns, [0.0, 2.0, 0.0, 0.0, 3.5, -5.0]);
            assert!(store.are_alike(&[0, 4]) && store.are_alike(&[2]) && !store.are_alike(&[0, 4, 2]));
            // what rounds to zero is zero
            let tiny = dir.path().join("tiny.gex");
            let mut writer =
                StoreWriter::create_in(Layout::Sparse, &tiny, 3, element, true).expect("created");
            writer.push_rows(&[1e-9, 0.0, 2.0, 0.0, 0.0, 2.0]).expect("pushed");
            let tiny = writer.finish(ids("g", 3), ids("s", 2), Origin::default()).expect("finished");
            let half = element == Element::F16;
            assert_eq!((tiny.info().pairs, tiny.are_alike(&[0, 1])), (Some(if half { 2 } else { 3 }), half));
            let (other, _) = sparse(&dir.path().join("b.gex"), element);
            assert_eq!(store.info().fingerprint(), other.info().fingerprint());
        }
    }

    #[test]
    fn damaged_pairs_are_noticed_and_never_read_past() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.gex");
        sparse(&path, Element::F32);
        is_noticed(&path, [DATA, PLACES, STARTS], |_| npy::WRITTEN);
        // what no checksum can tell, since another program may have written it
        let change = |name: &str, at: usize, bytes: &[u8]| {
            let file = path.join(name);
            let good = std::fs::read(&file).expect("readable");
            let mut bad = good.clone();
            let at = npy::WRITTEN + at * bytes.len();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            std::fs::write(&file, &bad).expect("written");
            let said = Rows::open(&path, [5, 3], Element::F32, 5).and_then(|rows| rows.check(&path));
            if let Ok(rows) = Rows::open(&path, [5, 3], Element::F32, 5) {
                (0..5).for_each(|sample| rows.read(sample, 0, &mut [0.0; 3])); // no panic
            }
            std::fs::write(&file, &good).expect("written");
            said.expect_err("must be noticed").to_string()
        };
        for (at, start) in [(0, 1i64), (1, -1), (3, 99), (5, 4), (5, 6)] {
            assert!(
                change(STARTS, at, &start.to_le_bytes()).contains("does not divide 5 values among 5 samples")
            );
        }
        for (at, place) in [(0, 1i32), (0, -1), (4, 3), (3, i32::MAX)] {
            let message = change(PLACES, at, &place.to_le_bytes());
            assert!(message.contains("do not ascend from 0 to 2"), "{message}");
        }
    }

    #[test]
    fn a_store_is_replaced_whole_and_only_when_forced() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.gex");
        let old = build(&path, 3, 5, Element::F32);
        assert!(matches!(StoreWriter::create(&path, 5, Element::F32, false), Err(Error::Exists(_))));
        let mut writer = StoreWriter::create(&path, 2, Element::F32, true).expect("created");
        writer.push_rows(&[1.0, 2.0]).expect("pushed");
        assert_eq!(Store::open(&path).expect("still the old one").n_genes(), 5);
        writer.finish(ids("g", 2), ids("s", 1), Origin::default()).expect("finished");
        assert_eq!(Store::open(&path).expect("the new one").n_genes(), 2);
        let mut row = [0.0; 5];
        old.read_row(2, &mut row); // the map outlives the replaced file
        assert_eq!(row[4], value(2, 4));
        assert_eq!(dir.path().read_dir().expect("readable").count(), 1, "nothing is left beside the store");

        let other = dir.path().join("precious");
        std::fs::create_dir(&other).expect("created");
        let refused = StoreWriter::create(&other, 2, Element::F32, true).map(|_| ()).expect_err("refused");
        assert!(refused.to_string().contains("is not a store"), "{refused}");
    }

    #[test]
    fn what_cannot_be_stored_is_refused_by_name_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.gex");
        let attempt = |element, rows: &[f32], genes: Table, samples: Table| {
            let mut writer = StoreWriter::create(&path, 2, element, false).expect("created");
            writer.push_rows(rows).expect("pushed");
            writer.finish(genes, samples, Origin::default()).map(|_| ()).expect_err("refused").to_string()
        };
        let rows = [1.0, 2.0, 3.0, 65_520.0];
        let message = attempt(Element::F16, &rows, ids("g", 2), ids("s", 2));
        assert!(message.contains("65520 of gene \"g_2\" in sample \"s_2\" is too large"), "{message}");
        let message = attempt(Element::F32, &[1.0, f32::NAN], ids("g", 2), ids("s", 1));
        assert!(message.contains("gene \"g_2\" in sample \"s_1\" is not a finite"), "{message}");
        let twice = Table::new("id", vec!["x".into(), "x".into()]);
        assert!(
            attempt(Element::F32, &rows, twice.clone(), ids("s", 2)).contains("gene id \"x\" occurs twice")
        );
        assert!(attempt(Element::F32, &rows, ids("g", 2), twice).contains("sample id \"x\" occurs twice"));
        assert!(attempt(Element::F32, &rows, ids("g", 3), ids("s", 2)).contains("3 gene ids for 2 genes"));
        assert!(attempt(Element::F32, &[], ids("g", 2), ids("s", 0)).contains("at least one sample"));
        assert_eq!(dir.path().read_dir().expect("readable").count(), 0);
    }
}
