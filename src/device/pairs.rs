//! Rows most of whose values are zero, on their way to a device: what is not zero, packed. [`Call::Scatter`](super::recording::Call::Scatter)
//! makes the rows dense there.
//!
//! A matrix of u32 of [`WIDTH`] columns is read as one sequence of words. Its first [`heading`] lines hold where the pairs of each row begin and,
//! behind the last, where they end; pairs are counted from 0. The lines behind them hold the pairs: a column and the bits of a value as f32,
//! by ascending column within a row.

/// Words of a line; a pair is two.
pub const WIDTH: usize = 1024;

/// Lines at the head of a matrix for `rows` rows.
pub fn heading(rows: usize) -> usize {
    (rows + 1).div_ceil(WIDTH)
}

/// Lines of a matrix for `rows` rows of `pairs` pairs in all.
pub fn lines(rows: usize, pairs: usize) -> usize {
    heading(rows) + (2 * pairs).div_ceil(WIDTH)
}

/// Where a pair's column is: line and place in it; its value is behind it.
pub(super) fn place(rows: usize, pair: usize) -> (usize, usize) {
    (heading(rows) + 2 * pair / WIDTH, 2 * pair % WIDTH)
}

/// Packs rows.
#[derive(Debug, Default)]
pub struct Packer {
    starts: Vec<u32>,
    pairs: Vec<(u32, f32)>,
    words: Vec<u32>,
}

impl Packer {
    /// Takes a value of the next row; columns may come in any order, each once.
    pub fn push(&mut self, column: u32, value: f32) {
        self.pairs.push((column, value));
    }

    /// Ends a row.
    pub fn end_row(&mut self) {
        let start = self.words.len() / 2;
        self.starts.push(start as u32);
        if !self.pairs.is_sorted_by_key(|pair| pair.0) {
            self.pairs.sort_unstable_by_key(|pair| pair.0);
        }
        self.words.extend(self.pairs.drain(..).flat_map(|(column, value)| [column, value.to_bits()]));
    }

    /// Gives the lines of a matrix made for `rows` rows, no fewer than were packed, to `take`, and begins anew. Returns how many lines there
    /// were.
    pub fn finish(&mut self, rows: usize, mut take: impl FnMut(usize, &[u32])) -> usize {
        let heading = heading(rows);
        self.starts.resize(heading * WIDTH, (self.words.len() / 2) as u32);
        self.words.resize(self.words.len().next_multiple_of(WIDTH), 0);
        let all = self.starts.chunks(WIDTH).chain(self.words.chunks(WIDTH));
        all.enumerate().for_each(|(line, words)| take(line, words));
        let lines = heading + self.words.len() / WIDTH;
        self.starts.clear();
        self.words.clear();
        lines
    }
}
