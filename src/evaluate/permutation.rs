//! The permutation test of Kong et al. 2021: does an inferred gene resemble its own measured values more than those
//! of other genes? Gene j passes if fewer than 1 % of the other genes k have r(g_k, ĝ_j) above r(g_j, ĝ_j).
//!
//! The correlations of all pairs are one product of standardised values, of which only the number above each gene's
//! own is kept ([`Epilogue::Count`]). Values wait on disk and come to the device in blocks of genes, so memory
//! depends on neither samples nor genes; where a device has room for less, blocks have fewer genes.

use std::ops::Range;

use rayon::prelude::*;

use crate::device::recording::{Element, Epilogue, Layout, Matrix, Recording, Step};
use crate::device::{Executor, Program};
use crate::error::{Error, Result};
use crate::progress::{Event, Reporter, advance};
use crate::ranks::Ranks;
use crate::store::atomic;
use crate::store::turned::Turned;

/// A gene passes if a smaller share than this of the other genes is above it.
pub const PASSING_SHARE: f64 = 0.01;

/// Values of a block of genes (64 MiB); a test holds two on the device.
const BLOCK_VALUES: usize = 16 << 20;
/// The same of many samples (512 MiB): all measured values are read once for each block of inferred ones.
const TALL_BLOCK_VALUES: usize = 128 << 20;
/// Genes that a block has, where the larger one has room.
const BLOCK_GENES: usize = 1_024;

/// Values of a block.
fn block_values(samples: usize) -> usize {
    samples.saturating_mul(BLOCK_GENES).clamp(BLOCK_VALUES, TALL_BLOCK_VALUES)
}

/// How far above a gene's own correlation another one must be to count: more than f32 sums of any order differ,
/// so that ties (copies of one gene) do not depend on rounding.
const MARGIN: f32 = 1e-6;

/// Measured and inferred values of the same genes, set aside on disk sample by sample.
pub struct Pairs {
    measured: Turned,
    inferred: Turned,
    genes: usize,
    samples: usize,
}

impl Pairs {
    /// None yet, of so many genes.
    pub fn new(genes: usize) -> Pairs {
        Pairs { measured: Turned::new(genes), inferred: Turned::new(genes), genes, samples: 0 }
    }

    /// Refuses to begin where the system's temporary directory has too little room for so many samples.
    ///
    /// # Errors
    /// As [`atomic::check_space`].
    pub fn expect(&self, samples: usize) -> Result<()> {
        let bytes = self.measured.bytes_on_disk(samples).saturating_mul(2);
        if bytes == 0 {
            return Ok(());
        }
        atomic::check_space(&std::env::temp_dir().join("measured and inferred values"), bytes)
    }

    /// How many genes.
    pub fn genes(&self) -> usize {
        self.genes
    }

    /// Hands over blocks of genes: the first one's place, and measured and inferred values, all samples of a gene one after another.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn columns(&mut self, mut visit: impl FnMut(usize, &[f32], &[f32])) -> Result<()> {
        let width = (BLOCK_VALUES / self.samples.max(1)).max(1);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for first in (0..self.genes).step_by(width) {
            let last = self.genes.min(first + width);
            self.measured.columns(first, last, &mut x)?;
            self.inferred.columns(first, last, &mut y)?;
            visit(first, &x, &y);
        }
        Ok(())
    }

    /// Adds one sample: measured and inferred values by gene.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn add(&mut self, measured: &[f32], inferred: &[f32]) -> Result<()> {
        self.samples += 1;
        self.measured.push(measured)?;
        self.inferred.push(inferred)
    }
}

/// The outcome, by gene.
#[derive(Debug, Clone, PartialEq)]
pub struct Permutation {
    /// Other genes whose measured values correlate better with the inferred ones than the gene's own; `None` where a
    /// gene's own correlation is not defined.
    pub above: Vec<Option<u32>>,
    /// Other genes that a gene is compared with: all whose measured values vary, also where what was inferred of them does not.
    pub competitors: usize,
}

impl Permutation {
    /// The gene's place among its competitors, from 1.
    pub fn rank(&self, gene: usize) -> Option<u32> {
        self.above[gene].map(|above| above + 1)
    }

    /// Whether the gene passes; never `Some(true)` without a competitor.
    pub fn passes(&self, gene: usize) -> Option<bool> {
        self.above[gene].map(|above| f64::from(above) < PASSING_SHARE * self.competitors as f64)
    }

    /// How many genes pass.
    pub fn passed(&self) -> usize {
        (0..self.above.len()).filter(|gene| self.passes(*gene) == Some(true)).count()
    }

    /// Genes whose own correlation is not defined.
    pub fn undefined(&self) -> usize {
        self.above.iter().filter(|above| above.is_none()).count()
    }
}

/// Centres a column and scales it to length 1; zeros where it is constant or not finite.
fn standardise(column: &mut [f32]) {
    let n = column.len() as f64;
    let mean = column.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let squares = column.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
    let scale = 1.0 / squares.sqrt();
    if column.iter().all(|x| *x == column[0]) || !scale.is_finite() || !mean.is_finite() {
        return column.fill(0.0);
    }
    column.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * scale) as f32);
}

/// The standardised values of the genes in `range`, gene by gene.
fn block(values: &mut Turned, range: Range<usize>, samples: usize) -> Result<Vec<f32>> {
    let mut all = Vec::new();
    values.columns(range.start, range.end, &mut all)?;
    all.par_chunks_exact_mut(samples).for_each(standardise);
    Ok(all)
}

/// Of the genes in `range` those that compete: their values, one after another.
fn chosen(mut values: Vec<f32>, range: &Range<usize>, competes: &[bool], samples: usize) -> Vec<f32> {
    let mut n = 0;
    for (place, gene) in range.clone().enumerate() {
        if competes[gene] {
            values.copy_within(place * samples..(place + 1) * samples, n * samples);
            n += 1;
        }
    }
    values.truncate(n * samples);
    values
}

/// What tests a block of inferred genes on the device.
struct Tester {
    /// inferred genes × samples
    inferred: Matrix,
    /// measured genes × samples
    measured: Matrix,
    /// 1 × inferred genes
    own: Matrix,
    /// 1 × inferred genes
    counts: Matrix,
    program: Program,
}

impl Tester {
    /// For so many inferred genes, measured ones and samples. `first`: how many competitors are before the inferred ones.
    ///
    /// What was on the device before is freed: partial results of programs would add up there from block to block.
    ///
    /// # Errors
    /// [`Error::Device`].
    fn new(executor: &mut dyn Executor, [rows, cols, samples]: [usize; 3], first: usize) -> Result<Tester> {
        executor.reset();
        let mut matrix = |name, rows, cols| executor.matrix(name, rows, cols, Element::F32);
        let inferred = matrix("inferred genes", rows, samples)?;
        let measured = matrix("measured genes", cols, samples)?;
        let own = matrix("own correlations", 1, rows)?;
        let counts = matrix("counts", 1, rows)?;
        let mut recording = Recording::new();
        let epilogue = Epilogue::Count { own, counts, first };
        recording.product("permutation test", Layout::Nt, inferred, measured, Element::F32, epilogue);
        let program = executor.compile(&recording)?;
        Ok(Tester { inferred, measured, own, counts, program })
    }
}

/// Genes of a block: `most`, or a half, a quarter … of them, as many as every rank's device has room for.
///
/// # Errors
/// [`Error::Device`] where there is no room for one, or for another reason; [`Error::Ranks`].
fn width_within(
    ranks: &Ranks,
    executor: &mut dyn Executor,
    (genes, samples): (usize, usize),
    mut most: usize,
) -> Result<usize> {
    loop {
        // of one size, since the product is always that of full blocks
        let width = genes.div_ceil(genes.div_ceil(most));
        let made = Tester::new(executor, [ranks.largest_share(width), width, samples], 0);
        if let Err(error) = &made
            && (width == 1 || !matches!(error, Error::Device { .. }))
        {
            return made.map(|_| width);
        }
        // the blocks have to be the same on all
        if ranks.gather_values(&[u8::from(made.is_ok())])?.iter().all(|fits| *fits == 1) {
            return Ok(width);
        }
        most = width.div_ceil(2);
    }
}

/// Runs the test. Frees what was on the device before.
///
/// # Errors
/// [`crate::Error::Device`]; [`crate::Error::Io`].
pub fn permutation(executor: &mut dyn Executor, pairs: &mut Pairs, report: Reporter) -> Result<Permutation> {
    let block_values = block_values(pairs.samples);
    test(&Ranks::alone(), executor, pairs, block_values, report)
}

/// The same by several ranks, all of which have all pairs: each tests a part of the genes, and all get the result.
///
/// # Errors
/// As [`permutation`]; [`crate::Error::Ranks`].
pub fn permutation_among(
    ranks: &Ranks,
    executor: &mut dyn Executor,
    pairs: &mut Pairs,
    report: Reporter,
) -> Result<Permutation> {
    let block_values = block_values(pairs.samples);
    test(ranks, executor, pairs, block_values, report)
}

fn test(
    ranks: &Ranks,
    executor: &mut dyn Executor,
    pairs: &mut Pairs,
    block_values: usize,
    report: Reporter,
) -> Result<Permutation> {
    let Pairs { measured, inferred, genes, samples } = pairs;
    let (genes, samples) = (*genes, *samples);
    if samples < 2 || genes == 0 {
        return Ok(Permutation { above: vec![None; genes], competitors: 0 });
    }
    let most = (block_values / samples).clamp(1, genes);
    let width = width_within(ranks, executor, (genes, samples), most)?;
    let blocks: Vec<Range<usize>> =
        (0..genes).step_by(width).map(|first| first..genes.min(first + width)).collect();

    let (mut own, mut competes) = (Vec::with_capacity(genes), Vec::with_capacity(genes));
    for range in &blocks {
        let a = block(inferred, range.clone(), samples)?;
        let b = block(measured, range.clone(), samples)?;
        let defined = |x: &[f32]| x.iter().any(|x| *x != 0.0);
        competes.extend(b.chunks_exact(samples).map(defined));
        own.extend(a.chunks_exact(samples).zip(b.chunks_exact(samples)).map(|(a, b)| {
            let r = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            (defined(a) && defined(b)).then_some(r as f32)
        }));
    }
    let mut above = vec![None; genes];
    if own.iter().flatten().count() == 0 {
        return Ok(Permutation { above, competitors: 0 });
    }

    let part = ranks.largest_share(width);
    let total = (blocks.len() * blocks.len()) as u64;
    report(Event::Started { task: "permutation test".into(), total: Some(total), unit: "blocks" });
    let (mut first, mut done) = (0, 0);
    for rows in &blocks {
        let values = chosen(block(inferred, rows.clone(), samples)?, rows, &competes, samples);
        let count = values.len() / samples;
        let own_part = ranks.share(count);
        if own_part.is_empty() {
            first += count;
            done += blocks.len() as u64;
            advance(report, done, "")?;
            continue;
        }
        let tester = Tester::new(executor, [part, width, samples], first + own_part.start)?;
        executor.write(tester.inferred, 0, &values[own_part.start * samples..own_part.end * samples])?;
        // What is not defined is never above; its count is not looked at.
        let competing = || {
            let all = rows.clone().filter(|gene| competes[*gene]);
            all.skip(own_part.start).take(own_part.len())
        };
        let mut limits: Vec<f32> = competing().map(|gene| own[gene].unwrap_or(1.0) + MARGIN).collect();
        limits.resize(part, 0.0);
        executor.write(tester.own, 0, &limits)?;
        executor.write(tester.counts, 0, &vec![0.0; part])?;
        let mut column = 0;
        for cols in &blocks {
            let values = chosen(block(measured, cols.clone(), samples)?, cols, &competes, samples);
            let step = Step { rows: values.len() / samples, first: column, ..Step::default() };
            if step.rows > 0 {
                executor.write(tester.measured, 0, &values)?;
                executor.run(tester.program, &step)?;
            }
            column += step.rows;
            done += 1;
            advance(report, done, "")?;
        }
        let found = executor.read(tester.counts, 0, 1)?;
        let counted = competing().zip(found).filter(|(gene, _)| own[*gene].is_some());
        counted.for_each(|(gene, count)| above[gene] = Some(count as u32));
        first += count;
    }
    report(Event::Finished);
    // 0 for what is not defined or another rank's
    let counted = above.iter().map(|above: &Option<u32>| above.map_or(0.0, |above| f64::from(above) + 1.0));
    let counted = ranks.sum_f64(counted.collect())?;
    let above = counted.into_iter().map(|count| (count > 0.0).then(|| count as u32 - 1)).collect();
    let competitors = competes.iter().filter(|competes| **competes).count() - 1;
    Ok(Permutation { above, competitors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::device::random::Stream;
    use crate::progress::silent;
    use crate::testing::Listener;

    /// All correlations in f64, as one would write them down.
    fn naive(x: &[Vec<f32>], y: &[Vec<f32>]) -> Vec<Option<u32>> {
        let r = |x: &[f32], y: &[f32]| {
            let mean = |v: &[f32]| v.iter().map(|v| f64::from(*v)).sum::<f64>() / v.len() as f64;
            let (mx, my) = (mean(x), mean(y));
            let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
            for (x, y) in x.iter().zip(y) {
                let (x, y) = (f64::from(*x) - mx, f64::from(*y) - my);
                (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
            }
            if xx < 1e-9 || yy < 1e-9 { None } else { Some(xy / (xx * yy).sqrt()) }
        };
        let above = |j: usize| {
            let limit = r(&x[j], &y[j])?;
            let others = (0..x.len()).filter(|k| *k != j);
            Some(others.filter(|k| r(&x[*k], &y[j]).is_some_and(|r| r > limit + 1e-6)).count() as u32)
        };
        (0..x.len()).map(above).collect()
    }

    #[test]
    fn counts_equal_the_naive_ones_in_any_blocks() {
        let (genes, samples) = (101, 23);
        let mut stream = Stream::new(3, "permutation", 0);
        let mut draw = || (stream.uniform() * 2.0 - 1.0) as f32;
        let mut x: Vec<Vec<f32>> = (0..genes).map(|_| (0..samples).map(|_| draw()).collect()).collect();
        let mut y: Vec<Vec<f32>> = x
            .iter()
            .enumerate()
            .map(|(g, x)| x.iter().map(|x| x + draw() * g as f32 * 0.1).collect())
            .collect();
        x[7] = vec![5.0; samples]; // not varying where it was measured
        y[60] = vec![2.0; samples]; // inferred as a constant
        x[31] = x[30].clone(); // a copy: a tie, which is not above
        y[30] = x[30].iter().map(|v| v * 3.0 + 1.0).collect();
        let want = naive(&x, &y);
        assert_eq!((want[7], want[60], want[30]), (None, None, Some(0)));
        let mut executor = CpuExecutor::open(Some(2)).unwrap();
        for block_values in [usize::MAX, samples * 40, samples, 1] {
            let mut pairs = Pairs::new(genes);
            for s in 0..samples {
                let row = |v: &[Vec<f32>]| v.iter().map(|v| v[s]).collect::<Vec<f32>>();
                pairs.add(&row(&x), &row(&y)).unwrap();
            }
            let listener = Listener::default();
            let found =
                test(&Ranks::alone(), &mut executor, &mut pairs, block_values, &|event| listener.hear(event))
                    .unwrap();
            if block_values > samples {
                assert_eq!(listener.tasks(), ["permutation test"]);
            }
            assert_eq!(found.above, want, "blocks of {block_values} values");
            let among = |size| {
                Ranks::of_threads(size, |ranks| {
                    let mut pairs = Pairs::new(genes);
                    for s in 0..samples {
                        let row = |v: &[Vec<f32>]| v.iter().map(|v| v[s]).collect::<Vec<f32>>();
                        pairs.add(&row(&x), &row(&y)).unwrap();
                    }
                    let mut executor = CpuExecutor::open(Some(1)).unwrap();
                    test(&ranks, &mut executor, &mut pairs, block_values, &silent).unwrap()
                })
            };
            // of 64 ranks many have no gene of a block
            [2, 3, 64].map(among).into_iter().flatten().for_each(|of| assert_eq!(of, found));
            assert_eq!(
                (found.competitors, found.undefined()),
                (99, 2),
                "the one inferred as a constant competes"
            );
            let passing = want.iter().flatten().filter(|above| f64::from(**above) < 0.99).count();
            assert!(passing > 10 && passing < 99 && found.passed() == passing);
        }
    }

    /// Fewer than 1 %: one of 100 is not fewer.
    #[test]
    fn a_gene_passes_below_the_share_and_not_at_it() {
        let passes = |above: u32, competitors: usize| {
            let permutation = Permutation { above: vec![Some(above), None], competitors };
            assert_eq!((permutation.rank(0), permutation.passes(1)), (Some(above + 1), None));
            permutation.passes(0).unwrap()
        };
        assert!(passes(0, 100) && !passes(1, 100) && passes(1, 101) && !passes(1, 99));
        assert!(passes(1, 200) && !passes(2, 200) && passes(0, 1) && !passes(0, 0));
    }

    #[test]
    fn one_sample_or_no_varying_gene_passes_nobody() {
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        for samples in [0, 1, 3] {
            let mut pairs = Pairs::new(2);
            (0..samples).for_each(|_| pairs.add(&[1.0, 2.0], &[1.0, 2.0]).unwrap());
            let found = permutation(&mut executor, &mut pairs, &silent).unwrap();
            assert_eq!((found.passed(), found.undefined(), found.rank(0)), (0, 2, None));
        }
    }

    #[test]
    fn no_gene_is_no_test() {
        let mut executor = CpuExecutor::open(Some(1)).unwrap();
        let mut pairs = Pairs::new(0);
        (0..3).for_each(|_| pairs.add(&[], &[]).unwrap());
        let found = permutation(&mut executor, &mut pairs, &silent).unwrap();
        assert_eq!((found.above.len(), found.competitors, found.passed()), (0, 0, 0));
    }
}
