//! Files whose values wait in spools until it is known which genes stay and what stands in for missing values.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::ImportSettings;
use super::missing::{Missing, Tally, stand_in};
use super::orientation::Rows;
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::progress::{Event, Reporter};
use crate::store::spool::Spool;

/// A file whose values wait.
pub(super) struct Part {
    pub spool: Spool,
    pub rows: Rows,
    pub tally: Tally,
    pub n_samples: usize,
    /// Where the genes of the first file are in this one; `None` where they are the same.
    pub place: Option<Vec<Option<u32>>>,
}

impl Part {
    /// Where gene `gene` of the first file is in this one, which has it.
    fn of(&self, gene: usize) -> usize {
        self.place.as_ref().map_or(gene, |place| place[gene].expect("a gene of every file") as usize)
    }

    /// Samples `first..last`, sample by sample.
    fn samples(&mut self, first: usize, last: usize, out: &mut Vec<f32>) -> Result<()> {
        match self.rows {
            Rows::Samples => self.spool.rows(first, last, out),
            Rows::Genes => self.spool.columns(first, last, out),
        }
    }

    /// The given genes, gene by gene.
    fn genes(&mut self, genes: &[usize], out: &mut Vec<f32>) -> Result<()> {
        match self.rows {
            Rows::Samples => self.spool.pick_columns(genes, out),
            Rows::Genes => self.spool.pick_rows(genes, out),
        }
    }

    fn missing_by_gene(&self) -> &[u32] {
        if self.rows == Rows::Genes { &self.tally.rows } else { &self.tally.columns }
    }

    fn missing_by_sample(&self) -> &[u32] {
        if self.rows == Rows::Genes { &self.tally.columns } else { &self.tally.rows }
    }
}

/// All files of an import.
#[derive(Default)]
pub(super) struct Parts {
    /// The genes of the first file; in the end those of the store.
    pub genes: Option<Table>,
    /// Of the first file's genes those that every file has.
    shared: Vec<usize>,
    /// How many genes each file has, and one that the first file lacks.
    own: Vec<(usize, Option<String>)>,
    pub waiting: Vec<Part>,
    /// Missing values, of shared genes once they are decided.
    pub missing: u64,
    /// Genes of the first file that the store holds.
    pub kept: Vec<usize>,
    /// What stands in for each of their missing values.
    stand_ins: Vec<f32>,
}

impl Parts {
    /// Takes the genes of the next file, and returns where the first file's are in it.
    pub fn add_genes(&mut self, path: &Path, genes: Table) -> Result<Option<Vec<Option<u32>>>> {
        let Some(first) = &self.genes else {
            self.shared = (0..genes.len()).collect();
            self.own.push((genes.len(), None));
            self.genes = Some(genes);
            return Ok(None);
        };
        if first.ids == genes.ids {
            self.own.push((genes.len(), None));
            return Ok(None);
        }
        let known = first.positions();
        let other = genes.ids.iter().find(|id| !known.contains_key(id.as_str())).cloned();
        let positions = genes.positions();
        let place: Vec<_> =
            first.ids.iter().map(|id| positions.get(id.as_str()).map(|p| *p as u32)).collect();
        self.shared.retain(|gene| place[*gene].is_some());
        if self.shared.is_empty() {
            let (theirs, ours) = (&genes.ids[0], &first.ids[0]);
            let message = format!(
                "no gene is in this file (it has {theirs:?}, …) and in all files before it ({ours:?}, …); give all files \
                 the same kind of gene ids"
            );
            return Err(Error::input(path, message));
        }
        self.own.push((genes.len(), other));
        Ok(Some(place))
    }

    /// Tells which genes are left out because a file lacks them; how many, by file.
    pub fn report(&self, inputs: &[PathBuf], report: Reporter) -> Vec<usize> {
        let shared = self.shared.len();
        let left: Vec<usize> = self.own.iter().map(|(n, _)| n - shared).collect();
        for ((path, (n, other)), left) in
            inputs.iter().zip(&self.own).zip(&left).filter(|(_, left)| **left > 0)
        {
            let mut kept = self.shared.iter();
            let mut lost =
                || self.genes.as_ref()?.ids.iter().enumerate().find(|(g, _)| kept.next() != Some(g));
            let example = other.clone().or_else(|| lost().map(|(_, id)| id.clone())).unwrap_or_default();
            let path = path.display();
            report(Event::Warning(format!(
                "{path}: {left} of its {n} genes are left out because not every file has them (such as {example:?}); \
                 {shared} stay"
            )));
        }
        left
    }

    /// Decides which genes stay and what stands in for their missing values.
    pub fn decide(&mut self, policy: Missing, memory: usize) -> Result<()> {
        let missing = |gene: &usize| {
            self.waiting.iter().map(|part| u64::from(part.missing_by_gene()[part.of(*gene)])).sum()
        };
        let by_gene: Vec<u64> = self.shared.iter().map(missing).collect();
        self.missing = by_gene.iter().sum();
        let id = |gene: usize| self.genes.as_ref().map_or("", |genes| &genes.ids[gene]).to_string();
        if policy == Missing::Refuse && self.missing > 0 {
            let at = by_gene.iter().position(|n| *n > 0).unwrap_or(0);
            return Err(Error::Data(format!(
                "{} values are missing (blank, NA, NaN, infinite, or −666 in GCTX); the first gene with one is {:?}; pass \
                 --missing mean, median or zero to replace them, drop-gene or drop-sample to leave them out",
                self.missing,
                id(self.shared[at])
            )));
        }
        let dropped = |at: usize| policy == Missing::DropGene && by_gene[at] > 0;
        let kept: Vec<usize> = (0..self.shared.len()).filter(|at| !dropped(*at)).collect();
        if kept.is_empty() {
            return Err(Error::Data(format!("every gene has missing values ({} in all)", self.missing)));
        }
        self.kept = kept.iter().map(|at| self.shared[*at]).collect();
        self.stand_ins = vec![0.0; kept.len()];
        if matches!(policy, Missing::Mean | Missing::Median) {
            let wanting: Vec<usize> = (0..kept.len()).filter(|at| by_gene[kept[*at]] > 0).collect();
            self.stand_in(&wanting, policy, memory)?;
        }
        self.genes = self.genes.take().map(|genes| match self.kept.len() == genes.len() {
            true => genes,
            false => genes.select(&self.kept),
        });
        Ok(())
    }

    /// The mean or median of the kept genes `wanting`, over all files.
    fn stand_in(&mut self, wanting: &[usize], policy: Missing, memory: usize) -> Result<()> {
        let n_samples: usize = self.waiting.iter().map(|part| part.n_samples).sum();
        let step = (memory / 16 / size_of::<f32>() / n_samples.max(1)).max(1);
        let mut values = Vec::new();
        for some in wanting.chunks(step) {
            let mut genes = vec![Vec::with_capacity(n_samples); some.len()];
            for part in &mut self.waiting {
                let own: Vec<usize> = some.iter().map(|at| part.of(self.kept[*at])).collect();
                part.genes(&own, &mut values)?;
                for (gene, column) in genes.iter_mut().zip(values.chunks_exact(part.n_samples)) {
                    gene.extend_from_slice(column);
                }
            }
            for (at, values) in some.iter().zip(&genes) {
                self.stand_ins[*at] = stand_in(values, policy).ok_or_else(|| {
                    let id = self.genes.as_ref().map_or("", |genes| &genes.ids[self.kept[*at]]);
                    Error::Data(format!(
                        "gene {id:?} has no value in any sample, so it has no mean or median; use --missing drop-gene"
                    ))
                })?;
            }
        }
        Ok(())
    }

    /// Hands on the samples of all files: how many come before, which they are, and their values of the kept genes.
    pub fn place(
        &mut self,
        settings: &ImportSettings,
        mut push: impl FnMut(usize, &[usize], &mut [f32]) -> Result<()> + Send,
    ) -> Result<()> {
        let (mut block, mut seen) = (Vec::new(), 0);
        for mut part in std::mem::take(&mut self.waiting) {
            let width = part.missing_by_gene().len();
            let own: Vec<usize> = self.kept.iter().map(|gene| part.of(*gene)).collect();
            let whole =
                part.tally.count == 0 && own.len() == width && own.iter().enumerate().all(|(a, b)| a == *b);
            let (n, wanting) = (part.n_samples, part.missing_by_sample().to_vec());
            let bytes = if part.spool.in_memory() { CACHED } else { settings.read.memory / 8 };
            // Whole cache lines of the rows that are turned.
            let most = bytes / size_of::<f32>() / width;
            let step = if most > LINE { most - most % LINE } else { most.max(1) };
            let read =
                |samples: Range<usize>, out: &mut Vec<f32>| part.samples(samples.start, samples.end, out);
            ahead(n, step, read, |range, values| {
                let before = seen + range.start;
                if whole {
                    let samples: Vec<usize> = (before..seen + range.end).collect();
                    return push(before, &samples, values);
                }
                block.clear();
                let mut samples = Vec::new();
                for (sample, row) in range.zip(values.chunks_exact(width)) {
                    if settings.missing == Missing::DropSample
                        && wanting[sample] > 0
                        && own.iter().any(|g| row[*g].is_nan())
                    {
                        continue;
                    }
                    samples.push(seen + sample);
                    let fill = |(g, other): (&usize, &f32)| if row[*g].is_nan() { *other } else { row[*g] };
                    block.extend(own.iter().zip(&self.stand_ins).map(fill));
                }
                push(before, &samples, &mut block)
            })?;
            seen += n;
            if part.spool.in_memory() {
                rayon::spawn(move || drop(part)); // giving memory back takes time, too
            }
        }
        Ok(())
    }
}

/// Bytes of samples that are turned at a time where the spool is in memory: they stay in the cache until they are written.
/// From a file longer pieces are read.
const CACHED: usize = 2 << 20;

/// Values of a cache line.
const LINE: usize = 16;

/// Works on `n` samples, `step` at a time, and reads the next ones meanwhile.
fn ahead(
    n: usize,
    step: usize,
    mut read: impl FnMut(Range<usize>, &mut Vec<f32>) -> Result<()> + Send,
    mut work: impl FnMut(Range<usize>, &mut [f32]) -> Result<()> + Send,
) -> Result<()> {
    let range = |first: usize| first.min(n)..(first + step).min(n);
    let (mut now, mut next) = (Vec::new(), Vec::new());
    read(range(0), &mut now)?;
    for first in (0..n).step_by(step) {
        let (here, later) = (range(first), range(first + step));
        let read_on = || if later.is_empty() { Ok(()) } else { read(later, &mut next) };
        let (worked, read) = rayon::join(|| work(here, &mut now), read_on);
        worked.and(read)?;
        std::mem::swap(&mut now, &mut next);
    }
    Ok(())
}
