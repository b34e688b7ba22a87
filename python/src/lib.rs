//! What the Python module `genelift` is made of: commands called inside the process, and matrices lent to them where they lie.
//! It converts and calls; options, defaults, checks and messages are the command's own.

mod call;
mod lent;

use pyo3::prelude::*;

#[pymodule]
mod _genelift {
    #[pymodule_export]
    use super::call::{call, main};
    #[pymodule_export]
    use super::lent::{Lent, Writer};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// An error as Python is told of it: `genelift._errors.Failure`, whose kind says which class it becomes.
fn failure(py: Python, kind: &str, message: String) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let class = py.import("genelift._errors")?.getattr("failure")?;
        Ok(PyErr::from_value(class.call1((kind, message))?))
    };
    made().unwrap_or_else(|error| error)
}

/// The same of an error of the library.
fn told(py: Python, error: genelift::Error) -> PyErr {
    use genelift::Error;
    let kind = match &error {
        Error::Usage(_) => "usage",
        Error::Input { .. } | Error::Data(_) => "data",
        Error::Exists(_) => "exists",
        Error::Io { .. } => "io",
        Error::Device { .. } | Error::Ranks(_) => "device",
        Error::Diverged { .. } => "diverged",
        Error::Interrupted { .. } => "interrupted",
    };
    failure(py, kind, error.to_string())
}
