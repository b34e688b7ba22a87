//! Products of bf16, whose sums are f32. Processors multiply them in pairs: two neighbours of the summed dimension lie in one word of 32 bits, and
//! one instruction adds both of their products to a sum.
//!
//! A block of the right operand is packed as slivers of [`SLIVER`] columns, each pairs × columns, so that a kernel reads it straight on; of the
//! left operand words are broadcast from where they lie (AVX-512), or rows loaded whose pairs lie one after another (AMX).

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512;

use half::bf16;
use serde::{Deserialize, Serialize};

use super::vectorized;

/// How a processor multiplies bf16. The same numbers are rounded to bf16 whichever it is; sums round otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Widened to f32, so that every processor can.
    Widened,
    /// `vdpbf16ps` of AVX-512 BF16.
    Avx512,
    /// `tdpbf16ps` of AMX.
    Amx,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 3] = [Way::Widened, Way::Avx512, Way::Amx];

    /// Whether this processor can.
    pub fn is_here(self) -> bool {
        match self {
            Way::Widened => true,
            #[cfg(target_arch = "x86_64")]
            Way::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16"),
            #[cfg(target_arch = "x86_64")]
            Way::Amx => amx::granted(),
            #[cfg(not(target_arch = "x86_64"))]
            Way::Avx512 | Way::Amx => false,
        }
    }

    /// The one taken where nothing is calibrated: matrix units, made for nothing else; the instructions of AVX-512 are twice as fast on the
    /// processors of AMD that have them, and half as fast on those of Intel.
    pub fn usual() -> Way {
        if Way::Amx.is_here() {
            Way::Amx
        } else if Way::Avx512.is_here() && vendor() == "AuthenticAMD" {
            Way::Avx512
        } else {
            Way::Widened
        }
    }

    /// From now on AMX counts as here: for tests in a process that carries out its instructions itself where the processor traps them.
    #[cfg(target_arch = "x86_64")]
    pub fn emulate_amx() {
        amx::emulate();
    }

    /// Depth that is packed at a time: what a kernel reads over and over stays in the first-level cache while all rows pass.
    pub fn depth(self) -> usize {
        match self {
            Way::Amx => DEPTH,
            Way::Avx512 | Way::Widened => DEPTH / 2,
        }
    }

    /// Pairs that a packed sliver of so many has; those beyond are zeros.
    pub fn packed(self, pairs: usize) -> usize {
        match self {
            Way::Amx => pairs.next_multiple_of(16),
            Way::Avx512 | Way::Widened => pairs,
        }
    }

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Way::Widened => "f32 arithmetic",
            Way::Avx512 => "AVX-512 BF16",
            Way::Amx => "AMX",
        }
    }
}

/// Who made this processor.
fn vendor() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let found = std::arch::x86_64::__cpuid(0);
        text(&[found.ebx, found.edx, found.ecx])
    }
    #[cfg(not(target_arch = "x86_64"))]
    String::new()
}

/// What this processor calls itself, with the numbers of its design: virtual machines call two designs by one name.
pub fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        if __cpuid(0x8000_0000).eax >= 0x8000_0004 {
            let parts = [0x8000_0002, 0x8000_0003, 0x8000_0004].map(__cpuid);
            let name = text(&parts.map(|found| [found.eax, found.ebx, found.ecx, found.edx]).concat());
            let [family, model, stepping] = design(__cpuid(1).eax);
            return format!("{name} (family {family}, model {model}, stepping {stepping})");
        }
    }
    std::env::consts::ARCH.to_owned()
}

/// Family, model and stepping, as both makers' manuals read EAX of CPUID's leaf 1.
#[cfg(target_arch = "x86_64")]
fn design(signature: u32) -> [u32; 3] {
    let bits = |first: u32, count: u32| signature >> first & ((1 << count) - 1);
    let (family, model) = (bits(8, 4), bits(4, 4));
    let extended = if family == 15 { bits(20, 8) } else { 0 };
    let high = if family == 6 || family == 15 { bits(16, 4) << 4 } else { 0 };
    [family + extended, high + model, bits(0, 4)]
}

/// Letters as registers hold them.
#[cfg(target_arch = "x86_64")]
fn text(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    String::from_utf8_lossy(&bytes).trim_matches(['\0', ' ']).to_owned()
}

/// Columns of a sliver: four vectors.
pub const SLIVER: usize = 64;
/// Rows of the left operand that a kernel works on: with four vectors 24 sums, which with what they are made of fill the 32 registers.
#[cfg(target_arch = "x86_64")]
const ROWS: usize = 6;
/// The largest [`Way::depth`].
pub const DEPTH: usize = 384;

/// Rounds to the nearest bf16, the even one of two; NaN stays NaN.
pub fn round(values: &[f32], out: &mut [u16]) {
    vectorized(
        #[inline(always)]
        || {
            for (out, value) in out.iter_mut().zip(values) {
                let bits = value.to_bits();
                let nearest = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
                let quiet = bits >> 16 | 0x40;
                *out = (if value.is_nan() { quiet } else { nearest }) as u16;
            }
        },
    );
}

/// The values of bf16.
pub fn widen(values: &[bf16], out: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (out, value) in out.iter_mut().zip(values) {
                *out = f32::from_bits(u32::from(value.to_bits()) << 16);
            }
        },
    );
}

/// Words of `low` and `high`, two neighbours of the summed dimension; zeros where there is no second.
pub fn interleave(low: &[u16], high: Option<&[u16]>, out: &mut [u32]) {
    vectorized(
        #[inline(always)]
        || match high {
            Some(high) => {
                for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
                    *out = u32::from(*low) | u32::from(*high) << 16;
                }
            }
            None => out.iter_mut().zip(low).for_each(|(out, low)| *out = u32::from(*low)),
        },
    );
}

/// A left operand: the word of row r and pair p is at `words[r·row + p·pair]`.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // nothing else multiplies it
pub struct Left {
    /// Its first word.
    pub words: *const u32,
    /// Words from one row to the next.
    pub row: usize,
    /// Words from one pair to the next.
    pub pair: usize,
}

/// out (rows × cols, `cols` words apart, a multiple of 16) = or += left · right, over so many pairs. Slivers of `right` have
/// [`Way::packed`] pairs.
///
/// # Panics
/// Where `out` or `right` is too short, `left` is not as this way takes it, or the processor cannot.
///
/// # Safety
/// All words of `left` that the shape names can be read.
pub unsafe fn multiply(
    way: Way,
    left: &Left,
    right: &[u32],
    out: &mut [f32],
    (rows, cols, pairs): (usize, usize, usize),
    add: bool,
) {
    assert!(cols.is_multiple_of(16) && out.len() >= rows * cols && right.len() >= way.packed(pairs) * cols);
    assert!(way.is_here() && (left.pair == 1 || way != Way::Amx));
    #[cfg(target_arch = "x86_64")]
    match way {
        Way::Widened => unreachable!("multiplied as f32"),
        // SAFETY: the tiles are granted, slivers are packed for them; the caller answers for the left operand
        Way::Amx => unsafe { amx::multiply(left, right, out.as_mut_ptr(), (rows, cols, pairs), add) },
        Way::Avx512 => {
            for col in (0..cols).step_by(SLIVER) {
                let width = SLIVER.min(cols - col);
                let sliver = &right[col * pairs..][..pairs * width];
                for row in (0..rows).step_by(ROWS) {
                    let shape = (ROWS.min(rows - row), width / 16);
                    // SAFETY: the features are there, the sliver is pairs × width, out holds the rows and columns of the block; the caller
                    // answers for the left operand.
                    unsafe {
                        let left = Left { words: left.words.add(row * left.row), ..*left };
                        let out = out.as_mut_ptr().add(row * cols + col);
                        avx512::Block { pairs, left, right: sliver, out, pitch: cols, add }.multiply(shape);
                    }
                }
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (left, add);
}

#[cfg(target_arch = "x86_64")]
pub use avx512::transpose;

#[cfg(not(target_arch = "x86_64"))]
/// See the twin for x86.
pub fn transpose(_rows: [&[u32]; 16], _out: &mut [u32], _width: usize) {
    unreachable!("no other processor packs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_the_crates() {
        let values: Vec<f32> = (0..4096u32).map(|i| f32::from_bits(i.wrapping_mul(0x0010_3579))).collect();
        let special =
            [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, 1e-40, 1.0039062, 1.0117188];
        for value in values.into_iter().chain(special) {
            let mut ours = [0];
            round(&[value], &mut ours);
            let theirs = bf16::from_f32(value);
            assert!(
                theirs.to_bits() == ours[0] || value.is_nan() && bf16::from_bits(ours[0]).is_nan(),
                "{value}"
            );
            let mut wide = [0.0];
            widen(&[theirs], &mut wide);
            assert!(wide[0] == theirs.to_f32() || value.is_nan(), "{value}");
        }
    }

    /// Of an EPYC of Zen 4, one of Zen 5, and a Xeon of Sapphire Rapids, as their makers publish them.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn designs_are_told_apart() {
        assert_eq!(design(0x00A1_0F11), [25, 17, 1]);
        assert_eq!(design(0x00B0_0F21), [26, 2, 1]);
        assert_eq!(design(0x0008_06F8), [6, 143, 8]);
    }

    #[test]
    fn rows_become_columns() {
        if !Way::Avx512.is_here() {
            return eprintln!("SKIPPED: this processor has no AVX-512 BF16");
        }
        for count in [1, 3, 8, 15, 16] {
            let rows: Vec<Vec<u32>> = (0..16).map(|r| (0..count).map(|i| 100 * r + i).collect()).collect();
            let mut out = vec![7; 16 * 20];
            transpose(std::array::from_fn(|r| &rows[r][..]), &mut out, 20);
            for i in 0..16 {
                for r in 0..20 {
                    let want = if i < count as usize && r < 16 { 100 * r as u32 + i as u32 } else { 7 };
                    assert_eq!(out[20 * i + r], want, "{count}: {i}, {r}");
                }
            }
        }
    }
}
