//! NumPy's `.npz`: the one array in it, or the one named X, matrix or data; or a matrix of `scipy.sparse.save_npz`,
//! CSR or CSC, of which a block of rows (CSC: columns) is dense at a time. Samples × genes, with the names beside it.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::npy::{self, Array};
use super::npz_names;
use super::zip::{self, Member, Zip};
use super::{Blocks, MatrixFile, Orientation, ReadSettings};
use crate::error::{Error, Result};
use crate::genes::Table;

pub(super) fn magic(start: &[u8]) -> bool {
    start.starts_with(zip::MAGIC)
}

pub(super) fn open(path: &Path, settings: &ReadSettings) -> Result<MatrixFile> {
    let zip = Zip::open(path)?;
    if zip.member("indptr.npy").is_some() || zip.member("format.npy").is_some() {
        let file = open_sparse(path, &zip, settings)?;
        return npz_names::add(path, &zip, "data", file);
    }
    let arrays: Vec<&Member> = zip.members.iter().filter(|member| member.name.ends_with(".npy")).collect();
    let matrices: Vec<&Member> = arrays.iter().copied().filter(|member| is_matrix(&zip, member)).collect();
    let named = ["X.npy", "matrix.npy", "data.npy"].into_iter().find_map(|name| zip.member(name));
    let Some(member) = only(&matrices).or(named).or(only(&arrays)) else {
        let names: Vec<_> = arrays.iter().take(8).map(|m| m.name.trim_end_matches(".npy")).collect();
        let message = format!(
            "holds the arrays {names:?}; one matrix alone, or one named X, matrix or data is needed, and names beside it"
        );
        return Err(Error::input(path, message));
    };
    let file = npy::file_of("npz", array(path, &zip, member)?, settings)?;
    npz_names::add(path, &zip, member.name.trim_end_matches(".npy"), file)
}

/// The only one of these.
fn only<'a>(members: &[&'a Member]) -> Option<&'a Member> {
    if let [one] = members { Some(one) } else { None }
}

/// Whether a member is an array of numbers in two dimensions.
fn is_matrix(zip: &Zip, member: &Member) -> bool {
    let header = zip.read(member).ok().and_then(|mut input| crate::store::npy::parse(&mut input).ok());
    header.is_some_and(|header| header.shape.len() == 2 && npy::decoder(&header.descr).is_some())
}

fn array(path: &Path, zip: &Zip, member: &Member) -> Result<Array> {
    let name = format!("{}, {}", path.display(), member.name);
    Array::open(Path::new(&name), zip.read(member)?, member.bytes)
}

fn open_sparse(path: &Path, zip: &Zip, settings: &ReadSettings) -> Result<MatrixFile> {
    let refuse = |message: String| Err(Error::input(path, message));
    let open = |name: &str| {
        let member = zip.member(&format!("{name}.npy"));
        let member = member.ok_or_else(|| {
            Error::input(path, format!("is no matrix of scipy.sparse: {name}.npy is missing"))
        })?;
        array(path, zip, member)
    };
    let member = zip.member("format.npy");
    let mut format = Vec::new();
    if let Some(member) = member {
        let failed = |e| super::compressed::failed(path, &e);
        zip.read(member)?.take(4096).read_to_end(&mut format).map_err(failed)?;
    }
    let ends = |word: &str| {
        let text: Vec<u8> = format.iter().copied().filter(|b| *b != 0).collect();
        text.ends_with(word.as_bytes())
    };
    let by_rows = ends("csr");
    if !by_rows && !ends("csc") {
        return refuse("is a sparse matrix, but neither CSR nor CSC; save x.tocsr()".into());
    }
    let shape = open("shape")?.whole(2)?;
    let [rows, columns] = [0, 1].map(|i| shape.get(i).and_then(|n| usize::try_from(*n).ok()).unwrap_or(0));
    let (n, width) = if by_rows { (rows, columns) } else { (columns, rows) };
    let pointers = open("indptr")?;
    let (indices, data) = (open("indices")?, open("data")?);
    if pointers.len() != n.saturating_add(1) || indices.len() != data.len() {
        return refuse(format!(
            "is {rows} × {columns}, but has {} pointers, {} indices and {} values",
            pointers.len(),
            indices.len(),
            data.len()
        ));
    }
    // Names are made for every row and column: a claim needs entries behind it.
    if width > super::FREE_NAMES.saturating_add(data.len().saturating_mul(64)) {
        return refuse(format!("claims {rows} × {columns} for {} entries", data.len()));
    }
    let ends = pointers.whole(n + 1)?;
    let sorted = ends.windows(2).all(|pair| pair[0] <= pair[1]);
    if !sorted || ends.first() != Some(&0) || ends.last() != Some(&(data.len() as i64)) {
        return refuse("the row pointers (indptr) do not count up to the number of values".into());
    }
    super::room_for_names(path, rows, columns)?;
    let tables = (Table::numbered("sample_id", "sample", rows), Table::numbered("gene_id", "gene", columns));
    let (rows, columns) = if by_rows { tables } else { (tables.1, tables.0) };
    let step = (settings.memory / 16 / size_of::<f32>() / width.max(1)).clamp(1, n.max(1));
    let blocks = SparseBlocks { path: path.to_path_buf(), ends, indices, data, width, step, next: 0 };
    Ok(MatrixFile {
        natural: Some(Orientation::SamplesByGenes),
        habit: true,
        transposed: !by_rows,
        unnamed: true,
        ..MatrixFile::new("npz", columns, Some(rows), Box::new(blocks))
    })
}

struct SparseBlocks {
    path: PathBuf,
    /// Where each row begins, and the end of the last.
    ends: Vec<i64>,
    indices: Array,
    data: Array,
    width: usize,
    step: usize,
    next: usize,
}

/// Entries read at a time.
const ENTRIES: usize = 1 << 16;

impl Blocks for SparseBlocks {
    fn next(&mut self, _ids: &mut Vec<String>, values: &mut Vec<f32>) -> Result<bool> {
        let n = self.ends.len() - 1;
        if self.next == n {
            return Ok(false);
        }
        let last = (self.next + self.step).min(n);
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for row in self.next..last {
            let start = values.len();
            values.resize(start + self.width, 0.0);
            let mut left = (self.ends[row + 1] - self.ends[row]) as usize;
            while left > 0 {
                let now = left.min(ENTRIES);
                indices.clear();
                data.clear();
                self.indices.integers(now, &mut indices)?;
                self.data.floats(now, &mut data)?;
                for (column, x) in indices.iter().zip(&data) {
                    let place = usize::try_from(*column).ok().filter(|c| *c < self.width);
                    let place = place.ok_or_else(|| {
                        let message = format!("row {row} has an entry in column {column} of {}", self.width);
                        Error::input(&self.path, message)
                    })?;
                    values[start + place] += x; // an entry that occurs twice adds up, as in SciPy
                }
                left -= now;
            }
        }
        self.next = last;
        Ok(true)
    }

    fn done(&self) -> f64 {
        self.next as f64 / (self.ends.len() - 1).max(1) as f64
    }
}
