//! The Cholesky decomposition A = LLᵀ of a symmetric positive definite matrix in f64, and the solution of AX = B by it,
//! both in halves of halves, so that nearly all of the work is matrix products.

use std::ops::Range;

use rayon::prelude::*;

use super::dense::{Dense, accumulate};

/// Columns that are decomposed at a time, and of those again, before they are taken one by one.
const BLOCKS: [usize; 2] = [256, 32];
/// Rows of a triangle that are eliminated one by one.
const SMALL: usize = 16;
/// Into how many parts, of how many rows or columns at least and at most, work is cut; each is on one thread. The cut follows from the shape alone.
const PARTS: (usize, usize, usize) = (16, 64, 256);

/// L, whose upper part is not looked at.
pub struct Cholesky {
    l: Dense,
}

/// How many of `n` rows or columns are a part.
pub(super) fn part(n: usize) -> usize {
    let (parts, least, most) = PARTS;
    n.div_ceil(parts).next_multiple_of(8).clamp(least, most)
}

impl Cholesky {
    /// Decomposes a square matrix, of which the lower part counts, in its own memory; `None` where it is not positive definite
    /// (or holds what is not a number).
    pub fn of(mut a: Dense) -> Option<Cholesky> {
        decompose(&mut a, &BLOCKS)?;
        Some(Cholesky { l: a })
    }

    /// A⁻¹B
    pub fn solve(&self, b: &Dense) -> Dense {
        self.by_columns(b, |part, cols| {
            forward(&self.l, 0..self.l.rows, part, cols);
            back(&self.l, 0..self.l.rows, part, cols);
        })
    }

    /// L⁻ᵀB
    pub fn solve_turned(&self, b: &Dense) -> Dense {
        self.by_columns(b, |part, cols| back(&self.l, 0..self.l.rows, part, cols))
    }

    /// L⁻¹
    pub fn inverse(&self) -> Dense {
        let n = self.l.rows;
        let mut identity = Dense::zeros(n, n);
        (0..n).for_each(|i| identity.values[i * n + i] = 1.0);
        self.by_columns(&identity, |part, cols| forward(&self.l, 0..n, part, cols))
    }

    /// B with each of its parts solved, some columns on a thread.
    fn by_columns(&self, b: &Dense, solve: impl Fn(&mut [f64], usize) + Sync) -> Dense {
        assert_eq!(b.rows, self.l.rows, "a right side of as many rows");
        let width = part(b.cols);
        let parts: Vec<usize> = (0..b.cols).step_by(width).collect();
        let solved: Vec<Dense> = parts
            .par_iter()
            .map(|first| {
                let mut part = b.copy(0..b.rows, *first..b.cols.min(first + width));
                let cols = part.cols;
                solve(&mut part.values, cols);
                part
            })
            .collect();
        let mut out = Dense::zeros(b.rows, b.cols);
        parts.iter().zip(&solved).for_each(|(first, part)| out.put(0, *first, part));
        out
    }
}

/// Where a range is cut in two, if it is.
fn middle(range: &Range<usize>) -> Option<usize> {
    (range.len() > SMALL).then(|| range.start + (range.len() / 2).next_multiple_of(SMALL))
}

/// B ← L⁻¹B of the triangle at `range`; B has as many rows.
fn forward(l: &Dense, range: Range<usize>, b: &mut [f64], cols: usize) {
    let first = range.start;
    let Some(middle) = middle(&range) else {
        for i in range {
            let (done, row) = b.split_at_mut((i - first) * cols);
            eliminate(&mut row[..cols], done, |k| l.row(i)[first + k], l.row(i)[i]);
        }
        return;
    };
    let (upper, lower) = b.split_at_mut((middle - first) * cols);
    forward(l, first..middle, upper, cols);
    accumulate(lower, cols, -1.0, l.block(middle..range.end, first..middle), Dense::slice(upper, cols));
    forward(l, middle..range.end, lower, cols);
}

/// B ← L⁻ᵀB of the triangle at `range`.
fn back(l: &Dense, range: Range<usize>, b: &mut [f64], cols: usize) {
    let first = range.start;
    let Some(middle) = middle(&range) else {
        for i in range.rev() {
            let (row, done) = b.split_at_mut((i - first + 1) * cols);
            let row = &mut row[(i - first) * cols..];
            eliminate(row, done, |k| l.row(i + 1 + k)[i], l.row(i)[i]);
        }
        return;
    };
    let (upper, lower) = b.split_at_mut((middle - first) * cols);
    back(l, middle..range.end, lower, cols);
    let turned = l.block(middle..range.end, first..middle).turned();
    accumulate(upper, cols, -1.0, turned, Dense::slice(lower, cols));
    back(l, first..middle, upper, cols);
}

/// row ← (row − Σₖ factor(k)·done[k, :])/pivot
fn eliminate(row: &mut [f64], done: &[f64], factor: impl Fn(usize) -> f64, pivot: f64) {
    for (k, done) in done.chunks_exact(row.len()).enumerate() {
        let factor = factor(k);
        row.iter_mut().zip(done).for_each(|(value, done)| *value -= factor * done);
    }
    row.iter_mut().for_each(|value| *value /= pivot);
}

/// A ← L, some columns at a time.
fn decompose(a: &mut Dense, blocks: &[usize]) -> Option<()> {
    let Some((block, smaller)) = blocks.split_first() else { return by_rows(a) };
    let n = a.rows;
    for first in (0..n).step_by(*block) {
        let last = n.min(first + block);
        let mut square = a.copy(first..last, first..last);
        let left = a.block(first..last, 0..first);
        square.subtract_product(left, left.turned());
        decompose(&mut square, smaller)?;
        a.put(first, first, &square);
        below(a, &square, first..last);
    }
    Some(())
}

/// The rows below a square of L that was found, at the columns `at`: Xᵀ = L⁻¹(A − what the columns before explain)ᵀ.
fn below(a: &mut Dense, square: &Dense, at: Range<usize>) {
    let (n, w) = (a.cols, at.len());
    let rows = part(n - at.end);
    let (above, rest) = a.values.split_at_mut(at.end * n);
    let left = Dense::left_of(&above[at.start * n..], n, at.start);
    rest.par_chunks_mut(rows * n).for_each(|rows| {
        let r = rows.len() / n;
        let mut x: Vec<f64> =
            at.clone().flat_map(|j| (0..r).map(move |i| (i, j))).map(|(i, j)| rows[i * n + j]).collect();
        accumulate(&mut x, r, -1.0, left, Dense::left_of(rows, n, at.start).turned());
        forward(square, 0..w, &mut x, r);
        for (i, row) in rows.chunks_exact_mut(n).enumerate() {
            row[at.clone()].iter_mut().enumerate().for_each(|(j, value)| *value = x[j * r + i]);
        }
    });
}

/// A ← L, row by row.
fn by_rows(a: &mut Dense) -> Option<()> {
    let n = a.cols;
    for i in 0..n {
        let (done, row) = a.values.split_at_mut(i * n);
        let row = &mut row[..=i];
        for j in 0..i {
            let l = &done[j * n..=j * n + j];
            let sum: f64 = row[..j].iter().zip(l).map(|(a, b)| a * b).sum();
            row[j] = (row[j] - sum) / l[j];
        }
        let pivot = row[i] - row[..i].iter().map(|x| x * x).sum::<f64>();
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        row[i] = pivot.sqrt();
    }
    Some(())
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
        for (n, cols) in [(1, 1), (2, 3), (63, 1), (64, 129), (65, 7), (131, 257), (300, 65), (523, 20)] {
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
    fn the_factor_is_undone_from_both_sides() {
        for n in [1, 5, 70, 300] {
            let half = random(n, n + 3, 3);
            let mut a = product(half.view(), half.t());
            (0..n).for_each(|i| a.values[i * n + i] += 0.1);
            let factor = Cholesky::of(a.clone()).expect("positive definite");
            let inverse = factor.inverse();
            let one = product(product(inverse.view(), a.view()).view(), inverse.t());
            for (i, value) in one.values.iter().enumerate() {
                assert!((value - f64::from(i / n == i % n)).abs() < 1e-9, "{n}: {value} at {i}");
            }
            let b = random(n, 3, 4);
            let (found, want) = (factor.solve_turned(&b), product(inverse.t(), b.view()));
            assert!(found.values.iter().zip(&want.values).all(|(a, b)| (a - b).abs() < 1e-9), "{n}");
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
