//! An axis: its range, its ticks, and how numbers stand beside them.

/// A range of numbers and the ticks in it.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// With the unit.
    pub label: String,
    low: f64,
    high: f64,
    log: bool,
    /// Places and what stands there.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Around all finite values, with about `n` ticks at round numbers.
    pub fn around(label: &str, values: impl IntoIterator<Item = f64>, n: usize) -> Axis {
        let (low, high) = range(values);
        let step = step((high - low) / n as f64);
        Axis::between(label, (low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step, step)
    }

    /// From and to these numbers, with ticks at multiples of `step`.
    pub fn between(label: &str, low: f64, high: f64, step: f64) -> Axis {
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let decimals = decimals(step);
        let ticks = (first..=last).map(|i| (i as f64 * step, number(i as f64 * step, decimals))).collect();
        Axis { label: label.into(), low, high, log: false, ticks }
    }

    /// As [`Axis::around`], but no wider than the values need: ticks stand inside.
    pub fn tight(label: &str, values: impl IntoIterator<Item = f64>, n: usize) -> Axis {
        let (low, high) = range(values);
        let edge = (high - low) * 0.03;
        Axis::between(label, low - edge, high + edge, step((high - low) / n as f64))
    }

    /// Logarithmic, with ticks at the powers of ten, or at `values` themselves where they are few.
    pub fn log(label: &str, values: &[f64]) -> Axis {
        let positive = values.iter().copied().filter(|x| *x > 0.0);
        let (low, high) = range(positive.map(f64::log10));
        let mut own: Vec<f64> = values.to_vec();
        own.sort_by(f64::total_cmp);
        own.dedup();
        let (low, high, at) = match own.len() <= 7 {
            true => (low - 0.04 * (high - low), high + 0.04 * (high - low), own),
            false => (low, high, (low.ceil() as i32..=high.floor() as i32).map(|k| 10_f64.powi(k)).collect()),
        };
        let ticks = at.into_iter().map(|x| (x, number(x, 0))).collect();
        Axis { label: label.into(), low, high, log: true, ticks }
    }

    /// Where a value is, 0 at the low end and 1 at the high; nothing for one that is not finite.
    pub fn at(&self, x: f64) -> Option<f64> {
        let x = if self.log { x.log10() } else { x };
        let at = (x - self.low) / (self.high - self.low);
        at.is_finite().then(|| at.clamp(-0.01, 1.01))
    }
}

/// The least and the greatest finite value, apart from each other.
fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|x| x.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    match high - low {
        d if d.is_nan() || d == f64::NEG_INFINITY => (0.0, 1.0),
        d if d > 1e-12 * high.abs().max(1e-12) => (low, high),
        _ => (low - 0.5 * low.abs().max(1e-3), high + 0.5 * high.abs().max(1e-3)),
    }
}

/// The least of 1, 2, 5 × 10^k that is not below.
fn step(least: f64) -> f64 {
    let ten = 10_f64.powf(least.max(1e-300).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|k| k * ten)
        .find(|step| *step >= least * 0.999)
        .unwrap_or(10.0 * ten)
}

fn decimals(step: f64) -> usize {
    (-(step * 1.000_001).log10().floor()).max(0.0) as usize
}

/// A number as axes and captions have it: a true minus, thousands apart; very small and very large ones in powers of ten.
pub(super) fn number(x: f64, decimals: usize) -> String {
    if decimals > 4 || x.abs() >= 1e7 {
        return scientific(x);
    }
    let text = format!("{:.decimals$}", x.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let sign = if x < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "\u{2212}" } else { "" };
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{rest}", thousands(whole))
}

fn scientific(x: f64) -> String {
    match x == 0.0 {
        true => "0".into(),
        false => format!("{x:.1e}").replace(".0e", "e").replace('-', "\u{2212}"),
    }
}

fn thousands(digits: &str) -> String {
    let n = digits.len();
    let comma = |i: usize| i > 0 && (n - i).is_multiple_of(3);
    digits.char_indices().flat_map(|(i, c)| comma(i).then_some(',').into_iter().chain([c])).collect()
}

/// A count as captions have it.
pub(super) fn count(n: usize) -> String {
    thousands(&n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_what_there_is() {
        let axis = Axis::around("x", [0.37, 2.76, f64::NAN], 5);
        let ticks: Vec<&str> = axis.ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(ticks, ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]);
        assert_eq!((axis.at(0.0), axis.at(3.0), axis.at(f64::NAN)), (Some(0.0), Some(1.0), None));
        for values in
            [vec![], vec![f64::NAN], vec![0.0], vec![5.0, 5.0], vec![-1e300, 1e300], vec![1e-9, 2e-9]]
        {
            let axis = Axis::around("x", values.clone(), 5);
            assert!((1..20).contains(&axis.ticks.len()), "{values:?}: {:?}", axis.ticks);
        }
    }

    #[test]
    fn few_values_of_a_logarithmic_axis_are_its_ticks() {
        let texts = |values: &[f64]| {
            Axis::log("n", values).ticks.into_iter().map(|t| t.1).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(texts(&[50.0, 943.0, 50.0, 200.0]), "50 200 943");
        assert_eq!(texts(&(1..=22_215).map(f64::from).collect::<Vec<_>>()), "1 10 100 1,000 10,000");
    }

    #[test]
    fn numbers_have_thousands_and_a_true_minus() {
        assert_eq!(number(-1234.5, 1), "−1,234.5");
        assert_eq!(
            (number(-0.001, 1), number(2e-6, 6), number(1e9, 0)),
            ("0.0".into(), "2e−6".into(), "1e9".into())
        );
        assert_eq!((count(999), count(22_215)), ("999".into(), "22,215".into()));
    }
}
