//! How long every kernel call took, and the file that shows it.

use std::path::Path;

use serde_json::json;

use crate::error::{Error, Result};
use crate::store::atomic;

/// One kernel call. On a GPU a recorded call may be several.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The call's, as [`super::recording::Call::describe`] gives it.
    pub name: String,
    /// Seconds since the first call.
    pub start: f64,
    /// How long it took.
    pub seconds: f64,
}

/// Calls that are kept; later ones run unrecorded, so that a long training stays within memory.
pub const MOST: usize = 200_000;

/// Writes the calls in Chrome's trace format, which chrome://tracing, ui.perfetto.dev and speedscope open: one complete
/// event a call, in microseconds.
///
/// # Errors
/// As [`atomic::write_file`].
pub fn write(path: &Path, device: &str, spans: &[Span], force: bool) -> Result<()> {
    atomic::write_file(path, force, |out| {
        let title = json!({ "name": "process_name", "ph": "M", "pid": 1, "args": { "name": device } });
        let text = |span: &Span| {
            let (start, duration) = (span.start * 1e6, span.seconds * 1e6);
            json!({ "name": span.name, "ph": "X", "pid": 1, "tid": 1, "ts": start, "dur": duration })
        };
        let written = write!(out, "{{\"traceEvents\":[\n{title}")
            .and_then(|()| spans.iter().try_for_each(|span| write!(out, ",\n{}", text(span))))
            .and_then(|()| writeln!(out, "\n]}}"));
        written.map_err(Error::io(path, "writing"))
    })
}
