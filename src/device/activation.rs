//! Nonlinearities, each declared once: a row of the table with its word, what it computes ([`Nonlinearity`]), and a file of the same functions in
//! WGSL, `shaders/activation/WORD.wgsl`. A function that lacks on either side ends the build; kernels, options and tests go over
//! [`Activation::ALL`].

use super::math::{exp, log_ratio, relative_decay, sigmoid, tanh};
use super::table::table;

/// f and what training and attribution need of it: in f32 as kernels compute it, without branches so that loops over it become vectors; in
/// f64 as it is defined, to test those and their twins in WGSL.
pub trait Nonlinearity {
    /// The bounds of f.
    const RANGE: [f64; 2];
    /// f(z)
    fn activate(z: f32) -> f32;
    /// Where f' has both signs it has a zero, near which digits are lost.
    const LEAST_SECANT: f64 = 1e-12;
    /// What f' is told by, which a layer keeps.
    const SLOPE_OF: SlopeOf = SlopeOf::Output;
    /// f'(z) from what a layer keeps ([`SlopeOf`]).
    fn derivative(kept: f32) -> f32;
    /// (f(a) − f(b))/(a − b) for a ≥ b, and f'(a) where they are equal, to 1e-6 of it: DeepLIFT's Rescale multiplier (Shrikumar et al. 2017).
    /// The naive quotient is wrong by 10 % in f32 where a − b is 1e-6. Below [`LEAST_SECANT`](Self::LEAST_SECANT) to 1e-6 of that.
    fn secant(a: f32, b: f32) -> f32;
    /// f(z)
    fn exact(z: f64) -> f64;
    /// f'(z)
    fn exact_slope(z: f64) -> f64;
    /// f'(z) from what a layer keeps.
    fn exact_derivative(kept: f64) -> f64;
}

/// What the slope of a nonlinearity is computed from in the backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlopeOf {
    /// y = f(z), which the next layer takes too: nothing else is kept.
    Output,
    /// z, which the layer keeps beside y.
    Input,
}

table! { $
    /// A layer's nonlinearity.
    Activation of activation in "activation" by for_activation,
    ["activate(z: vec4f) -> vec4f", "derivative(kept: vec4f) -> vec4f", "secant(a: vec4f, b: vec4f) -> vec4f"]:
    /// 1 / (1 + e^−z)
    Sigmoid "sigmoid",
    /// tanh z
    Tanh "tanh",
    /// max(z, 0), derivative 0 at 0
    Relu "relu",
    /// ln(1 + e^z)
    Softplus "softplus",
    /// z / (1 + e^−z)
    Silu "silu",
    /// z
    Linear "linear",
}

// σ(a) − σ(b) = σ(a)·σ(−b)·(1 − e^(b − a)), of which every factor is accurate
impl Nonlinearity for Sigmoid {
    const RANGE: [f64; 2] = [0.0, 1.0];
    #[inline(always)]
    fn activate(z: f32) -> f32 {
        sigmoid(z)
    }
    #[inline(always)]
    fn derivative(y: f32) -> f32 {
        y * (1.0 - y)
    }
    #[inline(always)]
    fn secant(a: f32, b: f32) -> f32 {
        sigmoid(a) * sigmoid(-b) * relative_decay(a - b)
    }
    fn exact(z: f64) -> f64 {
        1.0 / (1.0 + (-z).exp())
    }
    fn exact_slope(z: f64) -> f64 {
        Self::exact(z) * Self::exact(-z)
    }
    fn exact_derivative(y: f64) -> f64 {
        y * (1.0 - y)
    }
}

// tanh z = 2σ(2z) − 1
impl Nonlinearity for Tanh {
    const RANGE: [f64; 2] = [-1.0, 1.0];
    #[inline(always)]
    fn activate(z: f32) -> f32 {
        tanh(z)
    }
    #[inline(always)]
    fn derivative(y: f32) -> f32 {
        1.0 - y * y
    }
    #[inline(always)]
    fn secant(a: f32, b: f32) -> f32 {
        4.0 * sigmoid(2.0 * a) * sigmoid(-2.0 * b) * relative_decay(2.0 * (a - b))
    }
    fn exact(z: f64) -> f64 {
        z.tanh()
    }
    fn exact_slope(z: f64) -> f64 {
        z.cosh().powi(-2)
    }
    fn exact_derivative(y: f64) -> f64 {
        1.0 - y * y
    }
}

impl Nonlinearity for Relu {
    const RANGE: [f64; 2] = [0.0, f64::INFINITY];
    #[inline(always)]
    fn activate(z: f32) -> f32 {
        // not `max`, which would turn NaN into 0
        if z < 0.0 { 0.0 } else { z }
    }
    #[inline(always)]
    fn derivative(y: f32) -> f32 {
        if y > 0.0 { 1.0 } else { 0.0 }
    }
    #[inline(always)]
    fn secant(a: f32, b: f32) -> f32 {
        if a <= 0.0 {
            0.0
        } else if b >= 0.0 {
            1.0
        } else {
            a / (a - b)
        }
    }
    fn exact(z: f64) -> f64 {
        z.max(0.0)
    }
    fn exact_slope(z: f64) -> f64 {
        f64::from(u8::from(z > 0.0))
    }
    fn exact_derivative(y: f64) -> f64 {
        f64::from(u8::from(y > 0.0))
    }
}

impl Nonlinearity for Softplus {
    const RANGE: [f64; 2] = [0.0, f64::INFINITY];
    #[inline(always)]
    fn activate(z: f32) -> f32 {
        let e = exp(-z.abs());
        Relu::activate(z) + e * log_ratio(1.0 + e)
    }
    // σ(z) = 1 − e^−y
    #[inline(always)]
    fn derivative(y: f32) -> f32 {
        y * relative_decay(y)
    }
    // f(a) − f(b) = −ln(1 − t), t = σ(a)·(1 − e^(b − a)); where t is large the difference itself keeps its digits, as max(z, 0) and the rest apart
    #[inline(always)]
    fn secant(a: f32, b: f32) -> f32 {
        let d = a - b;
        let slope = sigmoid(a) * relative_decay(d);
        let t = slope * d;
        let rest = |z: f32| {
            let e = exp(-z.abs());
            e * log_ratio(1.0 + e)
        };
        let apart = ((Relu::activate(a) - Relu::activate(b)) + (rest(a) - rest(b))) / d;
        if t < 0.5 { slope * log_ratio(1.0 - t) } else { apart }
    }
    fn exact(z: f64) -> f64 {
        z.max(0.0) + (-z.abs()).exp().ln_1p()
    }
    fn exact_slope(z: f64) -> f64 {
        1.0 / (1.0 + (-z).exp())
    }
    fn exact_derivative(y: f64) -> f64 {
        -(-y).exp_m1()
    }
}

// f(z) = z·σ(z), f'(z) = σ(z)·(1 + z·σ(−z)); f(a) − f(b) = (a − b)·σ(b) + a·(σ(a) − σ(b)), of which all is positive for a > 0
impl Nonlinearity for Silu {
    const RANGE: [f64; 2] = [-0.278_464_542_761_073_8, f64::INFINITY];
    const LEAST_SECANT: f64 = 0.1;
    const SLOPE_OF: SlopeOf = SlopeOf::Input;
    #[inline(always)]
    fn activate(z: f32) -> f32 {
        z * sigmoid(z)
    }
    #[inline(always)]
    fn derivative(z: f32) -> f32 {
        sigmoid(z) * (1.0 + z * sigmoid(-z))
    }
    #[inline(always)]
    fn secant(a: f32, b: f32) -> f32 {
        sigmoid(b) + a * Sigmoid::secant(a, b)
    }
    fn exact(z: f64) -> f64 {
        z / (1.0 + (-z).exp())
    }
    fn exact_slope(z: f64) -> f64 {
        (1.0 + z / (1.0 + z.exp())) / (1.0 + (-z).exp())
    }
    fn exact_derivative(z: f64) -> f64 {
        Self::exact_slope(z)
    }
}

impl Nonlinearity for Linear {
    const RANGE: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];
    #[inline(always)]
    fn activate(z: f32) -> f32 {
        z
    }
    #[inline(always)]
    fn derivative(_: f32) -> f32 {
        1.0
    }
    #[inline(always)]
    fn secant(_: f32, _: f32) -> f32 {
        1.0
    }
    fn exact(z: f64) -> f64 {
        z
    }
    fn exact_slope(_: f64) -> f64 {
        1.0
    }
    fn exact_derivative(_: f64) -> f64 {
        1.0
    }
}

/// [`Nonlinearity::secant`] of two values in any order.
#[inline(always)]
pub fn secant<F: Nonlinearity>(z: f32, z0: f32) -> f32 {
    if z > z0 { F::secant(z, z0) } else { F::secant(z0, z) }
}

impl Activation {
    /// The bounds of f.
    pub fn range(self) -> [f64; 2] {
        for_activation!(self, F => F::RANGE)
    }

    /// f(z)
    pub fn activate(self, z: f32) -> f32 {
        for_activation!(self, F => F::activate(z))
    }

    /// What the slope is computed from.
    pub fn slope_of(self) -> SlopeOf {
        for_activation!(self, F => F::SLOPE_OF)
    }

    /// f'(z) from what a layer keeps ([`Activation::slope_of`]).
    pub fn derivative(self, kept: f32) -> f32 {
        for_activation!(self, F => F::derivative(kept))
    }

    /// Down to which size a secant has digits of its own.
    pub fn least_secant(self) -> f64 {
        for_activation!(self, F => F::LEAST_SECANT)
    }

    /// (f(z) − f(z₀))/(z − z₀), and f'(z) where z = z₀
    pub fn secant(self, z: f32, z0: f32) -> f32 {
        for_activation!(self, F => secant::<F>(z, z0))
    }

    /// f(z) by its definition.
    pub fn exact(self, z: f64) -> f64 {
        for_activation!(self, F => F::exact(z))
    }

    /// f'(z) from what a layer keeps, by its definition.
    pub fn exact_derivative(self, kept: f64) -> f64 {
        for_activation!(self, F => F::exact_derivative(kept))
    }

    /// f'(z) by its definition.
    pub fn exact_slope(self, z: f64) -> f64 {
        for_activation!(self, F => F::exact_slope(z))
    }

    /// [`Activation::secant`] to ten digits and more: the mean of f' between z₀ and z, by Gauss and Legendre's five points in panels of a quarter, cut at 0, where f
    /// may have a corner.
    pub fn exact_secant(self, z: f64, z0: f64) -> f64 {
        let slope = |z: f64| self.exact_slope(z);
        let (a, b) = (z.max(z0), z.min(z0));
        if a == b {
            return slope(a);
        }
        let part = |from: f64, to: f64| {
            let panels = ((to - from) / 0.25).ceil().max(1.0);
            let width = (to - from) / panels;
            (0..panels as usize).map(|i| panel(&slope, from + width * i as f64, width)).sum::<f64>()
        };
        let integral = if b < 0.0 && a > 0.0 { part(b, 0.0) + part(0.0, a) } else { part(b, a) };
        integral / (a - b)
    }
}

/// ∫ f over a panel, exact for polynomials of degree 9.
fn panel(f: &impl Fn(f64) -> f64, from: f64, width: f64) -> f64 {
    const POINTS: [(f64, f64); 3] = [
        (0.0, 0.568_888_888_888_888_9),
        (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
        (0.906_179_845_938_664, 0.236_926_885_056_189_1),
    ];
    let middle = from + width / 2.0;
    let at = |(x, weight): (f64, f64)| match x {
        0.0 => weight * f(middle),
        x => weight * (f(middle - x * width / 2.0) + f(middle + x * width / 2.0)),
    };
    POINTS.map(at).into_iter().sum::<f64>() * width / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_definition() {
        for activation in Activation::ALL {
            for i in -4000..=4000 {
                let z = i as f32 * 0.01;
                let (got, want) = (f64::from(activation.activate(z)), activation.exact(f64::from(z)));
                assert!(
                    (got - want).abs() <= 3e-7 * want.abs(),
                    "{activation:?} {z}: {got}, expected {want}"
                );
                let [low, high] = activation.range();
                assert!(got >= low && got <= high, "{activation:?} {z}: {got} is out of its range");
            }
            assert!(activation.activate(f32::NAN).is_nan(), "{activation:?}");
        }
    }

    /// The slope from what is kept is that of the definition, and in f32 to seven digits of the value.
    #[test]
    fn slopes_are_those_of_what_is_kept() {
        for activation in Activation::ALL {
            for i in -800..800 {
                let z = (f64::from(i) + 0.5) * 0.01; // never at a corner
                let y = activation.exact(z);
                let h = 1e-5;
                let want = (activation.exact(z + h) - activation.exact(z - h)) / (2.0 * h);
                let kept = match activation.slope_of() {
                    SlopeOf::Output => y,
                    SlopeOf::Input => z,
                };
                for exact in [activation.exact_derivative(kept), activation.exact_slope(z)] {
                    assert!((exact - want).abs() < 1e-8, "{activation:?} {z}: {exact}, expected {want}");
                }
                let got = f64::from(activation.derivative(kept as f32));
                assert!((got - want).abs() < 4e-7, "{activation:?} {z}: {got}, expected {want}");
            }
        }
    }

    #[test]
    fn secants_are_stable() {
        for activation in Activation::ALL {
            let mut worst = 0.0f64;
            for i in -400..=400 {
                let z = i as f32 * 0.05;
                let deltas = (0..=400)
                    .map(|k| k as f32 * 0.1)
                    .chain((0..60).map(|k| 10f32.powf(-8.0 + k as f32 * 0.15)));
                for delta in deltas.flat_map(|d| [d, -d]) {
                    let z0 = z - delta;
                    if z0.abs() > 20.0 {
                        continue;
                    }
                    let want = activation.exact_secant(f64::from(z), f64::from(z0));
                    let got = f64::from(activation.secant(z, z0));
                    assert!(got.is_finite());
                    worst = worst.max((got - want).abs() / want.abs().max(activation.least_secant()));
                }
            }
            assert!(worst <= 1e-6, "{activation:?}: {worst:e}");
        }
    }

    /// The mean of the slope is the quotient where that is accurate.
    #[test]
    fn the_exact_secant_is_the_quotient() {
        for activation in Activation::ALL {
            for (z, z0) in [(1.0, -2.0), (0.5, 0.25), (-3.0, 2.0), (2.5, 2.0), (-0.1, -2.0)] {
                let want = (activation.exact(z) - activation.exact(z0)) / (z - z0);
                let got = activation.exact_secant(z, z0);
                assert!((got - want).abs() < 1e-9, "{activation:?} {z} {z0}: {got}, expected {want}");
            }
        }
    }

    #[test]
    fn relu_secants_by_hand() {
        let relu = |z, z0| Activation::Relu.secant(z, z0);
        assert_eq!(relu(2.0, 1.0), 1.0);
        assert_eq!(relu(-2.0, -1.0), 0.0);
        assert_eq!(relu(3.0, -1.0), 0.75);
        assert_eq!(relu(-1.0, 3.0), 0.75);
        assert_eq!(relu(0.0, 0.0), 0.0);
        assert_eq!(relu(1.0, 1.0), 1.0);
    }
}
