//! An executor that fails as devices do.

use genelift::device::profile::Span;
use genelift::device::recording::{Element, Matrix, Recording, Step};
use genelift::device::{Executor, Program, Staging};
use genelift::{Error, Result};

const NAME: &str = "Failing Adapter 9000";

/// Is lost after some runs, or has no room for programs beside resident samples.
pub struct Failing<'a> {
    inner: &'a mut dyn Executor,
    runs: usize,
    small: bool,
    resident: bool,
}

impl<'a> Failing<'a> {
    /// Lost after so many runs.
    pub fn lost_after(runs: usize, inner: &'a mut dyn Executor) -> Self {
        Failing { inner, runs, small: false, resident: false }
    }

    /// Too small for resident samples.
    #[allow(dead_code)] // each test file that takes this in compiles it anew
    pub fn small(inner: &'a mut dyn Executor) -> Self {
        Failing { inner, runs: usize::MAX, small: true, resident: false }
    }
}

impl Executor for Failing<'_> {
    fn name(&self) -> &str {
        NAME
    }
    fn samples_at_once(&self) -> usize {
        self.inner.samples_at_once()
    }
    fn matrix(&mut self, name: &str, rows: usize, cols: usize, element: Element) -> Result<Matrix> {
        self.resident |= name == "resident matrix";
        self.inner.matrix(name, rows, cols, element)
    }
    fn memory(&self) -> u64 {
        self.inner.memory()
    }
    fn allocated(&self) -> u64 {
        self.inner.allocated()
    }
    fn profile(&mut self) -> Result<()> {
        self.inner.profile()
    }
    fn spans(&self) -> &[Span] {
        self.inner.spans()
    }
    fn write(&mut self, matrix: Matrix, first_row: usize, data: &[f32]) -> Result<()> {
        self.inner.write(matrix, first_row, data)
    }
    fn write_u32(&mut self, matrix: Matrix, first_row: usize, data: &[u32]) -> Result<()> {
        self.inner.write_u32(matrix, first_row, data)
    }
    fn read(&mut self, matrix: Matrix, first_row: usize, rows: usize) -> Result<Vec<f32>> {
        self.inner.read(matrix, first_row, rows)
    }
    fn staging(&mut self, matrix: Matrix, rows: usize) -> Result<Box<dyn Staging>> {
        self.inner.staging(matrix, rows)
    }
    fn upload(&mut self, staging: Box<dyn Staging>, matrix: Matrix, first: usize, rows: usize) -> Result<()> {
        self.inner.upload(staging, matrix, first, rows)
    }
    fn compile(&mut self, recording: &Recording) -> Result<Program> {
        match self.small && self.resident {
            true => Err(Error::device(NAME, "out of memory")),
            false => self.inner.compile(recording),
        }
    }
    fn run(&mut self, program: Program, step: &Step) -> Result<()> {
        if self.runs == 0 {
            return Err(Error::device(NAME, "the device was lost"));
        }
        self.runs -= 1;
        self.inner.run(program, step)
    }
    fn within(&mut self, work: &mut (dyn FnMut(&mut dyn Executor) + Send)) {
        work(self);
    }

    fn wait(&mut self) -> Result<()> {
        self.inner.wait()
    }
    fn reset(&mut self) {
        self.resident = false;
        self.inner.reset();
    }
}
