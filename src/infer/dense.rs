//! Dense f64 matrices on the host, for what is solved rather than trained: products (the `gemm` family, as in
//! `device/cpu/matmul.rs`) and the symmetric eigendecomposition (`nalgebra`).

use std::ops::Range;

use gemm_common::Parallelism;
use rayon::prelude::*;

use crate::store::Store;

/// A row-major matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// rows × cols.
    pub values: Vec<f64>,
}

/// A matrix or its transpose, read in place.
#[derive(Clone, Copy)]
pub struct View<'a> {
    values: &'a [f64],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl View<'_> {
    /// What makes reading it by pointers sound.
    fn assert_inside(&self) {
        let last = (self.rows.max(1) - 1) * self.row_stride + (self.cols.max(1) - 1) * self.col_stride;
        assert!(self.rows * self.cols == 0 || last < self.values.len(), "a view inside its values");
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Transposed.
    pub fn turned(self) -> Self {
        View {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// A product is cut into this many strips of rows where it has as many: the cut follows from the shape alone.
const STRIPS: usize = 16;

impl Dense {
    /// All zeros.
    pub fn zeros(rows: usize, cols: usize) -> Dense {
        Dense { rows, cols, values: vec![0.0; rows * cols] }
    }

    /// As it is.
    pub fn view(&self) -> View<'_> {
        let (rows, cols) = (self.rows, self.cols);
        View { values: &self.values, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// Transposed.
    pub fn t(&self) -> View<'_> {
        let (rows, cols) = (self.cols, self.rows);
        View { values: &self.values, rows, cols, row_stride: 1, col_stride: self.cols }
    }

    /// Row-major values of so many columns.
    pub fn slice(values: &[f64], cols: usize) -> View<'_> {
        View { values, rows: values.len() / cols.max(1), cols, row_stride: cols, col_stride: 1 }
    }

    /// The first `cols` columns of row-major values of `stride` columns.
    pub fn left_of(values: &[f64], stride: usize, cols: usize) -> View<'_> {
        View { values, rows: values.len() / stride, cols, row_stride: stride, col_stride: 1 }
    }

    /// Some rows and columns.
    ///
    /// # Panics
    /// If there are no such ones.
    pub fn block(&self, rows: Range<usize>, cols: Range<usize>) -> View<'_> {
        assert!(rows.end <= self.rows && cols.end <= self.cols, "a block inside the matrix");
        let first = (rows.start * self.cols + cols.start).min(self.values.len());
        let (rows, cols) = (rows.len(), cols.len());
        View { values: &self.values[first..], rows, cols, row_stride: self.cols, col_stride: 1 }
    }

    /// A copy of some rows and columns.
    pub fn copy(&self, rows: Range<usize>, cols: Range<usize>) -> Dense {
        let (n, m) = (rows.len(), cols.len());
        let values = rows.flat_map(|i| &self.row(i)[cols.clone()]).copied().collect();
        Dense { rows: n, cols: m, values }
    }

    /// Writes `part` with its first value at (row, col).
    pub fn put(&mut self, row: usize, col: usize, part: &Dense) {
        for (i, from) in part.values.chunks_exact(part.cols.max(1)).enumerate() {
            let first = (row + i) * self.cols + col;
            self.values[first..first + part.cols].copy_from_slice(from);
        }
    }

    /// One row.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.cols..(i + 1) * self.cols]
    }

    /// The given rows, in the given order.
    pub fn select_rows(&self, rows: &[usize]) -> Dense {
        let values = rows.iter().flat_map(|i| self.row(*i)).copied().collect();
        Dense { rows: rows.len(), cols: self.cols, values }
    }

    /// The given columns, in the given order.
    pub fn select_cols(&self, cols: &[usize]) -> Dense {
        let values = (0..self.rows).flat_map(|i| cols.iter().map(move |j| self.row(i)[*j])).collect();
        Dense { rows: self.rows, cols: cols.len(), values }
    }

    /// Multiplies column j by `factors[j]`.
    pub fn scale_cols(mut self, factors: &[f64]) -> Dense {
        assert_eq!(factors.len(), self.cols, "one factor a column");
        self.values.chunks_exact_mut(self.cols.max(1)).for_each(|row| {
            row.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
        });
        self
    }

    /// self += factor·A
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn add_scaled(&mut self, factor: f64, a: View) {
        assert_eq!((self.rows, self.cols), (a.rows, a.cols), "shapes of a sum");
        for (i, row) in self.values.chunks_exact_mut(a.cols.max(1)).enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value += factor * a.values[i * a.row_stride + j * a.col_stride];
            }
        }
    }

    /// self += A·B
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn add_product(&mut self, a: View, b: View) {
        self.accumulate(1.0, a, b);
    }

    /// self −= A·B
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn subtract_product(&mut self, a: View, b: View) {
        self.accumulate(-1.0, a, b);
    }

    fn accumulate(&mut self, factor: f64, a: View, b: View) {
        assert_eq!((self.rows, self.cols, a.cols), (a.rows, b.cols, b.rows), "shapes of a product");
        if self.values.is_empty() {
            return;
        }
        let strip = self.rows.div_ceil(STRIPS).next_multiple_of(8);
        let cols = self.cols;
        self.values.par_chunks_mut(strip * cols).enumerate().for_each(|(i, out)| {
            let first = (i * strip * a.row_stride).min(a.values.len());
            let a = View { values: &a.values[first..], rows: out.len() / cols, ..a };
            accumulate(out, cols, factor, a, b);
        });
    }

    /// The eigenvalues (not below 0, in no order) and eigenvectors (columns) of a symmetric matrix that has no
    /// negative eigenvalue but for rounding.
    pub fn eigen(&self) -> (Vec<f64>, Dense) {
        let matrix = nalgebra::DMatrix::from_row_slice(self.rows, self.cols, &self.values);
        let eigen = matrix.symmetric_eigen();
        let values = eigen.eigenvalues.iter().map(|x| x.max(0.0)).collect();
        // nalgebra is column-major: its transpose's order is ours.
        let vectors = eigen.eigenvectors.transpose().as_slice().to_vec();
        (values, Dense { rows: self.rows, cols: self.cols, values: vectors })
    }
}

/// C += factor·A·B on one thread, C row-major with so many columns.
///
/// # Panics
/// If the shapes do not fit.
pub fn accumulate(c: &mut [f64], cols: usize, factor: f64, a: View, b: View) {
    assert_eq!((c.len(), a.cols, b.cols), (a.rows * cols, b.rows, cols), "shapes of a product");
    if c.is_empty() || a.cols == 0 {
        return;
    }
    a.assert_inside();
    b.assert_inside();
    // gemm prefers a column-major result, so it is given Cᵀ = Bᵀ·Aᵀ.
    // SAFETY: the strides of both views stay in their values (asserted above), C has rows · cols values (asserted), and is
    // borrowed exclusively.
    unsafe {
        gemm_f64::gemm::f64::get_gemm_fn()(
            cols,
            a.rows,
            a.cols,
            c.as_mut_ptr(),
            cols as isize,
            1,
            true,
            b.values.as_ptr(),
            b.row_stride as isize,
            b.col_stride as isize,
            a.values.as_ptr(),
            a.row_stride as isize,
            a.col_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// A·B
///
/// # Panics
/// If the shapes do not fit.
pub fn product(a: View, b: View) -> Dense {
    let mut out = Dense::zeros(a.rows, b.cols);
    out.add_product(a, b);
    out
}

/// The values of chosen genes in chosen samples, z-scored by gene: samples × genes, with what was done.
#[derive(Debug, Clone)]
pub struct Standardised {
    /// (x − mean)/sd; 0 for a gene of one value.
    pub values: Dense,
    /// By gene, in the store's units.
    pub mean: Vec<f64>,
    /// By gene, with n in the denominator; 0 for a gene of one value.
    pub sd: Vec<f64>,
}

impl Standardised {
    /// Reads `genes` (positions in the store) of `samples`.
    pub fn read(store: &Store, samples: &[usize], genes: &[usize]) -> Standardised {
        let cols = genes.len();
        let mut values = Dense::zeros(samples.len(), cols);
        values.values.par_chunks_mut(cols.max(1)).zip(samples).for_each_init(
            || vec![0.0; cols],
            |buffer, (row, sample)| {
                store.read_genes(*sample, genes, buffer);
                row.iter_mut().zip(buffer).for_each(|(value, x)| *value = f64::from(*x));
            },
        );
        Standardised::of(values)
    }

    /// Z-scores columns.
    pub fn of(mut values: Dense) -> Standardised {
        let (n, cols) = (values.rows, values.cols);
        let sums = |f: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; cols];
            for row in values.values.chunks_exact(cols.max(1)) {
                sums.iter_mut().zip(row).enumerate().for_each(|(j, (sum, x))| *sum += f(j, *x));
            }
            sums
        };
        let mean: Vec<f64> = sums(&|_, x| x).iter().map(|sum| sum / n as f64).collect();
        let constant: Vec<bool> =
            (0..cols).map(|j| (1..n).all(|i| values.values[i * cols + j] == values.values[j])).collect();
        let sd: Vec<f64> = sums(&|j, x| (x - mean[j]).powi(2))
            .iter()
            .zip(constant)
            .map(|(sum, constant)| if constant { 0.0 } else { (sum / n as f64).sqrt() })
            .collect();
        values.values.par_chunks_mut(cols.max(1)).for_each(|row| {
            for (j, value) in row.iter_mut().enumerate() {
                *value = if sd[j] > 0.0 { (*value - mean[j]) / sd[j] } else { 0.0 };
            }
        });
        Standardised { values, mean, sd }
    }
}
