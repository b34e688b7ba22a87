//! `--log FILE`: what happens as lines of JSON, for whoever follows a long command from another program. The schema is in
//! `docs/log.md`.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use clap::ArgMatches;
use serde_json::{Map, Value, json};

use super::progress::say;
use super::{help, look};
use crate::error::{Error, Result};
use crate::genes::sidecar;
use crate::nn::checkpoint;
use crate::pipeline::record::version;
use crate::progress::Event;
use crate::store::atomic::clock::utc;
use crate::store::atomic::resolve;
use crate::store::is_store;
use crate::visible;

/// A task's progress is told once in this time at most.
const EVERY: Duration = Duration::from_secs(1);
/// What the first line of a log says it is.
const BEGUN: &str = "begun";
/// Bytes of the first line that are looked at.
const FIRST: u64 = 1 << 16;
/// Commands that write stores into a folder, which may hold other things, such as a log.
const INTO: [&str; 2] = ["split", "prepare"];

/// Refuses a log that the command is to write as something else too, or that would lie beside or in an output under a name which is
/// that output's: it would take the log's place.
///
/// # Errors
/// [`Error::Usage`].
pub fn check(log: Option<&Path>, matches: &ArgMatches) -> Result<()> {
    let Some((log, (name, matches))) = log.zip(matches.subcommand()) else { return Ok(()) };
    let (command, Ok(place)) = (help::command(), resolve(log)) else { return Ok(()) }; // opening it says what is wrong
    let arguments = command.find_subcommand(name).into_iter().flat_map(|command| command.get_arguments());
    let writes = arguments.filter(|argument| {
        argument.get_help_heading() == Some(help::OUTPUTS) && argument.get_action().takes_values()
    });
    let outputs = writes
        .filter_map(|argument| matches.try_get_raw(argument.get_id().as_str()).ok().flatten())
        .flatten();
    let places = outputs.filter_map(|output| Some((output, resolve(Path::new(output)).ok()?)));
    let log = log.display();
    for (output, at) in places {
        if at == place {
            return Err(Error::Usage(format!(
                "{log} is an output of the command and its --log; give one of them another name"
            )));
        }
        if goes_with(&at, &place, INTO.contains(&name)) {
            let output = Path::new(output).display();
            return Err(Error::Usage(format!(
                "{log}: names there belong to the output {output}; give --log another name"
            )));
        }
    }
    Ok(())
}

/// Whether `path` is where an output's description or checkpoint may be, or a part of it; of a folder that stores are written into their
/// names alone are.
fn goes_with(output: &Path, path: &Path, into: bool) -> bool {
    let is_store_name = |part: &OsStr| Path::new(part).extension().is_some_and(|ending| ending == "gex");
    let part = path.strip_prefix(output).ok().and_then(|rest| rest.iter().next());
    [sidecar::name(output), checkpoint::path_for(output)].iter().any(|beside| beside == path)
        || part.is_some_and(|part| !into || is_store(output) || is_store_name(part))
}

/// A log that lines are added to.
pub struct Log {
    path: PathBuf,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    /// Nothing once writing failed: the work goes on without it.
    file: Option<File>,
    task: String,
    total: Option<u64>,
    told: Option<Instant>,
}

impl Log {
    /// Opens a log, or goes on with one, of a command of these words.
    ///
    /// # Errors
    /// [`Error::Input`] for a file that is something else; [`Error::Io`].
    pub fn open(path: &Path, words: &[OsString]) -> Result<Log> {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(Error::io(path, "opening the log"))?;
        if path.is_file() && !is_whole(path).map_err(Error::io(path, "reading the log"))? {
            file.write_all(b"\n").map_err(Error::io(path, "writing the log"))?;
        }
        let state = State { file: Some(file), task: String::new(), total: None, told: None };
        let log = Log { path: path.to_path_buf(), started: Instant::now(), state: Mutex::new(state) };
        let words = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
        let command: Vec<String> = ["genelift".to_string()].into_iter().chain(words).collect();
        log.write(BEGUN, json!({"genelift": version(), "command": command}));
        Ok(log)
    }

    /// Tells of an event.
    pub fn tell(&self, event: &Event) {
        match event {
            Event::Note(text) => self.write("note", json!({"text": text})),
            Event::Warning(text) => self.write("warning", json!({"text": text})),
            Event::Figures { of, text, figures } => {
                let mut figures = figures.clone();
                if let Some(text) = text {
                    figures["text"] = text.as_str().into();
                }
                self.write(of, figures);
            }
            Event::Started { task, total, unit } => {
                let mut state = self.state();
                (state.task, state.total, state.told) = (task.clone(), *total, None);
                drop(state);
                self.write("started", json!({"task": task, "total": total, "unit": unit}));
            }
            Event::Advanced { done, note } => self.advanced(*done, note),
            Event::Finished => {
                let task = std::mem::take(&mut self.state().task);
                self.write("finished", json!({"task": task}));
            }
        }
    }

    /// Tells how the command ended.
    pub fn end(&self, result: &Result<()>) {
        let (code, error) = match result {
            Ok(()) => (0, Value::Null),
            Err(error) => (error.exit_code(), error.to_string().into()),
        };
        self.write("ended", json!({"code": code, "error": error}));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn advanced(&self, done: u64, note: &str) {
        let mut state = self.state();
        if state.total != Some(done) && state.told.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        state.told = Some(Instant::now());
        let fields = json!({"task": state.task, "done": done, "total": state.total, "note": note});
        drop(state);
        self.write("advanced", fields);
    }

    fn write(&self, event: &str, fields: Value) {
        let line = line(event, self.started.elapsed(), SystemTime::now(), fields);
        let mut state = self.state();
        let Some(file) = &mut state.file else { return };
        if let Err(error) = file.write_all(line.as_bytes()) {
            state.file = None;
            let path = self.path.display();
            let text = format!("{path}: writing the log failed: {error}; going on without it");
            say(look::WARNING, "warning: ", &text);
        }
    }
}

/// A line: what every event has, then its own.
fn line(event: &str, since: Duration, now: SystemTime, fields: Value) -> String {
    let mut all = Map::new();
    all.insert("event".into(), event.into());
    all.insert("time".into(), utc(now).replacen(' ', "T", 1).replace(" UTC", "Z").into());
    all.insert("seconds".into(), ((since.as_secs_f64() * 1000.0).round() / 1000.0).into());
    if let Value::Object(fields) = fields {
        all.extend(fields);
    }
    // What would steer a terminal is written as JSON escapes it, so that a log can be looked at.
    format!("{}\n", visible::line(&Value::Object(all).to_string()))
}

/// Whether a log ends with its last line's end.
fn is_whole(path: &Path) -> std::io::Result<bool> {
    let mut first = Vec::new();
    let mut file = BufReader::new(File::open(path)?);
    file.by_ref().take(FIRST).read_until(b'\n', &mut first)?;
    if first.is_empty() {
        return Ok(true);
    }
    let said: Option<Value> = serde_json::from_slice(&first).ok();
    if said.is_none_or(|said| said["event"] != BEGUN) {
        let what = "is there and is no log of genelift; give --log another name";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what));
    }
    let mut file = file.into_inner();
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_event_is_a_line_of_json_with_its_name_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        let log = Log::open(&path, &[]).unwrap();
        log.tell(&Event::Note("a \u{1b}[2J \u{202e} \"b\"".into()));
        log.tell(&Event::Warning("w".into()));
        let figures = json!({"stage": "import", "state": "kept"});
        log.tell(&Event::Figures { of: "stage", text: Some("[1/9] import: kept".into()), figures });
        log.tell(&Event::Started { task: "training".into(), total: Some(9), unit: "samples" });
        (1..=9).for_each(|done| log.tell(&Event::Advanced { done, note: "loss".into() }));
        log.tell(&Event::Finished);
        log.end(&Err(Error::Usage("no".into())));
        let told = lines(&path);
        let events: Vec<&str> = told.iter().map(|line| line["event"].as_str().unwrap()).collect();
        let expected =
            ["begun", "note", "warning", "stage", "started", "advanced", "advanced", "finished", "ended"];
        assert_eq!(events, expected, "of progress the first and the last, as no second has passed");
        assert!(
            told.iter().all(|line| line["time"].as_str().unwrap().ends_with('Z') && line["seconds"].is_f64())
        );
        assert_eq!(told[1]["text"], "a \u{1b}[2J \u{202e} \"b\"");
        assert_eq!((&told[3]["state"], &told[6]["done"]), (&json!("kept"), &json!(9)));
        assert_eq!((&told[8]["code"], &told[8]["error"]), (&json!(2), &json!("no")));
        let raw = std::fs::read_to_string(&path).unwrap();
        assert!(!raw.contains('\u{1b}') && !raw.contains('\u{202e}'));
    }

    #[test]
    fn a_log_goes_on_and_another_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        drop(Log::open(&path, &[]).unwrap());
        // as a machine that went down in the middle of a line leaves it
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"event\":\"no")).unwrap();
        drop(Log::open(&path, &[]).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("\"begun\"")).count(), 2, "{text}");
        std::fs::write(&path, "gene\tsample\n").unwrap();
        let message = Log::open(&path, &[]).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("no log of genelift"), "{message}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "gene\tsample\n");
    }
}
