//! A wish to end: the first SIGINT, SIGTERM or SIGHUP is kept until a loop looks at it, which then stops between two pieces of
//! work and leaves what it has in order; the second ends the process at once. A program that has several calls under way gives
//! each a [`Wish`] of its own instead.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};

/// What was asked: the signal's number, 0 before one came.
static ASKED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Signals that ask a process to end, by number and name.
#[cfg(unix)]
const SIGNALS: [(i32, &str); 3] =
    [(libc::SIGINT, "SIGINT"), (libc::SIGTERM, "SIGTERM"), (libc::SIGHUP, "SIGHUP")];
#[cfg(not(unix))]
const SIGNALS: [(i32, &str); 2] = [(2, "SIGINT"), (15, "SIGTERM")];

/// Starts to listen, once in a process. A signal that the process was started to ignore (`nohup`, a shell's background
/// job) stays ignored.
///
/// # Errors
/// [`Error::Io`] where the system refuses a handler.
pub fn listen() -> Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    let again = Arc::new(AtomicBool::new(false));
    for (signal, name) in SIGNALS.into_iter().filter(|(signal, _)| !is_ignored(*signal)) {
        // In this order: the second signal finds the flag that the first one set.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, again.clone())
            .and_then(|_| signal_hook::flag::register_usize(signal, asked.clone(), signal as usize))
            .and_then(|_| signal_hook::flag::register(signal, again.clone()))
            .map_err(Error::io(name, "listening to the signal"))?;
    }
    Ok(())
}

/// Whether the process was started to ignore a signal.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks for the present action and changes nothing; `now` is room for it, and all zeros is a value of it.
    let now = unsafe {
        libc::sigaction(signal, std::ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == libc::SIG_IGN
}

#[cfg(not(unix))]
fn is_ignored(_: i32) -> bool {
    false
}

/// A wish that one call ends, whatever else the process does. Copies are one wish.
#[derive(Debug, Clone, Default)]
pub struct Wish(Arc<AtomicUsize>);

thread_local! {
    /// The wish that the work on this thread looks at.
    static HEEDED: RefCell<Option<Wish>> = const { RefCell::new(None) };
}

impl Wish {
    /// Asks the work that heeds it to end, as this signal would.
    pub fn ask(&self, signal: i32) {
        self.0.store(signal as usize, Ordering::Relaxed);
    }

    /// The work on this thread looks at the wish from now on. Further threads that take part in it each have to be told.
    pub fn heed(&self) {
        HEEDED.with_borrow_mut(|heeded| *heeded = Some(self.clone()));
    }
}

/// The wish that the work on this thread looks at, for a thread that goes on with it; one that nobody has where there is none.
pub fn heeded() -> Wish {
    HEEDED.with_borrow(|heeded| heeded.clone().unwrap_or_default())
}

/// The signal that asked the process, or the work on this thread, to end; 0 before one came.
fn signal() -> usize {
    match ASKED.get().map_or(0, |asked| asked.load(Ordering::Relaxed)) {
        0 => HEEDED.with_borrow(|heeded| heeded.as_ref().map_or(0, |wish| wish.0.load(Ordering::Relaxed))),
        signal => signal,
    }
}

/// Whether the process, or the work on this thread, was asked to end.
pub fn asked() -> bool {
    signal() != 0
}

/// Ends a loop where the process, or the work on this thread, was asked to.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn check() -> Result<()> {
    let signal = signal() as i32;
    match SIGNALS.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => Err(Error::Interrupted { signal, message: format!("interrupted by {name}") }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_ends_the_work_of_the_threads_that_heed_it_and_no_other() {
        let wish = Wish::default();
        let there = wish.clone();
        let heeds = std::thread::spawn(move || {
            there.heed();
            let before = check().is_ok();
            there.ask(2);
            (before, asked(), check().map_err(|error| error.exit_code()))
        });
        assert_eq!(heeds.join().expect("it ends"), (true, true, Err(130)));
        assert!(check().is_ok() && !asked());
    }
}
