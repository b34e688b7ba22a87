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
/// The same on near black: lighter, with yellow, and white for black.
const DARK: [&str; COLOURS] = ["#56b4e9", "#e8853b", "#2dc6a0", "#e39cc5", "#f0e442", "#4d7fd6", "#f2f2f2"];

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
