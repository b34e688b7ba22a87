//! The scalar functions of the kernels; `shaders/shared/elementary.wgsl` and `functions.wgsl` have the same in WGSL.
//!
//! Everything here is branch-light so that loops over it vectorise.

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

/// ln(u)/(u − 1) for normal positive u, 1 at 1. ln(1 + x) = x·log_ratio(1 + x) keeps the digits that 1 + x loses of a small x: both
/// are taken of the same rounded sum (Goldberg 1991, theorem 4).
#[inline(always)]
pub fn log_ratio(u: f32) -> f32 {
    let ratio = ln(u) / (u - 1.0);
    if u == 1.0 { 1.0 } else { ratio }
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
    fn logarithms_of_one_and_a_little_keep_their_digits() {
        for x in (0..400).map(|k| 10f32.powf(-8.0 + k as f32 * 0.02)).flat_map(|x| [x, -0.9 * x.min(1.0)]) {
            let (got, want) = (f64::from(x * log_ratio(1.0 + x)), f64::from(x).ln_1p());
            assert!((got - want).abs() < 4e-7 * want.abs(), "{x}: {got}, expected {want}");
        }
        assert_eq!((log_ratio(1.0), log_ratio(f32::NAN).is_nan()), (1.0, true));
    }
}
