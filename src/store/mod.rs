//! A store: a directory `NAME.gex/` with one expression matrix, ready to be memory-mapped.
//!
//! `matrix.npy` (samples × genes, C order, `<f4` or `<f2`) or, of values most of which are zero, the files of [`sparse`]; `genes.tsv`, `samples.tsv`, and `store.json`
//! ([`StoreInfo`]) with shape, origin and checksums; where `prepare` made it, `prepare.json` with what its steps
//! learned. It is written by [`StoreWriter`], whole or not at all,
//! and never changed afterwards.

pub mod atomic;
mod held;
mod info;
pub mod lent;
mod mapped;
pub mod npy;
pub mod remembered;
pub mod sealed;
pub(crate) mod signed;
mod sparse;
pub(crate) mod spool;
mod stream;
pub(crate) mod strips;
mod summary;
pub(crate) mod turned;
pub mod watch;
mod writer;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::genes::Table;
use info::SPARSE_VERSION;
pub(crate) use info::Sum;
pub(crate) use info::files_of;
pub(crate) use info::hex;
pub use info::{Checksums, InputFile, Layout, Origin, StoreInfo, VERSION, is_store};
pub use summary::{Summary, summary};
pub use writer::StoreWriter;

/// Names of a store's files.
pub(crate) const MATRIX: &str = "matrix.npy";
const GENES: &str = "genes.tsv";
const SAMPLES: &str = "samples.tsv";
const INFO: &str = "store.json";
const PARAMETERS: &str = "prepare.json";

/// An open store: immutable, memory-mapped, shared freely between threads. A clone has the same values, not a copy of them.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    info: StoreInfo,
    element: Element,
    samples: Table,
    genes: Table,
    values: Arc<Values>,
}

/// Where the values are.
enum Values {
    /// In the file.
    Mapped(mapped::Mapped),
    /// In files, those that are not zero.
    Sparse(sparse::Rows),
    /// In memory, for data that are in no file: this program's own, or what it was lent.
    Held(Box<dyn AsRef<[f32]> + Send + Sync>),
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Values::Mapped(_) => "Mapped",
            Values::Sparse(_) => "Sparse",
            Values::Held(_) => "Held",
        })
    }
}

impl Store {
    /// Opens a store and checks all of it: description, sizes, tables, and the checksum of every block (a
    /// pass over the whole matrix, in parallel). A name under which a store is lent ([`lent`]) gives that one.
    ///
    /// # Errors
    /// [`Error::Input`] naming the file of the store that is missing, damaged or of another version.
    pub fn open(path: &Path) -> Result<Store> {
        if let Some(store) = lent::find(path) {
            return Ok(store);
        }
        watch::add(path);
        let store = Store::open_unchecked(path)?;
        store.check_blocks()?;
        Ok(store)
    }

    /// As [`Store::open`], without reading the values.
    pub(crate) fn open_unchecked(path: &Path) -> Result<Store> {
        if let Some(store) = lent::find(path) {
            return Ok(store);
        }
        if !is_store(path) {
            let message = if path.is_file() {
                format!(
                    "is a file, not a store; `genelift import {} -o NAME.gex` makes a store of a matrix file",
                    path.display()
                )
            } else {
                let found = if path.exists() { "it has no store.json" } else { "it does not exist" };
                format!("is not a store: {found}; make one with `genelift import`")
            };
            return Err(Error::input(path, message));
        }
        let damaged = |file: &str, what: String| damaged(path, file, what);
        let read = |file: &str| std::fs::read(path.join(file)).map_err(Error::io(path.join(file), "reading"));

        let text = read(INFO)?;
        let info: StoreInfo = serde_json::from_slice(&text).map_err(|e| damaged(INFO, e.to_string()))?;
        let version = if info.pairs.is_some() { SPARSE_VERSION } else { VERSION };
        if info.version != version {
            let message = format!(
                "store version {}; this program reads versions {VERSION} and {SPARSE_VERSION}",
                info.version
            );
            return Err(Error::input(path.join(INFO), message));
        }
        if !signed::is_whole(&text) {
            return Err(damaged(INFO, "its own checksum does not match".into()));
        }
        let element = [Element::F32, Element::F16].into_iter().find(|e| info::descr(*e) == Some(&info.dtype));
        let element =
            element.ok_or_else(|| damaged(INFO, format!("dtype {:?} is not <f4 or <f2", info.dtype)))?;

        let table = |file: &str, checksum: &str, rows: usize| -> Result<Table> {
            let bytes = read(file)?;
            if info::xxh3_hex(&bytes) != checksum {
                return Err(damaged(file, "its checksum does not match store.json".into()));
            }
            let table = Table::exact(&path.join(file), &bytes)?;
            if table.len() != rows {
                return Err(damaged(file, format!("has {} rows, store.json says {rows}", table.len())));
            }
            Ok(table)
        };
        let [n_samples, n_genes] = info.shape;
        let genes = table(GENES, &info.checksums.genes, n_genes)?;
        let samples = table(SAMPLES, &info.checksums.samples, n_samples)?;

        Store::mapped(path, info, element, samples, genes)
    }

    /// Maps the matrix of a store of which all else is known, as to whoever has just written it.
    fn mapped(path: &Path, info: StoreInfo, element: Element, samples: Table, genes: Table) -> Result<Store> {
        let descr = info::descr(element).expect("a store's");
        if info.shape.contains(&0) {
            return Err(damaged(path, INFO, format!("a store of {:?}", info.shape)));
        }
        let values = match info.pairs {
            Some(pairs) => Values::Sparse(sparse::Rows::open(path, info.shape, element, pairs)?),
            None => Values::Mapped(mapped::Mapped::open(path, MATRIX, descr, &info.shape)?),
        };
        let values = Arc::new(values);
        Ok(Store { path: path.to_path_buf(), info, element, samples, genes, values })
    }

    fn check_blocks(&self) -> Result<()> {
        let sums = &self.info.checksums;
        match &*self.values {
            Values::Sparse(rows) => {
                for ((name, bytes), sums) in
                    rows.bytes().into_iter().zip([&sums.blocks, &sums.indices, &sums.indptr])
                {
                    if self.wrong_block(name, bytes, sums)?.is_some() {
                        return Err(damaged(&self.path, name, "it does not match its checksum".into()));
                    }
                }
                return rows.check(&self.path);
            }
            Values::Mapped(_) | Values::Held(_) => {}
        }
        let (bytes, size) = (self.values(), sums.block_bytes as usize);
        let Some(block) = self.wrong_block(MATRIX, bytes, &sums.blocks)? else { return Ok(()) };
        let rows = [block * size, ((block + 1) * size).min(bytes.len()) - 1].map(|b| b / self.row_len());
        let [first, last] = rows.map(|row| &self.samples.ids[row]);
        Err(Error::input(
            self.path.join(MATRIX),
            format!(
                "the values of samples {first:?} to {last:?} do not match their checksum: the file was changed \
                 or damaged; import it again"
            ),
        ))
    }

    /// The first block of a file that is not what it was.
    fn wrong_block(&self, name: &str, bytes: &[u8], sums: &[String]) -> Result<Option<usize>> {
        let size = usize::try_from(self.info.checksums.block_bytes).unwrap_or(0);
        if size == 0 || bytes.len().div_ceil(size) != sums.len() {
            return Err(Error::input(
                self.path.join(name),
                "the list of checksums does not fit the matrix; import it again",
            ));
        }
        let blocks = bytes.par_chunks(size).zip(sums).enumerate();
        Ok(blocks.filter(|(_, (bytes, sum))| info::xxh3_hex(bytes) != **sum).map(|(i, _)| i).min())
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store under another name in messages and records: that of the file which it was made of for one command.
    pub(crate) fn called(self, path: &Path) -> Store {
        Store { path: path.to_path_buf(), ..self }
    }

    /// One row a sample.
    pub fn samples(&self) -> &Table {
        &self.samples
    }

    /// A column of the samples.
    ///
    /// # Errors
    /// [`Error::Usage`] with the columns that there are.
    pub fn sample_column(&self, name: &str) -> Result<&[String]> {
        self.samples().column(name).ok_or_else(|| {
            let columns = self.samples().column_names().join(", ");
            let columns = if columns.is_empty() { "none; import with --labels".into() } else { columns };
            let path = self.path().display();
            Error::Usage(format!("{path} has no sample column {name:?}; it has {columns}"))
        })
    }

    /// One row a gene.
    pub fn genes(&self) -> &Table {
        &self.genes
    }

    /// Rows of the matrix.
    pub fn n_samples(&self) -> usize {
        self.info.shape[0]
    }

    /// Columns of the matrix.
    pub fn n_genes(&self) -> usize {
        self.info.shape[1]
    }

    /// F32 or F16.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Shape, origin, transforms and checksums.
    pub fn info(&self) -> &StoreInfo {
        &self.info
    }

    /// The contents of `prepare.json`: what the steps that made this store learned, if steps did.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is missing or not the one that was written.
    pub fn parameters(&self) -> Result<Option<Vec<u8>>> {
        let Some(checksum) = &self.info.checksums.parameters else { return Ok(None) };
        let file = self.path.join(PARAMETERS);
        let bytes = std::fs::read(&file).map_err(Error::io(&file, "reading"))?;
        if info::xxh3_hex(&bytes) != *checksum {
            return Err(Error::input(
                file,
                "its checksum does not match store.json; prepare the store again",
            ));
        }
        Ok(Some(bytes))
    }

    /// How it holds its values.
    pub fn layout(&self) -> Layout {
        if matches!(&*self.values, Values::Sparse(_)) { Layout::Sparse } else { Layout::Dense }
    }

    /// Bytes of the values, as they are held.
    pub fn bytes(&self) -> u64 {
        match self.info.pairs {
            Some(pairs) => sparse::size(self.n_samples(), pairs, self.element),
            None => (self.n_samples() * self.row_len()) as u64,
        }
    }

    /// Bytes of one row, all its values.
    pub fn row_len(&self) -> usize {
        self.n_genes() * self.element.bytes()
    }

    /// All values, where they lie one after another.
    fn values(&self) -> &[u8] {
        match &*self.values {
            Values::Mapped(map) => map.bytes(),
            Values::Held(values) => bytemuck::cast_slice((**values).as_ref()),
            Values::Sparse(_) => unreachable!("read by pairs"),
        }
    }

    /// The bytes of one sample, [`Store::row_len`] of them: as they lie in a dense file, else put together in `room`.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn row_bytes<'a>(&'a self, sample: usize, room: &'a mut Vec<f32>) -> &'a [u8] {
        match &*self.values {
            Values::Sparse(rows) => rows.dense(sample, room),
            Values::Mapped(_) | Values::Held(_) => self.stored(sample),
        }
    }

    /// How many values a sample of a sparse store has that are held, zeros not among them; of a dense one, all.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn n_held(&self, sample: usize) -> usize {
        match &*self.values {
            Values::Sparse(rows) => rows.n_pairs(sample),
            Values::Mapped(_) | Values::Held(_) => self.n_genes(),
        }
    }

    /// Gives what is held of one sample, gene and value, to `take`, by ascending genes.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn each_held(&self, sample: usize, take: impl FnMut(usize, f32)) {
        self.each_within(sample, 0..self.n_genes(), take);
    }

    fn each_within(&self, sample: usize, genes: Range<usize>, mut take: impl FnMut(usize, f32)) {
        match &*self.values {
            // a gene that there is not, in a file that nobody checked, is left out
            Values::Sparse(rows) => rows.each(sample, genes.clone(), |gene, value| {
                if genes.contains(&gene) {
                    take(gene, value);
                }
            }),
            Values::Mapped(_) | Values::Held(_) => {
                let mut part = vec![0.0; genes.len()];
                self.read_part(sample, genes.start, &mut part);
                genes.zip(part).for_each(|(gene, value)| take(gene, value));
            }
        }
    }

    /// Of how many genes of a sparse store about so many `values` are held in these samples: to look for a few genes in every sample costs as much as
    /// to look for many.
    pub fn genes_at_once(&self, samples: &[usize], values: usize) -> usize {
        let held: usize = samples.iter().map(|sample| self.n_held(*sample)).sum();
        let by_gene = held as f64 / self.n_genes().max(1) as f64;
        (values as f64 / by_gene.max(1.0)) as usize
    }

    /// What is held of some genes, each named once, gene by gene: positions among `samples`, ascending, and values. Memory: 8 bytes a value.
    ///
    /// # Panics
    /// If there is no such sample or gene.
    pub fn held_by_gene(&self, samples: &[usize], genes: &[usize]) -> Vec<Vec<(u32, f32)>> {
        /// Samples from which on threads share the genes: each looks for its own in every sample.
        const MANY: usize = 1 << 14;
        let parts = if samples.len() < MANY { 1 } else { rayon::current_num_threads() };
        let step = genes.len().div_ceil(parts).max(1);
        genes.par_chunks(step).flat_map_iter(|genes| self.held(samples, genes)).collect()
    }

    fn held(&self, samples: &[usize], genes: &[usize]) -> Vec<Vec<(u32, f32)>> {
        let (first, last) = (genes.iter().min().copied(), genes.iter().max().copied());
        let range = first.unwrap_or(0)..last.map_or(0, |last| last + 1);
        let mut column = vec![None; range.len()];
        genes.iter().enumerate().for_each(|(i, gene)| column[gene - range.start] = Some(i));
        let mut held = vec![Vec::new(); genes.len()];
        for (row, sample) in samples.iter().enumerate() {
            self.each_within(*sample, range.clone(), |gene, value| {
                if let Some(column) = column[gene - range.start] {
                    held[column].push((row as u32, value));
                }
            });
        }
        held
    }

    /// The same of a dense store.
    fn stored(&self, sample: usize) -> &[u8] {
        &self.values()[sample * self.row_len()..][..self.row_len()]
    }

    /// Whether all these samples have the same values, as none and one have.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn are_alike(&self, samples: &[usize]) -> bool {
        samples.windows(2).all(|two| match &*self.values {
            Values::Sparse(rows) => rows.are_alike(two[0], two[1]),
            Values::Mapped(_) | Values::Held(_) => self.stored(two[0]) == self.stored(two[1]),
        })
    }

    /// One sample's values; `out` is as long as there are genes.
    ///
    /// # Panics
    /// If there is no such sample or `out` has another length.
    pub fn read_row(&self, sample: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.n_genes(), "a row is as long as there are genes");
        self.read_part(sample, 0, out);
    }

    /// Chosen genes of one sample, in the given order.
    ///
    /// # Panics
    /// If there is no such sample or gene, or `out` has another length than `genes`.
    pub fn read_genes(&self, sample: usize, genes: &[usize], out: &mut [f32]) {
        assert_eq!(out.len(), genes.len(), "one value a gene");
        if let Values::Sparse(rows) = &*self.values {
            return rows.pick(sample, genes, out);
        }
        let bytes = self.stored(sample);
        match self.element {
            Element::F16 => {
                let row: &[f16] = bytemuck::cast_slice(bytes);
                genes.iter().zip(out).for_each(|(gene, value)| *value = row[*gene].to_f32());
            }
            _ => {
                let row: &[f32] = bytemuck::cast_slice(bytes);
                genes.iter().zip(out).for_each(|(gene, value)| *value = row[*gene]);
            }
        }
    }

    /// Genes `first..first + out.len()` of one sample.
    fn read_part(&self, sample: usize, first: usize, out: &mut [f32]) {
        if let Values::Sparse(rows) = &*self.values {
            return rows.read(sample, first, out);
        }
        let size = self.element.bytes();
        let bytes = &self.stored(sample)[first * size..][..out.len() * size];
        match self.element {
            Element::F16 => bytemuck::cast_slice::<u8, f16>(bytes).convert_to_f32_slice(out),
            _ => out.copy_from_slice(bytemuck::cast_slice(bytes)),
        }
    }

    /// Genes `first..last` of all samples, gene by gene: `out[(g − first)·n_samples + s]`. Memory is that of
    /// `out`, so take as many genes at a time as it may hold.
    ///
    /// # Panics
    /// If the range leaves the genes.
    pub fn read_columns(&self, first: usize, last: usize, out: &mut Vec<f32>) {
        self.read_columns_of(&(0..self.n_samples()).collect::<Vec<_>>(), first, last, out);
    }

    /// Genes `first..last` of the given samples, in their order, gene by gene: `out[(g − first)·samples + s]`.
    ///
    /// # Panics
    /// If the range leaves the genes, or there is no such sample.
    pub fn read_columns_of(&self, samples: &[usize], first: usize, last: usize, out: &mut Vec<f32>) {
        assert!(first <= last && last <= self.n_genes(), "genes {first}..{last} of {}", self.n_genes());
        /// Genes a task: 16 values of f32 are one cache line of each row.
        const GENES: usize = 16;
        let n = samples.len();
        out.clear();
        out.resize((last - first) * n, 0.0);
        if n == 0 {
            return;
        }
        // of pairs each look costs the same, however many genes it is for
        let tasks = 4 * rayon::current_num_threads();
        let genes = match self.layout() {
            Layout::Dense => GENES,
            Layout::Sparse => (last - first).div_ceil(tasks).max(GENES),
        };
        out.par_chunks_mut(genes * n).enumerate().for_each(|(task, columns)| {
            let mut part = vec![0.0; columns.len() / n];
            for (row, sample) in samples.iter().enumerate() {
                self.read_part(*sample, first + task * genes, &mut part);
                for (gene, value) in part.iter().enumerate() {
                    columns[gene * n + row] = *value;
                }
            }
        });
    }
}

/// What is wrong with a file of the store at `path`.
fn damaged(path: &Path, file: &str, what: String) -> Error {
    Error::input(path.join(file), format!("{what}; the store is damaged, import it again"))
}
