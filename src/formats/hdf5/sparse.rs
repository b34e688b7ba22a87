//! Blocks of a compressed sparse matrix: three datasets, `indptr` (where each line begins), `indices` (places in the line)
//! and `data`. A line is a row of a CSR matrix, a column of a CSC one. Only a block of lines is ever dense.

use std::path::{Path, PathBuf};

use hdf5_pure::Group;

use super::array::Stream;
use super::dense::{runs, wanted};
use super::{block, damaged};
use crate::error::Result;
use crate::formats::{Blocks, Picking};

/// Entries read at a time.
const ENTRIES: u64 = 2 << 20;

/// Blocks of lines of a sparse matrix.
pub(crate) struct Sparse {
    path: PathBuf,
    name: String,
    indices: Stream,
    data: Stream,
    /// Entry at which each line begins, and the end of the last.
    begins: Vec<u64>,
    width: usize,
    /// Lines of a block.
    step: usize,
    next: usize,
    /// Lines that are wanted and where the places in them go, where not all are.
    picked: Option<Picked>,
}

/// A slice of a sparse matrix.
struct Picked {
    lines: Vec<u64>,
    /// Of every place in a line, its place in the slice.
    to: Vec<Option<u32>>,
    width: usize,
}

impl Sparse {
    /// Opens the matrix `name` of `lines` lines of `width` values. Both counts must come from names that were read: they
    /// decide how much is allocated.
    ///
    /// # Errors
    /// [`Error::Input`] for datasets that are missing, or do not fit each other.
    pub fn open(
        path: &Path,
        group: &Group,
        name: &str,
        [lines, width]: [usize; 2],
        memory: usize,
    ) -> Result<Sparse> {
        let open = |part: &str| -> Result<Stream> {
            let name = format!("{name}/{part}");
            let dataset = group.dataset(part).map_err(|e| damaged(path, &format!("dataset {name}: {e}")))?;
            Stream::open(path, dataset, &name, memory / 2)
        };
        let refuse = |message: String| Err(damaged(path, &format!("sparse matrix {name}: {message}")));
        let (data, indices, mut indptr) = (open("data")?, open("indices")?, open("indptr")?);
        let entries = data.lines();
        if entries != indices.lines() || entries[1] != 1 {
            return refuse(format!("{:?} data for {:?} indices", entries[0], indices.lines()[0]));
        }
        if indptr.lines() != [lines + 1, 1] {
            return refuse(format!("{} places in indptr for {lines} lines", indptr.lines()[0]));
        }
        let (mut bytes, mut begins) = (Vec::new(), Vec::new());
        indptr.take(lines + 1, &mut bytes)?;
        if indptr.number.integers(&bytes, &mut begins).is_none() {
            return refuse("indptr does not hold integers".into());
        }
        let begins: Vec<u64> = begins.into_iter().map(|at| u64::try_from(at).unwrap_or(u64::MAX)).collect();
        if let Some(line) = begins.windows(2).position(|pair| pair[0] > pair[1]) {
            return refuse(format!("indptr falls at {}: {} to {}", line + 1, begins[line], begins[line + 1]));
        }
        if begins[0] != 0 || begins[lines] > entries[0] as u64 {
            return refuse(format!(
                "indptr goes from {} to {} over {} entries",
                begins[0], begins[lines], entries[0]
            ));
        }
        let step = (block(memory) as usize / 4 / width.max(1)).max(1);
        let (path, name) = (path.to_path_buf(), name.to_string());
        Ok(Sparse { path, name, indices, data, begins, width, step, next: 0, picked: None })
    }
}

impl Sparse {
    /// The next lines of the slice: the entries of one line at a time, of neighbouring lines together.
    fn next_picked(&mut self, picked: &Picked, values: &mut Vec<f32>) -> Result<bool> {
        let step = (self.step * self.width / picked.width.max(1)).max(1);
        let mut last = self.next;
        let mut n = 0;
        let length = |line: u64| self.begins[line as usize + 1] - self.begins[line as usize];
        while last < picked.lines.len() && last - self.next < step && (n == 0 || n < ENTRIES) {
            n += length(picked.lines[last]);
            last += 1;
        }
        let now = &picked.lines[self.next..last];
        let ranges: Vec<_> = runs(now)
            .into_iter()
            .map(|run| self.begins[run.start as usize]..self.begins[run.end as usize])
            .filter(|entries| !entries.is_empty())
            .collect();
        let (mut bytes, mut places, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        self.data.gather(&ranges, &[0], &mut bytes)?;
        self.data.number.floats(&bytes, &mut entries);
        bytes.clear();
        self.indices.gather(&ranges, &[0], &mut bytes)?;
        if self.indices.number.integers(&bytes, &mut places).is_none() {
            let message = format!("sparse matrix {}: indices are not integers", self.name);
            return Err(damaged(&self.path, &message));
        }
        let mut found = places.iter().zip(&entries);
        for line in now {
            let start = values.len();
            values.resize(start + picked.width, 0.0);
            for (place, x) in found.by_ref().take(length(*line) as usize) {
                let to = usize::try_from(*place).ok().and_then(|place| picked.to.get(place));
                match to {
                    Some(Some(to)) => values[start + *to as usize] += x,
                    Some(None) => {}
                    None => {
                        let (name, width) = (&self.name, self.width);
                        let message =
                            format!("sparse matrix {name}: index {place} in lines of {width} values");
                        return Err(damaged(&self.path, &message));
                    }
                }
            }
        }
        let more = last > self.next;
        self.next = last;
        Ok(more)
    }
}

impl Blocks for Sparse {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        if let Some(picked) = self.picked.take() {
            let more = self.next_picked(&picked, values);
            self.picked = Some(picked);
            return more;
        }
        let lines = self.begins.len() - 1;
        let first = self.next;
        let last = (first + self.step).min(lines);
        let start = values.len();
        values.resize(start + (last - first) * self.width, 0.0);
        let block = &mut values[start..];
        let (mut bytes, mut places, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut line) = (self.begins[first], first);
        while at < self.begins[last] {
            let n = (self.begins[last] - at).min(ENTRIES) as usize;
            bytes.clear();
            places.clear();
            entries.clear();
            self.data.take(n, &mut bytes)?;
            self.data.number.floats(&bytes, &mut entries);
            bytes.clear();
            self.indices.take(n, &mut bytes)?;
            if self.indices.number.integers(&bytes, &mut places).is_none() {
                let message = format!("sparse matrix {}: indices are not integers", self.name);
                return Err(damaged(&self.path, &message));
            }
            for (place, x) in places.iter().zip(&entries) {
                while self.begins[line + 1] <= at {
                    line += 1;
                }
                match usize::try_from(*place).ok().filter(|&place| place < self.width) {
                    // A place that is named twice counts twice, as in SciPy.
                    Some(place) => block[(line - first) * self.width + place] += x,
                    None => {
                        let (name, width) = (&self.name, self.width);
                        let message = format!(
                            "sparse matrix {name}: index {place} at entry {at} of lines of {width} values"
                        );
                        return Err(damaged(&self.path, &message));
                    }
                }
                at += 1;
            }
        }
        self.next = last;
        Ok(last > first)
    }

    fn pick(&mut self, rows: Option<&[usize]>, columns: Option<&[usize]>) -> Result<Picking> {
        let mut to = vec![None; self.width];
        let columns = wanted(columns, self.width);
        columns.iter().zip(0..).for_each(|(column, place)| to[*column as usize] = Some(place));
        let lines = wanted(rows, self.begins.len() - 1);
        self.picked = Some(Picked { lines, to, width: columns.len() });
        Ok(Picking::Seeking)
    }

    fn done(&self) -> f64 {
        if let Some(picked) = &self.picked {
            return self.next as f64 / picked.lines.len().max(1) as f64;
        }
        let all = self.begins[self.begins.len() - 1].max(1);
        self.begins[self.next] as f64 / all as f64
    }
}
