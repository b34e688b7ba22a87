//! The Cholesky decomposition A = LLᵀ of a symmetric positive definite matrix in f64, and the solution of AX = B by it,
//! both in blocks, so that nearly all of the work is matrix products.

use rayon::prelude::*;

use super::dense::{Dense, accumulate};

/// Columns that are decomposed at a time.
const BLOCK: usize = 64;
/// Columns of a right side that are solved for at a time, each such part on one thread.
const PART: usize = 128;

/// L, whose upper part is not looked at.
pub struct Cholesky {
    l: Dense,
}

impl Cholesky {
    /// Decomposes a square matrix, of which the lower part counts, in its own memory; `None` where it is not positive definite
    /// (or holds what is not a number).
    pub fn of(mut a: Dense) -> Option<Cholesky> {
        let n = a.rows;
        for first in (0..n).step_by(BLOCK) {
            let last = n.min(first + BLOCK);
            let mut panel = a.copy(first..n, first..last);
            panel.subtract_product(a.block(first..n, 0..first), a.block(first..last, 0..first).turned());
            decompose(&mut panel)?;
            a.put(first, first, &panel);
        }
        Some(Cholesky { l: a })
    }

    /// A⁻¹B
    pub fn solve(&self, b: &Dense) -> Dense {
        assert_eq!(b.rows, self.l.rows, "a right side of as many rows");
        let parts: Vec<usize> = (0..b.cols).step_by(PART).collect();
        let solved: Vec<Dense> = parts
            .par_iter()
            .map(|first| {
                let mut part = b.copy(0..b.rows, *first..b.cols.min(first + PART));
                self.forward(&mut part);
                self.back(&mut part);
                part
            })
            .collect();
        let mut out = Dense::zeros(b.rows, b.cols);
        parts.iter().zip(&solved).for_each(|(first, part)| out.put(0, *first, part));
        out
    }

    /// B ← L⁻¹B
    fn forward(&self, b: &mut Dense) {
        let (n, cols) = (b.rows, b.cols);
        for first in (0..n).step_by(BLOCK) {
            let last = n.min(first + BLOCK);
            let (above, rest) = b.values.split_at_mut(first * cols);
            let rows = &mut rest[..(last - first) * cols];
            accumulate(rows, cols, -1.0, self.l.block(first..last, 0..first), Dense::slice(above, cols));
            for i in first..last {
                let (done, row) = rows.split_at_mut((i - first) * cols);
                eliminate(&mut row[..cols], done, |k| self.l.row(i)[first + k], self.l.row(i)[i]);
            }
        }
    }

    /// B ← L⁻ᵀB
    fn back(&self, b: &mut Dense) {
        let (n, cols) = (b.rows, b.cols);
        for first in (0..n).step_by(BLOCK).rev() {
            let last = n.min(first + BLOCK);
            let (rows, below) = b.values.split_at_mut(last * cols);
            let rows = &mut rows[first * cols..];
            let turned = self.l.block(last..n, first..last).turned();
            accumulate(rows, cols, -1.0, turned, Dense::slice(below, cols));
            for i in (first..last).rev() {
                let (row, done) = rows.split_at_mut((i - first + 1) * cols);
                let row = &mut row[(i - first) * cols..];
                eliminate(row, done, |k| self.l.row(i + 1 + k)[i], self.l.row(i)[i]);
            }
        }
    }
}

/// row ← (row − Σₖ factor(k)·done[k, :])/pivot
fn eliminate(row: &mut [f64], done: &[f64], factor: impl Fn(usize) -> f64, pivot: f64) {
    for (k, done) in done.chunks_exact(row.len()).enumerate() {
        let factor = factor(k);
        row.iter_mut().zip(done).for_each(|(value, done)| *value -= factor * done);
    }
    row.iter_mut().for_each(|value| *value /= pivot);
}

/// A panel whose first rows are a square: that is decomposed, and the rows below divided by it.
fn decompose(panel: &mut Dense) -> Option<()> {
    let w = panel.cols;
    let (square, below) = panel.values.split_at_mut(w * w);
    for i in 0..w {
        let (done, row) = square.split_at_mut(i * w);
        divide(&mut row[..w], i, done, w);
        let pivot = row[i] - row[..i].iter().map(|x| x * x).sum::<f64>();
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        row[i] = pivot.sqrt();
    }
    let square = &*square;
    below.par_chunks_exact_mut(w).for_each(|row| divide(row, w, square, w));
    Some(())
}

/// The first `n` values of a row of A become those of L, by the rows of L above (w values each).
fn divide(row: &mut [f64], n: usize, above: &[f64], w: usize) {
    for j in 0..n {
        let l = &above[j * w..j * w + j];
        let sum: f64 = row[..j].iter().zip(l).map(|(a, b)| a * b).sum();
        row[j] = (row[j] - sum) / above[j * w + j];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::random::Stream;
    use crate::infer::dense::product;

    fn random(rows: usize, cols: usize, seed: u64) -> Dense {
        let mut stream = Stream::new(seed, "cholesky", 0);
        Dense { rows, cols, values: (0..rows * cols).map(|_| stream.uniform() - 0.5).collect() }
    }

    #[test]
    fn what_is_solved_gives_the_right_side_back() {
        for (n, cols) in [(1, 1), (2, 3), (63, 1), (64, 129), (65, 7), (131, 257)] {
            let half = random(n, n + 3, 1);
            let mut a = product(half.view(), half.t());
            (0..n).for_each(|i| a.values[i * n + i] += 0.1);
            let b = random(n, cols, 2);
            let x = Cholesky::of(a.clone()).expect("positive definite").solve(&b);
            let back = product(a.view(), x.view());
            for (found, want) in back.values.iter().zip(&b.values) {
                assert!((found - want).abs() < 1e-9, "{n} × {cols}: {found} for {want}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        for bad in [-1.0, 0.0, f64::NAN, f64::INFINITY] {
            let mut a = Dense::zeros(70, 70);
            (0..70).for_each(|i| a.values[i * 71] = if i == 66 { bad } else { 1.0 });
            assert!(Cholesky::of(a).is_none(), "{bad}");
        }
    }
}
