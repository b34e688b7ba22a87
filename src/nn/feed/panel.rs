//! One panel of genes on the device, and how rows of a store come there: dense, as they lie in the file or in memory; or, of a sparse store whose
//! samples are streamed, as the values that are not zero, which the device makes dense.

use crate::device::pairs::{self, Packer};
use crate::device::recording::{Call, Element, Matrix};
use crate::device::{Executor, Staging};
use crate::error::{Error, Result};
use crate::nn::network::InputBuffers;
use crate::store::{Layout, Store};

/// One panel of genes on the device.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Dense: all samples, or one batch where they are streamed. Packed: one batch.
    pub values: Matrix,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// Position in the store of each gene; `None` where they are the store's.
    Dense(Option<Vec<usize>>),
    /// The column of each of the store's genes, [`NONE`] for those of no column; `None` where they are the store's. And how many
    /// rows a batch has.
    Packed(Option<Vec<u32>>, usize),
}

const NONE: u32 = u32::MAX;

/// Room that rows are put together in.
#[derive(Default)]
pub struct Room {
    row: Vec<f32>,
    permuted: Vec<u8>,
    packer: Packer,
}

/// The places of genes among others; `None` where one comes twice.
fn inverse(columns: &[usize], genes: usize) -> Option<Vec<u32>> {
    let mut places = vec![NONE; genes];
    for (column, gene) in columns.iter().enumerate() {
        if std::mem::replace(&mut places[*gene], column as u32) != NONE {
            return None;
        }
    }
    Some(places)
}

impl Panel {
    /// Room on the device for dense rows.
    ///
    /// # Errors
    /// Those of the device.
    pub fn dense(
        executor: &mut dyn Executor,
        name: &str,
        rows: usize,
        store: &Store,
        columns: Option<Vec<usize>>,
    ) -> Result<Panel> {
        let genes = columns.as_ref().map_or(store.n_genes(), Vec::len);
        let values = executor.matrix(name, rows, genes, store.element())?;
        Ok(Panel { values, form: Form::Dense(columns) })
    }

    /// Room on the device for any `batch` of `samples`, streamed.
    ///
    /// # Errors
    /// Those of the device; [`Error::Data`] for more values in a batch than can be counted there.
    pub fn streamed(
        executor: &mut dyn Executor,
        store: &Store,
        samples: &[usize],
        batch: usize,
        columns: Option<Vec<usize>>,
    ) -> Result<Panel> {
        let name = "streamed batch";
        let places = match (store.layout(), &columns) {
            (Layout::Dense, _) => return Panel::dense(executor, name, batch, store, columns),
            (Layout::Sparse, None) => None,
            (Layout::Sparse, Some(of)) => match inverse(of, store.n_genes()) {
                Some(places) => Some(places),
                None => return Panel::dense(executor, name, batch, store, columns),
            },
        };
        let genes = columns.as_ref().map_or(store.n_genes(), Vec::len);
        let mut held: Vec<usize> = samples.iter().map(|sample| store.n_held(*sample).min(genes)).collect();
        held.sort_unstable_by(|a, b| b.cmp(a));
        let most = held.iter().take(batch).sum::<usize>();
        if u32::try_from(most).is_err() {
            return Err(Error::Data(format!("a batch of {batch} samples has {most} values; lower --batch")));
        }
        let values = executor.matrix(name, pairs::lines(batch, most), pairs::WIDTH, Element::U32)?;
        Ok(Panel { values, form: Form::Packed(places, batch) })
    }

    /// The call that makes a batch's scaled values.
    pub fn gather(&self, index: Option<Matrix>, scaling: &InputBuffers, out: Matrix) -> Call {
        let InputBuffers { offset, scale, .. } = *scaling;
        match self.form {
            Form::Dense(_) => Call::Gather { source: self.values, index, offset, scale, out },
            Form::Packed(_, packed) => Call::Scatter { pairs: self.values, packed, offset, scale, out },
        }
    }

    /// Rows that a staging area needs for `samples` of them.
    pub fn staged(&self, samples: usize) -> usize {
        match self.form {
            Form::Dense(_) => samples,
            Form::Packed(..) => self.values.rows,
        }
    }

    /// Fills a staging area with samples of the store; returns how many of its rows are to travel.
    pub fn fill(
        &self,
        store: &Store,
        samples: &[usize],
        staging: &mut dyn Staging,
        room: &mut Room,
    ) -> usize {
        match &self.form {
            Form::Dense(columns) => {
                for (row, sample) in samples.iter().enumerate() {
                    let bytes = store.row_bytes(*sample, &mut room.row);
                    staging.write_row(row, in_order(columns.as_deref(), store, bytes, &mut room.permuted));
                }
                samples.len()
            }
            Form::Packed(places, batch) => {
                for sample in samples {
                    store.each_held(*sample, |gene, value| {
                        let column = places.as_ref().map_or(gene as u32, |places| places[gene]);
                        if column != NONE {
                            room.packer.push(column, value);
                        }
                    });
                    room.packer.end_row();
                }
                room.packer.finish(*batch, |line, words| staging.write_row(line, bytemuck::cast_slice(words)))
            }
        }
    }
}

/// A row's bytes with the genes in the panel's order.
fn in_order<'b>(
    columns: Option<&[usize]>,
    store: &Store,
    bytes: &'b [u8],
    permuted: &'b mut Vec<u8>,
) -> &'b [u8] {
    let Some(columns) = columns else { return bytes };
    let size = store.element().bytes();
    permuted.clear();
    for column in columns {
        permuted.extend_from_slice(&bytes[column * size..(column + 1) * size]);
    }
    permuted
}
