//! A wish to end: the first SIGINT, SIGTERM or SIGHUP is kept until a loop looks at it, which then stops between two pieces of
//! work and leaves what it has in order; the second ends the process at once.

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

/// Whether the process was asked to end.
pub fn asked() -> bool {
    ASKED.get().is_some_and(|asked| asked.load(Ordering::Relaxed) != 0)
}

/// Ends a loop where the process was asked to.
///
/// # Errors
/// [`Error::Interrupted`].
pub fn check() -> Result<()> {
    let signal = ASKED.get().map_or(0, |asked| asked.load(Ordering::Relaxed)) as i32;
    match SIGNALS.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => Err(Error::Interrupted { signal, message: format!("interrupted by {name}") }),
        None => Ok(()),
    }
}
