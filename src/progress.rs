//! Typed messages from a long call to whoever watches it. The library knows no terminal; the command
//! line renders these as a progress bar or as plain lines.

use crate::error::Result;
use crate::interrupt;

/// Something worth telling while a long call runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A task begins. `total` is in `unit` ("rows", "samples", "MB"), or `None` where it is unknown.
    Started {
        /// What is being done, e.g. `"training"`.
        task: String,
        /// How many units there are in all.
        total: Option<u64>,
        /// The unit counted, plural.
        unit: &'static str,
    },
    /// `done` units are finished since the task began; `note` is a short state such as the loss.
    Advanced {
        /// Units finished, counted from the start of the task.
        done: u64,
        /// A short state to show beside the rate; may be empty.
        note: String,
    },
    /// A line that stays, e.g. one epoch's figures.
    Note(String),
    /// Figures of a piece of work that is over, such as an epoch or a stage.
    Figures {
        /// What they are of: `"epoch"` or `"stage"`.
        of: &'static str,
        /// A line that stays, where there is one for readers.
        text: Option<String>,
        /// For programs: an object.
        figures: serde_json::Value,
    },
    /// Something the user should know, although the call goes on.
    Warning(String),
    /// The task that began last is over.
    Finished,
}

/// Receives [`Event`]s. Cheap to copy into every call.
pub type Reporter<'a> = &'a (dyn Fn(Event) + Sync);

/// Tells how far a task is, and ends it where the process was asked to end: what takes long enough to be told of can be interrupted.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted).
pub fn advance(report: Reporter, done: u64, note: impl Into<String>) -> Result<()> {
    report(Event::Advanced { done, note: note.into() });
    interrupt::check()
}

/// A [`Reporter`] that listens to nothing.
pub fn silent(_: Event) {}
