//! A run: the stages of a configuration done in a folder, one after the other, each kept while what it was made from is the
//! same.

use std::collections::HashSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::config::Config;
use super::content::Contents;
use super::cost::{self, Cost, Size};
use super::flow;
use super::plan::{self, Decision, Now, Why};
use super::record::{Entry, Known, NAME, Record, version};
use super::{Output, Stage, Workbench, read_by, told};
use crate::device;
use crate::error::{Error, Result};
use crate::formats;
use crate::nn::train::Found;
use crate::nouns::counted;
use crate::prepare::split;
use crate::progress::{Event, Reporter};
use crate::store::atomic::{self, Kind, Workplace};
use crate::store::{Store, is_store};

/// What is to be done again, whatever the record says.
#[derive(Debug, Clone, Default)]
pub struct Again {
    /// Stages of this kind and the later ones.
    pub from: Option<String>,
    /// Everything; a folder that is not a run's is taken too.
    pub all: bool,
}

/// A run's folder, its stages, and what was done of them.
pub struct Run<'a> {
    config: &'a Config,
    folder: PathBuf,
    stages: Vec<Box<dyn Stage>>,
    record: Record,
    contents: Contents,
    again: Again,
    report: Reporter<'a>,
}

impl<'a> Run<'a> {
    /// Looks at the configuration and at the folder; nothing is written.
    ///
    /// # Errors
    /// [`Error::Usage`] for settings that cannot work and an unknown stage; [`Error::Exists`] for a folder with files that is
    /// no run's; [`Error::Input`] for files that are missing and a damaged record.
    pub fn open(config: &'a Config, again: Again, report: Reporter<'a>) -> Result<Self> {
        if let Some(from) = &again.from
            && flow::kind_of(from).is_none()
        {
            let kinds = flow::kinds().join(", ");
            return Err(Error::Usage(format!("--from {from}: there is no such stage; there are {kinds}")));
        }
        device::check(&config.device)?;
        let folder = config.output.clone();
        let record = match Record::read(&folder) {
            Ok(Some(record)) => record,
            Ok(None) if !again.all && is_occupied(&folder) => return Err(Error::Exists(folder)),
            Err(error) if !again.all => return Err(error),
            _ => Record::default(),
        };
        let stages = flow::flow(config)?;
        flow::check_device(&stages, &config.device)?;
        let run = Run { config, folder, stages, record, contents: Contents::default(), again, report };
        run.check_files()?;
        run.check_unmatched()?;
        run.check_size()?;
        Ok(run)
    }

    /// Refuses files that are named and are not there, and two stages that write one file.
    fn check_files(&self) -> Result<()> {
        let mut made: HashSet<PathBuf> = HashSet::new();
        for stage in &self.stages {
            for input in stage.inputs() {
                if !made.contains(&input.path) && !input.path.exists() {
                    let what = format!("does not exist ({} of the stage {})", input.role, stage.name());
                    return Err(Error::input(&input.path, what));
                }
            }
            for path in outputs(&**stage) {
                if !made.insert(path.clone()) {
                    return Err(Error::Usage(format!("{} would be written by two stages", path.display())));
                }
            }
        }
        Ok(())
    }

    /// Refuses tables of names that were not found in place of what the run reads, or is told by, or makes, and of files that are
    /// not its own: a stage looks at its own files alone, and may replace what is there.
    fn check_unmatched(&self) -> Result<()> {
        let made = self.stages.iter().flat_map(|stage| outputs(&**stage)).chain([self.folder.join(NAME)]);
        let mut made: Vec<PathBuf> = made.map(|path| placed(&path)).collect();
        let tables: Vec<&Path> = self.stages.iter().filter_map(|stage| unmatched(&**stage)).collect();
        for table in &tables {
            let place = placed(table);
            if made.iter().any(|other| place.starts_with(other) || other.starts_with(&place)) {
                return Err(Error::Usage(format!(
                    "unmatched = {}: the run writes something else there; give the table another name",
                    table.display()
                )));
            }
            made.push(place);
        }
        let read = self.stages.iter().flat_map(|stage| read_by(&**stage)).chain([self.config.file.clone()]);
        let read: Vec<PathBuf> = read.collect();
        let read: Vec<&Path> = read.iter().map(PathBuf::as_path).collect();
        // folders in the run's own are made when they are needed
        let folder = placed(&self.folder);
        let waits = |path: &Path| path.starts_with(&folder) && !path.parent().is_some_and(Path::exists);
        let there = tables.iter().filter(|table| !waits(&placed(table)));
        let there: Vec<_> = there.map(|table| atomic::Output::new(table, Kind::File, true)).collect();
        atomic::claim(&there, &read).map(drop)?;
        let known = self.record.stages.iter().filter_map(|entry| entry.unmatched.as_deref());
        let known: HashSet<PathBuf> = known.map(|path| folder.join(path)).collect();
        let strange = |table: &&&Path| table.exists() && !known.contains(&placed(table));
        match tables.iter().find(strange) {
            Some(table) if !self.again.all => Err(Error::Exists(table.to_path_buf())),
            _ => Ok(()),
        }
    }

    /// Refuses more landmarks than a matrix file has genes, and fewer samples than the stages need, as far as the files tell at a
    /// look: where they are the rows of text, these are counted to where they are enough.
    fn check_size(&self) -> Result<()> {
        let (import, n) = (&self.config.import, self.config.select.n.unwrap_or(1));
        let settings = import.options.settings(false);
        let mut samples = Some(0);
        for file in import.files.iter().filter(|file| !is_stream(file)) {
            let many = n.max(cost::COUNTED);
            let (here, genes) = if is_store(file) {
                let Ok(store) = Store::open_unchecked(file) else { return Ok(()) };
                (Some(store.n_samples()), Some(store.n_genes()))
            } else {
                let Ok(info) = formats::describe_rows(file, &settings.read, settings.orientation, many)
                else {
                    return Ok(()); // the import says what is wrong
                };
                let columns = Some(info.columns);
                if info.rows_are == "genes" { (columns, info.rows) } else { (info.rows, columns) }
            };
            if let Some(genes) = genes.filter(|genes| *genes < n) {
                return Err(Error::Data(format!(
                    "select.n = {n}, but {} has only {}; ask for fewer landmarks",
                    file.display(),
                    counted(genes, "gene")
                )));
            }
            samples = samples.zip(here).map(|(all, here): (usize, usize)| all + here);
        }
        let Some(samples) = samples.filter(|_| !import.files.iter().any(|file| is_stream(file))) else {
            return Ok(());
        };
        let size = Size::of(self.config, samples, usize::MAX);
        let most = Size { train: size.train + 1, ..size.clone() }; // the draw may round the other way
        self.stages.iter().try_for_each(|stage| {
            // What is said has the likely number.
            stage.check_counts(&most).or_else(|_| stage.check_counts(&size))
        })
    }

    /// What will become of each stage, in order, with the reason. A stage that reads what an earlier one makes anew may turn
    /// out the same.
    pub fn plan(&mut self) -> Vec<(String, Decision)> {
        let mut anew: HashSet<PathBuf> = HashSet::new();
        let mut plan = Vec::new();
        for i in 0..self.stages.len() {
            let waits = self.stages[i].inputs().into_iter().find(|input| anew.contains(&input.path));
            let decision = match waits {
                Some(input) => match self.record.stage(&self.stages[i].name()) {
                    None => Decision::Do(Why::New),
                    Some(_) => {
                        let path = plan::within(&input.path, &self.folder);
                        Decision::Do(Why::Changed(format!("{} is made anew", path.display())))
                    }
                },
                None => self.decide(i).1,
            };
            if decision != Decision::Keep {
                anew.extend(outputs(&*self.stages[i]));
            }
            plan.push((self.stages[i].name(), decision));
        }
        plan
    }

    /// What will be done, what is kept and why, and what it takes: for a reader.
    ///
    /// # Errors
    /// [`Error::Device`] where the device cannot be opened; [`Error::Input`] for a store to import that is damaged.
    pub fn forecast(&mut self) -> Result<String> {
        let plan = self.plan();
        self.check_stores()?;
        let size = self.size()?;
        let kept = plan.iter().enumerate().filter(|(_, (_, decision))| *decision == Decision::Keep);
        kept.map(|(i, _)| i).try_for_each(|i| self.check_later(i))?;
        let mut bench = Workbench::new(&self.config.device, self.config.threads, true, self.report)?;
        let rates = cost::rates(bench.executor()?)?;
        let (mut text, mut total) = (String::new(), Cost::default());
        for (i, (name, decision)) in plan.iter().enumerate() {
            let what = match decision {
                Decision::Keep => "kept".to_string(),
                Decision::Do(why) => {
                    let cost = self.stages[i].cost(&size);
                    let time = cost.seconds(rates);
                    total = total.then(cost);
                    match why {
                        Why::New => format!("to be done, {}", cost::time(time)),
                        why => format!("to be done again, {}: {why}", cost::time(time)),
                    }
                }
            };
            let _ = writeln!(text, "[{}/{}] {name}: {what}", i + 1, plan.len());
        }
        let (n, g) = (size.samples, size.genes);
        let _ = writeln!(
            text,
            "\nAbout {n} samples × {g} genes: {} on {}, {} of memory, {} of disk in {}",
            cost::time(total.seconds(rates)),
            bench.device_name().unwrap_or("cpu"),
            cost::size(total.memory.max(64e6)),
            cost::size(total.disk),
            self.folder.display()
        );
        Ok(text)
    }

    /// Refuses stores to import whose values are not what they were. The plan has read them, so this costs nothing where they are whole.
    fn check_stores(&mut self) -> Result<()> {
        for file in self.config.import.files.iter().filter(|file| is_store(file)) {
            if self.contents.of(file).is_none() {
                Store::open(file)?;
            }
        }
        Ok(())
    }

    /// How large the run is: by the imported matrix, else by its files.
    fn size(&self) -> Result<Size> {
        let imported = self.stages.iter().find_map(|stage| stage.hands_on()).filter(|path| is_store(path));
        match imported.map(|path| Store::open_unchecked(&path)) {
            Some(Ok(store)) => Ok(Size::of(self.config, store.n_samples(), store.n_genes())),
            _ => Size::of_files(self.config),
        }
    }

    /// Whether a stage is kept, by what is there now.
    fn decide(&mut self, i: usize) -> (Now, Decision) {
        let stage = &*self.stages[i];
        let now = Now::of(stage, &self.config.device, &mut self.contents);
        let why = match self.record.stage(&stage.name()) {
            None => Some(Why::New),
            _ if self.is_asked(&stage.name()) => Some(Why::Asked),
            Some(entry) => match now.difference(entry) {
                Some(what) => Some(Why::Changed(what)),
                None if !entry.finished => Some(Why::Unfinished),
                None => {
                    let outputs = outputs(stage);
                    let spoilt = plan::spoilt(entry, &outputs, &self.folder, &mut self.contents);
                    let lacks = |table| plan::lacks(entry, &placed(table), &placed(&self.folder));
                    spoilt.or_else(|| unmatched(stage).and_then(lacks)).map(Why::Changed)
                }
            },
        };
        (now, why.map_or(Decision::Keep, Decision::Do))
    }

    fn is_asked(&self, stage: &str) -> bool {
        let from = self.again.from.as_deref().and_then(flow::kind_of);
        self.again.all || from.is_some_and(|from| flow::kind_of(stage) >= Some(from))
    }

    /// Does what is to be done.
    ///
    /// # Errors
    /// Those of the stages. What is finished stays, and the same run goes on with the rest.
    pub fn go(mut self) -> Result<Done> {
        let Config { device, threads, output, .. } = self.config;
        // The folder is the run's own, so that its stages may replace what is there.
        let mut bench = Workbench::new(device, *threads, true, self.report)?;
        let _ours = Workplace::open(output)?;
        self.prepare_folder(output)?;
        for i in 0..self.stages.len() {
            let (now, decision) = self.decide(i);
            let of = self.stages.len();
            let name = self.stages[i].name();
            let stage = json!({"stage": name, "number": i + 1, "of": of});
            match decision {
                Decision::Keep => self.tell(format!("[{}/{of}] {name}: kept", i + 1), stage, "kept"),
                Decision::Do(why) => {
                    self.tell(format!("[{}/{of}] {name}: {why}", i + 1), stage, "begun");
                    self.work(i, now, &why, &mut bench)?;
                }
            }
            self.check_later(i)?;
        }
        let names: Vec<String> = self.stages.iter().map(|stage| stage.name()).collect();
        self.tidy(&names)?;
        Ok(Done { record: self.record, stages: names })
    }

    /// Tells what becomes of a stage.
    fn tell(&self, text: String, mut figures: Value, state: &str) {
        figures["state"] = state.into();
        (self.report)(Event::Figures { of: "stage", text: Some(text), figures });
    }

    /// Puts the record in the stages' order. What stages of an earlier configuration made stays, with their entries behind, so that
    /// it is there when they are asked for again.
    fn tidy(&mut self, names: &[String]) -> Result<()> {
        let place = |entry: &Entry| names.iter().position(|name| *name == entry.name).unwrap_or(usize::MAX);
        self.record.stages.sort_by_key(place);
        let others = self.record.stages.iter().filter(|entry| !names.contains(&entry.name));
        let others: Vec<&str> = others.map(|entry| entry.name.as_str()).collect();
        if !others.is_empty() {
            let text =
                format!("not part of this run, and left as they are: what was made by {}", others.join(", "));
            (self.report)(Event::Note(text));
        }
        self.record.write(&self.folder)
    }

    fn prepare_folder(&mut self, output: &Path) -> Result<()> {
        let stages = std::mem::take(&mut self.record.stages);
        self.record = Record { stages, device: self.record.device.take(), ..Record::default() };
        self.record.config = self.config.said.clone();
        self.record.command = self.config.command.clone();
        self.record.write(output)
    }

    /// Does a stage, and records what it was made from before and what it made after.
    fn work(&mut self, i: usize, now: Now, why: &Why, bench: &mut Workbench) -> Result<()> {
        let stage = &*self.stages[i];
        let table = unmatched(stage).map(placed);
        let before = self.record.stage(&stage.name()).and_then(|entry| entry.unmatched.clone());
        let mut entry = Entry {
            name: stage.name(),
            version: version().into(),
            inputs: plan::known(&now.inputs, &self.folder),
            settings: now.settings,
            outputs: Vec::new(),
            unmatched: table.as_deref().map(|table| plan::within(table, &placed(&self.folder))).or(before),
            finished: false,
            seconds: 0.0,
            facts: Value::Null,
        };
        self.record.put(entry.clone());
        self.record.write(&self.folder)?;
        bench.found = if *why == Why::Asked { Found::Replace } else { Found::GoOn };
        let started = Instant::now();
        for path in outputs(stage).into_iter().chain(table) {
            let folder = path.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder).map_err(Error::io(folder, "creating"))?;
        }
        let ours = stage.claim(bench.force, &[])?;
        // what an earlier doing of the stage did not find is not told of this one
        stage.matches_by().map_or(Ok(()), |names| names.matching().begin())?;
        entry.facts = stage.compute(bench).map_err(|error| goes_on(&entry.name, error))?;
        entry.seconds = started.elapsed().as_secs_f64();
        drop(ours);
        for path in outputs(stage) {
            let sha256 = self.contents.of(&path).ok_or_else(|| {
                Error::input(
                    &path,
                    format!("is not there, or changed, at the end of the stage {}", entry.name),
                )
            })?;
            let path = plan::within(&path, &self.folder);
            entry.outputs.push(Known { role: String::new(), path, sha256 });
        }
        entry.finished = true;
        let stage = json!({
            "stage": entry.name, "number": i + 1, "of": self.stages.len(), "took": entry.seconds, "facts": entry.facts,
        });
        self.tell(format!("{}: {:.1} s", entry.name, entry.seconds), stage, "done");
        if let Some(name) = bench.device_name() {
            self.record.device = json!({"asked": bench.device(), "name": name});
        }
        self.record.put(entry);
        self.record.write(&self.folder)
    }

    /// Asks the later stages whether they can work on the samples as they are now, so that what cannot is refused before
    /// hours of training; of samples that are not split yet, on as many as the split will leave.
    fn check_later(&self, i: usize) -> Result<()> {
        let Some(path) = self.stages[i].hands_on() else { return Ok(()) };
        if !is_store(&path) {
            return Ok(());
        }
        let (store, later) = (Store::open_unchecked(&path)?, &self.stages[i + 1..]);
        later.iter().try_for_each(|stage| stage.check_data(&store))?;
        if !later.iter().any(|stage| stage.name() == "split") {
            return Ok(());
        }
        let Config { split: options, seed, .. } = self.config;
        let parts = split::sizes(&store, &options.fractions, options.draw()?, *seed)?;
        let mut size = Size::of(self.config, store.n_samples(), store.n_genes());
        (size.train, size.held_out) = (parts[0], parts[parts.len() - 1]);
        later.iter().try_for_each(|stage| stage.check_counts(&size))
    }
}

/// Whether something can be read once only.
fn is_stream(path: &Path) -> bool {
    !path.is_file() && !path.is_dir()
}

/// The files, stores and folders that a stage writes.
fn outputs(stage: &dyn Stage) -> Vec<PathBuf> {
    stage.outputs().iter().flat_map(Output::paths).collect()
}

/// The table of names that were not found that a stage is to write.
fn unmatched(stage: &dyn Stage) -> Option<&Path> {
    stage.matches_by()?.unmatched.as_deref()
}

/// Where a path is, without links as far as its folders are there.
fn placed(path: &Path) -> PathBuf {
    atomic::resolve(path).unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => placed(folder).join(name),
        _ => path.to_path_buf(),
    })
}

/// Whether a folder holds something.
fn is_occupied(folder: &Path) -> bool {
    let entries =
        std::fs::read_dir(folder).map(|entries| entries.flatten().any(|entry| entry.file_name() != NAME));
    entries.unwrap_or(folder.symlink_metadata().is_ok())
}

/// Says how to go on after an interruption, where the stage does not.
fn goes_on(stage: &str, error: Error) -> Error {
    match error {
        Error::Interrupted { signal, message } if !message.contains("goes on") => {
            let message = format!("{message} in the stage {stage}; the same command goes on with this stage");
            Error::Interrupted { signal, message }
        }
        other => other,
    }
}

/// A run that came to its end.
pub struct Done {
    /// What was done.
    pub record: Record,
    /// The run's stages, in order.
    pub stages: Vec<String>,
}

impl Done {
    /// What a stage told; `None` where the run has no such stage, or did not finish it.
    ///
    /// # Errors
    /// [`Error::Data`] for a record of another form.
    pub fn facts<T: DeserializeOwned>(&self, stage: &str) -> Result<Option<T>> {
        let entry = self.record.stage(stage);
        let entry = entry.filter(|entry| entry.finished && self.stages.contains(&entry.name));
        entry.map(|entry| told(entry.facts.clone())).transpose()
    }
}
