//! Numbers as text: read where they stand, to the bit as the standard library reads them; and what stands for a missing one.

/// The spellings of a missing value that `pandas.read_csv` knows, in any case, beside the empty field.
/// What spreadsheets write for an error is a missing value too.
const MISSING: [&str; 21] = [
    "na", "nan", "n/a", "#n/a", "null", "none", "<na>", "-nan", "#na", "#n/a n/a", "1.#ind", "1.#qnan",
    "-1.#ind", "-1.#qnan", "+nan", "#value!", "#div/0!", "#ref!", "#name?", "#num!", "#null!",
];

/// Whether a field is empty or one of the spellings of a missing value.
pub(super) fn missing(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    field.is_empty() || MISSING.iter().any(|m| field.eq_ignore_ascii_case(m.as_bytes()))
}

/// A number, with spaces around it, a leading plus, or one of the spellings of a missing value (NaN).
pub(super) fn number(field: &[u8]) -> Option<f32> {
    let field = field.trim_ascii();
    if field.is_empty() || MISSING.iter().any(|m| field.eq_ignore_ascii_case(m.as_bytes())) {
        return Some(f32::NAN);
    }
    let unsigned = field.strip_prefix(b"+").unwrap_or(field);
    fast_float2::parse(unsigned).ok().filter(|_| unsigned.len() == field.len() || !unsigned.starts_with(b"-"))
}

/// A number of at most seven characters without sign and exponent, such as `12.3456`, and its length: eight bytes are
/// looked at together, without a branch for each (<https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/>).
fn short(text: &[u8]) -> Option<(f32, usize)> {
    const POWERS: [f32; 7] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Digits become 0 to 9; the top bit of every other byte is set in `others`.
    let bytes = u64::from_le_bytes(*text.first_chunk()?) ^ (EACH * u64::from(b'0'));
    let others = (((bytes & (EACH * 0x7f)) + EACH * (0x80 - 10)) | bytes) & (EACH * 0x80);
    let at = |others: u64| others.trailing_zeros() & !7; // in bits; 64 where there is none
    let byte = |bits: u32| (bytes >> bits) as u8 ^ b'0';
    let point = at(others);
    let fraction = point < 64 && byte(point) == b'.';
    let end = if fraction { at(others & (others - 1)) } else { point };
    if end == 64 || matches!(byte(end), b'e' | b'E') {
        return None;
    }
    let before = bytes & ((1 << point) - 1);
    let (digits, after) = if fraction { (end - 8, (bytes >> 8) >> point << point) } else { (end, 0) };
    if digits == 0 {
        return None;
    }
    // The last digit goes to the top byte, zeros before the first; then neighbours are joined: 8 digits, 4 pairs, one number.
    let digits_of = (before | after) << (64 - digits);
    let pairs = digits_of.wrapping_mul(10).wrapping_add(digits_of >> 8);
    let upper = (pairs & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let lower = ((pairs >> 16) & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    let number = (upper.wrapping_add(lower) >> 32) as u32;
    // Both are exact in f32, so the quotient is the f32 nearest to the number.
    let places = if fraction { (digits - point) / 8 } else { 0 };
    Some((number as f32 / POWERS[places as usize], (end / 8) as usize))
}

/// A number such as `-12.345` or `1e-5` at the start of `text`, correctly rounded, and its length.
pub(super) fn decimal(text: &[u8]) -> Option<(f32, usize)> {
    /// 10^0 to 10^19, all but the last exact in f64.
    const POWERS: [f64; 20] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
        1e18, 1e19,
    ];
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    if let Some((x, length)) = short(&text[start..]) {
        return Some((if negative { -x } else { x }, start + length));
    }
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

    /// Every number as the standard library reads it, to the bit.
    #[test]
    fn numbers_are_correctly_rounded() {
        let check = |text: &str| {
            let expected: f32 = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            // At the end of a line, and with more of it behind.
            for behind in ["", "\t", ",-12345678", " 1e5 1e5 1e5", ".5", "é1234567"] {
                if behind.starts_with('.') && !text.contains(['.', 'e', 'E']) {
                    continue; // it would belong to the number
                }
                let line = format!("{text}{behind}");
                let (found, length) = decimal(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
                assert_eq!((found.to_bits(), length), (expected.to_bits(), text.len()), "{line}: {found}");
            }
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
        // Halfway between two f32, to the last bit of f64.
        for i in 0..1000u32 {
            let x = f32::from_bits(0x3f80_0000 + i * 7919);
            let middle = (f64::from(x) + f64::from(f32::from_bits(x.to_bits() + 1))) / 2.0;
            check(&format!("{middle:.15}")[..16]);
            check(&format!("{middle:.24}"));
        }
    }
}
