//! How a matrix lies in device memory: whole rows, in as many buffers ("chunks") as the largest binding asks
//! for. A pure function of shapes and limits, so that a plan can be made without a device.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::device::recording::{Matrix, padded};

/// Rows per chunk are a multiple of this.
pub const ROWS: usize = 64;

/// One chunk of a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// The whole.
    pub matrix: Matrix,
    /// Which chunk.
    pub chunk: usize,
    /// Its first row.
    pub first: usize,
    /// One past its last row, padding included.
    pub end: usize,
}

/// The division of matrices into chunks under one binding limit.
#[derive(Debug, Clone, Copy)]
pub struct Chunking {
    /// Bytes that one binding may span.
    pub limit: u64,
}

impl Chunking {
    /// Bytes of all chunks. `None` when the matrix is empty, when not even [`ROWS`] rows fit a chunk, or when
    /// rows and columns cannot be counted in 31 bits or bytes in 48.
    pub fn bytes(&self, matrix: Matrix) -> Option<u64> {
        let counts = 1..1usize << 31;
        if !counts.contains(&matrix.rows) || !counts.contains(&matrix.cols) {
            return None;
        }
        let bytes = (padded(matrix.rows) as u64).checked_mul(matrix.row_bytes() as u64)?;
        let rows = padded(matrix.rows).min(ROWS);
        ((rows * matrix.row_bytes()) as u64 <= self.limit && bytes < 1 << 48).then_some(bytes)
    }

    /// Rows in every chunk but the last; all (padded) rows if one chunk is enough.
    fn rows(&self, matrix: Matrix) -> usize {
        let fit = usize::try_from(self.limit).unwrap_or(usize::MAX) / matrix.row_bytes();
        let rows = padded(matrix.rows);
        if fit >= rows { rows } else { fit / ROWS * ROWS }
    }

    /// The matrix's chunks in order; not for matrices that have no [`Chunking::bytes`].
    pub fn views(&self, matrix: Matrix) -> Vec<View> {
        let rows = self.rows(matrix);
        let total = padded(matrix.rows);
        (0..total.div_ceil(rows))
            .map(|chunk| View { matrix, chunk, first: chunk * rows, end: total.min((chunk + 1) * rows) })
            .collect()
    }

    /// The chunk that holds `row`.
    pub fn view(&self, matrix: Matrix, row: usize) -> View {
        let rows = self.rows(matrix);
        self.views(matrix)[row / rows]
    }

    /// Adds the rows at which a new chunk of `matrix` begins.
    pub fn cut(&self, matrix: Matrix, cuts: &mut BTreeSet<usize>) {
        cuts.extend(self.views(matrix).iter().skip(1).map(|view| view.first));
    }
}

/// `0..len` cut at the given places.
pub fn pieces(len: usize, cuts: &BTreeSet<usize>) -> Vec<Range<usize>> {
    let inner = cuts.iter().copied().filter(|cut| (1..len).contains(cut));
    let ends: Vec<usize> = inner.chain([len]).collect();
    let mut begin = 0;
    ends.iter().map(|&end| std::mem::replace(&mut begin, end)..end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::recording::Element;

    #[test]
    fn chunks_cover_the_padded_rows() {
        let matrix = Matrix { id: 0, generation: 0, rows: 200, cols: 33, element: Element::F16 };
        let chunking = Chunking { limit: 70 * 96 };
        let views = chunking.views(matrix);
        let ranges: Vec<_> = views.iter().map(|v| (v.first, v.end)).collect();
        assert_eq!(ranges, [(0, 64), (64, 128), (128, 192), (192, 208)]);
        assert_eq!(chunking.view(matrix, 199), views[3]);
        let mut cuts = BTreeSet::new();
        chunking.cut(matrix, &mut cuts);
        assert_eq!(pieces(200, &cuts), [0..64, 64..128, 128..192, 192..200]);
        let whole = 0..5;
        assert_eq!(pieces(5, &BTreeSet::new()), [whole]);
        assert_eq!(chunking.bytes(matrix), Some(208 * 96));
        assert_eq!(Chunking { limit: 63 * 96 }.bytes(matrix), None);
        assert_eq!(chunking.bytes(Matrix { rows: usize::MAX, ..matrix }), None);
    }
}
