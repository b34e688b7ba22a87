//! S = XᵀM·X of z-scored samples X [samples × genes], M = T·Tᵀ of a target T that a network has a part in: all that the greedy among the
//! genes ([`super::by_genes`]) wants to know of it.
//!
//! T is the data times √(1 − share) and beside it the network's output times √share, so S = (1 − share)·C·C + share·DᵀD with C = XᵀX and
//! D = YᵀX, Y the output, z-scored or in shares of the genes' deviations. A column of X sums to 0, so the means of Y leave D as it is, and its scale is a
//! factor a row: one pass over the samples, in which the network, the sums of its output and the products are on the device. Cost:
//! 2·n·G² operations beside the network's, and G³ for each of DᵀD and C·C; memory 2·G² bytes for S, twice that while the device has it too, and a part of D
//! (twice while it is fetched).

use std::ops::Range;

use super::covariance::Covariance;
use super::diverse::{DiverseSettings, Weights};
use super::moments::Moments;
use crate::device::Executor;
use crate::device::recording::{Element, Epilogue, Layout, Recording, Step};
use crate::error::Result;
use crate::nn::feed::{Feed, Resident, match_genes};
use crate::nn::model::Model;
use crate::nn::network::{InputBuffers, Network};
use crate::progress::{Event, Reporter, advance};
use crate::store::Store;

/// Samples in a batch.
const BATCH: usize = 512;
/// Bytes of D at a time: of 22,268 genes a sixth, so the network's first layers, a fortieth of the products, are gone through six times.
const PART: usize = 5 << 26;

/// A target seen from the genes.
#[derive(Debug, Clone)]
pub struct TargetProducts {
    /// S
    pub image: Covariance,
    /// tr(M)
    pub whole: f64,
}

/// Rows of D, and of each output Σ(y − ȳ)².
struct Cross {
    rows: Vec<f32>,
    spread: Vec<f64>,
}

impl TargetProducts {
    /// Bytes of S and of a part of D for so many genes, beside C and what the device has.
    pub fn bytes(genes: usize) -> usize {
        Covariance::bytes(genes) + PART.min(4 * genes * genes)
    }

    /// Of a share of the network's output and the rest of the data, whose C is there.
    ///
    /// # Errors
    /// Genes of the model that the store lacks; the device's; [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn of(
        executor: &mut dyn Executor,
        of_model: (&Model, &DiverseSettings),
        data: (&Store, &[usize]),
        of_data: (&Moments, &Covariance),
        report: Reporter,
    ) -> Result<TargetProducts> {
        let at_once = (PART / 4 / data.0.n_genes()).clamp(1, of_model.0.genes.len());
        TargetProducts::in_parts(at_once, executor, of_model, data, of_data, report)
    }

    /// As [`TargetProducts::of`], `at_once` of the network's outputs at a time.
    fn in_parts(
        at_once: usize,
        executor: &mut dyn Executor,
        (model, settings): (&Model, &DiverseSettings),
        (store, samples): (&Store, &[usize]),
        (moments, c): (&Moments, &Covariance),
        report: Reporter,
    ) -> Result<TargetProducts> {
        let (share, genes) = (settings.target.share(), store.n_genes());
        let positions = store.genes().positions();
        let deviation = |gene: &String| positions.get(gene.as_str()).map_or(0.0, |g| moments.deviations[*g]);
        let unit = model.input.unit();
        let n = samples.len() as f64;
        let (mut image, mut whole) = (Covariance::none(genes), 0.0);
        let task = "products of the target";
        for first in (0..model.genes.len()).step_by(at_once) {
            let part = first..model.genes.len().min(first + at_once);
            let Cross { mut rows, spread } =
                cross(executor, model, (store, samples), moments, part.clone(), report)?;
            for ((gene, squares), row) in part.zip(spread).zip(rows.chunks_exact_mut(genes)) {
                let (own, deviation) = ((squares / n).sqrt(), deviation(&model.genes[gene]));
                let factor = match settings.weights {
                    _ if own == 0.0 || deviation == 0.0 || unit[gene] == 0.0 => 0.0,
                    Weights::Equal => 1.0 / own,
                    Weights::Variance => f64::from(unit[gene]) / deviation,
                };
                whole += share * squares * factor * factor;
                let scale = (share.sqrt() * factor) as f32;
                row.iter_mut().for_each(|d| *d *= scale);
            }
            let fill = |part: Range<usize>, out: &mut [f32]| {
                out.copy_from_slice(&rows[part.start * genes..part.end * genes]);
            };
            image.add_rows(executor, rows.len() / genes, task, fill, report)?;
        }
        if share < 1.0 {
            let scale = (1.0 - share).sqrt() as f32;
            let fill = |part: Range<usize>, out: &mut [f32]| {
                for (gene, row) in part.zip(out.chunks_exact_mut(genes)) {
                    row.iter_mut().zip(c.column(gene)).for_each(|(out, c)| *out = scale * c);
                }
            };
            image.add_rows(executor, genes, task, fill, report)?;
            whole += (1.0 - share) * c.diagonal().iter().sum::<f64>();
        }
        Ok(TargetProducts { image, whole })
    }
}

/// Some outputs of the network against every gene, over the samples.
fn cross(
    executor: &mut dyn Executor,
    model: &Model,
    (store, samples): (&Store, &[usize]),
    moments: &Moments,
    outputs: Range<usize>,
    report: Reporter,
) -> Result<Cross> {
    executor.reset();
    let (genes, depth, wide) = (store.n_genes(), model.layers.len(), outputs.len());
    let mut layers = model.layers.clone();
    layers[depth - 1] = layers[depth - 1].select(&outputs.collect::<Vec<_>>());
    let batch = BATCH.min(samples.len());
    let network = Network::new(executor, &layers, Element::F32)?;
    let input = InputBuffers::new(executor, model)?;
    let offset: Vec<f32> = moments.means.iter().map(|mean| *mean as f32).collect();
    let scale = |sd: &f64| if *sd > 0.0 { (1.0 / sd) as f32 } else { 0.0 };
    let scale: Vec<f32> = moments.deviations.iter().map(scale).collect();
    let zscore = InputBuffers::of(executor, &offset, &scale, &scale)?;
    let made = network.batch_matrices(executor, "activations", batch, depth)?;
    let x = executor.matrix("input batch", batch, model.genes.len(), network.element)?;
    let z = executor.matrix("samples", batch, genes, Element::F32)?;
    let out = executor.matrix("output against genes", wide, genes, Element::F32)?;
    let panels = vec![match_genes(store, &model.genes)?, None];
    let feed = Feed::of_panels(executor, store, samples.to_vec(), panels, batch, Resident::Never, report)?;
    let mut recording = Recording::new();
    recording.push(feed.gather_panel(0, &input, x));
    recording.push(feed.gather_panel(1, &zscore, z));
    network.forward(&mut recording, x, &made);
    recording.product(
        "output against genes",
        Layout::Tn,
        made[depth - 1],
        z,
        Element::F32,
        Epilogue::Add { out },
    );
    let program = executor.compile(&recording)?;
    let order: Vec<u32> = (0..feed.len() as u32).collect();
    // (Σ(y − y₀), Σ(y − y₀)²) with the first sample's y₀
    let (mut begin, mut sums) = (Vec::new(), vec![[0.0f64; 2]; wide]);
    report(Event::Started {
        task: "target against genes".into(),
        total: Some(feed.len() as u64),
        unit: "samples",
    });
    feed.pass(executor, &order, |executor, batch| {
        executor.run(program, &Step { rows: batch.rows, first: batch.first, ..Step::default() })?;
        let values = executor.read(made[depth - 1], 0, batch.rows)?;
        if begin.is_empty() {
            begin = values[..wide].to_vec();
        }
        for row in values.chunks_exact(wide) {
            for ((sums, y), first) in sums.iter_mut().zip(row).zip(&begin) {
                let d = f64::from(*y) - f64::from(*first);
                *sums = [sums[0] + d, sums[1] + d * d];
            }
        }
        advance(report, (batch.start + batch.of) as u64, "")
    })?;
    report(Event::Finished);
    let rows = executor.read(out, 0, wide)?;
    executor.reset();
    let n = samples.len() as f64;
    let spread = sums.iter().map(|[sum, squares]| (squares - sum * sum / n).max(0.0)).collect();
    Ok(Cross { rows, spread })
}

#[cfg(test)]
mod tests {
    use nalgebra::DMatrix;

    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::device::random::Stream;
    use crate::device::recording::Activation;
    use crate::nn::model::{Input, Shape};
    use crate::nn::scaling::{self, Scale};
    use crate::progress::silent;
    use crate::select::by_genes::ByGenes;
    use crate::select::by_samples::BySamples;
    use crate::select::columns::Columns;
    use crate::select::constraints::Constraints;
    use crate::select::diverse::{Aim, from_data, reconstruction};
    use crate::select::penalties::Penalties;

    const GENES: usize = 60;

    /// Mixtures of six programmes; gene 4 is constant.
    fn mixed(path: &std::path::Path, samples: usize) -> Store {
        let mut stream = Stream::new(12, "mixtures", 0);
        let loadings: Vec<f64> = (0..GENES * 6).map(|_| stream.uniform() - 0.4).collect();
        let mut values = Vec::new();
        for _ in 0..samples {
            let programmes: Vec<f64> = (0..6).map(|_| stream.uniform()).collect();
            let value = |own: &[f64]| own.iter().zip(&programmes).map(|(a, b)| a * b).sum::<f64>();
            let first = values.len();
            values.extend(loadings.chunks_exact(6).map(|own| 3.0 + value(own) as f32));
            values[first..].iter_mut().for_each(|x| *x += 0.3 * stream.uniform() as f32);
            values[first + 4] = 3.0;
        }
        crate::testing::store(path, GENES, &values)
    }

    /// A network of some of the genes, in another order, that was never trained.
    fn model(store: &Store, samples: &[usize]) -> Model {
        let places: Vec<usize> = (0..GENES).map(|i| i * 7 % GENES).filter(|gene| gene % 10 != 3).collect();
        let input = scaling::fit(store, samples, Scale::Minmax);
        let of = |values: &[f32]| places.iter().map(|gene| values[*gene]).collect::<Vec<_>>();
        let input = Input { offset: of(&input.offset), scale: of(&input.scale), median: of(&input.median) };
        let (activation, output_activation) = (Activation::Tanh, Activation::Sigmoid);
        let shape = Shape { genes: places.len(), hidden: vec![9, 4, 9], activation, output_activation };
        let genes = places.iter().map(|gene| store.genes().ids[*gene].clone()).collect();
        Model::initial(&shape, genes, input, 3, serde_json::json!({}))
    }

    /// S is what whole matrices of samples give, and the lists, also after exchanges, are those of the samples.
    #[test]
    fn the_products_and_the_lists_are_those_of_the_samples() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = mixed(&dir.path().join("x.gex"), BATCH + 90);
        let samples: Vec<usize> = (0..store.n_samples()).filter(|sample| sample % 6 != 1).collect();
        let model = model(&store, &samples);
        let moments = Moments::of(&store, &samples).unwrap();
        let (x, deviations) = Columns::standardized(&store, &samples);
        let wide = DMatrix::from_fn(samples.len(), GENES, |row, gene| f64::from(x.column(gene)[row]));
        let mut executor = CpuExecutor::open(Some(2)).expect("threads");
        let c = Covariance::of(&mut executor, &store, &samples, &moments, &silent).expect("products");
        let ids = &store.genes().ids;
        for (aim, weights, at_once) in [
            (Aim::Reconstruction, Weights::Variance, 100),
            (Aim::Reconstruction, Weights::Equal, 23),
            (Aim::Blend(0.3), Weights::Variance, 17),
            (Aim::Blend(0.8), Weights::Equal, 54),
        ] {
            let settings =
                DiverseSettings { target: aim, weights, exchange: 1, ..DiverseSettings::default() };
            let mut gram = from_data(aim, weights, &x).unwrap_or_else(|| DMatrix::zeros(x.rows(), x.rows()));
            let output =
                reconstruction(&mut executor, &model, &store, &samples, &deviations, weights, &silent);
            gram += output.expect("an output").gram() * aim.share();
            let target = TargetProducts::in_parts(
                at_once,
                &mut executor,
                (&model, &settings),
                (&store, &samples),
                (&moments, &c),
                &silent,
            );
            let target = target.expect("a target");
            let expected = wide.transpose() * &gram * &wide;
            let found = DMatrix::from_fn(GENES, GENES, |i, j| f64::from(target.image.value(i, j)));
            assert!((&found - &expected).amax() < 1e-4 * expected.amax(), "{aim}, {weights:?}");
            assert!((target.whole - gram.trace()).abs() < 1e-4 * gram.trace(), "{aim}, {weights:?}");

            let bound = Constraints::new(store.genes(), 20, &[8], &[30]).expect("possible");
            let penalties = Penalties::equal(2.5, GENES).expect("a ridge");
            let by_samples =
                settings.choose(&mut BySamples::new(&x, &gram), &penalties, ids, &bound, &silent);
            let by_genes =
                settings.choose(&mut ByGenes::new(&c, Some(&target), 20), &penalties, ids, &bound, &silent);
            let (a, b) = (by_samples.expect("chosen"), by_genes.expect("chosen"));
            assert_eq!(a.genes, b.genes, "{aim}, {weights:?}");
            for (a, b) in a.scores.iter().zip(&b.scores) {
                assert!((a - b).abs() < 5e-3 * a + 1e-6, "{aim}, {weights:?}: {a}, {b}");
            }
        }
    }
}
