//! Renders the library's [`Event`]s: a bar on a terminal, plain lines elsewhere (a log file, a batch job).

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::progress::Event;
use crate::visible;

/// A log gets one line in this time at most, and none for tasks shorter than it.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The one place that writes progress to standard error.
pub struct Screen {
    quiet: bool,
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    bar: Option<ProgressBar>,
    task: String,
    unit: &'static str,
    total: Option<u64>,
    started: Instant,
    /// Units that were done when the first news came: those of a run that was resumed.
    before: Option<u64>,
    logged: Instant,
}

impl Screen {
    /// A screen on standard error.
    pub fn new(quiet: bool) -> Self {
        let now = Instant::now();
        Screen {
            quiet,
            terminal: std::io::stderr().is_terminal(),
            state: Mutex::new(State {
                bar: None,
                task: String::new(),
                unit: "",
                total: None,
                started: now,
                before: None,
                logged: now,
            }),
        }
    }

    /// Shows one event.
    pub fn show(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match event {
            Event::Warning(text) => state.line(&format!("warning: {text}")),
            _ if self.quiet => {}
            Event::Note(text) => state.line(&text),
            Event::Started { task, total, unit } => {
                state.clear();
                (state.task, state.unit, state.total) = (visible::line(&task).into_owned(), unit, total);
                (state.started, state.before) = (Instant::now(), None);
                state.logged = state.started;
                if self.terminal {
                    state.bar = Some(bar(&state.task, total, unit));
                }
            }
            Event::Advanced { done, note } => state.advance(done, &note),
            Event::Finished => state.clear(),
        }
    }

    /// Removes a bar that is still there.
    pub fn clear(&self) {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }
}

/// A line on standard error, without what would steer a terminal. Where nobody reads it, or the disk that it goes to is full,
/// the work goes on.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible::line(text));
}

impl State {
    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn advance(&mut self, done: u64, note: &str) {
        let before = *self.before.get_or_insert(done);
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            if before == done {
                bar.reset_eta();
            }
            bar.set_message(visible::line(note).into_owned());
        } else if self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            let seconds = self.started.elapsed().as_secs_f64();
            let rate = (done - before.min(done)) as f64 / seconds;
            let left = match self.total {
                Some(total) if done > before => {
                    format!(" of {total}, {:.0} s left", total.saturating_sub(done) as f64 / rate)
                }
                _ => String::new(),
            };
            let note = if note.is_empty() { String::new() } else { format!(", {note}") };
            say(&format!("{}: {done} {}{left}, {rate:.0} {}/s{note}", self.task, self.unit, self.unit));
        }
    }
}

fn bar(task: &str, total: Option<u64>, unit: &str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            format!("{{prefix}} [{{bar:30}}] {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left {{msg}}"),
        ),
        None => (ProgressBar::new_spinner(), format!("{{prefix}} {{pos}} {unit}, {{per_sec}} {{msg}}")),
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.set_prefix(task.to_string());
    bar
}
