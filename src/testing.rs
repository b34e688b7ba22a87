//! What tests of several modules share: a store of given values, and an executor that remembers what it was told to do.

use std::path::Path;
use std::sync::Mutex;

use crate::device::cpu::CpuExecutor;
use crate::device::profile::Span;
use crate::device::random::Stream;
use crate::device::recording::{Element, Matrix, Recording, Step};
use crate::device::{Executor, Program, Staging};
use crate::error::{Error, Result};
use crate::genes::Table;
use crate::progress::Event;
use crate::store::{Layout, Origin, Store, StoreWriter};

/// Reference numbers in `tests/data`, made by a script in `scripts/`.
pub(crate) fn reference(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    serde_json::from_slice(&std::fs::read(path).expect("the file is in the package")).expect("JSON")
}

/// A store of samples of `genes` values each.
pub(crate) fn store(path: &Path, genes: usize, values: &[f32]) -> Store {
    named_store(path, "s", genes, values)
}

/// As [`store`], of samples `NAME_1`….
pub(crate) fn named_store(path: &Path, name: &str, genes: usize, values: &[f32]) -> Store {
    store_in(Layout::Dense, path, name, genes, values)
}

/// As [`store`], of the values that are not zero.
pub(crate) fn sparse_store(path: &Path, genes: usize, values: &[f32]) -> Store {
    store_in(Layout::Sparse, path, "s", genes, values)
}

fn store_in(layout: Layout, path: &Path, name: &str, genes: usize, values: &[f32]) -> Store {
    let mut writer = StoreWriter::create_in(layout, path, genes, Element::F32, true).expect("a place");
    writer.push_rows(values).expect("room");
    let samples = Table::numbered("sample_id", name, values.len() / genes);
    writer.finish(Table::numbered("gene_id", "g", genes), samples, Origin::default()).expect("written")
}

/// As [`store`], of samples of these studies, in the column `study`.
pub(crate) fn store_of_studies(path: &Path, genes: usize, values: &[f32], studies: &[usize]) -> Store {
    let mut writer = StoreWriter::create(path, genes, Element::F32, true).expect("a place");
    writer.push_rows(values).expect("room");
    let mut samples = Table::numbered("sample_id", "s", studies.len());
    samples.set_column("study", studies.iter().map(usize::to_string).collect());
    writer.finish(Table::numbered("gene_id", "g", genes), samples, Origin::default()).expect("written")
}

/// A store of values between 0 and 1.
pub(crate) fn random_store(path: &Path, samples: usize, genes: usize) -> Store {
    let mut stream = Stream::new(7, "values of a test", 0);
    let values: Vec<f32> = (0..samples * genes).map(|_| stream.uniform() as f32).collect();
    store(path, genes, &values)
}

/// The CPU, with a memory of what it was told.
pub(crate) struct Spy {
    inner: CpuExecutor,
    order: Vec<u32>,
    /// The process is asked to end when so many runs are done.
    pub asked_after: usize,
    /// Of every run: the order of rows that it ran in, and its arguments.
    pub runs: Vec<(Vec<u32>, Step)>,
}

impl Spy {
    pub fn new() -> Spy {
        let inner = CpuExecutor::open(Some(1)).expect("a thread");
        Spy { inner, order: Vec::new(), asked_after: usize::MAX, runs: Vec::new() }
    }

    /// The runs that learn, and of each epoch the order of its first `n` rows.
    pub fn learnt(&self, n: usize) -> (Vec<Step>, Vec<Vec<u32>>) {
        let runs: Vec<_> = self.runs.iter().filter(|(_, step)| step.learning_rate > 0.0).collect();
        let epochs = runs.iter().filter(|(_, step)| step.slot == 0).map(|(order, _)| order[..n].to_vec());
        (runs.iter().map(|(_, step)| *step).collect(), epochs.collect())
    }
}

impl Executor for Spy {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn samples_at_once(&self) -> usize {
        self.inner.samples_at_once()
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize, element: Element) -> Result<Matrix> {
        self.inner.matrix(name, rows, cols, element)
    }

    fn memory(&self) -> u64 {
        self.inner.memory()
    }

    fn allocated(&self) -> u64 {
        self.inner.allocated()
    }

    fn write(&mut self, matrix: Matrix, first_row: usize, data: &[f32]) -> Result<()> {
        self.inner.write(matrix, first_row, data)
    }

    fn write_u32(&mut self, matrix: Matrix, first_row: usize, data: &[u32]) -> Result<()> {
        self.order = data.to_vec();
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
        self.inner.compile(recording)
    }

    fn run(&mut self, program: Program, step: &Step) -> Result<()> {
        if self.runs.len() == self.asked_after {
            return Err(Error::Interrupted { signal: 2, message: "asked to end".into() });
        }
        self.runs.push((self.order.clone(), *step));
        self.inner.run(program, step)
    }

    fn within(&mut self, work: &mut (dyn FnMut(&mut dyn Executor) + Send)) {
        work(self);
    }

    fn wait(&mut self) -> Result<()> {
        self.inner.wait()
    }

    fn profile(&mut self) -> Result<()> {
        self.inner.profile()
    }

    fn spans(&self) -> &[Span] {
        self.inner.spans()
    }

    fn reset(&mut self) {
        self.inner.reset();
    }
}

/// Each of the orders holds every row once, and no two are alike.
pub(crate) fn assert_orders_differ(orders: &[Vec<u32>], n: usize) {
    for (i, order) in orders.iter().enumerate() {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..n as u32).collect::<Vec<_>>(), "each row once");
        assert!(!orders[..i].contains(order), "epoch {} has the order of an earlier one", i + 1);
    }
}

/// Hears what is reported.
#[derive(Default)]
pub(crate) struct Listener(Mutex<Vec<Event>>);

impl Listener {
    pub fn hear(&self, event: Event) {
        self.0.lock().expect("no panic").push(event);
    }

    /// What was warned of.
    pub fn warnings(&self) -> Vec<String> {
        let warning = |event: &Event| match event {
            Event::Warning(text) => Some(text.clone()),
            _ => None,
        };
        self.0.lock().expect("no panic").iter().filter_map(warning).collect()
    }

    /// What was noted.
    pub fn notes(&self) -> Vec<String> {
        let note = |event: &Event| match event {
            Event::Note(text) | Event::Figures { text: Some(text), .. } => Some(text.clone()),
            _ => None,
        };
        self.0.lock().expect("no panic").iter().filter_map(note).collect()
    }

    /// What was said beside the bar of a task.
    pub fn beside(&self, named: &str) -> Vec<String> {
        let (mut is_open, mut notes) = (false, Vec::new());
        for event in self.0.lock().expect("no panic").iter() {
            match event {
                Event::Started { task, .. } => is_open = task == named,
                Event::Advanced { note, .. } if is_open => notes.push(note.clone()),
                _ => {}
            }
        }
        notes
    }

    /// The tasks that were told of, each of which began, advanced to its end and was over before the next began.
    pub fn tasks(&self) -> Vec<String> {
        let (mut tasks, mut open) = (Vec::new(), None);
        for event in self.0.lock().expect("no panic").iter() {
            match event {
                Event::Started { task, total, .. } => {
                    assert!(open.is_none(), "{task} begins in the middle of {tasks:?}");
                    open = Some((*total, 0));
                    tasks.push(task.clone());
                }
                Event::Advanced { done: to, .. } => {
                    let (_, done) = open.as_mut().expect("a task that advances has begun");
                    assert!(*to > *done, "{tasks:?} advances from {done} to {to}");
                    *done = *to;
                }
                Event::Finished => {
                    let (total, done) = open.take().expect("a task that is over has begun");
                    assert!(total.is_none_or(|total| total == done), "{tasks:?} ends at {done} of {total:?}");
                }
                Event::Note(_) | Event::Warning(_) | Event::Figures { .. } => {}
            }
        }
        assert!(open.is_none(), "the last of {tasks:?} is not over");
        tasks
    }
}
