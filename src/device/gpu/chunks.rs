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
    /// Rows in every chunk but the last; all (padded) rows if one chunk is enough. `None` when not even
    /// [`ROWS`] rows fit.
    pub fn rows(&self, matrix: Matrix) -> Option<usize> {
        let rows = padded(matrix.rows);
        let fit = usize::try_from(self.limit).unwrap_or(usize::MAX) / matrix.row_bytes().max(1);
        if fit >= rows {
            return Some(rows.max(1));
        }
        (fit >= ROWS).then(|| fit / ROWS * ROWS)
    }

    /// The matrix's chunks in order. Matrices that [`Chunking::rows`] refuses are never made.
    pub fn views(&self, matrix: Matrix) -> Vec<View> {
        let rows = self.rows(matrix).expect("refused when the matrix was made");
        let total = padded(matrix.rows);
        (0..total.div_ceil(rows))
            .map(|chunk| View { matrix, chunk, first: chunk * rows, end: total.min((chunk + 1) * rows) })
            .collect()
    }

    /// The chunk that holds `row`.
    pub fn view(&self, matrix: Matrix, row: usize) -> View {
        let rows = self.rows(matrix).expect("refused when the matrix was made");
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
        let matrix = Matrix { id: 0, rows: 200, cols: 33, element: Element::F16 };
        let chunking = Chunking { limit: 70 * 96 };
        let views = chunking.views(matrix);
        let ranges: Vec<_> = views.iter().map(|v| (v.first, v.end)).collect();
        assert_eq!(ranges, [(0, 64), (64, 128), (128, 192), (192, 208)]);
        assert_eq!(chunking.view(matrix, 199), views[3]);
        let mut cuts = BTreeSet::new();
        chunking.cut(matrix, &mut cuts);
        assert_eq!(pieces(200, &cuts), [0..64, 64..128, 128..192, 192..200]);
        assert_eq!(pieces(5, &BTreeSet::new()), [0..5]);
        assert!(Chunking { limit: 63 * 96 }.rows(matrix).is_none());
    }
}
