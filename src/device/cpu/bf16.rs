//! Products of bf16, whose sums are f32. Processors multiply them in pairs: two neighbours of the summed dimension lie in one word of 32 bits, and
//! one instruction adds both of their products to a sum.
//!
//! A block of the right operand is packed as slivers of [`SLIVER`] columns, each pairs × columns, so that the kernel reads it straight on; of the
//! left operand words are broadcast from where they lie.

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
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 2] = [Way::Widened, Way::Avx512];

    /// Whether this processor can.
    pub fn is_here(self) -> bool {
        match self {
            Way::Widened => true,
            #[cfg(target_arch = "x86_64")]
            Way::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16"),
            #[cfg(not(target_arch = "x86_64"))]
            Way::Avx512 => false,
        }
    }

    /// The one taken where nothing is calibrated: the instructions are twice as fast as f32 on the processors of AMD that have them, and half as
    /// fast on those of Intel.
    pub fn usual() -> Way {
        match Way::Avx512.is_here() && vendor() == "AuthenticAMD" {
            true => Way::Avx512,
            false => Way::Widened,
        }
    }

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Way::Widened => "f32 arithmetic",
            Way::Avx512 => "AVX-512 BF16",
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

/// What this processor calls itself.
pub fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        if __cpuid(0x8000_0000).eax >= 0x8000_0004 {
            let parts = [0x8000_0002, 0x8000_0003, 0x8000_0004].map(__cpuid);
            return text(&parts.map(|found| [found.eax, found.ebx, found.ecx, found.edx]).concat());
        }
    }
    std::env::consts::ARCH.to_owned()
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
/// Depth that is packed at a time: a sliver of it stays in the first-level cache while all rows pass.
pub const DEPTH: usize = 192;

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

/// out (rows × cols, `cols` words apart, a multiple of 16) = or += left · right, over so many pairs.
///
/// # Panics
/// Where `out` or `right` is too short, or the processor cannot.
///
/// # Safety
/// All words of `left` that the shape names can be read.
pub unsafe fn multiply(
    left: &Left,
    right: &[u32],
    out: &mut [f32],
    (rows, cols, pairs): (usize, usize, usize),
    add: bool,
) {
    assert!(cols.is_multiple_of(16) && out.len() >= rows * cols && right.len() >= pairs * cols);
    assert!(Way::Avx512.is_here());
    #[cfg(target_arch = "x86_64")]
    for col in (0..cols).step_by(SLIVER) {
        let width = SLIVER.min(cols - col);
        let sliver = &right[col * pairs..][..pairs * width];
        for row in (0..rows).step_by(ROWS) {
            let shape = (ROWS.min(rows - row), width / 16);
            // SAFETY: the features are there, the sliver is pairs × width, out holds the rows and columns of the block; the caller answers
            // for the left operand.
            unsafe {
                let left = Left { words: left.words.add(row * left.row), ..*left };
                let out = out.as_mut_ptr().add(row * cols + col);
                x86::Block { pairs, left, right: sliver, out, pitch: cols, add }.multiply(shape);
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (left, add);
}

#[cfg(target_arch = "x86_64")]
pub use x86::transpose;

#[cfg(not(target_arch = "x86_64"))]
/// See the twin for x86.
pub fn transpose(_rows: [&[u32]; 16], _out: &mut [u32], _width: usize) {
    unreachable!("no other processor packs")
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Left;

    /// A block of the result, and what it is made of.
    pub struct Block<'a> {
        pub pairs: usize,
        pub left: Left,
        /// pairs × columns
        pub right: &'a [u32],
        /// Its first element.
        pub out: *mut f32,
        /// Elements from one row to the next.
        pub pitch: usize,
        /// Whether products are added to what is there.
        pub add: bool,
    }

    impl Block<'_> {
        /// Runs the kernel of this shape: rows, and vectors of columns.
        #[target_feature(enable = "avx512f,avx512bf16")]
        pub unsafe fn multiply(&self, shape: (usize, usize)) {
            macro_rules! kernels {
                ($($rows:literal)*) => {
                    match shape {
                        $(($rows, 1) => Self::kernel::<$rows, 1>,
                          ($rows, 2) => Self::kernel::<$rows, 2>,
                          ($rows, 3) => Self::kernel::<$rows, 3>,
                          ($rows, 4) => Self::kernel::<$rows, 4>,)*
                        _ => unreachable!("blocks have 1 to 6 rows and 1 to 4 vectors"),
                    }
                };
            }
            let kernel = kernels!(1 2 3 4 5 6);
            // SAFETY: as the caller says
            unsafe { kernel(self) }
        }

        /// Sums in registers over all pairs.
        #[target_feature(enable = "avx512f,avx512bf16")]
        unsafe fn kernel<const ROWS: usize, const VECTORS: usize>(&self) {
            let Block { pairs, ref left, right, out, pitch, add } = *self;
            let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
            // SAFETY: rows × vectors of `out`, pairs × vectors of `right`, rows × pairs of `left` are there, as the caller says
            unsafe {
                let place = |row: usize, vector: usize| out.add(row * pitch + 16 * vector);
                if add {
                    for (row, sums) in sums.iter_mut().enumerate() {
                        for (vector, sum) in sums.iter_mut().enumerate() {
                            *sum = _mm512_loadu_ps(place(row, vector));
                        }
                    }
                }
                let (mut word, mut words) = (left.words, right.as_ptr());
                for _ in 0..pairs {
                    let mut columns = [_mm512_setzero_si512(); VECTORS];
                    for (vector, columns) in columns.iter_mut().enumerate() {
                        *columns = _mm512_loadu_si512(words.add(16 * vector).cast());
                    }
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let both = of_bf16(_mm512_set1_epi32(word.add(row * left.row).read().cast_signed()));
                        for (sum, columns) in sums.iter_mut().zip(columns) {
                            *sum = _mm512_dpbf16_ps(*sum, both, of_bf16(columns));
                        }
                    }
                    word = word.add(left.pair);
                    words = words.add(16 * VECTORS);
                }
                for (row, sums) in sums.iter().enumerate() {
                    for (vector, sum) in sums.iter().enumerate() {
                        _mm512_storeu_ps(place(row, vector), *sum);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn of_bf16(words: __m512i) -> __m512bh {
        // SAFETY: both are 64 bytes, of which any are valid
        unsafe { std::mem::transmute::<__m512i, __m512bh>(words) }
    }

    /// Sixteen rows of at most sixteen words as columns: out[i·width + r] = rows[r][i].
    pub fn transpose(rows: [&[u32]; 16], out: &mut [u32], width: usize) {
        let count = rows[0].len();
        assert!(count <= 16 && rows.iter().all(|row| row.len() == count), "a square, or less of it");
        assert!(count == 0 || out.len() >= (count - 1) * width + 16, "room for the columns");
        assert!(is_x86_feature_detected!("avx512f"));
        // SAFETY: checked above
        unsafe { square(rows, count, out, width) }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn square(rows: [&[u32]; 16], count: usize, out: &mut [u32], width: usize) {
        let some = ((1u32 << count) - 1) as u16;
        // SAFETY: the mask keeps loads within the rows
        let r = rows.map(|row| unsafe { _mm512_maskz_loadu_epi32(some, row.as_ptr().cast()) });
        // within lanes of four words first, then whole lanes
        let mut fours = [_mm512_setzero_si512(); 16];
        for i in 0..4 {
            let [a, b, c, d] = [r[4 * i], r[4 * i + 1], r[4 * i + 2], r[4 * i + 3]];
            let (low, high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let (low2, high2) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            fours[4 * i] = _mm512_unpacklo_epi64(low, low2);
            fours[4 * i + 1] = _mm512_unpackhi_epi64(low, low2);
            fours[4 * i + 2] = _mm512_unpacklo_epi64(high, high2);
            fours[4 * i + 3] = _mm512_unpackhi_epi64(high, high2);
        }
        for i in 0..4 {
            // column 4·lane + i of rows 0–3, 4–7, 8–11, 12–15
            let [a, b, c, d] = [fours[i], fours[4 + i], fours[8 + i], fours[12 + i]];
            let (even, odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xDD>(a, b));
            let (even2, odd2) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xDD>(c, d));
            let columns = [
                _mm512_shuffle_i32x4::<0x88>(even, even2),
                _mm512_shuffle_i32x4::<0x88>(odd, odd2),
                _mm512_shuffle_i32x4::<0xDD>(even, even2),
                _mm512_shuffle_i32x4::<0xDD>(odd, odd2),
            ];
            for (lane, column) in columns.into_iter().enumerate() {
                let at = 4 * lane + i;
                if at < count {
                    // SAFETY: `out` has (count − 1)·width + 16 words
                    unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(at * width).cast(), column) };
                }
            }
        }
    }
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
