//! A store: a directory `NAME.gex/` with one expression matrix, ready to be memory-mapped.
//!
//! `matrix.npy` (samples × genes, C order, `<f4` or `<f2`), `genes.tsv`, `samples.tsv`, and `store.json`
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
pub(crate) mod spool;
mod summary;
pub mod watch;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::genes::Table;
pub(crate) use info::Sum;
pub(crate) use info::files_of;
pub use info::{Checksums, InputFile, Origin, StoreInfo, VERSION, is_store};
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
    /// In the file, behind its header.
    Mapped(
        memmap2::Mmap,
        #[expect(dead_code, reason = "known as mapped as long as it lives")] mapped::Registered,
    ),
    /// In memory, for data that are in no file: this program's own, or what it was lent.
    Held(Box<dyn AsRef<[f32]> + Send + Sync>),
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(if matches!(self, Values::Held(_)) { "Held" } else { "Mapped" })
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
        if !is_store(path) {
            let found = if path.exists() { "it has no store.json" } else { "it does not exist" };
            return Err(Error::input(
                path,
                format!("is not a store: {found}; make one with `genelift import`"),
            ));
        }
        let damaged = |file: &str, what: String| damaged(path, file, what);
        let read = |file: &str| std::fs::read(path.join(file)).map_err(Error::io(path.join(file), "reading"));

        let text = read(INFO)?;
        let info: StoreInfo = serde_json::from_slice(&text).map_err(|e| damaged(INFO, e.to_string()))?;
        if info.version != VERSION {
            let message = format!("store version {}; this program reads version {VERSION}", info.version);
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
        let damaged = |file: &str, what: String| damaged(path, file, what);
        let [n_samples, n_genes] = info.shape;
        let file = path.join(MATRIX);
        let mut matrix = File::open(&file).map_err(Error::io(&file, "opening"))?;
        let header = npy::parse(&mut matrix).map_err(|e| damaged(MATRIX, e))?;
        if header.descr != info.dtype || header.fortran || header.shape != info.shape {
            return Err(damaged(MATRIX, format!("header {header:?} contradicts store.json")));
        }
        let found = matrix.metadata().map_err(Error::io(&file, "reading"))?.len();
        let expected = n_samples
            .checked_mul(n_genes)
            .and_then(|n| n.checked_mul(element.bytes()))
            .and_then(|n| n.checked_add(header.offset));
        if expected.map(|n| n as u64) != Some(found) || n_samples == 0 || n_genes == 0 {
            let shape = format!("{n_samples} × {n_genes} {}", info.dtype);
            return Err(damaged(MATRIX, format!("{found} bytes do not hold {shape}")));
        }
        if header.offset != npy::WRITTEN {
            return Err(damaged(MATRIX, format!("its header takes {} bytes", header.offset)));
        }
        // SAFETY: the map is read-only and every element type is valid for any bits. What the type system
        // cannot promise is that nobody changes the file while it is mapped: no part of this program writes to a
        // finished store, and replacing one renames a new directory into place, which leaves the mapped file
        // alive until it is unmapped. Where somebody else does, `mapped` ends a command whose file was cut short
        // (SIGBUS), and `watch` refuses what was made from one that was written to.
        let map = unsafe { memmap2::Mmap::map(&matrix) }.map_err(Error::io(&file, "mapping"))?;
        let registered = mapped::Registered::new(&map, &file);
        let values = Arc::new(Values::Mapped(map, registered));
        Ok(Store { path: path.to_path_buf(), info, element, samples, genes, values })
    }

    fn check_blocks(&self) -> Result<()> {
        let sums = &self.info.checksums;
        let file = self.path.join(MATRIX);
        let size = usize::try_from(sums.block_bytes).unwrap_or(0);
        if size == 0 || self.values().len().div_ceil(size) != sums.blocks.len() {
            return Err(Error::input(file, "the list of checksums does not fit the matrix; import it again"));
        }
        let blocks = self.values().par_chunks(size).zip(&sums.blocks).enumerate();
        let wrong = blocks.filter(|(_, (bytes, sum))| info::xxh3_hex(bytes) != **sum).map(|(i, _)| i).min();
        let Some(block) = wrong else { return Ok(()) };
        let rows =
            [block * size, ((block + 1) * size).min(self.values().len()) - 1].map(|b| b / self.row_len());
        let [first, last] = rows.map(|row| &self.samples.ids[row]);
        Err(Error::input(
            file,
            format!(
                "the values of samples {first:?} to {last:?} do not match their checksum: the file was changed \
                 or damaged; import it again"
            ),
        ))
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

    /// Bytes of one row.
    pub fn row_len(&self) -> usize {
        self.n_genes() * self.element.bytes()
    }

    fn values(&self) -> &[u8] {
        match &*self.values {
            Values::Mapped(map, _) => &map[npy::WRITTEN..],
            Values::Held(values) => bytemuck::cast_slice((**values).as_ref()),
        }
    }

    /// The bytes of one sample, as they lie in the file, [`Store::row_len`] of them.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn row_bytes(&self, sample: usize) -> &[u8] {
        &self.values()[sample * self.row_len()..][..self.row_len()]
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
        let bytes = self.row_bytes(sample);
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
        let size = self.element.bytes();
        let bytes = &self.row_bytes(sample)[first * size..][..out.len() * size];
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
        out.par_chunks_mut(GENES * n).enumerate().for_each(|(task, columns)| {
            let mut part = [0.0; GENES];
            let part = &mut part[..columns.len() / n];
            for (row, sample) in samples.iter().enumerate() {
                self.read_part(*sample, first + task * GENES, part);
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
