//! Matrices of Python: lent where they lie, or written block by block into a store that is.

use std::path::PathBuf;

use genelift::element::Element;
use genelift::formats::settle_names;
use genelift::genes::Table;
use genelift::interrupt::Wish;
use genelift::store::{Origin, Store, StoreWriter, lent};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::call::pooled;
use super::told;

/// Names of one side as Python hands them: ids, and further columns with their headers; `None` where there are none.
type Names = Option<(Vec<String>, Vec<(String, Vec<String>)>)>;

/// Both sides' tables, and whether the genes' names are made up.
fn tables(samples: Names, genes: Names, [n, g]: [usize; 2]) -> (Table, Table, bool) {
    let made_up = genes.is_none();
    let table = |names: Names, word: &str, n: usize| match names {
        Some((ids, columns)) => {
            let mut table = Table::new(word, ids);
            columns.into_iter().for_each(|(name, fields)| table.set_column(&name, fields));
            table
        }
        None => Table::numbered(word, word, n),
    };
    let (mut samples, mut genes) = (table(samples, "sample", n), table(genes, "gene", g));
    settle_names(&mut samples, &mut genes);
    (samples, genes, made_up)
}

/// The values of a NumPy array of float32 in C order, where they lie.
struct Values {
    start: *const f32,
    length: usize,
    /// Keeps them there.
    _array: Py<PyAny>,
}

// SAFETY: the values are only read, and the array that owns them may be held and let go on any thread.
unsafe impl Send for Values {}
// SAFETY: as above.
unsafe impl Sync for Values {}

impl AsRef<[f32]> for Values {
    fn as_ref(&self) -> &[f32] {
        // SAFETY: NumPy said that so many values lie there, aligned and one after another; they do as long as `_array` is held.
        // Python could write to them meanwhile, as it could while NumPy itself reads: the documentation asks not to.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

/// Looks an array up: its values and its shape.
fn values(array: &Bound<PyAny>) -> PyResult<(Values, [usize; 2])> {
    let py = array.py();
    let refuse = |what: &str| Err(PyValueError::new_err(format!("an array of float32 in C order: {what}")));
    if !array.is_instance(&py.import("numpy")?.getattr("ndarray")?)? {
        return refuse("this is none");
    }
    let about = array.getattr("__array_interface__")?;
    let kind: String = about.get_item("typestr")?.extract()?;
    if kind != "<f4" || cfg!(target_endian = "big") {
        return refuse(&kind);
    }
    if !about.get_item("strides")?.is_none() {
        return refuse("the values do not lie one after another");
    }
    let shape: Bound<PyTuple> = about.get_item("shape")?.cast_into()?;
    let [rows, columns]: [usize; 2] = shape.extract::<(usize, usize)>()?.into();
    let (start, _): (usize, bool) = about.get_item("data")?.extract()?;
    let start = start as *const f32;
    let length = rows.checked_mul(columns).filter(|length| *length > 0);
    let Some(length) = length.filter(|_| !start.is_null() && start.is_aligned()) else {
        return refuse("there are no values, or they are not aligned");
    };
    Ok((Values { start, length, _array: array.clone().unbind() }, [rows, columns]))
}

/// A store that is made or opened, which takes a pass over its values, without the interpreter's lock.
fn looked_at(py: Python, work: impl FnOnce() -> genelift::Result<Store> + Send) -> PyResult<Store> {
    let done = py.detach(|| pooled(None, &Wish::default(), work));
    done.and_then(|store| store).map_err(|error| told(py, error))
}

/// A matrix that commands find by `path` as long as this object lives.
#[pyclass(frozen)]
pub struct Lent {
    lent: lent::Lent,
}

#[pymethods]
impl Lent {
    /// Lends a NumPy array of float32 in C order, samples × genes. It is not copied.
    #[staticmethod]
    fn array(py: Python, name: &str, array: &Bound<PyAny>, samples: Names, genes: Names) -> PyResult<Lent> {
        let (values, shape) = values(array)?;
        let (samples, genes, made_up) = tables(samples, genes, shape);
        let called = format!("<{name}>");
        let store = looked_at(py, || Store::in_memory(&called, values, samples, genes))?;
        let store = if made_up { store.with_made_up_genes() } else { store };
        Ok(Lent { lent: lent::lend(name, store) })
    }

    /// Opens a store, checks all of it, and lends it.
    #[staticmethod]
    fn store(py: Python, name: &str, path: PathBuf) -> PyResult<Lent> {
        let store = looked_at(py, || Store::open(&path))?;
        Ok(Lent { lent: lent::lend(name, store) })
    }

    /// What commands find it by.
    #[getter]
    fn path(&self) -> PathBuf {
        self.lent.path().to_path_buf()
    }
}

/// Writes a matrix block by block into a store.
#[pyclass]
pub struct Writer {
    writer: Option<StoreWriter>,
}

#[pymethods]
impl Writer {
    /// Begins a store of so many genes.
    #[new]
    fn new(py: Python, path: PathBuf, genes: usize) -> PyResult<Writer> {
        let writer = StoreWriter::create(&path, genes, Element::F32, false);
        Ok(Writer { writer: Some(writer.map_err(|error| told(py, error))?) })
    }

    /// Appends samples: a NumPy array of float32 in C order.
    fn push(&mut self, py: Python, block: &Bound<PyAny>) -> PyResult<()> {
        let (values, _) = values(block)?;
        let writer = self.writer.as_mut().ok_or_else(|| PyValueError::new_err("the store is finished"))?;
        py.detach(|| writer.push_rows(values.as_ref())).map_err(|error| told(py, error))
    }

    /// Adds the names, and gives the store its place.
    fn finish(&mut self, py: Python, samples: Names, genes: Names, shape: [usize; 2]) -> PyResult<()> {
        let writer = self.writer.take().ok_or_else(|| PyValueError::new_err("the store is finished"))?;
        let (samples, genes, made_up_genes) = tables(samples, genes, shape);
        let origin = Origin { made_up_genes, ..Origin::default() };
        py.detach(|| writer.finish(genes, samples, origin)).map(|_| ()).map_err(|error| told(py, error))
    }
}
