//! C = Zᵀ·Z of a store's z-scored samples Z, by gene and gene: what `diverse` and the factor analysis look at where there are
//! too many samples for matrices of n × n.
//!
//! Z is streamed over the store. Genes are cut into blocks, and a block of C is the sum over panels of samples of one
//! product on the device (Z_Iᵀ·Z_J with [`Epilogue::Add`]); of two blocks that mirror each other one is computed and kept. Cost:
//! n·G² operations; memory 2·G² bytes, twice that while the device has it too (it is fetched in parts of at most [`PART`]), and a panel.

mod pairs;

use std::ops::Range;

use nalgebra::{DMatrix, DMatrixView};
use rayon::prelude::*;

use super::moments::Moments;
use crate::device::Executor;
use crate::device::recording::{Element, Epilogue, Layout, Matrix, Recording, Step};
use crate::error::Result;
use crate::interrupt;
use crate::progress::{Event, Reporter, advance};
use crate::store::Store;

/// Genes of a block: 2,048 × 2,048 × 4 bytes are 16 MiB.
const WIDTH: usize = 2_048;
/// Samples of a panel, at most. Each panel reads and writes all sums, so it should be deep.
const PANEL: usize = 2_048;
/// Bytes of sums that the device holds at a time.
pub const PART: usize = 5 << 28;
/// As [`PART`], where rows that are at hand are added: another pass over them costs little.
const PART_OF_ROWS: usize = PART / 2;

/// The upper triangle of C, in f32.
#[derive(Debug, Clone)]
pub struct Covariance {
    genes: usize,
    width: usize,
    diagonal: Vec<f64>,
    /// Blocks (I, J), I ≤ J, I first: `values[row·cols + col]`.
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
struct Block {
    row: usize,
    col: usize,
    values: Vec<f32>,
}

impl Covariance {
    /// Of the given samples of a store, whose genes have these moments.
    ///
    /// # Errors
    /// Those of the device; [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn of(
        executor: &mut dyn Executor,
        store: &Store,
        samples: &[usize],
        moments: &Moments,
        report: Reporter,
    ) -> Result<Self> {
        if pairs::pays(executor, store, samples) {
            let (genes, part) = (store.n_genes(), PART.min(Self::bytes(store.n_genes())));
            let width = even(genes, WIDTH);
            let blocks = pairs::blocks(store, samples, moments, [width, part], report)?;
            return Ok(Self::of_blocks(genes, width, blocks));
        }
        Self::of_samples(executor, store, samples, moments, [WIDTH, PANEL, PART], report)
    }

    fn of_samples(
        executor: &mut dyn Executor,
        store: &Store,
        samples: &[usize],
        moments: &Moments,
        [width, panel, part]: [usize; 3],
        report: Reporter,
    ) -> Result<Self> {
        let fill = |part: Range<usize>, out: &mut [f32]| moments.standardized(store, &samples[part], out);
        let task = ("products of genes", "samples");
        let mut covariance = Self::zeros(store.n_genes(), width);
        covariance.add_in_blocks(executor, samples.len(), task, fill, [panel, part], report)?;
        Ok(covariance)
    }

    /// Of no samples.
    pub fn none(genes: usize) -> Self {
        Self::zeros(genes, WIDTH)
    }

    fn zeros(genes: usize, width: usize) -> Self {
        let width = even(genes, width);
        let wide = |at: usize| width.min(genes - at * width);
        let block = |(row, col)| Block { row, col, values: vec![0.0; wide(row) * wide(col)] };
        let blocks = places(genes.div_ceil(width)).map(block).collect();
        Covariance { genes, width, diagonal: vec![0.0; genes], blocks }
    }

    /// Adds RᵀR of `rows` × genes values R, which `fill` writes, some rows at a time, as often as it is asked.
    ///
    /// # Errors
    /// Those of the device; [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn add_rows(
        &mut self,
        executor: &mut dyn Executor,
        rows: usize,
        task: &str,
        fill: impl Fn(Range<usize>, &mut [f32]),
        report: Reporter,
    ) -> Result<()> {
        self.add_in_blocks(executor, rows, (task, "rows"), fill, [PANEL, PART_OF_ROWS], report)
    }

    fn of_blocks(genes: usize, width: usize, blocks: Vec<Block>) -> Self {
        let mut covariance = Covariance { genes, width, diagonal: Vec::new(), blocks };
        covariance.look_at_the_diagonal();
        covariance
    }

    fn look_at_the_diagonal(&mut self) {
        self.diagonal = (0..self.genes).map(|gene| f64::from(self.value(gene, gene))).collect();
    }

    /// Bytes that C takes for so many genes.
    pub fn bytes(genes: usize) -> usize {
        let n = genes.div_ceil(WIDTH);
        n * (n + 1) / 2 * WIDTH * WIDTH * 4
    }

    fn add_in_blocks(
        &mut self,
        executor: &mut dyn Executor,
        rows: usize,
        (task, unit): (&str, &'static str),
        fill: impl Fn(Range<usize>, &mut [f32]),
        [panel, part]: [usize; 2],
        report: Reporter,
    ) -> Result<()> {
        let (genes, width) = (self.genes, self.width);
        let at_once = (part / (width * width * 4)).max(1);
        let passes = self.blocks.len().div_ceil(at_once);
        let panel = rows.div_ceil(rows.div_ceil(panel)).next_multiple_of(16);
        let mut sums = Sums { executor, fill, genes, width, panel };
        let total = Some((rows * passes) as u64);
        report(Event::Started { task: task.into(), total, unit });
        let at_once = self.blocks.len().div_ceil(passes);
        for (pass, blocks) in self.blocks.chunks_mut(at_once).enumerate() {
            let done = |rows_done| advance(report, (pass * rows + rows_done) as u64, "");
            sums.add(rows, blocks, done)?;
        }
        report(Event::Finished);
        self.look_at_the_diagonal();
        Ok(())
    }

    /// Number of genes.
    pub fn genes(&self) -> usize {
        self.genes
    }

    /// C_jj of every gene.
    pub fn diagonal(&self) -> &[f64] {
        &self.diagonal
    }

    /// C_ij
    pub fn value(&self, i: usize, j: usize) -> f32 {
        let (i, j) = (i.min(j), i.max(j));
        let (row, col) = (i / self.width, j / self.width);
        let cols = self.range(col).len();
        self.block(row, col).values[(i - row * self.width) * cols + j - col * self.width]
    }

    /// One gene's column.
    pub fn column(&self, gene: usize) -> Vec<f32> {
        (0..self.genes).into_par_iter().with_min_len(self.width).map(|i| self.value(i, gene)).collect()
    }

    /// ‖C_j‖² of every gene.
    pub fn squares(&self) -> Vec<f64> {
        let part = |block: &Block| {
            let cols = self.range(block.col).len();
            let (mut by_row, mut by_col) = (Vec::new(), vec![0.0; cols]);
            for row in block.values.chunks_exact(cols) {
                let squares = row.iter().map(|c| f64::from(*c).powi(2));
                by_row.push(squares.clone().sum::<f64>());
                by_col.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
            }
            (by_row, by_col)
        };
        let parts: Vec<(Vec<f64>, Vec<f64>)> = self.blocks.par_iter().with_max_len(1).map(part).collect();
        let mut out = vec![0.0; self.genes];
        for (block, (by_row, by_col)) in self.blocks.iter().zip(parts) {
            let mut add = |at: usize, sums: Vec<f64>| {
                out[self.range(at)].iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            };
            add(block.row, by_row);
            if block.row != block.col {
                add(block.col, by_col);
            }
        }
        out
    }

    /// B·C [k × genes] of B [k × genes], rounded to f32 for the products of blocks, which are added in f64.
    pub fn times(&self, b: &DMatrix<f64>) -> DMatrix<f64> {
        let k = b.nrows();
        let b32: DMatrix<f32> = b.map(|x| x as f32);
        let of = |at: usize| b32.columns(self.range(at).start, self.range(at).len());
        let part = |block: &Block| {
            let (rows, cols) = (self.range(block.row).len(), self.range(block.col).len());
            let across = DMatrixView::from_slice(&block.values, cols, rows);
            let mut by_row = DMatrix::<f32>::zeros(k, rows);
            by_row.gemm(1.0, &of(block.col), &across, 0.0);
            let mut by_col = DMatrix::<f32>::zeros(k, if block.row == block.col { 0 } else { cols });
            if block.row != block.col {
                by_col.gemm(1.0, &of(block.row), &super::columns::across(&block.values, cols), 0.0);
            }
            (by_row, by_col)
        };
        let parts: Vec<_> = self.blocks.par_iter().with_max_len(1).map(part).collect();
        let mut out = DMatrix::zeros(k, self.genes);
        for (block, (by_row, by_col)) in self.blocks.iter().zip(parts) {
            for (at, part) in [(block.row, by_row), (block.col, by_col)] {
                let mut out = out.columns_mut(self.range(at).start, part.ncols());
                out.iter_mut().zip(part.iter()).for_each(|(out, x)| *out += f64::from(*x));
            }
        }
        out
    }

    fn range(&self, at: usize) -> Range<usize> {
        at * self.width..self.genes.min((at + 1) * self.width)
    }

    fn block(&self, row: usize, col: usize) -> &Block {
        let n = self.genes.div_ceil(self.width);
        &self.blocks[row * n - row * (row + 1) / 2 + col]
    }
}

/// Rows and columns of the blocks of an upper triangle, n each way.
fn places(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |row| (row..n).map(move |col| (row, col)))
}

/// The width of blocks of nearly the same size, `most` genes or fewer but for rounding.
fn even(genes: usize, most: usize) -> usize {
    genes.div_ceil(genes.div_ceil(most)).next_multiple_of(16)
}

/// What blocks are summed from.
struct Sums<'a, F> {
    executor: &'a mut dyn Executor,
    /// Writes some rows.
    fill: F,
    genes: usize,
    width: usize,
    panel: usize,
}

impl<F: Fn(Range<usize>, &mut [f32])> Sums<'_, F> {
    /// Adds to these blocks in one pass over `n` rows.
    fn add(&mut self, n: usize, blocks: &mut [Block], done: impl Fn(usize) -> Result<()>) -> Result<()> {
        self.executor.reset();
        let genes = self.genes;
        let starts: Vec<usize> = (0..genes).step_by(self.width).collect();
        let wide = |at: usize| self.width.min(genes - starts[at]);
        let mut z = Vec::with_capacity(starts.len());
        for at in 0..starts.len() {
            z.push(self.executor.matrix("samples", self.panel, wide(at), Element::F32)?);
        }
        let mut recording = Recording::new();
        let mut outs = Vec::with_capacity(blocks.len());
        for Block { row, col, .. } in blocks.iter() {
            let out = self.executor.matrix("products of genes", wide(*row), wide(*col), Element::F32)?;
            recording.product(
                "covariance",
                Layout::Tn,
                z[*row],
                z[*col],
                Element::F32,
                Epilogue::Add { out },
            );
            outs.push(out);
        }
        let program = self.executor.compile(&recording)?;
        let mut rows = vec![0.0; self.panel * genes];
        for first in (0..n).step_by(self.panel) {
            interrupt::check()?;
            let panel = first..n.min(first + self.panel);
            let (values, rest) = rows.split_at_mut(panel.len() * genes);
            (self.fill)(panel.clone(), values);
            rest.fill(0.0);
            self.upload(&rows, &z)?;
            self.executor.run(program, &Step { rows: self.panel, ..Step::default() })?;
            done(panel.end)?;
        }
        drop(rows);
        for (block, out) in blocks.iter_mut().zip(outs) {
            let values = self.executor.read(out, 0, out.rows)?;
            block.values.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        self.executor.reset();
        Ok(())
    }

    /// Cuts a panel by genes.
    fn upload(&mut self, rows: &[f32], z: &[Matrix]) -> Result<()> {
        let genes = self.genes;
        let mut part = Vec::with_capacity(self.panel * self.width);
        for (at, matrix) in z.iter().enumerate() {
            part.clear();
            let first = at * self.width;
            rows.chunks_exact(genes).for_each(|row| part.extend_from_slice(&row[first..first + matrix.cols]));
            self.executor.write(*matrix, 0, &part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::device::cpu::CpuExecutor;
    use crate::device::random::Stream;
    use crate::progress::silent;
    use crate::select::columns::Columns;

    /// C of a store in blocks of `width` genes, panels of 32 samples and two passes or more.
    pub fn small(store: &Store, width: usize) -> Covariance {
        let samples: Vec<usize> = (0..store.n_samples()).collect();
        let moments = Moments::of(store, &samples).unwrap();
        let mut executor = CpuExecutor::open(Some(2)).expect("threads");
        let sizes = [width, 32, 3 * width * width * 4];
        Covariance::of_samples(&mut executor, store, &samples, &moments, sizes, &silent).expect("computed")
    }

    #[test]
    fn products_equal_the_plain_sums_at_awkward_sizes() {
        for (n, genes, width) in [(2, 1, 16), (33, 17, 16), (65, 63, 16), (97, 131, 48), (40, 257, 4096)] {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let store = crate::testing::random_store(&dir.path().join("x.gex"), n, genes);
            let c = small(&store, width);
            let (x, _) = Columns::standardized(&store, &(0..n).collect::<Vec<_>>());
            let wide = DMatrix::from_fn(n, genes, |r, g| f64::from(x.column(g)[r]));
            let plain = wide.transpose() * &wide;
            // f32: entries up to n, sums of n products
            let close = |found: f64, expected: f64, size: f64| {
                assert!((found - expected).abs() <= 2e-6 * size, "{n} × {genes}: {found}, {expected}");
            };
            for j in 0..genes {
                let column = c.column(j);
                (0..genes).for_each(|i| close(f64::from(column[i]), plain[(i, j)], n as f64));
                close(c.squares()[j], plain.column(j).norm_squared(), plain.column(j).norm_squared());
                close(c.diagonal()[j], plain[(j, j)], n as f64);
            }
            let mut stream = Stream::new(5, "covariance test", 0);
            let b = DMatrix::from_fn(7, genes, |_, _| stream.uniform() - 0.5);
            let (found, expected) = (c.times(&b), &b * &plain);
            let size = expected.amax().max(n as f64);
            found.iter().zip(expected.iter()).for_each(|(found, expected)| close(*found, *expected, size));
        }
    }
}
