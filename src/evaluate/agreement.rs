//! MAE, Pearson's correlation, MSE and R² over pairs of measured and inferred values.

use serde::Serialize;

use super::optional;
use crate::error::Result;
use crate::ranks::Ranks;

/// Running sums of one gene or one sample over pairs (measured x, inferred y).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    absolute: f64,
    squared: f64,
    /// Squared errors over training variances, and how many have one.
    scaled: f64,
    scalable: f64,
    baseline: f64,
    min_x: f64,
    max_x: f64,
    min_y: f64,
    max_y: f64,
}

impl Sums {
    /// `shift` is subtracted from both, so that large means do not cancel; `per_variance` is 0 where there is no variance.
    pub(super) fn add(&mut self, x: f64, y: f64, shift: f64, per_variance: f64) {
        let (a, b) = (x - shift, y - shift);
        if self.n == 0.0 {
            (self.min_x, self.max_x, self.min_y, self.max_y) = (a, a, b, b);
        }
        (self.min_x, self.max_x) = (self.min_x.min(a), self.max_x.max(a));
        (self.min_y, self.max_y) = (self.min_y.min(b), self.max_y.max(b));
        self.n += 1.0;
        self.x += a;
        self.y += b;
        self.xx += a * a;
        self.yy += b * b;
        self.xy += a * b;
        self.absolute += (x - y).abs();
        self.squared += (x - y) * (x - y);
        self.scaled += (x - y) * (x - y) * per_variance;
        self.scalable += f64::from(u8::from(per_variance > 0.0));
    }

    /// What is added up, as numbers.
    fn added(&mut self) -> [&mut f64; 11] {
        let Sums { n, x, y, xx, yy, xy, absolute, squared, scaled, scalable, baseline, .. } = self;
        [n, x, y, xx, yy, xy, absolute, squared, scaled, scalable, baseline]
    }

    /// Least and largest values, negated where they are least, so that all are the largest of their kind.
    fn bounds(&self) -> [f64; 4] {
        match self.n {
            0.0 => [f64::NEG_INFINITY; 4],
            _ => [-self.min_x, self.max_x, -self.min_y, self.max_y],
        }
    }

    /// Σ(x − x̄)²
    fn variation(&self) -> f64 {
        self.xx - self.x * self.x / self.n
    }

    pub(super) fn pearson(&self) -> Option<f64> {
        if self.min_x == self.max_x || self.min_y == self.max_y {
            return None;
        }
        let covariance = self.xy - self.x * self.y / self.n;
        let r = covariance / (self.variation() * (self.yy - self.y * self.y / self.n)).sqrt();
        r.is_finite().then(|| r.clamp(-1.0, 1.0))
    }

    pub(super) fn r2(&self) -> Option<f64> {
        let r2 = 1.0 - self.squared / self.variation();
        (self.min_x < self.max_x && r2.is_finite()).then_some(r2)
    }

    /// Whether all measured values are one.
    pub(super) fn flat(&self) -> bool {
        self.min_x == self.max_x
    }

    /// How many pairs.
    pub(super) fn len(&self) -> usize {
        self.n as usize
    }

    /// Of each pair (x, y) that these are the sums of: n·r − (n − 1)·(r without it). An undefined r counts as 0.
    pub(super) fn pseudo_values<'a>(
        &self,
        x: &'a [f32],
        y: &'a [f32],
        shift: f64,
    ) -> impl Iterator<Item = f64> + 'a {
        let all = *self;
        let r = all.pearson().unwrap_or(0.0);
        x.iter().zip(y).map(move |(x, y)| {
            let (a, b) = (f64::from(*x) - shift, f64::from(*y) - shift);
            let n = all.n - 1.0;
            let (sx, sy) = (all.x - a, all.y - b);
            let covariance = all.xy - a * b - sx * sy / n;
            let (vx, vy) = (all.xx - a * a - sx * sx / n, all.yy - b * b - sy * sy / n);
            // A side that is constant but for rounding has no correlation.
            let varies = vx > 1e-12 * all.xx && vy > 1e-12 * all.yy && all.pearson().is_some();
            let without = if varies { (covariance / (vx * vy).sqrt()).clamp(-1.0, 1.0) } else { 0.0 };
            all.n * r - n * without
        })
    }

    /// Mean squared error over the training variance, of what has one.
    fn nmse(&self) -> Option<f64> {
        (self.scalable > 0.0).then(|| self.scaled / self.scalable)
    }

    fn figures(&self) -> Figures {
        Figures {
            mae: self.absolute / self.n,
            baseline_mae: self.baseline / self.n,
            pcc: self.pearson(),
            baseline_pcc: None,
            mse: self.squared / self.n,
            nmse: self.nmse(),
            r2: self.r2(),
        }
    }
}

/// The figures of one gene (over samples) or one sample (over genes), in the store's units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Mean |y − x|
    pub mae: f64,
    /// Mean |training median − x|
    pub baseline_mae: f64,
    /// Pearson's correlation; `None` where one side is constant.
    pub pcc: Option<f64>,
    /// Of a sample: the correlation of its values with the genes' training medians, the same for every sample. Near as high as
    /// `pcc`, for it is mostly which genes are high in all samples. `None` of a gene.
    pub baseline_pcc: Option<f64>,
    /// Mean (y − x)²
    pub mse: f64,
    /// Mean (y − x)²/(the gene's variance over the training samples): 1 is as good as the training mean, whatever the
    /// units. `None` where no gene has a training variance.
    pub nmse: Option<f64>,
    /// 1 − Σ(y − x)²/Σ(x − x̄)²; `None` where the measured values are constant.
    pub r2: Option<f64>,
}

impl Figures {
    /// The columns of [`Figures::fields`].
    pub const HEADER: [&str; 6] = ["mae", "baseline_mae", "pcc", "mse", "nmse", "r2"];

    /// As plain numbers, NaN where a figure is not defined.
    fn plain(&self) -> [f64; 7] {
        let Figures { mae, baseline_mae, pcc, baseline_pcc, mse, nmse, r2 } = *self;
        let number = |x: Option<f64>| x.unwrap_or(f64::NAN);
        [mae, baseline_mae, number(pcc), number(baseline_pcc), mse, number(nmse), number(r2)]
    }

    fn of_plain([mae, baseline_mae, pcc, baseline_pcc, mse, nmse, r2]: [f64; 7]) -> Figures {
        let figure = |x: f64| (!x.is_nan()).then_some(x);
        Figures {
            mae,
            baseline_mae,
            pcc: figure(pcc),
            baseline_pcc: figure(baseline_pcc),
            mse,
            nmse: figure(nmse),
            r2: figure(r2),
        }
    }

    /// The figures as fields of a table; what is not defined is `NA`.
    pub fn fields(&self) -> [String; 6] {
        let Figures { mae, baseline_mae, pcc, mse, nmse, r2, .. } = *self;
        [
            mae.to_string(),
            baseline_mae.to_string(),
            optional(pcc),
            mse.to_string(),
            optional(nmse),
            optional(r2),
        ]
    }
}

/// What is known of each gene from the training samples alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// The rival's prediction.
    pub median: Vec<f32>,
    /// 1/variance, with n in the denominator, and 0 for a gene of one value; of no gene where it is not known.
    pub per_variance: Vec<f64>,
}

impl Baseline {
    /// The medians alone.
    pub fn of_medians(median: &[f32]) -> Baseline {
        Baseline { median: median.to_vec(), per_variance: vec![0.0; median.len()] }
    }

    /// Of some of the genes, in this order.
    pub fn select(&self, genes: impl Iterator<Item = usize> + Clone) -> Baseline {
        Baseline {
            median: genes.clone().map(|gene| self.median[gene]).collect(),
            per_variance: genes.map(|gene| self.per_variance[gene]).collect(),
        }
    }
}

/// Accumulates pairs of rows.
pub struct Agreement {
    genes: Vec<Sums>,
    samples: Vec<Figures>,
    /// What values are less in the sums, so that large means do not cancel: the first sample's medians, for all samples, whatever
    /// rounds they are held out in.
    shift: Vec<f32>,
}

impl Agreement {
    /// Of so many genes.
    pub fn new(genes: usize) -> Self {
        Agreement { genes: vec![Sums::default(); genes], samples: Vec::new(), shift: Vec::new() }
    }

    /// Adds one sample: measured and inferred values by gene, beside what the training samples tell of them.
    pub fn add(&mut self, baseline: &Baseline, measured: &[f32], inferred: &[f32]) {
        if self.shift.is_empty() {
            self.shift.clone_from(&baseline.median);
        }
        let (mut sample, mut rival) = (Sums::default(), Sums::default());
        let known = baseline.median.iter().zip(&baseline.per_variance);
        let genes = self.genes.iter_mut().zip(&self.shift);
        for (((x, y), (median, per_variance)), (gene, shift)) in
            measured.iter().zip(inferred).zip(known).zip(genes)
        {
            let (x, y, median) = (f64::from(*x), f64::from(*y), f64::from(*median));
            gene.add(x, y, f64::from(*shift), *per_variance);
            gene.baseline += (median - x).abs();
            sample.add(x, y, 0.0, *per_variance);
            sample.baseline += (median - x).abs();
            rival.add(x, median, 0.0, 0.0);
        }
        self.samples.push(Figures { baseline_pcc: rival.pearson(), ..sample.figures() });
    }

    /// Of all ranks' samples, on every rank: `places` are those of this rank's among all, in the order in which they were added.
    ///
    /// # Errors
    /// [`crate::Error::Ranks`].
    pub fn among(mut self, ranks: &Ranks, places: &[usize]) -> Result<Agreement> {
        if !ranks.are_several() {
            return Ok(self);
        }
        let added = self.genes.iter_mut().flat_map(|gene| gene.added().map(|sum| *sum)).collect();
        let bounds: Vec<f64> = self.genes.iter().flat_map(Sums::bounds).collect();
        let (added, all_bounds) = (ranks.sum_f64(added)?, ranks.gather_values(&bounds)?);
        for (gene, sums) in self.genes.iter_mut().zip(added.chunks_exact(11)) {
            gene.added().into_iter().zip(sums).for_each(|(sum, all)| *sum = *all);
        }
        for (i, gene) in self.genes.iter_mut().enumerate() {
            let ranks = all_bounds.chunks_exact(bounds.len()).map(|bounds| &bounds[4 * i..4 * i + 4]);
            let most = ranks.fold([f64::NEG_INFINITY; 4], |most, of| {
                std::array::from_fn(|i| if of[i] > most[i] { of[i] } else { most[i] })
            });
            [gene.min_x, gene.max_x, gene.min_y, gene.max_y] = [-most[0], most[1], -most[2], most[3]];
        }
        let own = self.samples.iter().zip(places);
        let own: Vec<f64> =
            own.flat_map(|(figures, place)| std::iter::once(*place as f64).chain(figures.plain())).collect();
        let mut all: Vec<(usize, Figures)> = ranks
            .gather_values(&own)?
            .chunks_exact(8)
            .map(|row| (row[0] as usize, Figures::of_plain(std::array::from_fn(|i| row[1 + i]))))
            .collect();
        all.sort_by_key(|(place, _)| *place);
        self.samples = all.into_iter().map(|(_, figures)| figures).collect();
        Ok(self)
    }

    /// The figures by gene (over samples) and by sample (over genes).
    pub fn finish(self) -> (Vec<Figures>, Vec<Figures>) {
        (self.genes.iter().map(Sums::figures).collect(), self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        let median = [1.0, 100.0, 5.0];
        let known = Baseline { median: median.to_vec(), per_variance: vec![0.5, 2.0, 0.0] };
        let mut agreement = Agreement::new(3);
        agreement.add(&known, &[1.0, 101.0, 5.0], &[2.0, 103.0, 4.0]);
        agreement.add(&known, &[2.0, 102.0, 5.0], &[4.0, 102.0, 6.0]);
        agreement.add(&known, &[3.0, 106.0, 5.0], &[3.0, 107.0, 7.0]);
        let (genes, samples) = agreement.finish();
        assert_eq!((genes[0].mae, genes[0].baseline_mae), (1.0, 1.0));
        assert!((genes[0].pcc.unwrap() - 0.5).abs() < 1e-15);
        assert!((genes[0].mse - 5.0 / 3.0).abs() < 1e-15);
        assert!((genes[0].r2.unwrap() - (1.0 - 5.0 / 2.0)).abs() < 1e-15);
        // NumPy: np.corrcoef([101, 102, 106], [103, 102, 107])[0, 1]
        assert!((genes[1].pcc.unwrap() - 0.9285714285714286).abs() < 1e-12);
        assert_eq!((genes[2].pcc, genes[2].r2), (None, None), "a constant gene has no correlation");
        assert!((genes[2].mse - 2.0).abs() < 1e-15);
        assert_eq!(samples.len(), 3);
        // (1 + 4 + 0)/3 · 0.5; the third gene has no training variance
        assert!((genes[0].nmse.unwrap() - 5.0 / 6.0).abs() < 1e-15 && genes[2].nmse.is_none());
        // (1 · 0.5 + 4 · 2)/2
        assert!((samples[0].nmse.unwrap() - 4.25).abs() < 1e-15);
        // NumPy: np.corrcoef([1, 101, 5], [1, 100, 5])[0, 1]
        assert!((samples[0].baseline_pcc.unwrap() - 0.999_999_933_769_229_8).abs() < 1e-12);
        assert!((samples[0].mae - 4.0 / 3.0).abs() < 1e-15);
    }

    /// Two groups far apart, each held out once: what was learned from the other one moves no figure.
    #[test]
    fn rounds_of_other_medians_are_pooled_on_one_scale() {
        let pairs = [(10.0, [1.0, 2.0]), (10.0, [2.0, 2.5]), (1.5, [10.0, 7.0]), (1.5, [11.0, 9.0])];
        let figures = |medians: [f32; 4]| {
            let mut agreement = Agreement::new(1);
            for (median, (_, [x, y])) in medians.into_iter().zip(pairs) {
                agreement.add(&Baseline { median: vec![median], per_variance: vec![1.0] }, &[x], &[y]);
            }
            agreement.finish().0[0]
        };
        let (own, none) = (figures(pairs.map(|(median, _)| median)), figures([0.0; 4]));
        let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() - b.unwrap()).abs() < 1e-12;
        assert!(close(own.r2, none.r2) && close(own.pcc, none.pcc), "{own:?} {none:?}");
        // 1 − (1 + 0.25 + 9 + 4)/(25 + 16 + 16 + 25)
        assert!(close(own.r2, Some(1.0 - 14.25 / 82.0)), "{own:?}");
    }

    #[test]
    fn figures_of_several_ranks_are_those_of_one() {
        let (genes, samples) = (5, 7);
        let value =
            |sample: usize, gene: usize, scale: f64| ((sample * 7 + gene * 3) as f64 * scale).sin() as f32;
        let row = |sample: usize, scale: f64| -> Vec<f32> {
            (0..genes).map(|gene| if gene == 4 { 1.0 } else { value(sample, gene, scale) }).collect()
        };
        let known = Baseline { median: vec![0.1; genes], per_variance: vec![0.0, 1.0, 2.0, 3.0, 0.0] };
        let add = |agreement: &mut Agreement, sample: usize| {
            agreement.add(&known, &row(sample, 0.7), &row(sample, 0.71));
        };
        let mut alone = Agreement::new(genes);
        (0..samples).for_each(|sample| add(&mut alone, sample));
        let (by_gene, by_sample) = alone.finish();
        // of nine ranks some have no sample
        for size in [2, 3, 9] {
            for (genes_found, samples_found) in Ranks::of_threads(size, |ranks| {
                let mut own = Agreement::new(genes);
                // every size-th sample: places are not in a row
                let places: Vec<usize> = (ranks.place().rank..samples).step_by(size).collect();
                places.iter().for_each(|sample| add(&mut own, *sample));
                own.among(&ranks, &places).unwrap().finish()
            }) {
                assert_eq!(samples_found, by_sample, "figures by sample are one rank's");
                for (found, want) in genes_found.iter().zip(&by_gene) {
                    let pairs = found.plain().into_iter().zip(want.plain());
                    pairs.for_each(|(a, b)| {
                        // sums of seven numbers in another order
                        assert!((a - b).abs() < 1e-12 || a.is_nan() && b.is_nan(), "{found:?} {want:?}");
                    });
                }
            }
        }
    }

    #[test]
    fn one_sample_has_no_correlation() {
        let mut agreement = Agreement::new(1);
        agreement.add(&Baseline::of_medians(&[0.0]), &[1.0], &[2.0]);
        let (genes, samples) = agreement.finish();
        assert_eq!((genes[0].mae, genes[0].pcc, genes[0].r2), (1.0, None, None));
        assert_eq!(samples[0].pcc, None);
    }
}
