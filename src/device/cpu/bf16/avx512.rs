//! The kernel of AVX-512 BF16, and transposition in its registers.

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
