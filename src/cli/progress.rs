//! Renders the library's [`Event`]s: a bar on a terminal, plain lines elsewhere (a log file, a batch job).

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::builder::styling::Style;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use super::look;
use crate::progress::Event;
use crate::visible;

/// A log gets one line in this time at most, and none for tasks shorter than it.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Bars fit a terminal of this width.
const COLUMNS: usize = 80;

/// Room for a task's name beside its bar.
const TASK: usize = 32;

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
            Event::Warning(text) => state.line(look::WARNING, "warning: ", &text),
            _ if self.quiet => {}
            Event::Note(text) | Event::Figures { text: Some(text), .. } => {
                state.line(Style::new(), "", &text);
            }
            Event::Figures { text: None, .. } => {}
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

/// A line on standard error, its first word in colour, without what would steer a terminal. Where nobody reads it, or the disk that it goes to
/// is full, the work goes on.
pub fn say(style: Style, word: &str, text: &str) {
    let _ = writeln!(anstream::stderr(), "{style}{word}{style:#}{}", visible::line(text));
}

impl State {
    fn line(&self, style: Style, word: &str, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(style, word, text)),
            None => say(style, word, text),
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
            let per_second = (done - before.min(done)) as f64 / seconds;
            let left = match self.total {
                Some(total) if done > before => {
                    format!(" of {total}, {:.0} s left", total.saturating_sub(done) as f64 / per_second)
                }
                _ => String::new(),
            };
            let note = if note.is_empty() { String::new() } else { format!(", {note}") };
            let speed = rate(per_second, self.unit);
            let text = format!("{}: {done} {}{left}{speed}{note}", self.task, self.unit);
            say(Style::new(), "", &text);
        }
    }
}

/// A bar that fits 80 columns: what is fixed is counted, the rest is the bar's, and a note that is too long is cut.
fn bar(task: &str, total: Option<u64>, unit: &str) -> ProgressBar {
    let task = shortened(task);
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), measured(&task, unit)),
        None => (ProgressBar::new_spinner(), format!("{{prefix}} {{pos}} {unit}{{rate}} {{wide_msg}}")),
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let unit = unit.to_string();
    let style = style.with_key("rate", move |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        let _ = write!(to, "{}", rate(state.per_sec(), &unit));
    });
    let style = style.with_key("left", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        let _ = if state.pos() > 0 { write!(to, ", {:#} left", HumanDuration(state.eta())) } else { Ok(()) };
    });
    bar.set_style(style.progress_chars("=> "));
    bar.set_prefix(task);
    bar
}

/// The template of a task whose end is known. 55: brackets and percentage 9, a rate of six digits and commas 11, the time left 17,
/// the longest note ("epoch 100/100, loss 0.1234") less what a short rate leaves over.
fn measured(task: &str, unit: &str) -> String {
    let width = COLUMNS.saturating_sub(55 + task.chars().count() + unit.chars().count()).clamp(10, 30);
    format!("{{prefix}} [{{bar:{width}}}] {{percent}}%{{rate}}{{left}} {{wide_msg}}")
}

/// A task's name in at most [`TASK`] characters; of a path its end says most.
fn shortened(task: &str) -> String {
    let letters: Vec<char> = task.chars().collect();
    if letters.len() <= TASK {
        return task.to_string();
    }
    let word = letters.iter().position(|&c| c == ' ').filter(|&at| at < TASK / 2).map_or(0, |at| at + 1);
    let end = &letters[letters.len() - (TASK - word - 1)..];
    letters[..word].iter().chain(&['…']).chain(end).collect()
}

/// Units in a second in as many digits as say something; nothing as long as nothing is known.
fn rate(per_second: f64, unit: &str) -> String {
    match per_second {
        x if !x.is_finite() || x < 0.005 => String::new(),
        x if x < 1.0 => format!(", {x:.2} {unit}/s"),
        x if x < 10.0 => format!(", {x:.1} {unit}/s"),
        x if x < 1e6 => format!(", {} {unit}/s", HumanCount(x as u64)),
        x if x < 1e9 => format!(", {:.1}M {unit}/s", x / 1e6),
        x => format!(", {:.0}G {unit}/s", (x / 1e9).min(999.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use std::io::Result;
    use std::sync::Arc;

    /// A terminal of 80 columns that keeps the last thing written.
    #[derive(Debug, Default, Clone)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            COLUMNS as u16
        }
        fn move_cursor_up(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> Result<()> {
            let text = text.trim();
            if !text.is_empty() {
                *self.0.lock().unwrap() = text.to_string();
            }
            Ok(())
        }
        fn clear_line(&self) -> Result<()> {
            Ok(())
        }
        fn flush(&self) -> Result<()> {
            Ok(())
        }
    }

    /// What a terminal of 80 columns is given of a task.
    fn shown(task: &str, total: Option<u64>, unit: &str, note: &str) -> String {
        let paper = Paper::default();
        let bar = bar(task, total, unit);
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(paper.clone())));
        let bar = bar.with_position(43_210); // tells the estimate of the rate nothing, so no clock has a part in it
        bar.set_message(note.to_string());
        bar.force_draw();
        paper.0.lock().unwrap().clone()
    }

    #[test]
    fn bars_fit_eighty_columns() {
        let path = "reading /a/long/path/to/a/folder/of/matrices/expression.csv.gz";
        let long = "epoch 100/100, loss 0.1234, and much more that nobody can read on such a line";
        for (task, note) in
            [("training", "epoch 100/100, loss 0.1234"), (path, ""), (path, long), ("k-means", long)]
        {
            for total in [Some(61_500), Some(9_000_000_000), None] {
                let text = shown(task, total, "samples", note);
                assert!(
                    !text.is_empty() && text.chars().count() <= COLUMNS,
                    "{} in {text}",
                    text.chars().count()
                );
            }
        }
    }

    #[test]
    fn the_epoch_and_its_loss_stand_beside_the_bar() {
        let text = shown("training", Some(61_500), "samples", "epoch 100/100, loss 0.1234");
        assert!(
            text.starts_with("training [") && text.contains("70%") && text.ends_with("loss 0.1234"),
            "{text}"
        );
    }

    #[test]
    fn a_long_path_keeps_its_end_and_a_rate_its_digits() {
        assert_eq!(shortened("reading examples/brca/expression.csv.gz"), "reading …/brca/expression.csv.gz");
        assert_eq!(shortened("training"), "training");
        assert_eq!(rate(0.0, "MB"), "");
        assert_eq!(rate(0.107, "batches"), ", 0.11 batches/s");
        assert_eq!(rate(3.26, "MB"), ", 3.3 MB/s");
        assert_eq!(rate(3042.77, "samples"), ", 3,042 samples/s");
        assert_eq!(rate(1.78e7, "samples"), ", 17.8M samples/s");
        assert_eq!(rate(1.78e15, "samples"), ", 999G samples/s");
    }
}
