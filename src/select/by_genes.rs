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
//! A gene is given back by a column whose product is added, v = R_j/√(λ_j − R_jj); such columns have the sign −1, and when there are too many
//! V is made anew from the genes taken alone, by the same T.
//!
//! Of another target T with S = XᵀT·TᵀX ([`super::target`]) the residuals are E = TᵀA·X = TᵀX − U·Vᵀ, and all stays as it is with ‖E_j‖² for ‖R_j‖², UᵀU for
//! VᵀV and W = XᵀT·U for C·V: of E and U themselves nothing is wanted, since XᵀT·E_j = S_j − W·V_j.
//!
//! Cost: G² once, 2·G²·[`AHEAD`] a product, 6·G·k a step, 8·G·k² each time penalties are set; memory C and 16·G·n, and of [`SPARE`] columns.

use std::collections::HashMap;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::covariance::Covariance;
use super::ridge_greedy::{GENES, Left, Revise, lost_in_rounding};
use super::target::TargetProducts;
use super::within::Part;
use crate::device::cpu::dot;
use crate::error::Result;

/// Genes whose image is computed at a time.
const AHEAD: usize = 32;
/// Genes that a task moves to another factor at a time.
const BLOCK: usize = 64;
/// Columns of V beyond one a gene, at most, until genes given back are left out of it.
const SPARE: usize = 256;

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

/// C·R_j as it was when V had `at` columns.
struct Image {
    at: usize,
    values: Vec<f64>,
}

/// R_j, C·R_j and VᵀR_j now.
struct Step {
    gene: usize,
    left: DMatrix<f64>,
    image: Vec<f64>,
    along: Vec<f64>,
    /// ‖E_j‖²
    norm: f64,
}

/// What is left, in the space of the genes.
pub struct ByGenes<'a> {
    c: &'a Covariance,
    /// `None` where the data are their own.
    target: Option<&'a TargetProducts>,
    /// ‖C_j‖², or S_jj
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
    /// Of V's columns: 1, and −1 where a gene was given back.
    signs: Vec<f64>,
    /// VᵀV, as many rows and columns of it as V has columns.
    gram: DMatrix<f64>,
    /// V·row is the column of C of each gene taken.
    rows: Vec<Vec<f64>>,
    images: HashMap<usize, Image>,
    /// The step of the gene that [`Revise::without`] was asked for last.
    asked: Option<Step>,
}

impl<'a> ByGenes<'a> {
    /// Nothing taken yet; `most` genes will be, or as many after others are given back. The target is the data where there is none.
    pub fn new(c: &'a Covariance, target: Option<&'a TargetProducts>, most: usize) -> Self {
        let genes = c.genes();
        let columns = Self::columns(most);
        ByGenes {
            c,
            target,
            squares: target.map_or_else(|| c.squares(), |target| target.image.diagonal().to_vec()),
            lambdas: Vec::new(),
            taken: Vec::new(),
            is_taken: vec![false; genes],
            p: Vec::new(),
            q: Vec::new(),
            v: Factor::new(genes, columns),
            w: Factor::new(genes, columns),
            signs: Vec::new(),
            gram: DMatrix::zeros(columns, columns),
            rows: Vec::new(),
            images: HashMap::new(),
            asked: None,
        }
    }

    /// How many columns V may have for so many genes.
    pub fn columns(most: usize) -> usize {
        most + (2 * most).min(SPARE)
    }

    /// C·R_gene now.
    fn image(&mut self, gene: usize, ahead: impl Fn(&Self) -> Vec<usize>) -> Vec<f64> {
        if let Some(target) = self.target {
            let (k, own, column) = (self.signs.len(), self.signed(gene), target.image.column(gene));
            let columns = column.par_iter().enumerate().with_min_len(GENES);
            return columns.map(|(i, s)| f64::from(*s) - dot(self.w.row(i, k), &own)).collect();
        }
        if !self.images.contains_key(&gene) {
            self.look_ahead([gene].into_iter().chain(ahead(self)).collect());
        }
        let Image { at, mut values } = self.images.remove(&gene).expect("computed above");
        let k = self.signs.len();
        let since = &self.signed(gene)[at..];
        values.par_iter_mut().enumerate().with_min_len(GENES).for_each(|(i, value)| {
            *value -= dot(&self.w.row(i, k)[at..], since);
        });
        values
    }

    /// Computes the images of some genes.
    fn look_ahead(&mut self, ahead: Vec<usize>) {
        let images = self.c.times(&self.left(&ahead));
        for (row, gene) in ahead.into_iter().enumerate() {
            let values = images.row(row).iter().copied().collect();
            self.images.insert(gene, Image { at: self.signs.len(), values });
        }
    }

    /// The genes with the largest gains that are not taken and have no image: most of them will be taken soon.
    fn promising(&self, gene: usize) -> Vec<usize> {
        let free = |i: &usize| !self.is_taken[*i] && *i != gene && !self.images.contains_key(i);
        let mut others: Vec<(usize, f64)> =
            (0..self.c.genes()).filter(free).map(|i| (i, self.gain(i))).collect();
        let most = (AHEAD - 1).min(others.len());
        if most < others.len() {
            others.select_nth_unstable_by(most, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        }
        others.truncate(most);
        others.into_iter().map(|(i, _)| i).collect()
    }

    /// A gene's row of V, each value with its column's sign.
    fn signed(&self, gene: usize) -> Vec<f64> {
        signed(self.v.row(gene, self.signs.len()), &self.signs)
    }

    /// R of some genes: [genes × G].
    fn left(&self, genes: &[usize]) -> DMatrix<f64> {
        let k = self.signs.len();
        let columns: Vec<(Vec<f32>, Vec<f64>)> =
            genes.iter().map(|gene| (self.c.column(*gene), self.signed(*gene))).collect();
        let mut left = DMatrix::zeros(genes.len(), self.c.genes());
        left.as_mut_slice().par_chunks_mut(genes.len()).enumerate().for_each(|(i, out)| {
            for (out, (column, own)) in out.iter_mut().zip(&columns) {
                *out = f64::from(column[i]) - dot(self.v.row(i, k), own);
            }
        });
        left
    }

    /// `ahead` are the genes whose images are computed beside this one's, where it has none.
    fn step(&mut self, gene: usize, ahead: impl Fn(&Self) -> Vec<usize>) -> Step {
        let k = self.signs.len();
        let (image, left) = (self.image(gene, ahead), self.left(&[gene]));
        // W_j − VᵀV·V_j
        let (own, w) = (self.signed(gene), self.w.row(gene, k));
        let gram = self.gram.as_slice().chunks_exact(self.gram.nrows());
        let along: Vec<f64> = w.iter().zip(gram).map(|(w, column)| w - dot(&column[..k], &own)).collect();
        let norm = match self.target {
            None => left.norm_squared(),
            Some(_) => (image[gene] - dot(&along, &own)).max(0.0),
        };
        Step { gene, left, image, along, norm }
    }

    /// R ← R ∓ v·vᵀ with v = R_j/√(λ_j ± R_jj): 1 takes a gene, −1 gives it back. Returns √(λ_j ± R_jj).
    fn change(&mut self, step: Step, sign: f64) -> f64 {
        self.asked = None;
        let k = self.signs.len();
        let size = (self.lambdas[step.gene] + sign * self.p[step.gene].max(0.0)).sqrt();
        let (scale, v) = (1.0 / size, step.left / size);
        let norm = step.norm * scale * scale;
        let along: Vec<f64> = step.along.iter().map(|x| x * scale).collect();
        let against = signed(&along, &self.signs);
        let most = self.v.most;
        let genes = self.v.values.par_chunks_mut(most).zip(self.w.values.par_chunks_mut(most));
        let figures = self.p.par_iter_mut().zip(&mut self.q);
        let all = genes.zip(figures).zip(v.as_slice().par_iter().zip(&step.image)).with_min_len(GENES);
        all.for_each(|(((v_row, w_row), (p, q)), (v, image))| {
            let image = image * scale;
            let left = image - dot(&v_row[..k], &against);
            *p -= sign * v * v;
            *q += v * (v * norm - sign * 2.0 * left);
            (v_row[k], w_row[k]) = (*v, image);
        });
        for (i, along) in along.iter().enumerate() {
            (self.gram[(i, k)], self.gram[(k, i)]) = (*along, *along);
        }
        self.gram[(k, k)] = norm;
        self.signs.push(sign);
        size
    }

    /// V and W of the genes taken alone and of the present penalties, with what follows from them: V·T with T = rowsᵀ·L⁻ᵀ.
    fn turn(&mut self) -> Result<()> {
        let (n, k) = (self.taken.len(), self.signs.len());
        self.images.clear();
        self.asked = None;
        let mut own = DMatrix::from_fn(n, n, |i, j| f64::from(self.c.value(self.taken[i], self.taken[j])));
        (0..n).for_each(|i| own[(i, i)] += self.lambdas[self.taken[i]]);
        // Positive definite, a Gram matrix and positive penalties, as far as C's single precision lets it.
        let lower = own.cholesky().ok_or_else(lost_in_rounding)?.unpack();
        let old = DMatrix::from_fn(n, k, |i, j| self.rows[i].get(j).copied().unwrap_or(0.0));
        let t = lower.solve_lower_triangular(&old).expect("a factor of a positive definite matrix");
        let gram = &t * self.gram.view((0, 0), (k, k)) * t.transpose();
        self.gram.view_mut((0, 0), (n, n)).copy_from(&gram);
        self.rows = (0..n).map(|i| lower.row(i).iter().take(i + 1).copied().collect()).collect();
        self.signs = vec![1.0; n];
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

/// Values with the signs of their columns.
fn signed(values: &[f64], signs: &[f64]) -> Vec<f64> {
    values.iter().zip(signs).map(|(value, sign)| value * sign).collect()
}

/// Rows of a factor times Tᵀ, in place; returned as columns.
fn turned(rows: &mut [f64], t: &DMatrix<f64>, most: usize) -> DMatrix<f64> {
    let (to, from) = t.shape();
    let old = DMatrix::from_iterator(
        from,
        rows.len() / most,
        rows.chunks_exact(most).flat_map(|row| row[..from].iter().copied()),
    );
    let new = t * old;
    for (row, column) in rows.chunks_exact_mut(most).zip(new.column_iter()) {
        row[..to].copy_from_slice(column.as_slice());
    }
    new
}

impl Left for ByGenes<'_> {
    fn is_constant(&self, gene: usize) -> bool {
        self.c.diagonal()[gene] == 0.0
    }

    fn whole(&self) -> f64 {
        self.target.map_or_else(|| self.c.diagonal().iter().sum(), |target| target.whole)
    }

    fn set(&mut self, lambdas: Vec<f64>) -> Result<()> {
        self.lambdas = lambdas;
        if self.taken.is_empty() {
            (self.p, self.q) = (self.c.diagonal().to_vec(), self.squares.clone());
            return Ok(());
        }
        self.turn()
    }

    fn gain(&self, gene: usize) -> f64 {
        self.q[gene].max(0.0) / (self.p[gene].max(0.0) + self.lambdas[gene])
    }

    fn take(&mut self, gene: usize) {
        // Which genes gain most next is known in a greedy alone, and not where some are given back.
        let goes_on = self.signs.len() == self.taken.len();
        let step = self.step(gene, |all| if goes_on { all.promising(gene) } else { Vec::new() });
        let mut row = self.signed(gene);
        row.push(self.change(step, 1.0));
        self.rows.push(row);
        self.taken.push(gene);
        self.is_taken[gene] = true;
    }
}

impl Revise for ByGenes<'_> {
    /// R + s·R_j·R_jᵀ with s = 1/(λ_j − R_jj) is R without gene j.
    fn without(&mut self, gene: usize, coming: &[usize]) -> Result<Vec<f64>> {
        let k = self.signs.len();
        if k + 2 > self.v.most {
            self.turn()?;
            return self.without(gene, coming);
        }
        let next = |all: &Self| {
            let coming = coming.iter().filter(|gene| all.is_taken[**gene] && !all.images.contains_key(gene));
            coming.take(AHEAD - 1).copied().collect()
        };
        let step = self.step(gene, next);
        let r = step.left.as_slice();
        let (norm, s) = (step.norm, 1.0 / (self.lambdas[gene] - self.p[gene]));
        let against = signed(&step.along, &self.signs);
        let gain = |i: usize| {
            let left = step.image[i] - dot(self.v.row(i, k), &against);
            let q = self.q[i] + s * r[i] * (2.0 * left + s * r[i] * norm);
            q.max(0.0) / ((self.p[i] + s * r[i] * r[i]).max(0.0) + self.lambdas[i])
        };
        let gains = (0..r.len()).into_par_iter().with_min_len(GENES).map(gain).collect();
        self.asked = Some(step);
        Ok(gains)
    }

    fn leave(&mut self, gene: usize) {
        let step =
            self.asked.take().filter(|step| step.gene == gene).expect("what is given back was asked for");
        let place = self.taken.iter().position(|taken| *taken == gene).expect("it was taken");
        self.change(step, -1.0);
        self.taken.remove(place);
        self.rows.remove(place);
        self.is_taken[gene] = false;
    }

    fn among(&self, genes: &[usize]) -> Vec<Part> {
        let own =
            DMatrix::from_fn(genes.len(), genes.len(), |i, j| f64::from(self.c.value(genes[i], genes[j])));
        if let Some(target) = self.target {
            let image = |i: usize, j: usize| f64::from(target.image.value(genes[i], genes[j]));
            let image = DMatrix::from_fn(genes.len(), genes.len(), image);
            return Vec::from([Part::new(own, image, self.whole())]);
        }
        let columns = genes.iter().flat_map(|gene| self.c.column(*gene)).map(f64::from);
        let columns = DMatrix::from_iterator(self.c.genes(), genes.len(), columns);
        Vec::from([Part::new(own, columns.tr_mul(&columns), self.whole())])
    }
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
                    let by_genes =
                        ridge_greedy(&mut ByGenes::new(&c, None, n), &penalties, &ids, &bound, &silent);
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
