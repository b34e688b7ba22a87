//! The scalar functions of the kernels; `shaders/shared/math.wgsl` is the same file in WGSL.
//!
//! Everything here is branch-light so that loops over it vectorise.

use super::recording::Activation;

/// e^x to about 1 ulp for x in [−87.3, 88.3], clamped outside; NaN stays NaN. Cephes' `expf`: Cody–Waite
/// reduction and a polynomial of degree 6.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = if x > 88.3 { 88.3 } else { x };
    let x = if x < -87.3 { -87.3 } else { x };
    const ROUND: f32 = 12_582_912.0; // 1.5·2²³: adding it rounds to an integer
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 5e-1;
    let p = p * r * r + r + 1.0;
    // 2^n is built in the exponent bits; the low bits of `shifted` are the integer n.
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// ln x to about 1 ulp for normal positive x (also near 1, where it is small). Cephes' `logf`: the mantissa in
/// [√½, √2) and a polynomial of degree 9.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // √½ subtracted from the bits: what is left above the mantissa counts powers of two from there
    const HALF_ROOT: u32 = 0x3F35_04F3;
    let shifted = x.to_bits().wrapping_sub(HALF_ROOT);
    let n = ((shifted as i32) >> 23) as f32;
    let f = f32::from_bits((shifted & 0x007F_FFFF).wrapping_add(HALF_ROOT)) - 1.0;
    let p = 7.037_683_6e-2;
    let p = p * f - 1.151_461e-1;
    let p = p * f + 1.167_699_9e-1;
    let p = p * f - 1.242_014_1e-1;
    let p = p * f + 1.424_932_3e-1;
    let p = p * f - 1.666_805_8e-1;
    let p = p * f + 2.000_071_5e-1;
    let p = p * f - 2.499_999_4e-1;
    let p = p * f + 3.333_333e-1;
    let s = f * f;
    f + (p * f * s + n * -2.121_944_4e-4 - 0.5 * s) + n * 0.693_359_4
}

/// Standard Gumbel noise −ln(−ln u) of a random word, u from its upper 23 bits, in [2⁻²⁴, 1 − 2⁻²⁴].
#[inline(always)]
pub fn gumbel(word: u32) -> f32 {
    let u = ((word >> 9) as i32 as f32 + 0.5) * (1.0 / 8_388_608.0);
    -ln(-ln(u))
}

/// 1/(1 + e^−z), accurate in relative terms for negative z too.
#[inline(always)]
pub fn sigmoid(z: f32) -> f32 {
    let e = exp(-z.abs());
    let numerator = if z < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// tanh z through the sigmoid: 2σ(2z) − 1 loses relative accuracy near 0, so small |z| use the odd series.
#[inline(always)]
pub fn tanh(z: f32) -> f32 {
    let e = exp(-2.0 * z.abs());
    let large = (1.0 - e) / (1.0 + e);
    let s = z * z;
    let small =
        z.abs() * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0 - s * (62.0 / 2835.0)))));
    let magnitude = if z.abs() < 0.25 { small } else { large };
    magnitude.copysign(z)
}

/// The activation itself.
#[inline(always)]
pub fn activate(activation: Activation, z: f32) -> f32 {
    match activation {
        Activation::Sigmoid => sigmoid(z),
        Activation::Tanh => tanh(z),
        // not `max`, which would turn NaN into 0
        Activation::Relu => {
            if z < 0.0 {
                0.0
            } else {
                z
            }
        }
        Activation::Linear => z,
    }
}

/// f'(z) from y = f(z).
#[inline(always)]
pub fn derivative(activation: Activation, y: f32) -> f32 {
    match activation {
        Activation::Sigmoid => y * (1.0 - y),
        Activation::Tanh => 1.0 - y * y,
        Activation::Relu => {
            if y > 0.0 {
                1.0
            } else {
                0.0
            }
        }
        Activation::Linear => 1.0,
    }
}

/// (1 − e^−d)/d for d ≥ 0, 1 at 0.
#[inline(always)]
pub fn relative_decay(d: f32) -> f32 {
    let series = 1.0
        - d * (1.0 / 2.0
            - d * (1.0 / 6.0
                - d * (1.0 / 24.0
                    - d * (1.0 / 120.0 - d * (1.0 / 720.0 - d * (1.0 / 5040.0 - d / 40320.0))))));
    let quotient = (1.0 - exp(-d)) / d;
    if d < 0.5 { series } else { quotient }
}

/// DeepLIFT's Rescale multiplier (f(z) − f(z₀))/(z − z₀), and f'(z) where z = z₀ (Shrikumar et al. 2017).
///
/// The naive quotient is wrong by 10 % in f32 at |z − z₀| = 1e-6. With a = max, b = min, Δ = a − b:
/// σ(a) − σ(b) = σ(a)·σ(−b)·(1 − e^−Δ), of which every factor is accurate; tanh(x) = 2σ(2x) − 1.
#[inline(always)]
pub fn secant(activation: Activation, z: f32, z0: f32) -> f32 {
    let a = if z > z0 { z } else { z0 };
    let b = if z > z0 { z0 } else { z };
    match activation {
        Activation::Sigmoid => sigmoid(a) * sigmoid(-b) * relative_decay(a - b),
        Activation::Tanh => 4.0 * sigmoid(2.0 * a) * sigmoid(-2.0 * b) * relative_decay(2.0 * (a - b)),
        Activation::Relu => {
            if a <= 0.0 {
                0.0
            } else if b >= 0.0 {
                1.0
            } else {
                a / (a - b)
            }
        }
        Activation::Linear => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate() {
        let mut worst = 0.0f64;
        for i in -87_000..88_000 {
            let x = i as f32 * 1e-3;
            let expected = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - expected).abs() / expected);
        }
        assert!(worst < 1.5e-7, "{worst:e}");
        assert!(exp(f32::NAN).is_nan() && exp(1000.0).is_finite() && exp(-1000.0) < 1e-37);
    }

    #[test]
    fn ln_and_gumbel_noise_are_accurate() {
        let mut worst = 0.0f64;
        let near_one = (-3000..3000).map(|i| 1.0 + i as f32 * f32::EPSILON / 2.0);
        for x in (1..200_000).map(|i| i as f32 * 1.7e-4).chain([2e-38, 5.9e-8, 3e38]).chain(near_one) {
            let expected = f64::from(x).ln();
            worst = worst.max((f64::from(ln(x)) - expected).abs() / expected.abs().max(1e-30));
        }
        assert!(worst < 2e-7, "{worst:e}");
        // the mean is Euler's constant, the variance π²/6
        let n = 1u32 << 16;
        let noise: Vec<f64> = (0..n).map(|i| f64::from(gumbel((i << 16) + (1 << 15)))).collect();
        let mean = noise.iter().sum::<f64>() / f64::from(n);
        let variance = noise.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5772).abs() < 1e-3 && (variance - 1.6449).abs() < 1e-2, "{mean} {variance}");
        for (word, u) in [(0, 0.5 / 8_388_608.0), (u32::MAX, 1.0 - 0.5 / 8_388_608.0), (1 << 31, 0.5)] {
            let expected = -(-f64::ln(u)).ln();
            assert!((f64::from(gumbel(word)) - expected).abs() < 2e-6 * expected.abs(), "{word}: {expected}");
        }
    }

    #[test]
    fn activations_match_float64() {
        for i in -4000..=4000 {
            let z = i as f32 * 0.01;
            let x = f64::from(z);
            let close = |got: f32, want: f64| (f64::from(got) - want).abs() <= 3e-7 * want.abs();
            assert!(close(sigmoid(z), 1.0 / (1.0 + (-x).exp())), "sigmoid {z}");
            assert!(close(tanh(z), x.tanh()), "tanh {z}: {} {}", tanh(z), x.tanh());
        }
        for activation in [Activation::Sigmoid, Activation::Tanh, Activation::Relu, Activation::Linear] {
            assert!(activate(activation, f32::NAN).is_nan(), "{activation:?}");
        }
    }

    /// The secant in float64, in the same stable form but with libm's expm1 (itself checked against the naive
    /// quotient where that is accurate).
    fn reference(activation: Activation, z: f64, z0: f64) -> f64 {
        let (a, b) = (z.max(z0), z.min(z0));
        let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
        let decay = |d: f64| if d == 0.0 { 1.0 } else { -(-d).exp_m1() / d };
        let stable = match activation {
            Activation::Sigmoid => sigma(a) * sigma(-b) * decay(a - b),
            Activation::Tanh => 4.0 * sigma(2.0 * a) * sigma(-2.0 * b) * decay(2.0 * (a - b)),
            _ => unreachable!("tested by hand below"),
        };
        if a - b > 1e-2 && a.abs().max(b.abs()) < 3.0 {
            let naive = match activation {
                Activation::Sigmoid => (sigma(a) - sigma(b)) / (a - b),
                _ => (a.tanh() - b.tanh()) / (a - b),
            };
            assert!((naive - stable).abs() < 1e-10 * stable, "{naive} {stable}");
        }
        stable
    }

    #[test]
    fn secant_is_stable() {
        for activation in [Activation::Sigmoid, Activation::Tanh] {
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
                    let want = reference(activation, f64::from(z), f64::from(z0));
                    let got = f64::from(secant(activation, z, z0));
                    assert!(got.is_finite());
                    worst = worst.max((got - want).abs() / want);
                }
            }
            assert!(worst <= 1e-6, "{activation:?}: {worst:e}");
        }
    }

    #[test]
    fn relu_secants_by_hand() {
        let relu = |z, z0| secant(Activation::Relu, z, z0);
        assert_eq!(relu(2.0, 1.0), 1.0);
        assert_eq!(relu(-2.0, -1.0), 0.0);
        assert_eq!(relu(3.0, -1.0), 0.75);
        assert_eq!(relu(-1.0, 3.0), 0.75);
        assert_eq!(relu(0.0, 0.0), 0.0);
        assert_eq!(relu(1.0, 1.0), 1.0);
    }
}
