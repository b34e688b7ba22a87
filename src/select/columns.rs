//! Data by genes, and the products with it that selections need.
//!
//! Values are f32 as in the store; every product but [`Columns::times`] is summed in f64, in an order that follows from the shape alone.

use std::cmp::Ordering;

use nalgebra::{DMatrix, DMatrixView, Dyn, Scalar};
use rayon::prelude::*;

use crate::device::cpu::{total, vectorized};
use crate::nn::scaling;
use crate::store::Store;

/// One column a gene, one row a sample (or a component): `values[gene·rows + row]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    rows: usize,
    values: Vec<f32>,
}

/// Genes that one task converts to f64 and multiplies: 256 × 613 × 8 bytes are 1.2 MiB.
const GENES: usize = 256;
/// Rows of a Gram matrix, or of one that is symmetric, at a time.
const PANEL: usize = 96;
/// Partial sums of a dot product.
const LANES: usize = 16;

impl Columns {
    /// Columns of `rows` values each, one after the other.
    ///
    /// # Panics
    /// If `values` does not hold whole columns.
    pub fn new(rows: usize, values: Vec<f32>) -> Self {
        assert!(
            rows > 0 && values.len().is_multiple_of(rows),
            "{} values in columns of {rows}",
            values.len()
        );
        Columns { rows, values }
    }

    /// A store's genes over the given samples, each z-scored (sd with n in the denominator) and rounded to f32; a
    /// constant gene is 0. Also their standard deviations, in the store's units.
    pub fn standardized(store: &Store, samples: &[usize]) -> (Self, Vec<f64>) {
        let mut columns = Columns { rows: samples.len(), values: Vec::new() };
        columns.values.reserve_exact(samples.len() * store.n_genes());
        scaling::columns(store, samples, |block| columns.values.extend_from_slice(block));
        let deviations = columns.standardize();
        (columns, deviations)
    }

    /// Brings every column to mean 0 and mean square 1, a constant one to 0; returns the standard deviations that
    /// they had.
    pub fn standardize(&mut self) -> Vec<f64> {
        self.values
            .par_chunks_mut(self.rows)
            .map(|column| {
                let n = column.len() as f64;
                let mean = column.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
                let variance = column.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
                let constant = variance == 0.0 || column.iter().all(|x| *x == column[0]);
                let (scale, sd) =
                    if constant { (0.0, 0.0) } else { (1.0 / variance.sqrt(), variance.sqrt()) };
                column.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * scale) as f32);
                sd
            })
            .collect()
    }

    /// Number of genes.
    pub fn len(&self) -> usize {
        self.values.len() / self.rows
    }

    /// Whether there is no gene.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values of a gene.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// One gene's values.
    pub fn column(&self, gene: usize) -> &[f32] {
        &self.values[gene * self.rows..][..self.rows]
    }

    /// Every column, in order.
    pub fn columns_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        self.values.par_chunks_mut(self.rows)
    }

    /// Takes in rows, one value a column each, from row `first` on.
    pub fn place(&mut self, first: usize, rows: &[f32]) {
        let width = self.len();
        self.columns_mut().enumerate().for_each(|(gene, column)| {
            let values = rows.iter().skip(gene).step_by(width);
            column[first..].iter_mut().zip(values).for_each(|(to, from)| *to = *from);
        });
    }

    /// X·Xᵀ [rows × rows] of X [rows × genes].
    pub fn gram(&self) -> DMatrix<f64> {
        let n = self.rows;
        let panels: Vec<DMatrix<f64>> = (0..n.div_ceil(PANEL))
            .into_par_iter()
            .with_max_len(1)
            .map(|panel| {
                // The upper triangle: rows of this panel against all rows up to its end.
                let (first, last) = (panel * PANEL, n.min((panel + 1) * PANEL));
                let mut out = DMatrix::zeros(last, last - first);
                for block in self.values.chunks(GENES * n) {
                    let part: Vec<f64> = block
                        .chunks_exact(n)
                        .flat_map(|column| column[..last].iter().map(|x| f64::from(*x)))
                        .collect();
                    let genes = block.len() / n;
                    let left = DMatrixView::from_slice(&part, last, genes);
                    let strides = (Dyn(last), Dyn(1));
                    let right = DMatrixView::from_slice_with_strides_generic(
                        &part[first..],
                        Dyn(genes),
                        Dyn(last - first),
                        strides.0,
                        strides.1,
                    );
                    out.gemm(1.0, &left, &right, 1.0);
                }
                out
            })
            .collect();
        let mut gram = DMatrix::zeros(n, n);
        for (panel, part) in panels.iter().enumerate() {
            for (column, values) in part.column_iter().enumerate() {
                let column = panel * PANEL + column;
                for (row, value) in values.iter().enumerate().take(column + 1) {
                    gram[(row, column)] = *value;
                    gram[(column, row)] = *value;
                }
            }
        }
        gram
    }

    /// xᵀ·M·x for every column x; M is [rows × rows] and symmetric: its lower triangle is what is looked at.
    pub fn quadratic(&self, m: &DMatrix<f64>) -> Vec<f64> {
        let lower = DMatrix::from_fn(self.rows, self.rows, |i, j| match i.cmp(&j) {
            Ordering::Greater => 2.0 * m[(i, j)],
            Ordering::Equal => m[(i, j)],
            Ordering::Less => 0.0,
        });
        let product = |block: &DMatrix<f64>| {
            let mut sums = vec![0.0; block.ncols()];
            for first in (0..self.rows).step_by(PANEL) {
                let last = self.rows.min(first + PANEL);
                let image = lower.view((first, 0), (last - first, last)) * block.rows(0, last);
                let part = block.rows(first, last - first);
                for ((sum, a), b) in sums.iter_mut().zip(image.column_iter()).zip(part.column_iter()) {
                    *sum += a.dot(&b);
                }
            }
            sums
        };
        self.by_block(|_, block| product(block)).concat()
    }

    /// B·XᵀX [k × genes] of B [k × genes], rounded to f32 for the products of blocks, which are added in f64.
    pub fn times(&self, b: &DMatrix<f64>) -> DMatrix<f64> {
        let (k, n) = (b.nrows(), self.rows);
        let blocks = || self.values.par_chunks(GENES * n).enumerate();
        fn of(values: &[f32], n: usize) -> DMatrixView<'_, f32> {
            DMatrixView::from_slice(values, n, values.len() / n)
        }
        let image = |(at, values): (usize, &[f32])| {
            let rows = across(values, n);
            let mut image = DMatrix::zeros(k, n);
            image.gemm(1.0, &b.columns(at * GENES, rows.nrows()).map(|x| x as f32), &rows, 0.0);
            image
        };
        let images: Vec<DMatrix<f32>> = blocks().map(image).collect();
        let mut sum = DMatrix::<f64>::zeros(k, n);
        images.iter().for_each(|part| sum.zip_apply(part, |sum, x| *sum += f64::from(x)));
        let sum = sum.map(|x| x as f32);
        let mut out = DMatrix::zeros(k, b.ncols());
        let places = out.as_mut_slice().par_chunks_mut((k * GENES).max(1));
        places.zip(blocks()).for_each(|(out, (_, values))| {
            let product = &sum * of(values, n);
            out.iter_mut().zip(product.as_slice()).for_each(|(out, x)| *out = f64::from(*x));
        });
        out
    }

    /// Bᵀ·X [k × genes], rounded to f32; B is [rows × k].
    pub fn project(&self, basis: &DMatrix<f64>) -> Columns {
        let transposed = basis.transpose();
        let blocks =
            self.by_block(|_, block| (&transposed * block).iter().map(|x| *x as f32).collect::<Vec<_>>());
        Columns::new(basis.ncols(), blocks.concat())
    }

    /// Some genes at a time, and which is the first.
    fn by_block<R: Send>(&self, work: impl Fn(usize, &DMatrix<f64>) -> R + Sync) -> Vec<R> {
        let blocks = self.values.par_chunks(GENES * self.rows).enumerate();
        let block = |(block, values): (usize, &[f32])| {
            let genes = values.len() / self.rows;
            let values = values.iter().map(|x| f64::from(*x));
            work(block * GENES, &DMatrix::from_iterator(self.rows, genes, values))
        };
        blocks.map(block).collect()
    }

    /// (a·x, b·x) for every column x, in one pass over the data.
    pub fn dots(&self, a: &[f64], b: &[f64]) -> Vec<[f64; 2]> {
        let mut out = vec![[0.0; 2]; self.len()];
        let blocks = self.values.par_chunks(GENES * self.rows).zip(out.par_chunks_mut(GENES));
        blocks.for_each(|(values, out)| {
            vectorized(
                #[inline(always)]
                || {
                    for (x, out) in values.chunks_exact(self.rows).zip(out) {
                        *out = [dot(x, a), dot(x, b)];
                    }
                },
            );
        });
        out
    }
}

/// Columns of `rows` values, one after the other, as the rows of a matrix.
pub fn across<T: Scalar>(values: &[T], rows: usize) -> DMatrixView<'_, T, Dyn, Dyn> {
    let (high, wide) = (Dyn(values.len() / rows), Dyn(rows));
    DMatrixView::from_slice_with_strides_generic(values, high, wide, Dyn(rows), Dyn(1))
}

/// x·a. One sum at a time: of a loop for two the compiler makes pairs of values instead of vectors.
#[inline(always)]
fn dot(x: &[f32], a: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let ((x, x_rest), (a, a_rest)) = (x.as_chunks::<LANES>(), a.as_chunks::<LANES>());
    for (x, a) in x.iter().zip(a) {
        for lane in 0..LANES {
            sums[lane] += f64::from(x[lane]) * a[lane];
        }
    }
    for ((sum, x), a) in sums.iter_mut().zip(x_rest).zip(a_rest) {
        *sum += f64::from(*x) * a;
    }
    total(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::random::Stream;

    #[test]
    fn products_equal_the_plain_sums_at_awkward_sizes() {
        for (rows, genes) in [(1, 1), (7, 300), (97, 257), (193, 31)] {
            let mut stream = Stream::new(3, "columns test", 0);
            let values: Vec<f32> = (0..rows * genes).map(|_| stream.uniform() as f32 - 0.5).collect();
            let x = Columns::new(rows, values);
            let full = DMatrix::from_fn(rows, genes, |r, g| f64::from(x.column(g)[r]));
            let gram = &full * full.transpose();
            assert!((x.gram() - &gram).amax() < 1e-12);
            let quadratic = x.quadratic(&gram);
            let a: Vec<f64> = (0..rows).map(|_| stream.uniform()).collect();
            let b: Vec<f64> = (0..rows).map(|_| stream.uniform()).collect();
            let dots = x.dots(&a, &b);
            for g in 0..genes {
                let column = full.column(g);
                assert!((quadratic[g] - column.dot(&(&gram * column))).abs() < 1e-9);
                let dot = |v: &[f64]| column.iter().zip(v).map(|(x, v)| x * v).sum::<f64>();
                assert!((dots[g][0] - dot(&a)).abs() < 1e-12 && (dots[g][1] - dot(&b)).abs() < 1e-12);
            }
            let b = DMatrix::from_fn(2, genes, |_, _| stream.uniform());
            let plain = &b * full.transpose() * &full;
            assert!((x.times(&b) - &plain).amax() < 3e-6 * plain.amax());
            let basis = DMatrix::from_fn(rows, 3, |_, _| stream.uniform());
            let (projected, expected) = (x.project(&basis), basis.transpose() * &full);
            assert!((0..genes).all(|g| {
                (0..3).all(|k| (f64::from(projected.column(g)[k]) - expected[(k, g)]).abs() < 1e-5)
            }));
        }
    }

    #[test]
    fn standardized_columns() {
        let mut x = Columns::new(3, vec![1.0, 2.0, 6.0, 5.5, 5.5, 5.5]);
        let deviations = x.standardize();
        // NumPy: np.std([1, 2, 6]); (np.array([1, 2, 6]) - 3) / np.std([1, 2, 6])
        assert!((deviations[0] - 2.160246899469287).abs() < 1e-12 && deviations[1] == 0.0);
        for (x, expected) in x.column(0).iter().zip([-0.9258201f32, -0.46291005, 1.388_73]) {
            assert!((x - expected).abs() < 1e-6);
        }
        assert_eq!(x.column(1), [0.0; 3]);
    }
}
