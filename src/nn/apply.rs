//! What a trained network is used for besides attribution: embedding, reconstruction, evaluation.

use std::path::Path;

use super::feed::{Batch, Feed, Resident, match_genes};
use super::model::{Layer, Model};
use super::network::{InputBuffers, Network};
use super::ranked;
use super::scaling::unscale;
use crate::device::Executor;
use crate::device::recording::{Element, PAD, Recording, Step, padded};
use crate::error::{Error, Result};
use crate::evaluate::{Agreement, Baseline, Evaluation, Pairs, permutation_among};
use crate::genes::Table;
use crate::genes::writer::Line;
use crate::progress::{Event, Reporter, advance};
use crate::ranks::Ranks;
use crate::store::{Origin, Store, StoreWriter, atomic};

/// Samples that go through the network at a time, where a device has room for them.
const BATCH: usize = 256;

/// As many of [`BATCH`] samples of so many genes as go through layers at a time in half of what a device has free, scaling and parameters
/// put aside: sums of products that are cut want room too. A multiple of [`PAD`], since matrices have room for no fewer.
fn batch_within(memory: u64, layers: &[Layer], genes: usize) -> usize {
    let bytes = |rows: usize, cols: usize| 4 * (padded(rows) * padded(cols)) as u64;
    let parameters = |layer: &Layer| bytes(layer.inputs, layer.outputs) + bytes(1, layer.outputs);
    // offset, scale and unit
    let kept = 3 * bytes(1, genes) + layers.iter().map(parameters).sum::<u64>();
    // as they are read, scaled, and what every layer makes of them
    let some = 2 * bytes(PAD, genes) + layers.iter().map(|layer| bytes(PAD, layer.outputs)).sum::<u64>();
    PAD * (memory.saturating_sub(kept) / 2 / some).clamp(1, (BATCH / PAD) as u64) as usize
}

/// Streams a store's samples through the first `depth` layers, in f32 and without dropout, and hands each
/// batch's output to `visit` as (first sample, dense rows).
///
/// # Errors
/// [`Error::Input`] where genes are missing; [`Error::Device`]; those of `visit`.
pub fn forward(
    executor: &mut dyn Executor,
    model: &Model,
    store: &Store,
    depth: usize,
    report: Reporter,
    visit: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let all = (0..store.n_samples()).collect();
    forward_of(executor, model, (store, all), depth, report, visit)
}

/// The same for some of a store's samples, in their order; `visit` is told the place among them.
///
/// # Errors
/// As [`forward`].
pub fn forward_of(
    executor: &mut dyn Executor,
    model: &Model,
    (store, samples): (&Store, Vec<usize>),
    depth: usize,
    report: Reporter,
    mut visit: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let ranks = Ranks::alone();
    forward_among(&ranks, executor, model, (store, samples), depth, report, |batch, rows| {
        visit(batch.start, rows)
    })
}

/// The same by several ranks: `visit` is called for every batch on every rank, with the rows that are the rank's own, of which a batch
/// of few samples may have none.
fn forward_among(
    ranks: &Ranks,
    executor: &mut dyn Executor,
    model: &Model,
    (store, samples): (&Store, Vec<usize>),
    depth: usize,
    report: Reporter,
    mut visit: impl FnMut(Batch, &[f32]) -> Result<()>,
) -> Result<()> {
    let (layers, genes) = (&model.layers[..depth], model.genes.len());
    let most = match ranks.are_several() {
        true => BATCH * ranks.size(), // which they agree on without a word
        false => batch_within(executor.memory(), layers, genes),
    };
    let whole = most.min(samples.len());
    let batch = ranks.largest_share(whole);
    let network = Network::new(executor, layers, Element::F32)?;
    let input = InputBuffers::new(executor, model)?;
    let outputs = network.batch_matrices(executor, "activations", batch, depth)?;
    let x = executor.matrix("input batch", batch, genes, network.element)?;
    let feed = Feed::new(executor, store, samples, &model.genes, batch, Resident::Never, report)?
        .among(ranks, whole);
    let mut recording = Recording::new();
    recording.push(feed.gather(&input, x));
    network.forward(&mut recording, x, &outputs);
    let program = executor.compile(&recording)?;
    let order: Vec<u32> = (0..feed.len() as u32).collect();
    let total = Some(feed.len() as u64);
    report(Event::Started { task: "forward".into(), total, unit: "samples" });
    feed.pass(executor, &order, |executor, batch| {
        let rows = match batch.rows {
            0 => Vec::new(),
            rows => {
                executor.run(program, &Step { rows, first: batch.first, ..Step::default() })?;
                executor.read(outputs[depth - 1], 0, rows)?
            }
        };
        advance(report, (batch.start + batch.of) as u64, "")?;
        visit(batch, &rows)
    })?;
    report(Event::Finished);
    Ok(())
}

/// Writes the bottleneck's activations as a table: samples × neurons, the sample columns named in `labels`, then columns `neuron_1`….
///
/// # Errors
/// As [`forward`]; [`Error::Usage`] for a column that the store lacks; [`Error::Exists`] without `force`; [`Error::Io`].
pub fn embed(
    executor: &mut dyn Executor,
    model: &Model,
    (store, labels): (&Store, &[String]),
    out: &Path,
    force: bool,
    report: Reporter,
) -> Result<()> {
    let depth = model.encoder_layers();
    let width = model.layers[depth - 1].outputs;
    let labels =
        labels.iter().map(|name| Ok((name, store.sample_column(name)?))).collect::<Result<Vec<_>>>()?;
    atomic::write_file(out, force, |file| {
        let io = |error| Error::io(out, "writing")(error);
        let mut line = Line::new(b'\t');
        line.field(&store.samples().key);
        labels.iter().for_each(|(name, _)| line.field(name));
        (1..=width).for_each(|neuron| line.field(&format!("neuron_{neuron}")));
        file.write_all(&line.end()).map_err(io)?;
        forward(executor, model, store, depth, report, |first, rows| {
            rows.chunks_exact(width).enumerate().try_for_each(|(i, row)| {
                line.field(&store.samples().ids[first + i]);
                labels.iter().for_each(|(_, labels)| line.field(&labels[first + i]));
                row.iter().for_each(|value| line.number(value));
                file.write_all(&line.end()).map_err(io)
            })
        })
    })
}

/// Writes the network's output, in the units of the model's training store, as a store of the model's genes.
///
/// # Errors
/// As [`forward`]; [`Error::Exists`] without `force`; [`Error::Io`].
pub fn reconstruct(
    executor: &mut dyn Executor,
    model: &Model,
    store: &Store,
    out: &Path,
    force: bool,
    report: Reporter,
) -> Result<Store> {
    let mut writer = StoreWriter::create(out, model.genes.len(), store.element(), force)?;
    writer.expect(store.n_samples())?;
    forward(executor, model, store, model.layers.len(), report, |_, rows| {
        let mut rows = rows.to_vec();
        rows.chunks_exact_mut(model.genes.len())
            .for_each(|row| unscale(row, &model.input.offset, &model.input.scale));
        writer.push_rows(&rows)
    })?;
    let origin = Origin::derived(store, serde_json::json!({"reconstruct": {"model": model.config}}));
    writer.finish(model_genes(model, store)?, store.samples().clone(), origin)
}

/// Compares the network's output with the store's values, by gene and by sample, beside the training median, and
/// runs the permutation test.
///
/// # Errors
/// As [`forward`]; [`Error::Io`] where the temporary directory is full.
pub fn evaluate(
    executor: &mut dyn Executor,
    model: &Model,
    store: &Store,
    report: Reporter,
) -> Result<Evaluation> {
    evaluate_among(&Ranks::alone(), executor, model, store, report)
}

/// The same by several ranks; all get the result. Each takes a part of the samples through the network, and of the permutation test a part
/// of the genes, for which it has what the others inferred too.
///
/// # Errors
/// As [`evaluate`]; [`Error::Ranks`].
pub fn evaluate_among(
    ranks: &Ranks,
    executor: &mut dyn Executor,
    model: &Model,
    store: &Store,
    report: Reporter,
) -> Result<Evaluation> {
    ranked::same_work(ranks, model, store)?;
    let columns = match_genes(store, &model.genes)?;
    let genes = model.genes.len();
    let mut agreement = Agreement::new(genes);
    let known = Baseline::of_medians(&model.input.median);
    let mut pairs = Pairs::new(genes);
    pairs.expect(store.n_samples())?;
    let mut places = Vec::with_capacity(ranks.largest_share(store.n_samples()));
    let (mut stored, mut truth) = (vec![0.0; store.n_genes()], vec![0.0; genes]);
    let all = (0..store.n_samples()).collect();
    forward_among(ranks, executor, model, (store, all), model.layers.len(), report, |batch, rows| {
        let own = batch.offset..batch.offset + batch.rows;
        let rows = ranks.gather_values(rows)?;
        for (i, row) in rows.chunks_exact(genes).enumerate() {
            store.read_row(batch.start + i, &mut stored);
            match &columns {
                Some(columns) => {
                    columns.iter().zip(&mut truth).for_each(|(column, value)| *value = stored[*column]);
                }
                None => truth.copy_from_slice(&stored),
            }
            let mut row = row.to_vec();
            unscale(&mut row, &model.input.offset, &model.input.scale);
            if own.contains(&i) {
                agreement.add(&known, &truth, &row);
            }
            pairs.add(&truth, &row)?;
        }
        places.extend(own.map(|i| batch.start + i));
        Ok(())
    })?;
    let (by_gene, by_sample) = agreement.among(ranks, &places)?.finish();
    let permutation = permutation_among(ranks, executor, &mut pairs, report)?;
    Ok(Evaluation {
        genes: model_genes(model, store)?,
        samples: store.samples().clone(),
        by_gene,
        by_sample,
        permutation,
    })
}

/// The model's genes, in its order, with whatever columns the store has on them.
///
/// # Errors
/// As [`match_genes`].
pub fn model_genes(model: &Model, store: &Store) -> Result<Table> {
    Ok(match match_genes(store, &model.genes)? {
        Some(columns) => store.genes().select(&columns),
        None => store.genes().clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::Activation;

    /// By hand: 16 × 32 weights are 2,048 bytes, 32 biases as many, since a row takes the room of 16, and three vectors of 16 genes 3,072;
    /// 16 samples of 16 genes are read, scaled, and 32 activations each: 4,096 bytes.
    #[test]
    fn a_device_of_little_memory_is_given_fewer_samples_at_a_time() {
        let (weight, bias) = (vec![0.0; 512], vec![0.0; 32]);
        let layers = [Layer { inputs: 16, outputs: 32, weight, bias, activation: Activation::Linear }];
        let of = |memory| batch_within(memory, &layers, 16);
        let room = |batches: u64| 7168 + 2 * batches * 4096;
        assert_eq!([of(0), of(room(1)), of(room(3) - 1), of(room(3)), of(u64::MAX)], [16, 16, 32, 48, 256]);
    }
}
