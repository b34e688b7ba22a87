//! The header of NumPy's `.npy` format, version 1 to 3
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::io::Read;

/// First bytes of every `.npy` file.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Length of the headers that this program writes: room for any two-dimensional shape, and a multiple of 64.
pub const WRITTEN: usize = 128;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Type of the elements, such as `"<f4"`.
    pub descr: String,
    /// Column-major.
    pub fortran: bool,
    /// Lengths, outermost first.
    pub shape: Vec<usize>,
    /// Where the data begin, in bytes.
    pub offset: usize,
}

/// The header of a C-order matrix, exactly [`WRITTEN`] bytes.
pub fn header(descr: &str, rows: usize, cols: usize) -> Vec<u8> {
    header_of(descr, &[rows, cols])
}

/// The header of an array in C order of one or two dimensions, exactly [`WRITTEN`] bytes.
pub fn header_of(descr: &str, shape: &[usize]) -> Vec<u8> {
    let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
    let shape = lengths.join(", ") + if shape.len() == 1 { "," } else { "" };
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((WRITTEN as u16 - 10).to_le_bytes());
    bytes.extend(format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}").bytes());
    bytes.resize(WRITTEN - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// Parses a header; the error says what is wrong with it.
pub fn parse(input: &mut impl Read) -> Result<Header, String> {
    let mut take = |n: usize| -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; n];
        input.read_exact(&mut bytes).map_err(|_| "the file ends inside its .npy header".to_string())?;
        Ok(bytes)
    };
    let start = take(8)?;
    if !start.starts_with(MAGIC) {
        return Err("is not a .npy file: it does not begin with \\x93NUMPY".into());
    }
    let (prefix, length) = match start[6] {
        1 => (10, usize::from(u16::from_le_bytes(take(2)?.try_into().expect("two bytes")))),
        2 | 3 => (12, u32::from_le_bytes(take(4)?.try_into().expect("four bytes")) as usize),
        v => return Err(format!(".npy version {v} is not known; versions 1 to 3 are")),
    };
    if length > 1 << 16 {
        return Err(format!("the .npy header claims {length} bytes, more than any matrix needs"));
    }
    let text = String::from_utf8_lossy(&take(length)?).into_owned();
    let value = |key: &str| -> Result<&str, String> {
        let at = text.find(&format!("'{key}'")).ok_or(format!("the .npy header has no {key:?}: {text:?}"))?;
        Ok(text[at + key.len() + 2..].trim_start().trim_start_matches(':').trim_start())
    };
    let wrong = |key: &str| format!("the .npy header's {key:?} cannot be read: {text:?}");

    let descr = value("descr")?.strip_prefix('\'').ok_or_else(|| wrong("descr"))?;
    let descr = descr.split_once('\'').ok_or_else(|| wrong("descr"))?.0.to_string();
    let fortran = match value("fortran_order")? {
        v if v.starts_with("True") => true,
        v if v.starts_with("False") => false,
        _ => return Err(wrong("fortran_order")),
    };
    let shape =
        value("shape")?.strip_prefix('(').and_then(|v| v.split_once(')')).ok_or_else(|| wrong("shape"))?;
    let shape = shape.0.split(',').map(str::trim).filter(|n| !n.is_empty());
    let shape = shape.map(|n| n.parse().map_err(|_| wrong("shape"))).collect::<Result<_, _>>()?;
    Ok(Header { descr, fortran, shape, offset: prefix + length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_headers_are_read_back() {
        for (rows, cols) in [(1, 1), (613, 22_215), (usize::MAX, usize::MAX)] {
            let bytes = header("<f2", rows, cols);
            assert_eq!(bytes.len(), WRITTEN);
            let read = parse(&mut bytes.as_slice()).expect("readable");
            let shape = vec![rows, cols];
            assert_eq!(read, Header { descr: "<f2".into(), fortran: false, shape, offset: WRITTEN });
        }
        let bytes = header_of("<i8", &[7]);
        assert!(String::from_utf8_lossy(&bytes).contains("'shape': (7,), }"));
        assert_eq!(parse(&mut bytes.as_slice()).expect("readable").shape, [7]);
    }

    #[test]
    fn damaged_headers_are_refused() {
        let good = header("<f4", 3, 5);
        for cut in 0..WRITTEN {
            parse(&mut &good[..cut]).expect_err("truncated");
        }
        for (from, to) in [("False", "Maybe"), ("(3, 5)", "(3, x)"), ("shape", "shope"), ("'<f4'", "[1]")] {
            let text = String::from_utf8_lossy(&good[10..]).replace(from, to);
            let bytes = [&good[..10], text.as_bytes()].concat();
            parse(&mut bytes.as_slice()).expect_err(to);
        }
    }
}
