//! Numbers in text: where the fields of a line end, and the number in each, to the bit as the standard library reads it; and
//! what stands for a missing one.

use std::num::NonZeroU64;

/// The spellings of a missing value that `pandas.read_csv` knows, in any case, beside the empty field.
/// What spreadsheets write for an error is a missing value too.
const MISSING: [&str; 21] = [
    "na", "nan", "n/a", "#n/a", "null", "none", "<na>", "-nan", "#na", "#n/a n/a", "1.#ind", "1.#qnan",
    "-1.#ind", "-1.#qnan", "+nan", "#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!",
];

/// Whether a field is empty or one of the spellings of a missing value.
pub(super) fn missing(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    // A number, most likely; no spelling ends so.
    let digit = field.last().is_some_and(u8::is_ascii_digit);
    !digit && (field.is_empty() || MISSING.iter().any(|m| field.eq_ignore_ascii_case(m.as_bytes())))
}

/// A number, with spaces around it, a leading plus, or one of the spellings of a missing value (NaN).
#[inline(never)]
pub(super) fn number(field: &[u8]) -> Option<f32> {
    let field = field.trim_ascii();
    if let Some((x, _)) = decimal(field).filter(|(_, length)| *length == field.len()) {
        return Some(x);
    }
    if missing(field) {
        return Some(f32::NAN);
    }
    let unsigned = field.strip_prefix(b"+").unwrap_or(field);
    fast_float2::parse(unsigned).ok().filter(|_| unsigned.len() == field.len() || !unsigned.starts_with(b"-"))
}

/// The same byte eight times.
const EACH: u64 = 0x0101_0101_0101_0101;

/// The ends of a line's fields: before each delimiter, and at the end of the line. They are looked for in 64 bytes together,
/// so that a number need not wait until it is known where the one before it ends.
#[derive(Clone)]
pub(super) struct Ends<'a> {
    delimiter: u8,
    line: &'a [u8],
    /// Where the next 64 bytes begin.
    next: usize,
    /// The delimiters in those before them, a bit each.
    found: u64,
}

impl<'a> Ends<'a> {
    /// The ends of the fields from `start` on.
    #[inline]
    pub fn new(delimiter: u8, line: &'a [u8], start: usize) -> Ends<'a> {
        Ends { delimiter, line, next: start, found: 0 }
    }

    /// Looks at the next 64 bytes; behind the line are delimiters.
    #[inline]
    fn look(&mut self) -> Option<NonZeroU64> {
        while self.found == 0 {
            let rest = self.line.get(self.next..)?;
            self.found = match rest.first_chunk() {
                Some(chunk) => places(chunk, self.delimiter),
                None => {
                    let mut chunk = [self.delimiter; 64];
                    chunk[..rest.len()].copy_from_slice(rest);
                    places(&chunk, self.delimiter)
                }
            };
            self.next += 64;
        }
        NonZeroU64::new(self.found)
    }
}

impl Iterator for Ends<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let found = self.look()?;
        self.found &= self.found - 1;
        let end = self.next - 64 + found.trailing_zeros() as usize;
        (end <= self.line.len()).then_some(end)
    }
}

/// A bit for every byte that is `wanted`.
#[cfg(target_arch = "x86_64")]
#[inline]
fn places(bytes: &[u8; 64], wanted: u8) -> u64 {
    // SAFETY: every processor of this architecture has SSE2.
    unsafe { places_sse2(bytes, wanted) }
}

#[cfg(not(target_arch = "x86_64"))]
use places_plain as places;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn places_sse2(bytes: &[u8; 64], wanted: u8) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set1_epi8};
    let (mut found, wanted) = (0, _mm_set1_epi8(wanted as i8));
    for (i, sixteen) in bytes.as_chunks::<16>().0.iter().enumerate() {
        let equal = _mm_movemask_epi8(_mm_cmpeq_epi8(bytemuck::cast(*sixteen), wanted));
        found |= u64::from(equal as u16) << (16 * i);
    }
    found
}

/// The same without the processor's help.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
fn places_plain(bytes: &[u8; 64], wanted: u8) -> u64 {
    let mut found = 0;
    for (i, eight) in bytes.chunks_exact(8).enumerate() {
        let differing =
            u64::from_le_bytes(eight.try_into().expect("eight bytes")) ^ (EACH * u64::from(wanted));
        // The top bit of each byte that is zero, then these eight bits side by side.
        let zero = !(((differing & (EACH * 0x7f)) + EACH * 0x7f) | differing) & (EACH * 0x80);
        found |= ((zero >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
    }
    found
}

/// The number that is the field `start..end` of a line, or NaN for a missing one.
#[inline(always)]
pub(super) fn number_at(line: &[u8], start: usize, end: usize) -> Option<f32> {
    short(line, start, end).or_else(|| number(&line[start..end]))
}

/// A number of at most eight characters without exponent, such as `-12.34567`, that has eight before its end: they are looked
/// at together, without a branch for each (<https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/>).
#[inline(always)]
fn short(line: &[u8], start: usize, end: usize) -> Option<f32> {
    const POWERS: [f32; 8] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
    let bytes = line[..end].last_chunk()?;
    let field = &line[start..end];
    let negative = field.first() == Some(&b'-');
    let length = field.len() - usize::from(negative);
    if !(1..=8).contains(&length) {
        return None;
    }
    // Digits become 0 to 9, with zeros before the first; the top bit of every other byte is set in `others`.
    let word = (u64::from_le_bytes(*bytes) ^ (EACH * u64::from(b'0'))) & (!0 << (64 - 8 * length));
    let others = (((word & (EACH * 0x7f)) + EACH * (0x80 - 10)) | word) & (EACH * 0x80);
    let (digits, places) = match NonZeroU64::new(others) {
        None => (word, 0),
        Some(others) => {
            let point = others.trailing_zeros() & !7; // in bits
            let one = others.get() & (others.get() - 1) == 0;
            if !one || (word >> point) as u8 != b'.' ^ b'0' || length == 1 {
                return None;
            }
            let before = word & ((1 << point) - 1);
            ((before << 8) | (word & (!0xff << point)), (56 - point) / 8)
        }
    };
    // Neighbours are joined: 8 digits, 4 pairs, one number.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let upper = (pairs & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let lower = ((pairs >> 16) & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    let number = (upper.wrapping_add(lower) >> 32) as u32;
    // At most seven digits with a point, so both are exact in f32 and the quotient is the f32 nearest to the number.
    let x = number as f32 / POWERS[places as usize];
    Some(if negative { -x } else { x })
}

/// A number such as `-12.345` or `1e-5` at the start of `text`, correctly rounded, and its length.
fn decimal(text: &[u8]) -> Option<(f32, usize)> {
    /// 10^0 to 10^19, all but the last exact in f64.
    const POWERS: [f64; 20] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19,
    ];
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let (mut at, mut digits) = (start, 0u64);
    while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
        digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    let (mut length, mut places) = (at - start, 0);
    if text.get(at) == Some(&b'.') {
        let point = at;
        at += 1;
        while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d < 10) {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        places = at - point - 1;
        length += places;
    }
    // Up to 15 digits are exact in f64, as are the powers, so the quotient is the f64 nearest to the number. Rounded again
    // to f32 it is right unless it lies just between two of them.
    if length > 0 && length <= 15 && !matches!(text.get(at), Some(b'e' | b'E')) {
        let x = digits as f64 / POWERS[places];
        if x.to_bits() & 0x1fff_ffff != 0x1000_0000 {
            return Some((if negative { -x as f32 } else { x as f32 }, at));
        }
    }
    fast_float2::parse_partial(text).ok()
}

/// A number with commas in it, as thousands or decimals.
pub(super) fn with_commas(field: &str) -> bool {
    let field = field.trim().trim_start_matches(['-', '+']);
    let plain = field.bytes().all(|b| b.is_ascii_digit() || b == b',' || b == b'.');
    plain && field.contains(',') && field.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_fields() {
        for length in [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 1000] {
            for step in [1, 2, 3, 7, 8, 64, 65, 2000] {
                let line: Vec<u8> =
                    (0..length).map(|i| if i % step == step - 1 { b',' } else { b'x' }).collect();
                for start in [0, length / 2, length] {
                    let commas = (start..length).filter(|i| line[*i] == b',');
                    assert_eq!(
                        Ends::new(b',', &line, start).collect::<Vec<_>>(),
                        commas.chain([length]).collect::<Vec<_>>(),
                        "{length} {step} {start}"
                    );
                }
            }
        }
        let all: Vec<u8> = (0..=255).collect();
        for (i, b) in (0..=255).enumerate() {
            let chunk = all[i / 64 * 64..][..64].try_into().expect("64 bytes");
            assert_eq!((places(chunk, b), places_plain(chunk, b)), (1 << (i % 64), 1 << (i % 64)));
        }
        assert!(
            (0..=255).all(|b| Ends::new(b, &all, 0).eq([usize::from(b), 256])),
            "each byte is told from all others"
        );
    }

    /// Every number as the standard library reads it, to the bit.
    #[test]
    fn numbers_are_correctly_rounded() {
        let check = |text: &str| {
            let expected: f32 = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            // At the beginning of a line and further on, at its end and with more of it behind.
            for before in ["", "1\t", "-12.5,", "ENSG00000000003\t"] {
                for behind in ["", "\t", ",-12345678", ",5", "\té1234567"] {
                    let line = format!("{before}{text}{behind}");
                    let found = number_at(line.as_bytes(), before.len(), before.len() + text.len());
                    assert_eq!(found.map(f32::to_bits), Some(expected.to_bits()), "{line}: {found:?}");
                }
            }
            let found = decimal(text.as_bytes()).map(|(x, length)| (x.to_bits(), length));
            assert_eq!(found, Some((expected.to_bits(), text.len())), "{text}");
        };
        for text in [
            "0",
            "-0",
            "-0.0",
            "7",
            "1.",
            ".5",
            "-.25",
            "16777217",
            "16777219",
            "9007199254740993",
            "1e-45",
            "3.4028236e38",
            "1.1754943508222875e-38",
            "0.000000000000000000001",
            "123456789012345",
            "1234567890123456789012",
            "1.5e3",
            "2E-2",
            "8.589973e9",
            "0.1",
            "5404319552844595.5",
            "1.00000005960464477",
            "1.000000059604645",
        ] {
            check(text);
        }
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (digits, point) = (state >> 20, (state >> 8) % 16);
            let mut text = (digits % 10u64.pow((state % 16) as u32 + 1)).to_string();
            if text.len() as u64 > point {
                text.insert(point as usize, '.');
            }
            check(&text);
        }
        for (text, expected) in [("12.5e1\t7.25\t", 125.0), ("3E2,1.5,2.5", 300.0), ("-7e0 123456", -7.0)] {
            assert_eq!(decimal(text.as_bytes()).map(|(x, _)| x), Some(expected), "{text}");
        }
        for text in [".\t1234567", "-.,1234567", "\t12345678", "-\t1234567", "x1234567"] {
            assert_eq!(decimal(text.as_bytes()), None, "{text:?}");
        }
        for text in
            ["-", ".", "-.", "--1", "1.2.3", "1..2", "1-", "1 2", "0x10", "é1", "12345é", "1.5/", "1:5"]
        {
            for before in ["", "ENSG00000000003\t"] {
                let line = format!("{before}{text}");
                assert_eq!(number_at(line.as_bytes(), before.len(), line.len()), None, "{line:?}");
            }
        }
        // Halfway between two f32, to the last bit of f64.
        for i in 0..1000u32 {
            let x = f32::from_bits(0x3f80_0000 + i * 7919);
            let middle = (f64::from(x) + f64::from(f32::from_bits(x.to_bits() + 1))) / 2.0;
            check(&format!("{middle:.15}")[..16]);
            check(&format!("{middle:.24}"));
        }
    }
}
