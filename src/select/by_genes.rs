//! `diverse` among the genes, for the data as its own target: nothing of the size of the samples, however many they are.
//!
//! With C = XᵀX a ridge regression on the genes taken leaves R = Xᵀ·A·X = C − V·Vᵀ, V [G × k] the columns of C of the genes
//! taken times the inverse Cholesky factor of their block of C + Λ; the gain of gene j is ‖R_j‖²/(R_jj + λ_j). With
//! v = R_j/√(R_jj + λ_j)
//! ```text
//! R_ii ← R_ii − v_i²   ‖R_i‖² ← ‖R_i‖² − 2·v_i·(R·v)_i + v_i²·‖v‖²   V ← [V, v]
//! ```
//! R·v = C·v − V·Vᵀv wants one pass over C. Two things make it cheap. W = C·V is kept beside V, so that Vᵀv =
//! (W_j − VᵀV·V_j)/√… is k² operations, and V' = V·T, W' = W·T with T = Lᵀ·L'⁻ᵀ when other penalties change the Cholesky factor
//! from L to L'. And C·R_j is computed for the [`AHEAD`] genes with the largest gains at a time, as one product: as genes
//! are taken C·R_j changes by W's new columns alone, and most of those genes are taken before penalties change.
//!
//! Cost: G² once, 2·G²·[`AHEAD`] a product, 6·G·k a step, 8·G·k² each time penalties are set; memory C and 16·G·n.

use std::collections::HashMap;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::covariance::Covariance;
use super::ridge_greedy::{GENES, Left, lost_in_rounding};
use crate::device::cpu::total;
use crate::error::Result;

/// Genes whose image is computed at a time.
const AHEAD: usize = 32;
/// Genes that a task moves to another factor at a time.
const BLOCK: usize = 64;

/// One row a gene, growing by a column a step: `values[gene·most + step]`.
struct Factor {
    most: usize,
    values: Vec<f64>,
}

impl Factor {
    fn new(genes: usize, most: usize) -> Self {
        Factor { most, values: vec![0.0; genes * most] }
    }

    fn row(&self, gene: usize, k: usize) -> &[f64] {
        &self.values[gene * self.most..][..k]
    }
}

/// C·R_j as it was when `at` genes were taken.
struct Image {
    at: usize,
    values: Vec<f64>,
}

/// What is left, in the space of the genes.
pub struct ByGenes<'a> {
    c: &'a Covariance,
    /// ‖C_j‖²
    squares: Vec<f64>,
    lambdas: Vec<f64>,
    taken: Vec<usize>,
    is_taken: Vec<bool>,
    /// R_jj
    p: Vec<f64>,
    /// ‖R_j‖²
    q: Vec<f64>,
    v: Factor,
    w: Factor,
    /// VᵀV, and the Cholesky factor L; k × k of them count.
    gram: DMatrix<f64>,
    lower: DMatrix<f64>,
    images: HashMap<usize, Image>,
}

impl<'a> ByGenes<'a> {
    /// Nothing taken yet; `most` genes will be.
    pub fn new(c: &'a Covariance, most: usize) -> Self {
        let genes = c.genes();
        ByGenes {
            c,
            squares: c.squares(),
            lambdas: Vec::new(),
            taken: Vec::new(),
            is_taken: vec![false; genes],
            p: Vec::new(),
            q: Vec::new(),
            v: Factor::new(genes, most),
            w: Factor::new(genes, most),
            gram: DMatrix::zeros(most, most),
            lower: DMatrix::zeros(most, most),
            images: HashMap::new(),
        }
    }

    /// C·R_gene now.
    fn image(&mut self, gene: usize) -> Vec<f64> {
        if !self.images.contains_key(&gene) {
            self.look_ahead(gene);
        }
        let Image { at, mut values } = self.images.remove(&gene).expect("computed above");
        let k = self.taken.len();
        let since = &self.v.row(gene, k)[at..];
        values.par_iter_mut().enumerate().with_min_len(GENES).for_each(|(i, value)| {
            *value -= dot(&self.w.row(i, k)[at..], since);
        });
        values
    }

    /// Computes the images of `gene` and of the genes with the largest gains that have none: of those not taken, if it is not.
    fn look_ahead(&mut self, gene: usize) {
        let like = |i: &usize| self.is_taken[*i] == self.is_taken[gene] && *i != gene;
        let free = |i: &usize| like(i) && !self.images.contains_key(i);
        let mut others: Vec<(usize, f64)> =
            (0..self.c.genes()).filter(free).map(|i| (i, self.gain(i))).collect();
        let most = (AHEAD - 1).min(others.len());
        if most < others.len() {
            others.select_nth_unstable_by(most, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        }
        others.truncate(most);
        let ahead: Vec<usize> = [gene].into_iter().chain(others.into_iter().map(|(i, _)| i)).collect();
        let left = self.left(&ahead);
        let images = self.c.times(&left);
        for (row, gene) in ahead.into_iter().enumerate() {
            let values = images.row(row).iter().copied().collect();
            self.images.insert(gene, Image { at: self.taken.len(), values });
        }
    }

    /// R of some genes: [genes × G].
    fn left(&self, genes: &[usize]) -> DMatrix<f64> {
        let k = self.taken.len();
        let columns: Vec<Vec<f32>> = genes.iter().map(|gene| self.c.column(*gene)).collect();
        let mut left = DMatrix::zeros(genes.len(), self.c.genes());
        left.as_mut_slice().par_chunks_mut(genes.len()).enumerate().for_each(|(i, out)| {
            for ((out, gene), column) in out.iter_mut().zip(genes).zip(&columns) {
                *out = f64::from(column[i]) - dot(self.v.row(i, k), self.v.row(*gene, k));
            }
        });
        left
    }

    /// Vᵀ·R_j = W_j − VᵀV·V_j
    fn along(&self, gene: usize) -> Vec<f64> {
        let k = self.taken.len();
        let (own, w) = (self.v.row(gene, k), self.w.row(gene, k));
        let gram = self.gram.as_slice().chunks_exact(self.gram.nrows());
        w.iter().zip(gram).map(|(w, column)| w - dot(&column[..k], own)).collect()
    }

    /// V and W of other penalties, with what follows from them: T = Lᵀ·L'⁻ᵀ.
    fn turn(&mut self) -> Result<()> {
        let k = self.taken.len();
        let mut own = DMatrix::from_fn(k, k, |i, j| f64::from(self.c.value(self.taken[i], self.taken[j])));
        (0..k).for_each(|i| own[(i, i)] += self.lambdas[self.taken[i]]);
        // Positive definite, a Gram matrix and positive penalties, as far as C's single precision lets it.
        let lower = own.cholesky().ok_or_else(lost_in_rounding)?.unpack();
        let old = self.lower.view((0, 0), (k, k)).into_owned();
        let t = lower.solve_lower_triangular(&old).expect("a factor of a positive definite matrix");
        let gram = &t * self.gram.view((0, 0), (k, k)) * t.transpose();
        self.gram.view_mut((0, 0), (k, k)).copy_from(&gram);
        self.lower.view_mut((0, 0), (k, k)).copy_from(&lower);
        let (most, c) = (self.v.most, self.c.diagonal());
        let genes =
            self.v.values.par_chunks_mut(BLOCK * most).zip(self.w.values.par_chunks_mut(BLOCK * most));
        let figures = self.p.par_chunks_mut(BLOCK).zip(self.q.par_chunks_mut(BLOCK));
        let all = genes.zip(figures).zip(c.par_chunks(BLOCK).zip(self.squares.par_chunks(BLOCK)));
        all.for_each(|(((v, w), (p, q)), (c, squares))| {
            let (v, w) = (turned(v, &t, most), turned(w, &t, most));
            let image = &gram * &v;
            for i in 0..p.len() {
                let (v, w) = (v.column(i), w.column(i));
                p[i] = c[i] - v.norm_squared();
                q[i] = squares[i] - 2.0 * v.dot(&w) + v.dot(&image.column(i));
            }
        });
        Ok(())
    }
}

/// Rows of a factor times Tᵀ, in place; returned as columns.
fn turned(rows: &mut [f64], t: &DMatrix<f64>, most: usize) -> DMatrix<f64> {
    let k = t.nrows();
    let old = DMatrix::from_iterator(
        k,
        rows.len() / most,
        rows.chunks_exact(most).flat_map(|row| row[..k].iter().copied()),
    );
    let new = t * old;
    for (row, column) in rows.chunks_exact_mut(most).zip(new.column_iter()) {
        row[..k].iter_mut().zip(column.iter()).for_each(|(to, from)| *to = *from);
    }
    new
}

impl Left for ByGenes<'_> {
    fn is_constant(&self, gene: usize) -> bool {
        self.c.diagonal()[gene] == 0.0
    }

    fn whole(&self) -> f64 {
        self.c.diagonal().iter().sum()
    }

    fn set(&mut self, lambdas: Vec<f64>) -> Result<()> {
        self.lambdas = lambdas;
        self.images.clear();
        (self.p, self.q) = (self.c.diagonal().to_vec(), self.squares.clone());
        if !self.taken.is_empty() {
            self.turn()?;
        }
        Ok(())
    }

    fn gain(&self, gene: usize) -> f64 {
        self.q[gene].max(0.0) / (self.p[gene].max(0.0) + self.lambdas[gene])
    }

    fn take(&mut self, gene: usize) {
        let k = self.taken.len();
        let image = self.image(gene);
        let scale = 1.0 / (self.p[gene].max(0.0) + self.lambdas[gene]).sqrt();
        let v = self.left(&[gene]) * scale;
        let norm = v.norm_squared();
        let own = self.v.row(gene, k).to_vec();
        let along: Vec<f64> = self.along(gene).into_iter().map(|x| x * scale).collect();
        let most = self.v.most;
        let genes = self.v.values.par_chunks_mut(most).zip(self.w.values.par_chunks_mut(most));
        let figures = self.p.par_iter_mut().zip(&mut self.q);
        let all = genes.zip(figures).zip(v.as_slice().par_iter().zip(&image)).with_min_len(GENES);
        all.for_each(|(((v_row, w_row), (p, q)), (v, image))| {
            let image = image * scale;
            let left = image - dot(&v_row[..k], &along);
            *p -= v * v;
            *q += v * (v * norm - 2.0 * left);
            (v_row[k], w_row[k]) = (*v, image);
        });
        for (i, along) in along.iter().enumerate() {
            (self.gram[(i, k)], self.gram[(k, i)]) = (*along, *along);
            self.lower[(k, i)] = own[i];
        }
        (self.gram[(k, k)], self.lower[(k, k)]) = (norm, 1.0 / scale);
        self.taken.push(gene);
        self.is_taken[gene] = true;
    }

    /// R + s·R_j·R_jᵀ with s = 1/(λ_j − R_jj) is R without gene j.
    fn without(&mut self, gene: usize) -> Vec<f64> {
        let k = self.taken.len();
        let image = self.image(gene);
        let r = self.left(&[gene]);
        let (norm, s) = (r.norm_squared(), 1.0 / (self.lambdas[gene] - self.p[gene]));
        let along = self.along(gene);
        let gain = |i: usize| {
            let left = image[i] - dot(self.v.row(i, k), &along);
            let q = self.q[i] + s * r[i] * (2.0 * left + s * r[i] * norm);
            q.max(0.0) / ((self.p[i] + s * r[i] * r[i]).max(0.0) + self.lambdas[i])
        };
        (0..r.len()).into_par_iter().with_min_len(GENES).map(gain).collect()
    }
}

/// Σ a·b in eight partial sums.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    total(sums) + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::random::Stream;
    use crate::genes::Table;
    use crate::progress::silent;
    use crate::select::by_samples::BySamples;
    use crate::select::columns::Columns;
    use crate::select::constraints::Constraints;
    use crate::select::covariance;
    use crate::select::penalties::Penalties;
    use crate::select::ridge_greedy::ridge_greedy;
    use crate::store::Store;

    /// Mixtures of ten programmes with noise; gene 4 is constant, gene 9 a copy of gene 8.
    fn mixed(dir: &std::path::Path, samples: usize, genes: usize) -> Store {
        let mut stream = Stream::new(11, "mixtures", 0);
        let loadings: Vec<f64> = (0..genes * 10).map(|_| stream.uniform().powi(3) - 0.2).collect();
        let mut values = Vec::new();
        for _ in 0..samples {
            let programmes: Vec<f64> = (0..10).map(|_| stream.uniform() - 0.5).collect();
            let own = loadings.chunks_exact(10);
            let mut row: Vec<f32> =
                own.map(|own| (dot(own, &programmes) + 0.2 * stream.uniform()) as f32).collect();
            row[4] = 3.0;
            row[9] = row[8];
            values.extend(row);
        }
        crate::testing::store(&dir.join("mixed.gex"), genes, &values)
    }

    #[test]
    fn the_list_is_that_of_the_samples() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (samples, genes, n) in [(23, 61, 61), (97, 131, 100), (301, 83, 83)] {
            let store = mixed(dir.path(), samples, genes);
            let (x, _) = Columns::standardized(&store, &(0..samples).collect::<Vec<_>>());
            let (gram, c) = (x.gram(), covariance::tests::small(&store, 48));
            let mut stream = Stream::new(5, "shares", 0);
            let uneven: Vec<f64> = (0..genes).map(|_| stream.uniform() + 0.01).collect();
            let ids: Vec<String> = (0..genes).map(|i| format!("g{i:04}")).collect();
            let table = Table::new("gene_id", ids.clone());
            for (ridge, include, exclude) in [(0.5, vec![], vec![]), (3.0, vec![7, 4], vec![0, 30])] {
                let n = n.min(genes - exclude.len());
                let bound = Constraints::new(&table, n, &include, &exclude).expect("possible");
                for penalties in [Penalties::equal(ridge, genes), Penalties::by_uniqueness(ridge, &uneven)] {
                    let penalties = penalties.expect("a ridge");
                    let by_samples =
                        ridge_greedy(&mut BySamples::new(&x, &gram), &penalties, &ids, &bound, &silent);
                    let by_genes = ridge_greedy(&mut ByGenes::new(&c, n), &penalties, &ids, &bound, &silent);
                    let (a, b) = (by_samples.expect("chosen"), by_genes.expect("chosen"));
                    let copies = |genes: &[usize]| -> Vec<usize> {
                        genes.iter().map(|g| if *g == 9 { 8 } else { *g }).collect()
                    };
                    assert_eq!(copies(&a.genes), copies(&b.genes), "{samples} × {genes}, ridge {ridge}");
                    // What is left at the end is a small part of C, which is in f32.
                    for (a, b) in a.scores.iter().zip(&b.scores) {
                        assert!((a - b).abs() <= 2e-3 * a + 1e-9, "{samples} × {genes}: {a}, {b}");
                    }
                }
            }
        }
    }
}
