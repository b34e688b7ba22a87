//! Brings a store's samples to a device, batch by batch.
//!
//! A matrix that fits is uploaded once and batches are gathered there by row index; a larger one is streamed: a
//! loader thread gathers the rows of the next batches from the memory map into a bounded ring of staging areas
//! while the device computes. Both hand the same rows in the same order to the same kernels, so both give the
//! same model.

mod panel;

use std::sync::mpsc;

use serde::{Deserialize, Serialize};

use self::panel::{Panel, Room};
use super::network::InputBuffers;
use crate::device::recording::{Call, Element, Matrix, padded};
use crate::device::{Executor, STAGING_AREAS, Staging};
use crate::error::{Error, Result};
use crate::genes::{Ambiguous, Side, Table, Way, join};
use crate::interrupt;
use crate::progress::{Event, Reporter, advance};
use crate::ranks::Ranks;
use crate::store::{Layout, Store};

/// Whether the whole matrix is kept in device memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resident {
    /// Where it fits.
    #[default]
    Auto,
    /// Or fail.
    Always,
    /// Stream it.
    Never,
}

/// One upload of the whole matrix travels in pieces of about this size.
const PIECE_BYTES: usize = 16 << 20;
/// Pieces that are filled ahead of the one in use.
const AHEAD: usize = 2;
/// A resident matrix may take this share of the free device memory.
const RESIDENT_SHARE: f64 = 0.8;

/// A staging area and how many of its rows hold something.
type Filled = (Box<dyn Staging>, usize);

/// Chosen samples of a store, with the network's genes in the network's order; a network whose outputs are other
/// genes than its inputs has two panels of genes, which travel together.
pub struct Feed<'a> {
    store: &'a Store,
    samples: Vec<usize>,
    batch: usize,
    panels: Vec<Panel>,
    /// The order of the rows of resident panels; `None` where they are streamed.
    index: Option<Matrix>,
    /// Who shares every batch.
    ranks: Ranks,
}

/// One batch of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Its number in the epoch, from 0.
    pub number: usize,
    /// Position of its first sample in the epoch's order.
    pub start: usize,
    /// Its samples, of all ranks.
    pub of: usize,
    /// Those of this rank; all of them where there is one.
    pub rows: usize,
    /// How many of its samples other ranks have before these.
    pub offset: usize,
    /// What `Step::first` must be.
    pub first: usize,
}

impl<'a> Feed<'a> {
    /// Prepares `samples` of `store` for batches of `batch`; `genes` are the network's.
    ///
    /// # Errors
    /// [`Error::Input`] naming a gene that the store lacks; [`Error::Device`] when memory does not suffice.
    pub fn new(
        executor: &mut dyn Executor,
        store: &'a Store,
        samples: Vec<usize>,
        genes: &[String],
        batch: usize,
        resident: Resident,
        report: Reporter,
    ) -> Result<Self> {
        let columns = match_genes(store, genes)?;
        Feed::of_panels(executor, store, samples, vec![columns], batch, resident, report)
    }

    /// As [`Feed::new`], for panels of genes given by their positions in the store; `None` is all of them.
    ///
    /// # Errors
    /// [`Error::Device`] when memory does not suffice.
    pub fn of_panels(
        executor: &mut dyn Executor,
        store: &'a Store,
        samples: Vec<usize>,
        columns: Vec<Option<Vec<usize>>>,
        batch: usize,
        resident: Resident,
        report: Reporter,
    ) -> Result<Self> {
        let width = |columns: &Option<Vec<usize>>| columns.as_ref().map_or(store.n_genes(), Vec::len);
        let row: usize = columns.iter().map(|c| padded(width(c)) * store.element().bytes()).sum();
        let wanted = samples.len() as u64 * row as u64;
        // What the device says is free may be no more than a guess, so a refusal is an answer too.
        let keep = match resident {
            Resident::Always => {
                Some(keep_all(executor, store, samples.len(), &columns).map_err(streaming_helps)?)
            }
            Resident::Never => None,
            // little travels of it, and far more would be kept
            Resident::Auto if store.layout() == Layout::Sparse => None,
            Resident::Auto if wanted as f64 > RESIDENT_SHARE * executor.memory() as f64 => None,
            Resident::Auto => keep_all(executor, store, samples.len(), &columns).ok(),
        };
        let (index, panels) = match keep {
            Some((index, panels)) => (Some(index), panels),
            None => {
                let panel = |columns| Panel::streamed(executor, store, &samples, batch, columns);
                (None, columns.into_iter().map(panel).collect::<Result<_>>()?)
            }
        };
        let feed = Feed { store, samples, batch, panels, index, ranks: Ranks::alone() };
        if feed.is_resident() {
            feed.upload_all(executor, report)?;
        }
        Ok(feed)
    }

    /// Shares every batch of `batch` samples with other ranks, row by row; it was made for no more than
    /// [`Ranks::largest_share`] of them. Each rank then brings its own rows to its device, and may end only with the others: whoever
    /// goes through the samples looks after interruptions.
    #[must_use]
    pub fn among(self, ranks: &Ranks, batch: usize) -> Self {
        Feed { batch, ranks: ranks.clone(), ..self }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// True without samples.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// True where the matrix is kept on the device.
    pub fn is_resident(&self) -> bool {
        self.index.is_some()
    }

    /// Batches in one pass.
    pub fn batches(&self) -> usize {
        self.samples.len().div_ceil(self.batch)
    }

    /// The call that makes a batch's scaled input, of the first panel.
    pub fn gather(&self, input: &InputBuffers, out: Matrix) -> Call {
        self.gather_panel(0, input, out)
    }

    /// The call that makes a batch's scaled values of one panel.
    ///
    /// # Panics
    /// If there is no such panel.
    pub fn gather_panel(&self, panel: usize, scaling: &InputBuffers, out: Matrix) -> Call {
        self.panels[panel].gather(self.index, scaling, out)
    }

    /// Goes once through the samples in the given order (positions among the feed's samples, all or some of
    /// them, each once) and calls `run` for each batch when its rows are on their way to the device.
    ///
    /// # Errors
    /// Those of the device and of `run`.
    pub fn pass(
        &self,
        executor: &mut dyn Executor,
        order: &[u32],
        run: impl FnMut(&mut dyn Executor, Batch) -> Result<()>,
    ) -> Result<()> {
        self.pass_from(executor, order, 0, run)
    }

    /// As [`Feed::pass`], without the first `skip` batches.
    ///
    /// # Errors
    /// As [`Feed::pass`]; [`crate::Error::Interrupted`] between two batches.
    pub fn pass_from(
        &self,
        executor: &mut dyn Executor,
        order: &[u32],
        skip: usize,
        mut run: impl FnMut(&mut dyn Executor, Batch) -> Result<()>,
    ) -> Result<()> {
        let check = || if self.ranks.are_several() { Ok(()) } else { interrupt::check() };
        let (batches, own) = self.parts(order, skip);
        match self.index {
            Some(index) => {
                let mut whole = own;
                whole.resize(index.cols, 0);
                executor.write_u32(index, 0, &whole)?;
                batches.into_iter().try_for_each(|batch| {
                    check()?;
                    run(executor, batch)
                })
            }
            None => {
                let pieces: Vec<usize> = batches.iter().map(|batch| batch.rows).collect();
                self.pump(executor, &pieces, &own, |executor, n, filled| {
                    check()?;
                    let batch = Batch { first: 0, ..batches[n] };
                    // none where there are fewer samples than ranks
                    for (panel, (staging, rows)) in self.panels.iter().zip(filled).filter(|_| batch.rows > 0)
                    {
                        executor.upload(staging, panel.values, 0, rows)?;
                    }
                    run(executor, batch)
                })
            }
        }
    }

    /// The batches of a pass without the first `skip`, and the order of this rank's samples in them.
    fn parts(&self, order: &[u32], skip: usize) -> (Vec<Batch>, Vec<u32>) {
        let (mut batches, mut own) = (Vec::new(), Vec::with_capacity(self.ranks.largest_share(order.len())));
        for (number, batch) in order.chunks(self.batch).enumerate().skip(skip) {
            let part = self.ranks.share(batch.len());
            let (start, first) = (number * self.batch, own.len());
            own.extend_from_slice(&batch[part.clone()]);
            batches.push(Batch {
                number,
                start,
                of: batch.len(),
                rows: part.len(),
                offset: part.start,
                first,
            });
        }
        (batches, own)
    }

    fn upload_all(&self, executor: &mut dyn Executor, report: Reporter) -> Result<()> {
        let order: Vec<u32> = (0..self.samples.len() as u32).collect();
        let row: usize = self.panels.iter().map(|panel| panel.values.row_bytes()).sum();
        let piece = (PIECE_BYTES / row).clamp(1, self.samples.len());
        let total = Some(order.len() as u64);
        report(Event::Started { task: "uploading".into(), total, unit: "samples" });
        let pieces: Vec<usize> = order.chunks(piece).map(<[u32]>::len).collect();
        self.pump(executor, &pieces, &order, |executor, n, filled| {
            for (panel, (staging, rows)) in self.panels.iter().zip(filled) {
                executor.upload(staging, panel.values, n * piece, rows)?;
            }
            advance(report, (n * piece + pieces[n]) as u64, "")?;
            Ok(())
        })?;
        report(Event::Finished);
        executor.wait()
    }

    /// Fills staging areas, one a panel, on a loader thread, some ahead, and hands them over in order, with how many of their rows are to travel:
    /// of `order` as many samples a piece as `pieces` says.
    fn pump(
        &self,
        executor: &mut dyn Executor,
        pieces: &[usize],
        order: &[u32],
        mut consume: impl FnMut(&mut dyn Executor, usize, Vec<Filled>) -> Result<()>,
    ) -> Result<()> {
        let largest = pieces.iter().copied().max().unwrap_or(0).max(1);
        let pieces: Vec<&[u32]> = pieces
            .iter()
            .scan(order, |rest, rows| {
                let (piece, after) = rest.split_at(*rows);
                *rest = after;
                Some(piece)
            })
            .collect();
        let (to_loader, requests) = mpsc::channel::<(usize, Vec<Box<dyn Staging>>)>();
        let (to_device, filled) = mpsc::channel();
        std::thread::scope(|scope| {
            let pieces = &pieces;
            scope.spawn(move || {
                let (mut room, mut samples) = (Room::default(), Vec::new());
                for (n, areas) in requests {
                    samples.clear();
                    samples.extend(pieces[n].iter().map(|position| self.samples[*position as usize]));
                    let fill = |(panel, mut staging): (&Panel, Box<dyn Staging>)| {
                        let rows = panel.fill(self.store, &samples, &mut *staging, &mut room);
                        (staging, rows)
                    };
                    let filled: Vec<Filled> = self.panels.iter().zip(areas).map(fill).collect();
                    if to_device.send(filled).is_err() {
                        return; // the other side failed and says so
                    }
                }
            });
            let lost = || Error::Data("the loader thread stopped; this is a bug".into());
            let ahead = AHEAD.min(STAGING_AREAS / self.panels.len() - 1).max(1);
            let mut asked = 0;
            for n in 0..pieces.len() {
                while asked < pieces.len() && asked < n + ahead {
                    let area = |panel: &Panel| executor.staging(panel.values, panel.staged(largest));
                    let areas = self.panels.iter().map(area).collect::<Result<_>>()?;
                    to_loader.send((asked, areas)).map_err(|_| lost())?;
                    asked += 1;
                }
                consume(executor, n, filled.recv().map_err(|_| lost())?)?;
            }
            drop(to_loader);
            Ok(())
        })
    }
}

/// Makes what a device is to hold. Where that does not fit beside samples that may stay there or not, it is made again with
/// the samples streamed. What was on the device before is freed then.
///
/// # Errors
/// Those of `make`.
pub(crate) fn stepping_down<T>(
    executor: &mut dyn Executor,
    resident: Resident,
    report: Reporter,
    mut make: impl FnMut(&mut dyn Executor, Resident) -> Result<T>,
) -> Result<T> {
    match make(executor, resident) {
        Err(error @ Error::Device { .. }) if resident == Resident::Auto => {
            report(Event::Warning(format!("{error}; going on with the samples streamed")));
            executor.reset();
            make(executor, Resident::Never)
        }
        made => made,
    }
}

/// A refusal of memory for samples that were to stay on the device.
fn streaming_helps(error: Error) -> Error {
    match error {
        Error::Device { device, message } => {
            Error::Device { device, message: format!("{message}; --resident never streams the samples") }
        }
        other => other,
    }
}

/// Room for all samples on the device: the order of the rows, and the panels.
fn keep_all(
    executor: &mut dyn Executor,
    store: &Store,
    samples: usize,
    columns: &[Option<Vec<usize>>],
) -> Result<(Matrix, Vec<Panel>)> {
    let index = executor.matrix("row order", 1, samples, Element::U32)?;
    let panel = |columns: &Option<Vec<usize>>| {
        Panel::dense(executor, "resident matrix", samples, store, columns.clone())
    };
    Ok((index, columns.iter().map(panel).collect::<Result<_>>()?))
}

/// Where each of `genes` stands in the store; `None` where they are the store's genes in the store's order. A model knows no
/// more than ids, so they alone count.
///
/// # Errors
/// [`Error::Input`] with the number and the first of the genes that are missing; [`Error::Data`] for ids of another kind.
pub fn match_genes(store: &Store, genes: &[String]) -> Result<Option<Vec<usize>>> {
    if store.genes().ids == genes {
        return Ok(None);
    }
    let (name, table) = (store.path().display().to_string(), Table::new("gene_id", genes.to_vec()));
    let sides = (Side::of("the model", &table), Side::of_store(&name, store));
    let (joined, found) = join(&sides.0, &sides.1, Some(&Way::Id), Ambiguous::Refuse)?;
    let places: Option<Vec<usize>> = joined.places().into_iter().collect();
    if let Some(places) = places {
        return Ok(Some(places));
    }
    let message = format!(
        "{} of the model's {} genes are not in this store: {}; import the data with the same gene ids that the model was trained \
         on, or give them to the store by `genelift prepare --match-genes` with the store that the model was trained on",
        found.missing.len(),
        genes.len(),
        found.shown()
    );
    Err(Error::input(store.path(), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_share_every_batch_and_miss_nobody() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = crate::testing::random_store(&dir.path().join("x.gex"), 23, 3);
        let order: Vec<u32> = (0..23).rev().collect();
        for size in [2, 3, 5] {
            let all = Ranks::of_threads(size, |ranks| {
                let mut executor = crate::device::cpu::CpuExecutor::open(Some(1)).expect("a thread");
                let (samples, resident) = ((0..23).collect(), Resident::Never);
                let batch = ranks.largest_share(6);
                let columns = vec![None];
                let report = &crate::progress::silent;
                let feed = Feed::of_panels(&mut executor, &store, samples, columns, batch, resident, report);
                feed.expect("made").among(&ranks, 6).parts(&order, 1)
            });
            let mut seen = Vec::new();
            for number in 0..3 {
                let batches: Vec<Batch> = all.iter().map(|(batches, _)| batches[number]).collect();
                assert_eq!(batches.iter().map(|b| b.rows).sum::<usize>(), batches[0].of);
                let mut offset = 0;
                for (batch, (_, own)) in batches.iter().zip(&all) {
                    assert_eq!(
                        (batch.number, batch.start, batch.offset),
                        (number + 1, 6 * (number + 1), offset)
                    );
                    offset += batch.rows;
                    seen.extend_from_slice(&own[batch.first..batch.first + batch.rows]);
                }
            }
            // the last batch has 5 samples; the first was skipped
            assert_eq!(seen, order[6..], "{size} ranks");
        }
    }

    #[test]
    fn genes_are_matched_by_their_ids() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = crate::testing::random_store(&dir.path().join("x.gex"), 2, 3);
        let genes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let places = |names: &[&str]| match_genes(&store, &genes(names));
        assert_eq!(places(&["g_1", "g_2", "g_3"]).expect("all there"), None);
        assert_eq!(places(&["g_3", "g_1"]).expect("both there"), Some(vec![2, 0]));
        let message = places(&["g_3", "g_4"]).expect_err("one is missing").to_string();
        assert!(message.contains("1 of the model's 2 genes") && message.contains("g_4"), "{message}");
    }
}
