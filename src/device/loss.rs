//! Losses, each declared once: a row of the table with its word, what it computes ([`Penalty`]), and a file of the same functions in WGSL,
//! `shaders/loss/WORD.wgsl`. A function that lacks on either side ends the build; kernels, options and tests go over [`Loss::ALL`].

use super::table::table;

/// The loss of one element's error e = x̂ − x: in f32 as kernels compute it, in f64 as it is defined.
pub trait Penalty {
    /// l(e)
    fn value(e: f32) -> f32;
    /// l'(e)
    fn slope(e: f32) -> f32;
    /// l(e)
    fn exact(e: f64) -> f64;
    /// l'(e)
    fn exact_slope(e: f64) -> f64;
}

table! { $
    /// The data term of the loss, summed here; means are taken by `Step::gradient_scale` and the host.
    Loss of loss in "loss" by for_loss,
    ["loss_value(e: vec4f) -> vec4f", "loss_slope(e: vec4f) -> vec4f"]:
    /// |x̂ − x|; its derivative is sign(x̂ − x), sign(0) = 0
    Mae "mae",
    /// (x̂ − x)²; its derivative is 2(x̂ − x)
    Mse "mse",
    /// Huber (1964) with the corner at 1: e²/2 up to |e| = 1, then |e| − 1/2
    Huber "huber",
}

impl Penalty for Mae {
    #[inline(always)]
    fn value(e: f32) -> f32 {
        e.abs()
    }
    #[inline(always)]
    fn slope(e: f32) -> f32 {
        f32::from(e > 0.0) - f32::from(e < 0.0)
    }
    fn exact(e: f64) -> f64 {
        e.abs()
    }
    fn exact_slope(e: f64) -> f64 {
        if e == 0.0 { 0.0 } else { e.signum() }
    }
}

impl Penalty for Mse {
    #[inline(always)]
    fn value(e: f32) -> f32 {
        e * e
    }
    #[inline(always)]
    fn slope(e: f32) -> f32 {
        2.0 * e
    }
    fn exact(e: f64) -> f64 {
        e * e
    }
    fn exact_slope(e: f64) -> f64 {
        2.0 * e
    }
}

impl Penalty for Huber {
    #[inline(always)]
    fn value(e: f32) -> f32 {
        let size = e.abs();
        if size > 1.0 { size - 0.5 } else { 0.5 * e * e }
    }
    #[inline(always)]
    fn slope(e: f32) -> f32 {
        let e = if e > 1.0 { 1.0 } else { e };
        if e < -1.0 { -1.0 } else { e }
    }
    fn exact(e: f64) -> f64 {
        if e.abs() > 1.0 { e.abs() - 0.5 } else { e * e / 2.0 }
    }
    fn exact_slope(e: f64) -> f64 {
        e.clamp(-1.0, 1.0)
    }
}

impl Loss {
    /// l(e) by its definition.
    pub fn exact(self, e: f64) -> f64 {
        for_loss!(self, L => L::exact(e))
    }

    /// l'(e) by its definition.
    pub fn exact_slope(self, e: f64) -> f64 {
        for_loss!(self, L => L::exact_slope(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_slopes_are_those_of_the_definition() {
        for loss in Loss::ALL {
            for i in -400..400 {
                let e = (f64::from(i) + 0.5) * 0.01; // never at a corner
                let want = (loss.exact(e + 1e-6) - loss.exact(e - 1e-6)) / 2e-6;
                assert!((loss.exact_slope(e) - want).abs() < 1e-6, "{loss:?} {e}");
                let (value, slope) = for_loss!(*loss, L => (L::value(e as f32), L::slope(e as f32)));
                assert!((f64::from(value) - loss.exact(e)).abs() < 1e-6 * loss.exact(e), "{loss:?} {e}");
                assert!((f64::from(slope) - loss.exact_slope(e)).abs() < 1e-6, "{loss:?} {e}");
            }
            let (value, slope) = for_loss!(*loss, L => (L::value(0.0), L::slope(0.0)));
            assert_eq!((value, slope, loss.exact_slope(0.0)), (0.0, 0.0, 0.0), "{loss:?}");
            assert!(for_loss!(*loss, L => L::value(f32::NAN)).is_nan(), "{loss:?}");
        }
    }
}
