//! MAE, Pearson's correlation, MSE and R² over pairs of measured and inferred values.

use serde::Serialize;

use super::optional;

/// Running sums of one gene or one sample over pairs (measured x, inferred y).
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    absolute: f64,
    squared: f64,
    baseline: f64,
    min_x: f64,
    max_x: f64,
    min_y: f64,
    max_y: f64,
}

impl Sums {
    /// `shift` is subtracted from both, so that large means do not cancel; `baseline` is the rival's error.
    fn add(&mut self, x: f64, y: f64, shift: f64, baseline: f64) {
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
        self.baseline += baseline;
    }

    /// Σ(x − x̄)²
    fn variation(&self) -> f64 {
        self.xx - self.x * self.x / self.n
    }

    fn pearson(&self) -> Option<f64> {
        if self.min_x == self.max_x || self.min_y == self.max_y {
            return None;
        }
        let covariance = self.xy - self.x * self.y / self.n;
        let r = covariance / (self.variation() * (self.yy - self.y * self.y / self.n)).sqrt();
        r.is_finite().then(|| r.clamp(-1.0, 1.0))
    }

    fn r2(&self) -> Option<f64> {
        let r2 = 1.0 - self.squared / self.variation();
        (self.min_x < self.max_x && r2.is_finite()).then_some(r2)
    }

    fn figures(&self) -> Figures {
        Figures {
            mae: self.absolute / self.n,
            baseline_mae: self.baseline / self.n,
            pcc: self.pearson(),
            mse: self.squared / self.n,
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
    /// Mean (y − x)²
    pub mse: f64,
    /// 1 − Σ(y − x)²/Σ(x − x̄)²; `None` where the measured values are constant.
    pub r2: Option<f64>,
}

impl Figures {
    /// The columns of [`Figures::fields`].
    pub const HEADER: [&str; 5] = ["mae", "baseline_mae", "pcc", "mse", "r2"];

    /// The figures as fields of a table; what is not defined is `NA`.
    pub fn fields(&self) -> [String; 5] {
        let Figures { mae, baseline_mae, pcc, mse, r2 } = *self;
        [mae.to_string(), baseline_mae.to_string(), optional(pcc), mse.to_string(), optional(r2)]
    }
}

/// Accumulates pairs of rows.
pub struct Agreement<'a> {
    median: &'a [f32],
    genes: Vec<Sums>,
    samples: Vec<Figures>,
}

impl<'a> Agreement<'a> {
    /// `median` is the baseline, by gene.
    pub fn new(median: &'a [f32]) -> Self {
        Agreement { median, genes: vec![Sums::default(); median.len()], samples: Vec::new() }
    }

    /// Adds one sample: measured and inferred values by gene.
    pub fn add(&mut self, measured: &[f32], inferred: &[f32]) {
        let mut sample = Sums::default();
        for (((x, y), median), gene) in measured.iter().zip(inferred).zip(self.median).zip(&mut self.genes) {
            let (x, y, median) = (f64::from(*x), f64::from(*y), f64::from(*median));
            let baseline = (median - x).abs();
            gene.add(x, y, median, baseline);
            sample.add(x, y, 0.0, baseline);
        }
        self.samples.push(sample.figures());
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
        let mut agreement = Agreement::new(&median);
        agreement.add(&[1.0, 101.0, 5.0], &[2.0, 103.0, 4.0]);
        agreement.add(&[2.0, 102.0, 5.0], &[4.0, 102.0, 6.0]);
        agreement.add(&[3.0, 106.0, 5.0], &[3.0, 107.0, 7.0]);
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
        assert!((samples[0].mae - 4.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn one_sample_has_no_correlation() {
        let median = [0.0];
        let mut agreement = Agreement::new(&median);
        agreement.add(&[1.0], &[2.0]);
        let (genes, samples) = agreement.finish();
        assert_eq!((genes[0].mae, genes[0].pcc, genes[0].r2), (1.0, None, None));
        assert_eq!(samples[0].pcc, None);
    }
}
