//! The numbers of a line's fields, read four at a time where the processor has AVX2 and they are short, as nearly all are; to
//! the bit as one at a time.

use std::ops::Range;

use super::numbers::{Ends, number_at};

/// Column of a field that is no number, and the field; `None` where the line ends before it.
type Fault = (usize, Option<Range<usize>>);

/// Reads as many numbers as `out` holds from the fields of a line from `at` on; where the next field would begin.
pub(super) fn read(line: &[u8], delimiter: u8, mut at: usize, out: &mut [f32]) -> Result<usize, Fault> {
    let mut ends = Ends::new(delimiter, line, at);
    let done = by_fours(line, &mut ends, &mut at, out)?;
    for (column, value) in out.iter_mut().enumerate().skip(done) {
        let end = ends.next().ok_or((column, None))?;
        *value = number_at(line, at, end).ok_or((column, Some(at..end)))?;
        at = end + 1;
    }
    Ok(at)
}

/// Reads fours as long as there are any; how many numbers that were.
#[cfg(not(target_arch = "x86_64"))]
fn by_fours(_: &[u8], _: &mut Ends, _: &mut usize, _: &mut [f32]) -> Result<usize, Fault> {
    Ok(0)
}

#[cfg(target_arch = "x86_64")]
use avx2::by_fours;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;
    use std::ops::Range;

    use super::{Ends, Fault, number_at};

    /// Where four fields end.
    type Stops = (usize, usize, usize, usize);

    /// The eight characters before a place.
    #[inline(always)]
    fn last(line: &[u8], stop: usize) -> Option<i64> {
        line.get(stop.wrapping_sub(8)..stop)?.first_chunk().map(|eight| i64::from_le_bytes(*eight))
    }

    /// Reads fours as long as there are any; how many numbers that were.
    pub fn by_fours(line: &[u8], ends: &mut Ends, at: &mut usize, out: &mut [f32]) -> Result<usize, Fault> {
        if !is_x86_feature_detected!("avx2") || !is_x86_feature_detected!("bmi1") {
            return Ok(0);
        }
        // SAFETY: the processor has what the function is compiled for.
        unsafe { all(line, ends, at, out) }
    }

    #[target_feature(enable = "avx2,bmi1")]
    fn all(line: &[u8], ends: &mut Ends, at: &mut usize, out: &mut [f32]) -> Result<usize, Fault> {
        let fours = out.as_chunks_mut::<4>().0;
        let all = 4 * fours.len();
        // Of its own, so that it stays in registers.
        let (mut own, mut start) = (ends.clone(), *at);
        for (i, four) in fours.iter_mut().enumerate() {
            let mut next = |lane| own.next().ok_or((4 * i + lane, None));
            let stops = (next(0)?, next(1)?, next(2)?, next(3)?);
            let good = short(line, start, stops, four);
            if good != 0b1111 {
                others(line, start, stops, good, four)
                    .map_err(|(lane, field)| (4 * i + lane, Some(field)))?;
            }
            start = stops.3 + 1;
        }
        (*ends, *at) = (own, start);
        Ok(all)
    }

    /// Reads one at a time what is not `good`; the place and the field of what is no number.
    #[cold]
    fn others(
        line: &[u8],
        start: usize,
        stops: Stops,
        good: i32,
        out: &mut [f32; 4],
    ) -> Result<(), (usize, Range<usize>)> {
        let bounds = [start, stops.0 + 1, stops.1 + 1, stops.2 + 1, stops.3 + 1];
        for lane in (0..4).filter(|lane| good >> lane & 1 == 0) {
            let field = bounds[lane]..bounds[lane + 1] - 1;
            out[lane] = number_at(line, field.start, field.end).ok_or((lane, field))?;
        }
        Ok(())
    }

    /// As `numbers::short` of four fields, with the minus among the eight characters; a bit for each that is such a number.
    #[target_feature(enable = "avx2,bmi1")]
    #[inline]
    fn short(line: &[u8], start: usize, stops: Stops, out: &mut [f32; 4]) -> i32 {
        let (Some(a), Some(b), Some(c), Some(d)) =
            (last(line, stops.0), last(line, stops.1), last(line, stops.2), last(line, stops.3))
        else {
            return 0;
        };
        let length = |start: usize, stop: usize| (stop - start) as i64;
        let lengths = _mm256_setr_epi64x(
            length(start, stops.0),
            length(stops.0 + 1, stops.1),
            length(stops.1 + 1, stops.2),
            length(stops.2 + 1, stops.3),
        );
        let fields = Fields::new(_mm256_setr_epi64x(a, b, c, d), lengths);
        let numbers = fields.divided(fields.digits());
        let negative =
            _mm256_andnot_si256(_mm256_cmpeq_epi64(fields.minus, zero()), _mm256_set1_epi64x(1 << 31));
        let numbers = _mm256_xor_ps(numbers, _mm256_castsi256_ps(negative));
        let together = _mm256_permutevar8x32_ps(numbers, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
        *out = bytemuck::cast(_mm256_castps256_ps128(together));
        let long = _mm256_cmpgt_epi64(lengths, _mm256_set1_epi64x(8));
        _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_andnot_si256(long, fields.good())))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn each(byte: u8) -> __m256i {
        _mm256_set1_epi8(byte as i8)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn zero() -> __m256i {
        _mm256_setzero_si256()
    }

    /// Four fields of eight bytes, the last of which are the field.
    struct Fields {
        /// Digits as 0 to 9, zeros where there is a mark or before the field.
        bytes: __m256i,
        /// All bits of the bytes that are the field, of its minus, of its points.
        own: __m256i,
        minus: __m256i,
        point: __m256i,
        /// The lowest bit of the first point.
        lowest: __m256i,
    }

    impl Fields {
        #[target_feature(enable = "avx2")]
        #[inline]
        fn new(words: __m256i, lengths: __m256i) -> Fields {
            let before = _mm256_sub_epi64(_mm256_set1_epi64x(64), _mm256_slli_epi64(lengths, 3));
            let own = _mm256_sllv_epi64(each(0xff), before);
            let bytes = _mm256_and_si256(_mm256_xor_si256(words, each(b'0')), own);
            let first = _mm256_sllv_epi64(_mm256_set1_epi64x(0xff), before);
            let minus = _mm256_and_si256(_mm256_cmpeq_epi8(bytes, each(b'-' ^ b'0')), first);
            let point = _mm256_cmpeq_epi8(bytes, each(b'.' ^ b'0'));
            let bytes = _mm256_andnot_si256(_mm256_or_si256(minus, point), bytes);
            let lowest = _mm256_and_si256(point, _mm256_sub_epi64(zero(), point));
            Fields { bytes, own, minus, point, lowest }
        }

        /// Whether there is no other character, one point at the most, a digit at the least.
        #[target_feature(enable = "avx2")]
        #[inline]
        fn good(&self) -> __m256i {
            let digits = _mm256_cmpeq_epi8(_mm256_max_epu8(self.bytes, each(9)), each(9));
            let one = _mm256_cmpeq_epi64(
                _mm256_sub_epi64(_mm256_slli_epi64(self.lowest, 8), self.lowest),
                self.point,
            );
            let none = _mm256_cmpeq_epi64(_mm256_or_si256(self.minus, self.point), self.own);
            let only = _mm256_cmpeq_epi64(digits, each(0xff));
            _mm256_andnot_si256(none, _mm256_and_si256(only, one))
        }

        /// All bits where there is no point.
        #[target_feature(enable = "avx2")]
        #[inline]
        fn whole(&self) -> __m256i {
            _mm256_cmpeq_epi64(self.point, zero())
        }

        /// All bits of the bytes before the point; none where there is none.
        #[target_feature(enable = "avx2")]
        #[inline]
        fn below(&self) -> __m256i {
            _mm256_andnot_si256(self.whole(), _mm256_sub_epi64(self.lowest, _mm256_set1_epi64x(1)))
        }

        /// The digits as one number: neighbours are joined, 8 digits, 4 pairs, 2 fours.
        #[target_feature(enable = "avx2")]
        #[inline]
        fn digits(&self) -> __m256 {
            // What is before the point moves up to what is behind it.
            let moved = _mm256_slli_epi64(_mm256_and_si256(self.bytes, self.below()), 8);
            let digits = _mm256_or_si256(moved, _mm256_andnot_si256(self.below(), self.bytes));
            let pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
            let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x0001_0064));
            let high = _mm256_mul_epu32(fours, _mm256_set1_epi64x(10_000));
            _mm256_cvtepi32_ps(_mm256_add_epi64(high, _mm256_srli_epi64(fours, 32)))
        }

        /// The numbers over a power of ten, by how many characters are before the point.
        #[target_feature(enable = "avx2")]
        #[inline]
        fn divided(&self, numbers: __m256) -> __m256 {
            let count = _mm256_sad_epu8(_mm256_and_si256(self.below(), each(1)), zero());
            let count = _mm256_or_si256(count, _mm256_and_si256(self.whole(), _mm256_set1_epi64x(7)));
            let powers = _mm256_setr_ps(1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1e0);
            _mm256_div_ps(numbers, _mm256_permutevar8x32_ps(powers, count))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field after field, as [`number_at`] reads each.
    fn check(fields: &[&str]) {
        for name in ["", "x", "ENSG00000000003"] {
            let line = format!("{name}\t{}", fields.join("\t"));
            let mut out = vec![0.0; fields.len()];
            let found = read(line.as_bytes(), b'\t', name.len() + 1, &mut out);
            let mut at = name.len() + 1;
            for (column, field) in fields.iter().enumerate() {
                let end = at + field.len();
                match number_at(line.as_bytes(), at, end) {
                    Some(x) => assert!(
                        found.as_ref().is_err_and(|(fault, _)| *fault != column)
                            || out[column].to_bits() == x.to_bits()
                            || x.is_nan() && out[column].is_nan(),
                        "{line:?}, column {column}: {} for {x}",
                        out[column]
                    ),
                    None => return assert_eq!(found, Err((column, Some(at..end))), "{line:?}"),
                }
                at = end + 1;
            }
            assert_eq!(found, Ok(line.len() + 1), "{line:?}");
            let mut more = vec![0.0; fields.len() + 1];
            assert_eq!(read(line.as_bytes(), b'\t', name.len() + 1, &mut more), Err((fields.len(), None)));
        }
    }

    #[test]
    fn four_at_a_time_is_one_at_a_time() {
        let odd = [
            "0",
            "-0",
            "-0.0",
            "7",
            "1.",
            ".5",
            "-.25",
            "99999999",
            "16777217",
            "-1234567",
            "9.999999",
            "0.000001",
            "-12.3456",
            "123456789",
            "1e5",
            "1E-3",
            "+7",
            " 8 ",
            "NA",
            "",
            "nan",
            "1234567.",
            "-",
            ".",
            "-.",
            "--1",
            "1-",
            "1.2.3",
            "..",
            "1..2",
            "-1.-2",
            "1 2",
            "x",
            "12345x78",
            "1:5",
            "1/5",
            "é1",
            "\u{ff}",
        ];
        for field in odd {
            for place in 0..9 {
                let mut fields = ["1.5", "-22.25", "3", "4.0625", "5", "6.5", "-7", "8.125", "12.0001"];
                fields[place] = field;
                check(&fields[..place + 1]);
                check(&fields);
            }
        }
        let mut state = 1u64;
        for _ in 0..20_000 {
            let fields: [String; 7] = std::array::from_fn(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let mut text = ((state >> 20) % 10u64.pow((state % 10) as u32 + 1)).to_string();
                let point = (state >> 8) as usize % 12;
                if point <= text.len() {
                    text.insert(point, '.');
                }
                if state >> 63 == 1 { format!("-{text}") } else { text }
            });
            check(&fields.each_ref().map(String::as_str));
        }
    }
}
