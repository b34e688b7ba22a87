//! Ridge where landmarks are not more than samples: everything follows from XᵀX and XᵀY, fold by fold, which samples that stream by are summed
//! into. A last column of ones in X carries the sums that the means are made of.
//!
//! With offsets (see [`Offsets`]) the X of XᵀX and XᵀY that is multiplied from the right is V⁻¹[X, 1], after a first look at the landmarks' sums by group.
//!
//! Of a store of pairs only what is not zero is multiplied: with S the raw sums Σ y·[x, 1], a gene's products of z-scores are (S − mean·Σ[x, 1])/sd.

use std::ops::Range;

use rayon::prelude::*;

use super::super::dense::{Dense, View, accumulate, product};
use super::{Coefficients, Part, inverse, n_folds};
use crate::error::Result;
use crate::infer::Problem;
use crate::infer::offsets::{Offsets, Shared};
use crate::interrupt;
use crate::progress::{Event, Reporter, advance};
use crate::store::strips::{GENES, SAMPLES, Spread, Values, cut};
use crate::store::{Layout, Store};

/// Bytes of the sums of the targets that are summed at a time.
pub const SUMS: usize = 512 << 20;

/// What any penalty's coefficients follow from.
pub struct Primal {
    landmarks: Spread,
    targets: Spread,
    /// XᵀX by fold, landmarks + 1 squared.
    squares: Vec<Dense>,
    /// YᵀX, targets × (landmarks + 1).
    right: Dense,
    /// Where penalties are compared.
    moments: Option<Moments>,
}

/// With P = X_fᵀY_f of each fold f and Q their sum: QQᵀ, and QPᵀ, PPᵀ, ‖Y_f‖² by fold.
struct Moments {
    all: Dense,
    folds: Vec<(Dense, Dense, f64)>,
}

impl Primal {
    /// `fold[i]`, from 0, is that of `problem.samples[i]`, where penalties are to be compared.
    pub fn new(
        problem: &Problem,
        fold: Option<&[usize]>,
        offsets: Option<&Offsets>,
        report: Reporter,
    ) -> Result<Primal> {
        let folds = fold.map_or(1, n_folds);
        let bytes = 8 * folds * (problem.landmarks.len() + 1);
        Primal::in_panels((SUMS / bytes).max(GENES), problem, (fold, offsets), report)
    }

    /// As [`Primal::new`], with the sums of `at_once` targets at a time.
    fn in_panels(
        at_once: usize,
        problem: &Problem,
        (fold, offsets): (Option<&[usize]>, Option<&Offsets>),
        report: Reporter,
    ) -> Result<Primal> {
        let Problem { store, samples, landmarks, targets, .. } = *problem;
        let columns = landmarks.len() + 1;
        let one = vec![0; samples.len()];
        let folds = Folds { of: fold.unwrap_or(&one), n: fold.map_or(1, n_folds), columns };
        let mut primal = Primal {
            landmarks: Spread::of(store, samples, landmarks, report)?,
            targets: Spread::of(store, samples, targets, report)?,
            squares: vec![Dense::zeros(columns, columns); folds.n],
            right: Dense { rows: targets.len(), cols: columns, values: Vec::new() },
            moments: fold.map(|_| Moments::new(columns, folds.n)),
        };
        primal.right.values.reserve_exact(targets.len() * columns);
        let shared = offsets.map(|offsets| shared(problem, &primal.landmarks, offsets)).transpose()?;
        let total = samples.len() * targets.len().div_ceil(at_once);
        report(Event::Started {
            task: "adding up products".into(),
            total: Some(total as u64),
            unit: "samples",
        });
        let mut done = 0;
        for first in (0..targets.len()).step_by(at_once) {
            let panel = first..targets.len().min(first + at_once);
            let targets = &targets[panel.clone()];
            let spread = primal.targets.part(panel);
            let mut strips: Vec<Strip> = cut(targets.len()).map(|genes| Strip::new(genes, &folds)).collect();
            for start in (0..samples.len()).step_by(SAMPLES) {
                let places = start..samples.len().min(start + SAMPLES);
                done += places.len();
                let batch = Batch::read(problem, &primal.landmarks, places, &folds).weighed(shared.as_ref());
                if first == 0 {
                    batch.add_squares(&mut primal.squares);
                }
                strips.par_iter_mut().for_each(|strip| strip.add(store, targets, &spread, &batch));
                advance(report, done as u64, "")?;
            }
            if store.layout() == Layout::Sparse {
                strips.par_iter_mut().for_each(|strip| strip.standardise(&spread, &primal.squares));
            }
            strips.into_iter().for_each(|strip| primal.take(&strip));
        }
        report(Event::Finished);
        Ok(primal)
    }

    /// Adds a strip's targets, which follow those before.
    fn take(&mut self, strip: &Strip) {
        let columns = self.right.cols;
        let first = self.right.values.len();
        self.right.values.extend(&strip.folds[0].products);
        let whole = &mut self.right.values[first..];
        for fold in &strip.folds[1..] {
            whole.iter_mut().zip(&fold.products).for_each(|(sum, part)| *sum += part);
        }
        if let Some(moments) = &mut self.moments {
            moments.add(Dense::slice(whole, columns), &strip.folds);
        }
    }

    /// See [`Part`]: one a fold, of all ranks' targets.
    pub fn parts(&mut self, problem: &Problem) -> Result<Vec<Part>> {
        let Some(mut moments) = self.moments.take() else { return Ok(Vec::new()) };
        moments.all.values = problem.summed(moments.all.values)?;
        for (qp, pp, norm) in &mut moments.folds {
            qp.values = problem.summed(std::mem::take(&mut qp.values))?;
            pp.values = problem.summed(std::mem::take(&mut pp.values))?;
            *norm = problem.summed(vec![*norm])?[0];
        }
        let whole = self.gram();
        let of = |(squares, fold)| part(&whole, &moments.all, squares, fold);
        Ok(self.squares.iter().zip(&moments.folds).map(of).collect())
    }

    fn gram(&self) -> Dense {
        combine(&self.squares.iter().map(|squares| (1.0, squares.view())).collect::<Vec<_>>())
    }

    /// W = (XᵀX + αI)⁻¹XᵀY
    pub fn solve(self, penalty: f64) -> Coefficients {
        let p = self.right.cols - 1;
        let gram = self.gram().copy(0..p, 0..p);
        let inverse = inverse(&gram, penalty);
        let mut weight = Vec::with_capacity(self.right.rows * p);
        for some in self.right.values.chunks(GENES * (p + 1)) {
            let solved = product(Dense::left_of(some, p + 1, p), inverse.view());
            weight.extend(solved.values.iter().map(|w| *w as f32));
        }
        Coefficients { weight, gram, landmarks: self.landmarks, targets: self.targets }
    }
}

impl Moments {
    fn new(columns: usize, folds: usize) -> Moments {
        let square = || Dense::zeros(columns, columns);
        Moments { all: square(), folds: (0..folds).map(|_| (square(), square(), 0.0)).collect() }
    }

    fn add(&mut self, whole: View, folds: &[Fold]) {
        self.all.add_product(whole.turned(), whole);
        for (fold, (qp, pp, norm)) in folds.iter().zip(&mut self.folds) {
            let part = Dense::slice(&fold.products, whole.cols());
            qp.add_product(whole.turned(), part);
            pp.add_product(part.turned(), part);
            *norm += fold.squares.iter().sum::<f64>();
        }
    }
}

struct Folds<'a> {
    /// By sample.
    of: &'a [usize],
    n: usize,
    /// Landmarks and 1.
    columns: usize,
}

/// Some samples' landmarks, fold after fold.
struct Batch {
    /// Among the problem's samples.
    places: Vec<usize>,
    samples: Vec<usize>,
    /// Rows of each fold.
    folds: Vec<Range<usize>>,
    /// Samples × (landmarks + 1), z-scored.
    x: Dense,
    /// V⁻¹ of it, where samples share offsets.
    weighed: Option<Dense>,
}

/// Sums over groups of the landmarks and 1.
fn shared<'o>(problem: &Problem, landmarks: &Spread, offsets: &'o Offsets) -> Result<Shared<'o>> {
    let n = problem.samples.len();
    let one = vec![0; n];
    let folds = Folds { of: &one, n: 1, columns: landmarks.mean.len() + 1 };
    let mut shared = offsets.sums(folds.columns);
    for start in (0..n).step_by(SAMPLES) {
        interrupt::check()?;
        let batch = Batch::read(problem, landmarks, start..n.min(start + SAMPLES), &folds);
        batch.places.iter().enumerate().for_each(|(row, place)| shared.add(*place, batch.x.row(row)));
    }
    Ok(shared)
}

impl Batch {
    fn read(problem: &Problem, landmarks: &Spread, places: Range<usize>, folds: &Folds) -> Batch {
        let mut places: Vec<usize> = places.collect();
        places.sort_by_key(|place| folds.of[*place]);
        let bound = |fold: usize| places.partition_point(|place| folds.of[*place] < fold);
        let rows = (0..folds.n).map(|fold| bound(fold)..bound(fold + 1)).collect();
        let samples: Vec<usize> = places.iter().map(|place| problem.samples[*place]).collect();
        let mut x = Dense::zeros(samples.len(), folds.columns);
        x.values.par_chunks_mut(folds.columns).zip(&samples).for_each_init(
            || vec![0.0; problem.landmarks.len()],
            |values, (row, sample)| {
                problem.store.read_genes(*sample, problem.landmarks, values);
                let scores = values.iter().enumerate().map(|(gene, x)| landmarks.z(gene, f64::from(*x)));
                row.iter_mut().zip(scores.chain([1.0])).for_each(|(out, z)| *out = z);
            },
        );
        Batch { places, samples, folds: rows, x, weighed: None }
    }

    fn weighed(mut self, shared: Option<&Shared>) -> Batch {
        if let Some(shared) = shared {
            let mut weighed = self.x.clone();
            let rows = weighed.values.chunks_exact_mut(self.x.cols).zip(&self.places);
            rows.for_each(|(row, place)| shared.weigh(*place, row));
            self.weighed = Some(weighed);
        }
        self
    }

    /// What is multiplied from the right.
    fn right(&self) -> &Dense {
        self.weighed.as_ref().unwrap_or(&self.x)
    }

    fn of_fold<'x>(&self, x: &'x Dense, fold: usize) -> View<'x> {
        x.block(self.folds[fold].clone(), 0..x.cols)
    }

    fn add_squares(&self, squares: &mut [Dense]) {
        for (fold, squares) in squares.iter_mut().enumerate() {
            squares.add_product(self.of_fold(&self.x, fold).turned(), self.of_fold(self.right(), fold));
        }
    }
}

/// Sums of a few targets.
struct Strip {
    /// Places among the targets.
    genes: Range<usize>,
    folds: Vec<Fold>,
}

struct Fold {
    /// Σ y·[x, 1], targets × (landmarks + 1); of a store of pairs y as it is stored, until all are summed.
    products: Vec<f64>,
    /// Σ y² by target.
    squares: Vec<f64>,
}

impl Strip {
    fn new(genes: Range<usize>, folds: &Folds) -> Strip {
        let n = genes.len();
        let fold = || Fold { products: vec![0.0; n * folds.columns], squares: vec![0.0; n] };
        Strip { genes, folds: (0..folds.n).map(|_| fold()).collect() }
    }

    fn add(&mut self, store: &Store, targets: &[usize], spread: &Spread, batch: &Batch) {
        let first = self.genes.start;
        match Values::read(store, &batch.samples, &targets[self.genes.clone()]) {
            Values::All(all) => {
                let genes = self.genes.len();
                let z = all.iter().enumerate().map(|(i, y)| spread.z(first + i % genes, f64::from(*y)));
                let y = Dense { rows: batch.samples.len(), cols: genes, values: z.collect() };
                for (fold, (sums, rows)) in self.folds.iter_mut().zip(&batch.folds).enumerate() {
                    let y = y.block(rows.clone(), 0..genes);
                    let right = batch.of_fold(batch.right(), fold);
                    accumulate(&mut sums.products, right.cols(), 1.0, y.turned(), right);
                }
                for (sums, rows) in self.folds.iter_mut().zip(&batch.folds) {
                    for row in rows.clone() {
                        sums.squares.iter_mut().zip(y.row(row)).for_each(|(sum, z)| *sum += z * z);
                    }
                }
            }
            Values::Held(held) => {
                for (gene, held) in held.iter().enumerate() {
                    let mut rest = &held[..];
                    for (sums, rows) in self.folds.iter_mut().zip(&batch.folds) {
                        let (own, others) =
                            rest.split_at(rest.partition_point(|(row, _)| (*row as usize) < rows.end));
                        sums.add(gene, own, batch.right());
                        rest = others;
                    }
                }
            }
        }
    }

    /// Raw sums → sums of z-scores.
    fn standardise(&mut self, spread: &Spread, squares: &[Dense]) {
        for (sums, squares) in self.folds.iter_mut().zip(squares) {
            let ones = squares.row(squares.rows - 1);
            let n = ones[ones.len() - 1];
            let products = sums.products.chunks_exact_mut(ones.len());
            for ((gene, products), square) in self.genes.clone().zip(products).zip(&mut sums.squares) {
                let (mean, sd) = (spread.mean[gene], spread.sd[gene]);
                let scale = if sd > 0.0 { 1.0 / sd } else { 0.0 };
                let sum = products[products.len() - 1];
                *square = (*square - 2.0 * mean * sum + n * mean * mean) * scale * scale;
                products
                    .iter_mut()
                    .zip(ones)
                    .for_each(|(product, one)| *product = (*product - mean * one) * scale);
            }
        }
    }
}

impl Fold {
    fn add(&mut self, gene: usize, held: &[(u32, f32)], x: &Dense) {
        let sums = &mut self.products[gene * x.cols..][..x.cols];
        for (row, value) in held {
            let y = f64::from(*value);
            sums.iter_mut().zip(x.row(*row as usize)).for_each(|(sum, x)| *sum += y * x);
            self.squares[gene] += y * y;
        }
    }
}

/// A fold's part, from XᵀX and the moments over all samples and over its own.
fn part(s: &Dense, all: &Dense, s_v: &Dense, (qp, pp, norm): &(Dense, Dense, f64)) -> Part {
    let p = s.cols - 1;
    let s_t = combine(&[(1.0, s.view()), (-1.0, s_v.view())]);
    let m_tt = combine(&[(1.0, all.view()), (-1.0, qp.view()), (-1.0, qp.t()), (1.0, pp.view())]);
    let m_tv = combine(&[(1.0, qp.view()), (-1.0, pp.view())]);
    let last = |m: &Dense, i: usize| m.values[i * (p + 1) + p];
    let (n_t, n_v) = (last(&s_t, p), last(s_v, p));
    let mean: Vec<f64> = (0..p).map(|i| last(&s_t, i) / n_t).collect();
    let mut cross = less_mean(&m_tv, &mean);
    for (i, row) in cross.values.chunks_exact_mut(p).enumerate() {
        let fitted = (last(&m_tt, i) - mean[i] * last(&m_tt, p)) / n_t;
        row.iter_mut().enumerate().for_each(|(j, c)| *c -= fitted * (last(s_v, j) - n_v * mean[j]));
    }
    Part {
        gram: less_mean(&s_t, &mean),
        cross,
        held: less_mean(s_v, &mean),
        fitted: less_mean(&m_tt, &mean),
        norm: norm - 2.0 * last(&m_tv, p) / n_t + n_v * last(&m_tt, p) / (n_t * n_t),
    }
}

/// C·M·Cᵀ with C = [I, −mean].
fn less_mean(m: &Dense, mean: &[f64]) -> Dense {
    let p = mean.len();
    let mut out = Dense::zeros(p, p);
    for (i, row) in out.values.chunks_exact_mut(p).enumerate() {
        let (from, last) = (m.row(i), m.row(p));
        for (j, value) in row.iter_mut().enumerate() {
            *value = from[j] - mean[i] * last[j] - mean[j] * (from[p] - mean[i] * last[p]);
        }
    }
    out
}

/// Σ factor·matrix
fn combine(terms: &[(f64, View)]) -> Dense {
    let mut out = Dense::zeros(terms[0].1.rows(), terms[0].1.cols());
    terms.iter().for_each(|(factor, view)| out.add_scaled(*factor, *view));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::dense::Standardised;
    use crate::progress::silent;
    use crate::testing::{sparse_store, store};

    /// More samples than are read at a time, targets in several panels and strips, one of them constant: XᵀX, XᵀY and the moments of every fold are
    /// those of whole matrices, in either layout.
    #[test]
    fn sums_over_samples_are_the_products_of_whole_matrices() {
        let dir = tempfile::tempdir().unwrap();
        let (n, genes) = (SAMPLES + 300, 60);
        let mut stream = crate::device::random::Stream::new(5, "counts of a test", 0);
        let mut count = |gene: usize| match gene {
            7 => 2.0,
            _ => (stream.uniform() * 9.0 - 6.0).max(0.0).floor() as f32,
        };
        let values: Vec<f32> = (0..n * genes).map(|i| count(i % genes)).collect();
        let samples: Vec<usize> = (0..n).rev().filter(|sample| sample % 7 != 2).collect();
        let fold: Vec<usize> = samples.iter().map(|sample| sample * 5 % 11 % 3).collect();
        let (landmarks, targets): (Vec<usize>, Vec<usize>) = (0..genes).partition(|gene| gene % 12 == 5);
        let close = |found: View, expected: View| {
            let mut difference = Dense::zeros(found.rows(), found.cols());
            difference.add_scaled(1.0, found);
            difference.add_scaled(-1.0, expected);
            let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
            let mut whole = Dense::zeros(expected.rows(), expected.cols());
            whole.add_scaled(1.0, expected);
            assert!(norm(&difference.values) < 1e-11 * norm(&whole.values));
        };
        let layouts = [("dense", true), ("sparse", false)];
        for (name, dense) in layouts {
            let path = dir.path().join(name);
            let store =
                if dense { store(&path, genes, &values) } else { sparse_store(&path, genes, &values) };
            let problem = Problem::new(&store, &samples, &landmarks, &targets);
            let x = Standardised::read(&store, &samples, &landmarks).values;
            let y = Standardised::read(&store, &samples, &targets).values;
            let ones =
                x.values.chunks_exact(x.cols).flat_map(|row| row.iter().copied().chain([1.0])).collect();
            let x = Dense { rows: x.rows, cols: x.cols + 1, values: ones };
            for at_once in [17, 40, 1_000] {
                let primal = Primal::in_panels(at_once, &problem, (Some(&fold), None), &silent).unwrap();
                close(primal.right.view(), product(y.t(), x.view()).view());
                let moments = primal.moments.as_ref().unwrap();
                let q = product(x.t(), y.view());
                close(moments.all.view(), product(q.view(), q.t()).view());
                for f in 0..3 {
                    let own: Vec<usize> = (0..fold.len()).filter(|i| fold[*i] == f).collect();
                    let (x, y) = (x.select_rows(&own), y.select_rows(&own));
                    let (p, (qp, pp, norm)) = (product(x.t(), y.view()), &moments.folds[f]);
                    close(primal.squares[f].view(), product(x.t(), x.view()).view());
                    close(qp.view(), product(q.view(), p.t()).view());
                    close(pp.view(), product(p.view(), p.t()).view());
                    let squares: f64 = y.values.iter().map(|y| y * y).sum();
                    assert!((norm - squares).abs() < 1e-6 * squares);
                }
            }
        }
    }
}
