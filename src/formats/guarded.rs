//! Calls into libraries that may panic on a damaged file.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is in such a call.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Once: what is printed of a panic is left out where it is caught here.
static QUIET: Once = Once::new();

/// What the call gives; `None` where it panicked, of which nothing is printed: the caller has a message of its own.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    QUIET.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !INSIDE.get() {
                before(info);
            }
        }));
    });
    let outer = INSIDE.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(call));
    INSIDE.set(outer);
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_nothing_and_ends_with_the_call() {
        assert_eq!(guarded(|| 3), Some(3));
        assert_eq!(guarded(|| -> usize { panic!("a library gave up") }), None);
        assert!(!INSIDE.get());
        assert_eq!(
            guarded(|| guarded(|| -> usize { panic!("inside") }).is_none() && INSIDE.get()),
            Some(true)
        );
    }
}
