//! How all figures look: one size, one set of letters, colours that colour-blind readers tell apart.

use super::Theme;

/// Units of a figure's coordinates to a millimetre in print.
pub(super) const UNITS_PER_MM: f64 = 4.0;
/// Width of a column of a journal, 85 mm, in units.
pub(super) const COLUMN: f64 = 85.0 * UNITS_PER_MM;
/// Letters: 6.4 points in print (a unit is 0.71 points).
pub(super) const SMALL: u32 = 9;
/// Letters of axis labels: 7.1 points in print.
pub(super) const LABEL: u32 = 10;
/// First the letters by which widths are measured, then what most screens have.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, Arial, Helvetica, sans-serif";
/// How many things have a colour of their own.
pub(super) const COLOURS: usize = 7;

/// The colours of Okabe and Ito (2008) in an order whose neighbours differ most; black for their yellow, which is lost on white.
const LIGHT: [&str; COLOURS] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"];
/// The same on near black: yellow is seen there, and white is for black.
const DARK: [&str; COLOURS] = ["#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#f0e442", "#0072b2", "#ffffff"];

/// The colours of a theme.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// Which.
    pub theme: Theme,
    /// Behind everything.
    pub paper: &'static str,
    /// Letters and axes.
    pub ink: &'static str,
    /// What stands back: guides, what is left over.
    pub faint: &'static str,
    /// What stands further back: bands, grids.
    pub fainter: &'static str,
    /// Every second row.
    pub stripe: &'static str,
    colours: [&'static str; COLOURS],
}

impl Look {
    pub fn of(theme: Theme) -> Look {
        let (paper, ink, faint, fainter, stripe, colours) = match theme {
            Theme::Light => ("#ffffff", "#1a1a1a", "#767676", "#dcdcdc", "#f4f4f4", LIGHT),
            Theme::Dark => ("#16181c", "#ececec", "#9aa0a8", "#3a3f47", "#1f2227", DARK),
        };
        Look { theme, paper, ink, faint, fainter, stripe, colours }
    }

    /// The colour of the i-th of several things; those that have none of their own stand back.
    pub fn colour(&self, i: usize) -> &'static str {
        self.colours.get(i).copied().unwrap_or(self.faint)
    }

    /// Of 0 to 1, from what stands back to what is strong: the luminance goes one way (the ends of cividis, Nuñez et al. 2018,
    /// turned round on paper).
    pub fn strength(&self, x: f64) -> String {
        match self.theme {
            Theme::Light => between(&[[0xfd, 0xe7, 0x9c], [0x7c, 0x7b, 0x78], [0x00, 0x22, 0x4e]], x),
            Theme::Dark => between(&[[0x1f, 0x3b, 0x66], [0x7c, 0x7b, 0x78], [0xfd, 0xe7, 0x37]], x),
        }
    }

    /// Of −1 to 1, two colours around the paper's (Okabe and Ito's blue and vermilion).
    pub fn deviation(&self, x: f64) -> String {
        let middle = match self.theme {
            Theme::Light => [0xf7, 0xf7, 0xf7],
            Theme::Dark => [0x24, 0x27, 0x2d],
        };
        between(&[[0x00, 0x72, 0xb2], middle, [0xd5, 0x5e, 0x00]], (x + 1.0) / 2.0)
    }
}

/// A colour on the way through several, evenly spaced.
fn between(stops: &[[u8; 3]], x: f64) -> String {
    let x = if x.is_finite() { x.clamp(0.0, 1.0) } else { 0.5 } * (stops.len() - 1) as f64;
    let at = (x as usize).min(stops.len() - 2);
    let part = x - at as f64;
    let mixed = |i: usize| {
        (f64::from(stops[at][i]) * (1.0 - part) + f64::from(stops[at + 1][i]) * part).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mixed(0), mixed(1), mixed(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Matrix = [[f64; 3]; 3];

    /// What who lacks a kind of cone sees, in linear light (Machado, Oliveira & Fernandes 2009, severity 1), and who lacks none.
    const EYES: [Matrix; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ];
    /// Linear light to the cones, and these to Oklab (Ottosson 2020).
    const CONES: Matrix = [
        [0.412_221_470_8, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ];
    const LAB: Matrix = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ];

    fn times(m: &Matrix, v: [f64; 3]) -> [f64; 3] {
        m.map(|row| row.iter().zip(v).map(|(a, b)| a * b).sum())
    }

    fn linear(colour: &str) -> [f64; 3] {
        [1, 3, 5].map(|i| {
            let c = f64::from(u8::from_str_radix(&colour[i..i + 2], 16).unwrap()) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn distance(eye: &Matrix, a: &str, b: &str) -> f64 {
        let seen =
            |c| times(&LAB, times(&CONES, times(eye, linear(c)).map(|x| x.clamp(0.0, 1.0))).map(f64::cbrt));
        seen(a).iter().zip(seen(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    fn luminance(colour: &str) -> f64 {
        linear(colour).iter().zip([0.2126, 0.7152, 0.0722]).map(|(a, b)| a * b).sum()
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    /// 0.07 in Oklab is about three times what eyes just tell apart side by side.
    #[test]
    fn all_colours_are_told_apart_by_all_eyes_and_letters_are_read() {
        for theme in [Theme::Light, Theme::Dark] {
            let look = Look::of(theme);
            for (i, a) in look.colours.iter().enumerate() {
                assert!(contrast(a, look.paper) > 2.2, "{a}");
                for (b, eye) in look.colours[..i].iter().flat_map(|b| EYES.iter().map(move |eye| (b, eye))) {
                    assert!(distance(eye, a, b) > 0.07, "{a} and {b}: {}", distance(eye, a, b));
                }
            }
            assert!(contrast(look.ink, look.paper) > 7.0 && contrast(look.faint, look.paper) > 4.5);
        }
    }
}
