//! The samples of one or several stores seen through the steps taken so far.
//!
//! Every step is a map from a row to a row, fitted where it must be by one more pass over the stores. Nothing is set
//! aside: memory is one block of rows, whatever the stores' size. Between steps values are f32, as a store
//! holds them, so several steps at once give the bytes of the same steps one by one.

use rayon::prelude::*;

use super::fitted::Fitted;
use crate::error::{Error, Result};
use crate::genes::{Kind, Side, Table, kind};
use crate::progress::{Event, Reporter, advance};
use crate::store::Store;

/// Values that a block of rows holds (32 MiB).
const BLOCK: usize = 8 << 20;

/// Missing genes that a message names.
const NAMED: usize = 5;

/// A store whose samples take part, and where the first step's genes are in it.
#[derive(Clone)]
struct Source<'a> {
    store: &'a Store,
    /// `None` where they are the store's own.
    places: Option<Vec<usize>>,
}

/// Samples of stores behind a chain of maps.
#[derive(Clone)]
pub(super) struct Rows<'a> {
    sources: Vec<Source<'a>>,
    /// Source and sample of every row.
    samples: Vec<(usize, usize)>,
    genes: Table,
    /// Each with the ids of the genes that go in, for messages.
    maps: Vec<(Fitted, Vec<String>)>,
    /// Values of a block.
    block: usize,
}

impl<'a> Rows<'a> {
    /// Stores one below the other, with the genes that all have, by id, in the first one's order.
    ///
    /// # Errors
    /// [`Error::Data`] where they have no gene in common.
    pub fn of(stores: &[&'a Store], report: Reporter) -> Result<Rows<'a>> {
        let (first, rest) = stores.split_first().expect("at least one store");
        let others: Vec<_> = rest.iter().map(|store| store.genes().positions()).collect();
        let ids = &first.genes().ids;
        let common: Vec<usize> =
            (0..ids.len()).filter(|g| others.iter().all(|other| other.contains_key(&*ids[*g]))).collect();
        if common.is_empty() {
            let names: Vec<_> = stores.iter().map(|store| store.path().display().to_string()).collect();
            return Err(Error::Data(format!(
                "{} have no gene id in common; bring them to one kind of id first (--collapse-probes, \
                 --match-genes)",
                names.join(", ")
            )));
        }
        for store in stores.iter().filter(|store| store.n_genes() > common.len()) {
            let (left, all) = (store.n_genes() - common.len(), store.n_genes());
            let path = store.path().display();
            report(Event::Warning(format!(
                "{left} of {all} genes of {path} are not in all stores; left out"
            )));
        }
        let genes = first.genes().select(&common);
        let source =
            |store: &&'a Store| Source { store, places: places(store, &genes.ids).unwrap_or_default() };
        let sources = stores.iter().map(source).collect();
        Ok(Rows::new(sources, genes))
    }

    /// One store with exactly these genes.
    ///
    /// # Errors
    /// [`Error::Data`] naming genes that it lacks.
    pub fn with_genes(store: &'a Store, genes: Table) -> Result<Rows<'a>> {
        let missing = |missing: Vec<&str>| {
            Error::Data(format!(
                "{} lacks {} of the {} genes that the steps were fitted to: {}{}; match its genes first \
                 (genelift prepare --match-genes)",
                store.path().display(),
                missing.len(),
                genes.len(),
                missing[..missing.len().min(NAMED)].join(", "),
                if missing.len() > NAMED { ", …" } else { "" },
            ))
        };
        let places = places(store, &genes.ids).map_err(missing)?;
        Ok(Rows::new(vec![Source { store, places }], genes))
    }

    fn new(sources: Vec<Source<'a>>, genes: Table) -> Rows<'a> {
        let rows = |(i, source): (usize, &Source)| (0..source.store.n_samples()).map(move |s| (i, s));
        let samples = sources.iter().enumerate().flat_map(rows).collect();
        Rows { sources, samples, genes, maps: Vec::new(), block: BLOCK }
    }

    /// The stores' paths, for messages.
    pub fn name(&self) -> String {
        let paths: Vec<_> = self.sources.iter().map(|s| s.store.path().display().to_string()).collect();
        paths.join(", ")
    }

    /// The stores.
    pub fn stores(&self) -> impl Iterator<Item = &'a Store> {
        self.sources.iter().map(|source| source.store)
    }

    /// The steps taken so far.
    pub fn maps(&self) -> impl Iterator<Item = &Fitted> {
        self.maps.iter().map(|(map, _)| map)
    }

    /// The genes as one side of a match.
    pub fn side(&self) -> Side<'_> {
        let side = Side::of("", &self.genes);
        let made_up = self.sources.iter().any(|source| source.store.info().origin.made_up_genes);
        // Steps before this one may have given the genes other names.
        if made_up && self.genes.ids.iter().all(|id| kind::is_made_up(id)) {
            Side { kind: Kind::MadeUp, ..side }
        } else {
            side
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// The genes after all maps.
    pub fn genes(&self) -> &Table {
        &self.genes
    }

    /// The store of a row, and the sample's place in it.
    pub fn origin(&self, row: usize) -> (usize, usize) {
        self.samples[row]
    }

    /// The sample's id.
    pub fn id(&self, row: usize) -> &'a str {
        let (source, sample) = self.samples[row];
        &self.sources[source].store.samples().ids[sample]
    }

    /// Adds a map; `genes` describes what it makes where that is not the genes as they were.
    pub fn then(&mut self, map: Fitted, genes: Option<Table>) {
        let ids = match self.maps.last() {
            Some((before, ids)) => before.names(ids),
            None => self.genes.ids.clone(),
        };
        self.maps.push((map, ids));
        self.genes = genes.unwrap_or_else(|| std::mem::take(&mut self.genes));
    }

    /// Says what the genes after all maps are.
    pub fn describe(&mut self, genes: Table) {
        self.genes = genes;
    }

    /// Keeps the given rows.
    pub fn keep(&mut self, rows: &[usize]) {
        self.samples = rows.iter().map(|row| self.samples[*row]).collect();
    }

    /// The values of a row after all maps; `out` is replaced.
    ///
    /// # Errors
    /// [`Error::Data`] naming the sample and the gene that a map refuses.
    pub fn read(&self, row: usize, out: &mut Vec<f32>) -> Result<()> {
        let (source, sample) = self.samples[row];
        let Source { store, places } = &self.sources[source];
        out.resize(places.as_ref().map_or(store.n_genes(), Vec::len), 0.0);
        self.stored(row, out);
        self.maps.iter().try_for_each(|(map, ids)| {
            map.apply(out).map_err(|refused| {
                Error::Data(format!(
                    "{}: sample {:?}: {} of gene {:?} {}",
                    store.path().display(),
                    store.samples().ids[sample],
                    refused.value,
                    ids[refused.gene],
                    refused.why
                ))
            })
        })
    }

    /// The values of a row before all maps.
    fn stored(&self, row: usize, out: &mut [f32]) {
        let (source, sample) = self.samples[row];
        let Source { store, places } = &self.sources[source];
        match places {
            Some(places) => store.read_genes(sample, places, out),
            None => store.read_row(sample, out),
        }
    }

    /// The values of several rows, one after another in `out`, which is replaced.
    ///
    /// # Errors
    /// As [`Rows::read`], of the first row that is refused.
    pub fn read_all(&self, rows: impl Fn(usize) -> usize + Sync, n: usize, out: &mut Vec<f32>) -> Result<()> {
        self.read_each(rows, n, out, |_| ())
    }

    /// The same, with what `then` does to a row while it is in the cache.
    ///
    /// # Errors
    /// As [`Rows::read_all`].
    pub fn read_each(
        &self,
        rows: impl Fn(usize) -> usize + Sync,
        n: usize,
        out: &mut Vec<f32>,
        then: impl Fn(&mut [f32]) + Sync,
    ) -> Result<()> {
        let width = self.genes.len();
        out.resize(n * width, 0.0);
        if self.maps.is_empty() {
            out.par_chunks_mut(width).enumerate().for_each(|(i, out)| {
                self.stored(rows(i), out);
                then(out);
            });
            return Ok(());
        }
        let refused = out
            .par_chunks_mut(width)
            .enumerate()
            .map_init(Vec::new, |row, (i, out)| {
                let copied = self.read(rows(i), row).map(|()| out.copy_from_slice(row));
                then(out);
                copied.err().map(|error| (i, error))
            })
            .flatten()
            .min_by_key(|(i, _)| *i);
        refused.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Calls `visit` with blocks of whole rows and the number of each block's first, in the order of the samples.
    ///
    /// # Errors
    /// Those of [`Rows::read`] and of `visit`.
    pub fn blocks(
        &self,
        task: &str,
        report: Reporter,
        mut visit: impl FnMut(usize, &mut [f32]) -> Result<()>,
    ) -> Result<()> {
        let (n, width) = (self.len(), self.genes.len());
        let step = (self.block / width).clamp(1, n);
        let mut block = Vec::new();
        report(Event::Started { task: task.into(), total: Some(n as u64), unit: "samples" });
        for first in (0..n).step_by(step) {
            let rows = step.min(n - first);
            self.read_all(|i| first + i, rows, &mut block)?;
            visit(first, &mut block)?;
            advance(report, (first + rows) as u64, "")?;
        }
        report(Event::Finished);
        Ok(())
    }

    /// A figure by gene, in one pass: `add(figure, x, n)` takes the n-th sample's value (from 1).
    ///
    /// # Errors
    /// Those of [`Rows::blocks`].
    pub fn fold<T: Clone + Send>(
        &self,
        task: &str,
        report: Reporter,
        start: T,
        add: impl Fn(&mut T, f32, usize) + Sync,
    ) -> Result<Vec<T>> {
        self.fold_sorted(task, report, start, add, false)
    }

    /// As [`Rows::fold`], of each sample's values in ascending order where `sorted`.
    fn fold_sorted<T: Clone + Send>(
        &self,
        task: &str,
        report: Reporter,
        start: T,
        add: impl Fn(&mut T, f32, usize) + Sync,
        sorted: bool,
    ) -> Result<Vec<T>> {
        /// Genes a task.
        const GENES: usize = 256;
        let width = self.genes.len();
        let mut figures = vec![start; width];
        self.blocks(task, report, |first, block| {
            if sorted {
                block.par_chunks_exact_mut(width).for_each(|row| row.sort_unstable_by(f32::total_cmp));
            }
            let block = &*block;
            figures.par_chunks_mut(GENES).enumerate().for_each(|(part, figures)| {
                for (i, row) in block.chunks_exact(width).enumerate() {
                    let row = &row[part * GENES..];
                    figures.iter_mut().zip(row).for_each(|(figure, x)| add(figure, *x, first + i + 1));
                }
            });
            Ok(())
        })?;
        Ok(figures)
    }

    /// Mean and standard deviation of every gene (Welford's recurrence, in f64).
    ///
    /// # Errors
    /// Those of [`Rows::blocks`].
    pub fn moments(&self, task: &str, report: Reporter) -> Result<Moments> {
        let figures = self.fold(task, report, [0.0; 2], welford)?;
        let sd = |[_, squares]: &[f64; 2]| (squares / self.len() as f64).sqrt();
        Ok(Moments { sd: figures.iter().map(sd).collect(), mean: figures.iter().map(|f| f[0]).collect() })
    }

    /// The mean sorted profile: entry i is the mean over samples of each sample's i-th smallest value.
    ///
    /// # Errors
    /// Those of [`Rows::blocks`].
    pub fn profile(&self, report: Reporter) -> Result<Vec<f64>> {
        let add = |mean: &mut f64, x: f32, n: usize| *mean += (f64::from(x) - *mean) / n as f64;
        self.fold_sorted("sorting", report, 0.0, add, true)
    }
}

fn welford([mean, squares]: &mut [f64; 2], x: f32, n: usize) {
    let delta = f64::from(x) - *mean;
    *mean += delta / n as f64;
    *squares += delta * (f64::from(x) - *mean);
}

/// Where the genes of these ids are in a store, `None` where they are its own; or those that it lacks.
fn places<'b>(store: &Store, ids: &'b [String]) -> std::result::Result<Option<Vec<usize>>, Vec<&'b str>> {
    if store.genes().ids == ids {
        return Ok(None);
    }
    let positions = store.genes().positions();
    let places: Vec<usize> = ids.iter().filter_map(|id| positions.get(id.as_str()).copied()).collect();
    if places.len() == ids.len() {
        return Ok(Some(places));
    }
    Err(ids.iter().map(String::as_str).filter(|id| !positions.contains_key(id)).collect())
}

/// By gene.
pub(super) struct Moments {
    /// Mean over samples.
    pub mean: Vec<f64>,
    /// Standard deviation with n in the denominator; exactly 0 for a constant gene.
    pub sd: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::Element;
    use crate::progress::silent;
    use crate::store::{Origin, StoreWriter};

    fn store(path: &std::path::Path, n: usize, genes: usize, value: impl Fn(usize, usize) -> f32) -> Store {
        let mut writer = StoreWriter::create(path, genes, Element::F32, false).expect("created");
        for s in 0..n {
            writer.push_rows(&(0..genes).map(|g| value(s, g)).collect::<Vec<_>>()).expect("pushed");
        }
        let tables = (Table::numbered("gene_id", "g", genes), Table::numbered("sample_id", "s", n));
        writer.finish(tables.0, tables.1, Origin::default()).expect("finished")
    }

    #[test]
    fn nothing_depends_on_the_size_of_a_block() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (n, genes) = (37, 259);
        let value = |s: usize, g: usize| ((s * 31 + g * 7) % 101) as f32 / 3.0;
        let store = store(&dir.path().join("a.gex"), n, genes, value);
        let mut results = Vec::new();
        for block in [1, 257, 3 * 258, BLOCK] {
            let mut rows = Rows { block, ..Rows::of(&[&store], &silent).expect("rows") };
            let places: Vec<usize> = (1..genes).collect();
            let table = store.genes().select(&places);
            rows.then(Fitted::Pick { genes: places }, Some(table));
            let mut all = Vec::new();
            rows.blocks("reading", &silent, |first, block| {
                assert_eq!(first * (genes - 1), all.len());
                all.extend_from_slice(block);
                Ok(())
            })
            .expect("read");
            assert!((0..all.len()).all(|i| all[i] == value(i / (genes - 1), i % (genes - 1) + 1)));
            let moments = rows.moments("moments", &silent).expect("read");
            results.push((moments.mean, moments.sd, rows.profile(&silent).expect("read")));
        }
        assert!(results.iter().all(|result| *result == results[0]));
    }

    #[test]
    fn the_first_refused_sample_and_its_gene_are_named() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let value = |s: usize, g: usize| if s >= 6 && g == 2 { -(s as f32) } else { 1.0 };
        let store = store(&dir.path().join("a.gex"), 1000, 3, value);
        let mut rows = Rows::of(&[&store], &silent).expect("rows");
        rows.then(Fitted::Pick { genes: vec![1, 2] }, Some(store.genes().select(&[1, 2])));
        rows.then(Fitted::Log1p, None);
        let message = rows.blocks("reading", &silent, |_, _| Ok(())).expect_err("refused").to_string();
        assert!(message.contains("sample \"s_7\": -6 of gene \"g_3\" is negative"), "{message}");
    }
}
