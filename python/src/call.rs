//! A command inside the process. It works on threads of its own without the interpreter's lock; the calling thread hands on what it
//! tells, and asks Python for signals, so that Ctrl-C ends it.

use std::ffi::OsString;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use genelift::cli::{self, Refused};
use genelift::interrupt::Wish;
use genelift::progress::Event;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::{failure, told};

/// How often Python is told what happens, and asked for signals.
const EVERY: Duration = Duration::from_millis(50);

/// What Python's handler stands for.
const SIGINT: i32 = 2;

/// Runs `genelift ARGUMENTS` and returns what it would print. `listener` is called with each event: a tuple whose first field says
/// what it is ("started", task, total or None, unit; "advanced", done, note; "note", text; "warning", text; "figures", of what, text or
/// None, JSON; "finished"). What it raises ends the command, and is raised again.
#[pyfunction]
pub fn call(
    py: Python,
    arguments: Vec<OsString>,
    threads: Option<usize>,
    listener: Py<PyAny>,
) -> PyResult<String> {
    let (send, receive) = channel();
    let receive = Mutex::new(receive); // this thread's alone, also while the interpreter's lock is given up
    let wish = Wish::default();
    let heeded = wish.clone();
    let work = move || {
        pooled(threads, &heeded, || {
            cli::call(&arguments, &|event| {
                let _ = send.send(event); // nobody listens after a second Ctrl-C
            })
        })?
    };
    let worker = thread::Builder::new().name("genelift".into()).spawn(work)?;
    let mut broken: Option<PyErr> = None;
    loop {
        let (events, over) = py.detach(|| collect(&receive));
        if broken.is_none() {
            let heard = events.into_iter().try_for_each(|event| hand_on(py, &listener, event));
            broken = heard.and_then(|()| py.check_signals()).err();
            if broken.is_some() {
                wish.ask(SIGINT);
            }
        } else {
            py.check_signals()?; // asked twice: the work ends by itself, unheard
        }
        if over {
            break;
        }
    }
    let result = py.detach(|| worker.join());
    if let Some(error) = broken {
        return Err(error);
    }
    match result {
        Ok(Ok(printed)) => Ok(printed),
        Ok(Err(Refused::Unknown(message))) => Err(failure(py, "unknown", message)),
        Ok(Err(Refused::Failed(error))) => Err(told(py, error)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text =
                text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("for no reason that it tells");
            Err(failure(py, "bug", format!("the command broke off: {text}; this is a bug of genelift")))
        }
    }
}

/// Does work on a pool of its own: another call's wish to end is none of this one's, and a forked process has no threads of its
/// parent's.
pub fn pooled<T: Send>(
    threads: Option<usize>,
    wish: &Wish,
    work: impl FnOnce() -> T + Send,
) -> genelift::Result<T> {
    // One thread more than there is to compute with: the one that works through the command mostly waits.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let wish = wish.clone();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(cores).max(1) + 1)
        .start_handler(move |_| wish.heed())
        .build()
        .map_err(|e| genelift::Error::device("cpu", format!("cannot start threads: {e}")))?;
    Ok(pool.install(work))
}

/// What is told within [`EVERY`], of progress only the last; whether that is all.
fn collect(receive: &Mutex<Receiver<Event>>) -> (Vec<Event>, bool) {
    let receive = receive.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut events, until) = (Vec::new(), Instant::now() + EVERY);
    loop {
        match receive.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(event) => {
                let advanced = |event: &Event| matches!(event, Event::Advanced { .. });
                if advanced(&event) && events.last().is_some_and(advanced) {
                    events.pop();
                }
                events.push(event);
            }
            Err(RecvTimeoutError::Timeout) => return (events, false),
            Err(RecvTimeoutError::Disconnected) => return (events, true),
        }
    }
}

fn hand_on(py: Python, listener: &Py<PyAny>, event: Event) -> PyResult<()> {
    let listener = listener.bind(py);
    let tell = |fields: PyResult<Bound<PyTuple>>| listener.call1(fields?).map(|_| ());
    match event {
        Event::Started { task, total, unit } => tell(("started", task, total, unit).into_pyobject(py)),
        Event::Advanced { done, note } => tell(("advanced", done, note).into_pyobject(py)),
        Event::Note(text) => tell(("note", text).into_pyobject(py)),
        Event::Warning(text) => tell(("warning", text).into_pyobject(py)),
        Event::Figures { of, text, figures } => {
            tell(("figures", of, text, figures.to_string()).into_pyobject(py))
        }
        Event::Finished => tell(("finished",).into_pyobject(py)),
    }
}

/// The command `genelift` with these arguments, its name first, on the terminal; its exit code.
#[pyfunction]
pub fn main(py: Python, arguments: Vec<OsString>) -> u8 {
    py.detach(|| cli::main(&arguments))
}
